/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <arpa/inet.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <claviger/age.h>
#include <claviger/result.h>

#include "daemon/admin_ops.h"

#define SAY(c, ...) snprintf((c)->text, sizeof((c)->text), __VA_ARGS__)

static int
seal_to(struct admin_change *c, const struct clv_keyring *k, uint8_t number,
    const uint8_t box_pk[static 32])
{
	struct clv_buf row;
	int r;

	clv_buf_init(&row);
	r = clv_escrow_seal(c->guard, k, number, box_pk, &row);
	if (r == CLV_OK)
		clv_buf_bytes(&c->escrow, row.data, row.len);
	clv_buf_fini(&row);
	return r != CLV_OK ? r : clv_buf_result(&c->escrow);
}

/* Nodes. */

static bool
same_keys(const struct clv_party *a, const struct clv_party *b)
{
	return sodium_memcmp(a->sign_pk, b->sign_pk, sizeof(a->sign_pk)) == 0 &&
	       sodium_memcmp(a->box_pk, b->box_pk, sizeof(a->box_pk)) == 0 &&
	       sodium_memcmp(a->thumb, b->thumb, sizeof(a->thumb)) == 0;
}

static uint8_t
next_number(const struct clv_list *list)
{
	uint8_t highest = 0;

	for (size_t i = 0; i < list->node_count; i++)
		if (list->nodes[i].number > highest)
			highest = list->nodes[i].number;
	return highest == 255 ? 0 : (uint8_t)(highest + 1);
}

static int
node_entry(struct admin_change *c, const char *name, struct clv_list_node **ret)
{
	struct clv_list_node *n = clv_list_node_by_name(c->next, name);
	uint8_t number = next_number(c->next);

	if (n != NULL && !n->revoked && !same_keys(&n->party, &c->party)) {
		SAY(c,
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
		SAY(c,
		    "255 server nodes have been enrolled: no number is left");
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

static int
node_approve(struct admin_change *c, struct clv_rd *args)
{
	char name[CLV_NAME_MAX], given[128], found[CLV_FINGERPRINT_TEXT];
	struct clv_list_node *n;
	int r;

	clv_rd_str(args, name, sizeof(name));
	clv_rd_str(args, given, sizeof(given));
	if (clv_rd_end(args) != CLV_OK)
		return CLV_E_PROTOCOL;
	if (!c->have_party) {
		SAY(c,
		    "no join request of %s is in the database: run claviger "
		    "join --server there",
		    name);
		return CLV_E_NOT_FOUND;
	}
	clv_party_fingerprint(&c->party, found);
	if (strlen(given) != strlen(found) ||
	    sodium_memcmp(given, found, strlen(found)) != 0) {
		SAY(c,
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
	if (c->next->escrow_policy == CLV_ESCROW_MANUAL) {
		SAY(c,
		    "%s is enrolled; policy manual: nothing was sealed, run "
		    "claviger restore FILE there",
		    name);
		return CLV_OK;
	}
	n->sealed = true;
	SAY(c, "%s is enrolled and the keyring is sealed to it", name);
	return seal_to(c, c->keyring, n->number, n->party.box_pk);
}

static int
node_revoke(struct admin_change *c, struct clv_rd *args)
{
	char name[CLV_NAME_MAX];
	struct clv_list_node *n;

	clv_rd_str(args, name, sizeof(name));
	if (clv_rd_end(args) != CLV_OK)
		return CLV_E_PROTOCOL;
	n = clv_list_node_by_name(c->next, name);
	if (n == NULL) {
		SAY(c, "no server node %s is enrolled", name);
		return CLV_E_NOT_FOUND;
	}
	if (n->number == c->self) {
		SAY(c,
		    "%s carries out this command: run it on another server "
		    "node",
		    name);
		return CLV_E_DENIED;
	}
	c->nothing = n->revoked;
	n->revoked = true;
	SAY(c, "%s is revoked; it has held the master secret: claviger rotate",
	    name);
	return CLV_OK;
}

/* Members. */

static bool
scope_is_valid(const char *scope)
{
	char copy[CLV_SCOPE_MAX], *save = NULL, *app;

	if (strcmp(scope, "all") == 0)
		return true;
	if (scope[0] == '\0' || scope[0] == ',' ||
	    scope[strlen(scope) - 1] == ',' || strstr(scope, ",,") != NULL)
		return false;
	snprintf(copy, sizeof(copy), "%s", scope);
	for (app = strtok_r(copy, ",", &save); app != NULL;
	     app = strtok_r(NULL, ",", &save))
		if (strcmp(app, "all") == 0 || clv_name_check(app) != CLV_OK)
			return false;
	return true;
}

static int
member_read(
    struct admin_change *c, struct clv_rd *args, struct clv_list_member *m)
{
	memset(m, 0, sizeof(*m));
	clv_rd_str(args, m->party.name, sizeof(m->party.name));
	clv_rd_copy(args, m->party.thumb, sizeof(m->party.thumb));
	clv_rd_copy(args, m->party.box_pk, sizeof(m->party.box_pk));
	clv_rd_copy(args, m->party.sign_pk, sizeof(m->party.sign_pk));
	clv_rd_str(args, m->scope, sizeof(m->scope));
	if (clv_rd_end(args) != CLV_OK)
		return CLV_E_PROTOCOL;
	if (clv_name_check(m->party.name) != CLV_OK) {
		SAY(c, "a host name is 1 to 64 of letters, digits, '.', '_' "
		       "and '-'");
		return CLV_E_INVALID;
	}
	if (!scope_is_valid(m->scope)) {
		SAY(c, "a scope is \"all\" or application names joined by ','");
		return CLV_E_INVALID;
	}
	return CLV_OK;
}

static int
member_add(struct admin_change *c, struct clv_rd *args)
{
	struct clv_list_member new, *old;
	const char *name = new.party.name;
	int r;

	r = member_read(c, args, &new);
	if (r != CLV_OK)
		return r;
	old = clv_list_member_by_name(c->next, name);
	if (clv_list_node_by_name(c->next, name) != NULL) {
		SAY(c, "%s is a server node, and as such a member already",
		    name);
		return CLV_E_EXISTS;
	}
	if (clv_list_member_by_thumb(c->next, new.party.thumb) != NULL &&
	    (old == NULL || !old->revoked)) {
		SAY(c, "this certificate is enrolled already: claviger member "
		       "list");
		return CLV_E_EXISTS;
	}
	if (old != NULL && !old->revoked) {
		SAY(c,
		    "%s is enrolled already: claviger member revoke %s "
		    "first",
		    name, name);
		return CLV_E_EXISTS;
	}
	if (old == NULL)
		old = clv_list_add_member(c->next);
	if (old == NULL)
		return CLV_E_FULL;
	*old = new;
	SAY(c, "%s is enrolled with scope %.100s", name, new.scope);
	return CLV_OK;
}

static int
member_revoke(struct admin_change *c, struct clv_rd *args)
{
	char name[CLV_NAME_MAX];
	struct clv_list_member *m;

	clv_rd_str(args, name, sizeof(name));
	if (clv_rd_end(args) != CLV_OK)
		return CLV_E_PROTOCOL;
	m = clv_list_member_by_name(c->next, name);
	if (m == NULL) {
		SAY(c, "no member %s is enrolled", name);
		return CLV_E_NOT_FOUND;
	}
	c->nothing = m->revoked;
	m->revoked = true;
	SAY(c, "%s is revoked; it could read: %.120s", name, m->scope);
	return CLV_OK;
}

/* Settings. */

static int
set_policy(struct admin_change *c, const char *value)
{
	if (strcmp(value, "auto") == 0)
		c->next->escrow_policy = CLV_ESCROW_AUTO;
	else if (strcmp(value, "manual") == 0)
		c->next->escrow_policy = CLV_ESCROW_MANUAL;
	else
		return CLV_E_INVALID;
	return CLV_OK;
}

static int
set_address(struct admin_change *c, const char *value)
{
	uint8_t raw[16];

	if (inet_pton(AF_INET, value, raw) != 1 &&
	    inet_pton(AF_INET6, value, raw) != 1)
		return CLV_E_INVALID;
	snprintf(c->next->address, sizeof(c->next->address), "%s", value);
	return CLV_OK;
}

static int
set_port(struct admin_change *c, const char *value)
{
	char *end;
	unsigned long port = strtoul(value, &end, 10);

	if (value[0] == '\0' || *end != '\0' || port < 1 || port > 65535)
		return CLV_E_INVALID;
	c->next->port = (uint16_t)port;
	return CLV_OK;
}

static int
set_network_name(struct admin_change *c, const char *value)
{
	size_t len = strlen(value);

	if (len < 1 || len >= sizeof(c->next->network_name) ||
	    strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			  "0123456789.-") != len)
		return CLV_E_INVALID;
	snprintf(
	    c->next->network_name, sizeof(c->next->network_name), "%s", value);
	return CLV_OK;
}

static const struct {
	const char *key;
	const char *values;
	int (*set)(struct admin_change *, const char *);
} settings[] = {
    {"escrow_policy", "auto or manual", set_policy},
    {"network_name", "a host name", set_network_name},
    {"address", "a numeric address", set_address},
    {"port", "1 to 65535", set_port},
};

static int
setting(struct admin_change *c, struct clv_rd *args)
{
	char key[64], value[256];
	int r;

	clv_rd_str(args, key, sizeof(key));
	clv_rd_str(args, value, sizeof(value));
	if (clv_rd_end(args) != CLV_OK)
		return CLV_E_PROTOCOL;
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		if (strcmp(settings[i].key, key) != 0)
			continue;
		r = settings[i].set(c, value);
		if (r == CLV_OK)
			SAY(c, "%s = %.180s", key, value);
		else
			SAY(c, "%s takes %s", key, settings[i].values);
		return r;
	}
	SAY(c, "unknown setting %s: escrow_policy, network_name, address, port",
	    key);
	return CLV_E_INVALID;
}

/* Generations. */

static struct clv_list_generation *
pending(const struct clv_list *list)
{
	for (size_t i = 0; i < list->generation_count; i++)
		if (list->generations[i].state < CLV_GEN_CURRENT)
			return &list->generations[i];
	return NULL;
}

static int
keyring_copy(struct admin_change *c, struct clv_keyring **ret)
{
	char *text = NULL;
	size_t len;
	int r;

	r = clv_keyring_format(c->keyring, &text, &len);
	if (r == CLV_OK)
		r = clv_keyring_parse(c->guard, text, len, ret);
	clv_guard_put(c->guard, text);
	return r;
}

static int
describe_generation(struct admin_change *c, uint32_t number)
{
	struct clv_list_generation *g = clv_list_add_generation(c->next);
	uint8_t *key = clv_guard_get(c->guard, CLV_KEY_LEN);
	int r = CLV_E_NOMEM;

	if (g == NULL || key == NULL)
		goto out;
	g->number = number;
	g->state = CLV_GEN_ESCROWED;
	r = clv_keyring_subkey(
	    c->new_keyring, number, CLV_SUBKEY_COMMITMENT, g->commitment);
	if (r == CLV_OK)
		r = clv_keyring_subkey(
		    c->new_keyring, number, CLV_SUBKEY_DISTRIBUTION, key);
	if (r == CLV_OK)
		clv_key_check(key, g->check);
out:
	clv_guard_put(c->guard, key);
	return r;
}

static int
seal_to_all(struct admin_change *c)
{
	int r = CLV_OK;

	for (size_t i = 0; r == CLV_OK && i < c->next->node_count; i++) {
		struct clv_list_node *n = &c->next->nodes[i];

		if (n->revoked ||
		    !(n->sealed || c->holds[n->number] || n->number == c->self))
			continue;
		n->sealed = true;
		r = seal_to(c, c->new_keyring, n->number, n->party.box_pk);
	}
	return r;
}

static int
rotate_begin(struct admin_change *c, struct clv_rd *args)
{
	uint32_t number;
	int r;

	if (clv_rd_end(args) != CLV_OK)
		return CLV_E_PROTOCOL;
	if (pending(c->next) != NULL) { /* one that was begun before */
		c->nothing = true;
		number = pending(c->next)->number;
		SAY(c, "generation %u was begun before: going on with it",
		    number);
		clv_buf_u32(&c->data, number);
		return clv_buf_result(&c->data);
	}
	r = keyring_copy(c, &c->new_keyring);
	if (r == CLV_OK)
		r = clv_keyring_add(c->new_keyring, &number);
	if (r == CLV_OK)
		r = describe_generation(c, number);
	if (r == CLV_OK)
		r = seal_to_all(c);
	if (r != CLV_OK)
		return r;
	clv_buf_u32(&c->data, number);
	r = clv_buf_result(&c->data);
	if (r == CLV_OK)
		SAY(c, "generation %u is sealed to every server node", number);
	return r;
}

static int
rotate_finish(struct admin_change *c, struct clv_rd *args)
{
	uint32_t number = clv_rd_u32(args);
	struct clv_list_generation *g = pending(c->next);

	clv_rd_str(args, c->backup_where, sizeof(c->backup_where));
	if (clv_rd_end(args) != CLV_OK)
		return CLV_E_PROTOCOL;
	if (clv_list_current(c->next)->number == number) {
		c->nothing = true;
		SAY(c, "generation %u is current already", number);
		return CLV_OK;
	}
	if (g == NULL || g->number != number) {
		SAY(c, "generation %u is not being made", number);
		return CLV_E_NOT_FOUND;
	}
	for (size_t i = 0; i < c->next->generation_count; i++)
		if (c->next->generations[i].state == CLV_GEN_CURRENT)
			c->next->generations[i].state = CLV_GEN_RETIRED;
	g->state = CLV_GEN_CURRENT;
	c->backup_generation = number;
	SAY(c, "generation %u is current", number);
	return CLV_OK;
}

/* What shows that a request was carried out. */

static bool
node_is(const struct clv_list *list, struct clv_rd *args, bool revoked)
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

static bool
member_is_added(const struct clv_list *list, struct clv_rd *args)
{
	struct admin_change c = {.op = ADMIN_MEMBER_ADD};
	const struct clv_list_member *m;
	struct clv_list_member new;

	if (member_read(&c, args, &new) != CLV_OK)
		return false;
	m = clv_list_member_by_name(list, new.party.name);
	return m != NULL && !m->revoked && same_keys(&m->party, &new.party) &&
	       strcmp(m->scope, new.scope) == 0;
}

static bool
member_is_revoked(const struct clv_list *list, struct clv_rd *args)
{
	char name[CLV_NAME_MAX];
	const struct clv_list_member *m;

	clv_rd_str(args, name, sizeof(name));
	m = clv_list_member_by_name(list, name);
	return clv_rd_end(args) == CLV_OK && m != NULL && m->revoked;
}

static bool
setting_is(const struct clv_list *list, struct clv_rd *args)
{
	struct clv_list copy = *list; /* its arrays are not touched */
	struct admin_change c = {.op = ADMIN_SETTING, .next = &copy};

	return setting(&c, args) == CLV_OK &&
	       copy.escrow_policy == list->escrow_policy &&
	       copy.port == list->port &&
	       strcmp(copy.address, list->address) == 0 &&
	       strcmp(copy.network_name, list->network_name) == 0;
}

bool
admin_is_done(const struct clv_list *list, uint8_t op, struct clv_rd *args)
{
	switch ((enum admin_op)op) {
	case ADMIN_NODE_APPROVE: return node_is(list, args, false);
	case ADMIN_NODE_REVOKE: return node_is(list, args, true);
	case ADMIN_MEMBER_ADD: return member_is_added(list, args);
	case ADMIN_MEMBER_REVOKE: return member_is_revoked(list, args);
	case ADMIN_SETTING: return setting_is(list, args);
	case ADMIN_BACKUP_DONE: return true;
	case ADMIN_ROTATE_BEGIN: return pending(list) != NULL;
	case ADMIN_ROTATE_FINISH:
		return clv_list_current(list)->number >= clv_rd_u32(args);
	case ADMIN_JOINS:
	case ADMIN_BACKUPS: break;
	}
	return false;
}

int
admin_apply(struct admin_change *c, struct clv_rd *args)
{
	switch ((enum admin_op)c->op) {
	case ADMIN_NODE_APPROVE: return node_approve(c, args);
	case ADMIN_NODE_REVOKE: return node_revoke(c, args);
	case ADMIN_MEMBER_ADD: return member_add(c, args);
	case ADMIN_MEMBER_REVOKE: return member_revoke(c, args);
	case ADMIN_SETTING: return setting(c, args);
	case ADMIN_ROTATE_BEGIN: return rotate_begin(c, args);
	case ADMIN_ROTATE_FINISH: return rotate_finish(c, args);
	case ADMIN_BACKUP_DONE:
	case ADMIN_JOINS:
	case ADMIN_BACKUPS: break;
	}
	return CLV_E_PROTOCOL;
}
