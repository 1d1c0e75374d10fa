/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>
#include <claviger/manifest.h>

#include "store_rows.h"
#include "store_rig.h"

/* The statements, against a real PostgreSQL. */

static struct clv_store *s;

/* A node in office, epoch TAKEN. */
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

static bool
col_is(size_t row, size_t col, const void *p, size_t len)
{
	size_t got = 0;
	const void *v = clv_store_get(s, row, col, &got);

	return v != NULL && got == len && memcmp(v, p, len) == 0;
}

START_TEST(hello_tells_who_is_in_force)
{
	ck_ok(s, call(s, CLV_STMT_HELLO));
	ck_assert_uint_eq(clv_store_rows(s), 1);
	ck_assert_uint_eq(clv_store_columns(s), 9);
	ck_assert(col_is(0, 0, system_id, 16));
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 1), CLV_SCHEMA_VERSION);
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 2), TAKEN);
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 3), 1);
	ck_assert(col_is(0, 4, node_a, 16));
	ck_assert_uint_gt(clv_store_get_u64(s, 0, 5), 0);
	ck_assert_uint_le(clv_store_get_u64(s, 0, 5), 15000);
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 6), 1);
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 7), 1);
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 8),
	    (uint64_t)sql_int(
		"SELECT system_identifier FROM pg_control_system()"));
}
END_TEST

START_TEST(hello_has_no_row_before_there_is_a_system)
{
	sql("DELETE FROM claviger.system");
	ck_ok(s, call(s, CLV_STMT_HELLO));
	ck_assert_uint_eq(clv_store_rows(s), 0);
	ck_assert_uint_lt(clv_store_get_u64(s, 0, 2), 60);
	ck_result(put_list(s, TAKEN, node_a, "0123456789abcdef", 2),
	    CLV_E_STALE_EPOCH);
	ck_ok(s,
	    call(s, CLV_STMT_TAKE_EPOCH, U(0), U(1), U(1), A, U(1), U(15000)));
	ck_assert(!clv_store_get_bool(s, 0, 1));
}
END_TEST

START_TEST(new_system_holds_what_init_gave)
{
	ck_ok(s, call(s, CLV_STMT_GET_LIST, U(0)));
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 0), 1);
	ck_assert(col_is(0, 1, "list 1", 6));
	ck_ok(s, call(s, CLV_STMT_GET_ESCROW, U(1)));
	ck_assert_uint_eq(clv_store_rows(s), 1);
	ck_ok(s, call(s, CLV_STMT_GET_TLS));
	ck_assert(col_is(0, 1, "tls row", 7));
	ck_ok(s, call(s, CLV_STMT_GET_BACKUPS));
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 0), 1);
	ck_assert(col_is(0, 1, "backup 1", 8));
	ck_assert_int_eq(sql_int("SELECT count(*) FROM claviger.epoch_log"), 2);
}
END_TEST

START_TEST(newest_list_is_not_sent_again)
{
	ck_ok(s, put_list(s, TAKEN, node_a, "0123456789abcdef", 2));
	ck_ok(s, call(s, CLV_STMT_GET_LIST, U(1)));
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 0), 2);
	ck_assert(col_is(0, 1, "another list", 12));
	ck_ok(s, call(s, CLV_STMT_GET_LIST, U(2)));
	ck_assert_uint_eq(clv_store_rows(s), 0);
	/* somebody saw version 3: the database went back, and says so */
	ck_ok(s, call(s, CLV_STMT_GET_LIST, U(3)));
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 0), 2);
}
END_TEST

START_TEST(list_version_must_be_newest_plus_one)
{
	static const uint64_t wrong[] = {0, 1, 3, INT64_MAX, UINT64_MAX};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		ck_result(
		    put_list(s, TAKEN, node_a, "0123456789abcdef", wrong[i]),
		    CLV_E_STALE);
		ck_assert_str_eq(clv_store_sqlstate(s), "CL002");
	}
	/* the refused operation was not noted as done */
	ck_assert_int_eq(sql_int("SELECT count(*) FROM claviger.op"), 0);
	ck_ok(s, put_list(s, TAKEN, node_a, "0123456789abcdef", 2));
}
END_TEST

START_TEST(sixteen_lists_are_kept)
{
	char op[] = "0123456789abcdef";

	for (uint64_t v = 2; v <= 20; v++) {
		op[0] = (char)('A' + v);
		ck_ok(s, put_list(s, TAKEN, node_a, op, v));
	}
	ck_assert_int_eq(sql_int("SELECT count(*) FROM claviger.list"), 16);
	ck_assert_int_eq(sql_int("SELECT min(version) FROM claviger.list"), 5);
}
END_TEST

START_TEST(list_brings_escrow_rows_and_drops_the_join_request)
{
	uint8_t rows[4 + 64 + 4 + 6] = {0, 0, 0, 64};

	escrow_row(rows + 4, 64, 1, 2);
	rows[4 + 64 + 3] = 6;
	escrow_row(rows + 4 + 64 + 4, 6, 2, 2);
	ck_ok(s, call(s, CLV_STMT_PUT_JOIN, "two", STR("body")));
	ck_ok(s, call(s, CLV_STMT_PUT_JOIN, "three", STR("body")));
	ck_ok(s, call(s, CLV_STMT_PUT_LIST, U(TAKEN), A, OP("a"), U(2),
		     STR("list 2"), rows, sizeof(rows), "two", U(1)));
	ck_ok(s, call(s, CLV_STMT_GET_ESCROW, U(1)));
	ck_assert(col_is(0, 0, rows + 4, 64));
	ck_ok(s, call(s, CLV_STMT_GET_ESCROW, U(2)));
	ck_assert(col_is(0, 0, rows + 4 + 64 + 4, 6));
	ck_ok(s, call(s, CLV_STMT_GET_JOINS));
	ck_assert_uint_eq(clv_store_rows(s), 1);
	ck_assert(col_is(0, 0, "three", 5));
}
END_TEST

START_TEST(broken_escrow_rows_refuse_the_whole_list)
{
	static const struct {
		uint8_t p[16];
		size_t len;
	} bad[] = {
	    {{0}, 1},				    /* no length */
	    {{0, 0, 0, 7, 2, 0, 0, 0, 1, 'x'}, 10}, /* too short by one */
	    {{0, 0, 0, 5, 2, 0, 0, 0, 1}, 9},	    /* nothing in it */
	    {{0xff, 0xff, 0xff, 0xff, 2}, 5},
	    {{0, 0, 0, 6, 0, 0, 0, 0, 1, 'x'}, 10},    /* node 0 */
	    {{0, 0, 0, 6, 2, 0, 0, 0, 0, 'x'}, 10},    /* generation 0 */
	    {{0, 0, 0, 6, 2, 0, 0, 0, 1, 'x', 0}, 11}, /* and one more */
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_result(call(s, CLV_STMT_PUT_LIST, U(TAKEN), A, OP("a"), U(2),
			      STR("list 2"), bad[i].p, bad[i].len, "", U(1)),
		    CLV_E_DATABASE);
	ck_assert_int_eq(sql_int("SELECT max(version) FROM claviger.list"), 1);
	ck_assert_int_eq(sql_int("SELECT count(*) FROM claviger.escrow"), 1);
}
END_TEST

START_TEST(list_with_an_older_escrow_copy_is_refused)
{
	uint8_t row[4 + 6] = {0, 0, 0, 6}, newer[6];

	escrow_row(newer, 6, 1, 3);
	escrow_row(row + 4, 6, 1, 2);
	ck_ok(s, call(s, CLV_STMT_PUT_ESCROW, U(1), U(3), newer, (size_t)6));
	ck_result(call(s, CLV_STMT_PUT_LIST, U(TAKEN), A, OP("a"), U(2),
		      STR("list 2"), row, sizeof(row), "", U(1)),
	    CLV_E_STALE);
	ck_assert_int_eq(sql_int("SELECT max(version) FROM claviger.list"), 1);
}
END_TEST

START_TEST(done_operation_is_not_done_again)
{
	ck_ok(s, call(s, CLV_STMT_GET_OP, OP("a")));
	ck_assert(!clv_store_get_bool(s, 0, 0));
	for (int i = 0; i < 3; i++) {
		ck_ok(s, call(s, CLV_STMT_PUT_BACKUP, U(TAKEN), A, OP("a"),
			     U(1), STR("backup 2")));
		ck_assert(clv_store_get_bool(s, 0, 0));
	}
	ck_assert_int_eq(sql_int("SELECT count(*) FROM claviger.backup"), 2);
	ck_ok(s, call(s, CLV_STMT_GET_OP, OP("a")));
	ck_assert(clv_store_get_bool(s, 0, 0));
	for (int i = 0; i < 2; i++)
		ck_ok(s, put_list(s, TAKEN, node_a, "b123456789abcdef", 2));
	ck_assert_int_eq(sql_int("SELECT max(version) FROM claviger.list"), 2);
}
END_TEST

START_TEST(operations_older_than_a_day_are_forgotten)
{
	ck_ok(s, put_list(s, TAKEN, node_a, "a123456789abcdef", 2));
	sql("UPDATE claviger.op SET at = at - interval '25 hours'");
	ck_ok(s, put_list(s, TAKEN, node_a, "b123456789abcdef", 3));
	ck_assert_int_eq(sql_int("SELECT count(*) FROM claviger.op"), 1);
}
END_TEST

START_TEST(escrow_copy_never_goes_back)
{
	uint8_t row[64];

	escrow_row(row, sizeof(row), 2, 5);
	ck_ok(s, call(s, CLV_STMT_PUT_ESCROW, U(2), U(5), row, sizeof(row)));
	ck_assert(clv_store_get_bool(s, 0, 0));
	escrow_row(row, sizeof(row), 2, 4);
	ck_ok(s, call(s, CLV_STMT_PUT_ESCROW, U(2), U(4), row, sizeof(row)));
	ck_assert(!clv_store_get_bool(s, 0, 0));
	ck_assert_int_eq(sql_int("SELECT generation FROM claviger.escrow"
				 " WHERE node = 2"),
	    5);
	ck_ok(s, call(s, CLV_STMT_GET_ESCROW, U(3)));
	ck_assert_uint_eq(clv_store_rows(s), 0);
}
END_TEST

START_TEST(escrow_row_says_its_own_node_and_generation)
{
	uint8_t row[64];

	escrow_row(row, sizeof(row), 2, 1);
	ck_result(call(s, CLV_STMT_PUT_ESCROW, U(3), U(1), row, sizeof(row)),
	    CLV_E_DATABASE);
	ck_result(call(s, CLV_STMT_PUT_ESCROW, U(2), U(2), row, sizeof(row)),
	    CLV_E_DATABASE);
	ck_result(call(s, CLV_STMT_PUT_ESCROW, U(2), U(1), row, (size_t)0),
	    CLV_E_DATABASE);
	ck_assert_int_eq(sql_int("SELECT count(*) FROM claviger.escrow"), 1);
}
END_TEST

START_TEST(newest_certificates_come_first_and_four_are_kept)
{
	uint8_t thumb[32] = {0};
	char op[] = "0123456789abcdef";

	for (uint8_t i = 1; i <= 5; i++) {
		thumb[0] = i;
		op[0] = (char)('A' + i);
		ck_ok(s, call(s, CLV_STMT_PUT_TLS, U(TAKEN), A, op, (size_t)16,
			     thumb, (size_t)32, STR("row")));
	}
	op[0] = 'Z';
	thumb[0] = 3; /* rewrapped */
	ck_ok(s, call(s, CLV_STMT_PUT_TLS, U(TAKEN), A, op, (size_t)16, thumb,
		     (size_t)32, STR("new row")));
	ck_ok(s, call(s, CLV_STMT_GET_TLS));
	ck_assert_uint_eq(clv_store_rows(s), 4);
	thumb[0] = 5;
	ck_assert(col_is(0, 0, thumb, 32));
	ck_assert(col_is(2, 1, "new row", 7));
	thumb[0] = 2;
	ck_assert(col_is(3, 0, thumb, 32));
}
END_TEST

START_TEST(join_requests_are_replaced_by_name_and_bounded)
{
	char name[16];

	for (int i = 0; i < 70; i++) {
		snprintf(name, sizeof(name), "node%02d", i);
		ck_ok(s, call(s, CLV_STMT_PUT_JOIN, name, STR("first")));
	}
	ck_ok(s, call(s, CLV_STMT_PUT_JOIN, name, STR("second")));
	ck_ok(s, call(s, CLV_STMT_GET_JOINS));
	ck_assert_uint_eq(clv_store_rows(s), 64);
	ck_assert(col_is(0, 0, "node06", 6));
	ck_assert(col_is(63, 0, "node69", 6));
	ck_assert(col_is(63, 1, "second", 6));
	ck_assert_uint_lt(clv_store_get_u64(s, 63, 2), 60);
}
END_TEST

START_TEST(acknowledgement_never_goes_back)
{
	uint8_t sig[64] = "signature";

	ck_ok(s, put_list(s, TAKEN, node_a, "a123456789abcdef", 2));
	ck_ok(s, call(s, CLV_STMT_PUT_ACK, U(2), U(2), U(1), sig, sizeof(sig)));
	ck_assert(clv_store_get_bool(s, 0, 0));
	ck_ok(s, call(s, CLV_STMT_PUT_ACK, U(2), U(1), U(1), sig, sizeof(sig)));
	ck_assert(!clv_store_get_bool(s, 0, 0));
	/* a list that is not there cannot be acknowledged */
	ck_ok(s, call(s, CLV_STMT_PUT_ACK, U(2), U(3), U(1), sig, sizeof(sig)));
	ck_assert(!clv_store_get_bool(s, 0, 0));
	ck_ok(s, call(s, CLV_STMT_PUT_ACK, U(2), U(2), U(2), sig, sizeof(sig)));
	ck_ok(s, call(s, CLV_STMT_GET_ACKS));
	ck_assert_uint_eq(clv_store_rows(s), 1);
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 0), 2);
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 1), 2);
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 2), 2);
	ck_assert(col_is(0, 3, sig, sizeof(sig)));
	ck_assert_uint_lt(clv_store_get_u64(s, 0, 4), 60);
}
END_TEST

START_TEST(backups_come_newest_first_and_bounded)
{
	char op[] = "0123456789abcdef";

	for (uint64_t i = 0; i < 40; i++) {
		op[0] = (char)('A' + i);
		ck_ok(s, call(s, CLV_STMT_PUT_BACKUP, U(TAKEN), A, op,
			     (size_t)16, i + 1, STR("body")));
	}
	ck_ok(s, call(s, CLV_STMT_GET_BACKUPS));
	ck_assert_uint_eq(clv_store_rows(s), 32);
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 0), 40);
	ck_assert_uint_eq(clv_store_get_u64(s, 31, 0), 9);
}
END_TEST

/* One version of a secret; record "": deleted. */
static void
put_secret(uint64_t counter, const char *name, uint64_t version,
    const char *record, const char *op)
{
	static const uint8_t zeros[CLV_MANIFEST_MAC_LEN];
	const struct store_row row = {name, version, record[0] != '\0', zeros,
	    record, strlen(record), 0, op};
	struct store_rows rows;
	struct store_put put = {"crm", TAKEN, counter, zeros, op, &rows, {{0}}};

	store_rows_init(&rows);
	store_rows_add(&rows, &row);
	ck_ok(s, store_put_send(s, &put));
	ck_ok(s, call_finish(s));
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 0), CLV_PUT_DONE);
	store_rows_fini(&rows);
}

static void
expect_counts(uint64_t secrets, uint64_t versions, uint64_t keys)
{
	ck_ok(s, call(s, CLV_STMT_COUNT_SECRETS, "crm"));
	ck_assert_uint_eq(clv_store_rows(s), 1);
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 0), secrets);
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 1), versions);
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 2), keys);
}

START_TEST(secrets_of_an_application_are_counted)
{
	static const uint8_t mac[32] = {1};

	expect_counts(0, 0, 0);
	ck_ok(
	    s, call(s, CLV_STMT_INIT_APP, U(TAKEN), A, OP("i"), "crm", U(1),
		   STR("index key"), STR("data key"), mac, sizeof(mac), U(1)));
	expect_counts(0, 0, 2);
	put_secret(1, "a", 1, "record", "a1_____________1");
	put_secret(2, "a", 2, "record", "a2_____________2");
	put_secret(3, "b", 1, "record", "b1_____________3");
	expect_counts(2, 3, 2);
	put_secret(4, "b", 2, "", "b2_____________4");
	expect_counts(1, 4, 2);
	ck_ok(s, call(s, CLV_STMT_DROP_APP, U(TAKEN), A, OP("d"), "crm"));
	ck_assert(clv_store_get_bool(s, 0, 0));
	expect_counts(0, 0, 0);
}
END_TEST

START_TEST(newest_reminders_are_kept_one_a_file)
{
	uint8_t file[32] = {0};
	size_t len;

	for (uint8_t i = 0; i < 66; i++) {
		file[0] = i;
		ck_ok(s, call(s, CLV_STMT_PUT_REMINDER, file, (size_t)32, &i,
			     (size_t)1));
	}
	ck_ok(s,
	    call(s, CLV_STMT_PUT_REMINDER, file, (size_t)32, "new", (size_t)3));
	ck_ok(s, call(s, CLV_STMT_GET_REMINDERS, "", (size_t)0));
	ck_assert_uint_eq(clv_store_rows(s), 64);
	ck_assert_mem_eq(clv_store_get(s, 0, 0, &len), file, 32);
	ck_assert_mem_eq(clv_store_get(s, 0, 1, &len), "new", 3);
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 2), 0);
	ck_assert_uint_eq(*(const uint8_t *)clv_store_get(s, 63, 0, &len), 2);
	file[0] = 1;
	ck_ok(s, call(s, CLV_STMT_GET_REMINDERS, file, (size_t)32));
	ck_assert_uint_eq(clv_store_rows(s), 0);
	file[0] = 7;
	ck_ok(s, call(s, CLV_STMT_GET_REMINDERS, file, (size_t)32));
	ck_assert_uint_eq(clv_store_rows(s), 1);
	ck_result(
	    call(s, CLV_STMT_PUT_REMINDER, file, (size_t)31, "a", (size_t)1),
	    CLV_E_DATABASE);
}
END_TEST

static uint64_t
put_audit(uint64_t last, uint64_t first, const char *a, const char *b)
{
	struct clv_buf rows;
	uint8_t n[2][8];
	struct clv_param p[3];
	int rc;

	clv_buf_init(&rows);
	clv_array_begin(&rows, CLV_ARRAY_BYTEA);
	clv_array_add(&rows, a, strlen(a));
	clv_array_add(&rows, b, strlen(b));
	p[0] = clv_param_u64(last, n[0]);
	p[1] = clv_param_u64(first, n[1]);
	p[2] = clv_param_array(&rows);
	rc = clv_store_run(s, CLV_STMT_PUT_AUDIT, p, 3, TIMEOUT_MS);
	clv_buf_fini(&rows);
	if (rc != CLV_OK)
		return 99;
	return clv_store_get_u64(s, 0, 0);
}

START_TEST(audit_rows_are_put_behind_the_newest_alone)
{
	size_t len;

	ck_ok(s, call(s, CLV_STMT_GET_AUDIT_HEAD, U(0)));
	ck_assert_uint_eq(clv_store_rows(s), 0);
	ck_assert_uint_eq(put_audit(0, 1, "one", "two"), CLV_AUDIT_DONE);
	ck_assert_uint_eq(put_audit(0, 1, "one", "two"), CLV_AUDIT_THERE);
	ck_assert_uint_eq(put_audit(0, 1, "other", "two"), CLV_AUDIT_OTHER);
	ck_assert_uint_eq(put_audit(1, 2, "other", "x"), CLV_AUDIT_OTHER);
	ck_assert_uint_eq(put_audit(2, 2, "other", "x"), 99);
	ck_assert_uint_eq(put_audit(2, 7, "seven", "eight"), CLV_AUDIT_DONE);
	ck_ok(s, call(s, CLV_STMT_GET_AUDIT, U(1), U(2)));
	ck_assert_uint_eq(clv_store_rows(s), 2);
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 0), 2);
	ck_assert_uint_eq(clv_store_get_u64(s, 1, 0), 7);
	ck_assert_mem_eq(clv_store_get(s, 1, 1, &len), "seven", 5);
	ck_ok(s, call(s, CLV_STMT_GET_AUDIT_HEAD, U(2)));
	ck_assert_uint_eq(clv_store_rows(s), 2);
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 0), 2);
	ck_assert_uint_eq(clv_store_get_u64(s, 1, 0), 8);
	ck_ok(s, call(s, CLV_STMT_GET_AUDIT_HEAD, U(8)));
	ck_assert_uint_eq(clv_store_rows(s), 1);
}
END_TEST

START_TEST(sealed_copies_are_listed_and_those_of_strangers_dropped)
{
	uint8_t row[3][64];
	struct clv_buf keep;

	sql("DELETE FROM claviger.escrow");
	for (uint8_t i = 0; i < 3; i++) {
		escrow_row(row[i], 64, (uint8_t)(3 - i), 7u + i);
		ck_ok(s, call(s, CLV_STMT_PUT_ESCROW, U(3 - i), U(7 + i),
			     row[i], (size_t)64));
	}
	ck_ok(s, call(s, CLV_STMT_GET_ESCROWS));
	ck_assert_uint_eq(clv_store_rows(s), 3);
	for (size_t i = 0; i < 3; i++) {
		ck_assert_uint_eq(clv_store_get_u64(s, i, 0), i + 1);
		ck_assert_uint_eq(clv_store_get_u64(s, i, 1), 9 - i);
	}
	clv_buf_init(&keep);
	clv_array_begin(&keep, CLV_ARRAY_INT8);
	clv_array_add_u64(&keep, 2);
	clv_array_add_u64(&keep, 9);
	ck_result(call(s, CLV_STMT_DROP_ESCROWS, U(EPOCH), A, &keep),
	    CLV_E_STALE_EPOCH);
	for (uint64_t n = 2; n <= 2; n -= 2) {
		ck_ok(s, call(s, CLV_STMT_DROP_ESCROWS, U(TAKEN), A, &keep));
		ck_assert_uint_eq(clv_store_get_u64(s, 0, 0), n);
	}
	ck_ok(s, call(s, CLV_STMT_GET_ESCROWS));
	ck_assert_uint_eq(clv_store_rows(s), 1);
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 0), 2);
	clv_buf_fini(&keep);
}
END_TEST

START_TEST(hostile_strings_are_only_data)
{
	static const char *const names[] = {
	    "'; DROP SCHEMA claviger CASCADE;--", "\"); SELECT 1; --",
	    "$1 $$ \\", "%s%n", "\xc3\xa9\xe2\x82\xac"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		ck_ok(s, call(s, CLV_STMT_PUT_JOIN, names[i], names[i],
			     strlen(names[i])));
		ck_ok(s, call(s, CLV_STMT_GET_JOINS));
		ck_assert(col_is(0, 0, names[i], strlen(names[i])));
		ck_assert(col_is(0, 1, names[i], strlen(names[i])));
		ck_ok(s, call(s, CLV_STMT_PUT_LIST, U(TAKEN), A,
			     "0123456789abcde", (size_t)16, U(2), STR("l"), "",
			     (size_t)0, names[i], U(1)));
		sql("DELETE FROM claviger.op");
		sql("DELETE FROM claviger.list WHERE version = 2");
	}
}
END_TEST

START_TEST(values_out_of_bounds_are_refused)
{
	static uint8_t big[65537];
	static const char long_name[255] = {[0 ... 253] = 'x'};
	struct clv_param nul[2] = {{"a\0b", 3}, {"body", 4}};

	ck_result(
	    call(s, CLV_STMT_PUT_JOIN, "\xff\xfe", STR("x")), CLV_E_DATABASE);
	ck_result(clv_store_run(s, CLV_STMT_PUT_JOIN, nul, 2, TIMEOUT_MS),
	    CLV_E_DATABASE);
	ck_result(call(s, CLV_STMT_PUT_JOIN, "", STR("x")), CLV_E_DATABASE);
	ck_result(
	    call(s, CLV_STMT_PUT_JOIN, long_name, STR("x")), CLV_E_DATABASE);
	ck_result(
	    call(s, CLV_STMT_PUT_JOIN, "a", "", (size_t)0), CLV_E_DATABASE);
	ck_result(
	    call(s, CLV_STMT_PUT_JOIN, "a", big, sizeof(big)), CLV_E_DATABASE);
	ck_result(call(s, CLV_STMT_PUT_ACK, U(2), U(1), U(1), big, (size_t)63),
	    CLV_E_DATABASE);
	ck_result(
	    call(s, CLV_STMT_PUT_ACK, U(256), U(1), U(1), big, (size_t)64),
	    CLV_E_DATABASE);
	ck_result(
	    call(s, CLV_STMT_PUT_ACK, UINT64_MAX, U(1), U(1), big, (size_t)64),
	    CLV_E_DATABASE);
	ck_result(call(s, CLV_STMT_PUT_TLS, U(TAKEN), A, OP("a"), big,
		      (size_t)31, STR("row")),
	    CLV_E_DATABASE);
	ck_result(call(s, CLV_STMT_PUT_BACKUP, U(TAKEN), A, "short", (size_t)5,
		      U(1), STR("b")),
	    CLV_E_DATABASE);
	ck_result(call(s, CLV_STMT_RENEW_LEASE, U(TAKEN), A, U(3600001)),
	    CLV_E_DATABASE);
	ck_result(call(s, CLV_STMT_TAKE_EPOCH, U(TAKEN), U(TAKEN + 1), U(0), B,
		      U(1), U(1)),
	    CLV_E_DATABASE);
	ck_result(call(s, CLV_STMT_TAKE_EPOCH, U(TAKEN), U(TAKEN + 1), U(2), B,
		      U(1), UINT64_MAX),
	    CLV_E_DATABASE);
	/* after all that it still works, under the same epoch */
	ck_ok(s, call(s, CLV_STMT_RENEW_LEASE, U(TAKEN), A, U(15000)));
}
END_TEST

START_TEST(list_of_the_full_size_goes_through)
{
	size_t len = 8u << 20, got = 0;
	char *body = malloc(len);
	const char *back;

	memset(body, 0xa5, len);
	ck_ok(s, call(s, CLV_STMT_PUT_LIST, U(TAKEN), A, OP("a"), U(2), body,
		     len, "", (size_t)0, "", U(1)));
	ck_ok(s, call(s, CLV_STMT_GET_LIST, U(1)));
	back = clv_store_get(s, 0, 1, &got);
	ck_assert_uint_eq(got, len);
	ck_assert(memcmp(back, body, len) == 0);
	free(body);
}
END_TEST

static void
add_reads_and_writes(Suite *suite)
{
	TCase *t = tcase_create("statements");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, in_office, leave);
	tcase_add_test(t, hello_tells_who_is_in_force);
	tcase_add_test(t, hello_has_no_row_before_there_is_a_system);
	tcase_add_test(t, new_system_holds_what_init_gave);
	tcase_add_test(t, newest_list_is_not_sent_again);
	tcase_add_test(t, list_version_must_be_newest_plus_one);
	tcase_add_test(t, sixteen_lists_are_kept);
	tcase_add_test(t, list_brings_escrow_rows_and_drops_the_join_request);
	tcase_add_test(t, broken_escrow_rows_refuse_the_whole_list);
	tcase_add_test(t, list_with_an_older_escrow_copy_is_refused);
	tcase_add_test(t, done_operation_is_not_done_again);
	tcase_add_test(t, operations_older_than_a_day_are_forgotten);
	tcase_add_test(t, escrow_copy_never_goes_back);
	tcase_add_test(t, escrow_row_says_its_own_node_and_generation);
	tcase_add_test(t, newest_certificates_come_first_and_four_are_kept);
	tcase_add_test(t, join_requests_are_replaced_by_name_and_bounded);
	tcase_add_test(t, acknowledgement_never_goes_back);
	tcase_add_test(t, backups_come_newest_first_and_bounded);
	tcase_add_test(t, secrets_of_an_application_are_counted);
	tcase_add_test(t, newest_reminders_are_kept_one_a_file);
	tcase_add_test(t, audit_rows_are_put_behind_the_newest_alone);
	tcase_add_test(
	    t, sealed_copies_are_listed_and_those_of_strangers_dropped);
	tcase_add_test(t, hostile_strings_are_only_data);
	tcase_add_test(t, values_out_of_bounds_are_refused);
	tcase_add_test(t, list_of_the_full_size_goes_through);
	suite_add_tcase(suite, t);
}

int
main(void)
{
	Suite *suite = suite_create("store");
	int rc = rig_start();

	if (rc != 0)
		return rc;
	add_reads_and_writes(suite);
	return rig_run(suite);
}
