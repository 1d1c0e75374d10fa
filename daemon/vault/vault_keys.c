/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/vault/vault_impl.h"

/*
 * Data keys of one application: wrapped in PostgreSQL, opened with the
 * application's key of the generation that each is wrapped under. None is ever
 * given up while the application is there, so their versions leave no gap.
 */

static void
keys_free(struct vault_app *a)
{
	clv_guard_put(a->v->k->guard, a->secret);
	free(a->keys);
	a->secret = NULL;
	a->keys = NULL;
	a->key_count = 0;
}

void
vault_keys_drop(struct vault_app *a)
{
	vault_index_drop(a); /* it borrows the index key */
	clv_guard_put(a->v->k->guard, a->index_key);
	a->index_key = NULL;
	keys_free(a);
	a->keys_due = false;
	a->key_loads = 0;
}

int
vault_key_find(const struct vault_app *a, uint32_t version, const uint8_t **ret)
{
	if (version == 0 || version >= a->key_count)
		return CLV_E_NOT_FOUND;
	if (!a->keys[version].here)
		return CLV_E_GENERATION;
	*ret = a->secret[version];
	return CLV_OK;
}

/* CLV_E_NOT_FOUND: there is none of that version. CLV_E_DAMAGED: another. One
 * of a generation that is unknown here cannot be told from another: it will be
 * when it opens. */
static int
compare_newest(const struct vault_app *a)
{
	const uint8_t *key;
	int r = vault_key_find(a, clv_index_key_version(a->index), &key);

	if (r == CLV_E_GENERATION)
		return CLV_OK;
	if (r == CLV_OK && !clv_index_is_newest(a->index, key))
		return CLV_E_DAMAGED;
	return r;
}

void
vault_keys_compare(struct vault_app *a)
{
	bool fits = compare_newest(a) == CLV_OK;

	a->keys_due = !fits;
	a->current = fits;
	a->newest = fits ? clv_index_key_version(a->index) : 0;
	if (fits)
		a->key_loads = 0;
}

bool
vault_keys_waited(const struct vault_app *a)
{
	struct keeper *k = a->v->k;
	uint8_t *app_key = clv_guard_get(k->guard, CLV_KEY_LEN);
	bool found = false;

	for (size_t i = 0; app_key != NULL && i < a->key_count && !found; i++)
		found = !a->keys[i].here &&
			member_app_key(k, a->name, a->keys[i].generation,
			    app_key) == CLV_OK;
	clv_guard_put(k->guard, app_key);
	return found;
}

/* Keys that are being opened. */
struct opened {
	struct vault_key *keys;
	uint8_t (*secret)[CLV_KEY_LEN];
	size_t count;
	uint32_t at; /* the one that did not open */
};

/* app_key: guarded room for one key. */
static int
open_one(struct vault_app *a, uint8_t *app_key, struct opened *o, uint32_t i,
    const struct db_field *wrapped)
{
	struct keeper *k = a->v->k;
	struct clv_datakey_id id = {
	    member_system_id(k), a->name, i, o->keys[i].generation};
	int r;

	r = member_app_key(k, a->name, id.generation, app_key);
	if (r == CLV_OK)
		r = clv_datakey_unwrap(
		    app_key, &id, wrapped->p, wrapped->len, o->secret[i]);
	/* Rewrapped since, but it is here: of this application, as the index
	 * is. */
	if (r == CLV_E_GENERATION && a->indexed && i < a->key_count &&
	    a->keys[i].here) {
		memcpy(o->secret[i], a->secret[i], CLV_KEY_LEN);
		r = CLV_OK;
	}
	o->keys[i].here = r == CLV_OK;
	/* Another generation's keys may come later. */
	return r == CLV_E_GENERATION && i > 0 ? CLV_OK : r;
}

/* CLV_E_NOT_FOUND: row o->at is missing. */
static int
open_all(struct vault_app *a, const struct db_result *r, struct opened *o)
{
	uint8_t *app_key = vault_guard_get(a->v, CLV_KEY_LEN);
	int rc = CLV_OK;

	o->count = r->rows;
	o->keys = calloc(r->rows, sizeof(*o->keys));
	o->secret = vault_guard_get(a->v, r->rows * sizeof(*o->secret));
	if (app_key == NULL || o->keys == NULL || o->secret == NULL)
		rc = CLV_E_FULL;
	for (uint32_t i = 0; rc == CLV_OK && i < r->rows; i++) {
		o->at = i;
		o->keys[i].generation = (uint32_t)db_u64(r, i, 1);
		rc = db_u64(r, i, 0) == i
			 ? open_one(a, app_key, o, i, db_field(r, i, 2))
			 : CLV_E_NOT_FOUND;
	}
	clv_guard_put(a->v->k->guard, app_key);
	return rc;
}

static void
opened_fini(struct vault_app *a, struct opened *o)
{
	clv_guard_put(a->v->k->guard, o->secret);
	free(o->keys);
}

/* They take the place of those that were here. With another index key it is
 * another application, of the same name: nothing of the old one stays. */
static int
take(struct vault_app *a, struct opened *o)
{
	uint8_t *index_key = a->index_key;

	if (index_key != NULL &&
	    sodium_memcmp(index_key, o->secret[0], CLV_KEY_LEN) != 0) {
		vault_cache_drop_app(a->v, a->name);
		vault_index_drop(a);
	} else if (index_key == NULL) {
		index_key = vault_guard_get(a->v, CLV_KEY_LEN);
	}
	if (index_key == NULL)
		return CLV_E_FULL;
	memcpy(index_key, o->secret[0], CLV_KEY_LEN);
	keys_free(a);
	a->index_key = index_key;
	a->keys = o->keys;
	a->secret = o->secret;
	a->key_count = o->count;
	a->keys_due = false;
	a->key_loads++;
	*o = (struct opened){0}; /* transferred */
	return CLV_OK;
}

static bool
is_damage(int result)
{
	return result == CLV_E_NOT_FOUND || result == CLV_E_DAMAGED ||
	       result == CLV_E_PROTOCOL;
}

static void
say_why(struct vault_app *a, int result, const struct opened *o, char text[256])
{
	switch (result) {
	case CLV_E_GENERATION:
		snprintf(text, 256,
		    "generation %u is unknown here: the master secret server "
		    "is needed",
		    o->keys[o->at].generation);
		member_refresh_soon(a->v->k);
		break;
	case CLV_E_NOT_FOUND:
		snprintf(text, 256,
		    "data key %u of application %s is missing in the "
		    "database: its row was taken away: claviger doctor",
		    o->at, a->name);
		break;
	case CLV_E_DAMAGED:
		snprintf(text, 256,
		    "data key %u of application %s in the database is not "
		    "what the server wrote: claviger doctor",
		    o->at, a->name);
		break;
	case CLV_E_FULL: snprintf(text, 256, "guarded memory is full"); break;
	case CLV_E_PROTOCOL:
		snprintf(text, 256,
		    "application %s has more than %d data keys in the "
		    "database: rows were put in: claviger doctor",
		    a->name, CLV_DATAKEYS_MAX);
		break;
	default: snprintf(text, 256, "%s", clv_result_text(result));
	}
	if (is_damage(result))
		log_error("%s", text);
}

/* The verified index names a data key that is not among them, or another one
 * than that: once more, and then it is so. One that it does not name yet may
 * have been made since. */
static void
check_newest(struct vault_app *a)
{
	uint32_t version = clv_index_key_version(a->index);
	int r = compare_newest(a);
	char text[256];

	vault_keys_compare(a);
	if (a->key_count > (size_t)version + 1) {
		a->current = false;
		vault_index_follow(a);
	}
	if (r == CLV_OK || a->key_loads < VAULT_KEY_LOADS) {
		vault_wake(a, CLV_OK, "");
		return;
	}
	snprintf(text, sizeof(text),
	    r == CLV_E_NOT_FOUND
		? "data key %u of application %s, its newest one, is missing "
		  "in the database: its row was taken away: claviger doctor"
		: "data key %u of application %s in the database is not the "
		  "one that its manifest names: claviger doctor",
	    version, a->name);
	vault_index_fail(a, CLV_E_DAMAGED, text);
}

static void
no_keys(struct vault_app *a)
{
	char text[256];

	snprintf(text, sizeof(text),
	    "the database has no keys of application %s: claviger app list on "
	    "a server node shows whether there is one",
	    a->name);
	vault_cache_drop_app(a->v, a->name);
	vault_keys_drop(a); /* it was removed */
	vault_wake(a, CLV_E_NOT_FOUND, text);
}

static void
on_keys(struct keeper *k, void *arg, const struct db_result *r)
{
	struct vault_app *a = arg;
	struct opened o = {0};
	char text[256];
	int rc = CLV_E_PROTOCOL;

	(void)k;
	a->calls--;
	if (r->result != CLV_OK) {
		vault_wake(a, r->result, r->text);
		return;
	}
	if (r->rows == 0) {
		no_keys(a);
		return;
	}
	if (r->rows <= CLV_DATAKEYS_MAX + 1)
		rc = open_all(a, r, &o);
	if (rc == CLV_OK)
		rc = take(a, &o);
	if (rc != CLV_OK)
		say_why(a, rc, &o, text);
	opened_fini(a, &o);
	if (rc != CLV_OK)
		vault_wake(a, is_damage(rc) ? CLV_E_DAMAGED : rc, text);
	else if (a->indexed)
		check_newest(a);
	else
		vault_wake(a, CLV_OK, "");
}

void
vault_keys_load(struct vault_app *a)
{
	struct clv_param p = {a->name, strlen(a->name)};

	a->calls++;
	db_call_pool(
	    a->v->k, CLV_STMT_GET_KEYS, &p, 1, VAULT_WAIT_MS, on_keys, a);
}
