# SPDX-License-Identifier: GPL-2.0-or-later
# Unit tests: tests/unit/check_<module>.c, one program each.
# Check ends a case after 4 s by itself, which says nothing on a busy machine.
AM_TESTS_ENVIRONMENT = CK_DEFAULT_TIMEOUT=60; export CK_DEFAULT_TIMEOUT;

unit_cppflags = $(AM_CPPFLAGS) $(SODIUM_CFLAGS) $(CHECK_CFLAGS)
unit_libs = libclaviger-core.la $(CHECK_LIBS)

# What waits most comes first, beside the others. `front_tests` are below.
TESTS += $(front_tests)

# memory, encoding, results
core_tests = check_buf check_guard check_result
check_PROGRAMS += $(core_tests)
TESTS += $(core_tests)
check_buf_SOURCES = %D%/unit/check_buf.c
check_buf_CPPFLAGS = $(unit_cppflags)
check_buf_LDADD = $(unit_libs)
check_guard_SOURCES = %D%/unit/check_guard.c
check_guard_CPPFLAGS = $(unit_cppflags)
check_guard_LDADD = $(unit_libs)
check_guard_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=syscall -Wl,--wrap=madvise
check_result_SOURCES = %D%/unit/check_result.c
check_result_CPPFLAGS = $(unit_cppflags)
check_result_LDADD = $(unit_libs)

# age files
age_tests = check_age check_backup check_bech32
check_PROGRAMS += $(age_tests) age-tool age-testkit
TESTS += $(age_tests) %D%/unit/age-interop.sh %D%/vectors/age-testkit.sh
EXTRA_DIST += %D%/unit/age-interop.sh %D%/vectors/age-testkit.sh \
	%D%/vectors/age-testkit %D%/vectors/built
check_age_SOURCES = %D%/unit/check_age.c
check_age_CPPFLAGS = $(unit_cppflags)
check_age_LDADD = $(unit_libs)
check_backup_SOURCES = %D%/unit/check_backup.c
check_backup_CPPFLAGS = $(unit_cppflags)
check_backup_LDADD = $(unit_libs)
check_backup_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=write -Wl,--wrap=read \
	-Wl,--wrap=fsync -Wl,--wrap=renameat2 -Wl,--wrap=openat \
	-Wl,--wrap=fchmod -Wl,--wrap=close -Wl,--wrap=fstatat
check_bech32_SOURCES = %D%/unit/check_bech32.c
check_bech32_CPPFLAGS = $(unit_cppflags)
check_bech32_LDADD = $(unit_libs)
age_tool_SOURCES = %D%/unit/age-tool.c
age_tool_CPPFLAGS = $(unit_cppflags)
age_tool_LDADD = libclaviger-core.la
age_testkit_SOURCES = %D%/vectors/age-testkit.c
age_testkit_CPPFLAGS = $(unit_cppflags) $(ZLIB_CFLAGS)
age_testkit_LDADD = libclaviger-core.la $(ZLIB_LIBS)

# Scripts: make would build them from the programs beside them that they run.
%D%/vectors/age-testkit %D%/vectors/slip39-vectors: ;

# shares of a secret
share_tests = check_slip39
check_PROGRAMS += $(share_tests) slip39-tool slip39-vectors
TESTS += $(share_tests) %D%/unit/slip39-interop.sh \
	%D%/vectors/slip39-vectors.sh
EXTRA_DIST += %D%/unit/slip39-interop.sh %D%/unit/slip39-interop.js \
	%D%/vectors/slip39-vectors %D%/vectors/slip39-vectors.sh
check_slip39_SOURCES = %D%/unit/check_slip39.c
check_slip39_CPPFLAGS = $(unit_cppflags)
check_slip39_LDADD = $(unit_libs)
slip39_tool_SOURCES = %D%/unit/slip39-tool.c
slip39_tool_CPPFLAGS = $(unit_cppflags)
slip39_tool_LDADD = libclaviger-core.la
slip39_vectors_SOURCES = %D%/vectors/slip39-vectors.c
slip39_vectors_CPPFLAGS = $(unit_cppflags) $(JSON_CFLAGS)
slip39_vectors_LDADD = libclaviger-core.la $(JSON_LIBS)

# keyring, identity, list, wire
core_tests += check_acl check_keyring check_identity check_list check_escrow \
	check_succession check_token check_wire check_nomem check_residue
noinst_HEADERS += %D%/unit/core.h %D%/unit/suite.h
check_acl_SOURCES = %D%/unit/check_acl.c
check_acl_CPPFLAGS = $(unit_cppflags)
check_acl_LDADD = $(unit_libs)
check_keyring_SOURCES = %D%/unit/check_keyring.c
check_keyring_CPPFLAGS = $(unit_cppflags)
check_keyring_LDADD = $(unit_libs)
check_identity_SOURCES = %D%/unit/check_identity.c
check_identity_CPPFLAGS = $(unit_cppflags)
check_identity_LDADD = $(unit_libs)
check_list_SOURCES = %D%/unit/check_list.c
check_list_CPPFLAGS = $(unit_cppflags)
check_list_LDADD = $(unit_libs)
check_escrow_SOURCES = %D%/unit/check_escrow.c
check_escrow_CPPFLAGS = $(unit_cppflags)
check_escrow_LDADD = $(unit_libs)
check_succession_SOURCES = %D%/unit/check_succession.c
check_succession_CPPFLAGS = $(unit_cppflags)
check_succession_LDADD = $(unit_libs)
check_token_SOURCES = %D%/unit/check_token.c
check_token_CPPFLAGS = $(unit_cppflags)
check_token_LDADD = $(unit_libs)
check_wire_SOURCES = %D%/unit/check_wire.c
check_wire_CPPFLAGS = $(unit_cppflags)
check_wire_LDADD = $(unit_libs)
check_residue_SOURCES = %D%/unit/check_residue.c %D%/unit/residue.h
check_residue_CPPFLAGS = $(unit_cppflags)
check_residue_LDADD = $(unit_libs)
check_nomem_SOURCES = %D%/unit/check_nomem.c
check_nomem_CPPFLAGS = $(unit_cppflags)
check_nomem_LDADD = $(unit_libs)
check_nomem_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=malloc -Wl,--wrap=calloc \
	-Wl,--wrap=realloc -Wl,--wrap=free

# applications: keys, records, manifest
app_tests = check_envelope check_index check_index_model check_manifest \
	check_residue_app
check_PROGRAMS += $(app_tests) format-tool
TESTS += $(app_tests) %D%/vectors/formats.sh
EXTRA_DIST += %D%/vectors/formats.sh %D%/vectors/formats.py
format_tool_SOURCES = %D%/vectors/format-tool.c
format_tool_CPPFLAGS = $(unit_cppflags)
format_tool_LDADD = libclaviger-core.la
check_envelope_SOURCES = %D%/unit/check_envelope.c
check_envelope_CPPFLAGS = $(unit_cppflags)
check_envelope_LDADD = $(unit_libs)
check_envelope_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=randombytes_buf \
	-Wl,--wrap=crypto_aead_xchacha20poly1305_ietf_decrypt
check_index_SOURCES = %D%/unit/check_index.c %D%/unit/index_rig.h
check_index_CPPFLAGS = $(unit_cppflags)
check_index_LDADD = $(unit_libs)
check_index_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=malloc -Wl,--wrap=calloc \
	-Wl,--wrap=realloc
check_index_model_SOURCES = %D%/unit/check_index_model.c %D%/unit/index_rig.h
check_index_model_CPPFLAGS = $(unit_cppflags)
check_index_model_LDADD = $(unit_libs)
check_manifest_SOURCES = %D%/unit/check_manifest.c %D%/unit/index_rig.h
check_manifest_CPPFLAGS = $(unit_cppflags)
check_manifest_LDADD = $(unit_libs)
check_residue_app_SOURCES = %D%/unit/check_residue_app.c %D%/unit/residue.h
check_residue_app_CPPFLAGS = $(unit_cppflags)
check_residue_app_LDADD = $(unit_libs)

# PostgreSQL, against a cluster that is made for the test
store_tests = check_store check_store_array check_store_conninfo \
	check_store_faults check_store_fence check_store_keys \
	check_store_migrate check_store_newest check_store_put check_store_race \
	check_store_records check_store_rights check_store_schema \
	check_store_secrets check_store_send \
	check_store_tls check_store_walk
check_PROGRAMS += $(store_tests)
TESTS += $(store_tests)
store_rig = %D%/unit/pg.c %D%/unit/pg.h %D%/unit/store_rig.c \
	%D%/unit/store_rig.h
store_app = $(store_rig) %D%/unit/store_app.c %D%/unit/store_app.h \
	%D%/unit/store_rows.c %D%/unit/store_rows.h
store_cppflags = $(unit_cppflags) $(LIBPQ_CFLAGS)
check_store_array_SOURCES = %D%/unit/check_store_array.c
check_store_array_CPPFLAGS = $(store_cppflags)
check_store_array_LDADD = $(unit_libs)
check_store_keys_SOURCES = %D%/unit/check_store_keys.c $(store_app)
check_store_keys_CPPFLAGS = $(store_cppflags)
check_store_keys_LDADD = $(unit_libs) $(LIBPQ_LIBS)
check_store_migrate_SOURCES = %D%/unit/check_store_migrate.c $(store_app)
check_store_migrate_CPPFLAGS = $(store_cppflags)
check_store_migrate_LDADD = $(unit_libs) $(LIBPQ_LIBS)
check_store_put_SOURCES = %D%/unit/check_store_put.c $(store_app)
check_store_put_CPPFLAGS = $(store_cppflags)
check_store_put_LDADD = $(unit_libs) $(LIBPQ_LIBS)
check_store_race_SOURCES = %D%/unit/check_store_race.c $(store_app)
check_store_race_CPPFLAGS = $(store_cppflags)
check_store_race_LDADD = $(unit_libs) $(LIBPQ_LIBS)
check_store_records_SOURCES = %D%/unit/check_store_records.c $(store_app)
check_store_records_CPPFLAGS = $(store_cppflags)
check_store_records_LDADD = $(unit_libs) $(LIBPQ_LIBS)
check_store_rights_SOURCES = %D%/unit/check_store_rights.c $(store_rig)
check_store_rights_CPPFLAGS = $(store_cppflags)
check_store_rights_LDADD = $(unit_libs) $(LIBPQ_LIBS)
check_store_send_SOURCES = %D%/unit/check_store_send.c $(store_rig)
check_store_send_CPPFLAGS = $(store_cppflags)
check_store_send_LDADD = $(unit_libs) $(LIBPQ_LIBS)
check_store_secrets_SOURCES = %D%/unit/check_store_secrets.c $(store_app)
check_store_secrets_CPPFLAGS = $(store_cppflags)
check_store_secrets_LDADD = $(unit_libs) $(LIBPQ_LIBS)
check_store_SOURCES = %D%/unit/check_store.c $(store_rig) \
	%D%/unit/store_rows.c %D%/unit/store_rows.h
check_store_CPPFLAGS = $(store_cppflags)
check_store_LDADD = $(unit_libs) $(LIBPQ_LIBS)
check_store_conninfo_SOURCES = %D%/unit/check_store_conninfo.c
check_store_conninfo_CPPFLAGS = $(store_cppflags)
check_store_conninfo_LDADD = $(unit_libs) $(LIBPQ_LIBS)
check_store_conninfo_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=PQconnectStartParams
check_store_faults_SOURCES = %D%/unit/check_store_faults.c $(store_rig)
check_store_faults_CPPFLAGS = $(store_cppflags)
check_store_faults_LDADD = $(unit_libs) $(LIBPQ_LIBS)
check_store_fence_SOURCES = %D%/unit/check_store_fence.c $(store_rig)
check_store_fence_CPPFLAGS = $(store_cppflags)
check_store_fence_LDADD = $(unit_libs) $(LIBPQ_LIBS)
check_store_newest_SOURCES = %D%/unit/check_store_newest.c $(store_rig)
check_store_newest_CPPFLAGS = $(store_cppflags)
check_store_newest_LDADD = $(unit_libs) $(LIBPQ_LIBS)
check_store_walk_SOURCES = %D%/unit/check_store_walk.c $(store_rig)
check_store_walk_CPPFLAGS = $(store_cppflags)
check_store_walk_LDADD = $(unit_libs) $(LIBPQ_LIBS)
check_store_walk_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=PQconnectStartParams \
	-Wl,--wrap=PQconnectPoll -Wl,--wrap=PQsetnonblocking \
	-Wl,--wrap=PQsendQueryParams -Wl,--wrap=PQsendQuery \
	-Wl,--wrap=PQsendPrepare -Wl,--wrap=PQsendQueryPrepared \
	-Wl,--wrap=PQflush \
	-Wl,--wrap=PQconsumeInput -Wl,--wrap=PQgetResult \
	-Wl,--wrap=PQconninfoParse -Wl,--wrap=PQescapeIdentifier \
	-Wl,--wrap=calloc
check_store_tls_SOURCES = %D%/unit/check_store_tls.c $(store_rig)
check_store_tls_CPPFLAGS = $(store_cppflags)
check_store_tls_LDADD = $(unit_libs) $(LIBPQ_LIBS)
check_store_schema_SOURCES = %D%/unit/check_store_schema.c $(store_rig)
check_store_schema_CPPFLAGS = $(store_cppflags)
check_store_schema_LDADD = $(unit_libs) $(LIBPQ_LIBS)

# agents and ocf
agent_unit_tests = check_control check_monitor_table check_ocf check_rtnl
check_PROGRAMS += $(agent_unit_tests)
TESTS += $(agent_unit_tests)
check_control_SOURCES = %D%/unit/check_control.c
check_control_CPPFLAGS = $(unit_cppflags)
check_control_LDADD = $(unit_libs)
check_monitor_table_SOURCES = %D%/unit/check_monitor_table.c
check_monitor_table_CPPFLAGS = $(unit_cppflags)
check_monitor_table_LDADD = libagents.a libocf.a $(CHECK_LIBS)
check_ocf_SOURCES = %D%/unit/check_ocf.c
check_ocf_CPPFLAGS = $(unit_cppflags)
check_ocf_LDADD = libocf.a $(CHECK_LIBS)
check_rtnl_SOURCES = %D%/unit/check_rtnl.c
check_rtnl_CPPFLAGS = $(unit_cppflags)
check_rtnl_LDADD = libagents.a libocf.a $(CHECK_LIBS)
check_PROGRAMS += fake-server
fake_server_SOURCES = %D%/agents/fake-server.c

# These need root, and make namespaces of their own.
agent_tests = \
	%D%/agents/dns-name.sh \
	%D%/agents/dns-update.sh \
	%D%/agents/metadata.sh \
	%D%/agents/network-name.sh \
	%D%/agents/master-secret.sh \
	%D%/agents/ocf-tester.sh \
	%D%/agents/ocft.sh
EXTRA_DIST += %D%/agents/lib.sh %D%/agents/dns-lib.sh $(agent_tests)
.PHONY: check-agents
check-agents: $(agent_PROGRAMS) $(pkglibexec_PROGRAMS) fake-server$(EXEEXT)
	@result=0; for t in $(agent_tests); do \
		AGENT_DIR=$(abs_top_builddir) bash $(srcdir)/$$t || \
		    test $$? = 77 || result=1; \
	done; exit $$result

# daemon: process, loop, log, configuration, files
daemon_tests = check_chan check_config check_harden check_log check_loop \
	check_machine check_notify check_state check_supervisor
check_PROGRAMS += $(daemon_tests)
TESTS += $(daemon_tests)
daemon_libs = libdaemon.la $(CHECK_LIBS)
check_chan_SOURCES = %D%/unit/check_chan.c
check_chan_CPPFLAGS = $(unit_cppflags)
check_chan_LDADD = $(daemon_libs)
check_machine_SOURCES = %D%/unit/check_machine.c
check_machine_CPPFLAGS = $(unit_cppflags)
check_machine_LDADD = $(daemon_libs)
check_harden_SOURCES = %D%/unit/check_harden.c
check_harden_CPPFLAGS = $(unit_cppflags)
check_harden_LDADD = $(daemon_libs)
check_notify_SOURCES = %D%/unit/check_notify.c
check_notify_CPPFLAGS = $(unit_cppflags)
check_notify_LDADD = $(daemon_libs)
check_supervisor_SOURCES = %D%/unit/check_supervisor.c
check_supervisor_CPPFLAGS = $(unit_cppflags)
check_supervisor_LDADD = $(daemon_libs)
check_config_SOURCES = %D%/unit/check_config.c
check_config_CPPFLAGS = $(unit_cppflags)
check_config_LDADD = $(daemon_libs)
check_log_SOURCES = %D%/unit/check_log.c
check_log_CPPFLAGS = $(unit_cppflags)
check_log_LDADD = $(daemon_libs)
check_loop_SOURCES = %D%/unit/check_loop.c
check_loop_CPPFLAGS = $(unit_cppflags)
check_loop_LDADD = $(daemon_libs)
check_state_SOURCES = %D%/unit/check_state.c
check_state_CPPFLAGS = $(unit_cppflags)
check_state_LDADD = $(daemon_libs)
check_state_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=write -Wl,--wrap=fsync \
	-Wl,--wrap=renameat

# daemon: keeper
keeper_tests = check_role check_authorize check_admin_ops check_admin_app \
	check_peer_msg check_keeper check_keeper_admin check_keeper_apps \
	check_keeper_members check_keeper_database check_keeper_hostile \
	check_keeper_lease check_keeper_peers check_keeper_random \
	check_keeper_cert check_keeper_rotate check_keeper_signing
keeper_tests += check_keeper_join
keeper_tests += check_coverage check_keeper_escrow check_audit check_keeper_audit
check_PROGRAMS += $(keeper_tests)
TESTS += $(keeper_tests)
check_role_SOURCES = %D%/unit/check_role.c
check_role_CPPFLAGS = $(unit_cppflags)
check_role_LDADD = $(daemon_libs)
accounts = %D%/unit/accounts.c %D%/unit/accounts.h
accounts_ldflags = -Wl,--wrap=getpwnam_r -Wl,--wrap=getgrnam_r
check_authorize_SOURCES = %D%/unit/check_authorize.c $(accounts)
check_authorize_CPPFLAGS = $(unit_cppflags)
check_authorize_LDADD = $(daemon_libs)
check_authorize_LDFLAGS = $(AM_LDFLAGS) $(accounts_ldflags) \
	-Wl,--wrap=getsockopt
check_admin_app_SOURCES = %D%/unit/check_admin_app.c $(accounts)
check_admin_app_CPPFLAGS = $(unit_cppflags)
check_admin_app_LDADD = $(daemon_libs)
check_admin_app_LDFLAGS = $(AM_LDFLAGS) $(accounts_ldflags)
check_admin_ops_SOURCES = %D%/unit/check_admin_ops.c
check_admin_ops_CPPFLAGS = $(unit_cppflags)
check_admin_ops_LDADD = $(daemon_libs)
check_peer_msg_SOURCES = %D%/unit/check_peer_msg.c
check_peer_msg_CPPFLAGS = $(unit_cppflags)
check_peer_msg_LDADD = $(daemon_libs)
# whole keepers, with all that is around them played by the rig
keeper_rig = %D%/unit/keeper_rig.c %D%/unit/keeper_rig.h \
	%D%/unit/keeper_world.c %D%/unit/keeper_db.c %D%/unit/keeper_db.h \
	%D%/unit/keeper_db_keys.c \
	%D%/unit/keeper_wrap.c %D%/unit/keeper_wrap.h
keeper_ldflags = $(AM_LDFLAGS) -Wl,--wrap=loop_new -Wl,--wrap=loop_free \
	-Wl,--wrap=loop_fd_add -Wl,--wrap=loop_fd_set -Wl,--wrap=loop_fd_del \
	-Wl,--wrap=loop_timer_set -Wl,--wrap=loop_timer_del \
	-Wl,--wrap=loop_signal_add -Wl,--wrap=loop_stop \
	-Wl,--wrap=loop_now_ms -Wl,--wrap=time \
	-Wl,--wrap=chan_new -Wl,--wrap=chan_free \
	-Wl,--wrap=chan_fd -Wl,--wrap=chan_wants_write -Wl,--wrap=chan_send \
	-Wl,--wrap=member_init -Wl,--wrap=member_notice \
	-Wl,--wrap=state_load -Wl,--wrap=state_save -Wl,--wrap=file_replace \
	-Wl,--wrap=file_read -Wl,--wrap=clv_identity_load -Wl,--wrap=clv_guard_new \
	-Wl,--wrap=clv_guard_free_all -Wl,--wrap=accept4 \
	-Wl,--wrap=getsockopt -Wl,--wrap=recv -Wl,--wrap=send \
	-Wl,--wrap=sendmsg -Wl,--wrap=close -Wl,--wrap=log_error \
	-Wl,--wrap=log_warning -Wl,--wrap=log_notice -Wl,--wrap=log_info \
	-Wl,--wrap=log_debug
check_keeper_SOURCES = %D%/unit/check_keeper.c $(keeper_rig)
check_keeper_CPPFLAGS = $(unit_cppflags)
check_keeper_LDADD = $(daemon_libs)
check_keeper_LDFLAGS = $(keeper_ldflags)
check_keeper_admin_SOURCES = %D%/unit/check_keeper_admin.c $(keeper_rig)
check_keeper_admin_CPPFLAGS = $(unit_cppflags)
check_keeper_admin_LDADD = $(daemon_libs)
check_keeper_admin_LDFLAGS = $(keeper_ldflags)
check_keeper_members_SOURCES = %D%/unit/check_keeper_members.c $(keeper_rig)
check_keeper_members_CPPFLAGS = $(unit_cppflags)
check_keeper_members_LDADD = $(daemon_libs)
check_keeper_members_LDFLAGS = $(keeper_ldflags)
check_keeper_join_SOURCES = %D%/unit/check_keeper_join.c $(keeper_rig)
check_keeper_join_CPPFLAGS = $(unit_cppflags)
check_keeper_join_LDADD = $(daemon_libs)
check_keeper_join_LDFLAGS = $(keeper_ldflags)
check_keeper_apps_SOURCES = %D%/unit/check_keeper_apps.c $(keeper_rig) \
	$(accounts)
check_keeper_apps_CPPFLAGS = $(unit_cppflags)
check_keeper_apps_LDADD = $(daemon_libs)
check_keeper_apps_LDFLAGS = $(keeper_ldflags) $(accounts_ldflags)
check_keeper_database_SOURCES = %D%/unit/check_keeper_database.c $(keeper_rig)
check_keeper_database_CPPFLAGS = $(unit_cppflags)
check_keeper_database_LDADD = $(daemon_libs)
check_keeper_database_LDFLAGS = $(keeper_ldflags)
check_keeper_hostile_SOURCES = %D%/unit/check_keeper_hostile.c $(keeper_rig)
check_keeper_hostile_CPPFLAGS = $(unit_cppflags)
check_keeper_hostile_LDADD = $(daemon_libs)
check_keeper_hostile_LDFLAGS = $(keeper_ldflags)
check_keeper_lease_SOURCES = %D%/unit/check_keeper_lease.c $(keeper_rig)
check_keeper_lease_CPPFLAGS = $(unit_cppflags)
check_keeper_lease_LDADD = $(daemon_libs)
check_keeper_lease_LDFLAGS = $(keeper_ldflags)
check_coverage_SOURCES = %D%/unit/check_coverage.c
check_coverage_CPPFLAGS = $(unit_cppflags)
check_coverage_LDADD = $(daemon_libs)
check_keeper_escrow_SOURCES = %D%/unit/check_keeper_escrow.c $(keeper_rig)
check_keeper_escrow_CPPFLAGS = $(unit_cppflags)
check_keeper_escrow_LDADD = $(daemon_libs)
check_keeper_escrow_LDFLAGS = $(keeper_ldflags)
check_audit_SOURCES = %D%/unit/check_audit.c
check_audit_CPPFLAGS = $(unit_cppflags)
check_audit_LDADD = $(daemon_libs)
check_keeper_audit_SOURCES = %D%/unit/check_keeper_audit.c $(keeper_rig)
check_keeper_audit_CPPFLAGS = $(unit_cppflags)
check_keeper_audit_LDADD = $(daemon_libs)
check_keeper_audit_LDFLAGS = $(keeper_ldflags)
check_keeper_peers_SOURCES = %D%/unit/check_keeper_peers.c $(keeper_rig)
check_keeper_peers_CPPFLAGS = $(unit_cppflags)
check_keeper_peers_LDADD = $(daemon_libs)
check_keeper_peers_LDFLAGS = $(keeper_ldflags)
check_keeper_random_SOURCES = %D%/unit/check_keeper_random.c $(keeper_rig)
check_keeper_random_CPPFLAGS = $(unit_cppflags)
check_keeper_random_LDADD = $(daemon_libs)
check_keeper_random_LDFLAGS = $(keeper_ldflags)
check_keeper_cert_SOURCES = %D%/unit/check_keeper_cert.c $(keeper_rig)
check_keeper_cert_CPPFLAGS = $(unit_cppflags)
check_keeper_cert_LDADD = $(daemon_libs)
check_keeper_cert_LDFLAGS = $(keeper_ldflags)
check_keeper_signing_SOURCES = %D%/unit/check_keeper_signing.c $(keeper_rig)
check_keeper_signing_CPPFLAGS = $(unit_cppflags)
check_keeper_signing_LDADD = $(daemon_libs)
check_keeper_signing_LDFLAGS = $(keeper_ldflags)
check_keeper_rotate_SOURCES = %D%/unit/check_keeper_rotate.c $(keeper_rig)
check_keeper_rotate_CPPFLAGS = $(unit_cppflags)
check_keeper_rotate_LDADD = $(daemon_libs)
check_keeper_rotate_LDFLAGS = $(keeper_ldflags)

# vault, member and local API, against a database that a rig plays
vault_tests = check_api check_inspect check_member check_member_policy \
	check_reencrypt check_vault check_vault_fork
check_PROGRAMS += $(vault_tests)
TESTS += $(vault_tests)
vault_rig = %D%/unit/vault_rig.c %D%/unit/vault_rig.h %D%/unit/vault_wrap.c \
	%D%/unit/vault_wrap.h
vault_ldflags = $(AM_LDFLAGS) -Wl,--wrap=loop_new -Wl,--wrap=loop_free \
	-Wl,--wrap=loop_fd_add -Wl,--wrap=loop_fd_set -Wl,--wrap=loop_fd_del \
	-Wl,--wrap=loop_timer_set -Wl,--wrap=loop_timer_del \
	-Wl,--wrap=loop_now_ms -Wl,--wrap=db_call_pool -Wl,--wrap=log_error \
	-Wl,--wrap=log_warning -Wl,--wrap=log_notice
check_api_SOURCES = %D%/unit/check_api.c $(vault_rig) $(accounts)
check_api_CPPFLAGS = $(unit_cppflags)
check_api_LDADD = $(daemon_libs) -lpthread
check_api_LDFLAGS = $(vault_ldflags) -Wl,--wrap=auth_caller_get \
	-Wl,--wrap=getsockopt -Wl,--wrap=admin_request $(accounts_ldflags)
check_inspect_SOURCES = %D%/unit/check_inspect.c $(vault_rig)
check_inspect_CPPFLAGS = $(unit_cppflags)
check_inspect_LDADD = $(daemon_libs)
check_inspect_LDFLAGS = $(vault_ldflags)
check_member_SOURCES = %D%/unit/check_member.c %D%/unit/core.h $(vault_rig) \
	$(accounts)
check_member_CPPFLAGS = $(unit_cppflags)
check_member_LDADD = $(daemon_libs)
check_member_LDFLAGS = $(vault_ldflags) -Wl,--wrap=keeper_send \
	-Wl,--wrap=time $(accounts_ldflags)
check_member_policy_SOURCES = %D%/unit/check_member_policy.c
check_member_policy_CPPFLAGS = $(unit_cppflags)
check_member_policy_LDADD = $(daemon_libs)
check_reencrypt_SOURCES = %D%/unit/check_reencrypt.c $(vault_rig)
check_reencrypt_CPPFLAGS = $(unit_cppflags)
check_reencrypt_LDADD = $(daemon_libs)
check_reencrypt_LDFLAGS = $(vault_ldflags) -Wl,--wrap=db_poll_soon \
	-Wl,--wrap=log_info -Wl,--wrap=member_refresh_soon
check_vault_SOURCES = %D%/unit/check_vault.c $(vault_rig)
check_vault_CPPFLAGS = $(unit_cppflags)
check_vault_LDADD = $(daemon_libs)
check_vault_LDFLAGS = $(vault_ldflags)
check_vault_fork_SOURCES = %D%/unit/check_vault_fork.c $(vault_rig)
check_vault_fork_CPPFLAGS = $(unit_cppflags)
check_vault_fork_LDADD = $(daemon_libs)
check_vault_fork_LDFLAGS = $(vault_ldflags)

# daemon: front
front_tests = check_front_uplink check_cert check_tls check_front \
	check_front_db
check_PROGRAMS += $(front_tests)
front_cppflags = $(unit_cppflags) $(OPENSSL_CFLAGS)
front_libs = libdaemon.la $(OPENSSL_LIBS) $(CHECK_LIBS)
check_cert_SOURCES = %D%/unit/check_cert.c %D%/unit/tls_party.h
check_cert_CPPFLAGS = $(front_cppflags)
check_cert_LDADD = $(front_libs)
check_tls_SOURCES = %D%/unit/check_tls.c %D%/unit/tls_party.h
check_tls_CPPFLAGS = $(front_cppflags)
check_tls_LDADD = $(front_libs)
front_rig = %D%/unit/front_rig.c %D%/unit/front_rig.h %D%/unit/tls_party.h
check_front_SOURCES = %D%/unit/check_front.c $(front_rig)
check_front_CPPFLAGS = $(front_cppflags)
check_front_LDADD = $(front_libs)
check_front_uplink_SOURCES = %D%/unit/check_front_uplink.c $(front_rig)
check_front_uplink_CPPFLAGS = $(front_cppflags)
check_front_uplink_LDADD = $(front_libs)
check_PROGRAMS += check_front_cluster
TESTS += %D%/unit/front-cluster.sh
EXTRA_DIST += %D%/unit/front-cluster.sh
check_front_cluster_SOURCES = %D%/unit/check_front_cluster.c $(front_rig)
check_front_cluster_CPPFLAGS = $(front_cppflags)
check_front_cluster_LDADD = $(front_libs)
check_front_db_SOURCES = %D%/unit/check_front_db.c $(front_rig) $(store_rig)
check_front_db_CPPFLAGS = $(front_cppflags) $(LIBPQ_CFLAGS)
check_front_db_LDADD = $(front_libs) $(LIBPQ_LIBS)

# command
check_PROGRAMS += check_cli check_cli_cib check_cli_status check_import
TESTS += check_cli check_cli_cib check_cli_status check_import \
	%D%/unit/alerts.sh %D%/unit/completion.sh
EXTRA_DIST += %D%/examples %D%/json-keys %D%/metrics-check %D%/unit/alerts.sh \
	%D%/unit/alerts.yml \
	%D%/unit/ceremony.py %D%/unit/cli.sh \
	%D%/unit/completion.sh %D%/unit/doctor.sh \
	%D%/unit/restore-older.sh %D%/unit/rig.sh
check_PROGRAMS += check_join
TESTS += check_join
check_join_SOURCES = %D%/unit/check_join.c %D%/unit/tls_party.h
check_join_CPPFLAGS = $(unit_cppflags)
check_join_LDADD = $(daemon_libs)
check_cli_SOURCES = %D%/unit/check_cli.c
check_cli_CPPFLAGS = $(unit_cppflags)
check_cli_LDADD = libcli.la $(CHECK_LIBS)
check_import_SOURCES = %D%/unit/check_import.c
check_import_CPPFLAGS = $(unit_cppflags)
check_import_LDADD = libcli.la $(CHECK_LIBS)
check_cli_cib_SOURCES = %D%/unit/check_cli_cib.c
check_cli_cib_CPPFLAGS = $(unit_cppflags)
check_cli_cib_LDADD = libcli.la $(CHECK_LIBS)
check_cli_status_SOURCES = %D%/unit/check_cli_status.c
check_cli_status_CPPFLAGS = $(unit_cppflags)
check_cli_status_LDADD = libcli.la $(CHECK_LIBS)

# what manual pages say of a table in the program
check_PROGRAMS += check_manual
TESTS += check_manual
check_manual_SOURCES = %D%/unit/check_manual.c
check_manual_CPPFLAGS = $(unit_cppflags) -DMANUALS=\"$(top_srcdir)/man\"
check_manual_LDADD = libcli.la $(CHECK_LIBS)

# vectors, fuzz, bench, model
# Fuzz targets: with --enable-fuzzer `make fuzz` runs them under libFuzzer, else
# they replay their corpus as tests.
FUZZ_SECONDS = 60
FUZZ_FLAGS = -max_total_time=$(FUZZ_SECONDS)
core_fuzzers = fuzz_list fuzz_wire fuzz_keyring fuzz_age fuzz_armor fuzz_front \
	fuzz_api fuzz_slip39 fuzz_import
check_PROGRAMS += $(core_fuzzers)
EXTRA_PROGRAMS = fuzz_corpus
EXTRA_DIST += %D%/fuzz/corpus %D%/fuzz/replay.c
if FUZZER
fuzz_main =
fuzz_ldflags = -fsanitize=fuzzer
else
fuzz_main = %D%/fuzz/replay.c
fuzz_ldflags =
TESTS += $(core_fuzzers)
endif
fuzz_list_SOURCES = %D%/fuzz/fuzz_list.c %D%/fuzz/fuzz.h $(fuzz_main)
fuzz_list_CPPFLAGS = $(unit_cppflags) \
	-DFUZZ_CORPUS=\"$(top_srcdir)/%D%/fuzz/corpus/list\"
fuzz_list_LDADD = libclaviger-core.la
fuzz_list_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
fuzz_wire_SOURCES = %D%/fuzz/fuzz_wire.c %D%/fuzz/fuzz.h $(fuzz_main)
fuzz_wire_CPPFLAGS = $(unit_cppflags) \
	-DFUZZ_CORPUS=\"$(top_srcdir)/%D%/fuzz/corpus/wire\"
fuzz_wire_LDADD = libclaviger-core.la
fuzz_wire_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
fuzz_keyring_SOURCES = %D%/fuzz/fuzz_keyring.c %D%/fuzz/fuzz.h $(fuzz_main)
fuzz_keyring_CPPFLAGS = $(unit_cppflags) \
	-DFUZZ_CORPUS=\"$(top_srcdir)/%D%/fuzz/corpus/keyring\"
fuzz_keyring_LDADD = libclaviger-core.la
fuzz_keyring_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
fuzz_age_SOURCES = %D%/fuzz/fuzz_age.c %D%/fuzz/fuzz.h $(fuzz_main)
fuzz_age_CPPFLAGS = $(unit_cppflags) \
	-DFUZZ_CORPUS=\"$(top_srcdir)/%D%/fuzz/corpus/age\"
fuzz_age_LDADD = libclaviger-core.la
fuzz_age_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
fuzz_armor_SOURCES = %D%/fuzz/fuzz_armor.c %D%/fuzz/fuzz.h $(fuzz_main)
fuzz_armor_CPPFLAGS = $(unit_cppflags) \
	-DFUZZ_CORPUS=\"$(top_srcdir)/%D%/fuzz/corpus/armor\"
fuzz_armor_LDADD = libclaviger-core.la
fuzz_armor_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
fuzz_slip39_SOURCES = %D%/fuzz/fuzz_slip39.c %D%/fuzz/fuzz.h $(fuzz_main)
fuzz_slip39_CPPFLAGS = $(unit_cppflags) \
	-DFUZZ_CORPUS=\"$(top_srcdir)/%D%/fuzz/corpus/slip39\"
fuzz_slip39_LDADD = libclaviger-core.la
fuzz_slip39_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
fuzz_import_SOURCES = %D%/fuzz/fuzz_import.c %D%/fuzz/fuzz.h $(fuzz_main)
fuzz_import_CPPFLAGS = $(unit_cppflags) \
	-DFUZZ_CORPUS=\"$(top_srcdir)/%D%/fuzz/corpus/import\"
fuzz_import_LDADD = libcli.la
fuzz_import_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
fuzz_front_SOURCES = %D%/fuzz/fuzz_front.c $(keeper_rig) $(fuzz_main)
fuzz_front_CPPFLAGS = $(unit_cppflags) \
	-DFUZZ_CORPUS=\"$(top_srcdir)/%D%/fuzz/corpus/front\"
fuzz_front_LDADD = libdaemon.la
fuzz_front_LDFLAGS = $(keeper_ldflags) $(fuzz_ldflags)
fuzz_api_SOURCES = %D%/fuzz/fuzz_api.c %D%/fuzz/fuzz.h $(vault_rig) \
	$(fuzz_main)
fuzz_api_CPPFLAGS = $(unit_cppflags) \
	-DFUZZ_CORPUS=\"$(top_srcdir)/%D%/fuzz/corpus/api\"
fuzz_api_LDADD = libdaemon.la
fuzz_api_LDFLAGS = $(vault_ldflags) -Wl,--wrap=file_replace $(fuzz_ldflags)
fuzz_corpus_SOURCES = %D%/fuzz/fuzz_corpus.c %D%/fuzz/fuzz.h
fuzz_corpus_CPPFLAGS = $(unit_cppflags)
fuzz_corpus_LDADD = libclaviger-core.la

fuzz: $(core_fuzzers)
	for f in $(core_fuzzers); do \
		mkdir -p fuzz-found/$$f && \
		./$$f $(FUZZ_FLAGS) fuzz-found/$$f \
			$(top_srcdir)/%D%/fuzz/corpus/$${f#fuzz_} || exit 1; \
	done
.PHONY: fuzz

# LONG=--long: all blows at once
check-model:
	$(srcdir)/%D%/model/check-model $(LONG)
.PHONY: check-model
EXTRA_DIST += %D%/model %D%/README

# Figures as ratios, no tests: see tests/bench/README. Needs root and the
# packages of the lab.
bench_programs = bench-spawn bench-ready bench-keyprobe bench-store bench-record \
	bench-age bench-api bench-libs bench-rotate bench-server bench-value \
	bench-network-name-dynamic bench-master-secret-dynamic
EXTRA_PROGRAMS += $(bench_programs)
EXTRA_DIST += %D%/bench
bench_spawn_SOURCES = %D%/bench/spawnbench.c
bench_ready_SOURCES = %D%/bench/readybench.c
bench_keyprobe_SOURCES = %D%/bench/keyprobe.c
bench_keyprobe_CPPFLAGS = $(unit_cppflags)
bench_keyprobe_LDADD = libcli.la
bench_store_SOURCES = %D%/bench/storebench.c %D%/bench/storebench.h \
	%D%/bench/storebench_db.c %D%/bench/storebench_work.c %D%/unit/pg.c \
	%D%/unit/pg.h %D%/unit/store_rows.c %D%/unit/store_rows.h
bench_store_CPPFLAGS = $(unit_cppflags) $(LIBPQ_CFLAGS)
bench_store_LDADD = libclaviger-core.la $(SODIUM_LIBS) $(LIBPQ_LIBS) -lpthread
bench_record_SOURCES = %D%/bench/recordbench.c
bench_record_CPPFLAGS = $(unit_cppflags)
bench_record_LDADD = libclaviger-core.la
bench_api_SOURCES = %D%/bench/apibench.c
bench_api_CPPFLAGS = $(unit_cppflags)
bench_api_LDADD = libclaviger-core.la -lpthread
bench_rotate_SOURCES = %D%/bench/rotatebench.c
bench_rotate_CPPFLAGS = $(unit_cppflags) $(LIBPQ_CFLAGS)
bench_rotate_LDADD = libclaviger-core.la $(SODIUM_LIBS) $(LIBPQ_LIBS)
bench_libs_SOURCES = %D%/bench/libsbench.c
bench_libs_CPPFLAGS = $(SODIUM_CFLAGS) $(QB_CFLAGS) $(OPENSSL_CFLAGS)
bench_libs_LDADD = $(SODIUM_LIBS) $(QB_LIBS) $(OPENSSL_LIBS)
bench_server_SOURCES = %D%/bench/serverbench.c %D%/bench/serverbench.h \
	%D%/bench/serverbench_flood.c %D%/bench/serverbench_link.c \
	%D%/bench/serverbench_party.c %D%/bench/serverbench_peer.c \
	%D%/bench/serverbench_refresh.c
bench_server_CPPFLAGS = $(unit_cppflags) $(OPENSSL_CFLAGS)
bench_server_LDADD = libcli.la $(OPENSSL_LIBS)
bench_age_SOURCES = %D%/bench/agebench.c
bench_age_CPPFLAGS = $(unit_cppflags)
bench_age_LDADD = libclaviger-core.la $(SODIUM_LIBS)
bench_value_SOURCES = %D%/bench/valuebench.c
bench_value_CPPFLAGS = $(unit_cppflags) $(LIBPQ_CFLAGS)
bench_value_LDADD = libclaviger-core.la $(SODIUM_LIBS) $(LIBPQ_LIBS) -lpthread
bench_network_name_dynamic_SOURCES = agents/network-name.c
bench_network_name_dynamic_CFLAGS = $(agent_cflags)
bench_network_name_dynamic_LDADD = $(network_name_LDADD)
bench_network_name_dynamic_LDFLAGS = $(agent_dynamic_ldflags)
bench_master_secret_dynamic_SOURCES = agents/master-secret.c
bench_master_secret_dynamic_CFLAGS = $(agent_cflags)
bench_master_secret_dynamic_LDADD = $(master_secret_LDADD)
bench_master_secret_dynamic_LDFLAGS = $(agent_dynamic_ldflags)

BENCH_OPTIONS =
bench: all $(bench_programs)
	rm -rf bench-root
	$(MAKE) install DESTDIR=$(abs_builddir)/bench-root >bench-install.log
	$(srcdir)/%D%/bench/bench --build $(abs_builddir) \
		--prefix $(abs_builddir)/bench-root $(BENCH_OPTIONS)

clean-local: clean-coverage
	rm -rf bench-root bench-install.log
.PHONY: bench

# what was installed
EXTRA_DIST += %D%/installed.sh
if STATIC_AGENTS
agent_link = static
else
agent_link = dynamic
endif
installcheck-local:
	DESTDIR='$(DESTDIR)' bindir='$(bindir)' sbindir='$(sbindir)' \
	libdir='$(libdir)' includedir='$(includedir)' mandir='$(mandir)' \
	sysconfdir='$(sysconfdir)' pkgconfigdir='$(pkgconfigdir)' \
	ocfrootdir='$(ocfrootdir)' agentdir='$(agentdir)' \
	pkglibexecdir='$(pkglibexecdir)' \
	agent_link='$(agent_link)' \
	systemdsystemunitdir='$(systemdsystemunitdir)' \
	sysusersdir='$(sysusersdir)' tmpfilesdir='$(tmpfilesdir)' \
	uidgiddir='$(uidgiddir)' examplesdir='$(examplesdir)' \
	bashcompdir='$(bashcompdir)' zshcompdir='$(zshcompdir)' \
	abs_top_builddir='$(abs_top_builddir)' CC='$(CC)' \
	SAN_CFLAGS='$(SAN_CFLAGS)' STATIC_AGENTS='$(STATIC_AGENTS)' \
	PACKAGE_VERSION='$(PACKAGE_VERSION)' \
	$(srcdir)/%D%/installed.sh

# what the unit tests have run through, as pages in coverage/
if COVERAGE
coverage:
	-lcov --quiet --zerocounters --directory .
	-$(MAKE) check
	lcov --quiet --capture --directory . --output-file coverage.info
	lcov --quiet --remove coverage.info '/usr/*' '*/tests/*' \
		--output-file coverage.info
	lcov --summary coverage.info
	genhtml --quiet --output-directory coverage coverage.info
	@echo 'file://$(abs_builddir)/coverage/index.html'
else
coverage:
	@echo 'configure with --enable-coverage first' >&2; exit 1
endif
# Beside it, other parts of a clean take directories away: no error.
clean-coverage:
	rm -rf coverage coverage.info
if COVERAGE
	-find . -ignore_readdir_race -name '*.gc[dn][ao]' -exec rm -f {} +
endif
.PHONY: coverage clean-coverage

# lab, cluster scenarios
EXTRA_DIST += %D%/lab %D%/cluster %D%/lint %D%/package \
	%D%/packages %D%/setup.sh

lint:
	$(srcdir)/%D%/lint $(srcdir)

format:
	cd $(srcdir) && find lib ocf agents daemon tests -name '*.[ch]' \
		-exec clang-format -i {} +

# Needs root; builds by itself.
check-cluster:
	$(srcdir)/run-tests cluster

print-tests:
	@echo $(TESTS)

.PHONY: lint format check-cluster print-tests
