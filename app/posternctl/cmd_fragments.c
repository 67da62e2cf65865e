/* posternctl show fragments: datagrams that are being put together, those that were or could not
 * be, and packets that were cut. */
#include "print.h"
#include "rpc.h"

#include <stdio.h>

static json_int_t sum(json_t *object)
{
	json_int_t total = 0;
	const char *key;
	json_t *v;

	json_object_foreach (object, key, v)
		total += json_integer_value(v);
	return total;
}

static void workers(json_t *list)
{
	static const char *const columns[] = {">WORKER", ">WAITING", ">OF", ">FRAGMENTS", ">OF",
		">PUT TOGETHER", ">FAILED", ">CUT"};
	struct table *t = table_new(columns, 8);
	json_t *w;
	size_t i;

	json_array_foreach (list, i, w) {
		table_cell(t, "%lld", (long long)get_int(w, "id"));
		table_cell(t, "%s", print_count(get_int(w, "waiting")));
		table_cell(t, "%s", print_count(get_int(w, "waiting_max")));
		table_cell(t, "%s", print_count(get_int(w, "fragments")));
		table_cell(t, "%s", print_count(get_int(w, "fragments_max")));
		table_cell(t, "%s", print_count(get_int(w, "done")));
		table_cell(t, "%s", print_count(sum(json_object_get(w, "failed"))));
		table_cell(t, "%s", print_count(get_int(w, "cut")));
	}
	table_end(t, "No workers.");
}

static void failed(json_t *reasons)
{
	static const char *const columns[] = {"FAILED BECAUSE", ">DATAGRAMS"};
	struct table *t;
	const char *key;
	json_t *v;

	if (sum(reasons) == 0)
		return;
	putchar('\n');
	t = table_new(columns, 2);
	json_object_foreach (reasons, key, v) {
		if (json_integer_value(v) == 0)
			continue;
		table_cell(t, "%s", print_clean(key));
		table_cell(t, "%s", print_count(json_integer_value(v)));
	}
	table_end(t, NULL);
}

int cmd_fragments(struct tool *t, const struct args *args)
{
	json_t *r;
	int rc = rpc_call(t, "show.fragments", NULL, &r);

	if (rc != EXIT_OK)
		return rc;
	if (t->json) {
		print_json(r);
	} else {
		workers(json_object_get(r, "workers"));
		failed(json_object_get(json_object_get(r, "totals"), "failed"));
	}
	json_decref(r);
	return EXIT_OK;
}
