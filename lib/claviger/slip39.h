/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLAVIGER_SLIP39_H
#define CLAVIGER_SLIP39_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <claviger/guard.h>

/*
 * SLIP-0039: a secret as shares of words, any k of n of which give it back;
 * in one group, or in several of which so many are needed.
 */

#define CLV_SLIP39_SECRET_MIN 16 /* an even number of bytes */
#define CLV_SLIP39_SECRET_MAX 32
#define CLV_SLIP39_COUNT_MAX 16 /* groups, and shares of a group */
#define CLV_SLIP39_EXPONENT_MAX 15
#define CLV_SLIP39_WORDS_MIN 20
#define CLV_SLIP39_WORDS_MAX 33
/* Words of at most eight letters with a space or the NUL behind each. */
#define CLV_SLIP39_TEXT_MAX (CLV_SLIP39_WORDS_MAX * 9)

/* What is to be made. The passphrase's hashing takes 10000 << exponent
 * iterations. extendable: the identifier is no salt, so that other shares of
 * the same secret may be made later; what the standard recommends. */
struct clv_slip39_scheme {
	bool extendable;
	uint8_t exponent;
	uint8_t group_threshold;
	uint8_t groups;
	struct {
		uint8_t threshold;
		uint8_t shares; /* 1 where the threshold is 1 */
	} group[CLV_SLIP39_COUNT_MAX];
};

/* One share; belongs into guarded memory. */
struct clv_slip39_share {
	uint16_t id; /* 15 bits, the same for all shares of a set */
	bool extendable;
	uint8_t exponent;
	uint8_t group;		 /* 0.. */
	uint8_t group_threshold; /* 1..16 */
	uint8_t groups;		 /* 1..16 */
	uint8_t member;		 /* 0.., in its group */
	uint8_t threshold;	 /* 1..16, of its group */
	uint8_t len;
	uint8_t value[CLV_SLIP39_SECRET_MAX];
};

/* Make shares of secret[len], group by group. The passphrase is printable
 * ASCII, or NULL for none. *ret_shares is of guard: caller gives it back with
 * clv_guard_put(). CLV_E_INVALID, CLV_E_FULL. */
int clv_slip39_split(struct clv_guard *guard,
    const struct clv_slip39_scheme *scheme, const uint8_t *secret, size_t len,
    const char *passphrase, struct clv_slip39_share **ret_shares,
    size_t *ret_n);

/* A share as words with one space between. ret_text belongs into guarded
 * memory. */
int clv_slip39_format(struct clv_guard *guard,
    const struct clv_slip39_share *share,
    char ret_text[static CLV_SLIP39_TEXT_MAX]);

/*
 * Read a share, strictly: small letters, one space between words, nothing
 * around them. CLV_E_WORD: not a word of the list; CLV_E_TRUNCATED: not as many
 * words as a share has; CLV_E_CHECKSUM; CLV_E_FORMAT: what no share says. A
 * caller who wants to know gets the word at fault in *ret_word, the first is
 * 1; 0 when that cannot be told. After a wrong checksum it is the word that is
 * wrong if no other one is.
 */
int clv_slip39_parse(struct clv_guard *guard, const char *text, size_t len,
    struct clv_slip39_share *ret, size_t *ret_word);

/* Do they belong together? CLV_OK: they do, and are as many as are needed;
 * CLV_E_SHARES: they do, but are too few or too many; CLV_E_MIXED and
 * CLV_E_DUPLICATE, with the index of the share at fault in *ret_share. */
int clv_slip39_check(
    const struct clv_slip39_share *shares, size_t n, size_t *ret_share);

/* Of more shares than are needed, of one group that needs two or more: those
 * that do not agree with the others, as flags by where they stood. As many as
 * are needed, of those that agree, are put in front.
 * CLV_E_DIGEST: no so many agree; CLV_E_INVALID: not such shares. */
int clv_slip39_sort_out(struct clv_guard *guard,
    struct clv_slip39_share *shares, size_t n, bool *ret_wrong);

/*
 * The secret of exactly as many shares as are needed, in any order. secret has
 * room for CLV_SLIP39_SECRET_MAX. CLV_E_MIXED: a share is of another set;
 * CLV_E_DUPLICATE; CLV_E_SHARES: too few or too many groups, or shares of a
 * group; CLV_E_DIGEST: one of them is not what was made. In *ret_share, if it
 * is asked for, the index of the share at fault, or n. A wrong passphrase
 * cannot be found out: it gives another secret.
 */
int clv_slip39_combine(struct clv_guard *guard,
    const struct clv_slip39_share *shares, size_t n, const char *passphrase,
    uint8_t *ret_secret, size_t *ret_len, size_t *ret_share);

#endif
