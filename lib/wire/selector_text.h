/* Parts of a selector as people write them, to values: for the configuration and the control
 * socket. No state.
 */
#pragma once

#include "wire/selector.h"

/* "any" (any of either family), an address, a prefix without bits beyond its length, or a range
 * "192.0.2.1-192.0.2.9" in order. 0 or -EINVAL; *any: the ends say nothing. */
int selector_addrs_parse(const char *text, struct addr *from, struct addr *to, bool *any);

/* "any", a number up to max, or a range "1000-2000" in order. 0 or -EINVAL. */
int selector_ports_parse(const char *text, uint16_t max, uint16_t *from, uint16_t *to);

/* What both functions take, for messages. */
#define SELECTOR_ADDRS_EXPECTED                                                               \
	"an address, a prefix such as 192.0.2.0/24, a range such as 192.0.2.1-192.0.2.9, or " \
	"\"any\""
#define SELECTOR_PORTS_EXPECTED "a port, a range such as \"1000-2000\", or \"any\""
