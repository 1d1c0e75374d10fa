/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <libpq-fe.h>
#include <claviger/result.h>
#include <claviger/store.h>

/* Connection strings: what is refused, and what libpq is given. No server. */

static char given[64][2][512];
static size_t given_count;

PGconn *__wrap_PQconnectStartParams(
    const char *const *keys, const char *const *values, int expand_dbname);

PGconn *
__wrap_PQconnectStartParams(
    const char *const *keys, const char *const *values, int expand_dbname)
{
	ck_assert_int_eq(expand_dbname, 0);
	for (given_count = 0; keys[given_count] != NULL; given_count++) {
		strncpy(given[given_count][0], keys[given_count], 511);
		strncpy(given[given_count][1], values[given_count], 511);
	}
	return NULL;
}

/* What libpq will use: the last of a name. */
static const char *
value(const char *key)
{
	const char *v = "";

	for (size_t i = 0; i < given_count; i++)
		if (strcmp(given[i][0], key) == 0)
			v = given[i][1];
	return v;
}

static void
open_with(const char *conninfo, const char *passfile)
{
	struct clv_store *s = NULL;

	ck_assert_int_eq(
	    clv_store_open(conninfo, passfile, false, &s), CLV_E_NOMEM);
	ck_assert_ptr_null(s);
	ck_assert_uint_gt(given_count, 0);
}

static const char *const good[] = {"", "dbname=claviger",
    "host=/run/postgresql", "host=/a,/b dbname=x", "host=/a, user=x",
    "host='' port=5433", "host=db sslmode=verify-full sslrootcert=/etc/ca.pem",
    "host=a,b,c sslmode=verify-full channel_binding=require",
    "hostaddr=192.0.2.1 host=db sslmode=verify-full", "postgresql:///claviger",
    "postgresql://u@db/x?sslmode=verify-full",
    "host=db sslmode=verify-full ssl_min_protocol_version=TLSv1.3",
    "password='' dbname=x", "host=/a sslmode=disable"};

START_TEST(sound_string_is_taken)
{
	char why[256] = "";

	ck_assert_msg(clv_store_check_conninfo(good[_i], why) == CLV_OK,
	    "%s: %s", good[_i], why);
}
END_TEST

static const struct {
	const char *conninfo;
	const char *why;
} bad[] = {
    {"password=hunter2", "password"},
    {"host=/a password=hunter2 nonsense=1", "not a PostgreSQL"},
    {"postgresql://u:hunter2@db/x?sslmode=verify-full", "password"},
    {"host=db sslmode=verify-full sslpassword=hunter2", "password"},
    {"host=db", "verify-full"},
    {"host=db sslmode=verify-ca", "verify-full"},
    {"host=db sslmode=require", "verify-full"},
    {"host=/a,db", "verify-full"},
    {"host=,db", "verify-full"},
    {"host=db,/a sslmode=prefer", "verify-full"},
    {"hostaddr=192.0.2.1", "verify-full"},
    {"host=/a hostaddr=192.0.2.1", "verify-full"},
    {"postgresql://db/x", "verify-full"},
    {"host=@abstract", "abstract"},
    {"host=@abstract sslmode=verify-full", "abstract"},
    {"host=db,@abstract sslmode=verify-full", "abstract"},
    {"host=db sslmode=verify-full ssl_min_protocol_version=TLSv1.1", "TLSv1.2"},
    {"options='-c search_path=evil'", "option options"},
    {"service=x", "option service"},
    {"passfile=/tmp/x", "option passfile"},
    {"gssencmode=prefer", "option gssencmode"},
    {"replication=database", "option replication"},
    {"client_encoding=SQL_ASCII", "option client_encoding"},
    {"nonsense", "not a PostgreSQL"},
    {"host='unfinished", "not a PostgreSQL"},
    {"postgresql://[::1", "not a PostgreSQL"},
    {"hunter2", "not a PostgreSQL"},
};

START_TEST(unsound_string_is_refused_with_the_reason)
{
	struct clv_store *s = NULL;
	char why[256] = "";

	ck_assert_int_eq(
	    clv_store_check_conninfo(bad[_i].conninfo, why), CLV_E_INVALID);
	ck_assert_msg(
	    strstr(why, bad[_i].why) != NULL, "%s: %s", bad[_i].conninfo, why);
	ck_assert_ptr_null(strstr(why, "hunter2"));
	ck_assert_int_eq(
	    clv_store_open(bad[_i].conninfo, NULL, false, &s), CLV_E_INVALID);
	ck_assert_int_eq(
	    clv_store_connect(bad[_i].conninfo, NULL, false, 1000, &s, why),
	    CLV_E_INVALID);
	ck_assert_ptr_null(s);
	ck_assert_uint_eq(given_count, 0);
}
END_TEST

START_TEST(libpq_is_given_what_always_holds)
{
	static const char *const want[][2] = {{"host", "db"}, {"user", "u"},
	    {"sslmode", "verify-full"}, {"connect_timeout", "5"},
	    {"keepalives", "1"}, {"keepalives_idle", "5"},
	    {"keepalives_interval", "2"}, {"keepalives_count", "3"},
	    {"tcp_user_timeout", "5000"},
	    {"target_session_attrs", "read-write"},
	    {"ssl_min_protocol_version", ""}, /* libpq's own: TLSv1.2 */
	    {"gssencmode", "disable"}, {"application_name", "claviger"},
	    {"client_encoding", "UTF8"}, {"passfile", "/dev/null/none"}};

	open_with("host=db user=u sslmode=verify-full application_name=evil"
		  " target_session_attrs=any keepalives=0 connect_timeout=0"
		  " tcp_user_timeout=0",
	    NULL);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		ck_assert_str_eq(value(want[i][0]), want[i][1]);
	ck_assert_ptr_nonnull(strstr(value("options"), "lock_timeout=3s"));
}
END_TEST

START_TEST(environment_of_libpq_is_removed)
{
	static const char *const vars[] = {"PGHOST", "PGHOSTADDR", "PGPORT",
	    "PGDATABASE", "PGUSER", "PGPASSWORD", "PGPASSFILE", "PGSERVICE",
	    "PGSERVICEFILE", "PGSYSCONFDIR", "PGSSLMODE", "PGREQUIRESSL",
	    "PGSSLCERT", "PGSSLKEY", "PGSSLROOTCERT", "PGSSLCRL", "PGSSLCRLDIR",
	    "PGSSLSNI", "PGREQUIREPEER", "PGSSLMINPROTOCOLVERSION",
	    "PGSSLMAXPROTOCOLVERSION", "PGGSSENCMODE", "PGKRBSRVNAME",
	    "PGCONNECT_TIMEOUT", "PGCLIENTENCODING", "PGTARGETSESSIONATTRS",
	    "PGOPTIONS", "PGAPPNAME", "PGCHANNELBINDING", "PGDATESTYLE", "PGTZ",
	    "PGGEQO", "PGLOCALEDIR"};

	for (size_t i = 0; i < sizeof(vars) / sizeof(vars[0]); i++)
		setenv(vars[i], "evil", 1);
	setenv("PGNOTHING", "of libpq", 1);
	open_with("host=/a", NULL);
	for (size_t i = 0; i < sizeof(vars) / sizeof(vars[0]); i++)
		ck_assert_msg(getenv(vars[i]) == NULL, "%s is left", vars[i]);
	ck_assert_ptr_nonnull(getenv("PGNOTHING"));
	for (size_t i = 0; i < given_count; i++)
		ck_assert_str_ne(given[i][1], "evil");
}
END_TEST

START_TEST(password_file_must_be_its_owners_alone)
{
	char path[] = "/tmp/claviger-passfile-XXXXXX", why[256];
	struct clv_store *s = NULL;

	close(mkstemp(path));
	open_with("host=/a", path);
	ck_assert_str_eq(value("passfile"), path);
	chmod(path, 0640);
	ck_assert_int_eq(
	    clv_store_connect("host=/a", path, false, 1000, &s, why),
	    CLV_E_PERMISSION);
	ck_assert_ptr_nonnull(strstr(why, "password file"));
	unlink(path);
	ck_assert_int_eq(
	    clv_store_connect("host=/a", path, false, 1000, &s, why),
	    CLV_E_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(why, "password file"));
	ck_assert_int_eq(
	    clv_store_open("host=/a", "/tmp", false, &s), CLV_E_PERMISSION);
	ck_assert_ptr_null(s);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("store_conninfo");
	TCase *t = tcase_create("a_connection_string");
	SRunner *run;
	int failed;

	tcase_add_loop_test(
	    t, sound_string_is_taken, 0, sizeof(good) / sizeof(good[0]));
	tcase_add_loop_test(t, unsound_string_is_refused_with_the_reason, 0,
	    sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(t, libpq_is_given_what_always_holds);
	tcase_add_test(t, environment_of_libpq_is_removed);
	tcase_add_test(t, password_file_must_be_its_owners_alone);
	suite_add_tcase(suite, t);
	run = srunner_create(suite);
	srunner_run_all(run, CK_NORMAL);
	failed = srunner_ntests_failed(run);
	srunner_free(run);
	return failed != 0;
}
