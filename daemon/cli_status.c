/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/cli_status.h"

static void
say_member(struct cli *c, const struct cli_status *s, int result)
{
	if (s->daemon)
		cli_fail(c, result, "claviger status on the server nodes", "%s",
		    s->own.why);
	else
		cli_fail(c, result, "claviger fetch --check",
		    "this host has never obtained a key");
}

static void
say(struct cli *c, const struct cli_status *s, int result)
{
	if (result == CLV_OK || result == CLV_E_FINDINGS)
		return;
	if (s->member)
		say_member(c, s, result);
	else if (cli_opt(c, "json") == NULL)
		cli_fail(c, result,
		    s->daemon ? "do what the reason says; the daemon's log "
				"says more"
			      : "start the cluster's resource, or clavigerd by "
				"hand",
		    "this node is not ready: %s", cli_status_reason(s));
}

int
cli_status(struct cli *c)
{
	struct cli_status s;
	int r;

	cli_status_ask(c, &s);
	if (cli_opt(c, "json") != NULL)
		cli_json_print(cli_status_json(&s));
	else
		cli_status_text(&s);
	r = cli_status_judge(&s);
	say(c, &s, r);
	cli_status_fini(&s);
	return r;
}
