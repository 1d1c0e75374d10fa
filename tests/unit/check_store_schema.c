/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store_rig.h"

/* The owner's part: migrations, roles, rights, a new system. */

static struct clv_store *s;

static void
bare(void)
{
	with_empty_database();
	s = as_owner();
}

static void
migrated(void)
{
	bare();
	ck_ok(s, clv_store_migrate(s, "node"));
}

static void
leave(void)
{
	clv_store_free(&s);
	leave_database();
}

/* A connection as another login, without role claviger_server. */
static struct clv_store *
owner_as(const char *login)
{
	char conninfo[320], why[256] = "";
	struct clv_store *o = NULL;
	int rc;

	snprintf(
	    conninfo, sizeof(conninfo), "%s user=%s", owner_conninfo, login);
	rc = clv_store_connect(conninfo, NULL, true, TIMEOUT_MS, &o, why);
	ck_assert_msg(rc == CLV_OK, "%s", why);
	return o;
}

static void
make_login(const char *name, const char *rights)
{
	sql("DROP ROLE IF EXISTS \"%s\"", name);
	sql("CREATE ROLE \"%s\" LOGIN %s", name, rights);
}

START_TEST(bare_database_has_version_0)
{
	uint32_t version = 77;

	ck_ok(s, clv_store_schema_version(s, &version));
	ck_assert_uint_eq(version, 0);
}
END_TEST

START_TEST(migrating_twice_changes_nothing)
{
	static const char sum[] =
	    "SELECT (SELECT sum(oid::bigint) FROM pg_proc WHERE pronamespace ="
	    " 'claviger'::regnamespace) + (SELECT sum(oid::bigint) FROM"
	    " pg_class WHERE relnamespace = 'claviger'::regnamespace)"
	    " + (SELECT extract(epoch FROM max(at))::bigint"
	    " FROM claviger.schema_version)";
	uint32_t version = 0;
	long long before;

	ck_ok(s, clv_store_migrate(s, "node"));
	ck_ok(s, clv_store_schema_version(s, &version));
	ck_assert_uint_eq(version, CLV_SCHEMA_VERSION);
	before = sql_int(sum);
	ck_ok(s, clv_store_migrate(s, "node"));
	ck_ok(s, clv_store_migrate(s, ""));
	ck_assert_int_eq(sql_int(sum), before);
	ck_assert_int_eq(
	    sql_int("SELECT count(*) FROM claviger.schema_version"),
	    CLV_SCHEMA_VERSION);
}
END_TEST

START_TEST(failed_migration_leaves_nothing)
{
	uint32_t version = 77;

	sql("CREATE FUNCTION public.no() RETURNS event_trigger"
	    " LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'");
	sql("CREATE EVENT TRIGGER no ON ddl_command_start"
	    " WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION public.no()");
	ck_result(clv_store_migrate(s, "node"), CLV_E_DATABASE);
	ck_assert_str_eq(clv_store_text(s), "no");
	ck_ok(s, clv_store_schema_version(s, &version));
	ck_assert_uint_eq(version, 0);
	sql("DROP EVENT TRIGGER no");
	ck_ok(s, clv_store_migrate(s, "node"));
}
END_TEST

START_TEST(newer_schema_is_left_alone)
{
	struct clv_store *n = as_node();
	uint32_t version = 77;

	sql("INSERT INTO claviger.schema_version (version) VALUES (99)");
	ck_result(clv_store_schema_version(s, &version), CLV_E_SCHEMA_NEWER);
	ck_assert_uint_eq(version, 77);
	ck_assert_ptr_nonnull(strstr(clv_store_text(s), "99"));
	ck_result(clv_store_migrate(s, ""), CLV_E_SCHEMA_NEWER);
	ck_assert_ptr_nonnull(strstr(clv_store_text(s), "99"));
	ck_result(create(s, system_id), CLV_E_SCHEMA_NEWER);
	ck_assert_int_eq(sql_int("SELECT count(*) FROM claviger.system"), 0);
	sql("DELETE FROM claviger.schema_version WHERE version = 99");
	ck_ok(s, create(s, system_id));
	sql("INSERT INTO claviger.schema_version (version) VALUES (99)");
	ck_ok(n, call(n, CLV_STMT_HELLO));
	ck_assert_uint_eq(clv_store_get_u64(n, 0, 1), 99);
	clv_store_free(&n);
}
END_TEST

START_TEST(missing_schema_is_an_older_one)
{
	struct clv_store *n = as_node();

	ck_result(call(n, CLV_STMT_HELLO), CLV_E_SCHEMA_OLDER);
	ck_result(create(s, system_id), CLV_E_SCHEMA_OLDER);
	clv_store_free(&n);
}
END_TEST

START_TEST(schema_of_somebody_else_is_not_touched)
{
	uint32_t version = 77;

	make_login("stranger", "");
	sql("CREATE SCHEMA claviger AUTHORIZATION stranger");
	ck_result(clv_store_schema_version(s, &version), CLV_E_PERMISSION);
	ck_assert_ptr_nonnull(strstr(clv_store_text(s), "\"stranger\""));
	ck_result(clv_store_migrate(s, ""), CLV_E_PERMISSION);
	ck_result(create(s, system_id), CLV_E_PERMISSION);
	sql("DROP SCHEMA claviger");
	sql("CREATE SCHEMA claviger");
	ck_result(clv_store_schema_version(s, &version), CLV_E_EXISTS);
	ck_result(clv_store_migrate(s, ""), CLV_E_EXISTS);
	ck_assert_uint_eq(version, 77);
}
END_TEST

START_TEST(second_migration_at_once_is_told_to_wait)
{
	sql("SELECT pg_advisory_lock(7164208268442035570)");
	ck_result(clv_store_migrate(s, ""), CLV_E_BUSY);
	sql("SELECT pg_advisory_unlock(7164208268442035570)");
	ck_ok(s, clv_store_migrate(s, ""));
}
END_TEST

START_TEST(login_without_createrole_is_told_what_to_ask_for)
{
	struct clv_store *poor;
	uint32_t version = 77;

	make_login("poor", "");
	sql("GRANT CREATE ON DATABASE claviger TO poor");
	sql("ALTER ROLE claviger_member RENAME TO away");
	poor = owner_as("poor");
	ck_result(clv_store_migrate(poor, "node"), CLV_E_DENIED);
	ck_assert_ptr_nonnull(strstr(clv_store_text(poor), "CREATE ROLE"));
	ck_ok(poor, clv_store_schema_version(poor, &version));
	ck_assert_uint_eq(version, 0);
	sql("ALTER ROLE away RENAME TO claviger_member");
	/* with the roles there it needs nothing more */
	ck_ok(poor, clv_store_migrate(poor, ""));
	ck_ok(poor, create(poor, system_id));
	clv_store_free(&poor);
	poor = as_node();
	ck_ok(poor, call(poor, CLV_STMT_HELLO));
	ck_assert_uint_eq(clv_store_get_u64(poor, 0, 7), 1);
	ck_assert_uint_ne(clv_store_get_u64(poor, 0, 8), 0);
	ck_assert(take(poor, EPOCH, TAKEN, node_a));
	clv_store_free(&poor);
}
END_TEST

START_TEST(missing_roles_are_made_without_any_rights)
{
	make_login("maker", "CREATEROLE");
	sql("GRANT CREATE ON DATABASE claviger TO maker");
	sql("ALTER ROLE claviger_member RENAME TO away");
	clv_store_free(&s);
	s = owner_as("maker");
	ck_ok(s, clv_store_migrate(s, "node"));
	ck_assert_int_eq(sql_int("SELECT count(*) FROM pg_roles WHERE rolname"
				 " LIKE 'claviger_%%' AND NOT (rolcanlogin OR"
				 " rolsuper OR rolcreaterole OR rolcreatedb OR"
				 " rolreplication OR rolbypassrls)"),
	    2);
	sql("DROP OWNED BY claviger_member");
	sql("DROP ROLE claviger_member");
	sql("ALTER ROLE away RENAME TO claviger_member");
}
END_TEST

START_TEST(odd_login_is_quoted)
{
	struct clv_store *n = NULL;
	char conninfo[320], why[256];

	make_login("Node-1.example@x", "");
	ck_ok(s, clv_store_migrate(s, "Node-1.example@x"));
	snprintf(conninfo, sizeof(conninfo), "%s user=Node-1.example@x",
	    owner_conninfo);
	ck_ok(s, clv_store_connect(conninfo, NULL, false, TIMEOUT_MS, &n, why));
	clv_store_free(&n);
}
END_TEST

START_TEST(hostile_login_is_refused)
{
	static const char *const bad[] = {"a; DROP SCHEMA claviger",
	    "a\" WITH ADMIN OPTION; --", "a b", "a'", "\\", "a\n",
	    "0123456789012345678901234567890123456789012345678901234567890123",
	    "\xc3\xa9"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_result(clv_store_migrate(s, bad[i]), CLV_E_INVALID);
	ck_assert_int_eq(sql_int("SELECT count(*) FROM pg_namespace"
				 " WHERE nspname = 'claviger'"),
	    0);
	ck_result(clv_store_migrate(s, "nobody-of-that-name"), CLV_E_DATABASE);
	ck_assert_ptr_nonnull(strstr(clv_store_text(s), "nobody-of-that-name"));
}
END_TEST

START_TEST(login_without_the_role_cannot_connect)
{
	struct clv_store *n = NULL;
	char conninfo[320], why[256] = "";

	make_login("stranger", "");
	snprintf(
	    conninfo, sizeof(conninfo), "%s user=stranger", owner_conninfo);
	ck_result(clv_store_connect(conninfo, NULL, false, TIMEOUT_MS, &n, why),
	    CLV_E_DATABASE);
	ck_assert_ptr_nonnull(strstr(why, "claviger_server"));
	ck_assert_ptr_null(n);
}
END_TEST

START_TEST(second_system_is_refused_and_the_first_stays)
{
	static const uint8_t other[16] = "another system";

	ck_ok(s, create(s, system_id));
	ck_result(create(s, other), CLV_E_EXISTS);
	ck_result(create(s, system_id), CLV_E_EXISTS);
	ck_assert_int_eq(sql_int("SELECT count(*) FROM claviger.system WHERE"
				 " substr(system_id, 1, 3) = 'the'"),
	    1);
	ck_assert_int_eq(sql_int("SELECT count(*) FROM claviger.backup"), 1);
}
END_TEST

START_TEST(system_is_created_whole_or_not_at_all)
{
	uint8_t thumb[32] = "thumb", escrow[8] = {2, 0, 0, 0, 1};
	struct clv_store_system sys = {system_id, EPOCH, 1, "list", 4, escrow,
	    sizeof(escrow), thumb, "row", 3, "", 0};

	/* the escrow row is another node's; then there is no backup */
	ck_result(clv_store_create_system(s, &sys, TIMEOUT_MS), CLV_E_DATABASE);
	escrow[0] = 1;
	ck_result(clv_store_create_system(s, &sys, TIMEOUT_MS), CLV_E_DATABASE);
	sys.holder = 0;
	ck_result(clv_store_create_system(s, &sys, TIMEOUT_MS), CLV_E_DATABASE);
	ck_assert_int_eq(sql_int("SELECT (SELECT count(*) FROM claviger.system)"
				 " + (SELECT count(*) FROM claviger.epoch_log)"
				 " + (SELECT count(*) FROM claviger.list)"
				 " + (SELECT count(*) FROM claviger.escrow)"
				 " + (SELECT count(*) FROM claviger.tls)"),
	    0);
	sys.holder = 1;
	sys.backup = "b";
	sys.backup_len = 1;
	ck_ok(s, clv_store_create_system(s, &sys, TIMEOUT_MS));
}
END_TEST

static pid_t
create_in_a_child(const uint8_t *id)
{
	struct clv_store *o = NULL;
	char why[256];
	pid_t pid = fork();
	int rc;

	if (pid != 0)
		return pid;
	rc = clv_store_connect(owner_conninfo, NULL, true, TIMEOUT_MS, &o, why);
	if (rc == CLV_OK)
		rc = create(o, id);
	_exit(-rc);
}

START_TEST(one_of_two_creates_at_once_wins)
{
	int status[2], won = 0, lost = 0;
	pid_t pid[2];

	sql("BEGIN");
	sql("LOCK TABLE claviger.system IN SHARE MODE");
	pid[0] = create_in_a_child(node_a);
	pid[1] = create_in_a_child(node_b);
	sql_wait("SELECT count(*) = 2 FROM pg_stat_activity"
		 " WHERE wait_event_type = 'Lock' AND datname = 'claviger'");
	sql("COMMIT");
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(waitpid(pid[i], &status[i], 0), pid[i]);
		won += WEXITSTATUS(status[i]) == CLV_OK;
		lost += WEXITSTATUS(status[i]) == -CLV_E_EXISTS;
	}
	ck_assert_int_eq(won, 1);
	ck_assert_int_eq(lost, 1);
	ck_assert_int_eq(sql_int("SELECT count(*) FROM claviger.list"), 1);
}
END_TEST

static TCase *
tcase(Suite *suite, const char *name, void (*setup)(void))
{
	TCase *t = tcase_create(name);

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, leave);
	suite_add_tcase(suite, t);
	return t;
}

int
main(void)
{
	Suite *suite = suite_create("store_schema");
	TCase *t;
	int rc = rig_start();

	if (rc != 0)
		return rc;
	t = tcase(suite, "a_bare_database", bare);
	tcase_add_test(t, bare_database_has_version_0);
	tcase_add_test(t, migrating_twice_changes_nothing);
	tcase_add_test(t, failed_migration_leaves_nothing);
	tcase_add_test(t, missing_schema_is_an_older_one);
	tcase_add_test(t, schema_of_somebody_else_is_not_touched);
	tcase_add_test(t, second_migration_at_once_is_told_to_wait);
	tcase_add_test(t, login_without_createrole_is_told_what_to_ask_for);
	tcase_add_test(t, missing_roles_are_made_without_any_rights);
	tcase_add_test(t, odd_login_is_quoted);
	tcase_add_test(t, hostile_login_is_refused);
	t = tcase(suite, "a_migrated_database", migrated);
	tcase_add_test(t, newer_schema_is_left_alone);
	tcase_add_test(t, login_without_the_role_cannot_connect);
	tcase_add_test(t, second_system_is_refused_and_the_first_stays);
	tcase_add_test(t, system_is_created_whole_or_not_at_all);
	tcase_add_test(t, one_of_two_creates_at_once_wins);
	return rig_run(suite);
}
