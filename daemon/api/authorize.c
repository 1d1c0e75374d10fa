/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <string.h>

#include "daemon/api/authorize.h"

/*
 * The table. An application's administrator may do what its users may; a
 * system administrator administers applications, but reads no secret of one
 * whose user he is not.
 */
#define USERS (AUTH_APP_USER | AUTH_APP_ADMIN)
#define ADMINS (AUTH_APP_ADMIN | AUTH_SYSTEM_ADMIN)

static const struct {
	const char *name;
	unsigned roles; /* any of these */
} ops[AUTH_OPS] = {
    [AUTH_OP_STATUS] = {"status", AUTH_ANYBODY},
    [AUTH_OP_APPS] = {"apps", AUTH_ANYBODY},
    [AUTH_OP_GET] = {"get", USERS},
    [AUTH_OP_PUT] = {"put", USERS},
    [AUTH_OP_DELETE] = {"delete", USERS},
    [AUTH_OP_LIST] = {"list", USERS},
    [AUTH_OP_HISTORY] = {"history", USERS},
    [AUTH_OP_SEAL] = {"encrypt", USERS},
    [AUTH_OP_OPEN] = {"decrypt", USERS},
    [AUTH_OP_APP_SHOW] = {"app show", USERS | ADMINS},
    [AUTH_OP_APP_GRANT] = {"app grant", ADMINS},
    [AUTH_OP_APP_REVOKE] = {"app revoke", ADMINS},
    [AUTH_OP_APP_REMOVE] = {"app remove", ADMINS},
    [AUTH_OP_APP_ADD] = {"app add", AUTH_CREATOR | AUTH_SYSTEM_ADMIN},
    [AUTH_OP_SETTING] = {"settings set", AUTH_SYSTEM_ADMIN},
    [AUTH_OP_NODE] = {"node", AUTH_SYSTEM_ADMIN},
    [AUTH_OP_MEMBER] = {"member", AUTH_SYSTEM_ADMIN},
    [AUTH_OP_ROTATE] = {"rotate", AUTH_SYSTEM_ADMIN},
    [AUTH_OP_BACKUPS] = {"backups", AUTH_SYSTEM_ADMIN},
    [AUTH_OP_SHOW] = {"show", AUTH_SYSTEM_ADMIN},
    [AUTH_OP_APP_INSPECT] = {"app inspect", ADMINS},
    [AUTH_OP_DATABASE] = {"database", AUTH_SYSTEM_ADMIN},
    [AUTH_OP_SERVICE] = {"service", AUTH_ROOT},
    [AUTH_OP_KEYRING] = {"keyring", AUTH_ROOT},
    [AUTH_OP_FETCH] = {"fetch", AUTH_MEMBER},
    [AUTH_OP_HEADS] = {"heads", AUTH_MEMBER},
    [AUTH_OP_FORWARD] = {"forward", AUTH_NODE},
    [AUTH_OP_JOIN] = {"join", AUTH_ANYBODY},
    [AUTH_OP_CERT] = {"certificate", AUTH_MEMBER},
};

bool
auth_may(enum auth_op op, unsigned roles)
{
	if ((int)op < AUTH_OP_STATUS || op >= AUTH_OPS)
		return false;
	return (ops[op].roles & (roles | AUTH_ANYBODY)) != 0;
}

const char *
auth_op_name(enum auth_op op)
{
	if ((int)op < AUTH_OP_STATUS || op >= AUTH_OPS)
		return "unknown";
	return ops[op].name;
}

static bool
is_in_group(const struct auth_caller *c, gid_t gid)
{
	if (c->gid == gid)
		return true;
	for (size_t i = 0; i < c->group_count; i++)
		if (c->groups[i] == gid)
			return true;
	return false;
}

static bool
has_account(const struct auth_acl *a, const struct auth_caller *c)
{
	for (size_t i = 0; i < a->count; i++) {
		const struct auth_id *id = &a->ids[i];

		if (!id->known)
			continue;
		if (id->kind == CLV_SUBJECT_USER && id->id == c->uid)
			return true;
		if (id->kind == CLV_SUBJECT_GROUP && is_in_group(c, id->id))
			return true;
	}
	return false;
}

static bool
has_unit(const struct auth_acl *a, const char *unit)
{
	const char *at = a->count > 0 ? a->text : "";
	char name[CLV_SUBJECT_MAX];
	enum clv_subject kind;

	while (clv_acl_next(&at, &kind, name))
		if (kind == CLV_SUBJECT_UNIT && strcmp(name, unit) == 0)
			return true;
	return false;
}

unsigned
auth_roles(const struct auth_caller *c, const struct auth_acl *system_admins,
    const struct auth_acl *creators, const struct auth_acl *app_admins,
    const struct auth_acl *app_users)
{
	unsigned roles = 0;

	if (c->uid == 0 && c->unit != NULL)
		return app_users != NULL && has_unit(app_users, c->unit)
			   ? AUTH_APP_USER
			   : 0;
	if (c->uid == 0)
		return AUTH_ROOT | AUTH_SYSTEM_ADMIN | AUTH_CREATOR |
		       AUTH_APP_ADMIN | AUTH_APP_USER;
	if (has_account(system_admins, c))
		roles |= AUTH_SYSTEM_ADMIN;
	if (has_account(creators, c))
		roles |= AUTH_CREATOR;
	if (app_admins != NULL && has_account(app_admins, c))
		roles |= AUTH_APP_ADMIN;
	if (app_users != NULL && has_account(app_users, c))
		roles |= AUTH_APP_USER;
	return roles;
}

unsigned
auth_host_roles(bool is_node)
{
	return is_node ? AUTH_NODE | AUTH_MEMBER : AUTH_MEMBER;
}
