/* The sections of one group each: system, ip4, ip6, arp, nd,
 * reassembly, log, control. See parse.h. */
#include "conf/parse.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOCKET_MAX 107 /* sun_path without its end */
#define CPU_MAX 1023

void setting_read_lcores(struct parse *p, config_setting_t *s, void *base)
{
	struct conf_system *sys = base;
	int n;

	if (!config_setting_is_array(s) && !config_setting_is_list(s)) {
		parse_found(p, "lcores", -1, s, "a list of CPU numbers such as [ 2, 3 ]");
		return;
	}
	n = config_setting_length(s);
	if (n > CONF_LCORES_MAX) {
		parse_err(p, HERE(p), "lcores", -1, "found %d CPU numbers, expected at most %d", n,
			CONF_LCORES_MAX);
		return;
	}
	for (int i = 0; i < n; i++) {
		const config_setting_t *e = config_setting_get_elem(s, (unsigned)i);
		int type = config_setting_type(e);
		long long v = config_setting_get_int64(e);

		if ((type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64) || v < 0 || v > CPU_MAX)
			parse_found(p, "lcores", i, e, "a CPU number, 0 to 1023");
		else
			sys->lcores[i] = (uint16_t)v;
	}
	sys->n_lcores = (uint16_t)n;
}

void setting_write_lcores(const void *base, const struct setting *s, char *buf, size_t size)
{
	const struct conf_system *sys = base;
	size_t len = 0;

	if (sys->n_lcores == 0)
		snprintf(buf, size, "chosen");
	for (unsigned i = 0; i < sys->n_lcores && len < size; i++)
		len += (size_t)snprintf(
			buf + len, size - len, "%s%u", i ? "," : "", sys->lcores[i]);
}

void setting_write_text(const void *base, const struct setting *s, char *buf, size_t size)
{
	const char *text = *(char *const *)((const char *)base + s->offset);

	snprintf(buf, size, "%s", text ? text : "none");
}

static char *read_path(struct parse *p, const config_setting_t *s)
{
	const char *name = config_setting_name(s);
	const char *text = parse_string(p, name, -1, s, "a file name");
	char *path = text ? text_join(p->dir, text) : NULL;

	if (text && path == NULL)
		p->no_memory = true;
	return path;
}

void setting_read_path(struct parse *p, config_setting_t *s, void *base)
{
	((struct conf_log *)base)->file = read_path(p, s);
}

void setting_read_socket(struct parse *p, config_setting_t *s, void *base)
{
	struct conf_control *c = base;

	c->socket = read_path(p, s);
	if (c->socket && strlen(c->socket) > SOCKET_MAX)
		parse_err(p, HERE(p), "socket", -1,
			"the name has %zu bytes with its folder, expected at most %d",
			strlen(c->socket), SOCKET_MAX);
}

void setting_read_group(struct parse *p, config_setting_t *s, void *base)
{
	struct conf_control *c = base;
	const char *text = parse_string(p, "group", -1, s, "the name of a group");

	if (text == NULL)
		return;
	if (strlen(text) > 64 || strpbrk(text, " :/,\"'\\"))
		parse_found(p, "group", -1, s, "the name of a group");
	else
		c->group = parse_strdup(p, text);
}

static bool drop_name_ok(const char *text)
{
	size_t n = strlen(text);

	if (n == 0 || n > 63)
		return false;
	for (; *text; text++)
		if (!islower((unsigned char)*text) && !isdigit((unsigned char)*text) &&
			*text != '_' && *text != '-')
			return false;
	return true;
}

void setting_read_drops(struct parse *p, config_setting_t *s, void *base)
{
	static const char expected[] = "the name of a drop reason, as `show drops` has it";
	struct conf_log *log = base;
	int n = parse_strings(p, s, CONF_DROPS_MAX, expected);

	if (n <= 0)
		return;
	log->drops = parse_alloc(p, (size_t)n, sizeof(*log->drops));
	if (log->drops == NULL)
		return;
	for (int i = 0; i < n; i++) {
		const config_setting_t *e = parse_elem(s, i);
		const char *text = parse_string(p, "drops", i, e, expected);
		unsigned k = 0;

		if (text == NULL)
			continue;
		while (k < log->n_drops && strcmp(log->drops[k], text) != 0)
			k++;
		if (k < log->n_drops)
			parse_err(p, HERE(p), "drops", i, "%s is named twice", text);
		else if (!drop_name_ok(text))
			parse_found(p, "drops", i, e, expected);
		else if ((log->drops[k] = parse_strdup(p, text)) != NULL)
			log->n_drops++;
	}
}

void parse_system(struct parse *p)
{
	struct conf *conf = p->conf;
	struct conf_system *sys = &conf->system;
	config_setting_t *s = parse_group(p, "system");

	settings_read(p, s, sys);
	if (sys->workers && sys->n_lcores && sys->workers != sys->n_lcores)
		parse_err(p, HERE(p), "workers", -1,
			"found %u workers, expected %u, as many as lcores are named", sys->workers,
			sys->n_lcores);
	s = parse_group(p, "ip4");
	settings_read(p, s, &conf->ip4);
	s = parse_group(p, "ip6");
	settings_read(p, s, &conf->ip6);
	s = parse_group(p, "arp");
	settings_read(p, s, &conf->arp);
	s = parse_group(p, "nd");
	settings_read(p, s, &conf->nd);
	s = parse_group(p, "reassembly");
	settings_read(p, s, &conf->reassembly);
	s = parse_group(p, "log");
	settings_read(p, s, &conf->log);
	if (conf->log.to == CONF_LOG_FILE && conf->log.file == NULL &&
		!config_setting_get_member(s, "file"))
		parse_err(p, HERE(p), "file", -1,
			"missing, expected a file name since to = \"file\"");
	s = parse_group(p, "control");
	settings_read(p, s, &conf->control);
	if (conf->control.socket == NULL)
		conf->control.socket = parse_strdup(p, "/run/postern/control.sock");
}
