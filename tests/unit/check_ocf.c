/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ocf/ocf.h"

/* An agent whose handlers only note what they were called with. */
static struct ocf seen;
static int called;
static int check_answer;
static int out_fd = -1, err_fd = -1;
static char text[65536];

static int
on_call(struct ocf *o)
{
	seen = *o;
	called++;
	return OCF_SUCCESS;
}

static int
on_fail(struct ocf *o)
{
	return ocf_fail(
	    o, OCF_ERR_GENERIC, "no %s for \"%s\"", "luck", ocf_get(o, "name"));
}

static int
check_all(struct ocf *o)
{
	return check_answer;
}

static const struct ocf_param params[] = {
    {.name = "name",
	.type = OCF_STRING,
	.required = true,
	.group = "name",
	.shortdesc = "A <name> & more",
	.longdesc = "First sentence. Second \"sentence\".\n\n.SH not a macro"},
    {.name = "count",
	.type = OCF_INTEGER,
	.def = "5",
	.min = 1,
	.max = 10,
	.reloadable = true,
	.shortdesc = "Count",
	.longdesc = "How many."},
    {.name = "flag",
	.type = OCF_BOOLEAN,
	.def = "true",
	.shortdesc = "Flag",
	.longdesc = "Whether."},
};

static const struct ocf_action actions[] = {
    {.name = "start", .timeout_s = 20, .handler = on_call, .strict = true},
    {.name = "stop", .timeout_s = 20, .handler = on_call},
    {.name = "fail", .timeout_s = 20, .handler = on_fail},
    {.name = "rooted", .timeout_s = 20, .handler = on_call, .root = true},
    {.name = "monitor",
	.timeout_s = 30,
	.interval_s = 5,
	.role = "Promoted",
	.handler = on_call},
    {.name = "monitor",
	.timeout_s = 30,
	.interval_s = 10,
	.role = "Unpromoted",
	.handler = on_call},
    {.name = "meta-data", .timeout_s = 5},
    {.name = "notify", .handler = on_call, .hidden = true},
};

static const struct ocf_agent agent = {.name = "dummy",
    .version = "1",
    .shortdesc = "Dummy",
    .longdesc = "Does nothing.",
    .params = params,
    .param_count = 3,
    .actions = actions,
    .action_count = sizeof(actions) / sizeof(actions[0]),
    .check = check_all};

static void
setup(void)
{
	clearenv();
	setenv("HA_LOGFACILITY", "none", 1);
	setenv("OCF_RESKEY_name", "x", 1);
	memset(&seen, 0, sizeof(seen));
	called = 0;
	check_answer = OCF_SUCCESS;
	out_fd = memfd_create("out", 0);
	err_fd = memfd_create("err", 0);
}

static const char *
content(int fd)
{
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* As a process would run, with what it writes caught. */
static int
run(const char *action)
{
	char name[] = "dummy", word[64];
	char *argv[] = {name, word, NULL};
	int out = dup(1), err = dup(2), rc;

	if (action != NULL)
		snprintf(word, sizeof(word), "%s", action);
	else
		argv[1] = NULL;
	fflush(NULL);
	dup2(out_fd, 1);
	dup2(err_fd, 2);
	rc = ocf_main(&agent, action != NULL ? 2 : 1, argv);
	fflush(NULL);
	dup2(out, 1);
	dup2(err, 2);
	close(out);
	close(err);
	return rc;
}

START_TEST(an_action_is_called_with_its_parameters)
{
	setenv("OCF_RESKEY_count", "7", 1);
	setenv("OCF_RESKEY_flag", "off", 1);
	ck_assert_int_eq(run("start"), OCF_SUCCESS);
	ck_assert_int_eq(called, 1);
	ck_assert_str_eq(ocf_get(&seen, "name"), "x");
	ck_assert_int_eq(ocf_get_int(&seen, "count"), 7);
	ck_assert(!ocf_get_bool(&seen, "flag"));
	ck_assert(ocf_is_set(&seen, "count"));
}
END_TEST

START_TEST(what_is_not_set_is_the_default)
{
	setenv("OCF_RESKEY_flag", "", 1);
	ck_assert_int_eq(run("start"), OCF_SUCCESS);
	ck_assert_int_eq(ocf_get_int(&seen, "count"), 5);
	ck_assert(ocf_get_bool(&seen, "flag"));
	ck_assert(!ocf_is_set(&seen, "count"));
}
END_TEST

static const char *const not_actions[] = {
    "", "sta", "startx", "START", "start ", "no_cmd", "--start", "usage2"};

START_TEST(only_a_whole_word_is_an_action)
{
	ck_assert_int_eq(run(not_actions[_i]), OCF_ERR_UNIMPLEMENTED);
	ck_assert_int_eq(called, 0);
	ck_assert_ptr_nonnull(strstr(content(err_fd), "usage: dummy"));
}
END_TEST

START_TEST(no_action_is_unimplemented)
{
	ck_assert_int_eq(run(NULL), OCF_ERR_UNIMPLEMENTED);
}
END_TEST

START_TEST(usage_is_success)
{
	ck_assert_int_eq(run("--help"), OCF_SUCCESS);
	ck_assert_ptr_nonnull(strstr(content(out_fd), "OCF_RESKEY_<name>"));
	ck_assert_ptr_null(strstr(text, "notify"));
}
END_TEST

static const struct {
	const char *name, *value, *says;
} wrong[] = {
    {"name", "", "name: this parameter is required"},
    {"count", "0", "\"0\" is not a number from 1 to 10"},
    {"count", "11", "\"11\" is not a number from 1 to 10"},
    {"count", "-1", "is not a number"},
    {"count", "+1", "is not a number"},
    {"count", " 1", "is not a number"},
    {"count", "1 ", "is not a number"},
    {"count", "0x1", "is not a number"},
    {"count", "99999999999999999999999", "is not a number"},
    {"flag", "maybe", "neither true nor false"},
    {"flag", "tru", "neither true nor false"},
};

START_TEST(a_wrong_parameter_is_refused_by_a_strict_action)
{
	char key[64];

	snprintf(key, sizeof(key), "OCF_RESKEY_%s", wrong[_i].name);
	setenv(key, wrong[_i].value, 1);
	ck_assert_int_eq(run("start"), OCF_ERR_CONFIGURED);
	ck_assert_int_eq(called, 0);
	ck_assert_ptr_nonnull(strstr(content(err_fd), wrong[_i].says));
}
END_TEST

START_TEST(but_a_stop_goes_on_with_the_default)
{
	char key[64];

	snprintf(key, sizeof(key), "OCF_RESKEY_%s", wrong[_i].name);
	setenv(key, wrong[_i].value, 1);
	ck_assert_int_eq(run("stop"), OCF_SUCCESS);
	ck_assert_int_eq(called, 1);
	ck_assert_int_eq(ocf_get_int(&seen, "count"), 5);
	ck_assert(ocf_get_bool(&seen, "flag"));
	if (strcmp(wrong[_i].name, "name") == 0)
		ck_assert_str_eq(ocf_get(&seen, "name"), "");
}
END_TEST

START_TEST(the_agents_own_check_is_for_strict_actions)
{
	check_answer = OCF_ERR_INSTALLED;
	ck_assert_int_eq(run("start"), OCF_ERR_INSTALLED);
	ck_assert_int_eq(called, 0);
	ck_assert_int_eq(run("monitor"), OCF_SUCCESS);
	ck_assert_int_eq(called, 1);
}
END_TEST

START_TEST(booleans_are_the_usual_words)
{
	static const char *const yes[] = {
	    "true", "TRUE", "True", "yes", "on", "ON", "1", "y"};
	static const char *const no[] = {"false", "no", "OFF", "0", "n"};
	bool b;
	size_t i;

	for (i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		b = false;
		ck_assert(ocf_parse_bool(yes[i], &b) && b);
	}
	for (i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		b = true;
		ck_assert(ocf_parse_bool(no[i], &b) && !b);
	}
	ck_assert(!ocf_parse_bool("", &b));
	ck_assert(!ocf_parse_bool("11", &b));
}
END_TEST

START_TEST(a_probe_is_a_monitor_that_does_not_recur)
{
	run("monitor");
	ck_assert(seen.is_probe);
	setenv("OCF_RESKEY_CRM_meta_interval", "0", 1);
	run("monitor");
	ck_assert(seen.is_probe);
	setenv("OCF_RESKEY_CRM_meta_interval", "10000", 1);
	run("monitor");
	ck_assert(!seen.is_probe);
	setenv("OCF_RESKEY_CRM_meta_interval", "soon", 1);
	run("monitor");
	ck_assert(seen.is_probe);
}
END_TEST

static int64_t
time_left(const char *timeout_ms)
{
	int64_t now = ocf_now_ms();

	if (timeout_ms != NULL)
		setenv("OCF_RESKEY_CRM_meta_timeout", timeout_ms, 1);
	run("monitor");
	return seen.deadline_ms - now;
}

START_TEST(the_deadline_is_a_second_before_the_timeout)
{
	int64_t left = time_left("9000");

	ck_assert_int_ge(left, 8000);
	ck_assert_int_lt(left, 9000);
	ck_assert_int_eq(ocf_left_ms(&seen, 100), 100);
}
END_TEST

START_TEST(or_the_half_of_a_short_one)
{
	int64_t left = time_left("1000");

	ck_assert_int_ge(left, 500);
	ck_assert_int_lt(left, 1000);
}
END_TEST

START_TEST(without_a_timeout_it_is_the_tables)
{
	int64_t left = time_left(NULL);

	ck_assert_int_ge(left, 29000);
	ck_assert_int_lt(left, 30000);
	left = time_left("nonsense");
	ck_assert_int_ge(left, 29000);
}
END_TEST

START_TEST(a_deadline_that_is_over_leaves_nothing)
{
	struct ocf o = {.deadline_ms = ocf_now_ms() - 5};

	ck_assert_int_eq(ocf_left_ms(&o, 1000), 0);
}
END_TEST

START_TEST(the_check_level_is_read)
{
	run("monitor");
	ck_assert_int_eq(seen.level, 0);
	setenv("OCF_CHECK_LEVEL", "10", 1);
	run("monitor");
	ck_assert_int_eq(seen.level, 10);
	setenv("OCF_CHECK_LEVEL", "high", 1);
	run("monitor");
	ck_assert_int_eq(seen.level, 0);
}
END_TEST

START_TEST(the_instance_has_a_name)
{
	run("monitor");
	ck_assert_str_eq(seen.instance, "dummy");
	setenv("OCF_RESOURCE_INSTANCE", "vip:0", 1);
	run("monitor");
	ck_assert_str_eq(seen.instance, "vip:0");
}
END_TEST

START_TEST(meta_attributes_are_read)
{
	ck_assert_ptr_null(ocf_meta("clone_max"));
	setenv("OCF_RESKEY_CRM_meta_clone_max", "3", 1);
	ck_assert_str_eq(ocf_meta("clone_max"), "3");
	setenv("OCF_RESKEY_CRM_meta_clone_max", "", 1);
	ck_assert_ptr_null(ocf_meta("clone_max"));
}
END_TEST

START_TEST(a_failure_tells_why)
{
	ck_assert_int_eq(run("fail"), OCF_ERR_GENERIC);
	ck_assert_str_eq(
	    content(err_fd), "ocf-exit-reason:no luck for \"x\"\n");
}
END_TEST

START_TEST(with_the_prefix_that_is_asked_for)
{
	setenv("OCF_EXIT_REASON_PREFIX", "why: ", 1);
	run("fail");
	ck_assert_str_eq(content(err_fd), "why: no luck for \"x\"\n");
}
END_TEST

START_TEST(a_failure_is_logged)
{
	char path[] = "/tmp/check_ocf.XXXXXX";
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	setenv("HA_LOGFILE", path, 1);
	setenv("OCF_RESOURCE_INSTANCE", "vip", 1);
	run("fail");
	ck_assert_ptr_nonnull(strstr(content(fd), "  dummy(vip)["));
	ck_assert_ptr_nonnull(
	    strstr(text, "]:    ERROR: fail: no luck for \"x\"\n"));
	close(fd);
	unlink(path);
}
END_TEST

START_TEST(only_root_may_what_only_root_can)
{
	int want = geteuid() == 0 ? OCF_SUCCESS : OCF_ERR_PERM;

	ck_assert_int_eq(run("rooted"), want);
	if (geteuid() != 0)
		return;
	ck_assert_int_eq(seteuid(65534), 0);
	ck_assert_int_eq(run("rooted"), OCF_ERR_PERM);
	ck_assert_int_eq(run("start"), OCF_SUCCESS);
	ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

START_TEST(meta_data_needs_nothing)
{
	clearenv();
	ck_assert_int_eq(run("meta-data"), OCF_SUCCESS);
	ck_assert_int_eq(
	    strncmp(content(out_fd), "<?xml version=\"1.0\"?>\n", 22), 0);
	ck_assert_ptr_nonnull(strstr(text, "<version>1.1</version>"));
	ck_assert_int_eq(called, 0);
	ck_assert_str_eq(content(err_fd), "");
}
END_TEST

START_TEST(meta_data_comes_from_the_tables)
{
	run("meta-data");
	content(out_fd);
	ck_assert_ptr_nonnull(
	    strstr(text, "<parameter name=\"name\" required=\"1\" unique=\"1\" "
			 "unique-group=\"name\">"));
	ck_assert_ptr_nonnull(
	    strstr(text, "<parameter name=\"count\" reloadable=\"1\">"));
	ck_assert_ptr_nonnull(
	    strstr(text, "<content type=\"integer\" default=\"5\"/>"));
	ck_assert_ptr_nonnull(strstr(text, "A &lt;name&gt; &amp; more"));
	ck_assert_ptr_nonnull(strstr(text,
	    "<action name=\"monitor\" role=\"Promoted\" timeout=\"30s\" "
	    "interval=\"5s\" depth=\"0\"/>"));
	ck_assert_ptr_nonnull(
	    strstr(text, "<action name=\"meta-data\" timeout=\"5s\"/>"));
	ck_assert_ptr_null(strstr(text, "notify"));
}
END_TEST

START_TEST(the_manual_page_comes_from_the_tables)
{
	ck_assert_int_eq(run("--man"), OCF_SUCCESS);
	content(out_fd);
	ck_assert_ptr_nonnull(strstr(text, ".Dt OCF_CLAVIGER_DUMMY 7"));
	ck_assert_ptr_nonnull(strstr(text, ".It Cm count\n"));
	ck_assert_ptr_nonnull(strstr(text, "from 1 to 10, default 5"));
	ck_assert_ptr_nonnull(strstr(text, "\nSecond \"sentence\".\n.Pp\n"));
	ck_assert_ptr_nonnull(strstr(text, "\n\\&.SH not a macro"));
	ck_assert_ptr_null(strstr(text, "notify"));
}
END_TEST

START_TEST(output_that_cannot_be_written_is_a_failure)
{
	int full = open("/dev/full", O_WRONLY);

	ck_assert_int_ge(full, 0);
	dup2(full, out_fd);
	close(full);
	ck_assert_int_eq(run("meta-data"), OCF_ERR_GENERIC);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("ocf");
	TCase *t = tcase_create("agent");
	SRunner *r;
	int failed;
	const int wrongs = sizeof(wrong) / sizeof(wrong[0]);

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, an_action_is_called_with_its_parameters);
	tcase_add_test(t, what_is_not_set_is_the_default);
	tcase_add_loop_test(t, only_a_whole_word_is_an_action, 0,
	    sizeof(not_actions) / sizeof(not_actions[0]));
	tcase_add_test(t, no_action_is_unimplemented);
	tcase_add_test(t, usage_is_success);
	tcase_add_loop_test(
	    t, a_wrong_parameter_is_refused_by_a_strict_action, 0, wrongs);
	tcase_add_loop_test(t, but_a_stop_goes_on_with_the_default, 0, wrongs);
	tcase_add_test(t, the_agents_own_check_is_for_strict_actions);
	tcase_add_test(t, booleans_are_the_usual_words);
	tcase_add_test(t, a_probe_is_a_monitor_that_does_not_recur);
	tcase_add_test(t, the_deadline_is_a_second_before_the_timeout);
	tcase_add_test(t, or_the_half_of_a_short_one);
	tcase_add_test(t, without_a_timeout_it_is_the_tables);
	tcase_add_test(t, a_deadline_that_is_over_leaves_nothing);
	tcase_add_test(t, the_check_level_is_read);
	tcase_add_test(t, the_instance_has_a_name);
	tcase_add_test(t, meta_attributes_are_read);
	tcase_add_test(t, a_failure_tells_why);
	tcase_add_test(t, with_the_prefix_that_is_asked_for);
	tcase_add_test(t, a_failure_is_logged);
	tcase_add_test(t, only_root_may_what_only_root_can);
	tcase_add_test(t, meta_data_needs_nothing);
	tcase_add_test(t, meta_data_comes_from_the_tables);
	tcase_add_test(t, the_manual_page_comes_from_the_tables);
	tcase_add_test(t, output_that_cannot_be_written_is_a_failure);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
