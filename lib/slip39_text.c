/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <sodium.h>
#include <claviger/result.h>
#include "lib/slip39_impl.h"
#include "lib/words/slip39.h"

#define WORD_BITS 10
#define WORD_MASK 0x3ffu
#define FIELD_WORDS 4 /* all but the value and the checksum */
#define META_WORDS (FIELD_WORDS + CLV__SLIP39_CHECKSUM_WORDS)
#define PADDING_MAX 8
#define EXTENDABLE_WORD 1
#define EXTENDABLE_BIT 0x10u

/* ---- checksum: a Reed-Solomon code over GF(1024) ---- */

static uint32_t
step(uint32_t sum, uint16_t value)
{
	static const uint32_t generator[10] = {0xe0e040, 0x1c1c080, 0x3838100,
	    0x7070200, 0xe0e0009, 0x1c0c2412, 0x38086c24, 0x3090fc48,
	    0x21b1f890, 0x3f3f120};
	uint32_t top = sum >> 20;

	sum = ((sum & 0xfffff) << 10) ^ value;
	for (int i = 0; i < 10; i++)
		sum ^= generator[i] & (0u - ((top >> i) & 1));
	return sum;
}

static bool
is_extendable(const uint16_t *words)
{
	return (words[EXTENDABLE_WORD] & EXTENDABLE_BIT) != 0;
}

static uint32_t
checksum(bool extendable, const uint16_t *words, size_t n)
{
	const char *p = extendable ? "shamir_extendable" : "shamir";
	uint32_t sum = 1;

	for (; *p != '\0'; p++)
		sum = step(sum, (uint8_t)*p);
	for (size_t i = 0; i < n; i++)
		sum = step(sum, words[i]);
	return sum;
}

void
clv__slip39_checksum(uint16_t *words, size_t n)
{
	uint16_t *last = words + n - CLV__SLIP39_CHECKSUM_WORDS;
	uint32_t sum;

	memset(last, 0, CLV__SLIP39_CHECKSUM_WORDS * sizeof(*last));
	sum = checksum(is_extendable(words), words, n) ^ 1;
	for (int i = 0; i < CLV__SLIP39_CHECKSUM_WORDS; i++)
		last[i] = (sum >> (WORD_BITS * (2 - i))) & WORD_MASK;
}

bool
clv__slip39_is_valid(const uint16_t *words, size_t n)
{
	return checksum(is_extendable(words), words, n) == 1;
}

/* What is wrong by e in the k-th word from the end (from 0) is wrong by e x^k
 * in the sum; and x^1023 = 1, as each root of the generator is an element of
 * GF(1024). So x^-k of the error of the sum is tried for each k. A wrong word
 * may say the wrong thing of the extendable flag: then it is the other sum. */
size_t
clv__slip39_locate(const uint16_t *words, size_t n)
{
	bool extendable = is_extendable(words);
	uint32_t error = checksum(extendable, words, n) ^ 1;
	uint32_t other = checksum(!extendable, words, n) ^ 1;
	size_t at = 0;

	for (size_t power = 1; power <= 1023; power++) {
		size_t k = 1023 - power, i = n - 1 - k;
		bool has_flag = i == EXTENDABLE_WORD;

		error = step(error, 0);
		other = step(other, 0);
		if (k >= n)
			continue;
		if (error <= WORD_MASK &&
		    !(has_flag && (error & EXTENDABLE_BIT) != 0))
			at = i + 1;
		if (has_flag && other <= WORD_MASK &&
		    (other & EXTENDABLE_BIT) != 0)
			at = i + 1;
	}
	return at;
}

/* ---- fields and value as words ---- */

static size_t
padding_of(size_t words)
{
	return (words - META_WORDS) * WORD_BITS % 16;
}

/* How many words stand for a value of so many bytes. */
static size_t
words_of(size_t len)
{
	return (len * 8 + WORD_BITS - 1) / WORD_BITS + META_WORDS;
}

/* 0 when no share has so many words. */
static size_t
len_of(size_t words)
{
	size_t padding;

	if (words < CLV_SLIP39_WORDS_MIN || words > CLV_SLIP39_WORDS_MAX)
		return 0;
	padding = padding_of(words);
	if (padding > PADDING_MAX)
		return 0;
	return ((words - META_WORDS) * WORD_BITS - padding) / 8;
}

static void
pack(const struct clv_slip39_share *s, uint16_t *words, size_t n)
{
	uint64_t fields =
	    (uint64_t)s->id << 25 | (uint64_t)s->extendable << 24 |
	    (uint64_t)s->exponent << 20 | s->group << 16 |
	    (s->group_threshold - 1u) << 12 | (s->groups - 1u) << 8 |
	    s->member << 4 | (s->threshold - 1u);
	size_t at = FIELD_WORDS, bits = padding_of(n);
	uint32_t left = 0;

	for (int i = 0; i < FIELD_WORDS; i++)
		words[i] = (fields >> (WORD_BITS * (3 - i))) & WORD_MASK;
	for (size_t i = 0; i < s->len; i++) {
		left = left << 8 | s->value[i];
		bits += 8;
		if (bits >= WORD_BITS) {
			bits -= WORD_BITS;
			words[at++] = (left >> bits) & WORD_MASK;
		}
	}
	clv__slip39_checksum(words, n);
}

static void
unpack_fields(const uint16_t *words, struct clv_slip39_share *ret)
{
	uint64_t fields = 0;

	for (int i = 0; i < FIELD_WORDS; i++)
		fields = fields << WORD_BITS | words[i];
	ret->id = (uint16_t)(fields >> 25);
	ret->extendable = (fields >> 24 & 1) != 0;
	ret->exponent = fields >> 20 & 15;
	ret->group = fields >> 16 & 15;
	ret->group_threshold = (fields >> 12 & 15) + 1;
	ret->groups = (fields >> 8 & 15) + 1;
	ret->member = fields >> 4 & 15;
	ret->threshold = (fields & 15) + 1;
}

/* False when the padding is not zero. */
static bool
unpack_value(const uint16_t *words, size_t n, struct clv_slip39_share *ret)
{
	size_t padding = padding_of(n), bits = WORD_BITS - padding;
	uint32_t left = words[FIELD_WORDS];
	size_t at = FIELD_WORDS + 1;

	if (left >> bits != 0)
		return false;
	ret->len = (uint8_t)len_of(n);
	for (size_t i = 0; i < ret->len; i++) {
		if (bits < 8) {
			left = left << WORD_BITS | words[at++];
			bits += WORD_BITS;
		}
		bits -= 8;
		ret->value[i] = (uint8_t)(left >> bits);
	}
	return true;
}

bool
clv__slip39_is_sound(const struct clv_slip39_share *s)
{
	return s->id < 1u << 15 && s->exponent <= CLV_SLIP39_EXPONENT_MAX &&
	       s->groups >= 1 && s->groups <= CLV_SLIP39_COUNT_MAX &&
	       s->group < s->groups && s->group_threshold >= 1 &&
	       s->group_threshold <= s->groups &&
	       s->member < CLV_SLIP39_COUNT_MAX && s->threshold >= 1 &&
	       s->threshold <= CLV_SLIP39_COUNT_MAX &&
	       s->len >= CLV_SLIP39_SECRET_MIN &&
	       s->len <= CLV_SLIP39_SECRET_MAX && s->len % 2 == 0;
}

int
clv_slip39_format(struct clv_guard *guard, const struct clv_slip39_share *share,
    char ret_text[static CLV_SLIP39_TEXT_MAX])
{
	size_t n = words_of(share->len);
	uint16_t *words;
	char *end = ret_text;

	if (!clv__slip39_is_sound(share))
		return CLV_E_INVALID;
	words = clv_guard_get(guard, n * sizeof(*words));
	if (words == NULL)
		return CLV_E_FULL;
	pack(share, words, n);
	for (size_t i = 0; i < n; i++) {
		end = clv__slip39_word_put(words[i], end);
		*end++ = ' ';
	}
	end[-1] = '\0';
	clv_guard_put(guard, words);
	return CLV_OK;
}

/* All words, or the number of the one that is none in *ret_word. */
static int
find_words(const char *text, size_t len, uint16_t *words, size_t *ret_n,
    size_t *ret_word)
{
	const char *end = text + len;
	size_t n = 0;

	for (;;) {
		const char *space = memchr(text, ' ', (size_t)(end - text));
		const char *stop = space == NULL ? end : space;
		unsigned w = clv__slip39_word_find(text, (size_t)(stop - text));

		if (n == CLV_SLIP39_WORDS_MAX)
			return CLV_E_FORMAT;
		*ret_word = n + 1;
		if (w == CLV__SLIP39_WORDS)
			return CLV_E_WORD;
		words[n++] = (uint16_t)w;
		if (space == NULL)
			break;
		text = space + 1;
	}
	*ret_n = n;
	*ret_word = 0;
	return CLV_OK;
}

static int
unpack(const uint16_t *words, size_t n, struct clv_slip39_share *ret,
    size_t *ret_word)
{
	if (len_of(n) == 0)
		return CLV_E_TRUNCATED;
	if (!clv__slip39_is_valid(words, n)) {
		*ret_word = clv__slip39_locate(words, n);
		return CLV_E_CHECKSUM;
	}
	unpack_fields(words, ret);
	return unpack_value(words, n, ret) && clv__slip39_is_sound(ret)
		   ? CLV_OK
		   : CLV_E_FORMAT;
}

int
clv_slip39_parse(struct clv_guard *guard, const char *text, size_t len,
    struct clv_slip39_share *ret, size_t *ret_word)
{
	struct parsed {
		struct clv_slip39_share share;
		uint16_t words[CLV_SLIP39_WORDS_MAX];
	} *p = clv_guard_get(guard, sizeof(*p));
	size_t n = 0, word = 0;
	int r;

	if (p == NULL)
		return CLV_E_FULL;
	r = find_words(text, len, p->words, &n, &word);
	if (r == CLV_OK)
		r = unpack(p->words, n, &p->share, &word);
	if (r == CLV_OK)
		*ret = p->share;
	if (ret_word != NULL)
		*ret_word = word;
	clv_guard_put(guard, p);
	return r;
}
