/* filter.test where there is IPsec: policies in and out, and the way into a tunnel and out of it,
 * held against what dp/node/policy_in.c, policy_out.c and protect.c do.
 */
#include "walk_cases.h"

#include "table/sad_write.h"
#include "table/spd_write.h"

enum { SITE_B = 1, FAR, MUTE, ROUTED, TUNNELS };

static struct sad_db *sad;
static struct spd *spd;
static struct tunnel tunnel[TUNNELS];
static struct ipsec ipsec;

static int no_expand(struct sa *sa, const struct suite *suite, const uint8_t *key)
{
	return 0;
}

static void add_sa(uint16_t of, bool in, uint32_t spi)
{
	static const uint8_t key[SUITE_KEY_MAX];
	/* what may come out: 10.9/16 to 10.0/24 */
	const struct selector sel = {.src_from = prefix_of("10.9.0.0/16").addr,
		.src_to = prefix_of("10.9.255.255/32").addr,
		.dst_from = prefix_of("10.0.0.0/24").addr,
		.dst_to = prefix_of("10.0.0.255/32").addr,
		.proto = SELECTOR_PROTO_ANY,
		.sport_to = UINT16_MAX,
		.dport_to = UINT16_MAX};
	struct sa_info info = {.tunnel = of,
		.proto = PROTO_ESP,
		.in = in,
		.spi = rte_cpu_to_be_32(spi),
		.window = in ? 64 : 0,
		.owner = SAD_OWNER_AUTO,
		.n_selectors = in,
		.selector = &sel};
	uint32_t handle;
	char why[256];

	assert_true(suite_parse("aes128gcm16", PROTO_ESP, &info.suite, why, sizeof(why)));
	if (sad_db_add(sad, &tunnel[of], &info, key, &handle, why, sizeof(why)) < 0)
		fail_msg("%s", why);
}

static struct policy policy_of(const char *dst, uint8_t action, uint16_t of)
{
	struct prefix p = prefix_of(dst);
	struct policy policy = {.sel = {.src_from = prefix_of("10.0.0.0/24").addr,
					.src_to = prefix_of("10.0.0.255/32").addr,
					.dst_from = p.addr,
					.dst_to = p.addr,
					.proto = SELECTOR_PROTO_ANY,
					.sport_to = UINT16_MAX,
					.dport_to = UINT16_MAX},
		.dir = RULE_DIR_BOTH,
		.action = action,
		.tunnel = of,
		.line = 3,
		.file = "f.conf",
		.name = "a-policy"};

	for (unsigned bit = p.len; bit < 128; bit++)
		policy.sel.dst_to.b[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return policy;
}

static void tunnel_set(uint16_t id, const char *name, const char *remote)
{
	tunnel[id] = (struct tunnel){.id = id,
		.flags = TUNNEL_UP | TUNNEL_ESP,
		.ttl = 64,
		.local = prefix_of("10.0.0.1/32").addr,
		.remote = prefix_of(remote).addr};
	snprintf(tunnel[id].name, sizeof(tunnel[id].name), "%s", name);
}

static int setup_ipsec(void **state)
{
	const struct policy policies[] = {policy_of("10.9.0.0/16", POLICY_PROTECT, SITE_B),
		policy_of("10.1.0.2/32", POLICY_PROTECT, FAR),
		policy_of("10.1.0.3/32", POLICY_PROTECT, MUTE),
		policy_of("10.1.0.4/32", POLICY_DISCARD, 0)};
	char why[256];

	if (setup(state) < 0)
		return -1;
	sad = sad_db_new(64, 2, qsv, no_expand, SOCKET_ID_ANY, why, sizeof(why));
	if (sad == NULL)
		fail_msg("%s", why);
	tunnel_set(SITE_B, "site-b", "10.0.0.9/32"); /* behind lan0, which is secure */
	tunnel_set(FAR, "far", "10.1.0.9/32");       /* behind wan0, where ESP may not out */
	tunnel_set(MUTE, "mute", "10.0.0.9/32");
	add_sa(SITE_B, false, 0x2001);
	add_sa(SITE_B, true, 0x1001);
	add_sa(FAR, false, 0x2002);
	spd = spd_build(
		policies, RTE_DIM(policies), POLICY_BYPASS, SOCKET_ID_ANY, why, sizeof(why));
	if (spd == NULL)
		fail_msg("%s", why);
	ipsec = (struct ipsec){.spd = spd,
		.sad = sad_db_table(sad),
		.n_tunnels = TUNNELS,
		.tunnel = tunnel,
		.nesting_max = 4,
		.predecap_filter = 1};
	f->root.ipsec = &ipsec;
	f->env.sad = sad;
	return 0;
}

static int teardown_ipsec(void **state)
{
	sad_db_free(sad);
	spd_free(spd);
	return teardown(state);
}

static void test_walk(void **state)
{
	static const struct expect expected[] = {
		/* protected: the outer packet is routed and filtered by itself */
		{"'in':'lan0','src':'10.0.0.2','dst':'10.9.0.2','proto':'icmp'", "permit", NULL,
			"interface,route,inbound,policy,policy,outbound,tunnel,route,outbound,"
			"output,"},
		{"'in':'lan0','src':'10.0.0.2','dst':'10.1.0.2','proto':'icmp'", "deny",
			"filter-out-implicit",
			"interface,route,inbound,policy,policy,outbound,tunnel,route,outbound,"},
		{"'in':'lan0','src':'10.0.0.2','dst':'10.1.0.3','proto':'icmp'", "deny",
			"ipsec-no-sa", "interface,route,inbound,policy,policy,outbound,tunnel,"},
		/* a denied packet is a denied packet, wherever a policy sends it */
		{"'in':'lan0','src':'10.0.0.2','dst':'10.9.0.2','proto':'udp','dport':53", "deny",
			"filter-out-implicit", "interface,route,inbound,policy,policy,outbound,"},
		/* of this box */
		{"'src':'10.0.0.1','dst':'10.9.0.2','proto':'icmp'", "permit", NULL,
			"route,policy,outbound,tunnel,route,outbound,output,"},
		/* no policy, and one that says discard */
		{"'in':'lan0','src':'10.0.0.2','dst':'10.1.0.7','proto':'icmp'", "permit", NULL,
			"interface,route,inbound,policy,policy,outbound,output,"},
		{"'in':'lan0','src':'10.0.0.2','dst':'10.1.0.4','proto':'icmp'", "deny",
			"policy-out-discard", "interface,route,inbound,policy,policy,"},
		/* RFC 4301 section 5.2: what ought to be protected came in the clear */
		{"'in':'wan0','src':'10.9.0.2','dst':'10.0.0.2','proto':'icmp'", "deny",
			"policy-in-clear", "interface,route,inbound,policy,"},
		{"'in':'wan0','src':'10.1.0.4','dst':'10.0.0.2','proto':'icmp'", "deny",
			"policy-in-discard", "interface,route,inbound,policy,"},
		{"'in':'wan1','through':'site-b','src':'10.9.0.2','dst':'10.0.0.2','proto':'icmp'",
			"permit", NULL, "interface,route,inbound,policy,policy,outbound,output,"},
		{"'in':'wan1','through':'site-b','src':'10.8.0.2','dst':'10.0.0.2','proto':'icmp'",
			"deny", "ipsec-selector", "interface,route,inbound,policy,"},
		{"'in':'wan1','through':'mute','src':'10.9.0.2','dst':'10.0.0.2','proto':'icmp'",
			"deny", "ipsec-unknown-spi", "interface,route,inbound,policy,"},
		/* what carries others is for its SA */
		{"'in':'wan1','src':'10.2.0.9','dst':'10.0.0.1','proto':'esp'", "permit", NULL,
			"interface,route,inbound,local,"},
		{"'in':'wan0','src':'10.1.0.9','dst':'10.0.0.1','proto':'esp'", "deny",
			"filter-in-implicit", "interface,route,inbound,"},
		/* lifetime and size, before it is protected (RFC 4301 section 8) */
		{"'in':'lan0','src':'10.0.0.2','dst':'10.9.0.2','proto':'icmp','hop_limit':1",
			"deny", "ttl-exceeded",
			"interface,route,inbound,policy,policy,outbound,tunnel,"},
		{"'in':'lan0','src':'10.0.0.2','dst':'10.9.0.2','proto':'icmp','length':1400,"
		 "'df':true",
			"permit", NULL,
			"interface,route,inbound,policy,policy,outbound,tunnel,route,outbound,"
			"output,"},
		{"'in':'lan0','src':'10.0.0.2','dst':'10.9.0.2','proto':'icmp','length':1490,"
		 "'df':true",
			"deny", "mtu-exceeded",
			"interface,route,inbound,policy,policy,outbound,tunnel,"},
	};

	expect_walks(expected, RTE_DIM(expected));
}

/* What no policy is about is discarded behind the filter, not before it. */
static void test_unmatched(void **state)
{
	static const struct expect expected[] = {
		{"'in':'lan0','src':'10.0.0.2','dst':'10.1.0.7','proto':'icmp'", "deny",
			"policy-in-discard", "interface,route,inbound,policy,"},
		{"'src':'10.0.0.1','dst':'10.1.0.7','proto':'icmp'", "deny", "policy-out-discard",
			"route,policy,outbound,"},
		{"'src':'10.0.0.1','dst':'10.1.0.7','proto':'tcp','dport':25", "deny", "filter-out",
			"route,policy,outbound,"},
	};

	spd->verdict[0].action = POLICY_DISCARD;
	expect_walks(expected, RTE_DIM(expected));
}

/* A tunnel's interface: what is routed to it goes through it, what came out of it came by it. */
static void test_interface(void **state)
{
	static const struct expect expected[] = {
		{"'in':'lan0','src':'10.0.0.2','dst':'10.5.0.2','proto':'icmp','out':'four0'",
			"permit", NULL,
			"interface,route,inbound,policy,policy,outbound,tunnel,route,outbound,"
			"output,"},
		{"'through':'routed','src':'10.9.0.2','dst':'10.0.0.2','proto':'icmp'", "permit",
			NULL, "interface,route,inbound,policy,policy,outbound,output,"},
	};

	f->ports.iface[FOUR].flags |= IFACE_TUNNEL;
	f->ports.iface[FOUR].tunnel = ROUTED;
	tunnel_set(ROUTED, "routed", "10.0.0.9/32");
	tunnel[ROUTED].iface = FOUR;
	add_sa(ROUTED, false, 0x2003);
	add_sa(ROUTED, true, 0x1003);
	/* the policies are not about what comes out of it */
	spd->verdict[1].tunnel = ROUTED;
	expect_walks(expected, RTE_DIM(expected));
}

static void test_through(void **state)
{
	json_t *a = ask_test("'in':'wan0','through':'nope','src':'10.9.0.2','dst':'10.0.0.2',"
			     "'proto':'icmp'");

	assert_int_equal(fake_code(a), -32602);
	assert_non_null(strstr(fake_message(a), "\"through\" must be"));
	json_decref(a);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup_ipsec, teardown_ipsec)
	const struct CMUnitTest tests[] = {
		T(test_walk),
		T(test_unmatched),
		T(test_interface),
		T(test_through),
	};

	return world_run(tests, RTE_DIM(tests));
}
