/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_ADMIN_OPS_H
#define CLAVIGERD_ADMIN_OPS_H

#include <stdbool.h>
#include <stdint.h>

#include <claviger/buf.h>
#include <claviger/guard.h>
#include <claviger/keyring.h>
#include <claviger/list.h>

#include "daemon/admin/admin.h"

/*
 * What an administrative request does to the signed list: no I/O, so that a
 * test can walk it. The caller has made `next`, a copy of the list in force
 * with its version raised by one.
 */
struct refs;
struct admin_change {
	uint8_t op;   /* enum admin_op */
	uint8_t self; /* this node's number */
	struct clv_guard *guard;
	const struct clv_keyring *keyring;
	struct clv_list *next;
	bool have_party; /* NODE_APPROVE: the join request of that name */
	struct clv_party party;
	const bool *holds; /* by node number: told us that it has a keyring */
	const struct refs *refs; /* GENERATION_DESTROY */
	uint64_t now_s;		 /* since 1970 */
	bool serves;		 /* this node is the active server, */
	bool rewrapping;	 /* and not done with the current generation */
	bool again; /* CERT_NEXT: it was done before, by whom is not known */
	uint64_t seen_list;	  /* ROLLBACK: highest version seen anywhere, */
	uint64_t db_list;	  /* and the database's; */
	uint32_t seen_generation; /* highest that was current anywhere */
	/* out */
	struct clv_keyring *new_keyring; /* ROTATE_BEGIN; caller frees */
	bool hands_over; /* its signing key signs the list, and from then on */
	struct clv_buf escrow; /* (u32 len, row)* */
	char drop_join[CLV_NAME_MAX];
	bool drop_copies; /* that nobody may use any more, when it is written */
	char backup_where[256]; /* ROTATE_FINISH: to be recorded */
	uint32_t backup_generation;
	struct clv_buf data; /* of the answer */
	char text[ADMIN_TEXT_MAX];
	bool nothing; /* it is so already: nothing to write */
};

/* Does the list show what this request asks for? A backup's record is not in
 * it, and is believed. */
bool admin_is_done(
    const struct clv_list *list, uint8_t op, struct clv_rd *args);
/* args: the request after op and id. */
int admin_apply(struct admin_change *c, struct clv_rd *args);

/* admin_may.c. May this caller (NULL: root) ask for that, by this list? Is he
 * left with the right to administer what he does administer, and applications
 * with somebody who does? args: the request after op and id. CLV_E_DENIED with
 * the reason, CLV_E_NOMEM. */
#define ADMIN_WHY_MAX 256
struct auth_caller;
int admin_may(const struct clv_list *list, const struct auth_caller *caller,
    uint8_t op, const struct clv_rd *args, char why[static ADMIN_WHY_MAX]);
int admin_locks_out(const struct clv_list *before, const struct clv_list *after,
    const struct auth_caller *caller, uint8_t op, const struct clv_rd *args,
    char why[static ADMIN_WHY_MAX]);

/* Each request has a function that makes the change, and one that says
 * whether a list shows it; the rest of this header is between their files. */
#define ADMIN_SAY(c, ...) snprintf((c)->text, sizeof((c)->text), __VA_ARGS__)
bool admin_same_keys(const struct clv_party *a, const struct clv_party *b);
int admin_seal_to(struct admin_change *c, const struct clv_keyring *k,
    uint8_t number, const uint8_t box_pk[static 32]);

/* admin_node.c */
int admin_node_approve(struct admin_change *c, struct clv_rd *args);
int admin_node_revoke(struct admin_change *c, struct clv_rd *args);
bool admin_node_is(
    const struct clv_list *list, struct clv_rd *args, bool revoked);

/* admin_member.c */
int admin_member_add(struct admin_change *c, struct clv_rd *args);
int admin_member_revoke(struct admin_change *c, struct clv_rd *args);
int admin_member_scope(struct admin_change *c, struct clv_rd *args);
int admin_member_join(struct admin_change *c, struct clv_rd *args);
bool admin_member_is_added(const struct clv_list *list, struct clv_rd *args);
bool admin_member_is_revoked(const struct clv_list *list, struct clv_rd *args);
bool admin_member_has_scope(const struct clv_list *list, struct clv_rd *args);
bool admin_member_has_joined(const struct clv_list *list, struct clv_rd *args);
/* CLV_OK, or why no member of that name can be enrolled, with the reason said.
 */
int admin_member_may_be(struct admin_change *c, const char *name);
int admin_scope_check(struct admin_change *c, const char *scope);

/* admin_token.c */
int admin_token_add(struct admin_change *c, struct clv_rd *args);
int admin_token_drop(struct admin_change *c, struct clv_rd *args);
bool admin_token_is_added(const struct clv_list *list, struct clv_rd *args);
bool admin_token_is_dropped(const struct clv_list *list, struct clv_rd *args);
/* The end of a token of that list, for the answer. */
void admin_token_say(
    const struct clv_list *list, struct clv_rd *args, struct clv_buf *ret);
/* Takes those that have ended out of the list. */
void admin_token_expire(struct clv_list *list, uint64_t now_s);
/* Is this token good now, for that host? CLV_OK, or CLV_E_DENIED with why. */
int admin_token_check(const struct clv_list *list,
    const uint8_t pk[static CLV_SIGN_PK_LEN], const char *name, uint64_t now_s,
    char *ret_why, size_t cap);

/* admin_app.c */
int admin_app_add(struct admin_change *c, struct clv_rd *args);
int admin_app_remove(struct admin_change *c, struct clv_rd *args);
int admin_app_grant(struct admin_change *c, struct clv_rd *args);
int admin_app_revoke(struct admin_change *c, struct clv_rd *args);
bool admin_app_is_added(const struct clv_list *list, struct clv_rd *args);
bool admin_app_is_removed(const struct clv_list *list, struct clv_rd *args);
bool admin_app_is_granted(
    const struct clv_list *list, struct clv_rd *args, bool granted);
/* CLV_OK, or CLV_E_INVALID, with the reason said. */
int admin_acl_check(struct admin_change *c, const char *acl, bool for_admins);

/* admin_rotate.c */
int admin_rotate_begin(struct admin_change *c, struct clv_rd *args);
int admin_rotate_finish(struct admin_change *c, struct clv_rd *args);
int admin_rotate_current(struct admin_change *c, struct clv_rd *args);
int admin_rotate_reencrypt(struct admin_change *c, struct clv_rd *args);
int admin_rotate_reencrypted(struct admin_change *c, struct clv_rd *args);
bool admin_rotate_is_published(
    const struct clv_list *list, struct clv_rd *args);
/* Of new_keyring, into the list. */
int admin_describe_generation(struct admin_change *c, uint32_t number);
int admin_keyring_copy(struct admin_change *c, struct clv_keyring **ret);
/* new_keyring, to every node that has the keyring or may have it, and to the
 * recovery recipient. */
int admin_seal_to_all(struct admin_change *c);
/* The generation that was begun and is not current yet, or NULL. */
struct clv_list_generation *admin_rotate_pending(const struct clv_list *list);

/* admin_cert.c */
int admin_cert_next(struct admin_change *c, struct clv_rd *args);
int admin_cert_switch(struct admin_change *c, struct clv_rd *args);
int admin_cert_drop(struct admin_change *c, struct clv_rd *args);
bool admin_cert_is_next(const struct clv_list *list, struct clv_rd *args);
bool admin_cert_is_switched(const struct clv_list *list, struct clv_rd *args);
bool admin_cert_is_dropped(const struct clv_list *list, struct clv_rd *args);

/* admin_party_cert.c */
enum party_cert {
	PARTY_CERT_NEXT = 1, /* the next one is accepted, too, */
	PARTY_CERT_ONLY = 2  /* and the one in use is not any more */
};
int admin_party_cert(struct admin_change *c, struct clv_rd *args);
bool admin_party_cert_is(const struct clv_list *list, struct clv_rd *args);
/* The thumbprints of that host in the list, which must not be revoked: into
 * the list itself. A server node and a member may have the same name. */
struct admin_thumbs {
	uint8_t *current, *next;
};
bool admin_thumbs_find(const struct clv_list *list, const char *name,
    bool is_node, struct admin_thumbs *ret);

/* admin_rollback.c */
int admin_rollback(struct admin_change *c, struct clv_rd *args);

/* admin_generation.c */
int admin_generation_destroy(struct admin_change *c, struct clv_rd *args);
bool admin_generation_is_destroyed(
    const struct clv_list *list, struct clv_rd *args);

#endif
