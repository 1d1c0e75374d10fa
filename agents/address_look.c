/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <stdio.h>
#include <unistd.h>

#include "agents/address.h"

static int
look_at_link(const struct address *a, int fd, const struct rtnl_addr *at,
    struct rtnl_link *link, char *why)
{
	int err;

	if (link->ifindex != at->ifindex) {
		err = rtnl_peek_link(fd, NULL, at->ifindex, link);
		if (err != 0)
			return err;
	}
	if (at->flags & IFA_F_DADFAILED) {
		snprintf(why, OCF_REASON_MAX,
		    "%s on %s is in use by another host (duplicate address "
		    "detection)",
		    a->text, link->name);
		return ADDRESS_WRONG;
	}
	if (a->check_link_status && !rtnl_is_running(link)) {
		snprintf(why, OCF_REASON_MAX, "%s is on %s, whose link is down",
		    a->text, link->name);
		return ADDRESS_WRONG;
	}
	return ADDRESS_RIGHT;
}

static int
judge(const struct address *a, int fd, const struct rtnl_addr *at, size_t n,
    char *why)
{
	struct rtnl_link link = {.ifindex = 0}, other;
	size_t i;
	int err;

	if (a->nic[0] != '\0') {
		err = rtnl_peek_link(fd, a->nic, 0, &link);
		if (err != 0 && err != -ENODEV)
			return err;
		if (err == -ENODEV)
			link.ifindex = -1; /* then it is nowhere right */
	}
	for (i = 0; i < n; i++) {
		if ((link.ifindex != 0 && at[i].ifindex != link.ifindex) ||
		    at[i].ifindex != at[0].ifindex) {
			err = rtnl_peek_link(fd, NULL, at[i].ifindex, &other);
			snprintf(why, OCF_REASON_MAX,
			    "%s is on %s, where it does not belong", a->text,
			    err == 0 ? other.name : "another link");
			return ADDRESS_WRONG;
		}
		if (a->prefix >= 0 && at[i].prefix != a->prefix) {
			snprintf(why, OCF_REASON_MAX,
			    "%s has the prefix length %u, not %d", a->text,
			    at[i].prefix, a->prefix);
			return ADDRESS_WRONG;
		}
	}
	return look_at_link(a, fd, &at[0], &link, why);
}

int
address_look(const struct address *a, char *why)
{
	struct rtnl_addr at[ADDRESS_PLACES_MAX];
	size_t n = 0;
	int fd, result;

	why[0] = '\0';
	if (!a->carried)
		return ADDRESS_NOT_CARRIED;
	result = rtnl_open(0, &fd);
	if (result != 0)
		return result;
	result =
	    rtnl_find_addr(fd, a->family, a->ip, at, ADDRESS_PLACES_MAX, &n);
	if (result == 0 && n == 0)
		result = ADDRESS_ABSENT;
	else if (result == 0)
		result = judge(a, fd, at,
		    n < ADDRESS_PLACES_MAX ? n : ADDRESS_PLACES_MAX, why);
	close(fd);
	return result;
}

bool
address_can_start(const struct address *a, char *why)
{
	struct rtnl_link link;
	uint8_t prefix;
	int fd, err, ifindex = 0;

	if (!a->carried || rtnl_open(0, &fd) != 0)
		return true;
	if (a->nic[0] == '\0') {
		err =
		    rtnl_find_route(fd, a->family, a->ip, 0, &ifindex, &prefix);
		/* The link towards a gateway is one for a host address. */
		if (err == -ENETUNREACH && ifindex != 0)
			err = 0;
	} else {
		err = 0;
	}
	if (err == 0)
		err = rtnl_peek_link(
		    fd, ifindex == 0 ? a->nic : NULL, ifindex, &link);
	close(fd);
	if (err == -ENETUNREACH)
		snprintf(why, OCF_REASON_MAX, "no connected network has %s",
		    a->text);
	else if (err == -ENODEV)
		snprintf(why, OCF_REASON_MAX,
		    "there is no interface %s on this node", a->nic);
	/* One that is switched off is switched on by a start. */
	else if (err == 0 && a->check_link_status && (link.flags & IFF_UP) &&
		 !rtnl_is_running(&link))
		snprintf(why, OCF_REASON_MAX, "the link %s has no carrier",
		    link.name);
	else
		return true;
	return false;
}
