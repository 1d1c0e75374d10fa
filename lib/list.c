/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include <claviger/list.h>
#include <claviger/result.h>

int
clv_list_new(struct clv_list **ret)
{
	struct clv_list *list = calloc(1, sizeof(*list));

	if (list == NULL)
		return CLV_E_NOMEM;
	if (clv_acl_set(&list->system_admins, "") != CLV_OK ||
	    clv_acl_set(&list->creators, "") != CLV_OK) {
		clv_list_free(&list);
		return CLV_E_NOMEM;
	}
	*ret = list;
	return CLV_OK;
}

static void
app_fini(struct clv_list_app *app)
{
	free(app->admins);
	free(app->users);
}

void
clv_list_free(struct clv_list **list)
{
	size_t i;

	if (*list == NULL)
		return;
	for (i = 0; i < (*list)->app_count; i++)
		app_fini(&(*list)->apps[i]);
	free((*list)->apps);
	free((*list)->system_admins);
	free((*list)->creators);
	free((*list)->generations);
	free((*list)->nodes);
	free((*list)->members);
	free((*list)->tokens);
	free((*list)->successions);
	free(*list);
	*list = NULL;
}

/* Arrays have room for the next power of two, so no capacity is kept. */
static size_t
room(size_t count)
{
	size_t n = 1;

	while (n < count)
		n *= 2;
	return n;
}

/* Element `count` of the array, zeroed, after making room for it. */
static void *
append(void **array, size_t *count, size_t max, size_t size)
{
	uint8_t *at;
	void *p;

	if (*count >= max)
		return NULL;
	if (*count == 0 || *count == room(*count)) {
		p = realloc(*array, room(*count + 1) * size);
		if (p == NULL)
			return NULL;
		*array = p;
	}
	at = (uint8_t *)*array + *count * size;
	memset(at, 0, size);
	(*count)++;
	return at;
}

struct clv_list_generation *
clv_list_add_generation(struct clv_list *list)
{
	void *array = list->generations;
	void *p = append(&array, &list->generation_count, CLV_GENERATIONS_MAX,
	    sizeof(*list->generations));

	list->generations = array;
	return p;
}

struct clv_list_node *
clv_list_add_node(struct clv_list *list)
{
	void *array = list->nodes;
	void *p = append(&array, &list->node_count, CLV_LIST_NODES_MAX,
	    sizeof(*list->nodes));

	list->nodes = array;
	return p;
}

struct clv_list_member *
clv_list_add_member(struct clv_list *list)
{
	void *array = list->members;
	void *p = append(&array, &list->member_count, CLV_LIST_MEMBERS_MAX,
	    sizeof(*list->members));

	list->members = array;
	return p;
}

struct clv_list_token *
clv_list_add_token(struct clv_list *list)
{
	void *array = list->tokens;
	void *p = append(&array, &list->token_count, CLV_LIST_TOKENS_MAX,
	    sizeof(*list->tokens));

	list->tokens = array;
	return p;
}

void
clv_list_drop_token(struct clv_list *list, struct clv_list_token *token)
{
	size_t at = (size_t)(token - list->tokens);

	list->token_count--;
	memmove(token, token + 1, (list->token_count - at) * sizeof(*token));
}

struct clv_succession *
clv_list_add_succession(struct clv_list *list)
{
	void *array = list->successions;
	void *p = append(&array, &list->succession_count, CLV_SUCCESSIONS_MAX,
	    sizeof(*list->successions));

	list->successions = array;
	return p;
}

const struct clv_succession *
clv_list_next_key(const struct clv_list *list)
{
	return list->has_next_key
		   ? &list->successions[list->succession_count - 1]
		   : NULL;
}

const uint8_t *
clv_list_first_pk(const struct clv_list *list)
{
	return list->succession_count > 0 ? list->successions[0].old_pk
					  : list->sign_pk;
}

const uint8_t *
clv_list_former_pk(const struct clv_list *list)
{
	size_t n = list->succession_count - list->has_next_key;

	return n > 0 ? list->successions[n - 1].old_pk : NULL;
}

struct clv_list_app *
clv_list_add_app(struct clv_list *list)
{
	void *array = list->apps;
	struct clv_list_app *app = append(
	    &array, &list->app_count, CLV_LIST_APPS_MAX, sizeof(*list->apps));

	list->apps = array;
	if (app == NULL || (clv_acl_set(&app->admins, "") == CLV_OK &&
			       clv_acl_set(&app->users, "") == CLV_OK))
		return app;
	clv_list_drop_app(list, app);
	return NULL;
}

void
clv_list_drop_app(struct clv_list *list, struct clv_list_app *app)
{
	size_t at = (size_t)(app - list->apps);

	app_fini(app);
	list->app_count--;
	memmove(app, app + 1, (list->app_count - at) * sizeof(*app));
}

static bool
copy_array(const void *src, size_t count, size_t size, void **ret)
{
	if (count == 0)
		return true;
	*ret = malloc(room(count) * size);
	if (*ret == NULL)
		return false;
	memcpy(*ret, src, count * size);
	return true;
}

static bool
copy_apps(const struct clv_list *list, struct clv_list *copy)
{
	const struct clv_list_app *app;
	struct clv_list_app *to;
	size_t i;

	for (i = 0; i < list->app_count; i++) {
		app = &list->apps[i];
		to = clv_list_add_app(copy);
		if (to == NULL ||
		    clv_acl_set(&to->admins, app->admins) != CLV_OK ||
		    clv_acl_set(&to->users, app->users) != CLV_OK)
			return false;
		memcpy(to->name, app->name, sizeof(to->name));
		to->keep = app->keep;
	}
	return true;
}

int
clv_list_copy(const struct clv_list *list, struct clv_list **ret)
{
	void *generations = NULL, *nodes = NULL, *members = NULL;
	void *tokens = NULL, *successions = NULL;
	struct clv_list *copy = malloc(sizeof(*copy));
	bool whole;

	if (copy == NULL)
		return CLV_E_NOMEM;
	whole = copy_array(list->generations, list->generation_count,
		    sizeof(*list->generations), &generations) &&
		copy_array(list->nodes, list->node_count, sizeof(*list->nodes),
		    &nodes) &&
		copy_array(list->members, list->member_count,
		    sizeof(*list->members), &members) &&
		copy_array(list->tokens, list->token_count,
		    sizeof(*list->tokens), &tokens) &&
		copy_array(list->successions, list->succession_count,
		    sizeof(*list->successions), &successions);
	*copy = *list;
	copy->generations = generations;
	copy->nodes = nodes;
	copy->members = members;
	copy->tokens = tokens;
	copy->successions = successions;
	copy->apps = NULL;
	copy->app_count = 0;
	copy->system_admins = copy->creators = NULL;
	if (!whole || !copy_apps(list, copy) ||
	    clv_acl_set(&copy->system_admins, list->system_admins) != CLV_OK ||
	    clv_acl_set(&copy->creators, list->creators) != CLV_OK) {
		clv_list_free(&copy);
		return CLV_E_NOMEM;
	}
	*ret = copy;
	return CLV_OK;
}

struct clv_list_node *
clv_list_node_by_name(const struct clv_list *list, const char *name)
{
	size_t i;

	for (i = 0; i < list->node_count; i++)
		if (strcmp(list->nodes[i].party.name, name) == 0)
			return &list->nodes[i];
	return NULL;
}

struct clv_list_node *
clv_list_node_by_number(const struct clv_list *list, uint8_t number)
{
	size_t i;

	for (i = 0; i < list->node_count; i++)
		if (list->nodes[i].number == number)
			return &list->nodes[i];
	return NULL;
}

struct clv_list_member *
clv_list_member_by_name(const struct clv_list *list, const char *name)
{
	size_t i;

	for (i = 0; i < list->member_count; i++)
		if (strcmp(list->members[i].party.name, name) == 0)
			return &list->members[i];
	return NULL;
}

struct clv_list_token *
clv_list_token_by_name(const struct clv_list *list, const char *name)
{
	size_t i;

	for (i = 0; i < list->token_count; i++)
		if (strcmp(list->tokens[i].name, name) == 0)
			return &list->tokens[i];
	return NULL;
}

struct clv_list_token *
clv_list_token_by_key(
    const struct clv_list *list, const uint8_t pk[static CLV_SIGN_PK_LEN])
{
	size_t i;

	for (i = 0; i < list->token_count; i++)
		if (sodium_memcmp(list->tokens[i].pk, pk,
			sizeof(list->tokens[i].pk)) == 0)
			return &list->tokens[i];
	return NULL;
}

struct clv_list_app *
clv_list_app_by_name(const struct clv_list *list, const char *name)
{
	size_t i;

	for (i = 0; i < list->app_count; i++)
		if (strcmp(list->apps[i].name, name) == 0)
			return &list->apps[i];
	return NULL;
}

/* Zeros stand for "no thumbprint" and match nobody. */
static bool
has_thumb(const uint8_t current[static 32], const uint8_t next[static 32],
    const uint8_t thumb[static 32])
{
	int a = sodium_memcmp(current, thumb, 32);
	int b = sodium_memcmp(next, thumb, 32);

	return (a == 0 || b == 0) && !sodium_is_zero(thumb, 32);
}

struct clv_list_node *
clv_list_node_by_thumb(
    const struct clv_list *list, const uint8_t thumb[static 32])
{
	size_t i;

	for (i = 0; i < list->node_count; i++)
		if (has_thumb(list->nodes[i].party.thumb,
			list->nodes[i].next_thumb, thumb))
			return &list->nodes[i];
	return NULL;
}

struct clv_list_member *
clv_list_member_by_thumb(
    const struct clv_list *list, const uint8_t thumb[static 32])
{
	size_t i;

	for (i = 0; i < list->member_count; i++)
		if (has_thumb(list->members[i].party.thumb,
			list->members[i].next_thumb, thumb))
			return &list->members[i];
	return NULL;
}

const struct clv_list_generation *
clv_list_current(const struct clv_list *list)
{
	size_t i;

	for (i = 0; i < list->generation_count; i++)
		if (list->generations[i].state == CLV_GEN_CURRENT)
			return &list->generations[i];
	return NULL;
}

const struct clv_list_generation *
clv_list_generation(const struct clv_list *list, uint32_t number)
{
	size_t i;

	for (i = 0; i < list->generation_count; i++)
		if (list->generations[i].number == number)
			return &list->generations[i];
	return NULL;
}

int
clv_list_prove(const struct clv_list *list, const struct clv_keyring *k)
{
	const struct clv_list_generation *g = clv_list_current(list);
	uint8_t commitment[CLV_KEY_LEN];

	if (sodium_memcmp(list->system_id, clv_keyring_system_id(k),
		CLV_SYSTEM_ID_LEN) != 0)
		return CLV_E_WRONG_SYSTEM;
	if (g == NULL)
		return CLV_E_DAMAGED;
	if (clv_keyring_subkey(
		k, g->number, CLV_SUBKEY_COMMITMENT, commitment) != CLV_OK)
		return CLV_E_STALE;
	if (sodium_memcmp(commitment, g->commitment, CLV_KEY_LEN) != 0)
		return CLV_E_DAMAGED;
	return CLV_OK;
}

bool
clv_list_has_recovery(const struct clv_list *list)
{
	return !sodium_is_zero(list->recovery_pk, sizeof(list->recovery_pk));
}
