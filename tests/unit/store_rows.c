/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <claviger/manifest.h>

#include "store_rows.h"

static void
begin(struct clv_buf *b, enum clv_array type)
{
	clv_buf_init(b);
	clv_array_begin(b, type);
}

void
store_rows_init(struct store_rows *r)
{
	begin(&r->names, CLV_ARRAY_TEXT);
	begin(&r->versions, CLV_ARRAY_INT8);
	begin(&r->key_versions, CLV_ARRAY_INT8);
	begin(&r->hashes, CLV_ARRAY_BYTEA);
	begin(&r->records, CLV_ARRAY_BYTEA);
	begin(&r->keeps, CLV_ARRAY_INT8);
	begin(&r->ops, CLV_ARRAY_BYTEA);
}

void
store_rows_fini(struct store_rows *r)
{
	clv_buf_fini(&r->names);
	clv_buf_fini(&r->versions);
	clv_buf_fini(&r->key_versions);
	clv_buf_fini(&r->hashes);
	clv_buf_fini(&r->records);
	clv_buf_fini(&r->keeps);
	clv_buf_fini(&r->ops);
}

void
store_rows_add(struct store_rows *r, const struct store_row *row)
{
	clv_array_add(&r->names, row->name, strlen(row->name));
	clv_array_add_u64(&r->versions, row->version);
	clv_array_add_u64(&r->key_versions, row->key_version);
	clv_array_add(&r->hashes, row->hash, 32);
	clv_array_add(&r->records, row->record, row->record_len);
	clv_array_add_u64(&r->keeps, row->keep);
	clv_array_add(&r->ops, row->op_id, 16);
}

int
store_put_send(struct clv_store *s, struct store_put *put)
{
	const struct store_rows *r = put->rows;
	const struct clv_param p[] = {
	    {put->app, strlen(put->app)},
	    clv_param_u64(put->epoch, put->ints[0]),
	    clv_param_u64(put->counter, put->ints[1]),
	    {put->mac, CLV_MANIFEST_MAC_LEN},
	    {put->op_id, 16},
	    clv_param_array(&r->names),
	    clv_param_array(&r->versions),
	    clv_param_array(&r->key_versions),
	    clv_param_array(&r->hashes),
	    clv_param_array(&r->records),
	    clv_param_array(&r->keeps),
	    clv_param_array(&r->ops),
	};

	return clv_store_send(
	    s, CLV_STMT_PUT_SECRETS, p, sizeof(p) / sizeof(p[0]));
}
