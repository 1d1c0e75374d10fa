/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>
#include <claviger/result.h>
#include "list.h"
#include "list_codec.h"
#include "party.h"
#include "sign.h"

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

bool
clv__list_has_lost(const struct clv_list *list)
{
	return list->lost_generation != 0 || lost_keys(list) != 0;
}

size_t
clv__list_in_force(const struct clv_list *list)
{
	return list->succession_count - list->has_next_key;
}

bool
clv__list_chain_fits(
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
			(clv__list_has_lost(list) ? FORMAT_LOST : 0);

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
	if (r == CLV_OK && !clv__list_chain_fits(list, clv_keyring_sign_pk(k)))
		r = CLV_E_INVALID;
	if (r == CLV_OK)
		r = clv_keyring_sign(k, LIST_DOMAIN, b.data, b.len, sig);
	if (r == CLV_OK)
		r = clv__put_signed(ret, &b, sig);
	clv_buf_fini(&b);
	return r;
}
