/* The prompt: libedit with history, and completion of commands, options, interfaces, drop reasons
 * and protocols. Also commands from standard input, one per line, when that is no terminal.
 */
#include "print.h"
#include "rpc.h"
#include "tool.h"

#include <histedit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 64
#define CANDIDATES_MAX 256

/* Splits at blanks, in place; "..." keeps blanks. Words, or -1 for an open quote or too many. */
static int split(char *line, char *word[WORDS_MAX])
{
	int n = 0;
	char *to = line;

	for (;;) {
		bool quoted = false;

		line += strspn(line, " \t\r\n");
		if (*line == '\0' || *line == '#')
			return n;
		if (n == WORDS_MAX)
			return -1;
		word[n++] = to;
		for (; *line && (quoted || !strchr(" \t\r\n", *line)); line++) {
			if (*line == '"')
				quoted = !quoted;
			else
				*to++ = *line;
		}
		if (quoted)
			return -1;
		if (*line)
			line++;
		*to++ = '\0';
	}
}

/* Runs one line. Options that stand anywhere are for the command line; here only --json. */
static int run(struct tool *t, char *line, bool *quit)
{
	char *word[WORDS_MAX];
	int n = split(line, word), kept = 0, rc;
	bool json = t->json;

	if (n < 0) {
		fprintf(stderr, "posternctl: an open quote, or more than %d words\n", WORDS_MAX);
		return EXIT_USAGE;
	}
	for (int i = 0; i < n; i++) {
		if (strcmp(word[i], "--json") == 0)
			t->json = true;
		else
			word[kept++] = word[i];
	}
	*quit = kept == 1 && (strcmp(word[0], "exit") == 0 || strcmp(word[0], "quit") == 0);
	rc = kept == 0 || *quit ? EXIT_OK : command_run(t, word, (size_t)kept);
	t->json = json;
	return rc;
}

int prompt_script(struct tool *t)
{
	char *line = NULL;
	size_t size = 0;
	bool quit = false;
	int rc = EXIT_OK, one;

	while (!quit && getline(&line, &size, stdin) >= 0) {
		one = run(t, line, &quit);
		if (rc == EXIT_OK)
			rc = one; /* the first that was not well */
	}
	free(line);
	return rc;
}

/* --- completion */

struct candidates {
	const char *prefix;
	size_t n;
	const char *text[CANDIDATES_MAX];
	json_t *keep; /* whose strings they are */
};

static void offer(struct candidates *c, const char *text)
{
	if (text == NULL || strncmp(text, c->prefix, strlen(c->prefix)) != 0)
		return;
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->text[i], text) == 0)
			return;
	if (c->n < CANDIDATES_MAX)
		c->text[c->n++] = text;
}

/* Names in a list of the daemon's. */
static void offer_names(struct tool *t, struct candidates *c, const char *method, json_t *params,
	const char *list, const char *member)
{
	json_t *item;
	size_t i;

	c->keep = rpc_quiet(t, method, params);
	json_array_foreach (json_object_get(c->keep, list), i, item)
		offer(c, json_string_value(json_object_get(item, member)));
	json_decref(params);
}

static void offer_values(struct tool *t, struct candidates *c, enum value value)
{
	static const char *const protos[] = {
		"tcp", "udp", "icmp", "icmpv6", "esp", "ah", "ospf", "ipip", "gre"};
	static const char *const fragments[] = {"no", "first", "later"};
	static const char *const types[] = {"blackhole", "unreachable", "prohibit"};

	switch (value) {
	case VALUE_IFACE:
		offer_names(t, c, "show.ports", NULL, "interfaces", "name");
		break;
	case VALUE_REASON:
		offer_names(t, c, "show.drops", json_pack("{s:b}", "all", 1), "drops", "reason");
		break;
	case VALUE_PROTO:
		for (size_t i = 0; i < sizeof(protos) / sizeof(protos[0]); i++)
			offer(c, protos[i]);
		break;
	case VALUE_FRAGMENT:
		for (size_t i = 0; i < 3; i++)
			offer(c, fragments[i]);
		break;
	case VALUE_ROUTE_TYPE:
		for (size_t i = 0; i < 3; i++)
			offer(c, types[i]);
		break;
	default:
		break;
	}
}

/* What may stand after the words: the first n are whole. */
static void offer_all(struct tool *t, struct candidates *c, char **word, int n)
{
	const struct command *cmd;
	const struct option_def *o;

	if (n == 0 || (n == 1 && strcmp(word[0], "help") == 0)) {
		for (size_t i = 0; i < commands_n; i++)
			offer(c, commands[i].noun);
		offer(c, n ? NULL : "help");
		offer(c, n ? NULL : "exit");
		return;
	}
	if (strcmp(word[0], "help") == 0) {
		word++;
		n--;
	}
	if (n == 1) {
		for (size_t i = 0; i < commands_n; i++)
			if (strcmp(commands[i].noun, word[0]) == 0)
				offer(c, commands[i].verb);
		return;
	}
	cmd = command_find(word[0], word[1]);
	if (cmd == NULL)
		return;
	for (o = cmd->option; n > 2 && o != NULL && o->name != NULL; o++)
		if (o->value != VALUE_NONE && strcmp(o->name, word[n - 1]) == 0) {
			offer_values(t, c, o->value);
			return;
		}
	for (o = cmd->option; o != NULL && o->name != NULL; o++)
		offer(c, *o->name ? o->name : NULL);
	offer(c, "--json");
}

static size_t common(const struct candidates *c)
{
	size_t len = strlen(c->text[0]);

	for (size_t i = 1; i < c->n; i++) {
		size_t k = 0;

		while (k < len && c->text[i][k] == c->text[0][k])
			k++;
		len = k;
	}
	return len;
}

static unsigned char complete(EditLine *el, int ch)
{
	const LineInfo *li = el_line(el);
	size_t len = (size_t)(li->cursor - li->buffer), add;
	char *line = strndup(li->buffer, len), *word[WORDS_MAX], more[256];
	struct candidates c = {.prefix = ""};
	unsigned char rc = CC_ERROR;
	struct tool *t;
	bool fresh;
	int n;

	el_get(el, EL_CLIENTDATA, &t);
	if (line == NULL)
		return CC_ERROR;
	fresh = len == 0 || line[len - 1] == ' ';
	n = split(line, word);
	if (n < 0 || (n == 0 && !fresh))
		goto out;
	if (!fresh)
		c.prefix = word[--n];
	offer_all(t, &c, word, n);
	if (c.n == 0)
		goto out;
	add = common(&c) - strlen(c.prefix);
	snprintf(more, sizeof(more), "%.*s%s", (int)add, c.text[0] + strlen(c.prefix),
		c.n == 1 ? " " : "");
	if (*more && el_insertstr(el, more) == 0) {
		rc = CC_REFRESH;
	} else if (c.n > 1) {
		putchar('\n');
		for (size_t i = 0; i < c.n; i++)
			printf("%s%s", i ? "  " : "", print_clean(c.text[i]));
		putchar('\n');
		rc = CC_REDISPLAY;
	}
out:
	json_decref(c.keep);
	free(line);
	return rc;
}

static char *prompt_text(EditLine *el)
{
	static char text[] = "postern> ";

	return text;
}

int prompt_run(struct tool *t)
{
	EditLine *el = el_init("posternctl", stdin, stdout, stderr);
	History *hist = history_init();
	const char *line;
	bool quit = false;
	HistEvent event;
	int n, rc = EXIT_OK;

	if (el == NULL || hist == NULL) {
		fprintf(stderr, "posternctl: no prompt on this terminal\n");
		return EXIT_USAGE;
	}
	t->interactive = true;
	history(hist, &event, H_SETSIZE, 500);
	history(hist, &event, H_SETUNIQUE, 1);
	el_set(el, EL_CLIENTDATA, t);
	el_set(el, EL_PROMPT, prompt_text);
	el_set(el, EL_EDITOR, "emacs");
	el_set(el, EL_SIGNAL, 1);
	el_set(el, EL_HIST, history, hist);
	el_set(el, EL_ADDFN, "complete", "completes the word", complete);
	el_set(el, EL_BIND, "^I", "complete", NULL);
	el_source(el, NULL);
	printf("Postern. \"help\" lists the commands, Tab completes, Ctrl-D ends.\n");
	while (!quit && (line = el_gets(el, &n)) != NULL && n > 0) {
		char *copy = strdup(line);

		if (copy == NULL)
			break;
		if (strspn(line, " \t\n") < strlen(line))
			history(hist, &event, H_ENTER, line);
		rc = run(t, copy, &quit);
		free(copy);
	}
	if (!quit)
		putchar('\n');
	history_end(hist);
	el_end(el);
	return quit ? EXIT_OK : rc;
}
