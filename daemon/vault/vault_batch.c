/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/vault/vault_batch.h"

/*
 * One transaction: writes of one application, one step of its manifest for all
 * of them. One whose outcome is not known is repeated as it was, under its own
 * id, so that it is neither lost nor done twice.
 */
#define RETRY_MS 300
#define BATCH_LEN_MAX (1u << 20)
#define TRIES_MAX 50 /* against others who write at the same time */

/* Of PUT_SECRETS, behind the parameters that are no arrays. */
enum column {
	C_NAME,
	C_VERSION,
	C_KEY_VERSION,
	C_HASH,
	C_RECORD,
	C_KEEP,
	C_OP_ID,
	COLUMNS
};
static const enum clv_array column_type[COLUMNS] = {CLV_ARRAY_TEXT,
    CLV_ARRAY_INT8, CLV_ARRAY_INT8, CLV_ARRAY_BYTEA, CLV_ARRAY_BYTEA,
    CLV_ARRAY_INT8, CLV_ARRAY_BYTEA};

struct vault_batch {
	struct vault_app *a;
	struct vault_put *puts; /* out of the queue */
	uint8_t op_id[CLV_API_ID_LEN];
	uint64_t expect; /* counter before it */
	uint64_t epoch;
	uint8_t mac[CLV_MANIFEST_MAC_LEN];
	struct clv_buf column[COLUMNS]; /* arrays, one element a write */
	bool doubt;			/* one try's outcome is not known */
	bool differs; /* its data key was not the database's newest, before */
	unsigned tries;
	struct loop_timer *retry;
};

static void send_batch(struct vault_batch *b);

/* The batch has ended: give its writes back, and go on with what waits. */
static struct vault_put *
batch_free(struct vault_batch *b)
{
	struct vault_put *puts = b->puts;

	loop_timer_del(b->a->v->k->loop, &b->retry);
	for (int i = 0; i < COLUMNS; i++)
		clv_buf_fini(&b->column[i]);
	b->a->batch = NULL;
	free(b);
	return puts;
}

static void
batch_fail(struct vault_batch *b, int result, const char *text)
{
	struct vault_app *a = b->a;

	if (b->doubt) {
		result = CLV_E_UNKNOWN;
		text = "the database went away while it was written: whether "
		       "it was is not known; repeat it with the same operation "
		       "id, or look";
	}
	vault_puts_fail(a, batch_free(b), result, text);
	vault_puts_go(a);
}

/* Build it anew from the same writes: nothing of it has been written. */
static void
batch_again(struct vault_batch *b)
{
	struct vault_app *a = b->a;
	unsigned tries = b->tries;

	if (tries >= TRIES_MAX) {
		batch_fail(b, CLV_E_BUSY,
		    "others write to this application all the time: try "
		    "again");
		return;
	}
	vault_puts_back(a, batch_free(b));
	a->put_tries = tries + 1;
	vault_puts_go(a);
}

/* Only what the database has now taken: the index is carried on by it. */
static int
batch_stage(struct vault_batch *b)
{
	int r = CLV_OK;

	for (struct vault_put *p = b->puts; r == CLV_OK && p != NULL;
	     p = p->next) {
		struct clv_change c = {.name = p->name,
		    .version = p->version,
		    .deleted = p->deletes};

		memcpy(c.record_hash, p->hash, sizeof(c.record_hash));
		r = clv_index_stage(b->a->index, &c);
	}
	return r;
}

static void
batch_written(struct vault_batch *b)
{
	struct vault_app *a = b->a;
	struct vault_put *p, *next;
	struct vault_reply r = {.text = ""};
	unsigned n = 0;

	if (a->index != NULL && clv_index_counter(a->index) == b->expect &&
	    (batch_stage(b) != CLV_OK ||
		clv_index_commit(a->index, b->expect + 1, b->mac) != CLV_OK))
		vault_index_drop(a);
	heads_see(a->v->k->heads, a->name, b->expect + 1, b->mac);
	for (p = batch_free(b); p != NULL; p = next, n++) {
		next = p->next;
		r.version = p->version;
		if (p->deletes)
			vault_cache_forget(a->v, a->name, p->name);
		else if (a->key_count > 0) /* not taken away meanwhile */
			vault_cache_put(a->v, a->name, p->name, p->version,
			    p->value, p->len);
		vault_put_end(a, p, &r);
	}
	vault_puts_go_on(a, n);
}

static struct vault_put *
take_by_id(struct vault_put **list, const struct db_field *id)
{
	struct vault_put **pp, *p;

	for (pp = list; (p = *pp) != NULL; pp = &p->next) {
		if (id->len != sizeof(p->op_id) ||
		    sodium_memcmp(p->op_id, id->p, sizeof(p->op_id)) != 0)
			continue;
		*pp = p->next;
		p->next = NULL;
		return p;
	}
	return NULL;
}

static bool
is_text(const struct db_field *f, const char *text)
{
	return f->len == strlen(text) && memcmp(f->p, text, f->len) == 0;
}

/* Columns: op id, app, name, version. */
static void
on_ops(struct keeper *k, void *arg, const struct db_result *r)
{
	struct vault_batch *b = arg;
	struct vault_app *a = b->a;
	struct vault_reply reply = {.text = ""};
	struct vault_put *p;

	(void)k;
	a->calls--;
	if (r->result != CLV_OK) {
		batch_fail(b, r->result, r->text);
		return;
	}
	for (size_t i = 0; i < r->rows; i++) {
		p = take_by_id(&b->puts, db_field(r, i, 0));
		if (p == NULL)
			continue;
		reply.version = db_u64(r, i, 3);
		/* Its id stands for the same secret, or it was made up. */
		if (is_text(db_field(r, i, 1), a->name) &&
		    is_text(db_field(r, i, 2), p->name))
			vault_put_end(a, p, &reply);
		else
			vault_puts_fail(a, p, CLV_E_EXISTS,
			    "this operation id was used for something else");
	}
	vault_index_follow(a);
	batch_again(b);
}

static void
ask_ops(struct vault_batch *b)
{
	struct clv_param ids = clv_param_array(&b->column[C_OP_ID]);

	b->a->calls++;
	db_call_pool(
	    b->a->v->k, CLV_STMT_GET_OPS, &ids, 1, VAULT_WAIT_MS, on_ops, b);
}

static void
on_retry(void *arg)
{
	send_batch(arg);
}

/* Not done, or not known whether: the same again. */
static void
repeat(struct vault_batch *b, int result, const char *text)
{
	if (loop_now_ms() >= b->puts->until_ms) {
		batch_fail(b, result, text);
		return;
	}
	(void)loop_timer_set(
	    b->a->v->k->loop, &b->retry, RETRY_MS, on_retry, b);
}

static void
refused(struct vault_batch *b, const struct db_result *r)
{
	switch (r->result) {
	case CLV_E_DATABASE:
	case CLV_E_STALE:
	case CLV_E_SCHEMA_OLDER: batch_fail(b, r->result, r->text); break;
	case CLV_E_CANCELLED:
		b->doubt = true;
		batch_fail(b, r->result, r->text);
		break;
	case CLV_E_DATABASE_AWAY:
	case CLV_E_FULL:
	/* A server that serves without the database has a higher epoch than
	 * that one has: it takes a fresh one when both are back. */
	case CLV_E_STALE_EPOCH: repeat(b, r->result, r->text); break;
	default: b->doubt = true; repeat(b, r->result, r->text);
	}
}

/* The counter is the one that the manifest vouches for, and so is the data key;
 * yet the database has another one for its newest. */
static void
refused_key(struct vault_batch *b)
{
	struct vault_app *a = b->a;
	char text[256];

	if (!b->differs) {
		a->put_differs = true;
		vault_keys_drop(a);
		batch_again(b);
		return;
	}
	snprintf(text, sizeof(text),
	    "the data keys of application %s in the database are not those "
	    "that its manifest names: rows were put in or taken away: claviger "
	    "doctor",
	    a->name);
	log_error("%s", text);
	batch_fail(b, CLV_E_DAMAGED, text);
}

static void
on_written(struct keeper *k, void *arg, const struct db_result *r)
{
	struct vault_batch *b = arg;
	struct vault_app *a = b->a;

	(void)k;
	a->calls--;
	if (r->result != CLV_OK) {
		refused(b, r);
		return;
	}
	switch ((enum clv_put)db_u64(r, 0, 0)) {
	case CLV_PUT_DONE:
	case CLV_PUT_REPEATED: batch_written(b); return;
	case CLV_PUT_CONFLICT:
		if (db_u64(r, 0, 1) < b->expect)
			vault_index_drop(a); /* its loader says what is wrong */
		else
			vault_index_follow(a);
		batch_again(b);
		return;
	case CLV_PUT_NEWER_KEY: refused_key(b); return;
	case CLV_PUT_KNOWN: ask_ops(b); return;
	}
	batch_fail(b, CLV_E_PROTOCOL, NULL);
}

static void
send_batch(struct vault_batch *b)
{
	uint8_t epoch[8], expect[8];
	struct clv_param p[5 + COLUMNS] = {
	    {b->a->name, strlen(b->a->name)},
	    clv_param_u64(b->epoch, epoch),
	    clv_param_u64(b->expect, expect),
	    {b->mac, sizeof(b->mac)},
	    {b->op_id, sizeof(b->op_id)},
	};

	for (int i = 0; i < COLUMNS; i++)
		p[5 + i] = clv_param_array(&b->column[i]);
	b->a->calls++;
	db_call_pool(b->a->v->k, CLV_STMT_PUT_SECRETS, p, 5 + COLUMNS,
	    VAULT_WAIT_MS, on_written, b);
}

static int
put_record(struct vault_batch *b, struct vault_put *p, const uint8_t *key,
    uint32_t key_version)
{
	static uint8_t record[CLV_RECORD_MAX];
	struct vault_app *a = b->a;
	struct clv_record_id id = {CLV_RECORD_SECRET, member_system_id(a->v->k),
	    a->name, p->name, p->version};
	size_t len = p->deletes ? 0 : p->len + CLV_RECORD_EXTRA;
	struct clv_buf *c = b->column;
	int r = CLV_OK;

	memset(p->hash, 0, sizeof(p->hash));
	if (!p->deletes) {
		r = clv_record_seal(
		    key, key_version, &id, p->value, p->len, record);
		clv_record_hash(record, len, p->hash);
	}
	clv_array_add(&c[C_NAME], p->name, strlen(p->name));
	clv_array_add_u64(&c[C_VERSION], p->version);
	clv_array_add_u64(&c[C_KEY_VERSION], p->deletes ? 0 : key_version);
	clv_array_add(&c[C_HASH], p->hash, sizeof(p->hash));
	clv_array_add(&c[C_RECORD], record, len);
	clv_array_add_u64(&c[C_KEEP], p->keep);
	clv_array_add(&c[C_OP_ID], p->op_id, sizeof(p->op_id));
	return r;
}

/* Each name once: two writes of one name are two steps. Each id once, too: the
 * database refuses the whole of a transaction that has one twice. */
static bool
is_in(const struct vault_put *p, const struct vault_put *other)
{
	for (; p != NULL; p = p->next)
		if (strcmp(p->name, other->name) == 0 ||
		    memcmp(p->op_id, other->op_id, sizeof(p->op_id)) == 0)
			return true;
	return false;
}

static int
fill_batch(struct vault_batch *b)
{
	struct vault_app *a = b->a;
	struct vault_put **pp = &a->puts, *p, **tail = &b->puts;
	const uint8_t *key;
	bool deleted;
	int r = vault_key_find(a, a->newest, &key);

	for (unsigned n = 0; r == CLV_OK && n < VAULT_BATCH_MAX &&
			     b->column[C_RECORD].len < BATCH_LEN_MAX &&
			     (p = *pp) != NULL;) {
		if (is_in(b->puts, p)) {
			pp = &p->next;
			continue;
		}
		*pp = p->next;
		p->next = NULL;
		*tail = p;
		tail = &p->next;
		n++;
		if (clv_index_find(a->index, p->name, &p->version, &deleted) !=
		    CLV_OK)
			p->version = 0;
		p->version++;
		r = put_record(b, p, key, a->newest);
	}
	for (a->puts_tail = &a->puts; *a->puts_tail != NULL;)
		a->puts_tail = &(*a->puts_tail)->next;
	for (int i = 0; r == CLV_OK && i < COLUMNS; i++)
		r = clv_buf_result(&b->column[i]);
	return r;
}

int
vault_batch_begin(struct vault_app *a)
{
	struct vault_batch *b = calloc(1, sizeof(*b));
	int r;

	if (b == NULL)
		return CLV_E_NOMEM;
	b->a = a;
	b->tries = a->put_tries;
	b->differs = a->put_differs;
	for (int i = 0; i < COLUMNS; i++)
		clv_array_begin(&b->column[i], column_type[i]);
	randombytes_buf(b->op_id, sizeof(b->op_id));
	b->expect = clv_index_counter(a->index);
	b->epoch = member_epoch(a->v->k);
	r = fill_batch(b);
	if (r == CLV_OK)
		r = batch_stage(b);
	if (r == CLV_OK)
		clv_index_mac(a->index, b->expect + 1, b->mac);
	clv_index_abort(a->index);
	if (r == CLV_OK) {
		a->batch = b;
		a->put_tries = 0;
		a->put_differs = false;
		send_batch(b);
	} else {
		vault_puts_back(a, batch_free(b));
	}
	return r;
}

void
vault_batch_cancel(struct vault_app *a, int result, const char *text)
{
	if (a->batch->doubt)
		result = CLV_E_UNKNOWN;
	vault_puts_fail(a, batch_free(a->batch), result, text);
}
