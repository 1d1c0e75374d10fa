/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLV_KEYRING_H
#define CLV_KEYRING_H

#include <claviger/keyring.h>

/* The arena that holds the keyring, and its text form. */
struct clv_guard *clv__keyring_guard(const struct clv_keyring *k);

#endif
