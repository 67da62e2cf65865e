/* posternctl show neighbours. */
#include "print.h"
#include "rpc.h"

static void page(void *arg, json_t *result)
{
	struct table *t = arg;
	json_t *n;
	size_t i;

	json_array_foreach (json_object_get(result, "neighbours"), i, n) {
		const char *mac = get_text(n, "mac");

		table_cell(t, "%s", get_text(n, "address"));
		table_cell(t, "%s", get_text(n, "interface"));
		table_cell(t, "%s", *mac ? mac : "-");
		table_cell(t, "%s", get_text(n, "state"));
		table_cell(t, "%s", print_span(get_int(n, "age_ms") / 1000));
		table_cell(t, "%lld", (long long)get_int(n, "routes"));
	}
	table_flush(t);
}

int cmd_neighbours(struct tool *t, const struct args *args)
{
	static const char *const columns[] = {
		"ADDRESS", "INTERFACE", "MAC", "STATE", ">SINCE", ">ROUTES"};
	struct table *table = table_new(columns, 6);
	int rc = rpc_pages(t, "show.neighbours", NULL, "neighbours", page, table);

	table_end(table, rc == EXIT_OK && !t->json ? "No neighbours." : NULL);
	return rc;
}
