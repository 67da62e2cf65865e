/* The SAD's writer and reader: SAs come into use, are found and go; their memory is locked, wiped
 * and used again; which worker owns an SA and sends by which. Workers are played by one RCU reader
 * that says when it is quiet.
 */
#include "eal.h"

#include "table/sad_parts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* The address sanitizer makes mlock do nothing. */
#if defined(__SANITIZE_ADDRESS__)
#define MLOCK_WORKS false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MLOCK_WORKS false
#endif
#endif
#ifndef MLOCK_WORKS
#define MLOCK_WORKS true
#endif

static struct rte_rcu_qsbr *qsv;
static char why[256];

static void quiet(void)
{
	rte_rcu_qsbr_quiescent(qsv, 0);
}

/* Keys as they came, over and over, so that a look at the memory tells whether they are there. */
static int expand(struct sa *sa, const struct suite *suite, const uint8_t *key)
{
	if (suite->enc == ENC_NULL)
		return -EINVAL;
	assert_int_not_equal(sa->handle, SA_NONE);
	for (unsigned i = 0; i < sizeof(sa->key); i++)
		sa->key[i] = key[i % 16];
	return 0;
}

static const uint8_t key[16] = "0123456789abcde";

static struct tunnel tunnel(uint16_t id)
{
	struct tunnel t = {.id = id,
		.flags = TUNNEL_UP | TUNNEL_ESP | TUNNEL_AH,
		.ttl = 64,
		.local = addr_of4(0xc0000201),
		.remote = addr_of4(0xc6336401),
		.name = "t"};

	return t;
}

static struct sa_info sa(uint16_t tunnel_id, bool in, uint32_t spi)
{
	return (struct sa_info){.tunnel = tunnel_id,
		.proto = PROTO_ESP,
		.in = in,
		.spi = htonl(spi),
		.suite = {.enc = ENC_AES_GCM_128,
			.iv_len = 8,
			.icv_len = 16,
			.block = 4,
			.aead = true},
		.window = in ? 64 : 0,
		.owner = SAD_OWNER_AUTO};
}

static struct sad_db *make(uint32_t max, unsigned n_workers)
{
	struct sad_db *db =
		sad_db_new(max, n_workers, qsv, expand, SOCKET_ID_ANY, why, sizeof(why));

	if (db == NULL)
		fail_msg("%s", why);
	return db;
}

static uint32_t add(struct sad_db *db, const struct sa_info *info)
{
	struct tunnel t = tunnel(info->tunnel);
	uint32_t handle = SA_NONE;

	if (sad_db_add(db, &t, info, key, &handle, why, sizeof(why)) != 0)
		fail_msg("%s", why);
	assert_int_not_equal(handle, SA_NONE);
	return handle;
}

static uint32_t find(const struct sad_db *db, uint32_t spi, uint8_t proto)
{
	struct addr local = addr_of4(0xc0000201);

	return sad_find(sad_db_table(db), htonl(spi), proto, &local);
}

static bool zero(const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		if (b[i] != 0)
			return false;
	return true;
}

/* RFC 4301 section 4.1: by SPI, protocol and destination. */
static void test_found(void **state)
{
	struct sad_db *db = make(8, 1);
	struct sa_info in = sa(1, true, 0x1000), out = sa(1, false, 0x1000);
	uint32_t h = add(db, &in), o = add(db, &out);
	struct addr elsewhere = addr_of4(0xc0000202);
	const struct sa *s = sad_get(sad_db_table(db), h);

	assert_int_equal(find(db, 0x1000, PROTO_ESP), h);
	assert_int_equal(find(db, 0x1000, PROTO_AH), SA_NONE);
	assert_int_equal(find(db, 0x1001, PROTO_ESP), SA_NONE);
	assert_int_equal(sad_find(sad_db_table(db), in.spi, PROTO_ESP, &elsewhere), SA_NONE);
	assert_non_null(s);
	assert_int_equal(s->handle, h);
	assert_int_equal(s->spi, in.spi);
	assert_int_equal(s->tunnel, 1);
	assert_int_equal(s->flags, SA_IN | SA_AEAD);
	assert_int_equal(s->window, 64);
	assert_true(s->hard_bytes == UINT64_MAX && s->hard_packets == UINT64_MAX);
	assert_memory_equal(s->key, key, 16);
	assert_true(zero(s->bitmap, sa_window_words(64) * 8));
	assert_int_equal((uintptr_t)s % RTE_CACHE_LINE_SIZE, 0);
	assert_int_equal(sad_out(sad_db_table(db), 1, 0), o);
	assert_int_equal(sad_out(sad_db_table(db), 2, 0), SA_NONE);
	assert_int_equal(sad_db_count(db), 2);
	assert_null(sad_get(sad_db_table(db), h ^ 1u << SA_INDEX_BITS));
	assert_null(sad_db_info(db, SA_NONE));
	assert_int_equal(sad_db_del(db, h ^ 1u << SA_INDEX_BITS), -ENOENT);
	sad_db_free(db);
}

static void test_refused(void **state)
{
	struct sad_db *db = make(2, 2);
	struct tunnel t = tunnel(1);
	struct sa_info good = sa(1, true, 0x1000), named = sa(1, true, 0x2000);
	uint32_t h;

#define REFUSED(rc, text, change)                                                        \
	do {                                                                             \
		struct sa_info i = sa(1, true, 0x3000);                                  \
		change;                                                                  \
		assert_int_equal(sad_db_add(db, &t, &i, key, &h, why, sizeof(why)), rc); \
		assert_non_null(strstr(why, text));                                      \
	} while (0)

	REFUSED(-EINVAL, "SPI 255 is reserved", i.spi = htonl(255));
	REFUSED(-EINVAL, "not an SA of a tunnel", i.tunnel = 2);
	REFUSED(-EINVAL, "not an SA of a tunnel", i.proto = 6);
	REFUSED(-EINVAL, "no worker 2: the first is 0, the last 1", i.owner = 2);
	REFUSED(-EINVAL, "a window of 65537", i.window = 65537);
	REFUSED(-EINVAL, "17 selectors", i.n_selectors = 17);
	REFUSED(-EINVAL, "the suite does not work", i.suite.enc = ENC_NULL);
	t.flags &= (uint8_t)~TUNNEL_AH;
	REFUSED(-EINVAL, "does not use AH", i.proto = PROTO_AH);
	t.flags |= TUNNEL_AH | TUNNEL_ENCAP;
	REFUSED(-EINVAL, "RFC 3948", i.proto = PROTO_AH);
	t = tunnel(1);
	assert_int_equal(sad_db_count(db), 0);
	strcpy(named.name, "west");
	add(db, &named);
	add(db, &good);
	REFUSED(-EEXIST, "an inbound ESP SA with SPI 0x00001000", i.spi = htonl(0x1000));
	REFUSED(-EEXIST, "named west", strcpy(i.name, "west"));
	REFUSED(-ENOSPC, "room for 2 SAs", );
	/* what was refused left nothing behind */
	assert_int_equal(sad_db_count(db), 2);
	assert_int_equal(sad_db_del(db, sad_db_named(db, "west")), 0);
	REFUSED(-ENOSPC, "room for 2 SAs", ); /* no reader was quiet */
	quiet();
	add(db, &named); /* reclaims by itself */
	sad_db_free(db);
	assert_null(sad_db_new(0, 1, qsv, expand, SOCKET_ID_ANY, why, sizeof(why)));
	assert_null(sad_db_new(SA_INDEX_MAX + 1, 1, qsv, expand, SOCKET_ID_ANY, why, sizeof(why)));
}

/* Nothing of the keys and the window stays behind, and not a moment too early. */
static void test_wiped(void **state)
{
	struct sad_db *db = make(4, 1);
	struct sa_info info = sa(1, true, 0x1000);
	const struct sa *memory;
	uint64_t *bitmap;
	uint32_t h;

	info.window = 1000;
	h = add(db, &info);
	memory = sad_slot_memory(db, SA_INDEX(h));
	assert_ptr_equal(memory, sad_get(sad_db_table(db), h));
	assert_int_equal(memory->window, 1024);
	bitmap = memory->bitmap;
	memset(bitmap, 0xff, sa_window_words(1024) * 8);
	assert_int_equal(sad_db_del(db, h), 0);
	assert_int_equal(sad_db_del(db, h), -ENOENT);
	assert_null(sad_get(sad_db_table(db), h));
	assert_int_equal(find(db, 0x1000, PROTO_ESP), SA_NONE);
	assert_int_equal(sad_db_count(db), 0);
	sad_db_tick(db);
	assert_int_equal(sad_db_pending(db), 1);
	assert_memory_equal(memory->key, key, 16); /* a worker may be in the middle of it */
	quiet();
	sad_db_tick(db);
	assert_int_equal(sad_db_pending(db), 0);
	assert_true(zero(memory, sizeof(*memory)));
	assert_true(zero(bitmap + 1,
		sa_window_words(1024) * 8 - 8)); /* the first word leads to the next free one */
	h = add(db, &info);
	assert_ptr_equal(sad_slot_memory(db, SA_INDEX(h))->bitmap, bitmap);
	assert_true(zero(bitmap, sa_window_words(1024) * 8));
	sad_db_free(db);
}

/* Keys that could not be expanded don't stay either. */
static void test_wiped_when_refused(void **state)
{
	struct sad_db *db = make(1, 1);
	struct tunnel t = tunnel(1);
	struct sa_info info = sa(1, true, 0x1000);
	uint32_t h;

	info.suite.enc = ENC_NULL;
	assert_int_equal(sad_db_add(db, &t, &info, key, &h, why, sizeof(why)), -EINVAL);
	assert_true(zero(sad_slot_memory(db, 1), sizeof(struct sa)));
	info.suite.enc = ENC_AES_CBC_128;
	add(db, &info);
	sad_db_free(db);
}

/* 1,000 come and 1,000 go each second, for ever: 200,000 of them in 64 slots, with a reader that is
 * quiet now and then. */
static void test_churn(void **state)
{
	enum { MAX = 64, KEPT = 24, ROUNDS = 200000 };
	struct sad_db *db = make(MAX, 2);
	uint32_t live[KEPT] = {0}, gone = SA_NONE, spi = 256;

	for (uint32_t round = 0; round < ROUNDS; round++) {
		uint32_t at = round % KEPT;
		struct sa_info info = sa((uint16_t)(1 + round % 3), round % 2, spi++);
		struct sa_info again;

		info.window = info.in ? 32u << round % 12 : 0;
		if (info.window > SA_WINDOW_MAX)
			info.window = 0;
		snprintf(info.name, sizeof(info.name), "sa%u", at);
		if (live[at] != SA_NONE) {
			again = *sad_db_info(db, live[at]);
			assert_int_equal(sad_db_del(db, live[at]), 0);
			gone = live[at];
			/* rekeyed by hand, with the same SPI */
			if (round % 5 == 0) {
				live[at] = add(db, &again);
				assert_int_not_equal(live[at], gone);
				assert_int_equal(sad_db_del(db, live[at]), 0);
			}
		}
		live[at] = add(db, &info);
		assert_null(sad_get(sad_db_table(db), gone));
		if (round % 7 == 6) {
			quiet();
			sad_db_tick(db);
			assert_int_equal(sad_db_pending(db), 0);
		}
		if (round % 1000 == 0)
			for (unsigned i = 0; i < KEPT && live[i] != SA_NONE; i++) {
				const struct sa_info *is = sad_db_info(db, live[i]);

				assert_non_null(is);
				assert_int_equal(sad_get(sad_db_table(db), live[i])->spi, is->spi);
				if (is->in)
					assert_int_equal(
						find(db, ntohl(is->spi), PROTO_ESP), live[i]);
				assert_int_equal(sad_db_named(db, is->name), live[i]);
			}
	}
	assert_int_equal(sad_db_count(db), KEPT);
	for (unsigned i = 0; i < KEPT; i++)
		assert_int_equal(sad_db_del(db, live[i]), 0);
	quiet();
	sad_db_tick(db);
	assert_int_equal(sad_db_pending(db), 0);
	assert_int_equal(rte_hash_count(sad_db_table(db)->hash), 0);
	for (uint16_t t = 1; t < 4; t++)
		for (unsigned w = 0; w < 2; w++)
			assert_int_equal(sad_out(sad_db_table(db), t, w), SA_NONE);
	/* of each kind of window, no more was ever taken than for what was there at once */
	assert_in_range(db->bitmaps.n_chunks, 1, 2);
	assert_int_equal(
		db->n_owned[0][0] + db->n_owned[0][1] + db->n_owned[1][0] + db->n_owned[1][1], 0);
	/* and all slots are there */
	for (unsigned i = 0; i < MAX; i++) {
		struct sa_info info = sa(1, true, spi++);

		add(db, &info);
	}
	sad_db_free(db);
}

/* 100,000 of them are found each, and nothing else is. */
static void test_many(void **state)
{
	enum { MANY = 100000 };
	struct sad_db *db = make(MANY, 4);
	uint32_t *handle = malloc(sizeof(handle[0]) * MANY);

	assert_non_null(handle);
	for (uint32_t i = 0; i < MANY; i++) {
		struct sa_info info = sa((uint16_t)(1 + i % 60000), true, 256 + i * 7);

		handle[i] = add(db, &info);
	}
	for (uint32_t i = 0; i < MANY; i++) {
		assert_int_equal(find(db, 256 + i * 7, PROTO_ESP), handle[i]);
		assert_int_equal(find(db, 256 + i * 7 + 1 + i % 6, PROTO_ESP), SA_NONE);
		assert_int_equal(find(db, 256 + i * 7, PROTO_AH), SA_NONE);
		assert_int_equal(sad_get(sad_db_table(db), handle[i])->handle, handle[i]);
	}
	for (uint32_t i = 0; i + SAD_BURST_MAX <= MANY; i += SAD_BURST_MAX) {
		struct sad_key keys[SAD_BURST_MAX];
		const struct sad_key *at[SAD_BURST_MAX];
		uint32_t found[SAD_BURST_MAX];
		unsigned n = 1 + i / SAD_BURST_MAX % SAD_BURST_MAX;

		for (unsigned k = 0; k < n; k++) { /* every fourth is foreign */
			keys[k] = (struct sad_key){.dst = addr_of4(0xc0000201),
				.spi = htonl(256 + (i + k) * 7 + (k % 4 == 3)),
				.proto = PROTO_ESP};
			at[k] = &keys[k];
		}
		sad_find_burst(sad_db_table(db), at, found, n);
		for (unsigned k = 0; k < n; k++)
			assert_int_equal(found[k], k % 4 == 3 ? SA_NONE : handle[i + k]);
	}
	free(handle);
	sad_db_free(db);
}

static uint32_t esp_of(const struct sad_db *db, unsigned worker)
{
	return (uint32_t)sad_out(sad_db_table(db), 1, worker);
}

static uint32_t ah_of(const struct sad_db *db, unsigned worker)
{
	return (uint32_t)(sad_out(sad_db_table(db), 1, worker) >> 32);
}

static uint32_t epoch(const struct sad_db *db)
{
	return atomic_load(&sad_db_table(db)->epoch);
}

/* The newest is used; when it goes, the one before takes over. One per worker where there are (RFC
 * 9611). */
static void test_out(void **state)
{
	struct sad_db *db = make(8, 3);
	struct sa_info info = sa(1, false, 0x1000);
	uint32_t first, second, third, ah, e = epoch(db);

	first = add(db, &info);
	assert_true(epoch(db) != e);
	for (unsigned w = 0; w < 3; w++)
		assert_int_equal(esp_of(db, w), first);
	info.spi = htonl(0x1001);
	info.owner = 2;
	second = add(db, &info);
	assert_int_equal(sad_db_info(db, first)->owner, 0);
	assert_int_equal(esp_of(db, 0), first); /* its own */
	assert_int_equal(esp_of(db, 1), second);
	assert_int_equal(esp_of(db, 2), second);
	info.spi = htonl(0x1002);
	third = add(db, &info);
	assert_int_equal(esp_of(db, 0), first);
	assert_int_equal(esp_of(db, 1), third);
	assert_int_equal(esp_of(db, 2), third);
	info.spi = htonl(0x1003);
	info.proto = PROTO_AH;
	ah = add(db, &info);
	assert_int_equal(ah_of(db, 1), ah);
	assert_int_equal(esp_of(db, 1), third);
	e = epoch(db);
	assert_int_equal(sad_db_del(db, third), 0);
	assert_true(epoch(db) != e);
	assert_int_equal(esp_of(db, 1), second);
	assert_int_equal(sad_db_del(db, second), 0);
	for (unsigned w = 0; w < 3; w++)
		assert_int_equal(esp_of(db, w), first);
	assert_int_equal(sad_db_del(db, first), 0);
	assert_int_equal(sad_db_del(db, ah), 0);
	for (unsigned w = 0; w < 3; w++)
		assert_int_equal(sad_out(sad_db_table(db), 1, w), 0);
	sad_db_free(db);
}

/* The fewest by direction, and AH where ESP of the tunnel is. */
static void test_owners(void **state)
{
	struct sad_db *db = make(64, 3);
	unsigned in[3] = {0}, out[3] = {0};

	for (uint16_t i = 1; i <= 9; i++) {
		struct sa_info a = sa(i, true, 0x1000 + i), b = sa(i, false, 0x2000 + i), ah;

		in[sad_db_info(db, add(db, &a))->owner]++;
		out[sad_db_info(db, add(db, &b))->owner]++;
		ah = sa(i, true, 0x3000 + i);
		ah.proto = PROTO_AH;
		assert_int_equal(sad_db_info(db, add(db, &ah))->owner,
			sad_get(sad_db_table(db), find(db, 0x1000 + i, PROTO_ESP))->owner);
	}
	for (unsigned w = 0; w < 3; w++) {
		assert_int_equal(in[w], 3);
		assert_int_equal(out[w], 3);
	}
	sad_db_free(db);
}

/* RFC 3948: the peer's address changes while workers send; the header is changed beside the one in
 * use, so that it takes a grace period until it can change again. */
static void test_moved(void **state)
{
	struct sad_db *db = make(4, 1);
	struct tunnel t = tunnel(1);
	struct sa_info info = sa(1, false, 0x1000);
	const struct sa *s = sad_slot_memory(db, SA_INDEX(add(db, &info)));
	struct addr to = addr_of4(0xcb007105);
	uint8_t was = s->outer_now;

	assert_memory_equal(s->outer[was] + 16, t.remote.b + 12, 4);
	t.remote = to;
	assert_int_equal(sad_db_moved(db, &t), 0);
	assert_int_not_equal(s->outer_now, was);
	assert_memory_equal(s->outer[s->outer_now] + 16, to.b + 12, 4);
	assert_int_equal(sad_db_moved(db, &t), -EAGAIN);
	quiet();
	assert_int_equal(sad_db_moved(db, &t), 0);
	assert_int_equal(s->outer_now, was);
	sad_db_free(db);
}

static unsigned seen;

static void see(void *arg, uint32_t handle, const struct sa_info *info, const struct sa *s)
{
	uint32_t *last = arg;

	assert_true(SA_INDEX(handle) > SA_INDEX(*last));
	assert_int_equal(s->handle, handle);
	assert_int_equal(s->spi, info->spi);
	*last = handle;
	seen++;
}

static void test_shown(void **state)
{
	struct sad_db *db = make(8, 1);
	struct selector sel = {.any_addr = true, .proto = 6, .sport_to = 65535, .dport_to = 443};
	struct sa_info a = sa(1, true, 0x1000), b = sa(1, false, 0x2000), c = sa(2, false, 0x2001);
	uint32_t last = 0, h[3];

	strcpy(a.name, "west-in");
	a.n_selectors = 1;
	a.selector = &sel;
	h[0] = add(db, &a);
	h[1] = add(db, &b);
	h[2] = add(db, &c);
	sel.proto = 17; /* the list is a copy */
	sad_db_each(db, see, &last);
	assert_int_equal(seen, 3);
	assert_int_equal(sad_db_named(db, "west-in"), h[0]);
	assert_int_equal(sad_db_named(db, "west"), SA_NONE);
	assert_int_equal(sad_get(sad_db_table(db), h[0])->selector->proto, 6);
	assert_int_equal(sad_get(sad_db_table(db), h[0])->n_selectors, 1);
	sad_db_path_mtu(db, 1, 1400);
	assert_int_equal(atomic_load(&sad_get(sad_db_table(db), h[1])->path_mtu), 1400);
	assert_int_equal(atomic_load(&sad_get(sad_db_table(db), h[0])->path_mtu), 0);
	assert_int_equal(atomic_load(&sad_get(sad_db_table(db), h[2])->path_mtu), 0);
	sad_db_free(db);
}

/* In a process of its own without the right to lock: the sentence says what to do. */
static void test_memlock(void **state)
{
	int status;
	pid_t pid;

	if (!MLOCK_WORKS)
		skip();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit none = {0, 0};
		struct sad_region r;
		bool told;

		setrlimit(RLIMIT_MEMLOCK, &none);
		if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)
			_exit(2);
		told = sad_region_new(&r, 1 << 20, SOCKET_ID_ANY, "100 SAs", why, sizeof(why)) <
			       0 &&
		       strstr(why, "RLIMIT_MEMLOCK") && strstr(why, "100 SAs") && !r.base;
		_exit(told ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* The kernel's own account of the region: locked, not dumped, not in children. */
static void test_locked(void **state)
{
	struct sad_db *db = make(4, 1);
	char line[512], address[32];
	FILE *f = fopen("/proc/self/smaps", "re");
	bool here = false, seen_flags = false;

	assert_non_null(f);
	snprintf(address, sizeof(address), "%lx-", (unsigned long)(uintptr_t)db->slots.base);
	while (fgets(line, sizeof(line), f) && !seen_flags) {
		if (strncmp(line, address, strlen(address)) == 0)
			here = true;
		if (!here || strncmp(line, "VmFlags:", 8) != 0)
			continue;
		seen_flags = true;
		assert_true(!MLOCK_WORKS || strstr(line, " lo"));
		assert_non_null(strstr(line, " dd"));
		assert_non_null(strstr(line, " dc"));
	}
	fclose(f);
	assert_true(seen_flags);
	sad_db_free(db);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_wiped),
		cmocka_unit_test(test_wiped_when_refused),
		cmocka_unit_test(test_churn),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_out),
		cmocka_unit_test(test_owners),
		cmocka_unit_test(test_moved),
		cmocka_unit_test(test_shown),
		cmocka_unit_test(test_memlock),
		cmocka_unit_test(test_locked),
	};
	int rc;

	eal_up();
	qsv = calloc(1, rte_rcu_qsbr_get_memsize(1));
	if (qsv == NULL || rte_rcu_qsbr_init(qsv, 1) != 0 ||
		rte_rcu_qsbr_thread_register(qsv, 0) != 0)
		return 1;
	rte_rcu_qsbr_thread_online(qsv, 0);
	rc = cmocka_run_group_tests_name("sad", tests, NULL, NULL);
	free(qsv);
	return rc;
}
