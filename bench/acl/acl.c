/* The filter alone: what the inbound and the outbound lookup of a routed packet cost together, for
 * lists of 1 to 100,000 rules of which the bench flows meet the last, in bursts of 32, 64 and 128.
 *
 *     bench-acl [--json FILE] [--rules N] [--seed S] [--ip6] [--algorithm NAME] [-- EAL options]
 *
 * --ip6: the same lists and flows in IPv6 besides those in IPv4.
 *
 * "same": one list for both directions, so that one lookup answers both (the data path does so when
 * the groups have one id). "split": different lists, two lookups. Five interleaved rounds, medians;
 * the machine drifts, so only ratios within one run mean anything. No receive, no keys to build.
 */
#include "../rulegen/flows.h"
#include "../rulegen/gen.h"
#include "table/acl_memo.h"
#include "table/acl_write.h"

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_vect.h>

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 5
#define BURSTS 3
#define PASSES 400 /* over all flows, per measurement */

static const unsigned burst_size[BURSTS] = {32, 64, 128};
static const uint32_t list_size[] = {1, 10, 1000, 10000, 100000};

struct table {
	uint32_t n;
	bool split, ip6;
	struct acl *acl;
	struct acl_build_stats stats;
	double cycles[BURSTS][ROUNDS];
	double memo[BURSTS][ROUNDS]; /* with a memory of the last lookups */
};

static struct table table[4 * RTE_DIM(list_size)];
static unsigned n_tables;
static struct acl_memo *memo;
static struct acl_key key[FLOWS]; /* in the order of lookup */
static const struct acl_key *keys[FLOWS];
static struct acl_key6 key6[FLOWS];
static const struct acl_key6 *keys6[FLOWS];
static volatile uint32_t sink;

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "bench-acl: %s: %s\n", what, why);
	exit(1);
}

static void make_table(uint32_t n, bool split, bool ip6, uint64_t seed)
{
	struct table *t = &table[n_tables++];
	struct acl_counters *counters = acl_counters_new(n + 1);
	struct rule *rules = calloc(n, sizeof(rules[0]));
	char why[256];

	if (counters == NULL || rules == NULL || rulegen(rules, n, seed, split, ip6) != 0)
		fail("rules", "out of memory");
	t->n = n;
	t->split = split;
	t->ip6 = ip6;
	t->acl = acl_build(
		rules, n, counters, SOCKET_ID_ANY, &t->stats, NULL, NULL, why, sizeof(why));
	if (t->acl == NULL)
		fail("build", why);
	fprintf(stderr, "%6u rules %s %s: built in %.2f s\n", n, split ? "split" : "same ",
		ip6 ? "IPv6" : "IPv4", (double)t->stats.build_ns / 1e9);
	acl_counters_free(counters);
	free(rules);
}

static void set_algorithm(const char *name)
{
	static const char *const names[] = {
		"default", "scalar", "sse", "avx2", "neon", "altivec", "avx512x16", "avx512x32"};
	unsigned alg = 0;

	while (strcmp(names[alg], name) != 0)
		if (++alg == RTE_DIM(names))
			fail(name, "no such algorithm");
	for (unsigned i = 0; i < n_tables; i++) {
		for (unsigned g = 0; g < ACL_GROUPS; g++) {
			struct rte_acl_ctx *ctx = table[i].acl->group[g].ctx;

			if (ctx &&
				rte_acl_set_ctx_classify(ctx, (enum rte_acl_classify_alg)alg) != 0)
				fail(name, "not on this machine");
		}
	}
}

/* The flows in an order that has neighbours far apart. Classes are equal in all tables' eyes only
 * within one table, so they are set per table. */
static void set_keys(const struct acl *a)
{
	for (unsigned i = 0; i < FLOWS; i++) {
		struct flow f = flow_of(i * 389 % FLOWS);

		key[i] = (struct acl_key){
			.class = acl_class(a, 17, false),
			.src = rte_cpu_to_be_32(f.src),
			.dst = rte_cpu_to_be_32(f.dst),
			.sport = rte_cpu_to_be_16(f.sport),
			.dport = rte_cpu_to_be_16(f.dport),
		};
		keys[i] = &key[i];
		key6[i] = (struct acl_key6){
			.class = key[i].class, .sport = key[i].sport, .dport = key[i].dport};
		flow_addr6(f.src, key6[i].src);
		flow_addr6(f.dst, key6[i].dst);
		keys6[i] = &key6[i];
	}
}

/* n flows from the i-th on. */
static inline void look_up(const struct table *t, unsigned group, unsigned i, uint32_t *verdict,
	unsigned n, bool remember)
{
	if (t->ip6 && remember)
		acl_memo_classify6(memo, t->acl, group, &keys6[i], verdict, n);
	else if (t->ip6)
		acl_classify6(t->acl, group, &keys6[i], verdict, n);
	else if (remember)
		acl_memo_classify(memo, t->acl, group, &keys[i], verdict, n);
	else
		acl_classify(t->acl, group, &keys[i], verdict, n);
}

/* Cycles per packet for both lookups, over all flows, warm. */
static double measure(const struct table *t, unsigned burst, bool remember)
{
	unsigned in = acl_group_of(t->ip6, RULE_IN, RULE_SECURE, RULE_ROUTE, PACKET_WHOLE);
	unsigned out = acl_group_of(t->ip6, RULE_OUT, RULE_NONSECURE, RULE_ROUTE, PACKET_WHOLE);
	bool two = t->acl->group[in].id != t->acl->group[out].id;
	uint32_t verdict[2][ACL_BURST_MAX] = {{0}};
	uint64_t start = 0;

	set_keys(t->acl);
	for (unsigned pass = 0; pass < PASSES + 20; pass++) {
		if (pass == 20)
			start = rte_rdtsc();
		for (unsigned i = 0; i < FLOWS; i += burst) {
			look_up(t, in, i, verdict[0], burst, remember);
			if (two)
				look_up(t, out, i, verdict[1], burst, remember);
			sink = verdict[0][burst - 1] + verdict[1][burst - 1];
		}
	}
	return (double)(rte_rdtsc() - start) / PASSES / FLOWS;
}

/* Every flow must meet the last rule, or the figures are of something else. */
static void check(const struct table *t)
{
	for (unsigned i = 0; i < FLOWS; i++) {
		struct flow f = flow_of(i);
		struct rule_packet p = {.src = addr_of4(f.src),
			.dst = addr_of4(f.dst),
			.proto = 17,
			.sport = f.sport,
			.dport = f.dport,
			.zone = RULE_SECURE,
			.scope = RULE_ROUTE,
			.dir = RULE_IN};

		if (t->ip6) {
			flow_addr6(f.src, p.src.b);
			flow_addr6(f.dst, p.dst.b);
		}
		if (acl_lookup(t->acl, &p) != t->n)
			fail("check", "a flow meets a rule before the last");
		p.dir = RULE_OUT;
		if (acl_lookup(t->acl, &p) != t->n)
			fail("check", "a flow meets a rule before the last");
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(const double v[ROUNDS])
{
	double sorted[ROUNDS];

	memcpy(sorted, v, sizeof(sorted));
	qsort(sorted, ROUNDS, sizeof(sorted[0]), by_value);
	return sorted[ROUNDS / 2];
}

static void print_table(void)
{
	printf("TSC cycles per packet, both lookups; medians of %d rounds\n", ROUNDS);
	printf("%7s %-5s %-6s %9s %9s %9s %8s %9s %8s %9s %9s\n", "rules", "lists", "family",
		"burst 32", "burst 64", "burst 128", "64, memo", "build s", "MB", "contexts",
		"compiled");
	for (unsigned i = 0; i < n_tables; i++) {
		const struct table *t = &table[i];

		printf("%7u %-5s %-6s %9.1f %9.1f %9.1f %8.1f %9.3f %8.1f %9u %9u\n", t->n,
			t->split ? "split" : "same", t->ip6 ? "IPv6" : "IPv4", median(t->cycles[0]),
			median(t->cycles[1]), median(t->cycles[2]), median(t->memo[1]),
			(double)t->stats.build_ns / 1e9, (double)t->stats.bytes / 1e6,
			t->stats.n_contexts, t->stats.n_compiled);
	}
}

static void write_json(const char *path)
{
	FILE *f = fopen(path, "w");

	if (f == NULL)
		fail(path, "cannot be written");
	fprintf(f, "[\n");
	for (unsigned i = 0; i < n_tables; i++) {
		const struct table *t = &table[i];

		for (unsigned b = 0; b < BURSTS; b++) {
			fprintf(f,
				"{\"rules\": %u, \"lists\": \"%s\", \"family\": %u, \"burst\": "
				"%u, ",
				t->n, t->split ? "split" : "same", t->ip6 ? 6 : 4, burst_size[b]);
			fprintf(f,
				"\"cycles_per_packet\": %.2f, \"with_memo\": %.2f, \"rounds\": [",
				median(t->cycles[b]), median(t->memo[b]));
			for (unsigned r = 0; r < ROUNDS; r++)
				fprintf(f, "%s%.2f", r ? ", " : "", t->cycles[b][r]);
			fprintf(f,
				"], \"build_ms\": %.1f, \"bytes\": %zu, \"contexts\": %u, "
				"\"compiled\": %u}%s\n",
				(double)t->stats.build_ns / 1e6, t->stats.bytes,
				t->stats.n_contexts, t->stats.n_compiled,
				i + 1 == n_tables && b + 1 == BURSTS ? "" : ",");
		}
	}
	fprintf(f, "]\n");
	if (fclose(f) != 0)
		fail(path, "cannot be written");
}

/* Hugepages where enough are free, else ordinary memory, which costs TLB misses at 100,000 rules.
 */
static void start_eal(int argc, char **argv)
{
	static char huge[][24] = {
		"bench-acl", "--in-memory", "--no-pci", "--no-telemetry", "--lcores", "0"};
	static char plain[][24] = {"bench-acl", "--no-huge", "-m", "3072", "--no-shconf",
		"--no-pci", "--no-telemetry", "--lcores", "0"};
	char *args[64];
	unsigned long pages = 0, kb = 0;
	FILE *f = fopen("/proc/meminfo", "r");
	int n = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "HugePages_Free: %lu", &pages) == 1)
			continue;
		sscanf(line, "Hugepagesize: %lu", &kb);
	}
	if (f)
		fclose(f);
	if (pages * kb >= 2048 * 1024)
		for (unsigned i = 0; i < RTE_DIM(huge); i++)
			args[n++] = huge[i];
	else
		for (unsigned i = 0; i < RTE_DIM(plain); i++)
			args[n++] = plain[i];
	for (int i = 0; i < argc && n < 63; i++)
		args[n++] = argv[i];
	args[n] = NULL;
	if (rte_eal_init(n, args) < 0)
		fail("EAL", "does not start");
	rte_vect_set_max_simd_bitwidth(RTE_VECT_SIMD_512);
	printf("%s\n", rte_eal_has_hugepages() ? "hugepages" : "no hugepages");
}

static void run_rounds(void)
{
	for (unsigned r = 0; r < ROUNDS; r++)
		for (unsigned b = 0; b < BURSTS; b++)
			for (unsigned i = 0; i < n_tables; i++) {
				table[i].cycles[b][r] = measure(&table[i], burst_size[b], false);
				table[i].memo[b][r] = measure(&table[i], burst_size[b], true);
			}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"json", required_argument, NULL, 'j'},
		{"rules", required_argument, NULL, 'r'}, {"seed", required_argument, NULL, 's'},
		{"algorithm", required_argument, NULL, 'a'}, {"ip6", no_argument, NULL, '6'}, {0}};
	const char *json = NULL, *algorithm = NULL;
	unsigned long max = RULES_MAX;
	uint64_t seed = 1;
	bool ip6 = false;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'j')
			json = optarg;
		else if (c == 'r')
			max = strtoul(optarg, NULL, 10);
		else if (c == 's')
			seed = strtoull(optarg, NULL, 10);
		else if (c == 'a')
			algorithm = optarg;
		else if (c == '6')
			ip6 = true;
		else
			fail("usage", "[--json FILE] [--rules LARGEST] [--seed S] "
				      "[--ip6] [--algorithm NAME] [-- EAL options]");
	}
	start_eal(argc - optind, argv + optind);
	for (unsigned i = 0; i < RTE_DIM(list_size) && list_size[i] <= max; i++) {
		for (int split = 0; split < 2; split++)
			for (int family = 0; family <= ip6; family++)
				make_table(list_size[i], split, family, seed);
	}
	memo = acl_memo_new(SOCKET_ID_ANY);
	if (memo == NULL)
		fail("memo", "out of memory");
	if (algorithm)
		set_algorithm(algorithm);
	for (unsigned i = 0; i < n_tables; i++)
		check(&table[i]);
	run_rounds();
	print_table();
	if (json)
		write_json(json);
	for (unsigned i = 0; i < n_tables; i++)
		acl_free(table[i].acl);
	acl_memo_free(memo);
	rte_eal_cleanup();
	return 0;
}
