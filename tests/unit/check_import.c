/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include "daemon/cli/cli_import.h"

/* The reader of the original's files. */

static struct clv_guard *guard;
static struct import_record *records;
static char why[256];

static void
setup(void)
{
	ck_assert_int_ge(sodium_init(), 0);
	ck_assert_int_eq(clv_guard_new(65536, &guard), CLV_OK);
	records = NULL;
}

static void
teardown(void)
{
	import_free(guard, &records);
	ck_assert_uint_eq(clv_guard_used(guard), 0);
	clv_guard_free_all(&guard);
}

static int
take(const char *text, size_t len)
{
	import_free(guard, &records);
	return import_read(guard, text, len, &records, why);
}

static int
read_text(const char *text)
{
	return take(text, strlen(text));
}

/* As the manual prints it. */
static const char global[] =
    "<sso>\n"
    "<globalInfo>\n"
    "<ssoAdminAccount>DOM\\SSO Admins</ssoAdminAccount>\n"
    "<ssoAffiliateAdminAccount> DOM\\Affiliates </ssoAffiliateAdminAccount>\n"
    "<secretServer>mss2</secretServer>\n"
    "<auditDeletedApps>1000</auditDeletedApps>\n"
    "<ticketTimeout>2</ticketTimeout>\n"
    "</globalInfo>\n"
    "</sso>\n";
static const char application[] =
    "<?xml version=\"1.0\"?>\n"
    "<SSO>\n"
    "<application name=\"SAP\">\n"
    "<description>The SAP application</description>\n"
    "<contact>someone@example.com</contact>\n"
    "<appuserAccount>domain\\AppUserAccount</appuserAccount>\n"
    "<appAdminAccount>domain\\AppAdminAccount</appAdminAccount>\n"
    "<field ordinal=\"0\" label=\"User Id\" masked=\"no\" />\n"
    "<field ordinal=\"1\" label=\"Password\" masked=\"yes\" />\n"
    "<flags groupApp=\"no\" configStoreApp=\"no\" enableApp=\"no\" />\n"
    "</application>\n"
    "</SSO>\n";
static const char mapping[] =
    "<sso>\n"
    "<mapping>\n"
    "<windowsDomain>DOM</windowsDomain>\n"
    "<windowsUserId>joe</windowsUserId>\n"
    "<externalApplication>SAP</externalApplication>\n"
    "<externalUserId>SAPJOE</externalUserId>\n"
    "<externalPassword> s3cr&amp;t<![CDATA[<&]]></externalPassword>\n"
    "</mapping>\n"
    "</sso>\n";

START_TEST(settings_of_the_system_are_read)
{
	ck_assert_int_eq(read_text(global), CLV_OK);
	ck_assert_int_eq(records->kind, IMPORT_GLOBAL);
	ck_assert_uint_eq(records->line, 2);
	ck_assert_str_eq(records->admins, "DOM\\SSO Admins");
	ck_assert_str_eq(records->users, "DOM\\Affiliates");
	ck_assert_str_eq(records->server, "mss2");
	ck_assert_ptr_null(records->next);
}
END_TEST

START_TEST(an_application_is_read_in_whatever_case)
{
	ck_assert_int_eq(read_text(application), CLV_OK);
	ck_assert_int_eq(records->kind, IMPORT_APP);
	ck_assert_uint_eq(records->line, 3);
	ck_assert_str_eq(records->app, "SAP");
	ck_assert_str_eq(records->users, "domain\\AppUserAccount");
	ck_assert_str_eq(records->admins, "domain\\AppAdminAccount");
}
END_TEST

START_TEST(a_mapping_is_read_with_its_password)
{
	ck_assert_int_eq(read_text(mapping), CLV_OK);
	ck_assert_int_eq(records->kind, IMPORT_MAPPING);
	ck_assert_str_eq(records->domain, "DOM");
	ck_assert_str_eq(records->user, "joe");
	ck_assert_str_eq(records->app, "SAP");
	ck_assert_str_eq(records->external, "SAPJOE");
	ck_assert_str_eq(records->password, " s3cr&t<&");
	ck_assert_uint_ne(clv_guard_used(guard), 0);
}
END_TEST

START_TEST(an_empty_password_is_none)
{
	ck_assert_int_eq(
	    read_text("<mapping><windowsUserId>u</windowsUserId>"
		      "<externalApplication>a</externalApplication>"
		      "<externalUserId>x</externalUserId>"
		      "<externalPassword/></mapping>"),
	    CLV_OK);
	ck_assert_ptr_null(records->password);
}
END_TEST

START_TEST(a_record_may_stand_alone_and_many_together)
{
	ck_assert_int_eq(read_text("<globalinfo/>"), CLV_OK);
	ck_assert_int_eq(read_text("<sso><globalInfo/><application name='a'/>"
				   "<application Name='b'/></sso>"),
	    CLV_OK);
	ck_assert_str_eq(records->next->app, "a");
	ck_assert_str_eq(records->next->next->app, "b");
	ck_assert_ptr_null(records->next->next->next);
}
END_TEST

START_TEST(what_has_no_counterpart_is_named_with_the_reason)
{
	const char *reason = NULL;
	unsigned i = 0;

	ck_assert_int_eq(read_text(global), CLV_OK);
	ck_assert_str_eq(
	    import_left_out(records, &i, &reason), "auditDeletedApps");
	ck_assert_str_eq(
	    import_left_out(records, &i, &reason), "ticketTimeout");
	ck_assert_ptr_nonnull(strstr(reason, "tickets"));
	ck_assert_ptr_null(import_left_out(records, &i, &reason));
}
END_TEST

#define M(inside) \
	"<mapping><windowsUserId>u</windowsUserId><externalApplication>a" \
	"</externalApplication><externalUserId>x</externalUserId>" inside \
	"</mapping>"

static const struct {
	const char *text, *why;
} malformed[] = {
    /* the audit sample of the manual */
    {"<sso>\n<globalnfo>\n<auditDeletedApps>1</auditDeletedApps>\n"
     "</globalInfo>\n</sso>\n",
	"line 2, column 11: there can be no element <globalnfo> here; is it "
	"<globalInfo>?"},
    {"<sso>\n<globalInfo>\n</globalnfo>\n</sso>\n",
	"line 3, column 13: an element ends with another name"},
    {"<sso>\n<application name=\xe2\x80\x9d"
     "A\xe2\x80\x9d/></sso>",
	"line 2, column 19: the value of an attribute stands in no plain"},
    {"", "no XML"},
    {"ssobackup", "line 1, column 1: this is no XML"},
    {"<sso>", "ends before its elements do"},
    {"<sso/>", "no <globalInfo>, <application> or <mapping>"},
    {"<sso><globalInfo/></sso>x", "behind the end"},
    {"<sso><globalInfo/>\nx</sso>", "line 2"},
    {"<sso>x<globalInfo/></sso>", "text where only elements"},
    {"<sso><secretServer>x</secretServer></sso>", "no element <secretServer>"},
    {"<sso><sso><globalInfo/></sso></sso>", "no element <sso>"},
    {"<globalInfo><secretServer><b/></secretServer></globalInfo>",
	"no element in <secretServer>"},
    {"<globalInfo><secretServer>a</secretServer><secretserver>b"
     "</secretserver></globalInfo>",
	"stands there twice"},
    {"<globalInfo><secretServer>a&#10;b</secretServer></globalInfo>",
	"control character"},
    {"<application/>", "no name"},
    {"<application name='a' name='b'/>", "twice"},
    {"<application name='abcdef' Name='x'/>", "twice"},
    {"<mapping><windowsUserId>u</windowsUserId></mapping>", "lacks"},
    {"<!DOCTYPE sso [<!ENTITY a 'b'>]><sso><globalInfo/></sso>",
	"no document type"},
    {"<!DOCTYPE sso SYSTEM 'file:///etc/passwd'><sso/>", "no document type"},
    {"<globalInfo><secretServer>&a;</secretServer></globalInfo>",
	"an entity that XML does not have"},
    {M("<externalPassword>hun&ter2;</externalPassword>"), "entity"},
    {M("<externalPassword>hun<ter2</externalPassword>"), "a name is missing"},
    {M("<externalPassword>hun<ter2>x</ter2></externalPassword>"),
	"no element in <externalPassword>"},
    {M("<externalPassword>hun&ter2</externalPassword>"), "line 1"},
    {"<globalInfo>\x01</globalInfo>", "character"},
    {"<?xml version='1.0' encoding='x-no'?><globalInfo/>", "encoding"},
};

START_TEST(what_is_wrong_is_told_with_line_and_column)
{
	int r = read_text(malformed[_i].text);

	ck_assert_int_eq(r, CLV_E_FORMAT);
	ck_assert_msg(
	    strstr(why, malformed[_i].why) != NULL, "%d: %s", _i, why);
	ck_assert_msg(strstr(why, "ter2") == NULL, "%s", why);
	ck_assert_msg(strstr(why, "passwd") == NULL, "%s", why);
	ck_assert_ptr_null(records);
}
END_TEST

/* n elements, each in the one before it. */
static char *
nest(size_t n)
{
	char *text = calloc(n, 7 + 8);

	for (size_t i = 0; i < n; i++)
		memcpy(text + strlen(text), "<field>", 7);
	for (size_t i = 0; i < n; i++)
		memcpy(text + 7 * n + 8 * i, "</field>", 8);
	return text;
}

START_TEST(size_number_and_depth_are_bounded)
{
	char *text = nest(1000), *big = malloc(IMPORT_FILE_MAX + 1);
	size_t at = 5;

	ck_assert_int_eq(take(text, 15000), CLV_E_FORMAT);
	memset(big, ' ', IMPORT_FILE_MAX + 1);
	ck_assert_int_eq(take(big, IMPORT_FILE_MAX + 1), CLV_E_FULL);
	memcpy(big, "<sso>", 5);
	for (size_t i = 0; i <= IMPORT_RECORDS_MAX; i++, at += 13)
		memcpy(big + at, "<globalInfo/>", 13);
	memcpy(big + at, "</sso>", 6);
	ck_assert_int_eq(take(big, at + 6), CLV_E_FULL);
	ck_assert_ptr_nonnull(strstr(why, "4096"));
	memcpy(big + at - 13, "             ", 13);
	ck_assert_int_eq(take(big, at + 6), CLV_OK);
	memset(big, 'a', 2000);
	memcpy(big, "<globalInfo><secretServer>", 26);
	memcpy(big + 2000, "</secretServer></globalInfo>", 28);
	ck_assert_int_eq(take(big, 2028), CLV_E_FORMAT);
	ck_assert_ptr_nonnull(strstr(why, "too long"));
	free(big);
	free(text);
}
END_TEST

START_TEST(every_truncation_and_every_other_byte_is_taken_or_refused)
{
	char text[sizeof(mapping)];
	int r;

	for (size_t i = 0; i < sizeof(mapping) - 2; i++) {
		r = take(mapping, i);
		ck_assert_int_eq(r, CLV_E_FORMAT);
		ck_assert_msg(strstr(why, "s3cr") == NULL, "%s", why);
		ck_assert_uint_eq(clv_guard_used(guard), 0);
	}
	for (size_t i = 0; i < sizeof(mapping) - 1; i++)
		for (int bit = 0; bit < 8; bit++) {
			memcpy(text, mapping, sizeof(text));
			text[i] = (char)(text[i] ^ 1 << bit);
			r = take(text, sizeof(text) - 1);
			ck_assert(r == CLV_OK || r == CLV_E_FORMAT);
			ck_assert(r == CLV_OK || strstr(why, "3cr") == NULL);
		}
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

int
main(void)
{
	Suite *s = suite_create("import");
	TCase *t = tcase_create("reader");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, settings_of_the_system_are_read);
	tcase_add_test(t, an_application_is_read_in_whatever_case);
	tcase_add_test(t, a_mapping_is_read_with_its_password);
	tcase_add_test(t, an_empty_password_is_none);
	tcase_add_test(t, a_record_may_stand_alone_and_many_together);
	tcase_add_test(t, what_has_no_counterpart_is_named_with_the_reason);
	tcase_add_loop_test(
	    t, what_is_wrong_is_told_with_line_and_column, 0, COUNT(malformed));
	tcase_add_test(t, size_number_and_depth_are_bounded);
	tcase_add_test(
	    t, every_truncation_and_every_other_byte_is_taken_or_refused);
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
