/* posternd: the command line. Everything else is in boot.c and control.c.
 */
#include "app.h"

#include "base/log.h"

#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DEFAULT_CONFIG "/etc/postern/postern.conf"

static const char usage[] =
	"usage: posternd [-c FILE] [--syslog] [--debug]\n"
	"       posternd --check FILE\n"
	"       posternd --version | --help\n"
	"\n"
	"  -c, --config FILE  run with this configuration (default " DEFAULT_CONFIG ")\n"
	"      --check FILE   say what is wrong with a configuration, and exit: 0 good, 1 not\n"
	"      --syslog       send the daemon's own messages to syslog too\n"
	"      --debug        say more\n"
	"\n"
	"posternd stays in the foreground; see posternd(8), postern.conf(5), posternctl(1).\n";

static struct conf *load(const char *path, struct errs *errs)
{
	struct conf *conf = conf_load(path, errs);

	if (conf)
		check_names(conf, errs);
	if (errs->n_errors) {
		conf_free(conf);
		conf = NULL;
	}
	return conf;
}

static int check(const char *path)
{
	struct errs errs = {0};
	struct conf *conf = load(path, &errs);

	errs_print(&errs, stderr);
	if (conf)
		printf("%s: good: %u ports, %u interfaces, %u routes, %u rules\n", path,
			conf->n_ports, conf->n_ifaces, conf->n_routes, conf->n_rules);
	else
		fprintf(stderr, "%s: %zu error%s\n", path, errs.n_errors,
			errs.n_errors == 1 ? "" : "s");
	errs_fini(&errs);
	conf_free(conf);
	return conf ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Before anything is touched: a second daemon would fight over the devices. */
static bool already_runs(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd, ret;

	if (strlen(path) >= sizeof(addr.sun_path))
		return false;
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	ret = connect(fd, (struct sockaddr *)&addr, sizeof(addr));
	close(fd);
	return ret == 0;
}

static int run(const char *path)
{
	struct errs errs = {0};
	struct conf *conf = load(path, &errs);
	struct app *a;
	int status = EXIT_FAILURE;

	errs_print(&errs, stderr);
	errs_fini(&errs);
	if (conf == NULL) {
		log_error("%s: not a usable configuration; nothing was started", path);
		return EXIT_FAILURE;
	}
	if (already_runs(conf->control.socket)) {
		log_error("a daemon answers on %s already; nothing was started",
			conf->control.socket);
		conf_free(conf);
		return EXIT_FAILURE;
	}
	a = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN(sizeof(*a), RTE_CACHE_LINE_SIZE));
	if (a == NULL) {
		conf_free(conf);
		return EXIT_FAILURE;
	}
	memset(a, 0, sizeof(*a));
	if (app_boot(a, conf) == 0 && control_init(a) == 0 && workers_launch(a) == 0) {
		log_info("ready: %u ports, %u interfaces, %u routes, %u rules, %u worker%s",
			conf->n_ports, conf->n_ifaces, conf->n_routes, conf->n_rules, a->n_workers,
			a->n_workers == 1 ? "" : "s");
		notify("READY=1");
		control_run(a);
		notify("STOPPING=1");
		log_info("stopping");
		status = EXIT_SUCCESS;
	}
	if (a->ra)
		ra_db_stop(a->ra); /* the workers still send it */
	workers_stop(a);
	control_fini(a);
	app_fini(a);
	free(a);
	return status;
}

/* The builder makes and drops hundreds of MiB in a reload. Given back to the kernel each time, they
 * can cost the workers interrupts (TLB shootdowns). On a shared machine the gain is hard to see:
 * docs/performance.md has the longest gaps between two walks. */
static void keep_memory(void)
{
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, 32 << 20);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	mallopt(M_TOP_PAD, 64 << 20);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", required_argument, NULL, 'k'},
		{"syslog", no_argument, NULL, 's'},
		{"debug", no_argument, NULL, 'd'},
		{"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	const char *config = DEFAULT_CONFIG, *to_check = NULL;
	bool syslog = false, debug = false;
	int opt;

	while ((opt = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			config = optarg;
			break;
		case 'k':
			to_check = optarg;
			break;
		case 's':
			syslog = true;
			break;
		case 'd':
			debug = true;
			break;
		case 'v':
			puts("posternd " POSTERN_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "posternd: unexpected argument: %s\n%s", argv[optind], usage);
		return 2;
	}
	keep_memory();
	log_setup(debug ? LOG_LVL_DEBUG : LOG_LVL_INFO, syslog);
	return to_check ? check(to_check) : run(config);
}
