/* The flow cache: making it, forgetting, learning. See flow_cache.h.
 */
#include "dp/flow_cache.h"

#include "dp/worker.h"

#include <netinet/in.h>
#include <rte_tcp.h>
#include <rte_malloc.h>
#include <string.h>

struct flow_cache *flow_cache_new(int socket)
{
	struct flow_cache *c = rte_zmalloc_socket("flow_cache", sizeof(*c), 64, socket);

	if (c)
		c->serial = 1;
	return c;
}

void flow_cache_free(struct flow_cache *c)
{
	rte_free(c);
}

void flow_cache_follow(struct flow_cache *c, const struct root *root)
{
	uint32_t neigh = atomic_load_explicit(&root->neigh->epoch, memory_order_acquire);

	if (likely(c->root == root->serial && c->neigh == neigh))
		return;
	c->root = root->serial;
	c->neigh = neigh;
	if (++c->serial != 0)
		return;
	/* once in four thousand million times: old serials come again */
	memset(c->set4, 0, sizeof(c->set4));
	memset(c->set6, 0, sizeof(c->set6));
	c->serial = 1;
}

static bool quiet(const struct acl_verdict *v)
{
	return v->permit && !v->log;
}

/* The first entry of a set, to be written: what is there becomes the second, if it is of another
 * flow and still good. */
static void *place(void *set, size_t size, const void *key, size_t key_size, uint32_t serial)
{
	const struct flow_way *way = RTE_PTR_ADD(set, key_size);

	if (way->serial == serial && memcmp(set, key, key_size) != 0)
		memcpy(RTE_PTR_ADD(set, size), set, size);
	return set;
}

static uint32_t ports_of(const struct meta *meta, rte_be16_t sport, rte_be16_t dport)
{
	/* the key has type and code as two numbers, the packet as two bytes */
	if (meta->proto == IPPROTO_ICMP ||
		(meta->flags & META_IP6 && meta->proto == IPPROTO_ICMPV6))
		return (uint32_t)(sport >> 8) | (uint32_t)(dport & 0xff00);
	return (uint32_t)sport | (uint32_t)dport << 16;
}

void flow_cache_learn(struct worker *w, const struct meta *meta)
{
	struct flow_cache *c = w->flow_cache;
	const struct acl *acl = w->root->acl;
	const struct acl_verdict *in, *out;
	struct flow_way way;
	bool ack = meta->proto == IPPROTO_TCP && meta->tcp_flags & RTE_TCP_ACK_FLAG;

	if (c == NULL || c->rest > 0 ||
		meta->flags & (META_OURS | META_EXEMPT | META_L2_GROUP | META_WAITED) ||
		meta->frag != PACKET_WHOLE || meta->scope != RULE_ROUTE ||
		meta->tunnel != TUNNEL_NONE || meta->more & META_MERGED)
		return;
	in = &acl->verdict[meta->verdict_in];
	out = &acl->verdict[meta->verdict_out];
	if (!quiet(in) || !quiet(out))
		return;
	way = (struct flow_way){.serial = c->serial,
		.neigh = meta->neigh,
		.counter_in = in->counter,
		.counter_out = out->counter};
	c->learned++;
	if (meta->flags & META_IP6) {
		struct flow6 e = {.way = way}, *to;

		e.key[0] = flow_rest(ports_of(meta, meta->key6.sport, meta->key6.dport),
			meta->proto, ack, meta->in_if);
		memcpy(e.key + 1, meta->key6.src, 32);
		to = place(c->set6[flow6_set(e.key)], sizeof(e), e.key, sizeof(e.key), c->serial);
		*to = e;
	} else {
		struct flow4 e = {.way = way}, *to;

		e.key[0] = flow_rest(ports_of(meta, meta->key.sport, meta->key.dport), meta->proto,
			ack, meta->in_if);
		memcpy(e.key + 1, &meta->key.src, 8);
		to = place(c->set4[flow4_set(e.key)], sizeof(e), e.key, sizeof(e.key), c->serial);
		*to = e;
	}
}
