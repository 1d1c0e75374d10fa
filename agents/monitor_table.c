/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <assert.h>
#include <stddef.h>

#include "agents/monitor_table.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct mt_row rows[] = {
    {MT_ABSENT, ADDRESS_NOT_CARRIED, OCF_NOT_RUNNING, OCF_NOT_RUNNING,
	"not running"},
    {MT_ABSENT, ADDRESS_ABSENT, OCF_NOT_RUNNING, OCF_NOT_RUNNING,
	"not running"},
    {MT_ABSENT, ADDRESS_RIGHT, OCF_FAILED_PROMOTED, OCF_FAILED_PROMOTED,
	"the address is up, but no server runs"},
    {MT_ABSENT, ADDRESS_WRONG, OCF_FAILED_PROMOTED, OCF_FAILED_PROMOTED,
	"an address is left, but no server runs"},

    {MT_ACTIVE, ADDRESS_NOT_CARRIED, OCF_RUNNING_PROMOTED, OCF_RUNNING_PROMOTED,
	"active"},
    {MT_ACTIVE, ADDRESS_ABSENT, OCF_FAILED_PROMOTED, OCF_FAILED_PROMOTED,
	"active, but its address is gone"},
    {MT_ACTIVE, ADDRESS_RIGHT, OCF_RUNNING_PROMOTED, OCF_RUNNING_PROMOTED,
	"active"},
    {MT_ACTIVE, ADDRESS_WRONG, OCF_FAILED_PROMOTED, OCF_FAILED_PROMOTED,
	"active, but its address is not as it should be"},

    {MT_LIMITED, ADDRESS_NOT_CARRIED, OCF_DEGRADED_PROMOTED,
	OCF_RUNNING_PROMOTED, "active, with limits"},
    {MT_LIMITED, ADDRESS_ABSENT, OCF_FAILED_PROMOTED, OCF_FAILED_PROMOTED,
	"active, but its address is gone"},
    {MT_LIMITED, ADDRESS_RIGHT, OCF_DEGRADED_PROMOTED, OCF_RUNNING_PROMOTED,
	"active, with limits"},
    {MT_LIMITED, ADDRESS_WRONG, OCF_FAILED_PROMOTED, OCF_FAILED_PROMOTED,
	"active, but its address is not as it should be"},

    {MT_STANDBY, ADDRESS_NOT_CARRIED, OCF_SUCCESS, OCF_SUCCESS, "standby"},
    {MT_STANDBY, ADDRESS_ABSENT, OCF_SUCCESS, OCF_SUCCESS, "standby"},
    {MT_STANDBY, ADDRESS_RIGHT, OCF_FAILED_PROMOTED, OCF_FAILED_PROMOTED,
	"the address is up, but the server is not active"},
    {MT_STANDBY, ADDRESS_WRONG, OCF_FAILED_PROMOTED, OCF_FAILED_PROMOTED,
	"an address is left, but the server is not active"},

    {MT_LOCKED, ADDRESS_NOT_CARRIED, OCF_DEGRADED, OCF_SUCCESS, "not ready"},
    {MT_LOCKED, ADDRESS_ABSENT, OCF_DEGRADED, OCF_SUCCESS, "not ready"},
    {MT_LOCKED, ADDRESS_RIGHT, OCF_FAILED_PROMOTED, OCF_FAILED_PROMOTED,
	"the address is up, but the server is not active"},
    {MT_LOCKED, ADDRESS_WRONG, OCF_FAILED_PROMOTED, OCF_FAILED_PROMOTED,
	"an address is left, but the server is not active"},

    {MT_NO_ANSWER, ADDRESS_NOT_CARRIED, OCF_ERR_GENERIC, OCF_ERR_GENERIC,
	"the server does not answer"},
    {MT_NO_ANSWER, ADDRESS_ABSENT, OCF_ERR_GENERIC, OCF_ERR_GENERIC,
	"the server does not answer"},
    {MT_NO_ANSWER, ADDRESS_RIGHT, OCF_FAILED_PROMOTED, OCF_FAILED_PROMOTED,
	"the address is up, but the server does not answer"},
    {MT_NO_ANSWER, ADDRESS_WRONG, OCF_FAILED_PROMOTED, OCF_FAILED_PROMOTED,
	"an address is left, and the server does not answer"},
};

_Static_assert(COUNT(rows) == (size_t)MT_DAEMONS * (ADDRESS_WRONG + 1),
    "every pair has a row");

static const struct nt_row name_rows[] = {
    {NT_ABSENT, OCF_NOT_RUNNING, OCF_NOT_RUNNING, "not running"},
    {NT_NO_LINK, OCF_ERR_GENERIC, OCF_NOT_RUNNING, "the interface is gone"},
    {NT_RIGHT, OCF_SUCCESS, OCF_SUCCESS, "running"},
    {NT_WRONG, OCF_ERR_GENERIC, OCF_ERR_GENERIC,
	"the address is not as it should be"},
};

_Static_assert(COUNT(name_rows) == NT_ADDRESSES, "every state has a row");

const struct mt_row *
monitor_rows(size_t *ret_n)
{
	*ret_n = COUNT(rows);
	return rows;
}

const struct nt_row *
monitor_name_rows(size_t *ret_n)
{
	*ret_n = COUNT(name_rows);
	return name_rows;
}

const struct mt_row *
monitor_answer(enum mt_daemon daemon, enum address_state address)
{
	size_t i;

	for (i = 0; i < COUNT(rows); i++)
		if (rows[i].daemon == daemon && rows[i].address == address)
			return &rows[i];
	assert(!"a pair without a row");
	return &rows[COUNT(rows) - 1];
}

const struct nt_row *
monitor_name_answer(enum nt_address address)
{
	size_t i;

	for (i = 0; i < COUNT(name_rows); i++)
		if (name_rows[i].address == address)
			return &name_rows[i];
	assert(!"a state without a row");
	return &name_rows[NT_WRONG];
}

enum mt_daemon
monitor_daemon(const struct ctl_status *st)
{
	if (st == NULL)
		return MT_ABSENT;
	switch ((enum ctl_role)st->role) {
	case CTL_ROLE_OFF: return MT_ABSENT;
	case CTL_ROLE_LOCKED: return MT_LOCKED;
	/* A promotion that nobody waits for any more serves nobody yet. */
	case CTL_ROLE_PROMOTING:
	case CTL_ROLE_DEMOTING:
	case CTL_ROLE_STANDBY:
		return st->score == CTL_SCORE_NEVER || st->reason[0] != '\0'
			   ? MT_LOCKED
			   : MT_STANDBY;
	case CTL_ROLE_AWAY: return MT_LIMITED;
	case CTL_ROLE_ACTIVE:
		return st->reason[0] != '\0' ? MT_LIMITED : MT_ACTIVE;
	}
	return MT_NO_ANSWER; /* a role that this agent does not know */
}

bool
monitor_is_failure(int rc)
{
	switch (rc) {
	case OCF_SUCCESS:
	case OCF_RUNNING_PROMOTED:
	case OCF_DEGRADED:
	case OCF_DEGRADED_PROMOTED: return false;
	default: return true;
	}
}
