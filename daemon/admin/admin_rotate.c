/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdio.h>

#include <claviger/result.h>

#include "daemon/admin/admin_ops.h"
#include "daemon/rotate/refs.h"

/*
 * A rotation in the list: a new generation is sealed to every server node
 * first, published once its backup is written, and when members have it it is
 * current, its predecessor retired.
 */

struct clv_list_generation *
admin_rotate_pending(const struct clv_list *list)
{
	for (size_t i = 0; i < list->generation_count; i++)
		if (list->generations[i].state < CLV_GEN_CURRENT)
			return &list->generations[i];
	return NULL;
}

int
admin_keyring_copy(struct admin_change *c, struct clv_keyring **ret)
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

int
admin_describe_generation(struct admin_change *c, uint32_t number)
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

static bool
is_sealed_to(const struct admin_change *c, const struct clv_list_node *n)
{
	return !n->revoked &&
	       (n->sealed || c->holds[n->number] || n->number == c->self ||
		   (c->refs != NULL && c->refs->has_copy[n->number]));
}

int
admin_seal_to_all(struct admin_change *c)
{
	int r = CLV_OK;

	for (size_t i = 0; r == CLV_OK && i < c->next->node_count; i++) {
		struct clv_list_node *n = &c->next->nodes[i];

		if (!is_sealed_to(c, n))
			continue;
		n->sealed = true;
		r = admin_seal_to(
		    c, c->new_keyring, n->number, n->party.box_pk);
	}
	if (r == CLV_OK && clv_list_has_recovery(c->next))
		r = admin_seal_to(c, c->new_keyring, CLV_ESCROW_RECOVERY,
		    c->next->recovery_pk);
	return r;
}

/* The signing key. */

/* The next one is in new_keyring, and the list says whom it follows. */
static int
announce(struct admin_change *c)
{
	struct clv_succession *s;
	int r;

	/* Without the first one nobody would know the system by it. */
	if (c->next->succession_count == CLV_SUCCESSIONS_MAX) {
		ADMIN_SAY(c,
		    "the signing key was changed %d times, and cannot be "
		    "changed again: make a new system, claviger init",
		    CLV_SUCCESSIONS_MAX);
		return CLV_E_FULL;
	}
	clv_keyring_add_next(c->new_keyring);
	s = clv_list_add_succession(c->next);
	r = s == NULL ? CLV_E_NOMEM : CLV_OK;
	if (r == CLV_OK)
		r = clv_succession_make(c->new_keyring, c->now_s, s);
	c->next->has_next_key = r == CLV_OK;
	return r;
}

/* Every copy is sealed anew, for it is signed; tokens name the key before. */
static int
hand_over(struct admin_change *c, uint32_t number)
{
	const struct clv_succession *s = clv_list_next_key(c->next);
	int r;

	if (s == NULL || s->generation != number)
		return CLV_OK;
	r = admin_keyring_copy(c, &c->new_keyring);
	if (r == CLV_OK)
		r = clv_keyring_follow(c->new_keyring, s->new_pk);
	if (r != CLV_OK)
		return r;
	c->next->has_next_key = false;
	/* One that was revoked meanwhile has that one, too. */
	if (number > c->next->lost_generation)
		c->next->sign_lost = false;
	c->next->token_count = 0;
	c->hands_over = true;
	return admin_seal_to_all(c);
}

/* Is the rotation that goes on one with a new signing key? */
static bool
is_signing(const struct clv_list *list, uint32_t number)
{
	size_t n = list->succession_count;

	return n > 0 && list->successions[n - 1].generation == number;
}

/* One that was begun before: what is left of it is done first. */
static bool
goes_on(struct admin_change *c)
{
	const struct clv_list_generation *g = admin_rotate_pending(c->next);
	bool alone = g == NULL; /* nothing is left for the caller to do */

	if (g == NULL && !c->rewrapping)
		return false;
	if (g == NULL)
		g = clv_list_current(c->next);
	else
		alone = g->state == CLV_GEN_PUBLISHED && c->serves;
	c->nothing = true;
	ADMIN_SAY(
	    c, "generation %u was begun before: going on with it", g->number);
	clv_buf_u32(&c->data, g->number);
	clv_buf_u8(&c->data, alone);
	return true;
}

static int
signing_goes_on(struct admin_change *c)
{
	const struct clv_list_generation *g = admin_rotate_pending(c->next);

	if (g == NULL)
		g = clv_list_current(c->next);
	if (c->op != ADMIN_ROTATE_SIGNING || is_signing(c->next, g->number))
		return clv_buf_result(&c->data);
	ADMIN_SAY(c,
	    "generation %u was begun without --signing-key, and is not through "
	    "yet: claviger rotate goes on with it; then repeat the command",
	    g->number);
	return CLV_E_EXISTS;
}

int
admin_rotate_begin(struct admin_change *c, struct clv_rd *args)
{
	uint32_t number;
	int r;

	if (clv_rd_end(args) != CLV_OK)
		return CLV_E_PROTOCOL;
	if (goes_on(c))
		return signing_goes_on(c);
	r = admin_keyring_copy(c, &c->new_keyring);
	if (r == CLV_OK)
		r = clv_keyring_add(c->new_keyring, &number);
	if (r == CLV_OK && c->op == ADMIN_ROTATE_SIGNING)
		r = announce(c);
	if (r == CLV_OK)
		r = admin_describe_generation(c, number);
	if (r == CLV_OK)
		r = admin_seal_to_all(c);
	if (r != CLV_OK)
		return r;
	clv_buf_u32(&c->data, number);
	clv_buf_u8(&c->data, false);
	r = clv_buf_result(&c->data);
	if (r == CLV_OK)
		ADMIN_SAY(
		    c, "generation %u is sealed to every server node", number);
	return r;
}

bool
admin_rotate_is_published(const struct clv_list *list, struct clv_rd *args)
{
	const struct clv_list_generation *g =
	    clv_list_generation(list, clv_rd_u32(args));

	return g != NULL && g->state >= CLV_GEN_PUBLISHED;
}

static int
make_current(struct admin_change *c, struct clv_list_generation *g)
{
	for (size_t i = 0; i < c->next->generation_count; i++)
		if (c->next->generations[i].state == CLV_GEN_CURRENT)
			c->next->generations[i].state = CLV_GEN_RETIRED;
	g->state = CLV_GEN_CURRENT;
	ADMIN_SAY(c, "generation %u is current", g->number);
	return hand_over(c, g->number);
}

/* Members fetch from an active server: without one nobody is asked to. */
static int
publish(struct admin_change *c, struct clv_list_generation *g)
{
	if (!c->serves)
		return make_current(c, g);
	c->nothing = g->state == CLV_GEN_PUBLISHED;
	g->state = CLV_GEN_PUBLISHED;
	ADMIN_SAY(c, "generation %u is published", g->number);
	return CLV_OK;
}

int
admin_rotate_finish(struct admin_change *c, struct clv_rd *args)
{
	uint32_t number = clv_rd_u32(args);
	struct clv_list_generation *g = admin_rotate_pending(c->next);

	clv_rd_str(args, c->backup_where, sizeof(c->backup_where));
	if (clv_rd_end(args) != CLV_OK)
		return CLV_E_PROTOCOL;
	clv_buf_u8(&c->data, c->serves);
	if (clv_list_current(c->next)->number == number) {
		c->nothing = true;
		ADMIN_SAY(c, "generation %u is current already", number);
		return CLV_OK;
	}
	if (g == NULL || g->number != number) {
		ADMIN_SAY(c, "generation %u is not being made", number);
		return CLV_E_NOT_FOUND;
	}
	c->backup_generation = number;
	return publish(c, g);
}

int
admin_rotate_current(struct admin_change *c, struct clv_rd *args)
{
	uint32_t number = clv_rd_u32(args);
	struct clv_list_generation *g = admin_rotate_pending(c->next);

	if (clv_rd_end(args) != CLV_OK)
		return CLV_E_PROTOCOL;
	if (g == NULL || g->number != number || g->state != CLV_GEN_PUBLISHED) {
		ADMIN_SAY(c, "generation %u is not published", number);
		return CLV_E_NOT_FOUND;
	}
	return make_current(c, g);
}

/* Before any key is rewrapped: afterwards it does not show any more which data
 * keys were made since. */
int
admin_rotate_reencrypt(struct admin_change *c, struct clv_rd *args)
{
	uint32_t number = clv_rd_u32(args);
	const struct clv_list_generation *g = admin_rotate_pending(c->next);

	if (clv_rd_end(args) != CLV_OK)
		return CLV_E_PROTOCOL;
	c->nothing = c->next->reencrypt == number;
	if (!c->nothing && (g == NULL || g->number != number)) {
		ADMIN_SAY(c,
		    "generation %u was made without --reencrypt, and it is too "
		    "late for that: when its keys are rewrapped, rotate once "
		    "more",
		    number);
		return CLV_E_EXISTS;
	}
	c->next->reencrypt = number;
	ADMIN_SAY(c, "generation %u comes with new data keys", number);
	return CLV_OK;
}

int
admin_rotate_reencrypted(struct admin_change *c, struct clv_rd *args)
{
	uint32_t number = clv_rd_u32(args);

	if (clv_rd_end(args) != CLV_OK)
		return CLV_E_PROTOCOL;
	c->nothing = c->next->reencrypt != number;
	if (!c->nothing)
		c->next->reencrypt = 0;
	if (!c->nothing && c->next->lost_generation < number)
		c->next->lost_generation = 0;
	ADMIN_SAY(c, "all records are under new data keys");
	return CLV_OK;
}
