/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <string.h>

#include <claviger/result.h>

#include "daemon/keeper/secret_impl.h"

/* The network name's certificate and its key: fetched, opened, and given to the
 * front. */

/* A row of the signing key before is good until it is sealed anew. */
int
secret_tls_open(struct keeper *k, const struct db_field *row,
    struct clv_buf *ret_cert, uint8_t **ret_key, size_t *ret_len)
{
	const uint8_t *former = clv_list_former_pk(k->secret.list);
	int r = clv_tls_row_open(k->guard, k->secret.keyring, row->p, row->len,
	    ret_cert, ret_key, ret_len);

	if (r != CLV_E_SIGNATURE || former == NULL)
		return r;
	return clv_tls_row_open_by(k->guard, k->secret.keyring, former, row->p,
	    row->len, ret_cert, ret_key, ret_len);
}

static void
tls_to_front(struct keeper *k, const struct clv_buf *cert, const uint8_t *key,
    size_t key_len)
{
	struct clv_buf b;
	int r;

	clv_buf_init(&b);
	clv_buf_bytes(&b, cert->data, cert->len);
	clv_buf_bytes(&b, key, key_len);
	r = clv_buf_result(&b);
	if (r == CLV_OK)
		r = keeper_send(k, CHAN_TLS, &b);
	k->secret.tls_loaded = r == CLV_OK;
	clv_buf_fini(&b);
}

const struct db_field *
secret_tls_row(const struct db_result *r, const uint8_t thumb[static 32])
{
	for (size_t i = 0; r->result == CLV_OK && i < r->rows; i++) {
		const struct db_field *f = db_field(r, i, 0);

		if (f->len == 32 && sodium_memcmp(f->p, thumb, 32) == 0)
			return db_field(r, i, 1);
	}
	return NULL;
}

static void
on_certificate(struct keeper *k, void *arg, const struct db_result *r)
{
	const uint8_t *want = k->secret.list->cert_thumb[0];
	const struct db_field *row = secret_tls_row(r, want);
	struct clv_buf cert;
	uint8_t *key = NULL, found[32];
	size_t key_len = 0;
	int result = r->result;

	(void)arg;
	k->secret.fetching = false;
	k->secret.failure[0] = '\0';
	clv_buf_init(&cert);
	if (result == CLV_OK && row == NULL)
		result = CLV_E_NOT_FOUND;
	if (result == CLV_OK)
		result = secret_tls_open(k, row, &cert, &key, &key_len);
	if (result == CLV_OK) {
		crypto_hash_sha256(found, cert.data, cert.len);
		if (sodium_memcmp(found, want, 32) != 0)
			result = CLV_E_MISMATCH;
	}
	if (result == CLV_OK) {
		memcpy(k->secret.tls_thumb, found, 32);
		expiry_of_name(k, cert.data, cert.len);
		clv_buf_reset(&k->secret.tls_cert);
		clv_buf_raw(&k->secret.tls_cert, cert.data, cert.len);
		tls_to_front(k, &cert, key, key_len);
	} else {
		secret_fetch_failed(
		    k, "certificate of the network name", result, r->text);
	}
	clv_guard_put(k->guard, key);
	clv_buf_fini(&cert);
	secret_prove(k);
}

void
secret_tls_fetch(struct keeper *k)
{
	k->secret.fetching = true;
	db_call(
	    k, CLV_STMT_GET_TLS, NULL, 0, KEEPER_SQL_MS, on_certificate, NULL);
}

bool
secret_tls_is_current(const struct keeper *k)
{
	return k->secret.tls_loaded &&
	       sodium_memcmp(
		   k->secret.tls_thumb, k->secret.list->cert_thumb[0], 32) == 0;
}

void
secret_tls_changed(struct keeper *k)
{
	if (!secret_tls_is_current(k))
		secret_fetch_next(k);
}
