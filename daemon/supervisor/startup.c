/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <claviger/result.h>
#include "daemon/base/log.h"
#include "daemon/supervisor/process.h"
#include "daemon/base/identity_cred.h"
#include "daemon/supervisor/supervisor.h"

#define LOCK "clavigerd.lock"
#define BACKLOG 128

static int
failed(const char *what, const char *path)
{
	log_error("%s %s: %s", path, what, strerror(errno));
	return CLV_E_SYSTEM;
}

static int
user_check(const char *key, const char *user, uid_t *ret_uid)
{
	gid_t gid;
	int rc = process_user(user, ret_uid, &gid);

	if (rc == CLV_E_NOT_FOUND)
		log_error("%s: user %s does not exist: make it by "
			  "systemd-sysusers, or useradd --system %s",
		    key, user, user);
	else if (rc == CLV_E_PERMISSION)
		log_error("%s: %s must not be root", key, user);
	else if (rc != CLV_OK)
		log_error("%s: user %s: %s", key, user, strerror(errno));
	return rc;
}

int
startup_users(const struct config *c)
{
	uid_t keeper, front;
	int rc;

	if ((rc = user_check("user", c->user, &keeper)) != CLV_OK ||
	    (rc = user_check("front_user", c->front_user, &front)) != CLV_OK)
		return rc;
	if (keeper == front) {
		log_error("user and front_user must be two users: %s and %s "
			  "are one",
		    c->user, c->front_user);
		return CLV_E_CONFIG;
	}
	return CLV_OK;
}

/* Only what is really a folder of that owner, that no other may change. It is
 * looked at, not read: the unit leaves root no right to the others' files. */
static int
dir_check(const char *dir, uid_t owner, mode_t forbidden, int *ret_fd)
{
	const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	struct stat st;
	int fd;

	if ((fd = open(dir, flags)) < 0)
		return failed("cannot be opened", dir);
	if (fstat(fd, &st) != 0) {
		close(fd);
		return failed("cannot be examined", dir);
	}
	if (st.st_uid != owner || (st.st_mode & forbidden) != 0) {
		log_error("%s must belong to uid %u and be mode %04o or less; "
			  "it belongs to uid %u and is mode %04o%s",
		    dir, (unsigned)owner, 0777u & ~(unsigned)forbidden,
		    (unsigned)st.st_uid, (unsigned)st.st_mode & 07777,
		    st.st_uid != owner ? ": give it to that user, with all "
					 "that is in it (chown -R)"
				       : "");
		close(fd);
		return CLV_E_PERMISSION;
	}
	*ret_fd = fd;
	return CLV_OK;
}

static int
run_dir_open(const struct config *c, int *ret_fd)
{
	mode_t mask = umask(022);
	int rc = mkdir(c->run_dir, 0755);

	umask(mask);
	if (rc != 0 && errno != EEXIST)
		return failed("cannot be made", c->run_dir);
	return dir_check(c->run_dir, 0, 022, ret_fd);
}

/* Empty for ever: `claviger run` mounts over it, for itself alone. */
static int
secrets_dir(int run_dir)
{
	mode_t mask = umask(022);
	int rc = mkdirat(run_dir, "secrets", 0755);

	umask(mask);
	return rc == 0 || errno == EEXIST ? CLV_OK
					  : failed("cannot be made", "secrets");
}

int
startup_lock(const struct config *c, int *ret_fd)
{
	const int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
	int dir, fd, error, rc;

	if ((rc = run_dir_open(c, &dir)) != CLV_OK)
		return rc;
	fd = openat(dir, LOCK, flags, 0600);
	rc = secrets_dir(dir);
	close(dir);
	if (fd < 0)
		return failed("cannot hold a lock", c->run_dir);
	if (rc != CLV_OK) {
		close(fd);
		return rc;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		error = errno;
		close(fd);
		errno = error;
		if (error != EWOULDBLOCK)
			return failed("cannot be locked", c->run_dir);
		log_error("another clavigerd runs already with %s", c->run_dir);
		return CLV_E_EXISTS;
	}
	*ret_fd = fd;
	return CLV_OK;
}

/* Who may connect; who may do what is decided by whom the kernel says they
 * are. */
static const struct {
	const char *name;
	int type;
	mode_t mode;
} sockets[N_SOCKETS] = {
    [SOCKET_CONTROL] = {"control.sock", SOCK_SEQPACKET, 0600},
    [SOCKET_API] = {"api.sock", SOCK_SEQPACKET, 0666},
    [SOCKET_CREDENTIALS] = {"credentials.sock", SOCK_STREAM, 0600},
};

static int
socket_address(
    const struct config *c, enum socket which, struct sockaddr_un *sa)
{
	int n;

	memset(sa, 0, sizeof(*sa));
	sa->sun_family = AF_UNIX;
	n = snprintf(sa->sun_path, sizeof(sa->sun_path), "%s/%s", c->run_dir,
	    sockets[which].name);
	if (n < 0 || (size_t)n >= sizeof(sa->sun_path)) {
		log_error("run_dir is too long for a socket: %s", c->run_dir);
		return CLV_E_CONFIG;
	}
	return CLV_OK;
}

/* Does anybody answer there? Only a refused connection proves that nobody
 * does: a full backlog is a living daemon. */
static int
socket_clear(const struct sockaddr_un *sa, int type)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int rc, error;

	if (fd < 0)
		return failed("cannot be tried", sa->sun_path);
	rc = connect(fd, (const struct sockaddr *)sa, sizeof(*sa));
	error = errno;
	close(fd);
	if (rc != 0 && error == ENOENT)
		return CLV_OK;
	if (rc != 0 && error == ECONNREFUSED) {
		if (unlink(sa->sun_path) != 0)
			return failed("is stale and stays", sa->sun_path);
		return CLV_OK;
	}
	if (rc != 0 && error != EAGAIN) {
		errno = error;
		return failed("is in the way", sa->sun_path);
	}
	log_error("another clavigerd answers on %s", sa->sun_path);
	return CLV_E_EXISTS;
}

/* bind() made it by the mask; looked at, not assumed (some file systems keep
 * no modes of sockets). */
static int
socket_bind(int fd, const struct sockaddr_un *sa, mode_t mode)
{
	mode_t mask = umask(0777 & ~mode);
	int rc = bind(fd, (const struct sockaddr *)sa, sizeof(*sa));
	struct stat st;

	umask(mask);
	if (rc != 0)
		return failed("cannot be bound", sa->sun_path);
	if (lstat(sa->sun_path, &st) != 0)
		return failed("cannot be examined", sa->sun_path);
	if (!S_ISSOCK(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & 0777 & ~mode) != 0) {
		log_error("%s is not a socket of root of mode %04o",
		    sa->sun_path, (unsigned)mode);
		return CLV_E_PERMISSION;
	}
	if (listen(fd, BACKLOG) != 0)
		return failed("cannot listen", sa->sun_path);
	return CLV_OK;
}

static int
socket_open(const struct config *c, enum socket which, int *ret_fd)
{
	const int type = sockets[which].type;
	struct sockaddr_un sa;
	int fd, rc;

	if ((rc = socket_address(c, which, &sa)) != CLV_OK ||
	    (rc = socket_clear(&sa, type)) != CLV_OK)
		return rc;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return failed("cannot be made", sa.sun_path);
	if ((rc = socket_bind(fd, &sa, sockets[which].mode)) != CLV_OK) {
		close(fd);
		return rc;
	}
	*ret_fd = fd;
	return CLV_OK;
}

int
startup_sockets(const struct config *c, int ret_fd[static N_SOCKETS])
{
	int rc = CLV_OK;

	for (int i = 0; rc == CLV_OK && i < N_SOCKETS; i++)
		rc = socket_open(c, (enum socket)i, &ret_fd[i]);
	return rc;
}

void
startup_sockets_remove(const struct config *c)
{
	struct sockaddr_un sa;

	for (int i = 0; i < N_SOCKETS; i++)
		if (socket_address(c, (enum socket)i, &sa) == CLV_OK)
			unlink(sa.sun_path);
}

int
startup_state_dir(const struct config *c)
{
	uid_t uid;
	gid_t gid;
	int fd, rc;

	if ((rc = process_user(c->user, &uid, &gid)) != CLV_OK)
		return rc;
	if (mkdir(c->state_dir, 0700) == 0) {
		if (chown(c->state_dir, uid, gid) != 0)
			return failed(
			    "cannot be given to its user", c->state_dir);
	} else if (errno != EEXIST) {
		return failed("cannot be made", c->state_dir);
	}
	if ((rc = dir_check(c->state_dir, uid, 077, &fd)) == CLV_OK)
		close(fd);
	return rc;
}

/* The unit leaves root no right to the others' files: they are looked at as
 * their owner. That undoes the dumpable flag. */
static void
files_of(uid_t uid)
{
	setfsuid(uid);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int
startup_identity(const struct config *c, int *ret_fd)
{
	char path[512], why[IDENTITY_CRED_WHY_LEN];
	struct stat st;
	bool plain;
	uid_t uid;
	gid_t gid;
	int rc;

	if ((rc = process_user(c->user, &uid, &gid)) != CLV_OK)
		return rc;
	snprintf(path, sizeof(path), "%s/identity", c->state_dir);
	files_of(uid);
	plain = c->system[0] == '\0' || lstat(path, &st) == 0;
	rc = plain ? CLV_OK : identity_cred_open(c->state_dir, ret_fd, why);
	files_of(0);
	if (rc == CLV_OK || rc == CLV_E_NOT_FOUND)
		return CLV_OK;
	log_error("%s/" IDENTITY_CRED_FILE " does not open on this machine: %s",
	    c->state_dir, why);
	return rc;
}
