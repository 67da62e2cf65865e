/* What lies on which NUMA socket, on machines that are made up: one socket, two, and devices that
 * do not say where they are.
 */
#include "numa.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

static int sockets[NUMA_PORTS_MAX];

static int port(uint16_t id)
{
	return sockets[id];
}

static const struct numa_map fake = {.port = port};
static const uint16_t ids[NUMA_PORTS_MAX] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static struct numa plan(const int *of, unsigned n, int control)
{
	struct numa numa;

	memcpy(sockets, of, n * sizeof(*of));
	numa_plan(&numa, &fake, ids, n, control);
	assert_int_equal(numa.n_ports, n);
	return numa;
}

static void one_socket(void **state)
{
	struct numa n = plan((int[]){0, 0, 0}, 3, 0);

	assert_int_equal(n.n, 1);
	assert_int_equal(n.socket[0], 0);
	assert_int_equal(n.tables, 0);
	assert_int_equal(numa_of_port(&n, 2), 0);
}

/* Virtual devices say -1: everything is where the control core is. */
static void nobody_says(void **state)
{
	struct numa n = plan((int[]){-1, -1}, 2, 1);

	assert_int_equal(n.n, 1);
	assert_int_equal(n.socket[0], 1);
	assert_int_equal(n.tables, 1);
	assert_int_equal(numa_of_port(&n, 1), 1);
	n = plan((int[]){-1}, 1, -1);
	assert_int_equal(n.n, 1);
	assert_int_equal(n.tables, 0);
	n = plan((int[]){0}, 0, 0);
	assert_int_equal(n.n, 1);
}

static void two_sockets(void **state)
{
	struct numa n = plan((int[]){1, 0, 1, -1}, 4, 0);

	assert_int_equal(n.n, 2);
	assert_int_equal(numa_of_port(&n, 0), 1);
	assert_int_equal(numa_of_port(&n, 1), 0);
	assert_int_equal(numa_of_port(&n, 2), 1);
	assert_int_equal(n.tables, 1);            /* most ports */
	assert_int_equal(numa_of_port(&n, 3), 1); /* says nothing: near the tables */
	n = plan((int[]){0, 1}, 2, 0);
	assert_int_equal(n.tables, 0); /* as many on each: the first */
}

/* All ports on the other socket than the control core: nothing of theirs lies with it. */
static void ports_far_from_control(void **state)
{
	struct numa n = plan((int[]){1, 1}, 2, 0);

	assert_int_equal(n.n, 1);
	assert_int_equal(n.socket[0], 1);
	assert_int_equal(n.tables, 1);
}

static void more_sockets_than_there_is_room_for(void **state)
{
	int many[NUMA_SOCKETS_MAX + 2];
	struct numa n;

	for (int i = 0; i < NUMA_SOCKETS_MAX + 2; i++)
		many[i] = i;
	n = plan(many, NUMA_SOCKETS_MAX + 2, 0);
	assert_int_equal(n.n, NUMA_SOCKETS_MAX);
	assert_int_equal(numa_of_port(&n, NUMA_SOCKETS_MAX), 0);
}

static void expect_order(const int *workers, unsigned n, int socket, unsigned first,
	unsigned want_near, const uint16_t *want)
{
	uint16_t order[16];

	memset(order, 0xff, sizeof(order));
	assert_int_equal(numa_workers(workers, n, socket, first, order), want_near);
	assert_memory_equal(order, want, n * sizeof(*want));
}

static void near_workers_first(void **state)
{
	const int two[] = {0, 1, 0, 1}, one[] = {0, 0, 0};

	expect_order(two, 4, 0, 0, 2, (uint16_t[]){0, 2, 1, 3});
	expect_order(two, 4, 1, 0, 2, (uint16_t[]){1, 3, 0, 2});
	/* the second port begins with another */
	expect_order(two, 4, 1, 1, 2, (uint16_t[]){3, 1, 2, 0});
	expect_order(two, 4, 1, 2, 2, (uint16_t[]){1, 3, 0, 2});
	/* nobody near */
	expect_order(two, 4, 5, 1, 0, (uint16_t[]){1, 2, 3, 0});
	/* one socket: as if there were none */
	expect_order(one, 3, 0, 0, 3, (uint16_t[]){0, 1, 2});
	expect_order(one, 3, 0, 1, 3, (uint16_t[]){1, 2, 0});
	expect_order(one, 3, 0, 5, 3, (uint16_t[]){2, 0, 1});
	expect_order(one, 1, 0, 7, 1, (uint16_t[]){0});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_socket),
		cmocka_unit_test(nobody_says),
		cmocka_unit_test(two_sockets),
		cmocka_unit_test(ports_far_from_control),
		cmocka_unit_test(more_sockets_than_there_is_room_for),
		cmocka_unit_test(near_workers_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
