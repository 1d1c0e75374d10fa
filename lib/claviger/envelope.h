/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLAVIGER_ENVELOPE_H
#define CLAVIGER_ENVELOPE_H

#include <stddef.h>
#include <stdint.h>
#include <claviger/keyring.h>

/*
 * What an application's key protects, claviger-formats(7): it wraps data keys
 * (version 1, 2, ...) and the index key (version 0), and a data key encrypts
 * records. Only the wrapping is bound to a generation of the master secret.
 * Nothing here allocates. Keys and plaintext belong into guarded memory; no
 * copy of either is left on the stack or in a register.
 *
 * A name of an application has 1 to 64 bytes; CLV_E_INVALID otherwise.
 */

#define CLV_DATAKEY_WRAPPED_LEN (1 + CLV_KEY_LEN + CLV_WRAP_EXTRA)
/* So many an application may have, for none is ever given up: one more with
 * each re-encryption. The schema holds it, too. */
#define CLV_DATAKEYS_MAX 1000

struct clv_datakey_id {
	const uint8_t *system_id; /* CLV_SYSTEM_ID_LEN bytes */
	const char *app;
	uint32_t version;    /* 0: the index key */
	uint32_t generation; /* whose application key wraps it, from 1 */
};

/* u8 format 1 | nonce 24 | XChaCha20-Poly1305 of the key | tag 16, under the
 * application's key, with "claviger-datakey" || u8 1 || raw system || str app
 * || u32 version || u32 generation as associated data. */
int clv_datakey_wrap(const uint8_t app_key[static CLV_KEY_LEN],
    const struct clv_datakey_id *id, const uint8_t key[static CLV_KEY_LEN],
    uint8_t ret[static CLV_DATAKEY_WRAPPED_LEN]);
/* CLV_E_VERSION for another format; CLV_E_DAMAGED for everything else that is
 * not this data key wrapped under this key, and then ret_key is zeros or
 * untouched. */
int clv_datakey_unwrap(const uint8_t app_key[static CLV_KEY_LEN],
    const struct clv_datakey_id *id, const void *p, size_t len,
    uint8_t ret_key[static CLV_KEY_LEN]);

enum clv_record_kind {
	CLV_RECORD_SECRET = 1, /* a row of the database */
	CLV_RECORD_SEALED = 2  /* data that the application keeps itself */
};

#define CLV_RECORD_NAME_MAX 256 /* with NUL */
struct clv_record_id {
	uint8_t kind;
	const uint8_t *system_id; /* CLV_SYSTEM_ID_LEN bytes */
	const char *app;
	const char *name; /* of the secret; of SEALED its context, or "" */
	uint64_t version; /* of the secret, from 1; of SEALED 0 */
};

#define CLV_VALUE_MAX 61440 /* the largest value, or piece that is sealed */
#define CLV_RECORD_EXTRA (1 + 4 + 24 + 32 + 16)
#define CLV_RECORD_MAX (CLV_VALUE_MAX + CLV_RECORD_EXTRA)

/*
 * u8 format 1 | u32 data key version | nonce 24 | commitment 32 |
 * ciphertext | tag 16, where
 *
 *   okm 64 = BLAKE2b-512(key: data key, salt: first 16 bytes of the nonce,
 *                        personal: "claviger-record1", of no message)
 *
 * as crypto_kdf of libsodium does it. The first half is the record's own key of
 * XChaCha20-Poly1305, under the whole nonce; the second half is the commitment,
 * 256 bits of a collision-resistant hash of the data key: no record opens under
 * two data keys, not even one made by somebody who knows both. It is compared
 * before anything is decrypted. Associated data:
 *
 *   u8 1 | u8 kind | raw system | str app | str name | u64 version |
 *   u32 data key version
 *
 * That is one block of a keyed hash and one pass of the AEAD. A commitment to
 * the associated data, too, would cost a second block and protect nobody: who
 * could use its absence holds the data key, and writes what he likes anyway.
 */

/* len <= CLV_VALUE_MAX bytes at p to ret[len + CLV_RECORD_EXTRA], which may
 * not overlap p. CLV_E_INVALID for an identity that cannot be or a data key
 * version 0, CLV_E_FULL for too long a value. */
int clv_record_seal(const uint8_t data_key[static CLV_KEY_LEN],
    uint32_t key_version, const struct clv_record_id *id, const void *p,
    size_t len, void *ret);
/* Which data key opens it, as the record itself claims. CLV_E_FORMAT for a
 * length or key version that no record has, CLV_E_VERSION for another format.
 */
int clv_record_key_version(const void *p, size_t len, uint32_t *ret);
/* Plaintext to ret[len - CLV_RECORD_EXTRA], which may not overlap p. Errors of
 * clv_record_key_version(), CLV_E_INVALID as above, CLV_E_DAMAGED: not the
 * record of this identity under this key, and ret is zeros or untouched. */
int clv_record_open(const uint8_t data_key[static CLV_KEY_LEN],
    const struct clv_record_id *id, const void *p, size_t len, void *ret);

#endif
