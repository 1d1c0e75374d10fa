/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <claviger/age.h>
#include <claviger/result.h>
#include "lib/backup_impl.h"

#define PIECE 4096

/* What was in the file. More than any keyring is counted, not kept: first the
 * file must prove to be whole. */
struct plain {
	char *text;
	size_t len;
	bool over;
};

static int
keep(void *arg, const void *p, size_t len)
{
	struct plain *plain = arg;

	if (plain->over || len > CLV_KEYRING_TEXT_MAX - plain->len) {
		plain->over = true;
		return CLV_OK;
	}
	memcpy(plain->text + plain->len, p, len);
	plain->len += len;
	return CLV_OK;
}

static int
why_not_opened(char *ret_why, int r, const char *name)
{
	const char *text;

	switch (r) {
	case CLV_E_FORMAT:
		text = "is not an age file; give the path of a backup";
		break;
	case CLV_E_VERSION:
		text = "is of another age version than v1; open it with a "
		       "newer program";
		break;
	case CLV_E_DAMAGED:
		text = "is damaged or was cut short; use another copy of this "
		       "backup";
		break;
	case CLV_E_TRUNCATED:
		text = "ends too early, as after a copy that was broken off; "
		       "copy it again or use another backup";
		break;
	case CLV_E_PASSPHRASE:
		text = "does not open with this passphrase; check which "
		       "backup it belongs to, and the spelling";
		break;
	case CLV_E_NO_IDENTITY:
		text = "is sealed to a recipient, not to a passphrase; open "
		       "it with claviger recovery combine, or `age -d -i` and "
		       "the recipient's identity";
		break;
	case CLV_E_WORK_FACTOR:
		text = "asks for a scrypt work factor above 20; this program "
		       "did not write it, open it with `age -d`";
		break;
	case CLV_E_NOMEM:
		text = "cannot be opened for want of memory; scrypt needs up "
		       "to 1 GiB for a moment, stop something else";
		break;
	default:
		text = "cannot be opened for want of locked memory; raise "
		       "RLIMIT_MEMLOCK";
		break;
	}
	return clv__backup_why(ret_why, r, "%.100s %s", name, text);
}

static int
why_no_keyring(char *ret_why, int r, const char *name)
{
	if (r == CLV_E_VERSION)
		return clv__backup_why(ret_why, r,
		    "%.100s holds a keyring of a newer format; restore it "
		    "with the release of claviger that wrote it",
		    name);
	if (r == CLV_E_FULL || r == CLV_E_NOMEM)
		return why_not_opened(ret_why, r, name);
	return clv__backup_why(ret_why, CLV_E_NO_KEYRING,
	    "%.100s opens, but what is in it is no keyring; give the path of "
	    "a backup of claviger",
	    name);
}

static int
feed(struct clv_age_reader *reader, int fd, const char *name, char *ret_why)
{
	uint8_t piece[PIECE];
	size_t total = 0;
	int r = CLV_OK;

	while (r == CLV_OK) {
		ssize_t n = read(fd, piece, sizeof(piece));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return clv__backup_why_errno(ret_why, "read", name);
		if (n == 0)
			break;
		total += (size_t)n;
		if (total > CLV_BACKUP_FILE_MAX)
			return clv__backup_why(ret_why, CLV_E_FORMAT,
			    "%.100s is larger than 64 KiB, so it is no "
			    "backup; give the path of a backup",
			    name);
		r = clv_age_reader_put(reader, piece, (size_t)n);
	}
	if (r == CLV_OK)
		r = clv_age_reader_finish(reader);
	return r == CLV_OK ? r : why_not_opened(ret_why, r, name);
}

static int
new_reader(struct clv_guard *guard, const char *passphrase, const uint8_t *sk,
    struct plain *plain, struct clv_age_reader **ret)
{
	if (passphrase == NULL)
		return clv_age_read_identity(guard, sk, keep, plain, ret);
	return clv_age_read_passphrase(
	    guard, passphrase, CLV_AGE_SCRYPT_LOGN_MAX, keep, plain, ret);
}

int
clv__backup_read_fd(struct clv_guard *guard, int fd, const char *name,
    const char *passphrase, const uint8_t *sk, struct clv_keyring **ret,
    char ret_why[static CLV__BACKUP_WHY_LEN])
{
	struct clv_age_reader *reader = NULL;
	struct plain plain = {0};
	int r;

	plain.text = clv_guard_get(guard, CLV_KEYRING_TEXT_MAX);
	if (plain.text == NULL)
		return why_not_opened(ret_why, CLV_E_FULL, name);
	r = new_reader(guard, passphrase, sk, &plain, &reader);
	if (r != CLV_OK) /* an empty one opens nothing */
		r = why_not_opened(
		    ret_why, r == CLV_E_INVALID ? CLV_E_PASSPHRASE : r, name);
	else
		r = feed(reader, fd, name, ret_why);
	if (r == CLV_E_NO_IDENTITY && passphrase == NULL)
		r = clv__backup_why(ret_why, r,
		    "%.100s is not sealed to this recovery identity; use "
		    "the shares of the recipient that was in force when it was "
		    "written",
		    name);
	clv_age_reader_free(&reader); /* makes room for the keyring */
	if (r != CLV_OK)
		goto out;
	r = plain.over ? CLV_E_FORMAT
		       : clv_keyring_parse(guard, plain.text, plain.len, ret);
	if (r != CLV_OK)
		r = why_no_keyring(ret_why, r, name);
out:
	clv_guard_put(guard, plain.text);
	return r;
}

static int
read_path(struct clv_guard *guard, const char *path, const char *passphrase,
    const uint8_t *sk, struct clv_keyring **ret, char ret_why[static 256])
{
	struct stat st;
	int fd, r;

	ret_why[0] = '\0';
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return clv__backup_why_errno(ret_why, "open", path);
	if (fstat(fd, &st) != 0)
		r = clv__backup_why_errno(ret_why, "look at", path);
	else if (S_ISDIR(st.st_mode))
		r = clv__backup_why(ret_why, CLV_E_FORMAT,
		    "%.100s is a directory; give the path of a backup", path);
	else
		r = clv__backup_read_fd(
		    guard, fd, path, passphrase, sk, ret, ret_why);
	close(fd);
	return r;
}

int
clv_backup_read(struct clv_guard *guard, const char *path,
    const char *passphrase, struct clv_keyring **ret, char ret_why[static 256])
{
	return read_path(guard, path, passphrase, NULL, ret, ret_why);
}

int
clv_backup_read_recovery(struct clv_guard *guard, const char *path,
    const uint8_t sk[static 32], struct clv_keyring **ret,
    char ret_why[static 256])
{
	return read_path(guard, path, NULL, sk, ret, ret_why);
}
