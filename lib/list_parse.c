/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>
#include <claviger/result.h>
#include "list.h"
#include "list_codec.h"
#include "party.h"
#include "sign.h"

static bool
get_bool(struct clv_rd *r)
{
	uint8_t v = clv_rd_u8(r);

	if (v > 1)
		r->failed = true;
	return v == 1;
}

static void
get_lost(struct clv_rd *r, struct clv_list *list)
{
	uint8_t keys;

	list->lost_generation = clv_rd_u32(r);
	keys = clv_rd_u8(r);
	list->cert_lost[0] = (keys & 1) != 0;
	list->cert_lost[1] = (keys & 2) != 0;
	list->sign_lost = (keys & 4) != 0;
	if (keys > 7 || !clv__list_has_lost(list))
		r->failed = true;
}

static int
get_chain(struct clv_rd *r, struct clv_list *list)
{
	struct clv_succession *s =
	    calloc(CLV_SUCCESSIONS_MAX, sizeof(*list->successions));

	if (s == NULL)
		return CLV_E_NOMEM;
	list->successions = s;
	list->has_next_key = get_bool(r);
	clv_chain_get(r, s, &list->succession_count);
	return r->failed || !clv__list_chain_fits(list, list->sign_pk) ||
		       list->succession_count == 0
		   ? CLV_E_FORMAT
		   : CLV_OK;
}

static int
get_head(struct clv_rd *r, struct clv_list *list, unsigned *ret_more)
{
	unsigned more = clv_rd_u16(r) - FORMAT; /* wraps for 0 */
	int res = CLV_OK;

	*ret_more = more;
	if ((more & ~FORMAT_ALL) != 0)
		return r->failed ? CLV_E_FORMAT : CLV_E_VERSION;
	clv_rd_copy(r, list->system_id, sizeof(list->system_id));
	if ((more & FORMAT_CHAIN) != 0)
		res = get_chain(r, list);
	if (res != CLV_OK)
		return res;
	list->version = clv_rd_u64(r);
	list->epoch = clv_rd_u64(r);
	clv_rd_str(r, list->network_name, sizeof(list->network_name));
	clv_rd_str(r, list->address, sizeof(list->address));
	list->port = clv_rd_u16(r);
	list->escrow_policy = clv_rd_u8(r);
	clv_rd_copy(r, list->cert_thumb, sizeof(list->cert_thumb));
	list->cert_switched = (more & FORMAT_SWITCHED) != 0;
	if ((more & FORMAT_REENCRYPT) != 0)
		list->reencrypt = clv_rd_u32(r);
	if ((more & FORMAT_RECOVERY) != 0)
		clv_rd_copy(r, list->recovery_pk, sizeof(list->recovery_pk));
	if ((more & FORMAT_LOST) != 0)
		get_lost(r, list);
	if (((more & FORMAT_REENCRYPT) != 0) != (list->reencrypt != 0) ||
	    ((more & FORMAT_RECOVERY) != 0) != clv_list_has_recovery(list))
		return CLV_E_FORMAT;
	if (r->failed || clv__list_check_head(list) != CLV_OK)
		return CLV_E_FORMAT;
	return CLV_OK;
}

/* The n-th entry: appended, read, checked, and above the one before it. An
 * entry that does not fit ends the loop by r->failed, so that a count alone
 * makes nobody allocate. */

static int
get_generation(struct clv_rd *r, struct clv_list *list, size_t i)
{
	struct clv_list_generation *g = clv_list_add_generation(list);

	if (g == NULL)
		return CLV_E_NOMEM;
	g->number = clv_rd_u32(r);
	g->state = clv_rd_u8(r);
	clv_rd_copy(r, g->commitment, sizeof(g->commitment));
	clv_rd_copy(r, g->check, sizeof(g->check));
	if (r->failed || clv__list_check_generation(g) != CLV_OK ||
	    (i > 0 && g[-1].number >= g->number))
		return CLV_E_FORMAT;
	return CLV_OK;
}

static int
get_node(struct clv_rd *r, struct clv_list *list, size_t i)
{
	struct clv_list_node *n = clv_list_add_node(list);

	if (n == NULL)
		return CLV_E_NOMEM;
	clv__party_get(r, &n->party);
	n->number = clv_rd_u8(r);
	n->revoked = get_bool(r);
	n->sealed = get_bool(r);
	clv_rd_copy(r, n->next_thumb, sizeof(n->next_thumb));
	if (r->failed || clv__list_check_node(n) != CLV_OK ||
	    (i > 0 && n[-1].number >= n->number))
		return CLV_E_FORMAT;
	return CLV_OK;
}

static int
get_member(struct clv_rd *r, struct clv_list *list, size_t i)
{
	struct clv_list_member *m = clv_list_add_member(list);

	if (m == NULL)
		return CLV_E_NOMEM;
	clv__party_get(r, &m->party);
	m->revoked = get_bool(r);
	clv_rd_str(r, m->scope, sizeof(m->scope));
	clv_rd_copy(r, m->next_thumb, sizeof(m->next_thumb));
	if (r->failed || clv__list_check_member(m) != CLV_OK ||
	    (i > 0 && strcmp(m[-1].party.name, m->party.name) >= 0))
		return CLV_E_FORMAT;
	return CLV_OK;
}

static int
get_token(struct clv_rd *r, struct clv_list *list, size_t i)
{
	struct clv_list_token *t = clv_list_add_token(list);

	if (t == NULL)
		return CLV_E_NOMEM;
	clv_rd_str(r, t->name, sizeof(t->name));
	clv_rd_str(r, t->scope, sizeof(t->scope));
	clv_rd_copy(r, t->pk, sizeof(t->pk));
	t->expires_s = clv_rd_u64(r);
	if (r->failed || clv__list_check_token(t) != CLV_OK ||
	    (i > 0 && strcmp(t[-1].name, t->name) >= 0))
		return CLV_E_FORMAT;
	return CLV_OK;
}

static int
get_acl(struct clv_rd *r, char **ret)
{
	char acl[CLV_ACL_MAX];

	clv_rd_str(r, acl, sizeof(acl));
	return clv_acl_set(ret, acl);
}

static int
get_app(struct clv_rd *r, struct clv_list *list, size_t i)
{
	struct clv_list_app *a = clv_list_add_app(list);

	if (a == NULL)
		return CLV_E_NOMEM;
	clv_rd_str(r, a->name, sizeof(a->name));
	if (get_acl(r, &a->admins) != CLV_OK || get_acl(r, &a->users) != CLV_OK)
		return CLV_E_NOMEM;
	a->keep = clv_rd_u32(r);
	if (r->failed || clv__list_check_app(a) != CLV_OK ||
	    (i > 0 && strcmp(a[-1].name, a->name) >= 0))
		return CLV_E_FORMAT;
	return CLV_OK;
}

typedef int (*get_entry)(struct clv_rd *r, struct clv_list *list, size_t i);

static int
get_entries(struct clv_rd *r, struct clv_list *list, size_t max, get_entry get)
{
	size_t n = clv_rd_u32(r), i;
	int res = n <= max ? CLV_OK : CLV_E_FORMAT;

	for (i = 0; res == CLV_OK && i < n; i++)
		res = get(r, list, i);
	return res;
}

static int
get_tokens(struct clv_rd *rd, struct clv_list *list)
{
	int r = get_entries(rd, list, CLV_LIST_TOKENS_MAX, get_token);

	return r == CLV_OK && list->token_count == 0 ? CLV_E_FORMAT : r;
}

static int
get_list(struct clv_rd *rd, struct clv_list *list)
{
	unsigned more;
	int r = get_head(rd, list, &more);

	if (r == CLV_OK)
		r = get_entries(rd, list, CLV_GENERATIONS_MAX, get_generation);
	if (r == CLV_OK)
		r = get_entries(rd, list, CLV_LIST_NODES_MAX, get_node);
	if (r == CLV_OK)
		r = get_entries(rd, list, CLV_LIST_MEMBERS_MAX, get_member);
	if (r == CLV_OK && (more & FORMAT_TOKENS) != 0)
		r = get_tokens(rd, list);
	if (r == CLV_OK)
		r = get_acl(rd, &list->system_admins);
	if (r == CLV_OK)
		r = get_acl(rd, &list->creators);
	if (r == CLV_OK)
		r = get_entries(rd, list, CLV_LIST_APPS_MAX, get_app);
	if (r == CLV_OK)
		r = clv_rd_end(rd);
	if (r == CLV_OK)
		r = clv__list_check_whole(list);
	return r == CLV_OK || r == CLV_E_NOMEM || r == CLV_E_VERSION
		   ? r
		   : CLV_E_FORMAT;
}

/* Who signs it, for whoever knows pk: its successions speak for themselves, and
 * what comes of them is only a key to be tried. Their place is the same in
 * every format, so that a list that is too new is known to be the system's. */
static int
find_signer(const void *p, size_t len, const uint8_t pk[static CLV_SIGN_PK_LEN],
    uint8_t ret[static CLV_SIGN_PK_LEN])
{
	uint8_t system_id[CLV_SYSTEM_ID_LEN];
	struct clv_list list = {.succession_count = 0};
	struct clv_rd rd;
	int r = CLV_OK;

	memcpy(ret, pk, CLV_SIGN_PK_LEN);
	clv_rd_init(&rd, p, len);
	if (((clv_rd_u16(&rd) - (unsigned)FORMAT) & FORMAT_CHAIN) == 0)
		return r;
	clv_rd_copy(&rd, system_id, sizeof(system_id));
	list.successions =
	    calloc(CLV_SUCCESSIONS_MAX, sizeof(*list.successions));
	if (list.successions == NULL)
		return CLV_E_NOMEM;
	list.has_next_key = get_bool(&rd);
	clv_chain_get(&rd, list.successions, &list.succession_count);
	if (!rd.failed && list.succession_count > 0)
		r = clv_chain_follow(list.successions,
		    clv__list_in_force(&list), system_id, pk, ret);
	free(list.successions);
	return r;
}

int
clv_list_open(const void *p, size_t len,
    const uint8_t pk[static CLV_SIGN_PK_LEN], struct clv_list **ret)
{
	uint8_t signer[CLV_SIGN_PK_LEN];
	struct clv_list *list = NULL;
	const uint8_t *body = p;
	struct clv_rd rd;
	int r;

	if (len < CLV_SIG_LEN || len > CLV_LIST_LEN_MAX)
		return CLV_E_SIGNATURE;
	len -= CLV_SIG_LEN;
	r = find_signer(body, len, pk, signer);
	if (r == CLV_OK)
		r = clv_verify(signer, LIST_DOMAIN, body, len, body + len);
	if (r == CLV_OK)
		r = clv_list_new(&list);
	if (r != CLV_OK)
		return r;
	memcpy(list->sign_pk, signer, sizeof(list->sign_pk));
	clv_rd_init(&rd, body, len);
	r = get_list(&rd, list);
	if (r == CLV_OK)
		*ret = list;
	else
		clv_list_free(&list);
	return r;
}
