/* Routes and their next hops as the API shows them. See routing.h. Control core. */
#include "ctl/routing.h"

#include "ctl/api.h"

const struct nexthop *routing_hop(const struct routes *r, uint32_t nh)
{
	return r->nh != NULL && nh < r->n_nh ? &r->nh[nh] : NULL;
}

static const char *type_name(uint8_t type)
{
	switch ((enum nexthop_type)type) {
	case NH_NONE:
		return "none";
	case NH_LOCAL:
		return "local";
	case NH_CONNECTED:
		return "connected";
	case NH_VIA:
		return "via";
	case NH_GROUP:
		return "multipath";
	case NH_BROADCAST:
		return "broadcast";
	case NH_BLACKHOLE:
		return "blackhole";
	case NH_UNREACHABLE:
		return "unreachable";
	case NH_PROHIBIT:
		return "prohibit";
	}
	return "none";
}

const char *routing_type(const struct routes *r, uint32_t nh)
{
	const struct nexthop *h = routing_hop(r, nh);

	return type_name(h ? h->type : NH_NONE);
}

unsigned routing_members(
	const struct routes *r, uint32_t nh, const struct nexthop *member[], unsigned max)
{
	const struct nexthop *h = routing_hop(r, nh);
	unsigned n = 0;

	if (h == NULL || max == 0)
		return 0;
	if (h->type != NH_GROUP) {
		member[0] = h;
		return 1;
	}
	for (unsigned i = 0; i < h->n && n < max; i++) {
		member[n] = routing_hop(r, h->first + i);
		if (member[n] != NULL)
			n++;
	}
	return n;
}

const char *routing_neigh_state(uint8_t state)
{
	switch ((enum neigh_state)state) {
	case NEIGH_INCOMPLETE:
		return "incomplete";
	case NEIGH_REACHABLE:
		return "reachable";
	case NEIGH_STALE:
		return "stale";
	case NEIGH_DELAY:
		return "delay";
	case NEIGH_PROBE:
		return "probe";
	case NEIGH_FAILED:
		return "failed";
	case NEIGH_STATIC:
		return "static";
	}
	return "unknown";
}

/* gw NULL: none. */
static json_t *hop_json(
	const struct root *root, uint16_t iface, const struct addr *gw, uint32_t neigh)
{
	const struct neigh *n = NULL;

	if (gw != NULL && root->neigh != NULL && neigh != NEIGH_NONE && neigh <= root->neigh->max)
		n = neigh_get(root->neigh, neigh);
	return json_pack("{s:o, s:o, s:o}", "via", gw ? text_json_addr(gw) : json_null(),
		"interface", api_iface_name(root, iface), "neighbour",
		gw ? json_string(n ? routing_neigh_state(n->state) : "unknown") : json_null());
}

json_t *routing_hop_json(const struct root *root, const struct nexthop *h)
{
	return hop_json(root, h->iface, h->type == NH_VIA ? &h->gw : NULL, h->neigh);
}

const char *routing_set_type(const struct route_db *db, uint32_t hops)
{
	const struct route_hop_set *set = route_db_hop_set(db, hops);

	if (set == NULL)
		return "none";
	if (set->type != NH_VIA)
		return type_name(set->type);
	return set->n > 1                              ? "multipath"
	       : addr_is_unspecified(&set->path[0].gw) ? "connected"
						       : "via";
}

json_t *routing_set_hops(const struct route_db *db, const struct root *root, uint32_t hops)
{
	const struct route_hop_set *set = route_db_hop_set(db, hops);
	json_t *list = json_array();

	for (unsigned i = 0; set != NULL && i < set->n; i++) {
		const struct route_path *path = &set->path[i];
		bool gw = !addr_is_unspecified(&path->gw);
		json_t *hop;

		if (path->iface == IFACE_NONE)
			continue;
		hop = hop_json(root, path->iface, gw ? &path->gw : NULL, path->neigh);
		json_object_set_new(
			hop, "link", json_string(route_db_path_up(db, path) ? "up" : "down"));
		json_array_append_new(list, hop);
	}
	return list;
}

json_t *routing_hops(const struct root *root, uint32_t nh)
{
	const struct nexthop *member[ROUTING_MEMBERS_MAX];
	unsigned n = routing_members(root->routes, nh, member, ROUTING_MEMBERS_MAX);
	json_t *list = json_array();

	for (unsigned i = 0; i < n; i++)
		if (member[i]->iface != IFACE_NONE)
			json_array_append_new(list, routing_hop_json(root, member[i]));
	return list;
}

uint32_t routing_lookup(const struct routes *r, const struct addr *dst)
{
	uint32_t dst4 = addr_to4(dst);
	uint8_t dst6[1][16];
	uint64_t nh = 0;

	memcpy(dst6[0], dst->b, sizeof(dst6[0]));
	if (!addr_is4(dst))
		routes_lookup6(r, dst6, &nh, 1);
	else if (r->fib != NULL)
		routes_lookup(r, &dst4, &nh, 1);
	return nh < r->n_nh ? (uint32_t)nh : 0;
}

bool routing_leaves_by(const struct routes *r, uint32_t nh, uint16_t iface)
{
	const struct nexthop *member[ROUTING_MEMBERS_MAX];
	unsigned n = routing_members(r, nh, member, ROUTING_MEMBERS_MAX);

	for (unsigned i = 0; i < n; i++)
		if (member[i]->iface == iface)
			return true;
	return false;
}
