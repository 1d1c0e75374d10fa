/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <claviger/result.h>
#include <claviger/wire.h>
#include "daemon/front/tls.h"
#include "tls_party.h"

static struct party server, client, stranger;

static void
setup(void)
{
	ck_assert_int_ge(sodium_init(), 0);
	party_init(&server, "server");
	party_init(&client, "client");
	party_init(&stranger, "stranger");
}

static void
teardown(void)
{
	party_fini(&server);
	party_fini(&client);
	party_fini(&stranger);
}

static struct tls_ctx *
make_ctx(bool is_server, const struct party *p, struct party *pinned)
{
	struct tls_ctx *ctx = NULL;

	ck_assert_int_eq(
	    tls_ctx_new(is_server, p->cert.data, p->cert.len, p->key.data,
		p->key.len, pins_one, pinned->thumb, &ctx),
	    CLV_OK);
	return ctx;
}

static void
make_pair(int fds[static 2])
{
	ck_assert_int_eq(
	    socketpair(
		AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
	    0);
}

/* Two ends of one connection, each with its own context. */
struct pair {
	struct tls_ctx *sctx, *cctx;
	struct tls_conn *s, *c;
	int rs, rc;
};

static void
pair_init(struct pair *p, const struct party *sp, struct party *spin,
    const struct party *cp, struct party *cpin)
{
	int fds[2];

	make_pair(fds);
	p->sctx = make_ctx(true, sp, spin);
	p->cctx = make_ctx(false, cp, cpin);
	ck_assert_int_eq(tls_conn_new(p->sctx, fds[0], &p->s), CLV_OK);
	ck_assert_int_eq(tls_conn_new(p->cctx, fds[1], &p->c), CLV_OK);
	p->rs = p->rc = CLV_E_AGAIN;
}

static void
pair_shake(struct pair *p)
{
	int i;

	for (i = 0; i < 20; i++) {
		if (p->rc == CLV_E_AGAIN)
			p->rc = tls_conn_handshake(p->c);
		if (p->rs == CLV_E_AGAIN)
			p->rs = tls_conn_handshake(p->s);
	}
}

static void
pair_fini(struct pair *p)
{
	tls_conn_free(&p->s);
	tls_conn_free(&p->c);
	tls_ctx_free(&p->sctx);
	tls_ctx_free(&p->cctx);
}

static void
must_carry(struct tls_conn *from, struct tls_conn *to)
{
	char got[8] = "";
	size_t n = 0;

	ck_assert_int_eq(tls_conn_write(from, "hello", 5, &n), CLV_OK);
	ck_assert_uint_eq(n, 5);
	ck_assert_int_eq(tls_conn_read(to, got, sizeof(got), &n), CLV_OK);
	ck_assert_uint_eq(n, 5);
	ck_assert_str_eq(got, "hello");
}

START_TEST(both_sides_pinned_works_and_each_knows_the_other)
{
	struct pair p;

	pair_init(&p, &server, &client, &client, &server);
	pair_shake(&p);
	ck_assert_int_eq(p.rs, CLV_OK);
	ck_assert_int_eq(p.rc, CLV_OK);
	ck_assert_mem_eq(tls_conn_thumb(p.s), client.thumb, 32);
	ck_assert_mem_eq(tls_conn_thumb(p.c), server.thumb, 32);
	must_carry(p.c, p.s);
	must_carry(p.s, p.c);
	pair_fini(&p);
}
END_TEST

START_TEST(read_of_nothing_says_again_and_wants_to_read)
{
	struct pair p;
	char byte;
	size_t n;

	pair_init(&p, &server, &client, &client, &server);
	pair_shake(&p);
	ck_assert_int_eq(tls_conn_read(p.s, &byte, 1, &n), CLV_E_AGAIN);
	ck_assert_int_eq(tls_conn_want(p.s), CLV_WANT_READ);
	pair_fini(&p);
}
END_TEST

START_TEST(full_socket_says_again_and_wants_to_write)
{
	static uint8_t block[16384];
	struct pair p;
	size_t n;
	int i, r = CLV_OK;

	pair_init(&p, &server, &client, &client, &server);
	pair_shake(&p);
	for (i = 0; i < 1000 && r == CLV_OK; i++)
		r = tls_conn_write(p.s, block, sizeof(block), &n);
	ck_assert_int_eq(r, CLV_E_AGAIN);
	ck_assert_int_eq(tls_conn_want(p.s), CLV_WANT_WRITE);
	pair_fini(&p);
}
END_TEST

static void
must_name(const char *text, const struct party *who)
{
	char hex[65];

	sodium_bin2hex(hex, sizeof(hex), who->thumb, 32);
	ck_assert_msg(strstr(text, hex) != NULL, "%s", text);
}

START_TEST(unknown_client_is_refused_and_both_sides_name_its_thumbprint)
{
	struct pair p;
	char byte;
	size_t n;

	pair_init(&p, &server, &client, &stranger, &server);
	pair_shake(&p);
	ck_assert_int_eq(p.rs, CLV_E_UNKNOWN_PEER);
	must_name(tls_conn_text(p.s), &stranger);
	ck_assert_ptr_nonnull(strstr(tls_conn_text(p.s), "not enrolled"));
	/* It takes the handshake for done, and learns by reading. */
	ck_assert_int_eq(p.rc, CLV_OK);
	ck_assert_int_eq(tls_conn_read(p.c, &byte, 1, &n), CLV_E_UNKNOWN_PEER);
	must_name(tls_conn_text(p.c), &stranger);
	ck_assert_ptr_nonnull(strstr(tls_conn_text(p.c), "does not know our"));
	pair_fini(&p);
}
END_TEST

START_TEST(unknown_server_is_refused_and_both_sides_name_its_thumbprint)
{
	struct pair p;

	pair_init(&p, &stranger, &client, &client, &server);
	pair_shake(&p);
	ck_assert_int_eq(p.rc, CLV_E_UNKNOWN_PEER);
	must_name(tls_conn_text(p.c), &stranger);
	ck_assert_int_eq(p.rs, CLV_E_UNKNOWN_PEER);
	must_name(tls_conn_text(p.s), &stranger);
	pair_fini(&p);
}
END_TEST

START_TEST(closed_connection_is_told_apart_from_a_refusal)
{
	struct pair p;
	char byte;
	size_t n;

	pair_init(&p, &server, &client, &client, &server);
	pair_shake(&p);
	tls_conn_free(&p.c);
	ck_assert_int_eq(tls_conn_read(p.s, &byte, 1, &n), CLV_E_NO_SERVER);
	ck_assert_str_eq(tls_conn_text(p.s), "the peer closed the connection");
	pair_fini(&p);
}
END_TEST

START_TEST(end_without_goodbye_is_a_closed_connection_too)
{
	struct pair p;
	char byte;
	size_t n;

	pair_init(&p, &server, &client, &client, &server);
	pair_shake(&p);
	ck_assert_int_eq(shutdown(tls_conn_fd(p.c), SHUT_RDWR), 0);
	ck_assert_int_eq(tls_conn_read(p.s, &byte, 1, &n), CLV_E_NO_SERVER);
	ck_assert_int_eq(tls_conn_write(p.s, "x", 1, &n), CLV_E_NO_SERVER);
	pair_fini(&p);
}
END_TEST

START_TEST(end_in_the_handshake_is_a_closed_connection)
{
	struct pair p;

	pair_init(&p, &server, &client, &client, &server);
	tls_conn_free(&p.c);
	ck_assert_int_eq(tls_conn_handshake(p.s), CLV_E_NO_SERVER);
	pair_fini(&p);
}
END_TEST

START_TEST(replaced_context_leaves_live_connections_alone)
{
	struct pair p, q;

	pair_init(&p, &server, &client, &client, &server);
	pair_shake(&p);
	tls_ctx_free(&p.sctx);
	tls_ctx_free(&p.cctx);
	must_carry(p.c, p.s);
	/* and new ones have the new certificate */
	pair_init(&q, &stranger, &client, &client, &stranger);
	pair_shake(&q);
	ck_assert_int_eq(q.rs, CLV_OK);
	ck_assert_mem_eq(tls_conn_thumb(q.c), stranger.thumb, 32);
	must_carry(p.s, p.c);
	pair_fini(&p);
	pair_fini(&q);
}
END_TEST

START_TEST(bad_certificate_and_key_have_their_own_results)
{
	struct tls_ctx *ctx = NULL;

	ck_assert_int_eq(tls_ctx_new(true, "x", 1, server.key.data,
			     server.key.len, pins_one, NULL, &ctx),
	    CLV_E_FORMAT);
	ck_assert_int_eq(tls_ctx_new(true, server.cert.data, server.cert.len,
			     "x", 1, pins_one, NULL, &ctx),
	    CLV_E_FORMAT);
	ck_assert_int_eq(
	    tls_ctx_new(true, server.cert.data, server.cert.len,
		client.key.data, client.key.len, pins_one, NULL, &ctx),
	    CLV_E_MISMATCH);
	ck_assert_ptr_null(ctx);
}
END_TEST

START_TEST(binding_is_the_same_at_both_ends_and_of_one_connection)
{
	uint8_t at_s[TLS_BINDING_LEN], at_c[TLS_BINDING_LEN];
	struct pair p, q;

	pair_init(&p, &server, &client, &client, &server);
	pair_init(&q, &server, &client, &client, &server);
	ck_assert_int_eq(tls_conn_binding(p.s, at_s), CLV_E_TLS);
	pair_shake(&p);
	pair_shake(&q);
	ck_assert_int_eq(tls_conn_binding(p.s, at_s), CLV_OK);
	ck_assert_int_eq(tls_conn_binding(p.c, at_c), CLV_OK);
	ck_assert_mem_eq(at_s, at_c, sizeof(at_s));
	ck_assert_int_eq(tls_conn_binding(q.c, at_c), CLV_OK);
	ck_assert_mem_ne(at_s, at_c, sizeof(at_s));
	pair_fini(&p);
	pair_fini(&q);
}
END_TEST

START_TEST(self_test_passes)
{
	ck_assert_int_eq(tls_self_test(), CLV_OK);
}
END_TEST

/* ---- when memory runs out ---- */

static long countdown; /* allocations until one fails; 0: none does */

static bool
fails_now(void)
{
	return countdown > 0 && --countdown == 0;
}

static void *
test_malloc(size_t n, const char *file, int line)
{
	return fails_now() ? NULL : malloc(n);
}

static void *
test_realloc(void *p, size_t n, const char *file, int line)
{
	return fails_now() ? NULL : realloc(p, n);
}

static void
test_free(void *p, const char *file, int line)
{
	free(p);
}

/* The n-th allocation fails, and a stranger does not get in for it, nor does
 * anything else go wrong; with steps, as there are thousands. */
START_TEST(stranger_is_not_let_in_when_memory_runs_out)
{
	struct pair p;
	long n, left = 0;
	char byte;
	size_t len;

	for (n = 1; left == 0; n += 1 + n / 40) {
		pair_init(&p, &server, &client, &stranger, &server);
		countdown = n;
		pair_shake(&p);
		left = countdown;
		countdown = 0;
		ck_assert_int_ne(p.rs, CLV_OK);
		if (p.rc == CLV_OK)
			ck_assert_int_ne(
			    tls_conn_read(p.c, &byte, 1, &len), CLV_OK);
		pair_fini(&p);
	}
	ck_assert_int_gt(n, 100);
}
END_TEST

START_TEST(failing_allocation_fails_the_connection_and_no_more)
{
	struct tls_ctx *ctx;
	struct pair p;
	long n, left = 0;

	for (n = 1; left == 0; n += 1 + n / 40) {
		ctx = NULL;
		countdown = n;
		if (tls_ctx_new(true, server.cert.data, server.cert.len,
			server.key.data, server.key.len, pins_one, client.thumb,
			&ctx) != CLV_OK)
			ck_assert_ptr_null(ctx);
		left = countdown;
		countdown = 0;
		tls_ctx_free(&ctx);
	}
	pair_init(&p, &server, &client, &client, &server);
	pair_shake(&p);
	must_carry(p.c, p.s);
	pair_fini(&p);
}
END_TEST

/* ---- against another program's ways: OpenSSL used directly ---- */

struct raw {
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
	struct tls_ctx *sctx;
	struct tls_conn *s;
	int rs; /* our end's result */
	int rc; /* 1, or <= 0 */
	int tickets;
};

static EVP_PKEY *
raw_key(const struct party *p)
{
	const unsigned char *der = p->key.data;

	return d2i_AutoPrivateKey(NULL, &der, (long)p->key.len);
}

static X509 *
raw_cert(const struct party *p)
{
	const unsigned char *der = p->cert.data;

	return d2i_X509(NULL, &der, (long)p->cert.len);
}

static int
count_ticket(SSL *ssl, SSL_SESSION *session)
{
	struct raw *r = SSL_get_app_data(ssl);

	r->tickets++;
	return 0;
}

static void
raw_init(struct raw *r, const struct party *cert)
{
	memset(r, 0, sizeof(*r));
	r->ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_session_cache_mode(
	    r->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(r->ctx, count_ticket);
	if (cert != NULL) {
		X509 *x = raw_cert(cert);
		EVP_PKEY *k = raw_key(cert);

		ck_assert_int_eq(SSL_CTX_use_certificate(r->ctx, x), 1);
		ck_assert_int_eq(SSL_CTX_use_PrivateKey(r->ctx, k), 1);
		X509_free(x);
		EVP_PKEY_free(k);
	}
	r->sctx = make_ctx(true, &server, &client);
}

static void
raw_shake(struct raw *r)
{
	int fds[2], i;

	make_pair(fds);
	r->fd = fds[1];
	ck_assert_int_eq(tls_conn_new(r->sctx, fds[0], &r->s), CLV_OK);
	r->ssl = SSL_new(r->ctx);
	SSL_set_app_data(r->ssl, r);
	SSL_set_fd(r->ssl, fds[1]);
	SSL_set_connect_state(r->ssl);
	r->rs = CLV_E_AGAIN;
	for (i = 0; i < 50; i++) {
		if (r->rc != 1)
			r->rc = SSL_do_handshake(r->ssl);
		if (r->rs == CLV_E_AGAIN)
			r->rs = tls_conn_handshake(r->s);
	}
}

static void
raw_fini(struct raw *r)
{
	SSL_free(r->ssl);
	close(r->fd);
	SSL_CTX_free(r->ctx);
	tls_conn_free(&r->s);
	tls_ctx_free(&r->sctx);
	ERR_clear_error();
}

START_TEST(plain_openssl_client_with_the_pinned_certificate_is_served)
{
	struct raw r;

	raw_init(&r, &client);
	raw_shake(&r);
	ck_assert_int_eq(r.rs, CLV_OK);
	ck_assert_int_eq(r.rc, 1);
	ck_assert_str_eq(SSL_get_version(r.ssl), "TLSv1.3");
	raw_fini(&r);
}
END_TEST

START_TEST(tls_1_2_is_refused_by_name)
{
	struct raw r;

	raw_init(&r, &client);
	SSL_CTX_set_max_proto_version(r.ctx, TLS1_2_VERSION);
	raw_shake(&r);
	ck_assert_int_eq(r.rs, CLV_E_TLS);
	ck_assert_ptr_nonnull(strstr(tls_conn_text(r.s), "TLS version 1.3"));
	ck_assert_int_ne(r.rc, 1);
	raw_fini(&r);
}
END_TEST

START_TEST(client_without_a_certificate_is_refused_by_name)
{
	struct raw r;

	raw_init(&r, NULL);
	raw_shake(&r);
	ck_assert_int_eq(r.rs, CLV_E_TLS);
	ck_assert_str_eq(tls_conn_text(r.s), "the peer sent no certificate");
	raw_fini(&r);
}
END_TEST

START_TEST(other_groups_than_ours_are_refused)
{
	struct raw r;

	raw_init(&r, &client);
	ck_assert_int_eq(SSL_CTX_set1_groups_list(r.ctx, "P-521:X448"), 1);
	raw_shake(&r);
	ck_assert_int_eq(r.rs, CLV_E_TLS);
	raw_fini(&r);
	raw_init(&r, &client);
	ck_assert_int_eq(SSL_CTX_set1_groups_list(r.ctx, "P-256"), 1);
	raw_shake(&r);
	ck_assert_int_eq(r.rs, CLV_OK);
	raw_fini(&r);
}
END_TEST

/* What OpenSSL takes for the key of `of`, and signs with that of `by`. */
static EVP_PKEY *
wrong_key(const struct party *of, const struct party *by)
{
	EVP_PKEY *shown = raw_key(of), *used = raw_key(by), *ret = NULL;
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params;
	uint8_t pub[128];
	BIGNUM *priv = NULL;
	size_t len;

	ck_assert_int_eq(EVP_PKEY_get_octet_string_param(shown,
			     OSSL_PKEY_PARAM_PUB_KEY, pub, sizeof(pub), &len),
	    1);
	ck_assert_int_eq(
	    EVP_PKEY_get_bn_param(used, OSSL_PKEY_PARAM_PRIV_KEY, &priv), 1);
	OSSL_PARAM_BLD_push_utf8_string(
	    b, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
	OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, pub, len);
	OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_PRIV_KEY, priv);
	params = OSSL_PARAM_BLD_to_param(b);
	ck_assert_int_eq(EVP_PKEY_fromdata_init(c), 1);
	ck_assert_int_eq(
	    EVP_PKEY_fromdata(c, &ret, EVP_PKEY_KEYPAIR, params), 1);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(b);
	BN_clear_free(priv);
	EVP_PKEY_CTX_free(c);
	EVP_PKEY_free(used);
	EVP_PKEY_free(shown);
	return ret;
}

START_TEST(pinned_certificate_without_its_key_is_refused)
{
	EVP_PKEY *key = wrong_key(&client, &stranger);
	struct raw r;

	raw_init(&r, &client);
	ck_assert_int_eq(SSL_CTX_use_PrivateKey(r.ctx, key), 1);
	raw_shake(&r);
	ck_assert_int_eq(r.rs, CLV_E_TLS);
	raw_fini(&r);
	EVP_PKEY_free(key);
}
END_TEST

START_TEST(huge_chain_is_refused_and_pinned_leaf_does_not_help)
{
	struct raw r;
	int i;

	raw_init(&r, &client);
	for (i = 0; i < 40; i++)
		SSL_CTX_add_extra_chain_cert(r.ctx, raw_cert(&stranger));
	raw_shake(&r);
	ck_assert_int_eq(r.rs, CLV_E_TLS);
	ck_assert_ptr_nonnull(strstr(tls_conn_text(r.s), "too long"));
	raw_fini(&r);
}
END_TEST

START_TEST(pinned_certificate_further_up_the_chain_is_not_the_leaf)
{
	struct raw r;

	raw_init(&r, &stranger);
	SSL_CTX_add_extra_chain_cert(r.ctx, raw_cert(&client));
	raw_shake(&r);
	ck_assert_int_eq(r.rs, CLV_E_UNKNOWN_PEER);
	must_name(tls_conn_text(r.s), &stranger);
	raw_fini(&r);
}
END_TEST

/* Traffic both ways, in which a ticket would be seen. */
static void
raw_talk(struct raw *r)
{
	char got[8];
	size_t n;

	ck_assert_int_eq(tls_conn_write(r->s, "hi", 2, &n), CLV_OK);
	ck_assert_int_eq(SSL_read(r->ssl, got, sizeof(got)), 2);
	ck_assert_int_eq(SSL_write(r->ssl, "yo", 2), 2);
	ck_assert_int_eq(tls_conn_read(r->s, got, sizeof(got), &n), CLV_OK);
}

START_TEST(no_session_ticket_is_ever_sent)
{
	struct raw r;

	raw_init(&r, &client);
	raw_shake(&r);
	raw_talk(&r);
	ck_assert_int_eq(r.tickets, 0);
	ck_assert_int_eq(SSL_SESSION_is_resumable(SSL_get0_session(r.ssl)), 0);
	raw_fini(&r);
}
END_TEST

static void
offer_session(SSL *ssl)
{
	/* As much of a session as a client can make up by itself. */
	SSL_SESSION *x = SSL_SESSION_new();
	uint8_t key[32] = {1}, id[32] = {2};

	SSL_SESSION_set1_master_key(x, key, sizeof(key));
	SSL_SESSION_set_protocol_version(x, TLS1_3_VERSION);
	SSL_SESSION_set_cipher(
	    x, SSL_CIPHER_find(ssl, (const unsigned char *)"\x13\x02"));
	SSL_SESSION_set1_id(x, id, sizeof(id));
	ck_assert_int_eq(SSL_set_session(ssl, x), 1);
	SSL_SESSION_free(x);
}

START_TEST(offered_session_is_not_resumed)
{
	struct raw r;
	int fds[2], i;

	raw_init(&r, &client);
	make_pair(fds);
	r.fd = fds[1];
	ck_assert_int_eq(tls_conn_new(r.sctx, fds[0], &r.s), CLV_OK);
	r.ssl = SSL_new(r.ctx);
	SSL_set_app_data(r.ssl, &r);
	SSL_set_fd(r.ssl, fds[1]);
	SSL_set_connect_state(r.ssl);
	offer_session(r.ssl);
	r.rs = CLV_E_AGAIN;
	for (i = 0; i < 50; i++) {
		if (r.rc != 1)
			r.rc = SSL_do_handshake(r.ssl);
		if (r.rs == CLV_E_AGAIN)
			r.rs = tls_conn_handshake(r.s);
	}
	/* A full handshake, in which the certificate was looked at. */
	ck_assert_int_eq(r.rs, CLV_OK);
	ck_assert_int_eq(SSL_session_reused(r.ssl), 0);
	ck_assert_mem_eq(tls_conn_thumb(r.s), client.thumb, 32);
	raw_fini(&r);
}
END_TEST

START_TEST(renegotiation_is_impossible)
{
	struct raw r;

	raw_init(&r, &client);
	raw_shake(&r);
	ck_assert_int_eq(SSL_renegotiate(r.ssl), 0);
	raw_talk(&r);
	raw_fini(&r);
}
END_TEST

START_TEST(certificate_after_the_handshake_cannot_be_asked_for)
{
	struct raw r;

	raw_init(&r, &client);
	SSL_CTX_set_post_handshake_auth(r.ctx, 1);
	raw_shake(&r);
	ck_assert_int_eq(r.rs, CLV_OK);
	raw_talk(&r);
	raw_fini(&r);
}
END_TEST

/* Each costs us more than a short record of data, and says nothing: one read
 * must not go through all that have come, while everybody else waits. */
START_TEST(flood_of_key_updates_is_read_one_by_one)
{
	int before, after, pending = 0;
	struct raw r;
	uint8_t byte;
	size_t n;

	raw_init(&r, &client);
	raw_shake(&r);
	ck_assert_int_eq(r.rs, CLV_OK);
	for (int i = 0; i < 64; i++) {
		ck_assert_int_eq(
		    SSL_key_update(r.ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
		ck_assert_int_eq(SSL_do_handshake(r.ssl), 1);
	}
	ck_assert_int_eq(SSL_write(r.ssl, "x", 1), 1);
	ck_assert_int_eq(ioctl(tls_conn_fd(r.s), FIONREAD, &before), 0);
	ck_assert_int_eq(tls_conn_read(r.s, &byte, 1, &n), CLV_E_AGAIN);
	ck_assert_int_eq(tls_conn_want(r.s), CLV_WANT_READ);
	ck_assert_int_eq(ioctl(tls_conn_fd(r.s), FIONREAD, &after), 0);
	ck_assert_int_gt(after, before - before / 32);
	/* Nothing is lost by it. */
	for (int i = 0; i < 64; i++) {
		ck_assert_int_eq(
		    ioctl(tls_conn_fd(r.s), FIONREAD, &pending), 0);
		ck_assert_int_gt(pending, 0);
		if (tls_conn_read(r.s, &byte, 1, &n) == CLV_OK)
			break;
	}
	ck_assert_int_eq(byte, 'x');
	raw_fini(&r);
}
END_TEST

START_TEST(http_request_is_refused_by_name)
{
	static const char get[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
	struct tls_ctx *ctx = make_ctx(true, &server, &client);
	struct tls_conn *s;
	int fds[2];

	make_pair(fds);
	ck_assert_int_eq(tls_conn_new(ctx, fds[0], &s), CLV_OK);
	ck_assert_int_eq(write(fds[1], get, sizeof(get)), sizeof(get));
	ck_assert_int_eq(tls_conn_handshake(s), CLV_E_TLS);
	ck_assert_ptr_nonnull(strstr(tls_conn_text(s), "not TLS"));
	tls_conn_free(&s);
	tls_ctx_free(&ctx);
	close(fds[1]);
}
END_TEST

START_TEST(random_bytes_are_refused)
{
	struct tls_ctx *ctx = make_ctx(true, &server, &client);
	struct tls_conn *s;
	uint8_t junk[512];
	int fds[2], i, r;

	for (i = 0; i < 200; i++) {
		make_pair(fds);
		ck_assert_int_eq(tls_conn_new(ctx, fds[0], &s), CLV_OK);
		randombytes_buf(junk, sizeof(junk));
		if (i % 2 == 0) /* a plausible record head */
			memcpy(junk, "\x16\x03\x01\x01\x00\x01\x00\x00\xfc", 9);
		ck_assert_int_eq(
		    write(fds[1], junk, sizeof(junk)), sizeof(junk));
		close(fds[1]);
		do
			r = tls_conn_handshake(s);
		while (r == CLV_E_AGAIN);
		ck_assert_int_ne(r, CLV_OK);
		ck_assert_str_ne(tls_conn_text(s), "");
		tls_conn_free(&s);
	}
	tls_ctx_free(&ctx);
}
END_TEST

/* Make a party's certificate anew with other dates. */
static void
change_dates(struct party *p, long from_s, long to_s)
{
	X509 *x = raw_cert(p);
	EVP_PKEY *k = raw_key(p);
	unsigned char *der = NULL;
	int len;

	X509_gmtime_adj(X509_getm_notBefore(x), from_s);
	X509_gmtime_adj(X509_getm_notAfter(x), to_s);
	ck_assert_int_gt(X509_sign(x, k, EVP_sha256()), 0);
	len = i2d_X509(x, &der);
	ck_assert_int_gt(len, 0);
	clv_buf_reset(&p->cert);
	clv_buf_raw(&p->cert, der, (size_t)len);
	ck_assert_int_eq(
	    cert_thumb(p->cert.data, p->cert.len, p->thumb), CLV_OK);
	OPENSSL_free(der);
	X509_free(x);
	EVP_PKEY_free(k);
}

START_TEST(expired_and_future_certificates_are_accepted_by_their_pin)
{
	struct pair p;

	change_dates(&server, -2 * 86400L, -86400L);
	change_dates(&client, 86400L, 2 * 86400L);
	pair_init(&p, &server, &client, &client, &server);
	pair_shake(&p);
	ck_assert_int_eq(p.rs, CLV_OK);
	ck_assert_int_eq(p.rc, CLV_OK);
	pair_fini(&p);
}
END_TEST

/* The server's, or the client's: it is refused, and both ends say so. */
START_TEST(expired_certificate_is_refused_where_that_is_enforced)
{
	struct party *old = _i == 0 ? &server : &client;
	struct tls_conn *refuses, *is_refused;
	uint8_t byte;
	struct pair p;
	size_t n;

	change_dates(old, -2 * 86400L, -1);
	tls_enforce_expiry(true);
	pair_init(&p, &server, &client, &client, &server);
	pair_shake(&p);
	refuses = _i == 0 ? p.c : p.s;
	is_refused = _i == 0 ? p.s : p.c;
	ck_assert_int_eq(_i == 0 ? p.rc : p.rs, CLV_E_DENIED);
	ck_assert_ptr_nonnull(strstr(tls_conn_text(refuses),
	    "the peer's certificate has ended (enforce_expiry): thumbprint "));
	if (_i == 0)
		ck_assert_int_eq(p.rs, CLV_E_DENIED);
	else
		ck_assert_int_eq(
		    tls_conn_read(is_refused, &byte, 1, &n), CLV_E_DENIED);
	ck_assert_ptr_nonnull(
	    strstr(tls_conn_text(is_refused), "our certificate has ended"));
	ck_assert_mem_eq(tls_conn_thumb(refuses), old->thumb, 32);
	pair_fini(&p);
	tls_enforce_expiry(false);
}
END_TEST

START_TEST(certificate_of_today_is_accepted_where_that_is_enforced)
{
	struct pair p;

	change_dates(&server, -2 * 86400L, 600);
	tls_enforce_expiry(true);
	pair_init(&p, &server, &client, &client, &server);
	pair_shake(&p);
	ck_assert_int_eq(p.rs, CLV_OK);
	ck_assert_int_eq(p.rc, CLV_OK);
	pair_fini(&p);
	tls_enforce_expiry(false);
}
END_TEST

/* Make a party's certificate and key anew, with another kind of key. */
static void
change_key(struct party *p, EVP_PKEY *k)
{
	int is_edwards =
	    EVP_PKEY_is_a(k, "ED25519") || EVP_PKEY_is_a(k, "ED448");
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(k);
	X509 *x = raw_cert(p);
	unsigned char *der = NULL;
	int len;

	ck_assert_int_eq(X509_set_pubkey(x, k), 1);
	ck_assert_int_gt(X509_sign(x, k, is_edwards ? NULL : EVP_sha256()), 0);
	len = i2d_X509(x, &der);
	clv_buf_reset(&p->cert);
	clv_buf_raw(&p->cert, der, (size_t)len);
	OPENSSL_free(der);
	der = NULL;
	len = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
	clv_buf_reset(&p->key);
	clv_buf_raw(&p->key, der, (size_t)len);
	OPENSSL_free(der);
	ck_assert_int_eq(
	    cert_thumb(p->cert.data, p->cert.len, p->thumb), CLV_OK);
	PKCS8_PRIV_KEY_INFO_free(info);
	X509_free(x);
	EVP_PKEY_free(k);
}

static EVP_PKEY *
pss_key(void)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
	EVP_PKEY *k = NULL;

	ck_assert_int_eq(EVP_PKEY_keygen_init(c), 1);
	ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_keygen_bits(c, 2048), 1);
	ck_assert_int_eq(EVP_PKEY_generate(c, &k), 1);
	EVP_PKEY_CTX_free(c);
	return k;
}

/* Whoever uses a certificate that is there already has any of these. */
START_TEST(every_kind_of_key_of_tls_1_3_is_read)
{
	EVP_PKEY *const keys[] = {EVP_EC_gen("P-384"), EVP_EC_gen("P-521"),
	    EVP_RSA_gen(2048), EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"),
	    EVP_PKEY_Q_keygen(NULL, NULL, "ED448"), pss_key()};
	struct pair p;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		ck_assert_ptr_nonnull(keys[i]);
		EVP_PKEY_up_ref(keys[i]);
		change_key(&server, keys[i]);
		change_key(&client, keys[i]);
		pair_init(&p, &server, &client, &client, &server);
		pair_shake(&p);
		ck_assert_msg(p.rs == CLV_OK && p.rc == CLV_OK, "key %zu: %s",
		    i, tls_conn_text(p.s));
		must_carry(p.c, p.s);
		pair_fini(&p);
	}
}
END_TEST

/* Pinned or not: who asks to join is verified, too. */
START_TEST(key_that_costs_much_to_verify_is_refused)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	EVP_PKEY *k = NULL;
	BIGNUM *e = BN_new();
	struct pair p;

	ck_assert_int_eq(BN_set_bit(e, 200), 1);
	ck_assert_int_eq(BN_set_bit(e, 0), 1);
	do {
		ck_assert_int_eq(EVP_PKEY_keygen_init(c), 1);
		ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_keygen_bits(c, 2048), 1);
		ck_assert_int_eq(EVP_PKEY_CTX_set1_rsa_keygen_pubexp(c, e), 1);
	} while (EVP_PKEY_generate(c, &k) != 1);
	change_key(&client, k);
	pair_init(&p, &server, &client, &client, &server);
	pair_shake(&p);
	ck_assert_int_eq(p.rs, CLV_E_UNKNOWN_PEER);
	pair_fini(&p);
	EVP_PKEY_CTX_free(c);
	BN_free(e);
}
END_TEST

START_TEST(same_key_in_another_certificate_is_another_party)
{
	struct pair p;
	struct party again;

	clv_buf_init(&again.cert);
	clv_buf_init(&again.key);
	clv_buf_raw(&again.cert, client.cert.data, client.cert.len);
	clv_buf_raw(&again.key, client.key.data, client.key.len);
	change_dates(&again, 0, 86400L);
	pair_init(&p, &server, &client, &again, &server);
	pair_shake(&p);
	ck_assert_int_eq(p.rs, CLV_E_UNKNOWN_PEER);
	pair_fini(&p);
	party_fini(&again);
}
END_TEST

/* ---- the blocking client, over loopback ---- */

enum play {
	ECHO,
	NOTICE, /* and then an echo */
	SILENCE,
	LONG_ANSWER,
	EMPTY_ANSWER,
	HANG_UP
};

struct host {
	int fd;
	uint16_t port;
	enum play play;
	struct party *pin;
	pthread_t thread;
};

/* All of len bytes, or false. */
static bool
host_read(struct tls_conn *s, uint8_t *p, size_t len)
{
	struct pollfd pfd = {.fd = tls_conn_fd(s), .events = POLLIN};
	size_t n;
	int r;

	while (len > 0) {
		r = tls_conn_read(s, p, len, &n);
		if (r == CLV_OK)
			p += n, len -= n;
		else if (r != CLV_E_AGAIN || poll(&pfd, 1, 5000) != 1)
			return false;
	}
	return true;
}

static void
host_serve(struct host *h, struct tls_conn *s)
{
	static const uint8_t notice[] = {
	    0, 0, 0, 12, 0, 0, 0, 7, 1, 0, 0, 0, 0, CLV_WIRE_NOTICE, 0, 0};
	uint8_t frame[4 + CLV_WIRE_REQUEST_MAX];
	struct pollfd pfd = {.fd = tls_conn_fd(s), .events = POLLIN};
	size_t len, n;
	int r;

	while ((r = tls_conn_handshake(s)) == CLV_E_AGAIN)
		poll(&pfd, 1, 5000);
	if (r != CLV_OK) {
		/* as the front does it */
		shutdown(tls_conn_fd(s), SHUT_WR);
		while (poll(&pfd, 1, 5000) == 1 &&
		       recv(tls_conn_fd(s), frame, sizeof(frame), 0) > 0)
			continue;
		return;
	}
	if (h->play == HANG_UP)
		return;
	if (h->play == NOTICE)
		tls_conn_write(s, notice, sizeof(notice), &n);
	while (host_read(s, frame, 4)) {
		len = (size_t)frame[2] << 8 | frame[3];
		if (!host_read(s, frame + 4, len))
			return;
		if (h->play == LONG_ANSWER)
			memcpy(frame, "\x00\x01\x00\x01", 4);
		if (h->play == EMPTY_ANSWER)
			memset(frame, 0, 4);
		if (h->play != SILENCE)
			tls_conn_write(s, frame, len + 4, &n);
	}
}

static void *
host_run(void *arg)
{
	struct host *h = arg;
	struct tls_ctx *ctx = NULL;
	struct tls_conn *s = NULL;
	int fd = accept4(h->fd, NULL, NULL, SOCK_NONBLOCK);

	if (fd < 0)
		return NULL;
	if (tls_ctx_new(true, server.cert.data, server.cert.len,
		server.key.data, server.key.len, pins_one, h->pin->thumb,
		&ctx) == CLV_OK &&
	    tls_conn_new(ctx, fd, &s) == CLV_OK)
		host_serve(h, s);
	tls_conn_free(&s);
	tls_ctx_free(&ctx);
	return NULL;
}

static void
host_listen(struct host *h)
{
	struct sockaddr_in in = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);

	h->fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(h->fd, (struct sockaddr *)&in, len), 0);
	ck_assert_int_eq(listen(h->fd, 4), 0);
	ck_assert_int_eq(getsockname(h->fd, (struct sockaddr *)&in, &len), 0);
	h->port = ntohs(in.sin_port);
}

static void
host_start(struct host *h, enum play play, struct party *pin)
{
	host_listen(h);
	h->play = play;
	h->pin = pin;
	ck_assert_int_eq(pthread_create(&h->thread, NULL, host_run, h), 0);
}

static void
host_stop(struct host *h)
{
	pthread_join(h->thread, NULL);
	close(h->fd);
}

static int
open_client(uint16_t port, const struct party *who, const struct party *pin,
    struct tls_client **ret, char why[static 256])
{
	return tls_client_open("127.0.0.1", port, who->cert.data, who->cert.len,
	    who->key.data, who->key.len, (const uint8_t(*)[32])pin->thumb, 1,
	    5000, ret, why);
}

/* One exchange of a body of len bytes with a host that plays so. */
static int
exchange(enum play play, size_t len, int timeout_ms, char why[static 256])
{
	struct tls_client *c = NULL;
	struct clv_buf body, answer;
	struct host h;
	size_t i;
	int r;

	host_start(&h, play, &client);
	clv_buf_init(&body);
	clv_buf_init(&answer);
	for (i = 0; i < len; i++)
		clv_buf_u8(&body, (uint8_t)i);
	ck_assert_int_eq(
	    open_client(h.port, &client, &server, &c, why), CLV_OK);
	r = tls_client_exchange(c, &body, &answer, timeout_ms, why);
	if (r == CLV_OK) {
		ck_assert_uint_eq(answer.len, len);
		ck_assert_mem_eq(answer.data, body.data, len);
	}
	tls_client_close(&c);
	host_stop(&h);
	clv_buf_fini(&body);
	clv_buf_fini(&answer);
	return r;
}

START_TEST(client_exchanges_frames)
{
	char why[256];

	ck_assert_int_eq(exchange(ECHO, 100, 5000, why), CLV_OK);
	ck_assert_int_eq(
	    exchange(ECHO, CLV_WIRE_REQUEST_MAX, 5000, why), CLV_OK);
}
END_TEST

START_TEST(client_takes_no_notice_for_an_answer)
{
	char why[256];

	ck_assert_int_eq(exchange(NOTICE, 100, 5000, why), CLV_OK);
}
END_TEST

START_TEST(client_gives_up_on_a_silent_server)
{
	char why[256];

	ck_assert_int_eq(exchange(SILENCE, 10, 50, why), CLV_E_TIMEOUT);
	ck_assert_str_eq(why, clv_result_text(CLV_E_TIMEOUT));
}
END_TEST

START_TEST(client_refuses_frames_of_no_or_too_much_length)
{
	char why[256];

	ck_assert_int_eq(exchange(LONG_ANSWER, 10, 5000, why), CLV_E_PROTOCOL);
	ck_assert_int_eq(exchange(EMPTY_ANSWER, 10, 5000, why), CLV_E_PROTOCOL);
}
END_TEST

START_TEST(client_says_when_the_server_hangs_up)
{
	char why[256];

	ck_assert_int_eq(exchange(HANG_UP, 10, 5000, why), CLV_E_NO_SERVER);
	ck_assert_str_ne(why, "");
}
END_TEST

START_TEST(client_with_the_wrong_pin_names_what_it_found)
{
	struct tls_client *c = NULL;
	struct host h;
	char why[256];

	host_start(&h, ECHO, &client);
	ck_assert_int_eq(open_client(h.port, &client, &stranger, &c, why),
	    CLV_E_UNKNOWN_PEER);
	must_name(why, &server);
	ck_assert_ptr_null(c);
	host_stop(&h);
}
END_TEST

START_TEST(client_without_pins_says_whom_it_found)
{
	uint8_t binding[TLS_BINDING_LEN] = {0};
	struct tls_client *c = NULL;
	struct host h;
	char why[256];

	host_start(&h, ECHO, &client);
	ck_assert_int_eq(tls_client_open_any("127.0.0.1", h.port,
			     client.cert.data, client.cert.len, client.key.data,
			     client.key.len, 5000, &c, why),
	    CLV_OK);
	ck_assert_mem_eq(tls_client_thumb(c), server.thumb, 32);
	ck_assert_int_eq(tls_client_binding(c, binding), CLV_OK);
	ck_assert(!sodium_is_zero(binding, sizeof(binding)));
	tls_client_close(&c);
	host_stop(&h);
}
END_TEST

START_TEST(client_that_is_not_enrolled_learns_it_at_the_first_exchange)
{
	struct tls_client *c = NULL;
	struct clv_buf body, answer;
	struct host h;
	char why[256];

	host_start(&h, ECHO, &client);
	clv_buf_init(&body);
	clv_buf_init(&answer);
	clv_buf_str(&body, "let me in");
	ck_assert_int_eq(
	    open_client(h.port, &stranger, &server, &c, why), CLV_OK);
	ck_assert_int_eq(tls_client_exchange(c, &body, &answer, 5000, why),
	    CLV_E_UNKNOWN_PEER);
	must_name(why, &stranger);
	ck_assert_uint_eq(answer.len, 0);
	tls_client_close(&c);
	host_stop(&h);
	clv_buf_fini(&body);
	clv_buf_fini(&answer);
}
END_TEST

START_TEST(client_says_when_nobody_listens_or_the_name_is_unknown)
{
	struct tls_client *c = NULL;
	struct host h;
	char why[256];

	host_listen(&h);
	close(h.fd);
	ck_assert_int_eq(
	    open_client(h.port, &client, &server, &c, why), CLV_E_NO_SERVER);
	ck_assert_ptr_nonnull(strstr(why, strerror(ECONNREFUSED)));
	ck_assert_int_eq(
	    tls_client_open("no.such.name.invalid", h.port, client.cert.data,
		client.cert.len, client.key.data, client.key.len,
		(const uint8_t(*)[32])server.thumb, 1, 1000, &c, why),
	    CLV_E_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(why, "does not resolve"));
	ck_assert_ptr_null(c);
}
END_TEST

START_TEST(client_gives_up_when_nobody_shakes_hands)
{
	struct tls_client *c = NULL;
	struct host h;
	char why[256];

	host_listen(&h);
	ck_assert_int_eq(
	    tls_client_open("127.0.0.1", h.port, client.cert.data,
		client.cert.len, client.key.data, client.key.len,
		(const uint8_t(*)[32])server.thumb, 1, 50, &c, why),
	    CLV_E_TIMEOUT);
	ck_assert_ptr_null(c);
	close(h.fd);
}
END_TEST

static TCase *
add_case(Suite *s, const char *name)
{
	TCase *t = tcase_create(name);

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 20);
	suite_add_tcase(s, t);
	return t;
}

int
main(void)
{
	Suite *s = suite_create("tls");
	SRunner *r;
	TCase *t;
	int failed;

	/* Only before the library's first allocation. */
	if (CRYPTO_set_mem_functions(test_malloc, test_realloc, test_free) != 1)
		return 1;
	t = add_case(s, "pins");
	tcase_add_test(t, both_sides_pinned_works_and_each_knows_the_other);
	tcase_add_test(t, read_of_nothing_says_again_and_wants_to_read);
	tcase_add_test(t, full_socket_says_again_and_wants_to_write);
	tcase_add_test(
	    t, unknown_client_is_refused_and_both_sides_name_its_thumbprint);
	tcase_add_test(
	    t, unknown_server_is_refused_and_both_sides_name_its_thumbprint);
	tcase_add_test(t, closed_connection_is_told_apart_from_a_refusal);
	tcase_add_test(t, end_without_goodbye_is_a_closed_connection_too);
	tcase_add_test(t, end_in_the_handshake_is_a_closed_connection);
	tcase_add_test(t, replaced_context_leaves_live_connections_alone);
	tcase_add_test(t, bad_certificate_and_key_have_their_own_results);
	tcase_add_test(
	    t, expired_and_future_certificates_are_accepted_by_their_pin);
	tcase_add_loop_test(
	    t, expired_certificate_is_refused_where_that_is_enforced, 0, 2);
	tcase_add_test(
	    t, certificate_of_today_is_accepted_where_that_is_enforced);
	tcase_add_test(t, every_kind_of_key_of_tls_1_3_is_read);
	tcase_add_test(t, key_that_costs_much_to_verify_is_refused);
	tcase_add_test(t, same_key_in_another_certificate_is_another_party);
	tcase_add_test(
	    t, binding_is_the_same_at_both_ends_and_of_one_connection);
	tcase_add_test(t, self_test_passes);
	tcase_add_test(t, stranger_is_not_let_in_when_memory_runs_out);
	tcase_add_test(t, failing_allocation_fails_the_connection_and_no_more);

	t = add_case(s, "strangers");
	tcase_add_test(
	    t, plain_openssl_client_with_the_pinned_certificate_is_served);
	tcase_add_test(t, tls_1_2_is_refused_by_name);
	tcase_add_test(t, client_without_a_certificate_is_refused_by_name);
	tcase_add_test(t, other_groups_than_ours_are_refused);
	tcase_add_test(t, pinned_certificate_without_its_key_is_refused);
	tcase_add_test(t, huge_chain_is_refused_and_pinned_leaf_does_not_help);
	tcase_add_test(
	    t, pinned_certificate_further_up_the_chain_is_not_the_leaf);
	tcase_add_test(t, no_session_ticket_is_ever_sent);
	tcase_add_test(t, offered_session_is_not_resumed);
	tcase_add_test(t, renegotiation_is_impossible);
	tcase_add_test(t, certificate_after_the_handshake_cannot_be_asked_for);
	tcase_add_test(t, flood_of_key_updates_is_read_one_by_one);
	tcase_add_test(t, http_request_is_refused_by_name);
	tcase_add_test(t, random_bytes_are_refused);

	t = add_case(s, "client");
	tcase_add_test(t, client_exchanges_frames);
	tcase_add_test(t, client_takes_no_notice_for_an_answer);
	tcase_add_test(t, client_gives_up_on_a_silent_server);
	tcase_add_test(t, client_refuses_frames_of_no_or_too_much_length);
	tcase_add_test(t, client_says_when_the_server_hangs_up);
	tcase_add_test(t, client_with_the_wrong_pin_names_what_it_found);
	tcase_add_test(t, client_without_pins_says_whom_it_found);
	tcase_add_test(
	    t, client_that_is_not_enrolled_learns_it_at_the_first_exchange);
	tcase_add_test(
	    t, client_says_when_nobody_listens_or_the_name_is_unknown);
	tcase_add_test(t, client_gives_up_when_nobody_shakes_hands);

	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
