/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core.h"

#define SYSTEM "system a0a1a2a3-a4a5-a6a7-a8a9-aaabacadaeaf\n"
#define SEED "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEY_1 "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
#define KEY_2 "QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8="
#define HEAD "claviger-keyring 1\n" SYSTEM "signing " SEED "\n"
#define GEN_1 "generation 1 " KEY_1 "\n"
#define GEN_7 "generation 7 " KEY_2 "\n"

static const char sample[] = HEAD GEN_1 GEN_7 "end\n";

static struct clv_keyring *
parse(const char *text)
{
	struct clv_keyring *k = NULL;

	ck_assert_int_eq(
	    clv_keyring_parse(guard, text, strlen(text), &k), CLV_OK);
	return k;
}

static void
assert_hex(const uint8_t *p, size_t len, const char *hex)
{
	char got[2 * 64 + 1];

	ck_assert_str_eq(sodium_bin2hex(got, sizeof(got), p, len), hex);
}

START_TEST(new_keyring_has_one_generation)
{
	struct clv_keyring *k = new_keyring();

	ck_assert_uint_eq(clv_keyring_count(k), 1);
	ck_assert_uint_eq(clv_keyring_newest(k), 1);
	ck_assert_uint_eq(clv_keyring_number(k, 0), 1);
	ck_assert_uint_eq(clv_keyring_number(k, 1), 0);
	ck_assert_uint_eq(clv_keyring_system_id(k)[6] >> 4, 4);
	ck_assert_uint_eq(clv_keyring_system_id(k)[8] >> 6, 2);
	clv_keyring_free(&k);
	ck_assert_ptr_null(k);
	clv_keyring_free(&k);
}
END_TEST

START_TEST(no_two_keyrings_are_alike)
{
	struct clv_keyring *a = new_keyring(), *b = new_keyring();
	uint8_t x[CLV_KEY_LEN], y[CLV_KEY_LEN];

	ck_assert_mem_ne(clv_keyring_system_id(a), clv_keyring_system_id(b),
	    CLV_SYSTEM_ID_LEN);
	ck_assert_mem_ne(
	    clv_keyring_sign_pk(a), clv_keyring_sign_pk(b), CLV_SIGN_PK_LEN);
	clv_keyring_subkey(a, 1, CLV_SUBKEY_COMMITMENT, x);
	clv_keyring_subkey(b, 1, CLV_SUBKEY_COMMITMENT, y);
	ck_assert_mem_ne(x, y, CLV_KEY_LEN);
	clv_keyring_free(&a);
	clv_keyring_free(&b);
}
END_TEST

START_TEST(text_form_is_stable)
{
	struct clv_keyring *k = parse(sample);
	char *text = NULL;
	size_t len = 0;

	ck_assert_int_eq(clv_keyring_format(k, &text, &len), CLV_OK);
	ck_assert_uint_eq(len, sizeof(sample) - 1);
	ck_assert_str_eq(text, sample);
	clv_guard_put(guard, text);
	clv_keyring_free(&k);
}
END_TEST

START_TEST(numbers_need_not_be_contiguous)
{
	struct clv_keyring *k = parse(sample);
	uint8_t key[CLV_KEY_LEN];
	uint32_t g = 0;

	ck_assert_uint_eq(clv_keyring_count(k), 2);
	ck_assert_uint_eq(clv_keyring_number(k, 1), 7);
	ck_assert_int_eq(clv_keyring_subkey(k, 2, CLV_SUBKEY_COMMITMENT, key),
	    CLV_E_NOT_FOUND);
	ck_assert_int_eq(clv_keyring_subkey(k, 0, CLV_SUBKEY_COMMITMENT, key),
	    CLV_E_NOT_FOUND);
	ck_assert_int_eq(clv_keyring_add(k, &g), CLV_OK);
	ck_assert_uint_eq(g, 8);
	ck_assert_uint_eq(clv_keyring_newest(k), 8);
	clv_keyring_free(&k);
}
END_TEST

START_TEST(new_generation_leaves_the_old_one_alone)
{
	struct clv_keyring *k = new_keyring();
	uint8_t before[CLV_KEY_LEN], after[CLV_KEY_LEN], second[CLV_KEY_LEN];
	uint32_t g;

	clv_keyring_subkey(k, 1, CLV_SUBKEY_DISTRIBUTION, before);
	ck_assert_int_eq(clv_keyring_add(k, &g), CLV_OK);
	clv_keyring_subkey(k, 1, CLV_SUBKEY_DISTRIBUTION, after);
	clv_keyring_subkey(k, 2, CLV_SUBKEY_DISTRIBUTION, second);
	ck_assert_mem_eq(before, after, CLV_KEY_LEN);
	ck_assert_mem_ne(before, second, CLV_KEY_LEN);
	clv_keyring_free(&k);
}
END_TEST

START_TEST(dropped_generation_is_gone_but_the_last_one_stays)
{
	struct clv_keyring *k = parse(sample), *back = NULL; /* 1 and 7 */
	uint8_t key[CLV_KEY_LEN];
	char *text = NULL;
	size_t len = 0;

	ck_assert_int_eq(clv_keyring_drop(k, 2), CLV_E_NOT_FOUND);
	ck_assert_int_eq(clv_keyring_drop(k, 1), CLV_OK);
	ck_assert_uint_eq(clv_keyring_count(k), 1);
	ck_assert_uint_eq(clv_keyring_newest(k), 7);
	ck_assert_int_eq(clv_keyring_subkey(k, 1, CLV_SUBKEY_COMMITMENT, key),
	    CLV_E_NOT_FOUND);
	ck_assert_int_eq(
	    clv_keyring_subkey(k, 7, CLV_SUBKEY_COMMITMENT, key), CLV_OK);
	ck_assert_int_eq(clv_keyring_drop(k, 1), CLV_E_NOT_FOUND);
	ck_assert_int_eq(clv_keyring_drop(k, 7), CLV_E_INVALID);
	ck_assert_int_eq(clv_keyring_format(k, &text, &len), CLV_OK);
	ck_assert_ptr_null(strstr(text, "generation 1 "));
	ck_assert_int_eq(clv_keyring_parse(guard, text, len, &back), CLV_OK);
	clv_guard_put(guard, text);
	clv_keyring_free(&back);
	clv_keyring_free(&k);
}
END_TEST

START_TEST(largest_keyring_survives_its_text)
{
	struct clv_keyring *k = new_keyring(), *back = NULL;
	char *text = NULL;
	size_t len = 0;
	uint32_t g;

	while (clv_keyring_count(k) < CLV_GENERATIONS_MAX)
		ck_assert_int_eq(clv_keyring_add(k, &g), CLV_OK);
	ck_assert_int_eq(clv_keyring_add(k, &g), CLV_E_FULL);
	ck_assert_int_eq(clv_keyring_format(k, &text, &len), CLV_OK);
	ck_assert_uint_le(len, CLV_KEYRING_TEXT_MAX);
	ck_assert_int_eq(clv_keyring_parse(guard, text, len, &back), CLV_OK);
	ck_assert_uint_eq(clv_keyring_newest(back), CLV_GENERATIONS_MAX);
	clv_guard_put(guard, text);
	clv_keyring_free(&back);
	clv_keyring_free(&k);
}
END_TEST

START_TEST(one_generation_too_many_is_refused)
{
	struct clv_buf b = {0};
	struct clv_keyring *k = NULL;
	char line[80];
	int i;

	clv_buf_raw(&b, HEAD, strlen(HEAD));
	for (i = 1; i <= CLV_GENERATIONS_MAX + 1; i++) {
		snprintf(line, sizeof(line), "generation %d " KEY_1 "\n", i);
		clv_buf_raw(&b, line, strlen(line));
	}
	clv_buf_raw(&b, "end\n", 4);
	ck_assert_int_eq(
	    clv_keyring_parse(guard, (char *)b.data, b.len, &k), CLV_E_FORMAT);
	clv_buf_fini(&b);
}
END_TEST

START_TEST(generation_after_the_last_number_is_refused)
{
	struct clv_keyring *k =
	    parse(HEAD "generation 4294967295 " KEY_1 "\nend\n");
	uint32_t g = 5;

	ck_assert_int_eq(clv_keyring_add(k, &g), CLV_E_FULL);
	ck_assert_uint_eq(g, 5);
	clv_keyring_free(&k);
}
END_TEST

/* Each text is wrong in one way. */
static const char *const bad[] = {
    "",
    "claviger-keyring",
    "claviger-keyring 1",
    "claviger-identity 1\n" SYSTEM,
    "Claviger-keyring 1\n" SYSTEM "signing " SEED "\n" GEN_1 "end\n",
    "claviger-keyring 01\n" SYSTEM "signing " SEED "\n" GEN_1 "end\n",
    "claviger-keyring  1\n" SYSTEM "signing " SEED "\n" GEN_1 "end\n",
    "claviger-keyring 1\r\n" SYSTEM "signing " SEED "\n" GEN_1 "end\n",
    "\nclaviger-keyring 1\n" SYSTEM "signing " SEED "\n" GEN_1 "end\n",
    HEAD "end\n",
    HEAD GEN_1,
    HEAD GEN_1 "end",
    HEAD GEN_1 "end\n\n",
    HEAD GEN_1 "end\nx",
    HEAD GEN_1 "END\n",
    HEAD GEN_1 "\nend\n",
    HEAD GEN_1 "comment x\nend\n",
    HEAD GEN_1 GEN_1 "end\n",
    HEAD GEN_7 GEN_1 "end\n",
    HEAD "generation 0 " KEY_1 "\nend\n",
    HEAD "generation 01 " KEY_1 "\nend\n",
    HEAD "generation -1 " KEY_1 "\nend\n",
    HEAD "generation +1 " KEY_1 "\nend\n",
    HEAD "generation  1 " KEY_1 "\nend\n",
    HEAD "generation 1  " KEY_1 "\nend\n",
    HEAD "generation 1\t" KEY_1 "\nend\n",
    HEAD "generation 1 " KEY_1 " \nend\n",
    HEAD "generation 4294967296 " KEY_1 "\nend\n",
    HEAD "generation 18446744073709551617 " KEY_1 "\nend\n",
    HEAD "generation x " KEY_1 "\nend\n",
    HEAD "generation 1 " KEY_1 "end\n",
    /* 31 and 33 bytes, no padding, other alphabet, stray trailing bits */
    HEAD "generation 1 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pg==\nend\n",
    HEAD "generation 1 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj9A\nend\n",
    HEAD "generation 1 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8\nend\n",
    HEAD "generation 1 _-EiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=\nend\n",
    HEAD "generation 1 ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj9=\nend\n",
    HEAD "generation 1 \xc9"
	 "CEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=\nend\n",
    HEAD "generation 1 IC iIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=\nend\n",
    /* what libsodium 1.0.18 would take where char is signed */
    HEAD "generation 1 ICEiIyQlJic\377KSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=\nend\n",
    HEAD "generation 1 ICEiIyQlJic\200KSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=\nend\n",
    "claviger-keyring 1\nsystem A0A1A2A3-A4A5-A6A7-A8A9-AAABACADAEAF\n"
    "signing " SEED "\n" GEN_1 "end\n",
    "claviger-keyring 1\nsystem a0a1a2a3a4a5a6a7a8a9aaabacadaeaf\n"
    "signing " SEED "\n" GEN_1 "end\n",
    "claviger-keyring 1\nsystem a0a1a2a3-a4a5-a6a7-a8a9-aaabacadaeag\n"
    "signing " SEED "\n" GEN_1 "end\n",
    "claviger-keyring 1\nsystem a0a1a2a3-a4a5-a6a7-a8a9-aaabacadae\n"
    "signing " SEED "\n" GEN_1 "end\n",
    "claviger-keyring 1\nsigning " SEED "\n" SYSTEM GEN_1 "end\n",
    "claviger-keyring 1\n" SYSTEM GEN_1 "end\n",
    HEAD "signing " SEED "\n" GEN_1 "end\n",
};

START_TEST(anything_but_the_format_is_refused)
{
	struct clv_keyring *k = NULL;

	ck_assert_int_eq(clv_keyring_parse(guard, bad[_i], strlen(bad[_i]), &k),
	    CLV_E_FORMAT);
	ck_assert_ptr_null(k);
}
END_TEST

START_TEST(every_truncation_is_refused)
{
	struct clv_keyring *k = NULL;
	size_t n, taken = 0;

	for (n = 0; n < sizeof(sample) - 1; n++)
		taken +=
		    clv_keyring_parse(guard, sample, n, &k) != CLV_E_FORMAT;
	ck_assert_uint_eq(taken, 0);
}
END_TEST

START_TEST(nul_bytes_are_refused)
{
	struct clv_keyring *k = NULL;
	char text[sizeof(sample)];

	memcpy(text, sample, sizeof(sample));
	ck_assert_int_eq(
	    clv_keyring_parse(guard, text, sizeof(text), &k), CLV_E_FORMAT);
	text[40] = '\0';
	ck_assert_int_eq(
	    clv_keyring_parse(guard, text, sizeof(text) - 1, &k), CLV_E_FORMAT);
}
END_TEST

START_TEST(newer_version_is_told_apart)
{
	static const char text[] = "claviger-keyring 3\nwhatever\n";
	struct clv_keyring *k = NULL;

	ck_assert_int_eq(clv_keyring_parse(guard, text, sizeof(text) - 1, &k),
	    CLV_E_VERSION);
}
END_TEST

START_TEST(full_arena_is_a_result)
{
	struct clv_guard *small = NULL;
	struct clv_keyring *k = NULL;
	char *text = NULL;
	size_t len;

	ck_assert_int_eq(clv_guard_new(4096, &small), CLV_OK);
	clv_guard_get(small, 2048);
	ck_assert_int_eq(clv_keyring_new(small, &k), CLV_E_FULL);
	ck_assert_int_eq(
	    clv_keyring_parse(small, sample, sizeof(sample) - 1, &k),
	    CLV_E_FULL);
	ck_assert_ptr_null(k);
	clv_guard_free_all(&small);
	ck_assert_int_eq(clv_guard_new(4096, &small), CLV_OK);
	ck_assert_int_eq(clv_keyring_new(small, &k), CLV_OK);
	ck_assert_int_eq(clv_keyring_format(k, &text, &len), CLV_E_FULL);
	clv_guard_free_all(&small);
}
END_TEST

/* Values below come from other implementations: Python's hashlib.blake2b and
 * cryptography's Ed25519. */

static const char *const subkeys[] = {
    "916e7bde0f187e1059ca30a25403f4cca709271e2c91d14abcbbe9e2cee05d43",
    "b2547347031323906018a36fa48b82b70f947af7dbea0284c76a2c62b41878a8",
    "90a5e1a1fe4d9c12a47999f6e5adc7a20773f6dca60bf5419a4f1e207b2b11c9",
    "b407d0fe24be1c098da7034a7f864e8a56d66d3bbfe9c070acac8c8ec72adfd9",
};

START_TEST(subkeys_are_blake2b_as_documented)
{
	struct clv_keyring *k = parse(sample);
	uint8_t key[CLV_KEY_LEN];

	ck_assert_int_eq(
	    clv_keyring_subkey(k, 1, (enum clv_subkey)(_i + 1), key), CLV_OK);
	assert_hex(key, sizeof(key), subkeys[_i]);
	clv_keyring_free(&k);
}
END_TEST

START_TEST(application_key_and_check_are_as_documented)
{
	struct clv_keyring *k = parse(sample);
	uint8_t d[CLV_KEY_LEN], key[CLV_KEY_LEN];

	clv_keyring_subkey(k, 1, CLV_SUBKEY_DISTRIBUTION, d);
	clv_app_key(d, clv_keyring_system_id(k), "payroll", key);
	assert_hex(key, sizeof(key),
	    "deacecbacadad9ec8f6e250e7ce7d75d38154858"
	    "c37493202e33704c94d4228d");
	clv_key_check(d, key);
	assert_hex(key, sizeof(key),
	    "8b226469d21df8eb8f61a7c59c20a22f20f45d9c"
	    "8b0e0c8cb7c5041f5fecd084");
	clv_keyring_free(&k);
}
END_TEST

START_TEST(signature_is_plain_ed25519_over_domain_and_message)
{
	struct clv_keyring *k = parse(sample);
	uint8_t sig[CLV_SIG_LEN];

	assert_hex(clv_keyring_sign_pk(k), CLV_SIGN_PK_LEN,
	    "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8");
	ck_assert_int_eq(
	    clv_keyring_sign(k, "claviger-test-01", "hello", 5, sig), CLV_OK);
	assert_hex(sig, sizeof(sig),
	    "817901ad79a3a48f9f980bb7514e1f944d0a6840e70631a93adafc85a72f8da6"
	    "2b6252f16d82f42bda10379d8c08a259558e87d58d7d89a85a118665b7507306");
	clv_keyring_free(&k);
}
END_TEST

START_TEST(signature_holds_for_its_key_domain_and_message_only)
{
	struct clv_keyring *k = new_keyring(), *other = new_keyring();
	const uint8_t *pk = clv_keyring_sign_pk(k);
	const char *d = "claviger-test-01";
	uint8_t sig[CLV_SIG_LEN];

	ck_assert_int_eq(clv_keyring_sign(k, d, "abc", 3, sig), CLV_OK);
	ck_assert_int_eq(clv_verify(pk, d, "abc", 3, sig), CLV_OK);
	ck_assert_int_eq(clv_verify(pk, d, "abd", 3, sig), CLV_E_SIGNATURE);
	ck_assert_int_eq(clv_verify(pk, d, "ab", 2, sig), CLV_E_SIGNATURE);
	ck_assert_int_eq(
	    clv_verify(pk, "claviger-test-02", "abc", 3, sig), CLV_E_SIGNATURE);
	ck_assert_int_eq(
	    clv_verify(clv_keyring_sign_pk(other), d, "abc", 3, sig),
	    CLV_E_SIGNATURE);
	sig[63] ^= 0x10;
	ck_assert_int_eq(clv_verify(pk, d, "abc", 3, sig), CLV_E_SIGNATURE);
	clv_keyring_free(&k);
	clv_keyring_free(&other);
}
END_TEST

START_TEST(domain_of_a_wrong_length_is_refused)
{
	struct clv_keyring *k = new_keyring();
	uint8_t sig[CLV_SIG_LEN] = {0};

	ck_assert_int_eq(
	    clv_keyring_sign(k, "short", "abc", 3, sig), CLV_E_INVALID);
	ck_assert_int_eq(clv_verify(clv_keyring_sign_pk(k), "claviger-too-long",
			     "abc", 3, sig),
	    CLV_E_INVALID);
	clv_keyring_free(&k);
}
END_TEST

START_TEST(empty_message_can_be_signed)
{
	struct clv_keyring *k = new_keyring();
	uint8_t sig[CLV_SIG_LEN];

	ck_assert_int_eq(
	    clv_keyring_sign(k, "claviger-test-01", NULL, 0, sig), CLV_OK);
	ck_assert_int_eq(clv_verify(clv_keyring_sign_pk(k), "claviger-test-01",
			     NULL, 0, sig),
	    CLV_OK);
	clv_keyring_free(&k);
}
END_TEST

START_TEST(wrapped_bytes_come_back)
{
	static const uint8_t key[CLV_KEY_LEN] = {1};
	struct clv_buf b = {0};
	char out[6] = {0};

	clv_buf_raw(&b, "xx", 2);
	ck_assert_int_eq(clv_wrap(key, "aad", 3, "secret", 6, &b), CLV_OK);
	ck_assert_uint_eq(b.len, 2 + 6 + CLV_WRAP_EXTRA);
	ck_assert_int_eq(
	    clv_unwrap(key, "aad", 3, b.data + 2, b.len - 2, out), CLV_OK);
	ck_assert_mem_eq(out, "secret", 6);
	clv_buf_fini(&b);
}
END_TEST

START_TEST(every_changed_bit_of_wrapped_bytes_is_found)
{
	static const uint8_t key[CLV_KEY_LEN] = {1}, other[CLV_KEY_LEN] = {2};
	struct clv_buf b = {0};
	char out[6];
	size_t i, taken = 0;

	ck_assert_int_eq(clv_wrap(key, "aad", 3, "secret", 6, &b), CLV_OK);
	for (i = 0; i < b.len * 8; i++) {
		b.data[i / 8] ^= (uint8_t)(1 << i % 8);
		taken += clv_unwrap(key, "aad", 3, b.data, b.len, out) !=
			 CLV_E_DAMAGED;
		b.data[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (i = 0; i < b.len; i++)
		taken +=
		    clv_unwrap(key, "aad", 3, b.data, i, out) != CLV_E_DAMAGED;
	ck_assert_uint_eq(taken, 0);
	ck_assert_int_eq(
	    clv_unwrap(key, "aae", 3, b.data, b.len, out), CLV_E_DAMAGED);
	ck_assert_int_eq(
	    clv_unwrap(other, "aad", 3, b.data, b.len, out), CLV_E_DAMAGED);
	clv_buf_fini(&b);
}
END_TEST

START_TEST(wrapping_twice_gives_two_ciphertexts)
{
	static const uint8_t key[CLV_KEY_LEN] = {1};
	struct clv_buf a = {0}, b = {0};

	clv_wrap(key, NULL, 0, "secret", 6, &a);
	clv_wrap(key, NULL, 0, "secret", 6, &b);
	ck_assert_mem_ne(a.data, b.data, a.len);
	clv_buf_fini(&a);
	clv_buf_fini(&b);
}
END_TEST

START_TEST(too_long_to_wrap_is_refused)
{
	static const uint8_t key[CLV_KEY_LEN] = {1};
	struct clv_buf b = {0};

	ck_assert_int_eq(
	    clv_wrap(key, NULL, 0, "", CLV_BUF_MAX, &b), CLV_E_FULL);
	ck_assert_uint_eq(b.len, 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("keyring");
	TCase *k = tcase_create("the_keyring"), *t = tcase_create("its_text");
	TCase *c = tcase_create("keys_and_signatures");

	tcase_add_checked_fixture(k, set_up_guard, tear_down_guard);
	tcase_add_checked_fixture(t, set_up_guard, tear_down_guard);
	tcase_add_checked_fixture(c, set_up_guard, tear_down_guard);
	tcase_add_test(k, new_keyring_has_one_generation);
	tcase_add_test(k, no_two_keyrings_are_alike);
	tcase_add_test(k, new_generation_leaves_the_old_one_alone);
	tcase_add_test(k, dropped_generation_is_gone_but_the_last_one_stays);
	tcase_add_test(k, numbers_need_not_be_contiguous);
	tcase_add_test(k, generation_after_the_last_number_is_refused);
	tcase_add_test(k, full_arena_is_a_result);
	tcase_add_test(t, text_form_is_stable);
	tcase_add_test(t, largest_keyring_survives_its_text);
	tcase_add_test(t, one_generation_too_many_is_refused);
	tcase_add_loop_test(t, anything_but_the_format_is_refused, 0,
	    sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(t, every_truncation_is_refused);
	tcase_add_test(t, nul_bytes_are_refused);
	tcase_add_test(t, newer_version_is_told_apart);
	tcase_add_loop_test(c, subkeys_are_blake2b_as_documented, 0, 4);
	tcase_add_test(c, application_key_and_check_are_as_documented);
	tcase_add_test(c, signature_is_plain_ed25519_over_domain_and_message);
	tcase_add_test(c, signature_holds_for_its_key_domain_and_message_only);
	tcase_add_test(c, domain_of_a_wrong_length_is_refused);
	tcase_add_test(c, empty_message_can_be_signed);
	tcase_add_test(c, wrapped_bytes_come_back);
	tcase_add_test(c, every_changed_bit_of_wrapped_bytes_is_found);
	tcase_add_test(c, wrapping_twice_gives_two_ciphertexts);
	tcase_add_test(c, too_long_to_wrap_is_refused);
	suite_add_tcase(s, k);
	suite_add_tcase(s, t);
	suite_add_tcase(s, c);
	return run_suite(s);
}
