/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_SECRET_IMPL_H
#define CLAVIGERD_SECRET_IMPL_H

#include "daemon/keeper/keeper.h"

/* Between the files of secret.c. */

/* secret.c: fetching, one statement after the other */
void secret_fetch_next(struct keeper *k);
void secret_fetch_failed(
    struct keeper *k, const char *what, int result, const char *text);
/* A destroyed generation is not kept, in memory or in our own sealed copy,
 * which may come from a backup. */
void secret_drop_destroyed(struct keeper *k);

/* secret_sign.c */
/* Has our keyring, which must be there, the signing key in force? */
bool secret_signs(const struct keeper *k);
/* Another key has signed the list in force, it may be. */
void secret_follow(struct keeper *k);
/* Is it of a time before this system changed its signing key? */
bool secret_signed_before(
    const struct keeper *k, const struct clv_keyring *keyring);

/* secret_tls.c */
void secret_tls_fetch(struct keeper *k); /* and go on from there */

/* secret_copy.c */
void secret_copy_fetch(struct keeper *k); /* and go on from there */
/* A keyring (transferred) that is as new as ours, or newer. */
void secret_copy_use(struct keeper *k, struct clv_keyring **keyring);
void secret_copy_daily(struct keeper *k);
void secret_copy_fini(struct keeper *k);

#endif
