/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <claviger/result.h>
#include <claviger/store.h>
#include <claviger/wire.h>
#include "daemon/front/front.h"
#include "daemon/base/loop.h"
#include "daemon/supervisor/process.h"
#include "front_rig.h"

static struct party server, member, other;
static uint16_t port;

static void
setup(void)
{
	const struct party *pins[] = {&member};

	ck_assert_int_ge(sodium_init(), 0);
	signal(SIGPIPE, SIG_IGN);
	party_init(&server, "server");
	party_init(&member, "member");
	party_init(&other, "other");
	config_defaults(&config);
	strcpy(config.cluster, "no");
	front_rig_start();
	keeper_tls(&server);
	keeper_pins(pins, 1);
	port = free_port();
	ck_assert_int_eq(keeper_listen("127.0.0.1", port), CLV_OK);
}

static void
teardown(void)
{
	front_rig_stop();
	party_fini(&server);
	party_fini(&member);
	party_fini(&other);
}

/* ---- a client, step by step ---- */

struct guest {
	struct tls_ctx *ctx;
	struct tls_conn *conn;
};

static int
guest_finish(struct tls_conn *c)
{
	struct pollfd p = {.fd = tls_conn_fd(c)};
	int r;

	while ((r = tls_conn_handshake(c)) == CLV_E_AGAIN) {
		p.events =
		    tls_conn_want(c) == CLV_WANT_WRITE ? POLLOUT : POLLIN;
		ck_assert_int_eq(poll(&p, 1, WAIT_MS), 1);
	}
	return r;
}

/* Connect from this address as `who`, expecting the server to be `pin`. */
static void
guest_init_from(struct guest *g, const char *from, const struct party *who,
    struct party *pin)
{
	int fd = tcp_connect(from, port);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_eq(
	    tls_ctx_new(false, who->cert.data, who->cert.len, who->key.data,
		who->key.len, pins_one, pin->thumb, &g->ctx),
	    CLV_OK);
	ck_assert_int_eq(tls_conn_new(g->ctx, fd, &g->conn), CLV_OK);
	ck_assert_int_eq(guest_finish(g->conn), CLV_OK);
}

static void
guest_init(struct guest *g, const struct party *who, struct party *pin)
{
	guest_init_from(g, NULL, who, pin);
}

static void
guest_fini(struct guest *g)
{
	tls_conn_free(&g->conn);
	tls_ctx_free(&g->ctx);
}

static void
guest_write(struct guest *g, const void *p, size_t len)
{
	size_t n = 0;

	ck_assert_int_eq(tls_conn_write(g->conn, p, len, &n), CLV_OK);
	ck_assert_uint_eq(n, len);
}

static void
guest_ask(struct guest *g, const char *text)
{
	struct clv_buf b;

	clv_buf_init(&b);
	clv_buf_str(&b, text);
	guest_write(g, b.data, b.len);
	clv_buf_fini(&b);
}

/* Read len bytes, or what ended it. */
static int
guest_read(struct guest *g, void *p, size_t len, int wait_ms)
{
	struct pollfd pfd = {.fd = tls_conn_fd(g->conn), .events = POLLIN};
	uint8_t *dst = p;
	size_t n;
	int r;

	while (len > 0) {
		r = tls_conn_read(g->conn, dst, len, &n);
		if (r == CLV_E_AGAIN && poll(&pfd, 1, wait_ms) != 1)
			return CLV_E_TIMEOUT;
		if (r != CLV_E_AGAIN && r != CLV_OK)
			return r;
		if (r == CLV_OK)
			dst += n, len -= n;
	}
	return CLV_OK;
}

static void
guest_hears(struct guest *g, const char *text)
{
	char got[64];
	size_t len = strlen(text);

	ck_assert_int_eq(guest_read(g, got, len + 4, WAIT_MS), CLV_OK);
	ck_assert_uint_eq((uint8_t)got[3], len);
	ck_assert_mem_eq(got + 4, text, len);
}

static bool
guest_is_cut(struct guest *g, int wait_ms)
{
	uint8_t byte;

	return guest_read(g, &byte, 1, wait_ms) != CLV_E_TIMEOUT;
}

/* One exchange that must work. */
static void
guest_talks(struct guest *g, const struct party *who)
{
	guest_ask(g, "question");
	keeper_answer(keeper_request(who, "question"), "answer", 6, false);
	guest_hears(g, "answer");
}

/* ---- serving ---- */

START_TEST(request_and_answer_pass_with_the_peers_thumbprint)
{
	struct guest g;

	guest_init(&g, &member, &server);
	guest_talks(&g, &member);
	guest_talks(&g, &member);
	guest_fini(&g);
}
END_TEST

START_TEST(largest_answer_arrives_whole)
{
	static uint8_t body[CLV_WIRE_ANSWER_MAX], got[sizeof(body) + 4];
	struct guest g;

	randombytes_buf(body, sizeof(body));
	guest_init(&g, &member, &server);
	guest_ask(&g, "big");
	keeper_answer(
	    keeper_request(&member, "big"), body, sizeof(body), false);
	ck_assert_int_eq(guest_read(&g, got, sizeof(got), WAIT_MS), CLV_OK);
	ck_assert_mem_eq(got + 4, body, sizeof(body));
	guest_fini(&g);
}
END_TEST

START_TEST(answer_with_close_ends_the_connection)
{
	struct guest g;

	guest_init(&g, &member, &server);
	guest_ask(&g, "bye");
	keeper_answer(keeper_request(&member, "bye"), "bye", 3, true);
	guest_hears(&g, "bye");
	ck_assert(guest_is_cut(&g, WAIT_MS));
	guest_fini(&g);
}
END_TEST

START_TEST(requests_sent_together_are_relayed_one_after_the_other)
{
	struct guest g;
	uint64_t conn;

	guest_init(&g, &member, &server);
	guest_write(&g, "\0\0\0\1a\0\0\0\1b", 10);
	guest_write(&g, "\0\0\0\1c", 5);
	conn = keeper_request(&member, "a");
	ck_assert(!keeper_has(CHAN_REQUEST, 50));
	keeper_answer(conn, "A", 1, false);
	guest_hears(&g, "A");
	keeper_answer(keeper_request(&member, "b"), "B", 1, false);
	guest_hears(&g, "B");
	keeper_answer(keeper_request(&member, "c"), "C", 1, false);
	guest_hears(&g, "C");
	guest_fini(&g);
}
END_TEST

START_TEST(request_in_single_bytes_is_put_together)
{
	static const char frame[] = "\0\0\0\2hi";
	struct guest g;
	size_t i;

	guest_init(&g, &member, &server);
	for (i = 0; i < sizeof(frame) - 1; i++)
		guest_write(&g, frame + i, 1);
	keeper_answer(keeper_request(&member, "hi"), "yo", 2, false);
	guest_hears(&g, "yo");
	guest_fini(&g);
}
END_TEST

START_TEST(answers_for_nobody_are_dropped)
{
	struct guest g;
	uint64_t conn;

	guest_init(&g, &member, &server);
	guest_ask(&g, "x");
	conn = keeper_request(&member, "x");
	keeper_answer(conn + 0x10000, "wrong", 5, false);
	keeper_answer(conn ^ 1, "wrong", 5, false);
	keeper_answer(UINT64_MAX, "wrong", 5, false);
	keeper_answer(conn, "right", 5, false);
	guest_hears(&g, "right");
	keeper_answer(conn, "twice", 5, false); /* nothing was asked */
	ck_assert_int_eq(keeper_listen("127.0.0.1", port), CLV_OK); /* read */
	guest_talks(&g, &member);
	guest_fini(&g);
}
END_TEST

START_TEST(peer_that_left_before_its_answer_harms_nobody)
{
	struct guest g, h;
	uint64_t conn;

	guest_init(&g, &member, &server);
	guest_ask(&g, "x");
	conn = keeper_request(&member, "x");
	guest_fini(&g);
	guest_init(&h, &member, &server);
	keeper_answer(conn, "late", 4, false);
	guest_talks(&h, &member);
	guest_fini(&h);
}
END_TEST

START_TEST(new_certificate_is_for_new_connections_only)
{
	struct guest old, new;

	guest_init(&old, &member, &server);
	keeper_tls(&other);
	guest_talks(&old, &member);
	guest_init(&new, &member, &other);
	guest_talks(&new, &member);
	guest_talks(&old, &member);
	guest_fini(&old);
	guest_fini(&new);
}
END_TEST

START_TEST(unusable_certificate_leaves_the_old_one_in_place)
{
	struct clv_buf b;
	struct guest g;

	clv_buf_init(&b);
	clv_buf_str(&b, "rubbish");
	clv_buf_str(&b, "rubbish");
	keeper_send(CHAN_TLS, &b);
	guest_init(&g, &member, &server);
	guest_talks(&g, &member);
	guest_fini(&g);
}
END_TEST

/* ---- heartbeats and notices ---- */

#define BEAT "\0\0\0\0"

START_TEST(heartbeat_is_answered_without_the_keeper)
{
	struct guest g;
	int i;

	guest_init(&g, &member, &server);
	for (i = 0; i < 3; i++) {
		guest_write(&g, BEAT, 4);
		guest_hears(&g, "");
	}
	guest_write(&g, BEAT "\0\0\0\1x" BEAT, 13);
	guest_hears(&g, "");
	keeper_answer(keeper_request(&member, "x"), "y", 1, false);
	guest_hears(&g, "y");
	guest_hears(&g, "");
	ck_assert(!keeper_has(CHAN_REQUEST, 50));
	guest_fini(&g);
}
END_TEST

START_TEST(flood_of_heartbeats_ends_that_connection_alone)
{
	static const uint8_t flood[16000];
	struct guest g, h;

	guest_init(&g, &member, &server);
	guest_init(&h, &member, &server);
	guest_write(&g, flood, sizeof(flood));
	guest_talks(&h, &member);
	while (!guest_is_cut(&g, WAIT_MS))
		continue; /* those that were answered before */
	guest_talks(&h, &member);
	guest_fini(&g);
	guest_fini(&h);
}
END_TEST

START_TEST(notice_reaches_everybody_who_is_known)
{
	struct guest g, h;
	char got[64];
	int raw;

	guest_init(&g, &member, &server);
	guest_init(&h, &member, &server);
	guest_talks(&g, &member);
	guest_talks(&h, &member);
	raw = tcp_connect(NULL, port);
	keeper_notice("new", 3);
	guest_hears(&g, "new");
	guest_hears(&h, "new");
	guest_talks(&g, &member);
	keeper_notice("newer", 5);
	guest_hears(&g, "newer");
	guest_hears(&h, "newer");
	ck_assert_int_eq(guest_read(&g, got, 1, 50), CLV_E_TIMEOUT);
	ck_assert_int_eq(recv(raw, got, 1, MSG_DONTWAIT), -1);
	close(raw);
	guest_fini(&g);
	guest_fini(&h);
}
END_TEST

START_TEST(notice_waits_for_its_turn_and_the_newest_is_enough)
{
	struct guest g;
	uint64_t conn;
	char got[8];

	guest_init(&g, &member, &server);
	guest_ask(&g, "question");
	conn = keeper_request(&member, "question");
	keeper_notice("first", 5);
	keeper_notice("second", 6);
	ck_assert_int_eq(guest_read(&g, got, 1, 50), CLV_E_TIMEOUT);
	keeper_answer(conn, "answer", 6, false);
	guest_hears(&g, "answer");
	guest_hears(&g, "second");
	guest_write(&g, "\0\0", 2); /* within a frame of its own */
	ck_assert_int_eq(keeper_listen("127.0.0.1", port), CLV_OK);
	keeper_notice("third", 5);
	ck_assert_int_eq(guest_read(&g, got, 1, 50), CLV_E_TIMEOUT);
	guest_write(&g, "\0\1z", 3);
	keeper_answer(keeper_request(&member, "z"), "Z", 1, false);
	guest_hears(&g, "Z");
	guest_hears(&g, "third");
	guest_talks(&g, &member);
	guest_fini(&g);
}
END_TEST

START_TEST(notices_of_no_or_too_much_length_are_not_sent)
{
	static uint8_t big[CLV_WIRE_REQUEST_MAX + 1];
	struct clv_buf b;
	struct guest g;

	guest_init(&g, &member, &server);
	keeper_notice("", 0);
	keeper_notice(big, sizeof(big));
	clv_buf_init(&b);
	clv_buf_u32(&b, 7);
	keeper_send(CHAN_NOTICE, &b);
	keeper_notice("good", 4);
	guest_hears(&g, "good");
	guest_fini(&g);
}
END_TEST

static long private_kib(void);

/* It reads nothing: what its kernel and ours do not hold waits, and soon it is
 * cut; the others hear each one. */
START_TEST(peer_that_does_not_read_notices_holds_up_nobody)
{
	static uint8_t body[CLV_WIRE_REQUEST_MAX];
	struct guest deaf, g;
	uint8_t got[sizeof(body) + 4];
	long before;
	int i;

	guest_init(&deaf, &member, &server);
	guest_init(&g, &member, &server);
	guest_talks(&deaf, &member);
	guest_talks(&g, &member);
	before = private_kib();
	for (i = 0; i < 2000; i++) {
		keeper_notice(body, sizeof(body));
		ck_assert_int_eq(
		    guest_read(&g, got, sizeof(got), WAIT_MS), CLV_OK);
	}
#ifndef __SANITIZE_ADDRESS__ /* which keeps what was freed */
	ck_assert_int_lt(private_kib() - before, 2000);
#else
	(void)before;
#endif
	while (!guest_is_cut(&deaf, WAIT_MS))
		continue;
	guest_talks(&g, &member);
	guest_fini(&deaf);
	guest_fini(&g);
}
END_TEST

static void
raise_limits(void)
{
	struct rlimit rl;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &rl), 0);
	rl.rlim_cur = rl.rlim_max < 16384 ? rl.rlim_max : 16384;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &rl), 0);
}

static void
all_beat(struct guest *g, int n)
{
	int i;

	for (i = 0; i < n; i++)
		guest_write(&g[i], BEAT, 4);
	for (i = 0; i < n; i++)
		guest_hears(&g[i], "");
}

/* Eight connections of each of 125 members. */
START_TEST(a_thousand_connections_hear_one_notice)
{
	enum { PARTIES = 125, EACH = 8, N = PARTIES * EACH };
	static struct party p[PARTIES];
	const struct party *pins[PARTIES];
	static struct guest g[N];
	uint64_t begin;
	int i;

	raise_limits();
	front_rig_stop();
	front_rig_start();
	keeper_tls(&server);
	for (i = 0; i < PARTIES; i++) {
		party_init(&p[i], "member");
		pins[i] = &p[i];
	}
	keeper_pins(pins, PARTIES);
	port = free_port();
	ck_assert_int_eq(keeper_listen("127.0.0.1", port), CLV_OK);
	for (i = 0; i < N; i++) {
		guest_init(&g[i], &p[i / EACH], &server);
		if (i % 100 == 99) /* or they are idle for too long */
			all_beat(g, i + 1);
	}
	begin = loop_now_ms();
	keeper_notice("changed", 7);
	for (i = 0; i < N; i++)
		guest_hears(&g[i], "changed");
	printf("%d connections heard it after %d ms\n", (int)N,
	    (int)(loop_now_ms() - begin));
	for (i = 0; i < N; i++)
		guest_fini(&g[i]);
	for (i = 0; i < PARTIES; i++)
		party_fini(&p[i]);
}
END_TEST

/* ---- who may ---- */

START_TEST(stranger_is_refused_and_told_its_thumbprint)
{
	struct tls_client *c = NULL;
	struct clv_buf body, answer;
	char why[256], hex[65];

	clv_buf_init(&body);
	clv_buf_init(&answer);
	clv_buf_str(&body, "let me in");
	sodium_bin2hex(hex, sizeof(hex), other.thumb, 32);
	ck_assert_int_eq(
	    tls_client_open("127.0.0.1", port, other.cert.data, other.cert.len,
		other.key.data, other.key.len,
		(const uint8_t(*)[32])server.thumb, 1, WAIT_MS, &c, why),
	    CLV_OK);
	ck_assert_int_eq(tls_client_exchange(c, &body, &answer, WAIT_MS, why),
	    CLV_E_UNKNOWN_PEER);
	ck_assert_ptr_nonnull(strstr(why, hex));
	ck_assert(!keeper_has(CHAN_REQUEST, 50));
	tls_client_close(&c);
	clv_buf_fini(&body);
	clv_buf_fini(&answer);
}
END_TEST

START_TEST(revoked_peer_gets_nothing_more_on_its_open_connection)
{
	const struct party *pins[] = {&other};
	struct guest g, h;
	uint8_t byte;

	guest_init(&g, &member, &server);
	guest_talks(&g, &member);
	keeper_pins(pins, 1);
	guest_init(&h, &other, &server); /* the front has read the pins */
	tls_conn_write(g.conn, "\0\0\0\1x", 5, &(size_t){0});
	ck_assert(guest_is_cut(&g, WAIT_MS));
	ck_assert(!keeper_has(CHAN_REQUEST, 50));
	guest_talks(&h, &other);
	guest_fini(&g);
	guest_init(&g, &member, &server);
	ck_assert_int_eq(guest_read(&g, &byte, 1, WAIT_MS), CLV_E_UNKNOWN_PEER);
	guest_fini(&g);
	guest_fini(&h);
}
END_TEST

START_TEST(answer_to_a_peer_revoked_meanwhile_is_not_sent)
{
	const struct party *pins[] = {&other};
	struct guest g;
	uint64_t conn;

	guest_init(&g, &member, &server);
	guest_ask(&g, "key");
	conn = keeper_request(&member, "key");
	keeper_pins(pins, 1);
	keeper_answer(conn, "secret", 6, false);
	ck_assert(guest_is_cut(&g, WAIT_MS));
	guest_fini(&g);
}
END_TEST

START_TEST(empty_or_broken_list_of_pins_admits_nobody)
{
	struct clv_buf b;
	struct guest g;
	uint8_t byte;

	clv_buf_init(&b);
	clv_buf_u32(&b, 1000000);
	keeper_send(CHAN_PINS, &b);
	guest_init(&g, &member, &server);
	ck_assert_int_eq(guest_read(&g, &byte, 1, WAIT_MS), CLV_E_UNKNOWN_PEER);
	guest_fini(&g);
	keeper_pins(NULL, 0);
	guest_init(&g, &member, &server);
	ck_assert_int_eq(guest_read(&g, &byte, 1, WAIT_MS), CLV_E_UNKNOWN_PEER);
	guest_fini(&g);
}
END_TEST

/* ---- who is not enrolled, while somebody may join ---- */

static void
guest_joins(struct guest *g, const struct party *who)
{
	uint8_t binding[TLS_BINDING_LEN], own[TLS_BINDING_LEN];

	guest_ask(g, "may I?");
	keeper_answer(keeper_join(who, "may I?", binding), "yes", 3, false);
	guest_hears(g, "yes");
	ck_assert_int_eq(tls_conn_binding(g->conn, own), CLV_OK);
	ck_assert_mem_eq(own, binding, sizeof(own));
}

/* Connect, and again while there is no place. */
static void
guest_gets_in(struct guest *g, const struct party *who)
{
	uint8_t binding[TLS_BINDING_LEN];
	bool is_cut = true;

	for (int i = 0; is_cut && i < 200; i++) {
		guest_init(g, who, &server);
		(void)tls_conn_write(g->conn, "\0\0\0\3Hi!", 7, &(size_t){0});
		is_cut = false;
		while (!is_cut && !keeper_has(CHAN_JOIN, 10))
			is_cut = guest_is_cut(g, 10);
		if (is_cut)
			guest_fini(g);
	}
	ck_assert(!is_cut);
	keeper_answer(keeper_join(who, "Hi!", binding), "yes", 3, false);
	guest_hears(g, "yes");
}

/* Was the order carried out? A member's exchange comes after it. */
static void
let_it_arrive(void)
{
	struct guest g;

	guest_init(&g, &member, &server);
	guest_talks(&g, &member);
	guest_fini(&g);
}

START_TEST(host_that_is_not_enrolled_may_ask_to_join_and_is_told_apart)
{
	uint8_t one[TLS_BINDING_LEN], two[TLS_BINDING_LEN];
	struct guest g, h;

	keeper_joiners(60);
	let_it_arrive();
	guest_init(&g, &other, &server);
	guest_joins(&g, &other);
	guest_init(&h, &other, &server);
	ck_assert_int_eq(tls_conn_binding(g.conn, one), CLV_OK);
	ck_assert_int_eq(tls_conn_binding(h.conn, two), CLV_OK);
	ck_assert_mem_ne(one, two, sizeof(one));
	ck_assert(!keeper_has(CHAN_REQUEST, 0));
	guest_fini(&g);
	guest_fini(&h);
}
END_TEST

START_TEST(who_was_enrolled_meanwhile_stays_and_others_are_put_out)
{
	const struct party *pins[] = {&member, &other};
	struct party third;
	struct guest g, h;
	uint8_t byte;

	party_init(&third, "third");
	keeper_joiners(60);
	let_it_arrive();
	guest_init(&g, &other, &server);
	guest_init(&h, &third, &server);
	guest_joins(&g, &other);
	guest_joins(&h, &third);
	keeper_pins(pins, 2);
	keeper_joiners(0);
	guest_talks(&g, &other); /* as any member */
	ck_assert(guest_is_cut(&h, WAIT_MS));
	guest_fini(&h);
	guest_init(&h, &third, &server);
	ck_assert_int_eq(guest_read(&h, &byte, 1, WAIT_MS), CLV_E_UNKNOWN_PEER);
	guest_fini(&g);
	guest_fini(&h);
	party_fini(&third);
}
END_TEST

START_TEST(revoked_peer_is_cut_though_somebody_may_join)
{
	const struct party *pins[] = {&other};
	struct guest g;

	keeper_joiners(60);
	guest_init(&g, &member, &server);
	guest_talks(&g, &member);
	keeper_pins(pins, 1);
	ck_assert(guest_is_cut(&g, WAIT_MS));
	guest_fini(&g);
}
END_TEST

START_TEST(the_door_closes_by_itself)
{
	struct guest g;
	uint8_t byte;
	int r;

	keeper_joiners(1);
	let_it_arrive();
	for (int i = 0; i < 100; i++) {
		guest_init(&g, &other, &server);
		r = guest_read(&g, &byte, 1, 100);
		guest_fini(&g);
		if (r == CLV_E_UNKNOWN_PEER)
			break;
	}
	ck_assert_int_eq(r, CLV_E_UNKNOWN_PEER);
}
END_TEST

START_TEST(joiner_says_little_and_hears_no_notices)
{
	static const uint8_t long_frame[] = {0, 0, 4, 1};
	struct guest g, h;
	int i;

	keeper_joiners(60);
	let_it_arrive();
	guest_init(&g, &other, &server);
	guest_init(&h, &member, &server);
	guest_joins(&g, &other);
	guest_talks(&h, &member);
	keeper_notice("changed", 7);
	guest_hears(&h, "changed");
	for (i = 1; i < FRONT_JOIN_ASKS_MAX; i++)
		guest_joins(&g, &other);
	guest_ask(&g, "once more");
	ck_assert(guest_is_cut(&g, WAIT_MS));
	guest_fini(&g);
	guest_init(&g, &other, &server);
	guest_write(&g, "\0\0\0\0", 4); /* a heartbeat is for members */
	ck_assert(guest_is_cut(&g, WAIT_MS));
	guest_fini(&g);
	guest_init(&g, &other, &server);
	guest_write(&g, long_frame, sizeof(long_frame));
	ck_assert(guest_is_cut(&g, WAIT_MS));
	guest_fini(&g);
	guest_fini(&h);
	ck_assert(!keeper_has(CHAN_JOIN, 0));
}
END_TEST

START_TEST(one_host_has_few_places_to_join_from)
{
	struct guest g[FRONT_JOINERS_SOURCE_MAX + 1];
	int i;

	keeper_joiners(60);
	let_it_arrive();
	for (i = 0; i < FRONT_JOINERS_SOURCE_MAX; i++) {
		guest_init(&g[i], &other, &server);
		guest_joins(&g[i], &other);
	}
	guest_init(&g[i], &other, &server);
	ck_assert(guest_is_cut(&g[i], WAIT_MS));
	guest_fini(&g[0]); /* its place is free when the front sees that */
	guest_fini(&g[i]);
	guest_gets_in(&g[i], &other);
	let_it_arrive(); /* and members are not concerned */
	for (i = 1; i <= FRONT_JOINERS_SOURCE_MAX; i++)
		guest_fini(&g[i]);
}
END_TEST

START_TEST(strangers_that_hold_all_places_give_way)
{
	enum { HOSTS = FRONT_JOINERS_MAX / FRONT_JOINERS_SOURCE_MAX };
	struct guest g[FRONT_JOINERS_MAX], late;
	uint8_t binding[TLS_BINDING_LEN];
	struct party who[HOSTS];
	char from[16];
	int i;

	keeper_joiners(60);
	let_it_arrive();
	for (i = 0; i < HOSTS; i++)
		party_init(&who[i], "stranger");
	for (i = 0; i < FRONT_JOINERS_MAX; i++) {
		snprintf(from, sizeof(from), "127.0.1.%d", 1 + i % HOSTS);
		guest_init_from(&g[i], from, &who[i % HOSTS], &server);
	}
	guest_joins(&g[i - 1], &who[HOSTS - 1]);
	guest_ask(&g[0], "and I?"); /* the keeper has not answered yet */
	(void)keeper_join(&who[0], "and I?", binding);
	guest_gets_in(&late, &other); /* when they have been there long */
	ck_assert(guest_is_cut(&g[1], WAIT_MS));
	ck_assert(!guest_is_cut(&g[0], 0));
	for (i = 0; i < FRONT_JOINERS_MAX; i++)
		guest_fini(&g[i]);
	guest_fini(&late);
	for (i = 0; i < HOSTS; i++)
		party_fini(&who[i]);
}
END_TEST

START_TEST(malformed_word_about_joining_opens_nothing)
{
	struct clv_buf b;
	struct guest g;
	uint8_t byte;

	keeper_joiners(60);
	clv_buf_init(&b);
	clv_buf_u64(&b, 60);
	keeper_send(CHAN_JOINERS, &b);
	let_it_arrive();
	guest_init(&g, &other, &server);
	ck_assert_int_eq(guest_read(&g, &byte, 1, WAIT_MS), CLV_E_UNKNOWN_PEER);
	guest_fini(&g);
}
END_TEST

START_TEST(broken_list_of_pins_closes_the_door)
{
	struct clv_buf b;
	struct guest g;
	uint8_t byte;

	keeper_joiners(60);
	let_it_arrive();
	clv_buf_init(&b);
	clv_buf_u32(&b, 1000000);
	keeper_send(CHAN_PINS, &b);
	guest_init(&g, &member, &server);
	ck_assert_int_eq(guest_read(&g, &byte, 1, WAIT_MS), CLV_E_UNKNOWN_PEER);
	guest_fini(&g);
}
END_TEST

/* ---- limits ---- */

START_TEST(frames_of_too_much_length_end_the_connection)
{
	static const char *const heads[] = {"\0\0\x20\x01", "\xff\xff\xff\xff"};
	struct guest g;
	size_t i;

	for (i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		guest_init(&g, &member, &server);
		guest_write(&g, heads[i], 4);
		ck_assert(guest_is_cut(&g, WAIT_MS));
		guest_fini(&g);
	}
	ck_assert(!keeper_has(CHAN_REQUEST, 50));
}
END_TEST

/* Three kinds of slowness at once, since each takes seconds. */
START_TEST(slow_peers_are_cut_and_idle_ones_are_not)
{
	struct guest idle, head, body;
	uint64_t begin = loop_now_ms();
	int raw;

	guest_init(&idle, &member, &server);
	guest_init(&head, &member, &server);
	guest_init(&body, &member, &server);
	raw = tcp_connect(NULL, port);
	guest_write(&head, "\0\0", 2);
	guest_write(&body, "\0\0\0\5abc", 7);
	ck_assert(guest_is_cut(&head, WAIT_MS));
	ck_assert(guest_is_cut(&body, WAIT_MS));
	ck_assert_uint_ge(loop_now_ms() - begin, FRONT_FRAME_MS);
	ck_assert(is_closed(raw, WAIT_MS));
	ck_assert_uint_ge(loop_now_ms() - begin, FRONT_HANDSHAKE_MS);
	ck_assert(!guest_is_cut(&idle, 0));
	guest_talks(&idle, &member);
	close(raw);
	guest_fini(&idle);
	guest_fini(&head);
	guest_fini(&body);
}
END_TEST

START_TEST(one_host_cannot_hold_all_places_before_the_handshake)
{
	int fd[100], i, open = 0;
	struct guest g;

	for (i = 0; i < 100; i++) {
		fd[i] = tcp_connect("127.0.0.2", port);
		ck_assert_int_ge(fd[i], 0);
	}
	/* Another host is served all the same, at once. */
	guest_init(&g, &member, &server);
	guest_talks(&g, &member);
	for (i = 0; i < 100; i++)
		open += !is_closed(fd[i], 0);
	ck_assert_int_le(open, 16);
	for (i = 0; i < 100; i++)
		close(fd[i]);
	guest_fini(&g);
}
END_TEST

START_TEST(flood_from_many_hosts_is_bounded_and_members_get_in)
{
	int fd[400], i, open = 0;
	struct guest g, h;
	char from[16];

	guest_init(&g, &member, &server);
	for (i = 0; i < 400; i++) {
		snprintf(from, sizeof(from), "127.0.1.%d", 1 + i % 100);
		fd[i] = tcp_connect(from, port);
		ck_assert_int_ge(fd[i], 0);
	}
	guest_talks(&g, &member); /* was there before */
	guest_init(&h, &member, &server);
	guest_talks(&h, &member); /* came amidst */
	for (i = 0; i < 400; i++)
		open += !is_closed(fd[i], 0);
	ck_assert_int_le(open, 64);
	for (i = 0; i < 400; i++)
		close(fd[i]);
	guest_fini(&g);
	guest_fini(&h);
}
END_TEST

START_TEST(ninth_connection_of_a_certificate_replaces_its_oldest)
{
	struct guest g[9];
	int i;

	for (i = 0; i < 9; i++) {
		guest_init(&g[i], &member, &server);
		guest_talks(&g[i], &member);
	}
	ck_assert(guest_is_cut(&g[0], WAIT_MS));
	for (i = 1; i < 9; i++)
		ck_assert(!guest_is_cut(&g[i], 0));
	for (i = 0; i < 9; i++)
		guest_fini(&g[i]);
}
END_TEST

START_TEST(rubbish_instead_of_tls_ends_the_connection)
{
	struct guest g;
	uint8_t junk[2048];
	int fd, i;

	for (i = 0; i < 20; i++) {
		randombytes_buf(junk, sizeof(junk));
		fd = tcp_connect(NULL, port);
		ck_assert_int_eq(write(fd, junk, sizeof(junk)), sizeof(junk));
		shutdown(fd, SHUT_WR);
		ck_assert(is_closed(fd, WAIT_MS));
		close(fd);
	}
	guest_init(&g, &member, &server);
	guest_talks(&g, &member);
	guest_fini(&g);
}
END_TEST

static long
private_kib(void)
{
	char path[64], line[128];
	long kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)front_pid);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f) != NULL)
		sscanf(line, "Private_Dirty: %ld", &kib);
	fclose(f);
	return kib;
}

#ifdef __SANITIZE_ADDRESS__
#define IDLE_KIB 2000 /* it keeps what was freed */
#else
#define IDLE_KIB 28
#endif

/* Of many peers, each with its own certificate; the first ones warm up. */
START_TEST(idle_connection_takes_less_than_28_kib)
{
	enum { N = 64, WARM = 16 };
	static struct party p[N];
	const struct party *pins[N];
	struct guest g[N];
	long before = 0;
	int i;

	for (i = 0; i < N; i++) {
		party_init(&p[i], "member");
		pins[i] = &p[i];
	}
	keeper_pins(pins, N);
	for (i = 0; i < N; i++) {
		if (i == WARM)
			before = private_kib();
		guest_init(&g[i], &p[i], &server);
		guest_talks(&g[i], &p[i]);
	}
	ck_assert_int_lt((private_kib() - before) / (N - WARM), IDLE_KIB);
	for (i = 0; i < N; i++) {
		guest_fini(&g[i]);
		party_fini(&p[i]);
	}
}
END_TEST

/* ---- listening ---- */

START_TEST(unlisten_closes_the_port_and_every_connection)
{
	struct clv_buf b;
	struct guest g;
	int raw;

	guest_init(&g, &member, &server);
	guest_talks(&g, &member);
	raw = tcp_connect(NULL, port);
	clv_buf_init(&b);
	keeper_send(CHAN_UNLISTEN, &b);
	keeper_get(CHAN_CLOSED, &b);
	clv_buf_fini(&b);
	ck_assert(guest_is_cut(&g, WAIT_MS));
	ck_assert(is_closed(raw, WAIT_MS));
	ck_assert_int_lt(tcp_connect(NULL, port), 0);
	guest_fini(&g);
	close(raw);
	/* and again */
	ck_assert_int_eq(keeper_listen("127.0.0.1", port), CLV_OK);
	guest_init(&g, &member, &server);
	guest_talks(&g, &member);
	guest_fini(&g);
}
END_TEST

START_TEST(listening_twice_on_the_same_is_once)
{
	struct guest g;

	guest_init(&g, &member, &server);
	ck_assert_int_eq(keeper_listen("127.0.0.1", port), CLV_OK);
	guest_talks(&g, &member);
	guest_fini(&g);
}
END_TEST

START_TEST(address_that_is_not_up_yet_is_bound)
{
	ck_assert_int_eq(keeper_listen("192.0.2.77", port), CLV_OK);
	ck_assert_int_lt(tcp_connect(NULL, port), 0);
	ck_assert_int_eq(keeper_listen("2001:db8::77", port), CLV_OK);
}
END_TEST

START_TEST(name_instead_of_an_address_is_refused)
{
	ck_assert_int_eq(keeper_listen("localhost", port), CLV_E_INVALID);
	ck_assert_int_eq(keeper_listen("", port), CLV_E_INVALID);
}
END_TEST

START_TEST(port_in_use_is_named_as_such)
{
	struct sockaddr_in in = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	uint16_t taken = free_port();
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	in.sin_port = htons(taken);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_eq(keeper_listen("127.0.0.1", taken), CLV_E_IN_USE);
	close(fd);
}
END_TEST

/* ---- the process ---- */

static void
start_bare(void)
{
	ck_assert_int_ge(sodium_init(), 0);
	config_defaults(&config);
	strcpy(config.cluster, "no");
	front_rig_start();
}

START_TEST(without_a_certificate_it_does_not_listen)
{
	ck_assert_int_eq(
	    keeper_listen("127.0.0.1", free_port()), CLV_E_NOT_READY);
}
END_TEST

START_TEST(without_a_database_statements_are_refused_at_once)
{
	struct clv_buf b;
	struct clv_rd rd;

	clv_buf_init(&b);
	clv_buf_u64(&b, 4711);
	clv_buf_u8(&b, CHAN_LANE_ORDERED);
	clv_buf_u32(&b, CLV_STMT_HELLO);
	clv_buf_u32(&b, 0);
	keeper_send(CHAN_SQL, &b);
	keeper_get(CHAN_SQL_RESULT, &b);
	clv_rd_init(&rd, b.data, b.len);
	ck_assert_uint_eq(clv_rd_u64(&rd), 4711);
	ck_assert_int_eq((int)clv_rd_u32(&rd), CLV_E_DATABASE_AWAY);
	clv_buf_fini(&b);
}
END_TEST

START_TEST(without_a_cluster_that_is_said_each_second)
{
	struct clv_buf b;
	struct clv_rd rd;
	int i;

	for (i = 0; i < 2; i++) {
		keeper_get(CHAN_CLUSTER, &b);
		clv_rd_init(&rd, b.data, b.len);
		ck_assert_uint_eq(clv_rd_u8(&rd), 0);
		ck_assert_uint_eq(clv_rd_u8(&rd), 0);
		ck_assert_uint_eq(clv_rd_u8(&rd), 0);
		ck_assert_uint_eq(clv_rd_u32(&rd), 0);
		ck_assert_uint_le(clv_rd_u64(&rd), loop_now_ms());
		ck_assert_int_eq(clv_rd_end(&rd), CLV_OK);
		clv_buf_fini(&b);
	}
	clv_buf_init(&b);
	clv_buf_str(&b, "to nobody");
	keeper_send(CHAN_CAST, &b);
	ck_assert(keeper_has(CHAN_CLUSTER, WAIT_MS));
}
END_TEST

START_TEST(unknown_and_malformed_messages_are_survived)
{
	static const enum chan_type all[] = {CHAN_SQL, CHAN_TLS, CHAN_PINS,
	    CHAN_ANSWER, CHAN_CAST, CHAN_DELIVER, (enum chan_type)999};
	struct clv_buf b;
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		clv_buf_init(&b);
		clv_buf_raw(&b, "\xff\xff\xff\xff\xff", 5);
		keeper_send(all[i], &b);
	}
	ck_assert_int_eq(
	    keeper_listen("127.0.0.1", free_port()), CLV_E_NOT_READY);
}
END_TEST

START_TEST(order_to_end_ends_it)
{
	struct link_msg m = {.op = LINK_END};

	ck_assert_int_eq(send(front_link, &m, sizeof(m), 0), sizeof(m));
	ck_assert_int_eq(front_rig_status(), 0);
}
END_TEST

START_TEST(end_of_the_keeper_ends_it)
{
	keeper_hang_up();
	ck_assert_int_eq(front_rig_status(), 0);
}
END_TEST

START_TEST(terminating_signals_are_the_supervisors_business)
{
	ck_assert_int_eq(keeper_listen("127.0.0.1", free_port()),
	    CLV_E_NOT_READY); /* it is up */
	ck_assert_int_eq(kill(front_pid, SIGTERM), 0);
	ck_assert_int_eq(kill(front_pid, SIGINT), 0);
	ck_assert_int_eq(kill(front_pid, SIGHUP), 0);
	ck_assert_int_eq(
	    keeper_listen("127.0.0.1", free_port()), CLV_E_NOT_READY);
}
END_TEST

/* ---- the set of pins ---- */

START_TEST(pins_are_found_and_no_others)
{
	enum { N = 3000 };
	static uint8_t thumbs[N][32];
	struct front_pins *p = NULL;
	uint8_t x[32];
	int i;

	for (i = 0; i < N; i++)
		randombytes_buf(thumbs[i], 32);
	memcpy(thumbs[7], thumbs[8], 32); /* one of them twice */
	ck_assert_int_eq(front_pins_new(thumbs[0], N, &p), CLV_OK);
	for (i = 0; i < N; i++) {
		ck_assert(front_pins_has(p, thumbs[i]));
		memcpy(x, thumbs[i], 32);
		x[i % 32] ^= (uint8_t)(1u << i % 8);
		ck_assert(!front_pins_has(p, x));
	}
	front_pins_free(&p);
	ck_assert(!front_pins_has(NULL, x));
	ck_assert_int_eq(front_pins_new(thumbs[0], 0, &p), CLV_OK);
	ck_assert(!front_pins_has(p, thumbs[0]));
	front_pins_free(&p);
}
END_TEST

static TCase *
add_case(Suite *s, const char *name, SFun before, SFun after)
{
	TCase *t = tcase_create(name);

	tcase_add_checked_fixture(t, before, after);
	tcase_set_timeout(t, 30);
	suite_add_tcase(s, t);
	return t;
}

static void
add_serving(Suite *s)
{
	TCase *t = add_case(s, "serving", setup, teardown);

	tcase_add_test(t, request_and_answer_pass_with_the_peers_thumbprint);
	tcase_add_test(t, largest_answer_arrives_whole);
	tcase_add_test(t, answer_with_close_ends_the_connection);
	tcase_add_test(
	    t, requests_sent_together_are_relayed_one_after_the_other);
	tcase_add_test(t, request_in_single_bytes_is_put_together);
	tcase_add_test(t, answers_for_nobody_are_dropped);
	tcase_add_test(t, peer_that_left_before_its_answer_harms_nobody);
	tcase_add_test(t, new_certificate_is_for_new_connections_only);
	tcase_add_test(t, unusable_certificate_leaves_the_old_one_in_place);
	tcase_add_test(t, stranger_is_refused_and_told_its_thumbprint);
	tcase_add_test(
	    t, revoked_peer_gets_nothing_more_on_its_open_connection);
	tcase_add_test(t, answer_to_a_peer_revoked_meanwhile_is_not_sent);
	tcase_add_test(t, empty_or_broken_list_of_pins_admits_nobody);
	tcase_add_test(t, unlisten_closes_the_port_and_every_connection);
	tcase_add_test(t, listening_twice_on_the_same_is_once);
	tcase_add_test(t, address_that_is_not_up_yet_is_bound);
	tcase_add_test(t, name_instead_of_an_address_is_refused);
	tcase_add_test(t, port_in_use_is_named_as_such);
}

static void
add_joining(Suite *s)
{
	TCase *t = add_case(s, "joining", setup, teardown);

	tcase_add_test(
	    t, host_that_is_not_enrolled_may_ask_to_join_and_is_told_apart);
	tcase_add_test(
	    t, who_was_enrolled_meanwhile_stays_and_others_are_put_out);
	tcase_add_test(t, revoked_peer_is_cut_though_somebody_may_join);
	tcase_add_test(t, the_door_closes_by_itself);
	tcase_add_test(t, joiner_says_little_and_hears_no_notices);
	tcase_add_test(t, strangers_that_hold_all_places_give_way);
	tcase_add_test(t, one_host_has_few_places_to_join_from);
	tcase_add_test(t, malformed_word_about_joining_opens_nothing);
	tcase_add_test(t, broken_list_of_pins_closes_the_door);
}

static void
add_notices(Suite *s)
{
	TCase *t = add_case(s, "notices", setup, teardown);

	tcase_add_test(t, heartbeat_is_answered_without_the_keeper);
	tcase_add_test(t, flood_of_heartbeats_ends_that_connection_alone);
	tcase_add_test(t, notice_reaches_everybody_who_is_known);
	tcase_add_test(t, notice_waits_for_its_turn_and_the_newest_is_enough);
	tcase_add_test(t, notices_of_no_or_too_much_length_are_not_sent);
	tcase_add_test(t, peer_that_does_not_read_notices_holds_up_nobody);
	tcase_add_test(t, a_thousand_connections_hear_one_notice);
	tcase_set_timeout(t, 120);
}

static void
add_limits(Suite *s)
{
	TCase *t = add_case(s, "limits", setup, teardown);

	tcase_add_test(t, frames_of_too_much_length_end_the_connection);
	tcase_add_test(t, slow_peers_are_cut_and_idle_ones_are_not);
	tcase_add_test(t, one_host_cannot_hold_all_places_before_the_handshake);
	tcase_add_test(t, flood_from_many_hosts_is_bounded_and_members_get_in);
	tcase_add_test(
	    t, ninth_connection_of_a_certificate_replaces_its_oldest);
	tcase_add_test(t, rubbish_instead_of_tls_ends_the_connection);
	tcase_add_test(t, idle_connection_takes_less_than_28_kib);
}

static void
add_process(Suite *s)
{
	TCase *t = add_case(s, "process", start_bare, front_rig_stop);

	tcase_add_test(t, without_a_certificate_it_does_not_listen);
	tcase_add_test(t, without_a_database_statements_are_refused_at_once);
	tcase_add_test(t, without_a_cluster_that_is_said_each_second);
	tcase_add_test(t, unknown_and_malformed_messages_are_survived);
	tcase_add_test(t, order_to_end_ends_it);
	tcase_add_test(t, end_of_the_keeper_ends_it);
	tcase_add_test(t, terminating_signals_are_the_supervisors_business);
	t = tcase_create("pins");
	tcase_add_test(t, pins_are_found_and_no_others);
	suite_add_tcase(s, t);
}

int
main(void)
{
	Suite *s = suite_create("front");
	SRunner *r;
	int failed;

	add_serving(s);
	add_joining(s);
	add_notices(s);
	add_limits(s);
	add_process(s);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
