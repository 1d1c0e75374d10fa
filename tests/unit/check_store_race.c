/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store_app.h"

/* Many at once, take-overs among them, and connections that break: what was
 * acknowledged is there once, and nothing else is. */

#define WRITES 40
#define KILL_MEMBER \
	"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity" \
	" WHERE usename = 'host'"

/* Processes; each ends with the number of what it was told is done, or with
 * 255. */
#define FAILED 255

static pid_t
start(int (*work)(int), int nr)
{
	pid_t pid = fork();

	if (pid == 0) {
		s = as_member();
		server = as_node();
		_exit(work(nr));
	}
	ck_assert_int_gt(pid, 0);
	return pid;
}

static int
finish(pid_t pid)
{
	int status = -1;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_ne(WEXITSTATUS(status), FAILED);
	return WEXITSTATUS(status);
}

/* One row under ids of its own. */
struct write {
	char name[32], id[17], batch[17];
	struct store_rows rows;
	struct store_put put;
};

static void
write_init(
    struct write *w, int nr, unsigned i, uint64_t epoch, uint64_t counter)
{
	struct store_row one = row(w->name, 1, 'x');

	snprintf(w->name, sizeof(w->name), "n%d/%u", nr, i);
	snprintf(w->id, sizeof(w->id), "r%07d%08u", nr, i);
	snprintf(w->batch, sizeof(w->batch), "b%07d%08u", nr, i);
	one.op_id = w->id;
	store_rows_init(&w->rows);
	store_rows_add(&w->rows, &one);
	w->put = (struct store_put){.app = "app",
	    .epoch = epoch,
	    .counter = counter,
	    .mac = mac,
	    .op_id = w->batch,
	    .rows = &w->rows};
}

static int
put_as(int nr, unsigned i, uint64_t epoch, uint64_t counter)
{
	struct write w;
	int rc;

	write_init(&w, nr, i, epoch, counter);
	rc = store_put_send(s, &w.put);
	if (rc == CLV_OK)
		rc = call_finish(s);
	store_rows_fini(&w.rows);
	return rc;
}

static uint64_t
epoch_now(struct clv_store *n)
{
	return call(n, CLV_STMT_HELLO) == CLV_OK ? clv_store_get_u64(n, 0, 2)
						 : 0;
}

/* A member: compare and set until all are written. */
static int
be_member(int nr)
{
	uint64_t counter = 1, epoch = 0;
	unsigned done = 0;

	while (done < WRITES) {
		if (done % 8 == 0)
			epoch = epoch_now(s);
		if (put_as(nr, done, epoch, counter) != CLV_OK)
			return FAILED;
		counter = clv_store_get_u64(s, 0, 1);
		switch (clv_store_get_u64(s, 0, 0)) {
		case CLV_PUT_DONE: done++; break;
		case CLV_PUT_CONFLICT: break;
		default: return FAILED;
		}
	}
	return (int)done;
}

static void
all_are_there(int members)
{
	int n = members * WRITES;

	ck_assert_int_eq(sql_int("SELECT count(*) FROM claviger.secret"), n);
	/* one counter each, without a gap */
	ck_assert_int_eq(
	    sql_int("SELECT count(DISTINCT counter) FROM claviger.secret"), n);
	ck_assert_int_eq(
	    sql_int("SELECT max(counter) FROM claviger.secret"), 1 + n);
	ck_assert_int_eq(sql_int("SELECT counter FROM claviger.manifest"
				 " WHERE app = 'app'"),
	    1 + n);
}

START_TEST(members_that_write_at_once_take_turns)
{
	pid_t pid[3];

	for (int i = 0; i < 3; i++)
		pid[i] = start(be_member, i);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(finish(pid[i]), WRITES);
	all_are_there(3);
}
END_TEST

/* A server that takes over again and again, and writes as long as it may: data
 * keys of one application, which say under which epoch they were made. */
static int
be_server(int nr)
{
	uint8_t instance[16] = {(uint8_t)nr}, raw_epoch[8];
	uint64_t seen, epoch, version;
	unsigned done = 0;
	char op[17];
	int rc;

	for (unsigned i = 0; i < 30; i++) {
		seen = epoch_now(server);
		epoch = ((seen >> 8) + 1) << 8 | (uint64_t)nr;
		rc = call(server, CLV_STMT_TAKE_EPOCH, seen, epoch, U(nr),
		    instance, (size_t)16, U(1), U(15000));
		if (rc != CLV_OK)
			return FAILED;
		if (!clv_store_get_bool(server, 0, 1))
			continue;
		clv_param_u64(epoch, raw_epoch);
		for (unsigned j = 0; j < 4; j++) {
			rc = call(server, CLV_STMT_GET_KEYS, "other");
			version = clv_store_rows(server);
			snprintf(op, sizeof(op), "k%05d%05u%05u", nr, i, j);
			if (rc == CLV_OK)
				rc = call(server, CLV_STMT_ADD_KEY, epoch,
				    instance, (size_t)16, op, (size_t)16,
				    "other", version - 1, mac, sizeof(mac),
				    version, U(1), raw_epoch, (size_t)8);
			if (rc == CLV_E_STALE_EPOCH)
				break;
			if (rc != CLV_OK)
				return FAILED;
			done += clv_store_get_u64(server, 0, 0) == CLV_PUT_DONE;
		}
	}
	return (int)done;
}

START_TEST(no_write_of_an_old_epoch_comes_after_one_of_a_newer)
{
	pid_t pid[4];
	int keys;

	ck_ok(server, init_app(server, "other", 1, OP("j")));
	for (int i = 0; i < 4; i++)
		pid[i] = start(i < 2 ? be_member : be_server, i);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(finish(pid[i]), WRITES);
	keys = finish(pid[2]) + finish(pid[3]);
	all_are_there(2);
	ck_assert_int_gt(keys, 30);
	ck_assert_int_eq(sql_int("SELECT count(*) FROM claviger.data_key"
				 " WHERE app = 'other' AND version > 1"),
	    keys);
	ck_assert_int_eq(
	    sql_int("SELECT count(*) FROM (SELECT wrapped, lag(wrapped) OVER"
		    " (ORDER BY version) AS before FROM claviger.data_key"
		    " WHERE app = 'other' AND version > 1) x"
		    " WHERE wrapped < before"),
	    0);
	ck_assert_int_eq(sql_int("SELECT max(version) FROM claviger.data_key"
				 " WHERE app = 'other'"),
	    1 + keys);
}
END_TEST

/* With a connection that is new, the same until it has an answer. */
static uint64_t
put_again(unsigned i, uint64_t counter)
{
	int rc;

	do {
		clv_store_free(&s);
		s = as_member();
		rc = put_as(0, i, EPOCH, counter);
	} while (rc == CLV_E_UNKNOWN || rc == CLV_E_DATABASE_AWAY);
	ck_ok(s, rc);
	return clv_store_get_u64(s, 0, 0);
}

/* Send it, and break the connection at some point of what follows. */
static int
put_and_break(unsigned i)
{
	struct write w;
	int rc = CLV_E_AGAIN;

	write_init(&w, 0, i, EPOCH, 1 + i);
	ck_ok(s, store_put_send(s, &w.put));
	for (long n = random() % 400; rc == CLV_E_AGAIN && n > 0; n--)
		rc = clv_store_step(s);
	sql(KILL_MEMBER);
	if (rc == CLV_E_AGAIN)
		rc = call_finish(s);
	store_rows_fini(&w.rows);
	return rc;
}

START_TEST(connections_that_break_anywhere_lose_and_double_nothing)
{
	unsigned broken = 0;
	uint64_t state;
	int rc;

	srandom(4711);
	for (unsigned i = 0; i < WRITES; i++) {
		rc = put_and_break(i);
		if (rc == CLV_OK)
			ck_num(0, 0, CLV_PUT_DONE);
		else
			ck_assert_msg(
			    rc == CLV_E_UNKNOWN || rc == CLV_E_DATABASE_AWAY,
			    "%s", clv_result_name(rc));
		broken += rc != CLV_OK;
		state = put_again(i, 1 + i);
		ck_assert(state == CLV_PUT_REPEATED ||
			  (rc != CLV_OK && state == CLV_PUT_DONE));
	}
	ck_assert_uint_gt(broken, 0);
	all_are_there(1);
}
END_TEST

static void
standby(const char *name)
{
	PGconn *conn = PQconnectdb(owner_conninfo);
	char text[128];

	PQclear(PQexec(conn, "SET synchronous_commit = local"));
	snprintf(text, sizeof(text),
	    "ALTER SYSTEM SET synchronous_standby_names = '%s'", name);
	PQclear(PQexec(conn, text));
	PQclear(PQexec(conn, "SELECT pg_reload_conf()"));
	PQfinish(conn);
	snprintf(text, sizeof(text),
	    "SELECT setting = '%s' FROM pg_settings"
	    " WHERE name = 'synchronous_standby_names'",
	    name);
	sql_wait(text);
}

/* Send it until it waits for what the condition says; the statement has been
 * used on this connection, so that it goes out whole. */
static void
send_until(struct write *w, const char *condition)
{
	char text[256];

	snprintf(text, sizeof(text),
	    "SELECT count(*) = 1 FROM pg_stat_activity"
	    " WHERE usename = 'host' AND %s",
	    condition);
	ck_ok(s, store_put_send(s, &w->put));
	ck_result(clv_store_step(s), CLV_E_AGAIN);
	sql_wait(text);
}

START_TEST(connection_that_breaks_in_the_commit_has_written_once)
{
	static const char *const ends[] = {KILL_MEMBER,
	    "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity"
	    " WHERE usename = 'host'"};
	struct write w;

	ck_put(put_as(0, 0, EPOCH, 1), CLV_PUT_DONE, 2);
	for (unsigned i = 1; i < 3; i++) {
		write_init(&w, 0, i, EPOCH, 1 + i);
		standby("ghost");
		send_until(&w, "wait_event = 'SyncRep'");
		ck_assert_int_eq(sql_int("%s", ends[i - 1]), 1);
		ck_result(call_finish(s), CLV_E_UNKNOWN);
		store_rows_fini(&w.rows);
		standby("");
		ck_assert_uint_eq(put_again(i, 1 + i), CLV_PUT_REPEATED);
	}
	ck_assert_int_eq(sql_int("SELECT count(*) FROM claviger.secret"), 3);
	ck_assert_int_eq(sql_int("SELECT counter FROM claviger.manifest"), 4);
}
END_TEST

START_TEST(connection_that_breaks_before_the_commit_has_written_nothing)
{
	struct write w;

	ck_put(put_as(0, 0, EPOCH, 1), CLV_PUT_DONE, 2);
	write_init(&w, 0, 1, EPOCH, 2);
	sql("BEGIN");
	sql("SELECT 1 FROM claviger.manifest FOR UPDATE");
	send_until(&w, "wait_event_type = 'Lock'");
	ck_assert_int_eq(sql_int(KILL_MEMBER), 1);
	ck_result(call_finish(s), CLV_E_UNKNOWN);
	store_rows_fini(&w.rows);
	sql("COMMIT");
	ck_assert_uint_eq(put_again(1, 2), CLV_PUT_DONE);
	ck_assert_uint_eq(put_again(1, 2), CLV_PUT_REPEATED);
}
END_TEST

START_TEST(write_that_waited_for_another_is_a_conflict)
{
	struct write w;

	ck_put(put_as(0, 0, EPOCH, 1), CLV_PUT_DONE, 2);
	write_init(&w, 0, 1, EPOCH, 2);
	sql("BEGIN");
	sql("UPDATE claviger.manifest SET counter = 3");
	send_until(&w, "wait_event_type = 'Lock'");
	sql("COMMIT");
	ck_put(call_finish(s), CLV_PUT_CONFLICT, 3);
	/* the other one was this one: its first try, not dead yet */
	w.put.counter = 3;
	sql("BEGIN");
	sql("UPDATE claviger.manifest SET counter = 4, op_id = '%s'", w.batch);
	send_until(&w, "wait_event_type = 'Lock'");
	sql("COMMIT");
	ck_put(call_finish(s), CLV_PUT_REPEATED, 4);
	/* a data key was added */
	w.put.counter = 4;
	w.batch[0] = 'B';
	sql("BEGIN");
	sql("UPDATE claviger.manifest SET key_version = 2");
	send_until(&w, "wait_event_type = 'Lock'");
	sql("COMMIT");
	ck_put(call_finish(s), CLV_PUT_NEWER_KEY, 4);
	store_rows_fini(&w.rows);
}
END_TEST

START_TEST(write_that_waited_for_a_take_over_looks_at_its_epoch)
{
	struct write w;

	ck_put(put_as(0, 0, TAKEN, 1), CLV_PUT_DONE, 2);
	for (int back = 0; back < 2; back++) {
		/* on to the next one, or back to one that was */
		write_init(&w, 0, 1, TAKEN, 2);
		sql("BEGIN");
		sql("SELECT claviger.lock_system()");
		sql("UPDATE claviger.system SET epoch = %u",
		    back == 0 ? TAKEN - 1 : TAKEN + 256);
		send_until(&w, "wait_event_type = 'Lock'");
		sql("COMMIT");
		if (back == 0)
			ck_result(call_finish(s), CLV_E_STALE_EPOCH);
		else
			ck_put(call_finish(s), CLV_PUT_DONE, 3);
		store_rows_fini(&w.rows);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("store_race");
	TCase *t = tcase_create("races");
	int rc = rig_start();

	if (rc != 0)
		return rc;
	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, with_app, leave_app);
	tcase_add_test(t, members_that_write_at_once_take_turns);
	tcase_add_test(t, no_write_of_an_old_epoch_comes_after_one_of_a_newer);
	tcase_add_test(
	    t, connections_that_break_anywhere_lose_and_double_nothing);
	tcase_add_test(
	    t, connection_that_breaks_in_the_commit_has_written_once);
	tcase_add_test(
	    t, connection_that_breaks_before_the_commit_has_written_nothing);
	tcase_add_test(t, write_that_waited_for_another_is_a_conflict);
	tcase_add_test(t, write_that_waited_for_a_take_over_looks_at_its_epoch);
	suite_add_tcase(suite, t);
	return rig_run(suite);
}
