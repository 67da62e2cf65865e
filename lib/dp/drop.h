/* Drop reasons: the enum and the texts, made from drop.def. Any thread. */
#pragma once

#include <stdint.h>

enum drop_reason {
	DROP_NONE, /* not dropped */
#define DROP(name, text, room, sentence) DROP_##name,
#include "dp/drop.def"
#undef DROP
	DROP_N
};
_Static_assert(DROP_N <= 256, "table/root.h's drop_log has 256 bits");

struct drop_text {
	const char *name; /* "ttl-exceeded" */
	const char *room;
	const char *sentence;
};
extern const struct drop_text drop_text[DROP_N];

/* The reason of a name, DROP_NONE when there is none. */
enum drop_reason drop_find(const char *name);
