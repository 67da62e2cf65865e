/* The section ipsec: what it becomes, and every mistake with its exact line and setting. No message
 * has a key in it.
 */
#include "conf/conf.h"

#include "wire/esp.h"

#include "expect.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Line 1 of each case; nothing in it is wrong. */
#define NET                                                                                    \
	"ports = ({ name = \"a\"; device = \"net_null0\"; });"                                 \
	"interfaces = ({ name = \"a\"; addresses = [\"192.0.2.1/24\", \"2001:db8::1/64\"]; }," \
	"{ name = \"ipsec0\"; tunnel = true; }, { name = \"ipsec1\"; tunnel = true; });"
#define FILTER "filter = { rules = ({ action = \"permit\"; }); };"
#define ENDS "local = \"192.0.2.1\"; remote = \"192.0.2.2\"; "
#define KEY16 "000102030405060708090a0b0c0d0e0f"
#define LATER16 "101112131415161718191a1b1c1d1e1f"
#define KEY32 KEY16 LATER16
#define KEY20 KEY16 "10111213"
/* A tunnel t with an inbound SA, to which more comes. */
#define SA                                                                                     \
	"tunnels = ({ name = \"t\"; " ENDS "sas = ({ name = \"s\"; direction = \"in\"; spi = " \
	"256; "
#define SHA "suite = \"null-sha256\"; key = \"" KEY32 "\"; "
#define END "}); }); };" FILTER

static const struct {
	const char *what, *text;
	struct want want[5];
} cases[] = {
	{"nothing is wrong", NET "ipsec = { " SA SHA END, {{0}}},
	{"a key in pieces, with white space",
		NET "ipsec = { " SA "suite = \"null-sha256\"; key = \"0x" KEY16 "\"\n\" " KEY16
		    " \n\";" END,
		{{0}}},
	/* tunnels */
	{"tunnel without all", NET FILTER "ipsec = { tunnels = (\n{ } ); };",
		{{2, "ipsec.tunnels[0].name", "missing"}, {2, "ipsec.tunnels[0].local", "missing"},
			{2, "ipsec.tunnels[0].remote", "missing"}}},
	{"tunnel name twice",
		NET FILTER "ipsec = { tunnels = ( { name = \"t\"; " ENDS "},\n{ " ENDS
			   "\nname = \"t\"; } ); };",
		{{3, "ipsec.tunnels[1].name", "t is the name of ipsec.tunnels[0] as well"}}},
	{"number twice",
		NET FILTER "ipsec = { tunnels = ( { name = \"t\"; number = 3; " ENDS
			   "},\n{ name = \"u\"; " ENDS "\nnumber = 3; } ); };",
		{{3, "ipsec.tunnels[1].number", "3 is the number of ipsec.tunnels[0]"}}},
	{"two families",
		NET FILTER "ipsec = { tunnels = ( { name = \"t\"; local = \"192.0.2.1\";\n"
			   "remote = \"2001:db8::2\"; } ); };",
		{{2, "ipsec.tunnels[0].remote", "2001:db8::2 is IPv6, expected IPv4"}}},
	{"one end",
		NET FILTER "ipsec = { tunnels = ( { name = \"t\"; local = \"192.0.2.1\";\n"
			   "remote = \"192.0.2.1\"; } ); };",
		{{2, "ipsec.tunnels[0].remote", "is local as well"}}},
	{"we are the other end",
		NET FILTER "ipsec = { tunnels = ( { name = \"t\"; local = \"2001:db8::2\";\n"
			   "remote = \"2001:db8::1\"; } ); };",
		{{2, "ipsec.tunnels[0].remote", "an address of this box itself"}}},
	{"ends that are none",
		NET FILTER "ipsec = { tunnels = ( { name = \"t\";\nlocal = \"fe80::1\";\nremote "
			   "= \"224.0.0.1\"; } ); };",
		{{2, "ipsec.tunnels[0].local", "link-local"},
			{3, "ipsec.tunnels[0].remote",
				"found \"224.0.0.1\", expected an address"}}},
	{"AH in UDP (RFC 3948)",
		NET FILTER "ipsec = { tunnels = ( { name = \"t\"; protocol = \"esp+ah\"; " ENDS
			   "\nencap = { }; } ); };",
		{{2, "ipsec.tunnels[0].encap", "AH does not go through UDP (RFC 3948"}}},
	{"encap",
		NET FILTER "ipsec = { tunnels = ( { name = \"t\"; " ENDS
			   "encap = {\nlocal-port = 0;\nport = 1; }; } ); };",
		{{2, "ipsec.tunnels[0].encap.local-port", "1 to 65535"},
			{3, "ipsec.tunnels[0].encap.port", "unknown setting"}}},
	{"interfaces of tunnels",
		NET FILTER "ipsec = { tunnels = (\n{ name = \"t\"; interface = \"a\"; " ENDS
			   "},\n{ name = \"u\"; interface = \"b\"; " ENDS
			   "},\n{ name = \"v\"; interface = \"ipsec0\"; " ENDS
			   "},\n{ name = \"w\"; interface = \"ipsec0\"; " ENDS "} ); };",
		{{2, "ipsec.tunnels[0].interface", "\"a\" has a port, expected"},
			{3, "ipsec.tunnels[1].interface", "no interface has that name"},
			{5, "ipsec.tunnels[3].interface", "the interface of ipsec.tunnels[2]"}}},
	{"interface of transport mode",
		NET FILTER "ipsec = { tunnels = (\n{ name = \"t\"; mode = \"transport\"; interface "
			   "= \"ipsec0\"; " ENDS "} ); };",
		{{2, "ipsec.tunnels[0].interface", "needs mode = \"tunnel\""}}},
	{"words and numbers",
		NET FILTER "ipsec = { tunnels = ( { name = \"t\"; " ENDS
			   "\ndscp = 64;\nmss = 87;\nmtu = 575;\nttl = 0; } ); };",
		{{2, "ipsec.tunnels[0].dscp", "found the integer 64"},
			{3, "ipsec.tunnels[0].mss", "found the integer 87"},
			{4, "ipsec.tunnels[0].mtu", "0 or 576 to 9000"},
			{5, "ipsec.tunnels[0].ttl", "1 to 255"}}},
	{"what a tunnel interface has not",
		"ports = ({ name = \"a\"; device = \"net_null0\"; });"
		"interfaces = ({ name = \"a\"; }, { name = \"x\"; tunnel = true;\nport = \"a\";\n"
		"vlan = 3;\nrouter-advertisements = { };\ndad-transmits = 1; });" FILTER,
		{{2, "interfaces[1].port", "found besides tunnel = true"},
			{3, "interfaces[1].vlan", "found besides tunnel = true"},
			{4, "interfaces[1].router-advertisements", "found besides tunnel"},
			{5, "interfaces[1].dad-transmits", "found besides tunnel = true"}}},
	{"neighbour on a tunnel interface",
		NET FILTER
		"neighbours = ( {\ninterface = \"ipsec0\"; address = \"192.0.2.9\"; mac = "
		"\"02:00:00:00:00:01\"; } );",
		{{2, "neighbours[0].interface", "has no neighbours"}}},
	/* SAs */
	{"SA without all",
		NET "ipsec = { tunnels = ({ name = \"t\"; " ENDS "sas = (\n{ }); }); };" FILTER,
		{{2, "ipsec.tunnels[0].sas[0].name", "missing"},
			{2, "ipsec.tunnels[0].sas[0].direction", "missing"},
			{2, "ipsec.tunnels[0].sas[0].spi", "missing, expected 256 to 4294967295"},
			{2, "ipsec.tunnels[0].sas[0].suite", "missing"},
			{2, "ipsec.tunnels[0].sas[0].key-file", "missing, and no key either"}}},
	{"a reserved SPI (RFC 4303 section 2.1)",
		NET "ipsec = { tunnels = ({ name = \"t\"; " ENDS
		    "sas = ({ name = \"s\"; direction = \"in\"; \nspi = 255; " SHA END,
		{{2, "ipsec.tunnels[0].sas[0].spi", "found the integer 255"}}},
	{"SPI twice",
		NET "ipsec = { " SA SHA "}, { name = \"u\"; direction = \"in\";\nspi = 0x100; "
		    "suite = \"null-sha256\"; key = \"ff" KEY16 KEY16 "\"; "
		    "}); }); };" FILTER,
		{{2, "ipsec.tunnels[0].sas[1].key",
			 "found 33 bytes, expected 32 for null-sha256: 0 encryption, 0 salt, "
			 "32 integrity"},
			{2, "ipsec.tunnels[0].sas[1].spi",
				"256 (0x100) is the SPI of ipsec.tunnels[0].sas[0] as well"}}},
	{"SPI of two tunnels that end here",
		NET
		"ipsec = { " SA SHA "}); }, { name = \"u\"; local = \"192.0.2.1\"; remote = "
		"\"192.0.2.3\"; sas = ({ name = \"u\"; direction = \"in\"; \nspi = 256; suite = "
		"\"null-sha256\"; key = \"" KEY16 KEY16 "\"; " END,
		{{2, "ipsec.tunnels[1].sas[0].spi",
			"is the SPI of ipsec.tunnels[0].sas[0] as well"}}},
	{"the same SPI outbound is another SA",
		NET "ipsec = { " SA SHA
		    "}, { name = \"u\"; direction = \"out\"; spi = 256; suite = "
		    "\"null-sha256\"; key = \"" KEY16 KEY16 "\"; " END,
		{{0}}},
	{"SA name twice",
		NET "ipsec = { " SA SHA "}, {\nname = \"s\"; direction = \"out\"; spi = 256; suite "
		    "= \"null-sha256\"; key = \"" KEY16 KEY16 "\"; " END,
		{{2, "ipsec.tunnels[0].sas[1].name",
			"s is the name of ipsec.tunnels[0].sas[0] as well"}}},
	{"no such suite", NET "ipsec = { " SA "\nsuite = \"rot13\"; key = \"" KEY16 "\";" END,
		{{2, "ipsec.tunnels[0].sas[0].suite", "no suite of ESP is called \"rot13\""}}},
	{"NULL alone", NET "ipsec = { " SA "\nsuite = \"null\"; key = \"" KEY16 "\";" END,
		{{2, "ipsec.tunnels[0].sas[0].suite", "neither encrypts nor authenticates"}}},
	{"CBC alone (RFC 8221 section 4)",
		NET "ipsec = { " SA "\nsuite = \"aes128\"; key = \"" KEY16 "\";" END,
		{{2, "ipsec.tunnels[0].sas[0].suite", "does not authenticate"}}},
	{"legacy (RFC 8221)",
		NET "ipsec = { " SA "\nsuite = \"null-md5\"; key = \"" KEY16 "\";" END,
		{{2, "ipsec.tunnels[0].sas[0].suite",
			"null-md5 is not to be used any more (RFC 8221), expected another"}}},
	{"AH suite of ESP",
		NET "ipsec = { tunnels = ({ name = \"t\"; protocol = \"ah\"; " ENDS
		    "sas = ({ name = \"s\"; direction = \"in\"; spi = 256;\n" SHA END,
		{{2, "ipsec.tunnels[0].sas[0].suite", "AH"}}},
	{"protocol of an SA",
		NET "ipsec = { tunnels = ({ name = \"t\"; " ENDS
		    "sas = ({ name = \"s\"; direction = \"in\"; spi = 256;\nprotocol = \"ah\"; "
		    "suite = \"sha256\"; key = \"" KEY32 "\"; " END,
		{{2, "ipsec.tunnels[0].sas[0].protocol", "the tunnel has esp alone"}}},
	{"protocol of an SA with both",
		NET "ipsec = { tunnels = ({ name = \"t\"; protocol = \"esp+ah\"; " ENDS
		    "sas = (\n{ name = \"s\"; direction = \"in\"; spi = 256; " SHA END,
		{{2, "ipsec.tunnels[0].sas[0].protocol", "missing, expected \"esp\" or \"ah\""}}},
	{"a short key", NET "ipsec = { " SA "suite = \"aes128gcm16\";\nkey = \"" KEY16 "\";" END,
		{{2, "ipsec.tunnels[0].sas[0].key",
			"found 16 bytes, expected 20 for aes128gcm16: 16 encryption, 4 salt, 0 "
			"integrity"}}},
	{"no hexadecimal key",
		NET "ipsec = { " SA "suite = \"aes128gcm16\";\nkey = \"" KEY16 "1011121\";" END,
		{{2, "ipsec.tunnels[0].sas[0].key", "expected two hexadecimal digits"}}},
	{"two keys", NET "ipsec = { " SA SHA "\nkey-file = \"x\";" END,
		{{1, "ipsec.tunnels[0].sas[0].key", "found besides key-file"}}},
	{"a key file in memory",
		NET "ipsec = { " SA "suite = \"aes128gcm16\";\nkey-file = \"x\";" END,
		{{2, "ipsec.tunnels[0].sas[0].key-file", "no key file can be named here"}}},
	{"dates", NET "ipsec = { " SA SHA "\ncreated = \"2026-02-30\";" END,
		{{2, "ipsec.tunnels[0].sas[0].created", "found \"2026-02-30\", expected a date"}}},
	{"a date and more", NET "ipsec = { " SA SHA "\ncreated = \"2026-02-03 \";" END,
		{{2, "ipsec.tunnels[0].sas[0].created", "expected a date"}}},
	{"window of an outbound SA",
		NET "ipsec = { tunnels = ({ name = \"t\"; " ENDS
		    "sas = ({ name = \"s\"; direction = \"out\"; spi = 256;\nwindow = 64; " SHA END,
		{{2, "ipsec.tunnels[0].sas[0].window", "an outbound SA has none"}}},
	{"ESN without a window (RFC 4303 section 3.3.3)",
		NET "ipsec = { " SA SHA "\nesn = true; window = 0;" END,
		{{2, "ipsec.tunnels[0].sas[0].esn", "need a window"}}},
	{"lifetimes",
		NET "ipsec = { " SA SHA "lifetime = {\nsoft-s = 3; hard-s = 2;\nsoft-bytes = "
		    "3; hard-bytes = 2;\nsoft-packets = 1; hard-packets = 0; };" END,
		{{2, "ipsec.tunnels[0].sas[0].lifetime.soft-s", "expected less"},
			{3, "ipsec.tunnels[0].sas[0].lifetime.soft-bytes", "expected less"}}},
	{"no such worker", NET "system = { workers = 2; }; ipsec = { " SA SHA "\nowner = 2;" END,
		{{2, "ipsec.tunnels[0].sas[0].owner", "there are 2 workers"}}},
	{"one key for two counters (RFC 4106 section 2)",
		NET
		"ipsec = { " SA "suite = \"aes128gcm16\"; key = \"" KEY20
		"\"; },\n{ name = \"u\"; direction = \"out\"; spi = 256; suite = \"aes128gcm16\"; "
		"key = \"" KEY20 "\"; " END,
		{{2, "ipsec.tunnels[0].sas[1]", "its key is that of ipsec.tunnels[0].sas[0]"}}},
	{"more SAs than room", NULL, {{1, "ipsec.sas-max", "there are 17 SAs"}}},
	/* policies */
	{"policy without all",
		NET FILTER "ipsec = { policies = (\n{ },\n{ action = \"protect\"; },"
			   "\n{ action = \"bypass\"; tunnel = \"t\"; } ); };",
		{{2, "ipsec.policies[0].action", "missing"},
			{3, "ipsec.policies[1].tunnel", "missing, expected the name of a tunnel"},
			{4, "ipsec.policies[2].tunnel", "no tunnel has that name"},
			{4, "ipsec.policies[2].tunnel", "found without action = \"protect\""}}},
	{"policy name twice",
		NET FILTER "ipsec = { policies = ( { name = \"p\"; action = \"bypass\"; }, { "
			   "action = \"bypass\"; },\n{ name = \"p\"; action = \"discard\"; } ); };",
		{{2, "ipsec.policies[2].name", "p is the name of ipsec.policies[0] as well"}}},
	{"addresses of a policy",
		NET FILTER
		"ipsec = { policies = (\n{ action = \"bypass\"; src = \"10.0.0.9-10.0.0.1\"; "
		"},\n{ action = \"bypass\"; dst = \"10.0.0.1/8\"; },\n{ action = "
		"\"bypass\"; src = \"10.0.0.1\"; dst = \"::1\"; },\n{ action = "
		"\"bypass\"; src = \"::/0\"; proto = \"icmp\"; } ); };",
		{{2, "ipsec.policies[0].src", "found \"10.0.0.9-10.0.0.1\", expected"},
			{3, "ipsec.policies[1].dst", "found \"10.0.0.1/8\", expected"},
			{4, "ipsec.policies[2].dst", "of two families"},
			{5, "ipsec.policies[3].proto", "icmp is of IPv4, expected icmpv6"}}},
	{"ports of a policy",
		NET FILTER
		"ipsec = { policies = (\n{ action = \"bypass\"; sport = 3; },\n{ action = "
		"\"bypass\"; proto = \"tcp\"; dport = \"9-3\"; },\n{ action = \"bypass\"; "
		"proto = \"tcp\"; icmp-type = 3; },\n{ action = \"bypass\"; proto = "
		"\"icmp\"; icmp-code = 256; } ); };",
		{{2, "ipsec.policies[0].sport", "have ports"},
			{3, "ipsec.policies[1].dport", "found \"9-3\", expected any, a number"},
			{4, "ipsec.policies[2].icmp-type", "found without proto = \"icmp\""},
			{5, "ipsec.policies[3].icmp-code", "found the integer 256"}}},
	{"transport mode and its ends (RFC 4301 section 4.1)",
		NET FILTER "ipsec = { tunnels = ({ name = \"t\"; mode = \"transport\"; " ENDS
			   "}); policies = (\n{ action = \"protect\"; tunnel = \"t\"; src = "
			   "\"192.0.2.0/24\"; dst = \"192.0.2.2\"; },\n{ action = \"protect\"; "
			   "tunnel = \"t\"; direction = \"in\"; src = \"192.0.2.1\"; dst = "
			   "\"192.0.2.1\"; } ); };",
		{{2, "ipsec.policies[0].src", "expected its end 192.0.2.1"},
			{3, "ipsec.policies[1].src", "expected its end 192.0.2.2"}}},
	/* rules */
	{"rules and tunnels",
		NET
		"ipsec = { tunnels = ({ name = \"t\"; number = 5; " ENDS
		"}); };filter = { rules = ( { action = \"permit\"; tunnel = 5; }, { action = "
		"\"permit\"; tunnel = \"t\"; }, { action = \"permit\"; tunnel = \"none\"; },\n{ "
		"action = \"permit\"; tunnel = 6; },\n{ action = \"permit\"; tunnel = \"u\"; },\n"
		"{ action = \"permit\"; tunnel = 65536; } ); };",
		{{2, "filter.rules[3].tunnel", "no tunnel 6 is configured"},
			{3, "filter.rules[4].tunnel", "found \"u\", expected any, none, or"},
			{4, "filter.rules[5].tunnel", "found the integer 65536"}}},
};

static void each_case(void **state)
{
	char many[8192], *at;

	at = many + sprintf(many, NET "ipsec = { sas-max = 16; tunnels = ({ name = \"t\"; " ENDS
				      "sas = (");
	for (int k = 0; k < 17; k++)
		at += sprintf(at,
			"%s{ name = \"s%d\"; direction = \"in\"; spi = %d; suite = "
			"\"null-sha256\"; key = \"%064d\"; }",
			k ? "," : "", k, 256 + k, 1000 + k);
	sprintf(at, "); }); };" FILTER);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct errs errs = {0};
		struct want want[WANT_MAX] = {{0}};
		struct conf *conf;

		memcpy(want, cases[i].want, sizeof(cases[i].want));
		print_message("%s\n", cases[i].what);
		conf = conf_parse(cases[i].text ? cases[i].text : many, "f", NULL, &errs);
		expect(&errs, false, want);
		assert_int_equal(conf != NULL, want[0].text == NULL);
		conf_free(conf);
		errs_fini(&errs);
	}
}

static void warnings(void **state)
{
	static const struct {
		const char *text;
		struct want want[4];
	} w[] = {
		{NET FILTER "ipsec = { };",
			{{1, "interfaces[1].tunnel", "no tunnel names interface ipsec0"},
				{1, "interfaces[2].tunnel", "no tunnel names interface ipsec1"}}},
#undef NET
#define NET                                                    \
	"ports = ({ name = \"a\"; device = \"net_null0\"; });" \
	"interfaces = ({ name = \"a\"; addresses = [\"192.0.2.1/24\"]; });"
#define BOTH(more_in, more_out)                                          \
	"tunnels = ({ name = \"t\"; " ENDS                               \
	"sas = ({ name = \"i\"; direction = \"in\"; spi = 256; " more_in \
	"},\n{ name = \"o\"; direction = \"out\"; spi = 256; " more_out END
#define OTHER "suite = \"null-sha256\"; key = \"ff0102030405060708090a0b0c0d0e0f" KEY16 "\"; "
		{NET "ipsec = { " BOTH(SHA, OTHER), {{0}}},
		{NET "ipsec = { " BOTH(SHA, SHA),
			{{2, "ipsec.tunnels[0].sas[1]",
				"its key is that of ipsec.tunnels[0].sas[0]"}}},
		{NET "ipsec = { allow-legacy = true; " BOTH(
			 SHA, "suite = \"3des-md5\"; key = \"" KEY20 KEY20 "\";"),
			{{2, "ipsec.tunnels[0].sas[1].suite",
				"3des-md5 is not to be used any more"}}},
		{NET "ipsec = { " BOTH(SHA, "suite = \"null-sha256\"; key = "
					    "\"00000000000000000000000000000000"
					    "00000000000000000000000000000000\";"),
			{{2, "ipsec.tunnels[0].sas[1].key", "all bytes of the key are the same"}}},
		/* RFC 4106 section 2: inbound the other end's care */
		{NET "ipsec = { " BOTH("suite = \"aes128gcm16\"; key = \"" KEY20 "\";",
			 "suite = \"aes128ctr-sha1\"; key = \"" KEY20 KEY20 "\";"),
			{{2, "ipsec.tunnels[0].sas[1].suite",
				"is not made for keys that stay (RFC 4106"}}},
		{NET "ipsec = { " BOTH(SHA, OTHER "created = \"2000-01-01\";"),
			{{2, "ipsec.tunnels[0].sas[1].created", "days old, expected at most 90"}}},
		{NET "ipsec = { key-age-days = 0; " BOTH(SHA, OTHER "created = \"2000-01-01\";"),
			{{0}}},
		{NET "ipsec = { " BOTH(SHA, OTHER "created = \"2222-01-01\";"),
			{{2, "ipsec.tunnels[0].sas[1].created", "still to come"}}},
		{NET "ipsec = { " SA SHA END,
			{{1, "ipsec.tunnels[0].sas", "there is no outbound SA with ESP"}}},
		{NET FILTER
			"ipsec = { tunnels = (\n{ name = \"t\"; local = \"192.0.2.7\"; remote = "
			"\"192.0.2.2\"; } ); };",
			{{2, "ipsec.tunnels[0].local", "192.0.2.7 is no address of an interface"}}},
		{NET FILTER "ipsec = { tunnels = ({ name = \"t\"; mode = \"transport\"; " ENDS
			    "\nttl = 3; }); };",
			{{2, "ipsec.tunnels[0].ttl", "no effect in transport mode"}}},
		{NET "ipsec = { tunnels = ({ name = \"t\"; " ENDS
		     "}); };\nfilter = { rules = ({ action "
		     "= \"permit\"; tunnel = 0; }); };",
			{{2, "filter", "every rule that permits says t=0"}}},
		{NET "ipsec = { tunnels = ({ name = \"t\"; " ENDS
		     "}); };\nfilter = { classic-tunnel-match = \"any\"; rules = ({ action "
		     "= \"permit\"; tunnel = 0; }); };",
			{{0}}},
	};

	for (unsigned i = 0; i < sizeof(w) / sizeof(w[0]); i++) {
		struct errs errs = {0};
		struct conf *conf = conf_parse(w[i].text, "f", NULL, &errs);

		if (conf == NULL) {
			errs_print(&errs, stderr);
			fail_msg("warning %u: refused", i);
		}
		expect(&errs, true, w[i].want);
		conf_free(conf);
		errs_fini(&errs);
	}
}

static struct conf *good(const char *text)
{
	struct errs errs = {0};
	struct conf *conf = conf_parse(text, "f", NULL, &errs);

	if (conf == NULL)
		errs_print(&errs, stderr);
	assert_non_null(conf);
	errs_fini(&errs);
	return conf;
}

/* What the settings become. */
static void values(void **state)
{
	struct conf *conf = good(
		"ports = ({ name = \"a\"; device = \"net_null0\"; mtu = 9000; }, { name = \"b\"; "
		"device = "
		"\"net_null1\"; });"
		"interfaces = ({ name = \"a\"; addresses = [\"192.0.2.1/24\"]; }, { name = "
		"\"ipsec0\"; "
		"tunnel = true; addresses = [ \"10.9.0.1/30\", \"fd00::1/64\" ]; zone = "
		"\"secure\"; });"
		"routes = ({ to = \"10.8.0.0/16\"; interface = \"ipsec0\"; });" FILTER
		"ipsec = { unmatched = \"discard\"; tunnels = ("
		"{ name = \"x\"; number = 7; protocol = \"esp+ah\"; interface = \"ipsec0\"; dscp = "
		"46; ecn = "
		"false; df = \"clear\"; ttl = 9; flow-label = true; fragment = \"after\"; mss = "
		"1300; mtu = "
		"1400; " ENDS
		"sas = ( { name = \"s1\"; direction = \"out\"; protocol = \"esp\"; spi = "
		"0xfffffffe; suite = \"aes128gcm16\"; key = \"" KEY20 "\"; esn = true; created = "
		"\"2026-11-01\"; owner = 3; lifetime = { hard-bytes = 5000000000; soft-s = 7; }; },"
		"{ name = \"s2\"; direction = \"in\"; protocol = \"ah\"; spi = 257; suite = "
		"\"sha256\"; key = "
		"\"" KEY32 "\"; window = 1024; } ); },"
		"{ name = \"y\"; " ENDS "encap = { remote-port = 9; follow = true; }; } );"
		"policies = ( { name = \"p\"; action = \"protect\"; tunnel = \"y\"; src = "
		"\"10.0.0.0/8\"; dst = "
		"\"10.1.0.3-10.1.0.9\"; proto = \"tcp\"; dport = \"80-90\"; },"
		"{ action = \"discard\"; direction = \"in\"; proto = \"icmpv6\"; icmp-type = 128; "
		"},"
		"{ action = \"bypass\"; src = \"2001:db8::/32\"; } ); };");
	const struct conf_ipsec *c = &conf->ipsec;
	const struct conf_tunnel *x = &c->tunnels[0], *y = &c->tunnels[1];
	const struct conf_sa *s = c->sas;
	const struct selector *sel;
	char buf[SELECTOR_STRLEN];

	assert_true(c->discard_unmatched);
	assert_int_equal(conf->ifaces[1].mtu, 9000);
	assert_int_equal(conf->ifaces[1].port, UINT16_MAX);
	assert_true(conf->ifaces[1].tunnel);
	assert_int_equal(conf->routes[0].paths[0].iface, 1);
	assert_int_equal(c->n_tunnels, 2);
	assert_int_equal(x->number, 7);
	assert_int_equal(x->protocol, CONF_TUNNEL_ESP_AH);
	assert_int_equal(x->iface, 1);
	assert_int_equal(x->dscp, 46);
	assert_false(x->ecn);
	assert_int_equal(x->df, CONF_DF_CLEAR);
	assert_int_equal(x->ttl, 9);
	assert_true(x->flow_label && x->fragment_after);
	assert_int_equal(x->mss, 1300);
	assert_int_equal(x->mtu, 1400);
	assert_int_equal(x->n_sas, 2);
	assert_int_equal(x->rule, 7);
	assert_int_equal(y->number, 0);
	assert_int_equal(y->rule, CONF_TUNNEL_NUMBER_MAX + 2);
	assert_true(y->encap && y->follow);
	assert_int_equal(y->local_port, 4500);
	assert_int_equal(y->remote_port, 9);
	assert_int_equal(y->n_sas, 0);
	assert_int_equal(c->n_sas, 2);
	assert_true(s[0].out && s[0].esn && s[0].counter_mode);
	assert_int_equal(s[0].proto, PROTO_ESP);
	assert_int_equal(s[0].spi, 0xfffffffe);
	assert_int_equal(s[0].created, 1793491200);
	assert_int_equal(s[0].owner, 3);
	assert_int_equal(s[0].hard_bytes, 5000000000);
	assert_int_equal(s[0].soft_s, 7);
	assert_int_equal(s[0].window, 0);
	assert_int_equal(suite_key_len(&s[0].suite), 20);
	assert_int_equal(s[1].proto, PROTO_AH);
	assert_int_equal(s[1].window, 1024);
	for (unsigned i = 0; i < 32; i++)
		assert_int_equal(s[1].key[i], i);
	assert_int_equal(c->n_policies, 3);
	sel = &c->policies[0].sel;
	assert_int_equal(c->policies[0].tunnel, 1);
	assert_int_equal(c->policies[0].dir, RULE_DIR_BOTH);
	assert_string_equal(addr_format(&sel->src_to, buf), "10.255.255.255");
	assert_string_equal(addr_format(&sel->dst_from, buf), "10.1.0.3");
	assert_int_equal(sel->dport_from, 80);
	assert_int_equal(sel->dport_to, 90);
	assert_int_equal(sel->sport_to, UINT16_MAX);
	sel = &c->policies[1].sel;
	assert_int_equal(c->policies[1].action, CONF_POLICY_DISCARD);
	assert_false(sel->any_addr);
	assert_true(addr_is_unspecified(&sel->src_from));
	assert_int_equal(sel->sport_from, 128);
	assert_int_equal(sel->sport_to, 128);
	sel = &c->policies[2].sel;
	assert_true(addr_is_unspecified(&sel->dst_from));
	assert_int_equal(sel->dst_to.b[0], 0xff);
	conf_free(conf);
}

/* Whatever is wrong around a key, no message has a part of it. */
static void keys_stay_secret(void **state)
{
	static const char *const wrong[] = {
		"key = \"deadbeefdeadbeef\";",
		"key = \"deadbeefdeadbeef\"\n",
		"key = deadbeefdeadbeef;",
		"key = \"deadbeef\" deadbeef;",
		"key = \"deadbeefxdeadbeef\";",
		"key = \"deadbeef\\x01deadbeef\";",
		"key = (\"deadbeef\", \"deadbeef\");",
		"key = [\"deadbeef\", 5];",
		"key = { deadbeef = 1; };",
		"key: \"deadbeef\n\ndeadbeef\";",
		"key = 0xdeadbeefdead;",
		"key = 0xdeadbeefdeadbeefdead;",
		"key = 3735928559;",
		"key = \"deadbeef",
		"key = \"deadbeef\"; key = \"deadbeef\";",
		"key = deadbeef:",
		"key \"deadbeef\";",
		"key = -deadbeef;",
		"key = deadbeef\"x\";",
	};

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct errs errs = {0};
		char text[1024];
		struct conf *conf;

		snprintf(text, sizeof(text), NET "ipsec = { " SA "suite = \"aes128gcm16\"; %s" END,
			wrong[i]);
		conf = conf_parse(text, "f", NULL, &errs);
		assert_null(conf);
		assert_true(errs.n_errors > 0);
		for (size_t k = 0; k < errs.n; k++)
			if (strcasestr(errs.e[k].text, "adbeef") ||
				strstr(errs.e[k].text, "3735928559"))
				fail_msg("%s: %s", wrong[i], errs.e[k].text);
		errs_fini(&errs);
	}
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

/* A key file: its mode, its owner, its contents. */
static void key_files(void **state)
{
	char dir[] = "/tmp/postern-test-XXXXXX", conf_path[64], key_path[64];
	static const struct {
		const char *key;
		mode_t mode;
		const char *error; /* NULL: it is good */
	} f[] = {
		{KEY32 "\n", 0600, NULL},
		{"0x" KEY16 "\n" LATER16 "\n", 0400, NULL},
		{KEY32 "\n", 0640, "has the mode 0640, expected 0600"},
		{KEY32 "\n", 0604, "has the mode 0604, expected 0600"},
		{KEY32 "\n", 0700, "has the mode 0700, expected 0600"},
		{KEY16 "\n", 0600, "found 16 bytes, expected 32"},
		{"", 0600, "expected two hexadecimal digits"},
		{"secret\n", 0600, "expected two hexadecimal digits"},
		{"0", 0600, "expected two hexadecimal digits"},
	};

	assert_non_null(mkdtemp(dir));
	snprintf(conf_path, sizeof(conf_path), "%s/c.conf", dir);
	snprintf(key_path, sizeof(key_path), "%s/k.key", dir);
	write_file(conf_path,
		NET "ipsec = { " SA "suite = \"null-sha256\";\nkey-file = \"k.key\"; " END, 0600);
	for (unsigned i = 0; i < sizeof(f) / sizeof(f[0]); i++) {
		struct errs errs = {0};
		struct conf *conf;

		write_file(key_path, f[i].key, f[i].mode);
		conf = conf_load(conf_path, &errs);
		if (f[i].error) {
			assert_null(conf);
			expect(&errs, false,
				(struct want[]){{2, "ipsec.tunnels[0].sas[0].key-file", f[i].error},
					{0, 0, 0}});
		} else {
			if (conf == NULL)
				errs_print(&errs, stderr);
			assert_non_null(conf);
			for (unsigned k = 0; k < 32; k++)
				assert_int_equal(conf->ipsec.sas[0].key[k], k);
		}
		conf_free(conf);
		errs_fini(&errs);
		unlink(key_path);
	}
	/* a FIFO holds nobody up; what is not there is named */
	for (int fifo = 0; fifo < 2; fifo++) {
		struct errs errs = {0};

		if (fifo)
			assert_int_equal(mkfifo(key_path, 0600), 0);
		assert_null(conf_load(conf_path, &errs));
		expect(&errs, false,
			(struct want[]){{2, "ipsec.tunnels[0].sas[0].key-file",
						fifo ? "not a regular file" : "No such file"},
				{0, 0, 0}});
		errs_fini(&errs);
	}
	if (geteuid() == 0) {
		struct errs errs = {0};

		unlink(key_path);
		write_file(key_path, KEY32, 0600);
		assert_int_equal(chown(key_path, 12345, 12345), 0);
		assert_null(conf_load(conf_path, &errs));
		expect(&errs, false,
			(struct want[]){
				{2, "ipsec.tunnels[0].sas[0].key-file", "owned by user 12345"},
				{0, 0, 0}});
		errs_fini(&errs);
	}
	unlink(key_path);
	unlink(conf_path);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_case),
		cmocka_unit_test(warnings),
		cmocka_unit_test(values),
		cmocka_unit_test(keys_stay_secret),
		cmocka_unit_test(key_files),
	};

	return cmocka_run_group_tests_name("conf/ipsec", tests, NULL, NULL);
}
