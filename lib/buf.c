/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include <claviger/buf.h>
#include <claviger/result.h>

#define FIRST_CAP 256

void
clv_buf_init(struct clv_buf *b)
{
	*b = (struct clv_buf){0};
}

void
clv_buf_fini(struct clv_buf *b)
{
	if (b->data != NULL) {
		sodium_memzero(b->data, b->cap);
		free(b->data);
	}
	clv_buf_init(b);
}

void
clv_buf_reset(struct clv_buf *b)
{
	if (b->data != NULL)
		sodium_memzero(b->data, b->cap);
	b->len = 0;
	b->failed = false;
	b->full = false;
}

/* Move to a larger block. realloc() would leave the old bytes in the heap. */
static bool
grow(struct clv_buf *b, size_t need, size_t max)
{
	size_t cap = b->cap != 0 ? b->cap : FIRST_CAP;
	uint8_t *data;

	while (cap < need)
		cap *= 2; /* need <= CLV_BUF_MAX or max: no overflow */
	if (cap > max)
		cap = max;
	data = malloc(cap);
	if (data == NULL)
		return false;
	if (b->data != NULL) {
		memcpy(data, b->data, b->len);
		sodium_memzero(b->data, b->cap);
		free(b->data);
	}
	b->data = data;
	b->cap = cap;
	return true;
}

/* Room for len more bytes, or NULL and the failure sticks. */
static uint8_t *
extend(struct clv_buf *b, size_t len)
{
	size_t max = b->max != 0 ? b->max : CLV_BUF_MAX;
	uint8_t *at;

	if (b->failed)
		return NULL;
	if (b->len > max || len > max - b->len) {
		b->failed = true;
		b->full = true;
		return NULL;
	}
	if (b->len + len > b->cap && !grow(b, b->len + len, max)) {
		b->failed = true;
		return NULL;
	}
	at = b->data + b->len;
	b->len += len;
	return at;
}

void
clv_buf_raw(struct clv_buf *b, const void *p, size_t len)
{
	uint8_t *at;

	if (len == 0)
		return;
	at = extend(b, len);
	if (at != NULL)
		memcpy(at, p, len);
}

static void
put_integer(struct clv_buf *b, uint64_t v, size_t width)
{
	uint8_t *at = extend(b, width);
	size_t i;

	if (at == NULL)
		return;
	for (i = width; i-- > 0; v >>= 8)
		at[i] = (uint8_t)v;
}

void
clv_buf_u8(struct clv_buf *b, uint8_t v)
{
	put_integer(b, v, 1);
}

void
clv_buf_u16(struct clv_buf *b, uint16_t v)
{
	put_integer(b, v, 2);
}

void
clv_buf_u32(struct clv_buf *b, uint32_t v)
{
	put_integer(b, v, 4);
}

void
clv_buf_u64(struct clv_buf *b, uint64_t v)
{
	put_integer(b, v, 8);
}

void
clv_buf_bytes(struct clv_buf *b, const void *p, size_t len)
{
	if (len > UINT32_MAX) {
		b->failed = true;
		b->full = true;
		return;
	}
	clv_buf_u32(b, (uint32_t)len);
	clv_buf_raw(b, p, len);
}

void
clv_buf_str(struct clv_buf *b, const char *s)
{
	clv_buf_bytes(b, s, strlen(s));
}

int
clv_buf_result(const struct clv_buf *b)
{
	if (!b->failed)
		return CLV_OK;
	return b->full ? CLV_E_FULL : CLV_E_NOMEM;
}

void
clv_rd_init(struct clv_rd *r, const void *p, size_t len)
{
	/* A reader over nothing still has an address to give out, so that
	 * NULL means failure and nothing else. */
	r->p = len != 0 ? p : (const void *)"";
	r->len = len;
	r->failed = false;
}

const uint8_t *
clv_rd_raw(struct clv_rd *r, size_t len)
{
	const uint8_t *at = r->p;

	if (r->failed || len > r->len) {
		r->failed = true;
		return NULL;
	}
	r->p += len;
	r->len -= len;
	return at;
}

static uint64_t
get_integer(struct clv_rd *r, size_t width)
{
	const uint8_t *at = clv_rd_raw(r, width);
	uint64_t v = 0;
	size_t i;

	for (i = 0; at != NULL && i < width; i++)
		v = v << 8 | at[i];
	return v;
}

uint8_t
clv_rd_u8(struct clv_rd *r)
{
	return (uint8_t)get_integer(r, 1);
}

uint16_t
clv_rd_u16(struct clv_rd *r)
{
	return (uint16_t)get_integer(r, 2);
}

uint32_t
clv_rd_u32(struct clv_rd *r)
{
	return (uint32_t)get_integer(r, 4);
}

uint64_t
clv_rd_u64(struct clv_rd *r)
{
	return get_integer(r, 8);
}

void
clv_rd_copy(struct clv_rd *r, void *dst, size_t len)
{
	const uint8_t *at = clv_rd_raw(r, len);

	if (len == 0)
		return;
	if (at != NULL)
		memcpy(dst, at, len);
	else
		memset(dst, 0, len);
}

const uint8_t *
clv_rd_bytes(struct clv_rd *r, size_t *ret_len)
{
	size_t len = clv_rd_u32(r);
	const uint8_t *at = clv_rd_raw(r, len);

	*ret_len = at != NULL ? len : 0;
	return at;
}

static bool
is_text(const uint8_t *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (p[i] < 0x20 || p[i] == 0x7f)
			return false;
	return true;
}

void
clv_rd_str(struct clv_rd *r, char *dst, size_t cap)
{
	size_t len;
	const uint8_t *at = clv_rd_bytes(r, &len);

	if (cap == 0) {
		r->failed = true;
		return;
	}
	dst[0] = '\0';
	if (at == NULL || len >= cap || !is_text(at, len)) {
		r->failed = true;
		return;
	}
	memcpy(dst, at, len);
	dst[len] = '\0';
}

int
clv_rd_end(const struct clv_rd *r)
{
	return r->failed || r->len != 0 ? CLV_E_FORMAT : CLV_OK;
}
