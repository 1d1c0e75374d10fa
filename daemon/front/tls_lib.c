/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/x509.h>
#include <string.h>

#include "daemon/front/tls_lib.h"

#define RSA_BITS_MAX 4096
#define RSA_EXPONENT_BITS_MAX 32

/*
 * To find the public key in a certificate OpenSSL 3.0 goes through each decoder
 * of each provider, for every certificate that a peer shows: a fifth of a
 * handshake. So connections have a library context of their own, whose one
 * provider is the default one with those decoders alone that find the keys of
 * TLS 1.3's certificates.
 */
#define DECODERS_MAX 16

static OSSL_PROVIDER *whole;
static OSSL_ALGORITHM decoders[DECODERS_MAX + 1];

static bool
is_needed(const OSSL_ALGORITHM *a)
{
	static const char *const keys[] = {
	    "EC", "RSA", "RSA-PSS", "ED25519", "ED448"};
	const char *name = a->algorithm_names;
	size_t len = strcspn(name, ":");

	if (strstr(a->property_definition, "input=der") == NULL ||
	    strstr(a->property_definition, "structure=SubjectPublicKeyInfo") ==
		NULL)
		return false;
	/* the one that reads the frame around them all */
	if (len == 3 && memcmp(name, "DER", 3) == 0)
		return true;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (len == strlen(keys[i]) && memcmp(name, keys[i], len) == 0)
			return true;
	return false;
}

static bool
choose_decoders(void)
{
	const OSSL_ALGORITHM *a;
	int no_store = 0;
	size_t n = 0;

	a = OSSL_PROVIDER_query_operation(whole, OSSL_OP_DECODER, &no_store);
	for (; a != NULL && a->algorithm_names != NULL; a++) {
		if (!is_needed(a))
			continue;
		if (n == DECODERS_MAX)
			return false;
		decoders[n++] = *a;
	}
	return n > 0;
}

static const OSSL_ALGORITHM *
query(void *context, int operation, int *no_store)
{
	(void)context;
	if (operation != OSSL_OP_DECODER)
		return OSSL_PROVIDER_query_operation(
		    whole, operation, no_store);
	*no_store = 0;
	return decoders;
}

/* Which groups there are for the key exchange. */
static int
capabilities(void *context, const char *name, OSSL_CALLBACK *fn, void *arg)
{
	(void)context;
	return OSSL_PROVIDER_get_capabilities(whole, name, fn, arg);
}

static int
start(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
    const OSSL_DISPATCH **out, void **context)
{
	static const OSSL_DISPATCH functions[] = {
	    {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query},
	    {OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (void (*)(void))capabilities},
	    {0, NULL}};

	(void)handle;
	(void)in;
	*out = functions;
	*context = OSSL_PROVIDER_get0_provider_ctx(whole);
	return 1;
}

OSSL_LIB_CTX *
tls_lib(void)
{
	static OSSL_LIB_CTX *lib;
	static bool tried;

	if (tried)
		return lib;
	tried = true;
	whole = OSSL_PROVIDER_load(NULL, "default");
	if (whole == NULL || !choose_decoders() ||
	    (lib = OSSL_LIB_CTX_new()) == NULL)
		return NULL;
	if (OSSL_PROVIDER_add_builtin(lib, "few", start) != 1 ||
	    OSSL_PROVIDER_load(lib, "few") == NULL) {
		OSSL_LIB_CTX_free(lib);
		lib = NULL;
	}
	return lib;
}

bool
tls_lib_is_costly(X509 *leaf)
{
	EVP_PKEY *k = X509_get0_pubkey(leaf);
	BIGNUM *e = NULL;
	bool costly;

	if (k == NULL ||
	    (!EVP_PKEY_is_a(k, "RSA") && !EVP_PKEY_is_a(k, "RSA-PSS")))
		return false;
	costly = EVP_PKEY_get_bits(k) > RSA_BITS_MAX ||
		 EVP_PKEY_get_bn_param(k, OSSL_PKEY_PARAM_RSA_E, &e) != 1 ||
		 BN_num_bits(e) > RSA_EXPONENT_BITS_MAX;
	BN_free(e);
	return costly;
}
