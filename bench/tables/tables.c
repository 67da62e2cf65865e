/* The lookups of IPsec alone: an inbound SA by SPI, protocol and destination (one at a time and by
 * bursts), and the policy of a packet, for tables of very different size.
 *
 *     bench-tables [-- EAL options]
 *
 * "one": the same SA or policy each time, the last of the table: what the lookup itself costs.
 * "all": each time another, spread over the whole table: what the processor's caches make of it.
 * Five interleaved rounds, medians; the machine drifts, so only ratios within one run mean
 * anything.
 */
#include "table/sad_write.h"
#include "table/spd_write.h"

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_vect.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 5
#define BURST 64
#define PACKETS 65536 /* per measurement */
#define PASSES 8

static const uint32_t sizes[] = {1, 10, 1000, 10000, 65536, 100000};
#define SIZES RTE_DIM(sizes)

struct figures {
	double find[2], burst[2], policy[2]; /* [all] */
};

static struct figures figure[SIZES][ROUNDS];
static struct sad_db *sad[SIZES];
static struct spd *spd[SIZES];
static struct rte_rcu_qsbr *qsv;
static volatile uint32_t sink;

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "bench-tables: %s: %s\n", what, why);
	exit(1);
}

static int no_keys(struct sa *sa, const struct suite *suite, const uint8_t *key)
{
	return 0;
}

static struct sad_key key_of(uint32_t i)
{
	return (struct sad_key){.dst = addr_of4(0xc0000201),
		.spi = rte_cpu_to_be_32(0x10000000 + i * 3),
		.proto = PROTO_ESP};
}

static void make_sad(unsigned s)
{
	static const struct sa_info like = {
		.tunnel = 1, .proto = PROTO_ESP, .in = true, .owner = SAD_OWNER_AUTO};
	struct tunnel t = {.id = 1,
		.flags = TUNNEL_UP | TUNNEL_ESP,
		.local = addr_of4(0xc0000201),
		.remote = addr_of4(0xc6336401)};
	uint8_t none[1] = {0};
	char why[256];

	sad[s] = sad_db_new(sizes[s], 1, qsv, no_keys, SOCKET_ID_ANY, why, sizeof(why));
	for (uint32_t i = 0; sad[s] && i < sizes[s]; i++) {
		struct sa_info info = like;
		uint32_t handle;

		info.spi = key_of(i).spi;
		if (sad_db_add(sad[s], &t, &info, none, &handle, why, sizeof(why)) != 0)
			fail("SA", why);
	}
	if (sad[s] == NULL)
		fail("SAs", why);
}

/* Site i: a /24 of ours and a /28 of theirs. */
static void site(uint32_t i, uint32_t *ours, uint32_t *theirs)
{
	*ours = 0x0a000000 | (i & 0xff) << 8;
	*theirs = 0xac100000 + (i << 4);
}

static void make_spd(unsigned s)
{
	struct policy *p = calloc(sizes[s], sizeof(p[0]));
	char why[256];

	for (uint32_t i = 0; p && i < sizes[s]; i++) {
		uint32_t ours, theirs;

		site(i, &ours, &theirs);
		p[i] = (struct policy){.dir = RULE_DIR_BOTH,
			.action = POLICY_PROTECT,
			.tunnel = 1,
			.sel = {.src_from = addr_of4(ours),
				.src_to = addr_of4(ours | 0xff),
				.dst_from = addr_of4(theirs),
				.dst_to = addr_of4(theirs | 0xf),
				.proto = SELECTOR_PROTO_ANY,
				.sport_to = UINT16_MAX,
				.dport_to = UINT16_MAX}};
	}
	spd[s] = p ? spd_build(p, sizes[s], POLICY_BYPASS, SOCKET_ID_ANY, why, sizeof(why)) : NULL;
	if (spd[s] == NULL)
		fail("policies", why);
	free(p);
}

/* Which of n the k-th packet is about: the last, or one after the other far apart. */
static uint32_t pick(uint32_t n, uint32_t k, bool all)
{
	return all ? (uint32_t)((uint64_t)k * 40503 % n) : n - 1;
}

static struct sad_key sad_keys[PACKETS];
static struct acl_key acl_keys[PACKETS];

static void measure_sad(unsigned s, bool all, struct figures *f)
{
	const struct sad *table = sad_db_table(sad[s]);
	uint64_t start = 0;

	for (uint32_t k = 0; k < PACKETS; k++)
		sad_keys[k] = key_of(pick(sizes[s], k, all));
	for (unsigned pass = 0; pass <= PASSES; pass++) { /* the first warms */
		if (pass <= 1)
			start = rte_rdtsc();
		for (uint32_t k = 0; k < PACKETS; k++)
			sink = sad_find(table, sad_keys[k].spi, PROTO_ESP, &sad_keys[k].dst);
	}
	f->find[all] = (double)(rte_rdtsc() - start) / PASSES / PACKETS;
	for (unsigned pass = 0; pass <= PASSES; pass++) {
		if (pass <= 1)
			start = rte_rdtsc();
		for (uint32_t k = 0; k < PACKETS; k += BURST) {
			const struct sad_key *key[BURST];
			uint32_t handle[BURST];

			for (unsigned i = 0; i < BURST; i++)
				key[i] = &sad_keys[k + i];
			sad_find_burst(table, key, handle, BURST);
			sink = handle[BURST - 1];
		}
	}
	f->burst[all] = (double)(rte_rdtsc() - start) / PASSES / PACKETS;
	if (sink == SA_NONE)
		fail("check", "an SA is not found");
}

static void measure_spd(unsigned s, bool all, struct figures *f)
{
	static const uint8_t proto[BURST]; /* any */
	uint64_t start = 0;

	for (uint32_t k = 0; k < PACKETS; k++) {
		uint32_t ours, theirs;

		site(pick(sizes[s], k, all), &ours, &theirs);
		acl_keys[k] = (struct acl_key){.src = rte_cpu_to_be_32(ours | 7),
			.dst = rte_cpu_to_be_32(theirs | 3),
			.sport = 1,
			.dport = 2};
	}
	for (unsigned pass = 0; pass <= PASSES; pass++) {
		if (pass <= 1)
			start = rte_rdtsc();
		for (uint32_t k = 0; k < PACKETS; k += BURST) {
			const struct acl_key *key[BURST];
			uint32_t verdict[BURST];

			for (unsigned i = 0; i < BURST; i++)
				key[i] = &acl_keys[k + i];
			spd_classify(spd[s], RULE_OUT, key, proto, verdict, BURST);
			sink = verdict[BURST - 1];
		}
	}
	f->policy[all] = (double)(rte_rdtsc() - start) / PASSES / PACKETS;
	if (sink == 0)
		fail("check", "a policy is not found");
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Of the figure at that offset, over the rounds. */
static double median(unsigned s, size_t offset)
{
	double v[ROUNDS];

	for (unsigned r = 0; r < ROUNDS; r++)
		v[r] = *(const double *)((const char *)&figure[s][r] + offset);
	qsort(v, ROUNDS, sizeof(v[0]), by_value);
	return v[ROUNDS / 2];
}

static void print(unsigned s)
{
	printf("%7u", sizes[s]);
	for (size_t at = 0; at < sizeof(struct figures); at += sizeof(double)) {
		if (at >= offsetof(struct figures, policy) && spd[s] == NULL)
			printf(" %9s", "-");
		else
			printf(" %9.1f", median(s, at));
	}
	printf("\n");
}

int main(int argc, char **argv)
{
	static char word[][16] = {"bench", "--no-huge", "-m", "1024", "--no-pci", "--no-telemetry",
		"--no-shconf", "--lcores", "0", "--log-level", "5"};
	char *eal[RTE_DIM(word)];
	bool own = argc > 1 && strcmp(argv[1], "--") == 0;

	for (unsigned i = 0; i < RTE_DIM(word); i++)
		eal[i] = word[i];
	if (own)
		argv[1] = argv[0];
	if (rte_eal_init(own ? argc - 1 : (int)RTE_DIM(eal), own ? argv + 1 : eal) < 0)
		fail("EAL", "does not start");
	rte_vect_set_max_simd_bitwidth(RTE_VECT_SIMD_512);
	qsv = calloc(1, rte_rcu_qsbr_get_memsize(1));
	if (qsv == NULL || rte_rcu_qsbr_init(qsv, 1) != 0)
		fail("RCU", "no memory");
	for (unsigned s = 0; s < SIZES; s++) {
		make_sad(s);
		if (sizes[s] <= POLICIES_MAX)
			make_spd(s);
	}
	for (unsigned round = 0; round < ROUNDS; round++)
		for (unsigned s = 0; s < SIZES; s++)
			for (unsigned all = 0; all < 2; all++) {
				measure_sad(s, all, &figure[s][round]);
				if (spd[s])
					measure_spd(s, all, &figure[s][round]);
			}
	printf("TSC cycles per packet; medians of %d rounds\n", ROUNDS);
	printf("%7s %19s %19s %19s\n", "", "SA, one by one", "SA, by 64", "policy, by 64");
	printf("%7s %9s %9s %9s %9s %9s %9s\n", "entries", "one", "all", "one", "all", "one",
		"all");
	for (unsigned s = 0; s < SIZES; s++)
		print(s);
	return 0;
}
