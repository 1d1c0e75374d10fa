/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLAVIGER_SUCCESSION_H
#define CLAVIGER_SUCCESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <claviger/keyring.h>

/*
 * The system signing key hands over to another one: a statement, claviger-
 * formats(7), that both of them have signed. Statements in a row, each from
 * the key to which the one before led, are a chain, by which whoever pins one
 * of its keys finds the last one.
 */
#define CLV_SUCCESSIONS_MAX 32
#define CLV_SUCCESSION_LEN (4 + 8 + 2 * CLV_SIGN_PK_LEN + 2 * CLV_SIG_LEN)

struct clv_succession {
	uint32_t generation; /* with which it takes over; grows in a chain */
	uint64_t time_s;     /* since 1970 */
	uint8_t old_pk[CLV_SIGN_PK_LEN];
	uint8_t new_pk[CLV_SIGN_PK_LEN];
	uint8_t by_old[CLV_SIG_LEN];
	uint8_t by_new[CLV_SIG_LEN];
};

/* From the keyring's signing key to its next one, with its newest generation;
 * CLV_E_NOT_FOUND: it has no next one. */
int clv_succession_make(
    const struct clv_keyring *k, uint64_t time_s, struct clv_succession *ret);

/* u32 n, n x statement. */
struct clv_buf;
struct clv_rd;
void clv_chain_format(
    const struct clv_succession *s, size_t n, struct clv_buf *ret);
/* At most CLV_SUCCESSIONS_MAX that are a chain by their form; no signature is
 * verified. A failure sticks in r. */
void clv_chain_get(struct clv_rd *r,
    struct clv_succession ret[static CLV_SUCCESSIONS_MAX], size_t *ret_n);
/* From pk, over the statements that follow from it, to the last key: ret, which
 * may be pk. Of a chain without this key that is pk itself. CLV_E_SIGNATURE
 * when one of these statements is not that system's, of both its keys. */
int clv_chain_follow(const struct clv_succession *s, size_t n,
    const uint8_t system_id[static CLV_SYSTEM_ID_LEN],
    const uint8_t pk[static CLV_SIGN_PK_LEN],
    uint8_t ret[static CLV_SIGN_PK_LEN]);
/* The statement that hands over from pk, or n: there is none. */
size_t clv_chain_at(const struct clv_succession *s, size_t n,
    const uint8_t pk[static CLV_SIGN_PK_LEN]);
/* Are these statements a chain, by their form? */
bool clv_chain_is(const struct clv_succession *s, size_t n);

#endif
