/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keeper_rig.h"
#include "suite.h"

/* A database, a front and a member that mean harm. */

static struct rig_db lie; /* what a forged HELLO says */
static unsigned seen[CLV_STMT_LAST];
static struct clv_buf served; /* in the place of a row's body */

static void
set_up(void)
{
	rig_standby();
	memset(seen, 0, sizeof(seen));
	clv_buf_init(&served);
}

static void
set_up_active(void)
{
	set_up();
	ck_assert_int_eq(rig_promote(0), CLV_OK);
	rig_run(100);
}

static void
tear_down(void)
{
	clv_buf_fini(&served);
	rig_fini();
}

static struct keeper *
k(unsigned i)
{
	return rig_keeper(i);
}

static void
poll_database(unsigned i)
{
	db_poll_soon(k(i));
	rig_run(100);
}

/* The database. */

static void
forge_hello(struct rig_node *n, enum clv_stmt stmt, struct clv_buf *result)
{
	(void)n;
	seen[stmt]++;
	if (stmt == CLV_STMT_HELLO)
		rig_forge_hello(result, &lie);
}

static void
begin_lying(void)
{
	lie = rig_db; /* its buffers are not touched */
	lie.lease_ms = 0;
	rig.forge = forge_hello;
}

START_TEST(a_leap_of_the_epoch_is_not_believed)
{
	static const uint64_t epochs[] = {UINT64_MAX, UINT64_MAX - 255,
	    INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_C(1) << 48};
	uint64_t before = k(0)->seen.epoch;

	begin_lying();
	lie.epoch = epochs[_i];
	poll_database(0);
	ck_assert_int_eq(rig_promote(0), CLV_OK); /* for decryption */
	ck_assert_int_eq(rig_state(0), ROLE_AWAY);
	ck_assert_uint_lt(k(0)->seen.epoch, before + 4096);
	ck_assert_uint_gt(k(0)->serving.epoch, before);
	/* And nothing is left of it afterwards. */
	rig.forge = NULL;
	rig_run(3000);
	ck_assert_int_eq(rig_state(0), ROLE_ACTIVE);
}
END_TEST

START_TEST(a_list_that_is_only_promised_is_not_asked_for_without_end)
{
	begin_lying();
	lie.versions[0] = 1000;
	poll_database(0);
	ck_assert(!k(0)->secret.fetching);
	ck_assert(secret_is_proven(k(0)));
	ck_assert_uint_lt(seen[CLV_STMT_GET_LIST], 4);
}
END_TEST

START_TEST(a_database_that_moves_each_time_wears_nobody_out)
{
	uint64_t epoch;

	ck_assert_int_eq(rig_promote(0), CLV_OK);
	epoch = k(0)->serving.epoch;
	begin_lying();
	lie.epoch = epoch;
	memcpy(lie.instance, k(0)->instance, 16);
	for (int i = 0; i < 100; i++) {
		lie.server_id++;
		poll_database(0);
	}
	ck_assert_uint_lt((k(0)->seen.epoch - epoch) >> 8, 25);
}
END_TEST

static void
forge_refusal(struct rig_node *n, enum clv_stmt stmt, struct clv_buf *result)
{
	uint64_t id;

	(void)n;
	if (stmt != CLV_STMT_TAKE_EPOCH)
		return;
	id = rig_forge_begin(result);
	rig_result_put(result, id, CLV_OK, "", 1, 2);
	clv_buf_u32(result, 8);
	clv_buf_u64(result, ++lie.epoch);
	clv_buf_u32(result, 1);
	clv_buf_u8(result, 0);
}

START_TEST(an_epoch_that_is_never_let_be_taken_ends_a_promotion)
{
	uint64_t before = k(0)->seen.epoch;

	lie.epoch = before;
	rig.forge = forge_refusal;
	ck_assert_int_eq(rig_promote(0), CLV_OK);
	ck_assert_int_eq(rig_state(0), ROLE_AWAY);
	ck_assert(!serving_in_lease(k(0)));
	ck_assert_uint_lt((k(0)->seen.epoch - before) >> 8, 16);
}
END_TEST

static void
forge_done(struct rig_node *n, enum clv_stmt stmt, struct clv_buf *result)
{
	uint64_t id;

	(void)n;
	if (stmt != CLV_STMT_GET_OP && stmt != CLV_STMT_PUT_LIST)
		return;
	id = rig_forge_begin(result);
	rig_result_put(result, id, CLV_OK, "", 1, 1);
	clv_buf_u32(result, 1);
	clv_buf_u8(result, 1);
}

START_TEST(a_revocation_that_was_not_done_is_not_called_done)
{
	struct clv_buf b;

	rig.forge = forge_done;
	rig_named(&b, ADMIN_MEMBER_REVOKE, 3, "m1");
	ck_assert_int_ne(rig_ask(0, &b, 30000), CLV_OK);
	rig_named(&b, ADMIN_NODE_REVOKE, 4, "n2");
	ck_assert_int_ne(rig_ask(0, &b, 30000), CLV_OK);
	ck_assert_int_ne(rig_add_member(0, 5, "app1"), CLV_OK);
}
END_TEST

START_TEST(what_was_done_is_known_again)
{
	struct clv_buf b;

	rig_named(&b, ADMIN_MEMBER_REVOKE, 3, "m1");
	ck_assert_int_eq(rig_ask(0, &b, 30000), CLV_OK);
	rig_named(&b, ADMIN_MEMBER_REVOKE, 3, "m1");
	ck_assert_int_eq(rig_ask(0, &b, 30000), CLV_OK);
	ck_assert_uint_eq(rig_db.versions[0], 2);
	/* But not what was undone since. */
	ck_assert_int_eq(rig_add_member(0, 5, "app1"), CLV_OK);
	rig_named(&b, ADMIN_MEMBER_REVOKE, 6, "app1");
	ck_assert_int_eq(rig_ask(0, &b, 30000), CLV_OK);
	ck_assert_int_eq(rig_add_member(0, 5, "app1"), CLV_E_MISMATCH);
}
END_TEST

START_TEST(an_older_database_changes_nothing_and_is_told)
{
	rig_db_save();
	ck_assert_int_eq(rig_add_member(0, 5, "app1"), CLV_OK);
	ck_assert_int_eq(rig_add_member(0, 6, "app2"), CLV_OK);
	rig_db_failover();
	rig_run(10000);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(k(i)->secret.list->version, 3);
		ck_assert(serving_read_only(k(i)));
	}
	ck_assert(!serving_in_lease(k(0)));
	ck_assert_int_eq(rig_add_member(0, 7, "app3"), CLV_E_STALE);
	ck_assert_uint_eq(rig_db.versions[0], 1);
	/* And yet keys for decryption are to be had, after a failover too. */
	rig_kill(0);
	ck_assert_int_eq(serving_score(k(1)), CTL_SCORE_STANDBY);
	ck_assert_int_eq(rig_promote(1), CLV_OK);
	ck_assert(!serving_in_lease(k(1)));
}
END_TEST

START_TEST(a_change_that_a_failover_has_lost_is_written_again)
{
	struct clv_buf b;

	rig_db_save();
	rig_named(&b, ADMIN_MEMBER_REVOKE, 3, "m1");
	ck_assert_int_eq(rig_ask(0, &b, 30000), CLV_OK);
	rig_db_failover();
	ck_assert_uint_eq(rig_db.versions[0], 1);
	rig_run(10000);
	ck_assert_uint_eq(rig_db.versions[0], 2);
	ck_assert(clv_list_member_by_name(rig_db_list(), "m1")->revoked);
	ck_assert(serving_in_lease(k(0)));
	ck_assert_int_eq(rig_add_member(0, 5, "app1"), CLV_OK);
}
END_TEST

/* n3 was away when the list was changed, and the database has lost it since:
 * its peers know better. */
START_TEST(a_node_that_missed_a_lost_change_makes_no_other_in_its_place)
{
	struct clv_buf b;

	rig_db_save();
	rig_kill(2);
	rig_run(15000);
	rig_named(&b, ADMIN_MEMBER_REVOKE, 3, "m1");
	ck_assert_int_eq(rig_ask(0, &b, 30000), CLV_OK);
	rig_send(0, rig_connect(0), CTL_DEMOTE, NULL, 0);
	rig_run(100);
	rig_db_failover();
	rig_up(2);
	rig_run(10000);
	ck_assert_uint_eq(k(2)->secret.list->version, 1);
	ck_assert(serving_read_only(k(2)));
	ck_assert_int_eq(serving_score(k(2)), CTL_SCORE_NEVER);
	(void)rig_promote(2);
	ck_assert_int_ne(rig_add_member(2, 5, "app1"), CLV_OK);
	ck_assert_uint_eq(rig_db.versions[0], 1);
}
END_TEST

START_TEST(another_systems_database_gets_nothing_written)
{
	begin_lying();
	lie.system_id[0] ^= 1;
	rig_db_mode(2, RIG_DB_DOWN);
	rig_db_mode(2, RIG_DB_UP);
	rig_run(100);
	ck_assert(!k(2)->db.known);
	memset(seen, 0, sizeof(seen));
	secret_put_own_copy(k(2));
	(void)rig_promote(2);
	ck_assert_int_ne(rig_add_member(2, 5, "app1"), CLV_OK);
	for (int s = CLV_STMT_HELLO + 1; s < CLV_STMT_LAST; s++)
		ck_assert_uint_eq(seen[s], 0);
}
END_TEST

/* The body of the row that is served. */
static enum clv_stmt served_stmt;
static void
forge_row(struct rig_node *n, enum clv_stmt stmt, struct clv_buf *result)
{
	uint64_t id;

	(void)n;
	if (stmt == CLV_STMT_HELLO && served_stmt == CLV_STMT_GET_LIST) {
		lie = rig_db;
		lie.lease_ms = 0;
		lie.versions[0] = 99;
		rig_forge_hello(result, &lie);
	}
	if (stmt != served_stmt)
		return;
	id = rig_forge_begin(result);
	rig_result_put(
	    result, id, CLV_OK, "", 1, stmt == CLV_STMT_GET_LIST ? 2 : 1);
	if (stmt == CLV_STMT_GET_LIST) {
		clv_buf_u32(result, 8);
		clv_buf_u64(result, 99);
	}
	clv_buf_bytes(result, served.data, served.len);
}

static void
sign_foreign(const struct clv_list *l)
{
	struct clv_keyring *other = NULL;
	struct clv_list *copy = NULL;

	ck_assert_int_eq(clv_keyring_new(rig.guard, &other), CLV_OK);
	ck_assert_int_eq(clv_list_copy(l, &copy), CLV_OK);
	memcpy(copy->system_id, clv_keyring_system_id(other), 16);
	copy->version = 99;
	ck_assert_int_eq(clv_list_sign(copy, other, &served), CLV_OK);
	clv_list_free(&copy);
	clv_keyring_free(&other);
}

/* Signed by another system; with a byte changed; cut; empty; an older one. */
START_TEST(a_forged_list_is_refused)
{
	const struct clv_buf *good = &rig_db.lists[0];

	clv_buf_raw(&served, good->data, good->len);
	if (_i == 0) {
		clv_buf_reset(&served);
		sign_foreign(rig_db_list());
	} else if (_i == 1) {
		served.data[100] ^= 1;
	} else if (_i == 2) {
		served.len -= 10;
	} else if (_i == 3) {
		clv_buf_reset(&served);
	}
	served_stmt = CLV_STMT_GET_LIST;
	rig.forge = forge_row;
	poll_database(1);
	ck_assert_uint_eq(k(1)->secret.list->version, 1);
	ck_assert_int_eq(rig_state(1), ROLE_STANDBY);
}
END_TEST

START_TEST(a_copy_that_is_not_ours_opens_nothing)
{
	rig_kill(2);
	if (_i == 0) /* another node's */
		clv_buf_raw(
		    &served, rig_db.escrow[1].data, rig_db.escrow[1].len);
	if (_i == 1) { /* well sealed, but not by the system */
		struct clv_keyring *other = NULL;

		ck_assert_int_eq(clv_keyring_new(rig.guard, &other), CLV_OK);
		ck_assert_int_eq(clv_escrow_seal(rig.guard, other, 3,
				     rig.node[2].id->box_pk, &served),
		    CLV_OK);
		clv_keyring_free(&other);
	}
	if (_i == 2) { /* with the node's number changed in it */
		clv_buf_raw(
		    &served, rig_db.escrow[1].data, rig_db.escrow[1].len);
		served.data[0] = 3;
	}
	served_stmt = CLV_STMT_GET_ESCROW;
	rig.forge = forge_row;
	rig_up(2);
	rig_run(3000);
	ck_assert_ptr_null(k(2)->secret.keyring);
	ck_assert_int_eq(rig_state(2), ROLE_LOCKED);
	ck_assert_int_eq(serving_score(k(2)), CTL_SCORE_NEVER);
	ck_assert_int_ne(rig_promote(2), CLV_OK);
}
END_TEST

/* A list that ends this node's part comes in the moment in which the database
 * goes away. */
START_TEST(a_last_word_of_the_database_is_acted_upon)
{
	struct rig_node *n = &rig.node[0];
	struct clv_list *l = NULL;
	struct clv_buf b;

	ck_assert_int_eq(clv_list_copy(rig_db_list(), &l), CLV_OK);
	l->version = 2;
	clv_list_node_by_number(l, 1)->revoked = true;
	ck_assert_int_eq(clv_list_sign(l, rig.keyring, &served), CLV_OK);
	clv_list_free(&l);
	served_stmt = CLV_STMT_GET_LIST;
	rig.forge = forge_row;
	n->hold_db = true;
	db_poll_soon(k(0));
	rig_settle();
	rig_deliver(n, &n->from_db); /* HELLO; now it asks for the list */
	rig_settle();
	ck_assert(k(0)->secret.fetching);
	clv_buf_init(&b);
	clv_buf_u8(&b, 0);
	clv_buf_str(&b, "gone");
	rig_tell(0, CHAN_DATABASE, &b);
	rig_settle();
	rig_deliver(n, &n->from_db);
	ck_assert_uint_eq(k(0)->secret.list->version, 2);
	ck_assert_int_eq(rig_state(0), ROLE_LOCKED);
	rig_settle();
	ck_assert(!n->listening);
}
END_TEST

/* The front. */

static void
tell_raw(unsigned type, const void *p, size_t len)
{
	struct clv_buf b;

	clv_buf_init(&b);
	clv_buf_raw(&b, p, len);
	rig_tell(0, type, &b);
	rig_settle();
}

START_TEST(messages_of_any_shape_are_survived)
{
	uint8_t junk[256];

	for (unsigned type = 0; type < 64; type++) {
		for (unsigned n = 0; n < 20; n++) {
			randombytes_buf(junk, sizeof(junk));
			memset(junk, n & 1 ? 0xff : 0, n);
			tell_raw(type, junk, randombytes_uniform(256));
		}
		tell_raw(type, junk, 0);
	}
	rig_run(40000);
	ck_assert_int_ne(rig_state(0), ROLE_OFF);
}
END_TEST

START_TEST(results_of_odd_shapes_are_no_results)
{
	static const uint32_t shapes[][2] = {{0, 9}, {1, 0}, {1, 1}, {2, 9},
	    {UINT32_MAX, UINT32_MAX}, {65536, 65536}, {4096, 1}, {1, 4096},
	    {0x80000000, 2}};
	struct rig_node *n = &rig.node[0];
	struct rig_msg *m;
	struct clv_buf b;
	struct clv_rd r;

	db_poll_soon(k(0));
	rig_db_mode(0, RIG_DB_HUNG);
	rig_settle();
	while ((m = rig_take(&n->sql)) != NULL) {
		clv_rd_init(&r, m->body.data, m->body.len);
		clv_buf_init(&b);
		rig_result_put(&b, clv_rd_u64(&r), CLV_OK, "", shapes[_i][0],
		    shapes[_i][1]);
		rig_put(&n->from_db, CHAN_SQL_RESULT, &b);
		clv_buf_fini(&b);
		rig_msg_free(m);
	}
	rig_settle();
	rig_db_mode(0, RIG_DB_UP);
	rig_run(20000);
	ck_assert_int_eq(rig_state(0), ROLE_ACTIVE);
}
END_TEST

START_TEST(a_result_that_is_none_is_a_broken_protocol)
{
	struct rig_node *n = &rig.node[0];
	struct rig_msg *m;
	struct clv_buf b;
	struct clv_rd r;
	int c;

	rig_db_mode(0, RIG_DB_HUNG);
	rig_named(&b, ADMIN_MEMBER_REVOKE, 3, "m1");
	c = rig_admin(0, &b);
	clv_buf_fini(&b);
	rig_settle();
	while ((m = rig_take(&n->sql)) != NULL) {
		clv_rd_init(&r, m->body.data, m->body.len);
		clv_buf_init(&b);
		rig_result_put(&b, clv_rd_u64(&r), 7,
		    "\xc2\x9b"
		    "31m",
		    0, 0);
		rig_put(&n->from_db, CHAN_SQL_RESULT, &b);
		clv_buf_fini(&b);
		rig_msg_free(m);
	}
	rig_settle();
	ck_assert_int_eq(rig_admin_result(0, c, NULL, 0), CLV_E_PROTOCOL);
}
END_TEST

START_TEST(a_front_that_says_it_listens_makes_nobody_serve)
{
	uint8_t ok[8] = {0};

	rig_tell(1, CHAN_LISTENING, &(struct clv_buf){0});
	tell_raw(CHAN_LISTENING, ok, sizeof(ok));
	ck_assert_int_eq(rig_state(1), ROLE_STANDBY);
	tell_raw(CHAN_CLOSED, "", 0);
	ck_assert_int_eq(rig_state(0), ROLE_ACTIVE);
}
END_TEST

/* Who the caller is, the front may say; that it is, only the caller. */
START_TEST(a_front_that_names_another_caller_gets_no_keys)
{
	struct clv_wire_request q = {.op = CLV_WIRE_FETCH};
	uint8_t thumb[32];
	struct clv_buf b;
	unsigned before = rig.node[0].answers;

	/* m2's own request, as if m1's connection had sent it. */
	rig_thumb(rig.member[0], thumb);
	rig_request(0, rig.member[1], thumb, &q);
	rig_settle();
	ck_assert_int_eq(rig.node[0].answer.result, CLV_E_UNKNOWN_PEER);
	/* m1's name, signed by m2. */
	clv_buf_init(&b);
	q.payload = NULL; /* it was of the request before */
	q.payload_len = 0;
	snprintf(q.name, sizeof(q.name), "m1");
	ck_assert_int_eq(
	    clv_wire_request_format(&q, rig.member[1]->sign_sk, &b), CLV_OK);
	rig_request_raw(0, thumb, b.data, b.len);
	rig_settle();
	ck_assert_int_eq(rig.node[0].answer.result, CLV_E_SIGNATURE);
	ck_assert_uint_eq(rig.node[0].answer.payload_len, 0);
	/* Nobody's thumbprint. */
	memset(thumb, 0, sizeof(thumb));
	rig_request_raw(0, thumb, b.data, b.len);
	rig_settle();
	ck_assert_int_eq(rig.node[0].answer.result, CLV_E_UNKNOWN_PEER);
	ck_assert_uint_eq(rig.node[0].answers, before + 3);
	clv_buf_fini(&b);
}
END_TEST

START_TEST(a_front_that_forgets_to_say_how_it_is_means_no_quorum)
{
	struct rig_node *n = &rig.node[0];
	uint8_t junk[3] = {1, 1, 1};

	n->silent = true;
	rig_run(2000);
	tell_raw(CHAN_CLUSTER, junk, sizeof(junk));
	ck_assert(!serving_in_lease(k(0)));
	rig_run(20000);
	ck_assert_int_eq(rig_state(0), ROLE_AWAY);
}
END_TEST

/* Members. */

START_TEST(an_inflated_number_of_a_member_is_no_evidence)
{
	struct clv_wire_request q = {.op = CLV_WIRE_FETCH,
	    .seen_epoch = UINT64_MAX,
	    .seen_list = UINT64_MAX,
	    .seen_generation = UINT32_MAX};
	uint64_t epoch = k(0)->serving.epoch;

	rig_request(0, rig.member[0], NULL, &q);
	rig_run(1000);
	ck_assert_int_eq(rig.node[0].answer.result, CLV_OK);
	ck_assert(k(0)->serving.epoch == epoch);
	ck_assert(serving_in_lease(k(0)));
}
END_TEST

static void
show(unsigned i, uint64_t epoch, uint64_t list)
{
	struct clv_wire_answer a = {.op = CLV_WIRE_FETCH,
	    .epoch = epoch,
	    .list_version = list,
	    .generation = 1};
	struct clv_wire_request q = {.op = CLV_WIRE_FETCH};
	struct clv_buf body, evidence;

	clv_buf_init(&body);
	clv_buf_init(&evidence);
	memcpy(a.system_id, clv_keyring_system_id(rig.keyring), 16);
	ck_assert_int_eq(
	    clv_wire_answer_format(&a, rig.keyring, &body), CLV_OK);
	ck_assert_int_eq(
	    clv_wire_evidence_cut(body.data, body.len, &evidence), CLV_OK);
	q.evidence = evidence.data;
	q.evidence_len = evidence.len;
	rig_request(i, rig.member[0], NULL, &q);
	rig_run(100);
	clv_buf_fini(&body);
	clv_buf_fini(&evidence);
}

START_TEST(signed_evidence_of_more_asks_for_a_fresh_epoch)
{
	uint64_t epoch = k(0)->serving.epoch + (7 << 8);

	show(0, epoch, 1);
	ck_assert_int_eq(rig_state(0), ROLE_ACTIVE);
	ck_assert_uint_gt(k(0)->serving.epoch, epoch);
	show(0, k(0)->serving.epoch, 5);
	ck_assert(serving_read_only(k(0)));
	ck_assert(!rig.node[0].answer.encrypt);
	ck_assert_int_ne(rig_add_member(0, 5, "app1"), CLV_OK);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("keeper_hostile");
	TCase *t = suite_case(s, "database", set_up, tear_down);

	tcase_add_loop_test(t, a_leap_of_the_epoch_is_not_believed, 0, 5);
	tcase_add_test(
	    t, a_list_that_is_only_promised_is_not_asked_for_without_end);
	tcase_add_test(t, a_database_that_moves_each_time_wears_nobody_out);
	tcase_add_test(t, an_epoch_that_is_never_let_be_taken_ends_a_promotion);
	tcase_add_test(t, another_systems_database_gets_nothing_written);
	tcase_add_loop_test(t, a_forged_list_is_refused, 0, 5);
	tcase_add_loop_test(t, a_copy_that_is_not_ours_opens_nothing, 0, 3);
	t = suite_case(s, "database of the active", set_up_active, tear_down);
	tcase_add_test(t, a_revocation_that_was_not_done_is_not_called_done);
	tcase_add_test(t, what_was_done_is_known_again);
	tcase_add_test(t, an_older_database_changes_nothing_and_is_told);
	tcase_add_test(t, a_change_that_a_failover_has_lost_is_written_again);
	tcase_add_test(
	    t, a_node_that_missed_a_lost_change_makes_no_other_in_its_place);
	tcase_add_test(t, a_last_word_of_the_database_is_acted_upon);
	t = suite_case(s, "front", set_up_active, tear_down);
	tcase_add_test(t, messages_of_any_shape_are_survived);
	tcase_add_loop_test(t, results_of_odd_shapes_are_no_results, 0, 9);
	tcase_add_test(t, a_result_that_is_none_is_a_broken_protocol);
	tcase_add_test(t, a_front_that_says_it_listens_makes_nobody_serve);
	tcase_add_test(t, a_front_that_names_another_caller_gets_no_keys);
	tcase_add_test(
	    t, a_front_that_forgets_to_say_how_it_is_means_no_quorum);
	t = suite_case(s, "members", set_up_active, tear_down);
	tcase_add_test(t, an_inflated_number_of_a_member_is_no_evidence);
	tcase_add_test(t, signed_evidence_of_more_asks_for_a_fresh_epoch);
	return s;
}

int
main(void)
{
	return suite_run(suite());
}
