/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "keeper_rig.h"
#include "suite.h"

/*
 * Never do two servers tell a member to encrypt: who takes the epoch from one
 * that may be in its lease serves at once, and waits with that alone. After
 * each event the rig checks it, too.
 */

static void
set_up(void)
{
	rig_active();
	rig_run(7000);
	ck_assert(serving_encrypts(rig_keeper(0)));
}

static bool
encrypts(unsigned i)
{
	return serving_encrypts(rig_keeper(i));
}

static void
demote(unsigned i)
{
	rig_send(i, rig_connect(i), CTL_DEMOTE, NULL, 0);
	rig_settle();
	ck_assert_int_eq(rig_state(i), ROLE_STANDBY);
}

/* n1 lives, and knows nothing of what the others do: its front says that all
 * is well, and its database does not answer any more. */
static void
cut_off_first(void)
{
	rig_db_mode(0, RIG_DB_HUNG);
	rig.node[0].side = 1;
	rig.node[0].silent = true;
	rig_keeper(0)->witness.quorate = true;
	rig_keeper(0)->witness.heard_ms = rig.now + 60000;
	rig_membership();
}

/* Promoted, in its lease, but not alone. */
static void
promote_beside(unsigned i)
{
	ck_assert_int_eq(rig_promote(i), CLV_OK);
	ck_assert_int_eq(rig_state(i), ROLE_ACTIVE);
	ck_assert(serving_in_lease(rig_keeper(i)));
	ck_assert(!encrypts(i));
}

START_TEST(who_is_moved_on_purpose_leaves_no_gap)
{
	uint64_t now = rig.now;

	demote(0);
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	ck_assert(encrypts(1));
	ck_assert_uint_eq(rig.now, now);
}
END_TEST

/* The old one is told last: until its lease ends, and not a moment longer. */
START_TEST(two_servers_never_both_say_encrypt)
{
	uint64_t end = rig_keeper(0)->lease.until_ms, began = rig.now;

	cut_off_first();
	rig_run(100);
	promote_beside(1);
	while (rig.now < end) {
		ck_assert(!encrypts(0) || !encrypts(1));
		rig_run(1);
	}
	ck_assert(encrypts(1));
	ck_assert(rig.node[1].told); /* without being asked */
	ck_assert(!encrypts(0));
	/* So long had it been possible: a lease at most. */
	ck_assert_uint_gt(end, began + 5000);
	ck_assert_uint_le(rig.now, began + KEEPER_LEASE_MS);
}
END_TEST

START_TEST(a_dead_one_delays_nothing_but_encryption)
{
	struct rig_db *db = &rig_db;
	uint64_t end = db->lease_until;
	struct clv_buf b;
	int c;

	rig_kill(0);
	promote_beside(1);
	rig_member_add(&b, 5, "app1");
	c = rig_admin(1, &b);
	clv_buf_fini(&b);
	while (!encrypts(1))
		rig_run(10);
	ck_assert_uint_ge(rig.now, end);
	ck_assert_uint_le(rig.now, end + 10);
	ck_assert_int_eq(rig_admin_result(1, c, NULL, 0), CLV_OK);
	ck_assert_uint_eq(db->versions[0], 2);
}
END_TEST

/* Killed with its lease on, and started again before or after another one was
 * promoted: it says that it serves nobody. */
START_TEST(a_process_that_started_anew_ends_the_waiting)
{
	uint64_t now = rig.now;

	rig_kill(0);
	if (_i == 0)
		rig_up(0);
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	if (_i == 1) {
		ck_assert(!encrypts(1));
		rig_up(0);
	}
	rig_settle();
	ck_assert(encrypts(1));
	ck_assert(rig.node[1].told);
	ck_assert_uint_eq(rig.now, now);
}
END_TEST

/* What it said before the epoch was taken from it proves nothing. */
START_TEST(one_that_was_idle_before_is_waited_for)
{
	struct rig_node *n = &rig.node[0];

	demote(0);
	ck_assert_uint_ne(rig_keeper(1)->peers.of[1].idle, 0);
	/* It is about to serve again: it only waits for its listener. */
	n->hold_net = true;
	rig_send(0, rig_connect(0), CTL_PROMOTE, NULL, 0);
	rig_run(50);
	ck_assert_int_eq(rig_state(0), ROLE_OPEN);
	promote_beside(1);
	peers_alive(rig_keeper(0));
	rig_settle();
	ck_assert(!encrypts(1));
	n->hold_net = false;
	rig_settle();
	ck_assert(!encrypts(1) || !encrypts(0));
	rig_run(6000);
	ck_assert_int_eq(rig_state(0), ROLE_STANDBY);
	ck_assert(encrypts(1)); /* it has fallen, and said so */
}
END_TEST

/* n2 did not hear that n1 serves again, only that it did not before. */
START_TEST(an_old_word_that_one_is_idle_is_not_enough)
{
	uint64_t end;

	demote(0);
	rig_side(1, 1);
	ck_assert_int_eq(rig_promote(0), CLV_OK);
	end = rig_keeper(0)->lease.until_ms;
	rig_kill(0);
	rig_side(1, 0);
	rig_settle();
	ck_assert_uint_ne(rig_keeper(1)->peers.of[1].idle, 0);
	promote_beside(1);
	while (!encrypts(1))
		rig_run(1);
	ck_assert_uint_eq(rig.now, end);
}
END_TEST

/* n2 gives back what it took from n1, which is still in its lease. */
START_TEST(who_gives_back_early_frees_nobody_elses_lease)
{
	uint64_t end = rig_keeper(0)->lease.until_ms;

	cut_off_first();
	rig_run(100);
	promote_beside(1);
	demote(1);
	rig_run(100);
	if (_i == 0)
		promote_beside(2);
	if (_i == 1)
		promote_beside(1); /* itself */
	if (_i == 2) {		   /* another process of it */
		rig_kill(1);
		rig_up(1);
		promote_beside(1);
	}
	while (!encrypts(_i == 0 ? 2 : 1))
		rig_run(1);
	ck_assert_uint_eq(rig.now, end);
}
END_TEST

/* The database has done it, and the answer is lost. */
START_TEST(a_claim_whose_outcome_is_lost_is_not_forgotten)
{
	uint64_t end = rig_keeper(0)->lease.until_ms;
	struct rig_node *n = &rig.node[1];

	cut_off_first();
	rig_db_mode(1, RIG_DB_HUNG);
	rig_send(1, rig_connect(1), CTL_PROMOTE, NULL, 0);
	rig_run(50);
	ck_assert_int_eq(rig_state(1), ROLE_CLAIM);
	while (n->sql.head != NULL)
		rig_lose_sql(n);
	rig_settle();
	ck_assert_int_eq(rig_state(1), ROLE_AWAY);
	ck_assert(rig_db.holder == 2);
	rig_db_mode(1, RIG_DB_UP);
	for (int i = 0; i < 300 && rig_state(1) != ROLE_ACTIVE; i++)
		rig_run(10);
	ck_assert_int_eq(rig_state(1), ROLE_ACTIVE);
	ck_assert(serving_in_lease(rig_keeper(1)));
	ck_assert(!encrypts(1));
	while (!encrypts(1))
		rig_run(1);
	ck_assert_uint_eq(rig.now, end);
}
END_TEST

START_TEST(who_takes_a_fresh_epoch_after_its_own_waits_for_nobody)
{
	uint64_t now = rig.now, epoch = rig_keeper(0)->serving.epoch;

	serving_event(rig_keeper(0), ROLE_EV_DATABASE_MOVED, "a test");
	rig_settle();
	ck_assert_uint_gt(rig_keeper(0)->serving.epoch, epoch);
	ck_assert(encrypts(0));
	ck_assert_uint_eq(rig.now, now);
}
END_TEST

static void
forge_long(struct rig_node *n, enum clv_stmt stmt, struct clv_buf *result)
{
	uint64_t id;

	if (stmt != CLV_STMT_TAKE_EPOCH)
		return;
	id = rig_forge_begin(result);
	rig_result_put(result, id, CLV_OK, "", 1, 4);
	clv_buf_u32(result, 8);
	clv_buf_u64(result, rig_db.epoch);
	clv_buf_u32(result, 1);
	clv_buf_u8(result, 1);
	clv_buf_u32(result, 8);
	clv_buf_u64(result, UINT64_MAX - n->i);
	clv_buf_u32(result, 8);
	clv_buf_u64(result, UINT64_MAX / 2);
}

START_TEST(no_database_forbids_encryption_for_ever)
{
	uint64_t began = rig.now;

	demote(0);
	rig.forge = forge_long;
	promote_beside(1);
	while (!encrypts(1))
		rig_run(10);
	ck_assert_uint_le(rig.now, began + KEEPER_LEASE_MS + 10);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("keeper_lease");
	TCase *t = suite_case(s, "alone", set_up, rig_fini);

	tcase_add_test(t, who_is_moved_on_purpose_leaves_no_gap);
	tcase_add_test(t, two_servers_never_both_say_encrypt);
	tcase_add_test(t, a_dead_one_delays_nothing_but_encryption);
	tcase_add_loop_test(
	    t, a_process_that_started_anew_ends_the_waiting, 0, 2);
	tcase_add_test(t, one_that_was_idle_before_is_waited_for);
	tcase_add_test(t, an_old_word_that_one_is_idle_is_not_enough);
	tcase_add_loop_test(
	    t, who_gives_back_early_frees_nobody_elses_lease, 0, 3);
	tcase_add_test(t, a_claim_whose_outcome_is_lost_is_not_forgotten);
	tcase_add_test(
	    t, who_takes_a_fresh_epoch_after_its_own_waits_for_nobody);
	tcase_add_test(t, no_database_forbids_encryption_for_ever);
	return s;
}

int
main(void)
{
	return suite_run(suite());
}
