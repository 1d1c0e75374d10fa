/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/securebits.h>

#include <claviger/result.h>
#include "daemon/supervisor/process.h"
#include "daemon/base/identity_cred.h"

/*
 * The daemon hardens itself, because Pacemaker starts it without systemd's
 * sandbox. The system call filters are in seccomp.c.
 */

#define N_FILES 16384		      /* the front: 12000 connections */
#define MEMLOCK_MIN ((rlim_t)1 << 20) /* more than the arena needs */
#define DEFAULT_PATH "/usr/sbin:/usr/bin:/sbin:/bin"

extern char **environ;

static const char *const kept_env[] = {
    "PATH", "TZ", "NOTIFY_SOCKET", IDENTITY_CRED_DEVICE};
#define N_KEPT (sizeof(kept_env) / sizeof(kept_env[0]))

/* What is taken away is overwritten too: /proc/PID/environ shows the original
 * strings for as long as the process lives. */
static void
env_clean(void)
{
	char *kept[N_KEPT] = {NULL};
	const char *value;
	size_t i;
	char **e;

	for (i = 0; i < N_KEPT; i++) {
		if ((value = getenv(kept_env[i])) != NULL)
			kept[i] = strdup(value);
	}
	for (e = environ; e != NULL && *e != NULL; e++)
		memset(*e, 0, strlen(*e));
	clearenv();
	for (i = 0; i < N_KEPT; i++) {
		if (kept[i] != NULL)
			setenv(kept_env[i], kept[i], 1);
		free(kept[i]);
	}
	setenv("PATH", DEFAULT_PATH, 0);
}

/* 0, 1 and 2 must be something, or a socket would become standard error. */
static void
fds_clean(void)
{
	int fd;

	while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= STDERR_FILENO)
		;
	process_close_from(STDERR_FILENO + 1);
}

void
process_close_from(int first)
{
	struct rlimit lim;
	int fd;

	if (close_range((unsigned)first, ~0u, 0) == 0)
		return;
	if (getrlimit(RLIMIT_NOFILE, &lim) != 0)
		lim.rlim_cur = N_FILES;
	for (fd = first; (rlim_t)fd < lim.rlim_cur; fd++)
		close(fd);
}

void
process_detach(void)
{
	int fd, null;

	if (isatty(STDERR_FILENO) ||
	    (null = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0)
		return;
	for (fd = 0; fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
	close(null);
}

/* What the starter ignored or blocked is not ours: an ignored SIGCHLD, for
 * one, would hide how a child ended. */
static void
signals_clean(void)
{
	sigset_t none;
	int sig;

	for (sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/*
 * A core limit of 0 does not stop a core handler behind a pipe; the kernel
 * takes the value 1 to mean that nothing is to be dumped.
 */
static void
limits_clean(void)
{
	struct rlimit core = {1, 1}, files = {N_FILES, N_FILES}, lock;

	if (setrlimit(RLIMIT_CORE, &core) != 0) {
		core.rlim_cur = core.rlim_max = 0;
		setrlimit(RLIMIT_CORE, &core);
	}
	setrlimit(RLIMIT_NOFILE, &files);
	if (getrlimit(RLIMIT_MEMLOCK, &lock) == 0 &&
	    lock.rlim_cur < MEMLOCK_MIN) {
		lock.rlim_cur = MEMLOCK_MIN;
		if (lock.rlim_max < MEMLOCK_MIN)
			lock.rlim_max = MEMLOCK_MIN;
		setrlimit(RLIMIT_MEMLOCK, &lock);
	}
}

void
process_clean(void)
{
	env_clean();
	umask(077);
	fds_clean();
	signals_clean();
	limits_clean();
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* While the rights to do so are still there: nothing may come back. */
static int
drop_for_ever(void)
{
	const unsigned long bits =
	    SECBIT_NOROOT | SECBIT_NOROOT_LOCKED |
	    SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
	    SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
	unsigned long cap;

	for (cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0)
			return CLV_E_SYSTEM;
	}
	if (prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) != 0 ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
		return CLV_E_SYSTEM;
	return CLV_OK;
}

static int
drop_user(uid_t uid, gid_t gid)
{
	uid_t r, e, s;

	if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 ||
	    setresuid(uid, uid, uid) != 0)
		return CLV_E_SYSTEM;
	if (getresuid(&r, &e, &s) != 0 || r != uid || e != uid || s != uid ||
	    getgroups(0, NULL) != 0)
		return CLV_E_PERMISSION;
	return CLV_OK;
}

static int
drop_capabilities(void)
{
	struct __user_cap_header_struct head = {
	    .version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2];

	memset(none, 0, sizeof(none));
	return syscall(SYS_capset, &head, none) == 0 ? CLV_OK : CLV_E_SYSTEM;
}

/* setresuid() undoes both PDEATHSIG and the dumpable flag: these come last. */
static int
drop_flags(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
		return CLV_E_SYSTEM;
	return CLV_OK;
}

int
process_user(const char *user, uid_t *ret_uid, gid_t *ret_gid)
{
	const struct passwd *pw;

	errno = 0;
	if ((pw = getpwnam(user)) == NULL)
		return errno == 0 || errno == ENOENT ? CLV_E_NOT_FOUND
						     : CLV_E_SYSTEM;
	if (pw->pw_uid == 0 || pw->pw_gid == 0)
		return CLV_E_PERMISSION;
	*ret_uid = pw->pw_uid;
	*ret_gid = pw->pw_gid;
	return CLV_OK;
}

int
process_drop(const char *user)
{
	uid_t uid;
	gid_t gid;
	int rc;

	if ((rc = process_user(user, &uid, &gid)) != CLV_OK ||
	    (rc = drop_for_ever()) != CLV_OK ||
	    (rc = drop_user(uid, gid)) != CLV_OK ||
	    (rc = drop_capabilities()) != CLV_OK)
		return rc;
	if (setresuid(0, 0, 0) == 0 || setresgid(0, 0, 0) == 0)
		return CLV_E_PERMISSION;
	return drop_flags();
}
