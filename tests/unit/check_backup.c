/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <check.h>
#include <sodium.h>
#include <claviger/age.h>
#include <claviger/backup.h>
#include <claviger/buf.h>
#include <claviger/result.h>
#include "lib/backup_impl.h"

#define PASSPHRASE "correct horse battery staple"
#define LOGN 2 /* of tests alone */

static struct clv_guard *guard;
static struct clv_keyring *keyring;
static char dir[] = "/tmp/check_backup.XXXXXX";
static char path[128];
static char why[256];

/* The linker leads the library's system calls here: the n-th of a kind fails
 * while a fault is armed. */
enum call { NONE, WRITE, READ, FSYNC, RENAME, OPENAT, FCHMOD, CLOSE };
static struct {
	enum call call;
	int countdown; /* 0: this one */
	int error;     /* 0: a short count */
	bool fired;
} fault;
static bool late_name;

static bool
is_due(enum call call)
{
	if (fault.call != call || fault.countdown-- != 0)
		return false;
	fault.fired = true;
	errno = fault.error;
	return true;
}

ssize_t __real_write(int fd, const void *p, size_t len);
ssize_t __wrap_write(int fd, const void *p, size_t len);
ssize_t
__wrap_write(int fd, const void *p, size_t len)
{
	if (!is_due(WRITE))
		return __real_write(fd, p, len);
	return fault.error == 0 ? __real_write(fd, p, len / 2) : -1;
}

ssize_t __real_read(int fd, void *p, size_t len);
ssize_t __wrap_read(int fd, void *p, size_t len);
ssize_t
__wrap_read(int fd, void *p, size_t len)
{
	ssize_t n;

	if (!is_due(READ))
		return __real_read(fd, p, len);
	if (fault.error != 0)
		return -1;
	n = __real_read(fd, p, len); /* the disk returns something else */
	if (n > 0)
		((char *)p)[n - 1] ^= 1;
	return n;
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int
__wrap_fsync(int fd)
{
	return is_due(FSYNC) ? -1 : __real_fsync(fd);
}

int __real_renameat2(
    int from, const char *old, int to, const char *new, unsigned flags);
int __wrap_renameat2(
    int from, const char *old, int to, const char *new, unsigned flags);
int
__wrap_renameat2(
    int from, const char *old, int to, const char *new, unsigned flags)
{
	return is_due(RENAME) ? -1
			      : __real_renameat2(from, old, to, new, flags);
}

int __real_openat(int at, const char *name, int flags, ...);
int __wrap_openat(int at, const char *name, int flags, ...);
int
__wrap_openat(int at, const char *name, int flags, ...)
{
	va_list ap;
	mode_t mode = 0;

	va_start(ap, flags);
	if ((flags & O_CREAT) != 0)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	return is_due(OPENAT) ? -1 : __real_openat(at, name, flags, mode);
}

/* The name is there, but was not yet when it was looked for. */
int __real_fstatat(int at, const char *name, struct stat *st, int flags);
int __wrap_fstatat(int at, const char *name, struct stat *st, int flags);
int
__wrap_fstatat(int at, const char *name, struct stat *st, int flags)
{
	if (late_name) {
		errno = ENOENT;
		return -1;
	}
	return __real_fstatat(at, name, st, flags);
}

int __real_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode);
int
__wrap_fchmod(int fd, mode_t mode)
{
	return is_due(FCHMOD) ? -1 : __real_fchmod(fd, mode);
}

int __real_close(int fd);
int __wrap_close(int fd);
int
__wrap_close(int fd)
{
	bool due = is_due(CLOSE);
	int r = __real_close(fd);

	if (!due)
		return r;
	errno = fault.error;
	return -1;
}

static void
arm(enum call call, int countdown, int error)
{
	fault.call = call;
	fault.countdown = countdown;
	fault.error = error;
	fault.fired = false;
}

static void
setup(void)
{
	uint32_t generation;

	ck_assert_int_eq(clv_guard_new(512u * 1024, &guard), CLV_OK);
	ck_assert_int_eq(clv_keyring_new(guard, &keyring), CLV_OK);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(clv_keyring_add(keyring, &generation), CLV_OK);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/backup.age", dir);
}

static size_t
files_in_dir(void)
{
	struct dirent *entry;
	DIR *d = opendir(dir);
	size_t n = 0;

	ck_assert_ptr_nonnull(d);
	while ((entry = readdir(d)) != NULL)
		n += strcmp(entry->d_name, ".") != 0 &&
		     strcmp(entry->d_name, "..") != 0;
	closedir(d);
	return n;
}

static void
teardown(void)
{
	arm(NONE, 0, 0);
	unlink(path);
	ck_assert_int_eq(rmdir(dir), 0);
	clv_keyring_free(&keyring);
	ck_assert_uint_eq(clv_guard_used(guard), 0);
	clv_guard_free_all(&guard);
}

static int
write_quickly(void)
{
	size_t used = clv_guard_used(guard);
	int r = clv__backup_write(guard, keyring, path, PASSPHRASE, LOGN, why);
	int saved = errno;

	ck_assert_uint_eq(clv_guard_used(guard), used);
	errno = saved;
	return r;
}

/* A failure has a whole sentence: what, why, and what next. */
static void
assert_why(const char *part)
{
	ck_assert_ptr_nonnull(strstr(why, part));
	ck_assert_msg(strpbrk(why, ";") != NULL, "no remedy: %s", why);
	ck_assert_uint_lt(strlen(why), sizeof(why) - 1);
}

static void
assert_holds(const struct clv_keyring *k)
{
	char *want, *got;
	size_t want_len, got_len;

	ck_assert_int_eq(clv_keyring_format(keyring, &want, &want_len), CLV_OK);
	ck_assert_int_eq(clv_keyring_format(k, &got, &got_len), CLV_OK);
	ck_assert_str_eq(got, want);
	clv_guard_put(guard, want);
	clv_guard_put(guard, got);
}

static int
read_it(void)
{
	struct clv_keyring *k = NULL;
	size_t used = clv_guard_used(guard);
	int r = clv_backup_read(guard, path, PASSPHRASE, &k, why);

	ck_assert((r == CLV_OK) == (k != NULL));
	if (r == CLV_OK)
		assert_holds(k);
	else
		ck_assert_str_ne(why, "");
	clv_keyring_free(&k);
	ck_assert_uint_eq(clv_guard_used(guard), used);
	return r;
}

START_TEST(a_backup_is_written_for_its_owner_alone_and_read_again)
{
	struct clv_keyring *k = NULL;
	struct stat st;

	umask(0);
	ck_assert_int_eq(
	    clv_backup_write(guard, keyring, path, PASSPHRASE, why), CLV_OK);
	ck_assert_str_eq(why, "");
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0400);
	ck_assert_uint_eq(st.st_nlink, 1);
	ck_assert_uint_eq(files_in_dir(), 1);
	ck_assert_int_eq(read_it(), CLV_OK);
	ck_assert_int_eq(
	    clv_backup_read(guard, path, "another one than it is", &k, why),
	    CLV_E_PASSPHRASE);
	assert_why("does not open with this passphrase");
	ck_assert_ptr_null(k);
}
END_TEST

START_TEST(a_backup_uses_the_documented_work_factor)
{
	char head[256] = "";
	FILE *f;

	ck_assert_int_eq(
	    clv_backup_write(guard, keyring, path, PASSPHRASE, why), CLV_OK);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_gt(fread(head, 1, 80, f), 0);
	fclose(f);
	ck_assert_ptr_nonnull(strstr(head, "-> scrypt "));
	ck_assert_ptr_nonnull(strstr(head, " 18\n"));
}
END_TEST

START_TEST(what_exists_is_never_overwritten)
{
	struct stat before, after;

	ck_assert_int_eq(write_quickly(), CLV_OK);
	ck_assert_int_eq(stat(path, &before), 0);
	ck_assert_int_eq(write_quickly(), CLV_E_EXISTS);
	assert_why("exists already");
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_uint_eq(before.st_ino, after.st_ino);
	ck_assert_uint_eq(files_in_dir(), 1);
}
END_TEST

START_TEST(a_dangling_link_is_not_followed)
{
	ck_assert_int_eq(symlink("/tmp/check_backup.target", path), 0);
	ck_assert_int_eq(write_quickly(), CLV_E_EXISTS);
	ck_assert_int_ne(access("/tmp/check_backup.target", F_OK), 0);
}
END_TEST

START_TEST(a_file_that_appears_meanwhile_is_not_overwritten)
{
	struct stat before, after;

	ck_assert_int_eq(write_quickly(), CLV_OK);
	ck_assert_int_eq(stat(path, &before), 0);
	late_name = true;
	if (_i == 1) /* no RENAME_NOREPLACE here: a link instead */
		arm(RENAME, 0, EINVAL);
	ck_assert_int_eq(write_quickly(), CLV_E_EXISTS);
	ck_assert_int_eq(fault.fired, _i == 1);
	assert_why("exists already");
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_uint_eq(before.st_ino, after.st_ino);
	ck_assert_uint_eq(files_in_dir(), 1);
}
END_TEST

START_TEST(a_directory_where_others_write_is_refused)
{
	static const mode_t modes[] = {0770, 0702, 01777, 0777};

	ck_assert_int_eq(chmod(dir, modes[_i]), 0);
	ck_assert_int_eq(write_quickly(), CLV_E_PERMISSION);
	assert_why("others can write");
	ck_assert_uint_eq(files_in_dir(), 0);
}
END_TEST

START_TEST(a_directory_of_somebody_else_is_refused)
{
	if (geteuid() != 0)
		return; /* only root can give one away */
	ck_assert_int_eq(chown(dir, 65534, 0), 0);
	ck_assert_int_eq(write_quickly(), CLV_E_PERMISSION);
	assert_why("belongs to somebody else");
}
END_TEST

static const struct {
	const char *path;
	int result;
} bad_paths[] = {
    {"", CLV_E_INVALID},
    {"/", CLV_E_INVALID},
    {"/tmp/.", CLV_E_INVALID},
    {"..", CLV_E_INVALID},
    {"/root/", CLV_E_INVALID},
    {"/nowhere/at/all/backup", CLV_E_NOT_FOUND},
    {"/proc/version/backup", CLV_E_SYSTEM},
};

START_TEST(a_path_that_names_no_file_is_refused)
{
	ck_assert_int_eq(clv__backup_write(guard, keyring, bad_paths[_i].path,
			     PASSPHRASE, LOGN, why),
	    bad_paths[_i].result);
	assert_why(bad_paths[_i].path);
}
END_TEST

START_TEST(a_weak_passphrase_is_refused)
{
	ck_assert_int_eq(
	    clv_backup_write(guard, keyring, path, "thirteenchars", why),
	    CLV_E_INVALID);
	assert_why("14 characters");
	ck_assert_uint_eq(files_in_dir(), 0);
}
END_TEST

/* Each call of the way, and what its failure is. */
static const struct {
	enum call call;
	int countdown;
	int error;
	int result;
	const char *part;
} faults[] = {
    {OPENAT, 0, EROFS, CLV_E_SYSTEM, "choose a directory that can be written"},
    {WRITE, 0, ENOSPC, CLV_E_SYSTEM, "free some space"},
    {WRITE, 1, ENOSPC, CLV_E_SYSTEM, "free some space"},
    {WRITE, 1, EDQUOT, CLV_E_SYSTEM, "free some space"},
    {WRITE, 0, EIO, CLV_E_SYSTEM, "the disk may be failing"},
    {FCHMOD, 0, EPERM, CLV_E_SYSTEM, "cannot write"},
    {FSYNC, 0, EIO, CLV_E_SYSTEM, "the disk may be failing"},
    {FSYNC, 0, ENOSPC, CLV_E_SYSTEM, "free some space"},
    {CLOSE, 0, EIO, CLV_E_SYSTEM, "the disk may be failing"},
    {OPENAT, 1, EIO, CLV_E_SYSTEM, "cannot open again"},
    {READ, 0, EIO, CLV_E_MISMATCH, "the disk may be failing"},
    {READ, 0, 0, CLV_E_MISMATCH, "not what was written"},
    {RENAME, 0, EACCES, CLV_E_PERMISSION, "cannot name"},
    {FSYNC, 1, EIO, CLV_E_SYSTEM, "cannot keep"},
};

START_TEST(a_failing_call_leaves_nothing_behind)
{
	arm(faults[_i].call, faults[_i].countdown, faults[_i].error);
	ck_assert_int_eq(write_quickly(), faults[_i].result);
	ck_assert(fault.fired);
	if (faults[_i].result == CLV_E_SYSTEM)
		ck_assert_int_eq(errno, faults[_i].error);
	assert_why(faults[_i].part);
	ck_assert_uint_eq(files_in_dir(), 0);
	/* and the next one works */
	arm(NONE, 0, 0);
	ck_assert_int_eq(write_quickly(), CLV_OK);
	ck_assert_int_eq(read_it(), CLV_OK);
}
END_TEST

static const struct {
	enum call call;
	int error;
} harmless[] = {
    {WRITE, 0}, /* short count */
    {WRITE, EINTR}, {READ, EINTR},
    {RENAME, EINVAL}, /* no RENAME_NOREPLACE here: a link instead */
};

START_TEST(a_short_or_interrupted_call_is_finished)
{
	struct stat st;

	arm(harmless[_i].call, 0, harmless[_i].error);
	ck_assert_int_eq(write_quickly(), CLV_OK);
	ck_assert(fault.fired);
	ck_assert_uint_eq(files_in_dir(), 1);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_nlink, 1);
	ck_assert_int_eq(read_it(), CLV_OK);
}
END_TEST

/* ---- for a recovery recipient ---- */

static uint8_t recovery_sk[32], recovery_pk[32];

static int
write_recovery(void)
{
	size_t used = clv_guard_used(guard);
	int r, saved;

	memset(recovery_sk, 0x42, sizeof(recovery_sk));
	crypto_scalarmult_base(recovery_pk, recovery_sk);
	r = clv_backup_write_recovery(guard, keyring, path, recovery_pk, why);
	saved = errno;
	ck_assert_uint_eq(clv_guard_used(guard), used);
	errno = saved;
	return r;
}

static int
read_recovery(void)
{
	struct clv_keyring *k = NULL;
	size_t used = clv_guard_used(guard);
	int r = clv_backup_read_recovery(guard, path, recovery_sk, &k, why);

	if (r == CLV_OK)
		assert_holds(k);
	clv_keyring_free(&k);
	ck_assert_uint_eq(clv_guard_used(guard), used);
	return r;
}

START_TEST(a_recovery_copy_opens_with_its_identity_alone)
{
	struct stat st;

	umask(0);
	ck_assert_int_eq(write_recovery(), CLV_OK);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0400);
	ck_assert_int_eq(read_recovery(), CLV_OK);
	ck_assert_int_eq(read_it(), CLV_E_NO_IDENTITY);
	assert_why("claviger recovery combine");
	recovery_sk[1] ^= 1;
	ck_assert_int_eq(read_recovery(), CLV_E_NO_IDENTITY);
	assert_why("not sealed to this recovery identity");
	ck_assert_int_eq(write_recovery(), CLV_E_EXISTS);
	unlink(path);
	ck_assert_int_eq(write_quickly(), CLV_OK);
	ck_assert_int_eq(read_recovery(), CLV_E_NO_IDENTITY);
}
END_TEST

START_TEST(a_failing_call_leaves_no_recovery_copy)
{
	if (faults[_i].call == WRITE && faults[_i].countdown > 0)
		return; /* it is written at once */
	arm(faults[_i].call, faults[_i].countdown, faults[_i].error);
	ck_assert_int_ne(write_recovery(), CLV_OK);
	ck_assert(fault.fired);
	ck_assert(strchr(why, ';') != NULL);
	ck_assert_uint_eq(files_in_dir(), 0);
	arm(NONE, 0, 0);
	ck_assert_int_eq(write_recovery(), CLV_OK);
	ck_assert_int_eq(read_recovery(), CLV_OK);
}
END_TEST

START_TEST(nothing_is_sealed_to_a_key_of_low_order)
{
	static const uint8_t zero[32];

	ck_assert_int_eq(
	    clv_backup_write_recovery(guard, keyring, path, zero, why),
	    CLV_E_INVALID);
	assert_why("set another one");
	ck_assert_uint_eq(files_in_dir(), 0);
}
END_TEST

static void
put_file(const void *p, size_t len)
{
	FILE *f;

	unlink(path);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(p, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

static int
append(void *arg, const void *p, size_t len)
{
	clv_buf_raw(arg, p, len);
	return clv_buf_result(arg);
}

/* An age file by PASSPHRASE with any content. */
static void
put_age(const void *p, size_t len, bool armor)
{
	struct clv_age_writer *w = NULL;
	struct clv_buf file;

	clv_buf_init(&file);
	ck_assert_int_eq(clv_age_write_passphrase(
			     guard, PASSPHRASE, LOGN, armor, append, &file, &w),
	    CLV_OK);
	ck_assert_int_eq(clv_age_writer_put(w, p, len), CLV_OK);
	ck_assert_int_eq(clv_age_writer_finish(w), CLV_OK);
	clv_age_writer_free(&w);
	put_file(file.data, file.len);
	clv_buf_fini(&file);
}

START_TEST(an_armored_backup_is_read_too)
{
	char *text;
	size_t len;

	ck_assert_int_eq(clv_keyring_format(keyring, &text, &len), CLV_OK);
	put_age(text, len, true);
	clv_guard_put(guard, text);
	ck_assert_int_eq(read_it(), CLV_OK);
}
END_TEST

START_TEST(a_file_that_is_no_age_file_says_so)
{
	ck_assert_int_eq(read_it(), CLV_E_NOT_FOUND);
	put_file("claviger-keyring 1\n", 19);
	ck_assert_int_eq(read_it(), CLV_E_FORMAT);
	assert_why("is not an age file");
	put_file("", 0);
	ck_assert_int_eq(read_it(), CLV_E_TRUNCATED);
	assert_why("ends too early");
	put_file("age-encryption.org/v2\n", 22);
	ck_assert_int_eq(read_it(), CLV_E_VERSION);
	assert_why("another age version");
	ck_assert_int_eq(clv_backup_read(guard, dir, PASSPHRASE,
			     &(struct clv_keyring *){0}, why),
	    CLV_E_FORMAT);
	assert_why("is a directory");
}
END_TEST

START_TEST(a_file_larger_than_any_backup_is_refused)
{
	char *zeros = calloc(1, 70000);

	ck_assert_ptr_nonnull(zeros);
	put_age(zeros, 65536 + 1, false);
	ck_assert_int_eq(read_it(), CLV_E_FORMAT);
	assert_why("larger than 64 KiB");
	free(zeros);
}
END_TEST

START_TEST(a_file_sealed_to_a_recipient_says_so)
{
	uint8_t sk[CLV_AGE_KEY_LEN], pk[1][CLV_AGE_KEY_LEN];
	struct clv_buf file;

	clv_buf_init(&file);
	clv_age_keygen(sk, pk[0]);
	ck_assert_int_eq(
	    clv_age_seal(guard, (const uint8_t(*)[CLV_AGE_KEY_LEN])pk, 1, false,
		"x", 1, &file),
	    CLV_OK);
	put_file(file.data, file.len);
	clv_buf_fini(&file);
	ck_assert_int_eq(read_it(), CLV_E_NO_IDENTITY);
	assert_why("sealed to a recipient");
}
END_TEST

START_TEST(a_foreign_content_is_told_from_damage)
{
	static char big[60000];

	put_age("hello", 5, false);
	ck_assert_int_eq(read_it(), CLV_E_NO_KEYRING);
	assert_why("is no keyring");
	put_age("", 0, false);
	ck_assert_int_eq(read_it(), CLV_E_NO_KEYRING);
	put_age(big, sizeof(big), false);
	ck_assert_int_eq(read_it(), CLV_E_NO_KEYRING);
	put_age("claviger-keyring 3\n", 19, false);
	ck_assert_int_eq(read_it(), CLV_E_VERSION);
	assert_why("newer format");
}
END_TEST

static size_t
load(uint8_t *p, size_t max)
{
	FILE *f = fopen(path, "r");
	size_t len;

	ck_assert_ptr_nonnull(f);
	len = fread(p, 1, max, f);
	fclose(f);
	ck_assert_uint_lt(len, max);
	return len;
}

START_TEST(damage_and_truncation_are_told_apart)
{
	uint8_t file[4096];
	size_t len;

	ck_assert_int_eq(write_quickly(), CLV_OK);
	len = load(file, sizeof(file));
	put_file(file, 60);
	ck_assert_int_eq(read_it(), CLV_E_TRUNCATED);
	assert_why("ends too early");
	put_file(file, len - 1); /* inside the only chunk */
	ck_assert_int_eq(read_it(), CLV_E_DAMAGED);
	assert_why("damaged or was cut short");
	file[len - 1] ^= 1;
	put_file(file, len);
	ck_assert_int_eq(read_it(), CLV_E_DAMAGED);
	file[len - 1] ^= 1;
	put_file(file, len);
	ck_assert_int_eq(read_it(), CLV_OK);
}
END_TEST

/* With the passphrase, or, of a recovery copy, with its identity. */
static int
read_sample(bool sealed, const uint8_t *sk)
{
	struct clv_keyring *k = NULL;
	int r = sealed ? clv_backup_read_recovery(guard, path, sk, &k, why)
		       : clv_backup_read(guard, path, PASSPHRASE, &k, why);

	ck_assert_int_eq(r == CLV_OK, k != NULL);
	clv_keyring_free(&k);
	return r;
}

/* Where its payload begins: after the line with the header's MAC. */
static size_t
payload_of(const uint8_t *file, size_t len)
{
	const uint8_t *mac = memmem(file, len, "\n---", 4);
	const uint8_t *end;

	ck_assert_ptr_nonnull(mac);
	end = memchr(mac + 1, '\n', len - (size_t)(mac + 1 - file));
	ck_assert_ptr_nonnull(end);
	return (size_t)(end + 1 - file);
}

/* Without the end of its last line the header may never end. */
static void
assert_class(int r, size_t at, size_t payload)
{
	bool is_last = at + 1 == payload && r == CLV_E_TRUNCATED;
	bool in_header = r == CLV_E_FORMAT || r == CLV_E_VERSION ||
			 r == CLV_E_DAMAGED || r == CLV_E_PASSPHRASE ||
			 r == CLV_E_NO_IDENTITY || r == CLV_E_WORK_FACTOR;

	ck_assert_msg(at < payload ? in_header || is_last : r == CLV_E_DAMAGED,
	    "byte %zu of a file whose payload begins at %zu: %s", at, payload,
	    clv_result_text(r));
}

START_TEST(every_changed_byte_and_every_truncation_is_refused)
{
	static const uint8_t changes[] = {0x01, 0x20, 0xff};
	uint8_t file[4096], sk[CLV_AGE_KEY_LEN], pk[CLV_AGE_KEY_LEN];
	size_t len, payload;
	int r;

	clv_age_keygen(sk, pk);
	ck_assert_int_eq(
	    _i == 0 ? write_quickly()
		    : clv_backup_write_recovery(guard, keyring, path, pk, why),
	    CLV_OK);
	ck_assert_int_eq(read_sample(_i == 1, sk), CLV_OK);
	len = load(file, sizeof(file));
	payload = payload_of(file, len);
	for (size_t i = 0; i < len; i++) {
		for (size_t j = 0; j < sizeof(changes); j++) {
			file[i] ^= changes[j];
			put_file(file, len);
			assert_class(read_sample(_i == 1, sk), i, payload);
			file[i] ^= changes[j];
		}
	}
	for (size_t i = 0; i < len; i++) {
		put_file(file, i);
		r = read_sample(_i == 1, sk);
		ck_assert_msg(r == CLV_E_TRUNCATED ||
				  (i >= payload && r == CLV_E_DAMAGED),
		    "cut after %zu bytes: %s", i, clv_result_text(r));
	}
	put_file(file, len);
	ck_assert_int_eq(read_sample(_i == 1, sk), CLV_OK);
}
END_TEST

START_TEST(a_backup_needs_no_more_of_the_arena_than_it_says)
{
	struct clv_guard *small = NULL;
	struct clv_keyring *k = NULL;
	uint32_t generation;
	char *text;
	size_t len;

	while (clv_keyring_add(keyring, &generation) == CLV_OK)
		; /* the largest one */
	ck_assert_int_eq(write_quickly(), CLV_OK);
	ck_assert_int_eq(clv_guard_new(65536, &small), CLV_OK);
	ck_assert_int_eq(
	    clv_backup_read(small, path, PASSPHRASE, &k, why), CLV_OK);
	unlink(path);
	ck_assert_int_eq(
	    clv__backup_write(small, k, path, PASSPHRASE, LOGN, why), CLV_OK);
	ck_assert_int_eq(clv_keyring_format(k, &text, &len), CLV_OK);
	ck_assert_uint_lt(len, CLV_KEYRING_TEXT_MAX);
	clv_guard_put(small, text);
	clv_keyring_free(&k);
	clv_guard_free_all(&small);
}
END_TEST

START_TEST(a_full_arena_is_reported_and_leaves_nothing_behind)
{
	struct clv_guard *small = NULL;
	int r = CLV_E_FULL;
	size_t taken;

	ck_assert_int_eq(clv_guard_new(65536, &small), CLV_OK);
	for (taken = 65000; r == CLV_E_FULL; taken -= 1000) {
		struct clv_keyring *k = NULL;
		void *rest = clv_guard_get(small, taken);

		ck_assert_ptr_nonnull(rest);
		unlink(path);
		ck_assert_int_eq(write_quickly(), CLV_OK);
		r = clv_backup_read(small, path, PASSPHRASE, &k, why);
		unlink(path);
		if (r == CLV_OK)
			r = clv__backup_write(
			    small, k, path, PASSPHRASE, LOGN, why);
		if (r != CLV_OK) {
			assert_why("locked memory");
			ck_assert_uint_eq(files_in_dir(), 0);
		}
		clv_keyring_free(&k);
		clv_guard_put(small, rest);
		ck_assert_uint_eq(clv_guard_used(small), 0);
	}
	ck_assert_int_eq(r, CLV_OK);
	ck_assert_uint_lt(taken, 64000);
	clv_guard_free_all(&small);
}
END_TEST

START_TEST(a_made_passphrase_is_six_words_and_never_the_same)
{
	char *a = NULL, *b = NULL;
	size_t dashes = 0;

	ck_assert_int_eq(clv_passphrase_new(guard, &a), CLV_OK);
	ck_assert_int_eq(clv_passphrase_new(guard, &b), CLV_OK);
	ck_assert_str_ne(a, b);
	ck_assert_int_eq(clv_passphrase_check(a), CLV_OK);
	for (const char *p = a; *p != '\0'; p++) {
		dashes += *p == '-';
		ck_assert(*p == '-' || (*p >= 'a' && *p <= 'z'));
	}
	ck_assert_uint_ge(dashes, 5); /* a word may have one: yo-yo */
	clv_guard_put(guard, a);
	clv_guard_put(guard, b);
}
END_TEST

static const struct {
	const char *passphrase;
	int result;
} passphrases[] = {
    {"", CLV_E_INVALID},
    {"thirteenchars", CLV_E_INVALID},
    {"fourteen chars", CLV_OK},
    {"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4",
	CLV_E_INVALID}, /* 14 bytes, but 7 characters */
    {"four\tteen characters", CLV_E_INVALID},
    {"with a line end at its end\n", CLV_E_INVALID},
    {"with a delete in it \x7f at all", CLV_E_INVALID},
};

START_TEST(an_own_passphrase_has_fourteen_printable_characters)
{
	ck_assert_int_eq(clv_passphrase_check(passphrases[_i].passphrase),
	    passphrases[_i].result);
}
END_TEST

#define ADD_LOOP(t, test, rows) \
	tcase_add_loop_test(t, test, 0, sizeof(rows) / sizeof((rows)[0]))

static void
add_writing(TCase *t)
{
	tcase_add_test(
	    t, a_backup_is_written_for_its_owner_alone_and_read_again);
	tcase_add_test(t, a_backup_uses_the_documented_work_factor);
	tcase_add_test(t, what_exists_is_never_overwritten);
	tcase_add_test(t, a_dangling_link_is_not_followed);
	tcase_add_loop_test(
	    t, a_file_that_appears_meanwhile_is_not_overwritten, 0, 2);
	tcase_add_loop_test(t, a_directory_where_others_write_is_refused, 0, 4);
	tcase_add_test(t, a_directory_of_somebody_else_is_refused);
	ADD_LOOP(t, a_path_that_names_no_file_is_refused, bad_paths);
	tcase_add_test(t, a_weak_passphrase_is_refused);
}

static void
add_faults(TCase *t)
{
	ADD_LOOP(t, a_failing_call_leaves_nothing_behind, faults);
	ADD_LOOP(t, a_short_or_interrupted_call_is_finished, harmless);
	tcase_add_test(t, a_recovery_copy_opens_with_its_identity_alone);
	tcase_add_test(t, nothing_is_sealed_to_a_key_of_low_order);
	tcase_add_loop_test(t, a_failing_call_leaves_no_recovery_copy, 0,
	    sizeof(faults) / sizeof(faults[0]));
	tcase_add_test(t, a_backup_needs_no_more_of_the_arena_than_it_says);
	tcase_add_test(t, a_full_arena_is_reported_and_leaves_nothing_behind);
}

static void
add_reading(TCase *t)
{
	tcase_add_test(t, an_armored_backup_is_read_too);
	tcase_add_test(t, a_file_that_is_no_age_file_says_so);
	tcase_add_test(t, a_file_larger_than_any_backup_is_refused);
	tcase_add_test(t, a_file_sealed_to_a_recipient_says_so);
	tcase_add_test(t, a_foreign_content_is_told_from_damage);
	tcase_add_test(t, damage_and_truncation_are_told_apart);
	tcase_add_loop_test(
	    t, every_changed_byte_and_every_truncation_is_refused, 0, 2);
}

static void
add_passphrases(TCase *t)
{
	tcase_add_test(t, a_made_passphrase_is_six_words_and_never_the_same);
	ADD_LOOP(t, an_own_passphrase_has_fourteen_printable_characters,
	    passphrases);
}

static void
add_case(Suite *s, const char *name, void (*add)(TCase *))
{
	TCase *t = tcase_create(name);

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	add(t);
	suite_add_tcase(s, t);
}

int
main(void)
{
	Suite *s = suite_create("backup");
	SRunner *r;
	int failed;

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	add_case(s, "writing", add_writing);
	add_case(s, "faults", add_faults);
	add_case(s, "reading", add_reading);
	add_case(s, "passphrases", add_passphrases);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
