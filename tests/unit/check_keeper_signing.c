/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "daemon/keeper/members_live.h"
#include "daemon/rotate/rewrap.h"
#include "keeper_rig.h"
#include "suite.h"

/* The signing key is changed: who signs by what, and whom the others believe.
 */

static uint8_t first[CLV_SIGN_PK_LEN];

static void
set_up(void)
{
	rig_active();
	memcpy(first, clv_keyring_sign_pk(rig.keyring), sizeof(first));
	rig_run(MEMBERS_MEET_MS);
}

static int
begin(unsigned i, uint8_t op, uint8_t id)
{
	struct clv_buf b;

	rig_admin_begin(&b, op, id);
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
	const struct clv_list_generation *g =
	    clv_list_generation(rig_db_list(), generation);

	return g != NULL ? g->state : 0;
}

static void
wait_current(uint32_t generation)
{
	for (unsigned t = 0; state_of(generation) != CLV_GEN_CURRENT; t++) {
		ck_assert_uint_lt(t, 20000);
		rig_run(1);
	}
	rig_settle();
	rig_run(200);
}

static void
rotate(unsigned i, uint8_t id, uint32_t generation)
{
	struct clv_buf b;

	ck_assert_int_eq(begin(i, ADMIN_ROTATE_SIGNING, id), CLV_OK);
	rig_run(1000);
	finish_request(&b, (uint8_t)(id + 1), generation);
	ck_assert_int_eq(rig_ask(i, &b, 30000), CLV_OK);
	wait_current(generation);
}

/* Everybody who runs signs by the key of the newest list, which is not that
 * one, and so is all that lies in the database. */
static void
check_key(const uint8_t *before)
{
	const struct clv_list *l = rig_db_list();
	struct clv_keyring *k = NULL;
	uint32_t generation;

	ck_assert_mem_ne(l->sign_pk, before, CLV_SIGN_PK_LEN);
	ck_assert_mem_eq(clv_list_former_pk(l), before, CLV_SIGN_PK_LEN);
	ck_assert_ptr_null(clv_list_next_key(l));
	for (unsigned i = 0; i < rig.n; i++) {
		const struct keeper *n = rig.node[i].k;

		ck_assert_int_eq(clv_escrow_open(rig_db.escrow[i + 1].data,
				     rig_db.escrow[i + 1].len, l->sign_pk,
				     rig.node[i].id, (uint8_t)(i + 1), &k),
		    CLV_OK);
		ck_assert_ptr_null(clv_keyring_next_pk(k));
		clv_keyring_free(&k);
		if (n == NULL)
			continue;
		ck_assert_mem_eq(n->system_pk, l->sign_pk, CLV_SIGN_PK_LEN);
		ck_assert_mem_eq(clv_keyring_sign_pk(n->secret.keyring),
		    l->sign_pk, CLV_SIGN_PK_LEN);
		ck_assert(secret_is_proven(rig.node[i].k));
		ck_assert_uint_gt(rig.node[i].successor.len, 0);
	}
	ck_assert_int_eq(clv_tls_row_generation(rig_db.tls.data, rig_db.tls.len,
			     l->sign_pk, &generation),
	    CLV_OK);
	ck_assert_uint_eq(generation, clv_list_current(l)->number);
}

static void
check_no_warning(void)
{
	ck_assert_str_eq(rig.log, "");
}

START_TEST(every_node_signs_by_the_new_key)
{
	rig.log[0] = '\0';
	rotate(0, 1, 2);
	check_key(first);
	check_no_warning();
	ck_assert(role_serves(rig_state(0)));
	rig_run(20000);
	ck_assert(role_serves(rig_state(0)));
	for (unsigned i = 1; i < 3; i++)
		ck_assert(peers_unlocked(rig_keeper(0), (uint8_t)(i + 1)));
	check_no_warning();
}
END_TEST

START_TEST(all_copies_have_it_before_it_signs)
{
	const struct clv_succession *next;
	struct clv_buf b;

	ck_assert_int_eq(begin(0, ADMIN_ROTATE_SIGNING, 1), CLV_OK);
	rig_run(1000);
	next = clv_list_next_key(rig_db_list());
	ck_assert_ptr_nonnull(next);
	ck_assert_mem_eq(next->old_pk, first, sizeof(first));
	ck_assert_uint_eq(next->generation, 2);
	for (unsigned i = 0; i < rig.n; i++) {
		const struct keeper *k = rig_keeper(i);

		ck_assert_mem_eq(k->system_pk, first, sizeof(first));
		ck_assert_mem_eq(clv_keyring_sign_pk(k->secret.keyring), first,
		    sizeof(first));
		ck_assert_mem_eq(clv_keyring_next_pk(k->secret.keyring),
		    next->new_pk, CLV_SIGN_PK_LEN);
	}
	/* other changes go on meanwhile, signed by the key in force */
	ck_assert_int_eq(rig_add_member(0, 9, "m9"), CLV_OK);
	ck_assert_mem_eq(rig_db_list()->sign_pk, first, sizeof(first));
	/* one that does not answer any more holds nothing up for ever */
	finish_request(&b, 2, 2);
	ck_assert_int_eq(rig_ask(0, &b, 30000), CLV_OK);
	wait_current(2);
	check_key(first);
}
END_TEST

START_TEST(begun_once_it_is_gone_on_with)
{
	struct clv_buf b;

	ck_assert_int_eq(begin(0, ADMIN_ROTATE_SIGNING, 1), CLV_OK);
	ck_assert_int_eq(begin(0, ADMIN_ROTATE_SIGNING, 1), CLV_OK);
	ck_assert_int_eq(begin(0, ADMIN_ROTATE_SIGNING, 2), CLV_OK);
	ck_assert_int_eq(begin(0, ADMIN_ROTATE_BEGIN, 3), CLV_OK);
	ck_assert_uint_eq(rig_db_list()->succession_count, 1);
	rig_run(1000);
	finish_request(&b, 4, 2);
	ck_assert_int_eq(rig_ask(0, &b, 30000), CLV_OK);
	wait_current(2);
	check_key(first);
}
END_TEST

START_TEST(rotation_without_a_new_key_is_not_taken_for_one)
{
	ck_assert_int_eq(begin(0, ADMIN_ROTATE_BEGIN, 1), CLV_OK);
	ck_assert_int_eq(begin(0, ADMIN_ROTATE_SIGNING, 2), CLV_E_EXISTS);
	ck_assert_ptr_nonnull(strstr(rig.said, "without --signing-key"));
	ck_assert_uint_eq(rig_db_list()->succession_count, 0);
}
END_TEST

START_TEST(without_an_active_server_it_is_in_force_at_once)
{
	struct clv_buf b;

	rig_send(0, rig_connect(0), CTL_DEMOTE, NULL, 0);
	rig_run(20000);
	ck_assert_int_eq(begin(1, ADMIN_ROTATE_SIGNING, 1), CLV_OK);
	rig_run(1000);
	finish_request(&b, 2, 2);
	ck_assert_int_eq(rig_ask(1, &b, 30000), CLV_OK);
	ck_assert_int_eq(rig_promote(1), CLV_OK); /* with the old row */
	rig_run(MEMBERS_MEET_MS + 1000);
	check_key(first);
}
END_TEST

/* What it reads in the database leads it on, whatever it has missed. */
START_TEST(node_that_was_away_follows_the_whole_chain)
{
	uint8_t second[CLV_SIGN_PK_LEN];

	rig_kill(2);
	rig_run(13000);
	rotate(0, 1, 2);
	memcpy(second, rig_db_list()->sign_pk, sizeof(second));
	rig_run(2000);
	rotate(0, 11, 3);
	ck_assert_uint_eq(rig_db_list()->succession_count, 2);
	rig_up(2);
	rig_run(6000);
	check_key(second);
	rig_kill(0);
	rig_run(16000);
	ck_assert_int_eq(rig_promote(2), CLV_OK);
	check_key(second);
}
END_TEST

START_TEST(new_key_outlives_every_restart)
{
	struct clv_buf b;

	rotate(0, 1, 2);
	for (unsigned i = 0; i < rig.n; i++)
		rig_kill(i);
	rig_run(16000);
	rig_db_mode_all(RIG_DB_DOWN);
	for (unsigned i = 0; i < rig.n; i++) {
		rig_start(i);
		ck_assert_mem_ne(
		    rig_keeper(i)->system_pk, first, sizeof(first));
		ck_assert_ptr_nonnull(rig_keeper(i)->secret.list);
	}
	rig_db_mode_all(RIG_DB_UP);
	rig_run(6000);
	check_key(first);
	rig_start_role(0);
	ck_assert_int_eq(rig_promote(0), CLV_OK);
	rig_named(&b, ADMIN_NODE_REVOKE, 9, "n3");
	ck_assert_int_eq(rig_ask(0, &b, 30000), CLV_OK);
	ck_assert(clv_list_node_by_name(rig_db_list(), "n3")->revoked);
}
END_TEST

/* The list is on disk first: it leads there again. */
/* As a database that failed over without its last words leaves them. */
START_TEST(copies_by_the_old_key_are_made_anew)
{
	struct clv_buf was[4];

	for (unsigned i = 1; i <= rig.n; i++) {
		clv_buf_init(&was[i]);
		clv_buf_raw(
		    &was[i], rig_db.escrow[i].data, rig_db.escrow[i].len);
	}
	rotate(0, 1, 2);
	for (unsigned i = 1; i <= rig.n; i++) {
		clv_buf_fini(&rig_db.escrow[i]);
		rig_db.escrow[i] = was[i]; /* transferred */
	}
	secret_prove_copy(rig_keeper(0));
	peers_prove(rig_keeper(0));
	rig_run(1000);
	check_key(first);
}
END_TEST

START_TEST(lost_pin_is_found_again_in_the_list)
{
	rotate(0, 1, 2);
	rig_kill(2);
	clv_buf_reset(&rig.node[2].successor);
	rig_up(2);
	ck_assert_uint_gt(rig.node[2].successor.len, 0);
	rig_run(6000);
	check_key(first);
}
END_TEST

/* claviger settings pin: what was told it by hand needs no chain that begins
 * with the key before, and believes nothing else. */
START_TEST(node_that_was_away_believes_the_key_that_was_pinned_by_hand)
{
	struct clv_buf *pin = &rig.node[2].successor;

	rig_kill(2);
	rotate(0, 1, 2);
	clv_buf_reset(pin);
	clv_buf_raw(pin, rig.node[0].successor.data, rig.node[0].successor.len);
	rig_start(2);
	ck_assert_mem_eq(
	    rig_keeper(2)->system_pk, rig_db_list()->sign_pk, CLV_SIGN_PK_LEN);
	ck_assert_ptr_null(rig_keeper(2)->secret.list); /* by the one before */
	rig_kill(2);
	rig_up(2);
	rig_run(6000);
	check_key(first);
}
END_TEST

/* Whoever has the old key: a list by it is no list any more. */
START_TEST(old_key_signs_no_list_any_more)
{
	struct clv_list *l = NULL;
	struct clv_buf forged;
	uint64_t version;

	rotate(0, 1, 2);
	version = rig_db_list()->version;
	ck_assert_int_eq(clv_list_copy(rig_db_list(), &l), CLV_OK);
	l->version += 5;
	l->succession_count = 0;
	clv_buf_init(&forged);
	ck_assert_int_eq(clv_list_sign(l, rig.keyring, &forged), CLV_OK);
	for (unsigned i = 0; i < rig.n; i++) {
		ck_assert_int_eq(
		    secret_accept_list(rig_keeper(i), forged.data, forged.len),
		    CLV_E_SIGNATURE);
		ck_assert_uint_eq(rig_keeper(i)->secret.list->version, version);
	}
	clv_buf_fini(&forged);
	clv_list_free(&l);
}
END_TEST

static struct clv_keyring *
copy_of(struct clv_guard *guard, const struct clv_keyring *k)
{
	struct clv_keyring *copy = NULL;
	char *text = NULL;
	size_t len;

	ck_assert_int_eq(clv_keyring_format(k, &text, &len), CLV_OK);
	ck_assert_int_eq(
	    clv_keyring_parse(rig.guard, text, len, &copy), CLV_OK);
	clv_guard_put(guard, text);
	return copy;
}

/* ... and a second successor of it is none. */
START_TEST(old_key_names_no_other_successor)
{
	struct clv_list *l = NULL;
	struct clv_keyring *old = copy_of(rig.guard, rig.keyring);
	struct clv_succession s;
	struct clv_buf forged;

	rotate(0, 1, 2);
	clv_keyring_add_next(old);
	ck_assert_int_eq(clv_succession_make(old, 1, &s), CLV_OK);
	ck_assert_int_eq(clv_keyring_follow(old, s.new_pk), CLV_OK);
	ck_assert_int_eq(clv_list_copy(rig_db_list(), &l), CLV_OK);
	l->version += 5;
	l->successions[0] = s;
	clv_buf_init(&forged);
	ck_assert_int_eq(clv_list_sign(l, old, &forged), CLV_OK);
	for (unsigned i = 0; i < rig.n; i++)
		ck_assert_int_eq(
		    secret_accept_list(rig_keeper(i), forged.data, forged.len),
		    CLV_E_SIGNATURE);
	clv_keyring_free(&old);
	clv_buf_fini(&forged);
	clv_list_free(&l);
}
END_TEST

/* Heartbeats of nobody: the rig signs for the system by the first key. */
START_TEST(old_key_speaks_for_no_node_any_more)
{
	struct clv_buf f;
	uint64_t known;

	rotate(0, 1, 2);
	known = peers_newest_list(rig_keeper(0));
	clv_buf_init(&f);
	clv_buf_u64(&f, known + 100);
	clv_buf_u32(&f, 9);
	clv_buf_u64(&f, RIG_EPOCH0);
	clv_buf_u8(&f, PEER_IDLE);
	rig_peer_say(0, PEER_UNLOCKED, &f, NULL, "claviger-unlockd", 2);
	rig_settle();
	ck_assert_uint_eq(peers_newest_list(rig_keeper(0)), known);
	clv_buf_fini(&f);
}
END_TEST

START_TEST(member_is_told_how_it_came_to_that)
{
	struct clv_wire_request q = {.op = CLV_WIRE_CHAIN};
	struct rig_node *n = &rig.node[0];
	uint8_t pk[CLV_SIGN_PK_LEN], second[CLV_SIGN_PK_LEN];
	struct clv_wire_answer a;

	rotate(0, 1, 2);
	memcpy(second, rig_db_list()->sign_pk, sizeof(second));
	rig_run(2000);
	rotate(0, 11, 3);
	rig_request(0, rig.member[0], NULL, &q);
	rig_settle();
	ck_assert_int_eq(clv_wire_answer_follow(n->answer_body.data,
			     n->answer_body.len, first, &a, pk),
	    CLV_OK);
	ck_assert_mem_eq(pk, rig_db_list()->sign_pk, sizeof(pk));
	ck_assert_int_eq(clv_wire_answer_follow(n->answer_body.data,
			     n->answer_body.len, second, &a, pk),
	    CLV_OK);
	memset(second, 7, sizeof(second));
	ck_assert_int_eq(clv_wire_answer_follow(n->answer_body.data,
			     n->answer_body.len, second, &a, pk),
	    CLV_E_SIGNATURE);
	for (size_t i = 0; i < n->answer_body.len; i++) {
		n->answer_body.data[i] ^= 1;
		ck_assert_int_ne(clv_wire_answer_follow(n->answer_body.data,
				     n->answer_body.len, first, &a, pk),
		    CLV_OK);
		n->answer_body.data[i] ^= 1;
	}
}
END_TEST

START_TEST(tokens_that_name_the_old_key_are_gone)
{
	struct clv_buf b;

	rig_named(&b, ADMIN_TOKEN_ADD, 5, "web1");
	clv_buf_str(&b, "all");
	clv_buf_raw(&b, first, sizeof(first));
	clv_buf_u32(&b, 3600);
	ck_assert_int_eq(rig_ask(0, &b, 5000), CLV_OK);
	ck_assert_uint_eq(rig_db_list()->token_count, 1);
	rotate(0, 1, 2);
	ck_assert_uint_eq(rig_db_list()->token_count, 0);
}
END_TEST

/* The backup of the rotation has both keys. */
START_TEST(backups_from_before_are_old_and_that_of_the_rotation_is_not)
{
	struct clv_keyring *before, *with_both;
	struct clv_buf b;

	before = copy_of(rig_keeper(0)->guard, rig_keeper(0)->secret.keyring);
	ck_assert_int_eq(begin(0, ADMIN_ROTATE_SIGNING, 1), CLV_OK);
	rig_run(1000);
	with_both =
	    copy_of(rig_keeper(0)->guard, rig_keeper(0)->secret.keyring);
	finish_request(&b, 2, 2);
	ck_assert_int_eq(rig_ask(0, &b, 30000), CLV_OK);
	wait_current(2);
	ck_assert_int_eq(
	    secret_accept_keyring(rig_keeper(1), &before), CLV_E_STALE);
	ck_assert_int_eq(
	    secret_accept_keyring(rig_keeper(1), &with_both), CLV_OK);
	rig_run(1000);
	check_key(first);
	clv_keyring_free(&before);
}
END_TEST

/* Both keys are in the keyring, and the database is put back to before: they
 * stay, nobody signs by the next one, and a later rotation takes it. */
START_TEST(rotation_that_a_restored_database_has_not_comes_once_more)
{
	struct clv_buf b;

	ck_assert_int_eq(begin(0, ADMIN_ROTATE_BEGIN, 1), CLV_OK);
	clv_keyring_add_next(rig_keeper(0)->secret.keyring);
	rig_run(1000);
	finish_request(&b, 2, 2);
	ck_assert_int_eq(rig_ask(0, &b, 30000), CLV_OK);
	wait_current(2);
	ck_assert_mem_eq(rig_db_list()->sign_pk, first, sizeof(first));
	rig_run(2000);
	rotate(0, 11, 3);
	check_key(first);
}
END_TEST

/* The active node is killed after its n-th statement, from the first word on,
 * and once more with the answer to it still on its way: with the command given
 * again, it is through. */
static bool
killed_after(unsigned n, bool answered)
{
	struct rig_node *node = &rig.node[0];
	struct rewrap_progress p;
	struct clv_buf b;
	bool all;

	set_up();
	rig_db_mode(0, RIG_DB_HUNG);
	rig_admin_begin(&b, ADMIN_ROTATE_SIGNING, 1);
	rig_admin(0, &b);
	clv_buf_fini(&b);
	for (unsigned i = 0; i < n; i++) {
		if (clv_list_next_key(rig_db_list()) != NULL && i > 3 &&
		    rig.node[0].k->admin == NULL &&
		    state_of(2) < CLV_GEN_PUBLISHED) {
			rig_run(100);
			finish_request(&b, 2, 2);
			rig_admin(0, &b);
			clv_buf_fini(&b);
		}
		rig_run(MEMBERS_WAIT_LOOK_MS / 2);
		rig_do_sql(node);
	}
	if (answered)
		rig_settle();
	rewrap_progress(rig_keeper(0), &p);
	all = p.state == REWRAP_IS_DONE && p.generation == 2;
	rig_kill(0);
	rig_run(16000);
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	rig_run(MEMBERS_MEET_MS + REWRAP_MEET_MS);
	if (state_of(2) != CLV_GEN_CURRENT) { /* the command once more */
		ck_assert_int_eq(begin(1, ADMIN_ROTATE_SIGNING, 1), CLV_OK);
		rig_run(1000);
		finish_request(&b, 2, 2);
		ck_assert_int_eq(rig_ask(1, &b, 30000), CLV_OK);
		rig_run(MEMBERS_MEET_MS);
	}
	rig_db_mode(0, RIG_DB_UP);
	rig_up(0);
	rig_run(6000);
	check_key(first);
	rig_fini();
	return all;
}

START_TEST(killed_at_any_step_it_is_gone_on_with)
{
	unsigned n = 0;

	while (!killed_after(n, false) && !killed_after(n, true))
		ck_assert_uint_lt(n++, 40);
	ck_assert_uint_gt(n, 10);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("keeper_signing");
	TCase *t = suite_case(s, "handing_over", set_up, rig_fini);
	TCase *o = suite_case(s, "the_old_key", set_up, rig_fini);
	TCase *k = tcase_create("killed");

	tcase_add_test(t, every_node_signs_by_the_new_key);
	tcase_add_test(t, all_copies_have_it_before_it_signs);
	tcase_add_test(t, begun_once_it_is_gone_on_with);
	tcase_add_test(t, rotation_without_a_new_key_is_not_taken_for_one);
	tcase_add_test(t, without_an_active_server_it_is_in_force_at_once);
	tcase_add_test(t, node_that_was_away_follows_the_whole_chain);
	tcase_add_test(t, new_key_outlives_every_restart);
	tcase_add_test(t, copies_by_the_old_key_are_made_anew);
	tcase_add_test(t, lost_pin_is_found_again_in_the_list);
	tcase_add_test(t, member_is_told_how_it_came_to_that);
	tcase_add_test(
	    t, backups_from_before_are_old_and_that_of_the_rotation_is_not);
	tcase_add_test(
	    t, rotation_that_a_restored_database_has_not_comes_once_more);
	tcase_add_test(
	    o, node_that_was_away_believes_the_key_that_was_pinned_by_hand);
	tcase_add_test(o, old_key_signs_no_list_any_more);
	tcase_add_test(o, old_key_names_no_other_successor);
	tcase_add_test(o, old_key_speaks_for_no_node_any_more);
	tcase_add_test(o, tokens_that_name_the_old_key_are_gone);
	tcase_add_test(k, killed_at_any_step_it_is_gone_on_with);
	suite_add_tcase(s, k);
	return suite_run(s);
}
