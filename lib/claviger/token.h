/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLAVIGER_TOKEN_H
#define CLAVIGER_TOKEN_H

#include <stdint.h>
#include <claviger/identity.h>
#include <claviger/keyring.h>

/*
 * A join token: one line that lets one host become one member. Its secret is
 * an Ed25519 seed, whose public half lies in the signed list; the host signs
 * with it and never sends it. The rest says where the server is and which
 * system it must be of.
 *
 * Text: bech32 of "claviger-token" over u8 version 1, raw seed 32, raw system
 * key 32, u64 expires, u16 port, str name, str network name.
 */
#define CLV_TOKEN_PREFIX "claviger-token1"
#define CLV_TOKEN_TEXT_MAX 704 /* with NUL */
#define CLV_TOKEN_TTL_MIN 60   /* seconds */
#define CLV_TOKEN_TTL_MAX (7 * 86400)

struct clv_token { /* lies in guarded memory as a whole */
	struct clv_guard *guard;
	char name[CLV_NAME_MAX]; /* of the member to be */
	char network_name[254];
	uint16_t port;
	uint64_t expires_s; /* since 1970, by the server's clock */
	uint8_t system_pk[CLV_SIGN_PK_LEN];
	uint8_t sign_sk[CLV_SIGN_SK_LEN];
	uint8_t sign_pk[CLV_SIGN_PK_LEN];
};

/* With a new key, and nothing else in it. CLV_E_FULL. */
int clv_token_new(struct clv_guard *guard, struct clv_token **ret);
void clv_token_free(struct clv_token **t);
/* In guarded memory; caller gives back with clv_guard_put(). CLV_E_INVALID for
 * what clv_token_parse() would not take. */
int clv_token_format(const struct clv_token *t, char **ret_text);
/* CLV_E_FORMAT (no such token), CLV_E_DAMAGED (a character is missing or is
 * another one), CLV_E_VERSION. Its end is the server's to judge. */
int clv_token_parse(
    struct clv_guard *guard, const char *text, struct clv_token **ret);

/* What its key signs, "claviger-token-1": it is good for this connection, this
 * question of the server's, and these keys of the host alone. */
#define CLV_TOKEN_BINDING_LEN 32
struct clv_token_proof {
	uint8_t system_pk[CLV_SIGN_PK_LEN];
	uint8_t binding[CLV_TOKEN_BINDING_LEN]; /* of the TLS connection */
	uint8_t challenge[32];			/* the server's nonce */
	uint8_t nonce[32];			/* the host's */
	struct clv_party party;
};
int clv_token_sign(const struct clv_token *t, const struct clv_token_proof *p,
    uint8_t ret_sig[static CLV_SIG_LEN]);
/* CLV_E_SIGNATURE */
int clv_token_verify(const uint8_t token_pk[static CLV_SIGN_PK_LEN],
    const struct clv_token_proof *p, const uint8_t sig[static CLV_SIG_LEN]);

#endif
