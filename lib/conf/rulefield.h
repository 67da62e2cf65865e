/* The fields of a filter rule, one by one: text to value. A classic line (rulefile.c) and a rule in
 * the configuration (parse_filter.c) both come through here, so that they mean the same.
 *
 * No state.
 */
#pragma once

#include "base/errs.h"
#include "wire/rule.h"

#define RULEFIELD_PROTOS \
	"all, tcp, tcp/ack, udp, icmp, icmpv6, esp, ah, ospf, ipip or a number from 0 to 255"
#define RULEFIELD_OPS "any|eq|neq|lt|le|gt|ge" /* in the order of enum rule_op */

/* Which of the choices ("a|b|c") the text is, in either case; -1: none. */
int rulefield_word(const char *text, const char *choices);
/* A decimal number of digits alone, at most max. 0 or -EINVAL. */
int rulefield_number(const char *text, uint32_t max, uint32_t *value);
int rulefield_proto(const char *text, uint16_t *proto);

/* Completes a rule of which one address or both are "any": those become the other's family's, or
 * that of the protocol, or the rule is for both families. src_any, dst_any: that address is any. */
void rulefield_any(struct rule *r, bool src_any, bool dst_any);
/* What is wrong with the addresses of a rule, given its protocol; NULL: nothing. */
const char *rulefield_family_fault(const struct rule *r);

/* What is wrong with a port (or ICMP type or code) of a rule, given its protocol; NULL: nothing. */
const char *rulefield_port_fault(uint16_t proto, struct rule_port port);

/* Warns about what is permitted and hardly meant: address bits beyond the mask, a port condition
 * that nothing meets. prefix stands before the names of the settings ("filter.rules[2]."). */
void rulefield_warn(const struct rule *r, const char *prefix, struct errs *errs);
