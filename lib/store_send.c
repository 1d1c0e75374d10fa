/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>
#include <libpq-fe.h>
#include <claviger/buf.h>
#include <claviger/result.h>

#include "store_internal.h"

/*
 * What goes out. A statement of the table is prepared before its first use on
 * a connection: parsing and planning cost more than most of them do.
 */

#define PARAM_MAX CLV_BUF_MAX

static const struct clv__statement preparation = {
    "prepare", "", "", "", false, false};

static Oid
type_of(char letter)
{
	switch (letter) {
	case 'i': return CLV__OID_INT8;
	case 't': return CLV__OID_TEXT;
	case 'I': return CLV__OID_INT8_ARRAY;
	case 'T': return CLV__OID_TEXT_ARRAY;
	case 'B': return CLV__OID_BYTEA_ARRAY;
	default: return CLV__OID_BYTEA;
	}
}

static bool
param_fits(char letter, const struct clv_param *param)
{
	switch (letter) {
	case 'i': return param->len == 8;
	case 'I': return clv__array_fits(param, CLV__OID_INT8);
	case 'T': return clv__array_fits(param, CLV__OID_TEXT);
	case 'B': return clv__array_fits(param, CLV__OID_BYTEA);
	default: return true;
	}
}

static bool
params_fit(
    const struct clv__statement *st, const struct clv_param *params, size_t n)
{
	if (n != strlen(st->params) || n > CLV__PARAMS_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (params[i].len > PARAM_MAX ||
		    !param_fits(st->params[i], &params[i]))
			return false;
	return true;
}

/* The parameters as libpq wants them. */
struct args {
	int n;
	Oid types[CLV__PARAMS_MAX];
	const char *values[CLV__PARAMS_MAX];
	int lens[CLV__PARAMS_MAX], formats[CLV__PARAMS_MAX];
};

static void
args_fill(struct args *a, const struct clv__call *call)
{
	a->n = (int)call->n;
	for (int i = 0; i < a->n; i++) {
		const struct clv_param *p = &call->params[i];

		a->types[i] = type_of(call->st->params[i]);
		/* a null pointer would mean NULL */
		a->values[i] = p->p == NULL ? "" : p->p;
		a->lens[i] = (int)p->len;
		a->formats[i] = 1;
	}
}

/*
 * Nothing is executed before its end has been sent, nor by a preparation: so
 * a connection that breaks before the state is CLV__STORE_BUSY has done
 * nothing.
 */
int
clv__store_queue(struct clv_store *s)
{
	const struct clv__call *call = &s->call;
	bool preparing = call->stmt != 0 && !s->prepared[call->stmt];
	struct args a;
	char name[16];
	int sent;

	args_fill(&a, call);
	snprintf(name, sizeof(name), "clv%d", (int)call->stmt);
	if (preparing)
		sent =
		    PQsendPrepare(s->conn, name, call->st->sql, a.n, a.types);
	else if (call->stmt != 0)
		sent = PQsendQueryPrepared(
		    s->conn, name, a.n, a.values, a.lens, a.formats, 1);
	else
		sent = PQsendQueryParams(s->conn, call->st->sql, a.n, a.types,
		    a.values, a.lens, a.formats, 1);
	if (sent == 0)
		return clv__store_lost(s);
	s->st = preparing ? &preparation : call->st;
	s->state = preparing ? CLV__STORE_PREPARE : CLV__STORE_BUSY;
	s->want = CLV_WANT_READ | CLV_WANT_WRITE;
	return CLV_OK;
}

/* Ready for another statement? A connection that the server closed meanwhile
 * is noticed now, while it is certain that nothing was sent. */
static int
ready(struct clv_store *s)
{
	if (s->state == CLV__STORE_LOST)
		return CLV_E_DATABASE_AWAY;
	if (s->state != CLV__STORE_IDLE)
		return CLV_E_BUSY;
	clv__store_forget(s);
	return clv__store_idle(s);
}

static int
send_call(struct clv_store *s, enum clv_stmt stmt,
    const struct clv__statement *st, const struct clv_param *params, size_t n)
{
	int rc;

	rc = ready(s);
	if (rc != CLV_OK)
		return rc;
	if (!params_fit(st, params, n)) {
		clv__store_say(
		    s, "%s: a parameter has the wrong form", st->name);
		return CLV_E_INVALID;
	}
	s->call.st = st;
	s->call.stmt = stmt;
	s->call.n = n;
	if (n > 0)
		memcpy(s->call.params, params, n * sizeof(*params));
	return clv__store_queue(s);
}

int
clv__store_send(struct clv_store *s, const struct clv__statement *st,
    const struct clv_param *params, size_t n)
{
	return send_call(s, 0, st, params, n);
}

int
clv__store_send_script(struct clv_store *s, const char *sql)
{
	int rc;

	rc = ready(s);
	if (rc != CLV_OK)
		return rc;
	if (PQsendQuery(s->conn, sql) == 0)
		return clv__store_lost(s);
	s->st = &clv__script;
	s->state = CLV__STORE_BUSY;
	s->want = CLV_WANT_READ | CLV_WANT_WRITE;
	return CLV_OK;
}

int
clv_store_send(struct clv_store *s, enum clv_stmt stmt,
    const struct clv_param *params, size_t n)
{
	const struct clv__statement *st = clv__statement_get(stmt);

	if (st == NULL)
		return CLV_E_INVALID;
	return send_call(s, stmt, st, params, n);
}
