/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_FRONT_UPLINK_H
#define CLAVIGERD_FRONT_UPLINK_H

#include <netdb.h>
#include "daemon/front/front.h"

/* A member's connection to the active server: between the files that know how
 * it is made, and what is said on it. */

#define UPLINK_CONNECT_MS 2000 /* one address */
#define UPLINK_HANDSHAKE_MS \
	10000		       /* after a takeover everybody comes at once \
				*/
#define UPLINK_RESOLVE_MS 5000 /* then it is said that nothing came */
#define UPLINK_PAUSE_MIN_MS 100
#define UPLINK_PAUSE_MAX_MS 1000
#define UPLINK_BEAT_MS 5000
#define UPLINK_SILENCE_MS 12000
#define UPLINK_NOTICES_MAX 100 /* more in that time are a flood */
#define UPLINK_NOTICES_MS 10000
#define UPLINK_PINS_MAX 8

/* ---- front_resolve.c: names are looked up in a thread ---- */
#define RESOLVE_ADDRESSES_MAX 8
struct resolve_answer {
	int result; /* CLV_E_NOT_FOUND: why says it */
	char why[256];
	unsigned n;
	struct sockaddr_storage address[RESOLVE_ADDRESSES_MAX];
	socklen_t len[RESOLVE_ADDRESSES_MAX];
};
struct resolver;
typedef void (*resolve_fn)(void *arg, const struct resolve_answer *answer);
/* fn is called in the loop. */
int resolver_new(
    struct front *f, resolve_fn fn, void *arg, struct resolver **ret);
/* Ask for host and port; the answer to an earlier question does not come any
 * more. A number is answered before this returns. */
int resolver_ask(struct resolver *r, const char *host, uint16_t port);
void resolver_free(struct resolver **r);
/* Begin to connect to one of the addresses: a descriptor, or -1 and errno. */
int resolve_connect(const struct resolve_answer *a, unsigned at);

/* ---- front_uplink.c ---- */
enum uplink_state {
	UPLINK_OFF,	/* nobody is to be connected to */
	UPLINK_RESOLVE, /* no address is known yet */
	UPLINK_CONNECT,
	UPLINK_HANDSHAKE,
	UPLINK_PROVE, /* a server that refuses us says so only now */
	UPLINK_UP,
	UPLINK_PAUSE
};

struct front_uplink {
	struct front *front;
	enum uplink_state state;
	struct loop_timer *timer;
	/* the order */
	char host[254];
	uint16_t port;
	uint8_t pins[UPLINK_PINS_MAX][32];
	uint32_t pin_count;
	struct tls_ctx *ctx;
	uint8_t own[32]; /* hash of certificate and key that ctx has */
	/* where to */
	struct resolver *resolver;
	struct resolve_answer addresses;
	unsigned at; /* the one that is tried */
	int fd;	     /* while connecting, -1 else */
	struct tls_conn *tls;
	/* what is said */
	bool asked; /* and not answered */
	bool more;  /* a request waits in `next` */
	struct clv_buf next;
	struct clv_buf out; /* frame being written */
	size_t out_done;
	uint8_t head[4];
	uint8_t *frame;
	uint32_t len, done;
	unsigned beats; /* sent and not answered */
	uint64_t beat_ms, heard_ms;
	unsigned notices;
	uint64_t notices_ms; /* since when they are counted */
	/* what the keeper was told */
	bool told, up;
	int result;
	char why[CHAN_WHY_MAX];
};

/* The connection is of no use any more. */
void uplink_lost(struct front_uplink *u, int result, const char *why);
/* The first sign of the server: it knows us. */
void uplink_proven(struct front_uplink *u);
/* Wait for what its TLS wants, and for more to read. */
void uplink_watch(struct front_uplink *u, bool write);

/* ---- front_uplink_talk.c ---- */
void uplink_talk_begin(struct front_uplink *u);
/* Write and read what can be: CLV_E_AGAIN, or the end. */
int uplink_talk(struct front_uplink *u);
/* A heartbeat is due, or it has been silent for too long: CLV_E_TIMEOUT. */
int uplink_talk_tick(struct front_uplink *u);
uint64_t uplink_talk_next_ms(const struct front_uplink *u);
void uplink_talk_ask(struct front_uplink *u, const void *p, size_t len);
void uplink_talk_end(struct front_uplink *u); /* forget all of it */

#endif
