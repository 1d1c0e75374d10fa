/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <sodium.h>
#include "lib/slip39_impl.h"
#include "lib/words/slip39.h"

#define LETTERS_MAX (CLV__SLIP39_WORD_MAX - 1)

/* All ones when a and b are the same, else 0. */
static uint32_t
same(uint64_t a, uint64_t b)
{
	uint64_t differ = a ^ b;

	return (uint32_t)((differ | (0 - differ)) >> 63) - 1;
}

static uint64_t
letters(const char *word)
{
	uint64_t v;

	memcpy(&v, word, sizeof(v));
	return v;
}

_Static_assert(LETTERS_MAX == sizeof(uint64_t), "a word is one integer");

unsigned
clv__slip39_word_find(const char *word, size_t len)
{
	char padded[LETTERS_MAX] = {0};
	uint32_t found = CLV__SLIP39_WORDS;
	uint64_t wanted;

	if (len > LETTERS_MAX)
		return CLV__SLIP39_WORDS;
	memcpy(padded, word, len);
	wanted = letters(padded);
	sodium_memzero(padded, sizeof(padded));
	for (uint32_t i = 0; i < CLV__SLIP39_WORDS; i++) {
		uint32_t mask = same(letters(clv__slip39_words[i]), wanted);

		found = (found & ~mask) | (i & mask);
	}
	return found;
}

char *
clv__slip39_word_put(unsigned index, char *to)
{
	uint64_t word = 0;
	size_t len;

	for (uint32_t i = 0; i < CLV__SLIP39_WORDS; i++) {
		uint64_t mask = 0 - (uint64_t)(same(i, index) & 1);

		word |= letters(clv__slip39_words[i]) & mask;
	}
	memcpy(to, &word, sizeof(word));
	len = strnlen(to, sizeof(word));
	return to + len;
}
