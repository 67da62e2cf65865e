/* The control socket: JSON-RPC 2.0 over a UNIX stream socket, one object per line. Shows what the
 * daemon is and does, tests the filter, reloads the configuration.
 *
 * Runs in the control core's libevent loop. Methods and their results: docs/control.md.
 */
#pragma once

#include "base/errs.h"
#include "ctl/filterlog.h"
#include "dp/graph.h"
#include "dp/worker.h"
#include "table/acl_write.h"
#include "table/mld_send.h"
#include "table/neigh_write.h"
#include "table/ra_send.h"
#include "table/route_write.h"
#include "table/sad_write.h"
#include "table/spd_write.h"

#include <event2/event.h>
#include <stdbool.h>
#include <sys/types.h>

struct ctl_port { /* of a configured port, what show ports can't ask the device */
	const char *name, *device;
	uint16_t id, n_rxq, n_txq, n_rxd, n_txd;
	const char *checksum; /* "hardware" | "software" */
	const char *spread;   /* "rss" | "device" | "software" | "one worker" */
	int socket;           /* NUMA socket of its packets */
};

struct ctl_memory {
	const char *mode; /* "hugepages" | "no hugepages" */
	uint32_t mb, mbufs;
	struct rte_mempool *const *pools; /* of the packet buffers; NULL: none yet */
	unsigned n_pools;
};

#define CTL_PATHS_MAX 16 /* next hops of one route */

struct ctl_route { /* as asked for */
	struct prefix to;
	uint8_t type;  /* NH_VIA, NH_BLACKHOLE, NH_UNREACHABLE or NH_PROHIBIT */
	uint8_t n_via; /* NH_VIA: 0 where only the interface is said */
	struct ctl_via {
		struct addr addr;
		char iface[IFACE_NAME_MAX]; /* "": none is said */
	} via[CTL_PATHS_MAX];
	char iface[IFACE_NAME_MAX]; /* of all of them; "": found by each */
};

struct ctl_route_result {
	int status;      /* 0, or -errno: nothing was changed */
	uint32_t bad;    /* the route that is at fault, */
	const char *why; /* and a sentence */
};

struct ctl_sa { /* as asked for */
	char tunnel[TUNNEL_NAME_MAX];
	struct sa_info info;        /* but for its tunnel's id and added_ms */
	uint8_t key[SUITE_KEY_MAX]; /* suite_key_len bytes; whoever has it wipes it */
};

struct ctl_policy {                   /* as asked for; its name is not empty */
	struct policy policy;         /* but for its tunnel's id */
	char tunnel[TUNNEL_NAME_MAX]; /* POLICY_PROTECT */
	char before[TUNNEL_NAME_MAX]; /* the policy that it is put before; "": the last */
};

/* How busy the workers had been when somebody last looked. */
struct ctl_look {
	uint64_t tsc; /* 0: nobody has */
	uint64_t busy_cycles[WORKERS_MAX];
};

/* What the daemon gives the control server. Pointers live as long as the server. */
struct ctl_env {
	const char *version;
	const char *config_path;
	time_t started;
	struct dp_shared *shared;
	struct worker **worker; /* shared->n_workers */
	struct neigh_db *neigh;
	const struct ra_db *ra;
	const struct mld_db *mld;
	struct filterlog *filterlog;
	const struct ctl_port *port;
	unsigned n_ports;
	struct ctl_memory memory;
	const char *const *notes; /* sentences of what boot chose */
	unsigned n_notes;
	/* Sums of rule counters when their id was freed, subtracted from what workers count: by id.
	 */
	const struct rule_counter *counter_base;
	struct acl_build_stats acl_stats; /* of the table in use; the app updates it */
	struct ctl_look look[2];          /* the last ones, the older one first; api_workers.c */
	uint32_t reloads, reloads_failed;
	time_t reloaded;

	/* Checks a file (NULL: config_path) without applying it; done is called once from the event
	 * loop, now or later, with the errors (status 0: good, -EINVAL: not, -EBUSY: a reload or a
	 * check is under way). */
	void (*check)(struct ctl_env *env, const char *path,
		void (*done)(void *arg, int status, const struct errs *errs), void *arg);
	/* Starts a reload of config_path; done is called once from the event loop, now or later,
	 * with the errors (status 0: applied, -EINVAL: refused, -EBUSY: one is under way). */
	void (*reload)(struct ctl_env *env,
		void (*done)(void *arg, int status, const struct errs *errs), void *arg);
	struct route_db *routes;
	/* Changes routes, all n or none (malloc'ed, taken over); done is called once from the event
	 * loop, now or later, when all workers use them or when they were refused. */
	void (*route)(struct ctl_env *env, enum route_op op, struct ctl_route *route, uint32_t n,
		void (*done)(void *arg, const struct ctl_route_result *result), void *arg);
	/* IPsec. NULL: nothing of it is configured, and what follows may be NULL too. */
	const struct sad_db *sad;
	/* Adds or deletes an SA at once; added ones survive a reload while their tunnel stays. 0
	 * and *handle; or -errno with a sentence in why: -ENOENT no such tunnel or SA, -EEXIST,
	 * -EINVAL, -ENOSPC, -EPERM of the configuration. */
	int (*sa_add)(struct ctl_env *env, const struct ctl_sa *sa, uint32_t *handle, char *why,
		size_t why_size);
	int (*sa_delete)(struct ctl_env *env, uint32_t handle, char *why, size_t why_size);
	/* Adds a policy, or deletes the one that policy->policy.name names; done is called once
	 * from the event loop, now or later, when all workers use the new list or when it was
	 * refused (status as above, or -EBUSY). The list is the configuration's, and among them
	 * what was added. */
	void (*policy)(struct ctl_env *env, const struct ctl_policy *policy, bool add,
		void (*done)(void *arg, int status, const char *why), void *arg);
	void *app;
};

struct ctl_server;

/* Listens on path (mode 0600; 0660 and that group when group is not NULL). A stale socket file, on
 * which nobody answers, is replaced; with a daemon behind it the start is refused. NULL with a
 * sentence in why. */
struct ctl_server *ctl_server_new(struct event_base *base, const char *path, const char *group,
	unsigned clients_max, struct ctl_env *env, char *why, size_t why_size);
/* Closes all clients and unlinks the socket. */
void ctl_server_free(struct ctl_server *s);

/* One request line (without its newline) to one answer line (malloc'ed, with its newline; NULL for
 * a notification). For the server, tests and the fuzzer. env may be NULL: then methods that need it
 * answer with an error. Asynchronous methods (config.reload) call answered later and return NULL
 * with *pending set. */
char *ctl_handle(struct ctl_env *env, const char *line, size_t len,
	void (*answered)(void *arg, char *answer), void *arg, bool *pending);
