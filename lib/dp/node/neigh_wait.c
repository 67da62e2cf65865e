/* Packets wait here while the control core resolves their neighbour: so many per neighbour, so many
 * in all, for so long. Asks the control core by event (a hint: asked again while packets come); it
 * answers with an order. Worker.
 *
 * Each family has room of its own, and when a scan of a large subnet uses it up, those that have
 * waited longest go: a neighbour that is there answers within moments (RFC 6583 section 6).
 */
#include "dp/node/nodes.h"

#include <rte_malloc.h>

enum { NEXT_ICMP4_ERROR, NEXT_ICMP6_ERROR, NEXT_DROP };

#define SLOTS 256    /* neighbours of a family that packets wait for */
#define SPARE 16     /* so many of them are kept free */
#define QUEUE_MAX 64 /* upper bound of arp.queue and nd.queue */
#define HASHES 1024
#define PACKETS_MAX 2048 /* of one family and worker, in all */
#define WAIT_SECONDS 10  /* longest wait, should the control core never answer */
#define ASK_AGAIN_MS 250
#define NONE UINT16_MAX /* no slot */

enum slot_state { SLOT_FREE, SLOT_WAITING, SLOT_SETTLED };

struct slot {
	uint8_t state;       /* enum slot_state */
	uint8_t family;      /* enum neigh_family */
	uint16_t fate;       /* SLOT_SETTLED: DROP_NONE when the packets go, or why not */
	uint16_t prev, next; /* in the list of its state */
	uint16_t chain;      /* the next in use with the same hash */
	uint16_t iface;
	uint16_t n, taken; /* packets in m; those already taken by neigh_wait_take */
	struct addr addr;
	uint64_t began_tsc, asked_tsc;
	struct rte_mbuf *m[QUEUE_MAX];
};

struct list {
	uint16_t first, last, n;
};

struct neigh_wait {
	unsigned packets[NEIGH_FAMILIES];
	struct list free[NEIGH_FAMILIES], waiting[NEIGH_FAMILIES]; /* the oldest first */
	struct list settled;
	uint16_t head[HASHES]; /* slots in use by hash: while some wait, all others ask here */
	struct slot slot[NEIGH_FAMILIES * SLOTS];
};

static void append(struct neigh_wait *nw, struct list *l, struct slot *s)
{
	uint16_t i = (uint16_t)(s - nw->slot);

	s->next = NONE;
	s->prev = l->last;
	if (l->last == NONE)
		l->first = i;
	else
		nw->slot[l->last].next = i;
	l->last = i;
	l->n++;
}

static void take_out(struct neigh_wait *nw, struct list *l, struct slot *s)
{
	if (s->prev == NONE)
		l->first = s->next;
	else
		nw->slot[s->prev].next = s->next;
	if (s->next == NONE)
		l->last = s->prev;
	else
		nw->slot[s->next].prev = s->prev;
	l->n--;
}

struct neigh_wait *neigh_wait_new(int socket)
{
	const struct list empty = {NONE, NONE, 0};
	struct neigh_wait *nw =
		rte_zmalloc_socket("neigh_wait", sizeof(struct neigh_wait), 0, socket);

	if (nw == NULL)
		return NULL;
	memset(nw->head, 0xff, sizeof(nw->head)); /* NONE */
	nw->settled = empty;
	for (unsigned f = 0; f < NEIGH_FAMILIES; f++) {
		nw->free[f] = nw->waiting[f] = empty;
		for (unsigned i = 0; i < SLOTS; i++) {
			nw->slot[f * SLOTS + i].family = (uint8_t)f;
			append(nw, &nw->free[f], &nw->slot[f * SLOTS + i]);
		}
	}
	return nw;
}

void neigh_wait_free(struct neigh_wait *nw)
{
	for (unsigned i = 0; nw && i < NEIGH_FAMILIES * SLOTS; i++)
		for (unsigned j = nw->slot[i].taken; j < nw->slot[i].n; j++)
			rte_pktmbuf_free(nw->slot[i].m[j]);
	rte_free(nw);
}

static inline unsigned hash(const struct addr *addr)
{
	return (addr->w[0] ^ addr->w[1] ^ addr->w[2] ^ addr->w[3]) * 0x9e3779b1u >> 22;
}

/* The slot of a neighbour that waits, or (ready) whose packets are about to go, or NULL. */
static struct slot *find(
	const struct neigh_wait *nw, uint16_t iface, const struct addr *addr, bool ready)
{
	const struct slot *s;

	for (uint16_t i = nw->head[hash(addr)]; i != NONE; i = s->chain) {
		s = &nw->slot[i];
		if (s->iface == iface && addr_equal(&s->addr, addr) &&
			(s->state == SLOT_WAITING || (ready && s->fate == DROP_NONE)))
			return (struct slot *)(uintptr_t)s;
	}
	return NULL;
}

bool neigh_wait_has(const struct neigh_wait *nw, uint16_t iface, const struct addr *addr)
{
	return nw->head[hash(addr)] != NONE && find(nw, iface, addr, true) != NULL;
}

static void settle(struct neigh_wait *nw, struct slot *s, enum drop_reason fate)
{
	take_out(nw, &nw->waiting[s->family], s);
	s->state = SLOT_SETTLED;
	s->fate = (uint16_t)fate;
	append(nw, &nw->settled, s);
}

void neigh_wait_settle(
	struct neigh_wait *nw, uint16_t iface, const struct addr *addr, enum neigh_outcome outcome)
{
	static const enum drop_reason fate[] = {
		[NEIGH_READY] = DROP_NONE,
		[NEIGH_SILENT] = DROP_NEIGH_FAILED,
		[NEIGH_REFUSED] = DROP_NEIGH_REFUSED,
		[NEIGH_DOWN] = DROP_LINK_DOWN,
	};
	struct slot *s = find(nw, iface, addr, false);

	if (s)
		settle(nw, s, fate[outcome]);
}

/* Ends the longest wait of a family. */
static void settle_oldest(struct neigh_wait *nw, unsigned family, enum drop_reason fate)
{
	if (nw->waiting[family].n > 0)
		settle(nw, &nw->slot[nw->waiting[family].first], fate);
}

static void expire(struct neigh_wait *nw, uint64_t now, uint64_t hz)
{
	for (unsigned f = 0; f < NEIGH_FAMILIES; f++)
		while (nw->waiting[f].n > 0 &&
			now - nw->slot[nw->waiting[f].first].began_tsc > hz * WAIT_SECONDS)
			settle_oldest(nw, f, DROP_NEIGH_TIMEOUT);
}

/* The slot's packets are gone. */
static void release(struct neigh_wait *nw, struct slot *s)
{
	uint16_t *at = &nw->head[hash(&s->addr)];

	while (&nw->slot[*at] != s)
		at = &nw->slot[*at].chain;
	*at = s->chain;
	take_out(nw, &nw->settled, s);
	s->state = SLOT_FREE;
	s->n = s->taken = 0;
	append(nw, &nw->free[s->family], s);
}

unsigned neigh_wait_take(struct worker *w, struct rte_mbuf **m, unsigned n, enum drop_reason *fate)
{
	struct neigh_wait *nw = w->neigh_wait;
	struct slot *s;

	expire(nw, w->now_tsc, w->shared->tsc_hz);
	if (nw->settled.n == 0)
		return 0;
	s = &nw->slot[nw->settled.first];
	*fate = (enum drop_reason)s->fate;
	n = RTE_MIN(n, (unsigned)(s->n - s->taken));
	memcpy(m, s->m + s->taken, n * sizeof(*m));
	s->taken += (uint16_t)n;
	nw->packets[s->family] -= n;
	w->stats.neigh_waiting = nw->packets[NEIGH_IP4] + nw->packets[NEIGH_IP6];
	if (s->taken == s->n)
		release(nw, s);
	return n;
}

static void ask(struct worker *w, uint16_t iface, const struct addr *addr)
{
	struct event e;

	/* a flood to a dead neighbour must not push the filter log out of the ring */
	if (!bucket_take(&w->resolve[addr_is4(addr) ? NEIGH_IP4 : NEIGH_IP6], w->now_tsc))
		return;
	e = (struct event){.kind = EVENT_RESOLVE,
		.worker = (uint8_t)w->id,
		.resolve = {.iface = iface, .addr = *addr}};

	link_event_put(&w->link, &e);
}

/* A new slot that waits; NULL: none is free before the next walk. */
static struct slot *open_slot(
	struct neigh_wait *nw, uint16_t iface, const struct addr *addr, uint64_t now_tsc)
{
	unsigned f = addr_is4(addr) ? NEIGH_IP4 : NEIGH_IP6, h = hash(addr);
	struct slot *s;

	if (nw->free[f].n <= SPARE)
		settle_oldest(nw, f, DROP_NEIGH_QUEUE_FULL);
	if (nw->free[f].n == 0)
		return NULL;
	s = &nw->slot[nw->free[f].first];
	take_out(nw, &nw->free[f], s);
	s->state = SLOT_WAITING;
	s->iface = iface;
	s->addr = *addr;
	s->began_tsc = now_tsc;
	s->asked_tsc = 0;
	s->chain = nw->head[h];
	nw->head[h] = (uint16_t)(s - nw->slot);
	append(nw, &nw->waiting[f], s);
	return s;
}

/* Room for one more in a slot that has `room` places: the oldest packet that waits there when they
 * are all taken, or NULL. */
static struct rte_mbuf *make_room(struct neigh_wait *nw, struct slot *s, unsigned room)
{
	struct rte_mbuf *oldest;

	if (s->n < room)
		return NULL;
	/* those that went already */
	s->n -= s->taken;
	memmove(s->m, s->m + s->taken, s->n * sizeof(s->m[0]));
	s->taken = 0;
	if (s->n < room)
		return NULL;
	oldest = s->m[0];
	s->n--;
	memmove(s->m, s->m + 1, s->n * sizeof(s->m[0]));
	nw->packets[s->family]--;
	return oldest;
}

/* Keeps the packet, behind those that wait already, also when these are about to go (but one that
 * was among them and finds the neighbour gone waits anew). Returns the packet that is dropped in
 * its place, or itself when it can't be kept, or NULL: RFC 4861 section 7.2.2 wants the oldest to
 * give way, RFC 1122 section 2.3.2.2 the latest to be kept. */
static struct rte_mbuf *wait(
	struct worker *w, struct rte_mbuf *m, uint16_t iface, const struct addr *addr)
{
	struct neigh_wait *nw = w->neigh_wait;
	unsigned f = addr_is4(addr) ? NEIGH_IP4 : NEIGH_IP6;
	struct slot *s = find(nw, iface, addr, !(meta_of(m)->flags & META_WAITED));
	unsigned queue = f == NEIGH_IP4 ? w->root->ip4.neigh_queue : w->root->ip6.neigh_queue;
	unsigned room = RTE_MIN(queue, (unsigned)QUEUE_MAX);
	struct rte_mbuf *gone;

	if (nw->packets[f] >= PACKETS_MAX && (s == NULL || s->n - s->taken < (int)room)) {
		settle_oldest(nw, f, DROP_NEIGH_QUEUE_FULL);
		return m;
	}
	if (s == NULL)
		s = open_slot(nw, iface, addr, w->now_tsc);
	if (s == NULL)
		return m;
	gone = make_room(nw, s, room);
	if (s->state == SLOT_WAITING &&
		(s->asked_tsc == 0 ||
			w->now_tsc - s->asked_tsc > w->shared->tsc_hz / 1000 * ASK_AGAIN_MS)) {
		ask(w, iface, addr);
		s->asked_tsc = w->now_tsc;
	}
	s->m[s->n++] = m;
	nw->packets[f]++;
	w->stats.neigh_waiting = nw->packets[NEIGH_IP4] + nw->packets[NEIGH_IP6];
	return gone;
}

static uint16_t process(
	struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t nb_objs)
{
	struct worker *w = node_worker(node);
	const struct root *root = w->root;

	for (unsigned i = 0; i < nb_objs; i++) {
		struct rte_mbuf *m = objs[i];
		struct meta *meta = meta_of(m);
		const struct nexthop *nh = &root->routes->nh[meta->nh];
		struct addr addr = meta->nh_type == NH_VIA ? nh->gw : meta_dst(meta);
		const struct neigh *e =
			meta->neigh == NEIGH_NONE ? NULL : neigh_get(root->neigh, meta->neigh);

		if (e && e->state == NEIGH_FAILED && e->iface == meta->out_if) {
			/* the control core limits how often it asks */
			ask(w, meta->out_if, &addr);
			rte_node_enqueue_x1(graph, node,
				node_unreachable(meta, DROP_NEIGH_FAILED, ICMP4_HOST_UNREACH,
					ICMP6_ADDR_UNREACH, NEXT_ICMP4_ERROR),
				m);
			continue;
		}
		m = wait(w, m, meta->out_if, &addr);
		if (m != NULL) {
			meta_of(m)->drop = DROP_NEIGH_QUEUE_FULL;
			rte_node_enqueue_x1(graph, node, NEXT_DROP, m);
		}
	}
	return nb_objs;
}

const struct node node_neigh_wait = {
	.name = "neigh_wait",
	.sentence = "keeps packets while their neighbour is resolved",
	.process = process,
	.n_next = 3,
	.next = {[NEXT_ICMP4_ERROR] = "icmp4_error",
		[NEXT_ICMP6_ERROR] = "icmp6_error",
		[NEXT_DROP] = "drop"},
};
