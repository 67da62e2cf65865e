/* libFuzzer: any bytes as an IPv6 packet for neighbour discovery and for multicast listener
 * discovery. It is refused, or what was read keeps the rules of RFC 4861 and RFC 3810, and an
 * advertisement of routers that is written from it reads back as the same.
 *
 * The first byte's lowest bit: put the checksum right first, since few inputs would have it so.
 */
#include "wire/ip6.h"
#include "wire/mld.h"
#include "wire/nd.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good)
		abort();
}

/* The checksum of a message that follows the IPv6 header directly, or a hop-by-hop header of 8
 * bytes. */
static void seal(uint8_t *p, size_t size)
{
	unsigned len = size < IP6_HDR ? 0 : p[4] << 8 | p[5], at = IP6_HDR;
	uint16_t sum;

	if (len < 12 || len + IP6_HDR > size)
		return;
	if (p[6] == IP6_HOP_BY_HOP) {
		at += 8;
		len -= 8;
	}
	memset(p + at + 2, 0, 2);
	sum = (uint16_t)~ip6_sum(p + 8, p + 24, IP6_ICMP, p + at, len);
	memcpy(p + at + 2, &sum, 2);
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
	struct mld_query q;
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
	if (mld_read(packet, (unsigned)size - 1, &q) == MLD_OK) {
		must(addr_is_link_local(&q.src) && (q.version == 1 || q.version == 2));
		must(addr_is_unspecified(&q.group) || addr_is_multicast(&q.group));
		must(q.robustness < 8 && q.max_delay_ms <= 8387584);
	}
	free(packet);
	return 0;
}
