/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <claviger/envelope.h>

#include "daemon/admin/admin.h"
#include "daemon/base/log.h"
#include "daemon/rotate/reencrypt.h"
#include "daemon/rotate/rewrap.h"
#include "daemon/rotate/rewrap_impl.h"

/*
 * Pages of keys of older generations, in order, each unwrapped and wrapped in
 * slices, so that members are served in between, and written back by one
 * statement that names the generation each was of: repeating it changes
 * nothing. Whoever cannot go on begins again, and finds what is left. When it
 * is asked for, applications get new data keys before, and after it their
 * records are rewritten under them.
 */

static void step_read(struct rewrap *w);
static void step_members(void *arg);
static void step_mark(struct rewrap *w);
static void on_slice(void *arg);

void
rewrap_enter(struct rewrap *w, enum rewrap_step step)
{
	w->step = step;
	w->serial++; /* whatever is under way belongs to another step */
	loop_timer_del(w->k->loop, &w->timer);
}

static void
page_drop(struct rewrap *w)
{
	free(w->rows);
	w->rows = NULL;
	w->row_count = w->at = 0;
	for (int i = 0; i < REWRAP_COLUMNS; i++)
		clv_buf_fini(&w->column[i]);
	clv_guard_put(w->k->guard, w->keys);
	w->keys = NULL;
}

static void
stop(struct rewrap *w)
{
	page_drop(w);
	reencrypt_stop(w->k);
	rewrap_enter(w, REWRAP_IDLE);
}

static void
begin(struct rewrap *w)
{
	w->after_generation = 0;
	w->after_version = 0;
	w->after_app[0] = '\0';
	w->tls_at = 0;
	w->counted = false;
	w->damaged = 0;
	w->reencrypts = reencrypt_is_due(w->k, w->generation);
	if (w->reencrypts)
		step_members(w);
	else
		step_read(w);
}

static void
on_retry(void *arg)
{
	struct rewrap *w = arg;

	stop(w);
	rewrap_wake(w->k);
}

void
rewrap_retry(struct rewrap *w, const char *why, uint64_t after_ms)
{
	if (strcmp(w->why, why) != 0)
		log_warning("rewrapping cannot go on: %s", why);
	snprintf(w->why, sizeof(w->why), "%s", why);
	page_drop(w);
	rewrap_enter(w, REWRAP_WAIT);
	(void)loop_timer_set(w->k->loop, &w->timer, after_ms, on_retry, w);
}

void
rewrap_refused(struct rewrap *w, const struct db_result *r)
{
	/* Another server, or another generation: is that known here yet? */
	if (r->result == CLV_E_STALE_EPOCH || r->result == CLV_E_STALE)
		db_poll_soon(w->k);
	rewrap_retry(w,
	    r->text[0] != '\0' ? r->text : clv_result_text(r->result),
	    REWRAP_RETRY_MS);
}

void
rewrap_call(struct rewrap *w, enum clv_stmt stmt, const struct clv_param *p,
    size_t n, db_fn fn)
{
	db_call_pool(
	    w->k, stmt, p, n, REWRAP_SQL_MS, fn, (void *)(uintptr_t)w->serial);
}

struct rewrap *
rewrap_still(struct keeper *k, void *arg)
{
	struct rewrap *w = k->rewrap;

	return w != NULL && w->serial == (uintptr_t)arg ? w : NULL;
}

/* Writing. */

static void
on_written(struct keeper *k, void *arg, const struct db_result *r)
{
	struct rewrap *w = rewrap_still(k, arg);

	if (w == NULL)
		return;
	if (r->result != CLV_OK) {
		rewrap_refused(w, r);
		return;
	}
	w->why[0] = '\0';
	w->left -= w->left < w->row_count ? w->left : w->row_count;
	page_drop(w);
	step_read(w);
}

static void
step_write(struct rewrap *w)
{
	uint8_t epoch[8], generation[8];
	struct clv_param p[3 + REWRAP_COLUMNS] = {
	    clv_param_u64(w->epoch, epoch),
	    {w->k->instance, sizeof(w->k->instance)},
	    clv_param_u64(w->generation, generation),
	};

	rewrap_enter(w, REWRAP_WRITE);
	for (int i = 0; i < REWRAP_COLUMNS; i++) {
		if (clv_buf_result(&w->column[i]) != CLV_OK) {
			rewrap_retry(w, "out of memory", REWRAP_RETRY_MS);
			return;
		}
		p[3 + i] = clv_param_array(&w->column[i]);
	}
	rewrap_call(
	    w, CLV_STMT_PUT_REWRAPPED, p, 3 + REWRAP_COLUMNS, on_written);
}

/* Wrapping. */

static void
on_slice(void *arg)
{
	struct rewrap *w = arg;

	for (unsigned n = 0; n < REWRAP_SLICE && w->at < w->row_count; n++)
		rewrap_key(w, &w->rows[w->at++]);
	if (w->at < w->row_count) {
		(void)loop_timer_set(w->k->loop, &w->timer, 0, on_slice, w);
	} else if (w->good > 0) {
		step_write(w);
	} else { /* none that opens: on to what comes behind them */
		page_drop(w);
		step_read(w);
	}
}

static void
step_wrap(struct rewrap *w)
{
	static const enum clv_array type[REWRAP_COLUMNS] = {
	    CLV_ARRAY_TEXT, CLV_ARRAY_INT8, CLV_ARRAY_INT8, CLV_ARRAY_BYTEA};

	rewrap_enter(w, REWRAP_WRAP);
	w->keys = clv_guard_get(w->k->guard, sizeof(*w->keys));
	if (w->keys == NULL) {
		rewrap_retry(w, "guarded memory is full", REWRAP_RETRY_MS);
		return;
	}
	for (int i = 0; i < REWRAP_COLUMNS; i++)
		clv_array_begin(&w->column[i], type[i]);
	w->prepared = NULL;
	w->at = w->good = 0;
	on_slice(w);
}

static void
on_new_keys(struct keeper *k)
{
	step_read(k->rewrap);
}

static void
step_new_keys(struct rewrap *w)
{
	rewrap_enter(w, REWRAP_NEW_KEYS);
	reencrypt_keys(w->k, w->epoch, w->generation, on_new_keys);
}

/* A member without the new key cannot open what is under it. Live ones were
 * waited for when it was published; not when it was made current without an
 * active server, and not by this one after a failover. */
static void
step_members(void *arg)
{
	struct rewrap *w = arg;
	struct keeper *k = w->k;

	rewrap_enter(w, REWRAP_MEMBERS);
	if (members_wait(k, w->generation, REWRAP_MEET_MS)) {
		w->why[0] = '\0';
		if (w->row_count > 0)
			step_wrap(w);
		else
			step_new_keys(w);
		return;
	}
	snprintf(w->why, sizeof(w->why), "%s",
	    members_wait_find(k, w->generation)->why);
	(void)loop_timer_set(
	    k->loop, &w->timer, MEMBERS_WAIT_LOOK_MS, step_members, w);
}

/* How much there is: once, and only when there is something. */

static void
on_count(struct keeper *k, void *arg, const struct db_result *r)
{
	struct rewrap *w = rewrap_still(k, arg);

	if (w == NULL)
		return;
	if (r->result != CLV_OK) {
		rewrap_refused(w, r);
		return;
	}
	w->left = 0;
	for (size_t i = 0; i < r->rows; i++)
		if (db_u64(r, i, 0) < w->generation)
			w->left += db_u64(r, i, 1);
	if (w->total < w->left)
		w->total = w->left;
	w->counted = true;
	log_notice("rewrapping %llu keys under generation %u",
	    (unsigned long long)w->left, w->generation);
	step_members(w);
}

static void
step_count(struct rewrap *w)
{
	rewrap_enter(w, REWRAP_COUNT);
	rewrap_call(w, CLV_STMT_COUNT_KEYS, NULL, 0, on_count);
}

/* Reading. */

static bool
text(const struct db_field *f, char *dst, size_t cap)
{
	if (f->len >= cap || memchr(f->p, '\0', f->len) != NULL)
		return false;
	memcpy(dst, f->p, f->len);
	dst[f->len] = '\0';
	return clv_name_check(dst) == CLV_OK;
}

/* Rows ascend, so that they come to an end. */
static bool
is_after(const struct rewrap *w, const struct rewrap_row *row)
{
	int order = strcmp(row->app, w->after_app);

	if (row->generation != w->after_generation)
		return row->generation > w->after_generation;
	return order > 0 || (order == 0 && row->version > w->after_version);
}

/* Columns: app, version, generation, wrapped. */
static bool
take_row(struct rewrap *w, const struct db_result *r, size_t i)
{
	const struct db_field *wrapped = db_field(r, i, 3);
	struct rewrap_row *row = &w->rows[i];

	row->version = (uint32_t)db_u64(r, i, 1);
	row->generation = (uint32_t)db_u64(r, i, 2);
	if (!text(db_field(r, i, 0), row->app, sizeof(row->app)) ||
	    !is_after(w, row) || row->generation >= w->generation)
		return false;
	row->wrapped_len = wrapped->len;
	if (wrapped->len <= sizeof(row->wrapped))
		memcpy(row->wrapped, wrapped->p, wrapped->len);
	w->after_generation = row->generation;
	w->after_version = row->version;
	memcpy(w->after_app, row->app, sizeof(w->after_app));
	return true;
}

static void
on_page(struct keeper *k, void *arg, const struct db_result *r)
{
	struct rewrap *w = rewrap_still(k, arg);
	bool fits = true;

	if (w == NULL)
		return;
	if (r->result != CLV_OK) {
		rewrap_refused(w, r);
		return;
	}
	if (r->rows == 0) {
		rewrap_tls(w);
		return;
	}
	w->rows = calloc(r->rows, sizeof(*w->rows));
	if (w->rows == NULL) {
		rewrap_retry(w, "out of memory", REWRAP_RETRY_MS);
		return;
	}
	w->row_count = r->rows;
	for (size_t i = 0; fits && i < r->rows; i++)
		fits = take_row(w, r, i);
	if (!fits)
		rewrap_retry(w,
		    "the database's data keys are not what a server wrote: "
		    "claviger doctor",
		    REWRAP_ODD_MS);
	else if (!w->counted)
		step_count(w);
	else
		step_wrap(w);
}

static void
step_read(struct rewrap *w)
{
	uint8_t generation[8], after[8], version[8], limit[8];
	struct clv_param p[5] = {
	    clv_param_u64(w->generation, generation),
	    clv_param_u64(w->after_generation, after),
	    {w->after_app, strlen(w->after_app)},
	    clv_param_u64(w->after_version, version),
	    clv_param_u64(REWRAP_PAGE, limit),
	};

	rewrap_enter(w, REWRAP_READ);
	rewrap_call(w, CLV_STMT_GET_OLD_KEYS, p, 5, on_page);
}

/* All is under the new keys. */

static void
finish(struct rewrap *w)
{
	rewrap_enter(w, REWRAP_DONE);
	w->why[0] = '\0';
	if (w->damaged > 0)
		log_error("%llu keys stay under generations before %u: they do "
			  "not open, or their application is damaged",
		    (unsigned long long)w->damaged, w->generation);
	else if (w->counted)
		log_notice(
		    "every key is wrapped under generation %u", w->generation);
}

static void
on_mark_time(void *arg)
{
	step_mark(arg);
}

static void
on_marked(struct keeper *k, void *arg, int result, const void *p, size_t len)
{
	struct rewrap *w = rewrap_still(k, arg);

	(void)p;
	(void)len;
	if (w == NULL)
		return;
	if (result == CLV_OK) {
		log_notice("every record is under a new data key");
		finish(w);
	} else { /* another operation, or the database */
		(void)loop_timer_set(
		    k->loop, &w->timer, REWRAP_RETRY_MS, on_mark_time, w);
	}
}

/* The signed list asks for it no more. */
static void
step_mark(struct rewrap *w)
{
	struct admin_origin from = {.done = on_marked};
	struct clv_buf args;

	rewrap_enter(w, REWRAP_MARK);
	from.arg = (void *)(uintptr_t)w->serial;
	clv_buf_init(&args);
	clv_buf_u32(&args, w->k->secret.list->reencrypt);
	admin_own(w->k, &from, ADMIN_REENCRYPTED, &args);
	clv_buf_fini(&args);
}

/* What is damaged stays asked for: it may be mended for the next server. */
static void
on_records(struct keeper *k)
{
	struct rewrap *w = k->rewrap;
	struct reencrypt_progress p;

	reencrypt_progress(k, &p);
	if (p.damaged == 0)
		step_mark(w);
	else
		finish(w);
}

void
rewrap_finish(struct rewrap *w)
{
	w->left = 0;
	if (!w->reencrypts) {
		finish(w);
		return;
	}
	rewrap_enter(w, REWRAP_RECORDS);
	reencrypt_records(w->k, on_records);
}

/* From outside. */

int
rewrap_new(struct keeper *k, struct rewrap **ret)
{
	struct rewrap *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return CLV_E_NOMEM;
	w->k = k;
	for (int i = 0; i < REWRAP_COLUMNS; i++)
		clv_buf_init(&w->column[i]);
	*ret = w;
	return CLV_OK;
}

void
rewrap_free(struct rewrap **rewrap)
{
	struct rewrap *w = *rewrap;

	if (w == NULL)
		return;
	stop(w);
	free(w);
	*rewrap = NULL;
}

void
rewrap_wake(struct keeper *k)
{
	struct rewrap *w = k->rewrap;
	uint32_t current;

	if (w == NULL)
		return;
	if (!serving_in_lease(k) || !secret_is_proven(k)) {
		if (w->step != REWRAP_IDLE)
			stop(w);
		return;
	}
	current = clv_list_current(k->secret.list)->number;
	if (w->step != REWRAP_IDLE && w->epoch == k->serving.epoch &&
	    w->generation == current)
		return;
	stop(w);
	if (w->generation != current)
		w->total = w->left = 0;
	w->generation = current;
	w->epoch = k->serving.epoch;
	begin(w);
}

static enum rewrap_state
state_of(const struct rewrap *w)
{
	switch (w->step) {
	case REWRAP_IDLE: return REWRAP_IS_IDLE;
	case REWRAP_DONE: return REWRAP_IS_DONE;
	case REWRAP_NEW_KEYS: return REWRAP_IS_MAKING_KEYS;
	case REWRAP_RECORDS:
	case REWRAP_MARK: return REWRAP_IS_REENCRYPTING;
	default: return REWRAP_IS_RUNNING;
	}
}

void
rewrap_progress(const struct keeper *k, struct rewrap_progress *ret)
{
	const struct rewrap *w = k->rewrap;
	struct reencrypt_progress p;

	memset(ret, 0, sizeof(*ret));
	if (w == NULL || w->step == REWRAP_IDLE)
		return;
	ret->state = state_of(w);
	ret->generation = w->generation;
	ret->total = w->total;
	ret->left = w->left;
	ret->damaged = w->damaged;
	memcpy(ret->why, w->why, sizeof(ret->why));
	if (!w->reencrypts)
		return;
	reencrypt_progress(k, &p);
	ret->reencrypted = p.rewritten;
	ret->not_reencrypted = p.damaged;
	if (ret->state != REWRAP_IS_MAKING_KEYS &&
	    ret->state != REWRAP_IS_REENCRYPTING)
		return;
	ret->total = p.total;
	ret->left = p.left;
	memcpy(ret->why, p.why, sizeof(ret->why));
}
