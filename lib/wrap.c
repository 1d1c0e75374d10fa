/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <sodium.h>
#include <claviger/buf.h>
#include <claviger/keyring.h>
#include <claviger/result.h>

#define NONCE_LEN crypto_aead_xchacha20poly1305_ietf_NPUBBYTES

_Static_assert(
    CLV_WRAP_EXTRA == NONCE_LEN + crypto_aead_xchacha20poly1305_ietf_ABYTES,
    "nonce and tag");

int
clv_wrap(const uint8_t key[static CLV_KEY_LEN], const void *aad, size_t aad_len,
    const void *p, size_t len, struct clv_buf *ret)
{
	uint8_t *out;

	if (len > CLV_BUF_MAX - CLV_WRAP_EXTRA)
		return CLV_E_FULL;
	out = malloc(len + CLV_WRAP_EXTRA); /* only ever holds ciphertext */
	if (out == NULL)
		return CLV_E_NOMEM;
	randombytes_buf(out, NONCE_LEN);
	crypto_aead_xchacha20poly1305_ietf_encrypt(
	    out + NONCE_LEN, NULL, p, len, aad, aad_len, NULL, out, key);
	clv_buf_raw(ret, out, len + CLV_WRAP_EXTRA);
	free(out);
	return clv_buf_result(ret);
}

int
clv_unwrap(const uint8_t key[static CLV_KEY_LEN], const void *aad,
    size_t aad_len, const void *p, size_t len, void *ret_out)
{
	const uint8_t *in = p;

	if (len < CLV_WRAP_EXTRA)
		return CLV_E_DAMAGED;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(ret_out, NULL, NULL,
		in + NONCE_LEN, len - NONCE_LEN, aad, aad_len, in, key) != 0)
		return CLV_E_DAMAGED;
	return CLV_OK;
}
