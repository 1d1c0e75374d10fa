/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>
#include <claviger/buf.h>

#include "../../lib/store_internal.h"
#include "store_rig.h"

/* Who may call what: functions by role, and no table by anybody. */

#define OURS "pronamespace = 'claviger'::regnamespace"

/* Of the statements; everything else is the server's alone. */
static const enum clv_stmt members[] = {CLV_STMT_HELLO, CLV_STMT_GET_KEYS,
    CLV_STMT_GET_CHANGES, CLV_STMT_GET_SECRET, CLV_STMT_PUT_SECRETS,
    CLV_STMT_GET_OPS, CLV_STMT_HISTORY};
#define MEMBERS (sizeof(members) / sizeof(members[0]))

static bool
is_members(enum clv_stmt stmt)
{
	for (size_t i = 0; i < MEMBERS; i++)
		if (members[i] == stmt)
			return true;
	return false;
}

/* Call it with anything, as long as it has the form. */
static int
call_with_anything(struct clv_store *n, enum clv_stmt stmt)
{
	const char *letters = clv__statement_get(stmt)->params;
	struct clv_param p[CLV__PARAMS_MAX];
	struct clv_buf arrays[CLV__PARAMS_MAX];
	static const uint8_t one[8] = {0, 0, 0, 0, 0, 0, 0, 1};
	size_t i;
	int rc;

	for (i = 0; letters[i] != '\0'; i++) {
		clv_buf_init(&arrays[i]);
		p[i] = (struct clv_param){"0123456789abcdef", 16};
		if (letters[i] == 'i')
			p[i] = (struct clv_param){one, 8};
		if (strchr("ITB", letters[i]) == NULL)
			continue;
		clv_array_begin(&arrays[i], letters[i] == 'I' ? CLV_ARRAY_INT8
					    : letters[i] == 'T'
						? CLV_ARRAY_TEXT
						: CLV_ARRAY_BYTEA);
		p[i] = clv_param_array(&arrays[i]);
	}
	rc = clv_store_run(n, stmt, p, i, TIMEOUT_MS);
	while (i-- > 0)
		clv_buf_fini(&arrays[i]);
	return rc;
}

START_TEST(each_role_calls_its_own_functions_and_no_other)
{
	struct clv_store *member = as_member(), *node = as_node();
	int rc;

	for (int i = CLV_STMT_HELLO; i < CLV_STMT_LAST; i++) {
		rc = call_with_anything(member, i);
		ck_assert_msg(
		    is_members(i) ==
			(strcmp(clv_store_sqlstate(member), "42501") != 0),
		    "%s: %s %s", clv_store_stmt_name(i), clv_result_name(rc),
		    clv_store_sqlstate(member));
		if (!is_members(i))
			ck_result(rc, CLV_E_DATABASE);
		rc = call_with_anything(node, i);
		ck_assert_msg(strcmp(clv_store_sqlstate(node), "42501") != 0,
		    "%s: %s", clv_store_stmt_name(i), clv_result_name(rc));
	}
	clv_store_free(&member);
	clv_store_free(&node);
}
END_TEST

START_TEST(login_cannot_take_the_other_role)
{
	struct clv_store *n = NULL;
	char conninfo[300], why[256] = "";

	snprintf(conninfo, sizeof(conninfo), "%.240s user=host", node_conninfo);
	ck_result(clv_store_connect(
		      conninfo, NULL, CLV_STORE_SERVER, TIMEOUT_MS, &n, why),
	    CLV_E_DATABASE);
	ck_assert_ptr_nonnull(strstr(why, "claviger_server"));
	ck_result(clv_store_connect(node_conninfo, NULL, CLV_STORE_MEMBER,
		      TIMEOUT_MS, &n, why),
	    CLV_E_DATABASE);
	ck_assert_ptr_nonnull(strstr(why, "claviger_member"));
	ck_assert_ptr_null(n);
}
END_TEST

static void
try_every_table(const char *login, const char *role)
{
	static const char *const verbs[][2] = {{"SELECT 1 FROM", ""},
	    {"SELECT * FROM", "FOR UPDATE"}, {"TABLE", ""},
	    {"INSERT INTO", "DEFAULT VALUES"}, {"DELETE FROM", ""},
	    {"TRUNCATE", ""}, {"DROP TABLE", ""},
	    {"LOCK TABLE", "IN EXCLUSIVE MODE"}};
	char text[256];
	PGconn *n;
	PGresult *tables, *r;

	snprintf(text, sizeof(text), "%.200s user=%s", node_conninfo, login);
	n = PQconnectdb(text);
	snprintf(text, sizeof(text), "SET ROLE %s; BEGIN", role);
	PQclear(PQexec(n, text));
	tables = PQexec(raw, "SELECT relname FROM pg_class WHERE relnamespace"
			     " = 'claviger'::regnamespace AND relkind = 'r'");
	ck_assert_int_eq(PQntuples(tables), 15);
	for (int i = 0; i < PQntuples(tables) * 8; i++) {
		snprintf(text, sizeof(text), "%s claviger.%s %s",
		    verbs[i % 8][0], PQgetvalue(tables, i / 8, 0),
		    verbs[i % 8][1]);
		PQclear(PQexec(n, "SAVEPOINT a"));
		r = PQexec(n, text);
		ck_assert_msg(
		    PQresultStatus(r) == PGRES_FATAL_ERROR, "%s", text);
		ck_assert_str_eq(
		    PQresultErrorField(r, PG_DIAG_SQLSTATE), "42501");
		PQclear(r);
		PQclear(PQexec(n, "ROLLBACK TO a"));
	}
	PQclear(tables);
	PQfinish(n);
}

START_TEST(no_role_has_any_right_on_a_table)
{
	try_every_table("node", "claviger_server");
	try_every_table("host", "claviger_member");
	/* whatever kind of right, table, column or sequence */
	ck_assert_int_eq(
	    sql_int("SELECT count(*) FROM pg_class c, "
		    "unnest(ARRAY['claviger_server',"
		    " 'claviger_member']) AS role WHERE relnamespace ="
		    " 'claviger'::regnamespace AND relkind IN ('r', 'S', 'v')"
		    " AND relacl::text LIKE '%%' || role || '%%'"),
	    0);
}
END_TEST

static long long
functions_of(const char *role)
{
	return sql_int("SELECT count(*) FROM pg_proc WHERE " OURS
		       " AND has_function_privilege('%s', oid, 'EXECUTE')",
	    role);
}

START_TEST(rights_are_the_named_functions_and_nothing_else)
{
	ck_assert_int_eq(functions_of("claviger_member"), MEMBERS);
	ck_assert_int_eq(functions_of("claviger_server"), CLV_STMT_LAST - 1);
	ck_assert_int_eq(functions_of("public"), 0);
	ck_assert_int_eq(
	    sql_int("SELECT has_schema_privilege('claviger_server', 'claviger',"
		    " 'CREATE')::int + has_schema_privilege('claviger_member',"
		    " 'claviger', 'CREATE')::int"),
	    0);
	/* neither is the other, nor has more than these */
	ck_assert_int_eq(sql_int("SELECT count(*) FROM pg_auth_members m"
				 " JOIN pg_roles r ON r.oid = m.member"
				 " WHERE r.rolname LIKE 'claviger%%'"),
	    0);
}
END_TEST

START_TEST(every_function_has_a_fixed_search_path)
{
	ck_assert_int_eq(
	    sql_int("SELECT count(*) FROM pg_proc WHERE " OURS
		    " AND (proconfig IS NULL OR NOT"
		    " 'search_path=pg_catalog, pg_temp' = ANY (proconfig))"),
	    0);
	/* what the roles may call works with the owner's rights, and nothing
	 * else does */
	ck_assert_int_eq(
	    sql_int(
		"SELECT count(*) FROM pg_proc WHERE " OURS " AND prosecdef <>"
		" has_function_privilege('claviger_server', oid,"
		" 'EXECUTE')"),
	    0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("store_rights");
	TCase *t = tcase_create("rights");
	int rc = rig_start();

	if (rc != 0)
		return rc;
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, with_system, leave_database);
	tcase_add_test(t, each_role_calls_its_own_functions_and_no_other);
	tcase_add_test(t, login_cannot_take_the_other_role);
	tcase_add_test(t, no_role_has_any_right_on_a_table);
	tcase_add_test(t, rights_are_the_named_functions_and_nothing_else);
	tcase_add_test(t, every_function_has_a_fixed_search_path);
	suite_add_tcase(suite, t);
	return rig_run(suite);
}
