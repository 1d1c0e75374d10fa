/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket of clavigerd, for the tests of the agent alone: how the
 * agent bears a server that is slow, silent, ill or gone. (The real one is
 * what the cluster tests use.) As in the real one the parent binds and listens
 * and a child serves, which dies with it.
 *
 * clavigerd -f CONFIG; CONFIG has `socket = PATH` and `address = IP`. What it
 * does wrong stands in CONFIG.mode, read at each request; what it was asked is
 * appended to CONFIG.log, with the address being there or not.
 */
#include <config.h>
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <claviger/result.h>
#include "agents/control.h"

#define CONNS 16

static char conf[200], socket_path[100], address[64];
static struct ctl_status status;
static char mode[256];

static void
read_conf(void)
{
	char line[300];
	FILE *f = fopen(conf, "r");

	if (f == NULL) {
		fprintf(stderr, "%s: no configuration\n", conf);
		exit(2);
	}
	while (fgets(line, sizeof(line), f) != NULL) {
		sscanf(line, "socket = %99s", socket_path);
		sscanf(line, "address = %63s", address);
	}
	fclose(f);
}

static void
read_mode(void)
{
	char path[220];
	FILE *f;
	size_t n = 0;

	snprintf(path, sizeof(path), "%s.mode", conf);
	f = fopen(path, "r");
	if (f != NULL) {
		n = fread(mode, 1, sizeof(mode) - 1, f);
		fclose(f);
	}
	mode[n] = '\0';
}

static bool
is_mode(const char *word)
{
	return strstr(mode, word) != NULL;
}

static bool
has_address(void)
{
	struct ifaddrs *all, *i;
	char text[64];
	bool found = false;
	const void *p;

	if (getifaddrs(&all) != 0)
		return false;
	for (i = all; i != NULL; i = i->ifa_next) {
		if (i->ifa_addr == NULL)
			continue;
		if (i->ifa_addr->sa_family == AF_INET)
			p = &((struct sockaddr_in *)(void *)i->ifa_addr)
				 ->sin_addr;
		else if (i->ifa_addr->sa_family == AF_INET6)
			p = &((struct sockaddr_in6 *)(void *)i->ifa_addr)
				 ->sin6_addr;
		else
			continue;
		inet_ntop(i->ifa_addr->sa_family, p, text, sizeof(text));
		found = found || strcmp(text, address) == 0;
	}
	freeifaddrs(all);
	return found;
}

static void
note(enum ctl_op op, const struct ctl_start *start)
{
	static const char *const names[] = {[CTL_STATUS] = "status",
	    [CTL_START] = "start",
	    [CTL_STOP] = "stop",
	    [CTL_PROMOTE] = "promote",
	    [CTL_DEMOTE] = "demote",
	    [CTL_SHUTDOWN] = "shutdown"};
	char path[220];
	FILE *f;

	if (op == CTL_STATUS || op >= sizeof(names) / sizeof(names[0]) ||
	    names[op] == NULL)
		return;
	snprintf(path, sizeof(path), "%s.log", conf);
	f = fopen(path, "a");
	if (f == NULL)
		return;
	fprintf(f, "%s address=%s", names[op], has_address() ? "yes" : "no");
	if (start != NULL)
		fprintf(f, " resource=%s by_agent=%d", start->resource,
		    start->by_agent);
	fputc('\n', f);
	fclose(f);
}

static void
set_role(enum ctl_role role)
{
	status.role = role;
	status.reason[0] = '\0';
	status.score = role == CTL_ROLE_STANDBY	 ? CTL_SCORE_STANDBY
		       : role == CTL_ROLE_ACTIVE ? CTL_SCORE_ACTIVE
						 : CTL_SCORE_NEVER;
}

/* What the mode makes of the status, without a request. */
static void
afflict(void)
{
	if (status.role >= CTL_ROLE_LOCKED && status.role <= CTL_ROLE_STANDBY)
		set_role(
		    is_mode("locked") ? CTL_ROLE_LOCKED : CTL_ROLE_STANDBY);
	if (status.role == CTL_ROLE_LOCKED)
		strcpy(status.reason, "secret absent: claviger restore FILE");
	if (status.role == CTL_ROLE_AWAY || status.role == CTL_ROLE_ACTIVE)
		status.role = is_mode("away") ? CTL_ROLE_AWAY : CTL_ROLE_ACTIVE;
	if (status.role == CTL_ROLE_ACTIVE)
		status.reason[0] = '\0';
	if (status.role == CTL_ROLE_AWAY)
		strcpy(status.reason, "decryption only: database away");
	strcpy(status.address, is_mode("elsewhere") ? "192.0.2.99"
			       : is_mode("nowhere") ? ""
						    : address);
}

static int
obey(enum ctl_op op, const struct ctl_start *start)
{
	switch (op) {
	case CTL_START:
		if (is_mode("refuse-start"))
			return CLV_E_CONFIG;
		if (start->by_agent)
			status.flags |= CTL_FLAG_BY_AGENT;
		memcpy(
		    status.resource, start->resource, sizeof(status.resource));
		if (status.role == CTL_ROLE_OFF)
			set_role(CTL_ROLE_STANDBY);
		return CLV_OK;
	case CTL_PROMOTE:
		if (is_mode("refuse-promote")) {
			strcpy(status.reason, "no quorum here");
			return CLV_E_NO_QUORUM;
		}
		set_role(CTL_ROLE_ACTIVE);
		return CLV_OK;
	case CTL_DEMOTE:
		if (status.role > CTL_ROLE_STANDBY)
			set_role(CTL_ROLE_STANDBY);
		return CLV_OK;
	case CTL_STOP:
		if (!is_mode("stubborn"))
			set_role(CTL_ROLE_OFF);
		return CLV_OK;
	default: return CLV_OK;
	}
}

static void
answer(int fd, enum ctl_op op, int result)
{
	struct {
		struct ctl_header h;
		struct ctl_status st;
	} out = {.h = {CTL_MAGIC, (uint16_t)op, 0, result, sizeof(out.st)},
	    .st = status};

	if (is_mode("garbage"))
		out.h.magic = 0x21212121;
	send(fd, &out, sizeof(out), MSG_NOSIGNAL);
}

/* All of it; the next one is well. */
static void
die_once(void)
{
	char path[220];

	snprintf(path, sizeof(path), "%s.mode", conf);
	unlink(path);
	kill(getppid(), SIGKILL);
	exit(1);
}

/* False: hang up. */
static bool
serve(int fd)
{
	struct {
		struct ctl_header h;
		struct ctl_start start;
	} in;
	ssize_t n = recv(fd, &in, sizeof(in), 0);
	int result;

	if (n < (ssize_t)sizeof(in.h))
		return false;
	read_mode();
	note(in.h.op, in.h.op == CTL_START ? &in.start : NULL);
	if (is_mode("silent"))
		return true;
	if (is_mode("hang-up"))
		return false;
	if (is_mode("die-once"))
		die_once();
	result = obey(in.h.op, &in.start);
	if (result == CLV_OK)
		afflict();
	answer(fd, in.h.op, result);
	if (in.h.op == CTL_SHUTDOWN && !is_mode("deaf"))
		exit(0);
	return true;
}

static void
child(int listener)
{
	struct pollfd p[CONNS + 1];
	int n = 1, i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	p[0] = (struct pollfd){.fd = listener, .events = POLLIN};
	for (;;) {
		poll(p, (nfds_t)n, -1);
		for (i = n - 1; i > 0; i--) {
			if (p[i].revents == 0 || serve(p[i].fd))
				continue;
			close(p[i].fd);
			p[i] = p[--n];
		}
		if (p[0].revents & POLLIN && n <= CONNS)
			p[n++] =
			    (struct pollfd){.fd = accept(listener, NULL, NULL),
				.events = POLLIN};
	}
}

static int
listen_there(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	unlink(socket_path);
	strcpy(sa.sun_path, socket_path);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0 ||
	    listen(fd, 8) != 0) {
		perror(socket_path);
		exit(1);
	}
	return fd;
}

static void
say_ready(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	if (path == NULL)
		return;
	strcpy(sa.sun_path, path);
	sa.sun_path[0] = '\0';
	sendto(fd, "READY=1\n", 8, 0, (struct sockaddr *)&sa,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
	close(fd);
}

int
main(int argc, char **argv)
{
	int listener, end = 0;

	if (argc != 3 || strcmp(argv[1], "-f") != 0)
		return 2;
	snprintf(conf, sizeof(conf), "%s", argv[2]);
	read_conf();
	read_mode();
	if (is_mode("die")) {
		fprintf(stderr, "the key is of another system\nlast line\n");
		return 3;
	}
	if (is_mode("stillborn"))
		pause();
	listener = listen_there();
	if (fork() == 0)
		child(listener);
	close(listener);
	if (!is_mode("not-ready"))
		say_ready();
	wait(&end);
	return 0;
}
