/* What an SA has from its tunnel: settings, and the header that goes in front of each of its
 * packets, made once. lib/ipsec copies it and writes what differs from packet to packet: lengths,
 * traffic class, identification, sequence number. Control core, when an SA is added or its peer has
 * moved; tests.
 */
#include "table/sa.h"

#include "wire/ip4.h"
#include "wire/ip6.h"

#include <rte_ip.h>
#include <rte_udp.h>
#include <string.h>
#include <sys/random.h>

/* Total length, identification, flags, traffic class: 0 so far. The checksum field holds the folded
 * sum of the rest, to which theirs is added. */
static unsigned outer4(uint8_t *p, const struct sa *sa, const struct tunnel *t)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)p;

	ip->version_ihl = 0x45;
	ip->time_to_live = t->ttl;
	ip->next_proto_id = sa->flags & SA_ENCAP ? IPPROTO_UDP : sa->proto;
	ip->src_addr = t->local.w[3];
	ip->dst_addr = t->remote.w[3];
	ip->hdr_checksum = ip4_fold(ip4_sum(p, sizeof(*ip)));
	return sizeof(*ip);
}

static unsigned outer6(uint8_t *p, const struct sa *sa, const struct tunnel *t)
{
	p[0] = 0x60;
	p[IP6_AT_NEXT_HEADER] = sa->flags & SA_ENCAP ? IPPROTO_UDP : sa->proto;
	p[IP6_AT_NEXT_HEADER + 1] = t->ttl;
	memcpy(p + 8, t->local.b, 16);
	memcpy(p + 24, t->remote.b, 16);
	return IP6_HDR;
}

void sa_outer(struct sa *sa, const struct tunnel *t)
{
	uint8_t now = atomic_load_explicit(&sa->outer_now, memory_order_relaxed) ^ 1;
	uint8_t *p = sa->outer[now];
	unsigned at = 0;

	memset(p, 0, SA_OUTER_MAX);
	if (!(sa->flags & SA_TRANSPORT))
		at = (sa->flags & SA_OUTER6 ? outer6 : outer4)(p, sa, t);
	if (sa->flags & SA_ENCAP) {
		struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(p + at);

		udp->src_port = t->local_port;
		udp->dst_port = t->remote_port;
		at += UDP_HDR_LEN;
	}
	sa->l4_at = (uint8_t)at;
	if (sa->proto == PROTO_AH) {
		struct ah_hdr *ah = (struct ah_hdr *)(p + at);

		ah->spi = sa->spi;
		at += AH_HDR_LEN;
	} else {
		struct esp_hdr *esp = (struct esp_hdr *)(p + at);

		esp->spi = sa->spi;
		at += ESP_HDR_LEN;
	}
	sa->outer_len = (uint8_t)at;
	/* pairs with the acquire in lib/ipsec */
	atomic_store_explicit(&sa->outer_now, now, memory_order_release);
}

void sa_template(struct sa *sa, const struct tunnel *t)
{
	bool around_esp = sa->proto == PROTO_AH && t->flags & TUNNEL_ESP;

	sa->flags &= SA_IN | SA_ESN | SA_AEAD;
	if (t->flags & TUNNEL_TRANSPORT || around_esp)
		sa->flags |= SA_TRANSPORT;
	if (t->flags & TUNNEL_ENCAP && sa->proto == PROTO_ESP)
		sa->flags |= SA_ENCAP;
	if (!addr_is4(&t->remote))
		sa->flags |= SA_OUTER6;
	sa->tos_keep = (uint8_t)((t->dscp_copy ? 0xfc : 0) | (t->ecn ? 3 : 0));
	sa->tos_set = (uint8_t)(t->dscp_copy ? 0 : t->dscp << 2);
	sa->ecn = t->ecn;
	sa->df = t->df;
	sa->flow_label = t->flow_label;
	sa->zone = t->zone;
	sa->iface = t->iface;
	sa->mtu = t->mtu;
	sa->follow = (t->flags & TUNNEL_FOLLOW) &&
		     (sa->flags & (SA_ENCAP | SA_IN)) == (SA_ENCAP | SA_IN);
	sa->peer = t->remote;
	sa->peer_port = t->remote_port;
	if (getrandom(&sa->iv_base, sizeof(sa->iv_base), 0) != sizeof(sa->iv_base))
		sa->iv_base = 0; /* never: so few bytes do not fail */
	sa_outer(sa, t);
}
