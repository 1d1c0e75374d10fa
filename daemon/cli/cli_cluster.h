/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_CLI_CLUSTER_H
#define CLAVIGER_CLI_CLUSTER_H

/* The operations of the resource, as `claviger cluster commands` prints them
 * and `claviger doctor` wants to see them. */
struct cluster_op {
	const char *name;
	const char *role; /* "" or a role */
	unsigned interval_s, timeout_s;
};
extern const struct cluster_op cluster_ops[]; /* ends with name NULL */

#endif
