/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>
#include "daemon/cli/doctor/cli_doctor_cluster.h"

/* What keeps the role from a node, or the address from the role. */

#define INFINITE 1000000
#define OURS \
	"(@rsc=$id or @rsc=$clone or resource_set/resource_ref[@id=$id " \
	"or @id=$clone])"

static int
score_parse(const char *text)
{
	const char *number = text + (*text == '+' || *text == '-');
	long score = strcmp(number, "INFINITY") == 0 ? INFINITE : atol(number);

	if (score > INFINITE)
		score = INFINITE;
	return (int)(*text == '-' ? -score : score);
}

static bool
may_serve(const struct doctor_cluster *k, const char *node)
{
	const struct clv_list_node *n =
	    k->list != NULL ? clv_list_node_by_name(k->list, node) : NULL;

	return k->list == NULL || (n != NULL && !n->revoked);
}

static bool
is_left_over(const char *id)
{
	return strncmp(id, "cli-ban-", 8) == 0 ||
	       strncmp(id, "cli-prefer-", 11) == 0;
}

/* What pcs and crm_resource call a move or a ban is a constraint that stays. */
static void
found_left_over(struct doctor *d, const char *id, const char *node)
{
	char next[400];

	snprintf(next, sizeof(next), "crm_resource --clear --resource %s",
	    d->cluster->clone_id);
	doctor_found(d, id, next,
	    strncmp(id, "cli-ban-", 8) == 0
		? "left over from a move or a ban: %s does not take over"
		: "left over from a move: the role goes to %s whenever it can",
	    node[0] != '\0' ? node : "a node");
}

static void
found_location(struct doctor *d, const char *id, const char *text)
{
	char next[400];

	snprintf(next, sizeof(next),
	    "pcs constraint remove %s, or crm configure delete %s", id, id);
	doctor_found(d, id, next, "%s", text);
}

/* A ban by a rule, as of nodes whose network is down, may be right. */
static void
check_location(struct doctor *d, struct cib_element *e)
{
	struct doctor_cluster *k = d->cluster;
	char id[160], node[128], text[32], what[300];
	bool is_rule;
	int score;

	(void)cib_text(k->cib, e, "@id", id, sizeof(id));
	(void)cib_text(k->cib, e,
	    "@node|rule/expression[@attribute='#uname']/"
	    "@value",
	    node, sizeof(node));
	is_rule = cib_find(k->cib, e, "rule", 0) != NULL;
	(void)cib_text(k->cib, e, "@score|rule/@score", text, sizeof(text));
	score = score_parse(text);
	if (is_left_over(id)) {
		found_left_over(d, id, node);
	} else if (score == -INFINITE) {
		snprintf(what, sizeof(what),
		    "%s is a server node, and may never have it", node);
		if (!is_rule && may_serve(k, node))
			found_location(d, id, what);
	} else if (abs(score) >= CTL_SCORE_STANDBY) {
		snprintf(what, sizeof(what),
		    "the preference for %s (%d) outweighs which node is "
		    "active or ready",
		    node[0] != '\0' ? node : "some nodes", score);
		found_location(d, id, what);
	}
}

static void
check_locations(struct doctor *d)
{
	struct doctor_cluster *k = d->cluster;
	struct cib_element *e;

	for (size_t n = 0;
	     (e = cib_find(k->cib, NULL,
		  "configuration/constraints/rsc_location[" OURS "]", n)) !=
	     NULL;
	     n++)
		check_location(d, e);
}

/* ---- an address that is a resource of its own ---- */

/* What constraints name: it, or the group that it is in ($holder, $group). */
static void
name_holder(
    struct doctor_cluster *k, struct cib_element *holder, char *dst, size_t cap)
{
	char group[128];

	(void)cib_text(k->cib, holder, "@id", dst, cap);
	(void)cib_text(
	    k->cib, holder, "parent::group/@id", group, sizeof(group));
	cib_let(k->cib, "holder", dst);
	cib_let(k->cib, "group", group[0] != '\0' ? group : dst);
}

static bool
has(struct doctor_cluster *k, const char *xpath)
{
	return cib_find(k->cib, NULL, xpath, 0) != NULL;
}

static void
check_together(struct doctor *d, const char *id)
{
	struct doctor_cluster *k = d->cluster;
	char next[800], score[32];
	struct cib_element *e;

	if (has(k, "configuration/constraints/rsc_colocation/resource_set/"
		   "resource_ref[@id=$holder or @id=$group]"))
		return; /* a set may say it in ways not looked at here */
	e = cib_find(k->cib, NULL,
	    "configuration/constraints/rsc_colocation[(@rsc=$holder or "
	    "@rsc=$group) and (@with-rsc=$clone or @with-rsc=$id) and "
	    "(@with-rsc-role='Promoted' or @with-rsc-role='Master')]",
	    0);
	snprintf(next, sizeof(next),
	    "pcs constraint colocation add %s with Promoted %s INFINITY (crm "
	    "configure colocation %s-with-role inf: %s %s:Promoted)",
	    id, k->clone_id, id, id, k->clone_id);
	if (e == NULL)
		doctor_found(d, id, next,
		    "no colocation keeps it where %s is promoted", k->clone_id);
	else if (cib_text(k->cib, e, "@score", score, sizeof(score)) &&
		 score_parse(score) != INFINITE)
		doctor_found(d, id, next,
		    "its colocation with the role has a score of %s: they may "
		    "part",
		    score);
}

static void
check_order(struct doctor *d, const char *id)
{
	struct doctor_cluster *k = d->cluster;
	char next[800];

	if (has(k, "configuration/constraints/rsc_order/resource_set/"
		   "resource_ref[@id=$holder or @id=$group]") ||
	    has(k, "configuration/constraints/rsc_order[(@first=$clone or "
		   "@first=$id) and @first-action='promote' and "
		   "(@then=$holder or @then=$group) and not(@kind='Optional') "
		   "and not(@score='0')]"))
		return;
	snprintf(next, sizeof(next),
	    "pcs constraint order promote %s then start %s (crm configure "
	    "order %s-after-role Mandatory: %s:promote %s:start)",
	    k->clone_id, id, id, k->clone_id, id);
	doctor_found(d, id, next,
	    "no order starts it after the promotion: members come to a node "
	    "that cannot answer yet");
}

static void
check_address(struct doctor *d)
{
	struct doctor_cluster *k = d->cluster;
	struct cib_element *holder = doctor_address_holder(k);
	char ip[64], id[128];

	if (holder != NULL)
		name_holder(k, holder, id, sizeof(id));
	if (doctor_parameter(k, "ip", ip, sizeof(ip))) {
		if (holder != NULL)
			doctor_found(d, id, "remove one of them",
			    "it has the address %s, and so has %s", ip, k->id);
		doctor_note(d, "none; %s brings the address itself", k->id);
	} else if (holder == NULL) {
		doctor_found(d, k->id, NULL,
		    "no resource of the cluster has the address %s",
		    k->list->address);
	} else {
		check_together(d, id);
		check_order(d, id);
		doctor_note(d, "%s follows the role of %s", id, k->clone_id);
	}
}

void
doctor_constraints(struct doctor *d)
{
	check_locations(d);
	if (d->cluster->list != NULL)
		check_address(d);
}
