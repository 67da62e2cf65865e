/* The commands: their words, options and help; a command line becomes the parameters of a method.
 * The daemon checks what the values mean; here only their form counts.
 */
#include "tool.h"

#include "print.h"
#include "rpc.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option_def drops_options[] = {
	{"--sample", VALUE_NONE, "sample", NULL},
	{"--reason", VALUE_REASON, "reason", "NAME"},
	{"--all", VALUE_NONE, "all", NULL},
	{"--limit", VALUE_NUMBER, "limit", "N"},
	{NULL, VALUE_NONE, NULL, NULL},
};
static const struct option_def graph_options[] = {
	{"--dot", VALUE_NONE, NULL, NULL},
	{NULL, VALUE_NONE, NULL, NULL},
};
static const struct option_def log_options[] = {
	{"--limit", VALUE_NUMBER, "limit", "N"},
	{NULL, VALUE_NONE, NULL, NULL},
};
static const struct option_def test_options[] = {
	{"--in", VALUE_IFACE, "in", "INTERFACE"},
	{"--src", VALUE_TEXT, "src", "ADDRESS"},
	{"--dst", VALUE_TEXT, "dst", "ADDRESS"},
	{"--proto", VALUE_PROTO, "proto", "NAME|NUMBER"},
	{"--sport", VALUE_NUMBER, "sport", "N"},
	{"--dport", VALUE_NUMBER, "dport", "N"},
	{"--flags", VALUE_TEXT, "flags", "SAFRPU"},
	{"--icmp-type", VALUE_NUMBER, "icmp_type", "N"},
	{"--icmp-code", VALUE_NUMBER, "icmp_code", "N"},
	{"--fragment", VALUE_FRAGMENT, "fragment", "no|first|later"},
	{"--hop-limit", VALUE_NUMBER, "hop_limit", "N"},
	{"--length", VALUE_NUMBER, "length", "BYTES"},
	{"--df", VALUE_NONE, "df", NULL},
	{"--out", VALUE_IFACE, "out", "INTERFACE"},
	{"--through", VALUE_TEXT, "through", "TUNNEL"},
	{NULL, VALUE_NONE, NULL, NULL},
};
static const struct option_def check_options[] = {
	{"", VALUE_FILE, "file", "FILE"},
	{NULL, VALUE_NONE, NULL, NULL},
};

static const struct option_def delete_options[] = {
	{"", VALUE_TEXT, "to", "PREFIX"},
	{NULL, VALUE_NONE, NULL, NULL},
};
static const struct option_def route_options[] = {
	{"", VALUE_TEXT, "to", "PREFIX"},
	{"--via", VALUE_TEXT, "via", "ADDRESS[,ADDRESS...]"},
	{"--interface", VALUE_IFACE, "interface", "NAME"},
	{"--type", VALUE_ROUTE_TYPE, "type", "blackhole|unreachable|prohibit"},
	{NULL, VALUE_NONE, NULL, NULL},
};
static const struct option_def load_options[] = {
	{"", VALUE_FILE, "file", "FILE"},
	{"--replace", VALUE_NONE, "replace", NULL},
	{"--delete", VALUE_NONE, "delete", NULL},
	{NULL, VALUE_NONE, NULL, NULL},
};

static const struct option_def sad_options[] = {
	{"", VALUE_TEXT, "name", "NAME"},
	{"--tunnel", VALUE_TEXT, "tunnel", "NAME"},
	{NULL, VALUE_NONE, NULL, NULL},
};
static const struct option_def sa_options[] = {
	{"", VALUE_TEXT, "name", "NAME"},
	{"--tunnel", VALUE_TEXT, "tunnel", "NAME"},
	{"--direction", VALUE_TEXT, "direction", "in|out"},
	{"--protocol", VALUE_TEXT, "protocol", "esp|ah"},
	{"--spi", VALUE_TEXT, "spi", "N"},
	{"--suite", VALUE_TEXT, "suite", "SUITE"},
	{"--key-file", VALUE_TEXT, "key_file", "FILE"},
	{"--esn", VALUE_NONE, "esn", NULL},
	{"--window", VALUE_NUMBER, "window", "PACKETS"},
	{"--worker", VALUE_NUMBER, "worker", "N"},
	{"--soft-s", VALUE_NUMBER, "soft_s", "SECONDS"},
	{"--hard-s", VALUE_NUMBER, "hard_s", "SECONDS"},
	{"--soft-bytes", VALUE_NUMBER, "soft_bytes", "N"},
	{"--hard-bytes", VALUE_NUMBER, "hard_bytes", "N"},
	{"--soft-packets", VALUE_NUMBER, "soft_packets", "N"},
	{"--hard-packets", VALUE_NUMBER, "hard_packets", "N"},
	{NULL, VALUE_NONE, NULL, NULL},
};
static const struct option_def policy_options[] = {
	{"", VALUE_TEXT, "name", "NAME"},
	{"--action", VALUE_TEXT, "action", "protect|bypass|discard"},
	{"--tunnel", VALUE_TEXT, "tunnel", "NAME"},
	{"--direction", VALUE_TEXT, "direction", "in|out|both"},
	{"--before", VALUE_TEXT, "before", "NAME"},
	{"--src", VALUE_TEXT, "src", "ADDRESSES"},
	{"--dst", VALUE_TEXT, "dst", "ADDRESSES"},
	{"--proto", VALUE_PROTO, "proto", "NAME|NUMBER"},
	{"--sport", VALUE_TEXT, "sport", "PORTS"},
	{"--dport", VALUE_TEXT, "dport", "PORTS"},
	{"--icmp-type", VALUE_TEXT, "icmp_type", "N"},
	{"--icmp-code", VALUE_TEXT, "icmp_code", "N"},
	{NULL, VALUE_NONE, NULL, NULL},
};
static const struct option_def named_options[] = {
	{"", VALUE_TEXT, "name", "NAME"},
	{NULL, VALUE_NONE, NULL, NULL},
};

const struct command commands[] = {
	{"show", "version", "the program, its configuration and how long it runs", NULL,
		cmd_version},
	{"show", "ports", "devices, links, counters, and the interfaces on them", NULL, cmd_ports},
	{"show", "routes", "the routing table", NULL, cmd_routes},
	{"show", "neighbours", "hosts known by ARP and neighbour discovery", NULL, cmd_neighbours},
	{"show", "filter", "the rules in order, with packets and bytes", NULL, cmd_filter},
	{"show", "workers", "load, gaps, rings, and whether all packets add up", NULL, cmd_workers},
	{"show", "fragments", "datagrams being put together, and packets that were cut", NULL,
		cmd_fragments},
	{"show", "graph", "the nodes packets walk through, and their cost", graph_options,
		cmd_graph},
	{"show", "drops", "why packets were dropped, and the last of them", drops_options,
		cmd_drops},
	{"show", "log", "the last records of the filter log", log_options, cmd_log},
	{"show", "ipsec", "the tunnels, and whether they have what they need", NULL, cmd_ipsec},
	{"show", "sad", "security associations: counters, lifetimes, windows", sad_options,
		cmd_sad},
	{"show", "spd", "security policies in order", NULL, cmd_spd},
	{"filter", "test", "what would happen to a packet, and by which rule", test_options,
		cmd_filter_test},
	{"route", "add", "a route to a prefix that has none", route_options, cmd_route_add},
	{"route", "replace", "a route in place of what is there, or before the configuration's",
		route_options, cmd_route_replace},
	{"route", "delete", "take out a route that was added this way", delete_options,
		cmd_route_delete},
	{"route", "load", "add, replace or delete the routes that a file lists, one a line",
		load_options, cmd_route_load},
	{"sa", "add", "a manual security association of a tunnel", sa_options, cmd_sa_add},
	{"sa", "delete", "take out a security association that was added this way", named_options,
		cmd_sa_delete},
	{"policy", "add", "a security policy behind the others, or before one of them",
		policy_options, cmd_policy_add},
	{"policy", "delete", "take out a security policy that was added this way", named_options,
		cmd_policy_delete},
	{"config", "check", "check a configuration without using it", check_options,
		cmd_config_check},
	{"config", "reload", "use the changed configuration, all of it or nothing", NULL,
		cmd_config_reload},
};
const size_t commands_n = sizeof(commands) / sizeof(commands[0]);

const struct command *command_find(const char *noun, const char *verb)
{
	for (size_t i = 0; i < commands_n; i++)
		if (strcmp(commands[i].noun, noun) == 0 && strcmp(commands[i].verb, verb) == 0)
			return &commands[i];
	return NULL;
}

static void usage_line(const struct command *c)
{
	size_t at = (size_t)printf("  %s %s", c->noun, c->verb), indent = at + 1;
	char word[64];

	for (const struct option_def *o = c->option; o != NULL && o->name != NULL; o++) {
		snprintf(word, sizeof(word), "[%s%s%s]", o->name, *o->name && o->shown ? " " : "",
			o->shown ? o->shown : "");
		at = print_word(stdout, at, indent, word);
	}
	printf("\n      %s\n", c->help);
}

void command_help(char **word, size_t n)
{
	bool any = false;

	for (size_t i = 0; i < commands_n; i++)
		if ((n < 1 || strcmp(word[0], commands[i].noun) == 0) &&
			(n < 2 || strcmp(word[1], commands[i].verb) == 0)) {
			usage_line(&commands[i]);
			any = true;
		}
	if (!any)
		printf("There is no command of that name; help lists them all.\n");
}

static void say_unknown(char **word, size_t n)
{
	bool noun = false, first = true;

	fprintf(stderr, "posternctl: there is no command \"%s%s%s\"\n", word[0], n > 1 ? " " : "",
		n > 1 ? word[1] : "");
	for (size_t i = 0; i < commands_n; i++)
		noun |= strcmp(word[0], commands[i].noun) == 0;
	fprintf(stderr, "  There are:");
	for (size_t i = 0; i < commands_n; i++)
		if (!noun || strcmp(word[0], commands[i].noun) == 0) {
			fprintf(stderr, "%s %s %s", first ? "" : ",", commands[i].noun,
				commands[i].verb);
			first = false;
		}
	fprintf(stderr, "%s\n", noun ? "" : ", help");
}

/* The JSON value for an option's text, NULL after a message. */
static json_t *value_of(const struct option_def *o, const char *text)
{
	bool digits = *text && text[strspn(text, "0123456789")] == '\0' && strlen(text) < 19;
	char path[PATH_MAX];
	json_t *value;

	if (o->value == VALUE_NUMBER && !digits) {
		fprintf(stderr, "posternctl: %s needs a number, not \"%s\"\n", o->name, text);
		return NULL;
	}
	if (o->value == VALUE_NUMBER || (o->value == VALUE_PROTO && digits))
		return json_integer(atoll(text));
	if (o->value == VALUE_FILE && text[0] != '/' && realpath(text, path) == NULL) {
		fprintf(stderr, "posternctl: %s: %s\n", text, strerror(errno));
		return NULL;
	}
	if (o->value == VALUE_FILE && text[0] != '/')
		text = path;
	value = *text ? json_string(text) : NULL;
	if (value == NULL)
		fprintf(stderr, "posternctl: %s needs a value in UTF-8\n",
			*o->name ? o->name : o->shown);
	return value;
}

static const struct option_def *option_find(const struct command *c, const char *name, size_t len)
{
	for (const struct option_def *o = c->option; o != NULL && o->name != NULL; o++)
		if (strlen(o->name) == len && strncmp(o->name, name, len) == 0)
			return o;
	return NULL;
}

/* Takes the word at *i, and its value. False after a message. */
static bool take(const struct command *c, char **word, size_t n, size_t *i, struct args *args)
{
	const char *w = word[*i], *text = NULL;
	bool option = w[0] == '-' && w[1] == '-';
	const char *equals = option ? strchr(w, '=') : NULL;
	const struct option_def *o = option_find(
		c, option ? w : "", option ? (equals ? (size_t)(equals - w) : strlen(w)) : 0);
	json_t *value;

	if (o == NULL) {
		fprintf(stderr, "posternctl: %s %s knows no %s \"%s\"\n", c->noun, c->verb,
			option ? "option" : "argument", w);
		return false;
	}
	if (o->value == VALUE_NONE) {
		if (equals != NULL) {
			fprintf(stderr, "posternctl: %s takes no value\n", o->name);
			return false;
		}
		if (o->param == NULL)
			args->own = true;
		else
			json_object_set_new(args->params, o->param, json_true());
		return true;
	}
	if (!option)
		text = w;
	else if (equals != NULL)
		text = equals + 1;
	else if (*i + 1 < n)
		text = word[++*i];
	if (text == NULL) {
		fprintf(stderr, "posternctl: %s needs a value: %s\n", o->name, o->shown);
		return false;
	}
	if (json_object_get(args->params, o->param) != NULL) {
		fprintf(stderr, "posternctl: %s is given twice\n", *o->name ? o->name : o->shown);
		return false;
	}
	value = value_of(o, text);
	if (value != NULL)
		json_object_set_new(args->params, o->param, value);
	return value != NULL;
}

int command_run(struct tool *t, char **word, size_t n)
{
	const struct command *c;
	struct args args = {0};
	int rc = EXIT_USAGE;

	if (strcmp(word[0], "help") == 0) {
		command_help(word + 1, n - 1);
		return EXIT_OK;
	}
	c = n > 1 ? command_find(word[0], word[1]) : NULL;
	if (c == NULL) {
		say_unknown(word, n);
		return EXIT_USAGE;
	}
	args.params = json_object();
	for (size_t i = 2; i < n; i++)
		if (!take(c, word, n, &i, &args))
			goto out;
	rc = c->run(t, &args);
	fflush(stdout);
out:
	json_decref(args.params);
	return rc;
}
