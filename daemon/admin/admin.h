/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_ADMIN_H
#define CLAVIGERD_ADMIN_H

#include <stdint.h>

/*
 * Administrative requests, the same over the control socket (CTL_ADMIN) and
 * over the server port (CLV_WIRE_ADMIN): one clv_buf encoding.
 * Request: u8 op, 16 B operation id (random; repeating a request with the same
 * id does it once), then per op:
 */
enum admin_op {
	ADMIN_NODE_APPROVE = 1,	 /* str name, str fingerprint */
	ADMIN_NODE_REVOKE = 2,	 /* str name */
	ADMIN_MEMBER_ADD = 3,	 /* str name, 32 B thumb, 32 B box_pk, 32 B
				  * sign_pk,    str scope */
	ADMIN_MEMBER_REVOKE = 4, /* str name */
	ADMIN_SETTING = 5,	 /* str key, str value: escrow_policy
				  * (coverage.h), network_name, address, port,
				  * system_admins, app_creators (access lists),
				  * recovery_recipient (age1…, by root alone:
				  * the keyring is sealed to it; "": none) */
	ADMIN_BACKUP_DONE = 6,	 /* u32 generation, str where */
	ADMIN_JOINS =
	    7, /* -> u32 n, n x (str name, str fingerprint, u64 age_s) */
	ADMIN_BACKUPS =
	    8, /* -> u32 n, n x (u32 generation, str where, u64 age_s) */
	/* A rotation. BEGIN -> u32 generation, u8 goes_on: made pending, and
	 * sealed to every node; or it was begun before, and with goes_on the
	 * active server does all the rest. The keyring itself is not in the
	 * answer: who has but a node's identity must not get it over the
	 * network; on an unlocked node CTL_EXPORT gives it.
	 * FINISH: u32 generation, str where its backup was written and opened
	 * again: published by the active server, or current when there is none
	 * -> u8 goes_on: as above; else the next one rewraps keys. */
	ADMIN_ROTATE_BEGIN = 9,
	ADMIN_ROTATE_FINISH = 10,
	/* BEGIN, and with the generation comes a new signing key: in every
	 * sealed copy, named by the signed list, and in force when the
	 * generation is current. */
	ADMIN_ROTATE_SIGNING = 62,
	/* Applications. Each of these begins with the name of one; an access
	 * list is that of list.h, a subject one entry of it. */
	ADMIN_APP_ADD = 11,    /* str name, str admins, str users, u32 keep */
	ADMIN_APP_REMOVE = 12, /* str name -> u64 versions of its secrets that
				* are still to be deleted: repeat it, with its
				* id, until that is 0 */
	ADMIN_APP_GRANT = 13,  /* str name, u8 as_admin, str subject */
	ADMIN_APP_REVOKE = 14, /* str name, u8 as_admin, str subject */
	ADMIN_APPS = 15,       /* str name ("": all), str after ("": from the
				* first on) -> u8 more, u32 n, n x (str name,
				* str admins, str users, u32 keep), ascending */
	ADMIN_APP_COUNT = 16,  /* str name -> u64 secrets, u64 versions */
	ADMIN_MEMBERS_STATE = 17, /* str after ("": from the first on) -> u8
				   * more, u32 n, n x (str name, u8 live (2:
				   * there are two of this name), u64
				   * heard_age_ms, u32 generation, u64 list
				   * version), ascending: those who fetched from
				   * this server, which is the active one */
	/* Generations. */
	ADMIN_GENERATIONS = 18, /* -> u8 are members known (to the active server
				 * alone), u32 n, n x (u32 number, u64 data
				 * keys, u64 index keys, u32 certificates, u32
				 * sealed copies with nothing newer, u32
				 * backups, u32 live members with no newer key)
				 */
	ADMIN_GENERATION_DESTROY = 19, /* u32 number -> u32 n, n x str where:
					* backups that still hold it */
	/* STATE: of the active server -> u32 generation that is published, or
	 * else current, u8 state (enum rewrap_state), u64 all there is to do
	 * in that state, u64 left of it, u64 keys that do not open, u64 records
	 * that were re-encrypted, u64 records and applications that cannot be,
	 * str why, str late: live members that did not have it in time.
	 * CURRENT: u32 generation, published, is made current; the active
	 * server asks that of itself alone. */
	ADMIN_ROTATE_STATE = 20,
	ADMIN_ROTATE_CURRENT = 21,
	ADMIN_MEMBER_SCOPE = 26, /* str name, str scope */
	/* REENCRYPT: u32 generation, begun and not current yet: when it is,
	 * applications get new data keys, and their records are rewritten
	 * under these. REENCRYPTED: u32 generation: that is done; the active
	 * server asks it of itself alone. */
	ADMIN_REENCRYPT = 27,
	ADMIN_REENCRYPTED = 28,
	/* The network name's certificate. NEXT: 32 B thumbprint, u8 now, bytes
	 * row (clv_tls_row_seal) -> u8 an active server goes on with it.
	 * SWITCH, DROP: 32 B thumbprint, the list's second; the active server
	 * asks these of itself alone. STATE: of the active server -> u8 phase
	 * (enum tlsnext_phase), 2 x 32 B thumbprints, str why it waits, then of
	 * each enum ack: u32 n hosts, str names; and the same of the hosts
	 * that are not live */
	ADMIN_CERT_NEXT = 44,
	ADMIN_CERT_SWITCH = 45,
	ADMIN_CERT_DROP = 46,
	ADMIN_CERT_STATE = 47,
	/* -> bytes DER: the network name's, as this node has it; also of one
	 * that is not active */
	ADMIN_CERTIFICATE = 60,
	/* A host's own certificate: str name, u8 it is a server node and not a
	 * member (there may be both of that name), u8 what (enum party_cert),
	 * 32 B
	 * thumbprint of the one in use, 32 B of the next one; the active server
	 * asks it of itself alone, when the host has asked for it. */
	ADMIN_PARTY_CERT = 48,
	/* Another certificate of that host is asked for, of the host itself,
	 * when it next fetches: str name, u8 now, 2 x 32 B thumbprints
	 * instead of which (zeros at first; then what the answer said, so that
	 * it goes on after a failover) -> 2 x 32 B these, u8 it uses another
	 * one, 32 B that one, str why not yet */
	ADMIN_MEMBER_ROTATE = 65,
	/* Join tokens. ADD: str name, str scope, 32 B public key, u32 ttl_s ->
	 * u64 when it ends; it takes the place of another one of that name.
	 * MEMBER_JOIN: 32 B public key of a token, str name, 32 B thumb, 32 B
	 * box_pk, 32 B sign_pk: the host has proved that token; the active
	 * server asks it of itself alone. */
	ADMIN_TOKEN_ADD = 32,
	ADMIN_TOKEN_DROP = 33, /* str name */
	ADMIN_MEMBER_JOIN = 34,
	/* The database was restored to an older day, and stays there. ROLLBACK:
	 * u64 list version up to which it was agreed that changes are lost
	 * which no server node has -> u64 list version there, u64 now (0: it
	 * was not agreed, and nothing was done), u64 epoch, u64 version that
	 * was seen by anybody. ROLLBACK_APP: str name
	 * -> u8 it was older, u64 counter there, u64 now: of one application,
	 * by the active server alone. */
	ADMIN_ROLLBACK = 50,
	ADMIN_ROLLBACK_APP = 51,
	/* u8 prove: all nodes that live are asked to open their copies, and
	 * their rows say so a short while after -> u64 now_s, u32 n, n x (u32
	 * generation, u8 state), u32 n, n x (u8 kind, str holder, u8 live, u32
	 * result, u64 holds, u64 sealed_s, u64 proven_s): coverage.h */
	ADMIN_ESCROW = 40
};
/* Answer: u32 result (two's complement), str text (what a person should read),
 * str late (names of live nodes that do not yet have the list on disk, joined
 * by ", "), bytes data (per op, above). */

#define ADMIN_REQUEST_MAX 7168 /* fits into a CLV_WIRE_ADMIN */
#define ADMIN_TEXT_MAX 384     /* two names or a name and a fingerprint */

#endif
