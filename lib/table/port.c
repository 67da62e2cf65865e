/* What is asked about ports and interfaces beyond a plain index, and the headers of their frames.
 * See port.h.
 *
 * ports_find, ports_index, port_add and port_fini: control core. The rest: any thread. No state.
 */
#include "table/port.h"

#include "wire/nd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int set(uint16_t **table, uint16_t vlan, uint16_t id)
{
	if (*table == NULL)
		*table = calloc(VLANS, sizeof(**table));
	if (*table == NULL)
		return -ENOMEM;
	(*table)[vlan] = id;
	return 0;
}

int port_add(struct port_entry *p, uint16_t outer, uint16_t vlan, uint16_t id)
{
	if (outer == 0 && vlan == 0) {
		p->untagged = id;
		return 0;
	}
	if (outer == 0)
		return set(&p->vlan, vlan, id);
	if (p->outer == NULL)
		p->outer = calloc(VLANS, sizeof(*p->outer));
	return p->outer ? set(&p->outer[outer], vlan, id) : -ENOMEM;
}

void port_fini(struct port_entry *p)
{
	for (unsigned i = 0; p->outer && i < VLANS; i++)
		free(p->outer[i]);
	free(p->outer);
	free(p->vlan);
	p->outer = NULL;
	p->vlan = NULL;
}

static unsigned tag(uint8_t *to, uint16_t type, uint16_t vlan)
{
	const rte_be16_t word[2] = {rte_cpu_to_be_16(type), rte_cpu_to_be_16(vlan)};

	memcpy(to, word, sizeof(word));
	return sizeof(word);
}

unsigned iface_header(const struct iface *f, const struct rte_ether_addr *dst, rte_be16_t type,
	uint8_t hdr[IFACE_HDR_MAX])
{
	unsigned at = 2 * RTE_ETHER_ADDR_LEN;

	memcpy(hdr, dst, RTE_ETHER_ADDR_LEN);
	memcpy(hdr + RTE_ETHER_ADDR_LEN, &f->mac, RTE_ETHER_ADDR_LEN);
	if (f->outer_vlan)
		at += tag(hdr + at, ETHER_TYPE_SVLAN, f->outer_vlan);
	if (f->vlan)
		at += tag(hdr + at, RTE_ETHER_TYPE_VLAN, f->vlan);
	memcpy(hdr + at, &type, sizeof(type));
	return at + (unsigned)sizeof(type);
}

const struct iface *ports_find(const struct ports *p, const char *name)
{
	/* Linear: at most a thousand names, asked for by people. Id 0 is "none" and has no name; a
	 * hole has an empty one, which nobody may find. */
	if (name[0] == '\0')
		return NULL;
	for (uint16_t i = 1; i < p->n_ifaces; i++)
		if (strncmp(p->iface[i].name, name, sizeof(p->iface[i].name)) == 0)
			return &p->iface[i];
	return NULL;
}

bool iface_has_addr(const struct iface *f, const struct addr *addr)
{
	for (unsigned j = 0; f->flags & IFACE_UP && j < f->n_addrs; j++)
		if (addr_equal(&f->addrs[j].addr, addr))
			return true;
	return false;
}

static bool is_own(const struct ports *p, const struct addr *addr)
{
	for (unsigned i = 1; i < p->n_ifaces; i++)
		if (iface_has_addr(&p->iface[i], addr))
			return true;
	return false;
}

bool ports_is_own(const struct ports *p, rte_be32_t addr)
{
	struct addr a = addr_of4(rte_be_to_cpu_32(addr));

	return is_own(p, &a);
}

bool ports_is_own6(const struct ports *p, uint16_t iface, const uint8_t addr[16])
{
	struct addr a;

	memcpy(a.b, addr, sizeof(a.b));
	if (addr_is_link_local(&a))
		return iface < p->n_ifaces && iface_has_addr(&p->iface[iface], &a);
	return ports_maybe_own6(p, addr) && is_own(p, &a);
}

bool ports_source6(const struct ports *p, uint16_t iface, const struct addr *to, struct addr *from)
{
	const struct iface *in = &p->iface[iface];

	if (!(in->flags & IFACE_IP6))
		return false;
	*from = addr_is_link_local(to) ? in->ll : in->addr6;
	if (addr_is_link_local(to) || !addr_is_link_local(from))
		return true;
	/* an interface that has no other speaks beyond its link by another interface's */
	for (unsigned i = 1; i < p->n_ifaces; i++) {
		const struct iface *f = &p->iface[i];

		if (f->flags & IFACE_UP && f->flags & IFACE_IP6 && !addr_is_link_local(&f->addr6)) {
			*from = f->addr6;
			break;
		}
	}
	return true;
}

bool iface_is_anycast(const struct iface *f, const uint8_t addr[16])
{
	for (unsigned j = 0; f->flags & IFACE_UP && j < f->n_addrs; j++) {
		const struct prefix *own = &f->addrs[j];
		struct addr anycast = addr_masked(&own->addr, own->len);

		if (!addr_is4(&own->addr) && own->len < 127 && memcmp(anycast.b, addr, 16) == 0)
			return true;
	}
	return false;
}

bool iface_has_group(const struct iface *f, const uint8_t addr[16])
{
	static const uint8_t link_group[15] = {0xff, 2};
	static const uint8_t solicited[13] = {0xff, 2, [11] = 1, [12] = 0xff};

	if (!(f->flags & IFACE_IP6))
		return false;
	if (memcmp(addr, link_group, sizeof(link_group)) == 0)
		return addr[15] == 1 || addr[15] == 2;
	if (memcmp(addr, solicited, sizeof(solicited)) != 0)
		return false;
	for (unsigned j = 0; j < f->n_addrs; j++) {
		const struct prefix *own = &f->addrs[j];
		struct addr anycast = addr_masked(&own->addr, own->len);

		if (addr_is4(&own->addr))
			continue;
		if (memcmp(own->addr.b + 13, addr + 13, 3) == 0)
			return true;
		/* The address of all routers of a subnet (RFC 4291 section 2.6.1); a link-local
		 * subnet's is asked for by nobody, and a /127 has none (RFC 6164 section 6). */
		if (own->len < 127 && !addr_is_link_local(&own->addr) &&
			memcmp(anycast.b + 13, addr + 13, 3) == 0)
			return true;
	}
	return false;
}

static unsigned add_group(struct addr group[], unsigned n, unsigned max, const struct addr *g)
{
	for (unsigned i = 0; i < n; i++)
		if (addr_equal(&group[i], g))
			return n;
	if (n == max)
		return n;
	group[n] = *g;
	return n + 1;
}

/* The same groups as iface_has_group. */
unsigned iface_groups(const struct iface *f, struct addr group[], unsigned max)
{
	const struct addr routers = {.b = {0xff, 2, [15] = 2}};
	unsigned n = 0;

	if (!(f->flags & IFACE_IP6))
		return 0;
	n = add_group(group, n, max, &routers);
	for (unsigned j = 0; j < f->n_addrs; j++) {
		const struct prefix *own = &f->addrs[j];
		struct addr anycast = addr_masked(&own->addr, own->len), g;

		if (addr_is4(&own->addr))
			continue;
		g = nd_solicited_node(&own->addr);
		n = add_group(group, n, max, &g);
		if (own->len >= 127 || addr_is_link_local(&own->addr))
			continue;
		g = nd_solicited_node(&anycast);
		n = add_group(group, n, max, &g);
	}
	return n;
}

struct addr iface_eui64(const struct rte_ether_addr *mac)
{
	const uint8_t *m = mac->addr_bytes;

	return (struct addr){.b = {0xfe, 0x80, [8] = (uint8_t)(m[0] ^ 2), m[1], m[2], 0xff, 0xfe,
				     m[3], m[4], m[5]}};
}

static void index_iface(struct ports *p, struct iface *f)
{
	f->addr = 0;
	f->addr6 = f->ll = (struct addr){0};
	f->flags &= (uint8_t)~IFACE_IP6;
	for (unsigned j = 0; j < f->n_addrs; j++) {
		const struct addr *a = &f->addrs[j].addr;
		unsigned bit;

		if (addr_is4(a)) {
			bit = own_bit(a->w[3]);
			if (f->addr == 0)
				f->addr = a->w[3];
			if (f->flags & IFACE_UP)
				p->own[bit / 64] |= 1ull << (bit % 64);
			continue;
		}
		f->flags |= IFACE_IP6;
		if (addr_is_link_local(a)) {
			f->ll = *a;
			continue;
		}
		bit = own6_bit(a->b);
		if (addr_is_unspecified(&f->addr6))
			f->addr6 = *a;
		if (f->flags & IFACE_UP)
			p->own6[bit / 64] |= 1ull << (bit % 64);
	}
	if (addr_is_unspecified(&f->addr6))
		f->addr6 = f->ll;
}

void ports_index(struct ports *p)
{
	memset(p->own, 0, sizeof(p->own));
	memset(p->own6, 0, sizeof(p->own6));
	for (unsigned i = 1; i < p->n_ifaces; i++)
		index_iface(p, &p->iface[i]);
}
