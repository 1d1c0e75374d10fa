/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_KEEPER_H
#define CLAVIGERD_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include <claviger/buf.h>
#include <claviger/guard.h>
#include <claviger/identity.h>
#include <claviger/keyring.h>
#include <claviger/list.h>
#include <claviger/result.h>
#include <claviger/store.h>
#include <claviger/wire.h>

#include "agents/control.h"
#include "daemon/keeper/audit.h"
#include "daemon/base/chan.h"
#include "daemon/base/config.h"
#include "daemon/keeper/expiry.h"
#include "daemon/keeper/heads_claims.h"
#include "daemon/base/loop.h"
#include "daemon/base/machine.h"
#include "daemon/keeper/members_wait.h"
#include "daemon/keeper/peer_msg.h"
#include "daemon/supervisor/process.h"
#include "daemon/rotate/publish.h"
#include "daemon/keeper/role.h"
#include "daemon/base/state.h"
#include "daemon/keeper/tlsnext.h"

/*
 * The keeper: holds the keys and decides. One struct, one event loop; each
 * file below owns the part of the struct that carries its name. What comes
 * from the front is checked as if from outside.
 */

#define KEEPER_LEASE_MS 15000
#define KEEPER_RENEW_MS 5000
#define KEEPER_POLL_MS 5000	/* looking at the database while not active */
#define KEEPER_RETRY_MS 1000	/* ... while locked */
#define KEEPER_SQL_MS 3000	/* one statement */
#define KEEPER_CLAIM_MS 1500	/* a promotion waits no longer for it */
#define KEEPER_WITNESS_MS 1500	/* acknowledgements of a proposal */
#define KEEPER_ALIVE_MS 5000	/* heartbeat between server nodes */
#define KEEPER_LIVE_MS 12000	/* heard within: live */
#define KEEPER_QUORUM_MS 3000	/* silence of corosync: no quorum */
#define KEEPER_PROMISE_MS 10000 /* a promise that came to nothing by then */
#define KEEPER_LATE_MS 5000	/* waiting for live nodes to store a list */
#define KEEPER_PROOF_MS (24u * 3600u * 1000u)
#define KEEPER_REFRESH_MS 60000 /* how often members fetch */
#define KEEPER_PERMIT_MS 65000	/* and how long they may encrypt then */
#define KEEPER_HEADS_MS 10000	/* what was seen is on disk, of a server, */
#define MEMBER_HEADS_MS 1000	/* and of another member */
#define KEEPER_CHALLENGES 64
#define KEEPER_CHALLENGE_MS 30000

/* db.c: statements on their way through the front. */
struct db_field {
	const uint8_t *p;
	size_t len;
};
struct db_result {
	int result;
	const char *text;
	size_t rows, columns;
	const struct db_field *fields; /* rows * columns, borrowed */
};
struct keeper;
typedef void (*db_fn)(struct keeper *k, void *arg, const struct db_result *r);
struct db_call;

struct db {
	bool up;
	int result;    /* CLV_OK, or what is wrong with it, */
	char why[160]; /* and that in words */
	uint64_t next_id;
	struct db_call *calls;
	struct loop_timer *poll;
	bool asking, again;  /* HELLO is under way, and wanted once more */
	uint64_t asked_list; /* newest list that peers had before it */
	/* last answer of HELLO */
	uint64_t hellos; /* how many there were */
	bool known;	 /* there was one on this connection */
	uint64_t epoch;
	uint8_t holder;
	uint8_t instance[16];
	uint64_t lease_until_ms; /* of the holder, on our clock */
	uint64_t list_version;
	uint64_t timeline;
	uint64_t server_id;
};

/* secret.c: keyring, list and what proves that they fit. */
struct secret {
	struct clv_keyring *keyring;
	struct clv_list *list;
	struct clv_buf list_blob; /* as signed, as on disk */
	bool tls_loaded;	  /* the front has the network name's key */
	uint8_t tls_thumb[32];
	struct clv_buf tls_cert; /* DER */
	bool fetching;		 /* a statement of ours is under way */
	bool copy_asked;	 /* since the last HELLO: once is enough, */
	bool list_asked;	 /* whatever it says that there is */
	bool copy_due;		 /* own sealed copy waits to be stored */
	struct loop_timer *daily;
	char why[160];	  /* why not proven, "" when proven */
	char failure[96]; /* of the last fetch */
};

/* peers.c: the other server nodes. */
struct peer {
	struct peer_voice voice;    /* its process, and its last word */
	struct peer_voice stranger; /* spoke, and may not know us; 0: nobody */
	uint64_t heard_ms;
	uint64_t echo;	       /* newest stamp of ours that it has heard, */
	uint64_t idle;	       /* ... when it last said that it is idle */
	uint64_t list_version; /* on its disk */
	uint64_t proven_list;  /* so said with the system's signature */
	uint32_t generation;   /* that it holds, 0: none */
	enum peer_role role;
	bool unlocked;
};
struct peers {
	struct peer of[CLV_LIST_NODES_MAX + 1]; /* by node number */
	uint64_t stamp;				/* of our last message */
	unsigned greetings;			/* since the last heartbeat */
	uint64_t warned_ms;
	struct loop_timer *alive;
};

/* witness.c: what the nodes promise each other. */
typedef void (*witness_fn)(
    struct keeper *k, int result, uint64_t epoch, const char *text);
#define WITNESS_TRIES 5
/* Epochs ahead of ours by more than 2^24 takeovers are not believed of those
 * who cannot sign for the system: one lie would use up all numbers for ever. */
#define WITNESS_LEAP (UINT64_C(1) << 32)
struct witness {
	bool configured, connected, quorate;
	uint32_t members;
	uint64_t heard_ms;
	uint64_t promised; /* the last promise to another node, and to which */
	uint8_t promised_to[16]; /* of its processes */
	/* the proposal under way */
	witness_fn fn;
	bool insist;	/* refused: propose again above what the peer named */
	uint64_t epoch; /* proposed, 0: none */
	uint64_t floor; /* highest that a peer named */
	unsigned tries;
	bool acked[CLV_LIST_NODES_MAX + 1];
	bool refused[CLV_LIST_NODES_MAX + 1];
	struct loop_timer *deadline;
	struct loop_timer *recast;
};

/* serving.c: role, epoch, listener. */
struct serving {
	enum role_state state;
	uint64_t epoch;	      /* held, 0: none */
	uint64_t claiming;    /* promised by the witness, being taken */
	unsigned claims;      /* tries of one claim */
	unsigned rounds;      /* ... of a promotion, each with a new number */
	uint64_t fresh_ms;    /* when the epoch was taken */
	uint64_t promised_ms; /* when another node was promised more */
	uint64_t timeline;    /* of the database that holds the epoch */
	uint64_t server_id;
	bool db_older;	     /* database is older than what we have seen */
	uint64_t shown_list; /* a member proved that these exist */
	uint32_t shown_generation;
	bool listening;
	char last_failure[160]; /* of a promotion */
	bool by_agent;
	char resource[64];
};

/* lease.c: until when the epoch gives the right to change anything. */
struct lease {
	uintptr_t ask;	   /* the claim or renewal that counts, */
	uint64_t asked_ms; /* and when it was sent */
	uint64_t until_ms; /* 0: none */
	uint8_t before;	   /* the node that held the epoch before ours, */
	uint64_t after;	   /* our last stamp when it was taken from it, */
	uint64_t before_until_ms; /* until when it may be in its lease, */
	uint64_t others_until_ms; /* and whoever was before that one */
	struct loop_timer *renew;
	struct loop_timer *end;
	struct loop_timer *alone; /* when nobody is waited for any more */
};

/* control_server.c: local connections. */
struct control_conn;

/* admin.c: one administrative operation at a time. */
struct admin;
struct question;

/* member_port.c: challenges given out. */
struct challenge {
	uint8_t bytes[CLV_NONCE_LEN];
	uint64_t until_ms; /* 0: free */
};

/* heads_watch.c: is the database as far as what was seen of it, and has it come
 * from there? */
struct heads;
struct heads_watch {
	bool asking;
	uint64_t asked_ms;
	uint64_t look;	 /* counted */
	uint64_t serial; /* what was known when it was asked for */
	char after[CLV_NAME_MAX];
	/* By this look, the first that is not; CLV_E_ROLLBACK or CLV_E_FORKED;
	 * and who has seen that, "": we. */
	char found[CLV_NAME_MAX], by[CLV_NAME_MAX];
	int how;
	uint64_t there, seen;
	char behind[CLV_NAME_MAX]; /* ... by the last one, "": none */
	char behind_of[CLV_NAME_MAX];
	int behind_how;
	struct heads_claims claims;
	bool claimed; /* something that was not looked at yet */
};

/* join_port.c: what was offered to a host that asks to join. */
#define KEEPER_OFFERS 16
#define KEEPER_OFFER_MS 10000
struct join_offer {
	uint64_t conn;
	uint64_t until_ms; /* 0: free */
	uint8_t challenge[CLV_NONCE_LEN];
	uint8_t nonce[CLV_NONCE_LEN]; /* the host's */
	uint8_t binding[CLV_TOKEN_BINDING_LEN];
};

struct members_live;

struct notice { /* member_answers.c: what members were told last */
	uint64_t epoch, list_version;
	uint32_t generation;
	bool encrypt;
};

/* member.h: the member role; api_server.h: who asks for it here. */
struct member;
struct api;
struct rewrap;
struct reencrypt;

#define KEEPER_WAITS 2 /* members_wait.c */

struct keeper {
	const struct config *config; /* own_config */
	struct config own_config;    /* as it was last read */
	struct loop *loop;
	struct chan *front;
	int control_fd, link_fd;
	int status; /* exit status */
	struct clv_guard *guard;
	struct clv_identity *identity; /* NULL: no system on this host yet */
	uint8_t system_pk[CLV_SIGN_PK_LEN];
	uint8_t node_number;  /* 0: not enrolled yet */
	uint8_t instance[16]; /* of this process: an epoch belongs to it */
	struct machine_ids machine;   /* that it runs on, */
	char copied[MACHINE_WHY_LEN]; /* and why that is not ours, or "" */
	struct state seen;
	struct db db;
	struct secret secret;
	struct peers peers;
	struct witness witness;
	struct serving serving;
	struct lease lease;
	struct control_conn *conns;
	struct notice told;
	struct members_live *live;
	struct sealed_keys *sealed; /* NULL: none yet */
	struct heads *heads;	    /* NULL: no system on this host yet */
	struct heads_watch watch;
	struct rewrap *rewrap; /* rewrap.h */
	struct reencrypt *reencrypt;
	struct publish publish;
	struct tlsnext tlsnext;
	struct expiry expiry;
	struct audit audit;
	struct members_wait waits[KEEPER_WAITS];
	uint64_t certs_due_ms; /* party_cert.c */
	struct member *member; /* NULL: no system on this host yet */
	struct api *api;
	struct admin *admin;
	uintptr_t admin_serial;
	struct question *questions;
	struct challenge challenges[KEEPER_CHALLENGES];
	struct join_offer offers[KEEPER_OFFERS];
	uint64_t join_warned_ms;
};

/* db.c */
void db_on_state(struct keeper *k, struct clv_rd *body);  /* CHAN_DATABASE */
void db_on_result(struct keeper *k, struct clv_rd *body); /* CHAN_SQL_RESULT */
/* fn is called exactly once, also when it cannot be sent. */
void db_call(struct keeper *k, enum clv_stmt stmt,
    const struct clv_param *params, size_t n, uint32_t timeout_ms, db_fn fn,
    void *arg);
/* The same, in no order with any other statement, and several at a time. */
void db_call_pool(struct keeper *k, enum clv_stmt stmt,
    const struct clv_param *params, size_t n, uint32_t timeout_ms, db_fn fn,
    void *arg);
uint64_t db_u64(const struct db_result *r, size_t row, size_t col);
const struct db_field *db_field(
    const struct db_result *r, size_t row, size_t col); /* never NULL */
int db_problem(const struct keeper *k); /* when it is not known: a result */
void db_poll_soon(struct keeper *k); /* HELLO now, and what follows from it */
void db_poll_in(struct keeper *k, uint64_t after_ms);
/* Those of the pool are told CLV_E_CANCELLED, while their askers live. */
void db_cancel_pool(struct keeper *k);
void db_fini(struct keeper *k);

/* secret.c */
int secret_init(struct keeper *k); /* newest list from disk, verified */
void secret_fini(struct keeper *k);
/* Look whether keyring, list and certificate fit; fetch what is missing; feed
 * PROVEN or UNPROVEN to the role. */
void secret_prove(struct keeper *k);
/* Recompute the commitment from memory and compare; no I/O. */
bool secret_is_proven(struct keeper *k);
void secret_on_hello(struct keeper *k); /* the database said what is newest */
/* Take a list that verified: durable on disk first, then in force. */
int secret_accept_list(struct keeper *k, const void *blob, size_t len);
/* Take a keyring (transferred) into force, after a restore or a rotation. */
int secret_accept_keyring(struct keeper *k, struct clv_keyring **keyring);
/* Of GET_TLS, the row of that certificate: NULL, none. */
const struct db_field *secret_tls_row(
    const struct db_result *r, const uint8_t thumb[static 32]);
/* Of the guard; CLV_E_SIGNATURE and so on, clv_tls_row_open(). */
int secret_tls_open(struct keeper *k, const struct db_field *row,
    struct clv_buf *ret_cert, uint8_t **ret_key, size_t *ret_len);
/* Has the front the certificate that the list says? */
bool secret_tls_is_current(const struct keeper *k);
/* The list says another one, it may be: fetch it. */
void secret_tls_changed(struct keeper *k);
/* Write this node's own sealed copy to the database, and open it there. */
void secret_put_own_copy(struct keeper *k);
/* Open it as it is there, and have its row say so. */
void secret_prove_copy(struct keeper *k);

/* copied.c: is it a copy of another host? k->copied says so. */
void copied_init(struct keeper *k, const struct machine_ids *ids);
/* Root has changed that, it may be. CLV_E_NOT_READY: it is one. */
int copied_again(struct keeper *k);

/* peers.c */
void peers_on_deliver(struct keeper *k, struct clv_rd *body);
/* Sender and voices are filled in. */
void peers_cast(struct keeper *k, struct peer_msg *m);
void peers_alive(struct keeper *k); /* say at once what we hold */
void peers_greet(struct keeper *k); /* ... unless it was said too often */
void peers_prove(struct keeper *k); /* each opens its sealed copy */
/* Names, joined by ", ", of the other enrolled nodes that are not known to
 * have this list and generation on disk. Returns how many of them are live:
 * only those are waited for. */
unsigned peers_late(const struct keeper *k, uint64_t version,
    uint32_t generation, char *names, size_t cap);
/* Do enough nodes, this one included, hold this generation: two, or all there
 * are? */
bool peers_hold(const struct keeper *k, uint32_t generation);
/* Was it heard within KEEPER_LIVE_MS? */
bool peers_is_live(const struct keeper *k, uint8_t number);
/* Version of the newest list that an unlocked peer has. */
uint64_t peers_newest_list(const struct keeper *k);
/* Number of the live node that says it serves, 0 for none but this one. */
uint8_t peers_serving(const struct keeper *k);
/* Was that node idle when it had heard more of us than that stamp? */
bool peers_idle(const struct keeper *k, uint8_t number, uint64_t after);
/* Is it live, and does it hold the keyring? */
bool peers_unlocked(const struct keeper *k, uint8_t number);
void peers_fini(struct keeper *k);

/* witness.c */
void witness_on_cluster(struct keeper *k, struct clv_rd *body);
void witness_on_propose(struct keeper *k, const struct peer_msg *m);
void witness_on_promise(struct keeper *k, const struct peer_msg *m);
void witness_on_peer(struct keeper *k); /* one is there that was not */
/* May anything be changed: no cluster here, or corosync says quorate. */
bool witness_quorate(struct keeper *k);
/* Raise the witness above everything known; fn gets the epoch, or
 * CLV_E_NO_QUORUM, or, unless `insist`, CLV_E_STALE_EPOCH when a peer knows a
 * higher one. */
void witness_raise(struct keeper *k, bool insist, witness_fn fn);
/* Forget the raise that was to call fn, without calling it. */
void witness_cancel(struct keeper *k, witness_fn fn);
/* There is such an epoch: the next proposal is above it. */
void witness_raise_floor(struct keeper *k, uint64_t epoch);
/* May there be such an epoch, when the database or a peer says so? */
bool witness_believes(const struct keeper *k, uint64_t epoch);
void witness_fini(struct keeper *k);
/* Raise our own high-water mark, durably. */
int witness_remember(struct keeper *k, uint64_t epoch);

/* serving.c */
void serving_event(struct keeper *k, enum role_event event, const char *text);
void serving_on_hello(struct keeper *k);
void serving_on_listening(struct keeper *k, struct clv_rd *body);
bool serving_in_lease(const struct keeper *k);
/* ... but for that somebody has seen newer state. */
bool serving_has_lease(const struct keeper *k);
/* ... and nobody else can be: only then may a member be told to encrypt. */
bool serving_encrypts(const struct keeper *k);
/* Somebody has seen newer state than ours: nothing may be changed. */
bool serving_read_only(const struct keeper *k);
uint64_t serving_seen_list(const struct keeper *k); /* anywhere */
/* Newest list that was seen, here or on a peer; the database says what it has
 * itself. */
void serving_database_older(struct keeper *k, uint64_t seen);
/* A member showed a head that our system signed. */
void serving_shown(struct keeper *k, const struct clv_wire_answer *head);
void serving_on_closed(struct keeper *k);
/* We promised a higher epoch to another node. */
void serving_on_promise(struct keeper *k);
/* The database does not say who holds the epoch. */
void serving_on_silence(struct keeper *k);
int32_t serving_score(struct keeper *k);
/* Why this node is not ready to serve, "" when it is. */
void serving_reason(struct keeper *k, char *dst, size_t cap);

/* lease.c */
/* Of all claims and renewals only the last one counts: its argument. */
void *lease_ask(struct keeper *k);
bool lease_is_last(const struct keeper *k, const void *arg);
/* The epoch was taken; the lease runs from when that was asked for. So long
 * may whoever held it before be in its lease, and the ones before it. */
void lease_begin(struct keeper *k, uint64_t before_ms, uint64_t others_ms);
/* Give it back, as far as that can be done, and forget it. */
void lease_end(struct keeper *k);
/* Is nobody else in a lease? */
bool lease_is_alone(const struct keeper *k);
void lease_fini(struct keeper *k);

/* control_server.c */
int control_init(struct keeper *k);
void control_fini(struct keeper *k);
/* A promotion or demotion ended: answer who waits for it. */
void control_promoted(struct keeper *k, int result);
void control_demoted(struct keeper *k);
/* What was missing has been fetched, or cannot be. */
void control_proven(struct keeper *k);
void control_status(struct keeper *k, struct ctl_status *st);

/* member_port.c */
void member_on_request(struct keeper *k, struct clv_rd *body);
/* The answer to an ADMIN that came over the server port. */
struct member_reply {
	uint64_t conn;
	uint8_t op;
	char name[CLV_NAME_MAX];
	uint8_t nonce[CLV_NONCE_LEN];
	uint8_t box_pk[32];
};
void member_answer(struct keeper *k, const struct member_reply *to, int result,
    const char *text, const void *payload, size_t len);
void member_pins(struct keeper *k); /* tell the front who may connect */

/* join_port.c: a host that is not enrolled has asked for something. */
void join_on_request(struct keeper *k, struct clv_rd *body);
void join_offer_certs(
    const struct clv_list *list, struct clv_wire_offer *ret_offer);
/* For so many seconds a token of this list may still be used. */
uint32_t join_open_s(const struct clv_list *list);

/* heads_watch.c */
void heads_watch_look(struct keeper *k); /* when it is time */
/* That host says so; it may also write to that application. */
void heads_watch_claim(struct keeper *k, const char *app,
    const struct clv_head *head, const char *by);
/* Has the database, by the last look, less than was seen, or something else?
 * And what of. */
bool heads_watch_behind(const struct keeper *k);
void heads_watch_reason(const struct keeper *k, char *dst, size_t cap);

/* admin.c: origin is one of the three, or nobody any more. */
struct auth_caller;
struct admin_origin {
	struct control_conn *conn;
	bool remote;
	struct member_reply reply;
	/* done is called once, when the keeper ends at the latest */
	void (*done)(
	    struct keeper *k, void *arg, int result, const void *p, size_t len);
	void *arg;
	/* NULL: root, here or on a server node; borrowed for the call. */
	const struct auth_caller *caller;
};
void admin_request(struct keeper *k, const struct admin_origin *from,
    const void *p, size_t len);
/* What this server asks of itself, inside its lease: never refused to it by
 * who may, and from->done is told. */
void admin_own(struct keeper *k, const struct admin_origin *from, uint8_t op,
    const struct clv_buf *args);
void admin_on_peers(struct keeper *k); /* a peer stored something */
void admin_on_hang_up(struct keeper *k, struct control_conn *conn);
void admin_fini(struct keeper *k);
void admin_cancel(struct keeper *k, const struct admin_origin *to);
/* data may be NULL. */
void admin_answer(struct keeper *k, const struct admin_origin *to, int result,
    const char *text, const char *late, const struct clv_buf *data);

/* admin_ask.c */
void admin_ask(struct keeper *k, const struct admin_origin *from, uint8_t op,
    struct clv_rd *args);
void admin_ask_on_hang_up(struct keeper *k, struct control_conn *conn);
void admin_ask_fini(struct keeper *k);

/* What the active server alone can tell, by its format function. */
void admin_say_state(struct keeper *k, const struct admin_origin *from,
    struct clv_rd *args, void (*format)(struct keeper *k, struct clv_buf *b));
/* admin_rotate_state.c */
void admin_rotate_state(
    struct keeper *k, const struct admin_origin *from, struct clv_rd *args);

/* admin_cert_state.c */
void admin_cert_state(
    struct keeper *k, const struct admin_origin *from, struct clv_rd *args);
void admin_certificate(
    struct keeper *k, const struct admin_origin *from, struct clv_rd *args);

/* admin_members.c */
void admin_members(
    struct keeper *k, const struct admin_origin *from, struct clv_rd *args);

/* admin_member_rotate.c */
void admin_member_rotate(
    struct keeper *k, const struct admin_origin *from, struct clv_rd *args);

/* admin_apps.c */
void admin_apps(
    struct keeper *k, const struct admin_origin *from, struct clv_rd *args);

void control_admin_done(struct keeper *k, struct control_conn *conn, int result,
    const void *p, size_t len);

/* keeper.c */
/* k is zeroed; after a failure too it wants keeper_fini(). */
int keeper_init(
    struct keeper *k, const struct config *c, const struct keeper_fds *fds);
void keeper_fini(struct keeper *k);
void keeper_end(struct keeper *k, int status);
/* To the front: queued, and written when it can be. */
int keeper_send(
    struct keeper *k, enum chan_type type, const struct clv_buf *body);
void keeper_tell(struct keeper *k, enum link_op op, const char *text);
void keeper_event(struct keeper *k, const char *event); /* on_event */
const char *keeper_node_name(const struct keeper *k, uint8_t number);

#endif
