/* posternctl show ipsec: the tunnels. */
#include "print.h"
#include "rpc.h"

static void way(struct table *t, json_t *sums)
{
	table_cell(t, "%s", print_count(get_int(sums, "packets")));
	table_cell(t, "%s", print_bytes(get_int(sums, "bytes")));
}

static void page(void *arg, json_t *result)
{
	struct table *t = arg;
	json_t *tunnel;
	size_t i;

	json_array_foreach (json_object_get(result, "tunnels"), i, tunnel) {
		const char *iface = get_text(tunnel, "interface");

		table_cell(t, "%s", get_text(tunnel, "name"));
		table_cell(t, "%s", get_text(tunnel, "state"));
		table_cell(t, "%s%s", get_text(tunnel, "protocol"),
			json_is_true(json_object_get(tunnel, "udp")) ? " in udp" : "");
		table_cell(t, "%s", get_text(tunnel, "mode"));
		table_cell(t, "%s", get_text(tunnel, "local"));
		table_cell(t, "%s", get_text(tunnel, "remote"));
		table_cell(t, "%s", *iface ? iface : "-");
		way(t, json_object_get(tunnel, "in"));
		way(t, json_object_get(tunnel, "out"));
		table_cell(t, "%s", print_count(get_int(tunnel, "errors")));
	}
	table_flush(t);
}

int cmd_ipsec(struct tool *t, const struct args *args)
{
	static const char *const columns[] = {"TUNNEL", "STATE", "PROTOCOL", "MODE", "LOCAL",
		"REMOTE", "INTERFACE", ">IN", ">BYTES", ">OUT", ">BYTES", ">ERRORS"};
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	int rc = rpc_pages(t, "show.ipsec", NULL, "tunnels", page, table);

	table_end(table, rc == EXIT_OK && !t->json ? "No tunnels." : NULL);
	return rc;
}
