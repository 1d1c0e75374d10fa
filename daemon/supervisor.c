/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <claviger/result.h>
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/process.h"
#include "daemon/supervisor.h"

#define END_MS 5000	  /* for the keeper to end in order */
#define FRONT_END_MS 2000 /* for the front, once the keeper has ended */
#define RESOURCE_MAX 64

enum who { KEEPER, FRONT, N_CHILDREN };

struct child {
	struct supervisor *s;
	const char *name;
	pid_t pid; /* 0: not running */
	int pidfd;
	int link;
};

struct supervisor {
	const struct config *c;
	struct loop *loop;
	struct child child[N_CHILDREN];
	struct loop_timer *deadline;
	char resource[RESOURCE_MAX + 1];
	bool ready;
	bool ending;
	int status;
};

/* Descriptors of the two children, before the forks. */
struct ends {
	int control;
	int chan[2];		 /* keeper, front */
	int link[N_CHILDREN][2]; /* supervisor, child */
};

static void
fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int
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

static void
ends_close(struct ends *e)
{
	int i;

	fd_close(&e->control);
	for (i = 0; i < 2; i++)
		fd_close(&e->chan[i]);
	for (i = 0; i < N_CHILDREN; i++) {
		fd_close(&e->link[i][0]);
		fd_close(&e->link[i][1]);
	}
}

/* Move what the child keeps to 3, 4, 5 and close all the rest. */
static int
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

/* A pipe of whoever started us must not stay open for as long as we live: it
 * waits there for our end. A terminal or a file may. */
static void
stdio_detach(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	bool keep = isatty(STDERR_FILENO);

	if (null < 0)
		return;
	dup2(null, STDIN_FILENO);
	if (!keep) {
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
	}
	if (null > STDERR_FILENO)
		close(null);
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
	stdio_detach();
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

static int
keeper_child(const struct config *c, struct ends *e, keeper_fn fn, pid_t parent)
{
	struct keeper_fds fds = {.control = e->control,
	    .front = e->chan[KEEPER],
	    .link = e->link[KEEPER][1]};
	int *const kept[] = {&fds.control, &fds.front, &fds.link};

	if (child_begin(c, "clavigerd-keeper", c->user, parent, kept, 3) !=
	    CLV_OK)
		return 1;
	return fn(c, &fds);
}

static int
front_child(const struct config *c, struct ends *e, front_fn fn, pid_t parent)
{
	int chan = e->chan[FRONT], link = e->link[FRONT][1];
	int *const kept[] = {&chan, &link};

	if (child_begin(c, "clavigerd-front", c->front_user, parent, kept, 2) !=
	    CLV_OK)
		return 1;
	return fn(c, chan, link);
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
		_exit(front_child(s->c, e, front, parent));
	if ((rc = child_watch(s, FRONT, pid, e)) != CLV_OK)
		return rc;
	if ((pid = fork()) == 0)
		_exit(keeper_child(s->c, e, keeper, parent));
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

/* Without the one the other is worth nothing, and must not go on serving. The
 * socket goes before Pacemaker is told: from then on nobody answers here. */
static void
fail(struct supervisor *s)
{
	s->status = 1;
	children_kill(s);
	startup_control_remove(s->c);
	if (s->resource[0] != '\0')
		tell_pacemaker(s->resource, s->c->node);
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

static void
on_child_end(void *arg, int fd, bool readable, bool writable)
{
	struct child *ch = arg;
	struct supervisor *s = ch->s;
	int status;

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
	stdio_detach();
	log_info("ready");
}

static void
on_keeper_msg(struct supervisor *s, const struct link_msg *m)
{
	switch ((enum link_op)m->op) {
	case LINK_READY: on_ready(s); return;
	case LINK_END: end_begin(s, "by request"); return;
	case LINK_BY_AGENT: return;
	case LINK_RESOURCE:
		if (!is_resource(m->text)) {
			log_error("the keeper told a resource name that is "
				  "none");
			return;
		}
		memcpy(s->resource, m->text, strlen(m->text) + 1);
		return;
	}
	log_error("the keeper sent an unknown message");
}

static void
on_link(void *arg, int fd, bool readable, bool writable)
{
	struct child *ch = arg;
	struct link_msg m;
	ssize_t n = recv(fd, &m, sizeof(m), MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) { /* its end is told by the pidfd */
		loop_fd_del(ch->s->loop, fd);
		return;
	}
	if (n != sizeof(m) || memchr(m.text, '\0', sizeof(m.text)) == NULL) {
		log_error("%s sent a message of the wrong form", ch->name);
		return;
	}
	if (ch == &ch->s->child[KEEPER])
		on_keeper_msg(ch->s, &m);
	else if (m.op == LINK_END)
		end_begin(ch->s, "by request of the front");
}

static void
on_signal(void *arg, int sig)
{
	end_begin(arg, sig == SIGTERM ? "SIGTERM" : "SIGINT");
}

static void
on_hangup(void *arg, int sig)
{
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
	loop_run(s->loop);
	return CLV_OK;
}

/* Fork before there is a loop: libqb's is not to be shared with a child. */
static int
run(const struct config *c, struct ends *e, keeper_fn keeper, front_fn front)
{
	struct supervisor s = {.c = c,
	    .child = {{.s = &s, .name = "keeper", .pidfd = -1, .link = -1},
		{.s = &s, .name = "front", .pidfd = -1, .link = -1}}};
	int rc;

	rc = children_start(&s, e, keeper, front);
	ends_close(e);
	if (rc == CLV_OK)
		rc = supervise(&s);
	if (rc != CLV_OK) {
		log_error("cannot supervise: %s", strerror(errno));
		s.status = 1;
	}
	children_kill(&s);
	if (s.loop != NULL)
		loop_timer_del(s.loop, &s.deadline);
	loop_free(&s.loop);
	return s.status;
}

int
supervisor_main(const struct config *c, keeper_fn keeper, front_fn front)
{
	struct ends e = {-1, {-1, -1}, {{-1, -1}, {-1, -1}}};
	int lock, status = 1;

	if (log_open("clavigerd", c->log_file, c->debug) != CLV_OK)
		log_warning("%s cannot be opened", c->log_file);
	if (startup_users(c) != CLV_OK || startup_state_dir(c) != CLV_OK ||
	    startup_lock(c, &lock) != CLV_OK)
		goto out;
	if (startup_control(c, &e.control) == CLV_OK) {
		if (ends_open(&e) == CLV_OK)
			status = run(c, &e, keeper, front);
		else
			log_error("no sockets: %s", strerror(errno));
		startup_control_remove(c);
	}
	ends_close(&e);
	close(lock);
out:
	log_close();
	return status;
}
