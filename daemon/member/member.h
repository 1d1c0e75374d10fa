/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_MEMBER_H
#define CLAVIGERD_MEMBER_H

#include <stdbool.h>
#include <stdint.h>
#include <claviger/api.h>
#include <claviger/wire.h>

#include "daemon/api/authorize.h"
#include "daemon/keeper/keeper.h"
#include "daemon/member/member_policy.h"
#include "daemon/member/server_pins.h"

/*
 * The member role, on every enrolled host: keys of its scope, fetched through
 * the network name by the front's uplink, kept in guarded memory, refreshed,
 * and what may be done with them (member_policy.h). It accepts no epoch,
 * generation or list version lower than one that it accepted before.
 */
#define MEMBER_TRY_MS 5000     /* one try of a refresh; there are two */
#define MEMBER_AGAIN_MS 5000   /* then after this, or when the uplink is up */
#define MEMBER_EVIDENCE_MS 250 /* a server that was shown newer evidence */
#define MEMBER_SOON_MS 1000    /* between two that a caller is the reason of */
#define MEMBER_CERT_MS 1000    /* between two questions for a certificate */
#define MEMBER_JITTER_MS 200   /* so that not all come at once on a notice */
#define MEMBER_NAMES_MS 5000   /* between two rounds of looking names up, */
#define MEMBER_NAMES_AWAY_MS 60000 /* and while the server is away */
#define MEMBER_PERMIT_MAX_MS 65000
#define MEMBER_EVIDENCE_MAX 4096

enum member_step {
	MEMBER_IDLE,
	MEMBER_WAIT,  /* for the uplink */
	MEMBER_FETCH, /* asked for keys */
	MEMBER_APPS,  /* ... for who may do what */
	MEMBER_HEADS, /* ... for the counters of applications */
	MEMBER_CERT,  /* ... that it accepts our next certificate */
	MEMBER_CHAIN  /* ... how it came to sign by another key than ours */
};

/* member_cert.c: this host's own certificate is changed. */
struct member_cert {
	bool wanted;	 /* there is a next one, and it is not in use yet */
	bool now;	 /* ... and then the one before is refused at once */
	bool tries_next; /* the uplink has it: we were refused */
	uint8_t current[32], next[32];
	char why[160]; /* it is not in use yet */
};

struct member_app { /* of the signed list, as far as it is in our scope */
	char name[CLV_NAME_MAX];
	uint32_t keep;
	struct auth_acl admins, users;
};

struct vault;
struct member {
	struct keeper *k;
	enum clv_member_state state;
	struct state seen; /* a server node's own one is about promises, too */
	bool is_server_node;
	char dir[272]; /* of what it has seen */
	uint8_t system_id[CLV_SYSTEM_ID_LEN];
	bool system_known;
	/* the last answer that was accepted */
	uint64_t refreshed_ms; /* when it was asked for, 0: never */
	int64_t refreshed_at;  /* ... by the clock on the wall, for people */
	uint64_t permit_until_ms;
	uint64_t written_until_ms; /* when that ended, or will, 0: never was */
	bool lease; /* it said that the server is inside its lease */
	uint32_t generation;
	uint32_t refresh_s;
	struct clv_buf evidence;   /* its head, signed */
	struct clv_wire_key *keys; /* guarded */
	size_t key_count;
	uint32_t newest;	 /* generation of a key */
	bool from_cache;	 /* the keys are */
	const char *cache_doubt; /* why the sealed cache is not used */
	uint64_t cache_end_ms;	 /* then it is too old, whatever the clock */
	/* who may do what */
	uint64_t apps_version; /* list version that they are of, 0: none */
	uint64_t apps_next_version;
	uint64_t told_list; /* list version that a notice named last */
	struct member_app *apps, *next_apps;
	size_t app_count, next_count;
	struct auth_acl system_admins, creators;
	struct auth_acl next_admins, next_creators;
	struct clv_buf pages, next_pages;   /* all that as it came */
	struct server_pins pins, next_pins; /* of a host without the list */
	struct auth_names names; /* in it, as they are on this host */
	uint64_t looked_up_ms;
	uint64_t who_version; /* changes with all that */
	/* the way to the server */
	enum member_step step;
	bool up;
	int up_result;
	char up_why[320]; /* names two or three thumbprints */
	struct clv_wire_request question;
	uint64_t asked_ms;
	unsigned tries;
	bool show;	     /* our evidence, with the next question */
	bool again;	     /* refresh once more when this one is through */
	const uint8_t *body; /* of the answer being taken, borrowed */
	size_t body_len;
	char after[CLV_NAME_MAX];
	size_t head_at;
	struct loop_timer *deadline, *next, *retry, *aged;
	uint8_t told[32]; /* BLAKE2b of what the front was told of it */
	struct member_cert cert;
	char failure[320]; /* of the last refresh */
	char stale[200];   /* how a server was behind */
	struct vault *vault;
};

/* member.c */
int member_init(struct keeper *k); /* k->identity is there */
void member_fini(struct keeper *k);
void member_event(struct member *m, enum member_event event, const char *why);
/* New secrets may be written until then; a time that is over: no more. */
void member_permit(struct member *m, uint64_t until_ms);
/* May new secrets be written now? If not: CLV_E_AWAY, or CLV_E_NOT_READY on a
 * copy of another host, and why, in a sentence. */
int member_may_write(struct member *m, char why[static 256]);
const char *member_dir(struct keeper *k);
uint64_t member_epoch(const struct keeper *k);
const uint8_t *member_system_id(const struct keeper *k); /* 16 B */
/* Key of an application; CLV_E_GENERATION, CLV_E_DENIED (not in our scope). */
int member_app_key(struct keeper *k, const char *app, uint32_t generation,
    uint8_t ret[static CLV_KEY_LEN]);
void member_status(const struct member *m, struct clv_buf *ret);
const struct member_app *member_app_find(
    const struct member *m, const char *name);
/* Is there a newer list than what is known here of it, which will be known in a
 * moment? */
bool member_list_is_old(const struct member *m);

/* member_uplink.c */
/* Where the server is and who it must be: anew, when that may have changed. */
void member_uplink_set(struct member *m);
/* Those that the server named are on disk, and in force. */
int member_uplink_pin(struct member *m, const struct server_pins *pins);
void member_on_uplink(struct keeper *k, struct clv_rd *body);
void member_on_reply(struct keeper *k, struct clv_rd *body);

/* member_refresh.c */
void member_refresh_soon(struct keeper *k);
void member_refresh_begin(struct member *m);
void member_refresh_on_up(struct member *m);
void member_refresh_on_down(struct member *m);
void member_refresh_on_answer(
    struct member *m, const struct clv_wire_answer *a);
void member_refresh_on_notice(
    struct member *m, const struct clv_wire_answer *a);
/* The server signs by another key: ask how it came to that. */
void member_refresh_chain(struct member *m);
/* Its answer was verified, and what follows from it is in force. */
void member_refresh_on_chain(struct member *m, int result);
/* Sign and send one question; the answer comes to member_on_reply(). */
int member_ask(struct member *m, uint8_t op, const struct clv_buf *payload);

/* member_apps.c */
int member_apps_ask(struct member *m, bool first);
/* CLV_OK: all there; CLV_E_AGAIN: there is more to ask for. */
int member_apps_take(struct member *m, const struct clv_wire_answer *a);
/* From the sealed cache. */
int member_apps_load(struct member *m, struct clv_rd *pages, uint64_t version);
/* Whom the names mean, anew unless that was done not so long ago. */
bool member_apps_look_up(struct member *m, uint64_t older_than_ms);
void member_apps_fini(struct member *m);

/* member_heads.c */
int member_heads_ask(struct member *m, bool first);
int member_heads_take(struct member *m, const struct clv_wire_answer *a);

/* member_successor.c: an answer that our key has not signed. CLV_OK: it is one
 * that leads to another key, which we pin now; CLV_E_AGAIN: that is asked for;
 * CLV_E_SIGNATURE. */
int member_successor(struct member *m, const uint8_t *p, size_t len);

/* member_cert.c */
void member_cert_init(struct member *m);
/* A new one is made, or what was begun goes on. */
int member_cert_rotate(struct member *m, bool now);
/* What the answer to our own question says that an administrator wants. */
void member_cert_wish(struct member *m, const char *wish);
int member_cert_ask(struct member *m);
void member_cert_take(struct member *m, const struct clv_wire_answer *a);
/* The server does not know us: is there another certificate to try? */
bool member_cert_refused(struct member *m);
void member_cert_failed(struct member *m); /* a refresh, whatever the reason */
void member_cert_accepted(struct member *m); /* an answer to a question */
int member_cert_control(
    struct keeper *k, const void *p, size_t len, struct clv_buf *ret);

/* member_seen.c: what was accepted, on disk before it is acted upon. */
int member_seen_load(struct member *m);
int member_seen_raise(struct member *m, const struct clv_wire_answer *a,
    const void *body, size_t len);

/* member_cache.c: the sealed cache. */
void member_cache_load(struct member *m);
void member_cache_save(struct member *m);
void member_cache_remove(struct member *m);

#endif
