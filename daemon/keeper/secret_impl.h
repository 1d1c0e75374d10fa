/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_SECRET_IMPL_H
#define CLAVIGERD_SECRET_IMPL_H

#include "daemon/keeper/keeper.h"

/* Between secret.c and secret_copy.c. */

/* secret.c: fetching, one statement after the other */
void secret_fetch_next(struct keeper *k);
void secret_fetch_failed(
    struct keeper *k, const char *what, int result, const char *text);
/* A destroyed generation is not kept, in memory or in our own sealed copy,
 * which may come from a backup. */
void secret_drop_destroyed(struct keeper *k);

/* secret_copy.c */
void secret_copy_fetch(struct keeper *k); /* and go on from there */
/* A keyring (transferred) that is as new as ours, or newer. */
void secret_copy_use(struct keeper *k, struct clv_keyring **keyring);
void secret_copy_daily(struct keeper *k);
void secret_copy_fini(struct keeper *k);

#endif
