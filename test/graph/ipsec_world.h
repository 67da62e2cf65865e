/* Tunnels for the graph tests: the tables of IPsec made by hand and put into the rig's root, and a
 * peer beside it with the same keys, whose packets are made and opened by lib/ipsec alone. One
 * thread.
 *
 * All tunnels of a test are between the box and one host on WAN: WAN_ADDR and HOST_B, or WAN6 and
 * HOST_B6. The networks behind the peer are 10.9.0.0/16 and 2001:db8:9::/48 (PEER_ROUTES).
 */
#pragma once

#include "harness.h"

#include "table/ipsec.h"
#include "table/sad_write.h"
#include "table/spd_write.h"

#define PEER_ROUTES                                         \
	"{ to = \"10.9.0.0/16\"; via = \"192.0.2.254\"; }," \
	"{ to = \"2001:db8:9::/48\"; via = \"2001:db8:2::fe\"; }"
#define FAR_HOST IP(10, 9, 0, 5)
#define FAR_HOST6 "2001:db8:9::5"

/* Forgets everything: no IPsec in the root. */
void world_clear(void);
/* A tunnel with these flags (TUNNEL_UP is added) between us and the peer, of either family; returns
 * it to be changed, before world_sas. Numbers from 1. */
struct tunnel *world_tunnel(unsigned flags, bool ip6);
/* A pair of SAs of the tunnel on both sides for each protocol with a suite (NULL: none). The SAs of
 * ours belong to that worker. SPIs are 0x1000 and 0x2000 + 16 * tunnel + what was added before. */
void world_sas(const struct tunnel *t, const char *esp, const char *ah, unsigned owner);
/* The same with more to say: info is changed by the caller's function before each SA is added. */
void world_sas_with(const struct tunnel *t, const char *esp, const char *ah, unsigned owner,
	void (*change)(struct sa_info *info, bool ours));
/* A policy in front of none that came after; "" means any address. ports: destination port, 0 any.
 */
void world_policy(enum policy_action action, const struct tunnel *t, const char *src,
	const char *dst, uint16_t port);
/* What is done to what no policy is about. */
void world_others(enum policy_action action);
/* Puts it all into the root. */
void world_publish(void);

extern struct ipsec world_ipsec; /* what world_publish puts there; may be changed before */
extern struct sad_db *world_ours, *world_peers;

/* The SA that we send by, or that the peer sends by to us, in our database. proto: 50 or 51. */
struct sa *world_out(const struct tunnel *t, uint8_t proto);
struct sa *world_in(const struct tunnel *t, uint8_t proto);

/* The frame's packet, as the peer sends it through the tunnel, in a frame for WAN. */
void peer_sends(const struct tunnel *t, const struct frame *inner, struct frame *out);
/* The same by the SA of one protocol alone. */
void peer_sends_by(
	const struct tunnel *t, uint8_t proto, const struct frame *inner, struct frame *out);
/* ESP as an honest peer makes none, right in all but what is encrypted: text, with padding and
 * trailer; a multiple of 4 long. For a tunnel with a suite that encrypts by AES-GCM. */
void peer_forges(const struct tunnel *t, const void *text, unsigned len, struct frame *out);
/* The frame's packet as the peer finds it in our frame, behind a header of 14 bytes; false: the
 * peer refuses it. */
bool peer_opens(const struct tunnel *t, const struct frame *outer, struct frame *inner);

/* Takes a frame of WAN, has the peer open it, and compares the packet with the one of want, byte
 * for byte, behind its Ethernet header. */
#define expect_opened(t, want) world_expect_opened(t, want, __FILE__, __LINE__)
void world_expect_opened(
	const struct tunnel *t, const struct frame *want, const char *file, int line);
