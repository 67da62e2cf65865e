/* posternctl show graph [--dot]: the nodes in packet order, or a drawing for Graphviz. */
#include "print.h"
#include "rpc.h"

#include <stdio.h>

static void nodes(json_t *list)
{
	static const char *const columns[] = {"NODE", ">PACKETS", ">CALLS", ">PACKETS/CALL",
		">CYCLES/PACKET", ">REALLOCS", "NEXT"};
	struct table *t = table_new(columns, 7);
	json_t *n;
	size_t i;

	json_array_foreach (list, i, n) {
		table_cell(t, "%s", get_text(n, "name"));
		table_cell(t, "%s", print_count(get_int(n, "packets")));
		table_cell(t, "%s", print_count(get_int(n, "calls")));
		table_cell(t, "%.1f", get_real(n, "packets_per_call"));
		table_cell(t, "%.1f", get_real(n, "cycles_per_packet"));
		table_cell(t, "%s", print_count(get_int(n, "reallocs")));
		table_cell(t, "%s", get_list(n, "next", ", "));
	}
	table_end(t, "No nodes.");
}

int cmd_graph(struct tool *t, const struct args *args)
{
	json_t *r;
	int rc = rpc_call(t, "show.graph", NULL, &r);

	if (rc != EXIT_OK)
		return rc;
	if (args->own)
		fputs(json_string_value(json_object_get(r, "dot")) ?: "", stdout);
	else if (t->json)
		print_json(r);
	else
		nodes(json_object_get(r, "nodes"));
	json_decref(r);
	return EXIT_OK;
}
