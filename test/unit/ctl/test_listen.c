/* The control socket as a file: modes whatever the umask, stale sockets, other daemons, paths that
 * can't be.
 */
#include "ctl/listen.h"

#include <errno.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/listen-XXXXXX";

static int setup(void **state)
{
	return mkdtemp(dir) == NULL;
}

static int teardown(void **state)
{
	return rmdir(dir);
}

static const char *in_dir(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static unsigned mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

static void test_modes(void **state)
{
	static const mode_t masks[] = {0, 022, 077, 0177, 0777};
	struct group *own = getgrgid(getgid());
	char why[256];

	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		mode_t old = umask(masks[i]);
		struct listener l;

		assert_int_equal(listen_open(&l, in_dir("s"), NULL, why, sizeof(why)), 0);
		assert_int_equal(mode_of(in_dir("s")), 0600);
		listen_close(&l, in_dir("s"));
		if (own != NULL) {
			assert_int_equal(
				listen_open(&l, in_dir("s"), own->gr_name, why, sizeof(why)), 0);
			assert_int_equal(mode_of(in_dir("s")), 0660);
			listen_close(&l, in_dir("s"));
		}
		umask(old);
		assert_int_equal(access(in_dir("s"), F_OK), -1);
	}
}

static void test_no_such_group(void **state)
{
	struct listener l;
	char why[256];

	assert_int_equal(listen_open(&l, in_dir("s"), "no such group", why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "\"no such group\""));
	assert_int_equal(access(in_dir("s"), F_OK), -1);
}

static void test_folder_is_made(void **state)
{
	mode_t old = umask(077);
	struct listener l;
	char why[256];

	assert_int_equal(listen_open(&l, in_dir("sub/s"), NULL, why, sizeof(why)), 0);
	assert_int_equal(mode_of(in_dir("sub")), 0755);
	listen_close(&l, in_dir("sub/s"));
	assert_int_equal(rmdir(in_dir("sub")), 0);
	assert_int_equal(listen_open(&l, in_dir("a/b/s"), NULL, why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "/a/b"));
	umask(old);
}

static void test_second_daemon(void **state)
{
	struct listener l, second;
	char why[256];
	int fd;

	assert_int_equal(listen_open(&l, in_dir("s"), NULL, why, sizeof(why)), 0);
	assert_int_equal(listen_open(&second, in_dir("s"), NULL, why, sizeof(why)), -EADDRINUSE);
	assert_non_null(strstr(why, "another daemon answers"));
	assert_non_null(strstr(why, in_dir("s")));
	assert_int_equal(second.fd, -1);
	listen_close(&second, in_dir("s")); /* leaves the first one's file */
	/* the first is not disturbed */
	fd = accept(l.fd, NULL, NULL);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(access(in_dir("s"), F_OK), 0);
	listen_close(&l, in_dir("s"));
}

static void test_stale(void **state)
{
	struct listener l;
	char why[256];

	assert_int_equal(listen_open(&l, in_dir("s"), NULL, why, sizeof(why)), 0);
	close(l.fd); /* as a crash leaves it */
	assert_int_equal(access(in_dir("s"), F_OK), 0);
	assert_int_equal(listen_open(&l, in_dir("s"), NULL, why, sizeof(why)), 0);
	listen_close(&l, in_dir("s"));
}

static void test_no_socket(void **state)
{
	struct listener l;
	char why[256];
	FILE *f = fopen(in_dir("file"), "w");

	fclose(f);
	assert_int_equal(listen_open(&l, in_dir("file"), NULL, why, sizeof(why)), -EEXIST);
	assert_non_null(strstr(why, "is no socket"));
	assert_int_equal(unlink(in_dir("file")), 0); /* it was left alone */
	assert_int_equal(symlink("elsewhere", in_dir("link")), 0);
	assert_int_equal(listen_open(&l, in_dir("link"), NULL, why, sizeof(why)), -EEXIST);
	assert_int_equal(unlink(in_dir("link")), 0);
}

static void test_path_length(void **state)
{
	struct listener l;
	char why[512], path[300];

	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[150] = '\0';
	assert_int_equal(listen_open(&l, path, NULL, why, sizeof(why)), -ENAMETOOLONG);
	assert_non_null(strstr(why, "150 bytes long; 1 to 107 are possible"));
	assert_int_equal(listen_open(&l, "", NULL, why, sizeof(why)), -ENAMETOOLONG);
}

/* Somebody else's file under our name stays. */
static void test_close_removes_only_ours(void **state)
{
	struct listener l, next;
	char why[256];

	assert_int_equal(listen_open(&l, in_dir("s"), NULL, why, sizeof(why)), 0);
	assert_int_equal(unlink(in_dir("s")), 0);
	assert_int_equal(listen_open(&next, in_dir("s"), NULL, why, sizeof(why)), 0);
	listen_close(&l, in_dir("s"));
	assert_int_equal(access(in_dir("s"), F_OK), 0);
	listen_close(&next, in_dir("s"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_no_such_group),
		cmocka_unit_test(test_folder_is_made),
		cmocka_unit_test(test_second_daemon),
		cmocka_unit_test(test_stale),
		cmocka_unit_test(test_no_socket),
		cmocka_unit_test(test_path_length),
		cmocka_unit_test(test_close_removes_only_ours),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
