/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include <claviger/result.h>
#include "list.h"

#define THUMB_LEN 32

/* Host name characters; empty while none is set. */
static bool
is_network_name(const char *s)
{
	return s[0] != '-' && s[0] != '.' &&
	       s[strspn(s, "abcdefghijklmnopqrstuvwxyz"
			   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.")] == '\0';
}

static bool
is_address(const char *s)
{
	uint8_t a[16];

	return s[0] == '\0' || inet_pton(AF_INET, s, a) == 1 ||
	       inet_pton(AF_INET6, s, a) == 1;
}

static bool
is_policy(uint8_t policy)
{
	uint8_t mode = policy & CLV_ESCROW_MODE;

	return (mode == CLV_ESCROW_AUTO || mode == CLV_ESCROW_MANUAL) &&
	       policy - mode <= (CLV_ESCROW_NO_OUTSIDE | CLV_ESCROW_NO_NODES);
}

bool
clv_list_escrow_is_manual(const struct clv_list *list)
{
	return (list->escrow_policy & CLV_ESCROW_MODE) == CLV_ESCROW_MANUAL;
}

static bool
has_cert(const struct clv_list *list, unsigned i)
{
	return !sodium_is_zero(list->cert_thumb[i], THUMB_LEN);
}

int
clv__list_check_head(const struct clv_list *list)
{
	if (!is_network_name(list->network_name) ||
	    !is_address(list->address) || !is_policy(list->escrow_policy) ||
	    (list->cert_switched && !has_cert(list, 1)) ||
	    (list->cert_lost[0] && !has_cert(list, 0)) ||
	    (list->cert_lost[1] && !has_cert(list, 1)))
		return CLV_E_INVALID;
	return CLV_OK;
}

int
clv__list_check_generation(const struct clv_list_generation *g)
{
	if (g->number == 0 || g->state < CLV_GEN_PENDING ||
	    g->state > CLV_GEN_DESTROYED)
		return CLV_E_INVALID;
	return CLV_OK;
}

int
clv__list_check_node(const struct clv_list_node *n)
{
	return n->number != 0 && n->number != CLV_ESCROW_RECOVERY
		   ? clv_name_check(n->party.name)
		   : CLV_E_INVALID;
}

int
clv__list_check_member(const struct clv_list_member *m)
{
	int r = clv_name_check(m->party.name);

	return r == CLV_OK ? clv_scope_check(m->scope) : r;
}

int
clv__list_check_token(const struct clv_list_token *t)
{
	int r = clv_name_check(t->name);

	if (r == CLV_OK && sodium_is_zero(t->pk, sizeof(t->pk)))
		r = CLV_E_INVALID;
	return r == CLV_OK ? clv_scope_check(t->scope) : r;
}

int
clv__list_check_app(const struct clv_list_app *a)
{
	int r = clv_name_check(a->name);

	/* To a scope "all" is every application. */
	if (r == CLV_OK && strcmp(a->name, "all") == 0)
		r = CLV_E_INVALID;
	if (r == CLV_OK)
		r = clv_acl_check(a->admins);
	return r == CLV_OK ? clv_acl_check(a->users) : r;
}

static int
check_generations(const struct clv_list *list)
{
	size_t i, current = 0;

	for (i = 0; i < list->generation_count; i++)
		current += list->generations[i].state == CLV_GEN_CURRENT;
	if (list->reencrypt != 0 &&
	    clv_list_generation(list, list->reencrypt) == NULL)
		return CLV_E_INVALID;
	return current == 1 ? CLV_OK : CLV_E_INVALID;
}

static int
check_node_names(const struct clv_list *list)
{
	size_t i, j;

	for (i = 0; i < list->node_count; i++)
		for (j = 0; j < i; j++)
			if (strcmp(list->nodes[i].party.name,
				list->nodes[j].party.name) == 0)
				return CLV_E_EXISTS;
	return CLV_OK;
}

/* Who shows a key is one host. */
static int
check_token_keys(const struct clv_list *list)
{
	size_t i;

	for (i = 0; i < list->token_count; i++)
		if (clv_list_token_by_key(list, list->tokens[i].pk) !=
		    &list->tokens[i])
			return CLV_E_EXISTS;
	return CLV_OK;
}

static int
compare_thumbs(const void *a, const void *b)
{
	return memcmp(
	    *(const uint8_t *const *)a, *(const uint8_t *const *)b, THUMB_LEN);
}

/* Thumbprints are public; zeros stand for none. */
static int
check_distinct(const uint8_t **thumbs, size_t n)
{
	size_t i;

	if (n == 0)
		return CLV_OK;
	qsort(thumbs, n, sizeof(*thumbs), compare_thumbs);
	for (i = 1; i < n; i++)
		if (compare_thumbs(&thumbs[i - 1], &thumbs[i]) == 0)
			return CLV_E_EXISTS;
	return CLV_OK;
}

static void
collect(const uint8_t **thumbs, size_t *n, const uint8_t *current,
    const uint8_t *next)
{
	if (!sodium_is_zero(current, THUMB_LEN))
		thumbs[(*n)++] = current;
	/* The same certificate as current and next is one host's all the same,
	 * but never a renewal: it shows up as a duplicate. */
	if (!sodium_is_zero(next, THUMB_LEN))
		thumbs[(*n)++] = next;
}

/* A thumbprint must lead to one node, and to one member. A host may be both. */
static int
check_thumbs(const struct clv_list *list)
{
	size_t most = list->node_count > list->member_count
			  ? list->node_count
			  : list->member_count;
	const uint8_t **thumbs = calloc(2 * most + 1, sizeof(*thumbs));
	size_t i, n = 0;
	int r;

	if (thumbs == NULL)
		return CLV_E_NOMEM;
	for (i = 0; i < list->node_count; i++)
		collect(thumbs, &n, list->nodes[i].party.thumb,
		    list->nodes[i].next_thumb);
	r = check_distinct(thumbs, n);
	for (i = 0, n = 0; r == CLV_OK && i < list->member_count; i++)
		collect(thumbs, &n, list->members[i].party.thumb,
		    list->members[i].next_thumb);
	if (r == CLV_OK)
		r = check_distinct(thumbs, n);
	free(thumbs);
	return r;
}

int
clv__list_check_whole(const struct clv_list *list)
{
	int r = check_generations(list);

	if (r == CLV_OK)
		r = clv_acl_check(list->system_admins);
	if (r == CLV_OK)
		r = clv_acl_check(list->creators);
	if (r == CLV_OK)
		r = check_node_names(list);
	if (r == CLV_OK)
		r = check_token_keys(list);
	return r == CLV_OK ? check_thumbs(list) : r;
}
