/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <string.h>
#include <time.h>

#include "daemon/admin/admin_run.h"
#include "daemon/rotate/rewrap.h"

/*
 * From an administrative request to the change that it asks for: was it done
 * before, what does the database know of it, what will the list say.
 */

static void
backup_done(struct admin *a)
{
	char where[256];
	uint32_t generation;
	struct clv_rd args;

	clv_rd_init(&args, a->args, a->args_len);
	generation = clv_rd_u32(&args);
	clv_rd_str(&args, where, sizeof(where));
	if (clv_rd_end(&args) != CLV_OK)
		admin_end(a, CLV_E_PROTOCOL, NULL);
	else if (clv_list_generation(a->k->secret.list, generation) == NULL)
		admin_end(a, CLV_E_NOT_FOUND, "there is no such generation");
	else
		admin_write_backup(a, generation, where);
}

/* The next list, by a caller who may. */
static int
apply(struct admin *a)
{
	const struct auth_caller *caller = a->is_root ? NULL : &a->caller;
	const struct clv_list *list = a->k->secret.list;
	struct admin_change *c = &a->change;
	struct clv_rd args, same;
	int r;

	clv_rd_init(&args, a->args, a->args_len);
	same = args;
	r = admin_may(list, caller, a->op, &same, c->text);
	if (r == CLV_OK)
		r = clv_list_copy(list, &c->next);
	if (r != CLV_OK)
		return r;
	c->next->version++;
	c->next->epoch = a->epoch;
	r = admin_apply(c, &args);
	admin_token_expire(c->next, c->now_s);
	if (r == CLV_OK && !c->nothing)
		r = admin_locks_out(
		    list, c->next, caller, a->op, &same, c->text);
	return r;
}

void
admin_change_build(struct admin *a)
{
	struct keeper *k = a->k;
	struct admin_change *c = &a->change;
	struct rewrap_progress p;
	int r;

	for (unsigned i = 1; i <= CLV_LIST_NODES_MAX; i++)
		a->holds[i] = k->peers.of[i].generation > 0;
	c->op = a->op;
	c->self = k->node_number;
	c->now_s = (uint64_t)time(NULL);
	c->guard = k->guard;
	c->keyring = k->secret.keyring;
	c->holds = a->holds;
	rewrap_progress(k, &p);
	c->seen_list = serving_seen_list(k);
	c->db_list = k->db.list_version;
	c->seen_generation = k->serving.shown_generation;
	c->serves = role_serves(k->serving.state);
	c->rewrapping =
	    p.state == REWRAP_IS_RUNNING || p.state == REWRAP_IS_MAKING_KEYS;
	r = a->op == ADMIN_ROLLBACK
		? admin_rollback_refusal(k, c->text, sizeof(c->text))
		: CLV_OK;
	if (r != CLV_OK) {
		admin_end(a, r, NULL);
		return;
	}
	if (!secret_is_proven(k)) { /* revoked, it may be, in the meantime */
		admin_end(a, CLV_E_NOT_READY, k->secret.why);
		return;
	}
	r = apply(a);
	if (r == CLV_OK && !c->nothing)
		r = clv_list_sign(c->next,
		    c->hands_over ? c->new_keyring : k->secret.keyring,
		    &a->blob);
	if (r == CLV_E_NOT_FOUND && a->op == ADMIN_APP_REMOVE)
		admin_keys_drop_leftovers(a);
	else if (r == CLV_OK && c->nothing && a->op == ADMIN_GENERATION_DESTROY)
		admin_generation_drop_copies(a); /* perhaps that was not */
	else if (r != CLV_OK || c->nothing)
		admin_end(a, r, NULL);
	else if (a->op == ADMIN_ROTATE_FINISH)
		admin_wait(a, ADMIN_STEP_HOLDERS, ADMIN_DEADLINE_MS / 2, 0);
	else if (a->op == ADMIN_APP_ADD)
		admin_keys_init(a);
	else if (a->op == ADMIN_ROLLBACK)
		admin_rollback_write(a);
	else
		admin_write_list(a);
}

static void
on_joins(struct keeper *k, void *arg, const struct db_result *r)
{
	struct admin *a = admin_still(k, arg);
	char name[CLV_NAME_MAX];
	struct clv_rd args;

	if (a == NULL)
		return;
	if (r->result != CLV_OK) {
		admin_end(a, r->result, r->text);
		return;
	}
	clv_rd_init(&args, a->args, a->args_len);
	clv_rd_str(&args, name, sizeof(name));
	for (size_t i = 0; i < r->rows && !a->change.have_party; i++) {
		const struct db_field *f = db_field(r, i, 1);
		struct clv_party party;

		/* The body is signed and names itself; the row's name is only
		 * how it was found. */
		if (clv_party_parse(f->p, f->len, &party) != CLV_OK ||
		    strcmp(party.name, name) != 0)
			continue;
		a->change.party = party;
		a->change.have_party = true;
	}
	admin_change_build(a);
}

static void
finished_before(struct admin *a)
{
	const struct keeper *k = a->k;
	bool goes_on = role_serves(k->serving.state) ||
		       publish_find(k->secret.list) != NULL;

	clv_buf_u8(&a->change.data, goes_on);
	admin_end(a, clv_buf_result(&a->change.data),
	    "this operation was done before");
}

static void
token_before(struct admin *a)
{
	struct clv_buf *data = &a->change.data;
	struct clv_rd args;

	clv_rd_init(&args, a->args, a->args_len);
	admin_token_say(a->k->secret.list, &args, data);
	admin_end(a, clv_buf_result(data), "this operation was done before");
}

/* So says the database; whoever was revoked by its word alone would get keys
 * for ever. */
static void
done_before(struct admin *a)
{
	struct clv_rd args;

	a->change.again = true;
	clv_rd_init(&args, a->args, a->args_len);
	if (!admin_is_done(a->k->secret.list, a->op, &args))
		admin_end(a, CLV_E_MISMATCH,
		    "the database says that this was done before, but the "
		    "signed list does not show it: repeat the command");
	else if (a->op == ADMIN_ROTATE_BEGIN || a->op == ADMIN_ROTATE_SIGNING ||
		 a->op == ADMIN_CERT_NEXT)
		admin_change_build(a); /* it says what is under way */
	else if (a->op == ADMIN_ROTATE_FINISH)
		finished_before(a);
	else if (a->op == ADMIN_TOKEN_ADD)
		token_before(a);
	else if (a->op == ADMIN_GENERATION_DESTROY)
		admin_generation_begin(a);
	else if (a->op == ADMIN_APP_REMOVE)
		admin_keys_drop(a); /* perhaps that was not */
	else
		admin_end(a, CLV_OK, "this operation was done before");
}

/* Deleting what no list names writes no list: that second write alone says that
 * it was begun. A new application of that name is not meant any more. */
static void
on_drop_op(struct keeper *k, void *arg, const struct db_result *r)
{
	struct admin *a = admin_still(k, arg);

	if (a == NULL)
		return;
	if (r->result != CLV_OK)
		admin_end(a, r->result, r->text);
	else if (db_u64(r, 0, 0) != 0)
		done_before(a);
	else
		admin_change_build(a);
}

static void
was_drop_begun(struct admin *a)
{
	uint8_t id[16];
	struct clv_param p = {id, sizeof(id)};

	admin_keys_drop_id(a, id);
	admin_call(a, CLV_STMT_GET_OP, &p, 1, on_drop_op);
}

static void
on_op(struct keeper *k, void *arg, const struct db_result *r)
{
	struct admin *a = admin_still(k, arg);

	if (a == NULL)
		return;
	if (r->result != CLV_OK)
		admin_end(a, r->result, r->text);
	else if (db_u64(r, 0, 0) != 0)
		done_before(a);
	else if (a->op == ADMIN_GENERATION_DESTROY)
		admin_generation_begin(a);
	else if (a->op == ADMIN_CERT_NEXT || a->op == ADMIN_CERT_SWITCH)
		admin_cert_begin(a);
	else if (a->op == ADMIN_BACKUP_DONE)
		backup_done(a);
	else if (a->op == ADMIN_ROLLBACK_APP)
		admin_rollback_app(a);
	else if (a->op == ADMIN_APP_REMOVE)
		was_drop_begun(a);
	else if (a->op == ADMIN_NODE_APPROVE)
		admin_call(a, CLV_STMT_GET_JOINS, NULL, 0, on_joins);
	else
		admin_change_build(a);
}

void
admin_change_begin(struct admin *a)
{
	struct clv_param p = {a->id, sizeof(a->id)};

	admin_call(a, CLV_STMT_GET_OP, &p, 1, on_op);
}
