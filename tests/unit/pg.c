/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pg.h"

#define SKIP 77

static char bin[256];
static char dir[64];
static char data[96];
static char options[160];
static char logfile[96];
static pid_t janitor;
static int alive = -1; /* the janitor's signal: closed when we end */

/* PostgreSQL refuses to run as root. */
static void
become_postgres(void)
{
	struct passwd *pw;

	if (geteuid() != 0)
		return;
	pw = getpwnam("postgres");
	if (pw == NULL || initgroups(pw->pw_name, pw->pw_gid) != 0 ||
	    setgid(pw->pw_gid) != 0 || setuid(pw->pw_uid) != 0)
		_exit(126);
}

/* Run a program of PostgreSQL's, its output into the log. */
static int
run(const char *program, const char *const *args)
{
	const char *argv[16] = {program};
	char path[300];
	int status, fd;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/%s", bin, program);
	for (size_t i = 0; args[i] != NULL && i < 14; i++)
		argv[i + 1] = args[i];
	pid = fork();
	if (pid == 0) {
		become_postgres();
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fd = open(logfile, O_WRONLY | O_CREAT | O_APPEND, 0600);
		if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0 ||
		    chdir(dir) != 0)
			_exit(126);
		execv(path, (char *const *)argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
		fprintf(stderr, "%s failed, see %s\n", program, logfile);
		return 1;
	}
	return 0;
}

static int
control(const char *verb, const char *mode)
{
	const char *args[] = {verb, "-D", data, "-s", "-w", "-t", "30", "-m",
	    mode, "-o", options, NULL};

	return run("pg_ctl", args);
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

/* Outlives us by a moment: it waits for the end of the pipe. */
static void
be_janitor(int fd)
{
	char c;

	setsid();
	signal(SIGTERM, SIG_IGN);
	while (read(fd, &c, 1) > 0)
		;
	/* it may have been just about to start */
	for (int i = 0; i < 5 && access(data, F_OK) == 0; i++) {
		if (control("stop", "immediate") == 0)
			break;
		poll(NULL, 0, 200);
	}
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	_exit(0);
}

static bool
find_binaries(void)
{
	glob_t g;
	bool found;

	found = glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &g) == 0;
	if (found) {
		snprintf(bin, sizeof(bin), "%s", g.gl_pathv[g.gl_pathc - 1]);
		*strrchr(bin, '/') = '\0';
		globfree(&g);
	}
	return found && (geteuid() != 0 || getpwnam("postgres") != NULL);
}

static int
make_directory(void)
{
	struct passwd *pw = getpwnam("postgres");

	snprintf(dir, sizeof(dir), "/tmp/claviger-pg-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return 1;
	if (geteuid() == 0 && chown(dir, pw->pw_uid, pw->pw_gid) != 0)
		return 1;
	/* tests may drop their rights and still want the socket */
	if (chmod(dir, 0755) != 0)
		return 1;
	snprintf(data, sizeof(data), "%s/data", dir);
	snprintf(logfile, sizeof(logfile), "%s/log", dir);
	snprintf(options, sizeof(options), "-k %s", dir);
	return 0;
}

static int
start_janitor(void)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) != 0)
		return 1;
	janitor = fork();
	if (janitor == 0) {
		close(fds[1]);
		be_janitor(fds[0]);
	}
	close(fds[0]);
	alive = fds[1];
	return janitor < 0;
}

static int
configure(const char *settings)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/postgresql.conf", data);
	f = fopen(path, "a");
	if (f == NULL)
		return 1;
	fprintf(f,
	    "fsync = off\nfull_page_writes = off\n"
	    "max_connections = 40\nshared_buffers = 16MB\n"
	    "max_wal_size = 64MB\nmin_wal_size = 32MB\n"
	    "listen_addresses = ''\n%s",
	    settings == NULL ? "" : settings);
	return fclose(f);
}

int
pg_start(const char *settings)
{
	const char *initdb[] = {"-N", "-A", "trust", "-U", "postgres", "-E",
	    "UTF8", "--locale=C", "--no-instructions", "-D", data, NULL};

	if (!find_binaries()) {
		fprintf(stderr, "skipped: PostgreSQL is not installed\n");
		return SKIP;
	}
	if (make_directory() != 0 || start_janitor() != 0) {
		perror("throw-away PostgreSQL");
		return 1;
	}
	if (run("initdb", initdb) != 0 || configure(settings) != 0 ||
	    control("start", "fast") != 0) {
		pg_stop();
		return 1;
	}
	return 0;
}

void
pg_stop(void)
{
	if (alive < 0)
		return;
	close(alive);
	alive = -1;
	waitpid(janitor, NULL, 0);
}

const char *
pg_dir(void)
{
	return dir;
}

void
pg_halt(void)
{
	if (control("stop", "fast") != 0)
		abort();
}

void
pg_resume(void)
{
	if (control("start", "fast") != 0)
		abort();
}
