/* IPv4 options. See ip4.h. */
#include "wire/ip4.h"

enum ip4_options_kind ip4_options_kind(const uint8_t *opt, unsigned len)
{
	enum ip4_options_kind kind = IP4_OPTIONS_PLAIN;
	unsigned at = 0;

	while (at < len && opt[at] != IP4_OPT_EOL) {
		unsigned opt_len;

		if (opt[at] == IP4_OPT_NOP) {
			at++;
			continue;
		}
		if (at + 1 >= len)
			return IP4_OPTIONS_BAD;
		opt_len = opt[at + 1];
		if (opt_len < 2 || opt_len > len - at)
			return IP4_OPTIONS_BAD;
		if (opt[at] == IP4_OPT_LSRR || opt[at] == IP4_OPT_SSRR)
			kind = IP4_OPTIONS_SOURCE_ROUTE;
		at += opt_len;
	}
	return kind;
}
