/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "agents/rtnl.h"

#define RESET_MAX 4096 /* a round; there are more rounds while it is full */

/* All that hold a connection: a listener stays, TIME_WAIT needs nothing. */
#define STATES \
	((1u << TCP_ESTABLISHED) | (1u << TCP_SYN_SENT) | \
	    (1u << TCP_SYN_RECV) | (1u << TCP_FIN_WAIT1) | \
	    (1u << TCP_FIN_WAIT2) | (1u << TCP_CLOSE_WAIT) | \
	    (1u << TCP_LAST_ACK) | (1u << TCP_CLOSING))

struct request {
	struct nlmsghdr h;
	struct inet_diag_req_v2 r;
	char attrs[64];
};

struct found {
	struct inet_diag_sockid ids[RESET_MAX];
	uint8_t family[RESET_MAX];
	unsigned n;
};

static int
on_socket(void *arg, const struct nlmsghdr *h)
{
	const struct inet_diag_msg *m = NLMSG_DATA(h);
	struct found *f = arg;

	if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)) || f->n == RESET_MAX)
		return 0;
	f->family[f->n] = m->idiag_family;
	f->ids[f->n++] = m->id;
	return 0;
}

/* The filter: source address is the ip. The kernel runs it, so a host with
 * many other connections is not listed here. A mapped address of an IPv6
 * socket matches its IPv4 condition. */
static void
put_filter(struct request *q, uint8_t family, const uint8_t *ip)
{
	struct {
		struct inet_diag_bc_op op;
		struct inet_diag_hostcond cond;
		uint8_t ip[16];
	} bc;
	size_t ip_len = rtnl_ip_len(family);
	size_t len = sizeof(bc.op) + sizeof(bc.cond) + ip_len;

	memset(&bc, 0, sizeof(bc));
	bc.op.code = INET_DIAG_BC_S_COND;
	bc.op.yes = (uint8_t)len;
	bc.op.no = (uint16_t)(len + 4);
	bc.cond.family = family;
	bc.cond.prefix_len = (uint8_t)(8 * ip_len);
	bc.cond.port = -1;
	memcpy(bc.ip, ip, ip_len);
	rtnl_put(&q->h, sizeof(*q), INET_DIAG_REQ_BYTECODE, &bc, len);
}

static int
list(int fd, uint8_t socket_family, uint8_t family, const uint8_t *ip,
    struct found *f)
{
	struct request q = {
	    .h = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct inet_diag_req_v2)),
		.nlmsg_type = SOCK_DIAG_BY_FAMILY,
		.nlmsg_flags = NLM_F_DUMP},
	    .r = {.sdiag_family = socket_family,
		.sdiag_protocol = IPPROTO_TCP,
		.idiag_states = STATES}};

	put_filter(&q, family, ip);
	return rtnl_talk(fd, &q.h, on_socket, f);
}

static int
destroy(int fd, uint8_t family, const struct inet_diag_sockid *id)
{
	struct request q = {
	    .h = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct inet_diag_req_v2)),
		.nlmsg_type = SOCK_DESTROY},
	    .r = {.sdiag_family = family,
		.sdiag_protocol = IPPROTO_TCP,
		.idiag_states = STATES,
		.id = *id}};

	return rtnl_talk(fd, &q.h, NULL, NULL);
}

static int
destroy_all(int fd, const struct found *f, unsigned *n)
{
	unsigned i;
	int err, first = 0;

	for (i = 0; i < f->n; i++) {
		err = destroy(fd, f->family[i], &f->ids[i]);
		if (err == 0)
			(*n)++;
		else if (err != -ENOENT && first == 0) /* ended by itself */
			first = err;
	}
	return first;
}

/* A listing walks the kernel's whole table, a quarter of a millisecond on a
 * host with much memory; its count of connections is there for a tenth. */
static bool
has_connections(void)
{
	char buf[4096], *line;
	ssize_t n;
	long count;
	int fd = open("/proc/self/net/snmp", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return true;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return true;
	buf[n] = '\0';
	/* A line of names, then the values: CurrEstab is the ninth. */
	line = strstr(buf, "\nTcp: ");
	line = line != NULL ? strstr(line + 1, "\nTcp: ") : NULL;
	if (line == NULL ||
	    sscanf(line, " Tcp: %*s %*s %*s %*s %*s %*s %*s %*s %ld", &count) !=
		1)
		return true;
	return count != 0;
}

/* One family of sockets. */
static int
reset_sockets(int fd, uint8_t socket_family, uint8_t family, const uint8_t *ip,
    unsigned *n)
{
	static struct found f;
	unsigned rounds = 0;
	int err;

	do {
		f.n = 0;
		err = list(fd, socket_family, family, ip, &f);
		if (err == 0)
			err = destroy_all(fd, &f, n);
	} while (err == 0 && f.n == RESET_MAX && ++rounds < 64);
	return err;
}

int
tcp_reset(uint8_t family, const uint8_t *ip, unsigned *ret_n)
{
	struct timeval tv = {.tv_sec = 5};
	unsigned n = 0;
	int fd, err;

	*ret_n = 0;
	if (!has_connections())
		return 0;
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	err = reset_sockets(fd, family, family, ip, &n);
	/* An IPv6 socket may hold an IPv4 address, mapped. */
	if (err == 0 && family == AF_INET)
		err = reset_sockets(fd, AF_INET6, family, ip, &n);
	close(fd);
	*ret_n = n;
	return err;
}
