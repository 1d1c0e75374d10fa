/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_VAULT_RIG_H
#define TESTS_UNIT_VAULT_RIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/keeper/heads.h"
#include "daemon/member/member.h"
#include "daemon/vault/vault.h"

/*
 * A member with keys, and the database that its vault asks, played at
 * db_call_pool(): tables in memory that do what claviger/store.h says, at once
 * or when the test says so, and that a test may change behind the vault's back.
 * The clock and the timers are the rig's, too.
 */
#define RIG_REQUIRE(x) \
	do { \
		if (!(x)) \
			rig_fail(__FILE__, __LINE__, #x); \
	} while (0)
__attribute__((noreturn)) void rig_fail(const char *, int, const char *);

#define RIG_APPS 4
#define RIG_ROWS 256
#define RIG_KEYS (CLV_DATAKEYS_MAX + 1)

struct rig_key {
	uint64_t version, generation;
	uint8_t wrapped[CLV_DATAKEY_WRAPPED_LEN];
	uint8_t plain[CLV_KEY_LEN];
};
struct rig_app {
	char name[CLV_NAME_MAX]; /* "": none */
	struct rig_key keys[RIG_KEYS];
	size_t key_count;
	uint64_t counter;
	uint8_t mac[CLV_MANIFEST_MAC_LEN], op_id[16];
};
struct rig_row {
	char app[CLV_NAME_MAX], name[VAULT_NAME_MAX];
	uint64_t version, key_version, counter;
	bool current, deleted;
	uint8_t *record;
	size_t len;
	uint8_t hash[32], op_id[16];
};
struct rig_tables {
	struct rig_app apps[RIG_APPS];
	struct rig_row rows[RIG_ROWS];
	size_t row_count;
	uint64_t epoch;
};

struct rig_call {
	struct rig_call *next;
	enum clv_stmt stmt;
	struct clv_param params[16];
	size_t n;
	db_fn fn;
	void *arg;
	bool done; /* by the database; the answer is on its way */
	struct db_result result;
	uint8_t *bytes;
	size_t bytes_len;
};

struct rig_host {
	struct vault *vault;
	struct heads *heads;
	char dir[64]; /* "": there is none */
};

struct rig {
	struct keeper k;
	struct config config;
	struct member member;
	struct vault *vault;
	char dir[64];
	struct rig_host other; /* whose turn it is not */
	uint8_t system_id[CLV_SYSTEM_ID_LEN];
	uint8_t dist[4][CLV_KEY_LEN]; /* distribution keys, by generation */
	struct rig_tables db;
	bool away;		/* the database is refused at once */
	bool at_once;		/* answers come before the question returns */
	struct rig_call *calls; /* in the order they were sent */
	unsigned sent[CLV_STMT_LAST];
	/* May change an answer. */
	void (*forge)(struct rig_call *c);
	uint64_t now;
	char log[512]; /* the last error or warning */
	unsigned errors;
};
extern struct rig rig;

/* An application "shop", and the keys of generation 1 for everything. */
void rig_init(void);
void rig_fini(void); /* the vault's too; no call is left, nor a secret */
/* A new data key, and the step of the manifest that says so. */
void rig_add_key(const char *app, uint64_t version, uint32_t generation);
/* A row alone. */
struct rig_key *rig_insert_key(
    const char *app, uint64_t version, uint32_t generation);
struct rig_app *rig_add_app(const char *app, uint32_t generation);
struct rig_app *rig_app(const char *app);
/* Remove it, with all that is of it. */
void rig_drop_app(const char *app);
struct rig_row *rig_row(const char *app, const char *name, uint64_t version);
void rig_remove_row(struct rig_row *row);
/* The member's keys are those of generations 1..n. */
void rig_generations(uint32_t n);
void rig_save(struct rig_tables *to);	   /* copied */
void rig_restore(struct rig_tables *from); /* transferred */
void rig_drop(struct rig_tables *t);
/* The vault ends and begins anew, as with the process. */
void rig_restart(void);
/* The other of two hosts has the turn: the same database and keys, but a vault
 * of its own and what it has seen. */
void rig_swap(void);

/* The i-th call that is open. */
struct rig_call *rig_call(unsigned i);
unsigned rig_open(void);
void rig_do(struct rig_call *c);     /* the database does it, no answer yet */
void rig_answer(struct rig_call *c); /* done if it was not */
void rig_fail_call(struct rig_call *c, int result); /* an answer without rows */
void rig_settle(void);				    /* until no call is open */
void rig_advance(uint64_t ms);

/* What was answered. */
struct rig_got {
	unsigned times;
	int result;
	char text[512];
	uint64_t version;
	bool cached;
	uint8_t value[CLV_VALUE_MAX + CLV_RECORD_EXTRA];
	size_t len;
	size_t rows;
	struct clv_buf list;
};
void rig_on_reply(void *arg, const struct vault_reply *r);
/* Ask and settle. */
const struct rig_got *rig_get(const char *app, const char *name);
const struct rig_got *rig_get_version(
    const char *app, const char *name, uint64_t version, bool cached);
const struct rig_got *rig_put(
    const char *app, const char *name, const char *value);
const struct rig_got *rig_delete(const char *app, const char *name);
void rig_put_begin(const char *app, const char *name, const char *value,
    uint8_t op, struct rig_got *got);
bool rig_is(const struct rig_got *g, const char *value);

#endif
