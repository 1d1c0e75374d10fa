/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_REWRAP_IMPL_H
#define CLAVIGERD_REWRAP_IMPL_H

#include <claviger/envelope.h>

#include "daemon/keeper/keeper.h"

/* Between rewrap.c (pages of keys of applications), rewrap_key.c (one of them)
 * and rewrap_tls.c (keys of the network name). */

enum rewrap_step {
	REWRAP_IDLE,
	REWRAP_READ,
	REWRAP_COUNT,
	REWRAP_MEMBERS,	 /* made current by nobody who has asked them */
	REWRAP_NEW_KEYS, /* reencrypt.h */
	REWRAP_WRAP,
	REWRAP_WRITE,
	REWRAP_TLS,
	REWRAP_RECORDS, /* reencrypt.h */
	REWRAP_MARK,	/* the list says that this is done */
	REWRAP_WAIT,	/* something failed: all again, from what is left */
	REWRAP_DONE
};

/* The arrays of PUT_REWRAPPED. */
enum rewrap_column {
	REWRAP_C_APP,
	REWRAP_C_VERSION,
	REWRAP_C_OLD,
	REWRAP_C_WRAPPED,
	REWRAP_COLUMNS
};

struct rewrap_row {
	char app[CLV_NAME_MAX];
	uint32_t version, generation;
	size_t wrapped_len;
	uint8_t wrapped[CLV_DATAKEY_WRAPPED_LEN];
};

struct rewrap_keys {				    /* guarded */
	uint8_t old[CLV_KEY_LEN], new[CLV_KEY_LEN]; /* the application's */
	uint8_t key[CLV_KEY_LEN];
};

struct rewrap {
	struct keeper *k;
	enum rewrap_step step; /* rewrap_enter() alone writes it */
	uintptr_t serial;      /* of the step: answers to others are late */
	uint64_t epoch;
	uint32_t generation;
	struct loop_timer *timer;
	/* the last row that was read */
	uint32_t after_generation, after_version;
	char after_app[CLV_NAME_MAX];
	/* the page */
	struct rewrap_row *rows;
	size_t row_count, at, good;
	const struct rewrap_row *prepared; /* whose application's keys are */
	struct rewrap_keys *keys;	   /* in here */
	struct clv_buf column[REWRAP_COLUMNS];
	size_t tls_at;
	bool reencrypts; /* before and after it: reencrypt.h */
	/* for people */
	bool counted;
	uint64_t total, left, damaged;
	char why[160];
};

void rewrap_enter(struct rewrap *w, enum rewrap_step step);
void rewrap_call(struct rewrap *w, enum clv_stmt stmt,
    const struct clv_param *p, size_t n, db_fn fn);
/* NULL: the answer is late. */
struct rewrap *rewrap_still(struct keeper *k, void *arg);
void rewrap_refused(struct rewrap *w, const struct db_result *r);
void rewrap_retry(struct rewrap *w, const char *why, uint64_t after_ms);
void rewrap_finish(struct rewrap *w);

/* rewrap_key.c. What does not open is counted, and stays as it is. */
void rewrap_key(struct rewrap *w, const struct rewrap_row *row);

/* rewrap_tls.c */
void rewrap_tls(struct rewrap *w);

#endif
