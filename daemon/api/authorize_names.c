/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include <claviger/result.h>

#include "daemon/api/authorize.h"
#include "daemon/base/loop.h"

/* Users and groups by name: whom the name service of this host knows, and what
 * it said of each of them last. */

#define ENTRY_MIN 1024
#define ENTRY_MAX (1u << 20) /* a group of many members */

/* CLV_OK, CLV_E_NOT_FOUND; anything else: nobody could tell. */
static int
ask(enum clv_subject kind, const char *name, char *buf, size_t size,
    uint32_t *ret)
{
	struct passwd pw, *user = NULL;
	struct group gr, *group = NULL;
	int e;

	if (kind == CLV_SUBJECT_USER)
		e = getpwnam_r(name, &pw, buf, size, &user);
	else
		e = getgrnam_r(name, &gr, buf, size, &group);
	if (user != NULL)
		*ret = user->pw_uid;
	if (group != NULL)
		*ret = group->gr_gid;
	if (user != NULL || group != NULL)
		return CLV_OK;
	/* getpwnam_r(3): these too may mean that there is none */
	if (e == 0 || e == ENOENT || e == ESRCH || e == EBADF || e == EPERM)
		return CLV_E_NOT_FOUND;
	return e == ERANGE ? CLV_E_FULL : CLV_E_SYSTEM;
}

static int
ask_any(enum clv_subject kind, const char *name, uint32_t *ret)
{
	size_t size = ENTRY_MIN;
	int r = CLV_E_FULL;
	char *buf;

	for (; r == CLV_E_FULL && size <= ENTRY_MAX; size *= 4) {
		buf = malloc(size);
		if (buf == NULL)
			return CLV_E_NOMEM;
		r = ask(kind, name, buf, size, ret);
		free(buf);
	}
	return r;
}

void
auth_id_look_up(struct auth_id *id, const char *name)
{
	uint32_t number = 0;

	if (id->kind == CLV_SUBJECT_UNIT)
		return;
	switch (ask_any((enum clv_subject)id->kind, name, &number)) {
	case CLV_OK:
		id->id = number;
		id->known = true;
		break;
	case CLV_E_NOT_FOUND: id->known = false; break;
	default: break;
	}
}

struct account {
	struct auth_id id;
	uint64_t asked_ms; /* 0: never */
	char name[CLV_SUBJECT_MAX];
};

static int
by_name(const void *a, const void *b)
{
	const struct account *x = a, *y = b;

	return x->id.kind != y->id.kind ? x->id.kind - y->id.kind
					: strcmp(x->name, y->name);
}

/* The one of that name, with what was said of it before; NULL: no memory. */
static struct account *
account_get(struct auth_names *n, uint8_t kind, const char *name)
{
	struct account *new = calloc(1, sizeof(*new)), **at, **before;

	if (new == NULL)
		return NULL;
	new->id.kind = kind;
	memcpy(new->name, name, strlen(name) + 1);
	at = tsearch(new, &n->now, by_name);
	if (at == NULL || *at != new) {
		free(new);
		return at != NULL ? *at : NULL;
	}
	before = tfind(new, &n->before, by_name);
	if (before != NULL)
		*new = **before;
	return new;
}

/* One round does not take long: those whose turn does not come are asked for
 * first in the next one. */
static void
account_renew(struct auth_names *n, struct account *e)
{
	uint64_t now;

	if (e->asked_ms >= n->pass_ms)
		return;
	now = loop_now_ms();
	if (now >= n->until_ms) {
		n->cut = true;
		return;
	}
	auth_id_look_up(&e->id, e->name);
	e->asked_ms = now;
}

void
auth_names_begin(struct auth_names *n, bool anew)
{
	uint64_t now = loop_now_ms();

	if (anew && !n->cut)
		n->pass_ms = now;
	if (n->pass_ms == 0)
		n->pass_ms = 1;
	n->cut = false;
	n->until_ms = now + AUTH_NAMES_MS;
	n->before = n->now;
	n->now = NULL;
}

void
auth_names_end(struct auth_names *n)
{
	tdestroy(n->before, free);
	n->before = NULL;
}

void
auth_names_fini(struct auth_names *n)
{
	auth_names_end(n);
	tdestroy(n->now, free);
	*n = (struct auth_names){0};
}

void
auth_acl_look_up(struct auth_acl *a, struct auth_names *n)
{
	const char *at = a->count > 0 ? a->text : "";
	char name[CLV_SUBJECT_MAX];
	enum clv_subject kind;
	struct account *e;

	for (size_t i = 0; i < a->count && clv_acl_next(&at, &kind, name);
	     i++) {
		if (kind == CLV_SUBJECT_UNIT)
			continue;
		e = account_get(n, (uint8_t)kind, name);
		if (e == NULL)
			continue; /* as it was */
		account_renew(n, e);
		a->ids[i] = e->id;
	}
}
