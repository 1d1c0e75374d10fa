/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_SERVER_H
#define CLAVIGER_SERVER_H

#include <stdbool.h>
#include <sys/types.h>
#include "agents/control.h"
#include "ocf/ocf.h"

/* clavigerd, as the agent master-secret sees it. */
struct server {
	const char *binary;
	const char *config;
	const char *socket;
};

struct server_conn {
	int fd;
	pid_t pid; /* of the supervisor */
};

/* Connect. Nobody listens but a process of ours is there: it may be starting,
 * so wait for it as long as settle_ms; then CLV_E_TIMEOUT. CLV_E_NO_SERVER says
 * that there is no process of ours at all. Else as ctl_connect(). */
int server_open(const struct server *s, int timeout_ms, int settle_ms,
    struct server_conn *ret);
void server_close(struct server_conn *c);
/* A request whose answer is a status. The result is the answer's; without an
 * answer *ret is zero. */
int server_ask(struct server_conn *c, enum ctl_op op, const void *body,
    size_t len, int timeout_ms, struct ctl_status *ret);
/* The same in two halves, for who has something else to do meanwhile. */
int server_send(struct server_conn *c, enum ctl_op op, const void *body,
    size_t len, int timeout_ms);
int server_receive(struct server_conn *c, enum ctl_op op, int timeout_ms,
    struct ctl_status *ret);
/* Start the program and wait until it is ready. OCF_SUCCESS, or the exit code
 * with the reason given. */
int server_spawn(const struct ocf *o, const struct server *s);
/* Are program and configuration there? If not, the reason is given. */
bool server_is_installed(const struct ocf *o, const struct server *s);
/* Ask it to end, and make it. 0, CLV_E_TIMEOUT: something is left. */
int server_end(const struct server *s, struct server_conn *c, int timeout_ms);
/* SIGKILL to every process of ours, and wait until they are gone.
 * 0, CLV_E_TIMEOUT, CLV_E_SYSTEM. */
int server_kill(const struct server *s, int timeout_ms);

/* process.c: the processes that run this binary with this configuration, in
 * our PID namespace. Returns how many, the first cap of them in ret; a negative
 * errno when /proc cannot be read. */
int process_find(const char *binary, const char *config, pid_t *ret, int cap);
bool process_is(pid_t pid, const char *binary, const char *config);

#endif
