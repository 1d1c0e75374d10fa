/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <libpq-fe.h>
#include <claviger/result.h>

#include "store_internal.h"

/* What came of a statement or a connection: results, texts, values. */

/* A script may end with rows or without: they are dropped. */
const struct clv__statement clv__script = {"script", "", "", "", true, false};

/*
 * Foreign text is one line of printable ASCII, cut: a server, or whoever plays
 * one, must not write into somebody's terminal or forge a log line.
 */
static void
scrub(char *dst, size_t cap, const char *src)
{
	size_t n = 0;

	while (*src != '\0' && n + 1 < cap) {
		unsigned char c = (unsigned char)*src++;

		if (c == '\n' || c == '\t')
			c = ' ';
		dst[n++] = c >= 0x20 && c < 0x7f ? (char)c : '?';
	}
	while (n > 0 && dst[n - 1] == ' ')
		n--;
	dst[n] = '\0';
}

void
clv__store_note(struct clv_store *s, const char *sqlstate, const char *text)
{
	snprintf(s->sqlstate, sizeof(s->sqlstate), "%s",
	    sqlstate != NULL && strlen(sqlstate) == 5 ? sqlstate : "");
	scrub(s->text, sizeof(s->text), text == NULL ? "" : text);
}

void
clv__store_say(struct clv_store *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->text, sizeof(s->text), fmt, ap);
	va_end(ap);
}

void
clv__store_forget(struct clv_store *s)
{
	PQclear(s->result);
	s->result = NULL;
	s->doubt = false;
	s->text[0] = '\0';
	s->sqlstate[0] = '\0';
}

/* The only way into CLV__STORE_LOST. */
int
clv__store_lose(struct clv_store *s, int rc)
{
	PQclear(s->result);
	s->result = NULL;
	s->state = CLV__STORE_LOST;
	s->want = CLV_WANT_NONE;
	s->lost = rc;
	return rc;
}

int
clv__store_lost(struct clv_store *s)
{
	bool write = s->state == CLV__STORE_BUSY && s->st->writes;

	/* what the server said as it closed is worth more */
	if (s->text[0] == '\0')
		scrub(s->text, sizeof(s->text), PQerrorMessage(s->conn));
	return clv__store_lose(s, write ? CLV_E_UNKNOWN : CLV_E_DATABASE_AWAY);
}

static bool
cell_fits(const PGresult *r, char letter, int row, int col)
{
	int len = PQgetlength(r, row, col);

	if (PQgetisnull(r, row, col))
		return false;
	if (letter == 'i')
		return len == 8;
	if (letter == 'o')
		return len == 1;
	return true;
}

static bool
column_fits(const PGresult *r, char letter, int col)
{
	static const struct {
		char letter;
		Oid type;
	} types[] = {{'i', CLV__OID_INT8}, {'b', CLV__OID_BYTEA},
	    {'t', CLV__OID_TEXT}, {'o', CLV__OID_BOOL}};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].letter == letter)
			return PQftype(r, col) == types[i].type &&
			       PQfformat(r, col) == 1;
	return false;
}

/* Lengths, types and number of what came, against the statement's letters. */
static bool
answer_fits(const struct clv__statement *st, const PGresult *r)
{
	int columns = (int)strlen(st->columns);

	if (st == &clv__script)
		return true;
	if (PQnfields(r) != columns || (st->one_row && PQntuples(r) != 1))
		return false;
	for (int col = 0; col < columns; col++) {
		if (!column_fits(r, st->columns[col], col))
			return false;
		for (int row = 0; row < PQntuples(r); row++)
			if (!cell_fits(r, st->columns[col], row, col))
				return false;
	}
	return true;
}

static int
refusal(const char *sqlstate)
{
	static const struct {
		const char *sqlstate;
		int rc;
	} table[] = {
	    {"CL001", CLV_E_STALE_EPOCH},
	    {"CL002", CLV_E_STALE},
	    /* the schema, a function of it, or a column, is not there */
	    {"3F000", CLV_E_SCHEMA_OLDER},
	    {"42703", CLV_E_SCHEMA_OLDER},
	    {"42883", CLV_E_SCHEMA_OLDER},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(table[i].sqlstate, sqlstate) == 0)
			return table[i].rc;
	return CLV_E_DATABASE;
}

/*
 * Only an ERROR proves that the transaction was undone. FATAL ends the
 * connection, and may come after the commit.
 */
static int
judge_failure(struct clv_store *s)
{
	const char *severity =
	    PQresultErrorField(s->result, PG_DIAG_SEVERITY_NONLOCALIZED);
	const char *text =
	    PQresultErrorField(s->result, PG_DIAG_MESSAGE_PRIMARY);

	clv__store_note(s, PQresultErrorField(s->result, PG_DIAG_SQLSTATE),
	    text == NULL ? PQerrorMessage(s->conn) : text);
	if (severity == NULL || strcmp(severity, "ERROR") != 0)
		return clv__store_lost(s);
	/* it only reads now, as a standby does: another one may write */
	if (strcmp(s->sqlstate, "25006") == 0)
		return clv__store_lose(s, CLV_E_DATABASE_AWAY);
	PQclear(s->result);
	s->result = NULL;
	return refusal(s->sqlstate);
}

int
clv__store_judge(struct clv_store *s)
{
	ExecStatusType status = PQresultStatus(s->result);

	if (PQstatus(s->conn) == CONNECTION_BAD)
		return clv__store_lost(s);
	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
		return judge_failure(s);
	if (!answer_fits(s->st, s->result)) {
		PQclear(s->result);
		s->result = NULL;
		clv__store_say(
		    s, "%s: the answer has not the expected form", s->st->name);
		return s->st->writes ? CLV_E_UNKNOWN : CLV_E_DATABASE;
	}
	return s->doubt && s->st->writes ? CLV_E_UNKNOWN : CLV_OK;
}

size_t
clv_store_rows(const struct clv_store *s)
{
	return s->result == NULL ? 0 : (size_t)PQntuples(s->result);
}

size_t
clv_store_columns(const struct clv_store *s)
{
	return s->result == NULL ? 0 : (size_t)PQnfields(s->result);
}

const void *
clv_store_get(
    const struct clv_store *s, size_t row, size_t col, size_t *ret_len)
{
	if (row >= clv_store_rows(s) || col >= clv_store_columns(s))
		return NULL;
	*ret_len = (size_t)PQgetlength(s->result, (int)row, (int)col);
	return PQgetvalue(s->result, (int)row, (int)col);
}

uint64_t
clv_store_get_u64(const struct clv_store *s, size_t row, size_t col)
{
	size_t len = 0;
	const uint8_t *p = clv_store_get(s, row, col, &len);
	uint64_t v = 0;

	if (p == NULL || len != 8)
		return 0;
	for (size_t i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

bool
clv_store_get_bool(const struct clv_store *s, size_t row, size_t col)
{
	size_t len = 0;
	const uint8_t *p = clv_store_get(s, row, col, &len);

	return p != NULL && len == 1 && *p == 1;
}

struct clv_param
clv_param_u64(uint64_t v, uint8_t buf[static 8])
{
	for (size_t i = 0; i < 8; i++)
		buf[i] = (uint8_t)(v >> (56 - 8 * i));
	return (struct clv_param){buf, 8};
}
