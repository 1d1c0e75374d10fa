/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keeper_rig.h"
#include "suite.h"

/* Promotion, lease and their end, on three nodes. */

/* Deliver what is on its way to the keeper from one side only. */
static void
drain(struct rig_node *n, struct rig_queue *q)
{
	while (q->head != NULL)
		rig_deliver(n, q);
}

/* Promote up to the point where it waits for the database. */
static int
promote_to_claim(unsigned i)
{
	int c;

	rig_db_mode(i, RIG_DB_HUNG);
	c = rig_ctl(i, CTL_PROMOTE, NULL, 0);
	rig_run(20);
	ck_assert_int_eq(rig_state(i), ROLE_CLAIM);
	return c;
}

/* Until the database has done what was asked, and no further. */
static void
database_does_its_work(unsigned i)
{
	struct rig_node *n = &rig.node[i];
	enum clv_stmt stmt;
	struct rig_msg *m;
	struct clv_buf b;

	while ((m = rig_take(&n->sql)) != NULL) {
		clv_buf_init(&b);
		rig_db_do(n, &m->body, &b, &stmt);
		rig_put(&n->from_db, CHAN_SQL_RESULT, &b);
		clv_buf_fini(&b);
		rig_msg_free(m);
	}
}

/* Promotion. */

START_TEST(a_node_that_starts_is_proven)
{
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(rig_state(i), ROLE_STANDBY);
		ck_assert_int_eq(
		    serving_score(rig_keeper(i)), CTL_SCORE_STANDBY);
	}
}
END_TEST

START_TEST(promotes_behind_witness_and_claim)
{
	ck_assert_int_eq(rig_promote(0), CLV_OK);
	ck_assert_int_eq(rig_state(0), ROLE_ACTIVE);
	ck_assert(serving_in_lease(rig_keeper(0)));
	ck_assert(rig_db.epoch == rig_keeper(0)->serving.epoch);
	/* The others have promised it, on disk. */
	ck_assert(rig.node[1].state.epoch == rig_db.epoch);
	ck_assert(rig.node[2].state.epoch == rig_db.epoch);
	ck_assert(rig.node[0].listening);
}
END_TEST

START_TEST(without_quorum_nobody_is_promoted)
{
	rig_side(0, 1);
	rig_settle();
	ck_assert_int_ne(rig_promote(0), CLV_OK);
	ck_assert_int_eq(rig_state(0), ROLE_STANDBY);
	ck_assert(!rig.node[0].listening);
	ck_assert(rig_db.epoch == RIG_EPOCH0);
}
END_TEST

START_TEST(a_silent_corosync_is_no_quorum)
{
	rig.node[0].silent = true;
	rig_run(3500);
	ck_assert_int_ne(rig_promote(0), CLV_OK);
}
END_TEST

START_TEST(a_majority_of_promises_is_enough)
{
	rig_side(2, 1);
	rig_settle();
	ck_assert_int_eq(rig_promote(0), CLV_OK);
}
END_TEST

START_TEST(a_witness_that_nobody_confirms_fails)
{
	/* Quorate by corosync, but no peer's daemon answers. */
	rig_kill(1);
	rig_kill(2);
	rig.node[0].silent = true;
	rig.node[0].k->witness.heard_ms = rig.now + 1000;
	rig.node[0].k->witness.quorate = true;
	ck_assert_int_ne(rig_promote(0), CLV_OK);
	ck_assert_int_eq(rig_state(0), ROLE_STANDBY);
}
END_TEST

START_TEST(a_full_disk_promotes_nobody)
{
	rig.node[0].disk_full = true;
	ck_assert_int_ne(rig_promote(0), CLV_OK);
	ck_assert_int_eq(rig_state(0), ROLE_STANDBY);
}
END_TEST

/* The others have promised a number whose own promise never reached the disk:
 * they write at the same time. Whoever starts anew takes a higher one. */
START_TEST(a_number_that_its_own_disk_lost_is_served_by_nobody)
{
	uint64_t lost;

	rig.node[0].disk_full = true;
	ck_assert_int_ne(rig_promote(0), CLV_OK);
	rig_settle();
	lost = rig.node[1].state.epoch;
	ck_assert(lost > RIG_EPOCH0 && rig.node[2].state.epoch == lost);
	ck_assert(rig.node[0].state.epoch < lost);
	rig_kill(0);
	rig.node[0].disk_full = false;
	rig_start(0);
	rig_start_role(0);
	rig_settle();
	ck_assert_int_eq(rig_promote(0), CLV_OK);
	ck_assert(rig_db.epoch > lost);
}
END_TEST

START_TEST(peers_with_full_disks_promise_nothing)
{
	rig.node[1].disk_full = rig.node[2].disk_full = true;
	ck_assert_int_ne(rig_promote(0), CLV_OK);
}
END_TEST

START_TEST(a_listener_that_does_not_open_is_a_failure)
{
	rig.node[0].listen_result = CLV_E_IN_USE;
	ck_assert_int_ne(rig_promote(0), CLV_OK);
	ck_assert_int_eq(rig_state(0), ROLE_STANDBY);
	ck_assert(rig_keeper(0)->lease.until_ms == 0);
}
END_TEST

START_TEST(two_promotions_at_once_end_the_same)
{
	int a = rig_connect(0), b = rig_connect(0);

	rig_send(0, a, CTL_PROMOTE, NULL, 0);
	rig_send(0, b, CTL_PROMOTE, NULL, 0);
	rig_run(100);
	ck_assert_int_eq(rig_result(0, a), CLV_OK);
	ck_assert_int_eq(rig_result(0, b), CLV_OK);
}
END_TEST

START_TEST(two_nodes_at_once_leave_one_in_the_lease)
{
	int a = rig_connect(0), b = rig_connect(1);

	rig_send(0, a, CTL_PROMOTE, NULL, 0);
	rig_send(1, b, CTL_PROMOTE, NULL, 0);
	rig_run(6000);
	ck_assert_int_eq(
	    serving_in_lease(rig_keeper(0)) + serving_in_lease(rig_keeper(1)),
	    1);
	ck_assert_int_eq(
	    role_serves(rig_state(0)) + role_serves(rig_state(1)), 1);
}
END_TEST

START_TEST(a_hang_up_in_the_midst_does_no_harm)
{
	int c = rig_connect(0);

	rig_send(0, c, CTL_PROMOTE, NULL, 0);
	rig_hang_up(0, c);
	rig_run(100);
	ck_assert_int_eq(rig_state(0), ROLE_ACTIVE);
}
END_TEST

START_TEST(a_busy_connection_still_gets_its_first_answer)
{
	int c = promote_to_claim(0);

	rig_send(0, c, CTL_STATUS, NULL, 0);
	ck_assert_int_eq(rig.node[0].conns[c].answer_op, CTL_STATUS);
	ck_assert_int_eq(rig.node[0].conns[c].result, CLV_E_BUSY);
	rig.node[0].conns[c].op = CTL_PROMOTE;
	rig.node[0].conns[c].answers = 0;
	rig_db_mode(0, RIG_DB_UP);
	rig_run(100);
	ck_assert_int_eq(rig_result(0, c), CLV_OK);
}
END_TEST

START_TEST(only_root_is_answered)
{
	int c;

	rig.uid = 1000;
	c = rig_connect(0);
	ck_assert(!rig.node[0].conns[c].used);
}
END_TEST

/* Demoted in each state of a promotion (the loop's index). */
START_TEST(a_demotion_ends_a_promotion_wherever_it_is)
{
	struct rig_node *n = &rig.node[0];
	int p = rig_connect(0), d = rig_connect(0);

	n->deaf = false;
	if (_i == 0) /* WITNESS: nobody hears the proposal */
		rig_side(0, 0), rig_kill(1), rig_kill(2),
		    n->k->witness.members = 3;
	if (_i == 1)
		rig_db_mode(0, RIG_DB_HUNG);
	if (_i == 0) {
		n->k->witness.quorate = true;
		n->silent = true;
	}
	rig_send(0, p, CTL_PROMOTE, NULL, 0);
	if (_i == 1)
		rig_run(20);
	if (_i == 2) { /* OPEN: the front has not answered yet */
		while (rig_state(0) != ROLE_OPEN) {
			database_does_its_work(0);
			drain(n, &n->from_db);
			drain(&rig.node[1], &rig.node[1].from_cpg);
			drain(n, &n->from_cpg);
		}
	}
	ck_assert(role_promoting(rig_state(0)));
	rig_send(0, d, CTL_DEMOTE, NULL, 0);
	rig_run(50);
	ck_assert_int_eq(rig_state(0), ROLE_STANDBY);
	ck_assert_int_eq(rig_result(0, d), CLV_OK);
	ck_assert_int_eq(rig_result(0, p), CLV_E_NOT_READY);
	ck_assert(!n->listening);
	rig_db_mode(0, RIG_DB_UP);
	rig_run(5000);
	ck_assert_int_eq(rig_state(0), ROLE_STANDBY);
	ck_assert(!n->k->serving.listening);
}
END_TEST

START_TEST(a_late_answer_of_an_old_claim_takes_no_new_epoch)
{
	struct rig_node *n = &rig.node[0];
	int first = promote_to_claim(0), second;

	/* The database does it, but its answer is long on its way. */
	database_does_its_work(0);
	n->hold_db = true;
	rig_send(0, rig_connect(0), CTL_DEMOTE, NULL, 0);
	ck_assert_int_eq(rig_promote(1), CLV_OK); /* another one takes over */
	second = rig_connect(0);
	rig_send(0, second, CTL_PROMOTE, NULL, 0);
	for (int i = 0; i < 4; i++) {
		drain(&rig.node[1], &rig.node[1].from_cpg);
		drain(&rig.node[2], &rig.node[2].from_cpg);
		drain(n, &n->from_cpg);
	}
	ck_assert_int_eq(rig_state(0), ROLE_CLAIM);
	drain(n, &n->from_db);
	ck_assert(!serving_in_lease(rig_keeper(0)));
	ck_assert_int_eq(rig_state(0), ROLE_CLAIM);
	n->hold_db = false;
	rig_db_mode(0, RIG_DB_UP);
	rig_run(100);
	ck_assert_int_eq(rig_result(0, first), CLV_E_NOT_READY);
	ck_assert_int_eq(rig_result(0, second), CLV_OK);
	ck_assert(rig_db.epoch == rig_keeper(0)->serving.epoch);
}
END_TEST

START_TEST(a_flap_during_a_promotion_leaves_no_proposal_behind)
{
	struct rig_node *n = &rig.node[0];
	int c = rig_connect(0);

	rig.node[1].disk_full = rig.node[2].disk_full = true;
	rig_send(0, c, CTL_PROMOTE, NULL, 0);
	ck_assert_int_eq(rig_state(0), ROLE_WITNESS);
	serving_event(n->k, ROLE_EV_UNPROVEN, "a test");
	ck_assert_int_eq(rig_result(0, c), CLV_E_NOT_READY);
	rig.node[1].disk_full = rig.node[2].disk_full = false;
	secret_prove(n->k);
	ck_assert_int_eq(rig_state(0), ROLE_STANDBY);
	ck_assert_int_eq(rig_promote(0), CLV_OK);
}
END_TEST

/* Lease. */

START_TEST(the_lease_is_renewed)
{
	ck_assert_int_eq(rig_promote(0), CLV_OK);
	for (int i = 0; i < 60; i++) {
		rig_run(1000);
		ck_assert(serving_in_lease(rig_keeper(0)));
	}
	ck_assert(rig_keeper(0)->serving.epoch == rig_db.epoch);
}
END_TEST

START_TEST(a_silent_database_leaves_decryption_and_then_a_fresh_epoch)
{
	uint64_t epoch;

	ck_assert_int_eq(rig_promote(0), CLV_OK);
	epoch = rig_keeper(0)->serving.epoch;
	rig_db_mode_all(RIG_DB_HUNG);
	rig_run(16000);
	ck_assert_int_eq(rig_state(0), ROLE_AWAY);
	ck_assert(!serving_in_lease(rig_keeper(0)));
	ck_assert(rig.node[0].listening);
	rig_db_mode_all(RIG_DB_UP);
	rig_run(5000);
	ck_assert_int_eq(rig_state(0), ROLE_ACTIVE);
	ck_assert(rig_keeper(0)->serving.epoch > epoch);
	ck_assert_int_eq(rig.node[0].unlistens, 0);
}
END_TEST

START_TEST(a_lease_runs_from_when_it_was_asked_for)
{
	struct rig_node *n = &rig.node[0];

	ck_assert_int_eq(rig_promote(0), CLV_OK);
	rig_db_mode(0, RIG_DB_HUNG);
	while (n->k->lease.until_ms - rig.now > 9000)
		rig_run(100);
	/* A renewal was asked for and done; its answer takes 2.5 s. */
	database_does_its_work(0);
	for (int i = 0; i < 25; i++) {
		rig.now += 100;
		rig_timers();
	}
	drain(n, &n->from_db);
	ck_assert_uint_lt(
	    n->k->lease.until_ms, rig.now + KEEPER_LEASE_MS - 2000);
}
END_TEST

START_TEST(without_quorum_the_lease_ends)
{
	ck_assert_int_eq(rig_promote(0), CLV_OK);
	rig_side(0, 1);
	rig_settle();
	ck_assert(!serving_in_lease(rig_keeper(0)));
	rig_run(20000);
	ck_assert_int_eq(rig_state(0), ROLE_AWAY);
	rig_side(0, 0);
	rig_run(3000);
	ck_assert_int_eq(rig_state(0), ROLE_ACTIVE);
}
END_TEST

START_TEST(a_promotion_while_the_database_is_away_serves_decryption)
{
	rig_db_mode_all(RIG_DB_DOWN);
	rig_settle();
	ck_assert_int_eq(rig_promote(0), CLV_OK);
	ck_assert_int_eq(rig_state(0), ROLE_AWAY);
	ck_assert(!serving_in_lease(rig_keeper(0)));
	rig_db_mode_all(RIG_DB_UP);
	rig_run(3000);
	ck_assert_int_eq(rig_state(0), ROLE_ACTIVE);
}
END_TEST

START_TEST(whoever_is_superseded_closes_and_tells)
{
	ck_assert_int_eq(rig_promote(0), CLV_OK);
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	rig_run(6000);
	ck_assert_int_eq(rig_state(0), ROLE_STANDBY);
	ck_assert(!rig.node[0].listening);
	ck_assert_int_eq(rig.node[0].failures, 1);
	ck_assert_int_eq(rig_state(1), ROLE_ACTIVE);
}
END_TEST

START_TEST(with_the_database_away_a_promise_supersedes)
{
	ck_assert_int_eq(rig_promote(0), CLV_OK);
	rig_db_mode_all(RIG_DB_DOWN);
	rig_settle();
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	ck_assert_int_eq(rig_state(0), ROLE_STANDBY);
}
END_TEST

START_TEST(with_the_database_hung_a_promise_supersedes_too)
{
	ck_assert_int_eq(rig_promote(0), CLV_OK);
	rig_db_mode_all(RIG_DB_HUNG);
	rig_settle();
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	ck_assert_int_eq(rig_state(1), ROLE_AWAY);
	rig_run(KEEPER_SQL_MS + 100);
	ck_assert_int_eq(rig_state(0), ROLE_STANDBY);
}
END_TEST

START_TEST(a_promise_given_while_opening_is_not_forgotten)
{
	struct rig_node *n = &rig.node[0];

	rig_db_mode_all(RIG_DB_DOWN);
	rig_settle();
	rig_send(0, rig_connect(0), CTL_PROMOTE, NULL, 0);
	while (rig_state(0) != ROLE_OPEN_AWAY) {
		drain(&rig.node[1], &rig.node[1].from_cpg);
		drain(n, &n->from_cpg);
	}
	/* Before the listener has opened, somebody else is promised more. */
	rig_propose(0, 1, rig_keeper(1)->instance,
	    ((n->k->serving.epoch >> 8) + 1) << 8 | 2);
	drain(n, &n->from_cpg);
	rig_settle();
	ck_assert_int_eq(rig_state(0), ROLE_STANDBY);
	ck_assert(!n->listening);
}
END_TEST

START_TEST(a_database_that_failed_over_asks_for_a_fresh_epoch)
{
	uint64_t epoch;

	rig_db_save();
	ck_assert_int_eq(rig_promote(0), CLV_OK);
	epoch = rig_keeper(0)->serving.epoch;
	rig_db_failover(); /* and the epoch went back */
	rig_run(6000);
	ck_assert_int_eq(rig_state(0), ROLE_ACTIVE);
	ck_assert(rig_keeper(0)->serving.epoch > epoch);
	ck_assert(rig_db.epoch == rig_keeper(0)->serving.epoch);
}
END_TEST

START_TEST(stop_while_serving_closes)
{
	int c;

	ck_assert_int_eq(rig_promote(0), CLV_OK);
	c = rig_ctl(0, CTL_STOP, NULL, 0);
	ck_assert_int_eq(rig_result(0, c), CLV_OK);
	ck_assert_int_eq(rig_state(0), ROLE_OFF);
	ck_assert(!rig.node[0].listening);
	rig_run(100);
	ck_assert(rig_db.holder == 0); /* released */
}
END_TEST

/* Whoever had started it for a command ends it only if nobody has taken it. */
START_TEST(what_serves_is_not_shut_down)
{
	int c = rig_ctl(0, CTL_SHUTDOWN, NULL, 0);

	ck_assert_int_eq(rig_result(0, c), CLV_E_BUSY);
	ck_assert_int_eq(rig.node[0].ended, 0);
	c = rig_ctl(0, CTL_STOP, NULL, 0);
	ck_assert_int_eq(rig_result(0, c), CLV_OK);
	c = rig_ctl(0, CTL_SHUTDOWN, NULL, 0);
	ck_assert_int_eq(rig_result(0, c), CLV_OK);
	ck_assert_int_eq(rig.node[0].ended, 1);
}
END_TEST

START_TEST(the_epoch_grows_over_restarts)
{
	uint64_t epoch = 0;

	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(rig_promote(0), CLV_OK);
		ck_assert(rig_keeper(0)->serving.epoch > epoch);
		epoch = rig_keeper(0)->serving.epoch;
		rig_kill(0);
		rig_up(0);
		rig_run(200);
	}
}
END_TEST

/* What was promised last, to whomever: rig_promise_of(). */
static int
last_promise(void)
{
	int last = -1;

	for (const struct rig_msg *m = rig.heard.head; m != NULL; m = m->next)
		if (rig_promise_of(m) >= 0)
			last = rig_promise_of(m);
	return last;
}

/* Two machines made from one image: the same node, two instances. */
START_TEST(a_promise_holds_for_the_instance_that_asked)
{
	uint64_t epoch = ((rig.node[1].state.epoch >> 8) + 1) << 8 | 1;
	uint8_t one[16] = {1}, two[16] = {2};

	rig_propose(1, 0, one, epoch);
	rig_settle();
	ck_assert(rig.node[1].state.epoch == epoch);
	ck_assert_int_eq(last_promise(), 1);
	/* Once more, as when the promise was lost: a promise again. */
	rig_clear(&rig.heard);
	rig_propose(1, 0, one, epoch);
	rig_settle();
	ck_assert_int_eq(last_promise(), 1);
	rig_propose(1, 0, two, epoch);
	rig_settle();
	ck_assert_int_eq(last_promise(), 0);
}
END_TEST

START_TEST(a_node_put_back_in_time_does_not_serve_an_epoch_again)
{
	struct state before = rig.node[0].state;
	uint64_t epoch;

	rig_db_mode_all(RIG_DB_DOWN);
	rig_settle();
	ck_assert_int_eq(rig_promote(0), CLV_OK);
	epoch = rig_keeper(0)->serving.epoch;
	rig_kill(0);
	rig.node[0].state = before; /* its snapshot */
	rig_db_mode_all(RIG_DB_UP); /* which knows nothing of that epoch */
	rig_settle();
	rig_up(0);
	rig_db_mode_all(RIG_DB_DOWN);
	rig_settle();
	/* At once, before it has heard a heartbeat. */
	rig_keeper(0)->witness.floor = 0;
	(void)rig_promote(0);
	if (role_serves(rig_state(0)))
		ck_assert(rig_keeper(0)->serving.epoch != epoch);
}
END_TEST

/* A node's disk on another machine. */

static void
runs_on(unsigned i, uint8_t number)
{
	struct rig_node *n = &rig.node[i];

	rig_kill(i);
	n->machine.has[MACHINE_OS] = true;
	memset(n->machine.id[MACHINE_OS], number, MACHINE_ID_LEN);
	rig_up(i);
}

/* As the command does it. */
static void
adopt(unsigned i)
{
	struct rig_node *n = &rig.node[i];
	struct machine_marks m;
	char text[MACHINE_TEXT_MAX];
	size_t len;

	machine_marks_make(&n->machine, n->id, &m);
	len = machine_format(&m, text);
	clv_buf_reset(&n->marks);
	clv_buf_raw(&n->marks, text, len);
}

START_TEST(the_first_machine_is_remembered)
{
	ck_assert_uint_eq(rig.node[0].marks.len, 0);
	runs_on(0, 1);
	ck_assert_uint_ne(rig.node[0].marks.len, 0);
	ck_assert_int_eq(rig_state(0), ROLE_STANDBY);
	runs_on(0, 1);
	ck_assert_int_eq(rig_state(0), ROLE_STANDBY);
}
END_TEST

START_TEST(a_machine_that_cannot_be_remembered_is_good_all_the_same)
{
	rig.node[0].disk_full = true;
	runs_on(0, 1);
	ck_assert_uint_eq(rig.node[0].marks.len, 0);
	ck_assert_int_eq(rig_state(0), ROLE_STANDBY);
	ck_assert_ptr_nonnull(strstr(rig.log, MACHINE_FILE));
}
END_TEST

START_TEST(a_copy_is_never_ready_and_changes_nothing)
{
	const struct rig_node *n = &rig.node[0];
	unsigned casts;

	runs_on(0, 1);
	casts = n->casts;
	runs_on(0, 2);
	ck_assert_ptr_nonnull(strstr(rig.log, "claviger identity adopt"));
	ck_assert_int_eq(rig_state(0), ROLE_LOCKED);
	ck_assert_int_eq(serving_score(n->k), CTL_SCORE_NEVER);
	ck_assert_ptr_null(n->k->secret.keyring);
	ck_assert_int_eq(rig_promote(0), CLV_E_NOT_READY);
	ck_assert_int_eq(rig_add_member(0, 1, "new"), CLV_E_NOT_READY);
	ck_assert_ptr_nonnull(strstr(rig.said, "a copy on another machine"));
	/* nor by the one that serves, */
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	ck_assert_int_eq(rig_add_member(0, 2, "new"), CLV_E_NOT_READY);
	ck_assert_int_eq(rig_add_member(1, 3, "new"), CLV_OK);
	rig_run(60000);
	/* and all the time it has said nothing under the other one's name. */
	ck_assert_uint_eq(n->casts, casts);
}
END_TEST

START_TEST(a_copy_promises_nothing)
{
	runs_on(0, 1);
	runs_on(0, 2);
	rig_kill(2);
	ck_assert_int_ne(rig_promote(1), CLV_OK);
}
END_TEST

START_TEST(what_is_adopted_is_ready_without_a_restart)
{
	unsigned casts;

	runs_on(0, 1);
	runs_on(0, 2);
	casts = rig.node[0].casts;
	ck_assert_int_eq(
	    rig_result(0, rig_ctl(0, CTL_ADOPT, NULL, 0)), CLV_E_NOT_READY);
	ck_assert_int_eq(rig_state(0), ROLE_LOCKED);
	adopt(0);
	ck_assert_int_eq(rig_result(0, rig_ctl(0, CTL_ADOPT, NULL, 0)), CLV_OK);
	rig_run(1000);
	ck_assert_int_eq(rig_state(0), ROLE_STANDBY);
	ck_assert_uint_gt(rig.node[0].casts, casts);
	ck_assert_int_eq(rig_promote(0), CLV_OK);
	ck_assert_int_eq(rig_add_member(0, 1, "new"), CLV_OK);
	/* The machine that it has left. */
	runs_on(0, 1);
	ck_assert_int_eq(rig_state(0), ROLE_LOCKED);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("keeper");
	TCase *t = suite_case(s, "promotion", rig_standby, rig_fini);

	tcase_add_test(t, a_node_that_starts_is_proven);
	tcase_add_test(t, promotes_behind_witness_and_claim);
	tcase_add_test(t, without_quorum_nobody_is_promoted);
	tcase_add_test(t, a_silent_corosync_is_no_quorum);
	tcase_add_test(t, a_majority_of_promises_is_enough);
	tcase_add_test(t, a_witness_that_nobody_confirms_fails);
	tcase_add_test(t, a_full_disk_promotes_nobody);
	tcase_add_test(t, a_number_that_its_own_disk_lost_is_served_by_nobody);
	tcase_add_test(t, peers_with_full_disks_promise_nothing);
	tcase_add_test(t, a_listener_that_does_not_open_is_a_failure);
	tcase_add_test(t, two_promotions_at_once_end_the_same);
	tcase_add_test(t, two_nodes_at_once_leave_one_in_the_lease);
	tcase_add_test(t, a_hang_up_in_the_midst_does_no_harm);
	tcase_add_test(t, a_busy_connection_still_gets_its_first_answer);
	tcase_add_test(t, only_root_is_answered);
	tcase_add_loop_test(
	    t, a_demotion_ends_a_promotion_wherever_it_is, 0, 3);
	tcase_add_test(t, a_late_answer_of_an_old_claim_takes_no_new_epoch);
	tcase_add_test(t, a_flap_during_a_promotion_leaves_no_proposal_behind);
	t = suite_case(s, "lease", rig_standby, rig_fini);
	tcase_add_test(t, the_lease_is_renewed);
	tcase_add_test(
	    t, a_silent_database_leaves_decryption_and_then_a_fresh_epoch);
	tcase_add_test(t, a_lease_runs_from_when_it_was_asked_for);
	tcase_add_test(t, without_quorum_the_lease_ends);
	tcase_add_test(
	    t, a_promotion_while_the_database_is_away_serves_decryption);
	tcase_add_test(t, whoever_is_superseded_closes_and_tells);
	tcase_add_test(t, with_the_database_away_a_promise_supersedes);
	tcase_add_test(t, with_the_database_hung_a_promise_supersedes_too);
	tcase_add_test(t, a_promise_given_while_opening_is_not_forgotten);
	tcase_add_test(t, a_database_that_failed_over_asks_for_a_fresh_epoch);
	tcase_add_test(t, stop_while_serving_closes);
	tcase_add_test(t, what_serves_is_not_shut_down);
	tcase_add_test(t, the_epoch_grows_over_restarts);
	t = suite_case(s, "instance", rig_standby, rig_fini);
	tcase_add_test(t, a_promise_holds_for_the_instance_that_asked);
	tcase_add_test(
	    t, a_node_put_back_in_time_does_not_serve_an_epoch_again);
	t = suite_case(s, "copy", rig_standby, rig_fini);
	tcase_add_test(t, the_first_machine_is_remembered);
	tcase_add_test(
	    t, a_machine_that_cannot_be_remembered_is_good_all_the_same);
	tcase_add_test(t, a_copy_is_never_ready_and_changes_nothing);
	tcase_add_test(t, a_copy_promises_nothing);
	tcase_add_test(t, what_is_adopted_is_ready_without_a_restart);
	return s;
}

int
main(void)
{
	return suite_run(suite());
}
