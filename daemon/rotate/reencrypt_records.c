/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/rotate/reencrypt_impl.h"

/*
 * Records of one application: those under older data keys are read in pages,
 * opened, sealed under the newest one, and written back in their place as one
 * step of the manifest. The index says what the current one of each name is:
 * what the database says otherwise is not sealed anew, or it would be true from
 * then on. Between two pages there is time for others.
 */

/* Columns of GET_RECORDS. */
enum { C_NAME, C_VERSION, C_CURRENT, C_KEY_VERSION, C_RECORD };

void
reencrypt_page_drop(struct reencrypt *r)
{
	for (int i = 0; i < REENCRYPT_COLUMNS; i++)
		clv_buf_fini(&r->column[i]);
	r->row_count = r->good = 0;
	r->units = 0;
}

/* Writing. */

static void
say_damaged(struct reencrypt *r, const struct reencrypt_row *row)
{
	log_error("secret %s of %s: version %llu in the database is not what "
		  "was written, and is not re-encrypted: claviger doctor",
	    row->name, r->app, (unsigned long long)row->version);
	r->damaged++;
}

/* As many a second as the configuration allows, and never more than half of the
 * time. */
static uint64_t
pause_ms(const struct reencrypt *r)
{
	uint64_t took = loop_now_ms() - r->began_ms, least;
	uint32_t rate = r->k->config->reencrypt_rate;

	if (rate == 0)
		return 0;
	least = r->units * 1000 / rate;
	return least > 2 * took ? least - took : took;
}

/* The rows are through: on to what comes behind them. */
static void
page_through(struct reencrypt *r)
{
	const struct reencrypt_row *row;

	for (size_t i = 0; i < r->row_count; i++) {
		row = &r->rows[i];
		if (row->damaged)
			say_damaged(r, row);
		if (strcmp(row->name, r->after_name) != 0 &&
		    r->app_secrets > 0) {
			r->app_secrets--;
			r->secrets_left--;
		}
		memcpy(r->after_name, row->name, sizeof(row->name));
		r->after_version = row->version;
	}
	r->why[0] = '\0';
	reencrypt_open_in(r, pause_ms(r));
}

static int
stage(const struct reencrypt *r, struct clv_index *index)
{
	int rc = CLV_OK;

	for (size_t i = 0; rc == CLV_OK && i < r->row_count; i++) {
		const struct reencrypt_row *row = &r->rows[i];
		struct clv_change c = {
		    .name = row->name, .version = row->version};

		memcpy(c.record_hash, row->hash, sizeof(c.record_hash));
		if (row->current && !row->damaged)
			rc = clv_index_stage(index, &c);
	}
	return rc;
}

/* The index is carried on by what the database has now taken. */
static void
carry_on(struct reencrypt *r)
{
	struct vault_app *a = vault_open_now(r->k->member->vault, r->app);

	heads_see(r->k->heads, r->app, r->expect + 1, r->mac);
	if (a == NULL || a->index == NULL)
		return;
	if (!a->indexed || clv_index_counter(a->index) != r->expect)
		vault_index_follow(a);
	else if (stage(r, a->index) != CLV_OK ||
		 clv_index_commit(a->index, r->expect + 1, r->mac) != CLV_OK)
		vault_index_drop(a);
}

static void
on_written(struct keeper *k, void *arg, const struct db_result *res)
{
	struct reencrypt *r = reencrypt_still(k, arg);

	if (r == NULL)
		return;
	if (res->result != CLV_OK) {
		reencrypt_failed(r, res);
	} else if (db_u64(res, 0, 0) != CLV_PUT_DONE) {
		reencrypt_follow(r); /* others have written: the page again */
		reencrypt_open_in(r, 0);
	} else {
		r->rewritten += r->good;
		carry_on(r);
		page_through(r);
	}
}

static void
send(struct reencrypt *r)
{
	uint8_t epoch[8], id[16], expect[8];
	struct clv_param p[6 + REENCRYPT_COLUMNS] = {
	    clv_param_u64(r->epoch, epoch),
	    {r->k->instance, sizeof(r->k->instance)},
	    {id, sizeof(id)},
	    {r->app, strlen(r->app)},
	    clv_param_u64(r->expect, expect),
	    {r->mac, sizeof(r->mac)},
	};

	for (int i = 0; i < REENCRYPT_COLUMNS; i++) {
		if (clv_buf_result(&r->column[i]) != CLV_OK) {
			reencrypt_retry(r, "out of memory");
			return;
		}
		p[6 + i] = clv_param_array(&r->column[i]);
	}
	randombytes_buf(id, sizeof(id));
	reencrypt_call(
	    r, CLV_STMT_PUT_RECORDS, p, 6 + REENCRYPT_COLUMNS, on_written);
}

/* One record. */

/* Is it the current one, as the index says? CLV_E_DAMAGED: what nobody wrote.
 * All that was written since the index has a newer data key. */
static int
place(const struct vault_app *a, struct reencrypt_row *row,
    const struct db_field *record)
{
	uint64_t version;
	bool deleted;

	if (clv_index_find(a->index, row->name, &version, &deleted) != CLV_OK ||
	    version < row->version)
		return CLV_E_DAMAGED;
	row->current = version == row->version;
	if (!row->current)
		return CLV_OK;
	clv_record_hash(record->p, record->len, row->hash);
	return clv_index_check(
	    a->index, row->name, row->version, false, row->hash);
}

static int
seal(struct reencrypt *r, struct vault_app *a, struct reencrypt_row *row,
    const uint8_t *key, const struct db_field *record, uint8_t *plain)
{
	static uint8_t sealed[CLV_RECORD_MAX];
	struct clv_record_id id = {CLV_RECORD_SECRET, member_system_id(r->k),
	    r->app, row->name, row->version};
	const uint8_t *newest;
	struct clv_buf *c = r->column;
	int rc;

	rc = clv_record_open(key, &id, record->p, record->len, plain);
	if (rc == CLV_OK)
		rc = vault_key_find(a, a->newest, &newest);
	if (rc == CLV_OK)
		rc = clv_record_seal(newest, a->newest, &id, plain,
		    record->len - CLV_RECORD_EXTRA, sealed);
	if (rc != CLV_OK)
		return rc;
	clv_record_hash(sealed, record->len, row->hash);
	clv_array_add(&c[REENCRYPT_C_NAME], row->name, strlen(row->name));
	clv_array_add_u64(&c[REENCRYPT_C_VERSION], row->version);
	clv_array_add_u64(&c[REENCRYPT_C_KEY], a->newest);
	clv_array_add(&c[REENCRYPT_C_HASH], row->hash, sizeof(row->hash));
	clv_array_add(&c[REENCRYPT_C_RECORD], sealed, record->len);
	r->good++;
	return CLV_OK;
}

/* CLV_E_GENERATION, CLV_E_FULL: not now. */
static int
rewrite(struct reencrypt *r, struct vault_app *a, struct reencrypt_row *row,
    uint64_t key_version, const struct db_field *record)
{
	const uint8_t *key;
	uint8_t *plain;
	uint32_t version;
	int rc;

	if (record->len > CLV_RECORD_MAX ||
	    clv_record_key_version(record->p, record->len, &version) !=
		CLV_OK ||
	    version != key_version || version >= a->newest)
		return CLV_E_DAMAGED;
	rc = place(a, row, record);
	if (rc == CLV_OK)
		rc = vault_key_find(a, version, &key);
	if (rc != CLV_OK)
		return rc;
	plain = vault_guard_get(a->v, record->len);
	if (plain == NULL)
		return CLV_E_FULL;
	rc = seal(r, a, row, key, record, plain);
	clv_guard_put(r->k->guard, plain);
	return rc;
}

/* CLV_E_PROTOCOL: no row that our functions give. */
static int
take_row(struct reencrypt *r, struct vault_app *a, const struct db_result *res,
    size_t i)
{
	struct reencrypt_row *row = &r->rows[r->row_count];
	const struct reencrypt_row *last = r->row_count > 0 ? row - 1 : NULL;
	const char *name = last != NULL ? last->name : r->after_name;
	uint64_t version = last != NULL ? last->version : r->after_version;
	const struct db_field *record = db_field(res, i, C_RECORD);
	int order, rc;

	memset(row, 0, sizeof(*row));
	row->version = db_u64(res, i, C_VERSION);
	if (!vault_text(db_field(res, i, C_NAME), row->name, sizeof(row->name)))
		return CLV_E_PROTOCOL;
	order = strcmp(row->name, name);
	if (order < 0 || (order == 0 && row->version <= version))
		return CLV_E_PROTOCOL;
	rc = rewrite(r, a, row, db_u64(res, i, C_KEY_VERSION), record);
	if (rc == CLV_E_GENERATION || rc == CLV_E_FULL)
		return rc;
	row->damaged = rc != CLV_OK;
	r->units += 1 + record->len / REENCRYPT_UNIT;
	r->row_count++;
	return CLV_OK;
}

/* Rows, as far as they fit into one transaction; the next page is as long as
 * that. */
static int
take_page(struct reencrypt *r, struct vault_app *a, const struct db_result *res)
{
	static const enum clv_array type[REENCRYPT_COLUMNS] = {CLV_ARRAY_TEXT,
	    CLV_ARRAY_INT8, CLV_ARRAY_INT8, CLV_ARRAY_BYTEA, CLV_ARRAY_BYTEA};
	int rc = CLV_OK;
	size_t i = 0;

	if (res->rows > REENCRYPT_BATCH)
		return CLV_E_PROTOCOL;
	for (int c = 0; c < REENCRYPT_COLUMNS; c++)
		clv_array_begin(&r->column[c], type[c]);
	while (rc == CLV_OK && i < res->rows &&
	       r->column[REENCRYPT_C_RECORD].len < REENCRYPT_BATCH_LEN)
		rc = take_row(r, a, res, i++);
	r->limit = i < res->rows ? i : 2 * r->limit;
	if (r->limit > REENCRYPT_BATCH)
		r->limit = REENCRYPT_BATCH;
	return rc;
}

static void
write_page(struct reencrypt *r, struct vault_app *a)
{
	int rc;

	if (r->good == 0) { /* none that opens */
		page_through(r);
		return;
	}
	rc = stage(r, a->index);
	r->expect = clv_index_counter(a->index);
	clv_index_mac(a->index, r->expect + 1, r->mac);
	clv_index_abort(a->index); /* until it is there */
	if (rc == CLV_OK)
		send(r);
	else
		reencrypt_retry(r, clv_result_text(rc));
}

static void
on_page(struct keeper *k, void *arg, const struct db_result *res)
{
	struct reencrypt *r = reencrypt_still(k, arg);
	struct vault_app *a;
	int rc;

	if (r == NULL)
		return;
	if (res->result != CLV_OK) {
		reencrypt_failed(r, res);
		return;
	}
	if (res->rows == 0) {
		reencrypt_next(r);
		return;
	}
	a = vault_open_now(k->member->vault, r->app);
	if (a == NULL || !a->indexed || a->newest != r->key_version) {
		reencrypt_open_in(r, 0);
		return;
	}
	rc = take_page(r, a, res);
	if (rc == CLV_OK)
		write_page(r, a);
	else if (rc == CLV_E_GENERATION)
		reencrypt_wait_for_keys(r);
	else if (rc == CLV_E_PROTOCOL)
		reencrypt_leave_out(r,
		    "its records come in no order: the database does not do "
		    "what its functions say");
	else
		reencrypt_retry(r, clv_result_text(rc));
}

void
reencrypt_page(struct reencrypt *r, struct vault_app *a)
{
	uint8_t version[8], after[8], limit[8];
	struct clv_param p[5] = {
	    {r->app, strlen(r->app)},
	    clv_param_u64(a->newest, version),
	    {r->after_name, strlen(r->after_name)},
	    clv_param_u64(r->after_version, after),
	    clv_param_u64(r->limit, limit),
	};

	if (r->after_name[0] == '\0') {
		r->app_secrets = clv_index_count(a->index);
		if (r->app_secrets > r->secrets_left)
			r->app_secrets = r->secrets_left;
	}
	r->began_ms = loop_now_ms();
	r->key_version = a->newest;
	reencrypt_call(r, CLV_STMT_GET_RECORDS, p, 5, on_page);
}
