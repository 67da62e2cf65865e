/* The inside of the reassembly table, shared by its files: table.c keeps datagrams and finds them,
 * reassemble.c judges fragments, merge.c makes a packet of them. Worker.
 */
#pragma once

#include "frag/frag.h"

#define NONE UINT32_MAX
#define KEY_WORDS 5

/* Which datagram: RFC 791 section 3.2, RFC 8200 section 4.5 (where the protocol is no part of it).
 * Zero where nothing is. */
struct key {
	union {
		uint64_t w[KEY_WORDS];
		struct {
			uint8_t src[16], dst[16]; /* IPv4: the first four bytes */
			uint32_t id;              /* as on the wire */
			uint8_t proto;            /* IPv4 alone */
			uint8_t family;           /* 4 or 6 */
			uint16_t realm;           /* the caller's */
		};
	};
};
_Static_assert(sizeof(struct key) == KEY_WORDS * 8, "no padding");

/* A fragment in the table. */
struct piece {
	struct rte_mbuf *m;
	uint32_t next;       /* by offset; or in the free list */
	uint16_t first, end; /* bytes of the datagram's payload */
	uint16_t at;         /* where they begin in m */
	uint16_t frag_at;    /* IPv6: the fragment header in m */
};

struct datagram {
	struct key key;
	uint64_t born_tsc;     /* when its first fragment came */
	uint32_t hash_next;    /* in its bucket; or in the free list */
	uint32_t older, newer; /* of all */
	uint32_t src_older, src_newer;
	uint32_t source;
	uint32_t head, tail; /* pieces by offset */
	uint32_t bytes;      /* of payload that are there */
	uint32_t end;        /* payload length; 0: the last fragment has not come */
	uint16_t n;          /* pieces */
	uint8_t ecn;         /* bit per ECN codepoint that was seen */
	uint8_t dead;        /* given up for the reason dead - 1; 0: alive */
};

/* Who has datagrams in the table. */
struct source {
	uint64_t w[2];
	uint32_t hash_next; /* in its bucket; or in the free list */
	uint32_t oldest, newest;
	uint32_t n;
};

struct frag_table {
	frag_drop_t drop;
	void *arg;
	struct frag_limits limits;
	struct frag_stats stats;
	uint64_t secret[2 * KEY_WORDS + 1];
	unsigned hash_shift;
	uint32_t n_datagrams, n_pieces; /* room */
	uint32_t oldest, newest;
	uint32_t free_datagram, free_source, free_piece;
	uint32_t *bucket, *source_bucket;
	struct datagram *datagram; /* [n_datagrams] */
	struct source *source;     /* [n_datagrams] */
	struct piece *piece;       /* [n_pieces] */
};

/* --- table.c */

/* The datagram of a key, made when it is not there; then older ones may give way. */
struct datagram *datagram_get(struct frag_table *t, const struct key *key, uint64_t now);
/* A free piece; older datagrams than d may give way. NONE: d holds them all. */
uint32_t piece_get(struct frag_table *t, const struct datagram *d);
/* Gives up the fragments of a datagram. */
void datagram_empty(struct frag_table *t, struct datagram *d, enum frag_why why);
/* Takes a datagram without pieces out of the table. */
void datagram_del(struct frag_table *t, struct datagram *d);
/* Its pieces become free; the packets are the caller's. */
void pieces_free(struct frag_table *t, struct datagram *d);

/* --- merge.c */

/* One packet of all fragments of a complete datagram; NULL, with nothing changed and *why set,
 * when there can't be one. The pieces stay in the table. */
struct rte_mbuf *frag_merge(
	const struct frag_table *t, const struct datagram *d, enum frag_why *why);
/* Takes the fragment header out of an atomic fragment. proto_at: the field that names it. */
void frag6_strip(struct rte_mbuf *m, unsigned frag_at, unsigned proto_at);
