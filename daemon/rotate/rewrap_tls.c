/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>

#include "daemon/base/log.h"
#include "daemon/rotate/rewrap.h"
#include "daemon/rotate/rewrap_impl.h"

/* The network name's TLS keys, a few rows: each is read, sealed under the
 * current generation, signed by the key in force, and written in its place. */

static void
on_put(struct keeper *k, void *arg, const struct db_result *r)
{
	struct rewrap *w = rewrap_still(k, arg);

	if (w == NULL)
		return;
	if (r->result == CLV_OK)
		rewrap_tls(w);
	else
		rewrap_refused(w, r);
}

static void
put(struct rewrap *w, const struct db_field *thumb, const struct clv_buf *row)
{
	uint8_t epoch[8], id[16];
	struct clv_param p[5] = {
	    clv_param_u64(w->epoch, epoch),
	    {w->k->instance, sizeof(w->k->instance)},
	    {id, sizeof(id)},
	    {thumb->p, thumb->len},
	    {row->data, row->len},
	};

	randombytes_buf(id, sizeof(id));
	rewrap_enter(w, REWRAP_TLS);
	rewrap_call(w, CLV_STMT_PUT_TLS, p, 5, on_put);
}

static int
seal(struct rewrap *w, const struct db_field *row, struct clv_buf *ret)
{
	struct keeper *k = w->k;
	struct clv_buf cert;
	uint8_t *key = NULL;
	size_t key_len = 0;
	int r;

	clv_buf_init(&cert);
	r = secret_tls_open(k, row, &cert, &key, &key_len);
	if (r == CLV_OK)
		r = clv_tls_row_seal(k->guard, k->secret.keyring, w->generation,
		    cert.data, cert.len, key, key_len, ret);
	clv_guard_put(k->guard, key);
	clv_buf_fini(&cert);
	return r;
}

static bool
is_old(const struct rewrap *w, const struct db_field *row)
{
	const uint8_t *former = clv_list_former_pk(w->k->secret.list);
	uint32_t generation = 0;

	if (clv_tls_row_generation(
		row->p, row->len, w->k->system_pk, &generation) == CLV_OK)
		return generation < w->generation;
	return former != NULL && clv_tls_row_generation(row->p, row->len,
				     former, &generation) == CLV_OK;
}

/* The next that is old, from tls_at on; false: there is none. */
static bool
put_next(struct rewrap *w, const struct db_result *r)
{
	struct clv_buf row;
	bool found = false;
	int rc;

	clv_buf_init(&row);
	while (!found && w->tls_at < r->rows) {
		const struct db_field *f = db_field(r, w->tls_at, 1);

		if (is_old(w, f)) {
			rc = seal(w, f, &row);
			found = rc == CLV_OK;
			if (rc == CLV_E_FULL || rc == CLV_E_NOMEM) {
				rewrap_retry(
				    w, clv_result_text(rc), REWRAP_RETRY_MS);
				return true;
			}
			if (!found)
				log_warning("a certificate's key is not "
					    "rewrapped: %s",
				    clv_result_text(rc));
		}
		if (found)
			put(w, db_field(r, w->tls_at, 0), &row);
		w->tls_at++;
	}
	clv_buf_fini(&row);
	return found;
}

/* Columns: thumb, row. */
static void
on_rows(struct keeper *k, void *arg, const struct db_result *r)
{
	struct rewrap *w = rewrap_still(k, arg);

	if (w == NULL)
		return;
	if (r->result != CLV_OK)
		rewrap_refused(w, r);
	else if (!put_next(w, r))
		rewrap_finish(w);
}

void
rewrap_tls(struct rewrap *w)
{
	rewrap_enter(w, REWRAP_TLS);
	rewrap_call(w, CLV_STMT_GET_TLS, NULL, 0, on_rows);
}
