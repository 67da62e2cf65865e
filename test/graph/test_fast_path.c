/* The fast path changes nothing but the cost: random packets of few flows, many of them damaged,
 * are each sent through the nodes without a flow cache and then twice with it, and bytes, drops and
 * rule counters must be the same. In between the tables change. From a seed; POSTERN_SEED sets
 * another.
 */
#include "harness.h"

#include "dp/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLOWS 300
#define PACKETS 30000
#define CHANGE_EVERY 1500

#define REST                                                  \
	"ip4 = { icmp-error-rate = 0; icmp-echo-rate = 0; };" \
	"ip6 = { icmp-error-rate = 0; icmp-echo-rate = 0; };"

static const struct rig_text worlds[] = {
	{
		.interfaces = RIG6_INTERFACES,
		.routes = "{ to = \"198.18.0.0/16\"; via = [\"192.0.2.254\", \"192.0.2.253\"]; },"
			  "{ to = \"2001:db8:f::/48\"; via = [\"2001:db8:2::fe\", "
			  "\"2001:db8:2::fd\"]; }",
		.rules = "{ action = \"deny\"; proto = \"udp\"; dport = \"eq 53\"; },"
			 "{ action = \"permit\"; proto = \"tcp\"; dport = \"eq 22\"; log = true; },"
			 "{ action = \"permit\"; proto = \"tcp/ack\"; },"
			 "{ action = \"deny\"; proto = \"tcp\"; dport = \"lt 80\"; },"
			 "{ action = \"deny\"; proto = \"icmp\"; icmp-type = \"eq 8\"; },"
			 "{ action = \"deny\"; proto = \"icmpv6\"; icmp-type = \"eq 128\"; },"
			 "{ action = \"permit\"; direction = \"inbound\"; },"
			 "{ action = \"permit\"; proto = \"udp\"; interface = \"nonsecure\"; },"
			 "{ action = \"permit\"; }",
		.rest = REST,
	},
	{
		.interfaces = RIG6_INTERFACES,
		.routes = "{ to = \"198.18.0.0/16\"; via = \"192.0.2.253\"; },"
			  "{ to = \"2001:db8:f::/48\"; via = \"2001:db8:2::fe\"; }",
		.rules = "{ action = \"deny\"; proto = \"udp\"; dport = \"gt 40000\"; },"
			 "{ action = \"permit\"; fragments = \"no\"; }",
		.rest = REST,
	},
};

static uint64_t seed, state_;

static uint32_t random32(void)
{
	state_ = state_ * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state_ >> 33);
}

static unsigned pick(unsigned n)
{
	return random32() % n;
}

#define FRAGMENTS_MAX 4

struct packet {
	unsigned port;
	struct frame f;
};

/* --- packets */

static const uint8_t protos[] = {6, 6, 17, 17, 1, 47, 50, 132, 33, 136};
static const uint16_t ports[] = {22, 53, 80, 443, 50000};

static void flow4(struct packet *p, unsigned flow)
{
	static const uint32_t dst[] = {
		HOST_B, IP(198, 18, 3, 4), IP(198, 18, 7, 1), HOST_C, HOST_V10};
	struct spec s = flow % 3 ? spec_tcp() : spec_udp();
	bool back = flow % 5 == 0;

	p->port = back ? WAN : LAN;
	if (back)
		s = spec_from_wan(s);
	else
		s.dst = dst[flow % 5];
	if (flow % 7 == 1) { /* from a tagged network */
		p->port = DMZ;
		s.dst_mac = port_mac(DMZ);
		s.src = HOST_V10;
		s.dst = HOST_A;
		s.tagged = true;
		s.tci = 10;
	}
	s.proto = protos[flow % 10];
	s.raw = s.proto != 6 && s.proto != 17 && s.proto != 1;
	s.sport = (uint16_t)(4000 + flow);
	s.dport = ports[flow % 4 + flow / 100 % 2];
	s.type = flow % 2 ? 8 : 0;
	s.ttl = (uint8_t)(pick(20) == 0 ? pick(3) : 64);
	s.tcp_flags = pick(2) ? TCP_ACK : TCP_SYN;
	s.frag = pick(2) ? FRAG_DF : 0;
	if (pick(20) == 0)
		s.frag = pick(2) ? FRAG_MF : 10;
	if (pick(20) == 0) {
		s.options = "\1\1\1\0";
		s.options_len = 4;
	}
	s.payload_len = pick(10) ? pick(64) : pick(1460);
	s.pad_to = 60;
	frame_make(&p->f, &s);
}

static void flow6(struct packet *p, unsigned flow)
{
	static const char *const dst[] = {
		HOST_B6, "2001:db8:f::5", "2001:db8:f:1::1", HOST_C6, "2001:db8:a::2"};
	struct spec6 s = flow % 3 ? spec6_tcp() : spec6_udp();
	struct addr a;

	p->port = LAN;
	if (flow % 5 == 0) {
		s = spec6_from_wan(s);
		p->port = WAN;
	} else {
		assert_int_equal(addr_parse(dst[flow % 5], &a), 0);
		memcpy(&s.dst, a.b, sizeof(a.b));
	}
	s.proto = protos[flow % 10] == 1 ? 58 : protos[flow % 10];
	s.raw = s.proto != 6 && s.proto != 17 && s.proto != 58;
	s.sport = (uint16_t)(4000 + flow);
	s.dport = ports[flow % 4 + flow / 100 % 2];
	s.type = flow % 2 ? 128 : 129;
	s.hop_limit = (uint8_t)(pick(20) == 0 ? pick(3) : 64);
	s.tcp_flags = pick(2) ? TCP_ACK : TCP_SYN;
	s.flow = random32() & 0xfffff;
	if (pick(20) == 0) { /* destination options */
		s.ext = s.proto == 6 ? "\6\0\1\4\0\0\0\0" : "\x11\0\1\4\0\0\0\0";
		s.ext_len = 8;
		s.ext_kind = 60;
		s.proto = s.proto == 6 ? 6 : 17;
		s.raw = false;
	}
	s.payload_len = pick(10) ? pick(64) : pick(1440);
	s.pad_to = 60;
	frame6_make(&p->f, &s);
}

/* Bytes of the headers, but for the destination: nobody may wait for a neighbour, or the packets
 * would depend on each other. */
static void damage(struct packet *p, bool ip6)
{
	unsigned l2 = p->f.b[12] == 0x81 ? 18 : 14, at = pick(l2 + 60);
	unsigned dst = l2 + (ip6 ? 24 : 16), dst_len = ip6 ? 16 : 4;

	switch (pick(4)) {
	case 0:
		p->f.len = RTE_MIN(p->f.len, pick(80));
		break;
	default:
		if (at >= p->f.len || (at >= dst && at < dst + dst_len) || (at >= 12 && at < l2))
			break;
		p->f.b[at] ^= (uint8_t)(1u << pick(8));
		if (!ip6 && at >= l2 && pick(2))
			frame_fix_ip(&p->f, l2);
	}
}

/* --- what became of it */

struct outcome {
	unsigned port; /* RIG_PORTS: nothing was sent */
	unsigned n;
	struct frame f[FRAGMENTS_MAX];
	uint64_t drops[DROP_N];
	struct rule_counter rule[16];
};

static void counters(struct rule_counter *sum)
{
	memcpy(sum, rig->worker[0]->rule_counter, 16 * sizeof(*sum));
}

static void send_one(const struct packet *p, struct outcome *o)
{
	struct rule_counter before[16];
	static struct frame more;

	memset(o, 0, sizeof(*o));
	counters(before);
	rig_mark();
	rig_put(p->port, &p->f);
	rig_run();
	for (o->port = 0; o->port < RIG_PORTS; o->port++)
		if (rig_take(o->port, &o->f[0]))
			break;
	if (o->port < RIG_PORTS)
		for (o->n = 1; o->n < FRAGMENTS_MAX && rig_take(o->port, &o->f[o->n]);)
			o->n++;
	for (unsigned port = 0; port < RIG_PORTS; port++)
		assert_false(rig_take(port, &more));
	for (unsigned r = 0; r < DROP_N; r++)
		o->drops[r] = rig_dropped((enum drop_reason)r);
	counters(o->rule);
	for (unsigned i = 0; i < 16; i++) {
		o->rule[i].packets -= before[i].packets;
		o->rule[i].bytes -= before[i].bytes;
	}
}

static void must_equal(const struct outcome *got, const struct outcome *want, unsigned n)
{
	bool same = got->port == want->port && got->n == want->n &&
		    memcmp(got->drops, want->drops, sizeof(got->drops)) == 0 &&
		    memcmp(got->rule, want->rule, sizeof(got->rule)) == 0;

	for (unsigned i = 0; same && i < want->n; i++)
		same = frame_same(&got->f[i], &want->f[i], "the fast path's");
	if (same)
		return;
	fprintf(stderr, "packet %u of seed %llu: port %u, without the cache %u\n", n,
		(unsigned long long)seed, got->port, want->port);
	for (unsigned r = 0; r < DROP_N; r++)
		if (got->drops[r] != want->drops[r])
			fprintf(stderr, "  dropped %s: %llu, without the cache %llu\n",
				drop_text[r].name, (unsigned long long)got->drops[r],
				(unsigned long long)want->drops[r]);
	for (unsigned i = 0; i < 16; i++)
		if (memcmp(&got->rule[i], &want->rule[i], sizeof(got->rule[i])) != 0)
			fprintf(stderr, "  counter %u: %llu packets, without the cache %llu\n", i,
				(unsigned long long)got->rule[i].packets,
				(unsigned long long)want->rule[i].packets);
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

static void same_as_all_nodes(void **state)
{
	static struct packet p;
	static struct outcome want, got;
	struct worker *w = rig->worker[0];
	struct flow_cache *cache = w->flow_cache;
	uint64_t sent = node_packets("port_tx"), slow = node_packets("ip_output"), forwarded = 0;
	unsigned world = 0;

	print_message("seed %llu\n", (unsigned long long)seed);
	for (unsigned n = 0; n < PACKETS; n++) {
		bool ip6 = pick(2);

		if (n % CHANGE_EVERY == CHANGE_EVERY - 1)
			rig_reload(&worlds[++world % RTE_DIM(worlds)]);
		(ip6 ? flow6 : flow4)(&p, pick(FLOWS));
		if (pick(4) == 0)
			damage(&p, ip6);
		w->flow_cache = NULL;
		send_one(&p, &want);
		w->flow_cache = cache;
		for (unsigned again = 0; again < 2; again++) {
			send_one(&p, &got);
			must_equal(&got, &want, n);
		}
		forwarded += want.port < RIG_PORTS;
	}
	sent = node_packets("port_tx") - sent;
	slow = node_packets("ip_output") - slow;
	print_message("%llu packets forwarded; of those sent, %llu took the fast path\n",
		(unsigned long long)forwarded, (unsigned long long)(sent - slow));
	/* or the test has not tested it: of three sendings, more than one went the short way */
	assert_true(forwarded > PACKETS / 4);
	assert_true(sent - slow > forwarded);
	rig_mark();
}

/* --- the same in bursts: what a packet is must not depend on the ones around it */

#define BURST 40 /* more than fast_path looks at in one go */
#define BURSTS 600

struct burst_outcome {
	unsigned n;
	struct frame f[BURST * FRAGMENTS_MAX]; /* of all ports, sorted: families may overtake */
	uint64_t drops[DROP_N];
	struct rule_counter rule[16];
};

static int frame_order(const void *a, const void *b)
{
	const struct frame *x = a, *y = b;

	return x->len != y->len ? (x->len < y->len ? -1 : 1) : memcmp(x->b, y->b, x->len);
}

static void send_burst(const struct packet p[], struct burst_outcome *o)
{
	struct rule_counter before[16];

	memset(o, 0, sizeof(*o));
	counters(before);
	rig_mark();
	for (unsigned i = 0; i < BURST; i++)
		rig_put(p[i].port, &p[i].f);
	rig_run();
	for (unsigned port = 0; port < RIG_PORTS; port++)
		while (o->n < RTE_DIM(o->f) && rig_take(port, &o->f[o->n]))
			o->n++;
	qsort(o->f, o->n, sizeof(o->f[0]), frame_order);
	for (unsigned r = 0; r < DROP_N; r++)
		o->drops[r] = rig_dropped((enum drop_reason)r);
	counters(o->rule);
	for (unsigned i = 0; i < 16; i++) {
		o->rule[i].packets -= before[i].packets;
		o->rule[i].bytes -= before[i].bytes;
	}
}

static void same_in_bursts(void **state)
{
	static struct packet p[BURST];
	static struct burst_outcome want, got;
	struct flow_cache *cache = rig->worker[0]->flow_cache;
	uint64_t sent = node_packets("port_tx"), slow = node_packets("ip_output");

	for (unsigned n = 0; n < BURSTS; n++) {
		unsigned flows = 1 + pick(FLOWS), broken = pick(3) ? 0 : 4;

		if (n % 50 == 49)
			rig_reload(&worlds[n / 50 % RTE_DIM(worlds)]);
		for (unsigned i = 0; i < BURST; i++) {
			bool ip6 = pick(2);

			(ip6 ? flow6 : flow4)(&p[i], pick(flows));
			if (broken && pick(broken) == 0)
				damage(&p[i], ip6);
		}
		rig->worker[0]->flow_cache = NULL;
		send_burst(p, &want);
		rig->worker[0]->flow_cache = cache;
		for (unsigned again = 0; again < 2; again++) {
			send_burst(p, &got);
			if (got.n != want.n ||
				memcmp(got.drops, want.drops, sizeof(got.drops)) != 0 ||
				memcmp(got.rule, want.rule, sizeof(got.rule)) != 0)
				fail_msg("burst %u of seed %llu: %u frames, without the cache %u; "
					 "or drops or counters differ",
					n, (unsigned long long)seed, got.n, want.n);
			for (unsigned i = 0; i < want.n; i++)
				assert_true(frame_same(&got.f[i], &want.f[i], "the fast path's"));
		}
	}
	sent = node_packets("port_tx") - sent;
	slow = node_packets("ip_output") - slow;
	/* of three sendings, more than one went the short way */
	assert_true(sent > 0 && (sent - slow) * 5 > sent * 2);
	rig_mark();
}

/* An entry is good for the neighbour that it was learned for alone. */
static void neighbour_changes(void **state)
{
	static struct packet p;
	static struct outcome o;
	struct flow_cache *cache = rig->worker[0]->flow_cache;
	uint32_t serial = cache->serial;

	flow4(&p, 5);
	send_one(&p, &o);
	assert_int_equal(cache->serial, serial);
	atomic_fetch_add(&((struct neigh_table *)(uintptr_t)neigh_db_table(rig->neigh))->epoch, 1);
	rig_walk();
	assert_int_equal(cache->serial, serial + 1);
	/* when the number comes round, nothing old may look new */
	cache->serial = UINT32_MAX;
	rig_reload(&worlds[0]);
	rig_walk();
	assert_int_equal(cache->serial, 1);
	for (unsigned i = 0; i < RTE_DIM(cache->set4); i++)
		assert_true(cache->set4[i][0].way.serial != 1 && cache->set4[i][1].way.serial != 1);
	rig_mark();
}

/* Where nearly all packets are new, the cache is left alone, and looked at again later. */
static void rests_in_a_flood(void **state)
{
	static struct packet p;
	static struct outcome o;
	struct flow_cache *c = rig->worker[0]->flow_cache;
	uint64_t learned, slow, hits;

	rig_reload(&worlds[0]);
	flow4(&p, 5); /* permitted, and not logged */
	send_one(&p, &o);
	c->seen = FLOW_JUDGE_AFTER - 1;
	c->missed = FLOW_JUDGE_AFTER - 1;
	hits = c->hits;
	send_one(&p, &o);
	assert_int_equal(c->hits, hits + 1);
	assert_int_equal(c->rest, FLOW_REST);
	learned = c->learned;
	slow = node_packets("eth_input");
	send_one(&p, &o);
	assert_int_equal(node_packets("eth_input"), slow + 1);
	assert_int_equal(c->learned, learned);
	assert_int_equal(c->hits, hits + 1);
	assert_int_equal(c->rest, FLOW_REST - 1);
	c->rest = 0;
	c->seen = FLOW_JUDGE_AFTER - 1;
	c->missed = FLOW_JUDGE_AFTER / 2;
	send_one(&p, &o);
	assert_int_equal(c->rest, 0);
	assert_int_equal(c->seen, 0);
	rig_mark();
}

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(same_as_all_nodes), TEST(same_in_bursts),
		TEST(neighbour_changes), TEST(rests_in_a_flood)};
	const char *text = getenv("POSTERN_SEED");
	int ret;

	seed = text ? strtoull(text, NULL, 0) : 20261124;
	state_ = seed;
	rig_up(&worlds[0], 1);
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	rig_down();
	return ret;
}
