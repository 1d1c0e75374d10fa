/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <claviger/api.h>
#include "daemon/cli/cli_import.h"
#include "daemon/vault/vault.h"

/*
 * What a file means for this system: the changes that it takes, and what is
 * left to people. Nothing is changed here. Whatever is so already is no change,
 * so that an import that did not get through is repeated.
 */

bool
import_is_change(const struct import_step *s)
{
	return s->kind < IMPORT_HAND;
}

static struct import_step *
add(struct import_plan *p, enum import_step_kind kind,
    const struct import_record *from)
{
	size_t cap = p->cap > 0 ? 2 * p->cap : 16;
	struct import_step *s = p->steps;

	if (p->count == p->cap) {
		s = reallocarray(p->steps, cap, sizeof(*s));
		if (s == NULL)
			return NULL;
		p->steps = s;
		p->cap = cap;
	}
	s = &p->steps[p->count++];
	memset(s, 0, sizeof(*s));
	s->kind = kind;
	s->from = from;
	return s;
}

static int by_hand(struct import_plan *p, const struct import_record *from,
    const char *what, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static int
by_hand(struct import_plan *p, const struct import_record *from,
    const char *what, const char *fmt, ...)
{
	struct import_step *s = add(p, IMPORT_HAND, from);
	va_list ap;

	if (s == NULL)
		return CLV_E_NOMEM;
	snprintf(s->value, sizeof(s->value), "%s", what);
	va_start(ap, fmt);
	vsnprintf(s->command, sizeof(s->command), fmt, ap);
	va_end(ap);
	return CLV_OK;
}

static int
left_out(struct import_plan *p, const struct import_record *r)
{
	const char *name, *why;
	struct import_step *s;
	unsigned i = 0;

	while ((name = import_left_out(r, &i, &why)) != NULL) {
		s = add(p, IMPORT_LEFT, r);
		if (s == NULL)
			return CLV_E_NOMEM;
		snprintf(s->app, sizeof(s->app), "%s", name);
		snprintf(s->value, sizeof(s->value), "%s", why);
	}
	return CLV_OK;
}

/* ---- accounts ---- */

/* Without its Windows domain. */
static const char *
base_name(const char *account)
{
	const char *slash = strrchr(account, '\\');

	return slash != NULL ? slash + 1 : account;
}

static bool
look_up(const char *name, bool person, char ret[static CLI_SUBJECT_MAX])
{
	int n = 0;

	if (!person && getgrnam(name) != NULL)
		n = snprintf(ret, CLI_SUBJECT_MAX, "group:%s", name);
	else if (getpwnam(name) != NULL)
		n = snprintf(ret, CLI_SUBJECT_MAX, "user:%s", name);
	return n > 0 && n < CLI_SUBJECT_MAX && clv_subject_check(ret) == CLV_OK;
}

/* As it is written there, or in small letters: Windows knows no difference. */
static bool
find_name(const char *name, bool person, char ret[static CLI_SUBJECT_MAX])
{
	char small[IMPORT_TEXT_MAX];
	size_t i;

	if (look_up(name, person, ret))
		return true;
	for (i = 0; name[i] != '\0'; i++)
		small[i] = (char)tolower((unsigned char)name[i]);
	small[i] = '\0';
	return look_up(small, person, ret);
}

/* With its domain, where this host knows one, or else without. */
static bool
find_account(const char *account, bool person, char ret[static CLI_SUBJECT_MAX])
{
	return find_name(account, person, ret) ||
	       find_name(base_name(account), person, ret);
}

static int
nobody(struct import_plan *p, const struct import_record *r,
    const char *account, const char *command)
{
	char what[CLV_ACL_MAX];

	snprintf(what, sizeof(what),
	    "this host knows no %s '%s': make it, or choose another",
	    r->kind == IMPORT_MAPPING ? "user" : "group or user", account);
	return by_hand(p, r, what, "%s", command);
}

/* The account in that access list, of the list as it will be: the step of that
 * kind which adds its subject; *ret NULL: none is needed, or `command` is left
 * to somebody. */
static int
admit(struct import_plan *p, const struct import_record *r,
    enum import_step_kind kind, char **acl, const char *account,
    const char *command, char subject[static CLI_SUBJECT_MAX],
    struct import_step **ret)
{
	char value[CLV_ACL_MAX];
	int rc;

	*ret = NULL;
	if (account[0] == '\0')
		return CLV_OK;
	if (!find_account(account, r->kind == IMPORT_MAPPING, subject))
		return nobody(p, r, account, command);
	rc = clv_acl_add(*acl, subject, value);
	if (rc == CLV_E_EXISTS)
		return CLV_OK;
	if (rc == CLV_OK)
		rc = clv_acl_set(acl, value);
	if (rc != CLV_OK)
		return rc;
	*ret = add(p, kind, r);
	if (*ret == NULL)
		return CLV_E_NOMEM;
	snprintf((*ret)->account, sizeof((*ret)->account), "%s", account);
	return CLV_OK;
}

/* ---- globalInfo ---- */

static int
set(struct import_plan *p, const struct import_record *r, const char *key,
    char **acl, const char *account)
{
	char subject[CLI_SUBJECT_MAX], command[512];
	struct import_step *s;
	int rc;

	snprintf(command, sizeof(command),
	    "claviger settings set %s %.400s%sgroup:NAME", key, *acl,
	    (*acl)[0] != '\0' ? "," : "");
	rc = admit(p, r, IMPORT_SET, acl, account, command, subject, &s);
	if (rc != CLV_OK || s == NULL)
		return rc;
	snprintf(s->app, sizeof(s->app), "%s", key);
	snprintf(s->value, sizeof(s->value), "%s", *acl);
	return CLV_OK;
}

/* The certificate has the name in it, and members look it up: they must know
 * the new one before the old one goes, which nobody here can see to. */
static int
rename_server(
    struct cli *c, struct import_plan *p, const struct import_record *r)
{
	const char *name = r->server;
	int rc;

	if (name[0] == '\0' || strcasecmp(name, p->list->network_name) == 0)
		return CLV_OK;
	if (cli_host_name_check(name) != CLV_OK)
		return cli_fail(c, CLV_E_INVALID,
		    "give it another name in the file",
		    "line %u: secretServer is not a host name", r->line);
	rc = by_hand(p, r,
	    "the network name: have the new one resolve to the address, on "
	    "every host, beside the old one",
	    "getent hosts %s", name);
	if (rc == CLV_OK)
		rc = by_hand(p, r, "then set it, on one server node",
		    "claviger settings set network_name %s", name);
	if (rc == CLV_OK)
		rc = by_hand(p, r,
		    "then a certificate with that name, which every host "
		    "learns by itself",
		    "claviger cert rotate --server");
	if (rc == CLV_OK)
		rc = by_hand(p, r,
		    "then 'network_name = NEW' in the configuration of each "
		    "member and server node, and a restart of clavigerd there",
		    "claviger fetch --check");
	if (rc == CLV_OK)
		rc = by_hand(p, r, "then the cluster's resource",
		    "claviger cluster commands --pcs");
	return rc;
}

static int
global(struct cli *c, struct import_plan *p, const struct import_record *r)
{
	int rc = set(p, r, "system_admins", &p->list->system_admins, r->admins);

	if (rc == CLV_OK)
		rc = set(p, r, "app_creators", &p->list->creators, r->users);
	return rc == CLV_OK ? rename_server(c, p, r) : rc;
}

/* ---- applications ---- */

static int
grant(struct import_plan *p, const struct import_record *r,
    struct clv_list_app *app, const char *account, bool as_admin)
{
	char subject[CLI_SUBJECT_MAX], command[256];
	struct import_step *s;
	int rc;

	snprintf(command, sizeof(command), "claviger app grant %s %s%s:NAME",
	    app->name, as_admin ? "--admin " : "",
	    r->kind == IMPORT_MAPPING ? "user" : "group");
	rc = admit(p, r, IMPORT_GRANT, as_admin ? &app->admins : &app->users,
	    account, command, subject, &s);
	if (rc != CLV_OK || s == NULL)
		return rc;
	snprintf(s->app, sizeof(s->app), "%s", app->name);
	snprintf(s->value, sizeof(s->value), "%s", subject);
	s->as_admin = as_admin;
	return CLV_OK;
}

static int
application(struct cli *c, struct import_plan *p, const struct import_record *r)
{
	struct clv_list_app *app;
	struct import_step *s;
	int rc;

	if (clv_name_check(r->app) != CLV_OK || strcmp(r->app, "all") == 0)
		return cli_fail(c, CLV_E_INVALID,
		    "give it another name in the file, and in its mappings: 1 "
		    "to 64 letters, digits, '.', '_' and '-', and not \"all\"",
		    "line %u: '%s' cannot be the name of an application",
		    r->line, r->app);
	app = clv_list_app_by_name(p->list, r->app);
	if (app == NULL) {
		s = add(p, IMPORT_ADD, r);
		app = s != NULL ? clv_list_add_app(p->list) : NULL;
		if (app == NULL)
			return s == NULL ? CLV_E_NOMEM : CLV_E_FULL;
		snprintf(s->app, sizeof(s->app), "%.64s", r->app);
		snprintf(app->name, sizeof(app->name), "%.64s", r->app);
		if (clv_acl_set(&app->admins, "") != CLV_OK ||
		    clv_acl_set(&app->users, "") != CLV_OK)
			return CLV_E_NOMEM;
	}
	rc = grant(p, r, app, r->admins, true);
	return rc == CLV_OK ? grant(p, r, app, r->users, false) : rc;
}

/* ---- mappings ---- */

static int
mapping(struct cli *c, struct import_plan *p, const struct import_record *r)
{
	struct clv_list_app *app = clv_list_app_by_name(p->list, r->app);
	char name[IMPORT_TEXT_MAX + 16], account[2 * IMPORT_TEXT_MAX];
	bool is_whole = r->domain[0] == '\0' || strchr(r->user, '\\') != NULL;
	struct import_step *s;
	int rc;

	if (app == NULL)
		return cli_fail(c, CLV_E_NOT_FOUND,
		    "import the file with that application first",
		    "line %u: there is no application '%s'", r->line, r->app);
	snprintf(account, sizeof(account), "%s%s%s", is_whole ? "" : r->domain,
	    is_whole ? "" : "\\", r->user);
	rc = grant(p, r, app, account, false);
	if (rc != CLV_OK)
		return rc;
	snprintf(name, sizeof(name), "mapping/%s", r->external);
	if (vault_name_check(name) != CLV_OK)
		return by_hand(p, r,
		    "the external user's name has characters that a secret's "
		    "cannot have: choose another",
		    "claviger put %s mapping/NAME", app->name);
	if (r->password == NULL)
		return by_hand(p, r, "its password, which is asked for",
		    "claviger put %s %s", app->name, name);
	s = add(p, IMPORT_PUT, r);
	if (s == NULL)
		return CLV_E_NOMEM;
	snprintf(s->app, sizeof(s->app), "%s", app->name);
	snprintf(s->value, sizeof(s->value), "%s", name);
	return CLV_OK;
}

/* ---- all of it ---- */

static int
plan_one(struct cli *c, struct import_plan *p, const struct import_record *r)
{
	switch (r->kind) {
	case IMPORT_GLOBAL: return global(c, p, r);
	case IMPORT_APP: return application(c, p, r);
	case IMPORT_MAPPING: return mapping(c, p, r);
	}
	return CLV_E_INVALID;
}

/* Applications first: a mapping may stand before its own. */
static const enum import_kind order[] = {
    IMPORT_GLOBAL, IMPORT_APP, IMPORT_MAPPING};

int
import_plan(struct cli *c, const struct clv_list *list,
    const struct import_record *records, struct import_plan *ret)
{
	const struct import_record *r;
	int rc = clv_list_copy(list, &ret->list);

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		for (r = records; rc == CLV_OK && r != NULL; r = r->next)
			if (r->kind == order[i])
				rc = plan_one(c, ret, r);
	for (r = records; rc == CLV_OK && r != NULL; r = r->next)
		rc = left_out(ret, r);
	if (rc == CLV_E_NOMEM || rc == CLV_E_FULL)
		cli_fail(c, rc, "divide the file", "it cannot be imported: %s",
		    clv_result_text(rc));
	return rc;
}

void
import_plan_free(struct import_plan *p)
{
	free(p->steps);
	clv_list_free(&p->list);
	*p = (struct import_plan){.steps = NULL};
}
