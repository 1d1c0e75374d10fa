# SPDX-License-Identifier: GPL-2.0-or-later
# loop, log, configuration, files, and what this machine is
libdaemon_la_SOURCES += \
	%D%/chan.c %D%/chan.h \
	%D%/config.c %D%/config.h \
	%D%/config_key.c %D%/config_key.h \
	%D%/file.c \
	%D%/identity_cred.c %D%/identity_cred.h \
	%D%/log.c %D%/log.h \
	%D%/loop.c %D%/loop.h \
	%D%/machine.c %D%/machine.h \
	%D%/process_wait.c \
	%D%/record.c %D%/record.h \
	%D%/reminder.c %D%/reminder.h \
	%D%/state.c %D%/state.h \
	%D%/system_pin.c %D%/system_pin.h
