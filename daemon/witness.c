/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/keeper.h"
#include "daemon/log.h"

/*
 * What server nodes say to each other over corosync CPG. CPG is neither
 * secret nor authentic, so nothing secret is in these messages and every one
 * is signed: proposals and the heartbeats of unlocked nodes by the system, the
 * rest by the node's own key.
 *
 *	u8 kind, 16 B system id, u8 node, kind's fields, 64 B signature
 *
 * An epoch is promised only after the promise is synced to disk, and to one
 * process: a node that was put back in time, or copied, may ask for a number
 * that it has served before.
 */
enum kind {
	KIND_PROPOSE = 1, /* 16 B instance, u64 epoch */
	KIND_PROMISE = 2, /* u8 to, 16 B its instance, u64 epoch, u8 accepted,
			   * u64 highest seen */
	KIND_ALIVE = 3,	  /* u64 list version, u32 generation, u64 epoch seen,
			   * u8 serving */
	KIND_UNLOCKED = 4 /* the same, of a node that has the keyring */
};

#define DOMAIN_PROPOSE "claviger-propos1"
#define DOMAIN_PROMISE "claviger-promis1"
#define DOMAIN_ALIVE "claviger-alive-1"
#define DOMAIN_UNLOCKED "claviger-unlockd"
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

static void
raise_floor(struct keeper *k, uint64_t epoch)
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
		    k->config->state_dir, clv_result_text(r));
	return r;
}

/* Sending. */

static void
head(struct keeper *k, struct clv_buf *b, enum kind kind)
{
	clv_buf_init(b);
	clv_buf_u8(b, kind);
	clv_buf_raw(b, k->secret.list->system_id, CLV_SYSTEM_ID_LEN);
	clv_buf_u8(b, k->node_number);
}

static void
cast(struct keeper *k, struct clv_buf *b, const char *domain, bool by_system)
{
	uint8_t sig[CLV_SIG_LEN];
	struct clv_buf msg;
	int r = clv_buf_result(b);

	if (r == CLV_OK && by_system)
		r = clv_keyring_sign(
		    k->secret.keyring, domain, b->data, b->len, sig);
	else if (r == CLV_OK)
		r = clv_sign(
		    k->identity->sign_sk, domain, b->data, b->len, sig);
	clv_buf_raw(b, sig, sizeof(sig));
	clv_buf_init(&msg);
	clv_buf_bytes(&msg, b->data, b->len);
	if (r == CLV_OK)
		r = clv_buf_result(&msg);
	if (r == CLV_OK)
		r = keeper_send(k, CHAN_CAST, &msg);
	if (r != CLV_OK)
		log_warning(
		    "message to the other nodes: %s", clv_result_text(r));
	clv_buf_fini(&msg);
	clv_buf_fini(b);
}

static void
cast_proposal(struct keeper *k)
{
	struct clv_buf b;

	head(k, &b, KIND_PROPOSE);
	clv_buf_raw(&b, k->instance, sizeof(k->instance));
	clv_buf_u64(&b, k->witness.epoch);
	cast(k, &b, DOMAIN_PROPOSE, true);
}

static void
cast_promise(struct keeper *k, uint8_t to, const uint8_t instance[static 16],
    uint64_t epoch, bool accepted)
{
	struct clv_buf b;

	head(k, &b, KIND_PROMISE);
	clv_buf_u8(&b, to);
	clv_buf_raw(&b, instance, 16);
	clv_buf_u64(&b, epoch);
	clv_buf_u8(&b, accepted);
	clv_buf_u64(&b, k->seen.epoch);
	cast(k, &b, DOMAIN_PROMISE, false);
}

static void
on_alive_timer(void *arg)
{
	witness_alive(arg);
}

void
witness_alive(struct keeper *k)
{
	bool unlocked = k->secret.keyring != NULL;
	struct clv_buf b;

	(void)loop_timer_set(
	    k->loop, &k->witness.alive, KEEPER_ALIVE_MS, on_alive_timer, k);
	if (!k->witness.connected || k->node_number == 0)
		return;
	head(k, &b, unlocked ? KIND_UNLOCKED : KIND_ALIVE);
	clv_buf_u64(&b, k->secret.list->version);
	clv_buf_u32(&b, unlocked ? clv_keyring_newest(k->secret.keyring) : 0);
	clv_buf_u64(&b, k->seen.epoch);
	clv_buf_u8(&b, role_serves(k->serving.state));
	cast(k, &b, unlocked ? DOMAIN_UNLOCKED : DOMAIN_ALIVE, unlocked);
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

static bool
is_live(const struct peer *p)
{
	return p->heard_ms != 0 && loop_now_ms() - p->heard_ms < KEEPER_LIVE_MS;
}

/* What arrives. */

static void
on_propose(struct keeper *k, uint8_t from, struct clv_rd *r)
{
	struct witness *w = &k->witness;
	const uint8_t *instance = clv_rd_raw(r, sizeof(w->promised_to));
	uint64_t epoch = clv_rd_u64(r);
	bool accepted;

	if (clv_rd_end(r) != CLV_OK || (epoch & 0xff) != from ||
	    epoch > INT64_MAX)
		return;
	if (epoch > k->seen.epoch && witness_remember(k, epoch) == CLV_OK) {
		w->promised = epoch;
		memcpy(w->promised_to, instance, sizeof(w->promised_to));
	}
	/* Or the same proposal again: our promise was lost on its way. */
	accepted = epoch == k->seen.epoch && epoch == w->promised &&
		   memcmp(instance, w->promised_to, 16) == 0;
	cast_promise(k, from, instance, epoch, accepted);
	if (accepted)
		serving_on_promise(k);
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

	raise_floor(k, highest);
	w->refused[from] = true;
	/* A node that holds no secret deposes nobody by its word. Our own
	 * number, too, may be refused: by one that has started anew and cannot
	 * know that it was us whom it was promised. */
	if (!w->insist && highest > w->epoch && w->peers[from].unlocked)
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

static void
on_promise(struct keeper *k, uint8_t from, struct clv_rd *r)
{
	struct witness *w = &k->witness;
	uint8_t to = clv_rd_u8(r);
	const uint8_t *instance = clv_rd_raw(r, sizeof(k->instance));
	uint64_t epoch = clv_rd_u64(r);
	bool accepted = clv_rd_u8(r) == 1;
	uint64_t highest = clv_rd_u64(r);

	if (clv_rd_end(r) != CLV_OK || to != k->node_number || w->epoch == 0 ||
	    epoch != w->epoch ||
	    memcmp(instance, k->instance, sizeof(k->instance)) != 0)
		return;
	if (!accepted) {
		on_refusal(k, from, highest);
		return;
	}
	w->acked[from] = true;
	if (promised(k) >= needed(k))
		raise_end(k, CLV_OK, "");
}

static void
on_alive(struct keeper *k, uint8_t from, struct clv_rd *r, bool unlocked)
{
	struct peer *p = &k->witness.peers[from];
	uint64_t version = clv_rd_u64(r);
	uint32_t generation = clv_rd_u32(r);
	uint64_t epoch = clv_rd_u64(r);
	bool serving = clv_rd_u8(r) == 1, is_new;

	/* These two never go down: else it is an old message once more. */
	if (clv_rd_end(r) != CLV_OK || epoch < p->epoch ||
	    version < p->list_version)
		return;
	p->number = from;
	p->epoch = epoch;
	p->unlocked = unlocked;
	is_new = !is_live(p);
	p->heard_ms = loop_now_ms();
	/* It would have seen what we have: else it is its last word before it
	 * died, once more. */
	p->serving = serving && epoch >= k->seen.epoch;
	p->list_version = version;
	if (generation > p->generation)
		p->generation = generation;
	/* What changes how we act is only believed under the system's name. */
	if (unlocked) {
		raise_floor(k, epoch);
		p->proven_list = version;
	}
	if (version > k->secret.list->version)
		db_poll_soon(k);
	if (is_new) { /* it may not have heard us: it had no list yet */
		log_info("%s is there, with list version %llu and generation "
			 "%u",
		    keeper_node_name(k, from), (unsigned long long)version,
		    generation);
		witness_alive(k);
	}
	admin_on_peers(k);
}

static const char *
domain_of(uint8_t kind)
{
	switch (kind) {
	case KIND_PROPOSE: return DOMAIN_PROPOSE;
	case KIND_PROMISE: return DOMAIN_PROMISE;
	case KIND_ALIVE: return DOMAIN_ALIVE;
	case KIND_UNLOCKED: return DOMAIN_UNLOCKED;
	}
	return NULL;
}

static bool
is_authentic(
    struct keeper *k, const uint8_t *p, size_t len, uint8_t kind, uint8_t from)
{
	const struct clv_list_node *n =
	    clv_list_node_by_number(k->secret.list, from);
	const uint8_t *pk;

	if (n == NULL || n->revoked || domain_of(kind) == NULL)
		return false;
	pk = kind == KIND_PROPOSE || kind == KIND_UNLOCKED ? k->system_pk
							   : n->party.sign_pk;
	return clv_verify(pk, domain_of(kind), p, len - CLV_SIG_LEN,
		   p + len - CLV_SIG_LEN) == CLV_OK;
}

void
witness_on_deliver(struct keeper *k, struct clv_rd *body)
{
	const uint8_t *p, *id;
	struct clv_rd r;
	size_t len;
	uint8_t kind, from;

	(void)clv_rd_u32(body); /* corosync's node id: signatures decide */
	(void)clv_rd_u8(body);
	p = clv_rd_bytes(body, &len);
	if (clv_rd_end(body) != CLV_OK || k->secret.list == NULL ||
	    k->node_number == 0 || len <= CLV_SIG_LEN)
		return;
	clv_rd_init(&r, p, len - CLV_SIG_LEN);
	kind = clv_rd_u8(&r);
	id = clv_rd_raw(&r, CLV_SYSTEM_ID_LEN);
	from = clv_rd_u8(&r);
	if (r.failed || from == k->node_number ||
	    sodium_memcmp(id, k->secret.list->system_id, CLV_SYSTEM_ID_LEN) !=
		0)
		return;
	if (!is_authentic(k, p, len, kind, from)) {
		log_warning("a message that claims to be from node %u is not "
			    "authentic",
		    from);
		return;
	}
	if (kind == KIND_PROPOSE)
		on_propose(k, from, &r);
	else if (kind == KIND_PROMISE)
		on_promise(k, from, &r);
	else
		on_alive(k, from, &r, kind == KIND_UNLOCKED);
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
		witness_alive(k);
}

bool
witness_held(const struct keeper *k, uint32_t generation)
{
	unsigned n = 1;

	for (unsigned i = 1; i <= CLV_LIST_NODES_MAX; i++)
		n += i != k->node_number &&
		     k->witness.peers[i].generation >= generation;
	return n >= 2 || enrolled(k) < 2;
}

uint64_t
witness_newest_list(const struct keeper *k)
{
	uint64_t newest = 0;

	for (unsigned i = 1; i <= CLV_LIST_NODES_MAX; i++)
		if (k->witness.peers[i].proven_list > newest)
			newest = k->witness.peers[i].proven_list;
	return newest;
}

uint8_t
witness_serving(const struct keeper *k)
{
	for (unsigned i = 1; i <= CLV_LIST_NODES_MAX; i++)
		if (k->witness.peers[i].serving &&
		    is_live(&k->witness.peers[i]))
			return (uint8_t)i;
	return 0;
}

unsigned
witness_late(const struct keeper *k, uint64_t version, uint32_t generation,
    char *names, size_t cap)
{
	const struct clv_list *list = k->secret.list;
	unsigned live = 0;
	size_t len = 0;

	names[0] = '\0';
	for (size_t i = 0; i < list->node_count; i++) {
		const struct clv_list_node *n = &list->nodes[i];
		const struct peer *p = &k->witness.peers[n->number];

		if (n->revoked || n->number == k->node_number ||
		    (p->list_version >= version &&
			(generation == 0 || p->generation == 0 ||
			    p->generation >= generation)))
			continue;
		live += is_live(p);
		if (len + strlen(n->party.name) + 3 < cap)
			len += (size_t)snprintf(names + len, cap - len, "%s%s",
			    len > 0 ? ", " : "", n->party.name);
	}
	return live;
}

void
witness_fini(struct keeper *k)
{
	(void)forget(k);
	loop_timer_del(k->loop, &k->witness.alive);
}
