/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/vault/vault_batch.h"

/*
 * Writing. What is asked for while a transaction is under way goes into the
 * next one together.
 */
#define PUT_MS 20000 /* then the outcome stays unknown to the caller */
/* Whoever was answered often has more to write, and would just miss the next
 * transaction: eight writers made two camps of four, each waiting for the
 * other's. So after some batches in a row of more than one writer the next
 * waits for as many; when they do not come it has been in vain, and is not
 * tried soon. */
#define GATHER_AFTER 8
#define GATHER_MS 1

static void
put_free(struct vault *v, struct vault_put *p)
{
	vault_unqueue(v, p->len);
	clv_guard_put(v->k->guard, p->value);
	free(p);
}

void
vault_put_end(
    struct vault_app *a, struct vault_put *p, const struct vault_reply *r)
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

	vault_put_end(a, p, &r);
}

void
vault_puts_fail(
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
	vault_puts_go(a);
}

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

void
vault_puts_back(struct vault_app *a, struct vault_put *puts)
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

	(void)app;
	a->put_waits = false;
	if (a->batch != NULL || a->puts == NULL)
		return;
	if (result == CLV_OK) {
		result = vault_batch_begin(a);
		text = why_not(a, result);
	}
	if (result != CLV_OK)
		vault_put_drop(a, result, text);
}

void
vault_puts_go(struct vault_app *a)
{
	if (a->batch != NULL || a->puts == NULL || a->put_waits ||
	    is_gathering(a))
		return;
	a->put_waits = true;
	vault_need(a->v, a->name, VAULT_INDEX, on_ready, a);
}

void
vault_puts_go_on(struct vault_app *a, unsigned n)
{
	gather(a, n);
	vault_puts_go(a);
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
		vault_puts_go(a);
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
	a->put_tries = 0;
	a->put_differs = false;
	a->puts = NULL;
	a->puts_tail = &a->puts;
	vault_puts_fail(a, puts, result, text);
	/* What is under way ends by itself, but when all ends. */
	if (a->batch != NULL && result == CLV_E_CANCELLED)
		vault_batch_cancel(a, result, text);
}
