/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <stdio.h>
#include <string.h>

#include <claviger/guard.h>
#include <claviger/result.h>
#include "daemon/keeper/audit_row.h"

#include "suite.h"

/*
 * The trail as an administrator of the database may leave it: whatever he
 * drops, changes, swaps or plays again is named.
 */
#define ROWS 9

static struct clv_guard *guard;
static struct clv_keyring *keyring, *other;
static struct audit_keys keys;
static struct {
	uint64_t seq;
	struct clv_buf body;
} rows[ROWS + 1];
static size_t n;
static struct audit_head newest;
static struct audit_chain chain;
static char said[1024];

static void
on_found(void *arg, uint64_t seq, const char *what)
{
	size_t len = strlen(said);

	ck_assert_ptr_eq(arg, &chain);
	snprintf(said + len, sizeof(said) - len, "%llu %s\n",
	    (unsigned long long)seq, what);
}

static void
write_row(const struct clv_keyring *k, uint64_t seq, const char *object,
    uint64_t lost)
{
	struct audit_row r = {.time_s = 1800000000 + seq,
	    .epoch = 513,
	    .node = "n1",
	    .who = "root",
	    .operation = "member-add",
	    .result = "ok",
	    .lost = lost};
	struct clv_buf fields;

	snprintf(r.object, sizeof(r.object), "%s", object);
	clv_buf_init(&fields);
	audit_fields_format(&r, &fields);
	ck_assert_int_eq(
	    audit_row_seal(&fields, seq, k, &newest, &rows[n].body), CLV_OK);
	rows[n++].seq = seq;
	clv_buf_fini(&fields);
}

static void
set_up(void)
{
	char object[32];

	ck_assert_int_eq(clv_guard_new(1 << 16, &guard), CLV_OK);
	ck_assert_int_eq(clv_keyring_new(guard, &keyring), CLV_OK);
	ck_assert_int_eq(clv_keyring_new(guard, &other), CLV_OK);
	memset(rows, 0, sizeof(rows));
	memset(&newest, 0, sizeof(newest));
	memset(&chain, 0, sizeof(chain));
	n = 0;
	for (uint64_t i = 1; i <= ROWS; i++) {
		snprintf(object, sizeof(object), "host%u", (unsigned)i);
		write_row(keyring, i, object, 0);
	}
	memcpy(keys.pk[0], clv_keyring_sign_pk(keyring), CLV_SIGN_PK_LEN);
	keys.n = 1;
}

static void
tear_down(void)
{
	for (size_t i = 0; i <= ROWS; i++)
		clv_buf_fini(&rows[i].body);
	clv_keyring_free(&keyring);
	clv_keyring_free(&other);
	clv_guard_free_all(&guard);
}

static void
walk(uint64_t from)
{
	struct audit_row r;

	said[0] = '\0';
	chain.found = on_found;
	chain.arg = &chain;
	audit_chain_begin(&chain, &keys, from);
	for (size_t i = 0; i < n; i++)
		if (rows[i].seq >= from)
			(void)audit_chain_row(&chain, rows[i].seq,
			    rows[i].body.data, rows[i].body.len, &r);
	audit_chain_end(&chain);
}

/* What is there is what was written; or the first thing that is not. */
static void
finds(const char *text)
{
	walk(1);
	ck_assert_msg(strncmp(said, text, strlen(text)) == 0,
	    "said '%s', not '%s'", said, text);
	ck_assert_uint_eq(chain.faults == 0, text[0] == '\0');
	if (text[0] == '\0')
		ck_assert_str_eq(said, "");
}

static void
drop(size_t i)
{
	clv_buf_fini(&rows[i].body);
	memmove(&rows[i], &rows[i + 1], (n - i - 1) * sizeof(rows[0]));
	n--;
	memset(&rows[n], 0, sizeof(rows[n]));
}

START_TEST(whole_trail_is_as_it_was_written)
{
	chain.seen = newest;
	finds("");
	ck_assert_uint_eq(chain.rows, ROWS);
	walk(4);
	ck_assert_str_eq(said, "");
	ck_assert_uint_eq(chain.rows, ROWS - 3);
}
END_TEST

START_TEST(every_changed_byte_of_every_row_is_named)
{
	char text[64];

	for (size_t i = 0; i < ROWS; i++) {
		snprintf(text, sizeof(text), "%zu row %zu was changed", i + 1,
		    i + 1);
		for (size_t at = 0; at < rows[i].body.len; at++) {
			rows[i].body.data[at] ^= 1;
			finds(text);
			ck_assert_uint_eq(chain.faults, 1);
			ck_assert_uint_eq(chain.first, i + 1);
			rows[i].body.data[at] ^= 1;
		}
	}
	finds("");
}
END_TEST

START_TEST(every_truncation_is_named)
{
	size_t whole = rows[4].body.len;

	for (size_t len = 0; len < whole; len++) {
		rows[4].body.len = len;
		finds("5 row 5 was changed");
	}
	rows[4].body.len = whole;
	finds("");
}
END_TEST

START_TEST(dropped_rows_are_named)
{
	drop(4);
	finds("5 row 5 is missing\n");
	ck_assert_uint_eq(chain.faults, 1);
	drop(4);
	finds("5 rows 5 to 6 are missing\n");
	drop(0);
	finds("1 row 1 is missing\n5 rows 5 to 6 are missing\n");
}
END_TEST

START_TEST(dropped_end_is_named_by_what_was_seen)
{
	drop(ROWS - 1);
	finds(""); /* the rows by themselves cannot tell */
	chain.seen = newest;
	finds("9 row 9 is missing at the end\n");
	while (n > 0)
		drop(n - 1);
	finds("1 rows 1 to 9 are missing at the end\n");
}
END_TEST

/* The numbers in front put in order again. */
START_TEST(dropped_row_that_the_rest_closes_up_to_is_named)
{
	drop(4);
	for (size_t i = 4; i < n; i++)
		rows[i].seq--;
	finds("5 in the place of row 5 stands row 6\n");
}
END_TEST

START_TEST(swapped_rows_are_named)
{
	rows[2].seq = 7;
	rows[6].seq = 3;
	struct clv_buf third = rows[2].body;
	rows[2].body = rows[6].body;
	rows[6].body = third;
	rows[2].seq = 3;
	rows[6].seq = 7;
	finds("3 in the place of row 3 stands row 7\n"
	      "7 in the place of row 7 stands row 3\n");
	ck_assert_uint_eq(chain.faults, 2);
}
END_TEST

START_TEST(row_that_is_played_again_is_named)
{
	clv_buf_raw(&rows[n].body, rows[1].body.data, rows[1].body.len);
	rows[n].seq = ROWS + 1;
	n++;
	finds("10 in the place of row 10 stands row 2\n");
}
END_TEST

START_TEST(row_of_another_system_is_named)
{
	newest.seq = 0;
	clv_buf_fini(&rows[5].body);
	n = 5;
	write_row(other, 6, "host6", 0);
	n = ROWS;
	finds("6 row 6 was changed: signature does not verify");
}
END_TEST

/* Set back, and then written on by a server that was not told: both halves are
 * signed. */
START_TEST(other_end_is_named_by_what_was_seen)
{
	struct audit_head was = newest;

	for (int i = 0; i < 3; i++)
		drop(n - 1);
	audit_row_link(
	    rows[n - 1].body.data, rows[n - 1].body.len, newest.link);
	for (uint64_t seq = 7; seq <= 9; seq++)
		write_row(keyring, seq, "other", 0);
	finds("");
	chain.seen = was;
	finds("9 row 9 is another one than was written");
}
END_TEST

START_TEST(row_of_another_history_does_not_follow)
{
	clv_buf_fini(&rows[4].body);
	memset(newest.link, 7, sizeof(newest.link));
	n = 4;
	write_row(keyring, 5, "host5", 0);
	n = ROWS;
	finds("5 row 5 does not follow the row before it");
}
END_TEST

/* A new signing key: what the one before has signed stays good, and it signs
 * nothing any more. */
START_TEST(replaced_key_signs_no_more)
{
	memcpy(keys.pk[1], clv_keyring_sign_pk(other), CLV_SIGN_PK_LEN);
	keys.n = 2;
	finds("");
	clv_buf_fini(&rows[8].body);
	clv_buf_fini(&rows[7].body);
	n = 7;
	audit_row_link(rows[6].body.data, rows[6].body.len, newest.link);
	write_row(other, 8, "host8", 0);
	ck_assert_uint_eq(n, 8);
	walk(1); /* of another system, for this test has two keyrings */
	ck_assert_str_eq(said, "8 row 8 is of another system\n");
	write_row(keyring, 9, "host9", 0);
	walk(1);
	ck_assert_ptr_nonnull(strstr(
	    said, "9 row 9 is signed by a key that was replaced before\n"));
}
END_TEST

START_TEST(what_could_not_be_kept_is_counted)
{
	write_row(keyring, ROWS + 1, "host", 17);
	finds("");
	ck_assert_uint_eq(chain.lost, 17);
}
END_TEST

START_TEST(text_of_others_is_cut_and_made_printable)
{
	struct audit_row r = {.lost = 0}, back;
	struct audit_head head = {0};
	struct clv_buf fields, row;
	unsigned key = 0;

	memset(r.text, 'x', sizeof(r.text) - 1);
	memcpy(r.who, "a\nb\x1b\xc3\xa4", 7);
	clv_buf_init(&fields);
	clv_buf_init(&row);
	audit_fields_format(&r, &fields);
	ck_assert_int_eq(
	    audit_row_seal(&fields, 1, keyring, &head, &row), CLV_OK);
	ck_assert_int_eq(
	    audit_row_read(row.data, row.len, &keys, &key, &back), CLV_OK);
	ck_assert_str_eq(back.who, "a?b???");
	ck_assert_str_eq(back.text, r.text);
	clv_buf_raw(&row, "", 1);
	ck_assert_int_eq(audit_row_read(row.data, row.len, &keys, &key, &back),
	    CLV_E_SIGNATURE);
	clv_buf_fini(&row);
	clv_buf_fini(&fields);
}
END_TEST

START_TEST(every_changed_byte_of_the_file_is_found)
{
	struct audit_file f = {.seen = newest, .lost = 3}, back;
	struct clv_buf b;

	memset(f.system_id, 5, sizeof(f.system_id));
	clv_buf_init(&b);
	audit_file_format(&f, &b);
	ck_assert_uint_le(b.len, AUDIT_FILE_MAX);
	for (size_t i = 0; i < b.len; i++) {
		b.data[i] ^= 1;
		ck_assert_int_eq(
		    audit_file_parse(b.data, b.len, &back), CLV_E_DAMAGED);
		b.data[i] ^= 1;
		ck_assert_int_eq(
		    audit_file_parse(b.data, i, &back), CLV_E_DAMAGED);
	}
	ck_assert_int_eq(audit_file_parse(b.data, b.len, &back), CLV_OK);
	ck_assert_mem_eq(&back, &f, sizeof(f));
	clv_buf_fini(&b);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("audit");
	TCase *t = tcase_create("chain");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, whole_trail_is_as_it_was_written);
	tcase_add_test(t, every_changed_byte_of_every_row_is_named);
	tcase_add_test(t, every_truncation_is_named);
	tcase_add_test(t, dropped_rows_are_named);
	tcase_add_test(t, dropped_end_is_named_by_what_was_seen);
	tcase_add_test(t, dropped_row_that_the_rest_closes_up_to_is_named);
	tcase_add_test(t, swapped_rows_are_named);
	tcase_add_test(t, row_that_is_played_again_is_named);
	tcase_add_test(t, row_of_another_system_is_named);
	tcase_add_test(t, other_end_is_named_by_what_was_seen);
	tcase_add_test(t, row_of_another_history_does_not_follow);
	tcase_add_test(t, replaced_key_signs_no_more);
	tcase_add_test(t, what_could_not_be_kept_is_counted);
	tcase_add_test(t, text_of_others_is_cut_and_made_printable);
	tcase_add_test(t, every_changed_byte_of_the_file_is_found);
	suite_add_tcase(suite, t);
	return suite_run(suite);
}
