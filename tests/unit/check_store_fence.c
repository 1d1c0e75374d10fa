/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store_rig.h"

/* The fence: who may write, and what happens to those who may not. */

static struct clv_store *s;

/* A node in office, epoch TAKEN. */
static void
in_office(void)
{
	with_system();
	s = as_node();
	ck_assert(take(s, EPOCH, TAKEN, node_a));
}

static void
leave(void)
{
	clv_store_free(&s);
	leave_database();
}

START_TEST(stale_epoch_is_refused_and_writes_nothing)
{
	uint8_t thumb[32] = "thumb", row[10] = {0, 0, 0, 6};
	struct clv_store *b = as_node();

	escrow_row(row + 4, 6, 2, 9);
	ck_assert(take(b, TAKEN, TAKEN + 257, node_b));
	ck_result(put_list(s, TAKEN, node_a, "0123456789abcdef", 2),
	    CLV_E_STALE_EPOCH);
	ck_assert_str_eq(clv_store_sqlstate(s), "CL001");
	ck_result(call(s, CLV_STMT_PUT_LIST, U(TAKEN), A, OP("a"), U(2),
		      STR("x"), row, sizeof(row), "join", U(1)),
	    CLV_E_STALE_EPOCH);
	ck_result(call(s, CLV_STMT_PUT_TLS, U(TAKEN), A, OP("a"), thumb,
		      (size_t)32, STR("row")),
	    CLV_E_STALE_EPOCH);
	ck_result(
	    call(s, CLV_STMT_PUT_BACKUP, U(TAKEN), A, OP("a"), U(1), STR("b")),
	    CLV_E_STALE_EPOCH);
	ck_result(call(s, CLV_STMT_RENEW_LEASE, U(TAKEN), A, U(15000)),
	    CLV_E_STALE_EPOCH);
	ck_result(call(s, CLV_STMT_RELEASE, U(TAKEN), A), CLV_E_STALE_EPOCH);
	/* right epoch, wrong instance; and the other way round */
	ck_result(put_list(s, TAKEN + 257, node_a, "0123456789abcdef", 2),
	    CLV_E_STALE_EPOCH);
	ck_result(put_list(s, TAKEN, node_b, "0123456789abcdef", 2),
	    CLV_E_STALE_EPOCH);
	ck_assert_int_eq(sql_int("SELECT (SELECT count(*) FROM claviger.list)"
				 " + (SELECT count(*) FROM claviger.tls)"
				 " + (SELECT count(*) FROM claviger.backup)"
				 " + (SELECT count(*) FROM claviger.escrow)"
				 " + (SELECT count(*) FROM claviger.op)"),
	    4);
	ck_ok(b, put_list(b, TAKEN + 257, node_b, "0123456789abcdef", 2));
	clv_store_free(&b);
}
END_TEST

START_TEST(epoch_is_taken_by_compare_and_set)
{
	/* not the one in force; not above it; another timeline */
	ck_assert(!take(s, TAKEN - 1, TAKEN + 257, node_b));
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 0), TAKEN);
	ck_assert(!take(s, 0, TAKEN + 257, node_b));
	ck_assert(!take(s, TAKEN, TAKEN, node_b));
	ck_assert(!take(s, TAKEN, TAKEN - 1, node_b));
	ck_assert(!take(s, TAKEN, UINT64_MAX, node_b));
	ck_ok(s, call(s, CLV_STMT_TAKE_EPOCH, U(TAKEN), U(TAKEN + 257), U(2), B,
		     U(2), U(15000)));
	ck_assert(!clv_store_get_bool(s, 0, 1));
	ck_assert_int_eq(
	    sql_int("SELECT max(epoch) FROM claviger.epoch_log"), TAKEN);
	ck_assert(take(s, TAKEN, TAKEN + 257, node_b));
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 0), TAKEN + 257);
	ck_assert_int_eq(sql_int("SELECT holder FROM claviger.epoch_log"
				 " ORDER BY epoch DESC LIMIT 1"),
	    2);
}
END_TEST

START_TEST(taking_an_epoch_again_is_ok_for_its_owner_alone)
{
	ck_assert(take(s, EPOCH, TAKEN, node_a));
	ck_assert(!take(s, EPOCH, TAKEN, node_b));
	ck_assert_int_eq(sql_int("SELECT count(*) FROM claviger.epoch_log"), 2);
}
END_TEST

START_TEST(live_lease_does_not_stop_a_take_over)
{
	ck_ok(s, call(s, CLV_STMT_RENEW_LEASE, U(TAKEN), A, U(60000)));
	ck_assert(take(s, TAKEN, TAKEN + 257, node_b));
}
END_TEST

/* How long a lease of somebody else may last, as the last take says: of the
 * one before, and of those before that one. */
static void
lasts(uint64_t before_ms, uint64_t others_ms)
{
	uint64_t before = clv_store_get_u64(s, 0, 2);
	uint64_t others = clv_store_get_u64(s, 0, 3);

	ck_assert_uint_le(before, before_ms);
	ck_assert_uint_le(others, others_ms);
	ck_assert(
	    before + 10000 > before_ms && (before > 0) == (before_ms > 0));
	ck_assert(
	    others + 10000 > others_ms && (others > 0) == (others_ms > 0));
}

START_TEST(a_take_tells_how_long_other_leases_last)
{
	ck_assert(take(s, TAKEN, TAKEN + 257, node_b));
	lasts(15000, 0);
	/* its own is none of the others; node_a's is still there, */
	ck_assert(take(s, TAKEN + 257, TAKEN + 513, node_b));
	lasts(0, 15000);
	/* and is not given back by somebody else */
	ck_ok(s, call(s, CLV_STMT_RELEASE, U(TAKEN + 513), B));
	ck_assert(take(s, TAKEN + 513, TAKEN + 769, node_b));
	lasts(0, 15000);
	/* a repeat says the same */
	ck_assert(take(s, TAKEN + 513, TAKEN + 769, node_b));
	lasts(0, 15000);
	/* no longer than a lease: a clock set back */
	sql("UPDATE claviger.system SET lease_expires = now() + interval '9h',"
	    " alone_from = now() + interval '9h'");
	ck_assert(take(s, TAKEN + 769, TAKEN + 1024, node_a));
	lasts(15000, 15000);
	sql("UPDATE claviger.system SET lease_expires = now() - interval '1s',"
	    " alone_from = now() - interval '1s'");
	ck_assert(take(s, TAKEN + 1024, TAKEN + 1281, node_b));
	lasts(0, 0);
}
END_TEST

START_TEST(a_lease_that_was_given_back_lasts_no_longer)
{
	ck_ok(s, call(s, CLV_STMT_RELEASE, U(TAKEN), A));
	ck_assert(take(s, TAKEN, TAKEN + 257, node_b));
	lasts(0, 0);
}
END_TEST

START_TEST(lease_is_renewed_and_runs_out)
{
	ck_ok(s, call(s, CLV_STMT_RENEW_LEASE, U(TAKEN), A, U(3600000)));
	ck_ok(s, call(s, CLV_STMT_HELLO));
	ck_assert_uint_gt(clv_store_get_u64(s, 0, 5), 15000);
	sql("UPDATE claviger.system SET lease_expires = now() - interval '1h'");
	ck_ok(s, call(s, CLV_STMT_HELLO));
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 5), 0);
	/* a clock set back does not stretch it */
	sql("UPDATE claviger.system SET lease_expires = now() + interval '9h'");
	ck_ok(s, call(s, CLV_STMT_HELLO));
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 5), 3600000);
}
END_TEST

START_TEST(released_epoch_stays_but_writes_no_more)
{
	for (int i = 0; i < 2; i++)
		ck_ok(s, call(s, CLV_STMT_RELEASE, U(TAKEN), A));
	ck_ok(s, call(s, CLV_STMT_HELLO));
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 2), TAKEN);
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 3), 0);
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 5), 0);
	ck_result(put_list(s, TAKEN, node_a, "0123456789abcdef", 2),
	    CLV_E_STALE_EPOCH);
	ck_result(call(s, CLV_STMT_RENEW_LEASE, U(TAKEN), A, U(15000)),
	    CLV_E_STALE_EPOCH);
	ck_assert(!take(s, EPOCH, TAKEN, node_a));
	ck_assert(take(s, TAKEN, TAKEN + 256, node_a));
}
END_TEST

START_TEST(epoch_that_was_used_once_is_refused)
{
	/* the row went back, the log did not: a fork, and it shows */
	sql("UPDATE claviger.system SET epoch = %u", EPOCH);
	ck_result(call(s, CLV_STMT_TAKE_EPOCH, U(EPOCH), U(TAKEN), U(2), B,
		      U(1), U(15000)),
	    CLV_E_DATABASE);
	ck_assert_str_eq(clv_store_sqlstate(s), "23505");
	ck_assert_int_eq(sql_int("SELECT epoch FROM claviger.system"), EPOCH);
}
END_TEST

START_TEST(one_of_two_that_race_for_an_epoch_wins)
{
	struct clv_store *b = as_node();
	bool first, second;

	sql("BEGIN");
	sql("SELECT 1 FROM claviger.system FOR UPDATE");
	ck_ok(s, call_send(s, CLV_STMT_TAKE_EPOCH, U(TAKEN), U(TAKEN + 256),
		     U(1), A, U(1), U(15000)));
	ck_ok(b, call_send(b, CLV_STMT_TAKE_EPOCH, U(TAKEN), U(TAKEN + 257),
		     U(2), B, U(1), U(15000)));
	ck_result(clv_store_step(s), CLV_E_AGAIN);
	ck_result(clv_store_step(b), CLV_E_AGAIN);
	sql_wait(WAITING(2));
	sql("COMMIT");
	ck_ok(s, call_finish(s));
	ck_ok(b, call_finish(b));
	first = clv_store_get_bool(s, 0, 1);
	second = clv_store_get_bool(b, 0, 1);
	ck_assert(first != second);
	ck_assert_uint_eq(
	    clv_store_get_u64(s, 0, 0), clv_store_get_u64(b, 0, 0));
	ck_assert_int_eq(sql_int("SELECT count(*) FROM claviger.epoch_log"), 3);
	clv_store_free(&b);
}
END_TEST

START_TEST(write_that_waited_for_a_take_over_is_refused)
{
	sql("BEGIN");
	ck_assert_int_eq(sql_int("SELECT taken::int FROM claviger.take_epoch("
				 "%u, %u, 2, '0123456789abcdef', 1, 15000)",
			     TAKEN, TAKEN + 257),
	    1);
	ck_ok(s, call_send(s, CLV_STMT_PUT_LIST, U(TAKEN), A, OP("a"), U(2),
		     STR("late"), "", (size_t)0, "", U(1)));
	ck_result(clv_store_step(s), CLV_E_AGAIN);
	sql_wait(WAITING(1));
	sql("COMMIT");
	ck_result(call_finish(s), CLV_E_STALE_EPOCH);
	ck_assert_int_eq(sql_int("SELECT max(version) FROM claviger.list"), 1);
	ck_assert_int_eq(sql_int("SELECT count(*) FROM claviger.op"), 0);
}
END_TEST

START_TEST(take_over_waits_for_a_write_that_passed_its_guard)
{
	sql("BEGIN");
	sql("SELECT claviger.guard(%u, 'node a''s instan\\000')", TAKEN);
	ck_ok(s, call_send(s, CLV_STMT_TAKE_EPOCH, U(TAKEN), U(TAKEN + 257),
		     U(2), B, U(1), U(15000)));
	ck_result(clv_store_step(s), CLV_E_AGAIN);
	sql_wait(WAITING(1));
	sql("ROLLBACK");
	ck_ok(s, call_finish(s));
	ck_assert(clv_store_get_bool(s, 0, 1));
}
END_TEST

START_TEST(renewal_does_not_wait_for_writes)
{
	sql("BEGIN");
	sql("SELECT claviger.guard(%u, 'node a''s instan\\000')", TAKEN);
	sql("SELECT claviger.guard_member(%u)", TAKEN);
	ck_ok(s, call(s, CLV_STMT_RENEW_LEASE, U(TAKEN), A, U(15000)));
	sql("ROLLBACK");
	/* nor they for it */
	sql("BEGIN");
	sql("SELECT claviger.renew_lease(%u, 'node a''s instan\\000', 9000)",
	    TAKEN);
	ck_ok(s, put_list(s, TAKEN, node_a, "0123456789abcdef", 2));
	sql("COMMIT");
}
END_TEST

START_TEST(later_writes_do_not_overtake_a_take_over)
{
	struct clv_store *b = as_node();

	ck_ok(s, put_list(s, TAKEN, node_a, "a123456789abcdef", 2));
	sql("BEGIN");
	sql("SELECT claviger.guard_member(%u)", TAKEN);
	ck_ok(b, call_send(b, CLV_STMT_TAKE_EPOCH, U(TAKEN), U(TAKEN + 257),
		     U(2), B, U(1), U(15000)));
	ck_result(clv_store_step(b), CLV_E_AGAIN);
	sql_wait(WAITING(1));
	/* one that would share the row with the first */
	ck_ok(s, call_send(s, CLV_STMT_PUT_LIST, U(TAKEN), A, OP("b"), U(3),
		     STR("late"), "", (size_t)0, "", U(1)));
	ck_result(clv_store_step(s), CLV_E_AGAIN);
	sql_wait(WAITING(2));
	sql("COMMIT");
	ck_ok(b, call_finish(b));
	ck_assert(clv_store_get_bool(b, 0, 1));
	ck_result(call_finish(s), CLV_E_STALE_EPOCH);
	clv_store_free(&b);
}
END_TEST

START_TEST(write_that_goes_on_is_not_blocked_by_who_waits_for_it)
{
	struct clv_store *b = as_node();

	/* it has the table shared, a take-over waits, and it wants more */
	sql("BEGIN");
	sql("SELECT claviger.guard(%u, 'node a''s instan\\000')", TAKEN);
	ck_ok(b, call_send(b, CLV_STMT_TAKE_EPOCH, U(TAKEN), U(TAKEN + 257),
		     U(2), B, U(1), U(15000)));
	ck_result(clv_store_step(b), CLV_E_AGAIN);
	sql_wait(WAITING(1));
	sql("SELECT claviger.put_list(%u, 'node a''s instan\\000',"
	    " 'b0123456789abcde', 2, 'body', '', '', 2)",
	    TAKEN);
	sql("COMMIT");
	ck_ok(b, call_finish(b));
	ck_assert(clv_store_get_bool(b, 0, 1));
	ck_assert_int_eq(sql_int("SELECT generation FROM claviger.system"), 2);
	clv_store_free(&b);
}
END_TEST

START_TEST(question_for_an_operation_waits_for_the_one_under_way)
{
	sql("BEGIN");
	sql("SELECT claviger.put_backup(%u, 'node a''s instan\\000',"
	    " 'a0123456789abcde', 1, 'body')",
	    TAKEN);
	ck_ok(s, call_send(s, CLV_STMT_GET_OP, STR("a0123456789abcde")));
	ck_result(clv_store_step(s), CLV_E_AGAIN);
	sql_wait(WAITING(1));
	sql("COMMIT");
	ck_ok(s, call_finish(s));
	ck_assert(clv_store_get_bool(s, 0, 0));
}
END_TEST

START_TEST(one_of_two_lists_of_the_same_version_wins)
{
	sql("BEGIN");
	sql("SELECT claviger.put_list(%u, 'node a''s instan\\000',"
	    " 'b0123456789abcde', 2, 'body', '', '', 1)",
	    TAKEN);
	ck_ok(s, call_send(s, CLV_STMT_PUT_LIST, U(TAKEN), A, OP("a"), U(2),
		     STR("late"), "", (size_t)0, "", U(1)));
	ck_result(clv_store_step(s), CLV_E_AGAIN);
	sql_wait(WAITING(1));
	sql("COMMIT");
	ck_result(call_finish(s), CLV_E_STALE);
	ck_assert_int_eq(sql_int("SELECT octet_length(body) FROM claviger.list"
				 " WHERE version = 2"),
	    4);
}
END_TEST

START_TEST(lock_that_never_comes_is_a_refusal_in_time)
{
	sql("BEGIN");
	sql("SELECT 1 FROM claviger.system FOR UPDATE");
	ck_result(call(s, CLV_STMT_RENEW_LEASE, U(TAKEN), A, U(15000)),
	    CLV_E_DATABASE);
	ck_assert_str_eq(clv_store_sqlstate(s), "55P03");
	sql("ROLLBACK");
	ck_ok(s, call(s, CLV_STMT_RENEW_LEASE, U(TAKEN), A, U(15000)));
}
END_TEST

START_TEST(lease_of_a_new_system_is_over)
{
	struct clv_store *n = as_node();

	ck_ok(n, call(n, CLV_STMT_HELLO));
	ck_assert_uint_eq(clv_store_get_u64(n, 0, 2), EPOCH);
	ck_assert_uint_eq(clv_store_get_u64(n, 0, 5), 0);
	clv_store_free(&n);
}
END_TEST

static void
add_fence(Suite *suite)
{
	TCase *t = tcase_create("the_fence"), *n = tcase_create("a_new_system");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, in_office, leave);
	tcase_add_test(t, stale_epoch_is_refused_and_writes_nothing);
	tcase_add_test(t, epoch_is_taken_by_compare_and_set);
	tcase_add_test(t, taking_an_epoch_again_is_ok_for_its_owner_alone);
	tcase_add_test(t, live_lease_does_not_stop_a_take_over);
	tcase_add_test(t, a_take_tells_how_long_other_leases_last);
	tcase_add_test(t, a_lease_that_was_given_back_lasts_no_longer);
	tcase_add_test(t, lease_is_renewed_and_runs_out);
	tcase_add_test(t, released_epoch_stays_but_writes_no_more);
	tcase_add_test(t, epoch_that_was_used_once_is_refused);
	tcase_add_test(t, one_of_two_that_race_for_an_epoch_wins);
	tcase_add_test(t, write_that_waited_for_a_take_over_is_refused);
	tcase_add_test(t, take_over_waits_for_a_write_that_passed_its_guard);
	tcase_add_test(t, renewal_does_not_wait_for_writes);
	tcase_add_test(t, later_writes_do_not_overtake_a_take_over);
	tcase_add_test(
	    t, write_that_goes_on_is_not_blocked_by_who_waits_for_it);
	tcase_add_test(
	    t, question_for_an_operation_waits_for_the_one_under_way);
	tcase_add_test(t, one_of_two_lists_of_the_same_version_wins);
	tcase_add_test(t, lock_that_never_comes_is_a_refusal_in_time);
	suite_add_tcase(suite, t);
	tcase_set_timeout(n, 60);
	tcase_add_checked_fixture(n, with_system, leave_database);
	tcase_add_test(n, lease_of_a_new_system_is_over);
	suite_add_tcase(suite, n);
}

int
main(void)
{
	Suite *suite = suite_create("store_fence");
	int rc = rig_start();

	if (rc != 0)
		return rc;
	add_fence(suite);
	return rig_run(suite);
}
