/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_SYSTEM_PIN_H
#define CLAVIGERD_SYSTEM_PIN_H

#include <claviger/keyring.h>

#include "daemon/base/config.h"

/*
 * By which key the system signs, for this host: the one that the configuration
 * pins, or the one to which verified successions have led from there, in the
 * file "successor" of the state folder. When the configuration has another one
 * by now, somebody has pinned it anew by hand, and the file counts no more.
 */

/* CLV_OK; CLV_E_CONFIG when the configuration has no key; or why the file that
 * is there cannot be read: ret is what the configuration says then. */
int system_pin_load(
    const struct config *c, uint8_t ret[static CLV_SIGN_PK_LEN]);
/* On disk when it returns. */
int system_pin_save(
    const struct config *c, const uint8_t pk[static CLV_SIGN_PK_LEN]);

#endif
