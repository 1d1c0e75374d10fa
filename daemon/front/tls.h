/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_TLS_H
#define CLAVIGERD_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <claviger/buf.h>
#include <claviger/store.h>

/*
 * TLS 1.3 with both sides pinned, and nothing else of OpenSSL reaches the rest
 * of the program: only tls.c, tls_lib.c and cert*.c include its headers. No
 * chain building, tickets, resumption, renegotiation, key log, compression or
 * configuration file. A connection is a step object like the store.
 */
struct tls_ctx; /* certificate, key, pins; reference counted */
struct tls_conn;

/* Bring OpenSSL up without its configuration file; every function here does
 * so. Before libpq's first use it is called for libpq, too. */
int tls_init(void);

/* Is this thumbprint (SHA-256 of the DER) one of ours? Must be constant time
 * per entry. */
typedef bool (*tls_pin_fn)(void *arg, const uint8_t thumb[static 32]);

/* CLV_E_FORMAT: certificate or key (PKCS#8) is not DER; CLV_E_MISMATCH: the key
 * is not the certificate's. SIGPIPE is ignored from here on. */
/* From now on, in this process: is a peer refused whose certificate has ended,
 * although it is pinned? */
void tls_enforce_expiry(bool enforce);
int tls_ctx_new(bool server, const void *cert_der, size_t cert_len,
    const void *key_der, size_t key_len, tls_pin_fn pin, void *arg,
    struct tls_ctx **ret);
void tls_ctx_free(struct tls_ctx **ctx); /* connections keep a reference */

int tls_conn_new(struct tls_ctx *ctx, int fd, struct tls_conn **ret);
void tls_conn_free(struct tls_conn **c); /* closes fd */
int tls_conn_fd(const struct tls_conn *c);
enum clv_want tls_conn_want(const struct tls_conn *c);
/* CLV_OK handshake done; CLV_E_AGAIN; CLV_E_UNKNOWN_PEER (pin refused, by us
 * or, as the text says, by the peer); CLV_E_NO_SERVER (closed or lost);
 * CLV_E_TLS. In TLS 1.3 a client is done before the server has looked at its
 * certificate: a refusal comes with the first read. */
int tls_conn_handshake(struct tls_conn *c);
int tls_conn_read(struct tls_conn *c, void *p, size_t cap, size_t *ret_len);
int tls_conn_write(
    struct tls_conn *c, const void *p, size_t len, size_t *ret_len);
const uint8_t *tls_conn_thumb(const struct tls_conn *c); /* 32 B of the peer */
/* Its certificate, DER. CLV_E_NOT_FOUND (none came), CLV_E_NOMEM. */
int tls_conn_cert(const struct tls_conn *c, struct clv_buf *ret);
/* Bytes that both ends of this connection alone have (RFC 8446, 7.5), so that
 * what is signed with them is good for it alone. CLV_E_TLS. */
#define TLS_BINDING_LEN 32
int tls_conn_binding(
    const struct tls_conn *c, uint8_t ret[static TLS_BINDING_LEN]);
const char *tls_conn_text(const struct tls_conn *c); /* why it failed */

/* A blocking client for commands: connect to host (name or number) and port,
 * handshake, then exchange one frame for another, all within timeout_ms. */
struct tls_client;
int tls_client_open(const char *host, uint16_t port, const void *cert_der,
    size_t cert_len, const void *key_der, size_t key_len,
    const uint8_t (*pins)[32], size_t n, int timeout_ms,
    struct tls_client **ret, char ret_why[static 256]);
/* The same with any certificate at the other end: whose it is must be proved
 * inside, before anything is said that is not for everybody. */
int tls_client_open_any(const char *host, uint16_t port, const void *cert_der,
    size_t cert_len, const void *key_der, size_t key_len, int timeout_ms,
    struct tls_client **ret, char ret_why[static 256]);
/* CLV_E_NOT_FOUND (host), CLV_E_NO_SERVER, CLV_E_TIMEOUT, CLV_E_UNKNOWN_PEER,
 * CLV_E_TLS, CLV_E_PROTOCOL; *ret_why is the sentence. */
int tls_client_exchange(struct tls_client *c, const struct clv_buf *body,
    struct clv_buf *ret_body, int timeout_ms, char ret_why[static 256]);
/* The other end's certificate, DER. CLV_E_NOT_FOUND, CLV_E_NOMEM. */
int tls_client_cert(const struct tls_client *c, struct clv_buf *ret);
const uint8_t *tls_client_thumb(const struct tls_client *c); /* 32 B */
int tls_client_binding(
    const struct tls_client *c, uint8_t ret[static TLS_BINDING_LEN]);
void tls_client_close(struct tls_client **c);

/* cert.c: certificates. Self-signed P-256, 10 years, names for people: cn,
 * then DNS and IP alternative names (n strings; numeric ones become IP). */
int cert_make(const char *cn, const char *const *names, size_t n,
    struct clv_buf *ret_cert_der, struct clv_buf *ret_key_der);
int cert_make_ed25519(const char *cn, const char *const *names, size_t n,
    struct clv_buf *ret_cert_der, struct clv_buf *ret_key_der);
int cert_thumb(const void *cert_der, size_t len, uint8_t ret[static 32]);
/* PEM or DER file, first certificate only, size-capped at 64 KiB: CLV_E_FULL
 * above it, CLV_E_NOT_FOUND, CLV_E_PERMISSION (unreadable; for a key also:
 * others may read or the group may write it), CLV_E_FORMAT, and
 * CLV_E_PASSPHRASE for a key that is encrypted. A key comes as PKCS#8 DER. */
int cert_load(const char *path, struct clv_buf *ret_der);
int cert_key_load(const char *path, struct clv_buf *ret_der);
int cert_to_pem(const void *der, size_t len, struct clv_buf *ret_pem);
int cert_key_to_pem(const void *der, size_t len, struct clv_buf *ret_pem);

/* cert_pair.c: this host's own certificate and key, DER, from its state folder,
 * and the next ones. CLV_E_MISMATCH (they do not fit), or as above;
 * *ret_name: of the file that is the reason. */
int cert_pair_load(const char *dir, struct clv_buf *ret_cert,
    struct clv_buf *ret_key, const char **ret_name);
int cert_pair_next(const char *dir, struct clv_buf *ret_cert,
    struct clv_buf *ret_key, const char **ret_name);
/* alone: the one in use is not to be accepted beside it. */
int cert_pair_save_next(const char *dir, const struct clv_buf *cert,
    const struct clv_buf *key, bool alone);
bool cert_pair_next_is_alone(const char *dir);
/* They are what cert_pair_load() gives, at whatever point it ends. */
int cert_pair_use_next(const char *dir);

/* cert_info.c: what a certificate says, for people; only its thumbprint decides
 * anything. Control characters may be in its names. CLV_E_FORMAT. */
#define CERT_NAME_MAX 256
#define CERT_NAMES_MAX 16 /* DNS and IP; more are left out */
#define CERT_WARN_DAYS 30 /* before its end somebody should know */
struct cert_info {
	char subject[CERT_NAME_MAX]; /* RFC 4514 */
	char name[CERT_NAMES_MAX][CERT_NAME_MAX];
	int name_count;
	int64_t not_before, not_after; /* seconds since 1970, UTC */
	char key[48];		       /* P-256, or "RSA 2048" */
};
int cert_info(const void *cert_der, size_t len, struct cert_info *ret);
/* Whole days until it ends; below 0: it has ended. */
int cert_days_left(const struct cert_info *i, int64_t now);

/* cert_check.c: may this existing certificate be the network name's, with this
 * key? Else CLV_E_INVALID (key, name, dates, strength) or CLV_E_FORMAT, and
 * why, in a sentence. */
int cert_check(const struct clv_buf *cert, const struct clv_buf *key,
    const char *name, int64_t now, char why[static 256]);

/* Start-up self-test: over a socket pair, a client whose certificate is not
 * pinned must be refused and one that is must be served. CLV_OK or CLV_E_TLS;
 * the front does not listen unless it passed. */
int tls_self_test(void);

#endif
