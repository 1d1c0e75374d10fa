/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <claviger/result.h>

#include "daemon/api/authorize.h"

#define GROUPS_GUESS 64

/* The supplementary groups; their number is asked for when it is more than
 * was guessed. */
static int
get_groups(int fd, gid_t **ret, size_t *ret_count)
{
	socklen_t len = GROUPS_GUESS * sizeof(gid_t);
	gid_t *groups = malloc(len), *more;
	int r;

	if (groups == NULL)
		return CLV_E_NOMEM;
	r = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len);
	if (r != 0 && errno == ERANGE) {
		more = malloc(len);
		free(groups);
		groups = more;
		if (groups == NULL)
			return CLV_E_NOMEM;
		r = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len);
	}
	if (r != 0) {
		free(groups);
		return CLV_E_SYSTEM;
	}
	*ret = groups;
	*ret_count = len / sizeof(gid_t);
	return CLV_OK;
}

int
auth_caller_get(int fd, struct auth_caller *ret)
{
	struct ucred u;
	socklen_t len = sizeof(u);
	size_t count = 0;
	gid_t *groups;
	int r;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &u, &len) != 0 ||
	    len != sizeof(u))
		return CLV_E_SYSTEM;
	r = get_groups(fd, &groups, &count);
	if (r == CLV_OK)
		*ret = (struct auth_caller){u.uid, u.gid, groups, count, NULL};
	return r;
}

int
auth_caller_copy(const struct auth_caller *c, struct auth_caller *ret)
{
	gid_t *groups = malloc((c->group_count + 1) * sizeof(*groups));
	char *unit = c->unit != NULL ? strdup(c->unit) : NULL;

	if (groups == NULL || (unit == NULL && c->unit != NULL)) {
		free(groups);
		free(unit);
		return CLV_E_NOMEM;
	}
	if (c->group_count > 0)
		memcpy(groups, c->groups, c->group_count * sizeof(*groups));
	*ret = *c;
	ret->groups = groups;
	ret->unit = unit;
	return CLV_OK;
}

void
auth_caller_fini(struct auth_caller *c)
{
	free((void *)(uintptr_t)c->groups);
	free((void *)(uintptr_t)c->unit);
	*c = (struct auth_caller){(uid_t)-1, (gid_t)-1, NULL, 0, NULL};
}
