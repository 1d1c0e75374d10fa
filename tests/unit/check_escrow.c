/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <claviger/age.h>
#include <time.h>
#include "core.h"

static struct clv_keyring *keyring;
static struct clv_identity *node;
static struct clv_buf row;

static void
set_up(void)
{
	set_up_guard();
	keyring = new_keyring();
	node = new_identity("alpha");
	clv_buf_init(&row);
}

static void
tear_down(void)
{
	clv_buf_fini(&row);
	clv_identity_free(&node);
	clv_keyring_free(&keyring);
	tear_down_guard();
}

static void
seal(void)
{
	ck_assert_int_eq(
	    clv_escrow_seal(guard, keyring, 3, node->box_pk, &row), CLV_OK);
}

static int
open_row(const struct clv_identity *id, uint8_t number)
{
	struct clv_keyring *k = NULL;
	int r = clv_escrow_open(
	    row.data, row.len, clv_keyring_sign_pk(keyring), id, number, &k);

	ck_assert_int_eq(k != NULL, r == CLV_OK);
	clv_keyring_free(&k);
	return r;
}

START_TEST(node_opens_its_own_copy)
{
	struct clv_keyring *k = NULL;
	char *a = NULL, *b = NULL;
	size_t a_len = 0, b_len = 0;
	uint32_t g;

	ck_assert_int_eq(clv_keyring_add(keyring, &g), CLV_OK);
	seal();
	ck_assert_int_eq(clv_escrow_open(row.data, row.len,
			     clv_keyring_sign_pk(keyring), node, 3, &k),
	    CLV_OK);
	clv_keyring_format(keyring, &a, &a_len);
	clv_keyring_format(k, &b, &b_len);
	ck_assert_uint_eq(a_len, b_len);
	ck_assert_mem_eq(a, b, a_len);
	clv_guard_put(guard, a);
	clv_guard_put(guard, b);
	clv_keyring_free(&k);
}
END_TEST

START_TEST(anybody_checks_whose_copy_it_is)
{
	const uint8_t *pk = clv_keyring_sign_pk(keyring);
	struct clv_identity *other = new_identity("beta");
	struct clv_escrow_about g = {.generation = 7};

	seal();
	ck_assert_int_eq(
	    clv_escrow_check(row.data, row.len, pk, 4, node->box_pk, &g),
	    CLV_E_NO_IDENTITY);
	ck_assert_int_eq(
	    clv_escrow_check(row.data, row.len, pk, 3, other->box_pk, &g),
	    CLV_E_SIGNATURE);
	ck_assert_int_eq(clv_escrow_check(row.data, row.len, other->sign_pk, 3,
			     node->box_pk, &g),
	    CLV_E_SIGNATURE);
	for (size_t i = 0; i < row.len; i++) {
		row.data[i] ^= 1;
		ck_assert_int_ne(clv_escrow_check(row.data, row.len, pk, 3,
				     node->box_pk, &g),
		    CLV_OK);
		ck_assert_int_ne(
		    clv_escrow_check(row.data, i, pk, 3, node->box_pk, &g),
		    CLV_OK);
		row.data[i] ^= 1;
	}
	ck_assert_uint_eq(g.generation, 7);
	ck_assert_int_eq(
	    clv_escrow_check(row.data, row.len, pk, 3, node->box_pk, &g),
	    CLV_OK);
	ck_assert_uint_eq(g.generation, 1);
	clv_identity_free(&other);
}
END_TEST

START_TEST(row_holds_no_plaintext)
{
	char *text = NULL;
	size_t len = 0, i, found = 0;

	seal();
	clv_keyring_format(keyring, &text, &len);
	for (i = 0; i + 16 <= row.len; i++)
		found += memmem(text, len, row.data + i, 16) != NULL;
	ck_assert_uint_eq(found, 0);
	clv_guard_put(guard, text);
}
END_TEST

START_TEST(other_number_is_told_that_it_is_not_meant)
{
	seal();
	ck_assert_int_eq(open_row(node, 4), CLV_E_NO_IDENTITY);
}
END_TEST

START_TEST(other_identity_is_refused)
{
	struct clv_identity *other = new_identity("alpha");

	seal();
	ck_assert_int_eq(open_row(other, 3), CLV_E_SIGNATURE);
	clv_identity_free(&other);
}
END_TEST

START_TEST(copy_of_another_system_is_refused)
{
	struct clv_keyring *mine = keyring, *foreign = new_keyring();

	keyring = foreign;
	seal();
	keyring = mine;
	ck_assert_int_eq(open_row(node, 3), CLV_E_SIGNATURE);
	clv_keyring_free(&foreign);
}
END_TEST

START_TEST(every_changed_byte_and_truncation_is_refused)
{
	size_t i, taken = 0, len;

	seal();
	len = row.len;
	for (i = 0; i < len; i++) {
		row.data[i] ^= 0x20;
		taken += open_row(node, 3) == CLV_OK;
		row.data[i] ^= 0x20;
		row.len = i;
		taken += open_row(node, 3) == CLV_OK;
		row.len = len;
	}
	ck_assert_uint_eq(taken, 0);
	ck_assert_int_eq(open_row(node, 3), CLV_OK);
	clv_buf_u8(&row, 0);
	ck_assert_int_eq(open_row(node, 3), CLV_E_FORMAT);
}
END_TEST

/* Rows that the system did sign, around a file that does not fit. */
static void
sign_row(uint32_t generation, const void *file, size_t file_len)
{
	struct clv_buf claim = {0};
	uint8_t hash[32], sig[CLV_SIG_LEN];

	crypto_generichash(hash, sizeof(hash), file, file_len, NULL, 0);
	clv_buf_raw(&claim, clv_keyring_system_id(keyring), CLV_SYSTEM_ID_LEN);
	clv_buf_u8(&claim, 3);
	clv_buf_raw(&claim, node->box_pk, 32);
	clv_buf_u32(&claim, generation);
	clv_buf_raw(&claim, hash, sizeof(hash));
	clv_keyring_sign(
	    keyring, "claviger-escrw-1", claim.data, claim.len, sig);
	clv_buf_fini(&claim);
	clv_buf_u8(&row, 3);
	clv_buf_u32(&row, generation);
	clv_buf_raw(&row, clv_keyring_system_id(keyring), CLV_SYSTEM_ID_LEN);
	clv_buf_bytes(&row, file, file_len);
	clv_buf_raw(&row, sig, sizeof(sig));
}

static void
sign_text(uint32_t generation, const char *text, size_t len)
{
	struct clv_buf file = {0};

	ck_assert_int_eq(
	    clv_age_seal(guard, (const uint8_t(*)[32]) & node->box_pk, 1, false,
		text, len, &file),
	    CLV_OK);
	sign_row(generation, file.data, file.len);
	clv_buf_fini(&file);
}

START_TEST(signed_row_without_an_age_file_is_refused)
{
	sign_row(1, "not age", 7);
	ck_assert_int_eq(open_row(node, 3), CLV_E_FORMAT);
}
END_TEST

START_TEST(signed_row_without_a_keyring_is_refused)
{
	sign_text(1, "not a keyring\n", 14);
	ck_assert_int_eq(open_row(node, 3), CLV_E_FORMAT);
}
END_TEST

START_TEST(signed_row_with_a_foreign_keyring_is_refused)
{
	struct clv_keyring *foreign = new_keyring();
	char *text = NULL;
	size_t len = 0;

	clv_keyring_format(foreign, &text, &len);
	sign_text(1, text, len);
	ck_assert_int_eq(open_row(node, 3), CLV_E_WRONG_SYSTEM);
	clv_guard_put(guard, text);
	clv_keyring_free(&foreign);
}
END_TEST

START_TEST(row_that_claims_another_generation_is_refused)
{
	char *text = NULL;
	size_t len = 0;

	clv_keyring_format(keyring, &text, &len);
	sign_text(2, text, len);
	ck_assert_int_eq(open_row(node, 3), CLV_E_DAMAGED);
	clv_guard_put(guard, text);
}
END_TEST

static struct clv_escrow_about
about_row(void)
{
	struct clv_escrow_about about = {0};

	ck_assert_int_eq(
	    clv_escrow_check(row.data, row.len, clv_keyring_sign_pk(keyring), 3,
		node->box_pk, &about),
	    CLV_OK);
	return about;
}

START_TEST(row_says_when_it_was_sealed_and_what_is_in_it)
{
	uint64_t now = (uint64_t)time(NULL);
	struct clv_escrow_about about;
	uint32_t g;

	ck_assert_int_eq(clv_keyring_add(keyring, &g), CLV_OK);
	ck_assert_int_eq(clv_keyring_add(keyring, &g), CLV_OK);
	ck_assert_int_eq(clv_keyring_drop(keyring, 2), CLV_OK);
	seal();
	about = about_row();
	ck_assert_uint_eq(about.generation, 3);
	ck_assert_uint_ge(about.sealed_s, now);
	ck_assert_uint_eq(about.proven_s, 0);
	ck_assert_uint_eq(about.held_count, 2);
	ck_assert_uint_eq(about.held[0], 1);
	ck_assert_uint_eq(about.held[1], 3);
}
END_TEST

static void
prove_row(const struct clv_keyring *opened, int expected)
{
	struct clv_buf next = {0};

	ck_assert_int_eq(
	    clv_escrow_prove(row.data, row.len, node, 3, opened, &next),
	    expected);
	if (expected == CLV_OK) {
		clv_buf_fini(&row);
		row = next;
	}
}

START_TEST(each_proof_is_newer_than_the_one_before)
{
	uint64_t last = 0, sealed;

	seal();
	sealed = about_row().sealed_s;
	for (int i = 0; i < 3; i++) {
		prove_row(keyring, CLV_OK);
		ck_assert_uint_gt(about_row().proven_s, last);
		last = about_row().proven_s;
		ck_assert_int_eq(open_row(node, 3), CLV_OK);
	}
	ck_assert_uint_eq(about_row().sealed_s, sealed);
}
END_TEST

START_TEST(only_what_is_in_it_proves_a_row)
{
	struct clv_keyring *foreign = new_keyring();
	uint32_t g;

	seal();
	prove_row(foreign, CLV_E_SIGNATURE);
	ck_assert_int_eq(clv_keyring_add(keyring, &g), CLV_OK);
	prove_row(keyring, CLV_E_DAMAGED);
	ck_assert_uint_eq(about_row().proven_s, 0);
	clv_keyring_free(&foreign);
}
END_TEST

START_TEST(row_of_the_first_form_is_read_and_proven)
{
	struct clv_escrow_about about;
	char *text = NULL;
	size_t len = 0;

	clv_keyring_format(keyring, &text, &len);
	sign_text(1, text, len);
	about = about_row();
	ck_assert_uint_eq(about.sealed_s, 0);
	ck_assert_uint_eq(about.held_count, 1);
	ck_assert_int_eq(open_row(node, 3), CLV_OK);
	prove_row(keyring, CLV_OK);
	ck_assert_uint_ne(about_row().proven_s, 0);
	ck_assert_int_eq(open_row(node, 3), CLV_OK);
	clv_guard_put(guard, text);
}
END_TEST

START_TEST(file_that_is_not_for_one_recipient_is_refused_unopened)
{
	struct clv_escrow_about about;
	uint8_t pk[2][32];
	struct clv_buf file = {0};

	memcpy(pk[0], node->box_pk, 32);
	memcpy(pk[1], node->box_pk, 32);
	ck_assert_int_eq(clv_age_seal(guard, (const uint8_t(*)[32])pk, 2, false,
			     "text", 4, &file),
	    CLV_OK);
	sign_row(1, file.data, file.len);
	ck_assert_int_eq(
	    clv_escrow_check(row.data, row.len, clv_keyring_sign_pk(keyring), 3,
		node->box_pk, &about),
	    CLV_E_FORMAT);
	clv_buf_fini(&file);
}
END_TEST

/* Certificate rows */

static int
open_tls(const struct clv_keyring *k)
{
	struct clv_buf cert = {0};
	uint8_t *key = NULL;
	size_t len = 0;
	int r =
	    clv_tls_row_open(guard, k, row.data, row.len, &cert, &key, &len);

	ck_assert_int_eq(key != NULL, r == CLV_OK);
	if (r == CLV_OK) {
		ck_assert_uint_eq(len, 11);
		ck_assert_mem_eq(key, "private key", 11);
		ck_assert_uint_eq(cert.len, 11);
		ck_assert_mem_eq(cert.data, "certificate", 11);
	}
	clv_guard_put(guard, key);
	clv_buf_fini(&cert);
	return r;
}

static void
seal_tls(void)
{
	ck_assert_int_eq(clv_tls_row_seal(guard, keyring, 1, "certificate", 11,
			     "private key", 11, &row),
	    CLV_OK);
}

START_TEST(certificate_and_its_key_come_back)
{
	uint32_t g;

	seal_tls();
	ck_assert_int_eq(open_tls(keyring), CLV_OK);
	ck_assert_int_eq(clv_keyring_add(keyring, &g), CLV_OK);
	ck_assert_int_eq(open_tls(keyring), CLV_OK);
	ck_assert_ptr_null(memmem(row.data, row.len, "private", 7));
}
END_TEST

START_TEST(generation_of_a_certificate_row_is_read_from_a_signed_one_alone)
{
	const uint8_t *pk = clv_keyring_sign_pk(keyring);
	uint32_t g = 0;

	ck_assert_int_eq(clv_keyring_add(keyring, &g), CLV_OK);
	ck_assert_int_eq(clv_tls_row_seal(guard, keyring, g, "certificate", 11,
			     "private key", 11, &row),
	    CLV_OK);
	g = 0;
	ck_assert_int_eq(
	    clv_tls_row_generation(row.data, row.len, pk, &g), CLV_OK);
	ck_assert_uint_eq(g, 2);
	row.data[3] = 1;
	ck_assert_int_eq(
	    clv_tls_row_generation(row.data, row.len, pk, &g), CLV_E_SIGNATURE);
	ck_assert_int_eq(
	    clv_tls_row_generation(row.data, 20, pk, &g), CLV_E_FORMAT);
	ck_assert_uint_eq(g, 2);
}
END_TEST

START_TEST(every_change_of_a_certificate_row_is_refused)
{
	size_t i, taken = 0, len;

	seal_tls();
	len = row.len;
	for (i = 0; i < len; i++) {
		row.data[i] ^= 2;
		taken += open_tls(keyring) == CLV_OK;
		row.data[i] ^= 2;
		row.len = i;
		taken += open_tls(keyring) == CLV_OK;
		row.len = len;
	}
	ck_assert_uint_eq(taken, 0);
	clv_buf_u8(&row, 0);
	ck_assert_int_eq(open_tls(keyring), CLV_E_FORMAT);
}
END_TEST

/* Signed anew after the change: only the wrapping finds it. */
START_TEST(wrapped_key_is_bound_to_its_certificate_and_generation)
{
	uint32_t g;
	size_t body;

	ck_assert_int_eq(clv_keyring_add(keyring, &g), CLV_OK);
	seal_tls();
	body = row.len - CLV_SIG_LEN;
	row.data[_i == 0 ? 10 : 3] ^= _i == 0 ? 1 : 3; /* text; 1 -> 2 */
	clv_keyring_sign(
	    keyring, "claviger-tlskey1", row.data, body, row.data + body);
	ck_assert_int_eq(open_tls(keyring), CLV_E_DAMAGED);
}
END_TEST

START_TEST(certificate_row_of_another_system_is_refused)
{
	struct clv_keyring *other = new_keyring();

	seal_tls();
	ck_assert_int_eq(open_tls(other), CLV_E_SIGNATURE);
	clv_keyring_free(&other);
}
END_TEST

START_TEST(certificate_row_needs_a_generation_and_lengths)
{
	static const uint8_t big[(64 << 10) + 1];

	ck_assert_int_eq(
	    clv_tls_row_seal(guard, keyring, 2, "c", 1, "k", 1, &row),
	    CLV_E_NOT_FOUND);
	ck_assert_int_eq(
	    clv_tls_row_seal(guard, keyring, 1, "", 0, "k", 1, &row),
	    CLV_E_INVALID);
	ck_assert_int_eq(
	    clv_tls_row_seal(guard, keyring, 1, "c", 1, "", 0, &row),
	    CLV_E_INVALID);
	ck_assert_int_eq(
	    clv_tls_row_seal(guard, keyring, 1, big, sizeof(big), "k", 1, &row),
	    CLV_E_INVALID);
	ck_assert_uint_eq(row.len, 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("escrow");
	TCase *e = tcase_create("a_sealed_copy");
	TCase *t = tcase_create("a_certificate_row");

	tcase_add_checked_fixture(e, set_up, tear_down);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(e, node_opens_its_own_copy);
	tcase_add_test(e, anybody_checks_whose_copy_it_is);
	tcase_add_test(e, row_holds_no_plaintext);
	tcase_add_test(e, other_number_is_told_that_it_is_not_meant);
	tcase_add_test(e, other_identity_is_refused);
	tcase_add_test(e, copy_of_another_system_is_refused);
	tcase_add_test(e, every_changed_byte_and_truncation_is_refused);
	tcase_add_test(e, signed_row_without_an_age_file_is_refused);
	tcase_add_test(e, signed_row_without_a_keyring_is_refused);
	tcase_add_test(e, signed_row_with_a_foreign_keyring_is_refused);
	tcase_add_test(e, row_that_claims_another_generation_is_refused);
	tcase_add_test(e, row_says_when_it_was_sealed_and_what_is_in_it);
	tcase_add_test(e, each_proof_is_newer_than_the_one_before);
	tcase_add_test(e, only_what_is_in_it_proves_a_row);
	tcase_add_test(e, row_of_the_first_form_is_read_and_proven);
	tcase_add_test(
	    e, file_that_is_not_for_one_recipient_is_refused_unopened);
	tcase_add_test(t, certificate_and_its_key_come_back);
	tcase_add_test(
	    t, generation_of_a_certificate_row_is_read_from_a_signed_one_alone);
	tcase_add_test(t, every_change_of_a_certificate_row_is_refused);
	tcase_add_loop_test(
	    t, wrapped_key_is_bound_to_its_certificate_and_generation, 0, 2);
	tcase_add_test(t, certificate_row_of_another_system_is_refused);
	tcase_add_test(t, certificate_row_needs_a_generation_and_lengths);
	suite_add_tcase(s, e);
	suite_add_tcase(s, t);
	return run_suite(s);
}
