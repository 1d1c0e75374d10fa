/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <claviger/result.h>

#include "store_internal.h"

/* The poll() wrapper around the step object, for commands. */

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Wait for what the store wants; CLV_E_TIMEOUT when the time is over. */
static int
wait_until(const struct clv_store *s, int64_t deadline)
{
	struct pollfd pfd = {.fd = clv_store_fd(s)};
	int64_t left = deadline - now_ms();
	int n;

	if (left <= 0)
		return CLV_E_TIMEOUT;
	if ((clv_store_want(s) & CLV_WANT_READ) != 0)
		pfd.events |= POLLIN;
	if ((clv_store_want(s) & CLV_WANT_WRITE) != 0)
		pfd.events |= POLLOUT;
	n = poll(&pfd, 1, (int)left);
	if (n < 0 && errno != EINTR)
		return CLV_E_SYSTEM;
	return n == 0 ? CLV_E_TIMEOUT : CLV_OK;
}

int
clv__store_finish(struct clv_store *s, int timeout_ms)
{
	int64_t deadline = now_ms() + timeout_ms;
	int rc, waited;

	while ((rc = clv_store_step(s)) == CLV_E_AGAIN) {
		waited = wait_until(s, deadline);
		if (waited == CLV_OK)
			continue;
		clv__store_say(s, "no answer within %d ms", timeout_ms);
		/* nobody waits for it any more, but it may still be done */
		return clv__store_lose(s,
		    s->state == CLV__STORE_BUSY && s->st->writes ? CLV_E_UNKNOWN
								 : waited);
	}
	return rc;
}

/* *ret_refused: the server wants a password, and that was not it. */
static int
connect_once(const char *conninfo, const char *passfile,
    enum clv_store_role role, int timeout_ms, struct clv_store **ret,
    char ret_why[static 256], bool *ret_refused)
{
	struct clv_store *s = NULL;
	int rc;

	*ret_refused = false;
	rc = clv_store_open(conninfo, passfile, role, &s);
	if (rc != CLV_OK) {
		snprintf(ret_why, 256, "%s",
		    rc == CLV_E_NOT_FOUND ? "there is no such password file"
		    : rc == CLV_E_PERMISSION
			? "the password file must be a file "
			  "that only its owner may read"
			: clv_result_text(rc));
		return rc;
	}
	rc = clv__store_finish(s, timeout_ms);
	if (rc == CLV_OK) {
		*ret = s;
		return CLV_OK;
	}
	*ret_refused = clv__store_was_refused(s);
	snprintf(ret_why, 256, "%.255s", clv_store_text(s));
	clv_store_free(&s);
	return rc;
}

/*
 * While a password is changed two are about, and PostgreSQL takes one; a
 * database that was set back takes the former one. So a file beside the one
 * that is refused is tried, and then that one again, which may have been
 * replaced meanwhile.
 */
int
clv_store_connect(const char *conninfo, const char *passfile,
    enum clv_store_role role, int timeout_ms, struct clv_store **ret,
    char ret_why[static 256])
{
	static const char *const beside[] = {
	    CLV_STORE_PASSFILE_NEXT, CLV_STORE_PASSFILE_FORMER, ""};
	char path[PATH_MAX], why[256];
	bool refused = false, tried = false;
	int rc, r = CLV_OK;

	rc = clv_store_check_conninfo(conninfo, ret_why);
	if (rc != CLV_OK)
		return rc;
	rc = connect_once(
	    conninfo, passfile, role, timeout_ms, ret, ret_why, &refused);
	for (size_t i = 0;
	     passfile != NULL && (refused || r == CLV_E_NOT_FOUND) && i < 3;
	     i++) {
		if (snprintf(path, sizeof(path), "%s%s", passfile, beside[i]) >=
			(int)sizeof(path) ||
		    access(path, F_OK) != 0 || (i == 2 && !tried))
			continue;
		tried = true;
		r = connect_once(
		    conninfo, path, role, timeout_ms, ret, why, &refused);
		if (r == CLV_OK)
			return CLV_OK;
	}
	return rc;
}

int
clv__store_run(struct clv_store *s, const struct clv__statement *st,
    const struct clv_param *params, size_t n, int timeout_ms)
{
	int rc;

	rc = clv__store_send(s, st, params, n);
	return rc == CLV_OK ? clv__store_finish(s, timeout_ms) : rc;
}

int
clv__store_run_script(struct clv_store *s, const char *sql, int timeout_ms)
{
	int rc;

	rc = clv__store_send_script(s, sql);
	return rc == CLV_OK ? clv__store_finish(s, timeout_ms) : rc;
}

int
clv_store_run(struct clv_store *s, enum clv_stmt stmt,
    const struct clv_param *params, size_t n, int timeout_ms)
{
	int rc;

	rc = clv_store_send(s, stmt, params, n);
	return rc == CLV_OK ? clv__store_finish(s, timeout_ms) : rc;
}
