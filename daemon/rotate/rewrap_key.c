/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <string.h>

#include "daemon/base/log.h"
#include "daemon/rotate/reencrypt.h"
#include "daemon/rotate/rewrap_impl.h"

/* One key: unwrapped under its generation, wrapped under the current one, and
 * put into the arrays of the statement. */

static int
derive(struct rewrap *w, const struct rewrap_row *row, uint32_t generation,
    uint8_t *ret)
{
	int r = clv_keyring_subkey(w->k->secret.keyring, generation,
	    CLV_SUBKEY_DISTRIBUTION, w->keys->key);

	if (r == CLV_OK)
		clv_app_key(
		    w->keys->key, w->k->secret.list->system_id, row->app, ret);
	return r;
}

/* The keys of an application stand together: its own are derived once. */
static int
prepare(struct rewrap *w, const struct rewrap_row *row)
{
	const struct rewrap_row *last = w->prepared;
	int r;

	if (last != NULL && last->generation == row->generation &&
	    strcmp(last->app, row->app) == 0)
		return CLV_OK;
	w->prepared = NULL;
	r = derive(w, row, row->generation, w->keys->old);
	if (r == CLV_OK)
		r = derive(w, row, w->generation, w->keys->new);
	if (r == CLV_OK)
		w->prepared = row;
	return r;
}

static int
rewrap(struct rewrap *w, const struct rewrap_row *row,
    uint8_t ret[static CLV_DATAKEY_WRAPPED_LEN])
{
	struct clv_datakey_id id = {w->k->secret.list->system_id, row->app,
	    row->version, row->generation};
	int r = prepare(w, row);

	if (r == CLV_OK)
		r = clv_datakey_unwrap(w->keys->old, &id, row->wrapped,
		    row->wrapped_len, w->keys->key);
	id.generation = w->generation;
	if (r == CLV_OK)
		r = clv_datakey_wrap(w->keys->new, &id, w->keys->key, ret);
	return r;
}

void
rewrap_key(struct rewrap *w, const struct rewrap_row *row)
{
	uint8_t wrapped[CLV_DATAKEY_WRAPPED_LEN];
	struct clv_buf *c = w->column;
	int r;

	if (reencrypt_left_out(w->k, row->app)) { /* it was said why */
		w->damaged++;
		return;
	}
	r = rewrap(w, row, wrapped);
	if (r != CLV_OK) {
		w->damaged++;
		log_error("key %u of application %s in the database is not "
			  "what the server wrote (%s), and stays as it is: "
			  "claviger doctor",
		    row->version, row->app, clv_result_text(r));
		return;
	}
	clv_array_add(&c[REWRAP_C_APP], row->app, strlen(row->app));
	clv_array_add_u64(&c[REWRAP_C_VERSION], row->version);
	clv_array_add_u64(&c[REWRAP_C_OLD], row->generation);
	clv_array_add(&c[REWRAP_C_WRAPPED], wrapped, sizeof(wrapped));
	w->good++;
}
