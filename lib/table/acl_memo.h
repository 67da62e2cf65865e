/* What a worker remembers of its last lookups, so that the packets of a flow ask rte_acl once. A
 * verdict depends on the key, the group and the table alone, so that remembering it is exact: ACK
 * bit, ICMP type and fragment class are in the key and the group.
 *
 * One per worker, read and written by it alone. A new table needs no flush: entries carry its
 * serial.
 */
#pragma once

#include "table/acl.h"

struct acl_memo;

struct acl_memo_stats { /* rise only; any thread may read */
	uint64_t lookups, hits;
};

/* On the given NUMA socket; 768 KB. NULL when out of memory. Control core, at boot. */
struct acl_memo *acl_memo_new(int socket);
void acl_memo_free(struct acl_memo *m);
const struct acl_memo_stats *acl_memo_stats(const struct acl_memo *m);

/* As acl_classify, with the same answers. Where most packets are new (a scan, a flood), it looks
 * them up directly for a while. The owning worker only. */
void acl_memo_classify(struct acl_memo *m, const struct acl *a, unsigned group,
	const struct acl_key *const key[], uint32_t out[], unsigned n);
/* The same for a group of IPv6. */
void acl_memo_classify6(struct acl_memo *m, const struct acl *a, unsigned group,
	const struct acl_key6 *const key[], uint32_t out[], unsigned n);
