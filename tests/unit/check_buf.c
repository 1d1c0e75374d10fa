/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <claviger/buf.h>
#include <claviger/result.h>

START_TEST(integers_are_big_endian)
{
	static const uint8_t want[] = {
	    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	struct clv_buf b;

	clv_buf_init(&b);
	clv_buf_u8(&b, 1);
	clv_buf_u16(&b, 0x0203);
	clv_buf_u32(&b, 0x04050607);
	clv_buf_u64(&b, 0x08090a0b0c0d0e0f);
	ck_assert_int_eq(clv_buf_result(&b), CLV_OK);
	ck_assert_uint_eq(b.len, sizeof(want));
	ck_assert_mem_eq(b.data, want, sizeof(want));
	clv_buf_fini(&b);
	ck_assert_ptr_null(b.data);
}
END_TEST

START_TEST(what_is_written_is_read_back)
{
	struct clv_buf b = {0};
	struct clv_rd r;
	char text[8];
	uint8_t raw[3];
	const uint8_t *p;
	size_t len;

	clv_buf_u8(&b, 255);
	clv_buf_u16(&b, 65535);
	clv_buf_u32(&b, UINT32_MAX);
	clv_buf_u64(&b, UINT64_MAX);
	clv_buf_str(&b, "claviga");
	clv_buf_str(&b, "");
	clv_buf_bytes(&b, "\0x", 2);
	clv_buf_raw(&b, "abc", 3);
	clv_rd_init(&r, b.data, b.len);
	ck_assert_uint_eq(clv_rd_u8(&r), 255);
	ck_assert_uint_eq(clv_rd_u16(&r), 65535);
	ck_assert_uint_eq(clv_rd_u32(&r), UINT32_MAX);
	ck_assert_uint_eq(clv_rd_u64(&r), UINT64_MAX);
	clv_rd_str(&r, text, sizeof(text));
	ck_assert_str_eq(text, "claviga");
	clv_rd_str(&r, text, sizeof(text));
	ck_assert_str_eq(text, "");
	p = clv_rd_bytes(&r, &len);
	ck_assert_uint_eq(len, 2);
	ck_assert_mem_eq(p, "\0x", 2);
	clv_rd_copy(&r, raw, sizeof(raw));
	ck_assert_mem_eq(raw, "abc", 3);
	ck_assert_int_eq(clv_rd_end(&r), CLV_OK);
	clv_buf_fini(&b);
}
END_TEST

START_TEST(buffer_grows_and_keeps_its_content)
{
	struct clv_buf b = {0};
	uint32_t i;

	for (i = 0; i < 10000; i++)
		clv_buf_u32(&b, i);
	ck_assert_uint_eq(b.len, 40000);
	for (i = 0; i < 10000; i++)
		ck_assert_uint_eq(
		    b.data[i * 4 + 2] * 256u + b.data[i * 4 + 3], i);
	clv_buf_fini(&b);
}
END_TEST

START_TEST(exactly_the_maximum_fits_and_one_more_does_not)
{
	struct clv_buf b = {.max = 5};

	clv_buf_raw(&b, "12345", 5);
	ck_assert_int_eq(clv_buf_result(&b), CLV_OK);
	clv_buf_u8(&b, 6);
	ck_assert_int_eq(clv_buf_result(&b), CLV_E_FULL);
	ck_assert_uint_eq(b.len, 5);
	clv_buf_fini(&b);
}
END_TEST

START_TEST(first_failure_sticks_until_reset)
{
	struct clv_buf b = {.max = 4};

	clv_buf_u64(&b, 1);
	clv_buf_u8(&b, 1); /* would fit */
	ck_assert_int_eq(clv_buf_result(&b), CLV_E_FULL);
	ck_assert_uint_eq(b.len, 0);
	clv_buf_reset(&b);
	clv_buf_u8(&b, 1);
	ck_assert_int_eq(clv_buf_result(&b), CLV_OK);
	ck_assert_uint_eq(b.len, 1);
	clv_buf_fini(&b);
}
END_TEST

START_TEST(lengths_that_overflow_are_refused)
{
	struct clv_buf b = {0};

	clv_buf_u8(&b, 1);
	clv_buf_raw(&b, "", SIZE_MAX);
	ck_assert_int_eq(clv_buf_result(&b), CLV_E_FULL);
	clv_buf_reset(&b);
	clv_buf_bytes(&b, "", (size_t)UINT32_MAX + 1);
	ck_assert_int_eq(clv_buf_result(&b), CLV_E_FULL);
	ck_assert_uint_eq(b.len, 0);
	clv_buf_fini(&b);
}
END_TEST

START_TEST(default_maximum_holds)
{
	static const uint8_t block[1 << 16];
	struct clv_buf b = {0};
	size_t i;

	for (i = 0; i < CLV_BUF_MAX / sizeof(block); i++)
		clv_buf_raw(&b, block, sizeof(block));
	ck_assert_int_eq(clv_buf_result(&b), CLV_OK);
	clv_buf_u8(&b, 0);
	ck_assert_int_eq(clv_buf_result(&b), CLV_E_FULL);
	clv_buf_fini(&b);
}
END_TEST

START_TEST(reset_wipes_what_was_there)
{
	static const uint8_t zeros[6];
	struct clv_buf b = {0};

	clv_buf_raw(&b, "secret", 6);
	clv_buf_reset(&b);
	ck_assert_uint_eq(b.len, 0);
	ck_assert_mem_eq(b.data, zeros, 6);
	clv_buf_fini(&b);
}
END_TEST

START_TEST(reading_past_the_end_fails_for_good)
{
	struct clv_rd r;

	clv_rd_init(&r, "\1\2\3", 3);
	ck_assert_uint_eq(clv_rd_u32(&r), 0);
	ck_assert_uint_eq(clv_rd_u8(&r), 0);
	ck_assert_ptr_null(clv_rd_raw(&r, 0));
	ck_assert_int_eq(clv_rd_end(&r), CLV_E_FORMAT);
}
END_TEST

START_TEST(left_over_bytes_are_a_failure)
{
	struct clv_rd r;

	clv_rd_init(&r, "\1\2", 2);
	clv_rd_u8(&r);
	ck_assert_int_eq(clv_rd_end(&r), CLV_E_FORMAT);
	clv_rd_u8(&r);
	ck_assert_int_eq(clv_rd_end(&r), CLV_OK);
}
END_TEST

START_TEST(nothing_at_all_can_be_read)
{
	struct clv_rd r;

	clv_rd_init(&r, NULL, 0);
	ck_assert_ptr_nonnull(clv_rd_raw(&r, 0));
	ck_assert_int_eq(clv_rd_end(&r), CLV_OK);
}
END_TEST

START_TEST(failed_copy_gives_zeros)
{
	uint8_t dst[4] = {9, 9, 9, 9};
	struct clv_rd r;

	clv_rd_init(&r, "\1\2", 2);
	clv_rd_copy(&r, dst, sizeof(dst));
	ck_assert_mem_eq(dst, "\0\0\0\0", 4);
}
END_TEST

START_TEST(length_beyond_the_end_is_refused)
{
	struct clv_rd r;
	size_t len = 7;

	clv_rd_init(&r,
	    "\xff\xff\xff\xff"
	    "abc",
	    7);
	ck_assert_ptr_null(clv_rd_bytes(&r, &len));
	ck_assert_uint_eq(len, 0);
	ck_assert_int_eq(clv_rd_end(&r), CLV_E_FORMAT);
}
END_TEST

static const struct {
	const char *bytes;
	size_t len;
} bad_text[] = {
    {"\0\0\0\1\0", 5},
    {"\0\0\0\2a\n", 6},
    {"\0\0\0\1\x7f", 5},
    {"\0\0\0\4abcd", 8},
    {"\0\0\0\3ab", 6},
    {"\0\0\0", 3},
};

START_TEST(bad_text_is_refused)
{
	struct clv_rd r;
	char dst[4] = "zzz";

	clv_rd_init(&r, bad_text[_i].bytes, bad_text[_i].len);
	clv_rd_str(&r, dst, sizeof(dst));
	ck_assert(r.failed);
	ck_assert_str_eq(dst, "");
}
END_TEST

START_TEST(text_without_room_is_refused)
{
	struct clv_rd r;

	clv_rd_init(&r, "\0\0\0\0", 4);
	clv_rd_str(&r, NULL, 0);
	ck_assert(r.failed);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("buf");
	TCase *w = tcase_create("a_writer"), *r = tcase_create("a_reader");
	SRunner *run;
	int failed;

	tcase_add_test(w, integers_are_big_endian);
	tcase_add_test(w, what_is_written_is_read_back);
	tcase_add_test(w, buffer_grows_and_keeps_its_content);
	tcase_add_test(w, exactly_the_maximum_fits_and_one_more_does_not);
	tcase_add_test(w, first_failure_sticks_until_reset);
	tcase_add_test(w, lengths_that_overflow_are_refused);
	tcase_add_test(w, default_maximum_holds);
	tcase_add_test(w, reset_wipes_what_was_there);
	tcase_add_test(r, reading_past_the_end_fails_for_good);
	tcase_add_test(r, left_over_bytes_are_a_failure);
	tcase_add_test(r, nothing_at_all_can_be_read);
	tcase_add_test(r, failed_copy_gives_zeros);
	tcase_add_test(r, length_beyond_the_end_is_refused);
	tcase_add_loop_test(
	    r, bad_text_is_refused, 0, sizeof(bad_text) / sizeof(bad_text[0]));
	tcase_add_test(r, text_without_room_is_refused);
	suite_add_tcase(s, w);
	suite_add_tcase(s, r);
	run = srunner_create(s);
	srunner_run_all(run, CK_NORMAL);
	failed = srunner_ntests_failed(run);
	srunner_free(run);
	return failed != 0;
}
