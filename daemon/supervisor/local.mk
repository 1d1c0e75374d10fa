# SPDX-License-Identifier: GPL-2.0-or-later
# the four processes: who starts, watches and limits them
libdaemon_la_SOURCES += \
	%D%/child.c \
	%D%/harden.c \
	%D%/notify.c \
	%D%/process.h \
	%D%/seccomp.c \
	%D%/startup.c \
	%D%/supervisor.c %D%/supervisor.h \
	%D%/supervisor_link.c \
	%D%/tell.c \
	%D%/watcher.c
