/* The control socket as a file. See listen.h.
 *
 * Nobody but the owner can connect at any moment before the permissions are as asked: the mode is
 * set on the socket before bind, which gives it to the file, and connections are refused until
 * listen. Two daemons that start at the same time are kept apart by a lock on the folder.
 */
#include "ctl/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG 64
#define LOCK_TRIES 20
#define LOCK_WAIT_MS 50

struct say {
	char *why;
	size_t size;
};

/* The sentence; returns -error. */
static int refuse(const struct say *say, int error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse(const struct say *say, int error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(say->why, say->size, fmt, ap);
	va_end(ap);
	return error > 0 ? -error : -EIO;
}

/* Makes the folder if it is missing and locks it while we look and bind. The lock's descriptor, or
 * -1 without a lock; -errno only when there is no folder. */
static int folder_lock(const char *path, const struct say *say, int *lock)
{
	const struct timespec wait = {.tv_nsec = LOCK_WAIT_MS * 1000000L};
	char copy[sizeof(((struct sockaddr_un *)0)->sun_path)];
	const char *dir;

	strcpy(copy, path); /* its length was checked */
	dir = dirname(copy);
	if (mkdir(dir, 0755) == 0) {
		if (chmod(dir, 0755) < 0) /* whatever the umask was */
			return refuse(say, errno, "the folder %s of the control socket: %s", dir,
				strerror(errno));
	} else if (errno != EEXIST) {
		return refuse(say, errno, "the folder %s of the control socket can't be made: %s",
			dir, strerror(errno));
	}
	*lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*lock < 0)
		return refuse(say, errno, "the folder %s of the control socket: %s", dir,
			strerror(errno));
	for (int i = 0; i < LOCK_TRIES && flock(*lock, LOCK_EX | LOCK_NB) < 0; i++)
		nanosleep(&wait, NULL);
	return 0;
}

/* Removes a socket file on which nobody answers. 0, or -errno: somebody does, or it is no socket.
 */
static int stale_remove(const struct sockaddr_un *at, const struct say *say)
{
	const char *path = at->sun_path;
	struct stat st;
	int fd, error;

	if (lstat(path, &st) < 0) {
		if (errno == ENOENT)
			return 0;
		return refuse(say, errno, "the control socket %s: %s", path, strerror(errno));
	}
	if (!S_ISSOCK(st.st_mode))
		return refuse(say, EEXIST, "%s exists and is no socket; it is left alone", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return refuse(say, errno, "the control socket %s: %s", path, strerror(errno));
	error = connect(fd, (const struct sockaddr *)at, sizeof(*at)) < 0 ? errno : 0;
	close(fd);
	if (error == 0 || error == EAGAIN) /* EAGAIN: its queue of connections is full */
		return refuse(
			say, EADDRINUSE, "another daemon answers on the control socket %s", path);
	if (error == ENOENT)
		return 0;
	if (error != ECONNREFUSED)
		return refuse(say, error, "the control socket %s: %s", path, strerror(error));
	if (unlink(path) < 0 && errno != ENOENT)
		return refuse(say, errno, "the stale control socket %s can't be removed: %s", path,
			strerror(errno));
	return 0;
}

static int group_find(const char *group, gid_t *gid, const struct say *say)
{
	struct group *found;

	if (group == NULL)
		return 0;
	errno = 0;
	found = getgrnam(group);
	if (found == NULL)
		return refuse(
			say, ENOENT, "there is no group \"%s\" for the control socket", group);
	*gid = found->gr_gid;
	return 0;
}

/* Binds, gives the file its group and mode, listens; on failure the file is gone again. */
static int bind_listen(struct listener *l, const struct sockaddr_un *at, const char *group,
	gid_t gid, const struct say *say)
{
	const char *path = at->sun_path;
	struct stat st;
	int rc;

	if (fchmod(l->fd, 0600) < 0 || bind(l->fd, (const struct sockaddr *)at, sizeof(*at)) < 0)
		return refuse(say, errno, "the control socket %s: %s", path, strerror(errno));
	if (lstat(path, &st) < 0) {
		rc = refuse(say, errno, "the control socket %s: %s", path, strerror(errno));
		goto err_unlink;
	}
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	/* again, for an umask that took too much */
	if ((group != NULL && lchown(path, (uid_t)-1, gid) < 0) ||
		chmod(path, group != NULL ? 0660 : 0600) < 0) {
		rc = refuse(say, errno, "the control socket %s can't be given to \"%s\": %s", path,
			group != NULL ? group : "its owner", strerror(errno));
		goto err_unlink;
	}
	if (listen(l->fd, BACKLOG) < 0) {
		rc = refuse(say, errno, "the control socket %s: %s", path, strerror(errno));
		goto err_unlink;
	}
	return 0;
err_unlink:
	unlink(path);
	return rc;
}

int listen_open(struct listener *l, const char *path, const char *group, char *why, size_t size)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct say say = {why, size};
	gid_t gid = 0;
	int lock = -1, rc;

	*l = (struct listener){.fd = -1};
	if (path[0] == '\0' || strlen(path) >= sizeof(at.sun_path))
		return refuse(&say, ENAMETOOLONG,
			"the control socket's path is %zu bytes long; 1 to %zu are possible: %s",
			strlen(path), sizeof(at.sun_path) - 1, path);
	strcpy(at.sun_path, path);
	rc = group_find(group, &gid, &say);
	if (rc == 0)
		rc = folder_lock(path, &say, &lock);
	if (rc < 0)
		return rc;
	rc = stale_remove(&at, &say);
	if (rc < 0)
		goto out_unlock;
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0) {
		rc = refuse(&say, errno, "the control socket %s: %s", path, strerror(errno));
		goto out_unlock;
	}
	rc = bind_listen(l, &at, group, gid, &say);
	if (rc < 0) {
		close(l->fd);
		l->fd = -1;
	}
out_unlock:
	close(lock);
	return rc;
}

void listen_close(struct listener *l, const char *path)
{
	struct stat st;

	if (l->fd < 0)
		return;
	if (lstat(path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
		unlink(path);
	close(l->fd);
	l->fd = -1;
}
