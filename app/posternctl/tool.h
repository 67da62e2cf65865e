/* What posternctl's files share: its settings, its commands and how it ends. One thread. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define SOCKET_DEFAULT "/run/postern/control.sock"

enum exit_code {
	EXIT_OK = 0,          /* done; filter test: permitted */
	EXIT_REFUSED = 1,     /* configuration refused; filter test: denied */
	EXIT_USAGE = 2,       /* not understood */
	EXIT_UNREACHABLE = 3, /* no daemon, or it does not answer */
	EXIT_ANSWER = 4,      /* the daemon answered with an error */
};

struct rpc;

struct tool {
	const char *socket;
	bool json;        /* print results as they are */
	bool interactive; /* at the prompt */
	struct rpc *rpc;
};

/* What the value of an option may be: how it is sent, and what completes it. */
enum value {
	VALUE_NONE,
	VALUE_TEXT,
	VALUE_NUMBER,
	VALUE_IFACE,
	VALUE_PROTO,
	VALUE_REASON,
	VALUE_FRAGMENT,
	VALUE_ROUTE_TYPE,
	VALUE_FILE
};

struct option_def {
	const char *name; /* "--sample"; NULL ends the list; "" is the positional argument */
	enum value value;
	const char *param; /* name of the method's parameter; NULL: the command's own (args.own) */
	const char *shown; /* in usage: "NAME" */
};

struct args {
	json_t *params; /* for the method */
	bool own;       /* the command's own flag was given */
};

struct command {
	const char *noun, *verb; /* "show", "version" */
	const char *help;
	const struct option_def *option;                     /* NULL: none */
	int (*run)(struct tool *t, const struct args *args); /* exit code */
};

extern const struct command commands[];
extern const size_t commands_n;

/* --- command.c */

/* Runs one command line of n words. Returns the exit code. */
int command_run(struct tool *t, char **word, size_t n);
/* Commands and options; of the command named by the words only, where they name one. */
void command_help(char **word, size_t n);
const struct command *command_find(const char *noun, const char *verb);

/* --- prompt.c: returns the exit code */
int prompt_run(struct tool *t);    /* at a terminal */
int prompt_script(struct tool *t); /* commands from standard input */

/* --- cmd_*.c */
int cmd_version(struct tool *t, const struct args *args);
int cmd_ports(struct tool *t, const struct args *args);
int cmd_routes(struct tool *t, const struct args *args);
int cmd_route_add(struct tool *t, const struct args *args);
int cmd_route_delete(struct tool *t, const struct args *args);
int cmd_route_replace(struct tool *t, const struct args *args);
int cmd_route_load(struct tool *t, const struct args *args);
int cmd_neighbours(struct tool *t, const struct args *args);
int cmd_fragments(struct tool *t, const struct args *args);
int cmd_filter(struct tool *t, const struct args *args);
int cmd_filter_test(struct tool *t, const struct args *args);
int cmd_workers(struct tool *t, const struct args *args);
int cmd_graph(struct tool *t, const struct args *args);
int cmd_drops(struct tool *t, const struct args *args);
int cmd_log(struct tool *t, const struct args *args);
int cmd_sad(struct tool *t, const struct args *args);
int cmd_spd(struct tool *t, const struct args *args);
int cmd_ipsec(struct tool *t, const struct args *args);
int cmd_sa_add(struct tool *t, const struct args *args);
int cmd_sa_delete(struct tool *t, const struct args *args);
int cmd_policy_add(struct tool *t, const struct args *args);
int cmd_policy_delete(struct tool *t, const struct args *args);
int cmd_config_check(struct tool *t, const struct args *args);
int cmd_config_reload(struct tool *t, const struct args *args);
