/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <claviger/result.h>
#include "daemon/base/loop.h"
#include "daemon/supervisor/process.h"
#include "front_rig.h"

struct message {
	struct message *next;
	enum chan_type type;
	struct clv_buf body;
};

struct config config;
pid_t front_pid;
int front_link;
const char *front_user;

static struct chan *chan;
static struct message *first, **last = &first;

static void
on_message(void *arg, enum chan_type type, struct clv_rd *body)
{
	struct message *m = calloc(1, sizeof(*m));

	m->type = type;
	clv_buf_raw(&m->body, body->p, body->len);
	*last = m;
	last = &m->next;
}

static void
be_front(int chan_fd, int link_fd)
{
	int null = open("/dev/null", O_WRONLY);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getenv("FRONT_VERBOSE") == NULL)
		dup2(null, STDERR_FILENO);
	if (front_user != NULL && process_drop(front_user) != CLV_OK)
		_exit(99);
	_exit(front_main(&config, chan_fd, link_fd));
}

void
front_rig_start(void)
{
	int c[2], l[2];

	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, c), 0);
	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, l), 0);
	front_pid = fork();
	ck_assert_int_ge(front_pid, 0);
	if (front_pid == 0) {
		close(c[0]);
		close(l[0]);
		be_front(c[1], l[1]);
	}
	close(c[1]);
	close(l[1]);
	front_link = l[0];
	ck_assert_int_eq(chan_new(c[0], on_message, NULL, &chan), CLV_OK);
}

int
front_rig_status(void)
{
	int status = -1;

	ck_assert_int_eq(waitpid(front_pid, &status, 0), front_pid);
	front_pid = 0;
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

void
front_rig_stop(void)
{
	struct message *m;

	close(front_link);
	if (front_pid != 0)
		ck_assert_int_eq(front_rig_status(), 0);
	chan_free(&chan);
	while ((m = first) != NULL) {
		first = m->next;
		clv_buf_fini(&m->body);
		free(m);
	}
	last = &first;
}

void
keeper_hang_up(void)
{
	chan_free(&chan);
}

struct chan *
front_rig_swap(struct chan *other)
{
	struct chan *before = chan;

	chan = other;
	return before;
}

void
keeper_send(enum chan_type type, struct clv_buf *body)
{
	struct pollfd p = {.events = POLLOUT};

	ck_assert_int_eq(chan_send(chan, type, body), CLV_OK);
	p.fd = chan_fd(chan);
	while (chan_wants_write(chan)) {
		ck_assert_int_eq(poll(&p, 1, WAIT_MS), 1);
		ck_assert_int_eq(chan_on_write(chan), CLV_OK);
	}
	clv_buf_fini(body);
}

static struct message *
take(enum chan_type type)
{
	struct message **p, *m;

	for (p = &first; (m = *p) != NULL; p = &m->next) {
		if (m->type != type)
			continue;
		if ((*p = m->next) == NULL)
			last = p;
		return m;
	}
	return NULL;
}

static struct message *
wait_message(enum chan_type type, int wait_ms)
{
	uint64_t end_ms = loop_now_ms() + (uint64_t)wait_ms, now;
	struct pollfd p = {.fd = chan_fd(chan), .events = POLLIN};
	struct message *m;

	while ((m = take(type)) == NULL && (now = loop_now_ms()) < end_ms) {
		if (poll(&p, 1, (int)(end_ms - now)) == 1)
			ck_assert_int_eq(chan_on_read(chan), CLV_OK);
	}
	return m;
}

void
keeper_get(enum chan_type type, struct clv_buf *ret)
{
	struct message *m = wait_message(type, WAIT_MS);

	ck_assert_msg(m != NULL, "no message %d came", (int)type);
	*ret = m->body;
	free(m);
}

bool
keeper_has(enum chan_type type, int wait_ms)
{
	struct message *m = wait_message(type, wait_ms);

	if (m == NULL)
		return false;
	m->next = first;
	if (first == NULL)
		last = &m->next;
	first = m;
	return true;
}

void
keeper_tls(const struct party *p)
{
	struct clv_buf b;

	clv_buf_init(&b);
	clv_buf_bytes(&b, p->cert.data, p->cert.len);
	clv_buf_bytes(&b, p->key.data, p->key.len);
	keeper_send(CHAN_TLS, &b);
}

void
keeper_pins(const struct party *const *p, size_t n)
{
	struct clv_buf b;
	size_t i;

	clv_buf_init(&b);
	clv_buf_u32(&b, (uint32_t)n);
	for (i = 0; i < n; i++)
		clv_buf_raw(&b, p[i]->thumb, 32);
	keeper_send(CHAN_PINS, &b);
}

int
keeper_listen(const char *address, uint16_t port)
{
	struct clv_buf b;
	struct clv_rd rd;
	char text[256];
	int r;

	clv_buf_init(&b);
	clv_buf_str(&b, address);
	clv_buf_u16(&b, port);
	keeper_send(CHAN_LISTEN, &b);
	keeper_get(CHAN_LISTENING, &b);
	clv_rd_init(&rd, b.data, b.len);
	r = (int)clv_rd_u32(&rd);
	clv_rd_str(&rd, text, sizeof(text));
	ck_assert_int_eq(clv_rd_end(&rd), CLV_OK);
	ck_assert((r == CLV_OK) == (text[0] == '\0'));
	clv_buf_fini(&b);
	return r;
}

uint64_t
keeper_request(const struct party *who, const char *text)
{
	const uint8_t *thumb, *p;
	struct clv_buf b;
	struct clv_rd rd;
	uint64_t conn;
	size_t len;

	keeper_get(CHAN_REQUEST, &b);
	clv_rd_init(&rd, b.data, b.len);
	conn = clv_rd_u64(&rd);
	thumb = clv_rd_raw(&rd, 32);
	p = clv_rd_bytes(&rd, &len);
	ck_assert_int_eq(clv_rd_end(&rd), CLV_OK);
	ck_assert_mem_eq(thumb, who->thumb, 32);
	ck_assert_uint_eq(len, strlen(text));
	ck_assert_mem_eq(p, text, len);
	clv_buf_fini(&b);
	return conn;
}

void
keeper_joiners(uint32_t for_s)
{
	struct clv_buf b;

	clv_buf_init(&b);
	clv_buf_u32(&b, for_s);
	keeper_send(CHAN_JOINERS, &b);
}

uint64_t
keeper_join(const struct party *who, const char *text,
    uint8_t ret_binding[static TLS_BINDING_LEN])
{
	const uint8_t *thumb, *p;
	struct clv_buf b;
	struct clv_rd rd;
	uint64_t conn;
	size_t len;

	keeper_get(CHAN_JOIN, &b);
	clv_rd_init(&rd, b.data, b.len);
	conn = clv_rd_u64(&rd);
	thumb = clv_rd_raw(&rd, 32);
	clv_rd_copy(&rd, ret_binding, TLS_BINDING_LEN);
	p = clv_rd_bytes(&rd, &len);
	ck_assert_int_eq(clv_rd_end(&rd), CLV_OK);
	ck_assert_mem_eq(thumb, who->thumb, 32);
	ck_assert_uint_eq(len, strlen(text));
	ck_assert_mem_eq(p, text, len);
	clv_buf_fini(&b);
	return conn;
}

void
keeper_answer(uint64_t conn, const void *body, size_t len, bool close_after)
{
	struct clv_buf b;

	clv_buf_init(&b);
	clv_buf_u64(&b, conn);
	clv_buf_bytes(&b, body, len);
	clv_buf_u8(&b, close_after);
	keeper_send(CHAN_ANSWER, &b);
}

void
keeper_notice(const void *body, size_t len)
{
	struct clv_buf b;

	clv_buf_init(&b);
	clv_buf_bytes(&b, body, len);
	keeper_send(CHAN_NOTICE, &b);
}

uint16_t
free_port(void)
{
	struct sockaddr_in in = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, len), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	close(fd);
	return ntohs(in.sin_port);
}

int
tcp_connect(const char *from, uint16_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (from != NULL) {
		inet_pton(AF_INET, from, &in.sin_addr);
		ck_assert_int_eq(
		    bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	}
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	in.sin_port = htons(port);
	if (connect(fd, (struct sockaddr *)&in, sizeof(in)) == 0)
		return fd;
	close(fd);
	return -1;
}

bool
is_closed(int fd, int wait_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char block[256];

	while (poll(&p, 1, wait_ms) == 1) {
		if (recv(fd, block, sizeof(block), MSG_DONTWAIT) <= 0)
			return true;
	}
	return false;
}
