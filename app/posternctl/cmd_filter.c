/* posternctl show filter: the rules in order; the first that matches wins. */
#include "print.h"
#include "rpc.h"

#include <stdio.h>

struct show {
	struct table *table;
	json_t *build; /* from the first page */
};

static void page(void *arg, json_t *result)
{
	struct show *s = arg;
	json_t *r;
	size_t i;

	if (s->build == NULL)
		s->build = json_incref(json_object_get(result, "build"));
	json_array_foreach (json_object_get(result, "rules"), i, r) {
		json_int_t number = get_int(r, "number");

		table_cell(s->table, "%s", number ? print_count(number) : "-");
		table_cell(s->table, "%s", print_count(get_int(r, "packets")));
		table_cell(s->table, "%s", print_bytes(get_int(r, "bytes")));
		if (json_is_string(json_object_get(r, "tunnel")))
			table_cell(s->table, "%s (tunnel %s)", get_text(r, "text"),
				get_text(r, "tunnel"));
		else
			table_cell(s->table, "%s", get_text(r, "text"));
		if (json_is_true(json_object_get(r, "generated")))
			table_cell(s->table, "generated, tunnel %s", get_text(r, "file"));
		else if (number)
			table_cell(s->table, "%s:%lld", get_text(r, "file"),
				(long long)get_int(r, "line"));
		else
			table_cell(s->table, "%s", "");
	}
	table_flush(s->table);
}

int cmd_filter(struct tool *t, const struct args *args)
{
	static const char *const columns[] = {">RULE", ">PACKETS", ">BYTES", "TEXT", "FROM"};
	struct show s = {.table = table_new(columns, 5)};
	int rc = rpc_pages(t, "show.filter", NULL, "rules", page, &s);

	table_end(s.table, NULL);
	if (rc == EXIT_OK && !t->json && s.build != NULL)
		printf("\n%s rules, compiled to %s in %s tables in %.1f ms; %s can never match\n",
			print_count(get_int(s.build, "rules")),
			print_count(get_int(s.build, "compiled")),
			print_count(get_int(s.build, "contexts")), get_real(s.build, "build_ms"),
			print_count(get_int(s.build, "shadowed")));
	json_decref(s.build);
	return rc;
}
