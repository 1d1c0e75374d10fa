/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * readybench ROUNDS COMMAND [ARG...]: how long a daemon takes from exec until
 * it says READY=1 (sd_notify), in microseconds, each round a line. It is ended
 * by SIGTERM in between.
 */
#include <config.h>

#include <err.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define READY_MAX_MS 10000

extern char **environ;

static double
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* An abstract socket, whose name the kernel chooses. */
static int
open_notify(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(sa);
	char name[sizeof(sa.sun_path) + 1];
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 ||
	    bind(fd, (struct sockaddr *)&sa, sizeof(sa.sun_family)) != 0 ||
	    getsockname(fd, (struct sockaddr *)&sa, &len) != 0)
		err(1, "socket");
	len -= (socklen_t)offsetof(struct sockaddr_un, sun_path);
	snprintf(name, sizeof(name), "@%.*s", (int)(len - 1), sa.sun_path + 1);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static void
wait_until_ready(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char text[256];

	do {
		memset(text, 0, sizeof(text));
		if (poll(&p, 1, READY_MAX_MS) != 1)
			errx(1, "it does not become ready");
		if (recv(fd, text, sizeof(text) - 1, 0) < 0)
			err(1, "recv");
	} while (strncmp(text, "READY=1", 7) != 0);
}

static void
run_once(int fd, char **argv)
{
	double began_us = now_us();
	int status, error;
	pid_t pid;

	error = posix_spawn(&pid, argv[0], NULL, NULL, argv, environ);
	if (error != 0)
		errx(1, "%s: %s", argv[0], strerror(error));
	wait_until_ready(fd);
	printf("%.0f\n", now_us() - began_us);
	kill(pid, SIGTERM);
	if (waitpid(pid, &status, 0) != pid)
		err(1, "waitpid");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		errx(1, "%s: wait status %#x", argv[0], (unsigned)status);
}

int
main(int argc, char **argv)
{
	long rounds;
	int fd;

	if (argc < 3)
		errx(2, "usage: readybench ROUNDS COMMAND [ARG...]");
	fd = open_notify();
	for (rounds = strtol(argv[1], NULL, 10); rounds > 0; rounds--)
		run_once(fd, argv + 2);
	return 0;
}
