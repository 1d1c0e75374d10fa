/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <claviger/guard.h>
#include <claviger/result.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

/* syscall() and madvise() of the library lead here, so that kernels without
 * one of the means, and lying ones, can be shown. */
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
int __real_madvise(void *p, size_t len, int advice);
int __wrap_madvise(void *p, size_t len, int advice);

static bool no_secretmem;
static bool mlock_lies;
static int advice_refused;

long
__wrap_syscall(long number, ...)
{
	va_list ap;
	long a, b;

	va_start(ap, number);
	a = va_arg(ap, long);
	b = va_arg(ap, long);
	va_end(ap);
	if (number == SYS_memfd_secret && no_secretmem) {
		errno = ENOSYS;
		return -1;
	}
	if (number == SYS_mlock && mlock_lies)
		return 0;
	return __real_syscall(number, a, b);
}

int
__wrap_madvise(void *p, size_t len, int advice)
{
	if (advice == advice_refused) {
		errno = EINVAL;
		return -1;
	}
	return __real_madvise(p, len, advice);
}

static struct clv_guard *guard;

static void
set_up(void)
{
	ck_assert_int_eq(clv_guard_new(16384, &guard), CLV_OK);
}

static void
set_up_locked(void)
{
	no_secretmem = true;
	set_up();
	ck_assert_int_eq(clv_guard_kind(guard), CLV_GUARD_LOCKED);
}

static void
tear_down(void)
{
	clv_guard_free_all(&guard);
	ck_assert_ptr_null(guard);
	no_secretmem = false;
}

START_TEST(arena_is_locked_to_the_last_byte)
{
	struct clv_guard *g = NULL;

	ck_assert_int_eq(clv_guard_new(1, &g), CLV_OK);
	ck_assert_uint_eq(clv_guard_locked(g), (size_t)sysconf(_SC_PAGESIZE));
	ck_assert_uint_eq(clv_guard_used(g), 0);
	clv_guard_free_all(&g);
	clv_guard_free_all(&g);
}
END_TEST

START_TEST(absurd_lengths_are_refused)
{
	struct clv_guard *g = NULL;

	ck_assert_int_eq(clv_guard_new(0, &g), CLV_E_INVALID);
	ck_assert_int_eq(clv_guard_new(SIZE_MAX, &g), CLV_E_INVALID);
	ck_assert_ptr_null(g);
}
END_TEST

START_TEST(blocks_are_zeroed_aligned_and_apart)
{
	static const uint8_t zeros[100];
	uint8_t *p[20];
	size_t i;

	for (i = 0; i < 20; i++) {
		p[i] = clv_guard_get(guard, i + 81);
		ck_assert_ptr_nonnull(p[i]);
		ck_assert_uint_eq((uintptr_t)p[i] % 16, 0);
		ck_assert_mem_eq(p[i], zeros, i + 81);
		memset(p[i], 0xa5, i + 81);
	}
	for (i = 0; i < 20; i++)
		clv_guard_put(guard, p[i]);
	ck_assert_uint_eq(clv_guard_used(guard), 0);
}
END_TEST

START_TEST(given_back_memory_is_wiped_and_used_again)
{
	static const uint8_t zeros[64];
	uint8_t *a = clv_guard_get(guard, 64), *b = clv_guard_get(guard, 64);
	uint8_t *c;

	ck_assert_uint_eq(clv_guard_used(guard), 128);
	memset(a, 0xff, 64);
	clv_guard_put(guard, a);
	ck_assert_mem_eq(a, zeros, 64); /* the arena is still mapped */
	c = clv_guard_get(guard, 48);
	ck_assert_ptr_eq(a, c);
	ck_assert_ptr_ne(b, c);
	ck_assert_uint_eq(clv_guard_used(guard), 112);
}
END_TEST

START_TEST(too_large_a_gap_is_skipped_for_a_fitting_one)
{
	uint8_t *a = clv_guard_get(guard, 64), *b = clv_guard_get(guard, 64);
	uint8_t *c;

	clv_guard_put(guard, a);
	c = clv_guard_get(guard, 65);
	ck_assert_ptr_nonnull(c);
	ck_assert(c > b);
}
END_TEST

START_TEST(full_arena_gives_null)
{
	void *p = clv_guard_get(guard, 16384 - 16);

	ck_assert_ptr_nonnull(p);
	ck_assert_ptr_null(clv_guard_get(guard, 1));
	ck_assert_ptr_null(clv_guard_get(guard, 0));
	clv_guard_put(guard, p);
	ck_assert_ptr_null(clv_guard_get(guard, 16384 - 15));
	ck_assert_ptr_null(clv_guard_get(guard, SIZE_MAX));
	ck_assert_ptr_nonnull(clv_guard_get(guard, 16384 - 16));
}
END_TEST

START_TEST(slots_are_bounded)
{
	struct clv_guard *g = NULL;
	void *first = NULL;
	size_t n = 0;

	ck_assert_int_eq(clv_guard_new(1 << 17, &g), CLV_OK);
	while (n < 10000) {
		void *p = clv_guard_get(g, 1);

		if (p == NULL)
			break;
		if (n++ == 0)
			first = p;
	}
	ck_assert_uint_eq(n, 2048);
	clv_guard_put(g, first);
	ck_assert_ptr_eq(clv_guard_get(g, 1), first);
	clv_guard_free_all(&g);
}
END_TEST

START_TEST(many_gets_and_puts_never_overlap)
{
	uint8_t *p[32] = {0};
	size_t len[32] = {0}, i, j, k, wrong = 0;
	unsigned seed = 7;

	for (i = 0; i < 20000; i++) {
		k = (unsigned)rand_r(&seed) % 32;
		for (j = 0; j < len[k]; j++)
			wrong += p[k][j] != k;
		clv_guard_put(guard, p[k]);
		len[k] = (unsigned)rand_r(&seed) % 900;
		p[k] = clv_guard_get(guard, len[k]);
		if (p[k] == NULL)
			len[k] = 0;
		for (j = 0; j < len[k]; j++)
			p[k][j] = (uint8_t)k;
	}
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

START_TEST(null_is_given_back_in_peace)
{
	clv_guard_put(guard, NULL);
}
END_TEST

START_TEST(overrun_of_one_byte_aborts)
{
	uint8_t *p = clv_guard_get(guard, 33);

	p[33] ^= 1;
	clv_guard_put(guard, p);
}
END_TEST

START_TEST(foreign_pointer_aborts)
{
	uint8_t *p = clv_guard_get(guard, 64);

	clv_guard_put(guard, p + 16);
}
END_TEST

START_TEST(giving_back_twice_aborts)
{
	void *p = clv_guard_get(guard, 64);

	clv_guard_put(guard, p);
	clv_guard_put(guard, p);
}
END_TEST

START_TEST(running_off_the_arena_faults)
{
	volatile uint8_t *p = clv_guard_get(guard, 16384 - 16);

	signal(SIGSEGV, SIG_DFL);
	p[16384] = 1;
}
END_TEST

/* Exit status of fn(arg) in a child that does nothing else; 128 + signal. */
static int
in_child(int (*fn)(void *), void *arg)
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		_exit(fn(arg));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

static int
look_at(void *arg)
{
	return *(volatile uint8_t *)arg;
}

START_TEST(forked_child_sees_nothing)
{
	uint8_t *p = clv_guard_get(guard, 1);
	int got;

	*p = 42;
	got = in_child(look_at, p);
	if (clv_guard_kind(guard) == CLV_GUARD_LOCKED)
		ck_assert_int_eq(got, 0);
	else
		ck_assert_int_eq(got, 128 + SIGSEGV);
	ck_assert_uint_eq(*p, 42);
}
END_TEST

static int
free_inherited(void *arg)
{
	(void)arg;
	clv_guard_free_all(&guard);
	return guard == NULL ? 7 : 1;
}

START_TEST(forked_child_may_free_the_arena)
{
	uint8_t *p = clv_guard_get(guard, 1);

	*p = 42;
	ck_assert_int_eq(in_child(free_inherited, NULL), 7);
	ck_assert_uint_eq(*p, 42);
}
END_TEST

/* Without the right to lock: limit 0 and no CAP_IPC_LOCK. */
static int
make_unprivileged(void *arg)
{
	struct rlimit none = {0, 0};
	struct clv_guard *g = NULL;

	(void)arg;
	if (setrlimit(RLIMIT_MEMLOCK, &none) != 0 ||
	    (geteuid() == 0 && setreuid(65534, 65534) != 0))
		return 99;
	return clv_guard_new(4096, &g) == CLV_E_NOT_LOCKED && g == NULL;
}

START_TEST(without_the_right_to_lock_there_is_no_arena)
{
	no_secretmem = _i == 1;
	ck_assert_int_eq(in_child(make_unprivileged, NULL), 1);
}
END_TEST

static int
make_within_limit(void *arg)
{
	struct rlimit eight_pages = {32768, 32768};
	struct clv_guard *g = NULL;

	(void)arg;
	if (setrlimit(RLIMIT_MEMLOCK, &eight_pages) != 0 ||
	    (geteuid() == 0 && setreuid(65534, 65534) != 0))
		return 99;
	if (clv_guard_new(65536, &g) != CLV_E_NOT_LOCKED)
		return 98;
	return clv_guard_new(32768, &g) == CLV_OK &&
	       clv_guard_locked(g) == 32768;
}

START_TEST(limit_is_met_exactly)
{
	no_secretmem = _i == 1;
	ck_assert_int_eq(in_child(make_within_limit, NULL), 1);
}
END_TEST

START_TEST(lock_that_is_only_claimed_is_found_out)
{
	struct clv_guard *g = NULL;

	no_secretmem = mlock_lies = true;
	ck_assert_int_eq(clv_guard_new(8192, &g), CLV_E_NOT_LOCKED);
	ck_assert_ptr_null(g);
}
END_TEST

START_TEST(pages_that_would_be_dumped_are_not_used)
{
	struct clv_guard *g = NULL;

	advice_refused = MADV_DONTDUMP;
	ck_assert_int_eq(clv_guard_new(8192, &g), CLV_E_NOT_LOCKED);
	ck_assert_ptr_null(g);
}
END_TEST

START_TEST(without_wipe_on_fork_a_child_gets_no_copy)
{
	struct clv_guard *g = NULL;
	uint8_t *p;

	no_secretmem = true;
	advice_refused = MADV_WIPEONFORK;
	ck_assert_int_eq(clv_guard_new(8192, &g), CLV_OK);
	p = clv_guard_get(g, 1);
	ck_assert_int_eq(in_child(look_at, p), 128 + SIGSEGV);
	clv_guard_free_all(&g);
}
END_TEST

static void
add_use_tests(TCase *t)
{
	tcase_add_test(t, blocks_are_zeroed_aligned_and_apart);
	tcase_add_test(t, given_back_memory_is_wiped_and_used_again);
	tcase_add_test(t, too_large_a_gap_is_skipped_for_a_fitting_one);
	tcase_add_test(t, full_arena_gives_null);
	tcase_add_test(t, many_gets_and_puts_never_overlap);
	tcase_add_test(t, null_is_given_back_in_peace);
	tcase_add_test(t, forked_child_sees_nothing);
	tcase_add_test(t, forked_child_may_free_the_arena);
	tcase_add_test_raise_signal(t, overrun_of_one_byte_aborts, SIGABRT);
	tcase_add_test_raise_signal(t, foreign_pointer_aborts, SIGABRT);
	tcase_add_test_raise_signal(t, giving_back_twice_aborts, SIGABRT);
	tcase_add_test_raise_signal(t, running_off_the_arena_faults, SIGSEGV);
}

int
main(void)
{
	Suite *s = suite_create("guard");
	TCase *make = tcase_create("making_an_arena");
	TCase *best = tcase_create("the_best_kind_here");
	TCase *locked = tcase_create("locked_memory");
	SRunner *run;
	int failed;

	tcase_add_test(make, arena_is_locked_to_the_last_byte);
	tcase_add_test(make, absurd_lengths_are_refused);
	tcase_add_test(make, slots_are_bounded);
	tcase_add_loop_test(
	    make, without_the_right_to_lock_there_is_no_arena, 0, 2);
	tcase_add_loop_test(make, limit_is_met_exactly, 0, 2);
	tcase_add_test(make, lock_that_is_only_claimed_is_found_out);
	tcase_add_test(make, pages_that_would_be_dumped_are_not_used);
	tcase_add_test(make, without_wipe_on_fork_a_child_gets_no_copy);
	tcase_add_checked_fixture(best, set_up, tear_down);
	tcase_add_checked_fixture(locked, set_up_locked, tear_down);
	add_use_tests(best);
	add_use_tests(locked);
	suite_add_tcase(s, make);
	suite_add_tcase(s, best);
	suite_add_tcase(s, locked);
	run = srunner_create(s);
	srunner_run_all(run, CK_NORMAL);
	failed = srunner_ntests_failed(run);
	srunner_free(run);
	return failed != 0;
}
