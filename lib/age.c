/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <claviger/age.h>
#include <claviger/buf.h>
#include <claviger/result.h>

/* Whole buffers in one call, by way of the reader and the writer. */

static int
append(void *arg, const void *p, size_t len)
{
	clv_buf_raw(arg, p, len);
	return clv_buf_result(arg);
}

int
clv_age_seal(struct clv_guard *guard, const uint8_t (*pk)[CLV_AGE_KEY_LEN],
    size_t n, bool armor, const void *p, size_t len, struct clv_buf *ret_file)
{
	struct clv_age_writer *w = NULL;
	struct clv_buf file;
	int r;

	clv_buf_init(&file);
	r = clv_age_write_recipients(guard, pk, n, armor, append, &file, &w);
	if (r == CLV_OK)
		r = clv_age_writer_put(w, p, len);
	if (r == CLV_OK)
		r = clv_age_writer_finish(w);
	if (r == CLV_OK)
		r = append(ret_file, file.data, file.len);
	clv_age_writer_free(&w);
	clv_buf_fini(&file);
	return r;
}

struct plain {
	uint8_t *p;
	size_t len;
	size_t max;
};

static int
keep_plain(void *arg, const void *p, size_t len)
{
	struct plain *plain = arg;

	if (len > plain->max - plain->len)
		return CLV_E_FULL;
	memcpy(plain->p + plain->len, p, len);
	plain->len += len;
	return CLV_OK;
}

int
clv_age_open(struct clv_guard *guard, const uint8_t sk[static CLV_AGE_KEY_LEN],
    const void *file, size_t len, size_t plain_max, uint8_t **ret_p,
    size_t *ret_len)
{
	struct clv_age_reader *reader = NULL;
	/* The plaintext is always shorter than its file. */
	struct plain plain = {NULL, 0, plain_max < len ? plain_max : len};
	int r;

	plain.p = clv_guard_get(guard, plain.max > 0 ? plain.max : 1);
	if (plain.p == NULL)
		return CLV_E_FULL;
	r = clv_age_read_identity(guard, sk, keep_plain, &plain, &reader);
	if (r == CLV_OK)
		r = clv_age_reader_put(reader, file, len);
	if (r == CLV_OK)
		r = clv_age_reader_finish(reader);
	if (r != CLV_OK)
		goto out;
	*ret_p = plain.p;
	*ret_len = plain.len;
	plain.p = NULL; /* transferred */
out:
	clv_age_reader_free(&reader);
	clv_guard_put(guard, plain.p);
	return r;
}
