/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_KEEPER_WRAP_H
#define TESTS_UNIT_KEEPER_WRAP_H

#include <time.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "daemon/base/loop.h"
#include "keeper_rig.h"

/* Between the rig's two files: the loop that is played. */
#define FD_BASE (1 << 20)
#define FD_FRONT 97
#define FD_LINK 98
#define WATCHES (RIG_CONNS + 4)

struct watch {
	bool used, read;
	int fd;
	loop_fd_fn fn;
	void *arg;
};

struct loop_timer {
	struct loop_timer *next;
	uint64_t at;
	loop_timer_fn fn;
	void *arg;
	struct loop_timer **owner;
};

struct loop {
	struct watch watches[WATCHES];
	struct loop_timer *timers;
	bool stopped;
};

void rig_readable(struct loop *l, int fd);
struct loop_timer *rig_first_timer(struct loop *l);
void rig_fire(struct loop *l, struct loop_timer *t);
/* The keeper sent this to its front. */
void rig_on_keeper(
    struct rig_node *n, enum chan_type type, const struct clv_buf *body);

/* What the linker puts in the place of the real ones. */
time_t __wrap_time(time_t *ret);
int __wrap_loop_new(struct loop **ret);
void __wrap_loop_free(struct loop **ret);
int __wrap_loop_fd_add(
    struct loop *l, int fd, bool read, bool write, loop_fd_fn fn, void *arg);
int __wrap_loop_fd_set(struct loop *l, int fd, bool read, bool write);
void __wrap_loop_fd_del(struct loop *l, int fd);
void __wrap_loop_timer_del(struct loop *l, struct loop_timer **owner);
int __wrap_loop_timer_set(struct loop *l, struct loop_timer **owner,
    uint64_t after_ms, loop_timer_fn fn, void *arg);
int __wrap_loop_signal_add(
    struct loop *l, int sig, loop_signal_fn fn, void *arg);
void __wrap_loop_stop(struct loop *l);
uint64_t __wrap_loop_now_ms(void);
int __wrap_chan_new(int fd, chan_fn fn, void *arg, struct chan **ret);
void __wrap_chan_free(struct chan **c);
int __wrap_chan_fd(const struct chan *c);
bool __wrap_chan_wants_write(const struct chan *c);
int __wrap_chan_send(
    struct chan *c, enum chan_type type, const struct clv_buf *body);
int __wrap_state_load(const char *dir, struct state *s);
int __wrap_state_save(const char *dir, const struct state *s);
int __wrap_file_replace(const char *dir, const char *name, const void *p,
    size_t len, unsigned mode);
int __wrap_file_read(const char *dir, const char *name, size_t max,
    void **ret_p, size_t *ret_len);
int __wrap_clv_identity_load(
    struct clv_guard *guard, const char *path, struct clv_identity **ret);
int __wrap_clv_guard_new(size_t len, struct clv_guard **ret);
void __wrap_clv_guard_free_all(struct clv_guard **guard);
int __wrap_accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
ssize_t __wrap_recv(int fd, void *p, size_t len, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_send(int fd, const void *p, size_t len, int flags);
int __wrap_close(int fd);
void __wrap_log_error(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));
void __wrap_log_warning(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));
void __wrap_log_notice(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));
void __wrap_log_info(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));
void __wrap_log_debug(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

#endif
