/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_BENCH_SERVERBENCH_H
#define TESTS_BENCH_SERVERBENCH_H

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <claviger/buf.h>
#include <claviger/list.h>
#include <claviger/wire.h>

#define PARTIES_MAX CLV_LIST_MEMBERS_MAX
#define APP "bench"	/* the one application of everybody's scope */
#define ANSWER_MAX 4096 /* of one that a load connection takes */
#define STEPS_MAX 5

/* ---- serverbench_party.c: enrolled members, in memory alone ---- */
struct party {
	char name[CLV_NAME_MAX];
	uint8_t sign_sk[CLV_SIGN_SK_LEN], sign_pk[CLV_SIGN_PK_LEN];
	uint8_t box_sk[32], box_pk[32], thumb[32];
	X509 *cert;
	EVP_PKEY *key;
	/* frames with their length; signed once, sent again and again */
	struct clv_buf fetch, apps, heads;
	struct clv_wire_request fetch_said;
};

struct system {
	struct clv_guard *guard;
	struct clv_keyring *keyring;
	struct clv_list *list;
	struct clv_buf cert, key; /* the network name's */
	struct party *parties;
	unsigned n;
};

/* Opens the system by its backup and makes n members, who are in the list that
 * goes to list_out as the next version. Ends the program when it cannot. */
void system_open(struct system *s, const char *backup, const char *passfile,
    const char *list, const char *tls_row);
void system_enrol(struct system *s, unsigned n, const char *list_out);
/* Signs everybody's questions: they hold this list version already. */
void system_questions(struct system *s, uint64_t holds_version);
/* Is this answer to the party's FETCH the system's, and does it open? */
void system_check(
    const struct system *s, const struct party *p, const void *body, size_t n);

/* ---- serverbench_peer.c: what stands beside the daemon ---- */
#define BEAT_LEN 4
SSL_CTX *bench_tls(bool server); /* set up as daemon/front/tls.c does */
/* A bare OpenSSL server, forked: the network name's certificate, every party's
 * thumbprint, answers of answer_len bytes; a frame of length 0 for one. */
pid_t bare_start(const struct system *s, uint16_t port, size_t answer_len);
/* What Tang's socket unit does: a tangd for each connection, whose socket has
 * TCP_NODELAY. */
pid_t tang_start(uint16_t port, const char *keys);

/* ---- serverbench_flood.c: strangers ---- */
#define FLOOD_RATE_MAX 2500
enum flood_count {
	FLOOD_OFFERED, /* connections */
	FLOOD_SERVED,  /* had the server's part of the handshake */
	FLOOD_REFUSED, /* ... and then its refusal */
	FLOOD_SHUT,    /* closed before that */
	FLOOD_LATE,    /* gave up after 3 s */
	FLOOD_COUNTS
};
struct flood {
	_Atomic uint64_t n[FLOOD_COUNTS];
};
/* So many a second, out of so many addresses, until it is stopped. */
pid_t flood_start(const struct sockaddr_in *to, unsigned rate, unsigned hosts,
    const struct flood **ret);
void flood_stop(pid_t pid);

/* ---- serverbench_link.c: load connections, all in one epoll set ---- */
enum step { STEP_BEAT = 1, STEP_FETCH, STEP_APPS, STEP_HEADS, STEP_HTTP };

struct target {
	struct sockaddr_in to;
	const struct system *system; /* NULL: HTTP without TLS */
	struct clv_buf http;
};

struct link;
typedef void (*link_fn)(struct link *l); /* all steps done; or failed */

enum link_state {
	LINK_CLOSED,
	LINK_CONNECT,
	LINK_HANDSHAKE,
	LINK_WRITE,
	LINK_READ,
	LINK_IDLE
};

struct link {
	const struct target *target;
	const struct party *party;
	struct in_addr from; /* 0: any */
	enum step steps[STEPS_MAX];
	unsigned n_steps, at;
	link_fn on_done, on_lost;
	link_fn on_notice; /* an answer nobody asked for is in in[] */
	enum link_state state;
	int fd;
	SSL *ssl;
	const uint8_t *out;
	size_t out_len, out_done;
	size_t got, fetch_len; /* length of the last answer to a FETCH */
	bool check;	       /* the next answer to a FETCH */
	uint64_t again_us; /* a lost one: when it is tried anew; or a beat */
	uint64_t t[2];	   /* the notice; the answer to APPS */
	unsigned count;	   /* times that it was done */
	uint8_t in[ANSWER_MAX];
};

uint64_t now_us(void);
void link_open(struct link *l);
void link_close(struct link *l); /* with a reset: no TIME_WAIT is left */
/* From the first step, on the connection that is there. */
void link_again(struct link *l);
/* Between two steps; the answer is left out. */
void link_beat(struct link *l);
/* Handles what there is, or comes within so long. */
void links_run(unsigned wait_ms);

/* ---- serverbench_refresh.c: members that ask for their keys ---- */
struct waited {
	double p50_ms, p99_ms, worst_ms;
	unsigned n;
};
struct refresh {
	struct waited kept, fresh; /* connections */
	unsigned losses, unanswered;
};
void refresh_begin(const struct target *t);
/* For so long; turn() waits for events, and not for more than some ms. */
void refresh_ask(unsigned seconds, bool counts, void (*turn)(void));
void refresh_end(void (*turn)(void), struct refresh *ret);

#endif
