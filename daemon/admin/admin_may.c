/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include <claviger/result.h>

#include "daemon/admin/admin_ops.h"
#include "daemon/api/authorize.h"

/*
 * May this caller ask for that, and is he left with the right to undo it? Root
 * is not asked. The names of the signed list are looked up here and now:
 * administration is rare.
 */

static enum auth_op
needed(uint8_t op)
{
	switch ((enum admin_op)op) {
	case ADMIN_NODE_APPROVE:
	case ADMIN_NODE_REVOKE: return AUTH_OP_NODE;
	case ADMIN_MEMBER_ADD:
	case ADMIN_MEMBER_SCOPE:
	case ADMIN_MEMBER_ROTATE:
	case ADMIN_TOKEN_ADD:
	case ADMIN_TOKEN_DROP:
	case ADMIN_MEMBER_REVOKE: return AUTH_OP_MEMBER;
	case ADMIN_SETTING: return AUTH_OP_SETTING;
	case ADMIN_BACKUP_DONE:
	case ADMIN_BACKUPS: return AUTH_OP_BACKUPS;
	case ADMIN_JOINS:
	case ADMIN_GENERATIONS:
	case ADMIN_ESCROW:
	case ADMIN_ROTATE_STATE:
	case ADMIN_CERT_STATE:
	case ADMIN_CERTIFICATE:
	case ADMIN_MEMBERS_STATE: return AUTH_OP_SHOW;
	case ADMIN_GENERATION_DESTROY:
	case ADMIN_CERT_NEXT:
	case ADMIN_ROTATE_BEGIN:
	case ADMIN_ROTATE_SIGNING:
	case ADMIN_ROTATE_FINISH:
	case ADMIN_REENCRYPT: return AUTH_OP_ROTATE;
	case ADMIN_APP_ADD: return AUTH_OP_APP_ADD;
	case ADMIN_APP_REMOVE: return AUTH_OP_APP_REMOVE;
	case ADMIN_APP_GRANT: return AUTH_OP_APP_GRANT;
	case ADMIN_APP_REVOKE: return AUTH_OP_APP_REVOKE;
	case ADMIN_APPS:
	case ADMIN_APP_COUNT: return AUTH_OP_APP_SHOW;
	case ADMIN_MEMBER_JOIN:
	case ADMIN_ROLLBACK:
	case ADMIN_ROLLBACK_APP: /* root's */
	case ADMIN_ROTATE_CURRENT:
	case ADMIN_CERT_SWITCH:
	case ADMIN_CERT_DROP:
	case ADMIN_PARTY_CERT:
	case ADMIN_REENCRYPTED: break;
	}
	return AUTH_OPS; /* nobody's */
}

/* All requests on one application begin with its name. */
static const struct clv_list_app *
named(const struct clv_list *list, uint8_t op, const struct clv_rd *args)
{
	struct clv_rd rd = *args;
	char name[CLV_NAME_MAX];

	switch ((enum admin_op)op) {
	case ADMIN_APP_ADD:
	case ADMIN_APP_REMOVE:
	case ADMIN_APP_GRANT:
	case ADMIN_APP_REVOKE:
	case ADMIN_APPS:
	case ADMIN_APP_COUNT:
		clv_rd_str(&rd, name, sizeof(name));
		return rd.failed ? NULL : clv_list_app_by_name(list, name);
	default: return NULL;
	}
}

static int
find_roles(const struct clv_list *list, const struct clv_list_app *app,
    const struct auth_caller *caller, unsigned *ret)
{
	struct auth_acl system = {0}, creators = {0}, admins = {0}, users = {0};
	int r;

	r = auth_acl_set(&system, list->system_admins);
	if (r == CLV_OK)
		r = auth_acl_set(&creators, list->creators);
	if (r == CLV_OK && app != NULL)
		r = auth_acl_set(&admins, app->admins);
	if (r == CLV_OK && app != NULL)
		r = auth_acl_set(&users, app->users);
	if (r == CLV_OK)
		*ret = auth_roles(caller, &system, &creators, &admins, &users);
	auth_acl_fini(&system);
	auth_acl_fini(&creators);
	auth_acl_fini(&admins);
	auth_acl_fini(&users);
	return r;
}

/* Whose private half that is has the master secret. */
static bool
is_root_setting(uint8_t op, const struct clv_rd *args)
{
	struct clv_rd rd = *args;
	char key[64];

	if (op != ADMIN_SETTING)
		return false;
	clv_rd_str(&rd, key, sizeof(key));
	return strcmp(key, "recovery_recipient") == 0;
}

int
admin_may(const struct clv_list *list, const struct auth_caller *caller,
    uint8_t op, const struct clv_rd *args, char why[static ADMIN_WHY_MAX])
{
	enum auth_op need = needed(op);
	unsigned roles = 0;
	int r;

	if (caller == NULL)
		return CLV_OK;
	r = find_roles(list, named(list, op, args), caller, &roles);
	if (r == CLV_OK && is_root_setting(op, args)) {
		snprintf(why, ADMIN_WHY_MAX,
		    "only root may say who can recover the master secret");
		r = CLV_E_DENIED;
	}
	if (r == CLV_OK && !auth_may(need, roles)) {
		snprintf(why, ADMIN_WHY_MAX,
		    "user %u may not do that (%s): ask an administrator, or "
		    "root",
		    (unsigned)caller->uid, auth_op_name(need));
		r = CLV_E_DENIED;
	}
	return r;
}

static bool
administers(unsigned roles)
{
	return (roles & (AUTH_SYSTEM_ADMIN | AUTH_APP_ADMIN)) != 0;
}

int
admin_locks_out(const struct clv_list *before, const struct clv_list *after,
    const struct auth_caller *caller, uint8_t op, const struct clv_rd *args,
    char why[static ADMIN_WHY_MAX])
{
	const struct clv_list_app *app = named(after, op, args), *was;
	unsigned had = 0, has = 0;
	int r;

	if (caller == NULL)
		return CLV_OK;
	r = find_roles(before, NULL, caller, &had);
	if (r == CLV_OK)
		r = find_roles(after, app, caller, &has);
	if (r != CLV_OK)
		return r;
	if ((had & AUTH_SYSTEM_ADMIN) != 0 && (has & AUTH_SYSTEM_ADMIN) == 0) {
		snprintf(why, ADMIN_WHY_MAX,
		    "you would not be a system administrator any more: let "
		    "another one do it, or root");
		return CLV_E_DENIED;
	}
	if (app != NULL && !administers(has)) {
		snprintf(why, ADMIN_WHY_MAX,
		    "you would not be an administrator of %s: let another one "
		    "do it, or root",
		    app->name);
		return CLV_E_DENIED;
	}
	was = named(before, op, args);
	if (app != NULL && app->admins[0] == '\0' &&
	    (was == NULL || was->admins[0] != '\0')) {
		snprintf(why, ADMIN_WHY_MAX,
		    "%s would have no administrator of its own: grant that to "
		    "somebody first",
		    app->name);
		return CLV_E_DENIED;
	}
	return CLV_OK;
}
