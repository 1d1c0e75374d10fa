/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <config.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sodium.h>
#include <claviger/age.h>
#include <claviger/buf.h>
#include <claviger/result.h>
#include "lib/backup_impl.h"

#define TEMP_PREFIX ".claviger-backup-"
#define TEMP_LEN (sizeof(TEMP_PREFIX) + 16)

/* A backup on its way: under a temporary name until it has been read back. */
struct draft {
	struct clv_guard *guard;
	const char *path;
	const char *name; /* its last part */
	int dir;
	int fd;
	char temp[TEMP_LEN];
	bool is_temp;  /* something stands under the temporary name */
	bool is_named; /* it has its name, but perhaps not for good */
	int error;     /* errno of the write that failed */
	char *why;
};

/* Who else can write there could put another file in the backup's place. */
static int
check_dir(struct draft *d)
{
	struct stat st;

	if (fstat(d->dir, &st) != 0)
		return clv__backup_why_errno(
		    d->why, "look at the directory of", d->path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return clv__backup_why(d->why, CLV_E_PERMISSION,
		    "the directory of %.100s belongs to somebody else; choose "
		    "one of your own or of root's",
		    d->path);
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return clv__backup_why(d->why, CLV_E_PERMISSION,
		    "others can write in the directory of %.100s; take that "
		    "right away (chmod go-w) or choose another directory",
		    d->path);
	return CLV_OK;
}

static int
open_dir(struct draft *d)
{
	const char *slash = strrchr(d->path, '/');
	size_t len = slash == NULL ? 0 : (size_t)(slash - d->path);
	char dir[4096] = ".";

	d->name = slash == NULL ? d->path : slash + 1;
	if (d->name[0] == '\0' || strcmp(d->name, ".") == 0 ||
	    strcmp(d->name, "..") == 0 || len >= sizeof(dir))
		return clv__backup_why(d->why, CLV_E_INVALID,
		    "\"%.100s\" does not end in the name of a file; give the "
		    "path of the backup to write",
		    d->path);
	if (slash != NULL)
		snprintf(dir, sizeof(dir), "%.*s", (int)(len == 0 ? 1 : len),
		    d->path);
	d->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->dir < 0)
		return clv__backup_why_errno(
		    d->why, "open the directory of", d->path);
	return check_dir(d);
}

static int
why_exists(struct draft *d)
{
	return clv__backup_why(d->why, CLV_E_EXISTS,
	    "%.100s exists already and a backup is never overwritten; choose "
	    "another name or move it away",
	    d->path);
}

static int
open_temp(struct draft *d)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	struct stat st;
	uint64_t number;

	/* Told early: the last word has the rename. */
	if (fstatat(d->dir, d->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return why_exists(d);
	randombytes_buf(&number, sizeof(number));
	snprintf(d->temp, sizeof(d->temp), TEMP_PREFIX "%016" PRIx64, number);
	d->fd = openat(d->dir, d->temp, flags, 0400);
	if (d->fd < 0)
		return clv__backup_why_errno(
		    d->why, "make a file beside", d->path);
	d->is_temp = true;
	return CLV_OK;
}

static int
write_fd(void *arg, const void *p, size_t len)
{
	struct draft *d = arg;
	const char *at = p;

	while (len > 0) {
		ssize_t n = write(d->fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ENOSPC; /* or we would try for ever */
		if (n <= 0) {
			d->error = errno;
			return CLV_E_SYSTEM;
		}
		at += n;
		len -= (size_t)n;
	}
	return CLV_OK;
}

static int
why_not_written(struct draft *d, int r)
{
	switch (r) {
	case CLV_E_SYSTEM:
		errno = d->error;
		return clv__backup_why_errno(d->why, "write", d->path);
	case CLV_E_NOMEM:
		return clv__backup_why(d->why, r,
		    "not enough memory for the backup; scrypt needs 256 MiB "
		    "for a moment, stop something else");
	default:
		return clv__backup_why(d->why, r,
		    "not enough locked memory for the backup; raise "
		    "RLIMIT_MEMLOCK");
	}
}

static int
write_text(struct draft *d, const char *passphrase, unsigned logn,
    const char *text, size_t len)
{
	struct clv_age_writer *w = NULL;
	int r = clv_age_write_passphrase(
	    d->guard, passphrase, logn, false, write_fd, d, &w);

	if (r == CLV_OK)
		r = clv_age_writer_put(w, text, len);
	if (r == CLV_OK)
		r = clv_age_writer_finish(w);
	clv_age_writer_free(&w);
	return r == CLV_OK ? r : why_not_written(d, r);
}

/* After this the content is on the disk, or we know that it is not. */
static int
sync_temp(struct draft *d)
{
	int r = CLV_OK;

	if (fchmod(d->fd, 0400) != 0 || fsync(d->fd) != 0)
		return clv__backup_why_errno(d->why, "write", d->path);
	/* So that reading it back asks the disk, where it can. */
	posix_fadvise(d->fd, 0, 0, POSIX_FADV_DONTNEED);
	if (close(d->fd) != 0)
		r = clv__backup_why_errno(d->why, "write", d->path);
	d->fd = -1;
	return r;
}

static int
compare(struct clv_guard *guard, const struct clv_keyring *k, const char *text,
    size_t len)
{
	char *again = NULL;
	size_t again_len;
	int r = clv_keyring_format(k, &again, &again_len);

	if (r != CLV_OK)
		return r;
	if (again_len != len || sodium_memcmp(again, text, len) != 0)
		r = CLV_E_MISMATCH;
	clv_guard_put(guard, again);
	return r;
}

/* A backup that nobody has opened is none: open it as a restore would. */
static int
read_back(struct draft *d, const char *passphrase, const char *text, size_t len)
{
	struct clv_keyring *k = NULL;
	char why[CLV__BACKUP_WHY_LEN];
	int r;

	d->fd = openat(d->dir, d->temp, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (d->fd < 0)
		return clv__backup_why_errno(d->why, "open again", d->path);
	r = clv__backup_read_fd(
	    d->guard, d->fd, d->path, passphrase, NULL, &k, why);
	if (r == CLV_OK)
		r = compare(d->guard, k, text, len);
	clv_keyring_free(&k);
	if (r == CLV_E_NOMEM || r == CLV_E_FULL)
		return why_not_written(d, r);
	if (r == CLV_OK)
		return r;
	return clv__backup_why(d->why, CLV_E_MISMATCH,
	    "what was read back from the disk for %.100s is not what was "
	    "written; the disk may be failing, choose another one",
	    d->path);
}

/* Some file systems (NFS) cannot rename without replacing, but can link. */
static int
rename_or_link(struct draft *d)
{
	if (renameat2(d->dir, d->temp, d->dir, d->name, RENAME_NOREPLACE) ==
	    0) {
		d->is_temp = false;
		return 0;
	}
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (linkat(d->dir, d->temp, d->dir, d->name, 0) != 0)
		return -1;
	d->is_temp = unlinkat(d->dir, d->temp, 0) != 0;
	return 0;
}

static int
give_name(struct draft *d)
{
	if (rename_or_link(d) != 0 && errno == EEXIST)
		return why_exists(d);
	if (d->is_temp)
		return clv__backup_why_errno(d->why, "name", d->path);
	d->is_named = true;
	/* EINVAL: this file system does not sync directories. */
	if (fsync(d->dir) != 0 && errno != EINVAL)
		return clv__backup_why_errno(d->why, "keep", d->path);
	return CLV_OK;
}

static void
end_draft(struct draft *d, int result)
{
	int saved = errno;

	if (d->is_temp)
		unlinkat(d->dir, d->temp, 0);
	if (d->is_named && result != CLV_OK)
		unlinkat(d->dir, d->name, 0);
	if (d->fd >= 0)
		close(d->fd);
	if (d->dir >= 0)
		close(d->dir);
	errno = saved;
}

int
clv__backup_write(struct clv_guard *guard, const struct clv_keyring *k,
    const char *path, const char *passphrase, unsigned logn,
    char ret_why[static CLV__BACKUP_WHY_LEN])
{
	struct draft d = {.guard = guard, .path = path, .dir = -1, .fd = -1};
	char *text = NULL;
	size_t len;
	int r;

	d.why = ret_why;
	ret_why[0] = '\0';
	r = open_dir(&d);
	if (r == CLV_OK)
		r = open_temp(&d);
	if (r != CLV_OK)
		goto out;
	r = clv_keyring_format(k, &text, &len);
	if (r != CLV_OK) {
		why_not_written(&d, r);
		goto out;
	}
	r = write_text(&d, passphrase, logn, text, len);
	if (r == CLV_OK)
		r = sync_temp(&d);
	if (r == CLV_OK)
		r = read_back(&d, passphrase, text, len);
	if (r == CLV_OK)
		r = give_name(&d);
out:
	clv_guard_put(guard, text);
	end_draft(&d, r);
	return r;
}

int
clv_backup_write(struct clv_guard *guard, const struct clv_keyring *k,
    const char *path, const char *passphrase, char ret_why[static 256])
{
	if (clv_passphrase_check(passphrase) != CLV_OK)
		return clv__backup_why(ret_why, CLV_E_INVALID,
		    "the passphrase has less than %d characters, or a control "
		    "character; take a longer one or have one made",
		    CLV_PASSPHRASE_LEN_MIN);
	return clv__backup_write(
	    guard, k, path, passphrase, CLV_AGE_SCRYPT_LOGN_WRITE, ret_why);
}

/* Byte for byte what was written? There is no key here to open it with. */
static int
compare_bytes(struct draft *d, const struct clv_buf *file)
{
	uint8_t piece[4096];
	size_t at = 0;
	ssize_t n;

	d->fd = openat(d->dir, d->temp, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (d->fd < 0)
		return clv__backup_why_errno(d->why, "open again", d->path);
	while ((n = read(d->fd, piece, sizeof(piece))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return clv__backup_why_errno(
			    d->why, "read again", d->path);
		if ((size_t)n > file->len - at ||
		    memcmp(file->data + at, piece, (size_t)n) != 0)
			break;
		at += (size_t)n;
	}
	if (n == 0 && at == file->len)
		return CLV_OK;
	return clv__backup_why(d->why, CLV_E_MISMATCH,
	    "what was read back from the disk for %.100s is not what was "
	    "written; the disk may be failing, choose another one",
	    d->path);
}

static int
seal_keyring(struct clv_guard *guard, const struct clv_keyring *k,
    const uint8_t pk[static 32], struct clv_buf *ret)
{
	uint8_t recipient[1][CLV_AGE_KEY_LEN];
	char *text = NULL;
	size_t len;
	int r = clv_keyring_format(k, &text, &len);

	memcpy(recipient[0], pk, sizeof(recipient[0]));
	if (r == CLV_OK)
		r = clv_age_seal(guard,
		    (const uint8_t(*)[CLV_AGE_KEY_LEN])recipient, 1, false,
		    text, len, ret);
	clv_guard_put(guard, text);
	return r;
}

int
clv_backup_write_recovery(struct clv_guard *guard, const struct clv_keyring *k,
    const char *path, const uint8_t pk[static 32], char ret_why[static 256])
{
	struct draft d = {.guard = guard, .path = path, .dir = -1, .fd = -1};
	struct clv_buf file;
	int r;

	d.why = ret_why;
	ret_why[0] = '\0';
	clv_buf_init(&file);
	r = seal_keyring(guard, k, pk, &file);
	if (r == CLV_E_INVALID)
		clv__backup_why(ret_why, r,
		    "nothing can be sealed to this recipient; set another one");
	else if (r != CLV_OK)
		why_not_written(&d, r);
	if (r == CLV_OK)
		r = open_dir(&d);
	if (r == CLV_OK)
		r = open_temp(&d);
	if (r == CLV_OK)
		r = write_fd(&d, file.data, file.len);
	if (r == CLV_E_SYSTEM && d.error != 0)
		why_not_written(&d, r);
	if (r == CLV_OK)
		r = sync_temp(&d);
	if (r == CLV_OK)
		r = compare_bytes(&d, &file);
	if (r == CLV_OK)
		r = give_name(&d);
	clv_buf_fini(&file);
	end_draft(&d, r);
	return r;
}
