/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "daemon/cli/cli_cluster.h"
#include "daemon/cli/doctor/cli_doctor_cluster.h"

/* Our resource: its options and its operations. */

#define DEFAULT_TIMEOUT_MS 20000 /* Pacemaker's */

/* ---- options of the clone ---- */

static const struct {
	const char *name, *older_name, *value;
	const char *why;
} options[] = {
    {"promotable", "", "true", "no node is promoted"},
    {"promoted-max", "master-max", "1", "the agent refuses that"},
    {"promoted-node-max", "master-node-max", "1", "the agent refuses that"},
    {"clone-node-max", "", "1", "the agent refuses that"},
    {"globally-unique", "", "false", "the agent refuses that"},
    {"notify", "", "false",
	"each failover takes some rounds longer, for nothing"},
};

static bool
is_same(const char *value, const char *wanted)
{
	if (strcmp(wanted, "true") == 0)
		return cib_is_true(value);
	if (strcmp(wanted, "false") == 0)
		return !cib_is_true(value);
	return strcmp(value, wanted) == 0;
}

static void
check_option(struct doctor *d, size_t i)
{
	struct doctor_cluster *k = d->cluster;
	char value[64], next[400];
	bool is_set = doctor_meta(k, k->clone, options[i].name,
	    options[i].older_name, value, sizeof(value));

	/* <master>, as it was before Pacemaker 2, is promotable by itself. */
	if (!is_set && (strcmp(options[i].name, "promotable") != 0 ||
			   cib_find(k->cib, k->clone, "self::master", 0)))
		return;
	if (is_set && is_same(value, options[i].value))
		return;
	snprintf(next, sizeof(next),
	    "crm_resource --resource %s --meta --set-parameter %s "
	    "--parameter-value %s",
	    k->clone_id, options[i].name, options[i].value);
	doctor_found(d, k->clone_id, next, "%s is %s: %s", options[i].name,
	    is_set ? value : "not set", options[i].why);
}

static void
check_places(struct doctor *d)
{
	struct doctor_cluster *k = d->cluster;
	unsigned nodes = 0;
	char value[64], next[400];

	for (size_t i = 0; k->list != NULL && i < k->list->node_count; i++)
		nodes += !k->list->nodes[i].revoked;
	if (!doctor_meta(k, k->clone, "clone-max", "", value, sizeof(value)) ||
	    strtoul(value, NULL, 10) >= (nodes > 2 ? nodes : 2))
		return;
	snprintf(next, sizeof(next),
	    "crm_resource --resource %s --meta --delete-parameter clone-max",
	    k->clone_id);
	doctor_found(d, k->clone_id, next,
	    "clone-max is %s: not all of the %u server nodes stand by", value,
	    nodes);
}

static void
check_parameter(struct doctor *d, const char *name, const char *right)
{
	struct doctor_cluster *k = d->cluster;
	char value[256], next[400];

	if (!doctor_parameter(k, name, value, sizeof(value)) ||
	    strcasecmp(value, right) == 0)
		return;
	snprintf(next, sizeof(next),
	    "crm_resource --resource %s --set-parameter %s "
	    "--parameter-value %s",
	    k->id, name, right);
	doctor_found(d, k->id, next, "%s is %s, and the system's %s", name,
	    value, right);
}

void
doctor_resource(struct doctor *d)
{
	struct doctor_cluster *k = d->cluster;

	if (k->list != NULL) {
		check_parameter(d, "ip", k->list->address);
		check_parameter(d, "network_name", k->list->network_name);
	}
	if (k->clone == NULL) {
		doctor_found(d, k->id, NULL, "it is no promotable clone");
		return;
	}
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		check_option(d, i);
	check_places(d);
	doctor_note(d, "%s is promotable, and one of it promoted", k->clone_id);
}

/* ---- operations ---- */

/* role: "", Promoted or Unpromoted, which have older names, too. */
static struct cib_element *
find_op(struct doctor_cluster *k, const struct cluster_op *op)
{
	static const char *const where[] = {"operations/op[@name=$name]",
	    "/cib/configuration/resources/template[@id=$template]/"
	    "operations/op[@name=$name]"};
	struct cib_element *e;
	char role[32], template[128];

	(void)cib_text(k->cib, k->rsc, "@template", template, sizeof(template));
	cib_let(k->cib, "template", template);
	cib_let(k->cib, "name", op->name);
	for (size_t w = 0; w < 2; w++)
		for (size_t n = 0;
		     (e = cib_find(k->cib, k->rsc, where[w], n)) != NULL; n++) {
			(void)cib_text(k->cib, e, "@role", role, sizeof(role));
			bool promoted = strcmp(role, "Promoted") == 0 ||
					strcmp(role, "Master") == 0;
			if (op->role[0] == '\0' ||
			    promoted == (strcmp(op->role, "Promoted") == 0))
				return e;
		}
	return NULL;
}

/* As an attribute of the operation, or among its options. */
static bool
op_text(struct doctor_cluster *k, struct cib_element *op, const char *name,
    char *dst, size_t cap)
{
	cib_let(k->cib, "name", name);
	return op != NULL &&
	       cib_text(k->cib, op,
		   "@*[name()=$name]|meta_attributes/nvpair[@name=$name]/"
		   "@value",
		   dst, cap);
}

static uint64_t
op_timeout_ms(struct doctor_cluster *k, struct cib_element *op)
{
	uint64_t ms = DEFAULT_TIMEOUT_MS;
	char text[64];

	if (op_text(k, op, "timeout", text, sizeof(text)) ||
	    cib_text(k->cib, NULL,
		"configuration/op_defaults/meta_attributes[not(rule)]/"
		"nvpair[@name='timeout']/@value",
		text, sizeof(text)))
		if (!cib_duration(text, &ms))
			return UINT64_MAX; /* of a form not known here */
	return ms;
}

static uint64_t
op_interval_ms(struct doctor_cluster *k, struct cib_element *op)
{
	uint64_t ms = 0;
	char text[64];

	if (op_text(k, op, "interval", text, sizeof(text)))
		(void)cib_duration(text, &ms);
	return ms;
}

static bool
is_off(struct doctor_cluster *k, struct cib_element *op)
{
	char text[32];

	return op_text(k, op, "enabled", text, sizeof(text)) &&
	       !cib_is_true(text);
}

static void
check_op(struct doctor *d, const struct cluster_op *want)
{
	struct doctor_cluster *k = d->cluster;
	struct cib_element *op = find_op(k, want);
	const uint64_t timeout = op_timeout_ms(k, op),
		       interval = op_interval_ms(k, op);
	char what[64], next[400], text[32];

	snprintf(what, sizeof(what), "%s%s%s", want->name,
	    want->role[0] != '\0' ? " of " : "", want->role);
	snprintf(next, sizeof(next),
	    "pcs resource update %s op %s interval=%us timeout=%us%s%s (or "
	    "crm configure edit %s)",
	    k->id, want->name, want->interval_s, want->timeout_s,
	    want->role[0] != '\0' ? " role=" : "", want->role, k->id);
	if (want->interval_s != 0 && (op == NULL || is_off(k, op))) {
		doctor_found(d, what, next,
		    "there is none: what fails in that role is not noticed");
		return;
	}
	if (timeout < want->timeout_s * 1000u)
		doctor_found(d, what, next,
		    "its timeout is %" PRIu64 " ms: it may need %u s", timeout,
		    want->timeout_s);
	if (interval > want->interval_s * 4000u && want->interval_s != 0)
		doctor_found(d, what, next,
		    "it is run each %" PRIu64 " s: as long nobody notices "
		    "that the daemon hangs",
		    interval / 1000);
	if (op_text(k, op, "on-fail", text, sizeof(text)) &&
	    (strcmp(text, "ignore") == 0 || strcmp(text, "block") == 0 ||
		strcmp(text, "stop") == 0))
		doctor_found(d, what, next,
		    "its on-fail is %s: no other node takes over", text);
}

static void
check_intervals(struct doctor *d, const struct cluster_op *one,
    const struct cluster_op *other)
{
	struct doctor_cluster *k = d->cluster;
	struct cib_element *a = find_op(k, one), *b = find_op(k, other);

	if (a != NULL && b != NULL && a != b &&
	    op_interval_ms(k, a) == op_interval_ms(k, b))
		doctor_found(d, "monitor", NULL,
		    "both roles have the interval of %" PRIu64
		    " ms: the cluster takes them for one",
		    op_interval_ms(k, a));
}

/* What is forgotten before an operation can end comes again without end. */
static void
check_failure_timeout(struct doctor *d, uint64_t longest)
{
	struct doctor_cluster *k = d->cluster;
	uint64_t ms = 0;
	char text[64];

	if (!doctor_meta(
		k, k->rsc, "failure-timeout", "", text, sizeof(text)) &&
	    (k->clone == NULL || !doctor_meta(k, k->clone, "failure-timeout",
				     "", text, sizeof(text))) &&
	    !cib_text(k->cib, NULL,
		"configuration/rsc_defaults/meta_attributes[not(rule)]/"
		"nvpair[@name='failure-timeout']/@value",
		text, sizeof(text)))
		return;
	if (cib_duration(text, &ms) && ms != 0 && ms < longest)
		doctor_found(d, k->id,
		    "make it longer than every operation's timeout",
		    "its failure-timeout of %" PRIu64 " ms is shorter than "
		    "an operation's timeout of %" PRIu64 " ms",
		    ms, longest);
}

void
doctor_operations(struct doctor *d)
{
	const struct cluster_op *op = cluster_ops, *first = NULL;
	uint64_t longest = 0, ms;

	for (; op->name != NULL; op++) {
		check_op(d, op);
		ms = op_timeout_ms(d->cluster, find_op(d->cluster, op));
		if (ms != UINT64_MAX && ms > longest)
			longest = ms;
		if (op->interval_s == 0)
			continue;
		if (first != NULL)
			check_intervals(d, first, op);
		first = op;
	}
	check_failure_timeout(d, longest);
}
