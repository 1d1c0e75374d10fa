/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_FRONT_H
#define CLAVIGERD_FRONT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <claviger/buf.h>
#include "daemon/base/chan.h"
#include "daemon/base/config.h"
#include "daemon/base/loop.h"
#include "daemon/front/tls.h"

/*
 * The front: every network connection, and no key but the network name's TLS
 * key. Its loop serves the server port; PostgreSQL and corosync, whose
 * libraries may block (name resolution, a frozen corosync), each have a
 * thread, which the loop never waits for.
 */
struct front_net;
struct front_db;
struct front_cluster;
struct front_uplink;

struct front {
	const struct config *config;
	struct loop *loop;
	struct chan *chan;
	struct loop_timer *self_test_timer;
	int self_test; /* 1 not yet run; else its result */
	struct front_net *net;
	struct front_db *db;
	struct front_cluster *cluster;
	struct front_uplink *uplink;
};

/* Send to the keeper. CLV_E_FULL when it does not read what peers said; any
 * other failure ends the process. */
int front_send(
    struct front *f, enum chan_type type, const struct clv_buf *body);
/* Run the TLS self-test if it has not run yet; its result. */
int front_self_test(struct front *f);

/* ---- front_worker.c: a thread and messages to and from it ---- */
#define FRONT_MAIL_LOG 0 /* a message for the log: u8 is_warning, str */

struct front_mail; /* one direction: bounded, in order */
int front_mail_new(size_t max, struct front_mail **ret);
void front_mail_wait(const struct front_mail *m); /* until there is some */
void front_mail_free(struct front_mail **m);	  /* nobody uses it any more */
int front_mail_fd(const struct front_mail *m);	  /* readable: there is some */
/* The content of body moves (body is empty afterwards). When it is full: waits
 * for room, or CLV_E_FULL. CLV_E_NO_SERVER while the reader takes none. */
int front_mail_put(
    struct front_mail *m, unsigned type, struct clv_buf *body, bool wait);
/* false when there is none; else the caller owns *ret_body. */
bool front_mail_get(
    struct front_mail *m, unsigned *ret_type, struct clv_buf *ret_body);
/* For the reader: take or refuse messages from now on; those that are already
 * in stay. */
void front_mail_accept(struct front_mail *m, bool accept);

typedef void (*front_mail_fn)(void *arg, unsigned type, struct clv_buf *body);
struct front_worker {
	struct front *front;
	struct front_mail *in; /* from the loop */
	struct front_mail
	    *out;	       /* to the loop, which passes it to the keeper, */
	front_mail_fn on_mail; /* or to this, in the loop */
	void *arg;
};
typedef void *(*front_worker_fn)(void *worker);
/* The thread is detached and lives as long as the process. on_mail NULL: what
 * it says is the keeper's. */
int front_worker_start(struct front *f, front_worker_fn fn,
    front_mail_fn on_mail, void *arg, struct front_worker **ret);
void front_worker_log(struct front_worker *w, bool warning, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));

/* ---- front_db.c ---- */
int front_db_start(struct front *f, struct front_db **ret);
void front_db_sql(struct front *f, struct front_db *db, struct clv_rd *rd);

/* ---- front_cluster.c ---- */
int front_cluster_start(struct front *f, struct front_cluster **ret);
void front_cluster_cast(struct front_cluster *c, struct clv_rd *rd);

/* ---- front_pins.c: a set of thumbprints ---- */
struct front_pins;
int front_pins_new(const uint8_t *thumbs, size_t n, struct front_pins **ret);
void front_pins_free(struct front_pins **p);
bool front_pins_has(const struct front_pins *p,
    const uint8_t thumb[static 32]); /* NULL: nobody */

/* ---- front_listener.c: the listening socket ---- */
struct front_listener {
	struct loop *loop;
	loop_fd_fn on_accept;
	void *arg;
	int fd;	     /* -1: none */
	bool paused; /* those who connect wait in the backlog */
	char address[64];
	uint16_t port;
};
/* Listen on this address, which need not be up, and no longer on another one.
 * CLV_E_INVALID (not a numeric address), CLV_E_IN_USE, CLV_E_SYSTEM. */
int front_listener_open(struct front_listener *l, const char *address,
    uint16_t port, char why[static 256]);
void front_listener_close(struct front_listener *l);
void front_listener_pause(struct front_listener *l);
void front_listener_resume(struct front_listener *l);

/* ---- front_uplink.c: a member's connection to the active server ---- */
int front_uplink_new(struct front *f, struct front_uplink **ret);
void front_uplink_free(struct front_uplink **u);
/* Messages of the keeper. */
void front_uplink_order(struct front_uplink *u, struct clv_rd *rd);
void front_uplink_ask(struct front_uplink *u, struct clv_rd *rd);

/* ---- front_net.c: the server port ---- */
int front_net_new(struct front *f, struct front_net **ret);
void front_net_free(struct front_net **net);
/* Messages of the keeper. */
void front_net_tls(struct front_net *net, struct clv_rd *rd);
void front_net_pins(struct front_net *net, struct clv_rd *rd);
void front_net_joiners(struct front_net *net, struct clv_rd *rd);
void front_net_listen(struct front_net *net, struct clv_rd *rd);
void front_net_unlisten(struct front_net *net);
void front_net_answer(struct front_net *net, struct clv_rd *rd);
void front_net_notice(struct front_net *net, struct clv_rd *rd);

/* ---- front_conn.c: one connection ---- */
enum front_conn_state {
	FRONT_CONN_HANDSHAKE,
	FRONT_CONN_HEAD, /* idle, or within the four bytes of length */
	FRONT_CONN_BODY,
	FRONT_CONN_WAIT, /* its request is with the keeper */
	FRONT_CONN_WRITE,
	FRONT_CONN_LINGER /* refused; the alert must be read before the reset */
};

#define FRONT_HANDSHAKE_MS 3000
#define FRONT_FRAME_MS 2000
#define FRONT_ANSWER_MS 30000 /* the keeper's time for a request */
#define FRONT_IDLE_MS 20000   /* a member says something every 5 s */
#define FRONT_LINGER_MS 1000
/* Hosts that are not enrolled, while a join token is outstanding: few, briefly,
 * with two small questions and as many again. */
#define FRONT_JOINERS_MAX 16
#define FRONT_JOINERS_SOURCE_MAX 4 /* of one host */
#define FRONT_JOIN_IDLE_MS 5000
#define FRONT_JOIN_EVICT_MS 500 /* of its place, when others want to join */
#define FRONT_JOIN_ASKS_MAX 4
/* More heartbeats in that time are a flood. */
#define FRONT_BEATS_MAX 20
#define FRONT_BEATS_MS 5000

/* Shared by all connections that it waits for, or is being written to. */
struct front_notice {
	unsigned refs;
	uint32_t len;
	uint8_t frame[];
};
int front_notice_new(const void *body, size_t len, struct front_notice **ret);
void front_notice_put(struct front_notice **n);

struct front_conn {
	struct front_net *net;
	struct front_conn *other; /* after it in a list of the table */
	struct tls_conn *tls;
	enum front_conn_state state;
	bool close_after; /* what is being written */
	bool muted;	  /* sent more while its request was with the keeper */
	bool joins;	  /* not enrolled: may ask to join, and nothing else */
	uint8_t asks;	  /* that it has asked */
	uint32_t watched; /* events that the table waits for */
	uint64_t id;
	uint64_t since_ms;
	uint64_t deadline_ms;
	uint64_t idle_ms;   /* until when it may say nothing */
	uint64_t beats_ms;  /* since when its heartbeats are counted */
	uint8_t source[16]; /* IPv4-mapped, or the /64 of IPv6 */
	uint8_t *frame;	    /* body being read, or answer being written */
	const uint8_t *out; /* what is being written: that, or a constant */
	struct front_notice *notice; /* being written, while out is its */
	struct front_notice *next;   /* waits for its turn; the newest */
	uint32_t len;
	uint32_t done;
	uint8_t beats;
	uint8_t head[4];
};

/* fd is transferred. */
int front_conn_new(struct front_net *net, struct tls_ctx *ctx, int fd,
    uint64_t id, const struct sockaddr *from, struct front_conn **ret);
void front_conn_free(struct front_conn **c);
bool front_conn_is_known(const struct front_conn *c); /* past the handshake */
/* Write the answer; the connection may be dropped by it. */
void front_conn_answer(
    struct front_conn *c, const void *body, size_t len, bool close);

/* Write the notice, at once or when its turn comes; the connection may be
 * dropped by it. */
void front_conn_notify(struct front_conn *c, struct front_notice *n);

/* Something happened to its descriptor. It may be gone afterwards. */
void front_conn_event(struct front_conn *c, bool hung_up);

/* What a connection asks of the table. Watch its descriptor, until that is
 * closed; error and hang-up are always told. */
int front_net_watch(
    struct front_net *net, struct front_conn *c, bool read, bool write);
/* The handshake is done: is there a place? */
bool front_net_admit(struct front_net *net, struct front_conn *c);
/* Pass the request on: CLV_OK, or why not. */
int front_net_request(struct front_net *net, struct front_conn *c);
/* The connection ends: `why` for the log or NULL; c is gone afterwards. */
void front_net_drop(
    struct front_net *net, struct front_conn *c, const char *why);
void front_net_refused(struct front_net *net, const struct front_conn *c);

#endif
