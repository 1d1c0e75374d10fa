# SPDX-License-Identifier: GPL-2.0-or-later
# libdaemon is everything but the two mains, so that unit tests and fuzzers
# link the same objects as clavigerd and claviger.
noinst_LTLIBRARIES += libdaemon.la
libdaemon_la_CPPFLAGS = $(AM_CPPFLAGS) $(SODIUM_CFLAGS) $(QB_CFLAGS) \
	$(OPENSSL_CFLAGS) $(COROSYNC_CFLAGS) $(SECCOMP_CFLAGS) $(JSON_CFLAGS) \
	$(INIH_CFLAGS)
libdaemon_la_LIBADD = libclaviger-core.la $(QB_LIBS) $(OPENSSL_LIBS) \
	$(COROSYNC_LIBS) $(SECCOMP_LIBS) $(INIH_LIBS) -lpthread
libdaemon_la_SOURCES =
include %D%/base/local.mk
include %D%/supervisor/local.mk
include %D%/keeper/local.mk
include %D%/admin/local.mk
include %D%/rotate/local.mk
include %D%/member/local.mk
include %D%/vault/local.mk
include %D%/api/local.mk
include %D%/front/local.mk

# corosync and systemd: who may connect, unit, users, folders
uidgiddir = $(sysconfdir)/corosync/uidgid.d
dist_uidgid_DATA = %D%/systemd/claviger-uidgid.conf

# what shells suggest
bashcompdir = $(datadir)/bash-completion/completions
zshcompdir = $(datadir)/zsh/site-functions
dist_bashcomp_DATA = %D%/completion/claviger
dist_zshcomp_DATA = %D%/completion/_claviger

# clavigerd
sbin_PROGRAMS += clavigerd
clavigerd_CPPFLAGS = $(AM_CPPFLAGS)
clavigerd_SOURCES = %D%/main.c
clavigerd_LDADD = libdaemon.la

systemdsystemunit_DATA = %D%/systemd/clavigerd.service %D%/systemd/claviger-backup.service \
	%D%/systemd/claviger-backup.timer %D%/systemd/claviger-metrics.service \
	%D%/systemd/claviger-metrics.timer
sysusers_DATA = %D%/systemd/sysusers.d/claviger.conf
tmpfiles_DATA = %D%/systemd/tmpfiles.d/claviger.conf
CLEANFILES += %D%/systemd/clavigerd.service %D%/systemd/claviger-backup.service \
	%D%/systemd/claviger-metrics.service \
	$(sysusers_DATA) $(tmpfiles_DATA)
EXTRA_DIST += %D%/systemd/clavigerd.service.in %D%/systemd/claviger-backup.service.in \
	%D%/systemd/claviger-backup.timer %D%/systemd/claviger-metrics.service.in \
	%D%/systemd/claviger-metrics.timer %D%/systemd/sysusers.conf.in \
	%D%/systemd/tmpfiles.conf.in
clv_subst = $(AM_V_GEN)$(MKDIR_P) $(@D) && $(SED) \
	-e 's|@sbindir[@]|$(sbindir)|g' \
	-e 's|@bindir[@]|$(bindir)|g' \
	-e 's|@sysconfdir[@]|$(sysconfdir)|g' \
	-e 's|@localstatedir[@]|$(localstatedir)|g'

%D%/systemd/clavigerd.service: %D%/systemd/clavigerd.service.in Makefile
	$(clv_subst) $(srcdir)/%D%/systemd/clavigerd.service.in >$@.tmp && mv $@.tmp $@
%D%/systemd/claviger-backup.service: %D%/systemd/claviger-backup.service.in Makefile
	$(clv_subst) $(srcdir)/%D%/systemd/claviger-backup.service.in >$@.tmp && mv $@.tmp $@
%D%/systemd/claviger-metrics.service: %D%/systemd/claviger-metrics.service.in Makefile
	$(clv_subst) $(srcdir)/%D%/systemd/claviger-metrics.service.in >$@.tmp && mv $@.tmp $@
%D%/systemd/sysusers.d/claviger.conf: %D%/systemd/sysusers.conf.in Makefile
	$(clv_subst) $(srcdir)/%D%/systemd/sysusers.conf.in >$@.tmp && mv $@.tmp $@
%D%/systemd/tmpfiles.d/claviger.conf: %D%/systemd/tmpfiles.conf.in Makefile
	$(clv_subst) $(srcdir)/%D%/systemd/tmpfiles.conf.in >$@.tmp && mv $@.tmp $@

# claviger: the command, one file a verb. All but its main is a library, for
# the unit tests.
noinst_LTLIBRARIES += libcli.la
libcli_la_CPPFLAGS = $(AM_CPPFLAGS) $(SODIUM_CFLAGS) $(JSON_CFLAGS) \
	$(XML_CFLAGS)
libcli_la_LIBADD = libdaemon.la $(JSON_LIBS) $(XML_LIBS)
libcli_la_SOURCES =
include %D%/cli/local.mk
include %D%/cli/doctor/local.mk
include %D%/cli/drill/local.mk
include %D%/cli/escrow/local.mk
include %D%/cli/status/local.mk
# who has an address, asked of the neighbours as the agents do it
libcli_la_SOURCES += agents/announce.c agents/rtnl.c agents/rtnl_link.c
bin_PROGRAMS += claviger
claviger_CPPFLAGS = $(AM_CPPFLAGS)
claviger_SOURCES = %D%/cli/cli.c
claviger_LDADD = libcli.la
