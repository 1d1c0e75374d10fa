/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "agents/monitor_table.h"

/*
 * The table, written a second time and in another form: by what must hold. A
 * row here that differs from the one there is an error in one of them.
 */
static const struct {
	const char *what;
	enum mt_daemon daemon;
	enum address_state address;
	int rc, probe;
} want[] = {
    {"absent, no address carried", MT_ABSENT, ADDRESS_NOT_CARRIED, 7, 7},
    {"absent, address absent", MT_ABSENT, ADDRESS_ABSENT, 7, 7},
    {"absent, address present", MT_ABSENT, ADDRESS_RIGHT, 9, 9},
    {"absent, address on the wrong link", MT_ABSENT, ADDRESS_WRONG, 9, 9},
    {"active, no address carried", MT_ACTIVE, ADDRESS_NOT_CARRIED, 8, 8},
    {"active, address absent", MT_ACTIVE, ADDRESS_ABSENT, 9, 9},
    {"active, address present", MT_ACTIVE, ADDRESS_RIGHT, 8, 8},
    {"active, address on the wrong link", MT_ACTIVE, ADDRESS_WRONG, 9, 9},
    {"limited, no address carried", MT_LIMITED, ADDRESS_NOT_CARRIED, 191, 8},
    {"limited, address absent", MT_LIMITED, ADDRESS_ABSENT, 9, 9},
    {"limited, address present", MT_LIMITED, ADDRESS_RIGHT, 191, 8},
    {"limited, address on the wrong link", MT_LIMITED, ADDRESS_WRONG, 9, 9},
    {"standby, no address carried", MT_STANDBY, ADDRESS_NOT_CARRIED, 0, 0},
    {"standby, address absent", MT_STANDBY, ADDRESS_ABSENT, 0, 0},
    {"standby, address present", MT_STANDBY, ADDRESS_RIGHT, 9, 9},
    {"standby, address on the wrong link", MT_STANDBY, ADDRESS_WRONG, 9, 9},
    {"locked, no address carried", MT_LOCKED, ADDRESS_NOT_CARRIED, 190, 0},
    {"locked, address absent", MT_LOCKED, ADDRESS_ABSENT, 190, 0},
    {"locked, address present", MT_LOCKED, ADDRESS_RIGHT, 9, 9},
    {"locked, address on the wrong link", MT_LOCKED, ADDRESS_WRONG, 9, 9},
    {"no answer, no address carried", MT_NO_ANSWER, ADDRESS_NOT_CARRIED, 1, 1},
    {"no answer, address absent", MT_NO_ANSWER, ADDRESS_ABSENT, 1, 1},
    {"no answer, address present", MT_NO_ANSWER, ADDRESS_RIGHT, 9, 9},
    {"no answer, address on the wrong link", MT_NO_ANSWER, ADDRESS_WRONG, 9, 9},
};

#define ROWS (sizeof(want) / sizeof(want[0]))

START_TEST(a_row_answers_as_the_design_says)
{
	const struct mt_row *row =
	    monitor_answer(want[_i].daemon, want[_i].address);

	ck_assert_msg(row->rc == want[_i].rc, "%s: %d, not %d", want[_i].what,
	    row->rc, want[_i].rc);
	ck_assert_msg(row->probe == want[_i].probe, "%s, probe: %d, not %d",
	    want[_i].what, row->probe, want[_i].probe);
	ck_assert_int_eq(row->daemon, want[_i].daemon);
	ck_assert_int_eq(row->address, want[_i].address);
	ck_assert(row->why[0] != '\0');
}
END_TEST

START_TEST(every_pair_is_tested)
{
	bool seen[MT_DAEMONS][ADDRESS_WRONG + 1] = {{false}};
	size_t i;
	int d, a;

	for (i = 0; i < ROWS; i++)
		seen[want[i].daemon][want[i].address] = true;
	for (d = 0; d < MT_DAEMONS; d++)
		for (a = 0; a <= ADDRESS_WRONG; a++)
			ck_assert_msg(seen[d][a], "%d, %d", d, a);
}
END_TEST

START_TEST(not_running_is_said_only_when_nothing_is_left)
{
	const struct mt_row *row =
	    monitor_answer(want[_i].daemon, want[_i].address);
	bool nothing = want[_i].daemon == MT_ABSENT &&
		       (want[_i].address == ADDRESS_ABSENT ||
			   want[_i].address == ADDRESS_NOT_CARRIED);

	ck_assert_int_eq(row->rc == OCF_NOT_RUNNING, nothing);
	ck_assert_int_eq(row->probe == OCF_NOT_RUNNING, nothing);
}
END_TEST

START_TEST(a_monitor_never_says_that_the_configuration_is_wrong)
{
	const struct mt_row *row =
	    monitor_answer(want[_i].daemon, want[_i].address);

	ck_assert_int_ne(row->rc, OCF_ERR_CONFIGURED);
	ck_assert_int_ne(row->probe, OCF_ERR_CONFIGURED);
}
END_TEST

START_TEST(a_probe_is_plain)
{
	const struct mt_row *row =
	    monitor_answer(want[_i].daemon, want[_i].address);

	ck_assert_int_lt(row->probe, OCF_DEGRADED);
}
END_TEST

static enum mt_daemon
daemon_of(uint32_t role, int32_t score, const char *reason)
{
	struct ctl_status st = {.role = role, .score = score};

	strcpy(st.reason, reason);
	return monitor_daemon(&st);
}

START_TEST(a_status_says_what_the_daemon_is)
{
	ck_assert_int_eq(monitor_daemon(NULL), MT_ABSENT);
	ck_assert_int_eq(daemon_of(CTL_ROLE_OFF, 0, ""), MT_ABSENT);
	ck_assert_int_eq(
	    daemon_of(CTL_ROLE_LOCKED, CTL_SCORE_NEVER, "x"), MT_LOCKED);
	ck_assert_int_eq(
	    daemon_of(CTL_ROLE_LOCKED, CTL_SCORE_NEVER, ""), MT_LOCKED);
	ck_assert_int_eq(
	    daemon_of(CTL_ROLE_STANDBY, CTL_SCORE_STANDBY, ""), MT_STANDBY);
	ck_assert_int_eq(
	    daemon_of(CTL_ROLE_ACTIVE, CTL_SCORE_ACTIVE, ""), MT_ACTIVE);
}
END_TEST

START_TEST(serving_with_a_reason_is_limited)
{
	ck_assert_int_eq(
	    daemon_of(CTL_ROLE_AWAY, CTL_SCORE_ACTIVE, ""), MT_LIMITED);
	ck_assert_int_eq(daemon_of(CTL_ROLE_ACTIVE, CTL_SCORE_ACTIVE,
			     "decryption only: no quorum"),
	    MT_LIMITED);
}
END_TEST

START_TEST(a_standby_that_must_not_be_promoted_is_locked)
{
	ck_assert_int_eq(
	    daemon_of(CTL_ROLE_STANDBY, CTL_SCORE_NEVER, ""), MT_LOCKED);
	ck_assert_int_eq(
	    daemon_of(CTL_ROLE_STANDBY, CTL_SCORE_STANDBY, "read-only"),
	    MT_LOCKED);
}
END_TEST

START_TEST(a_promotion_that_nobody_waits_for_serves_nobody)
{
	ck_assert_int_eq(
	    daemon_of(CTL_ROLE_PROMOTING, CTL_SCORE_STANDBY, ""), MT_STANDBY);
	ck_assert_int_eq(
	    daemon_of(CTL_ROLE_DEMOTING, CTL_SCORE_STANDBY, ""), MT_STANDBY);
}
END_TEST

START_TEST(an_unknown_role_is_no_answer)
{
	ck_assert_int_eq(daemon_of(77, 0, ""), MT_NO_ANSWER);
}
END_TEST

START_TEST(failures_are_told_from_answers)
{
	static const int good[] = {0, 8, 190, 191};
	static const int bad[] = {1, 2, 3, 4, 5, 6, 7, 9, 42};
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert(!monitor_is_failure(good[i]));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert(monitor_is_failure(bad[i]));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("monitor_table");
	TCase *t = tcase_create("rows");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, a_row_answers_as_the_design_says, 0, ROWS);
	tcase_add_test(t, every_pair_is_tested);
	tcase_add_loop_test(
	    t, not_running_is_said_only_when_nothing_is_left, 0, ROWS);
	tcase_add_loop_test(
	    t, a_monitor_never_says_that_the_configuration_is_wrong, 0, ROWS);
	tcase_add_loop_test(t, a_probe_is_plain, 0, ROWS);
	tcase_add_test(t, a_status_says_what_the_daemon_is);
	tcase_add_test(t, serving_with_a_reason_is_limited);
	tcase_add_test(t, a_standby_that_must_not_be_promoted_is_locked);
	tcase_add_test(t, a_promotion_that_nobody_waits_for_serves_nobody);
	tcase_add_test(t, an_unknown_role_is_no_answer);
	tcase_add_test(t, failures_are_told_from_answers);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
