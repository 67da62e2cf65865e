/* Makes and frees the rings. See msg.h and handoff.h. Boot and exit only. */
#include "link/handoff.h"
#include "link/msg.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define PUNT_SIZE 1024
#define INJECT_SIZE 1024
#define EVENT_SIZE 4096
#define ORDER_SIZE 1024
#define HANDOFF_SIZE 2048

static int ring_new(struct link_ring *r, const char *kind, unsigned a, unsigned b, unsigned elem,
	unsigned size, int socket)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "%s-%u-%u", kind, a, b);
	r->ring = rte_ring_create_elem(name, elem, size, socket, RING_F_SP_ENQ | RING_F_SC_DEQ);
	return r->ring ? 0 : -ENOMEM;
}

static void packets_free(struct link_ring *r)
{
	struct rte_mbuf *m;

	if (r->ring == NULL)
		return;
	while (link_packets_get(r, &m, 1))
		rte_pktmbuf_free(m);
	rte_ring_free(r->ring);
	r->ring = NULL;
}

int link_init(struct link *l, unsigned worker, int socket)
{
	*l = (struct link){0};
	if (ring_new(&l->punt, "punt", worker, 0, sizeof(void *), PUNT_SIZE, socket) < 0 ||
		ring_new(&l->inject, "inject", worker, 0, sizeof(void *), INJECT_SIZE, socket) <
			0 ||
		ring_new(&l->event, "event", worker, 0, sizeof(struct event), EVENT_SIZE, socket) <
			0 ||
		ring_new(&l->order, "order", worker, 0, sizeof(struct order), ORDER_SIZE, socket) <
			0) {
		link_fini(l);
		return -ENOMEM;
	}
	return 0;
}

void link_fini(struct link *l)
{
	packets_free(&l->punt);
	packets_free(&l->inject);
	rte_ring_free(l->event.ring); /* NULL is permitted */
	rte_ring_free(l->order.ring);
	*l = (struct link){0};
}

int handoff_init(struct handoff *h, unsigned n_workers, int socket)
{
	static const char *const kind_name[] = {"handoff-rx", "handoff-tx", "handoff-sa"};

	h->n_workers = n_workers;
	h->ring = calloc((size_t)n_workers * n_workers, sizeof(*h->ring));
	if (h->ring == NULL)
		return -ENOMEM;
	for (unsigned from = 0; from < n_workers; from++)
		for (unsigned to = 0; to < n_workers; to++)
			for (unsigned kind = 0; from != to && kind < HANDOFF_KINDS; kind++)
				if (ring_new(handoff_ring(h, from, to, kind), kind_name[kind], from,
					    to, sizeof(void *), HANDOFF_SIZE, socket) < 0) {
					handoff_fini(h);
					return -ENOMEM;
				}
	return 0;
}

void handoff_fini(struct handoff *h)
{
	for (unsigned i = 0; h->ring && i < h->n_workers * h->n_workers; i++)
		for (unsigned kind = 0; kind < HANDOFF_KINDS; kind++)
			packets_free(&h->ring[i][kind]);
	free(h->ring);
	*h = (struct handoff){0};
}
