/* Inside the SAD's writer: what sad_write.c (the contract), sad_mem.c (locked memory) and sad_out.c
 * (which SA a tunnel's workers send by) share. Nobody else includes it but tests. Control core
 * only.
 */
#pragma once

#include "table/sad_write.h"

/* Memory that is locked, in no core dump and in no child process. */
struct sad_region {
	uint8_t *base;
	size_t bytes;
};

/* On the given NUMA socket (or SOCKET_ID_ANY), zero. what: "100 SAs". 0 or -errno with a sentence.
 */
int sad_region_new(struct sad_region *r, size_t bytes, int socket, const char *what, char *why,
	size_t why_size);
/* Wipes it and gives it back. */
void sad_region_free(struct sad_region *r);

/* Bitmaps of windows: blocks of locked memory by size, kept for the next SA when given back. */
#define SAD_BITMAP_SIZES 9 /* each twice the one before, from a cache line on */

struct sad_bitmaps {
	int socket;
	struct sad_region *chunk;
	uint32_t n_chunks, used;          /* used: bytes of the last chunk */
	uint64_t *free[SAD_BITMAP_SIZES]; /* the first word of a free block leads to the next */
};

/* For a window of that many packets, a multiple of 64: zero. NULL with a sentence in why. */
uint64_t *sad_bitmap_take(struct sad_bitmaps *b, uint32_t window, char *why, size_t why_size);
/* Wipes it. */
void sad_bitmap_give(struct sad_bitmaps *b, uint64_t *bitmap, uint32_t window);
void sad_bitmaps_fini(struct sad_bitmaps *b);

/* What the writer knows of a slot. */
struct sad_entry {
	struct sa_info info;
	struct sad_key key;
	struct selector *selector; /* [info.n_selectors] */
	uint32_t generation;       /* of the handle; rises with each use */
	uint32_t older, newer;     /* live: of the same tunnel and direction */
	uint32_t named;            /* live: the next in the bucket of the name */
	uint32_t next;             /* free, or waiting for its grace period: the next such one */
	int32_t hash_pos;          /* waiting: of the key; negative: none */
	uint64_t token;            /* waiting, moved: of rte_rcu_qsbr_start */
	uint16_t owner;
	bool live;
	bool moved; /* its header template was changed */
};

struct sad_queue {
	uint32_t first, last;
};

struct sad_db {
	struct sad table;
	struct rte_rcu_qsbr *qsv;
	sad_expand_t expand;
	struct sad_region slots;
	struct sa *slot; /* [table.max + 1], in slots */
	struct sad_bitmaps bitmaps;
	struct sad_entry *entry; /* [table.max + 1] */
	struct sad_queue free, old;
	uint32_t n_live, n_old;
	uint32_t (*newest)[2]; /* [TUNNELS_MAX][in] */
	uint32_t *n_owned[2];  /* [in][n_workers]: live SAs of each worker */
	uint32_t *named, names_mask;
};

/* After an outbound SA of the tunnel came or went: what each worker sends by. */
void sad_out_refresh(struct sad_db *db, uint16_t tunnel);
/* The worker that is to own the SA. */
uint16_t sad_owner_choose(const struct sad_db *db, const struct sa_info *info);

/* The memory of a slot, whatever is in it: tests look whether keys are gone. */
static inline const struct sa *sad_slot_memory(const struct sad_db *db, uint32_t index)
{
	return &db->slot[index];
}
