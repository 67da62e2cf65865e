/* Router advertisements that we send (RFC 4861 section 6.2): when, on which interface, and what the
 * other routers' say against them. What they say is configured (wire/ra.h, struct iface.ra).
 * Control core only. Sends through a callback, so that a test drives it with a clock of its own.
 */
#pragma once

#include "table/port.h"
#include "wire/nd.h"

struct ra_ops {
	void *arg;
	/* Send an IPv6 packet out of iface in a frame to dst. */
	void (*send)(void *arg, const struct iface *iface, const struct mac *dst,
		const uint8_t *packet, unsigned len);
	/* May the interface's link-local address be used as a source by now? */
	bool (*ready)(void *arg, const struct iface *iface);
};

struct ra_stats { /* of one interface */
	uint64_t sent;
	uint64_t solicited;    /* router solicitations */
	uint64_t heard;        /* advertisements of other routers */
	uint64_t inconsistent; /* ... that differ from ours (RFC 4861 section 6.2.7) */
	uint64_t redirects;    /* a router does not heed them (RFC 4861 section 8.2) */
};

struct ra_db;

/* seed: of all that is random. NULL when out of memory. */
struct ra_db *ra_db_new(const struct ra_ops *ops, uint64_t seed);
void ra_db_free(struct ra_db *db);

/* Ports of the running configuration; they must live until the next call returns. An interface that
 * no longer advertises says so with a lifetime of 0, at once and twice more, three seconds apart;
 * one that is new, or that says something else than before, begins anew. */
void ra_db_ports(struct ra_db *db, const struct ports *ports, uint64_t now_ms);
/* The port's link came up: its interfaces begin anew. */
void ra_db_link_up(struct ra_db *db, uint16_t port, uint64_t now_ms);
/* A message came by that interface: solicitations of routers are answered, advertisements of other
 * routers compared with ours. */
void ra_db_heard(struct ra_db *db, uint16_t iface, const struct nd *nd, uint64_t now_ms);
/* The end of the daemon: every interface that advertised says so once, with a lifetime of 0. It
 * does not wait to say it again: RFC 4861 section 6.2.5 asks for one to three, and whoever starts
 * the daemon anew wants no six seconds more without a router. */
void ra_db_stop(struct ra_db *db);
/* Moves the clock. Returns at once when nothing is due. */
void ra_db_tick(struct ra_db *db, uint64_t now_ms);

struct ra_stats ra_db_stats(const struct ra_db *db, uint16_t iface);
