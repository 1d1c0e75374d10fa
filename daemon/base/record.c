/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <claviger/result.h>
#include "daemon/base/record.h"

bool
record_holds(const struct record *r, uint32_t generation)
{
	for (uint32_t i = 0; i < r->held_count; i++)
		if (r->held[i] == generation)
			return true;
	return false;
}

static void
put_held(const struct clv_keyring *k, uint32_t newest, struct clv_buf *b)
{
	uint32_t n = 0;

	for (size_t i = 0; i < clv_keyring_count(k); i++)
		n += clv_keyring_number(k, i) <= newest;
	clv_buf_u32(b, n);
	for (size_t i = 0; i < clv_keyring_count(k); i++)
		if (clv_keyring_number(k, i) <= newest)
			clv_buf_u32(b, clv_keyring_number(k, i));
}

static void
get_held(struct clv_rd *rd, struct record *r)
{
	r->held_count = clv_rd_u32(rd);
	if (r->held_count > CLV_GENERATIONS_MAX)
		rd->failed = true;
	for (uint32_t i = 0; !rd->failed && i < r->held_count; i++)
		r->held[i] = clv_rd_u32(rd);
}

int
record_format(
    const struct record *r, const struct clv_keyring *k, struct clv_buf *ret)
{
	uint8_t sig[CLV_SIG_LEN];
	int rc;

	clv_buf_raw(ret, r->system_id, sizeof(r->system_id));
	clv_buf_u32(ret, r->generation);
	clv_buf_str(ret, r->where);
	clv_buf_u64(ret, r->time_s);
	put_held(k, r->generation, ret);
	rc = clv_buf_result(ret);
	if (rc == CLV_OK)
		rc = clv_keyring_sign(
		    k, RECORD_DOMAIN, ret->data, ret->len, sig);
	if (rc != CLV_OK)
		return rc;
	clv_buf_raw(ret, sig, sizeof(sig));
	return clv_buf_result(ret);
}

int
record_parse(const void *p, size_t len,
    const uint8_t pk[static CLV_SIGN_PK_LEN], struct record *ret)
{
	struct record r;
	struct clv_rd rd;
	int rc;

	if (len < CLV_SIG_LEN)
		return CLV_E_FORMAT;
	len -= CLV_SIG_LEN;
	rc = clv_verify(pk, RECORD_DOMAIN, p, len, (const uint8_t *)p + len);
	if (rc != CLV_OK)
		return rc;
	clv_rd_init(&rd, p, len);
	clv_rd_copy(&rd, r.system_id, sizeof(r.system_id));
	r.generation = clv_rd_u32(&rd);
	clv_rd_str(&rd, r.where, sizeof(r.where));
	r.time_s = clv_rd_u64(&rd);
	get_held(&rd, &r);
	rc = clv_rd_end(&rd);
	if (rc == CLV_OK)
		*ret = r;
	return rc;
}

int
record_read(const void *p, size_t len, const struct clv_list *list,
    const uint8_t pk[static CLV_SIGN_PK_LEN], struct record *ret)
{
	size_t n = list->succession_count - list->has_next_key;
	int r = record_parse(p, len, pk, ret);

	while (r == CLV_E_SIGNATURE && n-- > 0)
		r = record_parse(p, len, list->successions[n].old_pk, ret);
	return r;
}
