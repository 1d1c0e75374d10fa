/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_TESTS_QUANTILE_H
#define CLAVIGER_TESTS_QUANTILE_H

#include <stdlib.h>

/* Out of n measured values, n > 0. Sorts them. */

static inline int
quantile_compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* 0 <= q < 1 */
static inline double
quantile(double *v, size_t n, double q)
{
	qsort(v, n, sizeof(*v), quantile_compare);
	return v[(size_t)((double)n * q)];
}

static inline double
median(double *v, size_t n)
{
	return quantile(v, n, 0.5);
}

#endif
