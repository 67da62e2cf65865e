/* Memory for secrets: locked where the process may lock memory, left out of core dumps, wiped when
 * it is freed. Whole pages: for a table of keys, not for each key.
 *
 * Used by conf. Any thread, no state.
 */
#pragma once

#include <stddef.h>

/* size bytes, zeroed; NULL: no memory, or size is 0. Memory that can't be locked (RLIMIT_MEMLOCK)
 * is given all the same: a check of a configuration needs no privilege. */
void *secret_alloc(size_t size);
/* Wipes and frees what secret_alloc gave for that size. NULL is permitted. */
void secret_free(void *memory, size_t size);
