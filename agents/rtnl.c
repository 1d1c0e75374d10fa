/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <assert.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "agents/rtnl.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

#define ANSWER_TIMEOUT_S 5
#define RECEIVE_LEN 32768

int
rtnl_open(unsigned groups, int *ret_fd)
{
	struct sockaddr_nl sa = {.nl_family = AF_NETLINK, .nl_groups = groups};
	struct timeval tv = {.tv_sec = ANSWER_TIMEOUT_S};
	int fd, one = 1, err;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) != 0 ||
	    (groups != 0 &&
		bind(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0)) {
		err = -errno;
		close(fd);
		return err;
	}
	/* Lets a dump be of one link; a kernel without it sends all, and the
	 * callers look at the index anyway. */
	setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	*ret_fd = fd;
	return 0;
}

void
rtnl_put(
    struct nlmsghdr *h, size_t cap, uint16_t type, const void *p, size_t len)
{
	struct rtattr *a;

	assert(NLMSG_ALIGN(h->nlmsg_len) + RTA_SPACE(len) <= cap);
	(void)cap;
	a = (struct rtattr *)((char *)h + NLMSG_ALIGN(h->nlmsg_len));
	a->rta_type = type;
	a->rta_len = (uint16_t)RTA_LENGTH(len);
	memset(RTA_DATA(a), 0, RTA_SPACE(len) - RTA_LENGTH(0));
	memcpy(RTA_DATA(a), p, len);
	h->nlmsg_len = (uint32_t)(NLMSG_ALIGN(h->nlmsg_len) + RTA_SPACE(len));
}

void
rtnl_attrs(const struct nlmsghdr *h, size_t fixed, const struct rtattr **tb,
    size_t max)
{
	const struct rtattr *a;
	size_t left;

	memset(tb, 0, (max + 1) * sizeof(*tb));
	if (h->nlmsg_len < NLMSG_SPACE(fixed))
		return;
	a = (const struct rtattr *)((const char *)h + NLMSG_SPACE(fixed));
	left = h->nlmsg_len - NLMSG_SPACE(fixed);
	for (; left >= sizeof(*a) && RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		uint16_t type = a->rta_type & NLA_TYPE_MASK;

		if (type <= max)
			tb[type] = a;
	}
}

static ssize_t
receive(int fd, void *buf, size_t len)
{
	struct sockaddr_nl from;
	struct iovec iov = {.iov_base = buf, .iov_len = len};
	struct msghdr m = {.msg_name = &from,
	    .msg_namelen = sizeof(from),
	    .msg_iov = &iov,
	    .msg_iovlen = 1};
	ssize_t n;

	do {
		n = recvmsg(fd, &m, 0);
		/* Not the kernel: any process may send to this port. */
	} while ((n < 0 && errno == EINTR) ||
		 (n >= 0 && m.msg_namelen == sizeof(from) && from.nl_pid != 0));
	if (n < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return m.msg_flags & MSG_TRUNC ? -EMSGSIZE : n;
}

/* The last word of an exchange. A dump's NLMSG_DONE carries its error too. */
static int
final_error(const struct nlmsghdr *h)
{
	int err = 0;

	if (h->nlmsg_len >= NLMSG_LENGTH(sizeof(err)))
		memcpy(&err, NLMSG_DATA(h), sizeof(err));
	return err;
}

/* One datagram: 1 when the exchange goes on. A dump that a change interrupted
 * is done again by the caller. */
static int
handle(const char *buf, size_t len, uint32_t seq, rtnl_msg_fn fn, void *arg,
    int *result)
{
	const struct nlmsghdr *h = (const struct nlmsghdr *)buf;

	for (; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len)) {
		if (h->nlmsg_seq != seq)
			continue;
		if (h->nlmsg_flags & NLM_F_DUMP_INTR)
			*result = -EINTR;
		if (h->nlmsg_type == NLMSG_DONE ||
		    h->nlmsg_type == NLMSG_ERROR) {
			if (*result == 0)
				*result = final_error(h);
			return 0;
		}
		if (*result == 0 && fn != NULL)
			*result = fn(arg, h);
	}
	return 1;
}

int
rtnl_talk(int fd, struct nlmsghdr *h, rtnl_msg_fn fn, void *arg)
{
	/* Not on the stack: only the pages that an answer fills are touched. */
	static struct {
		uint32_t seq;
		_Alignas(struct nlmsghdr) char raw[RECEIVE_LEN];
	} in;
	int result = 0;
	ssize_t n;

	h->nlmsg_flags |= NLM_F_REQUEST;
	if ((h->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
		h->nlmsg_flags |= NLM_F_ACK;
	h->nlmsg_seq = ++in.seq;
	if (send(fd, h, h->nlmsg_len, 0) < 0)
		return -errno;
	do {
		n = receive(fd, in.raw, sizeof(in.raw));
		if (n < 0)
			return (int)n;
	} while (handle(in.raw, (size_t)n, in.seq, fn, arg, &result));
	return result;
}

static void
copy_attr(void *to, size_t cap, const struct rtattr *a)
{
	size_t len = RTA_PAYLOAD(a);

	memcpy(to, RTA_DATA(a), len < cap ? len : cap);
}

bool
rtnl_parse_addr(const struct nlmsghdr *h, struct rtnl_addr *ret)
{
	const struct ifaddrmsg *m = NLMSG_DATA(h);
	const struct rtattr *tb[IFA_MAX + 1];
	struct ifa_cacheinfo ci;
	size_t len;

	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)) ||
	    (m->ifa_family != AF_INET && m->ifa_family != AF_INET6))
		return false;
	rtnl_attrs(h, sizeof(*m), tb, IFA_MAX);
	/* IPv6 gives IFA_LOCAL only with a peer. */
	if (tb[IFA_LOCAL] == NULL)
		tb[IFA_LOCAL] = tb[IFA_ADDRESS];
	len = rtnl_ip_len(m->ifa_family);
	if (tb[IFA_LOCAL] == NULL || RTA_PAYLOAD(tb[IFA_LOCAL]) != len)
		return false;
	memset(ret, 0, sizeof(*ret));
	ret->ifindex = (int)m->ifa_index;
	ret->family = m->ifa_family;
	ret->prefix = m->ifa_prefixlen;
	ret->scope = m->ifa_scope;
	ret->flags = m->ifa_flags;
	ret->valid_s = ret->preferred_s = UINT32_MAX;
	copy_attr(ret->ip, len, tb[IFA_LOCAL]);
	copy_attr(
	    ret->peer, len, tb[IFA_ADDRESS] ? tb[IFA_ADDRESS] : tb[IFA_LOCAL]);
	if (tb[IFA_FLAGS] != NULL)
		copy_attr(&ret->flags, sizeof(ret->flags), tb[IFA_FLAGS]);
	if (tb[IFA_LABEL] != NULL)
		copy_attr(ret->label, sizeof(ret->label) - 1, tb[IFA_LABEL]);
	if (tb[IFA_BROADCAST] != NULL && ret->family == AF_INET) {
		copy_attr(ret->broadcast, 4, tb[IFA_BROADCAST]);
		ret->has_broadcast = true;
	}
	if (tb[IFA_CACHEINFO] != NULL) {
		memset(&ci, 0xff, sizeof(ci));
		copy_attr(&ci, sizeof(ci), tb[IFA_CACHEINFO]);
		ret->valid_s = ci.ifa_valid;
		ret->preferred_s = ci.ifa_prefered;
	}
	return true;
}

struct each {
	rtnl_addr_fn fn;
	void *arg;
	uint8_t family;
	int ifindex;
};

static int
on_addr(void *arg, const struct nlmsghdr *h)
{
	const struct each *e = arg;
	struct rtnl_addr a;

	if (h->nlmsg_type != RTM_NEWADDR || !rtnl_parse_addr(h, &a) ||
	    a.family != e->family ||
	    (e->ifindex != 0 && a.ifindex != e->ifindex))
		return 0;
	return e->fn(e->arg, &a);
}

int
rtnl_each_addr(int fd, uint8_t family, int ifindex, rtnl_addr_fn fn, void *arg)
{
	struct {
		struct nlmsghdr h;
		struct ifaddrmsg m;
	} req = {.h = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifaddrmsg)),
		     .nlmsg_type = RTM_GETADDR,
		     .nlmsg_flags = NLM_F_DUMP},
	    .m = {.ifa_family = family, .ifa_index = (unsigned)ifindex}};
	struct each e = {fn, arg, family, ifindex};

	return rtnl_talk(fd, &req.h, on_addr, &e);
}

struct find {
	uint8_t family;
	const uint8_t *ip;
	struct rtnl_addr *found;
	size_t cap, n;
};

static int
on_find(void *arg, const struct rtnl_addr *a)
{
	struct find *f = arg;

	if (memcmp(a->ip, f->ip, rtnl_ip_len(f->family)) != 0)
		return 0;
	if (f->n < f->cap)
		f->found[f->n] = *a;
	f->n++;
	return 0;
}

int
rtnl_find_addr(int fd, uint8_t family, const uint8_t *ip, struct rtnl_addr *ret,
    size_t cap, size_t *ret_n)
{
	struct find f = {family, ip, ret, cap, 0};
	int i, err = -EINTR;

	/* The addresses changed under the dump: one may be missing in it. */
	for (i = 0; i < 10 && err == -EINTR; i++) {
		f.n = 0;
		err = rtnl_each_addr(fd, family, 0, on_find, &f);
	}
	if (err == 0)
		*ret_n = f.n;
	return err;
}

struct addr_request {
	struct nlmsghdr h;
	struct ifaddrmsg m;
	char attrs[256];
};

static void
addr_request(struct addr_request *r, uint16_t type, const struct rtnl_addr *a)
{
	size_t len = rtnl_ip_len(a->family);

	memset(r, 0, sizeof(*r));
	r->h.nlmsg_len = NLMSG_LENGTH(sizeof(r->m));
	r->h.nlmsg_type = type;
	r->m.ifa_family = a->family;
	r->m.ifa_prefixlen = a->prefix;
	r->m.ifa_scope = a->scope;
	r->m.ifa_index = (unsigned)a->ifindex;
	rtnl_put(&r->h, sizeof(*r), IFA_LOCAL, a->ip, len);
	rtnl_put(&r->h, sizeof(*r), IFA_ADDRESS, a->peer, len);
}

int
rtnl_add_addr(int fd, const struct rtnl_addr *a)
{
	struct addr_request r;
	struct ifa_cacheinfo ci = {
	    .ifa_prefered = a->preferred_s, .ifa_valid = a->valid_s};

	addr_request(&r, RTM_NEWADDR, a);
	r.h.nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	if (a->has_broadcast)
		rtnl_put(&r.h, sizeof(r), IFA_BROADCAST, a->broadcast, 4);
	if (a->label[0] != '\0')
		rtnl_put(
		    &r.h, sizeof(r), IFA_LABEL, a->label, strlen(a->label) + 1);
	if (a->flags != 0)
		rtnl_put(
		    &r.h, sizeof(r), IFA_FLAGS, &a->flags, sizeof(a->flags));
	if (a->valid_s != UINT32_MAX)
		rtnl_put(&r.h, sizeof(r), IFA_CACHEINFO, &ci, sizeof(ci));
	return rtnl_talk(fd, &r.h, NULL, NULL);
}

int
rtnl_del_addr(int fd, const struct rtnl_addr *a)
{
	struct addr_request r;

	addr_request(&r, RTM_DELADDR, a);
	return rtnl_talk(fd, &r.h, NULL, NULL);
}
