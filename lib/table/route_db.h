/* The inside of struct route_db, for route_db.c and route_txn.c alone. See route_write.h.
 */
#pragma once

#include "table/route_parts.h"

#include <pthread.h>

#define ROUTE_ORIGINS 3

struct route_undo { /* what a change of origin ROUTE_CONTROL replaced */
	struct prefix to;
	uint32_t hops; /* 0: there was none */
};

enum route_txn { ROUTE_IDLE, ROUTE_CHANGES, ROUTE_LINK, ROUTE_RELOAD };

struct route_db {
	pthread_mutex_t lock;         /* list */
	struct route_list list, next; /* next: of a reload */
	struct route_hops *hops;
	uint32_t refs[NEXTHOPS_MAX + 1]; /* routes, by their hops */
	bool usable[NEXTHOPS_MAX + 1];   /* may be active */
	bool turned[NEXTHOPS_MAX + 1];   /* it was otherwise before this transaction */
	bool known[NEXTHOPS_MAX + 1];    /* pinned */
	struct route_iface iface[IFACES_MAX], iface_before[IFACES_MAX];
	struct route_copy copy[2];
	unsigned live; /* the copy that is published */
	struct neigh_db *neigh;
	int socket;
	uint32_t rebuilds;
	/* the transaction */
	enum route_txn txn;
	bool failed;
	bool changed; /* there is a copy to publish */
	bool anew;    /* op does not hold all changes */
	struct route_request *first;
	struct route_reload reload;
	struct route_fib_op *op;
	struct route_undo *undo;
	size_t n_ops, ops_room, n_undo, undo_room;
};

/* Notes that a prefix leads elsewhere now. */
void route_db_note(struct route_db *db, const struct prefix *to, uint32_t was, uint32_t hops);
/* The middle of the three kinds of transaction: the list changes, and op says what that means. */
void route_db_changes(struct route_db *db);
void route_db_relink(struct route_db *db);
int route_db_reread(struct route_db *db); /* makes next; 0 or -ENOMEM */
/* Takes changes back until so many are left. */
void route_db_undo(struct route_db *db, size_t n_undo, size_t n_ops);
