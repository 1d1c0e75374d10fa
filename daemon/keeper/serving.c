/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "daemon/keeper/keeper.h"
#include "daemon/base/log.h"
#include "daemon/keeper/member_answers.h"
#include "daemon/rotate/rewrap.h"

/*
 * Carries out what the role table says: witness, epoch, listener, lease. The
 * order of a promotion is fixed there; nothing here waits.
 */

static void start_claim(struct keeper *k);

/* This node is: a peer or a member has what it has not, and neither has the
 * database. */
static bool
is_behind(const struct keeper *k)
{
	const struct clv_list *list = k->secret.list;

	return list == NULL || k->serving.shown_list > list->version ||
	       k->serving.shown_generation > clv_list_current(list)->number ||
	       (k->serving.db_older && k->db.asked_list > list->version);
}

bool
serving_read_only(const struct keeper *k)
{
	return k->serving.db_older || is_behind(k);
}

bool
serving_has_lease(const struct keeper *k)
{
	return k->serving.state == ROLE_ACTIVE &&
	       loop_now_ms() < k->lease.until_ms &&
	       witness_quorate((struct keeper *)k);
}

bool
serving_in_lease(const struct keeper *k)
{
	return serving_has_lease(k) && !serving_read_only(k);
}

uint64_t
serving_seen_list(const struct keeper *k)
{
	uint64_t seen = k->seen.list_version;

	if (k->serving.shown_list > seen)
		seen = k->serving.shown_list;
	return k->db.asked_list > seen ? k->db.asked_list : seen;
}

bool
serving_encrypts(const struct keeper *k)
{
	return serving_in_lease(k) && lease_is_alone(k);
}

void
serving_database_older(struct keeper *k, uint64_t seen)
{
	bool older = k->db.list_version < seen;

	if (older && !k->serving.db_older)
		log_error("the database is older than its server nodes: list "
			  "version %llu there, %llu was seen here; nothing is "
			  "changed until the newer database is back",
		    (unsigned long long)k->db.list_version,
		    (unsigned long long)seen);
	/* Our sealed copy may have gone the same way. */
	if (older && !k->serving.db_older)
		k->secret.copy_due = true;
	k->serving.db_older = older;
}

void
serving_shown(struct keeper *k, const struct clv_wire_answer *head)
{
	bool was = serving_read_only(k);

	if (head->list_version > k->serving.shown_list)
		k->serving.shown_list = head->list_version;
	if (head->generation > k->serving.shown_generation)
		k->serving.shown_generation = head->generation;
	if (serving_read_only(k) && !was)
		log_error("a member holds newer state than this server: list "
			  "version %llu, generation %u; nothing is changed "
			  "until the database has it",
		    (unsigned long long)head->list_version, head->generation);
	if (head->epoch > k->serving.epoch &&
	    witness_remember(k, head->epoch) == CLV_OK) {
		log_warning("a member has seen epoch %llu, above ours: taking "
			    "a fresh one",
		    (unsigned long long)head->epoch);
		serving_event(k, ROLE_EV_DATABASE_MOVED, "");
	}
}

/* Who serves, and since which epoch. */
static void
note(struct keeper *k, const char *operation, const char *why)
{
	audit_note(k, &(struct audit_note){.who = "clavigerd",
			  .operation = operation,
			  .object = k->secret.list->network_name,
			  .result = CLV_OK,
			  .text = why});
}

/* The steps of a promotion. */

static void
on_witness(struct keeper *k, int result, uint64_t epoch, const char *text)
{
	if (result == CLV_OK) {
		k->serving.claiming = epoch;
		serving_event(k, ROLE_EV_WITNESS_OK, "");
	} else if (result == CLV_E_STALE_EPOCH &&
		   role_serves(k->serving.state)) {
		serving_event(k, ROLE_EV_SUPERSEDED, text);
	} else {
		serving_event(k, ROLE_EV_WITNESS_FAIL, text);
	}
}

static bool
is_foreign(const struct keeper *k, uint64_t epoch)
{
	return (epoch & 0xff) != k->node_number;
}

static void
claim_answered(struct keeper *k, const struct db_result *r)
{
	uint64_t in_force = db_u64(r, 0, 0);

	if (db_u64(r, 0, 1) != 0) {
		k->serving.epoch = k->serving.claiming;
		k->serving.timeline = k->db.timeline;
		k->serving.server_id = k->db.server_id;
		k->db.epoch = k->serving.epoch;
		k->serving.fresh_ms = loop_now_ms();
		lease_begin(k, db_u64(r, 0, 2), db_u64(r, 0, 3));
		if (role_serves(k->serving.state))
			note(k, "epoch-taken", "it was serving already");
		serving_event(k, ROLE_EV_CLAIM_OK, "");
	} else if (role_serves(k->serving.state) &&
		   in_force > k->serving.epoch && is_foreign(k, in_force)) {
		serving_event(k, ROLE_EV_SUPERSEDED, "");
	} else if (in_force < k->serving.claiming && in_force != k->db.epoch &&
		   ++k->serving.claims < WITNESS_TRIES) {
		k->db.epoch = in_force; /* what we knew was old */
		start_claim(k);
	} else if (++k->serving.rounds < WITNESS_TRIES) {
		witness_raise_floor(k, in_force);
		serving_event(k, ROLE_EV_CLAIM_RACED, "");
	} else {
		k->serving.epoch = k->serving.claiming;
		serving_event(k, ROLE_EV_CLAIM_AWAY,
		    "the database lets no epoch be taken");
	}
}

static void
on_claimed(struct keeper *k, void *arg, const struct db_result *r)
{
	if ((k->serving.state != ROLE_CLAIM &&
		k->serving.state != ROLE_AWAY_CLAIM) ||
	    !lease_is_last(k, arg))
		return;
	if (r->result == CLV_OK) {
		claim_answered(k, r);
		return;
	}
	/* Unknown is as good as away: the number is ours and promised. */
	k->serving.epoch = k->serving.claiming;
	serving_event(k, ROLE_EV_CLAIM_AWAY, r->text);
}

static void
start_claim(struct keeper *k)
{
	uint8_t seen[8], new[8], holder[8], timeline[8], lease[8];
	struct clv_param p[6] = {
	    clv_param_u64(k->db.epoch, seen),
	    clv_param_u64(k->serving.claiming, new),
	    clv_param_u64(k->node_number, holder),
	    {k->instance, sizeof(k->instance)},
	    clv_param_u64(k->db.timeline, timeline),
	    clv_param_u64(KEEPER_LEASE_MS, lease),
	};

	k->lease.before = (uint8_t)k->db.epoch;
	/* Not before HELLO has said that it is our system's database. */
	if (!k->db.known) {
		k->serving.epoch = k->serving.claiming;
		serving_event(k, ROLE_EV_CLAIM_AWAY, k->db.why);
		return;
	}
	db_call(k, CLV_STMT_TAKE_EPOCH, p, 6, KEEPER_CLAIM_MS, on_claimed,
	    lease_ask(k));
}

static void
open_listener(struct keeper *k)
{
	struct clv_buf b;
	int r;

	clv_buf_init(&b);
	clv_buf_str(&b, k->secret.list->address);
	clv_buf_u16(&b, k->secret.list->port);
	r = clv_buf_result(&b);
	if (r == CLV_OK)
		r = keeper_send(k, CHAN_LISTEN, &b);
	clv_buf_fini(&b);
	if (r != CLV_OK)
		serving_event(k, ROLE_EV_OPEN_FAIL, clv_result_text(r));
}

void
serving_on_listening(struct keeper *k, struct clv_rd *body)
{
	int result = (int32_t)clv_rd_u32(body);
	char text[256];

	clv_rd_str(body, text, sizeof(text));
	if (body->failed)
		text[0] = '\0';
	k->serving.listening = result == CLV_OK;
	serving_event(
	    k, result == CLV_OK ? ROLE_EV_OPEN_OK : ROLE_EV_OPEN_FAIL, text);
}

static void
serve(struct keeper *k)
{
	log_notice("serving %s with epoch %llu%s", k->secret.list->network_name,
	    (unsigned long long)k->serving.epoch,
	    k->serving.state == ROLE_ACTIVE ? "" : ", for decryption only");
	peers_alive(k);
	/* Somebody else may have been promised more while we opened. */
	if (!k->db.known)
		serving_on_silence(k);
	if (!role_serves(k->serving.state))
		return;
	control_promoted(k, CLV_OK);
	db_poll_soon(k);
}

static void
close_all(struct keeper *k)
{
	struct clv_buf b;

	clv_buf_init(&b);
	if (keeper_send(k, CHAN_UNLISTEN, &b) != CLV_OK)
		log_error("the front does not take messages");
	clv_buf_fini(&b);
	lease_end(k);
	member_forget_sealed(k);
	witness_cancel(k, on_witness);
	k->serving.epoch = 0;
	peers_alive(k);
	control_promoted(k, CLV_E_NOT_READY);
}

void
serving_on_closed(struct keeper *k)
{
	k->serving.listening = false;
	control_demoted(k);
}

static void
act(struct keeper *k, enum role_action action)
{
	switch (action) {
	case ROLE_ACT_NONE: break;
	case ROLE_ACT_PROVE:
		secret_prove(k);
		db_poll_soon(k);
		break;
	case ROLE_ACT_RAISE:
		k->serving.claims = 0;
		witness_raise(k, !role_serves(k->serving.state), on_witness);
		break;
	case ROLE_ACT_CLAIM: start_claim(k); break;
	case ROLE_ACT_OPEN: open_listener(k); break;
	case ROLE_ACT_SERVE: serve(k); break;
	case ROLE_ACT_FAIL:
		witness_cancel(k, on_witness);
		control_promoted(k, CLV_E_NOT_READY);
		break;
	case ROLE_ACT_FALL:
		keeper_tell(k, LINK_FAIL, "");
		close_all(k);
		break;
	case ROLE_ACT_CLOSE: close_all(k); break;
	}
}

static void
remember_failure(
    struct keeper *k, const struct role_rule *rule, const char *text)
{
	if (rule->action != ROLE_ACT_FAIL && rule->action != ROLE_ACT_CLOSE)
		return;
	snprintf(k->serving.last_failure, sizeof(k->serving.last_failure),
	    "%.70s%s%.80s", rule->why, text[0] != '\0' ? ": " : "", text);
}

void
serving_event(struct keeper *k, enum role_event event, const char *text)
{
	enum role_state from = k->serving.state;
	const struct role_rule *rule = role_rule(from, event);

	if (rule == NULL) {
		log_warning("role: %s in state %s is refused",
		    role_event_name(event), role_state_name(from));
		return;
	}
	if (rule->to != from)
		log_notice("role: %s -> %s: %s%s%s", role_state_name(from),
		    role_state_name(rule->to), rule->why,
		    text[0] != '\0' ? ": " : "", text);
	if (role_serves(from) != role_serves(rule->to)) {
		keeper_event(k, role_serves(from) ? "inactive" : "active");
		note(k, role_serves(from) ? "stepped-down" : "took-over",
		    rule->why);
	}
	remember_failure(k, rule, text);
	k->serving.state = rule->to;
	if (event == ROLE_EV_PROMOTE)
		k->serving.rounds = 0;
	act(k, rule->action);
	member_notice(k);
	publish_wake(k);
	rewrap_wake(k);
	tlsnext_wake(k);
}

/* What the database and the peers say. */

/* Another node was promised more than we serve. */
static bool
promised_away(const struct keeper *k)
{
	return k->seen.epoch > k->serving.epoch && is_foreign(k, k->seen.epoch);
}

/* It came to nothing, or the database would know: above it, so that nobody
 * need ask who serves when the database is away. */
static bool
promise_is_void(const struct keeper *k)
{
	return promised_away(k) && peers_serving(k) == 0 &&
	       loop_now_ms() - k->serving.promised_ms > KEEPER_PROMISE_MS;
}

static bool
database_moved(const struct keeper *k)
{
	return k->db.epoch != k->serving.epoch ||
	       k->db.timeline != k->serving.timeline ||
	       k->db.server_id != k->serving.server_id ||
	       memcmp(k->db.instance, k->instance, sizeof(k->instance)) != 0;
}

/* A failover of the database has lost the last change, which was answered as
 * done: it is signed, it is here, so it is written again. More than one is not
 * to be had any more: then a person decides. */
static bool
may_put_again(const struct keeper *k)
{
	return k->serving.state == ROLE_ACTIVE && k->serving.db_older &&
	       loop_now_ms() < k->lease.until_ms && k->admin == NULL &&
	       !is_behind(k) &&
	       k->secret.list->version == k->db.list_version + 1;
}

static void
on_put_again(struct keeper *k, void *arg, const struct db_result *r)
{
	(void)arg;
	if (r->result != CLV_OK) {
		log_warning("the list that the database has lost could not be "
			    "written again: %s",
		    r->text);
		return;
	}
	log_notice("the list that the database had lost is in it again");
	/* The copies that came with it are lost as well. */
	secret_prove_copy(k);
	peers_prove(k);
	db_poll_soon(k);
}

static void
put_list_again(struct keeper *k)
{
	uint8_t epoch[8], version[8], generation[8], id[16];
	const struct clv_buf *blob = &k->secret.list_blob;
	const struct clv_list *list = k->secret.list;
	struct clv_param p[8] = {
	    clv_param_u64(k->serving.epoch, epoch),
	    {k->instance, sizeof(k->instance)},
	    {id, sizeof(id)},
	    clv_param_u64(list->version, version),
	    {blob->data, blob->len},
	    {"", 0},
	    {"", 0},
	    clv_param_u64(clv_list_current(list)->number, generation),
	};

	randombytes_buf(id, sizeof(id));
	db_call(k, CLV_STMT_PUT_LIST, p, 8, KEEPER_SQL_MS, on_put_again, NULL);
}

void
serving_on_hello(struct keeper *k)
{
	if (!role_serves(k->serving.state))
		return;
	if (k->db.epoch > k->serving.epoch && is_foreign(k, k->db.epoch))
		serving_event(k, ROLE_EV_SUPERSEDED, "");
	else if (!witness_quorate(k))
		return;
	else if (k->serving.state == ROLE_AWAY)
		serving_event(k, ROLE_EV_DATABASE_BACK, "");
	else if (may_put_again(k) && !database_moved(k))
		put_list_again(k);
	else if (k->serving.state != ROLE_ACTIVE ||
		 (!database_moved(k) && !promise_is_void(k)))
		return;
	else if (loop_now_ms() - k->serving.fresh_ms < KEEPER_RETRY_MS)
		db_poll_in(k, KEEPER_RETRY_MS); /* not without end */
	else
		serving_event(k, ROLE_EV_DATABASE_MOVED, "");
}

void
serving_on_silence(struct keeper *k)
{
	if (role_serves(k->serving.state) && promised_away(k))
		serving_event(k, ROLE_EV_SUPERSEDED,
		    "it was promised one, and the database is silent");
}

void
serving_on_promise(struct keeper *k)
{
	k->serving.promised_ms = loop_now_ms();
	if (!role_serves(k->serving.state))
		return;
	/* With the database at hand it decides; without, the promise does. */
	if (k->db.up)
		db_poll_soon(k);
	else
		serving_on_silence(k);
}

int32_t
serving_score(struct keeper *k)
{
	/* A database that is older keeps nobody from serving decryption. */
	if (k->serving.state <= ROLE_LOCKED || !secret_is_proven(k) ||
	    (is_behind(k) && !role_serves(k->serving.state)))
		return CTL_SCORE_NEVER;
	return role_serves(k->serving.state) ? CTL_SCORE_ACTIVE
					     : CTL_SCORE_STANDBY;
}

void
serving_reason(struct keeper *k, char *dst, size_t cap)
{
	dst[0] = '\0';
	if (k->secret.why[0] != '\0')
		snprintf(dst, cap, "%s", k->secret.why);
	else if (serving_read_only(k))
		snprintf(dst, cap,
		    "read-only: newer state than the "
		    "database's has been seen: claviger doctor");
	else if (heads_watch_behind(k))
		heads_watch_reason(k, dst, cap);
	else if (!role_serves(k->serving.state) || serving_in_lease(k))
		return;
	else if (!k->db.known)
		snprintf(dst, cap, "decryption only: database away: %.110s",
		    k->db.why);
	else
		snprintf(dst, cap, "decryption only: %s",
		    witness_quorate(k) ? "no lease" : "no quorum");
}
