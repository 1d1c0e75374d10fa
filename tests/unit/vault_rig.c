/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon/vault/vault_impl.h"
#include "vault_rig.h"
#include "vault_wrap.h"

struct rig rig;

void
rig_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

/* Tables. */

struct rig_app *
rig_app(const char *app)
{
	for (size_t i = 0; i < RIG_APPS; i++)
		if (strcmp(rig.db.apps[i].name, app) == 0)
			return &rig.db.apps[i];
	return NULL;
}

struct rig_row *
rig_row(const char *app, const char *name, uint64_t version)
{
	struct rig_row *found = NULL;

	for (size_t i = 0; i < rig.db.row_count; i++) {
		struct rig_row *r = &rig.db.rows[i];

		if (strcmp(r->app, app) != 0 || strcmp(r->name, name) != 0 ||
		    (version != 0 && r->version != version))
			continue;
		if (found == NULL || r->version > found->version)
			found = r;
	}
	return found;
}

void
rig_remove_row(struct rig_row *row)
{
	free(row->record);
	*row = rig.db.rows[--rig.db.row_count];
}

void
rig_drop_app(const char *app)
{
	struct rig_row *row;
	size_t i = 0;

	while (i < rig.db.row_count) {
		row = &rig.db.rows[i];
		if (strcmp(row->app, app) == 0)
			rig_remove_row(row);
		else
			i++;
	}
	memset(rig_app(app), 0, sizeof(struct rig_app));
}

struct rig_key *
rig_insert_key(const char *app, uint64_t version, uint32_t generation)
{
	struct rig_app *a = rig_app(app);
	struct rig_key *key = &a->keys[a->key_count++];
	struct clv_datakey_id id = {
	    rig.system_id, app, (uint32_t)version, generation};
	uint8_t app_key[32];

	RIG_REQUIRE(a->key_count <= RIG_KEYS);
	clv_app_key(rig.dist[generation - 1], rig.system_id, app, app_key);
	randombytes_buf(key->plain, sizeof(key->plain));
	key->version = version;
	key->generation = generation;
	RIG_REQUIRE(
	    clv_datakey_wrap(app_key, &id, key->plain, key->wrapped) == CLV_OK);
	return key;
}

static void
stage_rows(struct clv_index *x, const struct rig_app *a)
{
	for (size_t i = 0; i < rig.db.row_count; i++) {
		const struct rig_row *r = &rig.db.rows[i];
		struct clv_change c = {r->name, r->version, r->deleted, {0}};

		memcpy(c.record_hash, r->hash, sizeof(c.record_hash));
		if (r->current && strcmp(r->app, a->name) == 0)
			RIG_REQUIRE(clv_index_stage(x, &c) == CLV_OK);
	}
}

/* The manifest of the rows and keys that are there; on top of the one that is
 * there, if that fits. */
static void
set_manifest(struct rig_app *a)
{
	struct clv_index *x = NULL;

	RIG_REQUIRE(clv_index_new(a->keys[0].plain, rig.system_id, a->name,
			&x) == CLV_OK);
	stage_rows(x, a);
	if (clv_index_commit(x, a->counter - 1, a->mac) != CLV_OK)
		stage_rows(x, a);
	for (uint32_t i = clv_index_key_version(x) + 1; i < a->key_count; i++)
		RIG_REQUIRE(
		    clv_index_stage_key(x, i, a->keys[i].plain) == CLV_OK);
	clv_index_mac(x, a->counter, a->mac);
	clv_index_free(&x);
}

void
rig_add_key(const char *app, uint64_t version, uint32_t generation)
{
	struct rig_app *a = rig_app(app);

	rig_insert_key(app, version, generation);
	a->counter++;
	set_manifest(a);
}

struct rig_app *
rig_add_app(const char *app, uint32_t generation)
{
	struct rig_app *a = rig_app("");

	RIG_REQUIRE(a != NULL);
	snprintf(a->name, sizeof(a->name), "%s", app);
	if (a->counter == 0)
		a->counter = 1;
	rig_insert_key(app, 0, generation);
	rig_insert_key(app, 1, generation);
	set_manifest(a);
	return a;
}

void
rig_drop(struct rig_tables *t)
{
	for (size_t i = 0; i < t->row_count; i++)
		free(t->rows[i].record);
	memset(t, 0, sizeof(*t));
}

void
rig_save(struct rig_tables *to)
{
	*to = rig.db;
	for (size_t i = 0; i < to->row_count; i++) {
		struct rig_row *r = &to->rows[i];
		uint8_t *copy = malloc(r->len + 1);

		RIG_REQUIRE(copy != NULL);
		memcpy(copy, r->record, r->len);
		r->record = copy;
	}
}

void
rig_restore(struct rig_tables *from)
{
	rig_drop(&rig.db);
	rig.db = *from;
	memset(from, 0, sizeof(*from));
}

/* Parameters. */

static const char *
text_of(const struct clv_param *p)
{
	static char text[4][256];
	static unsigned at;
	char *t = text[at++ % 4];

	RIG_REQUIRE(p->len < sizeof(text[0]));
	memcpy(t, p->p, p->len);
	t[p->len] = '\0';
	return t;
}

static uint64_t
u64_of(const struct clv_param *p)
{
	struct clv_rd rd;

	RIG_REQUIRE(p->len == 8);
	clv_rd_init(&rd, p->p, p->len);
	return clv_rd_u64(&rd);
}

/* Element i of an array as PostgreSQL takes it; false behind the last. */
static bool
element(const struct clv_param *p, size_t i, struct clv_param *ret)
{
	struct clv_rd rd;
	size_t count = 0, len;

	clv_rd_init(&rd, p->p, p->len);
	if (clv_rd_u32(&rd) > 0) {
		(void)clv_rd_u32(&rd);
		(void)clv_rd_u32(&rd);
		count = clv_rd_u32(&rd);
		(void)clv_rd_u32(&rd);
	}
	if (i >= count)
		return false;
	for (size_t j = 0; j <= i; j++) {
		ret->p = clv_rd_bytes(&rd, &len);
		ret->len = len;
	}
	RIG_REQUIRE(!rd.failed);
	return true;
}

/* Answers. */

static struct clv_buf out; /* fields, each u32 length and bytes */

static void
out_u64(uint64_t v)
{
	uint8_t b[8];
	struct clv_param p = clv_param_u64(v, b);

	clv_buf_bytes(&out, p.p, p.len);
}

static void
out_bool(bool v)
{
	uint8_t b = v;

	clv_buf_bytes(&out, &b, 1);
}

static void
out_text(const char *s)
{
	clv_buf_bytes(&out, s, strlen(s));
}

static void
finish(struct rig_call *c, size_t columns)
{
	struct db_field *fields;
	struct clv_rd rd;
	size_t n = 0;

	RIG_REQUIRE(clv_buf_result(&out) == CLV_OK);
	c->bytes = malloc(out.len + 1);
	RIG_REQUIRE(c->bytes != NULL);
	if (out.len > 0)
		memcpy(c->bytes, out.data, out.len);
	c->bytes_len = out.len;
	fields = calloc(out.len / 4 + 1, sizeof(*fields));
	RIG_REQUIRE(fields != NULL);
	clv_rd_init(&rd, c->bytes, c->bytes_len);
	for (; rd.len > 0; n++)
		fields[n].p = clv_rd_bytes(&rd, &fields[n].len);
	RIG_REQUIRE(n % columns == 0);
	c->result =
	    (struct db_result){CLV_OK, "", n / columns, columns, fields};
	clv_buf_fini(&out);
}

static void
get_keys(struct rig_call *c)
{
	struct rig_app *a = rig_app(text_of(&c->params[0]));

	for (size_t i = 0; a != NULL && i < a->key_count; i++) {
		out_u64(a->keys[i].version);
		out_u64(a->keys[i].generation);
		clv_buf_bytes(
		    &out, a->keys[i].wrapped, sizeof(a->keys[i].wrapped));
	}
	finish(c, 3);
}

static int
by_counter(const void *a, const void *b)
{
	const struct rig_row *x = *(struct rig_row *const *)a;
	const struct rig_row *y = *(struct rig_row *const *)b;

	if (x->counter != y->counter)
		return x->counter < y->counter ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* Current rows above the pair, ascending. */
static size_t
changes(const char *app, uint64_t counter, const char *name,
    struct rig_row *ret[static RIG_ROWS])
{
	size_t n = 0;

	for (size_t i = 0; i < rig.db.row_count; i++) {
		struct rig_row *r = &rig.db.rows[i];

		if (strcmp(r->app, app) == 0 && r->current &&
		    (r->counter > counter ||
			(r->counter == counter && name != NULL &&
			    strcmp(r->name, name) > 0)))
			ret[n++] = r;
	}
	qsort(ret, n, sizeof(*ret), by_counter);
	return n;
}

static void
get_changes(struct rig_call *c)
{
	struct rig_row *rows[RIG_ROWS];
	struct rig_app *a = rig_app(text_of(&c->params[0]));
	size_t n = changes(text_of(&c->params[0]), u64_of(&c->params[1]),
	    text_of(&c->params[2]), rows);

	for (size_t i = 0; i < n && i < u64_of(&c->params[3]); i++) {
		out_text(rows[i]->name);
		out_u64(rows[i]->version);
		out_bool(rows[i]->deleted);
		clv_buf_bytes(&out, rows[i]->hash, 32);
		out_u64(rows[i]->counter);
		out_u64(0);
		out_text("");
	}
	if (a != NULL) {
		out_text("");
		out_u64(0);
		out_bool(false);
		out_text("");
		out_u64(0);
		out_u64(a->counter);
		clv_buf_bytes(&out, a->mac, sizeof(a->mac));
	}
	finish(c, 7);
}

static void
out_row(uint64_t kind, const struct rig_row *r)
{
	out_u64(kind);
	out_text(r->name);
	out_u64(r->version);
	out_bool(r->deleted);
	out_u64(r->key_version);
	clv_buf_bytes(&out, r->hash, sizeof(r->hash));
	clv_buf_bytes(
	    &out, kind == 1 ? r->record : NULL, kind == 1 ? r->len : 0);
	out_u64(r->counter);
}

static void
get_secret(struct rig_call *c)
{
	const char *app = text_of(&c->params[0]);
	struct rig_app *a = rig_app(app);
	struct rig_row *rows[RIG_ROWS], *row;
	size_t n = changes(app, u64_of(&c->params[3]), NULL, rows);

	if (a != NULL) {
		out_u64(0);
		out_text("");
		out_u64(0);
		out_bool(false);
		out_u64(0);
		clv_buf_bytes(&out, a->mac,
		    a->counter > u64_of(&c->params[3]) ? sizeof(a->mac)
						       : CLV_MANIFEST_HEAD_LEN);
		out_text("");
		out_u64(a->counter);
	}
	row = rig_row(app, text_of(&c->params[1]), u64_of(&c->params[2]));
	if (row != NULL)
		out_row(1, row);
	for (size_t i = 0; i < n && i < u64_of(&c->params[4]); i++)
		out_row(2, rows[i]);
	finish(c, 8);
}

static struct rig_row *
row_by_op(const struct clv_param *id)
{
	for (size_t i = 0; i < rig.db.row_count; i++)
		if (memcmp(rig.db.rows[i].op_id, id->p, 16) == 0)
			return &rig.db.rows[i];
	return NULL;
}

/* What one array parameter has of row i. */
static struct clv_param
of_row(const struct rig_call *c, size_t column, size_t i)
{
	struct clv_param p;

	RIG_REQUIRE(element(&c->params[5 + column], i, &p));
	return p;
}

static void
insert(const struct rig_call *c, struct rig_app *a, size_t i)
{
	struct clv_param p = of_row(c, 0, i), record = of_row(c, 4, i);
	struct rig_row *r = rig_row(a->name, text_of(&p), 0);

	if (r != NULL)
		r->current = false;
	RIG_REQUIRE(rig.db.row_count < RIG_ROWS);
	r = &rig.db.rows[rig.db.row_count++];
	memset(r, 0, sizeof(*r));
	strcpy(r->app, a->name);
	strcpy(r->name, text_of(&p));
	p = of_row(c, 1, i);
	r->version = u64_of(&p);
	p = of_row(c, 2, i);
	r->key_version = u64_of(&p);
	p = of_row(c, 3, i);
	memcpy(r->hash, p.p, 32);
	r->record = malloc(record.len + 1);
	RIG_REQUIRE(r->record != NULL);
	memcpy(r->record, record.p, record.len);
	r->len = record.len;
	p = of_row(c, 6, i);
	memcpy(r->op_id, p.p, 16);
	r->deleted = record.len == 0;
	r->current = true;
	r->counter = a->counter;
}

static enum clv_put
put_state(const struct rig_call *c, const struct rig_app *a)
{
	struct clv_param p;

	if (a == NULL)
		return CLV_PUT_CONFLICT;
	if (memcmp(a->op_id, c->params[4].p, 16) == 0)
		return CLV_PUT_REPEATED;
	for (size_t i = 0; element(&c->params[5 + 6], i, &p); i++)
		if (row_by_op(&p) != NULL)
			return CLV_PUT_KNOWN;
	if (a->counter != u64_of(&c->params[2]))
		return CLV_PUT_CONFLICT;
	for (size_t i = 0; element(&c->params[5 + 2], i, &p); i++)
		if (u64_of(&p) != 0 &&
		    u64_of(&p) != a->keys[a->key_count - 1].version)
			return CLV_PUT_NEWER_KEY;
	return CLV_PUT_DONE;
}

static bool
is_unique(const struct rig_call *c, size_t column)
{
	struct clv_param p, q;

	for (size_t i = 0; element(&c->params[5 + column], i, &p); i++)
		for (size_t j = 0; j < i; j++) {
			RIG_REQUIRE(element(&c->params[5 + column], j, &q));
			if (p.len == q.len && memcmp(p.p, q.p, p.len) == 0)
				return false;
		}
	return true;
}

static void
put_secrets(struct rig_call *c)
{
	struct rig_app *a = rig_app(text_of(&c->params[0]));
	enum clv_put state;
	struct clv_param p;

	if (u64_of(&c->params[1]) > rig.db.epoch) {
		finish(c, 2);
		c->result.result = CLV_E_STALE_EPOCH;
		c->result.text = "the database's epoch is older";
		return;
	}
	state = put_state(c, a);
	/* names, and operations */
	if (state == CLV_PUT_DONE && !(is_unique(c, 0) && is_unique(c, 6))) {
		finish(c, 2);
		c->result.result = CLV_E_DATABASE;
		c->result.text = "duplicate key value";
		return;
	}
	if (state == CLV_PUT_DONE) {
		a->counter++;
		memcpy(a->mac, c->params[3].p, sizeof(a->mac));
		memcpy(a->op_id, c->params[4].p, sizeof(a->op_id));
		for (size_t i = 0; element(&c->params[5], i, &p); i++)
			insert(c, a, i);
	}
	out_u64(state);
	out_u64(a != NULL ? a->counter : 0);
	finish(c, 2);
}

static void
get_ops(struct rig_call *c)
{
	struct clv_param p;

	for (size_t i = 0; element(&c->params[0], i, &p); i++) {
		struct rig_row *r = row_by_op(&p);

		if (r == NULL)
			continue;
		clv_buf_bytes(&out, r->op_id, sizeof(r->op_id));
		out_text(r->app);
		out_text(r->name);
		out_u64(r->version);
	}
	finish(c, 4);
}

static void
history(struct rig_call *c)
{
	const char *app = text_of(&c->params[0]);
	const char *name = text_of(&c->params[1]);

	for (size_t i = rig.db.row_count; i-- > 0;) {
		struct rig_row *r = &rig.db.rows[i];

		if (strcmp(r->app, app) != 0 || strcmp(r->name, name) != 0)
			continue;
		out_u64(r->version);
		out_bool(r->deleted);
		out_u64(r->key_version);
		out_u64(7);
		out_bool(r->current);
	}
	finish(c, 5);
}

static int
by_name(const void *a, const void *b)
{
	const struct rig_row *x = *(struct rig_row *const *)a;
	const struct rig_row *y = *(struct rig_row *const *)b;
	int order = strcmp(x->name, y->name);

	if (order != 0)
		return order;
	return x->version < y->version ? -1 : x->version > y->version;
}

/* Server nodes may. */
static void
get_records(struct rig_call *c)
{
	const char *app = text_of(&c->params[0]);
	const char *name = text_of(&c->params[2]);
	struct rig_row *rows[RIG_ROWS];
	size_t n = 0;

	RIG_REQUIRE(rig.member.is_server_node);
	for (size_t i = 0; i < rig.db.row_count; i++) {
		struct rig_row *r = &rig.db.rows[i];
		int order = strcmp(r->name, name);

		if (strcmp(r->app, app) == 0 && !r->deleted &&
		    r->key_version < u64_of(&c->params[1]) &&
		    (order > 0 ||
			(order == 0 && r->version > u64_of(&c->params[3]))))
			rows[n++] = r;
	}
	qsort(rows, n, sizeof(rows[0]), by_name);
	for (size_t i = 0; i < n && i < u64_of(&c->params[4]); i++) {
		out_text(rows[i]->name);
		out_u64(rows[i]->version);
		out_bool(rows[i]->current);
		out_u64(rows[i]->key_version);
		clv_buf_bytes(&out, rows[i]->record, rows[i]->len);
	}
	finish(c, 5);
}

/* The active server may. */

static void
refuse(struct rig_call *c, int result, const char *text)
{
	clv_buf_fini(&out);
	finish(c, 1);
	c->result.result = result;
	c->result.text = text;
}

/* Parameters: epoch, instance, op_id, app, expect_counter, mac. False when that
 * has answered. */
static bool
server_step(struct rig_call *c, struct rig_app **ret)
{
	struct rig_app *a = rig_app(text_of(&c->params[3]));
	enum clv_put state = CLV_PUT_DONE;

	if (u64_of(&c->params[0]) != rig.db.epoch) {
		refuse(c, CLV_E_STALE_EPOCH, "stale epoch");
		return false;
	}
	if (a != NULL && memcmp(a->op_id, c->params[2].p, 16) == 0)
		state = CLV_PUT_REPEATED;
	else if (a == NULL || a->counter != u64_of(&c->params[4]))
		state = CLV_PUT_CONFLICT;
	out_u64(state);
	out_u64(a == NULL ? 0 : a->counter + (state == CLV_PUT_DONE));
	if (state != CLV_PUT_DONE) {
		finish(c, 2);
		return false;
	}
	*ret = a;
	return true;
}

static void
server_stepped(struct rig_call *c, struct rig_app *a)
{
	a->counter++;
	memcpy(a->op_id, c->params[2].p, sizeof(a->op_id));
	memcpy(a->mac, c->params[5].p, sizeof(a->mac));
	finish(c, 2);
}

static void
add_key(struct rig_call *c)
{
	struct rig_key *key;
	struct rig_app *a;

	if (!server_step(c, &a))
		return;
	if (u64_of(&c->params[6]) != a->key_count ||
	    a->key_count > CLV_DATAKEYS_MAX) {
		refuse(c, CLV_E_STALE, "not the version after the newest");
		return;
	}
	key = &a->keys[a->key_count++];
	memset(key, 0, sizeof(*key));
	key->version = u64_of(&c->params[6]);
	key->generation = u64_of(&c->params[7]);
	RIG_REQUIRE(c->params[8].len == sizeof(key->wrapped));
	memcpy(key->wrapped, c->params[8].p, sizeof(key->wrapped));
	server_stepped(c, a);
}

/* What one array parameter of PUT_RECORDS has of row i. */
static struct clv_param
of_record(const struct rig_call *c, size_t column, size_t i)
{
	struct clv_param p;

	RIG_REQUIRE(element(&c->params[6 + column], i, &p));
	return p;
}

static struct rig_row *
record_at(const struct rig_call *c, size_t i)
{
	struct clv_param name = of_record(c, 0, i);
	struct clv_param version = of_record(c, 1, i);
	struct clv_param key = of_record(c, 2, i);
	struct rig_row *r =
	    rig_row(text_of(&c->params[3]), text_of(&name), u64_of(&version));

	return r != NULL && !r->deleted && r->key_version < u64_of(&key) ? r
									 : NULL;
}

static void
put_records(struct rig_call *c)
{
	struct clv_param p, record;
	struct rig_app *a;
	struct rig_row *r;

	if (!server_step(c, &a))
		return;
	for (size_t i = 0; element(&c->params[6], i, &p); i++)
		if (record_at(c, i) == NULL) {
			refuse(c, CLV_E_STALE, "a record is not there");
			return;
		}
	for (size_t i = 0; element(&c->params[6], i, &p); i++) {
		r = record_at(c, i);
		p = of_record(c, 2, i);
		r->key_version = u64_of(&p);
		p = of_record(c, 3, i);
		memcpy(r->hash, p.p, sizeof(r->hash));
		record = of_record(c, 4, i);
		RIG_REQUIRE(record.len == r->len);
		memcpy(r->record, record.p, record.len);
		if (r->current)
			r->counter = a->counter + 1;
	}
	server_stepped(c, a);
}

/* Calls. */

void
rig_do(struct rig_call *c)
{
	if (c->done)
		return;
	c->done = true;
	clv_buf_init(&out);
	switch (c->stmt) {
	case CLV_STMT_GET_KEYS: get_keys(c); break;
	case CLV_STMT_GET_CHANGES: get_changes(c); break;
	case CLV_STMT_GET_SECRET: get_secret(c); break;
	case CLV_STMT_PUT_SECRETS: put_secrets(c); break;
	case CLV_STMT_GET_OPS: get_ops(c); break;
	case CLV_STMT_HISTORY: history(c); break;
	case CLV_STMT_GET_RECORDS: get_records(c); break;
	case CLV_STMT_ADD_KEY: add_key(c); break;
	case CLV_STMT_PUT_RECORDS: put_records(c); break;
	default: RIG_REQUIRE(!"a statement that no member may use");
	}
	if (rig.forge != NULL)
		rig.forge(c);
}

static void
call_end(struct rig_call *c)
{
	struct rig_call **pp = &rig.calls;

	while (*pp != c)
		pp = &(*pp)->next;
	*pp = c->next;
	c->fn(&rig.k, c->arg, &c->result);
	for (size_t i = 0; i < c->n; i++)
		free((void *)(uintptr_t)c->params[i].p);
	free((void *)(uintptr_t)c->result.fields);
	free(c->bytes);
	free(c);
}

void
rig_answer(struct rig_call *c)
{
	rig_do(c);
	call_end(c);
}

void
rig_fail_call(struct rig_call *c, int result)
{
	c->result.result = result;
	c->result.text = "the test says so";
	c->result.rows = 0;
	call_end(c);
}

struct rig_call *
rig_call(unsigned i)
{
	struct rig_call *c = rig.calls;

	while (c != NULL && i-- > 0)
		c = c->next;
	RIG_REQUIRE(c != NULL);
	return c;
}

unsigned
rig_open(void)
{
	unsigned n = 0;

	for (struct rig_call *c = rig.calls; c != NULL; c = c->next)
		n++;
	return n;
}

void
rig_settle(void)
{
	for (unsigned n = 0; rig.calls != NULL; n++) {
		RIG_REQUIRE(n < 10000);
		rig_answer(rig.calls);
	}
}

void
__wrap_db_call_pool(struct keeper *k, enum clv_stmt stmt,
    const struct clv_param *params, size_t n, uint32_t timeout_ms, db_fn fn,
    void *arg)
{
	struct db_result refused = {
	    .result = CLV_E_DATABASE_AWAY, .text = "the database is away"};
	struct rig_call **tail = &rig.calls, *c;

	(void)timeout_ms;
	rig.sent[stmt]++;
	if (rig.away) {
		fn(k, arg, &refused);
		return;
	}
	RIG_REQUIRE(n == clv_store_param_count(stmt));
	c = calloc(1, sizeof(*c));
	RIG_REQUIRE(c != NULL);
	c->stmt = stmt;
	c->n = n;
	c->fn = fn;
	c->arg = arg;
	for (size_t i = 0; i < n; i++) {
		uint8_t *copy = malloc(params[i].len + 1);

		RIG_REQUIRE(copy != NULL);
		if (params[i].len > 0)
			memcpy(copy, params[i].p, params[i].len);
		c->params[i] = (struct clv_param){copy, params[i].len};
	}
	while (*tail != NULL)
		tail = &(*tail)->next;
	*tail = c;
	if (rig.at_once)
		rig_answer(c);
}

/* The member. */

void
rig_generations(uint32_t n)
{
	struct member *m = &rig.member;

	clv_guard_put(rig.k.guard, m->keys);
	m->keys = clv_guard_get(rig.k.guard, (n + 1) * sizeof(*m->keys));
	RIG_REQUIRE(m->keys != NULL);
	m->key_count = m->newest = n;
	for (uint32_t i = 0; i < n; i++) {
		m->keys[i].generation = i + 1;
		memcpy(m->keys[i].key, rig.dist[i], CLV_KEY_LEN);
	}
}

static void
make_dir(void)
{
	strcpy(rig.dir, "/tmp/check-vault-XXXXXX");
	RIG_REQUIRE(mkdtemp(rig.dir) != NULL);
	strcpy(rig.member.dir, rig.dir);
}

static void
open_vault(void)
{
	RIG_REQUIRE(heads_open(rig.k.loop, rig.dir, MEMBER_HEADS_MS,
			&rig.k.heads) == CLV_OK);
	RIG_REQUIRE(vault_new(&rig.k, &rig.vault) == CLV_OK);
	rig.member.vault = rig.vault;
}

void
rig_init(void)
{
	static struct clv_guard *guard; /* for good: it takes its time */

	memset(&rig, 0, sizeof(rig));
	RIG_REQUIRE(sodium_init() >= 0);
	make_dir();
	if (guard == NULL)
		RIG_REQUIRE(clv_guard_new(640 * 1024, &guard) == CLV_OK);
	rig.k.guard = guard;
	RIG_REQUIRE(loop_new(&rig.k.loop) == CLV_OK);
	rig.k.config = &rig.config;
	rig.k.member = &rig.member;
	rig.now = 1000000;
	rig.member.k = &rig.k;
	rig.member.state = CLV_MEMBER_FRESH;
	rig.member.seen.epoch = rig.db.epoch = 7;
	randombytes_buf(rig.system_id, sizeof(rig.system_id));
	memcpy(rig.member.system_id, rig.system_id, sizeof(rig.system_id));
	randombytes_buf(rig.dist, sizeof(rig.dist));
	rig_generations(1);
	rig_add_app("shop", 1);
	open_vault();
}

void
rig_restart(void)
{
	vault_free(&rig.vault);
	heads_close(&rig.k.heads);
	open_vault();
}

static void
turn(const struct rig_host *h)
{
	memcpy(rig.dir, h->dir, sizeof(rig.dir));
	strcpy(rig.member.dir, rig.dir);
	rig.k.heads = h->heads;
	rig.vault = rig.member.vault = h->vault;
}

void
rig_swap(void)
{
	struct rig_host was = {rig.vault, rig.k.heads, ""};

	memcpy(was.dir, rig.dir, sizeof(was.dir));
	if (rig.other.dir[0] != '\0') {
		turn(&rig.other);
	} else {
		make_dir();
		open_vault();
	}
	rig.other = was;
}

static void
host_fini(struct rig_host *h)
{
	static const char *const files[] = {"heads", "heads.bak"};
	char path[128];

	if (h->dir[0] == '\0')
		return;
	vault_free(&h->vault);
	heads_close(&h->heads);
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", h->dir, files[i]);
		(void)unlink(path);
	}
	RIG_REQUIRE(rmdir(h->dir) == 0);
}

void
rig_fini(void)
{
	struct rig_host host = {rig.vault, rig.k.heads, ""};

	RIG_REQUIRE(rig_open() == 0);
	memcpy(host.dir, rig.dir, sizeof(host.dir));
	host_fini(&host);
	host_fini(&rig.other);
	clv_guard_put(rig.k.guard, rig.member.keys);
	RIG_REQUIRE(clv_guard_used(rig.k.guard) == 0);
	loop_timer_del(rig.k.loop, &rig.member.next);
	loop_timer_del(rig.k.loop, &rig.member.deadline);
	loop_free(&rig.k.loop);
	rig_drop(&rig.db);
}

/* Callers. */

void
rig_on_reply(void *arg, const struct vault_reply *r)
{
	struct rig_got *g = arg;

	g->times++;
	g->result = r->result;
	snprintf(g->text, sizeof(g->text), "%s", r->text);
	g->version = r->version;
	g->cached = r->cached;
	g->len = r->len;
	RIG_REQUIRE(r->len <= sizeof(g->value));
	if (r->len > 0)
		memcpy(g->value, r->value, r->len);
	g->rows = r->result == CLV_OK && r->rows != NULL ? r->rows->rows : 0;
}

bool
rig_is(const struct rig_got *g, const char *value)
{
	return g->times == 1 && g->result == CLV_OK &&
	       g->len == strlen(value) && memcmp(g->value, value, g->len) == 0;
}

static struct rig_got got;

static const struct rig_got *
settled(void)
{
	rig_settle();
	RIG_REQUIRE(got.times == 1);
	return &got;
}

const struct rig_got *
rig_get_version(
    const char *app, const char *name, uint64_t version, bool cached)
{
	memset(&got, 0, sizeof(got));
	vault_get(rig.vault, app, name, version, cached, rig_on_reply, &got);
	return settled();
}

const struct rig_got *
rig_get(const char *app, const char *name)
{
	return rig_get_version(app, name, 0, false);
}

void
rig_put_begin(const char *app, const char *name, const char *value, uint8_t op,
    struct rig_got *g)
{
	struct vault_write w = {.app = app,
	    .name = name,
	    .deletes = value == NULL,
	    .value = value,
	    .len = value != NULL ? strlen(value) : 0};

	randombytes_buf(w.op_id, sizeof(w.op_id));
	if (op != 0)
		memset(w.op_id, op, sizeof(w.op_id));
	memset(g, 0, sizeof(*g));
	vault_put(rig.vault, &w, rig_on_reply, g);
}

const struct rig_got *
rig_put(const char *app, const char *name, const char *value)
{
	rig_put_begin(app, name, value, 0, &got);
	return settled();
}

const struct rig_got *
rig_delete(const char *app, const char *name)
{
	return rig_put(app, name, NULL);
}
