/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLV_EFF_LARGE_H
#define CLV_EFF_LARGE_H

/* The EFF's large word list; eff_large.c is made from eff_large.txt. */
#define CLV__WORDS 7776
#define CLV__WORD_MAX 10 /* with its NUL */

extern const char clv__words[CLV__WORDS][CLV__WORD_MAX];

#endif
