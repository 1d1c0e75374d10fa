/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include <claviger/result.h>
#include "daemon/base/loop.h"
#include "daemon/supervisor/process.h"

/* libcheck runs each test in a process of its own: what is given up there is
 * given up there alone. Without root, or under a sanitizer, the tests that need
 * rights or a filter are not added. */
#ifdef __SANITIZE_ADDRESS__
#define FILTERED 0
#else
#define FILTERED 1
#endif

extern char **environ;

/* The status of a child that runs fn; 0 when it returned. */
static int
status_of(void (*fn)(void))
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		fn();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

START_TEST(the_environment_is_cleaned_to_the_last_byte)
{
	char before[] = "CLV_CANARY=hunter2hunter2";
	char *path = strdup(getenv("PATH"));
	char text[8192];
	ssize_t n;
	int fd;

	/* as if we had been started with it: our own strings, overwritten */
	ck_assert_int_eq(putenv(before), 0);
	unsetenv("TZ");
	setenv("TZ", "UTC", 1);
	setenv("NOTIFY_SOCKET", "@x", 1);
	process_clean();
	ck_assert_ptr_null(getenv("CLV_CANARY"));
	ck_assert_ptr_null(getenv("HOME"));
	ck_assert_str_eq(getenv("TZ"), "UTC");
	ck_assert_str_eq(getenv("PATH"), path);
	free(path);
	ck_assert_str_eq(getenv("NOTIFY_SOCKET"), "@x");
	for (n = 0; n < (ssize_t)sizeof(before); n++)
		ck_assert_int_eq(before[n], 0);
	for (n = 0; environ[n] != NULL; n++)
		;
	ck_assert_int_eq(n, 3);
	fd = open("/proc/self/environ", O_RDONLY);
	ck_assert_int_ge(fd, 0);
	n = read(fd, text, sizeof(text));
	while (n > 0)
		ck_assert_int_eq(text[--n], 0);
	close(fd);
}
END_TEST

START_TEST(without_a_path_there_is_a_default_one)
{
	unsetenv("PATH");
	process_clean();
	ck_assert_str_eq(getenv("PATH"), "/usr/sbin:/usr/bin:/sbin:/bin");
}
END_TEST

START_TEST(descriptors_of_the_starter_are_closed)
{
	int fd = open("/dev/null", O_RDONLY);

	ck_assert_int_ge(fd, 3);
	ck_assert_int_eq(dup2(fd, 500), 500);
	process_clean();
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	ck_assert_int_eq(fcntl(500, F_GETFD), -1);
	ck_assert_int_ge(fcntl(2, F_GETFD), 0);
}
END_TEST

START_TEST(absent_standard_streams_are_made)
{
	int i;

	for (i = 0; i < 3; i++)
		close(i);
	process_clean();
	for (i = 0; i < 3; i++)
		ck_assert_int_ge(fcntl(i, F_GETFD), 0);
	ck_assert_int_eq(fcntl(3, F_GETFD), -1);
}
END_TEST

START_TEST(limits_mask_and_dumpable_are_set)
{
	struct rlimit lim;

	process_clean();
	ck_assert_int_eq(getrlimit(RLIMIT_CORE, &lim), 0);
	ck_assert_uint_eq(lim.rlim_cur, 1);
	ck_assert_uint_eq(lim.rlim_max, 1);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &lim), 0);
	ck_assert_uint_le(lim.rlim_cur, 16384);
	ck_assert_uint_eq(umask(0), 077);
	ck_assert_int_eq(prctl(PR_GET_DUMPABLE), 0);
}
END_TEST

START_TEST(signals_of_the_starter_are_forgotten)
{
	struct sigaction sa;
	sigset_t set;

	signal(SIGCHLD, SIG_IGN);
	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	process_clean();
	sigaction(SIGCHLD, NULL, &sa);
	ck_assert(sa.sa_handler == SIG_DFL);
	sigaction(SIGPIPE, NULL, &sa);
	ck_assert(sa.sa_handler == SIG_IGN);
	sigprocmask(SIG_SETMASK, NULL, &set);
	ck_assert_int_eq(sigismember(&set, SIGTERM), 0);
}
END_TEST

START_TEST(users_are_looked_up_and_root_is_refused)
{
	uid_t uid;
	gid_t gid;

	ck_assert_int_eq(process_user("nobody", &uid, &gid), CLV_OK);
	ck_assert_uint_ne(uid, 0);
	ck_assert_int_eq(process_user("root", &uid, &gid), CLV_E_PERMISSION);
	ck_assert_int_eq(
	    process_user("no-such-user", &uid, &gid), CLV_E_NOT_FOUND);
}
END_TEST

START_TEST(dropping_to_root_or_nobody_known_is_refused)
{
	ck_assert_int_eq(process_drop("root"), CLV_E_PERMISSION);
	ck_assert_int_eq(process_drop("no-such-user"), CLV_E_NOT_FOUND);
}
END_TEST

static void
assert_no_capabilities(void)
{
	char line[256];
	FILE *f = fopen("/proc/self/status", "r");
	int n = 0;

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, "Cap", 3) != 0)
			continue;
		n++;
		ck_assert_msg(
		    strtoull(strchr(line, ':') + 1, NULL, 16) == 0, "%s", line);
	}
	fclose(f);
	ck_assert_int_eq(n, 5); /* also the bounding and the ambient set */
}

START_TEST(dropped_rights_are_gone_and_stay_gone)
{
	const gid_t extra[2] = {1, 4};
	const struct passwd *pw = getpwnam("nobody");
	uid_t r, e, s;
	gid_t gr, ge, gs;
	int sig = 0;

	ck_assert_int_eq(setgroups(2, extra), 0);
	ck_assert_int_eq(process_drop("nobody"), CLV_OK);
	ck_assert_int_eq(getresuid(&r, &e, &s), 0);
	ck_assert_int_eq(getresgid(&gr, &ge, &gs), 0);
	ck_assert(r == pw->pw_uid && e == r && s == r);
	ck_assert(gr == pw->pw_gid && ge == gr && gs == gr);
	ck_assert_int_eq(getgroups(0, NULL), 0);
	ck_assert_int_eq(setuid(0), -1);
	ck_assert_int_eq(setgid(0), -1);
	assert_no_capabilities();
	ck_assert_int_eq(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
	ck_assert_int_eq(prctl(PR_GET_DUMPABLE), 0);
	ck_assert_int_eq(prctl(PR_GET_PDEATHSIG, &sig), 0);
	ck_assert_int_eq(sig, SIGKILL);
	ck_assert_int_eq(open("/etc/shadow", O_RDONLY), -1);
}
END_TEST

START_TEST(what_the_arena_must_read_stays_readable)
{
	int fd;

	process_clean();
	ck_assert_int_eq(process_drop("nobody"), CLV_OK);
	ck_assert_int_ge(fd = open("/proc/self/smaps", O_RDONLY), 0);
	close(fd);
}
END_TEST

static void
filter(int (*load)(void))
{
	ck_assert_int_eq(process_drop("nobody"), CLV_OK);
	ck_assert_int_eq(load(), CLV_OK);
}

START_TEST(the_keeper_has_no_network)
{
	static const int families[] = {
	    AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_VSOCK, AF_ALG};
	int sv[2], fd;
	size_t i;

	filter(keeper_seccomp);
	for (i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		ck_assert_int_eq(socket(families[i], SOCK_DGRAM, 0), -1);
		ck_assert_int_eq(errno, EACCES);
	}
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	ck_assert_int_eq(listen(sv[0], 1), -1);
}
END_TEST

START_TEST(the_front_has_a_network_and_no_more)
{
	filter(front_seccomp);
	ck_assert_int_ge(socket(AF_INET, SOCK_STREAM, 0), 0);
	ck_assert_int_ge(socket(AF_UNIX, SOCK_STREAM, 0), 0);
	ck_assert_int_ge(socket(AF_NETLINK, SOCK_RAW, 0), 0);
	ck_assert_int_eq(socket(AF_NETLINK, SOCK_RAW, 9 /* audit */), -1);
	ck_assert_int_eq(socket(AF_ALG, SOCK_SEQPACKET, 0), -1);
	ck_assert_int_eq(socket(AF_VSOCK, SOCK_STREAM, 0), -1);
}
END_TEST

static void
try_exec(void)
{
	char name[] = "true";
	char *argv[] = {name, NULL};

	execv("/bin/true", argv);
}

static void
try_ptrace(void)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static void
try_read_other(void)
{
	syscall(SYS_process_vm_readv, 1, NULL, 0, NULL, 0, 0);
}

static void
try_bpf(void)
{
	syscall(SYS_bpf, 0, NULL, 0);
}

static void
try_mount(void)
{
	syscall(SYS_mount, "x", "/", "tmpfs", 0, NULL);
}

static void
try_unshare(void)
{
	syscall(SYS_unshare, 0x10000000);
}

static void
try_kexec(void)
{
	syscall(SYS_kexec_load, 0, 0, NULL, 0);
}

static void
try_setuid(void)
{
	syscall(SYS_setuid, 0);
}

/* The filter forbids fork() to the process that has it: it is loaded in the
 * child that then tries. */
static int (*const loads[])(void) = {keeper_seccomp, front_seccomp};
static void (*const deeds[])(void) = {try_exec, try_ptrace, try_read_other,
    try_bpf, try_mount, try_unshare, try_kexec, try_setuid};
static int load_i, deed_i;

static void
load_and_try(void)
{
	if (process_drop("nobody") != CLV_OK || loads[load_i]() != CLV_OK)
		_exit(1);
	deeds[deed_i]();
}

START_TEST(what_no_honest_code_does_is_deadly)
{
	int status;

	load_i = _i / 8;
	deed_i = _i % 8;
	status = status_of(load_and_try);
	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS,
	    "deed %d: status %#x", deed_i, (unsigned)status);
}
END_TEST

START_TEST(unlisted_calls_fail_and_go_on)
{
	filter(loads[_i]);
	ck_assert_int_eq(fork(), -1);
	ck_assert_int_eq(kill(getppid(), SIGTERM), -1);
	ck_assert_int_eq(errno, EPERM);
	ck_assert_int_eq((int)syscall(SYS_sethostname, "x", 1), -1);
	ck_assert_int_eq((int)syscall(SYS_symlink, "a", "/tmp/b"), -1);
	ck_assert_int_eq((int)syscall(SYS_clone3, NULL, 0), -1);
	ck_assert_int_eq(errno, ENOSYS);
	ck_assert_int_eq(kill(getpid(), 0), 0);
}
END_TEST

START_TEST(no_memory_is_both_written_and_run)
{
	const int rw = PROT_READ | PROT_WRITE;
	const int anon = MAP_PRIVATE | MAP_ANONYMOUS;
	void *p;

	filter(loads[_i]);
	p = mmap(NULL, 4096, rw | PROT_EXEC, anon, -1, 0);
	ck_assert_ptr_eq(p, MAP_FAILED);
	p = mmap(NULL, 4096, rw, anon, -1, 0);
	ck_assert_ptr_ne(p, MAP_FAILED);
	ck_assert_int_eq(mprotect(p, 4096, PROT_READ | PROT_EXEC), -1);
	ck_assert_int_eq(mprotect(p, 4096, PROT_NONE), 0);
}
END_TEST

static void
stop_loop(void *arg)
{
	loop_stop(arg);
}

/* libsodium, locked memory, files, the clock, syslog, libqb's loop. */
START_TEST(what_the_libraries_need_goes_on)
{
	struct loop_timer *t = NULL;
	struct tm tm;
	struct loop *l;
	uint8_t key[32];
	time_t now;
	void *p;
	int fd;

	ck_assert_int_ge(sodium_init(), 0);
	filter(loads[_i]);
	randombytes_buf(key, sizeof(key));
	p = sodium_malloc(64);
	ck_assert_ptr_nonnull(p);
	ck_assert_int_eq(sodium_mprotect_noaccess(p), 0);
	ck_assert_int_eq(sodium_mprotect_readwrite(p), 0);
	sodium_free(p);
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_int_eq(mlock(p, 4096), 0);
	ck_assert_int_eq(madvise(p, 4096, MADV_DONTDUMP), 0);
	ck_assert_int_ge(fd = open("/proc/self/smaps", O_RDONLY), 0);
	close(fd);
	p = malloc(8u << 20);
	free(p);
	now = time(NULL);
	ck_assert_ptr_nonnull(localtime_r(&now, &tm));
	openlog("check_harden", LOG_PID, LOG_DAEMON);
	syslog(LOG_DEBUG, "a line of a test");
	closelog();
	ck_assert_int_eq(loop_new(&l), CLV_OK);
	ck_assert_int_eq(loop_timer_set(l, &t, 1, stop_loop, l), CLV_OK);
	loop_run(l);
	loop_free(&l);
}
END_TEST

static void *
thread_main(void *arg)
{
	*(int *)arg = socket(AF_UNIX, SOCK_STREAM, 0);
	return NULL;
}

START_TEST(the_front_may_have_threads_and_the_keeper_none)
{
	pthread_t t;
	int fd = -1;

	filter(loads[_i]);
	if (_i == 0) {
		ck_assert_int_ne(pthread_create(&t, NULL, thread_main, &fd), 0);
		return;
	}
	ck_assert_int_eq(pthread_create(&t, NULL, thread_main, &fd), 0);
	ck_assert_int_eq(pthread_join(t, NULL), 0);
	ck_assert_int_ge(fd, 0);
}
END_TEST

static void
load_and_abort(void)
{
	if (process_drop("nobody") == CLV_OK && loads[load_i]() == CLV_OK)
		abort();
}

START_TEST(an_abort_ends_it_as_an_abort)
{
	int status;

	load_i = _i;
	status = status_of(load_and_abort);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	ck_assert(!WCOREDUMP(status));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("harden");
	TCase *tc = tcase_create("at the program's start");
	TCase *td = tcase_create("dropping rights");
	TCase *tf = tcase_create("system call filters");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, the_environment_is_cleaned_to_the_last_byte);
	tcase_add_test(tc, without_a_path_there_is_a_default_one);
	tcase_add_test(tc, descriptors_of_the_starter_are_closed);
	tcase_add_test(tc, absent_standard_streams_are_made);
	tcase_add_test(tc, limits_mask_and_dumpable_are_set);
	tcase_add_test(tc, signals_of_the_starter_are_forgotten);
	tcase_add_test(tc, users_are_looked_up_and_root_is_refused);
	suite_add_tcase(s, tc);
	if (geteuid() == 0) {
		tcase_add_test(td, dropping_to_root_or_nobody_known_is_refused);
		tcase_add_test(td, dropped_rights_are_gone_and_stay_gone);
		tcase_add_test(td, what_the_arena_must_read_stays_readable);
	}
	suite_add_tcase(s, td);
	if (geteuid() == 0 && FILTERED) {
		tcase_add_test(tf, the_keeper_has_no_network);
		tcase_add_test(tf, the_front_has_a_network_and_no_more);
		tcase_add_loop_test(
		    tf, what_no_honest_code_does_is_deadly, 0, 16);
		tcase_add_loop_test(tf, unlisted_calls_fail_and_go_on, 0, 2);
		tcase_add_loop_test(
		    tf, no_memory_is_both_written_and_run, 0, 2);
		tcase_add_loop_test(tf, what_the_libraries_need_goes_on, 0, 2);
		tcase_add_loop_test(
		    tf, the_front_may_have_threads_and_the_keeper_none, 0, 2);
		tcase_add_loop_test(tf, an_abort_ends_it_as_an_abort, 0, 2);
	}
	suite_add_tcase(s, tf);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
