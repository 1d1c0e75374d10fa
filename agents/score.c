/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "agents/control.h"
#include "agents/score.h"

#define REFRESH_S 20
#define FELL_S 20
#define UPDATER_MS 2000
#define LATER_MS 500
#define LOCK_MS 2500
#define LOCK_STEP_MS 10

extern char **environ;

/* a, b and c, one after the other; false when they do not fit. What every
 * monitor does is done without printf(): see ocf/value.c. */
static bool
join(char *ret, size_t cap, const char *a, const char *b, const char *c)
{
	size_t a_len = strlen(a), b_len = strlen(b), c_len = strlen(c);

	if (a_len + b_len + c_len >= cap)
		return false;
	memcpy(ret, a, a_len);
	memcpy(ret + a_len, b, b_len);
	memcpy(ret + a_len + b_len, c, c_len + 1);
	return true;
}

bool
score_attribute(const char *instance, char *ret, size_t cap)
{
	char *colon;

	if (*instance == '\0' || *instance == ':' ||
	    strchr(instance, '/') != NULL ||
	    !join(ret, cap, "master-", instance, ""))
		return false;
	colon = strchr(ret, ':');
	if (colon != NULL)
		*colon = '\0';
	return true;
}

/* Under /run, so that it is gone after a reboot, as the attribute is. */
static bool
note_path(const char *attribute, char *ret, size_t cap)
{
	const char *dir = getenv("HA_RSCTMP");

	if (dir == NULL || *dir != '/')
		dir = access("/run/resource-agents", W_OK) == 0
			  ? "/run/resource-agents"
			  : "/run/claviger";
	return join(ret, cap, dir, "/claviger-", attribute);
}

/* What was written last. */
struct noted {
	int32_t score;
	struct timespec at; /* zeros: nothing is noted */
};

static struct noted
read_note(const char *path)
{
	struct noted was = {.score = 0};
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return was;
	if (fstat(fd, &st) == 0 &&
	    read(fd, &was.score, sizeof(was.score)) == sizeof(was.score))
		was.at = st.st_mtim;
	close(fd);
	return was;
}

static bool
is_fresh(const struct noted *was, int32_t score)
{
	time_t age = time(NULL) - was->at.tv_sec;

	/* The wall clock may have been set back. */
	return was->score == score && age >= 0 && age < REFRESH_S;
}

static void
note(const char *path, int32_t score)
{
	int fd = open(
	    path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return;
	if (write(fd, &score, sizeof(score)) != sizeof(score))
		unlink(path);
	close(fd);
}

/* Wait, but not for ever: attrd may hang with the cluster. The exit status, or
 * -1. */
static int
wait_for(pid_t pid)
{
	struct pollfd p = {.fd = pidfd_open(pid, 0), .events = POLLIN};
	int status = 0;

	if (p.fd >= 0) {
		if (poll(&p, 1, UPDATER_MS) != 1)
			kill(pid, SIGKILL);
		close(p.fd);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int
run_updater(char *const argv[])
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t defaults;
	pid_t pid;
	int fd, err;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return -1;
	if (posix_spawnattr_init(&attr) != 0) {
		posix_spawn_file_actions_destroy(&actions);
		return -1;
	}
	for (fd = 0; fd < 3; fd++)
		posix_spawn_file_actions_addopen(
		    &actions, fd, "/dev/null", O_RDWR, 0);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	posix_spawnattr_setsigdefault(&attr, &defaults);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
	err = posix_spawnp(&pid, argv[0], &actions, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return err == 0 ? wait_for(pid) : -1;
}

static bool
fell_path(const struct ocf *o, char *ret, size_t cap)
{
	char attribute[128], path[256];

	return score_attribute(o->instance, attribute, sizeof(attribute)) &&
	       note_path(attribute, path, sizeof(path)) &&
	       join(ret, cap, path, ".fell", "");
}

void
score_fell(const struct ocf *o)
{
	char path[300];

	if (fell_path(o, path, sizeof(path)))
		note(path, 0); /* its time is what counts */
}

/* Of several that fell the one that fell first is taken first. */
static int32_t
standby_score(const struct ocf *o)
{
	char path[300];
	struct stat st;
	time_t age;

	if (!fell_path(o, path, sizeof(path)) || lstat(path, &st) != 0)
		return CTL_SCORE_STANDBY;
	age = time(NULL) - st.st_mtime;
	if (age < 0 || age >= FELL_S)
		return CTL_SCORE_STANDBY;
	return CTL_SCORE_STANDBY - (int32_t)(FELL_S - age);
}

/* When a value is written: see score.h. */
enum when { NOW, SOON, LATER };

/* One value on its way to the cluster. */
struct job {
	char attribute[128];
	char path[256]; /* of the note, "" for none */
	int32_t score;
	struct noted was;
	enum when when;
	int lock;
};

static enum when
choose_when(const struct job *j)
{
	if (j->path[0] == '\0')
		return NOW;
	if (j->score == CTL_SCORE_ACTIVE)
		return SOON;
	if (j->score == CTL_SCORE_STANDBY && j->was.at.tv_sec != 0 &&
	    j->was.score == CTL_SCORE_ACTIVE)
		return LATER;
	return NOW;
}

/* False when there is nothing to write. */
static bool
begin(const struct ocf *o, int32_t score, bool force, struct job *j)
{
	memset(j, 0, sizeof(*j));
	j->lock = -1;
	if (!score_attribute(o->instance, j->attribute, sizeof(j->attribute)))
		return false;
	if (score == CTL_SCORE_STANDBY)
		score = standby_score(o);
	j->score = score < CTL_SCORE_NEVER ? CTL_SCORE_NEVER : score;
	if (note_path(j->attribute, j->path, sizeof(j->path)))
		j->was = read_note(j->path);
	else
		j->path[0] = '\0';
	j->when = force ? NOW : choose_when(j);
	return force || !is_fresh(&j->was, j->score);
}

/* Held by who writes, so that a value that is written in the background cannot
 * come after one that is newer. Not for ever: its holder may be stopped. */
static void
hold(struct job *j)
{
	char path[300];
	int i;

	if (j->path[0] == '\0' ||
	    !join(path, sizeof(path), j->path, ".lock", ""))
		return;
	j->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	for (i = 0; j->lock >= 0 && i < LOCK_MS / LOCK_STEP_MS; i++) {
		if (flock(j->lock, LOCK_EX | LOCK_NB) == 0)
			break;
		poll(NULL, 0, LOCK_STEP_MS);
	}
}

static void
drop(struct job *j)
{
	if (j->lock >= 0)
		close(j->lock);
	j->lock = -1;
}

/* Somebody may have written since we looked. */
static bool
is_due(const struct job *j)
{
	struct noted is = read_note(j->path);

	if (is_fresh(&is, j->score))
		return false;
	return j->when != LATER || (is.at.tv_sec == j->was.at.tv_sec &&
				       is.at.tv_nsec == j->was.at.tv_nsec);
}

static void
update(const struct job *j)
{
	char value[32] = "--update=-INFINITY";
	char program[] = "attrd_updater", name[] = "-n", attribute[128];
	char *argv[] = {program, name, attribute, value, NULL};
	int status;

	memcpy(attribute, j->attribute, sizeof(attribute));
	if (j->score != CTL_SCORE_NEVER)
		snprintf(value, sizeof(value), "--update=%d", (int)j->score);
	status = run_updater(argv);
	if (status == 0 && j->path[0] != '\0')
		note(j->path, j->score);
	else if (j->path[0] != '\0')
		unlink(j->path);
	if (status != 0)
		ocf_log(LOG_DEBUG, "attrd_updater did not take %s: status %d",
		    value, status);
}

/* As announce_start(): out of the process group and without the pipes of the
 * agent. The lock goes with the child. */
static pid_t
go_to_background(const struct job *j)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	setsid();
	if (j->lock > 0)
		close_range(0, (unsigned)j->lock - 1, 0);
	close_range((unsigned)(j->lock + 1), ~0u, 0);
	return 0;
}

void
score_write(const struct ocf *o, int32_t score, bool force)
{
	struct job j;
	pid_t pid = -1;

	if (!begin(o, score, force, &j))
		return;
	if (j.when != LATER)
		hold(&j);
	if (j.when != NOW)
		pid = go_to_background(&j);
	if (pid <= 0) {
		if (pid == 0 && j.when == LATER)
			poll(NULL, 0, LATER_MS);
		if (j.when == LATER)
			hold(&j);
		if (force || is_due(&j))
			update(&j);
	}
	drop(&j);
	if (pid == 0)
		_exit(0);
}
