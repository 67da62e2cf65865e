/* The filter rules that a tunnel makes for itself: what carries it may come in from its other end
 * and go out there. See tunnel.h. For who builds the filter.
 */
#include "table/tunnel.h"

#include "wire/esp.h"

#include <netinet/in.h>
#include <rte_byteorder.h>

static struct prefix host(const struct addr *a)
{
	return (struct prefix){*a, 128};
}

/* Whoever it is: the other end may have moved (RFC 3948). */
static struct prefix anyone(const struct addr *like)
{
	return addr_is4(like) ? prefix_of4(0, 0) : (struct prefix){.len = 0};
}

static struct rule_port just(rte_be16_t port)
{
	return (struct rule_port){RULE_OP_EQ, rte_be_to_cpu_16(port)};
}

static struct rule permit(const struct tunnel *t, uint8_t dir, uint16_t proto)
{
	bool moves = t->flags & TUNNEL_FOLLOW && t->flags & TUNNEL_ENCAP;
	struct prefix local = host(&t->local);
	struct prefix remote = moves ? anyone(&t->remote) : host(&t->remote);

	return (struct rule){.src = dir == RULE_IN ? remote : local,
		.dst = dir == RULE_IN ? local : remote,
		.proto = proto,
		.zone = RULE_ZONE_BOTH,
		.scope = RULE_LOCAL,
		.dir = dir,
		.frag = RULE_FRAG_YES,
		.permit = true,
		.tunnel = RULE_TUNNEL_ANY,
		.generated = true,
		.file = t->name};
}

/* ESP in UDP. Fragments of it are put together before their ports are looked at again, so that
 * later ones, which have none, need a rule without. What we send is cut behind the filter. */
static unsigned encap_rules(const struct tunnel *t, struct rule rule[])
{
	bool moves = t->flags & TUNNEL_FOLLOW;

	rule[0] = permit(t, RULE_IN, IPPROTO_UDP);
	rule[0].dport = just(t->local_port);
	rule[1] = rule[0];
	rule[1].dport.op = RULE_OP_ANY;
	rule[1].dport.value = 0;
	rule[1].frag = RULE_FRAG_LATER;
	rule[2] = permit(t, RULE_OUT, IPPROTO_UDP);
	rule[2].sport = just(t->local_port);
	if (!moves) {
		rule[0].sport = just(t->remote_port);
		rule[2].dport = just(t->remote_port);
	}
	return 3;
}

unsigned tunnel_rules(const struct tunnel *t, struct rule rule[TUNNEL_RULES_MAX])
{
	unsigned n = 0;

	if (!(t->flags & TUNNEL_UP))
		return 0;
	if (t->flags & TUNNEL_ENCAP)
		return encap_rules(t, rule);
	for (uint8_t dir = RULE_IN; dir <= RULE_OUT; dir++) {
		if (t->flags & TUNNEL_ESP)
			rule[n++] = permit(t, dir, PROTO_ESP);
		if (t->flags & TUNNEL_AH)
			rule[n++] = permit(t, dir, PROTO_AH);
	}
	return n;
}
