/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "daemon/keeper/keeper.h"
#include "daemon/base/log.h"
#include "daemon/keeper/members_live.h"

/* Two of them: the generation that is current, and the one that is published.
 * Both are in memory alone: the next active server begins anew. */

static struct members_wait *
find(struct keeper *k, uint32_t generation)
{
	struct members_wait *w = &k->waits[0];

	for (unsigned i = 0; i < KEEPER_WAITS; i++) {
		if (k->waits[i].generation == generation)
			return &k->waits[i];
		if (k->waits[i].generation < w->generation)
			w = &k->waits[i];
	}
	memset(w, 0, sizeof(*w));
	w->generation = generation;
	return w;
}

/* Has everybody come since this server took over who could? */
static bool
are_all_known(const struct keeper *k, uint64_t now, uint64_t meet_ms)
{
	return now - k->serving.fresh_ms >= meet_ms ||
	       members_live_count(k->live, now) >=
		   members_live_enrolled(k->secret.list);
}

bool
members_wait(struct keeper *k, uint32_t generation, uint64_t meet_ms)
{
	struct members_wait *w = find(k, generation);
	uint64_t now = loop_now_ms();
	unsigned late;

	if (w->over)
		return true;
	if (w->epoch != k->serving.epoch) {
		w->epoch = k->serving.epoch;
		w->until_ms = now + MEMBERS_WAIT_MS;
	}
	late = members_live_late(
	    k->live, now, 0, generation, w->late, sizeof(w->late));
	if (now < w->until_ms &&
	    (late > 0 || !are_all_known(k, now, meet_ms))) {
		snprintf(w->why, sizeof(w->why),
		    "members fetch the new key first: %.100s",
		    late > 0 ? w->late : "they have not all come yet");
		return false;
	}
	if (late > 0)
		log_warning("%u live members do not have generation %u yet: "
			    "%s",
		    late, generation, w->late);
	w->why[0] = '\0';
	w->over = true;
	return true;
}

const struct members_wait *
members_wait_find(const struct keeper *k, uint32_t generation)
{
	for (unsigned i = 0; i < KEEPER_WAITS; i++)
		if (k->waits[i].generation == generation)
			return &k->waits[i];
	return NULL;
}
