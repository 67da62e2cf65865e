/* filter.test: what would happen to this packet, and by which rule. Takes a description, checks
 * that it makes sense, and walks it through the tables (walk.c). Changes nothing and counts
 * nothing. Control core.
 */
#include "ctl/walk.h"

#include "ctl/routing.h"
#include "wire/ip4.h"
#include "wire/ip6.h"

#include <netinet/in.h>
#include <string.h>

#define SPORT_ASSUMED 49152
#define ADDRESS "an address such as 192.0.2.1 or 2001:db8::1"

static bool addr(json_t *params, const char *name, struct addr *value, struct api_error *error)
{
	const char *text = api_string(params, name);

	if (text != NULL && addr_parse(text, value) == 0)
		return true;
	api_param_wrong(error, name,
		text != NULL && strchr(text, '%') ? ADDRESS
			", without a zone: the interface says it"
						  : ADDRESS);
	return false;
}

static bool addresses(struct walk *w, json_t *params, struct api_error *error)
{
	if (!addr(params, "src", &w->p.src, error) || !addr(params, "dst", &w->p.dst, error))
		return false;
	if (addr_is4(&w->p.src) == addr_is4(&w->p.dst))
		return true;
	api_param_wrong(error, "dst",
		walk_is6(w) ? "an IPv4 address, as src is" : "an IPv6 address, as src is");
	return false;
}

static bool iface(struct walk *w, json_t *params, const char *name, const struct iface **found,
	struct api_error *error)
{
	const char *text = api_string(params, name);
	const struct ports *ports = w->root->ports;
	json_t *names;

	if (text == NULL)
		return true;
	*found = ports_find(ports, text);
	if (*found != NULL)
		return true;
	api_param_wrong(error, name, "the name of an interface");
	names = json_array();
	for (unsigned id = 1; id < ports->n_ifaces && json_array_size(names) < 64; id++)
		if (ports->iface[id].name[0] != '\0')
			json_array_append_new(names, text_json(ports->iface[id].name));
	json_object_set_new(error->data, "interfaces", names);
	return false;
}

static bool proto(struct walk *w, json_t *params, struct api_error *error)
{
	json_t *v = json_object_get(params, "proto");
	int number = -1;

	if (json_is_integer(v))
		number = (int)json_integer_value(v);
	else if (json_is_string(v))
		number = text_proto_find(json_string_value(v));
	if (number < 0) {
		api_param_wrong(error, "proto",
			"a protocol: tcp, udp, icmp, icmpv6, esp, ah, ospf, ... or a number to "
			"255");
		return false;
	}
	/* by number it is meant */
	if (json_is_string(v) && number == (walk_is6(w) ? IPPROTO_ICMP : IPPROTO_ICMPV6)) {
		api_param_wrong(error, "proto", walk_is6(w) ? "icmpv6 for IPv6" : "icmp for IPv4");
		return false;
	}
	w->p.proto = (uint8_t)number;
	return true;
}

static bool fragment(struct walk *w, json_t *params, struct api_error *error)
{
	static const char *const name[] = {"no", "first", "later"};
	const char *text = api_string(params, "fragment");

	for (uint8_t i = 0; i < PACKET_FRAG_N; i++)
		if (text == NULL || strcmp(text, name[i]) == 0) {
			w->p.frag = i;
			return true;
		}
	api_param_wrong(error, "fragment", "\"no\", \"first\" or \"later\"");
	return false;
}

/* A parameter that this packet can't have. */
static bool misplaced(json_t *params, const char *name, bool permitted, const char *expected,
	struct api_error *error)
{
	if (json_object_get(params, name) == NULL || permitted)
		return false;
	api_param_wrong(error, name, expected);
	return true;
}

static bool ports(struct walk *w, json_t *params, struct api_error *error)
{
	bool l4 = w->p.frag != PACKET_LATER_FRAGMENT;
	bool has = l4 && rule_proto_has_ports(w->p.proto);
	bool icmp = l4 && w->p.proto == (walk_is6(w) ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	json_int_t echo = walk_is6(w) ? ICMP6_ECHO : ICMP4_ECHO;
	static const char *const no_ports =
		"left out: this protocol, or a later fragment, has no ports";
	static const char *const no_icmp = "left out: this is no packet with an ICMP header";

	if (misplaced(params, "sport", has, no_ports, error) ||
		misplaced(params, "dport", has, no_ports, error) ||
		misplaced(params, "icmp_type", icmp, no_icmp, error) ||
		misplaced(params, "icmp_code", icmp, no_icmp, error))
		return false;
	if (icmp) {
		w->p.sport = (uint16_t)api_int(params, "icmp_type", echo);
		w->p.dport = (uint16_t)api_int(params, "icmp_code", 0);
	}
	if (!has)
		return true;
	if (json_object_get(params, "dport") == NULL) {
		api_param_wrong(error, "dport", "given: this protocol has ports");
		return false;
	}
	w->p.sport = (uint16_t)api_int(params, "sport", SPORT_ASSUMED);
	w->p.dport = (uint16_t)api_int(params, "dport", 0);
	return true;
}

static bool flags(struct walk *w, json_t *params, struct api_error *error)
{
	const char *text = api_string(params, "flags");
	bool tcp = w->p.proto == IPPROTO_TCP && w->p.frag != PACKET_LATER_FRAGMENT;

	if (misplaced(
		    params, "flags", tcp, "left out: this is no TCP packet with its header", error))
		return false;
	if (text != NULL && text[strspn(text, "SAFRPU")] != '\0') {
		api_param_wrong(error, "flags", "TCP flags as letters of SAFRPU, such as \"SA\"");
		return false;
	}
	w->p.ack = text != NULL && strchr(text, 'A') != NULL;
	return true;
}

/* The tunnel that it came out of. Behind a tunnel's own interface that is where it came by. */
static bool through(struct walk *w, json_t *params, struct api_error *error)
{
	const struct ipsec *ipsec = w->root->ipsec;
	const char *name = api_string(params, "through");

	if (name == NULL)
		return true;
	for (uint32_t i = 1; ipsec != NULL && i < ipsec->n_tunnels; i++)
		if (ipsec->tunnel[i].flags & TUNNEL_UP && strcmp(ipsec->tunnel[i].name, name) == 0)
			w->through = &ipsec->tunnel[i];
	if (w->through == NULL) {
		api_param_wrong(error, "through", "the name of a tunnel");
		return false;
	}
	if (w->through->iface != IFACE_NONE)
		w->in = &w->root->ports->iface[w->through->iface];
	return !misplaced(params, "through", w->in != NULL,
		"left out, or the interface given that its tunnel's packets came by", error);
}

/* Hop limit and size. */
static bool more(struct walk *w, json_t *params, struct api_error *error)
{
	w->hop_limit = (uint8_t)api_int(params, "hop_limit", 0);
	w->length = (uint16_t)api_int(params, "length", 0);
	w->df = api_bool(params, "df", false);
	return !misplaced(params, "df", !walk_is6(w), "left out: IPv6 has no such mark", error);
}

/* A link-local address is ours where it stands. */
static bool origin_on_link(const struct walk *w, struct api_error *error)
{
	if (w->out == NULL) {
		api_param_wrong(error, "out",
			"the name of an interface: a link-local address says nothing without one");
		return false;
	}
	if (ports_is_own6(w->root->ports, w->out->id, w->p.src.b))
		return true;
	api_param_wrong(
		error, "in", "the name of an interface, unless src is an address of this box");
	return false;
}

/* Without an interface it comes from this box, so its source must be ours. */
static bool origin(struct walk *w, struct api_error *error)
{
	const struct nexthop *h;

	if (w->in != NULL)
		return true;
	if (walk_on_link(w) || addr_is_link_local(&w->p.src))
		return origin_on_link(w, error);
	h = routing_hop(w->root->routes, routing_lookup(w->root->routes, &w->p.src));
	if (h != NULL && h->type == NH_LOCAL)
		return true;
	api_param_wrong(
		error, "in", "the name of an interface, unless src is an address of this box");
	return false;
}

static json_t *result(struct walk *w)
{
	bool ok = w->reason == DROP_NONE;

	return json_pack("{s:s, s:o, s:o, s:b, s:b, s:b, s:o, s:o}", "verdict",
		ok ? "permit" : "deny", "reason",
		ok ? json_null() : json_string(drop_text[w->reason].name), "sentence",
		ok ? json_null() : json_string(drop_text[w->reason].sentence), "mixed", w->mixed,
		"answered", w->answered, "taken", w->taken, "steps", w->steps, "paths", w->paths);
}

static json_t *run(struct ctl_env *env, json_t *params, struct api_error *error)
{
	struct walk w = {.env = env, .root = api_root(env, error)};

	if (w.root == NULL)
		return NULL;
	if (w.root->ports == NULL || w.root->routes == NULL || w.root->acl == NULL)
		return api_fail(error, API_UNAVAILABLE, "the daemon has no tables yet");
	if (!iface(&w, params, "in", &w.in, error) || !iface(&w, params, "out", &w.out, error) ||
		!addresses(&w, params, error) || !proto(&w, params, error) ||
		!fragment(&w, params, error) || !ports(&w, params, error) ||
		!flags(&w, params, error) || !through(&w, params, error) ||
		!more(&w, params, error) || !origin(&w, error))
		return NULL;
	walk(&w);
	return result(&w);
}

static const struct api_param param[] = {
	{"in", API_STRING, 0, 0, "the name of an interface"},
	{"out", API_STRING, 0, 0, "the name of an interface"},
	{"src", API_STRING, 0, 0, ADDRESS},
	{"dst", API_STRING, 0, 0, ADDRESS},
	{"proto", API_NAME, 0, 255, "a protocol: its name, or a number from 0 to 255"},
	{"sport", API_INT, 0, 65535, "an integer from 0 to 65535"},
	{"dport", API_INT, 0, 65535, "an integer from 0 to 65535"},
	{"flags", API_STRING, 0, 0, "TCP flags as letters of SAFRPU, such as \"SA\""},
	{"icmp_type", API_INT, 0, 255, "an integer from 0 to 255"},
	{"icmp_code", API_INT, 0, 255, "an integer from 0 to 255"},
	{"hop_limit", API_INT, 1, 255, "an integer from 1 to 255"},
	{"length", API_INT, 20, 65535, "an integer from 20 to 65535"},
	{"df", API_BOOL, 0, 0, "true or false"},
	{"through", API_STRING, 0, 0, "the name of a tunnel"},
	{"fragment", API_STRING, 0, 0, "\"no\", \"first\" or \"later\""},
	{.name = NULL},
};
const struct api_method api_filter_test = {.name = "filter.test", .param = param, .run = run};
