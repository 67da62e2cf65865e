/* posternctl route add|delete|replace|load. What is asked for is done as a whole or not at all: a
 * route, or each piece of a file, which the daemon takes some hundred routes at a time.
 */
#include "print.h"
#include "rpc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096
#define PIECE_BYTES 60000 /* a request has at most 64 KiB */
#define PIECE_ROUTES 1000

/* "a,b" as a list; a lone one as it is. */
static json_t *via_list(const char *text)
{
	json_t *list = json_array();
	const char *comma;

	for (; (comma = strchr(text, ',')) != NULL; text = comma + 1)
		json_array_append_new(list, json_stringn(text, (size_t)(comma - text)));
	json_array_append_new(list, json_string(text));
	return list;
}

static int refused(json_t *error)
{
	return get_int(error, "code") == REFUSED ? EXIT_REFUSED : EXIT_ANSWER;
}

static int change(struct tool *t, const struct args *args, const char *method, const char *done)
{
	json_t *via = json_object_get(args->params, "via");

	if (json_object_get(args->params, "to") == NULL) {
		fprintf(stderr, "posternctl: which route? Its prefix is missing, such as "
				"192.0.2.0/24\n");
		return EXIT_USAGE;
	}
	if (via != NULL)
		json_object_set_new(args->params, "via", via_list(json_string_value(via)));
	return rpc_change(t, method, args->params, "to", done);
}

int cmd_route_add(struct tool *t, const struct args *args)
{
	return change(t, args, "route.add", "is routed");
}

int cmd_route_delete(struct tool *t, const struct args *args)
{
	return change(t, args, "route.delete", "is no longer routed by this route");
}

int cmd_route_replace(struct tool *t, const struct args *args)
{
	return change(t, args, "route.replace", "is routed this way now");
}

/* --- route load */

struct load {
	struct tool *t;
	const char *path, *method;
	bool delete;
	FILE *file;
	unsigned long line, lines; /* read, and there */
	json_t *routes;
	unsigned long at[PIECE_ROUTES]; /* the line of each */
	size_t bytes;
	json_int_t done;
	struct timespec began, said;
};

static double seconds_since(const struct timespec *t)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - t->tv_sec) + (double)(now.tv_nsec - t->tv_nsec) / 1e9;
}

/* At a terminal the same line over and over; else now and then a line. */
static void progress(struct load *l)
{
	bool tty = isatty(STDERR_FILENO);

	if (seconds_since(&l->began) < 1 || seconds_since(&l->said) < (tty ? 0.3 : 10))
		return;
	clock_gettime(CLOCK_MONOTONIC, &l->said);
	fprintf(stderr, "%s%s routes, line %s of %s%s", tty ? "\r" : "", print_count(l->done),
		print_count((json_int_t)l->line), print_count((json_int_t)l->lines),
		tty ? " " : "\n");
	fflush(stderr);
}

static void progress_end(const struct load *l)
{
	if (isatty(STDERR_FILENO) && l->said.tv_sec != l->began.tv_sec)
		fprintf(stderr, "\r%*s\r", 70, "");
}

static int at_line(const struct load *l, unsigned long line, const char *text)
{
	progress_end(l);
	fprintf(stderr, "%s:%lu: %s\n", l->path, line, print_clean(text));
	return EXIT_REFUSED;
}

/* Sends what was read since. */
static int flush(struct load *l)
{
	size_t n = json_array_size(l->routes);
	json_t *params, *result, *error;
	int rc;

	if (n == 0)
		return EXIT_OK;
	params = json_pack("{s:O}", "routes", l->routes);
	rc = rpc_ask(l->t, l->method, params, &result, &error);
	json_decref(params);
	if (rc == EXIT_OK) {
		l->done += (json_int_t)n;
		json_array_clear(l->routes);
		l->bytes = 0;
		progress(l);
	} else if (rc == EXIT_ANSWER) {
		json_t *data = json_object_get(error, "data");
		json_int_t entry = get_int(data, "entry");
		const char *text = get_text(error, "message"), *colon = strstr(text, "]: ");

		rc = refused(error);
		if (entry >= 0 && (size_t)entry < n && json_object_get(data, "entry") != NULL)
			at_line(l, l->at[entry],
				strncmp(text, "routes[", 7) == 0 && colon ? colon + 3 : text);
		else
			rpc_say_error(l->t, error);
	}
	json_decref(result);
	json_decref(error);
	return rc;
}

/* PREFIX [via A[,A...]] [interface NAME] [type TYPE], or PREFIX blackhole and the like. NULL after
 * a message. */
static json_t *parse(struct load *l, char *text)
{
	char *save, *word = strtok_r(text, " \t\r\n", &save), *value;
	json_t *route = json_pack("{s:s}", "to", word);

	while (route != NULL && (word = strtok_r(NULL, " \t\r\n", &save)) != NULL) {
		bool type = strcmp(word, "blackhole") == 0 || strcmp(word, "unreachable") == 0 ||
			    strcmp(word, "prohibit") == 0;

		value = type ? word : strtok_r(NULL, " \t\r\n", &save);
		if (value != NULL && strcmp(word, "via") == 0)
			json_object_set_new(route, "via", via_list(value));
		else if (value != NULL && strcmp(word, "interface") == 0)
			json_object_set_new(route, "interface", json_string(value));
		else if (value != NULL && (type || strcmp(word, "type") == 0))
			json_object_set_new(route, "type", json_string(value));
		else
			break;
	}
	if (route != NULL && word == NULL) {
		if (l->delete) { /* what it leads to is of no matter */
			json_object_del(route, "via");
			json_object_del(route, "interface");
			json_object_del(route, "type");
		}
		return route;
	}
	at_line(l, l->line,
		route ? "expected PREFIX [via ADDRESS[,ADDRESS...]] [interface NAME] [type TYPE]"
		      : "this is not UTF-8");
	json_decref(route);
	return NULL;
}

static int one_line(struct load *l, char *text)
{
	size_t len = strlen(text);
	char *comment = strchr(text, '#');
	json_t *route;
	int rc;

	l->line++;
	if (len == LINE_MAX_BYTES - 1 && text[len - 1] != '\n')
		return at_line(l, l->line, "the line is too long");
	if (comment != NULL)
		*comment = '\0';
	if (text[strspn(text, " \t\r\n")] == '\0')
		return EXIT_OK;
	len += 64;
	if (l->bytes + len > PIECE_BYTES || json_array_size(l->routes) == PIECE_ROUTES) {
		rc = flush(l);
		if (rc != EXIT_OK)
			return rc;
	}
	route = parse(l, text);
	if (route == NULL)
		return EXIT_REFUSED;
	l->at[json_array_size(l->routes)] = l->line;
	json_array_append_new(l->routes, route);
	l->bytes += len;
	return EXIT_OK;
}

static void count_lines(struct load *l)
{
	char buf[65536];
	size_t n;

	while ((n = fread(buf, 1, sizeof(buf), l->file)) > 0)
		for (const char *at = buf; (at = memchr(at, '\n', (size_t)(buf + n - at))); at++)
			l->lines++;
	rewind(l->file);
}

int cmd_route_load(struct tool *t, const struct args *args)
{
	bool replace = json_object_get(args->params, "replace") != NULL;
	bool delete = json_object_get(args->params, "delete") != NULL;
	struct load l = {.t = t,
		.path = json_string_value(json_object_get(args->params, "file")),
		.method = delete    ? "route.delete"
			  : replace ? "route.replace"
				    : "route.add",
		.delete = delete,
		.routes = json_array()};
	char text[LINE_MAX_BYTES];
	int rc = EXIT_OK;

	if (l.path == NULL || (replace && delete)) {
		fprintf(stderr, "posternctl: route load needs a file, and at most one of --replace "
				"and --delete\n");
		json_decref(l.routes);
		return EXIT_USAGE;
	}
	l.file = fopen(l.path, "re");
	if (l.file == NULL) {
		fprintf(stderr, "posternctl: %s: %s\n", l.path, strerror(errno));
		json_decref(l.routes);
		return EXIT_USAGE;
	}
	clock_gettime(CLOCK_MONOTONIC, &l.began);
	l.said = l.began;
	count_lines(&l);
	while (rc == EXIT_OK && fgets(text, sizeof(text), l.file) != NULL)
		rc = one_line(&l, text);
	if (rc == EXIT_OK)
		rc = flush(&l);
	if (rc == EXIT_OK)
		progress_end(&l);
	if (t->json) {
		json_t *result = json_pack("{s:I}", "changed", l.done);

		print_json(result);
		json_decref(result);
	} else {
		printf("%s routes %s.%s\n", print_count(l.done),
			delete    ? "deleted"
			: replace ? "in place"
				  : "added",
			rc != EXIT_OK ? " The rest of the file was not tried." : "");
	}
	fclose(l.file);
	json_decref(l.routes);
	return rc;
}
