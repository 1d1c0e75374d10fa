/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_REMINDER_H
#define CLAVIGERD_REMINDER_H

#include <stdint.h>
#include <claviger/buf.h>
#include <claviger/keyring.h>
#include "daemon/base/record.h"

/*
 * What reminds its owner of a backup's passphrase: in the database, never in
 * the file. It is no secret, but nobody else's business. Raw system id, raw
 * SHA-256 of the file, u32 newest generation, str where, u64 seconds since
 * 1970, str text, signed by the system: who administers the database can
 * neither change it nor give it to another file.
 */
#define REMINDER_DOMAIN "claviger-remind1"
#define REMINDER_TEXT_MAX 257 /* with its NUL */
#define REMINDER_FILE_LEN 32
#define REMINDER_ALL_MAX 64 /* as many as the database keeps */

struct reminder {
	uint8_t system_id[CLV_SYSTEM_ID_LEN];
	uint8_t file[REMINDER_FILE_LEN];
	uint32_t generation;
	char where[RECORD_WHERE_MAX];
	uint64_t time_s;
	char text[REMINDER_TEXT_MAX];
};

/* May it be kept of that passphrase? CLV_E_INVALID with a sentence, in which
 * neither of them is. */
int reminder_check(
    const char *text, const char *passphrase, char ret_why[static 256]);
int reminder_format(
    const struct reminder *r, const struct clv_keyring *k, struct clv_buf *ret);
/* pk NULL: nobody knows yet whose it should be, and the signature is not looked
 * at. CLV_E_SIGNATURE, CLV_E_FORMAT. */
int reminder_parse(
    const void *p, size_t len, const uint8_t *pk, struct reminder *ret);
/* SHA-256 of a file as small as backups are. CLV_E_NOT_FOUND: it is no such
 * file, or cannot be read. */
int reminder_file(const char *path, uint8_t ret[static REMINDER_FILE_LEN]);

#endif
