/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <claviger/result.h>
#include "daemon/base/config.h"

static char dir[64], file[96], why[256];
static struct config c;

static void
setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/check_config.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/claviger.conf", dir);
	memset(&c, 0x55, sizeof(c));
}

static void
teardown(void)
{
	unlink(file);
	ck_assert_int_eq(rmdir(dir), 0);
}

static int
load_bytes(const void *text, size_t len)
{
	FILE *f = fopen(file, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(file, 0644), 0);
	return config_load(file, &c, why);
}

static int
load(const char *text)
{
	return load_bytes(text, strlen(text));
}

static void
assert_refused(const char *text, const char *in_why)
{
	ck_assert_int_eq(load(text), CLV_E_CONFIG);
	ck_assert_msg(strstr(why, in_why) != NULL, "%s lacks %s", why, in_why);
}

START_TEST(an_empty_file_gives_the_defaults)
{
	struct utsname u;

	ck_assert_int_eq(load(""), CLV_OK);
	uname(&u);
	ck_assert_str_eq(c.path, file);
	ck_assert_str_eq(c.node, u.nodename);
	ck_assert_str_eq(c.system, "");
	ck_assert_str_eq(c.database, "");
	ck_assert_uint_eq(c.port, 8391);
	ck_assert_str_eq(c.run_dir, "/run/claviger");
	ck_assert_str_eq(c.user, "claviger");
	ck_assert_str_eq(c.front_user, "claviger-front");
	ck_assert_str_eq(c.cluster, "auto");
	ck_assert(!c.debug);
}
END_TEST

#define PK "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define THUMB "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"

static const char every_key[] =
    "# a comment\n"
    "\n"
    "node = n1.example\n"
    "system = " PK "\n"
    "database = host=/run/postgresql dbname=claviger\n"
    "database_passfile = /etc/claviger/passfile\n"
    "network_name=mss.example.org\n"
    "address =  2001:db8::7\t\n"
    "port = 65535\n"
    "server_thumbprint = " THUMB "\n"
    "state_dir = /srv/claviger\n"
    "run_dir = /run/other\n"
    "log_file = /var/log/claviger.log\n"
    "user = keeper\n"
    "front_user = _front-1\n"
    "cluster = yes\n"
    "debug = yes";

static void
assert_every_key(void)
{
	ck_assert_str_eq(c.node, "n1.example");
	ck_assert_str_eq(c.system, PK);
	ck_assert_str_eq(c.database, "host=/run/postgresql dbname=claviger");
	ck_assert_str_eq(c.database_passfile, "/etc/claviger/passfile");
	ck_assert_str_eq(c.network_name, "mss.example.org");
	ck_assert_str_eq(c.address, "2001:db8::7");
	ck_assert_uint_eq(c.port, 65535);
	ck_assert_str_eq(c.server_thumbprint, THUMB);
	ck_assert_str_eq(c.state_dir, "/srv/claviger");
	ck_assert_str_eq(c.run_dir, "/run/other");
	ck_assert_str_eq(c.log_file, "/var/log/claviger.log");
	ck_assert_str_eq(c.user, "keeper");
	ck_assert_str_eq(c.front_user, "_front-1");
	ck_assert_str_eq(c.cluster, "yes");
	ck_assert(c.debug);
}

START_TEST(every_key_is_read)
{
	ck_assert_msg(load(every_key) == CLV_OK, "%s", why);
	assert_every_key();
}
END_TEST

START_TEST(what_is_saved_is_loaded)
{
	struct stat st;

	ck_assert_int_eq(load(every_key), CLV_OK);
	ck_assert_int_eq(config_save(&c, file, why), CLV_OK);
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0644);
	memset(&c, 0x55, sizeof(c));
	ck_assert_msg(config_load(file, &c, why) == CLV_OK, "%s", why);
	assert_every_key();
}
END_TEST

START_TEST(only_what_differs_from_the_defaults_is_saved)
{
	char text[4096] = "";
	FILE *f;

	config_defaults(&c);
	c.port = 9000;
	ck_assert_int_eq(config_save(&c, file, why), CLV_OK);
	f = fopen(file, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_gt(fread(text, 1, sizeof(text) - 1, f), 0);
	fclose(f);
	ck_assert_ptr_nonnull(strstr(text, "\n# port of the server\nport = "
					   "9000\n"));
	ck_assert_ptr_null(strstr(text, "node"));
	ck_assert_ptr_null(strstr(text, "cluster"));
}
END_TEST

START_TEST(the_name_in_a_system_is_saved_though_it_is_the_hosts)
{
	char text[4096] = "", line[96];
	FILE *f;

	config_defaults(&c);
	strcpy(c.system, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
	ck_assert_int_eq(config_save(&c, file, why), CLV_OK);
	f = fopen(file, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_gt(fread(text, 1, sizeof(text) - 1, f), 0);
	fclose(f);
	snprintf(line, sizeof(line), "\nnode = %s\n", c.node);
	ck_assert_ptr_nonnull(strstr(text, line));
}
END_TEST

START_TEST(what_would_not_read_back_is_not_saved)
{
	ck_assert_int_eq(load("port = 9000\n"), CLV_OK);
	snprintf(c.database, sizeof(c.database), "dbname=x\nport = 1");
	ck_assert_int_eq(config_save(&c, file, why), CLV_E_CONFIG);
	snprintf(c.database, sizeof(c.database), "dbname=x ; y");
	ck_assert_int_eq(config_save(&c, file, why), CLV_E_CONFIG);
	snprintf(c.database, sizeof(c.database), " dbname=x");
	ck_assert_int_eq(config_save(&c, file, why), CLV_E_CONFIG);
	snprintf(c.database, sizeof(c.database), "password=x");
	ck_assert_int_eq(config_save(&c, file, why), CLV_E_CONFIG);
	c.database[0] = '\0';
	snprintf(c.log_file, sizeof(c.log_file), "relative");
	ck_assert_int_eq(config_save(&c, file, why), CLV_E_CONFIG);
	ck_assert_int_eq(config_load(file, &c, why), CLV_OK);
	ck_assert_uint_eq(c.port, 9000);
}
END_TEST

START_TEST(saving_where_nothing_can_be_written_is_told)
{
	config_defaults(&c);
	ck_assert_int_eq(
	    config_save(&c, "/nonexistent/x.conf", why), CLV_E_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(why, "/nonexistent/x.conf"));
	ck_assert_int_eq(config_save(&c, "x.conf", why), CLV_E_CONFIG);
}
END_TEST

START_TEST(an_unknown_key_names_the_nearest)
{
	static const char *const pairs[][2] = {{"adress", "\"address\""},
	    {"databse", "\"database\""}, {"front-user", "\"front_user\""},
	    {"Node", "\"node\""}, {"statedir", "\"state_dir\""},
	    {"prot", "\"port\""}, {"password_file", "\"database_passfile\""},
	    {"a_key_that_is_longer_than_any_of_ours_can_be", "\""}};
	char text[128];
	size_t i;

	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		snprintf(text, sizeof(text), "# x\n\n%s = 1\nport = 0\n",
		    pairs[i][0]);
		assert_refused(text, ", line 3: there is no key");
		if (i != 6)
			assert_refused(text, pairs[i][1]);
	}
}
END_TEST

START_TEST(a_doubled_key_is_refused_with_its_line)
{
	assert_refused("port = 1\n\nport = 1\n", ", line 3: \"port\" stands");
}
END_TEST

START_TEST(bad_values_are_refused_with_their_line)
{
	static const char *const bad[] = {"node =", "node = a b",
	    "node = "
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	    "system = short", "system = " PK "=", "system = AAAA",
	    "database = host=x password=y", "database = host=x PassWord = y",
	    "database = postgresql://u:p@h/d",
	    "database = host=x sslmode=prefer", "database = rubbish",
	    "database_passfile = x", "network_name = a/b", "network_name = .x",
	    "address = 300.1.1.1", "address = host", "address = 10.0.0.1/24",
	    "port = 0", "port = 65536", "port = -1", "port = 80x",
	    "port =", "port = 000080", "server_thumbprint = 00",
	    "state_dir = x", "state_dir = /a/../b", "state_dir = /a/..",
	    "state_dir = /a/..b/../c", "run_dir =", "log_file = x",
	    "user = Root", "user = -x", "user = 1", "user =",
	    "front_user = "
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	    "cluster = maybe", "debug = 1", "debug = YES", "debug ="};
	char text[256];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "\n%s\n", bad[i]);
		ck_assert_msg(load(text) == CLV_E_CONFIG, "%s", bad[i]);
		ck_assert_msg(strstr(why, ", line 2: ") != NULL &&
				  strstr(why, " must be ") != NULL,
		    "%s: %s", bad[i], why);
	}
}
END_TEST

START_TEST(a_secret_is_never_told_back)
{
	assert_refused("database = dbname=x password=hunter2\n", "password");
	ck_assert_ptr_null(strstr(why, "hunter2"));
}
END_TEST

START_TEST(what_the_store_takes_is_a_good_connection_string)
{
	ck_assert_msg(load("database = postgresql://u@h:5432/d?sslmode="
			   "verify-full\n") == CLV_OK,
	    "%s", why);
	ck_assert_msg(load("database = host=a,b dbname=d "
			   "sslmode=verify-full\n") == CLV_OK,
	    "%s", why);
	ck_assert_int_eq(load("database = host=/tmp user=password\n"), CLV_OK);
}
END_TEST

START_TEST(what_the_format_does_not_have_is_refused)
{
	assert_refused("port = 1\n[server]\n", "line 2: there are no sections");
	assert_refused("port = 1 ; why\n", "line 1: a comment needs");
	assert_refused("node = a\n b\n", "line 2: a line must not begin");
	assert_refused("port 1\n", "line 1: is not \"key = value\"");
	assert_refused("\n\nport\n", "line 3: is not \"key = value\"");
	assert_refused("port = 1\r\n", "line 1: holds a control character");
	assert_refused("node = a\x1b[1m\n", "line 1: holds a control");
}
END_TEST

START_TEST(a_file_that_is_not_text_is_refused)
{
	char *big = malloc(70000);

	ck_assert_int_eq(load_bytes("port = 1\0\n", 10), CLV_E_CONFIG);
	memset(big, '\n', 70000);
	ck_assert_int_eq(load_bytes(big, 70000), CLV_E_CONFIG);
	free(big);
}
END_TEST

START_TEST(a_long_line_is_read_or_refused_never_cut)
{
	char text[4096], value[4096];
	int n;

	for (n = 150; n <= 3000; n += 10) {
		memset(value, 'x', sizeof(value));
		value[n] = '\0';
		snprintf(text, sizeof(text), "log_file = /%.3000s\n", value);
		if (load(text) == CLV_OK)
			ck_assert_str_eq(c.log_file + 1, value);
		else
			ck_assert_int_ge(n, 160);
	}
}
END_TEST

START_TEST(a_missing_file_is_not_found)
{
	ck_assert_int_eq(
	    config_load("/nonexistent/x", &c, why), CLV_E_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(why, "/nonexistent/x"));
	ck_assert_uint_eq(c.port, 0x5555); /* untouched */
}
END_TEST

START_TEST(a_file_that_others_may_write_is_refused)
{
	static const mode_t modes[] = {0664, 0646, 0666};
	size_t i;

	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(load("port = 1\n"), CLV_OK);
		ck_assert_int_eq(chmod(file, modes[i]), 0);
		ck_assert_int_eq(config_load(file, &c, why), CLV_E_PERMISSION);
		ck_assert_ptr_nonnull(strstr(why, "chmod 644"));
	}
}
END_TEST

START_TEST(a_file_of_another_user_is_refused)
{
	if (geteuid() != 0)
		return;
	ck_assert_int_eq(load("port = 1\n"), CLV_OK);
	ck_assert_int_eq(chown(file, 12345, 0), 0);
	ck_assert_int_eq(config_load(file, &c, why), CLV_E_PERMISSION);
	ck_assert_ptr_nonnull(strstr(why, "12345"));
}
END_TEST

START_TEST(a_folder_is_not_a_configuration)
{
	ck_assert_int_eq(config_load(dir, &c, why), CLV_E_PERMISSION);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("config");
	TCase *tc = tcase_create("configuration file");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, an_empty_file_gives_the_defaults);
	tcase_add_test(tc, every_key_is_read);
	tcase_add_test(tc, what_is_saved_is_loaded);
	tcase_add_test(tc, only_what_differs_from_the_defaults_is_saved);
	tcase_add_test(
	    tc, the_name_in_a_system_is_saved_though_it_is_the_hosts);
	tcase_add_test(tc, what_would_not_read_back_is_not_saved);
	tcase_add_test(tc, saving_where_nothing_can_be_written_is_told);
	tcase_add_test(tc, an_unknown_key_names_the_nearest);
	tcase_add_test(tc, a_doubled_key_is_refused_with_its_line);
	tcase_add_test(tc, bad_values_are_refused_with_their_line);
	tcase_add_test(tc, a_secret_is_never_told_back);
	tcase_add_test(tc, what_the_store_takes_is_a_good_connection_string);
	tcase_add_test(tc, what_the_format_does_not_have_is_refused);
	tcase_add_test(tc, a_file_that_is_not_text_is_refused);
	tcase_add_test(tc, a_long_line_is_read_or_refused_never_cut);
	tcase_add_test(tc, a_missing_file_is_not_found);
	tcase_add_test(tc, a_file_that_others_may_write_is_refused);
	tcase_add_test(tc, a_file_of_another_user_is_refused);
	tcase_add_test(tc, a_folder_is_not_a_configuration);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
