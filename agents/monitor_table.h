/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_MONITOR_TABLE_H
#define CLAVIGER_MONITOR_TABLE_H

#include <stdbool.h>
#include <stdio.h>
#include "agents/address.h"
#include "agents/control.h"

/*
 * What master-secret's monitor answers, as a pure table: no state in it lets
 * 7 be the answer while an address or a process of ours is left, for then the
 * cluster would give the address to a second node.
 */
enum mt_daemon {
	MT_ABSENT,    /* no process, or its server role is off */
	MT_ACTIVE,    /* serves */
	MT_LIMITED,   /* serves, but with a reason to look at it */
	MT_STANDBY,   /* on and proven */
	MT_LOCKED,    /* on, but cannot serve */
	MT_NO_ANSWER, /* there, but silent, or not to be trusted */
	MT_DAEMONS
};

struct mt_row {
	enum mt_daemon daemon;
	enum address_state address;
	int rc;	   /* of a recurring monitor */
	int probe; /* of a probe: plain, without "degraded" */
	const char *why;
};

/* Never NULL. */
const struct mt_row *monitor_answer(
    enum mt_daemon daemon, enum address_state address);
/* What a status means; NULL: nobody there. */
enum mt_daemon monitor_daemon(const struct ctl_status *st);
/*
 * What network-name's monitor answers: there is the address alone.
 */
enum nt_address {
	NT_ABSENT,
	NT_NO_LINK, /* absent, and the interface that nic names with it */
	NT_RIGHT,
	NT_WRONG, /* on another link, not usable, on a link that is down */
	NT_ADDRESSES
};

struct nt_row {
	enum nt_address address;
	int rc, probe;
	const char *why;
};

/* Never NULL. */
const struct nt_row *monitor_name_answer(enum nt_address address);

/* monitor_man.c: the tables as mdoc, for the manual pages. */
void monitor_man(FILE *f);
void monitor_name_man(FILE *f);
/* Between the two files: all rows. */
const struct mt_row *monitor_rows(size_t *ret_n);
const struct nt_row *monitor_name_rows(size_t *ret_n);

/* Must the peer be preferred from now on, whatever the daemon thinks? */
bool monitor_is_failure(int rc);

#endif
