/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agents/server.h"

#define GONE " (deleted)"

static bool
proc_path(char *path, size_t cap, pid_t pid, const char *what)
{
	int n = snprintf(path, cap, "/proc/%ld/%s", (long)pid, what);

	return n > 0 && (size_t)n < cap;
}

/* The file itself; or, after an upgrade under the running process, its name. */
static bool
is_running_binary(pid_t pid, const char *binary)
{
	char path[64], target[4096];
	struct stat mine, its;
	ssize_t n;
	size_t len = strlen(binary);

	if (!proc_path(path, sizeof(path), pid, "exe"))
		return false;
	if (stat(path, &its) == 0 && stat(binary, &mine) == 0 &&
	    its.st_dev == mine.st_dev && its.st_ino == mine.st_ino)
		return true;
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	return (size_t)n == len + strlen(GONE) &&
	       strncmp(target, binary, len) == 0 &&
	       strcmp(target + len, GONE) == 0;
}

/* Is `config` what it was started with? One that names none has the default.
 * Two systems on one host differ in this. */
static bool
has_config(pid_t pid, const char *config)
{
	char path[64], args[4096];
	const char *p;
	bool names_one = false, next = false;
	ssize_t n;
	int fd;

	if (!proc_path(path, sizeof(path), pid, "cmdline"))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, args, sizeof(args) - 1);
	close(fd);
	if (n <= 0)
		return false;
	args[n] = '\0';
	for (p = args; p < args + n; p += strlen(p) + 1) {
		if (next && strcmp(p, config) == 0)
			return true;
		next = strcmp(p, "-f") == 0;
		names_one = names_one || next;
	}
	return !names_one &&
	       strcmp(config, CLV_SYSCONFDIR "/claviger/claviger.conf") == 0;
}

/* A container's processes are in our /proc, but none of our business. */
static bool
is_in_our_namespace(pid_t pid)
{
	struct stat mine, its;
	char path[64];

	return proc_path(path, sizeof(path), pid, "ns/pid") &&
	       stat(path, &its) == 0 && stat("/proc/self/ns/pid", &mine) == 0 &&
	       its.st_ino == mine.st_ino;
}

bool
process_is(pid_t pid, const char *binary, const char *config)
{
	return is_running_binary(pid, binary) && has_config(pid, config) &&
	       is_in_our_namespace(pid);
}

int
process_find(const char *binary, const char *config, pid_t *ret, int cap)
{
	struct dirent *e;
	DIR *d = opendir("/proc");
	pid_t pid;
	int n = 0;

	if (d == NULL)
		return -errno;
	while ((e = readdir(d)) != NULL) {
		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		pid = (pid_t)strtol(e->d_name, NULL, 10);
		if (pid <= 0 || !process_is(pid, binary, config))
			continue;
		if (n < cap)
			ret[n] = pid;
		n++;
	}
	closedir(d);
	return n;
}
