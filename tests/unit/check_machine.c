/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <claviger/result.h>
#include "daemon/base/machine.h"
#include "daemon/base/state.h"
#include "suite.h"

/* Whose machine this is. */

#define OS (1u << MACHINE_OS)
#define BOARD (1u << MACHINE_BOARD)

static char dir[64];
static struct clv_guard *guard;
static struct clv_identity *id;

static void
set_up(void)
{
	snprintf(dir, sizeof(dir), "/tmp/check-machine.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_ge(sodium_init(), 0);
	ck_assert_int_eq(clv_guard_new(8192, &guard), CLV_OK);
	ck_assert_int_eq(clv_identity_new(guard, "n1", &id), CLV_OK);
}

static void
tear_down(void)
{
	char path[128];

	clv_identity_free(&id);
	clv_guard_free_all(&guard);
	snprintf(path, sizeof(path), "%s/" MACHINE_FILE, dir);
	unlink(path);
	ck_assert_int_eq(rmdir(dir), 0);
}

/* Marks of numbers that are that byte throughout, 0: there is none. */
static struct machine_marks
marks(uint8_t os, uint8_t board)
{
	struct machine_ids ids = {.has = {os != 0, board != 0}};
	struct machine_marks m;

	memset(ids.id[MACHINE_OS], os, MACHINE_ID_LEN);
	memset(ids.id[MACHINE_BOARD], board, MACHINE_ID_LEN);
	machine_marks_make(&ids, id, &m);
	return m;
}

static unsigned
differs(struct machine_marks kept, struct machine_marks here)
{
	return machine_differs(&kept, &here);
}

START_TEST(what_both_have_is_compared)
{
	static const uint8_t n[] = {0, 1, 2};

	for (size_t i = 0; i < 81; i++) {
		uint8_t ko = n[i % 3], kb = n[i / 3 % 3], ho = n[i / 9 % 3],
			hb = n[i / 27];
		unsigned want = (ko != 0 && ho != 0 && ko != ho ? OS : 0) |
				(kb != 0 && hb != 0 && kb != hb ? BOARD : 0);

		ck_assert_uint_eq(differs(marks(ko, kb), marks(ho, hb)), want);
	}
}
END_TEST

START_TEST(what_appears_is_added_and_what_is_gone_stays)
{
	struct machine_marks kept = marks(0, 0), both = marks(1, 2);
	struct machine_marks none = marks(0, 0), os = marks(1, 0);

	ck_assert(!machine_add(&kept, &none));
	ck_assert_uint_eq(machine_set(&kept), 0);
	ck_assert(machine_add(&kept, &os));
	ck_assert_uint_eq(machine_set(&kept), OS);
	ck_assert(machine_add(&kept, &both));
	ck_assert_mem_eq(kept.mark, both.mark, sizeof(kept.mark));
	ck_assert(!machine_add(&kept, &os));
	ck_assert_uint_eq(machine_set(&kept), OS | BOARD);
}
END_TEST

START_TEST(one_that_is_there_is_not_replaced)
{
	struct machine_marks kept = marks(1, 0), here = marks(3, 0);

	ck_assert(!machine_add(&kept, &here));
	ck_assert_uint_eq(machine_differs(&kept, &here), OS);
}
END_TEST

START_TEST(marks_say_nothing_without_the_identity)
{
	struct machine_marks mine = marks(1, 1), theirs;

	/* nor that the two numbers are one */
	ck_assert_mem_ne(mine.mark[0], mine.mark[1], MACHINE_MARK_LEN);
	clv_identity_free(&id);
	ck_assert_int_eq(clv_identity_new(guard, "n1", &id), CLV_OK);
	theirs = marks(1, 1);
	ck_assert_uint_eq(machine_differs(&mine, &theirs), OS | BOARD);
}
END_TEST

static int
parse(enum machine_which which, const char *text, uint8_t ret[MACHINE_ID_LEN])
{
	return machine_id_parse(which, text, strlen(text), ret);
}

START_TEST(numbers_are_read_in_every_spelling)
{
	uint8_t a[MACHINE_ID_LEN], b[MACHINE_ID_LEN];

	ck_assert_int_eq(
	    parse(MACHINE_OS, "00112233445566778899aabbccddeeff\n", a), CLV_OK);
	ck_assert_uint_eq(a[0], 0x00);
	ck_assert_uint_eq(a[15], 0xff);
	ck_assert_int_eq(
	    parse(MACHINE_BOARD, "00112233-4455-6677-8899-aabbccddeeff\n", a),
	    CLV_OK);
	/* as older kernels wrote it, */
	ck_assert_int_eq(
	    parse(MACHINE_BOARD, "00112233-4455-6677-8899-AABBCCDDEEFF\n", b),
	    CLV_OK);
	ck_assert_mem_eq(a, b, sizeof(a));
	/* and older firmware */
	ck_assert_int_eq(
	    parse(MACHINE_BOARD, "33221100-5544-7766-8899-aabbccddeeff\n", b),
	    CLV_OK);
	ck_assert_mem_eq(a, b, sizeof(a));
	ck_assert_int_eq(
	    parse(MACHINE_BOARD, "33221100-5544-7766-8899-aabbccddeefe\n", b),
	    CLV_OK);
	ck_assert_mem_ne(a, b, sizeof(a));
}
END_TEST

START_TEST(what_is_no_number_is_none)
{
	static const struct {
		const char *text;
		int result;
	} bad[] = {{"", CLV_E_FORMAT}, {"\n", CLV_E_FORMAT},
	    {"uninitialized\n", CLV_E_FORMAT}, {"Not Settable", CLV_E_FORMAT},
	    {"00112233445566778899aabbccddee", CLV_E_FORMAT},
	    {"00112233445566778899aabbccddeeff00", CLV_E_FORMAT},
	    {"00112233445566778899aabbccddeeff\n\n", CLV_E_FORMAT},
	    {"00000000-0000-0000-0000-000000000000\n", CLV_E_INVALID},
	    {"FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF\n", CLV_E_INVALID}};
	uint8_t ret[MACHINE_ID_LEN];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(
		    parse(MACHINE_BOARD, bad[i].text, ret), bad[i].result);
}
END_TEST

START_TEST(the_file_comes_back)
{
	static const uint8_t n[] = {0, 1};
	char text[MACHINE_TEXT_MAX];

	for (size_t i = 0; i < 4; i++) {
		struct machine_marks m = marks(n[i % 2], n[i / 2]), back;
		size_t len = machine_format(&m, text);

		ck_assert_uint_lt(len, sizeof(text));
		ck_assert_int_eq(machine_parse(text, len, &back), CLV_OK);
		ck_assert_mem_eq(&m, &back, sizeof(m));
		for (size_t cut = 0; cut < len; cut++) {
			int r = machine_parse(text, cut, &back);

			/* what ends with a line is one with a line less */
			ck_assert(r == CLV_E_FORMAT || text[cut - 1] == '\n');
		}
	}
}
END_TEST

START_TEST(files_that_are_none_are_refused)
{
	struct machine_marks m = marks(1, 0), back;
	char text[2 * MACHINE_TEXT_MAX];
	size_t len = machine_format(&m, text);
	const size_t head = strlen("claviger-machine 1\n");

	/* a line twice */
	memcpy(text + len, text + head, len - head);
	ck_assert_int_eq(
	    machine_parse(text, len + len - head, &back), CLV_E_FORMAT);
	/* every single byte of what is not hexadecimal */
	for (size_t i = 0; i < len; i++) {
		char was = text[i];

		text[i] = '~';
		ck_assert_int_eq(machine_parse(text, len, &back), CLV_E_FORMAT);
		text[i] = was;
	}
}
END_TEST

static void
keep(struct machine_marks m)
{
	char text[MACHINE_TEXT_MAX];
	size_t len = machine_format(&m, text);

	ck_assert_int_eq(
	    file_replace(dir, MACHINE_FILE, text, len, 0400), CLV_OK);
}

static int
check(struct machine_marks here, char why[static MACHINE_WHY_LEN])
{
	struct machine_marks kept;

	memset(&kept, 0xff, sizeof(kept));
	return machine_check(dir, &here, &kept, why);
}

START_TEST(a_host_without_marks_is_no_copy)
{
	char why[MACHINE_WHY_LEN];

	ck_assert_int_eq(check(marks(1, 1), why), CLV_OK);
	ck_assert_str_eq(why, "");
}
END_TEST

START_TEST(a_copy_is_told_by_what)
{
	char why[MACHINE_WHY_LEN];

	keep(marks(1, 2));
	ck_assert_int_eq(check(marks(1, 2), why), CLV_OK);
	ck_assert_int_eq(check(marks(0, 0), why), CLV_OK);
	ck_assert_int_eq(check(marks(1, 3), why), CLV_E_MISMATCH);
	ck_assert_ptr_nonnull(strstr(why, "by its product UUID: "));
	ck_assert_int_eq(check(marks(3, 0), why), CLV_E_MISMATCH);
	ck_assert_ptr_nonnull(strstr(why, "by its machine-id: "));
	ck_assert_int_eq(check(marks(3, 3), why), CLV_E_MISMATCH);
	ck_assert_ptr_nonnull(strstr(why, "machine-id and product UUID: "));
	ck_assert_ptr_nonnull(strstr(why, "claviger identity adopt"));
	ck_assert_uint_lt(strlen(why), MACHINE_WHY_LEN - 1);
}
END_TEST

START_TEST(a_file_that_cannot_be_used_is_no_proof)
{
	char why[MACHINE_WHY_LEN];

	ck_assert_int_eq(
	    file_replace(dir, MACHINE_FILE, "claviger", 8, 0400), CLV_OK);
	ck_assert_int_eq(check(marks(1, 2), why), CLV_E_MISMATCH);
	ck_assert_ptr_nonnull(strstr(why, "cannot be read"));
	ck_assert_ptr_nonnull(strstr(why, "claviger identity adopt"));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("machine");
	TCase *t = suite_case(s, "marks", set_up, tear_down);

	tcase_add_test(t, what_both_have_is_compared);
	tcase_add_test(t, what_appears_is_added_and_what_is_gone_stays);
	tcase_add_test(t, one_that_is_there_is_not_replaced);
	tcase_add_test(t, marks_say_nothing_without_the_identity);
	tcase_add_test(t, numbers_are_read_in_every_spelling);
	tcase_add_test(t, what_is_no_number_is_none);
	tcase_add_test(t, the_file_comes_back);
	tcase_add_test(t, files_that_are_none_are_refused);
	tcase_add_test(t, a_host_without_marks_is_no_copy);
	tcase_add_test(t, a_copy_is_told_by_what);
	tcase_add_test(t, a_file_that_cannot_be_used_is_no_proof);
	return suite_run(s);
}
