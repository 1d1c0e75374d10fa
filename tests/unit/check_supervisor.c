/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/capability.h>

#include <claviger/result.h>
#include "daemon/base/loop.h"
#include "daemon/supervisor/process.h"
#include "daemon/supervisor/supervisor.h"

/*
 * The real supervisor with its real forks and rights; keeper and front are
 * small ones of the test, and the cluster's tools are scripts that write down
 * how they were called.
 */
#define RESOURCE "mss"
#define WAIT_MS 20000

static char dir[64], calls[96], control[128];
static struct config c;
static int notify_fd;
static pid_t supervisor;

/* What the small keeper does. */
static const char *resource = RESOURCE;
static bool keeper_fails, keeper_stays, keeper_tells_failure;

static void
tell(int fd, unsigned op, const char *text)
{
	struct link_msg m;

	memset(&m, 0, sizeof(m));
	m.op = op;
	memcpy(m.text, text, strnlen(text, sizeof(m.text)));
	send(fd, &m, sizeof(m), 0);
}

static bool
has_only(int last)
{
	int fd;

	for (fd = 0; fd < 200; fd++) {
		if ((fcntl(fd, F_GETFD) >= 0) != (fd <= last))
			return false;
	}
	return true;
}

static int
keeper(const struct config *cfg, const struct keeper_fds *fds)
{
	struct link_config m;

	if (keeper_fails || getuid() == 0 || !has_only(7) || fds->control < 3)
		return 3;
	tell(fds->link, LINK_RESOURCE, resource);
	if (keeper_tells_failure)
		tell(fds->link, LINK_FAIL, "");
	tell(fds->link, LINK_READY, "");
	while (recv(fds->link, &m, sizeof(m), 0) > 0) {
		if (m.op == LINK_END && !keeper_stays)
			return 0;
		/* Only what is live of it is told. */
		if (m.op == LINK_RELOAD && m.c.refresh_interval == 7 &&
		    strcmp(m.c.node, "node-1") == 0)
			tell(fds->link, LINK_END, "");
	}
	return 4;
}

static int
front(const struct config *cfg, int chan, int link)
{
	struct link_msg m;

	if (getuid() == 0 || !has_only(4))
		return 3;
	while (recv(link, &m, sizeof(m), 0) > 0)
		if (m.op == LINK_END)
			return 0;
	return 5;
}

static void
tool(const char *name, const char *then)
{
	char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/bin/%s", dir, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fprintf(f,
	    "#!/bin/sh\n"
	    "echo \"%s $* [$NOTIFY_SOCKET$CANARY]\" >> %s\n%s\n",
	    name, calls, then);
	fclose(f);
	ck_assert_int_eq(chmod(path, 0755), 0);
}

static void
notify_open(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	const struct timeval limit = {WAIT_MS / 1000, 0};

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/notify", dir);
	notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(notify_fd, 0);
	ck_assert_int_eq(setsockopt(notify_fd, SOL_SOCKET, SO_RCVTIMEO, &limit,
			     sizeof(limit)),
	    0);
	ck_assert_int_eq(
	    bind(notify_fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	setenv("NOTIFY_SOCKET", sa.sun_path, 1);
}

static void
setup(void)
{
	char path[512];
	int fd;

	snprintf(dir, sizeof(dir), "/tmp/check_supervisor.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chmod(dir, 0755), 0);
	snprintf(calls, sizeof(calls), "%s/calls", dir);
	fd = open(calls, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fchmod(fd, 0666), 0); /* they run as hacluster */
	close(fd);
	snprintf(path, sizeof(path), "%s/bin", dir);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	tool("attrd_updater", "");
	tool("crm_resource", "exit 1");
	snprintf(path, sizeof(path), "%s/bin:%s", dir, getenv("PATH"));
	setenv("PATH", path, 1);
	setenv("CANARY", "seen", 1);
	notify_open();
	config_defaults(&c);
	snprintf(c.run_dir, sizeof(c.run_dir), "%s/run", dir);
	snprintf(c.state_dir, sizeof(c.state_dir), "%s/state", dir);
	snprintf(control, sizeof(control), "%s/run/control.sock", dir);
	snprintf(c.user, sizeof(c.user), "nobody");
	snprintf(c.front_user, sizeof(c.front_user), "daemon");
	snprintf(c.node, sizeof(c.node), "node-1");
	/* Children that lose their supervisor come to us, to be looked at. */
	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
}

static void
teardown(void)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

static pid_t
spawn(void)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(supervisor_main(&c, keeper, front));
	return pid;
}

static void
assert_notified(const char *want)
{
	char got[64];
	ssize_t n = recv(notify_fd, got, sizeof(got) - 1, 0);

	ck_assert_msg(n > 0, "no notification");
	got[n] = '\0';
	ck_assert_str_eq(got, want);
}

static void
start(void)
{
	supervisor = spawn();
	assert_notified("READY=1");
}

static int
status_of(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static void
assert_exit(int want)
{
	int status = status_of(supervisor);

	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == want,
	    "status %#x", (unsigned)status);
}

/* In the order in which they were made: the front, the keeper, the watcher. */
static void
children(pid_t ret[static 3])
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children",
	    (int)supervisor, (int)supervisor);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	if (fscanf(f, "%d %d %d", &ret[0], &ret[1], &ret[2]) != 3)
		ret[2] = 0;
	fclose(f);
}

static const char *
called(void)
{
	static char text[1024];
	FILE *f = fopen(calls, "r");
	size_t n;

	if (f == NULL)
		return "";
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

static void
until_called(const char *what)
{
	const uint64_t deadline = loop_now_ms() + WAIT_MS;

	while (strstr(called(), what) == NULL) {
		ck_assert_msg(loop_now_ms() < deadline, "%s not called", what);
		usleep(5000);
	}
}

static void
assert_nobody_is_left(void)
{
	ck_assert_int_eq(waitpid(-1, NULL, 0), -1);
	ck_assert_int_eq(errno, ECHILD);
}

#define SCORE "attrd_updater -n master-" RESOURCE " -U -INFINITY []\n"
#define FAIL "crm_resource --fail --resource " RESOURCE " --node node-1 []\n"

START_TEST(it_is_ready_and_ends_in_order)
{
	start();
	ck_assert_int_eq(access(control, F_OK), 0);
	kill(supervisor, _i == 0 ? SIGTERM : SIGINT);
	assert_notified("STOPPING=1");
	assert_exit(0);
	assert_nobody_is_left();
	ck_assert_int_ne(access(control, F_OK), 0);
	ck_assert_str_eq(called(), "");
}
END_TEST

START_TEST(a_hang_up_does_not_end_it)
{
	start();
	kill(supervisor, SIGHUP);
	kill(supervisor, SIGHUP);
	kill(supervisor, SIGTERM);
	assert_notified("STOPPING=1");
	assert_exit(0);
}
END_TEST

static void
configure(uint32_t interval, const char *more)
{
	struct config file = c;
	char why[256];
	FILE *f;

	snprintf(file.node, sizeof(file.node), "another");
	file.refresh_interval = interval;
	ck_assert_int_eq(config_save(&file, c.path, why), CLV_OK);
	f = fopen(c.path, "a");
	ck_assert_ptr_nonnull(f);
	fputs(more, f);
	fclose(f);
}

/* The keeper ends it all when it hears of 7, and of nothing else. */
START_TEST(sighup_reads_the_configuration_again)
{
	pid_t before[3], after[3];
	const uint64_t deadline = loop_now_ms() + WAIT_MS;

	snprintf(c.path, sizeof(c.path), "%s/claviger.conf", dir);
	configure(60, "");
	start();
	children(before);
	configure(7, "no_such_key = 1\n");
	kill(supervisor, SIGHUP);
	configure(8, "");
	kill(supervisor, SIGHUP);
	do { /* the watcher is another one: it was read, and changed nothing */
		ck_assert_uint_lt(loop_now_ms(), deadline);
		usleep(5000);
		children(after);
	} while (after[2] == 0 || after[2] == before[2]);
	ck_assert_int_eq(after[0], before[0]);
	ck_assert_int_eq(after[1], before[1]);
	configure(7, "");
	kill(supervisor, SIGHUP);
	assert_notified("STOPPING=1");
	assert_exit(0);
	assert_nobody_is_left();
}
END_TEST

/* 0: the front is killed, 1: the keeper. */
START_TEST(when_one_dies_the_other_is_killed_and_pacemaker_told)
{
	pid_t pid[3];

	start();
	children(pid);
	ck_assert_int_eq(kill(pid[_i], SIGKILL), 0);
	assert_exit(1);
	ck_assert_int_eq(kill(pid[0], 0), -1);
	ck_assert_int_eq(kill(pid[1], 0), -1);
	assert_nobody_is_left();
	ck_assert_str_eq(called(), SCORE);
	ck_assert_int_ne(access(control, F_OK), 0);
}
END_TEST

#define BIT(cap) (1u << (cap))

/* The rights that root has under the unit. */
static void
give_up_rights(void)
{
	const unsigned kept = BIT(CAP_KILL) | BIT(CAP_SETGID) |
			      BIT(CAP_SETPCAP) | BIT(CAP_SETUID);
	struct __user_cap_header_struct head = {
	    .version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	for (unsigned cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (cap >= 32 || (kept & BIT(cap)) == 0)
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	memset(data, 0, sizeof(data));
	data[0].effective = data[0].permitted = kept;
	if (syscall(SYS_capset, &head, data) != 0)
		_exit(100);
}

/* Its own folder is closed to root then, and the tools are Pacemaker's user. */
START_TEST(the_rights_of_the_unit_are_enough)
{
	const struct passwd *pw = getpwnam("hacluster");
	char then[160], want[160];
	pid_t pid[3];

	snprintf(then, sizeof(then), "id -u >> %s", calls);
	tool("attrd_updater", then);
	snprintf(want, sizeof(want), SCORE "%u\n",
	    pw != NULL ? (unsigned)pw->pw_uid : 0);
	snprintf(c.system, sizeof(c.system), "a-system");
	ck_assert_int_eq(mkdir(c.state_dir, 0700), 0);
	ck_assert_int_eq(chown(c.state_dir, 65534, 65534), 0);
	if ((supervisor = fork()) == 0) {
		give_up_rights();
		_exit(supervisor_main(&c, keeper, front));
	}
	assert_notified("READY=1");
	children(pid);
	ck_assert_int_eq(kill(pid[1], SIGKILL), 0);
	assert_exit(1);
	assert_nobody_is_left();
	ck_assert_str_eq(called(), want);
}
END_TEST

START_TEST(a_score_that_cannot_be_written_is_followed_by_a_failure)
{
	pid_t pid[3];

	tool("attrd_updater", "exit 102");
	start();
	children(pid);
	kill(pid[1], SIGKILL);
	assert_exit(1);
	ck_assert_str_eq(called(), SCORE FAIL);
}
END_TEST

START_TEST(tools_that_are_not_there_are_no_matter)
{
	pid_t pid[3];
	char path[160];

	snprintf(path, sizeof(path), "%s/bin/attrd_updater", dir);
	ck_assert_int_eq(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/bin/crm_resource", dir);
	ck_assert_int_eq(unlink(path), 0);
	setenv("PATH", "/nonexistent", 1);
	start();
	setenv("PATH", "/usr/bin:/bin", 1);
	children(pid);
	kill(pid[1], SIGKILL);
	assert_exit(1);
}
END_TEST

START_TEST(without_a_resource_nobody_is_told)
{
	pid_t pid[3];

	resource = "";
	start();
	children(pid);
	kill(pid[1], SIGKILL);
	assert_exit(1);
	ck_assert_str_eq(called(), "");
}
END_TEST

static const char *const bad_names[] = {"-mss", "a b", "a;b", "../x", "m\x01",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};

START_TEST(a_name_that_is_none_never_reaches_a_tool)
{
	pid_t pid[3];

	resource = bad_names[_i];
	start();
	children(pid);
	kill(pid[1], SIGKILL);
	assert_exit(1);
	ck_assert_str_eq(called(), "");
}
END_TEST

START_TEST(a_keeper_that_cannot_start_is_a_failure_without_ready)
{
	char got[16];

	keeper_fails = true;
	supervisor = spawn();
	assert_exit(1);
	ck_assert_int_lt(recv(notify_fd, got, sizeof(got), MSG_DONTWAIT), 0);
	ck_assert_str_eq(called(), "");
	ck_assert_int_ne(access(control, F_OK), 0);
}
END_TEST

/* 0: alone, 1: with keeper and front. All come to us: keeper and front by the
 * signal, or because the link ended; the watcher when it has told. */
START_TEST(when_the_supervisor_dies_all_die_and_pacemaker_is_told)
{
	pid_t pid[3];
	int i;

	start();
	children(pid);
	for (i = 0; i < 2 * _i; i++)
		kill(pid[i], SIGSTOP);
	kill(supervisor, SIGSTOP);
	for (i = 0; i < 2 * _i; i++)
		kill(pid[i], SIGKILL);
	kill(supervisor, SIGKILL);
	status_of(supervisor);
	for (i = 0; i < 2; i++)
		status_of(pid[i]);
	ck_assert_int_eq(status_of(pid[2]), 0);
	ck_assert_str_eq(called(), SCORE);
	/* and the next one starts over what is left */
	start();
	kill(supervisor, SIGTERM);
	assert_notified("STOPPING=1");
	assert_exit(0);
}
END_TEST

START_TEST(without_a_resource_nobody_is_told_of_the_supervisor)
{
	pid_t pid[3];

	resource = "";
	start();
	children(pid);
	kill(supervisor, SIGKILL);
	status_of(supervisor);
	ck_assert_int_eq(status_of(pid[2]), 0);
	ck_assert_str_eq(called(), "");
}
END_TEST

START_TEST(a_supervisor_that_is_stopped_is_not_dead)
{
	int status;

	start();
	kill(supervisor, SIGSTOP);
	ck_assert_int_eq(waitpid(supervisor, &status, WUNTRACED), supervisor);
	ck_assert(WIFSTOPPED(status));
	kill(supervisor, SIGCONT);
	kill(supervisor, SIGTERM);
	assert_notified("STOPPING=1");
	assert_exit(0);
	ck_assert_str_eq(called(), "");
}
END_TEST

static void
until_new_session(pid_t pid)
{
	const uint64_t deadline = loop_now_ms() + WAIT_MS;

	while (getsid(pid) != pid) {
		ck_assert_msg(loop_now_ms() < deadline, "no new session");
		usleep(5000);
	}
}

START_TEST(what_ends_the_others_in_order_does_not_end_the_watcher)
{
	pid_t pid[3];

	start();
	children(pid);
	until_new_session(pid[2]);
	kill(pid[2], SIGTERM);
	kill(pid[2], SIGINT);
	kill(pid[2], SIGHUP);
	kill(supervisor, SIGKILL);
	status_of(supervisor);
	ck_assert_int_eq(status_of(pid[2]), 0);
	ck_assert_str_eq(called(), SCORE);
}
END_TEST

static unsigned
child_count(void)
{
	char path[64];
	unsigned n = 0;
	pid_t pid;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children",
	    (int)supervisor, (int)supervisor);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	while (fscanf(f, "%d", &pid) == 1)
		n++;
	fclose(f);
	return n;
}

/* Longer than until a killed one is started again. */
START_TEST(a_reload_meanwhile_makes_no_second_watcher)
{
	const uint64_t until = loop_now_ms() + 1500;
	pid_t pid[3];

	snprintf(c.path, sizeof(c.path), "%s/claviger.conf", dir);
	configure(60, "");
	start();
	children(pid);
	ck_assert_int_eq(kill(pid[2], SIGKILL), 0);
	while (child_count() == 3 && loop_now_ms() < until)
		usleep(1000);
	kill(supervisor, SIGHUP);
	while (loop_now_ms() < until) {
		ck_assert_uint_le(child_count(), 3);
		usleep(20000);
	}
	kill(supervisor, SIGTERM);
	assert_notified("STOPPING=1");
	assert_exit(0);
	assert_nobody_is_left();
	ck_assert_str_eq(called(), "");
}
END_TEST

START_TEST(a_watcher_that_is_killed_is_started_again)
{
	const uint64_t deadline = loop_now_ms() + WAIT_MS;
	pid_t pid[3], first;

	start();
	children(pid);
	first = pid[2];
	ck_assert_int_eq(kill(first, SIGKILL), 0);
	do {
		ck_assert_msg(loop_now_ms() < deadline, "no new watcher");
		usleep(5000);
		children(pid);
	} while (pid[2] == 0 || pid[2] == first);
	ck_assert_str_eq(called(), "");
	until_new_session(pid[2]);
	kill(supervisor, SIGKILL);
	status_of(supervisor);
	ck_assert_int_eq(status_of(pid[2]), 0);
	ck_assert_str_eq(called(), SCORE);
}
END_TEST

START_TEST(a_keeper_that_does_not_end_is_killed)
{
	keeper_stays = true;
	start();
	kill(supervisor, SIGTERM);
	assert_notified("STOPPING=1");
	assert_exit(1);
	ck_assert_str_eq(called(), "");
}
END_TEST

START_TEST(a_failure_is_told_while_all_goes_on)
{
	keeper_tells_failure = true;
	start();
	until_called("attrd_updater");
	ck_assert_str_eq(called(), SCORE);
	ck_assert_int_eq(access(control, F_OK), 0);
	kill(supervisor, SIGTERM);
	assert_notified("STOPPING=1");
	assert_exit(0);
}
END_TEST

/* While a tool hangs the next daemon may start; then it is killed, and the
 * second tool is called all the same. 0: the supervisor tells, 1: the watcher.
 */
START_TEST(a_tool_that_hangs_keeps_nothing_back)
{
	pid_t pid[3], first;

	tool("attrd_updater", "exec sleep 100");
	start();
	children(pid);
	first = _i == 0 ? supervisor : pid[2];
	kill(_i == 0 ? pid[0] : supervisor, SIGKILL);
	until_called("attrd_updater");
	start();
	kill(supervisor, SIGTERM);
	assert_notified("STOPPING=1");
	assert_exit(0);
	supervisor = first;
	assert_exit(1 - _i);
	ck_assert_str_eq(called(), SCORE FAIL);
}
END_TEST

START_TEST(a_second_daemon_is_refused)
{
	pid_t first;
	char lock[128];
	int i;

	start();
	first = supervisor;
	snprintf(lock, sizeof(lock), "%s/run/clavigerd.lock", dir);
	for (i = 0; i < 2; i++) {
		supervisor = spawn();
		assert_exit(1);
		ck_assert_int_eq(access(control, F_OK), 0);
		unlink(lock); /* then the socket alone must tell */
	}
	supervisor = first;
	kill(supervisor, SIGTERM);
	assert_notified("STOPPING=1");
	assert_exit(0);
}
END_TEST

START_TEST(a_stale_socket_is_replaced)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	ck_assert_int_eq(mkdir(c.run_dir, 0755), 0);
	memcpy(sa.sun_path, control, strlen(control));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	close(fd);
	start();
	kill(supervisor, SIGTERM);
	assert_notified("STOPPING=1");
	assert_exit(0);
}
END_TEST

START_TEST(the_control_socket_is_roots_and_names_the_supervisor)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	struct ucred who;
	socklen_t len = sizeof(who);
	struct stat st;

	umask(0);
	start();
	ck_assert_int_eq(lstat(control, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_uint_eq(st.st_uid, 0);
	memcpy(sa.sun_path, control, strlen(control));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len), 0);
	ck_assert_int_eq(who.pid, supervisor);
	ck_assert_uint_eq(who.uid, 0);
	ck_assert_int_eq(lstat(c.state_dir, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	ck_assert_uint_ne(st.st_uid, 0);
	ck_assert_int_eq(lstat(c.run_dir, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0755);
	kill(supervisor, SIGTERM);
	assert_exit(0);
	close(fd);
}
END_TEST

START_TEST(a_run_folder_that_others_may_write_is_refused)
{
	ck_assert_int_eq(mkdir(c.run_dir, 0755), 0);
	ck_assert_int_eq(chmod(c.run_dir, 0775), 0);
	supervisor = spawn();
	assert_exit(1);
	ck_assert_int_eq(rmdir(c.run_dir), 0);
	ck_assert_int_eq(symlink("/tmp", c.run_dir), 0);
	supervisor = spawn();
	assert_exit(1);
}
END_TEST

START_TEST(a_state_folder_that_is_not_the_keepers_is_refused)
{
	ck_assert_int_eq(mkdir(c.state_dir, 0700), 0);
	supervisor = spawn();
	assert_exit(1);
	ck_assert_int_eq(chown(c.state_dir, 65534, 65534), 0);
	ck_assert_int_eq(chmod(c.state_dir, 0750), 0);
	supervisor = spawn();
	assert_exit(1);
	ck_assert_int_ne(access(control, F_OK), 0);
}
END_TEST

START_TEST(users_that_will_not_do_are_refused)
{
	static const char *const users[][2] = {{"nobody", "nobody"},
	    {"root", "daemon"}, {"nobody", "root"}, {"no-such", "daemon"},
	    {"nobody", "no-such"}};

	snprintf(c.user, sizeof(c.user), "%s", users[_i][0]);
	snprintf(c.front_user, sizeof(c.front_user), "%s", users[_i][1]);
	supervisor = spawn();
	assert_exit(1);
	ck_assert_int_ne(access(c.run_dir, F_OK), 0);
}
END_TEST

START_TEST(a_path_too_long_for_a_socket_is_refused)
{
	memset(c.run_dir + strlen(c.run_dir), 'r', 100);
	supervisor = spawn();
	assert_exit(1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("supervisor");
	TCase *tc = tcase_create("four processes");
	TCase *ts = tcase_create("starting");
	SRunner *sr;
	int failed;

	if (geteuid() != 0) {
		puts("skipped: needs root");
		return 77;
	}
	tcase_set_timeout(tc, 40);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, it_is_ready_and_ends_in_order, 0, 2);
	tcase_add_test(tc, a_hang_up_does_not_end_it);
	tcase_add_test(tc, sighup_reads_the_configuration_again);
	tcase_add_loop_test(
	    tc, when_one_dies_the_other_is_killed_and_pacemaker_told, 0, 2);
	tcase_add_test(
	    tc, a_score_that_cannot_be_written_is_followed_by_a_failure);
	tcase_add_test(tc, the_rights_of_the_unit_are_enough);
	tcase_add_test(tc, tools_that_are_not_there_are_no_matter);
	tcase_add_test(tc, without_a_resource_nobody_is_told);
	tcase_add_loop_test(tc, a_name_that_is_none_never_reaches_a_tool, 0,
	    sizeof(bad_names) / sizeof(bad_names[0]));
	tcase_add_test(
	    tc, a_keeper_that_cannot_start_is_a_failure_without_ready);
	tcase_add_loop_test(
	    tc, when_the_supervisor_dies_all_die_and_pacemaker_is_told, 0, 2);
	tcase_add_test(tc, without_a_resource_nobody_is_told_of_the_supervisor);
	tcase_add_test(tc, a_supervisor_that_is_stopped_is_not_dead);
	tcase_add_test(
	    tc, what_ends_the_others_in_order_does_not_end_the_watcher);
	tcase_add_test(tc, a_reload_meanwhile_makes_no_second_watcher);
	tcase_add_test(tc, a_watcher_that_is_killed_is_started_again);
	tcase_add_test(tc, a_keeper_that_does_not_end_is_killed);
	tcase_add_test(tc, a_failure_is_told_while_all_goes_on);
	tcase_add_loop_test(tc, a_tool_that_hangs_keeps_nothing_back, 0, 2);
	suite_add_tcase(s, tc);
	tcase_set_timeout(ts, 40);
	tcase_add_checked_fixture(ts, setup, teardown);
	tcase_add_test(ts, a_second_daemon_is_refused);
	tcase_add_test(ts, a_stale_socket_is_replaced);
	tcase_add_test(
	    ts, the_control_socket_is_roots_and_names_the_supervisor);
	tcase_add_test(ts, a_run_folder_that_others_may_write_is_refused);
	tcase_add_test(ts, a_state_folder_that_is_not_the_keepers_is_refused);
	tcase_add_loop_test(ts, users_that_will_not_do_are_refused, 0, 5);
	tcase_add_test(ts, a_path_too_long_for_a_socket_is_refused);
	suite_add_tcase(s, ts);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
