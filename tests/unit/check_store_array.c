/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <claviger/buf.h>

#include "../../lib/store_internal.h"
#include "suite.h"

/* Array parameters. That PostgreSQL takes them is tested with the statements
 * that have some. */

static struct clv_buf b;

static void
setup(void)
{
	clv_buf_init(&b);
}

static void
teardown(void)
{
	clv_buf_fini(&b);
}

static bool
fits(size_t len, uint32_t type)
{
	struct clv_param p = {b.data, len};

	return clv__array_fits(&p, type);
}

START_TEST(array_has_the_form_that_postgresql_documents)
{
	static const uint8_t want[] = {0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 17, 0,
	    0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 'a', 'b', 'c', 0, 0, 0, 0};
	struct clv_param p;

	clv_array_begin(&b, CLV_ARRAY_BYTEA);
	clv_array_add(&b, "abc", 3);
	clv_array_add(&b, NULL, 0);
	p = clv_param_array(&b);
	ck_assert_uint_eq(p.len, sizeof(want));
	ck_assert_mem_eq(p.p, want, sizeof(want));
	ck_assert(fits(p.len, CLV__OID_BYTEA));
}
END_TEST

START_TEST(number_is_eight_bytes_big_endian)
{
	static const uint8_t want[] = {0, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8};

	clv_array_begin(&b, CLV_ARRAY_INT8);
	clv_array_add_u64(&b, UINT64_C(0x0102030405060708));
	ck_assert_uint_eq(b.len, 20 + sizeof(want));
	ck_assert_mem_eq(b.data + 20, want, sizeof(want));
	ck_assert(fits(b.len, CLV__OID_INT8));
	ck_assert(!fits(b.len, CLV__OID_TEXT));
}
END_TEST

START_TEST(count_carries_over)
{
	clv_array_begin(&b, CLV_ARRAY_TEXT);
	ck_assert(fits(b.len, CLV__OID_TEXT)); /* none at all */
	for (int i = 0; i < 70000; i++)
		clv_array_add(&b, "", 0);
	ck_assert_uint_eq(b.data[12], 0);
	ck_assert_uint_eq(b.data[13], 70000 >> 16);
	ck_assert_uint_eq(b.data[14], 70000 >> 8 & 255);
	ck_assert_uint_eq(b.data[15], 70000 & 255);
	ck_assert(fits(b.len, CLV__OID_TEXT));
}
END_TEST

START_TEST(failure_sticks_in_the_buffer)
{
	b.max = 30;
	clv_array_begin(&b, CLV_ARRAY_BYTEA);
	clv_array_add(&b, "abcdefgh", 8);
	ck_assert(b.failed);
	clv_array_add(&b, "", 0);
	ck_assert(b.failed);
	clv_buf_fini(&b);
	b.max = 10; /* not even a head */
	clv_array_begin(&b, CLV_ARRAY_BYTEA);
	clv_array_add(&b, "", 0);
	ck_assert(b.failed);
	b.max = 0;
}
END_TEST

START_TEST(every_cut_and_every_wrong_head_is_refused)
{
	clv_array_begin(&b, CLV_ARRAY_INT8);
	clv_array_add_u64(&b, 1);
	clv_array_add_u64(&b, 2);
	for (size_t len = 0; len < b.len; len++)
		ck_assert(!fits(len, CLV__OID_INT8));
	for (size_t i = 0; i < 16; i++) {
		b.data[i] ^= 0x80;
		ck_assert(!fits(b.len, CLV__OID_INT8));
		b.data[i] ^= 0x80;
	}
	for (size_t i = 20; i < 24; i++) { /* an element's length, or NULL */
		b.data[i] ^= 0xff;
		ck_assert(!fits(b.len, CLV__OID_INT8));
		b.data[i] ^= 0xff;
	}
	ck_assert(fits(b.len, CLV__OID_INT8));
	clv_buf_u8(&b, 0);
	ck_assert(!fits(b.len, CLV__OID_INT8));
}
END_TEST

START_TEST(number_of_another_length_is_refused)
{
	clv_array_begin(&b, CLV_ARRAY_INT8);
	clv_array_add(&b, "1234", 4);
	ck_assert(!fits(b.len, CLV__OID_INT8));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("store_array");
	TCase *t = tcase_create("arrays");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, array_has_the_form_that_postgresql_documents);
	tcase_add_test(t, number_is_eight_bytes_big_endian);
	tcase_add_test(t, count_carries_over);
	tcase_add_test(t, failure_sticks_in_the_buffer);
	tcase_add_test(t, every_cut_and_every_wrong_head_is_refused);
	tcase_add_test(t, number_of_another_length_is_refused);
	suite_add_tcase(suite, t);
	return suite_run(suite);
}
