/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include <claviger/result.h>

#include "daemon/authorize.h"

/* Names of access lists, looked up once, so that deciding asks nobody. */

#define ENTRY_MIN 1024
#define ENTRY_MAX (1u << 20) /* a group of many members */

/* CLV_OK, CLV_E_NOT_FOUND; anything else: nobody could tell. */
static int
look_up(enum clv_subject kind, const char *name, char *buf, size_t size,
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
look_up_any(enum clv_subject kind, const char *name, uint32_t *ret)
{
	size_t size = ENTRY_MIN;
	int r = CLV_E_FULL;
	char *buf;

	for (; r == CLV_E_FULL && size <= ENTRY_MAX; size *= 4) {
		buf = malloc(size);
		if (buf == NULL)
			return CLV_E_NOMEM;
		r = look_up(kind, name, buf, size, ret);
		free(buf);
	}
	return r;
}

/* What the same subject was before, when nobody can tell now. */
static struct auth_id
known_before(const struct auth_acl *a, enum clv_subject kind, const char *name)
{
	const char *at = a->count > 0 ? a->text : "";
	char other[CLV_SUBJECT_MAX];
	enum clv_subject k;

	for (size_t i = 0; clv_acl_next(&at, &k, other); i++)
		if (k == kind && strcmp(other, name) == 0)
			return a->ids[i];
	return (struct auth_id){.kind = (uint8_t)kind};
}

static struct auth_id
resolve(const struct auth_acl *before, enum clv_subject kind, const char *name)
{
	struct auth_id id = {.kind = (uint8_t)kind};

	if (kind == CLV_SUBJECT_UNIT)
		return id;
	switch (look_up_any(kind, name, &id.id)) {
	case CLV_OK: id.known = true; return id;
	case CLV_E_NOT_FOUND: return id;
	default: return known_before(before, kind, name);
	}
}

int
auth_acl_set(struct auth_acl *a, const char *text)
{
	struct auth_acl new = {NULL, NULL, 0};
	char name[CLV_SUBJECT_MAX];
	enum clv_subject kind;
	const char *at;

	for (at = text; clv_acl_next(&at, &kind, name);)
		new.count++;
	new.text = strdup(text);
	new.ids = calloc(new.count + 1, sizeof(*new.ids));
	if (new.text == NULL || new.ids == NULL) {
		auth_acl_fini(&new);
		return CLV_E_NOMEM;
	}
	at = text;
	for (size_t i = 0; clv_acl_next(&at, &kind, name); i++)
		new.ids[i] = resolve(a, kind, name);
	auth_acl_fini(a);
	*a = new;
	return CLV_OK;
}

void
auth_acl_fini(struct auth_acl *a)
{
	free(a->text);
	free(a->ids);
	*a = (struct auth_acl){NULL, NULL, 0};
}
