/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/rotate/reencrypt_impl.h"

/* One application of the list after the other, first for its key and then for
 * its records, each in turns of the loop of its own. */

static void open_app(struct reencrypt *r);

static void
enter(struct reencrypt *r)
{
	r->serial++; /* whatever is under way belongs to another step */
	loop_timer_del(r->k->loop, &r->timer);
}

struct reencrypt *
reencrypt_still(struct keeper *k, void *arg)
{
	struct reencrypt *r = k->reencrypt;

	return r != NULL && r->serial == (uintptr_t)arg ? r : NULL;
}

void
reencrypt_call(struct reencrypt *r, enum clv_stmt stmt,
    const struct clv_param *p, size_t n, db_fn fn)
{
	enter(r);
	db_call_pool(r->k, stmt, p, n, REENCRYPT_SQL_MS, fn,
	    (void *)(uintptr_t)r->serial);
}

static void
on_open_time(void *arg)
{
	open_app(arg);
}

void
reencrypt_open_in(struct reencrypt *r, uint64_t after_ms)
{
	reencrypt_page_drop(r);
	enter(r);
	(void)loop_timer_set(r->k->loop, &r->timer, after_ms, on_open_time, r);
}

static void
say_why(struct reencrypt *r, const char *why)
{
	if (strncmp(r->why, why, sizeof(r->why) - 1) != 0)
		log_warning("re-encryption cannot go on: %s", why);
	snprintf(r->why, sizeof(r->why), "%.159s", why);
}

void
reencrypt_retry(struct reencrypt *r, const char *why)
{
	say_why(r, why);
	reencrypt_open_in(r, REENCRYPT_RETRY_MS);
}

void
reencrypt_wait_for_keys(struct reencrypt *r)
{
	member_refresh_soon(r->k);
	reencrypt_retry(r, "this host waits for keys from the server");
}

void
reencrypt_follow(struct reencrypt *r)
{
	struct vault_app *a = vault_open_now(r->k->member->vault, r->app);

	if (a != NULL)
		vault_index_follow(a);
}

void
reencrypt_failed(struct reencrypt *r, const struct db_result *res)
{
	/* Another server, or another generation: is that known here yet? */
	if (res->result == CLV_E_STALE_EPOCH || res->result == CLV_E_STALE)
		db_poll_soon(r->k);
	reencrypt_follow(r); /* it may be done */
	reencrypt_retry(
	    r, res->text[0] != '\0' ? res->text : clv_result_text(res->result));
}

/* Applications. */

static const struct clv_list_app *
next_app(const struct reencrypt *r)
{
	const struct clv_list *list = r->k->secret.list;

	for (size_t i = 0; i < list->app_count; i++) /* they ascend */
		if (strcmp(list->apps[i].name, r->app) > 0)
			return &list->apps[i];
	return NULL;
}

static void
end(struct reencrypt *r)
{
	reencrypt_fn fn = r->fn;

	enter(r);
	r->phase = REENCRYPT_IDLE;
	r->why[0] = '\0';
	fn(r->k);
}

static void
on_next(void *arg)
{
	struct reencrypt *r = arg;
	const struct clv_list_app *app = next_app(r);

	if (app == NULL) {
		end(r);
		return;
	}
	memcpy(r->app, app->name, sizeof(r->app));
	r->after_name[0] = '\0';
	r->after_version = 0;
	r->limit = REENCRYPT_BATCH;
	if (r->phase == REENCRYPT_RECORDS && reencrypt_left_out(r->k, r->app))
		reencrypt_next(r);
	else
		open_app(r);
}

void
reencrypt_next(struct reencrypt *r)
{
	r->why[0] = '\0';
	reencrypt_page_drop(r);
	if (r->phase == REENCRYPT_KEYS) {
		r->apps_left -= r->apps_left > 0;
		r->secrets += r->app_secrets;
		r->secrets_left = r->secrets;
	} else {
		r->secrets_left -= r->app_secrets;
	}
	r->app_secrets = 0;
	enter(r);
	(void)loop_timer_set(r->k->loop, &r->timer, 0, on_next, r);
}

void
reencrypt_leave_out(struct reencrypt *r, const char *why)
{
	char(*more)[CLV_NAME_MAX];

	log_error("application %s is not re-encrypted: %s", r->app, why);
	r->damaged++;
	if (r->phase == REENCRYPT_KEYS) {
		more = reallocarray(r->out, r->out_count + 1, sizeof(*more));
		if (more == NULL) {
			r->damaged--;
			reencrypt_retry(r, "out of memory");
			return;
		}
		r->out = more;
		memcpy(r->out[r->out_count++], r->app, sizeof(r->app));
	}
	reencrypt_next(r);
}

/* Opening one. */

struct wait {
	struct keeper *k;
	uintptr_t serial;
};

static void
not_opened(struct reencrypt *r, int result, const char *text)
{
	switch (result) {
	case CLV_E_NOT_FOUND:
		if (clv_list_app_by_name(r->k->secret.list, r->app) == NULL) {
			reencrypt_next(r); /* removed meanwhile */
			return;
		}
		/* fall through */
	case CLV_E_DAMAGED:
	case CLV_E_ROLLBACK:
	case CLV_E_INVALID:
	case CLV_E_DENIED: reencrypt_leave_out(r, text); break;
	case CLV_E_GENERATION: reencrypt_wait_for_keys(r); break;
	default: reencrypt_follow(r); reencrypt_retry(r, text);
	}
}

static void
opened(struct reencrypt *r, struct vault_app *a)
{
	const uint8_t *key;

	if (vault_key_find(a, a->newest, &key) != CLV_OK) {
		reencrypt_wait_for_keys(r);
	} else if (r->phase == REENCRYPT_KEYS) {
		reencrypt_key(r, a);
	} else if (reencrypt_key_is_due(r, a)) {
		/* It has a newer one: what the vault holds, which is good
		 * enough for others while the database is away, is older. */
		reencrypt_follow(r);
		reencrypt_open_in(r, 0);
	} else {
		reencrypt_page(r, a);
	}
}

static void
on_open(void *arg, struct vault_app *a, int result, const char *text)
{
	struct wait w = *(struct wait *)arg;
	struct reencrypt *r = reencrypt_still(w.k, (void *)w.serial);

	free(arg);
	if (r == NULL)
		return;
	if (result != CLV_OK)
		not_opened(r, result,
		    text[0] != '\0' ? text : clv_result_text(result));
	else
		opened(r, a);
}

static void
open_app(struct reencrypt *r)
{
	struct member *m = r->k->member;
	struct wait *w = malloc(sizeof(*w));

	enter(r);
	if (m == NULL || w == NULL) {
		free(w);
		reencrypt_retry(r, "this host has no keys yet");
		return;
	}
	*w = (struct wait){r->k, r->serial};
	vault_need(m->vault, r->app, VAULT_INDEX, on_open, w);
}

/* From outside. */

int
reencrypt_new(struct keeper *k, struct reencrypt **ret)
{
	struct reencrypt *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return CLV_E_NOMEM;
	r->k = k;
	for (int i = 0; i < REENCRYPT_COLUMNS; i++)
		clv_buf_init(&r->column[i]);
	*ret = r;
	return CLV_OK;
}

void
reencrypt_stop(struct keeper *k)
{
	struct reencrypt *r = k->reencrypt;

	enter(r);
	r->phase = REENCRYPT_IDLE;
	r->out_count = 0; /* the next one looks by itself */
	reencrypt_page_drop(r);
}

void
reencrypt_free(struct reencrypt **reencrypt)
{
	struct reencrypt *r = *reencrypt;

	if (r == NULL)
		return;
	reencrypt_stop(r->k);
	free(r->out);
	free(r);
	*reencrypt = NULL;
}

bool
reencrypt_is_due(const struct keeper *k, uint32_t current)
{
	uint32_t since = k->secret.list->reencrypt;

	return since != 0 && since <= current;
}

static void
begin(struct reencrypt *r, enum reencrypt_phase phase, reencrypt_fn fn)
{
	r->phase = phase;
	r->fn = fn;
	r->app[0] = '\0';
	r->app_secrets = 0;
	r->why[0] = '\0';
	enter(r);
	(void)loop_timer_set(r->k->loop, &r->timer, 0, on_next, r);
}

void
reencrypt_keys(
    struct keeper *k, uint64_t epoch, uint32_t current, reencrypt_fn fn)
{
	struct reencrypt *r = k->reencrypt;

	r->epoch = epoch;
	r->current = current;
	r->out_count = 0;
	r->apps = r->apps_left = k->secret.list->app_count;
	r->secrets = r->secrets_left = 0;
	r->rewritten = r->damaged = 0;
	begin(r, REENCRYPT_KEYS, fn);
}

void
reencrypt_records(struct keeper *k, reencrypt_fn fn)
{
	log_notice("re-encrypting %llu secrets",
	    (unsigned long long)k->reencrypt->secrets);
	begin(k->reencrypt, REENCRYPT_RECORDS, fn);
}

bool
reencrypt_left_out(const struct keeper *k, const char *app)
{
	const struct reencrypt *r = k->reencrypt;

	for (size_t i = 0; i < r->out_count; i++)
		if (strcmp(r->out[i], app) == 0)
			return true;
	return false;
}

void
reencrypt_progress(const struct keeper *k, struct reencrypt_progress *ret)
{
	const struct reencrypt *r = k->reencrypt;
	bool keys = r->phase == REENCRYPT_KEYS;

	ret->total = keys ? r->apps : r->secrets;
	ret->left = keys ? r->apps_left : r->secrets_left;
	ret->rewritten = r->rewritten;
	ret->damaged = r->damaged;
	memcpy(ret->why, r->why, sizeof(ret->why));
}
