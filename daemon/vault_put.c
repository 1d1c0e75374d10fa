/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/vault_impl.h"

/*
 * Writing. What is asked for while a transaction is under way goes into the
 * next one together, one step of the manifest for all of them. A transaction
 * whose outcome is not known is repeated as it was, under its own id, so that
 * it is neither lost nor done twice.
 */
#define PUT_MS 20000 /* then the outcome stays unknown to the caller */
#define RETRY_MS 300
#define BATCH_LEN_MAX (1u << 20)
/* Whoever was answered often has more to write, and would just miss the next
 * transaction: eight writers made two camps of four, each waiting for the
 * other's. So after some batches in a row of more than one writer the next
 * waits for as many; when they do not come it has been in vain, and is not
 * tried soon. */
#define GATHER_AFTER 8
#define GATHER_MS 1
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

struct vault_put {
	struct vault_put *next;
	char name[VAULT_NAME_MAX];
	uint8_t op_id[CLV_API_ID_LEN];
	uint32_t keep;
	bool deletes;
	uint8_t *value; /* guarded; NULL when it deletes */
	size_t len;
	uint64_t version; /* in the batch that is under way */
	uint64_t until_ms;
	uint8_t hash[32]; /* of the record in that batch */
	vault_fn fn;
	void *arg;
};

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
static void start_batch(struct vault_app *a);

static void
put_free(struct vault *v, struct vault_put *p)
{
	vault_unqueue(v, p->len);
	clv_guard_put(v->k->guard, p->value);
	free(p);
}

static void
put_end(struct vault_app *a, struct vault_put *p, const struct vault_reply *r)
{
	p->fn(p->arg, r);
	put_free(a->v, p);
}

static void
put_fail(struct vault_app *a, struct vault_put *p, int result, const char *text)
{
	struct vault_reply r = {.result = result,
	    .text = text != NULL && text[0] != '\0' ? text
						    : clv_result_text(result)};

	put_end(a, p, &r);
}

static void
puts_fail(
    struct vault_app *a, struct vault_put *p, int result, const char *text)
{
	struct vault_put *next;

	for (; p != NULL; p = next) {
		next = p->next;
		put_fail(a, p, result, text);
	}
}

/* How many wait, up to so many. */
static unsigned
waiting(const struct vault_app *a, unsigned max)
{
	unsigned n = 0;

	for (const struct vault_put *p = a->puts; p != NULL && n < max;
	     p = p->next)
		n++;
	return n;
}

static void
gather_end(struct vault_app *a)
{
	a->put_want = 0;
	loop_timer_del(a->v->k->loop, &a->put_gather);
}

static void
on_gathered(void *arg)
{
	struct vault_app *a = arg;

	a->put_want = 0;
	a->put_streak = 0;
	start_batch(a);
}

/* After a batch whose n writers have just been answered. */
static void
gather(struct vault_app *a, unsigned n)
{
	unsigned others = waiting(a, VAULT_BATCH_MAX);

	a->put_streak = others + n > 1 ? a->put_streak + 1 : 0;
	if (a->put_streak < GATHER_AFTER || others + n > VAULT_BATCH_MAX)
		return;
	if (loop_timer_set(a->v->k->loop, &a->put_gather, GATHER_MS,
		on_gathered, a) == CLV_OK)
		a->put_want = others + n;
}

static bool
is_gathering(struct vault_app *a)
{
	if (a->put_want != 0 && waiting(a, a->put_want) < a->put_want)
		return true;
	if (a->put_want != 0)
		gather_end(a);
	return false;
}

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
	puts_fail(a, batch_free(b), result, text);
	start_batch(a);
}

static void
queue_front(struct vault_app *a, struct vault_put *puts)
{
	struct vault_put **tail = &puts;

	if (puts == NULL)
		return;
	while (*tail != NULL)
		tail = &(*tail)->next;
	*tail = a->puts;
	if (a->puts == NULL)
		a->puts_tail = tail;
	a->puts = puts;
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
	queue_front(a, batch_free(b));
	a->put_tries = tries + 1;
	start_batch(a);
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
		put_end(a, p, &r);
	}
	gather(a, n);
	start_batch(a);
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
			put_end(a, p, &reply);
		else
			put_fail(a, p, CLV_E_EXISTS,
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

/* All that wait, as far as it fits; on failure they wait as before. */
static int
make_batch(struct vault_app *a, struct vault_batch **ret)
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
		*ret = b;
	} else {
		queue_front(a, batch_free(b));
	}
	return r;
}

static const char *
why_not(struct vault_app *a, int result)
{
	switch (result) {
	case CLV_E_GENERATION:
		member_refresh_soon(a->v->k);
		return "its newest data key is under a generation that is "
		       "unknown here: the master secret server is needed";
	case CLV_E_NOT_FOUND: return "the application has no data key";
	default: return NULL;
	}
}

static void
on_ready(void *arg, struct vault_app *app, int result, const char *text)
{
	struct vault_app *a = arg;
	struct vault_batch *b;

	(void)app;
	a->put_waits = false;
	if (a->batch != NULL || a->puts == NULL)
		return;
	if (result == CLV_OK) {
		result = make_batch(a, &b);
		text = why_not(a, result);
	}
	a->put_tries = 0;
	a->put_differs = false;
	if (result == CLV_OK)
		send_batch(b);
	else
		vault_put_drop(a, result, text);
}

static void
start_batch(struct vault_app *a)
{
	if (a->batch != NULL || a->puts == NULL || a->put_waits ||
	    is_gathering(a))
		return;
	a->put_waits = true;
	vault_need(a->v, a->name, VAULT_INDEX, on_ready, a);
}

/* CLV_OK: it is among those that wait. */
static int
check(struct vault *v, const struct vault_write *w, const char **ret_text)
{
	*ret_text = NULL;
	if (vault_name_check(w->name) != CLV_OK) {
		*ret_text = "a secret's name is 1 to 128 of letters, digits, "
			    "'.', '_', '-' and '/'";
		return CLV_E_INVALID;
	}
	if (!w->deletes && w->len > CLV_VALUE_MAX) {
		*ret_text = "a secret is at most 61440 bytes long: seal larger "
			    "data with encrypt and keep it yourself";
		return CLV_E_FULL;
	}
	if (!vault_queue(v, w->deletes ? 0 : w->len)) {
		*ret_text = "too many values are waiting: try again";
		return CLV_E_BUSY;
	}
	return CLV_OK;
}

static struct vault_put *
put_new(struct vault *v, const struct vault_write *w, vault_fn fn, void *arg)
{
	struct vault_put *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	snprintf(p->name, sizeof(p->name), "%s", w->name);
	memcpy(p->op_id, w->op_id, sizeof(p->op_id));
	p->keep = w->keep;
	p->deletes = w->deletes;
	p->until_ms = loop_now_ms() + PUT_MS;
	p->fn = fn;
	p->arg = arg;
	if (w->deletes)
		return p;
	p->value = vault_guard_get(v, w->len);
	if (p->value == NULL) {
		free(p);
		return NULL;
	}
	if (w->len > 0)
		memcpy(p->value, w->value, w->len);
	p->len = w->len;
	return p;
}

/* Until it is known that there is such an application. */
struct put_wait {
	struct vault *v;
	struct vault_put *p;
};

static void
on_app(void *arg, struct vault_app *a, int result, const char *text)
{
	struct put_wait *w = arg;
	struct vault_put *p = w->p;

	if (result != CLV_OK) {
		vault_tell(p->fn, p->arg, result, text);
		put_free(w->v, p);
	} else {
		*a->puts_tail = p;
		a->puts_tail = &p->next;
		start_batch(a);
	}
	free(w);
}

void
vault_put(struct vault *v, const struct vault_write *w, vault_fn fn, void *arg)
{
	struct vault_put *p = NULL;
	struct put_wait *wait;
	const char *text;
	int r = check(v, w, &text);

	if (r != CLV_OK) {
		vault_tell(fn, arg, r, text);
		return;
	}
	wait = calloc(1, sizeof(*wait));
	if (wait != NULL)
		p = put_new(v, w, fn, arg);
	if (p == NULL) {
		free(wait);
		vault_unqueue(v, w->deletes ? 0 : w->len);
		vault_tell(fn, arg, CLV_E_FULL, "guarded memory is full");
		return;
	}
	wait->v = v;
	wait->p = p;
	vault_need(v, w->app, VAULT_KEYS, on_app, wait);
}

void
vault_put_drop(struct vault_app *a, int result, const char *text)
{
	struct vault_put *puts = a->puts;

	gather_end(a);
	a->puts = NULL;
	a->puts_tail = &a->puts;
	puts_fail(a, puts, result, text);
	/* What is under way ends by itself, but when all ends. */
	if (a->batch == NULL || result != CLV_E_CANCELLED)
		return;
	if (a->batch->doubt)
		result = CLV_E_UNKNOWN;
	puts_fail(a, batch_free(a->batch), result, text);
}
