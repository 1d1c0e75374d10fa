/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <sodium.h>
#include <claviger/result.h>
#include "age_impl.h"
#include "text.h"

void
clv__text_init(struct clv__text *t, const char *p, size_t len)
{
	*t = (struct clv__text){.p = p, .len = len};
}

const char *
clv__text_raw(struct clv__text *t, size_t n)
{
	const char *at = t->p;

	if (t->failed || n > t->len) {
		t->failed = true;
		return NULL;
	}
	t->p += n;
	t->len -= n;
	return at;
}

bool
clv__text_has(struct clv__text *t, const char *literal)
{
	size_t n = strlen(literal);

	if (t->failed || n > t->len || memcmp(t->p, literal, n) != 0)
		return false;
	t->p += n;
	t->len -= n;
	return true;
}

void
clv__text_expect(struct clv__text *t, const char *literal)
{
	if (!clv__text_has(t, literal))
		t->failed = true;
}

static bool
is_digit(const struct clv__text *t)
{
	return t->len > 0 && *t->p >= '0' && *t->p <= '9';
}

uint32_t
clv__text_u32(struct clv__text *t)
{
	uint64_t v = 0;

	if (t->failed || !is_digit(t) || *t->p == '0') {
		t->failed = true;
		return 0;
	}
	while (is_digit(t) && v <= UINT32_MAX) {
		v = v * 10 + (uint64_t)(*t->p - '0');
		t->p++;
		t->len--;
	}
	if (v > UINT32_MAX) {
		t->failed = true;
		return 0;
	}
	return (uint32_t)v;
}

const char *
clv__text_line(struct clv__text *t, size_t max, size_t *ret_len)
{
	const char *at = t->p, *nl;

	*ret_len = 0;
	nl = t->failed ? NULL : memchr(t->p, '\n', t->len);
	if (nl == NULL || (size_t)(nl - at) > max) {
		t->failed = true;
		return NULL;
	}
	*ret_len = (size_t)(nl - at);
	clv__text_raw(t, *ret_len + 1);
	return at;
}

void
clv__text_key(struct clv__text *t, uint8_t ret[static 32])
{
	const char *at = clv__text_raw(t, CLV__KEY_TEXT_LEN);
	size_t n = 0;

	if (at == NULL)
		return;
	/* Not libsodium's alone: that takes bytes above 127 (1.0.18). */
	if (clv__age_base64_decode(at, CLV__KEY_TEXT_LEN,
		sodium_base64_VARIANT_ORIGINAL, ret, 32, &n) != CLV_OK ||
	    n != 32)
		t->failed = true;
	clv__text_expect(t, "\n");
}

int
clv__text_end(const struct clv__text *t)
{
	return t->failed || t->len != 0 ? CLV_E_FORMAT : CLV_OK;
}
