/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_VAULT_WRAP_H
#define TESTS_UNIT_VAULT_WRAP_H

#include "vault_rig.h"

/* What the linker puts in the place of loop, log and database. */
void __wrap_db_call_pool(struct keeper *k, enum clv_stmt stmt,
    const struct clv_param *params, size_t n, uint32_t timeout_ms, db_fn fn,
    void *arg);
int __wrap_loop_new(struct loop **ret);
void __wrap_loop_free(struct loop **l);
int __wrap_loop_fd_add(
    struct loop *l, int fd, bool read, bool write, loop_fd_fn fn, void *arg);
int __wrap_loop_fd_set(struct loop *l, int fd, bool read, bool write);
void __wrap_loop_fd_del(struct loop *l, int fd);
int __wrap_loop_timer_set(struct loop *l, struct loop_timer **owner,
    uint64_t after_ms, loop_timer_fn fn, void *arg);
void __wrap_loop_timer_del(struct loop *l, struct loop_timer **owner);
uint64_t __wrap_loop_now_ms(void);
void __wrap_log_error(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));
void __wrap_log_warning(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));
void __wrap_log_notice(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

struct pollfd;
/* At most max of those that are read from; how many. */
size_t rig_watched(struct pollfd *ret, size_t max);
/* Those that are watched and readable: tell their watchers, until none is. */
void rig_poll(void);

#endif
