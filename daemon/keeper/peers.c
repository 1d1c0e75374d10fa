/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "daemon/keeper/keeper.h"
#include "daemon/base/log.h"
#include "daemon/keeper/member_answers.h"

/*
 * The other server nodes: which of them live, and what they said last.
 * Whoever can write to the CPG group can play old messages again, so a message
 * counts only when it names a stamp that this process has given out a short
 * while ago. A process that does not know us yet is told our stamp, and is
 * heard with its next word: a few milliseconds later.
 */
#define GREETINGS_MAX 100 /* from one heartbeat to the next */
#define WARN_MS 60000	  /* what anybody can cause is not logged each time */

/* Sending. */

/* Grows with each message, and tells when that was. */
static uint64_t
next_stamp(struct keeper *k)
{
	uint64_t now = loop_now_ms();

	if (now <= k->peers.stamp)
		now = k->peers.stamp + 1;
	return k->peers.stamp = now;
}

static bool
is_live(const struct peer *p)
{
	return p->heard_ms != 0 && loop_now_ms() - p->heard_ms < KEEPER_LIVE_MS;
}

/* Whom we have heard: those that live, and once each of those that do not know
 * us yet. */
static size_t
collect_heard(struct keeper *k, struct peer_voice *ret)
{
	size_t n = 0;

	for (unsigned i = 1; i <= CLV_LIST_NODES_MAX; i++) {
		struct peer *p = &k->peers.of[i];

		if (is_live(p) && n < PEER_ECHOES_MAX)
			ret[n++] = p->voice;
		if (p->stranger.stamp != 0 && n < PEER_ECHOES_MAX)
			ret[n++] = p->stranger;
		p->stranger.stamp = 0;
	}
	return n;
}

static int
sign(struct keeper *k, enum peer_kind kind, struct clv_buf *b)
{
	const char *domain = peer_msg_domain(kind);
	uint8_t sig[CLV_SIG_LEN] = {0};
	int r = clv_buf_result(b);

	if (r == CLV_OK && peer_msg_by_system(kind))
		r = clv_keyring_sign(
		    k->secret.keyring, domain, b->data, b->len, sig);
	else if (r == CLV_OK)
		r = clv_sign(
		    k->identity->sign_sk, domain, b->data, b->len, sig);
	clv_buf_raw(b, sig, sizeof(sig));
	return r;
}

void
peers_cast(struct keeper *k, struct peer_msg *m)
{
	struct peer_voice heard[PEER_ECHOES_MAX];
	size_t n = collect_heard(k, heard);
	struct clv_buf b, msg;
	int r;

	if (k->copied[0] != '\0') /* the other one speaks under this name */
		return;
	m->from = k->node_number;
	memcpy(m->voice.instance, k->instance, sizeof(m->voice.instance));
	m->voice.stamp = next_stamp(k);
	clv_buf_init(&b);
	clv_buf_init(&msg);
	peer_msg_format(m, k->secret.list->system_id, heard, n, &b);
	r = sign(k, m->kind, &b);
	clv_buf_bytes(&msg, b.data, b.len);
	if (r == CLV_OK)
		r = clv_buf_result(&msg);
	if (r == CLV_OK)
		r = keeper_send(k, CHAN_CAST, &msg);
	if (r != CLV_OK)
		log_warning(
		    "message to the other nodes: %s", clv_result_text(r));
	clv_buf_fini(&msg);
	clv_buf_fini(&b);
}

static enum peer_role
own_role(const struct keeper *k)
{
	if (role_serves(k->serving.state))
		return PEER_SERVING;
	return role_promoting(k->serving.state) ? PEER_PROMOTING : PEER_IDLE;
}

static void
on_alive_timer(void *arg)
{
	struct keeper *k = arg;

	/* Whoever hears this without being named answers it at once. */
	k->peers.greetings = 0;
	peers_alive(k); /* which sets the timer anew */
}

void
peers_alive(struct keeper *k)
{
	bool unlocked = k->secret.keyring != NULL;
	struct peer_msg m = {.kind = unlocked ? PEER_UNLOCKED : PEER_ALIVE};

	/* Whatever is said in between puts no heartbeat off. */
	if (k->peers.alive == NULL)
		(void)loop_timer_set(k->loop, &k->peers.alive, KEEPER_ALIVE_MS,
		    on_alive_timer, k);
	if (!k->witness.connected || k->node_number == 0)
		return;
	m.list_version = k->secret.list->version;
	m.generation = unlocked ? clv_keyring_newest(k->secret.keyring) : 0;
	m.epoch = k->seen.epoch;
	m.role = own_role(k);
	peers_cast(k, &m);
}

void
peers_prove(struct keeper *k)
{
	struct peer_msg m = {.kind = PEER_PROVE};

	if (k->witness.connected && k->node_number != 0 &&
	    k->secret.keyring != NULL)
		peers_cast(k, &m);
}

void
peers_greet(struct keeper *k)
{
	if (k->peers.greetings >= GREETINGS_MAX)
		return;
	k->peers.greetings++;
	peers_alive(k);
}

/* What arrives. */

static bool
is_same_process(const struct peer *p, const struct peer_msg *m)
{
	return memcmp(p->voice.instance, m->voice.instance,
		   sizeof(m->voice.instance)) == 0;
}

/* Was it made a short while ago, and after what we have heard of that node
 * before? Of two processes of one node the later has heard the later of us. */
static bool
is_news(const struct keeper *k, const struct peer *p, const struct peer_msg *m)
{
	if (m->echo == 0 || m->echo > k->peers.stamp ||
	    m->echo + KEEPER_LIVE_MS <= loop_now_ms())
		return false;
	return is_same_process(p, m) ? m->voice.stamp > p->voice.stamp
				     : m->echo > p->echo;
}

/* It may be alive, and only not know us: then it answers what we say now. */
static void
meet(struct keeper *k, struct peer *p, const struct peer_msg *m)
{
	if (is_same_process(p, m) && m->voice.stamp <= p->voice.stamp)
		return; /* an old word once more */
	p->stranger = m->voice;
	peers_greet(k);
}

static void
hear(struct keeper *k, struct peer *p, const struct peer_msg *m)
{
	bool is_new = !is_same_process(p, m) || !is_live(p);

	if (is_new) /* nothing of what was said before is known to be so */
		*p = (struct peer){
		    .echo = p->echo, .proven_list = p->proven_list};
	p->voice = m->voice;
	p->heard_ms = loop_now_ms();
	if (m->echo > p->echo)
		p->echo = m->echo;
	if (!is_new)
		return;
	log_info("%s is there", keeper_node_name(k, m->from));
	peers_alive(k); /* it may not have heard us: it had no list yet */
	witness_on_peer(k);
	audit_head_tell(k);
}

static void
on_unlocked(
    struct keeper *k, struct peer *p, const struct peer_msg *m, bool begins)
{
	p->generation = m->generation;
	p->idle = m->role == PEER_IDLE ? m->echo : 0;
	witness_raise_floor(k, m->epoch);
	if (m->list_version > p->proven_list) {
		p->proven_list = m->list_version;
		if (m->list_version > k->secret.list->version)
			db_poll_soon(k);
	}
	/* Are we idle? It may wait to hear that; or it is we who wait. */
	if (begins)
		peers_greet(k);
	member_notice(k);
}

static void
on_alive(struct keeper *k, struct peer *p, const struct peer_msg *m)
{
	bool begins = m->role == PEER_SERVING && p->role != PEER_SERVING;

	p->unlocked = m->kind == PEER_UNLOCKED;
	p->role = m->role;
	p->list_version = m->list_version;
	p->generation = 0;
	p->idle = 0;
	/* What changes how we act is only believed under the system's name. */
	if (p->unlocked)
		on_unlocked(k, p, m, begins);
	admin_on_peers(k);
}

static bool
is_signed(const uint8_t *p, size_t len, const struct peer_msg *m,
    const uint8_t pk[static CLV_SIGN_PK_LEN])
{
	return clv_verify(pk, peer_msg_domain(m->kind), p, len, p + len) ==
	       CLV_OK;
}

/* Under the system's name the key that is to come is as good as the one in
 * force: whoever uses it has a list that is not here yet. */
static bool
is_authentic(
    struct keeper *k, const uint8_t *p, size_t len, const struct peer_msg *m)
{
	const struct clv_succession *next = clv_list_next_key(k->secret.list);
	const struct clv_list_node *n =
	    clv_list_node_by_number(k->secret.list, m->from);

	if (n == NULL || n->revoked)
		return false;
	if (!peer_msg_by_system(m->kind))
		return is_signed(p, len, m, n->party.sign_pk);
	return is_signed(p, len, m, k->system_pk) ||
	       (next != NULL && is_signed(p, len, m, next->new_pk));
}

/* It has not heard of the key in force yet, or we have not: no reason to warn.
 */
static bool
is_behind(
    struct keeper *k, const uint8_t *p, size_t len, const struct peer_msg *m)
{
	const uint8_t *former = clv_list_former_pk(k->secret.list);

	return !k->db.known || k->db.list_version > k->secret.list->version ||
	       (former != NULL && peer_msg_by_system(m->kind) &&
		   is_signed(p, len, m, former));
}

static void
warn(struct keeper *k, uint8_t from)
{
	uint64_t now = loop_now_ms();

	if (k->peers.warned_ms != 0 && now - k->peers.warned_ms < WARN_MS)
		return;
	k->peers.warned_ms = now;
	log_warning(
	    "a message that claims to be from node %u is not authentic", from);
}

void
peers_on_deliver(struct keeper *k, struct clv_rd *body)
{
	struct peer_msg m;
	struct peer *p;
	const uint8_t *at;
	size_t len;

	(void)clv_rd_u32(body); /* corosync's node id: signatures decide */
	(void)clv_rd_u8(body);
	at = clv_rd_bytes(body, &len);
	if (clv_rd_end(body) != CLV_OK || k->secret.list == NULL ||
	    k->node_number == 0 || len <= CLV_SIG_LEN)
		return;
	len -= CLV_SIG_LEN;
	if (peer_msg_parse(at, len, k->secret.list->system_id, k->instance,
		&m) != CLV_OK ||
	    m.from == k->node_number)
		return;
	if (!is_authentic(k, at, len, &m)) {
		if (!is_behind(k, at, len, &m))
			warn(k, m.from);
		return;
	}
	p = &k->peers.of[m.from];
	if (!is_news(k, p, &m)) {
		meet(k, p, &m);
		return;
	}
	hear(k, p, &m);
	switch (m.kind) {
	case PEER_PROPOSE: witness_on_propose(k, &m); break;
	case PEER_PROMISE: witness_on_promise(k, &m); break;
	case PEER_ALIVE:
	case PEER_UNLOCKED: on_alive(k, p, &m); break;
	case PEER_PROVE: secret_prove_copy(k); break;
	case PEER_AUDIT: audit_head_hear(k, &m.audit); break;
	}
}

/* What is asked of it. */

bool
peers_unlocked(const struct keeper *k, uint8_t number)
{
	const struct peer *p = &k->peers.of[number];

	return is_live(p) && p->unlocked;
}

uint64_t
peers_newest_list(const struct keeper *k)
{
	uint64_t newest = 0;

	for (unsigned i = 1; i <= CLV_LIST_NODES_MAX; i++)
		if (k->peers.of[i].proven_list > newest)
			newest = k->peers.of[i].proven_list;
	return newest;
}

uint8_t
peers_serving(const struct keeper *k)
{
	for (unsigned i = 1; i <= CLV_LIST_NODES_MAX; i++)
		if (k->peers.of[i].role == PEER_SERVING &&
		    is_live(&k->peers.of[i]))
			return (uint8_t)i;
	return 0;
}

bool
peers_idle(const struct keeper *k, uint8_t number, uint64_t after)
{
	return k->peers.of[number].idle > after;
}

bool
peers_hold(const struct keeper *k, uint32_t generation)
{
	const struct clv_list *list = k->secret.list;
	unsigned n = 1, all = 0;

	for (size_t i = 0; i < list->node_count; i++) {
		const struct clv_list_node *node = &list->nodes[i];

		if (node->revoked)
			continue;
		all++;
		n += node->number != k->node_number &&
		     k->peers.of[node->number].generation >= generation;
	}
	return n >= 2 || all < 2;
}

bool
peers_is_live(const struct keeper *k, uint8_t number)
{
	return is_live(&k->peers.of[number]);
}

unsigned
peers_late(const struct keeper *k, uint64_t version, uint32_t generation,
    char *names, size_t cap)
{
	const struct clv_list *list = k->secret.list;
	unsigned live = 0;
	size_t len = 0;

	names[0] = '\0';
	for (size_t i = 0; i < list->node_count; i++) {
		const struct clv_list_node *n = &list->nodes[i];
		const struct peer *p = &k->peers.of[n->number];

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
peers_fini(struct keeper *k)
{
	loop_timer_del(k->loop, &k->peers.alive);
}
