/* ipsec.tunnels[].sas: manual security associations, each by itself. See parse.h.
 *
 * A key is read into conf.ipsec.keys and is nowhere else when this is over: that of the text comes
 * from the vault (text.c), that of a file over a buffer that is wiped. No message shows one.
 */
#include "conf/parse.h"

#include "wire/esp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define KEY_FILE_MAX 4096 /* bytes */
#define DAY_S 86400

void setting_read_sa_proto(struct parse *p, config_setting_t *s, void *base)
{
	struct sa_text *t = base;
	const char *text =
		config_setting_type(s) == CONFIG_TYPE_STRING ? config_setting_get_string(s) : "";

	if (strcmp(text, "esp") == 0)
		t->sa.proto = PROTO_ESP;
	else if (strcmp(text, "ah") == 0)
		t->sa.proto = PROTO_AH;
	else
		parse_found(p, "protocol", -1, s, "one of \"esp\", \"ah\"");
}

void setting_read_sa_suite(struct parse *p, config_setting_t *s, void *base)
{
	((struct sa_text *)base)->suite =
		parse_string(p, "suite", -1, s, "the name of a suite, such as \"aes256-sha256\"");
}

void setting_read_sa_key(struct parse *p, config_setting_t *s, void *base)
{
	struct sa_text *t = base;

	t->has_key = true;
	if (config_setting_type(s) == CONFIG_TYPE_STRING)
		t->key = config_setting_get_string(s);
	else
		parse_err(p, HERE(p), "key", -1,
			"found no string, expected hexadecimal digits in quotes");
}

void setting_read_sa_key_file(struct parse *p, config_setting_t *s, void *base)
{
	struct sa_text *t = base;

	t->has_key_file = true;
	t->key_file = parse_string(p, "key-file", -1, s, "a file name");
}

void setting_read_sa_created(struct parse *p, config_setting_t *s, void *base)
{
	static const char expected[] = "a date such as \"2026-11-01\"";
	struct sa_text *t = base;
	const char *text = parse_string(p, "created", -1, s, expected);
	struct tm day = {0};
	const char *end;
	int month_day;
	time_t at;

	if (text == NULL)
		return;
	end = strptime(text, "%Y-%m-%d", &day);
	month_day = day.tm_mday;
	at = timegm(&day);
	if (end == NULL || *end || strlen(text) != 10 || day.tm_mday != month_day || at <= 0)
		parse_found(p, "created", -1, s, expected);
	else
		t->sa.created = at;
}

void setting_read_sa_lifetime(struct parse *p, config_setting_t *s, void *base)
{
	struct sa_text *t = base;
	const struct parse_place back = parse_place(p);
	char path[80];

	snprintf(path, sizeof(path), "%s[%d].lifetime", p->section, p->index);
	s = parse_group(p, path);
	p->set = settings_of("ipsec.tunnels.sas.lifetime", &p->n_set);
	if (s) {
		const struct conf_sa *sa = &t->sa;
		static const char hint[] = "found more than hard, expected less";

		settings_read(p, s, t);
		if (sa->hard_s && sa->soft_s > sa->hard_s)
			parse_err(p, HERE(p), "soft-s", -1, "%s", hint);
		if (sa->hard_bytes && sa->soft_bytes > sa->hard_bytes)
			parse_err(p, HERE(p), "soft-bytes", -1, "%s", hint);
		if (sa->hard_packets && sa->soft_packets > sa->hard_packets)
			parse_err(p, HERE(p), "soft-packets", -1, "%s", hint);
	}
	parse_go_back(p, &back);
}

/* The bytes of a key file. 0, or -1 with the reason in why. */
static int read_file(const char *path, char text[KEY_FILE_MAX + 1], char *why, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), ret = -1;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		snprintf(why, size, "can't be read: %s", strerrordesc_np(errno));
	else if (!S_ISREG(st.st_mode))
		snprintf(why, size, "is not a regular file");
	else if (st.st_mode & 07177)
		snprintf(why, size, "has the mode %04o, expected 0600: others may not touch it",
			st.st_mode & 07777);
	else if (st.st_uid != 0 && st.st_uid != geteuid())
		snprintf(why, size, "is owned by user %u, expected root or the daemon's user",
			st.st_uid);
	else if ((n = read(fd, text, KEY_FILE_MAX + 1)) < 0)
		snprintf(why, size, "can't be read: %s", strerrordesc_np(errno));
	else if (n > KEY_FILE_MAX)
		snprintf(why, size, "is larger than %d bytes", KEY_FILE_MAX);
	else
		ret = (int)n;
	if (fd >= 0)
		close(fd);
	if (ret >= 0)
		text[ret] = '\0';
	return ret < 0 ? -1 : 0;
}

/* How many bytes the key has, -1 when it is none, 0 after an error. */
static int key_of_file(struct parse *p, const struct sa_text *t, uint8_t *key)
{
	char text[KEY_FILE_MAX + 1], why[128], *path;
	int n = 0;

	if (p->dir == NULL) {
		parse_err(p, HERE(p), "key-file", -1, "no key file can be named here");
		return 0;
	}
	path = text_join(p->dir, t->key_file);
	if (path == NULL)
		p->no_memory = true;
	else if (read_file(path, text, why, sizeof(why)) < 0)
		parse_err(p, HERE(p), "key-file", -1, "%s %s", path, why);
	else
		n = text_hex(text, key, SUITE_KEY_MAX);
	explicit_bzero(text, sizeof(text));
	free(path);
	return n;
}

static void warn_weak(struct parse *p, const struct sa_text *t, const char *name)
{
	unsigned len = suite_key_len(&t->sa.suite);

	for (unsigned i = 1; i < len; i++)
		if (t->sa.key[i] != t->sa.key[0])
			return;
	parse_warn(p, HERE(p), name, -1, "all bytes of the key are the same: anybody can guess it");
}

static void read_key(struct parse *p, struct sa_text *t)
{
	const char *name = t->has_key ? "key" : "key-file";
	const struct suite *s = &t->sa.suite;
	unsigned want = suite_key_len(s);
	char suite[SUITE_NAME_MAX];
	int n;

	if (t->has_key == t->has_key_file) {
		parse_err(p, HERE(p), name, -1,
			t->has_key ? "found besides key-file, expected one of them"
				   : "missing, and no key either: expected one of them");
		return;
	}
	if (t->key == NULL && t->key_file == NULL)
		return;
	n = t->has_key ? text_vault_hex(p->vault, t->key, t->sa.key, SUITE_KEY_MAX)
		       : key_of_file(p, t, t->sa.key);
	if (n == 0)
		return;
	if (n < 0)
		parse_err(p, HERE(p), name, -1,
			"found something else, expected two hexadecimal digits for each byte");
	else if (want && (unsigned)n != want)
		parse_err(p, HERE(p), name, -1,
			"found %d bytes, expected %u for %s: %u encryption, %u salt, %u integrity",
			n, want, suite_format(s, suite), s->enc_key_len, s->salt_len,
			s->integ_key_len);
	else if (want)
		warn_weak(p, t, name);
}

/* Counters for nonces: whoever begins anew with the same key gives its traffic away. */
static bool is_counter_mode(const struct suite *s)
{
	return s->aead || (s->enc >= ENC_AES_CTR_128 && s->enc <= ENC_AES_CTR_256);
}

static void read_suite(struct parse *p, struct sa_text *t)
{
	struct conf_sa *sa = &t->sa;
	char why[256] = "";
	bool known;

	if (t->suite == NULL || sa->proto == 0)
		return;
	known = suite_parse(t->suite, sa->proto, &sa->suite, why, sizeof(why));
	sa->counter_mode = known && is_counter_mode(&sa->suite);
	if (!known) {
		sa->suite = (struct suite){0};
		parse_err(p, HERE(p), "suite", -1, "%s", why);
	} else if (sa->suite.legacy && !p->conf->ipsec.allow_legacy) {
		parse_err(p, HERE(p), "suite", -1,
			"%s is not to be used any more (RFC 8221), expected another suite, or "
			"ipsec.allow-legacy = true",
			t->suite);
	} else if (sa->suite.legacy) {
		parse_warn(p, HERE(p), "suite", -1,
			"%s is not to be used any more (RFC 8221): expected another suite",
			t->suite);
	} else if (sa->counter_mode && sa->out) {
		parse_warn(p, HERE(p), "suite", -1,
			"%s is not made for keys that stay (RFC 4106 section 2): when the daemon "
			"starts again with the same key, nonces may repeat and give traffic away; "
			"expected a new key for each start, or a suite with CBC",
			t->suite);
	}
}

static void check_age(struct parse *p, const struct conf_sa *sa)
{
	int64_t days = sa->created ? (time(NULL) - sa->created) / DAY_S : 0;
	uint32_t most = p->conf->ipsec.key_age_days;

	if (sa->created && sa->created > time(NULL) + DAY_S)
		parse_warn(p, HERE(p), "created", -1, "the day is still to come");
	else if (most && days > most)
		parse_warn(p, HERE(p), "created", -1,
			"the key is %lld days old, expected at most %u (ipsec.key-age-days)",
			(long long)days, most);
}

static void check_sa(
	struct parse *p, config_setting_t *s, const struct conf_tunnel *t, struct sa_text *text)
{
	struct conf_sa *sa = &text->sa;
	unsigned workers =
		p->conf->system.workers ? p->conf->system.workers : p->conf->system.n_lcores;

	if (sa->proto == 0 && !config_setting_get_member(s, "protocol")) {
		if (t->protocol == CONF_TUNNEL_ESP_AH)
			parse_err(p, HERE(p), "protocol", -1,
				"missing, expected \"esp\" or \"ah\" since the tunnel has both");
		else
			sa->proto = t->protocol == CONF_TUNNEL_AH ? PROTO_AH : PROTO_ESP;
	} else if (sa->proto &&
		   !(t->protocol & (sa->proto == PROTO_ESP ? CONF_TUNNEL_ESP : CONF_TUNNEL_AH))) {
		parse_err(p, HERE(p), "protocol", -1,
			"found %s, but the tunnel has %s alone: expected that",
			sa->proto == PROTO_ESP ? "esp" : "ah",
			sa->proto == PROTO_ESP ? "ah" : "esp");
	}
	if (sa->out && config_setting_get_member(s, "window"))
		parse_err(p, HERE(p), "window", -1,
			"an outbound SA has none: expected it in the inbound one, at the other "
			"end");
	if (!sa->out && sa->esn && sa->window == 0)
		parse_err(p, HERE(p), "esn", -1,
			"extended sequence numbers need a window (RFC 4303 section 3.3.3), "
			"expected window = 32 or more");
	if (workers && sa->owner >= (int)workers)
		parse_err(p, HERE(p), "owner", -1,
			"found %d, but there are %u workers: expected "
			"less",
			sa->owner, workers);
	read_suite(p, text);
	read_key(p, text);
	check_age(p, sa);
}

void parse_sas(struct parse *p, struct conf_tunnel *t, config_setting_t *list)
{
	struct conf_ipsec *c = &p->conf->ipsec;
	const struct parse_place back = parse_place(p);
	uint32_t room = (uint32_t)(c->keys_size / SUITE_KEY_MAX) - c->n_sas;
	char path[64];
	unsigned n;

	snprintf(path, sizeof(path), "%s[%d].sas", p->section, p->index);
	list = parse_list(p, path, room, &n);
	p->set = settings_of("ipsec.tunnels.sas", &p->n_set);
	for (unsigned i = 0; i < n; i++) {
		config_setting_t *s = parse_entry(p, list, i);
		struct sa_text text = {.sa = {.tunnel = (uint32_t)(t - c->tunnels),
					       .key = c->keys + (size_t)c->n_sas * SUITE_KEY_MAX}};

		text.sa.line = config_setting_source_line(config_setting_get_elem(list, i));
		if (s) {
			settings_read(p, s, &text);
			check_sa(p, s, t, &text);
		}
		if (text.sa.out)
			text.sa.window = 0;
		c->sas[c->n_sas++] = text.sa;
		t->n_sas++;
	}
	parse_go_back(p, &back);
}
