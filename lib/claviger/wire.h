/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLAVIGER_WIRE_H
#define CLAVIGER_WIRE_H

#include <stdbool.h>
#include <stdint.h>
#include <claviger/buf.h>
#include <claviger/identity.h>
#include <claviger/keyring.h>
#include <claviger/list.h>
#include <claviger/manifest.h>
#include <claviger/token.h>

/*
 * The server port, inside TLS 1.3 with both sides pinned. A frame is a 32-bit
 * big-endian length and a body: a request of at most CLV_WIRE_REQUEST_MAX, an
 * answer of at most CLV_WIRE_ANSWER_MAX bytes. Requests are signed by the
 * caller's own key, answers by the system's; keys inside an answer are sealed
 * (crypto_box_seal) to the caller's X25519 key, so that whoever holds the TLS
 * end reads nothing.
 */
#define CLV_WIRE_PORT 8391
#define CLV_WIRE_VERSION 1
#define CLV_WIRE_REQUEST_MAX 8192
#define CLV_WIRE_ANSWER_MAX 65536
#define CLV_NONCE_LEN 32

/*
 * A frame of length 0 is a heartbeat; the server's end answers it with another
 * one. It proves that the connection lives, and nothing more.
 */
enum clv_wire_op {
	/* payload empty; answer payload: 32-byte challenge */
	CLV_WIRE_CHALLENGE = 1,
	/* payload: clv_wire_holds; answer payload: keys, sealed. With CLV_OK
	 * its text is empty, or what the host is asked for: CLV_WIRE_ROTATE. */
	CLV_WIRE_FETCH = 2,
	/* server nodes only; payload: admin request (daemon/admin/admin.h);
	 * `challenge` must be a fresh one */
	CLV_WIRE_ADMIN = 3,
	/* payload: str name, the applications after it are asked for; answer
	 * payload: clv_wire_apps */
	CLV_WIRE_APPS = 4,
	/* payload: what the caller has seen, or 0 of an application that it
	 * only asks about; answer payload: what the server has seen of each
	 * of these, the unknown ones left out */
	CLV_WIRE_HEADS = 5,
	/* By a host that is not enrolled, and the only thing that it may ask
	 * for. First with no payload; answer payload: clv_wire_offer. Then
	 * with the offer's challenge; payload: clv_wire_join; answer payload:
	 * as of ADMIN. To one that is enrolled: CLV_E_EXISTS, with an offer
	 * that has nothing but thumbprints. */
	CLV_WIRE_JOIN = 6,
	/* By an enrolled host, of its own certificate: raw thumbprint of the
	 * one in use, raw of the next one, u8 now: the one in use is to be
	 * refused. CLV_OK: the signed list says so. CLV_E_AGAIN: it will say
	 * so, or the list is another one by now than the caller has seen. */
	CLV_WIRE_CERT = 7,
	/* By a host that cannot verify what it is answered: payload empty;
	 * answer payload: clv_wire_chain_format(), and clv_wire_answer_follow()
	 * is how to read it. */
	CLV_WIRE_CHAIN = 8,
	/* An answer that nobody asked for: something in its head has changed,
	 * or there is something for the host that its text names. It may be an
	 * old one, played again: it is a reason to fetch, and permits nothing.
	 */
	CLV_WIRE_NOTICE = 16
};

/* In the answer to FETCH, and so to this question alone: another certificate
 * of the caller is asked for, CLV_WIRE_CERT with `now` or without. A host that
 * does not know of that goes on with the one that it has. */
#define CLV_WIRE_ROTATE "rotate"
#define CLV_WIRE_ROTATE_NOW "rotate-now"

struct clv_wire_request {
	uint8_t op;
	uint8_t system_id[CLV_SYSTEM_ID_LEN];
	char name[CLV_NAME_MAX];	  /* caller */
	uint8_t nonce[CLV_NONCE_LEN];	  /* comes back in the answer */
	uint8_t challenge[CLV_NONCE_LEN]; /* zeros but for ADMIN and JOIN */
	uint64_t seen_epoch;		  /* highest accepted so far */
	uint64_t seen_list;
	uint32_t seen_generation;
	/* newest signed answer head, or empty; borrowed; to show with FETCH */
	const uint8_t *evidence;
	size_t evidence_len;
	const uint8_t *payload; /* borrowed */
	size_t payload_len;
};

/* What is formatted is appended to ret, here and below.
 * Signed with "claviger-reqst-1". CLV_E_INVALID for what no server would take.
 */
int clv_wire_request_format(const struct clv_wire_request *r,
    const uint8_t sign_sk[static CLV_SIGN_SK_LEN], struct clv_buf *ret);
/* Decodes without verifying (the caller's key is found by name first); the
 * pointers borrow from p. */
int clv_wire_request_parse(
    const void *p, size_t len, struct clv_wire_request *ret);
int clv_wire_request_verify(
    const void *p, size_t len, const uint8_t sign_pk[static CLV_SIGN_PK_LEN]);

struct clv_wire_answer {
	int32_t result; /* enum clv_result */
	uint8_t op;
	uint8_t system_id[CLV_SYSTEM_ID_LEN];
	uint8_t nonce[CLV_NONCE_LEN];
	char name[CLV_NAME_MAX]; /* caller; "": the request was malformed */
	uint64_t epoch;
	uint64_t list_version;
	uint32_t generation;	    /* current */
	uint8_t check[CLV_KEY_LEN]; /* of the current distribution key */
	bool encrypt;		    /* the server is inside its lease */
	char server[CLV_NAME_MAX];
	char text[256];		/* what a person should read when result != 0 */
	const uint8_t *payload; /* borrowed */
	size_t payload_len;
};

/* Head = everything but the payload, and the payload's BLAKE2b-256; the head
 * is signed with "claviger-answr-1". Body = bytes head || sig || bytes payload.
 * The head with its signature is the evidence that a member keeps. */
int clv_wire_answer_format(const struct clv_wire_answer *a,
    const struct clv_keyring *k, struct clv_buf *ret);
int clv_wire_answer_parse(const void *p, size_t len,
    const uint8_t pk[static CLV_SIGN_PK_LEN], struct clv_wire_answer *ret);
/* Payload of a CHAIN answer: raw system id, and the successions in force. */
void clv_wire_chain_format(const struct clv_list *list, struct clv_buf *ret);
/* A CHAIN answer, by whoever knows pk: verified under ret_pk, to which its own
 * payload leads from there. CLV_E_SIGNATURE when it leads to another one. */
int clv_wire_answer_follow(const void *p, size_t len,
    const uint8_t pk[static CLV_SIGN_PK_LEN], struct clv_wire_answer *ret,
    uint8_t ret_pk[static CLV_SIGN_PK_LEN]);
/* Is a verified answer the one to this request? CLV_OK, CLV_E_PROTOCOL (to
 * another one, or to another caller's), CLV_E_WRONG_SYSTEM (unless the request
 * names none). */
int clv_wire_answer_match(
    const struct clv_wire_answer *a, const struct clv_wire_request *q);
/* What an answer says that it is, unverified; 0 when it is too short. */
uint8_t clv_wire_answer_op(const void *p, size_t len);
/* Cut the evidence (head || sig) out of a verified answer. */
int clv_wire_evidence_cut(const void *p, size_t len, struct clv_buf *ret);
int clv_wire_evidence_parse(const void *p, size_t len,
    const uint8_t pk[static CLV_SIGN_PK_LEN], struct clv_wire_answer *ret);

/* Payload of a FETCH request: what the caller holds already. Who has received
 * something new asks once more, and so acknowledges it. */
struct clv_wire_holds {
	uint32_t generation; /* newest of which it has keys, 0: none */
	uint64_t list_version;
};
void clv_wire_holds_format(const struct clv_wire_holds *h, struct clv_buf *ret);
int clv_wire_holds_parse(const void *p, size_t len, struct clv_wire_holds *ret);

/* Payload of its answer, sealed to the member: the terms, and for each
 * generation still needed and each scope entry one key. */
struct clv_wire_terms {
	uint32_t refresh_s; /* fetch again after about this time */
	/* With `encrypt` in the head: new secrets may be encrypted for so long
	 * from when the request was sent. */
	uint32_t permit_ms;
};
#define CLV_WIRE_REFRESH_MAX 86400
struct clv_wire_key {
	uint32_t generation;
	char app[CLV_NAME_MAX]; /* "" for the distribution key (scope all) */
	uint8_t key[CLV_KEY_LEN];
};
/* Built and sealed by the server; plaintext lives in the guard meanwhile. */
int clv_wire_keys_seal(struct clv_guard *guard, const struct clv_keyring *k,
    const struct clv_list *list, const char *scope,
    const struct clv_wire_terms *terms, const uint8_t box_pk[static 32],
    struct clv_buf *ret);
/* Opened by the member: *ret_keys of the guard. */
int clv_wire_keys_open(struct clv_guard *guard, const struct clv_identity *id,
    const void *p, size_t len, struct clv_wire_terms *ret_terms,
    struct clv_wire_key **ret_keys, size_t *ret_n);

/* Payload of an APPS answer: who may what in the applications of the caller's
 * scope whose names are above `after`, in bytewise order, as many as an answer
 * holds; `more`: there are others behind the last one. With them, which
 * thumbprints the server may have. */
struct clv_wire_app {
	char name[CLV_NAME_MAX];
	char admins[CLV_ACL_MAX];
	char users[CLV_ACL_MAX];
	uint32_t keep;
};
struct clv_wire_apps {
	char system_admins[CLV_ACL_MAX];
	char creators[CLV_ACL_MAX];
	uint8_t cert_thumb[CLV_LIST_CERTS][32]; /* as in the list */
	bool more;
	uint32_t left;	    /* not yet taken by clv_wire_apps_next(), */
	struct clv_rd rest; /* borrowed from the payload */
};
/* list: an opened one, which is sorted. */
int clv_wire_apps_format(const struct clv_list *list, const char *scope,
    const char *after, struct clv_buf *ret);
/* Checked as a whole: names and access lists, ascending from `after`. */
int clv_wire_apps_parse(
    const void *p, size_t len, const char *after, struct clv_wire_apps *ret);
bool clv_wire_apps_next(struct clv_wire_apps *apps, struct clv_wire_app *ret);

/* JOIN. What the server offers, by which the host knows whom it talks to: the
 * system has signed the answer, it names this connection, and whose
 * certificate the other end of it must have. */
struct clv_wire_offer {
	uint8_t challenge[CLV_NONCE_LEN];
	uint8_t binding[CLV_TOKEN_BINDING_LEN];
	uint8_t thumb[CLV_LIST_CERTS][32]; /* zeros: none */
};
void clv_wire_offer_format(const struct clv_wire_offer *o, struct clv_buf *ret);
int clv_wire_offer_parse(const void *p, size_t len, struct clv_wire_offer *ret);
/* What the host proves: `proof` is that of clv_token_sign(), party as in
 * clv_party_format(). */
struct clv_wire_join {
	uint8_t token_pk[CLV_SIGN_PK_LEN];
	uint8_t proof[CLV_SIG_LEN];
	struct clv_party party;
};
#define CLV_WIRE_JOIN_MAX 1024 /* bytes of such a request */
int clv_wire_join_format(const struct clv_wire_join *j,
    const struct clv_identity *id, struct clv_buf *ret);
/* Verifies that the party's own key has signed it; not the proof. */
int clv_wire_join_parse(const void *p, size_t len, struct clv_wire_join *ret);

/* Payload of HEADS, either way: what was seen of applications' manifests, none
 * twice, at most CLV_WIRE_HEADS_MAX (CLV_E_FULL). */
#define CLV_WIRE_HEADS_MAX 80
#define CLV_WIRE_COUNTER_MAX (UINT64_C(1) << 62)
struct clv_wire_head {
	char app[CLV_NAME_MAX];
	struct clv_head head;
};
int clv_wire_heads_format(
    const struct clv_wire_head *h, size_t n, struct clv_buf *ret);
int clv_wire_heads_parse(const void *p, size_t len,
    struct clv_wire_head ret[static CLV_WIRE_HEADS_MAX], size_t *ret_n);

#endif
