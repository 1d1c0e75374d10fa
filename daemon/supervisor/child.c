/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <claviger/result.h>
#include "daemon/base/log.h"
#include "daemon/supervisor/process.h"
#include "daemon/supervisor/supervisor.h"

static void
fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int
ends_open(struct ends *e)
{
	const int type = SOCK_SEQPACKET | SOCK_CLOEXEC;
	int i;

	if (socketpair(AF_UNIX, type, 0, e->chan) != 0)
		return CLV_E_SYSTEM;
	for (i = 0; i < N_CHILDREN; i++) {
		if (socketpair(AF_UNIX, type, 0, e->link[i]) != 0)
			return CLV_E_SYSTEM;
	}
	return CLV_OK;
}

void
ends_close(struct ends *e)
{
	int i;

	for (i = 0; i < N_SOCKETS; i++)
		fd_close(&e->socket[i]);
	fd_close(&e->identity);
	for (i = 0; i < 2; i++)
		fd_close(&e->chan[i]);
	for (i = 0; i < N_CHILDREN; i++) {
		fd_close(&e->link[i][0]);
		fd_close(&e->link[i][1]);
	}
}

int
child_fds(int *const kept[], int n)
{
	int i, fd;

	for (i = 0; i < n; i++) { /* out of the way first */
		fd = fcntl(*kept[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1 + n);
		if (fd < 0)
			return CLV_E_SYSTEM;
		*kept[i] = fd;
	}
	for (i = 0; i < n; i++) {
		fd = STDERR_FILENO + 1 + i;
		if (dup3(*kept[i], fd, O_CLOEXEC) != fd)
			return CLV_E_SYSTEM;
		*kept[i] = fd;
	}
	process_close_from(STDERR_FILENO + 1 + n);
	return CLV_OK;
}

/* A pipe of whoever started us must not stay open, because at its end somebody
 * waits; a file may, until we are ready, so that it is told why we are not. */
static void
stdio_begin(void)
{
	struct stat st;

	if (fstat(STDERR_FILENO, &st) != 0 || !S_ISREG(st.st_mode))
		process_detach();
}

static int
child_begin(const struct config *c, const char *name, const char *user,
    pid_t parent, int *const kept[], int n)
{
	int rc;

	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	log_close();
	if ((rc = child_fds(kept, n)) != CLV_OK)
		return rc;
	stdio_begin();
	if (log_open(name, c->log_file, c->debug) != CLV_OK)
		log_warning("%s cannot be opened", c->log_file);
	unsetenv("NOTIFY_SOCKET");
	if ((rc = process_drop(user)) != CLV_OK) {
		log_error("cannot become user %s: %s", user,
		    rc == CLV_E_SYSTEM ? strerror(errno) : clv_result_text(rc));
		return rc;
	}
	/* It may have died before PDEATHSIG was set. */
	return getppid() == parent ? CLV_OK : CLV_E_CANCELLED;
}

int
child_keeper(const struct config *c, struct ends *e, keeper_fn fn, pid_t parent)
{
	struct keeper_fds fds = {.control = e->socket[SOCKET_CONTROL],
	    .front = e->chan[KEEPER],
	    .link = e->link[KEEPER][1],
	    .api = e->socket[SOCKET_API],
	    .credentials = e->socket[SOCKET_CREDENTIALS],
	    .identity = e->identity >= 0 ? e->identity : 0,
	    .machine = e->machine};
	int *const kept[] = {&fds.control, &fds.front, &fds.link, &fds.api,
	    &fds.credentials, &fds.identity};
	int n = fds.identity > 0 ? 6 : 5;

	if (child_begin(c, "clavigerd-keeper", c->user, parent, kept, n) !=
	    CLV_OK)
		return 1;
	return fn(c, &fds);
}

int
child_front(const struct config *c, struct ends *e, front_fn fn, pid_t parent)
{
	int chan = e->chan[FRONT], link = e->link[FRONT][1];
	int *const kept[] = {&chan, &link};

	if (child_begin(c, "clavigerd-front", c->front_user, parent, kept, 2) !=
	    CLV_OK)
		return 1;
	return fn(c, chan, link);
}
