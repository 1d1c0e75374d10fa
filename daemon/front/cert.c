/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <claviger/result.h>
#include "daemon/front/tls.h"

#define FILE_MAX (64u << 10)
#define CN_MAX 64 /* ub-common-name, RFC 5280 appendix A.1 */
#define DAY_S (24L * 60 * 60)
#define YEARS_S (3653L * DAY_S) /* ten */

/* ---- making ---- */

static int
set_serial(X509 *x)
{
	uint8_t raw[16];
	BIGNUM *bn;
	int r = CLV_E_NOMEM;

	randombytes_buf(raw, sizeof(raw));
	raw[0] = (raw[0] & 0x3f) | 0x40; /* positive and of full length */
	bn = BN_bin2bn(raw, sizeof(raw), NULL);
	if (bn != NULL && BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(x)))
		r = CLV_OK;
	BN_free(bn);
	return r;
}

static int
set_subject(X509 *x, const char *cn)
{
	X509_NAME *name = X509_get_subject_name(x);
	size_t len = strnlen(cn, CN_MAX);

	if (X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
		(const unsigned char *)cn, (int)len, -1, 0) != 1 ||
	    X509_set_issuer_name(x, name) != 1)
		return CLV_E_INVALID;
	return CLV_OK;
}

/* Length of the binary address, 0 when the name is not numeric. */
static int
numeric(const char *name, uint8_t ip[static 16])
{
	if (inet_pton(AF_INET, name, ip) == 1)
		return 4;
	return inet_pton(AF_INET6, name, ip) == 1 ? 16 : 0;
}

/* A numeric name becomes an IP address. By hand and not from a configuration
 * string, in which a comma in a name would begin another one. */
static GENERAL_NAME *
general_name(const char *name)
{
	uint8_t ip[sizeof(struct in6_addr)];
	int len = numeric(name, ip);
	GENERAL_NAME *g = GENERAL_NAME_new();
	ASN1_STRING *s = len ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
	const void *p = len ? (const void *)ip : name;

	if (g == NULL || s == NULL ||
	    ASN1_STRING_set(s, p, len ? len : (int)strlen(name)) != 1) {
		GENERAL_NAME_free(g);
		ASN1_STRING_free(s);
		return NULL;
	}
	GENERAL_NAME_set0_value(g, len ? GEN_IPADD : GEN_DNS, s);
	return g;
}

static int
add_names(X509 *x, const char *const *names, size_t n)
{
	GENERAL_NAMES *all = sk_GENERAL_NAME_new_null();
	int r = CLV_E_NOMEM;
	size_t i;

	if (all == NULL)
		return CLV_E_NOMEM;
	for (i = 0; i < n; i++) {
		GENERAL_NAME *g = general_name(names[i]);

		if (g == NULL || sk_GENERAL_NAME_push(all, g) == 0) {
			GENERAL_NAME_free(g);
			goto out;
		}
	}
	if (n == 0 ||
	    X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0, 0) == 1)
		r = CLV_OK;
out:
	sk_GENERAL_NAME_pop_free(all, GENERAL_NAME_free);
	return r;
}

static int
add_extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	int r = CLV_E_NOMEM;

	if (e != NULL && X509_add_ext(x, e, -1) == 1)
		r = CLV_OK;
	X509_EXTENSION_free(e);
	return r;
}

static int
fill(X509 *x, const char *cn, const char *const *names, size_t n)
{
	int r;

	/* From yesterday: hosts' clocks differ, and people look at it. */
	if (X509_set_version(x, X509_VERSION_3) != 1 ||
	    X509_gmtime_adj(X509_getm_notBefore(x), -DAY_S) == NULL ||
	    X509_gmtime_adj(X509_getm_notAfter(x), YEARS_S) == NULL)
		return CLV_E_NOMEM;
	if ((r = set_serial(x)) != CLV_OK ||
	    (r = set_subject(x, cn)) != CLV_OK ||
	    (r = add_extension(
		 x, NID_basic_constraints, "critical,CA:FALSE")) != CLV_OK ||
	    (r = add_extension(
		 x, NID_key_usage, "critical,digitalSignature")) != CLV_OK ||
	    (r = add_extension(
		 x, NID_ext_key_usage, "serverAuth,clientAuth")) != CLV_OK)
		return r;
	return add_names(x, names, n);
}

static int
put_certificate(X509 *x, struct clv_buf *ret)
{
	unsigned char *der = NULL;
	int len = i2d_X509(x, &der);

	if (len <= 0)
		return CLV_E_NOMEM;
	clv_buf_raw(ret, der, (size_t)len);
	OPENSSL_free(der);
	return clv_buf_result(ret);
}

static int
put_key(const EVP_PKEY *key, struct clv_buf *ret)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	unsigned char *der = NULL;
	int len = info == NULL ? 0 : i2d_PKCS8_PRIV_KEY_INFO(info, &der);

	PKCS8_PRIV_KEY_INFO_free(info);
	if (len <= 0)
		return CLV_E_NOMEM;
	clv_buf_raw(ret, der, (size_t)len);
	OPENSSL_clear_free(der, (size_t)len);
	return clv_buf_result(ret);
}

/* md: NULL for a key that signs without one. */
static int
make(EVP_PKEY *(*make_key)(void), const EVP_MD *md, const char *cn,
    const char *const *names, size_t n, struct clv_buf *ret_cert_der,
    struct clv_buf *ret_key_der)
{
	EVP_PKEY *key;
	X509 *x = NULL;
	int r;

	if (*cn == '\0')
		return CLV_E_INVALID;
	if ((r = tls_init()) != CLV_OK)
		return r;
	key = make_key();
	x = X509_new();
	r = CLV_E_NOMEM;
	if (key == NULL || x == NULL || X509_set_pubkey(x, key) != 1 ||
	    (r = fill(x, cn, names, n)) != CLV_OK)
		goto out;
	r = CLV_E_NOMEM;
	if (X509_sign(x, key, md) <= 0)
		goto out;
	r = put_certificate(x, ret_cert_der);
	if (r == CLV_OK)
		r = put_key(key, ret_key_der);
out:
	X509_free(x);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return r;
}

static EVP_PKEY *
make_p256(void)
{
	return EVP_EC_gen("P-256");
}

static EVP_PKEY *
make_ed25519(void)
{
	return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

int
cert_make(const char *cn, const char *const *names, size_t n,
    struct clv_buf *ret_cert_der, struct clv_buf *ret_key_der)
{
	return make(
	    make_p256, EVP_sha256(), cn, names, n, ret_cert_der, ret_key_der);
}

int
cert_make_ed25519(const char *cn, const char *const *names, size_t n,
    struct clv_buf *ret_cert_der, struct clv_buf *ret_key_der)
{
	return make(
	    make_ed25519, NULL, cn, names, n, ret_cert_der, ret_key_der);
}

/* ---- reading ---- */

/* Strictly DER: what is sent on the wire, and hashed there, is made anew from
 * what was parsed, so both must be the same bytes. */
static int
parse_certificate(const void *der, size_t len, X509 **ret)
{
	const unsigned char *p = der;
	unsigned char *again = NULL;
	int n = 0, r = CLV_E_FORMAT;
	X509 *x = NULL;

	if (tls_init() != CLV_OK)
		return CLV_E_TLS;
	if (len > 0 && len <= FILE_MAX)
		x = d2i_X509(NULL, &p, (long)len);
	if (x != NULL)
		n = i2d_X509(x, &again);
	if (n > 0 && (size_t)n == len && memcmp(again, der, len) == 0) {
		*ret = x;
		x = NULL; /* transferred */
		r = CLV_OK;
	}
	OPENSSL_free(again);
	X509_free(x);
	ERR_clear_error();
	return r;
}

int
cert_thumb(const void *cert_der, size_t len, uint8_t ret[static 32])
{
	X509 *x = NULL;
	int r = parse_certificate(cert_der, len, &x);

	if (r == CLV_OK)
		crypto_hash_sha256(ret, cert_der, len);
	X509_free(x);
	return r;
}

/* Read a file of bounded size; a key's may not be open to everybody. */
static int
read_file(const char *path, bool secret, struct clv_buf *ret)
{
	uint8_t block[4096];
	struct stat st;
	ssize_t n = -1;
	int fd, r = CLV_E_SYSTEM;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return CLV_E_NOT_FOUND;
	if (fd < 0)
		return errno == EACCES ? CLV_E_PERMISSION : CLV_E_SYSTEM;
	if (fstat(fd, &st) < 0)
		goto out;
	r = CLV_E_FORMAT;
	if (!S_ISREG(st.st_mode))
		goto out;
	r = CLV_E_PERMISSION;
	if (secret && (st.st_mode & (S_IRWXO | S_IWGRP)) != 0)
		goto out;
	while ((n = read(fd, block, sizeof(block))) > 0 && ret->len <= FILE_MAX)
		clv_buf_raw(ret, block, (size_t)n);
	r = n < 0 ? CLV_E_SYSTEM : clv_buf_result(ret);
	if (ret->len > FILE_MAX)
		r = CLV_E_FULL;
out:
	sodium_memzero(block, sizeof(block));
	close(fd);
	return r;
}

/* A passphrase is never asked for: that would be on somebody's terminal. */
static int
no_passphrase(char *buf, int size, int rw, void *arg)
{
	*(bool *)arg = true;
	return -1;
}

int
cert_load(const char *path, struct clv_buf *ret_der)
{
	struct clv_buf file;
	bool asked = false;
	X509 *x = NULL;
	BIO *bio = NULL;
	int r;

	clv_buf_init(&file);
	if ((r = tls_init()) != CLV_OK ||
	    (r = read_file(path, false, &file)) != CLV_OK)
		goto out;
	if (parse_certificate(file.data, file.len, &x) == CLV_OK) {
		r = put_certificate(x, ret_der);
		goto out;
	}
	bio = BIO_new_mem_buf(file.data, (int)file.len);
	if (bio != NULL)
		x = PEM_read_bio_X509(bio, NULL, no_passphrase, &asked);
	r = x == NULL ? CLV_E_FORMAT : put_certificate(x, ret_der);
out:
	BIO_free(bio);
	X509_free(x);
	clv_buf_fini(&file);
	ERR_clear_error();
	return r;
}

static EVP_PKEY *
parse_key(const struct clv_buf *file, bool *ret_encrypted)
{
	const unsigned char *p = file->data;
	EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &p, (long)file->len);
	BIO *bio;

	if (key != NULL && p == file->data + file->len)
		return key;
	EVP_PKEY_free(key);
	bio = BIO_new_mem_buf(file->data, (int)file->len);
	if (bio == NULL)
		return NULL;
	key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, ret_encrypted);
	BIO_free(bio);
	return key;
}

int
cert_key_load(const char *path, struct clv_buf *ret_der)
{
	struct clv_buf file;
	bool encrypted = false;
	EVP_PKEY *key = NULL;
	int r;

	clv_buf_init(&file);
	if ((r = tls_init()) != CLV_OK ||
	    (r = read_file(path, true, &file)) != CLV_OK)
		goto out;
	r = CLV_E_FORMAT;
	if (file.len > 0)
		key = parse_key(&file, &encrypted);
	if (key != NULL)
		r = put_key(key, ret_der);
	else if (encrypted)
		r = CLV_E_PASSPHRASE;
out:
	EVP_PKEY_free(key);
	clv_buf_fini(&file);
	ERR_clear_error();
	return r;
}

/* ---- PEM ---- */

/* Plain PEM is no more than base64 in lines of 64 (RFC 7468); so nothing is
 * left in a BIO's memory. */
static int
to_pem(const char *label, const void *der, size_t len, struct clv_buf *ret)
{
	const uint8_t *p = der;
	char line[65];
	size_t n;

	clv_buf_raw(ret, "-----BEGIN ", 11);
	clv_buf_raw(ret, label, strlen(label));
	clv_buf_raw(ret, "-----\n", 6);
	for (; len > 0; p += n, len -= n) {
		n = len < 48 ? len : 48;
		sodium_bin2base64(
		    line, sizeof(line), p, n, sodium_base64_VARIANT_ORIGINAL);
		clv_buf_raw(ret, line, strlen(line));
		clv_buf_raw(ret, "\n", 1);
	}
	clv_buf_raw(ret, "-----END ", 9);
	clv_buf_raw(ret, label, strlen(label));
	clv_buf_raw(ret, "-----\n", 6);
	sodium_memzero(line, sizeof(line));
	return clv_buf_result(ret);
}

int
cert_to_pem(const void *der, size_t len, struct clv_buf *ret_pem)
{
	X509 *x = NULL;
	int r = parse_certificate(der, len, &x);

	X509_free(x);
	return r == CLV_OK ? to_pem("CERTIFICATE", der, len, ret_pem) : r;
}

int
cert_key_to_pem(const void *der, size_t len, struct clv_buf *ret_pem)
{
	const unsigned char *p = der;
	PKCS8_PRIV_KEY_INFO *info;
	bool whole;

	if (tls_init() != CLV_OK)
		return CLV_E_TLS;
	info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)len);
	whole = info != NULL && p == (const unsigned char *)der + len;
	PKCS8_PRIV_KEY_INFO_free(info);
	ERR_clear_error();
	if (!whole)
		return CLV_E_FORMAT;
	return to_pem("PRIVATE KEY", der, len, ret_pem);
}
