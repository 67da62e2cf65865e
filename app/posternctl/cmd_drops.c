/* posternctl show drops [--sample] [--reason NAME] [--all]: where did my packet go? */
#include "print.h"
#include "rpc.h"

#include <stdio.h>
#include <string.h>

static void rule(json_t *r)
{
	const char *file = get_text(r, "file");

	if (!json_is_object(r))
		return;
	if (*file)
		printf("      rule %s, %s:%lld: %s\n", print_count(get_int(r, "number")), file,
			(long long)get_int(r, "line"), get_text(r, "text"));
	else
		printf("      rule %s: %s\n",
			get_int(r, "number") ? print_count(get_int(r, "number")) : "-",
			get_text(r, "text"));
}

/* Offset and 32 bytes a line. */
static void hex(const char *digits)
{
	size_t len = strlen(digits);

	for (size_t i = 0; i < len; i += 64) {
		printf("      %04zx ", i / 2);
		for (size_t k = i; k < i + 64 && k + 1 < len; k += 2)
			printf("%s%.2s", k % 8 == 0 ? " " : "", digits + k);
		putchar('\n');
	}
}

static void sample(json_t *s)
{
	const char *in = get_text(s, "in"), *out = get_text(s, "out");

	printf("    %s  in %s, out %s, worker %lld\n", get_text(s, "time"), *in ? in : "-",
		*out ? out : "-", (long long)get_int(s, "worker"));
	printf("      %s\n", get_text(s, "packet"));
	rule(json_object_get(s, "rule"));
	hex(get_text(s, "hex"));
}

static void with_samples(json_t *list)
{
	json_t *d, *s;
	size_t i, k;

	json_array_foreach (list, i, d) {
		json_t *samples = json_object_get(d, "samples");

		if (i > 0)
			putchar('\n');
		print_bold(get_text(d, "reason"));
		printf("  %s packet%s. %s\n", print_count(get_int(d, "packets")),
			get_int(d, "packets") == 1 ? "" : "s", get_text(d, "sentence"));
		json_array_foreach (samples, k, s)
			sample(s);
		if (json_array_size(samples) == 0)
			printf("    (no sample: of each walk only a few are kept)\n");
	}
	if (json_array_size(list) == 0)
		printf("No packet was dropped.\n");
}

static void counts(json_t *list)
{
	static const char *const columns[] = {"REASON", ">PACKETS", "ROOM", "MEANING"};
	struct table *t = table_new(columns, 4);
	json_t *d;
	size_t i;

	json_array_foreach (list, i, d) {
		table_cell(t, "%s", get_text(d, "reason"));
		table_cell(t, "%s", print_count(get_int(d, "packets")));
		table_cell(t, "%s", get_text(d, "room"));
		table_cell(t, "%s", get_text(d, "sentence"));
	}
	table_end(t, "No packet was dropped.");
}

int cmd_drops(struct tool *t, const struct args *args)
{
	json_t *r;
	int rc = rpc_call(t, "show.drops", args->params, &r);

	if (rc != EXIT_OK)
		return rc;
	if (t->json) {
		print_json(r);
	} else if (json_is_true(json_object_get(args->params, "sample"))) {
		with_samples(json_object_get(r, "drops"));
	} else {
		counts(json_object_get(r, "drops"));
		if (json_object_get(args->params, "reason") == NULL && get_int(r, "total") > 0)
			printf("\n%s packets in all. The last of each: show drops --sample\n",
				print_count(get_int(r, "total")));
	}
	json_decref(r);
	return EXIT_OK;
}
