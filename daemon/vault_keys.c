/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/vault_impl.h"

/*
 * Data keys of one application: wrapped in PostgreSQL, opened with the
 * application's key of the generation that each is wrapped under.
 */

void
vault_keys_drop(struct vault_app *a)
{
	vault_index_drop(a); /* it borrows the index key */
	clv_guard_put(a->v->k->guard, a->secret);
	free(a->keys);
	a->secret = NULL;
	a->keys = NULL;
	a->key_count = 0;
}

int
vault_key_find(const struct vault_app *a, uint32_t version, const uint8_t **ret)
{
	for (size_t i = a->key_count; version > 0 && i-- > 1;) {
		if (a->keys[i].version != version)
			continue;
		if (!a->keys[i].here)
			return CLV_E_GENERATION;
		*ret = a->secret[i];
		return CLV_OK;
	}
	return CLV_E_NOT_FOUND;
}

uint32_t
vault_key_newest(const struct vault_app *a)
{
	return a->key_count > 0 ? a->keys[a->key_count - 1].version : 0;
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

/* app_key: guarded room for one key. */
static int
open_one(struct vault_app *a, uint8_t *app_key, size_t i,
    const struct db_field *wrapped)
{
	struct keeper *k = a->v->k;
	struct clv_datakey_id id = {member_system_id(k), a->name,
	    a->keys[i].version, a->keys[i].generation};
	int r;

	r = member_app_key(k, a->name, id.generation, app_key);
	if (r == CLV_OK)
		r = clv_datakey_unwrap(
		    app_key, &id, wrapped->p, wrapped->len, a->secret[i]);
	a->keys[i].here = r == CLV_OK;
	/* Another generation's keys may come later. */
	return r == CLV_E_GENERATION && i > 0 ? CLV_OK : r;
}

/* Rows ascend by version from 0, with none twice: what the database says out of
 * order is not of our making. */
static bool
is_next(const struct vault_app *a, size_t i)
{
	return i == 0 ? a->keys[0].version == 0
		      : a->keys[i].version > a->keys[i - 1].version;
}

static int
open_all(struct vault_app *a, const struct db_result *r)
{
	uint8_t *app_key = vault_guard_get(a->v, CLV_KEY_LEN);
	int rc = CLV_OK;

	a->keys = calloc(r->rows, sizeof(*a->keys));
	a->secret = vault_guard_get(a->v, r->rows * sizeof(*a->secret));
	if (app_key == NULL || a->keys == NULL || a->secret == NULL)
		rc = CLV_E_FULL;
	for (size_t i = 0; rc == CLV_OK && i < r->rows; i++) {
		a->keys[i].version = (uint32_t)db_u64(r, i, 0);
		a->keys[i].generation = (uint32_t)db_u64(r, i, 1);
		rc = is_next(a, i) ? open_one(a, app_key, i, db_field(r, i, 2))
				   : CLV_E_DAMAGED;
	}
	clv_guard_put(a->v->k->guard, app_key);
	a->key_count = r->rows;
	a->keys_fresh = true;
	if (rc != CLV_OK)
		vault_keys_drop(a);
	return rc;
}

static void
say_why(struct vault_app *a, int result, uint32_t generation, char text[256])
{
	switch (result) {
	case CLV_E_GENERATION:
		snprintf(text, 256,
		    "generation %u is unknown here: the master secret server "
		    "is needed",
		    generation);
		member_refresh_soon(a->v->k);
		break;
	case CLV_E_DAMAGED:
		snprintf(text, 256,
		    "the keys of %s in the database are not what the server "
		    "wrote: claviger doctor",
		    a->name);
		log_error("%s", text);
		break;
	case CLV_E_FULL: snprintf(text, 256, "guarded memory is full"); break;
	default: snprintf(text, 256, "%s", clv_result_text(result));
	}
}

static void
on_keys(struct keeper *k, void *arg, const struct db_result *r)
{
	struct vault_app *a = arg;
	char text[256];
	int rc;

	(void)k;
	a->calls--;
	if (r->result != CLV_OK) {
		vault_wake(a, r->result, r->text);
		return;
	}
	if (r->rows == 0) {
		snprintf(text, sizeof(text),
		    "the database has no keys of application %s: claviger app "
		    "list on a server node shows whether there is one",
		    a->name);
		vault_wake(a, CLV_E_NOT_FOUND, text);
		return;
	}
	if (a->key_count > 0) /* reloaded while something else was */
		vault_keys_drop(a);
	rc = r->rows <= VAULT_KEYS_MAX ? open_all(a, r) : CLV_E_FULL;
	if (rc == CLV_OK) {
		vault_wake(a, CLV_OK, "");
		return;
	}
	say_why(a, rc, (uint32_t)db_u64(r, 0, 1), text);
	vault_wake(a, rc, text);
}

void
vault_keys_load(struct vault_app *a)
{
	struct clv_param p = {a->name, strlen(a->name)};

	a->calls++;
	db_call_pool(
	    a->v->k, CLV_STMT_GET_KEYS, &p, 1, VAULT_WAIT_MS, on_keys, a);
}
