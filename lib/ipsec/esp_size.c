/* How much ESP and AH add to a packet, and how much fits. See esp.h. Any thread. */
#include "ipsec/esp_parts.h"
#include "ipsec/ah_parts.h"

/* Bytes in front of what is protected: outer header, ESP or AH header, IV and, of AH, the ICV. In
 * transport mode an IP header without options stays in front besides. */
static unsigned front(const struct sa *sa)
{
	if (sa->proto == PROTO_AH)
		return sa->l4_at + ah_len(sa, sa->flags & SA_OUTER6);
	return (unsigned)sa->outer_len + sa->iv_len;
}

static unsigned head(const struct sa *sa)
{
	return sa->flags & SA_TRANSPORT ? ip_hdr_min(sa->flags & SA_OUTER6) : 0;
}

unsigned esp_overhead(const struct sa *sa, unsigned len)
{
	unsigned text;

	if (sa->proto == PROTO_AH)
		return front(sa);
	len -= RTE_MIN(head(sa), len);
	text = (len + ESP_TRAILER_LEN + sa->block - 1) & -(unsigned)sa->block;
	return front(sa) + text - len + sa->icv_len;
}

unsigned esp_inner_max(const struct sa *sa, unsigned mtu)
{
	unsigned around = front(sa) + head(sa), text;

	if (sa->proto == PROTO_AH)
		return mtu > around ? mtu - front(sa) : 0;
	around += sa->icv_len;
	if (mtu < around)
		return 0;
	text = (mtu - around) & -(unsigned)sa->block;
	return text > ESP_TRAILER_LEN ? head(sa) + text - ESP_TRAILER_LEN : 0;
}
