/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <claviger/list.h>
#include <claviger/result.h>

#define UNIT_SUFFIX ".service"

static const struct {
	const char *prefix;
	size_t len;
	enum clv_subject kind;
} kinds[] = {
    {"user:", 5, CLV_SUBJECT_USER},
    {"group:", 6, CLV_SUBJECT_GROUP},
    {"unit:", 5, CLV_SUBJECT_UNIT},
};

/* Kind and name of the len bytes at p; false when they are none. */
static bool
split(const char *p, size_t len, enum clv_subject *ret_kind,
    char ret_name[static CLV_SUBJECT_MAX])
{
	size_t i, n;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		n = kinds[i].len;
		if (len <= n || len - n >= CLV_SUBJECT_MAX ||
		    memcmp(p, kinds[i].prefix, n) != 0)
			continue;
		*ret_kind = kinds[i].kind;
		memcpy(ret_name, p + n, len - n);
		ret_name[len - n] = '\0';
		return true;
	}
	return false;
}

/* What useradd, sssd (user@domain) and winbind (DOMAIN\user) give out. Digits
 * alone are refused: whether they are a name or a number is a guess. */
static bool
is_account(const char *s)
{
	return s[0] != '-' && s[strspn(s, "0123456789")] != '\0' &&
	       s[strspn(s, "abcdefghijklmnopqrstuvwxyz"
			   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-@\\$")] ==
		   '\0';
}

/* systemd.unit(5) */
static bool
is_service(const char *s)
{
	size_t len = strlen(s), suffix = strlen(UNIT_SUFFIX);

	return len > suffix && strcmp(s + len - suffix, UNIT_SUFFIX) == 0 &&
	       s[strspn(s, "abcdefghijklmnopqrstuvwxyz"
			   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@")] ==
		   '\0';
}

static bool
is_subject(const char *p, size_t len)
{
	char name[CLV_SUBJECT_MAX];
	enum clv_subject kind;

	if (!split(p, len, &kind, name))
		return false;
	return kind == CLV_SUBJECT_UNIT ? is_service(name) : is_account(name);
}

static bool
is_in(const char *acl, const char *p, size_t len)
{
	size_t n;

	for (; *acl != '\0'; acl += n + (acl[n] == ',')) {
		n = strcspn(acl, ",");
		if (n == len && memcmp(acl, p, len) == 0)
			return true;
	}
	return false;
}

int
clv_subject_check(const char *subject)
{
	return is_subject(subject, strlen(subject)) ? CLV_OK : CLV_E_INVALID;
}

int
clv_acl_check(const char *acl)
{
	size_t len = strlen(acl), n;

	if (len >= CLV_ACL_MAX || (len > 0 && acl[len - 1] == ','))
		return CLV_E_INVALID;
	for (; *acl != '\0'; acl += n + (acl[n] == ',')) {
		n = strcspn(acl, ",");
		if (!is_subject(acl, n) ||
		    (acl[n] == ',' && is_in(acl + n + 1, acl, n)))
			return CLV_E_INVALID;
	}
	return CLV_OK;
}

bool
clv_acl_next(const char **acl, enum clv_subject *ret_kind,
    char ret_name[static CLV_SUBJECT_MAX])
{
	size_t n = strcspn(*acl, ",");

	if (!split(*acl, n, ret_kind, ret_name))
		return false;
	*acl += n + ((*acl)[n] == ',');
	return true;
}

bool
clv_acl_has(const char *acl, const char *subject)
{
	return is_in(acl, subject, strlen(subject));
}

int
clv_acl_add(const char *acl, const char *subject, char ret[static CLV_ACL_MAX])
{
	char joined[CLV_ACL_MAX];
	int n;

	if (clv_subject_check(subject) != CLV_OK)
		return CLV_E_INVALID;
	if (clv_acl_has(acl, subject))
		return CLV_E_EXISTS;
	n = snprintf(joined, sizeof(joined), "%s%s%s", acl,
	    acl[0] != '\0' ? "," : "", subject);
	if (n < 0 || (size_t)n >= sizeof(joined))
		return CLV_E_FULL;
	memcpy(ret, joined, (size_t)n + 1);
	return CLV_OK;
}

int
clv_acl_drop(const char *acl, const char *subject, char ret[static CLV_ACL_MAX])
{
	char rest[CLV_ACL_MAX];
	size_t n, at = 0;

	if (!clv_acl_has(acl, subject))
		return CLV_E_NOT_FOUND;
	for (; *acl != '\0'; acl += n + (acl[n] == ',')) {
		n = strcspn(acl, ",");
		if (n == strlen(subject) && memcmp(acl, subject, n) == 0)
			continue;
		if (at > 0)
			rest[at++] = ',';
		memcpy(rest + at, acl, n);
		at += n;
	}
	memcpy(ret, rest, at);
	ret[at] = '\0';
	return CLV_OK;
}

int
clv_acl_set(char **acl, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = malloc(size);

	if (copy == NULL)
		return CLV_E_NOMEM;
	memcpy(copy, text, size);
	free(*acl);
	*acl = copy;
	return CLV_OK;
}
