/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_INSPECT_IMPL_H
#define CLAVIGERD_INSPECT_IMPL_H

#include <inttypes.h>

#include "daemon/vault/inspect.h"
#include "daemon/vault/vault_impl.h"

/* Between the files of the inspection only. */

enum inspect_phase {
	INSPECT_KEYS,
	INSPECT_INDEX,	 /* all rows, in pages */
	INSPECT_GONE,	 /* names that were there, and are not */
	INSPECT_RECORDS, /* what is in them */
	INSPECT_FOLLOW,	 /* what was written meanwhile, for the doubtful */
	INSPECT_END
};

#define INSPECT_ROWS 64	   /* records in a page: 4 MB at the most */
#define INSPECT_NAMES 1000 /* names in a page */
#define INSPECT_DOUBTS 256
#define INSPECT_NO_KEY \
	"version %" PRIu64 " is under data key %" PRIu64 \
	", which is not there, or does not open"

/* A row that is not as the index says: wrong, unless it was written since. */
struct inspect_doubt {
	char name[VAULT_NAME_MAX];
	uint64_t version; /* 0: there is no row */
	bool old;	  /* not the current one of its name */
	bool deleted;
	uint32_t key_version; /* not 0: only that this one is not there */
	uint8_t hash[CLV_RECORD_HASH_LEN];
};

struct inspect_key {
	uint32_t version, generation; /* as the row says; 0: the index key */
	bool here;		      /* it opened */
};

struct inspect_found { /* findings, for this part or perhaps */
	struct clv_buf b;
	uint32_t count;
	uint32_t dropped; /* more than there is room for */
};

struct inspect {
	struct vault *v;
	char app[CLV_NAME_MAX];
	enum inspect_phase phase;
	inspect_fn fn; /* who waits for this part */
	void *arg;
	unsigned calls; /* statements under way */
	bool gone;	/* freed with the last of them */
	int result;	/* of the part */
	char text[256];
	struct inspect_found found;
	struct inspect_found maybe; /* found, if the manifest does not fit */
	struct inspect_key *keys;   /* as their rows stand there */
	uint8_t (*secret)[CLV_KEY_LEN];
	size_t key_count;
	bool keys_again; /* some may have been made since */
	/* index */
	uint8_t *index_key; /* guarded; borrowed by it */
	struct clv_index *index;
	char name[VAULT_NAME_MAX]; /* where the next page begins */
	uint64_t counter, version;
	size_t rows;
	struct clv_head seen; /* when the last page was asked for */
	bool fits;	      /* the manifest vouches for the rows */
	bool forked; /* ... and was not written on top of what was seen */
	/* records */
	uint64_t done;
	struct inspect_doubt *doubts;
	size_t doubt_count;
	bool doubts_full;
};

/* inspect.c */
/* Formatted: what is wrong with subject. f NULL: it was said before. */
void inspect_found(struct inspect_found *f, const char *kind,
    const char *subject, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* A statement of this part. */
void inspect_call(struct inspect *i, enum clv_stmt stmt,
    const struct clv_param *p, size_t n, db_fn fn, void *arg);
/* Its answer is here: false when there is nothing to be done with it, for
 * nobody waits any more, or it failed, which is noted. When it was the last
 * one of the part, the caller goes on and ends with inspect_tell(). */
bool inspect_answered(struct inspect *i, const struct db_result *r);
/* The next part is the first page of that. */
void inspect_go_on(struct inspect *i, enum inspect_phase phase);
/* The part is over. */
void inspect_tell(struct inspect *i);
void inspect_fail(struct inspect *i, int result, const char *text);
/* The index of the vault, if it holds one that it has verified. */
const struct clv_index *inspect_held(const struct inspect *i);

/* inspect_keys.c */
void inspect_keys(struct inspect *i);
void inspect_keys_drop(struct inspect *i); /* not the index key */
const uint8_t *inspect_key_find(const struct inspect *i, uint32_t version);

/* inspect_index.c */
void inspect_index(struct inspect *i);
void inspect_gone(struct inspect *i);
void inspect_follow(struct inspect *i);

/* inspect_records.c */
void inspect_records(struct inspect *i);

#endif
