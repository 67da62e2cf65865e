/* Text to struct conf: the order of things, and what all sections share. See conf.h and parse.h.
 *
 * Called by posternd at boot, on reload and for --check; by tests and a fuzzer. Any thread.
 */
#include "conf/parse.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const sections[] = {"system", "ports", "interfaces", "routes", "neighbours",
	"filter", "ip4", "ip6", "arp", "nd", "reassembly", "ipsec", "log", "control"};
#define N_SECTIONS (sizeof(sections) / sizeof(sections[0]))

static config_setting_t *member(config_setting_t *group, const char *name, size_t len)
{
	unsigned n = config_setting_is_group(group) ? (unsigned)config_setting_length(group) : 0;

	for (unsigned i = 0; i < n; i++) {
		config_setting_t *s = config_setting_get_elem(group, i);
		const char *has = config_setting_name(s);

		if (strlen(has) == len && strncmp(has, name, len) == 0)
			return s;
	}
	return NULL;
}

/* "interfaces[2].router-advertisements", or NULL where there is none. */
static config_setting_t *lookup(struct parse *p, const char *section)
{
	config_setting_t *s = config_root_setting(&p->cfg);

	while (s && *section) {
		if (*section == '[') {
			char *end;
			unsigned long i = strtoul(section + 1, &end, 10);

			s = config_setting_get_elem(s, (unsigned)i);
			section = end + 1;
		} else {
			size_t n = strcspn(section, ".[");

			s = member(s, section, n);
			section += n;
		}
		section += *section == '.';
	}
	return s;
}

/* The setting, or what encloses it when there is none. *sub becomes -1 when it has no elements: a
 * lone string may stand for a list of one. */
static const config_setting_t *locate(
	struct parse *p, const char *section, int index, const char *name, int *sub)
{
	config_setting_t *s = lookup(p, section), *in;

	if (s && index >= 0 && (in = config_setting_get_elem(s, (unsigned)index)) != NULL)
		s = in;
	if (s == NULL || name == NULL || !config_setting_is_group(s))
		return s;
	in = config_setting_get_member(s, name);
	if (in == NULL)
		return s;
	if (!config_setting_is_aggregate(in))
		*sub = -1;
	s = in;
	in = *sub >= 0 ? config_setting_get_elem(s, (unsigned)*sub) : NULL;
	return in ? in : s;
}

static void report(struct parse *p, bool warning, const char *section, int index, const char *name,
	int sub, const char *fmt, va_list ap)
{
	const config_setting_t *s = locate(p, section, index, name, &sub);
	char path[160], text[512], i[16] = "", k[16] = "";

	if (index >= 0)
		snprintf(i, sizeof(i), "[%d]", index);
	if (sub >= 0)
		snprintf(k, sizeof(k), "[%d]", sub);
	snprintf(path, sizeof(path), "%s%s%s%.64s%s", section, i, name && *section ? "." : "",
		name ? name : "", k);
	vsnprintf(text, sizeof(text), fmt, ap);
	(warning ? errs_warn : errs_add)(
		p->errs, p->conf->file, s ? config_setting_source_line(s) : 0, path, "%s", text);
}

void parse_err(struct parse *p, const char *section, int index, const char *name, int sub,
	const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(p, false, section, index, name, sub, fmt, ap);
	va_end(ap);
}

void parse_warn(struct parse *p, const char *section, int index, const char *name, int sub,
	const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(p, true, section, index, name, sub, fmt, ap);
	va_end(ap);
}

void parse_found(
	struct parse *p, const char *name, int sub, const config_setting_t *s, const char *expected)
{
	char buf[CONF_QUOTED];

	parse_err(p, HERE(p), name, sub, "found %s, expected %s", text_found(s, buf), expected);
}

const char *parse_string(
	struct parse *p, const char *name, int sub, const config_setting_t *s, const char *expected)
{
	const char *text;

	if (config_setting_type(s) != CONFIG_TYPE_STRING) {
		parse_found(p, name, sub, s, expected);
		return NULL;
	}
	text = config_setting_get_string(s);
	for (const char *c = text; *c; c++) {
		if ((unsigned char)*c >= 0x20 && *c != 0x7f)
			continue;
		parse_err(p, HERE(p), name, sub,
			"found the control character 0x%02x in the string, expected %s",
			(unsigned char)*c, expected);
		return NULL;
	}
	if (*text == '\0') {
		parse_found(p, name, sub, s, expected);
		return NULL;
	}
	return text;
}

void *parse_alloc(struct parse *p, size_t n, size_t size)
{
	void *m = n ? calloc(n, size) : NULL;

	if (n && m == NULL)
		p->no_memory = true;
	return m;
}

char *parse_strdup(struct parse *p, const char *text)
{
	char *copy = strdup(text);

	if (copy == NULL)
		p->no_memory = true;
	return copy;
}

int parse_strings(struct parse *p, const config_setting_t *s, unsigned max, const char *expected)
{
	const char *name = config_setting_name(s);
	int n;

	if (config_setting_type(s) == CONFIG_TYPE_STRING)
		return 1;
	if (!config_setting_is_array(s) && !config_setting_is_list(s)) {
		parse_found(p, name, -1, s, expected);
		return -1;
	}
	n = config_setting_length(s);
	if ((unsigned)n > max) {
		parse_err(p, HERE(p), name, -1, "found %d elements, expected at most %u: %s", n,
			max, expected);
		return -1;
	}
	return n;
}

config_setting_t *parse_elem(config_setting_t *s, int i)
{
	return config_setting_is_aggregate(s) ? config_setting_get_elem(s, (unsigned)i) : s;
}

static void enter(struct parse *p, const char *section)
{
	p->section = section;
	p->index = -1;
	p->set = settings_of(section, &p->n_set);
}

struct parse_place parse_place(const struct parse *p)
{
	return (struct parse_place){p->section, p->index, p->set, p->n_set};
}

void parse_go_back(struct parse *p, const struct parse_place *to)
{
	p->section = to->section;
	p->index = to->index;
	p->set = to->set;
	p->n_set = to->n_set;
}

config_setting_t *parse_group(struct parse *p, const char *section)
{
	config_setting_t *s = lookup(p, section);

	enter(p, section);
	if (s == NULL || config_setting_is_group(s))
		return s;
	parse_found(p, NULL, -1, s, "a group { ... }");
	return NULL;
}

config_setting_t *parse_list(struct parse *p, const char *section, unsigned max, unsigned *n)
{
	config_setting_t *s = lookup(p, section);
	int len;

	*n = 0;
	enter(p, section);
	if (s == NULL)
		return NULL;
	/* [] is an empty list as well; an array of anything can't hold groups */
	if (!config_setting_is_list(s) &&
		!(config_setting_is_array(s) && config_setting_length(s) == 0)) {
		parse_found(p, NULL, -1, s, "a list of groups ( { ... }, { ... } )");
		return NULL;
	}
	len = config_setting_length(s);
	if ((unsigned)len > max)
		parse_err(p, HERE(p), NULL, -1, "found %d entries, expected at most %u", len, max);
	*n = (unsigned)len > max ? max : (unsigned)len;
	return s;
}

config_setting_t *parse_entry(struct parse *p, config_setting_t *list, unsigned i)
{
	config_setting_t *s = config_setting_get_elem(list, i);

	p->index = (int)i;
	if (config_setting_is_group(s))
		return s;
	parse_found(p, NULL, -1, s, "a group { ... }");
	return NULL;
}

static void top_level(struct parse *p)
{
	config_setting_t *root = config_root_setting(&p->cfg);
	int n = config_setting_length(root);

	for (int i = 0; i < n; i++) {
		const char *name = config_setting_name(config_setting_get_elem(root, (unsigned)i));
		unsigned k = 0;

		while (k < N_SECTIONS && strcmp(sections[k], name) != 0)
			k++;
		if (k == N_SECTIONS)
			parse_err(p, name, -1, NULL, -1,
				"unknown setting, expected one of: system, ports, interfaces, "
				"routes, neighbours, filter, ip4, ip6, arp, nd, reassembly, ipsec, "
				"log, control");
	}
}

/* The errors of the configuration itself come first and by line; those of rule files stay behind.
 */
struct by_line {
	const struct err *e;
	bool other_file;
};

static int compare_lines(const void *a, const void *b)
{
	const struct by_line *x = a, *y = b;

	if (x->other_file != y->other_file)
		return x->other_file - y->other_file;
	if (!x->other_file && x->e->line != y->e->line)
		return x->e->line < y->e->line ? -1 : 1;
	return x->e < y->e ? -1 : x->e > y->e; /* as found */
}

static void sort_errors(struct parse *p, size_t first)
{
	size_t n = p->errs->n - first;
	struct by_line *by = n > 1 ? malloc(n * sizeof(*by)) : NULL;
	struct err *sorted = n > 1 ? malloc(n * sizeof(*sorted)) : NULL;

	for (size_t i = 0; by && sorted && i < n; i++) {
		by[i].e = &p->errs->e[first + i];
		by[i].other_file = by[i].e->file && strcmp(by[i].e->file, p->conf->file) != 0;
	}
	if (by && sorted) {
		qsort(by, n, sizeof(*by), compare_lines);
		for (size_t i = 0; i < n; i++)
			sorted[i] = *by[i].e;
		memcpy(p->errs->e + first, sorted, n * sizeof(*sorted));
	}
	free(by);
	free(sorted);
}

static void all_sections(struct parse *p)
{
	top_level(p);
	parse_system(p);
	parse_ports(p);
	check_ports(p);
	parse_ifaces(p);
	check_ifaces(p);
	parse_routes(p);
	check_routes(p);
	parse_neighs(p);
	check_neighs(p);
	parse_ipsec(p);
	parse_filter(p);
	check_rules(p);
}

static struct conf *conf_new(const char *name)
{
	struct conf *conf = calloc(1, sizeof(*conf));

	if (conf == NULL)
		return NULL;
	conf->file = strdup(name);
	conf->files = calloc(CONF_FILES_MAX + 1, sizeof(*conf->files));
	if (conf->file == NULL || conf->files == NULL)
		goto fail;
	conf->files[0] = strdup(name);
	if (conf->files[0] == NULL)
		goto fail;
	conf->n_files = 1;
	return conf;
fail:
	conf_free(conf);
	return NULL;
}

static struct conf *parse_text(
	const char *text, size_t len, const char *name, const char *dir, struct errs *errs)
{
	struct vault vault = {0};
	struct parse p = {.errs = errs, .dir = dir, .conf = conf_new(name), .vault = &vault};
	size_t errors = errs->n_errors, first = errs->n;
	char *prepared;

	if (p.conf == NULL) {
		errs_add(errs, name, 0, "", "no memory");
		return NULL;
	}
	prepared = text_prepare(text, len, name, &vault, errs);
	if (prepared == NULL || syntax_check(prepared, name, errs) < 0)
		goto fail;
	config_init(&p.cfg);
	if (config_read_string(&p.cfg, prepared) == CONFIG_TRUE)
		all_sections(&p);
	else
		errs_add(errs, name, (unsigned)config_error_line(&p.cfg), "", "%s",
			config_error_text(&p.cfg) ? config_error_text(&p.cfg) : "can't be read");
	config_destroy(&p.cfg);
	free(prepared);
	text_vault_free(&vault);
	free(p.by_name);
	free(p.subnets);
	free(p.owns);
	free(p.tunnels);
	free(p.by_number);
	if (p.no_memory)
		errs_add(errs, name, 0, "", "no memory for so large a configuration");
	sort_errors(&p, first);
	if (errs->n_errors == errors)
		return p.conf;
	conf_free(p.conf);
	return NULL;
fail:
	free(prepared);
	text_vault_free(&vault);
	conf_free(p.conf);
	return NULL;
}

struct conf *conf_parse(const char *text, const char *name, const char *dir, struct errs *errs)
{
	return parse_text(text, strlen(text), name, dir, errs);
}

struct conf *conf_load(const char *path, struct errs *errs)
{
	const char *slash = strrchr(path, '/');
	struct conf *conf = NULL;
	char why[128], *text = NULL, *dir;
	size_t len;

	if (slash == NULL)
		dir = strdup(".");
	else
		dir = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	if (dir == NULL)
		errs_add(errs, path, 0, "", "no memory");
	else if (text_read(path, CONF_TEXT_MAX, &text, &len, why) < 0)
		errs_add(errs, path, 0, "", "can't be read: %s", why);
	else
		conf = parse_text(text, len, path, dir, errs);
	if (text)
		explicit_bzero(text, len); /* keys were in it */
	free(text);
	free(dir);
	return conf;
}
