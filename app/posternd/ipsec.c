/* Security associations, as the control core deals with them while the daemon runs: those of the
 * control socket are added and deleted; every second each is looked at: lifetimes, peers that have
 * moved. Those of the configuration: ipsec_sas.c. Control core.
 */
#include "app.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SCAN_MS 1000  /* in which each SA is looked at once, */
#define SCAN_MAX 2048 /* but so many at most in one tick */
#define ACQUIRE_LOG_MS 60000
#define SEQ_SOFT (UINT32_MAX - (1u << 28)) /* without ESN: its numbers are nearly used up */

int ipsec_init(struct app *a)
{
	pthread_mutex_init(&a->ipsec.ids.lock, NULL);
	return 0;
}

void ipsec_fini(struct app *a)
{
	sad_db_free(a->ipsec.made);
	a->ipsec.made = a->ipsec.sad = NULL;
	free(a->ipsec.seen);
	free(a->ipsec.acquired_ms);
	tunnel_ids_fini(a);
}

/* --- the control socket */

/* A reload that has checked which SAs there are must find them so. */
static bool reload_holds(const struct app *a, char *why, size_t why_size)
{
	if (a->reload.stage != RELOAD_ROUTES)
		return false;
	snprintf(why, why_size, "a reload is under way; try again after it");
	return true;
}

int ipsec_sa_add(
	struct ctl_env *env, const struct ctl_sa *sa, uint32_t *handle, char *why, size_t why_size)
{
	struct app *a = env->app;
	const struct ipsec_tables *t = a->tables->ipsec;
	struct sa_info info = sa->info;
	int ret;

	if (reload_holds(a, why, why_size))
		return -EBUSY;
	info.tunnel = tunnel_id(a, sa->tunnel, false);
	if (info.tunnel == TUNNEL_NONE || info.tunnel >= t->view.n_tunnels ||
		!(t->tunnel[info.tunnel].flags & TUNNEL_UP)) {
		snprintf(why, why_size, "there is no tunnel %s", sa->tunnel);
		return -ENOENT;
	}
	if (info.suite.legacy && !a->conf->ipsec.allow_legacy) {
		snprintf(why, why_size,
			"the suite is not to be used any more (RFC 8221): ipsec.allow-legacy is "
			"false");
		return -EINVAL;
	}
	if (sad_db_count(a->ipsec.sad) >= a->conf->ipsec.sas_max) {
		snprintf(why, why_size, "there are %u SAs, as many as ipsec.sas-max permits",
			a->conf->ipsec.sas_max);
		return -ENOSPC;
	}
	info.manual = info.by_socket = true;
	info.added_ms = control_now_ms();
	ret = sad_db_add(
		a->ipsec.sad, &t->tunnel[info.tunnel], &info, sa->key, handle, why, why_size);
	if (ret == 0 && info.suite.legacy)
		log_warn("SA %s: its suite is not to be used any more (RFC 8221)", info.name);
	return ret;
}

int ipsec_sa_delete(struct ctl_env *env, uint32_t handle, char *why, size_t why_size)
{
	struct app *a = env->app;
	const struct sa_info *info = a->ipsec.sad ? sad_db_info(a->ipsec.sad, handle) : NULL;

	if (info == NULL) {
		snprintf(why, why_size, "there is no such SA");
		return -ENOENT;
	}
	if (!info->by_socket) {
		snprintf(why, why_size,
			"SA %s is of the configuration: take it out there, and reload", info->name);
		return -EPERM;
	}
	return sad_db_del(a->ipsec.sad, handle);
}

static uint64_t read64(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

/* --- each second */

static const char *direction(const struct sa_info *i)
{
	return i->in ? "inbound" : "outbound";
}

/* Which of its limits an SA has reached; NULL: none. */
static const char *reached(const struct sa_info *i, const struct sa *sa, uint64_t age_ms, bool hard)
{
	uint64_t s = hard ? i->hard_s : i->soft_s;
	uint64_t bytes = hard ? i->hard_bytes : i->soft_bytes;
	uint64_t packets = hard ? i->hard_packets : i->soft_packets;

	if (s && age_ms >= s * 1000)
		return "time";
	if (bytes && read64(&sa->bytes) >= bytes)
		return "bytes";
	if (packets && read64(&sa->packets) >= packets)
		return "packets";
	if (!hard && !i->in && !i->esn && read64(&sa->seq) >= SEQ_SOFT)
		return "sequence numbers";
	return NULL;
}

/* The peer of a tunnel with encap.follow has moved: the outbound SAs follow what authenticated. */
static void follow(struct app *a, const struct sa *sa, struct sa_seen *seen)
{
	const struct ipsec_tables *t = a->tables->ipsec;
	uint32_t version = atomic_load_explicit(&sa->peer_version, memory_order_acquire);
	char was[ADDR_STRLEN], is[ADDR_STRLEN];
	struct tunnel moved;

	if (!sa->follow || version == seen->peer_version || sa->tunnel >= t->view.n_tunnels)
		return;
	moved = t->tunnel[sa->tunnel];
	if (!sa_peer(sa, &moved.remote, &moved.remote_port) ||
		sad_db_moved(a->ipsec.sad, &moved) < 0)
		return;
	seen->peer_version = version;
	log_info("tunnel %s: the other end is %s port %u now, configured as %s port %u", moved.name,
		addr_format(&moved.remote, is), rte_be_to_cpu_16(moved.remote_port),
		addr_format(&t->tunnel[sa->tunnel].remote, was),
		rte_be_to_cpu_16(t->tunnel[sa->tunnel].remote_port));
}

void ipsec_path_mtu(struct app *a, const struct path_mtu *told)
{
	const struct ipsec_tables *t = a->tables->ipsec;
	uint16_t id;

	if (a->ipsec.sad == NULL || t == NULL)
		return;
	id = sad_db_path_mtu_told(a->ipsec.sad, t->tunnel, t->view.n_tunnels, told);
	if (id != TUNNEL_NONE)
		log_info("tunnel %s: the path takes packets of %u bytes, an ICMP error says",
			t->tunnel[id].name, told->mtu);
}

/* What was told of the path is forgotten in the end, since it may have become better. */
static void age_path_mtu(struct app *a, const struct sa *sa, struct sa_seen *seen, uint64_t now_ms)
{
	uint16_t mtu = atomic_load_explicit(&sa->path_mtu, memory_order_relaxed);

	if (mtu != seen->path_mtu) {
		seen->path_mtu = mtu;
		seen->path_mtu_ms = now_ms;
	} else if (mtu && now_ms - seen->path_mtu_ms >= PATH_MTU_AGE_MS) {
		sad_db_path_mtu(a->ipsec.sad, sa->tunnel, 0);
	}
}

static void look_at(struct app *a, uint32_t index, uint64_t now_ms)
{
	const struct sad *table = sad_db_table(a->ipsec.sad);
	const struct sa *sa = atomic_load_explicit(&table->slot[index], memory_order_relaxed);
	const struct sa_info *info = sa ? sad_db_info(a->ipsec.sad, sa->handle) : NULL;
	struct sa_seen *seen = &a->ipsec.seen[index];
	const char *limit;

	if (info == NULL)
		return;
	if (seen->handle != sa->handle)
		*seen = (struct sa_seen){.handle = sa->handle};
	follow(a, sa, seen);
	age_path_mtu(a, sa, seen, now_ms);
	keepalive_look(a, sa, seen, now_ms);
	limit = reached(info, sa, now_ms - info->added_ms, true);
	if (limit) {
		log_warn("SA %s, %s, SPI 0x%08x: its lifetime is over (%s); it is deleted",
			info->name, direction(info), rte_be_to_cpu_32(info->spi), limit);
		sad_db_del(a->ipsec.sad, sa->handle);
		return;
	}
	limit = seen->soft_told ? NULL : reached(info, sa, now_ms - info->added_ms, false);
	if (limit) {
		seen->soft_told = true;
		log_warn("SA %s, %s, SPI 0x%08x: its lifetime ends soon (%s); it needs a successor",
			info->name, direction(info), rte_be_to_cpu_32(info->spi), limit);
	}
}

void ipsec_tick(struct app *a)
{
	uint64_t now_ms = control_now_ms(), n;
	uint32_t max;

	if (a->ipsec.sad == NULL)
		return;
	sad_db_tick(a->ipsec.sad);
	max = sad_db_table(a->ipsec.sad)->max;
	if (a->ipsec.seen == NULL)
		a->ipsec.seen = calloc((size_t)max + 1, sizeof(*a->ipsec.seen));
	if (a->ipsec.seen == NULL)
		return;
	n = (now_ms - a->ipsec.scanned_ms) * max / SCAN_MS;
	if (n == 0)
		return;
	a->ipsec.scanned_ms = now_ms;
	for (n = RTE_MIN(RTE_MIN(n, max), SCAN_MAX); n > 0; n--) {
		a->ipsec.scan = a->ipsec.scan >= max ? 1 : a->ipsec.scan + 1;
		look_at(a, a->ipsec.scan, now_ms);
	}
}

/* --- what workers say */

void ipsec_acquire(struct app *a, const struct event *e)
{
	const struct ipsec_tables *t = a->tables->ipsec;
	char src[ADDR_STRLEN], dst[ADDR_STRLEN];
	uint16_t id = e->acquire.tunnel;
	uint64_t now_ms = control_now_ms();

	if (a->ipsec.acquired_ms == NULL)
		a->ipsec.acquired_ms = calloc(TUNNELS_MAX, sizeof(*a->ipsec.acquired_ms));
	if (a->ipsec.acquired_ms == NULL || id >= t->view.n_tunnels ||
		!(t->tunnel[id].flags & TUNNEL_UP))
		return;
	if (a->ipsec.acquired_ms[id] && now_ms - a->ipsec.acquired_ms[id] < ACQUIRE_LOG_MS)
		return;
	a->ipsec.acquired_ms[id] = now_ms;
	log_warn("tunnel %s has no SA to send by: packets for it are dropped (ipsec-no-sa), the "
		 "first from %s to %s; said at most once a minute",
		t->tunnel[id].name, addr_format(&e->acquire.src, src),
		addr_format(&e->acquire.dst, dst));
}
