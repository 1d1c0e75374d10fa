/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "../../lib/store_internal.h"
#include "store_rig.h"

/* How statements are sent. */

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

START_TEST(every_statement_has_a_name_and_its_parameters)
{
	for (int i = CLV_STMT_HELLO; i < CLV_STMT_LAST; i++) {
		ck_assert_str_ne(clv_store_stmt_name(i), "unknown statement");
		ck_assert_uint_le(clv_store_param_count(i), CLV__PARAMS_MAX);
	}
	ck_assert_str_eq(clv_store_stmt_name(0), "unknown statement");
	ck_assert_str_eq(
	    clv_store_stmt_name(CLV_STMT_LAST), "unknown statement");
	ck_assert_str_eq(clv_store_stmt_name(-1), "unknown statement");
	ck_assert_uint_eq(clv_store_param_count(CLV_STMT_LAST), 0);
	ck_assert_uint_eq(clv_store_param_count(CLV_STMT_PUT_LIST), 8);
	ck_result(clv_store_send(s, CLV_STMT_LAST, NULL, 0), CLV_E_INVALID);
	ck_result(clv_store_send(s, 0, NULL, 0), CLV_E_INVALID);
}
END_TEST

START_TEST(parameters_of_the_wrong_shape_are_not_sent)
{
	struct clv_param p[3] = {{"12345678", 8}, {"x", 1}, {"1234567", 7}};

	ck_result(clv_store_send(s, CLV_STMT_GET_ESCROW, p, 0), CLV_E_INVALID);
	ck_result(clv_store_send(s, CLV_STMT_GET_ESCROW, p, 2), CLV_E_INVALID);
	ck_result(
	    clv_store_send(s, CLV_STMT_GET_ESCROW, p + 1, 1), CLV_E_INVALID);
	ck_result(clv_store_send(s, CLV_STMT_RENEW_LEASE, p, 3), CLV_E_INVALID);
	/* an array has to be one */
	ck_result(clv_store_send(s, CLV_STMT_GET_OPS, p, 1), CLV_E_INVALID);
	p[1].len = (16u << 20) + 1;
	ck_result(clv_store_send(s, CLV_STMT_PUT_JOIN, p, 2), CLV_E_INVALID);
	ck_result(clv_store_step(s), CLV_OK);
}
END_TEST

START_TEST(second_statement_waits_for_the_first)
{
	/* Prepared by now, so that only its sending is under way. */
	ck_ok(s, call(s, CLV_STMT_HELLO));
	ck_ok(s, call_send(s, CLV_STMT_HELLO));
	ck_result(call_send(s, CLV_STMT_HELLO), CLV_E_BUSY);
	ck_ok(s, call_finish(s));
	ck_assert_uint_eq(clv_store_rows(s), 1);
	/* stepping an idle store keeps the result */
	ck_ok(s, clv_store_step(s));
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 2), TAKEN);
	ck_assert_ptr_null(clv_store_get(s, 1, 0, &(size_t){0}));
	ck_assert_ptr_null(clv_store_get(s, 0, 9, &(size_t){0}));
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 0), 0);
	ck_assert(!clv_store_get_bool(s, 0, 2));
}
END_TEST

START_TEST(statement_is_prepared_once_on_a_connection)
{
	ck_assert(s->prepared[CLV_STMT_TAKE_EPOCH]); /* by the fixture */
	ck_assert(!s->prepared[CLV_STMT_HELLO]);
	ck_ok(s, call(s, CLV_STMT_HELLO));
	ck_ok(s, call(s, CLV_STMT_HELLO));
	ck_assert(s->prepared[CLV_STMT_HELLO]);
	/* one whose preparation failed is prepared again */
	sql("ALTER FUNCTION claviger.get_tls() RENAME TO away");
	ck_result(call(s, CLV_STMT_GET_TLS), CLV_E_SCHEMA_OLDER);
	ck_assert(!s->prepared[CLV_STMT_GET_TLS]);
	sql("ALTER FUNCTION claviger.away() RENAME TO get_tls");
	ck_ok(s, call(s, CLV_STMT_GET_TLS));
	/* and one that was dropped and made anew is found */
	sql("DROP FUNCTION claviger.get_joins()");
	ck_result(call(s, CLV_STMT_GET_JOINS), CLV_E_SCHEMA_OLDER);
	remake_schema();
	ck_ok(s, call(s, CLV_STMT_GET_JOINS));
	ck_ok(s, call(s, CLV_STMT_HELLO));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("store_send");
	TCase *t = tcase_create("sending");
	int rc = rig_start();

	if (rc != 0)
		return rc;
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, in_office, leave);
	tcase_add_test(t, every_statement_has_a_name_and_its_parameters);
	tcase_add_test(t, parameters_of_the_wrong_shape_are_not_sent);
	tcase_add_test(t, second_statement_waits_for_the_first);
	tcase_add_test(t, statement_is_prepared_once_on_a_connection);
	suite_add_tcase(suite, t);
	return rig_run(suite);
}
