/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/vault/inspect_impl.h"

/*
 * The rows of the application as the database has them now, and whether the
 * manifest vouches for them. If it does not, which ones are to blame can only
 * be said where the vault still holds what it has verified before; what it
 * holds that says otherwise is kept aside until the manifest has been seen.
 */

/* Columns of GET_CHANGES. */
enum { C_NAME, C_VERSION, C_DELETED, C_HASH, C_COUNTER, C_NOW, C_MAC };

static void
compare(struct inspect *i, const struct clv_change *c, uint64_t counter)
{
	const struct clv_index *held = inspect_held(i);
	uint64_t version;
	bool deleted;

	if (held == NULL)
		return;
	if (clv_index_find(held, c->name, &version, &deleted) != CLV_OK) {
		if (counter <= clv_index_counter(held))
			inspect_found(&i->maybe, "row-unknown", c->name,
			    "nobody wrote this row");
	} else if (c->version < version) {
		inspect_found(&i->maybe, "row-older", c->name,
		    "version %" PRIu64 " stands where version %" PRIu64
		    " was written",
		    c->version, version);
	} else if (c->version == version &&
		   clv_index_check(held, c->name, c->version, c->deleted,
		       c->record_hash) == CLV_E_DAMAGED) {
		inspect_found(&i->maybe, "row-replaced", c->name,
		    "version %" PRIu64 " is not what was written", version);
	}
}

static void
stage(struct inspect *i, const struct db_result *r, size_t row)
{
	const struct db_field *hash = db_field(r, row, C_HASH);
	struct clv_change c = {.name = i->name,
	    .version = db_u64(r, row, C_VERSION),
	    .deleted = db_u64(r, row, C_DELETED) != 0};
	int rc = CLV_E_DAMAGED;

	if (hash->len == sizeof(c.record_hash) &&
	    vault_name_check(c.name) == CLV_OK && c.version > 0) {
		memcpy(c.record_hash, hash->p, sizeof(c.record_hash));
		rc = clv_index_stage(i->index, &c);
	}
	if (rc == CLV_E_NOMEM)
		i->result = rc;
	else if (rc != CLV_OK)
		inspect_found(&i->found, "row-forged", c.name,
		    "its row is not one that this program writes, or stands "
		    "there twice");
	else if (i->phase == INSPECT_INDEX)
		compare(i, &c, i->counter);
}

/* The last row has no name, but the manifest. CLV_E_DAMAGED: they do not
 * ascend, so that they may have no end. */
static int
take_page(struct inspect *i, const struct db_result *r)
{
	char before[VAULT_NAME_MAX];
	uint64_t counter;

	for (size_t n = 0; n + 1 < r->rows; n++) {
		memcpy(before, i->name, sizeof(before));
		counter = db_u64(r, n, C_COUNTER);
		if (!vault_text(
			db_field(r, n, C_NAME), i->name, sizeof(i->name)) ||
		    counter < i->counter ||
		    (counter == i->counter && strcmp(i->name, before) <= 0))
			return CLV_E_DAMAGED;
		i->counter = counter;
		if (++i->rows > VAULT_NAMES_MAX)
			return CLV_E_FULL;
		stage(i, r, n);
	}
	return i->result;
}

/* All rows are staged. They are taken for true whether or not the manifest
 * vouches for them: only then is what it says about each known. */
static int
commit(struct inspect *i, uint64_t counter, const struct db_field *mac)
{
	uint8_t own[CLV_MANIFEST_MAC_LEN];

	clv_index_mac(i->index, counter, own);
	i->fits = mac->len == sizeof(own) &&
		  clv_index_fits(i->index, counter, mac->p);
	i->forked = i->fits &&
		    clv_head_check(&i->seen, counter, mac->p) == CLV_E_FORKED;
	return clv_index_commit(i->index, counter, i->fits ? mac->p : own);
}

/* A data key of the application that had this name before opens as well. */
static void
judge_newest(struct inspect *i)
{
	uint32_t version = clv_index_key_version(i->index);
	const uint8_t *key = inspect_key_find(i, version);
	char name[32];

	if (key == NULL || clv_index_is_newest(i->index, key))
		return;
	snprintf(name, sizeof(name), "data key %u", version);
	inspect_found(&i->found, "key-changed", name,
	    "it is not the one that the manifest names");
}

static void
judge(struct inspect *i, uint64_t counter)
{
	uint64_t seen = i->seen.counter;
	bool sound = i->fits && counter >= seen && !i->forked;

	inspect_go_on(i, sound ? INSPECT_RECORDS : INSPECT_GONE);
	if (i->forked)
		inspect_found(&i->found, "forked", i->app,
		    "change %" PRIu64 " of it that has been seen is not in the "
		    "database: that was set back to an earlier change, and "
		    "then written on",
		    i->seen.linked);
	if (counter < seen)
		inspect_found(&i->found, "rolled-back", i->app,
		    "the database is at change %" PRIu64 " of it, and change "
		    "%" PRIu64 " has been seen: it was restored to an earlier "
		    "day, or rows were taken away",
		    counter, seen);
	if (i->fits)
		judge_newest(i);
	else
		inspect_found(&i->found, "rows-changed", i->app,
		    "its rows are not those that were written last: some were "
		    "changed, put back or taken away from outside");
}

/* What was kept aside holds, then. And which names are there no more? */
void
inspect_gone(struct inspect *i)
{
	struct clv_index *held = (struct clv_index *)(uintptr_t)inspect_held(i);
	struct inspect_found swap = i->found;
	const char *name = NULL;
	uint64_t version;
	bool deleted;

	i->found = i->maybe;
	i->maybe = swap;
	for (unsigned n = 0; held != NULL && n < INSPECT_NAMES; n++) {
		name = clv_index_next(held, i->name, &version);
		if (name == NULL)
			break;
		memcpy(i->name, name, strlen(name) + 1);
		if (clv_index_find(i->index, name, &version, &deleted) ==
		    CLV_E_NOT_FOUND)
			inspect_found(&i->found, "row-missing", name,
			    "it was written, and the database has no row of "
			    "it");
	}
	if (name == NULL)
		inspect_go_on(i, INSPECT_RECORDS);
	inspect_tell(i);
}

/* Is it wrong still, now that all that was written since is known? */
static bool
is_wrong(const struct inspect *i, const struct inspect_doubt *d)
{
	uint64_t version;
	bool deleted;
	int r;

	if (d->key_version > 0)
		return inspect_key_find(i, d->key_version) == NULL;
	if (clv_index_find(i->index, d->name, &version, &deleted) != CLV_OK)
		return true;
	if (version > d->version && d->version > 0)
		return false;
	r = clv_index_check(i->index, d->name, d->version, d->deleted, d->hash);
	return d->old || (r != CLV_OK && r != CLV_E_NOT_FOUND);
}

static void
blame(struct inspect *i, const struct inspect_doubt *d)
{
	if (d->key_version > 0)
		inspect_found(&i->found, "record-key", d->name, INSPECT_NO_KEY,
		    d->version, (uint64_t)d->key_version);
	else if (d->version == 0)
		inspect_found(&i->found, "row-missing", d->name,
		    "the database does not give its row");
	else if (d->old)
		inspect_found(&i->found, "row-missing", d->name,
		    "version %" PRIu64 " is there, but not the current one "
		    "above it",
		    d->version);
	else
		inspect_found(&i->found, "row-replaced", d->name,
		    "version %" PRIu64 " is not what was written", d->version);
}

static void
decide(struct inspect *i)
{
	for (size_t n = 0; n < i->doubt_count; n++)
		if (is_wrong(i, &i->doubts[n]))
			blame(i, &i->doubts[n]);
	if (i->doubts_full)
		inspect_found(&i->found, "again", i->app,
		    "so much is written to it, or wrong in it, that not all "
		    "of its records could be told apart");
	i->phase = INSPECT_END;
}

static void ask_page(struct inspect *i);

static void
on_page(struct keeper *k, void *arg, const struct db_result *r)
{
	struct inspect *i = arg;
	size_t last = r->rows - 1;
	uint64_t counter;
	int rc;

	(void)k;
	if (!inspect_answered(i, r))
		return;
	if (r->rows == 0) {
		inspect_found(&i->found, "rows-changed", i->app,
		    "its manifest is missing");
		clv_index_free(&i->index);
		inspect_go_on(i, INSPECT_RECORDS);
		inspect_tell(i);
		return;
	}
	rc = take_page(i, r);
	if (rc == CLV_OK && last >= INSPECT_NAMES) {
		inspect_tell(i);
		return;
	}
	counter = db_u64(r, last, C_NOW);
	if (rc == CLV_OK)
		rc = commit(i, counter, db_field(r, last, C_MAC));
	if (rc != CLV_OK) {
		inspect_fail(i, rc,
		    rc == CLV_E_DAMAGED || rc == CLV_E_STALE
			? "its rows come in no order: the database does not "
			  "do what its functions say"
			: "");
		return;
	}
	if (i->phase == INSPECT_INDEX)
		judge(i, counter);
	else
		decide(i);
	inspect_tell(i);
}

/* What is seen later the answer need not know. */
static struct clv_head
seen_so_far(const struct inspect *i)
{
	const struct clv_index *held = inspect_held(i);
	struct clv_head seen = heads_look(i->v->k->heads, i->app);

	if (held != NULL && clv_index_counter(held) > seen.counter)
		seen.counter = clv_index_counter(held);
	return seen;
}

static void
ask_page(struct inspect *i)
{
	uint8_t counter[8], limit[8];
	struct clv_param p[4] = {
	    {i->app, strlen(i->app)},
	    clv_param_u64(i->counter, counter),
	    {i->name, strlen(i->name)},
	    clv_param_u64(INSPECT_NAMES, limit),
	};

	i->seen = seen_so_far(i);
	inspect_call(i, CLV_STMT_GET_CHANGES, p, 4, on_page, i);
}

void
inspect_index(struct inspect *i)
{
	ask_page(i);
}

void
inspect_follow(struct inspect *i)
{
	ask_page(i);
}
