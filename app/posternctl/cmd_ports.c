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

/* "-", "7", or with the tag around it "100.7". */
static const char *vlan(json_t *f)
{
	json_int_t inner = get_int(f, "vlan"), outer = get_int(f, "outer_vlan");
	static char buf[32];

	if (outer && inner)
		snprintf(buf, sizeof(buf), "%lld.%lld", (long long)outer, (long long)inner);
	else if (outer)
		snprintf(buf, sizeof(buf), "%lld.-", (long long)outer);
	else if (inner)
		snprintf(buf, sizeof(buf), "%lld", (long long)inner);
	else
		strcpy(buf, "-");
	return buf;
}

/* Is the address (without its length) in the list? */
static bool listed(json_t *list, const char *address)
{
	size_t len = strcspn(address, "/"), i;
	json_t *item;

	json_array_foreach (list, i, item) {
		const char *text = json_string_value(item);

		if (text != NULL && strlen(text) == len && strncmp(text, address, len) == 0)
			return true;
	}
	return false;
}

static void address(struct table *t, json_t *f, size_t i)
{
	const char *text = get_item(json_object_get(f, "addresses"), i);

	table_cell(t, "%s%s", text,
		listed(json_object_get(f, "duplicate"), text) ? "  duplicate: another host has it"
		: json_is_true(json_object_get(f, "ip6_off")) && strchr(text, ':') != NULL
			? "  IPv6 is off: the link-local address is a duplicate"
		: listed(json_object_get(f, "tentative"), text) ? "  tentative"
								: "");
}

/* Addresses stand below each other: several IPv6 addresses make no line. */
static void interfaces(json_t *list)
{
	static const char *const columns[] = {
		"INTERFACE", "ZONE", "STATE", "PORT", ">VLAN", ">MTU", "MAC", "URPF", "ADDRESSES"};
	struct table *t = table_new(columns, 9);
	json_t *f;
	size_t i;

	json_array_foreach (list, i, f) {
		json_t *addresses = json_object_get(f, "addresses");

		table_cell(t, "%s", get_text(f, "name"));
		table_cell(t, "%s", get_text(f, "zone"));
		table_cell(t, "%s",
			json_is_true(json_object_get(f, "enabled")) ? "enabled" : "disabled");
		table_cell(t, "%s", get_text(f, "port"));
		table_cell(t, "%s", vlan(f));
		table_cell(t, "%lld", (long long)get_int(f, "mtu"));
		table_cell(t, "%s", get_text(f, "mac"));
		table_cell(t, "%s", get_text(f, "urpf"));
		address(t, f, 0);
		for (size_t k = 1; k < json_array_size(addresses); k++) {
			table_blank(t, 8);
			address(t, f, k);
		}
	}
	table_end(t, "No interfaces.");
}

/* What an address may be used for, as in the option of RFC 4861 section 4.6.2. */
static void advertised_prefix(struct table *t, json_t *p)
{
	bool on_link = json_is_true(json_object_get(p, "on_link"));
	bool autonomous = json_is_true(json_object_get(p, "autonomous"));

	if (p == NULL)
		table_cell(t, "%s", "");
	else
		table_cell(t, "%s%s%s", get_text(p, "prefix"), on_link ? "" : " not on link",
			autonomous ? "" : " not autonomous");
}

/* Router advertisements, of interfaces that have any; one line per prefix or name server. */
static void advertisements(json_t *list)
{
	static const char *const columns[] = {"ADVERTISED ON", ">EVERY", ">LIFETIME", "HOSTS USE",
		"PREFIX", "NAME SERVER", "DOMAIN"};
	struct table *t = table_new(columns, 7);
	json_t *f;
	size_t i;

	json_array_foreach (list, i, f) {
		json_t *ra = json_object_get(f, "router_advertisements");
		json_t *prefixes = json_object_get(ra, "prefixes");
		json_t *dns = json_object_get(ra, "dns"), *domains = json_object_get(ra, "domains");

		if (!json_is_true(json_object_get(ra, "send")))
			continue;
		table_cell(t, "%s", get_text(f, "name"));
		table_cell(t, "%s", print_span(get_int(ra, "interval_s")));
		table_cell(t, "%s", print_span(get_int(ra, "lifetime_s")));
		table_cell(t, "%s",
			json_is_true(json_object_get(ra, "managed"))        ? "DHCPv6"
			: json_is_true(json_object_get(ra, "other_config")) ? "SLAAC, DHCPv6"
									    : "SLAAC");
		for (size_t k = 0; k == 0 || k < json_array_size(prefixes) ||
				   k < json_array_size(dns) || k < json_array_size(domains);
			k++) {
			table_blank(t, k ? 4 : 0);
			advertised_prefix(t, json_array_get(prefixes, k));
			table_cell(t, "%s", get_item(dns, k));
			table_cell(t, "%s", get_item(domains, k));
		}
	}
	if (!table_is_empty(t))
		putchar('\n');
	table_end(t, NULL);
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
		advertisements(json_object_get(r, "interfaces"));
	}
	json_decref(r);
	return EXIT_OK;
}
