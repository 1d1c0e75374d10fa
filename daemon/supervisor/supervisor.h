/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_SUPERVISOR_H
#define CLAVIGERD_SUPERVISOR_H

#include <sys/types.h>

#include "daemon/base/config.h"
#include "daemon/supervisor/process.h"

/* Between the files of the supervisor only. */

/*
 * startup.c: what root prepares. Each logs why it failed, in a sentence.
 * run_dir is made if need be, 0755, and must be root's alone to write; the
 * lock in it is held for as long as the descriptor lives, so that of two
 * daemons started at once one refuses. The sockets are listening when they are
 * returned; a stale one is removed only after nobody answered there.
 */
enum socket { SOCKET_CONTROL, SOCKET_API, SOCKET_CREDENTIALS, N_SOCKETS };

int startup_lock(const struct config *c, int *ret_fd);
int startup_sockets(const struct config *c, int ret_fd[static N_SOCKETS]);
void startup_sockets_remove(const struct config *c);
/* state_dir is made if need be, 0700, and must be the keeper's alone. */
int startup_state_dir(const struct config *c);
int startup_users(const struct config *c);
/* A sealed identity is opened while we are root. *ret_fd stays -1 when there is
 * a plain one, or none at all. */
int startup_identity(const struct config *c, int *ret_fd);

enum who { KEEPER, FRONT, N_CHILDREN };

/* Descriptors of the two children, before the forks; -1: not open. */
struct ends {
	int socket[N_SOCKETS];
	int identity;		    /* identity_cred_open(); -1: none */
	int chan[2];		    /* keeper, front */
	int link[N_CHILDREN][2];    /* supervisor, child */
	struct machine_ids machine; /* for the keeper */
};

int ends_open(struct ends *e); /* all but the sockets */
void ends_close(struct ends *e);

/* child.c: what runs in a child, right after the fork; returns its status. */
int child_keeper(
    const struct config *c, struct ends *e, keeper_fn fn, pid_t parent);
int child_front(
    const struct config *c, struct ends *e, front_fn fn, pid_t parent);

/* Move what the child keeps to 3, 4, 5 and close all the rest. */
int child_fds(int *const kept[], int n);

/*
 * watcher.c: what runs in the watcher, right after the fork. Root, because it
 * runs Pacemaker's tools; but it parses nothing and holds no key and no
 * network. It tells Pacemaker on LINK_FAIL, and when the supervisor dies: whose
 * orderly end is to kill it. Messages are struct link_msg whose text is the
 * resource.
 */
struct watcher_fds {
	int link;
	int child[N_CHILDREN]; /* pidfds */
};
int watcher_main(const struct config *c, struct watcher_fds *fds);

/* tell.c: score −INFINITY, or if that cannot be written `crm_resource --fail`,
 * each within 5 s. Without a cluster both fail, and that is no matter. */
void tell_pacemaker(const char *resource, const char *node);
/* The configuration's on_event: a shell runs it with the event and this node's
 * name as $1 and $2, and nothing of ours: detached, for a minute at most. It is
 * not waited for. */
#define TELL_FAILED "failed" /* the daemon itself */
bool tell_is_event(const char *event);
void tell_event(const struct config *c, const char *event);

#endif
