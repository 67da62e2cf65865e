/* libFuzzer: any bytes as an IPv6 packet. The walk over its headers and the destination's look at
 * them read nothing beyond the end (the sanitizer sees it), end within it, and agree.
 *
 * First byte: how many extension headers are permitted; then the packet.
 */
#include "wire/ip6.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ip6_problem p = {0};
	struct ip6_chain c, own;
	unsigned most, len;
	enum ip6_chain_result walked;
	enum ip6_fate fate;

	if (size < 1 + IP6_HDR)
		return 0;
	most = data[0] % 32;
	data++;
	len = (unsigned)size - 1;
	walked = ip6_chain_walk(data, len, most, &c);
	must(c.l4 >= IP6_HDR && c.l4 <= len && c.n <= most && c.proto_at < c.l4);
	must(data[c.proto_at] == c.proto);
	if (walked == IP6_CHAIN_OK)
		must(c.offset != 0 || !ip6_is_extension(c.proto));
	if (c.frag_at)
		must(c.frag_at + IP6_FRAG_HDR <= c.l4);
	fate = ip6_examine(data, len, most, &p);
	if (fate == IP6_PROBLEM || fate == IP6_PROBLEM_ALWAYS)
		must(p.pointer < len);
	/* both end at AH of ours */
	if (fate == IP6_ACCEPT)
		must(ip6_chain_walk_own(data, len, most, &own) == IP6_CHAIN_OK);
	ip6_sum(data + 8, data + 24, c.proto, data + c.l4, len - c.l4);
	return 0;
}
