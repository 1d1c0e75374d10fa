/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_MEMBER_ANSWERS_H
#define CLAVIGERD_MEMBER_ANSWERS_H

#include "daemon/keeper/keeper.h"

/* member_answers.c: parts of the server port, called by member_port.c. */
void member_give_keys(struct keeper *k, const struct member_reply *to,
    const char *scope, const struct clv_wire_request *q, const char *wish);
void member_give_apps(struct keeper *k, const struct member_reply *to,
    const char *scope, const struct clv_wire_request *q);
void member_give_heads(struct keeper *k, const struct member_reply *to,
    const char *scope, const struct clv_wire_request *q);
/* Tell every connected member when the list, the generation, the epoch or the
 * right to encrypt is another than they were told last. */
void member_notice(struct keeper *k);
/* ... and this one that there is something for it. */
void member_notice_to(struct keeper *k, const char *name);

/* member_sealed.c: as clv_wire_keys_seal() with the keyring and list in force;
 * the same question gets the same bytes, until it is forgotten. */
int member_seal_keys(struct keeper *k, const char *scope,
    const struct clv_wire_terms *terms, const uint8_t box_pk[static 32],
    struct clv_buf *ret);
void member_forget_sealed(struct keeper *k);

#endif
