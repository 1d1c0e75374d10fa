/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as shares, a line each; or, after a NUL, two bytes a word, whose
 * checksum is put right so that what stands behind it is reached, and a
 * 0xff 0xff between shares. What is read has one form only, and what may be put
 * together is put together, without the passphrase's hashing.
 */
#include <string.h>
#include <sodium.h>
#include <claviger/result.h>
#include "lib/slip39_impl.h"
#include "fuzz.h"

#define SHARES_MAX 32

static struct clv_slip39_share shares[SHARES_MAX];
static size_t count;

static void
take(const char *text, size_t len)
{
	char again[CLV_SLIP39_TEXT_MAX];
	struct clv_slip39_share s;
	size_t word = 0;
	int r = clv_slip39_parse(fuzz_guard(), text, len, &s, &word);

	FUZZ_REQUIRE(clv_guard_used(fuzz_guard()) == 0);
	FUZZ_REQUIRE(r == CLV_OK || r == CLV_E_WORD || r == CLV_E_CHECKSUM ||
		     r == CLV_E_TRUNCATED || r == CLV_E_FORMAT);
	FUZZ_REQUIRE(word <= CLV_SLIP39_WORDS_MAX);
	if (r != CLV_OK)
		return;
	FUZZ_REQUIRE(clv_slip39_format(fuzz_guard(), &s, again) == CLV_OK);
	FUZZ_REQUIRE(strlen(again) == len && memcmp(again, text, len) == 0);
	if (count < SHARES_MAX)
		shares[count++] = s;
}

static void
take_lines(const char *p, size_t len)
{
	const char *end = p + len;

	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		const char *stop = lf == NULL ? end : lf;

		take(p, (size_t)(stop - p));
		p = stop + 1;
	}
}

static void
take_words(uint16_t *words, size_t n)
{
	char text[CLV_SLIP39_TEXT_MAX + 1];
	char *at = text;

	if (n <= CLV__SLIP39_CHECKSUM_WORDS + 1)
		return;
	clv__slip39_checksum(words, n);
	for (size_t i = 0; i < n; i++) {
		at = clv__slip39_word_put(words[i], at);
		*at++ = ' ';
	}
	take(text, (size_t)(at - text - 1));
}

static void
take_numbers(const uint8_t *p, size_t len)
{
	uint16_t words[CLV_SLIP39_WORDS_MAX];
	size_t n = 0;

	for (; len >= 2; p += 2, len -= 2) {
		unsigned w = (unsigned)p[0] << 8 | p[1];

		if (w != 0xffff)
			words[n++] = w & 1023;
		if (w == 0xffff || n == CLV_SLIP39_WORDS_MAX) {
			take_words(words, n);
			n = 0;
		}
	}
	take_words(words, n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	uint8_t secret[CLV_SLIP39_SECRET_MAX];
	size_t wrong = 0;
	int r;

	count = 0;
	if (len > 0 && p[0] == 0)
		take_numbers(p + 1, len - 1);
	else
		take_lines((const char *)p, len);
	r = clv__slip39_recover(fuzz_guard(), shares, count, secret, &wrong);
	FUZZ_REQUIRE(clv_guard_used(fuzz_guard()) == 0);
	FUZZ_REQUIRE(r == CLV_OK || r == CLV_E_MIXED || r == CLV_E_DUPLICATE ||
		     r == CLV_E_SHARES || r == CLV_E_DIGEST);
	FUZZ_REQUIRE(
	    wrong < count || (r != CLV_E_MIXED && r != CLV_E_DUPLICATE));
	return 0;
}
