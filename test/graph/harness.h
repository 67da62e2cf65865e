/* The rig: the whole daemon in one process and on one thread, with ports that are rings. A test
 * puts frames into a port, walks the workers' graphs and the control core by hand, and takes what
 * was sent; so each run is the same as the last.
 *
 *   port 0  lan  10.1.0.1/16      secure     hosts 10.1.0.2 (HOST_A) to .9, static neighbours
 *   port 1  wan  192.0.2.1/24     nonsecure  192.0.2.2 (HOST_B), .254 and .253 (gateways), static
 *   port 2  dmz  172.16.0.1/24    nonsecure  untagged; 172.16.0.2 static
 *           v10  10.10.0.1/24     secure     VLAN 10; 10.10.0.2 static
 *           v20  10.20.0.1/24     nonsecure  VLAN 20; 10.20.0.2 static
 *
 * A static neighbour's MAC is 02:00 and its address; a port's is 02:00:00:00:00:10 plus its number.
 */
#pragma once

#include "frame.h"

#include "app.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define RIG_PORTS 3
#define LAN 0
#define WAN 1
#define DMZ 2

#define LAN_ADDR IP(10, 1, 0, 1)
#define WAN_ADDR IP(192, 0, 2, 1)
#define DMZ_ADDR IP(172, 16, 0, 1)
#define HOST_A IP(10, 1, 0, 2)
#define HOST_B IP(192, 0, 2, 2)
#define HOST_C IP(172, 16, 0, 2)
#define HOST_V10 IP(10, 10, 0, 2)
#define HOST_V20 IP(10, 20, 0, 2)

/* A second world, of both families: what RIG6_INTERFACES draws.
 *
 *   port 0  lan  2001:db8:1::1/64, fe80::1  secure     hosts ::2 and ::3, fe80::2
 *   port 1  wan  2001:db8:2::1/64           nonsecure  hosts ::2, ::fe and ::fd, fe80::fe
 *   port 2  dmz  2001:db8:3::1/64, mtu 1280 nonsecure  hosts ::2
 *           v10  2001:db8:a::1/64           secure     VLAN 10; host ::2
 *
 * and the IPv4 addresses of the first. A static neighbour's MAC is 02:06 and the last four bytes of
 * its address. */
#define RIG6_INTERFACES                                                                     \
	"{ name = \"lan\"; port = \"p0\"; zone = \"secure\"; dad-transmits = 0;"            \
	"  addresses = [\"10.1.0.1/16\", \"2001:db8:1::1/64\", \"fe80::1/64\"]; },"         \
	"{ name = \"wan\"; port = \"p1\"; dad-transmits = 0;"                               \
	"  addresses = [\"192.0.2.1/24\", \"2001:db8:2::1/64\"]; },"                        \
	"{ name = \"dmz\"; port = \"p2\"; mtu = 1280; dad-transmits = 0;"                   \
	"  addresses = [\"172.16.0.1/24\", \"2001:db8:3::1/64\"]; },"                       \
	"{ name = \"v10\"; port = \"p2\"; vlan = 10; zone = \"secure\"; dad-transmits = 0;" \
	"  addresses = [\"10.10.0.1/24\", \"2001:db8:a::1/64\"]; }"

#define LAN6 "2001:db8:1::1"
#define WAN6 "2001:db8:2::1"
#define DMZ6 "2001:db8:3::1"
#define HOST_A6 "2001:db8:1::2"
#define HOST_B6 "2001:db8:2::2"
#define HOST_C6 "2001:db8:3::2"

#define PERMIT_ALL "{ action = \"permit\"; }"

/* Parts of a configuration in libconfig's syntax; NULL: as drawn above, and permit all. */
struct rig_text {
	const char *system;     /* more settings of the section system */
	const char *interfaces; /* instead of those above */
	const char *routes;     /* "" by default */
	const char *neighbours; /* after the static ones */
	const char *rules;
	const char *rest;  /* sections ip4, arp, log */
	const char *port;  /* more settings of each port */
	unsigned rx_rings; /* receive queues of each port; 0: one */
	/* Multicast listener discovery speaks; else it is silent, as its reports of new groups
	 * would come between the frames of all other tests. For rig_up. */
	bool listener;
};

extern struct app *rig;

/* Boots, once per process. tx_rings: transmit queues per port. Ends the process when it fails. */
void rig_up(const struct rig_text *t, unsigned tx_rings);
void rig_down(void);
/* Swaps the tables as a reload does, in its three steps: build and publish, walk, free the old. */
void rig_reload(const struct rig_text *t);
struct tables *rig_swap(const struct rig_text *t); /* the first step: returns the old ones */
void rig_swapped(struct tables *old);              /* the others */

/* --- packets */

struct spec spec_udp(void);               /* HOST_A on LAN to HOST_B, ports 4000 and 53, 18 bytes */
struct spec spec_tcp(void);               /* likewise, SYN to port 80 */
struct spec spec_echo(void);              /* likewise, an echo request with 56 bytes */
struct spec spec_from_wan(struct spec s); /* the other way: HOST_B to HOST_A, in by WAN */
struct spec6 spec6_udp(void); /* HOST_A6 on LAN to HOST_B6, ports 4000 and 53, 18 bytes */
struct spec6 spec6_tcp(void);
struct spec6 spec6_echo(void);
struct spec6 spec6_from_wan(struct spec6 s);
struct mac6 host6_mac(const char *addr);
struct l2 l2_to6(const char *host, unsigned port, uint16_t vlan);
struct mac6 port_mac(unsigned port);
struct mac6 host_mac(uint32_t addr);
struct l2 l2_to(uint32_t host, unsigned port, uint16_t vlan); /* from us to a static neighbour */

/* --- driving */

void rig_put(unsigned port, const struct frame *f);
void rig_put_queue(unsigned port, unsigned queue, const struct frame *f);
void rig_put_bytes(unsigned port, const void *bytes, unsigned len);
struct rte_mbuf *rig_mbuf(const void *bytes, unsigned len);
void rig_put_mbuf(unsigned port, struct rte_mbuf *m);
void rig_walk(void); /* each worker once */
void rig_run(void);  /* workers until nothing moves any more */
bool rig_take(unsigned port, struct frame *out);
unsigned rig_discard(void); /* takes what was sent by all ports and forgets it */

/* --- looking: counters are relative to the last mark (rig_setup makes one) */

void rig_mark(void);
uint64_t rig_dropped(enum drop_reason r);
uint64_t rig_stat(size_t offset); /* of a uint64_t in struct worker_stats, over all workers */
#define RIG_STAT(field) rig_stat(offsetof(struct worker_stats, field))

/* Takes one frame of the port and compares every byte. */
#define expect_frame(port, want) rig_expect_frame(port, want, __FILE__, __LINE__)
void rig_expect_frame(unsigned port, const struct frame *want, const char *file, int line);
/* No port has sent anything more. */
#define expect_nothing() rig_expect_nothing(__FILE__, __LINE__)
void rig_expect_nothing(const char *file, int line);
/* Since the mark exactly n packets were dropped, all for that reason; marks anew. */
#define expect_drops(reason, n) rig_expect_drops(reason, n, __FILE__, __LINE__)
void rig_expect_drops(enum drop_reason reason, uint64_t n, const char *file, int line);
/* Puts the frame, runs, and expects exactly this drop and no frame. */
#define expect_drop_of(port, f, reason) rig_expect_drop_of(port, f, reason, __FILE__, __LINE__)
void rig_expect_drop_of(
	unsigned port, const struct frame *f, enum drop_reason reason, const char *file, int line);

/* The same for IPv6. */
#define expect_routed6(from, f, port, host, vlan) \
	rig_expect_routed6(from, f, port, host, vlan, __FILE__, __LINE__)
void rig_expect_routed6(unsigned from, const struct frame *f, unsigned port, const char *host,
	uint16_t vlan, const char *file, int line);

/* What must hold after everything: the conservation law, every buffer in its place, streams that
 * never grew. Says what does not; true when all is well. rig_discard was called before. */
bool rig_sound(void);

/* cmocka's setup and teardown of each test: marks; discards, checks soundness. */
int rig_setup(void **state);
int rig_teardown(void **state);
#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

/* Puts the frame and expects it, and nothing else, routed to the host. */
#define expect_routed(from, f, port, host, vlan) \
	rig_expect_routed(from, f, port, host, vlan, __FILE__, __LINE__)
void rig_expect_routed(unsigned from, const struct frame *f, unsigned port, uint32_t host,
	uint16_t vlan, const char *file, int line);
