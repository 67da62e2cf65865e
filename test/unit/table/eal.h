/* Starts DPDK for a unit test: ordinary memory, no devices, one thread, nothing left on disk.
 *
 * Called once at the start of main.
 */
#pragma once

#include <rte_eal.h>
#include <rte_vect.h>

#include <stdio.h>
#include <stdlib.h>

static inline void eal_up(void)
{
	static char arg[][16] = {"test", "--no-huge", "-m", "512", "--no-pci", "--no-telemetry",
		"--no-shconf", "--lcores", "0", "--log-level", "5"};
	static char *argv[sizeof(arg) / sizeof(arg[0])];
	int argc = 0;

	for (; argc < (int)(sizeof(arg) / sizeof(arg[0])); argc++)
		argv[argc] = arg[argc];
	if (rte_eal_init(argc, argv) < 0) {
		fprintf(stderr, "EAL does not start\n");
		exit(1);
	}
	rte_vect_set_max_simd_bitwidth(RTE_VECT_SIMD_512);
}
