/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLV_WORDS_SLIP39_H
#define CLV_WORDS_SLIP39_H

/* The word list of the standard SLIP-0039, in its order; slip39.c is made from
 * slip39.txt, which is slip-0039/wordlist.txt of github.com/satoshilabs/slips,
 * SHA-256 bcc4555340332d169718aed8bf31dd9d5248cb7da6e5d355140ef4f1e601eec3. */
#define CLV__SLIP39_WORDS 1024
#define CLV__SLIP39_WORD_MAX 9 /* with its NUL; no longer ones are there */

extern const char clv__slip39_words[CLV__SLIP39_WORDS][CLV__SLIP39_WORD_MAX];

#endif
