/* ICMPv6 for the decoder: errors and echo (RFC 4443), multicast listeners (RFC 2710, RFC 3810),
 * neighbour discovery with its options (RFC 4861, RFC 8106, RFC 4191, RFC 3971). See decode.h and
 * decode_parts.h.
 */
#include "ctl/decode_parts.h"

enum { ERROR_UNREACHABLE = 1, ERROR_TOO_BIG, ERROR_TIME, ERROR_PARAMETER };
enum { ECHO_REQUEST = 128, ECHO_REPLY, MLD_QUERY, MLD_REPORT, MLD_DONE };
enum { ROUTER_SOLICIT = 133, ROUTER_ADVERT, NEIGH_SOLICIT, NEIGH_ADVERT, REDIRECT };
enum { MLD2_REPORT = 143 };

#define NAME_OF(list, code) ((code) < sizeof(list) / sizeof((list)[0]) ? (list)[code] : NULL)

static const char *error_name(uint8_t type, uint8_t code)
{
	static const char *const unreachable[] = {"no route to destination",
		"administratively prohibited", "beyond scope of source address",
		"address unreachable", "port unreachable", "source address failed policy",
		"route rejected", "error in source route"};
	static const char *const parameter[] = {"erroneous header field",
		"unrecognized next header", "unrecognized option", "incomplete header chain"};
	const char *name;

	switch (type) {
	case ERROR_UNREACHABLE:
		name = NAME_OF(unreachable, code);
		return name ? name : "unreachable";
	case ERROR_TOO_BIG:
		return "packet too big";
	case ERROR_TIME:
		return code == 0 ? "hop limit exceeded" : "reassembly time exceeded";
	case ERROR_PARAMETER:
		name = NAME_OF(parameter, code);
		return name ? name : "parameter problem";
	}
	return NULL;
}

static const char *message_name(uint8_t type)
{
	static const char *const from128[] = {"echo request", "echo reply", "MLD query",
		"MLD report", "MLD done", "router solicitation", "router advertisement",
		"neighbour solicitation", "neighbour advertisement", "redirect",
		"router renumbering", "node information query", "node information reply",
		"inverse neighbour solicitation", "inverse neighbour advertisement", "MLDv2 report",
		"home agent discovery request", "home agent discovery reply",
		"mobile prefix solicitation", "mobile prefix advertisement",
		"certification path solicitation", "certification path advertisement"};

	if (type >= ECHO_REQUEST)
		return NAME_OF(from128, type - (unsigned)ECHO_REQUEST);
	return NULL;
}

/* --- neighbour discovery */

static void lifetime(struct text *t, const char *what, uint32_t seconds)
{
	if (seconds == UINT32_MAX)
		text_add(t, " %s infinite", what);
	else
		text_add(t, " %s %u s", what, seconds);
}

/* RFC 4191 section 2.1: bits 3 and 4. */
static const char *preference(uint8_t flags)
{
	static const char *const name[] = {"medium", "high", "reserved", "low"};

	return name[flags >> 3 & 3];
}

/* A list of names as RFC 1035 section 3.1 writes them, without compression; padded with zeros. */
static void domains(struct view *v)
{
	bool within = false;

	while (v->kept > 0 && v->p[0] != 0 && v->p[0] < v->kept) {
		unsigned len = v->p[0];

		text_add(v->t, "%s", within ? "." : " ");
		for (unsigned i = 1; i <= len; i++) {
			char c = (char)v->p[i];
			bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
				     (c >= '0' && c <= '9') || c == '-' || c == '_';

			text_add(v->t, "%c", plain ? c : '?');
		}
		view_skip(v, 1 + len);
		within = v->kept > 0 && v->p[0] != 0;
		if (!within)
			view_skip(v, 1);
	}
	if (within)
		text_add(v->t, " [name ends beyond]");
}

/* RFC 4861 section 4.6.2, v is the option alone, of 32 bytes. */
static void prefix_information(struct view *v)
{
	uint8_t flags = v->p[3];

	text_add(v->t, "prefix ");
	decode_addr6(v->t, v->p + 16);
	text_add(v->t, "/%u flags [%s%s%s]", v->p[2], flags & 0x80 ? "L" : "",
		flags & 0x40 ? "A" : "", flags & 0xc0 ? "" : "-");
	lifetime(v->t, "valid", get32(v->p + 4));
	lifetime(v->t, "preferred", get32(v->p + 8));
}

/* RFC 4191 section 2.3: 8, 16 or 24 bytes, for as much of the prefix as it needs. */
static void route_information(struct view *v)
{
	uint8_t prefix[16] = {0};

	for (size_t i = 8; i < v->kept && i < 24; i++)
		prefix[i - 8] = v->p[i];
	text_add(v->t, "route ");
	decode_addr6(v->t, prefix);
	text_add(v->t, "/%u preference %s", v->p[2], preference(v->p[3]));
	lifetime(v->t, "lifetime", get32(v->p + 4));
}

/* RFC 8106 section 5.1 */
static void dns_servers(struct view *v)
{
	uint32_t seconds = get32(v->p + 4);

	text_add(v->t, "dns");
	view_skip(v, 8);
	for (; v->kept >= 16; view_skip(v, 16)) {
		text_add(v->t, " ");
		decode_addr6(v->t, v->p);
	}
	lifetime(v->t, "lifetime", seconds);
}

/* RFC 8106 section 5.2 */
static void dns_domains(struct view *v)
{
	uint32_t seconds = get32(v->p + 4);

	text_add(v->t, "domains");
	view_skip(v, 8);
	domains(v);
	lifetime(v->t, "lifetime", seconds);
}

static void link_address(struct view *v, const char *whose)
{
	text_add(v->t, "%s ", whose);
	text_add_mac(v->t, v->p + 2);
}

/* One option, v is this option alone and whole: at least 8 bytes. */
static void nd_option(struct view *v)
{
	uint8_t type = v->p[0];

	if (type == 1) {
		link_address(v, "source MAC");
	} else if (type == 2) {
		link_address(v, "target MAC");
	} else if (type == 3 && v->kept >= 32) {
		prefix_information(v);
	} else if (type == 4) {
		text_add(v->t, "redirected header of %zu", v->kept - 8);
	} else if (type == 5) {
		text_add(v->t, "mtu %u", get32(v->p + 4));
	} else if (type == 14) { /* RFC 3971 section 5.3.2 */
		text_add(v->t, "nonce ");
		for (unsigned i = 2; i < 8; i++)
			text_add(v->t, "%02x", v->p[i]);
	} else if (type == 24) {
		route_information(v);
	} else if (type == 25) {
		dns_servers(v);
	} else if (type == 31) {
		dns_domains(v);
	} else {
		text_add(v->t, "option %u of %zu", type, v->kept);
	}
}

/* To the packet's end (RFC 4861 section 4.6). */
static void nd_options(struct view *v)
{
	const char *between = " (";

	for (; v->kept > 0; between = "; ") {
		struct view one = *v;
		size_t len = v->kept >= 2 ? v->p[1] * 8u : 0;

		text_add(v->t, "%s", between);
		if (v->kept >= 2 && len == 0) {
			text_add(v->t, "[option %u of length 0])", v->p[0]);
			return;
		}
		if (v->kept < 2 || len > v->kept) {
			text_add(v->t, "[option cut: %zu of %zu bytes])", v->kept, len ? len : 2);
			return;
		}
		view_end(&one, len);
		nd_option(&one);
		view_skip(v, len);
	}
	if (v->len > 0)
		text_add(v->t, "%s[%zu bytes cut]", between, v->len);
	text_add(v->t, ")");
}

/* The flags that are set, as letters. */
static void flags(struct text *t, uint8_t set, const char *letters)
{
	text_add(t, " flags [");
	for (unsigned bit = 0x80; *letters; bit >>= 1, letters++)
		if (set & bit)
			text_add(t, "%c", *letters);
	text_add(t, "]");
}

static void router_advert(struct view *v)
{
	const uint8_t *p = v->p;

	text_add(v->t, " current hop limit %u", p[4]);
	if (p[5] & 0xc0)
		flags(v->t, p[5] & 0xc0, "MO");
	if (p[5] & 0x18)
		text_add(v->t, " preference %s", preference(p[5]));
	text_add(v->t, " lifetime %u s reachable %u ms retrans %u ms", get16(p + 6), get32(p + 8),
		get32(p + 12));
}

/* RFC 4861 section 4.1 to 4.5 */
static void nd(struct view *v, uint8_t type)
{
	static const uint8_t header[] = {8, 16, 24, 24, 40};
	size_t len = header[type - ROUTER_SOLICIT];

	if (!view_has(v, len, "message cut"))
		return;
	if (type == ROUTER_ADVERT)
		router_advert(v);
	if (type >= NEIGH_SOLICIT) {
		text_add(v->t, " target ");
		decode_addr6(v->t, v->p + 8);
	}
	if (type == NEIGH_ADVERT)
		flags(v->t, v->p[4], "RSO");
	if (type == REDIRECT) {
		text_add(v->t, " for ");
		decode_addr6(v->t, v->p + 24);
	}
	view_skip(v, len);
	if (v->len > 0)
		nd_options(v);
}

/* --- the others */

static void error(struct view *v, uint8_t type)
{
	char name[TEXT_PROTO_STRLEN];

	if (v->kept < 8)
		return;
	if (type == ERROR_TOO_BIG)
		text_add(v->t, " mtu %u", get32(v->p + 4));
	if (type == ERROR_PARAMETER)
		text_add(v->t, " at byte %u", get32(v->p + 4));
	if (v->kept < 8 + 40)
		return;
	text_add(v->t, " about ");
	decode_addr6(v->t, v->p + 8 + 8);
	text_add(v->t, " > ");
	decode_addr6(v->t, v->p + 8 + 24);
	text_add(v->t, " %s", text_proto(v->p[8 + 6], name));
}

static void mld(struct view *v, uint8_t type)
{
	if (type == MLD2_REPORT && v->kept >= 8)
		text_add(v->t, " %u record%s", get16(v->p + 6), get16(v->p + 6) == 1 ? "" : "s");
	if (type == MLD2_REPORT || v->kept < 24)
		return;
	text_add(v->t, " group ");
	decode_addr6(v->t, v->p + 8);
}

void decode_icmp6(struct view *v)
{
	const char *name;
	uint8_t type, code;

	if (!view_has(v, 2, "ICMPv6 header cut"))
		return;
	type = v->p[0];
	code = v->p[1];
	name = type < ECHO_REQUEST ? error_name(type, code) : message_name(type);
	text_add(v->t, "%s%s (type %u code %u)", name ? " " : "", name ? name : "", type, code);
	if (type >= ROUTER_SOLICIT && type <= REDIRECT)
		nd(v, type);
	else if (type < ECHO_REQUEST)
		error(v, type);
	else if (type <= ECHO_REPLY && v->kept >= 8)
		text_add(v->t, " id %u seq %u", get16(v->p + 4), get16(v->p + 6));
	else if ((type >= MLD_QUERY && type <= MLD_DONE) || type == MLD2_REPORT)
		mld(v, type);
}
