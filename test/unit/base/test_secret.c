/* base/secret: memory for keys is zeroed, and the kernel says of it that it is in no core dump. */
#include "base/secret.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The flags of the mapping that an address lies in, as /proc/self/smaps has them. */
static void flags_of(const void *at, char flags[512])
{
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[512];
	bool within = false;

	assert_non_null(f);
	flags[0] = '\0';
	while (fgets(line, sizeof(line), f)) {
		uintptr_t from, to;

		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &from, &to) == 2)
			within = (uintptr_t)at >= from && (uintptr_t)at < to;
		else if (within && strncmp(line, "VmFlags:", 8) == 0)
			snprintf(flags, 512, "%s", line + 8);
	}
	fclose(f);
}

static void zeroed_and_in_no_dump(void **state)
{
	static const size_t size[] = {1, 128, 4096, 4097, 1 << 20};

	for (unsigned i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
		uint8_t *m = secret_alloc(size[i]);
		char flags[512];

		assert_non_null(m);
		for (size_t k = 0; k < size[i]; k++)
			assert_int_equal(m[k], 0);
		memset(m, 0x5a, size[i]);
		flags_of(m, flags);
		if (flags[0] && strstr(flags, " dd") == NULL)
			fail_msg("%zu bytes are in core dumps: VmFlags:%s", size[i], flags);
		secret_free(m, size[i]);
	}
}

static void nothing(void **state)
{
	assert_null(secret_alloc(0));
	secret_free(NULL, 0);
	secret_free(NULL, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zeroed_and_in_no_dump),
		cmocka_unit_test(nothing),
	};

	return cmocka_run_group_tests_name("base/secret", tests, NULL, NULL);
}
