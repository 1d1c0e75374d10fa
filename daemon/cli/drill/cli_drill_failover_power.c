/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "daemon/cli/drill/cli_drill_failover.h"

/* claviger drill failover --power-off: may the active node be fenced? */
#define LIST_MS 30000

/* "1 fence device found", after their names. */
static bool
has_device(const char *node)
{
	const char *const argv[] = {"stonith_admin", "--list", node, NULL};
	const char *text, *at;
	struct clv_buf out;
	bool has;

	clv_buf_init(&out);
	out.max = 65536;
	has = cli_tool_read(argv, LIST_MS, &out) == CLV_OK;
	clv_buf_u8(&out, '\0');
	text = (const char *)out.data;
	at = has && !out.failed ? strstr(text, " fence device") : NULL;
	while (at != NULL && at > text && at[-1] != '\n')
		at--;
	has = at != NULL && strtol(at, NULL, 10) > 0;
	clv_buf_fini(&out);
	return has;
}

static int
check_fencing(struct cli *c, struct failover *f)
{
	char value[32];

	if (doctor_property(&f->k, "stonith-enabled", "fencing-enabled", value,
		sizeof(value)) &&
	    !cib_is_true(value))
		return cli_fail(c, CLV_E_NOT_READY,
		    "claviger doctor --only fencing",
		    "fencing is switched off: nobody would take over from %s",
		    f->first);
	if (!has_device(f->first))
		return cli_fail(c, CLV_E_NOT_READY,
		    "claviger doctor --only fencing",
		    "no fencing device is for %s: nobody would take over from "
		    "it",
		    f->first);
	f->stays_off = doctor_property(&f->k, "stonith-action",
			   "fencing-action", value, sizeof(value)) &&
		       strcmp(value, "reboot") != 0;
	return CLV_OK;
}

static int
confirm(struct cli *c, struct failover *f)
{
	const char *what =
	    f->stays_off ? "loses power, and stays off" : "is reset";

	if (cli_opt(c, "yes") != NULL)
		return CLV_OK;
	if (!isatty(STDIN_FILENO))
		return cli_fail(c, CLV_E_DENIED, "repeat it with --yes",
		    "%s, which is active, would lose power", f->first);
	fprintf(stderr,
	    "%s, which is active, %s: at once, with all that runs there.\n"
	    "Type its name to go on: ",
	    f->first, what);
	return cli_typed(c, f->first, "fenced");
}

int
failover_power_may(struct cli *c, struct failover *f)
{
	int r;

	if (strcmp(f->first, c->config.node) == 0)
		return cli_fail(c, CLV_E_NOT_READY,
		    "run it on another server node",
		    "%s is this host: it would not see what becomes of it",
		    f->first);
	r = check_fencing(c, f);
	return r == CLV_OK ? confirm(c, f) : r;
}
