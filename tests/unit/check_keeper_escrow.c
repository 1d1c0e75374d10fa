/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "daemon/keeper/coverage.h"
#include "keeper_rig.h"
#include "suite.h"

/* Who can open the master secret: three nodes, their sealed copies in the
 * database, and somebody who changes these. */

static struct coverage *found;

static void
tear_down(void)
{
	coverage_free(&found);
	rig_fini();
}

/* ADMIN_ESCROW of node i: its result. */
static int
look(unsigned i, bool prove)
{
	struct rig_conn *conn;
	const uint8_t *data;
	struct clv_buf b;
	struct clv_rd r;
	size_t len;
	int c, res;

	rig_admin_begin(&b, ADMIN_ESCROW, 9);
	clv_buf_u8(&b, prove);
	c = rig_admin(i, &b);
	rig_run(100);
	clv_buf_fini(&b);
	res = rig_admin_result(i, c, rig.said, sizeof(rig.said));
	if (res != CLV_OK)
		return res;
	conn = &rig.node[i].conns[c];
	clv_rd_init(&r, conn->body, conn->len);
	clv_rd_u32(&r);
	clv_rd_str(&r, rig.said, sizeof(rig.said));
	clv_rd_str(&r, rig.said, sizeof(rig.said));
	data = clv_rd_bytes(&r, &len);
	coverage_free(&found);
	ck_assert_int_eq(coverage_parse(data, len, &found), CLV_OK);
	return CLV_OK;
}

static uint64_t
proven(unsigned i)
{
	return found->copies[i].proven_s;
}

static unsigned
wrong(void)
{
	unsigned n = 0;

	for (size_t i = 0; i < found->count; i++)
		n += found->copies[i].result != CLV_OK;
	return n;
}

START_TEST(every_node_proves_its_copy_at_its_start)
{
	ck_assert_int_eq(look(2, false), CLV_OK);
	ck_assert_uint_eq(found->count, 3);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(found->copies[i].kind, COVERAGE_NODE);
		ck_assert_int_eq(found->copies[i].result, CLV_OK);
		ck_assert(found->copies[i].live);
		ck_assert(coverage_holds(&found->copies[i], found, 1));
		ck_assert_uint_ne(proven(i), 0);
	}
	ck_assert_str_eq(found->copies[1].holder, "n2");
}
END_TEST

START_TEST(all_nodes_that_live_prove_theirs_when_one_is_asked)
{
	uint64_t before[3];

	rig_kill(1);
	rig_run(15000);
	ck_assert_int_eq(look(0, false), CLV_OK);
	for (unsigned i = 0; i < 3; i++)
		before[i] = proven(i);
	ck_assert_int_eq(look(0, true), CLV_OK);
	ck_assert_int_eq(look(0, false), CLV_OK);
	ck_assert_uint_gt(proven(0), before[0]);
	ck_assert_uint_eq(proven(1), before[1]);
	ck_assert_uint_gt(proven(2), before[2]);
	ck_assert(found->copies[0].live);
	ck_assert(!found->copies[1].live);
}
END_TEST

START_TEST(proof_of_a_copy_leaves_it_openable)
{
	ck_assert_int_eq(look(0, true), CLV_OK);
	rig_kill(1);
	rig_up(1);
	ck_assert_int_eq(rig_state(1), ROLE_STANDBY);
}
END_TEST

/* 0 removed, 1 another node's, 2 changed, 3 cut off. */
START_TEST(copy_that_is_not_the_systems_is_named_and_not_proven)
{
	struct clv_buf *row = &rig_db.escrow[2];
	static const int results[] = {
	    CLV_E_NOT_FOUND, CLV_E_NO_IDENTITY, CLV_E_SIGNATURE, CLV_E_FORMAT};

	if (_i == 0)
		clv_buf_reset(row);
	if (_i == 1) {
		clv_buf_reset(row);
		clv_buf_raw(row, rig_db.escrow[3].data, rig_db.escrow[3].len);
	}
	if (_i == 2)
		row->data[100] ^= 1;
	if (_i == 3)
		row->len--;
	ck_assert_int_eq(look(0, true), CLV_OK);
	ck_assert_int_eq(look(0, false), CLV_OK);
	ck_assert_int_eq(found->copies[1].result, results[_i]);
	ck_assert_str_eq(found->copies[1].holder, "n2");
	ck_assert_uint_eq(wrong(), 1);
	ck_assert_ptr_nonnull(strstr(rig.log, "sealed copy of this node"));
}
END_TEST

/* Whoever takes the newer row away shows that it was not opened lately. */
START_TEST(older_row_of_the_same_copy_has_an_older_proof)
{
	struct clv_buf kept = {0};
	uint64_t before;

	ck_assert_int_eq(look(0, false), CLV_OK);
	before = proven(1);
	clv_buf_raw(&kept, rig_db.escrow[2].data, rig_db.escrow[2].len);
	ck_assert_int_eq(look(0, true), CLV_OK);
	clv_buf_reset(&rig_db.escrow[2]);
	clv_buf_raw(&rig_db.escrow[2], kept.data, kept.len);
	clv_buf_fini(&kept);
	ck_assert_int_eq(look(0, false), CLV_OK);
	ck_assert_uint_eq(proven(1), before);
}
END_TEST

START_TEST(a_copy_that_was_taken_away_is_written_anew_within_a_day)
{
	clv_buf_reset(&rig_db.escrow[2]);
	rig_kill(0); /* a day is long */
	rig_kill(2);
	rig_run(KEEPER_PROOF_MS + 1000);
	ck_assert_int_eq(look(1, false), CLV_OK);
	ck_assert_uint_eq(wrong(), 0);
	ck_assert_uint_ne(proven(1), 0); /* and it was opened there */
}
END_TEST

START_TEST(what_a_node_says_by_itself_makes_nobody_work)
{
	struct clv_buf none = {0};
	uint64_t before;

	ck_assert_int_eq(look(0, false), CLV_OK);
	before = proven(0);
	rig_peer_say(0, PEER_PROVE, &none, rig.node[1].id->sign_sk,
	    peer_msg_domain(PEER_PROVE), 2);
	rig_settle();
	ck_assert_int_eq(look(0, false), CLV_OK);
	ck_assert_uint_eq(proven(0), before);
}
END_TEST

START_TEST(a_node_without_the_secret_can_look_but_not_ask)
{
	rig_kill(1);
	clv_buf_reset(&rig_db.escrow[2]);
	rig_up(1);
	ck_assert_int_eq(look(1, false), CLV_OK);
	ck_assert_int_eq(found->copies[1].result, CLV_E_NOT_FOUND);
	ck_assert(!found->copies[1].live);
	ck_assert_int_eq(look(1, true), CLV_E_NO_SECRET);
}
END_TEST

START_TEST(without_a_database_it_is_said_so)
{
	rig_db_mode_all(RIG_DB_DOWN);
	rig_run(5000);
	ck_assert_int_eq(look(0, false), CLV_E_DATABASE_AWAY);
}
END_TEST

#define RECIPIENT \
	"age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"

static void
set_recipient(const char *recipient, uint8_t id)
{
	struct clv_buf b;

	rig_admin_begin(&b, ADMIN_SETTING, id);
	clv_buf_str(&b, "recovery_recipient");
	clv_buf_str(&b, recipient);
	ck_assert_int_eq(rig_ask(0, &b, 30000), CLV_OK);
	rig_run(1000);
	ck_assert_int_eq(look(1, false), CLV_OK);
}

START_TEST(recovery_copy_comes_and_goes_with_its_recipient)
{
	set_recipient(RECIPIENT, 20);
	ck_assert_uint_eq(found->count, 4);
	ck_assert_int_eq(found->copies[3].kind, COVERAGE_RECOVERY);
	ck_assert_int_eq(found->copies[3].result, CLV_OK);
	ck_assert(coverage_holds(&found->copies[3], found, 1));
	ck_assert_uint_eq(proven(3), 0); /* to that nobody here has the key */
	set_recipient("", 21);
	ck_assert_uint_eq(found->count, 3);
	ck_assert_uint_eq(rig_db.escrow[CLV_ESCROW_RECOVERY].len, 0);
	ck_assert_uint_eq(wrong(), 0); /* and nothing else went */
	set_recipient("", 22);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("keeper_escrow");
	TCase *t = suite_case(s, "sealed copies", rig_standby, tear_down);

	tcase_set_timeout(t, 60);
	tcase_add_test(t, every_node_proves_its_copy_at_its_start);
	tcase_add_test(t, all_nodes_that_live_prove_theirs_when_one_is_asked);
	tcase_add_test(t, proof_of_a_copy_leaves_it_openable);
	tcase_add_loop_test(
	    t, copy_that_is_not_the_systems_is_named_and_not_proven, 0, 4);
	tcase_add_test(t, older_row_of_the_same_copy_has_an_older_proof);
	tcase_add_test(
	    t, a_copy_that_was_taken_away_is_written_anew_within_a_day);
	tcase_add_test(t, what_a_node_says_by_itself_makes_nobody_work);
	tcase_add_test(t, a_node_without_the_secret_can_look_but_not_ask);
	tcase_add_test(t, without_a_database_it_is_said_so);
	tcase_add_test(t, recovery_copy_comes_and_goes_with_its_recipient);
	return s;
}

int
main(void)
{
	return suite_run(suite());
}
