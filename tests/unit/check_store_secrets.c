/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "store_app.h"

/* Reading secrets, as members do, from a real PostgreSQL. */

enum kind { MANIFEST, SECRET, CHANGE };
enum secret_column {
	KIND,
	NAME,
	VERSION,
	DELETED,
	KEY_VERSION,
	HASH,
	RECORD,
	COUNTER
};

START_TEST(written_secret_is_read_with_the_manifest_and_what_changed)
{
	ck_put(put(1, "db/password", 1, 'a'), CLV_PUT_DONE, 2);
	ck_ok(s, get("db/password", 0, 1));
	ck_assert_uint_eq(clv_store_rows(s), 3);
	ck_num(0, KIND, MANIFEST);
	ck_num(0, COUNTER, 2);
	ck_assert(col_is(0, HASH, mac, sizeof(mac)));
	ck_col(0, NAME, "");
	ck_num(1, KIND, SECRET);
	ck_col(1, NAME, "db/password");
	ck_num(1, VERSION, 1);
	ck_assert(!clv_store_get_bool(s, 1, DELETED));
	ck_num(1, KEY_VERSION, 1);
	ck_col(1, HASH, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	ck_col(1, RECORD, "a record");
	ck_num(1, COUNTER, 2);
	ck_num(2, KIND, CHANGE);
	ck_col(2, NAME, "db/password");
	ck_col(2, RECORD, "");
	ck_num(2, COUNTER, 2);
	/* whoever knows that gets it no more, and of the manifest the head */
	ck_ok(s, get("db/password", 0, 2));
	ck_assert_uint_eq(clv_store_rows(s), 2);
	ck_num(0, COUNTER, 2);
	ck_assert(col_is(0, HASH, mac, CLV_MANIFEST_HEAD_LEN));
	ck_ok(s, get("db/password", 0, INT64_MAX));
	ck_assert(col_is(0, HASH, mac, CLV_MANIFEST_HEAD_LEN));
}
END_TEST

START_TEST(newest_version_is_read_unless_another_is_asked_for)
{
	ck_put(put(1, "a", 1, 'a'), CLV_PUT_DONE, 2);
	ck_put(put(2, "a", 2, 'b'), CLV_PUT_DONE, 3);
	ck_put(put(3, "b", 7, 'c'), CLV_PUT_DONE, 4);
	for (uint64_t version = 0; version < 4; version++) {
		ck_ok(s, get("a", version, 4));
		ck_assert_uint_eq(clv_store_rows(s), version < 3 ? 2 : 1);
		if (version < 3)
			ck_num(1, VERSION, version == 0 ? 2 : version);
	}
	ck_ok(s, get("nobody", 0, 4));
	ck_assert_uint_eq(clv_store_rows(s), 1);
	ck_ok(s, get("a", UINT64_MAX, 4));
	ck_assert_uint_eq(clv_store_rows(s), 1);
	/* what changed comes even when the secret does not */
	ck_ok(s, get("nobody", 0, 2));
	ck_assert_uint_eq(clv_store_rows(s), 3);
	ck_num(1, KIND, CHANGE);
	ck_num(1, COUNTER, 3);
	ck_num(2, COUNTER, 4);
}
END_TEST

START_TEST(application_that_is_not_there_has_no_rows)
{
	ck_ok(s, call(s, CLV_STMT_GET_SECRET, "nobody", "a", U(0), U(0), U(9)));
	ck_assert_uint_eq(clv_store_rows(s), 0);
	ck_ok(s, call(s, CLV_STMT_GET_CHANGES, "nobody", U(0), "", U(9)));
	ck_assert_uint_eq(clv_store_rows(s), 0);
	ck_ok(s, call(s, CLV_STMT_GET_KEYS, "nobody"));
	ck_assert_uint_eq(clv_store_rows(s), 0);
	ck_ok(s, call(s, CLV_STMT_HISTORY, "nobody", "a"));
	ck_assert_uint_eq(clv_store_rows(s), 0);
}
END_TEST

START_TEST(changes_are_those_of_the_current_rows)
{
	ck_put(put(1, "a", 1, 'a'), CLV_PUT_DONE, 2);
	ck_put(put(2, "b", 1, 'b'), CLV_PUT_DONE, 3);
	ck_put(put(3, "a", 2, 'c'), CLV_PUT_DONE, 4);
	ck_ok(s, get("a", 1, 1));
	ck_assert_uint_eq(clv_store_rows(s), 2 + 2);
	ck_num(1, VERSION, 1);
	ck_col(2, NAME, "b");
	ck_col(3, NAME, "a");
	ck_num(3, VERSION, 2);
}
END_TEST

START_TEST(changes_are_cut_at_the_limit)
{
	char name[] = "a";

	for (uint64_t i = 0; i < 5; i++, name[0]++)
		ck_put(put(1 + i, name, 1, name[0]), CLV_PUT_DONE, 2 + i);
	ck_ok(s, call(s, CLV_STMT_GET_SECRET, "app", "a", U(0), U(2), U(3)));
	ck_assert_uint_eq(clv_store_rows(s), 2 + 3);
	ck_num(2, COUNTER, 3);
	ck_num(4, COUNTER, 5);
	ck_num(0, COUNTER, 6);
}
END_TEST

static long long
whole_scans(void)
{
	return sql_int("SELECT sum(seq_scan) FROM pg_stat_xact_all_tables"
		       " WHERE schemaname = 'claviger'"
		       " AND relname IN ('secret', 'op', 'manifest')");
}

/* A connection keeps its plans: they must not be those of empty tables. */
START_TEST(tables_that_were_empty_are_searched_by_index)
{
	long long before;

	sql("BEGIN");
	before = whole_scans();
	for (int i = 0; i < 10; i++)
		sql("SELECT claviger.get_secret('app', 'name%d', 0, 1, 100)",
		    i);
	for (int i = 0; i < 10; i++)
		sql("SELECT claviger.put_secrets('app', %u, %d,"
		    " decode(repeat('00', 32), 'hex'), 'batch %d op id 16',"
		    " '{a}', '{%d}', '{1}', ARRAY[decode(repeat('00', 32),"
		    " 'hex')], '{record}', '{0}', '{row %d op ident16}')",
		    EPOCH, 1 + i, i, 1 + i, i);
	ck_assert_int_eq(sql_int("SELECT counter FROM claviger.get_secret("
				 "'app', 'a', 0, 99, 1) WHERE kind = 0"),
	    11);
	ck_assert_int_eq(whole_scans(), before);
	sql("COMMIT");
}
END_TEST

/* A write changes the manifest's row where it stands, of whatever size it may
 * be: no index, and no other table, has a part of it. */
START_TEST(manifest_stays_in_its_place)
{
	sql("DELETE FROM claviger.manifest");
	sql("INSERT INTO claviger.manifest SELECT repeat('a', 64), 1,"
	    " substr(string_agg(sha512(i::text::bytea), ''), 1, 1200),"
	    " '0123456789abcdef', 1 FROM generate_series(1, 19) i");
	for (int i = 1; i <= 40; i++) {
		sql("SELECT claviger.put_secrets(app, %u, %d, mac,"
		    " 'batch %d op id 1', '{a}', '{%d}', '{1}',"
		    " ARRAY[substr(mac, 1, 32)], '{record}', '{0}',"
		    " '{row %d op ident1}') FROM claviger.manifest",
		    EPOCH, i, 10 + i, i, 10 + i);
		sql("SELECT pg_stat_force_next_flush()");
	}
	ck_assert_int_eq(sql_int("SELECT counter FROM claviger.manifest"), 41);
	ck_assert_int_eq(sql_int("SELECT octet_length(mac) FROM"
				 " claviger.manifest"),
	    1200);
	sql("SELECT pg_stat_force_next_flush()");
	ck_assert_int_eq(
	    sql_int("SELECT count(*) FROM pg_stat_all_tables WHERE relid ="
		    " 'claviger.manifest'::regclass AND n_tup_upd >= 40"
		    " AND n_tup_hot_upd = n_tup_upd"),
	    1);
	ck_assert_int_eq(
	    sql_int("SELECT pg_relation_size(reltoastrelid) FROM pg_class"
		    " WHERE oid = 'claviger.manifest'::regclass"),
	    0);
}
END_TEST

/* The names of all pages of n rows, one after the other. */
static void
read_pages(uint64_t n, char *names, void (*between)(void))
{
	uint64_t counter = 0;
	char after[64] = "";
	size_t rows, len = 0;
	const char *p;

	*names = '\0';
	do {
		ck_ok(
		    s, call(s, CLV_STMT_GET_CHANGES, "app", counter, after, n));
		rows = clv_store_rows(s) - 1;
		ck_assert_uint_le(rows, n);
		ck_col(rows, 0, ""); /* the manifest comes last */
		ck_assert(col_is(rows, 6, mac, sizeof(mac)));
		for (size_t i = 0; i < rows; i++) {
			p = clv_store_get(s, i, 0, &len);
			snprintf(after, sizeof(after), "%.*s", (int)len, p);
			ck_assert_uint_ge(clv_store_get_u64(s, i, 4), counter);
			counter = clv_store_get_u64(s, i, 4);
			ck_num(i, 5, 0);
			ck_col(i, 6, "");
			strcat(names, after);
			strcat(names, " ");
		}
		if (between != NULL)
			between();
	} while (rows == n);
}

static void
write_seven(void)
{
	static const char *const names[] = {"d", "B", "a", "c/x", "c.x"};
	struct store_row r[5];

	for (size_t i = 0; i < 5; i++)
		r[i] = row(names[i], 1, (char)('a' + i));
	ck_put(put_rows(1, 'm', r, 5), CLV_PUT_DONE, 2);
	r[0] = row("a", 2, 'x');
	r[1] = row("e", 1, 'y');
	ck_put(put_rows(2, 'n', r, 2), CLV_PUT_DONE, 3);
}

START_TEST(pages_of_any_size_hold_every_current_row_once)
{
	char names[256];

	write_seven();
	for (uint64_t n = 1; n < 9; n++) {
		read_pages(n, names, NULL);
		/* bytewise at the same counter, whatever the locale */
		ck_assert_str_eq(names, "B c.x c/x d a e ");
	}
}
END_TEST

static unsigned between_count;

static void
write_between(void)
{
	if (between_count++ == 0)
		ck_put(put(3, "B", 2, 'z'), CLV_PUT_DONE, 4);
}

START_TEST(write_between_two_pages_comes_at_the_end)
{
	char names[256];

	write_seven();
	between_count = 0;
	read_pages(2, names, write_between);
	ck_assert_str_eq(names, "B c.x c/x d a e B ");
	ck_ok(s, call(s, CLV_STMT_GET_CHANGES, "app", U(4), "", U(9)));
	ck_assert_uint_eq(clv_store_rows(s), 2);
	ck_num(0, 1, 2);
	ck_num(1, 5, 4);
}
END_TEST

/* Whoever owns the database may answer anything. */
static void
forge(const char *columns, const char *values)
{
	sql("DROP FUNCTION claviger.get_keys(text)");
	sql("CREATE FUNCTION claviger.get_keys(text, OUT version"
	    " bigint, OUT generation bigint, OUT wrapped bytea)"
	    " RETURNS SETOF record SECURITY DEFINER LANGUAGE sql"
	    " AS $$SELECT %s %s$$",
	    columns, values);
}

START_TEST(hostile_rows_are_bounded_or_refused)
{
	size_t len = 0;

	ck_ok(s, call(s, CLV_STMT_GET_KEYS, "app"));
	forge("1::bigint, 1::bigint,", "repeat('x', 20000000)::bytea");
	ck_ok(s, call(s, CLV_STMT_GET_KEYS, "app"));
	ck_assert_ptr_nonnull(clv_store_get(s, 0, 2, &len));
	ck_assert_uint_eq(len, 20000000);
	ck_assert_ptr_null(clv_store_get(s, 1, 0, &len));
	ck_assert_ptr_null(clv_store_get(s, 0, 3, &len));
	forge("1::bigint, NULL::bigint,", "''::bytea");
	ck_result(call(s, CLV_STMT_GET_KEYS, "app"), CLV_E_DATABASE);
	ck_assert_uint_eq(clv_store_rows(s), 0);
	forge("1::bigint, 1::bigint,", "NULL::bytea");
	ck_result(call(s, CLV_STMT_GET_KEYS, "app"), CLV_E_DATABASE);
	forge("i, i,", "''::bytea FROM generate_series(1::bigint, 100000) i");
	ck_ok(s, call(s, CLV_STMT_GET_KEYS, "app"));
	ck_assert_uint_eq(clv_store_rows(s), 100000);
	remake_schema();
}
END_TEST

static void
add_reads(Suite *suite)
{
	TCase *t = tcase_create("reads");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, with_app, leave_app);
	tcase_add_test(
	    t, written_secret_is_read_with_the_manifest_and_what_changed);
	tcase_add_test(t, newest_version_is_read_unless_another_is_asked_for);
	tcase_add_test(t, application_that_is_not_there_has_no_rows);
	tcase_add_test(t, tables_that_were_empty_are_searched_by_index);
	tcase_add_test(t, manifest_stays_in_its_place);
	tcase_add_test(t, changes_are_those_of_the_current_rows);
	tcase_add_test(t, changes_are_cut_at_the_limit);
	tcase_add_test(t, pages_of_any_size_hold_every_current_row_once);
	tcase_add_test(t, write_between_two_pages_comes_at_the_end);
	tcase_add_test(t, hostile_rows_are_bounded_or_refused);
	suite_add_tcase(suite, t);
}

int
main(void)
{
	Suite *suite = suite_create("store_secrets");
	int rc = rig_start();

	if (rc != 0)
		return rc;
	add_reads(suite);
	return rig_run(suite);
}
