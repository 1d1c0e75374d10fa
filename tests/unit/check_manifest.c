/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "index_rig.h"

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
	return run_suite(s);
}
