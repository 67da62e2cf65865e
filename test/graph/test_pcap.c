/* A capture file walked through the daemon as it boots in earnest, with net_pcap devices: what it
 * writes is compared byte for byte with what is expected.
 *
 * The files are made here, in a folder that is removed at the end.
 */
#include "frame.h"

#include "app.h"
#include "base/log.h"
#include "ctl/filterlog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FRAMES 300

static char dir[] = "/tmp/postern-pcap-XXXXXX";
static struct app *app;

static const struct mac6 host_a = {{2, 0, 0, 0, 0, 0xa}}, host_b = {{2, 0, 0, 0, 0, 0xb}};
/* what net_pcap gives its devices, in order */
static const struct mac6 mac[2] = {
	{{2, 0x70, 0x63, 0x61, 0x70, 0}}, {{2, 0x70, 0x63, 0x61, 0x70, 1}}};

static void path(char out[64], const char *name)
{
	snprintf(out, 64, "%s/%s", dir, name);
}

static FILE *create(const char *name)
{
	/* link type Ethernet, version 2.4 */
	static const uint32_t header[6] = {0xa1b2c3d4, 4 << 16 | 2, 0, 0, 65535, 1};
	char file[64];
	FILE *f;

	path(file, name);
	f = fopen(file, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(header, sizeof(header), 1, f), 1);
	return f;
}

static void write_frame(FILE *f, const struct frame *frame)
{
	uint32_t header[4] = {0, 0, frame->len, frame->len};

	assert_int_equal(fwrite(header, sizeof(header), 1, f), 1);
	assert_int_equal(fwrite(frame->b, frame->len, 1, f), 1);
}

/* The filter denies every third: it must not appear. */
static void make_frame(struct frame *f, unsigned i)
{
	static const uint8_t payload[1480] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
	struct spec s = {.dst_mac = mac[0],
		.src_mac = host_a,
		.src = IP(10, 1, 0, 2),
		.dst = IP(10, 2, 0, 2),
		.proto = i % 2 ? 6 : 17,
		.ttl = (uint8_t)(2 + i),
		.id = (uint16_t)i,
		.sport = (uint16_t)(1000 + i),
		.dport = i % 3 ? 80 : 81,
		.tcp_flags = TCP_ACK,
		.payload = payload,
		.payload_len = i * 5 % 1460,
		.pad_to = 60};

	if (s.ttl < 2)
		s.ttl = 2;
	frame_make(f, &s);
}

static void walks_a_capture(void **state)
{
	static struct frame in, want, got;
	struct l2 l2 = {.dst = host_b, .src = mac[1]};
	FILE *sent;
	unsigned idle = 0;
	uint32_t header[6];
	char file[64];

	for (unsigned i = 0; i < 10000 && idle < 20; i++)
		idle = worker_walk(app->worker[0]) ? 0 : idle + 1;
	assert_int_equal(app->worker[0]->stats.received, FRAMES);
	assert_int_equal(app->worker[0]->stats.drops[DROP_FILTER_IN], FRAMES / 3);
	assert_int_equal(
		app->worker[0]->stats.sent, app->worker[0]->stats.injected + FRAMES - FRAMES / 3);
	app_fini(app); /* closes, and so writes out, the file */
	free(app);
	path(file, "out1.pcap");
	sent = fopen(file, "re");
	assert_non_null(sent);
	assert_int_equal(fread(header, sizeof(header), 1, sent), 1);
	for (unsigned i = 0; i < FRAMES; i++) {
		uint32_t record[4];

		if (i % 3 == 0)
			continue;
		make_frame(&in, i);
		frame_routed(&want, &in, &l2);
		assert_int_equal(fread(record, sizeof(record), 1, sent), 1);
		assert_int_equal(record[2], record[3]);
		assert_in_range(record[2], 1, FRAME_MAX);
		got.len = record[2];
		assert_int_equal(fread(got.b, got.len, 1, sent), 1);
		assert_true(frame_same(&got, &want, "capture"));
	}
	assert_int_equal(fgetc(sent), EOF);
	fclose(sent);
}

static struct conf *configure(void)
{
	struct errs errs = {0};
	struct conf *conf;
	char *text;

	assert_true(
		asprintf(&text,
			"system = { memory = \"no-huge\"; memory-mb = 448; mbufs = 8191;"
			"  workers = 1; };"
			"ports = ("
			"{ name = \"p0\"; promiscuous = true;"
			"  device = \"net_pcap0,rx_pcap=%s/in.pcap,tx_pcap=%s/out0.pcap\"; },"
			"{ name = \"p1\";"
			"  device = \"net_pcap1,rx_pcap=%s/none.pcap,tx_pcap=%s/out1.pcap\"; });"
			"interfaces = ("
			"{ name = \"a\"; port = \"p0\"; addresses = [\"10.1.0.1/24\"]; },"
			"{ name = \"b\"; port = \"p1\"; addresses = [\"10.2.0.1/24\"]; });"
			"neighbours = ({ interface = \"b\"; address = \"10.2.0.2\";"
			"  mac = \"02:00:00:00:00:0b\"; });"
			"filter = { rules = ("
			"{ action = \"deny\"; proto = \"tcp\"; dport = \"eq 81\"; },"
			"{ action = \"deny\"; proto = \"udp\"; dport = \"eq 81\"; },"
			"{ action = \"permit\"; }); };",
			dir, dir, dir, dir) > 0);
	conf = conf_parse(text, "pcap.conf", NULL, &errs);
	errs_print(&errs, stderr);
	assert_non_null(conf);
	errs_fini(&errs);
	free(text);
	return conf;
}

static int up(void **state)
{
	FILE *f;
	struct frame in;

	assert_non_null(mkdtemp(dir));
	f = create("in.pcap");
	for (unsigned i = 0; i < FRAMES; i++) {
		make_frame(&in, i);
		write_frame(f, &in);
	}
	fclose(f);
	fclose(create("none.pcap"));
	log_setup(LOG_LVL_ERROR, false);
	app = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN(sizeof(*app), RTE_CACHE_LINE_SIZE));
	memset(app, 0, sizeof(*app));
	assert_int_equal(app_boot(app, configure()), 0);
	return 0;
}

static int down(void **state)
{
	static const char *const names[] = {"in.pcap", "none.pcap", "out0.pcap", "out1.pcap"};
	char file[64];

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		path(file, names[i]);
		unlink(file);
	}
	rmdir(dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(walks_a_capture)};

	return cmocka_run_group_tests(tests, up, down);
}
