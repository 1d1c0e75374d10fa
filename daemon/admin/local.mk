# SPDX-License-Identifier: GPL-2.0-or-later
# what operators ask the active server to change
libdaemon_la_SOURCES += \
	%D%/admin.c %D%/admin.h \
	%D%/admin_app.c \
	%D%/admin_apps.c \
	%D%/admin_ask.c \
	%D%/admin_borrow.c \
	%D%/admin_cert.c \
	%D%/admin_cert_state.c \
	%D%/admin_change.c \
	%D%/admin_generation.c \
	%D%/admin_keys.c \
	%D%/admin_may.c \
	%D%/admin_member.c \
	%D%/admin_member_rotate.c \
	%D%/admin_members.c \
	%D%/admin_node.c \
	%D%/admin_ops.c %D%/admin_ops.h \
	%D%/admin_party_cert.c \
	%D%/admin_rollback.c \
	%D%/admin_rollback_app.c \
	%D%/admin_rotate.c \
	%D%/admin_rotate_state.c \
	%D%/admin_run.h \
	%D%/admin_token.c \
	%D%/admin_write.c
