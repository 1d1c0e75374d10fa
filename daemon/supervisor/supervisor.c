/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <claviger/result.h>
#include "daemon/base/config_key.h"
#include "daemon/base/log.h"
#include "daemon/base/loop.h"
#include "daemon/supervisor/process.h"
#include "daemon/supervisor/supervisor.h"

#define END_MS 5000	  /* for the keeper to end in order */
#define FRONT_END_MS 2000 /* for the front, once the keeper has ended */
#define RESOURCE_MAX 64
#define EVENT_MS 5000	/* from one event that is told to the next */
#define WATCHER_MS 1000 /* until the watcher is started again */

struct child {
	struct supervisor *s;
	const char *name;
	pid_t pid; /* 0: not running */
	int pidfd;
	int link;
};

struct supervisor {
	struct config c;
	struct loop *loop;
	int lock;
	struct child child[N_CHILDREN];
	struct child watcher;
	struct loop_timer *deadline;
	struct loop_timer *watcher_timer;
	struct loop_timer *event_timer;	 /* set: one was told just now, */
	char event[2][RESOURCE_MAX + 1]; /* and these wait, or "": of the
					  * server elsewhere, and of us */
	char resource[RESOURCE_MAX + 1];
	bool ready;
	bool ending;
	int status;
};

static void
fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int
child_watch(struct supervisor *s, enum who who, pid_t pid, struct ends *e)
{
	struct child *ch = &s->child[who];

	if (pid < 0)
		return CLV_E_SYSTEM;
	ch->pid = pid;
	ch->link = e->link[who][0];
	e->link[who][0] = -1;
	ch->pidfd = pidfd_open(pid, 0);
	return ch->pidfd >= 0 ? CLV_OK : CLV_E_SYSTEM;
}

static int
children_start(
    struct supervisor *s, struct ends *e, keeper_fn keeper, front_fn front)
{
	const pid_t parent = getpid();
	pid_t pid;
	int rc;

	if ((pid = fork()) == 0)
		_exit(child_front(&s->c, e, front, parent));
	if ((rc = child_watch(s, FRONT, pid, e)) != CLV_OK)
		return rc;
	if ((pid = fork()) == 0)
		_exit(child_keeper(&s->c, e, keeper, parent));
	return child_watch(s, KEEPER, pid, e);
}

static void
child_kill(struct child *ch)
{
	if (ch->pid != 0 && ch->pidfd >= 0)
		pidfd_send_signal(ch->pidfd, SIGKILL, NULL, 0);
	else if (ch->pid != 0)
		kill(ch->pid, SIGKILL);
}

/* Reap it; *ret_status as waitpid() gives it. */
static void
child_reap(struct child *ch, int *ret_status)
{
	*ret_status = 0;
	while (waitpid(ch->pid, ret_status, 0) < 0 && errno == EINTR)
		;
	ch->pid = 0;
}

static void
child_close(struct child *ch)
{
	struct loop *l = ch->s->loop;

	if (l != NULL) {
		loop_fd_del(l, ch->pidfd);
		loop_fd_del(l, ch->link);
	}
	fd_close(&ch->pidfd);
	fd_close(&ch->link);
}

static void
child_end(struct child *ch)
{
	struct link_msg m;

	memset(&m, 0, sizeof(m));
	m.op = LINK_END;
	if (ch->link >= 0)
		send(ch->link, &m, sizeof(m), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void
children_kill(struct supervisor *s)
{
	int i, status;

	for (i = 0; i < N_CHILDREN; i++)
		child_kill(&s->child[i]);
	for (i = 0; i < N_CHILDREN; i++) {
		if (s->child[i].pid != 0)
			child_reap(&s->child[i], &status);
		child_close(&s->child[i]);
	}
}

static void
on_deadline(void *arg)
{
	struct supervisor *s = arg;
	int i;

	for (i = 0; i < N_CHILDREN; i++) {
		if (s->child[i].pid != 0)
			log_warning(
			    "%s does not end: killed", s->child[i].name);
		child_kill(&s->child[i]);
	}
}

static void
end_begin(struct supervisor *s, const char *why)
{
	if (s->ending)
		return;
	s->ending = true;
	log_notice("ending: %s", why);
	notify_send("STOPPING=1");
	child_end(&s->child[KEEPER]);
	loop_timer_set(s->loop, &s->deadline, END_MS, on_deadline, s);
}

static void
log_end(const struct child *ch, int status)
{
	const char *when = ch->s->ready ? "" : " before it was ready";

	if (WIFSIGNALED(status))
		log_error("%s was killed by signal %d%s", ch->name,
		    WTERMSIG(status), when);
	else
		log_error("%s ended with status %d%s", ch->name,
		    WEXITSTATUS(status), when);
}

/* From now on nobody answers here, and the next daemon may start. */
static void
release(struct supervisor *s)
{
	if (s->lock >= 0)
		startup_sockets_remove(&s->c);
	fd_close(&s->lock);
}

/* Without the one the other is worth nothing, and must not go on serving. All
 * is given back before Pacemaker is told, which may start us again at once. */
static void
fail(struct supervisor *s)
{
	s->status = 1;
	children_kill(s);
	release(s);
	if (s->resource[0] != '\0')
		tell_pacemaker(s->resource, s->c.node);
	tell_event(&s->c, TELL_FAILED);
	loop_stop(s->loop);
}

static void
end_go_on(struct supervisor *s, const struct child *ch, int status)
{
	struct child *front = &s->child[FRONT];

	if (status != 0)
		s->status = 1;
	if (s->child[KEEPER].pid == 0 && front->pid == 0) {
		loop_stop(s->loop);
		return;
	}
	if (ch != &s->child[KEEPER])
		return;
	child_end(front);
	loop_fd_del(s->loop, front->link);
	fd_close(&front->link);
	loop_timer_set(s->loop, &s->deadline, FRONT_END_MS, on_deadline, s);
}

/* Each message brings the name of the resource. While there is no watcher
 * nothing is sent: the next one hears the name, a failure is left to the next
 * monitor. */
static void
watcher_send(struct supervisor *s, enum link_op op)
{
	struct link_msg m;

	memset(&m, 0, sizeof(m));
	m.op = op;
	memcpy(m.text, s->resource, sizeof(s->resource));
	if (s->watcher.link >= 0)
		send(s->watcher.link, &m, sizeof(m),
		    MSG_NOSIGNAL | MSG_DONTWAIT);
}

static int
watcher_fork(struct supervisor *s)
{
	struct child *w = &s->watcher;
	struct watcher_fds fds = {
	    .child = {s->child[KEEPER].pidfd, s->child[FRONT].pidfd}};
	int link[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link) != 0)
		return CLV_E_SYSTEM;
	fds.link = link[1];
	w->link = link[0];
	watcher_send(s, LINK_RESOURCE); /* waits there, should we die now */
	if ((w->pid = fork()) == 0)
		_exit(watcher_main(&s->c, &fds));
	close(link[1]);
	if (w->pid < 0) {
		w->pid = 0;
		return CLV_E_SYSTEM;
	}
	w->pidfd = pidfd_open(w->pid, 0);
	return w->pidfd >= 0 ? CLV_OK : CLV_E_SYSTEM;
}

static void
watcher_end(struct supervisor *s)
{
	struct child *w = &s->watcher;
	int status;

	child_kill(w);
	if (w->pid != 0)
		child_reap(w, &status);
	child_close(w);
}

static void watcher_start(void *arg);

static void
on_watcher_end(void *arg, int fd, bool readable, bool writable)
{
	struct supervisor *s = arg;

	log_warning("the watcher ended: it is started again");
	watcher_end(s);
	loop_timer_set(
	    s->loop, &s->watcher_timer, WATCHER_MS, watcher_start, s);
}

/* It has no loop, and closes what it inherits of ours. */
static void
watcher_start(void *arg)
{
	struct supervisor *s = arg;
	int rc = watcher_fork(s);

	if (rc == CLV_OK)
		rc = loop_fd_add(
		    s->loop, s->watcher.pidfd, true, false, on_watcher_end, s);
	if (rc == CLV_OK) {
		watcher_send(s, LINK_RESOURCE);
		return;
	}
	log_error("the watcher cannot be started: %s", strerror(errno));
	watcher_end(s);
	loop_timer_set(
	    s->loop, &s->watcher_timer, WATCHER_MS, watcher_start, s);
}

static bool
is_resource(const char *s)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "abcdefghijklmnopqrstuvwxyz0123456789._-";

	/* A leading '-' would be an option to the tools. */
	return strlen(s) <= RESOURCE_MAX && s[strspn(s, set)] == '\0' &&
	       s[0] != '-';
}

static void
on_ready(struct supervisor *s)
{
	if (s->ready)
		return;
	s->ready = true;
	if (notify_send("READY=1") != CLV_OK)
		log_warning("whoever started us could not be told: %s",
		    strerror(errno));
	process_detach();
	log_info("ready");
}

/* What a running daemon cannot take is said, and waits for the next one. */
static void
log_later(const struct config *is, const struct config *file)
{
	const struct config_key *k;

	for (size_t i = 0; (k = config_key_at(i)) != NULL; i++)
		if (!config_key_is_live(k) && !config_key_same(k, is, file))
			log_warning("%s was changed in %s: that is for the "
				    "next start",
			    config_key_name(k), is->path);
}

/* A file that is wrong changes nothing. The watcher is made again with it. */
static void
reload(struct supervisor *s)
{
	struct config file;
	char why[256];

	if (s->ending)
		return;
	if (config_load(s->c.path, &file, why) != CLV_OK) {
		log_error("the configuration stays as it was: %s",
		    why[0] != '\0' ? why : s->c.path);
		return;
	}
	log_later(&s->c, &file);
	config_take_live(&s->c, &file);
	for (int i = 0; i < N_CHILDREN; i++)
		link_send_config(s->child[i].link, &s->c);
	watcher_end(s);
	loop_timer_del(s->loop, &s->watcher_timer); /* else there were two */
	watcher_start(s);
}

static void
on_event_timer(void *arg)
{
	struct supervisor *s = arg;
	bool any = false;

	for (size_t i = 0; i < 2; i++) {
		if (s->event[i][0] == '\0')
			continue;
		any = true;
		tell_event(&s->c, s->event[i]);
		s->event[i][0] = '\0';
	}
	if (any)
		loop_timer_set(
		    s->loop, &s->event_timer, EVENT_MS, on_event_timer, s);
}

/* Whatever goes to and fro, nobody is told oftener, and then of the last. */
static void
on_event(struct supervisor *s, const char *event)
{
	bool ours = strncmp(event, "server-", 7) != 0;

	if (!tell_is_event(event)) {
		log_error("the keeper told an event that is none");
		return;
	}
	memcpy(s->event[ours], event, strlen(event) + 1);
	if (s->event_timer == NULL)
		on_event_timer(s);
}

static void
on_keeper_msg(struct supervisor *s, const struct link_msg *m)
{
	switch ((enum link_op)m->op) {
	case LINK_READY: on_ready(s); return;
	case LINK_END: end_begin(s, "by request"); return;
	/* The tools may take seconds, in which this loop must not stand still.
	 */
	case LINK_FAIL: watcher_send(s, LINK_FAIL); return;
	case LINK_EVENT: on_event(s, m->text); return;
	case LINK_RELOAD: reload(s); return;
	case LINK_RESOURCE:
		if (!is_resource(m->text)) {
			log_error("the keeper told a resource name that is "
				  "none");
			return;
		}
		memcpy(s->resource, m->text, strlen(m->text) + 1);
		watcher_send(s, LINK_RESOURCE);
		return;
	}
	log_error("the keeper sent an unknown message");
}

/* One message of a child, if there is one. */
static bool
link_read(struct child *ch)
{
	struct link_msg m;
	ssize_t n = recv(ch->link, &m, sizeof(m), MSG_DONTWAIT | MSG_TRUNC);

	if (n <= 0)
		return n < 0 && errno == EINTR;
	if (n != sizeof(m) || memchr(m.text, '\0', sizeof(m.text)) == NULL)
		log_error("%s sent a message of the wrong form", ch->name);
	else if (ch == &ch->s->child[KEEPER])
		on_keeper_msg(ch->s, &m);
	else if (m.op == LINK_END)
		end_begin(ch->s, "by request of the front");
	return true;
}

static void
on_child_end(void *arg, int fd, bool readable, bool writable)
{
	struct child *ch = arg;
	struct supervisor *s = ch->s;
	int status;

	/* What they said last may have been that all ends: the front ends, too,
	 * when the keeper has hung up, and its end may be seen first. */
	for (int i = 0; i < N_CHILDREN; i++)
		while (!s->ending && link_read(&s->child[i]))
			continue;
	if (!s->ending) /* first of all */
		child_kill(&s->child[ch == &s->child[KEEPER] ? FRONT : KEEPER]);
	child_reap(ch, &status);
	child_close(ch);
	if (s->ending) {
		end_go_on(s, ch, status);
		return;
	}
	log_end(ch, status);
	fail(s);
}

static void
on_link(void *arg, int fd, bool readable, bool writable)
{
	struct child *ch = arg;
	char c;

	if (link_read(ch) || recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) != 0)
		return;
	loop_fd_del(ch->s->loop, fd); /* its end is told by the pidfd */
}

static void
on_signal(void *arg, int sig)
{
	end_begin(arg, sig == SIGTERM ? "SIGTERM" : "SIGINT");
}

static void
on_hangup(void *arg, int sig)
{
	reload(arg);
}

static int
supervise(struct supervisor *s)
{
	struct child *ch;
	int rc;

	if ((rc = loop_new(&s->loop)) != CLV_OK ||
	    (rc = loop_signal_add(s->loop, SIGTERM, on_signal, s)) != CLV_OK ||
	    (rc = loop_signal_add(s->loop, SIGINT, on_signal, s)) != CLV_OK ||
	    (rc = loop_signal_add(s->loop, SIGHUP, on_hangup, s)) != CLV_OK)
		return rc;
	for (ch = s->child; ch < s->child + N_CHILDREN; ch++) {
		rc = loop_fd_add(
		    s->loop, ch->pidfd, true, false, on_child_end, ch);
		if (rc == CLV_OK)
			rc = loop_fd_add(
			    s->loop, ch->link, true, false, on_link, ch);
		if (rc != CLV_OK)
			return rc;
	}
	watcher_start(s);
	loop_run(s->loop);
	return CLV_OK;
}

/* Fork before there is a loop: libqb's is not to be shared with a child. The
 * watcher lives until the last moment, and only then is all in order. */
static int
run(struct supervisor *s, struct ends *e, keeper_fn keeper, front_fn front)
{
	int rc;

	rc = ends_open(e);
	if (rc == CLV_OK)
		rc = children_start(s, e, keeper, front);
	ends_close(e);
	if (rc == CLV_OK)
		rc = supervise(s);
	if (rc != CLV_OK)
		log_error("cannot supervise: %s", strerror(errno));
	children_kill(s);
	release(s);
	watcher_end(s);
	if (s->loop != NULL) {
		loop_timer_del(s->loop, &s->deadline);
		loop_timer_del(s->loop, &s->watcher_timer);
	}
	loop_free(&s->loop);
	return rc == CLV_OK ? s->status : 1;
}

int
supervisor_main(const struct config *c, keeper_fn keeper, front_fn front)
{
	struct ends e = {.socket = {-1, -1, -1},
	    .identity = -1,
	    .chan = {-1, -1},
	    .link = {{-1, -1}, {-1, -1}}};
	struct supervisor s = {.c = *c,
	    .lock = -1,
	    .watcher = {.s = &s, .name = "watcher", .pidfd = -1, .link = -1},
	    .child = {{.s = &s, .name = "keeper", .pidfd = -1, .link = -1},
		{.s = &s, .name = "front", .pidfd = -1, .link = -1}}};
	int status = 1;

	signal(SIGHUP, SIG_IGN); /* until there is a loop that hears it */
	if (log_open("clavigerd", c->log_file, c->debug) != CLV_OK)
		log_warning("%s cannot be opened", c->log_file);
	if (startup_users(c) == CLV_OK && startup_state_dir(c) == CLV_OK &&
	    startup_lock(c, &s.lock) == CLV_OK &&
	    startup_identity(c, &e.identity) == CLV_OK &&
	    startup_sockets(c, e.socket) == CLV_OK) {
		machine_ids_get(&e.machine);
		status = run(&s, &e, keeper, front);
	}
	fd_close(&s.lock);
	log_close();
	return status;
}
