/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNIT_SUITE_H
#define UNIT_SUITE_H

#include <check.h>

/* What a test program's main returns. */
static inline int
suite_run(Suite *s)
{
	SRunner *r = srunner_create(s);
	int failed;

	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}

/* A group of tests of s, each between set_up and tear_down. */
static inline TCase *
suite_case(Suite *s, const char *name, SFun set_up, SFun tear_down)
{
	TCase *t = tcase_create(name);

	tcase_add_checked_fixture(t, set_up, tear_down);
	suite_add_tcase(s, t);
	return t;
}

#endif
