/* posternctl show version. */
#include "print.h"
#include "rpc.h"

#include <stdio.h>

int cmd_version(struct tool *t, const struct args *args)
{
	json_t *r, *memory;
	int rc = rpc_call(t, "show.version", NULL, &r);

	if (rc != EXIT_OK)
		return rc;
	if (t->json) {
		print_json(r);
	} else {
		memory = json_object_get(r, "memory");
		printf("Postern        %s (%s), process %lld\n", get_text(r, "version"),
			get_text(r, "dpdk"), (long long)get_int(r, "pid"));
		printf("running        %s, since %s\n", print_span(get_int(r, "uptime_s")),
			get_text(r, "started"));
		printf("configuration  %s, generation %lld\n", get_text(r, "config"),
			(long long)get_int(r, "generation"));
		printf("reloads        %lld, refused %lld", (long long)get_int(r, "reloads"),
			(long long)get_int(r, "reloads_failed"));
		if (json_is_string(json_object_get(r, "reloaded")))
			printf(", last %s", get_text(r, "reloaded"));
		printf("\nmemory         %s, %s MB, %s packet buffers\n", get_text(memory, "mode"),
			print_count(get_int(memory, "mb")), print_count(get_int(memory, "mbufs")));
	}
	json_decref(r);
	return EXIT_OK;
}
