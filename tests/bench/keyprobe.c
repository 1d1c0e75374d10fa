/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keyprobe ADDRESS SECONDS: on an enrolled member, obtain the key of the
 * current generation over the network name every 5 ms: connection, handshake of
 * both sides, signed question, signed and sealed answer, opened.
 * Each success is a line "TIME SERVER EPOCH" on standard output, TIME being
 * CLOCK_REALTIME in seconds when the key was there. Until SIGTERM, or SECONDS
 * have passed.
 */
#include <config.h>

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <claviger/wire.h>
#include "daemon/cli/cli.h"
#include "daemon/front/tls.h"

/* After a key, and from one refused connection to the next: without it the
 * probe would take the processor from the nodes. */
#define PAUSE_MS 5
/* A server that answers does so within a few milliseconds. A first SYN that is
 * lost is repeated by the kernel only after 1 s: so give up early and begin
 * anew. */
#define CONNECT_MS 5
#define HANDSHAKE_MS 50
#define EXCHANGE_MS 100

struct probe {
	struct cli c;
	struct cli_host host;
	uint8_t pin[1][32];
	uint8_t system_pk[CLV_SIGN_PK_LEN];
	uint8_t system_id[CLV_SYSTEM_ID_LEN];
	uint64_t epoch, list;
	uint32_t generation;
};

static volatile sig_atomic_t ended;

static void
on_term(int sig)
{
	ended = 1;
}

static double
now_s(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
tell_failure(const char *why)
{
	printf("# %.6f %s\n", now_s(CLOCK_REALTIME), why);
}

static void
load(struct probe *p)
{
	char why[256] = "";

	p->c.path = CONFIG_PATH;
	config_defaults(&p->c.config);
	if (config_load(p->c.path, &p->c.config, why) != CLV_OK)
		errx(1, "%s: %s", p->c.path, why);
	cli_host_init(&p->host);
	if (cli_host_load(&p->c, &p->host) != CLV_OK ||
	    cli_system_pk(&p->c, p->system_pk) != CLV_OK ||
	    cli_thumb_parse(p->c.config.server_thumbprint, p->pin[0]) != CLV_OK)
		errx(1, "this host is no member");
}

/* Does anybody accept connections there? */
static bool
is_listening(const struct probe *p, const char *address)
{
	struct sockaddr_in sa = {
	    .sin_family = AF_INET, .sin_port = htons(p->c.config.port)};
	struct pollfd fd = {.events = POLLOUT};
	int error = 0;
	socklen_t len = sizeof(error);
	bool yes = false;

	if (inet_pton(AF_INET, address, &sa.sin_addr) != 1)
		errx(1, "%s is not an IPv4 address", address);
	fd.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd.fd < 0)
		err(1, "socket");
	if (connect(fd.fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 ||
	    errno == EINPROGRESS)
		yes = poll(&fd, 1, CONNECT_MS) == 1 &&
		      getsockopt(fd.fd, SOL_SOCKET, SO_ERROR, &error, &len) ==
			  0 &&
		      error == 0;
	close(fd.fd);
	if (!yes)
		tell_failure(error != 0 ? strerror(error) : "no listener");
	return yes;
}

static int
check_keys(struct probe *p, const struct clv_wire_answer *a)
{
	struct clv_wire_key *keys = NULL;
	struct clv_wire_terms terms;
	uint8_t check[CLV_KEY_LEN];
	size_t n = 0, i;
	int r;

	r = clv_wire_keys_open(p->c.guard, p->host.id, a->payload,
	    a->payload_len, &terms, &keys, &n);
	if (r != CLV_OK)
		return r;
	r = CLV_E_NOT_FOUND;
	for (i = 0; i < n && r != CLV_OK; i++) {
		if (keys[i].generation != a->generation)
			continue;
		clv_key_check(keys[i].key, check);
		if (sodium_memcmp(check, a->check, sizeof(check)) == 0)
			r = CLV_OK;
	}
	clv_guard_put(p->c.guard, keys);
	return r;
}

/* The first answer tells a member the id of its system. */
static int
check_answer(struct probe *p, const struct clv_buf *body,
    const struct clv_wire_request *q, struct clv_wire_answer *a)
{
	int r = clv_wire_answer_parse(body->data, body->len, p->system_pk, a);

	if (r == CLV_OK)
		r = clv_wire_answer_match(a, q);
	if (r != CLV_OK)
		return r;
	memcpy(p->system_id, a->system_id, sizeof(p->system_id));
	if (a->result != CLV_OK)
		return a->result;
	if (a->epoch < p->epoch)
		errx(1, "epoch %" PRIu64 " after %" PRIu64, a->epoch, p->epoch);
	r = check_keys(p, a);
	if (r == CLV_OK) {
		p->epoch = a->epoch;
		p->list = a->list_version;
		p->generation = a->generation;
	}
	return r;
}

static int
ask(struct probe *p, struct tls_client *tls, char why[static 256])
{
	struct clv_wire_request q = {.op = CLV_WIRE_FETCH,
	    .seen_epoch = p->epoch,
	    .seen_list = p->list,
	    .seen_generation = p->generation};
	struct clv_wire_holds none = {0};
	struct clv_wire_answer a;
	struct clv_buf request, body, payload;
	int r;

	clv_buf_init(&request);
	clv_buf_init(&body);
	clv_buf_init(&payload);
	clv_wire_holds_format(&none, &payload);
	q.payload = payload.data;
	q.payload_len = payload.len;
	memcpy(q.system_id, p->system_id, sizeof(q.system_id));
	memcpy(q.name, p->host.id->name, sizeof(q.name));
	randombytes_buf(q.nonce, sizeof(q.nonce));
	r = clv_wire_request_format(&q, p->host.id->sign_sk, &request);
	if (r == CLV_OK)
		r = tls_client_exchange(tls, &request, &body, EXCHANGE_MS, why);
	if (r == CLV_OK)
		r = check_answer(p, &body, &q, &a);
	if (r == CLV_OK)
		printf("%.6f %s %" PRIu64 "\n", now_s(CLOCK_REALTIME), a.server,
		    a.epoch);
	clv_buf_fini(&request);
	clv_buf_fini(&body);
	clv_buf_fini(&payload);
	return r;
}

static bool
obtain(struct probe *p, const char *address)
{
	struct tls_client *tls = NULL;
	char why[256];
	int r;

	r = tls_client_open(address, p->c.config.port, p->host.cert.data,
	    p->host.cert.len, p->host.key.data, p->host.key.len,
	    (const uint8_t(*)[32])p->pin, 1, HANDSHAKE_MS, &tls, why);
	if (r == CLV_OK)
		r = ask(p, tls, why);
	tls_client_close(&tls);
	if (r != CLV_OK)
		tell_failure(why[0] != '\0' ? why : clv_result_text(r));
	return r == CLV_OK;
}

static void
pause_from(double from_s)
{
	double past_ms = (now_s(CLOCK_MONOTONIC) - from_s) * 1000;

	if (past_ms < PAUSE_MS)
		poll(NULL, 0, PAUSE_MS - (int)past_ms);
}

int
main(int argc, char **argv)
{
	static struct probe p;
	bool up = false;
	double end_s, began_s;

	if (argc != 3)
		errx(2, "usage: keyprobe ADDRESS SECONDS");
	end_s = now_s(CLOCK_MONOTONIC) + strtod(argv[2], NULL);
	if (sodium_init() < 0)
		errx(1, "libsodium does not start");
	signal(SIGTERM, on_term);
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	load(&p);
	while (!ended && now_s(CLOCK_MONOTONIC) < end_s) {
		began_s = now_s(CLOCK_MONOTONIC);
		up = (up || is_listening(&p, argv[1])) && obtain(&p, argv[1]);
		pause_from(up ? now_s(CLOCK_MONOTONIC) : began_s);
	}
	cli_host_fini(&p.host);
	clv_guard_free_all(&p.c.guard);
	return 0;
}
