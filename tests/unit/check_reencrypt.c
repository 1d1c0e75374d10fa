/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <sodium.h>
#include <stdio.h>

#include "daemon/rotate/reencrypt.h"
#include "suite.h"
#include "vault_rig.h"
#include "vault_wrap.h"

/*
 * An active server that re-encrypts, beside a member with a vault of its own:
 * whatever happens to the server, in the end each application has one new data
 * key, no record is under an old one, all values are what they were, and the
 * member was never refused.
 */
#define SECRETS 70 /* more than one transaction */

static unsigned keys_ended, records_ended, polls, refreshes;
static struct vault *member;
static struct rig_got said;

void __wrap_db_poll_soon(struct keeper *k);
void
__wrap_db_poll_soon(struct keeper *k)
{
	(void)k;
	polls++;
}

void __wrap_member_refresh_soon(struct keeper *k);
void
__wrap_member_refresh_soon(struct keeper *k)
{
	(void)k;
	refreshes++;
}

void __wrap_log_info(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));
void
__wrap_log_info(const char *fmt, ...)
{
	(void)fmt;
}

/* The server. */

static void
on_records(struct keeper *k)
{
	(void)k;
	records_ended++;
}

static void
on_keys(struct keeper *k)
{
	keys_ended++;
	reencrypt_records(k, on_records);
}

static void
begin(void)
{
	records_ended = 0;
	reencrypt_keys(&rig.k, rig.db.epoch, 2, on_keys);
}

static void
finish(void)
{
	for (unsigned t = 0; records_ended == 0; t++) {
		ck_assert_uint_lt(t, 2000);
		rig_settle();
		rig_advance(rig_open() > 0 ? 0 : 50);
	}
}

/* As far as that statement, which is not answered. */
static void
until(enum clv_stmt stmt)
{
	for (unsigned t = 0; rig_open() == 0 || rig_call(0)->stmt != stmt;
	     t++) {
		ck_assert_uint_lt(t, 2000);
		if (rig_open() > 0)
			rig_answer(rig_call(0));
		else
			rig_advance(1);
	}
}

static struct reencrypt_progress
progress(void)
{
	struct reencrypt_progress p;

	reencrypt_progress(&rig.k, &p);
	return p;
}

static void
list_app(const char *name)
{
	struct clv_list_app *a = clv_list_add_app(rig.k.secret.list);

	ck_assert_ptr_nonnull(a);
	strcpy(a->name, name);
}

/* Whatever it was doing: another process begins anew. In doubt the database has
 * done what was asked of it. */
static void
kill_server(bool done)
{
	reencrypt_free(&rig.k.reencrypt);
	while (rig_open() > 0) {
		if (done)
			rig_do(rig_call(0));
		rig_fail_call(rig_call(0), CLV_E_CANCELLED);
	}
	rig_restart();
	ck_assert_int_eq(reencrypt_new(&rig.k, &rig.k.reencrypt), CLV_OK);
}

/* Secrets "s00" ... of "shop", two versions of some, one deleted. */

static void
name_of(unsigned i, char ret[static 8])
{
	snprintf(ret, 8, "s%02u", i);
}

static void
value_of(unsigned i, unsigned version, char ret[static 24])
{
	snprintf(ret, 24, "value %u of %02u", version, i);
}

static void
fill(void)
{
	char name[8], value[24];

	for (unsigned i = 0; i < SECRETS; i++) {
		name_of(i, name);
		value_of(i, 1, value);
		ck_assert_int_eq(rig_put("shop", name, value)->result, CLV_OK);
	}
	for (unsigned i = 0; i < SECRETS; i += 7) {
		name_of(i, name);
		value_of(i, 2, value);
		ck_assert_int_eq(rig_put("shop", name, value)->result, CLV_OK);
	}
	ck_assert_int_eq(rig_put("shop", "gone", "x")->result, CLV_OK);
	ck_assert_int_eq(rig_delete("shop", "gone")->result, CLV_OK);
}

static void
set_up(void)
{
	rig_init();
	rig.member.is_server_node = true;
	rig_generations(2);
	rig_add_app("crm", 1);
	ck_assert_int_eq(rig_put("crm", "c", "of crm")->result, CLV_OK);
	fill();
	ck_assert_int_eq(clv_list_new(&rig.k.secret.list), CLV_OK);
	list_app("crm");
	list_app("shop");
	rig.k.secret.list->reencrypt = 2;
	rig.config.reencrypt_rate = 0;
	ck_assert_int_eq(reencrypt_new(&rig.k, &rig.k.reencrypt), CLV_OK);
	ck_assert_int_eq(vault_new(&rig.k, &member), CLV_OK);
	keys_ended = records_ended = polls = refreshes = 0;
}

static void
tear_down(void)
{
	vault_free(&member);
	reencrypt_free(&rig.k.reencrypt);
	clv_list_free(&rig.k.secret.list);
	rig_fini();
}

/* What a member asks for, and is never refused. */

static void
member_gets(
    const char *app, const char *name, uint64_t version, const char *value)
{
	memset(&said, 0, sizeof(said));
	vault_get(member, app, name, version, false, rig_on_reply, &said);
	for (unsigned i = 0; said.times == 0; i++) {
		ck_assert_uint_lt(i, 100);
		rig_answer(rig_call(rig_open() - 1)); /* its own */
	}
	ck_assert_msg(rig_is(&said, value), "%s of %s: %d %s", name, app,
	    said.result, said.text);
}

static void
member_puts(const char *name, const char *value)
{
	struct vault_write w = {
	    .app = "shop", .name = name, .value = value, .len = strlen(value)};

	randombytes_buf(w.op_id, sizeof(w.op_id));
	memset(&said, 0, sizeof(said));
	vault_put(member, &w, rig_on_reply, &said);
	for (unsigned i = 0; said.times == 0; i++) {
		ck_assert_uint_lt(i, 100);
		rig_answer(rig_call(rig_open() - 1));
	}
	ck_assert_int_eq(said.result, CLV_OK);
}

static struct rig_got sealed;

static void
member_seals(void)
{
	memset(&sealed, 0, sizeof(sealed));
	vault_seal(member, "shop", "ctx", "kept", 4, rig_on_reply, &sealed);
	while (sealed.times == 0)
		rig_answer(rig_call(rig_open() - 1));
	ck_assert_int_eq(sealed.result, CLV_OK);
}

static void
member_unseals(void)
{
	memset(&said, 0, sizeof(said));
	vault_unseal(member, "shop", "ctx", sealed.value, sealed.len,
	    rig_on_reply, &said);
	while (said.times == 0)
		rig_answer(rig_call(rig_open() - 1));
	ck_assert(rig_is(&said, "kept"));
}

/* What must be in the end. */

static void
check_values(void)
{
	char name[8], value[24];

	for (unsigned i = 0; i < SECRETS; i++) {
		name_of(i, name);
		value_of(i, i % 7 == 0 ? 2 : 1, value);
		member_gets("shop", name, 0, value);
		value_of(i, 1, value);
		member_gets("shop", name, 1, value);
	}
	member_gets("crm", "c", 0, "of crm");
}

static unsigned
under_old_keys(void)
{
	unsigned n = 0;

	for (size_t i = 0; i < rig.db.row_count; i++) {
		const struct rig_row *r = &rig.db.rows[i];

		n += !r->deleted &&
		     r->key_version != rig_app(r->app)->key_count - 1;
	}
	return n;
}

static void
check_done(void)
{
	ck_assert_uint_eq(rig_app("shop")->key_count, 3);
	ck_assert_uint_eq(rig_app("crm")->key_count, 3);
	ck_assert_uint_eq(rig_app("shop")->keys[2].generation, 2);
	ck_assert_uint_eq(under_old_keys(), 0);
	ck_assert_uint_eq(progress().damaged, 0);
	check_values();
	vault_free(&member); /* and so does a member that begins anew */
	ck_assert_int_eq(vault_new(&rig.k, &member), CLV_OK);
	check_values();
}

START_TEST(each_application_gets_one_key_and_no_record_stays_under_another)
{
	uint64_t counter;

	member_seals();
	ck_assert(reencrypt_is_due(&rig.k, 2));
	ck_assert(!reencrypt_is_due(&rig.k, 1)); /* not current yet */
	begin();
	ck_assert_uint_eq(progress().total, 2);
	finish();
	check_done();
	ck_assert_uint_eq(progress().total, SECRETS + 2);
	ck_assert_uint_eq(progress().left, 0);
	ck_assert_uint_eq(
	    progress().rewritten, SECRETS + (SECRETS + 6) / 7 + 1 + 1);
	member_unseals(); /* under the old key */
	counter = rig_app("shop")->counter;
	ck_assert_uint_eq(heads_look(rig.k.heads, "shop").linked, counter);
	begin(); /* once */
	finish();
	ck_assert_uint_eq(rig_app("shop")->counter, counter);
	ck_assert_uint_eq(progress().rewritten, 0);
	check_done();
}
END_TEST

START_TEST(a_newer_application_keeps_its_key)
{
	rig_add_app("new", 2);
	list_app("new");
	begin();
	finish();
	ck_assert_uint_eq(rig_app("new")->key_count, 2);
	check_done();
}
END_TEST

START_TEST(a_removed_application_is_passed_by)
{
	list_app("removed");
	begin();
	rig.k.secret.list->app_count--; /* another list */
	free(rig.k.secret.list->apps[2].admins);
	free(rig.k.secret.list->apps[2].users);
	finish();
	check_done();
}
END_TEST

/* Each of its statements is answered only after the member was served. */
static void
with_a_member(unsigned *ret_steps)
{
	char value[24];

	begin();
	for (*ret_steps = 0; records_ended == 0; ++*ret_steps) {
		ck_assert_uint_lt(*ret_steps, 500);
		if (rig_open() == 0) {
			rig_advance(1);
			continue;
		}
		snprintf(value, sizeof(value), "%u", *ret_steps);
		if (*ret_steps % 7 == 0) /* or nothing ever is done */
			member_puts("new", value);
		member_gets("shop", "s01", 0, "value 1 of 01");
		member_gets("shop", "s07", 0, "value 2 of 07");
		member_gets("shop", "s07", 1, "value 1 of 07");
		member_unseals();
		member_seals();
		rig_answer(rig_call(0));
	}
}

START_TEST(a_member_reads_and_writes_at_every_step)
{
	unsigned steps;

	member_seals();
	with_a_member(&steps);
	ck_assert_uint_gt(steps, 10);
	check_done();
}
END_TEST

START_TEST(a_write_in_the_midst_is_kept)
{
	begin();
	until(CLV_STMT_PUT_RECORDS);
	rig_answer(rig_call(0)); /* of crm */
	until(CLV_STMT_PUT_RECORDS);
	member_puts("s01", "written meanwhile");
	finish();
	ck_assert_uint_eq(under_old_keys(), 0);
	member_gets("shop", "s01", 0, "written meanwhile");
	member_gets("shop", "s01", 1, "value 1 of 01");
}
END_TEST

/* The n-th statement: how it ends. */
enum end {
	DONE_BUT_UNKNOWN,
	NOT_DONE_AND_UNKNOWN,
	AWAY,
	KILLED_AND_DONE,
	KILLED_AND_NOT_DONE,
	ENDS
};

static void
end_call(enum end how)
{
	if (how == DONE_BUT_UNKNOWN)
		rig_do(rig_call(0));
	if (how == KILLED_AND_DONE || how == KILLED_AND_NOT_DONE) {
		kill_server(how == KILLED_AND_DONE);
		begin();
		return;
	}
	rig_fail_call(
	    rig_call(0), how == AWAY ? CLV_E_DATABASE_AWAY : CLV_E_UNKNOWN);
}

/* False: there are fewer. */
static bool
nth_ends(unsigned n, enum end how)
{
	bool was = false;

	set_up();
	begin();
	for (unsigned i = 0; records_ended == 0; i++) {
		ck_assert_uint_lt(i, 2000);
		if (rig_open() == 0) {
			rig_advance(50);
		} else if (n-- == 0) {
			end_call(how);
			was = true;
		} else {
			rig_answer(rig_call(0));
		}
	}
	check_done();
	tear_down();
	return was;
}

START_TEST(whatever_ends_how_in_the_end_all_is_done_once)
{
	unsigned n = 0;

	while (nth_ends(n, (enum end)_i))
		n++;
	ck_assert_uint_gt(n, 8);
}
END_TEST

START_TEST(a_server_whose_epoch_is_over_writes_nothing)
{
	uint64_t counter = rig_app("shop")->counter;

	begin();
	rig.db.epoch++;
	for (unsigned i = 0; i < 20; i++) {
		rig_settle();
		rig_advance(1000);
	}
	ck_assert_uint_eq(rig_app("shop")->counter, counter);
	ck_assert_uint_eq(rig_app("shop")->key_count, 2);
	ck_assert_uint_gt(polls, 0);
	ck_assert_str_eq(progress().why, "stale epoch");
	reencrypt_stop(&rig.k);
	rig_settle();
	begin(); /* the next one */
	finish();
	check_done();
}
END_TEST

START_TEST(a_damaged_record_is_named_and_stays)
{
	struct rig_row *row = rig_row("shop", "s03", 1);
	struct rig_row before;

	row->record[row->len - 1] ^= 1;
	before = *row;
	begin();
	finish();
	ck_assert_ptr_nonnull(strstr(rig.log, "secret s03 of shop: version 1"));
	ck_assert_uint_eq(progress().damaged, 1);
	ck_assert_uint_eq(under_old_keys(), 1);
	row = rig_row("shop", "s03", 1);
	ck_assert_mem_eq(row->hash, before.hash, sizeof(row->hash));
	ck_assert_uint_eq(row->key_version, 1);
	member_gets("shop", "s04", 0, "value 1 of 04");
	ck_assert_int_eq(rig_get("shop", "s03")->result, CLV_E_DAMAGED);
}
END_TEST

/* What is authentic, but was replaced: sealed anew it would be true again. */
START_TEST(what_was_put_back_is_not_sealed_anew)
{
	ck_assert_int_eq(rig_put("shop", "s05", "newer")->result, CLV_OK);
	rig_remove_row(rig_row("shop", "s05", 2));
	rig_row("shop", "s05", 1)->current = true;
	begin();
	finish();
	ck_assert_int_eq(rig_get("shop", "s05")->result, CLV_E_DAMAGED);
}
END_TEST

START_TEST(a_row_that_nobody_wrote_is_not_sealed_anew)
{
	struct rig_row *row = &rig.db.rows[rig.db.row_count++];
	const struct rig_row *from = rig_row("shop", "s03", 1);

	*row = *from;
	row->record = malloc(from->len);
	ck_assert_ptr_nonnull(row->record);
	memcpy(row->record, from->record, from->len);
	strcpy(row->name, "forged");
	row->current = false; /* so that the index does not see it */
	begin();
	finish();
	ck_assert_ptr_nonnull(strstr(rig.log, "secret forged of shop"));
	ck_assert_uint_eq(progress().damaged, 1);
	rig_remove_row(rig_row("shop", "forged", 1));
	check_values();
}
END_TEST

START_TEST(an_application_with_a_wrong_manifest_is_left_out)
{
	rig_app("crm")->mac[40] ^= 1;
	rig_restart();
	begin();
	finish();
	ck_assert(reencrypt_left_out(&rig.k, "crm"));
	ck_assert(!reencrypt_left_out(&rig.k, "shop"));
	ck_assert_uint_eq(progress().damaged, 1);
	ck_assert_uint_eq(rig_app("crm")->key_count, 2);
	ck_assert_uint_eq(rig_app("shop")->key_count, 3);
	ck_assert_uint_eq(under_old_keys(), 0); /* of the one key of crm */
	reencrypt_stop(&rig.k);			/* another server may do it */
	ck_assert(!reencrypt_left_out(&rig.k, "crm"));
	rig_app("crm")->mac[40] ^= 1; /* mended */
	kill_server(false);
	begin();
	finish();
	check_done();
}
END_TEST

START_TEST(no_application_has_more_than_a_thousand_data_keys)
{
	struct rig_app *a = rig_app("crm");

	for (uint64_t i = 2; i < CLV_DATAKEYS_MAX; i++)
		rig_insert_key("crm", i, 1);
	rig_add_key("crm", CLV_DATAKEYS_MAX, 1);
	rig_restart();
	begin();
	finish();
	ck_assert_uint_eq(a->key_count, CLV_DATAKEYS_MAX + 1);
	ck_assert_uint_eq(progress().damaged, 1);
	ck_assert(!reencrypt_left_out(&rig.k, "crm"));
	ck_assert_ptr_nonnull(strstr(rig.log, "crm has 1000 data keys"));
	ck_assert_uint_eq(under_old_keys(), 0);
	member_gets("crm", "c", 0, "of crm");
}
END_TEST

START_TEST(keys_that_are_not_here_are_waited_for)
{
	rig_generations(1);
	begin();
	for (unsigned i = 0; i < 5; i++) {
		rig_settle();
		rig_advance(1000);
	}
	ck_assert_uint_gt(refreshes, 0);
	ck_assert_ptr_nonnull(strstr(progress().why, "waits for keys"));
	rig_generations(2);
	vault_on_keys(rig.vault);
	finish();
	ck_assert_str_eq(progress().why, "");
	check_done();
}
END_TEST

START_TEST(guarded_memory_that_is_full_is_waited_for)
{
	void *block[64];
	unsigned n = 0;

	rig_restart(); /* nothing is cached that could give way */
	begin();
	for (size_t len = 64 * 1024; len >= 16; len /= 2)
		while (n < 64 &&
		       (block[n] = clv_guard_get(rig.k.guard, len)) != NULL)
			n++;
	for (unsigned i = 0; i < 5; i++) {
		rig_settle();
		rig_advance(1000);
	}
	ck_assert_uint_eq(keys_ended, 0);
	ck_assert_str_ne(progress().why, "");
	while (n > 0)
		clv_guard_put(rig.k.guard, block[--n]);
	finish();
	check_done();
}
END_TEST

static unsigned
written(void)
{
	return rig.sent[CLV_STMT_PUT_RECORDS];
}

static void
until_written(unsigned n)
{
	for (unsigned t = 0; written() < n; t++) {
		ck_assert_uint_lt(t, 2000);
		rig_settle();
		if (written() < n)
			rig_advance(1);
	}
	rig_settle();
}

START_TEST(records_are_rewritten_at_a_bounded_rate)
{
	uint64_t since;

	rig.config.reencrypt_rate = 64;
	begin();
	until_written(2); /* of crm, and the first page of shop */
	since = rig.now;
	until_written(3);
	ck_assert_uint_eq(rig.now - since, 1000);
	finish();
	check_done();
}
END_TEST

/* A database that takes its time has as long a rest. */
START_TEST(at_most_half_of_the_time_is_taken)
{
	uint64_t since;

	rig.config.reencrypt_rate = 1000000;
	begin();
	until(CLV_STMT_PUT_RECORDS);
	rig_answer(rig_call(0)); /* of crm */
	until(CLV_STMT_GET_RECORDS);
	rig_answer(rig_call(0)); /* none left of it */
	until(CLV_STMT_GET_RECORDS);
	rig_advance(300);
	rig_answer(rig_call(0));
	ck_assert_int_eq(rig_call(0)->stmt, CLV_STMT_PUT_RECORDS);
	rig_advance(200);
	rig_answer(rig_call(0));
	since = rig.now;
	while (rig_open() == 0)
		rig_advance(1);
	ck_assert_uint_eq(rig.now - since, 500);
	finish();
	check_done();
}
END_TEST

START_TEST(large_records_go_in_smaller_transactions)
{
	static char value[60001];
	char name[8];
	unsigned before;

	memset(value, 'v', 60000);
	for (unsigned i = 0; i < 9; i++) {
		name_of(i, name);
		ck_assert_int_eq(rig_put("crm", name, value)->result, CLV_OK);
	}
	rig.k.secret.list->app_count = 1; /* crm alone */
	before = written();
	begin();
	finish();
	ck_assert_uint_eq(rig_app("shop")->key_count, 2);
	ck_assert_uint_eq(under_old_keys(), 0);
	ck_assert_uint_eq(written() - before, 3);
	for (unsigned i = 0; i < 9; i++) {
		name_of(i, name);
		member_gets("crm", name, 0, value);
	}
	rig.k.secret.list->app_count = 2;
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("reencrypt");
	TCase *t = tcase_create("reencrypt");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(
	    t, each_application_gets_one_key_and_no_record_stays_under_another);
	tcase_add_test(t, a_newer_application_keeps_its_key);
	tcase_add_test(t, a_removed_application_is_passed_by);
	tcase_add_test(t, a_member_reads_and_writes_at_every_step);
	tcase_add_test(t, a_write_in_the_midst_is_kept);
	tcase_add_test(t, a_server_whose_epoch_is_over_writes_nothing);
	tcase_add_test(t, a_damaged_record_is_named_and_stays);
	tcase_add_test(t, what_was_put_back_is_not_sealed_anew);
	tcase_add_test(t, a_row_that_nobody_wrote_is_not_sealed_anew);
	tcase_add_test(t, an_application_with_a_wrong_manifest_is_left_out);
	tcase_add_test(t, no_application_has_more_than_a_thousand_data_keys);
	tcase_add_test(t, keys_that_are_not_here_are_waited_for);
	tcase_add_test(t, guarded_memory_that_is_full_is_waited_for);
	tcase_add_test(t, records_are_rewritten_at_a_bounded_rate);
	tcase_add_test(t, at_most_half_of_the_time_is_taken);
	tcase_add_test(t, large_records_go_in_smaller_transactions);
	suite_add_tcase(s, t);
	t = tcase_create("ends");
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(
	    t, whatever_ends_how_in_the_end_all_is_done_once, 0, ENDS);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return suite_run(suite());
}
