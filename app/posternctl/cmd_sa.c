/* posternctl sa add|delete. The key comes from a file, or from standard input ("-"): a command line
 * is for everyone to see.
 */
#include "rpc.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_TEXT_MAX 1024

/* Hexadecimal digits, with blanks between them, into text. False after a message. */
static bool read_key(const char *path, char text[KEY_TEXT_MAX])
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	size_t n = 0;
	int c;

	if (file == NULL) {
		fprintf(stderr, "posternctl: %s: %s\n", path, strerror(errno));
		return false;
	}
	setvbuf(file, NULL, _IONBF, 0); /* no copy of it stays behind */
	while (n + 1 < KEY_TEXT_MAX && (c = fgetc(file)) != EOF)
		if (!isspace(c))
			text[n++] = (char)c;
	text[n] = '\0';
	if (file != stdin)
		fclose(file);
	if (n > 0 && n + 1 < KEY_TEXT_MAX && text[strspn(text, "0123456789abcdefABCDEF")] == '\0')
		return true;
	fprintf(stderr, "posternctl: %s: expected a key as hexadecimal digits\n", path);
	return false;
}

int cmd_sa_add(struct tool *t, const struct args *args)
{
	json_t *path = json_object_get(args->params, "key_file"), *key;
	char text[KEY_TEXT_MAX];
	int rc;

	if (path == NULL) {
		fprintf(stderr, "posternctl: sa add needs --key-file FILE, or \"-\" for standard "
				"input\n");
		return EXIT_USAGE;
	}
	if (!read_key(json_string_value(path), text)) {
		explicit_bzero(text, sizeof(text));
		return EXIT_USAGE;
	}
	json_object_del(args->params, "key_file");
	key = json_string(text);
	json_object_set(args->params, "key", key);
	rc = rpc_change(t, "sa.add", args->params, "name", "is there");
	explicit_bzero((char *)(size_t)json_string_value(key), strlen(text));
	explicit_bzero(text, sizeof(text));
	json_decref(key);
	return rc;
}

int cmd_sa_delete(struct tool *t, const struct args *args)
{
	return rpc_change(t, "sa.delete", args->params, "name", "is gone");
}
