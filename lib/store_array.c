/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdbool.h>
#include <string.h>
#include <claviger/buf.h>

#include "store_internal.h"

/*
 * Arrays as parameters, in PostgreSQL's binary form: u32 dimensions, u32 has
 * NULLs, u32 type of the elements, u32 count, u32 index of the first; then the
 * elements, each as u32 length and bytes. The count is kept up to date as
 * elements are added, so that there is no end to forget.
 */
#define HEAD_LEN 20
#define COUNT_AT 12

static uint32_t
read_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

void
clv_array_begin(struct clv_buf *b, enum clv_array type)
{
	static const uint32_t types[] = {[CLV_ARRAY_INT8] = CLV__OID_INT8,
	    [CLV_ARRAY_TEXT] = CLV__OID_TEXT,
	    [CLV_ARRAY_BYTEA] = CLV__OID_BYTEA};

	clv_buf_u32(b, 1);
	clv_buf_u32(b, 0);
	clv_buf_u32(b, types[type]);
	clv_buf_u32(b, 0);
	clv_buf_u32(b, 1);
}

void
clv_array_add(struct clv_buf *b, const void *p, size_t len)
{
	uint8_t *count;

	clv_buf_bytes(b, p, len);
	if (b->failed)
		return;
	count = b->data + COUNT_AT;
	for (int i = 3; i >= 0 && ++count[i] == 0; i--)
		;
}

void
clv_array_add_u64(struct clv_buf *b, uint64_t v)
{
	uint8_t be[8];

	clv_param_u64(v, be);
	clv_array_add(b, be, sizeof(be));
}

struct clv_param
clv_param_array(const struct clv_buf *b)
{
	return (struct clv_param){b->data, b->len};
}

/* Is it a whole array of this type, of elements that are none of them NULL? */
bool
clv__array_fits(const struct clv_param *param, uint32_t type)
{
	const uint8_t *p = param->p, *end;
	uint32_t count, len;

	if (param->len < HEAD_LEN)
		return false;
	end = p + param->len;
	if (read_u32(p) != 1 || read_u32(p + 4) != 0 || read_u32(p + 8) != type)
		return false;
	count = read_u32(p + COUNT_AT);
	for (p += HEAD_LEN; count > 0; count--, p += len) {
		if (end - p < 4)
			return false;
		len = read_u32(p);
		p += 4;
		if (len > (size_t)(end - p) ||
		    (type == CLV__OID_INT8 && len != 8))
			return false;
	}
	return p == end;
}
