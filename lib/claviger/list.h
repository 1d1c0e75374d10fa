/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLAVIGER_LIST_H
#define CLAVIGER_LIST_H

#include <stdbool.h>
#include <stdint.h>
#include <claviger/identity.h>
#include <claviger/keyring.h>
#include <claviger/succession.h>

/*
 * The signed list: the one document that decides who gets keys. It holds the
 * settings, generations, server nodes, members, the certificates of the
 * network name, and the applications with who may what; it is signed by the
 * system signing key as a whole and has a version that only grows. Stored form:
 * body || 64-byte signature over "claviger-list-01" || body.
 */

#define CLV_LIST_NODES_MAX 255
#define CLV_ESCROW_RECOVERY \
	255 /* in the place of a node's number: the copy \
	     * of the recovery recipient */
#define CLV_LIST_MEMBERS_MAX 10000
#define CLV_LIST_APPS_MAX 4096
#define CLV_LIST_TOKENS_MAX 16 /* outstanding join tokens */
#define CLV_LIST_LEN_MAX (8u << 20)
#define CLV_SCOPE_MAX 1024  /* "all", or names joined by ',' */
#define CLV_ACL_MAX 1024    /* "", or subjects joined by ',', none twice */
#define CLV_SUBJECT_MAX 256 /* a subject's name, with NUL */
#define CLV_LIST_CERTS 2    /* current, and next or the one before */

enum clv_generation_state { /* moves down this list, never back */
	CLV_GEN_PENDING = 1,
	CLV_GEN_ESCROWED,
	CLV_GEN_BACKED_UP,
	CLV_GEN_PUBLISHED,
	CLV_GEN_CURRENT,
	CLV_GEN_RETIRED,
	CLV_GEN_DESTROYED
};

/* Is the keyring sealed to a node when it is approved, and which coverage may
 * be lacking without an alarm: by default none. */
enum clv_escrow_policy {
	CLV_ESCROW_AUTO = 1,
	CLV_ESCROW_MANUAL = 2,
	CLV_ESCROW_MODE = 3,	   /* mask of these two */
	CLV_ESCROW_NO_OUTSIDE = 4, /* a backup or recovery copy */
	CLV_ESCROW_NO_NODES = 8	   /* a copy for every server node */
};

struct clv_list_generation {
	uint32_t number;
	uint8_t state;			 /* enum clv_generation_state */
	uint8_t commitment[CLV_KEY_LEN]; /* of the master secret */
	uint8_t check[CLV_KEY_LEN]; /* clv_key_check of the distribution key */
};

struct clv_list_node {
	struct clv_party party;
	uint8_t number; /* 1..255, never used again */
	bool revoked;
	bool sealed; /* false: policy manual, not sealed until restore */
	uint8_t next_thumb[32]; /* zeros: none */
};

struct clv_list_member {
	struct clv_party party;
	bool revoked;
	char scope[CLV_SCOPE_MAX];
	uint8_t next_thumb[32];
};

/* A join token that was not used yet (token.h): who will be which member. It is
 * taken out by the list that enrols the member, so that neither a failover nor
 * a database that was put back makes it good again. */
struct clv_list_token {
	char name[CLV_NAME_MAX]; /* of the member to be */
	char scope[CLV_SCOPE_MAX];
	uint8_t pk[CLV_SIGN_PK_LEN]; /* public half of its key */
	uint64_t expires_s;	     /* since 1970, by the server's clock */
};

/* A subject is "user:NAME", "group:NAME" or "unit:NAME.service". */
enum clv_subject { CLV_SUBJECT_USER = 1, CLV_SUBJECT_GROUP, CLV_SUBJECT_UNIT };

struct clv_list_app {
	char name[CLV_NAME_MAX];
	char *admins; /* access lists of the list: never NULL; clv_acl_set() */
	char *users;
	uint32_t keep; /* newest versions kept of each secret; 0: all */
};

struct clv_list {
	uint8_t system_id[CLV_SYSTEM_ID_LEN];
	/* How the signing key came to be the one that it is: the newest
	 * successions, a chain. has_next_key: the last one is to come; copies
	 * have its key already. */
	struct clv_succession *successions;
	size_t succession_count;
	bool has_next_key;
	uint8_t sign_pk[CLV_SIGN_PK_LEN]; /* has signed it: of an opened list */
	uint64_t version;
	uint64_t epoch; /* of the server that wrote it */
	char network_name[254];
	char address[46]; /* floating address, numeric */
	uint16_t port;
	uint8_t escrow_policy;			/* enum clv_escrow_policy */
	uint8_t cert_thumb[CLV_LIST_CERTS][32]; /* network name; zeros: none */
	bool cert_switched; /* the second was current, and will not be again */
	uint8_t recovery_pk[32]; /* age recipient; zeros: none */
	/* 0, or: no data key that was made before this generation shall encrypt
	 * any more, and no record stay under one. Until that is so. */
	uint32_t reencrypt;
	/* What a host that was revoked may still have, and is in use: keys of
	 * this generation and those below it, until re-encryption with a newer
	 * one is through (0: of none), keys of these certificates, and the
	 * signing key. */
	uint32_t lost_generation;
	bool cert_lost[CLV_LIST_CERTS];
	bool sign_lost;
	struct clv_list_generation *generations;
	size_t generation_count;
	struct clv_list_node *nodes;
	size_t node_count;
	struct clv_list_member *members;
	size_t member_count;
	struct clv_list_token *tokens;
	size_t token_count;
	char *system_admins; /* as in clv_list_app */
	char *creators;
	struct clv_list_app *apps;
	size_t app_count;
};

bool clv_list_escrow_is_manual(const struct clv_list *list);
/* Is there a recovery recipient? */
bool clv_list_has_recovery(const struct clv_list *list);

/* CLV_OK for "all" or 1.. application names joined by ',', none twice and none
 * called "all"; else CLV_E_INVALID. */
int clv_scope_check(const char *scope);
/* Is this application in a checked scope? */
bool clv_scope_has(const char *scope, const char *app);

/* CLV_OK or CLV_E_INVALID: form alone, not whether there is such an account. */
int clv_subject_check(const char *subject);
int clv_acl_check(const char *acl);
/* The next subject of a checked access list; false at its end. */
bool clv_acl_next(const char **acl, enum clv_subject *ret_kind,
    char ret_name[static CLV_SUBJECT_MAX]);
bool clv_acl_has(const char *acl, const char *subject);
/* The access list with one subject more or less; ret may be acl itself.
 * CLV_E_INVALID, CLV_E_EXISTS, CLV_E_FULL; CLV_E_NOT_FOUND. */
int clv_acl_add(
    const char *acl, const char *subject, char ret[static CLV_ACL_MAX]);
int clv_acl_drop(
    const char *acl, const char *subject, char ret[static CLV_ACL_MAX]);
/* Replace an access list of a clv_list by a copy of text; CLV_E_NOMEM. */
int clv_acl_set(char **acl, const char *text);

int clv_list_new(struct clv_list **ret);
void clv_list_free(struct clv_list **list);
/* Deep copy, to be changed and signed as the next version. */
int clv_list_copy(const struct clv_list *list, struct clv_list **ret);
/* Append a zeroed element; NULL when out of memory or at the maximum.
 * Pointers into the array are stale afterwards. */
struct clv_list_generation *clv_list_add_generation(struct clv_list *list);
struct clv_list_node *clv_list_add_node(struct clv_list *list);
struct clv_list_member *clv_list_add_member(struct clv_list *list);
struct clv_list_token *clv_list_add_token(struct clv_list *list);
struct clv_list_app *clv_list_add_app(struct clv_list *list);
struct clv_succession *clv_list_add_succession(struct clv_list *list);
/* The succession that is to come, or NULL. */
const struct clv_succession *clv_list_next_key(const struct clv_list *list);
/* The signing key that the system began with: it names the system for ever. */
const uint8_t *clv_list_first_pk(const struct clv_list *list);
/* The signing key before the one in force, or NULL. */
const uint8_t *clv_list_former_pk(const struct clv_list *list);
/* Takes app, an element of the list, out of it. */
void clv_list_drop_app(struct clv_list *list, struct clv_list_app *app);
void clv_list_drop_token(struct clv_list *list, struct clv_list_token *token);

/* Encode and sign; appended to ret. What clv_list_open() would not take is not
 * signed: CLV_E_INVALID (a value), CLV_E_EXISTS (a number, name or thumbprint
 * twice), CLV_E_FULL (too long), CLV_E_WRONG_SYSTEM. The order of entries in
 * memory does not matter; after opening they are sorted. */
struct clv_buf;
int clv_list_sign(const struct clv_list *list, const struct clv_keyring *k,
    struct clv_buf *ret);
/* Verify under pk, or the key to which the list's own successions lead from
 * there: ret's sign_pk. Decode strictly (canonical, names checked, numbers
 * unique, exactly one current generation). CLV_E_SIGNATURE before anything but
 * the successions is parsed. */
int clv_list_open(const void *p, size_t len,
    const uint8_t pk[static CLV_SIGN_PK_LEN], struct clv_list **ret);

/* Look-ups; NULL when absent. By thumbprint: constant time per entry, current
 * or next thumbprint, revoked entries are found too (caller says REVOKED). */
struct clv_list_node *clv_list_node_by_name(
    const struct clv_list *, const char *);
struct clv_list_node *clv_list_node_by_number(const struct clv_list *, uint8_t);
struct clv_list_node *clv_list_node_by_thumb(
    const struct clv_list *, const uint8_t thumb[static 32]);
struct clv_list_member *clv_list_member_by_name(
    const struct clv_list *, const char *);
struct clv_list_member *clv_list_member_by_thumb(
    const struct clv_list *, const uint8_t thumb[static 32]);
struct clv_list_token *clv_list_token_by_name(
    const struct clv_list *, const char *);
struct clv_list_token *clv_list_token_by_key(
    const struct clv_list *, const uint8_t pk[static CLV_SIGN_PK_LEN]);
struct clv_list_app *clv_list_app_by_name(
    const struct clv_list *, const char *);
const struct clv_list_generation *clv_list_current(const struct clv_list *);
const struct clv_list_generation *clv_list_generation(
    const struct clv_list *, uint32_t number);
/* Does the keyring hold the current generation, by its commitment? CLV_OK,
 * CLV_E_STALE (older generations only), CLV_E_WRONG_SYSTEM, CLV_E_DAMAGED
 * (commitment differs). Recomputes from memory; takes microseconds. */
int clv_list_prove(const struct clv_list *list, const struct clv_keyring *k);

/* An escrow row: sealed copy of the keyring for one node, or for the recovery
 * recipient, whose number is CLV_ESCROW_RECOVERY. Signed by the system
 * over "claviger-escrw-2" || system id || node number || box_pk || newest
 * generation || BLAKE2b-256(age file) || times and generations. Row body = u8
 * node || u32 generation || raw system id 16 || bytes age file || u64 sealed_s
 * || u64 proven_s || u32 n || n x u32 generation || sig. The first form had no
 * times and generations, and "claviger-escrw-1": it is read, and not written.
 */
struct clv_escrow_about {
	uint32_t generation; /* newest */
	uint64_t sealed_s;   /* since 1970; 0: not known */
	uint64_t proven_s;   /* its node has opened it last; 0: not yet */
	uint32_t held_count; /* generations in it, */
	uint32_t held[CLV_GENERATIONS_MAX]; /* of the first form: the newest */
};
int clv_escrow_seal(struct clv_guard *guard, const struct clv_keyring *k,
    uint8_t node_number, const uint8_t box_pk[static 32], struct clv_buf *ret);
/* Opening order: signature under pk, then age, then keyring text, then system
 * id and signing key against pk. CLV_E_NO_IDENTITY when the row is another
 * node's, CLV_E_SIGNATURE when it was sealed to another box_pk or changed. */
int clv_escrow_open(const void *row, size_t len,
    const uint8_t pk[static CLV_SIGN_PK_LEN], const struct clv_identity *id,
    uint8_t node_number, struct clv_keyring **ret);

/* Did the system make that row, for this node, with an age file for one X25519
 * recipient in it? Nothing is opened. */
int clv_escrow_check(const void *row, size_t len,
    const uint8_t pk[static CLV_SIGN_PK_LEN], uint8_t node_number,
    const uint8_t box_pk[static 32], struct clv_escrow_about *ret);
/* The same row, and that it was opened now: `opened` is what clv_escrow_open()
 * has found in it. */
int clv_escrow_prove(const void *row, size_t len, const struct clv_identity *id,
    uint8_t node_number, const struct clv_keyring *opened, struct clv_buf *ret);

/* A certificate row: the network name's certificate (DER) with its key
 * (PKCS#8 DER) wrapped under the service key of generation g, bound to system
 * id, thumbprint and g; signed by the system ("claviger-tlskey1"). Row body =
 * u32 generation || bytes cert || bytes wrapped key || sig. */
int clv_tls_row_seal(struct clv_guard *guard, const struct clv_keyring *k,
    uint32_t generation, const void *cert, size_t cert_len, const void *key,
    size_t key_len, struct clv_buf *ret);
/* Under which generation its key is wrapped. CLV_E_SIGNATURE, CLV_E_FORMAT. */
int clv_tls_row_generation(const void *row, size_t len,
    const uint8_t pk[static CLV_SIGN_PK_LEN], uint32_t *ret);
/* ret_cert: copied; *ret_key of the guard. */
int clv_tls_row_open(struct clv_guard *guard, const struct clv_keyring *k,
    const void *row, size_t len, struct clv_buf *ret_cert, uint8_t **ret_key,
    size_t *ret_key_len);
/* The same of a row that another key has signed: the system's before, whose
 * rows are good until they are sealed anew. Which certificate it must be, the
 * list says, and the wrapped key is bound to it. */
int clv_tls_row_open_by(struct clv_guard *guard, const struct clv_keyring *k,
    const uint8_t pk[static CLV_SIGN_PK_LEN], const void *row, size_t len,
    struct clv_buf *ret_cert, uint8_t **ret_key, size_t *ret_key_len);

#endif
