/* Packets wait here while the control core resolves their neighbour: so many per neighbour, so many
 * in all, for so long. Asks the control core by event (a hint: asked again while packets come); it
 * answers with an order. Worker.
 */
#include "dp/node/nodes.h"

#include <rte_malloc.h>

enum { NEXT_ICMP4_ERROR, NEXT_ICMP6_ERROR, NEXT_DROP };

#define SLOTS 256
#define QUEUE_MAX 64 /* upper bound of arp.queue */
#define HASHES 1024
#define PACKETS_MAX 2048 /* of one worker, in all */
#define WAIT_SECONDS 10  /* longest wait, should the control core never answer */
#define ASK_AGAIN_MS 250
#define EXPIRE_EVERY_MS 100

enum slot_state { SLOT_FREE, SLOT_WAITING, SLOT_READY, SLOT_FAILED };

struct slot {
	uint8_t state; /* enum slot_state */
	uint16_t iface;
	uint16_t n, taken; /* packets in m; those already taken by neigh_wait_take */
	struct addr addr;
	uint64_t began_tsc, asked_tsc;
	struct rte_mbuf *m[QUEUE_MAX];
};

struct neigh_wait {
	unsigned packets;    /* in all slots */
	unsigned settled;    /* slots in SLOT_READY or SLOT_FAILED */
	uint64_t expire_tsc; /* when to look for expired slots again */
	/* slots in use, by hash of their address: while some packets wait, all others ask here */
	uint16_t busy[HASHES];
	struct slot slot[SLOTS];
};

struct neigh_wait *neigh_wait_new(int socket)
{
	return rte_zmalloc_socket("neigh_wait", sizeof(struct neigh_wait), 0, socket);
}

void neigh_wait_free(struct neigh_wait *nw)
{
	for (unsigned i = 0; nw && i < SLOTS; i++)
		for (unsigned j = nw->slot[i].taken; j < nw->slot[i].n; j++)
			rte_pktmbuf_free(nw->slot[i].m[j]);
	rte_free(nw);
}

static inline unsigned hash(const struct addr *addr)
{
	return (addr->w[0] ^ addr->w[1] ^ addr->w[2] ^ addr->w[3]) * 0x9e3779b1u >> 22;
}

/* The slot of a neighbour that waits, or (ready) whose packets are about to go, or NULL. free_slot
 * (may be NULL) gets a free one instead. */
static struct slot *find(const struct neigh_wait *nw, uint16_t iface, const struct addr *addr,
	bool ready, struct slot **free_slot)
{
	const struct slot *empty = NULL;

	for (unsigned i = 0; i < SLOTS; i++) {
		const struct slot *s = &nw->slot[i];

		if (s->state == SLOT_FREE) {
			if (empty == NULL)
				empty = s;
		} else if ((s->state == SLOT_WAITING || (ready && s->state == SLOT_READY)) &&
			   s->iface == iface && addr_equal(&s->addr, addr)) {
			return (struct slot *)(uintptr_t)s;
		}
	}
	if (free_slot)
		*free_slot = (struct slot *)(uintptr_t)empty;
	return NULL;
}

bool neigh_wait_has(const struct neigh_wait *nw, uint16_t iface, const struct addr *addr)
{
	return nw->busy[hash(addr)] && find(nw, iface, addr, true, NULL) != NULL;
}

static void settle(struct neigh_wait *nw, struct slot *s, enum slot_state state)
{
	s->state = (uint8_t)state;
	s->taken = 0;
	nw->settled++;
}

void neigh_wait_settle(struct neigh_wait *nw, uint16_t iface, const struct addr *addr, bool ready)
{
	struct slot *s = find(nw, iface, addr, false, NULL);

	if (s)
		settle(nw, s, ready ? SLOT_READY : SLOT_FAILED);
}

static void expire(struct neigh_wait *nw, uint64_t now, uint64_t hz)
{
	nw->expire_tsc = now + hz / 1000 * EXPIRE_EVERY_MS;
	for (unsigned i = 0; i < SLOTS; i++) {
		struct slot *s = &nw->slot[i];

		if (s->state == SLOT_WAITING && now - s->began_tsc > hz * WAIT_SECONDS)
			settle(nw, s, SLOT_FAILED);
	}
}

unsigned neigh_wait_take(struct worker *w, struct rte_mbuf **m, unsigned n, enum drop_reason *fate)
{
	struct neigh_wait *nw = w->neigh_wait;
	uint64_t hz = w->shared->tsc_hz;
	struct slot *s = nw->slot;

	if (w->now_tsc >= nw->expire_tsc)
		expire(nw, w->now_tsc, hz);
	if (nw->settled == 0)
		return 0;
	while (s->state != SLOT_READY && s->state != SLOT_FAILED)
		s++;
	*fate = s->state == SLOT_READY                          ? DROP_NONE
		: w->now_tsc - s->began_tsc > hz * WAIT_SECONDS ? DROP_NEIGH_TIMEOUT
								: DROP_NEIGH_FAILED;
	n = RTE_MIN(n, (unsigned)(s->n - s->taken));
	memcpy(m, s->m + s->taken, n * sizeof(*m));
	s->taken += (uint16_t)n;
	if (s->taken == s->n) {
		s->state = SLOT_FREE;
		nw->busy[hash(&s->addr)]--;
		s->n = 0;
		nw->settled--;
	}
	nw->packets -= n;
	w->stats.neigh_waiting = nw->packets;
	return n;
}

static void ask(struct worker *w, uint16_t iface, const struct addr *addr)
{
	struct event e;

	/* a flood to a dead neighbour must not push the filter log out of the ring */
	if (!bucket_take(&w->resolve, w->now_tsc))
		return;
	e = (struct event){.kind = EVENT_RESOLVE,
		.worker = (uint8_t)w->id,
		.resolve = {.iface = iface, .addr = *addr}};

	link_event_put(&w->link, &e);
}

/* Keeps the packet, behind those that wait already, also when these are about to go (but one that
 * was among them and finds the neighbour gone waits anew); or says why not. */
static enum drop_reason wait(
	struct worker *w, struct rte_mbuf *m, uint16_t iface, const struct addr *addr)
{
	struct neigh_wait *nw = w->neigh_wait;
	struct slot *empty = NULL;
	struct slot *s = find(nw, iface, addr, !(meta_of(m)->flags & META_WAITED), &empty);
	unsigned room = RTE_MIN((unsigned)w->root->ip4.neigh_queue, (unsigned)QUEUE_MAX);

	if (s == NULL)
		s = empty;
	if (s == NULL || nw->packets >= PACKETS_MAX || s->n >= room)
		return DROP_NEIGH_QUEUE_FULL;
	if (s->state == SLOT_FREE) {
		*s = (struct slot){.state = SLOT_WAITING,
			.iface = iface,
			.addr = *addr,
			.began_tsc = w->now_tsc};
		nw->busy[hash(addr)]++;
	}
	if (s->state == SLOT_WAITING &&
		(s->asked_tsc == 0 ||
			w->now_tsc - s->asked_tsc > w->shared->tsc_hz / 1000 * ASK_AGAIN_MS)) {
		ask(w, iface, addr);
		s->asked_tsc = w->now_tsc;
	}
	s->m[s->n++] = m;
	w->stats.neigh_waiting = ++nw->packets;
	return DROP_NONE;
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
		enum drop_reason reason;

		if (e && e->state == NEIGH_FAILED && e->iface == meta->out_if) {
			/* the control core limits how often it asks */
			ask(w, meta->out_if, &addr);
			rte_node_enqueue_x1(graph, node,
				node_unreachable(meta, DROP_NEIGH_FAILED, ICMP4_HOST_UNREACH,
					ICMP6_ADDR_UNREACH, NEXT_ICMP4_ERROR),
				m);
			continue;
		}
		reason = wait(w, m, meta->out_if, &addr);
		if (reason != DROP_NONE) {
			meta->drop = (uint16_t)reason;
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
