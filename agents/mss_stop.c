/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <poll.h>
#include <syslog.h>

#include <claviger/result.h>
#include "agents/mss.h"
#include "agents/score.h"

#define GLANCE_MS 100
#define END_MS 3000
#define KILL_MS 3000

/* A process that is about to end has no program any more, and cannot be found
 * by it, a moment before its sockets are closed. */
static bool
is_socket_free(const struct ocf *o, const struct mss *m)
{
	int64_t end_ms = ocf_now_ms() + ocf_left_ms(o, KILL_MS);
	struct server_conn c;
	int result;

	for (;;) {
		result = ctl_connect(
		    m->server.socket, MSS_SILENCE_MS, &c.fd, &c.pid);
		if (result == CLV_OK)
			server_close(&c);
		if (result == CLV_E_NO_SERVER)
			return true;
		if (ocf_now_ms() >= end_ms)
			return false;
		poll(NULL, 0, MSS_STEP_MS);
	}
}

static int
kill_server(const struct ocf *o, const struct mss *m)
{
	int result;

	ocf_log(LOG_WARNING, "clavigerd does not answer: it is killed");
	result = server_kill(&m->server, ocf_left_ms(o, KILL_MS));
	if (result != CLV_OK)
		return mss_fail(
		    o, "a process of clavigerd cannot be ended", result, NULL);
	/* Somebody else's socket is not ours to end, nor can it be left. */
	if (!is_socket_free(o, m))
		return ocf_fail(o, OCF_ERR_GENERIC,
		    "%s is held by a process that does not run %s",
		    m->server.socket, m->server.binary);
	return OCF_SUCCESS;
}

static int
stop_server(const struct ocf *o, const struct mss *m)
{
	struct server_conn c;
	struct ctl_status st;
	int result, rc = OCF_SUCCESS;

	result = server_open(&m->server, MSS_SILENCE_MS, MSS_SETTLE_MS, &c);
	if (result == CLV_E_NO_SERVER)
		return OCF_SUCCESS;
	if (result == CLV_OK)
		result = server_ask(&c, CTL_STOP, NULL, 0, MSS_SILENCE_MS, &st);
	if (result != CLV_OK || st.role != CTL_ROLE_OFF) {
		rc = kill_server(o, m);
	} else if (st.flags & CTL_FLAG_BY_AGENT) {
		result = server_end(&m->server, &c, END_MS);
		if (result != CLV_OK)
			rc =
			    mss_fail(o, "clavigerd does not end", result, NULL);
	}
	server_close(&c);
	return rc;
}

/* A daemon that is well says so at once; the address does not wait for one that
 * is not. */
static bool
is_for_other(const struct mss *m)
{
	struct server_conn c;
	struct ctl_status st;
	bool other = false;

	if (server_open(&m->server, GLANCE_MS, 0, &c) != CLV_OK)
		return false;
	if (server_ask(&c, CTL_STATUS, NULL, 0, GLANCE_MS, &st) == CLV_OK)
		other = mss_is_driven_by_other(&st);
	server_close(&c);
	return other;
}

int
mss_stop(struct ocf *o)
{
	struct mss m;
	int rc, address_rc;

	mss_read(o, &m);
	if (is_for_other(&m))
		return OCF_SUCCESS;
	address_rc = address_stop(o, &m.address);
	rc = stop_server(o, &m);
	score_write(o, CTL_SCORE_NEVER, false);
	/* An address that is left: the node must be fenced. */
	return address_rc != OCF_SUCCESS ? address_rc : rc;
}
