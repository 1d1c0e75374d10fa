/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <stdio.h>
#include <string.h>

#include <claviger/result.h>
#include "agents/dns.h"
#include "agents/mss.h"
#include "agents/score.h"

/* The first half; the result is for hear_daemon(). */
static int
ask_daemon(const struct ocf *o, const struct mss *m, struct server_conn *c)
{
	int left = ocf_left_ms(o, INT32_MAX), result;

	result = server_open(
	    &m->server, left, left < MSS_SETTLE_MS ? left : MSS_SETTLE_MS, c);
	if (result == CLV_OK)
		result = server_send(
		    c, CTL_STATUS, NULL, 0, ocf_left_ms(o, INT32_MAX));
	return result;
}

static enum mt_daemon
hear_daemon(const struct ocf *o, struct server_conn *c, int asked,
    struct ctl_status *st, char *why)
{
	int result = asked;

	memset(st, 0, sizeof(*st));
	if (asked == CLV_E_NO_SERVER && c->fd < 0)
		return MT_ABSENT;
	if (result == CLV_OK)
		result = server_receive(
		    c, CTL_STATUS, ocf_left_ms(o, INT32_MAX), st);
	server_close(c);
	if (result == CLV_OK)
		return monitor_daemon(st);
	snprintf(why, OCF_REASON_MAX, "%s", clv_result_text(result));
	return MT_NO_ANSWER;
}

/* Reasons that the daemon itself cannot know: a node without a place for the
 * address cannot serve, so it is not to be promoted. */
static enum mt_daemon
look_further(const struct mss *m, enum mt_daemon daemon,
    enum address_state address, struct ctl_status *st, char *why)
{
	if (daemon == MT_ABSENT || daemon == MT_NO_ANSWER)
		return daemon;
	if (st->reason[0] != '\0') {
		snprintf(why, OCF_REASON_MAX, "%s", st->reason);
		return daemon;
	}
	if (!mss_has_use_for_address(m, daemon, address, st, why)) {
		if (daemon == MT_ACTIVE)
			return MT_LIMITED;
		st->score = CTL_SCORE_NEVER;
		return MT_LOCKED;
	}
	return daemon;
}

/* What is seen, beside the row's own words. */
static void
explain(const struct ocf *o, int rc, const char *row, const char *detail)
{
	if (monitor_is_failure(rc) && rc != OCF_NOT_RUNNING)
		ocf_fail(
		    o, rc, "%s%s%s", row, *detail != '\0' ? ": " : "", detail);
	else if (rc == OCF_DEGRADED || rc == OCF_DEGRADED_PROMOTED)
		ocf_reason("%s", *detail != '\0' ? detail : row);
}

/* Level 10, of the active one. After all else is done: nothing waits for it. */
static int
look_at_dns(const struct ocf *o, const struct mss *m, int rc)
{
	char why[OCF_REASON_MAX];

	if (o->level < 10 || o->is_probe ||
	    (rc != OCF_RUNNING_PROMOTED && rc != OCF_DEGRADED_PROMOTED) ||
	    dns_compare(o, &m->address, why) == DNS_OK)
		return rc;
	ocf_reason("%s", why);
	return OCF_DEGRADED_PROMOTED;
}

int
mss_monitor(struct ocf *o)
{
	char seen[OCF_REASON_MAX] = "", said[OCF_REASON_MAX] = "";
	const struct mt_row *row;
	struct ctl_status st;
	enum mt_daemon daemon;
	struct server_conn c;
	struct mss m;
	int asked, state, rc;

	mss_read(o, &m);
	/* It answers while we look at the address. */
	asked = ask_daemon(o, &m, &c);
	state = address_look(&m.address, seen);
	if (state < 0) { /* then say nothing that gives the address away */
		server_close(&c);
		score_write(o, CTL_SCORE_NEVER, false);
		return ocf_fail(o, OCF_ERR_GENERIC,
		    "cannot look at the addresses of this host: %s",
		    strerror(-state));
	}
	daemon = hear_daemon(o, &c, asked, &st, said);
	if (mss_is_driven_by_other(&st))
		return OCF_NOT_RUNNING;
	daemon = look_further(&m, daemon, (enum address_state)state, &st, said);
	row = monitor_answer(daemon, (enum address_state)state);
	rc = o->is_probe ? row->probe : row->rc;
	/* The score goes first: by the time Pacemaker hears of a failure it
	 * must already prefer the peer. */
	if (monitor_is_failure(rc) && !o->is_probe)
		score_fell(o);
	score_write(
	    o, monitor_is_failure(rc) ? CTL_SCORE_NEVER : st.score, false);
	explain(o, rc, row->why, seen[0] != '\0' ? seen : said);
	return look_at_dns(o, &m, rc);
}
