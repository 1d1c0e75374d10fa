/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <claviger/result.h>

#include "daemon/admin/admin_ops.h"
#include "daemon/api/authorize.h"
#include "accounts.h"

/* What requests on applications do to the list, and who may make them. */

static struct clv_list *list; /* in force */
static struct admin_change change;
static struct clv_buf args;
static char why[ADMIN_WHY_MAX];

static void
add_app(const char *name, const char *admins, const char *users)
{
	struct clv_list_app *a = clv_list_add_app(list);

	snprintf(a->name, sizeof(a->name), "%s", name);
	ck_assert_int_eq(clv_acl_set(&a->admins, admins), CLV_OK);
	ck_assert_int_eq(clv_acl_set(&a->users, users), CLV_OK);
}

static void
set_up(void)
{
	accounts_fail = 0;
	memset(&change, 0, sizeof(change));
	why[0] = '\0';
	clv_buf_init(&args);
	ck_assert_int_eq(clv_list_new(&list), CLV_OK);
	add_app("crm", "user:ada", "user:bob,unit:crm.service");
	add_app("old", "", "");
}

static void
tear_down(void)
{
	clv_buf_fini(&args);
	clv_list_free(&change.next);
	clv_list_free(&list);
}

static struct clv_rd
request(void)
{
	struct clv_rd r;

	clv_rd_init(&r, args.data, args.len);
	return r;
}

static int
apply(enum admin_op op)
{
	struct clv_rd r = request();

	clv_list_free(&change.next);
	ck_assert_int_eq(clv_list_copy(list, &change.next), CLV_OK);
	change.op = (uint8_t)op;
	change.nothing = false;
	return admin_apply(&change, &r);
}

static bool
is_done(const struct clv_list *l, enum admin_op op)
{
	struct clv_rd r = request();

	return admin_is_done(l, (uint8_t)op, &r);
}

static void
ask_add(const char *name, const char *admins, const char *users, uint32_t keep)
{
	clv_buf_reset(&args);
	clv_buf_str(&args, name);
	clv_buf_str(&args, admins);
	clv_buf_str(&args, users);
	clv_buf_u32(&args, keep);
}

static void
ask_grant(const char *name, uint8_t as_admin, const char *subject)
{
	clv_buf_reset(&args);
	clv_buf_str(&args, name);
	clv_buf_u8(&args, as_admin);
	clv_buf_str(&args, subject);
}

static void
ask_name(const char *name)
{
	clv_buf_reset(&args);
	clv_buf_str(&args, name);
}

static void
ask_setting(const char *key, const char *value)
{
	clv_buf_reset(&args);
	clv_buf_str(&args, key);
	clv_buf_str(&args, value);
}

static const struct clv_list_app *
app(const char *name)
{
	return clv_list_app_by_name(change.next, name);
}

/* The list. */

START_TEST(application_is_added)
{
	ask_add("hr", "user:ada", "group:dev", 5);
	ck_assert_int_eq(apply(ADMIN_APP_ADD), CLV_OK);
	ck_assert_str_eq(app("hr")->admins, "user:ada");
	ck_assert_str_eq(app("hr")->users, "group:dev");
	ck_assert_uint_eq(app("hr")->keep, 5);
	ck_assert(is_done(change.next, ADMIN_APP_ADD));
	ck_assert(!is_done(list, ADMIN_APP_ADD));
	ask_add("hr", "user:ada", "group:dev", 6);
	ck_assert(!is_done(change.next, ADMIN_APP_ADD));
	ask_add("hr", "user:ada", "", 5);
	ck_assert(!is_done(change.next, ADMIN_APP_ADD));
}
END_TEST

static const struct {
	const char *name, *admins, *users;
	int result;
} additions[] = {
    {"crm", "", "", CLV_E_EXISTS}, {"all", "", "", CLV_E_INVALID},
    {"", "", "", CLV_E_INVALID}, {"a/b", "", "", CLV_E_INVALID},
    {"-a", "", "", CLV_E_INVALID}, {"hr", "ada", "", CLV_E_INVALID},
    {"hr", "", "user:ada,", CLV_E_INVALID},
    {"hr", "unit:hr.service", "", CLV_E_INVALID},
    {"hr", "", "unit:hr.service", CLV_OK},
    {"hr", "user:nobody-here", "", CLV_OK}, /* may be on member hosts */
};

START_TEST(additions_are_checked)
{
	ask_add(
	    additions[_i].name, additions[_i].admins, additions[_i].users, 0);
	ck_assert_int_eq(apply(ADMIN_APP_ADD), additions[_i].result);
	ck_assert_str_ne(change.text, "");
}
END_TEST

START_TEST(more_applications_than_fit_are_refused)
{
	char name[16];

	while (list->app_count < CLV_LIST_APPS_MAX) {
		snprintf(name, sizeof(name), "x%zu", list->app_count);
		add_app(name, "", "");
	}
	ask_add("hr", "", "", 0);
	ck_assert_int_eq(apply(ADMIN_APP_ADD), CLV_E_FULL);
	ck_assert_ptr_nonnull(strstr(change.text, "4096"));
}
END_TEST

START_TEST(application_is_removed)
{
	ask_name("crm");
	ck_assert(!is_done(list, ADMIN_APP_REMOVE));
	ck_assert_int_eq(apply(ADMIN_APP_REMOVE), CLV_OK);
	ck_assert_ptr_null(app("crm"));
	ck_assert_ptr_nonnull(app("old"));
	ck_assert(is_done(change.next, ADMIN_APP_REMOVE));
	ask_name("hr");
	ck_assert_int_eq(apply(ADMIN_APP_REMOVE), CLV_E_NOT_FOUND);
}
END_TEST

START_TEST(grants_are_added_to_the_right_list)
{
	ask_grant("crm", 0, "group:dev");
	ck_assert_int_eq(apply(ADMIN_APP_GRANT), CLV_OK);
	ck_assert_str_eq(
	    app("crm")->users, "user:bob,unit:crm.service,group:dev");
	ck_assert_str_eq(app("crm")->admins, "user:ada");
	ck_assert(is_done(change.next, ADMIN_APP_GRANT));
	ck_assert(!is_done(change.next, ADMIN_APP_REVOKE));
	ck_assert(!is_done(list, ADMIN_APP_GRANT));
	ask_grant("crm", 1, "group:dev");
	ck_assert(!is_done(change.next, ADMIN_APP_GRANT));
	ck_assert_int_eq(apply(ADMIN_APP_GRANT), CLV_OK);
	ck_assert_str_eq(app("crm")->admins, "user:ada,group:dev");
}
END_TEST

START_TEST(what_is_granted_already_changes_nothing)
{
	ask_grant("crm", 0, "user:bob");
	ck_assert_int_eq(apply(ADMIN_APP_GRANT), CLV_OK);
	ck_assert(change.nothing);
	ck_assert_str_eq(change.text, "user:bob is a user of crm");
}
END_TEST

static const struct {
	const char *name;
	uint8_t as_admin;
	const char *subject;
	int result;
} grants[] = {
    {"hr", 0, "user:bob", CLV_E_NOT_FOUND},
    {"crm", 2, "user:bob", CLV_E_PROTOCOL},
    {"crm", 0, "bob", CLV_E_INVALID},
    {"crm", 0, "", CLV_E_INVALID},
    {"crm", 0, "user:x,user:y", CLV_E_INVALID},
    {"crm", 1, "unit:crm.service", CLV_E_INVALID},
    {"crm", 0, "unit:crm.socket", CLV_E_INVALID},
};

START_TEST(grants_are_checked)
{
	ask_grant(grants[_i].name, grants[_i].as_admin, grants[_i].subject);
	ck_assert_int_eq(apply(ADMIN_APP_GRANT), grants[_i].result);
}
END_TEST

START_TEST(full_access_list_is_told)
{
	char subject[CLV_SUBJECT_MAX];
	struct clv_list_app *a = clv_list_app_by_name(list, "crm");
	char acl[CLV_ACL_MAX] = "";
	int r = CLV_OK;

	for (int i = 0; r == CLV_OK; i++) {
		snprintf(subject, sizeof(subject), "user:u%d", i);
		r = clv_acl_add(acl, subject, acl);
	}
	ck_assert_int_eq(clv_acl_set(&a->users, acl), CLV_OK);
	ask_grant("crm", 0, subject);
	ck_assert_int_eq(apply(ADMIN_APP_GRANT), CLV_E_FULL);
	ck_assert_ptr_nonnull(strstr(change.text, "group"));
}
END_TEST

START_TEST(revocation_takes_one_subject_away)
{
	ask_grant("crm", 0, "user:bob");
	ck_assert_int_eq(apply(ADMIN_APP_REVOKE), CLV_OK);
	ck_assert_str_eq(app("crm")->users, "unit:crm.service");
	ck_assert(is_done(change.next, ADMIN_APP_REVOKE));
	ck_assert(!is_done(list, ADMIN_APP_REVOKE));
	ask_grant("crm", 1, "user:bob");
	ck_assert_int_eq(apply(ADMIN_APP_REVOKE), CLV_E_NOT_FOUND);
	ask_grant("hr", 1, "user:bob");
	ck_assert_int_eq(apply(ADMIN_APP_REVOKE), CLV_E_NOT_FOUND);
	ck_assert(!is_done(list, ADMIN_APP_REVOKE));
}
END_TEST

START_TEST(truncated_requests_are_refused)
{
	static const enum admin_op ops[] = {
	    ADMIN_APP_ADD, ADMIN_APP_REMOVE, ADMIN_APP_GRANT, ADMIN_APP_REVOKE};

	for (size_t i = 0; i < 4; i++) {
		size_t len;

		if (ops[i] == ADMIN_APP_ADD)
			ask_add("hr", "user:ada", "", 0);
		else if (ops[i] == ADMIN_APP_REMOVE)
			ask_name("crm");
		else
			ask_grant("crm", 0, "user:bob");
		for (len = args.len; args.len-- > 0;) {
			ck_assert_int_eq(apply(ops[i]), CLV_E_PROTOCOL);
			ck_assert(!is_done(list, ops[i]));
		}
		args.len = len;
		clv_buf_u8(&args, 0);
		ck_assert_int_eq(apply(ops[i]), CLV_E_PROTOCOL);
	}
}
END_TEST

START_TEST(administrators_are_settings)
{
	ask_setting("system_admins", "user:ada,group:wheel");
	ck_assert_int_eq(apply(ADMIN_SETTING), CLV_OK);
	ck_assert_str_eq(change.next->system_admins, "user:ada,group:wheel");
	ck_assert(is_done(change.next, ADMIN_SETTING));
	ck_assert(!is_done(list, ADMIN_SETTING));
	ck_assert_str_eq(list->system_admins, ""); /* asking changed nothing */
	ask_setting("app_creators", "group:dev");
	ck_assert_int_eq(apply(ADMIN_SETTING), CLV_OK);
	ck_assert_str_eq(change.next->creators, "group:dev");
	ask_setting("app_creators", "");
	ck_assert_int_eq(apply(ADMIN_SETTING), CLV_OK);
	ask_setting("app_creators", "unit:x.service");
	ck_assert_int_eq(apply(ADMIN_SETTING), CLV_E_INVALID);
	ask_setting("system_admins", "ada");
	ck_assert_int_eq(apply(ADMIN_SETTING), CLV_E_INVALID);
	ck_assert_ptr_nonnull(strstr(change.text, "user:NAME"));
}
END_TEST

/* Rights: ada administers crm, bob uses it, carl (uid 3) is nobody; wheel are
 * system administrators, dev are creators. */
static const gid_t wheel[] = {10}, dev[] = {2001};
static const struct auth_caller ada = {1001, 1, NULL, 0, NULL};
static const struct auth_caller bob = {1002, 1, NULL, 0, NULL};
static const struct auth_caller carl = {3, 3, NULL, 0, NULL};
static const struct auth_caller admin = {4, 4, wheel, 1, NULL};
static const struct auth_caller creator = {5, 5, dev, 1, NULL};
static const struct auth_caller *const people[] = {
    NULL, &admin, &creator, &ada, &bob, &carl};

static void
set_rights(void)
{
	clv_acl_set(&list->system_admins, "group:wheel");
	clv_acl_set(&list->creators, "group:dev");
}

static int
may(const struct auth_caller *c, enum admin_op op)
{
	struct clv_rd r = request();

	return admin_may(list, c, (uint8_t)op, &r, why);
}

/* One letter for each of people: y may. */
static const struct {
	enum admin_op op;
	const char *may;
} rights[] = {
    {ADMIN_NODE_APPROVE, "yy...."},
    {ADMIN_NODE_REVOKE, "yy...."},
    {ADMIN_MEMBER_ADD, "yy...."},
    {ADMIN_MEMBER_REVOKE, "yy...."},
    {ADMIN_MEMBER_SCOPE, "yy...."},
    {ADMIN_MEMBER_ROTATE, "yy...."},
    {ADMIN_TOKEN_ADD, "yy...."},
    {ADMIN_TOKEN_DROP, "yy...."},
    {ADMIN_MEMBER_JOIN, "y....."},
    {ADMIN_SETTING, "yy...."},
    {ADMIN_BACKUP_DONE, "yy...."},
    {ADMIN_JOINS, "yy...."},
    {ADMIN_BACKUPS, "yy...."},
    {ADMIN_ESCROW, "yy...."},
    {ADMIN_ROTATE_BEGIN, "yy...."},
    {ADMIN_ROTATE_FINISH, "yy...."},
    {ADMIN_ROTATE_CURRENT, "y....."},
    {ADMIN_REENCRYPT, "yy...."},
    {ADMIN_REENCRYPTED, "y....."},
    {ADMIN_CERT_NEXT, "yy...."},
    {ADMIN_CERT_SWITCH, "y....."},
    {ADMIN_CERT_DROP, "y....."},
    {ADMIN_CERT_STATE, "yy...."},
    {ADMIN_CERTIFICATE, "yy...."},
    {ADMIN_ROLLBACK, "y....."},
    {ADMIN_ROLLBACK_APP, "y....."},
    {ADMIN_APP_ADD, "yyy..."},
    {ADMIN_APP_REMOVE, "yy.y.."},
    {ADMIN_APP_GRANT, "yy.y.."},
    {ADMIN_APP_REVOKE, "yy.y.."},
    {ADMIN_APPS, "yy.yy."},
    {ADMIN_APP_COUNT, "yy.yy."},
    {(enum admin_op)200, "y....."},
};

START_TEST(requests_are_for_those_who_may)
{
	set_rights();
	ask_name("crm");
	for (size_t i = 0; i < 6; i++) {
		int r = may(people[i], rights[_i].op);

		ck_assert_msg(
		    r == (rights[_i].may[i] == 'y' ? CLV_OK : CLV_E_DENIED),
		    "%d by %zu: %d", rights[_i].op, i, r);
		ck_assert_int_eq(why[0] != '\0', r != CLV_OK);
		why[0] = '\0';
	}
}
END_TEST

START_TEST(rights_in_one_application_are_none_in_another)
{
	set_rights();
	ask_name("old");
	ck_assert_int_eq(may(&ada, ADMIN_APP_GRANT), CLV_E_DENIED);
	ask_name("hr"); /* there is none */
	ck_assert_int_eq(may(&ada, ADMIN_APP_REMOVE), CLV_E_DENIED);
	ask_name("");
	ck_assert_int_eq(may(&ada, ADMIN_APPS), CLV_E_DENIED);
	ck_assert_int_eq(may(&admin, ADMIN_APPS), CLV_OK);
	clv_buf_reset(&args);
	ck_assert_int_eq(may(&ada, ADMIN_APP_GRANT), CLV_E_DENIED);
}
END_TEST

/* Locking out. */

static int
locks_out(const struct auth_caller *c, enum admin_op op)
{
	struct clv_rd r = request();

	ck_assert_int_eq(apply(op), CLV_OK);
	return admin_locks_out(list, change.next, c, (uint8_t)op, &r, why);
}

START_TEST(caller_keeps_his_own_administration)
{
	set_rights();
	clv_acl_set(
	    &clv_list_app_by_name(list, "crm")->admins, "user:ada,user:bob");
	ask_grant("crm", 1, "user:ada");
	ck_assert_int_eq(locks_out(&ada, ADMIN_APP_REVOKE), CLV_E_DENIED);
	ck_assert_ptr_nonnull(strstr(why, "administrator of crm"));
	ck_assert_int_eq(locks_out(&bob, ADMIN_APP_REVOKE), CLV_OK);
	ck_assert_int_eq(locks_out(&admin, ADMIN_APP_REVOKE), CLV_OK);
	ck_assert_int_eq(locks_out(NULL, ADMIN_APP_REVOKE), CLV_OK);
	ask_setting("system_admins", "user:bob");
	ck_assert_int_eq(locks_out(&admin, ADMIN_SETTING), CLV_E_DENIED);
	ck_assert_ptr_nonnull(strstr(why, "system administrator"));
	ck_assert_int_eq(locks_out(NULL, ADMIN_SETTING), CLV_OK);
	ask_setting("system_admins", "group:wheel,user:bob");
	ck_assert_int_eq(locks_out(&admin, ADMIN_SETTING), CLV_OK);
	ask_setting("app_creators", "");
	ck_assert_int_eq(locks_out(&admin, ADMIN_SETTING), CLV_OK);
}
END_TEST

START_TEST(who_recovers_the_secret_is_roots_alone_to_say)
{
	set_rights();
	ask_setting("recovery_recipient", "age1");
	ck_assert_int_eq(may(NULL, ADMIN_SETTING), CLV_OK);
	ck_assert_int_eq(may(&admin, ADMIN_SETTING), CLV_E_DENIED);
	ck_assert_ptr_nonnull(strstr(why, "only root"));
	ask_setting("app_creators", "");
	ck_assert_int_eq(may(&admin, ADMIN_SETTING), CLV_OK);
}
END_TEST

/* By a group of his as well as by name. */
START_TEST(caller_may_give_up_one_of_two_ways)
{
	static const struct auth_caller both = {1001, 1, dev, 1, NULL};

	clv_acl_set(
	    &clv_list_app_by_name(list, "crm")->admins, "user:ada,group:dev");
	ask_grant("crm", 1, "user:ada");
	ck_assert_int_eq(locks_out(&both, ADMIN_APP_REVOKE), CLV_OK);
}
END_TEST

START_TEST(application_keeps_an_administrator)
{
	set_rights();
	ask_grant("crm", 1, "user:ada");
	ck_assert_int_eq(locks_out(&admin, ADMIN_APP_REVOKE), CLV_E_DENIED);
	ck_assert_ptr_nonnull(strstr(why, "no administrator"));
	ck_assert_int_eq(locks_out(NULL, ADMIN_APP_REVOKE), CLV_OK);
	/* what root left so may be mended, and used */
	ask_grant("old", 0, "user:bob");
	ck_assert_int_eq(locks_out(&admin, ADMIN_APP_GRANT), CLV_OK);
}
END_TEST

START_TEST(creator_administers_what_he_creates)
{
	set_rights();
	ask_add("hr", "", "", 0);
	ck_assert_int_eq(locks_out(&creator, ADMIN_APP_ADD), CLV_E_DENIED);
	ck_assert_int_eq(locks_out(&admin, ADMIN_APP_ADD), CLV_E_DENIED);
	ck_assert_int_eq(locks_out(NULL, ADMIN_APP_ADD), CLV_OK);
	ask_add("hr", "user:ada", "", 0);
	ck_assert_int_eq(locks_out(&creator, ADMIN_APP_ADD), CLV_E_DENIED);
	ck_assert_int_eq(locks_out(&admin, ADMIN_APP_ADD), CLV_OK);
	ask_add("hr", "group:dev", "", 0);
	ck_assert_int_eq(locks_out(&creator, ADMIN_APP_ADD), CLV_OK);
}
END_TEST

START_TEST(removing_ones_own_application_is_no_lock_out)
{
	ask_name("crm");
	ck_assert_int_eq(locks_out(&ada, ADMIN_APP_REMOVE), CLV_OK);
}
END_TEST

/* What cannot be known is not held against the caller, nor for him. */
START_TEST(name_service_that_is_away_denies)
{
	ask_name("crm");
	accounts_fail = 5;
	ck_assert_int_eq(may(&ada, ADMIN_APP_GRANT), CLV_E_DENIED);
	ck_assert_int_eq(may(NULL, ADMIN_APP_GRANT), CLV_OK);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("admin_app");
	TCase *l = tcase_create("list"), *r = tcase_create("rights");
	SRunner *run;
	int failed;

	tcase_add_checked_fixture(l, set_up, tear_down);
	tcase_add_test(l, application_is_added);
	tcase_add_loop_test(l, additions_are_checked, 0,
	    sizeof(additions) / sizeof(additions[0]));
	tcase_add_test(l, more_applications_than_fit_are_refused);
	tcase_add_test(l, application_is_removed);
	tcase_add_test(l, grants_are_added_to_the_right_list);
	tcase_add_test(l, what_is_granted_already_changes_nothing);
	tcase_add_loop_test(
	    l, grants_are_checked, 0, sizeof(grants) / sizeof(grants[0]));
	tcase_add_test(l, full_access_list_is_told);
	tcase_add_test(l, revocation_takes_one_subject_away);
	tcase_add_test(l, truncated_requests_are_refused);
	tcase_add_test(l, administrators_are_settings);
	tcase_add_checked_fixture(r, set_up, tear_down);
	tcase_add_loop_test(r, requests_are_for_those_who_may, 0,
	    sizeof(rights) / sizeof(rights[0]));
	tcase_add_test(r, rights_in_one_application_are_none_in_another);
	tcase_add_test(r, caller_keeps_his_own_administration);
	tcase_add_test(r, caller_may_give_up_one_of_two_ways);
	tcase_add_test(r, who_recovers_the_secret_is_roots_alone_to_say);
	tcase_add_test(r, application_keeps_an_administrator);
	tcase_add_test(r, creator_administers_what_he_creates);
	tcase_add_test(r, removing_ones_own_application_is_no_lock_out);
	tcase_add_test(r, name_service_that_is_away_denies);
	suite_add_tcase(s, l);
	suite_add_tcase(s, r);
	run = srunner_create(s);
	srunner_run_all(run, CK_NORMAL);
	failed = srunner_ntests_failed(run);
	srunner_free(run);
	return failed != 0;
}
