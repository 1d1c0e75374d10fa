/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <claviger/result.h>
#include "agents/control.h"

/* How long to wait before trying again at a full backlog: it is no event that
 * poll() reports. */
#define BACKLOG_RETRY_MS 20

static int64_t
now_ms(void)
{
	struct timespec ts;

	/* BOOTTIME: a suspended host must not stretch a deadline. */
	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Wait for the events, or with fd -1 only pause. */
static int
wait_for(int fd, short events, int64_t deadline_ms)
{
	struct pollfd p = {.fd = fd, .events = events};
	int64_t left;
	int n;

	do {
		left = deadline_ms - now_ms();
		if (left <= 0)
			return CLV_E_TIMEOUT;
		n = poll(&p, 1, left > 60000 ? 60000 : (int)left);
	} while (n == 0 || (n < 0 && errno == EINTR));
	return n < 0 ? CLV_E_SYSTEM : CLV_OK;
}

static int
connect_errno(int err)
{
	switch (err) {
	case ENOENT:
	case ENOTDIR:
	case ECONNREFUSED:
	case EPROTOTYPE: return CLV_E_NO_SERVER;
	case EACCES:
	case EPERM: return CLV_E_PERMISSION;
	default: return CLV_E_SYSTEM;
	}
}

/* A full backlog (EAGAIN) is a server that does not accept: it may be stopped,
 * so this too ends at the deadline. */
static int
connect_until(int fd, const struct sockaddr_un *sa, int64_t deadline_ms)
{
	int64_t left;

	while (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) != 0) {
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return connect_errno(errno);
		left = deadline_ms - now_ms();
		if (left <= 0)
			return CLV_E_TIMEOUT;
		poll(NULL, 0,
		    left < BACKLOG_RETRY_MS ? (int)left : BACKLOG_RETRY_MS);
	}
	return CLV_OK;
}

/* The credentials are those of the process that called listen(), and are there
 * before it accepts: also of a stopped server. */
static int
check_peer(int fd, pid_t *ret_pid)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
		return CLV_E_SYSTEM;
	if (peer.uid != 0)
		return CLV_E_PERMISSION;
	if (ret_pid != NULL)
		*ret_pid = peer.pid;
	return CLV_OK;
}

int
ctl_connect(const char *path, int timeout_ms, int *ret_fd, pid_t *ret_pid)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int64_t deadline_ms = now_ms() + timeout_ms;
	int fd, result, saved;

	if (path == NULL)
		path = CTL_SOCKET;
	if (strlen(path) >= sizeof(sa.sun_path))
		return CLV_E_INVALID;
	memcpy(sa.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return CLV_E_SYSTEM;
	result = connect_until(fd, &sa, deadline_ms);
	if (result == CLV_OK)
		result = check_peer(fd, ret_pid);
	if (result != CLV_OK) {
		saved = errno;
		close(fd);
		errno = saved;
		return result;
	}
	*ret_fd = fd;
	return CLV_OK;
}

static int
send_request(
    int fd, const struct ctl_header *h, const void *body, int64_t deadline_ms)
{
	struct iovec iov[2] = {
	    {.iov_base = (void *)(uintptr_t)h, .iov_len = sizeof(*h)},
	    {.iov_base = (void *)(uintptr_t)body, .iov_len = h->len},
	};
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = h->len > 0 ? 2 : 1};
	int result;

	while (sendmsg(fd, &m, MSG_NOSIGNAL) < 0) {
		if (errno == EPIPE || errno == ECONNRESET)
			return CLV_E_NO_SERVER;
		if (errno != EAGAIN && errno != EINTR)
			return CLV_E_SYSTEM;
		result = wait_for(fd, POLLOUT, deadline_ms);
		if (result != CLV_OK)
			return result;
	}
	return CLV_OK;
}

/* One message whole: *ret_got bytes of it fitted. It may be there already. */
static int
receive(int fd, struct msghdr *m, int64_t deadline_ms, size_t *ret_got)
{
	ssize_t n;
	int result;

	for (;;) {
		n = recvmsg(fd, m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		if (n > 0) {
			*ret_got = (size_t)n;
			return CLV_OK;
		}
		if (n == 0 || errno == ECONNRESET)
			return CLV_E_NO_SERVER;
		if (errno != EAGAIN && errno != EINTR)
			return CLV_E_SYSTEM;
		result = wait_for(fd, POLLIN, deadline_ms);
		if (result != CLV_OK)
			return result;
	}
}

static bool
is_answer_to(const struct ctl_header *h, enum ctl_op op)
{
	return h->magic == CTL_MAGIC && h->op == (uint16_t)op &&
	       h->result <= 0 && h->result > CLV_E_LAST;
}

int
ctl_send(int fd, enum ctl_op op, const void *body, size_t len, int timeout_ms)
{
	struct ctl_header h = {.magic = CTL_MAGIC, .op = (uint16_t)op};

	if (len > CTL_MSG_MAX - sizeof(h))
		return CLV_E_INVALID;
	h.len = (uint32_t)len;
	return send_request(fd, &h, body, now_ms() + timeout_ms);
}

int
ctl_receive(int fd, enum ctl_op op, void *reply, size_t cap, size_t *ret_len,
    int timeout_ms)
{
	struct ctl_header h;
	struct iovec iov[2] = {
	    {.iov_base = &h, .iov_len = sizeof(h)},
	    {.iov_base = reply, .iov_len = cap},
	};
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = reply ? 2 : 1};
	size_t got;
	int result;

	result = receive(fd, &m, now_ms() + timeout_ms, &got);
	if (result != CLV_OK)
		return result;
	if (got < sizeof(h) || !is_answer_to(&h, op))
		return CLV_E_PROTOCOL;
	if (reply == NULL)
		return h.result; /* the body is of no interest */
	if ((m.msg_flags & MSG_TRUNC) || got != sizeof(h) + h.len)
		return CLV_E_PROTOCOL;
	if (ret_len != NULL)
		*ret_len = h.len;
	return h.result;
}

int
ctl_call(int fd, enum ctl_op op, const void *body, size_t len, void *reply,
    size_t cap, size_t *ret_len, int timeout_ms)
{
	int64_t deadline_ms = now_ms() + timeout_ms;
	int result = ctl_send(fd, op, body, len, timeout_ms);

	if (result != CLV_OK)
		return result;
	return ctl_receive(
	    fd, op, reply, cap, ret_len, (int)(deadline_ms - now_ms()));
}
