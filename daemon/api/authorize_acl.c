/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include <claviger/result.h>

#include "daemon/api/authorize.h"

/* Access lists, whose names are looked up before anything is decided, so that
 * deciding asks nobody. */

/* What the same subject was before: it stays so when nobody can tell. */
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

int
auth_acl_parse(struct auth_acl *a, const char *text)
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
		new.ids[i] = known_before(a, kind, name);
	auth_acl_fini(a);
	*a = new;
	return CLV_OK;
}

int
auth_acl_set(struct auth_acl *a, const char *text)
{
	char name[CLV_SUBJECT_MAX];
	const char *at = text;
	enum clv_subject kind;

	if (auth_acl_parse(a, text) != CLV_OK)
		return CLV_E_NOMEM;
	for (size_t i = 0; clv_acl_next(&at, &kind, name); i++)
		auth_id_look_up(&a->ids[i], name);
	return CLV_OK;
}

void
auth_acl_fini(struct auth_acl *a)
{
	free(a->text);
	free(a->ids);
	*a = (struct auth_acl){NULL, NULL, 0};
}
