/* The security policy database, writer's side: compiles a list of policies. Any EAL thread; the
 * builder does it for a reload.
 */
#pragma once

#include "table/spd.h"

/* policy: n of them in order, copied; others: what is done to packets that no policy is about. NULL
 * with a sentence in why. */
struct spd *spd_build(const struct policy policy[], uint32_t n, enum policy_action others,
	int socket, char *why, size_t why_size);
void spd_free(struct spd *s); /* NULL is permitted */
