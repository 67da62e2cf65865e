/* Text into bounded buffers, and clean text for JSON and logs: what comes from packets, files and
 * other people's programs may hold any bytes.
 *
 * Used by all of this room. No state.
 */
#pragma once

#include "wire/addr.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
	char *buf;
	size_t size, len; /* len < size; buf is always terminated */
	bool cut;         /* something did not fit */
};

/* size is at least 1. */
void text_init(struct text *t, char *buf, size_t size);
void text_add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_add_addr4(struct text *t, uint32_t addr); /* host byte order */
void text_add_addr(struct text *t, const struct addr *addr);
/* An address with its port, an IPv6 address in brackets then; port < 0: the address alone. */
void text_add_endpoint(struct text *t, const struct addr *addr, int port);
void text_add_mac(struct text *t, const uint8_t mac[6]);

/* Bytes of the valid UTF-8 sequence at s (at most n bytes), 0 when there is none. */
size_t text_utf8(const uint8_t *s, size_t n);

/* "2026-01-31T12:00:00.123Z" into buf, at least TEXT_TIME_STRLEN. */
#define TEXT_TIME_STRLEN 32
char *text_time(uint64_t wall_ns, char *buf);

/* "SAFRPUEC" for the flags byte of TCP, "-" for none; 9 bytes with the end. */
#define TEXT_FLAGS_STRLEN 9
char *text_tcp_flags(uint8_t flags, char *buf);

/* "tcp", or the number, into buf, at least TEXT_PROTO_STRLEN. */
#define TEXT_PROTO_STRLEN 12
char *text_proto(unsigned proto, char *buf);
/* The number of a protocol's name in upper or lower case, -1 when unknown. */
int text_proto_find(const char *name);

/* A JSON string of s; bytes that are no UTF-8 become "?". NULL becomes null. New reference. */
json_t *text_json(const char *s);
json_t *text_json_addr(const struct addr *addr);
json_t *text_json_mac(const uint8_t mac[6]);
