/* Drives the rig: frames in, walks, frames out, counters, and what must hold after each test. See
 * harness.h. One thread.
 */
#include "rig.h"

#include "dp/graph.h"

#include <rte_mempool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUN_MAX 200

static struct worker_stats mark;
static uint64_t put, taken; /* frames, since boot */

/* --- what packets look like */

static const uint8_t payload[1480] = "payload: each byte of it must arrive as it was";

struct spec spec_udp(void)
{
	return (struct spec){
		.dst_mac = port_mac(LAN),
		.src_mac = host_mac(HOST_A),
		.src = HOST_A,
		.dst = HOST_B,
		.proto = 17,
		.ttl = 64,
		.id = 0x1234,
		.sport = 4000,
		.dport = 53,
		.payload = payload,
		.payload_len = 18,
	};
}

struct spec spec_tcp(void)
{
	struct spec s = spec_udp();

	s.proto = 6;
	s.dport = 80;
	s.tcp_flags = TCP_SYN;
	return s;
}

struct spec spec_echo(void)
{
	struct spec s = spec_udp();

	s.proto = 1;
	s.type = 8;
	s.rest = 0x00070001;
	s.payload_len = 56;
	return s;
}

struct spec spec_from_wan(struct spec s)
{
	s.dst_mac = port_mac(WAN);
	s.src_mac = host_mac(HOST_B);
	s.src = HOST_B;
	s.dst = HOST_A;
	return s;
}

struct spec6 spec6_udp(void)
{
	return (struct spec6){
		.dst_mac = port_mac(LAN),
		.src_mac = host6_mac(HOST_A6),
		.src = ip6_of(HOST_A6),
		.dst = ip6_of(HOST_B6),
		.proto = 17,
		.hop_limit = 64,
		.class = 0xb8,
		.flow = 0xabcde,
		.sport = 4000,
		.dport = 53,
		.payload = payload,
		.payload_len = 18,
	};
}

struct spec6 spec6_tcp(void)
{
	struct spec6 s = spec6_udp();

	s.proto = 6;
	s.dport = 80;
	s.tcp_flags = TCP_SYN;
	return s;
}

struct spec6 spec6_echo(void)
{
	struct spec6 s = spec6_udp();

	s.proto = 58;
	s.type = 128;
	s.rest = 0x00070001;
	s.payload_len = 56;
	return s;
}

struct spec6 spec6_from_wan(struct spec6 s)
{
	s.dst_mac = port_mac(WAN);
	s.src_mac = host6_mac(HOST_B6);
	s.src = ip6_of(HOST_B6);
	s.dst = ip6_of(HOST_A6);
	return s;
}

struct mac6 host6_mac(const char *addr)
{
	struct ip6 a = ip6_of(addr);

	return (struct mac6){{2, 6, a.b[12], a.b[13], a.b[14], a.b[15]}};
}

struct l2 l2_to6(const char *host, unsigned port, uint16_t vlan)
{
	return (struct l2){.dst = host6_mac(host), .src = port_mac(port), .vlan = vlan};
}

struct l2 l2_to(uint32_t host, unsigned port, uint16_t vlan)
{
	return (struct l2){.dst = host_mac(host), .src = port_mac(port), .vlan = vlan};
}

/* --- frames in and out */

struct rte_mbuf *rig_mbuf(const void *bytes, unsigned len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(rig->pool);
	char *p;

	assert_non_null(m);
	p = rte_pktmbuf_append(m, (uint16_t)len);
	assert_non_null(p);
	if (len)
		memcpy(p, bytes, len);
	/* nothing may rely on what an earlier packet left there */
	memset(meta_of(m), 0xa5, sizeof(struct meta));
	return m;
}

static void put_mbuf(unsigned port, unsigned queue, struct rte_mbuf *m)
{
	m->port = rig_port[port].id;
	assert_int_equal(rte_ring_enqueue(rig_port[port].rx[queue], m), 0);
	put++;
}

void rig_put_mbuf(unsigned port, struct rte_mbuf *m)
{
	put_mbuf(port, 0, m);
}

void rig_put_queue(unsigned port, unsigned queue, const struct frame *f)
{
	put_mbuf(port, queue, rig_mbuf(f->b, f->len));
}

void rig_put_bytes(unsigned port, const void *bytes, unsigned len)
{
	rig_put_mbuf(port, rig_mbuf(bytes, len));
}

void rig_put(unsigned port, const struct frame *f)
{
	rig_put_bytes(port, f->b, f->len);
}

bool rig_take(unsigned port, struct frame *out)
{
	struct rig_port *p = &rig_port[port];
	struct rte_mbuf *m;

	for (unsigned q = 0; q < p->n_tx; q++) {
		if (rte_ring_dequeue(p->tx[q], (void **)&m) < 0)
			continue;
		taken++;
		assert_int_equal(m->nb_segs, 1);
		assert_int_equal(m->pkt_len, m->data_len);
		assert_in_range(m->data_len, 0, FRAME_MAX);
		memset(out, 0, sizeof(*out));
		out->len = m->data_len;
		memcpy(out->b, rte_pktmbuf_mtod(m, void *), m->data_len);
		rte_pktmbuf_free(m);
		return true;
	}
	return false;
}

unsigned rig_discard(void)
{
	struct rte_mbuf *m;
	unsigned n = 0;

	for (unsigned port = 0; port < RIG_PORTS; port++)
		for (unsigned q = 0; q < rig_port[port].n_tx; q++)
			for (; rte_ring_dequeue(rig_port[port].tx[q], (void **)&m) == 0; n++)
				rte_pktmbuf_free(m);
	taken += n;
	return n;
}

void rig_walk(void)
{
	for (unsigned i = 0; i < rig->n_workers; i++)
		worker_walk(rig->worker[i]);
}

void rig_run(void)
{
	unsigned quiet = 0;

	for (unsigned round = 0; round < RUN_MAX && quiet < 2; round++) {
		unsigned n = 0;

		for (unsigned i = 0; i < rig->n_workers; i++)
			n += worker_walk(rig->worker[i]);
		quiet = n ? 0 : quiet + 1;
	}
	if (quiet < 2) {
		fprintf(stderr, "rig: packets go round and round\n");
		abort();
	}
}

/* --- counters */

/* struct worker_stats holds nothing but uint64_t. */
static void sum_stats(struct worker_stats *out)
{
	uint64_t *to = (uint64_t *)out;

	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < rig->n_workers; i++) {
		const uint64_t *from = (const uint64_t *)&rig->worker[i]->stats;

		for (size_t k = 0; k < sizeof(*out) / sizeof(*to); k++)
			to[k] += from[k];
	}
}

void rig_mark(void)
{
	sum_stats(&mark);
}

uint64_t rig_stat(size_t offset)
{
	struct worker_stats now;

	sum_stats(&now);
	return *(uint64_t *)((char *)&now + offset) - *(uint64_t *)((char *)&mark + offset);
}

uint64_t rig_dropped(enum drop_reason r)
{
	return rig_stat(offsetof(struct worker_stats, drops) + r * sizeof(uint64_t));
}

/* --- expectations */

void rig_expect_frame(unsigned port, const struct frame *want, const char *file, int line)
{
	static struct frame got;
	char what[300];

	snprintf(what, sizeof(what), "%s:%d: port %u", file, line, port);
	if (!rig_take(port, &got)) {
		for (enum drop_reason r = 1; r < DROP_N; r++)
			if (rig_dropped(r))
				fprintf(stderr, "%s: dropped: %s\n", what, drop_text[r].name);
		fprintf(stderr, "%s: nothing was sent\n", what);
		_fail(file, line);
	}
	if (!frame_same(&got, want, what))
		_fail(file, line);
}

void rig_expect_nothing(const char *file, int line)
{
	static struct frame got;

	for (unsigned port = 0; port < RIG_PORTS; port++) {
		if (!rig_take(port, &got))
			continue;
		fprintf(stderr, "%s:%d: port %u sent what nobody expects\n", file, line, port);
		frame_same(&got, &(struct frame){.len = 0}, "this");
		_fail(file, line);
	}
}

void rig_expect_drops(enum drop_reason reason, uint64_t n, const char *file, int line)
{
	bool good = true;

	for (enum drop_reason r = 1; r < DROP_N; r++) {
		uint64_t got = rig_dropped(r), want = r == reason ? n : 0;

		if (got == want)
			continue;
		fprintf(stderr, "%s:%d: %s: %lu dropped, expected %lu\n", file, line,
			drop_text[r].name, got, want);
		good = false;
	}
	if (!good)
		_fail(file, line);
	rig_mark();
}

void rig_expect_drop_of(
	unsigned port, const struct frame *f, enum drop_reason reason, const char *file, int line)
{
	rig_put(port, f);
	rig_run();
	rig_expect_nothing(file, line);
	rig_expect_drops(reason, 1, file, line);
}

void rig_expect_routed(unsigned from, const struct frame *f, unsigned port, uint32_t host,
	uint16_t vlan, const char *file, int line)
{
	static struct frame want;
	struct l2 l2 = l2_to(host, port, vlan);

	frame_routed(&want, f, &l2);
	rig_put(from, f);
	rig_run();
	rig_expect_frame(port, &want, file, line);
	rig_expect_nothing(file, line);
	rig_expect_drops(DROP_NONE, 0, file, line);
}

void rig_expect_routed6(unsigned from, const struct frame *f, unsigned port, const char *host,
	uint16_t vlan, const char *file, int line)
{
	static struct frame want;
	struct l2 l2 = l2_to6(host, port, vlan);

	frame6_routed(&want, f, &l2);
	rig_put(from, f);
	rig_run();
	rig_expect_frame(port, &want, file, line);
	rig_expect_nothing(file, line);
	rig_expect_drops(DROP_NONE, 0, file, line);
}

/* --- soundness */

static bool law(const struct worker_stats *s)
{
	uint64_t in = s->received + s->injected + s->created, dropped = 0, flight, out;

	for (unsigned r = 0; r < DROP_N; r++)
		dropped += s->drops[r];
	flight = s->neigh_waiting + s->frag_waiting;
	for (unsigned k = 0; k < HANDOFF_KINDS; k++)
		flight += s->handoff_out[k] - s->handoff_in[k];
	out = s->sent + s->punted + dropped + s->absorbed + flight;
	if (in == out && s->drops[DROP_NONE] == 0)
		return true;
	fprintf(stderr,
		"the law is broken: received %lu + injected %lu + created %lu = %lu, but sent %lu "
		"+ punted %lu + dropped %lu (without reason: %lu) + absorbed %lu + in flight %lu = "
		"%lu\n",
		s->received, s->injected, s->created, in, s->sent, s->punted, dropped,
		s->drops[DROP_NONE], s->absorbed, flight, out);
	return false;
}

static unsigned in_receive_rings(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < RIG_PORTS; i++)
		for (unsigned q = 0; q < rig_port[i].n_rx; q++)
			n += rte_ring_count(rig_port[i].rx[q]);
	return n;
}

/* Buffers that rest somewhere on purpose. */
static unsigned resting(const struct worker_stats *s)
{
	uint64_t n = s->neigh_waiting + s->frag_waiting;

	for (unsigned i = 0; i < rig->n_workers; i++) {
		n += rte_ring_count(rig->worker[i]->link.punt.ring);
		n += rte_ring_count(rig->worker[i]->link.inject.ring);
	}
	for (unsigned k = 0; k < HANDOFF_KINDS; k++)
		n += s->handoff_out[k] - s->handoff_in[k];
	return (unsigned)n + in_receive_rings();
}

static bool streams_kept(void)
{
	struct graph_node_info info[64];
	bool good = true;

	for (unsigned i = 0; i < rig->n_workers; i++) {
		unsigned n = graph_nodes(rig->worker[i], info, RTE_DIM(info));

		for (unsigned k = 0; k < n; k++) {
			if (info[k].reallocs == 0)
				continue;
			fprintf(stderr, "worker %u: the stream of %s grew %lu times\n", i,
				info[k].name, info[k].reallocs);
			good = false;
		}
	}
	return good;
}

bool rig_sound(void)
{
	struct worker_stats now;
	unsigned have, in_rx = in_receive_rings();
	bool good;

	sum_stats(&now);
	good = law(&now);
	have = rte_mempool_avail_count(rig->pool) + resting(&now);
	if (have != RIG_MBUFS) {
		fprintf(stderr, "%d packet buffers are lost\n", RIG_MBUFS - (int)have);
		good = false;
	}
	if (put != now.received + in_rx || taken != now.sent) {
		fprintf(stderr, "put %lu, received %lu, waiting %u; taken %lu, sent %lu\n", put,
			now.received, in_rx, taken, now.sent);
		good = false;
	}
	return streams_kept() && good;
}

int rig_setup(void **state)
{
	rig_mark();
	return 0;
}

int rig_teardown(void **state)
{
	rig_run();
	rig_discard();
	control_tick(rig);
	rig_run();
	rig_discard();
	return rig_sound() ? 0 : -1;
}
