/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "agents/address.h"

/*
 * The kernel removes with a primary IPv4 address all secondary ones of its
 * network, unless promote_secondaries is set. They are not ours: it is set
 * while ours is removed, and what is missing after all is put back.
 */
#define SECONDARIES_MAX 128

struct secondaries {
	const struct rtnl_addr *primary;
	struct rtnl_addr addr[SECONDARIES_MAX];
	size_t n;
};

static bool
is_same_network(const struct rtnl_addr *a, const struct rtnl_addr *b)
{
	uint32_t x, y, mask;

	memcpy(&x, a->peer, 4);
	memcpy(&y, b->peer, 4);
	mask = a->prefix == 0 ? 0 : htonl(~0u << (32 - a->prefix));
	return a->prefix == b->prefix && ((x ^ y) & mask) == 0;
}

static int
on_addr(void *arg, const struct rtnl_addr *a)
{
	struct secondaries *s = arg;

	if ((a->flags & IFA_F_SECONDARY) && s->n < SECONDARIES_MAX &&
	    is_same_network(a, s->primary))
		s->addr[s->n++] = *a;
	return 0;
}

static void
find_secondaries(int fd, const struct rtnl_addr *a, struct secondaries *ret)
{
	int i, err = -EINTR;

	ret->primary = a;
	ret->n = 0;
	if (a->family != AF_INET || (a->flags & IFA_F_SECONDARY))
		return;
	/* Interrupted: they changed while they were listed. */
	for (i = 0; i < 10 && err == -EINTR; i++) {
		ret->n = 0;
		err = rtnl_each_addr(fd, AF_INET, a->ifindex, on_addr, ret);
	}
}

/* The value before in *ret_was; false when it stays as it is. */
static bool
set_promote(const char *link, char value, char *ret_was)
{
	char path[96], was = 0;
	bool done = false;
	int fd;

	snprintf(path, sizeof(path),
	    "/proc/sys/net/ipv4/conf/%s/promote_secondaries", link);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (pread(fd, &was, 1, 0) == 1 && was != value)
		done = pwrite(fd, &value, 1, 0) == 1;
	close(fd);
	if (ret_was != NULL)
		*ret_was = was;
	return done;
}

static void
put_back(int fd, const struct secondaries *s)
{
	struct rtnl_addr a;
	size_t i;
	int err;

	for (i = 0; i < s->n; i++) {
		a = s->addr[i];
		a.flags &= IFA_F_NOPREFIXROUTE;
		err = rtnl_add_addr(fd, &a);
		if (err != 0 && err != -EEXIST)
			ocf_log(LOG_ERR,
			    "an address of %s went with the floating one and "
			    "cannot be put back: %s",
			    a.label, strerror(-err));
	}
}

int
address_remove(int fd, const struct rtnl_addr *a)
{
	static struct secondaries s;
	struct rtnl_link link;
	bool is_set;
	char was;
	int err;

	find_secondaries(fd, a, &s);
	if (s.n == 0 || rtnl_get_link(fd, NULL, a->ifindex, &link) != 0)
		return rtnl_del_addr(fd, a);
	is_set = set_promote(link.name, '1', &was);
	err = rtnl_del_addr(fd, a);
	if (is_set)
		set_promote(link.name, was, NULL);
	put_back(fd, &s);
	return err;
}
