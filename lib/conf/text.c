/* Text before and after libconfig: reading a file, taking the surprises out of the syntax, words
 * for what was found.
 *
 * Called while a configuration is parsed, on its thread. No state.
 */
#include "conf/parse.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(int fd, size_t max, size_t size_hint, char **text, size_t *len)
{
	size_t room = size_hint + 1, have = 0;
	char *buf = malloc(room);

	/* The size is a hint: the file may grow or be one of /proc. */
	while (buf != NULL) {
		ssize_t r;

		if (have == room - 1) {
			char *grown = room > max ? NULL : realloc(buf, room * 2);

			if (grown == NULL) {
				free(buf);
				return room > max ? -EFBIG : -ENOMEM;
			}
			buf = grown;
			room *= 2;
		}
		r = read(fd, buf + have, room - 1 - have);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0) {
			int e = errno;

			free(buf);
			return -e;
		}
		if (r == 0 && have > max) {
			free(buf);
			return -EFBIG;
		}
		if (r == 0) {
			buf[have] = '\0';
			*text = buf;
			*len = have;
			return 0;
		}
		have += (size_t)r;
	}
	return -ENOMEM;
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
		return scan_string(s);
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
		while (s->at < s->end && (isalnum((unsigned char)*s->at) || strchr("-_*", *s->at)))
			copy(s, 1);
		return 0;
	}
	copy(s, 1);
	return 0;
}

char *text_prepare(const char *text, size_t len, const char *name, struct errs *errs)
{
	const char *nul = memchr(text, '\0', len);
	struct scan s = {.at = text, .end = text + len, .line = 1, .name = name, .errs = errs};
	char *out;

	if (nul) {
		for (const char *p = text; p < nul; p++)
			s.line += *p == '\n';
		errs_add(errs, name, s.line, "", "found a NUL byte, expected text");
		return NULL;
	}
	out = malloc(len * 2 + 1); /* at worst an L behind every digit */
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
	return out;
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
