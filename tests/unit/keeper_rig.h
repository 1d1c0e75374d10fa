/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_KEEPER_RIG_H
#define TESTS_UNIT_KEEPER_RIG_H

#include <stdbool.h>
#include <stdint.h>

#include <claviger/buf.h>
#include <claviger/envelope.h>
#include <claviger/manifest.h>
#include <claviger/result.h>
#include <claviger/store.h>
#include <claviger/wire.h>

#include "agents/control.h"
#include "daemon/admin/admin.h"
#include "daemon/keeper/keeper.h"

/*
 * Whole keepers in one process, without a system call: the loop, its clock,
 * the channel to the front, the disk and the control socket are played by
 * this rig (the linker puts it in their place), and so are the front with an
 * in-memory database, and corosync. Time passes only when a test says so.
 * After every event that a keeper has seen, the safety rules are checked.
 */
#define RIG_NODES 3
#define RIG_CONNS 32
#define RIG_EPOCH0 ((1u << 8) | 1)
#define RIG_TIME0 1800000000 /* of the wall clock, when rig.now is 0 */

#define RIG_REQUIRE(x) \
	do { \
		if (!(x)) \
			rig_fail(__FILE__, __LINE__, #x); \
	} while (0)
__attribute__((noreturn)) void rig_fail(const char *, int, const char *);

/* Messages in the order they came. */
struct rig_msg {
	struct rig_msg *next;
	unsigned type;
	struct clv_buf body;
};
struct rig_queue {
	struct rig_msg *head, *last;
	unsigned n;
};
void rig_put(struct rig_queue *q, unsigned type, const struct clv_buf *body);
struct rig_msg *rig_take(struct rig_queue *q); /* NULL when empty */
void rig_msg_free(struct rig_msg *m);
void rig_clear(struct rig_queue *q);

/* A local client of the control socket. */
struct rig_conn {
	bool used, accepted, gone; /* gone: the client hung up */
	uint16_t op;
	uint8_t request[CTL_MSG_MAX];
	size_t request_len;
	unsigned answers;
	uint16_t answer_op;
	int result;
	uint8_t body[CTL_MSG_MAX];
	size_t len;
};

enum rig_db_mode { RIG_DB_UP, RIG_DB_HUNG, RIG_DB_DOWN };

struct rig_node {
	unsigned i;
	struct keeper *k; /* NULL: not running */
	struct loop *loop;
	struct config config;
	struct clv_identity *id;
	chan_fn fn; /* how the keeper hears the front */
	void *arg;
	struct rig_conn conns[RIG_CONNS];
	/* disk */
	bool has_list, has_state, disk_full;
	struct clv_buf list, heads[2], successor, marks, audit;
	struct machine_ids machine; /* that it runs on */
	struct state state;
	/* front */
	enum rig_db_mode db_mode;
	bool hold_db;	      /* what the database said stays on its way, */
	bool hold_net;	      /* or what the front did */
	bool hold_audit;      /* nothing becomes of the audit trail, */
	bool lose_audit;      /* or nobody hears what did */
	struct rig_queue sql; /* to the database */
	struct rig_queue audit_sql; /* likewise, beside all the others */
	struct rig_queue from_db, from_cpg, from_net; /* to the keeper */
	bool listening, deaf; /* deaf: drops what the keeper says */
	int listen_result;
	unsigned listens, unlistens, casts, failures, ended;
	uint32_t pins, joiners_s;
	bool has_tls, told;    /* members that they may encrypt */
	uint8_t tls_thumb[32]; /* that the front serves with */
	/* the last answer over the server port */
	unsigned answers;
	uint64_t answer_conn;
	bool answer_close;
	struct clv_buf answer_body;
	struct clv_wire_answer answer;
	/* ... and the last notice to everybody */
	unsigned notices;
	struct clv_wire_answer notice;
	/* cluster */
	unsigned side;
	bool silent; /* corosync is frozen */
};

struct rig {
	unsigned n;
	uint64_t now, tick;
	uint64_t failover; /* when the database last had one */
	struct clv_guard *guard;
	struct clv_keyring *keyring;
	struct clv_identity *member[2]; /* m1: all, m2: payroll */
	struct rig_node node[RIG_NODES];
	unsigned members; /* said to be there; 0: those that run */
	uint64_t conns;	  /* ids of connections over the server port */
	unsigned uid;	  /* of local clients */
	/* May change or replace the database's answer (a hostile one). */
	void (*forge)(
	    struct rig_node *n, enum clv_stmt stmt, struct clv_buf *result);
	struct rig_queue heard; /* everything ever multicast, for replays */
	char log[512];		/* last line of a keeper at warning or above */
	char said[256];		/* the answer to rig_ask() */
	bool few;		/* fewer than three nodes are enrolled */
	bool quiet_checks;	/* a hostile database may lie about leases */
};
extern struct rig rig;
extern char rig_seed[64]; /* said when a rule is broken */

/* A system with n enrolled nodes n1.., each with its sealed copy; members m1
 * and m2. No keeper runs. */
void rig_init(unsigned n);
void rig_fini(void);
void rig_start(unsigned i); /* and hear from the front that all is there */
void rig_kill(unsigned i);  /* as kill -9: only the disk stays */
struct keeper *rig_keeper(unsigned i);

/* Let everything that is on its way arrive, without time passing. */
void rig_settle(void);
void rig_run(uint64_t ms);
void rig_deliver(struct rig_node *n, struct rig_queue *q); /* one message */
void rig_tell(unsigned i, unsigned type, struct clv_buf *body); /* frees it */
void rig_fire_one(struct rig_node *n); /* its first timer, that is due */
void rig_timers(void);		       /* those that are due */
void rig_check(void);		       /* the safety rules */
bool rig_due(struct rig_node *n);
uint64_t rig_next(uint64_t end); /* when the next timer is due */

/* Cluster. */
void rig_side(unsigned i, unsigned side); /* partition */
void rig_cluster(struct rig_node *n);	  /* one report to its keeper */
void rig_membership(void);		  /* ... to all */
void rig_cast(unsigned from, const void *p, size_t len);
/* Once more to node i alone, as if from node number `from`. */
void rig_replay(unsigned i, const struct rig_msg *m, uint32_t from);

/* Database of the node's front. */
void rig_do_sql(struct rig_node *n);   /* the next statement is done */
void rig_lose_sql(struct rig_node *n); /* ... and its outcome is lost */
/* What it has to do with the audit trail, at once: nothing else waits. */
void rig_audit(struct rig_node *n);
void rig_db_mode(unsigned i, enum rig_db_mode mode);
void rig_db_mode_all(enum rig_db_mode mode);

/* Local clients: a connection's number. */
int rig_connect(unsigned i);
void rig_send(unsigned i, int c, enum ctl_op op, const void *p, size_t len);
void rig_hang_up(unsigned i, int c);
/* Ask and settle; the connection stays. */
int rig_ctl(unsigned i, enum ctl_op op, const void *p, size_t len);
int rig_result(unsigned i, int c); /* 1: not answered yet */
void rig_start_role(unsigned i);
/* Start keeper and role, settle. */
void rig_up(unsigned i);
int rig_promote(unsigned i); /* its result once 4 s have passed at most */
/* Three nodes that could serve; and the first of them does. */
void rig_standby(void);
void rig_active(void);
enum role_state rig_state(unsigned i);

/* Administration: a request, with id of that byte. */
void rig_admin_begin(struct clv_buf *b, uint8_t op, uint8_t id);
int rig_admin(unsigned i, const struct clv_buf *b); /* connection */
/* Result of the administrative answer there; 1: none yet. */
int rig_admin_result(unsigned i, int c, char *text, size_t cap);
void rig_member_add(struct clv_buf *b, uint8_t id, const char *name);
void rig_named(struct clv_buf *b, uint8_t op, uint8_t id, const char *name);
/* Ask, wait up to ms, give the result (1: none yet); frees b. What the answer
 * said is in rig.said. */
int rig_ask(unsigned i, struct clv_buf *b, uint64_t ms);
int rig_add_member(unsigned i, uint8_t id, const char *name);

/* The server port. thumb NULL: the caller's own. A FETCH without payload says
 * that nothing is held. */
void rig_thumb(const struct clv_identity *id, uint8_t thumb[static 32]);
void rig_request(unsigned i, const struct clv_identity *id,
    const uint8_t *thumb, struct clv_wire_request *q);
void rig_request_raw(
    unsigned i, const uint8_t thumb[static 32], const void *p, size_t len);

/* The same of a connection that is not enrolled, as the front passes it on. */
void rig_join_raw(unsigned i, uint64_t conn, const uint8_t thumb[static 32],
    const uint8_t binding[static 32], const void *p, size_t len);

/* Forged or replayed: what node `from` says over CPG to node i alone. Signed
 * by sign_sk, or by the system when that is NULL. */
void rig_peer_say(unsigned i, uint8_t kind, const struct clv_buf *fields,
    const uint8_t *sign_sk, const char *domain, uint8_t number);
void rig_alive(unsigned i, unsigned from, uint64_t version, uint32_t generation,
    uint64_t epoch, enum peer_role role);
/* What node `from` answers to the proposal of node i. */
void rig_refuse(unsigned i, unsigned from, uint64_t highest);
void rig_parse(const void *p, size_t len, struct peer_msg *ret);
/* Of a message that was multicast: a promise's `accepted`, or -1. */
int rig_promise_of(const struct rig_msg *m);
void rig_propose(unsigned i, unsigned from, const uint8_t instance[static 16],
    uint64_t epoch);

/* The database. */
struct rig_op {
	uint8_t id[16];
};
#define RIG_APPS 8
#define RIG_DROP 10 /* secrets that one statement deletes */
struct rig_app {    /* also one that was dropped */
	char name[CLV_NAME_MAX];
	uint64_t counter;
	uint8_t mac[CLV_MANIFEST_MAC_LEN];
	bool keys;
	uint32_t index_generation, generation; /* that wraps them */
	uint8_t index_key[CLV_DATAKEY_WRAPPED_LEN];
	uint8_t data_key[CLV_DATAKEY_WRAPPED_LEN];
	unsigned secrets;
	uint8_t op[16];
};
#define RIG_TLS 3
struct rig_tls {
	uint8_t thumb[32];
	struct clv_buf row;
};
#define RIG_AUDIT 512
struct rig_audit {
	uint64_t seq;
	struct clv_buf body;
};
struct rig_db {
	uint8_t system_id[CLV_SYSTEM_ID_LEN];
	uint64_t schema, epoch, holder, lease_until, lease_ms, alone_from;
	uint8_t instance[16];
	uint64_t timeline, server_id;
	uint64_t versions[4]; /* newest first, 0: none */
	struct clv_buf lists[4];
	uint32_t escrow_generation[CLV_LIST_NODES_MAX + 1];
	struct clv_buf escrow[CLV_LIST_NODES_MAX + 1];
	uint8_t tls_thumb[32];
	struct clv_buf tls;
	struct rig_tls more_tls[RIG_TLS]; /* newer ones, newest first */
	struct clv_buf join;		  /* one request */
	char join_name[CLV_NAME_MAX];
	struct rig_op ops[512];
	unsigned op_count;
	unsigned backups;
	struct clv_buf backup; /* the last */
	unsigned page;	       /* rows in one answer at most, 0: as asked */
	unsigned rewrites;     /* statements that rewrapped something */
	struct rig_app apps[RIG_APPS];
	struct rig_audit audit[RIG_AUDIT];
	unsigned audits;
	bool audit_lies; /* each time another row is the newest */
};
extern struct rig_db rig_db;
void rig_db_init(void);
void rig_db_fini(void);
/* Do one statement; the result as CHAN_SQL_RESULT has it. */
void rig_db_do(struct rig_node *n, const struct clv_buf *sql,
    struct clv_buf *result, enum clv_stmt *ret_stmt);
/* A result without rows, or with the fields given. */
void rig_result_put(struct clv_buf *b, uint64_t id, int result,
    const char *text, uint32_t rows, uint32_t columns);
/* For rig.forge: empty the result, and give its id. */
uint64_t rig_forge_begin(struct clv_buf *result);
/* lease_ms is what it says is left. */
struct rig_db;
void rig_forge_hello(struct clv_buf *result, const struct rig_db *db);
struct rig_app *rig_db_app(const char *name); /* NULL: no such one */
/* Did it ever, whatever was lost since? */
bool rig_db_took(uint64_t epoch, const uint8_t instance[static 16]);
void rig_db_save(void);	    /* what a replica has */
void rig_db_failover(void); /* ... becomes the database, on a new timeline */
const struct clv_list *rig_db_list(void); /* newest; borrowed until the next */

#endif
