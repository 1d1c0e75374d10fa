/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_REENCRYPT_IMPL_H
#define CLAVIGERD_REENCRYPT_IMPL_H

#include "daemon/rotate/reencrypt.h"
#include "daemon/vault/vault_impl.h"

/* Between reencrypt.c (one application after the other), reencrypt_key.c (its
 * new data key) and reencrypt_records.c. */

enum reencrypt_phase { REENCRYPT_IDLE, REENCRYPT_KEYS, REENCRYPT_RECORDS };

/* The arrays of PUT_RECORDS. */
enum reencrypt_column {
	REENCRYPT_C_NAME,
	REENCRYPT_C_VERSION,
	REENCRYPT_C_KEY,
	REENCRYPT_C_HASH,
	REENCRYPT_C_RECORD,
	REENCRYPT_COLUMNS
};

struct reencrypt_row {
	char name[VAULT_NAME_MAX];
	uint64_t version;
	bool current; /* of its name: the index knows of it */
	bool damaged; /* stays as it is */
	uint8_t hash[CLV_RECORD_HASH_LEN];
};

struct reencrypt {
	struct keeper *k;
	enum reencrypt_phase phase;
	uintptr_t serial; /* of the step: what belongs to others is late */
	uint64_t epoch;
	uint32_t current; /* generation */
	reencrypt_fn fn;
	struct loop_timer *timer;
	char app[CLV_NAME_MAX]; /* "": before the first */
	char (*out)[CLV_NAME_MAX];
	size_t out_count;
	/* the write that is under way */
	uint64_t expect; /* counter before it */
	uint8_t mac[CLV_MANIFEST_MAC_LEN];
	uint32_t key_version; /* the newest then */
	uint8_t wrapped[CLV_DATAKEY_WRAPPED_LEN];
	struct clv_buf column[REENCRYPT_COLUMNS];
	/* the page of records */
	struct reencrypt_row rows[REENCRYPT_BATCH];
	size_t row_count, good;
	size_t limit;	/* rows asked for: as many as went into a batch */
	uint64_t units; /* of the rate */
	uint64_t began_ms;
	char after_name[VAULT_NAME_MAX]; /* the last row that is through */
	uint64_t after_version;
	/* for people */
	uint64_t apps, apps_left, secrets, secrets_left;
	uint64_t app_secrets; /* of this one, that are left */
	uint64_t rewritten, damaged;
	char why[160];
};

/* reencrypt.c */
void reencrypt_call(struct reencrypt *r, enum clv_stmt stmt,
    const struct clv_param *p, size_t n, db_fn fn);
/* NULL: the answer is late. */
struct reencrypt *reencrypt_still(struct keeper *k, void *arg);
/* The application, with its keys and its index: anew, after so long. */
void reencrypt_open_in(struct reencrypt *r, uint64_t after_ms);
void reencrypt_retry(struct reencrypt *r, const char *why);
/* ... after what a statement failed with. A write whose outcome is not known is
 * like one that was not done: the manifest's counter keeps it from being done
 * twice, and whether it was shows in the database. */
void reencrypt_failed(struct reencrypt *r, const struct db_result *res);
/* The write is done, or was not: whoever needs the application next loads what
 * is new of it. */
void reencrypt_follow(struct reencrypt *r);
/* Done: with the next one. */
void reencrypt_next(struct reencrypt *r);
/* It cannot be re-encrypted, and stays as it is. */
void reencrypt_leave_out(struct reencrypt *r, const char *why);
/* CLV_E_GENERATION and the like: it may come. */
void reencrypt_wait_for_keys(struct reencrypt *r);

/* Is its newest data key too old, and can it have another one? */
bool reencrypt_key_is_due(const struct reencrypt *r, const struct vault_app *a);

/* reencrypt_key.c, reencrypt_records.c: the application is open. */
void reencrypt_key(struct reencrypt *r, struct vault_app *a);
void reencrypt_page(struct reencrypt *r, struct vault_app *a);
void reencrypt_page_drop(struct reencrypt *r);

#endif
