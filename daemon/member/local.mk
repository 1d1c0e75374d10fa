# SPDX-License-Identifier: GPL-2.0-or-later
# the member role: keys from the active server
libdaemon_la_SOURCES += \
	%D%/copied.c \
	%D%/member.c %D%/member.h \
	%D%/member_apps.c \
	%D%/member_cache.c \
	%D%/member_cert.c \
	%D%/member_heads.c \
	%D%/member_policy.c %D%/member_policy.h \
	%D%/member_refresh.c \
	%D%/member_seen.c \
	%D%/member_successor.c \
	%D%/member_uplink.c \
	%D%/server_pins.c %D%/server_pins.h
