/* See mss.h. */
#include "wire/mss.h"

#include <stdbool.h>

#define TCP_HDR 20
#define AT_CHECKSUM 16
#define OPT_END 0
#define OPT_NOP 1
#define OPT_MSS 2
#define OPT_MSS_LEN 4

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* RFC 1624: the checksum after a byte at that offset of the segment fell from `from` to `to`. */
static void mend(uint8_t *tcp, unsigned at, uint8_t from, uint8_t to)
{
	unsigned shift = at % 2 ? 0 : 8;
	unsigned sum = (~get16(tcp + AT_CHECKSUM) & 0xffffu) +
		       (~((unsigned)from << shift) & 0xffffu) + ((unsigned)to << shift);

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	put16(tcp + AT_CHECKSUM, ~sum & 0xffffu);
}

_Bool mss_clamp(uint8_t *tcp, unsigned len, uint16_t mss)
{
	unsigned at = TCP_HDR, end = len < TCP_HDR ? 0 : (tcp[12] >> 4) * 4u;

	if (end > len)
		return false;
	while (at + 1 < end && tcp[at] != OPT_END) {
		unsigned opt_len = tcp[at] == OPT_NOP ? 1 : tcp[at + 1];

		if (opt_len == 0 || at + opt_len > end)
			return false;
		if (tcp[at] == OPT_MSS && opt_len == OPT_MSS_LEN) {
			uint8_t old[2] = {tcp[at + 2], tcp[at + 3]};

			if (get16(old) <= mss)
				return false;
			put16(tcp + at + 2, mss);
			mend(tcp, at + 2, old[0], tcp[at + 2]);
			mend(tcp, at + 3, old[1], tcp[at + 3]);
			return true;
		}
		at += opt_len;
	}
	return false;
}
