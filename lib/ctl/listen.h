/* The control socket as a file: who may connect, and is there a daemon already.
 *
 * For this room alone. Control core, at start and at the end.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct listener {
	int fd;
	dev_t dev; /* of the socket file, so that only our own is removed */
	ino_t ino;
};

/* 0, or -errno with a sentence in why and nothing left behind. */
int listen_open(struct listener *l, const char *path, const char *group, char *why, size_t size);
/* Closes it, and removes the file if it is still ours. */
void listen_close(struct listener *l, const char *path);
