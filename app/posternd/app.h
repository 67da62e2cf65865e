/* posternd from within: the one value that holds the daemon, and the stages that make it.
 *
 * boot.c fills it stage by stage, control.c runs it, reload.c changes its tables, main.c wraps it
 * for the command line; tests drive it step by step. Control core, unless said otherwise.
 */
#pragma once

#include "numa.h"

#include "conf/conf.h"
#include "ctl/ctl.h"
#include "dp/worker.h"

#include <limits.h>
#include <pthread.h>

#define NOTES_MAX 64

/* A table set that workers may read, with what it was made from. Routes change more often than the
 * rest: their swaps go to and fro between the two roots, which differ in nothing else. */
struct tables {
	struct root root[2];
	unsigned side; /* the root that is published */
	struct ports *ports;
	struct acl *acl;
	struct acl_build_stats acl_stats;
	struct ipsec_tables *ipsec;
};

/* Of IPsec, beside what workers see: view. */
struct ipsec_tables {
	struct ipsec view;
	struct tunnel *tunnel; /* by id */
	uint16_t *id;          /* by index in conf.ipsec.tunnels */
	uint64_t *udp_port;
	struct spd *spd;
	struct ctl_policy *added; /* policies of the control socket that are in spd */
	uint32_t n_added;
	bool used; /* else the root has none: nothing is configured */
};

/* What differs from the running tables besides the configuration: a policy that the control socket
 * adds, or takes out. */
struct ipsec_change {
	const struct ipsec_tables *running; /* NULL at boot */
	const struct ctl_policy *policy;    /* NULL: none */
	bool add;
};

struct tunnel_name {
	char name[TUNNEL_NAME_MAX];
	uint16_t next;
};

struct tunnel_ids { /* tunnel_ids.c */
	pthread_mutex_t lock;
	uint16_t *head;
	struct tunnel_name *entry; /* [room] by id */
	uint32_t n, room;
};

struct sa_seen { /* of an SA when it was last looked at, by index */
	uint32_t handle, peer_version;
	bool soft_told;
	uint64_t packets, sent_ms; /* outbound: when it last sent something */
	uint16_t path_mtu;         /* as it was then, */
	uint64_t path_mtu_ms;      /* and since when it is so */
};

struct ipsec_app { /* ipsec.c */
	struct tunnel_ids ids;
	struct sad_db *made; /* ipsec_build makes it when it is first needed */
	struct sad_db *sad;  /* the same, once tables have it */
	struct sa_seen *seen;
	uint32_t scan;
	uint64_t scanned_ms;
	uint64_t *acquired_ms; /* by tunnel id: last logged */
};

/* RELOAD_WAIT: for the routes to be left alone by others. RELOAD_SWEEP: the builder frees the
 * configuration that is no longer used, which takes its time when it is a large one. */
enum reload_stage {
	RELOAD_IDLE,
	RELOAD_CHECK,
	RELOAD_READ,
	RELOAD_WAIT,
	RELOAD_ROUTES,
	RELOAD_GRACE,
	RELOAD_SWEEP,
	RELOAD_POLICY /* not a reload: a policy of the control socket */
};

struct route_plan; /* routes.c */

struct reload { /* reload.c */
	enum reload_stage stage;
	char check_path[PATH_MAX]; /* RELOAD_CHECK */
	struct conf *conf;
	struct tables *next, *old;
	struct errs errs;
	struct route_plan *plan;
	struct conf *swept;         /* for the builder to free */
	int status;                 /* what is answered then */
	struct policy_call *policy; /* RELOAD_POLICY: whose */
	char why[512];
	uint64_t token; /* RCU, in RELOAD_GRACE */
	bool drained;   /* events of the old generation were read */
	void (*done)(void *arg, int status, const struct errs *errs);
	void *arg;
	/* the builder thread and its mailbox */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool started, work, quit;
	int ready_fd; /* eventfd: the builder has finished what it was given */
};

/* By hand: boot and tests do what the thread and the tick do. */
enum routing_stage { ROUTING_IDLE, ROUTING_WORK, ROUTING_GRACE, ROUTING_CATCH_UP, ROUTING_BY_HAND };

struct routing { /* routing.c */
	struct route_db *db;
	enum routing_stage stage;
	bool reload;                                /* the transaction is the reload's */
	bool link_changed;                          /* set by ports_poll_links */
	uint64_t retry_ms;                          /* not before then, when memory was short */
	uint64_t token;                             /* RCU, in ROUTING_GRACE */
	struct route_call *first, **last, *running; /* requests of the control socket */
	uint32_t *map;                              /* of a reload: a static route's next hops */
	bool *keep; /* of a reload: next hops that still make sense */
	/* the router thread and its mailbox */
	int status;
	char why[512];
	_Atomic bool done;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool started, work, quit;
};

struct port_setup {  /* what boot decided for a configured port */
	uint16_t id; /* DPDK port id */
	uint16_t n_rxq, n_txq, n_rxd, n_txd;
	uint16_t device_mtu; /* the configured one and room for tags */
	uint64_t rss_hf;     /* RTE_ETH_RSS_... asked of the device; 0: no RSS */
	bool spread, rx_checksum, rx_interrupt, fast_free;
};

struct pending_orders {
	struct order *order;
	size_t n, room;
};

struct app {
	struct conf *conf; /* the running one; owned */
	struct dp_shared shared;
	struct worker *worker[WORKERS_MAX];
	unsigned n_workers;
	unsigned control_cpu, worker_cpu[WORKERS_MAX];
	bool shares_cpu; /* control core and a worker on one CPU */
	struct numa numa;
	struct rte_mempool *pools[NUMA_SOCKETS_MAX]; /* packet buffers, by numa.socket */
	struct rte_mempool *pool;                    /* the control core's: that of numa.tables */
	struct port_setup port[CONF_PORTS_MAX];
	struct ctl_port ctl_port[CONF_PORTS_MAX];
	char iface_name[IFACES_MAX][IFACE_NAME_MAX]; /* ids stay with their names */
	unsigned n_iface_names;
	struct tables *tables; /* the published ones */
	struct neigh_db *neigh;
	struct ra_db *ra;
	struct mld_db *mld;
	struct acl_counters *counters;
	struct rule_counter *counter_base;
	struct pending_orders pending[WORKERS_MAX];
	struct filterlog *filterlog;
	struct ctl_env env;
	struct ctl_server *server;
	struct event_base *base;
	struct event *tick, *ready, *on_term, *on_int, *on_hup;
	struct reload reload;
	struct routing routing;
	struct ipsec_app ipsec;
	char *note[NOTES_MAX];
	unsigned n_notes;
	uint64_t link_polled_ms;
	int link_fd; /* link.c: to ask the kernel; 0: not yet */
	bool eal, launched;
	uint64_t punts_unknown; /* packets the control core could not use */
};

/* --- boot.c: stages. Each returns 0, or -1 with an error logged. */

/* conf becomes the app's. Chooses cores and memory, starts EAL, ports, tables, workers (not
 * launched) and their graphs. */
int app_boot(struct app *a, struct conf *conf);
/* The stages after boot_eal, with a->conf set: a test makes its devices in between. */
int app_boot_on_eal(struct app *a);
/* Undoes what was done, in reverse; the workers must have stopped. */
void app_fini(struct app *a);
/* A sentence of what was chosen, logged and shown in show workers. */
void app_note(struct app *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* --- eal.c */
int boot_eal(struct app *a);

/* --- ports.c */
int boot_devices(struct app *a); /* which device each port is, and where it lies */
int boot_ports(struct app *a);
void ports_stop(struct app *a);
/* Bytes of data room that the largest configured MTU asks for, headroom included. */
uint16_t ports_data_room(const struct conf *conf);
/* Looks at every port's link, and tells the neighbours of changes. */
void ports_poll_links(struct app *a);

/* --- link.c */

/* Has the configured port a link? 0, or -errno: nobody knows. */
int ports_link(struct app *a, unsigned port, bool *up);
void ports_link_fini(struct app *a);

/* --- build.c: conf -> tables */

/* The part that control owns: ports and policy. NULL with a sentence in why. */
struct tables *tables_begin(struct app *a, const struct conf *conf, char *why, size_t why_size);
/* The slow part, filter and IPsec, on whatever EAL thread. 0 or -1 with a sentence in why. errs:
 * warnings. */
int tables_compile(struct app *a, const struct conf *conf, struct tables *t, struct errs *errs,
	char *why, size_t why_size);
/* Frees tables that no worker reads. NULL is permitted. */
void tables_free(struct tables *t);
/* Publishes, with the routes that the transaction has made; the old ones are the caller's to free
 * after a grace period. */
struct tables *tables_publish(struct app *a, struct tables *t);
/* Publishes the running tables with other policies: they become t's, which has nothing else. The
 * old ones, without what t has now, are the caller's to free after a grace period. */
struct tables *tables_swap_ipsec(struct app *a, struct tables *t);
/* Publishes the routes that the transaction has made, and the rest as it is. False: there are
 * none. */
bool tables_swap_routes(struct app *a);
static inline const struct root *tables_root(const struct tables *t)
{
	return &t->root[t->side];
}
/* Static neighbours of the configuration. */
void tables_neighbours(struct app *a, const struct conf *conf);

/* --- tunnel_ids.c */

/* The id of a tunnel's name; TUNNEL_NONE: it has none, or there are no more. Any thread. */
uint16_t tunnel_id(struct app *a, const char *name, bool may_make);
void tunnel_ids_fini(struct app *a);

/* --- ipsec_build.c */

/* The tables of conf, on whatever EAL thread. NULL with a sentence in why and -errno in *status.
 * errs: warnings about policies of the socket that are gone. */
struct ipsec_tables *ipsec_build(struct app *a, const struct conf *conf,
	const struct ipsec_change *change, struct errs *errs, int *status, char *why,
	size_t why_size);
void ipsec_tables_free(struct ipsec_tables *t); /* NULL is permitted */
/* Tells tunnels and their interfaces of each other, before anyone sees either. */
void ipsec_join(const struct conf *conf, struct ipsec_tables *t, struct ports *ports);

/* --- ipsec_sas.c: SAs of the configuration */

/* Would the SAs of conf, which runs then with t, do? 0, or -1 with errors. */
int ipsec_check(struct app *a, const struct conf *conf, const struct tables *t, struct errs *errs);
/* Makes the SAs those of a->conf, whose tables are published: what stays the same is left alone.
 * was_conf, was: what ran before; NULL at boot. */
void ipsec_apply(struct app *a, const struct conf *was_conf, const struct tables *was);

/* --- keepalive.c: each second, of each SA */
void keepalive_look(struct app *a, const struct sa *sa, struct sa_seen *seen, uint64_t now_ms);

/* --- ipsec.c: SAs */
int ipsec_init(struct app *a);
void ipsec_fini(struct app *a); /* wipes; the workers have stopped */
/* An ICMP error said that a packet was too large: believed if it was one of ours. */
void ipsec_path_mtu(struct app *a, const struct path_mtu *told);
void ipsec_tick(struct app *a);
void ipsec_acquire(struct app *a, const struct event *e); /* a worker's EVENT_ACQUIRE */
int ipsec_sa_add(
	struct ctl_env *env, const struct ctl_sa *sa, uint32_t *handle, char *why, size_t why_size);
int ipsec_sa_delete(struct ctl_env *env, uint32_t handle, char *why, size_t why_size);

/* --- routes.c: the configuration's routes */

/* What the text says, on whatever thread. NULL with a sentence in why. */
struct route_plan *route_plan_new(const struct conf *conf, char *why, size_t why_size);
void route_plan_free(struct route_plan *p); /* NULL is permitted */
/* Begins the transaction that makes routes what plan says, for the interfaces of t. 0, or -1 with a
 * sentence in why: it is over. Empties plan. */
int routes_begin_reload(struct app *a, const struct conf *conf, const struct tables *t,
	struct route_plan *plan, char *why, size_t why_size);
void routes_interfaces(
	const struct app *a, const struct ports *p, struct route_iface iface[IFACES_MAX]);

/* --- route_resolve.c */

/* The next hops of a route that came by the socket. 0, or -errno with a sentence in why. */
int route_resolve(
	struct app *a, const struct ctl_route *route, uint32_t *hops, char *why, size_t why_size);

/* --- routing.c: transactions on the routes */
int routing_init(struct app *a);  /* needs a->neigh */
int routing_start(struct app *a); /* the thread */
void routing_stop(struct app *a);
void routing_fini(struct app *a);
/* Moves the running transaction on, or begins what waits. Every tick. */
void routing_tick(struct app *a);
/* The transaction that routes_begin_reload began goes on; reload_routed hears of it. */
void routing_begin_reload(struct app *a);
void routing_call(struct ctl_env *env, enum route_op op, struct ctl_route *route, uint32_t n,
	void (*done)(void *arg, const struct ctl_route_result *result), void *arg);
/* Both by hand, on the caller's thread. routing_apply makes the routes of conf, for tables_publish:
 * 0, or -1 with a sentence in why. After the grace period routing_applied ends it. */
int routing_apply(
	struct app *a, const struct conf *conf, struct tables *t, char *why, size_t why_size);
int routing_applied(struct app *a, char *why, size_t why_size);

/* --- reload.c */
int reload_init(struct app *a); /* needs a->base */
void reload_fini(struct app *a);
void reload_start(struct ctl_env *env, void (*done)(void *, int, const struct errs *), void *arg);
void reload_check(struct ctl_env *env, const char *path,
	void (*done)(void *, int, const struct errs *), void *arg);
/* Moves a reload on when workers have passed their grace period. Every tick. */
void reload_tick(struct app *a);
/* The routes may be touched. True: a reload has begun to. */
bool reload_wants_routes(struct app *a);
/* What came of its transaction. status 0: publish. False: nothing was published. */
bool reload_routed(struct app *a, int status, const char *why);
/* A policy of the control socket, added or taken out: see ctl.h. */
void reload_policy(struct ctl_env *env, const struct ctl_policy *policy, bool add,
	void (*done)(void *arg, int status, const char *why), void *arg);
/* What the conf room can't judge: names of drop reasons. */
void check_names(const struct conf *conf, struct errs *errs);

/* --- control.c: the control core's loop */
int control_init(struct app *a); /* event base, socket, log */
void control_fini(struct app *a);
/* One round: rings, ARP, links. Returns how many messages it handled. */
unsigned control_tick(struct app *a);
/* Until SIGTERM or SIGINT. */
void control_run(struct app *a);
uint64_t control_now_ms(void);

/* --- neigh.c: neighbours and router advertisements, as the control core deals with them */
int neigh_init(struct app *a); /* with a->conf and the pool; 0 or -ENOMEM */
void neigh_fini(struct app *a);
/* Settings of the configuration that runs now, whose tables are published. */
void neigh_apply(struct app *a, const struct conf *conf);
/* Announces our IPv4 addresses; those of IPv6 announce themselves when no duplicate was found. */
void neigh_start(struct app *a);
/* The port's link changed; may be told again. */
void neigh_link(struct app *a, uint16_t port, bool up);
/* ARP, or neighbour discovery, that a worker punted: 0, or -EINVAL for nonsense. */
int neigh_punted(struct app *a, const struct rte_mbuf *m);
void neigh_flush_orders(struct app *a, unsigned worker);

/* --- worker.c: the loop of a worker lcore */
int workers_launch(struct app *a);
void workers_stop(struct app *a); /* they drain and return */

/* --- notify.c: sd_notify(3) */
void notify(const char *state);
