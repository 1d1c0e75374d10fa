/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "daemon/cli/doctor/cli_doctor_cluster.h"

/* The cluster that drives this server node: is it there, and is ours in it? */

#define WITHIN_MS 5000
#define CIB_LEN_MAX (8u << 20)
#define MAP_LEN_MAX (1u << 20)
#define AGENT \
	"[@class='ocf' and @provider='claviger' and @type='master-secret']"

/* ---- what others ask ---- */

bool
doctor_property(struct doctor_cluster *k, const char *name,
    const char *newer_name, char *dst, size_t cap)
{
	cib_let(k->cib, "name", name);
	cib_let(k->cib, "other", newer_name);
	return cib_text(k->cib, NULL,
	    "configuration/crm_config/cluster_property_set/"
	    "nvpair[@name=$name or @name=$other]/@value",
	    dst, cap);
}

bool
doctor_meta(struct doctor_cluster *k, struct cib_element *of, const char *name,
    const char *other_name, char *dst, size_t cap)
{
	cib_let(k->cib, "name", name);
	cib_let(k->cib, "other", other_name);
	return cib_text(k->cib, of,
	    "meta_attributes/nvpair[@name=$name or @name=$other]/@value", dst,
	    cap);
}

bool
doctor_parameter(
    struct doctor_cluster *k, const char *name, char *dst, size_t cap)
{
	cib_let(k->cib, "name", name);
	return cib_text(k->cib, k->rsc,
	    "instance_attributes/nvpair[@name=$name]/@value", dst, cap);
}

struct cib_element *
doctor_address_holder(struct doctor_cluster *k)
{
	cib_let(k->cib, "address", k->list->address);
	return cib_find(k->cib, NULL,
	    "configuration/resources//primitive[@id!=$id and "
	    "instance_attributes/nvpair[(@name='ip' or @name='ipv6addr') and "
	    "@value=$address]]",
	    0);
}

bool
doctor_corosync(
    struct doctor_cluster *k, const char *key, char *dst, size_t cap)
{
	const char *line = (const char *)k->corosync.data, *value;
	const size_t len = strlen(key);

	for (; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
		line += *line == '\n';
		value = strncmp(line, key, len) == 0 && line[len] == ' '
			    ? strstr(line, ") = ")
			    : NULL;
		if (value == NULL)
			continue;
		value += 4;
		snprintf(dst, cap, "%.*s", (int)strcspn(value, "\n"), value);
		cli_printable(dst);
		return true;
	}
	dst[0] = '\0';
	return false;
}

uint32_t
doctor_corosync_u32(struct doctor_cluster *k, const char *key)
{
	char text[32];

	return doctor_corosync(k, key, text, sizeof(text))
		   ? (uint32_t)strtoul(text, NULL, 10)
		   : 0;
}

unsigned
doctor_cluster_nodes(struct doctor_cluster *k)
{
	char key[64];
	unsigned n = 0, count = 0;

	for (; n < 256; n++) {
		snprintf(key, sizeof(key), "nodelist.node.%u.nodeid", n);
		count += doctor_corosync_u32(k, key) != 0;
	}
	return count;
}

/* ---- what is there ---- */

static int
ask(const char *const argv[], size_t max, struct clv_buf *ret)
{
	clv_buf_init(ret);
	ret->max = max;
	return cli_tool_read(argv, WITHIN_MS, ret);
}

int
doctor_cib_ask(struct cib **ret)
{
	static const char *const argv[] = {
	    "cibadmin", "--query", "--local", NULL};
	struct clv_buf text;
	int r = ask(argv, CIB_LEN_MAX, &text);

	if (r == CLV_OK)
		r = cib_parse(text.data, text.len, ret);
	clv_buf_fini(&text);
	return r;
}

static void
ask_pacemaker(struct doctor_cluster *k)
{
	k->answer = doctor_cib_ask(&k->cib);
	if (k->answer == CLV_E_NOT_FOUND)
		k->no_host = "there is no cluster software on this host";
	else if (k->answer != CLV_OK)
		k->no_cib = "Pacemaker does not answer";
}

static void
ask_corosync(struct doctor_cluster *k)
{
	static const char *const argv[] = {"corosync-cmapctl", NULL};
	int r = ask(argv, MAP_LEN_MAX, &k->corosync);

	clv_buf_u8(&k->corosync, '\0');
	if (r != CLV_OK || k->corosync.failed)
		k->no_corosync = "corosync does not answer";
}

static bool
is_ours(struct doctor_cluster *k, const char *path)
{
	char config[320];

	if (!doctor_parameter(k, "config", config, sizeof(config)))
		snprintf(config, sizeof(config), "%s", CONFIG_PATH);
	return strcmp(config, path) == 0;
}

static void
look_up_resource(struct doctor_cluster *k, const char *path)
{
	static const char *const all =
	    "configuration/resources//primitive" AGENT
	    " | configuration/resources//primitive[@template="
	    "/cib/configuration/resources/template" AGENT "/@id]";
	struct cib_element *first = NULL;

	for (size_t n = 0;; n++) {
		k->rsc = cib_find(k->cib, NULL, all, n);
		if (k->rsc == NULL)
			break;
		if (!is_ours(k, path))
			continue;
		k->resources++;
		if (first == NULL)
			first = k->rsc;
	}
	k->rsc = first;
	if (first == NULL) {
		k->no_resource = "the cluster has no resource of this system";
		return;
	}
	k->clone =
	    cib_find(k->cib, first, "ancestor::clone|ancestor::master", 0);
	(void)cib_text(k->cib, first, "@id", k->id, sizeof(k->id));
	(void)cib_text(k->cib, k->clone != NULL ? k->clone : first, "@id",
	    k->clone_id, sizeof(k->clone_id));
	cib_let(k->cib, "id", k->id);
	cib_let(k->cib, "clone", k->clone_id);
}

void
doctor_cluster_ask(struct cli *c, struct doctor_cluster *k)
{
	memset(k, 0, sizeof(*k));
	clv_buf_init(&k->corosync);
	/* As clavigerd understands it. */
	if (strcmp(c->config.cluster, "no") == 0 ||
	    (strcmp(c->config.cluster, "auto") == 0 &&
		access("/etc/corosync/corosync.conf", F_OK) != 0)) {
		k->no_host = "by the configuration there is no cluster";
		return;
	}
	ask_pacemaker(k);
	if (k->no_host != NULL)
		return;
	ask_corosync(k);
	if (k->cib != NULL)
		look_up_resource(k, c->path);
	if (cli_list_get(c, &k->list) != CLV_OK)
		k->list = NULL;
}

void
doctor_cluster_fini(struct doctor_cluster *k)
{
	clv_list_free(&k->list);
	clv_buf_fini(&k->corosync);
	cib_free(&k->cib);
}

const char *
doctor_cluster_lacks(struct doctor *d, unsigned needs)
{
	struct doctor_cluster *k = d->cluster;

	if (k == NULL) {
		k = d->cluster = malloc(sizeof(*k));
		if (k == NULL)
			return "out of memory";
		doctor_cluster_ask(d->c, k);
	}
	if (k->no_host != NULL)
		return k->no_host;
	if ((needs & DOCTOR_CIB) != 0 && k->no_cib != NULL)
		return k->no_cib;
	if ((needs & DOCTOR_RESOURCE) != 0 && k->no_resource != NULL)
		return k->no_resource;
	return (needs & DOCTOR_COROSYNC) != 0 ? k->no_corosync : NULL;
}

void
doctor_cluster_close(struct doctor *d)
{
	if (d->cluster == NULL)
		return;
	doctor_cluster_fini(d->cluster);
	free(d->cluster);
	d->cluster = NULL;
}

/* ---- the check ---- */

static void
check_whole(struct doctor *d, struct doctor_cluster *k)
{
	char value[32];

	if (doctor_property(k, "maintenance-mode", "", value, sizeof(value)) &&
	    cib_is_true(value))
		doctor_found(d, "",
		    "crm_attribute --name maintenance-mode --update false",
		    "the cluster is in maintenance mode: it moves nothing");
	if (doctor_property(
		k, "stop-all-resources", "", value, sizeof(value)) &&
	    cib_is_true(value))
		doctor_found(d, "",
		    "crm_attribute --name stop-all-resources --update false",
		    "the cluster is told to stop all resources");
}

static void
check_nodes(struct doctor *d, struct doctor_cluster *k)
{
	static const char *const words[] = {"standby", "maintenance"};
	struct cib_element *node;
	char name[128], value[32], next[320];

	for (size_t i = 0; (node = cib_find(k->cib, NULL,
				"configuration/nodes/node", i)) != NULL;
	     i++) {
		(void)cib_text(k->cib, node, "@uname", name, sizeof(name));
		for (size_t w = 0; w < 2; w++) {
			cib_let(k->cib, "name", words[w]);
			if (!cib_text(k->cib, node,
				"instance_attributes/nvpair[@name=$name]/"
				"@value",
				value, sizeof(value)) ||
			    !cib_is_true(value))
				continue;
			snprintf(next, sizeof(next),
			    "crm_attribute --node %s --name %s --delete", name,
			    words[w]);
			doctor_found(d, name, next,
			    "it is in %s: it does not take over", words[w]);
		}
	}
}

static bool
meta_of_both(struct doctor_cluster *k, const char *name, char *dst, size_t cap)
{
	return doctor_meta(k, k->rsc, name, "", dst, cap) ||
	       (k->clone != NULL &&
		   doctor_meta(k, k->clone, name, "", dst, cap));
}

static void
check_resource(struct doctor *d, struct doctor_cluster *k)
{
	char value[32], next[320];

	if (k->resources > 1)
		doctor_found(d, k->id, "remove all but one",
		    "%u resources drive the one clavigerd of a node",
		    k->resources);
	if (meta_of_both(k, "target-role", value, sizeof(value)) &&
	    strcmp(value, "Started") != 0 && strcmp(value, "Promoted") != 0 &&
	    strcmp(value, "Master") != 0) {
		snprintf(next, sizeof(next),
		    "crm_resource --resource %s --meta --set-parameter "
		    "target-role --parameter-value Started",
		    k->clone_id);
		doctor_found(d, k->clone_id, next,
		    "its target-role is %s: nobody is promoted", value);
	}
	if (meta_of_both(k, "is-managed", value, sizeof(value)) &&
	    !cib_is_true(value)) {
		snprintf(next, sizeof(next),
		    "crm_resource --resource %s --meta --set-parameter "
		    "is-managed --parameter-value true",
		    k->clone_id);
		doctor_found(d, k->clone_id, next,
		    "it is not managed: the cluster does not move it");
	}
}

void
doctor_cluster(struct doctor *d)
{
	struct doctor_cluster *k = d->cluster;

	if (k->no_cib != NULL) {
		doctor_found(d, "", NULL, "%s: %s", k->no_cib,
		    k->answer == CLV_E_NO_SERVER ? "it does not run"
						 : clv_result_text(k->answer));
		return;
	}
	check_whole(d, k);
	check_nodes(d, k);
	if (k->no_resource != NULL) {
		doctor_found(d, "",
		    "run what claviger cluster commands --pcs (or --crm) "
		    "prints",
		    "%s (%s)", k->no_resource, d->c->path);
		return;
	}
	check_resource(d, k);
	doctor_note(d, "%s drives clavigerd", k->clone_id);
}
