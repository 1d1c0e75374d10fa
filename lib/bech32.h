/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLV_BECH32_H
#define CLV_BECH32_H

#include <stddef.h>
#include <stdint.h>

/*
 * Bech32 (BIP 173) without its limit of 90 characters. The case of hrp is the
 * case of the whole text. Both handle secrets: nothing is left on the stack.
 */

#define CLV__BECH32_DATA_MAX 408

/* Characters of the text without its NUL, for len bytes of data. */
size_t clv__bech32_len(const char *hrp, size_t len);
/* ret_text has room for clv__bech32_len() + 1. */
void clv__bech32_format(
    const char *hrp, const uint8_t *data, size_t len, char *ret_text);
/* Exactly len bytes (at most CLV__BECH32_DATA_MAX), exactly this hrp; else
 * CLV_E_INVALID and ret_data is untouched. */
int clv__bech32_parse(
    const char *hrp, const char *text, uint8_t *ret_data, size_t len);

#endif
