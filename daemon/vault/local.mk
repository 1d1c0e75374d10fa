# SPDX-License-Identifier: GPL-2.0-or-later
# open applications: read, write, verify
libdaemon_la_SOURCES += \
	%D%/inspect.c %D%/inspect.h \
	%D%/inspect_impl.h \
	%D%/inspect_index.c \
	%D%/inspect_keys.c \
	%D%/inspect_records.c \
	%D%/vault.c %D%/vault.h \
	%D%/vault_batch.c %D%/vault_batch.h \
	%D%/vault_cache.c \
	%D%/vault_get.c \
	%D%/vault_impl.h \
	%D%/vault_index.c \
	%D%/vault_keys.c \
	%D%/vault_put.c \
	%D%/vault_seal.c
