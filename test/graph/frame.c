/* Builds frames and compares them. See frame.h. Deliberately plain: each checksum is summed byte by
 * byte from what the RFC says, so that it can't share a mistake with the data path.
 */
#include "frame.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, (uint16_t)(v >> 16));
	put16(p + 2, (uint16_t)v);
}

static uint32_t sum(const uint8_t *p, unsigned len)
{
	uint32_t s = 0;

	for (unsigned i = 0; i < len; i++)
		s += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	return s;
}

static uint16_t fold(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

uint16_t frame_cksum(const void *data, unsigned len)
{
	return fold(sum(data, len));
}

void frame_fix_ip(struct frame *f, unsigned l2)
{
	uint8_t *ip = f->b + l2;

	put16(ip + 10, 0);
	put16(ip + 10, frame_cksum(ip, (ip[0] & 15u) * 4));
}

static unsigned put_l2(uint8_t *p, const struct l2 *l2, uint16_t type)
{
	unsigned at = 12;

	memcpy(p, l2->dst.b, 6);
	memcpy(p + 6, l2->src.b, 6);
	if (l2->outer_vlan) {
		put16(p + at, 0x88a8);
		put16(p + at + 2, l2->outer_vlan);
		at += 4;
	}
	if (l2->vlan) {
		put16(p + at, 0x8100);
		put16(p + at + 2, l2->vlan);
		at += 4;
	}
	put16(p + at, type);
	return at + 2;
}

/* The transport header and payload; returns their length. */
static unsigned put_l4(uint8_t *p, const struct spec *s)
{
	unsigned hdr = s->raw ? 0 : s->proto == 6 ? 20 : s->proto == 17 || s->proto == 1 ? 8 : 0;
	unsigned len = hdr + s->payload_len;
	uint32_t pseudo;

	memset(p, 0, hdr);
	if (s->payload_len)
		memcpy(p + hdr, s->payload, s->payload_len);
	if (hdr == 0)
		return len;
	pseudo = (s->src >> 16) + (s->src & 0xffff) + (s->dst >> 16) + (s->dst & 0xffff) +
		 s->proto + len;
	if (s->proto == 1) {
		p[0] = s->type;
		p[1] = s->code;
		put32(p + 4, s->rest);
		put16(p + 2, frame_cksum(p, len));
		return len;
	}
	put16(p, s->sport);
	put16(p + 2, s->dport);
	if (s->proto == 17) {
		uint16_t c;

		put16(p + 4, (uint16_t)len);
		c = fold(pseudo + sum(p, len));
		put16(p + 6, c ? c : 0xffff);
	} else {
		put32(p + 4, 0x01020304);
		put32(p + 8, 0x05060708);
		p[12] = 5 << 4;
		p[13] = s->tcp_flags;
		put16(p + 14, 8192);
		put16(p + 16, fold(pseudo + sum(p, len)));
	}
	return len;
}

void frame_make(struct frame *f, const struct spec *s)
{
	uint8_t *ip = f->b;
	unsigned hdr = 20 + s->options_len, len;

	memset(f, 0, sizeof(*f));
	memcpy(f->b, s->dst_mac.b, 6);
	memcpy(f->b + 6, s->src_mac.b, 6);
	ip += 12;
	if (s->outer_type) {
		put16(ip, s->outer_type);
		put16(ip + 2, s->outer_tci);
		ip += 4;
	}
	if (s->tagged) {
		put16(ip, 0x8100);
		put16(ip + 2, s->tci);
		ip += 4;
	}
	put16(ip, 0x0800);
	ip += 2;
	len = hdr + put_l4(ip + hdr, s);
	ip[0] = (uint8_t)(0x40 | hdr / 4);
	ip[1] = s->tos;
	put16(ip + 2, (uint16_t)len);
	put16(ip + 4, s->id);
	put16(ip + 6, s->frag);
	ip[8] = s->ttl;
	ip[9] = s->proto;
	put32(ip + 12, s->src);
	put32(ip + 16, s->dst);
	if (s->options_len)
		memcpy(ip + 20, s->options, s->options_len);
	f->len = (unsigned)(ip - f->b) + len;
	frame_fix_ip(f, (unsigned)(ip - f->b));
	while (f->len < s->pad_to)
		f->b[f->len++] = 0xee;
}

/* The IP packet of a frame: its bytes and length, without padding. */
static const uint8_t *ip_of(const struct frame *f, unsigned *len)
{
	const uint8_t *ip = f->b + 14;

	while (ip[-2] == 0x81 || ip[-2] == 0x88) /* tags; no packet's type */
		ip += 4;

	*len = (unsigned)ip[2] << 8 | ip[3];
	return ip;
}

void frame_routed(struct frame *out, const struct frame *in, const struct l2 *l2)
{
	unsigned len, at;
	const uint8_t *ip = ip_of(in, &len);

	memset(out, 0, sizeof(*out));
	at = put_l2(out->b, l2, 0x0800);
	memcpy(out->b + at, ip, len);
	out->b[at + 8]--;
	out->len = at + len;
	frame_fix_ip(out, at);
}

void frame_echo_reply(struct frame *out, const struct frame *in, uint8_t ttl, const struct l2 *l2)
{
	unsigned len, at, hdr;
	const uint8_t *ip = ip_of(in, &len);
	uint8_t *o;

	memset(out, 0, sizeof(*out));
	hdr = (ip[0] & 15u) * 4;
	at = put_l2(out->b, l2, 0x0800);
	o = out->b + at;
	memcpy(o, ip, 20);
	memcpy(o + 20, ip + hdr, len - hdr);
	len -= hdr - 20;
	o[0] = 0x45;
	put16(o + 2, (uint16_t)len);
	o[8] = ttl;
	memcpy(o + 12, ip + 16, 4);
	memcpy(o + 16, ip + 12, 4);
	o[20] = 0;
	put16(o + 22, 0);
	put16(o + 22, frame_cksum(o + 20, len - 20));
	if (o[22] == 0 && o[23] == 0) /* the same, and what an update in place gives */
		put16(o + 22, 0xffff);
	out->len = at + len;
	frame_fix_ip(out, at);
}

void frame_icmp_error(
	struct frame *out, const struct frame *in, const struct icmp_error *e, const struct l2 *l2)
{
	unsigned len, at;
	const uint8_t *ip = ip_of(in, &len);
	uint8_t *o;

	if (len > 576 - 28)
		len = 576 - 28;
	memset(out, 0, sizeof(*out));
	at = put_l2(out->b, l2, 0x0800);
	o = out->b + at;
	o[0] = 0x45;
	o[1] = 0xc0;
	put16(o + 2, (uint16_t)(28 + len));
	put16(o + 4, e->id);
	o[8] = e->ttl;
	o[9] = 1;
	put32(o + 12, e->from);
	memcpy(o + 16, ip + 12, 4);
	o[20] = e->type;
	o[21] = e->code;
	put16(o + 26, e->mtu);
	memcpy(o + 28, ip, len);
	put16(o + 22, frame_cksum(o + 20, 8 + len));
	out->len = at + 28 + len;
	frame_fix_ip(out, at);
}

/* --- IPv6 */

struct ip6 ip6_of(const char *text)
{
	struct ip6 a;

	if (inet_pton(AF_INET6, text, a.b) != 1) {
		fprintf(stderr, "%s is no IPv6 address\n", text);
		abort();
	}
	return a;
}

/* RFC 8200 section 8.1: the sum over the pseudo-header and len bytes at l4. */
static uint16_t sum6(const uint8_t *ip, uint8_t proto, const uint8_t *l4, unsigned len)
{
	return fold(sum(ip + 8, 32) + (len >> 16) + (len & 0xffff) + proto + sum(l4, len));
}

void frame6_fix_l4(struct frame *f, uint8_t proto, unsigned at)
{
	unsigned l2 = f->b[12] == 0x81 && f->b[13] == 0 ? 18 : 14;
	unsigned end = l2 + 40 + ((unsigned)f->b[l2 + 4] << 8 | f->b[l2 + 5]);
	unsigned field = at + (proto == 6 ? 16 : proto == 17 ? 6 : 2);
	uint16_t c;

	put16(f->b + field, 0);
	c = sum6(f->b + l2, proto, f->b + at, end - at);
	put16(f->b + field, c == 0 && proto == 17 ? 0xffff : c);
}

/* The transport header and payload, without checksum; returns their length. */
static unsigned put_l4_6(uint8_t *p, const struct spec6 *s)
{
	unsigned hdr = s->raw           ? 0
		       : s->proto == 6  ? 20
		       : s->proto == 17 ? 8
		       : s->proto == 58 ? 8
					: 0;
	unsigned len = hdr + s->payload_len;

	memset(p, 0, hdr);
	if (s->payload_len)
		memcpy(p + hdr, s->payload, s->payload_len);
	if (hdr == 0)
		return len;
	if (s->proto == 58) {
		p[0] = s->type;
		p[1] = s->code;
		put32(p + 4, s->rest);
		return len;
	}
	put16(p, s->sport);
	put16(p + 2, s->dport);
	if (s->proto == 17) {
		put16(p + 4, (uint16_t)len);
	} else {
		put32(p + 4, 0x01020304);
		put32(p + 8, 0x05060708);
		p[12] = 5 << 4;
		p[13] = s->tcp_flags;
		put16(p + 14, 8192);
	}
	return len;
}

void frame6_make(struct frame *f, const struct spec6 *s)
{
	uint8_t *ip = f->b + 12;
	unsigned len, l2;

	memset(f, 0, sizeof(*f));
	memcpy(f->b, s->dst_mac.b, 6);
	memcpy(f->b + 6, s->src_mac.b, 6);
	if (s->tagged) {
		put16(ip, 0x8100);
		put16(ip + 2, s->tci);
		ip += 4;
	}
	put16(ip, 0x86dd);
	ip += 2;
	l2 = (unsigned)(ip - f->b);
	put32(ip, 6u << 28 | (uint32_t)s->class << 20 | s->flow);
	ip[6] = s->ext_len ? s->ext_kind : s->proto;
	ip[7] = s->hop_limit;
	memcpy(ip + 8, s->src.b, 16);
	memcpy(ip + 24, s->dst.b, 16);
	if (s->ext_len)
		memcpy(ip + 40, s->ext, s->ext_len);
	len = s->ext_len + put_l4_6(ip + 40 + s->ext_len, s);
	put16(ip + 4, (uint16_t)len);
	f->len = l2 + 40 + len;
	if (!s->raw && (s->proto == 6 || s->proto == 17 || s->proto == 58))
		frame6_fix_l4(f, s->proto, l2 + 40 + s->ext_len);
	while (f->len < s->pad_to)
		f->b[f->len++] = 0xee;
}

/* The IPv6 packet of a frame: its bytes and length, without padding. */
static const uint8_t *ip6_in(const struct frame *f, unsigned *len)
{
	const uint8_t *ip = f->b + (f->b[12] == 0x81 && f->b[13] == 0 ? 18 : 14);

	*len = 40 + ((unsigned)ip[4] << 8 | ip[5]);
	return ip;
}

void frame6_routed(struct frame *out, const struct frame *in, const struct l2 *l2)
{
	unsigned len, at;
	const uint8_t *ip = ip6_in(in, &len);

	memset(out, 0, sizeof(*out));
	at = put_l2(out->b, l2, 0x86dd);
	memcpy(out->b + at, ip, len);
	out->b[at + 7]--;
	out->len = at + len;
}

void frame6_echo_reply(struct frame *out, const struct frame *in, unsigned ext,
	const struct ip6 *from, uint8_t hop_limit, const struct l2 *l2)
{
	unsigned len, at;
	const uint8_t *ip = ip6_in(in, &len);
	uint8_t *o;

	memset(out, 0, sizeof(*out));
	at = put_l2(out->b, l2, 0x86dd);
	o = out->b + at;
	memcpy(o, ip, 40);
	memcpy(o + 40, ip + 40 + ext, len - 40 - ext);
	len -= ext;
	put16(o + 4, (uint16_t)(len - 40));
	o[6] = 58;
	o[7] = hop_limit;
	memcpy(o + 8, from->b, 16);
	memcpy(o + 24, ip + 8, 16);
	o[40] = 129;
	out->len = at + len;
	frame6_fix_l4(out, 58, at + 40);
}

void frame6_icmp_error(
	struct frame *out, const struct frame *in, const struct icmp6_error *e, const struct l2 *l2)
{
	unsigned len, at;
	const uint8_t *ip = ip6_in(in, &len);
	uint8_t *o;

	if (len > 1280 - 48)
		len = 1280 - 48;
	memset(out, 0, sizeof(*out));
	at = put_l2(out->b, l2, 0x86dd);
	o = out->b + at;
	o[0] = 0x60;
	put16(o + 4, (uint16_t)(8 + len));
	o[6] = 58;
	o[7] = e->hop_limit;
	memcpy(o + 8, e->from.b, 16);
	memcpy(o + 24, ip + 8, 16);
	o[40] = e->type;
	o[41] = e->code;
	put32(o + 44, e->data);
	memcpy(o + 48, ip, len);
	out->len = at + 48 + len;
	frame6_fix_l4(out, 58, at + 40);
}

/* The options that every fragment has (RFC 791: the highest bit), filled up with zeros. */
static unsigned copied_options(uint8_t *out, const uint8_t *options, unsigned len)
{
	unsigned n = 0;

	for (unsigned i = 0; i < len && options[i] != 0;) {
		unsigned l = options[i] == 1 ? 1 : options[i + 1];

		if (options[i] & 0x80) {
			memcpy(out + n, options + i, l);
			n += l;
		}
		i += l;
	}
	while (n % 4)
		out[n++] = 0;
	return n;
}

unsigned frame_cut(struct frame *out, unsigned max, const struct frame *in, unsigned mtu)
{
	unsigned len, l2, hdr, data, n = 0;
	const uint8_t *ip = ip_of(in, &len);
	unsigned field = (unsigned)ip[6] << 8 | ip[7];

	l2 = (unsigned)(ip - in->b);
	hdr = (ip[0] & 15u) * 4;
	data = len - hdr;
	for (unsigned at = 0; at < data && n < max; n++) {
		struct frame *f = &out[n];
		uint8_t *o = f->b + l2;
		unsigned h = 20, take;

		memset(f, 0, sizeof(*f));
		memcpy(f->b, in->b, l2 + 20);
		if (n == 0) {
			memcpy(o + 20, ip + 20, hdr - 20);
			h = hdr;
		} else {
			h += copied_options(o + 20, ip + 20, hdr - 20);
		}
		take = data - at;
		if (take > mtu - h)
			take = (mtu - h) / 8 * 8;
		memcpy(o + h, ip + hdr + at, take);
		o[0] = (uint8_t)(0x40 | h / 4);
		put16(o + 2, (uint16_t)(h + take));
		put16(o + 6, (uint16_t)(((field & 0x1fff) + at / 8) |
					(at + take < data ? FRAG_MF : field & FRAG_MF)));
		f->len = l2 + h + take;
		frame_fix_ip(f, l2);
		at += take;
	}
	return n;
}

unsigned frame6_cut(
	struct frame *out, unsigned max, const struct frame *in, unsigned mtu, uint32_t id)
{
	unsigned l2 = in->b[12] == 0x81 ? 18 : 14, n = 0;
	const uint8_t *ip6 = in->b + l2;
	unsigned data = (unsigned)ip6[4] << 8 | ip6[5];

	for (unsigned at = 0; at < data && n < max; n++) {
		struct frame *f = &out[n];
		uint8_t *o = f->b + l2;
		unsigned take = data - at;

		if (take > mtu - 48)
			take = (mtu - 48) / 8 * 8;
		memset(f, 0, sizeof(*f));
		memcpy(f->b, in->b, l2 + 40);
		put16(o + 4, (uint16_t)(8 + take));
		o[6] = 44;
		o[40] = ip6[6];
		put16(o + 42, (uint16_t)(at | (at + take < data)));
		put32(o + 44, id);
		memcpy(o + 48, ip6 + 40 + at, take);
		f->len = l2 + 48 + take;
		at += take;
	}
	return n;
}

void frame_arp(struct frame *out, const struct arp_spec *a)
{
	unsigned at;

	memset(out, 0, sizeof(*out));
	at = put_l2(out->b, &a->l2, 0x0806);
	put16(out->b + at, 1);
	put16(out->b + at + 2, 0x0800);
	out->b[at + 4] = 6;
	out->b[at + 5] = 4;
	put16(out->b + at + 6, a->op);
	memcpy(out->b + at + 8, a->sha.b, 6);
	put32(out->b + at + 14, a->spa);
	memcpy(out->b + at + 18, a->tha.b, 6);
	put32(out->b + at + 24, a->tpa);
	out->len = at + 28;
}

static void dump(const char *name, const struct frame *f, const struct frame *other)
{
	fprintf(stderr, "%s: %u bytes", name, f->len);
	for (unsigned i = 0; i < f->len; i++)
		fprintf(stderr, "%s%s%02x", i % 16 ? "" : "\n   ",
			i >= other->len || f->b[i] != other->b[i] ? " >" : "  ", f->b[i]);
	fputc('\n', stderr);
}

bool frame_same(const struct frame *got, const struct frame *want, const char *what)
{
	if (got->len == want->len && memcmp(got->b, want->b, got->len) == 0)
		return true;
	fprintf(stderr, "%s: frames differ (bytes marked > do)\n", what);
	dump("got", got, want);
	dump("want", want, got);
	return false;
}
