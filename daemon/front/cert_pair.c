/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <claviger/result.h>
#include "daemon/base/state.h"
#include "daemon/front/tls.h"

/*
 * This host's own certificate and key: tls.crt and tls.key are in use, and
 * tls.next has both of the next one, until these two are replaced by it. A
 * crash between the two leaves a certificate and a key that do not fit, and
 * then it is the next one that is in use.
 */
#define NEXT "tls.next"
#define NEXT_MAX 65536
#define ALONE "alone\n" /* before the PEM blocks, where nobody looks else */
#define TRIES 3		/* somebody may be replacing them, once */

static bool
fits(const struct clv_buf *cert, const struct clv_buf *key)
{
	const uint8_t *c = cert->data, *k = key->data;
	X509 *x = d2i_X509(NULL, &c, (long)cert->len);
	EVP_PKEY *p = d2i_AutoPrivateKey(NULL, &k, (long)key->len);
	bool ret = x != NULL && p != NULL && X509_check_private_key(x, p) == 1;

	EVP_PKEY_free(p);
	X509_free(x);
	ERR_clear_error();
	return ret;
}

/* Both of them, or nothing. */
static int
load(const char *dir, const char *cert_name, const char *key_name,
    struct clv_buf *cert, struct clv_buf *key, const char **ret_name)
{
	char path[512];
	int r;

	clv_buf_reset(cert);
	clv_buf_reset(key);
	*ret_name = cert_name;
	snprintf(path, sizeof(path), "%s/%s", dir, cert_name);
	if ((r = cert_load(path, cert)) != CLV_OK)
		return r;
	*ret_name = key_name;
	snprintf(path, sizeof(path), "%s/%s", dir, key_name);
	if ((r = cert_key_load(path, key)) != CLV_OK)
		return r;
	return fits(cert, key) ? CLV_OK : CLV_E_MISMATCH;
}

int
cert_pair_load(const char *dir, struct clv_buf *ret_cert,
    struct clv_buf *ret_key, const char **ret_name)
{
	const char *name;
	int r = CLV_E_MISMATCH;

	for (int i = 0; r == CLV_E_MISMATCH && i < TRIES; i++) {
		r = load(
		    dir, "tls.crt", "tls.key", ret_cert, ret_key, ret_name);
		if (r == CLV_E_MISMATCH &&
		    load(dir, NEXT, NEXT, ret_cert, ret_key, &name) == CLV_OK)
			r = CLV_OK;
	}
	return r;
}

int
cert_pair_next(const char *dir, struct clv_buf *ret_cert,
    struct clv_buf *ret_key, const char **ret_name)
{
	return load(dir, NEXT, NEXT, ret_cert, ret_key, ret_name);
}

int
cert_pair_save_next(const char *dir, const struct clv_buf *cert,
    const struct clv_buf *key, bool alone)
{
	struct clv_buf pem;
	int r;

	clv_buf_init(&pem);
	if (alone)
		clv_buf_raw(&pem, ALONE, sizeof(ALONE) - 1);
	r = cert_to_pem(cert->data, cert->len, &pem);
	if (r == CLV_OK)
		r = cert_key_to_pem(key->data, key->len, &pem);
	if (r == CLV_OK)
		r = file_replace(dir, NEXT, pem.data, pem.len, 0400);
	clv_buf_fini(&pem);
	return r;
}

bool
cert_pair_next_is_alone(const char *dir)
{
	size_t len = 0;
	bool ret;
	void *p;

	if (file_read(dir, NEXT, NEXT_MAX, &p, &len) != CLV_OK)
		return false;
	ret = len >= sizeof(ALONE) - 1 &&
	      memcmp(p, ALONE, sizeof(ALONE) - 1) == 0;
	sodium_memzero(p, len);
	free(p);
	return ret;
}

static int
save(const char *dir, const struct clv_buf *cert, const struct clv_buf *key)
{
	struct clv_buf pem;
	int r;

	clv_buf_init(&pem);
	r = cert_key_to_pem(key->data, key->len, &pem);
	if (r == CLV_OK)
		r = file_replace(dir, "tls.key", pem.data, pem.len, 0400);
	clv_buf_reset(&pem);
	if (r == CLV_OK)
		r = cert_to_pem(cert->data, cert->len, &pem);
	if (r == CLV_OK)
		r = file_replace(dir, "tls.crt", pem.data, pem.len, 0444);
	clv_buf_fini(&pem);
	return r;
}

int
cert_pair_use_next(const char *dir)
{
	struct clv_buf cert, key;
	const char *name;
	char path[512];
	int r;

	clv_buf_init(&cert);
	clv_buf_init(&key);
	r = cert_pair_next(dir, &cert, &key, &name);
	if (r == CLV_OK)
		r = save(dir, &cert, &key);
	snprintf(path, sizeof(path), "%s/%s", dir, NEXT);
	if (r == CLV_OK && unlink(path) != 0 && errno != ENOENT)
		r = CLV_E_SYSTEM;
	clv_buf_fini(&key);
	clv_buf_fini(&cert);
	return r;
}
