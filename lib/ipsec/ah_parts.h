/* What both directions of AH share: the bytes of its header, and the headers in front of it as they
 * are authenticated. Private to this room; worker.
 */
#pragma once

#include "ipsec/ah.h"

/* Of all of AH: RFC 4302 section 2.6: a multiple of 4 bytes in IPv4, of 8 in IPv6. */
static inline unsigned ah_len(const struct sa *sa, bool ip6)
{
	unsigned align = ip6 ? 8 : 4;

	return (AH_HDR_LEN + (unsigned)sa->iv_len + sa->icv_len + align - 1) & -align;
}

/* The first head bytes of a packet, as they are authenticated (RFC 4302 section 3.3.3.1 and
 * appendix A): what may change on its way is zero, or outbound as it will arrive where it is known.
 * False: options or extension headers make no sense. */
bool ah_mute(uint8_t *ip, bool ip6, unsigned head, bool out);

#define AH_BATCH 64
#define AH_SAVED 8192

/* Packets whose headers are muted while their ICVs are computed. */
struct ah_batch {
	unsigned n;
	unsigned saved_len;
	struct mb_op op[AH_BATCH];
	struct {
		struct esp_packet *p;
		uint64_t seq;
		uint16_t head, saved_at;
		uint8_t ah_len;
		uint8_t iv_icv[8 + SUITE_ICV_MAX]; /* in: as received */
	} of[AH_BATCH];
	uint8_t saved[AH_SAVED]; /* the headers as they were */
};

/* There is room for one more packet with so many bytes of headers. */
static inline bool ah_has_room(const struct ah_batch *b, unsigned head)
{
	return b->n < AH_BATCH && b->saved_len + head <= AH_SAVED;
}

/* Keeps the first head bytes for the packet that comes next. */
static inline void ah_save(struct ah_batch *b, const uint8_t *ip, unsigned head)
{
	b->of[b->n].head = (uint16_t)head;
	b->of[b->n].saved_at = (uint16_t)b->saved_len;
	memcpy(b->saved + b->saved_len, ip, head);
	b->saved_len += head;
}

static inline const uint8_t *ah_saved(const struct ah_batch *b, unsigned i)
{
	return b->saved + b->of[i].saved_at;
}
