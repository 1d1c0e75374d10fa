/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <arpa/inet.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <claviger/result.h>
#include "daemon/front/tls.h"

/* What a certificate says, for people: nothing here decides anything. */

static int
read_time(const ASN1_TIME *t, int64_t *ret)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(t, &tm) != 1)
		return CLV_E_FORMAT;
	*ret = (int64_t)timegm(&tm);
	return CLV_OK;
}

static void
read_subject(X509 *x, struct cert_info *ret)
{
	BIO *b = BIO_new(BIO_s_mem());
	int n = 0;

	if (b != NULL && X509_NAME_print_ex(b, X509_get_subject_name(x), 0,
			     XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0)
		n = BIO_read(b, ret->subject, (int)sizeof(ret->subject) - 1);
	ret->subject[n > 0 ? n : 0] = '\0';
	BIO_free(b);
}

/* One alternative name, or "" for a kind that says nothing to us. */
static void
name_text(const GENERAL_NAME *g, char *ret, size_t cap)
{
	const ASN1_STRING *s;
	int type;
	const void *v = GENERAL_NAME_get0_value(g, &type);

	ret[0] = '\0';
	if (type != GEN_DNS && type != GEN_IPADD)
		return;
	s = v;
	if (type == GEN_DNS)
		snprintf(ret, cap, "%.*s", ASN1_STRING_length(s),
		    (const char *)ASN1_STRING_get0_data(s));
	else
		inet_ntop(ASN1_STRING_length(s) == 4 ? AF_INET : AF_INET6,
		    ASN1_STRING_get0_data(s), ret, (socklen_t)cap);
}

static void
read_names(const X509 *x, struct cert_info *ret)
{
	GENERAL_NAMES *all =
	    X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	char *name;

	for (int i = 0;
	     i < sk_GENERAL_NAME_num(all) && ret->name_count < CERT_NAMES_MAX;
	     i++) {
		name = ret->name[ret->name_count];
		name_text(sk_GENERAL_NAME_value(all, i), name, CERT_NAME_MAX);
		ret->name_count += name[0] != '\0';
	}
	sk_GENERAL_NAME_pop_free(all, GENERAL_NAME_free);
}

static void
read_key(const X509 *x, struct cert_info *ret)
{
	EVP_PKEY *key = X509_get0_pubkey(x);
	char group[32] = "";

	if (key == NULL)
		return;
	if (EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1)
		snprintf(ret->key, sizeof(ret->key), "%s",
		    strcmp(group, "prime256v1") == 0 ? "P-256" : group);
	else if (EVP_PKEY_is_a(key, "ED25519") == 1)
		snprintf(ret->key, sizeof(ret->key), "Ed25519");
	else
		snprintf(ret->key, sizeof(ret->key), "%s %d",
		    EVP_PKEY_get0_type_name(key), EVP_PKEY_get_bits(key));
}

int
cert_info(const void *der, size_t len, struct cert_info *ret)
{
	const uint8_t *p = der;
	X509 *x;
	int r;

	memset(ret, 0, sizeof(*ret));
	if ((r = tls_init()) != CLV_OK)
		return r;
	x = len <= LONG_MAX ? d2i_X509(NULL, &p, (long)len) : NULL;
	if (x == NULL)
		return CLV_E_FORMAT;
	r = read_time(X509_get0_notBefore(x), &ret->not_before);
	if (r == CLV_OK)
		r = read_time(X509_get0_notAfter(x), &ret->not_after);
	read_subject(x, ret);
	read_names(x, ret);
	read_key(x, ret);
	X509_free(x);
	return r;
}

int
cert_days_left(const struct cert_info *i, int64_t now)
{
	const int64_t day = 24 * 60 * 60, left = i->not_after - now;

	return (int)(left >= 0 ? left / day : -((-left + day - 1) / day));
}
