/* Memory for key material and windows: locked, so that it is never written to a disk, and left out
 * of core dumps and child processes. Large regions ask for huge pages, since a worker that goes
 * from SA to SA would miss its TLB with every packet. Called by sad_write.c; control core.
 */
#include "table/sad_parts.h"

#include <errno.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HUGE ((size_t)2 << 20)
#define CHUNK_BYTES ((size_t)1 << 20)

/* Only where pages come from is at stake: a kernel that refuses is not an error. */
static void place(const struct sad_region *r, int socket)
{
	unsigned long mask[16] = {0};

	if (socket < 0 || (size_t)socket >= sizeof(mask) * 8)
		return;
	mask[socket / (8 * sizeof(mask[0]))] |= 1ul << socket % (8 * sizeof(mask[0]));
	syscall(SYS_mbind, r->base, r->bytes, MPOL_PREFERRED, mask, sizeof(mask) * 8, 0);
}

int sad_region_new(struct sad_region *r, size_t bytes, int socket, const char *what, char *why,
	size_t why_size)
{
	size_t align = bytes >= HUGE ? HUGE : (size_t)sysconf(_SC_PAGESIZE);
	size_t size = RTE_ALIGN_CEIL(bytes, align), head, tail;
	uint8_t *base = mmap(NULL, size + align, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	*r = (struct sad_region){0};
	if (base == MAP_FAILED) {
		snprintf(why, why_size, "no memory for %s (%zu KB)", what, size >> 10);
		return -ENOMEM;
	}
	head = RTE_PTR_ALIGN_CEIL(base, align) - base;
	tail = align - head;
	if (head)
		munmap(base, head);
	if (tail)
		munmap(base + head + size, tail);
	*r = (struct sad_region){base + head, size};
	place(r, socket);
	madvise(r->base, size, MADV_HUGEPAGE); /* where the kernel has them */
	if (madvise(r->base, size, MADV_DONTDUMP) != 0 ||
		madvise(r->base, size, MADV_DONTFORK) != 0 || mlock(r->base, size) != 0) {
		int rc = -errno;

		snprintf(why, why_size,
			"the memory for %s (%zu KB) can't be locked, and keys must not reach a "
			"disk: %s; raise RLIMIT_MEMLOCK (LimitMEMLOCK= of the systemd unit, "
			"ulimit -l) or lower ipsec.sas-max",
			what, size >> 10, strerror(-rc));
		munmap(r->base, size);
		*r = (struct sad_region){0};
		return rc;
	}
	return 0;
}

void sad_region_free(struct sad_region *r)
{
	if (r->base == NULL)
		return;
	explicit_bzero(r->base, r->bytes);
	munmap(r->base, r->bytes);
	*r = (struct sad_region){0};
}

/* Whole cache lines, so that the bitmaps of two workers share none. */
static uint32_t bytes_of(unsigned size)
{
	return RTE_CACHE_LINE_SIZE << size;
}

static unsigned size_of(uint32_t window)
{
	unsigned size = 0;

	while (bytes_of(size) < sa_window_words(window) * 8)
		size++;
	return size;
}

uint64_t *sad_bitmap_take(struct sad_bitmaps *b, uint32_t window, char *why, size_t why_size)
{
	unsigned size = size_of(window);
	uint32_t bytes = bytes_of(size);
	uint64_t *bitmap = b->free[size];

	if (bitmap != NULL) {
		b->free[size] = (uint64_t *)(uintptr_t)bitmap[0];
		bitmap[0] = 0;
		return bitmap;
	}
	if (b->n_chunks == 0 || CHUNK_BYTES - b->used < bytes) {
		struct sad_region *more =
			realloc(b->chunk, sizeof(more[0]) * ((size_t)b->n_chunks + 1));

		if (more == NULL) {
			snprintf(why, why_size, "out of memory");
			return NULL;
		}
		b->chunk = more;
		if (sad_region_new(&more[b->n_chunks], CHUNK_BYTES, b->socket, "the windows of SAs",
			    why, why_size) != 0)
			return NULL;
		b->n_chunks++;
		b->used = 0;
	}
	bitmap = (uint64_t *)(b->chunk[b->n_chunks - 1].base + b->used);
	b->used += bytes;
	return bitmap;
}

void sad_bitmap_give(struct sad_bitmaps *b, uint64_t *bitmap, uint32_t window)
{
	unsigned size = size_of(window);

	explicit_bzero(bitmap, bytes_of(size));
	bitmap[0] = (uintptr_t)b->free[size];
	b->free[size] = bitmap;
}

void sad_bitmaps_fini(struct sad_bitmaps *b)
{
	for (uint32_t i = 0; i < b->n_chunks; i++)
		sad_region_free(&b->chunk[i]);
	free(b->chunk);
	*b = (struct sad_bitmaps){.socket = b->socket};
}
