/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/vault/vault_impl.h"

/*
 * Sealing and opening data that the application keeps by itself: from memory
 * alone once the application's keys are there. Which data key is the newest is
 * asked after each refresh, by the first who seals; one that is not known yet
 * is looked for when something sealed under it comes.
 */
#define CONTEXT_MAX 256
#define LOOKS_MAX 2 /* for a data key, by one request */

struct seal {
	struct vault *v;
	char context[CONTEXT_MAX];
	bool opens;
	unsigned looks;
	vault_fn fn;
	void *arg;
	size_t len;
	uint8_t *data; /* guarded when it is plaintext */
};

static void
work(struct vault_app *a, const char *context, bool opens, const void *p,
    size_t len, vault_fn fn, void *arg)
{
	static uint8_t out[CLV_VALUE_MAX + CLV_RECORD_EXTRA];
	struct clv_record_id id = {
	    CLV_RECORD_SEALED, member_system_id(a->v->k), a->name, context, 0};
	struct vault_reply r = {.text = "", .value = out};
	uint32_t version = a->newest;
	const uint8_t *key;
	int rc = CLV_OK;

	if (opens)
		rc = clv_record_key_version(p, len, &version);
	if (rc == CLV_OK)
		rc = vault_key_find(a, version, &key);
	if (rc == CLV_OK && opens)
		rc = clv_record_open(key, &id, p, len, out);
	else if (rc == CLV_OK)
		rc = clv_record_seal(key, version, &id, p, len, out);
	if (rc == CLV_E_GENERATION)
		member_refresh_soon(a->v->k);
	if (rc != CLV_OK) {
		vault_tell(fn, arg, rc,
		    rc == CLV_E_NOT_FOUND && !opens
			? "the application has no data key"
		    : rc == CLV_E_NOT_FOUND
			? "it was sealed under a data key that there is not: "
			  "it is of another application, or of one of that "
			  "name that was removed"
		    : rc == CLV_E_GENERATION
			? "it is under a generation that is unknown here: the "
			  "master secret server is needed"
		    : rc == CLV_E_DAMAGED
			? "it was changed, or is of another application or "
			  "context"
			: NULL);
		return;
	}
	r.len = opens ? len - CLV_RECORD_EXTRA : len + CLV_RECORD_EXTRA;
	fn(arg, &r);
	if (opens)
		sodium_memzero(out, r.len);
}

/* Sealed under a data key that is not known here? */
static bool
is_unknown(const struct vault_app *a, const void *p, size_t len)
{
	uint32_t version;
	const uint8_t *key;

	return clv_record_key_version(p, len, &version) == CLV_OK &&
	       vault_key_find(a, version, &key) == CLV_E_NOT_FOUND;
}

/* The database is away, and the server knows of no write since we saw the last
 * one: our newest data key is still the newest. */
static bool
is_newest_still(const struct vault_app *a)
{
	return a != NULL && a->newest > 0 && !a->keys_due &&
	       clv_index_counter(a->index) >=
		   heads_get(a->v->k->heads, a->name);
}

static void on_ready(
    void *arg, struct vault_app *a, int result, const char *text);

/* The manifest says which data keys there are, so that rubbish costs a question
 * for what is new, and makes no key be loaded. */
static void
look(struct seal *s, struct vault_app *a)
{
	s->looks++;
	vault_index_follow(a);
	vault_need(s->v, a->name, VAULT_INDEX, on_ready, s);
}

static void
on_ready(void *arg, struct vault_app *a, int result, const char *text)
{
	struct seal *s = arg;

	if (result == CLV_OK && s->opens && s->looks < LOOKS_MAX &&
	    is_unknown(a, s->data, s->len)) {
		look(s, a);
		return;
	}
	if (!s->opens && vault_is_away(result) && is_newest_still(a))
		result = CLV_OK;
	vault_unqueue(s->v, s->len);
	if (result == CLV_OK)
		work(a, s->context, s->opens, s->data, s->len, s->fn, s->arg);
	else
		vault_tell(s->fn, s->arg, result, text);
	clv_guard_put(s->v->k->guard, s->data);
	free(s);
}

struct direct {
	const char *context;
	bool opens;
	const void *p;
	size_t len;
	vault_fn fn;
	void *arg;
};

/* Something has to be fetched first: keep what was given. a: the application
 * when its keys are here. */
static void
keep(struct vault *v, struct vault_app *a, const char *app,
    const struct direct *d)
{
	struct seal *s = calloc(1, sizeof(*s));

	if (!vault_queue(v, d->len)) {
		free(s);
		vault_tell(d->fn, d->arg, CLV_E_BUSY,
		    "too many values are waiting: try again");
		return;
	}
	if (s != NULL)
		s->data = vault_guard_get(v, d->len);
	if (s == NULL || s->data == NULL) {
		vault_unqueue(v, d->len);
		free(s);
		vault_tell(d->fn, d->arg, CLV_E_FULL, "guarded memory is full");
		return;
	}
	if (d->len > 0)
		memcpy(s->data, d->p, d->len);
	s->v = v;
	memcpy(s->context, d->context, strlen(d->context) + 1);
	s->opens = d->opens;
	s->len = d->len;
	s->fn = d->fn;
	s->arg = d->arg;
	if (a != NULL)
		look(s, a);
	else
		vault_need(
		    v, app, d->opens ? VAULT_KEYS : VAULT_INDEX, on_ready, s);
}

static void
start(struct vault *v, const char *app, const struct direct *d)
{
	struct vault_app *a = vault_open_now(v, app);

	if (strlen(d->context) >= CONTEXT_MAX)
		vault_tell(d->fn, d->arg, CLV_E_INVALID,
		    "a context is at most 255 bytes");
	else if (d->len > CLV_VALUE_MAX + (d->opens ? CLV_RECORD_EXTRA : 0))
		vault_tell(d->fn, d->arg, CLV_E_FULL, NULL);
	else if (a != NULL &&
		 (d->opens ? !is_unknown(a, d->p, d->len) : a->current))
		work(a, d->context, d->opens, d->p, d->len, d->fn, d->arg);
	else
		keep(v, a, app, d);
}

void
vault_seal(struct vault *v, const char *app, const char *context, const void *p,
    size_t len, vault_fn fn, void *arg)
{
	struct direct d = {context, false, p, len, fn, arg};

	start(v, app, &d);
}

void
vault_unseal(struct vault *v, const char *app, const char *context,
    const void *p, size_t len, vault_fn fn, void *arg)
{
	struct direct d = {context, true, p, len, fn, arg};

	start(v, app, &d);
}
