/* The ids of tunnel names: they stay for as long as the daemon runs, so that an id in an SA, a
 * packet or a rule never means another tunnel. The builder gives new ones out, the control core
 * asks; hence the lock, which no worker ever sees.
 */
#include "app.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS 65536

static uint16_t *bucket(struct tunnel_ids *ids, const char *name)
{
	uint32_t h = 2166136261; /* FNV-1a */

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 16777619;
	return &ids->head[(h ^ h >> 16) % BUCKETS];
}

static uint16_t find(struct tunnel_ids *ids, const char *name)
{
	uint16_t id = ids->head ? *bucket(ids, name) : TUNNEL_NONE;

	while (id && strcmp(ids->entry[id].name, name) != 0)
		id = ids->entry[id].next;
	return id;
}

static uint16_t make(struct tunnel_ids *ids, const char *name)
{
	uint32_t id = ids->n + 1;
	uint16_t *head;

	if (id >= TUNNELS_MAX)
		return TUNNEL_NONE;
	if (ids->head == NULL)
		ids->head = calloc(BUCKETS, sizeof(*ids->head));
	if (id >= ids->room) {
		uint32_t room = ids->room ? ids->room * 2 : 64;
		struct tunnel_name *grown = realloc(ids->entry, room * sizeof(*grown));

		if (grown == NULL)
			return TUNNEL_NONE;
		ids->entry = grown;
		ids->room = room;
	}
	if (ids->head == NULL)
		return TUNNEL_NONE;
	head = bucket(ids, name);
	snprintf(ids->entry[id].name, TUNNEL_NAME_MAX, "%s", name);
	ids->entry[id].next = *head;
	*head = (uint16_t)id;
	ids->n = id;
	return (uint16_t)id;
}

uint16_t tunnel_id(struct app *a, const char *name, bool may_make)
{
	struct tunnel_ids *ids = &a->ipsec.ids;
	uint16_t id;

	pthread_mutex_lock(&ids->lock);
	id = find(ids, name);
	if (id == TUNNEL_NONE && may_make)
		id = make(ids, name);
	pthread_mutex_unlock(&ids->lock);
	return id;
}

void tunnel_ids_fini(struct app *a)
{
	free(a->ipsec.ids.head);
	free(a->ipsec.ids.entry);
	a->ipsec.ids.head = NULL;
	a->ipsec.ids.entry = NULL;
}
