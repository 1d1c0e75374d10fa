/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include "core.h"

static const struct {
	const char *acl;
	int result;
} acls[] = {
    {"", CLV_OK},
    {"user:ada", CLV_OK},
    {"group:wheel", CLV_OK},
    {"unit:crm.service", CLV_OK},
    {"user:ada,group:ada,unit:ada.service", CLV_OK},
    {"user:_apt,user:ada.l,user:host$,user:a1,user:1a", CLV_OK},
    {"user:ada@example.org,user:DOMAIN\\ada", CLV_OK},
    {"unit:crm@1.service,unit:a:b-c_d.service", CLV_OK},
    {"user:crm.service", CLV_OK},
    {",", CLV_E_INVALID},
    {"ada", CLV_E_INVALID},
    {"user", CLV_E_INVALID},
    {"user:", CLV_E_INVALID},
    {"User:ada", CLV_E_INVALID},
    {"uid:1000", CLV_E_INVALID},
    {"user:1000", CLV_E_INVALID},
    {"group:0", CLV_E_INVALID},
    {"user:-ada", CLV_E_INVALID},
    {"user:a b", CLV_E_INVALID},
    {" user:ada", CLV_E_INVALID},
    {"user:a/b", CLV_E_INVALID},
    {"user:a:b", CLV_E_INVALID},
    {"user:*", CLV_E_INVALID},
    {"user:a\n", CLV_E_INVALID},
    {"user:\xc3\xa9", CLV_E_INVALID},
    {"user:ada,", CLV_E_INVALID},
    {",user:ada", CLV_E_INVALID},
    {"user:ada,,user:bob", CLV_E_INVALID},
    {"user:ada, user:bob", CLV_E_INVALID},
    {"user:ada,user:ada", CLV_E_INVALID},
    {"user:ada,group:x,user:ada", CLV_E_INVALID},
    {"unit:crm", CLV_E_INVALID},
    {"unit:.service", CLV_E_INVALID},
    {"unit:crm.socket", CLV_E_INVALID},
    {"unit:crm.service.d", CLV_E_INVALID},
    {"unit:a/b.service", CLV_E_INVALID},
};

START_TEST(access_lists_are_checked)
{
	ck_assert_msg(clv_acl_check(acls[_i].acl) == acls[_i].result, "\"%s\"",
	    acls[_i].acl);
}
END_TEST

START_TEST(name_that_begins_another_is_not_taken_for_it)
{
	ck_assert_int_eq(clv_acl_check("user:ad,user:ada,user:a"), CLV_OK);
	ck_assert(clv_acl_has("user:ada,user:a", "user:a"));
	ck_assert(!clv_acl_has("user:ada,user:ab", "user:a"));
	ck_assert(!clv_acl_has("user:a", "user:ada"));
	ck_assert(!clv_acl_has("", "user:a"));
	ck_assert(!clv_acl_has("user:a,user:b", "user:a,user:b"));
}
END_TEST

START_TEST(a_list_of_subjects_is_not_one)
{
	ck_assert_int_eq(clv_subject_check("user:a"), CLV_OK);
	ck_assert_int_eq(clv_subject_check(""), CLV_E_INVALID);
	ck_assert_int_eq(clv_subject_check("user:a,user:b"), CLV_E_INVALID);
}
END_TEST

static void
expect_next(const char **acl, enum clv_subject kind, const char *name)
{
	char found[CLV_SUBJECT_MAX];
	enum clv_subject k;

	ck_assert(clv_acl_next(acl, &k, found));
	ck_assert_int_eq(k, kind);
	ck_assert_str_eq(found, name);
}

START_TEST(subjects_are_given_out_one_by_one)
{
	const char *acl = "user:ada,unit:a:b.service,group:dev";
	char name[CLV_SUBJECT_MAX] = "kept";
	enum clv_subject kind = 0;

	expect_next(&acl, CLV_SUBJECT_USER, "ada");
	expect_next(&acl, CLV_SUBJECT_UNIT, "a:b.service");
	expect_next(&acl, CLV_SUBJECT_GROUP, "dev");
	ck_assert(!clv_acl_next(&acl, &kind, name));
	ck_assert_str_eq(name, "kept");
}
END_TEST

START_TEST(subjects_are_added_at_the_end_and_once)
{
	char acl[CLV_ACL_MAX] = "";

	ck_assert_int_eq(clv_acl_add(acl, "user:ada", acl), CLV_OK);
	ck_assert_int_eq(clv_acl_add(acl, "group:dev", acl), CLV_OK);
	ck_assert_str_eq(acl, "user:ada,group:dev");
	ck_assert_int_eq(clv_acl_add(acl, "user:ada", acl), CLV_E_EXISTS);
	ck_assert_int_eq(clv_acl_add(acl, "dev", acl), CLV_E_INVALID);
	ck_assert_int_eq(clv_acl_add(acl, "user:b,user:c", acl), CLV_E_INVALID);
	ck_assert_str_eq(acl, "user:ada,group:dev");
}
END_TEST

START_TEST(subjects_are_dropped_from_anywhere)
{
	char acl[CLV_ACL_MAX] = "user:a,user:ab,user:b,user:c";

	ck_assert_int_eq(clv_acl_drop(acl, "user:ab", acl), CLV_OK);
	ck_assert_str_eq(acl, "user:a,user:b,user:c");
	ck_assert_int_eq(clv_acl_drop(acl, "user:ab", acl), CLV_E_NOT_FOUND);
	ck_assert_int_eq(clv_acl_drop(acl, "user:a", acl), CLV_OK);
	ck_assert_int_eq(clv_acl_drop(acl, "user:c", acl), CLV_OK);
	ck_assert_str_eq(acl, "user:b");
	ck_assert_int_eq(clv_acl_drop(acl, "user:b", acl), CLV_OK);
	ck_assert_str_eq(acl, "");
	ck_assert_int_eq(clv_acl_drop(acl, "user:b", acl), CLV_E_NOT_FOUND);
}
END_TEST

START_TEST(longest_access_list_is_taken_and_one_more_is_not)
{
	char acl[CLV_ACL_MAX + 1] = "", subject[32];
	int i;

	for (i = 0; strlen(acl) + 20 < CLV_ACL_MAX; i++) {
		snprintf(subject, sizeof(subject), "user:x%03d", i);
		ck_assert_int_eq(clv_acl_add(acl, subject, acl), CLV_OK);
	}
	snprintf(subject, sizeof(subject), "user:%.*s",
	    (int)(CLV_ACL_MAX - 1 - strlen(acl) - 6), "yyyyyyyyyyyyyyyy");
	ck_assert_int_eq(clv_acl_add(acl, subject, acl), CLV_OK);
	ck_assert_uint_eq(strlen(acl), CLV_ACL_MAX - 1);
	ck_assert_int_eq(clv_acl_check(acl), CLV_OK);
	ck_assert_int_eq(clv_acl_add(acl, "user:z", acl), CLV_E_FULL);
	ck_assert_uint_eq(strlen(acl), CLV_ACL_MAX - 1);
	strcat(acl, "y");
	ck_assert_int_eq(clv_acl_check(acl), CLV_E_INVALID);
}
END_TEST

START_TEST(longest_name_is_taken_and_one_more_is_not)
{
	char subject[5 + CLV_SUBJECT_MAX + 1] = "user:";

	memset(subject + 5, 'a', CLV_SUBJECT_MAX - 1);
	ck_assert_int_eq(clv_subject_check(subject), CLV_OK);
	subject[5 + CLV_SUBJECT_MAX - 1] = 'a';
	ck_assert_int_eq(clv_subject_check(subject), CLV_E_INVALID);
}
END_TEST

START_TEST(access_list_is_replaced_by_a_copy)
{
	char text[] = "user:ada", *acl = NULL;

	ck_assert_int_eq(clv_acl_set(&acl, ""), CLV_OK);
	ck_assert_int_eq(clv_acl_set(&acl, text), CLV_OK);
	text[5] = 'X';
	ck_assert_str_eq(acl, "user:ada");
	free(acl);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("acl");
	TCase *c = tcase_create("access_lists");

	tcase_add_loop_test(
	    c, access_lists_are_checked, 0, sizeof(acls) / sizeof(acls[0]));
	tcase_add_test(c, name_that_begins_another_is_not_taken_for_it);
	tcase_add_test(c, a_list_of_subjects_is_not_one);
	tcase_add_test(c, subjects_are_given_out_one_by_one);
	tcase_add_test(c, subjects_are_added_at_the_end_and_once);
	tcase_add_test(c, subjects_are_dropped_from_anywhere);
	tcase_add_test(c, longest_access_list_is_taken_and_one_more_is_not);
	tcase_add_test(c, longest_name_is_taken_and_one_more_is_not);
	tcase_add_test(c, access_list_is_replaced_by_a_copy);
	suite_add_tcase(s, c);
	return run_suite(s);
}
