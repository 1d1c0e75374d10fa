/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_MSS_TIMES_H
#define CLAVIGER_MSS_TIMES_H

/*
 * How often and how long, in seconds: what the meta-data of master-secret
 * advises and `claviger cluster commands` prints. README shows them too.
 */
#define MSS_START_S 30
#define MSS_STOP_S 30
#define MSS_PROMOTE_S 30
#define MSS_DEMOTE_S 20
/* An active daemon that hangs keeps the members waiting for this interval and
 * this timeout. It answers from memory, never waiting for PostgreSQL: within a
 * millisecond, and within tens of them on a host that is far overloaded. So
 * ten seconds are no answer at all; fewer would take a host that pauses, as
 * for a snapshot, for a daemon that hangs. */
#define MSS_PROMOTED_INTERVAL_S 5
#define MSS_PROMOTED_S 10
/* Nobody waits for a standby. */
#define MSS_UNPROMOTED_INTERVAL_S 10
#define MSS_UNPROMOTED_S 20

#endif
