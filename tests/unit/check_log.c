/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <claviger/result.h>
#include "daemon/base/log.h"

static char file[64];
static char text[65536];

static void
setup(void)
{
	int fd;

	snprintf(file, sizeof(file), "/tmp/check_log.XXXXXX");
	ck_assert_int_ge(fd = mkstemp(file), 0);
	close(fd);
	ck_assert_int_eq(unlink(file), 0);
	umask(077);
}

static void
teardown(void)
{
	log_close();
	unlink(file);
}

static const char *
read_back(void)
{
	int fd = open(file, O_RDONLY);
	ssize_t n;

	ck_assert_int_ge(fd, 0);
	n = read(fd, text, sizeof(text) - 1);
	ck_assert_int_ge(n, 0);
	close(fd);
	text[n] = '\0';
	return text;
}

START_TEST(lines_go_to_the_file_with_process_and_priority)
{
	struct stat st;

	ck_assert_int_eq(log_open("clavigerd-test", file, false), CLV_OK);
	log_error("first %d", 1);
	log_warning("second");
	log_notice("third");
	log_info("fourth");
	log_close();
	read_back();
	ck_assert_ptr_nonnull(strstr(text, "error: first 1\n"));
	ck_assert_ptr_nonnull(strstr(text, "warning: second\n"));
	ck_assert_ptr_nonnull(strstr(text, "notice: third\n"));
	ck_assert_ptr_nonnull(strstr(text, "info: fourth\n"));
	ck_assert_ptr_nonnull(strstr(text, "clavigerd-test["));
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
}
END_TEST

START_TEST(debug_lines_come_only_when_wanted)
{
	ck_assert_int_eq(log_open("t", file, false), CLV_OK);
	log_debug("quiet");
	log_close();
	ck_assert_ptr_null(strstr(read_back(), "quiet"));
	ck_assert_int_eq(log_open("t", file, true), CLV_OK);
	log_debug("loud");
	log_close();
	ck_assert_ptr_nonnull(strstr(read_back(), "debug: loud\n"));
}
END_TEST

START_TEST(the_process_name_changes_when_it_is_opened_again)
{
	ck_assert_int_eq(log_open("one", file, false), CLV_OK);
	log_info("a");
	log_close();
	ck_assert_int_eq(log_open("two", file, false), CLV_OK);
	log_info("b");
	log_close();
	read_back();
	ck_assert_ptr_nonnull(strstr(text, "one["));
	ck_assert_ptr_nonnull(strstr(text, "two["));
}
END_TEST

START_TEST(a_long_line_is_cut_and_stays_one_line)
{
	char big[5000];
	const char *p;

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	ck_assert_int_eq(log_open("t", file, false), CLV_OK);
	log_info("%s", big);
	log_info("a\nb\rc\ad");
	log_close();
	p = strstr(read_back(), "xxx");
	ck_assert_ptr_nonnull(p);
	ck_assert_uint_eq(strspn(p, "x"), 400);
	ck_assert_ptr_nonnull(strstr(text, "info: a?b?c?d\n"));
}
END_TEST

START_TEST(percent_signs_in_arguments_are_only_text)
{
	ck_assert_int_eq(log_open("t", file, false), CLV_OK);
	log_info("%s", "%s%n%d");
	log_close();
	ck_assert_ptr_nonnull(strstr(read_back(), "info: %s%n%d\n"));
}
END_TEST

START_TEST(a_file_that_cannot_be_opened_is_told)
{
	ck_assert_int_eq(log_open("t", "/nonexistent/x", false), CLV_E_SYSTEM);
	log_info("goes to syslog only");
}
END_TEST

START_TEST(before_it_is_open_errors_are_not_lost)
{
	int saved = dup(2);

	ck_assert_ptr_nonnull(freopen(file, "w", stderr));
	log_error("early %s", "x");
	log_debug("nothing");
	fflush(stderr);
	dup2(saved, 2);
	close(saved);
	ck_assert_str_eq(read_back(), "early x\n");
}
END_TEST

static const char *
quoted(const char *s, unsigned cap)
{
	static char dst[64];

	memset(dst, '#', sizeof(dst));
	ck_assert_ptr_eq(log_quote(s, dst, cap), dst);
	ck_assert_uint_lt(strlen(dst), cap);
	ck_assert_int_eq(dst[cap], '#');
	return dst;
}

START_TEST(quoted_text_is_printable_ascii)
{
	ck_assert_str_eq(quoted("", 32), "\"\"");
	ck_assert_str_eq(quoted("plain text", 32), "\"plain text\"");
	ck_assert_str_eq(quoted("a\"b\\c", 32), "\"a\\x22b\\x5cc\"");
	ck_assert_str_eq(
	    quoted("\n\x1b\x7f\xc3", 32), "\"\\x0a\\x1b\\x7f\\xc3\"");
}
END_TEST

START_TEST(quoted_text_is_cut_with_a_mark)
{
	ck_assert_str_eq(quoted("abcdefgh", 11), "\"abcdefgh\"");
	ck_assert_str_eq(quoted("abcdefghi", 11), "\"abcde...\"");
	ck_assert_str_eq(quoted("abcde\n", 11), "\"abcde...\"");
	ck_assert_str_eq(quoted("\n", 7), "\"\\x0a\"");
	for (unsigned cap = 1; cap < 20; cap++) {
		quoted("\n\n\n\n\n\n", cap);
		quoted("aaaaaaaaaaaaaaaaaaaaaaaa", cap);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("log");
	TCase *tc = tcase_create("log");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, lines_go_to_the_file_with_process_and_priority);
	tcase_add_test(tc, debug_lines_come_only_when_wanted);
	tcase_add_test(tc, the_process_name_changes_when_it_is_opened_again);
	tcase_add_test(tc, a_long_line_is_cut_and_stays_one_line);
	tcase_add_test(tc, percent_signs_in_arguments_are_only_text);
	tcase_add_test(tc, a_file_that_cannot_be_opened_is_told);
	tcase_add_test(tc, before_it_is_open_errors_are_not_lost);
	tcase_add_test(tc, quoted_text_is_printable_ascii);
	tcase_add_test(tc, quoted_text_is_cut_with_a_mark);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
