/* What no honest host sends: frames cut at every length, and random damage to valid ones. Nothing
 * may crash (run it under ASan too), every packet must be accounted for, and no buffer lost.
 *
 * The seed is printed; POSTERN_SEED repeats a run, POSTERN_FRAMES makes it longer.
 */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BASES4 14 /* the last is ARP */
#define BASES6 15
#define BASES (BASES4 + BASES6)

static struct frame base[BASES];
static uint64_t state;

static uint32_t below(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 20) % n);
}

static void make_bases4(void)
{
	struct spec s[BASES4] = {spec_udp(), spec_tcp(), spec_echo(), spec_echo(), spec_udp(),
		spec_udp(), spec_udp(), spec_tcp(), spec_udp(), spec_udp(), spec_udp(), spec_udp(),
		spec_udp()};
	struct arp_spec arp = {.l2 = {{{255, 255, 255, 255, 255, 255}}, host_mac(HOST_A), 0, 0},
		.op = 1,
		.sha = host_mac(HOST_A),
		.spa = HOST_A,
		.tpa = LAN_ADDR};

	s[3].dst = LAN_ADDR;
	s[4].options = "\x94\x04\x00\x00\x07\x07\x04\0\0\0\0\0";
	s[4].options_len = 12;
	s[5].tagged = true; /* priority */
	s[6].frag = FRAG_MF;
	s[6].payload_len = 16;
	s[7].frag = 4;
	s[7].raw = true;
	s[8].dst = IP(192, 0, 2, 99); /* nobody answers there */
	s[9].dst = IP(203, 0, 113, 5);
	s[10].ttl = 1;
	s[11].dst = IP(10, 1, 255, 255);
	s[12].frag = FRAG_DF;
	s[12].payload_len = 1400; /* does not fit */
	s[12].dst = HOST_C;
	for (unsigned i = 0; i < BASES4 - 1; i++)
		frame_make(&base[i], &s[i]);
	frame_arp(&base[BASES4 - 1], &arp);
}

/* Extension headers: a chain of all kinds, and those that lead elsewhere. */
static void make_bases6(void)
{
	static const struct {
		uint8_t kind;
		unsigned len;
		const char *ext, *dst;
		bool raw;
	} chain[] = {
		{0, 24, "\x3c\0\5\2\0\0\1\0\x2b\0\1\4\0\0\0\0\x11\0\4\0\0\0\0\0", HOST_B6, false},
		{51, 32, "\x3c\4\0\0\0\0\1\0\0\0\0\1\1\1\1\1\1\1\1\1\1\1\1\1\x11\0\1\4\0\0\0\0",
			HOST_B6, false},
		{43, 8, "\x11\0\0\1\0\0\0\0", HOST_B6, false},
		{60, 8, "\x11\0\x9e\4\0\0\0\0", LAN6, false},
		{44, 8, "\x11\0\0\0\0\0\0\1", LAN6, false},
		{44, 8, "\x11\0\0\1\0\0\0\1", HOST_B6, false},
		{44, 8, "\x11\0\0\x18\0\0\0\1", HOST_B6, true},
	};
	struct spec6 s[BASES6] = {spec6_udp(), spec6_tcp(), spec6_echo(), spec6_echo(), spec6_udp(),
		spec6_udp(), spec6_echo(), spec6_echo()};
	unsigned n = 8;

	s[3].dst = ip6_of(LAN6);
	s[4].dst = ip6_of("2001:db8:f::5");
	s[5].hop_limit = 1;
	s[6].dst = ip6_of("ff02::1");
	s[6].dst_mac = (struct mac6){{0x33, 0x33, 0, 0, 0, 1}};
	s[7].dst = ip6_of(HOST_C6);
	s[7].payload_len = 1400; /* does not fit */
	for (unsigned i = 0; i < sizeof(chain) / sizeof(chain[0]); i++, n++) {
		s[n] = spec6_udp();
		s[n].ext_kind = chain[i].kind;
		s[n].ext = chain[i].ext;
		s[n].ext_len = chain[i].len;
		s[n].dst = ip6_of(chain[i].dst);
		s[n].raw = chain[i].raw;
		s[n].payload_len = 24;
	}
	for (unsigned i = 0; i < BASES6; i++)
		frame6_make(&base[BASES4 + i], &s[i]);
}

static unsigned l2_of(const struct frame *f)
{
	return f->b[12] == 0x81 ? 18 : 14;
}

static bool is_ip6(const struct frame *f)
{
	unsigned l2 = l2_of(f);

	return f->b[l2 - 2] == 0x86 && f->b[l2 - 1] == 0xdd;
}

/* Sets the length field right for what is there, and the checksum of IPv4. */
static void mend(struct frame *f, bool len_too)
{
	unsigned l2 = l2_of(f), at = l2 + (is_ip6(f) ? 4 : 2), hdr = (f->b[l2] & 15u) * 4;
	unsigned len = f->len - l2 - (is_ip6(f) ? 40 : 0);

	if (f->len < l2 + (is_ip6(f) ? 40 : 20))
		return;
	if (len_too) {
		f->b[at] = (uint8_t)(len >> 8);
		f->b[at + 1] = (uint8_t)len;
	}
	if (!is_ip6(f) && hdr >= 20 && f->len >= l2 + hdr)
		frame_fix_ip(f, l2);
}

/* The same frame for another port. */
static void readdress(struct frame *f, unsigned port)
{
	struct mac6 mac = port_mac(port);

	if (!(f->b[0] & 1))
		memcpy(f->b, mac.b, 6);
}

static void cut_at_every_length(void **unused)
{
	for (unsigned i = 0; i < BASES; i++) {
		for (unsigned port = 0; port < RIG_PORTS; port++) {
			struct frame f = base[i];

			readdress(&f, port);
			for (f.len = 0; f.len <= base[i].len; f.len++) {
				uint64_t before = RIG_STAT(received);

				rig_put(port, &f);
				rig_run();
				assert_int_equal(RIG_STAT(received), before + 1);
				rig_discard();
			}
			control_tick(rig);
			rig_run();
			rig_discard();
			assert_true(rig_sound());
		}
	}
}

/* The same with the length fields and the checksum set right for what is left. */
static void cut_and_mended(void **unused)
{
	for (unsigned i = 0; i < BASES; i++) {
		struct frame f = base[i];

		if (i == BASES4 - 1) /* ARP */
			continue;
		for (f.len = l2_of(&f) + 20; f.len <= base[i].len; f.len++) {
			struct frame g = f;

			mend(&g, true);
			rig_put(LAN, &g);
			rig_run();
			rig_discard();
		}
		assert_true(rig_sound());
	}
}

static void damage(struct frame *f)
{
	static const uint8_t odd[] = {
		0, 1, 4, 5, 0x0f, 0x45, 0x46, 0x4f, 0x7f, 0x80, 0xff, 43, 44, 51, 60, 135};
	unsigned l2 = l2_of(f);

	for (unsigned n = below(4) + 1; n; n--) {
		unsigned at = below(2) ? below(60) : below(f->len + 1);

		switch (below(7)) {
		case 0:
		case 1:
			f->b[at] ^= (uint8_t)(1 << below(8));
			break;
		case 2:
			f->b[at] = odd[below(sizeof(odd))];
			break;
		case 3:
			f->b[at] = (uint8_t)below(256);
			break;
		case 4:
			f->len = below(f->len + 1);
			break;
		case 5:
			while (f->len < 1518 && below(40))
				f->b[f->len++] = (uint8_t)below(256);
			break;
		default: /* the fragment field, or the last byte of an address; the next header, or
			    something of what follows the IPv6 header */
			at = l2 + (below(2) ? 6 : below(2) ? 15 : 19);
			if (is_ip6(f))
				at = l2 + (below(2) ? 6 : 40 + below(40));
			f->b[at] = (uint8_t)below(256);
		}
	}
	/* most of it shall come past the checksum */
	if (below(4))
		mend(f, is_ip6(f));
}

static void check_samples(void)
{
	for (unsigned w = 0; w < rig->n_workers; w++)
		for (unsigned r = 0; r < DROP_N; r++)
			for (unsigned i = 0; i < SAMPLES_PER_REASON; i++) {
				const struct drop_sample *s = &rig->worker[w]->sample[r][i];

				assert_int_equal(s->seq % 2, 0);
				assert_true(s->kept <= SAMPLE_BYTES && s->kept <= s->len);
			}
}

static void random_damage(void **unused)
{
	const char *seed = getenv("POSTERN_SEED"), *many = getenv("POSTERN_FRAMES");
	unsigned frames = many ? (unsigned)strtoul(many, NULL, 0) : 200000;
	unsigned reasons = 0;

	state = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL) << 20 | 1;
	printf("POSTERN_SEED=%lu POSTERN_FRAMES=%u\n", state, frames);
	for (unsigned done = 0, bursts = 0; done < frames; bursts++) {
		for (unsigned n = 1 + below(bursts % 8 ? 30 : 300); n; n--, done++) {
			struct frame f = base[below(BASES)];
			unsigned port = below(RIG_PORTS);

			readdress(&f, port);
			if (below(20))
				damage(&f);
			rig_put(port, &f);
		}
		if (below(4))
			rig_walk();
		else
			rig_run();
		if (below(8) == 0)
			control_tick(rig);
		if (bursts % 64)
			continue;
		rig_run();
		rig_discard();
		assert_true(rig_sound());
	}
	rig_run();
	rig_discard();
	check_samples();
	for (enum drop_reason r = 1; r < DROP_N; r++)
		reasons += rig_dropped(r) > 0;
	assert_true(reasons > 40); /* it gets everywhere */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(cut_at_every_length),
		TEST(cut_and_mended),
		TEST(random_damage),
	};
	int ret;

	rig_up(&(struct rig_text){.system = "workers = 2; burst-packets = 256;",
		       .interfaces =
			       "{ name = \"lan\"; port = \"p0\"; zone = \"secure\";"
			       "  addresses = [\"10.1.0.1/16\", \"" LAN6
			       "/64\", \"fe80::1/64\"]; },"
			       "{ name = \"wan\"; port = \"p1\"; urpf = \"loose\";"
			       "  addresses = [\"192.0.2.1/24\", \"" WAN6 "/64\"]; },"
			       "{ name = \"dmz\"; port = \"p2\"; mtu = 1280; urpf = \"strict\";"
			       "  directed-broadcast = true;"
			       "  addresses = [\"172.16.0.1/24\", \"" DMZ6 "/64\"]; }",
		       .routes = "{ to = \"203.0.113.0/24\"; via = [\"192.0.2.254\", "
				 "\"172.16.0.2\"]; },"
				 "{ to = \"2001:db8:f::/48\"; via = [\"2001:db8:2::fe\", "
				 "\"" HOST_C6 "\"]; },"
				 "{ to = \"8.0.0.0/8\"; type = \"prohibit\"; }",
		       .rules = "{ action = \"deny\"; proto = \"tcp\"; dport = \"lt 70\"; log = "
				"true; },"
				"{ action = \"permit\"; proto = \"tcp\"; log = true; },"
				"{ action = \"permit\"; proto = \"udp\"; dport = \"eq 53\"; },"
				"{ action = \"permit\"; fragments = \"only\"; },"
				"{ action = \"deny\"; proto = \"icmp\"; icmp-type = \"gt 20\"; },"
				"{ action = \"permit\"; }",
		       .rest = "ip4 = { icmp-error-rate = 1000000; icmp-echo-rate = 1000000; };"
			       "ip6 = { icmp-error-rate = 1000000; icmp-echo-rate = 1000000; };"
			       "arp = { retry-ms = 10; retries = 1; punt-rate = 1000000; };"
			       "log = { rate = 1000000; drops = [\"ip4-checksum\", \"no-route\","
			       " \"eth-truncated\"]; };"},
		1);
	make_bases4();
	make_bases6();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	rig_down();
	return ret;
}
