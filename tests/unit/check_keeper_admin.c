/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keeper_rig.h"
#include "suite.h"

/* Administration and the server port. */

static int
named(unsigned i, uint8_t op, uint8_t id, const char *name)
{
	struct clv_buf b;

	rig_named(&b, op, id, name);
	return rig_ask(i, &b, 30000);
}

static const struct clv_list_member *
member(unsigned i, const char *name)
{
	return clv_list_member_by_name(rig_keeper(i)->secret.list, name);
}

/* Fetch at node i; the result of the answer. */
static int
fetch(unsigned i, const struct clv_identity *id)
{
	struct clv_wire_request q = {.op = CLV_WIRE_FETCH};
	unsigned before = rig.node[i].answers;

	rig_request(i, id, NULL, &q);
	rig_settle();
	if (rig.node[i].answers == before)
		return 1;
	return rig.node[i].answer.result;
}

/* The answer to the next PUT_LIST is lost, and whether it was done. */
static unsigned lose;
static void
lose_put_list(struct rig_node *n, enum clv_stmt stmt, struct clv_buf *result)
{
	uint64_t id;

	(void)n;
	if (stmt != CLV_STMT_PUT_LIST || lose == 0)
		return;
	lose--;
	id = rig_forge_begin(result);
	rig_result_put(result, id, CLV_E_UNKNOWN, "connection lost", 0, 0);
}

/* Changes. */

START_TEST(a_change_is_in_force_everywhere_when_it_is_answered)
{
	ck_assert_int_eq(rig_add_member(0, 7, "app1"), CLV_OK);
	ck_assert_uint_eq(rig_db.versions[0], 2);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_ptr_nonnull(member(i, "app1"));
		ck_assert_uint_eq(rig.node[i].state.list_version, 2);
	}
}
END_TEST

START_TEST(a_repeated_request_is_done_once)
{
	ck_assert_int_eq(rig_add_member(0, 7, "app1"), CLV_OK);
	ck_assert_int_eq(rig_add_member(0, 7, "app1"), CLV_OK);
	ck_assert_str_eq(rig.said, "this operation was done before");
	ck_assert_uint_eq(rig_db.versions[0], 2);
	ck_assert_uint_eq(rig_db.op_count, 1);
}
END_TEST

START_TEST(an_unknown_outcome_is_found_to_have_landed)
{
	rig.forge = lose_put_list;
	lose = 1;
	ck_assert_int_eq(rig_add_member(0, 7, "app1"), CLV_OK);
	ck_assert_uint_eq(rig_db.versions[0], 2);
	ck_assert_ptr_nonnull(member(0, "app1"));
}
END_TEST

/* After the outcome was lost another server takes over: the repetition is
 * refused, and yet it was done. */
START_TEST(a_refused_repetition_does_not_deny_the_first_try)
{
	struct clv_buf b;
	int c;

	rig.forge = lose_put_list;
	lose = 1;
	rig_member_add(&b, 7, "app1");
	c = rig_admin(0, &b);
	rig_settle();
	ck_assert_uint_eq(rig_db.versions[0], 2);
	ck_assert_int_eq(rig_admin_result(0, c, NULL, 0), 1);
	rig_db.epoch += 1 << 8; /* somebody else has it */
	rig_db.instance[0] ^= 1;
	rig_run(1000);
	ck_assert_int_eq(rig_admin_result(0, c, NULL, 0), CLV_OK);
	clv_buf_fini(&b);
}
END_TEST

START_TEST(a_stale_epoch_changes_nothing)
{
	struct clv_buf b;
	int c;

	rig_db_mode(0, RIG_DB_HUNG);
	rig_member_add(&b, 7, "app1");
	c = rig_admin(0, &b);
	rig_settle();
	rig_db.epoch += 1 << 8;
	rig_db.instance[0] ^= 1;
	rig_db_mode(0, RIG_DB_UP);
	rig_run(100);
	ck_assert_int_eq(rig_admin_result(0, c, NULL, 0), CLV_E_STALE_EPOCH);
	ck_assert_uint_eq(rig_db.versions[0], 1);
	ck_assert_ptr_null(member(0, "app1"));
	clv_buf_fini(&b);
}
END_TEST

START_TEST(a_database_that_goes_away_in_the_midst_is_told)
{
	struct clv_buf b;

	rig_db_mode(0, RIG_DB_HUNG);
	rig_member_add(&b, 7, "app1");
	ck_assert_int_ne(rig_ask(0, &b, 30000), CLV_OK);
	rig_db_mode(0, RIG_DB_UP);
	rig_run(20000);
	ck_assert_int_eq(rig_add_member(0, 8, "app2"), CLV_OK);
}
END_TEST

START_TEST(one_operation_at_a_time)
{
	struct clv_buf b;
	int c;

	rig_db_mode(0, RIG_DB_HUNG);
	rig_member_add(&b, 7, "app1");
	c = rig_admin(0, &b);
	ck_assert_int_eq(rig_add_member(0, 8, "app2"), CLV_E_BUSY);
	rig_db_mode(0, RIG_DB_UP);
	rig_run(1000);
	ck_assert_int_eq(rig_admin_result(0, c, NULL, 0), CLV_OK);
	ck_assert_int_eq(rig_add_member(0, 8, "app2"), CLV_OK);
	clv_buf_fini(&b);
}
END_TEST

START_TEST(whoever_hangs_up_has_asked_all_the_same)
{
	struct clv_buf b;
	int c;

	rig_member_add(&b, 7, "app1");
	c = rig_admin(0, &b);
	rig_hang_up(0, c);
	rig_run(1000);
	ck_assert_ptr_nonnull(member(2, "app1"));
	ck_assert_ptr_null(rig_keeper(0)->admin);
	clv_buf_fini(&b);
}
END_TEST

START_TEST(a_dead_node_is_named_and_not_waited_for)
{
	rig_kill(2);
	rig_run(15000);
	ck_assert_int_eq(rig_add_member(0, 7, "app1"), CLV_OK);
	rig_up(2);
	rig_run(6000);
	ck_assert_ptr_nonnull(member(2, "app1"));
}
END_TEST

START_TEST(a_generation_that_is_not_there_has_no_backup)
{
	struct clv_buf b;

	rig_admin_begin(&b, ADMIN_BACKUP_DONE, 9);
	clv_buf_u32(&b, 7);
	clv_buf_str(&b, "n1:/root/x");
	ck_assert_int_eq(rig_ask(0, &b, 1000), CLV_E_NOT_FOUND);
	ck_assert_uint_eq(rig_db.backups, 0);
}
END_TEST

/* Without an active server. */

START_TEST(without_an_active_server_an_epoch_is_borrowed)
{
	ck_assert_int_eq(rig_add_member(1, 7, "app1"), CLV_OK);
	rig_settle();
	ck_assert_uint_eq(rig_db.holder, 0); /* given back */
	ck_assert_ptr_nonnull(member(0, "app1"));
}
END_TEST

/* Whoever is answered may end the process, or turn to another node. */
START_TEST(a_loan_is_given_back_before_the_answer)
{
	struct clv_buf b;
	int c;

	rig_member_add(&b, 7, "app1");
	c = rig_admin(1, &b);
	while (rig_admin_result(1, c, NULL, 0) == 1)
		rig_run(1);
	ck_assert_uint_eq(rig_db.holder, 0);
	clv_buf_fini(&b);
	ck_assert_int_eq(rig_add_member(0, 8, "app2"), CLV_OK);
}
END_TEST

START_TEST(an_active_server_elsewhere_is_named)
{
	ck_assert_int_eq(rig_promote(0), CLV_OK);
	rig_run(6000);
	ck_assert_int_eq(rig_add_member(1, 7, "app1"), CLV_E_NOT_ACTIVE);
	ck_assert_ptr_nonnull(strstr(rig.said, "n1"));
	ck_assert_int_eq(rig_state(0), ROLE_ACTIVE);
}
END_TEST

/* It waits for HELLO when the promotion comes: one that is over at once, or
 * one whose peers are slow (the loop's index). */
START_TEST(a_promotion_is_not_disturbed_by_administration)
{
	struct clv_buf b;
	uint64_t epoch;
	int p, c;

	rig.node[1].side = rig.node[2].side = (unsigned)_i;
	rig_member_add(&b, 7, "app1");
	c = rig_admin(0, &b);
	p = rig_connect(0);
	rig_send(0, p, CTL_PROMOTE, NULL, 0);
	rig_run(1);
	ck_assert_int_eq(rig_result(0, p), _i == 0 ? CLV_OK : 1);
	rig_run(_i == 0 ? 0 : 100);
	rig.node[1].side = rig.node[2].side = 0;
	rig_run(_i == 0 ? 0 : 500);
	ck_assert_int_eq(rig_result(0, p), CLV_OK);
	epoch = rig_keeper(0)->serving.epoch;
	rig_run(3000);
	/* Nobody took another epoch over its head. */
	ck_assert_int_eq(rig_state(0), ROLE_ACTIVE);
	ck_assert(rig_keeper(0)->serving.epoch == epoch);
	ck_assert(rig_db.epoch == epoch);
	ck_assert_int_eq(
	    rig_admin_result(0, c, NULL, 0), _i == 0 ? CLV_OK : CLV_E_BUSY);
	clv_buf_fini(&b);
}
END_TEST

START_TEST(a_loan_whose_outcome_is_unknown_is_given_back)
{
	struct clv_buf b;
	int c;

	rig_member_add(&b, 7, "app1");
	c = rig_admin(1, &b);
	rig_run(10);
	while (rig_keeper(1)->witness.fn != NULL)
		rig_run(1);
	clv_buf_fini(&b);
	rig_run(1000);
	ck_assert_int_eq(rig_admin_result(1, c, NULL, 0), CLV_OK);
	rig_db_mode(1, RIG_DB_HUNG);
	rig_member_add(&b, 8, "app2");
	c = rig_admin(1, &b);
	rig_run(20);
	rig_db_mode(1, RIG_DB_UP); /* HELLO */
	rig_settle();
	rig_run(100);
	clv_buf_fini(&b);
	ck_assert_int_ne(rig_admin_result(1, c, NULL, 0), 1);
	ck_assert_uint_eq(rig_db.holder, 0);
}
END_TEST

/* Rotation. */

static int
rotate_begin(unsigned i, uint8_t id)
{
	struct clv_buf b;

	rig_admin_begin(&b, ADMIN_ROTATE_BEGIN, id);
	return rig_ask(i, &b, 30000);
}

static void
finish_request(struct clv_buf *b, uint8_t id)
{
	rig_admin_begin(b, ADMIN_ROTATE_FINISH, id);
	clv_buf_u32(b, 2);
	clv_buf_str(b, "n1:/root/two.age");
}

START_TEST(a_rotation_reaches_every_node_before_it_is_current)
{
	struct clv_buf b;

	ck_assert_int_eq(rotate_begin(0, 1), CLV_OK);
	rig_run(1000);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(
		    clv_keyring_newest(rig_keeper(i)->secret.keyring), 2);
	/* Members have no key of it yet. */
	ck_assert_uint_eq(rig.node[0].answers, 0);
	ck_assert_int_eq(fetch(0, rig.member[0]), CLV_OK);
	ck_assert_uint_eq(rig.node[0].answer.generation, 1);
	finish_request(&b, 2);
	ck_assert_int_eq(rig_ask(0, &b, 30000), CLV_OK);
	rig_run(1000);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(
		    clv_list_current(rig_keeper(i)->secret.list)->number, 2);
		ck_assert(secret_is_proven(rig_keeper(i)));
	}
	ck_assert_uint_eq(rig_db.backups, 1);
}
END_TEST

/* While the record of the backup is written, a heartbeat must not leave a
 * timer behind that ends it. */
START_TEST(a_slow_database_does_not_break_the_end_of_a_rotation)
{
	struct clv_buf b;
	int c;

	rig_db_mode(1, RIG_DB_HUNG);
	ck_assert_int_eq(rotate_begin(0, 1), CLV_OK); /* n2 is late */
	finish_request(&b, 2);
	c = rig_admin(0, &b);
	rig_run(500);
	ck_assert_int_eq(rig_admin_result(0, c, NULL, 0), 1);
	rig_db_mode(0, RIG_DB_HUNG);
	rig_db_mode(1, RIG_DB_UP); /* it opens its copy, and says so */
	rig_run(1000);
	rig_db_mode(0, RIG_DB_UP);
	rig_run(1000);
	ck_assert_int_eq(rig_admin_result(0, c, NULL, 0), CLV_OK);
	ck_assert_uint_eq(
	    clv_list_current(rig_keeper(0)->secret.list)->number, 2);
	clv_buf_fini(&b);
}
END_TEST

START_TEST(a_node_that_missed_a_rotation_is_not_promoted_until_it_has_it)
{
	struct clv_buf b;

	rig_kill(2);
	rig_run(15000);
	ck_assert_int_eq(rotate_begin(0, 1), CLV_OK);
	finish_request(&b, 2);
	ck_assert_int_eq(rig_ask(0, &b, 30000), CLV_OK);
	rig_db_mode(2, RIG_DB_HUNG);
	rig_up(2);
	ck_assert_int_ne(rig_promote(2), CLV_OK);
	ck_assert_int_eq(serving_score(rig_keeper(2)), CTL_SCORE_NEVER);
	rig_db_mode(2, RIG_DB_UP);
	rig_run(10000);
	ck_assert_int_eq(serving_score(rig_keeper(2)), CTL_SCORE_STANDBY);
}
END_TEST

/* Server port. */

START_TEST(a_member_gets_its_scope_and_no_more)
{
	struct clv_guard *g = NULL;
	struct clv_wire_key *keys = NULL;
	struct clv_identity *id = NULL;
	struct clv_wire_terms terms;
	char *own = NULL;
	size_t n = 0;

	ck_assert_int_eq(fetch(0, rig.member[1]), CLV_OK);
	ck_assert_int_eq(clv_guard_new(1 << 18, &g), CLV_OK);
	clv_identity_format(rig.member[1], &own);
	clv_identity_parse(g, own, strlen(own), &id);
	clv_guard_put(rig.guard, own);
	ck_assert_int_eq(clv_wire_keys_open(g, id, rig.node[0].answer.payload,
			     rig.node[0].answer.payload_len, &terms, &keys, &n),
	    CLV_OK);
	ck_assert_uint_eq(terms.refresh_s, 60);
	ck_assert_uint_eq(terms.permit_ms, 65000);
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(keys[0].app, "payroll");
	ck_assert(rig.node[0].answer.encrypt);
	clv_guard_put(g, keys);
	clv_identity_free(&id);
	clv_guard_free_all(&g);
}
END_TEST

START_TEST(a_revoked_member_gets_nothing_from_the_next_request_on)
{
	uint32_t pins = rig.node[0].pins;

	ck_assert_int_eq(fetch(0, rig.member[0]), CLV_OK);
	ck_assert_int_eq(named(0, ADMIN_MEMBER_REVOKE, 3, "m1"), CLV_OK);
	ck_assert_uint_eq(rig.node[0].pins, pins - 1);
	ck_assert_int_eq(fetch(0, rig.member[0]), CLV_E_REVOKED);
	ck_assert(rig.node[0].answer_close);
	ck_assert_uint_eq(rig.node[0].answer.payload_len, 0);
	/* Nor anywhere else, whoever serves. */
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	ck_assert_int_eq(fetch(1, rig.member[0]), CLV_E_REVOKED);
}
END_TEST

START_TEST(a_revoked_node_closes_and_is_not_promoted)
{
	ck_assert_int_eq(named(0, ADMIN_NODE_REVOKE, 3, "n2"), CLV_OK);
	rig_run(6000);
	ck_assert_int_eq(rig_keeper(1)->node_number, 0);
	ck_assert_int_ne(rig_promote(1), CLV_OK);
	ck_assert_int_eq(serving_score(rig_keeper(1)), CTL_SCORE_NEVER);
	ck_assert_int_eq(fetch(0, rig.node[1].id), CLV_E_REVOKED);
}
END_TEST

START_TEST(a_standby_answers_nobody)
{
	ck_assert_int_eq(fetch(1, rig.member[0]), 1);
}
END_TEST

/* A whole administrative request over the server port. */
static int
remote(const struct clv_identity *id, const struct clv_buf *b,
    const uint8_t *challenge)
{
	struct clv_wire_request q = {
	    .op = CLV_WIRE_ADMIN, .payload = b->data, .payload_len = b->len};
	unsigned before = rig.node[0].answers;

	memcpy(q.challenge, challenge, sizeof(q.challenge));
	rig_request(0, id, NULL, &q);
	for (int i = 0; i < 100 && rig.node[0].answers == before; i++)
		rig_run(100);
	ck_assert_uint_eq(rig.node[0].answers, before + 1);
	return rig.node[0].answer.result;
}

static int
challenge(const struct clv_identity *id, uint8_t ret[static 32])
{
	struct clv_wire_request q = {.op = CLV_WIRE_CHALLENGE};
	const struct clv_wire_answer *a = &rig.node[0].answer;

	rig_request(0, id, NULL, &q);
	rig_settle();
	if (a->result == CLV_OK) {
		ck_assert_uint_eq(a->payload_len, 32);
		memcpy(ret, a->payload, 32);
	}
	return a->result;
}

START_TEST(a_challenge_serves_once)
{
	uint8_t c[32] = {0};
	struct clv_buf b;

	rig_member_add(&b, 7, "app1");
	ck_assert_int_eq(remote(rig.node[1].id, &b, c), CLV_E_STALE);
	ck_assert_int_eq(challenge(rig.node[1].id, c), CLV_OK);
	ck_assert_int_eq(remote(rig.node[1].id, &b, c), CLV_OK);
	ck_assert_ptr_nonnull(member(0, "app1"));
	clv_buf_fini(&b);
	rig_named(&b, ADMIN_MEMBER_REVOKE, 8, "app1");
	ck_assert_int_eq(remote(rig.node[1].id, &b, c), CLV_E_STALE);
	clv_buf_fini(&b);
}
END_TEST

START_TEST(an_old_challenge_is_refused)
{
	uint8_t c[32];
	struct clv_buf b;

	ck_assert_int_eq(challenge(rig.node[1].id, c), CLV_OK);
	rig_run(KEEPER_CHALLENGE_MS + 1000);
	rig_member_add(&b, 7, "app1");
	ck_assert_int_eq(remote(rig.node[1].id, &b, c), CLV_E_STALE);
	clv_buf_fini(&b);
}
END_TEST

START_TEST(a_member_administers_nothing_and_takes_no_challenge)
{
	uint8_t c[32], other[32];
	struct clv_buf b;

	ck_assert_int_eq(challenge(rig.node[1].id, c), CLV_OK);
	for (int i = 0; i < 2 * KEEPER_CHALLENGES; i++)
		ck_assert_int_eq(challenge(rig.member[0], other), CLV_E_DENIED);
	rig_member_add(&b, 7, "app1");
	ck_assert_int_eq(remote(rig.member[0], &b, c), CLV_E_DENIED);
	ck_assert_int_eq(remote(rig.node[1].id, &b, c), CLV_OK);
	clv_buf_fini(&b);
}
END_TEST

/* Whoever has but a node's identity, from its disk, gets no keyring. */
START_TEST(a_rotation_over_the_network_tells_no_secret)
{
	struct clv_rd r;
	uint8_t c[32];
	struct clv_buf b;
	char why[256];
	size_t len;

	ck_assert_int_eq(challenge(rig.node[1].id, c), CLV_OK);
	rig_admin_begin(&b, ADMIN_ROTATE_BEGIN, 5);
	ck_assert_int_eq(remote(rig.node[1].id, &b, c), CLV_OK);
	clv_rd_init(
	    &r, rig.node[0].answer.payload, rig.node[0].answer.payload_len);
	ck_assert_uint_eq(clv_rd_u32(&r), 0);
	clv_rd_str(&r, why, sizeof(why));
	clv_rd_str(&r, why, sizeof(why));
	(void)clv_rd_bytes(&r, &len);
	ck_assert_int_eq(clv_rd_end(&r), CLV_OK);
	ck_assert_uint_eq(len, 5);
	clv_buf_fini(&b);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("keeper_admin");
	TCase *t = suite_case(s, "changes", rig_active, rig_fini);

	tcase_add_test(t, a_change_is_in_force_everywhere_when_it_is_answered);
	tcase_add_test(t, a_repeated_request_is_done_once);
	tcase_add_test(t, an_unknown_outcome_is_found_to_have_landed);
	tcase_add_test(t, a_refused_repetition_does_not_deny_the_first_try);
	tcase_add_test(t, a_stale_epoch_changes_nothing);
	tcase_add_test(t, a_database_that_goes_away_in_the_midst_is_told);
	tcase_add_test(t, one_operation_at_a_time);
	tcase_add_test(t, whoever_hangs_up_has_asked_all_the_same);
	tcase_add_test(t, a_dead_node_is_named_and_not_waited_for);
	tcase_add_test(t, a_generation_that_is_not_there_has_no_backup);
	tcase_add_test(t, a_rotation_reaches_every_node_before_it_is_current);
	tcase_add_test(t, a_slow_database_does_not_break_the_end_of_a_rotation);
	tcase_add_test(
	    t, a_node_that_missed_a_rotation_is_not_promoted_until_it_has_it);
	t = suite_case(s, "loan", rig_standby, rig_fini);
	tcase_add_test(t, without_an_active_server_an_epoch_is_borrowed);
	tcase_add_test(t, a_loan_is_given_back_before_the_answer);
	tcase_add_test(t, an_active_server_elsewhere_is_named);
	tcase_add_loop_test(
	    t, a_promotion_is_not_disturbed_by_administration, 0, 2);
	tcase_add_test(t, a_loan_whose_outcome_is_unknown_is_given_back);
	t = suite_case(s, "server port", rig_active, rig_fini);
	tcase_add_test(t, a_member_gets_its_scope_and_no_more);
	tcase_add_test(
	    t, a_revoked_member_gets_nothing_from_the_next_request_on);
	tcase_add_test(t, a_revoked_node_closes_and_is_not_promoted);
	tcase_add_test(t, a_standby_answers_nobody);
	tcase_add_test(t, a_challenge_serves_once);
	tcase_add_test(t, an_old_challenge_is_refused);
	tcase_add_test(t, a_member_administers_nothing_and_takes_no_challenge);
	tcase_add_test(t, a_rotation_over_the_network_tells_no_secret);
	return s;
}

int
main(void)
{
	return suite_run(suite());
}
