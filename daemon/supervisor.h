/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_SUPERVISOR_H
#define CLAVIGERD_SUPERVISOR_H

#include "daemon/config.h"

/* Between the files of the supervisor only. */

/*
 * startup.c: what root prepares. Each logs why it failed, in a sentence.
 * run_dir is made if need be, 0755, and must be root's alone to write; the
 * lock in it is held for as long as the descriptor lives, so that of two
 * daemons started at once one refuses. The control socket is listening when it
 * is returned; a stale one is removed only after nobody answered there.
 */
int startup_lock(const struct config *c, int *ret_fd);
int startup_control(const struct config *c, int *ret_fd);
void startup_control_remove(const struct config *c);
/* state_dir is made if need be, 0700, and must be the keeper's alone. */
int startup_state_dir(const struct config *c);
int startup_users(const struct config *c);

/* tell.c: score −INFINITY, then `crm_resource --fail`, each within 5 s. Without
 * a cluster the tools fail, and that is no matter. */
void tell_pacemaker(const char *resource, const char *node);

#endif
