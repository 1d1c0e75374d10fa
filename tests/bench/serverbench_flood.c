/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <claviger/result.h>

#include "daemon/front/tls.h"
#include "serverbench.h"

/*
 * Strangers, in a process of their own. They come at a rate, whether those
 * before them were answered or not: a flood does not wait. Whoever was not
 * answered within PATIENCE_S gives up, which also bounds how many there are.
 */
#define KINDS 16 /* certificates; every fourth stranger has none */
#define BURST 64 /* of those who are due, before events are looked at */
#define PATIENCE_S 3
#define LIFE_S 120

struct stranger {
	int fd; /* -1: none */
	SSL *ssl;
	bool served;
};

static struct stranger strangers[FLOOD_RATE_MAX * PATIENCE_S];
static SSL_CTX *kinds[KINDS];
static struct flood *counts;
static int set;

static SSL_CTX *
make_kind(bool has_certificate)
{
	const char *names[] = {"stranger"};
	SSL_CTX *ctx = bench_tls(false);
	struct clv_buf cert, key;

	if (!has_certificate)
		return ctx;
	clv_buf_init(&cert);
	clv_buf_init(&key);
	if (cert_make(names[0], names, 1, &cert, &key) != CLV_OK ||
	    SSL_CTX_use_certificate_ASN1(ctx, (int)cert.len, cert.data) != 1 ||
	    SSL_CTX_use_PrivateKey_ASN1(
		EVP_PKEY_EC, ctx, key.data, (long)key.len) != 1)
		errx(1, "a stranger's certificate");
	clv_buf_fini(&key);
	clv_buf_fini(&cert);
	return ctx;
}

static void
leave(struct stranger *s)
{
	const struct linger reset = {1, 0};

	SSL_free(s->ssl);
	setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(s->fd);
	*s = (struct stranger){.fd = -1};
}

static void
come(struct stranger *s, const struct sockaddr_in *to, uint64_t number,
    unsigned hosts)
{
	struct epoll_event e = {
	    .events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.ptr = s}};
	uint32_t host = (uint32_t)(number % hosts);
	struct sockaddr_in from = {.sin_family = AF_INET,
	    .sin_addr = {htonl(0x7f0b0001 + host / 200 * 256 + host % 200)}};
	int on = 1;

	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		err(1, "socket");
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(s->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(s->fd, (struct sockaddr *)&from, sizeof(from)) != 0 ||
	    (connect(s->fd, (const struct sockaddr *)to, sizeof(*to)) != 0 &&
		errno != EINPROGRESS))
		err(1, "a stranger's connection");
	s->ssl = SSL_new(kinds[number % KINDS]);
	if (s->ssl == NULL || SSL_set_fd(s->ssl, s->fd) != 1)
		errx(1, "SSL_new");
	SSL_set_connect_state(s->ssl);
	if (epoll_ctl(set, EPOLL_CTL_ADD, s->fd, &e) != 0)
		err(1, "epoll_ctl");
}

static bool
waits(const struct stranger *s, int r)
{
	r = SSL_get_error(s->ssl, r);
	return r == SSL_ERROR_WANT_READ || r == SSL_ERROR_WANT_WRITE;
}

/* With TLS 1.3 the client is done first, and then hears what the server thinks
 * of its certificate. */
static void
step(struct stranger *s)
{
	uint8_t byte;
	size_t n;
	int r;

	ERR_clear_error();
	if (!s->served && (r = SSL_do_handshake(s->ssl)) != 1) {
		if (waits(s, r))
			return;
		counts->n[FLOOD_SHUT]++;
		leave(s);
		return;
	}
	counts->n[FLOOD_SERVED] += !s->served;
	s->served = true;
	r = SSL_read_ex(s->ssl, &byte, 1, &n);
	if (r == 1)
		errx(1, "the server spoke to a stranger");
	if (waits(s, r))
		return;
	counts->n[FLOOD_REFUSED]++;
	leave(s);
}

static void
flood(const struct sockaddr_in *to, unsigned rate, unsigned hosts)
{
	uint64_t began = now_us(), number = 0;
	struct epoll_event e[BURST];
	int n;

	for (;;) {
		uint64_t due = (now_us() - began) * rate / 1000000;

		for (unsigned i = 0; i < BURST && number < due; i++) {
			struct stranger *s =
			    &strangers[number % (rate * PATIENCE_S)];

			if (s->fd >= 0) {
				counts->n[FLOOD_LATE]++;
				leave(s);
			}
			come(s, to, number++, hosts);
			counts->n[FLOOD_OFFERED]++;
		}
		n = epoll_wait(set, e, BURST, number < due ? 0 : 1);

		for (int i = 0; i < n; i++)
			step(e[i].data.ptr);
	}
}

pid_t
flood_start(const struct sockaddr_in *to, unsigned rate, unsigned hosts,
    const struct flood **ret)
{
	pid_t pid;

	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (counts == MAP_FAILED)
		err(1, "mmap");
	*ret = counts;
	if ((pid = fork()) < 0)
		err(1, "fork");
	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "bench-flood");
	alarm(LIFE_S);
	close_range(3, ~0u, 0); /* the members' connections */
	set = epoll_create1(0);
	for (unsigned i = 0; i < KINDS; i++)
		kinds[i] = make_kind(i % 4 != 3);
	for (unsigned i = 0; i < rate * PATIENCE_S; i++)
		strangers[i].fd = -1;
	flood(to, rate, hosts);
	_exit(0);
}

void
flood_stop(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status) ||
	    WTERMSIG(status) != SIGKILL)
		errx(1, "the strangers ended early");
}
