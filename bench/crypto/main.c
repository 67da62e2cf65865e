/* The crypto alone: what mb_crypt costs beside the bare library, for each suite of ESP and AH.
 *
 *     bench-crypto [--json FILE] [--suites LIST] [--sizes 64,1438,imix] [--rounds N] [--burst N]
 *                  [--sas N] [-- EAL options]
 *
 * Cycles of the TSC per packet, warm (64 packets, the same again and again), of the library by its
 * fastest way with full lanes (1.00), of mb_crypt, in bursts of 64 that it has to finish, and of
 * esp_out_burst and the like as a whole. With
 * --sas each packet has another of N SAs for mb_crypt, so that keys come from memory; the library
 * keeps the one. Rounds are interleaved, medians; only ratios within one run mean anything.
 */
#include "crypto.h"

#include <rte_cycles.h>
#include <rte_eal.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CYCLES_PER_RUN 4000000 /* about 1.5 ms */
#define CASES_MAX 1024

struct result {
	char suite[SUITE_NAME_MAX];
	uint8_t proto;
	bool in;
	enum size size;
	double raw[RAW_WAYS][ROUNDS_MAX], mb[ROUNDS_MAX],
		esp[ROUNDS_MAX]; /* cycles per packet; raw 0: no such way */
};

static struct result result[CASES_MAX];
static unsigned n_results, rounds = 5, burst = OPS, sas = 1;
static const char *const size_name[SIZES] = {"64", "1438", "imix"};

void die(const char *what, const char *why)
{
	fprintf(stderr, "bench-crypto: %s: %s\n", what, why);
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

static void add_cases(const char *suites, const char *sizes)
{
	static const uint8_t proto[] = {PROTO_ESP, PROTO_AH};
	struct suite s;
	char name[SUITE_NAME_MAX];

	for (unsigned p = 0; p < 2; p++)
		for (unsigned n = 0; suite_nth(proto[p], n, &s); n++) {
			if (!listed(suites, suite_format(&s, name)))
				continue;
			for (int in = 0; in < 2; in++)
				for (unsigned size = 0; size < SIZES; size++) {
					struct result *r = &result[n_results];

					if (!listed(sizes, size_name[size]))
						continue;
					if (n_results++ == CASES_MAX)
						die("suites", "too many");
					memcpy(r->suite, name, sizeof(name));
					r->proto = proto[p];
					r->in = in;
					r->size = (enum size)size;
				}
		}
	if (n_results == 0)
		die("usage", "no such suite or size");
}

static uint64_t mb_run(struct mb *mb, struct sample *s, unsigned passes)
{
	uint64_t start, cycles = 0;

	for (unsigned p = 0; p < passes; p++) {
		sample_next(s);
		start = rte_rdtsc();
		for (unsigned i = 0; i < OPS; i += burst)
			mb_crypt(mb, s->op + i, RTE_MIN(burst, OPS - i));
		cycles += rte_rdtsc() - start;
	}
	return cycles;
}

static void measure(
	struct raw *raw, struct mb *mb, struct esp *esp, struct result *r, unsigned round)
{
	struct sample s;
	struct suite suite;
	char why[160];
	unsigned passes;

	if (!suite_parse(r->suite, r->proto, &suite, why, sizeof(why)))
		die(r->suite, why);
	sample_make(&s, &suite, r->proto, r->size, r->in, sas);
	mb_run(mb, &s, 2); /* warm, and how long it takes */
	passes = 1 + (unsigned)(CYCLES_PER_RUN / (1 + mb_run(mb, &s, 1)));
	for (unsigned way = 0; way < RAW_WAYS; way++) {
		if (!raw_prepare(raw, (enum raw_way)way, &s))
			continue;
		raw_run(raw, (enum raw_way)way, &s, 2);
		r->raw[way][round] =
			(double)raw_run(raw, (enum raw_way)way, &s, passes) / passes / OPS;
	}
	mb_run(mb, &s, 2);
	r->mb[round] = (double)mb_run(mb, &s, passes) / passes / OPS;
	esp_make(esp, &s, r->size);
	esp_run(esp, mb, 2, burst);
	r->esp[round] = (double)esp_run(esp, mb, passes, burst) / passes / OPS;
	esp_drop(esp);
	sample_free(&s);
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

/* The way with the lowest median. */
static unsigned best_way(const struct result *r)
{
	unsigned best = RAW_WAYS;

	for (unsigned way = 0; way < RAW_WAYS; way++) {
		double m = median(r->raw[way]);

		if (m > 0 && (best == RAW_WAYS || m < median(r->raw[best])))
			best = way;
	}
	return best;
}

static void print_table(void)
{
	printf("TSC cycles per packet, medians of %u rounds; bursts of %u, %u SAs; whole: esp_out, "
	       "esp_in, ah_out, ah_in\n",
		rounds, burst, sas);
	printf("%-20s %-3s %-4s %-5s %9s %-6s %9s %6s %9s %6s\n", "suite", "", "", "frame",
		"library", "", "mb_crypt", "ratio", "whole", "ratio");
	for (unsigned i = 0; i < n_results; i++) {
		const struct result *r = &result[i];
		unsigned way = best_way(r);
		double raw = median(r->raw[way]), mb = median(r->mb), esp = median(r->esp);

		printf("%-20s %-3s %-4s %-5s %9.0f %-6s %9.0f %6.2f %9.0f %6.2f\n", r->suite,
			r->proto == PROTO_AH ? "AH" : "ESP", r->in ? "in" : "out",
			size_name[r->size], raw, raw_name[way], mb, mb / raw, esp, esp / raw);
	}
}

static void write_rounds(FILE *f, const double *v)
{
	fputc('[', f);
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
			"\"size\": "
			"\"%s\", \"burst\": %u, \"sas\": %u, \"best\": \"%s\", \"mb_crypt\": ",
			r->suite, r->proto == PROTO_AH ? "ah" : "esp", r->in ? "in" : "out",
			size_name[r->size], burst, sas, raw_name[best_way(r)]);
		write_rounds(f, r->mb);
		fprintf(f, ", \"whole\": ");
		write_rounds(f, r->esp);
		for (unsigned way = 0; way < RAW_WAYS; way++)
			if (r->raw[way][0] > 0) {
				fprintf(f, ", \"%s\": ", raw_name[way]);
				write_rounds(f, r->raw[way]);
			}
		fprintf(f, "}%s\n", i + 1 == n_results ? "" : ",");
	}
	fprintf(f, "]\n");
	if (fclose(f) != 0)
		die(path, "can't be written");
}

static void start_eal(int argc, char **argv)
{
	static char arg[][24] = {"bench-crypto", "--no-huge", "-m", "512", "--no-shconf",
		"--no-pci", "--no-telemetry", "--log-level", "5", "--lcores", "0"};
	char *args[64];
	int n = 0;

	for (; n < (int)RTE_DIM(arg); n++)
		args[n] = arg[n];
	for (int i = 0; i < argc && n < 63; i++)
		args[n++] = argv[i];
	args[n] = NULL;
	if (rte_eal_init(n, args) < 0)
		die("EAL", "does not start");
}

static void run_rounds(void)
{
	struct mb *mb = mb_new(SOCKET_ID_ANY);
	struct raw *raw = raw_new();
	struct esp *esp = esp_new();
	bool terminal = isatty(2);

	if (mb == NULL)
		die("mb", "out of memory");
	for (unsigned round = 0; round < rounds; round++)
		for (unsigned i = 0; i < n_results; i++) {
			if (terminal || i == 0)
				fprintf(stderr, "%sround %u of %u, %3u%% %s", terminal ? "\r" : "",
					round + 1, rounds, 100 * i / n_results,
					terminal ? "" : "\n");
			measure(raw, mb, esp, &result[i], round);
		}
	if (terminal)
		fprintf(stderr, "\r%40s\r", "");
	esp_free(esp);
	raw_free(raw);
	mb_free(mb);
}

static unsigned number(const char *s, unsigned max)
{
	unsigned long v = strtoul(s, NULL, 10);

	if (v < 1 || v > max)
		die(s, "out of range");
	return (unsigned)v;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"json", required_argument, NULL, 'j'},
		{"suites", required_argument, NULL, 's'}, {"sizes", required_argument, NULL, 'z'},
		{"rounds", required_argument, NULL, 'r'}, {"burst", required_argument, NULL, 'b'},
		{"sas", required_argument, NULL, 'n'}, {0}};
	const char *json = NULL, *suites = NULL, *sizes = NULL;
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
		else if (c == 'b')
			burst = number(optarg, OPS);
		else if (c == 'n')
			sas = number(optarg, 100000);
		else
			die("usage", "[--json FILE] [--suites LIST] [--sizes 64,1438,imix] "
				     "[--rounds N] [--burst N] [--sas N] [-- EAL options]");
	}
	add_cases(suites, sizes);
	start_eal(argc - optind, argv + optind);
	run_rounds();
	print_table();
	if (json)
		write_json(json);
	rte_eal_cleanup();
	return 0;
}
