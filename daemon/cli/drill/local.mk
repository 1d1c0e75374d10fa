# SPDX-License-Identifier: GPL-2.0-or-later
# claviger drill
libcli_la_SOURCES += \
	%D%/cli_drill.c %D%/cli_drill.h \
	%D%/cli_drill_failover.c %D%/cli_drill_failover.h \
	%D%/cli_drill_failover_cluster.c \
	%D%/cli_drill_failover_move.c \
	%D%/cli_drill_failover_power.c \
	%D%/cli_drill_failover_report.c \
	%D%/cli_drill_failover_seen.c %D%/cli_drill_failover_seen.h \
	%D%/cli_drill_report.c
