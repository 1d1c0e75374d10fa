/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "agents/announce.h"
#include "daemon/cli/cli.h"

#define PING_TRIES 3
#define PING_MS 300

union addr {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static int
parse(const char *text, union addr *a)
{
	memset(a, 0, sizeof(*a));
	a->v4.sin_family = AF_INET;
	if (inet_pton(AF_INET, text, &a->v4.sin_addr) == 1)
		return CLV_OK;
	a->v6.sin6_family = AF_INET6;
	if (inet_pton(AF_INET6, text, &a->v6.sin6_addr) == 1)
		return CLV_OK;
	return CLV_E_INVALID;
}

static bool
same(const union addr *a, const struct sockaddr *b)
{
	const struct sockaddr_in *v4 = (const void *)b;
	const struct sockaddr_in6 *v6 = (const void *)b;

	if (b == NULL || a->sa.sa_family != b->sa_family)
		return false;
	if (b->sa_family == AF_INET)
		return a->v4.sin_addr.s_addr == v4->sin_addr.s_addr;
	return memcmp(&a->v6.sin6_addr, &v6->sin6_addr,
		   sizeof(v6->sin6_addr)) == 0;
}

/* One spelling: what every node compares is the text. Not the addresses that
 * cannot float. */
int
cli_address_parse(const char *text, char ret[static 46])
{
	union addr a;

	if (parse(text, &a) != CLV_OK)
		return CLV_E_INVALID;
	if (a.sa.sa_family == AF_INET &&
	    (a.v4.sin_addr.s_addr == htonl(INADDR_ANY) ||
		IN_MULTICAST(ntohl(a.v4.sin_addr.s_addr)) ||
		a.v4.sin_addr.s_addr == htonl(INADDR_BROADCAST)))
		return CLV_E_INVALID;
	if (a.sa.sa_family == AF_INET6 &&
	    (IN6_IS_ADDR_UNSPECIFIED(&a.v6.sin6_addr) ||
		IN6_IS_ADDR_MULTICAST(&a.v6.sin6_addr) ||
		IN6_IS_ADDR_LINKLOCAL(&a.v6.sin6_addr)))
		return CLV_E_INVALID;
	if (a.sa.sa_family == AF_INET)
		inet_ntop(AF_INET, &a.v4.sin_addr, ret, 46);
	else
		inet_ntop(AF_INET6, &a.v6.sin6_addr, ret, 46);
	return CLV_OK;
}

/* RFC 1123: labels of 1..63 letters, digits and '-', 253 in all. */
int
cli_host_name_check(const char *name)
{
	size_t label = 0, len = strlen(name);

	if (len == 0 || len > 253)
		return CLV_E_INVALID;
	for (size_t i = 0; i <= len; i++) {
		if (name[i] == '.' || name[i] == '\0') {
			if (label == 0 || label > 63 || name[i - 1] == '-')
				return CLV_E_INVALID;
			label = 0;
		} else if (isalnum((unsigned char)name[i]) ||
			   (name[i] == '-' && label > 0)) {
			label++;
		} else {
			return CLV_E_INVALID;
		}
	}
	return CLV_OK;
}

/* "10.0.0.1, 10.0.0.2" */
static void
join_addresses(const struct addrinfo *list, char *dst, size_t cap)
{
	char one[64]; /* numeric */
	size_t len = 0;

	dst[0] = '\0';
	for (; list != NULL && len + 1 < cap; list = list->ai_next) {
		if (getnameinfo(list->ai_addr, list->ai_addrlen, one,
			sizeof(one), NULL, 0, NI_NUMERICHOST) != 0)
			continue;
		snprintf(
		    dst + len, cap - len, "%s%s", len > 0 ? ", " : "", one);
		len = strlen(dst);
	}
}

static int
look_up(
    struct cli *c, const char *name, const char *next, struct addrinfo **ret)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	int r = getaddrinfo(name, NULL, &hints, ret);

	if (r == 0)
		return CLV_OK;
	return cli_fail(c, CLV_E_NOT_FOUND, next,
	    "the network name %s does not resolve: %s", name, gai_strerror(r));
}

int
cli_net_look_up(struct cli *c, const char *name, char *dst, size_t cap)
{
	struct addrinfo *list;
	int r = look_up(c, name, NULL, &list);

	if (r != CLV_OK)
		return r;
	join_addresses(list, dst, cap);
	freeaddrinfo(list);
	return CLV_OK;
}

int
cli_net_resolves(struct cli *c, const char *name, const char *address)
{
	struct addrinfo *list = NULL;
	char found[256], next[512];
	union addr a;
	bool ok = false;
	int r;

	if (parse(address, &a) != CLV_OK)
		return CLV_E_INVALID;
	snprintf(next, sizeof(next),
	    "enter %s with %s in the name service or "
	    "in /etc/hosts of every host, or give --no-resolve-check",
	    name, address);
	r = look_up(c, name, next, &list);
	if (r != CLV_OK)
		return r;
	for (const struct addrinfo *p = list; p != NULL; p = p->ai_next)
		ok = ok || same(&a, p->ai_addr);
	join_addresses(list, found, sizeof(found));
	freeaddrinfo(list);
	if (ok)
		return CLV_OK;
	return cli_fail(c, CLV_E_MISMATCH, next,
	    "the network name %s resolves to %s, not to %s", name, found,
	    address);
}

static bool
is_local(const union addr *a)
{
	struct ifaddrs *list;
	bool found = false;

	if (getifaddrs(&list) != 0)
		return false;
	for (const struct ifaddrs *p = list; p != NULL; p = p->ifa_next)
		found = found || same(a, p->ifa_addr);
	freeifaddrs(list);
	return found;
}

bool
cli_net_is_local(const char *address)
{
	union addr a;

	return parse(address, &a) == CLV_OK && is_local(&a);
}

/* An ICMP socket that the kernel numbers and checks (ping(7)-less: as root a
 * raw socket, whose answers we tell apart by the sender that connect() set). */
static int
ping_socket(const union addr *a)
{
	bool v4 = a->sa.sa_family == AF_INET;
	int fd =
	    socket(a->sa.sa_family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
		v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);

	if (fd < 0)
		return -1;
	if (connect(fd, &a->sa, v4 ? sizeof(a->v4) : sizeof(a->v6)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static uint16_t
checksum(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static void
send_echo(int fd, bool v4, uint16_t seq)
{
	struct icmphdr m = {.type = v4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST};

	m.un.echo.id = htons((uint16_t)getpid());
	m.un.echo.sequence = htons(seq);
	if (v4) /* the kernel fills in ICMPv6's, which covers a pseudo header */
		m.checksum = checksum((const uint8_t *)&m, sizeof(m));
	/* Unreachable is as good as no answer. */
	(void)!send(fd, &m, sizeof(m), 0);
}

/* Is there an echo reply of this process's in the queue? */
static bool
got_reply(int fd, bool v4)
{
	uint8_t p[1024];
	struct icmphdr m;
	ssize_t n;

	while ((n = recv(fd, p, sizeof(p), MSG_DONTWAIT)) > 0) {
		size_t at = v4 ? (size_t)(p[0] & 15) * 4 : 0;

		if ((size_t)n < at + sizeof(m))
			continue;
		memcpy(&m, p + at, sizeof(m));
		if (m.type == (v4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY) &&
		    m.un.echo.id == htons((uint16_t)getpid()))
			return true;
	}
	return false;
}

static bool
answers_ping(const union addr *a, uint16_t tries, int wait_ms)
{
	bool v4 = a->sa.sa_family == AF_INET, found = false;
	struct pollfd p = {ping_socket(a), POLLIN, 0};

	if (p.fd < 0)
		return false;
	for (uint16_t i = 0; i < tries && !found; i++) {
		send_echo(p.fd, v4, i);
		if (poll(&p, 1, wait_ms) > 0)
			found = got_reply(p.fd, v4);
	}
	close(p.fd);
	return found;
}

bool
cli_net_answers(const char *address, int wait_ms)
{
	union addr a;

	return parse(address, &a) == CLV_OK &&
	       (is_local(&a) || answers_ping(&a, 1, wait_ms));
}

/* A host that drops pings still answers ARP, or a neighbour solicitation; asked
 * only where the address is of a network that this host is on. */
static int
ask_neighbours(const union addr *a, char *ret_who, size_t cap)
{
	struct announce probe = {.family = (uint8_t)a->sa.sa_family};
	uint8_t hw[6], prefix;
	int fd, ifindex = 0, r;

	if (probe.family == AF_INET)
		memcpy(probe.ip, &a->v4.sin_addr, 4);
	else
		memcpy(probe.ip, &a->v6.sin6_addr, 16);
	if ((r = rtnl_open(0, &fd)) != 0)
		return r;
	r = rtnl_find_route(fd, probe.family, probe.ip, 0, &ifindex, &prefix);
	if (r == 0)
		r = rtnl_get_link(fd, NULL, ifindex, &probe.link);
	close(fd);
	if (r == 0)
		r = announce_probe(&probe, hw);
	if (r > 0)
		snprintf(ret_who, cap, "%02x:%02x:%02x:%02x:%02x:%02x on %s",
		    hw[0], hw[1], hw[2], hw[3], hw[4], hw[5], probe.link.name);
	return r;
}

int
cli_net_free(struct cli *c, const char *address)
{
	const char *next = "choose a free address, take that one down, or give "
			   "--force-address";
	char who[64] = "a host that answers pings";
	union addr a;

	if (parse(address, &a) != CLV_OK)
		return CLV_E_INVALID;
	if (is_local(&a))
		return cli_fail(c, CLV_E_IN_USE, next,
		    "the address %s is up on this host already", address);
	cli_progress("asking the network whether %s is free", address);
	if (ask_neighbours(&a, who, sizeof(who)) <= 0 &&
	    !answers_ping(&a, PING_TRIES, PING_MS))
		return CLV_OK;
	return cli_fail(c, CLV_E_IN_USE, next,
	    "the address %s is in use on the network, by %s", address, who);
}
