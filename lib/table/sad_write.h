/* The security association database, writer's side. Control core only. Slots lie in memory of their
 * own that is locked (mlock) and left out of core dumps (MADV_DONTDUMP); an SA that is deleted is
 * wiped when every worker has passed a quiet state. 1,000 a second may come and go, for ever.
 */
#pragma once

#include "table/sad.h"
#include "wire/path_mtu.h"

#include <rte_rcu_qsbr.h>
#include <time.h>

struct sad_db;

/* What an SA is made of, for the writer; and what is known of it besides, for show. */
struct sa_info {
	char name[TUNNEL_NAME_MAX]; /* of the configuration or the socket; "": dynamic */
	uint16_t tunnel;
	uint8_t proto;
	bool in, esn;
	bool manual, by_socket; /* by_socket: survives a reload */
	rte_be32_t spi;
	struct suite suite;
	uint32_t window;    /* inbound, else 0; rounded up to a multiple of 64 */
	uint64_t first_seq; /* outbound: sequence number of the first packet less 1; for tests */
	/* worker, or SAD_OWNER_AUTO: the one with the fewest SAs of that direction, but an AH SA
	 * goes where the tunnel's ESP SA is. In what sad_db_info returns it is the worker */
	uint16_t owner;
	/* lifetimes, 0: none */
	uint32_t soft_s, hard_s;
	uint64_t soft_bytes, hard_bytes, soft_packets, hard_packets;
	time_t created; /* of the key material, as configured; 0: unknown */
	uint64_t added_ms;
	uint16_t n_selectors;            /* inbound: what may come out of it */
	const struct selector *selector; /* copied */
};
#define SAD_OWNER_AUTO UINT16_MAX

/* Expands the keying material into sa->key, after everything else of sa is filled: mb_expand of
 * lib/ipsec, which table does not know. 0 or -errno. */
typedef int (*sad_expand_t)(struct sa *sa, const struct suite *suite, const uint8_t *key);

/* max SAs, n_workers workers. qsv: the workers' RCU variable. NULL with a sentence in why: no
 * memory, or it can't be locked. */
struct sad_db *sad_db_new(uint32_t max, unsigned n_workers, struct rte_rcu_qsbr *qsv,
	sad_expand_t expand, int socket, char *why, size_t why_size);
void sad_db_free(struct sad_db *db); /* wipes everything; no worker may run. NULL is permitted */
const struct sad *sad_db_table(const struct sad_db *db);

/* Adds an SA of a tunnel (t: the entry with info->tunnel as its id); an outbound one is used from
 * then on by the workers, before those that were there. key: suite_key_len bytes, which the caller
 * wipes. *handle is its handle. 0; -EEXIST: such an SPI is there; -ENOSPC; -EINVAL; with a sentence
 * in why. */
int sad_db_add(struct sad_db *db, const struct tunnel *t, const struct sa_info *info,
	const uint8_t *key, uint32_t *handle, char *why, size_t why_size);
/* Takes it out of use at once; it is wiped and its slot free after a grace period. 0 or -ENOENT. */
int sad_db_del(struct sad_db *db, uint32_t handle);
/* Frees what has passed its grace period. Every tick of the control loop; never waits. */
void sad_db_tick(struct sad_db *db);

/* Waiting for that: deletions that are not through. */
uint32_t sad_db_pending(const struct sad_db *db);
uint32_t sad_db_count(const struct sad_db *db);
/* What is known of an SA, or NULL. */
const struct sa_info *sad_db_info(const struct sad_db *db, uint32_t handle);
/* By name. SA_NONE: there is none. */
uint32_t sad_db_named(const struct sad_db *db, const char *name);
/* Calls fn for each SA, in the order of slots. */
void sad_db_each(const struct sad_db *db,
	void (*fn)(void *arg, uint32_t handle, const struct sa_info *info, const struct sa *sa),
	void *arg);
/* The outer packet's path MTU as an ICMP error told, for all outbound SAs of the tunnel. */
void sad_db_path_mtu(struct sad_db *db, uint16_t tunnel, uint16_t mtu);
/* An ICMP error told that a packet was too large. If it is one that an outbound SA of a tunnel
 * sends (RFC 4301 section 8.2.1), and the tunnel's path MTU was larger, that is lowered: returns
 * the tunnel's id, else TUNNEL_NONE. tunnel: [n_tunnels], by id. */
uint16_t sad_db_path_mtu_told(struct sad_db *db, const struct tunnel *tunnel, uint32_t n_tunnels,
	const struct path_mtu *told);
/* The peer of the tunnel has another address or port (RFC 3948): t has them. Its outbound SAs send
 * there from now on. 0; -EAGAIN: the last such change is younger than a grace period, try again at
 * the next tick. */
int sad_db_moved(struct sad_db *db, const struct tunnel *t);
