/* What we listen to, said to the routers and switches of each link: reports of multicast listener
 * discovery (RFC 3810; RFC 2710 where a querier speaks only that). A switch that snoops sends
 * solicitations for our addresses on to nobody else. Control core only. Sends through callbacks, so
 * that a test drives it with a clock of its own.
 */
#pragma once

#include "table/port.h"
#include "wire/mld.h"
#include "wire/nd.h"

struct mld_ops {
	void *arg;
	/* Send an IPv6 packet out of iface in a frame to dst. */
	void (*send)(void *arg, const struct iface *iface, const struct mac *dst,
		const uint8_t *packet, unsigned len);
	/* The source of what we say there: our link-local address, or "::" while it is not ours
	 * yet. False: nothing may be said. */
	bool (*source)(void *arg, const struct iface *iface, struct addr *from);
};

struct mld_stats { /* of one interface */
	uint64_t reports, queries;
	uint8_t version; /* that is spoken: 1 or 2 */
};

struct mld_db;

/* seed: of all that is random. NULL when out of memory. */
struct mld_db *mld_db_new(const struct mld_ops *ops, uint64_t seed);
void mld_db_free(struct mld_db *db);
/* Unsolicited reports are repeated within this time (RFC 3810 section 9.11: a second). */
void mld_db_configure(struct mld_db *db, uint32_t unsolicited_ms);

/* Ports of the running configuration; they must live until the next call returns. Groups that are
 * new are reported, those that are gone taken back. */
void mld_db_ports(struct mld_db *db, const struct ports *ports, uint64_t now_ms);
/* The port's link is up or down; up until told otherwise. All groups are reported anew when it
 * comes up. */
void mld_db_link(struct mld_db *db, uint16_t port, bool up, uint64_t now_ms);
/* A valid query came by that interface. */
void mld_db_heard(struct mld_db *db, uint16_t iface, const struct mld_query *q, uint64_t now_ms);
/* Moves the clock. Returns at once when nothing is due. */
void mld_db_tick(struct mld_db *db, uint64_t now_ms);

struct mld_stats mld_db_stats(const struct mld_db *db, uint16_t iface);
