/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/keeper/keeper.h"
#include "daemon/base/log.h"

/*
 * Who may take an epoch: a number is proposed to the other server nodes, and
 * taken once enough of them have promised it. An epoch is promised only after
 * the promise is synced to disk, and to one process: a node that was put back
 * in time, or copied, may ask for a number that it has served before.
 */
#define RECAST_MS 250

static bool
configured(const struct keeper *k)
{
	if (strcmp(k->config->cluster, "no") == 0)
		return false;
	if (strcmp(k->config->cluster, "yes") == 0)
		return true;
	return access("/etc/corosync/corosync.conf", F_OK) == 0;
}

bool
witness_believes(const struct keeper *k, uint64_t epoch)
{
	/* PostgreSQL's integers end there. */
	return epoch <= INT64_MAX && (epoch <= k->seen.epoch ||
					 epoch - k->seen.epoch <= WITNESS_LEAP);
}

void
witness_raise_floor(struct keeper *k, uint64_t epoch)
{
	if (epoch > k->witness.floor && witness_believes(k, epoch))
		k->witness.floor = epoch;
}

bool
witness_quorate(struct keeper *k)
{
	const struct witness *w = &k->witness;

	if (!configured(k))
		return true;
	return w->connected && w->quorate &&
	       loop_now_ms() - w->heard_ms < KEEPER_QUORUM_MS;
}

int
witness_remember(struct keeper *k, uint64_t epoch)
{
	struct state seen = k->seen;
	int r;

	if (epoch <= seen.epoch)
		return CLV_OK;
	seen.epoch = epoch;
	r = state_save(k->config->state_dir, &seen);
	if (r == CLV_OK)
		k->seen = seen;
	else
		log_error("the epoch could not be written to %s: %s",
		    k->config->state_dir, file_why(r));
	return r;
}

static void
cast_promise(struct keeper *k, const struct peer_msg *proposal, bool accepted)
{
	struct peer_msg m = {.kind = PEER_PROMISE,
	    .epoch = proposal->epoch,
	    .accepted = accepted,
	    .highest = k->seen.epoch};

	memcpy(m.to, proposal->voice.instance, sizeof(m.to));
	peers_cast(k, &m);
}

static void
cast_proposal(struct keeper *k)
{
	struct peer_msg m = {.kind = PEER_PROPOSE, .epoch = k->witness.epoch};

	peers_cast(k, &m);
}

/* Our own proposal. */

static unsigned
enrolled(const struct keeper *k)
{
	unsigned n = 0;

	for (size_t i = 0; i < k->secret.list->node_count; i++)
		n += !k->secret.list->nodes[i].revoked;
	return n;
}

/*
 * How many promises, our own included, make two raises meet in one node: a
 * majority of the enrolled server nodes. With two of them a majority would be
 * both, and the loss of one would end the service: there, as with corosync's
 * two_node, every node that is now in the membership.
 */
static unsigned
needed(const struct keeper *k)
{
	unsigned n = enrolled(k);

	if (!configured(k) || n <= 1)
		return 1;
	if (n == 2)
		return k->witness.members >= 2 ? 2 : 1;
	return n / 2 + 1;
}

static unsigned
promised(const struct keeper *k)
{
	unsigned n = 0;

	for (unsigned i = 1; i <= CLV_LIST_NODES_MAX; i++)
		n += k->witness.acked[i];
	return n;
}

static witness_fn
forget(struct keeper *k)
{
	witness_fn fn = k->witness.fn;

	loop_timer_del(k->loop, &k->witness.deadline);
	loop_timer_del(k->loop, &k->witness.recast);
	k->witness.epoch = 0;
	k->witness.fn = NULL;
	return fn;
}

void
witness_cancel(struct keeper *k, witness_fn fn)
{
	if (k->witness.fn == fn)
		(void)forget(k);
}

static void
raise_end(struct keeper *k, int result, const char *text)
{
	uint64_t epoch = k->witness.epoch;
	witness_fn fn = forget(k);

	if (fn != NULL)
		fn(k, result, epoch, text);
}

static void
on_raise_deadline(void *arg)
{
	struct keeper *k = arg;
	char text[160];

	snprintf(text, sizeof(text),
	    "only %u of %u needed nodes promised the epoch", promised(k),
	    needed(k));
	raise_end(k, CLV_E_NO_QUORUM, text);
}

static void
on_recast(void *arg)
{
	struct keeper *k = arg;

	cast_proposal(k);
	(void)loop_timer_set(
	    k->loop, &k->witness.recast, RECAST_MS, on_recast, k);
}

static void
propose(struct keeper *k)
{
	struct witness *w = &k->witness;
	uint64_t base = k->seen.epoch;

	if (k->db.known && k->db.epoch > base)
		base = k->db.epoch;
	if (w->floor > base)
		base = w->floor;
	if (base > INT64_MAX - 512) {
		raise_end(k, CLV_E_FULL, "no epoch is left above the highest");
		return;
	}
	w->epoch = ((base >> 8) + 1) << 8 | k->node_number;
	memset(w->acked, 0, sizeof(w->acked));
	memset(w->refused, 0, sizeof(w->refused));
	/* The others write to their disks while we do. Their promises are to
	 * this process: should it die before its own is written, the number is
	 * nobody's. */
	if (needed(k) > 1)
		cast_proposal(k);
	if (witness_remember(k, w->epoch) != CLV_OK) {
		raise_end(k, CLV_E_SYSTEM,
		    "the epoch could not be written to "
		    "this node's disk");
		return;
	}
	w->acked[k->node_number] = true;
	if (promised(k) >= needed(k)) {
		raise_end(k, CLV_OK, "");
		return;
	}
	(void)loop_timer_set(k->loop, &w->recast, RECAST_MS, on_recast, k);
}

void
witness_raise(struct keeper *k, bool insist, witness_fn fn)
{
	struct witness *w = &k->witness;

	raise_end(k, CLV_E_CANCELLED, "a promotion came in between");
	w->fn = fn;
	w->insist = insist;
	w->tries = 0;
	if (!witness_quorate(k)) {
		raise_end(k, CLV_E_NO_QUORUM,
		    "corosync has no quorum or does "
		    "not answer");
		return;
	}
	(void)loop_timer_set(
	    k->loop, &w->deadline, KEEPER_WITNESS_MS, on_raise_deadline, k);
	propose(k);
}

/* What arrives. */

void
witness_on_propose(struct keeper *k, const struct peer_msg *m)
{
	struct witness *w = &k->witness;
	bool is_new = false;

	if ((m->epoch & 0xff) != m->from || m->epoch > INT64_MAX)
		return;
	if (m->epoch > k->seen.epoch &&
	    witness_remember(k, m->epoch) == CLV_OK) {
		w->promised = m->epoch;
		memcpy(w->promised_to, m->voice.instance, 16);
		is_new = true;
	}
	/* Or the same proposal again: our promise was lost on its way. */
	cast_promise(k, m,
	    m->epoch == k->seen.epoch && m->epoch == w->promised &&
		memcmp(m->voice.instance, w->promised_to, 16) == 0);
	if (is_new)
		serving_on_promise(k);
}

void
witness_on_peer(struct keeper *k)
{
	if (k->witness.epoch != 0)
		cast_proposal(k);
}

/* Could those who have not refused still be enough? */
static bool
may_suffice(const struct keeper *k)
{
	unsigned left = 0;

	for (size_t i = 0; i < k->secret.list->node_count; i++) {
		const struct clv_list_node *n = &k->secret.list->nodes[i];

		left += !n->revoked && !k->witness.refused[n->number];
	}
	return left >= needed(k);
}

static void
on_refusal(struct keeper *k, uint8_t from, uint64_t highest)
{
	struct witness *w = &k->witness;

	witness_raise_floor(k, highest);
	w->refused[from] = true;
	/* A node that holds no secret deposes nobody by its word. Our own
	 * number, too, may be refused: by one that has started anew and cannot
	 * know that it was us whom it was promised. */
	if (!w->insist && highest > w->epoch && peers_unlocked(k, from))
		raise_end(k, CLV_E_STALE_EPOCH,
		    "another node has promised a newer epoch");
	else if (may_suffice(k))
		return;
	else if (++w->tries < WITNESS_TRIES)
		propose(k);
	else
		raise_end(
		    k, CLV_E_STALE_EPOCH, "the other nodes refuse every epoch");
}

void
witness_on_promise(struct keeper *k, const struct peer_msg *m)
{
	struct witness *w = &k->witness;

	if (w->epoch == 0 || m->epoch != w->epoch ||
	    memcmp(m->to, k->instance, sizeof(m->to)) != 0)
		return;
	if (!m->accepted) {
		on_refusal(k, m->from, m->highest);
		return;
	}
	w->acked[m->from] = true;
	if (promised(k) >= needed(k))
		raise_end(k, CLV_OK, "");
}

void
witness_on_cluster(struct keeper *k, struct clv_rd *body)
{
	struct witness *w = &k->witness;
	bool was_connected = w->connected, was_quorate = w->quorate;
	uint32_t were = w->members;
	uint64_t now = loop_now_ms(), when_ms;

	w->configured = clv_rd_u8(body) != 0;
	w->connected = clv_rd_u8(body) != 0;
	w->quorate = clv_rd_u8(body) != 0;
	w->members = clv_rd_u32(body);
	when_ms = clv_rd_u64(body);
	if (clv_rd_end(body) != CLV_OK) {
		w->connected = false;
		return;
	}
	/* Not when it was read: a keeper that was stopped for a minute finds
	 * old messages first, which say that all is well. */
	w->heard_ms = when_ms < now ? when_ms : now;
	if (w->quorate != was_quorate)
		log_notice(
		    "cluster: %s", w->quorate ? "quorum gained" : "no quorum");
	/* Whoever has come knows us at once, not with the next heartbeat. */
	if (w->connected && (!was_connected || w->members != were))
		peers_greet(k);
}

void
witness_fini(struct keeper *k)
{
	(void)forget(k);
}
