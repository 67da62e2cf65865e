/* Routes, writer's side: the list of all routes of both families, what it makes of them for the
 * workers, and how it changes without anyone waiting.
 *
 * There are two copies of the lookup tables. Workers read one. A change is made in the other, the
 * root is swapped, and once no worker can be in the first one any more, it is made there too. So
 * one *transaction* goes: begin (control core: next hops), work (whatever EAL thread: list and idle
 * copy, all or nothing), the root is swapped and a grace period passes, catch_up (whatever EAL
 * thread: the other copy), finish (control core). One at a time. Functions without a word on it are
 * for the control core.
 *
 * A prefix may have several routes, of different origin. The first usable one in the order of enum
 * route_origin is *active*: it is in the lookup tables. A route is usable while one of its next
 * hops is: on an interface that is up, by a port with a link.
 */
#pragma once

#include "table/neigh_write.h"
#include "table/port.h"
#include "table/route.h"

#include <stddef.h>

#define ROUTES_MAX (1u << 24) /* far beyond the internet's tables */
#define ROUTE_PATHS_MAX 255

enum route_origin {
	ROUTE_CONNECTED, /* our addresses and the subnets of our interfaces */
	ROUTE_CONTROL,   /* by the control socket */
	ROUTE_STATIC,    /* of the configuration */
};

struct route_path {
	uint16_t iface; /* interface id */
	bool named;     /* the interface was said, not found by gw */
	struct addr gw; /* unspecified: directly connected */
	uint32_t neigh; /* index in the neighbour table; set by route_db_hops */
};

struct route {
	struct prefix to; /* host bits zero */
	uint32_t hops;    /* where to: an index of struct route_hops */
	uint8_t origin;   /* enum route_origin */
	bool active;
};

/* --- route_hops.c: where routes lead to, each different answer once, under an index from 1 on */

struct route_hop_set {
	uint8_t type; /* NH_LOCAL, NH_CONNECTED, NH_BROADCAST, NH_VIA (n paths), NH_BLACKHOLE, ...
		       */
	uint8_t n;
	struct route_path *path;
};
struct route_hops;

struct route_hops *route_hops_new(void); /* NULL: no memory */
void route_hops_free(struct route_hops *h);
/* The index, made when it is new; -ENOMEM, or -ENOSPC beyond NEXTHOPS_MAX. */
int route_hops_index(struct route_hops *h, uint8_t type, const struct route_path *path, unsigned n);
/* NULL for an index that means nothing. */
const struct route_hop_set *route_hops_get(const struct route_hops *h, uint32_t index);
uint32_t route_hops_end(const struct route_hops *h); /* every index is below */
void route_hops_drop(struct route_hops *h, uint32_t index);

/* --- route_db.c */

struct route_iface { /* what routes need to know of an interface */
	bool up;     /* enabled, and its port has a link */
	uint8_t zone;
};

enum route_op { ROUTE_ADD, ROUTE_DELETE, ROUTE_REPLACE };

struct route_change {
	struct prefix to;
	uint32_t hops; /* not for ROUTE_DELETE */
};

/* Changes of origin ROUTE_CONTROL, all or nothing. */
struct route_request {
	struct route_request *next;
	enum route_op op;
	const struct route_change *change;
	uint32_t n;
	/* what came of it */
	int status;    /* 0; -EEXIST, -ENOENT, -EPERM (the configuration's), -ENOSPC, -ENOMEM */
	uint32_t bad;  /* the entry that is at fault */
	char why[256]; /* a sentence */
};

struct route_db;

/* neigh: where next hops are pinned; NULL: nowhere (tests). NULL when out of memory. */
struct route_db *route_db_new(struct neigh_db *neigh, int socket);
void route_db_free(struct route_db *db); /* no worker reads; NULL is permitted */

/* The hops of an answer, pinned among the neighbours. Only between finish and work. 0 with a
 * sentence in why. What no route uses is dropped by finish. */
uint32_t route_db_hops(struct route_db *db, uint8_t type, const struct route_path *path, unsigned n,
	uint64_t now_ms, char *why, size_t why_size);

/* Begin a transaction, one of these. iface: IFACES_MAX of them, copied.
 * Changes: the requests live until finish. */
void route_db_begin_changes(struct route_db *db, struct route_request *first);
/* Interfaces went up or down. */
void route_db_begin_link(struct route_db *db, const struct route_iface *iface);
/* A new configuration. base: n routes of the origins ROUTE_CONNECTED and ROUTE_STATIC in any order
 * (of the same prefix and origin the first one counts), taken over; their hops are looked up in map
 * (static ones only; index 0 of the result: left out). Routes of ROUTE_CONTROL stay, but for those
 * that keep refuses (called by work, in its thread) or that are a connected subnet now: they are
 * told to gone. */
struct route_reload {
	const struct route_iface *iface;
	struct route *base; /* malloc'ed */
	uint32_t n;
	const uint32_t *map; /* by hops of a static route */
	bool (*keep)(void *arg, uint32_t hops);
	void (*gone)(void *arg, const struct prefix *to);
	void *arg;
};
void route_db_begin_reload(struct route_db *db, const struct route_reload *reload);

/* Any EAL thread, while the control core leaves the transaction alone. 0; or -1 with a sentence in
 * why: nothing has changed. Requests that are refused are no failure. */
int route_db_work(struct route_db *db, char *why, size_t why_size);
/* What to publish after work; NULL: as before, no swap is needed. */
const struct routes *route_db_next(const struct route_db *db);
/* It was published. */
void route_db_swapped(struct route_db *db);
/* Any EAL thread, after the grace period. 0; or -1 with a sentence in why: then the next
 * transaction makes the copy anew. */
int route_db_catch_up(struct route_db *db, char *why, size_t why_size);
/* Ends the transaction, in each case. */
void route_db_finish(struct route_db *db);

/* --- looking. Control core, at any time; what a transaction is doing meanwhile may be seen. */

const struct routes *route_db_live(const struct route_db *db);
uint32_t route_db_count(struct route_db *db);
/* Up to max routes from that place on in the order (IPv4, then IPv6, by address, length, origin).
 * How many. */
uint32_t route_db_read(struct route_db *db, uint32_t from, struct route *out, uint32_t max);
/* The active route of a destination. False: none. */
bool route_db_match(struct route_db *db, const struct addr *dst, struct route *out);
/* A route of that prefix and origin. False: none. */
bool route_db_find(
	struct route_db *db, const struct prefix *to, enum route_origin origin, struct route *out);
const struct route_hop_set *route_db_hop_set(const struct route_db *db, uint32_t hops);
bool route_db_path_up(const struct route_db *db, const struct route_path *path);
struct route_db_stats {
	uint32_t rebuilds; /* how often a lookup table was made anew */
	uint64_t bytes;    /* DPDK's memory that both copies take, about */
};
struct route_db_stats route_db_stats(const struct route_db *db);
