/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNIT_INDEX_RIG_H
#define UNIT_INDEX_RIG_H

#include <claviger/manifest.h>
#include "core.h"

/* An index, and the database that it is an index of. */

static uint8_t key[32], system_id[16];
static struct clv_index *x;

/* What a database holds: current rows, and the manifest's. */
#define ROWS_MAX 64
static struct database {
	struct clv_change rows[ROWS_MAX];
	size_t count;
	uint64_t counter;
	uint8_t mac[CLV_MANIFEST_MAC_LEN];
} db;

static inline struct clv_change
row(const char *name, uint64_t version, uint8_t content)
{
	struct clv_change c = {.name = name, .version = version};

	memset(c.record_hash, content, sizeof(c.record_hash));
	return c;
}

static inline struct clv_change
tombstone(const char *name, uint64_t version)
{
	struct clv_change c = {
	    .name = name, .version = version, .deleted = true};

	return c;
}

static inline struct clv_index *
new_index(const char *app)
{
	struct clv_index *i = NULL;

	ck_assert_int_eq(clv_index_new(key, system_id, app, &i), CLV_OK);
	return i;
}

static inline void
stage(struct clv_index *i, struct clv_change c)
{
	ck_assert_int_eq(clv_index_stage(i, &c), CLV_OK);
}

static inline void
stage_key(struct clv_index *i, uint32_t version, const uint8_t *data_key)
{
	ck_assert_int_eq(clv_index_stage_key(i, version, data_key), CLV_OK);
}

/* As a writer does it: the index and the database move together. */
static inline void
write_row(struct clv_change c)
{
	size_t i = 0;

	while (i < db.count && strcmp(db.rows[i].name, c.name) != 0)
		i++;
	ck_assert_uint_lt(i, ROWS_MAX);
	db.rows[i] = c;
	db.count += i == db.count;
	stage(x, c);
	clv_index_mac(x, ++db.counter, db.mac);
	ck_assert_int_eq(clv_index_commit(x, db.counter, db.mac), CLV_OK);
}

/* Read a whole database by an index that knows nothing yet. */
static inline int
load(const struct database *d, struct clv_index **ret)
{
	struct clv_index *i = new_index("crm");
	size_t n;
	int r = CLV_OK;

	for (n = 0; r == CLV_OK && n < d->count; n++)
		r = clv_index_stage(i, &d->rows[n]);
	if (r == CLV_OK)
		r = clv_index_commit(i, d->counter, d->mac);
	if (ret != NULL && r == CLV_OK)
		*ret = i;
	else
		clv_index_free(&i);
	return r;
}

static inline int
check_row(const struct clv_change *c)
{
	return clv_index_check(
	    x, c->name, c->version, c->deleted, c->record_hash);
}

/* alpha and beta at version 2, gamma deleted at 3, delta at 1. */
static inline void
set_up(void)
{
	uint8_t i;

	for (i = 0; i < 32; i++)
		key[i] = i;
	for (i = 0; i < 16; i++)
		system_id[i] = (uint8_t)(200 + i);
	memset(&db, 0, sizeof(db));
	x = new_index("crm");
	write_row(row("alpha", 1, 1));
	write_row(row("beta", 1, 2));
	write_row(row("gamma", 2, 3));
	write_row(row("alpha", 2, 4));
	write_row(row("beta", 2, 5));
	write_row(tombstone("gamma", 3));
	write_row(row("delta", 1, 6));
}

static inline void
tear_down(void)
{
	clv_index_free(&x);
	ck_assert_ptr_null(x);
}

static inline struct clv_change *
db_row(struct database *d, const char *name)
{
	size_t i;

	for (i = 0; i < d->count; i++)
		if (strcmp(d->rows[i].name, name) == 0)
			return &d->rows[i];
	ck_abort_msg("no row %s", name);
}

static inline void
remove_row(struct database *d, const char *name)
{
	struct clv_change *c = db_row(d, name);

	*c = d->rows[--d->count];
}

static inline TCase *
add_cases(Suite *s, const char *name)
{
	TCase *t = tcase_create(name);

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_set_timeout(t, 120);
	suite_add_tcase(s, t);
	return t;
}

#endif
