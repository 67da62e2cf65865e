/* The flow cache changes nothing of what goes through tunnels but the cost: random packets of few
 * flows, into a tunnel and out of it, are each sent through all nodes without a flow cache and then
 * twice with it; what comes out, drops, rule counters and what the SAs counted must be the same. In
 * between tunnels and tables change. From a seed; POSTERN_SEED sets another.
 */
#include "ipsec_world.h"

#include "dp/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PACKETS 6000
#define CHANGE_EVERY 400
#define FLOWS 40
#define RULES 8
#define PIECES 3

static const struct rig_text world = {.interfaces = RIG6_INTERFACES,
	.routes = PEER_ROUTES,
	.rules = "{ action = \"deny\"; proto = \"udp\"; dport = \"eq 53\"; direction = "
		 "\"inbound\"; },"
		 "{ action = \"permit\"; proto = \"tcp\"; dport = \"eq 22\"; log = true; },"
		 "{ action = \"permit\"; proto = \"tcp/ack\"; },"
		 "{ action = \"permit\"; proto = \"esp\"; },"
		 "{ action = \"permit\"; direction = \"inbound\"; },"
		 "{ action = \"permit\"; proto = \"udp\"; interface = \"nonsecure\"; },"
		 "{ action = \"permit\"; }",
	.rest = "ip4 = { icmp-error-rate = 0; }; ip6 = { icmp-error-rate = 0; };"};

static uint64_t seed, state_;
static const uint8_t payload[1480] = "the same by either way";

static unsigned pick(unsigned n)
{
	state_ = state_ * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state_ >> 33) % n;
}

struct packet {
	bool out, ip6;
	struct frame f; /* the inner packet */
};

static void make(struct packet *p)
{
	static const uint16_t ports[] = {22, 53, 80, 443};
	unsigned flow = pick(FLOWS);
	uint8_t proto = flow % 3 == 0 ? 17 : flow % 3 == 1 ? 6 : flow % 4 ? 1 : 47;
	unsigned len = pick(8) ? pick(64) : pick(1473);
	uint8_t tcp_flags = pick(8) ? TCP_ACK : TCP_SYN, ttl = pick(20) ? 64 : (uint8_t)pick(3);

	p->out = pick(2);
	p->ip6 = flow % 2;
	if (p->ip6) {
		struct spec6 s = p->out ? spec6_udp() : spec6_from_wan(spec6_udp());

		*(p->out ? &s.dst : &s.src) = ip6_of(FAR_HOST6);
		s.proto = proto == 1 ? 58 : proto;
		s.type = 128;
		s.raw = proto == 47;
		s.sport = (uint16_t)(2000 + flow);
		s.dport = ports[flow % 4];
		s.tcp_flags = tcp_flags;
		s.hop_limit = ttl;
		s.payload = payload;
		s.payload_len = len + (s.raw ? 8 : 0) > 1440 ? 1440 : len + (s.raw ? 8 : 0);
		frame6_make(&p->f, &s);
	} else {
		struct spec s = p->out ? spec_udp() : spec_from_wan(spec_udp());

		*(p->out ? &s.dst : &s.src) = FAR_HOST;
		s.proto = proto;
		s.type = 8;
		s.raw = proto == 47;
		s.sport = (uint16_t)(2000 + flow);
		s.dport = ports[flow % 4];
		s.tcp_flags = tcp_flags;
		s.ttl = ttl;
		s.frag = pick(2) ? FRAG_DF : pick(20) ? 0 : FRAG_MF;
		s.payload = payload;
		s.payload_len = proto == 6 && len > 1460 ? 1460 : len;
		if (s.frag == FRAG_MF)
			s.payload_len = 40;
		frame_make(&p->f, &s);
	}
}

/* --- what became of it */

struct outcome {
	unsigned port, n;
	struct frame f[PIECES]; /* out: what the peer finds in them */
	uint8_t l2[PIECES][14];
	uint64_t drops[DROP_N], created;
	struct rule_counter rule[RULES];
	uint64_t sa[2]; /* packets and bytes of the SA */
};

static void counters(const struct tunnel *t, bool out, struct outcome *o)
{
	const struct sa *sa = out ? world_out(t, PROTO_ESP) : world_in(t, PROTO_ESP);

	memcpy(o->rule, rig->worker[0]->rule_counter, sizeof(o->rule));
	o->sa[0] = sa->packets;
	o->sa[1] = sa->bytes;
}

static void take(const struct tunnel *t, bool out, struct outcome *o)
{
	static struct frame got;

	for (; o->n < PIECES && rig_take(o->port, &got); o->n++) {
		struct frame *f = &o->f[o->n];

		memcpy(o->l2[o->n], got.b, 14);
		/* outer fragments can't be opened one by one: their size tells */
		if (!out)
			*f = got;
		else if (!peer_opens(t, &got, f))
			f->len = got.len;
	}
}

static void send_one(const struct tunnel *t, const struct packet *p, struct outcome *o)
{
	static struct frame outer;
	struct outcome before;

	memset(o, 0, sizeof(*o));
	counters(t, p->out, &before);
	rig_mark();
	if (!p->out)
		peer_sends(t, &p->f, &outer);
	rig_put(p->out ? LAN : WAN, p->out ? &p->f : &outer);
	rig_run();
	o->port = p->out ? WAN : LAN;
	take(t, p->out, o);
	assert_int_equal(rig_discard(), 0);
	for (unsigned r = 0; r < DROP_N; r++)
		o->drops[r] = rig_dropped((enum drop_reason)r);
	o->created = RIG_STAT(created);
	counters(t, p->out, o);
	for (unsigned i = 0; i < RULES; i++) {
		o->rule[i].packets -= before.rule[i].packets;
		o->rule[i].bytes -= before.rule[i].bytes;
	}
	o->sa[0] -= before.sa[0];
	o->sa[1] -= before.sa[1];
}

static void must_equal(const struct outcome *got, const struct outcome *want, unsigned n)
{
	if (memcmp(got, want, sizeof(*got)) == 0)
		return;
	fprintf(stderr, "packet %u of seed %llu: %u frames, without the cache %u\n", n,
		(unsigned long long)seed, got->n, want->n);
	for (unsigned i = 0; i < PIECES; i++)
		frame_same(&got->f[i], &want->f[i], "with the cache");
	for (unsigned r = 0; r < DROP_N; r++)
		if (got->drops[r] != want->drops[r])
			fprintf(stderr, "  dropped %s: %llu, without the cache %llu\n",
				drop_text[r].name, (unsigned long long)got->drops[r],
				(unsigned long long)want->drops[r]);
	for (unsigned i = 0; i < RULES; i++)
		fprintf(stderr,
			"  rule %u: %llu packets, %llu bytes, without the cache %llu, %llu\n", i,
			(unsigned long long)got->rule[i].packets,
			(unsigned long long)got->rule[i].bytes,
			(unsigned long long)want->rule[i].packets,
			(unsigned long long)want->rule[i].bytes);
	fail();
}

static uint64_t node_packets(const char *name)
{
	struct graph_node_info info[64];
	unsigned n = graph_nodes(rig->worker[0], info, RTE_DIM(info));

	for (unsigned i = 0; i < n; i++)
		if (strcmp(info[i].name, name) == 0)
			return info[i].packets;
	fail_msg("no node %s", name);
	return 0;
}

/* Another tunnel, or the same with other settings. */
static struct tunnel *change(unsigned n)
{
	struct tunnel *t;

	world_clear();
	t = world_tunnel(TUNNEL_ESP | (n % 4 == 3 ? TUNNEL_ENCAP : 0) |
				 (n % 3 == 1 ? TUNNEL_FRAGMENT_INNER : 0),
		n % 2);
	t->df = (uint8_t)(n % 5 == 4 ? TUNNEL_CLEAR : TUNNEL_COPY);
	t->mtu = n % 7 == 6 ? 1300 : 0;
	world_sas(t, n % 3 ? "aes128gcm16" : "aes128-sha256", NULL, 0);
	world_policy(POLICY_PROTECT, t, "10.1.0.0/16", "10.9.0.0/16", 0);
	world_policy(POLICY_PROTECT, t, "2001:db8:1::/64", "2001:db8:9::/48", 0);
	world_publish();
	return t;
}

static void same_as_all_nodes(void **state)
{
	static struct packet p;
	static struct outcome want, got;
	struct worker *w = rig->worker[0];
	struct flow_cache *cache = w->flow_cache;
	uint64_t sent = node_packets("port_tx"), slow = node_packets("ip_output"), passed = 0;
	struct tunnel *t = change(0);

	print_message("seed %llu\n", (unsigned long long)seed);
	for (unsigned n = 0; n < PACKETS; n++) {
		if (n % CHANGE_EVERY == CHANGE_EVERY - 1)
			t = change(n / CHANGE_EVERY + 1);
		if (n % CHANGE_EVERY == CHANGE_EVERY / 2 && pick(2))
			atomic_store(&world_out(t, PROTO_ESP)->path_mtu, 1400);
		make(&p);
		w->flow_cache = NULL;
		send_one(t, &p, &want);
		w->flow_cache = cache;
		for (unsigned again = 0; again < 2; again++) {
			send_one(t, &p, &got);
			must_equal(&got, &want, n);
		}
		passed += want.n > 0;
	}
	sent = node_packets("port_tx") - sent;
	slow = node_packets("ip_output") - slow;
	print_message("%llu packets passed; of those sent, %llu took the short way\n",
		(unsigned long long)passed, (unsigned long long)(sent - slow));
	assert_true(passed > PACKETS / 3);
	assert_true(sent - slow > passed / 2);
	rig_mark();
}

static int teardown(void **state)
{
	world_clear();
	return rig_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(same_as_all_nodes, rig_setup, teardown)};
	const char *text = getenv("POSTERN_SEED");
	int ret;

	seed = text ? strtoull(text, NULL, 0) : 20261124;
	state_ = seed;
	rig_up(&world, 1);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	rig_down();
	return ret;
}
