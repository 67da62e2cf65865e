/* Writes routes for the benches, with prefix lengths and nesting like the internet's tables of both
 * families, from a seed, to the standard output:
 *
 *     routegen --ip4 500000 --ip6 200000 [--seed 1] [--via A[,A...]] [--via6 A[,A...]] [--load]
 *
 * A section routes = (...) of a configuration; with --load a file for posternctl route load. No
 * prefix comes twice, and none lies in 10.0.0.0/8, 172.0.0.0/8, 192.0.0.0/8, 198.0.0.0/8,
 * 203.0.0.0/8 or fd00::/8, where benches and tests have their interfaces and hosts.
 */
#include "wire/addr.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VIA_MAX 256
#define ROUTES_MAX 2000000ul

static uint64_t state;

static uint64_t rnd(void) /* xorshift64*: the same sequence everywhere */
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1d;
}

static uint32_t below(uint32_t n)
{
	return (uint32_t)((rnd() >> 32) * n >> 32);
}

/* --- prefixes */

struct share {
	uint8_t len;
	uint16_t per_mille;
};

/* About what route collectors saw in 2024. */
static const struct share share4[] = {{24, 610}, {22, 115}, {23, 105}, {21, 50}, {20, 44}, {19, 26},
	{18, 14}, {17, 8}, {16, 14}, {15, 2}, {14, 1}, {25, 3}, {26, 2}, {28, 2}, {29, 2}, {32, 2}};
static const struct share share6[] = {{48, 470}, {32, 125}, {44, 90}, {40, 90}, {46, 40}, {47, 40},
	{36, 35}, {45, 20}, {29, 30}, {42, 15}, {34, 10}, {33, 10}, {38, 8}, {56, 7}, {64, 10}};

static uint8_t draw_len(const struct share *s, size_t n)
{
	uint32_t at = below(1000);

	for (size_t i = 0; i < n; i++) {
		if (at < s[i].per_mille)
			return s[i].len;
		at -= s[i].per_mille;
	}
	return s[0].len;
}

#define LEN(s) draw_len(s, sizeof(s) / sizeof(s[0]))

static struct prefix draw4(void)
{
	uint8_t len = LEN(share4);
	uint32_t addr;

	do
		addr = (uint32_t)(rnd() >> 32);
	while (addr >> 24 == 0 || addr >> 24 >= 224 || addr >> 24 == 10 || addr >> 24 == 127 ||
		addr >> 24 == 172 || addr >> 24 == 192 || addr >> 24 == 198 || addr >> 24 == 203);
	return prefix_of4(addr & mask4(len), len);
}

/* Networks announce parts of what a registry gave them, a /32 or so: many of few, few of many. */
static struct prefix draw6(uint32_t allocations)
{
	static const uint8_t registry[] = {0x20, 0x24, 0x26, 0x28, 0x2a, 0x2c};
	uint8_t len = LEN(share6);
	uint32_t which = below(1 + below(allocations));
	uint64_t scattered = (which + 1ull) * 0x9e3779b97f4a7c15;
	struct addr a = {.q = {0, 0}};

	a.b[0] = registry[scattered % 6];
	a.b[1] = a.b[0] == 0x20 ? 0x01 : (uint8_t)(scattered >> 8 & 0x0f);
	a.b[2] = (uint8_t)(scattered >> 16);
	a.b[3] = (uint8_t)(scattered >> 24);
	for (unsigned i = 4; i < 8; i++) /* near the beginning of the allocation */
		a.b[i] = (uint8_t)(rnd() >> 40 & (below(3) ? 0x1f : 0xff));
	return (struct prefix){addr_masked(&a, len), len};
}

/* --- which there were */

struct seen {
	struct prefix *slot; /* len 0: empty */
	size_t mask;
};

static bool seen_add(struct seen *s, const struct prefix *p)
{
	uint64_t h =
		(p->addr.q[0] * 0x9e3779b97f4a7c15 ^ p->addr.q[1] ^ p->len) * 0xbf58476d1ce4e5b9;

	for (size_t at = h >> 20 & s->mask;; at = (at + 1) & s->mask) {
		if (s->slot[at].len == 0) {
			s->slot[at] = *p;
			return true;
		}
		if (s->slot[at].len == p->len && addr_equal(&s->slot[at].addr, &p->addr))
			return false;
	}
}

/* --- output */

struct hops {
	char *via[VIA_MAX];
	uint32_t n;
};

static bool hops_read(struct hops *h, char *text, bool is4)
{
	struct addr a;

	h->n = 0;
	for (char *one = strtok(text, ","); one != NULL; one = strtok(NULL, ",")) {
		if (h->n == VIA_MAX || addr_parse(one, &a) < 0 || addr_is4(&a) != is4)
			return false;
		h->via[h->n++] = one;
	}
	return h->n > 0;
}

static void line(const struct prefix *p, const struct hops *h, bool load, bool last)
{
	const char *via = h->via[below(h->n)];
	char text[PREFIX_STRLEN];

	prefix_format(p, text);
	if (load)
		printf("%s via %s\n", text, via);
	else
		printf("    { to = \"%s\"; via = \"%s\"; }%s\n", text, via, last ? "" : ",");
}

static int usage(void)
{
	fprintf(stderr,
		"usage: routegen --ip4 N --ip6 N [--seed S] [--via A[,A...]] [--via6 A[,A...]] "
		"[--load]\nN: 0 to %lu\n",
		ROUTES_MAX);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"ip4", required_argument, NULL, '4'},
		{"ip6", required_argument, NULL, '6'}, {"seed", required_argument, NULL, 's'},
		{"via", required_argument, NULL, 'v'}, {"via6", required_argument, NULL, 'w'},
		{"load", no_argument, NULL, 'l'}, {0}};
	char four[] = "10.2.0.2", six[] = "fd00:2::2";
	struct hops hops4 = {{four}, 1}, hops6 = {{six}, 1};
	unsigned long n4 = 0, n6 = 0, seed = 1;
	bool load = false, good = true;
	struct seen seen;
	int c;

	while (good && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '4')
			n4 = strtoul(optarg, NULL, 10);
		else if (c == '6')
			n6 = strtoul(optarg, NULL, 10);
		else if (c == 's')
			seed = strtoul(optarg, NULL, 10);
		else if (c == 'v')
			good = hops_read(&hops4, optarg, true);
		else if (c == 'w')
			good = hops_read(&hops6, optarg, false);
		else if (c == 'l')
			load = true;
		else
			good = false;
	}
	if (!good || optind != argc || n4 > ROUTES_MAX || n6 > ROUTES_MAX || n4 + n6 == 0)
		return usage();
	state = seed * 2 + 1;
	for (seen.mask = 1023; seen.mask < (n4 + n6) * 2;)
		seen.mask = seen.mask * 2 + 1;
	seen.slot = calloc(seen.mask + 1, sizeof(seen.slot[0]));
	if (seen.slot == NULL) {
		fprintf(stderr, "routegen: out of memory\n");
		return 1;
	}
	printf("# routegen --ip4 %lu --ip6 %lu --seed %lu\n", n4, n6, seed);
	if (!load)
		printf("routes = (\n");
	for (unsigned long i = 0; i < n4 + n6;) {
		struct prefix p = i < n4 ? draw4() : draw6((uint32_t)(n6 / 6 + 1));

		if (!seen_add(&seen, &p))
			continue;
		line(&p, i < n4 ? &hops4 : &hops6, load, i + 1 == n4 + n6);
		i++;
	}
	if (!load)
		printf(");\n");
	free(seen.slot);
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
