/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/vault/vault_impl.h"

/*
 * Values that were read, in guarded memory: for callers that say that this is
 * good enough, and for everybody while the database is away. Bounded; the one
 * not used for longest goes first.
 */

static struct vault_value **
bucket_of(struct vault *v, const char *app, const char *name)
{
	uint8_t hash[crypto_shorthash_BYTES];
	uint8_t text[CLV_NAME_MAX + VAULT_NAME_MAX];
	size_t app_len = strlen(app) + 1, name_len = strlen(name);
	uint16_t i;

	memcpy(text, app, app_len);
	memcpy(text + app_len, name, name_len);
	crypto_shorthash(hash, text, app_len + name_len, v->hash_key);
	memcpy(&i, hash, sizeof(i));
	return &v->bucket[i % VAULT_BUCKETS];
}

static void
use_unlink(struct vault *v, struct vault_value *x)
{
	if (x->newer != NULL)
		x->newer->older = x->older;
	else
		v->newest = x->older;
	if (x->older != NULL)
		x->older->newer = x->newer;
	else
		v->oldest = x->newer;
}

static void
use_link(struct vault *v, struct vault_value *x)
{
	x->newer = NULL;
	x->older = v->newest;
	if (v->newest != NULL)
		v->newest->newer = x;
	else
		v->oldest = x;
	v->newest = x;
}

static void
drop(struct vault *v, struct vault_value *x)
{
	struct vault_value **pp = bucket_of(v, x->app, x->name);

	while (*pp != x)
		pp = &(*pp)->chain;
	*pp = x->chain;
	use_unlink(v, x);
	v->cached--;
	v->cached_len -= x->len;
	clv_guard_put(v->k->guard, x->value);
	free(x);
}

static struct vault_value *
find(struct vault *v, const char *app, const char *name)
{
	struct vault_value *x;

	for (x = *bucket_of(v, app, name); x != NULL; x = x->chain)
		if (strcmp(x->name, name) == 0 && strcmp(x->app, app) == 0)
			return x;
	return NULL;
}

const struct vault_value *
vault_cache_get(struct vault *v, const char *app, const char *name)
{
	struct vault_value *x = find(v, app, name);

	if (x != NULL && x != v->newest) {
		use_unlink(v, x);
		use_link(v, x);
	}
	return x;
}

static uint8_t *
make_room(struct vault *v, size_t len)
{
	uint8_t *p;

	while (v->oldest != NULL && (v->cached >= VAULT_CACHE_MAX ||
					v->cached_len + len > VAULT_CACHE_LEN))
		drop(v, v->oldest);
	while (
	    (p = clv_guard_get(v->k->guard, len)) == NULL && v->oldest != NULL)
		drop(v, v->oldest);
	return p;
}

/* It is a help, not a promise: what does not fit is not kept. An answer that
 * comes late may bring a version that was replaced meanwhile. */
void
vault_cache_put(struct vault *v, const char *app, const char *name,
    uint64_t version, const void *p, size_t len)
{
	struct vault_value *x = find(v, app, name), **bucket;

	if (x != NULL && x->version > version)
		return;
	if (x != NULL)
		drop(v, x);
	x = calloc(1, sizeof(*x));
	if (x == NULL)
		return;
	x->value = make_room(v, len);
	if (x->value == NULL) {
		free(x);
		return;
	}
	if (len > 0)
		memcpy(x->value, p, len);
	x->len = len;
	x->version = version;
	snprintf(x->app, sizeof(x->app), "%s", app);
	snprintf(x->name, sizeof(x->name), "%s", name);
	bucket = bucket_of(v, app, name);
	x->chain = *bucket;
	*bucket = x;
	use_link(v, x);
	v->cached++;
	v->cached_len += len;
}

void
vault_cache_forget(struct vault *v, const char *app, const char *name)
{
	struct vault_value *x = find(v, app, name);

	if (x != NULL)
		drop(v, x);
}

void
vault_cache_drop(struct vault *v)
{
	while (v->oldest != NULL)
		drop(v, v->oldest);
}

void
vault_cache_drop_app(struct vault *v, const char *app)
{
	struct vault_value *x, *older;

	for (x = v->newest; x != NULL; x = older) {
		older = x->older;
		if (strcmp(x->app, app) == 0)
			drop(v, x);
	}
}
