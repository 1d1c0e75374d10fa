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

/* The words of the pages, in the order of the enumerations. */
static const char *const daemon_words[] = {
    "absent", "active", "limited", "standby", "locked", "no answer"};
static const char *const address_words[] = {"none", "absent", "right", "wrong"};

static const struct {
	const char *word;
	enum nt_address address;
	int rc, probe;
} want_name[] = {
    {"absent", NT_ABSENT, 7, 7},
    {"no link", NT_NO_LINK, 1, 7},
    {"right", NT_RIGHT, 0, 0},
    {"wrong", NT_WRONG, 1, 1},
};

#define NAME_ROWS (sizeof(want_name) / sizeof(want_name[0]))

START_TEST(network_name_answers_by_the_address_alone)
{
	const struct nt_row *row = monitor_name_answer(want_name[_i].address);

	ck_assert_int_eq(row->address, want_name[_i].address);
	ck_assert_int_eq(row->rc, want_name[_i].rc);
	ck_assert_int_eq(row->probe, want_name[_i].probe);
	ck_assert(row->why[0] != '\0');
}
END_TEST

/* A page's table; free() it. */
static char *
page_of(void (*print)(FILE *f))
{
	char *page = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&page, &len);

	ck_assert_ptr_nonnull(f);
	print(f);
	ck_assert_int_eq(fclose(f), 0);
	return page;
}

/* How many rows of the table begin like this; NULL: how many there are. */
static size_t
rows_like(const char *page, const char *start)
{
	const char *p = strstr(page, ".It Sy ");
	size_t n = 0;

	ck_assert_ptr_nonnull(p);
	while ((p = strstr(p + 1, "\n.It ")) != NULL)
		if (start == NULL || strncmp(p + 5, start, strlen(start)) == 0)
			n++;
	return n;
}

static void
answer_words(char *ret, size_t cap, int rc, int probe, const char *why)
{
	if (rc == probe)
		snprintf(ret, cap, "%d Ta %s\n", rc, why);
	else
		snprintf(ret, cap, "%d (probe %d) Ta %s\n", rc, probe, why);
}

START_TEST(the_page_of_master_secret_has_every_row)
{
	char *page = page_of(monitor_man), row[256], answer[128];
	size_t i;

	for (i = 0; i < ROWS; i++) {
		answer_words(answer, sizeof(answer), want[i].rc, want[i].probe,
		    monitor_answer(want[i].daemon, want[i].address)->why);
		snprintf(row, sizeof(row), "%s Ta %s Ta %s",
		    daemon_words[want[i].daemon],
		    address_words[want[i].address], answer);
		ck_assert_msg(rows_like(page, row) == 1, "%s: %s%s",
		    want[i].what, row, page);
	}
	ck_assert_uint_eq(rows_like(page, NULL), ROWS);
	free(page);
}
END_TEST

START_TEST(the_page_of_network_name_has_every_row)
{
	char *page = page_of(monitor_name_man), row[256], answer[128];
	size_t i;

	for (i = 0; i < NAME_ROWS; i++) {
		answer_words(answer, sizeof(answer), want_name[i].rc,
		    want_name[i].probe,
		    monitor_name_answer(want_name[i].address)->why);
		snprintf(
		    row, sizeof(row), "%s Ta %s", want_name[i].word, answer);
		ck_assert_msg(rows_like(page, row) == 1, "%s%s", row, page);
	}
	ck_assert_uint_eq(rows_like(page, NULL), NAME_ROWS);
	free(page);
}
END_TEST

START_TEST(the_pages_say_what_each_word_means)
{
	char *page = page_of(monitor_man), item[64];
	size_t i;

	for (i = 0; i < MT_DAEMONS; i++) {
		snprintf(item, sizeof(item), ".It Em %s\n", daemon_words[i]);
		ck_assert_ptr_nonnull(strstr(page, item));
	}
	for (i = 0; i <= ADDRESS_WRONG; i++) {
		snprintf(item, sizeof(item), ".It Em %s\n", address_words[i]);
		ck_assert_ptr_nonnull(strstr(page, item));
	}
	free(page);
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
	tcase_add_loop_test(
	    t, network_name_answers_by_the_address_alone, 0, NAME_ROWS);
	tcase_add_test(t, the_page_of_master_secret_has_every_row);
	tcase_add_test(t, the_page_of_network_name_has_every_row);
	tcase_add_test(t, the_pages_say_what_each_word_means);
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
