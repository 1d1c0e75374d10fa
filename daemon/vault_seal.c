/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/vault_impl.h"

/*
 * Sealing and opening data that the application keeps by itself: from memory
 * alone once the application's keys are there.
 */
#define CONTEXT_MAX 256

struct seal {
	struct vault *v;
	char context[CONTEXT_MAX];
	bool opens;
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
	uint32_t version = vault_key_newest(a);
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
		    rc == CLV_E_NOT_FOUND
			? "it was sealed under a data key that is no longer "
			  "there, or is of another application"
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

static void
on_ready(void *arg, struct vault_app *a, int result, const char *text)
{
	struct seal *s = arg;

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

/* The keys have to be fetched first: keep what was given. */
static void
keep(struct vault *v, const char *app, const struct direct *d)
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
	vault_need(v, app, VAULT_KEYS, on_ready, s);
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
	else if (a != NULL)
		work(a, d->context, d->opens, d->p, d->len, d->fn, d->arg);
	else
		keep(v, app, d);
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
