/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "../../lib/store_internal.h"
#include "store_rig.h"

/* From schema version 1 to the newest, with a system in it that serves. */

static struct clv_store *s, *node;

/* A database as the first version left it. */
static void
with_version_1(void)
{
	with_empty_database();
	s = as_owner();
	ck_ok(s, clv__store_run_script(s, clv__migrations[0], TIMEOUT_MS));
	sql("SELECT claviger.create_system('the system''s id\\000', %u, 1,"
	    " 'list 1', '\\x010000000178', repeat('t', 32)::bytea, 'tls row',"
	    " 'backup 1')",
	    EPOCH);
	sql("SELECT claviger.take_epoch(%u, %u, 1, 'node a''s instan\\000', 1,"
	    " 15000)",
	    EPOCH, TAKEN);
	node = as_node();
	for (int version = 2; version < 5; version++)
		sql("SELECT claviger.put_list(%u, 'node a''s instan\\000',"
		    " 'op 0123456789ab%d', %d, 'list', '', '')",
		    TAKEN, version, version);
	ck_ok(node, call(node, CLV_STMT_PUT_JOIN, "two", STR("body")));
	ck_ok(node, call(node, CLV_STMT_PUT_ACK, U(1), U(4), U(1),
			"0123456789abcdef0123456789abcdef"
			"0123456789abcdef0123456789abcdef",
			(size_t)64));
}

static void
leave(void)
{
	clv_store_free(&node);
	clv_store_free(&s);
	remake_schema();
	leave_database();
}

static long long
rows_of_version_1(void)
{
	return sql_int("SELECT (SELECT count(*) FROM claviger.list) * 1000"
		       " + (SELECT count(*) FROM claviger.epoch_log) * 100"
		       " + (SELECT count(*) FROM claviger.op) * 10"
		       " + (SELECT count(*) FROM claviger.join_request)"
		       " + (SELECT count(*) FROM claviger.ack)"
		       " + (SELECT count(*) FROM claviger.escrow)"
		       " + (SELECT count(*) FROM claviger.tls)"
		       " + (SELECT count(*) FROM claviger.backup)");
}

static void
is_version_1(void)
{
	uint32_t version = 77;

	ck_ok(s, clv_store_schema_version(s, &version));
	ck_assert_uint_eq(version, 1);
	ck_assert_int_eq(sql_int("SELECT count(*) FROM pg_class WHERE"
				 " relnamespace = 'claviger'::regnamespace"
				 " AND relkind = 'r'"),
	    10);
}

START_TEST(system_goes_on_after_the_migration)
{
	struct clv_store *member;
	long long before = rows_of_version_1();

	is_version_1();
	ck_ok(node, call(node, CLV_STMT_HELLO));
	ck_assert_uint_eq(clv_store_get_u64(node, 0, 1), 1);
	ck_ok(s, clv_store_migrate(s, ""));
	ck_assert_int_eq(rows_of_version_1(), before);
	ck_assert_int_eq(before, 4000 + 200 + 30 + 5);
	/* on the same connection, to which its statements were known */
	ck_ok(node, call(node, CLV_STMT_HELLO));
	ck_assert_uint_eq(clv_store_get_u64(node, 0, 1), CLV_SCHEMA_VERSION);
	ck_assert_uint_eq(clv_store_get_u64(node, 0, 2), TAKEN);
	ck_assert_uint_eq(clv_store_get_u64(node, 0, 6), 4);
	ck_ok(node, call(node, CLV_STMT_RENEW_LEASE, U(TAKEN), A, U(15000)));
	ck_ok(node, put_list(node, TAKEN, node_a, "x123456789abcdef", 5));
	ck_assert_int_eq(sql_int("SELECT generation FROM claviger.system"), 1);
	ck_ok(node, init_app(node, "app", 1, OP("i")));
	member = as_member();
	ck_ok(member, call(member, CLV_STMT_GET_KEYS, "app"));
	ck_assert_uint_eq(clv_store_rows(member), 2);
	clv_store_free(&member);
	ck_assert(take(node, TAKEN, TAKEN + 257, node_b));
}
END_TEST

START_TEST(migration_that_fails_leaves_version_1_whole)
{
	sql("CREATE FUNCTION public.no() RETURNS event_trigger"
	    " LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'");
	sql("CREATE EVENT TRIGGER no ON ddl_command_start"
	    " WHEN TAG IN ('GRANT') EXECUTE FUNCTION public.no()");
	ck_result(clv_store_migrate(s, ""), CLV_E_DATABASE);
	sql("DROP EVENT TRIGGER no");
	sql("DROP FUNCTION public.no()");
	is_version_1();
	ck_ok(node, call(node, CLV_STMT_RENEW_LEASE, U(TAKEN), A, U(15000)));
	ck_ok(s, clv_store_migrate(s, ""));
}
END_TEST

START_TEST(migration_does_not_wait_for_ever_for_a_write)
{
	sql("BEGIN");
	sql("SELECT claviger.guard(%u, 'node a''s instan\\000')", TAKEN);
	ck_result(clv_store_migrate(s, ""), CLV_E_DATABASE);
	ck_assert_ptr_nonnull(strstr(clv_store_text(s), "lock timeout"));
	sql("COMMIT");
	is_version_1();
	ck_ok(s, clv_store_migrate(s, ""));
}
END_TEST

START_TEST(statements_of_version_2_say_that_the_schema_is_older)
{
	ck_result(call(node, CLV_STMT_GET_KEYS, "app"), CLV_E_SCHEMA_OLDER);
	ck_result(put_list(node, TAKEN, node_a, "x123456789abcdef", 5),
	    CLV_E_SCHEMA_OLDER);
	ck_result(call(node, CLV_STMT_TAKE_EPOCH, U(TAKEN), U(TAKEN + 257),
		      U(2), B, U(1), U(15000)),
	    CLV_E_SCHEMA_OLDER);
	ck_result(create(s, system_id), CLV_E_SCHEMA_OLDER);
	ck_ok(node, call(node, CLV_STMT_HELLO));
	ck_ok(s, clv_store_migrate(s, ""));
	/* what was refused on this connection is taken now */
	ck_ok(node, call(node, CLV_STMT_GET_KEYS, "app"));
	ck_ok(node, put_list(node, TAKEN, node_a, "x123456789abcdef", 5));
}
END_TEST

START_TEST(default_privileges_give_nobody_anything)
{
	sql("ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO claviger_member,"
	    " claviger_server, PUBLIC");
	sql("ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO"
	    " claviger_member, claviger_server, PUBLIC");
	ck_ok(s, clv_store_migrate(s, ""));
	sql("ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM"
	    " claviger_member, claviger_server, PUBLIC");
	sql("ALTER DEFAULT PRIVILEGES REVOKE ALL ON FUNCTIONS FROM"
	    " claviger_member, claviger_server");
	ck_assert_int_eq(
	    sql_int("SELECT count(*) FROM pg_class c, unnest(ARRAY["
		    "'claviger_server', 'claviger_member']) AS role"
		    " WHERE relnamespace = 'claviger'::regnamespace"
		    " AND relkind IN ('r', 'S')"
		    " AND relacl::text LIKE '%%' || role || '%%'"),
	    0);
	ck_assert_int_eq(
	    sql_int("SELECT count(*) FROM pg_proc WHERE pronamespace ="
		    " 'claviger'::regnamespace AND prosecdef <>"
		    " has_function_privilege('claviger_server', oid,"
		    " 'EXECUTE')"),
	    0);
	ck_assert_int_eq(
	    sql_int("SELECT count(*) FROM pg_proc WHERE pronamespace ="
		    " 'claviger'::regnamespace AND"
		    " has_function_privilege('public', oid, 'EXECUTE')"),
	    0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("store_migrate");
	TCase *t = tcase_create("from_version_1");
	int rc = rig_start();

	if (rc != 0)
		return rc;
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, with_version_1, leave);
	tcase_add_test(t, system_goes_on_after_the_migration);
	tcase_add_test(t, migration_that_fails_leaves_version_1_whole);
	tcase_add_test(t, migration_does_not_wait_for_ever_for_a_write);
	tcase_add_test(t, statements_of_version_2_say_that_the_schema_is_older);
	tcase_add_test(t, default_privileges_give_nobody_anything);
	suite_add_tcase(suite, t);
	return rig_run(suite);
}
