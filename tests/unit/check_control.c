/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <claviger/result.h>
#include "agents/control.h"

/* The client against a server that does one wrong thing. */
static char dir[64];
static char path[80];
static pid_t server;

static int
listen_here(int backlog)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	memcpy(sa.sun_path, path, strlen(path) + 1);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(listen(fd, backlog), 0);
	return fd;
}

static void
setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/check_control.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	server = 0;
}

static void
teardown(void)
{
	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	unlink(path);
	rmdir(dir);
}

/* Serve one request by fn(connection, request, its length), then wait. */
static void
serve(void (*fn)(int fd, const struct ctl_header *h, size_t n))
{
	static union {
		struct ctl_header h;
		char raw[CTL_MSG_MAX];
	} in;
	int fd = listen_here(4), c;
	ssize_t n;

	server = fork();
	ck_assert_int_ge(server, 0);
	if (server > 0) {
		close(fd);
		return;
	}
	c = accept(fd, NULL, NULL);
	n = recv(c, &in, sizeof(in), 0);
	if (n >= (ssize_t)sizeof(in.h))
		fn(c, &in.h, (size_t)n);
	close(c);
	_exit(0);
}

static void
answer(int fd, struct ctl_header h, const void *body, size_t len)
{
	char out[CTL_MSG_MAX + 100];

	memcpy(out, &h, sizeof(h));
	if (len > 0)
		memcpy(out + sizeof(h), body, len);
	send(fd, out, sizeof(h) + len, 0);
}

static void
echo(int fd, const struct ctl_header *h, size_t n)
{
	answer(fd, *h, h + 1, n - sizeof(*h));
}

static void
refuse(int fd, const struct ctl_header *h, size_t n)
{
	struct ctl_header a = {.magic = CTL_MAGIC,
	    .op = h->op,
	    .result = CLV_E_NOT_READY,
	    .len = 6};

	answer(fd, a, "reason", 6);
}

static void
be_silent(int fd, const struct ctl_header *h, size_t n)
{
	pause();
}

static void
hang_up(int fd, const struct ctl_header *h, size_t n)
{
}

static void
wrong_magic(int fd, const struct ctl_header *h, size_t n)
{
	struct ctl_header a = *h;

	a.magic ^= 1;
	answer(fd, a, h + 1, n - sizeof(*h));
}

static void
wrong_op(int fd, const struct ctl_header *h, size_t n)
{
	struct ctl_header a = *h;

	a.op++;
	answer(fd, a, h + 1, n - sizeof(*h));
}

static void
positive_result(int fd, const struct ctl_header *h, size_t n)
{
	struct ctl_header a = {.magic = CTL_MAGIC, .op = h->op, .result = 1};

	answer(fd, a, NULL, 0);
}

static void
unknown_result(int fd, const struct ctl_header *h, size_t n)
{
	struct ctl_header a = {
	    .magic = CTL_MAGIC, .op = h->op, .result = CLV_E_LAST};

	answer(fd, a, NULL, 0);
}

static void
short_header(int fd, const struct ctl_header *h, size_t n)
{
	send(fd, h, sizeof(*h) - 1, 0);
}

static void
length_lies(int fd, const struct ctl_header *h, size_t n)
{
	struct ctl_header a = {.magic = CTL_MAGIC, .op = h->op, .len = 9};

	answer(fd, a, "eight888", 8);
}

static void
oversized(int fd, const struct ctl_header *h, size_t n)
{
	struct ctl_header a = {.magic = CTL_MAGIC, .op = h->op, .len = 64};
	char body[64] = {0};

	answer(fd, a, body, sizeof(body));
}

static char got[32];
static size_t got_len;

static int
call(int timeout_ms)
{
	int fd = -1, result;
	pid_t pid = 0;

	memset(got, 0, sizeof(got));
	got_len = 99;
	result = ctl_connect(path, 2000, &fd, &pid);
	if (geteuid() != 0) { /* then so is the server's */
		ck_assert_int_eq(result, CLV_E_PERMISSION);
		return CLV_E_PERMISSION;
	}
	ck_assert_int_eq(result, CLV_OK);
	/* The listener's, not the accepting child's. */
	ck_assert_int_eq(pid, getpid());
	result = ctl_call(
	    fd, CTL_STATUS, "hello", 5, got, sizeof(got), &got_len, timeout_ms);
	close(fd);
	return result;
}

static void
expect(void (*fn)(int, const struct ctl_header *, size_t), int want)
{
	int result;

	serve(fn);
	result = call(want == CLV_E_TIMEOUT ? 100 : 5000);
	if (geteuid() == 0)
		ck_assert_int_eq(result, want);
}

START_TEST(an_answer_comes_back_with_its_length)
{
	expect(echo, CLV_OK);
	if (geteuid() == 0) {
		ck_assert_uint_eq(got_len, 5);
		ck_assert_mem_eq(got, "hello", 5);
	}
}
END_TEST

START_TEST(a_refusal_brings_its_body)
{
	expect(refuse, CLV_E_NOT_READY);
	if (geteuid() == 0) {
		ck_assert_uint_eq(got_len, 6);
		ck_assert_mem_eq(got, "reason", 6);
	}
}
END_TEST

static const struct {
	const char *what;
	void (*fn)(int, const struct ctl_header *, size_t);
	int want;
} broken[] = {
    {"silent", be_silent, CLV_E_TIMEOUT},
    {"hangs up", hang_up, CLV_E_NO_SERVER},
    {"wrong magic", wrong_magic, CLV_E_PROTOCOL},
    {"wrong op", wrong_op, CLV_E_PROTOCOL},
    {"positive result", positive_result, CLV_E_PROTOCOL},
    {"unknown result", unknown_result, CLV_E_PROTOCOL},
    {"short header", short_header, CLV_E_PROTOCOL},
    {"length lies", length_lies, CLV_E_PROTOCOL},
    {"oversized", oversized, CLV_E_PROTOCOL},
};

START_TEST(a_broken_server_is_found_out)
{
	expect(broken[_i].fn, broken[_i].want);
	ck_assert_msg(geteuid() != 0 || got_len == 99, "%s touched the output",
	    broken[_i].what);
}
END_TEST

START_TEST(no_socket_is_no_server)
{
	int fd = -1;

	ck_assert_int_eq(ctl_connect(path, 100, &fd, NULL), CLV_E_NO_SERVER);
	ck_assert_int_eq(fd, -1);
}
END_TEST

START_TEST(a_socket_that_nobody_holds_is_no_server)
{
	int fd;

	close(listen_here(1));
	ck_assert_int_eq(ctl_connect(path, 100, &fd, NULL), CLV_E_NO_SERVER);
}
END_TEST

START_TEST(a_full_backlog_ends_at_the_deadline)
{
	int lfd = listen_here(0), fd[8], i, result = CLV_OK;

	if (geteuid() == 0) {
		for (i = 0; i < 8 && result == CLV_OK; i++)
			result = ctl_connect(path, 60, &fd[i], NULL);
		ck_assert_int_eq(result, CLV_E_TIMEOUT);
		while (--i > 0)
			close(fd[i - 1]);
	}
	close(lfd);
}
END_TEST

START_TEST(a_server_that_is_not_root_is_refused)
{
	int fd = -1, ready[2];
	char c;

	if (geteuid() != 0)
		return;
	ck_assert_int_eq(chmod(dir, 0777), 0);
	ck_assert_int_eq(pipe(ready), 0);
	server = fork();
	ck_assert_int_ge(server, 0);
	if (server == 0) {
		if (setgid(65534) == 0 && setuid(65534) == 0)
			listen_here(1);
		if (write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	ck_assert_int_eq(ctl_connect(path, 500, &fd, NULL), CLV_E_PERMISSION);
	ck_assert_int_eq(fd, -1);
	close(ready[0]);
	close(ready[1]);
}
END_TEST

START_TEST(a_path_that_does_not_fit_is_refused)
{
	char longer[200];
	int fd;

	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	ck_assert_int_eq(ctl_connect(longer, 10, &fd, NULL), CLV_E_INVALID);
}
END_TEST

START_TEST(a_request_that_does_not_fit_is_refused)
{
	static char big[CTL_MSG_MAX];
	int sv[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	ck_assert_int_eq(
	    ctl_call(sv[0], CTL_ADMIN, big, sizeof(big), NULL, 0, NULL, 100),
	    CLV_E_INVALID);
	close(sv[0]);
	close(sv[1]);
}
END_TEST

START_TEST(the_largest_request_passes_and_the_answer_may_be_ignored)
{
	static char big[CTL_MSG_MAX - sizeof(struct ctl_header)];
	int fd;

	if (geteuid() != 0)
		return;
	serve(echo);
	ck_assert_int_eq(ctl_connect(path, 2000, &fd, NULL), CLV_OK);
	ck_assert_int_eq(
	    ctl_call(fd, CTL_ADMIN, big, sizeof(big), NULL, 0, NULL, 5000),
	    CLV_OK);
	close(fd);
}
END_TEST

START_TEST(a_call_may_be_made_in_two_halves)
{
	int fd;

	if (geteuid() != 0)
		return;
	serve(echo);
	ck_assert_int_eq(ctl_connect(path, 2000, &fd, NULL), CLV_OK);
	ck_assert_int_eq(ctl_send(fd, CTL_STATUS, "hello", 5, 5000), CLV_OK);
	ck_assert_int_eq(
	    ctl_receive(fd, CTL_STATUS, got, sizeof(got), &got_len, 5000),
	    CLV_OK);
	ck_assert_uint_eq(got_len, 5);
	ck_assert_mem_eq(got, "hello", 5);
	close(fd);
}
END_TEST

START_TEST(an_answer_that_is_there_is_taken_when_the_time_is_over)
{
	struct ctl_header h = {.magic = CTL_MAGIC, .op = CTL_STATUS};
	int sv[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	ck_assert_int_eq(
	    ctl_receive(sv[0], CTL_STATUS, NULL, 0, NULL, 0), CLV_E_TIMEOUT);
	ck_assert_int_eq(send(sv[1], &h, sizeof(h), 0), sizeof(h));
	ck_assert_int_eq(
	    ctl_receive(sv[0], CTL_STATUS, NULL, 0, NULL, 0), CLV_OK);
	close(sv[0]);
	close(sv[1]);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("control");
	TCase *t = tcase_create("control client");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, an_answer_comes_back_with_its_length);
	tcase_add_test(t, a_refusal_brings_its_body);
	tcase_add_loop_test(t, a_broken_server_is_found_out, 0,
	    sizeof(broken) / sizeof(broken[0]));
	tcase_add_test(t, no_socket_is_no_server);
	tcase_add_test(t, a_socket_that_nobody_holds_is_no_server);
	tcase_add_test(t, a_full_backlog_ends_at_the_deadline);
	tcase_add_test(t, a_server_that_is_not_root_is_refused);
	tcase_add_test(t, a_path_that_does_not_fit_is_refused);
	tcase_add_test(t, a_request_that_does_not_fit_is_refused);
	tcase_add_test(
	    t, the_largest_request_passes_and_the_answer_may_be_ignored);
	tcase_add_test(t, a_call_may_be_made_in_two_halves);
	tcase_add_test(
	    t, an_answer_that_is_there_is_taken_when_the_time_is_over);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
