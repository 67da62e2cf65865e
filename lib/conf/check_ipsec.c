/* What several tunnels and SAs get wrong together: names, numbers, interfaces and SPIs that occur
 * twice, keys that are used twice, directions that are missing. See parse.h.
 *
 * Called while a configuration is parsed, on its thread. Everything here sorts, so that a large
 * configuration is no slow one.
 */
#include "conf/parse.h"

#include "wire/esp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "ipsec.tunnels[3].sas", and its index among those. */
static int sa_path(const struct conf_ipsec *c, const struct conf_sa *sa, char path[64])
{
	snprintf(path, 64, "ipsec.tunnels[%u].sas", sa->tunnel);
	return (int)(sa - c->sas - c->tunnels[sa->tunnel].first_sa);
}

static int compare_names(const void *a, const void *b, void *conf)
{
	const struct conf_tunnel *t = ((const struct conf *)conf)->ipsec.tunnels;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int c = strcmp(t[x].name, t[y].name);

	return c ? c : x < y ? -1 : x > y;
}

static void check_names(struct parse *p)
{
	const struct conf_ipsec *c = &p->conf->ipsec;

	p->tunnels = parse_alloc(p, c->n_tunnels, sizeof(*p->tunnels));
	if (p->tunnels == NULL)
		return;
	for (uint32_t i = 0; i < c->n_tunnels; i++)
		p->tunnels[i] = i;
	qsort_r(p->tunnels, c->n_tunnels, sizeof(*p->tunnels), compare_names, p->conf);
	for (uint32_t i = 1; i < c->n_tunnels; i++) {
		uint32_t a = p->tunnels[i - 1], b = p->tunnels[i];

		if (c->tunnels[b].name[0] && strcmp(c->tunnels[a].name, c->tunnels[b].name) == 0)
			parse_err(p, "ipsec.tunnels", (int)b, "name", -1,
				"%s is the name of ipsec.tunnels[%u] as well, expected another",
				c->tunnels[b].name, a);
	}
}

int64_t find_tunnel(const struct parse *p, const char *name)
{
	uint32_t low = 0, high = p->tunnels ? p->conf->ipsec.n_tunnels : 0;

	while (low < high) {
		uint32_t mid = (low + high) / 2;
		int c = strcmp(p->conf->ipsec.tunnels[p->tunnels[mid]].name, name);

		if (c == 0)
			return p->tunnels[mid];
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return -1;
}

static void check_numbers(struct parse *p)
{
	const struct conf_ipsec *c = &p->conf->ipsec;
	uint32_t *by =
		c->n_tunnels ? parse_alloc(p, CONF_TUNNEL_NUMBER_MAX + 1, sizeof(*by)) : NULL;

	p->by_number = by;
	for (uint32_t i = 0; by && i < c->n_tunnels; i++) {
		uint32_t n = c->tunnels[i].number;

		if (n > CONF_TUNNEL_NUMBER_MAX || n == 0)
			continue;
		if (by[n])
			parse_err(p, "ipsec.tunnels", (int)i, "number", -1,
				"%u is the number of ipsec.tunnels[%u] as well, expected another",
				n, by[n] - 1);
		else
			by[n] = i + 1;
	}
}

bool has_tunnel(const struct parse *p, uint32_t number)
{
	return p->by_number && number <= CONF_TUNNEL_NUMBER_MAX && p->by_number[number];
}

static void check_interfaces(struct parse *p)
{
	const struct conf *conf = p->conf;
	const struct conf_ipsec *c = &conf->ipsec;
	uint32_t *by = parse_alloc(p, conf->n_ifaces, sizeof(*by));

	for (uint32_t i = 0; by && i < c->n_tunnels; i++) {
		uint16_t f = c->tunnels[i].iface;

		if (f == UINT16_MAX)
			continue;
		if (by[f])
			parse_err(p, "ipsec.tunnels", (int)i, "interface", -1,
				"%s is the interface of ipsec.tunnels[%u] as well, expected "
				"another",
				conf->ifaces[f].name, by[f] - 1);
		else
			by[f] = i + 1;
	}
	for (unsigned i = 0; by && i < conf->n_ifaces; i++)
		if (conf->ifaces[i].tunnel && by[i] == 0)
			parse_warn(p, "interfaces", (int)i, "tunnel", -1,
				"no tunnel names interface %s: what is routed there is dropped",
				conf->ifaces[i].name);
	free(by);
}

/* SAs of one direction without any of the other, or ESP without its AH. */
static void check_complete(struct parse *p, uint32_t i)
{
	const struct conf_ipsec *c = &p->conf->ipsec;
	const struct conf_tunnel *t = &c->tunnels[i];
	bool has[2][2] = {{false}};

	for (uint32_t k = 0; k < t->n_sas; k++) {
		const struct conf_sa *sa = &c->sas[t->first_sa + k];

		has[sa->out][sa->proto == PROTO_AH] = true;
	}
	for (unsigned out = 0; t->n_sas && out < 2; out++)
		for (unsigned ah = 0; ah < 2; ah++)
			if (t->protocol & (ah ? CONF_TUNNEL_AH : CONF_TUNNEL_ESP) && !has[out][ah])
				parse_warn(p, "ipsec.tunnels", (int)i, "sas", -1,
					"there is no %s SA with %s: packets that need one are "
					"dropped",
					out ? "outbound" : "inbound", ah ? "AH" : "ESP");
}

void check_tunnels(struct parse *p)
{
	const struct conf_ipsec *c = &p->conf->ipsec;

	check_names(p);
	check_numbers(p);
	check_interfaces(p);
	for (uint32_t i = 0; p->errs->n_errors == 0 && i < c->n_tunnels; i++)
		check_complete(p, i);
}

static int compare_sa_names(const void *a, const void *b)
{
	const struct conf_sa *x = *(const struct conf_sa *const *)a;
	const struct conf_sa *y = *(const struct conf_sa *const *)b;
	int c = strcmp(x->name, y->name);

	return c ? c : x < y ? -1 : x > y;
}

static const struct addr *destination(const struct conf_ipsec *c, const struct conf_sa *sa)
{
	const struct conf_tunnel *t = &c->tunnels[sa->tunnel];

	return sa->out ? &t->remote : &t->local;
}

/* An SA is known by destination, protocol and SPI (RFC 4301 section 4.1). */
static int compare_spis(const void *a, const void *b, void *ipsec)
{
	const struct conf_sa *x = *(const struct conf_sa *const *)a;
	const struct conf_sa *y = *(const struct conf_sa *const *)b;

	if (x->spi != y->spi)
		return x->spi < y->spi ? -1 : 1;
	if (x->out != y->out)
		return (int)x->out - y->out;
	if (x->proto != y->proto)
		return (int)x->proto - y->proto;
	return memcmp(destination(ipsec, x), destination(ipsec, y), sizeof(struct addr));
}

static int compare_spis_stable(const void *a, const void *b, void *ipsec)
{
	const struct conf_sa *x = *(const struct conf_sa *const *)a;
	const struct conf_sa *y = *(const struct conf_sa *const *)b;
	int c = compare_spis(a, b, ipsec);

	return c ? c : x < y ? -1 : x > y;
}

static int compare_keys(const struct conf_sa *x, const struct conf_sa *y)
{
	unsigned n = suite_key_len(&x->suite), m = suite_key_len(&y->suite);

	return n != m ? (int)n - (int)m : memcmp(x->key, y->key, n);
}

static int compare_keys_stable(const void *a, const void *b)
{
	const struct conf_sa *x = *(const struct conf_sa *const *)a;
	const struct conf_sa *y = *(const struct conf_sa *const *)b;
	int c = compare_keys(x, y);

	return c ? c : x < y ? -1 : x > y;
}

static void same_spi(struct parse *p, const struct conf_sa *was, const struct conf_sa *is)
{
	const struct conf_ipsec *c = &p->conf->ipsec;
	char path[64], other[64];
	int index = sa_path(c, is, path), k = sa_path(c, was, other);

	parse_err(p, path, index, "spi", -1,
		"%u (0x%x) is the SPI of %s[%d] as well, expected another", is->spi, is->spi, other,
		k);
}

static void same_key(struct parse *p, const struct conf_sa *was, const struct conf_sa *is)
{
	const struct conf_ipsec *c = &p->conf->ipsec;
	char path[64], other[64];
	int index = sa_path(c, is, path), k = sa_path(c, was, other);

	if (is->counter_mode || was->counter_mode)
		parse_err(p, path, index, NULL, -1,
			"its key is that of %s[%d] as well, and its suite uses each nonce of a key "
			"once (RFC 4106 section 2): expected another key",
			other, k);
	else
		parse_warn(p, path, index, NULL, -1,
			"its key is that of %s[%d] as well: expected one for each SA", other, k);
}

void check_sas(struct parse *p)
{
	struct conf_ipsec *c = &p->conf->ipsec;
	const struct conf_sa **by = parse_alloc(p, c->n_sas, sizeof(*by));
	bool sane = p->errs->n_errors == 0; /* else there are keys that were not read */
	char path[64], other[64];

	if (c->n_sas > c->sas_max)
		parse_err(p, "ipsec", -1, "sas-max", -1,
			"it is %u, but there are %u SAs: expected "
			"room for them",
			c->sas_max, c->n_sas);
	if (by == NULL)
		return;
	for (uint32_t i = 0; i < c->n_sas; i++)
		by[i] = &c->sas[i];
	qsort(by, c->n_sas, sizeof(*by), compare_sa_names);
	for (uint32_t i = 1; i < c->n_sas; i++)
		if (by[i]->name[0] && strcmp(by[i]->name, by[i - 1]->name) == 0) {
			int k = sa_path(c, by[i - 1], other);

			parse_err(p, path, sa_path(c, by[i], path), "name", -1,
				"%s is the name of %s[%d] as well, expected another", by[i]->name,
				other, k);
		}
	qsort_r(by, c->n_sas, sizeof(*by), compare_spis_stable, c);
	for (uint32_t i = 1; i < c->n_sas; i++)
		if (by[i]->spi && compare_spis(&by[i], &by[i - 1], c) == 0)
			same_spi(p, by[i - 1], by[i]);
	qsort(by, c->n_sas, sizeof(*by), compare_keys_stable);
	for (uint32_t i = 1; sane && i < c->n_sas; i++)
		if (compare_keys(by[i], by[i - 1]) == 0)
			same_key(p, by[i - 1], by[i]);
	free(by);
}
