# SPDX-License-Identifier: GPL-2.0-or-later
# libclaviger: all objects in a convenience library, which the shared library,
# the unit tests, the daemon and the fuzzers link.
noinst_LTLIBRARIES += libclaviger-core.la
lib_LTLIBRARIES += libclaviger.la

libclaviger_core_la_CPPFLAGS = $(AM_CPPFLAGS) $(SODIUM_CFLAGS) $(LIBPQ_CFLAGS)
libclaviger_core_la_LIBADD = $(SODIUM_LIBS) $(LIBPQ_LIBS)
libclaviger_core_la_SOURCES =
nodist_libclaviger_core_la_SOURCES =

# memory, encoding, results
libclaviger_core_la_SOURCES += %D%/result.c
libclaviger_core_la_SOURCES += %D%/buf.c %D%/guard.c

# age files
libclaviger_core_la_SOURCES += %D%/bech32.c %D%/bech32.h %D%/age.c \
	%D%/age_armor.c %D%/age_header.c %D%/age_impl.h %D%/age_keys.c \
	%D%/age_reader.c %D%/age_scrypt.c %D%/age_stream.c %D%/age_writer.c \
	%D%/age_x25519.c
libclaviger_core_la_SOURCES += %D%/backup.c %D%/backup_impl.h \
	%D%/backup_read.c %D%/backup_why.c %D%/passphrase.c \
	%D%/words/eff_large.h
nodist_libclaviger_core_la_SOURCES += %D%/words/eff_large.c
CLEANFILES += %D%/words/eff_large.c
EXTRA_DIST += %D%/words/eff_large.txt %D%/words/table.awk
words_table = $(MKDIR_P) %D%/words && LC_ALL=C $(AWK) \
	-f $(srcdir)/%D%/words/table.awk
%D%/words/eff_large.c: %D%/words/eff_large.txt %D%/words/table.awk
	$(AM_V_GEN)$(words_table) -v list=eff_large -v table=clv__words \
	    -v words=7776 -v max=10 \
	    $(srcdir)/%D%/words/eff_large.txt >$@.tmp && mv $@.tmp $@

# shares of a secret: SLIP-39
libclaviger_core_la_SOURCES += %D%/slip39.c %D%/slip39_cipher.c \
	%D%/slip39_combine.c %D%/slip39_gf256.c %D%/slip39_impl.h \
	%D%/slip39_sort.c %D%/slip39_text.c %D%/slip39_words.c %D%/words/slip39.h
nodist_libclaviger_core_la_SOURCES += %D%/words/slip39.c
CLEANFILES += %D%/words/slip39.c
EXTRA_DIST += %D%/words/slip39.txt
%D%/words/slip39.c: %D%/words/slip39.txt %D%/words/table.awk
	$(AM_V_GEN)$(words_table) -v list=slip39 -v table=clv__slip39_words \
	    -v words=1024 -v max=9 \
	    $(srcdir)/%D%/words/slip39.txt >$@.tmp && mv $@.tmp $@

# keyring, identity, list, wire
libclaviger_core_la_SOURCES += \
	%D%/keyring.c %D%/keyring.h %D%/party.c %D%/party.h %D%/sign.c %D%/sign.h \
	%D%/subkey.c %D%/text.c %D%/text.h %D%/wrap.c
libclaviger_core_la_SOURCES += %D%/identity.c
libclaviger_core_la_SOURCES += %D%/acl.c %D%/list.c %D%/list.h %D%/list_check.c \
	%D%/list_codec.h %D%/list_format.c %D%/list_parse.c %D%/scope.c \
	%D%/succession.c %D%/tlsrow.c
libclaviger_core_la_SOURCES += %D%/wire.c %D%/wire_apps.c %D%/wire_heads.c \
	%D%/wire_join.c %D%/wire_keys.c
libclaviger_core_la_SOURCES += %D%/escrow.c %D%/token.c

# applications: keys, records, manifest
libclaviger_core_la_SOURCES += %D%/envelope.c %D%/index.c %D%/index.h \
	%D%/index_order.c %D%/index_table.c %D%/manifest.c %D%/manifest.h \
	%D%/pack.h

# PostgreSQL; the migrations lie in C strings, one array element a file
store_migrations = %D%/sql/001-schema.sql %D%/sql/002-applications.sql \
	%D%/sql/003-reminders.sql %D%/sql/004-audit.sql
libclaviger_core_la_SOURCES += %D%/store.c %D%/store_answer.c %D%/store_array.c \
	%D%/store_conninfo.c %D%/store_internal.h %D%/store_password.c %D%/store_run.c \
	%D%/store_schema.c %D%/store_send.c %D%/store_statements.c
nodist_libclaviger_core_la_SOURCES += %D%/store_sql.c
EXTRA_DIST += $(store_migrations)
CLEANFILES += %D%/store_sql.c
%D%/store_sql.c: $(store_migrations) %D%/local.mk
	$(AM_V_GEN)$(MKDIR_P) %D% && { \
	echo '#include "store_internal.h"'; \
	echo 'const char *const clv__migrations[] = {'; \
	for f in $(store_migrations); do \
		$(SED) 's/\\/\\\\/g; s/"/\\"/g; s/^/"/; s/$$/\\n"/' \
			$(top_srcdir)/$$f || exit 1; echo ','; \
	done; \
	echo '};'; \
	echo 'const size_t clv__migration_count = sizeof(clv__migrations) /'; \
	echo '    sizeof(clv__migrations[0]);'; \
	} >$@.tmp && mv -f $@.tmp $@

# what applications link
libclaviger_core_la_SOURCES += %D%/client.c %D%/client.h %D%/client_ops.c \
	%D%/client_stream.c

dist_examples_DATA += %D%/examples/client-example.c

# control-socket client, shared with the agents
libclaviger_core_la_SOURCES += agents/control.c

libclaviger_la_SOURCES =
libclaviger_la_LIBADD = libclaviger-core.la
libclaviger_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 \
	-Wl,--version-script=$(top_srcdir)/lib/claviger.map
libclaviger_la_DEPENDENCIES = libclaviger-core.la %D%/claviger.map
EXTRA_DIST += %D%/claviger.map

claviger_includedir = $(includedir)/claviger
claviger_include_HEADERS = \
	%D%/claviger/age.h \
	%D%/claviger/api.h \
	%D%/claviger/backup.h \
	%D%/claviger/buf.h \
	%D%/claviger/client.h \
	%D%/claviger/envelope.h \
	%D%/claviger/guard.h \
	%D%/claviger/identity.h \
	%D%/claviger/keyring.h \
	%D%/claviger/list.h \
	%D%/claviger/manifest.h \
	%D%/claviger/result.h \
	%D%/claviger/slip39.h \
	%D%/claviger/store.h \
	%D%/claviger/succession.h \
	%D%/claviger/token.h \
	%D%/claviger/wire.h
pkgconfig_DATA = %D%/claviger.pc
