/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "daemon/keeper/members_live.h"
#include "daemon/rotate/refs.h"
#include "daemon/rotate/rewrap.h"
#include "keeper_rig.h"
#include "suite.h"

/* What follows a rotation: keys are rewrapped, old generations destroyed. */

#define APPS 5
static uint8_t data_key[APPS][CLV_KEY_LEN]; /* as they were made */

static void
name_of(unsigned i, char ret[static 16])
{
	snprintf(ret, 16, "app%u", i);
}

/* Opens both keys of an application under a generation. */
static bool
opens(const struct rig_app *a, uint32_t generation, uint8_t ret[CLV_KEY_LEN])
{
	uint8_t distribution[CLV_KEY_LEN], app_key[CLV_KEY_LEN];
	struct clv_datakey_id id = {.system_id = rig_db.system_id,
	    .app = a->name,
	    .generation = generation};
	struct keeper *k = NULL;

	for (unsigned i = 0; i < rig.n; i++)
		if (rig.node[i].k != NULL)
			k = rig.node[i].k;
	if (clv_keyring_subkey(k->secret.keyring, generation,
		CLV_SUBKEY_DISTRIBUTION, distribution) != CLV_OK)
		return false;
	clv_app_key(distribution, rig_db.system_id, a->name, app_key);
	if (clv_datakey_unwrap(app_key, &id, a->index_key, sizeof(a->index_key),
		ret) != CLV_OK)
		return false;
	id.version = 1;
	return clv_datakey_unwrap(app_key, &id, a->data_key,
		   sizeof(a->data_key), ret) == CLV_OK;
}

static void
add_apps(void)
{
	struct clv_buf b;
	char name[16];

	for (unsigned i = 0; i < APPS; i++) {
		name_of(i, name);
		rig_named(&b, ADMIN_APP_ADD, (uint8_t)(100 + i), name);
		clv_buf_str(&b, "");
		clv_buf_str(&b, "");
		clv_buf_u32(&b, 0);
		ck_assert_int_eq(rig_ask(0, &b, 30000), CLV_OK);
		ck_assert(opens(rig_db_app(name), 1, data_key[i]));
	}
}

static void
set_up(void)
{
	rig_active();
	add_apps();
	rig_run(MEMBERS_MEET_MS);
	rig_db.page = 3;
}

static int
rotate_begin(unsigned i, uint8_t id)
{
	struct clv_buf b;

	rig_admin_begin(&b, ADMIN_ROTATE_BEGIN, id);
	return rig_ask(i, &b, 30000);
}

static void
finish_request(struct clv_buf *b, uint8_t id, uint32_t generation)
{
	rig_admin_begin(b, ADMIN_ROTATE_FINISH, id);
	clv_buf_u32(b, generation);
	clv_buf_str(b, "n1:/root/two.age");
}

static enum clv_generation_state
state_of(uint32_t generation)
{
	return clv_list_generation(rig_db_list(), generation)->state;
}

/* To generation 2, as far as the answer. */
static void
publish(unsigned i)
{
	struct clv_buf b;

	ck_assert_int_eq(rotate_begin(i, 1), CLV_OK);
	rig_run(1000);
	finish_request(&b, 2, 2);
	ck_assert_int_eq(rig_ask(i, &b, 30000), CLV_OK);
}

/* As far as the new generation is current. */
static void
rotate(unsigned i)
{
	publish(i);
	for (unsigned t = 0; state_of(2) != CLV_GEN_CURRENT; t++) {
		ck_assert_uint_lt(t, 1000);
		rig_run(1);
	}
	rig_settle();
}

static struct rewrap_progress
progress(unsigned i)
{
	struct rewrap_progress p;

	rewrap_progress(rig_keeper(i), &p);
	return p;
}

static void
check_all_under(uint32_t generation)
{
	uint8_t key[CLV_KEY_LEN];
	uint32_t tls = 0;
	char name[16];

	for (unsigned i = 0; i < APPS; i++) {
		const struct rig_app *a;

		name_of(i, name);
		a = rig_db_app(name);
		ck_assert_uint_eq(a->generation, generation);
		ck_assert_uint_eq(a->index_generation, generation);
		ck_assert(opens(a, generation, key));
		ck_assert_mem_eq(key, data_key[i], sizeof(key));
	}
	ck_assert_int_eq(clv_tls_row_generation(rig_db.tls.data, rig_db.tls.len,
			     clv_keyring_sign_pk(rig.keyring), &tls),
	    CLV_OK);
	ck_assert_uint_eq(tls, generation);
}

/* Rewrapping. */

START_TEST(every_key_is_rewrapped_after_a_rotation)
{
	struct rewrap_progress p;

	rotate(0);
	rig_run(100);
	check_all_under(2);
	p = progress(0);
	ck_assert_int_eq(p.state, REWRAP_IS_DONE);
	ck_assert_uint_eq(p.generation, 2);
	ck_assert_uint_eq(p.total, 2 * APPS);
	ck_assert_uint_eq(p.left, 0);
	ck_assert_uint_eq(p.damaged, 0);
	ck_assert_uint_eq(rig_db.rewrites, 4); /* pages of three */
	ck_assert_int_eq(progress(1).state, REWRAP_IS_IDLE);
}
END_TEST

/* What a host says that it holds, when it fetches from node i. */
static void
holds(unsigned i, const struct clv_identity *id, uint32_t generation)
{
	struct clv_wire_request q = {.op = CLV_WIRE_FETCH};
	struct clv_wire_holds said = {generation, 1};
	struct clv_buf b;

	clv_buf_init(&b);
	clv_wire_holds_format(&said, &b);
	q.payload = b.data;
	q.payload_len = b.len;
	rig_request(i, id, NULL, &q);
	rig_settle();
	clv_buf_fini(&b);
}

static void
member_holds(unsigned i, uint32_t generation)
{
	holds(i, rig.member[0], generation);
}

/* What the active server says of the rotation. */
struct told {
	uint32_t generation;
	uint8_t state;
	char why[160], late[512];
};

static struct told
tell(unsigned i)
{
	struct told t = {0};
	struct clv_buf b;
	struct clv_rd r;
	int c;

	rig_admin_begin(&b, ADMIN_ROTATE_STATE, 77);
	c = rig_admin(i, &b);
	rig_settle();
	clv_buf_fini(&b);
	ck_assert_int_eq(rig_admin_result(i, c, NULL, 0), CLV_OK);
	clv_rd_init(&r, rig.node[i].conns[c].body, rig.node[i].conns[c].len);
	clv_rd_u32(&r);
	clv_rd_str(&r, t.why, sizeof(t.why));
	clv_rd_str(&r, t.why, sizeof(t.why));
	clv_rd_u32(&r);
	t.generation = clv_rd_u32(&r);
	t.state = clv_rd_u8(&r);
	for (unsigned n = 0; n < 5; n++)
		clv_rd_u64(&r);
	clv_rd_str(&r, t.why, sizeof(t.why));
	clv_rd_str(&r, t.late, sizeof(t.late));
	ck_assert_int_eq(clv_rd_end(&r), CLV_OK);
	rig_hang_up(i, c);
	return t;
}

/* Publishing. */

START_TEST(live_members_have_the_new_key_before_it_is_current)
{
	struct told t;

	member_holds(0, 1);
	publish(0);
	rig_run(30000);
	ck_assert_int_eq(state_of(2), CLV_GEN_PUBLISHED);
	ck_assert_int_eq(state_of(1), CLV_GEN_CURRENT);
	check_all_under(1);
	t = tell(0);
	ck_assert_uint_eq(t.generation, 2);
	ck_assert_int_eq(t.state, REWRAP_IS_TO_COME);
	ck_assert_str_eq(t.why, "members fetch the new key first: m1");
	ck_assert_str_eq(t.late, "");
	member_holds(0, 2);
	rig_run(1000);
	check_all_under(2);
	t = tell(0);
	ck_assert_int_eq(t.state, REWRAP_IS_DONE);
	ck_assert_str_eq(t.late, "");
}
END_TEST

START_TEST(a_member_that_does_not_fetch_has_two_minutes_and_is_named)
{
	struct told t;

	member_holds(0, 1);
	publish(0);
	for (unsigned n = 0; n < 11; n++) { /* alive, and for ever behind */
		rig_run(10000);
		member_holds(0, 1);
	}
	ck_assert_int_eq(state_of(2), CLV_GEN_PUBLISHED);
	rig_run(12000);
	check_all_under(2); /* not waited for once more */
	t = tell(0);
	ck_assert_uint_eq(t.generation, 2);
	ck_assert_int_eq(t.state, REWRAP_IS_DONE);
	ck_assert_str_eq(t.late, "m1");
}
END_TEST

START_TEST(nobody_but_the_server_itself_makes_it_current)
{
	struct clv_buf b;

	member_holds(0, 1);
	publish(0);
	rig_admin_begin(&b, ADMIN_ROTATE_CURRENT, 9);
	clv_buf_u32(&b, 2);
	ck_assert_int_eq(rig_ask(0, &b, 1000), CLV_E_DENIED);
	rig_admin_begin(&b, ADMIN_ROTATE_CURRENT, 10);
	clv_buf_u32(&b, 2);
	ck_assert_int_eq(rig_ask(1, &b, 1000), CLV_E_DENIED);
	finish_request(&b, 2, 2); /* repeated */
	ck_assert_int_eq(rig_ask(0, &b, 1000), CLV_OK);
	finish_request(&b, 11, 2); /* once more */
	ck_assert_int_eq(rig_ask(0, &b, 1000), CLV_OK);
	ck_assert_int_eq(state_of(2), CLV_GEN_PUBLISHED);
}
END_TEST

/* generation and goes_on, as BEGIN answers them. */
static void
check_begun(unsigned i, uint8_t id, uint32_t generation, uint8_t goes_on)
{
	struct clv_buf b;
	struct clv_rd r;
	int c;

	rig_admin_begin(&b, ADMIN_ROTATE_BEGIN, id);
	c = rig_admin(i, &b);
	rig_run(1000);
	clv_buf_fini(&b);
	ck_assert_int_eq(rig_admin_result(i, c, NULL, 0), CLV_OK);
	clv_rd_init(&r, rig.node[i].conns[c].body, rig.node[i].conns[c].len);
	clv_rd_u32(&r);
	clv_rd_str(&r, rig.said, sizeof(rig.said));
	clv_rd_str(&r, rig.said, sizeof(rig.said));
	ck_assert_uint_eq(clv_rd_u32(&r), 5);
	ck_assert_uint_eq(clv_rd_u32(&r), generation);
	ck_assert_uint_eq(clv_rd_u8(&r), goes_on);
	rig_hang_up(i, c);
}

START_TEST(a_published_generation_outlives_its_server)
{
	member_holds(0, 1);
	publish(0);
	check_begun(0, 8, 2, 1);
	rig_kill(0);
	rig_run(16000);
	ck_assert_int_eq(state_of(2), CLV_GEN_PUBLISHED);
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	rig_run(MEMBERS_MEET_MS - 10000);
	ck_assert_int_eq(state_of(2), CLV_GEN_PUBLISHED);
	ck_assert_str_eq(tell(1).why,
	    "members fetch the new key first: they have not all come yet");
	member_holds(1, 1);
	rig_run(10500);
	ck_assert_int_eq(state_of(2), CLV_GEN_PUBLISHED);
	ck_assert_str_eq(tell(1).why, "members fetch the new key first: m1");
	member_holds(1, 2);
	rig_run(1000);
	check_all_under(2);
	ck_assert_int_eq(tell(1).state, REWRAP_IS_DONE);
}
END_TEST

START_TEST(nobody_is_waited_for_who_does_not_live)
{
	member_holds(0, 1);
	rig_run(MEMBERS_LIVE_MS + 1000);
	rotate(0);
	rig_run(100);
	check_all_under(2);
	ck_assert_str_eq(tell(0).late, "");
}
END_TEST

/* Everybody is there before the time in which they come. */
START_TEST(when_all_have_come_nobody_else_is_waited_for)
{
	rig_kill(0);
	rig_run(16000);
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	rig_up(0);
	rig_run(10000);
	publish(1);
	rig_run(10000);
	ck_assert_int_eq(state_of(2), CLV_GEN_PUBLISHED);
	for (unsigned i = 0; i < 3; i++)
		holds(1, rig.node[i].id, 2);
	holds(1, rig.member[0], 2);
	rig_run(1000);
	ck_assert_int_eq(state_of(2), CLV_GEN_PUBLISHED);
	holds(1, rig.member[1], 2);
	rig_run(1000);
	check_all_under(2);
}
END_TEST

static void
demote(unsigned i)
{
	rig_send(i, rig_connect(i), CTL_DEMOTE, NULL, 0);
	rig_run(20000);
}

START_TEST(without_an_active_server_it_is_current_at_once)
{
	demote(0);
	publish(1);
	ck_assert_int_eq(state_of(2), CLV_GEN_CURRENT);
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	member_holds(1, 1); /* and so is waited for by the next one */
	rig_run(30000);
	check_all_under(1);
	ck_assert_int_eq(tell(1).state, REWRAP_IS_RUNNING);
	ck_assert_str_eq(tell(1).why, "members fetch the new key first: m1");
	member_holds(1, 2);
	rig_run(1000);
	check_all_under(2);
}
END_TEST

START_TEST(what_was_published_is_finished_without_an_active_server)
{
	struct clv_buf b;

	member_holds(0, 1);
	publish(0);
	demote(0);
	check_begun(1, 8, 2, 0); /* with another backup */
	finish_request(&b, 9, 2);
	ck_assert_int_eq(rig_ask(1, &b, 30000), CLV_OK);
	ck_assert_int_eq(state_of(2), CLV_GEN_CURRENT);
}
END_TEST

START_TEST(a_database_that_goes_away_keeps_it_published)
{
	member_holds(0, 1);
	publish(0);
	rig_db_mode_all(RIG_DB_DOWN);
	member_holds(0, 2);
	rig_run(30000);
	ck_assert_int_eq(state_of(2), CLV_GEN_PUBLISHED);
	rig_db_mode_all(RIG_DB_UP);
	rig_run(MEMBERS_MEET_MS + 10000);
	check_all_under(2);
}
END_TEST

START_TEST(nothing_is_rewrapped_before_the_generation_is_current)
{
	ck_assert_int_eq(rotate_begin(0, 1), CLV_OK);
	rig_run(20000);
	check_all_under(1);
	ck_assert_uint_eq(rig_db.rewrites, 0);
	ck_assert_int_eq(progress(0).state, REWRAP_IS_DONE);
}
END_TEST

/* The active node is killed after its n-th statement, and once more with the
 * answer to it still on its way: the next one goes on by itself. */
static bool
killed_after(unsigned n, bool answered)
{
	struct rig_node *node = &rig.node[0];
	struct clv_buf b;
	bool all;

	set_up();
	ck_assert_int_eq(rotate_begin(0, 1), CLV_OK);
	rig_run(1000);
	finish_request(&b, 2, 2);
	rig_db_mode(0, RIG_DB_HUNG);
	rig_admin(0, &b);
	clv_buf_fini(&b);
	for (unsigned i = 0; i < n; i++) {
		rig_run(MEMBERS_WAIT_LOOK_MS / 2);
		rig_do_sql(node);
	}
	if (answered)
		rig_settle();
	all =
	    progress(0).state == REWRAP_IS_DONE && progress(0).generation == 2;
	rig_kill(0);
	rig_run(16000);
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	rig_run(MEMBERS_MEET_MS + REWRAP_MEET_MS);
	if (clv_list_current(rig_keeper(1)->secret.list)->number == 1) {
		finish_request(&b, 2, 2); /* the command once more */
		ck_assert_int_eq(rig_ask(1, &b, 30000), CLV_OK);
		rig_run(1000);
	}
	ck_assert_int_eq(progress(1).state, REWRAP_IS_DONE);
	check_all_under(2);
	rig_fini();
	return all;
}

START_TEST(a_killed_server_is_followed_by_one_that_goes_on)
{
	unsigned n = 0;

	while (!killed_after(n, false) && !killed_after(n, true))
		ck_assert_uint_lt(n++, 60);
	ck_assert_uint_gt(n, 10);
}
END_TEST

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

START_TEST(the_step_to_current_is_made_in_spite_of_lost_answers)
{
	member_holds(0, 1);
	publish(0);
	rig.forge = lose_answers;
	lose_stmt = CLV_STMT_PUT_LIST;
	lose = 5;
	member_holds(0, 2);
	rig_run(MEMBERS_MEET_MS);
	ck_assert_uint_lt(lose, 5);
	lose = 0;
	rig_run(2000);
	check_all_under(2);
}
END_TEST

/* It is refused, though nothing was written. */
static void
refuse_list(struct rig_node *n, enum clv_stmt stmt, struct clv_buf *result)
{
	uint64_t id;

	(void)n;
	if (stmt != CLV_STMT_GET_OP || lose == 0)
		return;
	lose--;
	id = rig_forge_begin(result);
	rig_result_put(result, id, CLV_E_SYSTEM, "disk full", 0, 0);
}

START_TEST(a_failed_step_to_current_is_tried_again)
{
	member_holds(0, 1);
	publish(0);
	rig.forge = refuse_list;
	lose = 3;
	member_holds(0, 2);
	rig_run(PUBLISH_RETRY_MS);
	ck_assert_int_eq(tell(0).state, REWRAP_IS_TO_COME);
	ck_assert_str_eq(tell(0).why, "disk full");
	rig_run(4 * PUBLISH_RETRY_MS);
	ck_assert_uint_eq(lose, 0);
	check_all_under(2);
}
END_TEST

static const enum clv_stmt steps[] = {CLV_STMT_GET_OLD_KEYS,
    CLV_STMT_COUNT_KEYS, CLV_STMT_PUT_REWRAPPED, CLV_STMT_GET_TLS,
    CLV_STMT_PUT_TLS};

START_TEST(a_lost_answer_is_made_good_in_a_second)
{
	rig.forge = lose_answers;
	lose_stmt = steps[_i];
	/* it was done: the second time nothing is left */
	lose = lose_stmt == CLV_STMT_PUT_TLS ? 1 : 2;
	rotate(0);
	rig_run(100);
	ck_assert_int_eq(progress(0).state, REWRAP_IS_RUNNING);
	ck_assert_str_eq(progress(0).why, "connection lost");
	rig_run(2 * REWRAP_RETRY_MS);
	ck_assert_uint_eq(lose, 0);
	ck_assert_int_eq(progress(0).state, REWRAP_IS_DONE);
	ck_assert_str_eq(progress(0).why, "");
	check_all_under(2);
}
END_TEST

START_TEST(a_database_that_is_away_is_waited_for)
{
	rig_db_mode(0, RIG_DB_UP);
	rotate(0);
	rig_db_mode_all(RIG_DB_DOWN);
	rig_run(30000);
	rig_db_mode_all(RIG_DB_UP);
	rig_run(10000);
	ck_assert_int_eq(progress(0).state, REWRAP_IS_DONE);
	check_all_under(2);
}
END_TEST

START_TEST(a_key_that_does_not_open_stays_and_is_counted)
{
	uint8_t key[CLV_KEY_LEN];

	rig_db_app("app2")->data_key[40] ^= 1;
	rotate(0);
	rig_run(100);
	ck_assert_int_eq(progress(0).state, REWRAP_IS_DONE);
	ck_assert_uint_eq(progress(0).damaged, 1);
	ck_assert_uint_eq(rig_db_app("app2")->generation, 1);
	ck_assert_uint_eq(rig_db_app("app2")->index_generation, 2);
	ck_assert(opens(rig_db_app("app3"), 2, key));
}
END_TEST

/* One row again and again: what a database of ours never says. */
static void
same_page(struct rig_node *n, enum clv_stmt stmt, struct clv_buf *result)
{
	const struct rig_app *a = rig_db_app("app1");
	uint64_t id;

	(void)n;
	if (stmt != CLV_STMT_GET_OLD_KEYS)
		return;
	id = rig_forge_begin(result);
	rig_result_put(result, id, CLV_OK, "", 1, 4);
	clv_buf_str(result, a->name);
	clv_buf_u32(result, 8);
	clv_buf_u64(result, 1);
	clv_buf_u32(result, 8);
	clv_buf_u64(result, 1);
	clv_buf_bytes(result, a->data_key, sizeof(a->data_key));
}

START_TEST(rows_that_come_again_do_not_go_round_in_circles)
{
	rotate(0);
	rig_run(100);
	rig_db_app("app1")->generation = 1;
	rig_kill(0);
	rig_run(16000);
	rig.forge = same_page;
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	rig_run(20000);
	ck_assert_int_eq(progress(1).state, REWRAP_IS_RUNNING);
	ck_assert_ptr_nonnull(strstr(progress(1).why, "claviger doctor"));
	ck_assert_int_eq(rig_state(1), ROLE_ACTIVE);
}
END_TEST

START_TEST(an_old_server_rewraps_nothing)
{
	struct clv_buf b;

	ck_assert_int_eq(rotate_begin(0, 1), CLV_OK);
	rig_run(1000);
	finish_request(&b, 2, 2);
	ck_assert_int_eq(rig_ask(0, &b, 0), 1);
	while (rig_db.versions[0] < APPS + 3)
		rig_run(1);
	rig_db_mode(0, RIG_DB_HUNG);
	rig_run(1);
	rig_db.epoch += 1 << 8; /* somebody else has it */
	rig_db.instance[0] ^= 1;
	rig_db.rewrites = 0;
	rig_db_mode(0, RIG_DB_UP);
	rig_settle();
	ck_assert_uint_eq(rig_db.rewrites, 0);
}
END_TEST

START_TEST(a_rotation_that_is_not_through_is_gone_on_with)
{
	rig.forge = lose_answers;
	lose_stmt = CLV_STMT_PUT_REWRAPPED;
	lose = 1000;
	rotate(0);
	check_begun(0, 7, 2, 1);
	ck_assert_uint_eq(clv_keyring_newest(rig_keeper(0)->secret.keyring), 2);
	lose = 0;
	rig_run(2000);
	check_all_under(2);
	ck_assert_int_eq(rotate_begin(0, 8), CLV_OK);
	ck_assert_uint_eq(clv_keyring_newest(rig_keeper(0)->secret.keyring), 3);
}
END_TEST

/* Re-encrypting: what there is to do is tried in check_reencrypt.c. */

static int
ask_reencrypt(unsigned i, uint8_t op, uint8_t id)
{
	struct clv_buf b;

	rig_admin_begin(&b, op, id);
	clv_buf_u32(&b, 2);
	return rig_ask(i, &b, 30000);
}

static void
reencrypt_set_up(void)
{
	rig_active();
	rig_run(MEMBERS_MEET_MS);
}

/* To generation 2, with its backup, as far as the answer. */
static void
rotate_reencrypting(unsigned i)
{
	struct clv_buf b;

	ck_assert_int_eq(rotate_begin(i, 1), CLV_OK);
	rig_run(1000);
	ck_assert_int_eq(ask_reencrypt(i, ADMIN_REENCRYPT, 5), CLV_OK);
	ck_assert_uint_eq(rig_db_list()->reencrypt, 2);
	finish_request(&b, 2, 2);
	ck_assert_int_eq(rig_ask(i, &b, 30000), CLV_OK);
}

START_TEST(reencryption_is_asked_for_until_it_is_done)
{
	rotate_reencrypting(0);
	rig_run(20000);
	ck_assert_int_eq(progress(0).state, REWRAP_IS_DONE);
	ck_assert_uint_eq(rig_db_list()->reencrypt, 0);
	ck_assert_int_eq(state_of(2), CLV_GEN_CURRENT);
	ck_assert_int_eq(ask_reencrypt(0, ADMIN_REENCRYPT, 6), CLV_E_EXISTS);
	ck_assert_ptr_nonnull(strstr(rig.said, "too late"));
}
END_TEST

START_TEST(nobody_but_the_server_itself_says_that_it_is_done)
{
	member_holds(0, 1);
	rotate_reencrypting(0);
	ck_assert_int_eq(ask_reencrypt(0, ADMIN_REENCRYPTED, 6), CLV_E_DENIED);
	ck_assert_int_eq(ask_reencrypt(1, ADMIN_REENCRYPTED, 7), CLV_E_DENIED);
	rig_run(1000);
	ck_assert_uint_eq(rig_db_list()->reencrypt, 2);
	ck_assert_int_eq(state_of(2), CLV_GEN_PUBLISHED);
	ck_assert_int_eq(ask_reencrypt(0, ADMIN_REENCRYPT, 8), CLV_OK);
	member_holds(0, 2);
	rig_run(1000);
	ck_assert_uint_eq(rig_db_list()->reencrypt, 0);
}
END_TEST

START_TEST(what_a_revoked_node_has_is_in_use_until_all_is_reencrypted)
{
	struct clv_buf b;

	member_holds(0, 1);
	rig_named(&b, ADMIN_NODE_REVOKE, 9, "n2");
	ck_assert_int_eq(rig_ask(0, &b, 30000), CLV_OK);
	ck_assert_uint_eq(rig_db_list()->lost_generation, 1);
	ck_assert(rig_db_list()->cert_lost[0] && !rig_db_list()->cert_lost[1]);
	rotate_reencrypting(0);
	rig_run(1000);
	ck_assert_uint_eq(rig_db_list()->lost_generation, 1);
	member_holds(0, 2);
	rig_run(1000);
	ck_assert_uint_eq(rig_db_list()->reencrypt, 0);
	ck_assert_uint_eq(rig_db_list()->lost_generation, 0);
	ck_assert(rig_db_list()->cert_lost[0]); /* another command's */
}
END_TEST

/* Of the lists that are written each answer is lost once. */
static void
lose_every_other(struct rig_node *n, enum clv_stmt stmt, struct clv_buf *result)
{
	if (stmt == CLV_STMT_PUT_LIST && ++lose % 2 == 1) {
		unsigned so_far = lose;

		lose_stmt = stmt;
		lose_answers(n, stmt, result);
		lose = so_far;
	}
}

START_TEST(the_step_to_done_is_made_in_spite_of_lost_answers)
{
	member_holds(0, 1);
	rotate_reencrypting(0);
	rig.forge = lose_every_other;
	lose = 0;
	member_holds(0, 2);
	rig_run(60000);
	ck_assert_uint_eq(lose, 4); /* current, and done */
	ck_assert_uint_eq(rig_db_list()->reencrypt, 0);
	ck_assert_int_eq(progress(0).state, REWRAP_IS_DONE);
}
END_TEST

START_TEST(the_next_server_goes_on_with_it)
{
	member_holds(0, 1);
	rotate_reencrypting(0);
	rig_kill(0);
	rig_run(16000);
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	member_holds(1, 2);
	rig_run(MEMBERS_MEET_MS + REWRAP_MEET_MS);
	ck_assert_int_eq(state_of(2), CLV_GEN_CURRENT);
	ck_assert_int_eq(progress(1).state, REWRAP_IS_DONE);
	ck_assert_uint_eq(rig_db_list()->reencrypt, 0);
}
END_TEST

START_TEST(without_an_active_server_the_next_one_reencrypts)
{
	demote(0);
	rotate_reencrypting(1);
	ck_assert_int_eq(state_of(2), CLV_GEN_CURRENT);
	ck_assert_uint_eq(rig_db_list()->reencrypt, 2);
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	rig_run(MEMBERS_MEET_MS + REWRAP_MEET_MS);
	ck_assert_uint_eq(rig_db_list()->reencrypt, 0);
}
END_TEST

/* A key that is wrapped under the new generation would pass for a new one. */
START_TEST(no_key_is_rewrapped_before_there_are_new_ones)
{
	add_apps();
	rotate_reencrypting(0);
	rig_run(20000);
	check_all_under(1);
	ck_assert_int_eq(progress(0).state, REWRAP_IS_MAKING_KEYS);
	ck_assert_uint_eq(progress(0).total, APPS);
	ck_assert_uint_eq(progress(0).left, APPS);
	ck_assert_str_eq(progress(0).why, "this host has no keys yet");
	ck_assert_int_eq(tell(0).state, REWRAP_IS_MAKING_KEYS);
	check_begun(0, 9, 2, 1); /* no other rotation meanwhile */
	ck_assert_uint_eq(rig_db_list()->reencrypt, 2);
}
END_TEST

/* Destroying. */

static int
destroy(unsigned i, uint8_t id, uint32_t generation)
{
	struct clv_buf b;

	rig_admin_begin(&b, ADMIN_GENERATION_DESTROY, id);
	clv_buf_u32(&b, generation);
	return rig_ask(i, &b, 30000);
}

/* Is a generation in the sealed copy of node i (from 0)? */
static bool
copy_holds(unsigned i, uint32_t generation)
{
	const struct clv_buf *row = &rig_db.escrow[i + 1];
	struct clv_keyring *k = NULL;
	bool holds = false;

	ck_assert_int_eq(clv_escrow_open(row->data, row->len,
			     clv_keyring_sign_pk(rig.keyring), rig.node[i].id,
			     (uint8_t)(i + 1), &k),
	    CLV_OK);
	for (size_t n = 0; n < clv_keyring_count(k); n++)
		holds |= clv_keyring_number(k, n) == generation;
	clv_keyring_free(&k);
	return holds;
}

static bool
keeper_holds(unsigned i, uint32_t generation)
{
	const struct clv_keyring *k = rig_keeper(i)->secret.keyring;

	for (size_t n = 0; n < clv_keyring_count(k); n++)
		if (clv_keyring_number(k, n) == generation)
			return true;
	return false;
}

START_TEST(destroyed_generation_is_in_no_copy_and_no_memory)
{
	rotate(0);
	rig_run(100);
	for (unsigned i = 0; i < 3; i++)
		ck_assert(copy_holds(i, 1) && keeper_holds(i, 1));
	rig_kill(2); /* an absent node's copy is sealed anew, too */
	rig_run(20000);
	ck_assert_int_eq(destroy(0, 9, 1), CLV_OK);
	ck_assert_str_eq(rig.said, "generation 1 is destroyed");
	for (unsigned i = 0; i < 3; i++)
		ck_assert(!copy_holds(i, 1) && copy_holds(i, 2));
	ck_assert(!keeper_holds(0, 1) && !keeper_holds(1, 1));
	ck_assert_int_eq(
	    clv_list_generation(rig_db_list(), 1)->state, CLV_GEN_DESTROYED);
	rig_up(2);
	rig_run(10000);
	ck_assert(!keeper_holds(2, 1));
	ck_assert_int_eq(serving_score(rig_keeper(2)), CTL_SCORE_STANDBY);
	ck_assert_int_eq(destroy(0, 9, 1), CLV_OK);  /* repeated */
	ck_assert_int_eq(destroy(0, 10, 1), CLV_OK); /* once more */
	ck_assert_str_eq(rig.said, "generation 1 is destroyed already");
}
END_TEST

START_TEST(generation_that_something_needs_is_not_destroyed)
{
	rig_db_app("app2")->data_key[40] ^= 1; /* stays under 1 */
	rotate(0);
	rig_run(100);
	ck_assert_int_eq(destroy(0, 9, 1), CLV_E_EXISTS);
	ck_assert_ptr_nonnull(strstr(rig.said, "1 data key refer"));
	ck_assert_int_eq(destroy(0, 10, 2), CLV_E_INVALID);
	ck_assert_ptr_nonnull(strstr(rig.said, "current"));
	ck_assert_int_eq(destroy(0, 11, 7), CLV_E_NOT_FOUND);
	ck_assert(copy_holds(0, 1) && keeper_holds(0, 1));
	ck_assert_int_eq(
	    clv_list_generation(rig_db_list(), 1)->state, CLV_GEN_RETIRED);
}
END_TEST

START_TEST(generation_that_a_live_member_needs_is_not_destroyed)
{
	rotate(0);
	rig_run(100);
	member_holds(0, 1);
	ck_assert_int_eq(destroy(0, 9, 1), CLV_E_EXISTS);
	ck_assert_ptr_nonnull(strstr(rig.said, "1 member with no newer key"));
	member_holds(0, 2);
	ck_assert_int_eq(destroy(0, 10, 1), CLV_OK);
}
END_TEST

START_TEST(copies_of_revoked_nodes_go_with_a_generation)
{
	struct clv_buf b;

	rotate(0);
	rig_run(100);
	rig_named(&b, ADMIN_NODE_REVOKE, 20, "n3");
	ck_assert_int_eq(rig_ask(0, &b, 30000), CLV_OK);
	ck_assert_uint_gt(rig_db.escrow[3].len, 0);
	rig.forge = lose_answers;
	lose_stmt = CLV_STMT_DROP_ESCROWS;
	lose = 2;
	ck_assert_int_eq(destroy(0, 9, 1), CLV_OK);
	ck_assert_uint_eq(lose, 0);
	ck_assert_uint_eq(rig_db.escrow[3].len, 0);
	ck_assert(!copy_holds(0, 1) && !copy_holds(1, 1));
}
END_TEST

/* An old backup brings it back: not into memory, and not into the database. */
START_TEST(restored_keyring_loses_what_was_destroyed)
{
	struct clv_keyring *k = NULL;
	char *text = NULL;
	size_t len;

	rotate(0);
	rig_run(100);
	ck_assert_int_eq(
	    clv_keyring_format(rig_keeper(1)->secret.keyring, &text, &len),
	    CLV_OK);
	ck_assert_int_eq(
	    clv_keyring_parse(rig_keeper(1)->guard, text, len, &k), CLV_OK);
	clv_guard_put(rig_keeper(1)->guard, text);
	ck_assert_int_eq(destroy(0, 9, 1), CLV_OK);
	ck_assert_int_eq(secret_accept_keyring(rig_keeper(1), &k), CLV_OK);
	ck_assert(!keeper_holds(1, 1) && keeper_holds(1, 2));
	rig_run(1000);
	ck_assert(!copy_holds(1, 1));
}
END_TEST

START_TEST(what_refers_to_each_generation_is_counted)
{
	static const uint64_t expected[2][5] = {
	    {1, 0, 0, 0, 1},		/* keys, indexes, certificates, */
	    {APPS - 1, APPS, 1, 3, 1}}; /* copies, backups */
	struct clv_buf b;
	struct clv_rd r;
	int c;

	rig_db_app("app2")->data_key[40] ^= 1;
	rotate(0);
	rig_run(100);
	rig_admin_begin(&b, ADMIN_GENERATIONS, 9);
	c = rig_admin(2, &b); /* any node can tell */
	rig_run(100);
	clv_buf_fini(&b);
	ck_assert_int_eq(rig_admin_result(2, c, NULL, 0), CLV_OK);
	clv_rd_init(&r, rig.node[2].conns[c].body, rig.node[2].conns[c].len);
	clv_rd_u32(&r);
	clv_rd_str(&r, rig.said, sizeof(rig.said));
	clv_rd_str(&r, rig.said, sizeof(rig.said));
	clv_rd_u32(&r);
	ck_assert_uint_eq(clv_rd_u8(&r), 0); /* no word of members */
	ck_assert_uint_eq(clv_rd_u32(&r), 2);
	for (uint32_t i = 0; i < 2; i++) {
		ck_assert_uint_eq(clv_rd_u32(&r), i + 1);
		ck_assert_uint_eq(clv_rd_u64(&r), expected[i][0]);
		ck_assert_uint_eq(clv_rd_u64(&r), expected[i][1]);
		ck_assert_uint_eq(clv_rd_u32(&r), expected[i][2]);
		ck_assert_uint_eq(clv_rd_u32(&r), expected[i][3]);
		ck_assert_uint_eq(clv_rd_u32(&r), expected[i][4]);
		ck_assert_uint_eq(clv_rd_u32(&r), 0);
	}
	ck_assert_int_eq(clv_rd_end(&r), CLV_OK);
}
END_TEST

START_TEST(only_the_active_server_tells_how_far_it_is)
{
	struct clv_buf b;

	rig_admin_begin(&b, ADMIN_ROTATE_STATE, 9);
	ck_assert_int_eq(rig_ask(1, &b, 0), CLV_E_NOT_ACTIVE);
	rig_admin_begin(&b, ADMIN_ROTATE_STATE, 9);
	ck_assert_int_eq(rig_ask(0, &b, 0), CLV_OK);
	rig_admin_begin(&b, ADMIN_ROTATE_STATE, 9);
	clv_buf_u8(&b, 0);
	ck_assert_int_eq(rig_ask(0, &b, 0), CLV_E_PROTOCOL);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("keeper_rotate");
	TCase *t = tcase_create("rewrap");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, rig_fini);
	tcase_add_test(t, every_key_is_rewrapped_after_a_rotation);
	tcase_add_test(
	    t, nothing_is_rewrapped_before_the_generation_is_current);
	tcase_add_loop_test(t, a_lost_answer_is_made_good_in_a_second, 0,
	    sizeof(steps) / sizeof(steps[0]));
	tcase_add_test(t, a_database_that_is_away_is_waited_for);
	tcase_add_test(t, a_key_that_does_not_open_stays_and_is_counted);
	tcase_add_test(t, rows_that_come_again_do_not_go_round_in_circles);
	tcase_add_test(t, an_old_server_rewraps_nothing);
	tcase_add_test(t, a_rotation_that_is_not_through_is_gone_on_with);
	suite_add_tcase(s, t);
	t = tcase_create("publish");
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, rig_fini);
	tcase_add_test(t, live_members_have_the_new_key_before_it_is_current);
	tcase_add_test(
	    t, a_member_that_does_not_fetch_has_two_minutes_and_is_named);
	tcase_add_test(t, nobody_but_the_server_itself_makes_it_current);
	tcase_add_test(t, a_published_generation_outlives_its_server);
	tcase_add_test(t, nobody_is_waited_for_who_does_not_live);
	tcase_add_test(t, when_all_have_come_nobody_else_is_waited_for);
	tcase_add_test(t, without_an_active_server_it_is_current_at_once);
	tcase_add_test(
	    t, what_was_published_is_finished_without_an_active_server);
	tcase_add_test(t, a_database_that_goes_away_keeps_it_published);
	tcase_add_test(t, the_step_to_current_is_made_in_spite_of_lost_answers);
	tcase_add_test(t, a_failed_step_to_current_is_tried_again);
	suite_add_tcase(s, t);
	t = tcase_create("killed");
	tcase_set_timeout(t, 120);
	tcase_add_test(t, a_killed_server_is_followed_by_one_that_goes_on);
	suite_add_tcase(s, t);
	t = tcase_create("reencrypt");
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, reencrypt_set_up, rig_fini);
	tcase_add_test(t, reencryption_is_asked_for_until_it_is_done);
	tcase_add_test(t, nobody_but_the_server_itself_says_that_it_is_done);
	tcase_add_test(
	    t, what_a_revoked_node_has_is_in_use_until_all_is_reencrypted);
	tcase_add_test(t, the_step_to_done_is_made_in_spite_of_lost_answers);
	tcase_add_test(t, the_next_server_goes_on_with_it);
	tcase_add_test(t, without_an_active_server_the_next_one_reencrypts);
	tcase_add_test(t, no_key_is_rewrapped_before_there_are_new_ones);
	suite_add_tcase(s, t);
	t = tcase_create("destroy");
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, rig_fini);
	tcase_add_test(t, destroyed_generation_is_in_no_copy_and_no_memory);
	tcase_add_test(t, generation_that_something_needs_is_not_destroyed);
	tcase_add_test(t, generation_that_a_live_member_needs_is_not_destroyed);
	tcase_add_test(t, copies_of_revoked_nodes_go_with_a_generation);
	tcase_add_test(t, restored_keyring_loses_what_was_destroyed);
	tcase_add_test(t, what_refers_to_each_generation_is_counted);
	tcase_add_test(t, only_the_active_server_tells_how_far_it_is);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return suite_run(suite());
}
