/* posternctl show ports: devices, then the interfaces on them. */
#include "print.h"
#include "rpc.h"

#include <stdio.h>
#include <string.h>

static const char *speed(json_t *link)
{
	json_int_t mbps = get_int(link, "speed_mbps");
	static char buf[32];

	if (strcmp(get_text(link, "state"), "up") != 0 || mbps == 0)
		return "-";
	if (mbps % 1000 == 0)
		snprintf(buf, sizeof(buf), "%lld Gbit/s", (long long)mbps / 1000);
	else
		snprintf(buf, sizeof(buf), "%lld Mbit/s", (long long)mbps);
	return buf;
}

static void ports(json_t *list)
{
	static const char *const columns[] = {"PORT", "LINK", "SPEED", ">RX PACKETS", ">RX BYTES",
		">TX PACKETS", ">TX BYTES", ">MISSED", ">RX ERR", ">TX ERR", "MAC", "DEVICE"};
	struct table *t = table_new(columns, 12);
	json_t *p;
	size_t i;

	json_array_foreach (list, i, p) {
		json_t *link = json_object_get(p, "link"), *errors = json_object_get(p, "errors");

		table_cell(t, "%s", get_text(p, "name"));
		table_cell(t, "%s", get_text(link, "state"));
		table_cell(t, "%s", speed(link));
		table_cell(t, "%s", print_count(get_int(p, "rx_packets")));
		table_cell(t, "%s", print_bytes(get_int(p, "rx_bytes")));
		table_cell(t, "%s", print_count(get_int(p, "tx_packets")));
		table_cell(t, "%s", print_bytes(get_int(p, "tx_bytes")));
		table_cell(t, "%s",
			print_count(get_int(errors, "imissed") + get_int(errors, "rx_nombuf")));
		table_cell(t, "%s", print_count(get_int(errors, "ierrors")));
		table_cell(t, "%s", print_count(get_int(errors, "oerrors")));
		table_cell(t, "%s", get_text(p, "mac"));
		table_cell(t, "%s", get_text(p, "device"));
	}
	table_end(t, "No ports.");
}

static void queues(json_t *list)
{
	static const char *const columns[] = {"PORT", ">RX QUEUES", ">TX QUEUES", ">RX DESC",
		">TX DESC", "CHECKSUM", "SPREAD BY"};
	struct table *t = table_new(columns, 7);
	json_t *p;
	size_t i;

	json_array_foreach (list, i, p) {
		table_cell(t, "%s", get_text(p, "name"));
		table_cell(t, "%lld", (long long)get_int(p, "rx_queues"));
		table_cell(t, "%lld", (long long)get_int(p, "tx_queues"));
		table_cell(t, "%lld", (long long)get_int(p, "rx_descriptors"));
		table_cell(t, "%lld", (long long)get_int(p, "tx_descriptors"));
		table_cell(t, "%s", get_text(p, "checksum"));
		table_cell(t, "%s", get_text(p, "spread"));
	}
	table_end(t, NULL);
}

static void interfaces(json_t *list)
{
	static const char *const columns[] = {
		"INTERFACE", "ZONE", "STATE", "PORT", ">VLAN", ">MTU", "MAC", "URPF", "ADDRESSES"};
	struct table *t = table_new(columns, 9);
	json_t *f;
	size_t i;

	json_array_foreach (list, i, f) {
		json_int_t vlan = get_int(f, "vlan");

		table_cell(t, "%s", get_text(f, "name"));
		table_cell(t, "%s", get_text(f, "zone"));
		table_cell(t, "%s",
			json_is_true(json_object_get(f, "enabled")) ? "enabled" : "disabled");
		table_cell(t, "%s", get_text(f, "port"));
		table_cell(t, "%s", vlan ? print_count(vlan) : "-");
		table_cell(t, "%lld", (long long)get_int(f, "mtu"));
		table_cell(t, "%s", get_text(f, "mac"));
		table_cell(t, "%s", get_text(f, "urpf"));
		table_cell(t, "%s", get_list(f, "addresses", ", "));
	}
	table_end(t, "No interfaces.");
}

int cmd_ports(struct tool *t, const struct args *args)
{
	json_t *r;
	int rc = rpc_call(t, "show.ports", NULL, &r);

	if (rc != EXIT_OK)
		return rc;
	if (t->json) {
		print_json(r);
	} else {
		ports(json_object_get(r, "ports"));
		putchar('\n');
		queues(json_object_get(r, "ports"));
		putchar('\n');
		interfaces(json_object_get(r, "interfaces"));
	}
	json_decref(r);
	return EXIT_OK;
}
