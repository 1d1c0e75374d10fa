/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <stdarg.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <claviger/result.h>
#include <claviger/store.h>
#include "front_rig.h"
#include "pg.h"
#include "store_rig.h"

/* The front's connection to PostgreSQL, against a real one. */

static uint64_t next_id;

static void
setup(void)
{
	ck_assert_int_ge(sodium_init(), 0);
	with_system();
	config_defaults(&config);
	strcpy(config.cluster, "no");
	snprintf(config.database, sizeof(config.database), "%s", node_conninfo);
	front_rig_start();
	next_id = 1;
}

static void
teardown(void)
{
	front_rig_stop();
	leave_database();
}

/* What the front says next about the database. */
static bool
database_is_up(char why[static 256])
{
	struct clv_buf b;
	struct clv_rd rd;
	bool up;

	keeper_get(CHAN_DATABASE, &b);
	clv_rd_init(&rd, b.data, b.len);
	up = clv_rd_u8(&rd) != 0;
	clv_rd_str(&rd, why, 256);
	ck_assert_int_eq(clv_rd_end(&rd), CLV_OK);
	ck_assert(up == (why[0] == '\0'));
	clv_buf_fini(&b);
	return up;
}

static void
wait_up(void)
{
	char why[256];

	while (!database_is_up(why))
		continue;
}

static enum chan_lane lane;

static uint64_t
ask(uint32_t stmt, uint32_t n, ...)
{
	struct clv_buf b;
	uint8_t v[8];
	va_list ap;
	uint32_t i;

	clv_buf_init(&b);
	clv_buf_u64(&b, next_id);
	clv_buf_u8(&b, (uint8_t)lane);
	clv_buf_u32(&b, stmt);
	clv_buf_u32(&b, n);
	va_start(ap, n);
	for (i = 0; i < n; i++) {
		clv_param_u64(va_arg(ap, uint64_t), v);
		clv_buf_bytes(&b, v, 8);
	}
	va_end(ap);
	keeper_send(CHAN_SQL, &b);
	return next_id++;
}

static int
any_result(struct clv_buf *ret, uint64_t *ret_id, char text[static 256])
{
	struct clv_rd rd;
	int r;

	keeper_get(CHAN_SQL_RESULT, ret);
	clv_rd_init(&rd, ret->data, ret->len);
	*ret_id = clv_rd_u64(&rd);
	r = (int)clv_rd_u32(&rd);
	clv_rd_str(&rd, text, 256);
	ck_assert(!rd.failed);
	return r;
}

/* The next result must be that of `id`. */
static int
result_of(uint64_t id, struct clv_buf *ret, char text[static 256])
{
	uint64_t got;
	int r = any_result(ret, &got, text);

	ck_assert_uint_eq(got, id);
	return r;
}

static int
simple_result(uint64_t id)
{
	struct clv_buf b;
	char text[256];
	int r = result_of(id, &b, text);

	clv_buf_fini(&b);
	ck_assert((r == CLV_OK) == (text[0] == '\0'));
	return r;
}

START_TEST(statement_brings_its_rows)
{
	struct clv_buf b;
	struct clv_rd rd;
	char text[256];
	const uint8_t *p;
	uint64_t id;
	size_t len;

	wait_up();
	id = ask(CLV_STMT_HELLO, 0);
	ck_assert_int_eq(result_of(id, &b, text), CLV_OK);
	clv_rd_init(&rd, b.data, b.len);
	clv_rd_raw(&rd, 8 + 4 + 4);
	ck_assert_uint_eq(clv_rd_u32(&rd), 1);
	ck_assert_uint_eq(clv_rd_u32(&rd), 9);
	p = clv_rd_bytes(&rd, &len);
	ck_assert_uint_eq(len, 16);
	ck_assert_mem_eq(p, system_id, 16);
	while (len = 0, rd.len > 0 && clv_rd_bytes(&rd, &len) != NULL)
		continue;
	ck_assert_int_eq(clv_rd_end(&rd), CLV_OK);
	clv_buf_fini(&b);
}
END_TEST

START_TEST(statements_are_answered_in_their_order)
{
	uint64_t first = next_id;
	int i;

	wait_up();
	for (i = 0; i < 50; i++)
		ask(CLV_STMT_HELLO, 0);
	for (i = 0; i < 50; i++)
		ck_assert_int_eq(simple_result(first + (uint64_t)i), CLV_OK);
}
END_TEST

START_TEST(what_is_not_a_statement_is_refused_and_the_rest_goes_on)
{
	uint64_t a, b, c, d;

	wait_up();
	a = ask(0, 0);
	b = ask(CLV_STMT_LAST, 0);
	c = ask(CLV_STMT_HELLO, 1, UINT64_C(1));
	d = ask(CLV_STMT_HELLO, 0);
	ck_assert_int_eq(simple_result(a), CLV_E_INVALID);
	ck_assert_int_eq(simple_result(b), CLV_E_INVALID);
	ck_assert_int_eq(simple_result(c), CLV_E_INVALID);
	ck_assert_int_eq(simple_result(d), CLV_OK);
}
END_TEST

START_TEST(lost_connection_is_said_and_made_again)
{
	char why[256];

	wait_up();
	sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
	    "WHERE usename = 'node'");
	ck_assert(!database_is_up(why));
	ck_assert(database_is_up(why));
	ck_assert_int_eq(simple_result(ask(CLV_STMT_HELLO, 0)), CLV_OK);
}
END_TEST

START_TEST(database_that_is_stopped_is_away_until_it_is_back)
{
	char why[256];

	wait_up();
	leave_database();
	pg_halt();
	ck_assert(!database_is_up(why));
	ck_assert_int_eq(
	    simple_result(ask(CLV_STMT_HELLO, 0)), CLV_E_DATABASE_AWAY);
	pg_resume();
	wait_up();
	ck_assert_int_eq(simple_result(ask(CLV_STMT_HELLO, 0)), CLV_OK);
	with_schema(); /* for the fixture's end */
}
END_TEST

/* Behind a lock: the first is under way when the connection breaks, the second
 * was never sent. */
START_TEST(write_under_way_is_unknown_and_the_queued_one_not_done)
{
	uint64_t a, b;
	char why[256];

	wait_up();
	sql("BEGIN");
	sql("LOCK TABLE claviger.ack, claviger.system IN ACCESS EXCLUSIVE "
	    "MODE");
	a = ask(CLV_STMT_TAKE_EPOCH, 6, (uint64_t)EPOCH, (uint64_t)EPOCH + 256,
	    UINT64_C(1), UINT64_C(0), UINT64_C(1), UINT64_C(1000));
	b = ask(CLV_STMT_HELLO, 0);
	sql_wait("SELECT count(*) = 1 FROM pg_stat_activity WHERE usename = "
		 "'node' AND wait_event_type = 'Lock'");
	sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
	    "WHERE usename = 'node'");
	ck_assert_int_eq(simple_result(a), CLV_E_UNKNOWN);
	ck_assert_int_eq(simple_result(b), CLV_E_DATABASE_AWAY);
	ck_assert(!database_is_up(why));
	sql("ROLLBACK");
	ck_assert(database_is_up(why));
}
END_TEST

START_TEST(database_that_refuses_the_login_is_away_with_the_reason)
{
	char why[256];

	front_rig_stop();
	snprintf(config.database, sizeof(config.database),
	    "host=%s user=nobody_here dbname=claviger", pg_dir());
	front_rig_start();
	ck_assert(!database_is_up(why));
	ck_assert_msg(strstr(why, "nobody_here") != NULL, "%s", why);
	/* said once, not at each attempt */
	ck_assert(!keeper_has(CHAN_DATABASE, 700));
}
END_TEST

/* ---- the lane without order ---- */

static void
setup_pool(void)
{
	setup();
	wait_up();
	lane = CHAN_LANE_POOL;
}

static const char connections[] =
    "SELECT count(*) = %d FROM pg_stat_activity WHERE usename = 'node'";

static void
wait_connections(int n)
{
	char text[sizeof(connections) + 16];

	snprintf(text, sizeof(text), connections, n);
	sql_wait(text);
}

static void
block_writes(void)
{
	sql("BEGIN");
	sql("LOCK TABLE claviger.system IN EXCLUSIVE MODE");
}

/* A write that waits for block_writes() to end, and is refused then. */
static uint64_t
write_one(void)
{
	return ask(CLV_STMT_RENEW_LEASE, 3, UINT64_C(99), UINT64_C(99),
	    UINT64_C(1000));
}

static void
wait_blocked(int n)
{
	char text[128];

	snprintf(text, sizeof(text),
	    "SELECT count(*) = %d FROM pg_stat_activity WHERE usename = "
	    "'node' AND wait_event_type = 'Lock'",
	    n);
	sql_wait(text);
}

START_TEST(pool_brings_rows_over_one_connection_made_when_needed)
{
	struct clv_buf b;
	struct clv_rd rd;
	char text[256];
	uint64_t id;
	int i;

	wait_connections(1);
	for (i = 0; i < 20; i++) {
		id = ask(CLV_STMT_HELLO, 0);
		ck_assert_int_eq(result_of(id, &b, text), CLV_OK);
		clv_rd_init(&rd, b.data, b.len);
		clv_rd_raw(&rd, 8 + 4 + 4);
		ck_assert_uint_eq(clv_rd_u32(&rd), 1);
		ck_assert_uint_eq(clv_rd_u32(&rd), 9);
		clv_buf_fini(&b);
	}
	wait_connections(2);
}
END_TEST

/* A statement that is new to its connection is sent after another round trip:
 * its message has to live as long. */
START_TEST(pool_keeps_what_a_statement_was_given)
{
	const uint64_t name = UINT64_C(0x6a6f696e30303030); /* join0000 */
	const uint64_t body = UINT64_C(0x626f647930303030); /* body0000 */
	struct clv_buf b;
	char text[256];
	uint64_t id;

	for (unsigned i = 0; i < 8; i++)
		ask(CLV_STMT_PUT_JOIN, 2, name + i, body + i);
	for (unsigned i = 0; i < 8; i++) {
		ck_assert_int_eq(any_result(&b, &id, text), CLV_OK);
		clv_buf_fini(&b);
	}
	ck_assert_int_eq(
	    sql_int("SELECT count(*) FROM claviger.join_request"
		    " WHERE name ~ '^join000[0-7]$' AND body ="
		    " convert_to(replace(name, 'join', 'body'), 'UTF8')"),
	    8);
}
END_TEST

START_TEST(one_statement_overtakes_another_that_waits)
{
	uint64_t slow[4], fast;
	int i;

	block_writes();
	for (i = 0; i < 3; i++)
		slow[i] = write_one();
	wait_blocked(3);
	for (i = 0; i < 10; i++) {
		fast = ask(CLV_STMT_GET_ACKS, 0);
		ck_assert_int_eq(simple_result(fast), CLV_OK);
	}
	/* Four in all: what is asked beyond that waits. */
	slow[3] = write_one();
	wait_blocked(4);
	fast = ask(CLV_STMT_GET_ACKS, 0);
	ck_assert(!keeper_has(CHAN_SQL_RESULT, 200));
	wait_connections(5);
	sql("ROLLBACK");
	for (i = 0; i < 5; i++) {
		struct clv_buf b;
		char text[256];
		uint64_t id;
		int r = any_result(&b, &id, text);

		ck_assert_int_eq(r, id == fast ? CLV_OK : CLV_E_STALE_EPOCH);
		ck_assert(id == fast || (id >= slow[0] && id <= slow[3]));
		clv_buf_fini(&b);
	}
	ck_assert_int_eq(simple_result(ask(CLV_STMT_HELLO, 0)), CLV_OK);
}
END_TEST

START_TEST(ordered_lane_goes_on_while_the_pool_is_full)
{
	int i;

	block_writes();
	for (i = 0; i < 6; i++)
		write_one();
	wait_blocked(4);
	lane = CHAN_LANE_ORDERED;
	ck_assert_int_eq(simple_result(ask(CLV_STMT_GET_ACKS, 0)), CLV_OK);
	sql("ROLLBACK");
	for (i = 0; i < 6; i++) {
		struct clv_buf b;
		char text[256];
		uint64_t id;

		ck_assert_int_eq(any_result(&b, &id, text), CLV_E_STALE_EPOCH);
		clv_buf_fini(&b);
	}
}
END_TEST

START_TEST(pool_write_under_way_is_unknown_and_the_waiting_one_is_done)
{
	uint64_t a;

	block_writes();
	a = write_one();
	wait_blocked(1);
	sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
	    "usename = 'node' AND wait_event_type = 'Lock'");
	ck_assert_int_eq(simple_result(a), CLV_E_UNKNOWN);
	ck_assert_int_eq(simple_result(ask(CLV_STMT_GET_ACKS, 0)), CLV_OK);
	sql("ROLLBACK");
}
END_TEST

START_TEST(pool_replaces_idle_connections_that_were_closed)
{
	int r;

	ck_assert_int_eq(simple_result(ask(CLV_STMT_HELLO, 0)), CLV_OK);
	wait_connections(2);
	sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
	    "WHERE usename = 'node'");
	/* One that was under way by then is not done, and not repeated. */
	while ((r = simple_result(ask(CLV_STMT_HELLO, 0))) != CLV_OK)
		ck_assert_int_eq(r, CLV_E_DATABASE_AWAY);
	ck_assert_int_eq(simple_result(ask(CLV_STMT_HELLO, 0)), CLV_OK);
	wait_connections(2);
}
END_TEST

START_TEST(pool_without_a_database_refuses_with_the_reason)
{
	struct clv_buf b;
	char text[256];
	uint64_t id;
	int i, r;

	ck_assert_int_eq(simple_result(ask(CLV_STMT_HELLO, 0)), CLV_OK);
	leave_database();
	pg_halt();
	for (i = 0; i < 20; i++)
		ask(CLV_STMT_HELLO, 0);
	for (i = 0; i < 20; i++) {
		ck_assert_int_eq(
		    any_result(&b, &id, text), CLV_E_DATABASE_AWAY);
		ck_assert_str_ne(text, "");
		clv_buf_fini(&b);
	}
	pg_resume();
	do {
		id = ask(CLV_STMT_HELLO, 0);
		r = result_of(id, &b, text);
		clv_buf_fini(&b);
		ck_assert(r == CLV_OK || r == CLV_E_DATABASE_AWAY);
	} while (r != CLV_OK);
	with_schema(); /* for the fixture's end */
}
END_TEST

START_TEST(pool_that_is_full_refuses_and_loses_nothing)
{
	enum { N = 1200 };
	uint64_t first = next_id, id;
	int i, r, busy = 0;
	bool seen[N] = {false};
	struct clv_buf b;
	char text[256];

	block_writes();
	for (i = 0; i < N; i++) {
		write_one();
		if (i == 3)
			wait_blocked(4);
	}
	ck_assert(keeper_has(CHAN_SQL_RESULT, WAIT_MS));
	sql("ROLLBACK");
	for (i = 0; i < N; i++) {
		r = any_result(&b, &id, text);
		ck_assert(r == CLV_E_BUSY || r == CLV_E_STALE_EPOCH);
		busy += r == CLV_E_BUSY;
		ck_assert(id >= first && id < first + N && !seen[id - first]);
		seen[id - first] = true;
		clv_buf_fini(&b);
	}
	ck_assert_int_eq(busy, N - 4 - 1024);
}
END_TEST

START_TEST(what_is_not_a_statement_is_refused_by_the_pool_too)
{
	ck_assert_int_eq(simple_result(ask(0, 0)), CLV_E_INVALID);
	ck_assert_int_eq(simple_result(ask(CLV_STMT_LAST, 0)), CLV_E_INVALID);
	ck_assert_int_eq(
	    simple_result(ask(CLV_STMT_HELLO, 1, UINT64_C(1))), CLV_E_INVALID);
	ck_assert_int_eq(simple_result(ask(CLV_STMT_HELLO, 0)), CLV_OK);
}
END_TEST

static void
add_pool(Suite *s)
{
	TCase *t = tcase_create("pool");

	tcase_add_checked_fixture(t, setup_pool, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, pool_keeps_what_a_statement_was_given);
	tcase_add_test(
	    t, pool_brings_rows_over_one_connection_made_when_needed);
	tcase_add_test(t, one_statement_overtakes_another_that_waits);
	tcase_add_test(t, ordered_lane_goes_on_while_the_pool_is_full);
	tcase_add_test(
	    t, pool_write_under_way_is_unknown_and_the_waiting_one_is_done);
	tcase_add_test(t, pool_replaces_idle_connections_that_were_closed);
	tcase_add_test(t, pool_without_a_database_refuses_with_the_reason);
	tcase_add_test(t, pool_that_is_full_refuses_and_loses_nothing);
	tcase_add_test(t, what_is_not_a_statement_is_refused_by_the_pool_too);
	suite_add_tcase(s, t);
}

int
main(void)
{
	Suite *s = suite_create("front_db");
	TCase *t = tcase_create("database");
	int r = rig_start();

	if (r != 0)
		return r;
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, statement_brings_its_rows);
	tcase_add_test(t, statements_are_answered_in_their_order);
	tcase_add_test(
	    t, what_is_not_a_statement_is_refused_and_the_rest_goes_on);
	tcase_add_test(t, lost_connection_is_said_and_made_again);
	tcase_add_test(t, database_that_is_stopped_is_away_until_it_is_back);
	tcase_add_test(
	    t, write_under_way_is_unknown_and_the_queued_one_not_done);
	tcase_add_test(
	    t, database_that_refuses_the_login_is_away_with_the_reason);
	suite_add_tcase(s, t);
	add_pool(s);
	return rig_run(s);
}
