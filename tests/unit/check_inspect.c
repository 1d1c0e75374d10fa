/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <sodium.h>
#include <stdio.h>

#include "daemon/vault/inspect.h"
#include "vault_rig.h"

/*
 * What a hostile administrator of the database may do, and what the inspection
 * says of it: on a server node and on a member (odd _i), where the vault holds
 * what it has verified, and where it does not (_i of 2 and above).
 */
static struct {
	unsigned parts;
	int result;
	char text[256];
	bool more;
	uint64_t done, total;
	char said[32768];      /* "kind:subject: text\n" */
	struct inspect *frees; /* in the callback */
} got;

static bool
is_server(int i)
{
	return (i & 1) == 0;
}

static bool
holds(int i)
{
	return i < 2;
}

static void
set_up(void)
{
	rig_init();
	memset(&got, 0, sizeof(got));
}

static void
on_part(void *arg, const struct inspect_part *p)
{
	char kind[32], subject[VAULT_NAME_MAX], text[300];
	struct clv_rd rd;
	size_t len;

	(void)arg;
	got.parts++;
	got.result = p->result;
	snprintf(got.text, sizeof(got.text), "%s", p->text);
	got.more = p->more;
	got.done = p->done;
	if (p->total > 0)
		got.total = p->total;
	ck_assert_uint_le(p->count, INSPECT_PART_MAX);
	if (p->result != CLV_OK)
		return;
	clv_rd_init(&rd, p->findings->data, p->findings->len);
	for (uint32_t n = 0; n < p->count; n++) {
		clv_rd_str(&rd, kind, sizeof(kind));
		clv_rd_str(&rd, subject, sizeof(subject));
		clv_rd_str(&rd, text, sizeof(text));
		len = strlen(got.said);
		snprintf(got.said + len, sizeof(got.said) - len, "%s:%s: %s\n",
		    kind, subject, text);
	}
	ck_assert_int_eq(clv_rd_end(&rd), CLV_OK);
	inspect_free(&got.frees);
}

/* All of it; `before` each part but the first. */
static void
inspect_with(int i, void (*before)(void))
{
	struct inspect *x = NULL;

	rig.member.is_server_node = is_server(i);
	memset(&got, 0, sizeof(got));
	ck_assert_int_eq(inspect_new(rig.vault, "shop", &x), CLV_OK);
	do {
		if (got.parts > 0 && before != NULL)
			before();
		inspect_next(x, on_part, NULL);
		rig_settle();
		ck_assert_uint_lt(got.parts, 1000);
	} while (got.result == CLV_OK && got.more);
	inspect_free(&x);
	rig.member.is_server_node = false;
}

static void
inspect(int i)
{
	inspect_with(i, NULL);
}

#define ck_clean() \
	ck_assert_msg(got.result == CLV_OK && got.said[0] == '\0', \
	    "%d (%s): %s", got.result, got.text, got.said)
#define ck_said(what) \
	ck_assert_msg(got.result == CLV_OK && strstr(got.said, what) != NULL, \
	    "%d (%s): %s", got.result, got.text, got.said)
#define ck_silent(what) \
	ck_assert_msg(strstr(got.said, what) == NULL, "%s", got.said)

static void
put(const char *name, const char *value)
{
	const struct rig_got *g = rig_put("shop", name, value);

	ck_assert_msg(g->result == CLV_OK, "%s", g->text);
}

/* Three secrets, one with two versions, one deleted. */
static void
fill(int i)
{
	put("a", "1");
	put("b", "1");
	put("b", "2");
	put("c", "1");
	put("d", "1");
	ck_assert_int_eq(rig_delete("shop", "d")->result, CLV_OK);
	if (!holds(i))
		rig_restart();
}

START_TEST(a_sound_application_is_sound)
{
	inspect(_i);
	ck_clean();
	fill(_i);
	inspect(_i);
	ck_clean();
	ck_assert_uint_eq(got.done, 3);
	ck_assert_uint_eq(got.total, 4);
	/* Whatever it holds in memory, it reads anew. */
	ck_assert_uint_ge(rig.sent[CLV_STMT_GET_KEYS], 2);
}
END_TEST

START_TEST(many_secrets_come_in_parts)
{
	char name[16];

	for (unsigned n = 0; n < 200; n++) {
		snprintf(name, sizeof(name), "s%u", n);
		put(name, "x");
	}
	inspect(_i);
	ck_clean();
	ck_assert_uint_eq(got.done, 200);
	ck_assert_uint_ge(got.parts, 5);
}
END_TEST

static void
copy_record(struct rig_row *to, const struct rig_row *from)
{
	free(to->record);
	to->record = malloc(from->len + 1);
	ck_assert_ptr_nonnull(to->record);
	memcpy(to->record, from->record, from->len);
	to->len = from->len;
	memcpy(to->hash, from->hash, sizeof(to->hash));
}

START_TEST(a_record_of_another_name_is_named)
{
	fill(_i);
	copy_record(rig_row("shop", "a", 0), rig_row("shop", "c", 0));
	inspect(_i);
	ck_said("rows-changed:shop:");
	ck_said("record-changed:a: the content of version 1");
	ck_silent(":c:");
	if (holds(_i))
		ck_said("row-replaced:a: version 1 is not what was written");
}
END_TEST

START_TEST(two_records_that_changed_places_are_named)
{
	struct rig_row *a = rig_row("shop", "a", 0);
	struct rig_row *c, keep;

	fill(_i);
	a = rig_row("shop", "a", 0);
	c = rig_row("shop", "c", 0);
	keep = *a;
	a->record = c->record;
	a->len = c->len;
	c->record = keep.record;
	c->len = keep.len;
	inspect(_i);
	ck_said("record-changed:a:");
	ck_said("record-changed:c:");
	ck_silent(":b:");
}
END_TEST

START_TEST(an_older_version_in_its_place_is_named)
{
	fill(_i);
	rig_remove_row(rig_row("shop", "b", 2));
	rig_row("shop", "b", 1)->current = true;
	inspect(_i);
	ck_said("rows-changed:shop:");
	ck_silent(":a:");
	if (holds(_i))
		ck_said("row-older:b: version 1 stands where version 2 was");
}
END_TEST

START_TEST(a_current_row_that_was_taken_away_is_named)
{
	fill(_i);
	rig_remove_row(rig_row("shop", "b", 2));
	inspect(_i);
	ck_said("rows-changed:shop:");
	ck_silent(":a:");
	if (is_server(_i)) /* a member never reads older versions */
		ck_said("row-missing:b: version 1 is there, but not the");
	if (holds(_i))
		ck_said("row-missing:b: it was written");
}
END_TEST

START_TEST(all_rows_of_a_name_taken_away_are_named)
{
	fill(_i);
	rig_remove_row(rig_row("shop", "c", 0));
	inspect(_i);
	ck_said("rows-changed:shop:");
	if (holds(_i))
		ck_said("row-missing:c: it was written");
}
END_TEST

static void
change_bit(struct rig_row *row)
{
	row->record[row->len - 1] ^= 1;
}

START_TEST(a_changed_bit_is_named)
{
	fill(_i);
	change_bit(rig_row("shop", "c", 0));
	inspect(_i);
	ck_said("record-changed:c: the content of version 1");
	ck_silent(":a:");
}
END_TEST

START_TEST(a_changed_older_version_is_named_where_it_is_read)
{
	fill(_i);
	change_bit(rig_row("shop", "b", 1));
	inspect(_i);
	if (is_server(_i))
		ck_said("record-changed:b: the content of version 1");
	else
		ck_clean();
}
END_TEST

START_TEST(a_row_that_nobody_wrote_is_named)
{
	struct rig_row *from, *r;

	fill(_i);
	from = rig_row("shop", "a", 0);
	r = &rig.db.rows[rig.db.row_count++];
	memset(r, 0, sizeof(*r));
	strcpy(r->app, "shop");
	strcpy(r->name, "z");
	r->version = 1;
	r->current = true;
	r->key_version = 1;
	r->counter = 2;
	copy_record(r, from);
	inspect(_i);
	ck_said("rows-changed:shop:");
	ck_said("record-changed:z:");
	if (holds(_i))
		ck_said("row-unknown:z: nobody wrote this row");
}
END_TEST

START_TEST(an_undone_deletion_is_named)
{
	fill(_i);
	rig_remove_row(rig_row("shop", "d", 2));
	rig_row("shop", "d", 1)->current = true;
	inspect(_i);
	ck_said("rows-changed:shop:");
	if (holds(_i))
		ck_said("row-older:d: version 1 stands where version 2 was");
}
END_TEST

START_TEST(two_current_rows_of_one_name_are_named)
{
	fill(_i);
	rig_row("shop", "b", 1)->current = true;
	rig_row("shop", "b", 1)->counter = rig_app("shop")->counter;
	inspect(_i);
	ck_said("row-forged:b:");
}
END_TEST

START_TEST(a_database_that_went_back_is_named)
{
	struct rig_tables before;

	put("a", "1");
	put("b", "1");
	rig_save(&before);
	put("b", "2");
	put("c", "1");
	if (!holds(_i))
		rig_restart(); /* the counter is on disk */
	rig_restore(&before);
	inspect(_i);
	ck_said("rolled-back:shop: the database is at change 3 of it, and "
		"change 5 has been seen");
	ck_silent("rows-changed");
	if (holds(_i)) {
		ck_said("row-older:b: version 1 stands where version 2 was");
		ck_said("row-missing:c:");
	}
}
END_TEST

/* As far as the counter goes, it is newer than what was seen. */
START_TEST(a_database_that_went_another_way_is_named)
{
	struct rig_tables before;

	put("a", "1");
	rig_save(&before);
	put("b", "1");
	put("c", "1");
	if (!holds(_i))
		rig_restart();
	rig_restore(&before);
	rig_swap();
	for (unsigned n = 0; n < 4; n++)
		put("a", "2");
	inspect(_i);
	ck_clean();
	rig_swap();
	inspect(_i);
	ck_said("forked:shop: change 4 of it that has been seen is not in the "
		"database");
	ck_silent("rolled-back");
	ck_silent("rows-changed");
	if (holds(_i))
		ck_said("row-missing:c:");
	ck_assert(got.done == 1);
}
END_TEST

START_TEST(a_manifest_that_went_back_is_named)
{
	uint8_t mac[32];
	uint64_t counter;

	put("a", "1");
	memcpy(mac, rig_app("shop")->mac, sizeof(mac));
	counter = rig_app("shop")->counter;
	put("a", "2");
	if (!holds(_i))
		rig_restart();
	memcpy(rig_app("shop")->mac, mac, sizeof(mac));
	rig_app("shop")->counter = counter;
	inspect(_i);
	ck_said("rolled-back:shop:");
	ck_said("rows-changed:shop:");
}
END_TEST

START_TEST(keys_that_were_changed_are_named)
{
	fill(_i);
	rig_add_key("shop", 2, 1);
	inspect(_i);
	ck_clean(); /* one that is not used yet */
	rig_app("shop")->keys[2].wrapped[40] ^= 1;
	inspect(_i);
	ck_said("key-changed:data key 2: its row");
	ck_silent("record");
	rig_app("shop")->keys[1].wrapped[40] ^= 1;
	inspect(_i);
	ck_said("key-changed:data key 1: its row");
	ck_said("record-key:a: version 1 is under data key 1");
	rig_app("shop")->keys[0].wrapped[40] ^= 1;
	inspect(_i);
	ck_said("key-changed:index key: its row");
	/* what a member reads it reads by the index */
	ck_assert_uint_eq(got.done, is_server(_i) ? 3 : 0);
}
END_TEST

START_TEST(keys_that_changed_places_are_named)
{
	struct rig_key keep;

	fill(_i);
	rig_add_key("shop", 2, 1);
	keep = rig_app("shop")->keys[1];
	memcpy(rig_app("shop")->keys[1].wrapped,
	    rig_app("shop")->keys[2].wrapped, sizeof(keep.wrapped));
	inspect(_i);
	ck_said("key-changed:data key 1:");
	ck_silent("data key 2:");
}
END_TEST

START_TEST(keys_that_are_missing_are_named)
{
	fill(_i);
	rig_app("shop")->keys[0] = rig_app("shop")->keys[1];
	rig_app("shop")->key_count = 1;
	inspect(_i);
	ck_said("key-changed:data key 1: it is not in its place");
	rig_app("shop")->key_count = 0;
	inspect(_i);
	ck_said("keys-missing:shop:");
}
END_TEST

/* As after an application of that name was removed, and made anew. */
START_TEST(a_genuine_key_that_the_manifest_does_not_name_is_named)
{
	fill(_i);
	rig_app("shop")->key_count = 1;
	rig_insert_key("shop", 1, 1);
	inspect(_i);
	ck_said("key-changed:data key 1: it is not the one that the manifest");
}
END_TEST

START_TEST(a_key_of_an_unknown_generation_is_named)
{
	fill(_i);
	rig_add_key("shop", 2, 2);
	inspect(_i);
	ck_said("generation:data key 2: it is under generation 2");
	ck_silent("record");
}
END_TEST

START_TEST(a_missing_manifest_is_named)
{
	fill(_i);
	strcpy(rig_app("shop")->name, "gone");
	inspect(_i);
	ck_said("keys-missing:shop:"); /* the rig has both in one place */
}
END_TEST

/* What others write meanwhile is no finding. */

static unsigned writes;

static void
write_on(void)
{
	char value[16];

	snprintf(value, sizeof(value), "%u", ++writes);
	rig_put("shop", "a", value);
	rig_put("shop", writes % 2 == 0 ? "n" : "m", value);
	rig_delete("shop", "c");
	rig_put("shop", "c", value);
}

START_TEST(what_is_written_meanwhile_is_no_finding)
{
	fill(_i);
	writes = 0;
	inspect_with(_i, write_on);
	ck_clean();
	ck_assert_uint_ge(writes, 3);
}
END_TEST

/* The newer of two keys is used from now on. */
static void
add_key(void)
{
	if (rig_app("shop")->key_count == 2) {
		rig_add_key("shop", 2, 1);
		rig_put("shop", "a", "new");
	}
}

START_TEST(a_data_key_that_is_made_meanwhile_is_no_finding)
{
	fill(_i);
	inspect_with(_i, add_key);
	ck_clean();
	ck_assert_uint_eq(rig_row("shop", "a", 0)->key_version, 2);
}
END_TEST

START_TEST(very_many_findings_are_counted)
{
	char name[16];

	for (unsigned n = 0; n < 200; n++) {
		snprintf(name, sizeof(name), "s%u", n);
		put(name, "x");
	}
	for (size_t n = 0; n < rig.db.row_count; n++)
		rig.db.rows[n].hash[0] ^= 1;
	inspect(_i);
	ck_said("rows-changed:shop:");
	if (holds(_i))
		ck_said("more:shop:");
}
END_TEST

/* How it ends. */

START_TEST(a_database_that_is_away_ends_it)
{
	struct inspect *x = NULL;

	fill(0);
	for (unsigned n = 0; n < 5; n++) { /* in each phase */
		memset(&got, 0, sizeof(got));
		rig.member.is_server_node = is_server(_i);
		ck_assert_int_eq(inspect_new(rig.vault, "shop", &x), CLV_OK);
		for (unsigned part = 0; part < n; part++) {
			inspect_next(x, on_part, NULL);
			rig_settle();
		}
		rig.away = got.more || n == 0;
		inspect_next(x, on_part, NULL);
		rig_settle();
		ck_assert_int_eq(
		    got.result, rig.away ? CLV_E_DATABASE_AWAY : CLV_OK);
		rig.away = false;
		inspect_next(x, on_part, NULL); /* it stays so */
		ck_assert(!got.more);
		inspect_free(&x);
	}
	ck_assert_uint_eq(got.parts, 6);
}
END_TEST

START_TEST(there_is_one_at_a_time)
{
	struct inspect *x = NULL, *y = NULL;

	ck_assert_int_eq(inspect_new(rig.vault, "shop", &x), CLV_OK);
	ck_assert_int_eq(inspect_new(rig.vault, "shop", &y), CLV_E_BUSY);
	inspect_free(&x);
	ck_assert_int_eq(inspect_new(rig.vault, "shop", &y), CLV_OK);
	inspect_free(&y);
	inspect_free(&y);
}
END_TEST

START_TEST(whoever_leaves_is_not_told)
{
	struct inspect *x = NULL;

	fill(0);
	for (unsigned n = 0; n < 3; n++) {
		memset(&got, 0, sizeof(got));
		rig.member.is_server_node = is_server(_i);
		ck_assert_int_eq(inspect_new(rig.vault, "shop", &x), CLV_OK);
		for (unsigned part = 0; part < n; part++) {
			inspect_next(x, on_part, NULL);
			rig_settle();
		}
		inspect_next(x, on_part, NULL);
		inspect_free(&x);
		ck_assert_uint_gt(rig_open(), 0);
		rig_settle();
		ck_assert_uint_eq(got.parts, n);
	}
}
END_TEST

START_TEST(whoever_is_told_may_leave)
{
	struct inspect *x = NULL;

	fill(0);
	rig.at_once = true;
	for (unsigned n = 0; n < 4; n++) {
		memset(&got, 0, sizeof(got));
		rig.member.is_server_node = is_server(_i);
		ck_assert_int_eq(inspect_new(rig.vault, "shop", &x), CLV_OK);
		for (unsigned part = 0; part < n && x != NULL; part++)
			inspect_next(x, on_part, NULL);
		got.frees = x;
		inspect_next(x, on_part, NULL);
		ck_assert_uint_eq(got.parts, n + 1);
		ck_assert_ptr_null(got.frees);
	}
}
END_TEST

START_TEST(keys_that_are_taken_away_end_it)
{
	struct inspect *x = NULL;

	fill(0);
	rig.member.is_server_node = is_server(_i);
	ck_assert_int_eq(inspect_new(rig.vault, "shop", &x), CLV_OK);
	inspect_next(x, on_part, NULL);
	rig_settle();
	inspect_next(x, on_part, NULL); /* under way */
	vault_drop(rig.vault);
	ck_assert_int_eq(got.result, CLV_E_REVOKED);
	rig_settle();
	ck_assert_uint_eq(got.parts, 2);
	inspect_next(x, on_part, NULL);
	ck_assert_int_eq(got.result, CLV_E_REVOKED);
	inspect_free(&x);
}
END_TEST

static Suite *
inspect_suite(void)
{
	const TTest *const hostile[] = {
	    a_record_of_another_name_is_named,
	    two_records_that_changed_places_are_named,
	    an_older_version_in_its_place_is_named,
	    a_current_row_that_was_taken_away_is_named,
	    all_rows_of_a_name_taken_away_are_named,
	    a_changed_bit_is_named,
	    a_changed_older_version_is_named_where_it_is_read,
	    a_row_that_nobody_wrote_is_named,
	    an_undone_deletion_is_named,
	    two_current_rows_of_one_name_are_named,
	    a_database_that_went_back_is_named,
	    a_database_that_went_another_way_is_named,
	    a_manifest_that_went_back_is_named,
	    keys_that_were_changed_are_named,
	    keys_that_changed_places_are_named,
	    keys_that_are_missing_are_named,
	    a_genuine_key_that_the_manifest_does_not_name_is_named,
	    a_key_of_an_unknown_generation_is_named,
	    a_missing_manifest_is_named,
	    very_many_findings_are_counted,
	};
	Suite *s = suite_create("inspect");
	TCase *t = tcase_create("sound");

	tcase_add_checked_fixture(t, set_up, rig_fini);
	tcase_add_loop_test(t, a_sound_application_is_sound, 0, 4);
	tcase_add_loop_test(t, many_secrets_come_in_parts, 0, 4);
	tcase_add_loop_test(t, what_is_written_meanwhile_is_no_finding, 0, 4);
	tcase_add_loop_test(
	    t, a_data_key_that_is_made_meanwhile_is_no_finding, 0, 4);
	suite_add_tcase(s, t);
	t = tcase_create("hostile");
	tcase_add_checked_fixture(t, set_up, rig_fini);
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++)
		tcase_add_loop_test(t, hostile[i], 0, 4);
	suite_add_tcase(s, t);
	t = tcase_create("ends");
	tcase_add_checked_fixture(t, set_up, rig_fini);
	tcase_add_loop_test(t, a_database_that_is_away_ends_it, 0, 2);
	tcase_add_test(t, there_is_one_at_a_time);
	tcase_add_loop_test(t, whoever_leaves_is_not_told, 0, 2);
	tcase_add_loop_test(t, whoever_is_told_may_leave, 0, 2);
	tcase_add_loop_test(t, keys_that_are_taken_away_end_it, 0, 2);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	SRunner *r = srunner_create(inspect_suite());
	int failed;

	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
