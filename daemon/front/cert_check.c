/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <claviger/result.h>
#include "daemon/front/tls.h"
#include "daemon/front/tls_lib.h"

/*
 * An existing certificate, before it is the network name's. Its pin decides in
 * the end; but one that is for another name, or over, or weak, was picked by
 * mistake.
 */
#define WHY(...) snprintf(why, 256, __VA_ARGS__)
#define BITS_MIN 112 /* of security: RSA 2048, and any curve of TLS 1.3 */

static bool
is_for(X509 *x, const char *name)
{
	return X509_check_ip_asc(x, name, 0) == 1 ||
	       X509_check_host(x, name, 0, 0, NULL) == 1;
}

static bool
is_weak(X509 *x)
{
	const EVP_PKEY *key = X509_get0_pubkey(x);
	int bits = 0;

	return key == NULL || EVP_PKEY_get_security_bits(key) < BITS_MIN ||
	       X509_get_signature_info(x, NULL, NULL, &bits, NULL) != 1 ||
	       bits < BITS_MIN;
}

static int
check_text(X509 *x, const char *name, const struct cert_info *i, int64_t now,
    char why[static 256])
{
	if (is_weak(x)) {
		WHY("its key or its signature is too weak (%s): P-256, Ed25519 "
		    "or RSA of 2048 bits and more are strong enough",
		    i->key);
		return CLV_E_INVALID;
	}
	if (tls_lib_is_costly(x)) {
		WHY("its key (%s) costs too much to verify: RSA of 4096 bits "
		    "at most",
		    i->key);
		return CLV_E_INVALID;
	}
	if (i->not_after < now || i->not_before > now) {
		WHY("it is %s by this host's clock",
		    i->not_after < now ? "over" : "not valid yet");
		return CLV_E_INVALID;
	}
	if (is_for(x, name))
		return CLV_OK;
	WHY("it is for %.120s, not for %.100s",
	    i->name_count > 0 ? i->name[0] : i->subject, name);
	return CLV_E_INVALID;
}

/* As the server will load it. */
static bool
no_pin(void *arg, const uint8_t thumb[static 32])
{
	(void)arg;
	(void)thumb;
	return false;
}

static int
check_key(
    const struct clv_buf *cert, const struct clv_buf *key, char why[static 256])
{
	struct tls_ctx *ctx = NULL;
	int r = tls_ctx_new(true, cert->data, cert->len, key->data, key->len,
	    no_pin, NULL, &ctx);

	tls_ctx_free(&ctx);
	if (r == CLV_E_MISMATCH) {
		WHY("the key is not the certificate's");
		r = CLV_E_INVALID;
	} else if (r != CLV_OK) {
		WHY("TLS cannot use it: %s", clv_result_text(r));
	}
	return r;
}

int
cert_check(const struct clv_buf *cert, const struct clv_buf *key,
    const char *name, int64_t now, char why[static 256])
{
	struct cert_info info;
	const uint8_t *p = cert->data;
	X509 *x = NULL;
	int r = cert_info(cert->data, cert->len, &info);

	if (r == CLV_OK) {
		x = d2i_X509(NULL, &p, (long)cert->len);
		r = x == NULL ? CLV_E_FORMAT
			      : check_text(x, name, &info, now, why);
	} else {
		WHY("it cannot be read: %s", clv_result_text(r));
	}
	if (r == CLV_OK)
		r = check_key(cert, key, why);
	X509_free(x);
	ERR_clear_error();
	return r;
}
