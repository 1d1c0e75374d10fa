/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLAVIGER_MANIFEST_H
#define CLAVIGER_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <claviger/keyring.h>

/*
 * The manifest of an application, claviger-formats(7): a counter, one higher
 * with each write transaction, which data key is the newest, and a MAC over
 * both, over the application's current entries, one for each name, deleted
 * names included (tombstones), and over the MACs before it. The entries are
 * summed, so that a change costs the same however many there are. The sum
 * stands nowhere: whoever verifies computes it from the rows, which it thereby
 * compares one by one with what the last writer had.
 *
 *   entry = BLAKE2b-256(key: index key, personal: "claviger-index01",
 *                       str name | u64 version | u8 deleted | raw hash 32)
 *   sum   = sum of entries, 256-bit little-endian integers, mod 2^256
 *   check = BLAKE2b-256(key: newest data key, personal: "claviger-newest1",
 *                       of no message)
 *   mac   = BLAKE2b-256(key: index key, personal: "claviger-manifst",
 *                       raw system | str app | u64 counter | u64 count |
 *                       raw sum 32 | u32 key version | raw check 32 |
 *                       raw links)
 *   link  = the first 8 bytes of a mac
 *   links = those of the last 120 counters before this one, the newest first;
 *           zeros where there was none
 *
 * It lies in the database as u32 key version | raw check 32 | raw mac 32 |
 * raw links. Who has seen the link of one counter tells by a later manifest
 * whether it has come from there: a database that was set back and then written
 * on has another one in its place.
 */

#define CLV_RECORD_HASH_LEN 32
#define CLV_LINK_LEN 8
#define CLV_MANIFEST_LINKS 120
#define CLV_MANIFEST_HEAD_LEN (4 + 32 + 32) /* without the links */
#define CLV_MANIFEST_MAC_LEN \
	(CLV_MANIFEST_HEAD_LEN + CLV_MANIFEST_LINKS * CLV_LINK_LEN)

/* What was seen of an application. */
struct clv_head {
	uint64_t counter;	    /* the highest; 0: none */
	uint64_t linked;	    /* the highest whose link is known; ... */
	uint8_t link[CLV_LINK_LEN]; /* ... zeros if there is none */
};

/* The link of the counter `at`, says this manifest of a counter; it is as good
 * as the manifest. false: that is later or too long ago, or before the
 * application was made. */
bool clv_manifest_link(const uint8_t mac[static CLV_MANIFEST_MAC_LEN],
    uint64_t counter, uint64_t at, uint8_t ret[static CLV_LINK_LEN]);
/* Is that what was seen, or what came of it? CLV_E_ROLLBACK: the counter is
 * lower. CLV_E_FORKED: it was set back, and then written on. CLV_OK also when
 * that cannot be told any more. */
int clv_head_check(const struct clv_head *seen, uint64_t counter,
    const uint8_t mac[static CLV_MANIFEST_MAC_LEN]);

/* BLAKE2b-256 of a record as it lies in the database. */
void clv_record_hash(
    const void *p, size_t len, uint8_t ret[static CLV_RECORD_HASH_LEN]);

/*
 * The index of one application: its entries in memory, as far as the manifest
 * vouches for them. There is a committed state and, while changes are staged,
 * a staged one; clv_index_mac() is of the staged state, all other questions
 * are answered from the committed one. No key and no value is in it. One
 * thread owns an index.
 */
struct clv_index;

/* An empty index that accepts any counter. key: the application's index key,
 * borrowed until clv_index_free(). CLV_E_INVALID: not a name; CLV_E_NOMEM. */
int clv_index_new(const uint8_t key[static CLV_KEY_LEN],
    const uint8_t system_id[static CLV_SYSTEM_ID_LEN], const char *app,
    struct clv_index **ret);
void clv_index_free(struct clv_index **index); /* NULL is ignored */

uint64_t clv_index_counter(const struct clv_index *x);
size_t clv_index_count(const struct clv_index *x); /* with tombstones */

struct clv_change {
	const char *name; /* copied; 1 to 255 bytes */
	uint64_t version; /* from 1 */
	bool deleted;
	uint8_t record_hash[CLV_RECORD_HASH_LEN]; /* zeros when deleted */
};

/*
 * Stage a change on top of what is staged already; after several calls comes
 * one commit or abort. The version must be above the one held, or the same
 * with another hash (re-encryption); what is held already changes nothing.
 * CLV_E_STALE: a lower version. CLV_E_DAMAGED: the same version, but deleted
 * here and not there. CLV_E_INVALID: a change that cannot be. CLV_E_NOMEM. On
 * failure this one change is not staged, the ones before still are.
 */
int clv_index_stage(struct clv_index *x, const struct clv_change *c);

/* Stage another newest data key, with what else is staged: 1 in a new index,
 * and one more with each re-encryption. CLV_E_INVALID: not the one after it. */
int clv_index_stage_key(struct clv_index *x, uint32_t version,
    const uint8_t data_key[static CLV_KEY_LEN]);
/* Which data key the committed manifest says is the newest; 0: none yet. */
uint32_t clv_index_key_version(const struct clv_index *x);
/* Is this that one? It may be of an application that had the same name. */
bool clv_index_is_newest(
    const struct clv_index *x, const uint8_t data_key[static CLV_KEY_LEN]);

/* Manifest of the staged state under that counter: what a writer hands in. */
void clv_index_mac(const struct clv_index *x, uint64_t counter,
    uint8_t ret[static CLV_MANIFEST_MAC_LEN]);

/*
 * The staged state becomes the committed one if the manifest (counter, mac)
 * vouches for it; otherwise all that was staged is dropped. Which data key is
 * the newest is what the manifest says. CLV_E_STALE: the counter is below the
 * one held. CLV_E_DAMAGED: the MAC is of other rows or another data key, it has
 * not come from the one held (under the same counter it is that one), or an
 * older data key has become the newest.
 */
int clv_index_commit(struct clv_index *x, uint64_t counter,
    const uint8_t mac[static CLV_MANIFEST_MAC_LEN]);
void clv_index_abort(struct clv_index *x);
/* Would that commit succeed? Nothing is changed. */
bool clv_index_fits(const struct clv_index *x, uint64_t counter,
    const uint8_t mac[static CLV_MANIFEST_MAC_LEN]);
/* Is that the manifest held? The head tells. */
bool clv_index_is_at(const struct clv_index *x, uint64_t counter,
    const uint8_t head[static CLV_MANIFEST_HEAD_LEN]);

/*
 * Is this row of the database what must be served? version 0: the database
 * has no row of that name (deleted and record_hash mean nothing then).
 * CLV_OK. CLV_E_NOT_FOUND: no such name or deleted, and the row agrees.
 * CLV_E_STALE: the row is older or newer than the index says, is missing, or
 * is of a name that is not in the index. CLV_E_DAMAGED: same version, other
 * content.
 */
int clv_index_check(const struct clv_index *x, const char *name,
    uint64_t version, bool deleted,
    const uint8_t record_hash[static CLV_RECORD_HASH_LEN]);

/* CLV_E_NOT_FOUND when the name never was there; a deleted one is found. */
int clv_index_find(const struct clv_index *x, const char *name,
    uint64_t *ret_version, bool *ret_deleted);

/* The first name after `after` in bytewise order ("": the first of all),
 * tombstones skipped; NULL at the end. Borrowed until the index is freed. The
 * first call after new names sorts these. */
const char *clv_index_next(
    struct clv_index *x, const char *after, uint64_t *ret_version);

#endif
