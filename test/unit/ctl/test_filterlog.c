/* The filter log: its two forms of text, the records it keeps, and its destinations, also when they
 * fail.
 */
#include "ctl/filterlog.h"
#include "ctl/filterlog_text.h"
#include "dp/drop.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static struct rule rules[2] = {{.permit = true, .line = 3, .file = "a b\"]\\.rules"},
	{.line = 9, .file = "/etc/x\xff.rules"}};
static struct acl acl = {.n_rules = 2, .rule = rules};
static struct ports ports;
static struct root root = {.generation = 1, .ports = &ports, .acl = &acl};
static char dir[] = "/tmp/filterlog-XXXXXX";

static const struct log_record record = {
	.wall_ns = 1700000000123456789,
	.generation = 1,
	.verdict = 1,
	.src.b = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 1},
	.dst.b = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 2},
	.sport = 1234,
	.dport = 443,
	.in_if = 1,
	.len = 60,
	.proto = 6,
	.tcp_flags = 0x12,
	.dir = RULE_IN,
};

static int setup(void **state)
{
	strcpy(ports.iface[1].name, "lan0");
	ports.n_ifaces = 2;
	return mkdtemp(dir) == NULL;
}

static int teardown(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static const char *path_of(const char *name)
{
	static char path[2][128];
	static int next;

	next ^= 1;
	snprintf(path[next], sizeof(path[next]), "%s/%s", dir, name);
	return path[next];
}

static const char *line_of(const struct log_record *r, const struct root *of)
{
	static char buf[2048];
	struct filterlog_entry e;
	struct text t;

	filterlog_entry_make(&e, r, of);
	text_init(&t, buf, sizeof(buf));
	filterlog_line(&e, &t);
	return buf;
}

static void test_line(void **state)
{
	struct log_record r = record;

	assert_string_equal(line_of(&r, &root),
		"time=2023-11-14T22:13:20.123Z rule=1 file=\"a b\\\"]\\\\.rules\" line=3 "
		"verdict=permit "
		"reason=- in=lan0 out=- dir=inbound proto=tcp src=10.0.0.1 dst=10.0.0.2 sport=1234 "
		"dport=443 flags=SA len=60");
	r.verdict = 0;
	r.reason = DROP_FILTER_IN_IMPLICIT;
	r.left_out = 17;
	r.proto = 1;
	r.sport = 8;
	r.dport = 0;
	r.out_if = 77;
	assert_string_equal(line_of(&r, &root), "time=2023-11-14T22:13:20.123Z rule=implicit "
						"verdict=deny reason=filter-in-implicit "
						"in=lan0 out=? dir=inbound proto=icmp src=10.0.0.1 "
						"dst=10.0.0.2 type=8 code=0 len=60 "
						"left_out=17");
	r.verdict = UINT32_MAX;
	r.frag = PACKET_LATER_FRAGMENT;
	r.reason = DROP_TTL_EXCEEDED;
	assert_non_null(strstr(line_of(&r, &root), "rule=- verdict=deny reason=ttl-exceeded"));
	assert_non_null(strstr(line_of(&r, &root), "dst=10.0.0.2 fragment=later len=60"));
	/* its tables are gone */
	r.verdict = 1;
	assert_non_null(strstr(line_of(&r, NULL), "rule=? verdict"));
	assert_non_null(strstr(line_of(&r, NULL), "in=? out=?"));
	r.verdict = 99;
	assert_non_null(strstr(line_of(&r, &root), "rule=? verdict"));
	r.reason = 9999;
	assert_non_null(strstr(line_of(&r, &root), "reason=?"));
}

static void test_rfc5424(void **state)
{
	struct filterlog_sender sender = {"gw 1", 42};
	struct log_record r = record;
	struct filterlog_entry e;
	char buf[2048];
	struct text t;

	filterlog_entry_make(&e, &r, &root);
	text_init(&t, buf, sizeof(buf));
	filterlog_rfc5424(&e, &sender, &t);
	assert_string_equal(buf,
		"<134>1 2023-11-14T22:13:20.123Z gw?1 postern 42 FILTER [filter@32473 rule=\"1\" "
		"file=\"a b\\\"\\]\\\\.rules\" line=\"3\" verdict=\"permit\" reason=\"-\" "
		"in=\"lan0\" "
		"out=\"-\" dir=\"inbound\" proto=\"tcp\" src=\"10.0.0.1\" dst=\"10.0.0.2\" "
		"sport=\"1234\" dport=\"443\" flags=\"SA\" len=\"60\"] permit inbound tcp "
		"10.0.0.1:1234 > 10.0.0.2:443");
	r.verdict = 2;
	r.reason = DROP_FILTER_IN;
	sender.host[0] = '\0';
	filterlog_entry_make(&e, &r, &root);
	text_init(&t, buf, sizeof(buf));
	filterlog_rfc5424(&e, &sender, &t);
	assert_non_null(strstr(buf, "<133>1 2023-11-14T22:13:20.123Z - postern 42 FILTER ["));
	assert_non_null(strstr(buf, "file=\"/etc/x?.rules\"")); /* no UTF-8 */
	assert_non_null(strstr(buf, "10.0.0.1:1234 > 10.0.0.2:443: filter-in"));
}

/* RFC 5952: the text of an address, and brackets where a port follows (section 6). */
static void test_ip6(void **state)
{
	struct filterlog_sender sender = {"gw", 42};
	struct log_record r = record;
	struct filterlog_entry e;
	char buf[2048];
	struct text t;
	json_t *j;

	assert_int_equal(addr_parse("2001:db8::1", &r.src), 0);
	assert_int_equal(addr_parse("2001:db8:0:1:aaaa:bbbb:cccc:dddd", &r.dst), 0);
	r.verdict = 0;
	r.reason = DROP_FILTER_IN_IMPLICIT;
	assert_string_equal(line_of(&r, &root),
		"time=2023-11-14T22:13:20.123Z rule=implicit verdict=deny "
		"reason=filter-in-implicit in=lan0 out=- dir=inbound proto=tcp src=2001:db8::1 "
		"dst=2001:db8:0:1:aaaa:bbbb:cccc:dddd sport=1234 dport=443 flags=SA len=60");
	filterlog_entry_make(&e, &r, &root);
	text_init(&t, buf, sizeof(buf));
	filterlog_rfc5424(&e, &sender, &t);
	assert_non_null(strstr(buf, " src=\"2001:db8::1\" "
				    "dst=\"2001:db8:0:1:aaaa:bbbb:cccc:dddd\" "));
	assert_non_null(strstr(buf, "] deny inbound tcp [2001:db8::1]:1234 > "
				    "[2001:db8:0:1:aaaa:bbbb:cccc:dddd]:443: filter-in-implicit"));
	r.proto = 58;
	r.sport = 128;
	r.dport = 0;
	filterlog_entry_make(&e, &r, &root);
	assert_non_null(strstr(line_of(&r, &root), " proto=icmpv6 src=2001:db8::1 "));
	assert_non_null(strstr(line_of(&r, &root), " type=128 code=0 len=60"));
	text_init(&t, buf, sizeof(buf));
	filterlog_rfc5424(&e, &sender, &t);
	assert_non_null(strstr(buf, "] deny inbound icmpv6 2001:db8::1 > "
				    "2001:db8:0:1:aaaa:bbbb:cccc:dddd: filter-in-implicit"));
	j = filterlog_json(&e);
	assert_string_equal(json_string_value(json_object_get(j, "src")), "2001:db8::1");
	assert_string_equal(json_string_value(json_object_get(j, "proto")), "icmpv6");
	assert_int_equal(json_integer_value(json_object_get(j, "sport")), 128);
	json_decref(j);
	r.frag = PACKET_LATER_FRAGMENT;
	r.proto = 17;
	filterlog_entry_make(&e, &r, &root);
	text_init(&t, buf, sizeof(buf));
	filterlog_rfc5424(&e, &sender, &t);
	assert_non_null(strstr(buf, "] deny inbound udp 2001:db8::1 > 2001:db8:0:1:"));
}

static void test_long_file_name(void **state)
{
	char name[1000];
	struct rule rule = {.file = name, .line = 1};
	struct acl one = {.n_rules = 1, .rule = &rule};
	struct root r = {.acl = &one, .ports = &ports};
	const char *line;

	memset(name, 'x', sizeof(name));
	strcpy(name + sizeof(name) - 10, "end.rules");
	line = line_of(&record, &r);
	assert_non_null(strstr(line, "xend.rules line=1"));
	assert_true(strlen(line) < 600);
}

static void test_kept(void **state)
{
	struct filterlog *l = filterlog_new();
	struct log_record r = record;
	json_t *list, *stats;

	for (unsigned i = 0; i < FILTERLOG_KEPT + 10; i++) {
		r.len = (uint16_t)i;
		r.left_out = 1;
		filterlog_write(l, &r, &root);
	}
	list = filterlog_last(l, 1000);
	assert_int_equal(json_array_size(list), FILTERLOG_KEPT);
	assert_int_equal(
		json_integer_value(json_object_get(json_array_get(list, 0), "length")), 10);
	json_decref(list);
	list = filterlog_last(l, 2);
	assert_int_equal(json_array_size(list), 2);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 1), "length")),
		FILTERLOG_KEPT + 9);
	json_decref(list);
	stats = filterlog_stats(l);
	assert_int_equal(
		json_integer_value(json_object_get(stats, "records")), FILTERLOG_KEPT + 10);
	assert_int_equal(
		json_integer_value(json_object_get(stats, "left_out")), FILTERLOG_KEPT + 10);
	assert_string_equal(json_string_value(json_object_get(stats, "to")), "none");
	json_decref(stats);
	filterlog_free(l);
}

static unsigned lines_of(const char *path)
{
	FILE *f = fopen(path, "r");
	unsigned n = 0;

	assert_non_null(f);
	for (int c; (c = getc(f)) != EOF;)
		n += c == '\n';
	fclose(f);
	return n;
}

static void test_file_and_reopen(void **state)
{
	struct filterlog *l = filterlog_new();
	char why[256], path[128], old[128];
	struct stat st;

	strcpy(path, path_of("log"));
	strcpy(old, path_of("log.1"));
	assert_int_equal(filterlog_open(l, FILTERLOG_FILE, path, why, sizeof(why)), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0137, 0);
	filterlog_write(l, &record, &root);
	assert_int_equal(rename(path, old), 0);
	assert_int_equal(filterlog_reopen(l), 0); /* what came before goes to the old one */
	filterlog_write(l, &record, &root);
	filterlog_write(l, &record, &root);
	filterlog_flush(l);
	assert_int_equal(lines_of(old), 1);
	assert_int_equal(lines_of(path), 2);
	/* a destination that can't be opened leaves the old one */
	assert_int_equal(
		filterlog_open(l, FILTERLOG_FILE, path_of("no/such"), why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "no/such"));
	filterlog_write(l, &record, &root);
	filterlog_free(l); /* flushes */
	assert_int_equal(lines_of(path), 3);
}

static void test_full_disk(void **state)
{
	struct filterlog *l = filterlog_new();
	char why[256];
	json_t *stats;

	assert_int_equal(filterlog_open(l, FILTERLOG_FILE, "/dev/full", why, sizeof(why)), 0);
	for (unsigned i = 0; i < 5000; i++)
		filterlog_write(l, &record, &root);
	stats = filterlog_stats(l);
	assert_true(json_integer_value(json_object_get(stats, "lost")) > 3000);
	assert_true(json_is_true(json_object_get(stats, "failing")));
	assert_int_equal(json_integer_value(json_object_get(stats, "written")), 0);
	json_decref(stats);
	filterlog_free(l);
}

static int listen_on(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	strcpy(at.sun_path, path);
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static void test_syslog(void **state)
{
	struct filterlog *l = filterlog_new();
	char why[256], path[128], buf[2048];
	json_t *stats;
	int fd;

	strcpy(path, path_of("syslog"));
	assert_int_equal(filterlog_open(l, FILTERLOG_SYSLOG, path, why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, path));
	fd = listen_on(path);
	assert_int_equal(filterlog_open(l, FILTERLOG_SYSLOG, path, why, sizeof(why)), 0);
	filterlog_write(l, &record, &root);
	assert_true(recv(fd, buf, sizeof(buf), 0) > 100);
	assert_memory_equal(buf, "<134>1 ", 7);
	/* nobody reads: the socket fills, nothing blocks */
	for (unsigned i = 0; i < 5000; i++)
		filterlog_write(l, &record, &root);
	stats = filterlog_stats(l);
	assert_true(json_integer_value(json_object_get(stats, "lost")) > 0);
	json_decref(stats);
	/* syslogd starts anew */
	close(fd);
	fd = listen_on(path);
	filterlog_write(l, &record, &root);
	assert_true(recv(fd, buf, sizeof(buf), 0) > 100);
	close(fd);
	filterlog_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_rfc5424),
		cmocka_unit_test(test_ip6),
		cmocka_unit_test(test_long_file_name),
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_file_and_reopen),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_syslog),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
