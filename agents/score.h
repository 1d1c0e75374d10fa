/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_SCORE_H
#define CLAVIGER_SCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "agents/control.h"
#include "ocf/ocf.h"

/*
 * The promotion score: the transient node attribute master-<resource>. It is
 * written always, −INFINITY (CTL_SCORE_NEVER) included: an absent score can be
 * outweighed by a location rule. A process is started only when the value
 * differs from the last one noted, when that note is old (the cluster forgets
 * such attributes), or when `force` is set. Outside a cluster nothing happens.
 *
 * Pacemaker waits for the end of an action before it promotes the next node, a
 * changed attribute makes it begin to plan anew, and the members wait with it.
 * So without `force` two values are written in the background: the active one's
 * at once, and a standby's after an active one's half a second later, unless
 * something else is written before. In between two nodes may have the score of
 * an active one, of which Pacemaker has just chosen one.
 */
void score_write(const struct ocf *o, int32_t score, bool force);
/*
 * This instance has just failed. For 20 s its standby score is below that of
 * the others, and rises to it: after a failure Pacemaker starts this node again
 * before it promotes another, and would else find both equal. With no peer that
 * is ready this node is promoted all the same.
 */
void score_fell(const struct ocf *o);

/* For the tests. "master-mss" of "mss:1"; false when it does not fit or the
 * name is none. */
bool score_attribute(const char *instance, char *ret, size_t cap);

#endif
