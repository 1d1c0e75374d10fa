/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agents/announce.h"

#define HW_LEN 6
#define ARP_LEN 28
#define NA_LEN 32
#define PROBES 3
#define PROBE_MS 330

bool
announce_is_possible(const struct rtnl_link *l)
{
	return l->type == ARPHRD_ETHER && l->hw_len == HW_LEN &&
	       (l->flags & (IFF_LOOPBACK | IFF_NOARP)) == 0;
}

/* RFC 826: who I am, and whom I ask about. */
static void
put_arp(uint8_t *p, uint16_t op, const uint8_t *hw, const uint8_t *from,
    const uint8_t *to_hw, const uint8_t *to)
{
	static const uint8_t ether_ip[6] = {0, 1, 8, 0, HW_LEN, 4};

	memcpy(p, ether_ip, 6);
	p[6] = 0;
	p[7] = (uint8_t)op;
	memcpy(p + 8, hw, HW_LEN);
	memcpy(p + 14, from, 4);
	memcpy(p + 18, to_hw, HW_LEN);
	memcpy(p + 24, to, 4);
}

void
announce_arp(const struct announce *a, bool is_reply, uint8_t *ret)
{
	static const uint8_t nobody[HW_LEN];

	/* RFC 5227: sender and target are the same. Some switches learn from
	 * requests only, some from replies only. */
	put_arp(ret, is_reply ? ARPOP_REPLY : ARPOP_REQUEST, a->link.hw, a->ip,
	    is_reply ? a->link.hw : nobody, a->ip);
}

void
announce_na(const struct announce *a, bool is_router, uint8_t *ret)
{
	memset(ret, 0, NA_LEN);
	ret[0] = ND_NEIGHBOR_ADVERT;
	/* RFC 4861, 7.2.6: override what they know. */
	ret[4] = (uint8_t)(0x20 | (is_router ? 0x80 : 0));
	memcpy(ret + 8, a->ip, 16);
	ret[24] = ND_OPT_TARGET_LINKADDR;
	ret[25] = 1; /* of 8 bytes */
	memcpy(ret + 26, a->link.hw, HW_LEN);
}

static int
open_arp(const struct announce *a, bool to_read)
{
	struct sockaddr_ll sa = {.sll_family = AF_PACKET,
	    .sll_protocol = htons(ETH_P_ARP),
	    .sll_ifindex = a->link.ifindex};
	int fd, err;

	/* Protocol 0 receives nothing: a sender need not copy every ARP. */
	fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && to_read &&
	    bind(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd < 0 ? -errno : fd;
}

static int
broadcast(int fd, const struct announce *a, const uint8_t *packet)
{
	struct sockaddr_ll sa = {.sll_family = AF_PACKET,
	    .sll_protocol = htons(ETH_P_ARP),
	    .sll_ifindex = a->link.ifindex,
	    .sll_halen = HW_LEN};

	memset(sa.sll_addr, 0xff, HW_LEN);
	return sendto(fd, packet, ARP_LEN, 0, (struct sockaddr *)&sa,
		   sizeof(sa)) < 0
		   ? -errno
		   : 0;
}

static int
send_arp(int fd, const struct announce *a)
{
	uint8_t packet[ARP_LEN];
	int err;

	announce_arp(a, false, packet);
	err = broadcast(fd, a, packet);
	announce_arp(a, true, packet);
	return err != 0 ? err : broadcast(fd, a, packet);
}

/* from_ip: advertise from the address itself, else from what the kernel
 * chooses. */
static int
open_icmp6(const struct announce *a, bool from_ip)
{
	struct sockaddr_in6 sa = {.sin6_family = AF_INET6,
	    .sin6_scope_id = (unsigned)a->link.ifindex};
	int fd, hops = 255, index = a->link.ifindex, err;

	fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);
	if (fd < 0)
		return -errno;
	memcpy(&sa.sin6_addr, a->ip, 16);
	/* Neighbours throw away what has come through a router (255). */
	if ((from_ip && bind(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0) ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops,
		sizeof(hops)) != 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index,
		sizeof(index)) != 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static int
multicast(int fd, const struct announce *a, const uint8_t group[16],
    const uint8_t *packet)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6,
	    .sin6_scope_id = (unsigned)a->link.ifindex};

	memcpy(&to.sin6_addr, group, 16);
	return sendto(fd, packet, NA_LEN, 0, (struct sockaddr *)&to,
		   sizeof(to)) < 0
		   ? -errno
		   : 0;
}

/* A router that does not say so is dropped from its neighbours' lists. */
static bool
is_router(const struct announce *a)
{
	char path[96], c = '0';
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/forwarding",
	    a->link.name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, &c, 1) != 1)
		c = '0';
	close(fd);
	return c != '0';
}

static int
send_na(int fd, const struct announce *a)
{
	static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
	uint8_t packet[NA_LEN];

	announce_na(a, is_router(a), packet);
	return multicast(fd, a, all_nodes, packet);
}

/* Is the address still on the link? If the kernel does not say, it is not: then
 * silence does less harm. */
static bool
is_ours(int rtnl, const struct announce *a)
{
	struct rtnl_addr found[4];
	size_t i, n = 0;

	if (rtnl_find_addr(rtnl, a->family, a->ip, found, 4, &n) != 0)
		return false;
	for (i = 0; i < n && i < 4; i++)
		if (found[i].ifindex == a->link.ifindex)
			return true;
	return false;
}

static int
repeat(const struct announce *a, int fd, int rtnl)
{
	struct timespec pause = {.tv_sec = a->interval_ms / 1000,
	    .tv_nsec = (long)(a->interval_ms % 1000) * 1000000};
	unsigned i;
	int err = 0;

	for (i = 0; i < a->count; i++) {
		if (i > 0) {
			nanosleep(&pause, NULL);
			if (!is_ours(rtnl, a))
				break;
		}
		err = a->family == AF_INET ? send_arp(fd, a) : send_na(fd, a);
		/* A link that flaps: the next one may get through. */
		if (err != 0 && err != -ENETDOWN && err != -ENOBUFS)
			break;
	}
	return err;
}

int
announce_run(const struct announce *a)
{
	int fd, rtnl, err;

	err = rtnl_open(0, &rtnl);
	if (err != 0)
		return err;
	fd = a->family == AF_INET ? open_arp(a, false) : open_icmp6(a, true);
	if (fd >= 0) {
		err = repeat(a, fd, rtnl);
		close(fd);
	} else {
		err = fd;
	}
	close(rtnl);
	return err;
}

int
announce_start(const struct announce *a, bool background)
{
	pid_t pid;

	if (!announce_is_possible(&a->link) || a->count == 0)
		return 0;
	if (!background)
		return announce_run(a);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid > 0)
		return 0;
	/* Out of the process group, which is killed with an action that runs
	 * out of time, and without the pipes, at whose end somebody waits for
	 * the agent to end. The parent ends right after, so nobody is left
	 * that would have to wait for this child. */
	setsid();
	close_range(0, ~0u, 0);
	if (chdir("/") != 0)
		_exit(1);
	_exit(announce_run(a) != 0);
}

/* Somebody says that he has the ip, and it is not one of us. */
static bool
is_arp_from_other(
    const struct announce *a, const uint8_t *p, size_t len, uint8_t *ret_hw)
{
	if (len < ARP_LEN || memcmp(p + 14, a->ip, 4) != 0 ||
	    memcmp(p + 8, a->link.hw, HW_LEN) == 0)
		return false;
	memcpy(ret_hw, p + 8, HW_LEN);
	return true;
}

static bool
is_na_from_other(
    const struct announce *a, const uint8_t *p, size_t len, uint8_t *ret_hw)
{
	if (len < 24 || p[0] != ND_NEIGHBOR_ADVERT ||
	    memcmp(p + 8, a->ip, 16) != 0)
		return false;
	memset(ret_hw, 0, HW_LEN);
	if (len >= NA_LEN && p[24] == ND_OPT_TARGET_LINKADDR)
		memcpy(ret_hw, p + 26, HW_LEN);
	return memcmp(ret_hw, a->link.hw, HW_LEN) != 0;
}

/* Listen till the time is over. */
static bool
is_answered(int fd, const struct announce *a, int wait_ms, uint8_t *ret_hw)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint8_t in[256];
	struct timespec ts;
	int64_t end_ms, left;
	ssize_t n;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	end_ms = ts.tv_sec * 1000 + ts.tv_nsec / 1000000 + wait_ms;
	for (;;) {
		clock_gettime(CLOCK_BOOTTIME, &ts);
		left = end_ms - (ts.tv_sec * 1000 + ts.tv_nsec / 1000000);
		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			return false;
		n = recv(fd, in, sizeof(in), MSG_DONTWAIT);
		if (n <= 0)
			continue;
		if (a->family == AF_INET
			? is_arp_from_other(a, in, (size_t)n, ret_hw)
			: is_na_from_other(a, in, (size_t)n, ret_hw))
			return true;
	}
}

/* RFC 5227, 2.1.1: from nobody, so that it changes no cache. */
static int
ask_arp(int fd, const struct announce *a)
{
	static const uint8_t zero[HW_LEN];
	uint8_t packet[ARP_LEN];

	put_arp(packet, ARPOP_REQUEST, a->link.hw, zero, zero, a->ip);
	return broadcast(fd, a, packet);
}

static int
ask_ns(int fd, const struct announce *a)
{
	uint8_t group[16] = {0xff, 2, [11] = 1, [12] = 0xff};
	uint8_t packet[NA_LEN] = {ND_NEIGHBOR_SOLICIT};

	memcpy(group + 13, a->ip + 13, 3);
	memcpy(packet + 8, a->ip, 16);
	packet[24] = ND_OPT_SOURCE_LINKADDR;
	packet[25] = 1;
	memcpy(packet + 26, a->link.hw, HW_LEN);
	return multicast(fd, a, group, packet);
}

int
announce_probe(const struct announce *a, uint8_t *ret_hw)
{
	int fd, i, result = 0;

	if (!announce_is_possible(&a->link))
		return 0;
	fd = a->family == AF_INET ? open_arp(a, true) : open_icmp6(a, false);
	if (fd < 0)
		return fd;
	for (i = 0; i < PROBES && result == 0; i++) {
		result = a->family == AF_INET ? ask_arp(fd, a) : ask_ns(fd, a);
		if (result == 0 && is_answered(fd, a, PROBE_MS, ret_hw))
			result = 1;
	}
	close(fd);
	return result;
}
