# SPDX-License-Identifier: GPL-2.0-or-later
# the local sockets, and who may what
libdaemon_la_SOURCES += \
	%D%/api_admin.c \
	%D%/api_credentials.c \
	%D%/api_hold.c \
	%D%/api_impl.h \
	%D%/api_inspect.c \
	%D%/api_ops.c \
	%D%/api_server.c %D%/api_server.h \
	%D%/authorize.c %D%/authorize.h \
	%D%/authorize_acl.c \
	%D%/authorize_names.c \
	%D%/authorize_peer.c
