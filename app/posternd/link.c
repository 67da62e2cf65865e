/* Whether a port has a link. The device says so; but where it is one of the kernel's interfaces
 * underneath (net_af_packet, net_af_xdp, net_pcap), DPDK 22.11 always says yes, so the kernel is
 * asked as well. Control core; does not block.
 */
#include "app.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* The kernel's interface under a device, from "net_...,iface=NAME,...". */
static bool kernel_name(const char *device, char name[IFNAMSIZ])
{
	static const char *const kinds[] = {"net_af_packet", "net_af_xdp", "net_pcap",
		"eth_af_packet", "eth_af_xdp", "eth_pcap"};
	const char *at = strstr(device, ",iface=");
	unsigned i = 0;
	size_t len;

	while (i < RTE_DIM(kinds) && strncmp(device, kinds[i], strlen(kinds[i])) != 0)
		i++;
	if (i == RTE_DIM(kinds) || at == NULL)
		return false;
	at += strlen(",iface=");
	len = strcspn(at, ",");
	if (len == 0 || len >= IFNAMSIZ)
		return false;
	snprintf(name, IFNAMSIZ, "%.*s", (int)len, at);
	return true;
}

/* Up, and with a carrier as of now where the driver says so: the flag RUNNING may be a second late,
 * both ways. */
static bool kernel_up(int fd, const char *name)
{
	struct ethtool_value link = {.cmd = ETHTOOL_GLINK};
	struct ifreq r = {0};
	bool running;

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (ioctl(fd, SIOCGIFFLAGS, &r) < 0)
		return errno != ENODEV; /* gone, or nobody knows */
	if (!(r.ifr_flags & IFF_UP))
		return false;
	running = r.ifr_flags & IFF_RUNNING;
	r.ifr_data = (char *)&link;
	return ioctl(fd, SIOCETHTOOL, &r) < 0 ? running : link.data != 0;
}

int ports_link(struct app *a, unsigned port, bool *up)
{
	struct rte_eth_link link = {0};
	char name[IFNAMSIZ];

	if (rte_eth_link_get_nowait(a->port[port].id, &link) < 0)
		return -EIO;
	*up = link.link_status;
	if (!*up || !kernel_name(a->conf->ports[port].device, name))
		return 0;
	if (a->link_fd <= 0)
		a->link_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (a->link_fd > 0)
		*up = kernel_up(a->link_fd, name);
	return 0;
}

void ports_link_fini(struct app *a)
{
	if (a->link_fd > 0)
		close(a->link_fd);
	a->link_fd = 0;
}
