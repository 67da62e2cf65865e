/* What a reload can't apply: the settings marked RESTART in settings.def. See conf.h.
 *
 * Called by the control core before it builds tables. No state.
 */
#include "conf/conf.h"
#include "conf/settings.h"

#include <stdio.h>
#include <string.h>

struct diff {
	const struct conf *next;
	struct errs *errs;
	unsigned n;
};

static void compare(struct diff *d, const char *section, int index, unsigned line, const void *was,
	const void *is)
{
	unsigned n;
	const struct setting *s = settings_of(section, &n);
	char path[96], at[16] = "", a[640], b[640];

	if (index >= 0)
		snprintf(at, sizeof(at), "[%d]", index);
	for (unsigned i = 0; i < n; i++) {
		if (!s[i].restart)
			continue;
		setting_value_text(&s[i], was, a, sizeof(a));
		setting_value_text(&s[i], is, b, sizeof(b));
		if (strcmp(a, b) == 0)
			continue;
		snprintf(path, sizeof(path), "%s%s.%s", section, at, s[i].name);
		errs_add(d->errs, d->next->file, line, path,
			"running %.180s, new %.180s: this needs a restart", a, b);
		d->n++;
	}
}

unsigned conf_diff_restart(const struct conf *running, const struct conf *next, struct errs *errs)
{
	struct diff d = {.next = next, .errs = errs};

	compare(&d, "system", -1, 0, &running->system, &next->system);
	compare(&d, "arp", -1, 0, &running->arp, &next->arp);
	compare(&d, "nd", -1, 0, &running->nd, &next->nd);
	compare(&d, "ip4", -1, 0, &running->ip4, &next->ip4);
	compare(&d, "ip6", -1, 0, &running->ip6, &next->ip6);
	compare(&d, "reassembly", -1, 0, &running->reassembly, &next->reassembly);
	compare(&d, "ipsec", -1, 0, &running->ipsec, &next->ipsec);
	compare(&d, "log", -1, 0, &running->log, &next->log);
	compare(&d, "control", -1, 0, &running->control, &next->control);
	if (running->n_ports != next->n_ports) {
		errs_add(errs, next->file, 0, "ports",
			"running %u ports, new %u: this needs a restart", running->n_ports,
			next->n_ports);
		d.n++;
	}
	for (unsigned i = 0; i < running->n_ports && i < next->n_ports; i++)
		compare(&d, "ports", (int)i, next->ports[i].line, &running->ports[i],
			&next->ports[i]);
	return d.n;
}
