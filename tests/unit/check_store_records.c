/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "store_app.h"

/* Re-encryption: records under older data keys, rewritten in place. */

struct records {
	struct clv_buf names, versions, key_versions, hashes, records;
};

static struct clv_store *member;

/* Names a to c with two versions, d with a tombstone on top, and data key 2;
 * the manifest is at counter 4. */
static void
with_records(void)
{
	static const char *const names[] = {"a", "b", "c", "d"};
	struct store_row r[4];

	with_app();
	for (uint64_t version = 1; version <= 2; version++) {
		for (size_t i = 0; i < 4; i++)
			r[i] = row(names[i], version,
			    (char)((version == 1 ? 'a' : 'A') + (int)i));
		if (version == 2) {
			r[3].record_len = 0;
			r[3].key_version = 0;
		}
		ck_put(put_rows(version, (char)('0' + version), r, 4),
		    CLV_PUT_DONE, 1 + version);
	}
	ck_ok(
	    server, call(server, CLV_STMT_ADD_KEY, U(TAKEN), A, OP("k"), "app",
			U(3), mac, sizeof(mac), U(2), U(1), STR("key 2")));
	member = s;
	s = server;
	server = NULL;
}

static void
leave(void)
{
	clv_store_free(&member);
	leave_app();
}

static void
records_init(struct records *r)
{
	clv_buf_init(&r->names);
	clv_buf_init(&r->versions);
	clv_buf_init(&r->key_versions);
	clv_buf_init(&r->hashes);
	clv_buf_init(&r->records);
	clv_array_begin(&r->names, CLV_ARRAY_TEXT);
	clv_array_begin(&r->versions, CLV_ARRAY_INT8);
	clv_array_begin(&r->key_versions, CLV_ARRAY_INT8);
	clv_array_begin(&r->hashes, CLV_ARRAY_BYTEA);
	clv_array_begin(&r->records, CLV_ARRAY_BYTEA);
}

static void
records_fini(struct records *r)
{
	clv_buf_fini(&r->names);
	clv_buf_fini(&r->versions);
	clv_buf_fini(&r->key_versions);
	clv_buf_fini(&r->hashes);
	clv_buf_fini(&r->records);
}

static void
records_add_sized(struct records *r, const char *name, uint64_t version,
    size_t hash_len, size_t record_len)
{
	static uint8_t record[61518] = "new record";

	clv_array_add(&r->names, name, strlen(name));
	clv_array_add_u64(&r->versions, version);
	clv_array_add_u64(&r->key_versions, 2);
	clv_array_add(&r->hashes, "a hash of the new record .......", hash_len);
	clv_array_add(&r->records, record, record_len);
}

static void
records_add(struct records *r, const char *name, uint64_t version)
{
	records_add_sized(r, name, version, 32, 10);
}

static int
put_records(struct records *r, uint64_t counter, const char *op)
{
	return call(s, CLV_STMT_PUT_RECORDS, U(TAKEN), A, op, (size_t)16, "app",
	    counter, mac, sizeof(mac), &r->names, &r->versions,
	    &r->key_versions, &r->hashes, &r->records);
}

START_TEST(records_under_older_keys_come_in_pages)
{
	static const char want[] = "a1 a2+b1 b2+c1 c2+d1 ";

	for (uint64_t n = 1; n < 9; n++) {
		uint64_t version = 0;
		char name[64] = "", all[128] = "", one[80];
		size_t rows, len = 0;
		const char *p;

		do {
			ck_ok(s, call(s, CLV_STMT_GET_RECORDS, "app", U(2),
				     name, version, n));
			rows = clv_store_rows(s);
			for (size_t i = 0; i < rows; i++) {
				p = clv_store_get(s, i, 0, &len);
				snprintf(
				    name, sizeof(name), "%.*s", (int)len, p);
				version = clv_store_get_u64(s, i, 1);
				ck_num(i, 3, 1);
				ck_col(i, 4, "a record");
				snprintf(one, sizeof(one), "%s%u%c", name,
				    (unsigned)version,
				    clv_store_get_bool(s, i, 2) ? '+' : ' ');
				strcat(all, one);
			}
		} while (rows == n);
		ck_assert_str_eq(all, want);
	}
	ck_ok(s, call(s, CLV_STMT_GET_RECORDS, "app", U(1), "", U(0), U(9)));
	ck_assert_uint_eq(clv_store_rows(s), 0);
}
END_TEST

START_TEST(rewritten_records_move_the_manifest_and_the_newest_rows)
{
	struct records r;

	records_init(&r);
	records_add(&r, "a", 1);
	records_add(&r, "a", 2);
	records_add(&r, "c", 2);
	ck_put(put_records(&r, 4, "a123456789abcdef"), CLV_PUT_DONE, 5);
	records_fini(&r);
	ck_ok(s, call(s, CLV_STMT_GET_CHANGES, "app", U(5), "", U(9)));
	ck_assert_uint_eq(clv_store_rows(s), 3);
	ck_col(0, 0, "a");
	ck_num(0, 1, 2);
	ck_col(0, 3, "a hash of the new record .......");
	ck_col(1, 0, "c");
	ck_num(2, 5, 5);
	ck_assert(col_is(2, 6, mac, sizeof(mac)));
	ck_ok(s, call(s, CLV_STMT_GET_SECRET, "app", "a", U(1), U(5), U(9)));
	ck_num(1, 4, 2);
	ck_num(1, 7, 2); /* the older version's counter stays */
	ck_col(1, 6, "new record");
	ck_ok(s, call(s, CLV_STMT_GET_RECORDS, "app", U(2), "", U(0), U(9)));
	ck_assert_uint_eq(clv_store_rows(s), 4);
}
END_TEST

START_TEST(rewriting_is_repeated_or_refused_as_a_put_is)
{
	struct records r;

	records_init(&r);
	records_add(&r, "a", 2);
	ck_put(put_records(&r, 3, "a123456789abcdef"), CLV_PUT_CONFLICT, 4);
	ck_put(put_records(&r, 4, "a123456789abcdef"), CLV_PUT_DONE, 5);
	ck_put(put_records(&r, 4, "a123456789abcdef"), CLV_PUT_REPEATED, 5);
	ck_put(put_records(&r, 4, "b123456789abcdef"), CLV_PUT_CONFLICT, 5);
	/* it has that key already */
	ck_result(put_records(&r, 5, "b123456789abcdef"), CLV_E_STALE);
	records_add(&r, "d", 2); /* a tombstone has none */
	ck_result(put_records(&r, 5, "b123456789abcdef"), CLV_E_STALE);
	records_fini(&r);
	records_init(&r);
	records_add(&r, "b", 2);
	records_add(&r, "b", 3); /* not there */
	ck_result(put_records(&r, 5, "b123456789abcdef"), CLV_E_STALE);
	ck_assert_int_eq(sql_int("SELECT counter FROM claviger.manifest"), 5);
	ck_assert_int_eq(sql_int("SELECT count(*) FROM claviger.secret"
				 " WHERE key_version = 2"),
	    1);
	records_fini(&r);
}
END_TEST

START_TEST(rewritten_record_out_of_bounds_is_refused)
{
	static const size_t sizes[][2] = {{32, 0}, {32, 61518}, {31, 10}};
	struct records r;

	for (size_t i = 0; i < 3; i++) {
		records_init(&r);
		records_add(&r, "a", 1);
		records_add_sized(&r, "a", 2, sizes[i][0], sizes[i][1]);
		ck_result(
		    put_records(&r, 4, "a123456789abcdef"), CLV_E_DATABASE);
		records_fini(&r);
	}
	ck_assert_int_eq(sql_int("SELECT count(*) FROM claviger.secret"
				 " WHERE key_version = 2"),
	    0);
	records_init(&r);
	records_add_sized(&r, "a", 2, 32, 61517);
	ck_put(put_records(&r, 4, "a123456789abcdef"), CLV_PUT_DONE, 5);
	records_fini(&r);
}
END_TEST

START_TEST(member_that_writes_meanwhile_is_not_overwritten)
{
	struct records r;
	struct store_row one = row("a", 3, 'x');

	records_init(&r);
	records_add(&r, "a", 2);
	server = s;
	s = member;
	one.key_version = 2;
	ck_put(put_rows(4, 'x', &one, 1), CLV_PUT_DONE, 5);
	s = server;
	server = NULL;
	ck_put(put_records(&r, 4, "a123456789abcdef"), CLV_PUT_CONFLICT, 5);
	/* anew: it is not the newest version any more */
	ck_put(put_records(&r, 5, "a123456789abcdef"), CLV_PUT_DONE, 6);
	ck_ok(s, call(s, CLV_STMT_GET_CHANGES, "app", U(6), "", U(9)));
	ck_assert_uint_eq(clv_store_rows(s), 1);
	records_fini(&r);
}
END_TEST

START_TEST(secrets_are_counted_by_what_is_there)
{
	ck_ok(s, call(s, CLV_STMT_COUNT_SECRETS, "app"));
	ck_num(0, 0, 3); /* the fourth is deleted */
	ck_num(0, 1, 8);
	ck_num(0, 2, 3);
	ck_ok(s, call(s, CLV_STMT_COUNT_SECRETS, "nobody"));
	ck_num(0, 0, 0);
	ck_num(0, 1, 0);
	ck_num(0, 2, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("store_records");
	TCase *t = tcase_create("records");
	int rc = rig_start();

	if (rc != 0)
		return rc;
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, with_records, leave);
	tcase_add_test(t, records_under_older_keys_come_in_pages);
	tcase_add_test(
	    t, rewritten_records_move_the_manifest_and_the_newest_rows);
	tcase_add_test(t, rewriting_is_repeated_or_refused_as_a_put_is);
	tcase_add_test(t, rewritten_record_out_of_bounds_is_refused);
	tcase_add_test(t, member_that_writes_meanwhile_is_not_overwritten);
	tcase_add_test(t, secrets_are_counted_by_what_is_there);
	suite_add_tcase(suite, t);
	return rig_run(suite);
}
