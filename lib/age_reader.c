/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include <claviger/result.h>
#include "lib/age_impl.h"

enum kind { KIND_UNKNOWN, KIND_BINARY, KIND_ARMORED };

struct clv_age_reader {
	struct clv_guard *guard;
	clv_age_sink sink;
	void *arg;
	struct clv__age_secret *secret; /* until the payload starts */
	char *passphrase;		/* guarded; NULL: identity */
	unsigned logn_max;
	enum kind kind;
	enum clv__age_stage stage;
	bool finished;
	int result;   /* the first failure stays */
	size_t space; /* white space in front, and on its last line */
	bool space_in_line;
	struct clv__age_armor_reader armor;
	struct clv__age_header header;
	uint8_t nonce[CLV__AGE_NONCE_LEN];
	size_t nonce_len;
	struct clv__age_stream stream;
};

static void
forget_secret(struct clv_age_reader *r)
{
	clv_guard_put(r->guard, r->secret);
	clv_guard_put(r->guard, r->passphrase);
	r->secret = NULL;
	r->passphrase = NULL;
}

/* The header is whole: find the file key and check the MAC with it. */
static int
on_header(struct clv_age_reader *r)
{
	int result;

	if (r->passphrase != NULL)
		result = clv__age_scrypt_unwrap(
		    r->secret, r->passphrase, r->logn_max, &r->header);
	else
		result = clv__age_x25519_unwrap(r->secret, &r->header);
	if (result != CLV_OK)
		return result;
	return clv__age_header_verify(&r->header, r->secret->file_key);
}

static int
on_nonce(struct clv_age_reader *r)
{
	int result = clv__age_stream_init(&r->stream, r->guard,
	    r->secret->file_key, r->nonce, r->sink, r->arg);

	forget_secret(r);
	clv__age_header_fini(&r->header);
	r->stage = CLV__AGE_AT_PAYLOAD;
	return result;
}

static int
put_header(
    struct clv_age_reader *r, const uint8_t *p, size_t len, size_t *ret_used)
{
	int result = clv__age_header_put(&r->header, p, len, ret_used);

	if (r->header.state != CLV__AGE_VERSION_LINE)
		r->stage = CLV__AGE_AT_HEADER;
	if (result == CLV_OK && r->header.state == CLV__AGE_HEADER_DONE)
		result = on_header(r);
	return result;
}

static int
put_nonce(
    struct clv_age_reader *r, const uint8_t *p, size_t len, size_t *ret_used)
{
	size_t n = sizeof(r->nonce) - r->nonce_len;

	n = n < len ? n : len;
	memcpy(r->nonce + r->nonce_len, p, n);
	r->nonce_len += n;
	*ret_used = n;
	return r->nonce_len == sizeof(r->nonce) ? on_nonce(r) : CLV_OK;
}

/* Bytes of the binary format. */
static int
put_binary(void *arg, const void *bytes, size_t len)
{
	struct clv_age_reader *r = arg;
	const uint8_t *p = bytes;

	while (r->result == CLV_OK && len > 0) {
		size_t used = len;

		if (r->header.state != CLV__AGE_HEADER_DONE)
			r->result = put_header(r, p, len, &used);
		else if (r->stage != CLV__AGE_AT_PAYLOAD)
			r->result = put_nonce(r, p, len, &used);
		else
			r->result = clv__age_stream_decrypt(&r->stream, p, len);
		p += used;
		len -= used;
	}
	return r->result;
}

/* A failure inside the armor has its place noted already. */
static void
armor_result(struct clv_age_reader *r, int result)
{
	if (r->result != CLV_OK || result == CLV_OK)
		return;
	r->result = result;
	r->stage = CLV__AGE_AT_ARMOR;
}

/* Armor may have white space in front, but whole lines of it; the binary
 * format none. Returns how many bytes were taken. */
static size_t
recognise(struct clv_age_reader *r, const uint8_t *p, size_t len)
{
	size_t i;

	for (i = 0; i < len && clv__age_is_space(p[i]); i++)
		r->space_in_line = p[i] != '\n';
	r->space += i;
	if (r->space > CLV__AGE_ARMOR_SPACE_MAX)
		r->result = CLV_E_FORMAT;
	if (r->result != CLV_OK || i == len)
		return i;
	if (p[i] == '-' && !r->space_in_line)
		r->kind = KIND_ARMORED;
	else if (r->space == 0)
		r->kind = KIND_BINARY;
	else
		r->result = CLV_E_FORMAT;
	return i;
}

int
clv_age_reader_put(struct clv_age_reader *r, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	if (r->result == CLV_OK && r->finished)
		r->result = CLV_E_INVALID;
	if (r->result == CLV_OK && r->kind == KIND_UNKNOWN) {
		size_t n = recognise(r, p, len);
		p += n;
		len -= n;
	}
	if (r->result != CLV_OK || len == 0)
		return r->result;
	if (r->kind == KIND_ARMORED)
		armor_result(
		    r, clv__age_armor_read(&r->armor, p, len, put_binary, r));
	else
		put_binary(r, p, len);
	return r->result;
}

int
clv_age_reader_finish(struct clv_age_reader *r)
{
	if (r->result != CLV_OK || r->finished)
		return r->result;
	r->finished = true;
	if (r->kind == KIND_ARMORED)
		armor_result(
		    r, clv__age_armor_read_end(&r->armor, put_binary, r));
	if (r->result != CLV_OK)
		return r->result;
	if (r->stage == CLV__AGE_AT_PAYLOAD)
		r->result = clv__age_stream_decrypt_last(&r->stream);
	else
		r->result = CLV_E_TRUNCATED;
	return r->result;
}

static int
new_reader(struct clv_guard *guard, clv_age_sink sink, void *arg,
    struct clv_age_reader **ret)
{
	struct clv_age_reader *r;

	if (sodium_init() < 0)
		return CLV_E_SYSTEM;
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return CLV_E_NOMEM;
	clv__age_header_init(&r->header);
	r->guard = guard;
	r->sink = sink;
	r->arg = arg;
	r->secret = clv_guard_get(guard, sizeof(*r->secret));
	if (r->secret == NULL) {
		clv_age_reader_free(&r);
		return CLV_E_FULL;
	}
	*ret = r;
	return CLV_OK;
}

int
clv_age_read_identity(struct clv_guard *guard,
    const uint8_t sk[static CLV_AGE_KEY_LEN], clv_age_sink sink, void *arg,
    struct clv_age_reader **ret)
{
	struct clv_age_reader *r = NULL;
	int result = new_reader(guard, sink, arg, &r);

	if (result != CLV_OK)
		return result;
	memcpy(r->secret->identity, sk, CLV_AGE_KEY_LEN);
	*ret = r;
	return CLV_OK;
}

int
clv_age_read_passphrase(struct clv_guard *guard, const char *passphrase,
    unsigned logn_max, clv_age_sink sink, void *arg,
    struct clv_age_reader **ret)
{
	struct clv_age_reader *r = NULL;
	size_t len = strlen(passphrase);
	int result;

	if (len == 0 || logn_max < 1 || logn_max > CLV_AGE_SCRYPT_LOGN_MAX)
		return CLV_E_INVALID;
	result = new_reader(guard, sink, arg, &r);
	if (result != CLV_OK)
		return result;
	r->logn_max = logn_max;
	r->passphrase = clv_guard_get(guard, len + 1);
	if (r->passphrase == NULL) {
		clv_age_reader_free(&r);
		return CLV_E_FULL;
	}
	memcpy(r->passphrase, passphrase, len + 1);
	*ret = r;
	return CLV_OK;
}

void
clv_age_reader_free(struct clv_age_reader **r)
{
	if (*r == NULL)
		return;
	forget_secret(*r);
	clv__age_header_fini(&(*r)->header);
	if ((*r)->stream.guard != NULL)
		clv__age_stream_fini(&(*r)->stream);
	free(*r);
	*r = NULL;
}

enum clv__age_stage
clv__age_reader_stage(const struct clv_age_reader *r)
{
	return r->stage;
}
