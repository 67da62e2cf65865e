/* ICMP errors that say that ESP or AH was too large: what they tell, what is not believed, and that
 * none is read beyond its end. RFC 1191, RFC 8201, RFC 4301 section 8.2.
 */
#include "wire/path_mtu.h"

#include "wire/esp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LEN4 (8 + 20 + 16)
#define LEN6 (8 + 40 + 16)

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* What a router sends about a packet of 1,500 bytes. */
static void error4(uint8_t b[LEN4], uint8_t proto, unsigned mtu)
{
	static const uint8_t l4[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

	memset(b, 0, LEN4);
	b[0] = 3;
	b[1] = 4;
	put16(b + 6, mtu);
	b[8] = 0x45;
	put16(b + 10, 1500);
	b[14] = 0x40;
	b[17] = proto;
	memcpy(b + 20, "\xc0\0\2\1\xc6\x33\x64\7", 8);
	memcpy(b + 28, l4, sizeof(l4));
}

static void error6(uint8_t b[LEN6], uint8_t proto, unsigned mtu)
{
	static const uint8_t l4[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

	memset(b, 0, LEN6);
	b[0] = 2;
	put16(b + 6, mtu);
	b[8] = 0x60;
	put16(b + 12, 1460);
	b[14] = proto;
	memset(b + 16, 0x20, 16);
	memset(b + 32, 0x21, 16);
	memcpy(b + 48, l4, sizeof(l4));
}

static void spi_is(const struct path_mtu *p, const char spi[4])
{
	assert_memory_equal(&p->spi, spi, 4);
}

static void tells_ip4(void **state)
{
	uint8_t b[LEN4];
	struct path_mtu p;

	error4(b, PROTO_ESP, 1400);
	assert_true(path_mtu_read(b, LEN4, false, &p));
	assert_int_equal(p.mtu, 1400);
	assert_int_equal(p.proto, PROTO_ESP);
	assert_false(p.udp);
	assert_int_equal(addr_to4(&p.src), 0xc0000201);
	assert_int_equal(addr_to4(&p.dst), 0xc6336407);
	spi_is(&p, "\1\2\3\4");
	/* the least that an error must show: RFC 792 */
	assert_true(path_mtu_read(b, 8 + 20 + 8, false, &p));
	spi_is(&p, "\1\2\3\4");

	error4(b, PROTO_AH, 1400);
	assert_true(path_mtu_read(b, LEN4, false, &p));
	assert_int_equal(p.proto, PROTO_AH);
	spi_is(&p, "\5\6\7\10");

	error4(b, 17, 1400);
	assert_true(path_mtu_read(b, LEN4, false, &p));
	assert_true(p.udp);
	assert_int_equal(p.proto, PROTO_ESP);
	assert_memory_equal(&p.sport, "\1\2", 2);
	assert_memory_equal(&p.dport, "\3\4", 2);
	spi_is(&p, "\11\12\13\14");
	assert_true(path_mtu_read(b, 8 + 20 + 8, false, &p));
	assert_int_equal(p.spi, 0);
}

static void tells_ip6(void **state)
{
	uint8_t b[LEN6];
	struct path_mtu p;
	struct addr src, dst;

	memset(src.b, 0x20, 16);
	memset(dst.b, 0x21, 16);
	error6(b, PROTO_ESP, 1400);
	assert_true(path_mtu_read(b, LEN6, true, &p));
	assert_int_equal(p.mtu, 1400);
	assert_int_equal(p.proto, PROTO_ESP);
	assert_true(addr_equal(&p.src, &src));
	assert_true(addr_equal(&p.dst, &dst));
	spi_is(&p, "\1\2\3\4");
	error6(b, PROTO_AH, 1300);
	assert_true(path_mtu_read(b, LEN6, true, &p));
	assert_int_equal(p.proto, PROTO_AH);
	spi_is(&p, "\5\6\7\10");
	error6(b, 17, 1300);
	assert_true(path_mtu_read(b, LEN6, true, &p));
	assert_true(p.udp);
	spi_is(&p, "\11\12\13\14");
	/* behind another header */
	error6(b, 60, 1300);
	memcpy(b + 48, "\x32\0\1\4\0\0\0\0\xa\xb\xc\xd\0\0\0\0", 16);
	assert_true(path_mtu_read(b, LEN6, true, &p));
	spi_is(&p, "\xa\xb\xc\xd");
}

/* RFC 1191 section 5: a router of before does not tell. */
static void old_routers(void **state)
{
	static const unsigned len_mtu[][2] = {
		{1500, 1492}, {1492, 1006}, {1006, 552}, {9000, 8166}, {65535, 32000}};
	uint8_t b[LEN4];
	struct path_mtu p;

	for (unsigned i = 0; i < sizeof(len_mtu) / sizeof(len_mtu[0]); i++) {
		error4(b, PROTO_ESP, 0);
		put16(b + 10, len_mtu[i][0]);
		assert_true(path_mtu_read(b, LEN4, false, &p));
		assert_int_equal(p.mtu, len_mtu[i][1]);
	}
}

static void not_believed(void **state)
{
	uint8_t b[LEN6];
	struct path_mtu p;

	error4(b, PROTO_ESP, 1500); /* it would have fitted */
	assert_false(path_mtu_read(b, LEN4, false, &p));
	error4(b, PROTO_ESP, 68); /* crumbs */
	assert_true(path_mtu_read(b, LEN4, false, &p));
	assert_int_equal(p.mtu, PATH_MTU_MIN4);
	error6(b, PROTO_ESP, 1000); /* RFC 8201 section 4 */
	assert_true(path_mtu_read(b, LEN6, true, &p));
	assert_int_equal(p.mtu, PATH_MTU_MIN6);
	error6(b, PROTO_ESP, 1500);
	assert_false(path_mtu_read(b, LEN6, true, &p));
	error6(b, PROTO_ESP, 1400);
	b[4] = 1; /* 32 bits */
	assert_false(path_mtu_read(b, LEN6, true, &p));
	error4(b, 6, 1400);
	assert_false(path_mtu_read(b, LEN4, false, &p));
	error4(b, PROTO_ESP, 1400);
	b[1] = 3;
	assert_false(path_mtu_read(b, LEN4, false, &p));
	error4(b, PROTO_ESP, 1400);
	b[15] = 1; /* a later fragment shows no SPI */
	assert_false(path_mtu_read(b, LEN4, false, &p));
	error4(b, PROTO_ESP, 1400);
	b[8] = 0x65;
	assert_false(path_mtu_read(b, LEN4, false, &p));
	b[8] = 0x4f;
	assert_false(path_mtu_read(b, LEN4, false, &p));
	b[8] = 0x44;
	assert_false(path_mtu_read(b, LEN4, false, &p));
	error6(b, PROTO_ESP, 1400);
	b[8] = 0x40;
	assert_false(path_mtu_read(b, LEN6, true, &p));
}

/* In memory of its own, for the address sanitizer. */
static void every_length(void **state)
{
	static const uint8_t proto[] = {PROTO_ESP, PROTO_AH, 17, 60};
	uint8_t b[LEN6];

	for (unsigned i = 0; i < 8; i++) {
		bool ip6 = i & 1;
		unsigned whole = ip6 ? LEN6 : LEN4, least = ip6 ? 56 : 36;

		(ip6 ? error6 : error4)(b, proto[i / 2], 1400);
		for (unsigned len = 0; len <= whole; len++) {
			uint8_t *own = malloc(len ? len : 1);
			struct path_mtu p;

			assert_non_null(own);
			memcpy(own, b, len);
			if (len < least)
				assert_false(path_mtu_read(own, len, ip6, &p));
			else if (i < 6)
				assert_true(path_mtu_read(own, len, ip6, &p));
			else
				path_mtu_read(own, len, ip6, &p);
			free(own);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_ip4),
		cmocka_unit_test(tells_ip6),
		cmocka_unit_test(old_routers),
		cmocka_unit_test(not_believed),
		cmocka_unit_test(every_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
