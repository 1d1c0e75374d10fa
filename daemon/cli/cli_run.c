/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sodium.h>
#include "daemon/cli/cli_api.h"
#include "daemon/base/state.h"

/*
 * Run a command with secrets of an application: behind descriptors, or as
 * files of a memory file system that only this command and its children see;
 * into its environment, which others of its user can read, only when that is
 * asked for by name.
 */
#define ITEMS_MAX 64
#define DIR_VARIABLE "CLAVIGER_SECRETS"

struct run {
	struct cli *c;
	struct clv_client *api;
	char dir[300];
};

/* "LEFT=NAME,..." or "NAME,...": one call for each. */
typedef int (*item_fn)(struct run *r, const char *left, const char *name);

static int
each(struct run *run, const char *option, bool pairs, item_fn fn)
{
	const char *text = cli_opt(run->c, option);
	char *copy, *save = NULL, *item, *name;
	int r = CLV_OK;

	if (text == NULL)
		return CLV_OK;
	copy = strdup(text);
	if (copy == NULL)
		return cli_fail(run->c, CLV_E_NOMEM, NULL, "out of memory");
	for (item = strtok_r(copy, ",", &save); item != NULL && r == CLV_OK;
	     item = strtok_r(NULL, ",", &save)) {
		name = pairs ? strchr(item, '=') : item;
		if (name == NULL || name[0] == '\0')
			r = cli_fail(run->c, CLV_E_USAGE, "claviger run --help",
			    "--%s: '%s' is not of the form %s", option, item,
			    pairs ? "LEFT=NAME" : "NAME");
		else if (pairs)
			*name++ = '\0';
		if (r == CLV_OK)
			r = fn(run, item, name);
	}
	free(copy);
	return r;
}

static int
get(struct run *run, const char *name, struct clv_secret **ret)
{
	int r = clv_client_get(run->api, run->c->args[0], name, 0, 0, ret);

	if (r != CLV_OK)
		cli_api_fail(run->c, run->api, r, name);
	return r;
}

/* A file in memory that can be read from its beginning, and changed no more. */
static int
put_fd(struct run *run, const char *left, const char *name)
{
	struct clv_secret *s = NULL;
	uint32_t number;
	int fd, r;

	if (cli_number_parse(left, 3, 1023, &number) != CLV_OK)
		return cli_fail(run->c, CLV_E_USAGE, "claviger run --help",
		    "--fd takes N=NAME with N from 3 to 1023, not '%s'", left);
	r = get(run, name, &s);
	if (r != CLV_OK)
		return r;
	fd = memfd_create(name, MFD_ALLOW_SEALING);
	if (fd < 0 || file_write_all(fd, s->data, s->len) != CLV_OK ||
	    lseek(fd, 0, SEEK_SET) != 0 ||
	    fcntl(fd, F_ADD_SEALS,
		F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) !=
		0 ||
	    (fd != (int)number && dup2(fd, (int)number) < 0))
		r = cli_fail(run->c, CLV_E_SYSTEM, NULL,
		    "descriptor %u cannot be made: %s", number,
		    strerror(errno));
	if (fd >= 0 && fd != (int)number)
		close(fd);
	clv_secret_free(&s);
	return r;
}

static int
put_env(struct run *run, const char *left, const char *name)
{
	struct clv_secret *s = NULL;
	int r = get(run, name, &s);

	if (r != CLV_OK)
		return r;
	if (strlen((const char *)s->data) != s->len)
		r = cli_fail(run->c, CLV_E_INVALID, "use --fd or --files",
		    "%s holds a zero byte, which no environment can", name);
	else if (setenv(left, (const char *)s->data, 1) != 0)
		r = cli_fail(run->c, CLV_E_INVALID, NULL,
		    "'%s' is not a name of a variable", left);
	clv_secret_free(&s);
	return r;
}

static int
write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), r;

	if (fd < 0)
		return CLV_E_SYSTEM;
	r = file_write_all(fd, text, strlen(text));
	close(fd);
	return r;
}

/* Who is not root may mount something only in a user namespace of its own, in
 * which it stays who it is. */
static int
own_namespace(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char map[64];

	if (uid == 0)
		return unshare(CLONE_NEWNS) == 0 ? CLV_OK : CLV_E_SYSTEM;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0 ||
	    write_file("/proc/self/setgroups", "deny") != CLV_OK)
		return CLV_E_SYSTEM;
	snprintf(map, sizeof(map), "%u %u 1", (unsigned)uid, (unsigned)uid);
	if (write_file("/proc/self/uid_map", map) != CLV_OK)
		return CLV_E_SYSTEM;
	snprintf(map, sizeof(map), "%u %u 1", (unsigned)gid, (unsigned)gid);
	return write_file("/proc/self/gid_map", map);
}

/* A file system in memory over the daemon's empty folder; one that never goes
 * to swap where the kernel has it. */
static int
mount_dir(struct run *run)
{
	const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;

	snprintf(
	    run->dir, sizeof(run->dir), "%s/secrets", run->c->config.run_dir);
	/* /proc/self belongs to root while we cannot be dumped. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	if (own_namespace() != CLV_OK ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    (mount("tmpfs", run->dir, "tmpfs", flags,
		 "mode=0700,size=8m,noswap") != 0 &&
		mount("tmpfs", run->dir, "tmpfs", flags, "mode=0700,size=8m") !=
		    0)) {
		int error = errno;

		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
		return cli_fail(run->c, CLV_E_SYSTEM,
		    "use --fd, which needs no rights",
		    "a private folder cannot be made at %s: %s", run->dir,
		    strerror(error));
	}
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	setenv(DIR_VARIABLE, run->dir, 1);
	return CLV_OK;
}

/* A secret "a/b" is the file "b" in the folder "a". */
static int
make_folders(char *path, size_t base)
{
	for (char *p = path + base + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		if (mkdir(path, 0700) != 0 && errno != EEXIST)
			return CLV_E_SYSTEM;
		*p = '/';
	}
	return CLV_OK;
}

static int
put_file(struct run *run, const char *left, const char *name)
{
	struct clv_secret *s = NULL;
	char path[600];
	int fd = -1, r;

	(void)left;
	r = get(run, name, &s);
	if (r != CLV_OK)
		return r;
	/* The name is one that the daemon has taken for a secret's. */
	snprintf(path, sizeof(path), "%s/%s", run->dir, name);
	if (strstr(path, "/../") != NULL ||
	    make_folders(path, strlen(run->dir)) != CLV_OK ||
	    (fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400)) <
		0 ||
	    file_write_all(fd, s->data, s->len) != CLV_OK)
		r = cli_fail(run->c, CLV_E_SYSTEM, NULL,
		    "%s cannot be written: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	clv_secret_free(&s);
	return r;
}

static int
prepare(struct run *run)
{
	struct cli *c = run->c;
	int r;

	if (cli_opt(c, "fd") == NULL && cli_opt(c, "files") == NULL &&
	    cli_opt(c, "env") == NULL)
		return cli_fail(c, CLV_E_USAGE, "claviger run --help",
		    "which secrets? give --fd, --files or --env");
	r = cli_api_open(c, &run->api);
	if (r == CLV_OK)
		r = each(run, "env", true, put_env);
	if (r == CLV_OK && cli_opt(c, "files") != NULL)
		r = mount_dir(run);
	if (r == CLV_OK)
		r = each(run, "files", false, put_file);
	/* Last: a number may be one that we use ourselves. */
	if (r == CLV_OK)
		r = each(run, "fd", true, put_fd);
	return r;
}

int
cli_run(struct cli *c)
{
	struct run run = {.c = c};
	int r;

	r = prepare(&run);
	clv_client_close(&run.api);
	if (r != CLV_OK)
		return r;
	clv_guard_free_all(&c->guard);
	execvp(c->args[1], c->args + 1);
	return cli_fail(c, errno == ENOENT ? CLV_E_NOT_FOUND : CLV_E_SYSTEM,
	    NULL, "%s cannot be run: %s", c->args[1], strerror(errno));
}
