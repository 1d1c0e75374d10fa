# SPDX-License-Identifier: GPL-2.0-or-later
# the command claviger, one file a verb, and what verbs share
libcli_la_SOURCES += \
	%D%/cli.h \
	%D%/cli_admin.c \
	%D%/cli_adopt.c \
	%D%/cli_api.c %D%/cli_api.h \
	%D%/cli_app.c \
	%D%/cli_app_remove.c \
	%D%/cli_audit.c %D%/cli_audit.h \
	%D%/cli_audit_list.c \
	%D%/cli_cert.c %D%/cli_cert.h \
	%D%/cli_cert_change.c \
	%D%/cli_cert_member.c \
	%D%/cli_cert_other.c \
	%D%/cli_cert_state.c \
	%D%/cli_cluster.c %D%/cli_cluster.h \
	%D%/cli_cluster_dns.c \
	%D%/cli_complete.c \
	%D%/cli_crypt.c \
	%D%/cli_ctl.c \
	%D%/cli_daemon.c \
	%D%/cli_database.c \
	%D%/cli_designate.c \
	%D%/cli_fetch.c %D%/cli_fetch.h \
	%D%/cli_file.c \
	%D%/cli_generation.c \
	%D%/cli_host.c \
	%D%/cli_identity.c \
	%D%/cli_identity_seal.c \
	%D%/cli_import.c %D%/cli_import.h \
	%D%/cli_import_memory.c \
	%D%/cli_import_plan.c \
	%D%/cli_import_xml.c \
	%D%/cli_init.c %D%/cli_init.h \
	%D%/cli_join.c %D%/cli_join.h \
	%D%/cli_join_token.c \
	%D%/cli_json.c \
	%D%/cli_list.c \
	%D%/cli_main.c \
	%D%/cli_member.c \
	%D%/cli_net.c \
	%D%/cli_node.c \
	%D%/cli_opt.c \
	%D%/cli_pass.c \
	%D%/cli_password.c \
	%D%/cli_pin.c \
	%D%/cli_revoke.c %D%/cli_revoke.h \
	%D%/cli_revoke_print.c \
	%D%/cli_rotate.c %D%/cli_rotate.h \
	%D%/cli_rotate_follow.c \
	%D%/cli_run.c \
	%D%/cli_secret.c \
	%D%/cli_settings.c \
	%D%/cli_settings_reload.c \
	%D%/cli_system.c \
	%D%/cli_token.c \
	%D%/cli_tool.c \
	%D%/cli_util.c \
	%D%/cli_verbs.c \
	%D%/cli_wire.c
