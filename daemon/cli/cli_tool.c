/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include "daemon/cli/cli.h"
#include "daemon/base/loop.h"
#include "daemon/supervisor/process.h"

#define END_MS 5000 /* from the end of its output to its own */

/*
 * What a tool of the cluster prints, bounded in size and in time: those wait
 * without limit for a cluster that stands still.
 */
static void __attribute__((noreturn)) run(const char *const argv[], int out)
{
	int null = open("/dev/null", O_RDWR);
	char path[256];

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(out, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
		_exit(126);
	close_range(STDERR_FILENO + 1, ~0U, 0);
	setpgid(0, 0);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	/* Where root's PATH is a user's. */
	snprintf(path, sizeof(path), "/usr/sbin/%s", argv[0]);
	execv(path, (char *const *)(uintptr_t)argv);
	_exit(127);
}

static int
read_some(int fd, int wait_ms, struct clv_buf *ret)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char block[8192];
	ssize_t n;

	if (poll(&p, 1, wait_ms) <= 0)
		return CLV_E_AGAIN;
	n = read(fd, block, sizeof(block));
	if (n < 0)
		return errno == EINTR ? CLV_E_AGAIN : CLV_E_SYSTEM;
	clv_buf_raw(ret, block, (size_t)n);
	if (ret->failed)
		return clv_buf_result(ret);
	return n == 0 ? CLV_OK : CLV_E_AGAIN;
}

static int
read_all(int fd, unsigned within_ms, struct clv_buf *ret)
{
	const uint64_t deadline = loop_now_ms() + within_ms;
	uint64_t now;
	int r = CLV_E_AGAIN;

	while (r == CLV_E_AGAIN && (now = loop_now_ms()) < deadline)
		r = read_some(fd, (int)(deadline - now), ret);
	return r == CLV_E_AGAIN ? CLV_E_TIMEOUT : r;
}

/* It has closed its output, so it should end; else it is ended. */
static int
end(pid_t pid, int r)
{
	int status = 0;

	if (r == CLV_OK && !process_wait(pid, END_MS))
		r = CLV_E_TIMEOUT;
	if (r != CLV_OK) {
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return CLV_E_SYSTEM;
	if (r != CLV_OK)
		return r;
	if (!WIFEXITED(status) || WEXITSTATUS(status) == 126)
		return CLV_E_SYSTEM;
	if (WEXITSTATUS(status) == 127)
		return CLV_E_NOT_FOUND;
	return WEXITSTATUS(status) == 0 ? CLV_OK : CLV_E_NO_SERVER;
}

int
cli_tool_read(const char *const argv[], unsigned within_ms, struct clv_buf *ret)
{
	int fd[2], r;
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) != 0)
		return CLV_E_SYSTEM;
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		run(argv, fd[1]);
	close(fd[1]);
	r = pid < 0 ? CLV_E_SYSTEM : read_all(fd[0], within_ms, ret);
	if (pid > 0)
		r = end(pid, r);
	close(fd[0]);
	return r;
}
