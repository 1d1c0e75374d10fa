/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/member/member_policy.h"

/* What the manual says, in other words than the table's. */

static enum clv_member_state
next(enum clv_member_state from, enum member_event event)
{
	switch (event) {
	case MEMBER_EV_REFRESHED: return CLV_MEMBER_FRESH;
	case MEMBER_EV_REVOKED: return CLV_MEMBER_NONE;
	case MEMBER_EV_FAILED:
		return from == CLV_MEMBER_FRESH ? CLV_MEMBER_AWAY : from;
	case MEMBER_EV_LOADED:
		return from == CLV_MEMBER_FRESH ? from : CLV_MEMBER_AWAY;
	case MEMBER_EV_AGED:
		return from == CLV_MEMBER_FRESH ? from : CLV_MEMBER_EXPIRED;
	case MEMBER_EVENTS: break;
	}
	ck_abort();
	return from;
}

START_TEST(every_pair_is_as_the_manual_says)
{
	for (int s = 0; s < MEMBER_STATES; s++)
		for (int e = 0; e < MEMBER_EVENTS; e++) {
			const struct member_rule *r = member_rule(
			    (enum clv_member_state)s, (enum member_event)e);

			ck_assert_ptr_nonnull(r);
			ck_assert_msg(r->to == next(r->from, r->event),
			    "%s, %s", member_state_name(r->from),
			    member_event_name(r->event));
			ck_assert_uint_gt(strlen(r->why), 0);
		}
}
END_TEST

/* Writing is permitted by a refresh alone, and ends with all that leads out of
 * FRESH; keys are wiped when there is no right to them any more. */
START_TEST(actions_keep_the_promises)
{
	size_t n;
	const struct member_rule *r = member_rules(&n);

	ck_assert_uint_eq(n, MEMBER_STATES * MEMBER_EVENTS);
	for (size_t i = 0; i < n; i++, r++) {
		bool permits = r->action == MEMBER_ACT_PERMIT;
		bool drops = r->action == MEMBER_ACT_DROP;

		ck_assert(permits == (r->event == MEMBER_EV_REFRESHED));
		ck_assert(permits || r->to != CLV_MEMBER_FRESH ||
			  r->from == CLV_MEMBER_FRESH);
		if (r->from == CLV_MEMBER_FRESH && r->to != CLV_MEMBER_FRESH)
			ck_assert(r->action == MEMBER_ACT_FORBID || drops);
		if (r->event == MEMBER_EV_REVOKED ||
		    (r->to == CLV_MEMBER_EXPIRED &&
			r->from != CLV_MEMBER_EXPIRED))
			ck_assert(drops);
		/* keys stay readable */
		if (r->to == CLV_MEMBER_AWAY || r->to == CLV_MEMBER_FRESH)
			ck_assert(!drops);
	}
}
END_TEST

START_TEST(each_pair_stands_there_once)
{
	size_t n;
	const struct member_rule *r = member_rules(&n);

	for (size_t i = 0; i < n; i++)
		ck_assert_ptr_eq(member_rule(r[i].from, r[i].event), &r[i]);
	ck_assert_ptr_null(member_rule(CLV_MEMBER_FRESH, MEMBER_EVENTS));
	ck_assert_ptr_null(
	    member_rule((enum clv_member_state)9, MEMBER_EV_FAILED));
}
END_TEST

START_TEST(names_are_told_apart)
{
	for (int s = 0; s < MEMBER_STATES; s++)
		for (int t = 0; t < s; t++)
			ck_assert_str_ne(
			    member_state_name((enum clv_member_state)s),
			    member_state_name((enum clv_member_state)t));
	for (int e = 0; e < MEMBER_EVENTS; e++)
		for (int f = 0; f < e; f++)
			ck_assert_str_ne(
			    member_event_name((enum member_event)e),
			    member_event_name((enum member_event)f));
	ck_assert_str_eq(member_state_name((enum clv_member_state)9), "?");
	ck_assert_str_eq(member_event_name(MEMBER_EVENTS), "?");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("member_policy");
	TCase *t = tcase_create("table");
	SRunner *r;
	int failed;

	tcase_add_test(t, every_pair_is_as_the_manual_says);
	tcase_add_test(t, actions_keep_the_promises);
	tcase_add_test(t, each_pair_stands_there_once);
	tcase_add_test(t, names_are_told_apart);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
