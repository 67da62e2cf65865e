/* Speaks with the daemon: one request line, one answer line. Says what went wrong, in words that
 * tell the user what to do.
 */
#pragma once

#include "tool.h"

/* Never NULL. Connects when first needed. */
struct rpc *rpc_new(const char *socket);
void rpc_free(struct rpc *r);

/* Calls a method; params may be NULL (not taken over). *result is a new reference. EXIT_OK, or
 * EXIT_UNREACHABLE or EXIT_ANSWER after an error message (with --json the error object). */
int rpc_call(struct tool *t, const char *method, json_t *params, json_t **result);
/* The same, but when the daemon answers with an error (EXIT_ANSWER), that is *error, a new
 * reference, and nothing is said. */
int rpc_ask(struct tool *t, const char *method, json_t *params, json_t **result, json_t **error);
/* Says it as rpc_call does. */
void rpc_say_error(struct tool *t, json_t *error);
/* Asks for a change and says what came of it: "X done.", X the parameter of that name. EXIT_OK, or
 * EXIT_REFUSED when the daemon understood and refused, else as rpc_call. */
#define REFUSED (-32002) /* the daemon's error code then */
int rpc_change(
	struct tool *t, const char *method, json_t *params, const char *noun, const char *done);
/* The same without a word about errors: for completion. NULL when there is no answer. */
json_t *rpc_quiet(struct tool *t, const char *method, json_t *params);

/* Calls a method that answers in pages until it has all of them; `of` are its parameters besides,
 * or NULL. With t->json all pages become one
 * object, printed at the end; else page is called with each. */
int rpc_pages(struct tool *t, const char *method, json_t *of, const char *list,
	void (*page)(void *arg, json_t *result), void *arg);
