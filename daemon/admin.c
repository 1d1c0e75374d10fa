/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/admin_ops.h"
#include "daemon/keeper.h"
#include "daemon/log.h"
#include "daemon/record.h"

/*
 * One administrative operation from request to answer: authority (the active
 * server's epoch, or one borrowed for this operation when nobody is active),
 * the change as a new signed list, one guarded transaction, and then waiting
 * until every live server node has the list on disk.
 */

#define ADMIN_DEADLINE_MS 20000
#define ADMIN_TICK_MS 20
#define ADMIN_RETRY_MS 500

enum step {
	STEP_HELLO,   /* borrowing: what does the database say now */
	STEP_OTHER,   /* a statement or the witness is under way */
	STEP_RETRY,   /* outcome unknown: the same write again */
	STEP_HOLDERS, /* rotation: who has the new generation */
	STEP_PEERS    /* written: who has the list on disk */
};

struct admin {
	struct keeper *k;
	uintptr_t serial; /* which of all: what is under way for one that has
			   * ended must not be taken for the next one's */
	struct admin_origin from;
	enum step step;
	uint8_t op;
	uint8_t id[16];
	uint8_t args[ADMIN_REQUEST_MAX];
	size_t args_len;
	struct admin_change change;
	bool holds[CLV_LIST_NODES_MAX + 1];
	bool borrowed;
	bool doubt;  /* a write of ours may have landed, */
	int refused; /* though its repetition was refused */
	uint64_t epoch;
	uint64_t hellos; /* seen when it began */
	uint64_t until_ms;
	uint64_t step_until_ms;
	struct clv_buf blob;
	struct loop_timer *timer;
	/* how it ended */
	int result;
	bool waited; /* for the peers */
	char said[256];
};

static void on_tick(void *arg);
static void check_done(struct admin *a);

/* The answer. */

void
admin_answer(struct keeper *k, const struct admin_origin *to, int result,
    const char *text, const char *late, const struct clv_buf *data)
{
	struct clv_buf b;

	clv_buf_init(&b);
	clv_buf_u32(&b, (uint32_t)result);
	clv_buf_str(&b, text);
	clv_buf_str(&b, late);
	clv_buf_bytes(
	    &b, data != NULL ? data->data : NULL, data != NULL ? data->len : 0);
	if (to->remote)
		member_answer(k, &to->reply, result, text, b.data, b.len);
	else if (to->conn != NULL)
		control_admin_done(k, to->conn, result, b.data, b.len);
	clv_buf_fini(&b);
}

static void
answer_text(struct keeper *k, const struct admin_origin *to, int result,
    const char *text)
{
	admin_answer(k, to, result,
	    text[0] != '\0' ? text : clv_result_text(result), "", NULL);
}

static void
admin_free(struct admin *a)
{
	loop_timer_del(a->k->loop, &a->timer);
	clv_keyring_free(&a->change.new_keyring);
	clv_list_free(&a->change.next);
	clv_buf_fini(&a->change.escrow);
	clv_buf_fini(&a->change.data);
	clv_buf_fini(&a->blob);
	a->k->admin = NULL;
	sodium_memzero(a, sizeof(*a));
	free(a);
}

/* Ask the database on behalf of the operation; no timer is left that would
 * end it, for a statement always answers. */
static void
ask_database(struct admin *a, enum clv_stmt stmt, const struct clv_param *p,
    size_t n, db_fn fn)
{
	a->step = STEP_OTHER;
	loop_timer_del(a->k->loop, &a->timer);
	db_call(a->k, stmt, p, n, KEEPER_SQL_MS, fn, (void *)a->serial);
}

/* A result of the database for the operation under way, or NULL when that
 * operation has ended meanwhile. */
static struct admin *
still(struct keeper *k, void *arg)
{
	return k->admin != NULL && k->admin->serial == (uintptr_t)arg ? k->admin
								      : NULL;
}

static void
finish(struct admin *a)
{
	struct keeper *k = a->k;
	char late[512] = "";

	if (a->result == CLV_OK && a->waited)
		(void)witness_late(
		    k, k->secret.list->version, 0, late, sizeof(late));
	log_info("admin: %s%s%s", a->said,
	    late[0] != '\0' ? "; not yet on " : "", late);
	admin_answer(k, &a->from, a->result, a->said, late,
	    a->result == CLV_OK ? &a->change.data : NULL);
	admin_free(a);
}

static void
on_given_back(struct keeper *k, void *arg, const struct db_result *r)
{
	struct admin *a = still(k, arg);

	if (r->result != CLV_OK)
		log_debug("admin: epoch not given back: %s", r->text);
	if (a != NULL)
		finish(a);
}

/* The answer comes after the epoch was given back: whoever has it may end this
 * process, or go on at another node. */
static void
end(struct admin *a, int result, const char *text)
{
	uint8_t epoch[8];
	struct clv_param p[2] = {
	    clv_param_u64(a->epoch, epoch),
	    {a->k->instance, sizeof(a->k->instance)},
	};

	if (text == NULL)
		text = a->change.text;
	a->result = result;
	a->waited = a->step == STEP_PEERS;
	snprintf(a->said, sizeof(a->said), "%s",
	    text[0] != '\0' ? text : clv_result_text(result));
	if (!a->borrowed) {
		finish(a);
		return;
	}
	a->borrowed = false;
	ask_database(a, CLV_STMT_RELEASE, p, 2, on_given_back);
}

static void
tick(struct admin *a, enum step step, uint64_t for_ms, uint64_t every_ms)
{
	if (a->step != step)
		a->step_until_ms = loop_now_ms() + for_ms;
	a->step = step;
	(void)loop_timer_set(a->k->loop, &a->timer, every_ms, on_tick, a);
}

/* 4. Written: who has it? */

static bool
is_in_force(const struct admin *a)
{
	const struct clv_buf *ours = &a->k->secret.list_blob;

	return a->k->secret.list->version > a->change.next->version ||
	       (ours->len == a->blob.len &&
		   memcmp(ours->data, a->blob.data, ours->len) == 0);
}

static void
landed(struct admin *a)
{
	struct keeper *k = a->k;
	int r;

	r = secret_accept_list(k, a->blob.data, a->blob.len);
	/* It came by itself while the outcome was not known; or is it another
	 * one, in its place? */
	if (r == CLV_E_EXISTS && !is_in_force(a)) {
		end(a, CLV_E_MISMATCH,
		    "the database has taken another list of that version: "
		    "claviger doctor");
		return;
	}
	if (r == CLV_OK && a->change.new_keyring != NULL)
		r = secret_accept_keyring(k, &a->change.new_keyring);
	if (r != CLV_OK && r != CLV_E_EXISTS) {
		end(a, r,
		    "the change is in the database, but this node could "
		    "not store it: see its log");
		return;
	}
	secret_prove(k);
	tick(a, STEP_PEERS, KEEPER_LATE_MS, 0);
}

static void put_list(struct admin *a);

/* A repetition was refused: what came of the first try? */
static void
on_resolved(struct keeper *k, void *arg, const struct db_result *r)
{
	struct admin *a = still(k, arg);

	if (a == NULL)
		return;
	if (r->result == CLV_OK && db_u64(r, 0, 0) != 0)
		landed(a);
	else if (r->result == CLV_OK)
		end(a, a->refused, NULL);
	else
		end(a, CLV_E_UNKNOWN, r->text);
}

static void
resolve(struct admin *a, int refused)
{
	struct clv_param p = {a->id, sizeof(a->id)};

	a->refused = refused;
	snprintf(a->change.text, sizeof(a->change.text), "%s",
	    clv_result_text(refused));
	ask_database(a, CLV_STMT_GET_OP, &p, 1, on_resolved);
}

static void
on_put(struct keeper *k, void *arg, const struct db_result *r)
{
	struct admin *a = still(k, arg);

	if (a == NULL)
		return;
	switch (r->result) {
	case CLV_OK: landed(a); break;
	case CLV_E_UNKNOWN:
	case CLV_E_TIMEOUT:
		a->doubt = true;
		/* fall through */
	case CLV_E_DATABASE_AWAY:
		/* The operation's id makes the same write safe to repeat. */
		tick(a, STEP_RETRY, ADMIN_DEADLINE_MS, ADMIN_RETRY_MS);
		break;
	default:
		if (a->doubt)
			resolve(a, r->result);
		else
			end(a, r->result, r->text);
	}
}

static void
put_list(struct admin *a)
{
	const struct clv_list *next = a->change.next;
	uint8_t epoch[8], version[8], generation[8];
	struct clv_param p[8] = {
	    clv_param_u64(a->epoch, epoch),
	    {a->k->instance, sizeof(a->k->instance)},
	    {a->id, sizeof(a->id)},
	    clv_param_u64(next->version, version),
	    {a->blob.data, a->blob.len},
	    {a->change.escrow.data, a->change.escrow.len},
	    {a->change.drop_join, strlen(a->change.drop_join)},
	    clv_param_u64(clv_list_current(next)->number, generation),
	};

	ask_database(a, CLV_STMT_PUT_LIST, p, 8, on_put);
}

/* 3. The change. */

static int
backup_record(struct admin *a, uint32_t generation, const char *where,
    struct clv_buf *ret)
{
	struct record rec = {.generation = generation};

	memcpy(
	    rec.system_id, a->k->secret.list->system_id, sizeof(rec.system_id));
	snprintf(rec.where, sizeof(rec.where), "%s", where);
	rec.time_s = (uint64_t)time(NULL);
	return record_format(&rec, a->k->secret.keyring, ret);
}

static void
on_backup(struct keeper *k, void *arg, const struct db_result *r)
{
	struct admin *a = still(k, arg);

	if (a == NULL)
		return;
	if (r->result != CLV_OK)
		end(a, r->result, r->text);
	else if (a->op == ADMIN_BACKUP_DONE)
		end(a, CLV_OK, "the backup is recorded");
	else
		put_list(a);
}

static void
put_backup(struct admin *a, uint32_t generation, const char *where)
{
	uint8_t epoch[8], gen[8], id[16];
	struct clv_buf body;
	int r;

	/* A second write of one operation: an id of its own. */
	memcpy(id, a->id, sizeof(id));
	id[0] ^= a->op == ADMIN_BACKUP_DONE ? 0 : 0x80;
	clv_buf_init(&body);
	r = backup_record(a, generation, where, &body);
	if (r == CLV_OK) {
		struct clv_param p[5] = {
		    clv_param_u64(a->epoch, epoch),
		    {a->k->instance, sizeof(a->k->instance)},
		    {id, sizeof(id)},
		    clv_param_u64(generation, gen),
		    {body.data, body.len},
		};
		ask_database(a, CLV_STMT_PUT_BACKUP, p, 5, on_backup);
	} else {
		end(a, r, NULL);
	}
	clv_buf_fini(&body);
}

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
		end(a, CLV_E_PROTOCOL, NULL);
	else if (clv_list_generation(a->k->secret.list, generation) == NULL)
		end(a, CLV_E_NOT_FOUND, "there is no such generation");
	else
		put_backup(a, generation, where);
}

static void
build(struct admin *a)
{
	struct keeper *k = a->k;
	struct admin_change *c = &a->change;
	struct clv_rd args;
	int r;

	for (unsigned i = 1; i <= CLV_LIST_NODES_MAX; i++)
		a->holds[i] = k->witness.peers[i].generation > 0;
	c->op = a->op;
	c->self = k->node_number;
	c->guard = k->guard;
	c->keyring = k->secret.keyring;
	c->holds = a->holds;
	clv_rd_init(&args, a->args, a->args_len);
	if (!secret_is_proven(k)) { /* revoked, it may be, in the meantime */
		end(a, CLV_E_NOT_READY, k->secret.why);
		return;
	}
	r = clv_list_copy(k->secret.list, &c->next);
	if (r == CLV_OK) {
		c->next->version++;
		c->next->epoch = a->epoch;
		r = admin_apply(c, &args);
	}
	if (r == CLV_OK && !c->nothing)
		r = clv_list_sign(c->next, k->secret.keyring, &a->blob);
	if (r != CLV_OK || c->nothing)
		end(a, r, NULL);
	else if (a->op == ADMIN_ROTATE_FINISH)
		tick(a, STEP_HOLDERS, ADMIN_DEADLINE_MS / 2, 0);
	else
		put_list(a);
}

static void
on_joins(struct keeper *k, void *arg, const struct db_result *r)
{
	struct admin *a = still(k, arg);
	char name[CLV_NAME_MAX];
	struct clv_rd args;

	if (a == NULL)
		return;
	if (r->result != CLV_OK) {
		end(a, r->result, r->text);
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
	build(a);
}

/* So says the database; whoever was revoked by its word alone would get keys
 * for ever. */
static void
done_before(struct admin *a)
{
	struct clv_rd args;

	clv_rd_init(&args, a->args, a->args_len);
	if (!admin_is_done(a->k->secret.list, a->op, &args))
		end(a, CLV_E_MISMATCH,
		    "the database says that this was done before, but the "
		    "signed list does not show it: repeat the command");
	else if (a->op == ADMIN_ROTATE_BEGIN)
		build(a); /* it says which generation that is */
	else
		end(a, CLV_OK, "this operation was done before");
}

static void
on_op(struct keeper *k, void *arg, const struct db_result *r)
{
	struct admin *a = still(k, arg);

	if (a == NULL)
		return;
	if (r->result != CLV_OK)
		end(a, r->result, r->text);
	else if (db_u64(r, 0, 0) != 0)
		done_before(a);
	else if (a->op == ADMIN_BACKUP_DONE)
		backup_done(a);
	else if (a->op == ADMIN_NODE_APPROVE)
		ask_database(a, CLV_STMT_GET_JOINS, NULL, 0, on_joins);
	else
		build(a);
}

static void
check_done(struct admin *a)
{
	struct clv_param p = {a->id, sizeof(a->id)};

	ask_database(a, CLV_STMT_GET_OP, &p, 1, on_op);
}

/* 2. Authority. */

static void
on_taken(struct keeper *k, void *arg, const struct db_result *r)
{
	struct admin *a = still(k, arg);

	if (a == NULL)
		return;
	if (r->result != CLV_OK) {
		a->borrowed = true; /* perhaps: to be given back */
		end(a, r->result, r->text);
	} else if (db_u64(r, 0, 1) == 0) {
		end(a, CLV_E_STALE_EPOCH,
		    "another server took an epoch in "
		    "the meantime: try again");
	} else {
		a->borrowed = true;
		k->db.epoch = a->epoch;
		check_done(a);
	}
}

static void
on_borrow_witness(
    struct keeper *k, int result, uint64_t epoch, const char *text)
{
	struct admin *a = k->admin;
	uint8_t seen[8], new[8], holder[8], timeline[8], lease[8];
	struct clv_param p[6] = {
	    clv_param_u64(k->db.epoch, seen),
	    clv_param_u64(epoch, new),
	    clv_param_u64(k->node_number, holder),
	    {k->instance, sizeof(k->instance)},
	    clv_param_u64(k->db.timeline, timeline),
	    clv_param_u64(KEEPER_LEASE_MS, lease),
	};

	if (a == NULL)
		return;
	if (result != CLV_OK) {
		end(a, result, text);
		return;
	}
	a->epoch = epoch;
	ask_database(a, CLV_STMT_TAKE_EPOCH, p, 6, on_taken);
}

static void
borrow(struct admin *a)
{
	struct keeper *k = a->k;
	char text[160];

	/* Promoted in the meantime: an epoch of its own would depose us. */
	if (serving_in_lease(k)) {
		a->epoch = k->serving.epoch;
		check_done(a);
		return;
	}
	if (role_promoting(k->serving.state) || role_serves(k->serving.state)) {
		end(a, CLV_E_BUSY, "this node is being promoted: try again");
		return;
	}
	if (k->db.lease_until_ms > loop_now_ms() &&
	    k->db.holder != k->node_number) {
		snprintf(text, sizeof(text), "%s is the active server",
		    keeper_node_name(k, k->db.holder));
		end(a, CLV_E_NOT_ACTIVE, text);
		return;
	}
	/* It serves without a lease: an epoch taken here would depose it. */
	if (witness_serving(k) != 0) {
		snprintf(text, sizeof(text),
		    "%s is the active server, and has no lease at the moment: "
		    "try again",
		    keeper_node_name(k, witness_serving(k)));
		end(a, CLV_E_BUSY, text);
		return;
	}
	a->step = STEP_OTHER;
	loop_timer_del(k->loop, &a->timer);
	witness_raise(k, true, on_borrow_witness);
}

static void
on_tick(void *arg)
{
	struct admin *a = arg;
	struct keeper *k = a->k;
	uint64_t now = loop_now_ms();
	bool over = now >= a->step_until_ms || now >= a->until_ms;
	char names[512];
	unsigned live;

	switch (a->step) {
	case STEP_HELLO:
		if (k->db.hellos > a->hellos && !k->secret.fetching)
			borrow(a);
		else if (over)
			end(a, CLV_E_DATABASE_AWAY, k->db.why);
		else
			tick(a, STEP_HELLO, 0, ADMIN_TICK_MS);
		break;
	case STEP_RETRY:
		if (over)
			end(a, CLV_E_UNKNOWN,
			    "the database went away during "
			    "the write: look with claviger status before "
			    "trying again");
		else
			put_list(a);
		break;
	case STEP_HOLDERS:
		live = witness_late(
		    k, 0, a->change.backup_generation, names, sizeof(names));
		if (live == 0 && witness_held(k, a->change.backup_generation))
			put_backup(a, a->change.backup_generation,
			    a->change.backup_where);
		else if (over)
			end(a, CLV_E_NOT_READY,
			    "live server nodes have not "
			    "opened the new generation yet: try again");
		else
			tick(a, STEP_HOLDERS, 0, ADMIN_TICK_MS);
		break;
	case STEP_PEERS:
		live = witness_late(
		    k, k->secret.list->version, 0, names, sizeof(names));
		if (live == 0 || over)
			end(a, CLV_OK, NULL);
		else
			tick(a, STEP_PEERS, 0, ADMIN_TICK_MS);
		break;
	case STEP_OTHER: end(a, CLV_E_TIMEOUT, NULL); break;
	}
}

void
admin_on_peers(struct keeper *k)
{
	struct admin *a = k->admin;

	if (a != NULL && (a->step == STEP_PEERS || a->step == STEP_HOLDERS))
		on_tick(a);
}

/* 1. The request. */

static int
refuse_reason(struct keeper *k, const char **why)
{
	*why = k->db.why;
	if (k->secret.keyring == NULL && k->identity != NULL && !k->db.known)
		return db_problem(k);
	*why = k->secret.why;
	if (k->secret.keyring == NULL || !secret_is_proven(k))
		return CLV_E_NO_SECRET;
	*why = "another administrative operation is under way";
	if (k->admin != NULL || role_promoting(k->serving.state))
		return CLV_E_BUSY;
	*why = "newer state than the database's has been seen";
	if (serving_read_only(k))
		return CLV_E_STALE;
	*why = "the cluster has no quorum";
	if (!witness_quorate(k))
		return CLV_E_NO_QUORUM;
	*why = k->db.why;
	if (!k->db.up || !k->db.known)
		return db_problem(k);
	*why = "this server has no lease at the moment: try again";
	if (role_serves(k->serving.state) && !serving_in_lease(k))
		return CLV_E_BUSY;
	return CLV_OK;
}

static void
begin_write(struct keeper *k, const struct admin_origin *from, uint8_t op,
    const uint8_t id[static 16], const struct clv_rd *args)
{
	struct admin *a;
	const char *why;
	int r = refuse_reason(k, &why);

	if (r != CLV_OK) {
		answer_text(k, from, r, why);
		return;
	}
	a = calloc(1, sizeof(*a));
	if (a == NULL) {
		answer_text(k, from, CLV_E_NOMEM, "");
		return;
	}
	k->admin = a;
	a->k = k;
	a->serial = ++k->admin_serial;
	a->from = *from;
	a->op = op;
	memcpy(a->id, id, sizeof(a->id));
	memcpy(a->args, args->p, args->len);
	a->args_len = args->len;
	a->until_ms = loop_now_ms() + ADMIN_DEADLINE_MS;
	a->hellos = k->db.hellos;
	a->step = STEP_OTHER;
	clv_buf_init(&a->blob);
	clv_buf_init(&a->change.escrow);
	clv_buf_init(&a->change.data);
	if (serving_in_lease(k)) {
		a->epoch = k->serving.epoch;
		check_done(a);
		return;
	}
	db_poll_soon(k);
	tick(a, STEP_HELLO, KEEPER_SQL_MS, ADMIN_TICK_MS);
}

void
admin_request(struct keeper *k, const struct admin_origin *from, const void *p,
    size_t len)
{
	struct clv_rd r;
	uint8_t op, id[16];

	clv_rd_init(&r, p, len);
	op = clv_rd_u8(&r);
	clv_rd_copy(&r, id, sizeof(id));
	if (r.failed || len > ADMIN_REQUEST_MAX)
		answer_text(k, from, CLV_E_PROTOCOL, "");
	else if (op == ADMIN_JOINS || op == ADMIN_BACKUPS)
		admin_ask(k, from, op);
	else
		begin_write(k, from, op, id, &r);
}

void
admin_on_hang_up(struct keeper *k, struct control_conn *conn)
{
	/* The operation goes on; only nobody hears how it ended. */
	if (k->admin != NULL && k->admin->from.conn == conn)
		k->admin->from.conn = NULL;
	admin_ask_on_hang_up(k, conn);
}

void
admin_fini(struct keeper *k)
{
	if (k->admin != NULL)
		admin_free(k->admin);
	admin_ask_fini(k);
}
