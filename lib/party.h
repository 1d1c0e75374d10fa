/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLV_PARTY_H
#define CLV_PARTY_H

#include <stdbool.h>
#include <claviger/buf.h>
#include <claviger/identity.h>

/* name, sign_pk, box_pk, thumb: as in a join request and in the list. */
void clv__party_put(struct clv_buf *b, const struct clv_party *p);
/* Checks the name. */
void clv__party_get(struct clv_rd *r, struct clv_party *ret);

#endif
