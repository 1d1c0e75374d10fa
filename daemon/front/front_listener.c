/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <claviger/result.h>
#include "daemon/front/front.h"
#include "daemon/base/log.h"

/*
 * The port is bound to the floating address alone, and before that is up: so
 * nobody who connects to the new active server as soon as it has the address
 * finds it closed.
 */
#define BACKLOG 4096

static int
open_socket(struct front_listener *l, const struct addrinfo *a)
{
	int fd, on = 1;

	fd =
	    socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return CLV_E_SYSTEM;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (a->ai_family == AF_INET6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
		setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on));
	} else {
		setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on));
	}
	if (bind(fd, a->ai_addr, a->ai_addrlen) < 0 ||
	    listen(fd, BACKLOG) < 0 ||
	    loop_fd_add(l->loop, fd, true, false, l->on_accept, l->arg) !=
		CLV_OK) {
		on = errno;
		close(fd);
		errno = on;
		return errno == EADDRINUSE ? CLV_E_IN_USE : CLV_E_SYSTEM;
	}
	l->fd = fd;
	return CLV_OK;
}

void
front_listener_close(struct front_listener *l)
{
	if (l->fd < 0)
		return;
	log_notice("no longer listening on %s port %u", l->address, l->port);
	loop_fd_del(l->loop, l->fd);
	close(l->fd);
	l->fd = -1;
	l->paused = false;
}

void
front_listener_pause(struct front_listener *l)
{
	l->paused = true;
	loop_fd_set(l->loop, l->fd, false, false);
}

void
front_listener_resume(struct front_listener *l)
{
	if (!l->paused || l->fd < 0)
		return;
	l->paused = false;
	loop_fd_set(l->loop, l->fd, true, false);
}

/* Names are not resolved here, where it would block. */
int
front_listener_open(struct front_listener *l, const char *address,
    uint16_t port, char why[static 256])
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	struct addrinfo *a = NULL;
	char service[8];
	int r;

	if (l->fd >= 0 && l->port == port && strcmp(l->address, address) == 0)
		return CLV_OK;
	front_listener_close(l);
	snprintf(service, sizeof(service), "%u", port);
	if (getaddrinfo(address, service, &hints, &a) != 0) {
		snprintf(why, 256, "%s is not an address", address);
		return CLV_E_INVALID;
	}
	r = open_socket(l, a);
	if (r != CLV_OK)
		snprintf(why, 256, "cannot listen on %s port %s: %s", address,
		    service, strerror(errno));
	freeaddrinfo(a);
	if (r != CLV_OK)
		return r;
	snprintf(l->address, sizeof(l->address), "%s", address);
	l->port = port;
	log_notice("listening on %s port %u", address, port);
	return CLV_OK;
}
