/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>
#include "index.h"

/* Names in bytewise order: sorted when first asked for; later only what is new
 * is sorted, and merged in. */

static int
compare(const void *a, const void *b)
{
	const struct clv__entry *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* How many of the n entries have names up to and including this one. */
static size_t
rank(struct clv__entry *const *v, size_t n, const char *name)
{
	size_t low = 0, mid;

	while (low < n) {
		mid = low + (n - low) / 2;
		if (strcmp(v[mid]->name, name) <= 0)
			low = mid + 1;
		else
			n = mid;
	}
	return low;
}

static void
copy(struct clv__entry **to, struct clv__entry *const *from, size_t n)
{
	if (n != 0) /* from may be NULL then */
		memcpy(to, from, n * sizeof(*to));
}

/* The new ones lie at the end of the larger array meanwhile, which the merging
 * never overtakes. false: no memory, and all is as before. */
static bool
sort_new(struct clv_index *x)
{
	struct clv__entry **order = malloc(x->count * sizeof(*order));
	struct clv__entry **old = x->order, **tail;
	size_t left = x->order_count, fresh = x->count - left, i, n;
	struct clv__entry **at = order;

	if (order == NULL)
		return false;
	tail = order + left;
	copy(tail, x->table.entries + left, fresh);
	qsort(tail, fresh, sizeof(*tail), compare);
	for (i = 0; i < fresh; i++) {
		n = rank(old, left, tail[i]->name);
		copy(at, old, n);
		at += n;
		*at++ = tail[i];
		if (n > 0) /* of none there is no place to move from */
			old += n;
		left -= n;
	}
	copy(at, old, left);
	free(x->order);
	x->order = order;
	x->order_count = x->count;
	return true;
}

static bool
is_listed(const struct clv_index *x, const struct clv__entry *e,
    uint64_t *ret_version)
{
	struct clv__held h;

	if (!clv__index_held(x, e, &h) || h.deleted)
		return false;
	*ret_version = h.version;
	return true;
}

/* Without memory to sort in: look at all. */
static const char *
next_unsorted(
    const struct clv_index *x, const char *after, uint64_t *ret_version)
{
	const struct clv__entry *e;
	const char *best = NULL;
	uint64_t version;
	size_t i;

	for (i = 0; i < x->count; i++) {
		e = x->table.entries[i];
		if (strcmp(e->name, after) <= 0 ||
		    (best != NULL && strcmp(e->name, best) >= 0) ||
		    !is_listed(x, e, &version))
			continue;
		best = e->name;
		*ret_version = version;
	}
	return best;
}

const char *
clv_index_next(struct clv_index *x, const char *after, uint64_t *ret_version)
{
	size_t i;

	if (x->order_count < x->count && !sort_new(x))
		return next_unsorted(x, after, ret_version);
	for (i = rank(x->order, x->order_count, after); i < x->order_count; i++)
		if (is_listed(x, x->order[i], ret_version))
			return x->order[i]->name;
	return NULL;
}
