/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLV_TEXT_H
#define CLV_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Reading line-based text with secrets in it: a cursor over borrowed guarded
 * memory. Nothing is copied but to where the caller says.
 */
struct clv__text {
	const char *p;
	size_t len;
	bool failed; /* sticks */
};

#define CLV__KEY_TEXT_LEN 44 /* 32 bytes in Base64 with its padding */

void clv__text_init(struct clv__text *t, const char *p, size_t len);
/* Exactly these characters come next. */
void clv__text_expect(struct clv__text *t, const char *literal);
/* Do these characters come next? Takes them if so. */
bool clv__text_has(struct clv__text *t, const char *literal);
/* Decimal, no sign, no leading zero, at least 1. */
uint32_t clv__text_u32(struct clv__text *t);
/* Characters before the end of the line, and that end; NULL when there is
 * none or more than max characters. */
const char *clv__text_line(struct clv__text *t, size_t max, size_t *ret_len);
/* The next n characters; NULL when there are fewer. */
const char *clv__text_raw(struct clv__text *t, size_t n);
/* 32 bytes in canonical Base64 (RFC 4648 section 4) and the end of the line. */
void clv__text_key(struct clv__text *t, uint8_t ret[static 32]);
/* CLV_OK when nothing failed and nothing is left; else CLV_E_FORMAT. */
int clv__text_end(const struct clv__text *t);

#endif
