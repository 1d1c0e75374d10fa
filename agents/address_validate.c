/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <string.h>
#include <unistd.h>

#include "agents/address.h"
#include "agents/announce.h"

/* Level 10: a look at the host. */

static int
probe(
    const struct ocf *o, const struct address *a, const struct rtnl_link *link)
{
	struct announce who = {.family = a->family, .link = *link};
	uint8_t hw[6];
	int result;

	memcpy(who.ip, a->ip, sizeof(who.ip));
	result = announce_probe(&who, hw);
	if (result > 0)
		return ocf_fail(o, OCF_ERR_GENERIC,
		    "%s is in use on the network of %s, by "
		    "%02x:%02x:%02x:%02x:%02x:%02x",
		    a->text, link->name, hw[0], hw[1], hw[2], hw[3], hw[4],
		    hw[5]);
	if (result < 0)
		return ocf_fail(o, OCF_ERR_GENERIC,
		    "cannot ask on %s who has %s: %s", link->name, a->text,
		    strerror(-result));
	return OCF_SUCCESS;
}

int
address_validate(const struct ocf *o, const struct address *a)
{
	struct rtnl_link link;
	struct rtnl_addr at[1];
	uint8_t prefix;
	size_t n = 0;
	int fd, rc, err;

	if (!a->carried)
		return OCF_SUCCESS;
	err = rtnl_open(0, &fd);
	if (err != 0)
		return ocf_fail(o, OCF_ERR_GENERIC, "no rtnetlink socket: %s",
		    strerror(-err));
	rc = address_place(o, a, fd, &link, &prefix);
	if (rc == OCF_SUCCESS)
		err = rtnl_find_addr(fd, a->family, a->ip, at, 1, &n);
	if (err != 0)
		rc = ocf_fail(o, OCF_ERR_GENERIC,
		    "cannot look at the addresses of this host: %s",
		    strerror(-err));
	/* Here already: the resource runs. */
	if (rc == OCF_SUCCESS && n == 0)
		rc = probe(o, a, &link);
	close(fd);
	return rc;
}
