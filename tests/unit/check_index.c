/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "index_rig.h"

/* Allocations fail while a test says so: all, or the n-th. */
void *__real_malloc(size_t len);
void *__real_calloc(size_t n, size_t len);
void *__real_realloc(void *p, size_t len);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t n, size_t len);
void *__wrap_realloc(void *p, size_t len);

static bool is_out_of_memory;
static long until_failure; /* 0: never */

static bool
is_failing(void)
{
	return is_out_of_memory || (until_failure > 0 && --until_failure == 0);
}

void *
__wrap_malloc(size_t len)
{
	return is_failing() ? NULL : __real_malloc(len);
}

void *
__wrap_calloc(size_t n, size_t len)
{
	return is_failing() ? NULL : __real_calloc(n, len);
}

void *
__wrap_realloc(void *p, size_t len)
{
	return is_failing() ? NULL : __real_realloc(p, len);
}

START_TEST(a_name_of_an_application_is_asked_for)
{
	struct clv_index *i = NULL;
	char name[66];

	memset(name, 'a', sizeof(name));
	name[65] = '\0';
	ck_assert_int_eq(clv_index_new(key, system_id, "", &i), CLV_E_INVALID);
	ck_assert_int_eq(
	    clv_index_new(key, system_id, name, &i), CLV_E_INVALID);
	ck_assert_ptr_null(i);
	name[64] = '\0';
	ck_assert_int_eq(clv_index_new(key, system_id, name, &i), CLV_OK);
	clv_index_free(&i);
	clv_index_free(&i);
	clv_index_free(NULL);
}
END_TEST

START_TEST(what_was_written_is_served)
{
	size_t i;

	for (i = 0; i < db.count; i++)
		ck_assert_int_eq(check_row(&db.rows[i]),
		    db.rows[i].deleted ? CLV_E_NOT_FOUND : CLV_OK);
	ck_assert_uint_eq(clv_index_counter(x), db.counter);
	ck_assert_uint_eq(clv_index_count(x), 4);
}
END_TEST

START_TEST(a_database_is_loaded_in_any_order)
{
	struct clv_index *i = NULL;
	struct clv_change c;

	c = db.rows[0];
	db.rows[0] = db.rows[2];
	db.rows[2] = c;
	ck_assert_int_eq(load(&db, &i), CLV_OK);
	ck_assert_uint_eq(clv_index_counter(i), db.counter);
	clv_index_free(&i);
}
END_TEST

START_TEST(an_empty_manifest_is_loaded)
{
	struct database empty = {.counter = 41};
	struct clv_index *i = new_index("crm");

	clv_index_mac(i, 41, empty.mac);
	ck_assert_int_eq(load(&empty, NULL), CLV_OK);
	empty.counter = 42;
	ck_assert_int_eq(load(&empty, NULL), CLV_E_DAMAGED);
	clv_index_free(&i);
}
END_TEST

START_TEST(staged_changes_are_not_served_yet)
{
	const struct clv_change fresh = row("alpha", 3, 9);
	const struct clv_change new_name = row("omega", 1, 9);
	uint64_t v;
	bool deleted;

	stage(x, fresh);
	stage(x, new_name);
	stage(x, tombstone("delta", 2));
	ck_assert_int_eq(check_row(&fresh), CLV_E_STALE);
	ck_assert_int_eq(check_row(&new_name), CLV_E_STALE);
	ck_assert_int_eq(check_row(db_row(&db, "alpha")), CLV_OK);
	ck_assert_int_eq(check_row(db_row(&db, "delta")), CLV_OK);
	ck_assert_int_eq(
	    clv_index_find(x, "omega", &v, &deleted), CLV_E_NOT_FOUND);
	ck_assert_int_eq(clv_index_find(x, "delta", &v, &deleted), CLV_OK);
	ck_assert(v == 1 && !deleted);
	ck_assert_str_eq(clv_index_next(x, "beta", &v), "delta");
	ck_assert_ptr_null(clv_index_next(x, "delta", &v));
	ck_assert_uint_eq(clv_index_count(x), 4);
}
END_TEST

START_TEST(aborted_changes_leave_nothing)
{
	uint8_t mac[CLV_MANIFEST_MAC_LEN];

	stage(x, row("alpha", 3, 9));
	stage(x, row("alpha", 4, 9));
	stage(x, row("omega", 1, 9));
	stage(x, row("omega", 2, 9));
	clv_index_abort(x);
	clv_index_abort(x); /* of nothing */
	clv_index_mac(x, db.counter, mac);
	ck_assert_mem_eq(mac, db.mac, sizeof(mac));
	stage(x, row("omega", 1, 9));
	stage(x, row("alpha", 3, 9));
	clv_index_abort(x);
	ck_assert_int_eq(check_row(db_row(&db, "alpha")), CLV_OK);
}
END_TEST

START_TEST(a_lower_version_is_not_staged)
{
	struct clv_change c = row("alpha", 1, 1);

	ck_assert_int_eq(clv_index_stage(x, &c), CLV_E_STALE);
	c = row("gamma", 2, 3);
	ck_assert_int_eq(clv_index_stage(x, &c), CLV_E_STALE);
	stage(x, row("alpha", 9, 1));
	c = row("alpha", 8, 1);
	ck_assert_int_eq(clv_index_stage(x, &c), CLV_E_STALE);
	clv_index_abort(x);
	ck_assert_int_eq(check_row(db_row(&db, "alpha")), CLV_OK);
}
END_TEST

START_TEST(the_same_version_is_not_deleted_nor_raised)
{
	struct clv_change c = tombstone("alpha", 2);

	ck_assert_int_eq(clv_index_stage(x, &c), CLV_E_DAMAGED);
	c = row("gamma", 3, 3);
	ck_assert_int_eq(clv_index_stage(x, &c), CLV_E_DAMAGED);
}
END_TEST

START_TEST(reencryption_changes_the_hash_of_a_version)
{
	const struct clv_change old = *db_row(&db, "alpha");

	write_row(row("alpha", 2, 77));
	ck_assert_int_eq(check_row(&old), CLV_E_DAMAGED);
	ck_assert_int_eq(check_row(db_row(&db, "alpha")), CLV_OK);
}
END_TEST

START_TEST(a_deleted_name_may_come_back_with_a_higher_version)
{
	write_row(row("gamma", 4, 8));
	ck_assert_int_eq(check_row(db_row(&db, "gamma")), CLV_OK);
	ck_assert_uint_eq(clv_index_count(x), 4);
}
END_TEST

START_TEST(what_is_held_already_changes_nothing)
{
	size_t i;

	for (i = 0; i < db.count; i++)
		stage(x, db.rows[i]);
	ck_assert(!clv_index_fits(x, db.counter + 1, db.mac));
	ck_assert(clv_index_fits(x, db.counter, db.mac));
	ck_assert_int_eq(clv_index_commit(x, db.counter, db.mac), CLV_OK);
}
END_TEST

START_TEST(a_change_that_cannot_be_is_refused)
{
	char name[257];
	struct clv_change changes[] = {row("", 1, 1), row("a", 0, 1),
	    row(name, 1, 1), tombstone("alpha", 3)};
	size_t i;

	memset(name, 'n', sizeof(name));
	name[256] = '\0';
	changes[3].record_hash[31] = 1;
	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		ck_assert_int_eq(
		    clv_index_stage(x, &changes[i]), CLV_E_INVALID);
	ck_assert_int_eq(clv_index_commit(x, db.counter, db.mac), CLV_OK);
	name[255] = '\0';
	write_row(row(name, 1, 1));
	ck_assert_int_eq(check_row(db_row(&db, name)), CLV_OK);
}
END_TEST

START_TEST(a_name_that_never_was_is_not_found)
{
	uint64_t v = 7;
	bool deleted = true;

	ck_assert_int_eq(
	    clv_index_check(x, "omega", 0, false, db.mac), CLV_E_NOT_FOUND);
	ck_assert_int_eq(
	    clv_index_find(x, "omega", &v, &deleted), CLV_E_NOT_FOUND);
	ck_assert_uint_eq(v, 7);
	ck_assert_int_eq(clv_index_find(x, "gamma", &v, &deleted), CLV_OK);
	ck_assert(v == 3 && deleted);
}
END_TEST

START_TEST(a_data_key_becomes_the_newest_when_it_is_committed)
{
	uint8_t first[32] = {1}, second[32] = {2};
	uint8_t mac[CLV_MANIFEST_MAC_LEN], before[CLV_MANIFEST_MAC_LEN];

	ck_assert_uint_eq(clv_index_key_version(x), 0);
	ck_assert_int_eq(clv_index_stage_key(x, 0, first), CLV_E_INVALID);
	ck_assert_int_eq(clv_index_stage_key(x, 2, first), CLV_E_INVALID);
	stage_key(x, 1, first);
	ck_assert_uint_eq(clv_index_key_version(x), 0);
	write_row(row("alpha", 3, 1));
	ck_assert_uint_eq(clv_index_key_version(x), 1);
	ck_assert(clv_index_is_newest(x, first));
	ck_assert(!clv_index_is_newest(x, second));
	clv_index_mac(x, 99, before);
	stage_key(x, 2, second);
	clv_index_mac(x, 99, mac);
	ck_assert_mem_ne(mac, before, sizeof(mac));
	clv_index_abort(x);
	clv_index_mac(x, 99, mac);
	ck_assert_mem_eq(mac, before, sizeof(mac));
	/* a writer's rows carry it on */
	write_row(row("alpha", 4, 1));
	ck_assert(clv_index_is_newest(x, first));
	stage_key(x, 2, second);
	write_row(row("alpha", 5, 1));
	ck_assert_uint_eq(clv_index_key_version(x), 2);
	ck_assert(clv_index_is_newest(x, second));
	ck_assert_int_eq(load(&db, NULL), CLV_OK);
}
END_TEST

/* without memory */

#define STAGED 60 /* enough for every array to grow */

/* alpha, beta, gamma, delta and more names, with the n-th allocation failing;
 * the check library allocates too and is not asked meanwhile. */
static int
stage_with_failure(struct clv_index *i, long n, long *ret_left)
{
	static const char *const held[] = {"alpha", "beta", "gamma", "delta"};
	struct clv_change c = row("", 9, 1);
	char name[] = "0";
	int r = CLV_OK;

	until_failure = n;
	for (n = 0; r == CLV_OK && n < STAGED; n++) {
		name[0] = (char)('0' + n);
		c.name = n < 4 ? held[n] : name;
		r = clv_index_stage(i, &c);
	}
	*ret_left = until_failure;
	until_failure = 0;
	return r;
}

START_TEST(each_failing_allocation_is_reported_and_changes_nothing)
{
	struct clv_index *i = NULL;
	uint8_t mac[CLV_MANIFEST_MAC_LEN];
	long n, left = 0;
	int r;

	for (n = 1; left == 0; n++) {
		ck_assert_int_eq(load(&db, &i), CLV_OK);
		r = stage_with_failure(i, n, &left);
		ck_assert_int_eq(r, left == 0 ? CLV_E_NOMEM : CLV_OK);
		clv_index_abort(i);
		clv_index_mac(i, db.counter, mac);
		ck_assert_mem_eq(mac, db.mac, sizeof(mac));
		ck_assert_uint_eq(clv_index_count(i), db.count);
		clv_index_free(&i);
	}
	ck_assert_int_gt(n, STAGED); /* entries and what holds them */
}
END_TEST

START_TEST(what_was_staged_before_memory_ran_out_can_be_committed)
{
	const struct clv_change c = row("omega", 1, 9);
	const struct clv_change d = row("psi", 1, 9);
	int r;

	ck_assert_int_eq(clv_index_stage(x, &c), CLV_OK);
	until_failure = 1;
	r = clv_index_stage(x, &d);
	until_failure = 0;
	ck_assert_int_eq(r, CLV_E_NOMEM);
	db.rows[db.count++] = c;
	clv_index_mac(x, ++db.counter, db.mac);
	ck_assert_int_eq(clv_index_commit(x, db.counter, db.mac), CLV_OK);
	ck_assert_int_eq(load(&db, NULL), CLV_OK);
}
END_TEST

START_TEST(no_index_is_made_without_memory)
{
	struct clv_index *i = NULL;
	int r;

	until_failure = 1;
	r = clv_index_new(key, system_id, "crm", &i);
	until_failure = 0;
	ck_assert_int_eq(r, CLV_E_NOMEM);
	ck_assert_ptr_null(i);
}
END_TEST

/* listing */

static size_t
list_all(const char *want[], uint64_t versions[], size_t max)
{
	const char *name = "";
	size_t n = 0;

	while (
	    n < max && (name = clv_index_next(x, name, &versions[n])) != NULL)
		want[n++] = name;
	return n;
}

static void
assert_listed(void)
{
	const char *names[8];
	uint64_t versions[8];

	ck_assert_uint_eq(list_all(names, versions, 8), 3);
	ck_assert_str_eq(names[0], "alpha");
	ck_assert_str_eq(names[1], "beta");
	ck_assert_str_eq(names[2], "delta");
	ck_assert_uint_eq(versions[0], 2);
	ck_assert_uint_eq(versions[2], 1);
}

START_TEST(names_are_listed_in_bytewise_order)
{
	const char *names[8];
	uint64_t versions[8];

	assert_listed();
	write_row(row("\xc3\xa4", 1, 1));
	write_row(row("Zeta", 1, 1));
	write_row(row("beta/1", 1, 1));
	ck_assert_uint_eq(list_all(names, versions, 8), 6);
	ck_assert_str_eq(names[0], "Zeta");
	ck_assert_str_eq(names[3], "beta/1");
	ck_assert_str_eq(names[5], "\xc3\xa4");
	/* from a name that is not there */
	ck_assert_str_eq(clv_index_next(x, "beta0", versions), "delta");
	ck_assert_str_eq(clv_index_next(x, "gamma", versions), "\xc3\xa4");
}
END_TEST

static const char *
next_without_memory(const char *after, uint64_t *ret_version)
{
	const char *name;

	is_out_of_memory = true;
	name = clv_index_next(x, after, ret_version);
	is_out_of_memory = false;
	return name;
}

START_TEST(names_are_listed_without_memory_to_sort_them)
{
	uint64_t v;

	ck_assert_str_eq(next_without_memory("", &v), "alpha");
	ck_assert_uint_eq(v, 2);
	ck_assert_str_eq(next_without_memory("beta", &v), "delta");
	ck_assert_uint_eq(v, 1);
	ck_assert_ptr_null(next_without_memory("delta", &v));
	assert_listed();
	write_row(row("beta/1", 1, 1));
	ck_assert_str_eq(next_without_memory("beta", &v), "beta/1");
	ck_assert_str_eq(clv_index_next(x, "beta", &v), "beta/1");
}
END_TEST

START_TEST(nothing_is_listed_of_nothing)
{
	struct clv_index *i = new_index("crm");
	uint64_t v;

	ck_assert_ptr_null(clv_index_next(i, "", &v));
	clv_index_free(&i);
}
END_TEST

static void
add_writing(TCase *t)
{
	tcase_add_test(t, a_name_of_an_application_is_asked_for);
	tcase_add_test(t, what_was_written_is_served);
	tcase_add_test(t, a_database_is_loaded_in_any_order);
	tcase_add_test(t, an_empty_manifest_is_loaded);
	tcase_add_test(t, staged_changes_are_not_served_yet);
	tcase_add_test(t, aborted_changes_leave_nothing);
	tcase_add_test(t, a_lower_version_is_not_staged);
	tcase_add_test(t, the_same_version_is_not_deleted_nor_raised);
	tcase_add_test(t, reencryption_changes_the_hash_of_a_version);
	tcase_add_test(t, a_deleted_name_may_come_back_with_a_higher_version);
	tcase_add_test(t, what_is_held_already_changes_nothing);
	tcase_add_test(t, a_change_that_cannot_be_is_refused);
	tcase_add_test(t, a_name_that_never_was_is_not_found);
	tcase_add_test(t, a_data_key_becomes_the_newest_when_it_is_committed);
}

int
main(void)
{
	Suite *s = suite_create("index");
	TCase *t;

	if (sodium_init() < 0)
		return 1;
	add_writing(add_cases(s, "an_index"));
	t = add_cases(s, "a_listing");
	tcase_add_test(t, names_are_listed_in_bytewise_order);
	tcase_add_test(t, names_are_listed_without_memory_to_sort_them);
	tcase_add_test(t, nothing_is_listed_of_nothing);
	t = add_cases(s, "out_of_memory");
	tcase_add_test(
	    t, each_failing_allocation_is_reported_and_changes_nothing);
	tcase_add_test(
	    t, what_was_staged_before_memory_ran_out_can_be_committed);
	tcase_add_test(t, no_index_is_made_without_memory);
	return run_suite(s);
}
