/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <claviger/slip39.h>
#include "core.h"
#include "lib/slip39_impl.h"
#include "lib/words/slip39.h"

/* The vectors of the standard are slip39-vectors' part, another implementation
 * that of slip39-interop.sh. */

static const uint8_t secret[CLV_SLIP39_SECRET_MAX] = {0, 1, 2, 0xff, 0x80, 5, 6,
    7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
    27, 28, 29, 30, 31};

static struct clv_slip39_share *shares;
static size_t n;

static void
tear_down(void)
{
	clv_guard_put(guard, shares);
	shares = NULL;
	tear_down_guard();
}

static void
split(const struct clv_slip39_scheme *s, size_t len, const char *passphrase)
{
	clv_guard_put(guard, shares);
	shares = NULL;
	ck_assert_int_eq(
	    clv_slip39_split(guard, s, secret, len, passphrase, &shares, &n),
	    CLV_OK);
}

static struct clv_slip39_scheme
one_group(uint8_t k, uint8_t of)
{
	return (struct clv_slip39_scheme){.extendable = true,
	    .group_threshold = 1,
	    .groups = 1,
	    .group = {{k, of}}};
}

static struct clv_slip39_scheme
three_groups(void)
{
	return (struct clv_slip39_scheme){.group_threshold = 2,
	    .groups = 3,
	    .group = {{1, 1}, {2, 3}, {3, 5}}};
}

/* Of n shares those whose bits are set in which. */
static int
combine(uint32_t which, const char *passphrase, uint8_t *ret, size_t *ret_share)
{
	struct clv_slip39_share some[CLV_SLIP39_COUNT_MAX];
	size_t count = 0, len = 0;
	int r;

	for (size_t i = 0; i < n; i++) {
		if ((which >> i & 1) != 0)
			some[count++] = shares[i];
	}
	r = clv_slip39_combine(
	    guard, some, count, passphrase, ret, &len, ret_share);
	if (r == CLV_OK)
		ck_assert_uint_eq(len, shares[0].len);
	return r;
}

static void
expect_secret(uint32_t which)
{
	uint8_t got[CLV_SLIP39_SECRET_MAX];

	ck_assert_int_eq(combine(which, NULL, got, NULL), CLV_OK);
	ck_assert_mem_eq(got, secret, shares[0].len);
}

START_TEST(products_are_those_of_the_standard_of_aes)
{
	ck_assert_uint_eq(clv__gf256_mul(0x57, 0x83), 0xc1);
	ck_assert_uint_eq(clv__gf256_mul(0x57, 0x13), 0xfe);
	ck_assert_uint_eq(clv__gf256_mul(0x53, 0xca), 1);
	ck_assert_uint_eq(clv__gf256_inverse(0), 0);
	for (unsigned a = 0; a < 256; a++) {
		uint8_t x = (uint8_t)a;

		ck_assert_uint_eq(clv__gf256_mul(x, 1), x);
		ck_assert_uint_eq(clv__gf256_mul(0, x), 0);
		ck_assert_uint_eq(
		    clv__gf256_mul(x, clv__gf256_inverse(x)), a != 0);
		for (unsigned b = 0; b < 256; b++)
			ck_assert_uint_eq(clv__gf256_mul(x, (uint8_t)b),
			    clv__gf256_mul((uint8_t)b, x));
	}
}
END_TEST

START_TEST(every_word_is_found_and_put)
{
	char text[CLV__SLIP39_WORD_MAX];

	for (unsigned i = 0; i < CLV__SLIP39_WORDS; i++) {
		const char *word = clv__slip39_words[i];

		ck_assert_uint_eq(clv__slip39_word_find(word, strlen(word)), i);
		*clv__slip39_word_put(i, text) = '\0';
		ck_assert_str_eq(text, word);
		ck_assert_uint_eq(
		    clv__slip39_word_find(word, 3), CLV__SLIP39_WORDS);
	}
}
END_TEST

static const char *const no_words[] = {"", "a", "Academic", "academics",
    "academicacademic", "zebr", "zebras", "acid\t", "ac1d", " acid"};

START_TEST(what_is_no_word_is_not_found)
{
	ck_assert_uint_eq(
	    clv__slip39_word_find(no_words[_i], strlen(no_words[_i])),
	    CLV__SLIP39_WORDS);
}
END_TEST

START_TEST(any_three_of_five_give_the_secret_back)
{
	struct clv_slip39_scheme s = one_group(3, 5);

	for (size_t len = 16; len <= CLV_SLIP39_SECRET_MAX; len += 2) {
		split(&s, len, NULL);
		ck_assert_uint_eq(n, 5);
		for (uint32_t which = 0; which < 32; which++) {
			if (__builtin_popcount(which) == 3 &&
			    (len == 32 || which == 0x15))
				expect_secret(which);
		}
	}
}
END_TEST

START_TEST(every_threshold_works)
{
	for (uint8_t k = 1; k <= CLV_SLIP39_COUNT_MAX; k++) {
		struct clv_slip39_scheme s = one_group(k, k == 1 ? 1 : 16);

		split(&s, 32, NULL);
		expect_secret((1u << k) - 1);
		if (k > 1)
			expect_secret(((1u << k) - 1) << (16 - k));
	}
}
END_TEST

/* Shares 0; 1 to 3; 4 to 8. */
START_TEST(any_two_of_three_groups_give_the_secret_back)
{
	static const uint32_t enough[] = {
	    0x1 | 0x6, 0x1 | 0xa, 0x1 | 0x70, 0x1 | 0x1c0, 0xc | 0x150};
	struct clv_slip39_scheme s = three_groups();

	split(&s, 32, NULL);
	ck_assert_uint_eq(n, 9);
	for (size_t i = 0; i < sizeof(enough) / sizeof(enough[0]); i++)
		expect_secret(enough[i]);
}
END_TEST

START_TEST(the_order_of_shares_does_not_matter)
{
	struct clv_slip39_scheme s = three_groups();
	struct clv_slip39_share some[4];
	uint8_t got[CLV_SLIP39_SECRET_MAX];
	size_t len;

	split(&s, 16, NULL);
	some[0] = shares[7];
	some[1] = shares[0];
	some[2] = shares[8];
	some[3] = shares[4];
	ck_assert_int_eq(
	    clv_slip39_combine(guard, some, 4, "", got, &len, NULL), CLV_OK);
	ck_assert_mem_eq(got, secret, 16);
}
END_TEST

START_TEST(new_shares_of_the_same_secret_are_of_another_set)
{
	struct clv_slip39_scheme s = one_group(2, 2);
	struct clv_slip39_share mixed[3];
	uint8_t got[CLV_SLIP39_SECRET_MAX];
	size_t len, wrong;

	split(&s, 32, NULL);
	mixed[0] = shares[0];
	split(&s, 32, NULL);
	mixed[1] = shares[1];
	mixed[1].id = mixed[0].id ^ 1;
	ck_assert_int_eq(
	    clv_slip39_combine(guard, mixed, 2, NULL, got, &len, &wrong),
	    CLV_E_MIXED);
	ck_assert_uint_eq(wrong, 1);
	mixed[2] = mixed[1];
	mixed[2].member = 0;
	ck_assert_int_eq(
	    clv_slip39_combine(guard, mixed, 3, NULL, got, &len, &wrong),
	    CLV_E_MIXED);
	ck_assert_uint_eq(wrong, 0); /* the other two belong together */
}
END_TEST

static const uint32_t too_few_or_many[] = {0, 0x1, 0x2, 0x6, 0x70, 0x3, 0x33,
    0x1 | 0xe, 0x1 | 0xf0, 0x1 | 0x6 | 0x70, 0xe | 0x70};

START_TEST(too_few_and_too_many_shares_are_refused)
{
	struct clv_slip39_scheme s = three_groups();
	uint8_t got[CLV_SLIP39_SECRET_MAX];
	size_t wrong;

	split(&s, 16, NULL);
	ck_assert_int_eq(
	    combine(too_few_or_many[_i], NULL, got, &wrong), CLV_E_SHARES);
}
END_TEST

START_TEST(the_same_share_twice_is_named)
{
	struct clv_slip39_scheme s = one_group(3, 3);
	uint8_t got[CLV_SLIP39_SECRET_MAX];
	size_t wrong;

	split(&s, 32, NULL);
	shares[2].member = 0; /* also with another value */
	ck_assert_int_eq(combine(7, NULL, got, &wrong), CLV_E_DUPLICATE);
	ck_assert_uint_eq(wrong, 2);
}
END_TEST

START_TEST(every_field_that_differs_makes_another_set)
{
	struct clv_slip39_scheme s = one_group(3, 3);
	uint8_t got[CLV_SLIP39_SECRET_MAX];
	size_t wrong;

	for (int field = 0; field < 7; field++) {
		split(&s, 32, NULL);
		for (size_t i = 0; i < n; i++)
			shares[i].groups = shares[i].group_threshold = 2;
		switch (field) {
		case 0: shares[1].id ^= 0x4000; break;
		case 1: shares[1].extendable = false; break;
		case 2: shares[1].exponent = 1; break;
		case 3: shares[1].groups = 3; break;
		case 4: shares[1].group_threshold = 1; break;
		case 5: shares[1].threshold = 2; break;
		default: shares[1].len = 30;
		}
		ck_assert_int_eq(combine(7, NULL, got, &wrong), CLV_E_MIXED);
		ck_assert_uint_eq(wrong, 1);
	}
}
END_TEST

START_TEST(a_forged_value_is_found_by_the_digest)
{
	struct clv_slip39_scheme s = three_groups();
	uint8_t got[CLV_SLIP39_SECRET_MAX] = {1, 2, 3}, was[sizeof(got)];

	memcpy(was, got, sizeof(got));
	split(&s, 32, NULL);
	shares[5].value[31] ^= 1;
	ck_assert_int_eq(combine(0x71, NULL, got, NULL), CLV_E_DIGEST);
	shares[0].value[0] ^= 0x80; /* of the group, not of a member */
	ck_assert_int_eq(combine(0x7, NULL, got, NULL), CLV_E_DIGEST);
	ck_assert_mem_eq(got, was, sizeof(got));
}
END_TEST

/* Share i is wrong, of five where three are needed. */
START_TEST(the_wrong_share_of_more_than_needed_is_named)
{
	struct clv_slip39_scheme s = one_group(3, 5);
	bool wrong[5];
	size_t at;

	split(&s, 32, NULL);
	shares[_i].value[17] ^= 0x40;
	ck_assert_int_eq(clv_slip39_check(shares, 5, &at), CLV_E_SHARES);
	ck_assert_int_eq(clv_slip39_sort_out(guard, shares, 5, wrong), CLV_OK);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(wrong[i], i == _i);
	n = 3;
	expect_secret(7);
}
END_TEST

START_TEST(too_many_wrong_shares_are_not_sorted_out)
{
	struct clv_slip39_scheme s = one_group(3, 4);
	bool wrong[4];

	split(&s, 32, NULL);
	ck_assert_int_eq(
	    clv_slip39_sort_out(guard, shares, 3, wrong), CLV_E_INVALID);
	shares[0].value[0] ^= 1;
	shares[1].value[0] ^= 1;
	ck_assert_int_eq(
	    clv_slip39_sort_out(guard, shares, 4, wrong), CLV_E_DIGEST);
	shares[3].id ^= 1;
	ck_assert_int_eq(
	    clv_slip39_sort_out(guard, shares, 4, wrong), CLV_E_INVALID);
}
END_TEST

START_TEST(another_passphrase_gives_another_secret)
{
	struct clv_slip39_scheme s = one_group(2, 3);
	uint8_t got[CLV_SLIP39_SECRET_MAX];

	for (int i = 0; i < 2; i++) {
		s.extendable = i == 1;
		s.exponent = 1;
		split(&s, 32, "a passphrase");
		ck_assert_int_eq(combine(6, "a passphrase", got, NULL), CLV_OK);
		ck_assert_mem_eq(got, secret, 32);
		ck_assert_int_eq(combine(6, "A passphrase", got, NULL), CLV_OK);
		ck_assert_mem_ne(got, secret, 32);
		ck_assert_int_eq(combine(6, NULL, got, NULL), CLV_OK);
		ck_assert_mem_ne(got, secret, 32);
	}
}
END_TEST

START_TEST(a_passphrase_is_printable_ascii)
{
	static const char *const bad[] = {"\n", "a\x7f", "\xc3\xa4", "\x1f"};
	struct clv_slip39_scheme s = one_group(2, 2);
	uint8_t got[CLV_SLIP39_SECRET_MAX];

	split(&s, 16, " ~");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(combine(3, bad[i], got, NULL), CLV_E_INVALID);
		ck_assert_int_eq(clv_slip39_split(guard, &s, secret, 16, bad[i],
				     &shares, &n),
		    CLV_E_INVALID);
	}
}
END_TEST

static const struct {
	struct clv_slip39_scheme s;
	size_t len;
} bad_schemes[] = {
    {{.groups = 0, .group_threshold = 0}, 16},
    {{.groups = 1, .group_threshold = 0, .group = {{1, 1}}}, 16},
    {{.groups = 1, .group_threshold = 2, .group = {{1, 1}}}, 16},
    {{.groups = 17, .group_threshold = 1, .group = {{1, 1}}}, 16},
    {{.groups = 1, .group_threshold = 1, .group = {{0, 1}}}, 16},
    {{.groups = 1, .group_threshold = 1, .group = {{1, 2}}}, 16},
    {{.groups = 1, .group_threshold = 1, .group = {{3, 2}}}, 16},
    {{.groups = 1, .group_threshold = 1, .group = {{2, 17}}}, 16},
    {{.groups = 2, .group_threshold = 1, .group = {{2, 3}}}, 16},
    {{.groups = 1, .group_threshold = 1, .group = {{2, 3}}, .exponent = 16},
	16},
    {{.groups = 1, .group_threshold = 1, .group = {{2, 3}}}, 14},
    {{.groups = 1, .group_threshold = 1, .group = {{2, 3}}}, 17},
    {{.groups = 1, .group_threshold = 1, .group = {{2, 3}}}, 34},
    {{.groups = 1, .group_threshold = 1, .group = {{2, 3}}}, 272},
};

START_TEST(what_cannot_be_shared_is_refused)
{
	uint8_t much[272] = {0};

	ck_assert_int_eq(clv_slip39_split(guard, &bad_schemes[_i].s, much,
			     bad_schemes[_i].len, NULL, &shares, &n),
	    CLV_E_INVALID);
}
END_TEST

/* ---- text ---- */

static char text[CLV_SLIP39_TEXT_MAX];

static int
parse(const char *p, size_t len, size_t *ret_word)
{
	struct clv_slip39_share got, was;
	int r;

	memset(&got, 0x5a, sizeof(got));
	was = got;
	r = clv_slip39_parse(guard, p, len, &got, ret_word);
	if (r != CLV_OK)
		ck_assert_mem_eq(&got, &was, sizeof(got));
	return r;
}

START_TEST(every_field_comes_back_from_text)
{
	struct clv_slip39_share a, b;
	size_t word = 9;

	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	for (unsigned i = 0; i < 1000; i++) {
		a.id = randombytes_uniform(1 << 15);
		a.extendable = randombytes_uniform(2) == 1;
		a.exponent = (uint8_t)randombytes_uniform(16);
		a.groups = (uint8_t)(1 + randombytes_uniform(16));
		a.group = (uint8_t)randombytes_uniform(a.groups);
		a.group_threshold =
		    (uint8_t)(1 + randombytes_uniform(a.groups));
		a.member = (uint8_t)randombytes_uniform(16);
		a.threshold = (uint8_t)(1 + randombytes_uniform(16));
		a.len = (uint8_t)(16 + 2 * randombytes_uniform(9));
		memset(a.value, 0, sizeof(a.value));
		randombytes_buf(a.value, a.len);
		ck_assert_int_eq(clv_slip39_format(guard, &a, text), CLV_OK);
		ck_assert_int_eq(
		    clv_slip39_parse(guard, text, strlen(text), &b, &word),
		    CLV_OK);
		ck_assert_mem_eq(&a, &b, sizeof(a));
		ck_assert_uint_eq(word, 0);
	}
}
END_TEST

START_TEST(what_no_share_says_is_not_written)
{
	struct clv_slip39_scheme s = one_group(2, 2);

	split(&s, 16, NULL);
	shares[0].threshold = 0;
	shares[1].group = 1;
	ck_assert_int_eq(
	    clv_slip39_format(guard, &shares[0], text), CLV_E_INVALID);
	ck_assert_int_eq(
	    clv_slip39_format(guard, &shares[1], text), CLV_E_INVALID);
}
END_TEST

static void
make_text(size_t len)
{
	struct clv_slip39_scheme s = one_group(2, 3);

	split(&s, len, NULL);
	ck_assert_int_eq(clv_slip39_format(guard, &shares[1], text), CLV_OK);
}

/* A space in a word may make two words of it, a letter in place of a space one
 * of two; a letter changed may make another word. */
START_TEST(every_changed_byte_is_refused)
{
	size_t len, word;
	int r;

	make_text(_i == 0 ? 16 : 32);
	len = strlen(text);
	for (size_t i = 0; i < len; i++) {
		char was = text[i];

		for (int c = 0; c < 256; c++) {
			/* of the longer share every other value */
			if ((char)c == was || (_i == 1 && (c ^ was) % 2 != 0))
				continue;
			text[i] = (char)c;
			r = parse(text, len, &word);
			ck_assert_msg(r == CLV_E_WORD || r == CLV_E_CHECKSUM,
			    "byte %zu, %d: %s", i, c, clv_result_name(r));
			ck_assert_uint_ge(word, 1);
		}
		text[i] = was;
	}
	ck_assert_int_eq(parse(text, len, &word), CLV_OK);
}
END_TEST

START_TEST(every_truncation_is_refused)
{
	size_t words = 1, len;

	make_text(_i == 0 ? 16 : 32);
	len = strlen(text);
	for (size_t i = 0; i < len; i++) {
		int r = parse(text, i, NULL);

		words += i > 0 && text[i - 1] == ' ';
		if (text[i] != ' ')
			ck_assert_msg(r == CLV_E_WORD || r == CLV_E_TRUNCATED ||
					  r == CLV_E_CHECKSUM,
			    "%zu bytes: %s", i, clv_result_name(r));
		else if (words < CLV_SLIP39_WORDS_MIN)
			ck_assert_int_eq(r, CLV_E_TRUNCATED);
		else
			ck_assert(r == CLV_E_TRUNCATED || r == CLV_E_CHECKSUM);
	}
}
END_TEST

START_TEST(space_around_and_too_many_words_are_refused)
{
	char longer[4 * CLV_SLIP39_TEXT_MAX];
	size_t word;

	make_text(32);
	snprintf(longer, sizeof(longer), "%s ", text);
	ck_assert_int_eq(parse(longer, strlen(longer), &word), CLV_E_FORMAT);
	snprintf(longer, sizeof(longer), "%s acid", text);
	ck_assert_int_eq(parse(longer, strlen(longer), &word), CLV_E_FORMAT);
	snprintf(longer, sizeof(longer), " %s", text);
	ck_assert_int_eq(parse(longer, strlen(longer), &word), CLV_E_WORD);
	ck_assert_uint_eq(word, 1);
	snprintf(longer, sizeof(longer), "%s\n", text);
	ck_assert_int_eq(parse(longer, strlen(longer), &word), CLV_E_WORD);
	ck_assert_uint_eq(word, 33);
	ck_assert_int_eq(parse(text, 0, &word), CLV_E_WORD);
	ck_assert_uint_eq(word, 1);
}
END_TEST

static size_t
make_words(uint16_t *words)
{
	size_t count = 0;

	for (char *p = strtok(text, " "); p != NULL; p = strtok(NULL, " "))
		words[count++] = (uint16_t)clv__slip39_word_find(p, strlen(p));
	return count;
}

/* Also where the change is of the flag that says how the sum is made. */
START_TEST(every_changed_word_is_refused_and_found)
{
	uint16_t words[CLV_SLIP39_WORDS_MAX];
	size_t count;

	make_text(_i == 0 ? 16 : 32);
	count = make_words(words);
	ck_assert(clv__slip39_is_valid(words, count));
	for (size_t i = 0; i < count; i++) {
		uint16_t was = words[i];

		for (uint16_t w = 0; w < CLV__SLIP39_WORDS; w++) {
			words[i] = w;
			if (w == was)
				continue;
			ck_assert(!clv__slip39_is_valid(words, count));
			if (w % 16 == i % 16)
				ck_assert_uint_eq(
				    clv__slip39_locate(words, count), i + 1);
		}
		words[i] = was;
	}
}
END_TEST

START_TEST(two_changed_words_are_refused_and_none_is_named)
{
	uint16_t words[CLV_SLIP39_WORDS_MAX];
	size_t count, named = 0;

	make_text(32);
	count = make_words(words);
	for (size_t i = 0; i + 5 < count; i++) {
		words[i] ^= 1;
		words[i + 5] ^= 512;
		ck_assert(!clv__slip39_is_valid(words, count));
		named += clv__slip39_locate(words, count) != 0;
		words[i] ^= 1;
		words[i + 5] ^= 512;
	}
	ck_assert_uint_le(named, 1); /* by chance, one in 30000 */
}
END_TEST

static void
put_words(uint16_t *words, size_t count)
{
	char *end = text;

	clv__slip39_checksum(words, count);
	for (size_t i = 0; i < count; i++) {
		end = clv__slip39_word_put(words[i], end);
		*end++ = ' ';
	}
	end[-1] = '\0';
}

START_TEST(padding_must_be_zero)
{
	uint16_t words[CLV_SLIP39_WORDS_MAX];
	size_t count, word;

	make_text(32); /* four bits of padding */
	count = make_words(words);
	for (int bit = 6; bit < 10; bit++) {
		words[4] ^= (uint16_t)(1 << bit);
		put_words(words, count);
		ck_assert_int_eq(
		    parse(text, strlen(text), &word), CLV_E_FORMAT);
		words[4] ^= (uint16_t)(1 << bit);
	}
}
END_TEST

START_TEST(a_number_of_words_that_no_share_has_is_refused)
{
	uint16_t words[CLV_SLIP39_WORDS_MAX];

	for (size_t count = 4; count <= CLV_SLIP39_WORDS_MAX; count++) {
		bool right = count == 20 || count == 22 || count == 23 ||
			     count == 25 || count == 27 || count == 28 ||
			     count == 30 || count == 31 || count == 33;

		memset(words, 0, sizeof(words));
		put_words(words, count);
		ck_assert_int_eq(parse(text, strlen(text), NULL),
		    right ? CLV_OK : CLV_E_TRUNCATED);
	}
}
END_TEST

START_TEST(a_group_that_cannot_be_is_refused)
{
	uint16_t words[20] = {0};

	words[2] = 1 << 2; /* threshold 2 of 1 group */
	put_words(words, 20);
	ck_assert_int_eq(parse(text, strlen(text), NULL), CLV_E_FORMAT);
	words[2] = 1 << 6; /* the second of 1 group */
	put_words(words, 20);
	ck_assert_int_eq(parse(text, strlen(text), NULL), CLV_E_FORMAT);
}
END_TEST

/* ---- chance ---- */

#define SPLITS 4000
/* Chi-squared of 255 degrees of freedom: above it once in 10^9. */
#define CHI_MAX 410.0

static double
chi_squared(const unsigned *seen, double expected)
{
	double sum = 0;

	for (unsigned i = 0; i < 256; i++)
		sum += (seen[i] - expected) * (seen[i] - expected) / expected;
	return sum;
}

/* The highest coefficient: of y0, y1 .. y(k-1) at 0 .. k-1. */
static uint8_t
highest(uint8_t (*y)[CLV_SLIP39_SECRET_MAX], unsigned k, size_t at)
{
	uint8_t sum = 0;

	for (unsigned i = 0; i < k; i++) {
		uint8_t below = 1;

		for (unsigned j = 0; j < k; j++) {
			if (j != i)
				below = clv__gf256_mul(below, (uint8_t)(i ^ j));
		}
		sum ^= clv__gf256_mul(y[i][at], clv__gf256_inverse(below));
	}
	return sum;
}

/* Each share, and the coefficient that gave the secret away where it was never
 * zero (RUSTSEC-2024-0398), takes every value alike. */
START_TEST(shares_and_coefficients_are_uniform)
{
	unsigned seen[CLV_SLIP39_COUNT_MAX][256] = {{0}}, top[256] = {0};
	uint8_t y[CLV_SLIP39_COUNT_MAX][CLV_SLIP39_SECRET_MAX];
	unsigned k = (unsigned)_i, shown = 4;
	double expected = SPLITS * CLV_SLIP39_SECRET_MAX / 256.0;

	for (unsigned t = 0; t < SPLITS; t++) {
		ck_assert_int_eq(clv__slip39_split_secret(guard, k, shown,
				     secret, CLV_SLIP39_SECRET_MAX, y),
		    CLV_OK);
		for (size_t at = 0; at < CLV_SLIP39_SECRET_MAX; at++) {
			for (unsigned i = 0; i < shown; i++)
				seen[i][y[i][at]]++;
			top[highest(y, k, at)]++;
		}
	}
	for (unsigned i = 0; i < shown; i++)
		ck_assert_double_lt(chi_squared(seen[i], expected), CHI_MAX);
	ck_assert_double_lt(chi_squared(top, expected), CHI_MAX);
}
END_TEST

/* ---- room ---- */

/* However little room is left in guarded memory: refused, and nothing kept. */
START_TEST(a_full_arena_is_said_and_nothing_is_left)
{
	struct clv_slip39_scheme s = three_groups();
	struct clv_slip39_share *made = NULL, copy;
	uint8_t got[CLV_SLIP39_SECRET_MAX];
	size_t count, used, refused = 0;

	make_text(16);
	split(&s, 16, NULL);
	used = clv_guard_used(guard);
	for (size_t room = 0; room < 4096; room += 64) {
		void *p = clv_guard_get(guard, (1 << 18) - used - room - 64);
		int r;

		if (p == NULL)
			continue;
		made = NULL;
		r = clv_slip39_split(guard, &s, secret, 16, "", &made, &count);
		ck_assert(r == CLV_OK || r == CLV_E_FULL);
		refused += r == CLV_E_FULL;
		clv_guard_put(guard, made);
		r = combine(0x7, NULL, got, NULL);
		ck_assert(r == CLV_OK || r == CLV_E_FULL);
		refused += r == CLV_E_FULL;
		r = clv_slip39_parse(guard, text, strlen(text), &copy, NULL);
		ck_assert(r == CLV_OK || r == CLV_E_FULL);
		r = clv_slip39_format(guard, &shares[0], text);
		ck_assert(r == CLV_OK || r == CLV_E_FULL);
		clv_guard_put(guard, p);
		ck_assert_uint_eq(clv_guard_used(guard), used);
	}
	ck_assert_uint_gt(refused, 10);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("slip39");
	TCase *t = tcase_create("sharing");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, set_up_guard, tear_down);
	tcase_add_test(t, products_are_those_of_the_standard_of_aes);
	tcase_add_test(t, any_three_of_five_give_the_secret_back);
	tcase_add_test(t, every_threshold_works);
	tcase_add_test(t, any_two_of_three_groups_give_the_secret_back);
	tcase_add_test(t, the_order_of_shares_does_not_matter);
	tcase_add_test(t, new_shares_of_the_same_secret_are_of_another_set);
	tcase_add_loop_test(t, too_few_and_too_many_shares_are_refused, 0,
	    sizeof(too_few_or_many) / sizeof(too_few_or_many[0]));
	tcase_add_test(t, the_same_share_twice_is_named);
	tcase_add_test(t, every_field_that_differs_makes_another_set);
	tcase_add_test(t, a_forged_value_is_found_by_the_digest);
	tcase_add_loop_test(
	    t, the_wrong_share_of_more_than_needed_is_named, 0, 5);
	tcase_add_test(t, too_many_wrong_shares_are_not_sorted_out);
	tcase_add_test(t, another_passphrase_gives_another_secret);
	tcase_add_test(t, a_passphrase_is_printable_ascii);
	tcase_add_loop_test(t, what_cannot_be_shared_is_refused, 0,
	    sizeof(bad_schemes) / sizeof(bad_schemes[0]));
	tcase_add_loop_test(t, shares_and_coefficients_are_uniform, 2, 5);
	tcase_add_test(t, a_full_arena_is_said_and_nothing_is_left);
	t = tcase_create("words");
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, set_up_guard, tear_down);
	tcase_add_test(t, every_word_is_found_and_put);
	tcase_add_loop_test(t, what_is_no_word_is_not_found, 0,
	    sizeof(no_words) / sizeof(no_words[0]));
	tcase_add_test(t, every_field_comes_back_from_text);
	tcase_add_test(t, what_no_share_says_is_not_written);
	tcase_add_loop_test(t, every_changed_byte_is_refused, 0, 2);
	tcase_add_loop_test(t, every_truncation_is_refused, 0, 2);
	tcase_add_test(t, space_around_and_too_many_words_are_refused);
	tcase_add_loop_test(t, every_changed_word_is_refused_and_found, 0, 2);
	tcase_add_test(t, two_changed_words_are_refused_and_none_is_named);
	tcase_add_test(t, padding_must_be_zero);
	tcase_add_test(t, a_number_of_words_that_no_share_has_is_refused);
	tcase_add_test(t, a_group_that_cannot_be_is_refused);
	return s;
}

int
main(void)
{
	return run_suite(make_suite());
}
