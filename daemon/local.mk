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

# process, loop, log, configuration, files
libdaemon_la_SOURCES += %D%/chan.c %D%/child.c %D%/config.c \
	%D%/config_key.c %D%/file.c %D%/harden.c %D%/log.c %D%/loop.c %D%/notify.c \
	%D%/seccomp.c %D%/startup.c %D%/state.c %D%/supervisor.c %D%/tell.c
noinst_HEADERS += %D%/config_key.h %D%/supervisor.h

# keeper: roles, epoch, witness, control, serve
libdaemon_la_SOURCES += %D%/admin.c %D%/admin_ops.c %D%/control_server.c \
	%D%/db.c %D%/keeper.c %D%/member_port.c %D%/role.c %D%/secret.c \
	%D%/serving.c %D%/witness.c
noinst_HEADERS += %D%/admin_ops.h %D%/keeper.h %D%/role.h

# front: TLS, PostgreSQL, corosync
libdaemon_la_SOURCES += %D%/tls.c %D%/tls_client.c %D%/tls_test.c %D%/cert.c \
	%D%/front.c %D%/front.h %D%/front_worker.c %D%/front_pins.c \
	%D%/front_conn.c %D%/front_net.c %D%/front_db.c %D%/front_cluster.c
uidgiddir = $(sysconfdir)/corosync/uidgid.d
dist_uidgid_DATA = %D%/claviger-uidgid.conf

noinst_HEADERS += %D%/admin.h %D%/chan.h %D%/config.h %D%/log.h %D%/loop.h \
	%D%/process.h %D%/state.h %D%/tls.h

# clavigerd

# claviger: the command, one file a verb
