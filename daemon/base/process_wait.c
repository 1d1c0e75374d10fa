/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "daemon/base/loop.h"
#include "daemon/supervisor/process.h"

bool
process_wait(pid_t pid, uint64_t within_ms)
{
	const uint64_t deadline = loop_now_ms() + within_ms;
	struct pollfd p = {.fd = pidfd_open(pid, 0), .events = POLLIN};
	uint64_t now;
	int n = 0;

	while (p.fd >= 0 && (now = loop_now_ms()) < deadline) {
		n = poll(&p, 1, (int)(deadline - now));
		if (n > 0 || (n < 0 && errno != EINTR))
			break;
	}
	if (p.fd >= 0)
		close(p.fd);
	if (n > 0)
		return true;
	kill(pid, SIGKILL);
	return false;
}
