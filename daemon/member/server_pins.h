/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_SERVER_PINS_H
#define CLAVIGERD_SERVER_PINS_H

#include <claviger/list.h>

#include "daemon/base/config.h"

/*
 * Which thumbprints the network name's certificate may have, on a host that
 * has no signed list: those that the server named last, signed by the system,
 * in the file "pins" of the state folder. They follow from the one that the
 * configuration has: when that is another one by now, somebody has pinned the
 * server anew by hand, and the file counts no more.
 */
struct server_pins {
	uint8_t thumb[CLV_LIST_CERTS][32]; /* zeros: none */
};

/* From the configuration alone, or the file too: CLV_OK, CLV_E_CONFIG when the
 * configuration has no thumbprint, or why the file that is there cannot be
 * read; ret then has what the configuration says. */
int server_pins_load(const struct config *c, struct server_pins *ret);
/* On disk when it returns; nothing is written when that is there already. */
int server_pins_save(const struct config *c, const struct server_pins *p);

#endif
