# SPDX-License-Identifier: GPL-2.0-or-later
# The agents link libc and ocf/ only: each library more costs milliseconds in
# every monitor.
noinst_LIBRARIES += libagents.a
libagents_a_CPPFLAGS = $(AM_CPPFLAGS)
libagents_a_SOURCES = \
	%D%/address_look.c \
	%D%/address_place.c \
	%D%/address_read.c \
	%D%/address_remove.c \
	%D%/address_start.c \
	%D%/address_stop.c \
	%D%/address_validate.c \
	%D%/announce.c \
	%D%/control.c \
	%D%/monitor_man.c \
	%D%/monitor_table.c \
	%D%/mss.c \
	%D%/mss_check.c \
	%D%/mss_monitor.c \
	%D%/mss_promote.c \
	%D%/mss_start.c \
	%D%/mss_stop.c \
	%D%/process.c \
	%D%/rtnl.c \
	%D%/rtnl_link.c \
	%D%/score.c \
	%D%/server.c \
	%D%/server_spawn.c \
	%D%/tcp_reset.c \
	lib/result.c
noinst_HEADERS += \
	%D%/address.h \
	%D%/address_params.h \
	%D%/announce.h \
	%D%/control.h \
	%D%/monitor_table.h \
	%D%/mss.h \
	%D%/rtnl.h \
	%D%/score.h \
	%D%/server.h

# One segment less to map is one twentieth of a monitor.
agent_ldflags = $(AM_LDFLAGS) -Wl,-z,noseparate-code
if STATIC_AGENTS
agent_ldflags += -all-static
endif

agent_PROGRAMS += master-secret network-name
master_secret_SOURCES = %D%/master-secret.c
master_secret_LDADD = libagents.a libocf.a
master_secret_LDFLAGS = $(agent_ldflags)
network_name_SOURCES = %D%/network-name.c
network_name_LDADD = libagents.a libocf.a
network_name_LDFLAGS = $(agent_ldflags)
