/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <claviger/result.h>
#include "daemon/base/state.h"

#define TEMP_TRIES 100

static int
errno_result(void)
{
	switch (errno) {
	case ENOENT: return CLV_E_NOT_FOUND;
	case EACCES:
	case EPERM:
	case ELOOP: return CLV_E_PERMISSION;
	case ENOMEM: return CLV_E_NOMEM;
	default: return CLV_E_SYSTEM;
	}
}

/* Is what we locked still what stands under that name, and ours alone? */
static bool
temp_is_ours(int dir, const char *temp, int fd)
{
	struct stat held, named;

	return fstat(fd, &held) == 0 &&
	       fstatat(dir, temp, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       held.st_ino == named.st_ino && held.st_dev == named.st_dev &&
	       S_ISREG(held.st_mode) && held.st_nlink == 1 &&
	       held.st_uid == geteuid();
}

/*
 * One fixed temporary name, so that a crash leaves at most one, and its lock,
 * so that of two writers each writes a file of its own: whoever waited finds
 * the name gone or another file there, and begins again.
 */
static int
temp_open(int dir, const char *temp, int *ret_fd)
{
	const int flags =
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
	int tries, fd;

	for (tries = 0; tries < TEMP_TRIES; tries++) {
		if ((fd = openat(dir, temp, flags, 0600)) < 0)
			return errno_result();
		if (flock(fd, LOCK_EX) == 0 && temp_is_ours(dir, temp, fd) &&
		    ftruncate(fd, 0) == 0) {
			*ret_fd = fd;
			return CLV_OK;
		}
		close(fd);
	}
	errno = EBUSY;
	return CLV_E_SYSTEM;
}

int
file_write_all(int fd, const void *data, size_t len)
{
	const uint8_t *p = data;
	ssize_t n;

	while (len > 0) {
		n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return CLV_E_SYSTEM;
		p += n;
		len -= (size_t)n;
	}
	return CLV_OK;
}

/* A failed sync is final: the kernel may have dropped the dirty pages, so a
 * second one that succeeds would prove nothing. */
static int
temp_fill(int fd, const void *p, size_t len, unsigned mode)
{
	if (file_write_all(fd, p, len) != CLV_OK || fchmod(fd, mode) != 0 ||
	    fsync(fd) != 0)
		return CLV_E_SYSTEM;
	return CLV_OK;
}

static int
dir_open(const char *dir, int *ret_fd)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return errno_result();
	*ret_fd = fd;
	return CLV_OK;
}

/* A plain name: nothing that leaves the directory. */
static int
temp_name(const char *name, char *dst, size_t cap)
{
	int n = snprintf(dst, cap, ".%s.new", name);

	if (name[0] == '\0' || strchr(name, '/') != NULL || n < 0 ||
	    (size_t)n >= cap)
		return CLV_E_INVALID;
	return CLV_OK;
}

int
file_replace(
    const char *dir, const char *name, const void *p, size_t len, unsigned mode)
{
	char temp[128];
	int dfd = -1, fd = -1, rc, saved;

	if ((rc = temp_name(name, temp, sizeof(temp))) != CLV_OK ||
	    (rc = dir_open(dir, &dfd)) != CLV_OK)
		return rc;
	if ((rc = temp_open(dfd, temp, &fd)) != CLV_OK)
		goto out;
	rc = temp_fill(fd, p, len, mode);
	if (rc == CLV_OK && renameat(dfd, temp, dfd, name) != 0)
		rc = CLV_E_SYSTEM;
	if (rc != CLV_OK) {
		saved = errno;
		unlinkat(dfd, temp, 0);
		errno = saved;
		goto out;
	}
	if (fsync(dfd) != 0)
		rc = CLV_E_SYSTEM;
out:
	saved = errno;
	if (fd >= 0)
		close(fd);
	close(dfd);
	errno = saved;
	return rc;
}

const char *
file_why(int result)
{
	return result == CLV_E_SYSTEM ? strerror(errno)
				      : clv_result_text(result);
}

/* Up to len bytes; CLV_E_SYSTEM, or the number read. */
static int
read_all(int fd, uint8_t *p, size_t len, size_t *ret_len)
{
	size_t got = 0;
	ssize_t n;

	while (got < len) {
		n = read(fd, p + got, len - got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return CLV_E_SYSTEM;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	*ret_len = got;
	return CLV_OK;
}

static int
read_open(int fd, size_t max, void **ret_p, size_t *ret_len)
{
	struct stat st;
	size_t size, got = 0;
	uint8_t *p;
	int rc;

	if (fstat(fd, &st) != 0)
		return CLV_E_SYSTEM;
	if (!S_ISREG(st.st_mode))
		return CLV_E_PERMISSION;
	if (st.st_size < 0 || (uintmax_t)st.st_size > max)
		return CLV_E_FULL;
	size = (size_t)st.st_size;
	if ((p = malloc(size + 1)) == NULL)
		return CLV_E_NOMEM;
	/* One byte more than it was: it must not have grown meanwhile. */
	if ((rc = read_all(fd, p, size + 1, &got)) == CLV_OK && got > size)
		rc = CLV_E_FULL;
	if (rc != CLV_OK) {
		free(p);
		return rc;
	}
	p[got] = '\0';
	*ret_p = p;
	*ret_len = got;
	return CLV_OK;
}

int
file_read(const char *dir, const char *name, size_t max, void **ret_p,
    size_t *ret_len)
{
	const int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
	int dfd = -1, fd, rc, saved;

	if ((rc = dir_open(dir, &dfd)) != CLV_OK)
		return rc;
	fd = openat(dfd, name, flags);
	saved = errno;
	close(dfd);
	errno = saved;
	if (fd < 0)
		return errno_result();
	rc = read_open(fd, max, ret_p, ret_len);
	saved = errno;
	close(fd);
	errno = saved;
	return rc;
}
