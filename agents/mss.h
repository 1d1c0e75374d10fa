/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_MSS_H
#define CLAVIGER_MSS_H

#include <stdbool.h>
#include "agents/address.h"
#include "agents/monitor_table.h"
#include "agents/server.h"

/*
 * The agent master-secret: one file an action, with what they share in mss.c.
 * master-secret.c has the tables.
 */
struct mss {
	struct address address;
	struct server server;
};

/* A daemon answers within milliseconds; one that does not in this time is
 * stopped or stuck. */
#define MSS_SILENCE_MS 2000
/* A daemon that is just starting: until it listens. */
#define MSS_SETTLE_MS 1000
#define MSS_STEP_MS 50

/* The actions. -> enum ocf_rc */
int mss_start(struct ocf *o);
int mss_stop(struct ocf *o);
int mss_promote(struct ocf *o);
int mss_demote(struct ocf *o);
int mss_monitor(struct ocf *o);
int mss_validate(struct ocf *o);
/* What is checked before a strict one. */
int mss_check(struct ocf *o);

/* From the parameters; borrowed until o ends. */
void mss_read(const struct ocf *o, struct mss *ret);
/* The one conversion of the control protocol's results. `reason` may bring the
 * daemon's own words. -> enum ocf_rc, with the reason given */
int mss_fail(
    const struct ocf *o, const char *what, int result, const char *reason);
/* The system has another address than this resource: nobody would find it. */
bool mss_is_other_address(const struct address *a, const struct ctl_status *st);
/* Is the address the system's, and could a standby bring it up? If not,
 * why[OCF_REASON_MAX] says what is in the way. */
bool mss_has_use_for_address(const struct mss *m, enum mt_daemon daemon,
    enum address_state address, const struct ctl_status *st, char *why);
/* Another resource drives this daemon: then it, its role and its address are
 * nothing to us, whatever our parameters say. Called by hand, without a name,
 * we are that one. */
bool mss_is_driven_by_other(const struct ctl_status *st);

#endif
