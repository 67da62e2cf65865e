/* The generator of rule lists, in the manner of ClassBench's access-list and firewall seeds: the
 * shares of field values are rough numbers from what such lists have in common, not a copy of one.
 *
 * Prefixes come from pools of nested networks (site, department, subnet, host); services from a
 * list of ports that is short and skewed, as in life: a hundred ports make most of 10,000 rules.
 */
#include "gen.h"

#include "flows.h"
#include "wire/addr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct gen {
	uint64_t rng;
	struct prefix4 *net; /* pool of networks and hosts */
	uint32_t n_nets;
	uint32_t *seen; /* hash of rules made so far: 1 + index */
	uint32_t seen_mask;
};

static uint64_t draw(struct gen *g)
{
	uint64_t z = (g->rng += 0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint32_t below(struct gen *g, uint32_t n)
{
	return (uint32_t)((draw(g) >> 32) * n >> 32);
}

/* 0 to n-1, small ones far more often. */
static uint32_t skewed(struct gen *g, uint32_t n)
{
	uint64_t x = below(g, 1 << 16);

	return (uint32_t)(x * x % ((uint64_t)1 << 32) * n >> 32);
}

/* A network inside another, or a host. */
static struct prefix4 nested(struct gen *g, struct prefix4 outer)
{
	static const uint8_t step[] = {16, 20, 22, 24, 24, 24, 26, 28, 29, 30, 32, 32, 32, 32};
	uint8_t len = step[below(g, sizeof(step))];

	if (len < outer.len)
		len = 32;
	outer.addr |= (uint32_t)draw(g) & ~mask4(outer.len) & mask4(len);
	outer.len = len;
	return outer;
}

/* The pool grows like a tree: each network lies in a home range or in an earlier network. */
static void make_nets(struct gen *g)
{
	static const struct prefix4 home[] = {{10u << 24 | 1u << 16, 16},
		{10u << 24 | 2u << 16, 16}, {10u << 24, 8}, {172u << 24 | 16u << 16, 12},
		{192u << 24 | 168u << 16, 16}, {9u << 24, 8}};

	for (uint32_t i = 0; i < g->n_nets; i++) {
		struct prefix4 outer = home[below(g, sizeof(home) / sizeof(home[0]))];

		if (below(g, 10) == 0) /* somewhere in the Internet */
			outer = (struct prefix4){(11 + below(g, 200)) << 24, 8};
		else if (i > 16 && below(g, 2) == 0)
			outer = g->net[below(g, i)];
		g->net[i] = nested(g, outer);
	}
}

static struct prefix any(void)
{
	return prefix_of4(0, 0);
}

static struct prefix net(struct gen *g)
{
	struct prefix4 p = g->net[below(g, g->n_nets)];

	return prefix_of4(p.addr & mask4(p.len), p.len);
}

/* The network or host of a flow's end. */
static struct prefix near(struct gen *g, uint32_t flow_addr)
{
	static const uint8_t len[] = {16, 20, 24, 24, 28, 32, 32, 32};
	unsigned l = len[below(g, sizeof(len))];

	return prefix_of4(flow_addr & mask4(l), l);
}

static struct rule_port service(struct gen *g)
{
	static const uint16_t known[] = {80, 443, 22, 53, 25, 23, 21, 110, 143, 123, 161, 389, 445,
		135, 139, 514, 515, 993, 995, 1433, 1521, 3306, 3389, 5060, 8080, 8443};
	static const uint16_t from[] = {1024, 49152, 32768, 6000, 1023, 137};
	uint32_t n = sizeof(known) / sizeof(known[0]), kind = below(g, 100);

	if (kind < 70)
		return (struct rule_port){RULE_OP_EQ, known[skewed(g, n)]};
	if (kind < 88) /* own applications */
		return (struct rule_port){RULE_OP_EQ, (uint16_t)(2000 + skewed(g, 400) * 23)};
	if (kind < 94)
		return (struct rule_port){RULE_OP_GE, from[below(g, 6)]};
	if (kind < 98)
		return (struct rule_port){RULE_OP_LT, from[below(g, 6)]};
	return (struct rule_port){below(g, 2) ? RULE_OP_NEQ : RULE_OP_GT, from[below(g, 6)]};
}

static void set_protocol(struct gen *g, struct rule *r)
{
	uint32_t kind = below(g, 100);

	if (kind < 55)
		r->proto = below(g, 8) ? 6 : RULE_PROTO_TCP_ACK;
	else if (kind < 88)
		r->proto = 17;
	else if (kind < 93)
		r->proto = 1;
	else if (kind < 95)
		r->proto = below(g, 2) ? 50 : 89;
	else
		r->proto = RULE_PROTO_ALL;
	if (r->proto == 1 && below(g, 2))
		r->sport = (struct rule_port){RULE_OP_EQ, below(g, 2) ? 8 : 3};
	if (!rule_proto_has_ports(r->proto))
		return;
	if (below(g, 100) < 85)
		r->dport = service(g);
	if (below(g, 100) < 8)
		r->sport = service(g);
}

static void make_rule(struct gen *g, struct rule *r)
{
	struct flow f = flow_of(below(g, FLOWS));
	uint32_t kind = below(g, 100);

	*r = (struct rule){
		.zone = RULE_ZONE_BOTH,
		.scope = RULE_SCOPE_BOTH,
		.dir = RULE_DIR_BOTH,
		.permit = below(g, 3) != 0,
		.tunnel = RULE_TUNNEL_ANY,
	};
	set_protocol(g, r);
	if (kind < 34) { /* close to a flow: same networks, another service, protocol or host */
		r->src = near(g, f.src);
		r->dst = near(g, f.dst);
	} else if (kind < 66) {
		r->src = net(g);
		r->dst = net(g);
	} else if (kind < 88) { /* a service for everybody */
		r->src = any();
		r->dst = net(g);
	} else if (kind < 99) {
		r->src = net(g);
		r->dst = any();
	} else {
		r->src = r->dst = any();
	}
}

static bool hits_a_flow(const struct rule *r)
{
	struct rule_packet p = {.proto = 17};

	if (r->proto != 17 && r->proto != RULE_PROTO_ALL)
		return false;
	p.zone = r->zone;
	p.scope = r->scope;
	p.dir = r->dir;
	for (unsigned i = 0; i < FLOWS; i++) {
		struct flow f = flow_of(i);

		p.src = addr_of4(f.src);
		p.dst = addr_of4(f.dst);
		p.sport = f.sport;
		p.dport = f.dport;
		if (rule_matches(r, &p))
			return true;
	}
	return false;
}

/* Whether the rule is new, permit or deny aside; then it is remembered. */
static bool is_new(struct gen *g, const struct rule *rules, uint32_t i)
{
	struct rule r = rules[i];
	uint32_t at;

	r.permit = true;
	for (at = (uint32_t)rule_hash(&r) & g->seen_mask; g->seen[at] != 0;
		at = (at + 1) & g->seen_mask) {
		struct rule other = rules[g->seen[at] - 1];

		other.permit = true;
		if (rule_same(&other, &r))
			return false;
	}
	g->seen[at] = i + 1;
	return true;
}

static struct prefix prefix_of6(const struct prefix *p)
{
	struct prefix p6 = {.len = flow_len6(prefix_written_len(p))};

	if (p6.len > 0)
		flow_addr6(addr_to4(&p->addr), p6.addr.b);
	return p6;
}

/* The rule that stands for an IPv4 one where IPv6 is measured. */
static void convert(struct rule *r)
{
	r->src = prefix_of6(&r->src);
	r->dst = prefix_of6(&r->dst);
	if (r->proto != RULE_PROTO_ICMP)
		return;
	r->proto = RULE_PROTO_ICMP6;
	if (r->sport.op != RULE_OP_ANY) /* echo request; destination unreachable */
		r->sport.value = r->sport.value == 8 ? 128 : 1;
}

int rulegen(struct rule *rules, uint32_t n, uint64_t seed, bool split, bool ip6)
{
	struct gen g = {.rng = seed, .n_nets = 64 + n / 4};
	int rc = -ENOMEM;

	g.seen_mask = 255;
	while (g.seen_mask < 2 * n)
		g.seen_mask = g.seen_mask * 2 + 1;
	g.seen = calloc((size_t)g.seen_mask + 1, sizeof(g.seen[0]));
	g.net = calloc(g.n_nets, sizeof(g.net[0]));
	if (g.seen == NULL || g.net == NULL)
		goto out;
	make_nets(&g);
	for (uint32_t i = 0; i + 1 < n;) {
		make_rule(&g, &rules[i]);
		if (split)
			rules[i].dir = i % 2 ? RULE_OUT : RULE_IN;
		if (!hits_a_flow(&rules[i]) && is_new(&g, rules, i))
			i++;
	}
	if (n > 0)
		rules[n - 1] = (struct rule){.src = any(),
			.dst = any(),
			.proto = RULE_PROTO_ALL,
			.zone = RULE_ZONE_BOTH,
			.scope = RULE_SCOPE_BOTH,
			.dir = RULE_DIR_BOTH,
			.permit = true,
			.tunnel = RULE_TUNNEL_ANY};
	for (uint32_t i = 0; ip6 && i < n; i++)
		convert(&rules[i]);
	rc = 0;
out:
	free(g.seen);
	free(g.net);
	return rc;
}
