/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLV_INDEX_H
#define CLV_INDEX_H

#include <claviger/identity.h>
#include "manifest.h"

/* Entries by name: in the order of their arrival, and found through a hash
 * table with linear probing. SipHash under a random key, so that nobody can
 * choose names that collide. */

struct clv__entry {
	uint64_t version;
	uint32_t undo; /* 0: as committed; CLV__NEW; else 1 + place in undo */
	bool deleted;
	uint8_t hash[CLV_RECORD_HASH_LEN];
	char name[];
};
#define CLV__NEW UINT32_MAX /* was not there when the staging began */

struct clv__slot {
	uint32_t sip; /* low half of the name's SipHash */
	uint32_t at;  /* 1 + place in entries; 0: empty */
};

struct clv__table {
	struct clv__entry **entries;
	size_t count, cap;
	struct clv__slot *slots;
	size_t slot_count; /* a power of two, or 0 */
	uint8_t key[16];
};

void clv__table_fini(struct clv__table *t);
struct clv__entry *clv__table_find(
    const struct clv__table *t, const char *name);
/* A zeroed entry of that name, which must not be there yet; NULL: no memory. */
struct clv__entry *clv__table_add(struct clv__table *t, const char *name);
/* Remove and free the one that was added last. */
void clv__table_drop_last(struct clv__table *t);

/* What a staged entry was before. */
struct clv__undo {
	struct clv__entry *entry;
	uint64_t version;
	bool deleted;
	uint8_t hash[CLV_RECORD_HASH_LEN];
};

struct clv_index {
	const uint8_t *key; /* borrowed */
	uint8_t system_id[CLV_SYSTEM_ID_LEN];
	char app[CLV_NAME_MAX];
	struct clv__table table;
	uint8_t sum[CLV__ENTRY_LEN]; /* of the staged state */
	struct clv__newest newest;   /* ... */

	bool any; /* something was committed */
	uint64_t counter;
	size_t count; /* of the table's entries, so many are committed */
	uint8_t committed_sum[CLV__ENTRY_LEN];
	struct clv__newest committed_newest;
	uint8_t link[CLV_LINK_LEN];    /* of that counter; zeros: none */
	uint8_t links[CLV__LINKS_LEN]; /* before it */

	struct clv__undo *undo; /* of committed entries that are staged */
	size_t undo_count, undo_cap;

	struct clv__entry **order; /* the first order_count entries, by name */
	size_t order_count;
};

/* The committed state of an entry, borrowed; false if there is none. */
struct clv__held {
	uint64_t version;
	bool deleted;
	const uint8_t *hash;
};
bool clv__index_held(const struct clv_index *x, const struct clv__entry *e,
    struct clv__held *ret);

#endif
