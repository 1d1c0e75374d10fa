/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <claviger/result.h>
#include "daemon/base/state.h"

/* Linked with --wrap: the n-th call fails, n counted down to zero. */
static int fail_write, fail_fsync, fail_rename;
static bool short_writes;
ssize_t __real_write(int fd, const void *p, size_t len);
ssize_t __wrap_write(int fd, const void *p, size_t len);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_renameat(int od, const char *on, int nd, const char *nn);
int __wrap_renameat(int od, const char *on, int nd, const char *nn);

ssize_t
__wrap_write(int fd, const void *p, size_t len)
{
	if (fail_write > 0 && --fail_write == 0) {
		errno = ENOSPC;
		return -1;
	}
	return __real_write(fd, p, short_writes && len > 7 ? 7 : len);
}

int
__wrap_fsync(int fd)
{
	if (fail_fsync > 0 && --fail_fsync == 0) {
		errno = EIO;
		return -1;
	}
	return __real_fsync(fd);
}

int
__wrap_renameat(int od, const char *on, int nd, const char *nn)
{
	if (fail_rename > 0 && --fail_rename == 0) {
		errno = EIO;
		return -1;
	}
	return __real_renameat(od, on, nd, nn);
}

static char dir[64];
static const struct state old = {.system_id = {1, 2, 3},
    .epoch = UINT64_C(0x0102030405060708),
    .list_version = 41,
    .generation = 2};
static const struct state new = {.system_id = {1, 2, 3},
    .epoch = UINT64_C(0x0102030405060808),
    .list_version = 42,
    .generation = 3};

static void
setup(void)
{
	fail_write = fail_fsync = fail_rename = 0;
	short_writes = false;
	snprintf(dir, sizeof(dir), "/tmp/check_state.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void
teardown(void)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

static const char *
path(const char *name)
{
	static char p[128];

	snprintf(p, sizeof(p), "%s/%s", dir, name);
	return p;
}

static void
put(const char *name, const void *p, size_t len)
{
	FILE *f = fopen(path(name), "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(p, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

static size_t
get(const char *name, uint8_t *p, size_t cap)
{
	FILE *f = fopen(path(name), "r");
	size_t n;

	ck_assert_ptr_nonnull(f);
	n = fread(p, 1, cap, f);
	fclose(f);
	return n;
}

static void
assert_state(const struct state *want)
{
	struct state s;

	ck_assert_int_eq(state_load(dir, &s), CLV_OK);
	ck_assert_mem_eq(s.system_id, want->system_id, 16);
	ck_assert_uint_eq(s.epoch, want->epoch);
	ck_assert_uint_eq(s.list_version, want->list_version);
	ck_assert_uint_eq(s.generation, want->generation);
}

static void
assert_no_leftover(void)
{
	ck_assert_int_ne(access(path(".state.new"), F_OK), 0);
	ck_assert_int_ne(access(path(".state.bak.new"), F_OK), 0);
}

START_TEST(a_new_host_has_no_state)
{
	struct state s, zero;

	memset(&s, 0xff, sizeof(s));
	memset(&zero, 0, sizeof(zero));
	ck_assert_int_eq(state_load(dir, &s), CLV_E_NOT_FOUND);
	ck_assert_mem_eq(&s, &zero, sizeof(s));
}
END_TEST

START_TEST(what_is_saved_is_loaded)
{
	ck_assert_int_eq(state_save(dir, &old), CLV_OK);
	assert_state(&old);
	ck_assert_int_eq(state_save(dir, &new), CLV_OK);
	assert_state(&new);
	assert_no_leftover();
}
END_TEST

START_TEST(a_byte_more_or_less_a_write_changes_nothing)
{
	short_writes = true;
	ck_assert_int_eq(state_save(dir, &old), CLV_OK);
	assert_state(&old);
}
END_TEST

START_TEST(the_layout_is_frozen)
{
	static const uint8_t head[48] = {'C', 'L', 'V', 'S', 'T', 'A', 'T', 'E',
	    0, 0, 0, 1, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3,
	    4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 41, 0, 0, 0, 2};
	uint8_t a[100], b[100];

	ck_assert_int_eq(state_save(dir, &old), CLV_OK);
	ck_assert_uint_eq(get("state", a, sizeof(a)), 80);
	ck_assert_uint_eq(get("state.bak", b, sizeof(b)), 80);
	ck_assert_mem_eq(a, head, sizeof(head));
	ck_assert_mem_eq(a, b, 80);
}
END_TEST

START_TEST(only_the_owner_may_read_it)
{
	struct stat st;

	ck_assert_int_eq(state_save(dir, &old), CLV_OK);
	ck_assert_int_eq(stat(path("state"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
}
END_TEST

START_TEST(one_damaged_copy_is_survived)
{
	static const char *const names[] = {"state", "state.bak"};

	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(state_save(dir, &old), CLV_OK);
		put(names[i], "rubbish", 7);
		assert_state(&old);
		ck_assert_int_eq(unlink(path(names[i])), 0);
		assert_state(&old);
	}
}
END_TEST

START_TEST(two_damaged_copies_are_an_error_and_never_zero)
{
	struct state s;

	put("state", "rubbish", 7);
	put("state.bak", "", 0);
	ck_assert_int_eq(state_load(dir, &s), CLV_E_DAMAGED);
}
END_TEST

START_TEST(one_damaged_copy_and_no_other_is_an_error)
{
	struct state s;

	put("state.bak", "rubbish", 7);
	ck_assert_int_eq(state_load(dir, &s), CLV_E_DAMAGED);
	ck_assert_int_eq(unlink(path("state.bak")), 0);
	put("state", "rubbish", 7);
	ck_assert_int_eq(state_load(dir, &s), CLV_E_DAMAGED);
}
END_TEST

START_TEST(the_higher_of_two_valid_copies_counts)
{
	uint8_t a[80];

	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(state_save(dir, &old), CLV_OK);
		ck_assert_uint_eq(get("state", a, sizeof(a)), 80);
		ck_assert_int_eq(state_save(dir, &new), CLV_OK);
		put(i == 0 ? "state" : "state.bak", a, sizeof(a));
		assert_state(&new);
	}
}
END_TEST

START_TEST(of_two_systems_the_primary_copy_counts)
{
	struct state other = {.system_id = {9}, .epoch = 5};
	uint8_t a[80];

	ck_assert_int_eq(state_save(dir, &new), CLV_OK);
	ck_assert_uint_eq(get("state", a, sizeof(a)), 80);
	ck_assert_int_eq(state_save(dir, &other), CLV_OK);
	put("state.bak", a, sizeof(a));
	assert_state(&other);
}
END_TEST

START_TEST(every_truncation_is_refused)
{
	struct state s;
	uint8_t a[81];
	size_t n;

	ck_assert_int_eq(state_save(dir, &old), CLV_OK);
	ck_assert_uint_eq(get("state", a, sizeof(a)), 80);
	ck_assert_int_eq(unlink(path("state.bak")), 0);
	a[80] = 0;
	for (n = 0; n <= 81; n++) {
		put("state", a, n);
		ck_assert_int_eq(
		    state_load(dir, &s), n == 80 ? CLV_OK : CLV_E_DAMAGED);
	}
}
END_TEST

START_TEST(every_flipped_bit_is_refused)
{
	struct state s;
	uint8_t a[80];
	unsigned i;

	ck_assert_int_eq(state_save(dir, &old), CLV_OK);
	ck_assert_uint_eq(get("state", a, sizeof(a)), 80);
	ck_assert_int_eq(unlink(path("state.bak")), 0);
	for (i = 0; i < 80 * 8; i++) {
		a[i / 8] ^= (uint8_t)(1 << (i % 8));
		put("state", a, sizeof(a));
		ck_assert_int_eq(state_load(dir, &s), CLV_E_DAMAGED);
		a[i / 8] ^= (uint8_t)(1 << (i % 8));
	}
}
END_TEST

/* Before the first rename nothing has changed; from then on either is right,
 * but never less than the old and never unreadable. */
START_TEST(a_full_disk_keeps_the_old_state)
{
	int n;

	for (n = 1; n <= 2; n++) {
		ck_assert_int_eq(state_save(dir, &old), CLV_OK);
		fail_write = n;
		ck_assert_int_eq(state_save(dir, &new), CLV_E_SYSTEM);
		ck_assert_int_eq(errno, ENOSPC);
		assert_state(n == 1 ? &old : &new);
		assert_no_leftover();
	}
	ck_assert_int_eq(state_save(dir, &new), CLV_OK);
	assert_state(&new);
}
END_TEST

START_TEST(a_failed_sync_is_an_error_and_keeps_a_valid_state)
{
	int n;

	for (n = 1; n <= 4; n++) {
		ck_assert_int_eq(unlink(path("state")) == 0 || n == 1, 1);
		ck_assert_int_eq(unlink(path("state.bak")) == 0 || n == 1, 1);
		ck_assert_int_eq(state_save(dir, &old), CLV_OK);
		fail_fsync = n;
		ck_assert_int_eq(state_save(dir, &new), CLV_E_SYSTEM);
		ck_assert_int_eq(errno, EIO);
		assert_state(n == 1 ? &old : &new);
		assert_no_leftover();
	}
}
END_TEST

START_TEST(a_failed_rename_keeps_the_old_state)
{
	ck_assert_int_eq(state_save(dir, &old), CLV_OK);
	fail_rename = 1;
	ck_assert_int_eq(state_save(dir, &new), CLV_E_SYSTEM);
	assert_state(&old);
	assert_no_leftover();
}
END_TEST

START_TEST(a_copy_that_is_a_link_is_not_followed)
{
	struct state s;

	ck_assert_int_eq(state_save(dir, &old), CLV_OK);
	ck_assert_int_eq(rename(path("state"), "/tmp/check_state.moved"), 0);
	ck_assert_int_eq(unlink(path("state.bak")), 0);
	ck_assert_int_eq(symlink("/tmp/check_state.moved", path("state")), 0);
	ck_assert_int_eq(state_load(dir, &s), CLV_E_DAMAGED);
	unlink("/tmp/check_state.moved");
}
END_TEST

START_TEST(a_missing_folder_is_told)
{
	struct state s;

	ck_assert_int_eq(
	    state_save("/nonexistent/claviger", &old), CLV_E_NOT_FOUND);
	ck_assert_int_eq(
	    state_load("/nonexistent/claviger", &s), CLV_E_NOT_FOUND);
}
END_TEST

START_TEST(a_file_is_replaced_with_its_mode)
{
	struct stat st;
	size_t len;
	void *p;

	ck_assert_int_eq(file_replace(dir, "list", "one", 3, 0640), CLV_OK);
	ck_assert_int_eq(file_replace(dir, "list", "", 0, 0444), CLV_OK);
	ck_assert_int_eq(stat(path("list"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0444);
	ck_assert_int_eq(file_read(dir, "list", 10, &p, &len), CLV_OK);
	ck_assert_uint_eq(len, 0);
	free(p);
}
END_TEST

START_TEST(a_name_that_leaves_the_folder_is_refused)
{
	char name[200];

	memset(name, 'a', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	ck_assert_int_eq(file_replace(dir, "../x", "", 0, 0600), CLV_E_INVALID);
	ck_assert_int_eq(file_replace(dir, "", "", 0, 0600), CLV_E_INVALID);
	ck_assert_int_eq(file_replace(dir, name, "", 0, 0600), CLV_E_INVALID);
}
END_TEST

START_TEST(a_link_in_place_of_the_temporary_file_is_refused)
{
	ck_assert_int_eq(symlink("/tmp/nowhere", path(".list.new")), 0);
	ck_assert_int_eq(
	    file_replace(dir, "list", "x", 1, 0600), CLV_E_PERMISSION);
	ck_assert_int_ne(access("/tmp/nowhere", F_OK), 0);
}
END_TEST

START_TEST(a_left_over_temporary_file_is_used_up)
{
	size_t len;
	void *p;

	put(".list.new", "much longer than what follows", 29);
	ck_assert_int_eq(file_replace(dir, "list", "short", 5, 0600), CLV_OK);
	ck_assert_int_eq(file_read(dir, "list", 10, &p, &len), CLV_OK);
	ck_assert_uint_eq(len, 5);
	ck_assert_mem_eq(p, "short", 6);
	free(p);
	ck_assert_int_ne(access(path(".list.new"), F_OK), 0);
}
END_TEST

/* Two processes write as fast as they can; a reader sees whole files only. */
START_TEST(two_writers_never_mix)
{
	char a[3000], b[2000];
	pid_t pid[2];
	size_t len;
	int i, w, st;
	void *p;

	memset(a, 'a', sizeof(a));
	memset(b, 'b', sizeof(b));
	ck_assert_int_eq(file_replace(dir, "list", a, sizeof(a), 0600), 0);
	for (w = 0; w < 2; w++) {
		if ((pid[w] = fork()) != 0)
			continue;
		for (i = 0; i < 50; i++) {
			if (file_replace(dir, "list", w ? a : b,
				w ? sizeof(a) : sizeof(b), 0600) != CLV_OK)
				_exit(1);
		}
		_exit(0);
	}
	for (i = 0; i < 200; i++) {
		ck_assert_int_eq(file_read(dir, "list", 4000, &p, &len), 0);
		if (len == sizeof(a))
			ck_assert_mem_eq(p, a, len);
		else if (len == sizeof(b))
			ck_assert_mem_eq(p, b, len);
		else
			ck_abort_msg("a file of %zu bytes", len);
		free(p);
	}
	for (w = 0; w < 2; w++) {
		ck_assert_int_eq(waitpid(pid[w], &st, 0), pid[w]);
		ck_assert_int_eq(st, 0);
	}
	ck_assert_int_ne(access(path(".list.new"), F_OK), 0);
}
END_TEST

START_TEST(reading_is_bounded_and_takes_only_files)
{
	size_t len = 7;
	void *p = &len;

	put("list", "0123456789", 10);
	ck_assert_int_eq(file_read(dir, "list", 9, &p, &len), CLV_E_FULL);
	ck_assert_ptr_eq(p, &len);
	ck_assert_int_eq(file_read(dir, "none", 9, &p, &len), CLV_E_NOT_FOUND);
	ck_assert_int_eq(mkfifo(path("fifo"), 0600), 0);
	ck_assert_int_eq(file_read(dir, "fifo", 9, &p, &len), CLV_E_PERMISSION);
	ck_assert_int_eq(symlink("list", path("link")), 0);
	ck_assert_int_eq(
	    file_read(dir, "link", 99, &p, &len), CLV_E_PERMISSION);
	ck_assert_int_eq(file_read(dir, "list", 10, &p, &len), CLV_OK);
	ck_assert_uint_eq(len, 10);
	free(p);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("state");
	TCase *tc = tcase_create("what this host has seen");
	TCase *tf = tcase_create("small files");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_new_host_has_no_state);
	tcase_add_test(tc, what_is_saved_is_loaded);
	tcase_add_test(tc, a_byte_more_or_less_a_write_changes_nothing);
	tcase_add_test(tc, the_layout_is_frozen);
	tcase_add_test(tc, only_the_owner_may_read_it);
	tcase_add_test(tc, one_damaged_copy_is_survived);
	tcase_add_test(tc, two_damaged_copies_are_an_error_and_never_zero);
	tcase_add_test(tc, one_damaged_copy_and_no_other_is_an_error);
	tcase_add_test(tc, the_higher_of_two_valid_copies_counts);
	tcase_add_test(tc, of_two_systems_the_primary_copy_counts);
	tcase_add_test(tc, every_truncation_is_refused);
	tcase_add_test(tc, every_flipped_bit_is_refused);
	tcase_add_test(tc, a_full_disk_keeps_the_old_state);
	tcase_add_test(tc, a_failed_sync_is_an_error_and_keeps_a_valid_state);
	tcase_add_test(tc, a_failed_rename_keeps_the_old_state);
	tcase_add_test(tc, a_copy_that_is_a_link_is_not_followed);
	tcase_add_test(tc, a_missing_folder_is_told);
	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tf, setup, teardown);
	tcase_add_test(tf, a_file_is_replaced_with_its_mode);
	tcase_add_test(tf, a_name_that_leaves_the_folder_is_refused);
	tcase_add_test(tf, a_link_in_place_of_the_temporary_file_is_refused);
	tcase_add_test(tf, a_left_over_temporary_file_is_used_up);
	tcase_add_test(tf, two_writers_never_mix);
	tcase_add_test(tf, reading_is_bounded_and_takes_only_files);
	suite_add_tcase(s, tf);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
