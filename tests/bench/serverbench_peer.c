/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "serverbench.h"

#define TANGD "/usr/libexec/tangd"
#define CONNS_MAX 16384

/* ---- the bare server: what OpenSSL costs, and nothing else ---- */

struct conn {
	SSL *ssl;
	int fd;
	uint8_t in[2048];
	size_t got;
};

static uint8_t (*pins)[32];
static size_t pin_count;
static uint8_t answer[ANSWER_MAX];
static size_t answer_len;

static int
compare_pins(const void *a, const void *b)
{
	return memcmp(a, b, 32);
}

/* The same check as the daemon's: the leaf's thumbprint is one of ours. */
static int
on_certificate(X509_STORE_CTX *store, void *arg)
{
	X509 *leaf = X509_STORE_CTX_get0_cert(store);
	uint8_t thumb[32];
	unsigned len;
	bool known;

	(void)arg;
	known = leaf != NULL &&
		X509_digest(leaf, EVP_sha256(), thumb, &len) == 1 &&
		(pins == NULL || bsearch(thumb, pins, pin_count, sizeof(*pins),
				     compare_pins) != NULL);
	X509_STORE_CTX_set_error(
	    store, known ? X509_V_OK : X509_V_ERR_CERT_REJECTED);
	return known;
}

SSL_CTX *
bench_tls(bool server)
{
	SSL_CTX *s =
	    SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());

	if (s == NULL ||
	    SSL_CTX_set_min_proto_version(s, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set1_groups_list(s, "X25519:P-256") != 1 ||
	    SSL_CTX_set_num_tickets(s, 0) != 1)
		errx(1, "OpenSSL");
	SSL_CTX_set_options(s,
	    SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
		SSL_OP_CLEANSE_PLAINTEXT | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_clear_options(s, SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
	SSL_CTX_set_session_cache_mode(s, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(s, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_security_level(s, 2);
	SSL_CTX_set_verify(
	    s, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_verify_callback(s, on_certificate, NULL);
	return s;
}

static SSL_CTX *
bare_tls(const struct system *s)
{
	const uint8_t *cert = s->cert.data, *key = s->key.data;
	SSL_CTX *ctx = bench_tls(true);
	EVP_PKEY *k = d2i_AutoPrivateKey(NULL, &key, (long)s->key.len);
	X509 *x = d2i_X509(NULL, &cert, (long)s->cert.len);

	if (x == NULL || k == NULL || SSL_CTX_use_certificate(ctx, x) != 1 ||
	    SSL_CTX_use_PrivateKey(ctx, k) != 1)
		errx(1, "the network name's certificate");
	pins = calloc(s->n, sizeof(*pins));
	if (pins == NULL)
		err(1, "calloc");
	for (pin_count = 0; pin_count < s->n; pin_count++)
		memcpy(pins[pin_count], s->parties[pin_count].thumb, 32);
	qsort(pins, pin_count, sizeof(*pins), compare_pins);
	return ctx;
}

static int
listen_on(uint16_t port)
{
	struct sockaddr_in to = {
	    .sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&to, sizeof(to)) != 0 ||
	    listen(fd, 4096) != 0)
		err(1, "a port of loopback");
	return fd;
}

static void
bare_accept(SSL_CTX *ctx, int set, int listener)
{
	struct epoll_event e = {.events = EPOLLIN};
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		err(1, "calloc");
	c->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (c->fd < 0) {
		free(c);
		return;
	}
	c->ssl = SSL_new(ctx);
	if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1)
		errx(1, "SSL_new");
	SSL_set_accept_state(c->ssl);
	e.data.ptr = c;
	epoll_ctl(set, EPOLL_CTL_ADD, c->fd, &e);
}

/* false: the connection ends. An answer always fits into the socket. */
static bool
bare_step(struct conn *c)
{
	uint32_t len;
	size_t n;
	int r;

	for (;;) {
		r = SSL_read_ex(
		    c->ssl, c->in + c->got, sizeof(c->in) - c->got, &n);
		if (r != 1)
			return SSL_get_error(c->ssl, r) == SSL_ERROR_WANT_READ;
		c->got += n;
		if (c->got < sizeof(len))
			continue;
		memcpy(&len, c->in, sizeof(len));
		len = ntohl(len);
		if (c->got < sizeof(len) + len)
			continue;
		c->got = 0;
		if (SSL_write_ex(c->ssl, len == 0 ? c->in : answer,
			len == 0 ? BEAT_LEN : answer_len, &n) != 1)
			return false;
	}
}

static _Noreturn void
bare_run(SSL_CTX *ctx, int listener)
{
	struct epoll_event e[64], listen = {.events = EPOLLIN};
	int set = epoll_create1(0), n;

	epoll_ctl(set, EPOLL_CTL_ADD, listener, &listen);
	for (;;) {
		n = epoll_wait(set, e, 64, -1);
		for (int i = 0; i < n; i++) {
			struct conn *c = e[i].data.ptr;

			if (c == NULL) {
				bare_accept(ctx, set, listener);
			} else if (!bare_step(c)) {
				SSL_free(c->ssl);
				close(c->fd);
				free(c);
			}
		}
	}
}

static pid_t
fork_peer(const char *name)
{
	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, name);
	}
	return pid;
}

pid_t
bare_start(const struct system *s, uint16_t port, size_t len)
{
	int listener = listen_on(port);
	pid_t pid = fork_peer("bench-bare");
	uint32_t head;

	if (pid == 0) {
		answer_len = len;
		head = htonl((uint32_t)(len - sizeof(head)));
		memcpy(answer, &head, sizeof(head));
		bare_run(bare_tls(s), listener);
	}
	close(listener);
	return pid;
}

/* ---- Tang ---- */

static _Noreturn void
tang_run(int listener, const char *keys)
{
	int fd, null = open("/dev/null", O_WRONLY);

	signal(SIGCHLD, SIG_IGN); /* nobody waits for them */
	for (;;) {
		fd = accept(listener, NULL, NULL);
		if (fd < 0)
			continue;
		if (vfork() == 0) {
			dup2(fd, STDIN_FILENO);
			dup2(fd, STDOUT_FILENO);
			dup2(null, STDERR_FILENO);
			close_range(3, ~0u, 0);
			execl(TANGD, TANGD, keys, (char *)NULL);
			_exit(127);
		}
		close(fd);
	}
}

pid_t
tang_start(uint16_t port, const char *keys)
{
	int listener = listen_on(port);
	pid_t pid = fork_peer("bench-tang");

	if (pid == 0)
		tang_run(listener, keys);
	close(listener);
	return pid;
}
