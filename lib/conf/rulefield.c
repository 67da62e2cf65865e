/* The fields of a filter rule, one by one. See rulefield.h. */
#include "conf/rulefield.h"

#include "wire/addr.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

int rulefield_word(const char *text, const char *choices)
{
	size_t len = strlen(text);

	for (int i = 0;; i++) {
		size_t n = strcspn(choices, "|");

		if (n == len && strncasecmp(text, choices, n) == 0)
			return i;
		if (choices[n] == '\0')
			return -1;
		choices += n + 1;
	}
}

int rulefield_number(const char *text, uint32_t max, uint32_t *value)
{
	uint64_t v = 0;

	if (*text == '\0')
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		v = v * 10 + (unsigned)(*text - '0');
		if (v > max)
			return -EINVAL;
	}
	*value = (uint32_t)v;
	return 0;
}

int rulefield_proto(const char *text, uint16_t *proto)
{
	static const uint16_t number[] = {RULE_PROTO_ALL, 6, RULE_PROTO_TCP_ACK, 17,
		RULE_PROTO_ICMP, RULE_PROTO_ICMP6, 50, 51, 89, 4};
	int i = rulefield_word(text, "all|tcp|tcp/ack|udp|icmp|icmpv6|esp|ah|ospf|ipip");
	uint32_t v;

	if (i >= 0) {
		*proto = number[i];
		return 0;
	}
	if (rulefield_number(text, 255, &v) < 0)
		return -EINVAL;
	*proto = (uint16_t)v;
	return 0;
}

void rulefield_any(struct rule *r, bool src_any, bool dst_any)
{
	static const struct prefix all6 = {.len = 0};
	const struct prefix all4 = prefix_of4(0, 0);
	bool ip4 = r->proto == RULE_PROTO_ICMP;

	if (src_any && dst_any && !rule_proto_is_icmp(r->proto)) {
		r->src = r->dst = all6;
		r->any_addr = true;
		return;
	}
	if (!src_any)
		ip4 = addr_is4(&r->src.addr);
	else if (!dst_any)
		ip4 = addr_is4(&r->dst.addr);
	if (src_any)
		r->src = ip4 ? all4 : all6;
	if (dst_any)
		r->dst = ip4 ? all4 : all6;
}

const char *rulefield_family_fault(const struct rule *r)
{
	unsigned families = rule_families(r);

	if (families == 0)
		return "src and dst are of two families, expected both IPv4 or both IPv6";
	if (r->proto == RULE_PROTO_ICMP && families != RULE_IP4)
		return "icmp is of IPv4, expected icmpv6 with IPv6 addresses";
	if (r->proto == RULE_PROTO_ICMP6 && families != RULE_IP6)
		return "icmpv6 is of IPv6, expected icmp with IPv4 addresses";
	return NULL;
}

const char *rulefield_port_fault(uint16_t proto, struct rule_port port)
{
	if (port.op == RULE_OP_ANY)
		return NULL;
	if (rule_proto_is_icmp(proto))
		return port.value > 255 ? "an ICMP type or code is at most 255" : NULL;
	if (!rule_proto_has_ports(proto))
		return "only tcp, tcp/ack, udp, 33 (DCCP), 132 (SCTP) and 136 (UDP-Lite) have "
		       "ports, and "
		       "icmp and icmpv6 a type and a code: expected the operator any with this "
		       "protocol";
	return NULL;
}

static void warn_address(const struct rule *r, const struct prefix *p, const char *prefix,
	const char *name, struct errs *errs)
{
	char setting[64], is[ADDR_STRLEN], mask[ADDR4_STRLEN] = "", same[ADDR_STRLEN];
	struct addr masked = addr_masked(&p->addr, p->len);

	if (addr_equal(&masked, &p->addr))
		return;
	snprintf(setting, sizeof(setting), "%s%s", prefix, name);
	addr_format(&p->addr, is);
	addr_format(&masked, same);
	if (addr_is4(&p->addr))
		errs_warn(errs, r->file, r->line, setting,
			"%s has bits beyond the mask %s: they are ignored, the rule matches as "
			"with %s",
			is, addr4_format(mask4(prefix_written_len(p)), mask), same);
	else
		errs_warn(errs, r->file, r->line, setting,
			"%s has bits beyond the length %u: they are ignored, the rule matches as "
			"with %s",
			is, p->len, same);
}

static void warn_port(const struct rule *r, struct rule_port port, const char *prefix,
	const char *name, struct errs *errs)
{
	struct rule_range ranges[2];
	char setting[64];

	if (rule_port_ranges(port, rule_proto_is_icmp(r->proto) ? 255 : UINT16_MAX, ranges) > 0)
		return;
	snprintf(setting, sizeof(setting), "%s%s", prefix, name);
	errs_warn(errs, r->file, r->line, setting, "nothing is %s %u: the rule can never match",
		port.op == RULE_OP_LT ? "lt" : "gt", port.value);
}

void rulefield_warn(const struct rule *r, const char *prefix, struct errs *errs)
{
	bool icmp = rule_proto_is_icmp(r->proto) && *prefix != '\0';

	warn_address(r, &r->src, prefix, "src", errs);
	warn_address(r, &r->dst, prefix, "dst", errs);
	warn_port(r, r->sport, prefix, icmp ? "icmp-type" : "sport", errs);
	warn_port(r, r->dport, prefix, icmp ? "icmp-code" : "dport", errs);
}
