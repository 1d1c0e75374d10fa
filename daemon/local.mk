# SPDX-License-Identifier: GPL-2.0-or-later
# libdaemon is everything but the two mains, so that unit tests and fuzzers
# link the same objects as clavigerd and claviger.
noinst_LTLIBRARIES += libdaemon.la
libdaemon_la_CPPFLAGS = $(AM_CPPFLAGS) $(SODIUM_CFLAGS) $(QB_CFLAGS) \
	$(OPENSSL_CFLAGS) $(COROSYNC_CFLAGS) $(SECCOMP_CFLAGS) $(JSON_CFLAGS) \
	$(INIH_CFLAGS)
libdaemon_la_LIBADD = libclaviger-core.la $(QB_LIBS) $(OPENSSL_LIBS) \
	$(COROSYNC_LIBS) $(SECCOMP_LIBS) $(INIH_LIBS) -lpthread
libdaemon_la_SOURCES =

# process, loop, log, configuration, files
libdaemon_la_SOURCES += %D%/chan.c %D%/child.c %D%/config.c \
	%D%/config_key.c %D%/file.c %D%/harden.c %D%/supervisor_link.c %D%/log.c %D%/loop.c %D%/notify.c \
	%D%/process_wait.c \
	%D%/identity_cred.c %D%/seccomp.c %D%/startup.c %D%/state.c %D%/supervisor.c %D%/tell.c \
	%D%/watcher.c
noinst_HEADERS += %D%/config_key.h %D%/identity_cred.h %D%/supervisor.h

# keeper: roles, epoch, witness, control, serve
libdaemon_la_SOURCES += %D%/control_server.c %D%/db.c %D%/heads.c \
	%D%/heads_claims.c %D%/heads_watch.c %D%/join_port.c %D%/keeper.c %D%/lease.c %D%/member_answers.c \
	%D%/member_port.c %D%/member_sealed.c %D%/members_live.c %D%/peer_msg.c %D%/peers.c \
	%D%/role.c %D%/secret.c %D%/secret_copy.c %D%/serving.c %D%/witness.c
noinst_HEADERS += %D%/secret_impl.h
noinst_HEADERS += %D%/heads.h %D%/heads_claims.h %D%/keeper.h %D%/member_answers.h \
	%D%/members_live.h %D%/peer_msg.h %D%/role.h

# keeper: who may what
libdaemon_la_SOURCES += %D%/authorize.c %D%/authorize_acl.c \
	%D%/authorize_names.c %D%/authorize_peer.c
noinst_HEADERS += %D%/authorize.h

# keeper: the audit trail
libdaemon_la_SOURCES += %D%/audit.c %D%/audit_chain.c %D%/audit_head.c \
	%D%/audit_row.c %D%/audit_what.c
noinst_HEADERS += %D%/audit.h %D%/audit_row.h

# keeper: administration
libdaemon_la_SOURCES += %D%/admin.c %D%/admin_ask.c %D%/admin_borrow.c \
	%D%/admin_change.c %D%/admin_write.c %D%/admin_ops.c \
	%D%/admin_node.c %D%/admin_member.c %D%/admin_rollback.c %D%/admin_rollback_app.c %D%/admin_rotate.c \
	%D%/admin_app.c %D%/admin_apps.c %D%/admin_keys.c %D%/admin_may.c \
	%D%/admin_members.c %D%/admin_cert.c %D%/admin_cert_state.c \
	%D%/admin_member_rotate.c %D%/admin_party_cert.c %D%/admin_token.c
noinst_HEADERS += %D%/admin_ops.h %D%/admin_run.h

# keeper: certificates, the network name's and those of hosts
libdaemon_la_SOURCES += %D%/acks.c %D%/expiry.c %D%/party_cert.c %D%/tlsnext.c
noinst_HEADERS += %D%/acks.h %D%/expiry.h %D%/party_cert.h %D%/tlsnext.h
# escrow: who can open the master secret
libdaemon_la_SOURCES += %D%/coverage.c %D%/coverage_judge.c %D%/coverage_policy.c
noinst_HEADERS += %D%/coverage.h

# keeper: generations of the master secret
libdaemon_la_SOURCES += %D%/admin_generation.c %D%/admin_rotate_state.c \
	%D%/members_wait.c %D%/publish.c %D%/reencrypt.c %D%/reencrypt_key.c \
	%D%/reencrypt_records.c %D%/refs.c %D%/rewrap.c \
	%D%/rewrap_key.c %D%/rewrap_tls.c
noinst_HEADERS += %D%/members_wait.h %D%/publish.h %D%/refs.h \
	%D%/reencrypt.h %D%/reencrypt_impl.h %D%/rewrap.h %D%/rewrap_impl.h

# keeper: the member role, its open applications, and the local API
libdaemon_la_SOURCES += %D%/member.c %D%/member_apps.c %D%/member_cache.c \
	%D%/member_cert.c \
	%D%/member_heads.c %D%/member_policy.c %D%/member_refresh.c \
	%D%/member_seen.c %D%/member_uplink.c %D%/server_pins.c
libdaemon_la_SOURCES += %D%/vault.c %D%/vault_batch.c %D%/vault_cache.c \
	%D%/vault_get.c %D%/vault_index.c %D%/vault_keys.c %D%/vault_put.c \
	%D%/vault_seal.c
libdaemon_la_SOURCES += %D%/inspect.c %D%/inspect_index.c %D%/inspect_keys.c \
	%D%/inspect_records.c
libdaemon_la_SOURCES += %D%/api_admin.c %D%/api_credentials.c \
	%D%/api_hold.c %D%/api_inspect.c %D%/api_ops.c %D%/api_server.c
noinst_HEADERS += %D%/api_impl.h %D%/api_server.h %D%/member.h \
	%D%/member_policy.h %D%/server_pins.h %D%/vault.h %D%/vault_batch.h \
	%D%/vault_impl.h
noinst_HEADERS += %D%/inspect.h %D%/inspect_impl.h

# front: TLS, PostgreSQL, corosync
libdaemon_la_SOURCES += %D%/tls.c %D%/tls_lib.c %D%/tls_client.c %D%/tls_test.c %D%/cert.c \
	%D%/cert_check.c %D%/cert_info.c %D%/cert_pair.c %D%/front.c %D%/front.h %D%/front_worker.c \
	%D%/front_pins.c %D%/front_conn.c %D%/front_net.c %D%/front_net.h \
	%D%/front_listener.c %D%/front_table.c \
	%D%/front_db.c %D%/front_pool.c %D%/front_sql.c %D%/front_sql.h \
	%D%/front_cluster.c %D%/front_resolve.c \
	%D%/front_uplink.c %D%/front_uplink.h %D%/front_uplink_talk.c
uidgiddir = $(sysconfdir)/corosync/uidgid.d
dist_uidgid_DATA = %D%/claviger-uidgid.conf

# what shells suggest
bashcompdir = $(datadir)/bash-completion/completions
zshcompdir = $(datadir)/zsh/site-functions
dist_bashcomp_DATA = %D%/completion/claviger
dist_zshcomp_DATA = %D%/completion/_claviger

noinst_HEADERS += %D%/admin.h %D%/chan.h %D%/config.h %D%/log.h %D%/loop.h \
	%D%/process.h %D%/state.h %D%/tls.h %D%/tls_lib.h

# clavigerd
sbin_PROGRAMS += clavigerd
clavigerd_CPPFLAGS = $(AM_CPPFLAGS)
clavigerd_SOURCES = %D%/main.c
clavigerd_LDADD = libdaemon.la

# systemd: unit, users, folders
systemdsystemunit_DATA = %D%/clavigerd.service %D%/claviger-backup.service \
	%D%/claviger-backup.timer %D%/claviger-metrics.service \
	%D%/claviger-metrics.timer
sysusers_DATA = %D%/sysusers.d/claviger.conf
tmpfiles_DATA = %D%/tmpfiles.d/claviger.conf
CLEANFILES += %D%/clavigerd.service %D%/claviger-backup.service \
	%D%/claviger-metrics.service \
	$(sysusers_DATA) $(tmpfiles_DATA)
EXTRA_DIST += %D%/clavigerd.service.in %D%/claviger-backup.service.in \
	%D%/claviger-backup.timer %D%/claviger-metrics.service.in \
	%D%/claviger-metrics.timer %D%/sysusers.conf.in \
	%D%/tmpfiles.conf.in
clv_subst = $(AM_V_GEN)$(MKDIR_P) $(@D) && $(SED) \
	-e 's|@sbindir[@]|$(sbindir)|g' \
	-e 's|@bindir[@]|$(bindir)|g' \
	-e 's|@sysconfdir[@]|$(sysconfdir)|g' \
	-e 's|@localstatedir[@]|$(localstatedir)|g'

%D%/clavigerd.service: %D%/clavigerd.service.in Makefile
	$(clv_subst) $(srcdir)/%D%/clavigerd.service.in >$@.tmp && mv $@.tmp $@
%D%/claviger-backup.service: %D%/claviger-backup.service.in Makefile
	$(clv_subst) $(srcdir)/%D%/claviger-backup.service.in >$@.tmp && mv $@.tmp $@
%D%/claviger-metrics.service: %D%/claviger-metrics.service.in Makefile
	$(clv_subst) $(srcdir)/%D%/claviger-metrics.service.in >$@.tmp && mv $@.tmp $@
%D%/sysusers.d/claviger.conf: %D%/sysusers.conf.in Makefile
	$(clv_subst) $(srcdir)/%D%/sysusers.conf.in >$@.tmp && mv $@.tmp $@
%D%/tmpfiles.d/claviger.conf: %D%/tmpfiles.conf.in Makefile
	$(clv_subst) $(srcdir)/%D%/tmpfiles.conf.in >$@.tmp && mv $@.tmp $@

# claviger: the command, one file a verb. All but its main is a library, for
# the unit tests.
libdaemon_la_SOURCES += %D%/record.c %D%/reminder.c
noinst_HEADERS += %D%/cli.h %D%/cli_init.h %D%/cli_reminder.h %D%/record.h %D%/reminder.h
noinst_LTLIBRARIES += libcli.la
libcli_la_CPPFLAGS = $(AM_CPPFLAGS) $(SODIUM_CFLAGS) $(JSON_CFLAGS) \
	$(XML_CFLAGS)
libcli_la_LIBADD = libdaemon.la $(JSON_LIBS) $(XML_LIBS)
libcli_la_SOURCES = %D%/cli_admin.c %D%/cli_app.c %D%/cli_api.c %D%/cli_backup.c \
	%D%/cli_backup_schedule.c %D%/cli_backup_verify.c %D%/cli_identity.c %D%/cli_cert.c \
	%D%/cli_cluster.c \
	%D%/cli_ctl.c %D%/cli_daemon.c %D%/cli_database.c %D%/cli_fetch.c \
	%D%/cli_file.c %D%/cli_generation.c %D%/cli_host.c %D%/cli_init.c \
	%D%/cli_join.c %D%/cli_join.h %D%/cli_join_token.c %D%/cli_json.c %D%/cli_list.c %D%/cli_main.c \
	%D%/cli_metrics.c \
	%D%/cli_member.c %D%/cli_net.c %D%/cli_node.c %D%/cli_opt.c \
	%D%/cli_pass.c %D%/cli_recovery.c %D%/cli_recovery_combine.c \
	%D%/cli_recovery_shares.c %D%/cli_recovery.h %D%/cli_restore.c \
	%D%/cli_restore.h %D%/cli_restore_enrol.c %D%/cli_restore_look.c \
	%D%/cli_restore_source.c %D%/cli_rollback.c %D%/cli_rotate.c %D%/cli_rotate_follow.c \
	%D%/cli_settings_reload.c %D%/cli_rotate.h %D%/cli_settings.c \
	%D%/cli_status.c %D%/cli_status_ask.c %D%/cli_status_json.c \
	%D%/cli_status_judge.c %D%/cli_page.c \
	%D%/cli_page_html.c %D%/cli_status_page.c %D%/cli_xml.c %D%/cli_system.c %D%/cli_token.c %D%/cli_util.c %D%/cli_verbs.c \
	%D%/cli_wire.c
libcli_la_SOURCES += %D%/cli_drill_failover.c %D%/cli_drill_failover_move.c \
	%D%/cli_drill_failover_report.c
noinst_HEADERS += %D%/cli_drill_failover.h
libcli_la_SOURCES += %D%/cli_escrow.c %D%/cli_escrow.h %D%/cli_escrow_print.c %D%/cli_escrow_status.c %D%/cli_record.c %D%/cli_reminder.c
libcli_la_SOURCES += %D%/cli_import.c %D%/cli_import.h %D%/cli_import_plan.c \
	%D%/cli_import_memory.c %D%/cli_import_xml.c
libcli_la_SOURCES += %D%/cli_audit.c %D%/cli_audit.h %D%/cli_audit_list.c
libcli_la_SOURCES += %D%/cli_designate.c %D%/cli_drill.c %D%/cli_drill.h %D%/cli_drill_report.c
libcli_la_SOURCES += %D%/cli_doctor.c %D%/cli_doctor_apps.c \
	%D%/cli_doctor_database.c %D%/cli_doctor_escrow.c %D%/cli_doctor_host.c \
	%D%/cli_doctor_list.c %D%/cli_doctor_path.c %D%/cli_cib.c %D%/cli_tool.c \
	%D%/cli_doctor_cluster.c %D%/cli_doctor_constraints.c \
	%D%/cli_doctor_corosync.c %D%/cli_doctor_resource.c
noinst_HEADERS += %D%/cli_cib.h %D%/cli_cluster.h %D%/cli_doctor_cluster.h
noinst_HEADERS += %D%/cli_doctor.h %D%/cli_fetch.h
libcli_la_SOURCES += %D%/cli_identity_seal.c
libcli_la_SOURCES += %D%/cli_password.c %D%/cli_revoke.c %D%/cli_revoke.h \
	%D%/cli_revoke_print.c
libcli_la_SOURCES += %D%/cli_cert_change.c %D%/cli_cert_member.c \
	%D%/cli_cert_other.c %D%/cli_cert_state.c
noinst_HEADERS += %D%/cli_cert.h %D%/cli_page.h %D%/cli_status.h
# secrets, by the local API
libcli_la_SOURCES += %D%/cli_app_remove.c %D%/cli_complete.c %D%/cli_crypt.c %D%/cli_run.c %D%/cli_secret.c
noinst_HEADERS += %D%/cli_api.h
# who has an address, asked of the neighbours as the agents do it
libcli_la_SOURCES += agents/announce.c agents/rtnl.c agents/rtnl_link.c
bin_PROGRAMS += claviger
claviger_CPPFLAGS = $(AM_CPPFLAGS)
claviger_SOURCES = %D%/cli.c
claviger_LDADD = libcli.la
