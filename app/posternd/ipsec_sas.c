/* Security associations of the configuration: a reload installs and takes out what differs. First
 * it is seen whether all of it will do (ipsec_check), then, when the new tables are published, it
 * is done (ipsec_apply). Control core.
 */
#include "app.h"

#include "base/log.h"
#include "ipsec/mb.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SEQ_GAP 65536 /* what workers may still send by an SA that is being replaced */

/* conf.ipsec.sas by name. */
struct by_name {
	const struct conf_sa **sa;
	uint32_t n;
};

static int compare_names(const void *a, const void *b)
{
	const struct conf_sa *x = *(const struct conf_sa *const *)a;
	const struct conf_sa *y = *(const struct conf_sa *const *)b;

	return strcmp(x->name, y->name);
}

static bool sort_sas(const struct conf *conf, struct by_name *by)
{
	*by = (struct by_name){.n = conf ? conf->ipsec.n_sas : 0};
	by->sa = calloc(by->n + 1, sizeof(*by->sa));
	for (uint32_t i = 0; by->sa && i < by->n; i++)
		by->sa[i] = &conf->ipsec.sas[i];
	if (by->sa && by->n)
		qsort(by->sa, by->n, sizeof(*by->sa), compare_names);
	return by->sa != NULL;
}

static const struct conf_sa *find_sa(const struct by_name *by, const char *name)
{
	uint32_t low = 0, high = by->n;

	while (low < high) {
		uint32_t mid = (low + high) / 2;
		int c = strcmp(by->sa[mid]->name, name);

		if (c == 0)
			return by->sa[mid];
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* The same tunnel as far as an SA has something of it (sa_template). */
static bool same_tunnel(const struct tunnel *a, const struct tunnel *b)
{
	const uint8_t other = TUNNEL_FRAGMENT_INNER | TUNNEL_BY_POLICY;

	return a->id == b->id && ((a->flags ^ b->flags) & ~other) == 0 && a->df == b->df &&
	       a->dscp_copy == b->dscp_copy && a->dscp == b->dscp && a->ecn == b->ecn &&
	       a->ttl == b->ttl && a->flow_label == b->flow_label && a->zone == b->zone &&
	       a->iface == b->iface && a->mtu == b->mtu && a->local_port == b->local_port &&
	       a->remote_port == b->remote_port && addr_equal(&a->local, &b->local) &&
	       addr_equal(&a->remote, &b->remote);
}

static bool tunnel_stays(const struct tables *old, const struct tables *t, uint16_t id)
{
	return id < old->ipsec->view.n_tunnels && id < t->ipsec->view.n_tunnels &&
	       same_tunnel(&old->ipsec->tunnel[id], &t->ipsec->tunnel[id]);
}

static bool same_key(const struct conf_sa *a, const struct conf_sa *b)
{
	return memcmp(&a->suite, &b->suite, sizeof(a->suite)) == 0 &&
	       memcmp(a->key, b->key, suite_key_len(&a->suite)) == 0;
}

/* But for the day of the key, which changes nothing of what it does. */
static bool same_sa(const struct conf_sa *a, const struct conf_sa *b)
{
	return a->out == b->out && a->proto == b->proto && a->esn == b->esn && a->spi == b->spi &&
	       a->window == b->window && a->soft_s == b->soft_s && a->hard_s == b->hard_s &&
	       a->soft_bytes == b->soft_bytes && a->hard_bytes == b->hard_bytes &&
	       a->soft_packets == b->soft_packets && a->hard_packets == b->hard_packets &&
	       a->owner == b->owner && same_key(a, b);
}

/* A reload: which SAs stay. */
struct change {
	struct app *a;
	const struct conf *was_conf, *conf;
	const struct tables *was, *is; /* was: NULL at boot */
	struct by_name was_by, is_by;
	struct errs *errs;
	unsigned stay, added, replaced, gone;
};

static uint16_t id_of(const struct tables *t, const struct conf_sa *sa)
{
	return t->ipsec->id[sa->tunnel];
}

static bool stays(const struct change *c, const struct conf_sa *was, const struct conf_sa *is)
{
	return id_of(c->was, was) == id_of(c->is, is) &&
	       tunnel_stays(c->was, c->is, id_of(c->is, is)) && same_sa(was, is);
}

static bool begin_change(struct change *c, struct app *a, const struct conf *was_conf,
	const struct tables *was, const struct conf *conf, const struct tables *is,
	struct errs *errs)
{
	*c = (struct change){
		.a = a, .was_conf = was_conf, .conf = conf, .was = was, .is = is, .errs = errs};
	return sort_sas(was ? was_conf : NULL, &c->was_by) && sort_sas(conf, &c->is_by);
}

static void end_change(struct change *c)
{
	free(c->was_by.sa);
	free(c->is_by.sa);
}

static void sa_error(struct change *c, const struct conf_sa *sa, const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), "ipsec.tunnels[%u].sas", sa->tunnel);
	errs_add(c->errs, c->conf->file, sa->line, path, "SA %s: %s", sa->name, text);
}

/* DES has keys that are no good, which only the library knows. */
static bool key_works(const struct conf_sa *sa)
{
	struct sa scratch;
	int ret;

	if (!sa->suite.legacy)
		return true;
	memset(&scratch, 0, sizeof(scratch));
	scratch.enc = sa->suite.enc;
	scratch.integ = sa->suite.integ;
	scratch.flags = sa->out ? 0 : SA_IN;
	ret = mb_expand(&scratch, &sa->suite, sa->key);
	explicit_bzero(&scratch, sizeof(scratch));
	return ret == 0;
}

/* One that the socket made, against those of the configuration. */
static void check_made(void *arg, uint32_t handle, const struct sa_info *info, const struct sa *sa)
{
	struct change *c = arg;
	const struct tunnel *t;

	if (!info->by_socket || !tunnel_stays(c->was, c->is, info->tunnel))
		return;
	t = &c->is->ipsec->tunnel[info->tunnel];
	for (uint32_t i = 0; i < c->conf->ipsec.n_sas; i++) {
		const struct conf_sa *n = &c->conf->ipsec.sas[i];
		const struct conf_tunnel *nt = &c->conf->ipsec.tunnels[n->tunnel];
		bool same_end = n->out ? addr_equal(&nt->remote, &t->remote)
				       : addr_equal(&nt->local, &t->local);

		if (strcmp(n->name, info->name) == 0)
			sa_error(c, n, "an SA that the control socket added has that name");
		else if (n->out == !info->in && n->proto == info->proto &&
			 rte_cpu_to_be_32(n->spi) == info->spi && same_end)
			sa_error(c, n, "an SA that the control socket added has that SPI");
	}
}

int ipsec_check(struct app *a, const struct conf *conf, const struct tables *t, struct errs *errs)
{
	const struct sad_db *db = a->ipsec.made;
	size_t errors = errs->n_errors;
	uint32_t added = 0, room;
	struct change c;

	if (!begin_change(&c, a, a->conf, a->tables, conf, t, errs))
		errs_add(errs, conf->file, 0, "ipsec", "no memory");
	for (uint32_t i = 0; errs->n_errors == errors && i < conf->ipsec.n_sas; i++) {
		const struct conf_sa *sa = &conf->ipsec.sas[i];
		const struct conf_sa *was = find_sa(&c.was_by, sa->name);

		if (was && stays(&c, was, sa))
			continue;
		added++;
		if (sa->owner >= (int)a->n_workers)
			sa_error(&c, sa, "there is no worker of that number (owner)");
		if (!key_works(sa))
			sa_error(&c, sa,
				"the key is one of the weak ones of DES, or half of 3DES's "
				"is the other half");
	}
	if (db && a->tables && errs->n_errors == errors)
		sad_db_each(db, check_made, &c);
	room = db ? sad_db_table(db)->max - sad_db_count(db) - sad_db_pending(db) : 0;
	if (errs->n_errors == errors && added > room)
		errs_add(errs, conf->file, 0, "ipsec",
			"%u SAs are new or changed, and there is room for %u at a time beside "
			"those "
			"that are there: change fewer at once, or raise sas-max",
			added, room);
	end_change(&c);
	return errs->n_errors == errors ? 0 : -1;
}

static struct sa_info info_of(const struct change *c, const struct conf_sa *sa)
{
	struct sa_info i = {.tunnel = id_of(c->is, sa),
		.proto = sa->proto,
		.in = !sa->out,
		.esn = sa->esn,
		.manual = true,
		.spi = rte_cpu_to_be_32(sa->spi),
		.suite = sa->suite,
		.window = sa->window,
		.owner = sa->owner == CONF_OWNER_ANY ? SAD_OWNER_AUTO : (uint16_t)sa->owner,
		.soft_s = sa->soft_s,
		.hard_s = sa->hard_s,
		.soft_bytes = sa->soft_bytes,
		.hard_bytes = sa->hard_bytes,
		.soft_packets = sa->soft_packets,
		.hard_packets = sa->hard_packets,
		.created = (time_t)sa->created,
		.added_ms = control_now_ms()};

	memcpy(i.name, sa->name, sizeof(i.name));
	return i;
}

/* What an SA of the configuration leaves to the one in its place: with the same key no number may
 * be used twice (RFC 4303 section 3.3.3). */
static uint64_t last_seq(
	const struct change *c, const struct conf_sa *was, const struct conf_sa *is)
{
	const struct sad_db *db = c->a->ipsec.sad;
	uint32_t handle = was && was->out ? sad_db_named(db, was->name) : SA_NONE;
	const struct sa *sa = handle ? sad_get(sad_db_table(db), handle) : NULL;
	uint64_t seq = sa ? __atomic_load_n(&sa->seq, __ATOMIC_RELAXED) : 0;

	if (seq == 0 || !is->out || was->spi != is->spi || !same_key(was, is))
		return 0;
	return is->esn ? seq + SEQ_GAP : RTE_MIN(seq + SEQ_GAP, UINT32_MAX);
}

/* An SA that is neither the configuration's any more nor in the way; 0: it was not there. */
static void take_out(struct change *c, const char *name)
{
	struct sad_db *db = c->a->ipsec.sad;
	uint32_t handle = sad_db_named(db, name);
	const struct sa_info *info = handle ? sad_db_info(db, handle) : NULL;

	if (info && !info->by_socket)
		sad_db_del(db, handle);
}

static void put_in(struct change *c, const struct conf_sa *sa, uint64_t first_seq)
{
	struct sa_info info = info_of(c, sa);
	uint32_t handle;
	char why[256];

	info.first_seq = first_seq;
	if (sad_db_add(c->a->ipsec.sad, &c->is->ipsec->tunnel[info.tunnel], &info, sa->key, &handle,
		    why, sizeof(why)) < 0)
		log_error("SA %s: %s", sa->name, why); /* ipsec_check has seen that it would do */
}

struct made { /* handles of socket-made SAs whose tunnel is gone */
	const struct change *c;
	uint32_t *handle;
	uint32_t n;
};

static void collect_made(
	void *arg, uint32_t handle, const struct sa_info *info, const struct sa *sa)
{
	struct made *m = arg;

	if (info->by_socket && !tunnel_stays(m->c->was, m->c->is, info->tunnel))
		m->handle[m->n++] = handle;
}

static void drop_made(struct change *c)
{
	struct sad_db *db = c->a->ipsec.sad;
	struct made m = {.c = c, .handle = calloc(sad_db_count(db) + 1, sizeof(*m.handle))};

	if (m.handle)
		sad_db_each(db, collect_made, &m);
	for (uint32_t i = 0; i < m.n; i++) {
		const struct sa_info *info = sad_db_info(db, m.handle[i]);
		const struct ipsec_tables *was = c->was->ipsec;

		log_warn("reload: SA %s, which the control socket added, is gone: its tunnel %s is "
			 "another now, or no longer there",
			info->name,
			info->tunnel < was->view.n_tunnels ? was->tunnel[info->tunnel].name : "?");
		sad_db_del(db, m.handle[i]);
		c->gone++;
	}
	free(m.handle);
}

static void apply(struct change *c)
{
	for (uint32_t i = 0; i < c->was_by.n; i++) {
		if (find_sa(&c->is_by, c->was_by.sa[i]->name))
			continue;
		take_out(c, c->was_by.sa[i]->name);
		c->gone++;
	}
	if (c->was)
		drop_made(c);
	for (uint32_t i = 0; i < c->conf->ipsec.n_sas; i++) {
		const struct conf_sa *sa = &c->conf->ipsec.sas[i];
		const struct conf_sa *was = find_sa(&c->was_by, sa->name);
		uint64_t seq;

		if (was && stays(c, was, sa)) {
			c->stay++;
			continue;
		}
		seq = last_seq(c, was, sa);
		if (was)
			take_out(c, was->name);
		put_in(c, sa, seq);
		*(was ? &c->replaced : &c->added) += 1;
	}
}

void ipsec_apply(struct app *a, const struct conf *was_conf, const struct tables *was)
{
	struct change c;

	a->ipsec.sad = a->ipsec.made;
	a->env.sad = a->ipsec.sad;
	if (a->ipsec.sad == NULL)
		return;
	if (begin_change(&c, a, was_conf, was, a->conf, a->tables, NULL)) {
		apply(&c);
		if (was && c.added + c.replaced + c.gone)
			log_info("reload: %u SAs stay, %u are new, %u replaced, %u gone", c.stay,
				c.added, c.replaced, c.gone);
	} else {
		log_error("no memory to install SAs");
	}
	end_change(&c);
}
