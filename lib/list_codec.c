/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>
#include <claviger/result.h>
#include "list.h"
#include "party.h"
#include "sign.h"

/*
 * The body, in the encoding of buf.h; raw fields have fixed lengths:
 *
 *	u16 format, raw system id 16,
 *	with FORMAT_CHAIN: u8 the last one is to come, u32 n, not 0,
 *	n x succession (succession.c),
 *	u64 version, u64 epoch,
 *	str network name, str address, u16 port, u8 escrow policy,
 *	raw thumbprints 2 x 32,
 *	with FORMAT_REENCRYPT: u32 re-encrypt, not 0,
 *	with FORMAT_RECOVERY: raw recovery recipient, not zeros
 *	with FORMAT_LOST: u32 lost generation, u8 lost keys (1 the first
 *	certificate's, 2 the second's, 4 the signing key), not both 0
 *	u32 n, n x generation: u32 number, u8 state, raw commitment, raw check
 *	u32 n, n x node: party, u8 number, u8 revoked, u8 sealed, raw next
 *	u32 n, n x member: party, u8 revoked, str scope, raw next
 *	with FORMAT_TOKENS: u32 n, not 0, n x token: str name, str scope,
 *	raw pk, u64 expires
 *	str system administrators, str creators
 *	u32 n, n x application: str name, str admins, str users, u32 keep
 *
 * A party is str name, raw sign_pk, raw box_pk, raw thumbprint. Generations
 * and nodes ascend by number, members, tokens and applications by the bytes of
 * their name: so there is one encoding for one content, and nothing can be
 * there twice. A list with none of what was thought of later is of format 1.
 */
#define FORMAT 1	    /* and so much more with */
#define FORMAT_REENCRYPT 1u /* a re-encryption that is asked for, */
#define FORMAT_RECOVERY 2u  /* a recovery recipient, */
#define FORMAT_SWITCHED 4u  /* a second thumbprint that was current before, */
#define FORMAT_TOKENS 8u    /* join tokens, */
#define FORMAT_CHAIN 16u    /* successions of the signing key, */
#define FORMAT_LOST 32u	    /* keys that a revoked host may have */
#define FORMAT_ALL \
	(FORMAT_REENCRYPT | FORMAT_RECOVERY | FORMAT_SWITCHED | \
	    FORMAT_TOKENS | FORMAT_CHAIN | FORMAT_LOST)
#define LIST_DOMAIN "claviger-list-01"

/* Pointers to the n elements of an array in the order of `compare`. */
static const void **
sorted(const void *array, size_t n, size_t size,
    int (*compare)(const void *, const void *))
{
	const void **order = calloc(n + 1, sizeof(*order));
	size_t i;

	if (order == NULL)
		return NULL;
	for (i = 0; i < n; i++)
		order[i] = (const uint8_t *)array + i * size;
	if (n > 1)
		qsort(order, n, sizeof(*order), compare);
	return order;
}

static int
compare_generations(const void *a, const void *b)
{
	const struct clv_list_generation *x =
	    *(const struct clv_list_generation *const *)a;
	const struct clv_list_generation *y =
	    *(const struct clv_list_generation *const *)b;

	return (x->number > y->number) - (x->number < y->number);
}

static int
compare_nodes(const void *a, const void *b)
{
	const struct clv_list_node *x = *(const struct clv_list_node *const *)a;
	const struct clv_list_node *y = *(const struct clv_list_node *const *)b;

	return (x->number > y->number) - (x->number < y->number);
}

static int
compare_members(const void *a, const void *b)
{
	const struct clv_list_member *x =
	    *(const struct clv_list_member *const *)a;
	const struct clv_list_member *y =
	    *(const struct clv_list_member *const *)b;

	return strcmp(x->party.name, y->party.name);
}

static int
compare_tokens(const void *a, const void *b)
{
	const struct clv_list_token *x =
	    *(const struct clv_list_token *const *)a;
	const struct clv_list_token *y =
	    *(const struct clv_list_token *const *)b;

	return strcmp(x->name, y->name);
}

static int
compare_apps(const void *a, const void *b)
{
	const struct clv_list_app *x = *(const struct clv_list_app *const *)a;
	const struct clv_list_app *y = *(const struct clv_list_app *const *)b;

	return strcmp(x->name, y->name);
}

static uint8_t
lost_keys(const struct clv_list *list)
{
	return (uint8_t)((list->cert_lost[0] ? 1 : 0) |
			 (list->cert_lost[1] ? 2 : 0) |
			 (list->sign_lost ? 4 : 0));
}

static bool
has_lost(const struct clv_list *list)
{
	return list->lost_generation != 0 || lost_keys(list) != 0;
}

/* Those that are signed by the key that signs the list, and end in it. */
static size_t
in_force(const struct clv_list *list)
{
	return list->succession_count - list->has_next_key;
}

/* Does the chain lead to that key, or go on from it? */
static bool
chain_fits(
    const struct clv_list *list, const uint8_t pk[static CLV_SIGN_PK_LEN])
{
	size_t n = list->succession_count;
	const struct clv_succession *s = list->successions;

	if (n == 0)
		return !list->has_next_key;
	return clv_chain_is(s, n) &&
	       memcmp(list->has_next_key ? s[n - 1].old_pk : s[n - 1].new_pk,
		   pk, CLV_SIGN_PK_LEN) == 0;
}

static void
put_head(struct clv_buf *b, const struct clv_list *list)
{
	unsigned more = (list->reencrypt != 0 ? FORMAT_REENCRYPT : 0) |
			(clv_list_has_recovery(list) ? FORMAT_RECOVERY : 0) |
			(list->cert_switched ? FORMAT_SWITCHED : 0) |
			(list->token_count > 0 ? FORMAT_TOKENS : 0) |
			(list->succession_count > 0 ? FORMAT_CHAIN : 0) |
			(has_lost(list) ? FORMAT_LOST : 0);

	clv_buf_u16(b, (uint16_t)(FORMAT + more));
	clv_buf_raw(b, list->system_id, sizeof(list->system_id));
	if ((more & FORMAT_CHAIN) != 0) {
		clv_buf_u8(b, list->has_next_key);
		clv_chain_format(list->successions, list->succession_count, b);
	}
	clv_buf_u64(b, list->version);
	clv_buf_u64(b, list->epoch);
	clv_buf_str(b, list->network_name);
	clv_buf_str(b, list->address);
	clv_buf_u16(b, list->port);
	clv_buf_u8(b, list->escrow_policy);
	clv_buf_raw(b, list->cert_thumb, sizeof(list->cert_thumb));
	if ((more & FORMAT_REENCRYPT) != 0)
		clv_buf_u32(b, list->reencrypt);
	if ((more & FORMAT_RECOVERY) != 0)
		clv_buf_raw(b, list->recovery_pk, sizeof(list->recovery_pk));
	if ((more & FORMAT_LOST) != 0) {
		clv_buf_u32(b, list->lost_generation);
		clv_buf_u8(b, lost_keys(list));
	}
}

static int
put_generations(struct clv_buf *b, const struct clv_list *list)
{
	size_t n = list->generation_count, i;
	const struct clv_list_generation *g;
	const void **order = sorted(list->generations, n,
	    sizeof(*list->generations), compare_generations);
	int r = order != NULL ? CLV_OK : CLV_E_NOMEM;

	clv_buf_u32(b, (uint32_t)n);
	for (i = 0; r == CLV_OK && i < n; i++) {
		g = order[i];
		r = clv__list_check_generation(g);
		if (i > 0 && compare_generations(&order[i - 1], &order[i]) == 0)
			r = CLV_E_EXISTS;
		clv_buf_u32(b, g->number);
		clv_buf_u8(b, g->state);
		clv_buf_raw(b, g->commitment, sizeof(g->commitment));
		clv_buf_raw(b, g->check, sizeof(g->check));
	}
	free(order);
	return r;
}

static int
put_nodes(struct clv_buf *b, const struct clv_list *list)
{
	size_t n = list->node_count, i;
	const struct clv_list_node *node;
	const void **order =
	    sorted(list->nodes, n, sizeof(*list->nodes), compare_nodes);
	int r = order != NULL ? CLV_OK : CLV_E_NOMEM;

	clv_buf_u32(b, (uint32_t)n);
	for (i = 0; r == CLV_OK && i < n; i++) {
		node = order[i];
		r = clv__list_check_node(node);
		if (i > 0 && compare_nodes(&order[i - 1], &order[i]) == 0)
			r = CLV_E_EXISTS;
		clv__party_put(b, &node->party);
		clv_buf_u8(b, node->number);
		clv_buf_u8(b, node->revoked);
		clv_buf_u8(b, node->sealed);
		clv_buf_raw(b, node->next_thumb, sizeof(node->next_thumb));
	}
	free(order);
	return r;
}

static int
put_members(struct clv_buf *b, const struct clv_list *list)
{
	size_t n = list->member_count, i;
	const struct clv_list_member *m;
	const void **order =
	    sorted(list->members, n, sizeof(*list->members), compare_members);
	int r = order != NULL ? CLV_OK : CLV_E_NOMEM;

	clv_buf_u32(b, (uint32_t)n);
	for (i = 0; r == CLV_OK && i < n; i++) {
		m = order[i];
		r = clv__list_check_member(m);
		if (i > 0 && compare_members(&order[i - 1], &order[i]) == 0)
			r = CLV_E_EXISTS;
		clv__party_put(b, &m->party);
		clv_buf_u8(b, m->revoked);
		clv_buf_str(b, m->scope);
		clv_buf_raw(b, m->next_thumb, sizeof(m->next_thumb));
	}
	free(order);
	return r;
}

static int
put_tokens(struct clv_buf *b, const struct clv_list *list)
{
	size_t n = list->token_count, i;
	const struct clv_list_token *t;
	const void **order;
	int r = CLV_OK;

	if (n == 0)
		return r;
	order = sorted(list->tokens, n, sizeof(*list->tokens), compare_tokens);
	if (order == NULL)
		return CLV_E_NOMEM;
	clv_buf_u32(b, (uint32_t)n);
	for (i = 0; r == CLV_OK && i < n; i++) {
		t = order[i];
		r = clv__list_check_token(t);
		if (i > 0 && compare_tokens(&order[i - 1], &order[i]) == 0)
			r = CLV_E_EXISTS;
		clv_buf_str(b, t->name);
		clv_buf_str(b, t->scope);
		clv_buf_raw(b, t->pk, sizeof(t->pk));
		clv_buf_u64(b, t->expires_s);
	}
	free(order);
	return r;
}

static int
put_apps(struct clv_buf *b, const struct clv_list *list)
{
	size_t n = list->app_count, i;
	const struct clv_list_app *a;
	const void **order =
	    sorted(list->apps, n, sizeof(*list->apps), compare_apps);
	int r = order != NULL ? CLV_OK : CLV_E_NOMEM;

	clv_buf_str(b, list->system_admins);
	clv_buf_str(b, list->creators);
	clv_buf_u32(b, (uint32_t)n);
	for (i = 0; r == CLV_OK && i < n; i++) {
		a = order[i];
		r = clv__list_check_app(a);
		if (i > 0 && compare_apps(&order[i - 1], &order[i]) == 0)
			r = CLV_E_EXISTS;
		clv_buf_str(b, a->name);
		clv_buf_str(b, a->admins);
		clv_buf_str(b, a->users);
		clv_buf_u32(b, a->keep);
	}
	free(order);
	return r;
}

/* A list that cannot be opened again is never signed. */
static int
put_list(struct clv_buf *b, const struct clv_list *list)
{
	int r = clv__list_check_head(list);

	if (r != CLV_OK)
		return r;
	put_head(b, list);
	r = put_generations(b, list);
	if (r == CLV_OK)
		r = put_nodes(b, list);
	if (r == CLV_OK)
		r = put_members(b, list);
	if (r == CLV_OK)
		r = put_tokens(b, list);
	if (r == CLV_OK)
		r = put_apps(b, list);
	if (r == CLV_OK)
		r = clv__list_check_whole(list);
	return r == CLV_OK ? clv_buf_result(b) : r;
}

int
clv_list_sign(const struct clv_list *list, const struct clv_keyring *k,
    struct clv_buf *ret)
{
	struct clv_buf b = {.max = CLV_LIST_LEN_MAX - CLV_SIG_LEN};
	uint8_t sig[CLV_SIG_LEN];
	int r = put_list(&b, list);

	if (r == CLV_OK && memcmp(list->system_id, clv_keyring_system_id(k),
			       CLV_SYSTEM_ID_LEN) != 0)
		r = CLV_E_WRONG_SYSTEM;
	if (r == CLV_OK && !chain_fits(list, clv_keyring_sign_pk(k)))
		r = CLV_E_INVALID;
	if (r == CLV_OK)
		r = clv_keyring_sign(k, LIST_DOMAIN, b.data, b.len, sig);
	if (r == CLV_OK)
		r = clv__put_signed(ret, &b, sig);
	clv_buf_fini(&b);
	return r;
}

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
	if (keys > 7 || !has_lost(list))
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
	return r->failed || !chain_fits(list, list->sign_pk) ||
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
		r = clv_chain_follow(
		    list.successions, in_force(&list), system_id, pk, ret);
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
