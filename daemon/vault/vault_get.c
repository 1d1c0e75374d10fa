/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/vault/vault_impl.h"

/*
 * Reading: one round trip brings the row, the manifest and what changed since
 * the index was last carried on. The row is served only when the index, whose
 * MAC fits, says that this is the one.
 */
#define TRIES 8
#define CHANGES_MAX 500 /* in one answer; more of them are loaded in pages */

enum row_kind { ROW_MANIFEST = 0, ROW_SECRET = 1, ROW_CHANGE = 2 };
enum column {
	C_KIND,
	C_NAME,
	C_VERSION,
	C_DELETED,
	C_KEY_VERSION,
	C_HASH,
	C_RECORD,
	C_COUNTER
};

struct get {
	struct vault *v;
	struct vault_app *a;
	char app[CLV_NAME_MAX];
	char name[VAULT_NAME_MAX];
	uint64_t version; /* 0: the current one */
	uint64_t known;	  /* counter of the index when it was asked */
	struct clv_head seen;
	unsigned tries;
	bool reloaded; /* the keys */
	vault_fn fn;
	void *arg;
};

static void begin(struct get *g);

static void
end(struct get *g, int result, const char *text)
{
	vault_tell(g->fn, g->arg, result, text);
	free(g);
}

/* Does the index know of a newer one? */
static bool
is_replaced(struct vault *v, const char *app, const struct vault_value *x)
{
	struct vault_app *a = vault_open_now(v, app);
	uint64_t version;
	bool deleted;

	return a != NULL && a->index != NULL &&
	       clv_index_find(a->index, x->name, &version, &deleted) ==
		   CLV_OK &&
	       version > x->version;
}

static bool
from_cache(struct vault *v, const char *app, const char *name, uint64_t version,
    vault_fn fn, void *arg)
{
	const struct vault_value *x = vault_cache_get(v, app, name);
	struct vault_reply r = {.cached = true, .text = ""};

	if (x == NULL || (version != 0 && version != x->version) ||
	    (version == 0 && is_replaced(v, app, x)))
		return false;
	r.version = x->version;
	r.value = x->value;
	r.len = x->len;
	fn(arg, &r);
	return true;
}

static void
end_damaged(struct get *g, const char *what)
{
	char text[400];

	snprintf(text, sizeof(text),
	    "secret %s of %s: %s: the database was changed from outside: "
	    "claviger doctor",
	    g->name, g->app, what);
	log_error("%s", text);
	end(g, CLV_E_DAMAGED, text);
}

/* The index learns what came with the answer. CLV_E_AGAIN: more than that.
 * One that does not follow is loaded anew; when that does not fit either, the
 * loader says so. */
static int
fold(struct get *g, const struct db_result *r)
{
	struct vault_app *a = g->a;
	char name[VAULT_NAME_MAX];
	size_t changes = 0;
	int rc = CLV_OK;

	for (size_t i = 1; rc == CLV_OK && i < r->rows; i++) {
		if (db_u64(r, i, C_KIND) != ROW_CHANGE)
			continue;
		if (++changes >= CHANGES_MAX) {
			clv_index_abort(a->index);
			return CLV_E_AGAIN;
		}
		rc = vault_text(db_field(r, i, C_NAME), name, sizeof(name))
			 ? vault_index_stage(a, name, db_u64(r, i, C_VERSION),
			       db_u64(r, i, C_DELETED) != 0,
			       db_field(r, i, C_HASH))
			 : CLV_E_DAMAGED;
	}
	if (rc != CLV_OK)
		return rc;
	return vault_index_commit(
	    a, &g->seen, db_u64(r, 0, C_COUNTER), db_field(r, 0, C_HASH));
}

/* Another one under the same counter: the loader says why. */
static int
check_held(const struct vault_app *a, const struct db_result *r)
{
	const struct db_field *head = db_field(r, 0, C_HASH);
	uint64_t counter = db_u64(r, 0, C_COUNTER);

	if (head->len < CLV_MANIFEST_HEAD_LEN)
		return CLV_E_DAMAGED;
	return counter < clv_index_counter(a->index) ||
		       clv_index_is_at(a->index, counter, head->p)
		   ? CLV_OK
		   : CLV_E_DAMAGED;
}

static size_t
find_row(const struct db_result *r)
{
	for (size_t i = 1; i < r->rows; i++)
		if (db_u64(r, i, C_KIND) == ROW_SECRET)
			return i;
	return 0;
}

static int
check_row(struct get *g, const struct db_result *r, size_t row)
{
	const struct db_field *record = db_field(r, row, C_RECORD);
	bool deleted = db_u64(r, row, C_DELETED) != 0;
	uint8_t hash[CLV_RECORD_HASH_LEN] = {0};

	if (row == 0) /* the database has none */
		return clv_index_check(g->a->index, g->name, 0, false, hash);
	if (!deleted)
		clv_record_hash(record->p, record->len, hash);
	return clv_index_check(
	    g->a->index, g->name, db_u64(r, row, C_VERSION), deleted, hash);
}

/* Its data key; when it is not there, the get has gone on, or ended. */
static const uint8_t *
find_key(struct get *g, uint32_t version)
{
	const uint8_t *key = NULL;
	int rc = vault_key_find(g->a, version, &key);

	if (rc == CLV_OK)
		return key;
	if (rc == CLV_E_NOT_FOUND && !g->reloaded) { /* one made since */
		g->reloaded = true;
		g->a->keys_due = true;
		begin(g);
	} else if (rc == CLV_E_GENERATION) {
		member_refresh_soon(g->v->k);
		end(g, rc,
		    "it is under a generation that is unknown here: the "
		    "master secret server is needed");
	} else {
		end_damaged(g, "its data key is missing");
	}
	return NULL;
}

static void
deliver(struct get *g, const struct db_result *r, size_t row)
{
	const struct db_field *record = db_field(r, row, C_RECORD);
	struct clv_record_id id = {CLV_RECORD_SECRET, member_system_id(g->v->k),
	    g->app, g->name, db_u64(r, row, C_VERSION)};
	struct vault_reply reply = {.text = "", .version = id.version};
	static uint8_t plain[CLV_VALUE_MAX];
	const uint8_t *key;
	uint32_t version;

	if (record->len > CLV_VALUE_MAX + CLV_RECORD_EXTRA ||
	    clv_record_key_version(record->p, record->len, &version) !=
		CLV_OK) {
		end_damaged(g, "its row is not a record");
		return;
	}
	key = find_key(g, version);
	if (key == NULL)
		return;
	if (clv_record_open(key, &id, record->p, record->len, plain) !=
	    CLV_OK) {
		end_damaged(g, "its content does not open");
		return;
	}
	reply.value = plain;
	reply.len = record->len - CLV_RECORD_EXTRA;
	if (g->version == 0)
		vault_cache_put(
		    g->v, g->app, g->name, id.version, plain, reply.len);
	g->fn(g->arg, &reply);
	sodium_memzero(plain, sizeof(plain)); /* of another get, too */
	free(g);
}

static void
not_there(struct get *g)
{
	char text[256];

	if (g->version == 0)
		vault_cache_forget(g->v, g->app, g->name);
	snprintf(text, sizeof(text), "application %s has no secret %s%s",
	    g->app, g->name, g->version != 0 ? " of that version" : "");
	end(g, CLV_E_NOT_FOUND, text);
}

/* A version that was asked for is bound by its associated data alone. */
static void
serve_version(struct get *g, const struct db_result *r)
{
	size_t row = find_row(r);

	if (row == 0)
		not_there(g);
	else if (db_u64(r, row, C_VERSION) != g->version)
		end_damaged(g, "another version than was asked for");
	else if (db_u64(r, row, C_DELETED) != 0)
		not_there(g);
	else
		deliver(g, r, row);
}

/* The index is as new as the answer, or newer: then it was written while the
 * answer was on its way. */
static void
serve_newest(struct get *g, const struct db_result *r)
{
	size_t row = find_row(r);
	int rc = check_row(g, r, row);

	if (rc == CLV_OK)
		deliver(g, r, row);
	else if (rc == CLV_E_NOT_FOUND)
		not_there(g);
	else if (db_u64(r, 0, C_COUNTER) < clv_index_counter(g->a->index))
		begin(g);
	else
		end_damaged(g, rc == CLV_E_DAMAGED
				   ? "other content than was written"
			       : row == 0 ? "its row is missing"
					  : "not its newest row");
}

static void
on_row(struct keeper *k, void *arg, const struct db_result *r)
{
	struct get *g = arg;
	uint64_t counter;
	int rc = CLV_OK;

	(void)k;
	g->a->calls--;
	if (r->result != CLV_OK) {
		if (vault_is_away(r->result) &&
		    from_cache(
			g->v, g->app, g->name, g->version, g->fn, g->arg))
			free(g);
		else
			end(g, r->result, r->text);
		return;
	}
	if (!g->a->indexed) { /* dropped meanwhile */
		begin(g);
		return;
	}
	if (r->rows == 0 || db_u64(r, 0, C_KIND) != ROW_MANIFEST) {
		end_damaged(g, "its application's manifest is missing");
		return;
	}
	counter = db_u64(r, 0, C_COUNTER);
	if (counter > clv_index_counter(g->a->index))
		rc = fold(g, r);
	else if (counter < g->known)
		rc = CLV_E_ROLLBACK;
	else
		rc = check_held(g->a, r);
	if (rc == CLV_E_AGAIN)
		vault_index_follow(g->a);
	else if (rc != CLV_OK)
		vault_index_drop(g->a);
	if (rc != CLV_OK || g->a->keys_due)
		begin(g);
	else if (g->version != 0)
		serve_version(g, r);
	else
		serve_newest(g, r);
}

static void
ask(struct get *g)
{
	uint8_t version[8], known[8], limit[8];
	struct clv_param p[5] = {
	    {g->app, strlen(g->app)},
	    {g->name, strlen(g->name)},
	    clv_param_u64(g->version, version),
	    clv_param_u64(clv_index_counter(g->a->index), known),
	    clv_param_u64(CHANGES_MAX, limit),
	};

	g->known = clv_index_counter(g->a->index);
	g->seen = heads_look(g->v->k->heads, g->app);
	g->a->calls++;
	db_call_pool(
	    g->v->k, CLV_STMT_GET_SECRET, p, 5, VAULT_WAIT_MS, on_row, g);
}

static void
on_ready(void *arg, struct vault_app *a, int result, const char *text)
{
	struct get *g = arg;

	g->a = a;
	if (result == CLV_OK)
		ask(g);
	else if (vault_is_away(result) &&
		 from_cache(g->v, g->app, g->name, g->version, g->fn, g->arg))
		free(g);
	else
		end(g, result, text);
}

static void
begin(struct get *g)
{
	if (++g->tries > TRIES)
		end(g, CLV_E_BUSY,
		    "the application is being written to all the time: try "
		    "again");
	else
		vault_need(g->v, g->app, VAULT_INDEX, on_ready, g);
}

void
vault_get(struct vault *v, const char *app, const char *name, uint64_t version,
    bool cached, vault_fn fn, void *arg)
{
	struct get *g;

	if (vault_name_check(name) != CLV_OK) {
		vault_tell(fn, arg, CLV_E_INVALID,
		    "a secret's name is 1 to 128 of letters, digits, '.', "
		    "'_', '-' and '/'");
		return;
	}
	if (cached && from_cache(v, app, name, version, fn, arg))
		return;
	g = calloc(1, sizeof(*g));
	if (g == NULL) {
		vault_tell(fn, arg, CLV_E_NOMEM, NULL);
		return;
	}
	g->v = v;
	snprintf(g->app, sizeof(g->app), "%s", app);
	snprintf(g->name, sizeof(g->name), "%s", name);
	g->version = version;
	g->fn = fn;
	g->arg = arg;
	begin(g);
}

/* What one message can hold. */
#define LIST_MAX 400

static void
on_list(void *arg, struct vault_app *a, int result, const char *text)
{
	struct get *g = arg;
	struct vault_reply r = {.text = ""};
	const char *name = g->name;
	struct clv_buf names, b;
	uint64_t version;
	uint32_t n = 0;

	/* Away: the names that were known last. */
	if (result != CLV_OK && (!vault_is_away(result) || !a->indexed)) {
		end(g, result, text);
		return;
	}
	clv_buf_init(&names);
	clv_buf_init(&b);
	while (n < LIST_MAX &&
	       (name = clv_index_next(a->index, name, &version)) != NULL) {
		clv_buf_str(&names, name);
		clv_buf_u64(&names, version);
		n++;
	}
	clv_buf_u8(&b, n == LIST_MAX);
	clv_buf_u32(&b, n);
	clv_buf_raw(&b, names.data, names.len);
	r.result =
	    clv_buf_result(&names) == CLV_OK ? clv_buf_result(&b) : CLV_E_NOMEM;
	r.value = b.data;
	r.len = b.len;
	g->fn(g->arg, &r);
	clv_buf_fini(&b);
	clv_buf_fini(&names);
	free(g);
}

void
vault_list(
    struct vault *v, const char *app, const char *after, vault_fn fn, void *arg)
{
	struct get *g = calloc(1, sizeof(*g));
	struct vault_app *a;

	if (g == NULL) {
		vault_tell(fn, arg, CLV_E_NOMEM, NULL);
		return;
	}
	g->v = v;
	snprintf(g->app, sizeof(g->app), "%s", app);
	snprintf(g->name, sizeof(g->name), "%s", after);
	g->fn = fn;
	g->arg = arg;
	a = vault_open_now(v, app);
	if (a != NULL && !a->loading)
		vault_index_follow(a);
	vault_need(v, app, VAULT_INDEX, on_list, g);
}

static void
on_history(struct keeper *k, void *arg, const struct db_result *r)
{
	struct get *g = arg;
	struct vault_reply reply = {.result = r->result,
	    .text = r->result == CLV_OK ? "" : r->text,
	    .rows = r};

	(void)k;
	if (r->result == CLV_OK && r->rows == 0) {
		not_there(g);
		return;
	}
	g->fn(g->arg, &reply);
	free(g);
}

void
vault_history(
    struct vault *v, const char *app, const char *name, vault_fn fn, void *arg)
{
	struct clv_param p[2] = {{app, strlen(app)}, {name, strlen(name)}};
	struct get *g;

	if (vault_name_check(name) != CLV_OK) {
		vault_tell(fn, arg, CLV_E_INVALID, "that is no secret's name");
		return;
	}
	g = calloc(1, sizeof(*g));
	if (g == NULL) {
		vault_tell(fn, arg, CLV_E_NOMEM, NULL);
		return;
	}
	g->v = v;
	snprintf(g->app, sizeof(g->app), "%s", app);
	snprintf(g->name, sizeof(g->name), "%s", name);
	g->fn = fn;
	g->arg = arg;
	db_call_pool(
	    v->k, CLV_STMT_HISTORY, p, 2, VAULT_WAIT_MS, on_history, g);
}
