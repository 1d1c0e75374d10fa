/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLAVIGER_KEYRING_H
#define CLAVIGER_KEYRING_H

#include <stddef.h>
#include <stdint.h>
#include <claviger/guard.h>

/*
 * The keyring: every generation of the master secret that is still needed,
 * and the system signing key (Ed25519). It is what escrow protects. As text
 * it is claviger-keyring(5); in memory it lies in a guarded arena only.
 */

#define CLV_KEY_LEN 32
#define CLV_SYSTEM_ID_LEN 16
#define CLV_SIGN_PK_LEN 32
#define CLV_SIGN_SK_LEN 64
#define CLV_SIG_LEN 64
#define CLV_GENERATIONS_MAX 64
#define CLV_KEYRING_TEXT_MAX 8192

struct clv_keyring;

/* New keyring: random system id, random signing key, generation 1.
 * All randomness from randombytes_buf. */
int clv_keyring_new(struct clv_guard *guard, struct clv_keyring **ret);
void clv_keyring_free(struct clv_keyring **keyring); /* wipes */

/* Text form, claviger-keyring(5), NUL-terminated, into guarded memory; caller
 * gives it back with clv_guard_put(). Parsing is strict (any unknown line, any
 * wrong order is CLV_E_FORMAT; a higher version is CLV_E_VERSION). */
int clv_keyring_format(
    const struct clv_keyring *k, char **ret_text, size_t *ret_len);
int clv_keyring_parse(struct clv_guard *guard, const char *text, size_t len,
    struct clv_keyring **ret);

const uint8_t *clv_keyring_system_id(const struct clv_keyring *k); /* 16 B */
const uint8_t *clv_keyring_sign_pk(const struct clv_keyring *k);   /* 32 B */
/* The signing key that follows, or NULL: made ahead, in the place of one that
 * was never used, so that every copy has it before anything is signed by it. */
const uint8_t *clv_keyring_next_pk(const struct clv_keyring *k);
void clv_keyring_add_next(struct clv_keyring *k);
/* The system signs by this key now: if it is the one that follows, it takes the
 * other one's place, which is wiped. CLV_E_WRONG_SYSTEM: it is neither. */
int clv_keyring_follow(
    struct clv_keyring *k, const uint8_t pk[static CLV_SIGN_PK_LEN]);
uint32_t clv_keyring_newest(const struct clv_keyring *k); /* its number */
size_t clv_keyring_count(const struct clv_keyring *k);
uint32_t clv_keyring_number(const struct clv_keyring *k, size_t i);
/* Add generation newest+1 with a random secret. */
int clv_keyring_add(struct clv_keyring *k, uint32_t *ret_generation);
/* Take a generation out, and wipe it. CLV_E_NOT_FOUND; CLV_E_INVALID for the
 * last one that is left: a keyring without any is none. */
int clv_keyring_drop(struct clv_keyring *k, uint32_t generation);

/* Subkeys by crypto_kdf(context "claviger", id) of generation g. */
enum clv_subkey {
	CLV_SUBKEY_COMMITMENT = 1,   /* public */
	CLV_SUBKEY_DISTRIBUTION = 2, /* what a member with scope all gets */
	CLV_SUBKEY_AUDIT = 3,
	CLV_SUBKEY_SERVICE = 4 /* encrypts the network name's TLS key */
};
/* CLV_E_NOT_FOUND when the generation is not in the keyring. Into ret, which
 * should be guarded memory for every subkey but the commitment. */
int clv_keyring_subkey(const struct clv_keyring *k, uint32_t generation,
    enum clv_subkey which, uint8_t ret[static CLV_KEY_LEN]);
/* Key of one application: keyed BLAKE2b-256 (key: distribution key, personal
 * "claviger-app-key") over system id and length-prefixed application id. */
void clv_app_key(const uint8_t distribution[static CLV_KEY_LEN],
    const uint8_t system_id[static CLV_SYSTEM_ID_LEN], const char *app,
    uint8_t ret[static CLV_KEY_LEN]);
/* Public check value of a distribution or application key: keyed BLAKE2b-256
 * with personal "claviger-keychk1" over nothing. It stands in the signed list
 * and lets a member prove that it holds the key. */
void clv_key_check(
    const uint8_t key[static CLV_KEY_LEN], uint8_t ret[static CLV_KEY_LEN]);

/* Ed25519 signature by the system over domain (exactly 16 bytes, e.g.
 * "claviger-list-01") || p. */
#define CLV_DOMAIN_LEN 16
int clv_keyring_sign(const struct clv_keyring *k, const char *domain,
    const void *p, size_t len, uint8_t ret_sig[static CLV_SIG_LEN]);
/* Verify under pk; CLV_E_SIGNATURE. Same rule for system, node and member. */
int clv_verify(const uint8_t pk[static CLV_SIGN_PK_LEN], const char *domain,
    const void *p, size_t len, const uint8_t sig[static CLV_SIG_LEN]);
int clv_sign(const uint8_t sk[static CLV_SIGN_SK_LEN], const char *domain,
    const void *p, size_t len, uint8_t ret_sig[static CLV_SIG_LEN]);

/* AEAD for small rows: XChaCha20-Poly1305 with a random nonce, output
 * nonce 24 || ciphertext || tag 16, appended to ret. */
#define CLV_WRAP_EXTRA (24 + 16)
struct clv_buf;
int clv_wrap(const uint8_t key[static CLV_KEY_LEN], const void *aad,
    size_t aad_len, const void *p, size_t len, struct clv_buf *ret);
/* Plaintext to out[len - CLV_WRAP_EXTRA]; CLV_E_DAMAGED. */
int clv_unwrap(const uint8_t key[static CLV_KEY_LEN], const void *aad,
    size_t aad_len, const void *p, size_t len, void *ret_out);

#endif
