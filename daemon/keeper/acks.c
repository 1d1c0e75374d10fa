/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "daemon/keeper/acks.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/members_live.h"

static void
add(struct acks *a, enum ack what, const char *name)
{
	size_t len = strlen(a->names[what]);

	a->n[what]++;
	if (len + strlen(name) + 3 < ACKS_NAMES_MAX)
		snprintf(a->names[what] + len, ACKS_NAMES_MAX - len, "%s%s",
		    len > 0 ? ", " : "", name);
}

static enum ack
look(bool live, uint64_t has, uint64_t version)
{
	if (has >= version && (live || version > 0))
		return ACK_GIVEN;
	return live ? ACK_LATE : ACK_AWAY;
}

static enum ack
of_node(const struct keeper *k, uint8_t number, uint64_t version)
{
	if (number == k->node_number)
		return look(true, k->secret.list->version, version);
	return look(peers_is_live(k, number), k->peers.of[number].list_version,
	    version);
}

static enum ack
of_member(const struct keeper *k, const char *name, uint64_t version)
{
	const struct member_live *e = members_live_find(k->live, name);

	if (e == NULL)
		return ACK_AWAY;
	return look(
	    members_live_is(e, loop_now_ms()), e->list_version, version);
}

/* A server node knows the server by the list that it has as such. */
void
acks_count(const struct keeper *k, uint64_t version, struct acks *ret)
{
	const struct clv_list *list = k->secret.list;

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < list->node_count; i++) {
		const struct clv_list_node *n = &list->nodes[i];

		if (!n->revoked)
			add(ret, of_node(k, n->number, version), n->party.name);
	}
	for (size_t i = 0; i < list->member_count; i++) {
		const struct clv_list_member *m = &list->members[i];

		if (!m->revoked)
			add(ret, of_member(k, m->party.name, version),
			    m->party.name);
	}
}
