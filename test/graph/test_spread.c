/* Nothing depends on which worker saw a packet: the same frames, of both families, walked through
 * one, two and four workers on one queue and on several, give the same frames, the same drops, and
 * each flow in its order. Each setup runs in a process of its own; the first, one worker, is what
 * the others are held to.
 *
 * The devices of many queues are bad ones: they hash first fragments by their ports, later ones by
 * addresses. The workers walk in a random order. The seed is printed; POSTERN_SEED repeats a run.
 */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FRAMES 6000
#define PENDING_MAX 64 /* fragments that come later */
#define FLOWS 24
#define KEY_BYTES 37

static const struct setup {
	unsigned workers, rx, tx;
} setups[] = {
	{1, 1, 1}, {2, 1, 1}, {2, 2, 2}, {2, 1, 2}, {4, 1, 1}, {4, 2, 2}, {4, 4, 4}, {4, 4, 1}};

struct put { /* a frame to be put into a port */
	unsigned port;
	struct frame f;
};

struct got { /* a frame that was sent; a comparison of bytes orders them */
	uint8_t port;
	uint8_t ordered;        /* within its flow */
	uint8_t key[KEY_BYTES]; /* of the flow */
	uint8_t order[4];       /* big endian */
	uint16_t len;
	uint8_t b[1600];
};

struct result {
	uint64_t drops[DROP_N], created, punted;
	uint32_t n;
	struct got got[FRAMES + 1000];
};

static FILE *results[RTE_DIM(setups)];
static uint64_t seed, state;

static uint32_t rnd(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32) % below;
}

/* --- what comes in */

static uint8_t payload[1400];
static uint32_t serial;

/* A whole packet of one of a few flows, the one way or the other. */
static void flow(struct put *p)
{
	unsigned k = rnd(FLOWS);
	bool back = rnd(2);
	struct spec s = rnd(2) ? spec_udp() : spec_tcp();
	struct spec6 s6 = s.proto == 6 ? spec6_tcp() : spec6_udp();

	p->port = back ? WAN : LAN;
	serial++;
	memcpy(payload, &serial, sizeof(serial));
	s.sport = s6.sport = (uint16_t)(2000 + k);
	s.payload = s6.payload = payload;
	s.payload_len = s6.payload_len = 4 + rnd(300);
	if (back) {
		s = spec_from_wan(s);
		s6 = spec6_from_wan(s6);
		s.sport = s.dport;
		s.dport = (uint16_t)(2000 + k);
		s6.sport = s6.dport;
		s6.dport = (uint16_t)(2000 + k);
	} else if (rnd(4) == 0) { /* ... to a VLAN */
		s.dst = HOST_V10;
		s6.dst = ip6_of("2001:db8:a::2");
	}
	if (rnd(8) == 0)
		s.dport = s6.dport = 81; /* denied */
	if (rnd(16) == 0)
		s.ttl = s6.hop_limit = 1;
	if (rnd(2))
		frame_make(&p->f, &s);
	else
		frame6_make(&p->f, &s6);
}

/* To this box: an echo request, or a datagram for a port where nobody listens. */
static void local(struct put *p)
{
	bool echo = rnd(2);
	struct spec s = echo ? spec_echo() : spec_udp();
	struct spec6 s6 = echo ? spec6_echo() : spec6_udp();

	p->port = LAN;
	s.dst = LAN_ADDR;
	s6.dst = ip6_of(LAN6);
	s.rest = s6.rest = rnd(UINT32_MAX);
	s.sport = s6.sport = (uint16_t)rnd(65536);
	if (rnd(2))
		frame_make(&p->f, &s);
	else
		frame6_make(&p->f, &s6);
}

/* Not fit to go anywhere. */
static void broken(struct put *p)
{
	flow(p);
	switch (rnd(4)) {
	case 0:
		p->f.len = 14 + rnd(30);
		break;
	case 1:
		p->f.b[14] ^= 0x10; /* the version */
		break;
	case 2:
		p->f.b[12] = 0x77;
		break;
	default:
		p->f.b[14 + 7] = 0; /* IPv6: hop limit; IPv4: a checksum that is wrong */
		p->f.b[14 + 10] ^= 0x55;
	}
}

/* Bytes from to from + len of the packet behind its IP header, as a fragment. */
static void slice(
	struct frame *out, const struct frame *whole, unsigned from, unsigned len, bool more)
{
	bool ip6 = whole->b[12] == 0x86;
	unsigned hdr = 14 + (ip6 ? 40 : 20), at = hdr + (ip6 ? 8 : 0);
	uint8_t *ip = out->b + 14;

	memset(out, 0, sizeof(*out));
	memcpy(out->b, whole->b, hdr);
	memcpy(out->b + at, whole->b + hdr + from, len);
	out->len = at + len;
	if (ip6) {
		const uint8_t frag[8] = {ip[6], 0, (uint8_t)(from >> 8), (uint8_t)(from | more),
			(uint8_t)(serial >> 24), (uint8_t)(serial >> 16), (uint8_t)(serial >> 8),
			(uint8_t)serial};

		memcpy(out->b + hdr, frag, sizeof(frag));
		ip[4] = (uint8_t)((len + 8) >> 8);
		ip[5] = (uint8_t)(len + 8);
		ip[6] = 44;
		return;
	}
	ip[2] = (uint8_t)((len + 20) >> 8);
	ip[3] = (uint8_t)(len + 20);
	ip[4] = (uint8_t)(serial >> 8);
	ip[5] = (uint8_t)serial;
	ip[6] = (uint8_t)((more ? 0x20 : 0) | from >> 11);
	ip[7] = (uint8_t)(from >> 3);
	frame_fix_ip(out, 14);
}

static struct put pending[PENDING_MAX];
static unsigned n_pending;

/* A datagram in three pieces that come whenever they come: through, or to this box. */
static void fragments(void)
{
	struct spec s = rnd(2) ? spec_udp() : spec_echo();
	struct spec6 s6 = s.proto == 17 ? spec6_udp() : spec6_echo();
	unsigned cut[4] = {0, 8 * (3 + rnd(20)), 8 * (30 + rnd(20)), 0};
	struct frame whole;

	if (n_pending + 3 > PENDING_MAX)
		return;
	serial++;
	s.sport = s6.sport = (uint16_t)rnd(65536);
	s.rest = s6.rest = rnd(UINT32_MAX);
	s.payload = s6.payload = payload;
	s.payload_len = s6.payload_len = 500 + rnd(300);
	if (rnd(2)) {
		s.dst = LAN_ADDR;
		s6.dst = ip6_of(LAN6);
	} else {
		s.dst += rnd(2) ? 0 : 252; /* both are neighbours */
	}
	cut[3] = s.payload_len + 8;
	if (rnd(2))
		frame_make(&whole, &s);
	else
		frame6_make(&whole, &s6);
	for (unsigned i = 0; i < 3; i++) {
		struct put *p = &pending[n_pending++];

		p->port = LAN;
		slice(&p->f, &whole, cut[i], cut[i + 1] - cut[i], i < 2);
	}
}

static void next_frame(struct put *p)
{
	if (rnd(10) == 0)
		fragments();
	if (n_pending && rnd(3) == 0) {
		unsigned i = rnd(n_pending);

		*p = pending[i];
		pending[i] = pending[--n_pending];
		return;
	}
	switch (rnd(10)) {
	case 0:
		broken(p);
		break;
	case 1:
		local(p);
		break;
	default:
		flow(p);
	}
}

/* The bad device. */
static unsigned queue_of(const struct frame *f, unsigned queues)
{
	bool ip6 = f->b[12] == 0x86;
	const uint8_t *ip = f->b + 14, *l4 = ip + (ip6 ? 40 : 20);
	unsigned n = ip6 ? 32 : 8, hash = 0, proto = ip6 ? ip[6] : ip[9];
	bool later = !ip6 && (ip[6] & 0x1f || ip[7]);

	if (f->len < 34 || (f->b[12] != 0x08 && !ip6))
		return 0;
	for (unsigned i = 0; i < n / 2; i++)
		hash = hash * 31 + (ip[(ip6 ? 8 : 12) + i] ^ ip[(ip6 ? 8 : 12) + n / 2 + i]);
	if (ip6 && proto == 44) {
		later = l4[2] || l4[3] & 0xf8;
		proto = l4[0];
		l4 += 8;
	}
	if (!later && (proto == 6 || proto == 17))
		hash += (l4[0] ^ l4[2]) * 257u + (l4[1] ^ l4[3]);
	return hash * 2654435761u >> 16 & (queues - 1);
}

/* --- what goes out */

/* Where the network header of a frame begins; its flow into key. True where the flow has an order:
 * not for fragments, which a bad device may put before and behind each other, nor for what this box
 * says itself. Two bytes that workers number themselves are made the same. */
static bool flow_of(uint8_t *b, uint8_t key[KEY_BYTES])
{
	uint8_t *ip = b + (b[12] == 0x81 ? 18 : 14);
	bool ours;

	memset(key, 0, KEY_BYTES);
	if (ip[-2] == 0x86) {
		memcpy(key, ip + 6, 1);
		memcpy(key + 1, ip + 8, 32);
		memcpy(key + 33, ip + 40, 4);
		return ip[6] == 6 || ip[6] == 17;
	}
	ours = ip[9] == 1 &&
	       (!memcmp(ip + 12, "\x0a\x01\x00\x01", 4) || !memcmp(ip + 12, "\xc0\x00\x02\x01", 4));
	if (ours)
		memset(ip + 4, 0, 2), memset(ip + 10, 0, 2);
	memcpy(key, ip + 9, 1);
	memcpy(key + 1, ip + 12, 8);
	memcpy(key + 9, ip + 20, 4);
	return !ours && (ip[6] & 0x3f) == 0 && ip[7] == 0;
}

static void collect(struct result *r)
{
	static struct frame f;

	for (unsigned port = 0; port < RIG_PORTS; port++) {
		while (rig_take(port, &f)) {
			struct got *g = &r->got[r->n++];

			assert_in_range(r->n, 1, RTE_DIM(r->got));
			assert_in_range(f.len, 34, sizeof(g->b));
			memset(g, 0, sizeof(*g));
			g->port = (uint8_t)port;
			g->ordered = flow_of(f.b, g->key);
			for (unsigned i = 0; g->ordered && i < 4; i++)
				g->order[i] = (uint8_t)(r->n >> (24 - 8 * i));
			g->len = (uint16_t)f.len;
			memcpy(g->b, f.b, f.len);
		}
	}
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct got));
}

static void finish(struct result *r)
{
	qsort(r->got, r->n, sizeof(r->got[0]), compare);
	for (unsigned i = 0; i < r->n; i++)
		memset(r->got[i].order, 0, sizeof(r->got[i].order));
	for (enum drop_reason d = 0; d < DROP_N; d++)
		r->drops[d] = rig_dropped(d);
	r->created = RIG_STAT(created);
	r->punted = RIG_STAT(punted);
}

/* A setup from its boot to its end; what came of it goes to out. */
static int run(const struct setup *s, FILE *out)
{
	static struct result r;
	static struct put p;
	char system[64];
	struct rig_text text = {.system = system,
		.interfaces = RIG6_INTERFACES,
		.rules = "{ action = \"deny\"; proto = \"tcp\"; dport = \"eq 81\"; },"
			 "{ action = \"deny\"; proto = \"udp\"; dport = \"eq 81\"; }," PERMIT_ALL,
		.rest = "ip4 = { icmp-error-rate = 1000000; icmp-echo-rate = 1000000; };"
			"ip6 = { icmp-error-rate = 1000000; icmp-echo-rate = 1000000; };",
		.rx_rings = s->rx};
	bool good;

	snprintf(system, sizeof(system), "workers = %u;", s->workers);
	rig_up(&text, s->tx);
	rig_mark();
	for (unsigned i = 0; i < FRAMES; i++) {
		next_frame(&p);
		rig_put_queue(p.port, queue_of(&p.f, s->rx), &p.f);
		if (i % 16 == 15) /* from another source: what comes in is the same for all */
			worker_walk(rig->worker[(unsigned)random() % s->workers]);
		if (i % 256 == 255) {
			rig_run();
			collect(&r);
		}
	}
	rig_run();
	collect(&r);
	finish(&r);
	good = rig_sound();
	for (unsigned i = 0; i < s->workers; i++) {
		const struct worker_stats *st = &rig->worker[i]->stats;

		if (st->received + st->handoff_in[HANDOFF_RX] < FRAMES / s->workers / 4) {
			fprintf(stderr, "worker %u of %u had next to nothing to do\n", i,
				s->workers);
			good = false;
		}
	}
	good = fwrite(&r, offsetof(struct result, got) + r.n * sizeof(r.got[0]), 1, out) == 1 &&
	       fflush(out) == 0 && good;
	rig_down();
	return good ? 0 : 1;
}

/* --- the comparison */

static void read_result(unsigned i, struct result *r)
{
	size_t n;

	memset(r, 0, sizeof(*r));
	rewind(results[i]);
	n = fread(r, 1, sizeof(*r), results[i]);
	assert_int_equal(n, offsetof(struct result, got) + r->n * sizeof(r->got[0]));
}

static void hold(unsigned i)
{
	static struct result want, got;
	struct frame a, b;

	read_result(0, &want);
	read_result(i, &got);
	for (enum drop_reason d = 0; d < DROP_N; d++)
		if (got.drops[d] != want.drops[d])
			fail_msg("%s: %lu dropped, by one worker %lu", drop_text[d].name,
				got.drops[d], want.drops[d]);
	assert_int_equal(got.created, want.created);
	assert_int_equal(got.punted, want.punted);
	for (unsigned k = 0; k < want.n && k < got.n; k++) {
		if (memcmp(&got.got[k], &want.got[k], sizeof(got.got[k])) == 0)
			continue;
		a.len = got.got[k].len;
		b.len = want.got[k].len;
		memcpy(a.b, got.got[k].b, a.len);
		memcpy(b.b, want.got[k].b, b.len);
		frame_same(&a, &b, "in the order of flows");
		fail_msg("frame %u of %u: port %u, by one worker %u", k, got.n, got.got[k].port,
			want.got[k].port);
	}
	assert_int_equal(got.n, want.n);
}

/* The comparison would be worth little if one worker did nothing. */
static void one_worker_does_it_all(void **unused)
{
	static struct result r;

	read_result(0, &r);
	assert_in_range(r.n, FRAMES / 2, FRAMES);
	assert_true(r.created > 100);
	assert_true(r.drops[DROP_FILTER_IN] > 100);
	assert_true(r.drops[DROP_TTL_EXCEEDED] > 50);
	assert_true(r.drops[DROP_HANDOFF_FULL] == 0);
}

static void two_on_one_queue(void **unused)
{
	hold(1);
}

static void two_on_two(void **unused)
{
	hold(2);
}

static void two_on_one_that_both_send(void **unused)
{
	hold(3);
}

static void four_on_one(void **unused)
{
	hold(4);
}

static void four_on_two(void **unused)
{
	hold(5);
}

static void four_on_four(void **unused)
{
	hold(6);
}

static void four_on_four_and_one_sends(void **unused)
{
	hold(7);
}

/* EAL starts once in a process. */
static int run_all(void)
{
	int status;

	for (unsigned i = 0; i < RTE_DIM(setups); i++) {
		pid_t child;

		results[i] = tmpfile();
		if (results[i] == NULL)
			return -1;
		child = fork();
		if (child == 0) {
			state = seed;
			srandom((unsigned)seed + i);
			exit(run(&setups[i], results[i]));
		}
		if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0) {
			fprintf(stderr, "%u workers on %u queues: failed\n", setups[i].workers,
				setups[i].rx);
			return -1;
		}
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_worker_does_it_all),
		cmocka_unit_test(two_on_one_queue),
		cmocka_unit_test(two_on_two),
		cmocka_unit_test(two_on_one_that_both_send),
		cmocka_unit_test(four_on_one),
		cmocka_unit_test(four_on_two),
		cmocka_unit_test(four_on_four),
		cmocka_unit_test(four_on_four_and_one_sends),
	};
	const char *text = getenv("POSTERN_SEED");

	seed = text ? strtoull(text, NULL, 0) : 20261124;
	printf("POSTERN_SEED=%lu\n", seed);
	fflush(stdout);
	if (run_all() < 0)
		return EXIT_FAILURE;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
