/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <sodium.h>
#include <claviger/result.h>
#include "lib/age_impl.h"

/* age.md, "Payload": STREAM with ChaCha20-Poly1305 over chunks of 64 KiB. */
#define SEALED_LEN (CLV__AGE_CHUNK_LEN + CLV__AGE_TAG_LEN)
#define FIRST_CAP 4096
#define NONCE_LEN crypto_aead_chacha20poly1305_ietf_NPUBBYTES

int
clv__age_stream_init(struct clv__age_stream *st, struct clv_guard *guard,
    const uint8_t file_key[static CLV__AGE_FILE_KEY_LEN],
    const uint8_t nonce[static CLV__AGE_NONCE_LEN], clv_age_sink sink,
    void *arg)
{
	memset(st, 0, sizeof(*st));
	st->guard = guard;
	st->sink = sink;
	st->arg = arg;
	st->key = clv_guard_get(guard, CLV_AGE_KEY_LEN);
	if (st->key == NULL)
		return CLV_E_FULL;
	clv__age_hkdf(file_key, CLV__AGE_FILE_KEY_LEN, nonce,
	    CLV__AGE_NONCE_LEN, "payload", st->key);
	return CLV_OK;
}

void
clv__age_stream_fini(struct clv__age_stream *st)
{
	clv_guard_put(st->guard, st->key);
	clv_guard_put(st->guard, st->chunk);
	memset(st, 0, sizeof(*st));
}

/* Room for need bytes, at most one sealed chunk. */
static int
reserve(struct clv__age_stream *st, size_t need)
{
	size_t cap = st->cap == 0 ? FIRST_CAP : st->cap;
	uint8_t *chunk;

	if (need <= st->cap)
		return CLV_OK;
	while (cap < need)
		cap *= 2;
	if (cap > SEALED_LEN)
		cap = SEALED_LEN;
	chunk = clv_guard_get(st->guard, cap);
	if (chunk == NULL)
		return CLV_E_FULL;
	if (st->len > 0)
		memcpy(chunk, st->chunk, st->len);
	clv_guard_put(st->guard, st->chunk);
	st->chunk = chunk;
	st->cap = cap;
	return CLV_OK;
}

/* 11 bytes of counter, big-endian, and the flag of the last chunk. */
static void
make_nonce(uint64_t counter, bool last, uint8_t ret[static NONCE_LEN])
{
	memset(ret, 0, NONCE_LEN);
	for (int i = 0; i < 8; i++)
		ret[NONCE_LEN - 2 - i] = (uint8_t)(counter >> (8 * i));
	ret[NONCE_LEN - 1] = last;
}

static int
seal_chunk(struct clv__age_stream *st, bool last)
{
	uint8_t nonce[NONCE_LEN];
	int r;

	r = reserve(st, st->len + CLV__AGE_TAG_LEN);
	if (r != CLV_OK)
		return r;
	make_nonce(st->counter++, last, nonce);
	crypto_aead_chacha20poly1305_ietf_encrypt(
	    st->chunk, NULL, st->chunk, st->len, NULL, 0, NULL, nonce, st->key);
	r = st->sink(st->arg, st->chunk, st->len + CLV__AGE_TAG_LEN);
	st->len = 0;
	return r;
}

/* Verifies without decrypting, so that the other flag can be tried after. */
static bool
is_sealed_as(const struct clv__age_stream *st, bool last)
{
	uint8_t nonce[NONCE_LEN];

	make_nonce(st->counter, last, nonce);
	return crypto_aead_chacha20poly1305_ietf_decrypt(NULL, NULL, NULL,
		   st->chunk, st->len, NULL, 0, nonce, st->key) == 0;
}

/* Decrypt a verified chunk, hand it over and wipe it; then the result. Its tag
 * is not computed again, as the AEAD's own decryption would: RFC 8439, 2.8,
 * encrypts with ChaCha20 from block 1 on. */
static int
release(struct clv__age_stream *st, bool last, int result)
{
	size_t len = st->len - CLV__AGE_TAG_LEN;
	uint8_t nonce[NONCE_LEN];
	int r = CLV_OK;

	make_nonce(st->counter++, last, nonce);
	crypto_stream_chacha20_ietf_xor_ic(
	    st->chunk, st->chunk, len, nonce, 1, st->key);
	if (len > 0)
		r = st->sink(st->arg, st->chunk, len);
	sodium_memzero(st->chunk, st->len);
	st->len = 0;
	return r != CLV_OK ? r : result;
}

/* A full chunk with more behind it. */
static int
open_chunk(struct clv__age_stream *st)
{
	if (is_sealed_as(st, false))
		return release(st, false, CLV_OK);
	if (is_sealed_as(st, true))
		return release(st, true, CLV_E_DAMAGED); /* then garbage */
	return CLV_E_DAMAGED;
}

int
clv__age_stream_encrypt(
    struct clv__age_stream *st, const uint8_t *p, size_t len)
{
	int r = CLV_OK;

	while (r == CLV_OK && len > 0) {
		size_t n = CLV__AGE_CHUNK_LEN - st->len;

		if (n == 0) {
			r = seal_chunk(st, false);
			continue;
		}
		n = n < len ? n : len;
		r = reserve(st, st->len + n);
		if (r != CLV_OK)
			break;
		memcpy(st->chunk + st->len, p, n);
		st->len += n;
		p += n;
		len -= n;
	}
	return r;
}

int
clv__age_stream_encrypt_last(struct clv__age_stream *st)
{
	return seal_chunk(st, true);
}

int
clv__age_stream_decrypt(
    struct clv__age_stream *st, const uint8_t *p, size_t len)
{
	int r = CLV_OK;

	while (r == CLV_OK && len > 0) {
		size_t n = SEALED_LEN - st->len;

		if (n == 0) {
			r = open_chunk(st);
			continue;
		}
		n = n < len ? n : len;
		r = reserve(st, st->len + n);
		if (r != CLV_OK)
			break;
		memcpy(st->chunk + st->len, p, n);
		st->len += n;
		p += n;
		len -= n;
	}
	return r;
}

int
clv__age_stream_decrypt_last(struct clv__age_stream *st)
{
	if (st->len < CLV__AGE_TAG_LEN)
		return CLV_E_TRUNCATED;
	/* "MUST NOT be empty unless the whole payload is empty" */
	if (st->len == CLV__AGE_TAG_LEN && st->counter > 0)
		return CLV_E_DAMAGED;
	if (is_sealed_as(st, true))
		return release(st, true, CLV_OK);
	/* A good chunk, but not the last: the rest of the file is gone. */
	if (st->len == SEALED_LEN && is_sealed_as(st, false))
		return release(st, false, CLV_E_TRUNCATED);
	return CLV_E_DAMAGED;
}
