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
#define CLV_SCHEMA_VERSION 4

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
	 * ('' none), generation int8 (the list's current one) -> ok bool. In
	 * one transaction: guard, op_id, list at version = newest + 1, escrow
	 * rows upserted, join request deleted, generation noted. Raises CL001
	 * stale epoch, CL002 wrong version; repeating a done op_id is ok. */
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

	/*
	 * Applications: these seven a member may use, besides HELLO. Names are
	 * compared bytewise. Where a limit is given, it is at least 1.
	 */
	/* app text -> version int8 (0: the index key), generation int8,
	 * wrapped bytea; all, ascending; none: no such application */
	CLV_STMT_GET_KEYS,
	/* app text, after_counter int8, after_name text, limit int8 -> name
	 * text, version int8, deleted bool, hash bytea, counter int8, m_counter
	 * int8, m_mac bytea. The current row of each name with (counter, name)
	 * above the pair given, ascending, at most `limit`; then, of the same
	 * instant, one row with name '' that has the manifest's counter and
	 * MAC (elsewhere 0 and ''). No row: there is no such application. */
	CLV_STMT_GET_CHANGES,
	/* app text, name text, version int8 (0: newest), known_counter int8,
	 * limit int8 -> kind int8, name text, version int8, deleted bool,
	 * key_version int8, hash bytea, record bytea, counter int8. Of one
	 * instant: the manifest (kind 0: its counter, its MAC as hash, of which
	 * only CLV_MANIFEST_HEAD_LEN bytes come when the counter is not above
	 * known_counter), the secret (kind 1), if it is there, and the current
	 * rows above known_counter (kind 2, without record), at most `limit`.
	 */
	CLV_STMT_GET_SECRET,
	/* app text, epoch int8, expect_counter int8, mac bytea, op_id bytea,
	 * then of each row: names text[], versions int8[], key_versions int8[]
	 * (0: deleted), hashes bytea[], records bytea[] ('': deleted), keeps
	 * int8[] (0: all versions), op_ids bytea[] -> state int8 (enum
	 * clv_put), counter int8 (now in force). In one transaction: the epoch
	 * in force is not below `epoch` (else CL001), the rows become the
	 * newest of their names, versions beyond `keep` are pruned, and the
	 * manifest gets counter + 1 and mac. A name comes once. */
	CLV_STMT_PUT_SECRETS,
	/* op_ids bytea[] -> op_id bytea, app text, name text, version int8, of
	 * the rows of PUT_SECRETS that were done, pruned ones for a day. As
	 * with GET_OP: repeating the write is the sure way. */
	CLV_STMT_GET_OPS,
	/* app text, name text -> version int8, deleted bool, key_version int8,
	 * age_s int8, current bool; newest first, 1000 at most */
	CLV_STMT_HISTORY,

	/*
	 * The active server's. A key that is wrapped under a generation older
	 * than the one in force (PUT_LIST) raises CL002.
	 */
	/* epoch int8, instance bytea, op_id bytea, app text, generation int8,
	 * index_key bytea, data_key bytea (both wrapped), mac bytea, counter
	 * int8 -> ok bool. A new application: key versions 0 and 1, and a
	 * manifest at `counter`, which is above that of a dropped one of that
	 * name. Raises CL002 when it is there already, or not wholly gone. */
	CLV_STMT_INIT_APP,
	/* epoch int8, instance bytea, op_id bytea, app text -> ok bool. The
	 * keys go, the manifest stays with counter + 1 and a MAC of zeros, and
	 * up to 1000 secrets are deleted; false: more are left, send it again
	 * with the same op_id. */
	CLV_STMT_DROP_APP,
	/* after_app text, limit int8 -> app text, counter int8, mac bytea;
	 * ascending */
	CLV_STMT_GET_HEADS,
	/* app text -> secrets int8 (names that are there), versions int8 (rows,
	 * deletions included), keys int8 */
	CLV_STMT_COUNT_SECRETS,
	/* -> generation int8, keys int8, indexes int8: how many are wrapped
	 * under each, and how many of them are index keys */
	CLV_STMT_COUNT_KEYS,
	/* generation int8, after_generation int8, after_app text,
	 * after_version int8, limit int8 -> app text, version int8, generation
	 * int8, wrapped bytea: keys of generations below, ascending by
	 * (generation, app, version) from the three given on */
	CLV_STMT_GET_OLD_KEYS,
	/* epoch int8, instance bytea, generation int8, then of each row: apps
	 * text[], versions int8[], old generations int8[], wrapped bytea[] ->
	 * n int8: so many were of their old generation still and are rewritten
	 */
	CLV_STMT_PUT_REWRAPPED,
	/* epoch int8, instance bytea, op_id bytea, app text, expect_counter
	 * int8, mac bytea, version int8 (newest + 1, and at most
	 * CLV_DATAKEYS_MAX, else CL002), generation int8, wrapped bytea ->
	 * state int8 (enum clv_put), counter int8. A new data key, and the
	 * manifest that says so: from then on PUT_SECRETS takes no older one.
	 * Repeating a done op_id is CLV_PUT_REPEATED, whatever came after. */
	CLV_STMT_ADD_KEY,
	/* app text, key_version int8, after_name text, after_version int8,
	 * limit int8 -> name text, version int8, current bool, key_version
	 * int8, record bytea: records under data keys below, ascending by
	 * (name, version) from the pair given on; tombstones have none */
	CLV_STMT_GET_RECORDS,
	/* epoch int8, instance bytea, op_id bytea, app text, expect_counter
	 * int8, mac bytea, then of each row: names text[], versions int8[],
	 * key_versions int8[], hashes bytea[], records bytea[] -> state int8
	 * (enum clv_put), counter int8. Records rewritten in place under a
	 * newer data key. Raises CL002 when one is not there, or has it. */
	CLV_STMT_PUT_RECORDS,
	/* -> node int8, generation int8 (its newest), age_s int8: sealed
	 * copies, ascending by node */
	CLV_STMT_GET_ESCROWS,
	/* epoch int8, instance bytea, keep int8[] -> n int8: so many sealed
	 * copies, of other nodes than these, were deleted */
	CLV_STMT_DROP_ESCROWS,

	/* Reminders of passphrases; a server node's, under no epoch. */
	/* file bytea (SHA-256 of a backup), body bytea (signed) -> ok bool; in
	 * the place of the one of that file; 64 are kept, the oldest gives way
	 */
	CLV_STMT_PUT_REMINDER,
	/* file bytea ('': all) -> file bytea, body bytea, age_s int8; newest
	 * first */
	CLV_STMT_GET_REMINDERS,

	/* The audit trail; a server node's, under no epoch. */
	/* last int8 (the newest row there, 0: none), first int8 (above it),
	 * bodies bytea[] -> state int8 (enum clv_audit_put): rows first,
	 * first + 1, ... */
	CLV_STMT_PUT_AUDIT,
	/* after int8, limit int8 -> seq int8, body bytea, ascending */
	CLV_STMT_GET_AUDIT,
	/* seq int8 -> seq int8, body bytea: that row and the newest one, as far
	 * as they are there, ascending */
	CLV_STMT_GET_AUDIT_HEAD,
	CLV_STMT_LAST
};

/* What became of PUT_SECRETS, ADD_KEY and PUT_RECORDS; only the first has
 * written. */
enum clv_put {
	CLV_PUT_DONE = 1,
	CLV_PUT_REPEATED = 2, /* the last write was this one, by its op_id */
	CLV_PUT_CONFLICT = 3, /* another counter is in force: read, try again */
	CLV_PUT_NEWER_KEY = 4, /* there is a newer data key, or no key at all,
				* though no other counter: rows were changed */
	CLV_PUT_KNOWN = 5      /* a row's op_id was done before: GET_OPS */
};

enum clv_audit_put {
	CLV_AUDIT_OTHER = 0, /* another row is the newest: nothing is written */
	CLV_AUDIT_DONE = 1,
	CLV_AUDIT_THERE = 2 /* the first of these is there already */
};

struct clv_param {
	const void *p;
	size_t len;
};
/* int8 as PostgreSQL sends it: 8 bytes big-endian. buf must live as long. */
struct clv_param clv_param_u64(uint64_t v, uint8_t buf[static 8]);

/* An array as PostgreSQL sends it (one dimension, no NULL), written into an
 * empty clv_buf: begin, then add each element, in order. A failure sticks in
 * the buffer, as ever. As a parameter it is borrowed from the buffer. */
enum clv_array { CLV_ARRAY_INT8, CLV_ARRAY_TEXT, CLV_ARRAY_BYTEA };
struct clv_buf;
void clv_array_begin(struct clv_buf *b, enum clv_array type);
void clv_array_add(struct clv_buf *b, const void *p, size_t len);
void clv_array_add_u64(struct clv_buf *b, uint64_t v);
struct clv_param clv_param_array(const struct clv_buf *b);

/* As which database role a connection acts, whoever logged in. */
enum clv_store_role {
	CLV_STORE_SERVER = 0, /* claviger_server */
	CLV_STORE_OWNER = 1,  /* the login itself, for `init` and migrations */
	CLV_STORE_MEMBER = 2  /* claviger_member */
};

enum clv_want { CLV_WANT_NONE = 0, CLV_WANT_READ = 1, CLV_WANT_WRITE = 2 };

struct clv_store;

/* Check a connection string: CLV_E_INVALID when it holds a password, when it is
 * not a local socket and sslmode is not verify-full, or when it is not a
 * conninfo string; *ret_why (size 256) says which, in a sentence. */
int clv_store_check_conninfo(const char *conninfo, char ret_why[static 256]);

/* Begin connecting (target_session_attrs=read-write, keepalives, TLS floor,
 * timeouts, then the role). passfile may be NULL.
 * libpq's environment variables (PGHOST ...) are removed from this process:
 * libpq has no other way to ignore them. Names are looked up by libpq, which
 * blocks: give hostaddr where that matters. CLV_E_INVALID,
 * CLV_E_NOT_FOUND or CLV_E_PERMISSION (password file); everything else is
 * what the first steps return. */
int clv_store_open(const char *conninfo, const char *passfile,
    enum clv_store_role role, struct clv_store **ret);
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

/* Send one statement; then step until CLV_OK. The parameters are borrowed until
 * it is over. Results of a statement:
 * CLV_E_DATABASE (refused, not done), CLV_E_STALE_EPOCH (CL001),
 * CLV_E_STALE (CL002), CLV_E_SCHEMA_OLDER (no such function: not done),
 * CLV_E_DATABASE_AWAY (connection lost before it was sent, or while reading; or
 * given up, because the server only reads and refused to write),
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
 * connection is given up. If the password is refused, those in the files
 * beside, of these endings, are tried. */
#define CLV_STORE_PASSFILE_NEXT ".next"
#define CLV_STORE_PASSFILE_FORMER ".former"
int clv_store_connect(const char *conninfo, const char *passfile,
    enum clv_store_role role, int timeout_ms, struct clv_store **ret,
    char ret_why[static 256]);
int clv_store_run(struct clv_store *s, enum clv_stmt stmt,
    const struct clv_param *params, size_t n, int timeout_ms);

/* The login's own password; CLV_STORE_OWNER. Did this connection need one? At
 * which other addresses is this login connected: a row each, of one column of
 * text ("": a local socket). Change it; the server gets a verifier. */
bool clv_store_used_password(const struct clv_store *s);
int clv_store_same_login(struct clv_store *s, int timeout_ms);
int clv_store_set_password(
    struct clv_store *s, const char *password, int timeout_ms);

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
