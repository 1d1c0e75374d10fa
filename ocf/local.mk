# SPDX-License-Identifier: GPL-2.0-or-later

# sample configurations
dist_examples_DATA += %D%/examples/claviger-alerts.yml \
	%D%/examples/corosync-fast.conf
# recipes, a folder each; tests/cluster/70* run them as they stand
two_nodes_pcsdir = $(examplesdir)/two-nodes-pcs
dist_two_nodes_pcs_DATA = \
	%D%/examples/two-nodes-pcs/README \
	%D%/examples/two-nodes-pcs/cluster.sh \
	%D%/examples/two-nodes-pcs/corosync.conf
two_nodes_crmdir = $(examplesdir)/two-nodes-crm
dist_two_nodes_crm_DATA = \
	%D%/examples/two-nodes-crm/README \
	%D%/examples/two-nodes-crm/cluster.sh \
	%D%/examples/two-nodes-crm/corosync.conf
three_nodesdir = $(examplesdir)/three-nodes
dist_three_nodes_DATA = \
	%D%/examples/three-nodes/README \
	%D%/examples/three-nodes/cluster.sh \
	%D%/examples/three-nodes/corosync.conf
noinst_LIBRARIES += libocf.a
libocf_a_CFLAGS = $(agent_cflags)
libocf_a_SOURCES = \
	%D%/log.c \
	%D%/man.c \
	%D%/meta.c \
	%D%/ocf.c \
	%D%/value.c
noinst_HEADERS += %D%/ocf.h
