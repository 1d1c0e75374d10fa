/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <claviger/result.h>
#include "daemon/cli/cli.h"
#include "daemon/cli/doctor/cli_cib.h"
#include "suite.h"

/* What the cluster's tools print, and questions to it. */

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char text[] =
    "<cib><configuration><resources>"
    "<primitive id='a'><op id='a1' timeout='10s'/></primitive>"
    "<primitive id='b'><op id='b1' timeout='20s'/><op id='b2'/></primitive>"
    "</resources></configuration></cib>";

static struct cib *cib;
static struct clv_buf out;

static void
setup(void)
{
	cib = NULL;
	ck_assert_int_eq(cib_parse(text, strlen(text), &cib), CLV_OK);
	clv_buf_init(&out);
}

static void
teardown(void)
{
	cib_free(&cib);
	clv_buf_fini(&out);
}

START_TEST(a_question_is_asked_from_an_element_on)
{
	char value[32];
	struct cib_element *b =
	    cib_find(cib, NULL, "configuration/resources/primitive", 1);

	ck_assert_ptr_nonnull(b);
	ck_assert(cib_text(cib, b, "@id", value, sizeof(value)));
	ck_assert_str_eq(value, "b");
	ck_assert(cib_text(cib, b, "op/@timeout", value, sizeof(value)));
	ck_assert_str_eq(value, "20s");
	ck_assert_ptr_null(cib_find(cib, b, "op", 2));
	ck_assert(!cib_text(cib, b, "op/@role", value, sizeof(value)));
	ck_assert_str_eq(value, "");
}
END_TEST

START_TEST(a_value_in_a_question_is_no_part_of_it)
{
	static const char ask[] = "configuration//primitive[@id=$name]";

	cib_let(cib, "name", "a");
	ck_assert_ptr_nonnull(cib_find(cib, NULL, ask, 0));
	ck_assert_ptr_null(cib_find(cib, NULL, ask, 1));
	cib_let(cib, "name", "x' or @id='a");
	ck_assert_ptr_null(cib_find(cib, NULL, ask, 0));
}
END_TEST

START_TEST(a_long_value_is_cut)
{
	char value[3];

	ck_assert(
	    cib_text(cib, NULL, "//op[1]/@timeout", value, sizeof(value)));
	ck_assert_str_eq(value, "10");
}
END_TEST

static const char *const no_cib[] = {
    "", "cib", "<cib>", "<cib></resources>", "<cib>&#0;</cib>"};

START_TEST(what_is_no_xml_is_refused)
{
	struct cib *other = NULL;

	ck_assert_int_eq(
	    cib_parse(no_cib[_i], strlen(no_cib[_i]), &other), CLV_E_FORMAT);
	ck_assert_ptr_null(other);
}
END_TEST

/* Neither a file of this host nor a text that grows without end. */
START_TEST(an_entity_is_not_followed)
{
	static const char *const bad[] = {
	    "<!DOCTYPE cib [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>"
	    "<cib a='1'>&e;</cib>",
	    "<!DOCTYPE cib [<!ENTITY e SYSTEM 'http://127.0.0.1:1/'>]>"
	    "<cib a='1'>&e;</cib>"};
	struct cib *other;
	char value[64];

	for (size_t i = 0; i < COUNT(bad); i++) {
		other = NULL;
		if (cib_parse(bad[i], strlen(bad[i]), &other) != CLV_OK)
			continue;
		(void)cib_text(other, NULL, ".", value, sizeof(value));
		ck_assert_str_eq(value, "");
		cib_free(&other);
	}
}
END_TEST

static const struct {
	const char *text;
	uint64_t ms; /* UINT64_MAX: refused */
} durations[] = {{"10", 10000}, {"10s", 10000}, {" 2 sec", 2000},
    {"500ms", 500}, {"1min", 60000}, {"2m", 120000}, {"1h", 3600000}, {"0", 0},
    {"1500us", 1}, {"", UINT64_MAX}, {"s", UINT64_MAX}, {"-1", UINT64_MAX},
    {"PT10S", UINT64_MAX}, {"10 weeks", UINT64_MAX},
    {"99999999999999999999s", UINT64_MAX}};

START_TEST(a_duration_is_what_pacemaker_takes_it_for)
{
	uint64_t ms = UINT64_MAX;
	bool ok = cib_duration(durations[_i].text, &ms);

	ck_assert_int_eq(ok, durations[_i].ms != UINT64_MAX);
	ck_assert_uint_eq(ms, durations[_i].ms);
}
END_TEST

START_TEST(true_has_several_words)
{
	ck_assert(cib_is_true("true") && cib_is_true("ON") &&
		  cib_is_true("yes") && cib_is_true("1"));
	ck_assert(!cib_is_true("false") && !cib_is_true("") &&
		  !cib_is_true("off") && !cib_is_true("2"));
}
END_TEST

/* ---- tools ---- */

START_TEST(a_tool_is_read_to_its_end)
{
	static const char *const argv[] = {
	    "sh", "-c", "echo one; echo no >&2; sleep 0.1; echo two", NULL};

	ck_assert_int_eq(cli_tool_read(argv, 30000, &out), CLV_OK);
	clv_buf_u8(&out, 0);
	ck_assert_str_eq((const char *)out.data, "one\ntwo\n");
}
END_TEST

START_TEST(a_tool_that_fails_or_is_missing_is_told_apart)
{
	static const char *const fails[] = {"sh", "-c", "exit 102", NULL};
	static const char *const missing[] = {"no-such-tool", NULL};

	ck_assert_int_eq(cli_tool_read(fails, 30000, &out), CLV_E_NO_SERVER);
	ck_assert_int_eq(cli_tool_read(missing, 30000, &out), CLV_E_NOT_FOUND);
}
END_TEST

/* With what it has started, or it would hold our end of the pipe. */
START_TEST(a_tool_that_hangs_is_ended)
{
	static const char *const argv[] = {
	    "sh", "-c", "sleep 1000 & sleep 1000", NULL};

	ck_assert_int_eq(cli_tool_read(argv, 100, &out), CLV_E_TIMEOUT);
}
END_TEST

START_TEST(a_tool_that_talks_without_end_is_ended)
{
	static const char *const argv[] = {"yes", NULL};

	out.max = 100000;
	ck_assert_int_eq(cli_tool_read(argv, 30000, &out), CLV_E_FULL);
	ck_assert_uint_le(out.len, 100000);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("cli_cib");
	TCase *t = suite_case(s, "all", setup, teardown);

	tcase_add_test(t, a_question_is_asked_from_an_element_on);
	tcase_add_test(t, a_value_in_a_question_is_no_part_of_it);
	tcase_add_test(t, a_long_value_is_cut);
	tcase_add_loop_test(t, what_is_no_xml_is_refused, 0, COUNT(no_cib));
	tcase_add_test(t, an_entity_is_not_followed);
	tcase_add_loop_test(
	    t, a_duration_is_what_pacemaker_takes_it_for, 0, COUNT(durations));
	tcase_add_test(t, true_has_several_words);
	tcase_add_test(t, a_tool_is_read_to_its_end);
	tcase_add_test(t, a_tool_that_fails_or_is_missing_is_told_apart);
	tcase_add_test(t, a_tool_that_hangs_is_ended);
	tcase_add_test(t, a_tool_that_talks_without_end_is_ended);
	return suite_run(s);
}
