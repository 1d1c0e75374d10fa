/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include <claviger/result.h>

#include "daemon/admin/admin_ops.h"

/* What the administrative requests on members do to the list. */

int
admin_scope_check(struct admin_change *c, const char *scope)
{
	if (clv_scope_check(scope) == CLV_OK)
		return CLV_OK;
	ADMIN_SAY(c, "a scope is \"all\" or application names joined by ','");
	return CLV_E_INVALID;
}

static void
party_read(struct clv_rd *args, struct clv_party *p)
{
	clv_rd_str(args, p->name, sizeof(p->name));
	clv_rd_copy(args, p->thumb, sizeof(p->thumb));
	clv_rd_copy(args, p->box_pk, sizeof(p->box_pk));
	clv_rd_copy(args, p->sign_pk, sizeof(p->sign_pk));
}

static int
member_read(
    struct admin_change *c, struct clv_rd *args, struct clv_list_member *m)
{
	memset(m, 0, sizeof(*m));
	party_read(args, &m->party);
	clv_rd_str(args, m->scope, sizeof(m->scope));
	if (clv_rd_end(args) != CLV_OK)
		return CLV_E_PROTOCOL;
	if (clv_name_check(m->party.name) != CLV_OK) {
		ADMIN_SAY(c,
		    "a host name is 1 to 64 of letters, digits, '.', '_' "
		    "and '-'");
		return CLV_E_INVALID;
	}
	return admin_scope_check(c, m->scope);
}

int
admin_member_may_be(struct admin_change *c, const char *name)
{
	const struct clv_list_member *old =
	    clv_list_member_by_name(c->next, name);

	if (clv_list_node_by_name(c->next, name) != NULL) {
		ADMIN_SAY(c,
		    "%s is a server node, and as such a member already", name);
		return CLV_E_EXISTS;
	}
	if (old != NULL && !old->revoked) {
		ADMIN_SAY(c,
		    "%s is enrolled already: claviger member revoke %s "
		    "first",
		    name, name);
		return CLV_E_EXISTS;
	}
	return CLV_OK;
}

/* A token of that name has no use any more, whoever enrols the host. */
static int
enrol(struct admin_change *c, const struct clv_list_member *new)
{
	const char *name = new->party.name;
	struct clv_list_member *old = clv_list_member_by_name(c->next, name);
	struct clv_list_token *token = clv_list_token_by_name(c->next, name);

	if (clv_list_member_by_thumb(c->next, new->party.thumb) != NULL &&
	    (old == NULL || !old->revoked)) {
		ADMIN_SAY(c,
		    "this certificate is enrolled already: claviger member "
		    "list");
		return CLV_E_EXISTS;
	}
	if (old == NULL)
		old = clv_list_add_member(c->next);
	if (old == NULL)
		return CLV_E_FULL;
	*old = *new;
	if (token != NULL)
		clv_list_drop_token(c->next, token);
	ADMIN_SAY(c, "%s is enrolled with scope %.100s", name, new->scope);
	return CLV_OK;
}

int
admin_member_add(struct admin_change *c, struct clv_rd *args)
{
	struct clv_list_member new;
	int r = member_read(c, args, &new);

	if (r == CLV_OK)
		r = admin_member_may_be(c, new.party.name);
	return r == CLV_OK ? enrol(c, &new) : r;
}

/* By a token: the scope is the token's. */
int
admin_member_join(struct admin_change *c, struct clv_rd *args)
{
	struct clv_list_member new = {.revoked = false};
	uint8_t pk[CLV_SIGN_PK_LEN];
	int r;

	clv_rd_copy(args, pk, sizeof(pk));
	party_read(args, &new.party);
	if (clv_rd_end(args) != CLV_OK)
		return CLV_E_PROTOCOL;
	r = admin_token_check(
	    c->next, pk, new.party.name, c->now_s, c->text, sizeof(c->text));
	if (r == CLV_OK)
		r = admin_member_may_be(c, new.party.name);
	if (r != CLV_OK)
		return r;
	memcpy(new.scope, clv_list_token_by_key(c->next, pk)->scope,
	    sizeof(new.scope));
	return enrol(c, &new);
}

/* The first argument of a request on one that is there. */
static int
member_named(
    struct admin_change *c, struct clv_rd *args, struct clv_list_member **ret)
{
	char name[CLV_NAME_MAX];

	clv_rd_str(args, name, sizeof(name));
	if (args->failed)
		return CLV_E_PROTOCOL;
	*ret = clv_list_member_by_name(c->next, name);
	if (*ret != NULL)
		return CLV_OK;
	ADMIN_SAY(c, "no member %s is enrolled", name);
	return CLV_E_NOT_FOUND;
}

/* What was published before may have been fetched, whatever its scope. */
static void
lose_published(struct clv_list *list)
{
	for (size_t i = 0; i < list->generation_count; i++) {
		const struct clv_list_generation *g = &list->generations[i];

		if (g->state >= CLV_GEN_PUBLISHED &&
		    g->number > list->lost_generation)
			list->lost_generation = g->number;
	}
}

/* It does not come back by a token that was made before. */
int
admin_member_revoke(struct admin_change *c, struct clv_rd *args)
{
	struct clv_list_token *token;
	struct clv_list_member *m;
	int r = member_named(c, args, &m);

	if (r != CLV_OK)
		return r;
	if (clv_rd_end(args) != CLV_OK)
		return CLV_E_PROTOCOL;
	token = clv_list_token_by_name(c->next, m->party.name);
	c->nothing = m->revoked && token == NULL;
	if (!m->revoked)
		lose_published(c->next);
	m->revoked = true;
	if (token != NULL)
		clv_list_drop_token(c->next, token);
	ADMIN_SAY(c, "%s is revoked", m->party.name);
	return CLV_OK;
}

int
admin_member_scope(struct admin_change *c, struct clv_rd *args)
{
	char scope[CLV_SCOPE_MAX];
	struct clv_list_member *m;
	int r = member_named(c, args, &m);

	if (r != CLV_OK)
		return r;
	clv_rd_str(args, scope, sizeof(scope));
	if (clv_rd_end(args) != CLV_OK)
		return CLV_E_PROTOCOL;
	r = admin_scope_check(c, scope);
	if (r != CLV_OK)
		return r;
	if (m->revoked) {
		ADMIN_SAY(c,
		    "%s is revoked: claviger member add enrols it "
		    "again",
		    m->party.name);
		return CLV_E_REVOKED;
	}
	ADMIN_SAY(c, "%s may read: %.100s; before: %.100s", m->party.name,
	    scope, m->scope);
	c->nothing = strcmp(m->scope, scope) == 0;
	memcpy(m->scope, scope, sizeof(m->scope));
	return CLV_OK;
}

bool
admin_member_is_added(const struct clv_list *list, struct clv_rd *args)
{
	struct admin_change c = {.op = ADMIN_MEMBER_ADD};
	const struct clv_list_member *m;
	struct clv_list_member new;

	if (member_read(&c, args, &new) != CLV_OK)
		return false;
	m = clv_list_member_by_name(list, new.party.name);
	return m != NULL && !m->revoked &&
	       admin_same_keys(&m->party, &new.party) &&
	       strcmp(m->scope, new.scope) == 0;
}

bool
admin_member_has_joined(const struct clv_list *list, struct clv_rd *args)
{
	const struct clv_list_member *m;
	struct clv_party party = {.name = ""};

	clv_rd_raw(args, CLV_SIGN_PK_LEN);
	party_read(args, &party);
	m = clv_list_member_by_name(list, party.name);
	return clv_rd_end(args) == CLV_OK && m != NULL && !m->revoked &&
	       admin_same_keys(&m->party, &party);
}

bool
admin_member_is_revoked(const struct clv_list *list, struct clv_rd *args)
{
	char name[CLV_NAME_MAX];
	const struct clv_list_member *m;

	clv_rd_str(args, name, sizeof(name));
	m = clv_list_member_by_name(list, name);
	return clv_rd_end(args) == CLV_OK && m != NULL && m->revoked;
}

bool
admin_member_has_scope(const struct clv_list *list, struct clv_rd *args)
{
	char name[CLV_NAME_MAX], scope[CLV_SCOPE_MAX];
	const struct clv_list_member *m;

	clv_rd_str(args, name, sizeof(name));
	clv_rd_str(args, scope, sizeof(scope));
	m = clv_list_member_by_name(list, name);
	return clv_rd_end(args) == CLV_OK && m != NULL && !m->revoked &&
	       strcmp(m->scope, scope) == 0;
}
