/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <string.h>
#include <sys/socket.h>

#include "agents/address.h"

bool
address_is_right(
    const struct address *a, const struct rtnl_addr *at, int ifindex)
{
	return (ifindex == 0 || at->ifindex == ifindex) &&
	       (a->prefix < 0 || at->prefix == a->prefix) &&
	       !(at->flags & IFA_F_DADFAILED);
}

/* The prefix length that the start uses, with the one of the route known. */
static int
choose_prefix(const struct ocf *o, const struct address *a, uint8_t route)
{
	/* The route is for a smaller network than the administrator says: not
	 * the interface he meant. In IPv6 the prefix is the network's. */
	if (a->prefix >= 0 && a->nic[0] == '\0' &&
	    (a->prefix < route || (a->family == AF_INET6 &&
				      a->prefix != route && a->prefix != 128)))
		return -ocf_fail(o, OCF_ERR_GENERIC,
		    "the connected network of %s has prefix length %u, not "
		    "%d: set nic",
		    a->text, route, a->prefix);
	return a->prefix >= 0 ? a->prefix : route;
}

static int
place_by_route(const struct ocf *o, const struct address *a, int fd,
    struct rtnl_link *ret_link, uint8_t *ret_prefix)
{
	uint8_t route = 0;
	int ifindex = ret_link->ifindex, prefix, err;
	bool is_host = a->prefix == (int)(8 * rtnl_ip_len(a->family));

	err = rtnl_find_route(fd, a->family, a->ip, ifindex, &ifindex, &route);
	/* A host address may stand on the way to the gateway. */
	if (err == -ENETUNREACH && is_host && ifindex != 0) {
		route = (uint8_t)a->prefix;
		err = 0;
	}
	if (err == -ENETUNREACH && a->nic[0] != '\0')
		return ocf_fail(o, OCF_ERR_GENERIC,
		    "no connected network of %s has %s: set cidr_netmask",
		    a->nic, a->text);
	if (err == -ENETUNREACH)
		return ocf_fail(o, OCF_ERR_GENERIC,
		    "no connected network has %s: set nic and cidr_netmask",
		    a->text);
	if (err != 0)
		return ocf_fail(o, OCF_ERR_GENERIC,
		    "cannot look up the route to %s: %s", a->text,
		    strerror(-err));
	prefix = choose_prefix(o, a, route);
	if (prefix < 0)
		return -prefix;
	*ret_prefix = (uint8_t)prefix;
	if (ret_link->ifindex != 0)
		return OCF_SUCCESS;
	err = rtnl_get_link(fd, NULL, ifindex, ret_link);
	if (err != 0)
		return ocf_fail(o, OCF_ERR_GENERIC,
		    "cannot look at the link of %s: %s", a->text,
		    strerror(-err));
	return OCF_SUCCESS;
}

int
address_place(const struct ocf *o, const struct address *a, int fd,
    struct rtnl_link *ret_link, uint8_t *ret_prefix)
{
	int err;

	memset(ret_link, 0, sizeof(*ret_link));
	if (a->nic[0] != '\0') {
		err = rtnl_get_link(fd, a->nic, 0, ret_link);
		/* Only here, not in the whole cluster. */
		if (err == -ENODEV)
			return ocf_fail(o, OCF_ERR_INSTALLED,
			    "there is no interface %s on this node", a->nic);
		if (err != 0)
			return ocf_fail(o, OCF_ERR_GENERIC,
			    "cannot look at the interface %s: %s", a->nic,
			    strerror(-err));
		if (a->prefix >= 0) {
			*ret_prefix = (uint8_t)a->prefix;
			return OCF_SUCCESS;
		}
		if (a->family == AF_INET6 && a->ip[0] == 0xfe &&
		    (a->ip[1] & 0xc0) == 0x80) {
			*ret_prefix = 64; /* RFC 4291 */
			return OCF_SUCCESS;
		}
	}
	return place_by_route(o, a, fd, ret_link, ret_prefix);
}
