/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/keeper/role.h"

/* Every rule of the table, walked as pairs. */

START_TEST(no_pair_stands_twice)
{
	size_t n;
	const struct role_rule *r = role_rules(&n);

	for (size_t i = 0; i < n; i++)
		ck_assert_ptr_eq(role_rule(r[i].from, r[i].event), &r[i]);
}
END_TEST

START_TEST(every_rule_says_why)
{
	size_t n;
	const struct role_rule *r = role_rules(&n);

	for (size_t i = 0; i < n; i++)
		ck_assert_uint_gt(strlen(r[i].why), 3);
}
END_TEST

START_TEST(demote_and_stop_are_never_refused)
{
	for (int s = 0; s < ROLE_STATES; s++) {
		const struct role_rule *demote =
		    role_rule((enum role_state)s, ROLE_EV_DEMOTE);
		const struct role_rule *stop =
		    role_rule((enum role_state)s, ROLE_EV_STOP);

		ck_assert_ptr_nonnull(demote);
		ck_assert_ptr_nonnull(stop);
		ck_assert(!role_serves(demote->to));
		ck_assert(!role_promoting(demote->to));
		ck_assert_int_eq(stop->to, ROLE_OFF);
	}
}
END_TEST

START_TEST(what_was_open_is_closed_when_serving_ends)
{
	size_t n;
	const struct role_rule *r = role_rules(&n);

	for (size_t i = 0; i < n; i++) {
		bool open = role_serves(r[i].from) || r[i].from == ROLE_OPEN ||
			    r[i].from == ROLE_OPEN_AWAY;
		bool goes_on = role_serves(r[i].to) || r[i].to == ROLE_OPEN ||
			       r[i].to == ROLE_OPEN_AWAY;

		if (open && !goes_on)
			ck_assert(r[i].action == ROLE_ACT_CLOSE ||
				  r[i].action == ROLE_ACT_FALL);
	}
}
END_TEST

START_TEST(whoever_waits_for_a_promotion_is_answered)
{
	size_t n;
	const struct role_rule *r = role_rules(&n);

	for (size_t i = 0; i < n; i++)
		if (role_promoting(r[i].from) && !role_promoting(r[i].to))
			ck_assert(r[i].action == ROLE_ACT_SERVE ||
				  r[i].action == ROLE_ACT_FAIL ||
				  r[i].action == ROLE_ACT_CLOSE);
}
END_TEST

START_TEST(only_a_proven_standby_is_promoted)
{
	for (int s = 0; s < ROLE_STATES; s++) {
		const struct role_rule *r =
		    role_rule((enum role_state)s, ROLE_EV_PROMOTE);

		if (r == NULL || s == ROLE_STANDBY)
			continue;
		ck_assert(!role_promoting(r->to));
		ck_assert_int_eq(r->to, s);
	}
	ck_assert_int_eq(
	    role_rule(ROLE_STANDBY, ROLE_EV_PROMOTE)->to, ROLE_WITNESS);
}
END_TEST

START_TEST(serving_starts_only_behind_witness_and_listener)
{
	size_t n;
	const struct role_rule *r = role_rules(&n);

	for (size_t i = 0; i < n; i++) {
		if (role_serves(r[i].to) && !role_serves(r[i].from))
			ck_assert_int_eq(r[i].event, ROLE_EV_OPEN_OK);
		if (r[i].to == ROLE_CLAIM || r[i].to == ROLE_AWAY_CLAIM)
			ck_assert(r[i].event == ROLE_EV_WITNESS_OK ||
				  r[i].from == r[i].to);
	}
}
END_TEST

START_TEST(the_lease_is_only_for_a_claimed_epoch)
{
	size_t n;
	const struct role_rule *r = role_rules(&n);

	for (size_t i = 0; i < n; i++)
		if (r[i].to == ROLE_ACTIVE && r[i].from != ROLE_ACTIVE)
			ck_assert(r[i].from == ROLE_OPEN ||
				  r[i].event == ROLE_EV_CLAIM_OK);
}
END_TEST

START_TEST(superseded_and_unproven_fall_from_every_serving_state)
{
	for (int s = 0; s < ROLE_STATES; s++) {
		if (!role_serves((enum role_state)s))
			continue;
		ck_assert_int_eq(
		    role_rule((enum role_state)s, ROLE_EV_SUPERSEDED)->action,
		    ROLE_ACT_FALL);
		ck_assert_int_eq(
		    role_rule((enum role_state)s, ROLE_EV_UNPROVEN)->action,
		    ROLE_ACT_FALL);
	}
}
END_TEST

START_TEST(names_are_complete_and_distinct)
{
	for (int i = 0; i < ROLE_STATES; i++) {
		ck_assert_str_ne(role_state_name((enum role_state)i), "?");
		for (int j = 0; j < i; j++)
			ck_assert_str_ne(role_state_name((enum role_state)i),
			    role_state_name((enum role_state)j));
	}
	for (int i = 0; i < ROLE_EVENTS; i++)
		ck_assert_str_ne(role_event_name((enum role_event)i), "?");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("role");
	TCase *t = tcase_create("table");
	SRunner *r;
	int failed;

	tcase_add_test(t, no_pair_stands_twice);
	tcase_add_test(t, every_rule_says_why);
	tcase_add_test(t, demote_and_stop_are_never_refused);
	tcase_add_test(t, what_was_open_is_closed_when_serving_ends);
	tcase_add_test(t, whoever_waits_for_a_promotion_is_answered);
	tcase_add_test(t, only_a_proven_standby_is_promoted);
	tcase_add_test(t, serving_starts_only_behind_witness_and_listener);
	tcase_add_test(t, the_lease_is_only_for_a_claimed_epoch);
	tcase_add_test(
	    t, superseded_and_unproven_fall_from_every_serving_state);
	tcase_add_test(t, names_are_complete_and_distinct);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
