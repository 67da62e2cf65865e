/* One security association as a worker uses it (RFC 4301 section 4.4.2): keys expanded, header made
 * beforehand, sequence number and window. A slot of the SAD (table/sad.h), in memory that is locked
 * and in no core dump.
 *
 * Three kinds of fields: *constant* from publication to deletion; *owner*, written by the worker
 * that owns the SA alone, with plain or relaxed stores, and read by the control core for show; and
 * *control*, written by the control core.
 */
#pragma once

#include "table/tunnel.h"
#include "wire/esp.h"
#include "wire/selector.h"
#include "wire/suite.h"

#include <rte_byteorder.h>
#include <rte_common.h>
#include <stdatomic.h>
#include <stddef.h>

#define SA_NONE 0 /* no handle */
/* A handle is index and generation: it stays invalid when its slot is used again. */
#define SA_INDEX_BITS 18
#define SA_INDEX_MAX ((1u << SA_INDEX_BITS) - 1) /* index 0 is never used */
#define SA_INDEX(handle) ((handle)&SA_INDEX_MAX)

#define SA_KEY_BYTES 1280   /* expanded keys, of whatever suite; lib/ipsec/mb.c knows the shape */
#define SA_OUTER_MAX 64     /* IPv6 and UDP and ESP header, or IPv6 and AH header */
#define SA_WINDOW_MAX 65536 /* packets */
#define SA_SELECTORS_MAX 16

enum sa_flag {
	SA_IN = 1,        /* inbound; else outbound */
	SA_TRANSPORT = 2, /* else tunnel mode */
	SA_ESN = 4,       /* RFC 4304 */
	SA_ENCAP = 8,     /* ESP in UDP */
	SA_OUTER6 = 16,   /* the outer addresses are IPv6 */
	SA_AEAD = 32,     /* combined mode or GMAC: the ICV is the cipher's */
};

/* Why a packet was not processed; each has a counter in the SA and a drop reason of its own.
 * RFC 4303 section 3.4, RFC 4302 section 3.4. */
enum sa_error {
	SA_OK,
	SA_ERR_REPLAY,    /* seen, or left of the window */
	SA_ERR_INTEGRITY, /* the ICV is wrong */
	SA_ERR_TRUNCATED, /* shorter than its headers, IV and ICV, or not a multiple of the block */
	SA_ERR_PADDING,   /* decrypted padding or next header make no sense */
	SA_ERR_MODE,      /* a tunnel SA that carries no IP packet; a fragment where none may be */
	SA_ERR_SEQUENCE,  /* outbound: the sequence number would wrap; inbound: it is 0 */
	SA_ERR_LIFETIME,  /* hard limit of bytes or packets */
	SA_ERR_SELECTOR,  /* the packet inside is not what the SA is for (RFC 4301 section 5.2) */
	SA_ERR_TOO_BIG,   /* no room for the headers in the buffer, or over 65,535 bytes */
	SA_ERR_SEGMENTS,  /* in several buffers, and could not be put into one */
	SA_ERR_ECN,       /* RFC 6040 section 4.2: CE outside, not-ECT inside */
	SA_ERRORS
};

struct sa {
	/* line 0: constant */
	uint32_t handle;
	rte_be32_t spi;
	uint16_t tunnel; /* id */
	uint16_t owner;  /* worker */
	uint8_t proto;   /* PROTO_ESP or PROTO_AH */
	uint8_t flags;   /* enum sa_flag */
	uint8_t enc, integ;
	uint8_t iv_len, icv_len, block;
	uint8_t outer_len;   /* bytes of the header template: all that goes in front of the IV */
	uint8_t l4_at;       /* outbound: where ESP or AH begins in it */
	uint8_t n_selectors; /* inbound; 0: anything (a tunnel interface's) */
	/* of the tunnel; the outer traffic class is that of the inner packet & tos_keep | tos_set
	 */
	uint8_t tos_keep, tos_set, ecn, df, flow_label;
	uint8_t zone; /* of the tunnel */
	/* control writes (release), owner reads (acquire): which of outer[] holds. Flips at most
	 * once within a grace period */
	_Atomic uint8_t outer_now;
	uint16_t iface; /* tunnel interface, or IFACE_NONE */
	uint16_t mtu;   /* of inner packets, as configured; 0: follows */
	/* control writes, owner reads: path MTU of the outer packet (RFC 4301 section 8); 0: that
	 * of the interface */
	_Atomic uint16_t path_mtu;
	uint32_t window;      /* inbound: packets, a multiple of 64; 0: no replay protection */
	uint32_t salt;        /* GCM, CCM, CTR, GMAC: as it lies in the nonce */
	uint32_t way_counter; /* owner: see way_serial */
	/* inbound: sa_window_words(window) words, a ring (RFC 6479); owner writes */
	uint64_t *bitmap;
	const struct selector *selector; /* [n_selectors] */

	/* line 1: owner */
	uint64_t seq
		__rte_cache_aligned; /* outbound: last sent; inbound: highest that authenticated */
	uint64_t packets, bytes;     /* of inner packets, that were processed */
	uint64_t last_tsc;           /* of the last packet */
	/* constant: at this many it ends (UINT64_MAX: never) and at soft ones it asks to be renewed
	 */
	uint64_t hard_packets, hard_bytes;
	/* outbound, IVs that count (RFC 4106 section 3.1): that of the packet with sequence number
	 * n is iv_base + n. Begins anywhere, since manual keys outlive a start of the daemon */
	uint64_t iv_base;
	/* owner: what the flow cache (dp/flow_cache.h) remembers with the SA, good for that serial.
	 * Outbound, where its packets go: neighbour, SA_WAY_OUTER as outer_now was, and the counter
	 * of the rule that permits them; inbound, the interface that its packets come by */
	uint32_t way_serial, way;

	/* line 2, 3: owner */
	uint64_t error[SA_ERRORS] __rte_cache_aligned;
	uint64_t dummies;   /* RFC 4303 section 2.6: absorbed */
	uint64_t tfc_bytes; /* padding removed */
	/* inbound, SA_ENCAP of a tunnel with TUNNEL_FOLLOW: where the last packet that
	 * authenticated came from. owner writes, control reads; while it is written peer_version is
	 * odd */
	_Atomic uint32_t peer_version;
	rte_be16_t peer_port;
	uint8_t follow; /* constant */
	struct addr peer;

	/* outbound: header templates (sa_outer) */
	uint8_t outer[2][SA_OUTER_MAX] __rte_cache_aligned;
	/* constant */
	uint8_t key[SA_KEY_BYTES] __rte_cache_aligned; /* mb_expand wrote it */
} __rte_cache_aligned;
#define SA_WAY_OUTER 0x80000000u

_Static_assert(offsetof(struct sa, seq) == 64, "constant fields in one line");
_Static_assert(offsetof(struct sa, error) == 128, "and the owner's in one");

/* Words of the bitmap of an inbound SA: one more than the window has bits for, and a power of two.
 * window: a multiple of 64, not 0. */
static inline uint32_t sa_window_words(uint32_t window)
{
	return 2u << (31 - __builtin_clz(window / 64));
}

/* Where the peer of an SA with follow was last heard from. Control core. False: it is being
 * written, ask again later. */
static inline bool sa_peer(const struct sa *sa, struct addr *addr, rte_be16_t *port)
{
	/* pairs with follow() in ipsec/esp_in.c */
	uint32_t version = atomic_load_explicit(&sa->peer_version, memory_order_acquire);

	*addr = sa->peer;
	*port = sa->peer_port;
	atomic_thread_fence(memory_order_acquire);
	return version % 2 == 0 &&
	       version == atomic_load_explicit(&sa->peer_version, memory_order_relaxed);
}

/* Fills what follows from its tunnel: flags but for SA_IN, SA_ESN and SA_AEAD, traffic class, DF,
 * flow label, zone, iface, mtu, follow, peer, iv_base, outer_len, l4_at and the header template.
 * Before: proto, spi, flags, and all that follows from the suite. A tunnel with ESP and AH has AH
 * in transport mode around ESP. For who adds an SA, before it is published. */
void sa_template(struct sa *sa, const struct tunnel *t);
/* The header template alone, for other endpoints: those of t (RFC 3948: the peer's address has
 * changed). Control core; at most once within a grace period. */
void sa_outer(struct sa *sa, const struct tunnel *t);
