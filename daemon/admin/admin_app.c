/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include <claviger/result.h>

#include "daemon/admin/admin_ops.h"

/* What the administrative requests on applications do to the list. */

static bool
has_unit(const char *acl)
{
	char name[CLV_SUBJECT_MAX];
	enum clv_subject kind;

	while (clv_acl_next(&acl, &kind, name))
		if (kind == CLV_SUBJECT_UNIT)
			return true;
	return false;
}

int
admin_acl_check(struct admin_change *c, const char *acl, bool for_admins)
{
	if (clv_acl_check(acl) != CLV_OK) {
		ADMIN_SAY(c, "an access list is user:NAME, group:NAME and "
			     "unit:NAME.service, joined by ',', none twice");
		return CLV_E_INVALID;
	}
	if (for_admins && has_unit(acl)) {
		ADMIN_SAY(c, "a unit reads secrets, it administers nothing");
		return CLV_E_INVALID;
	}
	return CLV_OK;
}

/* Add. */

struct wanted {
	char name[CLV_NAME_MAX];
	char admins[CLV_ACL_MAX];
	char users[CLV_ACL_MAX];
	uint32_t keep;
};

static int
app_read(struct admin_change *c, struct clv_rd *args, struct wanted *w)
{
	int r;

	clv_rd_str(args, w->name, sizeof(w->name));
	clv_rd_str(args, w->admins, sizeof(w->admins));
	clv_rd_str(args, w->users, sizeof(w->users));
	w->keep = clv_rd_u32(args);
	if (clv_rd_end(args) != CLV_OK)
		return CLV_E_PROTOCOL;
	if (clv_name_check(w->name) != CLV_OK || strcmp(w->name, "all") == 0) {
		ADMIN_SAY(c,
		    "an application's name is 1 to 64 of letters, digits, '.', "
		    "'_' and '-', and not \"all\"");
		return CLV_E_INVALID;
	}
	r = admin_acl_check(c, w->admins, true);
	return r == CLV_OK ? admin_acl_check(c, w->users, false) : r;
}

int
admin_app_add(struct admin_change *c, struct clv_rd *args)
{
	struct clv_list_app *app;
	struct wanted w;
	int r;

	r = app_read(c, args, &w);
	if (r != CLV_OK)
		return r;
	if (clv_list_app_by_name(c->next, w.name) != NULL) {
		ADMIN_SAY(c, "there is an application %s already", w.name);
		return CLV_E_EXISTS;
	}
	if (c->next->app_count >= CLV_LIST_APPS_MAX) {
		ADMIN_SAY(c, "there are %u applications, more cannot be",
		    (unsigned)CLV_LIST_APPS_MAX);
		return CLV_E_FULL;
	}
	app = clv_list_add_app(c->next);
	if (app == NULL || clv_acl_set(&app->admins, w.admins) != CLV_OK ||
	    clv_acl_set(&app->users, w.users) != CLV_OK)
		return CLV_E_NOMEM;
	memcpy(app->name, w.name, sizeof(app->name));
	app->keep = w.keep;
	ADMIN_SAY(c, "application %s is there", w.name);
	return CLV_OK;
}

bool
admin_app_is_added(const struct clv_list *list, struct clv_rd *args)
{
	struct admin_change c = {.op = ADMIN_APP_ADD};
	const struct clv_list_app *app;
	struct wanted w;

	if (app_read(&c, args, &w) != CLV_OK)
		return false;
	app = clv_list_app_by_name(list, w.name);
	return app != NULL && app->keep == w.keep &&
	       strcmp(app->admins, w.admins) == 0 &&
	       strcmp(app->users, w.users) == 0;
}

/* Remove. */

int
admin_app_remove(struct admin_change *c, struct clv_rd *args)
{
	char name[CLV_NAME_MAX];
	struct clv_list_app *app;

	clv_rd_str(args, name, sizeof(name));
	if (clv_rd_end(args) != CLV_OK)
		return CLV_E_PROTOCOL;
	app = clv_list_app_by_name(c->next, name);
	if (app == NULL) {
		ADMIN_SAY(c, "there is no application %s", name);
		return CLV_E_NOT_FOUND;
	}
	clv_list_drop_app(c->next, app);
	ADMIN_SAY(c, "application %s and all its secrets are deleted", name);
	return CLV_OK;
}

bool
admin_app_is_removed(const struct clv_list *list, struct clv_rd *args)
{
	char name[CLV_NAME_MAX];

	clv_rd_str(args, name, sizeof(name));
	return clv_rd_end(args) == CLV_OK &&
	       clv_list_app_by_name(list, name) == NULL;
}

/* Grant and revoke. */

struct grant {
	char name[CLV_NAME_MAX];
	bool as_admin;
	char subject[CLV_SUBJECT_MAX + 8]; /* with its kind */
};

static int
grant_read(struct clv_rd *args, struct grant *g)
{
	uint8_t as_admin;

	clv_rd_str(args, g->name, sizeof(g->name));
	as_admin = clv_rd_u8(args);
	clv_rd_str(args, g->subject, sizeof(g->subject));
	g->as_admin = as_admin == 1;
	return clv_rd_end(args) == CLV_OK && as_admin <= 1 ? CLV_OK
							   : CLV_E_PROTOCOL;
}

static const char *
role_name(const struct grant *g)
{
	return g->as_admin ? "an administrator" : "a user";
}

static int
find(struct admin_change *c, const struct grant *g, char ***ret)
{
	struct clv_list_app *app = clv_list_app_by_name(c->next, g->name);

	if (app == NULL) {
		ADMIN_SAY(c, "there is no application %s", g->name);
		return CLV_E_NOT_FOUND;
	}
	*ret = g->as_admin ? &app->admins : &app->users;
	return CLV_OK;
}

int
admin_app_grant(struct admin_change *c, struct clv_rd *args)
{
	char acl[CLV_ACL_MAX], **have;
	struct grant g;
	int r;

	r = grant_read(args, &g);
	if (r == CLV_OK)
		r = find(c, &g, &have);
	if (r == CLV_OK && clv_subject_check(g.subject) != CLV_OK) {
		ADMIN_SAY(c,
		    "%.100s is not user:NAME, group:NAME or "
		    "unit:NAME.service",
		    g.subject);
		r = CLV_E_INVALID;
	}
	if (r == CLV_OK)
		r = admin_acl_check(c, g.subject, g.as_admin);
	if (r != CLV_OK)
		return r;
	r = clv_acl_add(*have, g.subject, acl);
	if (r == CLV_OK)
		r = clv_acl_set(have, acl);
	c->nothing = r == CLV_E_EXISTS;
	if (r == CLV_OK || r == CLV_E_EXISTS)
		ADMIN_SAY(
		    c, "%.100s is %s of %s", g.subject, role_name(&g), g.name);
	if (r == CLV_E_FULL)
		ADMIN_SAY(c,
		    "the access list of %s is full: grant a group instead",
		    g.name);
	return c->nothing ? CLV_OK : r;
}

int
admin_app_revoke(struct admin_change *c, struct clv_rd *args)
{
	char acl[CLV_ACL_MAX], **have;
	struct grant g;
	int r;

	r = grant_read(args, &g);
	if (r == CLV_OK)
		r = find(c, &g, &have);
	if (r != CLV_OK)
		return r;
	r = clv_acl_drop(*have, g.subject, acl);
	if (r == CLV_OK)
		r = clv_acl_set(have, acl);
	if (r == CLV_OK)
		ADMIN_SAY(c, "%.100s is not %s of %s any more", g.subject,
		    role_name(&g), g.name);
	if (r == CLV_E_NOT_FOUND)
		ADMIN_SAY(c, "%.100s is not %s of %s", g.subject, role_name(&g),
		    g.name);
	return r;
}

bool
admin_app_is_granted(
    const struct clv_list *list, struct clv_rd *args, bool granted)
{
	const struct clv_list_app *app;
	struct grant g;

	if (grant_read(args, &g) != CLV_OK)
		return false;
	app = clv_list_app_by_name(list, g.name);
	return app != NULL && clv_acl_has(g.as_admin ? app->admins : app->users,
				  g.subject) == granted;
}
