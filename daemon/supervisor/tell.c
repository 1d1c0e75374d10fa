/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <claviger/result.h>
#include "daemon/base/log.h"
#include "daemon/supervisor/process.h"
#include "daemon/supervisor/supervisor.h"

#define PACEMAKER_USER "hacluster"
#define DEADLINE_MS 5000
#define EVENT_MS 60000

/* In the environment of what is run stands nothing else. */
static void __attribute__((noreturn)) tool_exec(const char *const argv[])
{
	static char locale[] = "LC_ALL=C";
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *const env[] = {locale, path, NULL};
	int null = open("/dev/null", O_RDWR), fd;

	for (fd = 0; fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
	process_close_from(STDERR_FILENO + 1);
	signal(SIGPIPE, SIG_DFL);
	/* execvpe() looks for it in our own PATH, the child sees the fixed one
	 */
	execvpe(argv[0], (char *const *)(uintptr_t)argv, env);
	_exit(127);
}

/*
 * What the tools share with Pacemaker's daemons is this user's, and root of the
 * unit has no right to the files of others. Where there is no such user there
 * is no Pacemaker, and the tool fails by itself.
 */
static bool
become_pacemaker(void)
{
	uid_t uid;
	gid_t gid;

	if (process_user(PACEMAKER_USER, &uid, &gid) != CLV_OK)
		return true;
	return setgroups(0, NULL) == 0 && setresgid(gid, gid, gid) == 0 &&
	       setresuid(uid, uid, uid) == 0;
}

static bool
tool_run(const char *const argv[])
{
	bool in_time;
	int status;
	pid_t pid;

	if ((pid = fork()) == 0) {
		if (!become_pacemaker())
			_exit(126);
		tool_exec(argv);
	}
	if (pid < 0) {
		log_error("%s cannot be started", argv[0]);
		return false;
	}
	in_time = process_wait(pid, DEADLINE_MS);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!in_time)
		log_error(
		    "%s did not end within %d s", argv[0], DEADLINE_MS / 1000);
	else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		log_debug(
		    "%s ended with status %#x", argv[0], (unsigned)status);
	return in_time && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/*
 * The score moves the role: demote here and promote there in one transition,
 * after which the monitor finds this instance gone and it is started again. A
 * failure recorded in the midst of that makes a new transition, in which
 * Pacemaker starts this node's instance before it promotes the peer: the outage
 * was a second longer, and as often as not the same node was promoted again. So
 * the failure is only what is left to try when the score cannot be written.
 */
void
tell_pacemaker(const char *resource, const char *node)
{
	char name[80];
	const char *const score[] = {
	    "attrd_updater", "-n", name, "-U", "-INFINITY", NULL};
	const char *const fail[] = {"crm_resource", "--fail", "--resource",
	    resource, "--node", node, NULL};

	snprintf(name, sizeof(name), "master-%s", resource);
	if (!tool_run(score))
		tool_run(fail);
}

bool
tell_is_event(const char *event)
{
	static const char *const events[] = {"server-away", "server-back",
	    "active", "inactive", "audit-broken", TELL_FAILED};

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (strcmp(event, events[i]) == 0)
			return true;
	return false;
}

/* Whose parent is gone, and who lets go of all that keeps another daemon from
 * starting. What is late is killed with all that it started. */
static void __attribute__((noreturn)) event_run(const char *const argv[])
{
	pid_t pid;

	process_close_from(STDERR_FILENO + 1);
	/* Where a service manager ends what is left of a failed service. */
	signal(SIGTERM, SIG_IGN);
	if ((pid = fork()) == 0) {
		setpgid(0, 0);
		tool_exec(argv);
	}
	if (pid > 0 && !process_wait(pid, EVENT_MS))
		kill(-pid, SIGKILL);
	_exit(0);
}

void
tell_event(const struct config *c, const char *event)
{
	const char *const argv[] = {
	    "sh", "-c", c->on_event, "claviger", event, c->node, NULL};
	int status;
	pid_t pid;

	if (c->on_event[0] == '\0')
		return;
	if ((pid = fork()) == 0) {
		setsid();
		if (fork() == 0)
			event_run(argv);
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
}
