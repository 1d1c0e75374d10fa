/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

#include <qb/qbdefs.h>
#include <qb/qbloop.h>

#include <claviger/result.h>
#include "daemon/loop.h"

/*
 * The rules of libqb 2.0 that are kept here, so that nobody else need know:
 * a poll callback's negative result removes its entry; a descriptor leaves the
 * loop before it is closed; a signal callback returns 0 or the next such
 * signal kills; a timer's handle is stale inside its own callback; no call
 * with a NULL loop (libqb would take the last one made).
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
	struct loop *loop;
	qb_loop_timer_handle handle;
	loop_timer_fn fn;
	void *arg;
	struct loop_timer **owner;
	struct loop_timer *next;
	struct loop_timer **link;
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
	struct loop_timer *timers;
	struct loop_signal *signals;
};

int
loop_new(struct loop **ret)
{
	struct loop *l;

	if ((l = calloc(1, sizeof(*l))) == NULL)
		return CLV_E_NOMEM;
	if ((l->qb = qb_loop_create()) == NULL) {
		free(l);
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
timer_unlink(struct loop_timer *t)
{
	*t->link = t->next;
	if (t->next != NULL)
		t->next->link = t->link;
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
	while (l->timers != NULL)
		loop_timer_del(l, l->timers->owner);
	while ((s = l->signals) != NULL) {
		l->signals = s->next;
		qb_loop_signal_del(l->qb, s->handle);
		free(s);
	}
	qb_loop_destroy(l->qb);
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
		    qb, QB_LOOP_MED, w->fd, poll_events(w), w, on_poll);
	} else {
		rc = qb_loop_poll_add(
		    qb, QB_LOOP_MED, w->fd, poll_events(w), w, on_poll);
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

static void
on_timer(void *data)
{
	struct loop_timer *t = data;
	loop_timer_fn fn = t->fn;
	void *arg = t->arg;

	timer_unlink(t);
	*t->owner = NULL;
	free(t);
	fn(arg);
}

int
loop_timer_set(struct loop *l, struct loop_timer **owner, uint64_t after_ms,
    loop_timer_fn fn, void *arg)
{
	struct loop_timer *t;
	int32_t rc;

	if (after_ms > DELAY_MAX_MS)
		after_ms = DELAY_MAX_MS;
	loop_timer_del(l, owner);
	if ((t = calloc(1, sizeof(*t))) == NULL)
		return CLV_E_NOMEM;
	*t = (struct loop_timer){
	    .loop = l, .fn = fn, .arg = arg, .owner = owner};
	rc = qb_loop_timer_add(l->qb, QB_LOOP_MED,
	    after_ms * QB_TIME_NS_IN_MSEC, t, on_timer, &t->handle);
	if (rc != 0) {
		free(t);
		return CLV_E_NOMEM;
	}
	t->next = l->timers;
	t->link = &l->timers;
	if (t->next != NULL)
		t->next->link = &t->next;
	l->timers = t;
	*owner = t;
	return CLV_OK;
}

void
loop_timer_del(struct loop *l, struct loop_timer **owner)
{
	struct loop_timer *t = *owner;

	if (t == NULL)
		return;
	qb_loop_timer_del(l->qb, t->handle);
	timer_unlink(t);
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
