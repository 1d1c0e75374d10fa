/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_CLI_DOCTOR_CLUSTER_H
#define CLAVIGER_CLI_DOCTOR_CLUSTER_H

#include "daemon/cli/doctor/cli_cib.h"
#include "daemon/cli/doctor/cli_doctor.h"

/* What the checks of the cluster know of it. */
struct doctor_cluster {
	const char *no_host;	 /* why nothing is checked, or NULL; */
	const char *no_cib;	 /* ... nothing of Pacemaker; */
	const char *no_resource; /* ... nothing of our resource; */
	const char *no_corosync; /* ... nothing of corosync */
	int answer;		 /* cibadmin's */
	struct cib *cib;
	unsigned resources;	     /* of this system: one, if all is well, */
	struct cib_element *rsc;     /* the first of them, */
	struct cib_element *clone;   /* and what makes it many, or NULL */
	char id[128], clone_id[128]; /* clone_id: id, if it is no clone */
	struct clv_buf corosync;     /* corosync-cmapctl's lines */
	struct clv_list *list;	     /* as this host knows it, or NULL */
};

/* Asks the cluster, and says what it cannot in the four no_...; the list is
 * the local daemon's. */
void doctor_cluster_ask(struct cli *c, struct doctor_cluster *ret);
void doctor_cluster_fini(struct doctor_cluster *k);
int doctor_cib_ask(struct cib **ret); /* the same CIB, anew */

/* Value of an attribute by its name, of our resource and its clone ($id and
 * $clone in XPath); "" and false: it has none. */
bool doctor_property(struct doctor_cluster *k, const char *name,
    const char *newer_name, char *dst, size_t cap);
bool doctor_meta(struct doctor_cluster *k, struct cib_element *of,
    const char *name, const char *other_name, char *dst, size_t cap);
bool doctor_parameter(
    struct doctor_cluster *k, const char *name, char *dst, size_t cap);
/* The resource that has the address besides ours, or NULL. */
struct cib_element *doctor_address_holder(struct doctor_cluster *k);
/* Of corosync's map. */
bool doctor_corosync(
    struct doctor_cluster *k, const char *key, char *dst, size_t cap);
uint32_t doctor_corosync_u32(struct doctor_cluster *k, const char *key);
unsigned doctor_cluster_nodes(struct doctor_cluster *k);

#endif
