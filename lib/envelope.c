/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdbool.h>
#include <string.h>
#include <sodium.h>
#include <claviger/envelope.h>
#include <claviger/identity.h>
#include <claviger/result.h>
#include "keyring.h"
#include "pack.h"

#define FORMAT 1
#define NONCE_LEN crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_LEN crypto_aead_xchacha20poly1305_ietf_ABYTES
#define COMMITMENT_LEN 32
/* How far below its caller libsodium 1.0.18 writes (2.3 KiB, with AVX2). The
 * library and libsodium are bound at once, so no dynamic linker adds to it. */
#define STACK_LEN 3072
#define DATAKEY_DOMAIN "claviger-datakey" /* without its NUL */
#define DATAKEY_AAD_MAX (16 + 1 + CLV_SYSTEM_ID_LEN + 4 + CLV_NAME_MAX + 4 + 4)
#define RECORD_AAD_MAX \
	(1 + 1 + CLV_SYSTEM_ID_LEN + 4 + CLV_NAME_MAX + 4 + \
	    CLV_RECORD_NAME_MAX + 8 + 4)

/* Where the parts of a record begin. */
enum {
	AT_KEY_VERSION = 1,
	AT_NONCE = AT_KEY_VERSION + 4,
	AT_COMMITMENT = AT_NONCE + NONCE_LEN,
	AT_CIPHERTEXT = AT_COMMITMENT + COMMITMENT_LEN
};
_Static_assert(COMMITMENT_LEN == crypto_verify_32_BYTES, "commitment");
_Static_assert(NONCE_LEN >= crypto_generichash_blake2b_SALTBYTES, "salt");
_Static_assert(AT_CIPHERTEXT + TAG_LEN == CLV_RECORD_EXTRA, "record");
_Static_assert(
    1 + NONCE_LEN + CLV_KEY_LEN + TAG_LEN == CLV_DATAKEY_WRAPPED_LEN, "key");

/* Length of an application's name; 0 when it is none. */
static size_t
app_len(const char *app)
{
	size_t len = strnlen(app, CLV_NAME_MAX);

	return len < CLV_NAME_MAX ? len : 0;
}

/* Length of the associated data; 0 when the identity cannot be. */
static size_t
datakey_aad(
    const struct clv_datakey_id *id, uint8_t ret[static DATAKEY_AAD_MAX])
{
	size_t len = app_len(id->app);
	uint8_t *at = ret;

	if (len == 0 || id->generation == 0)
		return 0;
	at = clv__pack_raw(at, DATAKEY_DOMAIN, sizeof(DATAKEY_DOMAIN) - 1);
	at = clv__pack_u8(at, FORMAT);
	at = clv__pack_raw(at, id->system_id, CLV_SYSTEM_ID_LEN);
	at = clv__pack_str(at, id->app, len);
	at = clv__pack_u32(at, id->version);
	at = clv__pack_u32(at, id->generation);
	return (size_t)(at - ret);
}

CLV__CLEARS_REGISTERS int
clv_datakey_wrap(const uint8_t app_key[static CLV_KEY_LEN],
    const struct clv_datakey_id *id, const uint8_t key[static CLV_KEY_LEN],
    uint8_t ret[static CLV_DATAKEY_WRAPPED_LEN])
{
	uint8_t aad[DATAKEY_AAD_MAX];
	size_t aad_len = datakey_aad(id, aad);

	if (aad_len == 0)
		return CLV_E_INVALID;
	ret[0] = FORMAT;
	randombytes_buf(ret + 1, NONCE_LEN);
	crypto_aead_xchacha20poly1305_ietf_encrypt(ret + 1 + NONCE_LEN, NULL,
	    key, CLV_KEY_LEN, aad, aad_len, NULL, ret + 1, app_key);
	sodium_stackzero(STACK_LEN);
	return CLV_OK;
}

CLV__CLEARS_REGISTERS int
clv_datakey_unwrap(const uint8_t app_key[static CLV_KEY_LEN],
    const struct clv_datakey_id *id, const void *p, size_t len,
    uint8_t ret_key[static CLV_KEY_LEN])
{
	const uint8_t *in = p;
	uint8_t aad[DATAKEY_AAD_MAX];
	size_t aad_len = datakey_aad(id, aad);
	int r;

	if (aad_len == 0)
		return CLV_E_INVALID;
	if (len != 0 && in[0] != FORMAT)
		return CLV_E_VERSION;
	if (len != CLV_DATAKEY_WRAPPED_LEN)
		return CLV_E_DAMAGED;
	r = crypto_aead_xchacha20poly1305_ietf_decrypt(ret_key, NULL, NULL,
	    in + 1 + NONCE_LEN, CLV_KEY_LEN + TAG_LEN, aad, aad_len, in + 1,
	    app_key);
	sodium_stackzero(STACK_LEN);
	return r == 0 ? CLV_OK : CLV_E_DAMAGED;
}

/* The associated data of a record; its length, or 0 when the identity cannot
 * be. */
static size_t
record_aad(const struct clv_record_id *id, uint32_t key_version,
    uint8_t ret[static RECORD_AAD_MAX])
{
	size_t app = app_len(id->app);
	size_t name = strnlen(id->name, CLV_RECORD_NAME_MAX);
	bool is_secret = id->kind == CLV_RECORD_SECRET;
	uint8_t *at = ret;

	if (key_version == 0 || app == 0 || name == CLV_RECORD_NAME_MAX ||
	    (!is_secret && id->kind != CLV_RECORD_SEALED) ||
	    (is_secret && name == 0) || is_secret != (id->version != 0))
		return 0;
	at = clv__pack_u8(at, FORMAT);
	at = clv__pack_u8(at, id->kind);
	at = clv__pack_raw(at, id->system_id, CLV_SYSTEM_ID_LEN);
	at = clv__pack_str(at, id->app, app);
	at = clv__pack_str(at, id->name, name);
	at = clv__pack_u64(at, id->version);
	at = clv__pack_u32(at, key_version);
	return (size_t)(at - ret);
}

/* What a data key derives for one record. */
struct derived {
	uint8_t key[CLV_KEY_LEN];
	uint8_t commitment[COMMITMENT_LEN];
};

static void
derive(const uint8_t data_key[static CLV_KEY_LEN],
    const uint8_t nonce[static NONCE_LEN], struct derived *ret)
{
	crypto_generichash_blake2b_salt_personal((uint8_t *)ret, sizeof(*ret),
	    NULL, 0, data_key, CLV_KEY_LEN, nonce,
	    (const uint8_t *)"claviger-record1");
}

CLV__CLEARS_REGISTERS int
clv_record_seal(const uint8_t data_key[static CLV_KEY_LEN],
    uint32_t key_version, const struct clv_record_id *id, const void *p,
    size_t len, void *ret)
{
	uint8_t *out = ret, aad[RECORD_AAD_MAX];
	size_t aad_len = record_aad(id, key_version, aad);
	struct derived d;

	if (aad_len == 0)
		return CLV_E_INVALID;
	if (len > CLV_VALUE_MAX)
		return CLV_E_FULL;
	out[0] = FORMAT;
	clv__pack_u32(out + AT_KEY_VERSION, key_version);
	randombytes_buf(out + AT_NONCE, NONCE_LEN);
	derive(data_key, out + AT_NONCE, &d);
	memcpy(out + AT_COMMITMENT, d.commitment, COMMITMENT_LEN);
	crypto_aead_xchacha20poly1305_ietf_encrypt(out + AT_CIPHERTEXT, NULL, p,
	    len, aad, aad_len, NULL, out + AT_NONCE, d.key);
	sodium_memzero(&d, sizeof(d));
	sodium_stackzero(STACK_LEN);
	return CLV_OK;
}

int
clv_record_key_version(const void *p, size_t len, uint32_t *ret)
{
	const uint8_t *in = p;
	uint32_t v;

	if (len < CLV_RECORD_EXTRA || len > CLV_RECORD_MAX)
		return CLV_E_FORMAT;
	if (in[0] != FORMAT)
		return CLV_E_VERSION;
	memcpy(&v, in + AT_KEY_VERSION, sizeof(v));
	if (v == 0)
		return CLV_E_FORMAT;
	*ret = be32toh(v);
	return CLV_OK;
}

CLV__CLEARS_REGISTERS int
clv_record_open(const uint8_t data_key[static CLV_KEY_LEN],
    const struct clv_record_id *id, const void *p, size_t len, void *ret)
{
	const uint8_t *in = p;
	uint8_t aad[RECORD_AAD_MAX];
	uint32_t key_version;
	size_t aad_len;
	struct derived d;
	int r = clv_record_key_version(p, len, &key_version);

	if (r != CLV_OK)
		return r;
	aad_len = record_aad(id, key_version, aad);
	if (aad_len == 0)
		return CLV_E_INVALID;
	derive(data_key, in + AT_NONCE, &d);
	/* The commitment first: nothing is decrypted under another key. */
	if (crypto_verify_32(d.commitment, in + AT_COMMITMENT) != 0 ||
	    crypto_aead_xchacha20poly1305_ietf_decrypt(ret, NULL, NULL,
		in + AT_CIPHERTEXT, len - AT_CIPHERTEXT, aad, aad_len,
		in + AT_NONCE, d.key) != 0)
		r = CLV_E_DAMAGED;
	sodium_memzero(&d, sizeof(d));
	sodium_stackzero(STACK_LEN);
	return r;
}
