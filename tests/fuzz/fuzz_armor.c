/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as armor. What is accepted has one form only: written again it is
 * the same text, but for line ends and the white space behind it.
 */
#include <string.h>
#include <claviger/buf.h>
#include <claviger/result.h>
#include "lib/age_impl.h"
#include "fuzz.h"

static int
append(void *arg, const void *p, size_t len)
{
	clv_buf_raw(arg, p, len);
	return clv_buf_result(arg);
}

static int
decode(const uint8_t *p, size_t len, size_t piece, struct clv_buf *out)
{
	struct clv__age_armor_reader a = {0};
	int r = CLV_OK;

	clv_buf_init(out);
	for (size_t at = 0; r == CLV_OK && at < len; at += piece) {
		size_t n = len - at < piece ? len - at : piece;

		r = clv__age_armor_read(&a, p + at, n, append, out);
	}
	if (r == CLV_OK)
		r = clv__age_armor_read_end(&a, append, out);
	return r;
}

static void
encode(const struct clv_buf *bytes, struct clv_buf *ret_text)
{
	struct clv__age_armor_writer a;

	clv_buf_init(ret_text);
	FUZZ_REQUIRE(clv__age_armor_begin(&a, append, ret_text) == CLV_OK);
	FUZZ_REQUIRE(clv__age_armor_put(&a, bytes->data, bytes->len) == CLV_OK);
	FUZZ_REQUIRE(clv__age_armor_end(&a) == CLV_OK);
}

/* LF alone, one of them at the end, and no white space behind. */
static void
normalise(const uint8_t *p, size_t len, struct clv_buf *ret_text)
{
	clv_buf_init(ret_text);
	while (len > 0 && clv__age_is_space(p[len - 1]))
		len--;
	for (size_t i = 0; i < len; i++) {
		if (p[i] == '\r' && i + 1 < len && p[i + 1] == '\n')
			continue;
		clv_buf_u8(ret_text, p[i]);
	}
	clv_buf_u8(ret_text, '\n');
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct clv_buf whole, pieces, again, want;
	int a = decode(p, len, len + 1, &whole);
	int b = decode(p, len, 1 + len % 7, &pieces);

	FUZZ_REQUIRE(a == b);
	FUZZ_REQUIRE(a == CLV_OK || a == CLV_E_FORMAT || a == CLV_E_TRUNCATED);
	if (a == CLV_OK) {
		encode(&whole, &again);
		normalise(p, len, &want);
		FUZZ_REQUIRE(again.len == want.len &&
			     memcmp(again.data, want.data, want.len) == 0);
		FUZZ_REQUIRE(whole.len == pieces.len);
		clv_buf_fini(&again);
		clv_buf_fini(&want);
	}
	clv_buf_fini(&whole);
	clv_buf_fini(&pieces);
	return 0;
}
