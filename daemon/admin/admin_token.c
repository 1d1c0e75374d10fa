/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include <claviger/result.h>
#include <claviger/token.h>

#include "daemon/admin/admin_ops.h"

/* Join tokens that were not used yet: what the requests on them do to the
 * list. Their secret halves never come here. */

void
admin_token_expire(struct clv_list *list, uint64_t now_s)
{
	for (size_t i = list->token_count; i-- > 0;)
		if (list->tokens[i].expires_s <= now_s)
			clv_list_drop_token(list, &list->tokens[i]);
}

static int
token_read(struct admin_change *c, struct clv_rd *args,
    struct clv_list_token *t, uint32_t *ret_ttl_s)
{
	memset(t, 0, sizeof(*t));
	clv_rd_str(args, t->name, sizeof(t->name));
	clv_rd_str(args, t->scope, sizeof(t->scope));
	clv_rd_copy(args, t->pk, sizeof(t->pk));
	*ret_ttl_s = clv_rd_u32(args);
	if (clv_rd_end(args) != CLV_OK)
		return CLV_E_PROTOCOL;
	if (clv_name_check(t->name) != CLV_OK) {
		ADMIN_SAY(c,
		    "a host name is 1 to 64 of letters, digits, '.', '_' "
		    "and '-'");
		return CLV_E_INVALID;
	}
	if (*ret_ttl_s < CLV_TOKEN_TTL_MIN || *ret_ttl_s > CLV_TOKEN_TTL_MAX) {
		ADMIN_SAY(c, "a join token is good for one minute to 7 days");
		return CLV_E_INVALID;
	}
	return admin_scope_check(c, t->scope);
}

int
admin_token_add(struct admin_change *c, struct clv_rd *args)
{
	struct clv_list_token new, *old;
	uint32_t ttl_s;
	int r = token_read(c, args, &new, &ttl_s);

	if (r == CLV_OK)
		r = admin_member_may_be(c, new.name);
	if (r != CLV_OK)
		return r;
	new.expires_s = c->now_s + ttl_s;
	admin_token_expire(c->next, c->now_s);
	old = clv_list_token_by_name(c->next, new.name);
	if (old == NULL)
		old = clv_list_add_token(c->next);
	if (old == NULL) {
		ADMIN_SAY(c,
		    "%d join tokens are outstanding, the most there may be: "
		    "claviger member token --list",
		    CLV_LIST_TOKENS_MAX);
		return CLV_E_FULL;
	}
	*old = new;
	clv_buf_u64(&c->data, new.expires_s);
	ADMIN_SAY(c, "%s may join, with scope %.100s", new.name, new.scope);
	return clv_buf_result(&c->data);
}

int
admin_token_drop(struct admin_change *c, struct clv_rd *args)
{
	struct clv_list_token *t;
	char name[CLV_NAME_MAX];

	clv_rd_str(args, name, sizeof(name));
	if (clv_rd_end(args) != CLV_OK)
		return CLV_E_PROTOCOL;
	t = clv_list_token_by_name(c->next, name);
	if (t == NULL) {
		ADMIN_SAY(c,
		    "no join token for %s is outstanding: claviger member "
		    "list",
		    name);
		return CLV_E_NOT_FOUND;
	}
	clv_list_drop_token(c->next, t);
	ADMIN_SAY(c, "the join token for %s is withdrawn", name);
	return CLV_OK;
}

static const struct clv_list_token *
find(const struct clv_list *list, struct clv_rd *args)
{
	struct admin_change c = {.op = ADMIN_TOKEN_ADD};
	const struct clv_list_token *t;
	struct clv_list_token asked;
	uint32_t ttl_s;

	if (token_read(&c, args, &asked, &ttl_s) != CLV_OK)
		return NULL;
	t = clv_list_token_by_key(list, asked.pk);
	return t != NULL && strcmp(t->name, asked.name) == 0 ? t : NULL;
}

bool
admin_token_is_added(const struct clv_list *list, struct clv_rd *args)
{
	return find(list, args) != NULL;
}

bool
admin_token_is_dropped(const struct clv_list *list, struct clv_rd *args)
{
	char name[CLV_NAME_MAX];

	clv_rd_str(args, name, sizeof(name));
	return clv_rd_end(args) == CLV_OK &&
	       clv_list_token_by_name(list, name) == NULL;
}

void
admin_token_say(
    const struct clv_list *list, struct clv_rd *args, struct clv_buf *ret)
{
	const struct clv_list_token *t = find(list, args);

	if (t != NULL)
		clv_buf_u64(ret, t->expires_s);
}

int
admin_token_check(const struct clv_list *list,
    const uint8_t pk[static CLV_SIGN_PK_LEN], const char *name, uint64_t now_s,
    char *ret_why, size_t cap)
{
	const struct clv_list_token *t = clv_list_token_by_key(list, pk);

	/* Anybody can sign with a key of his own: he learns no names of it. */
	if (t == NULL)
		snprintf(ret_why, cap,
		    "this join token was used or withdrawn, or has expired");
	else if (strcmp(t->name, name) != 0)
		snprintf(ret_why, cap, "this join token is for %s, not for %s",
		    t->name, name);
	else if (t->expires_s <= now_s)
		snprintf(
		    ret_why, cap, "this join token for %s has expired", name);
	else
		return CLV_OK;
	return CLV_E_DENIED;
}
