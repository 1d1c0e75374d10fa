/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <claviger/result.h>
#include "lib/slip39_impl.h"

struct sort {
	struct clv_slip39_share some[CLV_SLIP39_COUNT_MAX];
	struct clv_slip39_share behind[CLV_SLIP39_COUNT_MAX];
	uint8_t secret[CLV_SLIP39_SECRET_MAX];
};

/* Do those shares whose bits are set make a secret? */
static int
try(struct clv_guard *guard, struct sort *s,
    const struct clv_slip39_share *shares, size_t n, uint32_t which)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		if ((which >> i & 1) != 0)
			s->some[count++] = shares[i];
	}
	return clv__slip39_recover(guard, s->some, count, s->secret, NULL);
}

/* The first so many that do. */
static int
find(struct clv_guard *guard, struct sort *s,
    const struct clv_slip39_share *shares, size_t n, uint32_t *ret_which)
{
	int r = CLV_E_DIGEST;

	for (uint32_t which = 1; which < 1u << n; which++) {
		if (__builtin_popcount(which) != shares[0].threshold)
			continue;
		r = try(guard, s, shares, n, which);
		if (r == CLV_OK)
			*ret_which = which;
		if (r != CLV_E_DIGEST)
			break;
	}
	return r;
}

/* Each of the others in the place of one that is right. */
static int
judge(struct clv_guard *guard, struct sort *s,
    const struct clv_slip39_share *shares, size_t n, uint32_t right,
    bool *ret_wrong)
{
	uint32_t without = right & (right - 1);
	int r;

	for (size_t i = 0; i < n; i++) {
		r = (right >> i & 1) != 0
			? CLV_OK
			: try(guard, s, shares, n, without | 1u << i);
		if (r != CLV_OK && r != CLV_E_DIGEST)
			return r;
		ret_wrong[i] = r == CLV_E_DIGEST;
	}
	return CLV_OK;
}

static void
put_behind(
    struct sort *s, struct clv_slip39_share *shares, size_t n, uint32_t right)
{
	size_t front = 0, behind = 0;

	for (size_t i = 0; i < n; i++) {
		if ((right >> i & 1) != 0)
			shares[front++] = shares[i];
		else
			s->behind[behind++] = shares[i];
	}
	memcpy(shares + front, s->behind, behind * sizeof(*shares));
}

int
clv_slip39_sort_out(struct clv_guard *guard, struct clv_slip39_share *shares,
    size_t n, bool *ret_wrong)
{
	uint32_t right = 0;
	struct sort *s;
	size_t at;
	int r;

	if (n == 0 || n > CLV_SLIP39_COUNT_MAX || shares[0].groups != 1 ||
	    shares[0].threshold < 2 || n <= shares[0].threshold ||
	    clv_slip39_check(shares, n, &at) != CLV_E_SHARES)
		return CLV_E_INVALID;
	s = clv_guard_get(guard, sizeof(*s));
	if (s == NULL)
		return CLV_E_FULL;
	r = find(guard, s, shares, n, &right);
	if (r == CLV_OK)
		r = judge(guard, s, shares, n, right, ret_wrong);
	if (r == CLV_OK)
		put_behind(s, shares, n, right);
	clv_guard_put(guard, s);
	return r;
}
