/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include <claviger/result.h>
#include "index.h"

int
clv_index_new(const uint8_t key[static CLV_KEY_LEN],
    const uint8_t system_id[static CLV_SYSTEM_ID_LEN], const char *app,
    struct clv_index **ret)
{
	size_t len = strnlen(app, CLV_NAME_MAX);
	struct clv_index *x;

	if (len == 0 || len == CLV_NAME_MAX)
		return CLV_E_INVALID;
	x = calloc(1, sizeof(*x));
	if (x == NULL)
		return CLV_E_NOMEM;
	x->key = key;
	memcpy(x->system_id, system_id, CLV_SYSTEM_ID_LEN);
	memcpy(x->app, app, len);
	randombytes_buf(x->table.key, sizeof(x->table.key));
	*ret = x;
	return CLV_OK;
}

void
clv_index_free(struct clv_index **index)
{
	struct clv_index *x;

	if (index == NULL || *index == NULL)
		return;
	x = *index;
	clv__table_fini(&x->table);
	free(x->undo);
	free(x->order);
	sodium_memzero(x, sizeof(*x)); /* the sums are nobody else's business */
	free(x);
	*index = NULL;
}

uint64_t
clv_index_counter(const struct clv_index *x)
{
	return x->counter;
}

size_t
clv_index_count(const struct clv_index *x)
{
	return x->count;
}

bool
clv__index_held(const struct clv_index *x, const struct clv__entry *e,
    struct clv__held *ret)
{
	const struct clv__undo *u;

	if (e == NULL || e->undo == CLV__NEW)
		return false;
	if (e->undo == 0) {
		*ret = (struct clv__held){e->version, e->deleted, e->hash};
		return true;
	}
	u = &x->undo[e->undo - 1];
	*ret = (struct clv__held){u->version, u->deleted, u->hash};
	return true;
}

static bool
is_change(const struct clv_change *c)
{
	size_t len = strnlen(c->name, CLV__INDEX_NAME_MAX);

	return len != 0 && len < CLV__INDEX_NAME_MAX && c->version != 0 &&
	       (!c->deleted ||
		   sodium_is_zero(c->record_hash, CLV_RECORD_HASH_LEN));
}

/* Remember what a committed entry was, once. */
static bool
keep(struct clv_index *x, struct clv__entry *e)
{
	size_t cap = x->undo_cap != 0 ? x->undo_cap * 2 : 4;
	struct clv__undo *undo;

	if (e->undo != 0)
		return true;
	if (x->undo_count == x->undo_cap) {
		undo = realloc(x->undo, cap * sizeof(*undo)); /* no secrets */
		if (undo == NULL)
			return false;
		x->undo = undo;
		x->undo_cap = cap;
	}
	undo = &x->undo[x->undo_count++];
	undo->entry = e;
	undo->version = e->version;
	undo->deleted = e->deleted;
	memcpy(undo->hash, e->hash, sizeof(undo->hash));
	e->undo = (uint32_t)x->undo_count;
	return true;
}

static void
subtract(struct clv_index *x, const struct clv__entry *e)
{
	struct clv_change c = {e->name, e->version, e->deleted, {0}};
	uint8_t entry[CLV__ENTRY_LEN];

	memcpy(c.record_hash, e->hash, sizeof(c.record_hash));
	clv__manifest_entry(x->key, &c, entry);
	sodium_sub(x->sum, entry, sizeof(entry));
}

static void
add(struct clv_index *x, struct clv__entry *e, const struct clv_change *c)
{
	uint8_t entry[CLV__ENTRY_LEN];

	clv__manifest_entry(x->key, c, entry);
	sodium_add(x->sum, entry, sizeof(entry));
	e->version = c->version;
	e->deleted = c->deleted;
	memcpy(e->hash, c->record_hash, sizeof(e->hash));
}

/* The change of an entry that is there. */
static int
change(struct clv_index *x, struct clv__entry *e, const struct clv_change *c)
{
	if (c->version < e->version)
		return CLV_E_STALE;
	if (c->version == e->version) {
		if (c->deleted != e->deleted)
			return CLV_E_DAMAGED;
		if (memcmp(c->record_hash, e->hash, sizeof(e->hash)) == 0)
			return CLV_OK;
	}
	if (!keep(x, e))
		return CLV_E_NOMEM;
	subtract(x, e);
	add(x, e, c);
	return CLV_OK;
}

int
clv_index_stage(struct clv_index *x, const struct clv_change *c)
{
	struct clv__entry *e;

	if (!is_change(c))
		return CLV_E_INVALID;
	e = clv__table_find(&x->table, c->name);
	if (e != NULL)
		return change(x, e, c);
	e = clv__table_add(&x->table, c->name);
	if (e == NULL)
		return CLV_E_NOMEM;
	e->undo = CLV__NEW;
	add(x, e, c);
	return CLV_OK;
}

int
clv_index_stage_key(struct clv_index *x, uint32_t version,
    const uint8_t data_key[static CLV_KEY_LEN])
{
	if (version == 0 || version != x->newest.version + 1)
		return CLV_E_INVALID;
	clv__newest_make(version, data_key, &x->newest);
	return CLV_OK;
}

uint32_t
clv_index_key_version(const struct clv_index *x)
{
	return x->committed_newest.version;
}

bool
clv_index_is_newest(
    const struct clv_index *x, const uint8_t data_key[static CLV_KEY_LEN])
{
	struct clv__newest n;

	clv__newest_make(x->committed_newest.version, data_key, &n);
	return sodium_memcmp(
		   n.check, x->committed_newest.check, sizeof(n.check)) == 0;
}

static void
make_manifest(const struct clv_index *x, uint64_t counter,
    const struct clv__newest *newest, const uint8_t *links,
    uint8_t ret[static CLV_MANIFEST_MAC_LEN])
{
	const struct clv__manifest m = {
	    .system_id = x->system_id,
	    .app = x->app,
	    .counter = counter,
	    .count = x->table.count,
	    .sum = x->sum,
	    .newest = *newest,
	    .links = links,
	};

	clv__manifest_mac(x->key, &m, ret);
}

/* Those that a manifest has which comes of the committed one. */
static void
links_before(const struct clv_index *x, uint64_t counter,
    uint8_t ret[static CLV__LINKS_LEN])
{
	uint64_t steps = counter - x->counter;
	size_t at;

	memset(ret, 0, CLV__LINKS_LEN);
	if (counter < x->counter || steps > CLV_MANIFEST_LINKS)
		return;
	at = (size_t)steps * CLV_LINK_LEN;
	memcpy(ret + at, x->links, CLV__LINKS_LEN - at);
	if (steps > 0)
		memcpy(ret + at - CLV_LINK_LEN, x->link, CLV_LINK_LEN);
}

void
clv_index_mac(const struct clv_index *x, uint64_t counter,
    uint8_t ret[static CLV_MANIFEST_MAC_LEN])
{
	uint8_t links[CLV__LINKS_LEN];

	links_before(x, counter, links);
	make_manifest(x, counter, &x->newest, links, ret);
}

/* Two writers may have made a MAC under the same counter, and one of them lost:
 * that both are genuine must not matter. */
static bool
comes_of_held(const struct clv_index *x, uint64_t counter,
    const uint8_t mac[static CLV_MANIFEST_MAC_LEN])
{
	const uint8_t *link = clv__manifest_link(mac, counter, x->counter);

	return link == NULL || sodium_memcmp(link, x->link, CLV_LINK_LEN) == 0;
}

static int
verify(const struct clv_index *x, uint64_t counter,
    const uint8_t mac[static CLV_MANIFEST_MAC_LEN],
    const struct clv__newest *newest)
{
	uint8_t want[CLV_MANIFEST_MAC_LEN];

	if (x->any && counter < x->counter)
		return CLV_E_STALE;
	if (x->any && (newest->version < x->committed_newest.version ||
			  !comes_of_held(x, counter, mac)))
		return CLV_E_DAMAGED;
	make_manifest(x, counter, newest, clv__manifest_links(mac), want);
	return sodium_memcmp(want, mac, sizeof(want)) == 0 ? CLV_OK
							   : CLV_E_DAMAGED;
}

static void
forget_undo(struct clv_index *x)
{
	free(x->undo);
	x->undo = NULL;
	x->undo_count = x->undo_cap = 0;
}

bool
clv_index_is_at(const struct clv_index *x, uint64_t counter,
    const uint8_t head[static CLV_MANIFEST_HEAD_LEN])
{
	return counter == x->counter &&
	       sodium_memcmp(head + CLV_MANIFEST_HEAD_LEN - CLV__ENTRY_LEN,
		   x->link, CLV_LINK_LEN) == 0;
}

bool
clv_index_fits(const struct clv_index *x, uint64_t counter,
    const uint8_t mac[static CLV_MANIFEST_MAC_LEN])
{
	struct clv__newest newest;

	clv__newest_parse(mac, &newest);
	return verify(x, counter, mac, &newest) == CLV_OK;
}

int
clv_index_commit(struct clv_index *x, uint64_t counter,
    const uint8_t mac[static CLV_MANIFEST_MAC_LEN])
{
	struct clv__newest newest;
	size_t i;
	int r;

	clv__newest_parse(mac, &newest);
	r = verify(x, counter, mac, &newest);
	if (r != CLV_OK) {
		clv_index_abort(x);
		return r;
	}
	for (i = 0; i < x->undo_count; i++)
		x->undo[i].entry->undo = 0;
	for (i = x->count; i < x->table.count; i++)
		x->table.entries[i]->undo = 0;
	forget_undo(x);
	x->any = true;
	x->counter = counter;
	x->count = x->table.count;
	memcpy(x->committed_sum, x->sum, sizeof(x->sum));
	x->newest = x->committed_newest = newest;
	memcpy(x->links, clv__manifest_links(mac), CLV__LINKS_LEN);
	memcpy(
	    x->link, clv__manifest_link(mac, counter, counter), CLV_LINK_LEN);
	return CLV_OK;
}

void
clv_index_abort(struct clv_index *x)
{
	const struct clv__undo *u;
	size_t i;

	for (i = 0; i < x->undo_count; i++) {
		u = &x->undo[i];
		u->entry->version = u->version;
		u->entry->deleted = u->deleted;
		memcpy(u->entry->hash, u->hash, sizeof(u->hash));
		u->entry->undo = 0;
	}
	forget_undo(x);
	while (x->table.count > x->count)
		clv__table_drop_last(&x->table);
	memcpy(x->sum, x->committed_sum, sizeof(x->sum));
	x->newest = x->committed_newest;
}

int
clv_index_check(const struct clv_index *x, const char *name, uint64_t version,
    bool deleted, const uint8_t record_hash[static CLV_RECORD_HASH_LEN])
{
	struct clv__held h;

	if (!clv__index_held(x, clv__table_find(&x->table, name), &h))
		return version == 0 ? CLV_E_NOT_FOUND : CLV_E_STALE;
	if (version != h.version)
		return CLV_E_STALE;
	if (deleted != h.deleted ||
	    memcmp(record_hash, h.hash, CLV_RECORD_HASH_LEN) != 0)
		return CLV_E_DAMAGED;
	return deleted ? CLV_E_NOT_FOUND : CLV_OK;
}

int
clv_index_find(const struct clv_index *x, const char *name,
    uint64_t *ret_version, bool *ret_deleted)
{
	struct clv__held h;

	if (!clv__index_held(x, clv__table_find(&x->table, name), &h))
		return CLV_E_NOT_FOUND;
	*ret_version = h.version;
	*ret_deleted = h.deleted;
	return CLV_OK;
}
