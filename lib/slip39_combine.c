/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <sodium.h>
#include <claviger/result.h>
#include "lib/slip39_impl.h"

/* The most that can be needed: every group, each with all its shares. */
#define SHARES_MAX (CLV_SLIP39_COUNT_MAX * CLV_SLIP39_COUNT_MAX)

int
clv__slip39_recover_secret(struct clv_guard *guard,
    const struct clv__slip39_point *points, size_t threshold, size_t len,
    uint8_t *ret)
{
	struct recovered {
		uint8_t secret[CLV_SLIP39_SECRET_MAX];
		uint8_t digest[CLV_SLIP39_SECRET_MAX];
		uint8_t expected[CLV__SLIP39_DIGEST_LEN];
	} * w;
	int r = CLV_OK;

	if (threshold == 1) {
		memcpy(ret, points[0].y, len);
		return CLV_OK;
	}
	w = clv_guard_get(guard, sizeof(*w));
	if (w == NULL)
		return CLV_E_FULL;
	clv__slip39_interpolate(
	    points, threshold, len, CLV__SLIP39_AT_SECRET, w->secret);
	clv__slip39_interpolate(
	    points, threshold, len, CLV__SLIP39_AT_DIGEST, w->digest);
	clv__slip39_digest(w->digest + CLV__SLIP39_DIGEST_LEN,
	    len - CLV__SLIP39_DIGEST_LEN, w->secret, len, w->expected);
	if (sodium_memcmp(w->digest, w->expected, sizeof(w->expected)) != 0)
		r = CLV_E_DIGEST;
	else
		memcpy(ret, w->secret, len);
	clv_guard_put(guard, w);
	return r;
}

static bool
is_same_set(const struct clv_slip39_share *a, const struct clv_slip39_share *b)
{
	return a->id == b->id && a->extendable == b->extendable &&
	       a->exponent == b->exponent &&
	       a->group_threshold == b->group_threshold &&
	       a->groups == b->groups && a->len == b->len &&
	       (a->group != b->group || a->threshold == b->threshold);
}

static size_t
count_same_set(const struct clv_slip39_share *shares, size_t n, size_t i)
{
	size_t same = 0;

	for (size_t j = 0; j < n; j++)
		same += is_same_set(&shares[i], &shares[j]);
	return same;
}

/* The share that does not belong to what most belong to, or n. */
static size_t
find_stranger(const struct clv_slip39_share *shares, size_t n)
{
	size_t at = n, least = n;

	for (size_t i = 0; i < n; i++) {
		size_t same = count_same_set(shares, n, i);

		if (same < n && same <= least) {
			least = same;
			at = i;
		}
	}
	return at;
}

/* The second one of two that stand at the same place, or n. */
static size_t
find_duplicate(const struct clv_slip39_share *shares, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		for (size_t j = 0; j < i; j++) {
			if (shares[i].group == shares[j].group &&
			    shares[i].member == shares[j].member)
				return i;
		}
	}
	return n;
}

/* So many groups as are needed, each with so many shares as it needs. */
static bool
is_enough(const struct clv_slip39_share *shares, size_t n)
{
	size_t members[CLV_SLIP39_COUNT_MAX] = {0}, groups = 0;

	for (size_t i = 0; i < n; i++)
		groups += members[shares[i].group]++ == 0;
	for (size_t i = 0; i < n; i++) {
		if (members[shares[i].group] != shares[i].threshold)
			return false;
	}
	return groups == shares[0].group_threshold;
}

int
clv_slip39_check(
    const struct clv_slip39_share *shares, size_t n, size_t *ret_share)
{
	*ret_share = n;
	if (n == 0 || n > SHARES_MAX)
		return CLV_E_SHARES;
	for (size_t i = 0; i < n; i++) {
		if (!clv__slip39_is_sound(&shares[i]))
			return CLV_E_INVALID;
	}
	*ret_share = find_stranger(shares, n);
	if (*ret_share < n)
		return CLV_E_MIXED;
	*ret_share = find_duplicate(shares, n);
	if (*ret_share < n)
		return CLV_E_DUPLICATE;
	return is_enough(shares, n) ? CLV_OK : CLV_E_SHARES;
}

struct work {
	struct clv__slip39_point member[CLV_SLIP39_COUNT_MAX];
	struct clv__slip39_point group[CLV_SLIP39_COUNT_MAX];
};

static int
recover_group(struct clv_guard *guard, struct work *w,
    const struct clv_slip39_share *shares, size_t n, uint8_t group,
    struct clv__slip39_point *ret)
{
	size_t members = 0, len = shares[0].len;

	for (size_t i = 0; i < n; i++) {
		if (shares[i].group != group)
			continue;
		w->member[members].x = shares[i].member;
		memcpy(w->member[members++].y, shares[i].value, len);
	}
	ret->x = group;
	return clv__slip39_recover_secret(
	    guard, w->member, members, len, ret->y);
}

static bool
has_group(const struct clv_slip39_share *shares, size_t n, uint8_t group)
{
	for (size_t i = 0; i < n; i++) {
		if (shares[i].group == group)
			return true;
	}
	return false;
}

static int
recover(struct clv_guard *guard, const struct clv_slip39_share *shares,
    size_t n, uint8_t *ret)
{
	struct work *w = clv_guard_get(guard, sizeof(*w));
	size_t groups = 0;
	int r = CLV_OK;

	if (w == NULL)
		return CLV_E_FULL;
	for (uint8_t g = 0; r == CLV_OK && g < CLV_SLIP39_COUNT_MAX; g++) {
		if (has_group(shares, n, g))
			r = recover_group(
			    guard, w, shares, n, g, &w->group[groups++]);
	}
	if (r == CLV_OK)
		r = clv__slip39_recover_secret(
		    guard, w->group, groups, shares[0].len, ret);
	clv_guard_put(guard, w);
	return r;
}

int
clv__slip39_recover(struct clv_guard *guard,
    const struct clv_slip39_share *shares, size_t n, uint8_t *ret,
    size_t *ret_share)
{
	size_t at;
	int r = clv_slip39_check(shares, n, &at);

	if (ret_share != NULL)
		*ret_share = at;
	return r == CLV_OK ? recover(guard, shares, n, ret) : r;
}

int
clv_slip39_combine(struct clv_guard *guard,
    const struct clv_slip39_share *shares, size_t n, const char *passphrase,
    uint8_t *ret_secret, size_t *ret_len, size_t *ret_share)
{
	uint8_t *secret;
	int r;

	if (passphrase != NULL && !clv__slip39_is_passphrase(passphrase))
		return CLV_E_INVALID;
	secret = clv_guard_get(guard, CLV_SLIP39_SECRET_MAX);
	if (secret == NULL)
		return CLV_E_FULL;
	r = clv__slip39_recover(guard, shares, n, secret, ret_share);
	if (r == CLV_OK)
		r = clv__slip39_decrypt(
		    guard, &shares[0], passphrase, secret, shares[0].len);
	if (r == CLV_OK) {
		memcpy(ret_secret, secret, shares[0].len);
		*ret_len = shares[0].len;
	}
	clv_guard_put(guard, secret);
	return r;
}
