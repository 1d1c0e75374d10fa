/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "store_app.h"

/* Writing secrets, as members do, to a real PostgreSQL. */

static const uint8_t zeros[32];

START_TEST(deleted_secret_leaves_a_tombstone_with_a_version)
{
	struct store_row r = row("a", 2, 'b');

	r.record_len = 0;
	r.key_version = 0;
	r.hash = zeros;
	ck_put(put(1, "a", 1, 'a'), CLV_PUT_DONE, 2);
	ck_put(put_rows(2, 'b', &r, 1), CLV_PUT_DONE, 3);
	ck_ok(s, get("a", 0, 3));
	ck_assert_uint_eq(clv_store_rows(s), 2);
	ck_num(1, 2, 2);
	ck_assert(clv_store_get_bool(s, 1, 3));
	ck_col(1, 6, "");
	ck_ok(s, call(s, CLV_STMT_GET_CHANGES, "app", U(3), "", U(9)));
	ck_assert(clv_store_get_bool(s, 0, 2));
	ck_put(put(3, "a", 3, 'c'), CLV_PUT_DONE, 4);
	ck_ok(s, call(s, CLV_STMT_HISTORY, "app", "a"));
	ck_assert_uint_eq(clv_store_rows(s), 3);
	for (size_t i = 0; i < 3; i++) {
		ck_num(i, 0, 3 - i);
		ck_assert(clv_store_get_bool(s, i, 1) == (i == 1));
		ck_num(i, 2, i == 1 ? 0 : 1);
		ck_assert_uint_lt(clv_store_get_u64(s, i, 3), 60);
		ck_assert(clv_store_get_bool(s, i, 4) == (i == 0));
	}
}
END_TEST

START_TEST(tombstone_and_record_cannot_be_mixed)
{
	struct store_row r[3] = {
	    row("a", 1, 'a'), row("a", 1, 'b'), row("a", 1, 'c')};

	r[0].record_len = 0;  /* under a key */
	r[1].key_version = 0; /* a record without one */
	for (int i = 0; i < 2; i++)
		ck_result(put_rows(1, 'm', &r[i], 1), CLV_E_DATABASE);
	ck_put(put_rows(1, 'm', &r[2], 1), CLV_PUT_DONE, 2);
}
END_TEST

START_TEST(versions_are_pruned_to_keep)
{
	struct store_row r[3];

	for (uint64_t i = 1; i <= 5; i++) {
		r[0] = row("one", i, (char)('a' + i));
		r[0].keep = 1;
		r[1] = row("three", i, (char)('k' + i));
		r[1].keep = 3;
		r[2] = row("all", i, (char)('A' + i));
		ck_put(put_rows(i, (char)('0' + i), r, 3), CLV_PUT_DONE, 1 + i);
	}
	ck_assert_int_eq(versions_of("one"), 5);
	ck_assert_int_eq(versions_of("three"), 345);
	ck_assert_int_eq(versions_of("all"), 12345);
	/* fewer from now on; more brings nothing back */
	r[0] = row("all", 6, 'y');
	r[0].keep = 2;
	r[1] = row("three", 6, 'z');
	r[1].keep = 9;
	ck_put(put_rows(6, 'v', r, 2), CLV_PUT_DONE, 7);
	ck_assert_int_eq(versions_of("all"), 56);
	ck_assert_int_eq(versions_of("three"), 3456);
	r[0] = row("all", 90, 'w'); /* versions need not follow each other */
	r[0].keep = 2;
	ck_put(put_rows(7, 'w', r, 1), CLV_PUT_DONE, 8);
	ck_assert_int_eq(versions_of("all"), 690);
}
END_TEST

START_TEST(repeated_batch_is_told_that_it_was_done)
{
	struct store_row r[2] = {row("a", 1, 'a'), row("b", 1, 'b')};

	ck_put(put_rows(1, 'm', r, 2), CLV_PUT_DONE, 2);
	for (int i = 0; i < 3; i++)
		ck_put(put_rows(1, 'm', r, 2), CLV_PUT_REPEATED, 2);
	ck_assert_int_eq(sql_int("SELECT count(*) FROM claviger.secret"), 2);
	/* by another batch, of whatever counter, and in part */
	ck_put(put_rows(1, 'n', r, 2), CLV_PUT_KNOWN, 2);
	r[0] = row("c", 1, 'c');
	ck_put(put_rows(2, 'n', r, 2), CLV_PUT_KNOWN, 2);
	ck_assert_int_eq(sql_int("SELECT count(*) FROM claviger.secret"), 2);
	ck_put(put_rows(2, 'n', r, 1), CLV_PUT_DONE, 3);
	/* and when others have written since */
	ck_put(put_rows(1, 'm', r + 1, 1), CLV_PUT_KNOWN, 3);
}
END_TEST

START_TEST(done_operations_are_found_pruned_ones_too)
{
	struct store_row r;

	for (uint64_t i = 1; i <= 4; i++) {
		r = row("a", i, (char)('a' + i - 1));
		r.keep = 2;
		if (i == 4) /* so long ago that nobody asks any more */
			sql("UPDATE claviger.secret SET at = at"
			    " - interval '25 hours' WHERE version = 2");
		ck_put(put_rows(i, 'm' + (char)i, &r, 1), CLV_PUT_DONE, 1 + i);
	}
	ck_assert_int_eq(versions_of("a"), 34);
	ck_ok(s, get_ops("abcdx"));
	ck_assert_uint_eq(clv_store_rows(s), 3);
	for (size_t i = 0; i < 3; i++) {
		ck_col(i, 1, "app");
		ck_col(i, 2, "a");
	}
	ck_ok(s, get_ops("a"));
	ck_assert_uint_eq(clv_store_rows(s), 1);
	ck_col(0, 0, "a.row           ");
	ck_num(0, 3, 1);
	r = row("a", 5, 'a');
	ck_put(put_rows(5, 'x', &r, 1), CLV_PUT_KNOWN, 5);
	/* those of the server's are not a secret's */
	ck_ok(server, call(server, CLV_STMT_GET_OP, OP("i")));
	ck_assert(clv_store_get_bool(server, 0, 0));
}
END_TEST

START_TEST(operations_of_pruned_versions_are_forgotten_after_a_day)
{
	struct store_row r;

	for (uint64_t i = 1; i <= 3; i++) {
		if (i == 3)
			sql("UPDATE claviger.op SET at = at"
			    " - interval '25 hours' WHERE app IS NOT NULL");
		r = row("a", i, (char)('a' + i - 1));
		r.keep = 1;
		ck_put(put_rows(i, 'm' + (char)i, &r, 1), CLV_PUT_DONE, 1 + i);
	}
	ck_ok(s, get_ops("ab"));
	ck_assert_uint_eq(clv_store_rows(s), 1);
	ck_num(0, 3, 2);
}
END_TEST

START_TEST(write_on_top_of_another_counter_is_a_conflict)
{
	ck_put(put(1, "a", 1, 'a'), CLV_PUT_DONE, 2);
	ck_put(put(1, "b", 1, 'b'), CLV_PUT_CONFLICT, 2);
	ck_put(put(3, "b", 1, 'b'), CLV_PUT_CONFLICT, 2);
	ck_put(put(0, "b", 1, 'b'), CLV_PUT_CONFLICT, 2);
	ck_put(put(UINT64_MAX, "b", 1, 'b'), CLV_PUT_CONFLICT, 2);
	ck_assert_int_eq(sql_int("SELECT count(*) FROM claviger.secret"), 1);
	ck_put(put(2, "b", 1, 'b'), CLV_PUT_DONE, 3);
}
END_TEST

START_TEST(only_the_newest_data_key_is_taken)
{
	struct store_row r[2] = {row("a", 1, 'a'), row("b", 1, 'b')};

	r[1].key_version = 2; /* not there yet */
	ck_put(put_rows(1, 'm', r, 2), CLV_PUT_NEWER_KEY, 1);
	ck_ok(
	    server, call(server, CLV_STMT_ADD_KEY, U(TAKEN), A, OP("k"), "app",
			U(1), mac, sizeof(mac), U(2), U(1), STR("wrapped")));
	ck_put(put_rows(1, 'm', r + 1, 1), CLV_PUT_CONFLICT, 2);
	ck_put(put_rows(2, 'm', r, 2), CLV_PUT_NEWER_KEY, 2);
	ck_put(put_rows(2, 'm', r, 1), CLV_PUT_NEWER_KEY, 2);
	ck_put(put_rows(2, 'm', r + 1, 1), CLV_PUT_DONE, 3);
	r[0].key_version = 0;
	r[0].record_len = 0;
	ck_put(put_rows(3, 'n', r, 1), CLV_PUT_DONE, 4);
}
END_TEST

START_TEST(write_to_an_application_that_is_gone_is_refused)
{
	struct store_row r = row("a", 1, 'a');

	ck_ok(server,
	    call(server, CLV_STMT_DROP_APP, U(TAKEN), A, OP("d"), "app"));
	ck_put(put(1, "a", 1, 'a'), CLV_PUT_CONFLICT, 2);
	ck_put(put(2, "a", 1, 'a'), CLV_PUT_NEWER_KEY, 2);
	r.key_version = 0;
	r.record_len = 0;
	ck_put(put_rows(2, 'm', &r, 1), CLV_PUT_NEWER_KEY, 2);
	sql("DELETE FROM claviger.manifest");
	ck_put(put(2, "a", 1, 'a'), CLV_PUT_CONFLICT, 0);
	ck_put(put(0, "a", 1, 'a'), CLV_PUT_NEWER_KEY, 0);
	ck_assert_int_eq(sql_int("SELECT count(*) FROM claviger.secret"), 0);
}
END_TEST

START_TEST(database_older_than_what_a_member_saw_is_refused)
{
	struct store_rows r;
	struct store_row one = row("a", 1, 'a');
	struct store_put p = {
	    "app", TAKEN + 1, 1, mac, "0123456789abcdef", &r, {{0}, {0}}};

	store_rows_init(&r);
	store_rows_add(&r, &one);
	ck_ok(s, store_put_send(s, &p));
	ck_result(call_finish(s), CLV_E_STALE_EPOCH);
	ck_assert_str_eq(clv_store_sqlstate(s), "CL001");
	p.epoch = INT64_MAX;
	ck_ok(s, store_put_send(s, &p));
	ck_result(call_finish(s), CLV_E_STALE_EPOCH);
	ck_assert_int_eq(sql_int("SELECT count(*) FROM claviger.secret"), 0);
	/* one that has not heard of the newest take-over may write */
	for (p.epoch = TAKEN; p.epoch >= EPOCH; p.epoch -= TAKEN - EPOCH) {
		p.op_id =
		    p.epoch == TAKEN ? "a123456789abcdef" : "b123456789abcdef";
		ck_ok(s, store_put_send(s, &p));
		ck_put(call_finish(s),
		    p.epoch == TAKEN ? CLV_PUT_DONE : CLV_PUT_KNOWN, 2);
	}
	store_rows_fini(&r);
}
END_TEST

START_TEST(name_that_comes_twice_refuses_the_batch)
{
	struct store_row r[2] = {row("a", 1, 'a'), row("a", 2, 'b')};

	ck_result(put_rows(1, 'm', r, 2), CLV_E_DATABASE);
	r[1] = row("a", 1, 'b');
	ck_result(put_rows(1, 'm', r, 2), CLV_E_DATABASE);
	r[1] = row("b", 1, 'a'); /* two operations of one number */
	ck_result(put_rows(1, 'm', r, 2), CLV_E_DATABASE);
	ck_assert_int_eq(sql_int("SELECT counter FROM claviger.manifest"), 1);
	ck_put(put_rows(1, 'm', r, 1), CLV_PUT_DONE, 2);
	/* nor a version that is there */
	ck_result(put(2, "a", 1, 'c'), CLV_E_DATABASE);
	ck_put(put(2, "a", 2, 'c'), CLV_PUT_DONE, 3);
}
END_TEST

START_TEST(rows_out_of_bounds_are_refused_whole)
{
	static char name[130] = {[0 ... 128] = 'x'};
	static uint8_t record[61518];
	struct store_row ok = row("ok", 1, 'o'), r[6];

	for (size_t i = 0; i < 6; i++)
		r[i] = row("a", 1, (char)('a' + i));
	r[0].name = "";
	r[1].name = name;
	r[2].version = 0;
	r[3].version = UINT64_MAX;
	r[4].record = record;
	r[4].record_len = sizeof(record);
	r[5].key_version = UINT64_C(1) << 32;
	for (size_t i = 0; i < 6; i++) {
		struct store_row both[2] = {ok, r[i]};

		if (i == 5)
			ck_put(put_rows(1, 'm', both, 2), CLV_PUT_NEWER_KEY, 1);
		else
			ck_result(put_rows(1, 'm', both, 2), CLV_E_DATABASE);
	}
	ck_assert_int_eq(sql_int("SELECT (SELECT count(*) FROM claviger.secret)"
				 " + (SELECT counter FROM claviger.manifest)"),
	    1);
	r[1].name = name + 1;
	r[4].record_len--;
	ck_put(put_rows(1, 'm', r + 1, 1), CLV_PUT_DONE, 2);
	ck_put(put_rows(2, 'n', r + 4, 1), CLV_PUT_DONE, 3);
	ck_ok(s, get("a", 0, 3));
	ck_assert(col_is(1, 6, record, sizeof(record) - 1));
}
END_TEST

START_TEST(manifest_out_of_bounds_is_refused)
{
	static const char long_name[66] = {[0 ... 64] = 'x'};
	static const uint8_t long_mac[1201];
	static const size_t sizes[][2] = {{31, 16}, {1201, 16}, {32, 15}};
	struct store_row one = row("a", 1, 'a');
	struct store_rows r;

	store_rows_init(&r);
	store_rows_add(&r, &one);
	for (size_t i = 0; i < 3; i++)
		ck_result(
		    call(s, CLV_STMT_PUT_SECRETS, "app", U(EPOCH), U(1),
			long_mac, sizes[i][0], "0123456789abcdef", sizes[i][1],
			&r.names, &r.versions, &r.key_versions, &r.hashes,
			&r.records, &r.keeps, &r.ops),
		    CLV_E_DATABASE);
	store_rows_fini(&r);
	ck_result(init_app(server, "", 1, OP("e")), CLV_E_DATABASE);
	ck_result(init_app(server, long_name, 1, OP("e")), CLV_E_DATABASE);
	ck_result(init_app(server, "b", 0, OP("e")), CLV_E_DATABASE);
	ck_ok(server, init_app(server, long_name + 1, 1, OP("e")));
	ck_assert_int_eq(sql_int("SELECT (SELECT count(*) FROM claviger.secret)"
				 " + (SELECT sum(counter)"
				 " FROM claviger.manifest)"),
	    2);
}
END_TEST

/* Of the arrays of a row, the n-th has one element less, or a short one. */
static void
put_lame(unsigned n, bool is_short)
{
	struct store_row one = row("a", 1, 'a');
	struct store_rows r;
	struct clv_buf *arrays[] = {&r.names, &r.versions, &r.key_versions,
	    &r.hashes, &r.records, &r.ops};
	struct store_put p = {
	    "app", EPOCH, 1, mac, "0123456789abcdef", &r, {{0}, {0}}};

	store_rows_init(&r);
	store_rows_add(&r, &one);
	clv_buf_fini(arrays[n]);
	clv_array_begin(arrays[n], n == 0  ? CLV_ARRAY_TEXT
				   : n < 3 ? CLV_ARRAY_INT8
					   : CLV_ARRAY_BYTEA);
	if (is_short)
		clv_array_add(arrays[n], "short", 5);
	ck_ok(s, store_put_send(s, &p));
	ck_result(call_finish(s), CLV_E_DATABASE);
	store_rows_fini(&r);
}

START_TEST(arrays_of_different_lengths_are_refused)
{
	for (unsigned n = 0; n < 6; n++)
		put_lame(n, false);
	put_lame(3, true); /* hashes and ids have one length */
	put_lame(5, true);
	ck_assert_int_eq(sql_int("SELECT (SELECT count(*) FROM claviger.secret)"
				 " + (SELECT counter FROM claviger.manifest)"),
	    1);
}
END_TEST

START_TEST(hostile_names_are_only_data)
{
	static const char *const names[] = {"'; DROP TABLE claviger.secret; --",
	    "\"{}\", \\ NULL", "null", "{a,b}", "\xc3\xa9\xe2\x82\xac"};

	for (uint64_t i = 0; i < 5; i++) {
		ck_put(put(1 + i, names[i], 1, (char)('a' + i)), CLV_PUT_DONE,
		    2 + i);
		ck_ok(s, get(names[i], 0, 2 + i));
		ck_assert(col_is(1, 1, names[i], strlen(names[i])));
	}
	ck_result(put(6, "\xff\xfe", 1, 'z'), CLV_E_DATABASE);
}
END_TEST

static void
add_writes(Suite *suite)
{
	TCase *t = tcase_create("writes");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, with_app, leave_app);
	tcase_add_test(t, deleted_secret_leaves_a_tombstone_with_a_version);
	tcase_add_test(t, tombstone_and_record_cannot_be_mixed);
	tcase_add_test(t, versions_are_pruned_to_keep);
	tcase_add_test(t, repeated_batch_is_told_that_it_was_done);
	tcase_add_test(t, done_operations_are_found_pruned_ones_too);
	tcase_add_test(
	    t, operations_of_pruned_versions_are_forgotten_after_a_day);
	tcase_add_test(t, write_on_top_of_another_counter_is_a_conflict);
	tcase_add_test(t, only_the_newest_data_key_is_taken);
	tcase_add_test(t, write_to_an_application_that_is_gone_is_refused);
	tcase_add_test(t, database_older_than_what_a_member_saw_is_refused);
	tcase_add_test(t, name_that_comes_twice_refuses_the_batch);
	tcase_add_test(t, rows_out_of_bounds_are_refused_whole);
	tcase_add_test(t, manifest_out_of_bounds_is_refused);
	tcase_add_test(t, arrays_of_different_lengths_are_refused);
	tcase_add_test(t, hostile_names_are_only_data);
	suite_add_tcase(suite, t);
}

int
main(void)
{
	Suite *suite = suite_create("store_put");
	int rc = rig_start();

	if (rc != 0)
		return rc;
	add_writes(suite);
	return rig_run(suite);
}
