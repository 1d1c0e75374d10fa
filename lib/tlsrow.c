/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sodium.h>
#include <claviger/buf.h>
#include <claviger/list.h>
#include <claviger/result.h>
#include "sign.h"

#define ROW_DOMAIN "claviger-tlskey1"
#define CERT_MAX (64u << 10)
#define KEY_MAX (16u << 10)

/* What the wrapped key is bound to: system id || thumbprint || generation, all
 * of fixed length. */
#define AAD_LEN (CLV_SYSTEM_ID_LEN + crypto_hash_sha256_BYTES + 4)

struct row {
	uint32_t generation;
	const uint8_t *cert; /* all borrowed */
	size_t cert_len;
	const uint8_t *wrapped;
	size_t wrapped_len;
	const uint8_t *sig;
};

static int
format_aad(
    const struct clv_keyring *k, const struct row *row, struct clv_buf *ret)
{
	uint8_t thumb[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(thumb, row->cert, row->cert_len);
	clv_buf_raw(ret, clv_keyring_system_id(k), CLV_SYSTEM_ID_LEN);
	clv_buf_raw(ret, thumb, sizeof(thumb));
	clv_buf_u32(ret, row->generation);
	return clv_buf_result(ret);
}

static int
wrap_key(struct clv_guard *guard, const struct clv_keyring *k,
    const struct row *row, const void *key, size_t key_len, struct clv_buf *ret)
{
	uint8_t *service = clv_guard_get(guard, CLV_KEY_LEN);
	struct clv_buf aad = {0};
	int r = CLV_E_FULL;

	if (service == NULL)
		goto out;
	r = format_aad(k, row, &aad);
	if (r == CLV_OK)
		r = clv_keyring_subkey(
		    k, row->generation, CLV_SUBKEY_SERVICE, service);
	if (r == CLV_OK)
		r = clv_wrap(service, aad.data, aad.len, key, key_len, ret);
out:
	clv_buf_fini(&aad);
	clv_guard_put(guard, service);
	return r;
}

int
clv_tls_row_seal(struct clv_guard *guard, const struct clv_keyring *k,
    uint32_t generation, const void *cert, size_t cert_len, const void *key,
    size_t key_len, struct clv_buf *ret)
{
	struct row row = {
	    .generation = generation, .cert = cert, .cert_len = cert_len};
	struct clv_buf b = {0}, wrapped = {0};
	uint8_t sig[CLV_SIG_LEN];
	int r;

	if (cert_len == 0 || cert_len > CERT_MAX || key_len == 0 ||
	    key_len > KEY_MAX)
		return CLV_E_INVALID;
	r = wrap_key(guard, k, &row, key, key_len, &wrapped);
	if (r != CLV_OK)
		goto out;
	clv_buf_u32(&b, generation);
	clv_buf_bytes(&b, cert, cert_len);
	clv_buf_bytes(&b, wrapped.data, wrapped.len);
	r = clv_buf_result(&b);
	if (r == CLV_OK)
		r = clv_keyring_sign(k, ROW_DOMAIN, b.data, b.len, sig);
	if (r == CLV_OK)
		r = clv__put_signed(ret, &b, sig);
out:
	clv_buf_fini(&wrapped);
	clv_buf_fini(&b);
	return r;
}

static int
parse_row(const void *p, size_t len, struct row *ret)
{
	struct clv_rd r;

	clv_rd_init(&r, p, len);
	ret->generation = clv_rd_u32(&r);
	ret->cert = clv_rd_bytes(&r, &ret->cert_len);
	ret->wrapped = clv_rd_bytes(&r, &ret->wrapped_len);
	ret->sig = clv_rd_raw(&r, CLV_SIG_LEN);
	if (clv_rd_end(&r) != CLV_OK || ret->cert_len == 0 ||
	    ret->cert_len > CERT_MAX || ret->wrapped_len <= CLV_WRAP_EXTRA ||
	    ret->wrapped_len > KEY_MAX + CLV_WRAP_EXTRA)
		return CLV_E_FORMAT;
	return CLV_OK;
}

/* key[row->wrapped_len - CLV_WRAP_EXTRA] in guarded memory. */
static int
unwrap_key(struct clv_guard *guard, const struct clv_keyring *k,
    const struct row *row, uint8_t *key)
{
	uint8_t *service = clv_guard_get(guard, CLV_KEY_LEN);
	struct clv_buf aad = {0};
	int r = CLV_E_FULL;

	if (service == NULL || key == NULL)
		goto out;
	r = format_aad(k, row, &aad);
	if (r == CLV_OK)
		r = clv_keyring_subkey(
		    k, row->generation, CLV_SUBKEY_SERVICE, service);
	if (r == CLV_OK)
		r = clv_unwrap(service, aad.data, aad.len, row->wrapped,
		    row->wrapped_len, key);
out:
	clv_buf_fini(&aad);
	clv_guard_put(guard, service);
	return r;
}

static int
verify_row(const void *p, size_t len, const uint8_t pk[static CLV_SIGN_PK_LEN],
    struct row *ret)
{
	int r = parse_row(p, len, ret);

	if (r == CLV_OK)
		r = clv_verify(pk, ROW_DOMAIN, p, len - CLV_SIG_LEN, ret->sig);
	return r;
}

int
clv_tls_row_generation(const void *p, size_t len,
    const uint8_t pk[static CLV_SIGN_PK_LEN], uint32_t *ret)
{
	struct row row = {0};
	int r = verify_row(p, len, pk, &row);

	if (r == CLV_OK)
		*ret = row.generation;
	return r;
}

int
clv_tls_row_open(struct clv_guard *guard, const struct clv_keyring *k,
    const void *p, size_t len, struct clv_buf *ret_cert, uint8_t **ret_key,
    size_t *ret_key_len)
{
	return clv_tls_row_open_by(guard, k, clv_keyring_sign_pk(k), p, len,
	    ret_cert, ret_key, ret_key_len);
}

int
clv_tls_row_open_by(struct clv_guard *guard, const struct clv_keyring *k,
    const uint8_t pk[static CLV_SIGN_PK_LEN], const void *p, size_t len,
    struct clv_buf *ret_cert, uint8_t **ret_key, size_t *ret_key_len)
{
	struct row row = {0};
	uint8_t *key = NULL;
	size_t key_len;
	int r = verify_row(p, len, pk, &row);

	if (r != CLV_OK)
		return r;
	key_len = row.wrapped_len - CLV_WRAP_EXTRA;
	key = clv_guard_get(guard, key_len);
	r = unwrap_key(guard, k, &row, key);
	if (r == CLV_OK) {
		clv_buf_raw(ret_cert, row.cert, row.cert_len);
		r = clv_buf_result(ret_cert);
	}
	if (r != CLV_OK) {
		clv_guard_put(guard, key);
		return r;
	}
	*ret_key = key;
	*ret_key_len = key_len;
	return CLV_OK;
}
