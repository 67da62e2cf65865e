/* What the parts of the parser share: where they are in the text, how they report, what they have
 * learnt so far. Private to conf.
 *
 * One struct parse lives for one conf_parse call, on its stack. No other state.
 */
#pragma once

#include "conf/conf.h"
#include "conf/settings.h"

#include <libconfig.h>

#define CONF_FILES_MAX 256             /* rule files */
#define CONF_DROPS_MAX 256             /* log.drops */
#define CONF_TEXT_MAX (256u << 20)     /* bytes of a configuration file */
#define CONF_RULE_TEXT_MAX (64u << 20) /* bytes of a rule file */
#define CONF_QUOTED 160                /* buffers of quoted and found */

/* An outermost connected subnet. None overlaps another; sorted. Link-local ones are left out. */
struct subnet {
	struct addr first, last;
	uint16_t iface, addr; /* whose address, by index */
};

struct own_addr { /* one address of an interface; sorted by addr and interface */
	struct addr addr;
	uint16_t iface, index;
};

/* Strings of settings named key, one behind the other: text_prepare takes them out of the text and
 * leaves "@OFFSET", so that neither libconfig nor a message ever has one. Of base/secret.h. */
struct vault {
	char *text;
	size_t len, room;
	bool no_memory;
};

struct parse {
	struct conf *conf;
	struct errs *errs;
	const char *dir; /* NULL: files can't be named */
	config_t cfg;
	const struct vault *vault;
	/* Being read: where it is in the text, such as "routes" or
	 * "interfaces[2].router-advertisements", and its entry; -1: it is one group. */
	const char *section;
	int index;
	const struct setting *set; /* of that section */
	unsigned n_set;
	bool no_memory;
	uint16_t *by_name; /* interfaces sorted by name, for references */
	struct subnet *subnets;
	struct own_addr *owns;
	uint32_t n_subnets, n_owns;
	uint32_t n_file_rules; /* rules that came from files: they stand first */
	uint32_t *tunnels;     /* sorted by name, for references */
	uint32_t *by_number;   /* [CONF_TUNNEL_NUMBER_MAX + 1] index + 1; NULL: no tunnels */
};

/* A route and a rule while their settings are being read. */
struct route_text {
	struct prefix to;
	struct addr via[CONF_PATHS_MAX];
	uint16_t via_iface[CONF_PATHS_MAX]; /* behind its %; UINT16_MAX: none */
	uint16_t n_via;
	uint16_t iface;
	uint8_t kind; /* enum conf_route_kind */
	bool has_to, bad, has_iface, has_via;
};

struct addr_text {
	bool has, any, has_len, has_mask; /* has_len: with "/len" */
	struct addr mask;
};

struct rule_text {
	struct rule r;
	struct addr_text src, dst;
	bool has_sport, has_dport, has_type, has_code, bad;
};

/* An SA and a policy while their settings are being read. */
struct sa_text {
	struct conf_sa sa;
	const char *suite; /* libconfig's; NULL: not said, or wrong */
	const char *key;   /* where it is in the vault */
	const char *key_file;
	bool has_key, has_key_file, lifetime;
};

struct policy_text {
	struct conf_policy policy;
	bool src_any, dst_any, has_sport, has_dport, has_type, has_code, has_tunnel, bad;
};

/* A place in the text: for a section within an entry of another. */
struct parse_place {
	const char *section;
	int index;
	const struct setting *set;
	unsigned n_set;
};
struct parse_place parse_place(const struct parse *p);
void parse_go_back(struct parse *p, const struct parse_place *to);

/* Where an error is: p's section and entry. parse_err(p, HERE(p), "name", -1, "text") */
#define HERE(p) (p)->section, (p)->index

/* Adds an error for section[index].name[sub], with the line of that setting or of what encloses it.
 * section may lead through entries and groups: "interfaces[2].router-advertisements".
 * index and sub: -1 where there is none; name may be NULL. sub is left out when the setting is a
 * lone string instead of a list. */
void parse_err(struct parse *p, const char *section, int index, const char *name, int sub,
	const char *fmt, ...) __attribute__((format(printf, 6, 7)));
void parse_warn(struct parse *p, const char *section, int index, const char *name, int sub,
	const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* "found X, expected Y" for a setting of the entry being read. */
void parse_found(struct parse *p, const char *name, int sub, const config_setting_t *s,
	const char *expected);
/* The string in s, when it is a printable one that isn't empty; else NULL after an error. */
const char *parse_string(struct parse *p, const char *name, int sub, const config_setting_t *s,
	const char *expected);
/* Zeroed memory for n things; n 0 gives NULL. Sets p->no_memory when there is none. */
void *parse_alloc(struct parse *p, size_t n, size_t size);
char *parse_strdup(struct parse *p, const char *text);
/* How many strings s holds (a string: 1); -1 after an error. Element i is parse_elem(s, i). */
int parse_strings(struct parse *p, const config_setting_t *s, unsigned max, const char *expected);
config_setting_t *parse_elem(config_setting_t *s, int i);

/* A unicast MAC address; false after an error. */
bool parse_mac(struct parse *p, const config_setting_t *s, struct mac *mac);

/* Begin a section. parse_group: its one group, or NULL. parse_list: its list and how many groups.
 */
config_setting_t *parse_group(struct parse *p, const char *section);
config_setting_t *parse_list(struct parse *p, const char *section, unsigned max, unsigned *n);
/* Element i of a list, when it is a group; else NULL after an error. Sets p->index. */
config_setting_t *parse_entry(struct parse *p, config_setting_t *list, unsigned i);

/* The sections, in this order. */
void parse_system(struct parse *p);
void parse_ports(struct parse *p);
void parse_ifaces(struct parse *p);
/* What the text of an interface's router-advertisements leaves open, and the checks that need the
 * rest of the interface. */
void parse_ra(struct parse *p, struct conf_iface *iface, config_setting_t *s);
void parse_routes(struct parse *p);
void parse_neighs(struct parse *p);
void parse_ipsec(struct parse *p);
void parse_sas(struct parse *p, struct conf_tunnel *t, config_setting_t *list);
void parse_policies(struct parse *p);
void parse_filter(struct parse *p);

/* What only several entries together can get wrong (check.c). check_ifaces makes by_name, subnets
 * and owns as well. */
void check_ports(struct parse *p);
void check_ifaces(struct parse *p);
void check_routes(struct parse *p);
void check_neighs(struct parse *p);
void check_tunnels(struct parse *p); /* makes tunnels as well */
void check_sas(struct parse *p);
void check_rules(struct parse *p);

/* Index of the tunnel of that name, or -1. After check_tunnels. */
int64_t find_tunnel(const struct parse *p, const char *name);
/* Has a tunnel that number? After check_tunnels. */
bool has_tunnel(const struct parse *p, uint32_t number);
/* Index of the interface of that name, or -1. After check_ifaces. */
int find_iface(const struct parse *p, const char *name);
const struct subnet *find_subnet(const struct parse *p, const struct addr *addr);
/* The interface with that address, or NULL. A link-local address is looked for on iface alone. */
const struct own_addr *find_own(const struct parse *p, const struct addr *addr, unsigned iface);
/* Has it an IPv6 address? Then IPv6 runs on it. */
bool iface_has6(const struct conf_iface *f);

/* text.c */
/* The whole of a regular file, with a NUL behind it. 0, or -errno with the reason in why. */
int text_read(const char *path, size_t max, char **text, size_t *len, char why[128]);
/* A copy of the text that libconfig reads without its surprises: see text.c. NULL after an error.
 * Keys go to the vault, which is the caller's to free. */
char *text_prepare(
	const char *text, size_t len, const char *name, struct vault *vault, struct errs *errs);
void text_vault_free(struct vault *vault);
/* Hexadecimal digits with white space between them, and perhaps 0x in front, to at most max bytes.
 * How many there are, which may be more than max; -1: it is something else. */
int text_hex(const char *text, uint8_t *to, unsigned max);
/* The same of a key in the vault. */
int text_vault_hex(const struct vault *vault, const char *at, uint8_t *to, unsigned max);
/* 0, or -EINVAL after an error: prepared text that libconfig could not read (syntax.c). */
int syntax_check(const char *text, const char *name, struct errs *errs);
/* dir/name, or name when it is absolute or dir is "." or NULL. NULL: no memory. */
char *text_join(const char *dir, const char *name);
/* text in quotes, cut and escaped so that it is fit to print; returns buf. */
char *text_quote(const char *text, char buf[CONF_QUOTED]);
/* What s is, in words. */
char *text_found(const config_setting_t *s, char buf[CONF_QUOTED]);

typedef void setting_reader(struct parse *p, config_setting_t *s, void *base);
typedef void setting_writer(const void *base, const struct setting *s, char *buf, size_t size);
setting_reader setting_read_lcores, setting_read_name, setting_read_device, setting_read_port_mac,
	setting_read_iface_port, setting_read_iface_mtu, setting_read_addresses, setting_read_ra,
	setting_read_ra_lifetime, setting_read_ra_prefixes, setting_read_ra_prefix,
	setting_read_ra_dns, setting_read_ra_domains, setting_read_ra_dns_lifetime,
	setting_read_route_to, setting_read_route_via, setting_read_route_iface,
	setting_read_neigh_iface, setting_read_neigh_addr, setting_read_neigh_mac,
	setting_read_rule_src, setting_read_rule_smask, setting_read_rule_dst,
	setting_read_rule_dmask, setting_read_rule_proto, setting_read_rule_sport,
	setting_read_rule_dport, setting_read_rule_type, setting_read_rule_code,
	setting_read_rule_tunnel, setting_read_path, setting_read_drops, setting_read_socket,
	setting_read_group, setting_read_tunnel_local, setting_read_tunnel_remote,
	setting_read_tunnel_encap, setting_read_tunnel_iface, setting_read_tunnel_dscp,
	setting_read_tunnel_mss, setting_read_sa_proto, setting_read_sa_suite, setting_read_sa_key,
	setting_read_sa_key_file, setting_read_sa_created, setting_read_sa_lifetime,
	setting_read_policy_tunnel, setting_read_policy_src, setting_read_policy_dst,
	setting_read_policy_proto, setting_read_policy_sport, setting_read_policy_dport,
	setting_read_policy_type, setting_read_policy_code;
setting_writer setting_write_lcores, setting_write_name, setting_write_text, setting_write_port_mac;
