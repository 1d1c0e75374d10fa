/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <sodium.h>
#include <claviger/buf.h>
#include <claviger/result.h>
#include <claviger/succession.h>
#include "keyring.h"

/*
 * What both keys sign: "claviger-nextkey" || raw system id 16 || u32 generation
 * || u64 time || raw old key || raw new key. The statement is all that without
 * domain and system id, then the old key's signature and the new key's.
 */
#define DOMAIN "claviger-nextkey"

static void
put_claim(const struct clv_succession *s, struct clv_buf *b)
{
	clv_buf_u32(b, s->generation);
	clv_buf_u64(b, s->time_s);
	clv_buf_raw(b, s->old_pk, sizeof(s->old_pk));
	clv_buf_raw(b, s->new_pk, sizeof(s->new_pk));
}

static int
format_claim(const struct clv_succession *s,
    const uint8_t system_id[static CLV_SYSTEM_ID_LEN], struct clv_buf *ret)
{
	clv_buf_raw(ret, system_id, CLV_SYSTEM_ID_LEN);
	put_claim(s, ret);
	return clv_buf_result(ret);
}

int
clv_succession_make(
    const struct clv_keyring *k, uint64_t time_s, struct clv_succession *ret)
{
	struct clv_succession s = {
	    .generation = clv_keyring_newest(k), .time_s = time_s};
	const uint8_t *next = clv_keyring_next_pk(k);
	struct clv_buf b = {0};
	int r;

	if (next == NULL)
		return CLV_E_NOT_FOUND;
	memcpy(s.old_pk, clv_keyring_sign_pk(k), sizeof(s.old_pk));
	memcpy(s.new_pk, next, sizeof(s.new_pk));
	r = format_claim(&s, clv_keyring_system_id(k), &b);
	if (r == CLV_OK)
		r = clv_keyring_sign(k, DOMAIN, b.data, b.len, s.by_old);
	if (r == CLV_OK)
		r = clv__keyring_sign_next(k, DOMAIN, b.data, b.len, s.by_new);
	clv_buf_fini(&b);
	if (r == CLV_OK)
		*ret = s;
	return r;
}

static int
verify(const struct clv_succession *s,
    const uint8_t system_id[static CLV_SYSTEM_ID_LEN])
{
	struct clv_buf b = {0};
	int r = format_claim(s, system_id, &b);

	if (r == CLV_OK)
		r = clv_verify(s->old_pk, DOMAIN, b.data, b.len, s->by_old);
	if (r == CLV_OK)
		r = clv_verify(s->new_pk, DOMAIN, b.data, b.len, s->by_new);
	clv_buf_fini(&b);
	return r;
}

/* It goes on where the one before ended, and comes back to no key. */
static bool
goes_on(const struct clv_succession *s, size_t i)
{
	size_t j;

	if (i > 0 &&
	    (s[i].generation <= s[i - 1].generation ||
		memcmp(s[i].old_pk, s[i - 1].new_pk, CLV_SIGN_PK_LEN) != 0))
		return false;
	for (j = 0; j <= i; j++)
		if (memcmp(s[i].new_pk, s[j].old_pk, CLV_SIGN_PK_LEN) == 0)
			return false;
	return s[i].generation > 0;
}

bool
clv_chain_is(const struct clv_succession *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!goes_on(s, i))
			return false;
	return n <= CLV_SUCCESSIONS_MAX;
}

void
clv_chain_format(const struct clv_succession *s, size_t n, struct clv_buf *ret)
{
	size_t i;

	clv_buf_u32(ret, (uint32_t)n);
	for (i = 0; i < n; i++) {
		put_claim(&s[i], ret);
		clv_buf_raw(ret, s[i].by_old, sizeof(s[i].by_old));
		clv_buf_raw(ret, s[i].by_new, sizeof(s[i].by_new));
	}
}

void
clv_chain_get(struct clv_rd *r,
    struct clv_succession ret[static CLV_SUCCESSIONS_MAX], size_t *ret_n)
{
	size_t n = clv_rd_u32(r), i;

	*ret_n = 0;
	if (n > CLV_SUCCESSIONS_MAX)
		r->failed = true;
	for (i = 0; !r->failed && i < n; i++) {
		ret[i].generation = clv_rd_u32(r);
		ret[i].time_s = clv_rd_u64(r);
		clv_rd_copy(r, ret[i].old_pk, sizeof(ret[i].old_pk));
		clv_rd_copy(r, ret[i].new_pk, sizeof(ret[i].new_pk));
		clv_rd_copy(r, ret[i].by_old, sizeof(ret[i].by_old));
		clv_rd_copy(r, ret[i].by_new, sizeof(ret[i].by_new));
	}
	if (r->failed || !clv_chain_is(ret, n))
		r->failed = true;
	else
		*ret_n = n;
}

size_t
clv_chain_at(const struct clv_succession *s, size_t n,
    const uint8_t pk[static CLV_SIGN_PK_LEN])
{
	size_t i = 0;

	while (i < n && memcmp(s[i].old_pk, pk, CLV_SIGN_PK_LEN) != 0)
		i++;
	return i;
}

int
clv_chain_follow(const struct clv_succession *s, size_t n,
    const uint8_t system_id[static CLV_SYSTEM_ID_LEN],
    const uint8_t pk[static CLV_SIGN_PK_LEN],
    uint8_t ret[static CLV_SIGN_PK_LEN])
{
	const uint8_t *last = pk;
	size_t i;
	int r;

	if (!clv_chain_is(s, n))
		return CLV_E_FORMAT;
	for (i = clv_chain_at(s, n, pk); i < n; i++) {
		r = verify(&s[i], system_id);
		if (r != CLV_OK)
			return r;
		last = s[i].new_pk;
	}
	memmove(ret, last, CLV_SIGN_PK_LEN);
	return CLV_OK;
}
