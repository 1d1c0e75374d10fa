# SPDX-License-Identifier: GPL-2.0-or-later
# generations: publish, rewrap, re-encrypt
libdaemon_la_SOURCES += \
	%D%/publish.c %D%/publish.h \
	%D%/reencrypt.c %D%/reencrypt.h \
	%D%/reencrypt_impl.h \
	%D%/reencrypt_key.c \
	%D%/reencrypt_records.c \
	%D%/refs.c %D%/refs.h \
	%D%/rewrap.c %D%/rewrap.h \
	%D%/rewrap_impl.h \
	%D%/rewrap_key.c \
	%D%/rewrap_tls.c
