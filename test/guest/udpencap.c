/* Tells the guest's kernel that what comes to these UDP ports is ESP (RFC 3948), and sleeps: what
 * an IKE daemon does otherwise. Usage: udpencap PORT...; each for IPv4 and IPv6. */
#include <arpa/inet.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define UDP_ENCAP 100 /* of linux/udp.h, which does not go with netinet/ */
#define UDP_ENCAP_ESPINUDP 2

/* The socket's own packets pass every policy: they are what protects. */
static int bypass(int s, int family)
{
	struct xfrm_userpolicy_info p = {.action = XFRM_POLICY_ALLOW, .sel.family = (__u16)family};
	int level = family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
	int option = family == AF_INET ? IP_XFRM_POLICY : IPV6_XFRM_POLICY;

	for (p.dir = XFRM_POLICY_IN; p.dir <= XFRM_POLICY_OUT; p.dir++) {
		if (setsockopt(s, level, option, &p, sizeof(p)))
			return -1;
	}
	return 0;
}

static int encapsulate(int family, const struct sockaddr *at, socklen_t len)
{
	int s = socket(family, SOCK_DGRAM, 0), one = 1, kind = UDP_ENCAP_ESPINUDP;

	if (s < 0 || bypass(s, family))
		return -1;
	if (family == AF_INET6 && setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)))
		return -1;
	if (bind(s, at, len))
		return -1;
	return setsockopt(s, IPPROTO_UDP, UDP_ENCAP, &kind, sizeof(kind));
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		uint16_t port = htons((uint16_t)atoi(argv[i]));
		struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = port};
		struct sockaddr_in6 at6 = {.sin6_family = AF_INET6, .sin6_port = port};

		if (encapsulate(AF_INET, (struct sockaddr *)&at, sizeof(at)) ||
			encapsulate(AF_INET6, (struct sockaddr *)&at6, sizeof(at6))) {
			perror("udpencap");
			return 1;
		}
	}
	/* the sockets stay in the process in the background */
	return daemon(0, 0) ? 1 : (pause(), 0);
}
