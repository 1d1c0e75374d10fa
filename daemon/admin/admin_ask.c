/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "daemon/admin/admin.h"
#include "daemon/keeper/coverage.h"
#include "daemon/keeper/keeper.h"
#include "daemon/base/record.h"
#include "daemon/rotate/refs.h"

/*
 * Administrative questions: they change nothing and need no epoch, so any
 * number of them may be under way.
 */

struct question {
	struct admin_origin from;
	uint8_t op;
	/* several statements, one by one: */
	struct refs *refs;	   /* GENERATIONS */
	struct coverage *coverage; /* ESCROW */
	unsigned step;
	struct question *next;
};

static void
one_join(const struct db_result *r, size_t i, struct clv_buf *out, uint32_t *n)
{
	const struct db_field *f = db_field(r, i, 1);
	char text[CLV_FINGERPRINT_TEXT];
	struct clv_party party;

	if (clv_party_parse(f->p, f->len, &party) != CLV_OK)
		return;
	clv_party_fingerprint(&party, text);
	clv_buf_str(out, party.name);
	clv_buf_str(out, text);
	clv_buf_u64(out, db_u64(r, i, 2));
	(*n)++;
}

static void
one_backup(struct keeper *k, const struct db_result *r, size_t i,
    struct clv_buf *out, uint32_t *n)
{
	const struct db_field *f = db_field(r, i, 1);
	struct record rec;

	if (record_read(f->p, f->len, k->secret.list, k->system_pk, &rec) !=
	    CLV_OK)
		return;
	clv_buf_u32(out, rec.generation);
	clv_buf_str(out, rec.where);
	clv_buf_u64(out, db_u64(r, i, 2));
	(*n)++;
}

/* One row: secrets and versions of an application. */
static void
counts(const struct db_result *r, struct clv_buf *out)
{
	clv_buf_u64(out, db_u64(r, 0, 0));
	clv_buf_u64(out, db_u64(r, 0, 1));
}

static void
question_free(struct keeper *k, struct question *q)
{
	struct question **pp;

	for (pp = &k->questions; *pp != q; pp = &(*pp)->next)
		;
	*pp = q->next;
	refs_free(&q->refs);
	coverage_free(&q->coverage);
	free(q);
}

static void
question_failed(struct keeper *k, struct question *q, const struct db_result *r)
{
	admin_answer(k, &q->from,
	    r->result == CLV_E_DATABASE_AWAY ? db_problem(k) : r->result,
	    r->text, "", NULL);
	question_free(k, q);
}

/* All that was asked for is here. data is emptied. */
static void
question_done(struct keeper *k, struct question *q, struct clv_buf *data)
{
	admin_answer(k, &q->from, CLV_OK, "", "", data);
	clv_buf_fini(data);
	question_free(k, q);
}

static void ask_refs(struct keeper *k, struct question *q);

static void
on_refs(struct keeper *k, void *arg, const struct db_result *r)
{
	struct question *q = arg;

	if (r->result == CLV_OK) {
		refs_take(q->refs, q->step++, k->secret.list, k->system_pk, r);
		ask_refs(k, q);
		return;
	}
	question_failed(k, q, r);
}

static void
ask_refs(struct keeper *k, struct question *q)
{
	enum clv_stmt stmt;
	struct clv_buf data;

	if (refs_stmt(q->step, &stmt)) {
		db_call(k, stmt, NULL, 0, KEEPER_SQL_MS, on_refs, q);
		return;
	}
	clv_buf_init(&data);
	refs_format(q->refs, &data);
	question_done(k, q, &data);
}

static void
begin_refs(struct keeper *k, struct question *q)
{
	int r = k->secret.list != NULL ? refs_new(k->secret.list, &q->refs)
				       : CLV_E_NOT_READY;

	if (r == CLV_OK) {
		if (role_serves(k->serving.state))
			refs_take_members(q->refs, k->live, loop_now_ms());
		ask_refs(k, q);
		return;
	}
	admin_answer(k, &q->from, r, clv_result_text(r), "", NULL);
	question_free(k, q);
}

static void ask_coverage(struct keeper *k, struct question *q);

static void
on_coverage(struct keeper *k, void *arg, const struct db_result *r)
{
	struct question *q = arg;

	if (r->result == CLV_OK) {
		coverage_take(
		    q->coverage, q->step++, k->secret.list, k->system_pk, r);
		ask_coverage(k, q);
		return;
	}
	question_failed(k, q, r);
}

/* Who can be asked to open his copy? */
static void
look_who_lives(struct keeper *k, struct coverage *c)
{
	for (size_t i = 0; i < c->count; i++) {
		struct coverage_copy *copy = &c->copies[i];

		copy->live = copy->kind == COVERAGE_NODE &&
			     (copy->node == k->node_number
				     ? k->secret.keyring != NULL
				     : peers_unlocked(k, copy->node));
	}
}

static void
ask_coverage(struct keeper *k, struct question *q)
{
	enum clv_stmt stmt;
	struct clv_buf data;
	struct clv_param p;
	uint8_t number[8];
	uint64_t node;

	if (coverage_stmt(q->coverage, q->step, &stmt, &node)) {
		p = clv_param_u64(node, number);
		db_call(k, stmt, &p, node != 0, KEEPER_SQL_MS, on_coverage, q);
		return;
	}
	look_who_lives(k, q->coverage);
	clv_buf_init(&data);
	coverage_format(q->coverage, &data);
	question_done(k, q, &data);
}

static void
begin_coverage(struct keeper *k, struct question *q, bool prove)
{
	int r = k->secret.list != NULL
		    ? coverage_new(k->secret.list, &q->coverage)
		    : CLV_E_NOT_READY;

	if (r == CLV_OK && prove && k->secret.keyring == NULL)
		r = CLV_E_NO_SECRET;
	if (r == CLV_OK && prove) {
		secret_prove_copy(k);
		peers_prove(k);
	}
	if (r == CLV_OK) {
		ask_coverage(k, q);
		return;
	}
	admin_answer(k, &q->from, r, clv_result_text(r), "", NULL);
	question_free(k, q);
}

static void
on_answer(struct keeper *k, void *arg, const struct db_result *r)
{
	struct question *q = arg;
	struct clv_buf rows, data;
	uint32_t n = 0;

	clv_buf_init(&rows);
	clv_buf_init(&data);
	for (size_t i = 0; r->result == CLV_OK && i < r->rows; i++) {
		if (q->op == ADMIN_JOINS)
			one_join(r, i, &rows, &n);
		else if (q->op == ADMIN_BACKUPS)
			one_backup(k, r, i, &rows, &n);
		else
			counts(r, &rows);
	}
	if (q->op != ADMIN_APP_COUNT)
		clv_buf_u32(&data, n);
	clv_buf_raw(&data, rows.data, rows.len);
	admin_answer(k, &q->from,
	    r->result == CLV_E_DATABASE_AWAY ? db_problem(k) : r->result,
	    r->result == CLV_OK ? "" : r->text, "", &data);
	clv_buf_fini(&data);
	clv_buf_fini(&rows);
	question_free(k, q);
}

static enum clv_stmt
statement(uint8_t op)
{
	switch (op) {
	case ADMIN_JOINS: return CLV_STMT_GET_JOINS;
	case ADMIN_BACKUPS: return CLV_STMT_GET_BACKUPS;
	default: return CLV_STMT_COUNT_SECRETS;
	}
}

void
admin_ask(struct keeper *k, const struct admin_origin *from, uint8_t op,
    struct clv_rd *args)
{
	struct question *q = calloc(1, sizeof(*q));
	char app[CLV_NAME_MAX] = "";
	struct clv_param p = {app, 0};
	bool prove = false;

	if (op == ADMIN_APP_COUNT)
		clv_rd_str(args, app, sizeof(app));
	if (op == ADMIN_ESCROW)
		prove = clv_rd_u8(args) != 0;
	if (q == NULL || clv_rd_end(args) != CLV_OK) {
		admin_answer(k, from, q == NULL ? CLV_E_NOMEM : CLV_E_PROTOCOL,
		    q == NULL ? "out of memory" : "malformed request", "",
		    NULL);
		free(q);
		return;
	}
	q->from = *from;
	q->from.caller = NULL; /* was borrowed */
	q->op = op;
	q->next = k->questions;
	k->questions = q;
	p.len = strlen(app);
	if (op == ADMIN_GENERATIONS) {
		begin_refs(k, q);
		return;
	}
	if (op == ADMIN_ESCROW) {
		begin_coverage(k, q, prove);
		return;
	}
	db_call(k, statement(op), &p, op == ADMIN_APP_COUNT, KEEPER_SQL_MS,
	    on_answer, q);
}

void
admin_ask_on_hang_up(struct keeper *k, struct control_conn *conn)
{
	for (struct question *q = k->questions; q != NULL; q = q->next)
		if (q->from.conn == conn)
			q->from.conn = NULL;
}

void
admin_ask_fini(struct keeper *k)
{
	while (k->questions != NULL) {
		admin_cancel(k, &k->questions->from);
		question_free(k, k->questions);
	}
}
