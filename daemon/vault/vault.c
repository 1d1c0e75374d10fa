/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/vault/vault_impl.h"

/*
 * The table of open applications, and who waits for one to be opened: first
 * its keys, then its index, one statement at a time however many wait.
 */

void
vault_tell(vault_fn fn, void *arg, int result, const char *text)
{
	struct vault_reply r = {.result = result,
	    .text = text != NULL && text[0] != '\0' ? text
						    : clv_result_text(result)};

	fn(arg, &r);
}

bool
vault_is_away(int result)
{
	return result == CLV_E_DATABASE_AWAY || result == CLV_E_TIMEOUT ||
	       result == CLV_E_UNKNOWN;
}

int
vault_name_check(const char *name)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "abcdefghijklmnopqrstuvwxyz0123456789._-/";
	size_t len = strlen(name);

	if (len == 0 || len >= VAULT_NAME_MAX || strspn(name, set) != len ||
	    strchr(".-/", name[0]) != NULL)
		return CLV_E_INVALID;
	return CLV_OK;
}

int
vault_new(struct keeper *k, struct vault **ret)
{
	struct vault *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return CLV_E_NOMEM;
	v->k = k;
	randombytes_buf(v->hash_key, sizeof(v->hash_key));
	*ret = v;
	return CLV_OK;
}

bool
vault_queue(struct vault *v, size_t len)
{
	if (v->queued >= VAULT_QUEUE_MAX ||
	    v->queued_len + len > VAULT_QUEUE_LEN)
		return false;
	v->queued++;
	v->queued_len += len;
	return true;
}

void
vault_unqueue(struct vault *v, size_t len)
{
	v->queued--;
	v->queued_len -= len;
}

void *
vault_guard_get(struct vault *v, size_t len)
{
	void *p = clv_guard_get(v->k->guard, len);

	if (p == NULL) {
		vault_cache_drop(v); /* a help, no promise */
		p = clv_guard_get(v->k->guard, len);
	}
	return p;
}

static void
tell_waiters(struct vault_app *a, unsigned needs, int result, const char *text)
{
	struct vault_wait **pp = &a->waits, *w, *due = NULL, **tail = &due;

	while ((w = *pp) != NULL) {
		if ((w->need & needs) == 0) {
			pp = &w->next;
			continue;
		}
		*pp = w->next;
		w->next = NULL;
		*tail = w;
		tail = &w->next;
	}
	/* They may ask again while they are told. */
	while ((w = due) != NULL) {
		due = w->next;
		w->fn(w->arg, a, result, text);
		free(w);
	}
}

static void
app_free(struct vault_app *a)
{
	tell_waiters(a, VAULT_KEYS | VAULT_INDEX, CLV_E_CANCELLED,
	    "the daemon is ending");
	vault_put_drop(a, CLV_E_CANCELLED, "the daemon is ending");
	vault_index_drop(a);
	vault_keys_drop(a);
	free(a);
}

void
vault_free(struct vault **vault)
{
	struct vault *v = *vault;
	struct vault_app *a;

	*vault = NULL;
	if (v == NULL)
		return;
	while ((a = v->apps) != NULL) {
		v->apps = a->next;
		app_free(a);
	}
	vault_cache_drop(v);
	free(v);
}

static bool
is_idle(const struct vault_app *a)
{
	return a->calls == 0 && a->waits == NULL && a->puts == NULL &&
	       a->batch == NULL && !a->loading;
}

/* Make room: the one that was not used for longest. */
static void
close_oldest(struct vault *v)
{
	struct vault_app **pp, **found = NULL, *a;

	for (pp = &v->apps; *pp != NULL; pp = &(*pp)->next)
		if (is_idle(*pp) &&
		    (found == NULL || (*pp)->used < (*found)->used))
			found = pp;
	if (found == NULL)
		return;
	a = *found;
	*found = a->next;
	v->app_count--;
	vault_cache_drop_app(v, a->name);
	app_free(a);
}

static struct vault_app *
find(struct vault *v, const char *name)
{
	struct vault_app **pp, *a;

	for (pp = &v->apps; (a = *pp) != NULL; pp = &a->next)
		if (strcmp(a->name, name) == 0)
			break;
	if (a == NULL)
		return NULL;
	*pp = a->next; /* to the front: the same one is asked for again */
	a->next = v->apps;
	v->apps = a;
	return a;
}

static struct vault_app *
find_or_make(struct vault *v, const char *name)
{
	struct vault_app *a = find(v, name);

	if (a == NULL) {
		if (v->app_count >= VAULT_APPS_MAX)
			close_oldest(v);
		if (v->app_count >= VAULT_APPS_MAX)
			return NULL;
		a = calloc(1, sizeof(*a));
		if (a == NULL)
			return NULL;
		a->v = v;
		snprintf(a->name, sizeof(a->name), "%s", name);
		a->puts_tail = &a->puts;
		a->next = v->apps;
		v->apps = a;
		v->app_count++;
	}
	a->used = ++v->uses;
	return a;
}

struct vault_app *
vault_open_now(struct vault *v, const char *app)
{
	struct vault_app *a = find(v, app);

	if (a == NULL || a->key_count == 0)
		return NULL;
	a->used = ++v->uses;
	return a;
}

static bool
are_keys_here(const struct vault_app *a)
{
	return a->key_count > 0 && !a->keys_due;
}

static bool
is_ready(const struct vault_app *a, enum vault_need need)
{
	return are_keys_here(a) && (need == VAULT_KEYS || a->indexed);
}

static void
load_next(struct vault_app *a)
{
	if (a->loading || a->waits == NULL)
		return;
	a->loading = true;
	if (!are_keys_here(a))
		vault_keys_load(a);
	else
		vault_index_load(a);
}

void
vault_need(struct vault *v, const char *app, enum vault_need need,
    vault_ready_fn fn, void *arg)
{
	struct vault_wait *w, **tail;
	struct vault_app *a;

	if (clv_name_check(app) != CLV_OK) {
		fn(arg, NULL, CLV_E_INVALID, "that is no application's name");
		return;
	}
	a = find_or_make(v, app);
	if (a == NULL) {
		fn(arg, NULL, CLV_E_BUSY, "too many applications are in use");
		return;
	}
	if (is_ready(a, need)) {
		fn(arg, a, CLV_OK, "");
		return;
	}
	w = calloc(1, sizeof(*w));
	if (w == NULL) {
		fn(arg, NULL, CLV_E_NOMEM, "out of memory");
		return;
	}
	*w = (struct vault_wait){.need = need, .fn = fn, .arg = arg};
	for (tail = &a->waits; *tail != NULL;)
		tail = &(*tail)->next;
	*tail = w; /* writes keep their order */
	load_next(a);
}

void
vault_wake(struct vault_app *a, int result, const char *text)
{
	a->loading = false;
	a->calls++; /* whoever is told may open others */
	if (result != CLV_OK)
		tell_waiters(a, VAULT_KEYS | VAULT_INDEX, result, text);
	if (result == CLV_OK && is_ready(a, VAULT_KEYS))
		tell_waiters(a, VAULT_KEYS, CLV_OK, "");
	if (result == CLV_OK && is_ready(a, VAULT_INDEX))
		tell_waiters(a, VAULT_INDEX, CLV_OK, "");
	a->calls--;
	load_next(a);
}

/* What is open stays open: its data keys do not change when the generation
 * does. Only those that could not be opened are tried again. */
void
vault_on_keys(struct vault *v)
{
	for (struct vault_app *a = v->apps; a != NULL; a = a->next)
		if (vault_keys_waited(a))
			a->keys_due = true;
}

void
vault_on_refresh(struct vault *v)
{
	for (struct vault_app *a = v->apps; a != NULL; a = a->next)
		a->current = false;
}

void
vault_drop(struct vault *v)
{
	static const char text[] = "the keys were taken away";

	vault_cache_drop(v);
	inspect_stop(v);
	for (struct vault_app *a = v->apps; a != NULL; a = a->next) {
		vault_keys_drop(a);
		tell_waiters(a, VAULT_KEYS | VAULT_INDEX, CLV_E_REVOKED, text);
		vault_put_drop(a, CLV_E_REVOKED, text);
	}
}
