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
	static const uint16_t number[] = {
		RULE_PROTO_ALL, 6, RULE_PROTO_TCP_ACK, 17, 1, 50, 51, 89, 4};
	int i = rulefield_word(text, "all|tcp|tcp/ack|udp|icmp|esp|ah|ospf|ipip");
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

const char *rulefield_port_fault(uint16_t proto, struct rule_port port)
{
	if (port.op == RULE_OP_ANY)
		return NULL;
	if (proto == 1)
		return port.value > 255 ? "an ICMP type or code is at most 255" : NULL;
	if (!rule_proto_has_ports(proto))
		return "only tcp, tcp/ack, udp, 33 (DCCP), 132 (SCTP) and 136 (UDP-Lite) have "
		       "ports, and "
		       "icmp a type and a code: expected the operator any with this protocol";
	return NULL;
}

static void warn_address(const struct rule *r, uint32_t addr, uint32_t mask, const char *prefix,
	const char *name, struct errs *errs)
{
	char setting[64], is[ADDR4_STRLEN], m[ADDR4_STRLEN], same[ADDR4_STRLEN];

	if ((addr & ~mask) == 0)
		return;
	snprintf(setting, sizeof(setting), "%s%s", prefix, name);
	errs_warn(errs, r->file, r->line, setting,
		"%s has bits beyond the mask %s: they are ignored, the rule matches as with %s",
		addr4_format(addr, is), addr4_format(mask, m), addr4_format(addr & mask, same));
}

static void warn_port(const struct rule *r, struct rule_port port, const char *prefix,
	const char *name, struct errs *errs)
{
	struct rule_range ranges[2];
	char setting[64];

	if (rule_port_ranges(port, r->proto == 1 ? 255 : UINT16_MAX, ranges) > 0)
		return;
	snprintf(setting, sizeof(setting), "%s%s", prefix, name);
	errs_warn(errs, r->file, r->line, setting, "nothing is %s %u: the rule can never match",
		port.op == RULE_OP_LT ? "lt" : "gt", port.value);
}

void rulefield_warn(const struct rule *r, const char *prefix, struct errs *errs)
{
	bool icmp = r->proto == 1 && *prefix != '\0';

	warn_address(r, r->src, r->smask, prefix, "src", errs);
	warn_address(r, r->dst, r->dmask, prefix, "dst", errs);
	warn_port(r, r->sport, prefix, icmp ? "icmp-type" : "sport", errs);
	warn_port(r, r->dport, prefix, icmp ? "icmp-code" : "dport", errs);
}
