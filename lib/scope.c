/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <claviger/list.h>
#include <claviger/result.h>
#include "list.h"

bool
clv__scope_next(const char **scope, char ret[static CLV_NAME_MAX])
{
	size_t n = strcspn(*scope, ",");

	ret[0] = '\0';
	if (**scope == '\0')
		return false;
	/* Too long is left empty, which no name check accepts. */
	if (n < CLV_NAME_MAX) {
		memcpy(ret, *scope, n);
		ret[n] = '\0';
	}
	*scope += n;
	if (**scope == ',')
		(*scope)++;
	return true;
}

static bool
is_in(const char *name, const char *scope)
{
	char other[CLV_NAME_MAX];

	while (clv__scope_next(&scope, other))
		if (strcmp(name, other) == 0)
			return true;
	return false;
}

bool
clv_scope_has(const char *scope, const char *app)
{
	return strcmp(scope, "all") == 0 || is_in(app, scope);
}

int
clv_scope_check(const char *scope)
{
	size_t len = strlen(scope);
	char name[CLV_NAME_MAX];
	const char *at = scope;

	if (strcmp(scope, "all") == 0)
		return CLV_OK;
	if (len == 0 || len >= CLV_SCOPE_MAX || scope[len - 1] == ',')
		return CLV_E_INVALID;
	while (clv__scope_next(&at, name))
		if (clv_name_check(name) != CLV_OK ||
		    strcmp(name, "all") == 0 || is_in(name, at))
			return CLV_E_INVALID;
	return CLV_OK;
}
