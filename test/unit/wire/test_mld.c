/* Multicast listener discovery on the wire: queries of both versions, what makes them invalid, and
 * reports byte for byte (RFC 3810 section 5, RFC 2710 section 3).
 */
#include "wire/ip6.h"
#include "wire/mld.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define HEADERS 48 /* IPv6 and hop-by-hop */

static uint8_t packet[2048];

static struct addr ip(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static void seal(unsigned len)
{
	uint16_t sum;

	memset(packet + HEADERS + 2, 0, 2);
	sum = (uint16_t)~ip6_sum(packet + 8, packet + 24, 58, packet + HEADERS, len);
	memcpy(packet + HEADERS + 2, &sum, 2);
}

/* A query of that many bytes. Returns the packet's length. */
static unsigned query(const char *group, unsigned len, uint16_t code)
{
	static const uint8_t alert[8] = {58, 0, 5, 2, 0, 0, 1, 0};
	struct addr src = ip("fe80::9"), dst = ip("ff02::1"), g = ip(group);

	memset(packet, 0, sizeof(packet));
	packet[0] = 0x60;
	packet[4] = (uint8_t)((len + 8) >> 8);
	packet[5] = (uint8_t)(len + 8);
	packet[7] = 1;
	memcpy(packet + 8, src.b, 16);
	memcpy(packet + 24, dst.b, 16);
	memcpy(packet + 40, alert, 8);
	packet[HEADERS] = 130;
	packet[HEADERS + 4] = (uint8_t)(code >> 8);
	packet[HEADERS + 5] = (uint8_t)code;
	memcpy(packet + HEADERS + 8, g.b, 16);
	seal(len);
	return HEADERS + len;
}

static void versions_8_1(void **state)
{
	struct mld_query q;
	struct addr group = ip("ff02::1:ff00:1");

	assert_int_equal(mld_read(packet, query("::", 24, 1000), &q), MLD_OK);
	assert_int_equal(q.version, 1);
	assert_int_equal(q.max_delay_ms, 1000);
	assert_true(addr_is_unspecified(&q.group));
	assert_int_equal(mld_read(packet, query("ff02::1:ff00:1", 28, 0), &q), MLD_OK);
	assert_int_equal(q.version, 2);
	assert_true(addr_equal(&q.group, &group));
	/* "Query messages that do not match any of the above conditions" */
	for (unsigned len = 8; len < 28; len++)
		if (len != 24)
			assert_int_equal(mld_read(packet, query("::", len, 0), &q), MLD_LENGTH);
	/* additional data is ignored */
	assert_int_equal(mld_read(packet, query("::", 100, 0), &q), MLD_OK);
	assert_int_equal(q.version, 2);
}

static void max_response_code_5_1_3(void **state)
{
	static const struct {
		uint16_t code;
		uint32_t ms;
	} t[] = {{0, 0}, {10000, 10000}, {32767, 32767}, {0x8000, 32768}, {0x8001, 32776},
		{0x9000, 65536}, {0xffff, 8387584}};
	struct mld_query q;

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_int_equal(mld_read(packet, query("::", 28, t[i].code), &q), MLD_OK);
		assert_int_equal(q.max_delay_ms, t[i].ms);
	}
	/* of version 1 there is no such thing */
	assert_int_equal(mld_read(packet, query("::", 24, 0xffff), &q), MLD_OK);
	assert_int_equal(q.max_delay_ms, 65535);
}

static void rules_6_2(void **state)
{
	unsigned len = query("::", 28, 0);
	struct mld_query q;

	packet[7] = 2;
	assert_int_equal(mld_read(packet, len, &q), MLD_HOPS);
	query("::", 28, 0);
	packet[8] = 0x20; /* 2080::9 */
	seal(28);
	assert_int_equal(mld_read(packet, len, &q), MLD_SOURCE);
	query("::", 28, 0);
	memset(packet + 8, 0, 16);
	seal(28);
	assert_int_equal(mld_read(packet, len, &q), MLD_SOURCE);
	query("::", 28, 0);
	packet[42] = 1; /* padding instead of the alert */
	assert_int_equal(mld_read(packet, len, &q), MLD_NO_ALERT);
	query("::", 28, 0);
	packet[45] = 1; /* an alert for RSVP */
	assert_int_equal(mld_read(packet, len, &q), MLD_NO_ALERT);
	query("::", 28, 0);
	packet[43] = 60; /* longer than its header */
	assert_int_equal(mld_read(packet, len, &q), MLD_NO_ALERT);
	query("::", 28, 0);
	packet[6] = 60; /* destination options */
	packet[40] = 58;
	assert_int_equal(mld_read(packet, len, &q), MLD_NO_ALERT);
	query("::", 28, 0);
	packet[HEADERS + 20] ^= 1;
	assert_int_equal(mld_read(packet, len, &q), MLD_CHECKSUM);
	len = query("2001:db8::1", 28, 0);
	assert_int_equal(mld_read(packet, len, &q), MLD_GROUP);
	len = query("ff02::5", 28, 0);
	packet[HEADERS + 27] = 1; /* a source that is not there */
	seal(28);
	assert_int_equal(mld_read(packet, len, &q), MLD_LENGTH);
	len = query("ff02::5", 44, 0);
	packet[HEADERS + 27] = 1;
	packet[HEADERS + 24] = 0xfb; /* S, and the querier's robustness */
	seal(44);
	assert_int_equal(mld_read(packet, len, &q), MLD_OK);
	assert_int_equal(q.robustness, 3);
	packet[HEADERS] = 131;
	seal(44);
	assert_int_equal(mld_read(packet, len, &q), MLD_NO_QUERY);
	/* whatever is cut off */
	len = query("ff02::5", 28, 0);
	for (unsigned n = 0; n < len; n++)
		assert_int_equal(mld_read(packet, n, &q), MLD_NO_QUERY);
}

static void writes_reports(void **state)
{
	static const uint8_t want[] = {0x60, 0, 0, 0, 0, 56, 0, 1,    /* to hop limit 1 */
		0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, /* from */
		0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x16, /* to ff02::16 */
		58, 0, 5, 2, 0, 0, 1, 0,                              /* router alert */
		143, 0, 0, 0, 0, 0, 0, 2,                             /* two records */
		4, 0, 0, 0, 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 1, /* listened to */
		3, 0, 0, 0, 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
	struct mld_record r[MLD_RECORDS_MAX] = {
		{MLD_TO_EXCLUDE, ip("ff02::1:ff00:1")}, {MLD_TO_INCLUDE, ip("ff02::2")}};
	struct addr src = ip("fe80::1"), dst, group = ip("ff02::1:ff00:1");
	uint8_t buf[MLD_PACKET_MAX];
	unsigned len = mld_write_report(buf, &src, r, 2);

	assert_int_equal(len, sizeof(want));
	assert_int_equal(ip6_sum(buf + 8, buf + 24, 58, buf + 48, len - 48), 0xffff);
	memset(buf + 50, 0, 2);
	assert_memory_equal(buf, want, sizeof(want));
	for (unsigned i = 0; i < MLD_RECORDS_MAX; i++)
		r[i] = (struct mld_record){MLD_IS_EXCLUDE, group};
	assert_in_range(mld_write_report(buf, &src, r, MLD_RECORDS_MAX), 1261, MLD_PACKET_MAX);
	/* version 1: a report goes to the group, the end to the routers */
	for (unsigned done = 0; done < 2; done++) {
		struct addr to = done ? ip("ff02::2") : group;

		len = mld_write_report_1(buf, &src, &group, done, &dst);
		assert_int_equal(len, 48 + 24);
		assert_true(addr_equal(&dst, &to));
		assert_memory_equal(buf + 24, to.b, 16);
		assert_int_equal(buf[7], 1);
		assert_int_equal(buf[48], 131 + done);
		assert_memory_equal(buf + 56, group.b, 16);
		assert_int_equal(ip6_sum(buf + 8, buf + 24, 58, buf + 48, 24), 0xffff);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_8_1),
		cmocka_unit_test(max_response_code_5_1_3),
		cmocka_unit_test(rules_6_2),
		cmocka_unit_test(writes_reports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
