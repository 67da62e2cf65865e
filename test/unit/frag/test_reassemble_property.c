/* Reassembly against a plain reassembler, of both families: datagrams cut at random, their
 * fragments permuted, lost, repeated, moved and changed, many datagrams at a time. Each fragment
 * must have the fate that the plain one gives it, each whole datagram the same bytes. Then under
 * limits that are hit all the time: no buffer is lost and no limit exceeded.
 *
 * The seed is printed; POSTERN_SEED repeats a run.
 */
#include "frag_world.h"

#include <stdlib.h>

#define DATAGRAMS 6
#define LEN_MAX 3000
#define LIMIT 24 /* fragments of one datagram */
#define ROUNDS 4000

static uint64_t seed, state_;

static uint32_t below(uint32_t n)
{
	state_ ^= state_ << 13;
	state_ ^= state_ >> 7;
	state_ ^= state_ << 17;
	return (uint32_t)((state_ >> 20) % n);
}

/* --- the plain reassembler: a byte per byte, and whose it is */

struct plain {
	bool dead;
	enum frag_why killed;      /* why it is dead */
	enum frag_why why;         /* why the last fragment was dropped */
	int owner[LEN_MAX + 4096]; /* index of the fragment that a byte is from, -1: none */
	uint8_t byte[LEN_MAX + 4096];
	struct {
		unsigned first, end;
		bool more;
	} part[LIMIT + 1];
	unsigned n;
	int end; /* -1: not known */
	uint8_t ecn;
};

static struct plain plain[DATAGRAMS];

static void plain_forget(struct plain *p)
{
	memset(p, 0, sizeof(*p));
	memset(p->owner, -1, sizeof(p->owner));
	p->end = -1;
}

/* What must become of a fragment. */
enum fate { HELD, WHOLE, DROPPED };

static enum fate plain_kill(struct plain *p, enum frag_why why)
{
	p->dead = true;
	p->why = p->killed = why;
	return DROPPED;
}

static enum fate plain_add(struct plain *p, const struct spec *s, const uint8_t *bytes)
{
	unsigned end = s->first + s->len, have = 0, touched = 0;
	bool exact = false;

	if (s->len == 0 || (s->more && s->len % 8)) {
		p->why = FRAG_INVALID;
		return DROPPED;
	}
	p->why = p->killed;
	if (p->dead)
		return DROPPED;
	for (unsigned i = 0; i < p->n; i++) {
		if (p->part[i].first >= end || p->part[i].end <= s->first)
			continue;
		touched++;
		exact = p->part[i].first == s->first && p->part[i].end == end &&
			p->part[i].more == s->more &&
			memcmp(p->byte + s->first, bytes + s->first, s->len) == 0;
	}
	if (touched == 1 && exact) {
		p->why = FRAG_DUPLICATE;
		return DROPPED;
	}
	if (touched)
		return plain_kill(p, FRAG_OVERLAP);
	for (unsigned i = 0; i < p->n; i++)
		if (!s->more && p->part[i].end > end)
			return plain_kill(p, FRAG_INCONSISTENT);
	if (p->end >= 0 && (s->more ? (int)end >= p->end : (int)end != p->end))
		return plain_kill(p, FRAG_INCONSISTENT);
	if (p->n == LIMIT)
		return plain_kill(p, FRAG_TOO_MANY);
	p->part[p->n].first = s->first;
	p->part[p->n].end = end;
	p->part[p->n++].more = s->more;
	memcpy(p->byte + s->first, bytes + s->first, s->len);
	p->ecn |= (uint8_t)(1u << s->ecn);
	if (!s->more)
		p->end = (int)end;
	for (unsigned i = 0; i < p->n; i++)
		have += p->part[i].end - p->part[i].first;
	if (p->end < 0 || have != (unsigned)p->end)
		return HELD;
	if (p->ecn & 8 && p->ecn & 1)
		return plain_kill(p, FRAG_ECN);
	return WHOLE;
}

/* --- fragments at random */

struct part {
	struct spec s;
	uint8_t bytes[LEN_MAX + 4096]; /* its datagram's payload, as this fragment has it */
};

static struct part parts[256];
static unsigned n_parts;

static void new_part(const struct spec *s, const uint8_t *bytes)
{
	if (n_parts == RTE_DIM(parts))
		return;
	parts[n_parts].s = *s;
	memcpy(parts[n_parts].bytes, bytes, sizeof(parts[0].bytes));
	n_parts++;
}

/* One datagram, cut; then what can happen to its fragments. */
static void make_datagram(unsigned family, unsigned number)
{
	static uint8_t bytes[LEN_MAX + 4096];
	unsigned len = 1 + below(LEN_MAX), size = 8 * (1 + below(60)), began = n_parts;
	/* short ones in few pieces, most of the time */
	struct spec s = {.family = family,
		.src = (uint8_t)(1 + number % 3),
		.dst = 9,
		.id = number * 7919,
		.proto = 17,
		.ecn = (uint8_t)(below(3) ? 0 : 1 + below(3))};

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)below(256);
	while (len > (LIMIT - 2) * size && below(20))
		size += 8;
	for (s.first = 0; s.first < len; s.first += s.len) {
		s.len = RTE_MIN(size, len - s.first);
		s.more = s.first + s.len < len;
		if (below(40) == 0)
			s.ecn = (uint8_t)below(4);
		if (below(40))
			new_part(&s, bytes);
		if (below(20) == 0)
			new_part(&s, bytes); /* again */
		if (below(60) == 0) {        /* again, but different */
			struct spec t = s;
			uint8_t was = bytes[t.first];

			switch (below(5)) {
			case 0:
				t.first = t.first >= 8 ? t.first - 8 : 8;
				break;
			case 1:
				t.len = t.len > 8 ? 8 * (t.len / 8) - 8 : t.len + 8;
				break;
			case 2:
				t.more = !t.more;
				break;
			case 3:
				bytes[t.first] ^= 1;
				break;
			default:
				t.len += below(16);
			}
			new_part(&t, bytes);
			bytes[s.first] = was;
		}
	}
	/* a single fragment is none */
	if (n_parts > began && parts[began].s.first == 0 && !parts[began].s.more)
		n_parts = began;
	for (unsigned i = began; i < n_parts; i++)
		if (parts[i].s.first == 0 && !parts[i].s.more)
			parts[i].s.more = true;
}

static void shuffle(void)
{
	static struct part t;
	unsigned how = below(3); /* 0: as cut, 1: a little, 2: anyhow */

	for (unsigned i = 0; how && i < n_parts; i++) {
		unsigned j = how == 2 ? below(n_parts) : RTE_MIN(i + below(4), n_parts - 1);

		t = parts[i];
		parts[i] = parts[j];
		parts[j] = t;
	}
}

static void say(unsigned round, unsigned i, const char *what)
{
	const struct spec *s = &parts[i].s;

	fprintf(stderr, "seed %llu, round %u, fragment %u (IPv%u, id %u, %u to %u, %s): %s\n",
		(unsigned long long)seed, round, i, s->family, s->id, s->first, s->first + s->len,
		s->more ? "more" : "last", what);
	fail();
}

static void check_whole(
	unsigned round, unsigned i, struct rte_mbuf *m, const struct plain *p, unsigned merged)
{
	static uint8_t got[65536];
	unsigned hdr = parts[i].s.family == 4 ? 20 : 40, n = bytes_of(m, got);
	unsigned ecn = hdr == 20 ? got[1] & 3 : got[1] >> 4 & 3;

	if (n != hdr + (unsigned)p->end || memcmp(got + hdr, p->byte, n - hdr) != 0)
		say(round, i, "the datagram is another one");
	if (merged != p->n)
		say(round, i, "made of more or fewer fragments");
	if ((ecn == 3) != (p->ecn >> 3 & 1))
		say(round, i, "congestion was lost or invented");
	rte_pktmbuf_free(m);
}

static void same_as_the_plain_one(void **state)
{
	unsigned whole = 0, fates[FRAG_WHY_N] = {0};

	table_up(64, 1024, 64, LIMIT);
	for (unsigned round = 0; round < ROUNDS; round++) {
		n_parts = 0;
		for (unsigned d = 0; d < DATAGRAMS; d++) {
			plain_forget(&plain[d]);
			make_datagram(below(2) ? 4 : 6, d);
		}
		shuffle();
		for (unsigned i = 0; i < n_parts; i++) {
			struct spec *s = &parts[i].s;
			struct plain *p = &plain[s->id / 7919];
			unsigned held = p->n, merged = 0, dropped = 0;
			bool was_dead = p->dead;
			enum fate fate = plain_add(p, s, parts[i].bytes);
			struct rte_mbuf *m;

			s->payload = parts[i].bytes;
			memset(world_dropped, 0, sizeof(world_dropped));
			m = add(s, round, &merged);
			for (unsigned k = 0; k < FRAG_WHY_N; k++)
				dropped += world_dropped[k];
			if ((m != NULL) != (fate == WHOLE))
				say(round, i, m ? "whole too soon" : "should be whole");
			if (m) {
				check_whole(round, i, m, p, merged);
				plain_forget(p);
				whole++;
			} else if (fate == HELD && dropped) {
				say(round, i, "dropped");
			} else if (fate == DROPPED) {
				unsigned all = p->dead && !was_dead ? held + 1 : 1;

				/* complete, but its marks contradict each other: it was held */
				if (world_dropped[p->why] != all || dropped != all)
					say(round, i,
						"dropped for another reason, or others than this");
				fates[p->why]++;
			}
		}
		frag_expire(world_table, round + WORLD_TIMEOUT, UINT32_MAX);
		assert_int_equal(frag_table_stats(world_table)->waiting, 0);
		assert_int_equal(frag_table_stats(world_table)->fragments, 0);
	}
	print_message(
		"%u whole; dropped: %u invalid, %u duplicate, %u overlap, %u inconsistent, %u "
		"too many, %u ECN\n",
		whole, fates[FRAG_INVALID], fates[FRAG_DUPLICATE], fates[FRAG_OVERLAP],
		fates[FRAG_INCONSISTENT], fates[FRAG_TOO_MANY], fates[FRAG_ECN]);
	/* or the test has not tested it */
	assert_true(whole > ROUNDS / 2);
	assert_true(fates[FRAG_INVALID] && fates[FRAG_DUPLICATE] && fates[FRAG_OVERLAP] &&
		    fates[FRAG_INCONSISTENT] && fates[FRAG_TOO_MANY] && fates[FRAG_ECN]);
	table_down();
}

/* Small tables, many sources: whatever gives way to whatever, the numbers add up. */
static void limits_hold(void **state)
{
	unsigned given = 0, out = 0, dropped = 0;
	static uint8_t bytes[LEN_MAX];

	table_up(8, 30, 3, 12);
	for (unsigned i = 0; i < 200000; i++) {
		const struct frag_stats *now = frag_table_stats(world_table);
		struct spec s = {.family = below(2) ? 4 : 6,
			.src = (uint8_t)below(3),
			.dst = 1,
			.id = below(below(40) ? 2 : 8),
			.proto = 17,
			.first = 8 * below(4),
			.len = 8,
			.payload = bytes};
		unsigned merged = 0;
		struct rte_mbuf *m;

		s.more = s.first < 24;
		given++;
		m = add(&s, i, &merged);
		out += merged;
		rte_pktmbuf_free(m);
		if (below(50) == 0)
			frag_expire(world_table, i + below(2 * WORLD_TIMEOUT), below(4));
		dropped = 0;
		for (unsigned k = 0; k < FRAG_WHY_N; k++)
			dropped += world_dropped[k];
		assert_int_equal(given, out + dropped + now->fragments);
		assert_in_range(now->waiting, 0, 8);
		assert_in_range(now->fragments, 0, 30);
		assert_int_equal(
			rte_mempool_avail_count(world_pool), WORLD_BUFFERS - now->fragments);
	}
	print_message(
		"%u fragments: %u in whole datagrams, %u dropped, of them %u for a source's limit "
		"and %u for a full table\n",
		given, out, dropped, world_dropped[FRAG_SOURCE_LIMIT],
		world_dropped[FRAG_TABLE_FULL]);
	assert_true(out && world_dropped[FRAG_SOURCE_LIMIT] && world_dropped[FRAG_TABLE_FULL] &&
		    world_dropped[FRAG_TIMEOUT]);
	table_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_as_the_plain_one),
		cmocka_unit_test(limits_hold),
	};
	const char *text = getenv("POSTERN_SEED");

	seed = text ? strtoull(text, NULL, 0) : 20261124;
	state_ = seed ? seed : 1;
	print_message("seed %llu\n", (unsigned long long)seed);
	world_up();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
