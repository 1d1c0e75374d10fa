# SPDX-License-Identifier: GPL-2.0-or-later
# the server role: keys, epoch, witness, certificates, escrow, hosts
libdaemon_la_SOURCES += \
	%D%/acks.c %D%/acks.h \
	%D%/audit.c %D%/audit.h \
	%D%/audit_chain.c \
	%D%/audit_head.c \
	%D%/audit_row.c %D%/audit_row.h \
	%D%/audit_what.c \
	%D%/control_server.c \
	%D%/coverage.c %D%/coverage.h \
	%D%/coverage_judge.c \
	%D%/coverage_policy.c \
	%D%/db.c \
	%D%/expiry.c %D%/expiry.h \
	%D%/heads.c %D%/heads.h \
	%D%/heads_claims.c %D%/heads_claims.h \
	%D%/heads_watch.c \
	%D%/join_port.c \
	%D%/keeper.c %D%/keeper.h \
	%D%/lease.c \
	%D%/member_answers.c %D%/member_answers.h \
	%D%/member_port.c \
	%D%/member_sealed.c \
	%D%/members_live.c %D%/members_live.h \
	%D%/members_wait.c %D%/members_wait.h \
	%D%/party_cert.c %D%/party_cert.h \
	%D%/peer_msg.c %D%/peer_msg.h \
	%D%/peers.c \
	%D%/role.c %D%/role.h \
	%D%/secret.c \
	%D%/secret_copy.c \
	%D%/secret_impl.h \
	%D%/secret_sign.c \
	%D%/secret_tls.c \
	%D%/serving.c \
	%D%/tlsnext.c %D%/tlsnext.h \
	%D%/witness.c
