/* Text before and after libconfig: reading a file, taking the surprises out of the syntax, words
 * for what was found.
 *
 * Called while a configuration is parsed, on its thread. No state.
 */
#include "conf/parse.h"

#include "base/secret.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Twice the room; what was there is wiped, for it may hold keys. */
static char *grow(char *buf, size_t have, size_t room)
{
	char *grown = malloc(room * 2);

	if (grown)
		memcpy(grown, buf, have);
	explicit_bzero(buf, have);
	free(buf);
	return grown;
}

static int read_all(int fd, size_t max, size_t size_hint, char **text, size_t *len)
{
	size_t room = size_hint + 1, have = 0;
	char *buf = malloc(room);

	/* The size is a hint: the file may grow or be one of /proc. */
	while (buf != NULL) {
		ssize_t r;

		if (have == room - 1) {
			if (room > max)
				goto too_big;
			buf = grow(buf, have, room);
			if (buf == NULL)
				return -ENOMEM;
			room *= 2;
		}
		r = read(fd, buf + have, room - 1 - have);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0) {
			int e = errno;

			explicit_bzero(buf, have);
			free(buf);
			return -e;
		}
		if (r == 0 && have > max)
			goto too_big;
		if (r == 0) {
			buf[have] = '\0';
			*text = buf;
			*len = have;
			return 0;
		}
		have += (size_t)r;
	}
	return -ENOMEM;
too_big:
	explicit_bzero(buf, have);
	free(buf);
	return -EFBIG;
}

int text_read(const char *path, size_t max, char **text, size_t *len, char why[128])
{
	struct stat st;
	/* Not blocking: a FIFO without a writer must not hold up the control thread. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int r;

	if (fd < 0 || fstat(fd, &st) < 0) {
		r = -errno;
	} else if (!S_ISREG(st.st_mode)) {
		snprintf(why, 128, "it is not a regular file");
		close(fd);
		return -EINVAL;
	} else if (st.st_size > (off_t)max) {
		r = -EFBIG;
	} else {
		r = read_all(fd, max, (size_t)st.st_size + 1, text, len);
	}
	if (fd >= 0)
		close(fd);
	if (r == -EFBIG)
		snprintf(why, 128, "it is larger than %zu bytes", max);
	else if (r < 0)
		snprintf(why, 128, "%s", strerrordesc_np(-r));
	return r;
}

/* The rewriting of a configuration's text. Its line numbers stay. */
struct scan {
	const char *at, *end;
	char *out;
	const char *moved; /* a separator that is in out already */
	unsigned line;
	const char *name;
	struct errs *errs;
	struct vault *vault;
	bool key; /* within the value of a setting named key */
};

static void copy(struct scan *s, size_t n)
{
	for (; n > 0 && s->at < s->end; n--) {
		s->line += *s->at == '\n';
		*s->out++ = *s->at++;
	}
}

/* Past white space and comments. */
static const char *skip(const char *at, const char *end)
{
	const char *close;

	while (at < end) {
		if (isspace((unsigned char)*at)) {
			at++;
		} else if (*at == '#' || (at[0] == '/' && at[1] == '/')) {
			while (at < end && *at != '\n')
				at++;
		} else if (at[0] == '/' && at[1] == '*') {
			close = memmem(at + 2, (size_t)(end - at - 2), "*/", 2);
			if (close == NULL)
				return end;
			at = close + 2;
		} else {
			break;
		}
	}
	return at;
}

/* libconfig notes the line of a string in a list only when it has seen what follows, since another
 * string may: so what separates or closes is moved up to where the string ends. */
static void move_separator(struct scan *s)
{
	const char *next = skip(s->at, s->end);

	if (next == s->end || next == s->at || strchr(",)]", *next) == NULL)
		return;
	*s->out++ = *next;
	s->moved = next;
}

/* n bytes and an end into the vault. */
static void vault_add(struct vault *v, const char *text, size_t n)
{
	while (!v->no_memory && v->len + n + 1 > v->room) {
		size_t room = v->room ? v->room * 2 : 4096;
		char *grown = secret_alloc(room);

		if (grown && v->len)
			memcpy(grown, v->text, v->len);
		secret_free(v->text, v->room);
		v->text = grown;
		v->room = grown ? room : 0;
		v->no_memory = grown == NULL;
	}
	if (v->no_memory)
		return;
	memcpy(v->text + v->len, text, n);
	v->len += n;
	v->text[v->len++] = '\0';
}

/* A key: its place in the vault instead of it; the lines that it spans stay. */
static int scan_key(struct scan *s)
{
	const char *from = s->at + 1, *p = from;
	unsigned opened = s->line;

	while (p < s->end && *p != '"')
		p += *p == '\\' ? 2 : 1;
	if (p >= s->end) {
		errs_add(s->errs, s->name, opened, "", "the string that begins here is not closed");
		return -EINVAL;
	}
	s->out += sprintf(s->out, "\"@%zu\"", s->vault->len);
	vault_add(s->vault, from, (size_t)(p - from));
	for (const char *c = from; c < p; c++) {
		if (*c != '\n')
			continue;
		*s->out++ = '\n';
		s->line++;
	}
	s->at = p + 1;
	move_separator(s);
	return 0;
}

static int scan_string(struct scan *s)
{
	unsigned opened = s->line;

	copy(s, 1);
	while (s->at < s->end && *s->at != '"')
		copy(s, *s->at == '\\' ? 2 : 1);
	if (s->at == s->end) {
		errs_add(s->errs, s->name, opened, "", "the string that begins here is not closed");
		return -EINVAL;
	}
	copy(s, 1);
	move_separator(s);
	return 0;
}

/* Comments become white space: libconfig 1.5 refuses one on a last line that has no end. */
static int scan_comment(struct scan *s)
{
	unsigned opened = s->line;
	const char *close;

	if (*s->at == '#' || s->at[1] == '/') {
		while (s->at < s->end && *s->at != '\n')
			s->at++;
		return 0;
	}
	close = memmem(s->at + 2, (size_t)(s->end - s->at - 2), "*/", 2);
	if (close == NULL) {
		errs_add(
			s->errs, s->name, opened, "", "the comment that begins here is not closed");
		return -EINVAL;
	}
	*s->out++ = ' ';
	for (; s->at < close + 2; s->at++) {
		if (*s->at == '\n') {
			*s->out++ = '\n';
			s->line++;
		}
	}
	return 0;
}

/* libconfig 1.5 reads 4294967296 as 0 unless an L stands behind it: so every integer gets one, and
 * what is too large for 64 bits is refused here. */
static int scan_number(struct scan *s)
{
	const char *from = s->at, *p = from;
	bool hex = p[0] == '0' && (p[1] == 'x' || p[1] == 'X');
	size_t digits;

	if (hex)
		for (p += 2; isxdigit((unsigned char)*p);)
			p++;
	else
		while (isdigit((unsigned char)*p))
			p++;
	digits = (size_t)(p - from) - (hex ? 2 : 0);
	if (!hex && (*p == '.' || ((*p == 'e' || *p == 'E') && strchr("+-0123456789", p[1]) &&
					  p[1] != '\0'))) {
		copy(s, (size_t)(p - from) + 1);
		while (s->at < s->end && (isalnum((unsigned char)*s->at) || *s->at == '.'))
			copy(s, 1);
		return 0;
	}
	if (digits > (hex ? 15 : 18)) {
		errs_add(s->errs, s->name, s->line, "",
			"found a number of %zu digits, expected at most %d", digits, hex ? 15 : 18);
		return -EINVAL;
	}
	copy(s, (size_t)(p - from));
	if (*p != 'L' && !(hex && digits == 0))
		*s->out++ = 'L';
	while (s->at < s->end && *s->at == 'L')
		copy(s, 1);
	return 0;
}

static int scan_token(struct scan *s)
{
	char c = *s->at;

	if (s->at == s->moved) {
		s->at++;
		return 0;
	}
	if (c == '"')
		return s->key ? scan_key(s) : scan_string(s);
	if (c == '#' || (c == '/' && (s->at[1] == '/' || s->at[1] == '*')))
		return scan_comment(s);
	if (isdigit((unsigned char)c))
		return scan_number(s);
	if (c == '.') { /* .5 is a float: its digits are no integer */
		copy(s, 1);
		while (s->at < s->end && isalnum((unsigned char)*s->at))
			copy(s, 1);
		return 0;
	}
	if (c == '@') {
		errs_add(s->errs, s->name, s->line, "",
			"found @, but @include is not supported: expected all settings in one file "
			"(rules may stand in others, named by filter.files)");
		return -EINVAL;
	}
	if (isalpha((unsigned char)c) || c == '*') { /* a name: its digits are no number */
		const char *from = s->at;

		while (s->at < s->end && (isalnum((unsigned char)*s->at) || strchr("-_*", *s->at)))
			copy(s, 1);
		s->key = s->at - from == 3 && memcmp(from, "key", 3) == 0;
		return 0;
	}
	copy(s, 1);
	return 0;
}

char *text_prepare(
	const char *text, size_t len, const char *name, struct vault *vault, struct errs *errs)
{
	const char *nul = memchr(text, '\0', len);
	struct scan s = {.at = text,
		.end = text + len,
		.line = 1,
		.name = name,
		.errs = errs,
		.vault = vault};
	size_t quotes = 0;
	char *out;

	if (nul) {
		for (const char *p = text; p < nul; p++)
			s.line += *p == '\n';
		errs_add(errs, name, s.line, "", "found a NUL byte, expected text");
		return NULL;
	}
	for (size_t i = 0; i < len; i++)
		quotes += text[i] == '"';
	/* at worst an L behind every digit, and instead of a string a place in the vault */
	out = malloc(len * 2 + quotes / 2 * 24 + 1);
	if (out == NULL) {
		errs_add(errs, name, 0, "", "no memory");
		return NULL;
	}
	s.out = out;
	while (s.at < s.end) {
		if (scan_token(&s) < 0) {
			free(out);
			return NULL;
		}
	}
	*s.out = '\0';
	if (!vault->no_memory)
		return out;
	errs_add(errs, name, 0, "", "no memory");
	free(out);
	return NULL;
}

void text_vault_free(struct vault *vault)
{
	secret_free(vault->text, vault->room);
	*vault = (struct vault){0};
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Digits of text behind the first *digits. False: something else is in it. */
static bool add_hex(const char *text, uint8_t *to, unsigned max, unsigned *digits)
{
	for (; *text; text++) {
		int d = hex_digit(*text);

		if (isspace((unsigned char)*text))
			continue;
		if (d < 0)
			return false;
		if (*digits < 2 * max && *digits % 2)
			to[*digits / 2] = (uint8_t)(to[*digits / 2] | d);
		else if (*digits < 2 * max)
			to[*digits / 2] = (uint8_t)(d << 4);
		++*digits;
	}
	return true;
}

static const char *skip_0x(const char *text)
{
	while (isspace((unsigned char)*text))
		text++;
	return text[0] == '0' && (text[1] | 0x20) == 'x' ? text + 2 : text;
}

int text_hex(const char *text, uint8_t *to, unsigned max)
{
	unsigned digits = 0;

	if (!add_hex(skip_0x(text), to, max, &digits) || digits % 2 || digits == 0)
		return -1;
	return (int)(digits / 2);
}

int text_vault_hex(const struct vault *vault, const char *at, uint8_t *to, unsigned max)
{
	unsigned digits = 0;

	/* several strings in a row are one, to libconfig: "@0@17" */
	while (*at == '@') {
		char *end;
		size_t from = strtoul(at + 1, &end, 10);
		const char *part = vault->text + from;

		if (from >= vault->len || !add_hex(digits ? part : skip_0x(part), to, max, &digits))
			return -1;
		at = end;
	}
	return *at || digits % 2 || digits == 0 ? -1 : (int)(digits / 2);
}

char *text_join(const char *dir, const char *name)
{
	char *path;

	if (dir == NULL || name[0] == '/' || strcmp(dir, ".") == 0)
		return strdup(name);
	if (asprintf(&path, "%s%s%s", dir, dir[strlen(dir) - 1] == '/' ? "" : "/", name) < 0)
		return NULL;
	return path;
}

char *text_quote(const char *text, char buf[CONF_QUOTED])
{
	const size_t last = CONF_QUOTED - 10; /* room for one more escape, dots and the quote */
	size_t n = 0;

	buf[n++] = '"';
	for (; *text && n < last; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
			n += (size_t)snprintf(buf + n, 5, "\\x%02x", c);
		else
			buf[n++] = (char)c;
	}
	snprintf(buf + n, CONF_QUOTED - n, "%s\"", *text ? "..." : "");
	return buf;
}

char *text_found(const config_setting_t *s, char buf[CONF_QUOTED])
{
	switch (config_setting_type(s)) {
	case CONFIG_TYPE_GROUP:
		return strcpy(buf, "a group");
	case CONFIG_TYPE_LIST:
		return strcpy(buf, "a list");
	case CONFIG_TYPE_ARRAY:
		return strcpy(buf, "an array");
	case CONFIG_TYPE_BOOL:
		snprintf(buf, CONF_QUOTED, "the boolean %s",
			config_setting_get_bool(s) ? "true" : "false");
		return buf;
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		snprintf(buf, CONF_QUOTED, "the integer %lld", config_setting_get_int64(s));
		return buf;
	case CONFIG_TYPE_FLOAT:
		snprintf(buf, CONF_QUOTED, "the float %g", config_setting_get_float(s));
		return buf;
	case CONFIG_TYPE_STRING:
		return text_quote(config_setting_get_string(s), buf);
	}
	return strcpy(buf, "nothing");
}
