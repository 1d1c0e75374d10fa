/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <claviger/manifest.h>
#include "core.h"

/* Allocations fail from when a test says so. */
void *__real_malloc(size_t len);
void *__wrap_malloc(size_t len);

static bool is_out_of_memory;

void *
__wrap_malloc(size_t len)
{
	return is_out_of_memory ? NULL : __real_malloc(len);
}

static uint8_t key[32], system_id[16];
static struct clv_index *x;

/* What a database holds: current rows, and the manifest's. */
#define ROWS_MAX 64
static struct database {
	struct clv_change rows[ROWS_MAX];
	size_t count;
	uint64_t counter;
	uint8_t mac[CLV_MANIFEST_MAC_LEN];
} db;

static struct clv_change
row(const char *name, uint64_t version, uint8_t content)
{
	struct clv_change c = {.name = name, .version = version};

	memset(c.record_hash, content, sizeof(c.record_hash));
	return c;
}

static struct clv_change
tombstone(const char *name, uint64_t version)
{
	struct clv_change c = {
	    .name = name, .version = version, .deleted = true};

	return c;
}

static struct clv_index *
new_index(const char *app)
{
	struct clv_index *i = NULL;

	ck_assert_int_eq(clv_index_new(key, system_id, app, &i), CLV_OK);
	return i;
}

static void
stage(struct clv_index *i, struct clv_change c)
{
	ck_assert_int_eq(clv_index_stage(i, &c), CLV_OK);
}

/* As a writer does it: the index and the database move together. */
static void
write_row(struct clv_change c)
{
	size_t i = 0;

	while (i < db.count && strcmp(db.rows[i].name, c.name) != 0)
		i++;
	ck_assert_uint_lt(i, ROWS_MAX);
	db.rows[i] = c;
	db.count += i == db.count;
	stage(x, c);
	clv_index_mac(x, ++db.counter, db.mac);
	ck_assert_int_eq(clv_index_commit(x, db.counter, db.mac), CLV_OK);
}

/* Read a whole database by an index that knows nothing yet. */
static int
load(const struct database *d, struct clv_index **ret)
{
	struct clv_index *i = new_index("crm");
	size_t n;
	int r = CLV_OK;

	for (n = 0; r == CLV_OK && n < d->count; n++)
		r = clv_index_stage(i, &d->rows[n]);
	if (r == CLV_OK)
		r = clv_index_commit(i, d->counter, d->mac);
	if (ret != NULL && r == CLV_OK)
		*ret = i;
	else
		clv_index_free(&i);
	return r;
}

static int
check_row(const struct clv_change *c)
{
	return clv_index_check(
	    x, c->name, c->version, c->deleted, c->record_hash);
}

/* alpha and beta at version 2, gamma deleted at 3, delta at 1. */
static void
set_up(void)
{
	uint8_t i;

	is_out_of_memory = false;
	for (i = 0; i < 32; i++)
		key[i] = i;
	for (i = 0; i < 16; i++)
		system_id[i] = (uint8_t)(200 + i);
	memset(&db, 0, sizeof(db));
	x = new_index("crm");
	write_row(row("alpha", 1, 1));
	write_row(row("beta", 1, 2));
	write_row(row("gamma", 2, 3));
	write_row(row("alpha", 2, 4));
	write_row(row("beta", 2, 5));
	write_row(tombstone("gamma", 3));
	write_row(row("delta", 1, 6));
}

static void
tear_down(void)
{
	clv_index_free(&x);
	ck_assert_ptr_null(x);
}

static struct clv_change *
db_row(struct database *d, const char *name)
{
	size_t i;

	for (i = 0; i < d->count; i++)
		if (strcmp(d->rows[i].name, name) == 0)
			return &d->rows[i];
	ck_abort_msg("no row %s", name);
}

/* what it is computed from */

START_TEST(the_mac_is_as_the_manual_says)
{
	struct clv_index *i = new_index("crm");
	char text[65];
	uint8_t mac[32];

	clv_index_mac(i, 1, mac);
	sodium_bin2hex(text, sizeof(text), mac, sizeof(mac));
	ck_assert_str_eq(text,
	    "2ba05975163ec72fc69ff24285c3584e58f98880d66448f6d6bad3de7b565486");
	stage(i, tombstone("gone", 9));
	stage(i, row("b/c", 1ull << 33, 0xff));
	stage(i, row("a", 1, 1));
	clv_index_mac(i, 258, mac);
	sodium_bin2hex(text, sizeof(text), mac, sizeof(mac));
	ck_assert_str_eq(text,
	    "e0e8fbe840695253491dd1574577bbc2e3cbeefe7a49bfea91b99ad357dfb506");
	clv_index_free(&i);
}
END_TEST

START_TEST(a_record_is_hashed_whole)
{
	uint8_t record[3] = {1, 2, 3}, hash[32], other[32], want[32];

	clv_record_hash(record, 3, hash);
	crypto_generichash(want, sizeof(want), record, 3, NULL, 0);
	ck_assert_mem_eq(hash, want, 32);
	clv_record_hash(record, 2, other);
	ck_assert_mem_ne(hash, other, 32);
}
END_TEST

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

/* writing */

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
	uint8_t mac[32];

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

/* what a hostile administrator of the database may try: found when a database
 * is loaded, and at the read of a row by an index that is up to date */

START_TEST(a_row_that_was_rolled_back_is_found)
{
	const struct clv_change old = row("alpha", 1, 1);

	ck_assert_int_eq(check_row(&old), CLV_E_STALE);
	*db_row(&db, "alpha") = old;
	ck_assert_int_eq(load(&db, NULL), CLV_E_DAMAGED);
}
END_TEST

START_TEST(an_old_row_under_a_new_version_is_found)
{
	struct clv_change replayed = row("alpha", 2, 1);

	ck_assert_int_eq(check_row(&replayed), CLV_E_DAMAGED);
	*db_row(&db, "alpha") = replayed;
	ck_assert_int_eq(load(&db, NULL), CLV_E_DAMAGED);
	replayed.version = 3;
	ck_assert_int_eq(check_row(&replayed), CLV_E_STALE);
	*db_row(&db, "alpha") = replayed;
	ck_assert_int_eq(load(&db, NULL), CLV_E_DAMAGED);
}
END_TEST

START_TEST(a_row_that_was_removed_is_found)
{
	ck_assert_int_eq(
	    clv_index_check(x, "delta", 0, false, db.mac), CLV_E_STALE);
	*db_row(&db, "delta") = db.rows[--db.count];
	ck_assert_int_eq(load(&db, NULL), CLV_E_DAMAGED);
}
END_TEST

START_TEST(rows_that_were_swapped_are_found)
{
	struct clv_change *a = db_row(&db, "alpha"), *b = db_row(&db, "beta");
	const char *name = a->name;

	ck_assert_uint_eq(a->version, b->version);
	a->name = b->name;
	b->name = name;
	ck_assert_int_eq(check_row(a), CLV_E_DAMAGED);
	ck_assert_int_eq(check_row(b), CLV_E_DAMAGED);
	ck_assert_int_eq(load(&db, NULL), CLV_E_DAMAGED);
}
END_TEST

START_TEST(a_row_that_was_forged_is_found)
{
	const struct clv_change forged = row("omega", 1, 1);

	ck_assert_int_eq(check_row(&forged), CLV_E_STALE);
	db.rows[db.count++] = forged;
	ck_assert_int_eq(load(&db, NULL), CLV_E_DAMAGED);
}
END_TEST

START_TEST(a_deleted_secret_that_rose_again_is_found)
{
	const struct clv_change old = row("gamma", 2, 3);
	const struct clv_change same = row("gamma", 3, 3);

	ck_assert_int_eq(check_row(&old), CLV_E_STALE);
	ck_assert_int_eq(check_row(&same), CLV_E_DAMAGED);
	*db_row(&db, "gamma") = old;
	ck_assert_int_eq(load(&db, NULL), CLV_E_DAMAGED);
	*db_row(&db, "gamma") = same;
	ck_assert_int_eq(load(&db, NULL), CLV_E_DAMAGED);
}
END_TEST

START_TEST(a_tombstone_that_was_removed_is_found)
{
	ck_assert_int_eq(
	    clv_index_check(x, "gamma", 0, false, db.mac), CLV_E_STALE);
	*db_row(&db, "gamma") = db.rows[--db.count];
	ck_assert_int_eq(load(&db, NULL), CLV_E_DAMAGED);
}
END_TEST

START_TEST(a_secret_that_was_declared_deleted_is_found)
{
	const struct clv_change same = tombstone("alpha", 2);
	const struct clv_change next = tombstone("alpha", 3);

	ck_assert_int_eq(check_row(&same), CLV_E_DAMAGED);
	ck_assert_int_eq(check_row(&next), CLV_E_STALE);
	*db_row(&db, "alpha") = next;
	ck_assert_int_eq(load(&db, NULL), CLV_E_DAMAGED);
}
END_TEST

START_TEST(a_database_of_yesterday_is_found)
{
	const struct database yesterday = db;

	write_row(row("delta", 2, 9));
	ck_assert_int_eq(
	    clv_index_commit(x, yesterday.counter, yesterday.mac), CLV_E_STALE);
	ck_assert_uint_eq(clv_index_counter(x), db.counter);
	/* with a counter of today it is not genuine */
	ck_assert_int_eq(
	    clv_index_commit(x, db.counter + 1, yesterday.mac), CLV_E_DAMAGED);
}
END_TEST

START_TEST(a_manifest_that_moved_without_its_rows_is_found)
{
	const struct database yesterday = db;

	write_row(row("delta", 2, 9));
	memcpy(db.rows, yesterday.rows, sizeof(db.rows));
	ck_assert_int_eq(load(&db, NULL), CLV_E_DAMAGED);
}
END_TEST

/* Two members wrote on top of the same state, and one of them lost. Its rows
 * and its manifest are genuine, but nobody was told that they were written. */
START_TEST(a_write_that_lost_does_not_replace_the_one_that_won)
{
	struct clv_index *loser = NULL;
	const struct clv_change lost = row("alpha", 3, 66);
	uint8_t mac[32];

	ck_assert_int_eq(load(&db, &loser), CLV_OK);
	stage(loser, lost);
	clv_index_mac(loser, db.counter + 1, mac);
	write_row(row("alpha", 3, 55));
	stage(x, lost);
	ck_assert_int_eq(clv_index_commit(x, db.counter, mac), CLV_E_DAMAGED);
	ck_assert_int_eq(check_row(db_row(&db, "alpha")), CLV_OK);
	clv_index_free(&loser);
}
END_TEST

START_TEST(every_changed_bit_of_a_mac_is_refused)
{
	uint8_t mac[32];
	unsigned bit;

	for (bit = 0; bit < 256; bit++) {
		stage(x, row("alpha", 3, 9));
		stage(x, row("omega", 1, 9));
		clv_index_mac(x, db.counter + 1, mac);
		mac[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_eq(
		    clv_index_commit(x, db.counter + 1, mac), CLV_E_DAMAGED);
		clv_index_mac(x, db.counter, mac);
		ck_assert_mem_eq(mac, db.mac, sizeof(mac)); /* rolled back */
	}
	ck_assert_uint_eq(clv_index_counter(x), db.counter);
}
END_TEST

START_TEST(a_manifest_of_elsewhere_is_refused)
{
	struct clv_index *i;
	uint8_t mac[32];

	i = new_index("crm2");
	clv_index_mac(i, 1, mac);
	clv_index_free(&i);
	system_id[0] ^= 1;
	i = new_index("crm");
	ck_assert_int_eq(clv_index_commit(i, 1, mac), CLV_E_DAMAGED);
	clv_index_mac(i, 1, mac);
	clv_index_free(&i);
	system_id[0] ^= 1;
	i = new_index("crm");
	ck_assert_int_eq(clv_index_commit(i, 1, mac), CLV_E_DAMAGED);
	clv_index_mac(i, 1, mac);
	key[0] ^= 1;
	ck_assert_int_eq(clv_index_commit(i, 1, mac), CLV_E_DAMAGED);
	key[0] ^= 1;
	ck_assert_int_eq(clv_index_commit(i, 1, mac), CLV_OK);
	clv_index_free(&i);
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

START_TEST(names_are_listed_without_memory_to_sort_them)
{
	is_out_of_memory = true;
	assert_listed();
	is_out_of_memory = false;
	assert_listed();
	write_row(row("beta/1", 1, 1));
	is_out_of_memory = true;
	ck_assert_str_eq(clv_index_next(x, "beta", &(uint64_t){0}), "beta/1");
	is_out_of_memory = false;
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

/* against a model: all entries in an array, everything computed anew */

#define NAMES 40
#define STEPS 30000

struct state {
	uint64_t version; /* 0: not there */
	bool deleted;
	uint8_t hash[32];
};
static struct model {
	struct state committed[NAMES], staged[NAMES];
	uint64_t counter;
} model;
static char model_names[NAMES][8];

static void
model_mac(uint64_t counter, uint8_t ret[static 32])
{
	struct clv_buf b = {0};
	uint8_t sum[32] = {0}, entry[32];
	uint64_t count = 0;
	unsigned carry;
	size_t i, j;

	for (i = 0; i < NAMES; i++) {
		if (model.staged[i].version == 0)
			continue;
		count++;
		clv_buf_str(&b, model_names[i]);
		clv_buf_u64(&b, model.staged[i].version);
		clv_buf_u8(&b, model.staged[i].deleted);
		clv_buf_raw(&b, model.staged[i].hash, 32);
		crypto_generichash_blake2b_salt_personal(entry, 32, b.data,
		    b.len, key, 32, NULL, (const uint8_t *)"claviger-index01");
		clv_buf_reset(&b);
		for (carry = 0, j = 0; j < 32; j++) {
			carry += (unsigned)sum[j] + entry[j];
			sum[j] = (uint8_t)carry;
			carry >>= 8;
		}
	}
	clv_buf_raw(&b, system_id, 16);
	clv_buf_str(&b, "crm");
	clv_buf_u64(&b, counter);
	clv_buf_u64(&b, count);
	clv_buf_raw(&b, sum, 32);
	crypto_generichash_blake2b_salt_personal(ret, 32, b.data, b.len, key,
	    32, NULL, (const uint8_t *)"claviger-manifst");
	clv_buf_fini(&b);
}

static int
model_stage(struct state *s, const struct clv_change *c)
{
	if (c->version < s->version)
		return CLV_E_STALE;
	if (s->version != 0 && c->version == s->version &&
	    c->deleted != s->deleted)
		return CLV_E_DAMAGED;
	s->version = c->version;
	s->deleted = c->deleted;
	memcpy(s->hash, c->record_hash, sizeof(s->hash));
	return CLV_OK;
}

static void
step_stage(void)
{
	uint32_t i = randombytes_uniform(NAMES);
	struct state *s = &model.staged[i];
	uint64_t version = s->version + randombytes_uniform(3);
	uint8_t content = (uint8_t)(1 + randombytes_uniform(3));
	struct clv_change c;

	version -= version > 1 && randombytes_uniform(4) == 0;
	version += version == 0;
	c = row(model_names[i], version, content);
	if (randombytes_uniform(4) == 0)
		c = tombstone(model_names[i], version);
	ck_assert_int_eq(model_stage(s, &c), clv_index_stage(x, &c));
}

static void
step_commit(void)
{
	uint64_t counter = model.counter + randombytes_uniform(3);
	bool changed =
	    memcmp(model.staged, model.committed, sizeof(model.staged)) != 0;
	uint8_t mac[32];
	int want = CLV_OK;

	counter -= counter > 0 && randombytes_uniform(8) == 0;
	model_mac(counter, mac);
	if (counter == model.counter && changed)
		want = CLV_E_DAMAGED;
	if (randombytes_uniform(4) == 0) {
		mac[randombytes_uniform(32)] ^= 1;
		want = CLV_E_DAMAGED;
	}
	if (counter < model.counter)
		want = CLV_E_STALE;
	ck_assert_int_eq(clv_index_commit(x, counter, mac), want);
	if (want == CLV_OK) {
		memcpy(model.committed, model.staged, sizeof(model.staged));
		model.counter = counter;
	} else
		memcpy(model.staged, model.committed, sizeof(model.staged));
}

static void
step_abort(void)
{
	clv_index_abort(x);
	memcpy(model.staged, model.committed, sizeof(model.staged));
}

static void
step_look(void)
{
	size_t i, count = 0;
	const struct state *s;
	uint8_t mac[32], want[32];
	const char *at = "";
	uint64_t v;
	bool deleted;

	for (i = 0; i < NAMES; i++) {
		s = &model.committed[i];
		count += s->version != 0;
		if (s->version != 0 && !s->deleted) {
			at = clv_index_next(x, at, &v);
			ck_assert_ptr_nonnull(at);
			ck_assert_str_eq(at, model_names[i]);
			ck_assert_uint_eq(v, s->version);
		}
		ck_assert_int_eq(clv_index_check(x, model_names[i], s->version,
				     s->deleted, s->hash),
		    s->version == 0 || s->deleted ? CLV_E_NOT_FOUND : CLV_OK);
		ck_assert_int_eq(
		    clv_index_find(x, model_names[i], &v, &deleted),
		    s->version == 0 ? CLV_E_NOT_FOUND : CLV_OK);
	}
	ck_assert_ptr_null(clv_index_next(x, at, &v));
	ck_assert_uint_eq(clv_index_count(x), count);
	ck_assert_uint_eq(clv_index_counter(x), model.counter);
	clv_index_mac(x, 5, mac);
	model_mac(5, want);
	ck_assert_mem_eq(mac, want, sizeof(mac));
}

START_TEST(thousands_of_steps_are_as_a_model_says)
{
	unsigned i, dice;

	clv_index_free(&x);
	x = new_index("crm");
	memset(&model, 0, sizeof(model));
	for (i = 0; i < NAMES; i++) /* in the order of the bytes */
		snprintf(model_names[i], sizeof(model_names[i]), "n%02u", i);
	model_mac(0, db.mac);
	ck_assert_int_eq(clv_index_commit(x, 0, db.mac), CLV_OK);
	for (i = 0; i < STEPS; i++) {
		dice = randombytes_uniform(100);
		if (dice < 70)
			step_stage();
		else if (dice < 80)
			step_commit();
		else if (dice < 90)
			step_abort();
		else
			step_look();
	}
}
END_TEST

/* large */

#define MANY 100000

static const char *
nth_name(char buf[static 32], unsigned n)
{
	/* scattered: 7919 and MANY have no common divisor */
	snprintf(buf, 32, "service/%06u", n * 7919u % MANY);
	return buf;
}

static void
stage_range(struct clv_index *i, unsigned from, unsigned to, uint64_t version)
{
	char name[32];

	for (; from < to; from++)
		stage(i, row(nth_name(name, from), version, (uint8_t)from));
}

static void
commit_next(struct clv_index *i)
{
	uint64_t counter = clv_index_counter(i) + 1;
	uint8_t mac[32];

	clv_index_mac(i, counter, mac);
	ck_assert_int_eq(clv_index_commit(i, counter, mac), CLV_OK);
}

START_TEST(a_hundred_thousand_entries_are_held_and_listed)
{
	struct clv_index *i = new_index("crm");
	char name[32];
	const char *at = "";
	uint64_t v;
	unsigned n;

	stage_range(i, 0, MANY / 2, 1);
	commit_next(i);
	ck_assert_str_eq(clv_index_next(i, "", &v), "service/000000");
	stage_range(i, MANY / 4, MANY, 2);
	commit_next(i);
	ck_assert_uint_eq(clv_index_count(i), MANY);
	for (n = 0; n < MANY; n++) {
		at = clv_index_next(i, at, &v);
		snprintf(name, sizeof(name), "service/%06u", n);
		ck_assert_str_eq(at, name);
	}
	ck_assert_ptr_null(clv_index_next(i, at, &v));
	clv_index_free(&i);
}
END_TEST

START_TEST(a_large_abort_leaves_the_rest_where_it_was)
{
	struct clv_index *i = new_index("crm");
	uint8_t before[32], after[32];
	char name[32];
	uint64_t v;
	bool deleted;
	unsigned n;

	stage_range(i, 0, 5000, 1);
	commit_next(i);
	clv_index_mac(i, 9, before);
	stage_range(i, 2500, 30000, 2);
	clv_index_abort(i);
	clv_index_mac(i, 9, after);
	ck_assert_mem_eq(before, after, sizeof(before));
	for (n = 0; n < 30000; n++)
		ck_assert_int_eq(
		    clv_index_find(i, nth_name(name, n), &v, &deleted),
		    n < 5000 ? CLV_OK : CLV_E_NOT_FOUND);
	stage_range(i, 2500, 30000, 2);
	commit_next(i);
	ck_assert_uint_eq(clv_index_count(i), 30000);
	clv_index_free(&i);
}
END_TEST

static TCase *
cases(Suite *s, const char *name)
{
	TCase *t = tcase_create(name);

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_set_timeout(t, 120);
	suite_add_tcase(s, t);
	return t;
}

static void
add_writing(TCase *t)
{
	tcase_add_test(t, the_mac_is_as_the_manual_says);
	tcase_add_test(t, a_record_is_hashed_whole);
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
}

static void
add_attacks(TCase *t)
{
	tcase_add_test(t, a_row_that_was_rolled_back_is_found);
	tcase_add_test(t, an_old_row_under_a_new_version_is_found);
	tcase_add_test(t, a_row_that_was_removed_is_found);
	tcase_add_test(t, rows_that_were_swapped_are_found);
	tcase_add_test(t, a_row_that_was_forged_is_found);
	tcase_add_test(t, a_deleted_secret_that_rose_again_is_found);
	tcase_add_test(t, a_tombstone_that_was_removed_is_found);
	tcase_add_test(t, a_secret_that_was_declared_deleted_is_found);
	tcase_add_test(t, a_database_of_yesterday_is_found);
	tcase_add_test(t, a_manifest_that_moved_without_its_rows_is_found);
	tcase_add_test(t, a_write_that_lost_does_not_replace_the_one_that_won);
	tcase_add_test(t, every_changed_bit_of_a_mac_is_refused);
	tcase_add_test(t, a_manifest_of_elsewhere_is_refused);
	tcase_add_test(t, a_name_that_never_was_is_not_found);
}

int
main(void)
{
	Suite *s = suite_create("index");
	TCase *t;

	if (sodium_init() < 0)
		return 1;
	add_writing(cases(s, "an_index"));
	add_attacks(cases(s, "a_hostile_database"));
	t = cases(s, "a_listing");
	tcase_add_test(t, names_are_listed_in_bytewise_order);
	tcase_add_test(t, names_are_listed_without_memory_to_sort_them);
	tcase_add_test(t, nothing_is_listed_of_nothing);
	t = cases(s, "many_steps_and_many_names");
	tcase_add_test(t, thousands_of_steps_are_as_a_model_says);
	tcase_add_test(t, a_hundred_thousand_entries_are_held_and_listed);
	tcase_add_test(t, a_large_abort_leaves_the_rest_where_it_was);
	return run_suite(s);
}
