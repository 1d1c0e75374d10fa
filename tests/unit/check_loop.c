/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <claviger/result.h>
#include "daemon/base/loop.h"

static struct loop *l;
static int sv[2];
static int calls;
static bool was_readable, was_writable;
static struct loop_timer *t1, *t2, *limit;

static void
on_limit(void *arg)
{
	ck_abort_msg("the loop did not come to its end");
}

static void
setup(void)
{
	calls = 0;
	was_readable = was_writable = false;
	t1 = t2 = limit = NULL;
	ck_assert_int_eq(loop_new(&l), CLV_OK);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	ck_assert_int_eq(loop_timer_set(l, &limit, 5000, on_limit, NULL), 0);
}

static void
teardown(void)
{
	loop_free(&l);
	ck_assert_ptr_null(l);
	if (sv[0] >= 0)
		close(sv[0]);
	if (sv[1] >= 0)
		close(sv[1]);
}

static void
stop_fd(void *arg, int fd, bool readable, bool writable)
{
	calls++;
	was_readable = readable;
	was_writable = writable;
	loop_stop(l);
}

static void
stop_timer(void *arg)
{
	calls++;
	ck_assert_ptr_null(t1);
	loop_stop(l);
}

static void
run_for(uint64_t ms)
{
	ck_assert_int_eq(loop_timer_set(l, &t1, ms, stop_timer, NULL), CLV_OK);
	loop_run(l);
}

START_TEST(a_readable_descriptor_is_told)
{
	ck_assert_int_eq(loop_fd_add(l, sv[0], true, false, stop_fd, NULL), 0);
	ck_assert_int_eq(write(sv[1], "x", 1), 1);
	loop_run(l);
	ck_assert_int_eq(calls, 1);
	ck_assert(was_readable && !was_writable);
}
END_TEST

START_TEST(a_writable_descriptor_is_told)
{
	ck_assert_int_eq(loop_fd_add(l, sv[0], false, true, stop_fd, NULL), 0);
	loop_run(l);
	ck_assert(!was_readable && was_writable);
}
END_TEST

START_TEST(a_hang_up_counts_as_readable)
{
	ck_assert_int_eq(loop_fd_add(l, sv[0], true, false, stop_fd, NULL), 0);
	close(sv[1]);
	sv[1] = -1;
	loop_run(l);
	ck_assert(was_readable);
}
END_TEST

START_TEST(interest_in_nothing_hears_no_hang_up)
{
	ck_assert_int_eq(loop_fd_add(l, sv[0], true, false, stop_fd, NULL), 0);
	ck_assert_int_eq(loop_fd_set(l, sv[0], false, false), CLV_OK);
	close(sv[1]);
	sv[1] = -1;
	run_for(20);
	ck_assert_int_eq(calls, 1);
	ck_assert_int_eq(loop_fd_set(l, sv[0], true, false), CLV_OK);
	loop_run(l);
	ck_assert_int_eq(calls, 2);
	ck_assert(was_readable);
}
END_TEST

START_TEST(a_descriptor_added_twice_is_refused)
{
	ck_assert_int_eq(loop_fd_add(l, sv[0], true, false, stop_fd, NULL), 0);
	ck_assert_int_eq(
	    loop_fd_add(l, sv[0], true, false, stop_fd, NULL), CLV_E_EXISTS);
	ck_assert_int_eq(
	    loop_fd_add(l, -1, true, false, stop_fd, NULL), CLV_E_INVALID);
	ck_assert_int_eq(loop_fd_set(l, sv[1], true, false), CLV_E_NOT_FOUND);
	loop_fd_del(l, sv[1]);
	loop_fd_del(l, -1);
	loop_fd_del(l, 1 << 20);
}
END_TEST

START_TEST(a_descriptor_that_cannot_be_polled_is_refused)
{
	ck_assert_int_eq(
	    loop_fd_add(l, 900, true, false, stop_fd, NULL), CLV_E_SYSTEM);
	ck_assert_int_eq(loop_fd_set(l, 900, true, false), CLV_E_NOT_FOUND);
}
END_TEST

static void
del_and_close(void *arg, int fd, bool readable, bool writable)
{
	calls++;
	loop_fd_del(l, fd);
	close(fd);
	sv[0] = -1;
}

START_TEST(a_callback_may_delete_and_close_its_own_descriptor)
{
	ck_assert_int_eq(
	    loop_fd_add(l, sv[0], true, false, del_and_close, NULL), 0);
	ck_assert_int_eq(write(sv[1], "x", 1), 1);
	run_for(20);
	ck_assert_int_eq(calls, 2);
}
END_TEST

static void
replace_own(void *arg, int fd, bool readable, bool writable)
{
	int again[2];

	calls++;
	loop_fd_del(l, fd);
	close(fd);
	close(sv[1]);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, again), 0);
	ck_assert_int_eq(again[0], fd); /* the number is used again at once */
	sv[0] = again[0];
	sv[1] = again[1];
	ck_assert_int_eq(loop_fd_add(l, fd, true, false, stop_fd, NULL), 0);
}

START_TEST(a_descriptor_number_used_again_inside_the_callback_is_watched)
{
	ck_assert_int_eq(
	    loop_fd_add(l, sv[0], true, false, replace_own, NULL), 0);
	ck_assert_int_eq(write(sv[1], "x", 1), 1);
	run_for(20);
	ck_assert_int_eq(calls, 2); /* once replaced, once the timer */
	ck_assert_int_eq(write(sv[1], "x", 1), 1);
	loop_run(l);
	ck_assert_int_eq(calls, 3);
}
END_TEST

static void
park_and_wake(void *arg, int fd, bool readable, bool writable)
{
	char c;

	ck_assert_int_eq(read(fd, &c, 1), 1);
	ck_assert_int_eq(loop_fd_set(l, fd, false, false), CLV_OK);
	ck_assert_int_eq(loop_fd_set(l, fd, true, false), CLV_OK);
	if (++calls == 3)
		loop_stop(l);
}

START_TEST(interest_may_go_and_come_back_inside_the_callback)
{
	ck_assert_int_eq(
	    loop_fd_add(l, sv[0], true, false, park_and_wake, NULL), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(write(sv[1], "x", 1), 1);
	loop_run(l);
	ck_assert_int_eq(calls, 3);
}
END_TEST

static void
del_other(void *arg, int fd, bool readable, bool writable)
{
	calls++;
	loop_fd_del(l, sv[0]);
	loop_fd_del(l, sv[1]);
}

START_TEST(a_callback_may_delete_another_that_is_ready_too)
{
	ck_assert_int_eq(
	    loop_fd_add(l, sv[0], false, true, del_other, NULL), 0);
	ck_assert_int_eq(
	    loop_fd_add(l, sv[1], false, true, del_other, NULL), 0);
	run_for(20);
	ck_assert_int_eq(calls, 2); /* one of them, and the timer */
}
END_TEST

START_TEST(a_moved_timer_runs_once)
{
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(
		    loop_timer_set(l, &t1, 1 + (uint64_t)i, stop_timer, NULL),
		    CLV_OK);
	loop_run(l);
	ck_assert_int_eq(calls, 1);
	run_for(20);
	ck_assert_int_eq(calls, 2);
}
END_TEST

static void
del_t2(void *arg)
{
	calls++;
	loop_timer_del(l, &t2);
	loop_timer_del(l, &t2);
}

START_TEST(a_timer_deleted_by_another_that_is_due_too_does_not_run)
{
	ck_assert_int_eq(loop_timer_set(l, &t1, 1, del_t2, NULL), CLV_OK);
	ck_assert_int_eq(loop_timer_set(l, &t2, 1, del_t2, NULL), CLV_OK);
	usleep(5000);
	run_for(30); /* moves t1 behind t2, which deletes itself: none left */
	ck_assert_int_eq(calls, 2);
}
END_TEST

static void
again(void *arg)
{
	ck_assert_ptr_null(t2);
	if (++calls == 5)
		loop_stop(l);
	else
		ck_assert_int_eq(loop_timer_set(l, &t2, 0, again, NULL), 0);
}

START_TEST(a_timer_may_set_itself_again)
{
	ck_assert_int_eq(loop_timer_set(l, &t2, UINT64_MAX, again, NULL), 0);
	ck_assert_int_eq(loop_timer_set(l, &t2, 0, again, NULL), 0);
	loop_run(l);
	ck_assert_int_eq(calls, 5);
}
END_TEST

static char order[8], names[] = "abc";

static void
note(void *arg)
{
	order[calls++] = *(const char *)arg;
	if (calls == 3)
		loop_stop(l);
}

START_TEST(timers_run_in_order_of_time)
{
	struct loop_timer *t3 = NULL;

	memset(order, 0, sizeof(order));
	ck_assert_int_eq(loop_timer_set(l, &t1, 30, note, &names[2]), CLV_OK);
	ck_assert_int_eq(loop_timer_set(l, &t2, 1, note, &names[0]), CLV_OK);
	ck_assert_int_eq(loop_timer_set(l, &t3, 10, note, &names[1]), CLV_OK);
	loop_run(l);
	ck_assert_str_eq(order, "abc");
	ck_assert_ptr_null(t1);
}
END_TEST

static void
always(void *arg)
{
	ck_assert_int_eq(loop_timer_set(l, &t2, 0, always, NULL), 0);
}

START_TEST(a_timer_that_is_always_due_leaves_descriptors_their_turn)
{
	ck_assert_int_eq(
	    loop_fd_add(l, sv[0], true, false, stop_fd, NULL), CLV_OK);
	ck_assert_int_eq(loop_timer_set(l, &t2, 0, always, NULL), 0);
	ck_assert_int_eq(write(sv[1], "x", 1), 1);
	loop_run(l);
	ck_assert_int_eq(calls, 1);
}
END_TEST

static void
on_sig(void *arg, int sig)
{
	ck_assert_int_eq(sig, SIGUSR1);
	if (++calls == 3)
		loop_stop(l);
	else
		raise(SIGUSR1);
}

START_TEST(a_signal_is_told_every_time)
{
	ck_assert_int_eq(loop_signal_add(l, SIGUSR1, on_sig, NULL), CLV_OK);
	raise(SIGUSR1);
	loop_run(l);
	ck_assert_int_eq(calls, 3);
}
END_TEST

START_TEST(the_clock_does_not_go_back)
{
	uint64_t a = loop_now_ms(), b = loop_now_ms();

	ck_assert_uint_gt(a, 0);
	ck_assert_uint_ge(b, a);
}
END_TEST

START_TEST(freeing_a_loop_twice_is_harmless)
{
	struct loop *other = NULL;

	loop_free(&other);
	ck_assert_int_eq(loop_timer_set(l, &t2, 1000, again, NULL), CLV_OK);
	loop_free(&l);
	ck_assert_ptr_null(t2);
	loop_free(&l);
	ck_assert_int_eq(loop_new(&l), CLV_OK);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("loop");
	TCase *tc = tcase_create("event loop");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_readable_descriptor_is_told);
	tcase_add_test(tc, a_writable_descriptor_is_told);
	tcase_add_test(tc, a_hang_up_counts_as_readable);
	tcase_add_test(tc, interest_in_nothing_hears_no_hang_up);
	tcase_add_test(tc, a_descriptor_added_twice_is_refused);
	tcase_add_test(tc, a_descriptor_that_cannot_be_polled_is_refused);
	tcase_add_test(tc, a_callback_may_delete_and_close_its_own_descriptor);
	tcase_add_test(
	    tc, a_descriptor_number_used_again_inside_the_callback_is_watched);
	tcase_add_test(tc, interest_may_go_and_come_back_inside_the_callback);
	tcase_add_test(tc, a_callback_may_delete_another_that_is_ready_too);
	tcase_add_test(tc, a_moved_timer_runs_once);
	tcase_add_test(
	    tc, a_timer_deleted_by_another_that_is_due_too_does_not_run);
	tcase_add_test(tc, a_timer_may_set_itself_again);
	tcase_add_test(tc, timers_run_in_order_of_time);
	tcase_add_test(
	    tc, a_timer_that_is_always_due_leaves_descriptors_their_turn);
	tcase_add_test(tc, a_signal_is_told_every_time);
	tcase_add_test(tc, the_clock_does_not_go_back);
	tcase_add_test(tc, freeing_a_loop_twice_is_harmless);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
