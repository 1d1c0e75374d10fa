/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <claviger/succession.h>
#include "core.h"

/*
 * Three keys of one system, in a row: what hosts that pin any of them make of
 * true chains and of those that somebody has made up.
 */
#define KEYS 4

static struct clv_keyring *keyring; /* signs by the last key */
static uint8_t key[KEYS][CLV_SIGN_PK_LEN];
static struct clv_succession chain[CLV_SUCCESSIONS_MAX + 1];
static struct clv_list *list;
static struct clv_buf out;

/* The next key, with a generation of its own; then it signs. */
static void
hand_over(struct clv_succession *ret)
{
	uint32_t number;

	ck_assert_int_eq(clv_keyring_add(keyring, &number), CLV_OK);
	clv_keyring_add_next(keyring);
	ck_assert_int_eq(clv_succession_make(keyring, 77, ret), CLV_OK);
	ck_assert_int_eq(clv_keyring_follow(keyring, ret->new_pk), CLV_OK);
}

static void
set_up(void)
{
	set_up_guard();
	keyring = new_keyring();
	memcpy(key[0], clv_keyring_sign_pk(keyring), CLV_SIGN_PK_LEN);
	for (int i = 0; i < KEYS - 1; i++) {
		hand_over(&chain[i]);
		memcpy(key[i + 1], chain[i].new_pk, CLV_SIGN_PK_LEN);
	}
	list = new_list(keyring);
	for (int i = 0; i < KEYS - 1; i++)
		*clv_list_add_succession(list) = chain[i];
	clv_buf_init(&out);
}

static void
tear_down(void)
{
	clv_buf_fini(&out);
	clv_list_free(&list);
	clv_keyring_free(&keyring);
	tear_down_guard();
}

static int
follow(const struct clv_succession *s, size_t n, const uint8_t *from,
    uint8_t ret[static CLV_SIGN_PK_LEN])
{
	memset(ret, 0, CLV_SIGN_PK_LEN);
	return clv_chain_follow(
	    s, n, clv_keyring_system_id(keyring), from, ret);
}

START_TEST(next_key_signs_when_it_is_followed)
{
	uint8_t next[CLV_SIGN_PK_LEN], before[CLV_SIGN_PK_LEN];
	uint8_t unused[CLV_SIGN_PK_LEN];

	memcpy(before, clv_keyring_sign_pk(keyring), sizeof(before));
	ck_assert_ptr_null(clv_keyring_next_pk(keyring));
	clv_keyring_add_next(keyring);
	memcpy(unused, clv_keyring_next_pk(keyring), sizeof(unused));
	clv_keyring_add_next(keyring);
	memcpy(next, clv_keyring_next_pk(keyring), sizeof(next));
	ck_assert_mem_ne(next, unused, sizeof(next));
	ck_assert_mem_ne(next, before, sizeof(next));
	ck_assert_int_eq(
	    clv_keyring_follow(keyring, unused), CLV_E_WRONG_SYSTEM);
	ck_assert_int_eq(clv_keyring_follow(keyring, before), CLV_OK);
	ck_assert_int_eq(
	    clv_keyring_follow(keyring, key[0]), CLV_E_WRONG_SYSTEM);
	ck_assert_mem_eq(clv_keyring_sign_pk(keyring), before, sizeof(before));
	ck_assert_int_eq(clv_keyring_follow(keyring, next), CLV_OK);
	ck_assert_mem_eq(clv_keyring_sign_pk(keyring), next, sizeof(next));
	ck_assert_ptr_null(clv_keyring_next_pk(keyring));
	ck_assert_int_eq(
	    clv_keyring_follow(keyring, before), CLV_E_WRONG_SYSTEM);
}
END_TEST

START_TEST(next_key_survives_the_text_and_signs_there)
{
	struct clv_keyring *back = NULL;
	uint8_t sig[CLV_SIG_LEN], next[CLV_SIGN_PK_LEN];
	char *text = NULL;
	size_t len;

	clv_keyring_add_next(keyring);
	memcpy(next, clv_keyring_next_pk(keyring), sizeof(next));
	ck_assert_int_eq(clv_keyring_format(keyring, &text, &len), CLV_OK);
	ck_assert_int_eq(strncmp(text, "claviger-keyring 2\n", 19), 0);
	ck_assert_int_eq(clv_keyring_parse(guard, text, len, &back), CLV_OK);
	ck_assert_mem_eq(clv_keyring_next_pk(back), next, sizeof(next));
	ck_assert_int_eq(clv_keyring_follow(back, next), CLV_OK);
	ck_assert_int_eq(
	    clv_keyring_sign(back, "0123456789abcdef", "x", 1, sig), CLV_OK);
	ck_assert_int_eq(
	    clv_verify(next, "0123456789abcdef", "x", 1, sig), CLV_OK);
	/* The version says whether the line is there. */
	clv_keyring_free(&back);
	text[17] = '1';
	ck_assert_int_eq(
	    clv_keyring_parse(guard, text, len, &back), CLV_E_FORMAT);
	clv_guard_put(guard, text);
	ck_assert_int_eq(clv_keyring_follow(keyring, next), CLV_OK);
	ck_assert_int_eq(clv_keyring_format(keyring, &text, &len), CLV_OK);
	ck_assert_int_eq(strncmp(text, "claviger-keyring 1\n", 19), 0);
	text[17] = '2';
	ck_assert_int_eq(
	    clv_keyring_parse(guard, text, len, &back), CLV_E_FORMAT);
	clv_guard_put(guard, text);
}
END_TEST

START_TEST(there_is_no_succession_without_a_next_key)
{
	struct clv_succession s;

	ck_assert_int_eq(clv_succession_make(keyring, 1, &s), CLV_E_NOT_FOUND);
}
END_TEST

START_TEST(whoever_pins_any_key_of_the_chain_finds_the_last_one)
{
	uint8_t ret[CLV_SIGN_PK_LEN];

	for (int i = 0; i < KEYS; i++) {
		ck_assert_int_eq(follow(chain, KEYS - 1, key[i], ret), CLV_OK);
		ck_assert_mem_eq(ret, key[KEYS - 1], sizeof(ret));
	}
	ck_assert_int_eq(follow(chain, 2, key[0], ret), CLV_OK);
	ck_assert_mem_eq(ret, key[2], sizeof(ret)); /* one was cut off */
	ck_assert_int_eq(follow(chain + 1, 2, key[0], ret), CLV_OK);
	ck_assert_mem_eq(ret, key[0], sizeof(ret)); /* forgotten there */
}
END_TEST

START_TEST(old_succession_leads_nobody_back)
{
	uint8_t ret[CLV_SIGN_PK_LEN];

	ck_assert_int_eq(follow(chain, 1, key[2], ret), CLV_OK);
	ck_assert_mem_eq(ret, key[2], sizeof(ret));
	ck_assert_int_eq(follow(chain, 2, key[3], ret), CLV_OK);
	ck_assert_mem_eq(ret, key[3], sizeof(ret));
}
END_TEST

START_TEST(statements_in_another_order_are_no_chain)
{
	struct clv_succession s[3] = {chain[1], chain[0], chain[2]};
	uint8_t ret[CLV_SIGN_PK_LEN];

	ck_assert_int_eq(follow(s, 3, key[0], ret), CLV_E_FORMAT);
	s[0] = chain[0];
	s[1] = chain[2];
	ck_assert_int_eq(follow(s, 2, key[0], ret), CLV_E_FORMAT);
	s[1] = chain[0]; /* twice */
	ck_assert_int_eq(follow(s, 2, key[0], ret), CLV_E_FORMAT);
	ck_assert(sodium_is_zero(ret, sizeof(ret)));
}
END_TEST

/* Whoever holds an old key, and wants to come back by it. */
START_TEST(no_key_comes_back)
{
	struct clv_succession s[2] = {chain[0], chain[1]};
	uint8_t ret[CLV_SIGN_PK_LEN];

	memcpy(s[1].new_pk, key[0], sizeof(key[0]));
	ck_assert_int_eq(follow(s, 2, key[0], ret), CLV_E_FORMAT);
	s[1] = chain[1];
	s[1].generation = s[0].generation;
	ck_assert_int_eq(follow(s, 2, key[0], ret), CLV_E_FORMAT);
	s[0].generation = 0;
	ck_assert_int_eq(follow(s, 1, key[0], ret), CLV_E_FORMAT);
}
END_TEST

START_TEST(every_changed_byte_of_a_statement_is_found)
{
	struct clv_succession s[CLV_SUCCESSIONS_MAX];
	uint8_t ret[CLV_SIGN_PK_LEN];
	struct clv_rd rd;
	size_t n;
	int r;

	clv_chain_format(chain, 1, &out);
	ck_assert_uint_eq(out.len, 4 + CLV_SUCCESSION_LEN);
	for (size_t i = 0; i < out.len; i++) {
		out.data[i] ^= 1;
		clv_rd_init(&rd, out.data, out.len);
		clv_chain_get(&rd, s, &n);
		if (clv_rd_end(&rd) == CLV_OK) {
			r = follow(s, n, key[0], ret);
			/* with another old key it is about that one alone */
			ck_assert(r == CLV_E_SIGNATURE ||
				  memcmp(ret, key[0], sizeof(ret)) == 0);
		}
		out.data[i] ^= 1;
	}
}
END_TEST

START_TEST(every_truncation_is_refused)
{
	struct clv_succession s[CLV_SUCCESSIONS_MAX];
	struct clv_rd rd;
	size_t n;

	clv_chain_format(chain, KEYS - 1, &out);
	for (size_t i = 0; i < out.len; i++) {
		clv_rd_init(&rd, out.data, i);
		clv_chain_get(&rd, s, &n);
		ck_assert_uint_eq(n, 0);
		ck_assert_int_eq(clv_rd_end(&rd), CLV_E_FORMAT);
	}
	out.data[3] = CLV_SUCCESSIONS_MAX + 1;
	clv_rd_init(&rd, out.data, out.len);
	clv_chain_get(&rd, s, &n);
	ck_assert(rd.failed);
}
END_TEST

/* The key that hands over, and the one that takes over, must both mean it. */
START_TEST(one_signature_is_not_enough)
{
	struct clv_succession s = chain[0];
	uint8_t ret[CLV_SIGN_PK_LEN];

	memcpy(s.by_old, s.by_new, sizeof(s.by_old));
	ck_assert_int_eq(follow(&s, 1, key[0], ret), CLV_E_SIGNATURE);
	s = chain[0];
	memcpy(s.by_new, s.by_old, sizeof(s.by_new));
	ck_assert_int_eq(follow(&s, 1, key[0], ret), CLV_E_SIGNATURE);
}
END_TEST

START_TEST(statement_of_another_system_is_refused)
{
	uint8_t id[CLV_SYSTEM_ID_LEN], ret[CLV_SIGN_PK_LEN];

	memcpy(id, clv_keyring_system_id(keyring), sizeof(id));
	id[0] ^= 1;
	ck_assert_int_eq(
	    clv_chain_follow(chain, 1, id, key[0], ret), CLV_E_SIGNATURE);
}
END_TEST

/* The signed list. */

static int
open_as(const uint8_t *pin, struct clv_list **ret)
{
	return clv_list_open(out.data, out.len, pin, ret);
}

static int
sign(void)
{
	clv_buf_reset(&out);
	return clv_list_sign(list, keyring, &out);
}

START_TEST(list_opens_under_every_key_that_led_to_its_own)
{
	struct clv_list *l = NULL;

	ck_assert_int_eq(sign(), CLV_OK);
	ck_assert_uint_eq(out.data[1], 1 + 16);
	for (int i = 0; i < KEYS; i++) {
		ck_assert_int_eq(open_as(key[i], &l), CLV_OK);
		ck_assert_mem_eq(l->sign_pk, key[KEYS - 1], 32);
		ck_assert_uint_eq(l->succession_count, KEYS - 1);
		ck_assert_mem_eq(
		    l->successions, chain, (KEYS - 1) * sizeof(*chain));
		ck_assert_mem_eq(clv_list_former_pk(l), key[KEYS - 2], 32);
		ck_assert_ptr_null(clv_list_next_key(l));
		clv_list_free(&l);
	}
	memset(key[0], 5, sizeof(key[0]));
	ck_assert_int_eq(open_as(key[0], &l), CLV_E_SIGNATURE);
}
END_TEST

START_TEST(announced_key_does_not_sign_yet)
{
	struct clv_succession *next = clv_list_add_succession(list);
	struct clv_list *l = NULL, *copy = NULL;
	uint32_t number;

	ck_assert_int_eq(clv_keyring_add(keyring, &number), CLV_OK);
	clv_keyring_add_next(keyring);
	ck_assert_int_eq(clv_succession_make(keyring, 5, next), CLV_OK);
	ck_assert_int_eq(sign(), CLV_E_INVALID); /* it is not in force */
	list->has_next_key = true;
	ck_assert_int_eq(sign(), CLV_OK);
	ck_assert_int_eq(open_as(key[0], &l), CLV_OK);
	ck_assert_mem_eq(l->sign_pk, key[KEYS - 1], 32);
	ck_assert_uint_eq(clv_list_next_key(l)->generation, number);
	ck_assert_mem_eq(clv_list_former_pk(l), key[KEYS - 2], 32);
	ck_assert_int_eq(clv_list_copy(l, &copy), CLV_OK);
	ck_assert_mem_eq(
	    clv_list_next_key(copy)->new_pk, clv_keyring_next_pk(keyring), 32);
	ck_assert_int_eq(clv_keyring_follow(keyring, next->new_pk), CLV_OK);
	ck_assert_int_eq(sign(), CLV_E_INVALID);
	list->has_next_key = false;
	ck_assert_int_eq(sign(), CLV_OK);
	clv_list_free(&copy);
	clv_list_free(&l);
}
END_TEST

/* A list that an old key has signed, with a true chain or a shorter one, or
 * none: whoever has followed does not go back. */
START_TEST(old_key_signs_for_nobody_who_has_followed)
{
	struct clv_keyring *old = new_keyring();
	struct clv_succession s;
	struct clv_list *mine = new_list(old), *l = NULL;
	uint8_t first[CLV_SIGN_PK_LEN], mark[CLV_SIGN_PK_LEN];
	uint32_t number;

	memcpy(first, clv_keyring_sign_pk(old), sizeof(first));
	ck_assert_int_eq(clv_list_sign(mine, old, &out), CLV_OK);
	ck_assert_int_eq(clv_keyring_add(old, &number), CLV_OK);
	clv_keyring_add_next(old);
	ck_assert_int_eq(clv_succession_make(old, 1, &s), CLV_OK);
	memcpy(mark, s.new_pk, sizeof(mark));
	ck_assert_int_eq(open_as(first, &l), CLV_OK);
	clv_list_free(&l);
	ck_assert_int_eq(open_as(mark, &l), CLV_E_SIGNATURE);
	/* the chain is in it, and the old key signs all the same */
	*clv_list_add_succession(mine) = s;
	clv_buf_reset(&out);
	ck_assert_int_eq(clv_list_sign(mine, old, &out), CLV_E_INVALID);
	mine->has_next_key = true;
	ck_assert_int_eq(clv_list_sign(mine, old, &out), CLV_OK);
	ck_assert_int_eq(open_as(mark, &l), CLV_E_SIGNATURE);
	out.data[18] = 0; /* "it is in force" */
	ck_assert_int_eq(
	    clv_keyring_sign(old, "claviger-list-01", out.data,
		out.len - CLV_SIG_LEN, out.data + out.len - CLV_SIG_LEN),
	    CLV_OK);
	ck_assert_int_eq(open_as(first, &l), CLV_E_SIGNATURE);
	ck_assert_int_eq(open_as(mark, &l), CLV_E_SIGNATURE);
	clv_list_free(&mine);
	clv_keyring_free(&old);
}
END_TEST

START_TEST(every_changed_byte_of_the_list_is_found)
{
	struct clv_list *l = NULL;

	ck_assert_int_eq(sign(), CLV_OK);
	for (size_t i = 0; i < out.len; i++) {
		out.data[i] ^= 1;
		for (int j = 0; j < KEYS; j += KEYS - 1)
			ck_assert_int_ne(open_as(key[j], &l), CLV_OK);
		out.data[i] ^= 1;
	}
}
END_TEST

static void
forget_first(void)
{
	list->succession_count--;
	memmove(list->successions, list->successions + 1,
	    list->succession_count * sizeof(*list->successions));
}

START_TEST(empty_chain_and_one_too_many_are_refused)
{
	struct clv_list *l = NULL;
	size_t len;

	list->succession_count = 0;
	list->has_next_key = true;
	ck_assert_int_eq(sign(), CLV_E_INVALID);
	list->has_next_key = false;
	list->succession_count = KEYS - 1;
	while (clv_list_add_succession(list) != NULL)
		;
	ck_assert_uint_eq(list->succession_count, CLV_SUCCESSIONS_MAX);
	list->succession_count = KEYS - 1;
	forget_first();
	ck_assert_uint_eq(list->succession_count, KEYS - 2);
	ck_assert_int_eq(sign(), CLV_OK);
	ck_assert_int_eq(open_as(key[0], &l), CLV_E_SIGNATURE);
	ck_assert_int_eq(open_as(key[1], &l), CLV_OK);
	clv_list_free(&l);
	/* none of them, by the format that has them */
	len = out.len - CLV_SIG_LEN;
	memset(out.data + 19, 0, 4);
	memmove(out.data + 23, out.data + 23 + 2 * CLV_SUCCESSION_LEN,
	    len - 23 - 2 * CLV_SUCCESSION_LEN);
	len -= 2 * CLV_SUCCESSION_LEN;
	ck_assert_int_eq(clv_keyring_sign(keyring, "claviger-list-01", out.data,
			     len, out.data + len),
	    CLV_OK);
	ck_assert_int_eq(clv_list_open(out.data, len + CLV_SIG_LEN, key[3], &l),
	    CLV_E_FORMAT);
}
END_TEST

START_TEST(certificate_of_the_key_before_opens_by_its_name_alone)
{
	static const uint8_t cert[4] = {1, 2, 3, 4}, sk[3] = {5, 6, 7};
	struct clv_succession s;
	struct clv_buf got = {0};
	uint8_t *p = NULL;
	size_t len;

	ck_assert_int_eq(clv_tls_row_seal(guard, keyring, 1, cert, sizeof(cert),
			     sk, sizeof(sk), &out),
	    CLV_OK);
	hand_over(&s);
	ck_assert_int_eq(
	    clv_tls_row_open(guard, keyring, out.data, out.len, &got, &p, &len),
	    CLV_E_SIGNATURE);
	ck_assert_int_eq(clv_tls_row_open_by(guard, keyring, key[0], out.data,
			     out.len, &got, &p, &len),
	    CLV_E_SIGNATURE);
	ck_assert_int_eq(clv_tls_row_open_by(guard, keyring, s.old_pk, out.data,
			     out.len, &got, &p, &len),
	    CLV_OK);
	ck_assert_mem_eq(p, sk, sizeof(sk));
	clv_guard_put(guard, p);
	clv_buf_fini(&got);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("succession");
	TCase *t = tcase_create("the_chain"), *l = tcase_create("the_list");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_checked_fixture(l, set_up, tear_down);
	tcase_add_test(t, next_key_signs_when_it_is_followed);
	tcase_add_test(t, next_key_survives_the_text_and_signs_there);
	tcase_add_test(t, there_is_no_succession_without_a_next_key);
	tcase_add_test(t, whoever_pins_any_key_of_the_chain_finds_the_last_one);
	tcase_add_test(t, old_succession_leads_nobody_back);
	tcase_add_test(t, statements_in_another_order_are_no_chain);
	tcase_add_test(t, no_key_comes_back);
	tcase_add_test(t, every_changed_byte_of_a_statement_is_found);
	tcase_add_test(t, every_truncation_is_refused);
	tcase_add_test(t, one_signature_is_not_enough);
	tcase_add_test(t, statement_of_another_system_is_refused);
	tcase_add_test(l, list_opens_under_every_key_that_led_to_its_own);
	tcase_add_test(l, announced_key_does_not_sign_yet);
	tcase_add_test(l, old_key_signs_for_nobody_who_has_followed);
	tcase_add_test(l, every_changed_byte_of_the_list_is_found);
	tcase_add_test(l, empty_chain_and_one_too_many_are_refused);
	tcase_add_test(
	    l, certificate_of_the_key_before_opens_by_its_name_alone);
	suite_add_tcase(s, t);
	suite_add_tcase(s, l);
	return run_suite(s);
}
