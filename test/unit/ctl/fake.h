/* A daemon for the control server's tests: environments with nothing behind them, and one with two
 * workers, interfaces and counters. No EAL is needed: routes and the filter are left out.
 */
#pragma once

#include "ctl/ctl.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct fake {
	struct ctl_env env;
	struct dp_shared shared;
	struct root root;
	struct ports ports;
	struct worker *worker[2];
	struct ctl_port port[1];
	/* a reload that is under way */
	void (*done)(void *arg, int status, const struct errs *errs);
	void *done_arg;
	bool reload_now;
	int status;
};

static void fake_check(struct ctl_env *env, const char *path,
	void (*done)(void *arg, int status, const struct errs *errs), void *arg)
{
	bool bad = path != NULL && strstr(path, "bad") != NULL;
	struct errs errs = {0};

	if (bad) {
		errs_add(&errs, path, 3, "ports[0].mtu", "found %d, expected 576 to 9000", 7);
		errs_warn(&errs, path, 0, "", "a warning");
	}
	done(arg, bad ? -EINVAL : 0, &errs);
	errs_fini(&errs);
}

static void fake_reload(struct ctl_env *env,
	void (*done)(void *arg, int status, const struct errs *errs), void *arg)
{
	struct fake *f = env->app;
	struct errs errs = {0};

	if (f->reload_now) {
		if (f->status != 0)
			errs_add(&errs, "f.conf", 1, "x", "wrong");
		done(arg, f->status, &errs);
		errs_fini(&errs);
		return;
	}
	f->done = done;
	f->done_arg = arg;
}

static inline struct fake *fake_new(void)
{
	struct fake *f = calloc(1, sizeof(*f));
	struct iface *lan = &f->ports.iface[1], *wan = &f->ports.iface[2];

	f->ports.n_ports = 1;
	f->ports.n_ifaces = 3;
	*lan = (struct iface){.id = 1, .zone = RULE_SECURE, .flags = IFACE_UP, .mtu = 1500};
	*wan = (struct iface){.id = 2, .zone = RULE_NONSECURE, .vlan = 7, .mtu = 1400};
	strcpy(lan->name, "lan0");
	strcpy(wan->name, "wan0");
	f->root = (struct root){.generation = 4, .ports = &f->ports};
	atomic_store(&f->shared.root, &f->root);
	f->shared.n_workers = 2;
	f->shared.tsc_hz = 1000000000;
	for (unsigned i = 0; i < 2; i++) {
		f->worker[i] = aligned_alloc(64, (sizeof(struct worker) + 63) / 64 * 64);
		memset(f->worker[i], 0, sizeof(struct worker));
		f->worker[i]->id = (uint16_t)i;
		f->worker[i]->lcore = UINT32_MAX;
		f->worker[i]->sample = calloc(DROP_N, sizeof(*f->worker[i]->sample));
	}
	f->port[0] = (struct ctl_port){.name = "p0",
		.device = "net_null0",
		.checksum = "software",
		.spread = "rss",
		.n_rxq = 1,
		.n_txq = 1};
	f->env = (struct ctl_env){.version = "1.2.3",
		.config_path = "/etc/postern/postern.conf",
		.started = time(NULL) - 10,
		.shared = &f->shared,
		.worker = f->worker,
		.port = f->port,
		.n_ports = 1,
		.memory = {.mode = "no hugepages", .mb = 256, .mbufs = 4096},
		.check = fake_check,
		.reload = fake_reload,
		.app = f};
	return f;
}

static inline void fake_free(struct fake *f)
{
	for (unsigned i = 0; i < 2; i++) {
		free(f->worker[i]->sample);
		free(f->worker[i]);
	}
	free(f);
}

static void fake_unexpected(void *arg, char *answer)
{
	fprintf(stderr, "an answer came later: %s", answer);
	abort();
}

/* The answer to a request as an object; NULL: none. */
static inline json_t *fake_ask_line(struct ctl_env *env, const char *line, size_t len)
{
	bool pending = false;
	char *text = ctl_handle(env, line, len, fake_unexpected, NULL, &pending);
	json_t *answer;

	if (text == NULL)
		return NULL;
	if (text[strlen(text) - 1] != '\n')
		abort();
	answer = json_loads(text, 0, NULL);
	free(text);
	if (answer == NULL)
		abort();
	return answer;
}

static inline json_t *fake_ask(struct ctl_env *env, const char *line)
{
	return fake_ask_line(env, line, strlen(line));
}

/* The result of a method; aborts on an error. New reference. */
static inline json_t *fake_call(struct ctl_env *env, const char *method, const char *params)
{
	char line[2048];
	json_t *answer, *result;

	snprintf(line, sizeof(line),
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}", method, params);
	answer = fake_ask(env, line);
	result = json_incref(json_object_get(answer, "result"));
	if (result == NULL)
		json_dumpf(answer, stderr, 0);
	json_decref(answer);
	return result;
}

static inline int fake_code(json_t *answer)
{
	return (int)json_integer_value(json_object_get(json_object_get(answer, "error"), "code"));
}

static inline const char *fake_message(json_t *answer)
{
	return json_string_value(json_object_get(json_object_get(answer, "error"), "message"));
}
