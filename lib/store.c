/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <libpq-fe.h>
#include <claviger/result.h>

#include "store_internal.h"

/* The connection, as a step object. What goes out is in store_send.c, what
 * comes back is judged in store_answer.c. */

#define IDLE_READS_MAX 16

static const struct clv__statement set_role[] = {
    [CLV_STORE_SERVER] = {"set role", "SET ROLE claviger_server", "", "", false,
	false},
    [CLV_STORE_MEMBER] = {"set role", "SET ROLE claviger_member", "", "", false,
	false},
};

/*
 * Notices never go to stderr. Two of them matter: a commit whose wait for the
 * synchronous standby was cancelled (01000) or cut short (57P01) is reported
 * as success all the same. By code, because the text is translated.
 */
static void
on_notice(void *arg, const PGresult *notice)
{
	struct clv_store *s = arg;
	const char *code = PQresultErrorField(notice, PG_DIAG_SQLSTATE);
	const char *severity =
	    PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);

	if (code == NULL)
		return;
	/* on an idle connection its last words come as a notice */
	if (severity != NULL && strcmp(severity, "FATAL") == 0)
		s->closing = true;
	else if (strcmp(code, "01000") != 0 && strncmp(code, "57P", 3) != 0)
		return;
	s->doubt = true;
	clv__store_note(
	    s, code, PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY));
}

int
clv_store_open(const char *conninfo, const char *passfile,
    enum clv_store_role role, struct clv_store **ret)
{
	struct clv__conninfo c = {0};
	struct clv_store *s = NULL;
	char why[256];
	int rc;

	rc = clv_store_check_conninfo(conninfo, why);
	if (rc != CLV_OK)
		return rc;
	rc = clv__conninfo_build(conninfo, passfile, &c);
	if (rc != CLV_OK)
		return rc;
	rc = CLV_E_NOMEM;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		goto out;
	s->role = role;
	s->state = CLV__STORE_CONNECTING;
	s->want = CLV_WANT_WRITE;
	s->conn = PQconnectStartParams(c.keys, c.values, 0);
	if (s->conn == NULL)
		goto out;
	PQsetNoticeReceiver(s->conn, on_notice, s);
	if (PQstatus(s->conn) == CONNECTION_BAD)
		clv__store_lost(s); /* the first step says so */
	*ret = s;
	s = NULL; /* transferred */
	rc = CLV_OK;
out:
	clv__conninfo_free(&c);
	free(s);
	return rc;
}

void
clv_store_free(struct clv_store **s)
{
	if (*s == NULL)
		return;
	PQclear((*s)->result);
	PQfinish((*s)->conn);
	free(*s);
	*s = NULL;
}

const char *
clv_store_login(const struct clv_store *s)
{
	const char *user = PQuser(s->conn);

	return user == NULL ? "" : user;
}

int
clv_store_fd(const struct clv_store *s)
{
	return PQsocket(s->conn);
}

enum clv_want
clv_store_want(const struct clv_store *s)
{
	return s->want;
}

const char *
clv_store_text(const struct clv_store *s)
{
	return s->text;
}

const char *
clv_store_sqlstate(const struct clv_store *s)
{
	return s->sqlstate;
}

/* Whatever waits to be read or written, without waiting for it. */
static int
exchange(struct clv_store *s)
{
	int left = PQflush(s->conn);

	if (left < 0 || PQconsumeInput(s->conn) == 0)
		return clv__store_lost(s);
	s->want = left > 0 ? CLV_WANT_READ | CLV_WANT_WRITE : CLV_WANT_READ;
	return CLV_OK;
}

/* The first error of a statement is what counts; after it nothing ran. */
static void
keep(struct clv_store *s, PGresult *r)
{
	if (s->result != NULL &&
	    PQresultStatus(s->result) == PGRES_FATAL_ERROR) {
		PQclear(r);
		return;
	}
	PQclear(s->result);
	s->result = r;
}

/*
 * Go on with the statement that was sent. Its result alone does not mean that
 * it was committed: the server does that before it says that it is ready, and
 * only then PQgetResult returns NULL.
 */
static int
step_statement(struct clv_store *s)
{
	PGresult *r;
	int rc;

	rc = exchange(s);
	if (rc != CLV_OK)
		return rc;
	while (!PQisBusy(s->conn)) {
		r = PQgetResult(s->conn);
		if (r != NULL) {
			keep(s, r);
			continue;
		}
		rc = clv__store_judge(s);
		if (s->state == CLV__STORE_BUSY)
			s->state = CLV__STORE_IDLE;
		return rc;
	}
	return CLV_E_AGAIN;
}

static int
step_role(struct clv_store *s)
{
	char text[256];
	int rc;

	rc = step_statement(s);
	if (rc == CLV_OK) {
		s->state = CLV__STORE_IDLE;
		clv__store_forget(s);
	} else if (rc != CLV_E_AGAIN && s->state != CLV__STORE_LOST) {
		snprintf(text, sizeof(text), "%.255s", s->text);
		clv__store_say(s,
		    "this login may not act as the database role %s: %s",
		    s->role == CLV_STORE_MEMBER ? "claviger_member"
						: "claviger_server",
		    text);
		rc = clv__store_lose(s, CLV_E_DATABASE);
	}
	return rc;
}

/* Connected; all but the owner act as one of the two roles. */
static int
on_connected(struct clv_store *s)
{
	int rc;

	if (PQsetnonblocking(s->conn, 1) != 0)
		return clv__store_lost(s);
	clv__store_forget(s);
	s->want = CLV_WANT_READ;
	if (s->role == CLV_STORE_OWNER) {
		s->state = CLV__STORE_IDLE;
		return CLV_OK;
	}
	s->call = (struct clv__call){.st = &set_role[s->role]};
	rc = clv__store_queue(s);
	if (rc != CLV_OK)
		return rc;
	s->state = CLV__STORE_ROLE;
	return step_role(s);
}

/* Is there what the store waits for? (POLLERR and POLLHUP count.) */
static bool
is_ready(const struct clv_store *s)
{
	struct pollfd pfd = {.fd = PQsocket(s->conn)};

	if ((s->want & CLV_WANT_READ) != 0)
		pfd.events |= POLLIN;
	if ((s->want & CLV_WANT_WRITE) != 0)
		pfd.events |= POLLOUT;
	return poll(&pfd, 1, 0) > 0;
}

/* PQconnectPoll takes a socket that has no error yet for a connected one: it
 * must not be called too early, or the next host is never tried. */
static int
step_connect(struct clv_store *s)
{
	if (!is_ready(s))
		return CLV_E_AGAIN;
	switch (PQconnectPoll(s->conn)) {
	case PGRES_POLLING_READING: s->want = CLV_WANT_READ; return CLV_E_AGAIN;
	case PGRES_POLLING_WRITING:
		s->want = CLV_WANT_WRITE;
		return CLV_E_AGAIN;
	case PGRES_POLLING_OK: return on_connected(s);
	default: return clv__store_lost(s);
	}
}

/* The server knows the statement now; nothing of it is done yet. */
static int
step_prepare(struct clv_store *s)
{
	int rc;

	rc = step_statement(s);
	if (rc == CLV_OK) {
		clv__store_forget(s); /* or it would pass for the answer */
		s->prepared[s->call.stmt] = true;
		rc = clv__store_queue(s);
		return rc == CLV_OK ? step_statement(s) : rc;
	}
	if (rc != CLV_E_AGAIN && s->state == CLV__STORE_PREPARE)
		s->state = CLV__STORE_IDLE;
	return rc;
}

/*
 * Nothing is under way: what can come is the server closing the connection, by
 * a message, the end of the stream, or both, one read after the other.
 */
int
clv__store_idle(struct clv_store *s)
{
	struct pollfd pfd = {.fd = PQsocket(s->conn), .events = POLLIN};

	s->want = CLV_WANT_READ;
	for (int i = 0; i < IDLE_READS_MAX && poll(&pfd, 1, 0) > 0; i++) {
		if (PQconsumeInput(s->conn) == 0)
			return clv__store_lost(s);
		PQisBusy(s->conn); /* parses */
		if (s->closing || PQstatus(s->conn) == CONNECTION_BAD)
			return clv__store_lost(s);
	}
	return CLV_OK;
}

int
clv_store_step(struct clv_store *s)
{
	switch (s->state) {
	case CLV__STORE_CONNECTING: return step_connect(s);
	case CLV__STORE_ROLE: return step_role(s);
	case CLV__STORE_IDLE: return clv__store_idle(s);
	case CLV__STORE_PREPARE: return step_prepare(s);
	case CLV__STORE_BUSY: return step_statement(s);
	case CLV__STORE_LOST: break;
	}
	return s->lost;
}
