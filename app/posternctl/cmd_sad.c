/* posternctl show sad [NAME] [--tunnel NAME]: a line per SA; of one that is named, everything. */
#include "print.h"
#include "rpc.h"

#include <string.h>

/* What is left until the hard limit that comes first, "-" without any. */
static const char *left(json_t *sa)
{
	json_t *hard = json_object_get(json_object_get(sa, "lifetime"), "hard");
	json_t *seconds = json_object_get(hard, "seconds");
	json_t *bytes = json_object_get(hard, "bytes"), *packets = json_object_get(hard, "packets");

	if (json_is_object(seconds))
		return print_span(get_int(seconds, "left"));
	if (json_is_object(bytes))
		return print_bytes(get_int(bytes, "left"));
	return json_is_object(packets) ? print_count(get_int(packets, "left")) : "-";
}

static json_int_t errors(json_t *sa)
{
	json_int_t sum = 0;
	const char *name;
	json_t *n;

	json_object_foreach (json_object_get(sa, "errors"), name, n)
		sum += json_integer_value(n);
	return sum;
}

static void page(void *arg, json_t *result)
{
	struct table *t = arg;
	json_t *sa;
	size_t i;

	json_array_foreach (json_object_get(result, "sas"), i, sa) {
		const char *name = get_text(sa, "name");

		table_cell(t, "%s", *name ? name : "-");
		table_cell(t, "%s", get_text(sa, "tunnel"));
		table_cell(t, "%s", get_text(sa, "direction"));
		table_cell(t, "%s", get_text(sa, "protocol"));
		table_cell(t, "%s", get_text(sa, "spi"));
		table_cell(t, "%s", get_text(sa, "suite"));
		table_cell(t, "%lld", (long long)get_int(sa, "worker"));
		table_cell(t, "%s", print_count(get_int(sa, "sequence")));
		table_cell(t, "%s", print_count(get_int(sa, "packets")));
		table_cell(t, "%s", print_bytes(get_int(sa, "bytes")));
		table_cell(t, "%s", print_count(errors(sa)));
		table_cell(t, "%s", left(sa));
	}
	table_flush(t);
}

static void limits(const char *which, json_t *lifetime)
{
	json_t *l = json_object_get(lifetime, which);
	static const char *const names[] = {"seconds", "bytes", "packets"};

	for (unsigned i = 0; i < 3; i++) {
		json_t *limit = json_object_get(l, names[i]);

		if (json_is_object(limit))
			printf("  %s limit   %s %s, %s left\n", which,
				print_count(get_int(limit, "limit")), names[i],
				print_count(get_int(limit, "left")));
	}
}

static void all_of(json_t *sa)
{
	json_t *udp = json_object_get(sa, "udp"), *n;
	const char *name;
	json_t *sel;
	size_t i;

	printf("%s: %s SA of tunnel %s, %s %s, SPI %s, %s\n", get_text(sa, "name"),
		strcmp(get_text(sa, "direction"), "in") == 0 ? "inbound" : "outbound",
		get_text(sa, "tunnel"), get_text(sa, "protocol"), get_text(sa, "mode"),
		get_text(sa, "spi"), get_text(sa, "suite"));
	printf("  ends         %s (us) and %s", get_text(sa, "local"), get_text(sa, "remote"));
	if (json_is_object(udp))
		printf(", UDP %lld to %lld", (long long)get_int(udp, "local_port"),
			(long long)get_int(udp, "remote_port"));
	printf("\n  worker       %lld\n", (long long)get_int(sa, "worker"));
	printf("  sequence     %s%s\n", print_count(get_int(sa, "sequence")),
		json_is_true(json_object_get(sa, "esn")) ? " (extended)" : "");
	if (json_is_integer(json_object_get(sa, "window")))
		printf("  window       %s packets\n", print_count(get_int(sa, "window")));
	if (json_is_integer(json_object_get(sa, "path_mtu")))
		printf("  path MTU     %s\n", print_count(get_int(sa, "path_mtu")));
	printf("  processed    %s packets, %s; %s dummies\n", print_count(get_int(sa, "packets")),
		print_bytes(get_int(sa, "bytes")), print_count(get_int(sa, "dummies")));
	json_object_foreach (json_object_get(sa, "errors"), name, n)
		printf("  refused      %s: %s\n", print_count(json_integer_value(n)), name);
	limits("soft", json_object_get(sa, "lifetime"));
	limits("hard", json_object_get(sa, "lifetime"));
	json_array_foreach (json_object_get(sa, "selectors"), i, sel)
		printf("  carries      %s -> %s, %s\n", get_text(sel, "src"), get_text(sel, "dst"),
			get_text(sel, "proto"));
	printf("  origin       %s, %s ago%s%s\n", get_text(sa, "origin"),
		print_span(get_int(sa, "age_s")), *get_text(sa, "key_created") ? ", key made " : "",
		get_text(sa, "key_created"));
	if (!json_is_true(json_object_get(sa, "in_use")))
		printf("  not in use: a newer SA of its tunnel is\n");
}

static int named(struct tool *t, json_t *params)
{
	json_t *result, *list;
	int rc = rpc_call(t, "show.sad", params, &result);

	if (rc != EXIT_OK)
		return rc;
	list = json_object_get(result, "sas");
	if (t->json)
		print_json(result);
	else if (json_array_size(list) == 0)
		printf("There is no SA \"%s\".\n", get_text(params, "name"));
	else
		all_of(json_array_get(list, 0));
	rc = json_array_size(list) ? EXIT_OK : EXIT_REFUSED;
	json_decref(result);
	return rc;
}

int cmd_sad(struct tool *t, const struct args *args)
{
	static const char *const columns[] = {"SA", "TUNNEL", "DIRECTION", "PROTOCOL", "SPI",
		"SUITE", ">WORKER", ">SEQUENCE", ">PACKETS", ">BYTES", ">ERRORS", ">LEFT"};
	struct table *table;
	int rc;

	if (json_object_get(args->params, "name") != NULL)
		return named(t, args->params);
	table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	rc = rpc_pages(t, "show.sad", args->params, "sas", page, table);
	table_end(table, rc == EXIT_OK && !t->json ? "No security associations." : NULL);
	return rc;
}
