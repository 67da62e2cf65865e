/* What the data path would do with a described packet, step by step, told from the same tables: for
 * filter.test.
 *
 * For this room alone. Control core.
 */
#pragma once

#include "ctl/api.h"

struct walk {
	struct ctl_env *env;
	const struct root *root;
	const struct iface *in;  /* NULL: a packet of our own */
	const struct iface *out; /* asked for; NULL: as routed */
	struct rule_packet p;    /* zone, scope and dir are set on the way */
	json_t *steps, *paths;   /* owned */
	enum drop_reason reason; /* DROP_NONE: it goes through */
	bool mixed;              /* some paths of a multipath route deny it, some don't */
	bool answered;           /* an echo request for this box, answered */
};

/* Fills steps, paths, reason. */
void walk(struct walk *w);
