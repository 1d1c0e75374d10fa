/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_TLS_LIB_H
#define CLAVIGERD_TLS_LIB_H

#include <openssl/types.h>
#include <stdbool.h>

/* For connections: as OpenSSL's own, but reads certificates faster, and only
 * those whose keys TLS 1.3 knows. NULL: OpenSSL's own. */
OSSL_LIB_CTX *tls_lib(void);

/* Whoever connects has a signature of his verified, also a stranger while
 * somebody may join: with RSA of more than 4096 bits, or an exponent of
 * thousands, that costs as much as ten handshakes, and is refused. */
bool tls_lib_is_costly(X509 *leaf);

#endif
