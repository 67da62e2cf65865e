/* ESP (RFC 4303), AH (RFC 4302) and ESP in UDP (RFC 3948) as they lie in a packet: network byte
 * order throughout. No state. */
#pragma once

#include <stdint.h>

#define PROTO_ESP 50
#define PROTO_AH 51
#define PROTO_NO_NEXT 59 /* the protocol of dummy packets (RFC 4303 section 2.6) */
#define PORT_IKE 500
#define PORT_IKE_NAT 4500 /* IKE behind four zero bytes, and ESP in UDP */

struct esp_hdr {
	uint32_t spi; /* 0 is never sent; 1 to 255 are reserved */
	uint32_t seq;
};
#define ESP_HDR_LEN 8
#define ESP_TRAILER_LEN 2 /* padding length, next header; ICV behind it */
#define ESP_PAD_MAX 255

struct ah_hdr {
	uint8_t next_header;
	uint8_t len; /* in 4-byte words, less 2 */
	uint16_t reserved;
	uint32_t spi;
	uint32_t seq;
};
#define AH_HDR_LEN 12 /* ICV behind it, padded to 4 (IPv4) or 8 (IPv6) bytes */

#define UDP_HDR_LEN 8
#define NAT_KEEPALIVE 0xff /* the one byte of a keepalive (RFC 3948 section 2.3) */
