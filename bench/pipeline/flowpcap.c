/* Writes the frames of the pipeline bench, one or more per flow of flows.h, as a pcap file:
 *
 *     flowpcap --size 64|1438|imix [--ip6] [--flows N] [--mac DST] > FILE
 *
 * Sizes are those on the wire, with Ethernet's FCS, which the file leaves out as devices do. imix
 * is 64 x 7, 570 x 4, 1438 x 1. Flows beyond the 1,024 have their addresses and service, and source
 * ports that rulegen's rules tell from theirs no better: they too meet the last rule first.
 */
#include "../rulegen/flows.h"

#include "wire/addr.h"
#include "wire/ip4.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define FCS 4
#define ETH 14
#define UDP 8
#define IP6_HDR 40

static const unsigned imix[] = {64, 570, 64, 64, 1438, 64, 570, 64, 570, 64, 64, 570};

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

/* The IP header for a packet of ip_len bytes; returns its length. */
static unsigned make_ip4(uint8_t *ip, const struct flow *f, unsigned ip_len)
{
	uint16_t sum;

	ip[0] = 0x45;
	put16(ip + 2, ip_len);
	ip[8] = 64;
	ip[9] = 17;
	put32(ip + 12, f->src);
	put32(ip + 16, f->dst);
	sum = ip4_checksum(ip, IP4_MIN_HDR);
	memcpy(ip + 10, &sum, sizeof(sum));
	return IP4_MIN_HDR;
}

static unsigned make_ip6(uint8_t *ip, const struct flow *f, unsigned ip_len)
{
	ip[0] = 0x60;
	put16(ip + 4, ip_len - IP6_HDR);
	ip[6] = 17;
	ip[7] = 64;
	flow_addr6(f->src, ip + 8);
	flow_addr6(f->dst, ip + 24);
	return IP6_HDR;
}

static unsigned make(
	uint8_t *p, const struct flow *f, unsigned size, bool ip6, const struct mac *dst)
{
	static const uint8_t src[] = {2, 0, 0, 0, 0, 0x10};
	unsigned len = size - FCS, ip_len = len - ETH, hdr_len;
	uint8_t *ip = p + ETH, *udp;

	memset(p, 0, len);
	memcpy(p, dst->b, 6);
	memcpy(p + 6, src, 6);
	put16(p + 12, ip6 ? 0x86dd : 0x0800);
	hdr_len = ip6 ? make_ip6(ip, f, ip_len) : make_ip4(ip, f, ip_len);
	udp = ip + hdr_len;
	put16(udp, f->sport);
	put16(udp + 2, f->dport);
	put16(udp + 4, ip_len - hdr_len); /* its checksum stays 0: who forwards does not look */
	for (unsigned i = ETH + hdr_len + UDP; i < len; i++)
		p[i] = (uint8_t)i;
	return len;
}

/* Above all source ports that rulegen names, and below 32768, which it compares with. */
#define MORE_SPORTS 17200
#define FLOWS_MAX (FLOWS * 1024)

static struct flow flow_beyond(unsigned i)
{
	struct flow f = flow_of(i % FLOWS);

	if (i >= FLOWS)
		f.sport = (uint16_t)(MORE_SPORTS + i / FLOWS * 13);
	return f;
}

static int write_file(unsigned size, unsigned flows, bool ip6, const struct mac *dst)
{
	const uint32_t header[] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 1 /* Ethernet */};
	unsigned n = size ? flows : 3 * flows; /* a multiple of 12 holds the mix evenly */
	uint8_t frame[2048];

	fwrite(header, sizeof(header), 1, stdout);
	for (unsigned i = 0; i < n; i++) {
		struct flow f = flow_beyond(i % flows);
		unsigned len = make(frame, &f, size ? size : imix[i % 12], ip6, dst);
		const uint32_t record[] = {i / 1000000, i % 1000000, len, len};

		fwrite(record, sizeof(record), 1, stdout);
		fwrite(frame, len, 1, stdout);
	}
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"size", required_argument, NULL, 's'},
		{"mac", required_argument, NULL, 'm'}, {"flows", required_argument, NULL, 'f'},
		{"ip6", no_argument, NULL, '6'}, {0}};
	struct mac dst = {{2, 0, 0, 0, 0, 1}};
	const char *size = NULL;
	unsigned bytes = 0, least = 64;
	unsigned long flows = FLOWS;
	bool ip6 = false;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's')
			size = optarg;
		else if (c == 'f')
			flows = strtoul(optarg, NULL, 10);
		else if (c == '6')
			ip6 = true;
		else if (c != 'm' || mac_parse(optarg, &dst) < 0)
			size = "";
	}
	if (ip6)
		least = ETH + IP6_HDR + UDP + FCS;
	if (size && strcmp(size, "imix") != 0)
		bytes = (unsigned)strtoul(size, NULL, 10);
	if (size == NULL || (ip6 && strcmp(size, "imix") == 0) ||
		(strcmp(size, "imix") != 0 && (bytes < least || bytes > 1518)) || flows < FLOWS ||
		flows > FLOWS_MAX || flows % FLOWS != 0) {
		fprintf(stderr,
			"usage: flowpcap --size 64..1518|imix [--ip6] [--flows N] [--mac DST] > "
			"FILE\n"
			"N: a multiple of %d, at most %d; IPv6 needs 66 bytes, and imix has frames "
			"of 64\n",
			FLOWS, FLOWS_MAX);
		return 2;
	}
	return write_file(bytes, (unsigned)flows, ip6, &dst);
}
