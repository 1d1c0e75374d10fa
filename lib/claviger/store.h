/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLAVIGER_STORE_H
#define CLAVIGER_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <claviger/keyring.h>

/*
 * PostgreSQL, as a step object: it says which event it waits for, and the same
 * code runs under a loop and under the poll() wrapper below. Statements are
 * numbered constants in store_statements.c, each one call of a function of the
 * schema `claviger`; parameters and results are binary, never SQL text. No
 * secret and no plaintext is ever a parameter.
 */
#define CLV_SCHEMA_VERSION 1

enum clv_stmt {
	/* -> system_id bytea, schema int8, epoch int8, holder int8 (node
	 * number, 0 nobody), instance bytea, lease_left_ms int8 (0: expired),
	 * list_version int8, timeline int8, pg_system_id int8; no row before
	 * `init`. Another schema than CLV_SCHEMA_VERSION: use nothing else. */
	CLV_STMT_HELLO = 1,
	/* known int8 -> version int8, body bytea; no row when known is newest
	 * (a row with a lower version: the database went back) */
	CLV_STMT_GET_LIST,
	/* seen int8, new int8, holder int8, instance bytea, timeline int8,
	 * lease_ms int8 -> epoch int8 (the one now in force), taken bool,
	 * before_ms int8 (so long may the holder that it is taken from be in
	 * its lease, 0: it is over, given back, or of this instance), others_ms
	 * int8 (and those that held it earlier). Compare and set under a row
	 * lock; also writes epoch_log. seen = 0 never matches, nor does a
	 * timeline that is over; repeating one that was taken is ok. */
	CLV_STMT_TAKE_EPOCH,
	/* epoch int8, instance bytea, lease_ms int8 -> ok bool. This and all
	 * that name an epoch and an instance raise CL001 when they are not in
	 * force; so `ok` is always true there. */
	CLV_STMT_RENEW_LEASE,
	/* epoch int8, instance bytea -> ok bool; the lease ends now, the epoch
	 * stays, its holder may write no more */
	CLV_STMT_RELEASE,
	/* epoch int8, instance bytea, op_id bytea, version int8, body bytea,
	 * escrow bytea[] encoded as one bytea: (u32 len, row)*, drop_join text
	 * ('' none) -> ok bool. In one transaction: guard, op_id, list at
	 * version = newest + 1, escrow rows upserted, join request deleted.
	 * Raises CL001 stale epoch, CL002 wrong version; repeating a done op_id
	 * is ok. */
	CLV_STMT_PUT_LIST,
	/* op_id bytea -> done bool; waits for writes that are under way. One
	 * that has not reached the server yet cannot be waited for: repeating
	 * the write with its op_id is the sure way. */
	CLV_STMT_GET_OP,
	/* node int8 -> row bytea; no row: none */
	CLV_STMT_GET_ESCROW,
	/* node int8, generation int8, row bytea -> ok bool. A node's own copy,
	 * or a newer one; false: there is a copy of a newer generation. */
	CLV_STMT_PUT_ESCROW,
	/* -> thumb bytea, row bytea; newest first, 4 at most */
	CLV_STMT_GET_TLS,
	/* epoch int8, instance bytea, op_id bytea, thumb bytea, row bytea -> ok
	 */
	CLV_STMT_PUT_TLS,
	/* name text, body bytea -> ok bool; replaces one of the same name; at
	 * most 64 requests are kept, the oldest gives way */
	CLV_STMT_PUT_JOIN,
	/* -> name text, body bytea, age_s int8 */
	CLV_STMT_GET_JOINS,
	/* node int8, list_version int8, generation int8, sig bytea -> ok bool;
	 * false: a newer one is there, or the database has no such list */
	CLV_STMT_PUT_ACK,
	/* -> node int8, list_version int8, generation int8, sig bytea, age_s
	   int8 */
	CLV_STMT_GET_ACKS,
	/* epoch int8, instance bytea, op_id bytea, generation int8, body bytea
	 * (signed record: what, where, when) -> ok bool */
	CLV_STMT_PUT_BACKUP,
	/* -> generation int8, body bytea, age_s int8; newest first, 32 at most
	 */
	CLV_STMT_GET_BACKUPS,
	CLV_STMT_LAST
};

struct clv_param {
	const void *p;
	size_t len;
};
/* int8 as PostgreSQL sends it: 8 bytes big-endian. buf must live as long. */
struct clv_param clv_param_u64(uint64_t v, uint8_t buf[static 8]);

enum clv_want { CLV_WANT_NONE = 0, CLV_WANT_READ = 1, CLV_WANT_WRITE = 2 };

struct clv_store;

/* Check a connection string: CLV_E_INVALID when it holds a password, when it is
 * not a local socket and sslmode is not verify-full, or when it is not a
 * conninfo string; *ret_why (size 256) says which, in a sentence. */
int clv_store_check_conninfo(const char *conninfo, char ret_why[static 256]);

/* Begin connecting (target_session_attrs=read-write, keepalives, TLS floor,
 * timeouts, then role claviger_server unless `owner`). passfile may be NULL.
 * libpq's environment variables (PGHOST ...) are removed from this process:
 * libpq has no other way to ignore them. Names are looked up by libpq, which
 * blocks: give hostaddr where that matters. CLV_E_INVALID,
 * CLV_E_NOT_FOUND or CLV_E_PERMISSION (password file); everything else is
 * what the first steps return. */
int clv_store_open(const char *conninfo, const char *passfile, bool owner,
    struct clv_store **ret);
void clv_store_free(struct clv_store **s);

/* The database role that logged in, "" before that; borrowed. */
const char *clv_store_login(const struct clv_store *s);
int clv_store_fd(const struct clv_store *s); /* may change after each step */
enum clv_want clv_store_want(const struct clv_store *s);
/* Go on: CLV_OK connected and idle (a result may be there), CLV_E_AGAIN,
 * or what failed; clv_store_text() says why, in one printable line. After a
 * refusal the next statement may be sent; when the connection is gone
 * (clv_store_want() is CLV_WANT_NONE) free it. Stepping an idle store is how
 * to hear that the server closed it: CLV_E_DATABASE_AWAY. */
int clv_store_step(struct clv_store *s);
const char *clv_store_text(const struct clv_store *s);	   /* borrowed */
const char *clv_store_sqlstate(const struct clv_store *s); /* "" or 5 chars */

/* Send one statement; then step until CLV_OK. Results of a statement:
 * CLV_E_DATABASE (refused, not done), CLV_E_STALE_EPOCH (CL001),
 * CLV_E_STALE (CL002), CLV_E_SCHEMA_OLDER (no such function: not done),
 * CLV_E_DATABASE_AWAY (connection lost before it was sent, or while reading),
 * CLV_E_UNKNOWN (a write: lost after; or committed locally but perhaps not
 * replicated: warnings 01000/57P01). CLV_E_BUSY: one is under way. */
int clv_store_send(struct clv_store *s, enum clv_stmt stmt,
    const struct clv_param *params, size_t n);
size_t clv_store_param_count(enum clv_stmt stmt);
const char *clv_store_stmt_name(enum clv_stmt stmt);
size_t clv_store_rows(const struct clv_store *s);
size_t clv_store_columns(const struct clv_store *s);
/* Borrowed until the next send. */
const void *clv_store_get(
    const struct clv_store *s, size_t row, size_t col, size_t *ret_len);
uint64_t clv_store_get_u64(const struct clv_store *s, size_t row, size_t col);
bool clv_store_get_bool(const struct clv_store *s, size_t row, size_t col);

/* The poll() wrapper for commands: connect, and run one statement, each within
 * timeout_ms. Out of time: CLV_E_TIMEOUT, or for a write CLV_E_UNKNOWN; the
 * connection is given up. */
int clv_store_connect(const char *conninfo, const char *passfile, bool owner,
    int timeout_ms, struct clv_store **ret, char ret_why[static 256]);
int clv_store_run(struct clv_store *s, enum clv_stmt stmt,
    const struct clv_param *params, size_t n, int timeout_ms);

/* Owner only. Schema version in the database, 0 when there is none;
 * CLV_E_SCHEMA_NEWER when above CLV_SCHEMA_VERSION, CLV_E_PERMISSION when the
 * schema belongs to another role, CLV_E_EXISTS when it is not ours at all. */
int clv_store_schema_version(struct clv_store *s, uint32_t *ret);
/* Make the schema, or bring it forward one version at a time, each in its own
 * transaction under an advisory lock; creates the roles claviger_server and
 * claviger_member where they are missing (functions only, no table rights) and
 * grants claviger_server to `login` ("" : nobody). CLV_E_DENIED: may not
 * create roles; CLV_E_BUSY: another one is migrating. */
int clv_store_migrate(struct clv_store *s, const char *login);

/* Create the system in one transaction: CLV_E_EXISTS when the database holds
 * one already (two inits at once: one of them gets this). List version 1,
 * generation 1; the lease of `holder` is over from the start. After
 * CLV_E_UNKNOWN compare HELLO's system_id. */
struct clv_store_system {
	const uint8_t *system_id; /* 16 */
	uint64_t epoch;		  /* first epoch */
	uint8_t holder;
	const void *list;
	size_t list_len;
	const void *escrow; /* first node's row */
	size_t escrow_len;
	const uint8_t *tls_thumb; /* 32 */
	const void *tls_row;
	size_t tls_row_len;
	const void *backup; /* signed backup record */
	size_t backup_len;
};
int clv_store_create_system(
    struct clv_store *s, const struct clv_store_system *sys, int timeout_ms);

#endif
