/* posternctl show log: the last records of the filter log, oldest first. */
#include "print.h"
#include "rpc.h"

#include <stdio.h>
#include <string.h>

static const char *rule(json_t *r)
{
	static char buf[256];
	json_t *rule = json_object_get(r, "rule");

	if (!json_is_object(rule))
		return "-";
	if (get_int(rule, "number") == 0)
		return "implicit deny";
	snprintf(buf, sizeof(buf), "%lld %s:%lld", (long long)get_int(rule, "number"),
		get_text(rule, "file"), (long long)get_int(rule, "line"));
	return buf;
}

/* For ICMP the ports are type and code. */
static bool is_icmp(json_t *r)
{
	return strncmp(get_text(r, "proto"), "icmp", 4) == 0;
}

static void proto(struct table *t, json_t *r)
{
	if (is_icmp(r) && json_is_integer(json_object_get(r, "sport")))
		table_cell(t, "%s %lld/%lld", get_text(r, "proto"), (long long)get_int(r, "sport"),
			(long long)get_int(r, "dport"));
	else
		table_cell(t, "%s", get_text(r, "proto"));
}

/* An address, and its port; an IPv6 address in brackets then. */
static void endpoint(struct table *t, json_t *r, const char *addr, const char *port)
{
	const char *text = get_text(r, addr);
	bool six = strchr(text, ':') != NULL;

	if (!is_icmp(r) && json_is_integer(json_object_get(r, port)))
		table_cell(t, "%s%s%s:%lld", six ? "[" : "", text, six ? "]" : "",
			(long long)get_int(r, port));
	else
		table_cell(t, "%s", text);
}

static void records(json_t *list)
{
	static const char *const columns[] = {"TIME", "VERDICT", "REASON", "DIRECTION", "IN", "OUT",
		"PROTO", "SOURCE", "DESTINATION", "FLAGS", ">LENGTH", ">LEFT OUT", "RULE"};
	struct table *t = table_new(columns, 13);
	json_t *r;
	size_t i;

	json_array_foreach (list, i, r) {
		const char *in = get_text(r, "in"), *out = get_text(r, "out");
		const char *flags = get_text(r, "flags");

		table_cell(t, "%s", get_text(r, "time"));
		table_cell(t, "%s", get_text(r, "verdict"));
		table_cell(t, "%s", get_text(r, "reason"));
		table_cell(t, "%s", get_text(r, "direction"));
		table_cell(t, "%s", *in ? in : "-");
		table_cell(t, "%s", *out ? out : "-");
		proto(t, r);
		endpoint(t, r, "src", "sport");
		endpoint(t, r, "dst", "dport");
		table_cell(t, "%s", *flags ? flags : "-");
		table_cell(t, "%lld", (long long)get_int(r, "length"));
		table_cell(t, "%s", print_count(get_int(r, "left_out")));
		table_cell(t, "%s", rule(r));
	}
	table_end(t, "The filter log has no records.");
}

int cmd_log(struct tool *t, const struct args *args)
{
	json_t *r, *s;
	int rc = rpc_call(t, "show.log", args->params, &r);

	if (rc != EXIT_OK)
		return rc;
	if (t->json) {
		print_json(r);
	} else {
		s = json_object_get(r, "stats");
		records(json_object_get(r, "records"));
		printf("\n%s records; to %s%s%s: %s written, %s lost; left out by the rate: %s\n",
			print_count(get_int(s, "records")), get_text(s, "to"),
			*get_text(s, "path") ? " " : "", get_text(s, "path"),
			print_count(get_int(s, "written")), print_count(get_int(s, "lost")),
			print_count(get_int(s, "left_out")));
	}
	json_decref(r);
	return EXIT_OK;
}
