/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spawnbench [-n ROUNDS] NAME STATUS COMMAND [ARG...] [, NAME STATUS ...]
 *
 * What a process costs its starter: each round runs every command once, in the
 * order given, so that a busy machine hurts all alike. Prints for each command
 * NAME, then the lower quartile of wall time (what it takes when nothing else
 * is in the way) and the median of CPU time (its own and that of children it
 * waited for) in microseconds. A command that does not end with its
 * STATUS ends the measurement: it would measure something else.
 */
#include <config.h>

#include <err.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "quantile.h"

#define COMMANDS_MAX 16
#define WARM_UP 5

struct command {
	const char *name;
	int status;
	char **argv;
	double *wall_us, *cpu_us; /* one of each round */
};

extern char **environ;

static double
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static double
timeval_us(const struct timeval *tv)
{
	return (double)tv->tv_sec * 1e6 + (double)tv->tv_usec;
}

static void
run(struct command *c, posix_spawn_file_actions_t *actions, double *ret_wall_us,
    double *ret_cpu_us)
{
	struct rusage ru;
	double began_us = now_us();
	int status, error;
	pid_t pid;

	error = posix_spawn(&pid, c->argv[0], actions, NULL, c->argv, environ);
	if (error != 0)
		errx(1, "%s: %s", c->argv[0], strerror(error));
	if (wait4(pid, &status, 0, &ru) != pid)
		err(1, "wait4");
	*ret_wall_us = now_us() - began_us;
	*ret_cpu_us = timeval_us(&ru.ru_utime) + timeval_us(&ru.ru_stime);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != c->status)
		errx(1, "%s: wait status %#x instead of exit status %d",
		    c->name, (unsigned)status, c->status);
}

static size_t
parse(char **args, struct command *c, size_t rounds)
{
	size_t n = 0;

	while (*args != NULL) {
		if (n == COMMANDS_MAX || args[1] == NULL || args[2] == NULL)
			errx(2, "NAME STATUS COMMAND [ARG...] [, ...]");
		c[n].name = args[0];
		c[n].status = (int)strtol(args[1], NULL, 10);
		c[n].argv = args + 2;
		c[n].wall_us = calloc(rounds, sizeof(double));
		c[n].cpu_us = calloc(rounds, sizeof(double));
		if (c[n].wall_us == NULL || c[n].cpu_us == NULL)
			err(1, "calloc");
		n++;
		for (args += 2; *args != NULL && strcmp(*args, ",") != 0;)
			args++;
		if (*args != NULL)
			*args++ = NULL;
	}
	return n;
}

int
main(int argc, char **argv)
{
	struct command commands[COMMANDS_MAX];
	posix_spawn_file_actions_t actions;
	size_t rounds = 100, n, i, r;
	double wall_us, cpu_us;
	int opt, fd;

	while ((opt = getopt(argc, argv, "+n:")) != -1) {
		if (opt != 'n' || (rounds = strtoul(optarg, NULL, 10)) == 0)
			errx(2, "-n ROUNDS");
	}
	n = parse(argv + optind, commands, rounds);
	posix_spawn_file_actions_init(&actions);
	for (fd = 0; fd < 3; fd++)
		posix_spawn_file_actions_addopen(
		    &actions, fd, "/dev/null", O_RDWR, 0);
	for (r = 0; r < rounds + WARM_UP; r++) {
		for (i = 0; i < n; i++) {
			run(&commands[i], &actions, &wall_us, &cpu_us);
			if (r < WARM_UP)
				continue;
			commands[i].wall_us[r - WARM_UP] = wall_us;
			commands[i].cpu_us[r - WARM_UP] = cpu_us;
		}
	}
	for (i = 0; i < n; i++)
		printf("%s %.1f %.1f\n", commands[i].name,
		    quantile(commands[i].wall_us, rounds, 0.25),
		    quantile(commands[i].cpu_us, rounds, 0.5));
	return 0;
}
