/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdint.h>
#include <string.h>
#include <sodium.h>
#include <claviger/backup.h>
#include <claviger/result.h>
#include "lib/words/eff_large.h"

int
clv_passphrase_new(struct clv_guard *guard, char **ret)
{
	char *text, *end;

	if (sodium_init() < 0)
		return CLV_E_SYSTEM;
	/* Each word brings a NUL, in whose place a '-' goes. */
	text = clv_guard_get(guard, CLV_PASSPHRASE_WORDS * CLV__WORD_MAX);
	if (text == NULL)
		return CLV_E_FULL;
	end = text;
	for (int i = 0; i < CLV_PASSPHRASE_WORDS; i++) {
		if (i > 0)
			*end++ = '-';
		end = stpcpy(end, clv__words[randombytes_uniform(CLV__WORDS)]);
	}
	*ret = text;
	return CLV_OK;
}

int
clv_passphrase_check(const char *passphrase)
{
	size_t characters = 0;

	for (const char *p = passphrase; *p != '\0'; p++) {
		uint8_t c = (uint8_t)*p;

		if (c < 0x20 || c == 0x7f)
			return CLV_E_INVALID;
		if ((c & 0xc0) != 0x80) /* not the rest of a UTF-8 character */
			characters++;
	}
	return characters >= CLV_PASSPHRASE_LEN_MIN ? CLV_OK : CLV_E_INVALID;
}
