/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLV_BACKUP_IMPL_H
#define CLV_BACKUP_IMPL_H

#include <claviger/backup.h>

#define CLV__BACKUP_WHY_LEN 256

/* A sentence for a person, and the result again. errno is kept. */
int clv__backup_why(char *ret_why, int result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* CLV_E_SYSTEM or what errno means here; the sentence ends with a remedy. */
int clv__backup_why_errno(char *ret_why, const char *doing, const char *path);

/* clv_backup_write() with a scrypt work factor: tests have many backups. */
int clv__backup_write(struct clv_guard *guard, const struct clv_keyring *k,
    const char *path, const char *passphrase, unsigned logn,
    char ret_why[static CLV__BACKUP_WHY_LEN]);

/* Decrypt the file open as fd, from its start, by a passphrase, or by sk where
 * that is NULL. name is for ret_why. */
int clv__backup_read_fd(struct clv_guard *guard, int fd, const char *name,
    const char *passphrase, const uint8_t *sk, struct clv_keyring **ret,
    char ret_why[static CLV__BACKUP_WHY_LEN]);

#endif
