/* posternctl: the command-line tool of posternd. Options that every command takes, then one
 * command, or a prompt, or commands from standard input.
 */
#include "rpc.h"
#include "tool.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void usage(void)
{
	printf("Usage: posternctl [--socket PATH] [--json] COMMAND [OPTION...]\n"
	       "       posternctl                 a prompt; or commands from standard input\n\n");
	command_help(NULL, 0);
	printf("\nWith every command:\n"
	       "  --json         the result as JSON: one line, indented at a terminal\n"
	       "  --socket PATH  the daemon's control socket (default %s,\n"
	       "                 or the variable POSTERN_SOCKET)\n"
	       "  --help, --version\n\n"
	       "Exit codes: 0 done (filter test: permitted), 1 refused (filter test: denied),\n"
	       "2 not understood, 3 the daemon can't be reached, 4 it answered with an error.\n",
		SOCKET_DEFAULT);
}

/* Takes the options that stand anywhere out of the words. False after a message. */
static bool options(struct tool *t, char **word, size_t *n, bool *help, bool *version)
{
	size_t kept = 0;

	for (size_t i = 0; i < *n; i++) {
		if (strcmp(word[i], "--json") == 0) {
			t->json = true;
		} else if (strcmp(word[i], "--help") == 0 || strcmp(word[i], "-h") == 0) {
			*help = true;
		} else if (strcmp(word[i], "--version") == 0) {
			*version = true;
		} else if (strncmp(word[i], "--socket=", 9) == 0) {
			t->socket = word[i] + 9;
		} else if (strcmp(word[i], "--socket") == 0) {
			if (i + 1 == *n) {
				fprintf(stderr, "posternctl: --socket needs a path\n");
				return false;
			}
			t->socket = word[++i];
		} else {
			word[kept++] = word[i];
		}
	}
	*n = kept;
	return true;
}

int main(int argc, char **argv)
{
	const char *env = getenv("POSTERN_SOCKET");
	struct tool t = {.socket = env && *env ? env : SOCKET_DEFAULT};
	bool help = false, version = false;
	size_t n = argc > 0 ? (size_t)argc - 1 : 0;
	char **word = argv + 1;
	int rc;

	setlocale(LC_CTYPE, "");
	if (!options(&t, word, &n, &help, &version))
		return EXIT_USAGE;
	if (version) {
		printf("posternctl %s\n", POSTERN_VERSION);
		return EXIT_OK;
	}
	if (help) {
		if (n > 0)
			command_help(word, n);
		else
			usage();
		return EXIT_OK;
	}
	if (n > 0 && word[0][0] == '-') {
		fprintf(stderr, "posternctl: unknown option %s (--help lists them)\n", word[0]);
		return EXIT_USAGE;
	}
	t.rpc = rpc_new(t.socket);
	if (n > 0)
		rc = command_run(&t, word, n);
	else if (isatty(STDIN_FILENO))
		rc = prompt_run(&t);
	else
		rc = prompt_script(&t);
	rpc_free(t.rpc);
	return rc;
}
