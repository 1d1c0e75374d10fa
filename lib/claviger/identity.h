/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLAVIGER_IDENTITY_H
#define CLAVIGER_IDENTITY_H

#include <stdint.h>
#include <claviger/guard.h>
#include <claviger/keyring.h>

/*
 * The identity of one host (server node or member): an age X25519 pair, an
 * Ed25519 pair, and outside this file a TLS certificate with its key. The
 * file holds one line each, 0400, owned by the service's user or root:
 *
 *	claviger-identity 1
 *	name HOST
 *	age AGE-SECRET-KEY-1…
 *	sign <base64 of the 32-byte Ed25519 seed>
 */
/* Of a host or an application, with NUL: letters, digits, '.', '_', '-'. */
#define CLV_NAME_MAX 65

struct clv_identity { /* lies in guarded memory as a whole */
	struct clv_guard *guard;
	char name[CLV_NAME_MAX];
	uint8_t box_sk[32];
	uint8_t box_pk[32];
	uint8_t sign_sk[CLV_SIGN_SK_LEN];
	uint8_t sign_pk[CLV_SIGN_PK_LEN];
};

int clv_identity_new(
    struct clv_guard *guard, const char *name, struct clv_identity **ret);
void clv_identity_free(struct clv_identity **id);
/* Text form, in guarded memory; caller gives back with clv_guard_put(). */
int clv_identity_format(const struct clv_identity *id, char **ret_text);
int clv_identity_parse(struct clv_guard *guard, const char *text, size_t len,
    struct clv_identity **ret);
/* From a file: CLV_E_PERMISSION when others than its owner may read it or it
 * is neither root's nor the effective user's. O_NOFOLLOW. */
int clv_identity_load(
    struct clv_guard *guard, const char *path, struct clv_identity **ret);

/* Name rules: 1..64 of [A-Za-z0-9._-], not starting with '.' or '-'. */
int clv_name_check(const char *name);

/* Fingerprint of a host that asks to join: BLAKE2b-256 over name, both public
 * keys and the thumbprint, shown as 16 groups of 4 hex digits joined by '-'.
 * Compared in constant time. */
#define CLV_FINGERPRINT_TEXT 80 /* 64 digits, 15 '-', NUL */
struct clv_party {		/* the public half of an identity */
	char name[CLV_NAME_MAX];
	uint8_t sign_pk[CLV_SIGN_PK_LEN];
	uint8_t box_pk[32];
	uint8_t thumb[32]; /* SHA-256 of the certificate's DER */
};
void clv_party_fingerprint(
    const struct clv_party *p, char ret_text[static CLV_FINGERPRINT_TEXT]);
/* Encoded party for the join_request row: canonical, signed by its own sign
 * key ("claviger-join-01"); parse verifies that signature. */
struct clv_buf;
int clv_party_format(const struct clv_identity *id, const uint8_t thumb[32],
    struct clv_buf *ret);
int clv_party_parse(const void *p, size_t len, struct clv_party *ret);

#endif
