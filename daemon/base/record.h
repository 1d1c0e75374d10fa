/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_RECORD_H
#define CLAVIGERD_RECORD_H

#include <stdbool.h>
#include <stdint.h>
#include <claviger/buf.h>
#include <claviger/keyring.h>
#include <claviger/list.h>

/*
 * The record of a backup in the database: that it was written and opened again,
 * where, when, and which generations are in it. Raw system id, u32 newest
 * generation, str where, u64 seconds since 1970, u32 n, n x u32 generation,
 * signed by the system.
 */
#define RECORD_DOMAIN "claviger-backup1"
#define RECORD_WHERE_MAX 256

struct record {
	uint8_t system_id[CLV_SYSTEM_ID_LEN];
	uint32_t generation;
	char where[RECORD_WHERE_MAX];
	uint64_t time_s;
	uint32_t held_count;
	uint32_t held[CLV_GENERATIONS_MAX];
};

bool record_holds(const struct record *r, uint32_t generation);
/* Held is what the keyring has, up to r->generation. */
int record_format(
    const struct record *r, const struct clv_keyring *k, struct clv_buf *ret);
/* CLV_E_SIGNATURE, CLV_E_FORMAT. */
int record_parse(const void *p, size_t len,
    const uint8_t pk[static CLV_SIGN_PK_LEN], struct record *ret);
/* The same under pk, or a key that signed before, by that list. */
int record_read(const void *p, size_t len, const struct clv_list *list,
    const uint8_t pk[static CLV_SIGN_PK_LEN], struct record *ret);

#endif
