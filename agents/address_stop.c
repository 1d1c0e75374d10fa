/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <errno.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "agents/address.h"

static unsigned
reset_connections(const struct address *a)
{
	unsigned n = 0;
	int err = tcp_reset(a->family, a->ip, &n);

	if (err != 0)
		ocf_log(LOG_WARNING, "connections of %s cannot be reset: %s",
		    a->text, strerror(-err));
	else if (n > 0)
		ocf_log(LOG_INFO, "%u connections of %s are reset", n, a->text);
	return n;
}

/* Remove all that is found, then look again. 0, or a negative errno and the
 * link where it still is. */
static int
remove_everywhere(const struct address *a, int fd, int *ret_ifindex)
{
	struct rtnl_addr at[ADDRESS_PLACES_MAX];
	size_t n = 0, i, round;
	int err, first = 0;

	for (round = 0; round < 3; round++) {
		err = rtnl_find_addr(
		    fd, a->family, a->ip, at, ADDRESS_PLACES_MAX, &n);
		if (err != 0 || n == 0)
			return err;
		for (i = 0; i < n && i < ADDRESS_PLACES_MAX; i++) {
			*ret_ifindex = at[i].ifindex;
			err = address_remove(fd, &at[i]);
			if (err != 0 && err != -EADDRNOTAVAIL)
				first = err;
		}
	}
	err = rtnl_find_addr(fd, a->family, a->ip, at, ADDRESS_PLACES_MAX, &n);
	if (err == 0 && n > 0)
		err = first != 0 ? first : -EBUSY;
	return err;
}

int
address_stop(const struct ocf *o, const struct address *a)
{
	struct rtnl_addr at[1];
	struct rtnl_link link = {.name = "a link"};
	size_t n = 0;
	unsigned reset = 0;
	int fd, err, ifindex = 0;

	if (!a->carried)
		return OCF_SUCCESS;
	err = rtnl_open(0, &fd);
	if (err != 0)
		return ocf_fail(o, OCF_ERR_GENERIC, "no rtnetlink socket: %s",
		    strerror(-err));
	err = rtnl_find_addr(fd, a->family, a->ip, at, 1, &n);
	if (err == 0 && n > 0) {
		/* While it is there, so that the peers hear of it; what came
		 * after that needs no answer. */
		reset = reset_connections(a);
		err = remove_everywhere(a, fd, &ifindex);
		if (err == 0 && reset > 0)
			reset_connections(a);
	}
	if (err != 0 && ifindex != 0)
		rtnl_get_link(fd, NULL, ifindex, &link);
	close(fd);
	if (err != 0)
		return ocf_fail(o, OCF_ERR_GENERIC,
		    "%s cannot be removed from %s: %s", a->text, link.name,
		    strerror(-err));
	if (n > 0)
		ocf_log(LOG_INFO, "%s is removed", a->text);
	return OCF_SUCCESS;
}
