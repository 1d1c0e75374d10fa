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
#include <sys/socket.h>
#include <unistd.h>
#include <claviger/result.h>
#include <claviger/wire.h>
#include "daemon/front/front.h"
#include "daemon/front/front_uplink.h"
#include "daemon/base/loop.h"
#include "front_rig.h"

/* A member's front, with another front as the server's, or with the test as a
 * server that does what it likes. */

static struct party server, next, member;
static uint16_t port;

/* ---- a server's front beside the member's ---- */

static struct {
	struct chan *chan;
	pid_t pid;
	int link;
	bool in_use, current;
} other;

static void
swap(void)
{
	pid_t pid = front_pid;
	int link = front_link;

	front_pid = other.pid;
	front_link = other.link;
	other.chan = front_rig_swap(other.chan);
	other.pid = pid;
	other.link = link;
	other.current = !other.current;
}

static void
to_server(void)
{
	if (!other.current)
		swap();
}

static void
to_member(void)
{
	if (other.current)
		swap();
}

static void
listen_again(void)
{
	to_server();
	ck_assert_int_eq(keeper_listen("127.0.0.1", port), CLV_OK);
	to_member();
}

static void
unlisten(void)
{
	struct clv_buf b;

	to_server();
	clv_buf_init(&b);
	keeper_send(CHAN_UNLISTEN, &b);
	keeper_get(CHAN_CLOSED, &b);
	clv_buf_fini(&b);
	to_member();
}

static void
start_server(void)
{
	const struct party *pins[] = {&member};

	other.in_use = true;
	swap();
	front_rig_start();
	keeper_tls(&server);
	keeper_pins(pins, 1);
	listen_again();
}

static void
setup(void)
{
	ck_assert_int_ge(sodium_init(), 0);
	signal(SIGPIPE, SIG_IGN);
	party_init(&server, "server");
	party_init(&next, "next");
	party_init(&member, "member");
	config_defaults(&config);
	strcpy(config.cluster, "no");
	port = free_port();
	memset(&other, 0, sizeof(other));
	front_rig_start();
}

static void
teardown(void)
{
	/* The one that was made last has descriptors of the other. */
	if (other.in_use) {
		to_server();
		front_rig_stop();
		to_member();
	}
	front_rig_stop();
	party_fini(&server);
	party_fini(&next);
	party_fini(&member);
}

/* ---- the keeper of the member ---- */

static void
order(const char *host, const struct party *const *pins, uint32_t n)
{
	struct clv_buf b;

	clv_buf_init(&b);
	clv_buf_str(&b, host);
	clv_buf_u16(&b, port);
	clv_buf_bytes(&b, member.cert.data, member.cert.len);
	clv_buf_bytes(&b, member.key.data, member.key.len);
	clv_buf_u32(&b, n);
	for (uint32_t i = 0; i < n; i++)
		clv_buf_raw(&b, pins[i]->thumb, 32);
	keeper_send(CHAN_UPLINK, &b);
}

static void
order_one(const char *host, const struct party *pin)
{
	order(host, &pin, 1);
}

/* The next that is said: its result, 0 for up. */
static int
state(char why[static CHAN_WHY_MAX])
{
	struct clv_buf b;
	struct clv_rd rd;
	bool up;
	int r;

	keeper_get(CHAN_UPLINK_STATE, &b);
	clv_rd_init(&rd, b.data, b.len);
	up = clv_rd_u8(&rd) != 0;
	r = (int)clv_rd_u32(&rd);
	clv_rd_str(&rd, why, CHAN_WHY_MAX);
	ck_assert_int_eq(clv_rd_end(&rd), CLV_OK);
	ck_assert(up == (r == CLV_OK) && up == (why[0] == '\0'));
	clv_buf_fini(&b);
	return r;
}

/* ... after "not connected yet". */
static int
outcome(char why[static CHAN_WHY_MAX])
{
	ck_assert_int_eq(state(why), CLV_E_NO_SERVER);
	ck_assert_str_eq(why, "not connected yet");
	return state(why);
}

static void
must_be_up(void)
{
	char why[CHAN_WHY_MAX];
	int r = outcome(why);

	ck_assert_msg(r == CLV_OK, "%d %s", r, why);
}

static void
ask(const char *text)
{
	struct clv_buf b;

	clv_buf_init(&b);
	clv_buf_bytes(&b, text, strlen(text));
	keeper_send(CHAN_ASK, &b);
}

static void
reply_is(const void *p, size_t len)
{
	struct clv_buf b;
	struct clv_rd rd;
	const uint8_t *got;
	size_t n;

	keeper_get(CHAN_REPLY, &b);
	clv_rd_init(&rd, b.data, b.len);
	got = clv_rd_bytes(&rd, &n);
	ck_assert_int_eq(clv_rd_end(&rd), CLV_OK);
	ck_assert_uint_eq(n, len);
	ck_assert_mem_eq(got, p, len);
	clv_buf_fini(&b);
}

static void
answers(const char *question, const char *answer)
{
	to_server();
	keeper_answer(
	    keeper_request(&member, question), answer, strlen(answer), false);
	to_member();
}

static void
talks(void)
{
	ask("question");
	answers("question", "answer");
	reply_is("answer", 6);
}

/* ---- with a real server ---- */

START_TEST(request_goes_up_and_its_answer_comes_down)
{
	start_server();
	order_one("127.0.0.1", &server);
	must_be_up();
	talks();
	talks();
}
END_TEST

START_TEST(server_is_found_by_its_name)
{
	start_server();
	order_one("localhost", &server);
	must_be_up();
	talks();
}
END_TEST

static const char notice[] = "\0\0\0\x08\1\0\0\0\0\x10";

START_TEST(notice_comes_by_itself_and_before_an_answer)
{
	start_server();
	order_one("127.0.0.1", &server);
	must_be_up();
	to_server();
	keeper_notice(notice, sizeof(notice));
	to_member();
	reply_is(notice, sizeof(notice));
	talks();
	ask("question");
	to_server();
	ck_assert(keeper_has(CHAN_REQUEST, WAIT_MS));
	keeper_notice(notice, sizeof(notice));
	answers("question", "answer");
	reply_is("answer", 6);
	reply_is(notice, sizeof(notice));
}
END_TEST

START_TEST(one_request_waits_behind_another_and_the_newest_stays)
{
	start_server();
	order_one("127.0.0.1", &server);
	must_be_up();
	ask("first");
	ask("second");
	ask("third");
	/* What it says to this shows that it has read them all. */
	ck_assert_int_eq(keeper_listen("127.0.0.1", 1), CLV_E_NOT_READY);
	answers("first", "1");
	answers("third", "3");
	reply_is("1", 1);
	reply_is("3", 1);
	talks();
}
END_TEST

START_TEST(lost_connection_is_said_and_made_again)
{
	char why[CHAN_WHY_MAX];
	int i;

	start_server();
	order_one("127.0.0.1", &server);
	must_be_up();
	for (i = 0; i < 2; i++) {
		ask("lost");
		to_server();
		ck_assert(keeper_has(CHAN_REQUEST, WAIT_MS));
		unlisten();
		ck_assert_int_eq(state(why), CLV_E_NO_SERVER);
		to_server();
		keeper_request(&member, "lost");
		listen_again();
		while (state(why) != CLV_OK)
			ck_assert_ptr_nonnull(strstr(why, "refused"));
		talks();
	}
	ck_assert(!keeper_has(CHAN_REPLY, 50));
}
END_TEST

START_TEST(server_that_is_not_there_is_said_once_and_found_later)
{
	char why[CHAN_WHY_MAX], place[32];

	order_one("127.0.0.1", &server);
	ck_assert_int_eq(outcome(why), CLV_E_NO_SERVER);
	snprintf(place, sizeof(place), "127.0.0.1 port %u: ", port);
	ck_assert_ptr_nonnull(strstr(why, place));
	ck_assert_ptr_nonnull(strstr(why, "Connection refused"));
	ck_assert(!keeper_has(CHAN_UPLINK_STATE, 1500));
	start_server();
	ck_assert_int_eq(state(why), CLV_OK);
	talks();
}
END_TEST

START_TEST(name_that_does_not_resolve_is_said)
{
	char why[CHAN_WHY_MAX];
	int r;

	order_one("no-such-host.invalid", &server);
	r = outcome(why);
	if (r == CLV_E_TIMEOUT) /* of the name servers */
		return;
	ck_assert_int_eq(r, CLV_E_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(why, "no-such-host.invalid"));
	start_server();
	order_one("127.0.0.1", &server);
	must_be_up();
}
END_TEST

/* ---- who is there ---- */

START_TEST(stranger_is_refused_with_what_was_found_and_expected)
{
	const struct party *pins[] = {&next, &member};
	char why[CHAN_WHY_MAX], hex[65];

	start_server();
	order("127.0.0.1", pins, 2);
	ck_assert_int_eq(outcome(why), CLV_E_UNKNOWN_PEER);
	sodium_bin2hex(hex, sizeof(hex), server.thumb, 32);
	ck_assert_ptr_nonnull(strstr(why, hex));
	sodium_bin2hex(hex, sizeof(hex), next.thumb, 32);
	ck_assert_ptr_nonnull(strstr(why, hex));
	sodium_bin2hex(hex, sizeof(hex), member.thumb, 32);
	ck_assert_ptr_nonnull(strstr(why, hex));
	pins[1] = &server;
	order("127.0.0.1", pins, 2);
	ck_assert_int_eq(state(why), CLV_OK);
	talks();
}
END_TEST

START_TEST(member_that_is_not_enrolled_is_never_up)
{
	const struct party *pins[] = {&member};
	char why[CHAN_WHY_MAX], hex[65];

	start_server();
	to_server();
	keeper_pins(NULL, 0);
	to_member();
	order_one("127.0.0.1", &server);
	ck_assert_int_eq(outcome(why), CLV_E_UNKNOWN_PEER);
	sodium_bin2hex(hex, sizeof(hex), member.thumb, 32);
	ck_assert_ptr_nonnull(strstr(why, hex));
	to_server();
	keeper_pins(pins, 1);
	to_member();
	ck_assert_int_eq(state(why), CLV_OK);
}
END_TEST

START_TEST(new_pins_disturb_a_connection_only_when_they_must)
{
	const struct party *pins[] = {&next, &server};
	char why[CHAN_WHY_MAX];

	start_server();
	order_one("127.0.0.1", &server);
	must_be_up();
	ask("question");
	order("127.0.0.1", pins, 2);
	order_one("127.0.0.1", &server);
	answers("question", "answer"); /* on the same connection */
	reply_is("answer", 6);
	ck_assert(!keeper_has(CHAN_UPLINK_STATE, 0));
	order_one("127.0.0.1", &next);
	ck_assert_int_eq(outcome(why), CLV_E_UNKNOWN_PEER);
	to_server();
	keeper_tls(&next);
	to_member();
	ck_assert_int_eq(state(why), CLV_OK);
	talks();
}
END_TEST

START_TEST(order_without_pins_closes_and_stays_closed)
{
	char why[CHAN_WHY_MAX];

	start_server();
	order_one("127.0.0.1", &server);
	must_be_up();
	order("127.0.0.1", NULL, 0);
	ck_assert_int_eq(state(why), CLV_E_NO_SERVER);
	ck_assert(!keeper_has(CHAN_UPLINK_STATE, 1500));
	ask("anybody?");
	ck_assert_int_eq(state(why), CLV_E_NO_SERVER);
	order_one("127.0.0.1", &server);
	must_be_up();
	talks();
}
END_TEST

START_TEST(request_without_a_connection_is_answered_by_the_state)
{
	char why[CHAN_WHY_MAX], again[CHAN_WHY_MAX];

	order_one("127.0.0.1", &server);
	ck_assert_int_eq(outcome(why), CLV_E_NO_SERVER);
	ask("anybody?");
	ck_assert_int_eq(state(again), CLV_E_NO_SERVER);
	ck_assert_str_eq(why, again);
}
END_TEST

START_TEST(malformed_orders_and_requests_are_survived)
{
	static uint8_t big[CLV_WIRE_REQUEST_MAX + 1];
	char why[CHAN_WHY_MAX];
	struct clv_buf b;

	start_server();
	clv_buf_init(&b);
	clv_buf_u32(&b, 99);
	keeper_send(CHAN_UPLINK, &b);
	ck_assert_int_eq(state(why), CLV_E_FORMAT);
	clv_buf_str(&b, "127.0.0.1");
	clv_buf_u16(&b, port);
	clv_buf_str(&b, "certificate");
	clv_buf_str(&b, "key");
	clv_buf_u32(&b, 1);
	clv_buf_raw(&b, big, 32);
	keeper_send(CHAN_UPLINK, &b);
	ck_assert_int_eq(state(why), CLV_E_FORMAT);
	ck_assert_ptr_nonnull(strstr(why, "certificate and key"));
	order_one("127.0.0.1", &server);
	must_be_up();
	clv_buf_u32(&b, 99);
	keeper_send(CHAN_ASK, &b);
	ask("");
	clv_buf_bytes(&b, big, sizeof(big));
	keeper_send(CHAN_ASK, &b);
	talks();
}
END_TEST

/* ---- with a server that does what it likes ---- */

struct host {
	int listener;
	struct tls_ctx *ctx;
	struct tls_conn *conn;
};

static void
host_init(struct host *h)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	    .sin_port = htons(port)};
	int on = 1;

	memset(h, 0, sizeof(*h));
	h->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(h->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	ck_assert_int_eq(
	    bind(h->listener, (struct sockaddr *)&in, sizeof(in)), 0);
	ck_assert_int_eq(listen(h->listener, 5), 0);
	ck_assert_int_eq(tls_ctx_new(true, server.cert.data, server.cert.len,
			     server.key.data, server.key.len, pins_one,
			     member.thumb, &h->ctx),
	    CLV_OK);
}

static void
host_fini(struct host *h)
{
	tls_conn_free(&h->conn);
	tls_ctx_free(&h->ctx);
	close(h->listener);
}

static int
host_raw(struct host *h)
{
	struct pollfd p = {.fd = h->listener, .events = POLLIN};
	int fd;

	ck_assert_int_eq(poll(&p, 1, WAIT_MS), 1);
	fd = accept4(h->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	return fd;
}

static void
host_wait(struct host *h)
{
	struct pollfd p = {.fd = tls_conn_fd(h->conn)};

	p.events = tls_conn_want(h->conn) == CLV_WANT_WRITE ? POLLOUT : POLLIN;
	ck_assert_int_eq(poll(&p, 1, WAIT_MS), 1);
}

static void
host_accept(struct host *h)
{
	int r;

	tls_conn_free(&h->conn);
	ck_assert_int_eq(tls_conn_new(h->ctx, host_raw(h), &h->conn), CLV_OK);
	while ((r = tls_conn_handshake(h->conn)) == CLV_E_AGAIN)
		host_wait(h);
	ck_assert_int_eq(r, CLV_OK);
}

static void
host_say(struct host *h, const void *p, size_t len)
{
	const uint8_t *at = p;
	size_t n = 0;
	int r;

	for (; len > 0; at += n, len -= n) {
		while (
		    (r = tls_conn_write(h->conn, at, len, &n)) == CLV_E_AGAIN)
			host_wait(h);
		if (r != CLV_OK)
			return; /* it has hung up, which it may */
	}
}

static void
host_hears(struct host *h, const void *p, size_t len)
{
	uint8_t got[64];
	size_t n, have = 0;
	int r;

	while (have < len) {
		r = tls_conn_read(h->conn, got + have, len - have, &n);
		if (r == CLV_E_AGAIN)
			host_wait(h);
		else
			ck_assert_int_eq(r, CLV_OK);
		have += r == CLV_OK ? n : 0;
	}
	ck_assert_mem_eq(got, p, len);
}

#define BEAT "\0\0\0\0"

static void
host_up(struct host *h)
{
	host_accept(h);
	host_hears(h, BEAT, 4);
	host_say(h, BEAT, 4);
}

static const struct {
	const char *what;
	const char *bytes;
	size_t len;
	int repeat;
} hostile[] = {
    {"a frame that is too long", "\0\1\0\1", 4, 1},
    {"an endless frame", "\xff\xff\xff\xff", 4, 1},
    {"a heartbeat too many", BEAT, 4, 1},
    {"an answer to nothing", "\0\0\0\1x", 5, 1},
    {"a flood of notices", "\0\0\0\x0a\0\0\0\6\1\0\0\0\0\x10", 14,
	UPLINK_NOTICES_MAX + 1},
};

START_TEST(server_that_breaks_the_rules_is_left_and_tried_again)
{
	char why[CHAN_WHY_MAX];
	struct host h;
	int i, r;

	host_init(&h);
	order_one("127.0.0.1", &server);
	host_up(&h);
	must_be_up();
	for (i = 0; i < hostile[_i].repeat; i++)
		host_say(&h, hostile[_i].bytes, hostile[_i].len);
	r = state(why);
	ck_assert_msg(
	    r == CLV_E_PROTOCOL, "%s: %d %s", hostile[_i].what, r, why);
	host_up(&h);
	ck_assert_int_eq(state(why), CLV_OK);
	host_fini(&h);
}
END_TEST

START_TEST(largest_answer_comes_through_in_pieces)
{
	static uint8_t frame[CLV_WIRE_ANSWER_MAX + 4];
	struct host h;
	size_t i;

	host_init(&h);
	order_one("127.0.0.1", &server);
	host_up(&h);
	must_be_up();
	ask("x");
	host_hears(&h, "\0\0\0\1x", 5);
	randombytes_buf(frame, sizeof(frame));
	memcpy(frame, "\0\1\0\0", 4);
	frame[13] = CLV_WIRE_FETCH; /* whatever else it says */
	for (i = 0; i < 8; i++)
		host_say(&h, frame + i, 1);
	host_say(&h, frame + 8, sizeof(frame) - 8);
	reply_is(frame + 4, sizeof(frame) - 4);
	host_fini(&h);
}
END_TEST

START_TEST(server_that_answers_no_heartbeat_is_left)
{
	char why[CHAN_WHY_MAX];
	uint64_t begin = loop_now_ms();
	struct host h;

	host_init(&h);
	order_one("127.0.0.1", &server);
	host_up(&h);
	must_be_up();
	host_hears(&h, BEAT, 4);
	host_hears(&h, BEAT, 4);
	ck_assert_uint_ge(loop_now_ms() - begin, 2 * UPLINK_BEAT_MS);
	ck_assert_int_eq(state(why), CLV_E_TIMEOUT);
	ck_assert_ptr_nonnull(strstr(why, "nothing was heard for 12 s"));
	host_up(&h);
	ck_assert_int_eq(state(why), CLV_OK);
	host_fini(&h);
}
END_TEST

START_TEST(server_that_answers_no_handshake_is_left)
{
	char why[CHAN_WHY_MAX];
	struct host h;
	int fd;

	host_init(&h);
	order_one("127.0.0.1", &server);
	fd = host_raw(&h);
	ck_assert_int_eq(state(why), CLV_E_NO_SERVER);
	ck_assert(keeper_has(CHAN_UPLINK_STATE, 2 * UPLINK_HANDSHAKE_MS));
	ck_assert_int_eq(state(why), CLV_E_TIMEOUT);
	close(fd);
	host_up(&h);
	ck_assert_int_eq(state(why), CLV_OK);
	host_fini(&h);
}
END_TEST

START_TEST(server_without_tls_is_named_as_such)
{
	char why[CHAN_WHY_MAX];
	struct host h;
	int fd;

	host_init(&h);
	order_one("127.0.0.1", &server);
	fd = host_raw(&h);
	ck_assert_int_eq(write(fd, "HTTP/1.0 400 no\r\n\r\n", 19), 19);
	ck_assert_int_eq(outcome(why), CLV_E_TLS);
	ck_assert_ptr_nonnull(strstr(why, "does not speak TLS"));
	close(fd);
	host_fini(&h);
}
END_TEST

static TCase *
add_case(Suite *s, const char *name)
{
	TCase *t = tcase_create(name);

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	return t;
}

static void
add_real(Suite *s)
{
	TCase *t = add_case(s, "a_real_server");

	tcase_add_test(t, request_goes_up_and_its_answer_comes_down);
	tcase_add_test(t, server_is_found_by_its_name);
	tcase_add_test(t, notice_comes_by_itself_and_before_an_answer);
	tcase_add_test(
	    t, one_request_waits_behind_another_and_the_newest_stays);
	tcase_add_test(t, lost_connection_is_said_and_made_again);
	tcase_add_test(
	    t, server_that_is_not_there_is_said_once_and_found_later);
	tcase_add_test(t, name_that_does_not_resolve_is_said);
	tcase_add_test(t, stranger_is_refused_with_what_was_found_and_expected);
	tcase_add_test(t, member_that_is_not_enrolled_is_never_up);
	tcase_add_test(t, new_pins_disturb_a_connection_only_when_they_must);
	tcase_add_test(t, order_without_pins_closes_and_stays_closed);
	tcase_add_test(
	    t, request_without_a_connection_is_answered_by_the_state);
	tcase_add_test(t, malformed_orders_and_requests_are_survived);
}

int
main(void)
{
	Suite *s = suite_create("front_uplink");
	TCase *t;
	SRunner *r;
	int failed;

	add_real(s);
	t = add_case(s, "a_server_of_its_own");
	tcase_add_loop_test(t,
	    server_that_breaks_the_rules_is_left_and_tried_again, 0,
	    sizeof(hostile) / sizeof(hostile[0]));
	tcase_add_test(t, largest_answer_comes_through_in_pieces);
	tcase_add_test(t, server_that_answers_no_heartbeat_is_left);
	tcase_add_test(t, server_that_answers_no_handshake_is_left);
	tcase_add_test(t, server_without_tls_is_named_as_such);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
