/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/api/authorize.h"
#include "daemon/keeper/heads.h"
#include "accounts.h"
#include "keeper_rig.h"

/* Applications: the list and what the database has of them, together. */

static char text[256];
static struct clv_buf data; /* of the answer */

static void
set_up(void)
{
	accounts_fail = 0;
	clv_buf_init(&data);
	rig_init(3);
	for (unsigned i = 0; i < 3; i++)
		rig_up(i);
	rig_run(100);
	ck_assert_int_eq(rig_promote(0), CLV_OK);
	rig_run(100);
}

static void
tear_down(void)
{
	clv_buf_fini(&data);
	rig_fini();
}

/* Answers, as whoever waits for them gets them. */
struct waiter {
	bool done;
	int result;
};

static void
take(const void *p, size_t len)
{
	struct clv_rd r;
	char late[512];
	const uint8_t *bytes;
	size_t n;

	clv_rd_init(&r, p, len);
	clv_rd_u32(&r);
	clv_rd_str(&r, text, sizeof(text));
	clv_rd_str(&r, late, sizeof(late));
	bytes = clv_rd_bytes(&r, &n);
	ck_assert_int_eq(clv_rd_end(&r), CLV_OK);
	clv_buf_reset(&data);
	clv_buf_raw(&data, bytes, n);
}

static void
on_done(struct keeper *k, void *arg, int result, const void *p, size_t len)
{
	struct waiter *w = arg;

	(void)k;
	ck_assert(!w->done);
	w->done = true;
	w->result = result;
	take(p, len);
}

/* By somebody (NULL: root) who comes from inside, as the API does. */
static int
ask_as(const struct auth_caller *who, unsigned i, struct clv_buf *b)
{
	struct waiter w = {false, 1};
	struct admin_origin from = {.done = on_done, .arg = &w, .caller = who};

	admin_request(rig_keeper(i), &from, b->data, b->len);
	clv_buf_fini(b);
	for (int t = 0; t < 3000 && !w.done; t++)
		rig_run(10);
	ck_assert(w.done);
	return w.result;
}

static void
begin_add(struct clv_buf *b, uint8_t id, const char *name, const char *admins)
{
	rig_admin_begin(b, ADMIN_APP_ADD, id);
	clv_buf_str(b, name);
	clv_buf_str(b, admins);
	clv_buf_str(b, "");
	clv_buf_u32(b, 0);
}

static int
add(uint8_t id, const char *name)
{
	struct clv_buf b;

	begin_add(&b, id, name, "user:ada");
	return ask_as(NULL, 0, &b);
}

static int
drop(uint8_t id, const char *name)
{
	struct clv_buf b;

	rig_named(&b, ADMIN_APP_REMOVE, id, name);
	return ask_as(NULL, 0, &b);
}

static const struct clv_list_app *
app(unsigned i, const char *name)
{
	return clv_list_app_by_name(rig_keeper(i)->secret.list, name);
}

/* The keys open under the key that a member gets, and the MAC is that of an
 * empty index under that counter. */
static void
check_keys(const struct rig_app *a, uint32_t generation)
{
	uint8_t distribution[CLV_KEY_LEN], app_key[CLV_KEY_LEN];
	uint8_t index_key[CLV_KEY_LEN], key[CLV_KEY_LEN];
	struct clv_datakey_id id = {.system_id = rig_db.system_id,
	    .app = a->name,
	    .generation = generation};
	struct clv_index *x = NULL;

	ck_assert(a->keys);
	ck_assert_uint_eq(a->generation, generation);
	ck_assert_int_eq(clv_keyring_subkey(rig_keeper(0)->secret.keyring,
			     generation, CLV_SUBKEY_DISTRIBUTION, distribution),
	    CLV_OK);
	clv_app_key(distribution, rig_db.system_id, a->name, app_key);
	ck_assert_int_eq(clv_datakey_unwrap(app_key, &id, a->index_key,
			     sizeof(a->index_key), index_key),
	    CLV_OK);
	id.version = 1;
	ck_assert_int_eq(clv_datakey_unwrap(app_key, &id, a->data_key,
			     sizeof(a->data_key), key),
	    CLV_OK);
	ck_assert_mem_ne(key, index_key, CLV_KEY_LEN);
	ck_assert_int_eq(
	    clv_index_new(index_key, rig_db.system_id, a->name, &x), CLV_OK);
	ck_assert_int_eq(clv_index_commit(x, a->counter, a->mac), CLV_OK);
	ck_assert_uint_eq(clv_index_key_version(x), 1);
	ck_assert(clv_index_is_newest(x, key));
	clv_index_free(&x);
}

/* Loses so many answers of one statement. */
static enum clv_stmt lose_stmt;
static unsigned lose;

static void
lose_answers(struct rig_node *n, enum clv_stmt stmt, struct clv_buf *result)
{
	uint64_t id;

	(void)n;
	if (stmt != lose_stmt || lose == 0)
		return;
	lose--;
	id = rig_forge_begin(result);
	rig_result_put(result, id, CLV_E_UNKNOWN, "connection lost", 0, 0);
}

START_TEST(new_application_has_its_keys_before_the_list_names_it)
{
	ck_assert_int_eq(add(1, "crm"), CLV_OK);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_ptr_nonnull(app(i, "crm"));
		ck_assert_str_eq(app(i, "crm")->admins, "user:ada");
	}
	check_keys(rig_db_app("crm"), 1);
	ck_assert_uint_eq(rig_db_app("crm")->counter, 1);
	ck_assert_int_eq(add(2, "crm"), CLV_E_EXISTS);
	ck_assert_int_eq(add(3, "hr"), CLV_OK);
	ck_assert_mem_ne(rig_db_app("crm")->mac, rig_db_app("hr")->mac, 32);
}
END_TEST

START_TEST(removed_application_is_gone_with_all_its_secrets)
{
	ck_assert_int_eq(add(1, "crm"), CLV_OK);
	rig_db_app("crm")->secrets = 3 * RIG_DROP + 1;
	ck_assert_int_eq(drop(2, "crm"), CLV_OK);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_ptr_null(app(i, "crm"));
	ck_assert(!rig_db_app("crm")->keys);
	ck_assert_uint_eq(rig_db_app("crm")->secrets, 0);
	ck_assert_int_eq(drop(3, "crm"), CLV_E_NOT_FOUND);
	ck_assert_str_eq(text, "there is no application crm");
}
END_TEST

START_TEST(later_application_of_that_name_goes_on_counting)
{
	uint8_t key[CLV_DATAKEY_WRAPPED_LEN];

	ck_assert_int_eq(add(1, "crm"), CLV_OK);
	memcpy(key, rig_db_app("crm")->data_key, sizeof(key));
	rig_db_app("crm")->counter = 41;
	ck_assert_int_eq(drop(2, "crm"), CLV_OK);
	ck_assert_int_eq(add(3, "crm"), CLV_OK);
	ck_assert_uint_eq(rig_db_app("crm")->counter, 43);
	check_keys(rig_db_app("crm"), 1);
	ck_assert_mem_ne(rig_db_app("crm")->data_key, key, sizeof(key));
}
END_TEST

/* The database was restored to a day before there was one: its members have
 * not forgotten. */
START_TEST(counter_is_above_what_was_seen_of_that_name)
{
	heads_raise(rig_keeper(0)->heads, "crm", 700);
	ck_assert_int_eq(add(1, "crm"), CLV_OK);
	ck_assert_uint_eq(rig_db_app("crm")->counter, 701);
	ck_assert_uint_eq(heads_get(rig_keeper(0)->heads, "crm"), 701);
	check_keys(rig_db_app("crm"), 1);
	ck_assert_int_eq(drop(2, "crm"), CLV_OK);
	ck_assert_int_eq(add(3, "crm"), CLV_OK);
	ck_assert_uint_eq(rig_db_app("crm")->counter, 703);
}
END_TEST

START_TEST(repeated_requests_are_done_once)
{
	struct rig_app before;

	ck_assert_int_eq(add(1, "crm"), CLV_OK);
	before = *rig_db_app("crm");
	ck_assert_int_eq(add(1, "crm"), CLV_OK);
	ck_assert_str_eq(text, "this operation was done before");
	ck_assert_mem_eq(rig_db_app("crm"), &before, sizeof(before));
	ck_assert_int_eq(drop(2, "crm"), CLV_OK);
	ck_assert_int_eq(drop(2, "crm"), CLV_OK);
	ck_assert_uint_eq(rig_db.versions[0], 3);
}
END_TEST

static const enum clv_stmt writes[] = {
    CLV_STMT_INIT_APP, CLV_STMT_PUT_LIST, CLV_STMT_DROP_APP};

START_TEST(write_of_unknown_outcome_is_repeated)
{
	rig.forge = lose_answers;
	lose_stmt = writes[_i];
	lose = 3;
	ck_assert_int_eq(add(1, "crm"), CLV_OK);
	ck_assert_uint_eq(lose, writes[_i] == CLV_STMT_DROP_APP ? 3 : 0);
	check_keys(rig_db_app("crm"), 1);
	rig_db_app("crm")->secrets = 5;
	lose = 3;
	ck_assert_int_eq(drop(2, "crm"), CLV_OK);
	ck_assert_uint_eq(lose, writes[_i] == CLV_STMT_INIT_APP ? 3 : 0);
	ck_assert_uint_eq(rig_db_app("crm")->secrets, 0);
	ck_assert(!rig_db_app("crm")->keys);
}
END_TEST

/* The server dies between its two writes: the keys are there, and secrets of a
 * removal before that was not finished either. */
static void
cut_short(void)
{
	struct clv_buf b;

	rig.forge = lose_answers;
	lose_stmt = CLV_STMT_INIT_APP;
	lose = 1;
	begin_add(&b, 1, "crm", "");
	rig_admin(0, &b);
	rig_settle();
	clv_buf_fini(&b);
	ck_assert_uint_eq(lose, 0);
	rig_kill(0);
	rig_run(16000);
	ck_assert_uint_eq(rig_db.versions[0], 1);
	rig_db_app("crm")->secrets = 2 * RIG_DROP + 3;
	rig_up(0);
	ck_assert_int_eq(rig_promote(0), CLV_OK);
	ck_assert_ptr_null(app(0, "crm"));
}

START_TEST(keys_that_no_list_names_give_way_to_new_ones)
{
	struct rig_app before;

	cut_short();
	before = *rig_db_app("crm");
	ck_assert_int_eq(add(2, "crm"), CLV_OK);
	ck_assert_uint_eq(rig_db_app("crm")->counter, before.counter + 2);
	ck_assert_uint_eq(rig_db_app("crm")->secrets, 0);
	ck_assert_mem_ne(rig_db_app("crm")->data_key, before.data_key,
	    sizeof(before.data_key));
	check_keys(rig_db_app("crm"), 1);
	ck_assert_ptr_nonnull(app(1, "crm"));
}
END_TEST

/* A newer list might name it. */
START_TEST(nothing_is_deleted_for_a_list_that_is_not_the_newest)
{
	cut_short();
	rig_keeper(0)->db.list_version = 9;
	ck_assert_int_eq(add(2, "crm"), CLV_E_STALE);
	ck_assert(rig_db_app("crm")->keys);
	ck_assert_uint_eq(rig_db_app("crm")->secrets, 2 * RIG_DROP + 3);
}
END_TEST

START_TEST(what_is_left_of_a_removed_application_can_be_removed)
{
	ck_assert_int_eq(add(1, "crm"), CLV_OK);
	rig_db_app("crm")->secrets = RIG_DROP + 1;
	ck_assert_int_eq(drop(2, "crm"), CLV_OK);
	rig_db_app("crm")->secrets = RIG_DROP + 1; /* as if it had died */
	ck_assert_int_eq(drop(3, "crm"), CLV_OK);
	ck_assert_str_eq(text, "what was left of application crm is deleted");
	ck_assert_uint_eq(rig_db_app("crm")->secrets, 0);
	ck_assert_uint_eq(rig_db.versions[0], 3);
	ck_assert_int_eq(drop(4, "crm"), CLV_E_NOT_FOUND);
}
END_TEST

/* A database that takes its time. */
static void
take_long(struct rig_node *n, enum clv_stmt stmt, struct clv_buf *result)
{
	(void)n;
	(void)result;
	if (stmt == CLV_STMT_DROP_APP)
		rig.now += 600;
}

static uint64_t
left(void)
{
	struct clv_rd r;
	uint64_t n;

	clv_rd_init(&r, data.data, data.len);
	n = clv_rd_u64(&r);
	ck_assert_int_eq(clv_rd_end(&r), CLV_OK);
	return n;
}

/* Which takes two statements a request. */
static void
add_very_many(void)
{
	ck_assert_int_eq(add(1, "crm"), CLV_OK);
	rig_db_app("crm")->secrets = 5 * RIG_DROP;
	rig.forge = take_long;
}

START_TEST(very_many_secrets_are_deleted_request_by_request)
{
	add_very_many();
	ck_assert_int_eq(drop(2, "crm"), CLV_OK);
	ck_assert_uint_eq(left(), 3 * RIG_DROP);
	ck_assert_str_eq(text, "application crm is gone; 30 versions of its "
			       "secrets are still to be deleted: repeat the "
			       "command");
	/* nothing of it is served */
	ck_assert(!rig_db_app("crm")->keys);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_ptr_null(app(i, "crm"));
	ck_assert_int_eq(add(3, "hr"), CLV_OK); /* others have their turn */
	ck_assert_int_eq(drop(2, "crm"), CLV_OK);
	ck_assert_uint_eq(left(), RIG_DROP);
	ck_assert_int_eq(drop(2, "crm"), CLV_OK);
	ck_assert_uint_eq(left(), 0);
	ck_assert_str_eq(
	    text, "application crm and all its secrets are deleted");
	ck_assert_uint_eq(rig_db_app("crm")->secrets, 0);
	ck_assert_uint_eq(rig_db.versions[0], 4);
}
END_TEST

/* The server is killed; another one is asked, by a command that knows nothing
 * of the first. */
START_TEST(removal_goes_on_after_the_server_was_killed)
{
	struct clv_buf b;

	add_very_many();
	ck_assert_int_eq(drop(2, "crm"), CLV_OK);
	rig_kill(0);
	rig_run(16000);
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	for (unsigned i = 1; i < 3; i++)
		ck_assert_ptr_null(app(i, "crm"));
	rig_named(&b, ADMIN_APP_REMOVE, 3, "crm");
	ck_assert_int_eq(ask_as(NULL, 1, &b), CLV_OK);
	ck_assert_uint_eq(left(), RIG_DROP);
	rig_named(&b, ADMIN_APP_REMOVE, 3, "crm");
	ck_assert_int_eq(ask_as(NULL, 1, &b), CLV_OK);
	ck_assert_uint_eq(left(), 0);
	ck_assert_uint_eq(rig_db_app("crm")->secrets, 0);
	rig_named(&b, ADMIN_APP_REMOVE, 4, "crm");
	ck_assert_int_eq(ask_as(NULL, 1, &b), CLV_E_NOT_FOUND);
}
END_TEST

/* Somebody adds one of that name between two requests. */
START_TEST(removal_that_goes_on_spares_a_new_application)
{
	uint8_t ids[] = {2, 4};

	add_very_many();
	for (size_t i = 0; i < 2; i++) { /* of the list's, of what was left */
		ck_assert_int_eq(drop(ids[i], "crm"), CLV_OK);
		ck_assert_uint_gt(left(), 0);
		if (i == 0) {
			ck_assert_int_eq(drop(3, "crm"), CLV_OK);
			rig_db_app("crm")->secrets = 5 * RIG_DROP;
		}
	}
	rig.forge = NULL;
	rig_run(1000);
	ck_assert_int_eq(add(5, "crm"), CLV_OK);
	rig_db_app("crm")->secrets = 7;
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(drop(ids[i], "crm"), CLV_E_MISMATCH);
	ck_assert_ptr_nonnull(app(0, "crm"));
	ck_assert(rig_db_app("crm")->keys);
	ck_assert_uint_eq(rig_db_app("crm")->secrets, 7);
}
END_TEST

/* ... and by repeating the very request. */
START_TEST(removal_that_was_cut_short_is_finished_by_its_repetition)
{
	ck_assert_int_eq(add(1, "crm"), CLV_OK);
	ck_assert_int_eq(drop(2, "crm"), CLV_OK);
	rig_db_app("crm")->secrets = RIG_DROP + 1;
	ck_assert_int_eq(drop(2, "crm"), CLV_OK);
	ck_assert_uint_eq(rig_db_app("crm")->secrets, 0);
}
END_TEST

START_TEST(stale_epoch_makes_and_deletes_nothing)
{
	ck_assert_int_eq(add(1, "crm"), CLV_OK);
	rig_db_app("crm")->secrets = 5;
	rig_db_mode(0, RIG_DB_HUNG);
	for (int pass = 0; pass < 2; pass++) {
		struct waiter w = {false, 1};
		struct admin_origin from = {.done = on_done, .arg = &w};
		struct clv_buf b;

		if (pass == 0)
			begin_add(&b, 2, "hr", "");
		else
			rig_named(&b, ADMIN_APP_REMOVE, 3, "crm");
		rig_db_mode(0, RIG_DB_HUNG);
		admin_request(rig_keeper(0), &from, b.data, b.len);
		clv_buf_fini(&b);
		rig_settle();
		rig_db.epoch += 1 << 8;
		rig_db.instance[0] ^= 1;
		rig_db_mode(0, RIG_DB_UP);
		rig_run(100);
		ck_assert(w.done);
		ck_assert_int_ne(w.result, CLV_OK);
		if (pass == 0) {
			ck_assert_int_eq(w.result, CLV_E_STALE_EPOCH);
			rig_run(20000);
			ck_assert_int_eq(rig_promote(0), CLV_OK);
		}
	}
	ck_assert_ptr_null(rig_db_app("hr"));
	ck_assert(rig_db_app("crm")->keys);
	ck_assert_uint_eq(rig_db_app("crm")->secrets, 5);
}
END_TEST

START_TEST(keys_of_a_new_application_are_of_the_current_generation)
{
	struct clv_buf b;

	rig_admin_begin(&b, ADMIN_ROTATE_BEGIN, 1);
	ck_assert_int_eq(ask_as(NULL, 0, &b), CLV_OK);
	ck_assert_int_eq(add(2, "crm"), CLV_OK);
	check_keys(rig_db_app("crm"), 1);
	rig_admin_begin(&b, ADMIN_ROTATE_FINISH, 3);
	clv_buf_u32(&b, 2);
	clv_buf_str(&b, "n1:/root/two.age");
	ck_assert_int_eq(ask_as(NULL, 0, &b), CLV_OK);
	ck_assert_int_eq(add(4, "hr"), CLV_OK); /* it is published */
	check_keys(rig_db_app("hr"), 1);
	rig_run(MEMBERS_MEET_MS);
	ck_assert_int_eq(add(5, "shop"), CLV_OK);
	check_keys(rig_db_app("shop"), 2);
}
END_TEST

START_TEST(application_is_made_without_an_active_server_too)
{
	struct clv_buf b;
	int c = rig_connect(0);

	rig_send(0, c, CTL_DEMOTE, NULL, 0);
	rig_run(20000);
	begin_add(&b, 1, "crm", "");
	ck_assert_int_eq(ask_as(NULL, 1, &b), CLV_OK);
	ck_assert_ptr_nonnull(app(1, "crm"));
	check_keys(rig_db_app("crm"), 1);
	rig_settle();
	ck_assert_uint_eq(rig_db.holder, 0); /* given back */
}
END_TEST

/* Callers. */

static const struct auth_caller ada = {1001, 1, NULL, 0, NULL};
static const struct auth_caller bob = {1002, 1, NULL, 0, NULL};

static int
grant(const struct auth_caller *who, uint8_t id, uint8_t op, bool as_admin,
    const char *subject)
{
	struct clv_buf b;

	rig_admin_begin(&b, op, id);
	clv_buf_str(&b, "crm");
	clv_buf_u8(&b, as_admin);
	clv_buf_str(&b, subject);
	return ask_as(who, 0, &b);
}

START_TEST(administrator_of_an_application_changes_that_one_alone)
{
	struct clv_buf b;

	ck_assert_int_eq(add(1, "crm"), CLV_OK);
	ck_assert_int_eq(
	    grant(&ada, 2, ADMIN_APP_GRANT, true, "user:bob"), CLV_OK);
	ck_assert_int_eq(
	    grant(&bob, 3, ADMIN_APP_GRANT, false, "group:dev"), CLV_OK);
	ck_assert_str_eq(app(2, "crm")->admins, "user:ada,user:bob");
	ck_assert_str_eq(app(2, "crm")->users, "group:dev");
	begin_add(&b, 4, "hr", "user:ada");
	ck_assert_int_eq(ask_as(&ada, 0, &b), CLV_E_DENIED);
	rig_member_add(&b, 5, "app1");
	ck_assert_int_eq(ask_as(&ada, 0, &b), CLV_E_DENIED);
	rig_admin_begin(&b, ADMIN_ROTATE_BEGIN, 6);
	ck_assert_int_eq(ask_as(&ada, 0, &b), CLV_E_DENIED);
	ck_assert_ptr_nonnull(strstr(text, "user 1001 may not"));
}
END_TEST

START_TEST(caller_does_not_lock_himself_out)
{
	ck_assert_int_eq(add(1, "crm"), CLV_OK);
	ck_assert_int_eq(
	    grant(&ada, 2, ADMIN_APP_REVOKE, true, "user:ada"), CLV_E_DENIED);
	ck_assert_str_eq(app(0, "crm")->admins, "user:ada");
	ck_assert_int_eq(
	    grant(NULL, 3, ADMIN_APP_REVOKE, true, "user:ada"), CLV_OK);
	ck_assert_str_eq(app(0, "crm")->admins, "");
	ck_assert_int_eq(
	    grant(&ada, 4, ADMIN_APP_GRANT, true, "user:ada"), CLV_E_DENIED);
}
END_TEST

/* He could not ask again: it is not his any more. */
START_TEST(administrator_of_an_application_removes_it_in_one_request)
{
	struct clv_buf b;

	ck_assert_int_eq(add(1, "crm"), CLV_OK);
	rig_db_app("crm")->secrets = 5 * RIG_DROP;
	rig.forge = take_long;
	rig_named(&b, ADMIN_APP_REMOVE, 2, "crm");
	ck_assert_int_eq(ask_as(&ada, 0, &b), CLV_OK);
	ck_assert_uint_eq(left(), 0);
	ck_assert_uint_eq(rig_db_app("crm")->secrets, 0);
}
END_TEST

/* What the caller may is asked again when it comes to changing something. */
START_TEST(right_that_was_taken_away_meanwhile_does_not_count)
{
	struct waiter w = {false, 1};
	struct admin_origin from = {.done = on_done, .arg = &w, .caller = &ada};
	struct clv_buf b;

	ck_assert_int_eq(add(1, "crm"), CLV_OK);
	rig_db_mode(0, RIG_DB_HUNG);
	rig_admin_begin(&b, ADMIN_APP_GRANT, 2);
	clv_buf_str(&b, "crm");
	clv_buf_u8(&b, 0);
	clv_buf_str(&b, "user:bob");
	admin_request(rig_keeper(0), &from, b.data, b.len);
	clv_buf_fini(&b);
	rig_settle();
	clv_acl_set(
	    &clv_list_app_by_name(rig_keeper(0)->secret.list, "crm")->admins,
	    "");
	rig_db_mode(0, RIG_DB_UP);
	rig_run(100);
	ck_assert(w.done);
	ck_assert_int_eq(w.result, CLV_E_DENIED);
	ck_assert_str_eq(app(0, "crm")->users, "");
}
END_TEST

/* Questions. */

static void
ask_apps(struct clv_buf *b, const char *name, const char *after)
{
	rig_admin_begin(b, ADMIN_APPS, 0);
	clv_buf_str(b, name);
	clv_buf_str(b, after);
}

static void
expect_app(struct clv_rd *r, const char *name)
{
	char found[CLV_NAME_MAX], admins[CLV_ACL_MAX], users[CLV_ACL_MAX];

	clv_rd_str(r, found, sizeof(found));
	clv_rd_str(r, admins, sizeof(admins));
	clv_rd_str(r, users, sizeof(users));
	clv_rd_u32(r);
	ck_assert(!r->failed);
	ck_assert_str_eq(found, name);
	ck_assert_str_eq(admins, "user:ada");
}

START_TEST(applications_are_listed_by_whoever_may_see_them)
{
	struct clv_rd r;
	struct clv_buf b;

	ck_assert_int_eq(add(1, "hr"), CLV_OK);
	ck_assert_int_eq(add(2, "crm"), CLV_OK);
	ask_apps(&b, "", "");
	ck_assert_int_eq(ask_as(NULL, 2, &b), CLV_OK);
	clv_rd_init(&r, data.data, data.len);
	ck_assert_uint_eq(clv_rd_u8(&r), 0);
	ck_assert_uint_eq(clv_rd_u32(&r), 2);
	expect_app(&r, "crm");
	expect_app(&r, "hr");
	ck_assert_int_eq(clv_rd_end(&r), CLV_OK);
	ask_apps(&b, "", "crm");
	ck_assert_int_eq(ask_as(NULL, 0, &b), CLV_OK);
	clv_rd_init(&r, data.data, data.len);
	ck_assert_uint_eq(clv_rd_u8(&r), 0);
	ck_assert_uint_eq(clv_rd_u32(&r), 1);
	expect_app(&r, "hr");
	ask_apps(&b, "hr", "");
	ck_assert_int_eq(ask_as(&ada, 0, &b), CLV_OK);
	clv_rd_init(&r, data.data, data.len);
	clv_rd_u8(&r);
	ck_assert_uint_eq(clv_rd_u32(&r), 1);
	expect_app(&r, "hr");
	ask_apps(&b, "", "");
	ck_assert_int_eq(ask_as(&ada, 0, &b), CLV_E_DENIED);
	ask_apps(&b, "hr", "");
	ck_assert_int_eq(ask_as(&bob, 0, &b), CLV_E_DENIED);
	ask_apps(&b, "web", "");
	ck_assert_int_eq(ask_as(NULL, 0, &b), CLV_E_NOT_FOUND);
}
END_TEST

/* As many as there can be, with access lists as long as they can be: each page
 * fits, and together they are all. */
START_TEST(very_many_applications_come_in_pages)
{
	struct clv_list *list = rig_keeper(0)->secret.list;
	char name[CLV_NAME_MAX], acl[CLV_ACL_MAX] = "user:ada";
	struct clv_buf b;
	unsigned n = 0, pages = 0;
	bool more = true;

	while (strlen(acl) + 12 < sizeof(acl))
		snprintf(acl + strlen(acl), 12, ",user:%05zu", strlen(acl));
	for (unsigned i = 0; i < CLV_LIST_APPS_MAX; i++) {
		struct clv_list_app *a = clv_list_add_app(list);

		snprintf(a->name, sizeof(a->name), "x%04u", i);
		clv_acl_set(&a->admins, acl);
		clv_acl_set(&a->users, acl);
	}
	for (name[0] = '\0'; more; pages++) {
		struct clv_rd r;
		char admins[CLV_ACL_MAX], users[CLV_ACL_MAX];
		uint32_t count;

		ask_apps(&b, "", name);
		ck_assert_int_eq(ask_as(NULL, 0, &b), CLV_OK);
		ck_assert_uint_lt(data.len, 60000);
		clv_rd_init(&r, data.data, data.len);
		more = clv_rd_u8(&r) != 0;
		count = clv_rd_u32(&r);
		ck_assert_uint_gt(count, 0);
		while (count-- > 0) {
			char expected[CLV_NAME_MAX];

			snprintf(expected, sizeof(expected), "x%04u", n++);
			clv_rd_str(&r, name, sizeof(name));
			clv_rd_str(&r, admins, sizeof(admins));
			clv_rd_str(&r, users, sizeof(users));
			clv_rd_u32(&r);
			ck_assert_str_eq(name, expected);
			ck_assert_str_eq(users, acl);
		}
		ck_assert_int_eq(clv_rd_end(&r), CLV_OK);
	}
	ck_assert_uint_eq(n, CLV_LIST_APPS_MAX);
	ck_assert_uint_gt(pages, 100);
}
END_TEST

START_TEST(secrets_of_an_application_are_counted)
{
	struct clv_rd r;
	struct clv_buf b;

	ck_assert_int_eq(add(1, "crm"), CLV_OK);
	rig_db_app("crm")->secrets = 7;
	rig_named(&b, ADMIN_APP_COUNT, 2, "crm");
	ck_assert_int_eq(ask_as(&ada, 1, &b), CLV_OK);
	clv_rd_init(&r, data.data, data.len);
	ck_assert_uint_eq(clv_rd_u64(&r), 7);
	ck_assert_uint_eq(clv_rd_u64(&r), 7);
	ck_assert_int_eq(clv_rd_end(&r), CLV_OK);
	rig_named(&b, ADMIN_APP_COUNT, 2, "crm");
	ck_assert_int_eq(ask_as(&bob, 1, &b), CLV_E_DENIED);
	rig_admin_begin(&b, ADMIN_APP_COUNT, 2);
	ck_assert_int_eq(ask_as(NULL, 1, &b), CLV_E_PROTOCOL);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("keeper_apps");
	TCase *t = tcase_create("changes");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(
	    t, new_application_has_its_keys_before_the_list_names_it);
	tcase_add_test(t, removed_application_is_gone_with_all_its_secrets);
	tcase_add_test(t, later_application_of_that_name_goes_on_counting);
	tcase_add_test(t, counter_is_above_what_was_seen_of_that_name);
	tcase_add_test(t, repeated_requests_are_done_once);
	tcase_add_loop_test(t, write_of_unknown_outcome_is_repeated, 0, 3);
	tcase_add_test(t, keys_that_no_list_names_give_way_to_new_ones);
	tcase_add_test(t, nothing_is_deleted_for_a_list_that_is_not_the_newest);
	tcase_add_test(t, what_is_left_of_a_removed_application_can_be_removed);
	tcase_add_test(t, very_many_secrets_are_deleted_request_by_request);
	tcase_add_test(t, removal_goes_on_after_the_server_was_killed);
	tcase_add_test(t, removal_that_goes_on_spares_a_new_application);
	tcase_add_test(
	    t, removal_that_was_cut_short_is_finished_by_its_repetition);
	tcase_add_test(t, stale_epoch_makes_and_deletes_nothing);
	tcase_add_test(
	    t, keys_of_a_new_application_are_of_the_current_generation);
	tcase_add_test(t, application_is_made_without_an_active_server_too);
	suite_add_tcase(s, t);
	t = tcase_create("callers");
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(
	    t, administrator_of_an_application_changes_that_one_alone);
	tcase_add_test(
	    t, administrator_of_an_application_removes_it_in_one_request);
	tcase_add_test(t, caller_does_not_lock_himself_out);
	tcase_add_test(t, right_that_was_taken_away_meanwhile_does_not_count);
	suite_add_tcase(s, t);
	t = tcase_create("questions");
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, applications_are_listed_by_whoever_may_see_them);
	tcase_add_test(t, very_many_applications_come_in_pages);
	tcase_add_test(t, secrets_of_an_application_are_counted);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	SRunner *r = srunner_create(suite());
	int failed;

	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
