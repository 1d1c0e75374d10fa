/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <claviger/result.h>

#include "daemon/api/authorize.h"
#include "accounts.h"

int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);

/* Who has more supplementary groups than anybody guessed. */
static size_t many_groups;
static int peer_fails; /* that socket option cannot be had */

int
__wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	gid_t *groups = value;
	size_t room = *len / sizeof(*groups);

	if (name == peer_fails) {
		errno = ENOPROTOOPT;
		return -1;
	}
	if (name != SO_PEERGROUPS || many_groups == 0)
		return __real_getsockopt(fd, level, name, value, len);
	*len = (socklen_t)(many_groups * sizeof(*groups));
	if (room < many_groups) {
		errno = ERANGE;
		return -1;
	}
	for (size_t i = 0; i < many_groups; i++)
		groups[i] = (gid_t)(5000 + i);
	return 0;
}

static struct auth_acl system_admins, creators, app_admins, app_users;

static void
set_up(void)
{
	accounts_fail = peer_fails = 0;
	accounts_len = many_groups = 0;
	accounts_asked = 0;
}

static void
tear_down(void)
{
	auth_acl_fini(&system_admins);
	auth_acl_fini(&creators);
	auth_acl_fini(&app_admins);
	auth_acl_fini(&app_users);
}

/*
 * The matrix, written down a second time: S system administrator, C creator,
 * A administrator of the application, U its user, R root, N server node, M
 * member host; '.' nobody in particular.
 */
static const struct {
	enum auth_op op;
	const char *who;
} matrix[] = {
    {AUTH_OP_STATUS, "SCAURNM."},
    {AUTH_OP_APPS, "SCAURNM."},
    {AUTH_OP_GET, "AU"},
    {AUTH_OP_PUT, "AU"},
    {AUTH_OP_DELETE, "AU"},
    {AUTH_OP_LIST, "AU"},
    {AUTH_OP_HISTORY, "AU"},
    {AUTH_OP_SEAL, "AU"},
    {AUTH_OP_OPEN, "AU"},
    {AUTH_OP_APP_SHOW, "SAU"},
    {AUTH_OP_APP_GRANT, "SA"},
    {AUTH_OP_APP_REVOKE, "SA"},
    {AUTH_OP_APP_REMOVE, "SA"},
    {AUTH_OP_APP_ADD, "SC"},
    {AUTH_OP_SETTING, "S"},
    {AUTH_OP_NODE, "S"},
    {AUTH_OP_MEMBER, "S"},
    {AUTH_OP_ROTATE, "S"},
    {AUTH_OP_BACKUPS, "S"},
    {AUTH_OP_SHOW, "S"},
    {AUTH_OP_APP_INSPECT, "SA"},
    {AUTH_OP_DATABASE, "S"},
    {AUTH_OP_SERVICE, "R"},
    {AUTH_OP_KEYRING, "R"},
    {AUTH_OP_FETCH, "M"},
    {AUTH_OP_HEADS, "M"},
    {AUTH_OP_FORWARD, "N"},
    {AUTH_OP_JOIN, "SCAURNM."},
    {AUTH_OP_CERT, "M"},
};
#define OPS (sizeof(matrix) / sizeof(matrix[0]))

static const struct {
	char letter;
	unsigned role;
} roles[] = {{'S', AUTH_SYSTEM_ADMIN}, {'C', AUTH_CREATOR},
    {'A', AUTH_APP_ADMIN}, {'U', AUTH_APP_USER}, {'R', AUTH_ROOT},
    {'N', AUTH_NODE}, {'M', AUTH_MEMBER}, {'.', 0}};
#define ROLES (sizeof(roles) / sizeof(roles[0]))

START_TEST(every_pair_of_operation_and_role_is_as_written_here)
{
	for (size_t i = 0; i < ROLES; i++) {
		bool may = strchr(matrix[_i].who, roles[i].letter) != NULL;

		ck_assert_msg(auth_may(matrix[_i].op, roles[i].role) == may,
		    "%s as %c", auth_op_name(matrix[_i].op), roles[i].letter);
	}
}
END_TEST

START_TEST(several_roles_may_what_one_of_them_may)
{
	for (unsigned set = 0; set < 1u << (ROLES - 1); set++) {
		unsigned all = 0;
		bool may = strchr(matrix[_i].who, '.') != NULL;

		for (size_t i = 0; i < ROLES - 1; i++) {
			if ((set & 1u << i) == 0)
				continue;
			all |= roles[i].role;
			may = may ||
			      strchr(matrix[_i].who, roles[i].letter) != NULL;
		}
		ck_assert_msg(auth_may(matrix[_i].op, all) == may, "%s as %x",
		    auth_op_name(matrix[_i].op), all);
	}
}
END_TEST

START_TEST(no_operation_is_forgotten)
{
	ck_assert_uint_eq(OPS, AUTH_OPS - 1);
	for (int op = 1; op < AUTH_OPS; op++) {
		size_t n = 0;

		for (size_t i = 0; i < OPS; i++)
			n += matrix[i].op == (enum auth_op)op;
		ck_assert_uint_eq(n, 1);
		ck_assert_str_ne(auth_op_name((enum auth_op)op), "unknown");
	}
}
END_TEST

START_TEST(what_is_no_operation_is_allowed_to_nobody)
{
	static const int odd[] = {0, -1, AUTH_OPS, AUTH_OPS + 1, 1 << 20};

	ck_assert(!auth_may((enum auth_op)odd[_i], ~0u));
	ck_assert_str_eq(auth_op_name((enum auth_op)odd[_i]), "unknown");
}
END_TEST

/* Who has which role. */

static void
set_acls(void)
{
	ck_assert_int_eq(auth_acl_set(&system_admins, "user:ada"), CLV_OK);
	ck_assert_int_eq(auth_acl_set(&creators, "group:dev"), CLV_OK);
	ck_assert_int_eq(
	    auth_acl_set(&app_admins, "user:bob,group:wheel"), CLV_OK);
	ck_assert_int_eq(
	    auth_acl_set(&app_users, "unit:crm.service,user:ada"), CLV_OK);
}

static unsigned
roles_of(const struct auth_caller *c)
{
	return auth_roles(
	    c, &system_admins, &creators, &app_admins, &app_users);
}

static const gid_t many[] = {7, 2001, 8};
#define USER(uid, gid) \
	{ \
		uid, gid, NULL, 0, NULL \
	}
#define ALL_OF_ROOT \
	(AUTH_ROOT | AUTH_SYSTEM_ADMIN | AUTH_CREATOR | AUTH_APP_ADMIN | \
	    AUTH_APP_USER)

static const struct {
	const char *what;
	struct auth_caller caller;
	unsigned roles;
} callers[] = {
    {"root", USER(0, 0), ALL_OF_ROOT},
    {"a user of two lists", USER(1001, 1001),
	AUTH_SYSTEM_ADMIN | AUTH_APP_USER},
    {"a user of one list", USER(1002, 1002), AUTH_APP_ADMIN},
    {"nobody", USER(65534, 65534), 0},
    {"the invalid uid", USER((uid_t)-1, (gid_t)-1), 0},
    {"primary group", USER(3000, 10), AUTH_APP_ADMIN},
    {"supplementary group", {3000, 3000, many, 3, NULL}, AUTH_CREATOR},
    {"a group that is not counted", {3000, 3000, many, 1, NULL}, 0},
    {"root's group is not root", USER(3000, 0), 0},
    {"a uid that is a gid of the list", USER(2001, 3000), 0},
    {"a gid that is a uid of the list", USER(3000, 1001), 0},
    {"unit, from the service manager", {0, 0, NULL, 0, "crm.service"},
	AUTH_APP_USER},
    {"another unit has none of root's rights", {0, 0, NULL, 0, "x.service"}, 0},
    {"unit without a name", {0, 0, NULL, 0, ""}, 0},
    {"unit that a user claims", {3000, 3000, NULL, 0, "crm.service"}, 0},
    {"unit that a known user claims", {1002, 1002, NULL, 0, "crm.service"},
	AUTH_APP_ADMIN},
};

START_TEST(roles_follow_from_uid_groups_and_unit)
{
	set_acls();
	ck_assert_msg(roles_of(&callers[_i].caller) == callers[_i].roles,
	    "%s: %x", callers[_i].what, roles_of(&callers[_i].caller));
}
END_TEST

START_TEST(without_an_application_there_are_no_roles_in_it)
{
	struct auth_caller ada = USER(1001, 1001), bob = USER(1002, 1002);
	struct auth_caller unit = {0, 0, NULL, 0, "crm.service"};

	set_acls();
	ck_assert_uint_eq(
	    auth_roles(&ada, &system_admins, &creators, NULL, NULL),
	    AUTH_SYSTEM_ADMIN);
	ck_assert_uint_eq(
	    auth_roles(&bob, &system_admins, &creators, NULL, NULL), 0);
	ck_assert_uint_eq(
	    auth_roles(&unit, &system_admins, &creators, NULL, NULL), 0);
}
END_TEST

START_TEST(empty_lists_give_roles_to_root_alone)
{
	struct auth_caller root = USER(0, 0), ada = USER(1001, 1001);

	ck_assert_uint_eq(roles_of(&root), ALL_OF_ROOT);
	ck_assert_uint_eq(roles_of(&ada), 0);
	ck_assert_int_eq(auth_acl_set(&system_admins, ""), CLV_OK);
	ck_assert_uint_eq(roles_of(&ada), 0);
}
END_TEST

START_TEST(unit_administers_nothing)
{
	struct auth_caller unit = {0, 0, NULL, 0, "crm.service"};

	auth_acl_set(&system_admins, "unit:crm.service");
	auth_acl_set(&creators, "unit:crm.service");
	auth_acl_set(&app_admins, "unit:crm.service");
	ck_assert_uint_eq(roles_of(&unit), 0);
}
END_TEST

START_TEST(hosts_are_members_or_nodes)
{
	ck_assert_uint_eq(auth_host_roles(true), AUTH_NODE | AUTH_MEMBER);
	ck_assert_uint_eq(auth_host_roles(false), AUTH_MEMBER);
}
END_TEST

/* Looking names up. */

START_TEST(unknown_name_is_nobody_until_it_is_known)
{
	struct auth_caller c = USER(1001, 1001);

	ck_assert_int_eq(
	    auth_acl_set(&app_users, "user:eve,group:eve,user:ada"), CLV_OK);
	ck_assert_uint_eq(roles_of(&c), AUTH_APP_USER);
	c.uid = 0xffffffff;
	ck_assert_uint_eq(roles_of(&c), 0);
}
END_TEST

START_TEST(name_service_that_is_away_changes_nothing)
{
	struct auth_caller ada = USER(1001, 1001), dev = USER(5, 2001);

	ck_assert_int_eq(auth_acl_set(&app_users, "user:ada"), CLV_OK);
	accounts_fail = EIO;
	ck_assert_int_eq(
	    auth_acl_set(&app_users, "group:dev,user:ada"), CLV_OK);
	ck_assert_uint_eq(roles_of(&ada), AUTH_APP_USER);
	ck_assert_uint_eq(roles_of(&dev), 0);
	/* a group of that name is somebody else */
	ck_assert_int_eq(auth_acl_set(&app_users, "group:ada"), CLV_OK);
	ck_assert_uint_eq(roles_of(&ada), 0);
}
END_TEST

START_TEST(user_who_is_gone_has_no_rights_any_more)
{
	static const int gone[] = {0, ENOENT, ESRCH, EBADF, EPERM};
	struct auth_caller ada = USER(1001, 1001);

	ck_assert_int_eq(auth_acl_set(&app_users, "user:ada"), CLV_OK);
	accounts_fail = gone[_i];
	accounts_len = 0;
	ck_assert_int_eq(auth_acl_set(&app_users, "user:ada"), CLV_OK);
	ck_assert_uint_eq(roles_of(&ada), gone[_i] == 0 ? AUTH_APP_USER : 0);
}
END_TEST

START_TEST(large_entry_gets_a_larger_buffer)
{
	struct auth_caller c = USER(3000, 10);

	accounts_len = 100000;
	ck_assert_int_eq(auth_acl_set(&app_users, "group:wheel"), CLV_OK);
	ck_assert_uint_eq(roles_of(&c), AUTH_APP_USER);
	accounts_len = (size_t)1 << 30; /* and at some point it is a failure */
	ck_assert_int_eq(auth_acl_set(&app_users, "group:wheel"), CLV_OK);
	ck_assert_uint_eq(roles_of(&c), AUTH_APP_USER);
}
END_TEST

START_TEST(deciding_asks_nobody)
{
	set_acls();
	accounts_asked = 0;
	for (size_t i = 0; i < sizeof(callers) / sizeof(callers[0]); i++)
		(void)roles_of(&callers[i].caller);
	ck_assert_uint_eq(accounts_asked, 0);
}
END_TEST

START_TEST(a_round_asks_for_each_name_once)
{
	struct auth_caller ada = USER(1001, 1001), eve = USER(3001, 3001);
	struct auth_names n = {0};

	ck_assert_int_eq(auth_acl_parse(&app_admins, "user:eve"), CLV_OK);
	ck_assert_int_eq(
	    auth_acl_parse(&app_users, "user:ada,unit:a.service,user:eve"),
	    CLV_OK);
	ck_assert_uint_eq(accounts_asked, 0);
	ck_assert_uint_eq(roles_of(&ada), 0);
	for (int i = 0; i < 2; i++) { /* the second has nobody new */
		auth_names_begin(&n, false);
		auth_acl_look_up(&app_admins, &n);
		auth_acl_look_up(&app_users, &n);
		auth_names_end(&n);
		ck_assert_uint_eq(accounts_asked, 2);
		ck_assert_uint_eq(roles_of(&ada), AUTH_APP_USER);
		ck_assert_uint_eq(roles_of(&eve), 0);
		accounts_set("eve", 3001);
	}
	auth_names_fini(&n);
	auth_names_begin(&n, true);
	auth_acl_look_up(&app_users, &n);
	auth_names_end(&n);
	ck_assert_uint_eq(roles_of(&eve), AUTH_APP_USER);
	auth_names_fini(&n);
}
END_TEST

START_TEST(units_are_not_looked_up)
{
	ck_assert_int_eq(auth_acl_set(&app_users, "unit:ada.service"), CLV_OK);
	ck_assert_uint_eq(accounts_asked, 0);
}
END_TEST

/* The socket's peer. */

START_TEST(peer_is_known_with_all_its_groups)
{
	static const gid_t extra[] = {4001, 4002};
	struct auth_caller c;
	int fd[2], status;
	pid_t pid;

	if (getuid() != 0)
		return; /* only root can have such groups */
	pid = fork();
	if (pid == 0) {
		/* the credentials are of when the pair is made */
		if (setgroups(2, extra) != 0 || setresgid(4000, 4000, 4000) ||
		    setresuid(4003, 4003, 4003) ||
		    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd) != 0 ||
		    auth_caller_get(fd[0], &c) != CLV_OK)
			_exit(1);
		_exit(c.uid == 4003 && c.gid == 4000 && c.group_count == 2 &&
			      c.unit == NULL && c.groups[0] == 4001 &&
			      c.groups[1] == 4002
			  ? 0
			  : 2);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(peer_with_very_many_groups_is_known)
{
	struct auth_caller c;
	int fd[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd), 0);
	many_groups = 65536;
	ck_assert_int_eq(auth_caller_get(fd[0], &c), CLV_OK);
	ck_assert_uint_eq(c.group_count, 65536);
	ck_assert_uint_eq(c.groups[65535], 5000 + 65535);
	auth_caller_fini(&c);
	close(fd[0]);
	close(fd[1]);
}
END_TEST

START_TEST(peer_that_cannot_be_known_is_refused)
{
	static const int options[] = {SO_PEERCRED, SO_PEERGROUPS};
	struct auth_caller c = USER(1, 1);
	int fd[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd), 0);
	peer_fails = options[_i];
	ck_assert_int_eq(auth_caller_get(fd[0], &c), CLV_E_SYSTEM);
	ck_assert_uint_eq(c.uid, 1);
	close(fd[0]);
	close(fd[1]);
}
END_TEST

START_TEST(copy_of_a_caller_is_its_own)
{
	gid_t groups[] = {1, 2, 3};
	char unit[] = "crm.service";
	struct auth_caller c = {4, 5, groups, 3, unit}, copy;

	ck_assert_int_eq(auth_caller_copy(&c, &copy), CLV_OK);
	memset(groups, 0, sizeof(groups));
	unit[0] = 'X';
	ck_assert_uint_eq(copy.uid, 4);
	ck_assert_uint_eq(copy.gid, 5);
	ck_assert_uint_eq(copy.group_count, 3);
	ck_assert_uint_eq(copy.groups[2], 3);
	ck_assert_str_eq(copy.unit, "crm.service");
	auth_caller_fini(&copy);
	ck_assert_uint_eq(copy.uid, (uid_t)-1); /* nobody: not root */
	ck_assert_uint_eq(roles_of(&copy), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("authorize");
	TCase *t = tcase_create("table"), *r = tcase_create("roles");
	TCase *n = tcase_create("names"), *p = tcase_create("peers");
	SRunner *run;
	int failed;

	tcase_add_loop_test(
	    t, every_pair_of_operation_and_role_is_as_written_here, 0, OPS);
	tcase_add_loop_test(t, several_roles_may_what_one_of_them_may, 0, OPS);
	tcase_add_test(t, no_operation_is_forgotten);
	tcase_add_loop_test(t, what_is_no_operation_is_allowed_to_nobody, 0, 5);
	tcase_add_checked_fixture(r, set_up, tear_down);
	tcase_add_loop_test(r, roles_follow_from_uid_groups_and_unit, 0,
	    sizeof(callers) / sizeof(callers[0]));
	tcase_add_test(r, without_an_application_there_are_no_roles_in_it);
	tcase_add_test(r, empty_lists_give_roles_to_root_alone);
	tcase_add_test(r, unit_administers_nothing);
	tcase_add_test(r, hosts_are_members_or_nodes);
	tcase_add_checked_fixture(n, set_up, tear_down);
	tcase_add_test(n, unknown_name_is_nobody_until_it_is_known);
	tcase_add_test(n, name_service_that_is_away_changes_nothing);
	tcase_add_loop_test(n, user_who_is_gone_has_no_rights_any_more, 0, 5);
	tcase_add_test(n, large_entry_gets_a_larger_buffer);
	tcase_add_test(n, deciding_asks_nobody);
	tcase_add_test(n, a_round_asks_for_each_name_once);
	tcase_add_test(n, units_are_not_looked_up);
	tcase_add_checked_fixture(p, set_up, tear_down);
	tcase_add_test(p, peer_is_known_with_all_its_groups);
	tcase_add_test(p, peer_with_very_many_groups_is_known);
	tcase_add_loop_test(p, peer_that_cannot_be_known_is_refused, 0, 2);
	tcase_add_test(p, copy_of_a_caller_is_its_own);
	suite_add_tcase(s, t);
	suite_add_tcase(s, r);
	suite_add_tcase(s, n);
	suite_add_tcase(s, p);
	run = srunner_create(s);
	srunner_run_all(run, CK_NORMAL);
	failed = srunner_ntests_failed(run);
	srunner_free(run);
	return failed != 0;
}
