/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>
#include <sodium.h>
#include <claviger/result.h>
#include "lib/age_impl.h"

/* age.md, "The scrypt recipient type" */
#define STANZA_TYPE "scrypt"
#define SALT_LABEL "age-encryption.org/v1/scrypt"
#define SALT_LEN 16

static int
derive(struct clv__age_secret *s, const char *passphrase,
    const uint8_t salt[static SALT_LEN], unsigned logn)
{
	uint8_t full[sizeof(SALT_LABEL) - 1 + SALT_LEN];

	memcpy(full, SALT_LABEL, sizeof(SALT_LABEL) - 1);
	memcpy(full + sizeof(SALT_LABEL) - 1, salt, SALT_LEN);
	if (crypto_pwhash_scryptsalsa208sha256_ll((const uint8_t *)passphrase,
		strlen(passphrase), full, sizeof(full), UINT64_C(1) << logn, 8,
		1, s->wrap_key, sizeof(s->wrap_key)) != 0)
		return CLV_E_NOMEM;
	return CLV_OK;
}

int
clv__age_scrypt_wrap(struct clv__age_secret *s, const char *passphrase,
    unsigned logn, struct clv_buf *text)
{
	uint8_t salt[SALT_LEN];
	uint8_t body[CLV__AGE_BODY_LEN];
	char b64[CLV__AGE_B64_LEN(SALT_LEN) + 1];
	char args[sizeof(STANZA_TYPE " ") + sizeof(b64) + 4];
	int r;

	randombytes_buf(salt, sizeof(salt));
	r = derive(s, passphrase, salt, logn);
	if (r != CLV_OK)
		return r;
	clv__age_wrap(s->wrap_key, s->file_key, body);
	sodium_bin2base64(b64, sizeof(b64), salt, sizeof(salt),
	    sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	snprintf(args, sizeof(args), STANZA_TYPE " %s %u", b64, logn);
	clv__age_header_stanza(text, args, body);
	return clv_buf_result(text);
}

/* "^[1-9][0-9]*$", of any length, and not above the limit. */
static int
work_factor(struct clv__age_span text, unsigned logn_max, unsigned *ret_logn)
{
	unsigned logn = 0;
	bool above = false;

	if (text.len == 0 || text.p[0] == '0')
		return CLV_E_FORMAT;
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return CLV_E_FORMAT;
		if (!above)
			logn = logn * 10 + (unsigned)(text.p[i] - '0');
		above = above || logn > logn_max;
	}
	if (above)
		return CLV_E_WORK_FACTOR;
	*ret_logn = logn;
	return CLV_OK;
}

int
clv__age_scrypt_unwrap(struct clv__age_secret *s, const char *passphrase,
    unsigned logn_max, const struct clv__age_header *h)
{
	struct clv__age_stanza stanza;
	uint8_t salt[SALT_LEN];
	uint8_t body[CLV__AGE_BODY_LEN];
	unsigned logn;
	size_t at = 0;
	int r;

	/* The header's grammar has seen to it that it stands alone. */
	if (!h->scrypt || !clv__age_header_next(h, &at, &stanza))
		return CLV_E_NO_IDENTITY;
	if (stanza.args != 3 ||
	    clv__age_base64(stanza.arg[1], salt, sizeof(salt)) != CLV_OK)
		return CLV_E_FORMAT;
	r = work_factor(stanza.arg[2], logn_max, &logn);
	if (r != CLV_OK)
		return r;
	if (clv__age_stanza_body(&stanza, body) != CLV_OK)
		return CLV_E_FORMAT;
	r = derive(s, passphrase, salt, logn);
	if (r != CLV_OK)
		return r;
	return clv__age_unwrap(s->wrap_key, body, s->file_key)
		   ? CLV_OK
		   : CLV_E_PASSPHRASE;
}
