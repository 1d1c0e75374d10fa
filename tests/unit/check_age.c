/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <check.h>
#include <sodium.h>
#include <claviger/age.h>
#include <claviger/buf.h>
#include <claviger/result.h>

#define PASSPHRASE "correct horse battery staple"
#define LOGN 2 /* of tests alone */
#define GUARD_LEN (256u * 1024)

static struct clv_guard *guard;
static uint8_t sk[3][CLV_AGE_KEY_LEN];
static uint8_t pk[3][CLV_AGE_KEY_LEN];
static uint8_t plain[200000];

static void
setup(void)
{
	ck_assert_int_eq(clv_guard_new(GUARD_LEN, &guard), CLV_OK);
	for (int i = 0; i < 3; i++)
		clv_age_keygen(sk[i], pk[i]);
	randombytes_buf(plain, sizeof(plain));
}

static void
teardown(void)
{
	ck_assert_uint_eq(clv_guard_used(guard), 0);
	clv_guard_free_all(&guard);
}

static int
append(void *arg, const void *p, size_t len)
{
	clv_buf_raw(arg, p, len);
	return clv_buf_result(arg);
}

/* Feed in pieces of 1, 2, 3 … up to `step` bytes, again and again. */
static size_t
piece(size_t *last, size_t step, size_t left)
{
	*last = *last % step + 1;
	return *last < left ? *last : left;
}

static int
write_all(struct clv_age_writer *w, const void *p, size_t len, size_t step)
{
	size_t last = 0;

	for (size_t at = 0; at < len;) {
		size_t n = piece(&last, step, len - at);
		ck_assert_int_eq(
		    clv_age_writer_put(w, (const uint8_t *)p + at, n), CLV_OK);
		at += n;
	}
	return clv_age_writer_finish(w);
}

static void
seal(size_t n, const char *passphrase, bool armor, size_t len, size_t step,
    struct clv_buf *file)
{
	struct clv_age_writer *w = NULL;
	int r;

	clv_buf_init(file);
	if (passphrase != NULL)
		r = clv_age_write_passphrase(
		    guard, passphrase, LOGN, armor, append, file, &w);
	else
		r = clv_age_write_recipients(guard,
		    (const uint8_t(*)[CLV_AGE_KEY_LEN])pk, n, armor, append,
		    file, &w);
	ck_assert_int_eq(r, CLV_OK);
	ck_assert_int_eq(write_all(w, plain, len, step), CLV_OK);
	clv_age_writer_free(&w);
	ck_assert_ptr_null(w);
}

static int
read_all(struct clv_age_reader *r, const void *p, size_t len, size_t step)
{
	size_t last = 0;
	int result = CLV_OK;

	for (size_t at = 0; result == CLV_OK && at < len;) {
		size_t n = piece(&last, step, len - at);
		result = clv_age_reader_put(r, (const uint8_t *)p + at, n);
		at += n;
	}
	return clv_age_reader_finish(r);
}

/* passphrase, or NULL for identity i. */
static int
open_file(const void *p, size_t len, int i, const char *passphrase, size_t step,
    struct clv_buf *out)
{
	struct clv_age_reader *r = NULL;
	int result;

	clv_buf_init(out);
	if (passphrase != NULL)
		result = clv_age_read_passphrase(
		    guard, passphrase, 10, append, out, &r);
	else
		result = clv_age_read_identity(guard, sk[i], append, out, &r);
	ck_assert_int_eq(result, CLV_OK);
	result = read_all(r, p, len, step);
	clv_age_reader_free(&r);
	ck_assert_ptr_null(r);
	return result;
}

static int
try_open(const void *p, size_t len, int i, const char *passphrase)
{
	struct clv_buf out;
	int result = open_file(p, len, i, passphrase, SIZE_MAX, &out);

	clv_buf_fini(&out);
	return result;
}

static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 131072, 200000};
static const size_t steps[] = {61, 4097, SIZE_MAX};

static void
round_trip(const char *passphrase, bool armor, size_t len, size_t step)
{
	struct clv_buf file, out;

	seal(1, passphrase, armor, len, step, &file);
	ck_assert_int_eq(
	    open_file(file.data, file.len, 0, passphrase, step, &out), CLV_OK);
	ck_assert_uint_eq(out.len, len);
	ck_assert(len == 0 || memcmp(out.data, plain, len) == 0);
	clv_buf_fini(&out);
	clv_buf_fini(&file);
}

START_TEST(what_was_written_in_any_pieces_is_read_in_any_pieces)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		round_trip(NULL, false, sizes[_i], steps[i]);
		round_trip(NULL, true, sizes[_i], steps[i]);
		round_trip(PASSPHRASE, false, sizes[_i], steps[i]);
		round_trip(PASSPHRASE, true, sizes[_i], steps[i]);
	}
}
END_TEST

START_TEST(each_of_three_recipients_opens_the_file)
{
	struct clv_buf file;

	seal(3, NULL, false, 100, SIZE_MAX, &file);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(
		    try_open(file.data, file.len, i, NULL), CLV_OK);
	clv_buf_fini(&file);
}
END_TEST

START_TEST(two_files_of_the_same_content_have_nothing_in_common)
{
	struct clv_buf a, b;

	seal(1, NULL, false, 100, SIZE_MAX, &a);
	seal(1, NULL, false, 100, SIZE_MAX, &b);
	ck_assert_uint_eq(a.len, b.len);
	ck_assert_mem_ne(a.data + a.len - 116, b.data + b.len - 116, 116);
	ck_assert_mem_ne(a.data + a.len - 132, b.data + b.len - 132, 16);
	clv_buf_fini(&a);
	clv_buf_fini(&b);
}
END_TEST

START_TEST(armor_has_lines_of_64_columns_between_begin_and_end)
{
	struct clv_buf file;
	char *line, *save = NULL;
	size_t last = 64;

	seal(1, NULL, true, 1000, SIZE_MAX, &file);
	clv_buf_u8(&file, 0);
	line = strtok_r((char *)file.data, "\n", &save);
	ck_assert_str_eq(line, "-----BEGIN AGE ENCRYPTED FILE-----");
	while ((line = strtok_r(NULL, "\n", &save)) != NULL) {
		if (line[0] == '-')
			break;
		ck_assert_uint_eq(last, 64);
		last = strlen(line);
		ck_assert_uint_le(last, 64);
	}
	ck_assert_str_eq(line, "-----END AGE ENCRYPTED FILE-----");
	ck_assert_ptr_null(strtok_r(NULL, "", &save));
	clv_buf_fini(&file);
}
END_TEST

/* Where the payload's nonce starts. */
static size_t
header_len(const struct clv_buf *file)
{
	const uint8_t *mac = memmem(file->data, file->len, "\n--- ", 5);

	ck_assert_ptr_nonnull(mac);
	return (size_t)(mac - file->data) + 5 + 43 + 1;
}

START_TEST(every_truncation_is_refused)
{
	const char *passphrase = _i == 0 ? NULL : PASSPHRASE;
	struct clv_buf file;
	size_t body;

	seal(1, passphrase, false, 50, SIZE_MAX, &file);
	body = header_len(&file) + 16;
	for (size_t len = 0; len < file.len; len++) {
		int want = len < body + 16 ? CLV_E_TRUNCATED : CLV_E_DAMAGED;
		ck_assert_int_eq(try_open(file.data, len, 0, passphrase), want);
	}
	clv_buf_fini(&file);
}
END_TEST

START_TEST(every_truncation_of_armor_is_refused)
{
	struct clv_buf file;

	seal(1, NULL, true, 50, SIZE_MAX, &file);
	for (size_t len = 0; len < file.len - 1; len++)
		ck_assert_int_eq(
		    try_open(file.data, len, 0, NULL), CLV_E_TRUNCATED);
	/* The line end behind END may be missing. */
	ck_assert_int_eq(try_open(file.data, file.len - 1, 0, NULL), CLV_OK);
	clv_buf_fini(&file);
}
END_TEST

START_TEST(a_file_cut_between_two_chunks_is_truncated)
{
	struct clv_buf file;
	size_t chunk;

	seal(1, NULL, false, 65537, SIZE_MAX, &file);
	chunk = header_len(&file) + 16 + 65536 + 16;
	ck_assert_int_eq(try_open(file.data, chunk, 0, NULL), CLV_E_TRUNCATED);
	ck_assert_int_eq(
	    try_open(file.data, chunk + 15, 0, NULL), CLV_E_TRUNCATED);
	ck_assert_int_eq(try_open(file.data, file.len, 0, NULL), CLV_OK);
	clv_buf_fini(&file);
}
END_TEST

START_TEST(bytes_behind_the_last_chunk_are_refused)
{
	static const size_t lens[] = {0, 50, 65536};
	struct clv_buf file;

	seal(1, NULL, false, lens[_i], SIZE_MAX, &file);
	clv_buf_u8(&file, 0);
	ck_assert_int_eq(try_open(file.data, file.len, 0, NULL), CLV_E_DAMAGED);
	clv_buf_fini(&file);
}
END_TEST

/* A file of an unknown plaintext that opens with a changed byte would be
 * malleable. */
static void
flip_all(struct clv_buf *file, const char *passphrase, uint8_t mask)
{
	for (size_t i = 0; i < file->len; i++) {
		int r;

		file->data[i] ^= mask;
		r = try_open(file->data, file->len, 0, passphrase);
		ck_assert_msg(
		    r == CLV_E_FORMAT || r == CLV_E_VERSION ||
			r == CLV_E_DAMAGED || r == CLV_E_NO_IDENTITY ||
			r == CLV_E_PASSPHRASE || r == CLV_E_WORK_FACTOR ||
			r == CLV_E_TRUNCATED,
		    "byte %zu ^ %02x gives %s", i, mask, clv_result_name(r));
		file->data[i] ^= mask;
	}
}

START_TEST(every_flipped_byte_is_refused)
{
	static const uint8_t masks[] = {0x01, 0x02, 0x10, 0x20, 0x80, 0xff};
	const char *passphrase = _i % 2 == 0 ? NULL : PASSPHRASE;
	struct clv_buf file;

	seal(1, passphrase, _i / 2 == 1, 50, SIZE_MAX, &file);
	for (size_t i = 0; i < sizeof(masks); i++)
		flip_all(&file, passphrase, masks[i]);
	ck_assert_int_eq(try_open(file.data, file.len, 0, passphrase), CLV_OK);
	clv_buf_fini(&file);
}
END_TEST

static int
flip_at(struct clv_buf *file, size_t at)
{
	int r;

	file->data[at] ^= 1;
	r = try_open(file->data, file->len, 0, NULL);
	file->data[at] ^= 1;
	return r;
}

START_TEST(damage_is_told_by_its_place)
{
	struct clv_buf file;
	size_t header;
	uint8_t *mac;

	seal(1, NULL, false, 50, SIZE_MAX, &file);
	header = header_len(&file);
	ck_assert_int_eq(flip_at(&file, 0), CLV_E_FORMAT);
	ck_assert_int_eq(flip_at(&file, 20), CLV_E_VERSION); /* v1 */
	ck_assert_int_eq(flip_at(&file, header), CLV_E_DAMAGED);
	ck_assert_int_eq(flip_at(&file, file.len - 1), CLV_E_DAMAGED);
	mac = file.data + header - 44;
	*mac = *mac == 'A' ? 'B' : 'A';
	ck_assert_int_eq(try_open(file.data, file.len, 0, NULL), CLV_E_DAMAGED);
	clv_buf_fini(&file);
}
END_TEST

START_TEST(a_wrong_key_is_told_from_a_wrong_passphrase)
{
	struct clv_buf file;

	seal(1, NULL, false, 10, SIZE_MAX, &file);
	ck_assert_int_eq(
	    try_open(file.data, file.len, 1, NULL), CLV_E_NO_IDENTITY);
	ck_assert_int_eq(
	    try_open(file.data, file.len, 0, PASSPHRASE), CLV_E_NO_IDENTITY);
	clv_buf_fini(&file);
	seal(1, PASSPHRASE, false, 10, SIZE_MAX, &file);
	ck_assert_int_eq(
	    try_open(file.data, file.len, 0, "wrong"), CLV_E_PASSPHRASE);
	ck_assert_int_eq(
	    try_open(file.data, file.len, 0, NULL), CLV_E_NO_IDENTITY);
	clv_buf_fini(&file);
}
END_TEST

static int
open_text(const char *text, const char *passphrase)
{
	return try_open(text, strlen(text), 0, passphrase);
}

START_TEST(a_work_factor_above_the_limit_is_refused_before_it_is_done)
{
	static const char *const factors[] = {"11", "63", "64",
	    "18446744073709551617", "99999999999999999999999999"};
	char text[512];

	for (size_t i = 0; i < sizeof(factors) / sizeof(factors[0]); i++) {
		snprintf(text, sizeof(text),
		    "age-encryption.org/v1\n"
		    "-> scrypt rF0/NwblUHHTpgQgRpe5CQ %s\n"
		    "gUjEymFKMVXQEKdMMHL24oYexjE3TIC0O0zGSqJ2aUY\n"
		    "--- In/TcKP5wDKP14sufF74poPZcpaLVECmfDt0G+yMIs4\n",
		    factors[i]);
		ck_assert_int_eq(
		    open_text(text, PASSPHRASE), CLV_E_WORK_FACTOR);
	}
}
END_TEST

START_TEST(what_is_no_age_file_is_refused_by_its_first_bytes)
{
	struct clv_age_reader *r = NULL;
	struct clv_buf out;

	ck_assert_int_eq(open_text("hello", NULL), CLV_E_FORMAT);
	ck_assert_int_eq(open_text("\nage-encryption.org/v1\n", NULL),
	    CLV_E_FORMAT); /* white space only before armor */
	ck_assert_int_eq(
	    open_text("age-encryption.org/\n", NULL), CLV_E_FORMAT);
	ck_assert_int_eq(
	    open_text("age-encryption.org/v2\n?", NULL), CLV_E_VERSION);
	clv_buf_init(&out);
	ck_assert_int_eq(
	    clv_age_read_identity(guard, sk[0], append, &out, &r), CLV_OK);
	ck_assert_int_eq(clv_age_reader_put(r, "x", 1), CLV_E_FORMAT);
	ck_assert_int_eq(clv_age_reader_put(r, "a", 1), CLV_E_FORMAT);
	ck_assert_int_eq(clv_age_reader_finish(r), CLV_E_FORMAT);
	clv_age_reader_free(&r);
	clv_buf_fini(&out);
}
END_TEST

START_TEST(an_endless_header_is_refused)
{
	struct clv_buf text;

	clv_buf_init(&text);
	clv_buf_raw(&text, "age-encryption.org/v1\n", 22);
	for (int i = 0; i < 20000; i++)
		clv_buf_raw(&text, "-> grease\n\n", 11);
	ck_assert_int_eq(clv_buf_result(&text), CLV_OK);
	ck_assert_int_eq(try_open(text.data, text.len, 0, NULL), CLV_E_FORMAT);
	clv_buf_fini(&text);
}
END_TEST

START_TEST(white_space_around_armor_has_a_limit)
{
	static const size_t lens[] = {1, 1024, 1025};
	struct clv_buf file, text;

	seal(1, NULL, true, 10, SIZE_MAX, &file);
	for (int i = 0; i < 6; i++) {
		clv_buf_init(&text);
		for (size_t n = 0; i < 3 && n < lens[i]; n++)
			clv_buf_u8(&text, '\n');
		clv_buf_raw(&text, file.data, file.len);
		for (size_t n = 0; i >= 3 && n < lens[i - 3]; n++)
			clv_buf_u8(&text, ' ');
		ck_assert_int_eq(try_open(text.data, text.len, 0, NULL),
		    i % 3 == 2 ? CLV_E_FORMAT : CLV_OK);
		clv_buf_fini(&text);
	}
	clv_buf_fini(&file);
}
END_TEST

static int
refuse(void *arg, const void *p, size_t len)
{
	(void)p;
	(void)len;
	return --*(int *)arg < 0 ? CLV_E_CANCELLED : CLV_OK;
}

/* The sink fails at its n-th call, n = 0, 1, … until it no longer does. */
START_TEST(a_failing_sink_ends_the_writing)
{
	int r = CLV_E_CANCELLED;
	int n;

	for (n = 0; r != CLV_OK; n++) {
		struct clv_age_writer *w = NULL;
		int left = n;

		ck_assert_int_lt(n, 10000);
		r = clv_age_write_recipients(guard,
		    (const uint8_t(*)[CLV_AGE_KEY_LEN])pk, 2, true, refuse,
		    &left, &w);
		if (r == CLV_OK)
			r = clv_age_writer_put(w, plain, 66000);
		if (w != NULL)
			ck_assert_int_eq(clv_age_writer_finish(w),
			    left < 0 ? CLV_E_CANCELLED : CLV_OK);
		r = left < 0 ? CLV_E_CANCELLED : r;
		clv_age_writer_free(&w);
		ck_assert_uint_eq(clv_guard_used(guard), 0);
	}
	ck_assert_int_gt(n, 1000);
}
END_TEST

START_TEST(a_failing_sink_ends_the_reading)
{
	struct clv_age_reader *r = NULL;
	struct clv_buf file;
	int left = 1;

	seal(1, NULL, false, 200000, SIZE_MAX, &file);
	ck_assert_int_eq(
	    clv_age_read_identity(guard, sk[0], refuse, &left, &r), CLV_OK);
	ck_assert_int_eq(
	    clv_age_reader_put(r, file.data, file.len), CLV_E_CANCELLED);
	ck_assert_int_eq(clv_age_reader_finish(r), CLV_E_CANCELLED);
	clv_age_reader_free(&r);
	clv_buf_fini(&file);
}
END_TEST

START_TEST(a_full_arena_is_reported_and_nothing_left_in_it)
{
	struct clv_buf file;
	int r = CLV_E_FULL;
	uint8_t *got;
	size_t len;

	seal(1, NULL, false, 20000, SIZE_MAX, &file);
	for (size_t taken = GUARD_LEN - 4096; r == CLV_E_FULL; taken -= 4096) {
		void *rest = clv_guard_get(guard, taken);

		ck_assert_ptr_nonnull(rest);
		got = NULL;
		r = clv_age_open(
		    guard, sk[0], file.data, file.len, 20000, &got, &len);
		ck_assert((r == CLV_OK) == (got != NULL));
		clv_guard_put(guard, got);
		ck_assert_int_ne(taken < 8192, 1);
		clv_guard_put(guard, rest);
	}
	ck_assert_int_eq(r, CLV_OK);
	clv_buf_fini(&file);
}
END_TEST

START_TEST(wrong_arguments_are_refused)
{
	static const uint8_t zero[1][CLV_AGE_KEY_LEN];
	const uint8_t(*keys)[CLV_AGE_KEY_LEN] = (const void *)pk;
	struct clv_age_writer *w = NULL;
	struct clv_age_reader *r = NULL;

	ck_assert_int_eq(
	    clv_age_write_recipients(guard, keys, 0, false, append, NULL, &w),
	    CLV_E_INVALID);
	ck_assert_int_eq(
	    clv_age_write_recipients(guard, keys, 17, false, append, NULL, &w),
	    CLV_E_INVALID);
	ck_assert_int_eq(
	    clv_age_write_recipients(guard, zero, 1, false, append, NULL, &w),
	    CLV_E_INVALID);
	ck_assert_int_eq(
	    clv_age_write_passphrase(guard, "", LOGN, false, append, NULL, &w),
	    CLV_E_INVALID);
	ck_assert_int_eq(clv_age_write_passphrase(
			     guard, PASSPHRASE, 21, false, append, NULL, &w),
	    CLV_E_INVALID);
	ck_assert_int_eq(
	    clv_age_read_passphrase(guard, "", 10, append, NULL, &r),
	    CLV_E_INVALID);
	ck_assert_int_eq(
	    clv_age_read_passphrase(guard, "x", 21, append, NULL, &r),
	    CLV_E_INVALID);
	ck_assert_ptr_null(w);
	ck_assert_ptr_null(r);
}
END_TEST

START_TEST(nothing_is_taken_after_the_end)
{
	struct clv_age_writer *w = NULL;
	struct clv_age_reader *r = NULL;
	struct clv_buf file, out;

	clv_buf_init(&file);
	clv_buf_init(&out);
	ck_assert_int_eq(clv_age_write_passphrase(
			     guard, PASSPHRASE, LOGN, false, append, &file, &w),
	    CLV_OK);
	ck_assert_int_eq(clv_age_writer_finish(w), CLV_OK);
	ck_assert_int_eq(clv_age_writer_put(w, "x", 1), CLV_E_INVALID);
	ck_assert_int_eq(
	    clv_age_read_passphrase(guard, PASSPHRASE, 10, append, &out, &r),
	    CLV_OK);
	ck_assert_int_eq(read_all(r, file.data, file.len, 7), CLV_OK);
	ck_assert_int_eq(clv_age_reader_put(r, "x", 1), CLV_E_INVALID);
	clv_age_reader_free(&r);
	clv_age_writer_free(&w);
	clv_age_writer_free(&w); /* NULL is ignored */
	clv_age_reader_free(&r);
	clv_buf_fini(&file);
	clv_buf_fini(&out);
}
END_TEST

START_TEST(whole_buffers_are_sealed_and_opened_in_one_call)
{
	const uint8_t(*keys)[CLV_AGE_KEY_LEN] = (const void *)pk;
	struct clv_buf file;
	uint8_t *got = NULL;
	size_t len = 7;

	clv_buf_init(&file);
	ck_assert_int_eq(
	    clv_age_seal(guard, keys, 2, true, plain, 5000, &file), CLV_OK);
	ck_assert_int_eq(
	    clv_age_open(guard, sk[1], file.data, file.len, 4999, &got, &len),
	    CLV_E_FULL);
	ck_assert_int_eq(
	    clv_age_open(guard, sk[2], file.data, file.len, 5000, &got, &len),
	    CLV_E_NO_IDENTITY);
	ck_assert_ptr_null(got);
	ck_assert_uint_eq(len, 7);
	ck_assert_int_eq(
	    clv_age_open(guard, sk[1], file.data, file.len, 5000, &got, &len),
	    CLV_OK);
	ck_assert_uint_eq(len, 5000);
	ck_assert_mem_eq(got, plain, 5000);
	clv_guard_put(guard, got);
	clv_buf_fini(&file);
}
END_TEST

static void
add_good(TCase *t)
{
	tcase_add_loop_test(t,
	    what_was_written_in_any_pieces_is_read_in_any_pieces, 0,
	    sizeof(sizes) / sizeof(sizes[0]));
	tcase_add_test(t, each_of_three_recipients_opens_the_file);
	tcase_add_test(t, two_files_of_the_same_content_have_nothing_in_common);
	tcase_add_test(t, armor_has_lines_of_64_columns_between_begin_and_end);
	tcase_add_test(t, whole_buffers_are_sealed_and_opened_in_one_call);
}

static void
add_bad(TCase *t)
{
	tcase_add_loop_test(t, every_truncation_is_refused, 0, 2);
	tcase_add_test(t, every_truncation_of_armor_is_refused);
	tcase_add_test(t, a_file_cut_between_two_chunks_is_truncated);
	tcase_add_loop_test(t, bytes_behind_the_last_chunk_are_refused, 0, 3);
	tcase_add_loop_test(t, every_flipped_byte_is_refused, 0, 4);
	tcase_add_test(t, damage_is_told_by_its_place);
	tcase_add_test(t, a_wrong_key_is_told_from_a_wrong_passphrase);
	tcase_add_test(
	    t, a_work_factor_above_the_limit_is_refused_before_it_is_done);
	tcase_add_test(t, what_is_no_age_file_is_refused_by_its_first_bytes);
	tcase_add_test(t, an_endless_header_is_refused);
	tcase_add_test(t, white_space_around_armor_has_a_limit);
}

static void
add_faults(TCase *t)
{
	tcase_add_test(t, a_failing_sink_ends_the_writing);
	tcase_add_test(t, a_failing_sink_ends_the_reading);
	tcase_add_test(t, a_full_arena_is_reported_and_nothing_left_in_it);
	tcase_add_test(t, wrong_arguments_are_refused);
	tcase_add_test(t, nothing_is_taken_after_the_end);
}

static void
add_case(Suite *s, const char *name, void (*add)(TCase *))
{
	TCase *t = tcase_create(name);

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	add(t);
	suite_add_tcase(s, t);
}

int
main(void)
{
	Suite *s = suite_create("age");
	SRunner *r;
	int failed;

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	add_case(s, "good files", add_good);
	add_case(s, "bad files", add_bad);
	add_case(s, "faults and wrong use", add_faults);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
