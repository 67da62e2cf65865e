/* posternctl filter test: what would happen to a packet, step by step. Exit code 0 when it goes
 * through, 1 when it is dropped.
 */
#include "print.h"
#include "rpc.h"

#include <stdio.h>
#include <string.h>

static void rule(json_t *step)
{
	json_t *r = json_object_get(step, "rule");
	json_int_t number = get_int(r, "number");

	printf("%s (%s, %s): ", get_text(step, "interface"), get_text(step, "zone"),
		get_text(step, "scope"));
	if (number)
		printf("rule %s, %s:%lld\n%17s%s", print_count(number), get_text(r, "file"),
			(long long)get_int(r, "line"), "", get_text(r, "text"));
	else
		printf("no rule matches: implicit deny");
	if (json_is_true(json_object_get(step, "log")))
		printf("   (logged)");
}

static void route(json_t *step)
{
	json_t *hops = json_object_get(step, "next_hops"), *h;
	const char *to = get_text(step, "to");
	size_t i;

	printf("%s: %s%s%s", get_text(step, "destination"), *to ? to : "no route", *to ? " " : "",
		*to ? get_text(step, "type") : "");
	json_array_foreach (hops, i, h) {
		const char *via = get_text(h, "via");

		if (json_array_size(hops) > 1)
			printf("\n%17s", "");
		else
			printf(" ");
		if (*via)
			printf("%s ", via);
		printf("on %s", get_text(h, "interface"));
	}
}

static void step(size_t number, json_t *s)
{
	const char *name = get_text(s, "step"), *reason = get_text(s, "reason");

	printf("%2zu  %-12s ", number, name);
	if (strcmp(name, "inbound") == 0 || strcmp(name, "outbound") == 0) {
		rule(s);
	} else if (strcmp(name, "route") == 0) {
		route(s);
	} else if (strcmp(name, "interface") == 0) {
		printf("%s (%s)", get_text(s, "interface"), get_text(s, "zone"));
	} else if (strcmp(name, "reverse path") == 0) {
		printf("%s: the source's route is %s", get_text(s, "mode"), get_text(s, "type"));
	} else if (strcmp(name, "output") == 0) {
		printf("%s", get_text(s, "interface"));
		if (*get_text(s, "neighbour"))
			printf(", neighbour %s %s", get_text(s, "neighbour"), get_text(s, "state"));
		printf(", MTU %lld", (long long)get_int(s, "mtu"));
		if (*get_text(s, "text"))
			printf("\n%17s%s", "", get_text(s, "text"));
	} else {
		printf("%s", get_text(s, "text"));
	}
	if (*reason)
		printf("\n%17s-> dropped: %s", "", reason);
	putchar('\n');
}

static void print(json_t *r)
{
	bool permit = strcmp(get_text(r, "verdict"), "permit") == 0;
	json_t *s;
	size_t i;

	json_array_foreach (json_object_get(r, "steps"), i, s)
		step(i + 1, s);
	putchar('\n');
	print_bold(permit ? "PERMIT" : "DENY");
	if (!permit)
		printf("  %s: %s", get_text(r, "reason"), get_text(r, "sentence"));
	else if (json_is_true(json_object_get(r, "answered")))
		printf("  this box answers it");
	else if (json_is_true(json_object_get(r, "taken")))
		printf("  this box takes it");
	putchar('\n');
	if (json_is_true(json_object_get(r, "mixed")))
		printf("      It depends on the next hop, which is chosen by flow: some permit "
		       "it.\n");
}

int cmd_filter_test(struct tool *t, const struct args *args)
{
	bool permit;
	json_t *r;
	int rc = rpc_call(t, "filter.test", args->params, &r);

	if (rc != EXIT_OK)
		return rc;
	permit = strcmp(get_text(r, "verdict"), "permit") == 0;
	if (t->json)
		print_json(r);
	else
		print(r);
	json_decref(r);
	return permit ? EXIT_OK : EXIT_REFUSED;
}
