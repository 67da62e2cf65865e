/* Builds frames and compares them. See frame.h. Deliberately plain: each checksum is summed byte by
 * byte from what the RFC says, so that it can't share a mistake with the data path.
 */
#include "frame.h"

#include <stdio.h>
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
