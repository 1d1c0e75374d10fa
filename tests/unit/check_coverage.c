/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <claviger/result.h>

#include "daemon/keeper/coverage.h"
#include "suite.h"

#define DAY 86400u
#define NOW (20000u * DAY)

static struct coverage *c;
static char said[2048]; /* "subject: text\n" of each finding */

static struct coverage_copy *
add(enum coverage_kind kind, const char *holder)
{
	struct coverage_copy *copy = &c->copies[c->count++];

	copy->kind = kind;
	snprintf(copy->holder, sizeof(copy->holder), "%s", holder);
	copy->holds = 3;
	copy->sealed_s = NOW - 10 * DAY;
	copy->proven_s = NOW - DAY;
	copy->live = kind == COVERAGE_NODE;
	return copy;
}

/* Two nodes, the recovery copy and a backup; generation 2 is current. */
static void
set_up(void)
{
	c = calloc(1, sizeof(*c));
	ck_assert_ptr_nonnull(c);
	c->policy = CLV_ESCROW_AUTO;
	c->now_s = NOW;
	c->generation_count = 2;
	c->generations[0].number = 4;
	c->generations[0].state = CLV_GEN_RETIRED;
	c->generations[1].number = 7;
	c->generations[1].state = CLV_GEN_CURRENT;
	add(COVERAGE_NODE, "n1");
	add(COVERAGE_NODE, "n2");
	add(COVERAGE_RECOVERY, "age1x");
	add(COVERAGE_BACKUP, "n1:/b");
}

static void
tear_down(void)
{
	coverage_free(&c);
}

static void
say(void *arg, const char *subject, const char *next, const char *text)
{
	size_t len = strlen(said);

	(void)arg;
	ck_assert_uint_gt(strlen(next), 0);
	snprintf(said + len, sizeof(said) - len, "%s: %s\n", subject, text);
}

static unsigned
judge(void)
{
	said[0] = '\0';
	return coverage_judge(c, say, NULL);
}

START_TEST(enough_is_enough)
{
	ck_assert_uint_eq(judge(), 0);
	ck_assert_uint_eq(coverage_current(c), 7);
	c->copies[3].holds = 1; /* an older backup besides */
	ck_assert_uint_eq(judge(), 0);
	c->count = 3; /* none at all */
	ck_assert_uint_eq(judge(), 0);
}
END_TEST

START_TEST(backup_alone_will_do)
{
	c->copies[2] = c->copies[3];
	c->count = 3;
	ck_assert_uint_eq(judge(), 0);
}
END_TEST

START_TEST(nothing_outside_the_nodes_is_found)
{
	c->count = 2;
	ck_assert_uint_eq(judge(), 1);
	ck_assert_ptr_nonnull(strstr(said, "outside: no backup"));
	ck_assert_ptr_nonnull(strstr(said, "generation 7"));
	add(COVERAGE_BACKUP, "n1:/old")->holds = 1;
	ck_assert_uint_eq(judge(), 1);
}
END_TEST

START_TEST(forged_record_of_a_backup_is_none)
{
	c->copies[2] = c->copies[3];
	c->copies[2].result = CLV_E_SIGNATURE;
	c->count = 3;
	ck_assert_uint_eq(judge(), 2);
	ck_assert_ptr_nonnull(strstr(said, "backups: the record"));
	ck_assert_ptr_nonnull(strstr(said, "outside: no backup"));
}
END_TEST

/* Of the copy number _i. */
START_TEST(copy_that_is_wrong_is_named)
{
	static const char *names[] = {"n1: ", "n2: ", "recovery copy: "};
	static const int results[] = {
	    CLV_E_NOT_FOUND, CLV_E_SIGNATURE, CLV_E_NO_IDENTITY, CLV_E_FORMAT};

	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		c->copies[_i].result = results[i];
		ck_assert_uint_eq(judge(), 1);
		ck_assert_ptr_nonnull(strstr(said, names[_i]));
		ck_assert(!coverage_holds(&c->copies[_i], c, 7));
	}
	c->copies[_i].result = CLV_OK;
	c->copies[_i].holds = 1;
	ck_assert_uint_eq(judge(), 1);
	ck_assert_ptr_nonnull(strstr(said, names[_i]));
	ck_assert_ptr_nonnull(strstr(said, "generation 7"));
}
END_TEST

START_TEST(copy_that_was_not_opened_for_days_counts_no_more)
{
	c->copies[1].proven_s = NOW - COVERAGE_PROOF_MAX_S;
	ck_assert_uint_eq(judge(), 0);
	c->copies[1].proven_s--;
	ck_assert_uint_eq(judge(), 1);
	ck_assert_ptr_nonnull(
	    strstr(said, "n2: it has not opened its copy for 3 days"));
	c->copies[1].proven_s = 0;
	ck_assert_uint_eq(judge(), 1);
	ck_assert_ptr_nonnull(strstr(said, "n2: it has never opened"));
	/* sealed a short while ago */
	c->copies[1].sealed_s = NOW - DAY;
	ck_assert_uint_eq(judge(), 0);
	/* a clock that is behind */
	c->copies[1].sealed_s = NOW + DAY;
	ck_assert_uint_eq(judge(), 0);
}
END_TEST

START_TEST(what_the_policy_does_not_ask_for_is_not_missed)
{
	c->count = 2;
	c->policy = CLV_ESCROW_AUTO | CLV_ESCROW_NO_OUTSIDE;
	ck_assert_uint_eq(judge(), 0);
	c->policy = CLV_ESCROW_MANUAL | CLV_ESCROW_NO_NODES;
	ck_assert_uint_eq(judge(), 1);
	add(COVERAGE_BACKUP, "n1:/b");
	c->copies[0].result = CLV_E_NOT_FOUND;
	c->copies[1].sealed_s = c->copies[1].proven_s = 0;
	ck_assert_uint_eq(judge(), 0);
	c->policy = CLV_ESCROW_MANUAL;
	ck_assert_uint_eq(judge(), 2);
	/* what is forged is always found, and a recovery copy is never to be
	 * missing */
	c->policy |= CLV_ESCROW_NO_NODES | CLV_ESCROW_NO_OUTSIDE;
	c->copies[0].result = CLV_E_SIGNATURE;
	c->copies[2].result = CLV_E_SIGNATURE;
	add(COVERAGE_RECOVERY, "age1x")->result = CLV_E_NOT_FOUND;
	ck_assert_uint_eq(judge(), 3);
}
END_TEST

START_TEST(a_proof_of_another_day_proves_nothing_now)
{
	struct coverage_copy was = c->copies[0], now = was;

	now.proven_s = NOW;
	ck_assert(coverage_is_proven(NOW, &was, &now));
	ck_assert(!coverage_is_proven(NOW, &now, &now));
	/* an older row first, then yesterday's */
	was.proven_s = NOW - 3 * DAY;
	now.proven_s = NOW - DAY;
	ck_assert(!coverage_is_proven(NOW, &was, &now));
	/* a clock that is a little behind */
	now.proven_s = NOW - 60;
	ck_assert(coverage_is_proven(NOW, &was, &now));
	/* no row first, or none that is the system's */
	was.proven_s = 0;
	was.result = CLV_E_NOT_FOUND;
	ck_assert(!coverage_is_proven(NOW, &was, &now));
}
END_TEST

START_TEST(policies_have_words)
{
	uint8_t policy = 0;

	for (unsigned p = 0; p < 256; p++) {
		const char *words = coverage_policy_words((uint8_t)p);

		if (strcmp(words, "unknown") == 0)
			continue;
		ck_assert(coverage_policy_parse(words, &policy));
		ck_assert_uint_eq(policy, p);
	}
	ck_assert(coverage_policy_parse("auto", &policy));
	ck_assert_uint_eq(policy, CLV_ESCROW_AUTO);
	ck_assert(coverage_policy_parse("manual,nodes", &policy));
	ck_assert_uint_eq(policy, CLV_ESCROW_MANUAL | CLV_ESCROW_NO_OUTSIDE);
	ck_assert(!coverage_policy_parse("", &policy));
	ck_assert(!coverage_policy_parse("unknown", &policy));
	ck_assert(!coverage_policy_parse("auto,manual", &policy));
	ck_assert_str_eq(coverage_policy_words(CLV_ESCROW_AUTO), "auto");
}
END_TEST

START_TEST(what_is_formatted_is_parsed)
{
	struct coverage *back = NULL;
	struct clv_buf b = {0};

	c->copies[1].result = CLV_E_SIGNATURE;
	coverage_format(c, &b);
	ck_assert_int_eq(coverage_parse(b.data, b.len, &back), CLV_OK);
	ck_assert_mem_eq(back, c, sizeof(*c));
	coverage_free(&back);
	for (size_t i = 0; i < b.len; i++)
		ck_assert_int_eq(
		    coverage_parse(b.data, i, &back), CLV_E_PROTOCOL);
	clv_buf_u8(&b, 0);
	ck_assert_int_eq(coverage_parse(b.data, b.len, &back), CLV_E_PROTOCOL);
	clv_buf_fini(&b);
}
END_TEST

static void
refuses(uint32_t generations, uint32_t copies)
{
	struct coverage *back = NULL;
	struct clv_buf b = {0};

	clv_buf_u8(&b, CLV_ESCROW_AUTO);
	clv_buf_u64(&b, NOW);
	clv_buf_u32(&b, generations);
	clv_buf_u32(&b, copies);
	ck_assert_int_eq(coverage_parse(b.data, b.len, &back), CLV_E_PROTOCOL);
	ck_assert_ptr_null(back);
	clv_buf_fini(&b);
}

START_TEST(numbers_beyond_all_bounds_are_refused)
{
	refuses(CLV_GENERATIONS_MAX + 1, 0);
	refuses(UINT32_MAX, 0);
	refuses(0, COVERAGE_COPIES_MAX + 1);
	refuses(0, UINT32_MAX);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("coverage");
	TCase *t = suite_case(s, "coverage", set_up, tear_down);

	tcase_add_test(t, enough_is_enough);
	tcase_add_test(t, backup_alone_will_do);
	tcase_add_test(t, nothing_outside_the_nodes_is_found);
	tcase_add_test(t, forged_record_of_a_backup_is_none);
	tcase_add_loop_test(t, copy_that_is_wrong_is_named, 0, 3);
	tcase_add_test(t, copy_that_was_not_opened_for_days_counts_no_more);
	tcase_add_test(t, what_the_policy_does_not_ask_for_is_not_missed);
	tcase_add_test(t, a_proof_of_another_day_proves_nothing_now);
	tcase_add_test(t, policies_have_words);
	tcase_add_test(t, what_is_formatted_is_parsed);
	tcase_add_test(t, numbers_beyond_all_bounds_are_refused);
	return s;
}

int
main(void)
{
	return suite_run(suite());
}
