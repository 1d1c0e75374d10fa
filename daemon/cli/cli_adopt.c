/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <unistd.h>
#include "daemon/cli/cli.h"

/*
 * claviger identity adopt: this host was restored on, or moved to, another
 * machine (machine.h), and is no copy of one that runs elsewhere.
 */

static int
print(struct cli *c, const char *node, bool changed, unsigned set)
{
	struct cli_json *j;

	if (cli_opt(c, "json") != NULL) {
		j = cli_json_new();
		cli_json_str(j, "node", node);
		cli_json_bool(j, "changed", changed);
		cli_json_str(j, "marks", machine_names(set));
		return cli_json_print(j);
	}
	if (!changed) {
		printf(
		    "%s is no copy (compared: %s)\n", node, machine_names(set));
		return CLV_OK;
	}
	printf("%s lives on this machine now (compared from now on: %s).\n"
	       "Where it was before it must not run again: remove %s there.\n",
	    node, machine_names(set), c->config.state_dir);
	return CLV_OK;
}

/* A daemon that does not run looks at its start. */
static int
tell_daemon(struct cli *c)
{
	struct cli_reply reply;
	int r = cli_ctl(c, CTL_ADOPT, NULL, 0, &reply, CLI_TIMEOUT_MS);

	if (r == CLV_OK || r == CLV_E_NO_SERVER)
		return CLV_OK;
	return cli_fail(c, r, "restart clavigerd on this host",
	    "what clavigerd took for a copy is adopted on the disk alone: %s",
	    clv_result_text(r));
}

static int
adopt(struct cli *c, const struct clv_identity *id)
{
	struct machine_marks here, kept = {{false}, {{0}}};
	char why[MACHINE_WHY_LEN];
	struct machine_ids ids;
	bool changed;
	int r;

	machine_ids_get(&ids);
	machine_marks_make(&ids, id, &here);
	r = cli_become(c, &c->config);
	if (r != CLV_OK)
		return r;
	changed =
	    machine_check(c->config.state_dir, &here, &kept, why) != CLV_OK;
	cli_unbecome();
	if (changed || machine_add(&kept, &here))
		r = cli_host_mark(c, &c->config, changed ? &here : &kept, NULL);
	if (r == CLV_OK)
		r = tell_daemon(c);
	return r == CLV_OK ? print(c, id->name, changed, machine_set(&here))
			   : r;
}

/* The lock of init and join: nobody else changes the identity meanwhile. */
int
cli_identity_adopt(struct cli *c)
{
	struct cli_host h;
	int lock = -1, r = cli_state_dir(c, &c->config, NULL, &lock);

	cli_host_init(&h);
	if (r == CLV_OK)
		r = cli_host_load(c, &h);
	if (r == CLV_OK)
		r = adopt(c, h.id);
	cli_host_fini(&h);
	if (lock >= 0)
		close(lock);
	return r;
}
