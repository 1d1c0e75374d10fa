/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include <claviger/result.h>

#include "daemon/admin/admin_ops.h"

/* What the administrative requests on server nodes do to the list. */

static uint8_t
next_number(const struct clv_list *list)
{
	uint8_t highest = 0;

	for (size_t i = 0; i < list->node_count; i++)
		if (list->nodes[i].number > highest)
			highest = list->nodes[i].number;
	return highest == CLV_ESCROW_RECOVERY - 1 ? 0 : (uint8_t)(highest + 1);
}

static int
node_entry(struct admin_change *c, const char *name, struct clv_list_node **ret)
{
	struct clv_list_node *n = clv_list_node_by_name(c->next, name);
	uint8_t number = next_number(c->next);

	if (n != NULL && !n->revoked &&
	    !admin_same_keys(&n->party, &c->party)) {
		ADMIN_SAY(c,
		    "%s is enrolled with other keys: claviger node revoke "
		    "%s first",
		    name, name);
		return CLV_E_EXISTS;
	}
	if (n != NULL && !n->revoked) {
		*ret = n;
		return CLV_OK;
	}
	if (number == 0) {
		ADMIN_SAY(c,
		    "254 server nodes have been enrolled: no number is left");
		return CLV_E_FULL;
	}
	/* A revoked name comes back as a new node under a new number. */
	if (n == NULL)
		n = clv_list_add_node(c->next);
	if (n == NULL)
		return CLV_E_NOMEM;
	memset(n, 0, sizeof(*n));
	n->number = number;
	n->party = c->party;
	*ret = n;
	return CLV_OK;
}

int
admin_node_approve(struct admin_change *c, struct clv_rd *args)
{
	char name[CLV_NAME_MAX], given[128], found[CLV_FINGERPRINT_TEXT];
	struct clv_list_node *n;
	int r;

	clv_rd_str(args, name, sizeof(name));
	clv_rd_str(args, given, sizeof(given));
	if (clv_rd_end(args) != CLV_OK)
		return CLV_E_PROTOCOL;
	if (!c->have_party) {
		ADMIN_SAY(c,
		    "no join request of %s is in the database: run claviger "
		    "join --server there",
		    name);
		return CLV_E_NOT_FOUND;
	}
	clv_party_fingerprint(&c->party, found);
	if (strlen(given) != strlen(found) ||
	    sodium_memcmp(given, found, strlen(found)) != 0) {
		ADMIN_SAY(c,
		    "the join request of %s in the database has fingerprint "
		    "%s: compare it with what that node printed; if they "
		    "differ, somebody has changed the request",
		    name, found);
		return CLV_E_FINGERPRINT;
	}
	r = node_entry(c, name, &n);
	if (r != CLV_OK)
		return r;
	snprintf(c->drop_join, sizeof(c->drop_join), "%s", name);
	if (clv_list_escrow_is_manual(c->next)) {
		ADMIN_SAY(c,
		    "%s is enrolled; policy manual: nothing was sealed, run "
		    "claviger restore FILE there",
		    name);
		return CLV_OK;
	}
	n->sealed = true;
	ADMIN_SAY(c, "%s is enrolled and the keyring is sealed to it", name);
	return admin_seal_to(c, c->keyring, n->number, n->party.box_pk);
}

/* The keyring is sealed to it before a generation is published, and every
 * certificate's key is a row that opens with it. */
static void
lose_all(struct clv_list *list)
{
	for (size_t i = 0; i < list->generation_count; i++)
		if (list->generations[i].number > list->lost_generation)
			list->lost_generation = list->generations[i].number;
	for (unsigned i = 0; i < CLV_LIST_CERTS; i++)
		list->cert_lost[i] = !sodium_is_zero(list->cert_thumb[i], 32);
	list->sign_lost = true;
}

int
admin_node_revoke(struct admin_change *c, struct clv_rd *args)
{
	char name[CLV_NAME_MAX];
	struct clv_list_node *n;

	clv_rd_str(args, name, sizeof(name));
	if (clv_rd_end(args) != CLV_OK)
		return CLV_E_PROTOCOL;
	n = clv_list_node_by_name(c->next, name);
	if (n == NULL) {
		ADMIN_SAY(c, "no server node %s is enrolled", name);
		return CLV_E_NOT_FOUND;
	}
	if (n->number == c->self) {
		ADMIN_SAY(c,
		    "%s carries out this command: run it on another server "
		    "node",
		    name);
		return CLV_E_DENIED;
	}
	c->nothing = n->revoked;
	if (!n->revoked)
		lose_all(c->next);
	n->revoked = true;
	ADMIN_SAY(c, "%s is revoked", name);
	return CLV_OK;
}

bool
admin_node_is(const struct clv_list *list, struct clv_rd *args, bool revoked)
{
	char name[CLV_NAME_MAX], given[128] = "", found[CLV_FINGERPRINT_TEXT];
	const struct clv_list_node *n;

	clv_rd_str(args, name, sizeof(name));
	if (!revoked)
		clv_rd_str(args, given, sizeof(given));
	n = clv_list_node_by_name(list, name);
	if (clv_rd_end(args) != CLV_OK || n == NULL || n->revoked != revoked)
		return false;
	clv_party_fingerprint(&n->party, found);
	return revoked || strcmp(given, found) == 0; /* both are public */
}
