/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/vault/inspect_impl.h"

/* The life of an inspection: its parts, and what was found in each. */

static void
put(struct inspect_found *f, const char *kind, const char *subject,
    const char *text)
{
	clv_buf_str(&f->b, kind);
	clv_buf_str(&f->b, subject);
	clv_buf_str(&f->b, text);
	f->count++;
}

void
inspect_found(struct inspect_found *f, const char *kind, const char *subject,
    const char *fmt, ...)
{
	char text[256];
	va_list ap;

	if (f == NULL)
		return;
	if (f->count >= INSPECT_PART_MAX - 1) { /* the last one says so */
		f->dropped++;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put(f, kind, subject, text);
}

static void
found_reset(struct inspect_found *f)
{
	clv_buf_reset(&f->b);
	f->count = f->dropped = 0;
}

int
inspect_new(struct vault *v, const char *app, struct inspect **ret)
{
	struct inspect *i;

	if (v->inspect != NULL)
		return CLV_E_BUSY;
	i = calloc(1, sizeof(*i));
	if (i == NULL)
		return CLV_E_NOMEM;
	i->v = v;
	snprintf(i->app, sizeof(i->app), "%s", app);
	clv_buf_init(&i->found.b);
	clv_buf_init(&i->maybe.b);
	v->inspect = i;
	*ret = i;
	return CLV_OK;
}

/* Whatever is secret, and whatever is large. */
static void
drop(struct inspect *i)
{
	clv_index_free(&i->index);
	clv_guard_put(i->v->k->guard, i->index_key);
	i->index_key = NULL;
	inspect_keys_drop(i);
	clv_buf_fini(&i->found.b);
	clv_buf_fini(&i->maybe.b);
	free(i->doubts);
	i->doubts = NULL;
	i->doubt_count = 0;
}

void
inspect_free(struct inspect **inspect)
{
	struct inspect *i = *inspect;

	*inspect = NULL;
	if (i == NULL)
		return;
	drop(i);
	i->v->inspect = NULL;
	i->gone = true;
	if (i->calls == 0)
		free(i);
}

void
inspect_call(struct inspect *i, enum clv_stmt stmt, const struct clv_param *p,
    size_t n, db_fn fn, void *arg)
{
	i->calls++;
	db_call_pool(i->v->k, stmt, p, n, VAULT_WAIT_MS, fn, arg);
}

bool
inspect_answered(struct inspect *i, const struct db_result *r)
{
	i->calls--;
	if (i->gone) {
		if (i->calls == 0)
			free(i);
		return false;
	}
	if (i->phase == INSPECT_END) /* another one has failed */
		return false;
	if (r->result == CLV_OK)
		return true;
	inspect_fail(i, r->result, r->text);
	return false;
}

void
inspect_go_on(struct inspect *i, enum inspect_phase phase)
{
	i->phase = phase;
	i->name[0] = '\0';
	i->version = 0;
	i->rows = 0;
	i->counter = i->index != NULL ? clv_index_counter(i->index) : 0;
}

void
inspect_fail(struct inspect *i, int result, const char *text)
{
	i->result = result;
	snprintf(i->text, sizeof(i->text), "%s",
	    text[0] != '\0' ? text : clv_result_text(result));
	inspect_tell(i);
}

void
inspect_tell(struct inspect *i)
{
	struct inspect_found *f = &i->found;
	struct inspect_part p = {.result = i->result, .text = i->text};
	inspect_fn fn = i->fn;
	char more[80];

	if (i->result == CLV_OK && clv_buf_result(&f->b) != CLV_OK)
		p.result = CLV_E_NOMEM;
	if (p.result != CLV_OK)
		i->phase = INSPECT_END;
	if (f->dropped > 0) {
		snprintf(more, sizeof(more),
		    "%u more findings of this part are not shown", f->dropped);
		put(f, "more", i->app, more);
	}
	p.more = i->phase != INSPECT_END;
	p.done = i->done;
	p.total = i->index != NULL ? clv_index_count(i->index) : 0;
	p.count = f->count;
	p.findings = &f->b;
	i->fn = NULL;
	if (fn != NULL)
		fn(i->arg, &p); /* may ask for the next one */
}

void
inspect_next(struct inspect *i, inspect_fn fn, void *arg)
{
	i->fn = fn;
	i->arg = arg;
	found_reset(&i->found);
	switch (i->phase) {
	case INSPECT_KEYS: inspect_keys(i); break;
	case INSPECT_INDEX: inspect_index(i); break;
	case INSPECT_GONE: inspect_gone(i); break;
	case INSPECT_RECORDS: inspect_records(i); break;
	case INSPECT_FOLLOW: inspect_follow(i); break;
	case INSPECT_END: inspect_tell(i); break;
	}
}

void
inspect_stop(struct vault *v)
{
	struct inspect *i = v->inspect;

	if (i == NULL)
		return;
	drop(i);
	found_reset(&i->found);
	inspect_fail(i, CLV_E_REVOKED, "the keys were taken away");
}

const struct clv_index *
inspect_held(const struct inspect *i)
{
	const struct vault_app *a = vault_open_now(i->v, i->app);

	return a != NULL && a->index != NULL && clv_index_counter(a->index) > 0
		   ? a->index
		   : NULL;
}
