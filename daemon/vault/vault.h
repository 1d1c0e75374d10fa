/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_VAULT_H
#define CLAVIGERD_VAULT_H

#include <claviger/envelope.h>
#include <claviger/manifest.h>

#include "daemon/keeper/keeper.h"

/*
 * The applications whose keys this host has opened: data keys in guarded
 * memory, and the index of names that every row of the database is held
 * against. Rows come from PostgreSQL and are believed in nothing: a row that
 * was swapped, replayed, forged or rolled back is found at the read.
 */
#define VAULT_APPS_MAX 256  /* open at once; the longest unused gives way */
#define VAULT_WAIT_MS 10000 /* what a caller waits for at the most */
#define VAULT_BATCH_MAX 64  /* writes in one transaction */
#define VAULT_QUEUE_MAX 512 /* values waiting, of all callers, */
#define VAULT_QUEUE_LEN (192u * 1024) /* and their bytes in guarded memory */
#define VAULT_PAGE 1000		      /* changes in one answer */
#define VAULT_NAMES_MAX (1u << 20)    /* of one application, deleted or not */
#define VAULT_CACHE_LEN (256u * 1024) /* values kept in guarded memory, */
#define VAULT_CACHE_MAX 512	      /* and how many */
#define VAULT_NAME_MAX 129	      /* of a secret, with NUL */

/* What came of a request; value is borrowed until fn returns. */
struct vault_reply {
	int result;
	const char *text; /* a sentence, when result != CLV_OK */
	uint64_t version;
	bool cached;
	const uint8_t *value;
	size_t len;
	const struct db_result *rows; /* of vault_history() */
};
typedef void (*vault_fn)(void *arg, const struct vault_reply *r);

struct vault;
int vault_new(struct keeper *k, struct vault **ret);
void vault_free(struct vault **v); /* callers are told CLV_E_CANCELLED */
/* The keys were replaced, or taken away: what is open stays so, or not. */
void vault_on_keys(struct vault *v);
void vault_drop(struct vault *v);
/* The server was asked: whoever seals next asks the database which data key is
 * the newest. */
void vault_on_refresh(struct vault *v);

/* 1..128 of [A-Za-z0-9._/-], not beginning with '.', '-' or '/'. */
int vault_name_check(const char *name);

/* fn is called exactly once, at once or later. It may ask for more, but not
 * when all are told of an end, by vault_drop() or vault_free(). */
void vault_get(struct vault *v, const char *app, const char *name,
    uint64_t version, bool cached, vault_fn fn, void *arg);
struct vault_write {
	const char *app, *name; /* copied */
	uint8_t op_id[CLV_API_ID_LEN];
	uint32_t keep;
	bool deletes;
	const void *value; /* copied into guarded memory, or sealed at once */
	size_t len;
};
void vault_put(
    struct vault *v, const struct vault_write *w, vault_fn fn, void *arg);
void vault_history(
    struct vault *v, const char *app, const char *name, vault_fn fn, void *arg);
/* Names after `after`, encoded as the answer of CLV_API_LIST. */
void vault_list(struct vault *v, const char *app, const char *after,
    vault_fn fn, void *arg);
void vault_seal(struct vault *v, const char *app, const char *context,
    const void *p, size_t len, vault_fn fn, void *arg);
void vault_unseal(struct vault *v, const char *app, const char *context,
    const void *p, size_t len, vault_fn fn, void *arg);

/* inspect.c: the inspection under way, if there is one, ends. */
void inspect_stop(struct vault *v);

#endif
