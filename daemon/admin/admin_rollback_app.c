/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <claviger/envelope.h>
#include <claviger/manifest.h>

#include "daemon/admin/admin_run.h"
#include "daemon/keeper/heads.h"
#include "daemon/vault/vault_impl.h"

/*
 * One application, as it was on the day to which the database was restored. Its
 * rows are read and must be what its manifest of that day vouches for. Then
 * they get a manifest above every counter that was seen, with no links to what
 * came before: so each host takes it as it takes that of an application that
 * was made anew, and knows from it on again what came of what. The database
 * counts by one, so the same manifest is written under each counter in between.
 */
#define AHEAD_MAX 100000 /* changes that a host alone has seen */

struct rollback {
	uint8_t
	    *keys; /* guarded: of the application, the index, and one more */
	struct clv_index *index;
	uint64_t page_counter; /* where the next page begins */
	char page_name[VAULT_NAME_MAX];
	uint64_t was, at, target;
	uint8_t mac[CLV_MANIFEST_MAC_LEN];
	uint8_t id[16];
};

void
admin_rollback_free(struct keeper *k, struct rollback **rollback)
{
	struct rollback *b = *rollback;

	if (b == NULL)
		return;
	clv_index_free(&b->index);
	clv_guard_put(k->guard, b->keys);
	free(b);
	*rollback = NULL;
}

static void
end(struct admin *a, int result, bool was_older)
{
	struct rollback *b = a->rollback;

	clv_buf_u8(&a->change.data, was_older);
	clv_buf_u64(&a->change.data, b->was);
	clv_buf_u64(&a->change.data, b->at);
	admin_end(a, result, a->change.text[0] != '\0' ? NULL : "");
}

static void
fail(struct admin *a, int result, const char *text)
{
	ADMIN_SAY(&a->change, "application %s: %s", a->app, text);
	admin_end(a, result, NULL);
}

/* ---- writing ---- */

static void write_next(struct admin *a);

/* The next look compares with what is there now. */
static void
written(struct admin *a)
{
	struct keeper *k = a->k;
	struct rollback *b = a->rollback;

	heads_see(k->heads, a->app, b->at, b->mac);
	heads_claims_drop(&k->watch.claims, a->app);
	k->watch.asked_ms = 0;
	ADMIN_SAY(&a->change,
	    "application %s is accepted as it was: counter %llu there, %llu "
	    "now",
	    a->app, (unsigned long long)b->was, (unsigned long long)b->at);
	end(a, CLV_OK, true);
}

static void
on_written(struct keeper *k, void *arg, const struct db_result *r)
{
	struct admin *a = admin_still(k, arg);

	if (a == NULL)
		return;
	switch (r->result) {
	case CLV_OK: break;
	case CLV_E_UNKNOWN:
	case CLV_E_TIMEOUT:
	case CLV_E_DATABASE_AWAY:
		a->again = write_next;
		admin_wait(
		    a, ADMIN_STEP_RETRY, ADMIN_DEADLINE_MS, ADMIN_RETRY_MS);
		return;
	default: fail(a, r->result, r->text); return;
	}
	if (db_u64(r, 0, 0) != CLV_PUT_DONE &&
	    db_u64(r, 0, 0) != CLV_PUT_REPEATED) {
		fail(a, CLV_E_BUSY, "somebody has written to it meanwhile");
		return;
	}
	a->rollback->at++;
	randombytes_buf(a->rollback->id, sizeof(a->rollback->id));
	if (a->rollback->at >= a->rollback->target)
		written(a);
	else if (loop_now_ms() >= a->until_ms)
		fail(a, CLV_E_TIMEOUT,
		    "it is so far behind that it is not all done yet");
	else
		write_next(a);
}

static void
write_next(struct admin *a)
{
	enum { COLUMNS = 5 };
	static const enum clv_array types[COLUMNS] = {CLV_ARRAY_TEXT,
	    CLV_ARRAY_INT8, CLV_ARRAY_INT8, CLV_ARRAY_BYTEA, CLV_ARRAY_BYTEA};
	struct rollback *b = a->rollback;
	struct clv_buf none[COLUMNS];
	uint8_t epoch[8], at[8];
	struct clv_param p[6 + COLUMNS] = {
	    clv_param_u64(a->epoch, epoch),
	    {a->k->instance, sizeof(a->k->instance)},
	    {b->id, sizeof(b->id)},
	    {a->app, strlen(a->app)},
	    clv_param_u64(b->at, at),
	    {b->mac, sizeof(b->mac)},
	};
	int r = CLV_OK;

	clv_index_mac(b->index, b->at + 1, b->mac);
	for (unsigned i = 0; i < COLUMNS; i++) { /* no record is changed */
		clv_buf_init(&none[i]);
		clv_array_begin(&none[i], types[i]);
		r = r == CLV_OK ? clv_buf_result(&none[i]) : r;
		p[6 + i] = clv_param_array(&none[i]);
	}
	if (r == CLV_OK)
		admin_call(a, CLV_STMT_PUT_RECORDS, p, 6 + COLUMNS, on_written);
	else
		fail(a, r, clv_result_text(r));
	for (unsigned i = 0; i < COLUMNS; i++)
		clv_buf_fini(&none[i]);
}

/* ---- is it older than what was seen? ---- */

static uint64_t
highest(uint64_t one, uint64_t other)
{
	return one > other ? one : other;
}

/* What a member says that it has seen; NULL when that is so far ahead that the
 * database could not be brought there, as it never is of one that is honest. */
static const struct heads_claim *
claim(const struct admin *a)
{
	const struct heads_claim *c =
	    heads_claims_find(&a->k->watch.claims, a->app);
	uint64_t known =
	    highest(heads_get(a->k->heads, a->app), a->rollback->at);

	return c != NULL && c->head.counter <= known + AHEAD_MAX ? c : NULL;
}

static uint64_t
target(const struct admin *a)
{
	const struct heads_claim *c = claim(a);
	uint64_t seen =
	    highest(heads_get(a->k->heads, a->app), a->rollback->at);

	return highest(seen, c != NULL ? c->head.counter : 0) + 1;
}

static bool
is_behind(const struct admin *a, const uint8_t *mac)
{
	const struct heads_claim *c = claim(a);
	struct clv_head seen = heads_look(a->k->heads, a->app);
	uint64_t at = a->rollback->at;

	return clv_head_check(&seen, at, mac) != CLV_OK ||
	       (c != NULL && clv_head_check(&c->head, at, mac) != CLV_OK);
}

static void
decide(struct admin *a, uint64_t counter, const struct db_field *mac)
{
	struct rollback *b = a->rollback;

	b->was = b->at = counter;
	if (mac->len != CLV_MANIFEST_MAC_LEN ||
	    !clv_index_fits(b->index, counter, mac->p)) {
		fail(a, CLV_E_DAMAGED,
		    "its rows are not those of one day: they were changed from "
		    "outside");
	} else if (!is_behind(a, mac->p)) {
		ADMIN_SAY(&a->change,
		    "application %s is not older than what was seen", a->app);
		end(a, CLV_OK, false);
	} else {
		b->target = target(a);
		a->until_ms = loop_now_ms() + ADMIN_DEADLINE_MS;
		randombytes_buf(b->id, sizeof(b->id));
		write_next(a);
	}
}

/* ---- reading: keys, then rows ---- */

static void ask_page(struct admin *a);

static int
stage_row(struct admin *a, const struct db_result *r, size_t i)
{
	const struct db_field *hash = db_field(r, i, 3);
	struct rollback *b = a->rollback;
	char name[VAULT_NAME_MAX];
	struct clv_change c = {
	    .name = name,
	    .version = db_u64(r, i, 1),
	    .deleted = db_u64(r, i, 2) != 0,
	};
	uint64_t counter = db_u64(r, i, 4);

	if (!vault_text(db_field(r, i, 0), name, sizeof(name)) ||
	    hash->len != sizeof(c.record_hash) || counter < b->page_counter ||
	    (counter == b->page_counter && strcmp(name, b->page_name) <= 0))
		return CLV_E_DAMAGED;
	memcpy(c.record_hash, hash->p, sizeof(c.record_hash));
	memcpy(b->page_name, name, sizeof(b->page_name));
	b->page_counter = counter;
	if (clv_index_count(b->index) >= VAULT_NAMES_MAX)
		return CLV_E_FULL;
	return clv_index_stage(b->index, &c);
}

static void
on_page(struct keeper *k, void *arg, const struct db_result *r)
{
	struct admin *a = admin_still(k, arg);
	int rc = r->result;

	if (a == NULL)
		return;
	if (rc == CLV_OK && r->rows == 0)
		rc = CLV_E_NOT_FOUND;
	for (size_t i = 0; rc == CLV_OK && i + 1 < r->rows; i++)
		rc = stage_row(a, r, i);
	if (rc != CLV_OK)
		fail(a, rc, clv_result_text(rc));
	else if (r->rows - 1 >= VAULT_PAGE)
		ask_page(a);
	else
		decide(
		    a, db_u64(r, r->rows - 1, 5), db_field(r, r->rows - 1, 6));
}

static void
ask_page(struct admin *a)
{
	struct rollback *b = a->rollback;
	uint8_t counter[8], limit[8];
	struct clv_param p[4] = {
	    {a->app, strlen(a->app)},
	    clv_param_u64(b->page_counter, counter),
	    {b->page_name, strlen(b->page_name)},
	    clv_param_u64(VAULT_PAGE, limit),
	};

	admin_call(a, CLV_STMT_GET_CHANGES, p, 4, on_page);
}

/* Into the last of the guarded keys. */
static int
open_key(struct admin *a, const struct db_result *r, uint32_t version)
{
	const struct clv_list *list = a->k->secret.list;
	uint8_t *app_key = a->rollback->keys;
	uint8_t *key = a->rollback->keys + 2 * CLV_KEY_LEN;
	const struct db_field *wrapped = db_field(r, version, 2);
	struct clv_datakey_id id = {
	    .system_id = list->system_id,
	    .app = a->app,
	    .version = version,
	    .generation = (uint32_t)db_u64(r, version, 1),
	};
	int rc;

	if (db_u64(r, version, 0) != version)
		return CLV_E_DAMAGED;
	rc = clv_keyring_subkey(
	    a->k->secret.keyring, id.generation, CLV_SUBKEY_DISTRIBUTION, key);
	if (rc == CLV_E_NOT_FOUND) {
		ADMIN_SAY(&a->change,
		    "application %s: a key is wrapped under generation %u, "
		    "which is destroyed",
		    a->app, id.generation);
		return CLV_E_GENERATION;
	}
	if (rc != CLV_OK)
		return rc;
	clv_app_key(key, list->system_id, a->app, app_key);
	return clv_datakey_unwrap(app_key, &id, wrapped->p, wrapped->len, key);
}

static int
open_keys(struct admin *a, const struct db_result *r)
{
	struct rollback *b = a->rollback;
	uint8_t *index_key = b->keys + CLV_KEY_LEN;
	uint8_t *key = b->keys + 2 * CLV_KEY_LEN;
	int rc = open_key(a, r, 0);

	if (rc != CLV_OK)
		return rc;
	memcpy(index_key, key, CLV_KEY_LEN);
	rc = clv_index_new(
	    index_key, a->k->secret.list->system_id, a->app, &b->index);
	for (uint32_t i = 1; rc == CLV_OK && i < r->rows; i++) {
		rc = open_key(a, r, i);
		if (rc == CLV_OK)
			rc = clv_index_stage_key(b->index, i, key);
	}
	return rc;
}

static void
on_keys(struct keeper *k, void *arg, const struct db_result *r)
{
	struct admin *a = admin_still(k, arg);
	int rc;

	if (a == NULL)
		return;
	if (r->result != CLV_OK) {
		fail(a, r->result, r->text);
		return;
	}
	if (r->rows == 0) {
		fail(a, CLV_E_NOT_FOUND,
		    "the database has nothing of it: claviger app remove, and "
		    "then app add");
		return;
	}
	rc = open_keys(a, r);
	if (rc == CLV_OK)
		ask_page(a);
	else if (rc == CLV_E_GENERATION)
		admin_end(a, rc, NULL);
	else
		fail(a, rc, clv_result_text(rc));
}

void
admin_rollback_app(struct admin *a)
{
	struct clv_param p = {a->app, 0};
	struct clv_rd args;

	clv_rd_init(&args, a->args, a->args_len);
	clv_rd_str(&args, a->app, sizeof(a->app));
	if (clv_rd_end(&args) != CLV_OK) {
		admin_end(a, CLV_E_PROTOCOL, NULL);
		return;
	}
	if (clv_list_app_by_name(a->k->secret.list, a->app) == NULL) {
		fail(a, CLV_E_NOT_FOUND, "there is none of that name");
		return;
	}
	a->rollback = calloc(1, sizeof(*a->rollback));
	if (a->rollback != NULL)
		a->rollback->keys = clv_guard_get(a->k->guard, 3 * CLV_KEY_LEN);
	if (a->rollback == NULL || a->rollback->keys == NULL) {
		admin_end(a, CLV_E_NOMEM, NULL);
		return;
	}
	p.len = strlen(a->app);
	admin_call(a, CLV_STMT_GET_KEYS, &p, 1, on_keys);
}
