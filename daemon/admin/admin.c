/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/admin/admin_run.h"
#include "daemon/base/log.h"
#include "daemon/rotate/refs.h"

/*
 * The life of one administrative operation, from request to answer: authority
 * (the active server's epoch, or one borrowed when nobody is active:
 * admin_borrow.c), the change as a new signed list (admin_change.c), one
 * guarded transaction (admin_write.c), and then waiting until every live
 * server node has the list on disk.
 */

static void on_tick(void *arg);

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
	else if (to->done != NULL)
		to->done(k, to->arg, result, b.data, b.len);
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
	refs_free(&a->refs);
	admin_rollback_free(a->k, &a->rollback);
	auth_caller_fini(&a->caller);
	a->k->admin = NULL;
	sodium_memzero(a, sizeof(*a));
	free(a);
}

void
admin_call(struct admin *a, enum clv_stmt stmt, const struct clv_param *p,
    size_t n, db_fn fn)
{
	a->step = ADMIN_STEP_OTHER;
	loop_timer_del(a->k->loop, &a->timer);
	db_call(a->k, stmt, p, n, KEEPER_SQL_MS, fn, (void *)a->serial);
}

struct admin *
admin_still(struct keeper *k, void *arg)
{
	return k->admin != NULL && k->admin->serial == (uintptr_t)arg ? k->admin
								      : NULL;
}

/* Another node does it, or nothing has begun: no more than a question. */
static void
record(const struct admin *a)
{
	struct clv_rd args;

	if (a->result == CLV_E_NOT_ACTIVE || a->result == CLV_E_BUSY)
		return;
	clv_rd_init(&args, a->args, a->args_len);
	audit_admin(a->k, a->who, a->op, &args, a->result, a->said, a->epoch);
}

static void
finish(struct admin *a)
{
	struct keeper *k = a->k;
	char late[512] = "";

	if (a->result == CLV_OK && a->waited)
		(void)peers_late(
		    k, k->secret.list->version, 0, late, sizeof(late));
	log_info("admin: %s%s%s", a->said,
	    late[0] != '\0' ? "; not yet on " : "", late);
	record(a);
	admin_answer(k, &a->from, a->result, a->said, late,
	    a->result == CLV_OK ? &a->change.data : NULL);
	admin_free(a);
}

static void
on_given_back(struct keeper *k, void *arg, const struct db_result *r)
{
	struct admin *a = admin_still(k, arg);

	if (r->result != CLV_OK)
		log_debug("admin: epoch not given back: %s", r->text);
	if (a != NULL)
		finish(a);
}

/* The answer comes after the epoch was given back: whoever has it may end this
 * process, or go on at another node. */
void
admin_end(struct admin *a, int result, const char *text)
{
	uint8_t epoch[8];
	struct clv_param p[2] = {
	    clv_param_u64(a->epoch, epoch),
	    {a->k->instance, sizeof(a->k->instance)},
	};

	if (text == NULL)
		text = a->change.text;
	a->result = result;
	a->waited = a->step == ADMIN_STEP_PEERS;
	snprintf(a->said, sizeof(a->said), "%s",
	    text[0] != '\0' ? text : clv_result_text(result));
	if (!a->borrowed) {
		finish(a);
		return;
	}
	a->borrowed = false;
	admin_call(a, CLV_STMT_RELEASE, p, 2, on_given_back);
}

void
admin_wait(
    struct admin *a, enum admin_step step, uint64_t for_ms, uint64_t every_ms)
{
	if (a->step != step)
		a->step_until_ms = loop_now_ms() + for_ms;
	a->step = step;
	(void)loop_timer_set(a->k->loop, &a->timer, every_ms, on_tick, a);
}

/* Waiting. */

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
	case ADMIN_STEP_HELLO:
		if (k->db.hellos > a->hellos && !k->secret.fetching)
			admin_borrow(a);
		else if (over)
			admin_end(a, CLV_E_DATABASE_AWAY, k->db.why);
		else
			admin_wait(a, ADMIN_STEP_HELLO, 0, ADMIN_TICK_MS);
		break;
	case ADMIN_STEP_RETRY:
		if (over)
			admin_end(a, CLV_E_UNKNOWN,
			    "the database went away during "
			    "the write: look with claviger status before "
			    "trying again");
		else
			a->again(a);
		break;
	case ADMIN_STEP_HOLDERS:
		live = peers_late(
		    k, 0, a->change.backup_generation, names, sizeof(names));
		if (live == 0 && peers_hold(k, a->change.backup_generation))
			admin_write_backup(a, a->change.backup_generation,
			    a->change.backup_where);
		else if (over)
			admin_end(a, CLV_E_NOT_READY,
			    "live server nodes have not "
			    "opened the new generation yet: try again");
		else
			admin_wait(a, ADMIN_STEP_HOLDERS, 0, ADMIN_TICK_MS);
		break;
	case ADMIN_STEP_PEERS:
		live = peers_late(
		    k, k->secret.list->version, 0, names, sizeof(names));
		if (live == 0 || over)
			admin_end(a, CLV_OK, NULL);
		else
			admin_wait(a, ADMIN_STEP_PEERS, 0, ADMIN_TICK_MS);
		break;
	case ADMIN_STEP_OTHER: admin_end(a, CLV_E_TIMEOUT, NULL); break;
	}
}

void
admin_on_peers(struct keeper *k)
{
	struct admin *a = k->admin;

	if (a != NULL &&
	    (a->step == ADMIN_STEP_PEERS || a->step == ADMIN_STEP_HOLDERS))
		on_tick(a);
}

/* The request. */

/* What ends the state of being read-only is done in it. */
static bool
may_write(const struct keeper *k, uint8_t op)
{
	return op == ADMIN_ROLLBACK || !serving_read_only(k);
}

static bool
is_active(const struct keeper *k, uint8_t op)
{
	return serving_has_lease(k) && may_write(k, op);
}

static int
refuse_reason(struct keeper *k, uint8_t op, const char **why)
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
	if (!may_write(k, op))
		return CLV_E_STALE;
	*why = "the cluster has no quorum";
	if (!witness_quorate(k))
		return CLV_E_NO_QUORUM;
	*why = k->db.why;
	if (!k->db.up || !k->db.known)
		return db_problem(k);
	*why = "this server has no lease at the moment: try again";
	if (role_serves(k->serving.state) && !is_active(k, op))
		return CLV_E_BUSY;
	return CLV_OK;
}

static void
begin_write(struct keeper *k, const struct admin_origin *from, uint8_t op,
    const uint8_t id[static 16], const struct clv_rd *args)
{
	struct admin *a;
	const char *why;
	int r = refuse_reason(k, op, &why);

	if (r != CLV_OK) {
		answer_text(k, from, r, why);
		return;
	}
	a = calloc(1, sizeof(*a));
	if (a == NULL) {
		answer_text(k, from, CLV_E_NOMEM, "");
		return;
	}
	a->is_root = from->caller == NULL;
	if (!a->is_root &&
	    auth_caller_copy(from->caller, &a->caller) != CLV_OK) {
		free(a);
		answer_text(k, from, CLV_E_NOMEM, "");
		return;
	}
	k->admin = a;
	a->k = k;
	a->serial = ++k->admin_serial;
	a->from = *from;
	audit_who(from, a->who);
	a->from.caller = NULL; /* was borrowed */
	a->op = op;
	memcpy(a->id, id, sizeof(a->id));
	memcpy(a->args, args->p, args->len);
	a->args_len = args->len;
	a->until_ms = loop_now_ms() + ADMIN_DEADLINE_MS;
	a->hellos = k->db.hellos;
	a->step = ADMIN_STEP_OTHER;
	clv_buf_init(&a->blob);
	clv_buf_init(&a->change.escrow);
	clv_buf_init(&a->change.data);
	/* What the database has must be known as of now. */
	if (serving_in_lease(k) && op != ADMIN_ROLLBACK) {
		a->epoch = k->serving.epoch;
		admin_change_begin(a);
		return;
	}
	db_poll_soon(k);
	admin_wait(a, ADMIN_STEP_HELLO, KEEPER_SQL_MS, ADMIN_TICK_MS);
}

void
admin_say_state(struct keeper *k, const struct admin_origin *from,
    struct clv_rd *args, void (*format)(struct keeper *k, struct clv_buf *b))
{
	struct clv_buf data;
	int r = CLV_OK;

	clv_buf_init(&data);
	if (clv_rd_end(args) != CLV_OK)
		r = CLV_E_PROTOCOL;
	else if (!role_serves(k->serving.state) || k->secret.list == NULL)
		r = CLV_E_NOT_ACTIVE;
	else
		format(k, &data);
	if (r == CLV_OK)
		r = clv_buf_result(&data);
	admin_answer(k, from, r, r == CLV_OK ? "" : clv_result_text(r), "",
	    r == CLV_OK ? &data : NULL);
	clv_buf_fini(&data);
}

/* Nor is the active server to be asked for it under this name. */
static bool
is_change_on_copy(const struct keeper *k, uint8_t op)
{
	if (k->copied[0] == '\0')
		return false;
	switch ((enum admin_op)op) {
	case ADMIN_JOINS:
	case ADMIN_BACKUPS:
	case ADMIN_APP_COUNT:
	case ADMIN_ESCROW:
	case ADMIN_GENERATIONS:
	case ADMIN_ROTATE_STATE:
	case ADMIN_CERT_STATE:
	case ADMIN_CERTIFICATE:
	case ADMIN_APPS:
	case ADMIN_MEMBERS_STATE: return false;
	default: return true;
	}
}

static void
dispatch(struct keeper *k, const struct admin_origin *from, uint8_t op,
    const uint8_t id[static 16], struct clv_rd *args)
{
	if (is_change_on_copy(k, op)) {
		answer_text(k, from, CLV_E_NOT_READY, k->copied);
		return;
	}
	switch ((enum admin_op)op) {
	case ADMIN_JOINS:
	case ADMIN_BACKUPS:
	case ADMIN_APP_COUNT:
	case ADMIN_ESCROW:
	case ADMIN_GENERATIONS: admin_ask(k, from, op, args); break;
	case ADMIN_ROTATE_STATE: admin_rotate_state(k, from, args); break;
	case ADMIN_CERT_STATE: admin_cert_state(k, from, args); break;
	case ADMIN_CERTIFICATE: admin_certificate(k, from, args); break;
	case ADMIN_APPS: admin_apps(k, from, args); break;
	case ADMIN_MEMBERS_STATE: admin_members(k, from, args); break;
	case ADMIN_MEMBER_ROTATE: admin_member_rotate(k, from, args); break;
	case ADMIN_MEMBER_JOIN:
	case ADMIN_ROTATE_CURRENT:
	case ADMIN_CERT_SWITCH:
	case ADMIN_CERT_DROP:
	case ADMIN_PARTY_CERT:
	case ADMIN_REENCRYPTED:
		answer_text(k, from, CLV_E_DENIED,
		    "the active server does that by itself");
		break;
	default: begin_write(k, from, op, id, args);
	}
}

void
admin_request(struct keeper *k, const struct admin_origin *from, const void *p,
    size_t len)
{
	char why[ADMIN_WHY_MAX] = "", who[AUDIT_WHO_MAX];
	int res = CLV_OK;
	struct clv_rd r;
	uint8_t op, id[16];

	clv_rd_init(&r, p, len);
	op = clv_rd_u8(&r);
	clv_rd_copy(&r, id, sizeof(id));
	if (r.failed || len > ADMIN_REQUEST_MAX)
		res = CLV_E_PROTOCOL;
	else if (from->caller != NULL && k->secret.list == NULL)
		res = CLV_E_NOT_READY;
	else if (from->caller != NULL)
		res = admin_may(k->secret.list, from->caller, op, &r, why);
	if (res == CLV_OK) {
		dispatch(k, from, op, id, &r);
		return;
	}
	audit_who(from, who);
	if (res == CLV_E_DENIED)
		audit_admin(k, who, op, &r, res, why, 0);
	answer_text(k, from, res, why);
}

void
admin_own(struct keeper *k, const struct admin_origin *from, uint8_t op,
    const struct clv_buf *args)
{
	struct clv_rd rd;
	uint8_t id[16];

	randombytes_buf(id, sizeof(id));
	clv_rd_init(&rd, args->data, args->len);
	if (clv_buf_result(args) != CLV_OK)
		answer_text(k, from, CLV_E_NOMEM, "");
	else if (!serving_in_lease(k))
		answer_text(k, from, CLV_E_NOT_ACTIVE, "");
	else
		begin_write(k, from, op, id, &rd);
}

void
admin_on_hang_up(struct keeper *k, struct control_conn *conn)
{
	/* The operation goes on; only nobody hears how it ended. */
	if (k->admin != NULL && k->admin->from.conn == conn)
		k->admin->from.conn = NULL;
	admin_ask_on_hang_up(k, conn);
}

/* done is called for everybody who is inside this process. */
void
admin_cancel(struct keeper *k, const struct admin_origin *to)
{
	if (to->done != NULL)
		answer_text(k, to, CLV_E_CANCELLED, "clavigerd ends");
}

void
admin_fini(struct keeper *k)
{
	if (k->admin != NULL) {
		admin_cancel(k, &k->admin->from);
		admin_free(k->admin);
	}
	admin_ask_fini(k);
}
