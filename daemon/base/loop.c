/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <qb/qbloop.h>

#include <claviger/result.h>
#include "daemon/base/loop.h"

/*
 * The rules of libqb 2.0 that are kept here, so that nobody else need know:
 * a poll callback's negative result removes its entry; a descriptor leaves the
 * loop before it is closed; a signal callback returns 0 or the next such
 * signal kills; no call with a NULL loop (libqb would take the last one made).
 * What is not of the highest priority waits for a second look at every third
 * turn. A timer makes libqb set one of the kernel's at every turn: so timers
 * are kept here, behind one descriptor, which is set when the first one to come
 * changes, and they run on the clock of loop_now_ms().
 */

#define DELAY_MAX_MS (UINT64_C(1) << 40) /* in ns that still fits 64 bits */

struct watch {
	struct loop *loop;
	int fd;
	bool read;
	bool write;
	bool polled;	/* libqb has an entry for it */
	bool dead;	/* deleted inside its own callback */
	unsigned entry; /* counts libqb entries, to see one replaced */
	loop_fd_fn fn;
	void *arg;
};

struct loop_timer {
	uint64_t due_ms;
	unsigned turn; /* in which it was set */
	loop_timer_fn fn;
	void *arg;
	struct loop_timer **owner;
	struct loop_timer *before, *after;
};

struct loop_signal {
	loop_signal_fn fn;
	void *arg;
	qb_loop_signal_handle handle;
	struct loop_signal *next;
};

struct loop {
	qb_loop_t *qb;
	struct watch **by_fd;
	size_t n_fds;
	struct watch *running;
	struct loop_timer *first, *last; /* by time */
	unsigned turn;
	int timer_fd;
	uint64_t armed_ms; /* what it is set to; 0: nothing */
	struct loop_signal *signals;
};

static void on_due(void *arg, int fd, bool readable, bool writable);

int
loop_new(struct loop **ret)
{
	struct loop *l;

	if ((l = calloc(1, sizeof(*l))) == NULL)
		return CLV_E_NOMEM;
	l->timer_fd =
	    timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	l->qb = qb_loop_create();
	if (l->timer_fd < 0 || l->qb == NULL ||
	    loop_fd_add(l, l->timer_fd, true, false, on_due, l) != CLV_OK) {
		loop_free(&l);
		return CLV_E_NOMEM;
	}
	*ret = l;
	return CLV_OK;
}

static struct watch *
watch_of(struct loop *l, int fd)
{
	if (fd < 0 || (size_t)fd >= l->n_fds)
		return NULL;
	return l->by_fd[fd];
}

static void
timer_unlink(struct loop *l, struct loop_timer *t)
{
	*(t->before != NULL ? &t->before->after : &l->first) = t->after;
	*(t->after != NULL ? &t->after->before : &l->last) = t->before;
}

void
loop_free(struct loop **loop)
{
	struct loop *l = *loop;
	struct loop_signal *s;
	size_t i;

	if (l == NULL)
		return;
	for (i = 0; i < l->n_fds; i++)
		loop_fd_del(l, (int)i);
	while (l->first != NULL)
		loop_timer_del(l, l->first->owner);
	while ((s = l->signals) != NULL) {
		l->signals = s->next;
		qb_loop_signal_del(l->qb, s->handle);
		free(s);
	}
	if (l->qb != NULL)
		qb_loop_destroy(l->qb);
	if (l->timer_fd >= 0)
		close(l->timer_fd);
	free(l->by_fd);
	free(l);
	*loop = NULL;
}

void
loop_run(struct loop *l)
{
	qb_loop_run(l->qb);
}

void
loop_stop(struct loop *l)
{
	qb_loop_stop(l->qb);
}

/*
 * The interest may have changed since libqb queued the event: an event that
 * nobody waits for any more is dropped.
 */
static int32_t
on_poll(int32_t fd, int32_t revents, void *data)
{
	struct watch *w = data;
	struct loop *l = w->loop;
	unsigned entry = w->entry;
	bool readable, writable;

	readable = ((revents & (POLLIN | POLLPRI)) != 0 && w->read) ||
		   (revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
	writable = (revents & POLLOUT) != 0 && w->write;
	if (!readable && !writable)
		return 0;
	l->running = w;
	w->fn(w->arg, fd, readable, writable);
	l->running = NULL;
	if (w->dead) {
		free(w);
		return -1;
	}
	return w->polled && w->entry == entry ? 0 : -1;
}

static int32_t
poll_events(const struct watch *w)
{
	return (w->read ? POLLIN : 0) | (w->write ? POLLOUT : 0);
}

/* Interest in nothing takes the descriptor out of the poll set, because a
 * hang-up cannot be masked and would spin. */
static int
watch_arm(struct watch *w)
{
	qb_loop_t *qb = w->loop->qb;
	int32_t rc = 0;

	if (!w->read && !w->write) {
		if (w->polled)
			qb_loop_poll_del(qb, w->fd);
		w->polled = false;
		return CLV_OK;
	}
	if (w->polled) {
		rc = qb_loop_poll_mod(
		    qb, QB_LOOP_HIGH, w->fd, poll_events(w), w, on_poll);
	} else {
		rc = qb_loop_poll_add(
		    qb, QB_LOOP_HIGH, w->fd, poll_events(w), w, on_poll);
		w->entry++;
		w->polled = rc == 0;
		if (rc != 0)
			qb_loop_poll_del(qb, w->fd);
	}
	if (rc != 0) {
		errno = -rc;
		return CLV_E_SYSTEM;
	}
	return CLV_OK;
}

static int
table_grow(struct loop *l, int fd)
{
	size_t n = l->n_fds == 0 ? 16 : l->n_fds;
	struct watch **t;
	size_t i;

	while (n <= (size_t)fd)
		n *= 2;
	if (n == l->n_fds)
		return CLV_OK;
	if ((t = reallocarray(l->by_fd, n, sizeof(struct watch *))) == NULL)
		return CLV_E_NOMEM;
	for (i = l->n_fds; i < n; i++)
		t[i] = NULL;
	l->by_fd = t;
	l->n_fds = n;
	return CLV_OK;
}

int
loop_fd_add(
    struct loop *l, int fd, bool read, bool write, loop_fd_fn fn, void *arg)
{
	struct watch *w;
	int rc;

	if (fd < 0)
		return CLV_E_INVALID;
	if (watch_of(l, fd) != NULL)
		return CLV_E_EXISTS;
	if ((rc = table_grow(l, fd)) != CLV_OK)
		return rc;
	if ((w = calloc(1, sizeof(*w))) == NULL)
		return CLV_E_NOMEM;
	*w = (struct watch){.loop = l,
	    .fd = fd,
	    .read = read,
	    .write = write,
	    .fn = fn,
	    .arg = arg};
	if ((rc = watch_arm(w)) != CLV_OK) {
		free(w);
		return rc;
	}
	l->by_fd[fd] = w;
	return CLV_OK;
}

int
loop_fd_set(struct loop *l, int fd, bool read, bool write)
{
	struct watch *w = watch_of(l, fd);

	if (w == NULL)
		return CLV_E_NOT_FOUND;
	if (w->read == read && w->write == write)
		return CLV_OK;
	w->read = read;
	w->write = write;
	return watch_arm(w);
}

void
loop_fd_del(struct loop *l, int fd)
{
	struct watch *w = watch_of(l, fd);

	if (w == NULL)
		return;
	if (w->polled)
		qb_loop_poll_del(l->qb, fd);
	w->polled = false;
	l->by_fd[fd] = NULL;
	if (w == l->running)
		w->dead = true;
	else
		free(w);
}

/* When the first one goes it stays set: to be woken once in vain is cheaper
 * than to set it again each time. */
static int
timer_arm(struct loop *l)
{
	struct itimerspec at = {0};

	if (l->first == NULL || l->first->due_ms == l->armed_ms ||
	    (l->armed_ms != 0 && l->first->due_ms > l->armed_ms))
		return CLV_OK;
	at.it_value.tv_sec = (time_t)(l->first->due_ms / 1000);
	at.it_value.tv_nsec = (long)(l->first->due_ms % 1000) * 1000000;
	if (timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &at, NULL) != 0)
		return CLV_E_SYSTEM;
	l->armed_ms = l->first->due_ms;
	return CLV_OK;
}

/* Those that are due; one that is set meanwhile has its turn later, so that
 * descriptors have theirs. */
static void
on_due(void *arg, int fd, bool readable, bool writable)
{
	uint64_t now = loop_now_ms(), times;
	struct loop *l = arg;
	struct loop_timer *t;

	(void)readable;
	(void)writable;
	if (read(fd, &times, sizeof(times)) < 0)
		return;
	l->armed_ms = 0;
	l->turn++;
	while (
	    (t = l->first) != NULL && t->due_ms <= now && t->turn != l->turn) {
		loop_timer_fn fn = t->fn;
		void *fn_arg = t->arg;

		loop_timer_del(l, t->owner);
		fn(fn_arg);
	}
	(void)timer_arm(l);
}

static void
timer_link(struct loop *l, struct loop_timer *t)
{
	t->before = l->last;
	while (t->before != NULL && t->before->due_ms > t->due_ms)
		t->before = t->before->before;
	t->after = t->before != NULL ? t->before->after : l->first;
	*(t->before != NULL ? &t->before->after : &l->first) = t;
	*(t->after != NULL ? &t->after->before : &l->last) = t;
}

int
loop_timer_set(struct loop *l, struct loop_timer **owner, uint64_t after_ms,
    loop_timer_fn fn, void *arg)
{
	struct loop_timer *t;

	if (after_ms > DELAY_MAX_MS)
		after_ms = DELAY_MAX_MS;
	loop_timer_del(l, owner);
	if ((t = calloc(1, sizeof(*t))) == NULL)
		return CLV_E_NOMEM;
	*t = (struct loop_timer){.due_ms = loop_now_ms() + after_ms,
	    .turn = l->turn,
	    .fn = fn,
	    .arg = arg,
	    .owner = owner};
	timer_link(l, t);
	*owner = t;
	if (timer_arm(l) == CLV_OK)
		return CLV_OK;
	loop_timer_del(l, owner);
	return CLV_E_SYSTEM;
}

void
loop_timer_del(struct loop *l, struct loop_timer **owner)
{
	struct loop_timer *t = *owner;

	if (t == NULL)
		return;
	timer_unlink(l, t);
	free(t);
	*owner = NULL;
}

static int32_t
on_signal(int32_t sig, void *data)
{
	const struct loop_signal *s = data;

	s->fn(s->arg, sig);
	return 0;
}

int
loop_signal_add(struct loop *l, int sig, loop_signal_fn fn, void *arg)
{
	struct loop_signal *s;
	int32_t rc;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return CLV_E_NOMEM;
	s->fn = fn;
	s->arg = arg;
	rc = qb_loop_signal_add(
	    l->qb, QB_LOOP_HIGH, sig, s, on_signal, &s->handle);
	if (rc != 0) {
		free(s);
		errno = -rc;
		return CLV_E_SYSTEM;
	}
	s->next = l->signals;
	l->signals = s;
	return CLV_OK;
}

uint64_t
loop_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}
