/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "daemon/admin/admin.h"
#include "daemon/cli/cli.h"
#include "daemon/base/record.h"

/*
 * claviger backup --scheduled: what a timer or cron calls, on every server
 * node. The active one writes a backup to each place that is due: that has none
 * of the current generation on record, or none that is young enough. A place is
 * a directory (backup_to), or the standard input of a command
 * (backup_command). Nobody is asked: it takes a file with the passphrase, or
 * the recovery recipient, which needs no secret.
 */
#define PREFIX "claviger-"
#define STAMP_LEN 16 /* 20260101T000000Z */
#define PLACES_MAX 16
#define RECORDS_MAX 32 /* as many as the database gives */

struct done { /* on record */
	uint32_t generation;
	char where[RECORD_WHERE_MAX];
	uint64_t age_s;
};

struct schedule {
	struct clv_list *list;
	struct clv_keyring *keyring;
	char *passphrase; /* the guard's; NULL: sealed to the recipient */
	char places[1024];
	const char *place[PLACES_MAX]; /* directories */
	size_t place_count;
	struct done done[RECORDS_MAX];
	size_t done_count;
	unsigned written;
	int result; /* of the first that failed */
};

/* ---- may it be done, and how ---- */

static int
split_places(struct cli *c, struct schedule *s)
{
	char *save = NULL, *p;

	snprintf(s->places, sizeof(s->places), "%s", c->config.backup_to);
	for (p = strtok_r(s->places, ",", &save); p != NULL;
	     p = strtok_r(NULL, ",", &save)) {
		if (s->place_count == PLACES_MAX)
			return cli_fail(c, CLV_E_FULL, NULL,
			    "backup_to names more than %d directories",
			    PLACES_MAX);
		s->place[s->place_count++] = p;
	}
	if (s->place_count > 0 || c->config.backup_command[0] != '\0')
		return CLV_OK;
	return cli_fail(c, CLV_E_CONFIG,
	    "set backup_to (directories) or backup_command in the "
	    "configuration",
	    "there is no place for scheduled backups");
}

static int
find_secret(struct cli *c, struct schedule *s)
{
	const char *file = c->config.backup_passphrase_file;
	char why[256] = "";
	int r = cli_list_need(c, &s->list);

	if (r != CLV_OK)
		return r;
	if (file[0] == '\0')
		return clv_list_has_recovery(s->list)
			   ? CLV_OK
			   : cli_fail(c, CLV_E_CONFIG,
				 "claviger recovery create, or set "
				 "backup_passphrase_file in the configuration",
				 "a schedule needs a recovery recipient or a "
				 "file with a passphrase: nobody is asked");
	r = cli_pass_file(c->guard, file, &s->passphrase, why);
	if (r == CLV_OK)
		r = clv_passphrase_check(s->passphrase);
	if (r == CLV_OK)
		return r;
	return cli_fail(c, r, "mend backup_passphrase_file",
	    "the passphrase of scheduled backups cannot be used: %s: %s", file,
	    why[0] != '\0' ? why : "it is too short, or not one line");
}

/* -> u32 n, n x (u32 generation, str where, u64 age_s) */
static int
read_done(struct cli *c, struct schedule *s)
{
	struct cli_answer a;
	struct clv_buf b;
	struct clv_rd rd;
	uint32_t n;
	int r;

	cli_admin_begin(&b, ADMIN_BACKUPS);
	r = cli_admin(c, &b, "look which backups there are", &a);
	clv_rd_init(&rd, a.data.data, a.data.len);
	n = r == CLV_OK ? clv_rd_u32(&rd) : 0;
	for (uint32_t i = 0; i < n && i < RECORDS_MAX && !rd.failed; i++) {
		struct done *d = &s->done[i];

		d->generation = clv_rd_u32(&rd);
		clv_rd_str(&rd, d->where, sizeof(d->where));
		d->age_s = clv_rd_u64(&rd);
		s->done_count = rd.failed ? i : i + 1;
	}
	cli_answer_fini(&a);
	clv_buf_fini(&b);
	return r;
}

static bool
is_due(const struct cli *c, const struct schedule *s, const char *where)
{
	size_t len = strlen(where);

	for (size_t i = 0; i < s->done_count; i++) {
		const struct done *d = &s->done[i];

		if (strncmp(d->where, where, len) == 0 &&
		    d->generation == clv_keyring_newest(s->keyring) &&
		    d->age_s < c->config.backup_interval)
			return false;
	}
	return true;
}

/* ---- writing ---- */

/* The name tells when and what, and sorts by age. */
static bool
file_name(const struct schedule *s, const char *dir, char *dst, size_t cap)
{
	time_t now = time(NULL);
	char at[32];
	struct tm tm;

	strftime(at, sizeof(at), "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
	return (size_t)snprintf(dst, cap, "%s/" PREFIX "%s-g%u.age%s", dir, at,
		   clv_keyring_newest(s->keyring),
		   s->passphrase == NULL ? ".recovery" : "") < cap;
}

static int
write_file(struct cli *c, const struct schedule *s, const char *path)
{
	char why[256] = "";
	int r;

	if (s->passphrase != NULL)
		return cli_backup_write(c, s->keyring, path, s->passphrase);
	r = clv_backup_write_recovery(
	    c->guard, s->keyring, path, s->list->recovery_pk, why);
	return r == CLV_OK
		   ? r
		   : cli_fail(c, r, "mend that; the next run tries again",
			 "no backup was written: %s",
			 why[0] != '\0' ? why : clv_result_text(r));
}

static void
told(struct cli *c, struct schedule *s, const char *where, int r)
{
	if (r != CLV_OK) {
		s->result = s->result == CLV_OK ? r : s->result;
		return;
	}
	s->written++;
	(void)cli_record_backup(c, clv_keyring_newest(s->keyring), where);
	if (cli_opt(c, "json") == NULL)
		printf("%s: generation %u, opened again\n", where,
		    clv_keyring_newest(s->keyring));
}

/* ---- retention ---- */

/* Written by a schedule, and by nobody else: claviger-STAMP-gN.age[.recovery].
 */
static bool
is_ours(const char *name)
{
	size_t len = sizeof(PREFIX) - 1;
	char stamp[STAMP_LEN + 1], tail[16];
	unsigned g;

	if (strncmp(name, PREFIX, len) != 0 || strlen(name) > 64)
		return false;
	if (sscanf(name + len, "%16[0-9TZ]-g%9u.%15s", stamp, &g, tail) != 3)
		return false;
	return strlen(stamp) == STAMP_LEN && stamp[8] == 'T' &&
	       stamp[15] == 'Z' &&
	       (strcmp(tail, "age") == 0 || strcmp(tail, "age.recovery") == 0);
}

int
cli_backup_is_scheduled(const struct dirent *e)
{
	return is_ours(e->d_name);
}

static bool
same_backup(const char *a, const char *b)
{
	return strncmp(a, b, sizeof(PREFIX) - 1 + STAMP_LEN) == 0;
}

/* A backup and its recovery copy are one. */
static void
retain(struct cli *c, const char *dir)
{
	struct dirent **e = NULL;
	unsigned kept = 0;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int n =
	    fd < 0 ? -1
		   : scandirat(fd, ".", &e, cli_backup_is_scheduled, alphasort);

	for (int i = n - 1; i >= 0; i--) {
		if (i == n - 1 || !same_backup(e[i]->d_name, e[i + 1]->d_name))
			kept++;
		if (kept > c->config.backup_keep &&
		    unlinkat(fd, e[i]->d_name, 0) != 0)
			cli_warn(c, "%s/%s is not deleted: %s", dir,
			    e[i]->d_name, strerror(errno));
	}
	for (int i = 0; i < n; i++)
		free(e[i]);
	free(e);
	if (fd >= 0)
		close(fd);
}

/* ---- the places ---- */

/* As the record names a directory of this host, up to the file's name. */
static int
place_name(struct cli *c, const char *dir, char *dst, size_t cap)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/" PREFIX, dir);
	return cli_backup_where(c, path, dst, cap);
}

static void
to_directory(struct cli *c, struct schedule *s, const char *dir)
{
	char where[RECORD_WHERE_MAX], path[PATH_MAX];
	int r = place_name(c, dir, where, sizeof(where));

	if (r == CLV_OK && !is_due(c, s, where))
		return;
	if (r == CLV_OK && !file_name(s, dir, path, sizeof(path)))
		r = cli_fail(c, CLV_E_INVALID, NULL, "%s is too long", dir);
	if (r == CLV_OK)
		r = write_file(c, s, path);
	if (r == CLV_OK)
		r = cli_backup_where(c, path, where, sizeof(where));
	told(c, s, where, r);
	if (r == CLV_OK)
		retain(c, dir);
}

/* It has the file, and nothing else of ours. */
static int
run_command(const char *command, int file)
{
	int status = 0;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (dup2(file, STDIN_FILENO) < 0 ||
		    dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
			_exit(126);
		close_range(STDERR_FILENO + 1, ~0U, 0);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}

static int
feed(struct cli *c, const char *path)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), status;

	if (fd < 0)
		return CLV_E_SYSTEM;
	status = run_command(c->config.backup_command, fd);
	close(fd);
	if (status == 0)
		return CLV_OK;
	return cli_fail(c, CLV_E_SYSTEM,
	    "look at what it said; the next run tries again",
	    "backup_command ended with status %d: it is not counted as a "
	    "backup",
	    status);
}

static void
remove_all(const char *dir, const char *path)
{
	char beside[PATH_MAX];

	if (cli_backup_beside(path, beside, sizeof(beside)))
		unlink(beside);
	unlink(path);
	rmdir(dir);
}

/* Through a directory of root's own, where it is opened again first. */
static void
to_command(struct cli *c, struct schedule *s)
{
	char dir[] = "/run/claviger-backup.XXXXXX", path[PATH_MAX];
	char host[HOST_NAME_MAX + 1] = "", where[RECORD_WHERE_MAX];
	int r;

	gethostname(host, sizeof(host) - 1);
	snprintf(where, sizeof(where), "%s:backup_command", host);
	if (!is_due(c, s, where))
		return;
	if (mkdtemp(dir) == NULL) {
		told(c, s, where,
		    cli_fail(
			c, CLV_E_SYSTEM, NULL, "%s: %s", dir, strerror(errno)));
		return;
	}
	r = file_name(s, dir, path, sizeof(path)) ? write_file(c, s, path)
						  : CLV_E_INVALID;
	if (r == CLV_OK)
		r = feed(c, path);
	remove_all(dir, path);
	told(c, s, where, r);
}

static int
write_due(struct cli *c, struct schedule *s)
{
	struct cli_json *j;

	for (size_t i = 0; i < s->place_count; i++)
		to_directory(c, s, s->place[i]);
	if (c->config.backup_command[0] != '\0')
		to_command(c, s);
	if (cli_opt(c, "json") != NULL) {
		j = cli_json_new();
		cli_json_u64(j, "written", s->written);
		cli_json_u64(j, "generation", clv_keyring_newest(s->keyring));
		cli_json_print(j);
	}
	return s->result;
}

int
cli_backup_scheduled(struct cli *c)
{
	struct schedule s = {.result = CLV_OK};
	struct ctl_status st;
	int r = split_places(c, &s);

	if (r == CLV_OK)
		r = cli_guard(c);
	if (r == CLV_OK)
		r = find_secret(c, &s);
	/* Another node's turn; where none is active nothing changes. */
	if (r == CLV_OK &&
	    (cli_ctl_status(c, &st) != CLV_OK || st.role != CTL_ROLE_ACTIVE))
		goto out;
	if (r == CLV_OK)
		r = cli_keyring_export(c, &s.keyring);
	if (r == CLV_OK)
		r = read_done(c, &s);
	if (r == CLV_OK)
		r = write_due(c, &s);
out:
	clv_guard_put(c->guard, s.passphrase);
	clv_keyring_free(&s.keyring);
	clv_list_free(&s.list);
	return r;
}
