/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/vault/inspect_impl.h"

/*
 * What is in the rows: every record must open as the version of the secret
 * that its row says it is, and the current ones must be those of the index. A
 * server node may read them in pages, older versions too; a member has them
 * one by one, and only the current ones.
 */

struct row {
	const char *name;
	uint64_t version;
	uint64_t key_version; /* as the row says, not the record */
	bool old;	      /* not the current one */
	bool deleted;
	const struct db_field *record;
};

static void
doubt(struct inspect *i, const struct row *row, uint32_t key_version,
    const uint8_t hash[static CLV_RECORD_HASH_LEN])
{
	struct inspect_doubt *d;

	if (i->doubts == NULL)
		i->doubts = calloc(INSPECT_DOUBTS, sizeof(*i->doubts));
	if (i->doubts == NULL) {
		i->result = CLV_E_NOMEM;
		return;
	}
	if (i->doubt_count >= INSPECT_DOUBTS) {
		i->doubts_full = true;
		return;
	}
	d = &i->doubts[i->doubt_count++];
	d->key_version = key_version;
	memcpy(d->name, row->name, strlen(row->name) + 1);
	d->version = row->version;
	d->old = row->old;
	d->deleted = row->deleted;
	memcpy(d->hash, hash, sizeof(d->hash));
}

/* Is it the row of which the index speaks, or an older one? */
static void
place(struct inspect *i, const struct row *row)
{
	uint8_t hash[CLV_RECORD_HASH_LEN] = {0};
	uint64_t version;
	bool deleted;
	int r;

	if (i->index == NULL)
		return;
	if (row->version > 0 && !row->deleted)
		clv_record_hash(row->record->p, row->record->len, hash);
	if (row->old) {
		r = clv_index_find(i->index, row->name, &version, &deleted);
		if (r != CLV_OK || version <= row->version)
			doubt(i, row, 0, hash);
		return;
	}
	r = clv_index_check(
	    i->index, row->name, row->version, row->deleted, hash);
	if (r != CLV_OK && r != CLV_E_NOT_FOUND)
		doubt(i, row, 0, hash);
}

/* CLV_E_NOT_FOUND: its data key is not there; CLV_E_AGAIN: not yet, perhaps. */
static int
open_record(struct inspect *i, const struct row *row)
{
	uint32_t newest =
	    i->key_count > 0 ? i->keys[i->key_count - 1].version : 0;
	uint8_t *plain;
	struct clv_record_id id = {CLV_RECORD_SECRET, member_system_id(i->v->k),
	    i->app, row->name, row->version};
	const struct db_field *f = row->record;
	const uint8_t *key;
	uint32_t version;
	int r;

	if (f->len > CLV_RECORD_MAX ||
	    clv_record_key_version(f->p, f->len, &version) != CLV_OK ||
	    version != row->key_version)
		return CLV_E_DAMAGED;
	key = inspect_key_find(i, version);
	if (key == NULL)
		return version > newest ? CLV_E_AGAIN : CLV_E_NOT_FOUND;
	plain = vault_guard_get(i->v, f->len);
	if (plain == NULL)
		return CLV_E_FULL;
	r = clv_record_open(key, &id, f->p, f->len, plain);
	clv_guard_put(i->v->k->guard, plain);
	return r;
}

static int
look_at(struct inspect *i, const struct row *row)
{
	static const uint8_t none[CLV_RECORD_HASH_LEN];
	int r = CLV_OK;

	if (row->version > 0 && !row->deleted)
		r = open_record(i, row);
	if (r == CLV_E_FULL)
		return r;
	if (r == CLV_E_AGAIN)
		doubt(i, row, (uint32_t)row->key_version, none);
	else if (r == CLV_E_NOT_FOUND)
		inspect_found(&i->found, "record-key", row->name,
		    INSPECT_NO_KEY, row->version, row->key_version);
	else if (r != CLV_OK)
		inspect_found(&i->found, "record-changed", row->name,
		    "the content of version %" PRIu64 " does not open: it was "
		    "changed, or is another secret's or version's",
		    row->version);
	else
		place(i, row);
	if (!row->old)
		i->done++;
	return i->result;
}

static void
all_seen(struct inspect *i)
{
	if (i->doubt_count == 0) {
		i->phase = INSPECT_END;
		return;
	}
	i->keys_again = true;
	inspect_go_on(i, INSPECT_KEYS);
}

/* A server node: in pages. */

enum { R_NAME, R_VERSION, R_CURRENT, R_KEY_VERSION, R_RECORD };

/* They ascend by name and version. */
static bool
is_next(const struct inspect *i, const char *name, uint64_t version)
{
	int order = strcmp(name, i->name);

	return order > 0 || (order == 0 && version > i->version);
}

static int
take_row(struct inspect *i, const struct db_result *r, size_t n)
{
	char name[VAULT_NAME_MAX];
	struct row row = {.name = name,
	    .version = db_u64(r, n, R_VERSION),
	    .key_version = db_u64(r, n, R_KEY_VERSION),
	    .old = db_u64(r, n, R_CURRENT) == 0,
	    .record = db_field(r, n, R_RECORD)};
	int rc;

	if (!vault_text(db_field(r, n, R_NAME), name, sizeof(name)) ||
	    !is_next(i, name, row.version))
		return CLV_E_DAMAGED;
	rc = look_at(i, &row);
	if (rc == CLV_OK) {
		memcpy(i->name, name, sizeof(i->name));
		i->version = row.version;
	}
	return rc;
}

static void
on_records(struct keeper *k, void *arg, const struct db_result *r)
{
	struct inspect *i = arg;
	int rc = CLV_OK;

	(void)k;
	if (!inspect_answered(i, r))
		return;
	for (size_t n = 0; rc == CLV_OK && n < r->rows; n++)
		rc = take_row(i, r, n);
	if (rc != CLV_OK) {
		inspect_fail(i, rc,
		    rc == CLV_E_DAMAGED
			? "its records come in no order: the database does "
			  "not do what its functions say"
			: "");
		return;
	}
	if (r->rows < INSPECT_ROWS)
		all_seen(i);
	inspect_tell(i);
}

static void
ask_records(struct inspect *i)
{
	uint8_t keys[8], version[8], limit[8];
	struct clv_param p[5] = {
	    {i->app, strlen(i->app)},
	    clv_param_u64(UINT64_C(1) << 32, keys), /* below: all */
	    {i->name, strlen(i->name)},
	    clv_param_u64(i->version, version),
	    clv_param_u64(INSPECT_ROWS, limit),
	};

	inspect_call(i, CLV_STMT_GET_RECORDS, p, 5, on_records, i);
}

/* A member: by name. */

enum { S_KIND, S_NAME, S_VERSION, S_DELETED, S_KEY_VERSION, S_HASH, S_RECORD };
#define ROW_SECRET 1

struct ask {
	struct inspect *i;
	char name[VAULT_NAME_MAX];
};

static void
page_over(struct inspect *i)
{
	if (i->calls > 0 || i->phase == INSPECT_END)
		return;
	if (i->rows < INSPECT_ROWS)
		all_seen(i);
	i->rows = 0;
	inspect_tell(i);
}

static void
on_secret(struct keeper *k, void *arg, const struct db_result *r)
{
	struct ask ask = *(struct ask *)arg;
	struct row row = {.name = ask.name};
	struct inspect *i = ask.i;
	int rc;

	(void)k;
	free(arg);
	if (!inspect_answered(i, r))
		return;
	for (size_t n = 0; n < r->rows; n++) {
		if (db_u64(r, n, S_KIND) != ROW_SECRET)
			continue;
		row.version = db_u64(r, n, S_VERSION);
		row.deleted = db_u64(r, n, S_DELETED) != 0;
		row.key_version = db_u64(r, n, S_KEY_VERSION);
		row.record = db_field(r, n, S_RECORD);
	}
	rc = look_at(i, &row);
	if (rc != CLV_OK)
		inspect_fail(i, rc, "");
	else
		page_over(i);
}

static int
ask_secret(struct inspect *i, const char *name)
{
	uint8_t zero[8], known[8], limit[8];
	struct clv_param p[5] = {
	    {i->app, strlen(i->app)},
	    {name, strlen(name)},
	    clv_param_u64(0, zero),
	    clv_param_u64(INT64_MAX, known), /* no changes */
	    clv_param_u64(1, limit),
	};
	struct ask *ask = calloc(1, sizeof(*ask));

	if (ask == NULL)
		return CLV_E_NOMEM;
	ask->i = i;
	memcpy(ask->name, name, strlen(name) + 1);
	inspect_call(i, CLV_STMT_GET_SECRET, p, 5, on_secret, ask);
	return CLV_OK;
}

static void
ask_page(struct inspect *i)
{
	const char *name = i->index != NULL ? i->name : NULL;
	uint64_t version;
	int rc = CLV_OK;

	i->calls++; /* until all are asked for */
	while (rc == CLV_OK && name != NULL && i->rows < INSPECT_ROWS &&
	       i->phase != INSPECT_END) {
		name = clv_index_next(i->index, i->name, &version);
		if (name == NULL)
			break;
		memcpy(i->name, name, strlen(name) + 1);
		i->rows++;
		rc = ask_secret(i, i->name);
	}
	i->calls--;
	if (i->gone && i->calls == 0)
		free(i);
	else if (i->gone)
		return;
	else if (rc != CLV_OK)
		inspect_fail(i, rc, "");
	else
		page_over(i);
}

void
inspect_records(struct inspect *i)
{
	if (i->v->k->member->is_server_node)
		ask_records(i);
	else
		ask_page(i);
}
