/* posternctl config check|reload. Exit code 0 when it is valid or applied, 1 when it is refused. */
#include "print.h"
#include "rpc.h"

#include <stdio.h>
#include <string.h>

static void findings(json_t *list, const char *kind, FILE *to)
{
	json_t *e;
	size_t i;

	json_array_foreach (list, i, e) {
		const char *setting = get_text(e, "setting");

		fprintf(to, "%s", get_text(e, "file"));
		if (get_int(e, "line"))
			fprintf(to, ":%lld", (long long)get_int(e, "line"));
		fprintf(to, ": %s%s%s%s\n", kind, setting, *setting ? ": " : "",
			get_text(e, "text"));
	}
}

static void all_findings(json_t *r)
{
	json_int_t n = get_int(r, "n_errors");

	findings(json_object_get(r, "warnings"), "warning: ", stderr);
	findings(json_object_get(r, "errors"), "", stderr);
	if ((size_t)n > json_array_size(json_object_get(r, "errors")))
		fprintf(stderr, "... and more: %s errors in all\n", print_count(n));
}

int cmd_config_check(struct tool *t, const struct args *args)
{
	bool valid;
	json_t *r;
	int rc = rpc_call(t, "config.check", args->params, &r);

	if (rc != EXIT_OK)
		return rc;
	valid = json_is_true(json_object_get(r, "valid"));
	if (t->json) {
		print_json(r);
	} else {
		all_findings(r);
		printf("%s is %s\n", get_text(r, "file"), valid ? "valid" : "not valid");
	}
	json_decref(r);
	return valid ? EXIT_OK : EXIT_REFUSED;
}

int cmd_config_reload(struct tool *t, const struct args *args)
{
	const char *status;
	bool applied;
	json_t *r;
	int rc = rpc_call(t, "config.reload", NULL, &r);

	if (rc != EXIT_OK)
		return rc;
	applied = json_is_true(json_object_get(r, "applied"));
	status = get_text(r, "status");
	if (t->json) {
		print_json(r);
	} else {
		all_findings(r);
		if (applied)
			printf("The configuration is in use.\n");
		else if (strcmp(status, "busy") == 0)
			printf("Another reload is under way; nothing was changed.\n");
		else
			printf("The configuration was refused; the old one stays in use.\n");
	}
	json_decref(r);
	return applied ? EXIT_OK : EXIT_REFUSED;
}
