/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <claviger/buf.h>
#include <claviger/result.h>
#include "daemon/front/tls.h"
#include "tls_party.h"

static char dir[] = "/tmp/check_cert.XXXXXX";
static struct party host;

static void
setup(void)
{
	ck_assert_int_ge(sodium_init(), 0);
	strcpy(dir + sizeof(dir) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	party_init(&host, "n1.example");
}

static void
teardown(void)
{
	char cmd[64];

	party_fini(&host);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

static const char *
put_file(const char *name, const void *p, size_t len, mode_t mode)
{
	static char path[96];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, p, len), (ssize_t)len);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
	return path;
}

static X509 *
parsed(const struct clv_buf *der)
{
	const unsigned char *p = der->data;
	X509 *x = d2i_X509(NULL, &p, (long)der->len);

	ck_assert_ptr_nonnull(x);
	return x;
}

START_TEST(made_certificate_is_signed_by_its_own_p256_key)
{
	X509 *x = parsed(&host.cert);
	EVP_PKEY *key = X509_get0_pubkey(x);
	char group[32];

	ck_assert_int_eq(X509_verify(x, key), 1);
	ck_assert_int_eq(
	    EVP_PKEY_get_group_name(key, group, sizeof(group), NULL), 1);
	ck_assert_str_eq(group, "prime256v1");
	ck_assert_int_eq(X509_check_ca(x), 0);
	X509_free(x);
}
END_TEST

START_TEST(made_certificate_has_an_ed25519_key_if_that_is_wanted)
{
	struct cert_info info;
	struct clv_buf cert, key;
	X509 *x;

	clv_buf_init(&cert);
	clv_buf_init(&key);
	ck_assert_int_eq(
	    cert_make_ed25519("mss", NULL, 0, &cert, &key), CLV_OK);
	x = parsed(&cert);
	ck_assert_int_eq(X509_verify(x, X509_get0_pubkey(x)), 1);
	ck_assert_int_eq(cert_info(cert.data, cert.len, &info), CLV_OK);
	ck_assert_str_eq(info.key, "Ed25519");
	X509_free(x);
	clv_buf_fini(&cert);
	clv_buf_fini(&key);
}
END_TEST

START_TEST(made_certificate_is_valid_from_yesterday_for_ten_years)
{
	X509 *x = parsed(&host.cert);
	time_t nine = time(NULL) + 9 * 366 * 86400L;
	time_t eleven = time(NULL) + 11 * 366 * 86400L;

	ck_assert_int_lt(X509_cmp_current_time(X509_get0_notBefore(x)), 0);
	ck_assert_int_gt(X509_cmp_time(X509_get0_notAfter(x), &nine), 0);
	ck_assert_int_lt(X509_cmp_time(X509_get0_notAfter(x), &eleven), 0);
	X509_free(x);
}
END_TEST

START_TEST(names_become_dns_and_ip_alternatives)
{
	const char *const names[] = {
	    "secrets.example", "192.0.2.7", "2001:db8::7"};
	struct clv_buf cert, key;
	X509 *x;

	clv_buf_init(&cert);
	clv_buf_init(&key);
	ck_assert_int_eq(
	    cert_make("secrets.example", names, 3, &cert, &key), CLV_OK);
	x = parsed(&cert);
	ck_assert_int_eq(X509_check_host(x, "secrets.example", 0, 0, NULL), 1);
	ck_assert_int_eq(X509_check_host(x, "other.example", 0, 0, NULL), 0);
	ck_assert_int_eq(X509_check_ip_asc(x, "192.0.2.7", 0), 1);
	ck_assert_int_eq(X509_check_ip_asc(x, "2001:db8::7", 0), 1);
	ck_assert_int_eq(X509_check_ip_asc(x, "192.0.2.8", 0), 0);
	X509_free(x);
	clv_buf_fini(&cert);
	clv_buf_fini(&key);
}
END_TEST

START_TEST(comma_in_a_name_does_not_begin_another_name)
{
	const char *const names[] = {"a.example,DNS:b.example"};
	struct clv_buf cert, key;
	X509 *x;

	clv_buf_init(&cert);
	clv_buf_init(&key);
	ck_assert_int_eq(cert_make("a", names, 1, &cert, &key), CLV_OK);
	x = parsed(&cert);
	ck_assert_int_ne(X509_check_host(x, "b.example", 0, 0, NULL), 1);
	X509_free(x);
	clv_buf_fini(&cert);
	clv_buf_fini(&key);
}
END_TEST

START_TEST(long_common_name_is_cut_and_empty_one_refused)
{
	struct clv_buf cert, key;
	char cn[200];

	memset(cn, 'a', sizeof(cn) - 1);
	cn[sizeof(cn) - 1] = '\0';
	clv_buf_init(&cert);
	clv_buf_init(&key);
	ck_assert_int_eq(cert_make(cn, NULL, 0, &cert, &key), CLV_OK);
	clv_buf_reset(&cert);
	clv_buf_reset(&key);
	ck_assert_int_eq(cert_make("", NULL, 0, &cert, &key), CLV_E_INVALID);
	clv_buf_fini(&cert);
	clv_buf_fini(&key);
}
END_TEST

START_TEST(two_certificates_differ_in_key_and_serial)
{
	struct party other;
	X509 *a, *b;

	party_init(&other, "n1.example");
	ck_assert_mem_ne(other.thumb, host.thumb, 32);
	a = parsed(&host.cert);
	b = parsed(&other.cert);
	ck_assert_int_ne(ASN1_INTEGER_cmp(X509_get0_serialNumber(a),
			     X509_get0_serialNumber(b)),
	    0);
	X509_free(a);
	X509_free(b);
	party_fini(&other);
}
END_TEST

START_TEST(thumbprint_is_sha256_of_the_der)
{
	uint8_t hash[32];

	crypto_hash_sha256(hash, host.cert.data, host.cert.len);
	ck_assert_mem_eq(hash, host.thumb, 32);
}
END_TEST

START_TEST(thumbprint_of_damaged_der_is_refused)
{
	uint8_t thumb[32];
	uint8_t *copy = malloc(host.cert.len + 1);

	memcpy(copy, host.cert.data, host.cert.len);
	copy[host.cert.len] = 0;
	ck_assert_int_eq(
	    cert_thumb(copy, host.cert.len + 1, thumb), CLV_E_FORMAT);
	ck_assert_int_eq(
	    cert_thumb(copy, host.cert.len - 1, thumb), CLV_E_FORMAT);
	ck_assert_int_eq(cert_thumb(copy, 0, thumb), CLV_E_FORMAT);
	copy[0] = 0x31;
	ck_assert_int_eq(cert_thumb(copy, host.cert.len, thumb), CLV_E_FORMAT);
	free(copy);
}
END_TEST

/* A length in the long form where the short one fits is BER, not DER: the
 * same certificate in other bytes would have another thumbprint. */
START_TEST(certificate_in_other_than_der_form_is_refused)
{
	struct clv_buf ber;
	uint8_t thumb[32];
	size_t inner = host.cert.len - 4;

	ck_assert_int_eq(host.cert.data[1], 0x82);
	clv_buf_init(&ber);
	clv_buf_u8(&ber, 0x30);
	clv_buf_u8(&ber, 0x83);
	clv_buf_u8(&ber, 0);
	clv_buf_u16(&ber, (uint16_t)inner);
	clv_buf_raw(&ber, host.cert.data + 4, inner);
	ck_assert_int_eq(cert_thumb(ber.data, ber.len, thumb), CLV_E_FORMAT);
	clv_buf_fini(&ber);
}
END_TEST

START_TEST(pem_and_der_files_load_to_the_same_bytes)
{
	struct clv_buf pem, got;
	const char *path;

	clv_buf_init(&pem);
	clv_buf_init(&got);
	ck_assert_int_eq(
	    cert_to_pem(host.cert.data, host.cert.len, &pem), CLV_OK);
	path = put_file("crt.pem", pem.data, pem.len, 0644);
	ck_assert_int_eq(cert_load(path, &got), CLV_OK);
	ck_assert_uint_eq(got.len, host.cert.len);
	ck_assert_mem_eq(got.data, host.cert.data, got.len);
	clv_buf_reset(&got);
	path = put_file("crt.der", host.cert.data, host.cert.len, 0644);
	ck_assert_int_eq(cert_load(path, &got), CLV_OK);
	ck_assert_uint_eq(got.len, host.cert.len);
	ck_assert_mem_eq(got.data, host.cert.data, got.len);
	clv_buf_fini(&pem);
	clv_buf_fini(&got);
}
END_TEST

START_TEST(only_the_first_certificate_of_a_chain_file_is_taken)
{
	struct clv_buf pem, got;
	struct party ca;

	party_init(&ca, "ca");
	clv_buf_init(&pem);
	clv_buf_init(&got);
	cert_to_pem(host.cert.data, host.cert.len, &pem);
	cert_to_pem(ca.cert.data, ca.cert.len, &pem);
	ck_assert_int_eq(
	    cert_load(put_file("chain", pem.data, pem.len, 0644), &got),
	    CLV_OK);
	ck_assert_uint_eq(got.len, host.cert.len);
	ck_assert_mem_eq(got.data, host.cert.data, got.len);
	clv_buf_fini(&pem);
	clv_buf_fini(&got);
	party_fini(&ca);
}
END_TEST

START_TEST(pem_equals_what_openssl_writes)
{
	struct clv_buf pem;
	X509 *x = parsed(&host.cert);
	BIO *bio = BIO_new(BIO_s_mem());
	char *p;
	long n;

	clv_buf_init(&pem);
	ck_assert_int_eq(
	    cert_to_pem(host.cert.data, host.cert.len, &pem), CLV_OK);
	PEM_write_bio_X509(bio, x);
	n = BIO_get_mem_data(bio, &p);
	ck_assert_uint_eq(pem.len, (size_t)n);
	ck_assert_mem_eq(pem.data, p, pem.len);
	BIO_free(bio);
	X509_free(x);
	clv_buf_fini(&pem);
}
END_TEST

START_TEST(key_goes_to_pem_and_back)
{
	struct clv_buf pem, got;

	clv_buf_init(&pem);
	clv_buf_init(&got);
	ck_assert_int_eq(
	    cert_key_to_pem(host.key.data, host.key.len, &pem), CLV_OK);
	ck_assert_int_eq(
	    cert_key_load(put_file("key", pem.data, pem.len, 0400), &got),
	    CLV_OK);
	ck_assert_uint_eq(got.len, host.key.len);
	ck_assert_mem_eq(got.data, host.key.data, got.len);
	clv_buf_reset(&got);
	ck_assert_int_eq(
	    cert_key_load(
		put_file("key", host.key.data, host.key.len, 0400), &got),
	    CLV_OK);
	ck_assert_mem_eq(got.data, host.key.data, got.len);
	clv_buf_fini(&pem);
	clv_buf_fini(&got);
}
END_TEST

START_TEST(traditional_ec_key_file_is_converted_to_pkcs8)
{
	const unsigned char *p = host.key.data;
	EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &p, (long)host.key.len);
	BIO *bio = BIO_new(BIO_s_mem());
	struct clv_buf got;
	char *text;
	long n;

	PEM_write_bio_PrivateKey_traditional(
	    bio, key, NULL, NULL, 0, NULL, NULL);
	n = BIO_get_mem_data(bio, &text);
	clv_buf_init(&got);
	ck_assert_int_eq(
	    cert_key_load(put_file("ec", text, (size_t)n, 0600), &got), CLV_OK);
	ck_assert_uint_eq(got.len, host.key.len);
	ck_assert_mem_eq(got.data, host.key.data, got.len);
	clv_buf_fini(&got);
	BIO_free(bio);
	EVP_PKEY_free(key);
}
END_TEST

START_TEST(encrypted_key_file_is_refused_without_asking)
{
	const unsigned char *p = host.key.data;
	EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &p, (long)host.key.len);
	BIO *bio = BIO_new(BIO_s_mem());
	struct clv_buf got;
	char *text;
	long n;

	PEM_write_bio_PKCS8PrivateKey(
	    bio, key, EVP_aes_256_cbc(), "abc", 3, NULL, NULL);
	n = BIO_get_mem_data(bio, &text);
	clv_buf_init(&got);
	ck_assert_int_eq(
	    cert_key_load(put_file("enc", text, (size_t)n, 0600), &got),
	    CLV_E_PASSPHRASE);
	ck_assert_uint_eq(got.len, 0);
	clv_buf_fini(&got);
	BIO_free(bio);
	EVP_PKEY_free(key);
}
END_TEST

START_TEST(key_file_open_to_others_is_refused)
{
	static const mode_t bad[] = {0604, 0602, 0601, 0620, 0666};
	struct clv_buf got;
	size_t i;

	clv_buf_init(&got);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(cert_key_load(put_file("key", host.key.data,
						   host.key.len, bad[i]),
				     &got),
		    CLV_E_PERMISSION);
	ck_assert_int_eq(
	    cert_key_load(
		put_file("key", host.key.data, host.key.len, 0640), &got),
	    CLV_OK);
	clv_buf_fini(&got);
}
END_TEST

START_TEST(missing_empty_foreign_and_huge_files_have_their_own_results)
{
	static uint8_t huge[66000];
	struct clv_buf got;

	clv_buf_init(&got);
	ck_assert_int_eq(cert_load("/nonexistent/x", &got), CLV_E_NOT_FOUND);
	ck_assert_int_eq(
	    cert_key_load("/nonexistent/x", &got), CLV_E_NOT_FOUND);
	ck_assert_int_eq(
	    cert_load(put_file("e", "", 0, 0600), &got), CLV_E_FORMAT);
	ck_assert_int_eq(
	    cert_key_load(put_file("e", "", 0, 0600), &got), CLV_E_FORMAT);
	ck_assert_int_eq(
	    cert_load(put_file("f", "hello\n", 6, 0600), &got), CLV_E_FORMAT);
	ck_assert_int_eq(cert_key_load(put_file("f", "hello\n", 6, 0600), &got),
	    CLV_E_FORMAT);
	ck_assert_int_eq(
	    cert_load(put_file("h", huge, sizeof(huge), 0600), &got),
	    CLV_E_FULL);
	ck_assert_int_eq(cert_load(dir, &got), CLV_E_FORMAT);
	ck_assert_int_eq(cert_load("/dev/zero", &got), CLV_E_FORMAT);
	ck_assert_uint_eq(got.len, 0);
	clv_buf_fini(&got);
}
END_TEST

START_TEST(pem_of_what_is_not_der_is_refused)
{
	struct clv_buf pem;

	clv_buf_init(&pem);
	ck_assert_int_eq(cert_to_pem("abc", 3, &pem), CLV_E_FORMAT);
	ck_assert_int_eq(cert_key_to_pem("abc", 3, &pem), CLV_E_FORMAT);
	ck_assert_int_eq(cert_key_to_pem(host.key.data, host.key.len - 1, &pem),
	    CLV_E_FORMAT);
	ck_assert_uint_eq(pem.len, 0);
	clv_buf_fini(&pem);
}
END_TEST

START_TEST(what_it_says_is_shown)
{
	static const char *const names[] = {
	    "secrets.example", "192.0.2.7", "2001:db8::7"};
	const int64_t now = (int64_t)time(NULL), day = 86400;
	struct clv_buf cert, key;
	struct cert_info i;

	clv_buf_init(&cert);
	clv_buf_init(&key);
	ck_assert_int_eq(cert_make("a,b", names, 3, &cert, &key), CLV_OK);
	ck_assert_int_eq(cert_info(cert.data, cert.len, &i), CLV_OK);
	ck_assert_str_eq(i.subject, "CN=a\\,b");
	ck_assert_int_eq(i.name_count, 3);
	for (int n = 0; n < 3; n++)
		ck_assert_str_eq(i.name[n], names[n]);
	ck_assert_str_eq(i.key, "P-256");
	ck_assert(i.not_before < now && i.not_before > now - 2 * day);
	ck_assert_int_eq(cert_days_left(&i, i.not_after - day), 1);
	ck_assert_int_eq(cert_days_left(&i, i.not_after - day + 1), 0);
	ck_assert_int_eq(cert_days_left(&i, i.not_after), 0);
	ck_assert_int_eq(cert_days_left(&i, i.not_after + 1), -1);
	ck_assert_int_eq(cert_info(cert.data, cert.len / 2, &i), CLV_E_FORMAT);
	clv_buf_fini(&cert);
	clv_buf_fini(&key);
}
END_TEST

/* RSA with an exponent of 201 bits, signed by itself. */
static void
make_costly(struct clv_buf *cert)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	uint8_t *der = NULL;
	EVP_PKEY *k = NULL;
	X509 *x = X509_new();
	BIGNUM *e = BN_new();
	int len;

	ck_assert_int_eq(BN_set_bit(e, 200), 1);
	ck_assert_int_eq(BN_set_bit(e, 0), 1);
	do {
		ck_assert_int_eq(EVP_PKEY_keygen_init(c), 1);
		ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_keygen_bits(c, 2048), 1);
		ck_assert_int_eq(EVP_PKEY_CTX_set1_rsa_keygen_pubexp(c, e), 1);
	} while (EVP_PKEY_generate(c, &k) != 1);
	ck_assert_int_eq(X509_set_pubkey(x, k), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	ck_assert_int_gt(X509_sign(x, k, EVP_sha256()), 0);
	len = i2d_X509(x, &der);
	ck_assert_int_gt(len, 0);
	clv_buf_raw(cert, der, (size_t)len);
	OPENSSL_free(der);
	X509_free(x);
	EVP_PKEY_free(k);
	EVP_PKEY_CTX_free(c);
	BN_free(e);
}

START_TEST(a_certificate_that_would_be_refused_is_not_used)
{
	struct clv_buf cert;
	char why[256] = "";

	clv_buf_init(&cert);
	make_costly(&cert);
	ck_assert_int_eq(
	    cert_check(&cert, &host.key, "mss", (int64_t)time(NULL), why),
	    CLV_E_INVALID);
	ck_assert_ptr_nonnull(strstr(why, "costs too much"));
	clv_buf_fini(&cert);
}
END_TEST

START_TEST(an_existing_certificate_is_checked_before_it_is_used)
{
	const char *const names[] = {
	    "mss.example", "192.0.2.9", "*.wild.example"};
	const int64_t day = 24 * 60 * 60, now = (int64_t)time(NULL);
	struct clv_buf cert, key;
	char why[256] = "";

	clv_buf_init(&cert);
	clv_buf_init(&key);
	ck_assert_int_eq(cert_make("mss", names, 3, &cert, &key), CLV_OK);
	ck_assert_int_eq(
	    cert_check(&cert, &key, "mss.example", now, why), CLV_OK);
	ck_assert_int_eq(
	    cert_check(&cert, &key, "192.0.2.9", now, why), CLV_OK);
	ck_assert_int_eq(
	    cert_check(&cert, &key, "mss.wild.example", now, why), CLV_OK);
	ck_assert_int_eq(
	    cert_check(&cert, &key, "mss.other", now, why), CLV_E_INVALID);
	ck_assert_str_eq(why, "it is for mss.example, not for mss.other");
	ck_assert_int_eq(
	    cert_check(&cert, &key, "mss.example", now + 4000 * day, why),
	    CLV_E_INVALID);
	ck_assert_ptr_nonnull(strstr(why, "over"));
	ck_assert_int_eq(
	    cert_check(&cert, &key, "mss.example", now - 2 * day, why),
	    CLV_E_INVALID);
	ck_assert_ptr_nonnull(strstr(why, "not valid yet"));
	ck_assert_int_eq(cert_check(&cert, &host.key, "mss.example", now, why),
	    CLV_E_INVALID);
	ck_assert_str_eq(why, "the key is not the certificate's");
	cert.len /= 2;
	ck_assert_int_eq(
	    cert_check(&cert, &key, "mss.example", now, why), CLV_E_FORMAT);
	ck_assert_ptr_nonnull(strstr(why, "cannot be read"));
	clv_buf_fini(&cert);
	clv_buf_fini(&key);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("cert");
	TCase *t = tcase_create("certificates");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, made_certificate_is_signed_by_its_own_p256_key);
	tcase_add_test(
	    t, made_certificate_has_an_ed25519_key_if_that_is_wanted);
	tcase_add_test(
	    t, made_certificate_is_valid_from_yesterday_for_ten_years);
	tcase_add_test(t, names_become_dns_and_ip_alternatives);
	tcase_add_test(t, comma_in_a_name_does_not_begin_another_name);
	tcase_add_test(t, long_common_name_is_cut_and_empty_one_refused);
	tcase_add_test(t, two_certificates_differ_in_key_and_serial);
	tcase_add_test(t, thumbprint_is_sha256_of_the_der);
	tcase_add_test(t, thumbprint_of_damaged_der_is_refused);
	tcase_add_test(t, certificate_in_other_than_der_form_is_refused);
	tcase_add_test(t, pem_and_der_files_load_to_the_same_bytes);
	tcase_add_test(t, only_the_first_certificate_of_a_chain_file_is_taken);
	tcase_add_test(t, pem_equals_what_openssl_writes);
	tcase_add_test(t, key_goes_to_pem_and_back);
	tcase_add_test(t, traditional_ec_key_file_is_converted_to_pkcs8);
	tcase_add_test(t, encrypted_key_file_is_refused_without_asking);
	tcase_add_test(t, key_file_open_to_others_is_refused);
	tcase_add_test(
	    t, missing_empty_foreign_and_huge_files_have_their_own_results);
	tcase_add_test(t, pem_of_what_is_not_der_is_refused);
	tcase_add_test(t, what_it_says_is_shown);
	tcase_add_test(t, an_existing_certificate_is_checked_before_it_is_used);
	tcase_add_test(t, a_certificate_that_would_be_refused_is_not_used);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
