/* posternctl show spd: the security policies in order. */
#include "print.h"
#include "rpc.h"

#include <string.h>

struct pages {
	struct table *table;
	char others[16];
};

/* "443", "icmp type 8", "" for any. */
static void ports(struct table *t, json_t *sel, const char *port, const char *icmp)
{
	const char *text = get_text(sel, port);

	if (*text == '\0')
		text = get_text(sel, icmp);
	table_cell(t, "%s", strcmp(text, "any") == 0 ? "-" : text);
}

static void page(void *arg, json_t *result)
{
	struct pages *pages = arg;
	struct table *t = pages->table;
	json_t *p;
	size_t i;

	json_array_foreach (json_object_get(result, "policies"), i, p) {
		json_t *sel = json_object_get(p, "selector");
		const char *name = get_text(p, "name"), *tunnel = get_text(p, "tunnel");
		const char *file = get_text(p, "file");

		table_cell(t, "%lld", (long long)get_int(p, "number"));
		table_cell(t, "%s", *name ? name : "-");
		table_cell(t, "%s", get_text(p, "action"));
		table_cell(t, "%s", *tunnel ? tunnel : "-");
		table_cell(t, "%s", get_text(p, "direction"));
		table_cell(t, "%s", get_text(sel, "src"));
		table_cell(t, "%s", get_text(sel, "dst"));
		table_cell(t, "%s", get_text(sel, "proto"));
		ports(t, sel, "sport", "icmp_type");
		ports(t, sel, "dport", "icmp_code");
		if (*file)
			table_cell(t, "%s:%lld", file, (long long)get_int(p, "line"));
		else
			table_cell(t, "%s", get_text(p, "origin"));
	}
	snprintf(pages->others, sizeof(pages->others), "%s", get_text(result, "others"));
	table_flush(t);
}

int cmd_spd(struct tool *t, const struct args *args)
{
	static const char *const columns[] = {">#", "NAME", "ACTION", "TUNNEL", "DIRECTION",
		"SOURCE", "DESTINATION", "PROTO", "SPORT/TYPE", "DPORT/CODE", "FROM"};
	struct pages pages = {.table = table_new(columns, sizeof(columns) / sizeof(columns[0]))};
	int rc = rpc_pages(t, "show.spd", NULL, "policies", page, &pages);

	table_end(pages.table, rc == EXIT_OK && !t->json ? "No policies." : NULL);
	if (rc == EXIT_OK && !t->json)
		printf("Packets that no policy is about: %s.\n", pages.others);
	return rc;
}
