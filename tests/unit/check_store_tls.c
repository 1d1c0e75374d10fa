/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../lib/store_internal.h"
#include "pg.h"
#include "store_rig.h"

/* A database on the network: verify-full, or no connection at all. */

static int port; /* of PostgreSQL on 127.0.0.1 */
static char why[256];

/* A listening socket on a free port of 127.0.0.1. */
static int
listen_anywhere(int *ret_port)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&a, len) != 0 || listen(fd, 4) != 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) != 0)
		abort();
	*ret_port = ntohs(a.sin_port);
	return fd;
}

/* A self-signed certificate for localhost, which is its own root. */
static int
make_certificate(const char *name)
{
	char cmd[512], path[128];
	struct stat st;

	snprintf(cmd, sizeof(cmd),
	    "openssl req -x509 -newkey ec -pkeyopt "
	    "ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost "
	    "-addext subjectAltName=DNS:localhost -keyout %s/%s.key "
	    "-out %s/%s.crt 2>/dev/null",
	    pg_dir(), name, pg_dir(), name);
	if (system(cmd) != 0 || stat(pg_dir(), &st) != 0)
		return 1;
	snprintf(path, sizeof(path), "%s/%s.key", pg_dir(), name);
	return chmod(path, 0600) != 0 || chown(path, st.st_uid, st.st_gid) != 0;
}

/* From now on with TLS, on a port of 127.0.0.1. */
static int
serve_tls(void)
{
	static const char *const settings[][2] = {{"ssl", "on"},
	    {"listen_addresses", "127.0.0.1"}, {"port", "%d"},
	    {"ssl_cert_file", "%s/good.crt"}, {"ssl_key_file", "%s/good.key"}};
	char text[256], conninfo[128];
	PGconn *conn;

	if (make_certificate("good") != 0 || make_certificate("other") != 0)
		return 77; /* no openssl(1) */
	close(listen_anywhere(&port));
	snprintf(conninfo, sizeof(conninfo), "host=%s user=postgres", pg_dir());
	conn = PQconnectdb(conninfo);
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		if (strcmp(settings[i][1], "%d") == 0)
			snprintf(text, sizeof(text),
			    "ALTER SYSTEM SET port = %d", port);
		else if (strncmp(settings[i][1], "%s", 2) == 0)
			snprintf(text, sizeof(text),
			    "ALTER SYSTEM SET %s = '%s%s'", settings[i][0],
			    pg_dir(), settings[i][1] + 2);
		else
			snprintf(text, sizeof(text),
			    "ALTER SYSTEM SET %s = '%s'", settings[i][0],
			    settings[i][1]);
		PQclear(PQexec(conn, text));
	}
	PQfinish(conn);
	pg_halt();
	pg_resume();
	return 0;
}

static int
connect_tls(const char *host, const char *root, struct clv_store **ret)
{
	char conninfo[512];

	snprintf(conninfo, sizeof(conninfo),
	    "host=%s hostaddr=127.0.0.1 "
	    "port=%d user=node dbname=claviger sslmode=verify-full "
	    "sslrootcert=%s/%s.crt",
	    host, port, pg_dir(), root);
	return clv_store_connect(conninfo, NULL, false, TIMEOUT_MS, ret, why);
}

static void
fresh(void)
{
	setenv("HOME", pg_dir(), 1);
	memset(why, 0, sizeof(why));
}

START_TEST(right_name_and_root_give_tls)
{
	static const struct clv__statement ssl = {"ssl",
	    "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
	    "", "ot", false, true};
	static const struct clv__statement keepalive = {"keepalive",
	    "SELECT concat_ws(' ', current_setting('tcp_keepalives_idle'),"
	    " current_setting('tcp_keepalives_interval'),"
	    " current_setting('tcp_keepalives_count'),"
	    " current_setting('tcp_user_timeout'),"
	    " current_setting('client_connection_check_interval')) AS x",
	    "", "t", false, true};
	static const char want[] = "5 2 3 10000 2s";
	struct clv_store *s = NULL;
	const char *got;
	size_t len = 0;
	int rc;

	rc = connect_tls("localhost", "good", &s);
	ck_assert_msg(rc == CLV_OK, "%s", why);
	ck_ok(s, clv__store_run(s, &keepalive, NULL, 0, TIMEOUT_MS));
	got = clv_store_get(s, 0, 0, &len);
	ck_assert_msg(len == strlen(want) && memcmp(got, want, len) == 0,
	    "%.*s", (int)len, got);
	/* in its own name: the server role may not see this of the login */
	ck_ok(s, clv__store_run_script(s, "RESET ROLE", TIMEOUT_MS));
	ck_ok(s, clv__store_run(s, &ssl, NULL, 0, TIMEOUT_MS));
	ck_assert(clv_store_get_bool(s, 0, 0));
	ck_assert(memcmp(clv_store_get(s, 0, 1, &len), "TLSv1.", 6) == 0);
	clv_store_free(&s);
}
END_TEST

START_TEST(large_list_goes_through_tls)
{
	size_t len = 4u << 20, got = 0;
	struct clv_store *s = NULL;
	char *body = malloc(len);

	memset(body, 'x', len);
	ck_result(connect_tls("localhost", "good", &s), CLV_OK);
	ck_ok(s, call(s, CLV_STMT_PUT_LIST, U(TAKEN), A, OP("a"), U(2), body,
		     len, "", (size_t)0, "", U(1)));
	ck_ok(s, call(s, CLV_STMT_GET_LIST, U(0)));
	ck_assert(memcmp(clv_store_get(s, 0, 1, &got), body, len) == 0);
	ck_assert_uint_eq(got, len);
	clv_store_free(&s);
	free(body);
}
END_TEST

START_TEST(other_name_is_refused)
{
	struct clv_store *s = NULL;

	ck_result(connect_tls("db.example", "good", &s), CLV_E_DATABASE_AWAY);
	ck_assert_msg(strstr(why, "localhost") != NULL, "%s", why);
	ck_assert_ptr_null(s);
}
END_TEST

START_TEST(other_root_is_refused)
{
	struct clv_store *s = NULL;

	ck_result(connect_tls("localhost", "other", &s), CLV_E_DATABASE_AWAY);
	ck_assert_msg(strstr(why, "certificate") != NULL, "%s", why);
	ck_result(connect_tls("localhost", "none", &s), CLV_E_DATABASE_AWAY);
	ck_assert_msg(strstr(why, "root certificate") != NULL, "%s", why);
}
END_TEST

/* A relay that answers the request for TLS by itself. */
static void
refuse_tls(const char *answer, size_t len)
{
	struct clv_store *s = NULL;
	char conninfo[256], request[8];
	int fake, c, fd = listen_anywhere(&fake);

	snprintf(conninfo, sizeof(conninfo),
	    "host=localhost "
	    "hostaddr=127.0.0.1 port=%d user=node sslmode=verify-full "
	    "sslrootcert=%s/good.crt",
	    fake, pg_dir());
	ck_ok(s, clv_store_open(conninfo, NULL, false, &s));
	ck_result(clv_store_step(s), CLV_E_AGAIN);
	c = accept(fd, NULL, NULL);
	for (int i = 0; i < 3; i++)
		clv_store_step(s);
	ck_assert_int_eq(recv(c, request, 8, MSG_WAITALL), 8);
	ck_assert_int_eq(send(c, answer, len, 0), (ssize_t)len);
	ck_result(call_finish(s), CLV_E_DATABASE_AWAY);
	snprintf(why, sizeof(why), "%.255s", clv_store_text(s));
	/* nothing but the request for TLS was sent */
	ck_assert_int_le(recv(c, request, 8, MSG_DONTWAIT), 0);
	clv_store_free(&s);
	close(c);
	close(fd);
}

/* A listener with a full queue drops the next SYN: neither yes nor no. */
static int
connect_nobody_accepts(const struct sockaddr_in *a)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	connect(fd, (const struct sockaddr *)a, sizeof(*a));
	return fd;
}

START_TEST(host_that_does_not_answer_gives_way_to_the_next)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	struct clv_store *s = NULL;
	char conninfo[512];
	int mute, fd = listen_anywhere(&mute), waiting[3];

	listen(fd, 0);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.sin_port = htons((uint16_t)mute);
	for (int i = 0; i < 3; i++)
		waiting[i] = connect_nobody_accepts(&a);
	snprintf(conninfo, sizeof(conninfo),
	    "host=localhost,localhost "
	    "hostaddr=127.0.0.1,127.0.0.1 port=%d,%d user=node dbname=claviger "
	    "sslmode=verify-full sslrootcert=%s/good.crt",
	    mute, port, pg_dir());
	ck_ok(s, clv_store_open(conninfo, NULL, false, &s));
	/* however often it is asked */
	for (int i = 0; i < 5; i++)
		ck_result(clv_store_step(s), CLV_E_AGAIN);
	ck_assert_int_eq(clv_store_want(s), CLV_WANT_WRITE);
	close(fd); /* the next SYN is refused */
	ck_ok(s, call_finish(s));
	ck_ok(s, call(s, CLV_STMT_HELLO));
	clv_store_free(&s);
	for (int i = 0; i < 3; i++)
		close(waiting[i]);
}
END_TEST

START_TEST(stripped_tls_is_refused)
{
	refuse_tls("N", 1);
	ck_assert_msg(strstr(why, "SSL") != NULL, "%s", why);
}
END_TEST

START_TEST(text_before_tls_is_not_repeated)
{
	static const char error[] = "E\0\0\0\x24SFATAL\0C28000\0MEVIL "
				    "instructions\0";

	refuse_tls(error, sizeof(error));
	ck_assert_msg(strstr(why, "EVIL") == NULL, "%s", why);
}
END_TEST

START_TEST(server_without_tls_is_refused)
{
	struct clv_store *s = NULL;
	char conninfo[128];
	PGconn *conn;

	snprintf(conninfo, sizeof(conninfo), "host=%s port=%d user=postgres",
	    pg_dir(), port);
	conn = PQconnectdb(conninfo);
	PQclear(PQexec(conn, "ALTER SYSTEM SET ssl = off"));
	PQfinish(conn);
	pg_halt();
	pg_resume();
	ck_result(connect_tls("localhost", "good", &s), CLV_E_DATABASE_AWAY);
	ck_assert_msg(strstr(why, "SSL") != NULL, "%s", why);
}
END_TEST

/* Made once, over the socket; no ck_assert here: no test is running. */
static int
make_system(void)
{
	struct clv_store *s = NULL;
	char conninfo[128];
	int rc;

	snprintf(conninfo, sizeof(conninfo),
	    "host=%s user=postgres dbname=claviger", pg_dir());
	rc = clv_store_connect(conninfo, NULL, true, TIMEOUT_MS, &s, why);
	if (rc == CLV_OK)
		rc = create(s, system_id);
	clv_store_free(&s);
	return rc != CLV_OK;
}

static void
take_office(void)
{
	struct clv_store *s = NULL;

	fresh();
	ck_result(connect_tls("localhost", "good", &s), CLV_OK);
	ck_assert(take(s, EPOCH, TAKEN, node_a));
	clv_store_free(&s);
}

int
main(void)
{
	Suite *suite = suite_create("store_tls");
	TCase *t = tcase_create("a_database_on_the_network");
	int rc = rig_start();

	if (rc == 0)
		rc = make_system();
	if (rc == 0)
		rc = serve_tls();
	if (rc != 0) {
		pg_stop();
		return rc;
	}
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, take_office, NULL);
	tcase_add_test(t, right_name_and_root_give_tls);
	tcase_add_test(t, large_list_goes_through_tls);
	tcase_add_test(t, other_name_is_refused);
	tcase_add_test(t, other_root_is_refused);
	tcase_add_test(t, host_that_does_not_answer_gives_way_to_the_next);
	tcase_add_test(t, stripped_tls_is_refused);
	tcase_add_test(t, text_before_tls_is_not_repeated);
	tcase_add_test(t, server_without_tls_is_refused);
	suite_add_tcase(suite, t);
	return rig_run(suite);
}
