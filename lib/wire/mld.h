/* Multicast listener discovery on the wire (RFC 3810; RFC 2710, which it calls version 1): queries
 * read and validated, reports of what we listen to written. No state.
 *
 * Used by workers (nd_input: is it valid?), the control core (what it asks) and tests.
 */
#pragma once

#include "wire/addr.h"

#define MLD_HOP_LIMIT 1
#define MLD_PACKET_MAX 1280 /* of what we write: it fits any link */
#define MLD_RECORDS_MAX 61  /* of a report of that size */

enum mld_type {
	MLD_QUERY = 130,
	MLD_REPORT_1 = 131,
	MLD_DONE_1 = 132,
	MLD_REPORT_2 = 143,
};

/* What a record of a report says (RFC 3810 section 5.2.12); we listen to all sources or to none. */
enum mld_record_type {
	MLD_IS_EXCLUDE = 2, /* we listen: the answer to a query */
	MLD_TO_INCLUDE = 3, /* we listen no longer */
	MLD_TO_EXCLUDE = 4, /* we listen from now on */
};

/* Why a query must be ignored: RFC 3810 sections 5.1.14, 6.2 and 8.1. */
enum mld_fault {
	MLD_OK,
	MLD_NO_QUERY, /* no query, or the packet is no IPv6 */
	MLD_HOPS,     /* the hop limit is not 1 */
	MLD_SOURCE,   /* the source is not link-local */
	MLD_NO_ALERT, /* the hop-by-hop header has no router alert option (RFC 2711) */
	MLD_CHECKSUM,
	MLD_LENGTH, /* neither version 1's nor version 2's */
	MLD_GROUP,  /* what is asked for is no group */
};

struct mld_query { /* as read; all of it from the network, all of it hostile */
	struct addr src, dst;
	struct addr group;     /* "::": a general query */
	uint8_t version;       /* 1 or 2 */
	uint8_t robustness;    /* version 2: the querier's; 0: not said */
	uint32_t max_delay_ms; /* answers are spread over so long */
};

struct mld_record {
	uint8_t type; /* enum mld_record_type */
	struct addr group;
};

/* Reads a packet from its IPv6 header on. len: what there is; bytes behind the packet's own length
 * are ignored. q is valid with MLD_OK alone. */
enum mld_fault mld_read(const uint8_t *packet, unsigned len, struct mld_query *q);

/* Each writes a whole IPv6 packet into buf, which holds MLD_PACKET_MAX, and returns its length. */

/* A report of version 2, of n records, at most MLD_RECORDS_MAX, to all routers that listen to it
 * (mld_routers). src: link-local, or "::" where we have no such address yet (RFC 3590). */
unsigned mld_write_report(
	uint8_t *buf, const struct addr *src, const struct mld_record *record, unsigned n);
/* A report of version 1, to the group itself, or (done) that we listen no longer, to the routers of
 * the link. dst gets the destination. */
unsigned mld_write_report_1(uint8_t *buf, const struct addr *src, const struct addr *group,
	bool done, struct addr *dst);

/* ff02::16 */
struct addr mld_routers(void);
