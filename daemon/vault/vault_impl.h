/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_VAULT_IMPL_H
#define CLAVIGERD_VAULT_IMPL_H

#include "daemon/keeper/heads.h"
#include "daemon/member/member.h"
#include "daemon/vault/vault.h"

/* Between the files of the vault only. */

struct vault_app;

struct vault_key {
	uint32_t generation;
	bool here; /* its generation's key is known, and it opened */
};

/* So often are keys loaded before it is certain that they do not fit: what was
 * asked first and what second may lie on both sides of a change. */
#define VAULT_KEY_LOADS 2

enum vault_need { VAULT_KEYS = 1, VAULT_INDEX = 2 };
typedef void (*vault_ready_fn)(
    void *arg, struct vault_app *a, int result, const char *text);

struct vault_wait {
	struct vault_wait *next;
	enum vault_need need;
	vault_ready_fn fn;
	void *arg;
};

struct vault_put;   /* one write that somebody waits for: vault_put.c */
struct vault_batch; /* the writes of one transaction */

struct vault_app {
	struct vault *v;
	struct vault_app *next;
	char name[CLV_NAME_MAX];
	/* keys by version: [0] is the index key */
	struct vault_key *keys;
	uint8_t (*secret)[CLV_KEY_LEN]; /* guarded, as many */
	size_t key_count;
	/* Guarded. Another one is another application of the same name. */
	uint8_t *index_key;
	bool keys_due;		 /* there is one more than those */
	unsigned key_loads;	 /* since an index was verified */
	struct clv_index *index; /* NULL: not loaded */
	bool indexed;		 /* it is verified */
	struct clv_head seen;	 /* when its last page was asked for */
	uint32_t newest;	 /* data key, by a verified index; 0: unknown */
	bool current;		 /* verified since the last refresh */
	bool loading;		 /* a statement for the waiters is under way */
	char page_name[VAULT_NAME_MAX]; /* where the next page begins */
	uint64_t page_counter;
	size_t page_rows; /* since the first page */
	struct vault_wait *waits;
	struct vault_put *puts, **puts_tail;
	struct vault_batch *batch;
	bool put_waits;	     /* for the index */
	unsigned put_streak; /* batches in a row with more than one writer */
	unsigned put_want;   /* writes that a batch waits for; 0: it does not */
	struct loop_timer *put_gather; /* no longer than that */
	unsigned put_tries;	       /* of the batch that is built anew */
	bool put_differs; /* its data key was not the database's newest */
	uint64_t used;	  /* a clock of uses */
	unsigned calls;	  /* requests that refer to it: it cannot be closed */
};

struct vault_value;
#define VAULT_BUCKETS 1024

struct inspect;
struct vault {
	struct keeper *k;
	struct inspect *inspect; /* inspect.h: there is one at most */
	struct vault_app *apps;
	size_t app_count;
	uint64_t uses;
	size_t queued, queued_len; /* values that wait for something */
	/* vault_cache.c */
	struct vault_value *bucket[VAULT_BUCKETS];
	struct vault_value *newest, *oldest;
	size_t cached, cached_len;
	uint8_t hash_key[16];
};

/* vault.c */
/* fn is called exactly once, at once or when it is there. */
void vault_need(struct vault *v, const char *app, enum vault_need need,
    vault_ready_fn fn, void *arg);
/* The application when its keys are here already, else NULL. */
struct vault_app *vault_open_now(struct vault *v, const char *app);
/* The waiters' statement ended: go on with the next, or tell them. */
void vault_wake(struct vault_app *a, int result, const char *text);
/* One more value waits; false: there are too many, it may not. */
bool vault_queue(struct vault *v, size_t len);
void vault_unqueue(struct vault *v, size_t len);
/* Guarded memory; what is cached gives way for it. */
void *vault_guard_get(struct vault *v, size_t len);

/* vault_keys.c */
void vault_keys_load(struct vault_app *a);
void vault_keys_drop(struct vault_app *a);
/* Is there a key of another generation that can be opened by now? */
bool vault_keys_waited(const struct vault_app *a);
/* Key of that version; CLV_E_NOT_FOUND, CLV_E_GENERATION. Borrowed. */
int vault_key_find(
    const struct vault_app *a, uint32_t version, const uint8_t **ret);
/* Is the data key among them that the verified index says is the newest? If
 * not, they are due. */
void vault_keys_compare(struct vault_app *a);

/* vault_index.c */
void vault_index_load(struct vault_app *a);
void vault_index_drop(struct vault_app *a);
/* The rows are not what the last writer had: it is closed, and all that wait
 * for it are told. */
void vault_index_fail(struct vault_app *a, int result, const char *text);
/* Others have written: whoever needs the index next waits for what is new. */
void vault_index_follow(struct vault_app *a);
/* One row of a change: what columns it is in. */
int vault_index_stage(struct vault_app *a, const char *name, uint64_t version,
    bool deleted, const struct db_field *hash);
/* The staged rows lead to this counter, says the database. seen: what was
 * known when it was asked; what was written since it need not know. */
int vault_index_commit(struct vault_app *a, const struct clv_head *seen,
    uint64_t counter, const struct db_field *mac);
/* Text of a column, checked; false when it is none. */
bool vault_text(const struct db_field *f, char *dst, size_t cap);

/* vault_cache.c */
const struct vault_value *vault_cache_get(
    struct vault *v, const char *app, const char *name);
void vault_cache_put(struct vault *v, const char *app, const char *name,
    uint64_t version, const void *p, size_t len);
void vault_cache_forget(struct vault *v, const char *app, const char *name);
void vault_cache_drop(struct vault *v); /* all */
void vault_cache_drop_app(struct vault *v, const char *app);
struct vault_value {
	struct vault_value *chain;	   /* of its bucket */
	struct vault_value *newer, *older; /* by use */
	uint8_t *value;			   /* guarded */
	size_t len;
	uint64_t version;
	char app[CLV_NAME_MAX];
	char name[VAULT_NAME_MAX];
};

/* vault_put.c */
void vault_put_drop(struct vault_app *a, int result, const char *text);

void vault_tell(vault_fn fn, void *arg, int result, const char *text);
/* Was it the database that did not answer? */
bool vault_is_away(int result);

#endif
