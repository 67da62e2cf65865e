/* Frames for the graph tests: built from a description, with right lengths and checksums computed
 * the slow and plain way (nothing of lib/ is used for it), and what the daemon must make of them,
 * byte by byte. No state, any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define FRAME_MAX 9100

struct frame {
	unsigned len;
	uint8_t b[FRAME_MAX];
};

struct mac6 {
	uint8_t b[6];
};

/* What a frame says. Start from a spec_...() of harness.h and change what the test is about. */
struct spec {
	struct mac6 dst_mac, src_mac;
	uint16_t outer_type, outer_tci; /* of a tag before that; type 0: there is none */
	bool tagged;
	uint16_t tci; /* of the 802.1Q tag */
	uint32_t src, dst;
	uint8_t proto, ttl, tos;
	uint16_t id, frag; /* frag: flags and offset as in the header */
	const void *options;
	unsigned options_len; /* a multiple of 4 */
	uint16_t sport, dport;
	uint8_t tcp_flags;
	uint8_t type, code; /* ICMP */
	uint32_t rest;      /* ICMP: the header's second word */
	bool raw;           /* no transport header: the payload follows the IP header */
	const void *payload;
	unsigned payload_len;
	unsigned pad_to; /* zero: not padded; else bytes 0xee follow the packet */
};

#define TCP_SYN 0x02
#define TCP_ACK 0x10
#define FRAG_DF 0x4000
#define FRAG_MF 0x2000

#define IP(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))

void frame_make(struct frame *f, const struct spec *s);

/* Checksum of len bytes, RFC 1071, to be written in network order. */
uint16_t frame_cksum(const void *data, unsigned len);
/* Writes the IPv4 header checksum anew; l2: bytes before the header. */
void frame_fix_ip(struct frame *f, unsigned l2);

struct l2 { /* a link-layer header to be expected */
	struct mac6 dst, src;
	uint16_t vlan, outer_vlan; /* 0: no such tag; the outer one is 802.1ad's */
};

/* What comes out when `in` (an Ethernet frame, tagged or not) is routed: TTL one less, padding
 * gone, options as they were. */
void frame_routed(struct frame *out, const struct frame *in, const struct l2 *l2);
/* The echo reply to `in`. */
void frame_echo_reply(struct frame *out, const struct frame *in, uint8_t ttl, const struct l2 *l2);
/* The ICMP error in answer to `in`. */
struct icmp_error {
	uint8_t type, code;
	uint16_t mtu, id;
	uint32_t from;
	uint8_t ttl;
};
void frame_icmp_error(
	struct frame *out, const struct frame *in, const struct icmp_error *e, const struct l2 *l2);
/* --- IPv6 */

struct ip6 {
	uint8_t b[16];
};
/* From text; ends the process when it is no address. */
struct ip6 ip6_of(const char *text);

/* What an IPv6 frame says. */
struct spec6 {
	struct mac6 dst_mac, src_mac;
	bool tagged;
	uint16_t tci;
	struct ip6 src, dst;
	uint8_t class, hop_limit;
	uint32_t flow; /* 20 bits */
	/* extension headers as they lie, and which kind the first is; the last names proto */
	const void *ext;
	unsigned ext_len;
	uint8_t ext_kind;
	uint8_t proto;
	uint16_t sport, dport;
	uint8_t tcp_flags;
	uint8_t type, code; /* ICMPv6 */
	uint32_t rest;      /* ICMPv6: the header's second word */
	bool raw;           /* no transport header */
	const void *payload;
	unsigned payload_len;
	unsigned pad_to; /* bytes 0xee follow the packet */
};
void frame6_make(struct frame *f, const struct spec6 *s);

/* What comes out when `in` is routed: hop limit one less, padding gone, all else as it was. */
void frame6_routed(struct frame *out, const struct frame *in, const struct l2 *l2);
/* The echo reply to `in`, whose extension headers are ext bytes long; from: the sender. */
void frame6_echo_reply(struct frame *out, const struct frame *in, unsigned ext,
	const struct ip6 *from, uint8_t hop_limit, const struct l2 *l2);
/* The ICMPv6 error in answer to `in`. */
struct icmp6_error {
	uint8_t type, code;
	uint32_t data; /* MTU or pointer */
	struct ip6 from;
	uint8_t hop_limit;
};
void frame6_icmp_error(struct frame *out, const struct frame *in, const struct icmp6_error *e,
	const struct l2 *l2);
/* Writes the transport checksum of a TCP, UDP or ICMPv6 frame anew; at: its transport header. */
void frame6_fix_l4(struct frame *f, uint8_t proto, unsigned at);

/* The fragments of an IPv4 frame for that MTU, without its padding; how many, at most max. */
unsigned frame_cut(struct frame *out, unsigned max, const struct frame *in, unsigned mtu);
/* The same of IPv6, with a fragment header behind the IPv6 header. */
unsigned frame6_cut(
	struct frame *out, unsigned max, const struct frame *in, unsigned mtu, uint32_t id);

/* An ARP packet. */
struct arp_spec {
	struct l2 l2;
	uint16_t op;
	struct mac6 sha, tha;
	uint32_t spa, tpa;
};
void frame_arp(struct frame *out, const struct arp_spec *a);

/* Same bytes? If not, prints both in hex with the first difference. */
bool frame_same(const struct frame *got, const struct frame *want, const char *what);
