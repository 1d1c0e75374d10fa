/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_PARTY_CERT_H
#define CLAVIGERD_PARTY_CERT_H

#include <stdbool.h>
#include <claviger/wire.h>

#include "daemon/authorize.h"
#include "daemon/keeper.h"

/*
 * At the active server: an enrolled host changes its own certificate. What it
 * asks for is written into the signed list, which decides alone; it asks again
 * until it is there. The certificate before is accepted until the host has
 * come with the new one for two refresh intervals: by then no process of it
 * has the old one in its hands.
 */
#define PARTY_CERT_EVERY_MS 5000 /* between two changes of one host */

void party_cert_ask(struct keeper *k, const struct member_reply *to,
    bool is_node, const struct clv_wire_request *q);
/* It fetches, with its next certificate or with the other one. */
void party_cert_seen(
    struct keeper *k, const char *name, bool is_node, bool by_next);

#endif
