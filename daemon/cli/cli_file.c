/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sodium.h>
#include "daemon/cli/cli.h"
#include "daemon/base/state.h"

void
cli_undo_add(struct cli_undo *u, const char *path, bool is_dir)
{
	if (u == NULL || u->n == CLI_UNDO_MAX)
		return;
	snprintf(u->path[u->n], sizeof(u->path[0]), "%s", path);
	u->is_dir[u->n++] = is_dir;
}

void
cli_undo_forget(struct cli_undo *u)
{
	free(u->config_was);
	memset(u, 0, sizeof(*u));
}

/* Put p at path, as config_save() does it. */
static int
replace(const char *path, const void *p, size_t len, unsigned mode)
{
	char dir[256], base[256];

	snprintf(dir, sizeof(dir), "%s", path);
	snprintf(base, sizeof(base), "%s", path);
	return file_replace(dirname(dir), basename(base), p, len, mode);
}

void
cli_undo_run(struct cli *c, struct cli_undo *u)
{
	if (u->config_was != NULL &&
	    replace(c->path, u->config_was, u->config_was_len, 0644) != CLV_OK)
		cli_warn(c, "%s could not be put back as it was", c->path);
	while (u->n > 0) {
		u->n--;
		if (u->is_dir[u->n])
			rmdir(u->path[u->n]);
		else
			unlink(u->path[u->n]);
	}
	cli_undo_forget(u);
}

int
cli_become(struct cli *c, const struct config *config)
{
	struct passwd *pw = getpwnam(config->user);

	if (pw == NULL)
		return cli_fail(c, CLV_E_NOT_FOUND,
		    "useradd --system --user-group --no-create-home "
		    "--shell /usr/sbin/nologin NAME",
		    "the service's user '%s' does not exist on this host",
		    config->user);
	if (setegid(pw->pw_gid) != 0 || seteuid(pw->pw_uid) != 0) {
		cli_unbecome();
		return cli_fail(c, CLV_E_SYSTEM, "run it as root",
		    "cannot act as user '%s': %s", config->user,
		    strerror(errno));
	}
	return CLV_OK;
}

void
cli_unbecome(void)
{
	/* Back to the saved ids; if that fails nothing may go on. */
	if (seteuid(getuid()) != 0 || setegid(getgid()) != 0)
		abort();
}

static int
make_dir(struct cli *c, const char *path, unsigned mode, const char *user,
    struct cli_undo *undo)
{
	struct passwd *pw = user != NULL ? getpwnam(user) : NULL;

	if (user != NULL && pw == NULL)
		return CLV_OK; /* cli_become() says so */
	if (mkdir(path, mode) != 0) {
		if (errno == EEXIST)
			return CLV_OK;
		return cli_fail(c, CLV_E_SYSTEM,
		    "make its parent folder, or choose another in the "
		    "configuration",
		    "folder %s cannot be made: %s", path, strerror(errno));
	}
	cli_undo_add(undo, path, true);
	if (chmod(path, mode) != 0 ||
	    (pw != NULL && lchown(path, pw->pw_uid, pw->pw_gid) != 0))
		return cli_fail(c, CLV_E_SYSTEM, NULL,
		    "folder %s cannot be given its owner: %s", path,
		    strerror(errno));
	return CLV_OK;
}

int
cli_state_dir(struct cli *c, const struct config *config, struct cli_undo *undo,
    int *ret_fd)
{
	int fd, r = make_dir(c, config->state_dir, 0700, config->user, undo);

	if (r == CLV_OK)
		r = cli_become(c, config);
	if (r != CLV_OK)
		return r;
	fd = open(config->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = fd < 0 || access(config->state_dir, W_OK) != 0 ? errno : 0;
	cli_unbecome();
	if (r != 0) {
		if (fd >= 0)
			close(fd);
		return cli_fail(c, CLV_E_PERMISSION,
		    "give that folder to this user, mode 0700",
		    "user '%s' cannot use %s: %s", config->user,
		    config->state_dir, strerror(r));
	}
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		close(fd);
		return cli_fail(c, CLV_E_BUSY, "wait for it to end",
		    "another claviger works on %s at this moment",
		    config->state_dir);
	}
	*ret_fd = fd;
	return CLV_OK;
}

int
cli_state_put(struct cli *c, const struct config *config, const char *name,
    const void *p, size_t len, unsigned mode, struct cli_undo *undo)
{
	char path[320];
	int r = cli_become(c, config), saved;

	if (r != CLV_OK)
		return r;
	snprintf(path, sizeof(path), "%s/%s", config->state_dir, name);
	cli_undo_add(undo, path, false);
	r = file_replace(config->state_dir, name, p, len, mode);
	saved = errno;
	cli_unbecome();
	if (r == CLV_OK)
		return r;
	return cli_fail(c, r, "look at the disk and at the folder's owner",
	    "%s cannot be written: %s", path,
	    r == CLV_E_SYSTEM ? strerror(saved) : clv_result_text(r));
}

int
cli_config_put(
    struct cli *c, const struct config *config, struct cli_undo *undo)
{
	char dir[256], why[256] = "";
	bool fresh = access(c->path, F_OK) != 0;
	int r;

	snprintf(dir, sizeof(dir), "%s", c->path);
	r = make_dir(c, dirname(dir), 0755, NULL, undo);
	if (r != CLV_OK)
		return r;
	if (fresh)
		cli_undo_add(undo, c->path, false);
	else if (undo != NULL)
		r = cli_file_read(c, c->path, 65536, &undo->config_was,
		    &undo->config_was_len);
	if (r != CLV_OK)
		return r;
	r = config_save(config, c->path, why);
	return r == CLV_OK ? r
			   : cli_fail(c, r, "look at the disk",
				 "%s cannot be written: %s", c->path,
				 why[0] != '\0' ? why : clv_result_text(r));
}

static int
read_fd(int fd, size_t max, void **ret_p, size_t *ret_len)
{
	uint8_t *p = malloc(max + 1);
	size_t len = 0;
	ssize_t n = 1;

	if (p == NULL)
		return CLV_E_NOMEM;
	while (n > 0 && len <= max) {
		n = read(fd, p + len, max + 1 - len);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			len += (size_t)n;
	}
	if (n < 0 || len > max) {
		sodium_memzero(p, len); /* it may be a secret */
		free(p);
		return n < 0 ? CLV_E_SYSTEM : CLV_E_FULL;
	}
	*ret_p = p;
	*ret_len = len;
	return CLV_OK;
}

int
cli_file_read(
    struct cli *c, const char *path, size_t max, void **ret_p, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int r = fd < 0 ? CLV_E_SYSTEM : read_fd(fd, max, ret_p, ret_len);
	int saved = errno;

	if (fd >= 0)
		close(fd);
	if (r == CLV_OK)
		return r;
	if (r == CLV_E_SYSTEM && saved == ENOENT)
		r = CLV_E_NOT_FOUND;
	return cli_fail(c, r, "look at the name of the file",
	    "%s cannot be read: %s", path,
	    r == CLV_E_FULL ? "it is too large to be such a file"
			    : strerror(saved));
}

/* As a backup's: who else can write there could put another one in its place.
 */
static int
check_dir(struct cli *c, const char *path)
{
	char dir[256];
	struct stat st;

	snprintf(dir, sizeof(dir), "%s", path);
	if (stat(dirname(dir), &st) != 0)
		return cli_fail(c,
		    errno == ENOENT ? CLV_E_NOT_FOUND : CLV_E_SYSTEM,
		    "make its directory, owned by root",
		    "%s cannot be written: "
		    "%s",
		    path, strerror(errno));
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return cli_fail(c, CLV_E_PERMISSION,
		    "choose a directory of your own or of root's",
		    "the directory of %s belongs to somebody else", path);
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return cli_fail(c, CLV_E_PERMISSION,
		    "take that right away (chmod go-w), or choose another one",
		    "others can write in the directory of %s", path);
	return CLV_OK;
}

int
cli_file_put(
    struct cli *c, const char *path, const void *p, size_t len, unsigned mode)
{
	int r;

	if (strlen(path) >= 256)
		return cli_fail(
		    c, CLV_E_INVALID, NULL, "that name is too long");
	r = check_dir(c, path);
	if (r != CLV_OK)
		return r;
	r = replace(path, p, len, mode);
	if (r == CLV_OK)
		return r;
	return cli_fail(c, r, "look at the disk and at the name of the file",
	    "%s cannot be written: %s", path, file_why(r));
}

/* What is written into the configuration must not depend on a folder. */
int
cli_absolute(struct cli *c, const char *path, char *dst, size_t cap)
{
	char *real = realpath(path, NULL);
	int n;

	if (real == NULL)
		return cli_fail(c,
		    errno == ENOENT ? CLV_E_NOT_FOUND : CLV_E_SYSTEM,
		    "look at the name of the file", "%s cannot be used: %s",
		    path, strerror(errno));
	n = snprintf(dst, cap, "%s", real);
	free(real);
	return (size_t)n < cap ? CLV_OK
			       : cli_fail(c, CLV_E_INVALID, NULL,
				     "the name of %s is too long", path);
}

/* The front opens the password file by itself, as its own user: found out here,
 * not by a daemon that cannot connect. */
int
cli_passfile_check(struct cli *c, const struct config *config)
{
	struct config front = *config;
	int fd, saved, r;

	if (config->database_passfile[0] == '\0')
		return CLV_OK;
	snprintf(front.user, sizeof(front.user), "%s", config->front_user);
	r = cli_become(c, &front);
	if (r != CLV_OK)
		return r;
	fd = open(config->database_passfile, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	saved = errno;
	cli_unbecome();
	if (fd >= 0) {
		close(fd);
		return CLV_OK;
	}
	return cli_fail(c, CLV_E_PERMISSION,
	    "give it to that user (chown), mode 0600, in a folder that it may "
	    "enter",
	    "the service's user '%s' cannot read the password file %s: %s",
	    config->front_user, config->database_passfile, strerror(saved));
}
