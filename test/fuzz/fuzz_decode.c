/* Fuzzes the decoder of drop samples: first byte bit 0 framed, two bytes (big endian) the length
 * that the packet had, the rest are the bytes kept. Whatever they are, the line is printable, ends
 * within its buffer, and is the same each time; a small buffer gets the beginning of it.
 */
#include "ctl/decode.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char line[DECODE_STRLEN], again[DECODE_STRLEN], small[64];
	size_t len, kept, n;
	uint8_t *exact;
	int framed;

	if (size < 3)
		return 0;
	framed = data[0] & 1;
	len = (size_t)data[1] << 8 | data[2];
	kept = size - 3;
	exact = malloc(kept + !kept); /* of exactly that size, so that reading on is seen */
	memcpy(exact, data + 3, kept);
	decode(exact, kept, len, framed, line, sizeof(line));
	decode(exact, kept, len, framed, again, sizeof(again));
	decode(exact, kept, len, framed, small, sizeof(small));
	free(exact);
	n = strnlen(line, sizeof(line));
	if (n == sizeof(line) || strcmp(line, again) != 0)
		abort();
	for (size_t i = 0; i < n; i++)
		if (line[i] < ' ' || line[i] > '~')
			abort();
	n = strnlen(small, sizeof(small));
	if (n == sizeof(small) || strncmp(line, small, n) != 0)
		abort();
	return 0;
}
