/* posternctl show workers: what each does, whether the packets add up, what boot chose. */
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
	static const char *const columns[] = {">WORKER", ">CPU", ">SOCKET", "STATE", ">LOAD",
		">RECEIVED", ">SENT", ">GAP 1 S", ">GAP 60 S", ">HANDED OUT", ">IN", ">WAITING",
		">REFUSED", ">SLEEPS"};
	struct table *t = table_new(columns, 14);
	json_t *w;
	size_t i;

	json_array_foreach (list, i, w) {
		table_cell(t, "%lld", (long long)get_int(w, "id"));
		table_cell(t, "%lld", (long long)get_int(w, "lcore"));
		table_cell(t, "%lld", (long long)get_int(w, "socket"));
		table_cell(t, "%s", get_text(w, "state"));
		table_cell(t, "%.1f %%", get_real(w, "load") * 100);
		table_cell(t, "%s", print_count(get_int(w, "received")));
		table_cell(t, "%s", print_count(get_int(w, "sent")));
		table_cell(t, "%s", print_us(get_real(w, "gap_1s_us")));
		table_cell(t, "%s", print_us(get_real(w, "gap_60s_us")));
		table_cell(t, "%s", print_count(sum(json_object_get(w, "handoff_out"))));
		table_cell(t, "%s", print_count(sum(json_object_get(w, "handoff_in"))));
		table_cell(t, "%s", print_count(get_int(w, "neighbour_waiting")));
		table_cell(t, "%s", print_count(sum(json_object_get(w, "refused"))));
		table_cell(t, "%s", print_count(get_int(w, "sleeps")));
	}
	table_end(t, "No workers.");
}

static void refused(json_t *list)
{
	json_t *w, *rings, *v;
	const char *ring;
	size_t i;

	json_array_foreach (list, i, w) {
		rings = json_object_get(w, "refused");
		if (sum(rings) == 0)
			continue;
		printf("worker %lld: refused by full rings:", (long long)get_int(w, "id"));
		json_object_foreach (rings, ring, v)
			if (json_integer_value(v))
				printf(" %s %s", ring, print_count(json_integer_value(v)));
		putchar('\n');
	}
}

static void totals(json_t *t)
{
	static const char *const in[] = {"received", "injected", "created"};
	static const char *const out[] = {"sent", "punted", "dropped", "absorbed", "in_flight"};
	json_int_t balance = get_int(t, "balance");

	printf("\nin   ");
	for (size_t i = 0; i < 3; i++)
		printf("%s%s %s", i ? " + " : "", in[i], print_count(get_int(t, in[i])));
	printf("\nout  ");
	for (size_t i = 0; i < 5; i++)
		printf("%s%s %s", i ? " + " : "", out[i], print_count(get_int(t, out[i])));
	if (balance == 0)
		printf("\n     They are equal.\n");
	else
		printf("\n     They differ by %s (the counters rise while they are read).\n",
			print_count(balance));
}

int cmd_workers(struct tool *t, const struct args *args)
{
	json_t *r, *memory, *note, *list;
	size_t i;
	int rc = rpc_call(t, "show.workers", NULL, &r);

	if (rc != EXIT_OK)
		return rc;
	if (t->json) {
		print_json(r);
	} else {
		list = json_object_get(r, "workers");
		memory = json_object_get(r, "memory");
		workers(list);
		refused(list);
		totals(json_object_get(r, "totals"));
		printf("\nmemory: %s, %s MB, %s packet buffers\n", get_text(memory, "mode"),
			print_count(get_int(memory, "mb")), print_count(get_int(memory, "mbufs")));
		json_array_foreach (json_object_get(r, "notes"), i, note)
			printf("- %s\n", print_clean(json_string_value(note)));
	}
	json_decref(r);
	return EXIT_OK;
}
