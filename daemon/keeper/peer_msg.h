/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_PEER_MSG_H
#define CLAVIGERD_PEER_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <claviger/buf.h>
#include <claviger/keyring.h>

#include "daemon/keeper/audit_row.h"

/*
 * A message between server nodes, over corosync CPG. CPG is neither secret nor
 * authentic, so nothing secret is in it and each is signed: proposals, what is
 * asked and the heartbeats of unlocked nodes by the system, the rest by the
 * node's own key.
 *
 *	u8 kind, 16 B system id, u8 node, voice, u8 n, n x voice, the kind's
 *	fields, 64 B signature; a voice is 16 B instance, u64 stamp
 *
 * The first voice is the sender's: its process, and a number that grows with
 * each message of it. The others are those that it has heard: a message that
 * names a stamp of ours was made after we had given that out, so it is no old
 * one that somebody plays again.
 */
enum peer_kind {
	PEER_PROPOSE = 1,  /* u64 epoch */
	PEER_PROMISE = 2,  /* 16 B the proposer's instance, u64 epoch, u8
			    * accepted, u64 highest seen */
	PEER_ALIVE = 3,	   /* u64 list version, u32 generation, u64 epoch seen,
			    * u8 role */
	PEER_UNLOCKED = 4, /* the same, of a node that has the keyring */
	PEER_PROVE = 5,	   /* nothing: open your sealed copy now */
	PEER_AUDIT = 6	   /* u64 number, 32 B hash: a row of the audit trail
			    * that is in the database */
};

enum peer_role {
	PEER_UNKNOWN,
	PEER_IDLE, /* serves nobody, and is not about to: no lease is left */
	PEER_PROMOTING,
	PEER_SERVING
};

struct peer_voice {
	uint8_t instance[16];
	uint64_t stamp;
};

struct peer_msg {
	enum peer_kind kind;
	uint8_t from;
	struct peer_voice voice;
	uint64_t echo; /* newest stamp of ours in it, 0: none */
	uint64_t epoch;
	uint8_t to[16];
	bool accepted;
	uint64_t highest;
	uint64_t list_version;
	uint32_t generation;
	enum peer_role role;
	struct audit_head audit;
};

#define PEER_ECHOES_MAX 255

/* Signed by the system, or by the node? */
bool peer_msg_by_system(enum peer_kind kind);
const char *peer_msg_domain(enum peer_kind kind); /* NULL: no such kind */
/* All but the signature; see clv_buf_result(). n <= PEER_ECHOES_MAX. */
void peer_msg_format(const struct peer_msg *m,
    const uint8_t system_id[static CLV_SYSTEM_ID_LEN],
    const struct peer_voice *heard, size_t n, struct clv_buf *b);
/* Of a message without its signature, for the process of that instance.
 * CLV_E_FORMAT, CLV_E_WRONG_SYSTEM. */
int peer_msg_parse(const void *p, size_t len,
    const uint8_t system_id[static CLV_SYSTEM_ID_LEN],
    const uint8_t instance[static 16], struct peer_msg *ret);

#endif
