/* Keepalives of tunnels in UDP (RFC 3948 section 4): where an SA has sent nothing for a while, one
 * byte goes out, so that a NAT between here and the peer does not forget it. The workers route it
 * as they do what they protect. Control core.
 */
#include "app.h"

#include "ipsec/esp.h"

#include <rte_mbuf.h>
#include <string.h>

#define KEEPALIVE_MS 20000

static void send_keepalive(struct app *a, const struct sa *sa, const struct tunnel *t)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(a->pool);
	uint8_t packet[SA_OUTER_MAX];
	unsigned len = nat_keepalive(sa, t, packet);

	if (m == NULL)
		return;
	memcpy(rte_pktmbuf_append(m, (uint16_t)len), packet, len);
	*meta_of(m) = (struct meta){.flags = META_OURS | (sa->flags & SA_OUTER6 ? META_IP6 : 0)};
	if (link_packets_put(&a->worker[0]->link.inject, &m, 1) == 0)
		rte_pktmbuf_free(m);
}

void keepalive_look(struct app *a, const struct sa *sa, struct sa_seen *seen, uint64_t now_ms)
{
	const struct ipsec_tables *t = a->tables->ipsec;
	uint64_t packets = __atomic_load_n(&sa->packets, __ATOMIC_RELAXED);

	if ((sa->flags & (SA_ENCAP | SA_IN)) != SA_ENCAP || sa->tunnel >= t->view.n_tunnels)
		return;
	if (packets != seen->packets || seen->sent_ms == 0) {
		seen->packets = packets;
		seen->sent_ms = now_ms;
	} else if (now_ms - seen->sent_ms >= KEEPALIVE_MS) {
		seen->sent_ms = now_ms;
		send_keepalive(a, sa, &t->tunnel[sa->tunnel]);
	}
}
