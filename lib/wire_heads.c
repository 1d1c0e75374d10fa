/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <sodium.h>
#include <claviger/buf.h>
#include <claviger/result.h>
#include <claviger/wire.h>

/* FETCH's u32 generation, u64 list version; HEADS' u32 n, n x { str
 * application, u64 counter, u64 linked, raw link 8 }. */

void
clv_wire_holds_format(const struct clv_wire_holds *h, struct clv_buf *ret)
{
	clv_buf_u32(ret, h->generation);
	clv_buf_u64(ret, h->list_version);
}

int
clv_wire_holds_parse(const void *p, size_t len, struct clv_wire_holds *ret)
{
	struct clv_wire_holds h;
	struct clv_rd r;

	clv_rd_init(&r, p, len);
	h.generation = clv_rd_u32(&r);
	h.list_version = clv_rd_u64(&r);
	if (clv_rd_end(&r) != CLV_OK)
		return CLV_E_FORMAT;
	*ret = h;
	return CLV_OK;
}

/* A good one, that is not among the first n. */
static bool
is_head_valid(
    const struct clv_wire_head *all, size_t n, const struct clv_wire_head *h)
{
	bool is_linked = !sodium_is_zero(h->head.link, sizeof(h->head.link));

	if (clv_name_check(h->app) != CLV_OK ||
	    h->head.counter > CLV_WIRE_COUNTER_MAX ||
	    h->head.linked > h->head.counter ||
	    (h->head.linked > 0) != is_linked)
		return false;
	for (size_t i = 0; i < n; i++)
		if (strcmp(all[i].app, h->app) == 0)
			return false;
	return true;
}

int
clv_wire_heads_format(
    const struct clv_wire_head *h, size_t n, struct clv_buf *ret)
{
	if (n > CLV_WIRE_HEADS_MAX)
		return CLV_E_FULL;
	for (size_t i = 0; i < n; i++)
		if (!is_head_valid(h, i, &h[i]))
			return CLV_E_INVALID;
	clv_buf_u32(ret, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		clv_buf_str(ret, h[i].app);
		clv_buf_u64(ret, h[i].head.counter);
		clv_buf_u64(ret, h[i].head.linked);
		clv_buf_raw(ret, h[i].head.link, sizeof(h[i].head.link));
	}
	return clv_buf_result(ret);
}

int
clv_wire_heads_parse(const void *p, size_t len,
    struct clv_wire_head ret[static CLV_WIRE_HEADS_MAX], size_t *ret_n)
{
	const uint8_t *link;
	struct clv_rd r;
	uint32_t n;

	clv_rd_init(&r, p, len);
	n = clv_rd_u32(&r);
	if (n > CLV_WIRE_HEADS_MAX)
		return CLV_E_FORMAT;
	for (uint32_t i = 0; i < n; i++) {
		clv_rd_str(&r, ret[i].app, sizeof(ret[i].app));
		ret[i].head.counter = clv_rd_u64(&r);
		ret[i].head.linked = clv_rd_u64(&r);
		link = clv_rd_raw(&r, sizeof(ret[i].head.link));
		if (link == NULL)
			return CLV_E_FORMAT;
		memcpy(ret[i].head.link, link, sizeof(ret[i].head.link));
		if (!is_head_valid(ret, i, &ret[i]))
			return CLV_E_FORMAT;
	}
	if (clv_rd_end(&r) != CLV_OK)
		return CLV_E_FORMAT;
	*ret_n = n;
	return CLV_OK;
}
