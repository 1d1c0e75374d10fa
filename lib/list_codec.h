/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLV__LIST_CODEC_H
#define CLV__LIST_CODEC_H

#include <claviger/list.h>

/*
 * The body, in the encoding of buf.h; raw fields have fixed lengths:
 *
 *	u16 format, raw system id 16,
 *	with FORMAT_CHAIN: u8 the last one is to come, u32 n, not 0,
 *	n x succession (succession.c),
 *	u64 version, u64 epoch,
 *	str network name, str address, u16 port, u8 escrow policy,
 *	raw thumbprints 2 x 32,
 *	with FORMAT_REENCRYPT: u32 re-encrypt, not 0,
 *	with FORMAT_RECOVERY: raw recovery recipient, not zeros
 *	with FORMAT_LOST: u32 lost generation, u8 lost keys (1 the first
 *	certificate's, 2 the second's, 4 the signing key), not both 0
 *	u32 n, n x generation: u32 number, u8 state, raw commitment, raw check
 *	u32 n, n x node: party, u8 number, u8 revoked, u8 sealed, raw next
 *	u32 n, n x member: party, u8 revoked, str scope, raw next
 *	with FORMAT_TOKENS: u32 n, not 0, n x token: str name, str scope,
 *	raw pk, u64 expires
 *	str system administrators, str creators
 *	u32 n, n x application: str name, str admins, str users, u32 keep
 *
 * A party is str name, raw sign_pk, raw box_pk, raw thumbprint. Generations
 * and nodes ascend by number, members, tokens and applications by the bytes of
 * their name: so there is one encoding for one content, and nothing can be
 * there twice. A list with none of what was thought of later is of format 1.
 */
#define FORMAT 1	    /* and so much more with */
#define FORMAT_REENCRYPT 1u /* a re-encryption that is asked for, */
#define FORMAT_RECOVERY 2u  /* a recovery recipient, */
#define FORMAT_SWITCHED 4u  /* a second thumbprint that was current before, */
#define FORMAT_TOKENS 8u    /* join tokens, */
#define FORMAT_CHAIN 16u    /* successions of the signing key, */
#define FORMAT_LOST 32u	    /* keys that a revoked host may have */
#define FORMAT_ALL \
	(FORMAT_REENCRYPT | FORMAT_RECOVERY | FORMAT_SWITCHED | \
	    FORMAT_TOKENS | FORMAT_CHAIN | FORMAT_LOST)
#define LIST_DOMAIN "claviger-list-01"

/* list_format.c, and what list_parse.c holds a list against. */
bool clv__list_has_lost(const struct clv_list *list);
/* Successions that are signed by the key that signs the list, and end in it. */
size_t clv__list_in_force(const struct clv_list *list);
/* Does the chain lead to that key, or go on from it? */
bool clv__list_chain_fits(
    const struct clv_list *list, const uint8_t pk[static CLV_SIGN_PK_LEN]);

#endif
