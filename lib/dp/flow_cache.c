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

	uint32_t sad =
		root->ipsec ? atomic_load_explicit(&root->ipsec->sad->epoch, memory_order_acquire)
			    : 0;

	if (likely(c->root == root->serial && c->neigh == neigh && c->sad == sad))
		return;
	c->root = root->serial;
	c->sad = sad;
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

/* The flow of a packet and the way to go: written where it will be looked for. sa: that it came out
 * of, or NULL. */
static void write_flow(
	struct flow_cache *c, const struct meta *meta, const struct sa *sa, struct flow_way way)
{
	bool ip6 = meta->flags & META_IP6;
	bool ack = meta->proto == IPPROTO_TCP && meta->tcp_flags & RTE_TCP_ACK_FLAG;
	uint32_t ports = ip6 ? ports_of(meta, meta->key6.sport, meta->key6.dport)
			     : ports_of(meta, meta->key.sport, meta->key.dport);
	uint64_t rest = sa ? flow_rest_sa(ports, meta->proto, ack, SA_INDEX(sa->handle))
			   : flow_rest(ports, meta->proto, ack, meta->in_if);

	way.serial = c->serial;
	c->learned++;
	if (ip6) {
		struct flow6 e = {.way = way}, *to;

		e.key[0] = rest;
		memcpy(e.key + 1, meta->key6.src, 32);
		to = place(c->set6[flow6_set(e.key)], sizeof(e), e.key, sizeof(e.key), c->serial);
		*to = e;
	} else {
		struct flow4 e = {.way = way}, *to;

		e.key[0] = rest;
		memcpy(e.key + 1, &meta->key.src, 8);
		to = place(c->set4[flow4_set(e.key)], sizeof(e), e.key, sizeof(e.key), c->serial);
		*to = e;
	}
}

/* Of a kind that may be remembered at all. */
static bool may_learn(const struct worker *w, const struct meta *meta)
{
	return w->flow_cache != NULL && w->flow_cache->rest == 0 &&
	       !(meta->flags & (META_OURS | META_EXEMPT | META_L2_GROUP | META_WAITED)) &&
	       meta->frag == PACKET_WHOLE && !(meta->more & META_MERGED);
}

/* The inbound SA that a packet came out of, where all that was decided of it follows from that SA:
 * one header of ESP was taken off, and the SA's packets come by one interface. */
static const struct sa *came_out_of(const struct worker *w, const struct meta *meta)
{
	struct sa *sa = sad_get(w->root->ipsec->sad, meta->sa);

	if (sa == NULL || sa->owner != w->id || sa->flags & SA_TRANSPORT || meta->nested != 1 ||
		(meta->more & (META_HAD_ESP | META_HAD_AH)) != META_HAD_ESP)
		return NULL;
	if (sa->way_serial == w->flow_cache->serial && sa->way != meta->in_if)
		return NULL;
	sa->way = meta->in_if;
	sa->way_serial = w->flow_cache->serial;
	return sa;
}

/* A packet with an outer header of ours has found its way: all of its SA have the same. */
static void learn_outer(const struct worker *w, const struct meta *meta)
{
	const struct ipsec *ipsec = w->root->ipsec;
	const struct acl_verdict *out = &w->root->acl->verdict[meta->verdict_out];
	struct sa *sa = ipsec ? sad_get(ipsec->sad, meta->sa) : NULL;

	if (sa == NULL || sa->owner != w->id || sa->flags & (SA_IN | SA_TRANSPORT) ||
		w->flow_cache == NULL || meta->nested != 1 || meta->flags & META_WAITED ||
		!quiet(out))
		return;
	sa->way = meta->neigh;
	if (atomic_load_explicit(&sa->outer_now, memory_order_relaxed))
		sa->way |= SA_WAY_OUTER;
	sa->way_counter = out->counter;
	sa->way_serial = w->flow_cache->serial;
}

void flow_cache_learn(struct worker *w, const struct meta *meta)
{
	const struct acl *acl = w->root->acl;
	const struct acl_verdict *in, *out;
	const struct sa *sa = NULL;

	if (unlikely(meta->more & META_OUTER)) {
		learn_outer(w, meta);
		return;
	}
	if (!may_learn(w, meta) || meta->scope != RULE_ROUTE)
		return;
	in = &acl->verdict[meta->verdict_in];
	out = &acl->verdict[meta->verdict_out];
	if (!quiet(in) || !quiet(out))
		return;
	if (meta->tunnel != TUNNEL_NONE) {
		sa = came_out_of(w, meta);
		if (sa == NULL)
			return;
	}
	write_flow(w->flow_cache, meta, sa,
		(struct flow_way){.neigh = meta->neigh,
			.counter_in = in->counter,
			.counter_out = out->counter});
}

void flow_cache_learn_tunnel(struct worker *w, const struct meta *meta)
{
	const struct acl *acl = w->root->acl;
	const struct acl_verdict *in, *out;

	/* without verdicts: known already, and esp_out had not what it takes */
	if (!may_learn(w, meta) || meta->scope != RULE_ROUTE || meta->tunnel != TUNNEL_NONE ||
		meta->verdict_in == UINT32_MAX)
		return;
	in = &acl->verdict[meta->verdict_in];
	out = &acl->verdict[meta->verdict_out];
	if (!quiet(in) || !quiet(out))
		return;
	write_flow(w->flow_cache, meta, NULL,
		(struct flow_way){.neigh = FLOW_SPECIAL | (uint32_t)meta->out_if << FLOW_IFACE_AT |
					   meta->tunnel_out,
			.counter_in = in->counter,
			.counter_out = out->counter});
}

void flow_cache_learn_esp(struct worker *w, const struct meta *meta)
{
	const struct acl_verdict *in = &w->root->acl->verdict[meta->verdict_in];

	/* what skips the filter is counted elsewhere */
	if (!may_learn(w, meta) || meta->nested || !w->root->ipsec->predecap_filter || !quiet(in))
		return;
	write_flow(w->flow_cache, meta, NULL,
		(struct flow_way){.neigh = FLOW_ESP_IN, .counter_in = in->counter});
}
