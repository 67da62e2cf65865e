/* The texts of drop.def. See drop.h. */
#include "dp/drop.h"

#include <string.h>

const struct drop_text drop_text[DROP_N] = {
	[DROP_NONE] = {"none", "", "Not dropped."},
#define DROP(name, text, room, sentence) [DROP_##name] = {text, room, sentence},
#include "dp/drop.def"
#undef DROP
};

enum drop_reason drop_find(const char *name)
{
	for (unsigned i = 1; i < DROP_N; i++)
		if (strcmp(drop_text[i].name, name) == 0)
			return i;
	return DROP_NONE;
}
