/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "../../lib/store_internal.h"
#include "store_rig.h"

/* Every call of libpq fails once, so that every way out is walked. */

/* The n-th call of the functions below fails; 0: none does. */
static int fail_at;
static int calls;

static bool
fails(void)
{
	return fail_at != 0 && ++calls == fail_at;
}

#define WRAP(type, name, args, names, failure) \
	type __real_##name args; \
	type __wrap_##name args; \
	type __wrap_##name args \
	{ \
		return fails() ? failure : __real_##name names; \
	}

WRAP(PGconn *, PQconnectStartParams,
    (const char *const *k, const char *const *v, int e), (k, v, e), NULL)
WRAP(PostgresPollingStatusType, PQconnectPoll, (PGconn * c), (c),
    PGRES_POLLING_FAILED)
WRAP(int, PQsetnonblocking, (PGconn * c, int n), (c, n), -1)
WRAP(int, PQsendQueryParams,
    (PGconn * c, const char *q, int n, const Oid *t, const char *const *v,
	const int *l, const int *f, int r),
    (c, q, n, t, v, l, f, r), 0)
WRAP(int, PQsendPrepare,
    (PGconn * c, const char *s, const char *q, int n, const Oid *t),
    (c, s, q, n, t), 0)
WRAP(int, PQsendQueryPrepared,
    (PGconn * c, const char *s, int n, const char *const *v, const int *l,
	const int *f, int r),
    (c, s, n, v, l, f, r), 0)
WRAP(int, PQsendQuery, (PGconn * c, const char *q), (c, q), 0)
WRAP(int, PQflush, (PGconn * c), (c), -1)
WRAP(int, PQconsumeInput, (PGconn * c), (c), 0)
WRAP(PQconninfoOption *, PQconninfoParse, (const char *i, char **e), (i, e),
    NULL)
WRAP(char *, PQescapeIdentifier, (PGconn * c, const char *t, size_t l),
    (c, t, l), NULL)
WRAP(void *, calloc, (size_t n, size_t len), (n, len), NULL)

PGresult *__real_PQgetResult(PGconn *c);
PGresult *__wrap_PQgetResult(PGconn *c);

/* Its NULL is the end of a statement: only a result can get lost. */
PGresult *
__wrap_PQgetResult(PGconn *c)
{
	PGresult *r = __real_PQgetResult(c);

	if (r != NULL && fails()) {
		PQclear(r);
		r = NULL;
	}
	return r;
}

/* Connect, read, write. */
static int
use_it(void)
{
	struct clv_store *n = NULL;
	char why[256] = "";
	int rc;

	rc = clv_store_connect(node_conninfo, NULL, false, TIMEOUT_MS, &n, why);
	if (rc == CLV_OK)
		rc = call(n, CLV_STMT_HELLO);
	if (rc == CLV_OK)
		rc = call(n, CLV_STMT_PUT_JOIN, "name", STR("body"));
	clv_store_free(&n);
	return rc;
}

static int
migrate_it(void)
{
	struct clv_store *n = NULL;
	char why[256] = "";
	int rc;

	rc = clv_store_connect(owner_conninfo, NULL, true, TIMEOUT_MS, &n, why);
	if (rc == CLV_OK)
		rc = clv_store_migrate(n, "node");
	if (rc == CLV_OK)
		rc = create(n, system_id);
	clv_store_free(&n);
	return rc;
}

/* Every call of libpq fails once: a result that says so, and nothing worse. */
static void
walk(int (*use)(void), void (*clean)(void))
{
	int n, rc = -1;

	for (n = 1; n < 500; n++) {
		clean();
		calls = 0;
		fail_at = n;
		rc = use();
		fail_at = 0;
		if (calls < n)
			break;
		ck_assert_msg(rc == CLV_E_NOMEM || rc == CLV_E_INVALID ||
				  rc == CLV_E_DATABASE_AWAY ||
				  rc == CLV_E_UNKNOWN,
		    "call %d: %s", n, clv_result_name(rc));
	}
	ck_result(rc, CLV_OK);
	ck_assert_int_gt(n, 20);
}

static void
nothing(void)
{
}

static void
drop_schema(void)
{
	end_other_sessions();
	sql("DROP SCHEMA IF EXISTS claviger CASCADE");
}

START_TEST(every_call_of_libpq_may_fail)
{
	walk(use_it, nothing);
	walk(migrate_it, drop_schema);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("store_walk");
	TCase *t = tcase_create("every_way_out");
	int rc = rig_start();

	if (rc != 0)
		return rc;
	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, with_system, leave_database);
	tcase_add_test(t, every_call_of_libpq_may_fail);
	suite_add_tcase(suite, t);
	return rig_run(suite);
}
