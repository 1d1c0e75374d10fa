/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <sodium.h>
#include <claviger/result.h>
#include "lib/slip39_impl.h"

void
clv__slip39_digest(const uint8_t *random, size_t random_len,
    const uint8_t *secret, size_t len,
    uint8_t ret[static CLV__SLIP39_DIGEST_LEN])
{
	crypto_auth_hmacsha256_state state;
	uint8_t sum[crypto_auth_hmacsha256_BYTES];

	crypto_auth_hmacsha256_init(&state, random, random_len);
	crypto_auth_hmacsha256_update(&state, secret, len);
	crypto_auth_hmacsha256_final(&state, sum);
	memcpy(ret, sum, CLV__SLIP39_DIGEST_LEN);
	sodium_memzero(&state, sizeof(state));
	sodium_memzero(sum, sizeof(sum));
}

/* The points that make the polynomials: random ones at 0, 1, ..., then the
 * digest and the secret. */
static void
make_points(struct clv__slip39_point *p, size_t threshold,
    const uint8_t *secret, size_t len)
{
	struct clv__slip39_point *digest = &p[threshold - 2];

	for (size_t i = 0; i < threshold - 2; i++) {
		p[i].x = (uint8_t)i;
		randombytes_buf(p[i].y, len);
	}
	digest->x = CLV__SLIP39_AT_DIGEST;
	randombytes_buf(
	    digest->y + CLV__SLIP39_DIGEST_LEN, len - CLV__SLIP39_DIGEST_LEN);
	clv__slip39_digest(digest->y + CLV__SLIP39_DIGEST_LEN,
	    len - CLV__SLIP39_DIGEST_LEN, secret, len, digest->y);
	p[threshold - 1].x = CLV__SLIP39_AT_SECRET;
	memcpy(p[threshold - 1].y, secret, len);
}

int
clv__slip39_split_secret(struct clv_guard *guard, size_t threshold, size_t n,
    const uint8_t *secret, size_t len, uint8_t (*ret)[CLV_SLIP39_SECRET_MAX])
{
	struct clv__slip39_point *p;

	if (threshold == 1) {
		for (size_t i = 0; i < n; i++)
			memcpy(ret[i], secret, len);
		return CLV_OK;
	}
	p = clv_guard_get(guard, threshold * sizeof(*p));
	if (p == NULL)
		return CLV_E_FULL;
	make_points(p, threshold, secret, len);
	for (size_t i = 0; i < n; i++) {
		if (i < threshold - 2)
			memcpy(ret[i], p[i].y, len);
		else
			clv__slip39_interpolate(
			    p, threshold, len, (uint8_t)i, ret[i]);
	}
	clv_guard_put(guard, p);
	return CLV_OK;
}

static bool
is_scheme(const struct clv_slip39_scheme *s)
{
	if (s->exponent > CLV_SLIP39_EXPONENT_MAX || s->groups < 1 ||
	    s->groups > CLV_SLIP39_COUNT_MAX || s->group_threshold < 1 ||
	    s->group_threshold > s->groups)
		return false;
	for (size_t g = 0; g < s->groups; g++) {
		size_t k = s->group[g].threshold, n = s->group[g].shares;

		if (k < 1 || k > n || n > CLV_SLIP39_COUNT_MAX ||
		    (k == 1 && n > 1))
			return false;
	}
	return true;
}

/* What an operation works on, in one piece of guarded memory. */
struct work {
	uint8_t secret[CLV_SLIP39_SECRET_MAX];
	uint8_t group[CLV_SLIP39_COUNT_MAX][CLV_SLIP39_SECRET_MAX];
	uint8_t member[CLV_SLIP39_COUNT_MAX][CLV_SLIP39_SECRET_MAX];
};

/* The shares of one group, of which like is a pattern; returns the next. */
static struct clv_slip39_share *
put_group(const struct work *w, const struct clv_slip39_share *like,
    size_t shares, struct clv_slip39_share *to)
{
	for (size_t i = 0; i < shares; i++, to++) {
		*to = *like;
		to->member = (uint8_t)i;
		memcpy(to->value, w->member[i], like->len);
	}
	return to;
}

static int
split(struct clv_guard *guard, const struct clv_slip39_scheme *scheme,
    const char *passphrase, struct work *w, struct clv_slip39_share *like,
    struct clv_slip39_share *to)
{
	int r =
	    clv__slip39_encrypt(guard, like, passphrase, w->secret, like->len);

	if (r == CLV_OK)
		r = clv__slip39_split_secret(guard, scheme->group_threshold,
		    scheme->groups, w->secret, like->len, w->group);
	for (uint8_t g = 0; r == CLV_OK && g < scheme->groups; g++) {
		like->group = g;
		like->threshold = scheme->group[g].threshold;
		r = clv__slip39_split_secret(guard, like->threshold,
		    scheme->group[g].shares, w->group[g], like->len, w->member);
		if (r == CLV_OK)
			to = put_group(w, like, scheme->group[g].shares, to);
	}
	return r;
}

int
clv_slip39_split(struct clv_guard *guard,
    const struct clv_slip39_scheme *scheme, const uint8_t *secret, size_t len,
    const char *passphrase, struct clv_slip39_share **ret_shares, size_t *ret_n)
{
	struct clv_slip39_share like = {.id = randombytes_random() & 0x7fff,
	    .extendable = scheme->extendable,
	    .exponent = scheme->exponent,
	    .group_threshold = scheme->group_threshold,
	    .groups = scheme->groups,
	    .len = (uint8_t)len};
	struct clv_slip39_share *shares = NULL;
	struct work *w;
	size_t n = 0;
	int r = CLV_E_FULL;

	if (!is_scheme(scheme) || len < CLV_SLIP39_SECRET_MIN ||
	    len > CLV_SLIP39_SECRET_MAX || len % 2 != 0 ||
	    (passphrase != NULL && !clv__slip39_is_passphrase(passphrase)))
		return CLV_E_INVALID;
	for (size_t g = 0; g < scheme->groups; g++)
		n += scheme->group[g].shares;
	w = clv_guard_get(guard, sizeof(*w));
	shares = clv_guard_get(guard, n * sizeof(*shares));
	if (w == NULL || shares == NULL)
		goto out;
	memcpy(w->secret, secret, len);
	r = split(guard, scheme, passphrase, w, &like, shares);
	if (r != CLV_OK)
		goto out;
	*ret_shares = shares;
	*ret_n = n;
	shares = NULL; /* transferred */
out:
	clv_guard_put(guard, shares);
	clv_guard_put(guard, w);
	return r;
}
