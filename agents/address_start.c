/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "agents/address.h"
#include "agents/announce.h"

/* A link that was down: how long its carrier may take. */
#define CARRIER_MS 5000

/* Wait until `is_done` says 1 (or a negative errno), looking again whenever
 * the kernel tells of a change. */
static int
wait_for_change(const struct ocf *o, int max_ms, unsigned group,
    int (*is_done)(int fd, void *arg), int fd, void *arg)
{
	struct pollfd p = {.events = POLLIN};
	char event[8192];
	int64_t end_ms = ocf_now_ms() + ocf_left_ms(o, max_ms), left;
	int err;

	/* Listen first, then look: no change is lost between them. */
	err = rtnl_open(group, &p.fd);
	if (err != 0)
		return err;
	for (;;) {
		err = is_done(fd, arg);
		if (err != 0)
			break;
		left = end_ms - ocf_now_ms();
		err = -ETIMEDOUT;
		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			break;
		while (recv(p.fd, event, sizeof(event), MSG_DONTWAIT) > 0)
			;
	}
	close(p.fd);
	return err;
}

static int
has_carrier(int fd, void *arg)
{
	struct rtnl_link *l = arg;
	int err = rtnl_get_link(fd, NULL, l->ifindex, l);

	return err != 0 ? err : rtnl_is_running(l);
}

static int
bring_link_up(const struct ocf *o, const struct address *a, int fd,
    struct rtnl_link *link)
{
	int err;

	if (rtnl_is_running(link))
		return OCF_SUCCESS;
	if (!(link->flags & IFF_UP)) {
		ocf_log(LOG_NOTICE, "%s is down: setting it up", link->name);
		err = rtnl_set_link_up(fd, link->ifindex);
		if (err != 0)
			return ocf_fail(o, OCF_ERR_GENERIC,
			    "the link %s is down and cannot be set up: %s",
			    link->name, strerror(-err));
		if (a->check_link_status)
			wait_for_change(
			    o, CARRIER_MS, RTMGRP_LINK, has_carrier, fd, link);
	}
	if (a->check_link_status && !rtnl_is_running(link))
		return ocf_fail(o, OCF_ERR_GENERIC,
		    "the link %s has no carrier", link->name);
	return OCF_SUCCESS;
}

static void
set_broadcast(const struct address *a, struct rtnl_addr *r)
{
	uint32_t ip, host;

	if (a->family != AF_INET ||
	    (r->prefix > 30 && a->broadcast_rule != '='))
		return;
	r->has_broadcast = true;
	memcpy(r->broadcast, a->broadcast, 4);
	if (a->broadcast_rule == '=')
		return;
	memcpy(&ip, a->ip, 4);
	host = htonl(0xffffffffu >> r->prefix);
	ip = a->broadcast_rule == '+' ? ip | host : ip & ~host;
	memcpy(r->broadcast, &ip, 4);
}

static void
describe(const struct address *a, const struct rtnl_link *link, uint8_t prefix,
    struct rtnl_addr *r)
{
	size_t len = rtnl_ip_len(a->family);

	memset(r, 0, sizeof(*r));
	r->ifindex = link->ifindex;
	r->family = a->family;
	r->prefix = prefix;
	r->scope = a->family == AF_INET && a->ip[0] == 127 ? RT_SCOPE_HOST
							   : RT_SCOPE_UNIVERSE;
	memcpy(r->ip, a->ip, len);
	memcpy(r->peer, a->ip, len);
	r->valid_s = r->preferred_s = UINT32_MAX;
	if (a->noprefixroute)
		r->flags |= IFA_F_NOPREFIXROUTE;
	if (a->family == AF_INET6 && a->nodad)
		r->flags |= IFA_F_NODAD;
	if (a->family == AF_INET) {
		/* Both together were checked to fit for a given nic. */
		int n = snprintf(r->label, sizeof(r->label), "%s%s%s",
		    link->name, a->iflabel[0] != '\0' ? ":" : "", a->iflabel);

		if (n < 0 || (size_t)n >= sizeof(r->label))
			memcpy(r->label, link->name, sizeof(r->label));
	}
	set_broadcast(a, r);
}

static int
is_settled(int fd, void *arg)
{
	const struct rtnl_addr *r = arg;
	struct rtnl_addr at[ADDRESS_PLACES_MAX];
	size_t n = 0, i;
	int err =
	    rtnl_find_addr(fd, r->family, r->ip, at, ADDRESS_PLACES_MAX, &n);

	if (err != 0)
		return err;
	for (i = 0; i < n && i < ADDRESS_PLACES_MAX; i++) {
		if (at[i].ifindex != r->ifindex)
			continue;
		if (at[i].flags & IFA_F_DADFAILED)
			return -EADDRINUSE;
		return !(at[i].flags & IFA_F_TENTATIVE);
	}
	return -EADDRNOTAVAIL; /* somebody has removed it */
}

static int
wait_for_dad(
    const struct ocf *o, const struct address *a, int fd, struct rtnl_addr *r)
{
	int err = wait_for_change(
	    o, INT32_MAX, RTMGRP_IPV6_IFADDR, is_settled, fd, r);

	if (err > 0)
		return OCF_SUCCESS;
	rtnl_del_addr(fd, r);
	if (err == -EADDRINUSE)
		return ocf_fail(o, OCF_ERR_GENERIC,
		    "another host has %s (duplicate address detection)",
		    a->text);
	return ocf_fail(o, OCF_ERR_GENERIC,
	    "duplicate address detection of %s did not end: %s", a->text,
	    strerror(-err));
}

static int
add(const struct ocf *o, const struct address *a, int fd,
    struct rtnl_link *link)
{
	struct rtnl_addr r;
	uint8_t prefix = 0;
	int rc, err;

	rc = address_place(o, a, fd, link, &prefix);
	if (rc == OCF_SUCCESS)
		rc = bring_link_up(o, a, fd, link);
	if (rc != OCF_SUCCESS)
		return rc;
	describe(a, link, prefix, &r);
	err = rtnl_add_addr(fd, &r);
	/* It has come since we looked, on this link with this prefix. */
	if (err != 0 && err != -EEXIST)
		return ocf_fail(o, OCF_ERR_GENERIC,
		    "cannot add %s/%u to %s: %s", a->text, prefix, link->name,
		    strerror(-err));
	if (a->family == AF_INET6 && !a->nodad)
		return wait_for_dad(o, a, fd, &r);
	return OCF_SUCCESS;
}

/* Keep the one place that is right, remove the others. 1: it is there. */
static int
tidy(const struct ocf *o, const struct address *a, int fd,
    const struct rtnl_addr *at, size_t n, struct rtnl_link *ret_link)
{
	struct rtnl_link link = {.ifindex = 0}, other = {.name = "a link"};
	bool found = false;
	size_t i;
	int err;

	if (a->nic[0] != '\0' && rtnl_get_link(fd, a->nic, 0, &link) != 0)
		return 0; /* address_place() says why */
	for (i = 0; i < n; i++) {
		if (!found && address_is_right(a, &at[i], link.ifindex)) {
			err = rtnl_get_link(fd, NULL, at[i].ifindex, ret_link);
			found = err == 0;
			continue;
		}
		rtnl_peek_link(fd, NULL, at[i].ifindex, &other);
		ocf_log(LOG_NOTICE,
		    "%s/%u is on %s, where it does not belong: moving it",
		    a->text, at[i].prefix, other.name);
		err = address_remove(fd, &at[i]);
		if (err != 0 && err != -EADDRNOTAVAIL)
			return err;
	}
	return found;
}

static int
start(const struct ocf *o, const struct address *a, int fd,
    struct rtnl_link *link)
{
	struct rtnl_addr at[ADDRESS_PLACES_MAX];
	size_t n = 0;
	int found;

	found =
	    rtnl_find_addr(fd, a->family, a->ip, at, ADDRESS_PLACES_MAX, &n);
	if (found == 0 && n > 0)
		found = tidy(o, a, fd, at,
		    n < ADDRESS_PLACES_MAX ? n : ADDRESS_PLACES_MAX, link);
	if (found < 0)
		return ocf_fail(o, OCF_ERR_GENERIC,
		    "cannot look after the addresses of this host: %s",
		    strerror(-found));
	return found ? bring_link_up(o, a, fd, link) : add(o, a, fd, link);
}

/* In the foreground only as often as there is time for. */
static unsigned
announce_count(const struct ocf *o, const struct address *a)
{
	unsigned fits =
	    1 + (unsigned)ocf_left_ms(o, INT32_MAX) / a->arp_interval_ms;

	return a->arp_bg || a->arp_count < fits ? a->arp_count : fits;
}

int
address_start(const struct ocf *o, const struct address *a)
{
	struct announce news = {
	    .family = a->family, .interval_ms = a->arp_interval_ms};
	int fd, rc, err;

	err = rtnl_open(0, &fd);
	if (err != 0)
		return ocf_fail(o, OCF_ERR_GENERIC, "no rtnetlink socket: %s",
		    strerror(-err));
	rc = start(o, a, fd, &news.link);
	close(fd);
	if (rc != OCF_SUCCESS)
		return rc;
	memcpy(news.ip, a->ip, sizeof(news.ip));
	news.count = announce_count(o, a);
	err = announce_start(&news, a->arp_bg);
	/* The address is up; the neighbours will find out. */
	if (err != 0)
		ocf_log(LOG_WARNING, "cannot announce %s on %s: %s", a->text,
		    news.link.name, strerror(-err));
	return OCF_SUCCESS;
}
