/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <string.h>

#include <claviger/result.h>
#include "agents/dns.h"
#include "agents/mss.h"
#include "agents/score.h"

/* What a promotion keeps back for the address. */
#define ADDRESS_MS 1000

static int
promote(const struct ocf *o, const struct mss *m, struct server_conn *c)
{
	struct ctl_status st;
	int left = ocf_left_ms(o, INT32_MAX), result, rc = OCF_SUCCESS;

	if (left > 2 * ADDRESS_MS)
		left -= ADDRESS_MS;
	result = server_ask(c, CTL_PROMOTE, NULL, 0, left, &st);
	if (result != CLV_OK)
		return mss_fail(o, "not promoted", result, st.reason);
	if (mss_is_other_address(&m->address, &st))
		rc = ocf_fail(o, OCF_ERR_GENERIC,
		    "ip is %s, but the system's address is %s: claviger "
		    "settings set address",
		    m->address.text, st.address);
	else if (m->address.carried)
		rc = address_start(o, &m->address);
	if (rc == OCF_SUCCESS) {
		score_write(o, st.score, false);
		dns_register(o, &m->address);
		return OCF_SUCCESS;
	}
	/* Not half: without its address nobody reaches the server. */
	address_stop(o, &m->address);
	server_ask(c, CTL_DEMOTE, NULL, 0, MSS_SILENCE_MS, &st);
	return rc;
}

int
mss_promote(struct ocf *o)
{
	struct server_conn c;
	struct mss m;
	int result, rc;

	mss_read(o, &m);
	result = server_open(&m.server, ocf_left_ms(o, 5000), 0, &c);
	if (result == CLV_OK) {
		rc = promote(o, &m, &c);
		server_close(&c);
	} else {
		rc = mss_fail(o, "clavigerd", result, NULL);
	}
	if (rc != OCF_SUCCESS) {
		score_fell(o);
		score_write(o, CTL_SCORE_NEVER, true);
	}
	return rc;
}

static int
demote_server(const struct ocf *o, const struct mss *m)
{
	struct server_conn c;
	struct ctl_status st;
	int result;

	result = server_open(&m->server, MSS_SILENCE_MS, MSS_SILENCE_MS, &c);
	if (result == CLV_E_NO_SERVER) {
		/* It died, and the address is away: nothing serves. The next
		 * monitor reports it; a failure here would only keep the peer
		 * waiting until this node has started again. */
		score_fell(o);
		score_write(o, CTL_SCORE_NEVER, true);
		return OCF_SUCCESS;
	}
	if (result != CLV_OK)
		return mss_fail(o, "clavigerd", result, NULL);
	result = server_ask(&c, CTL_DEMOTE, NULL, 0, MSS_SILENCE_MS, &st);
	server_close(&c);
	if (result != CLV_OK)
		return mss_fail(o, "demote", result, st.reason);
	if (monitor_daemon(&st) == MT_ABSENT)
		return mss_fail(o, "demote", CLV_E_NO_SERVER, NULL);
	score_write(o, st.score, false);
	return OCF_SUCCESS;
}

int
mss_demote(struct ocf *o)
{
	struct mss m;
	int rc, address_rc;

	mss_read(o, &m);
	address_rc = address_stop(o, &m.address);
	rc = demote_server(o, &m);
	if (address_rc != OCF_SUCCESS)
		rc = address_rc;
	if (rc != OCF_SUCCESS) {
		score_fell(o);
		score_write(o, CTL_SCORE_NEVER, false);
	}
	return rc;
}
