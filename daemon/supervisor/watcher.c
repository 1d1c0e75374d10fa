/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <claviger/result.h>
#include "daemon/base/log.h"
#include "daemon/supervisor/process.h"
#include "daemon/supervisor/supervisor.h"

#define END_MS 1000 /* for keeper and front to be gone */

/* Of its own session, and deaf to what ends the others in order; so are the
 * tools that it runs. */
static int
begin(const struct config *c, struct watcher_fds *fds)
{
	int *const kept[] = {
	    &fds->link, &fds->child[KEEPER], &fds->child[FRONT]};

	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	setsid();
	log_close();
	if (child_fds(kept, 3) != CLV_OK)
		return CLV_E_SYSTEM;
	process_detach();
	unsetenv("NOTIFY_SOCKET");
	if (log_open("clavigerd-watcher", c->log_file, c->debug) != CLV_OK)
		log_warning("%s cannot be opened", c->log_file);
	return CLV_OK;
}

static void
tell(const struct config *c, const char *resource)
{
	if (resource[0] != '\0')
		tell_pacemaker(resource, c->node);
}

/* They die with the supervisor. As there, all is given back before Pacemaker
 * is told. */
static void
children_end(const int pidfd[static N_CHILDREN])
{
	struct pollfd p = {.events = POLLIN};
	int i;

	for (i = 0; i < N_CHILDREN; i++)
		pidfd_send_signal(pidfd[i], SIGKILL, NULL, 0);
	for (i = 0; i < N_CHILDREN; i++) {
		p.fd = pidfd[i];
		poll(&p, 1, END_MS);
	}
}

/* The other end is the supervisor's alone: the link ends when that is dead, and
 * not when it is only stopped. The last message says what is to be told. */
int
watcher_main(const struct config *c, struct watcher_fds *fds)
{
	struct link_msg m;
	ssize_t n;

	memset(&m, 0, sizeof(m));
	if (begin(c, fds) != CLV_OK)
		return 1;
	while ((n = recv(fds->link, &m, sizeof(m), 0)) != 0) {
		if (n < 0 && errno != EINTR)
			return 1;
		if (n > 0 && m.op == LINK_FAIL)
			tell(c, m.text);
	}
	log_error("the supervisor died");
	children_end(fds->child);
	tell(c, m.text);
	tell_event(c, TELL_FAILED);
	return 0;
}
