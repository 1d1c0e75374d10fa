/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLV_SLIP39_IMPL_H
#define CLV_SLIP39_IMPL_H

#include <claviger/slip39.h>

/*
 * No branch and no address depends on a share's value or on the secret: GF(256)
 * is bit-serial, a word is looked for in the whole list. What is not hidden:
 * how long each word of a text is, and where a mistyped one stands.
 */

/* ---- slip39_gf256.c: the field of AES, section "Shamir's secret-sharing" ----
 */
uint8_t clv__gf256_mul(uint8_t a, uint8_t b);
uint8_t clv__gf256_inverse(uint8_t a); /* of 0: 0 */

struct clv__slip39_point {
	uint8_t x; /* public */
	uint8_t y[CLV_SLIP39_SECRET_MAX];
};

/* The lowest polynomials through n points, whose x differ, at x; of each of
 * len bytes. ret is none of the points. */
void clv__slip39_interpolate(const struct clv__slip39_point *points, size_t n,
    size_t len, uint8_t x, uint8_t *ret);

/* ---- slip39_cipher.c: section "Encryption of the master secret" ---- */
bool clv__slip39_is_passphrase(const char *passphrase);
/* In place. of: id, extendable and exponent of it. CLV_E_FULL. */
int clv__slip39_encrypt(struct clv_guard *guard,
    const struct clv_slip39_share *of, const char *passphrase, uint8_t *p,
    size_t len);
int clv__slip39_decrypt(struct clv_guard *guard,
    const struct clv_slip39_share *of, const char *passphrase, uint8_t *p,
    size_t len);

/* ---- slip39.c, slip39_combine.c: one level of sharing ---- */
#define CLV__SLIP39_DIGEST_LEN 4
#define CLV__SLIP39_AT_DIGEST 254
#define CLV__SLIP39_AT_SECRET 255
void clv__slip39_digest(const uint8_t *random, size_t random_len,
    const uint8_t *secret, size_t len,
    uint8_t ret[static CLV__SLIP39_DIGEST_LEN]);
/* SplitSecret: ret[i] is the value at i, 0 <= i < n. CLV_E_FULL. */
int clv__slip39_split_secret(struct clv_guard *guard, size_t threshold,
    size_t n, const uint8_t *secret, size_t len,
    uint8_t (*ret)[CLV_SLIP39_SECRET_MAX]);
/* RecoverSecret, of exactly the threshold. CLV_E_DIGEST. */
int clv__slip39_recover_secret(struct clv_guard *guard,
    const struct clv__slip39_point *points, size_t threshold, size_t len,
    uint8_t *ret);
/* clv_slip39_combine() without the decryption. */
int clv__slip39_recover(struct clv_guard *guard,
    const struct clv_slip39_share *shares, size_t n, uint8_t *ret,
    size_t *ret_share);

/* ---- slip39_words.c ---- */
/* The index of a word, or CLV__SLIP39_WORDS. */
unsigned clv__slip39_word_find(const char *word, size_t len);
/* Returns the end of the word. No NUL. */
char *clv__slip39_word_put(unsigned index, char *to);

/* ---- slip39_text.c: sections "Format of the share mnemonic", "Checksum" ----
 */
#define CLV__SLIP39_CHECKSUM_WORDS 3
/* Every field is what the format can say. */
bool clv__slip39_is_sound(const struct clv_slip39_share *share);
void clv__slip39_checksum(uint16_t *words, size_t n); /* sets the last three */
bool clv__slip39_is_valid(const uint16_t *words, size_t n);
/* The one word whose change makes an invalid checksum valid, from 1; or 0. */
size_t clv__slip39_locate(const uint16_t *words, size_t n);

#endif
