/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <claviger/token.h>
#include "core.h"

static struct clv_token *token;
static struct clv_token_proof proof;

static void
set_up(void)
{
	set_up_guard();
	ck_assert_int_eq(clv_token_new(guard, &token), CLV_OK);
	strcpy(token->name, "web1");
	strcpy(token->network_name, "mss.example.org");
	token->port = 8391;
	token->expires_s = UINT64_C(1800000000);
	memset(token->system_pk, 7, sizeof(token->system_pk));
	memset(&proof, 0, sizeof(proof));
	memset(proof.system_pk, 7, sizeof(proof.system_pk));
	memset(proof.binding, 1, sizeof(proof.binding));
	memset(proof.challenge, 2, sizeof(proof.challenge));
	memset(proof.nonce, 3, sizeof(proof.nonce));
	fill_party(&proof.party, "web1", 4);
}

static void
tear_down(void)
{
	clv_token_free(&token);
	ck_assert_ptr_null(token);
	clv_token_free(&token);
	tear_down_guard();
}

static char *
text_of(const struct clv_token *t)
{
	char *text = NULL;

	ck_assert_int_eq(clv_token_format(t, &text), CLV_OK);
	return text;
}

static int
parse(const char *text)
{
	struct clv_token *t = NULL;
	int r = clv_token_parse(guard, text, &t);

	ck_assert_int_eq(t != NULL, r == CLV_OK);
	clv_token_free(&t);
	return r;
}

START_TEST(a_token_is_one_line_and_read_as_it_was_written)
{
	struct clv_token *t = NULL;
	char *text = text_of(token);

	ck_assert_int_eq(strncmp(text, CLV_TOKEN_PREFIX, 15), 0);
	ck_assert_uint_eq(strspn(text, "-abcdefghijklmnopqrstuvwxyz0123456789"),
	    strlen(text));
	ck_assert_int_eq(clv_token_parse(guard, text, &t), CLV_OK);
	ck_assert_str_eq(t->name, "web1");
	ck_assert_str_eq(t->network_name, "mss.example.org");
	ck_assert_uint_eq(t->port, 8391);
	ck_assert_uint_eq(t->expires_s, 1800000000);
	ck_assert_mem_eq(t->system_pk, token->system_pk, 32);
	ck_assert_mem_eq(t->sign_pk, token->sign_pk, 32);
	ck_assert_mem_eq(t->sign_sk, token->sign_sk, 64);
	clv_token_free(&t);
	clv_guard_put(guard, text);
}
END_TEST

START_TEST(the_longest_token_has_room)
{
	char *text;

	memset(token->name, 'n', sizeof(token->name) - 1);
	memset(token->network_name, 'a', sizeof(token->network_name) - 1);
	text = text_of(token);
	ck_assert_uint_lt(strlen(text), CLV_TOKEN_TEXT_MAX);
	ck_assert_int_eq(parse(text), CLV_OK);
	clv_guard_put(guard, text);
}
END_TEST

/* Into another one of the alphabet, into one outside it, and the case. */
START_TEST(every_single_character_changed_is_refused)
{
	static const char others[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l1bBQ \n-";
	char *text = text_of(token);
	size_t len = strlen(text), wrong = 0;

	for (size_t i = 0; i < len; i++) {
		char was = text[i];
		int want = i < 15 ? CLV_E_FORMAT : CLV_E_DAMAGED;

		for (const char *o = others; *o != '\0'; o++) {
			text[i] = *o;
			if (*o != was)
				wrong += parse(text) != want;
		}
		text[i] = was;
	}
	ck_assert_uint_eq(wrong, 0);
	ck_assert_int_eq(parse(text), CLV_OK);
	clv_guard_put(guard, text);
}
END_TEST

START_TEST(every_truncation_and_each_lost_or_doubled_character_is_refused)
{
	char *text = text_of(token), other[CLV_TOKEN_TEXT_MAX + 2];
	size_t len = strlen(text), wrong = 0;

	for (size_t i = 0; i < len; i++) {
		snprintf(other, sizeof(other), "%.*s", (int)i, text);
		wrong +=
		    parse(other) != (i < 15 ? CLV_E_FORMAT : CLV_E_DAMAGED);
		snprintf(
		    other, sizeof(other), "%.*s%s", (int)i, text, text + i + 1);
		wrong += parse(other) == CLV_OK;
		snprintf(other, sizeof(other), "%.*s%c%s", (int)i + 1, text,
		    text[i], text + i + 1);
		wrong += parse(other) == CLV_OK;
	}
	/* A q before the last character, which the checksum alone may miss. */
	snprintf(other, sizeof(other), "%.*sq%s", (int)len - 1, text,
	    text + len - 1);
	wrong += parse(other) != CLV_E_DAMAGED;
	ck_assert_uint_eq(wrong, 0);
	clv_guard_put(guard, text);
}
END_TEST

START_TEST(what_is_no_token_is_told_from_a_damaged_one)
{
	char longer[CLV_TOKEN_TEXT_MAX + 64];

	ck_assert_int_eq(parse(""), CLV_E_FORMAT);
	ck_assert_int_eq(parse("age1xyz"), CLV_E_FORMAT);
	ck_assert_int_eq(parse(CLV_TOKEN_PREFIX), CLV_E_DAMAGED);
	ck_assert_int_eq(parse(CLV_TOKEN_PREFIX "qqqqqq"), CLV_E_DAMAGED);
	memset(longer, 'q', sizeof(longer));
	memcpy(longer, CLV_TOKEN_PREFIX, 15);
	longer[sizeof(longer) - 1] = '\0';
	ck_assert_int_eq(parse(longer), CLV_E_DAMAGED);
}
END_TEST

static void
make_no_name(void)
{
	token->name[0] = '\0';
}

static void
make_bad_name(void)
{
	strcpy(token->name, "web/1");
}

static void
make_no_network_name(void)
{
	token->network_name[0] = '\0';
}

static void
make_bad_network_name(void)
{
	strcpy(token->network_name, "mss example");
}

static void
make_no_port(void)
{
	token->port = 0;
}

static void
make_no_system(void)
{
	memset(token->system_pk, 0, sizeof(token->system_pk));
}

static void (*const wrong_ones[])(void) = {make_no_name, make_bad_name,
    make_no_network_name, make_bad_network_name, make_no_port, make_no_system};

START_TEST(a_token_without_what_it_needs_is_not_written)
{
	char *text = NULL;

	wrong_ones[_i]();
	ck_assert_int_eq(clv_token_format(token, &text), CLV_E_INVALID);
	ck_assert_ptr_null(text);
}
END_TEST

START_TEST(two_tokens_have_two_keys)
{
	struct clv_token *other = NULL;

	ck_assert_int_eq(clv_token_new(guard, &other), CLV_OK);
	ck_assert_mem_ne(other->sign_pk, token->sign_pk, 32);
	clv_token_free(&other);
}
END_TEST

START_TEST(without_locked_memory_there_is_no_token)
{
	struct clv_guard *small = NULL;
	struct clv_token *t = NULL;
	char *text = text_of(token);
	size_t len;
	void *all;

	ck_assert_int_eq(clv_guard_new(4096, &small), CLV_OK);
	for (len = 8192; (all = clv_guard_get(small, len)) == NULL;)
		len -= 16;
	ck_assert_int_eq(clv_token_new(small, &t), CLV_E_FULL);
	ck_assert_int_eq(clv_token_parse(small, text, &t), CLV_E_FULL);
	ck_assert_ptr_null(t);
	clv_guard_put(small, all);
	clv_guard_free_all(&small);
	clv_guard_put(guard, text);
}
END_TEST

/* What the token's key signs. */

START_TEST(a_proof_is_good_for_what_it_was_made_for)
{
	uint8_t sig[CLV_SIG_LEN];

	ck_assert_int_eq(clv_token_sign(token, &proof, sig), CLV_OK);
	ck_assert_int_eq(clv_token_verify(token->sign_pk, &proof, sig), CLV_OK);
}
END_TEST

static const struct {
	const char *what;
	size_t at;
} parts[] = {
#define PART(x) \
	{ \
#x, offsetof(struct clv_token_proof, x) \
	}
    PART(system_pk), PART(binding), PART(challenge), PART(nonce),
    PART(party.name), PART(party.sign_pk), PART(party.box_pk),
    PART(party.thumb)};

START_TEST(a_proof_is_good_for_nothing_else)
{
	struct clv_token_proof other = proof;
	uint8_t sig[CLV_SIG_LEN];

	ck_assert_int_eq(clv_token_sign(token, &proof, sig), CLV_OK);
	((uint8_t *)&other)[parts[_i].at] ^= 1;
	ck_assert_msg(
	    clv_token_verify(token->sign_pk, &other, sig) == CLV_E_SIGNATURE,
	    "%s", parts[_i].what);
}
END_TEST

START_TEST(another_tokens_proof_is_refused)
{
	struct clv_token *other = NULL;
	uint8_t sig[CLV_SIG_LEN];

	ck_assert_int_eq(clv_token_new(guard, &other), CLV_OK);
	ck_assert_int_eq(clv_token_sign(other, &proof, sig), CLV_OK);
	ck_assert_int_eq(
	    clv_token_verify(token->sign_pk, &proof, sig), CLV_E_SIGNATURE);
	clv_token_free(&other);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("token");
	TCase *t = tcase_create("token");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, a_token_is_one_line_and_read_as_it_was_written);
	tcase_add_test(t, the_longest_token_has_room);
	tcase_add_test(t, every_single_character_changed_is_refused);
	tcase_add_test(
	    t, every_truncation_and_each_lost_or_doubled_character_is_refused);
	tcase_add_test(t, what_is_no_token_is_told_from_a_damaged_one);
	tcase_add_loop_test(t, a_token_without_what_it_needs_is_not_written, 0,
	    sizeof(wrong_ones) / sizeof(wrong_ones[0]));
	tcase_add_test(t, two_tokens_have_two_keys);
	tcase_add_test(t, without_locked_memory_there_is_no_token);
	tcase_add_test(t, a_proof_is_good_for_what_it_was_made_for);
	tcase_add_loop_test(t, a_proof_is_good_for_nothing_else, 0,
	    sizeof(parts) / sizeof(parts[0]));
	tcase_add_test(t, another_tokens_proof_is_refused);
	suite_add_tcase(s, t);
	return run_suite(s);
}
