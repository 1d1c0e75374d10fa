/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as an age file, by identity and by passphrase. Whole or in pieces,
 * the result and what was released are the same.
 */
#include <string.h>
#include <claviger/age.h>
#include <claviger/buf.h>
#include <claviger/result.h>
#include "fuzz.h"

#define PASSPHRASE "password"
#define LOGN_MAX 10

static int
append(void *arg, const void *p, size_t len)
{
	FUZZ_REQUIRE(len > 0 && len <= 65536);
	clv_buf_raw(arg, p, len);
	return clv_buf_result(arg);
}

static int
read_file(const uint8_t *p, size_t len, bool passphrase, size_t piece,
    struct clv_buf *out)
{
	struct clv_age_reader *r = NULL;
	uint8_t sk[CLV_AGE_KEY_LEN];
	size_t at = 0;
	int result;

	memset(sk, 0x42, sizeof(sk)); /* the example of age.md */
	clv_buf_init(out);
	if (passphrase)
		result = clv_age_read_passphrase(
		    fuzz_guard(), PASSPHRASE, LOGN_MAX, append, out, &r);
	else
		result =
		    clv_age_read_identity(fuzz_guard(), sk, append, out, &r);
	FUZZ_REQUIRE(result == CLV_OK);
	while (at < len) {
		size_t n = len - at < piece ? len - at : piece;

		(void)clv_age_reader_put(r, p + at, n);
		at += n;
	}
	result = clv_age_reader_finish(r);
	clv_age_reader_free(&r);
	FUZZ_REQUIRE(clv_guard_used(fuzz_guard()) == 0);
	return result;
}

static void
compare(const uint8_t *p, size_t len, bool passphrase)
{
	struct clv_buf whole, pieces;
	int a = read_file(p, len, passphrase, SIZE_MAX, &whole);
	int b = read_file(p, len, passphrase, 1 + len % 61, &pieces);

	if (a != b)
		fprintf(stderr, "%d whole, %d in pieces\n", a, b);
	FUZZ_REQUIRE(a == b && a <= CLV_OK && a > CLV_E_LAST);
	FUZZ_REQUIRE(whole.len == pieces.len);
	FUZZ_REQUIRE(
	    whole.len == 0 || memcmp(whole.data, pieces.data, whole.len) == 0);
	FUZZ_REQUIRE(whole.len < len || len == 0);
	clv_buf_fini(&whole);
	clv_buf_fini(&pieces);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	compare(p, len, false);
	compare(p, len, true);
	return 0;
}
