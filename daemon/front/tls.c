/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <signal.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <claviger/result.h>
#include "daemon/front/tls.h"
#include "daemon/front/tls_lib.h"

#define CERT_LIST_MAX 8192
#define THUMB_LEN 32

struct tls_ctx {
	SSL_CTX *ssl;
	tls_pin_fn pin;
	void *arg;
	uint8_t thumb[THUMB_LEN]; /* our own, for error texts */
	unsigned refs;
	bool server;
};

struct tls_conn {
	struct tls_ctx *ctx;
	SSL *ssl;
	int fd;
	enum clv_want want;
	int failed;	  /* and nothing else will come */
	bool pin_refused; /* by us, until the callback says otherwise */
	bool ended;	  /* that is why */
	uint8_t thumb[THUMB_LEN];
	char text[160];
};

int
tls_init(void)
{
	/* The error strings are loaded, for libpq's sake: without them a
	 * refused database certificate is only a number. */
	if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		return CLV_E_TLS;
	return CLV_OK;
}

static atomic_bool enforce_expiry; /* of every thread */

void
tls_enforce_expiry(bool enforce)
{
	enforce_expiry = enforce;
}

static bool
has_ended(const X509 *leaf)
{
	return X509_cmp_current_time(X509_get0_notAfter(leaf)) <= 0;
}

/*
 * The whole of certificate checking: the thumbprint of the leaf, over its full
 * DER, is asked for. Chains, names and purposes decide nothing, nor do dates
 * unless that is wanted, so none of the code that reads them runs.
 */
static int
on_certificate(X509_STORE_CTX *store, void *arg)
{
	struct tls_ctx *ctx = arg;
	SSL *ssl = X509_STORE_CTX_get_ex_data(
	    store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_conn *c = SSL_get_app_data(ssl);
	X509 *leaf = X509_STORE_CTX_get0_cert(store);
	unsigned len = 0;

	if (leaf != NULL &&
	    X509_digest(leaf, EVP_sha256(), c->thumb, &len) == 1 &&
	    len == THUMB_LEN)
		c->pin_refused =
		    !ctx->pin(ctx->arg, c->thumb) || tls_lib_is_costly(leaf);
	if (!c->pin_refused && enforce_expiry)
		c->ended = c->pin_refused = has_ended(leaf);
	/* The alert that goes with this error is bad_certificate, by which
	 * the other end knows that its thumbprint was refused, or else
	 * certificate_expired. */
	X509_STORE_CTX_set_error(store, c->ended ? X509_V_ERR_CERT_HAS_EXPIRED
					: c->pin_refused
					    ? X509_V_ERR_CERT_REJECTED
					    : X509_V_OK);
	return !c->pin_refused;
}

static int
ctx_harden(SSL_CTX *s)
{
	SSL_CTX_set_options(s,
	    SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
		SSL_OP_CLEANSE_PLAINTEXT | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_clear_options(s, SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
	SSL_CTX_set_session_cache_mode(s, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(s, SSL_MODE_RELEASE_BUFFERS |
				SSL_MODE_ENABLE_PARTIAL_WRITE |
				SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* Or one read goes on for as long as a peer sends messages that hold
	 * no data, as those that only ask for new keys, and all others wait. */
	SSL_CTX_clear_mode(s, SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_max_cert_list(s, CERT_LIST_MAX);
	SSL_CTX_set_security_level(s, 2);
	if (SSL_CTX_set_min_proto_version(s, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_max_proto_version(s, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set1_groups_list(s, "X25519:P-256") != 1 ||
	    SSL_CTX_set_num_tickets(s, 0) != 1)
		return CLV_E_TLS;
	return CLV_OK;
}

static int
load_certificate(struct tls_ctx *ctx, const void *der, size_t len)
{
	const unsigned char *p = der;
	X509 *x = d2i_X509(NULL, &p, (long)len);
	int r = CLV_E_FORMAT;
	unsigned n;

	if (x != NULL && p == (const unsigned char *)der + len &&
	    X509_digest(x, EVP_sha256(), ctx->thumb, &n) == 1 &&
	    SSL_CTX_use_certificate(ctx->ssl, x) == 1)
		r = CLV_OK;
	X509_free(x);
	return r;
}

static int
load_key(struct tls_ctx *ctx, const void *der, size_t len)
{
	const unsigned char *p = der;
	PKCS8_PRIV_KEY_INFO *info;
	EVP_PKEY *key = NULL;
	int r = CLV_E_FORMAT;

	info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)len);
	if (info != NULL && p == (const unsigned char *)der + len)
		key = EVP_PKCS82PKEY(info);
	if (key != NULL)
		r = SSL_CTX_use_PrivateKey(ctx->ssl, key) == 1 &&
			    SSL_CTX_check_private_key(ctx->ssl) == 1
			? CLV_OK
			: CLV_E_MISMATCH;
	EVP_PKEY_free(key);
	PKCS8_PRIV_KEY_INFO_free(info);
	return r;
}

int
tls_ctx_new(bool server, const void *cert_der, size_t cert_len,
    const void *key_der, size_t key_len, tls_pin_fn pin, void *arg,
    struct tls_ctx **ret)
{
	struct tls_ctx *ctx;
	int r;

	if ((r = tls_init()) != CLV_OK)
		return r;
	/* OpenSSL writes without MSG_NOSIGNAL, and a peer that has gone must
	 * not be the end of this process. */
	signal(SIGPIPE, SIG_IGN);
	if ((ctx = calloc(1, sizeof(*ctx))) == NULL)
		return CLV_E_NOMEM;
	*ctx = (struct tls_ctx){.pin = pin, .arg = arg, .refs = 1};
	ctx->server = server;
	ctx->ssl = SSL_CTX_new_ex(tls_lib(), NULL,
	    server ? TLS_server_method() : TLS_client_method());
	r = CLV_E_NOMEM;
	if (ctx->ssl == NULL || (r = ctx_harden(ctx->ssl)) != CLV_OK)
		goto out;
	SSL_CTX_set_verify(
	    ctx->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_verify_callback(ctx->ssl, on_certificate, ctx);
	if ((r = load_certificate(ctx, cert_der, cert_len)) != CLV_OK ||
	    (r = load_key(ctx, key_der, key_len)) != CLV_OK)
		goto out;
	*ret = ctx;
	ctx = NULL; /* transferred */
out:
	tls_ctx_free(&ctx);
	ERR_clear_error();
	return r;
}

void
tls_ctx_free(struct tls_ctx **ctx)
{
	struct tls_ctx *c = *ctx;

	*ctx = NULL;
	if (c == NULL || --c->refs > 0)
		return;
	SSL_CTX_free(c->ssl);
	free(c);
}

int
tls_conn_new(struct tls_ctx *ctx, int fd, struct tls_conn **ret)
{
	struct tls_conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return CLV_E_NOMEM;
	c->ssl = SSL_new(ctx->ssl);
	if (c->ssl == NULL || SSL_set_fd(c->ssl, fd) != 1) {
		SSL_free(c->ssl);
		free(c);
		ERR_clear_error();
		return CLV_E_NOMEM;
	}
	SSL_set_app_data(c->ssl, c);
	if (ctx->server)
		SSL_set_accept_state(c->ssl);
	else
		SSL_set_connect_state(c->ssl);
	c->ctx = ctx;
	ctx->refs++;
	c->fd = fd;
	c->pin_refused = true;
	c->want = ctx->server ? CLV_WANT_READ : CLV_WANT_WRITE;
	*ret = c;
	return CLV_OK;
}

void
tls_conn_free(struct tls_conn **conn)
{
	struct tls_conn *c = *conn;

	*conn = NULL;
	if (c == NULL)
		return;
	/* No close_notify: frames have lengths, so nobody takes a truncated
	 * one for whole, and for thousands at a demotion it takes too long. */
	SSL_free(c->ssl);
	ERR_clear_error();
	close(c->fd);
	tls_ctx_free(&c->ctx);
	free(c);
}

int
tls_conn_fd(const struct tls_conn *c)
{
	return c->fd;
}

enum clv_want
tls_conn_want(const struct tls_conn *c)
{
	return c->want;
}

const uint8_t *
tls_conn_thumb(const struct tls_conn *c)
{
	return c->thumb;
}

int
tls_conn_cert(const struct tls_conn *c, struct clv_buf *ret)
{
	X509 *x = SSL_get0_peer_certificate(c->ssl);
	unsigned char *der = NULL;
	int len = x == NULL ? 0 : i2d_X509(x, &der);

	if (x == NULL)
		return CLV_E_NOT_FOUND;
	if (len <= 0)
		return CLV_E_NOMEM;
	clv_buf_raw(ret, der, (size_t)len);
	OPENSSL_free(der);
	return clv_buf_result(ret);
}

int
tls_conn_binding(const struct tls_conn *c, uint8_t ret[static TLS_BINDING_LEN])
{
	static const char label[] = "EXPORTER-claviger-join";
	int ok = SSL_export_keying_material(
	    c->ssl, ret, TLS_BINDING_LEN, label, sizeof(label) - 1, NULL, 0, 0);

	ERR_clear_error();
	return ok == 1 ? CLV_OK : CLV_E_TLS;
}

const char *
tls_conn_text(const struct tls_conn *c)
{
	return c->text;
}

enum about {
	NOBODY,
	PEER,
	OURSELVES
}; /* whose thumbprint the text ends with */

/* What a person should read for the failures that people meet. */
static const struct {
	int reason;
	int result;
	enum about about;
	const char *text;
} reasons[] = {
    {SSL_R_CERTIFICATE_VERIFY_FAILED, CLV_E_UNKNOWN_PEER, PEER,
	"the peer's certificate is not enrolled: thumbprint "},
    {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, CLV_E_UNKNOWN_PEER, OURSELVES,
	"the peer does not know our certificate: thumbprint "},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, CLV_E_DENIED, OURSELVES,
	"our certificate has ended, and the peer enforces that: thumbprint "},
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, CLV_E_TLS, NOBODY,
	"the peer sent no certificate"},
    {SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, CLV_E_TLS, NOBODY,
	"the peer demands a certificate"},
    {SSL_R_UNSUPPORTED_PROTOCOL, CLV_E_TLS, NOBODY,
	"the peer does not speak TLS version 1.3"},
    {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, CLV_E_TLS, NOBODY,
	"the peer refuses TLS version 1.3"},
    {SSL_R_WRONG_VERSION_NUMBER, CLV_E_TLS, NOBODY,
	"the peer does not speak TLS"},
    {SSL_R_HTTP_REQUEST, CLV_E_TLS, NOBODY, "the peer speaks HTTP, not TLS"},
    {SSL_R_EXCESSIVE_MESSAGE_SIZE, CLV_E_TLS, NOBODY,
	"the peer's certificate message is too long"},
    {SSL_R_UNEXPECTED_EOF_WHILE_READING, CLV_E_NO_SERVER, NOBODY,
	"the peer closed the connection"},
};

static int
explain(struct tls_conn *c, unsigned long error)
{
	char hex[2 * THUMB_LEN + 1] = "";
	const char *name = ERR_reason_error_string(error);
	size_t i;

	if (c->ended) {
		sodium_bin2hex(hex, sizeof(hex), c->thumb, THUMB_LEN);
		snprintf(c->text, sizeof(c->text),
		    "the peer's certificate has ended (enforce_expiry): "
		    "thumbprint %s",
		    hex);
		return CLV_E_DENIED;
	}
	for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (ERR_GET_LIB(error) != ERR_LIB_SSL ||
		    ERR_GET_REASON(error) != reasons[i].reason)
			continue;
		if (reasons[i].about != NOBODY)
			sodium_bin2hex(hex, sizeof(hex),
			    reasons[i].about == PEER ? c->thumb : c->ctx->thumb,
			    THUMB_LEN);
		snprintf(
		    c->text, sizeof(c->text), "%s%s", reasons[i].text, hex);
		return reasons[i].result;
	}
	snprintf(c->text, sizeof(c->text), "TLS failed: %s",
	    name == NULL ? "unknown reason" : name);
	return CLV_E_TLS;
}

static int
lost(struct tls_conn *c, int error)
{
	if (error == 0)
		snprintf(
		    c->text, sizeof(c->text), "the peer closed the connection");
	else
		snprintf(c->text, sizeof(c->text), "connection lost: %s",
		    strerror(error));
	return CLV_E_NO_SERVER;
}

/* Turn what an SSL function returned into a result, a wish and a text. */
static int
judge(struct tls_conn *c, int ret, int error)
{
	unsigned long first = ERR_peek_error();
	int r;

	switch (SSL_get_error(c->ssl, ret)) {
	case SSL_ERROR_WANT_READ: c->want = CLV_WANT_READ; return CLV_E_AGAIN;
	case SSL_ERROR_WANT_WRITE: c->want = CLV_WANT_WRITE; return CLV_E_AGAIN;
	case SSL_ERROR_ZERO_RETURN: r = lost(c, 0); break;
	case SSL_ERROR_SYSCALL: r = lost(c, error); break;
	default: r = c->failed = explain(c, first); break;
	}
	c->want = CLV_WANT_NONE;
	ERR_clear_error();
	return r;
}

int
tls_conn_handshake(struct tls_conn *c)
{
	int n;

	ERR_clear_error();
	errno = 0;
	n = SSL_do_handshake(c->ssl);
	if (n != 1)
		return judge(c, n, errno);
	/* Whatever OpenSSL thinks: nobody is served whose pin was not seen. */
	if (c->pin_refused || SSL_session_reused(c->ssl)) {
		snprintf(c->text, sizeof(c->text),
		    "the peer's certificate was not checked");
		return CLV_E_UNKNOWN_PEER;
	}
	c->want = CLV_WANT_READ;
	return CLV_OK;
}

int
tls_conn_read(struct tls_conn *c, void *p, size_t cap, size_t *ret_len)
{
	int n;

	if (c->failed != CLV_OK)
		return c->failed;
	ERR_clear_error();
	errno = 0;
	n = SSL_read_ex(c->ssl, p, cap, ret_len);
	if (n != 1)
		return judge(c, n, errno);
	c->want = CLV_WANT_READ;
	return CLV_OK;
}

int
tls_conn_write(struct tls_conn *c, const void *p, size_t len, size_t *ret_len)
{
	int n;

	if (c->failed != CLV_OK)
		return c->failed;
	ERR_clear_error();
	errno = 0;
	n = SSL_write_ex(c->ssl, p, len, ret_len);
	if (n != 1)
		return judge(c, n, errno);
	c->want = CLV_WANT_WRITE;
	return CLV_OK;
}
