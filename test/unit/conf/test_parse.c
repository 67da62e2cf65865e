/* conf_parse: what stands in the text stands in struct conf, section by section. */
#include "conf/conf.h"

#include "expect.h"

static const char text[] =
	"system = { control-lcore = 1; lcores = [ 2, 3, 3 ]; memory = \"no-huge\"; memory-mb = "
	"512;\n"
	"  mbufs = 65536; burst-packets = 32; burst-bytes = 16384; idle = \"sleep\";\n"
	"  idle-after-us = 500; idle-sleep-us = 20; };\n"
	"ports = (\n"
	"  { name = \"lan\"; device = \"net_af_packet0,iface=veth0\"; mac = \"02:00:00:00:00:AA\"; "
	"},\n"
	"  { name = \"trunk\"; device = \"3b:00.1\"; mtu = 9000; promiscuous = true; rx-queues = "
	"2;\n"
	"    tx-queues = 3; rx-descriptors = 1024; tx-descriptors = 2048; checksum-offload = "
	"\"off\"; }\n"
	");\n"
	"interfaces = (\n"
	"  { name = \"lan\"; zone = \"secure\"; addresses = [ \"192.168.0.1/24\", \"10.0.0.1/8\" "
	"]; },\n"
	"  { name = \"wan.1\"; port = \"trunk\"; vlan = 4094; mtu = 1400; urpf = \"strict\";\n"
	"    directed-broadcast = true; enabled = false; addresses = ( \"198.51.100.1/30\" ); },\n"
	"  { name = \"bare\"; port = \"trunk\"; }\n"
	");\n"
	"routes = (\n"
	"  { to = \"0.0.0.0/0\"; via = [ \"198.51.100.2\", \"192.168.0.254\" ]; },\n"
	"  { to = \"203.0.113.0/24\"; via = \"172.16.0.1\"; interface = \"bare\"; },\n"
	"  { to = \"203.0.114.0/24\"; interface = \"wan.1\"; },\n"
	"  { to = \"1.0.0.0/8\"; type = \"blackhole\"; },\n"
	"  { to = \"2.0.0.0/8\"; type = \"unreachable\"; },\n"
	"  { to = \"3.3.3.3\"; type = \"prohibit\"; }\n"
	");\n"
	"neighbours = ( { interface = \"bare\"; address = \"172.16.0.1\"; mac = "
	"\"02:00:00:00:00:01\"; } );\n"
	"filter = { classic-tunnel-match = \"any\"; rules = (\n"
	"  { action = \"permit\"; } ); };\n"
	"ip4 = { options = \"forward\"; ttl = 32; icmp-error-rate = 0; icmp-echo-rate = 5;\n"
	"  martians-drop = false; };\n"
	"arp = { reachable-s = 60; retry-ms = 100; retries = 5; stale-s = 99; entries-max = 100;\n"
	"  queue = 3; punt-rate = 7; };\n"
	"log = { to = \"file\"; file = \"f.log\"; rate = 9; burst = 8; drops = [ \"ttl\", "
	"\"urpf_4\" ]; };\n"
	"control = { socket = \"/tmp/s\"; group = \"adm\"; clients-max = 2; };\n";

static struct conf *conf;

static int setup(void **state)
{
	struct errs errs = {0};

	conf = conf_parse(text, "dir/f.conf", NULL, &errs);
	errs_print(&errs, stderr);
	assert_int_equal(errs.n, 0);
	errs_fini(&errs);
	return conf == NULL;
}

static int teardown(void **state)
{
	conf_free(conf);
	return 0;
}

static void system_section(void **state)
{
	const struct conf_system *s = &conf->system;

	assert_string_equal(conf->file, "dir/f.conf");
	assert_int_equal(s->control_lcore, 1);
	assert_int_equal(s->workers, 0);
	assert_int_equal(s->n_lcores, 3);
	assert_int_equal(s->lcores[0], 2);
	assert_int_equal(s->lcores[2], 3);
	assert_int_equal(s->memory, CONF_MEM_NO_HUGE);
	assert_int_equal(s->memory_mb, 512);
	assert_int_equal(s->mbufs, 65536);
	assert_int_equal(s->burst_packets, 32);
	assert_int_equal(s->burst_bytes, 16384);
	assert_int_equal(s->idle, CONF_IDLE_SLEEP);
	assert_int_equal(s->idle_after_us, 500);
	assert_int_equal(s->idle_sleep_us, 20);
}

static void ports(void **state)
{
	const struct conf_port *p = conf->ports;
	char mac[MAC_STRLEN];

	assert_int_equal(conf->n_ports, 2);
	assert_string_equal(p[0].name, "lan");
	assert_string_equal(p[0].device, "net_af_packet0,iface=veth0");
	assert_int_equal(p[0].mtu, 1500);
	assert_true(p[0].has_mac);
	assert_string_equal(mac_format(&p[0].mac, mac), "02:00:00:00:00:aa");
	assert_false(p[0].promiscuous);
	assert_int_equal(p[0].rx_queues, 0);
	assert_int_equal(p[0].checksum_offload, CONF_AUTO);
	assert_int_equal(p[0].line, 5);
	assert_string_equal(p[1].device, "0000:3b:00.1");
	assert_int_equal(p[1].mtu, 9000);
	assert_false(p[1].has_mac);
	assert_true(p[1].promiscuous);
	assert_int_equal(p[1].rx_queues, 2);
	assert_int_equal(p[1].tx_queues, 3);
	assert_int_equal(p[1].rx_descriptors, 1024);
	assert_int_equal(p[1].tx_descriptors, 2048);
	assert_int_equal(p[1].checksum_offload, CONF_OFF);
	assert_int_equal(p[1].line, 6);
}

static void interfaces(void **state)
{
	const struct conf_iface *f = conf->ifaces;

	assert_int_equal(conf->n_ifaces, 3);
	assert_string_equal(f[0].name, "lan");
	assert_int_equal(f[0].port, 0);
	assert_int_equal(f[0].vlan, 0);
	assert_int_equal(f[0].mtu, 1500);
	assert_true(f[0].secure);
	assert_true(f[0].enabled);
	assert_int_equal(f[0].urpf, CONF_URPF_OFF);
	assert_false(f[0].directed_broadcast);
	assert_int_equal(f[0].n_addrs, 2);
	assert_int_equal(addr_to4(&f[0].addrs[0].addr), 0xc0a80001); /* host bits stay */
	assert_int_equal(prefix_written_len(&f[0].addrs[0]), 24);
	assert_int_equal(prefix_written_len(&f[0].addrs[1]), 8);
	assert_int_equal(f[0].line, 10);
	assert_int_equal(f[1].port, 1);
	assert_int_equal(f[1].vlan, 4094);
	assert_int_equal(f[1].mtu, 1400);
	assert_false(f[1].secure);
	assert_false(f[1].enabled);
	assert_int_equal(f[1].urpf, CONF_URPF_STRICT);
	assert_true(f[1].directed_broadcast);
	assert_int_equal(f[1].n_addrs, 1);
	assert_int_equal(f[2].mtu, 9000);
	assert_int_equal(f[2].n_addrs, 0);
}

static void routes(void **state)
{
	const struct conf_route *r = conf->routes;

	assert_int_equal(conf->n_routes, 6);
	assert_int_equal(addr_to4(&r[0].to.addr), 0);
	assert_int_equal(prefix_written_len(&r[0].to), 0);
	assert_int_equal(r[0].kind, CONF_ROUTE_VIA);
	assert_int_equal(r[0].n_paths, 2);
	assert_int_equal(addr_to4(&r[0].paths[0].via), 0xc6336402);
	assert_int_equal(r[0].paths[0].iface, 1); /* found from the subnet */
	assert_int_equal(r[0].paths[1].iface, 0);
	assert_int_equal(r[0].line, 16);
	assert_int_equal(addr_to4(&r[1].paths[0].via), 0xac100001);
	assert_int_equal(r[1].paths[0].iface, 2); /* as named */
	assert_int_equal(r[2].n_paths, 1);
	assert_true(addr_is_unspecified(&r[2].paths[0].via));
	assert_int_equal(r[2].paths[0].iface, 1);
	assert_int_equal(r[3].kind, CONF_ROUTE_BLACKHOLE);
	assert_int_equal(r[3].n_paths, 0);
	assert_int_equal(r[4].kind, CONF_ROUTE_UNREACHABLE);
	assert_int_equal(r[5].kind, CONF_ROUTE_PROHIBIT);
	assert_int_equal(prefix_written_len(&r[5].to), 32);
}

static void the_rest(void **state)
{
	assert_int_equal(conf->n_neighs, 1);
	assert_int_equal(conf->neighs[0].iface, 2);
	assert_int_equal(addr_to4(&conf->neighs[0].addr), 0xac100001);
	assert_int_equal(conf->neighs[0].mac.b[5], 1);
	assert_int_equal(conf->neighs[0].line, 23);
	assert_true(conf->classic_tunnel_match_any);
	assert_int_equal(conf->n_rules, 1);
	assert_int_equal(conf->rules[0].line, 25);
	assert_string_equal(conf->rules[0].file, "dir/f.conf");
	assert_int_equal(conf->ip4.options, CONF_OPT_FORWARD);
	assert_int_equal(conf->ip4.ttl, 32);
	assert_int_equal(conf->ip4.icmp_error_rate, 0);
	assert_int_equal(conf->ip4.icmp_echo_rate, 5);
	assert_false(conf->ip4.martians_drop);
	assert_int_equal(conf->arp.reachable_s, 60);
	assert_int_equal(conf->arp.retry_ms, 100);
	assert_int_equal(conf->arp.retries, 5);
	assert_int_equal(conf->arp.stale_s, 99);
	assert_int_equal(conf->arp.entries_max, 100);
	assert_int_equal(conf->arp.queue, 3);
	assert_int_equal(conf->arp.punt_rate, 7);
	assert_int_equal(conf->log.to, CONF_LOG_FILE);
	assert_string_equal(conf->log.file, "f.log");
	assert_int_equal(conf->log.rate, 9);
	assert_int_equal(conf->log.burst, 8);
	assert_int_equal(conf->log.n_drops, 2);
	assert_string_equal(conf->log.drops[1], "urpf_4");
	assert_string_equal(conf->control.socket, "/tmp/s");
	assert_string_equal(conf->control.group, "adm");
	assert_int_equal(conf->control.clients_max, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(system_section),
		cmocka_unit_test(ports),
		cmocka_unit_test(interfaces),
		cmocka_unit_test(routes),
		cmocka_unit_test(the_rest),
	};

	return cmocka_run_group_tests_name("conf/parse", tests, setup, teardown);
}
