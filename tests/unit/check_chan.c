/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <claviger/buf.h>
#include <claviger/result.h>
#include "daemon/base/chan.h"

static struct chan *a, *b;
static int raw = -1; /* the other end of b, when the peer is hostile */
static unsigned delivered;
static unsigned last_type;
static size_t last_len;
static uint8_t *expect; /* compared with each body, when set */
static uint32_t sequence;

static void
on_message(void *arg, enum chan_type type, struct clv_rd *body)
{
	delivered++;
	last_type = (unsigned)type;
	last_len = body->len;
	if (expect != NULL && body->len > 0)
		ck_assert_mem_eq(body->p, expect, body->len);
}

static void
on_sequence(void *arg, enum chan_type type, struct clv_rd *body)
{
	ck_assert_uint_eq(clv_rd_u32(body), sequence++);
	delivered++;
}

static void
setup(void)
{
	int sv[2];

	delivered = 0;
	sequence = 0;
	expect = NULL;
	raw = -1;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	ck_assert_int_eq(chan_new(sv[0], on_message, NULL, &a), CLV_OK);
	ck_assert_int_eq(chan_new(sv[1], on_message, NULL, &b), CLV_OK);
	ck_assert_int_eq(chan_fd(a), sv[0]);
}

static void
setup_hostile(void)
{
	int sv[2];

	delivered = 0;
	expect = NULL;
	a = NULL;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	raw = sv[0];
	ck_assert_int_eq(chan_new(sv[1], on_message, NULL, &b), CLV_OK);
}

static void
teardown(void)
{
	chan_free(&a);
	chan_free(&b);
	ck_assert_ptr_null(b);
	if (raw >= 0)
		close(raw);
}

static int
send_filled(struct chan *c, size_t len, uint8_t with)
{
	struct clv_buf body;
	uint8_t *p = malloc(len + 1);
	int rc;

	memset(p, with, len);
	clv_buf_init(&body);
	clv_buf_raw(&body, p, len);
	ck_assert_int_eq(clv_buf_result(&body), CLV_OK);
	rc = chan_send(c, CHAN_CAST, &body);
	clv_buf_fini(&body);
	free(p);
	return rc;
}

/* Both ends as a loop would: until all that was queued has come. */
static void
pump(void)
{
	do {
		ck_assert_int_eq(chan_on_write(a), CLV_OK);
		ck_assert_int_eq(chan_on_read(b), CLV_OK);
	} while (chan_wants_write(a));
	ck_assert_int_eq(chan_on_read(b), CLV_OK);
}

START_TEST(messages_around_the_fragment_size_arrive_whole)
{
	static const size_t sizes[] = {
	    0, 1, 32755, 32756, 32757, 65511, 65512, 65513, 1000000};
	size_t i;

	expect = malloc(1000000);
	memset(expect, 0x5a, 1000000);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		ck_assert_int_eq(send_filled(a, sizes[i], 0x5a), CLV_OK);
		pump();
		ck_assert_uint_eq(delivered, i + 1);
		ck_assert_uint_eq(last_len, sizes[i]);
		ck_assert_uint_eq(last_type, CHAN_CAST);
	}
	free(expect);
	expect = NULL;
}
END_TEST

START_TEST(the_largest_message_arrives_and_a_larger_one_is_refused)
{
	ck_assert_int_eq(send_filled(a, CHAN_MESSAGE_MAX, 1), CLV_OK);
	pump();
	ck_assert_uint_eq(delivered, 1);
	ck_assert_uint_eq(last_len, CHAN_MESSAGE_MAX);
	ck_assert_int_eq(send_filled(a, CHAN_MESSAGE_MAX + 1, 1), CLV_E_FULL);
	ck_assert(!chan_wants_write(a));
}
END_TEST

START_TEST(a_slow_reader_fills_the_queue_and_no_more)
{
	unsigned n = 0;

	while (send_filled(a, 8u << 20, 7) == CLV_OK)
		ck_assert_uint_lt(++n, 100);
	ck_assert_uint_ge(n, 7);
	ck_assert_uint_le(n, 9);
	ck_assert_int_eq(send_filled(a, 8u << 20, 7), CLV_E_FULL);
	ck_assert(chan_wants_write(a));
	pump();
	ck_assert_uint_eq(delivered, n);
	ck_assert_int_eq(send_filled(a, 100, 7), CLV_OK);
	pump();
	ck_assert_uint_eq(delivered, n + 1);
}
END_TEST

START_TEST(many_small_messages_keep_their_order)
{
	struct clv_buf body;
	uint32_t i;
	int fd = dup(chan_fd(b));

	chan_free(&b);
	ck_assert_int_eq(chan_new(fd, on_sequence, NULL, &b), CLV_OK);
	clv_buf_init(&body);
	for (i = 0; i < 3000; i++) {
		clv_buf_reset(&body);
		clv_buf_u32(&body, i);
		ck_assert_int_eq(chan_send(a, CHAN_SQL, &body), CLV_OK);
	}
	clv_buf_fini(&body);
	pump();
	while (delivered < 3000)
		ck_assert_int_eq(chan_on_read(b), CLV_OK);
}
END_TEST

START_TEST(one_call_reads_a_bounded_number_of_fragments)
{
	unsigned i;

	for (i = 0; i < 100; i++)
		ck_assert_int_eq(send_filled(a, 1, 1), CLV_OK);
	ck_assert_int_eq(chan_on_read(b), CLV_OK);
	ck_assert_uint_eq(delivered, 64);
	ck_assert_int_eq(chan_on_read(b), CLV_OK);
	ck_assert_uint_eq(delivered, 100);
}
END_TEST

START_TEST(a_body_that_failed_is_not_sent)
{
	struct clv_buf body;

	clv_buf_init(&body);
	body.max = 4;
	clv_buf_u64(&body, 1);
	ck_assert_int_ne(clv_buf_result(&body), CLV_OK);
	ck_assert_int_ne(chan_send(a, CHAN_SQL, &body), CLV_OK);
	clv_buf_fini(&body);
	ck_assert_int_eq(chan_on_read(b), CLV_OK);
	ck_assert_uint_eq(delivered, 0);
}
END_TEST

START_TEST(a_peer_that_is_gone_is_told)
{
	chan_free(&b);
	ck_assert_int_eq(chan_on_read(a), CLV_E_NO_SERVER);
	ck_assert_int_eq(send_filled(a, 10, 1), CLV_E_NO_SERVER);
}
END_TEST

START_TEST(what_a_peer_sent_before_it_went_is_read)
{
	ck_assert_int_eq(send_filled(a, 10, 1), CLV_OK);
	chan_free(&a);
	ck_assert_int_eq(chan_on_read(b), CLV_E_NO_SERVER);
	ck_assert_uint_eq(delivered, 1);
}
END_TEST

START_TEST(with_nothing_to_read_it_waits)
{
	ck_assert_int_eq(chan_on_read(a), CLV_OK);
	ck_assert_int_eq(chan_on_write(a), CLV_OK);
	ck_assert(!chan_wants_write(a));
}
END_TEST

static void
packet(uint32_t type, uint32_t len, uint32_t offset, size_t part)
{
	static uint8_t p[CHAN_FRAGMENT + 100];
	const uint32_t v[3] = {type, len, offset};
	int i;

	for (i = 0; i < 12; i++)
		p[i] = (uint8_t)(v[i / 4] >> (24 - 8 * (i % 4)));
	memset(p + 12, 0xaa, part);
	ck_assert_int_eq(send(raw, p, 12 + part, 0), (ssize_t)(12 + part));
}

START_TEST(hostile_fragments_are_refused)
{
	packet(1, CHAN_MESSAGE_MAX + 1, 0, 10);
	ck_assert_int_eq(chan_on_read(b), CLV_E_PROTOCOL);
	packet(1, 0xffffffff, 0, 10);
	ck_assert_int_eq(chan_on_read(b), CLV_E_PROTOCOL);
	ck_assert_int_eq(send(raw, "short", 5, 0), 5);
	ck_assert_int_eq(chan_on_read(b), CLV_E_PROTOCOL);
	ck_assert_uint_eq(delivered, 0);
}
END_TEST

START_TEST(a_first_fragment_with_an_offset_is_refused)
{
	packet(1, 100, 50, 50);
	ck_assert_int_eq(chan_on_read(b), CLV_E_PROTOCOL);
}
END_TEST

START_TEST(more_than_was_announced_is_refused)
{
	packet(1, 9, 0, 10);
	ck_assert_int_eq(chan_on_read(b), CLV_E_PROTOCOL);
}
END_TEST

START_TEST(an_empty_part_of_a_message_is_refused)
{
	packet(1, 9, 0, 0);
	ck_assert_int_eq(chan_on_read(b), CLV_E_PROTOCOL);
}
END_TEST

START_TEST(a_fragment_larger_than_any_is_refused)
{
	packet(1, 40000, 0, CHAN_FRAGMENT - 12 + 1);
	ck_assert_int_eq(chan_on_read(b), CLV_E_PROTOCOL);
}
END_TEST

/* i: type, length, offset, and what goes beyond the end differ in the second
 * fragment. */
START_TEST(a_later_fragment_that_does_not_agree_is_refused)
{
	static const uint32_t second[][4] = {{2, 100, 50, 50}, {1, 101, 50, 50},
	    {1, 100, 49, 50}, {1, 100, 51, 49}, {1, 100, 50, 51},
	    {1, 100, 0, 50}, {1, 100, 50, 0}, {1, 100, 0xfffffff0, 50}};
	const uint32_t *s = second[_i];

	packet(1, 100, 0, 50);
	packet(s[0], s[1], s[2], s[3]);
	ck_assert_int_eq(chan_on_read(b), CLV_E_PROTOCOL);
	ck_assert_uint_eq(delivered, 0);
}
END_TEST

START_TEST(what_is_announced_takes_no_memory_before_it_comes)
{
	struct rlimit lim = {0, 0};
	struct rusage before, after;
	int i;

	ck_assert_int_eq(getrlimit(RLIMIT_AS, &lim), 0);
	getrusage(RUSAGE_SELF, &before);
	for (i = 0; i < 20; i++) {
		packet(1, CHAN_MESSAGE_MAX, 0, 1);
		ck_assert_int_eq(chan_on_read(b), CLV_OK);
		chan_free(&b);
		close(raw);
		setup_hostile();
	}
	getrusage(RUSAGE_SELF, &after);
	ck_assert_int_lt(after.ru_maxrss - before.ru_maxrss, 4096);
}
END_TEST

START_TEST(a_descriptor_that_comes_along_is_refused)
{
	char control[CMSG_SPACE(sizeof(int))];
	uint8_t head[12] = {0, 0, 0, 1};
	struct iovec iov = {head, sizeof(head)};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof(control)};
	struct cmsghdr *c;
	int fds[2], lowest;

	memset(control, 0, sizeof(control));
	c = CMSG_FIRSTHDR(&msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	ck_assert_int_eq(pipe(fds), 0);
	memcpy(CMSG_DATA(c), &fds[0], sizeof(int));
	ck_assert_int_eq(sendmsg(raw, &msg, 0), (ssize_t)sizeof(head));
	lowest = dup(0);
	close(lowest);
	ck_assert_int_eq(chan_on_read(b), CLV_E_PROTOCOL);
	ck_assert_uint_eq(delivered, 0);
	ck_assert_int_eq(dup(0), lowest); /* none was left open here */
	close(lowest);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("chan");
	TCase *tc = tcase_create("honest peers");
	TCase *th = tcase_create("a hostile peer");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, messages_around_the_fragment_size_arrive_whole);
	tcase_add_test(
	    tc, the_largest_message_arrives_and_a_larger_one_is_refused);
	tcase_add_test(tc, a_slow_reader_fills_the_queue_and_no_more);
	tcase_add_test(tc, many_small_messages_keep_their_order);
	tcase_add_test(tc, one_call_reads_a_bounded_number_of_fragments);
	tcase_add_test(tc, a_body_that_failed_is_not_sent);
	tcase_add_test(tc, a_peer_that_is_gone_is_told);
	tcase_add_test(tc, what_a_peer_sent_before_it_went_is_read);
	tcase_add_test(tc, with_nothing_to_read_it_waits);
	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(th, setup_hostile, teardown);
	tcase_add_test(th, hostile_fragments_are_refused);
	tcase_add_test(th, a_first_fragment_with_an_offset_is_refused);
	tcase_add_test(th, more_than_was_announced_is_refused);
	tcase_add_test(th, an_empty_part_of_a_message_is_refused);
	tcase_add_test(th, a_fragment_larger_than_any_is_refused);
	tcase_add_loop_test(
	    th, a_later_fragment_that_does_not_agree_is_refused, 0, 8);
	tcase_add_test(th, what_is_announced_takes_no_memory_before_it_comes);
	tcase_add_test(th, a_descriptor_that_comes_along_is_refused);
	suite_add_tcase(s, th);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
