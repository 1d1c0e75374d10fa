/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/cli/drill/cli_drill_failover.h"
#include "daemon/base/loop.h"
#include "daemon/base/state.h"

/* What the cluster has recorded, and this node's part of it. */
#define READY_MS 90000
#define MAP_MS 1000

static int
score_of(struct failover *f, struct cib *cib, const char *node)
{
	char name[160], value[32];

	snprintf(name, sizeof(name), "master-%s", f->k.id);
	cib_let(cib, "name", name);
	cib_let(cib, "node", node);
	if (!cib_text(cib, NULL,
		"status/node_state[@uname=$node]/transient_attributes/"
		"instance_attributes/nvpair[@name=$name]/@value",
		value, sizeof(value)))
		return 0;
	return (int)strtol(value, NULL, 10);
}

/* Which call it was: another number is another time. */
long
failover_call(struct failover *f, struct cib *cib, const char *node,
    const char *operation)
{
	char value[32], instance[160];

	snprintf(instance, sizeof(instance), "%s:", f->k.id);
	cib_let(cib, "node", node);
	cib_let(cib, "name", operation);
	cib_let(cib, "id", f->k.id);
	cib_let(cib, "instance", instance);
	(void)cib_text(cib, NULL,
	    "status/node_state[@uname=$node]/lrm/lrm_resources/lrm_resource["
	    "@id=$id or starts-with(@id, $instance)]/lrm_rsc_op["
	    "@operation=$name and @rc-code='0']/@call-id",
	    value, sizeof(value));
	return atol(value);
}

bool
failover_all_ready(struct failover *f, char active[static FAILOVER_NAME],
    char *why, size_t cap)
{
	const struct clv_list *list = f->k.list;
	struct cib *cib = NULL;
	const char *name;
	bool two = false;
	int score;

	active[0] = why[0] = '\0';
	if (doctor_cib_ask(&cib) != CLV_OK) {
		snprintf(why, cap, "Pacemaker does not answer");
		return false;
	}
	for (size_t i = 0; i < list->node_count; i++) {
		name = list->nodes[i].party.name;
		score = list->nodes[i].revoked || strcmp(name, f->off) == 0
			    ? 1
			    : score_of(f, cib, name);
		if (score <= 0)
			snprintf(
			    why, cap, "%s is not ready to take over", name);
		else if (score >= CTL_SCORE_ACTIVE && active[0] != '\0')
			two = true;
		else if (score >= CTL_SCORE_ACTIVE)
			snprintf(active, FAILOVER_NAME, "%s", name);
	}
	cib_free(&cib);
	if (two) /* the agent lowers the score a little after a demotion */
		active[0] = '\0';
	if (why[0] == '\0' && active[0] == '\0')
		snprintf(
		    why, cap, "%s", two ? FAILOVER_TWO : "no node is active");
	return why[0] == '\0';
}

bool
failover_wait_ready(struct failover *f, char active[static FAILOVER_NAME],
    char *why, size_t cap)
{
	const uint64_t deadline = loop_now_ms() + READY_MS;

	while (!failover_all_ready(f, active, why, cap)) {
		if (failover_is_stopped(f) || loop_now_ms() >= deadline)
			return false;
		poll(NULL, 0, 200);
	}
	return true;
}

/* ---- membership and epoch ---- */

static bool
node_id(struct failover *f, const char *node, char *dst, size_t cap)
{
	char key[64], name[128];

	for (unsigned i = 0; i < CLV_LIST_NODES_MAX; i++) {
		snprintf(key, sizeof(key), "nodelist.node.%u.nodeid", i);
		if (!doctor_corosync(&f->k, key, dst, cap))
			return false;
		snprintf(key, sizeof(key), "nodelist.node.%u.name", i);
		if (doctor_corosync(&f->k, key, name, sizeof(name)) &&
		    strcmp(name, node) == 0)
			return true;
	}
	return false;
}

bool
failover_has_left(struct failover *f, const char *node)
{
	char id[32], key[96];
	const char *const argv[] = {"corosync-cmapctl", "-g", key, NULL};
	struct clv_buf out;
	bool left;

	if (!node_id(f, node, id, sizeof(id)))
		return false;
	snprintf(key, sizeof(key), "runtime.members.%s.status", id);
	clv_buf_init(&out);
	out.max = 1024;
	left = cli_tool_read(argv, MAP_MS, &out) == CLV_OK;
	clv_buf_u8(&out, '\0');
	left = left && !out.failed &&
	       strstr((const char *)out.data, "= left") != NULL;
	clv_buf_fini(&out);
	return left;
}

uint64_t
failover_epoch(struct cli *c)
{
	uint64_t epoch = 0;
	struct state s;

	if (cli_become(c, &c->config) != CLV_OK)
		return 0;
	if (state_load(c->config.state_dir, &s) == CLV_OK)
		epoch = s.epoch;
	cli_unbecome();
	return epoch;
}
