/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "daemon/cli/drill/cli_drill_failover_seen.h"
#include "daemon/base/loop.h"

/* What is seen from this host while the role moves, each by a process of its
 * own, so that none waits for another. */
#define PING_MS 30
#define HERE_MS 30

static bool
value_of(const struct clv_buf *text, const char *key, char *dst, size_t cap)
{
	const char *line = (const char *)text->data;
	const size_t len = strlen(key);

	for (; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, len) != 0 || line[len] != ' ')
			continue;
		line += len + strspn(line + len, " ");
		snprintf(dst, cap, "%.*s", (int)strcspn(line, "\n"), line);
		return true;
	}
	return false;
}

/* Of a process of its own, as a member's would be. */
static bool
fetch(struct cli *c, struct seen *s)
{
	const char *const argv[] = {
	    "/proc/self/exe", "--config", c->path, "fetch", "--check", NULL};
	struct clv_buf out;
	char epoch[32] = "";
	bool ok;

	clv_buf_init(&out);
	out.max = 65536;
	ok = cli_tool_read(argv, SEEN_FETCH_MS, &out) == CLV_OK;
	clv_buf_u8(&out, '\0');
	ok = ok && !out.failed &&
	     value_of(&out, "server", s->server, sizeof(s->server)) &&
	     value_of(&out, "epoch", epoch, sizeof(epoch));
	s->epoch = strtoull(epoch, NULL, 10);
	clv_buf_fini(&out);
	return ok;
}

bool
seen_by_client(struct cli *c, void *arg, struct seen *s)
{
	s->ok = fetch(c, s);
	return true;
}

bool
seen_address(struct cli *c, void *arg, struct seen *s)
{
	const char *address = arg;
	const uint64_t deadline = loop_now_ms() + PING_MS;
	int rest;

	s->ok = cli_net_answers(address, PING_MS);
	rest = (int)(deadline - loop_now_ms());
	if (rest > 0 && rest <= PING_MS)
		poll(NULL, 0, rest);
	return true;
}

bool
seen_here(struct cli *c, void *arg, struct seen *s)
{
	struct failover_here *here = arg;

	s->epoch = failover_epoch(c);
	s->ok = here->from != NULL && failover_has_left(here->f, here->from);
	if (s->ok)
		here->from = NULL; /* once */
	poll(NULL, 0, HERE_MS);
	return true;
}

bool
seen_tool(struct cli *c, void *arg, struct seen *s)
{
	struct clv_buf out;

	clv_buf_init(&out);
	s->ok = cli_tool_read(arg, SEEN_TOOL_MS, &out) == CLV_OK;
	clv_buf_fini(&out);
	return false;
}

static void __attribute__((noreturn))
look_on(struct cli *c, seen_fn *fn, void *arg, int fd)
{
	struct seen s;
	bool more;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	do {
		memset(&s, 0, sizeof(s));
		more = fn(c, arg, &s);
		s.at_ms = loop_now_ms();
	} while (write(fd, &s, sizeof(s)) == (ssize_t)sizeof(s) && more);
	_exit(0);
}

bool
seen_start(struct cli *c, seen_fn *fn, void *arg, struct seen_by *ret)
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC) != 0)
		return false;
	fflush(NULL);
	ret->pid = fork();
	if (ret->pid == 0) {
		close(fd[0]);
		look_on(c, fn, arg, fd[1]);
	}
	close(fd[1]);
	ret->fd = fd[0];
	if (ret->pid > 0)
		return true;
	close(fd[0]);
	ret->pid = 0;
	return false;
}

void
seen_stop(struct seen_by *by)
{
	if (by->pid <= 0)
		return;
	close(by->fd);
	kill(by->pid, SIGKILL);
	while (waitpid(by->pid, NULL, 0) < 0 && errno == EINTR)
		;
	by->pid = 0;
}

bool
seen_next(struct seen_by *by, int wait_ms, struct seen *ret)
{
	struct pollfd p = {.fd = by->fd, .events = POLLIN};

	return by->pid > 0 && poll(&p, 1, wait_ms) > 0 &&
	       read(by->fd, ret, sizeof(*ret)) == (ssize_t)sizeof(*ret);
}
