/* libFuzzer: any bytes as an IPv6 packet for neighbour discovery. It is refused, or what was read
 * keeps the rules of RFC 4861, and an advertisement of routers that is written from it reads back
 * as the same.
 *
 * The first byte's lowest bit: put the checksum right first, since few inputs would have it so.
 */
#include "wire/ip6.h"
#include "wire/nd.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good)
		abort();
}

/* The checksum of a message that follows the IPv6 header directly. */
static void seal(uint8_t *p, size_t size)
{
	unsigned len = size < IP6_HDR ? 0 : p[4] << 8 | p[5];
	uint16_t sum;

	if (len < 4 || len + IP6_HDR > size)
		return;
	memset(p + IP6_HDR + 2, 0, 2);
	sum = (uint16_t)~ip6_sum(p + 8, p + 24, IP6_ICMP, p + IP6_HDR, len);
	memcpy(p + IP6_HDR + 2, &sum, 2);
}

static void rewritten(const struct nd *nd)
{
	uint8_t buf[ND_PACKET_MAX];
	const struct mac mac = {{2, 0, 0, 0, 0, 1}};
	unsigned len = nd_write_ra(buf, &nd->src, &mac, &nd->ra);
	struct nd again;

	must(len <= sizeof(buf));
	must(nd_read(buf, len, &again) == ND_OK);
	must(memcmp(&again.ra, &nd->ra, sizeof(again.ra)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *packet;
	struct nd nd;

	if (size < 1)
		return 0;
	packet = malloc(size);
	must(packet != NULL);
	memcpy(packet, data + 1, size - 1);
	if (data[0] & 1)
		seal(packet, size - 1);
	if (nd_read(packet, (unsigned)size - 1, &nd) == ND_OK) {
		must(nd.type >= ND_RS && nd.type <= ND_REDIRECT);
		must(!addr_is_multicast(&nd.target));
		must(!nd.has_mac || !(nd.mac.b[0] & 1));
		if (nd.type == ND_RA)
			rewritten(&nd);
	}
	free(packet);
	return 0;
}
