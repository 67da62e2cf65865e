/* What is asked about interfaces beyond a plain index: names, our own addresses and groups. See
 * port.h.
 *
 * ports_find and ports_index: control core. The rest: any thread. No state.
 */
#include "table/port.h"

#include <string.h>

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

static bool has_addr(const struct iface *f, const struct addr *addr)
{
	for (unsigned j = 0; f->flags & IFACE_UP && j < f->n_addrs; j++)
		if (addr_equal(&f->addrs[j].addr, addr))
			return true;
	return false;
}

static bool is_own(const struct ports *p, const struct addr *addr)
{
	for (unsigned i = 1; i < p->n_ifaces; i++)
		if (has_addr(&p->iface[i], addr))
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
		return iface < p->n_ifaces && has_addr(&p->iface[iface], &a);
	return ports_maybe_own6(p, addr) && is_own(p, &a);
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
	for (unsigned j = 0; j < f->n_addrs; j++)
		if (!addr_is4(&f->addrs[j].addr) &&
			memcmp(f->addrs[j].addr.b + 13, addr + 13, 3) == 0)
			return true;
	return false;
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
