/* posternctl show routes: one line per next hop; further ones of a multipath route stand below it.
 */
#include "print.h"
#include "rpc.h"

#include <string.h>

static void hop(struct table *t, json_t *h)
{
	const char *via = get_text(h, "via"), *state = get_text(h, "neighbour");
	const char *link = get_text(h, "link");

	table_cell(t, "%s", *via ? via : "-");
	table_cell(t, "%s", h ? get_text(h, "interface") : "-");
	/* without a link it matters no more who would be there */
	table_cell(t, "%s", strcmp(link, "down") == 0 ? "link down" : *state ? state : "-");
}

static void page(void *arg, json_t *result)
{
	struct table *t = arg;
	json_t *r, *hops;
	size_t i;

	json_array_foreach (json_object_get(result, "routes"), i, r) {
		size_t n, k;

		hops = json_object_get(r, "next_hops");
		n = json_array_size(hops);
		for (k = 0; k == 0 || k < n; k++) {
			table_cell(t, "%s", k ? "" : get_text(r, "to"));
			table_cell(t, "%s", k ? "" : get_text(r, "type"));
			table_cell(t, "%s", k ? "" : get_text(r, "state"));
			hop(t, json_array_get(hops, k));
			table_cell(t, "%s", k ? "" : get_text(r, "origin"));
		}
	}
	table_flush(t);
}

int cmd_routes(struct tool *t, const struct args *args)
{
	static const char *const columns[] = {
		"DESTINATION", "TYPE", "STATE", "VIA", "INTERFACE", "NEIGHBOUR", "ORIGIN"};
	struct table *table = table_new(columns, 7);
	int rc = rpc_pages(t, "show.routes", NULL, "routes", page, table);

	table_end(table, rc == EXIT_OK && !t->json ? "No routes." : NULL);
	return rc;
}
