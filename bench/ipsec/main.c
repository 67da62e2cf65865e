/* IPsec as a whole: what a packet costs from port to port, in and out of tunnels, beside what its
 * encryption costs in the bare library.
 *
 *     bench-ipsec [--json FILE] [--suites LIST] [--sizes 64,1438,imix] [--sas LIST] [--rounds N]
 *                 [--burst-bytes N] [--quick]
 *
 * One worker in this process, ports that are rings, filter and policies looked up, replay window
 * on. Packets are made outside of what is measured: inbound ones by a peer with the same keys, so
 * that sequence numbers rise. Cycles of the TSC per packet, medians of interleaved rounds; only
 * ratios within one run mean anything.
 */
#include "world.h"

#include <rte_cycles.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CASES_MAX 2048
#define CYCLES_PER_RUN 8000000 /* about 3 ms */
#define SAS_MAX 32

struct result {
	char suite[SUITE_NAME_MAX];
	uint8_t proto;
	bool in;
	enum size size;
	unsigned sas;
	double raw[ROUNDS_MAX], whole[ROUNDS_MAX]; /* cycles per packet */
};

static struct result result[CASES_MAX];
static unsigned n_results, rounds = 5, n_sas = 2, sas_of[SAS_MAX] = {1, 10000};
static const char *const size_name[SIZES] = {"64", "1438", "imix"};

void die(const char *what, const char *why)
{
	fprintf(stderr, "bench-ipsec: %s: %s\n", what, why);
	exit(1);
}

static bool listed(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = list; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
		if (strncmp(p, name, n) == 0 && (p[n] == ',' || p[n] == '\0'))
			return true;
	return list == NULL;
}

/* Many SAs and the mix with the suite that everybody uses alone, unless it was asked for. */
static bool wanted(const char *suite, bool all, unsigned sas, enum size size)
{
	return all || strcmp(suite, "aes128gcm16") == 0 || strcmp(suite, "aes128-sha1") == 0 ||
	       strcmp(suite, "aes128-sha256") == 0 || (sas == 1 && size != SIZE_IMIX);
}

static void add_case(const char *name, uint8_t proto, unsigned sas, enum size size, bool in)
{
	if (n_results == CASES_MAX)
		die("suites", "too many");
	result[n_results] = (struct result){.proto = proto, .in = in, .size = size, .sas = sas};
	snprintf(result[n_results++].suite, SUITE_NAME_MAX, "%s", name);
}

static void add_cases(const char *suites, const char *sizes)
{
	static const uint8_t proto[] = {PROTO_ESP, PROTO_AH};
	struct suite s;
	char name[SUITE_NAME_MAX];

	for (unsigned p = 0; p < 2; p++)
		for (unsigned n = 0; suite_nth(proto[p], n, &s); n++) {
			if (!listed(suites, suite_format(&s, name)))
				continue;
			for (unsigned k = 0; k < n_sas; k++)
				for (unsigned z = 0; z < 2 * SIZES; z++)
					if (listed(sizes, size_name[z / 2]) &&
						wanted(name, suites != NULL, sas_of[k],
							(enum size)(z / 2)))
						add_case(name, proto[p], sas_of[k],
							(enum size)(z / 2), z % 2);
		}
	if (n_results == 0)
		die("usage", "no such suite or size");
}

/* By its fastest way; see bench/crypto. */
static double run_raw(struct raw *raw, const struct suite *suite, const struct result *r)
{
	struct sample s;
	double best = 0;

	sample_make(&s, suite, r->proto, r->size, r->in, 1);
	for (unsigned way = 0; way < RAW_WAYS; way++) {
		unsigned passes;
		double cycles;

		if (!raw_prepare(raw, (enum raw_way)way, &s))
			continue;
		raw_run(raw, (enum raw_way)way, &s, 2);
		passes = 1 + (unsigned)(CYCLES_PER_RUN / 4 /
					(1 + raw_run(raw, (enum raw_way)way, &s, 1)));
		cycles = (double)raw_run(raw, (enum raw_way)way, &s, passes) / passes / OPS;
		if (best == 0 || cycles < best)
			best = cycles;
	}
	sample_free(&s);
	return best;
}

static void measure(struct raw *raw, struct result *r, unsigned round)
{
	static struct suite made;
	static unsigned made_sas;
	struct suite suite;
	unsigned passes;
	char why[160];

	if (!suite_parse(r->suite, r->proto, &suite, why, sizeof(why)))
		die(r->suite, why);
	if (memcmp(&made, &suite, sizeof(made)) != 0 || made_sas != r->sas) {
		world_make(&suite, r->proto, r->sas);
		made = suite;
		made_sas = r->sas;
	}
	r->raw[round] = run_raw(raw, &suite, r);
	world_run(r->size, r->in, 1 + (r->sas > 1 ? r->sas / OPS : 8)); /* warm */
	passes = 1 + (unsigned)(CYCLES_PER_RUN / (1 + world_run(r->size, r->in, 1)));
	passes = RTE_MAX(passes, r->sas / OPS);
	r->whole[round] = (double)world_run(r->size, r->in, passes) / passes / OPS;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(const double *v)
{
	double sorted[ROUNDS_MAX];

	memcpy(sorted, v, rounds * sizeof(sorted[0]));
	qsort(sorted, rounds, sizeof(sorted[0]), by_value);
	return sorted[rounds / 2];
}

static void print_table(void)
{
	printf("TSC cycles per packet, medians of %u rounds\n", rounds);
	printf("%-20s %-3s %-3s %-5s %6s %9s %9s %6s %7s\n", "suite", "", "", "frame", "SAs",
		"library", "whole", "ratio", "above");
	for (unsigned i = 0; i < n_results; i++) {
		const struct result *r = &result[i];
		double raw = median(r->raw), whole = median(r->whole);

		printf("%-20s %-3s %-3s %-5s %6u %9.0f %9.0f %6.2f %7.0f\n", r->suite,
			r->proto == PROTO_AH ? "AH" : "ESP", r->in ? "in" : "out",
			size_name[r->size], r->sas, raw, whole, whole / raw, whole - raw);
	}
}

static void write_rounds(FILE *f, const char *name, const double *v)
{
	fprintf(f, ", \"%s\": [", name);
	for (unsigned i = 0; i < rounds; i++)
		fprintf(f, "%s%.1f", i ? ", " : "", v[i]);
	fputc(']', f);
}

static void write_json(const char *path)
{
	FILE *f = fopen(path, "w");

	if (f == NULL)
		die(path, "can't be written");
	fprintf(f, "[\n");
	for (unsigned i = 0; i < n_results; i++) {
		const struct result *r = &result[i];

		fprintf(f,
			"{\"suite\": \"%s\", \"protocol\": \"%s\", \"direction\": \"%s\", "
			"\"size\": \"%s\", \"sas\": %u",
			r->suite, r->proto == PROTO_AH ? "ah" : "esp", r->in ? "in" : "out",
			size_name[r->size], r->sas);
		write_rounds(f, "library", r->raw);
		write_rounds(f, "whole", r->whole);
		fprintf(f, "}%s\n", i + 1 == n_results ? "" : ",");
	}
	fprintf(f, "]\n");
	if (fclose(f) != 0)
		die(path, "can't be written");
}

static unsigned number(const char *s, unsigned max)
{
	unsigned long v = strtoul(s, NULL, 10);

	if (v < 1 || v > max)
		die(s, "out of range");
	return (unsigned)v;
}

static void sas_list(const char *s)
{
	for (n_sas = 0; s && n_sas < SAS_MAX; s = strchr(s, ',') ? strchr(s, ',') + 1 : NULL)
		sas_of[n_sas++] = number(s, 50000);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"json", required_argument, NULL, 'j'},
		{"suites", required_argument, NULL, 's'}, {"sizes", required_argument, NULL, 'z'},
		{"rounds", required_argument, NULL, 'r'}, {"sas", required_argument, NULL, 'n'},
		{"burst-bytes", required_argument, NULL, 'b'}, {"quick", no_argument, NULL, 'q'},
		{0}};
	const char *json = NULL, *suites = NULL, *sizes = NULL;
	unsigned burst_bytes = 32768;
	struct raw *raw;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'j')
			json = optarg;
		else if (c == 's')
			suites = optarg;
		else if (c == 'z')
			sizes = optarg;
		else if (c == 'r')
			rounds = number(optarg, ROUNDS_MAX);
		else if (c == 'n')
			sas_list(optarg);
		else if (c == 'b')
			burst_bytes = number(optarg, 1048576);
		else if (c == 'q')
			suites = "aes128gcm16,aes128-sha1,aes128-sha256", rounds = 3;
		else
			die("usage", "[--json FILE] [--suites LIST] [--sizes 64,1438,imix] [--sas "
				     "1,10000] [--rounds N] [--burst-bytes N] [--quick]");
	}
	add_cases(suites, sizes);
	world_boot(64, burst_bytes);
	raw = raw_new();
	for (unsigned round = 0; round < rounds; round++)
		for (unsigned i = 0; i < n_results; i++) {
			if (i % 16 == 0)
				fprintf(stderr, "round %u of %u, %3u%%\n", round + 1, rounds,
					100 * i / n_results);
			measure(raw, &result[i], round);
		}
	print_table();
	if (json)
		write_json(json);
	raw_free(raw);
	world_end();
	return 0;
}
