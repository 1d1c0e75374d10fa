/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLV_STORE_INTERNAL_H
#define CLV_STORE_INTERNAL_H

#include <libpq-fe.h>
#include <claviger/store.h>

/* Shared by lib/store*.c and their test: nobody else may see libpq. */

/* Numbers of PostgreSQL's types; they never change. */
#define CLV__OID_BOOL 16
#define CLV__OID_BYTEA 17
#define CLV__OID_INT8 20
#define CLV__OID_TEXT 25
#define CLV__OID_BYTEA_ARRAY 1001
#define CLV__OID_TEXT_ARRAY 1009
#define CLV__OID_INT8_ARRAY 1016
#define CLV__PARAMS_MAX 16

/*
 * A statement: constant text, and a letter for each parameter and each column:
 * i int8, b bytea, t text, o bool, and I, B, T arrays of these. What the server
 * sends is checked against the letters, so that a getter never meets another
 * length.
 */
struct clv__statement {
	const char *name;
	const char *sql;
	const char *params;
	const char *columns;
	bool writes;  /* when the connection is lost: outcome unknown */
	bool one_row; /* any other number of rows is a broken answer */
};

enum clv__store_state {
	CLV__STORE_CONNECTING,
	CLV__STORE_ROLE, /* SET ROLE is under way */
	CLV__STORE_IDLE,
	CLV__STORE_PREPARE, /* the server is told of a statement */
	CLV__STORE_BUSY,    /* it may be executed */
	CLV__STORE_LOST	    /* nothing more will come */
};

struct clv__call {
	const struct clv__statement *st;
	enum clv_stmt stmt; /* 0: not of the table, not to be prepared */
	struct clv_param params[CLV__PARAMS_MAX];
	size_t n;
};

struct clv_store {
	PGconn *conn;
	PGresult *result;		 /* of the last statement */
	const struct clv__statement *st; /* that is under way */
	struct clv__call call;
	bool prepared[CLV_STMT_LAST];
	enum clv__store_state state;
	enum clv_want want;
	int lost; /* why, in CLV__STORE_LOST */
	enum clv_store_role role;
	bool doubt;   /* a warning: committed, perhaps not replicated */
	bool closing; /* the server said that it closes the connection */
	char text[512];
	char sqlstate[6];
};

/* store_statements.c. NULL for a number that is none. */
const struct clv__statement *clv__statement_get(enum clv_stmt stmt);

/* store_array.c */
bool clv__array_fits(const struct clv_param *param, uint32_t type);

/* store.c. Nothing is under way; has the server closed the connection? */
int clv__store_idle(struct clv_store *s);

/* store_send.c. Send s->call, or what has to go before it. */
int clv__store_queue(struct clv_store *s);
/* A statement that is not in the table, borrowed until it is over. */
int clv__store_send(struct clv_store *s, const struct clv__statement *st,
    const struct clv_param *params, size_t n);
/* A script without parameters as one query, so as one transaction; it counts
 * as a write, and its rows are dropped. */
int clv__store_send_script(struct clv_store *s, const char *sql);

/* store_run.c. Step until it is idle or the time is over. */
int clv__store_finish(struct clv_store *s, int timeout_ms);
int clv__store_run(struct clv_store *s, const struct clv__statement *st,
    const struct clv_param *params, size_t n, int timeout_ms);
int clv__store_run_script(struct clv_store *s, const char *sql, int timeout_ms);

/* store_password.c. Did connecting end with a password that is not right? */
bool clv__store_was_refused(const struct clv_store *s);

/* store_answer.c */
extern const struct clv__statement clv__script;
int clv__store_judge(struct clv_store *s);	  /* a statement is over */
int clv__store_lost(struct clv_store *s);	  /* the connection broke */
int clv__store_lose(struct clv_store *s, int rc); /* give it up, because rc */
void clv__store_forget(struct clv_store *s);
/* Foreign text: scrubbed. */
void clv__store_note(
    struct clv_store *s, const char *sqlstate, const char *text);
/* Our own. */
void clv__store_say(struct clv_store *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* store_conninfo.c. Arrays for PQconnectStartParams; caller frees. The string
 * has been checked. CLV_E_NOT_FOUND, CLV_E_PERMISSION: the password file. */
struct clv__conninfo {
	const char **keys;
	const char **values;
	PQconninfoOption *options; /* what they point into */
};
int clv__conninfo_build(
    const char *conninfo, const char *passfile, struct clv__conninfo *ret);
void clv__conninfo_free(struct clv__conninfo *c);

/* Made from lib/sql/NNN-*.sql: the script that leads to version i + 1. */
extern const char *const clv__migrations[];
extern const size_t clv__migration_count;

#endif
