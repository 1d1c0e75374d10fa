/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "accounts.h"

int __wrap_getpwnam_r(const char *name, struct passwd *pw, char *buf,
    size_t size, struct passwd **ret);
int __wrap_getgrnam_r(const char *name, struct group *gr, char *buf,
    size_t size, struct group **ret);

int accounts_fail;
size_t accounts_len;
unsigned accounts_asked;
void (*accounts_hook)(void);

#define ACCOUNTS_MAX 32
static struct {
	const char *name;
	uint32_t id;
} accounts[ACCOUNTS_MAX] = {
    {"root", 0}, {"ada", 1001}, {"bob", 1002}, {"dev", 2001}, {"wheel", 10}};

void
accounts_set(const char *name, uint32_t id)
{
	size_t i = 0;

	while (accounts[i].name != NULL && strcmp(accounts[i].name, name) != 0)
		if (++i == ACCOUNTS_MAX)
			abort();
	accounts[i].name = name;
	accounts[i].id = id;
}

static int
account(const char *name, size_t size, uint32_t *ret, bool *ret_there)
{
	accounts_asked++;
	if (accounts_hook != NULL)
		accounts_hook();
	*ret_there = false;
	if (accounts_fail != 0)
		return accounts_fail;
	if (size < accounts_len)
		return ERANGE;
	for (size_t i = 0; i < ACCOUNTS_MAX; i++) {
		if (accounts[i].name == NULL ||
		    strcmp(accounts[i].name, name) != 0 ||
		    accounts[i].id == ACCOUNTS_GONE)
			continue;
		*ret = accounts[i].id;
		*ret_there = true;
	}
	return 0;
}

int
__wrap_getpwnam_r(const char *name, struct passwd *pw, char *buf, size_t size,
    struct passwd **ret)
{
	bool there;
	int e = account(name, size, &pw->pw_uid, &there);

	(void)buf;
	*ret = there ? pw : NULL;
	return e;
}

int
__wrap_getgrnam_r(const char *name, struct group *gr, char *buf, size_t size,
    struct group **ret)
{
	bool there;
	int e = account(name, size, &gr->gr_gid, &there);

	(void)buf;
	*ret = there ? gr : NULL;
	return e;
}
