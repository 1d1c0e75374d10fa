/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_STORE_RIG_H
#define TESTS_UNIT_STORE_RIG_H

#include <check.h>
#include <libpq-fe.h>
#include <claviger/result.h>
#include <claviger/store.h>

/* What the tests of the store share: a cluster with a migrated database that
 * each test finds empty. */

#define TIMEOUT_MS 20000
#define EPOCH 257u /* counter 1, node 1 */

extern const uint8_t node_a[16], node_b[16]; /* instances */
extern const uint8_t system_id[16];
extern PGconn *raw;		 /* the superuser, on the test's database */
extern char owner_conninfo[256]; /* superuser, test's database */
extern char node_conninfo[256];	 /* login "node", granted claviger_server */

int rig_start(void);   /* as pg_start(): 0, 1, 77 */
int rig_run(Suite *s); /* runs, stops the cluster, exit status */

/* A client that gave up may have left a statement running, and its locks would
 * meet ours in another order. */
void end_other_sessions(void);

/* Fixtures of a test: a bare database, a migrated one, one with a system. */
void with_empty_database(void);
void with_schema(void);
void with_system(void);
void leave_database(void);

/* The superuser's SQL, printf-style; sql_int() gives its one number. */
void sql(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
long long sql_int(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void sql_wait(const char *query); /* until it says true */

struct clv_store *as_node(void);
struct clv_store *as_member(void); /* login "host", granted claviger_member */
struct clv_store *as_owner(void);
/* Arguments as the statement's letters say: i uint64_t, t const char *,
 * b const void *, size_t; I, T, B const struct clv_buf *. */
int call(struct clv_store *s, enum clv_stmt stmt, ...);
int call_send(struct clv_store *s, enum clv_stmt stmt, ...);
int call_finish(struct clv_store *s);

int create(struct clv_store *owner, const uint8_t id[static 16]);
/* Take the epoch after `seen` for node and instance; true when taken. */
bool take(struct clv_store *s, uint64_t seen, uint64_t epoch,
    const uint8_t *instance);
/* A list without anything besides; op: 16 characters. */
int put_list(struct clv_store *s, uint64_t epoch, const void *instance,
    const char *op, uint64_t version);
/* An application whose key and manifest (at `counter`) are not looked at. */
int init_app(struct clv_store *s, const char *app, uint64_t counter,
    const void *op, size_t op_len);
/* After a test that changed what no truncation undoes. */
void remake_schema(void);
/* An escrow row of a node and a generation, len bytes. */
void escrow_row(uint8_t *row, size_t len, uint8_t node, uint32_t generation);

/* Short forms of arguments. */
#define A node_a, (size_t)16
#define B node_b, (size_t)16
#define OP(s) s "0123456789abcde", (size_t)16 /* s: one letter */
#define U(n) ((uint64_t)(n))
#define STR(s) s, sizeof(s) - 1
#define TAKEN (EPOCH + 256) /* node 1 again */
#define WAITING(n) \
	"SELECT count(*) = " #n " FROM pg_stat_activity" \
	" WHERE wait_event_type = 'Lock' AND datname = 'claviger'"

#define ck_ok(s, expr) \
	do { \
		int rc_ = (expr); \
		ck_assert_msg(rc_ == CLV_OK, "%s: %s (%s %s)", #expr, \
		    clv_result_name(rc_), clv_store_text(s), \
		    clv_store_sqlstate(s)); \
	} while (0)
#define ck_result(expr, want) \
	ck_assert_str_eq(clv_result_name(expr), clv_result_name(want))

#endif
