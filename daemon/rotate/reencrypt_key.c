/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/rotate/reencrypt_impl.h"

/*
 * The new data key of one application, if it is due: one step of its manifest,
 * which says from then on that this is the newest.
 */

static void
on_added(struct keeper *k, void *arg, const struct db_result *res)
{
	struct reencrypt *r = reencrypt_still(k, arg);

	if (r == NULL)
		return;
	if (res->result != CLV_OK) {
		reencrypt_failed(r, res);
		return;
	}
	reencrypt_follow(r);
	if (db_u64(res, 0, 0) != CLV_PUT_DONE) {
		reencrypt_open_in(r, 0); /* somebody has written */
		return;
	}
	heads_see(k->heads, r->app, r->expect + 1, r->mac);
	log_info("application %s has data key %u", r->app, r->key_version);
	reencrypt_next(r);
}

static void
send(struct reencrypt *r)
{
	uint8_t epoch[8], id[16], expect[8], version[8], generation[8];
	struct clv_param p[9] = {
	    clv_param_u64(r->epoch, epoch),
	    {r->k->instance, sizeof(r->k->instance)},
	    {id, sizeof(id)},
	    {r->app, strlen(r->app)},
	    clv_param_u64(r->expect, expect),
	    {r->mac, sizeof(r->mac)},
	    clv_param_u64(r->key_version, version),
	    clv_param_u64(r->current, generation),
	    {r->wrapped, sizeof(r->wrapped)},
	};

	randombytes_buf(id, sizeof(id));
	reencrypt_call(r, CLV_STMT_ADD_KEY, p, 9, on_added);
}

struct keys { /* guarded */
	uint8_t app[CLV_KEY_LEN], key[CLV_KEY_LEN];
};

static int
make_with(struct reencrypt *r, struct vault_app *a, struct keys *keys)
{
	struct clv_datakey_id id = {
	    member_system_id(r->k), r->app, a->newest + 1, r->current};
	int rc = member_app_key(r->k, r->app, r->current, keys->app);

	randombytes_buf(keys->key, sizeof(keys->key));
	if (rc == CLV_OK)
		rc = clv_datakey_wrap(keys->app, &id, keys->key, r->wrapped);
	if (rc == CLV_OK)
		rc = clv_index_stage_key(a->index, id.version, keys->key);
	if (rc != CLV_OK)
		return rc;
	r->key_version = id.version;
	r->expect = clv_index_counter(a->index);
	clv_index_mac(a->index, r->expect + 1, r->mac);
	clv_index_abort(a->index); /* until it is there */
	return CLV_OK;
}

static int
make(struct reencrypt *r, struct vault_app *a)
{
	struct keys *keys = vault_guard_get(a->v, sizeof(*keys));
	int rc = keys != NULL ? make_with(r, a, keys) : CLV_E_FULL;

	clv_guard_put(r->k->guard, keys);
	return rc;
}

static void
has_too_many(struct reencrypt *r, const struct vault_app *a)
{
	log_error("application %s has %u data keys, and can have no more: it "
		  "is not re-encrypted",
	    r->app, a->newest);
	r->damaged++;
}

static bool
is_old(const struct reencrypt *r, const struct vault_app *a)
{
	return a->keys[a->newest].generation < r->k->secret.list->reencrypt;
}

bool
reencrypt_key_is_due(const struct reencrypt *r, const struct vault_app *a)
{
	return is_old(r, a) && a->newest < CLV_DATAKEYS_MAX;
}

void
reencrypt_key(struct reencrypt *r, struct vault_app *a)
{
	int rc;

	r->why[0] = '\0';
	r->app_secrets = clv_index_count(a->index);
	if (!reencrypt_key_is_due(r, a)) {
		if (is_old(r, a)) /* not left out: they are to be rewrapped */
			has_too_many(r, a);
		reencrypt_next(r);
		return;
	}
	rc = make(r, a);
	if (rc == CLV_OK)
		send(r);
	else if (rc == CLV_E_GENERATION)
		reencrypt_wait_for_keys(r);
	else
		reencrypt_retry(r, clv_result_text(rc));
}
