/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>
#include <sodium.h>
#include <claviger/result.h>
#include "lib/age_impl.h"
#include "lib/bech32.h"

/* age.md, "The X25519 recipient type" */
#define RECIPIENT_HRP "age"
#define IDENTITY_HRP "AGE-SECRET-KEY-"
#define STANZA_TYPE "X25519"
#define KDF_INFO "age-encryption.org/v1/X25519"

int
clv_age_recipient_format(const uint8_t pk[static CLV_AGE_KEY_LEN],
    char ret_text[static CLV_AGE_RECIPIENT_MAX])
{
	clv__bech32_format(RECIPIENT_HRP, pk, CLV_AGE_KEY_LEN, ret_text);
	return CLV_OK;
}

int
clv_age_recipient_parse(
    const char *text, uint8_t ret_pk[static CLV_AGE_KEY_LEN])
{
	return clv__bech32_parse(RECIPIENT_HRP, text, ret_pk, CLV_AGE_KEY_LEN);
}

int
clv_age_identity_format(const uint8_t sk[static CLV_AGE_KEY_LEN],
    char ret_text[static CLV_AGE_IDENTITY_MAX])
{
	clv__bech32_format(IDENTITY_HRP, sk, CLV_AGE_KEY_LEN, ret_text);
	return CLV_OK;
}

int
clv_age_identity_parse(const char *text, uint8_t ret_sk[static CLV_AGE_KEY_LEN])
{
	return clv__bech32_parse(IDENTITY_HRP, text, ret_sk, CLV_AGE_KEY_LEN);
}

void
clv_age_keygen(uint8_t ret_sk[static CLV_AGE_KEY_LEN],
    uint8_t ret_pk[static CLV_AGE_KEY_LEN])
{
	randombytes_buf(ret_sk, CLV_AGE_KEY_LEN);
	crypto_scalarmult_base(ret_pk, ret_sk);
}

/* wrap key = HKDF(shared secret, salt = share || recipient, info) */
static void
derive(struct clv__age_secret *s, const uint8_t share[static CLV_AGE_KEY_LEN],
    const uint8_t pk[static CLV_AGE_KEY_LEN])
{
	uint8_t salt[2 * CLV_AGE_KEY_LEN];

	memcpy(salt, share, CLV_AGE_KEY_LEN);
	memcpy(salt + CLV_AGE_KEY_LEN, pk, CLV_AGE_KEY_LEN);
	clv__age_hkdf(s->shared, sizeof(s->shared), salt, sizeof(salt),
	    KDF_INFO, s->wrap_key);
}

int
clv__age_x25519_wrap(struct clv__age_secret *s,
    const uint8_t pk[static CLV_AGE_KEY_LEN], struct clv_buf *text)
{
	uint8_t share[CLV_AGE_KEY_LEN];
	uint8_t body[CLV__AGE_BODY_LEN];
	char b64[CLV__AGE_B64_LEN(CLV_AGE_KEY_LEN) + 1];
	char args[sizeof(STANZA_TYPE " ") + sizeof(b64)];

	clv_age_keygen(s->scalar, share);
	if (crypto_scalarmult(s->shared, s->scalar, pk) != 0)
		return CLV_E_INVALID;
	derive(s, share, pk);
	clv__age_wrap(s->wrap_key, s->file_key, body);
	sodium_bin2base64(b64, sizeof(b64), share, sizeof(share),
	    sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	snprintf(args, sizeof(args), STANZA_TYPE " %s", b64);
	clv__age_header_stanza(text, args, body);
	return clv_buf_result(text);
}

/* s->found: the file key, when the stanza is ours. */
static int
unwrap_one(struct clv__age_secret *s, const struct clv__age_stanza *stanza,
    const uint8_t pk[static CLV_AGE_KEY_LEN])
{
	uint8_t share[CLV_AGE_KEY_LEN];
	uint8_t body[CLV__AGE_BODY_LEN];

	if (stanza->args != 2 ||
	    clv__age_base64(stanza->arg[1], share, sizeof(share)) != CLV_OK ||
	    clv__age_stanza_body(stanza, body) != CLV_OK)
		return CLV_E_FORMAT;
	/* Fails for the all-zero shared secret, at which we MUST abort. */
	if (crypto_scalarmult(s->shared, s->identity, share) != 0)
		return CLV_E_FORMAT;
	derive(s, share, pk);
	return clv__age_unwrap(s->wrap_key, body, s->found) ? CLV_OK
							    : CLV_E_NO_IDENTITY;
}

int
clv__age_x25519_unwrap(
    struct clv__age_secret *s, const struct clv__age_header *h)
{
	struct clv__age_stanza stanza;
	uint8_t pk[CLV_AGE_KEY_LEN];
	int result = CLV_E_NO_IDENTITY;
	size_t at = 0;

	crypto_scalarmult_base(pk, s->identity);
	/* All stanzas, also behind ours: a malformed one spoils the file. */
	while (clv__age_header_next(h, &at, &stanza)) {
		int r;

		if (!clv__age_stanza_is(&stanza, STANZA_TYPE))
			continue;
		r = unwrap_one(s, &stanza, pk);
		if (r == CLV_E_FORMAT)
			return r;
		if (r != CLV_OK || result == CLV_OK)
			continue;
		memcpy(s->file_key, s->found, sizeof(s->file_key));
		result = CLV_OK;
	}
	return result;
}
