/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <poll.h>
#include <string.h>
#include <syslog.h>

#include <claviger/result.h>
#include "agents/dns.h"
#include "agents/mss.h"
#include "agents/score.h"

#define KILL_LATE_MS 500 /* when the time of the action is over */
/* How long the proof may take before the start is over. */
#define PROOF_MS 2000

static int
refuse_other(const struct ocf *o, const struct ctl_status *st)
{
	return ocf_fail(o, OCF_ERR_CONFIGURED,
	    "clavigerd is driven by the resource %.40s: delete one of the two",
	    st->resource);
}

/* By the time the start is over a node that can serve should be promotable:
 * the next monitor would come only seconds later. */
static void
wait_for_proof(
    const struct ocf *o, struct server_conn *c, struct ctl_status *st)
{
	int64_t end_ms = ocf_now_ms() + ocf_left_ms(o, PROOF_MS);

	while (st->role == CTL_ROLE_LOCKED && ocf_now_ms() < end_ms) {
		poll(NULL, 0, MSS_STEP_MS);
		if (server_ask(c, CTL_STATUS, NULL, 0, MSS_SILENCE_MS, st) !=
		    CLV_OK)
			return;
	}
}

/* *ret_gone: it ended before it could be told. */
static int
switch_on(const struct ocf *o, const struct mss *m, struct server_conn *c,
    bool spawned, bool *ret_gone)
{
	struct ctl_start request = {.by_agent = spawned};
	char why[OCF_REASON_MAX];
	struct ctl_status st;
	int result, rc;

	result = server_ask(c, CTL_STATUS, NULL, 0, ocf_left_ms(o, 5000), &st);
	*ret_gone = result == CLV_E_NO_SERVER;
	if (result != CLV_OK)
		return *ret_gone ? OCF_ERR_GENERIC
				 : mss_fail(o, "clavigerd", result, NULL);
	if (mss_is_driven_by_other(&st))
		return refuse_other(o, &st);
	if (monitor_daemon(&st) != MT_ACTIVE &&
	    monitor_daemon(&st) != MT_LIMITED) {
		/* A standby has no address, whatever was left here. */
		rc = address_stop(o, &m->address);
		if (rc != OCF_SUCCESS)
			return rc;
	}
	snprintf(request.resource, sizeof(request.resource), "%.*s",
	    (int)strcspn(o->instance, ":"), o->instance);
	request.by_agent |= (st.flags & CTL_FLAG_BY_AGENT) != 0;
	result = server_ask(c, CTL_START, &request, sizeof(request),
	    ocf_left_ms(o, INT32_MAX), &st);
	*ret_gone = result == CLV_E_NO_SERVER;
	if (*ret_gone)
		return OCF_ERR_GENERIC;
	if (result == CLV_E_EXISTS)
		return refuse_other(o, &st);
	/* Not being ready is no failure of a start: the monitor shows why, and
	 * the score keeps the role away. */
	if (st.role == CTL_ROLE_OFF)
		return mss_fail(o, "start",
		    result == CLV_OK ? CLV_E_PROTOCOL : result, st.reason);
	wait_for_proof(o, c, &st);
	if (!mss_has_use_for_address(
		m, monitor_daemon(&st), ADDRESS_ABSENT, &st, why)) {
		st.score = CTL_SCORE_NEVER;
		ocf_log(LOG_WARNING, "started, but not ready: %s", why);
	}
	if (st.reason[0] != '\0')
		ocf_log(LOG_WARNING, "started, but not ready: %s", st.reason);
	score_write(
	    o, st.role == CTL_ROLE_OFF ? CTL_SCORE_NEVER : st.score, true);
	return OCF_SUCCESS;
}

static bool
has_time(const struct ocf *o)
{
	return ocf_left_ms(o, INT32_MAX) > MSS_SILENCE_MS;
}

static int
start_once(const struct ocf *o, const struct mss *m, bool *spawned, bool *gone)
{
	struct server_conn c;
	int result, rc;

	*gone = false;
	result = server_open(
	    &m->server, ocf_left_ms(o, 5000), ocf_left_ms(o, 5000), &c);
	if (result == CLV_E_NO_SERVER) {
		*spawned = true;
		rc = server_spawn(o, &m->server);
		/* Somebody else's may have been a moment sooner. */
		*gone = rc == OCF_ERR_GENERIC && has_time(o) &&
			process_find(
			    m->server.binary, m->server.config, NULL, 0) > 0;
		if (rc != OCF_SUCCESS)
			return rc;
		result = server_open(&m->server, ocf_left_ms(o, 5000), 0, &c);
	}
	if (result == CLV_OK)
		rc = switch_on(o, m, &c, *spawned, gone);
	else
		rc = mss_fail(o, m->server.socket,
		    result == CLV_E_NO_SERVER ? CLV_E_PROTOCOL : result, NULL);
	server_close(&c);
	return rc;
}

/* One that was there may have been about to end, and a start must not fail for
 * that: Pacemaker would not try this node again. */
int
mss_start(struct ocf *o)
{
	struct mss m;
	bool spawned = false, gone;
	int rc;

	mss_read(o, &m);
	rc = dns_is_required(o) ? dns_is_installed(o, &m.address) : OCF_SUCCESS;
	if (rc != OCF_SUCCESS)
		return rc;
	while ((rc = start_once(o, &m, &spawned, &gone)) != OCF_SUCCESS &&
	       gone && has_time(o))
		poll(NULL, 0, MSS_STEP_MS);
	if (gone)
		rc = ocf_fail(o, OCF_ERR_GENERIC,
		    "clavigerd ends again and again; the system log says why");
	/* It may not know yet that an agent started it: a stop would leave it
	 * running. */
	if (rc != OCF_SUCCESS && spawned)
		server_kill(&m.server, KILL_LATE_MS);
	return rc;
}
