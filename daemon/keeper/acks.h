/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_ACKS_H
#define CLAVIGERD_ACKS_H

#include <stdint.h>

#define ACKS_NAMES_MAX 512

enum ack {
	ACK_GIVEN, /* has it, and said so */
	ACK_LATE,  /* is live, and has it not */
	ACK_AWAY,
	ACKS
};

/* Of every enrolled host, server node or member; names joined by ", ", as many
 * as there is room for. */
struct acks {
	unsigned n[ACKS];
	char names[ACKS][ACKS_NAMES_MAX];
};

struct keeper;
/* Who has the signed list of that version, or a newer one, as far as the
 * active server knows? Version 0: who is live. */
void acks_count(const struct keeper *k, uint64_t version, struct acks *ret);

#endif
