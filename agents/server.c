/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include <claviger/result.h>
#include "agents/server.h"

#define PIDS_MAX 64
#define SETTLE_STEP_MS 50

int
server_open(const struct server *s, int timeout_ms, int settle_ms,
    struct server_conn *ret)
{
	int64_t end_ms = ocf_now_ms() + settle_ms;
	int result;

	ret->fd = -1;
	for (;;) {
		result =
		    ctl_connect(s->socket, timeout_ms, &ret->fd, &ret->pid);
		if (result != CLV_E_NO_SERVER)
			return result;
		/* Not "absent" while there is a process. */
		if (process_find(s->binary, s->config, NULL, 0) == 0)
			return CLV_E_NO_SERVER;
		if (ocf_now_ms() >= end_ms)
			return CLV_E_TIMEOUT;
		poll(NULL, 0, SETTLE_STEP_MS);
	}
}

void
server_close(struct server_conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

/* The texts come from another process: they end where they should. */
static void
terminate(struct ctl_status *st)
{
	st->system_pk[sizeof(st->system_pk) - 1] = '\0';
	st->node[sizeof(st->node) - 1] = '\0';
	st->network_name[sizeof(st->network_name) - 1] = '\0';
	st->address[sizeof(st->address) - 1] = '\0';
	st->reason[sizeof(st->reason) - 1] = '\0';
	st->resource[sizeof(st->resource) - 1] = '\0';
}

int
server_send(struct server_conn *c, enum ctl_op op, const void *body, size_t len,
    int timeout_ms)
{
	return ctl_send(c->fd, op, body, len, timeout_ms);
}

int
server_receive(struct server_conn *c, enum ctl_op op, int timeout_ms,
    struct ctl_status *ret)
{
	size_t got = 0;
	int result;

	memset(ret, 0, sizeof(*ret));
	result = ctl_receive(c->fd, op, ret, sizeof(*ret), &got, timeout_ms);
	if (result == CLV_OK && got != sizeof(*ret))
		result = CLV_E_PROTOCOL;
	if (got != sizeof(*ret))
		memset(ret, 0, sizeof(*ret));
	terminate(ret);
	return result;
}

int
server_ask(struct server_conn *c, enum ctl_op op, const void *body, size_t len,
    int timeout_ms, struct ctl_status *ret)
{
	int64_t end_ms = ocf_now_ms() + timeout_ms;
	int result = server_send(c, op, body, len, timeout_ms);

	memset(ret, 0, sizeof(*ret));
	if (result != CLV_OK)
		return result;
	return server_receive(c, op, (int)(end_ms - ocf_now_ms()), ret);
}

/* Is the process gone within the time? */
static bool
is_gone(int pidfd, int timeout_ms)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	return poll(&p, 1, timeout_ms) == 1;
}

/* By pidfd, and looked at again with it in hand: the number may meanwhile
 * belong to somebody else. */
static void
kill_one(const struct server *s, pid_t pid, int timeout_ms)
{
	int fd = pidfd_open(pid, 0);

	if (fd < 0)
		return;
	if (process_is(pid, s->binary, s->config) &&
	    pidfd_send_signal(fd, SIGKILL, NULL, 0) == 0)
		is_gone(fd, timeout_ms);
	close(fd);
}

int
server_kill(const struct server *s, int timeout_ms)
{
	int64_t end_ms = ocf_now_ms() + timeout_ms, left;
	pid_t pids[PIDS_MAX];
	int n, i;

	for (;;) {
		n = process_find(s->binary, s->config, pids, PIDS_MAX);
		if (n < 0)
			return CLV_E_SYSTEM;
		if (n == 0)
			return CLV_OK;
		for (i = 0; i < n && i < PIDS_MAX; i++) {
			left = end_ms - ocf_now_ms();
			if (left <= 0)
				return CLV_E_TIMEOUT;
			kill_one(s, pids[i], (int)left);
		}
	}
}

int
server_end(const struct server *s, struct server_conn *c, int timeout_ms)
{
	int fd = pidfd_open(c->pid, 0), result;

	result =
	    ctl_call(c->fd, CTL_SHUTDOWN, NULL, 0, NULL, 0, NULL, timeout_ms);
	if (fd >= 0) {
		/* It ends by itself, or else is ended. */
		if (result == CLV_OK || result == CLV_E_NO_SERVER)
			is_gone(fd, timeout_ms);
		close(fd);
	}
	return server_kill(s, timeout_ms);
}
