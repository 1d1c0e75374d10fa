/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <sodium.h>
#include "daemon/cli/cli.h"

/*
 * A daemon for one command: administration needs neither Pacemaker nor systemd
 * (design: section 4). It is started with the server role off, tells that it is
 * ready by the notification protocol, and ends with the command, unless an
 * agent has taken it over meanwhile.
 */
#define READY_MS 30000
#define UNLOCK_MS 10000
#define SETTLED_MS 1000

/* An abstract socket that nobody can guess; name gets "@…" for the child. */
static int
notify_socket(char *name, size_t cap, int *ret_fd)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	uint8_t id[12];
	char hex[2 * sizeof(id) + 1];
	socklen_t len;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return CLV_E_SYSTEM;
	randombytes_buf(id, sizeof(id));
	sodium_bin2hex(hex, sizeof(hex), id, sizeof(id));
	snprintf(name, cap, "@claviger-%s", hex);
	memcpy(sun.sun_path + 1, name + 1, strlen(name) - 1);
	len =
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	if (bind(fd, (struct sockaddr *)&sun, len) != 0) {
		close(fd);
		return CLV_E_SYSTEM;
	}
	*ret_fd = fd;
	return CLV_OK;
}

/* In the child; argv of a daemon holds nothing but the configuration. Its
 * errors go to a file in memory, until it is ready. */
static void
exec_daemon(const struct cli *c, const struct cli_daemon *d, const char *notify,
    int errors)
{
	char socket_text[80];
	char *const argv[] = {
	    (char *)c->daemon, (char *)"--config", (char *)c->path, NULL};
	char device[256];
	const char *tpm = getenv(IDENTITY_CRED_DEVICE);
	char *const envp[] = {(char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
	    socket_text, tpm != NULL ? device : NULL, NULL};
	int null = open("/dev/null", O_RDWR);

	for (int fd = 0; fd <= 2; fd++) {
		if (null < 0 || dup2(fd == 2 ? errors : null, fd) < 0)
			_exit(127);
	}
	snprintf(socket_text, sizeof(socket_text), "NOTIFY_SOCKET=%s", notify);
	snprintf(device, sizeof(device), IDENTITY_CRED_DEVICE "=%s",
	    tpm != NULL ? tpm : "");
	setsid(); /* the terminal's signals are the command's */
	sigprocmask(SIG_SETMASK, &d->signals, NULL);
	execve(c->daemon, argv, envp);
	dprintf(STDERR_FILENO, "%s\n", strerror(errno));
	_exit(127);
}

/* The first line that it wrote is the cause; what follows came of it. */
static void
first_words(int errors, char *ret, size_t cap)
{
	ssize_t n = errors < 0 ? -1 : pread(errors, ret, cap - 1, 0);

	ret[n > 0 ? n : 0] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	cli_printable(ret);
}

/* An interruption must not leave the daemon behind: it waits until that has
 * ended, but for the time of a prompt. */
void
cli_signals_hold(sigset_t *ret_was)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, ret_was);
}

static uint64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* READY=1, or the daemon's end, or the deadline. */
static int
wait_ready(int notify, int pidfd)
{
	struct pollfd p[2] = {{notify, POLLIN, 0}, {pidfd, POLLIN, 0}};
	uint64_t end = now_ms() + READY_MS, now;
	char text[256];
	ssize_t n;

	while ((now = now_ms()) < end) {
		if (poll(p, 2, (int)(end - now)) < 0 && errno != EINTR)
			return CLV_E_SYSTEM;
		if ((p[0].revents & POLLIN) != 0) {
			n = recv(notify, text, sizeof(text) - 1, MSG_DONTWAIT);
			text[n > 0 ? n : 0] = '\0';
			if (strncmp(text, "READY=1", 7) == 0 ||
			    strstr(text, "\nREADY=1") != NULL)
				return CLV_OK;
		}
		if (p[1].revents != 0)
			return CLV_E_NO_SERVER;
	}
	return CLV_E_TIMEOUT;
}

/* It opens its copy of the keyring by itself if it can: give it the time. A
 * reason that does not change any more, with the database there, is its last
 * word. */
static void
wait_unlocked(struct cli *c)
{
	const struct timespec pause = {0, 50 * 1000000};
	uint64_t now = now_ms(), end = now + UNLOCK_MS, since = now;
	char reason[sizeof(((struct ctl_status *)NULL)->reason)] = "";
	struct ctl_status st;

	for (; now < end && cli_ctl_status(c, &st) == CLV_OK; now = now_ms()) {
		bool here = (st.flags & CTL_FLAG_DATABASE) != 0;

		if (here && (st.flags & CTL_FLAG_PROVEN) != 0)
			return;
		if (!here || strcmp(reason, st.reason) != 0)
			since = now;
		if (now - since >= SETTLED_MS)
			return;
		memcpy(reason, st.reason, sizeof(reason));
		nanosleep(&pause, NULL);
	}
}

static void
reap(struct cli_daemon *d)
{
	int status;

	while (waitpid(d->pid, &status, 0) < 0 && errno == EINTR)
		;
	d->started = false;
}

void
cli_signals_release(const sigset_t *was)
{
	sigprocmask(SIG_SETMASK, was, NULL);
}

/* What it would stumble over, said with its own exit status. */
static int
check_host(struct cli *c)
{
	struct cli_host h;
	int r;

	cli_host_init(&h);
	r = cli_host_load(c, &h);
	cli_host_fini(&h);
	return r;
}

static int
did_not_start(struct cli *c, int r, int errors)
{
	char words[512];

	first_words(errors, words, sizeof(words));
	return cli_fail(c, r,
	    words[0] != '\0'
		? "mend that, then repeat the command"
		: "look into the system log for clavigerd's reason",
	    "no clavigerd runs here, and %s did not start%s%s", c->daemon,
	    words[0] != '\0' ? ": " : "", words);
}

static int
spawn(struct cli *c, struct cli_daemon *d, int errors)
{
	char name[64];
	int notify, pidfd, r = notify_socket(name, sizeof(name), &notify);

	if (r != CLV_OK)
		return cli_fail(
		    c, r, NULL, "no socket for a daemon: %s", strerror(errno));
	fflush(NULL);
	cli_signals_hold(&d->signals);
	d->pid = fork();
	if (d->pid == 0)
		exec_daemon(c, d, name, errors);
	pidfd = d->pid < 0 ? -1 : pidfd_open(d->pid, 0);
	d->started = d->pid > 0;
	r = pidfd < 0 ? CLV_E_SYSTEM : wait_ready(notify, pidfd);
	close(notify);
	if (pidfd >= 0)
		close(pidfd);
	if (r == CLV_OK)
		return r;
	if (d->started) {
		kill(d->pid, SIGTERM);
		reap(d);
	}
	cli_signals_release(&d->signals);
	return did_not_start(c, r, errors);
}

int
cli_daemon_start(struct cli *c, struct cli_daemon *d)
{
	int errors, r = check_host(c);

	if (r != CLV_OK)
		return r;
	cli_progress("no clavigerd runs here: starting one for this command");
	errors = memfd_create("clavigerd-stderr", MFD_CLOEXEC);
	r = spawn(c, d, errors);
	if (errors >= 0)
		close(errors);
	if (r == CLV_OK)
		wait_unlocked(c);
	return r;
}

int
cli_daemon_need(struct cli *c, struct cli_daemon *d)
{
	struct ctl_status st;
	int r = cli_ctl_status(c, &st);

	if (r == CLV_OK)
		return r;
	if (r == CLV_E_NO_SERVER)
		return cli_daemon_start(c, d);
	return cli_fail(c, r, "look into clavigerd's log",
	    "clavigerd runs here, but does not answer: %s", clv_result_text(r));
}

void
cli_daemon_stop(struct cli *c, struct cli_daemon *d)
{
	struct cli_reply reply;
	int r;

	if (!d->started)
		return;
	/* An agent may have switched the server role on meanwhile: then the
	 * daemon is the cluster's now. */
	r = cli_ctl(c, CTL_SHUTDOWN, NULL, 0, &reply, CLI_TIMEOUT_MS);
	if (r != CLV_OK && r != CLV_E_BUSY)
		kill(d->pid, SIGTERM);
	if (r != CLV_E_BUSY)
		reap(d);
	cli_signals_release(&d->signals);
}
