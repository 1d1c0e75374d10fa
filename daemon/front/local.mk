# SPDX-License-Identifier: GPL-2.0-or-later
# every network connection: TLS, PostgreSQL, corosync
libdaemon_la_SOURCES += \
	%D%/cert.c \
	%D%/cert_check.c \
	%D%/cert_info.c \
	%D%/cert_pair.c \
	%D%/front.c %D%/front.h \
	%D%/front_cluster.c \
	%D%/front_conn.c \
	%D%/front_db.c \
	%D%/front_listener.c \
	%D%/front_net.c %D%/front_net.h \
	%D%/front_pins.c \
	%D%/front_pool.c \
	%D%/front_resolve.c \
	%D%/front_sql.c %D%/front_sql.h \
	%D%/front_table.c \
	%D%/front_uplink.c %D%/front_uplink.h \
	%D%/front_uplink_talk.c \
	%D%/front_worker.c \
	%D%/tls.c %D%/tls.h \
	%D%/tls_client.c \
	%D%/tls_lib.c %D%/tls_lib.h \
	%D%/tls_test.c
