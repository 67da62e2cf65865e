/* Boot, stage EAL: which cores, how much memory and of what kind; says what it chose. Control core.
 */
#include "app.h"

#include "base/log.h"

#include <errno.h>
#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_vect.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARGS_MAX (32 + 2 * CONF_PORTS_MAX)

struct args {
	char *v[ARGS_MAX + 1];
	int n;
};

static void arg(struct args *args, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void arg(struct args *args, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (args->n < ARGS_MAX && vasprintf(&args->v[args->n], fmt, ap) >= 0)
		args->n++;
	va_end(ap);
}

/* CPUs we may run on, in order. */
static unsigned cpus(unsigned cpu[], unsigned max)
{
	cpu_set_t set;
	unsigned n = 0;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 0;
	for (unsigned i = 0; i < CPU_SETSIZE && n < max; i++)
		if (CPU_ISSET(i, &set))
			cpu[n++] = i;
	return n;
}

static int choose_cores(struct app *a)
{
	const struct conf_system *s = &a->conf->system;
	unsigned cpu[CONF_LCORES_MAX], n = cpus(cpu, CONF_LCORES_MAX), workers;

	if (n == 0) {
		log_error("can't tell which CPUs this process may use");
		return -1;
	}
	workers = s->workers ? s->workers : s->n_lcores ? s->n_lcores : n > 1 ? n - 1 : 1;
	if (workers > WORKERS_MAX) {
		log_error("system.workers: %u, at most %u are possible", workers, WORKERS_MAX);
		return -1;
	}
	a->n_workers = workers;
	a->control_cpu = s->control_lcore >= 0 ? (unsigned)s->control_lcore : cpu[0];
	for (unsigned i = 0; i < workers; i++) {
		if (s->n_lcores)
			a->worker_cpu[i] = s->lcores[i % s->n_lcores];
		else /* leave the control core alone where there is another */
			a->worker_cpu[i] = n > 1 ? cpu[1 + i % (n - 1)] : cpu[0];
		a->shares_cpu |= a->worker_cpu[i] == a->control_cpu;
	}
	if (!s->workers && !s->n_lcores)
		app_note(a,
			"cores: %u CPUs, so the control core is CPU %u and there %s %u worker%s", n,
			a->control_cpu, workers == 1 ? "is" : "are", workers,
			workers == 1 ? "" : "s");
	if (a->shares_cpu)
		app_note(a,
			"cores: a worker shares CPU %u with the control core; each delays the "
			"other",
			a->control_cpu);
	return 0;
}

static uint64_t read_number(const char *path)
{
	FILE *f = fopen(path, "re");
	unsigned long long v = 0;

	if (f) {
		if (fscanf(f, "%llu", &v) != 1)
			v = 0;
		fclose(f);
	}
	return v;
}

static uint32_t free_huge_mb(void)
{
	return (uint32_t)(read_number("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages") *
				  2 +
			  read_number(
				  "/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages") *
				  1024);
}

static uint32_t ram_mb(void)
{
	return (uint32_t)((uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) >>
			  20);
}

/* Packet buffers: what the queues can hold, what workers have in hand, and some to wait. */
static uint32_t choose_mbufs(struct app *a)
{
	const struct conf *c = a->conf;
	uint32_t n = 0;

	if (c->system.mbufs)
		return c->system.mbufs;
	for (unsigned i = 0; i < c->n_ports; i++)
		n += (uint32_t)a->n_workers *
		     ((c->ports[i].rx_descriptors ? c->ports[i].rx_descriptors : 1024u) +
			     (c->ports[i].tx_descriptors ? c->ports[i].tx_descriptors : 1024u));
	n += a->n_workers * (3 * WALK_PACKETS_MAX + 512 + 2 * 2048) + 4096;
	return n | 8191u; /* 2^q - 1 wastes least of a mempool */
}

/* MiB for the filter, old and new at once: a list of 100,000 takes 350 MiB, in IPv6 480, where one
 * of 1,000 takes 160 already (acl_ctx.c says why). */
static uint64_t filter_memory(const struct conf *c)
{
	uint64_t n4 = 0, n6 = 0;

	for (uint32_t i = 0; i < c->n_rules; i++) {
		n4 += (rule_families(&c->rules[i]) & RULE_IP4) != 0;
		n6 += (rule_families(&c->rules[i]) & RULE_IP6) != 0;
	}
	/* policies are compiled as rules are, of each direction by itself; tunnels have rules too
	 */
	n4 += 2ull * c->ipsec.n_policies + 4ull * c->ipsec.n_tunnels;
	n6 += 2ull * c->ipsec.n_policies + 4ull * c->ipsec.n_tunnels;
	return 192 + n4 / 140 + RTE_MIN(n6, 1000u) / 3 + n6 / 100;
}

/* MiB for both copies of the routes (route_fib.c): a table of 32 each for IPv4 and IPv6, which is
 * of 64 where many IPv6 prefixes are long, and what a route takes, with room for an eighth more. */
static uint64_t route_memory(const struct conf *c)
{
	uint64_t n4 = 0, n6 = 0;
	bool has6 = false;

	for (uint32_t i = 0; i < c->n_routes; i++) {
		n4 += addr_is4(&c->routes[i].to.addr);
		n6 += !addr_is4(&c->routes[i].to.addr);
	}
	for (unsigned i = 0; i < c->n_ifaces; i++)
		for (unsigned k = 0; k < c->ifaces[i].n_addrs; k++)
			has6 |= !addr_is4(&c->ifaces[i].addrs[k].addr);
	return 68 + (n6 || has6 ? 68 : 0) + (n6 > 5000 ? 64 : 0) + n4 / 950 + n6 / 230;
}

/* On how many sockets there will be ports. The kernel knows before EAL does; what it does not name
 * counts as one. */
static unsigned port_sockets(const struct conf *c)
{
	bool seen[NUMA_SOCKETS_MAX] = {false};
	unsigned n = 0;

	for (unsigned i = 0; i < c->n_ports; i++) {
		const char *device = c->ports[i].device;
		int len = (int)strcspn(device, ",");
		char path[128];
		uint64_t node;

		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s%.*s/numa_node",
			strchr(device, ':') == strrchr(device, ':') ? "0000:" : "", len, device);
		node = read_number(path); /* -1, too large to be one: it does not know */
		if (node < NUMA_SOCKETS_MAX && !seen[node]) {
			seen[node] = true;
			n++;
		}
	}
	return n ? n : 1;
}

/* Two route tables of 32 MiB (one aside while a reload builds), buffers, counters, the filter. */
static uint32_t choose_memory(struct app *a)
{
	const struct conf *c = a->conf;
	uint64_t mb = (a->env.memory.mbufs * (uint64_t)(ports_data_room(c) + 256) >> 20) *
		      port_sockets(c);

	if (c->system.memory_mb)
		return c->system.memory_mb;
	mb += 96 + a->n_workers * 8;
	mb += route_memory(c) + filter_memory(c);
	if (mb > ram_mb() / 2)
		mb = ram_mb() / 2;
	return (uint32_t)mb;
}

static int memory_args(struct app *a, struct args *args)
{
	const struct conf_system *s = &a->conf->system;
	uint32_t have = free_huge_mb(), want;
	bool huge;

	a->env.memory.mbufs = choose_mbufs(a);
	want = choose_memory(a);
	huge = s->memory == CONF_MEM_HUGEPAGES || (s->memory == CONF_MEM_AUTO && have >= want);
	if (s->memory == CONF_MEM_HUGEPAGES && have < want) {
		log_error("system.memory is \"hugepages\": %u MiB are needed, %u MiB are free; "
			  "sysctl vm.nr_hugepages=%u would do",
			want, have, want / 2 + 1);
		return -1;
	}
	a->env.memory.mode = huge ? "hugepages" : "no hugepages";
	a->env.memory.mb = want;
	if (huge)
		app_note(a, "memory: %u MiB of hugepages", want);
	else
		app_note(a,
			"memory: %u MiB without hugepages: costs TLB misses on each packet, and "
			"devices "
			"behind vfio-pci need them; sysctl vm.nr_hugepages=%u would do",
			want, want / 2 + 1);
	/* in either case nothing is shared or left in the file system; --in-memory, which says so,
	 * is refused without hugepages */
	arg(args, huge ? "--in-memory" : "--no-huge");
	if (!huge)
		arg(args, "--no-shconf");
	arg(args, "-m");
	arg(args, "%u", want);
	return 0;
}

static void device_args(const struct app *a, struct args *args)
{
	const struct conf *c = a->conf;
	bool pci = false, shared = false;

	for (unsigned i = 0; i < c->n_ports; i++) {
		const char *device = c->ports[i].device;
		bool vdev = !strncmp(device, "net_", 4) || !strncmp(device, "eth_", 4);

		arg(args, "%s", vdev ? "--vdev" : "-a");
		arg(args, "%s", device);
		pci |= !vdev;
		shared |= strstr(device, "vhost") || strstr(device, "virtio_user") ||
			  strstr(device, "memif");
	}
	if (!pci)
		arg(args, "--no-pci");
	/* a peer process maps our memory by file */
	if (shared && strcmp(a->env.memory.mode, "hugepages") == 0)
		arg(args, "--single-file-segments");
}

int boot_eal(struct app *a)
{
	struct args args = {0};
	char *passed[ARGS_MAX + 1];
	int ret = -1;

	if (choose_cores(a) < 0)
		return -1;
	arg(&args, "posternd");
	arg(&args, "--no-telemetry");
	arg(&args, "--log-level=%s",
		getenv("POSTERN_EAL_LOG") ? getenv("POSTERN_EAL_LOG") : "warning");
	arg(&args, "--lcores");
	args.v[args.n] = calloc(1, 16 * (WORKERS_MAX + 1));
	if (args.v[args.n] == NULL)
		goto out;
	sprintf(args.v[args.n], "0@%u", a->control_cpu);
	for (unsigned i = 0; i < a->n_workers; i++)
		sprintf(args.v[args.n] + strlen(args.v[args.n]), ",%u@%u", i + 1, a->worker_cpu[i]);
	args.n++;
	if (memory_args(a, &args) < 0)
		goto out;
	device_args(a, &args);

	/* EAL reorders its arguments; keep our own pointers for free */
	memcpy(passed, args.v, sizeof(passed));
	if (rte_eal_init(args.n, passed) < 0) {
		log_error("DPDK's EAL did not start: %s; its messages above say more",
			rte_strerror(rte_errno));
		goto out;
	}
	a->eal = true;
	/* rte_acl and rte_fib pick AVX-512 only where this is raised */
	rte_vect_set_max_simd_bitwidth(RTE_VECT_SIMD_512);
	ret = 0;
out:
	for (int i = 0; i < args.n; i++)
		free(args.v[i]);
	return ret;
}
