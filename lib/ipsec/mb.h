/* Intel IPsec-MB behind one door: keys expanded into an SA, bursts of packets encrypted and
 * authenticated. Only mb*.c include intel-ipsec-mb.h. One struct
 * mb per worker: the library's manager is not for several threads.
 *
 * Each suite goes the way that bench/crypto showed to be the fastest: direct calls for GCM and
 * ChaCha20-Poly1305, job bursts for what needs lanes to be filled (CBC with HMAC).
 */
#pragma once

#include "table/sa.h"

#include <rte_mbuf.h>

struct mb;

/* On the given NUMA socket. NULL: no memory, or the CPU is not supported. Boot only. */
struct mb *mb_new(int socket);
void mb_free(struct mb *mb); /* NULL is permitted; wipes */

/* Expands key (suite_key_len bytes: encryption key, salt, integrity key) into sa->key and sets
 * sa->salt. 0; -EINVAL: a weak key of DES, or two equal ones one after the other in 3DES; -ENOMEM.
 * Control core (it has a manager of its own, made at first use); tests. */
int mb_expand(struct sa *sa, const struct suite *suite, const uint8_t *key);

/* One packet's work. All memory is the packet's own: contiguous, and long enough for the ICV. With
 * ESN, 4 bytes in front of the ESP header (GMAC) or behind what AH authenticates are overwritten,
 * and restored. */
struct mb_op {
	const struct sa *sa;
	uint8_t *aad; /* ESP: the ESP header (8 bytes, SPI and low sequence number); AH: all that is
		       * authenticated, prepared (mutable fields zero) */
	uint16_t aad_len; /* AH: bytes from aad on; ESP: 8 */
	uint16_t len;     /* ESP: bytes to en- or decrypt from text on, a multiple of sa->block, not
			   * 0 */
	uint8_t *iv;      /* as it lies in the packet */
	uint8_t *text;    /* ESP: behind the IV */
	uint8_t *icv;     /* outbound: written here. inbound: compared with this */
	uint32_t seq_hi;  /* ESN: high half of the sequence number (host byte order), authenticated
			   * but not sent (RFC 4303 section 2.2.1: AEAD in the AAD, else behind the
			   * text) */
	uint32_t status;  /* 0: done; inbound: SA_ERR_INTEGRITY when the ICV is wrong. The text of a
			   * packet that failed is undefined: it must not be sent */
};
#define MB_BURST_MAX 256

/* Encrypts and authenticates, or verifies and decrypts, n operations (n <= MB_BURST_MAX) in place,
 * of any SAs; each SA's direction says which. ICVs are compared in constant time. Returns when all
 * are done. Worker. */
void mb_crypt(struct mb *mb, struct mb_op op[], unsigned n);

/* IVs that nobody can predict, for CBC (RFC 4303, RFC 3602 section 3): n bytes. Worker. */
void mb_random(struct mb *mb, uint8_t *to, unsigned n);
