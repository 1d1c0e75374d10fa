/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include <claviger/result.h>

#include "daemon/admin/admin_ops.h"

/* A host's own certificate, in the signed list: the one in use and the next
 * one are both accepted, until it has been seen to use that. */

struct change {
	char name[CLV_NAME_MAX];
	bool is_node;
	uint8_t what;		       /* enum party_cert */
	const uint8_t *current, *next; /* borrowed */
};

static int
parse(struct clv_rd *args, struct change *ret)
{
	clv_rd_str(args, ret->name, sizeof(ret->name));
	ret->is_node = clv_rd_u8(args) != 0;
	ret->what = clv_rd_u8(args);
	ret->current = clv_rd_raw(args, 32);
	ret->next = clv_rd_raw(args, 32);
	return clv_rd_end(args) == CLV_OK && (ret->what == PARTY_CERT_NEXT ||
						 ret->what == PARTY_CERT_ONLY)
		   ? CLV_OK
		   : CLV_E_PROTOCOL;
}

bool
admin_thumbs_find(const struct clv_list *list, const char *name, bool is_node,
    struct admin_thumbs *ret)
{
	struct clv_list_node *n = clv_list_node_by_name(list, name);
	struct clv_list_member *m = clv_list_member_by_name(list, name);

	if (is_node) {
		if (n == NULL || n->revoked)
			return false;
		*ret = (struct admin_thumbs){n->party.thumb, n->next_thumb};
	} else {
		if (m == NULL || m->revoked)
			return false;
		*ret = (struct admin_thumbs){m->party.thumb, m->next_thumb};
	}
	return true;
}

static bool
same(const uint8_t *a, const uint8_t *b)
{
	return sodium_memcmp(a, b, 32) == 0;
}

int
admin_party_cert(struct admin_change *c, struct clv_rd *args)
{
	struct admin_thumbs t;
	struct change change;
	int r = parse(args, &change);

	if (r != CLV_OK)
		return r;
	if (!admin_thumbs_find(c->next, change.name, change.is_node, &t)) {
		ADMIN_SAY(c, "no host %s is enrolled", change.name);
		return CLV_E_NOT_FOUND;
	}
	if (sodium_is_zero(change.current, 32) ||
	    (!same(t.current, change.current) &&
		!same(t.next, change.current))) {
		ADMIN_SAY(c, "%s has another certificate by now", change.name);
		return CLV_E_MISMATCH;
	}
	if (sodium_is_zero(change.next, 32) ||
	    same(change.current, change.next))
		return CLV_E_INVALID;
	if (change.what == PARTY_CERT_ONLY) {
		memcpy(t.current, change.next, 32);
		memset(t.next, 0, 32);
	} else {
		memmove(t.current, change.current, 32);
		memcpy(t.next, change.next, 32);
	}
	ADMIN_SAY(c, "the next certificate of %s is accepted%s", change.name,
	    change.what == PARTY_CERT_ONLY ? ", and no other one" : "");
	return CLV_OK;
}

bool
admin_party_cert_is(const struct clv_list *list, struct clv_rd *args)
{
	struct admin_thumbs t;
	struct change change;

	if (parse(args, &change) != CLV_OK ||
	    !admin_thumbs_find(list, change.name, change.is_node, &t))
		return false;
	if (change.what == PARTY_CERT_ONLY)
		return same(t.current, change.next) &&
		       sodium_is_zero(t.next, 32);
	return same(t.current, change.current) && same(t.next, change.next);
}
