/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <string.h>
#include <claviger/result.h>

START_TEST(every_result_has_a_name_a_text_and_a_status)
{
	ck_assert_ptr_nonnull(clv_result_name(-_i));
	ck_assert_ptr_nonnull(clv_result_text(-_i));
	ck_assert_uint_gt(strlen(clv_result_name(-_i)), 0);
	ck_assert_uint_gt(strlen(clv_result_text(-_i)), 0);
	ck_assert_int_eq(clv_result_exit(-_i) == 0, _i == 0);
	ck_assert_int_ge(clv_result_exit(-_i), 0);
	ck_assert_int_lt(clv_result_exit(-_i), 100);
}
END_TEST

START_TEST(names_differ_and_suit_a_script)
{
	const char *name = clv_result_name(-_i);
	int i;

	ck_assert_uint_eq(
	    strspn(name, "abcdefghijklmnopqrstuvwxyz-"), strlen(name));
	for (i = 0; i < _i; i++)
		ck_assert_str_ne(clv_result_name(-i), name);
}
END_TEST

START_TEST(texts_are_parts_of_a_sentence)
{
	const char *text = clv_result_text(-_i);

	ck_assert_int_ne(text[strlen(text) - 1], '.');
	ck_assert_ptr_null(strchr(text, '\n'));
}
END_TEST

START_TEST(what_is_no_result_is_a_protocol_failure)
{
	static const int strange[] = {
	    1, 1000, CLV_E_LAST, CLV_E_LAST - 1, -100000};
	int r = strange[_i];

	ck_assert_str_eq(clv_result_name(r), "protocol");
	ck_assert_str_eq(clv_result_text(r), clv_result_text(CLV_E_PROTOCOL));
	ck_assert_int_ne(clv_result_exit(r), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("result");
	TCase *t = tcase_create("the_table");
	SRunner *run;
	int failed;

	tcase_add_loop_test(
	    t, every_result_has_a_name_a_text_and_a_status, 0, -CLV_E_LAST);
	tcase_add_loop_test(t, names_differ_and_suit_a_script, 0, -CLV_E_LAST);
	tcase_add_loop_test(t, texts_are_parts_of_a_sentence, 0, -CLV_E_LAST);
	tcase_add_loop_test(t, what_is_no_result_is_a_protocol_failure, 0, 5);
	suite_add_tcase(s, t);
	run = srunner_create(s);
	srunner_run_all(run, CK_NORMAL);
	failed = srunner_ntests_failed(run);
	srunner_free(run);
	return failed != 0;
}
