/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLV_KEYRING_H
#define CLV_KEYRING_H

#include <claviger/keyring.h>

/* libsodium's BLAKE2b leaves its output in its stack frame (1.0.18), and the
 * dynamic linker saves vector registers below it: what derives a key clears
 * this much of the stack afterwards. */
#define CLV__HASH_STACK_LEN 8192

/* And its caller finds no key in a vector register, which any later call into
 * the dynamic linker would write to the stack. */
#if defined(__has_attribute)
#if __has_attribute(zero_call_used_regs)
#define CLV__CLEARS_REGISTERS __attribute__((zero_call_used_regs("all")))
#endif
#endif
#ifndef CLV__CLEARS_REGISTERS
#define CLV__CLEARS_REGISTERS
#endif

/* The arena that holds the keyring, and its text form. */
struct clv_guard *clv__keyring_guard(const struct clv_keyring *k);

/* By the key that follows, which must be there. */
int clv__keyring_sign_next(const struct clv_keyring *k, const char *domain,
    const void *p, size_t len, uint8_t ret_sig[static CLV_SIG_LEN]);

#endif
