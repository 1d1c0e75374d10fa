/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keeper_rig.h"
#include "suite.h"

/* Server nodes that lie, and somebody who plays their old messages again. */

static struct rig_queue tape; /* written down from the CPG group */
static char names[256];

static void
tear_down(void)
{
	rig_clear(&tape);
	rig_fini();
}

static struct keeper *
k(unsigned i)
{
	return rig_keeper(i);
}

/* Write down what node `from` has said lately. */
static void
record(unsigned from)
{
	struct peer_msg m;

	for (struct rig_msg *h = rig.heard.head; h != NULL; h = h->next) {
		rig_parse(h->body.data, h->body.len, &m);
		if (m.from == from + 1)
			rig_put(&tape, 0, &h->body);
	}
	ck_assert_uint_gt(tape.n, 0);
}

static void
play(unsigned i)
{
	for (struct rig_msg *m = tape.head; m != NULL; m = m->next)
		rig_replay(i, m, 9);
	rig_settle();
}

/* How many nodes that live would node i wait for, if all were late? */
static unsigned
live(unsigned i)
{
	return peers_late(k(i), UINT64_MAX, 0, names, sizeof(names));
}

static bool
knows_process(unsigned i, unsigned of)
{
	return memcmp(k(i)->peers.of[of + 1].voice.instance, k(of)->instance,
		   16) == 0;
}

/* Old messages. */

START_TEST(old_words_make_no_dead_node_live)
{
	uint64_t began;

	rig_run(20000);
	record(1);
	ck_assert_uint_eq(live(0), 2);
	rig_kill(1);
	began = rig.now;
	while (rig.now < began + 30000) {
		play(0);
		rig_run(100);
		if (rig.now > began + KEEPER_LIVE_MS)
			ck_assert_uint_eq(live(0), 1);
	}
	/* So nobody waits for it: not longer than until n3 has the list. */
	began = rig.now;
	ck_assert_int_eq(rig_add_member(0, 5, "app1"), CLV_OK);
	ck_assert_uint_lt(rig.now, began + 1000);
	ck_assert_uint_eq(k(2)->secret.list->version, 2);
}
END_TEST

/* It has lost its memory: all that it is told is new to it. */
START_TEST(a_receiver_that_has_started_anew_believes_none_either)
{
	record(1);
	rig_kill(1);
	rig_kill(0);
	rig_up(0);
	play(0);
	rig_run(100);
	play(0);
	ck_assert_uint_eq(live(0), 1);
	ck_assert_uint_eq(k(0)->peers.of[2].list_version, 0);
}
END_TEST

/* Not the one that died a second ago, in the place of the one that lives. */
START_TEST(the_word_of_an_older_process_is_not_heard)
{
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	record(1);
	rig_kill(1);
	rig_run(1000);
	rig_up(1);
	for (struct rig_msg *m = tape.head; m != NULL; m = m->next) {
		rig_replay(0, m, 9);
		rig_deliver(&rig.node[0], &rig.node[0].from_cpg);
		ck_assert(knows_process(0, 1));
		ck_assert_uint_eq(peers_serving(k(0)), 0);
	}
}
END_TEST

/* Without any time passing, and in the midst of old messages. */
START_TEST(a_node_that_starts_again_is_heard_at_once)
{
	uint64_t now;

	record(1);
	rig_kill(1);
	rig_run(20000);
	now = rig.now;
	play(0);
	rig_up(1);
	play(0);
	play(1);
	rig_settle();
	ck_assert_uint_eq(rig.now, now);
	ck_assert_uint_eq(live(0), 2);
	ck_assert_uint_eq(live(1), 2);
	ck_assert(knows_process(0, 1) && knows_process(1, 0));
}
END_TEST

START_TEST(a_node_that_was_cut_off_is_heard_at_once)
{
	uint64_t now;

	rig_side(1, 1);
	rig_run(30000);
	ck_assert_uint_eq(live(0), 1);
	now = rig.now;
	rig_side(1, 0);
	rig_settle();
	ck_assert_uint_eq(rig.now, now);
	ck_assert_uint_eq(live(0), 2);
	ck_assert_uint_eq(live(1), 2);
}
END_TEST

/* Of a node that was put back in time it is known that it has less. */
START_TEST(what_is_said_last_counts_though_it_is_less)
{
	struct state before = rig.node[1].state;
	struct clv_buf list;

	clv_buf_init(&list);
	clv_buf_raw(&list, rig.node[1].list.data, rig.node[1].list.len);
	ck_assert_int_eq(rig_add_member(0, 5, "app1"), CLV_OK);
	rig_kill(1);
	rig.node[1].state = before;
	clv_buf_reset(&rig.node[1].list);
	clv_buf_raw(&rig.node[1].list, list.data, list.len);
	rig_db_mode(1, RIG_DB_HUNG);
	rig_up(1);
	ck_assert_uint_eq(k(0)->peers.of[2].list_version, 1);
	ck_assert_uint_eq(peers_late(k(0), 2, 0, names, sizeof(names)), 1);
	ck_assert_str_eq(names, "n2");
	/* And yet it is not forgotten that the newer one was there. */
	ck_assert_uint_eq(peers_newest_list(k(0)), 2);
	clv_buf_fini(&list);
}
END_TEST

START_TEST(old_messages_bring_nobody_back)
{
	ck_assert_int_eq(rig_promote(1), CLV_OK); /* n2 serves, */
	rig_run(6000);
	record(1);
	rig_kill(1); /* and dies; n1 takes over and gives it back */
	ck_assert_int_eq(rig_promote(0), CLV_OK);
	rig_send(0, rig_connect(0), CTL_DEMOTE, NULL, 0);
	rig_run(30000);
	ck_assert_uint_eq(peers_serving(k(0)), 0);
	play(0);
	ck_assert_uint_eq(peers_serving(k(0)), 0);
	ck_assert_int_eq(rig_state(0), ROLE_STANDBY);
}
END_TEST

/* One that n1 never got, for it was cut off, and whose proposer is dead. */
START_TEST(an_old_proposal_is_not_promised_and_deposes_nobody)
{
	uint64_t epoch;

	rig_db_mode_all(RIG_DB_HUNG);
	rig_run(20000);
	ck_assert_int_eq(rig_state(0), ROLE_AWAY);
	rig_clear(&rig.heard);
	rig_side(0, 1);
	(void)rig_promote(1);
	record(1);
	rig_kill(1);
	rig_side(0, 0);
	rig_run(20000);
	epoch = k(0)->seen.epoch;
	play(0);
	ck_assert_uint_eq(k(0)->seen.epoch, epoch);
	ck_assert_int_eq(rig_state(0), ROLE_AWAY);
	ck_assert_uint_eq(rig.node[0].failures, 0);
}
END_TEST

/* As if none had heard another one yet. */
static void
forget_all(void)
{
	for (unsigned i = 0; i < 3; i++)
		if (k(i) != NULL)
			memset(k(i)->peers.of, 0, sizeof(k(i)->peers.of));
}

/* Of two or three. */
START_TEST(who_speaks_first_is_known_to_all_and_knows_all)
{
	uint64_t now = rig.now;

	if (_i == 2)
		rig_kill(2);
	rig_settle();
	forget_all();
	peers_alive(k(1));
	rig_settle();
	for (int i = 0; i < _i; i++)
		ck_assert_uint_eq(live((unsigned)i), (unsigned)_i - 1);
	ck_assert_uint_eq(rig.now, now);
}
END_TEST

START_TEST(a_proposal_of_one_that_is_not_known_yet_is_promised_all_the_same)
{
	uint64_t now = rig.now;
	int c;

	forget_all();
	c = rig_connect(1);
	rig_send(1, c, CTL_PROMOTE, NULL, 0);
	rig_settle();
	ck_assert_int_eq(rig_result(1, c), CLV_OK);
	ck_assert_uint_eq(rig.now, now);
}
END_TEST

/* Who plays many is not answered as often, and keeps nobody from being heard
 * who is known. */
START_TEST(a_flood_of_old_words_is_answered_within_bounds)
{
	uint64_t began = rig.now;

	record(1);
	rig_kill(1);
	rig_up(1);
	rig.node[0].casts = 0;
	while (rig.now < began + 20000) {
		for (int i = 0; i < 3; i++)
			play(0);
		rig_run(500);
		ck_assert_uint_eq(live(0), 2);
		ck_assert_uint_eq(live(2), 2);
	}
	ck_assert(knows_process(0, 1));
	ck_assert_uint_gt(rig.node[0].casts, 100);
	ck_assert_uint_le(rig.node[0].casts, 5 * 110);
}
END_TEST

/* And who is not known yet has to wait for the next heartbeat at most. */
START_TEST(a_flood_of_old_words_keeps_no_new_process_from_being_heard)
{
	uint64_t began;

	record(1);
	rig_kill(1);
	rig_run(20000);
	rig_up(1); /* so that what is recorded is a stranger's */
	rig_run(100);
	rig_kill(1);
	for (unsigned said = UINT_MAX; rig.node[0].casts != said;) {
		said = rig.node[0].casts;
		play(0);
	}
	rig_up(1);
	for (began = rig.now; !knows_process(0, 1); rig_run(100)) {
		play(0);
		ck_assert_uint_le(rig.now, began + KEEPER_ALIVE_MS + 100);
	}
}
END_TEST

START_TEST(what_anybody_can_cause_is_not_logged_each_time)
{
	struct clv_buf f;

	clv_buf_init(&f);
	clv_buf_u64(&f, 1);
	for (int i = 0; i < 100; i++) {
		rig_peer_say(0, PEER_PROPOSE, &f, rig.node[1].id->sign_sk,
		    "claviger-propos1", 2);
		rig_settle();
		ck_assert_int_eq(rig.log[0] != '\0', i % 50 == 0);
		rig.log[0] = '\0';
		if (i == 49)
			rig_run(60000);
		rig.log[0] = '\0';
	}
	clv_buf_fini(&f);
}
END_TEST

/* Lies. */

START_TEST(a_heartbeat_moves_no_number_by_a_lie)
{
	uint64_t before = k(0)->seen.epoch;

	/* Signed by the node alone: it may hold no secret at all. */
	rig_alive(0, 1, 1, 1, UINT64_MAX, PEER_IDLE);
	rig_alive(0, 1, 1, 1, before + (1 << 20), PEER_IDLE);
	rig_settle();
	ck_assert_int_eq(rig_promote(0), CLV_OK);
	ck_assert_int_eq(rig_state(0), ROLE_ACTIVE);
	ck_assert_uint_lt(k(0)->seen.epoch, before + 4096);
}
END_TEST

START_TEST(a_heartbeat_of_a_locked_node_stops_no_administration)
{
	rig_alive(0, 1, UINT64_MAX, 1, UINT64_MAX, PEER_IDLE);
	rig_settle();
	db_poll_soon(k(0));
	rig_run(100);
	ck_assert(!serving_read_only(k(0)));
	ck_assert_int_eq(rig_add_member(0, 5, "app1"), CLV_OK);
}
END_TEST

START_TEST(a_locked_node_holds_no_generation_whatever_it_says)
{
	rig_kill(2);
	rig_kill(1);
	rig_run(20000);
	ck_assert(!peers_hold(k(0), 2));
	rig_alive(0, 1, 1, 99, 1, PEER_IDLE);
	rig_settle();
	ck_assert(!peers_hold(k(0), 2));
}
END_TEST

START_TEST(a_revoked_node_holds_no_generation)
{
	struct clv_buf b;

	rig_kill(2);
	rig_run(20000);
	k(0)->peers.of[3].generation = 0;
	ck_assert(peers_hold(k(0), 1)); /* n2 does */
	rig_named(&b, ADMIN_NODE_REVOKE, 4, "n2");
	ck_assert_int_eq(rig_ask(0, &b, 30000), CLV_OK);
	ck_assert(!peers_hold(k(0), 1));
}
END_TEST

START_TEST(a_locked_node_frees_nobody_from_waiting)
{
	rig_kill(0);
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	ck_assert(!serving_encrypts(k(1)));
	rig_alive(1, 0, 1, 1, 1, PEER_IDLE);
	rig_settle();
	ck_assert_uint_eq(live(1), 2);
	ck_assert(!serving_encrypts(k(1)));
}
END_TEST

START_TEST(a_locked_node_makes_nobody_ask_the_database)
{
	uint64_t hellos = k(0)->db.hellos;

	for (unsigned i = 0; i < 100; i++) {
		rig_alive(0, 1, 100 + i, 1, 1, PEER_IDLE);
		rig_settle();
	}
	ck_assert_uint_eq(k(0)->db.hellos, hellos);
}
END_TEST

/* A stamp that was never given out proves nothing. */
START_TEST(what_is_to_come_is_not_known_beforehand)
{
	uint64_t stamp = k(0)->peers.stamp;

	rig_kill(1);
	rig_run(20000);
	k(0)->peers.stamp += 100000; /* so the rig believes */
	rig_alive(0, 1, 1, 1, 1, PEER_IDLE);
	k(0)->peers.stamp = stamp;
	rig_settle();
	ck_assert_uint_eq(live(0), 1);
}
END_TEST

/* n2 may refuse as fast as it likes, n3 promises all the same. */
START_TEST(one_node_that_refuses_everything_stops_no_promotion)
{
	int c = rig_connect(0);

	rig_kill(1);
	rig_send(0, c, CTL_PROMOTE, NULL, 0);
	for (int i = 0; i < 8 && rig_state(0) == ROLE_WITNESS; i++) {
		rig_refuse(0, 1, k(0)->witness.epoch + 1024);
		rig_deliver(&rig.node[2], &rig.node[2].from_cpg);
		while (rig.node[0].from_cpg.head != NULL)
			rig_deliver(&rig.node[0], &rig.node[0].from_cpg);
	}
	rig_run(1000);
	ck_assert_int_eq(rig_result(0, c), CLV_OK);
	ck_assert_int_eq(rig_state(0), ROLE_ACTIVE);
}
END_TEST

/* The loop's index: n2 says that it is locked; it says nothing, and was
 * unlocked when it died: whoever has its disk has its key, and knows the
 * instance. */
START_TEST(a_locked_node_deposes_nobody)
{
	ck_assert_int_eq(rig_promote(0), CLV_OK);
	rig_kill(1);
	rig_run(20000);
	rig_db_mode_all(RIG_DB_HUNG);
	rig_run(16000);
	ck_assert_int_eq(rig_state(0), ROLE_AWAY);
	if (_i == 0)
		rig_alive(0, 1, 1, 0, k(0)->seen.epoch, PEER_IDLE);
	rig_settle();
	rig.node[2].side = 1; /* its promise comes later */
	rig_db_mode_all(RIG_DB_UP);
	for (int i = 0; i < 3000 && rig_state(0) == ROLE_AWAY; i++)
		rig_run(1);
	ck_assert_int_eq(rig_state(0), ROLE_AWAY_WITNESS);
	if (_i == 1)
		memset(k(0)->peers.of[2].voice.instance, 0xf2, 16);
	rig_refuse(0, 1, k(0)->witness.epoch + 1024);
	rig.node[2].side = 0;
	rig_run(3000);
	ck_assert_int_eq(rig_state(0), ROLE_ACTIVE);
	ck_assert_uint_eq(rig.node[0].failures, 0);
}
END_TEST

START_TEST(what_is_signed_by_nobody_is_heard_by_nobody)
{
	uint64_t epoch = ((k(0)->seen.epoch >> 8) + 1) << 8 | 2;
	struct clv_buf f;

	/* A proposal under the node's key, not the system's. */
	clv_buf_init(&f);
	clv_buf_u64(&f, epoch);
	rig_peer_say(0, PEER_PROPOSE, &f, rig.node[1].id->sign_sk,
	    "claviger-propos1", 2);
	/* Under the system's, but in another's name than the number says. */
	rig_peer_say(0, PEER_PROPOSE, &f, NULL, "claviger-propos1", 3);
	/* Of a node that is not enrolled. */
	rig_peer_say(0, PEER_PROPOSE, &f, NULL, "claviger-propos1", 77);
	clv_buf_fini(&f);
	rig_settle();
	ck_assert_uint_lt(k(0)->seen.epoch, epoch);
	ck_assert_int_eq(rig_state(0), ROLE_ACTIVE);
}
END_TEST

START_TEST(a_promise_of_a_revoked_node_counts_for_nothing)
{
	struct clv_buf b;

	rig_named(&b, ADMIN_NODE_REVOKE, 4, "n2");
	ck_assert_int_eq(rig_ask(0, &b, 30000), CLV_OK);
	rig_send(0, rig_connect(0), CTL_DEMOTE, NULL, 0);
	rig_run(100);
	rig_kill(2);
	rig.node[0].silent = true;
	k(0)->witness.quorate = true;
	k(0)->witness.members = 2;
	k(0)->witness.heard_ms = rig.now + 1000;
	ck_assert_int_ne(rig_promote(0), CLV_OK);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("keeper_peers");
	TCase *t = suite_case(s, "old words", rig_standby, tear_down);

	tcase_set_timeout(t, 60);
	tcase_add_test(t, old_words_make_no_dead_node_live);
	tcase_add_test(
	    t, a_receiver_that_has_started_anew_believes_none_either);
	tcase_add_test(t, the_word_of_an_older_process_is_not_heard);
	tcase_add_test(t, a_node_that_starts_again_is_heard_at_once);
	tcase_add_test(t, a_node_that_was_cut_off_is_heard_at_once);
	tcase_add_test(t, what_is_said_last_counts_though_it_is_less);
	tcase_add_test(t, old_messages_bring_nobody_back);
	tcase_add_loop_test(
	    t, who_speaks_first_is_known_to_all_and_knows_all, 2, 4);
	tcase_add_test(t,
	    a_proposal_of_one_that_is_not_known_yet_is_promised_all_the_same);
	tcase_add_test(t, a_flood_of_old_words_is_answered_within_bounds);
	tcase_add_test(
	    t, a_flood_of_old_words_keeps_no_new_process_from_being_heard);
	tcase_add_test(t, what_anybody_can_cause_is_not_logged_each_time);
	t = suite_case(s, "old words to the active", rig_active, tear_down);
	tcase_add_test(t, an_old_proposal_is_not_promised_and_deposes_nobody);
	t = suite_case(s, "lies to the active", rig_active, tear_down);
	tcase_add_test(t, a_heartbeat_of_a_locked_node_stops_no_administration);
	tcase_add_test(t, a_locked_node_holds_no_generation_whatever_it_says);
	tcase_add_test(t, a_locked_node_frees_nobody_from_waiting);
	tcase_add_test(t, a_locked_node_makes_nobody_ask_the_database);
	tcase_add_test(t, a_revoked_node_holds_no_generation);
	tcase_add_test(t, what_is_to_come_is_not_known_beforehand);
	tcase_add_test(t, what_is_signed_by_nobody_is_heard_by_nobody);
	tcase_add_test(t, a_promise_of_a_revoked_node_counts_for_nothing);
	t = suite_case(s, "lies to a standby", rig_standby, tear_down);
	tcase_add_test(t, a_heartbeat_moves_no_number_by_a_lie);
	tcase_add_test(t, one_node_that_refuses_everything_stops_no_promotion);
	tcase_add_loop_test(t, a_locked_node_deposes_nobody, 0, 2);
	return s;
}

int
main(void)
{
	return suite_run(suite());
}
