/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_RTNL_H
#define CLAVIGER_RTNL_H

#include <linux/netlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the agents need of rtnetlink and sock_diag. Functions return 0 or a
 * negative errno. A socket blocks, with a receive timeout of some seconds: the
 * kernel answers within the call, so a timeout is a fault (-ETIMEDOUT).
 */
struct rtnl_addr {
	int ifindex;
	uint8_t family; /* AF_INET, AF_INET6 */
	uint8_t prefix;
	uint8_t scope;
	uint8_t ip[16];	      /* 4 or 16 bytes in use */
	uint8_t peer[16];     /* IFA_ADDRESS: ip, but on point to point links */
	uint8_t broadcast[4]; /* IPv4 */
	bool has_broadcast;
	uint32_t flags;		       /* IFA_F_* */
	uint32_t valid_s, preferred_s; /* UINT32_MAX: for ever */
	char label[IFNAMSIZ];
};

struct rtnl_link {
	int ifindex;
	uint32_t flags; /* IFF_* */
	uint16_t type;	/* ARPHRD_* */
	uint8_t hw[32];
	uint8_t hw_len;
	char name[IFNAMSIZ];
};

static inline bool
rtnl_is_running(const struct rtnl_link *l)
{
	return (l->flags & IFF_UP) && (l->flags & IFF_RUNNING);
}

static inline size_t
rtnl_ip_len(uint8_t family)
{
	return family == 2 /* AF_INET */ ? 4 : 16;
}

/* groups: RTMGRP_*, 0 for requests. */
int rtnl_open(unsigned groups, int *ret_fd);

/* Call fn for every address of the family, on all links (ifindex 0) or one;
 * its result other than 0 is the call's (the rest is not shown). */
typedef int (*rtnl_addr_fn)(void *arg, const struct rtnl_addr *a);
int rtnl_each_addr(
    int fd, uint8_t family, int ifindex, rtnl_addr_fn fn, void *arg);
/* Every place where the ip is: *ret_n in all, the first cap of them in ret. */
int rtnl_find_addr(int fd, uint8_t family, const uint8_t *ip,
    struct rtnl_addr *ret, size_t cap, size_t *ret_n);
/* Strictly new: -EEXIST when the link has it with this prefix. */
int rtnl_add_addr(int fd, const struct rtnl_addr *a);
/* -EADDRNOTAVAIL: it was not there. */
int rtnl_del_addr(int fd, const struct rtnl_addr *a);

/* By name (also an alternative name) or, with name NULL, by index. -ENODEV. */
int rtnl_get_link(int fd, const char *name, int ifindex, struct rtnl_link *ret);
/* The same, a few times as fast, without type and hardware address. */
int rtnl_peek_link(
    int fd, const char *name, int ifindex, struct rtnl_link *ret);
int rtnl_set_link_up(int fd, int ifindex);

/* The directly connected network that the ip belongs to, by the route the
 * kernel takes, or with ifindex != 0 the main table's best route on that link.
 * -ENETUNREACH: there is none, or it is behind a gateway (then *ret_ifindex is
 * the link towards it, else 0). */
int rtnl_find_route(int fd, uint8_t family, const uint8_t *ip, int ifindex,
    int *ret_ifindex, uint8_t *ret_prefix);

/* Reset every TCP connection from the ip, so that neither end waits for the
 * other; *ret_n of them. -EOPNOTSUPP: this kernel cannot. */
int tcp_reset(uint8_t family, const uint8_t *ip, unsigned *ret_n);

/* Between the files of this piece. One message of a dump or an event. */
typedef int (*rtnl_msg_fn)(void *arg, const struct nlmsghdr *h);
/* Send and read until the acknowledgement or the end of the dump; fn NULL:
 * only that. */
int rtnl_talk(int fd, struct nlmsghdr *h, rtnl_msg_fn fn, void *arg);
/* Append an attribute; the message lies in a buffer of `cap` bytes. */
void rtnl_put(
    struct nlmsghdr *h, size_t cap, uint16_t type, const void *p, size_t len);
/* Attributes by type into tb[max + 1]. */
struct rtattr;
void rtnl_attrs(const struct nlmsghdr *h, size_t fixed,
    const struct rtattr **tb, size_t max);
/* One RTM_NEWADDR or RTM_DELADDR. False when it is malformed. */
bool rtnl_parse_addr(const struct nlmsghdr *h, struct rtnl_addr *ret);

#endif
