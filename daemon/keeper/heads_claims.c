/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <claviger/result.h>

#include "daemon/keeper/heads_claims.h"

void
heads_claims_fini(struct heads_claims *c)
{
	free(c->of);
	memset(c, 0, sizeof(*c));
}

/* The first that is not below this name. */
static size_t
place(const struct heads_claims *c, const char *app)
{
	size_t low = 0, high = c->n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (strcmp(c->of[mid].app, app) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool
is_at(const struct heads_claims *c, size_t at, const char *app)
{
	return at < c->n && strcmp(c->of[at].app, app) == 0;
}

static bool
is_new(const struct heads_claim *had, const struct heads_claim *said)
{
	if (strcmp(said->by, had->by) != 0)
		return said->head.counter > had->head.counter;
	return said->head.counter != had->head.counter ||
	       said->head.linked != had->head.linked ||
	       memcmp(said->head.link, had->head.link, CLV_LINK_LEN) != 0;
}

int
heads_claims_put(struct heads_claims *c, const struct heads_claim *said)
{
	size_t at = place(c, said->app);
	struct heads_claim *more;

	if (is_at(c, at, said->app)) {
		if (!is_new(&c->of[at], said))
			return CLV_E_EXISTS;
		c->of[at] = *said;
		return CLV_OK;
	}
	more = reallocarray(c->of, c->n + 1, sizeof(*more));
	if (more == NULL)
		return CLV_E_NOMEM;
	c->of = more;
	memmove(&more[at + 1], &more[at], (c->n - at) * sizeof(*more));
	more[at] = *said;
	c->n++;
	return CLV_OK;
}

const struct heads_claim *
heads_claims_find(const struct heads_claims *c, const char *app)
{
	size_t at = place(c, app);

	return is_at(c, at, app) ? &c->of[at] : NULL;
}

const struct heads_claim *
heads_claims_next(const struct heads_claims *c, const char *after)
{
	size_t at = place(c, after);

	at += is_at(c, at, after);
	return at < c->n ? &c->of[at] : NULL;
}

void
heads_claims_drop(struct heads_claims *c, const char *app)
{
	size_t at = place(c, app);

	if (!is_at(c, at, app))
		return;
	c->n--;
	memmove(&c->of[at], &c->of[at + 1], (c->n - at) * sizeof(c->of[0]));
}

static bool
is_known(const struct clv_list *list, const struct heads_claim *c)
{
	const struct clv_list_node *n = clv_list_node_by_name(list, c->by);
	const struct clv_list_member *m = clv_list_member_by_name(list, c->by);

	return ((n != NULL && !n->revoked) || (m != NULL && !m->revoked)) &&
	       clv_list_app_by_name(list, c->app) != NULL;
}

void
heads_claims_sweep(struct heads_claims *c, const struct clv_list *list)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->n; i++)
		if (is_known(list, &c->of[i]))
			c->of[kept++] = c->of[i];
	c->n = kept;
}
