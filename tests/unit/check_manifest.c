/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "index_rig.h"

START_TEST(the_mac_is_as_the_manual_says)
{
	struct clv_index *i = new_index("crm");
	char text[2 * (CLV_MANIFEST_HEAD_LEN + 16) + 1];
	uint8_t mac[CLV_MANIFEST_MAC_LEN], data_key[32];

	for (uint8_t b = 0; b < 32; b++)
		data_key[b] = 32 + b;
	stage_key(i, 1, data_key);
	clv_index_mac(i, 257, mac);
	ck_assert_int_eq(clv_index_commit(i, 257, mac), CLV_OK);
	sodium_bin2hex(text, sizeof(text), mac, sizeof(text) / 2);
	ck_assert_str_eq(text,
	    "00000001"
	    "062d3a6f2c25ab4e718df32ea3a243238a778aeead231ef88024639fedce389e"
	    "f28bd4c10ca1e3f418c3e89c50ddf748db2ddbac700215376f0abfd8c0f35474"
	    "00000000000000000000000000000000");
	stage_key(i, 2, key);
	stage_key(i, 3, data_key);
	stage(i, tombstone("gone", 9));
	stage(i, row("b/c", 1ull << 33, 0xff));
	stage(i, row("a", 1, 1));
	clv_index_mac(i, 258, mac);
	sodium_bin2hex(text, sizeof(text), mac, sizeof(text) / 2);
	ck_assert_str_eq(text,
	    "00000003"
	    "062d3a6f2c25ab4e718df32ea3a243238a778aeead231ef88024639fedce389e"
	    "e374d6c2bc4341d88921dba597900d97fd90059ad81b216f0b9f596c091bbb7a"
	    "f28bd4c10ca1e3f40000000000000000");
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

/* What a hostile administrator of the database may try: found when a database
 * is loaded, and at the read of a row by an index that is up to date. */

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
	remove_row(&db, "delta");
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
	remove_row(&db, "gamma");
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

START_TEST(a_flipped_mark_of_deletion_is_found)
{
	struct clv_change hidden = *db_row(&db, "alpha");
	struct clv_change shown = *db_row(&db, "gamma");

	hidden.deleted = true;
	shown.deleted = false;
	ck_assert_int_eq(check_row(&hidden), CLV_E_DAMAGED);
	ck_assert_int_eq(check_row(&shown), CLV_E_DAMAGED);
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
	uint8_t mac[CLV_MANIFEST_MAC_LEN];

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
	uint8_t mac[CLV_MANIFEST_MAC_LEN];
	unsigned bit;

	for (bit = 0; bit < 8 * sizeof(mac); bit++) {
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
	uint8_t mac[CLV_MANIFEST_MAC_LEN];

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

/* The links: which way the database has come. */

static struct clv_head
head_of(const struct database *d)
{
	struct clv_head h = {.counter = d->counter, .linked = d->counter};

	ck_assert(clv_manifest_link(d->mac, d->counter, d->counter, h.link));
	ck_assert_mem_eq(h.link, d->mac + 36, sizeof(h.link));
	return h;
}

START_TEST(a_manifest_tells_the_links_before_it)
{
	uint8_t links[300][CLV_LINK_LEN], link[CLV_LINK_LEN];
	struct clv_head h;

	for (uint8_t n = 1; n < 250; n++) {
		write_row(row("alpha", 2u + n, n));
		h = head_of(&db);
		memcpy(links[db.counter], h.link, sizeof(link));
	}
	for (uint64_t at = db.counter - CLV_MANIFEST_LINKS; at <= db.counter;
	     at++) {
		ck_assert(clv_manifest_link(db.mac, db.counter, at, link));
		ck_assert_mem_eq(link, links[at], sizeof(link));
	}
	ck_assert(!clv_manifest_link(
	    db.mac, db.counter, db.counter - CLV_MANIFEST_LINKS - 1, link));
	ck_assert(!clv_manifest_link(db.mac, db.counter, 0, link));
	ck_assert(!clv_manifest_link(db.mac, db.counter, db.counter + 1, link));
	ck_assert(!clv_manifest_link(db.mac, db.counter, UINT64_MAX, link));
}
END_TEST

/* What was seen, set back to a counter before, and written on by another host,
 * which knows nothing of what was lost. */
static struct clv_head
fork_off(uint64_t lost, uint64_t written)
{
	const struct database before = db;
	struct clv_index *other = NULL;
	struct clv_head seen;

	for (uint8_t n = 0; n < lost; n++)
		write_row(row("delta", 2u + n, n));
	seen = head_of(&db);
	db = before;
	ck_assert_int_eq(load(&db, &other), CLV_OK);
	clv_index_free(&x);
	x = other;
	for (uint8_t n = 0; n < written; n++)
		write_row(row("delta", 2u + n, 100u + n));
	return seen;
}

START_TEST(a_database_that_went_another_way_is_found)
{
	struct clv_head seen = fork_off(3, 2), none = {0}, higher;

	ck_assert_int_eq(
	    clv_head_check(&seen, db.counter, db.mac), CLV_E_ROLLBACK);
	for (unsigned n = 0; n <= CLV_MANIFEST_LINKS; n++) {
		write_row(row("delta", 4u + n, (uint8_t)(200 - n)));
		ck_assert_int_eq(
		    clv_head_check(&seen, db.counter, db.mac), CLV_E_FORKED);
		ck_assert_int_eq(load(&db, NULL), CLV_OK); /* it is genuine */
	}
	ck_assert_int_eq(clv_head_check(&none, db.counter, db.mac), CLV_OK);
	/* the highest counter is not the one whose link is known */
	higher = seen;
	higher.counter = db.counter;
	ck_assert_int_eq(
	    clv_head_check(&higher, db.counter, db.mac), CLV_E_FORKED);
	higher.counter++;
	ck_assert_int_eq(
	    clv_head_check(&higher, db.counter, db.mac), CLV_E_ROLLBACK);
	/* so long ago that it cannot be told */
	write_row(row("alpha", 3, 1));
	ck_assert_int_eq(clv_head_check(&seen, db.counter, db.mac), CLV_OK);
}
END_TEST

START_TEST(what_comes_of_what_was_seen_is_no_other_way)
{
	struct clv_head seen = head_of(&db);

	for (unsigned n = 0; n < 2 * CLV_MANIFEST_LINKS; n++) {
		ck_assert_int_eq(
		    clv_head_check(&seen, db.counter, db.mac), CLV_OK);
		write_row(row("alpha", 3u + n, (uint8_t)n));
		if (n % 7 == 0)
			seen = head_of(&db);
	}
}
END_TEST

/* The rows that were lost have all been written anew, so that those that came
 * since fit on top of what is held. */
START_TEST(an_index_does_not_follow_to_another_way)
{
	struct clv_index *held = NULL;
	const struct database before = db;
	struct clv_change last;

	write_row(row("delta", 2, 55));
	ck_assert_int_eq(load(&db, &held), CLV_OK);
	db = before;
	fork_off(0, 2);
	last = *db_row(&db, "delta");
	stage(held, last);
	ck_assert_int_eq(
	    clv_index_commit(held, db.counter, db.mac), CLV_E_DAMAGED);
	/* and under the same counter it is another one */
	ck_assert(clv_index_is_at(x, db.counter, db.mac));
	ck_assert(!clv_index_is_at(held, db.counter, db.mac));
	ck_assert(!clv_index_is_at(held, db.counter - 1, db.mac));
	clv_index_free(&held);
}
END_TEST

/* Made anew under its name, and a higher counter: with another index key. */
START_TEST(an_application_that_was_made_again_is_no_other_way)
{
	struct clv_head seen = head_of(&db);
	struct clv_index *i;

	key[0] ^= 1;
	i = new_index("crm");
	db.counter += 2;
	clv_index_mac(i, db.counter, db.mac);
	ck_assert_int_eq(clv_index_commit(i, db.counter, db.mac), CLV_OK);
	ck_assert_int_eq(clv_head_check(&seen, db.counter, db.mac), CLV_OK);
	for (unsigned n = 0; n < 200; n++) {
		stage(i, row("alpha", 1u + n, (uint8_t)n));
		clv_index_mac(i, ++db.counter, db.mac);
		ck_assert_int_eq(
		    clv_index_commit(i, db.counter, db.mac), CLV_OK);
		ck_assert_int_eq(
		    clv_head_check(&seen, db.counter, db.mac), CLV_OK);
	}
	clv_index_free(&i);
	key[0] ^= 1;
}
END_TEST

/* Another newest data key: by its number, or by what it is. */

static int
load_with(uint32_t version, const uint8_t *data_key)
{
	struct database other = db;
	struct clv_index *i = NULL;
	int r;

	ck_assert_int_eq(load(&db, &i), CLV_OK);
	while (clv_index_key_version(i) + 1 < version) {
		stage_key(i, clv_index_key_version(i) + 1, key);
		clv_index_mac(i, ++other.counter, other.mac);
		ck_assert_int_eq(
		    clv_index_commit(i, other.counter, other.mac), CLV_OK);
	}
	stage_key(i, version, data_key);
	clv_index_mac(i, other.counter + 1, other.mac);
	memcpy(db.mac, other.mac, 36);
	r = load(&db, NULL);
	clv_index_free(&i);
	return r;
}

START_TEST(another_newest_data_key_is_found)
{
	uint8_t data_key[32] = {7}, older[4];
	struct database before = db;

	ck_assert_int_eq(load_with(1, data_key), CLV_E_DAMAGED);
	db = before;
	ck_assert_int_eq(load_with(2, data_key), CLV_E_DAMAGED);
	db = before;
	stage_key(x, 1, data_key);
	clv_index_mac(x, ++db.counter, db.mac);
	ck_assert_int_eq(clv_index_commit(x, db.counter, db.mac), CLV_OK);
	ck_assert_int_eq(load(&db, NULL), CLV_OK);
	memcpy(older, before.mac, sizeof(older));
	memcpy(db.mac, before.mac, 36); /* the one before */
	ck_assert_int_eq(load(&db, NULL), CLV_E_DAMAGED);
	ck_assert_int_eq(
	    clv_index_commit(x, db.counter, db.mac), CLV_E_DAMAGED);
	memcpy(db.mac, older, sizeof(older));
	ck_assert_int_eq(
	    clv_index_commit(x, db.counter + 1, db.mac), CLV_E_DAMAGED);
	ck_assert_uint_eq(clv_index_key_version(x), 1);
}
END_TEST

/* Whoever made it knows the index key; still it does not go back. */
START_TEST(an_older_data_key_does_not_become_the_newest_again)
{
	uint8_t data_key[32] = {7}, mac[CLV_MANIFEST_MAC_LEN];
	struct clv_index *i = NULL;

	ck_assert_int_eq(load(&db, &i), CLV_OK);
	stage_key(i, 1, data_key);
	clv_index_mac(i, db.counter + 9, mac);
	stage_key(x, 1, data_key);
	stage_key(x, 2, key);
	clv_index_mac(x, ++db.counter, db.mac);
	ck_assert_int_eq(clv_index_commit(x, db.counter, db.mac), CLV_OK);
	ck_assert_int_eq(
	    clv_index_commit(x, db.counter + 8, mac), CLV_E_DAMAGED);
	/* nor another one under the same counter */
	stage_key(i, 2, data_key);
	clv_index_mac(i, db.counter, mac);
	ck_assert_int_eq(clv_index_commit(x, db.counter, mac), CLV_E_DAMAGED);
	ck_assert(clv_index_is_newest(x, key));
	clv_index_free(&i);
}
END_TEST

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
	tcase_add_test(t, a_flipped_mark_of_deletion_is_found);
	tcase_add_test(t, a_database_of_yesterday_is_found);
	tcase_add_test(t, a_manifest_that_moved_without_its_rows_is_found);
	tcase_add_test(t, a_write_that_lost_does_not_replace_the_one_that_won);
	tcase_add_test(t, every_changed_bit_of_a_mac_is_refused);
	tcase_add_test(t, a_manifest_of_elsewhere_is_refused);
	tcase_add_test(t, another_newest_data_key_is_found);
	tcase_add_test(t, an_older_data_key_does_not_become_the_newest_again);
}

int
main(void)
{
	Suite *s = suite_create("manifest");
	TCase *t;

	if (sodium_init() < 0)
		return 1;
	t = add_cases(s, "a_mac");
	tcase_add_test(t, the_mac_is_as_the_manual_says);
	tcase_add_test(t, a_record_is_hashed_whole);
	add_attacks(add_cases(s, "a_hostile_database"));
	t = add_cases(s, "links");
	tcase_add_test(t, a_manifest_tells_the_links_before_it);
	tcase_add_test(t, a_database_that_went_another_way_is_found);
	tcase_add_test(t, what_comes_of_what_was_seen_is_no_other_way);
	tcase_add_test(t, an_index_does_not_follow_to_another_way);
	tcase_add_test(t, an_application_that_was_made_again_is_no_other_way);
	return run_suite(s);
}
