/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agents/server.h"

struct birth {
	int notify; /* where it says READY=1 */
	int errors; /* its standard error, while it starts */
	int pidfd;
	pid_t pid;
	char path[64]; /* NOTIFY_SOCKET */
};

/* An abstract socket, which leaves no file; its name is the kernel's choice.
 * Anybody may send to it, so the sender's uid is looked at. */
static bool
open_notify(struct birth *b)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(sa);
	int on = 1, n;

	b->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (b->notify < 0 ||
	    setsockopt(b->notify, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) !=
		0 ||
	    bind(b->notify, (struct sockaddr *)&sa, sizeof(sa.sun_family)) !=
		0 ||
	    getsockname(b->notify, (struct sockaddr *)&sa, &len) != 0)
		return false;
	n = (int)(len - offsetof(struct sockaddr_un, sun_path)) - 1;
	snprintf(b->path, sizeof(b->path), "NOTIFY_SOCKET=@%.*s", n,
	    sa.sun_path + 1);
	return true;
}

/* In the child: nothing of ours goes with it. It must not be in the process
 * group that an action's timeout kills, nor hold the pipes at whose end
 * Pacemaker waits. */
static void
become_server(const struct server *s, const struct birth *b)
{
	char name[] = "clavigerd", option[] = "-f";
	char *argv[] = {name, option, (char *)(uintptr_t)s->config, NULL};
	char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", tz[64];
	char *envp[] = {path, (char *)(uintptr_t)b->path, NULL /* TZ */, NULL};
	const char *zone = getenv("TZ");
	sigset_t none;
	int null = open("/dev/null", O_RDWR);

	if (zone != NULL && strlen(zone) < sizeof(tz) - 4) {
		snprintf(tz, sizeof(tz), "TZ=%s", zone);
		envp[2] = tz;
	}
	setsid();
	umask(077);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (null < 0 || chdir("/") != 0 || dup2(null, 0) < 0 ||
	    dup2(null, 1) < 0 || dup2(b->errors, 2) < 0 ||
	    close_range(3, ~0u, 0) != 0)
		_exit(126);
	execve(s->binary, argv, envp);
	dprintf(2, "%s: %s\n", s->binary, strerror(errno));
	_exit(127);
}

static bool
says_ready(const struct birth *b)
{
	union {
		struct cmsghdr align;
		char raw[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	char text[1024];
	struct iovec iov = {.iov_base = text, .iov_len = sizeof(text) - 1};
	struct msghdr m = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.raw,
	    .msg_controllen = sizeof(control.raw)};
	struct cmsghdr *c;
	struct ucred who = {.uid = (uid_t)-1};
	ssize_t n = recvmsg(b->notify, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n <= 0)
		return false;
	text[n] = '\0';
	for (c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == SOL_SOCKET &&
		    c->cmsg_type == SCM_CREDENTIALS)
			memcpy(&who, CMSG_DATA(c), sizeof(who));
	return who.uid == 0 && (strncmp(text, "READY=1", 7) == 0 ||
				   strstr(text, "\nREADY=1") != NULL);
}

/* The first line that it wrote is the cause; what follows came of it. */
static void
first_words(const struct birth *b, char *ret, size_t cap)
{
	ssize_t n = pread(b->errors, ret, cap - 1, 0);

	ret[n > 0 ? n : 0] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
}

static int
tell_death(const struct ocf *o, const struct birth *b)
{
	char words[100];
	int status = 0;

	first_words(b, words, sizeof(words));
	waitpid(b->pid, &status, 0);
	if (words[0] != '\0')
		return ocf_fail(
		    o, OCF_ERR_GENERIC, "clavigerd did not start: %s", words);
	if (WIFSIGNALED(status))
		return ocf_fail(o, OCF_ERR_GENERIC,
		    "clavigerd did not start: signal %d", WTERMSIG(status));
	return ocf_fail(o, OCF_ERR_GENERIC,
	    "clavigerd did not start: status %d; the system log says why",
	    WEXITSTATUS(status));
}

static int
wait_until_ready(const struct ocf *o, const struct birth *b)
{
	struct pollfd p[2] = {{.fd = b->notify, .events = POLLIN},
	    {.fd = b->pidfd, .events = POLLIN}};
	int left;

	for (;;) {
		left = ocf_left_ms(o, INT32_MAX);
		if (left <= 0)
			return ocf_fail(o, OCF_ERR_GENERIC,
			    "clavigerd is not ready in time");
		if (poll(p, 2, left) < 0 && errno != EINTR)
			return ocf_fail(
			    o, OCF_ERR_GENERIC, "poll: %s", strerror(errno));
		if ((p[0].revents & POLLIN) && says_ready(b))
			return OCF_SUCCESS;
		if (p[1].revents != 0)
			return tell_death(o, b);
	}
}

bool
server_is_installed(const struct ocf *o, const struct server *s)
{
	if (access(s->binary, X_OK) != 0)
		ocf_fail(
		    o, OCF_ERR_INSTALLED, "%s: %s", s->binary, strerror(errno));
	else if (access(s->config, F_OK) != 0)
		ocf_fail(o, OCF_ERR_INSTALLED,
		    "%s: %s; claviger init or claviger join makes it",
		    s->config, strerror(errno));
	else
		return true;
	return false;
}

int
server_spawn(const struct ocf *o, const struct server *s)
{
	struct birth b = {.notify = -1, .errors = -1, .pidfd = -1};
	int rc;

	if (!server_is_installed(o, s))
		return OCF_ERR_INSTALLED;
	b.errors = memfd_create("clavigerd-stderr", MFD_CLOEXEC);
	if (b.errors < 0 || !open_notify(&b)) {
		rc = ocf_fail(o, OCF_ERR_GENERIC,
		    "cannot prepare to start clavigerd: %s", strerror(errno));
		goto out;
	}
	b.pid = fork();
	if (b.pid == 0)
		become_server(s, &b);
	if (b.pid > 0)
		b.pidfd = pidfd_open(b.pid, 0);
	if (b.pid < 0 || b.pidfd < 0)
		rc = ocf_fail(o, OCF_ERR_GENERIC, "cannot start clavigerd: %s",
		    strerror(errno));
	else
		rc = wait_until_ready(o, &b);
out:
	if (b.pidfd >= 0)
		close(b.pidfd);
	if (b.notify >= 0)
		close(b.notify);
	if (b.errors >= 0)
		close(b.errors);
	return rc;
}
