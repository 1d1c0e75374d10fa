/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "daemon/cli/doctor/cli_doctor_cluster.h"

/* When a node is taken for dead, by whom, and what becomes of it. */

#define TOKEN_MIN_MS 500     /* a node that pauses as long is no dead one */
#define NOTICED_MAX_MS 15000 /* the active server's lease is as long */
#define DEVICES "configuration/resources//primitive[@class='stonith']"

/* ---- fencing ---- */

static bool
device_is_off(struct doctor_cluster *k, struct cib_element *device)
{
	char value[32];

	return doctor_meta(
		   k, device, "target-role", "", value, sizeof(value)) &&
	       strcmp(value, "Stopped") == 0;
}

/* Separators of Pacemaker's lists of hosts; a map has ports, too. */
static bool
names(const char *hosts, const char *node)
{
	const size_t len = strlen(node);

	for (const char *p = hosts; *p != '\0'; p += strcspn(p, " ,;\t\n")) {
		p += strspn(p, " ,;\t\n");
		if (strncasecmp(p, node, len) == 0 &&
		    strchr(" ,;\t\n:=", p[len]) != NULL)
			return true;
	}
	return false;
}

/* A device that says nothing of it is asked by the cluster. */
static bool
may_fence(
    struct doctor_cluster *k, struct cib_element *device, const char *node)
{
	char hosts[1024], map[1024];

	bool has_hosts = cib_text(k->cib, device,
	    "instance_attributes/nvpair[@name='pcmk_host_list']/@value", hosts,
	    sizeof(hosts));
	bool has_map = cib_text(k->cib, device,
	    "instance_attributes/nvpair[@name='pcmk_host_map']/@value", map,
	    sizeof(map));

	return (!has_hosts && !has_map) || names(hosts, node) ||
	       names(map, node);
}

static void
check_covered(struct doctor *d)
{
	struct doctor_cluster *k = d->cluster;
	struct cib_element *node, *device;
	char name[128];
	bool covered;

	for (size_t i = 0; (node = cib_find(k->cib, NULL,
				"configuration/nodes/node[not(@type) or "
				"@type='member']",
				i)) != NULL;
	     i++) {
		(void)cib_text(k->cib, node, "@uname", name, sizeof(name));
		covered = false;
		for (size_t n = 0;
		     (device = cib_find(k->cib, NULL, DEVICES, n)) != NULL; n++)
			covered |= !device_is_off(k, device) &&
				   may_fence(k, device, name);
		if (!covered)
			doctor_found(d, name,
			    "add it to a device's pcmk_host_list, or make a "
			    "device for it (pcs stonith create)",
			    "no fencing device is for it");
	}
}

static bool
has_watchdog(struct doctor_cluster *k)
{
	uint64_t ms;
	char value[32];

	return doctor_property(k, "stonith-watchdog-timeout",
		   "fencing-watchdog-timeout", value, sizeof(value)) &&
	       (value[0] == '-' || (cib_duration(value, &ms) && ms != 0));
}

/* Each of two nodes that lose each other fences the other. */
static void
check_race(struct doctor *d)
{
	struct doctor_cluster *k = d->cluster;
	char value[64];

	if (k->no_corosync != NULL || doctor_cluster_nodes(k) != 2 ||
	    doctor_corosync(k, "quorum.device.model", value, sizeof(value)) ||
	    doctor_property(
		k, "priority-fencing-delay", "", value, sizeof(value)) ||
	    cib_find(k->cib, NULL,
		DEVICES "/instance_attributes/nvpair["
			"starts-with(@name, 'pcmk_delay')]",
		0) != NULL)
		return;
	doctor_found(d, "",
	    "crm_attribute --name priority-fencing-delay --update 3s, and the "
	    "meta attribute priority=10 on the resource that has the address",
	    "two nodes that lose each other fence each other at once: nobody "
	    "may be left");
}

void
doctor_fencing(struct doctor *d)
{
	struct doctor_cluster *k = d->cluster;
	char value[32];

	if (doctor_property(k, "stonith-enabled", "fencing-enabled", value,
		sizeof(value)) &&
	    !cib_is_true(value))
		doctor_found(d, "",
		    "configure a device (pcs stonith create), then "
		    "crm_attribute --name stonith-enabled --update true",
		    "it is switched off: after a split a node is left with "
		    "the address that it must not have");
	else if (cib_find(k->cib, NULL, DEVICES, 0) != NULL)
		check_covered(d);
	else if (!has_watchdog(k))
		doctor_found(d, "",
		    "pcs stonith create, or crm configure "
		    "primitive ... stonith:...",
		    "it is enabled, and there is no fencing device: after a "
		    "failure nothing is started");
	if (d->found == 0)
		check_race(d);
}

/* ---- quorum ---- */

static void
check_two(struct doctor *d)
{
	struct doctor_cluster *k = d->cluster;
	char value[32];

	if (doctor_corosync(k, "quorum.device.model", value, sizeof(value)))
		return;
	if (doctor_corosync_u32(k, "quorum.two_node") != 1)
		doctor_found(d, "",
		    "two_node: 1 in section quorum of "
		    "corosync.conf, or a quorum device",
		    "two nodes without two_node: when one fails the other "
		    "stops, too");
	else if (doctor_corosync(
		     k, "quorum.wait_for_all", value, sizeof(value)) &&
		 strcmp(value, "0") == 0)
		doctor_found(d, "",
		    "take wait_for_all: 0 out of section "
		    "quorum of corosync.conf",
		    "two_node without wait_for_all: a node that starts alone "
		    "fences the other");
}

static void
check_no_quorum_policy(struct doctor *d)
{
	struct doctor_cluster *k = d->cluster;
	char value[32];

	if (k->cib == NULL ||
	    !doctor_property(k, "no-quorum-policy", "", value, sizeof(value)) ||
	    strcmp(value, "ignore") != 0)
		return;
	doctor_found(d, "",
	    "crm_attribute --name no-quorum-policy --update stop",
	    "no-quorum-policy is ignore: after a split each part promotes a "
	    "node");
}

void
doctor_quorum(struct doctor *d)
{
	struct doctor_cluster *k = d->cluster;
	const unsigned nodes = doctor_cluster_nodes(k);
	char value[64];

	if (!doctor_corosync(k, "quorum.provider", value, sizeof(value)) ||
	    strcmp(value, "corosync_votequorum") != 0)
		doctor_found(d, "",
		    "provider: corosync_votequorum in section "
		    "quorum of corosync.conf",
		    "corosync counts no votes");
	else if (nodes == 1)
		doctor_found(d, "", "add another node",
		    "the cluster has one node: nobody can take over");
	else if (nodes == 2)
		check_two(d);
	else if (doctor_corosync_u32(k, "quorum.two_node") == 1)
		doctor_found(d, "",
		    "take two_node: 1 out of section quorum "
		    "of corosync.conf",
		    "two_node with %u nodes: a single one has quorum", nodes);
	check_no_quorum_policy(d);
	doctor_note(d, "%u nodes", nodes);
}

/* ---- totem ---- */

/* As it runs, with what is not configured. */
static uint32_t
totem_ms(struct doctor_cluster *k, const char *name)
{
	char key[64];
	uint32_t ms;

	snprintf(key, sizeof(key), "runtime.config.totem.%s", name);
	ms = doctor_corosync_u32(k, key);
	snprintf(key, sizeof(key), "totem.%s", name);
	return ms != 0 ? ms : doctor_corosync_u32(k, key);
}

void
doctor_token(struct doctor *d)
{
	struct doctor_cluster *k = d->cluster;
	const uint32_t token = totem_ms(k, "token"),
		       consensus = totem_ms(k, "consensus");
	const unsigned nodes = doctor_cluster_nodes(k);

	if (token == 0) {
		doctor_note(d, "corosync does not say");
		return;
	}
	if (token < TOKEN_MIN_MS)
		doctor_found(d, "token", NULL,
		    "%u ms: a host that pauses as long is taken for dead, "
		    "and fenced; not below %u, on virtual machines 1000",
		    token, TOKEN_MIN_MS);
	if (nodes > 2 && consensus < token)
		doctor_found(d, "consensus", NULL,
		    "%u ms is less than the token's %u: only safe with two "
		    "nodes, and here are %u; 1.2 times the token is usual",
		    consensus, token, nodes);
	if (token + consensus > NOTICED_MAX_MS)
		doctor_found(d, "token", NULL,
		    "a dead node is noticed after %u ms (token and "
		    "consensus); as long nobody is served",
		    token + consensus);
	doctor_note(d, "a dead node is noticed after %u ms", token + consensus);
}

void
doctor_ring(struct doctor *d)
{
	static const char *const keys[] = {
	    "totem.crypto_cipher", "totem.crypto_hash"};
	struct doctor_cluster *k = d->cluster;
	char value[64];

	/* Which stands for aes256 and sha256. */
	if (doctor_corosync(k, "totem.secauth", value, sizeof(value)) &&
	    cib_is_true(value))
		return;
	for (size_t i = 0; i < 2; i++)
		if (!doctor_corosync(k, keys[i], value, sizeof(value)) ||
		    strcmp(value, "none") == 0)
			doctor_found(d, keys[i] + strlen("totem."), NULL,
			    i == 0 ? "none: who listens in that network reads "
				     "what the nodes say"
				   : "none: who reaches that network can join "
				     "the cluster, and move its resources");
}
