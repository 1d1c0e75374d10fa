/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <claviger/result.h>
#include "daemon/supervisor/process.h"

static int fd;
static char name[64];

/* A receiver at name: a path, or '@' for the abstract namespace. */
static void
receiver(const char *prefix)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	socklen_t len;

	snprintf(name, sizeof(name), "%s.%d", prefix, (int)getpid());
	memcpy(sa.sun_path, name, strlen(name));
	len =
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	if (name[0] == '@')
		sa.sun_path[0] = '\0';
	else
		len++;
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, len), 0);
	setenv("NOTIFY_SOCKET", name, 1);
}

static void
assert_received(const char *want)
{
	char got[64];
	ssize_t n = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);

	ck_assert_int_ge(n, 0);
	got[n] = '\0';
	ck_assert_str_eq(got, want);
}

START_TEST(a_path_is_told)
{
	receiver("/tmp/check_notify");
	ck_assert_int_eq(notify_send("READY=1"), CLV_OK);
	assert_received("READY=1");
	unlink(name);
}
END_TEST

START_TEST(an_abstract_name_is_told)
{
	receiver("@check_notify");
	ck_assert_int_eq(notify_send("READY=1\nSTATUS=x"), CLV_OK);
	assert_received("READY=1\nSTATUS=x");
}
END_TEST

START_TEST(without_a_socket_nothing_is_told)
{
	unsetenv("NOTIFY_SOCKET");
	ck_assert_int_eq(notify_send("READY=1"), CLV_OK);
	setenv("NOTIFY_SOCKET", "", 1);
	ck_assert_int_eq(notify_send("READY=1"), CLV_OK);
}
END_TEST

START_TEST(what_is_no_address_is_refused)
{
	char big[200];

	memset(big, 'x', sizeof(big));
	big[0] = '/';
	big[sizeof(big) - 1] = '\0';
	setenv("NOTIFY_SOCKET", big, 1);
	ck_assert_int_eq(notify_send("READY=1"), CLV_E_INVALID);
	setenv("NOTIFY_SOCKET", "relative", 1);
	ck_assert_int_eq(notify_send("READY=1"), CLV_E_INVALID);
	setenv("NOTIFY_SOCKET", "@", 1);
	ck_assert_int_eq(notify_send("READY=1"), CLV_E_INVALID);
	setenv("NOTIFY_SOCKET", "vsock:2:1", 1);
	ck_assert_int_eq(notify_send("READY=1"), CLV_E_INVALID);
}
END_TEST

START_TEST(a_socket_that_nobody_reads_is_an_error)
{
	setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
	ck_assert_int_eq(notify_send("READY=1"), CLV_E_SYSTEM);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("notify");
	TCase *tc = tcase_create("ready notification");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, a_path_is_told);
	tcase_add_test(tc, an_abstract_name_is_told);
	tcase_add_test(tc, without_a_socket_nothing_is_told);
	tcase_add_test(tc, what_is_no_address_is_refused);
	tcase_add_test(tc, a_socket_that_nobody_reads_is_an_error);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
