/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "agents/rtnl.h"

#define ALT_NAME_MAX 128

struct link_request {
	struct nlmsghdr h;
	struct ifinfomsg m;
	char attrs[ALT_NAME_MAX + 32];
};

static int
on_link(void *arg, const struct nlmsghdr *h)
{
	const struct ifinfomsg *m = NLMSG_DATA(h);
	const struct rtattr *tb[IFLA_MAX + 1];
	struct rtnl_link *l = arg;
	size_t len;

	if (h->nlmsg_type != RTM_NEWLINK ||
	    h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)))
		return 0;
	rtnl_attrs(h, sizeof(*m), tb, IFLA_MAX);
	memset(l, 0, sizeof(*l));
	l->ifindex = m->ifi_index;
	l->flags = m->ifi_flags;
	l->type = m->ifi_type;
	if (tb[IFLA_IFNAME] != NULL) {
		len = RTA_PAYLOAD(tb[IFLA_IFNAME]);
		if (len > sizeof(l->name) - 1)
			len = sizeof(l->name) - 1;
		memcpy(l->name, RTA_DATA(tb[IFLA_IFNAME]), len);
	}
	if (tb[IFLA_ADDRESS] != NULL &&
	    RTA_PAYLOAD(tb[IFLA_ADDRESS]) <= sizeof(l->hw)) {
		l->hw_len = (uint8_t)RTA_PAYLOAD(tb[IFLA_ADDRESS]);
		memcpy(l->hw, RTA_DATA(tb[IFLA_ADDRESS]), l->hw_len);
	}
	return 0;
}

int
rtnl_get_link(int fd, const char *name, int ifindex, struct rtnl_link *ret)
{
	struct link_request r = {
	    .h = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
		.nlmsg_type = RTM_GETLINK},
	    .m = {.ifi_index = ifindex}};
	/* The counters cost more than all the rest. */
	uint32_t mask = RTEXT_FILTER_SKIP_STATS;
	struct rtnl_link l = {.ifindex = 0};
	size_t len;
	int err;

	if (name != NULL) {
		len = strlen(name) + 1;
		if (len > ALT_NAME_MAX)
			return -ENODEV;
		rtnl_put(&r.h, sizeof(r),
		    len > IFNAMSIZ ? IFLA_ALT_IFNAME : IFLA_IFNAME, name, len);
	}
	rtnl_put(&r.h, sizeof(r), IFLA_EXT_MASK, &mask, sizeof(mask));
	err = rtnl_talk(fd, &r.h, on_link, &l);
	if (err != 0)
		return err;
	if (l.ifindex == 0)
		return -ENODEV;
	*ret = l;
	return 0;
}

int
rtnl_peek_link(int fd, const char *name, int ifindex, struct rtnl_link *ret)
{
	struct ifreq r = {.ifr_ifindex = ifindex};
	struct rtnl_link l = {.ifindex = ifindex};

	if (name != NULL && strlen(name) >= sizeof(r.ifr_name))
		return rtnl_get_link(fd, name, 0, ret);
	if (name != NULL)
		memcpy(r.ifr_name, name, strlen(name));
	else if (ioctl(fd, SIOCGIFNAME, &r) != 0)
		return -errno;
	memcpy(l.name, r.ifr_name, sizeof(l.name));
	if (name != NULL) {
		if (ioctl(fd, SIOCGIFINDEX, &r) != 0)
			return -errno;
		l.ifindex = r.ifr_ifindex;
	}
	if (ioctl(fd, SIOCGIFFLAGS, &r) != 0)
		return -errno;
	l.flags = (uint16_t)r.ifr_flags;
	*ret = l;
	return 0;
}

int
rtnl_set_link_up(int fd, int ifindex)
{
	struct link_request r = {
	    .h = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
		.nlmsg_type = RTM_NEWLINK},
	    .m = {.ifi_index = ifindex,
		.ifi_flags = IFF_UP,
		.ifi_change = IFF_UP}};

	return rtnl_talk(fd, &r.h, NULL, NULL);
}

struct route {
	const uint8_t *ip;
	uint8_t family;
	int wanted_ifindex; /* 0: any */
	/* the best so far */
	bool found;
	bool is_local;
	bool has_gateway;
	int ifindex;
	uint8_t prefix;
};

static bool
covers(const uint8_t *net, uint8_t prefix, const uint8_t *ip)
{
	uint8_t mask = (uint8_t)(0xff00u >> (prefix % 8));

	if (memcmp(net, ip, prefix / 8) != 0)
		return false;
	return prefix % 8 == 0 ||
	       ((net[prefix / 8] ^ ip[prefix / 8]) & mask) == 0;
}

static int
on_route(void *arg, const struct nlmsghdr *h)
{
	static const uint8_t any[16];
	const struct rtmsg *m = NLMSG_DATA(h);
	const struct rtattr *tb[RTA_MAX + 1];
	const uint8_t *net = any;
	struct route *r = arg;
	int ifindex = 0;

	if (h->nlmsg_type != RTM_NEWROUTE ||
	    h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)) ||
	    m->rtm_family != r->family ||
	    m->rtm_dst_len > 8 * rtnl_ip_len(r->family) ||
	    (m->rtm_type != RTN_UNICAST && m->rtm_type != RTN_LOCAL))
		return 0;
	rtnl_attrs(h, sizeof(*m), tb, RTA_MAX);
	if (tb[RTA_DST] != NULL &&
	    RTA_PAYLOAD(tb[RTA_DST]) >= rtnl_ip_len(r->family))
		net = RTA_DATA(tb[RTA_DST]);
	if (tb[RTA_OIF] != NULL && RTA_PAYLOAD(tb[RTA_OIF]) >= sizeof(int))
		memcpy(&ifindex, RTA_DATA(tb[RTA_OIF]), sizeof(int));
	if (ifindex == 0 || !covers(net, m->rtm_dst_len, r->ip) ||
	    (r->wanted_ifindex != 0 && ifindex != r->wanted_ifindex) ||
	    (r->found && m->rtm_dst_len <= r->prefix))
		return 0;
	r->found = true;
	r->is_local = m->rtm_type == RTN_LOCAL;
	r->has_gateway = tb[RTA_GATEWAY] != NULL || tb[RTA_VIA] != NULL;
	r->ifindex = ifindex;
	r->prefix = m->rtm_dst_len;
	return 0;
}

struct route_request {
	struct nlmsghdr h;
	struct rtmsg m;
	char attrs[64];
};

/* What the kernel would take, by the route itself and not by its cache. */
static int
lookup(int fd, struct route *r)
{
	size_t len = rtnl_ip_len(r->family);
	struct route_request q = {
	    .h = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg)),
		.nlmsg_type = RTM_GETROUTE},
	    .m = {.rtm_family = r->family,
		.rtm_dst_len = (uint8_t)(8 * len),
		.rtm_flags = RTM_F_FIB_MATCH}};

	rtnl_put(&q.h, sizeof(q), RTA_DST, r->ip, len);
	return rtnl_talk(fd, &q.h, on_route, r);
}

/* The main table's routes, of one link if one is wanted. */
static int
dump(int fd, struct route *r)
{
	struct route_request q = {
	    .h = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg)),
		.nlmsg_type = RTM_GETROUTE,
		.nlmsg_flags = NLM_F_DUMP},
	    .m = {.rtm_family = r->family, .rtm_table = RT_TABLE_MAIN}};
	uint32_t table = RT_TABLE_MAIN;

	rtnl_put(&q.h, sizeof(q), RTA_TABLE, &table, sizeof(table));
	if (r->wanted_ifindex != 0)
		rtnl_put(
		    &q.h, sizeof(q), RTA_OIF, &r->wanted_ifindex, sizeof(int));
	return rtnl_talk(fd, &q.h, on_route, r);
}

int
rtnl_find_route(int fd, uint8_t family, const uint8_t *ip, int ifindex,
    int *ret_ifindex, uint8_t *ret_prefix)
{
	struct route r = {
	    .ip = ip, .family = family, .wanted_ifindex = ifindex};
	int err;

	err = ifindex == 0 ? lookup(fd, &r) : dump(fd, &r);
	/* The address is on this host already: then the answer is its own local
	 * route, and says nothing of the network. */
	if (err == 0 && ifindex == 0 && r.is_local &&
	    r.prefix == 8 * rtnl_ip_len(family)) {
		r.found = false;
		err = dump(fd, &r);
	}
	*ret_ifindex = r.found && err == 0 ? r.ifindex : 0;
	if (err != 0)
		return err;
	if (!r.found || r.has_gateway || r.prefix == 0)
		return -ENETUNREACH;
	*ret_prefix = r.prefix;
	return 0;
}
