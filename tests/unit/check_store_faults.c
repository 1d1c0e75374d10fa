/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../lib/store_internal.h"
#include "pg.h"
#include "store_rig.h"

/* What goes wrong between us and PostgreSQL, and what is known afterwards. */

#define KILL_NODE \
	"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity" \
	" WHERE usename = 'node' AND application_name = 'claviger'"
#define NODE_WAITS(event) \
	"SELECT count(*) = 1 FROM pg_stat_activity WHERE usename = 'node'" \
	" AND wait_event_type = '" event "' AND state = 'active'"

static struct clv_store *s;

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

static int
backup_send(const char *op)
{
	return call_send(s, CLV_STMT_PUT_BACKUP, U(TAKEN), A, op, (size_t)16,
	    U(1), STR("backup 2"));
}

static bool
backup_was_done(void)
{
	return sql_int("SELECT count(*) FROM claviger.backup") == 2;
}

/* One line of printable ASCII that says something. */
static void
ck_text(const char *text)
{
	ck_assert_uint_gt(strlen(text), 0);
	for (const char *c = text; *c != '\0'; c++)
		ck_assert_msg(*c >= ' ' && *c <= '~', "%s", text);
}

START_TEST(idle_connection_that_was_closed_is_noticed_by_a_step)
{
	ck_assert_int_eq(sql_int(KILL_NODE), 1);
	sql_wait("SELECT count(*) = 0 FROM pg_stat_activity"
		 " WHERE usename = 'node'");
	ck_result(clv_store_step(s), CLV_E_DATABASE_AWAY);
	ck_assert_ptr_nonnull(strstr(clv_store_text(s), "administrator"));
	ck_assert_str_eq(clv_store_sqlstate(s), "57P01");
	ck_assert_int_eq(clv_store_want(s), CLV_WANT_NONE);
	ck_result(clv_store_step(s), CLV_E_DATABASE_AWAY);
	ck_result(backup_send("a123456789abcdef"), CLV_E_DATABASE_AWAY);
	ck_assert(!backup_was_done());
}
END_TEST

START_TEST(statement_on_a_closed_connection_is_known_not_to_be_sent)
{
	ck_assert_int_eq(sql_int(KILL_NODE), 1);
	sql_wait("SELECT count(*) = 0 FROM pg_stat_activity"
		 " WHERE usename = 'node'");
	ck_result(backup_send("a123456789abcdef"), CLV_E_DATABASE_AWAY);
	ck_text(clv_store_text(s));
	ck_assert(!backup_was_done());
}
END_TEST

START_TEST(write_whose_connection_is_lost_has_no_known_outcome)
{
	sql("BEGIN");
	sql("SELECT 1 FROM claviger.system FOR UPDATE");
	ck_ok(s, backup_send("a123456789abcdef"));
	ck_result(clv_store_step(s), CLV_E_AGAIN);
	sql_wait(NODE_WAITS("Lock"));
	ck_assert_int_eq(sql_int(KILL_NODE), 1);
	ck_result(call_finish(s), CLV_E_UNKNOWN);
	ck_text(clv_store_text(s));
	ck_result(call_send(s, CLV_STMT_HELLO), CLV_E_DATABASE_AWAY);
	sql("COMMIT");
	/* and the operation's number resolves it */
	clv_store_free(&s);
	s = as_node();
	ck_ok(s, call(s, CLV_STMT_GET_OP, "a123456789abcdef", (size_t)16));
	ck_assert(!clv_store_get_bool(s, 0, 0));
}
END_TEST

START_TEST(read_whose_connection_is_lost_is_only_away)
{
	sql("BEGIN");
	sql("LOCK TABLE claviger.list");
	ck_ok(s, call_send(s, CLV_STMT_GET_LIST, U(0)));
	ck_result(clv_store_step(s), CLV_E_AGAIN);
	sql_wait(NODE_WAITS("Lock"));
	ck_assert_int_eq(sql_int(KILL_NODE), 1);
	ck_result(call_finish(s), CLV_E_DATABASE_AWAY);
	sql("COMMIT");
}
END_TEST

static void
commit_waits_for_a_standby(void)
{
	sql("ALTER SYSTEM SET synchronous_standby_names = 'ghost'");
	sql("SELECT pg_reload_conf()");
	sql_wait("SELECT setting = 'ghost' FROM pg_settings"
		 " WHERE name = 'synchronous_standby_names'");
	ck_ok(s, backup_send("a123456789abcdef"));
	ck_result(clv_store_step(s), CLV_E_AGAIN);
	sql_wait("SELECT count(*) = 1 FROM pg_stat_activity"
		 " WHERE usename = 'node' AND wait_event = 'SyncRep'");
}

static void
standbys_are_no_matter_again(void)
{
	PGconn *conn = PQconnectdb(owner_conninfo);

	PQclear(PQexec(conn, "SET synchronous_commit = local"));
	PQclear(PQexec(conn, "ALTER SYSTEM RESET synchronous_standby_names"));
	PQclear(PQexec(conn, "SELECT pg_reload_conf()"));
	PQfinish(conn);
	sql_wait("SELECT setting = '' FROM pg_settings"
		 " WHERE name = 'synchronous_standby_names'");
}

START_TEST(commit_that_may_not_be_replicated_is_unknown)
{
	commit_waits_for_a_standby();
	sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
	    " WHERE usename = 'node'");
	/* PostgreSQL reports success, with a warning */
	ck_result(call_finish(s), CLV_E_UNKNOWN);
	ck_assert_str_eq(clv_store_sqlstate(s), "01000");
	ck_text(clv_store_text(s));
	standbys_are_no_matter_again();
	/* the connection is still good, and the row is there */
	ck_ok(s, call(s, CLV_STMT_GET_OP, "a123456789abcdef", (size_t)16));
	ck_assert(clv_store_get_bool(s, 0, 0));
	ck_assert(backup_was_done());
}
END_TEST

START_TEST(commit_cut_short_by_a_shutdown_is_unknown)
{
	commit_waits_for_a_standby();
	ck_assert_int_eq(sql_int(KILL_NODE), 1);
	ck_result(call_finish(s), CLV_E_UNKNOWN);
	ck_assert_str_eq(clv_store_sqlstate(s), "57P01");
	standbys_are_no_matter_again();
	ck_assert(backup_was_done());
}
END_TEST

START_TEST(write_that_takes_too_long_is_unknown_and_a_read_timed_out)
{
	sql("BEGIN");
	sql("LOCK TABLE claviger.list, claviger.system");
	ck_ok(s, backup_send("a123456789abcdef"));
	ck_result(clv__store_finish(s, 100), CLV_E_UNKNOWN);
	ck_result(clv_store_step(s), CLV_E_UNKNOWN);
	clv_store_free(&s);
	s = as_node();
	ck_ok(s, call_send(s, CLV_STMT_HELLO));
	ck_result(clv__store_finish(s, 100), CLV_E_TIMEOUT);
	ck_text(clv_store_text(s));
	sql("COMMIT");
}
END_TEST

START_TEST(role_settings_do_not_undo_ours)
{
	static const struct clv__statement show = {"show",
	    "SELECT current_setting('client_min_messages') || ' ' ||"
	    " current_setting('synchronous_commit') || ' ' ||"
	    " current_setting('default_transaction_isolation') || ' ' ||"
	    " current_setting('search_path') || ' ' ||"
	    " current_setting('lock_timeout') || ' ' ||"
	    " current_setting('statement_timeout') || ' ' ||"
	    " current_setting('idle_in_transaction_session_timeout') || ' ' ||"
	    " current_setting('application_name') || ' ' || current_user AS x",
	    "", "t", false, true};
	static const char want[] =
	    "warning on read committed pg_catalog,pg_temp"
	    " 3s 10s 10s claviger claviger_server";
	size_t len = 0;
	const char *got;

	sql("ALTER ROLE node SET client_min_messages = error");
	sql("ALTER ROLE node SET synchronous_commit = off");
	sql("ALTER ROLE node SET default_transaction_isolation = serializable");
	sql("ALTER ROLE node SET search_path = public");
	clv_store_free(&s);
	s = as_node();
	ck_ok(s, clv__store_run(s, &show, NULL, 0, TIMEOUT_MS));
	got = clv_store_get(s, 0, 0, &len);
	ck_assert_msg(len == strlen(want) && memcmp(got, want, len) == 0,
	    "%.*s", (int)len, got);
	sql("ALTER ROLE node RESET ALL");
}
END_TEST

START_TEST(answer_of_another_form_is_not_believed)
{
	sql("DROP FUNCTION claviger.get_list(bigint)");
	sql("CREATE FUNCTION claviger.get_list(bigint, OUT version int,"
	    " OUT body bytea) SECURITY DEFINER LANGUAGE sql"
	    " AS $$SELECT 1, ''::bytea$$");
	ck_result(call(s, CLV_STMT_GET_LIST, U(0)), CLV_E_DATABASE);
	ck_assert_ptr_nonnull(strstr(clv_store_text(s), "expected form"));
	ck_assert_uint_eq(clv_store_rows(s), 0);
	sql("DROP FUNCTION claviger.get_list(bigint)");
	sql("CREATE FUNCTION claviger.get_list(bigint, OUT version bigint,"
	    " OUT body bytea) SECURITY DEFINER LANGUAGE sql"
	    " AS $$SELECT NULL::bigint, NULL::bytea$$");
	ck_result(call(s, CLV_STMT_GET_LIST, U(0)), CLV_E_DATABASE);
	sql("DROP FUNCTION claviger.get_list(bigint)");
	ck_result(call(s, CLV_STMT_GET_LIST, U(0)), CLV_E_SCHEMA_OLDER);
	/* a write that says neither yes nor no may have been done */
	sql("DROP FUNCTION claviger.put_join(text, bytea)");
	sql("CREATE FUNCTION claviger.put_join(text, bytea) RETURNS SETOF bool"
	    " LANGUAGE sql AS 'VALUES (true), (true)'");
	ck_result(
	    call(s, CLV_STMT_PUT_JOIN, "name", STR("body")), CLV_E_UNKNOWN);
	ck_ok(s, call(s, CLV_STMT_HELLO));
	sql("DROP SCHEMA claviger CASCADE");
	ck_result(call(s, CLV_STMT_HELLO), CLV_E_SCHEMA_OLDER);
	clv_store_free(&s);
	s = as_owner();
	ck_ok(s, clv_store_migrate(s, "node"));
}
END_TEST

START_TEST(server_that_only_reads_is_not_connected_to)
{
	struct clv_store *n = NULL;
	char why[256] = "";

	sql("ALTER DATABASE claviger SET default_transaction_read_only = on");
	ck_result(
	    clv_store_connect(node_conninfo, NULL, false, TIMEOUT_MS, &n, why),
	    CLV_E_DATABASE_AWAY);
	ck_text(why);
	sql("SET default_transaction_read_only = off");
	sql("ALTER DATABASE claviger RESET default_transaction_read_only");
}
END_TEST

START_TEST(server_that_only_reads_from_now_on_is_away)
{
	sql("ALTER SYSTEM SET default_transaction_read_only = on");
	sql("SELECT pg_reload_conf()");
	sql_wait("SELECT setting = 'on' FROM pg_settings"
		 " WHERE name = 'default_transaction_read_only'");
	ck_ok(s, call(s, CLV_STMT_HELLO));
	ck_result(
	    call(s, CLV_STMT_PUT_BACKUP, U(TAKEN), A, OP("a"), U(1), STR("b")),
	    CLV_E_DATABASE_AWAY);
	ck_assert_str_eq(clv_store_sqlstate(s), "25006");
	ck_text(clv_store_text(s));
	ck_assert_int_eq(clv_store_want(s), CLV_WANT_NONE);
	ck_result(call_send(s, CLV_STMT_HELLO), CLV_E_DATABASE_AWAY);
	sql("ALTER SYSTEM RESET default_transaction_read_only");
	sql("SELECT pg_reload_conf()");
	sql_wait("SELECT setting = 'off' FROM pg_settings"
		 " WHERE name = 'default_transaction_read_only'");
	ck_assert(!backup_was_done());
}
END_TEST

static int
connect_with(const char *options, const char *passfile, char *why)
{
	struct clv_store *n = NULL;
	char conninfo[512];
	int rc;

	snprintf(conninfo, sizeof(conninfo), "%s %s", owner_conninfo, options);
	rc = clv_store_connect(conninfo, passfile, true, TIMEOUT_MS, &n, why);
	clv_store_free(&n);
	return rc;
}

START_TEST(only_the_password_file_that_is_given_is_used)
{
	char path[64], why[256] = "";
	FILE *f;

	sql("DROP ROLE IF EXISTS locked");
	sql("CREATE ROLE locked LOGIN PASSWORD 'hunter2'");
	sql("COPY (VALUES ('local all locked scram-sha-256'),"
	    " ('local all all trust')) TO '%s/data/pg_hba.conf'",
	    pg_dir());
	sql("SELECT pg_reload_conf()");
	sql_wait("SELECT count(*) = 2 FROM pg_hba_file_rules");
	snprintf(path, sizeof(path), "/tmp/claviger-home-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(path));
	setenv("HOME", path, 1);
	strcat(path, "/.pgpass");
	f = fopen(path, "w");
	fchmod(fileno(f), 0600);
	fputs("*:*:*:locked:hunter2\n", f);
	fclose(f);
	setenv("PGPASSFILE", path, 1);
	setenv("PGPASSWORD", "hunter2", 1);
	ck_result(connect_with("user=locked", NULL, why), CLV_E_DATABASE_AWAY);
	ck_text(why);
	ck_result(connect_with("user=locked", path, why), CLV_OK);
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
}
END_TEST

static void
ask_for_passwords(void)
{
	sql("DROP ROLE IF EXISTS locked");
	sql("CREATE ROLE locked LOGIN PASSWORD 'first'");
	sql("COPY (VALUES ('local all locked scram-sha-256'),"
	    " ('local all all trust')) TO '%s/data/pg_hba.conf'",
	    pg_dir());
	sql("SELECT pg_reload_conf()");
	sql_wait("SELECT count(*) = 2 FROM pg_hba_file_rules");
}

static void
put_password(const char *path, const char *ending, const char *password)
{
	char name[128];
	FILE *f;

	snprintf(name, sizeof(name), "%s%s", path, ending);
	f = fopen(name, "w");
	fchmod(fileno(f), 0600);
	fprintf(f, "*:*:*:locked:%s\n", password);
	fclose(f);
}

START_TEST(a_password_is_changed_under_open_connections)
{
	char path[64], name[128], conninfo[512], why[256] = "";
	struct clv_store *open = NULL, *n = NULL;

	ask_for_passwords();
	snprintf(path, sizeof(path), "%s/pass", pg_dir());
	put_password(path, "", "first");
	put_password(path, ".next", "it's \"2\"");
	snprintf(conninfo, sizeof(conninfo), "%s user=locked", owner_conninfo);
	ck_result(clv_store_connect(
		      conninfo, path, CLV_STORE_OWNER, TIMEOUT_MS, &open, why),
	    CLV_OK);
	ck_assert(clv_store_used_password(open));
	snprintf(name, sizeof(name), "%s.next", path);
	ck_result(connect_with("user=locked", name, why), CLV_E_DATABASE_AWAY);
	ck_ok(open, clv_store_same_login(open, TIMEOUT_MS));
	ck_assert_uint_eq(clv_store_rows(open), 0);
	ck_ok(open, clv_store_set_password(open, "it's \"2\"", TIMEOUT_MS));
	ck_ok(open, clv_store_same_login(open, TIMEOUT_MS)); /* it lives on */
	ck_result(connect_with("user=locked", name, why), CLV_OK);
	ck_result(clv_store_connect(
		      conninfo, path, CLV_STORE_OWNER, TIMEOUT_MS, &n, why),
	    CLV_OK); /* by the file beside */
	clv_store_free(&n);
	unlink(name);
	ck_result(connect_with("user=locked", path, why), CLV_E_DATABASE_AWAY);
	put_password(path, ".former", "it's \"2\"");
	ck_result(connect_with("user=locked", path, why), CLV_OK);
	put_password(path, ".next", "wrong");
	ck_result(connect_with("user=locked", path, why), CLV_OK);
	put_password(path, ".former", "wrong");
	why[0] = '\0';
	ck_result(connect_with("user=locked", path, why), CLV_E_DATABASE_AWAY);
	ck_text(why);
	clv_store_free(&open);
}
END_TEST

START_TEST(no_other_file_is_tried_when_no_password_is_wrong)
{
	char path[64], conninfo[256], why[256] = "";
	struct clv_store *n = NULL;

	snprintf(path, sizeof(path), "%s/pass", pg_dir());
	put_password(path, "", "first");
	put_password(path, ".next", "second");
	snprintf(
	    conninfo, sizeof(conninfo), "host=%s/none user=locked", pg_dir());
	ck_result(clv_store_connect(
		      conninfo, path, CLV_STORE_OWNER, TIMEOUT_MS, &n, why),
	    CLV_E_DATABASE_AWAY);
	/* one line of libpq's for each time that it was tried */
	ck_assert_ptr_null(strstr(strstr(why, "none") + 4, "none/"));
	ck_result(clv_store_connect(owner_conninfo, path, CLV_STORE_OWNER,
		      TIMEOUT_MS, &n, why),
	    CLV_OK);
	ck_assert(!clv_store_used_password(n));
	clv_store_free(&n);
}
END_TEST

/* A socket under the name that PostgreSQL would use. */
static int
listen_in(char *dir, char *conninfo, size_t cap)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/.s.PGSQL.5432", dir);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(fd, 4), 0);
	snprintf(conninfo, cap, "host=%s user=u dbname=d", dir);
	return fd;
}

static void
unlisten(int fd, const char *dir)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", dir);
	close(fd);
	unlink(path);
	rmdir(dir);
}

START_TEST(server_that_never_answers_is_given_up_in_time)
{
	char dir[] = "/tmp/claviger-mute-XXXXXX", conninfo[128], why[256] = "";
	struct clv_store *n = NULL;
	int fd = listen_in(dir, conninfo, sizeof(conninfo));

	ck_result(clv_store_connect(conninfo, NULL, false, 100, &n, why),
	    CLV_E_TIMEOUT);
	ck_text(why);
	ck_assert_ptr_null(n);
	unlisten(fd, dir);
}
END_TEST

START_TEST(text_of_a_hostile_server_is_one_printable_line)
{
	static const char head[] = "SFATAL\0VFATAL\0C28000\0M"
				   "\033[2Jroot:\r\n\xc3\xa9\x01";
	char dir[] = "/tmp/claviger-evil-XXXXXX", conninfo[128], why[256] = "";
	struct clv_store *n = NULL;
	uint8_t msg[1000];
	int fd = listen_in(dir, conninfo, sizeof(conninfo)), c;

	memset(msg, 'A', sizeof(msg));
	memcpy(msg, "E\0\0\x03\xe7", 5); /* length 999 */
	memcpy(msg + 5, head, sizeof(head) - 1);
	msg[998] = msg[999] = 0;
	ck_ok(n, clv_store_open(conninfo, NULL, false, &n));
	c = accept(fd, NULL, NULL);
	ck_assert_int_ge(c, 0);
	ck_assert_int_eq(write(c, msg, sizeof(msg)), (ssize_t)sizeof(msg));
	ck_result(call_finish(n), CLV_E_DATABASE_AWAY);
	ck_text(clv_store_text(n));
	ck_assert_uint_lt(strlen(clv_store_text(n)), 512);
	clv_store_free(&n);
	(void)why;
	close(c);
	unlisten(fd, dir);
}
END_TEST

START_TEST(server_that_stops_and_starts_is_away_and_back)
{
	struct clv_store *n = NULL;
	char why[256] = "";

	leave_database();
	pg_halt();
	ck_result(clv_store_step(s), CLV_E_DATABASE_AWAY);
	ck_text(clv_store_text(s));
	ck_result(clv_store_connect(node_conninfo, NULL, false, 1000, &n, why),
	    CLV_E_DATABASE_AWAY);
	ck_text(why);
	/* the step object says the same, and has no descriptor to wait for */
	ck_ok(n, clv_store_open(node_conninfo, NULL, false, &n));
	ck_result(call_finish(n), CLV_E_DATABASE_AWAY);
	ck_text(clv_store_text(n));
	clv_store_free(&n);
	pg_resume();
	clv_store_free(&s);
	s = as_node();
	ck_ok(s, call(s, CLV_STMT_HELLO));
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 2), TAKEN);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("store_faults");
	TCase *t = tcase_create("a_connection");
	int rc = rig_start();

	if (rc != 0)
		return rc;
	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, in_office, leave);
	tcase_add_test(t, idle_connection_that_was_closed_is_noticed_by_a_step);
	tcase_add_test(
	    t, statement_on_a_closed_connection_is_known_not_to_be_sent);
	tcase_add_test(t, write_whose_connection_is_lost_has_no_known_outcome);
	tcase_add_test(t, read_whose_connection_is_lost_is_only_away);
	tcase_add_test(t, commit_that_may_not_be_replicated_is_unknown);
	tcase_add_test(t, commit_cut_short_by_a_shutdown_is_unknown);
	tcase_add_test(
	    t, write_that_takes_too_long_is_unknown_and_a_read_timed_out);
	tcase_add_test(t, role_settings_do_not_undo_ours);
	tcase_add_test(t, answer_of_another_form_is_not_believed);
	tcase_add_test(t, server_that_only_reads_is_not_connected_to);
	tcase_add_test(t, server_that_only_reads_from_now_on_is_away);
	tcase_add_test(t, only_the_password_file_that_is_given_is_used);
	tcase_add_test(t, a_password_is_changed_under_open_connections);
	tcase_add_test(t, no_other_file_is_tried_when_no_password_is_wrong);
	tcase_add_test(t, server_that_never_answers_is_given_up_in_time);
	tcase_add_test(t, text_of_a_hostile_server_is_one_printable_line);
	tcase_add_test(t, server_that_stops_and_starts_is_away_and_back);
	suite_add_tcase(suite, t);
	return rig_run(suite);
}
