# SPDX-License-Identifier: GPL-2.0-or-later

# sample configurations
dist_examples_DATA += %D%/examples/claviger-alerts.yml \
	%D%/examples/corosync-fast.conf
noinst_LIBRARIES += libocf.a
libocf_a_CFLAGS = $(agent_cflags)
libocf_a_SOURCES = \
	%D%/log.c \
	%D%/man.c \
	%D%/meta.c \
	%D%/ocf.c \
	%D%/value.c
noinst_HEADERS += %D%/ocf.h
