/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLAVIGER_BACKUP_H
#define CLAVIGER_BACKUP_H

#include <claviger/guard.h>
#include <claviger/keyring.h>

/*
 * A backup: the keyring's text in an age file sealed by a passphrase, so that
 * `age -d` opens it where this program is not. All of these need some 64 KiB
 * of the guard, and 256 MiB of ordinary memory for a second or so.
 */
#define CLV_BACKUP_FILE_MAX 65536
#define CLV_PASSPHRASE_LEN_MIN 14 /* characters, of one's own */
#define CLV_PASSPHRASE_WORDS 6	  /* of a made one: 77 bits */

/*
 * Write a new file, mode 0400, open it again and compare before it gets its
 * name. On failure nothing is left behind, and ret_why is a sentence with the
 * cause and the remedy ("" on success).
 * CLV_E_EXISTS; CLV_E_PERMISSION the directory is not ours alone; CLV_E_INVALID
 * passphrase or path; CLV_E_MISMATCH what was read back is not the keyring;
 * CLV_E_SYSTEM with errno; CLV_E_NOMEM; CLV_E_FULL.
 */
int clv_backup_write(struct clv_guard *guard, const struct clv_keyring *k,
    const char *path, const char *passphrase, char ret_why[static 256]);

/*
 * Open a backup. CLV_E_NOT_FOUND; CLV_E_FORMAT no age file; CLV_E_VERSION a
 * newer age or keyring format; CLV_E_DAMAGED (or cut inside its last 64 KiB);
 * CLV_E_TRUNCATED; CLV_E_PASSPHRASE; CLV_E_NO_IDENTITY sealed to a recipient,
 * not to a passphrase; CLV_E_WORK_FACTOR; CLV_E_NO_KEYRING opened, but what is
 * in it is no keyring; CLV_E_SYSTEM with errno; CLV_E_NOMEM; CLV_E_FULL.
 */
int clv_backup_read(struct clv_guard *guard, const char *path,
    const char *passphrase, struct clv_keyring **ret, char ret_why[static 256]);

/*
 * The same for a recovery recipient: the keyring in an age file that the
 * recovery identity opens. That is not here: what is read back from the disk is
 * compared with what was written. Results as above, but for the passphrase;
 * CLV_E_INVALID also when pk is no key.
 */
int clv_backup_write_recovery(struct clv_guard *guard,
    const struct clv_keyring *k, const char *path, const uint8_t pk[static 32],
    char ret_why[static 256]);
/* Open one. Results as above; CLV_E_NO_IDENTITY: it is sealed to another
 * recipient. */
int clv_backup_read_recovery(struct clv_guard *guard, const char *path,
    const uint8_t sk[static 32], struct clv_keyring **ret,
    char ret_why[static 256]);

/* Six random words of the EFF's large list joined by '-', in guarded memory;
 * caller gives it back with clv_guard_put(). CLV_E_FULL. */
int clv_passphrase_new(struct clv_guard *guard, char **ret);
/* Of somebody's own making: CLV_E_INVALID when it has less than
 * CLV_PASSPHRASE_LEN_MIN characters (of UTF-8) or a control character, which
 * `age` could not be given. */
int clv_passphrase_check(const char *passphrase);

#endif
