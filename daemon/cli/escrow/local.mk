# SPDX-License-Identifier: GPL-2.0-or-later
# backups, restoring, recovery: all verbs of escrow
libcli_la_SOURCES += \
	%D%/cli_backup.c \
	%D%/cli_backup_schedule.c \
	%D%/cli_backup_verify.c \
	%D%/cli_escrow.c %D%/cli_escrow.h \
	%D%/cli_escrow_print.c \
	%D%/cli_escrow_status.c \
	%D%/cli_record.c \
	%D%/cli_recovery.c %D%/cli_recovery.h \
	%D%/cli_recovery_combine.c \
	%D%/cli_recovery_shares.c \
	%D%/cli_reminder.c %D%/cli_reminder.h \
	%D%/cli_restore.c %D%/cli_restore.h \
	%D%/cli_restore_enrol.c \
	%D%/cli_restore_look.c \
	%D%/cli_restore_source.c \
	%D%/cli_rollback.c
