/* ESP (RFC 4303), tunnel and transport mode, both families, with or without UDP (RFC 3948): bursts
 * of packets in, bursts of packets out. Plain functions that know no graph; tests, benches and the
 * nodes esp_in and esp_out call them. The worker that owns the SAs.
 */
#pragma once

#include "ipsec/mb.h"

#include <rte_branch_prediction.h>

/* A packet of the burst. */
struct esp_packet {
	struct rte_mbuf *m;
	struct sa *sa;
	/* esp_in: bytes from the beginning of the data to the ESP header: IP header, extension
	 * headers, UDP header. esp_out in transport mode: bytes of the IP header and of the
	 * extension headers that stay in front (RFC 4303 section 3.1.1). Afterwards the same of
	 * the packet that there is, for an AH around it; not set by esp_in in tunnel mode */
	uint16_t l4;
	/* both, but for esp_out in tunnel mode: offset of the byte that names the protocol: IPv4's
	 * protocol field, or the next header field that names what is behind the IP headers (UDP
	 * or ESP). Afterwards as l4 */
	uint16_t proto_at;
	uint8_t status; /* enum sa_error, set by the call; else than SA_OK the packet's contents are
			 * undefined, but its lengths are sane */
	bool dummy;     /* esp_in: RFC 4303 section 2.6: to be absorbed */
	bool ip6; /* data begins with an IPv6 header; likewise afterwards, of what it begins with
		   * then */
	uint8_t inner; /* esp_in: next header behind ESP: 4, 41 in tunnel mode */
};

/* Protects n packets, each with its SA: data begins with the IP header and ends where that says.
 * Afterwards it begins with
 * the outer IP header (tunnel mode) or with the same one (transport), checksum and lengths right.
 * Takes sequence numbers (sa_seq_reserve), counts packets, bytes and errors in the SA. The inner
 * TTL is the caller's (a forwarded packet's is lowered before). Tail room must hold padding,
 * trailer and ICV: else SA_ERR_TOO_BIG. */
void esp_out_burst(struct mb *mb, struct esp_packet p[], unsigned n);

/* Takes the protection off n packets, which are whole (reassembled) and end where their IP header
 * says; that they are in UDP is told by the byte at proto_at. Order of checks as RFC 4303
 * section 3.4: length, sequence number, ICV, window, padding. Afterwards data begins with the inner
 * IP header (tunnel mode) or with the same IP header, lengths and checksum mended (transport mode).
 * ECN as RFC 6040. Counts in the SA. Selectors are not judged here. */
void esp_in_burst(struct mb *mb, struct esp_packet p[], unsigned n);

/* Bytes that ESP or AH add to a packet of that length (from its IP header on), and the longest
 * inner packet whose outer one has at most mtu bytes; 0: none fits. In transport mode of packets
 * without options and extension headers. For AH around ESP ask for both, AH's first. */
unsigned esp_overhead(const struct sa *sa, unsigned len);
unsigned esp_inner_max(const struct sa *sa, unsigned mtu);

/* Makes the keepalive (RFC 3948 section 2.3) of an outbound SA with SA_ENCAP, of tunnel t: a packet
 * from its IP header on. Returns its length. Control core. */
unsigned nat_keepalive(const struct sa *sa, const struct tunnel *t, uint8_t to[SA_OUTER_MAX]);

/* n sequence numbers of an outbound SA, the first is returned less 1; UINT64_MAX: that many are not
 * left (RFC 4303 section 2.2: never wraps). The only place that takes them. */
static inline uint64_t sa_seq_reserve(struct sa *sa, unsigned n)
{
	uint64_t last = sa->flags & SA_ESN ? UINT64_MAX : UINT32_MAX, before = sa->seq;

	if (unlikely(before > last || n > last - before))
		return UINT64_MAX;
	sa->seq = before + n;
	return before;
}
