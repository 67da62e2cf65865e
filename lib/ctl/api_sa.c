/* sa.add, sa.delete: a manual SA by the socket. It is there as soon as the answer is. Its key is
 * wiped wherever it has been on the way. Control core.
 */
#include "ctl/api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SPI_MIN 256 /* RFC 4303 section 2.1: 1 to 255 are reserved, 0 is for local use */

/* The bytes of hexadecimal text; false when it is none of just that many. */
static bool unhex(const char *text, uint8_t *to, size_t bytes)
{
	if (strlen(text) != 2 * bytes)
		return false;
	for (size_t i = 0; i < 2 * bytes; i++) {
		char c = text[i];
		unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
				 : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
				 : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
							: 16;

		if (digit > 15)
			return false;
		to[i / 2] = (uint8_t)(i % 2 ? to[i / 2] | digit : digit << 4);
	}
	return true;
}

/* A number, or text of one: "0x1001" or "4097". */
static bool read_spi(struct ctl_sa *sa, json_t *params, struct api_error *error)
{
	json_t *spi = json_object_get(params, "spi");
	const char *text = json_string_value(spi);
	json_int_t n = json_integer_value(spi);
	char *end = NULL;

	if (text != NULL) {
		n = *text >= '0' && *text <= '9' ? strtoll(text, &end, 0) : 0;
		if (end != NULL && *end != '\0')
			n = 0;
	}
	if (n < SPI_MIN || n > UINT32_MAX) {
		api_param_wrong(error, "spi", "an SPI from 256 (0x100) to 4294967295 (0xffffffff)");
		return false;
	}
	sa->info.spi = rte_cpu_to_be_32((uint32_t)n);
	return true;
}

static bool one_of(json_t *params, const char *name, const char *a, const char *b, bool absent,
	bool *is_b, struct api_error *error)
{
	const char *text = api_string(params, name);
	char expected[64];

	*is_b = text ? strcmp(text, b) == 0 : absent;
	if (text == NULL || *is_b || strcmp(text, a) == 0)
		return true;
	snprintf(expected, sizeof(expected), "\"%s\" or \"%s\"", a, b);
	api_param_wrong(error, name, expected);
	return false;
}

static bool read_name(
	json_t *params, const char *name, char to[TUNNEL_NAME_MAX], struct api_error *error)
{
	const char *text = api_string(params, name);

	if (text == NULL || strlen(text) >= TUNNEL_NAME_MAX ||
		text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				  "_.-")] != '\0') {
		api_param_wrong(
			error, name, "a name: up to 31 of the characters a-z A-Z 0-9 _ . -");
		return false;
	}
	strcpy(to, text);
	return true;
}

static bool read_key(struct ctl_sa *sa, json_t *params, struct api_error *error)
{
	const char *key = api_string(params, "key");
	unsigned need = suite_key_len(&sa->info.suite);
	char expected[128];

	if (key != NULL && unhex(key, sa->key, need))
		return true;
	snprintf(expected, sizeof(expected),
		"%u bytes as %u hexadecimal digits: encryption key, its salt, integrity key", need,
		2 * need);
	api_param_wrong(error, "key", expected);
	return false;
}

static bool read_suite(struct ctl_sa *sa, json_t *params, struct api_error *error)
{
	const char *name = api_string(params, "suite");
	char why[256];

	if (name != NULL && suite_parse(name, sa->info.proto, &sa->info.suite, why, sizeof(why)))
		return true;
	api_param_wrong(error, "suite", name ? "a suite of that protocol" : "given");
	if (name != NULL)
		api_fail(error, API_PARAMS, "parameter \"suite\": %s", why);
	return false;
}

static void read_lifetime(struct sa_info *i, json_t *params)
{
	i->soft_s = (uint32_t)api_int(params, "soft_s", 0);
	i->hard_s = (uint32_t)api_int(params, "hard_s", 0);
	i->soft_bytes = (uint64_t)api_int(params, "soft_bytes", 0);
	i->hard_bytes = (uint64_t)api_int(params, "hard_bytes", 0);
	i->soft_packets = (uint64_t)api_int(params, "soft_packets", 0);
	i->hard_packets = (uint64_t)api_int(params, "hard_packets", 0);
}

static bool read_window(struct ctl_sa *sa, json_t *params, struct api_error *error)
{
	json_int_t window = api_int(params, "window", 64);

	if (!sa->info.in && json_object_get(params, "window") != NULL) {
		api_param_wrong(error, "window", "left out: an outbound SA has none");
		return false;
	}
	if (window > 0 && window < 32) {
		api_param_wrong(error, "window", "0, or 32 to 65536 packets");
		return false;
	}
	if (window == 0 && sa->info.esn) { /* RFC 4303 section 3.4.3 */
		api_param_wrong(error, "window", "32 at least with extended sequence numbers");
		return false;
	}
	sa->info.window = sa->info.in ? (uint32_t)window : 0;
	return true;
}

static bool read_sa(
	const struct ctl_env *env, struct ctl_sa *sa, json_t *params, struct api_error *error)
{
	json_int_t worker = api_int(params, "worker", -1);
	bool ah, out;

	sa->info.manual = sa->info.by_socket = true;
	sa->info.esn = api_bool(params, "esn", false);
	sa->info.created = (time_t)(api_now_ns() / 1000000000);
	sa->info.owner = worker < 0 ? SAD_OWNER_AUTO : (uint16_t)worker;
	if (worker >= (json_int_t)api_workers_n(env)) {
		api_param_wrong(error, "worker", "the number of a worker, as in show workers");
		return false;
	}
	if (api_string(params, "direction") == NULL) {
		api_param_wrong(error, "direction", "\"in\" or \"out\"");
		return false;
	}
	if (!read_name(params, "tunnel", sa->tunnel, error) ||
		!read_name(params, "name", sa->info.name, error) ||
		!one_of(params, "direction", "in", "out", false, &out, error) ||
		!one_of(params, "protocol", "esp", "ah", false, &ah, error))
		return false;
	sa->info.in = !out;
	sa->info.proto = ah ? PROTO_AH : PROTO_ESP;
	read_lifetime(&sa->info, params);
	return read_spi(sa, params, error) && read_window(sa, params, error) &&
	       read_suite(sa, params, error) && read_key(sa, params, error);
}

static json_t *add(struct ctl_env *env, json_t *params, struct api_error *error)
{
	const char *key = api_string(params, "key");
	struct ctl_sa sa = {.info = {.window = 0}};
	json_t *result = NULL;
	char why[512] = "";
	uint32_t handle;
	int ret;

	if (env->sa_add == NULL) {
		api_fail(error, API_UNAVAILABLE, "no tunnel is configured");
	} else if (read_sa(env, &sa, params, error)) {
		ret = env->sa_add(env, &sa, &handle, why, sizeof(why));
		result = ret < 0 ? api_refused(error, ret, why)
				 : json_pack("{s:o, s:o}", "name", text_json(sa.info.name),
					   "tunnel", text_json(sa.tunnel));
	}
	if (key != NULL) /* jansson's copy */
		explicit_bzero((char *)(uintptr_t)key, strlen(key));
	explicit_bzero(&sa, sizeof(sa));
	return result;
}

static json_t *delete (struct ctl_env *env, json_t *params, struct api_error *error)
{
	const char *name = api_string(params, "name");
	uint32_t handle;
	char why[512] = "";
	int ret;

	if (name == NULL)
		return api_param_wrong(error, "name", "the name of an SA");
	handle = env->sad ? sad_db_named(env->sad, name) : SA_NONE;
	if (handle == SA_NONE || env->sa_delete == NULL) {
		snprintf(why, sizeof(why), "there is no SA \"%.64s\"", name);
		return api_refused(error, -ENOENT, why);
	}
	ret = env->sa_delete(env, handle, why, sizeof(why));
	return ret < 0 ? api_refused(error, ret, why) : json_pack("{s:o}", "name", text_json(name));
}

#define SECONDS(name)                                                       \
	{                                                                   \
		name, API_INT, 1, 315360000, "seconds, from 1 to 315360000" \
	}
#define AMOUNT(name)                                           \
	{                                                      \
		name, API_INT, 1, INT64_MAX, "a number from 1" \
	}
static const struct api_param param[] = {
	{"name", API_STRING, 0, 0, "a name"},
	{"tunnel", API_STRING, 0, 0, "the name of a tunnel"},
	{"direction", API_STRING, 0, 0, "\"in\" or \"out\""},
	{"protocol", API_STRING, 0, 0, "\"esp\" or \"ah\""},
	{"spi", API_NAME, SPI_MIN, UINT32_MAX,
		"an SPI from 256 (0x100) to 4294967295 (0xffffffff)"},
	{"suite", API_STRING, 0, 0, "the name of a suite, such as \"aes128gcm16\""},
	{"key", API_STRING, 0, 0, "hexadecimal digits"},
	{"esn", API_BOOL, 0, 0, "true or false"},
	{"window", API_INT, 0, SA_WINDOW_MAX, "0, or 32 to 65536 packets"},
	{"worker", API_INT, 0, WORKERS_MAX - 1, "the number of a worker"},
	SECONDS("soft_s"),
	SECONDS("hard_s"),
	AMOUNT("soft_bytes"),
	AMOUNT("hard_bytes"),
	AMOUNT("soft_packets"),
	AMOUNT("hard_packets"),
	{.name = NULL},
};
static const struct api_param delete_param[] = {
	{"name", API_STRING, 0, 0, "the name of an SA"},
	{.name = NULL},
};
const struct api_method api_sa_add = {.name = "sa.add", .param = param, .run = add};
const struct api_method api_sa_delete = {.name = "sa.delete", .param = delete_param, .run = delete};
