/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/cli/drill/cli_drill_failover.h"

/*
 * claviger drill failover. A move is a constraint, so each is cleared before
 * the next, also after a signal; what SIGKILL leaves ends by itself.
 */

uint64_t
failover_outage_ms(const struct failover_move *m)
{
	const uint64_t last = m->at_ms[FAILOVER_LAST_KEY],
		       first = m->at_ms[FAILOVER_FIRST_KEY];

	if (first == FAILOVER_NEVER)
		return FAILOVER_NEVER;
	return last == FAILOVER_NEVER ? first : first - last;
}

bool
failover_went_well(const struct failover *f)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->moves[i].why[0] != '\0')
			return false;
	return f->restored && !f->stopped &&
	       (strcmp(f->first, f->last) == 0) != f->power_off;
}

/* To each other node, and back also when one could not. */
static void
move_all(struct cli *c, struct failover *f)
{
	const struct clv_list *list = f->k.list;
	char why[200];
	bool ok = true;

	for (size_t i = 0; i < list->node_count && ok; i++) {
		if (list->nodes[i].revoked ||
		    strcmp(list->nodes[i].party.name, f->first) == 0)
			continue;
		failover_move(c, f, f->last, list->nodes[i].party.name);
		ok = f->moves[f->count - 1].why[0] == '\0';
	}
	if (!f->restored || failover_is_stopped(f))
		return;
	if (!ok && !failover_wait_ready(f, f->last, why, sizeof(why)))
		return;
	if (strcmp(f->last, f->first) != 0)
		failover_move(c, f, f->last, f->first);
}

/* ---- before and after ---- */

static bool
is_in_maintenance(struct doctor_cluster *k)
{
	char value[32];

	return doctor_property(
		   k, "maintenance-mode", "", value, sizeof(value)) &&
	       cib_is_true(value);
}

static int
check_cluster(struct cli *c, struct failover *f)
{
	struct doctor_cluster *k = &f->k;
	const char *why = NULL;

	if (k->no_host != NULL)
		why = k->no_host;
	else if (k->no_cib != NULL)
		why = k->no_cib;
	else if (k->no_resource != NULL)
		why = k->no_resource;
	else if (k->clone == NULL)
		why = "the resource is no promotable clone";
	else if (is_in_maintenance(k))
		why = "the cluster is in maintenance mode";
	else if (k->list == NULL)
		why = "this node has not seen the signed list yet";
	if (why != NULL)
		return cli_fail(c, CLV_E_NOT_READY,
		    "claviger doctor --only 'cluster,resource'", "%s", why);
	if (cib_find(k->cib, NULL,
		"configuration/constraints/rsc_location[(@rsc=$id or "
		"@rsc=$clone) and starts-with(@id, 'cli-')]",
		0) != NULL)
		return cli_fail(c, CLV_E_NOT_READY,
		    "claviger doctor --only constraints",
		    "a constraint is left over from a move: the drill would "
		    "clear it, too");
	return CLV_OK;
}

static int
check_ready(struct cli *c, struct failover *f)
{
	char why[200];
	int r = check_cluster(c, f);

	if (r != CLV_OK)
		return r;
	for (int i = 0; !failover_all_ready(f, f->first, why, sizeof(why)) &&
			strcmp(why, FAILOVER_TWO) == 0 && i < 50;
	     i++)
		poll(NULL, 0, 100);
	if (why[0] != '\0')
		return cli_fail(c, CLV_E_NOT_READY,
		    "claviger status and claviger doctor there",
		    "a failover would not work right now: %s", why);
	snprintf(f->last, sizeof(f->last), "%s", f->first);
	f->max = f->k.list->node_count + 1;
	if (f->k.list->node_count < 2)
		return cli_fail(c, CLV_E_NOT_READY,
		    "claviger join --server on another host",
		    "there is no other node that could take over");
	f->moves = calloc(f->max, sizeof(*f->moves));
	if (f->moves == NULL)
		return cli_fail(c, CLV_E_NOMEM, NULL, "out of memory");
	f->restored = true;
	return failover_constraints(f->k.cib, &f->constraints);
}

static int
drill(struct cli *c, struct failover *f, sigset_t *was)
{
	int r;

	f->at = time(NULL);
	f->node = c->config.node;
	f->system = c->config.system;
	doctor_cluster_ask(c, &f->k);
	f->power_off = cli_opt(c, "power-off") != NULL;
	r = check_ready(c, f);
	if (r == CLV_OK && f->power_off)
		r = failover_power_may(c, f);
	if (r != CLV_OK)
		return r;
	cli_signals_hold(was);
	if (f->power_off)
		failover_power_off(c, f);
	else
		move_all(c, f);
	if (!f->restored)
		cli_warn(c,
		    "the constraints are not as before: crm_resource --clear "
		    "--resource %s",
		    f->k.clone_id);
	return CLV_OK;
}

int
cli_drill_failover(struct cli *c)
{
	const char *path = cli_opt(c, "report");
	struct failover f = {.count = 0};
	enum drill_form form, shown;
	FILE *out = NULL;
	sigset_t was;
	int r = drill_report_forms(c, &form, &shown);

	sigprocmask(SIG_SETMASK, NULL, &was);
	clv_buf_init(&f.constraints);
	clv_buf_init(&f.k.corosync);
	if (r == CLV_OK)
		r = drill_report_open(c, path, &out);
	if (r == CLV_OK)
		r = drill(c, &f, &was);
	if (r == CLV_OK && out != NULL)
		failover_report(&f, form, out);
	r = drill_report_close(c, path, out, r);
	if (r == CLV_OK) {
		failover_report(&f, shown, stdout);
		fflush(stdout);
		r = failover_went_well(&f) ? CLV_OK : CLV_E_FINDINGS;
	}
	doctor_cluster_fini(&f.k);
	clv_buf_fini(&f.constraints);
	free(f.moves);
	cli_signals_release(&was);
	return r;
}
