/* Fuzzes the data path: the input is a list of frames for the ports of two workers
 * (graph/harness.h), walked in bursts as the input says. After each input every packet must be
 * accounted for and every buffer be back in its place. libFuzzer, one thread; EAL is started once.
 *
 * Each frame: one byte (bits 0-1 port, 2 walk afterwards, 3 control core afterwards, 4 set the IPv4
 * checksum right, 5 address it to the port's MAC), two bytes length (little endian), its bytes.
 */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

#define FRAMES_MAX 250
#define LEN_MAX 1600

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const struct rig_text world = {
		.system = "workers = 2;",
		.interfaces = "{ name = \"lan\"; port = \"p0\"; zone = \"secure\";"
			      "  addresses = [\"10.1.0.1/16\", \"" LAN6 "/64\", \"fe80::1/64\"]; },"
			      "{ name = \"wan\"; port = \"p1\"; urpf = \"loose\"; mtu = 1280;"
			      "  addresses = [\"192.0.2.1/24\", \"" WAN6 "/64\"]; },"
			      "{ name = \"dmz\"; port = \"p2\"; directed-broadcast = true;"
			      "  addresses = [\"172.16.0.1/24\", \"" DMZ6 "/64\"]; },"
			      "{ name = \"v10\"; port = \"p2\"; vlan = 10; urpf = \"strict\";"
			      "  addresses = [\"10.10.0.1/24\"]; },"
			      "{ name = \"q\"; port = \"p2\"; outer-vlan = 100; vlan = 10;"
			      "  addresses = [\"10.11.0.1/24\", \"2001:db8:b::1/64\"]; }",
		.routes = "{ to = \"203.0.113.0/24\"; via = [\"192.0.2.254\", \"172.16.0.2\"]; },"
			  "{ to = \"8.0.0.0/8\"; type = \"prohibit\"; }",
		.rules = "{ action = \"deny\"; proto = \"tcp\"; dport = \"lt 70\"; log = true; },"
			 "{ action = \"permit\"; proto = \"tcp\"; log = true; },"
			 "{ action = \"permit\"; fragments = \"only\"; },"
			 "{ action = \"deny\"; proto = \"icmp\"; icmp-type = \"gt 20\"; },"
			 "{ action = \"permit\"; }",
		.rest = "ip4 = { icmp-error-rate = 1000000; icmp-echo-rate = 1000000; };"
			"ip6 = { icmp-error-rate = 1000000; icmp-echo-rate = 1000000; };"
			"arp = { retry-ms = 10; retries = 1; punt-rate = 1000000; };"
			"log = { rate = 1000000; drops = [\"ip4-checksum\", \"eth-truncated\"]; };",
	};

	rig_up(&world, 1);
	return 0;
}

static void put_frame(const uint8_t *bytes, unsigned len, uint8_t how)
{
	static struct frame f;
	unsigned port = (how & 3) % RIG_PORTS, l2;
	struct mac6 mac = port_mac(port);

	memcpy(f.b, bytes, len);
	f.len = len;
	if (how & 32 && len >= 6)
		memcpy(f.b, mac.b, 6);
	for (l2 = 14; l2 < 22 && len > l2 + 2 && (f.b[l2 - 2] == 0x81 || f.b[l2 - 2] == 0x88);)
		l2 += 4;
	if (how & 16 && len >= l2 + 20 && len >= l2 + (f.b[l2] & 15u) * 4 && (f.b[l2] & 15) >= 5)
		frame_fix_ip(&f, l2);
	rig_put(port, &f);
}

static void settle(void)
{
	rig_run();
	rig_discard();
	control_tick(rig);
	rig_run();
	rig_discard();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (unsigned n = 0; size >= 3 && n < FRAMES_MAX; n++) {
		unsigned len = (unsigned)(data[1] | data[2] << 8) % LEN_MAX;
		uint8_t how = data[0];

		data += 3;
		size -= 3;
		len = RTE_MIN(len, (unsigned)size);
		put_frame(data, len, how);
		data += len;
		size -= len;
		if (how & 4)
			rig_walk();
		if (how & 8)
			settle();
	}
	settle();
	if (!rig_sound())
		abort();
	return 0;
}
