# SPDX-License-Identifier: GPL-2.0-or-later
# The agents link libc and ocf/ only: each library more costs milliseconds in
# every monitor. How they are linked: CLV_AGENT_FLAGS in m4/claviger.m4.
noinst_LIBRARIES += libagents.a
libagents_a_CPPFLAGS = $(AM_CPPFLAGS)
libagents_a_CFLAGS = $(agent_cflags)
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
	%D%/dns.c \
	%D%/dns_text.c \
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
	%D%/dns.h \
	%D%/dns/dns.h \
	%D%/dns_helper.h \
	%D%/monitor_table.h \
	%D%/mss.h \
	%D%/mss_times.h \
	%D%/rtnl.h \
	%D%/score.h \
	%D%/server.h

# Both ways, since the benchmark shows both.
agent_cflags = $(AM_CFLAGS) $(AGENT_CFLAGS)
agent_dynamic_ldflags = $(AM_LDFLAGS) $(AGENT_LDFLAGS) -pie
agent_static_ldflags = $(AM_LDFLAGS) $(AGENT_LDFLAGS) $(STATIC_PIE_LDFLAGS)
if STATIC_AGENTS
agent_ldflags = $(agent_static_ldflags)
else
agent_ldflags = $(agent_dynamic_ldflags)
endif

# In this order the big buffers of libagents come last: the small variables of
# libocf share a page with the initialised ones.
agent_libs = libocf.a libagents.a

agent_PROGRAMS += master-secret network-name
master_secret_SOURCES = %D%/master-secret.c
master_secret_CFLAGS = $(agent_cflags)
master_secret_LDADD = $(agent_libs)
master_secret_LDFLAGS = $(agent_ldflags)
network_name_SOURCES = %D%/network-name.c
network_name_CFLAGS = $(agent_cflags)
network_name_LDADD = $(agent_libs)
network_name_LDFLAGS = $(agent_ldflags)

# The name in DNS: a program of its own, so that no agent links its library.
pkglibexec_PROGRAMS += dns-update
dns_update_SOURCES = \
	%D%/dns/key.c \
	%D%/dns/main.c \
	%D%/dns/name.c \
	%D%/dns/talk.c
dns_update_CPPFLAGS = $(AM_CPPFLAGS) $(LDNS_CFLAGS)
dns_update_LDADD = libagents.a libocf.a $(LDNS_LIBS)
