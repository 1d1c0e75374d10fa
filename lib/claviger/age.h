/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLAVIGER_AGE_H
#define CLAVIGER_AGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <claviger/guard.h>

/*
 * age-encryption.org/v1 (C2SP age.md) for X25519 and scrypt recipients,
 * binary and armored, read as strictly as the specification says.
 */

#define CLV_AGE_KEY_LEN 32
#define CLV_AGE_RECIPIENT_MAX 63 /* "age1…" is 62 characters and a NUL */
#define CLV_AGE_IDENTITY_MAX 75	 /* "AGE-SECRET-KEY-1…" 74 and a NUL */
#define CLV_AGE_SCRYPT_LOGN_WRITE 18
#define CLV_AGE_SCRYPT_LOGN_MAX 20

/* X25519 keys as text, Bech32 (BIP 173). Parsing is strict: one case, right
 * checksum, right length. */
int clv_age_recipient_format(const uint8_t pk[static CLV_AGE_KEY_LEN],
    char ret_text[static CLV_AGE_RECIPIENT_MAX]);
int clv_age_recipient_parse(
    const char *text, uint8_t ret_pk[static CLV_AGE_KEY_LEN]);
int clv_age_identity_format(const uint8_t sk[static CLV_AGE_KEY_LEN],
    char ret_text[static CLV_AGE_IDENTITY_MAX]);
int clv_age_identity_parse(
    const char *text, uint8_t ret_sk[static CLV_AGE_KEY_LEN]);
/* New identity: sk from the system's random source, pk = X25519(sk, 9). */
void clv_age_keygen(uint8_t ret_sk[static CLV_AGE_KEY_LEN],
    uint8_t ret_pk[static CLV_AGE_KEY_LEN]);

/* Sink for output: returns CLV_OK or a result that ends the operation. */
typedef int (*clv_age_sink)(void *arg, const void *p, size_t len);

/*
 * Writing: feed plaintext in pieces; the sink gets the age file. Either
 * recipients (n of them, 1..16) or a passphrase with logn, never both.
 * The file key and payload key live in `guard`.
 */
struct clv_age_writer;
int clv_age_write_recipients(struct clv_guard *guard,
    const uint8_t (*pk)[CLV_AGE_KEY_LEN], size_t n, bool armor,
    clv_age_sink sink, void *arg, struct clv_age_writer **ret);
int clv_age_write_passphrase(struct clv_guard *guard, const char *passphrase,
    unsigned logn, bool armor, clv_age_sink sink, void *arg,
    struct clv_age_writer **ret);
int clv_age_writer_put(struct clv_age_writer *w, const void *p, size_t len);
int clv_age_writer_finish(struct clv_age_writer *w); /* last chunk, armor end */
void clv_age_writer_free(struct clv_age_writer **w); /* wipes */

/*
 * Reading: feed the file (armor is recognised by itself) in pieces; the sink
 * gets authenticated plaintext only. Either an identity or a passphrase.
 * Results: CLV_E_FORMAT header or armor is not age v1; CLV_E_VERSION another
 * version; CLV_E_NO_IDENTITY no stanza for us; CLV_E_PASSPHRASE; CLV_E_DAMAGED
 * header MAC or payload; CLV_E_TRUNCATED; CLV_E_WORK_FACTOR, before memory is
 * taken.
 */
struct clv_age_reader;
int clv_age_read_identity(struct clv_guard *guard,
    const uint8_t sk[static CLV_AGE_KEY_LEN], clv_age_sink sink, void *arg,
    struct clv_age_reader **ret);
int clv_age_read_passphrase(struct clv_guard *guard, const char *passphrase,
    unsigned logn_max, clv_age_sink sink, void *arg,
    struct clv_age_reader **ret);
int clv_age_reader_put(struct clv_age_reader *r, const void *p, size_t len);
int clv_age_reader_finish(struct clv_age_reader *r);
void clv_age_reader_free(struct clv_age_reader **r); /* wipes */

/* Whole buffers in one call. The plaintext of open goes to guarded memory:
 * *ret_p is of `guard`, caller gives it back with clv_guard_put(). */
struct clv_buf;
int clv_age_seal(struct clv_guard *guard, const uint8_t (*pk)[CLV_AGE_KEY_LEN],
    size_t n, bool armor, const void *p, size_t len, struct clv_buf *ret_file);
int clv_age_open(struct clv_guard *guard,
    const uint8_t sk[static CLV_AGE_KEY_LEN], const void *file, size_t len,
    size_t plain_max, uint8_t **ret_p, size_t *ret_len);

#endif
