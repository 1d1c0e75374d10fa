/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <check.h>
#include <sodium.h>
#include <claviger/age.h>
#include <claviger/result.h>
#include "lib/bech32.h"

/* The example of age.md: an identity of 32 bytes 0x42. */
#define IDENTITY \
	"AGE-SECRET-KEY-" \
	"1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4" \
	"EGAEX"
#define RECIPIENT \
	"age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"

/* Valid strings of BIP 173 whose data is whole bytes. */
static const struct {
	const char *hrp;
	const char *text;
	size_t len;
} bip173[] = {
    {"A", "A12UEL5L", 0},
    {"a", "a12uel5l", 0},
    {"abcdef", "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw", 20},
    {"split", "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w",
	30},
    {"?", "?1ezyfcl", 0},
};

START_TEST(the_standards_valid_strings_are_read_and_written_again)
{
	uint8_t data[CLV__BECH32_DATA_MAX];
	char text[128];

	ck_assert_int_eq(clv__bech32_parse(bip173[_i].hrp, bip173[_i].text,
			     data, bip173[_i].len),
	    CLV_OK);
	clv__bech32_format(bip173[_i].hrp, data, bip173[_i].len, text);
	ck_assert_str_eq(text, bip173[_i].text);
	ck_assert_uint_eq(
	    clv__bech32_len(bip173[_i].hrp, bip173[_i].len), strlen(text));
}
END_TEST

/* Invalid strings of BIP 173, and of other lengths, cases and hrps. */
static const struct {
	const char *hrp;
	const char *text;
	size_t len;
} bad[] = {
    {"pzry", "pzry9x0s0muk", 0}, /* no separator */
    {"", "1pzry9x0s0muk", 3},	 /* empty hrp, bad checksum */
    {"x", "x1b4n0q5v", 0},	 /* invalid data character */
    {"li", "li1dgmt3", 0},	 /* too short checksum */
    {"de", "de1lg7wt\xff", 0},	 /* invalid character in checksum */
    {"A", "A1G7SGD8", 0},	 /* checksum of the uppercase hrp */
    {"a", "A12UEL5L", 0},	 /* other case than asked for */
    {"A", "A12uEL5L", 0},	 /* mixed case */
    {"b", "a12uel5l", 0},	 /* other hrp */
    {"a", "a12uel5m", 0},	 /* wrong checksum */
    {"a", "a12uel5l", 1},	 /* too short */
    {"a", "", 0},
};

START_TEST(a_bad_string_is_refused_and_nothing_returned)
{
	uint8_t data[CLV__BECH32_DATA_MAX];
	uint8_t before[sizeof(data)];

	memset(data, 0x5a, sizeof(data));
	memcpy(before, data, sizeof(data));
	ck_assert_int_eq(
	    clv__bech32_parse(bad[_i].hrp, bad[_i].text, data, bad[_i].len),
	    CLV_E_INVALID);
	ck_assert_mem_eq(data, before, sizeof(data));
}
END_TEST

/* Putting a q before a final p keeps the checksum right: a known weakness of
 * Bech32, met by the fixed length. */
START_TEST(a_q_put_before_the_last_p_is_refused)
{
	uint8_t data[8];

	ck_assert_int_eq(
	    clv__bech32_parse("a", "a1lqqqpzryaeqvnp", data, 5), CLV_OK);
	ck_assert_int_eq(clv__bech32_parse("a", "a1lqqqpzryaeqvnqp", data, 5),
	    CLV_E_INVALID);
}
END_TEST

/* One byte is two characters with two bits of padding; the checksums fit. */
START_TEST(padding_bits_must_be_zero)
{
	uint8_t data[1];

	ck_assert_int_eq(clv__bech32_parse("a", "a1lu9cgf6y", data, 1), CLV_OK);
	ck_assert_uint_eq(data[0], 0xff);
	ck_assert_int_eq(
	    clv__bech32_parse("a", "a1lacwuu8k", data, 1), CLV_E_INVALID);
	ck_assert_int_eq(
	    clv__bech32_parse("a", "a1l7kaf2ff", data, 1), CLV_E_INVALID);
}
END_TEST

START_TEST(the_example_of_the_specification_is_read_and_written)
{
	uint8_t sk[CLV_AGE_KEY_LEN], pk[CLV_AGE_KEY_LEN];
	uint8_t want[CLV_AGE_KEY_LEN];
	char text[CLV_AGE_IDENTITY_MAX];

	memset(want, 0x42, sizeof(want));
	ck_assert_int_eq(clv_age_identity_parse(IDENTITY, sk), CLV_OK);
	ck_assert_mem_eq(sk, want, sizeof(sk));
	ck_assert_int_eq(clv_age_identity_format(sk, text), CLV_OK);
	ck_assert_str_eq(text, IDENTITY);

	crypto_scalarmult_base(want, sk);
	ck_assert_int_eq(clv_age_recipient_parse(RECIPIENT, pk), CLV_OK);
	ck_assert_mem_eq(pk, want, sizeof(pk));
	ck_assert_int_eq(clv_age_recipient_format(pk, text), CLV_OK);
	ck_assert_str_eq(text, RECIPIENT);
}
END_TEST

START_TEST(every_single_character_changed_is_refused)
{
	uint8_t key[CLV_AGE_KEY_LEN];
	char text[] = RECIPIENT;

	for (size_t i = 0; i < strlen(RECIPIENT); i++) {
		for (int c = 1; c < 256; c++) {
			if ((char)c == RECIPIENT[i])
				continue;
			text[i] = (char)c;
			ck_assert_int_eq(
			    clv_age_recipient_parse(text, key), CLV_E_INVALID);
		}
		text[i] = RECIPIENT[i];
	}
}
END_TEST

START_TEST(identity_and_recipient_are_not_mistaken_for_each_other)
{
	uint8_t key[CLV_AGE_KEY_LEN];

	ck_assert_int_eq(clv_age_identity_parse(RECIPIENT, key), CLV_E_INVALID);
	ck_assert_int_eq(clv_age_recipient_parse(IDENTITY, key), CLV_E_INVALID);
	ck_assert_int_eq(
	    clv_age_recipient_parse(RECIPIENT "\n", key), CLV_E_INVALID);
	ck_assert_int_eq(
	    clv_age_recipient_parse(" " RECIPIENT, key), CLV_E_INVALID);
}
END_TEST

START_TEST(a_new_key_pair_belongs_together)
{
	uint8_t sk[CLV_AGE_KEY_LEN], pk[CLV_AGE_KEY_LEN];
	uint8_t want[CLV_AGE_KEY_LEN], again[CLV_AGE_KEY_LEN];

	clv_age_keygen(sk, pk);
	crypto_scalarmult_base(want, sk);
	ck_assert_mem_eq(pk, want, sizeof(pk));
	clv_age_keygen(again, want);
	ck_assert_mem_ne(sk, again, sizeof(sk));
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("bech32");
	TCase *t = tcase_create("bech32 follows BIP 173");

	tcase_add_loop_test(t,
	    the_standards_valid_strings_are_read_and_written_again, 0,
	    sizeof(bip173) / sizeof(bip173[0]));
	tcase_add_loop_test(t, a_bad_string_is_refused_and_nothing_returned, 0,
	    sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(t, a_q_put_before_the_last_p_is_refused);
	tcase_add_test(t, padding_bits_must_be_zero);
	suite_add_tcase(s, t);
	t = tcase_create("age keys as text");
	tcase_add_test(t, the_example_of_the_specification_is_read_and_written);
	tcase_add_test(t, every_single_character_changed_is_refused);
	tcase_add_test(
	    t, identity_and_recipient_are_not_mistaken_for_each_other);
	tcase_add_test(t, a_new_key_pair_belongs_together);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	SRunner *r;
	int failed;

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	r = srunner_create(make_suite());
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
