# SPDX-License-Identifier: GPL-2.0-or-later
# claviger doctor
libcli_la_SOURCES += \
	%D%/cli_cib.c %D%/cli_cib.h \
	%D%/cli_doctor.c %D%/cli_doctor.h \
	%D%/cli_doctor_apps.c \
	%D%/cli_doctor_audit.c \
	%D%/cli_doctor_cluster.c %D%/cli_doctor_cluster.h \
	%D%/cli_doctor_constraints.c \
	%D%/cli_doctor_corosync.c \
	%D%/cli_doctor_database.c \
	%D%/cli_doctor_escrow.c \
	%D%/cli_doctor_host.c \
	%D%/cli_doctor_list.c \
	%D%/cli_doctor_path.c \
	%D%/cli_doctor_resource.c
