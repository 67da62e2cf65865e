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

static double recent_s(json_t *list)
{
	return get_real(json_array_get(list, 0), "recent_s");
}

static void queues(struct table *t, json_t *list)
{
	char text[256] = "-";
	size_t i, at = 0;
	json_t *q;

	json_array_foreach (list, i, q) {
		int n = snprintf(text + at, sizeof(text) - at, "%s%s:%lld", at ? " " : "",
			get_text(q, "port"), (long long)get_int(q, "queue"));

		if (n < 0 || (size_t)n >= sizeof(text) - at) {
			snprintf(text + sizeof(text) - 4, 4, "...");
			break;
		}
		at += (size_t)n;
	}
	table_cell(t, "%s", text);
}

/* The share of its packets that a worker sent on at once, as it knew their flows. */
static void known_flows(struct table *t, json_t *w)
{
	json_int_t received = get_int(w, "received");
	double hits = (double)get_int(w, "flow_hits");

	if (received == 0)
		table_cell(t, "-");
	else
		table_cell(t, "%.1f %%", hits / (double)received * 100);
}

static void workers(json_t *list)
{
	static const char *const columns[] = {">WORKER", ">CPU", ">SOCKET", "STATE", ">LOAD",
		">OVERALL", ">RECEIVED", ">KNOWN FLOWS", ">SENT", ">GAP 1 S", ">GAP 60 S",
		">WAITING", ">SLEEPS", "QUEUES"};
	struct table *t = table_new(columns, 14);
	json_t *w, *cpu;
	size_t i;

	json_array_foreach (list, i, w) {
		cpu = json_object_get(w, "cpu");
		table_cell(t, "%lld", (long long)get_int(w, "id"));
		table_cell(
			t, "%s", json_is_integer(cpu) ? print_count(json_integer_value(cpu)) : "-");
		table_cell(t, "%lld", (long long)get_int(w, "socket"));
		table_cell(t, "%s", get_text(w, "state"));
		table_cell(t, "%.1f %%", get_real(w, "load_recent") * 100);
		table_cell(t, "%.1f %%", get_real(w, "load") * 100);
		table_cell(t, "%s", print_count(get_int(w, "received")));
		known_flows(t, w);
		table_cell(t, "%s", print_count(get_int(w, "sent")));
		table_cell(t, "%s", print_us(get_real(w, "gap_1s_us")));
		table_cell(t, "%s", print_us(get_real(w, "gap_60s_us")));
		table_cell(t, "%s", print_count(get_int(w, "neighbour_waiting")));
		table_cell(t, "%s", print_count(get_int(w, "sleeps")));
		queues(t, json_object_get(w, "queues"));
	}
	table_end(t, "No workers.");
	if (json_array_size(list))
		printf("LOAD is of the last %.1f s, OVERALL since the start.\n", recent_s(list));
}

/* Packets that went from worker to worker, and what full rings did not take. */
static void rings(json_t *list)
{
	static const char *const columns[] = {">WORKER", ">RX OUT", ">RX IN", ">TX OUT", ">TX IN",
		">SA OUT", ">SA IN", ">REFUSED: RX", ">TX", ">SA", ">PUNT", ">INJECT", ">EVENT",
		">ORDER"};
	static const char *const ring[] = {
		"handoff_rx", "handoff_tx", "handoff_sa", "punt", "inject", "event", "order"};
	static const char *const kind[] = {"rx", "tx", "sa"};
	struct table *t = table_new(columns, 14);
	json_t *w;
	size_t i;

	putchar('\n');
	json_array_foreach (list, i, w) {
		table_cell(t, "%lld", (long long)get_int(w, "id"));
		for (size_t k = 0; k < 3; k++) {
			table_cell(t, "%s",
				print_count(get_int(json_object_get(w, "handoff_out"), kind[k])));
			table_cell(t, "%s",
				print_count(get_int(json_object_get(w, "handoff_in"), kind[k])));
		}
		for (size_t k = 0; k < 7; k++)
			table_cell(t, "%s",
				print_count(get_int(json_object_get(w, "refused"), ring[k])));
	}
	table_end(t, "");
}

static bool rings_matter(json_t *list)
{
	json_t *w;
	size_t i;

	json_array_foreach (list, i, w)
		if (sum(json_object_get(w, "refused")))
			return true;
	return json_array_size(list) > 1;
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
		if (rings_matter(list))
			rings(list);
		totals(json_object_get(r, "totals"));
		printf("\nmemory: %s, %s MB, %s packet buffers, %s of them in use\n",
			get_text(memory, "mode"), print_count(get_int(memory, "mb")),
			print_count(get_int(memory, "mbufs")),
			print_count(get_int(memory, "mbufs_in_use")));
		json_array_foreach (json_object_get(r, "notes"), i, note)
			printf("- %s\n", print_clean(json_string_value(note)));
	}
	json_decref(r);
	return EXIT_OK;
}
