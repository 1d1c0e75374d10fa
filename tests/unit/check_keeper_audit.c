/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "keeper_rig.h"
#include "suite.h"

/*
 * The audit trail as keepers write it: what is in it, that nobody ever waits
 * for it, and what is found of one that was tampered with.
 */
#define A (&rig_keeper(0)->audit)

static char said[2048];
static struct audit_chain chain;

static void
set_up(void)
{
	rig_active();
	rig_run(100);
}

static void
on_found(void *arg, uint64_t seq, const char *what)
{
	size_t len = strlen(said);

	(void)arg;
	(void)seq;
	snprintf(said + len, sizeof(said) - len, "%s\n", what);
}

/* Walks what is in the database; its last row, and how many of them say that.
 * said: what is wrong. */
static unsigned
walk(const char *operation, struct audit_row *ret_last)
{
	struct audit_keys keys = {.n = 1};
	struct audit_row row;
	unsigned n = 0;

	memcpy(keys.pk[0], clv_keyring_sign_pk(rig.keyring), CLV_SIGN_PK_LEN);
	said[0] = '\0';
	chain = (struct audit_chain){.found = on_found};
	audit_chain_begin(&chain, &keys, 1);
	for (unsigned i = 0; i < rig_db.audits; i++) {
		const struct rig_audit *a = &rig_db.audit[i];

		if (audit_chain_row(&chain, a->seq, a->body.data, a->body.len,
			&row) != CLV_OK ||
		    (operation != NULL &&
			strcmp(row.operation, operation) != 0))
			continue;
		n++;
		if (ret_last != NULL)
			*ret_last = row;
	}
	audit_chain_end(&chain);
	return n;
}

static void
is_whole(void)
{
	walk(NULL, NULL);
	ck_assert_str_eq(said, "");
}

static const struct clv_wire_answer *
fetch_by(const struct clv_identity *id, const uint8_t *thumb)
{
	const struct clv_wire_holds holds = {1, 1};
	struct clv_wire_request q = {.op = CLV_WIRE_FETCH};
	struct clv_buf b;

	clv_buf_init(&b);
	clv_wire_holds_format(&holds, &b);
	q.payload = b.data;
	q.payload_len = b.len;
	rig_request(0, id, thumb, &q);
	rig_settle();
	clv_buf_fini(&b);
	return &rig.node[0].answer;
}

static void
drop_newest(void)
{
	struct rig_audit *a = &rig_db.audit[--rig_db.audits];

	clv_buf_fini(&a->body);
	memset(a, 0, sizeof(*a));
}

/* So that the active server looks at the trail anew. */
static void
look(void)
{
	rig_run(AUDIT_LOOK_MS + KEEPER_POLL_MS + 100);
}

/* ---- what is in it ---- */

START_TEST(takeover_is_recorded_with_its_epoch)
{
	struct audit_row row;

	ck_assert_uint_eq(walk("took-over", &row), 1);
	ck_assert_str_eq(said, "");
	ck_assert_str_eq(row.node, "n1");
	ck_assert_str_eq(row.who, "clavigerd");
	ck_assert_str_eq(row.object, "mss.example.org");
	ck_assert_uint_eq(row.epoch, rig_keeper(0)->serving.epoch);
	ck_assert_uint_ge(row.time_s, RIG_TIME0);
}
END_TEST

START_TEST(each_change_is_recorded_with_who_made_it)
{
	struct audit_row row;

	ck_assert_int_eq(rig_add_member(0, 1, "m3"), CLV_OK);
	rig_settle();
	ck_assert_uint_eq(walk("member-add", &row), 1);
	ck_assert_str_eq(row.who, "root");
	ck_assert_str_eq(row.object, "m3");
	ck_assert_str_eq(row.result, "ok");
	ck_assert_int_ne(rig_add_member(0, 2, "m3"), CLV_OK);
	rig_settle();
	ck_assert_uint_eq(walk("member-add", &row), 2);
	ck_assert_str_eq(row.result, "exists");
	ck_assert_str_eq(said, "");
}
END_TEST

START_TEST(question_is_not_recorded)
{
	unsigned before = rig_db.audits;
	struct clv_buf b;

	rig_admin_begin(&b, ADMIN_GENERATIONS, 1);
	ck_assert_int_eq(rig_ask(0, &b, 3000), CLV_OK);
	rig_settle();
	ck_assert_uint_eq(rig_db.audits, before);
}
END_TEST

START_TEST(keys_are_recorded_when_they_are_others)
{
	struct audit_row row;
	struct clv_buf b;

	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(fetch_by(rig.member[0], NULL)->result, CLV_OK);
	ck_assert_uint_eq(walk("keys-granted", &row), 1);
	ck_assert_str_eq(row.who, "m1");
	ck_assert_str_eq(row.object, "all");
	ck_assert_int_eq(fetch_by(rig.member[1], NULL)->result, CLV_OK);
	ck_assert_uint_eq(walk("keys-granted", &row), 2);
	ck_assert_str_eq(row.object, "payroll");
	rig_admin_begin(&b, ADMIN_MEMBER_SCOPE, 3);
	clv_buf_str(&b, "m2");
	clv_buf_str(&b, "all");
	ck_assert_int_eq(rig_ask(0, &b, 30000), CLV_OK);
	ck_assert_int_eq(fetch_by(rig.member[1], NULL)->result, CLV_OK);
	ck_assert_int_eq(fetch_by(rig.member[0], NULL)->result, CLV_OK);
	ck_assert_uint_eq(walk("keys-granted", &row), 3);
	ck_assert_str_eq(row.who, "m2");
	is_whole();
}
END_TEST

START_TEST(refusals_are_recorded_but_bounded)
{
	struct audit_row row;
	uint8_t wrong[32] = {1};

	for (int i = 0; i < 200; i++)
		ck_assert_int_eq(
		    fetch_by(rig.member[0], wrong)->result, CLV_E_UNKNOWN_PEER);
	ck_assert_uint_eq(walk("request", &row), AUDIT_REFUSED_MAX);
	ck_assert_str_eq(row.who, "a host"); /* it has proven no name */
	ck_assert_str_eq(row.object, "m1");
	ck_assert_int_eq(strncmp(row.text, "0100", 4), 0);
	ck_assert_str_eq(row.result, "unknown-peer");
	rig_run(AUDIT_REFUSED_MS);
	ck_assert_int_eq(
	    fetch_by(rig.member[0], wrong)->result, CLV_E_UNKNOWN_PEER);
	ck_assert_uint_eq(walk("request", &row), AUDIT_REFUSED_MAX + 1);
	ck_assert_ptr_nonnull(strstr(row.text, "180 more before this"));
	is_whole();
}
END_TEST

/* ---- nobody waits for it ---- */

START_TEST(what_happens_while_nothing_is_written_comes_later_in_order)
{
	struct audit_row row;

	rig.node[0].hold_audit = true;
	for (uint8_t i = 0; i < 5; i++) {
		char name[8];

		snprintf(name, sizeof(name), "x%u", i);
		ck_assert_int_eq(rig_add_member(0, i, name), CLV_OK);
	}
	ck_assert_uint_eq(walk("member-add", NULL), 0);
	ck_assert_uint_ge(A->queued, 5);
	ck_assert(serving_encrypts(rig_keeper(0)));
	rig.node[0].hold_audit = false;
	rig_run(KEEPER_POLL_MS + KEEPER_SQL_MS);
	ck_assert_uint_eq(walk("member-add", &row), 5);
	ck_assert_str_eq(row.object, "x4");
	ck_assert_uint_eq(A->queued, 0);
	is_whole();
}
END_TEST

START_TEST(full_queue_is_said_by_the_next_row)
{
	const struct audit_note n = {.who = "root",
	    .operation = "test",
	    .object = "",
	    .result = CLV_OK,
	    .text = ""};
	struct audit_row row;

	rig_db_mode(0, RIG_DB_DOWN);
	rig_settle();
	for (unsigned i = 0; i < AUDIT_QUEUE_MAX + 40; i++)
		audit_note(rig_keeper(0), &n);
	ck_assert_uint_eq(A->queued, AUDIT_QUEUE_MAX);
	ck_assert_uint_ge(A->lost, 40);
	rig_db_mode(0, RIG_DB_UP);
	rig_run(KEEPER_POLL_MS);
	ck_assert_uint_eq(A->queued, 0);
	audit_note(rig_keeper(0), &n);
	rig_settle();
	row.lost = 0;
	ck_assert_uint_gt(walk("test", &row), 0);
	ck_assert_uint_eq(row.lost, A->lost);
	ck_assert_uint_eq(A->lost_unsaid, 0);
}
END_TEST

START_TEST(end_of_the_daemon_with_a_queue_is_said_by_the_next_one)
{
	struct audit_row row;

	rig.node[0].hold_audit = true;
	ck_assert_int_eq(rig_add_member(0, 1, "m3"), CLV_OK);
	ck_assert_uint_ge(A->queued, 1);
	rig_kill(0);
	rig.node[0].hold_audit = false;
	rig_run(20000);
	rig_up(0);
	rig_run(3000);
	ck_assert_int_eq(rig_promote(0), CLV_OK);
	rig_run(1000);
	ck_assert_uint_eq(walk("took-over", &row), 2);
	ck_assert_uint_ge(row.lost, 1);
	is_whole();
}
END_TEST

START_TEST(unknown_outcome_writes_nothing_twice)
{
	rig.node[0].lose_audit = true;
	ck_assert_int_eq(rig_add_member(0, 1, "m3"), CLV_OK);
	rig_settle();
	ck_assert_uint_eq(walk("member-add", NULL), 1);
	ck_assert_uint_ge(A->queued, 1);
	rig.node[0].lose_audit = false;
	ck_assert_int_eq(rig_add_member(0, 2, "m4"), CLV_OK);
	rig_run(KEEPER_POLL_MS);
	ck_assert_uint_eq(A->queued, 0);
	ck_assert_uint_eq(walk("member-add", NULL), 2);
	is_whole();
}
END_TEST

START_TEST(ending_daemon_writes_what_is_queued_first)
{
	struct rig_node *n = &rig.node[1];

	/* a standby that is asked to end right after something happened */
	n->hold_audit = true;
	audit_note(n->k, &(struct audit_note){.who = "root",
			     .operation = "test",
			     .object = "",
			     .result = CLV_OK,
			     .text = ""});
	keeper_end(n->k, 0);
	ck_assert_uint_eq(n->ended, 0);
	n->hold_audit = false;
	rig_settle();
	ck_assert_uint_eq(n->ended, 1);
	ck_assert_uint_eq(walk("test", NULL), 1);
	is_whole();
}
END_TEST

START_TEST(ending_daemon_does_not_wait_for_ever)
{
	struct rig_node *n = &rig.node[1];

	n->hold_audit = true;
	audit_note(n->k, &(struct audit_note){.who = "root",
			     .operation = "test",
			     .object = "",
			     .result = CLV_OK,
			     .text = ""});
	keeper_end(n->k, 0);
	rig_run(AUDIT_DRAIN_MS + 10);
	ck_assert_uint_eq(n->ended, 1);
}
END_TEST

/* ---- another server goes on with it ---- */

START_TEST(next_server_goes_on_where_the_last_one_stopped)
{
	struct audit_row row;

	ck_assert_int_eq(rig_add_member(0, 1, "m3"), CLV_OK);
	rig_run(2000);
	ck_assert_uint_eq(
	    rig_keeper(1)->audit.seen.seq, A->seen.seq); /* it was told */
	rig_kill(0);
	rig_run(20000);
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	rig_run(1000);
	ck_assert_uint_eq(walk("took-over", &row), 2);
	ck_assert_str_eq(row.node, "n2");
	is_whole();
	ck_assert_str_eq(rig_keeper(1)->audit.broken, "");
}
END_TEST

START_TEST(two_that_write_at_once_make_one_trail)
{
	const struct audit_note n = {.who = "root",
	    .operation = "test",
	    .object = "",
	    .result = CLV_OK,
	    .text = ""};

	for (unsigned i = 0; i < 30; i++) {
		audit_note(rig_keeper(i % 3), &n);
		if (i % 4 == 3)
			rig_settle();
	}
	rig_run(3 * KEEPER_POLL_MS);
	ck_assert_uint_eq(walk("test", NULL), 30);
	is_whole();
}
END_TEST

/* ---- what is found ---- */

START_TEST(end_that_was_cut_off_is_found_and_recorded)
{
	struct audit_row row;
	uint64_t last = A->seen.seq;

	ck_assert_uint_ge(last, 1);
	drop_newest();
	look();
	ck_assert_ptr_nonnull(strstr(A->broken, "missing at its end"));
	ck_assert_uint_eq(walk("audit-broken", &row), 1);
	ck_assert_uint_eq(row.seq, last + 1);
	ck_assert_ptr_nonnull(strstr(said, "missing"));
	ck_assert(serving_encrypts(rig_keeper(0)));
	/* once, however often it looks; and no row has the number of another */
	look();
	look();
	ck_assert_uint_eq(walk("audit-broken", NULL), 1);
	ck_assert_str_ne(A->broken, "");
}
END_TEST

START_TEST(end_that_was_cut_off_is_found_by_the_next_server)
{
	ck_assert_int_eq(rig_add_member(0, 1, "m3"), CLV_OK);
	rig_run(2000); /* the others are told of it */
	rig_kill(0);
	drop_newest();
	rig_run(20000);
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	rig_run(1000);
	ck_assert_uint_eq(walk("audit-broken", NULL), 1);
	ck_assert_str_ne(rig_keeper(1)->audit.broken, "");
}
END_TEST

START_TEST(what_one_server_has_seen_outlives_all_of_them)
{
	ck_assert_int_eq(rig_add_member(0, 1, "m3"), CLV_OK);
	rig_run(2000);
	for (unsigned i = 0; i < 3; i++)
		rig_kill(i);
	while (rig_db.audits > 0)
		drop_newest();
	rig_run(20000);
	for (unsigned i = 0; i < 3; i++)
		rig_up(i);
	rig_run(3000);
	ck_assert_int_eq(rig_promote(2), CLV_OK);
	rig_run(1000);
	ck_assert_uint_eq(walk("audit-broken", NULL), 3); /* each says so */
	ck_assert_uint_gt(rig_db.audit[0].seq, 1);
}
END_TEST

/* The trail is whole again, and longer: who saw the other one still tells. */
START_TEST(trail_that_was_set_back_is_found_by_who_comes_back)
{
	static const char *const more[] = {"m4", "m5", "m6", "m7"};

	rig_run(2000);
	rig_kill(1);
	ck_assert_int_eq(rig_add_member(0, 1, "m3"), CLV_OK);
	rig_run(2000);
	rig_kill(0);
	rig_kill(2);
	clv_buf_reset(&rig.node[2].audit); /* it knows nothing */
	drop_newest();
	rig_run(20000);
	rig_up(1);
	rig_up(2);
	rig_run(3000);
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	rig_run(1000);
	for (uint8_t i = 0; i < 4; i++) {
		ck_assert_int_eq(rig_add_member(1, i + 2, more[i]), CLV_OK);
		rig_run(2000);
	}
	ck_assert_uint_eq(walk("audit-broken", NULL), 0);
	rig_up(0);
	rig_run(3 * KEEPER_POLL_MS);
	ck_assert_ptr_nonnull(strstr(A->broken, "another one than was"));
	ck_assert_uint_eq(walk("audit-broken", NULL), 1);
}
END_TEST

START_TEST(newest_row_that_changes_each_time_is_told)
{
	const char *why;

	rig_db.audit_lies = true;
	ck_assert_int_eq(rig_add_member(0, 2, "m4"), CLV_OK);
	rig_run(3 * KEEPER_POLL_MS);
	ck_assert_int_eq(audit_state(rig_keeper(0), &why), AUDIT_NOT_WRITTEN);
	ck_assert_ptr_nonnull(strstr(why, "another one each time"));
	rig_db.audit_lies = false;
	rig_run(3 * KEEPER_POLL_MS);
	ck_assert_int_eq(audit_state(rig_keeper(0), &why), AUDIT_FINE);
	ck_assert_uint_eq(walk("member-add", NULL), 1);
	is_whole();
}
END_TEST

START_TEST(row_of_somebody_else_is_found_and_written_on_behind)
{
	struct rig_audit *a = &rig_db.audit[rig_db.audits++];
	struct audit_row row;

	a->seq = A->seen.seq + 1;
	clv_buf_raw(&a->body, "forged", 6);
	look();
	ck_assert_ptr_nonnull(strstr(A->broken, "row 2 was changed"));
	ck_assert(serving_encrypts(rig_keeper(0)));
	ck_assert_int_eq(rig_add_member(0, 2, "m4"), CLV_OK);
	rig_settle();
	ck_assert_uint_eq(walk("audit-broken", NULL), 1);
	ck_assert_uint_eq(walk("member-add", &row), 1);
	ck_assert_str_eq(row.object, "m4");
	ck_assert_str_eq(
	    said, "row 2 was changed: not a file or message of this kind\n");
}
END_TEST

START_TEST(row_with_the_last_number_stops_nothing_but_the_trail)
{
	struct rig_audit *a = &rig_db.audit[rig_db.audits++];

	a->seq = INT64_MAX;
	clv_buf_raw(&a->body, "forged", 6);
	look();
	ck_assert_ptr_nonnull(strstr(rig.log, "no number left"));
	ck_assert_int_eq(rig_add_member(0, 2, "m4"), CLV_OK);
	ck_assert_uint_ge(A->queued, 1);
	ck_assert(serving_encrypts(rig_keeper(0)));
}
END_TEST

START_TEST(row_that_was_changed_under_us_is_found)
{
	struct rig_audit *a = &rig_db.audit[rig_db.audits - 1];
	struct audit_head head = {.seq = a->seq - 1};
	struct audit_row row = {.node = "n1", .operation = "other"};
	struct clv_buf fields;

	/* signed by the system, at another time: of another history */
	clv_buf_init(&fields);
	audit_fields_format(&row, &fields);
	clv_buf_reset(&a->body);
	ck_assert_int_eq(
	    audit_row_seal(&fields, a->seq, rig.keyring, &head, &a->body),
	    CLV_OK);
	clv_buf_fini(&fields);
	look();
	ck_assert_ptr_nonnull(strstr(rig.log, "another one than was written"));
	ck_assert_uint_eq(walk("audit-broken", NULL), 1);
}
END_TEST

START_TEST(damaged_file_is_no_reason_not_to_start)
{
	rig_run(2000);
	ck_assert_uint_gt(rig.node[0].audit.len, 0);
	rig_kill(0);
	rig.node[0].audit.data[20] ^= 1;
	rig_up(0);
	ck_assert_ptr_nonnull(strstr(rig.log, "cannot be used"));
	rig_run(20000);
	ck_assert_int_eq(rig_promote(0), CLV_OK);
	rig_run(1000);
	is_whole();
}
END_TEST

START_TEST(state_is_told_over_the_control_socket)
{
	int c = rig_ctl(0, CTL_AUDIT, NULL, 0);
	const struct rig_conn *conn = &rig.node[0].conns[c];
	struct clv_rd rd;

	ck_assert_int_eq(conn->result, CLV_OK);
	clv_rd_init(&rd, conn->body, conn->len);
	ck_assert_uint_eq(clv_rd_u8(&rd), AUDIT_FINE);
	ck_assert_uint_eq(clv_rd_u64(&rd), A->seen.seq);
	ck_assert_mem_eq(
	    clv_rd_raw(&rd, AUDIT_LINK_LEN), A->seen.link, AUDIT_LINK_LEN);
	ck_assert_uint_eq(clv_rd_u64(&rd), 0);
	ck_assert_uint_eq(clv_rd_u64(&rd), A->written);
	ck_assert_uint_eq(clv_rd_u64(&rd), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("keeper_audit");
	TCase *t = suite_case(s, "rows", set_up, rig_fini);

	tcase_add_test(t, takeover_is_recorded_with_its_epoch);
	tcase_add_test(t, each_change_is_recorded_with_who_made_it);
	tcase_add_test(t, question_is_not_recorded);
	tcase_add_test(t, keys_are_recorded_when_they_are_others);
	tcase_add_test(t, refusals_are_recorded_but_bounded);
	tcase_add_test(
	    t, what_happens_while_nothing_is_written_comes_later_in_order);
	tcase_add_test(t, full_queue_is_said_by_the_next_row);
	tcase_add_test(
	    t, end_of_the_daemon_with_a_queue_is_said_by_the_next_one);
	tcase_add_test(t, unknown_outcome_writes_nothing_twice);
	tcase_add_test(t, ending_daemon_writes_what_is_queued_first);
	tcase_add_test(t, ending_daemon_does_not_wait_for_ever);
	t = suite_case(s, "trail", set_up, rig_fini);
	tcase_add_test(t, next_server_goes_on_where_the_last_one_stopped);
	tcase_add_test(t, two_that_write_at_once_make_one_trail);
	tcase_add_test(t, end_that_was_cut_off_is_found_and_recorded);
	tcase_add_test(t, end_that_was_cut_off_is_found_by_the_next_server);
	tcase_add_test(t, what_one_server_has_seen_outlives_all_of_them);
	tcase_add_test(t, row_of_somebody_else_is_found_and_written_on_behind);
	tcase_add_test(t, trail_that_was_set_back_is_found_by_who_comes_back);
	tcase_add_test(t, newest_row_that_changes_each_time_is_told);
	tcase_add_test(t, row_with_the_last_number_stops_nothing_but_the_trail);
	tcase_add_test(t, row_that_was_changed_under_us_is_found);
	tcase_add_test(t, damaged_file_is_no_reason_not_to_start);
	tcase_add_test(t, state_is_told_over_the_control_socket);
	return suite_run(s);
}
