/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include "lib/slip39_impl.h"

uint8_t
clv__gf256_mul(uint8_t a, uint8_t b)
{
	unsigned left = a, product = 0;

	for (unsigned bit = 0; bit < 8; bit++) {
		product ^= left & (0u - ((b >> bit) & 1u));
		left = (left << 1) ^ (0x11bu & (0u - (left >> 7)));
	}
	return (uint8_t)product;
}

/* a^254, as a^255 = 1 */
uint8_t
clv__gf256_inverse(uint8_t a)
{
	uint8_t power = a, product = 1;

	for (int i = 0; i < 7; i++) {
		power = clv__gf256_mul(power, power);
		product = clv__gf256_mul(product, power);
	}
	return product;
}

/* The i-th Lagrange polynomial at x: 1 at its own point, 0 at the others. */
static uint8_t
lagrange(const struct clv__slip39_point *p, size_t n, size_t i, uint8_t x)
{
	uint8_t above = 1, below = 1;

	for (size_t j = 0; j < n; j++) {
		if (j == i)
			continue;
		above = clv__gf256_mul(above, x ^ p[j].x);
		below = clv__gf256_mul(below, p[i].x ^ p[j].x);
	}
	return clv__gf256_mul(above, clv__gf256_inverse(below));
}

void
clv__slip39_interpolate(const struct clv__slip39_point *points, size_t n,
    size_t len, uint8_t x, uint8_t *ret)
{
	memset(ret, 0, len);
	for (size_t i = 0; i < n; i++) {
		uint8_t factor = lagrange(points, n, i, x);

		for (size_t k = 0; k < len; k++)
			ret[k] ^= clv__gf256_mul(points[i].y[k], factor);
	}
}
