/* The server over a real socket: an event loop on this thread, clients that misbehave. */
#include "fake.h"

#include "ctl/server.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define VERSION "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"show.version\"}\n"
#define RELOAD "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"config.reload\"}\n"

static char dir[] = "/tmp/ctl-XXXXXX", path[64];
static struct event_base *base;
static struct ctl_server *server;
static struct fake *fake;

static int setup_dir(void **state)
{
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/sock", dir);
	return 0;
}

static int teardown_dir(void **state)
{
	return rmdir(dir); /* the server left nothing behind */
}

static int start(void **state)
{
	char why[256];

	base = event_base_new();
	fake = fake_new();
	server = ctl_server_new(base, path, NULL, 4, &fake->env, why, sizeof(why));
	return server == NULL;
}

static int stop(void **state)
{
	ctl_server_free(server);
	event_base_free(base);
	fake_free(fake);
	return 0;
}

static int client(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(to.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/* Turns the loop for about so long. */
static void turn(unsigned ms)
{
	struct timespec wait = {.tv_nsec = 1000000};

	for (unsigned i = 0; i < ms; i++) {
		for (int k = 0; k < 20; k++)
			event_base_loop(base, EVLOOP_NONBLOCK);
		nanosleep(&wait, NULL);
	}
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* What has come so far, up to size - 1 bytes; "closed" is set at the end of it. */
static size_t hear(int fd, char *buf, size_t size, bool *closed)
{
	size_t len = 0;
	ssize_t n;

	*closed = false;
	for (unsigned i = 0; i < 40 && len < size - 1 && !*closed; i++) {
		turn(1);
		n = recv(fd, buf + len, size - 1 - len, MSG_DONTWAIT);
		if (n > 0)
			len += (size_t)n;
		else
			*closed = n == 0 || errno == ECONNRESET;
	}
	buf[len] = '\0';
	return len;
}

static unsigned lines(const char *s)
{
	unsigned n = 0;

	for (; *s; s++)
		n += *s == '\n';
	return n;
}

static void test_answers(void **state)
{
	char buf[8192];
	bool closed;
	int fd = client();

	say(fd, VERSION "\n" VERSION); /* an empty line is nothing */
	hear(fd, buf, sizeof(buf), &closed);
	assert_int_equal(lines(buf), 2);
	assert_false(closed);
	say(fd, "garbage\n\x01\xff\n" VERSION);
	hear(fd, buf, sizeof(buf), &closed);
	assert_int_equal(lines(buf), 3);
	assert_non_null(strstr(buf, "-32700"));
	assert_non_null(strstr(buf, "1.2.3"));
	assert_false(closed);
	close(fd);
	turn(5);
	assert_int_equal(server->n_clients, 0);
}

static void test_piecewise(void **state)
{
	char buf[4096];
	bool closed;
	int fd = client();

	for (const char *p = VERSION; *p; p++) {
		char one[] = {*p, '\0'};

		say(fd, one);
		turn(1);
	}
	hear(fd, buf, sizeof(buf), &closed);
	assert_int_equal(lines(buf), 1);
	close(fd);
}

static void test_long_line(void **state)
{
	static char line[70000];
	char buf[4096];
	bool closed;

	memset(line, 'x', sizeof(line) - 1);
	for (int newline = 0; newline < 2; newline++) {
		int fd = client();
		size_t sent = 0;

		line[66000] = newline ? '\n' : 'x';
		while (sent < sizeof(line) - 1) {
			ssize_t n = send(fd, line + sent, sizeof(line) - 1 - sent, MSG_NOSIGNAL);

			if (n > 0)
				sent += (size_t)n;
			turn(1);
		}
		hear(fd, buf, sizeof(buf), &closed);
		assert_int_equal(lines(buf), 1);
		assert_non_null(strstr(buf, "\"id\":null"));
		assert_non_null(strstr(buf, "longer than 65536 bytes"));
		assert_true(closed);
		close(fd);
		turn(5);
		assert_int_equal(server->n_clients, 0);
	}
}

static void test_longest_line(void **state)
{
	static char line[65537 + 1];
	char buf[4096];
	bool closed;
	int fd = client();
	size_t sent = 0;

	memset(line, ' ', 65536);
	memcpy(line, VERSION, strlen(VERSION) - 1);
	line[65536] = '\n';
	while (sent < 65537) {
		ssize_t n = send(fd, line + sent, 65537 - sent, MSG_NOSIGNAL);

		if (n > 0)
			sent += (size_t)n;
		turn(1);
	}
	hear(fd, buf, sizeof(buf), &closed);
	assert_non_null(strstr(buf, "1.2.3"));
	assert_false(closed);
	close(fd);
}

static void test_too_many_clients(void **state)
{
	char buf[4096];
	bool closed;
	int fd[5];

	for (int i = 0; i < 5; i++)
		fd[i] = client();
	turn(5);
	hear(fd[4], buf, sizeof(buf), &closed);
	assert_true(closed);
	assert_non_null(strstr(buf, "-32001"));
	assert_non_null(strstr(buf, "4 clients are connected"));
	say(fd[0], VERSION); /* the others don't notice */
	hear(fd[0], buf, sizeof(buf), &closed);
	assert_int_equal(lines(buf), 1);
	close(fd[3]);
	close(fd[4]);
	turn(5);
	fd[4] = client(); /* there is room again */
	say(fd[4], VERSION);
	hear(fd[4], buf, sizeof(buf), &closed);
	assert_int_equal(lines(buf), 1);
	for (int i = 0; i < 5; i++)
		if (i != 3)
			close(fd[i]);
}

static void test_half_closed(void **state)
{
	char buf[4096];
	bool closed;
	int fd = client();

	/* the last line without its newline */
	say(fd, VERSION VERSION "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"x\"}");
	shutdown(fd, SHUT_WR);
	hear(fd, buf, sizeof(buf), &closed);
	assert_int_equal(lines(buf), 3);
	assert_non_null(strstr(buf, "\"id\":3"));
	assert_true(closed);
	close(fd);
	assert_int_equal(server->n_clients, 0);
}

static void test_half_closed_waits_for_reload(void **state)
{
	struct errs none = {0};
	char buf[4096];
	bool closed;
	int fd = client();

	say(fd, RELOAD);
	shutdown(fd, SHUT_WR);
	assert_int_equal(hear(fd, buf, sizeof(buf), &closed), 0);
	assert_false(closed);
	fake->done(fake->done_arg, 0, &none);
	hear(fd, buf, sizeof(buf), &closed);
	assert_non_null(strstr(buf, "\"applied\":true"));
	assert_true(closed);
	close(fd);
}

static void test_leaves_during_reload(void **state)
{
	struct errs none = {0};
	int fd = client();

	say(fd, RELOAD);
	turn(5);
	assert_non_null(fake->done);
	close(fd);
	turn(5);
	/* half closed, as far as the server can know, until it is told or the answer fails */
	fake->done(fake->done_arg, 0, &none);
	turn(5);
	assert_int_equal(server->n_clients, 0);
}

static void test_server_ends_during_reload(void **state)
{
	struct errs none = {0};
	char why[256];
	int fd = client();

	say(fd, RELOAD);
	turn(5);
	ctl_server_free(server);
	fake->done(fake->done_arg, 0, &none); /* nobody hears it */
	server = ctl_server_new(base, path, NULL, 4, &fake->env, why, sizeof(why));
	assert_non_null(server);
	close(fd);
}

/* Asks and asks and reads nothing: what waits for it stays bounded, others are served, and in the
 * end it is disconnected. */
static void test_slow_reader(void **state)
{
	static const char ask[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"show.drops\","
				  "\"params\":{\"all\":true}}\n";
	char buf[4096];
	bool closed;
	int slow = client(), fd = client();
	ssize_t n = 0;

	server->limits.stall_s = 1;
	for (int i = 0; i < 3000 && n >= 0; i++) {
		n = send(slow, ask, sizeof(ask) - 1, MSG_NOSIGNAL);
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	assert_int_equal(errno, EAGAIN); /* the server has stopped reading */
	say(fd, VERSION);
	hear(fd, buf, sizeof(buf), &closed);
	assert_int_equal(lines(buf), 1);
	turn(1200);
	assert_int_equal(server->n_clients, 1);
	close(slow);
	close(fd);
}

/* An answer that does not fit in is the end, whatever was read so far. */
static void test_output_bound(void **state)
{
	char buf[4096];
	bool closed;
	int fd = client();

	server->limits.output_bytes = 100;
	say(fd, VERSION);
	assert_int_equal(hear(fd, buf, sizeof(buf), &closed), 0);
	assert_true(closed);
	assert_int_equal(server->n_clients, 0);
	close(fd);
}

/* Thousands of requests at once from one that reads are all answered. */
static void test_pipeline(void **state)
{
	static char buf[1 << 16];
	unsigned asked = 0, got = 0;
	bool closed;
	int fd = client();

	while (got < 2000) {
		while (asked < 2000 && send(fd, VERSION, strlen(VERSION), MSG_NOSIGNAL) > 0)
			asked++;
		hear(fd, buf, sizeof(buf), &closed);
		got += lines(buf);
		assert_false(closed);
	}
	assert_int_equal(got, 2000);
	close(fd);
}

static void test_idle(void **state)
{
	char buf[64];
	bool closed;
	int fd;

	server->limits.idle_s = 1;
	fd = client();
	turn(1300);
	hear(fd, buf, sizeof(buf), &closed);
	assert_true(closed);
	assert_int_equal(server->n_clients, 0);
	close(fd);
}

/* Gone with answers on their way: no SIGPIPE, no client left. */
static void test_gone(void **state)
{
	for (int i = 0; i < 50; i++) {
		int fd = client();

		say(fd, VERSION VERSION VERSION);
		if (i % 2)
			turn(1);
		close(fd);
		turn(2);
	}
	turn(5);
	assert_int_equal(server->n_clients, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		T(test_answers),
		T(test_piecewise),
		T(test_long_line),
		T(test_longest_line),
		T(test_too_many_clients),
		T(test_half_closed),
		T(test_half_closed_waits_for_reload),
		T(test_leaves_during_reload),
		T(test_server_ends_during_reload),
		T(test_slow_reader),
		T(test_output_bound),
		T(test_pipeline),
		T(test_idle),
		T(test_gone),
	};

	return cmocka_run_group_tests(tests, setup_dir, teardown_dir);
}
