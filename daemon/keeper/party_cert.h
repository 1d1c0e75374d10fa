/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_PARTY_CERT_H
#define CLAVIGERD_PARTY_CERT_H

#include <stdbool.h>
#include <claviger/wire.h>

#include "daemon/admin/admin_ops.h"
#include "daemon/api/authorize.h"
#include "daemon/keeper/keeper.h"

/*
 * At the active server: an enrolled host changes its own certificate. What it
 * asks for is written into the signed list, which decides alone; it asks again
 * until it is there. The certificate before is accepted until the host has
 * come with the new one for two refresh intervals: by then no process of it
 * has the old one in its hands.
 */
#define PARTY_CERT_EVERY_MS 5000 /* between two changes of one host */
/* Each change is a new list, which all hosts fetch, so there is a bound to what
 * enrolled hosts can bring about by themselves: one host so many changes, and
 * then one in a refresh interval; all together so many, and then one in
 * PARTY_CERT_EVERY_MS. What an administrator wants is done at once. */
#define PARTY_CERT_BURST 3
#define PARTY_CERT_BURST_ALL 12

/* What an administrator wants of a host: it is told so when it fetches. */
enum party_wish {
	PARTY_WISH_NONE,
	PARTY_WISH_NEXT, /* another certificate */
	PARTY_WISH_NOW	 /* ... and that the one before is refused at once */
};

void party_cert_ask(struct keeper *k, const struct member_reply *to,
    bool is_node, const struct clv_wire_request *q);
/* It fetches, on a connection with that certificate, which is its next one or
 * the other. */
void party_cert_seen(struct keeper *k, const char *name, bool is_node,
    bool by_next, const uint8_t thumb[static 32]);
/* The text of the answer to its FETCH: "" when nothing is wanted, or when it
 * is done. */
const char *party_cert_wish(struct keeper *k, const char *name, bool is_node,
    const uint8_t thumb[static 32]);
/* It has come with a certificate that is none of these; when the one before is
 * to be refused, it is the only one, too. t: of the list. */
bool party_cert_is_changed(const uint8_t thumb[static 32],
    const uint8_t instead[2][32], enum party_wish wish,
    const struct admin_thumbs *t);

#endif
