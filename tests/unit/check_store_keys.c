/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "store_app.h"

/* What the active server does with applications: their keys, rotation,
 * re-encryption. `s` is the server here, so that the macros look at it. */

static struct clv_store *member;

static void
with_office(void)
{
	with_app();
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
id_of(char id[static 17], const char *letter, unsigned n)
{
	snprintf(id, 17, "%s%-15u", letter, n);
}

static int
add_key(uint64_t counter, uint64_t version, uint64_t generation, unsigned op)
{
	char id[17];

	id_of(id, "k", op);
	return call(s, CLV_STMT_ADD_KEY, U(TAKEN), A, id, (size_t)16, "app",
	    counter, mac, sizeof(mac), version, generation,
	    STR("a wrapped key"));
}

/* One list after the other, with this generation in force. */
static void
put_generation(uint64_t generation)
{
	char id[17];
	uint64_t version;

	ck_ok(s, call(s, CLV_STMT_HELLO));
	version = clv_store_get_u64(s, 0, 6) + 1;
	id_of(id, "l", (unsigned)version);
	ck_ok(s, call(s, CLV_STMT_PUT_LIST, U(TAKEN), A, id, (size_t)16,
		     version, STR("a list"), "", (size_t)0, "", generation));
}

static int
drop(const char *app, unsigned op)
{
	char id[17];

	id_of(id, "d", op);
	return call(s, CLV_STMT_DROP_APP, U(TAKEN), A, id, (size_t)16, app);
}

START_TEST(new_application_has_two_keys_and_a_manifest)
{
	ck_ok(s, call(s, CLV_STMT_GET_KEYS, "app"));
	ck_assert_uint_eq(clv_store_rows(s), 2);
	ck_num(0, 0, 0);
	ck_num(0, 1, 1);
	ck_col(0, 2, "index key");
	ck_num(1, 0, 1);
	ck_col(1, 2, "data key");
	ck_ok(s, call(s, CLV_STMT_GET_CHANGES, "app", U(0), "", U(10)));
	ck_assert_uint_eq(clv_store_rows(s), 1);
	ck_num(0, 5, 1);
	ck_col(0, 6, "the mac of a manifest w/o rows..");
}
END_TEST

START_TEST(application_is_made_once)
{
	ck_ok(s, init_app(s, "app", 1, OP("i"))); /* the same again */
	ck_result(init_app(s, "app", 1, OP("j")), CLV_E_STALE);
	ck_result(init_app(s, "app", 2, OP("j")), CLV_E_STALE);
	ck_assert_str_eq(clv_store_sqlstate(s), "CL002");
	ck_ok(s, init_app(s, "APP", 1, OP("j"))); /* another one */
	ck_ok(s, call(s, CLV_STMT_GET_HEADS, "", U(10)));
	ck_assert_uint_eq(clv_store_rows(s), 2);
	ck_col(0, 0, "APP");
	ck_col(1, 0, "app");
	ck_assert_int_eq(sql_int("SELECT count(*) FROM claviger.data_key"), 4);
}
END_TEST

START_TEST(odd_applications_are_refused)
{
	static const char name[66] = {[0 ... 64] = 'x'};

	ck_result(init_app(s, "", 1, OP("j")), CLV_E_DATABASE);
	ck_result(init_app(s, name, 1, OP("j")), CLV_E_DATABASE);
	ck_result(init_app(s, "zero", 0, OP("j")), CLV_E_DATABASE);
	ck_result(init_app(s, "below", UINT64_MAX, OP("j")), CLV_E_DATABASE);
	ck_ok(s, init_app(s, name + 1, INT64_MAX, OP("j")));
	ck_assert_int_eq(sql_int("SELECT count(*) FROM claviger.op"), 2);
}
END_TEST

START_TEST(counter_goes_on_after_a_dropped_application)
{
	static const uint8_t zeros[32];
	size_t len = 0;

	ck_ok(s, drop("app", 1));
	ck_assert(clv_store_get_bool(s, 0, 0));
	ck_ok(s, drop("app", 1)); /* the same again, not another step */
	ck_ok(s, drop("nobody", 2));
	ck_assert(clv_store_get_bool(s, 0, 0));
	ck_ok(s, call(s, CLV_STMT_GET_KEYS, "app"));
	ck_assert_uint_eq(clv_store_rows(s), 0);
	ck_ok(s, call(s, CLV_STMT_GET_HEADS, "", U(10)));
	ck_assert_uint_eq(clv_store_rows(s), 1);
	ck_num(0, 1, 2);
	ck_assert_mem_eq(clv_store_get(s, 0, 2, &len), zeros, 32);
	ck_result(init_app(s, "app", 1, OP("j")), CLV_E_STALE);
	ck_result(init_app(s, "app", 2, OP("j")), CLV_E_STALE);
	ck_ok(s, init_app(s, "app", 7, OP("j"))); /* more was seen of it */
	/* the first one's end is over */
	ck_ok(s, drop("app", 1));
	ck_ok(s, call(s, CLV_STMT_GET_KEYS, "app"));
	ck_assert_uint_eq(clv_store_rows(s), 2);
}
END_TEST

/* As many in a transaction as a statement has time for, were they long. */
START_TEST(many_secrets_are_deleted_bit_by_bit)
{
	int calls = 0;
	bool done;

	sql("INSERT INTO claviger.secret SELECT a, 'n' || i, 1, false, 1, 'r',"
	    " decode(repeat('00', 32), 'hex'), 2, uuid_send(gen_random_uuid())"
	    " FROM generate_series(1, 2500) i, (VALUES ('app'), ('b')) x (a)");
	do {
		ck_ok(s, drop("app", 1));
		done = clv_store_get_bool(s, 0, 0);
		/* its keys are gone from the first call on, and while secrets
		 * are left there is no other one of that name */
		ck_assert_int_eq(
		    sql_int("SELECT count(*) FROM claviger.data_key"), 0);
		if (!done)
			ck_result(init_app(s, "app", 9, OP("j")), CLV_E_STALE);
		calls++;
	} while (!done && calls < 10);
	ck_assert_int_eq(calls, 3);
	ck_assert_int_eq(sql_int("SELECT count(*) FROM claviger.secret"), 2500);
	ck_ok(s, init_app(s, "app", 9, OP("j")));
}
END_TEST

START_TEST(heads_come_in_pages)
{
	char app[16], id[17];
	uint64_t seen = 0;
	size_t len = 0, rows;
	const char *p;

	for (unsigned i = 0; i < 20; i++) {
		snprintf(app, sizeof(app), "more%u", i);
		id_of(id, "h", i);
		ck_ok(s, init_app(s, app, 10 + i, id, 16));
	}
	*app = '\0';
	do {
		ck_ok(s, call(s, CLV_STMT_GET_HEADS, app, U(4)));
		rows = clv_store_rows(s);
		for (size_t i = 0; i < rows; i++, seen++) {
			p = clv_store_get(s, i, 0, &len);
			ck_assert_int_lt(strncmp(app, p, len), 0);
			snprintf(app, sizeof(app), "%.*s", (int)len, p);
		}
	} while (rows == 4);
	ck_assert_uint_eq(seen, 21);
}
END_TEST

START_TEST(data_key_follows_the_newest)
{
	ck_put(add_key(1, 2, 1, 1), CLV_PUT_DONE, 2);
	ck_put(add_key(1, 2, 1, 1), CLV_PUT_REPEATED, 2);
	ck_result(add_key(2, 2, 1, 2), CLV_E_STALE);
	ck_result(add_key(2, 4, 1, 2), CLV_E_STALE);
	ck_result(add_key(2, 0, 1, 2), CLV_E_STALE);
	ck_result(add_key(2, 1, 1, 2), CLV_E_STALE);
	ck_result(add_key(2, UINT64_MAX, 1, 2), CLV_E_STALE);
	ck_put(add_key(2, 3, 1, 2), CLV_PUT_DONE, 3);
	ck_ok(s, drop("app", 1));
	ck_put(add_key(3, 4, 1, 3), CLV_PUT_CONFLICT, 4);
	ck_result(add_key(4, 4, 1, 3), CLV_E_STALE);
	ck_result(add_key(4, 1, 1, 3), CLV_E_STALE);
	ck_assert_int_eq(sql_int("SELECT count(*) FROM claviger.data_key"), 0);
}
END_TEST

START_TEST(key_under_a_generation_that_is_over_is_refused)
{
	put_generation(3);
	ck_result(add_key(1, 2, 2, 1), CLV_E_STALE);
	ck_result(init_app(s, "new", 1, OP("j")), CLV_E_STALE);
	ck_put(add_key(1, 2, 3, 1), CLV_PUT_DONE, 2);
	ck_put(add_key(2, 3, 4, 2), CLV_PUT_DONE, 3); /* one that comes */
	put_generation(2);			      /* a person may go back */
	ck_put(add_key(3, 4, 2, 3), CLV_PUT_DONE, 4);
	ck_result(call(s, CLV_STMT_PUT_LIST, U(TAKEN), A, OP("x"), U(4),
		      STR("list"), "", (size_t)0, "", U(0)),
	    CLV_E_DATABASE);
	ck_assert_int_eq(sql_int("SELECT generation FROM claviger.system"), 2);
}
END_TEST

/* 12 more applications, whose keys are under generations 1, 2 and 3. */
static void
with_keys(void)
{
	sql("INSERT INTO claviger.data_key SELECT 'x' || i, v, 1 + i %% 3,"
	    " 'old' FROM generate_series(10, 21) i, generate_series(0, 1) v");
}

struct arrays {
	struct clv_buf app, version, old, wrapped;
};

static void
arrays_init(struct arrays *a)
{
	clv_buf_init(&a->app);
	clv_buf_init(&a->version);
	clv_buf_init(&a->old);
	clv_buf_init(&a->wrapped);
	clv_array_begin(&a->app, CLV_ARRAY_TEXT);
	clv_array_begin(&a->version, CLV_ARRAY_INT8);
	clv_array_begin(&a->old, CLV_ARRAY_INT8);
	clv_array_begin(&a->wrapped, CLV_ARRAY_BYTEA);
}

static void
arrays_fini(struct arrays *a)
{
	clv_buf_fini(&a->app);
	clv_buf_fini(&a->version);
	clv_buf_fini(&a->old);
	clv_buf_fini(&a->wrapped);
}

static void
arrays_add(struct arrays *a, const char *app, size_t len, uint64_t version,
    uint64_t old, const char *wrapped)
{
	clv_array_add(&a->app, app, len);
	clv_array_add_u64(&a->version, version);
	clv_array_add_u64(&a->old, old);
	clv_array_add(&a->wrapped, wrapped, strlen(wrapped));
}

/* A whole pass over what is below generation 3, n at once, as rotation does;
 * how many were rewritten. */
static uint64_t
rewrap_all(uint64_t n)
{
	uint64_t generation = 0, version = 0, done = 0;
	char app[64] = "";
	struct arrays a;
	size_t rows, len = 0;
	const char *p;

	do {
		ck_ok(s, call(s, CLV_STMT_GET_OLD_KEYS, U(3), generation, app,
			     version, n));
		rows = clv_store_rows(s);
		arrays_init(&a);
		for (size_t i = 0; i < rows; i++) {
			p = clv_store_get(s, i, 0, &len);
			snprintf(app, sizeof(app), "%.*s", (int)len, p);
			version = clv_store_get_u64(s, i, 1);
			ck_assert_uint_ge(
			    clv_store_get_u64(s, i, 2), generation);
			generation = clv_store_get_u64(s, i, 2);
			arrays_add(&a, app, len, version, generation, "new");
		}
		ck_ok(s, call(s, CLV_STMT_PUT_REWRAPPED, U(TAKEN), A, U(3),
			     &a.app, &a.version, &a.old, &a.wrapped));
		ck_num(0, 0, rows);
		done += rows;
		arrays_fini(&a);
	} while (rows == n);
	return done;
}

START_TEST(keys_are_rewrapped_in_pages)
{
	uint64_t sizes[] = {1, 7, 100};

	for (size_t i = 0; i < 3; i++) {
		sql("DELETE FROM claviger.data_key");
		with_keys();
		ck_ok(s, call(s, CLV_STMT_COUNT_KEYS));
		ck_assert_uint_eq(clv_store_rows(s), 3);
		for (size_t g = 0; g < 3; g++) {
			ck_num(g, 0, g + 1);
			ck_num(g, 1, 8);
			ck_num(g, 2, 4);
		}
		ck_assert_uint_eq(rewrap_all(sizes[i]), 16);
		ck_ok(s, call(s, CLV_STMT_COUNT_KEYS));
		ck_assert_uint_eq(clv_store_rows(s), 1);
		ck_num(0, 0, 3);
		ck_num(0, 1, 24);
		ck_num(0, 2, 12);
		ck_assert_int_eq(
		    sql_int("SELECT count(*) FROM claviger.data_key"
			    " WHERE wrapped = 'new'"),
		    16);
		ck_assert_uint_eq(rewrap_all(sizes[i]), 0);
	}
}
END_TEST

START_TEST(key_that_changed_meanwhile_is_not_overwritten)
{
	struct arrays a;

	with_keys();
	arrays_init(&a);
	arrays_add(&a, "x10", 3, 0, 2, "new");
	arrays_add(&a, "x10", 3, 1, 1, "never"); /* it is under 2 */
	arrays_add(&a, "x99", 3, 1, 1, "never");
	for (int i = 0; i < 2; i++) {
		ck_ok(s, call(s, CLV_STMT_PUT_REWRAPPED, U(TAKEN), A, U(3),
			     &a.app, &a.version, &a.old, &a.wrapped));
		ck_num(0, 0, i == 0 ? 1 : 0);
	}
	put_generation(4);
	ck_result(call(s, CLV_STMT_PUT_REWRAPPED, U(TAKEN), A, U(3), &a.app,
		      &a.version, &a.old, &a.wrapped),
	    CLV_E_STALE);
	ck_assert_int_eq(sql_int("SELECT count(*) FROM claviger.data_key"
				 " WHERE wrapped = 'new'"),
	    1);
	ck_assert_int_eq(sql_int("SELECT count(*) FROM claviger.data_key"
				 " WHERE wrapped = 'never'"),
	    0);
	arrays_fini(&a);
}
END_TEST

START_TEST(stale_epoch_changes_nothing)
{
	struct clv_store *b = as_node();
	struct clv_buf *x;
	struct arrays a;

	arrays_init(&a);
	arrays_add(&a, "app", 3, 1, 1, "never");
	x = &a.wrapped;
	ck_assert(take(b, TAKEN, TAKEN + 257, node_b));
	ck_result(init_app(s, "new", 1, OP("j")), CLV_E_STALE_EPOCH);
	ck_result(init_app(s, "app", 1, OP("i")), CLV_E_STALE_EPOCH);
	ck_result(drop("app", 1), CLV_E_STALE_EPOCH);
	ck_result(add_key(1, 2, 1, 1), CLV_E_STALE_EPOCH);
	ck_result(call(s, CLV_STMT_PUT_REWRAPPED, U(TAKEN), A, U(1), &a.app,
		      &a.version, &a.old, x),
	    CLV_E_STALE_EPOCH);
	ck_result(
	    call(s, CLV_STMT_PUT_RECORDS, U(TAKEN), A, OP("r"), "app", U(1),
		mac, sizeof(mac), &a.app, &a.version, &a.version, x, x),
	    CLV_E_STALE_EPOCH);
	ck_assert_int_eq(sql_int("SELECT (SELECT count(*) FROM claviger.op)"
				 " + (SELECT count(*) FROM claviger.data_key)"
				 " + (SELECT counter FROM claviger.manifest)"),
	    1 + 2 + 1);
	arrays_fini(&a);
	clv_store_free(&b);
}
END_TEST

static void
add_keys(Suite *suite)
{
	TCase *t = tcase_create("applications_and_keys");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, with_office, leave);
	tcase_add_test(t, new_application_has_two_keys_and_a_manifest);
	tcase_add_test(t, application_is_made_once);
	tcase_add_test(t, odd_applications_are_refused);
	tcase_add_test(t, counter_goes_on_after_a_dropped_application);
	tcase_add_test(t, many_secrets_are_deleted_bit_by_bit);
	tcase_add_test(t, heads_come_in_pages);
	tcase_add_test(t, data_key_follows_the_newest);
	tcase_add_test(t, key_under_a_generation_that_is_over_is_refused);
	tcase_add_test(t, keys_are_rewrapped_in_pages);
	tcase_add_test(t, key_that_changed_meanwhile_is_not_overwritten);
	tcase_add_test(t, stale_epoch_changes_nothing);
	suite_add_tcase(suite, t);
}

int
main(void)
{
	Suite *suite = suite_create("store_keys");
	int rc = rig_start();

	if (rc != 0)
		return rc;
	add_keys(suite);
	return rig_run(suite);
}
