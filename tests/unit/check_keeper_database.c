/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "keeper_rig.h"
#include "suite.h"

/*
 * What an administrator of the database may try at the servers: every right on
 * every row, and none of the system's keys. He may stop the service, but he
 * enrols nobody, brings nobody back, and rolls nothing back. tests/README says
 * where each attack is tried.
 */
static struct clv_identity *his; /* a host of his own, with keys of his own */
static struct clv_buf kept;	 /* a list as it was */

static void
set_up(void)
{
	rig_active();
	rig_run(100);
	clv_buf_init(&kept);
	ck_assert_int_eq(clv_identity_new(rig.guard, "evil", &his), CLV_OK);
}

static void
tear_down(void)
{
	clv_buf_fini(&kept);
	clv_identity_free(&his);
	rig_fini();
}

static struct keeper *
k(unsigned i)
{
	return rig_keeper(i);
}

static void
poll_all(void)
{
	for (unsigned i = 0; i < 3; i++)
		if (k(i) != NULL)
			db_poll_soon(k(i));
	rig_run(100);
}

static void
restart_all(void)
{
	for (unsigned i = 0; i < 3; i++)
		rig_kill(i);
	rig_run(20000);
	for (unsigned i = 0; i < 3; i++)
		rig_up(i);
	rig_run(3000);
}

static int
fetch(unsigned i, const struct clv_identity *id)
{
	struct clv_wire_request q = {.op = CLV_WIRE_FETCH};
	unsigned before = rig.node[i].answers;

	rig_request(i, id, NULL, &q);
	rig_settle();
	return rig.node[i].answers == before ? 1 : rig.node[i].answer.result;
}

static int
revoke_m1(void)
{
	struct clv_buf b;

	rig_named(&b, ADMIN_MEMBER_REVOKE, 3, "m1");
	return rig_ask(0, &b, 30000);
}

static int
rotate_begin(void)
{
	struct clv_buf b;

	rig_admin_begin(&b, ADMIN_ROTATE_BEGIN, 11);
	return rig_ask(0, &b, 30000);
}

static int
rotate_finish(void)
{
	struct clv_buf b;

	rig_admin_begin(&b, ADMIN_ROTATE_FINISH, 12);
	clv_buf_u32(&b, 2);
	clv_buf_str(&b, "n1:/root/two.age");
	return rig_ask(0, &b, 30000);
}

static void
row_set(struct clv_buf *row, const struct clv_buf *from)
{
	clv_buf_reset(row);
	clv_buf_raw(row, from->data, from->len);
	ck_assert_int_eq(clv_buf_result(row), CLV_OK);
}

/* Lists that nobody signed. */

static void
party_of(const struct clv_identity *id, struct clv_party *p)
{
	snprintf(p->name, sizeof(p->name), "%s", id->name);
	memcpy(p->sign_pk, id->sign_pk, sizeof(p->sign_pk));
	memcpy(p->box_pk, id->box_pk, sizeof(p->box_pk));
	rig_thumb(id, p->thumb);
}

static void
add_his_host(struct clv_list *l)
{
	struct clv_list_member *m = clv_list_add_member(l);

	ck_assert_ptr_nonnull(m);
	party_of(his, &m->party);
	snprintf(m->scope, sizeof(m->scope), "all");
}

static void
swap_key_of_n2(struct clv_list *l)
{
	struct clv_list_node *n = clv_list_node_by_name(l, "n2");

	memcpy(n->party.sign_pk, his->sign_pk, sizeof(his->sign_pk));
	memcpy(n->party.box_pk, his->box_pk, sizeof(his->box_pk));
	rig_thumb(his, n->party.thumb);
}

static void
begin_his_generation(struct clv_list *l)
{
	struct clv_list_generation *g = clv_list_add_generation(l);

	ck_assert_ptr_nonnull(g);
	g->number = 2;
	g->state = CLV_GEN_ESCROWED;
	memset(g->commitment, 7, sizeof(g->commitment));
	memset(g->check, 8, sizeof(g->check));
}

/* As the system would write it, up to the signature. */
static void
write_body(struct clv_list *l, struct clv_buf *ret)
{
	struct clv_keyring *other = NULL;
	uint8_t id[CLV_SYSTEM_ID_LEN], *at;

	ck_assert_int_eq(clv_keyring_new(rig.guard, &other), CLV_OK);
	memcpy(id, l->system_id, sizeof(id));
	memcpy(l->system_id, clv_keyring_system_id(other), sizeof(id));
	ck_assert_int_eq(clv_list_sign(l, other, ret), CLV_OK);
	at = memmem(ret->data, ret->len, l->system_id, sizeof(id));
	ck_assert_ptr_nonnull(at);
	memcpy(at, id, sizeof(id));
	ret->len -= CLV_SIG_LEN;
	clv_keyring_free(&other);
}

/* The signature of: 0 the list that it is made from, 1 a key of his own, 2 a
 * member, 3 a server node. */
static void
put_signature(struct clv_buf *b, int by)
{
	const struct clv_buf *good = &rig_db.lists[0];
	const struct clv_identity *id[] = {
	    NULL, his, rig.member[0], rig.node[1].id};
	uint8_t sig[CLV_SIG_LEN];

	if (by == 0)
		memcpy(sig, good->data + good->len - CLV_SIG_LEN, CLV_SIG_LEN);
	else
		ck_assert_int_eq(clv_sign(id[by]->sign_sk, "claviger-list-01",
				     b->data, b->len, sig),
		    CLV_OK);
	clv_buf_raw(b, sig, sizeof(sig));
	ck_assert_int_eq(clv_buf_result(b), CLV_OK);
}

static void
replace_list(void (*change)(struct clv_list *), int by)
{
	struct clv_list *l = NULL;
	struct clv_buf forged;

	clv_buf_init(&forged);
	ck_assert_int_eq(clv_list_copy(rig_db_list(), &l), CLV_OK);
	l->version = rig_db.versions[0] + 1;
	change(l);
	write_body(l, &forged);
	put_signature(&forged, by);
	row_set(&rig_db.lists[0], &forged);
	rig_db.versions[0] = l->version;
	clv_list_free(&l);
	clv_buf_fini(&forged);
}

/* n3 has lost its disk's list, and what it had seen with it. */
static void
forget_all(unsigned i)
{
	rig_kill(i);
	rig.node[i].has_list = rig.node[i].has_state = false;
	memset(&rig.node[i].state, 0, sizeof(rig.node[i].state));
	rig_up(i);
	rig_run(3000);
}

static void
is_refused_by_all(void)
{
	poll_all();
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(k(i)->secret.list->version, 1);
	ck_assert_ptr_nonnull(strstr(rig.log, "signed list"));
	ck_assert_ptr_nonnull(strstr(rig.log, "signature"));
	ck_assert_int_eq(fetch(0, his), CLV_E_UNKNOWN_PEER);
	ck_assert_uint_eq(rig.node[0].answer.payload_len, 0);
	/* Those who are enrolled are served on. */
	ck_assert_int_eq(fetch(0, rig.member[0]), CLV_OK);
	forget_all(2);
	ck_assert_ptr_null(k(2)->secret.list);
	ck_assert_int_ne(rig_promote(2), CLV_OK);
	ck_assert_int_eq(serving_score(k(2)), CTL_SCORE_NEVER);
	restart_all();
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	ck_assert_int_eq(fetch(1, his), CLV_E_UNKNOWN_PEER);
	ck_assert_int_eq(fetch(1, rig.member[0]), CLV_OK);
}

START_TEST(a_host_that_he_adds_is_no_member)
{
	replace_list(add_his_host, _i);
	is_refused_by_all();
}
END_TEST

START_TEST(a_key_that_he_puts_in_a_nodes_place_is_nobodys)
{
	replace_list(swap_key_of_n2, _i);
	is_refused_by_all();
	/* What is sealed next is sealed to n2 itself. */
	ck_assert_int_eq(k(1)->node_number, 2);
}
END_TEST

START_TEST(a_generation_that_he_begins_is_none)
{
	replace_list(begin_his_generation, _i);
	is_refused_by_all();
	ck_assert_ptr_null(clv_list_generation(k(1)->secret.list, 2));
}
END_TEST

/* Lists of the past. */

START_TEST(a_member_that_was_revoked_is_not_brought_back)
{
	row_set(&kept, &rig_db.lists[0]);
	ck_assert_int_eq(revoke_m1(), CLV_OK);
	ck_assert_int_eq(fetch(0, rig.member[0]), CLV_E_REVOKED);
	/* In place of the newest; as a newer one; as it was. */
	row_set(&rig_db.lists[0], &kept);
	rig_db.versions[0] = _i == 0 ? 2 : _i == 1 ? 99 : 1;
	poll_all();
	ck_assert_int_eq(fetch(0, rig.member[0]), CLV_E_REVOKED);
	restart_all();
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(k(i)->secret.list->version, 2);
		ck_assert_int_eq(rig_promote(i), CLV_OK);
		ck_assert_int_eq(fetch(i, rig.member[0]), CLV_E_REVOKED);
	}
	/* A node that has lost its list knows that it had a newer one. */
	rig_kill(2);
	rig.node[2].has_list = false;
	row_set(&rig_db.lists[0], &kept);
	rig_up(2);
	rig_run(3000);
	ck_assert_ptr_null(k(2)->secret.list);
	ck_assert_int_ne(rig_promote(2), CLV_OK);
}
END_TEST

START_TEST(a_database_of_yesterday_is_known_after_a_restart)
{
	uint64_t epoch;

	rig_db_save();
	ck_assert_int_eq(revoke_m1(), CLV_OK);
	rig_send(0, rig_connect(0), CTL_DEMOTE, NULL, 0);
	rig_run(100);
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	epoch = k(1)->serving.epoch;
	rig_db_failover();
	restart_all();
	ck_assert_int_eq(rig_promote(2), CLV_OK);
	ck_assert_uint_gt(k(2)->serving.epoch, epoch);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(k(i)->secret.list->version, 2);
	ck_assert_int_eq(fetch(2, rig.member[0]), CLV_E_REVOKED);
}
END_TEST

START_TEST(an_epoch_that_he_sets_back_is_not_served_again)
{
	uint64_t epoch = k(0)->serving.epoch;

	rig_db.epoch = RIG_EPOCH0;
	rig_db.holder = 0;
	rig_run(20000);
	ck_assert_uint_gt(k(0)->serving.epoch, epoch);
	epoch = k(0)->serving.epoch;
	rig_kill(0);
	rig_db.epoch = RIG_EPOCH0;
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	ck_assert_uint_gt(k(1)->serving.epoch, epoch);
}
END_TEST

/* Restored to an older day, and that is accepted. */

static int
accept_up_to(unsigned i, uint64_t agreed)
{
	struct clv_buf b;

	rig_admin_begin(&b, ADMIN_ROLLBACK, 21);
	clv_buf_u64(&b, agreed);
	return rig_ask(i, &b, 30000);
}

static int
accept_rollback(unsigned i)
{
	return accept_up_to(i, 0);
}

static int
revoke_m2(void)
{
	struct clv_buf b;

	rig_named(&b, ADMIN_MEMBER_REVOKE, 22, "m2");
	return rig_ask(0, &b, 30000);
}

/* More than the one change that is written again by itself. */
static void
restore_database(void)
{
	rig_db_save();
	ck_assert_int_eq(revoke_m1(), CLV_OK);
	ck_assert_int_eq(rotate_begin(), CLV_OK);
	rig_run(5000);
	ck_assert_int_eq(fetch(0, rig.member[1]), CLV_OK);
	rig_db_failover();
	rig_run(30000);
	ck_assert(k(0)->serving.db_older);
	ck_assert_int_eq(revoke_m2(), CLV_E_STALE);
}

START_TEST(a_restored_database_is_accepted)
{
	uint64_t epoch;

	restore_database();
	if (_i == 1) /* nobody is active */
		rig_send(0, rig_connect(0), CTL_DEMOTE, NULL, 0);
	rig_run(20000);
	ck_assert_int_eq(accept_rollback(0), CLV_OK);
	rig_run(10000);
	ck_assert_uint_eq(rig_db_list()->version, 4);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(k(i)->secret.list->version, 4);
		ck_assert(!serving_read_only(k(i)));
		ck_assert_uint_eq(clv_keyring_newest(k(i)->secret.keyring), 2);
	}
	epoch = rig_db_list()->epoch;
	ck_assert_uint_gt(epoch, RIG_EPOCH0);
	if (_i == 1)
		ck_assert_int_eq(rig_promote(1), CLV_OK);
	rig_run(1000);
	/* nothing that was revoked since has come back, */
	ck_assert_int_eq(fetch(_i, rig.member[0]), CLV_E_REVOKED);
	/* who saw the newer state accepts this one, which is above it, */
	ck_assert_int_eq(fetch(_i, rig.member[1]), CLV_OK);
	ck_assert_uint_eq(rig.node[_i].answer.list_version, 4);
	/* every node has a copy that it opens, */
	restart_all();
	for (unsigned i = 0; i < 3; i++)
		ck_assert(secret_is_proven(k(i)));
	/* and changes are made again. */
	ck_assert_int_eq(revoke_m2(), CLV_OK);
}
END_TEST

START_TEST(a_database_that_is_not_older_is_left_alone)
{
	ck_assert_int_eq(accept_rollback(0), CLV_OK);
	ck_assert_uint_eq(rig_db_list()->version, 1);
	ck_assert_ptr_nonnull(strstr(rig.said, "is not older"));
}
END_TEST

static unsigned puts_until; /* the answer to that one is lost, or refused */
static int put_result;

static void
forge_put(struct rig_node *n, enum clv_stmt stmt, struct clv_buf *result)
{
	struct clv_rd r;
	uint64_t id;

	(void)n;
	if (stmt != CLV_STMT_PUT_LIST || puts_until == 0 || --puts_until > 0)
		return;
	clv_rd_init(&r, result->data, result->len);
	id = clv_rd_u64(&r);
	clv_buf_reset(result);
	rig_result_put(result, id, put_result, "no", 0, 0);
}

START_TEST(a_rollback_goes_on_where_it_was_broken_off)
{
	restore_database();
	rig_run(20000);
	rig.forge = forge_put;
	puts_until = 1 + (unsigned)_i / 2;
	put_result = _i % 2 == 0 ? CLV_E_UNKNOWN : CLV_E_SYSTEM;
	ck_assert_int_eq(
	    accept_rollback(0), _i % 2 == 0 ? CLV_OK : CLV_E_SYSTEM);
	rig_run(10000);
	ck_assert_int_eq(accept_rollback(0), CLV_OK);
	rig_run(10000);
	ck_assert(!serving_read_only(k(0)));
	/* 3: what was left was one change, which is written by itself. */
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_ge(k(i)->secret.list->version, 3);
	ck_assert_int_eq(revoke_m2(), CLV_OK);
}
END_TEST

START_TEST(a_generation_that_only_a_member_has_seen_is_not_given_up)
{
	restore_database();
	k(0)->serving.shown_generation = 7;
	rig_run(20000);
	ck_assert_int_eq(accept_rollback(0), CLV_E_STALE);
	ck_assert_ptr_nonnull(strstr(rig.said, "generation 7"));
}
END_TEST

/* Every server's disk is lost, and the database is from before a rotation and
 * a revocation that members have seen. */

static void
bring_keyring(void)
{
	struct clv_keyring *copy = NULL;
	uint32_t number = 0;
	char *text = NULL;
	size_t len = 0;

	ck_assert_int_eq(
	    clv_keyring_format(k(0)->secret.keyring, &text, &len), CLV_OK);
	ck_assert_int_eq(
	    clv_keyring_parse(k(0)->guard, text, len, &copy), CLV_OK);
	clv_guard_put(k(0)->guard, text);
	ck_assert_int_eq(clv_keyring_add(copy, &number), CLV_OK);
	ck_assert_uint_eq(number, 2);
	ck_assert_int_eq(secret_accept_keyring(k(0), &copy), CLV_OK);
	clv_keyring_free(&copy);
	rig_run(1000);
}

START_TEST(a_backup_that_is_newer_than_the_database_is_gone_on_with)
{
	bring_keyring();
	k(0)->serving.shown_generation = 2;
	k(0)->serving.shown_list = 5;
	ck_assert(serving_read_only(k(0)));
	rig_run(20000);
	ck_assert_msg(accept_up_to(0, 5) == CLV_OK, "%s", rig.said);
	rig_run(10000);
	ck_assert(!serving_read_only(k(0)));
	ck_assert_uint_eq(clv_list_current(rig_db_list())->number, 2);
	ck_assert_uint_gt(rig_db_list()->version, 5);
	ck_assert_int_eq(revoke_m2(), CLV_OK);
}
END_TEST

START_TEST(what_was_revoked_where_nobody_knows_is_lost_if_that_was_agreed)
{
	k(0)->serving.shown_list = 5;
	rig_run(20000);
	for (uint64_t agreed = 0; agreed < 5; agreed += 4) {
		ck_assert_int_eq(accept_up_to(0, agreed), CLV_OK);
		ck_assert_ptr_nonnull(strstr(rig.said, "version 5, which no"));
		ck_assert_uint_eq(rig_db_list()->version, 1);
		ck_assert(serving_read_only(k(0)));
	}
	ck_assert_int_eq(accept_up_to(0, 5), CLV_OK);
	ck_assert_uint_eq(rig_db_list()->version, 6);
}
END_TEST

/* Generations of the past, and of his own. */

static uint32_t
newest(unsigned i)
{
	return clv_keyring_newest(k(i)->secret.keyring);
}

static void
keep_all(void)
{
	rig_db_save();
	ck_assert_int_eq(rotate_begin(), CLV_OK);
	rig_run(1000);
	ck_assert_int_eq(rotate_finish(), CLV_OK);
	/* published, until each live member has it or two minutes are over */
	rig_run(125000);
	ck_assert_uint_eq(clv_list_current(k(0)->secret.list)->number, 2);
	rig_db_failover();
}

START_TEST(a_rotation_is_not_rolled_back)
{
	keep_all();
	rig_run(10000);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(newest(i), 2);
		ck_assert_uint_eq(
		    clv_list_current(k(i)->secret.list)->number, 2);
	}
	ck_assert_int_eq(fetch(0, rig.member[0]), CLV_OK);
	ck_assert_uint_eq(rig.node[0].answer.generation, 2);
}
END_TEST

/* Sealed copies of before the rotation, and nobody who remembers. */
START_TEST(old_copies_make_no_old_server)
{
	keep_all();
	restart_all();
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(
		    clv_list_current(k(i)->secret.list)->number, 2);
		ck_assert_int_ne(rig_promote(i), CLV_OK);
		ck_assert_int_eq(serving_score(k(i)), CTL_SCORE_NEVER);
		ck_assert_ptr_nonnull(strstr(k(i)->secret.why, "stale"));
	}
}
END_TEST

static void
seal_his_own(struct clv_buf *ret)
{
	struct clv_keyring *other = NULL;
	uint32_t number;

	ck_assert_int_eq(clv_keyring_new(rig.guard, &other), CLV_OK);
	ck_assert_int_eq(clv_keyring_add(other, &number), CLV_OK);
	ck_assert_uint_eq(number, 2);
	ck_assert_int_eq(
	    clv_escrow_seal(rig.guard, other, 2, rig.node[1].id->box_pk, ret),
	    CLV_OK);
	clv_keyring_free(&other);
}

/* n2 is told of a true generation, and shown another's: 0 one that he has made
 * and sealed to it, 1 that with the true signature, 2 the old one under the new
 * number, 3 n3's, 4 nothing. */
START_TEST(a_copy_that_he_seals_is_not_opened)
{
	struct clv_buf *row = &rig_db.escrow[2], own;

	clv_buf_init(&own);
	row_set(&kept, row);
	rig_kill(2);
	rig_run(15000);
	rig_db_mode(1, RIG_DB_HUNG);
	ck_assert_int_eq(rotate_begin(), CLV_OK);
	seal_his_own(&own);
	if (_i == 1)
		memcpy(own.data + own.len - CLV_SIG_LEN,
		    row->data + row->len - CLV_SIG_LEN, CLV_SIG_LEN);
	if (_i == 2)
		kept.data[4] = 2;
	row_set(row, _i < 2 ? &own : _i == 2 ? &kept : &rig_db.escrow[3]);
	if (_i == 4)
		clv_buf_reset(row);
	rig_db_mode(1, RIG_DB_UP);
	rig_run(5000);
	ck_assert_uint_eq(k(1)->secret.list->version, 2);
	ck_assert_uint_eq(newest(1), 1);
	ck_assert_int_eq(rotate_finish(), CLV_E_NOT_READY);
	/* And serves the current one on, until there is another. */
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	ck_assert_int_eq(fetch(1, rig.member[0]), CLV_OK);
	ck_assert_uint_eq(rig.node[1].answer.generation, 1);
	clv_buf_fini(&own);
}
END_TEST

/* The certificate of the network name: 0 another system's, 1 one byte of it,
 * 2 none, 3 an old one of ours. */
START_TEST(a_certificate_that_he_puts_there_is_not_shown)
{
	struct clv_keyring *other = NULL;

	ck_assert_int_eq(clv_keyring_new(rig.guard, &other), CLV_OK);
	if (_i == 0 || _i == 3) {
		clv_buf_reset(&rig_db.tls);
		ck_assert_int_eq(
		    clv_tls_row_seal(rig.guard, _i == 0 ? other : rig.keyring,
			1, _i == 0 ? "cert" : "old", _i == 0 ? 4 : 3,
			"his private key", 15, &rig_db.tls),
		    CLV_OK);
	} else if (_i == 1) {
		rig_db.tls.data[rig_db.tls.len / 2] ^= 1;
	} else {
		clv_buf_reset(&rig_db.tls);
	}
	clv_keyring_free(&other);
	poll_all();
	ck_assert_int_eq(fetch(0, rig.member[0]), CLV_OK);
	rig_kill(1);
	rig_up(1);
	rig_run(3000);
	ck_assert(!rig.node[1].has_tls);
	ck_assert_int_ne(rig_promote(1), CLV_OK);
	ck_assert_ptr_nonnull(strstr(k(1)->secret.why, "no certificate"));
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("keeper_database");
	TCase *t = suite_case(s, "forged", set_up, tear_down);

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, a_host_that_he_adds_is_no_member, 0, 4);
	tcase_add_loop_test(
	    t, a_key_that_he_puts_in_a_nodes_place_is_nobodys, 0, 4);
	tcase_add_loop_test(t, a_generation_that_he_begins_is_none, 0, 4);
	tcase_add_loop_test(t, a_copy_that_he_seals_is_not_opened, 0, 5);
	tcase_add_loop_test(
	    t, a_certificate_that_he_puts_there_is_not_shown, 0, 4);
	t = suite_case(s, "past", set_up, tear_down);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(
	    t, a_member_that_was_revoked_is_not_brought_back, 0, 3);
	tcase_add_test(t, a_database_of_yesterday_is_known_after_a_restart);
	tcase_add_test(t, an_epoch_that_he_sets_back_is_not_served_again);
	tcase_add_loop_test(t, a_restored_database_is_accepted, 0, 2);
	tcase_add_loop_test(
	    t, a_rollback_goes_on_where_it_was_broken_off, 0, 6);
	tcase_add_test(t, a_database_that_is_not_older_is_left_alone);
	tcase_add_test(
	    t, a_generation_that_only_a_member_has_seen_is_not_given_up);
	tcase_add_test(
	    t, a_backup_that_is_newer_than_the_database_is_gone_on_with);
	tcase_add_test(
	    t, what_was_revoked_where_nobody_knows_is_lost_if_that_was_agreed);
	tcase_add_test(t, a_rotation_is_not_rolled_back);
	tcase_add_test(t, old_copies_make_no_old_server);
	return s;
}

int
main(void)
{
	return suite_run(suite());
}
