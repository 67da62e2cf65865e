/* The second opinion on every suite: OpenSSL's libcrypto, one plain way, no speed. Tests only.
 *
 * A message lies as ESP or AH have it in a packet: header, IV, text, ICV.
 */
#pragma once

#include "wire/esp.h"
#include "wire/suite.h"

#include <stdint.h>

struct oracle_message {
	const struct suite *suite;
	const uint8_t *key; /* suite_key_len bytes */
	uint8_t proto;
	bool esn;
	uint32_t seq_hi;
	const uint8_t *aad; /* ESP: 8 bytes of header; AH: what is authenticated */
	unsigned aad_len;
	const uint8_t *iv;
	const uint8_t *text; /* plain */
	unsigned len;
};

/* Cipher text (len bytes) and ICV (suite->icv_len bytes). */
void oracle_seal(const struct oracle_message *m, uint8_t *out, uint8_t *icv);
