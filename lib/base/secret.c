/* Memory for secrets. See secret.h. */
#include "base/secret.h"

#include <string.h>
#include <sys/mman.h>

void *secret_alloc(size_t size)
{
	void *m;

	if (size == 0)
		return NULL;
	m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m == MAP_FAILED)
		return NULL;
	(void)mlock(m, size);
	(void)madvise(m, size, MADV_DONTDUMP);
	return m;
}

void secret_free(void *memory, size_t size)
{
	if (memory == NULL)
		return;
	explicit_bzero(memory, size);
	munmap(memory, size);
}
