/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/vault/inspect_impl.h"

/* The data keys of the application: does each open as what it claims to be? */

void
inspect_keys_drop(struct inspect *i)
{
	clv_guard_put(i->v->k->guard, i->secret);
	free(i->keys);
	i->secret = NULL;
	i->keys = NULL;
	i->key_count = 0;
}

const uint8_t *
inspect_key_find(const struct inspect *i, uint32_t version)
{
	for (size_t n = i->key_count; version > 0 && n-- > 0;)
		if (i->keys[n].version == version)
			return i->keys[n].here ? i->secret[n] : NULL;
	return NULL;
}

static void
key_name(uint32_t version, char name[static 32])
{
	if (version == 0)
		snprintf(name, 32, "index key");
	else
		snprintf(name, 32, "data key %u", version);
}

/* app_key: guarded room for one key. */
static void
open_one(struct inspect *i, uint8_t *app_key, size_t n,
    const struct db_field *wrapped)
{
	struct keeper *k = i->v->k;
	struct inspect_found *f = i->keys_again ? NULL : &i->found;
	struct inspect_key *key = &i->keys[n];
	struct clv_datakey_id id = {
	    member_system_id(k), i->app, key->version, key->generation};
	char name[32];
	int r;

	key_name(key->version, name);
	r = member_app_key(k, i->app, key->generation, app_key);
	if (r == CLV_OK)
		r = clv_datakey_unwrap(
		    app_key, &id, wrapped->p, wrapped->len, i->secret[n]);
	key->here = r == CLV_OK;
	if (r == CLV_E_GENERATION)
		inspect_found(f, "generation", name,
		    "it is under generation %u, whose key is not here",
		    key->generation);
	else if (r != CLV_OK)
		inspect_found(f, "key-changed", name,
		    "its row in the database is not what the server wrote");
}

static void
open_all(struct inspect *i, uint8_t *app_key, const struct db_result *r)
{
	struct inspect_found *f = i->keys_again ? NULL : &i->found;
	char name[32];

	for (size_t n = 0; n < r->rows; n++) {
		i->keys[n].version = (uint32_t)db_u64(r, n, 0);
		i->keys[n].generation = (uint32_t)db_u64(r, n, 1);
		key_name(i->keys[n].version, name);
		if (n == 0 ? i->keys[0].version != 0
			   : i->keys[n].version <= i->keys[n - 1].version)
			inspect_found(f, "key-changed", name,
			    "it is not in its place among the keys: one is "
			    "missing or stands there twice");
		open_one(i, app_key, n, db_field(r, n, 2));
	}
}

static int
take(struct inspect *i, const struct db_result *r)
{
	uint8_t *app_key;
	int rc = CLV_OK;

	inspect_keys_drop(i);
	if (r->rows > CLV_DATAKEYS_MAX + 1)
		return CLV_E_FULL;
	app_key = vault_guard_get(i->v, CLV_KEY_LEN);
	i->keys = calloc(r->rows + 1, sizeof(*i->keys));
	i->secret = vault_guard_get(i->v, (r->rows + 1) * sizeof(*i->secret));
	if (app_key == NULL || i->keys == NULL || i->secret == NULL)
		rc = CLV_E_FULL;
	else
		open_all(i, app_key, r);
	clv_guard_put(i->v->k->guard, app_key);
	i->key_count = rc == CLV_OK ? r->rows : 0;
	return rc;
}

/* Without an index key there is nothing to hold the rows against: what is in
 * them is all that can be looked at. */
static int
begin_index(struct inspect *i)
{
	i->phase = INSPECT_RECORDS;
	if (i->key_count == 0 || i->keys[0].version != 0 || !i->keys[0].here)
		return CLV_OK;
	i->index_key = vault_guard_get(i->v, CLV_KEY_LEN);
	if (i->index_key == NULL)
		return CLV_E_FULL;
	memcpy(i->index_key, i->secret[0], CLV_KEY_LEN);
	i->phase = INSPECT_INDEX;
	return clv_index_new(
	    i->index_key, member_system_id(i->v->k), i->app, &i->index);
}

static void
on_keys(struct keeper *k, void *arg, const struct db_result *r)
{
	struct inspect *i = arg;
	int rc;

	(void)k;
	if (!inspect_answered(i, r))
		return;
	rc = take(i, r);
	if (rc == CLV_OK && i->keys_again)
		inspect_go_on(
		    i, i->index != NULL ? INSPECT_FOLLOW : INSPECT_END);
	else if (rc == CLV_OK)
		rc = begin_index(i);
	if (rc != CLV_OK) {
		inspect_fail(i, rc, "");
		return;
	}
	if (r->rows == 0 && !i->keys_again) {
		inspect_found(&i->found, "keys-missing", i->app,
		    "the database has no keys of it");
		i->phase = INSPECT_END;
	}
	inspect_tell(i);
}

void
inspect_keys(struct inspect *i)
{
	struct clv_param p = {i->app, strlen(i->app)};

	inspect_call(i, CLV_STMT_GET_KEYS, &p, 1, on_keys, i);
}
