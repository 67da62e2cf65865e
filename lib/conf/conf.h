/* The configuration as a value: text -> struct conf -> check. Whoever applies it builds tables from
 * it (app/posternd/build.c). Nothing here has effects beyond reading files.
 *
 * Used by posternd (boot, reload, --check), tests and fuzzers. Any thread, no shared state.
 * docs/config.md and postern.conf(5) say what each setting means; a test holds them to
 * settings.def.
 */
#pragma once

#include "base/errs.h"
#include "wire/addr.h"
#include "wire/ra.h"
#include "wire/rule.h"
#include "wire/selector.h"
#include "wire/suite.h"

#include <stdbool.h>
#include <stdint.h>

#define CONF_NAME_MAX 32 /* bytes of a name with its end; names are [a-zA-Z0-9][a-zA-Z0-9_.-]* */
#define CONF_PORTS_MAX 32
#define CONF_IFACES_MAX 1024
#define CONF_ADDRS_MAX 64 /* addresses per interface */
#define CONF_PATHS_MAX 16 /* next hops of one route (ECMP) */
#define CONF_ROUTES_MAX 2000000
#define CONF_NEIGHS_MAX 65536
#define CONF_LCORES_MAX 128
#define CONF_TUNNELS_MAX 65535
#define CONF_SAS_MAX 262143 /* of all tunnels together */
#define CONF_POLICIES_MAX 65536
#define CONF_TUNNEL_NUMBER_MAX 65535 /* t= of the filter */
#define CONF_TUNNEL_NONE UINT32_MAX  /* no index in conf.ipsec.tunnels */
#define CONF_OWNER_ANY (-1)
#define CONF_MTU_MIN 576
#define CONF_MTU_MIN6 1280 /* of an interface with an IPv6 address: RFC 8200 section 5 */
#define CONF_MTU_MAX 9000

/* memory: auto tries hugepages and falls back. */
enum conf_memory { CONF_MEM_AUTO, CONF_MEM_HUGEPAGES, CONF_MEM_NO_HUGE };
/* idle: poll burns the core; sleep pauses idle_sleep_us when nothing came for idle_after_us;
 * interrupt waits for the device's receive interrupt, where it has one, else sleeps. */
enum conf_idle { CONF_IDLE_POLL, CONF_IDLE_SLEEP, CONF_IDLE_INTERRUPT };
enum conf_auto { CONF_AUTO, CONF_ON, CONF_OFF };
enum conf_urpf { CONF_URPF_OFF, CONF_URPF_LOOSE, CONF_URPF_STRICT };
/* What happens to packets with IPv4 options: drop all, forward those that aren't source routes,
 * forward all (a source route is then forwarded as an ordinary packet, never followed). */
enum conf_options { CONF_OPT_DROP, CONF_OPT_FORWARD_SAFE, CONF_OPT_FORWARD };

/* system: all of it needs a restart. */
struct conf_system {
	int control_lcore; /* CPU number; -1: chosen */
	uint16_t workers;  /* how many; 0: chosen, or as many as lcores are named */
	uint16_t n_lcores; /* CPU numbers of the workers; 0: chosen. A CPU may be named twice */
	uint16_t lcores[CONF_LCORES_MAX];
	enum conf_memory memory;
	uint32_t memory_mb;     /* 0: chosen */
	uint32_t mbufs;         /* in the packet pool of each socket; 0: chosen */
	uint16_t burst_packets; /* 8 to 256, default 64: a walk's packets at most */
	uint32_t burst_bytes;   /* 4096 to 1048576, default 32768: and about so many bytes */
	enum conf_idle idle;
	uint32_t idle_after_us, idle_sleep_us;
};

struct conf_port {
	char name[CONF_NAME_MAX];
	char *device; /* full PCI address ("0000:03:00.0") or vdev string ("net_tap0,iface=t0") */
	uint16_t mtu; /* of the largest IP packet, CONF_MTU_MIN to CONF_MTU_MAX, default 1500 */
	bool has_mac;
	struct mac mac; /* set on the device */
	bool promiscuous;
	uint16_t rx_queues, tx_queues;           /* 0: chosen */
	uint16_t rx_descriptors, tx_descriptors; /* 0: chosen */
	enum conf_auto checksum_offload;
	unsigned line;
};

struct conf_iface {
	char name[CONF_NAME_MAX];
	uint16_t port; /* index in conf.ports; UINT16_MAX: none, it is a tunnel's */
	bool tunnel;   /* has no port: ipsec.tunnels[].interface names it */
	uint16_t vlan; /* 1 to 4094; 0: untagged */
	/* 802.1ad S-tag, 1 to 4094, and vlan is the C-tag within it; 0: there is none */
	uint16_t outer_vlan;
	uint16_t mtu; /* at most the port's; default the port's; a tunnel's: the largest port's */
	bool secure;  /* zone = "secure" | "nonsecure"; default nonsecure */
	bool enabled;
	enum conf_urpf urpf;
	bool directed_broadcast; /* deliver packets to a subnet's broadcast address out of it */
	uint8_t dad_transmits;   /* RFC 4862 section 5.1; 0: no duplicate address detection */
	uint16_t n_addrs;
	struct prefix *addrs; /* of either family, as in the text: host bits kept */
	struct ra *ra;        /* NULL: router-advertisements isn't there */
	unsigned line;
};

enum conf_route_kind {
	CONF_ROUTE_VIA,         /* next hops */
	CONF_ROUTE_BLACKHOLE,   /* dropped silently */
	CONF_ROUTE_UNREACHABLE, /* dropped with ICMP host unreachable */
	CONF_ROUTE_PROHIBIT,    /* dropped with ICMP administratively prohibited */
};

struct conf_route {
	struct prefix to; /* host bits zero */
	enum conf_route_kind kind;
	uint16_t n_paths;
	struct conf_path {
		struct addr via; /* of to's family; unspecified: directly on the interface */
		uint16_t iface;  /* index in conf.ifaces; found from via when none is named */
	} * paths;
	unsigned line;
};

struct conf_neigh { /* static */
	uint16_t iface;
	struct addr addr;
	struct mac mac;
	unsigned line;
};

struct conf_ip4 {
	enum conf_options options;
	uint8_t ttl;              /* of packets that we send, default 64 */
	uint32_t icmp_error_rate; /* a second, over all workers; 0: none are sent; default 1000 */
	uint32_t icmp_echo_rate; /* echo replies a second over all workers; 0: none; default 1000 */
	bool martians_drop;      /* drop martian sources (default) */
};

struct conf_ip6 {
	uint8_t hop_limit;             /* of packets that we send, default 64 */
	uint32_t icmp_error_rate;      /* as in ip4 */
	uint32_t icmp_echo_rate;       /* as in ip4 */
	bool martians_drop;            /* drop martian sources (default) */
	uint8_t extension_headers_max; /* a packet with more of them is dropped, default 8 */
};

struct conf_arp {
	uint32_t reachable_s; /* age at which an entry is probed again, default 30 */
	uint32_t retry_ms;    /* between requests, default 1000 */
	uint8_t retries;      /* requests before giving up, default 3 */
	uint32_t stale_s;     /* unused so long: deleted, default 600 */
	uint32_t entries_max; /* default 8192 */
	uint16_t queue; /* packets that wait per unresolved neighbour and worker, default 16 */
	uint32_t
		punt_rate; /* ARP packets a second to the control core, all workers, default 1000 */
};

struct conf_nd {                 /* neighbour discovery, RFC 4861 */
	uint32_t reachable_s;    /* ReachableTime, default 30 */
	uint32_t retry_ms;       /* RetransTimer, default 1000 */
	uint8_t retries;         /* MAX_MULTICAST_SOLICIT and MAX_UNICAST_SOLICIT, default 3 */
	uint32_t stale_s;        /* unused so long: deleted, default 600 */
	uint32_t entries_max;    /* default 8192 */
	uint16_t queue;          /* as arp.queue */
	uint32_t punt_rate;      /* as arp.punt_rate, for ND packets */
	uint32_t resolve_rate;   /* new neighbours a second that are asked for, default 1000 */
	uint32_t incomplete_max; /* unresolved ones at a time, default 1024 */
};

struct conf_reassembly {     /* of both families */
	uint32_t datagrams;  /* being put together at a time, default 1024 */
	uint32_t per_source; /* of one source address, default 64 */
	uint16_t fragments;  /* of one datagram, default 64 */
	uint16_t timeout_s;  /* from the first fragment on, default 60 */
};

enum conf_tunnel_proto { CONF_TUNNEL_ESP = 1, CONF_TUNNEL_AH = 2, CONF_TUNNEL_ESP_AH = 3 };
enum conf_df { CONF_DF_COPY, CONF_DF_SET, CONF_DF_CLEAR };
#define CONF_DSCP_COPY 64
#define CONF_MSS_AUTO 0
#define CONF_MSS_OFF UINT16_MAX

struct conf_tunnel {
	char name[CONF_NAME_MAX];
	uint32_t number; /* t= of classic rules, 1 to CONF_TUNNEL_NUMBER_MAX; 0: none */
	/* rule.tunnel of rules that mean it: number, or one above CONF_TUNNEL_NUMBER_MAX */
	uint32_t rule;
	bool transport;   /* mode; else tunnel mode */
	uint8_t protocol; /* enum conf_tunnel_proto */
	struct addr local, remote;
	bool encap; /* ESP in UDP (RFC 3948) */
	uint16_t local_port, remote_port;
	bool follow;    /* the peer's address and port may change */
	uint16_t iface; /* index in conf.ifaces, of a tunnel interface; UINT16_MAX: none */
	uint8_t dscp;   /* 0 to 63; CONF_DSCP_COPY: the inner packet's */
	bool ecn;
	uint8_t df; /* enum conf_df */
	uint8_t ttl;
	bool flow_label;
	bool fragment_after;      /* else what is too large is cut before it is protected */
	uint16_t mss;             /* CONF_MSS_AUTO, CONF_MSS_OFF, or 88 to 65495 */
	uint16_t mtu;             /* of inner packets; 0: follows from the path */
	uint32_t first_sa, n_sas; /* in conf.ipsec.sas */
	unsigned line;
};

struct conf_sa { /* a manual one */
	char name[CONF_NAME_MAX];
	uint32_t tunnel; /* index in conf.ipsec.tunnels */
	bool out;        /* direction */
	uint8_t proto;   /* PROTO_ESP or PROTO_AH */
	bool esn;
	uint32_t spi;            /* host byte order */
	struct suite suite;      /* enc and integ 0: it was wrong */
	bool counter_mode;       /* a nonce of it must never come twice with one key */
	uint8_t *key;            /* suite_key_len bytes, in conf.ipsec.keys */
	int64_t created;         /* UTC; 0: not known */
	uint32_t window;         /* inbound: packets, 0 or 32 to 65536 */
	uint32_t soft_s, hard_s; /* lifetimes; 0: none */
	uint64_t soft_bytes, hard_bytes, soft_packets, hard_packets;
	int owner; /* worker, or CONF_OWNER_ANY */
	unsigned line;
};

enum conf_policy_action { CONF_POLICY_BYPASS, CONF_POLICY_DISCARD, CONF_POLICY_PROTECT };

struct conf_policy {
	char name[CONF_NAME_MAX]; /* "": none */
	uint8_t action;           /* enum conf_policy_action */
	uint8_t dir;     /* RULE_IN, RULE_OUT or both: then sel is as outbound packets have it */
	uint32_t tunnel; /* CONF_POLICY_PROTECT: index in conf.ipsec.tunnels */
	struct selector sel;
	unsigned line;
};

struct conf_ipsec {
	bool allow_legacy, predecap_filter, generated_rules;
	bool discard_unmatched; /* packets that no policy is about; else they pass */
	uint8_t nesting_max;
	uint32_t sas_max;
	uint32_t key_age_days; /* manual keys older than that are warned of; 0: none are */
	uint32_t n_tunnels, n_sas, n_policies;
	struct conf_tunnel *tunnels;
	struct conf_sa *sas; /* those of one tunnel stand together */
	struct conf_policy *policies;
	uint8_t *keys; /* of base/secret.h; keys_size bytes */
	size_t keys_size;
};

enum conf_log_to { CONF_LOG_NONE, CONF_LOG_FILE, CONF_LOG_SYSLOG };

struct conf_log { /* the filter log */
	enum conf_log_to to;
	char *file;
	uint32_t rate,
		burst; /* records a second over all workers, 1000 and 1000; the rest is counted */
	uint16_t n_drops; /* names of drop reasons that are logged besides log rules */
	char **drops;     /* checked by whoever knows the reasons: lib/dp */
};

struct conf_control {
	char *socket;         /* default "/run/postern/control.sock" */
	char *group;          /* NULL: none, mode 0600; else 0660 */
	uint16_t clients_max; /* default 32 */
};

struct conf {
	char *file;
	struct conf_system system;
	uint16_t n_ports, n_ifaces;
	struct conf_port *ports;
	struct conf_iface *ifaces;
	uint32_t n_routes, n_neighs, n_rules;
	struct conf_route *routes;
	struct conf_neigh *neighs;
	struct rule *rules; /* in order: each rule's file strings are owned by conf */
	uint16_t n_files;
	char **files; /* for rule.file: [0] the config itself, then rule files with their folder */
	bool classic_tunnel_match_any;
	struct conf_ip4 ip4;
	struct conf_ip6 ip6;
	struct conf_arp arp;
	struct conf_nd nd;
	struct conf_reassembly reassembly;
	struct conf_ipsec ipsec;
	struct conf_log log;
	struct conf_control control;
};

/* Reads and checks path and every file it names. Returns a new configuration, or NULL with all
 * errors in errs (warnings may be there in either case). A relative file name in the text is
 * relative to the folder of path. Free with conf_free. */
struct conf *conf_load(const char *path, struct errs *errs);

/* The same from text in memory (tests, fuzzers): name stands for the path in messages, and dir is
 * where relative file names start; NULL: a rule file in the text is an error. */
struct conf *conf_parse(const char *text, const char *name, const char *dir, struct errs *errs);

/* Wipes the keys. NULL is permitted. */
void conf_free(struct conf *conf);

/* Rule lines of the classic syntax (rulefile.c). Appends to *rules (realloc'ed, *n grows); errors
 * go to errs and nothing is appended. Stops at RULES_MAX. name must outlive the rules. text needs
 * no terminator and may hold any bytes. */
int rulefile_parse(const char *text, size_t len, const char *name, struct rule **rules, uint32_t *n,
	struct errs *errs);

/* Settings that differ between two configurations and that a reload can't apply: each is added to
 * errs as an error naming the setting, its running value and the new one. Returns how many. */
unsigned conf_diff_restart(const struct conf *running, const struct conf *next, struct errs *errs);
