/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>
#include "daemon/cli/cli_api.h"

/* The local API, as the verbs for applications and secrets use it: every user
 * of this host may run those. */

int
cli_api_open(struct cli *c, struct clv_client **ret)
{
	char path[300];
	int r;

	/* A configuration that this user cannot read says nothing else. */
	snprintf(path, sizeof(path), "%s/api.sock", c->config.run_dir);
	r = clv_client_open(path, ret);
	if (r == CLV_OK)
		return r;
	return cli_fail(c, r,
	    "start clavigerd on this host (systemctl start clavigerd, or the "
	    "cluster's resource)",
	    "clavigerd cannot be asked at %s: %s", path, clv_result_text(r));
}

static const char *
next_of(int result)
{
	switch (result) {
	case CLV_E_AWAY: return "claviger status shows since when and why";
	case CLV_E_DENIED:
		return "claviger app grant on a server node; id shows your "
		       "user and groups";
	case CLV_E_NOT_FOUND: return "claviger list shows what there is";
	case CLV_E_ROLLBACK:
	case CLV_E_FORKED:
		return "do not write until it is known who changed the "
		       "database";
	case CLV_E_DATABASE_AWAY:
		return "claviger status shows what is wrong with the database";
	case CLV_E_NO_SERVER: return "is clavigerd running on this host?";
	default: return NULL;
	}
}

int
cli_api_fail(
    struct cli *c, const struct clv_client *api, int result, const char *what)
{
	return cli_fail(
	    c, result, next_of(result), "%s: %s", what, clv_client_text(api));
}
