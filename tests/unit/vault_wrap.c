/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>

#include "vault_wrap.h"

/* The loop, with the rig's clock; and the log. */
#define WATCHES 1100

struct loop_timer {
	struct loop_timer *next;
	uint64_t at;
	loop_timer_fn fn;
	void *arg;
	struct loop_timer **owner;
};
struct loop {
	struct loop_timer *timers;
	struct {
		int fd;
		bool read;
		loop_fd_fn fn; /* NULL: free */
		void *arg;
	} watch[WATCHES];
};

int
__wrap_loop_new(struct loop **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret != NULL ? CLV_OK : CLV_E_NOMEM;
}

void
__wrap_loop_free(struct loop **l)
{
	RIG_REQUIRE((*l)->timers == NULL);
	free(*l);
	*l = NULL;
}

int
__wrap_loop_fd_add(
    struct loop *l, int fd, bool read, bool write, loop_fd_fn fn, void *arg)
{
	(void)write;
	for (unsigned i = 0; i < WATCHES; i++) {
		if (l->watch[i].fn != NULL)
			continue;
		l->watch[i].fd = fd;
		l->watch[i].read = read;
		l->watch[i].fn = fn;
		l->watch[i].arg = arg;
		return CLV_OK;
	}
	return CLV_E_NOMEM;
}

int
__wrap_loop_fd_set(struct loop *l, int fd, bool read, bool write)
{
	(void)write;
	for (unsigned i = 0; i < WATCHES; i++)
		if (l->watch[i].fn != NULL && l->watch[i].fd == fd)
			l->watch[i].read = read;
	return CLV_OK;
}

void
__wrap_loop_fd_del(struct loop *l, int fd)
{
	for (unsigned i = 0; i < WATCHES; i++)
		if (l->watch[i].fn != NULL && l->watch[i].fd == fd)
			l->watch[i].fn = NULL;
}

size_t
rig_watched(struct pollfd *ret, size_t max)
{
	const struct loop *l = rig.k.loop;
	size_t n = 0;

	for (unsigned i = 0; i < WATCHES && n < max; i++)
		if (l->watch[i].fn != NULL && l->watch[i].read)
			ret[n++] = (struct pollfd){l->watch[i].fd, POLLIN, 0};
	return n;
}

/* One look at all of them; each that is ready and still watched is told. */
static bool
poll_once(struct loop *l)
{
	static struct pollfd p[WATCHES];
	bool told = false;

	for (unsigned i = 0; i < WATCHES; i++) {
		bool is_read = l->watch[i].fn != NULL && l->watch[i].read;

		p[i] =
		    (struct pollfd){is_read ? l->watch[i].fd : -1, POLLIN, 0};
	}
	if (poll(p, WATCHES, 0) <= 0)
		return false;
	for (unsigned i = 0; i < WATCHES; i++) {
		if (p[i].revents == 0 || l->watch[i].fn == NULL ||
		    !l->watch[i].read || l->watch[i].fd != p[i].fd)
			continue;
		l->watch[i].fn(l->watch[i].arg, p[i].fd, true, false);
		told = true;
	}
	return told;
}

void
rig_poll(void)
{
	while (poll_once(rig.k.loop))
		continue;
}

void
__wrap_loop_timer_del(struct loop *l, struct loop_timer **owner)
{
	struct loop_timer **pp;

	if (*owner == NULL)
		return;
	for (pp = &l->timers; *pp != *owner; pp = &(*pp)->next)
		RIG_REQUIRE(*pp != NULL);
	*pp = (*owner)->next;
	free(*owner);
	*owner = NULL;
}

int
__wrap_loop_timer_set(struct loop *l, struct loop_timer **owner,
    uint64_t after_ms, loop_timer_fn fn, void *arg)
{
	struct loop_timer *t;

	__wrap_loop_timer_del(l, owner);
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return CLV_E_NOMEM;
	*t = (struct loop_timer){l->timers, rig.now + after_ms, fn, arg, owner};
	l->timers = t;
	*owner = t;
	return CLV_OK;
}

static struct loop_timer *
first_timer(void)
{
	struct loop_timer *first = NULL;

	for (struct loop_timer *t = rig.k.loop->timers; t != NULL; t = t->next)
		if (first == NULL || t->at <= first->at)
			first = t;
	return first;
}

void
rig_advance(uint64_t ms)
{
	uint64_t end = rig.now + ms;
	struct loop_timer *t;

	while ((t = first_timer()) != NULL && t->at <= end) {
		loop_timer_fn fn = t->fn;
		void *arg = t->arg;

		if (t->at > rig.now)
			rig.now = t->at;
		__wrap_loop_timer_del(rig.k.loop, t->owner);
		fn(arg);
	}
	rig.now = end;
}

uint64_t
__wrap_loop_now_ms(void)
{
	return rig.now;
}

void
__wrap_log_error(const char *fmt, ...)
{
	va_list ap;

	rig.errors++;
	va_start(ap, fmt);
	vsnprintf(rig.log, sizeof(rig.log), fmt, ap);
	va_end(ap);
}

void
__wrap_log_warning(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(rig.log, sizeof(rig.log), fmt, ap);
	va_end(ap);
}

void
__wrap_log_notice(const char *fmt, ...)
{
	(void)fmt;
}
