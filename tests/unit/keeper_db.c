/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keeper_db.h"

/* The functions of the schema, in memory: lib/sql/001-schema.sql is the text
 * that check_store tests; this is what they do. */

struct rig_db rig_db;
static struct rig_db replica;
static struct clv_list *newest;

/* Every epoch that was taken, with whose instance it was. */
static struct {
	uint64_t epoch;
	uint8_t instance[16];
} taken_log[4096];
static unsigned taken_count;

static void
buf_copy(struct clv_buf *dst, const struct clv_buf *src)
{
	clv_buf_init(dst);
	clv_buf_raw(dst, src->data, src->len);
	RIG_REQUIRE(clv_buf_result(dst) == CLV_OK);
}

static void
world_fini(struct rig_db *db)
{
	for (unsigned i = 0; i < 4; i++)
		clv_buf_fini(&db->lists[i]);
	for (unsigned i = 0; i <= CLV_LIST_NODES_MAX; i++)
		clv_buf_fini(&db->escrow[i]);
	clv_buf_fini(&db->tls);
	for (unsigned i = 0; i < RIG_TLS; i++)
		clv_buf_fini(&db->more_tls[i].row);
	clv_buf_fini(&db->join);
	clv_buf_fini(&db->backup);
	for (unsigned i = 0; i < RIG_AUDIT; i++)
		clv_buf_fini(&db->audit[i].body);
	memset(db, 0, sizeof(*db));
}

static void
world_copy(struct rig_db *dst, const struct rig_db *src)
{
	world_fini(dst);
	*dst = *src;
	for (unsigned i = 0; i < 4; i++)
		buf_copy(&dst->lists[i], &src->lists[i]);
	for (unsigned i = 0; i <= CLV_LIST_NODES_MAX; i++)
		buf_copy(&dst->escrow[i], &src->escrow[i]);
	buf_copy(&dst->tls, &src->tls);
	for (unsigned i = 0; i < RIG_TLS; i++)
		buf_copy(&dst->more_tls[i].row, &src->more_tls[i].row);
	buf_copy(&dst->join, &src->join);
	buf_copy(&dst->backup, &src->backup);
	for (unsigned i = 0; i < src->audits; i++)
		buf_copy(&dst->audit[i].body, &src->audit[i].body);
}

void
rig_db_init(void)
{
	memset(&rig_db, 0, sizeof(rig_db));
	rig_db.schema = CLV_SCHEMA_VERSION;
	rig_db.timeline = 1;
	rig_db.server_id = 4711;
}

void
rig_db_fini(void)
{
	world_fini(&rig_db);
	world_fini(&replica);
	taken_count = 0;
	clv_list_free(&newest);
}

void
rig_db_save(void)
{
	world_copy(&replica, &rig_db);
}

void
rig_db_failover(void)
{
	uint64_t timeline = rig_db.timeline;

	world_copy(&rig_db, &replica);
	rig_db.timeline = timeline + 1;
	rig.failover = rig.now;
}

const struct clv_list *
rig_db_list(void)
{
	clv_list_free(&newest);
	RIG_REQUIRE(clv_list_open(rig_db.lists[0].data, rig_db.lists[0].len,
			clv_keyring_sign_pk(rig.keyring), &newest) == CLV_OK);
	return newest;
}

bool
rig_db_took(uint64_t epoch, const uint8_t instance[static 16])
{
	for (unsigned i = 0; i < taken_count; i++)
		if (taken_log[i].epoch == epoch &&
		    memcmp(taken_log[i].instance, instance, 16) == 0)
			return true;
	return false;
}

/* Answers. */

void
rig_result_put(struct clv_buf *b, uint64_t id, int result, const char *text,
    uint32_t rows, uint32_t columns)
{
	clv_buf_u64(b, id);
	clv_buf_u32(b, (uint32_t)result);
	clv_buf_str(b, text);
	clv_buf_u32(b, rows);
	clv_buf_u32(b, columns);
}

/* Statements. */

static uint64_t
left(uint64_t until, uint64_t max)
{
	uint64_t ms = until > rig.now ? until - rig.now : 0;

	return ms < max ? ms : max;
}

static void
hello(struct call *c)
{
	rows(c, 1, 9);
	clv_buf_bytes(c->out, rig_db.system_id, sizeof(rig_db.system_id));
	put_u64(c, rig_db.schema);
	put_u64(c, rig_db.epoch);
	put_u64(c, rig_db.holder);
	clv_buf_bytes(c->out, rig_db.instance, 16);
	put_u64(c, left(rig_db.lease_until, rig_db.lease_ms));
	put_u64(c, rig_db.versions[0]);
	put_u64(c, rig_db.timeline);
	put_u64(c, rig_db.server_id);
}

static void
get_list(struct call *c)
{
	if (u64(c, 0) == rig_db.versions[0]) {
		rows(c, 0, 2);
		return;
	}
	rows(c, 1, 2);
	put_u64(c, rig_db.versions[0]);
	clv_buf_bytes(c->out, rig_db.lists[0].data, rig_db.lists[0].len);
}

static void
take_epoch(struct call *c)
{
	uint64_t seen = u64(c, 0), new = u64(c, 1), holder = u64(c, 2);
	const uint8_t *instance = raw(c, 3, 16);
	bool taken = rig_db.epoch == new &&rig_db.holder ==
		     holder &&memcmp(rig_db.instance, instance, 16) == 0;

	uint64_t ends =
	    memcmp(rig_db.instance, instance, 16) == 0 ? 0 : rig_db.lease_until;
	uint64_t before = left(ends, u64(c, 5)),
		 others = left(rig_db.alone_from, u64(c, 5));

	if ((int64_t) new <= 0) { /* the CHECK of epoch_log */
		refuse(c, CLV_E_DATABASE, "epoch out of range");
		return;
	}
	if (!taken && rig_db.epoch == seen &&
	    new > rig_db.epoch &&u64(c, 4) == rig_db.timeline) {
		rig_db.epoch = new;
		rig_db.holder = holder;
		memcpy(rig_db.instance, instance, 16);
		rig_db.lease_ms = u64(c, 5);
		rig_db.lease_until = rig.now + rig_db.lease_ms;
		if (ends > rig_db.alone_from)
			rig_db.alone_from = ends;
		RIG_REQUIRE(taken_count < 4096);
		taken_log[taken_count].epoch = new;
		memcpy(taken_log[taken_count++].instance, instance, 16);
		taken = true;
	}
	rows(c, 1, 4);
	put_u64(c, rig_db.epoch);
	put_bool(c, taken);
	put_u64(c, before);
	put_u64(c, others);
}

bool
rig_call_guard(struct call *c)
{
	if (u64(c, 0) == rig_db.epoch && rig_db.holder != 0 &&
	    memcmp(raw(c, 1, 16), rig_db.instance, 16) == 0)
		return true;
	refuse(c, CLV_E_STALE_EPOCH, "stale epoch");
	return false;
}

static void
renew_lease(struct call *c)
{
	if (!rig_call_guard(c))
		return;
	rig_db.lease_until = rig.now + u64(c, 2);
	say_bool(c, true);
}

static void
release(struct call *c)
{
	if (u64(c, 0) != rig_db.epoch ||
	    memcmp(raw(c, 1, 16), rig_db.instance, 16) != 0) {
		refuse(c, CLV_E_STALE_EPOCH, "stale epoch");
		return;
	}
	rig_db.holder = 0;
	rig_db.lease_until = 0;
	say_bool(c, true);
}

static bool
op_is_done(const uint8_t *id)
{
	for (unsigned i = 0; i < rig_db.op_count; i++)
		if (memcmp(rig_db.ops[i].id, id, 16) == 0)
			return true;
	return false;
}

/* Guard, and true when it has not been done; else it has answered. */
bool
rig_call_start_op(struct call *c)
{
	if (!rig_call_guard(c))
		return false;
	if (op_is_done(raw(c, 2, 16))) {
		say_bool(c, true);
		return false;
	}
	RIG_REQUIRE(
	    rig_db.op_count < sizeof(rig_db.ops) / sizeof(rig_db.ops[0]));
	return true;
}

void
rig_call_op_done(struct call *c)
{
	memcpy(rig_db.ops[rig_db.op_count++].id, raw(c, 2, 16), 16);
	say_bool(c, true);
}

static bool
is_older(const uint8_t *p, size_t len)
{
	struct clv_rd r;
	uint8_t node;

	clv_rd_init(&r, p, len);
	node = clv_rd_u8(&r);
	return rig_db.escrow_generation[node] > clv_rd_u32(&r);
}

static bool
set_escrow(const uint8_t *p, size_t len)
{
	struct clv_rd r;
	uint8_t node;
	uint32_t generation;

	clv_rd_init(&r, p, len);
	node = clv_rd_u8(&r);
	generation = clv_rd_u32(&r);
	RIG_REQUIRE(!r.failed && node != 0);
	if (rig_db.escrow_generation[node] > generation)
		return false;
	rig_db.escrow_generation[node] = generation;
	buf_set(&rig_db.escrow[node], p, len);
	return true;
}

/* What the fence is for: a list of the epoch in force, one above the newest. */
static void
check_list(const struct call *c)
{
	struct clv_list *l = NULL;

	RIG_REQUIRE(clv_list_open(c->param[4].p, c->param[4].len,
			clv_keyring_sign_pk(rig.keyring), &l) == CLV_OK);
	RIG_REQUIRE(l->version == rig_db.versions[0] + 1);
	RIG_REQUIRE(l->epoch <= rig_db.epoch);
	clv_list_free(&l);
}

static void
put_list(struct call *c)
{
	const uint8_t *row;
	struct clv_rd r;
	size_t len;

	if (!rig_call_start_op(c))
		return;
	if (u64(c, 3) != rig_db.versions[0] + 1) {
		refuse(c, CLV_E_STALE, "not the version after the newest list");
		return;
	}
	clv_rd_init(&r, c->param[5].p, c->param[5].len);
	while (r.len > 0) {
		row = clv_rd_bytes(&r, &len);
		RIG_REQUIRE(row != NULL);
		if (is_older(row, len)) {
			refuse(c, CLV_E_STALE, "older than the stored one");
			return;
		}
	}
	check_list(c);
	clv_buf_fini(&rig_db.lists[3]);
	memmove(&rig_db.lists[1], &rig_db.lists[0], 3 * sizeof(struct clv_buf));
	memmove(&rig_db.versions[1], &rig_db.versions[0], 3 * sizeof(uint64_t));
	clv_buf_init(&rig_db.lists[0]);
	rig_db.versions[0] = u64(c, 3);
	buf_set(&rig_db.lists[0], c->param[4].p, c->param[4].len);
	clv_rd_init(&r, c->param[5].p, c->param[5].len);
	while (r.len > 0) {
		row = clv_rd_bytes(&r, &len);
		RIG_REQUIRE(row != NULL && set_escrow(row, len));
	}
	if (strlen(rig_db.join_name) == c->param[6].len &&
	    memcmp(rig_db.join_name, c->param[6].p, c->param[6].len) == 0)
		rig_db.join_name[0] = '\0';
	rig_call_op_done(c);
}

static void
put_backup(struct call *c)
{
	if (!rig_call_start_op(c))
		return;
	rig_db.backups++;
	buf_set(&rig_db.backup, c->param[4].p, c->param[4].len);
	rig_call_op_done(c);
}

static void
get_escrow(struct call *c)
{
	uint64_t node = u64(c, 0);
	bool there = node <= CLV_LIST_NODES_MAX && rig_db.escrow[node].len > 0;

	rows(c, there, 1);
	if (there)
		clv_buf_bytes(
		    c->out, rig_db.escrow[node].data, rig_db.escrow[node].len);
}

static void
get_tls(struct call *c)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < RIG_TLS; i++)
		n += rig_db.more_tls[i].row.len > 0;
	rows(c, n + 1, 2);
	for (unsigned i = 0; i < n; i++) {
		const struct rig_tls *t = &rig_db.more_tls[i];

		clv_buf_bytes(c->out, t->thumb, 32);
		clv_buf_bytes(c->out, t->row.data, t->row.len);
	}
	clv_buf_bytes(c->out, rig_db.tls_thumb, 32);
	clv_buf_bytes(c->out, rig_db.tls.data, rig_db.tls.len);
}

static void
get_joins(struct call *c)
{
	rows(c, rig_db.join_name[0] != '\0', 3);
	if (rig_db.join_name[0] == '\0')
		return;
	clv_buf_str(c->out, rig_db.join_name);
	clv_buf_bytes(c->out, rig_db.join.data, rig_db.join.len);
	put_u64(c, 3);
}

/* Applications: lib/sql/002-applications.sql. */

struct rig_app *
rig_db_app(const char *name)
{
	for (unsigned i = 0; i < RIG_APPS; i++)
		if (strcmp(rig_db.apps[i].name, name) == 0)
			return &rig_db.apps[i];
	return NULL;
}

static struct rig_app *
app_of(const struct call *c, unsigned i, char name[static CLV_NAME_MAX])
{
	RIG_REQUIRE(c->param[i].len > 0 && c->param[i].len < CLV_NAME_MAX);
	memset(name, 0, CLV_NAME_MAX);
	memcpy(name, c->param[i].p, c->param[i].len);
	return rig_db_app(name);
}

static void
init_app(struct call *c)
{
	char name[CLV_NAME_MAX];
	struct rig_app *a;

	if (!rig_call_start_op(c))
		return;
	a = app_of(c, 3, name);
	if (a != NULL &&
	    (a->counter >= u64(c, 8) || a->keys || a->secrets > 0)) {
		refuse(c, CLV_E_STALE, "the application is there already");
		return;
	}
	if (a == NULL)
		a = rig_db_app(""); /* a free place */
	RIG_REQUIRE(a != NULL && u64(c, 8) > 0);
	memcpy(a->name, name, sizeof(a->name));
	a->counter = u64(c, 8);
	a->keys = true;
	a->index_generation = a->generation = (uint32_t)u64(c, 4);
	memcpy(a->index_key, raw(c, 5, sizeof(a->index_key)),
	    sizeof(a->index_key));
	memcpy(
	    a->data_key, raw(c, 6, sizeof(a->data_key)), sizeof(a->data_key));
	memcpy(a->mac, raw(c, 7, sizeof(a->mac)), sizeof(a->mac));
	memcpy(a->op, raw(c, 2, 16), sizeof(a->op));
	rig_call_op_done(c);
}

static void
drop_app(struct call *c)
{
	char name[CLV_NAME_MAX];
	struct rig_app *a = app_of(c, 3, name);
	const uint8_t *id = raw(c, 2, 16);

	if (!rig_call_guard(c))
		return;
	if (!op_is_done(id)) {
		memcpy(rig_db.ops[rig_db.op_count++].id, id, 16);
		if (a != NULL) {
			a->counter++;
			a->keys = false;
			memset(a->mac, 0, sizeof(a->mac));
			memcpy(a->op, id, sizeof(a->op));
		}
	} else if (a == NULL || memcmp(a->op, id, 16) != 0) {
		say_bool(c, true);
		return;
	}
	if (a != NULL)
		a->secrets -= a->secrets < RIG_DROP ? a->secrets : RIG_DROP;
	say_bool(c, a == NULL || a->secrets == 0);
}

/* The manifest's row alone: there are no secrets here. */
static void
get_changes(struct call *c)
{
	char name[CLV_NAME_MAX];
	const struct rig_app *a = app_of(c, 0, name);

	RIG_REQUIRE(u64(c, 3) >= 1);
	rows(c, a != NULL, 7);
	if (a == NULL)
		return;
	clv_buf_str(c->out, "");
	put_u64(c, 0);
	put_bool(c, false);
	clv_buf_str(c->out, "");
	put_u64(c, 0);
	put_u64(c, a->counter);
	clv_buf_bytes(c->out, a->mac, sizeof(a->mac));
}

static void
get_keys(struct call *c)
{
	char name[CLV_NAME_MAX];
	const struct rig_app *a = app_of(c, 0, name);
	bool has = a != NULL && a->keys;

	rows(c, has ? 2 : 0, 3);
	if (!has)
		return;
	put_u64(c, 0);
	put_u64(c, a->index_generation);
	clv_buf_bytes(c->out, a->index_key, sizeof(a->index_key));
	put_u64(c, 1);
	put_u64(c, a->generation);
	clv_buf_bytes(c->out, a->data_key, sizeof(a->data_key));
}

/* Of no record: a step of the manifest. */
static void
put_records(struct call *c)
{
	char name[CLV_NAME_MAX];
	struct rig_app *a = app_of(c, 3, name);
	enum clv_put state = CLV_PUT_CONFLICT;

	if (!rig_call_guard(c))
		return;
	RIG_REQUIRE(a != NULL);
	if (memcmp(a->op, raw(c, 2, 16), 16) == 0) {
		state = CLV_PUT_REPEATED;
	} else if (a->counter == u64(c, 4)) {
		state = CLV_PUT_DONE;
		a->counter++;
		memcpy(a->mac, raw(c, 5, sizeof(a->mac)), sizeof(a->mac));
		memcpy(a->op, raw(c, 2, 16), sizeof(a->op));
	}
	rows(c, 1, 2);
	put_u64(c, state);
	put_u64(c, a->counter);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp((*(struct rig_app *const *)a)->name,
	    (*(struct rig_app *const *)b)->name);
}

static void
get_heads(struct call *c)
{
	const struct rig_app *found[RIG_APPS];
	char after[CLV_NAME_MAX] = "";
	uint32_t n = 0;

	RIG_REQUIRE(c->param[0].len < CLV_NAME_MAX && u64(c, 1) >= RIG_APPS);
	memcpy(after, c->param[0].p, c->param[0].len);
	for (unsigned i = 0; i < RIG_APPS; i++)
		if (strcmp(rig_db.apps[i].name, after) > 0)
			found[n++] = &rig_db.apps[i];
	qsort(found, n, sizeof(found[0]), by_name);
	rows(c, n, 3);
	for (uint32_t i = 0; i < n; i++) {
		clv_buf_str(c->out, found[i]->name);
		put_u64(c, found[i]->counter);
		clv_buf_bytes(c->out, found[i]->mac, sizeof(found[i]->mac));
	}
}

static void
count_secrets(struct call *c)
{
	char name[CLV_NAME_MAX];
	const struct rig_app *a = app_of(c, 0, name);

	rows(c, 1, 3);
	put_u64(c, a != NULL ? a->secrets : 0);
	put_u64(c, a != NULL ? a->secrets : 0);
	put_u64(c, a != NULL && a->keys ? 2 : 0);
}

static void
perform(struct call *c)
{
	switch (c->stmt) {
	case CLV_STMT_HELLO: hello(c); break;
	case CLV_STMT_GET_LIST: get_list(c); break;
	case CLV_STMT_TAKE_EPOCH: take_epoch(c); break;
	case CLV_STMT_RENEW_LEASE: renew_lease(c); break;
	case CLV_STMT_RELEASE: release(c); break;
	case CLV_STMT_PUT_LIST: put_list(c); break;
	case CLV_STMT_GET_OP: say_bool(c, op_is_done(raw(c, 0, 16))); break;
	case CLV_STMT_GET_ESCROW: get_escrow(c); break;
	case CLV_STMT_PUT_ESCROW:
		say_bool(c, set_escrow(c->param[2].p, c->param[2].len));
		break;
	case CLV_STMT_GET_TLS: get_tls(c); break;
	case CLV_STMT_GET_JOINS: get_joins(c); break;
	case CLV_STMT_PUT_ACK: say_bool(c, true); break;
	case CLV_STMT_PUT_BACKUP: put_backup(c); break;
	case CLV_STMT_GET_BACKUPS: rig_call_get_backups(c); break;
	case CLV_STMT_INIT_APP: init_app(c); break;
	case CLV_STMT_DROP_APP: drop_app(c); break;
	case CLV_STMT_GET_CHANGES: get_changes(c); break;
	case CLV_STMT_COUNT_SECRETS: count_secrets(c); break;
	case CLV_STMT_COUNT_KEYS: rig_call_count_keys(c); break;
	case CLV_STMT_GET_OLD_KEYS: rig_call_get_old_keys(c); break;
	case CLV_STMT_PUT_REWRAPPED: rig_call_put_rewrapped(c); break;
	case CLV_STMT_PUT_TLS: rig_call_put_tls(c); break;
	case CLV_STMT_GET_ESCROWS: rig_call_get_escrows(c); break;
	case CLV_STMT_DROP_ESCROWS: rig_call_drop_escrows(c); break;
	case CLV_STMT_GET_HEADS: get_heads(c); break;
	case CLV_STMT_GET_KEYS: get_keys(c); break;
	case CLV_STMT_PUT_RECORDS: put_records(c); break;
	case CLV_STMT_PUT_AUDIT: rig_call_put_audit(c); break;
	case CLV_STMT_GET_AUDIT_HEAD: rig_call_get_audit_head(c); break;
	case CLV_STMT_PUT_JOIN:
	case CLV_STMT_GET_ACKS:
	case CLV_STMT_GET_SECRET:
	case CLV_STMT_PUT_SECRETS:
	case CLV_STMT_GET_OPS:
	case CLV_STMT_HISTORY:
	case CLV_STMT_ADD_KEY:
	case CLV_STMT_GET_RECORDS:
	case CLV_STMT_PUT_REMINDER:
	case CLV_STMT_GET_REMINDERS:
	case CLV_STMT_GET_AUDIT:
	case CLV_STMT_LAST: RIG_REQUIRE(!"a statement that no keeper uses");
	}
}

void
rig_db_do(struct rig_node *n, const struct clv_buf *sql, struct clv_buf *result,
    enum clv_stmt *ret_stmt)
{
	struct call c = {.out = result};
	struct clv_rd r;
	uint32_t count;

	(void)n;
	clv_rd_init(&r, sql->data, sql->len);
	c.id = clv_rd_u64(&r);
	clv_rd_u8(&r); /* the lane */
	c.stmt = (enum clv_stmt)clv_rd_u32(&r);
	count = clv_rd_u32(&r);
	RIG_REQUIRE(count == clv_store_param_count(c.stmt) && count <= 16);
	for (uint32_t i = 0; i < count; i++)
		c.param[i].p = clv_rd_bytes(&r, &c.param[i].len);
	RIG_REQUIRE(clv_rd_end(&r) == CLV_OK);
	perform(&c);
	*ret_stmt = c.stmt;
}
