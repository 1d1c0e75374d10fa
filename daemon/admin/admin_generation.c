/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "daemon/admin/admin_run.h"
#include "daemon/rotate/refs.h"

/*
 * The end of a generation. Nothing may refer to it any more; then it leaves
 * the keyring, every node's copy is sealed anew without it, and the list says
 * that it is destroyed: each node takes it out of its memory for that.
 */

static struct clv_list_generation *
find(struct clv_list *list, uint32_t number)
{
	for (size_t i = 0; i < list->generation_count; i++)
		if (list->generations[i].number == number)
			return &list->generations[i];
	return NULL;
}

bool
admin_generation_is_destroyed(const struct clv_list *list, struct clv_rd *args)
{
	const struct clv_list_generation *g =
	    clv_list_generation(list, clv_rd_u32(args));

	return g != NULL && g->state == CLV_GEN_DESTROYED;
}

static int
may_go(struct admin_change *c, const struct clv_list_generation *g)
{
	const struct ref *ref = refs_find(c->refs, g->number);
	char why[256];

	if (g->state != CLV_GEN_RETIRED) {
		ADMIN_SAY(c, "generation %u is %s", g->number,
		    g->state == CLV_GEN_CURRENT
			? "current: claviger rotate makes another one"
			: "being made: claviger rotate goes on with it");
		return CLV_E_INVALID;
	}
	if (ref == NULL || !refs_why(ref, why, sizeof(why)))
		return CLV_OK;
	ADMIN_SAY(c,
	    "generation %u is still needed: %s refer to it; claviger "
	    "rotate shows whether they are being rewrapped",
	    g->number, why);
	return CLV_E_EXISTS;
}

static int
seal_without(struct admin_change *c, uint32_t number)
{
	int r = admin_keyring_copy(c, &c->new_keyring);

	if (r == CLV_OK)
		r = clv_keyring_drop(c->new_keyring, number);
	if (r == CLV_E_NOT_FOUND) /* restored without it */
		r = CLV_OK;
	if (r == CLV_OK)
		r = admin_seal_to_all(c);
	clv_keyring_free(&c->new_keyring); /* ours goes by the list's word */
	return r;
}

int
admin_generation_destroy(struct admin_change *c, struct clv_rd *args)
{
	uint32_t number = clv_rd_u32(args);
	struct clv_list_generation *g = find(c->next, number);
	int r;

	if (clv_rd_end(args) != CLV_OK)
		return CLV_E_PROTOCOL;
	if (g == NULL) {
		ADMIN_SAY(c, "there is no generation %u", number);
		return CLV_E_NOT_FOUND;
	}
	refs_format_backups(c->refs, number, &c->data);
	if (g->state == CLV_GEN_DESTROYED) {
		c->nothing = true;
		ADMIN_SAY(c, "generation %u is destroyed already", number);
		return clv_buf_result(&c->data);
	}
	r = may_go(c, g);
	if (r == CLV_OK)
		r = seal_without(c, number);
	if (r == CLV_OK)
		r = clv_buf_result(&c->data);
	g->state = CLV_GEN_DESTROYED;
	if (r == CLV_OK)
		ADMIN_SAY(c, "generation %u is destroyed", number);
	return r;
}

/* What refers to the generations, found out before the change. */

static void ask(struct admin *a);

static void
on_refs(struct keeper *k, void *arg, const struct db_result *r)
{
	struct admin *a = admin_still(k, arg);

	if (a == NULL)
		return;
	if (r->result != CLV_OK) {
		admin_end(a, r->result, r->text);
		return;
	}
	refs_take(a->refs, a->refs_step++, k->secret.list, k->system_pk, r);
	ask(a);
}

static void
ask(struct admin *a)
{
	enum clv_stmt stmt;

	if (refs_stmt(a->refs_step, &stmt))
		admin_call(a, stmt, NULL, 0, on_refs);
	else
		admin_change_build(a);
}

void
admin_generation_begin(struct admin *a)
{
	int r = refs_new(a->k->secret.list, &a->refs);

	if (r != CLV_OK) {
		admin_end(a, r, NULL);
		return;
	}
	if (role_serves(a->k->serving.state))
		refs_take_members(a->refs, a->k->live, loop_now_ms());
	a->refs_step = 0;
	a->change.refs = a->refs;
	ask(a);
}

/* Sealed copies of nodes that are enrolled no more: they hold it, too. */

static void
on_dropped(struct keeper *k, void *arg, const struct db_result *r)
{
	struct admin *a = admin_still(k, arg);

	if (a == NULL)
		return;
	switch (r->result) {
	case CLV_OK: admin_wait(a, ADMIN_STEP_PEERS, KEEPER_LATE_MS, 0); break;
	case CLV_E_UNKNOWN:
	case CLV_E_TIMEOUT:
	case CLV_E_DATABASE_AWAY:
		a->again = admin_generation_drop_copies;
		admin_wait(
		    a, ADMIN_STEP_RETRY, ADMIN_DEADLINE_MS, ADMIN_RETRY_MS);
		break;
	default:
		admin_end(a, r->result,
		    "it is done, but sealed copies that nobody may use any "
		    "more are still in the database: repeat the command");
	}
}

void
admin_generation_drop_copies(struct admin *a)
{
	const struct clv_list *list = a->k->secret.list;
	struct clv_buf keep;
	uint8_t epoch[8];
	struct clv_param p[3] = {
	    clv_param_u64(a->epoch, epoch),
	    {a->k->instance, sizeof(a->k->instance)},
	};

	clv_buf_init(&keep);
	clv_array_begin(&keep, CLV_ARRAY_INT8);
	for (size_t i = 0; i < list->node_count; i++)
		if (!list->nodes[i].revoked)
			clv_array_add_u64(&keep, list->nodes[i].number);
	if (clv_list_has_recovery(list))
		clv_array_add_u64(&keep, CLV_ESCROW_RECOVERY);
	p[2] = clv_param_array(&keep);
	if (clv_buf_result(&keep) == CLV_OK)
		admin_call(a, CLV_STMT_DROP_ESCROWS, p, 3, on_dropped);
	else
		admin_end(a, CLV_E_NOMEM, NULL);
	clv_buf_fini(&keep);
}
