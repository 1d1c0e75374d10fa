/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLV_SIGN_H
#define CLV_SIGN_H

#include <claviger/buf.h>
#include <claviger/keyring.h>

/* Append body || sig to ret, both or nothing. */
int clv__put_signed(struct clv_buf *ret, const struct clv_buf *body,
    const uint8_t sig[static CLV_SIG_LEN]);

#endif
