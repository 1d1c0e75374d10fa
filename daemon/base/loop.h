/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_LOOP_H
#define CLAVIGERD_LOOP_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The process's event loop: libqb's, and only loop.c knows its rules (a
 * callback's return value, stale timer handles, delete before close).
 */
struct loop;
struct loop_timer; /* embedded handle owned by the caller through a pointer */

int loop_new(struct loop **ret);
void loop_free(struct loop **l);
void loop_run(struct loop *l); /* until loop_stop() */
void loop_stop(struct loop *l);

typedef void (*loop_fd_fn)(void *arg, int fd, bool readable, bool writable);
/* Watch fd; error and hang-up count as readable. */
int loop_fd_add(
    struct loop *l, int fd, bool read, bool write, loop_fd_fn fn, void *arg);
int loop_fd_set(struct loop *l, int fd, bool read, bool write);
/* Also from inside its own callback. Always before close(fd). */
void loop_fd_del(struct loop *l, int fd);

typedef void (*loop_timer_fn)(void *arg);
/* One-shot. *t must be NULL or a pending timer, which is moved. It is NULL
 * again when the callback runs. */
int loop_timer_set(struct loop *l, struct loop_timer **t, uint64_t after_ms,
    loop_timer_fn fn, void *arg);
void loop_timer_del(struct loop *l, struct loop_timer **t);

typedef void (*loop_signal_fn)(void *arg, int sig);
int loop_signal_add(struct loop *l, int sig, loop_signal_fn fn, void *arg);

/* CLOCK_BOOTTIME in milliseconds: leases and deadlines run on this. */
uint64_t loop_now_ms(void);

#endif
