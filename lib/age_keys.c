/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <sodium.h>
#include <claviger/result.h>
#include "lib/age_impl.h"

/* RFC 5869: one block of output is enough for everything in age. */
void
clv__age_hkdf(const uint8_t *ikm, size_t ikm_len, const uint8_t *salt,
    size_t salt_len, const char *info, uint8_t ret[static 32])
{
	static const uint8_t block = 1;
	crypto_auth_hmacsha256_state state;
	uint8_t prk[32];

	crypto_auth_hmacsha256_init(&state, salt, salt_len);
	crypto_auth_hmacsha256_update(&state, ikm, ikm_len);
	crypto_auth_hmacsha256_final(&state, prk);

	crypto_auth_hmacsha256_init(&state, prk, sizeof(prk));
	crypto_auth_hmacsha256_update(
	    &state, (const uint8_t *)info, strlen(info));
	crypto_auth_hmacsha256_update(&state, &block, 1);
	crypto_auth_hmacsha256_final(&state, ret);

	sodium_memzero(prk, sizeof(prk));
	sodium_memzero(&state, sizeof(state));
}

static const uint8_t zero_nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];

void
clv__age_wrap(const uint8_t wrap_key[static 32],
    const uint8_t file_key[static CLV__AGE_FILE_KEY_LEN],
    uint8_t ret_body[static CLV__AGE_BODY_LEN])
{
	crypto_aead_chacha20poly1305_ietf_encrypt(ret_body, NULL, file_key,
	    CLV__AGE_FILE_KEY_LEN, NULL, 0, NULL, zero_nonce, wrap_key);
}

bool
clv__age_unwrap(const uint8_t wrap_key[static 32],
    const uint8_t body[static CLV__AGE_BODY_LEN],
    uint8_t ret_file_key[static CLV__AGE_FILE_KEY_LEN])
{
	return crypto_aead_chacha20poly1305_ietf_decrypt(ret_file_key, NULL,
		   NULL, body, CLV__AGE_BODY_LEN, NULL, 0, zero_nonce,
		   wrap_key) == 0;
}

int
clv__age_base64_decode(const char *p, size_t len, int variant, uint8_t *ret,
    size_t max, size_t *ret_len)
{
	/* libsodium 1.0.18 takes a character with its top bit set for the one
	 * without, where char is signed: the encoding would not be unique. */
	for (size_t i = 0; i < len; i++) {
		if ((p[i] & 0x80) != 0)
			return CLV_E_FORMAT;
	}
	if (sodium_base642bin(ret, max, p, len, NULL, ret_len, NULL, variant) !=
	    0)
		return CLV_E_FORMAT;
	return CLV_OK;
}
