/* The headers in front of AH as they are authenticated: RFC 4302 section 3.3.3.1 and appendix A.
 * Worker.
 */
#include "ipsec/esp_parts.h"

#include "ipsec/ah_parts.h"

/* Options that are authenticated as they are; all others, known or not, are zero (appendix A1). */
static bool option4_immutable(uint8_t type)
{
	switch (type) {
	case 130: /* security, RFC 1108 */
	case 133: /* extended security */
	case 134: /* commercial security */
	case 148: /* router alert, RFC 2113 */
	case 149: /* sender directed multi-destination delivery, RFC 1770 */
		return true;
	default:
		return false;
	}
}

/* Outbound, section 3.3.3.1.1.2: a source route changes the destination on the way, predictably: to
 * its last address. */
static void final_destination(uint8_t *ip, const uint8_t *option, unsigned len)
{
	unsigned pointer = len >= 3 ? option[2] : UINT8_MAX;

	if (len >= 7 && pointer + 3u <= len)
		memcpy(ip + 16, option + 3 + (len - 3) / 4 * 4 - 4, 4);
}

static bool mute4(uint8_t *ip, unsigned head, bool out)
{
	unsigned hdr_len = (ip[0] & 15u) * 4, at = IP4_MIN_HDR;

	if (hdr_len > head)
		return false;
	ip[1] = 0;             /* DSCP, ECN */
	memset(ip + 6, 0, 3);  /* flags, fragment offset, TTL */
	memset(ip + 10, 0, 2); /* checksum */
	while (at < hdr_len && ip[at] != IP4_OPT_EOL) {
		unsigned len;

		if (ip[at] == IP4_OPT_NOP) {
			at++;
			continue;
		}
		if (at + 2 > hdr_len || ip[at + 1] < 2 || at + ip[at + 1] > hdr_len)
			return false;
		len = ip[at + 1];
		if (!option4_immutable(ip[at])) {
			if (out && (ip[at] == IP4_OPT_LSRR || ip[at] == IP4_OPT_SSRR))
				final_destination(ip, ip + at, len);
			memset(ip + at, 0, len);
		}
		at += len;
	}
	return true;
}

/* Section 3.3.3.1.2.2: options with the third highest bit may change on the way: their data are
 * zero, type and length stay. */
static bool mute_options(uint8_t *options, unsigned len)
{
	unsigned at = 2; /* next header, length */

	while (at < len) {
		if (options[at] == IP6_OPT_PAD1) {
			at++;
			continue;
		}
		if (at + 2 > len || at + 2u + options[at + 1] > len)
			return false;
		if (options[at] & 0x20)
			memset(options + at + 2, 0, options[at + 1]);
		at += 2u + options[at + 1];
	}
	return true;
}

/* Outbound, section 3.3.3.1.2.3: a routing header of type 0 or 2 (RFC 6275 section 6.4) as the last
 * of its addresses sees it: each address that is still ahead changes places with the destination.
 */
static bool arrived(uint8_t *ip, uint8_t *routing, unsigned len)
{
	unsigned n = (len - 8) / 16, left = routing[3], first;
	uint8_t last[16];

	if ((routing[2] != 0 && routing[2] != 2) || left == 0)
		return true;
	if (left > n)
		return false;
	/* of the n addresses, the last `left` are ahead: the destination moves to the place of the
	 * first of them, each to that of the next, and the last is the destination */
	first = 8 + (n - left) * 16;
	memcpy(last, routing + 8 + (n - 1) * 16, 16);
	memmove(routing + first + 16, routing + first, (left - 1) * 16);
	memcpy(routing + first, ip + 24, 16);
	memcpy(ip + 24, last, 16);
	routing[3] = 0;
	return true;
}

static bool mute6(uint8_t *ip, unsigned head, bool out)
{
	uint8_t kind = ip[IP6_AT_NEXT_HEADER];
	unsigned at = IP6_HDR;

	ip[0] &= 0xf0; /* DSCP, ECN, flow label */
	memset(ip + 1, 0, 3);
	ip[IP6_AT_NEXT_HEADER + 1] = 0; /* hop limit */
	while (at < head) {
		uint8_t *hdr = ip + at;
		bool ok = true;
		unsigned len;

		if (at + 8 > head || !ip6_is_extension(kind))
			return false;
		len = kind == IP6_FRAGMENT ? IP6_FRAG_HDR
		      : kind == IP6_AH     ? (hdr[1] + 2u) * 4
					   : (hdr[1] + 1u) * 8;
		if (at + len > head)
			return false;
		if (kind == IP6_HOP_BY_HOP || kind == IP6_DEST_OPTIONS)
			ok = mute_options(hdr, len);
		else if (kind == IP6_ROUTING && out)
			ok = arrived(ip, hdr, len);
		if (!ok)
			return false;
		kind = hdr[0];
		at += len;
	}
	return at == head;
}

bool ah_mute(uint8_t *ip, bool ip6, unsigned head, bool out)
{
	return ip6 ? mute6(ip, head, out) : mute4(ip, head, out);
}
