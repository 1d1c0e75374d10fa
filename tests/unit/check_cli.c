/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sodium.h>
#include "daemon/cli/cli.h"
#include "daemon/cli/status/cli_status.h"
#include "daemon/base/record.h"
#include "daemon/base/reminder.h"

static struct cli c;
static char dir[64], file[96], why[256];
static struct clv_guard *guard;

static void
setup(void)
{
	memset(&c, 0, sizeof(c));
	why[0] = '\0';
	ck_assert_int_ge(sodium_init(), 0);
	ck_assert_int_eq(clv_guard_new(65536, &guard), CLV_OK);
	snprintf(dir, sizeof(dir), "/tmp/check_cli.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/file", dir);
	c.guard = guard;
}

static void
teardown(void)
{
	clv_guard_free_all(&guard);
	unlink(file);
	ck_assert_int_eq(rmdir(dir), 0);
}

/* Verbs. */

static const char *
found(int argc, char **argv)
{
	int words = 0;
	const struct cli_verb *v = cli_verb_find(argc, argv, &words);

	return v != NULL ? v->name : "";
}

/* getopt moves the pointers, never the strings. */
#define WORDS(...) ((char **)(const char *[]){__VA_ARGS__, NULL})
#define COUNT_WORDS(...) \
	((int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)))
#define FOUND(...) found(COUNT_WORDS(__VA_ARGS__), WORDS(__VA_ARGS__))

START_TEST(the_longest_verb_wins)
{
	ck_assert_str_eq(FOUND("backup", "file"), "backup");
	ck_assert_str_eq(FOUND("backup"), "backup");
	ck_assert_str_eq(FOUND("backup", "verify"), "backup verify");
	ck_assert_str_eq(FOUND("node", "list", "--json"), "node list");
}
END_TEST

START_TEST(a_verb_is_matched_as_whole_words)
{
	ck_assert_str_eq(FOUND("node"), "");
	ck_assert_str_eq(FOUND("node", "lis"), "");
	ck_assert_str_eq(FOUND("nod", "list"), "");
	ck_assert_str_eq(FOUND("sta"), "");
	ck_assert_str_eq(FOUND("statuses"), "");
	ck_assert_str_eq(FOUND(""), "");
	ck_assert_str_eq(found(0, NULL), "");
}
END_TEST

START_TEST(every_row_of_the_table_is_whole)
{
	for (const struct cli_verb *v = cli_verbs; v->name != NULL; v++) {
		size_t n = 0;

		ck_assert_ptr_nonnull(v->run);
		ck_assert_uint_le(v->args_min, v->args_max);
		ck_assert_int_eq(v->args_max > 0, v->args[0] != '\0');
		for (; v->opts[n].name != NULL; n++)
			ck_assert(!v->opts[n].required ||
				  v->opts[n].arg != NULL ||
				  strcmp(v->name, "fetch") == 0);
		ck_assert_uint_le(n, CLI_OPTS_MAX);
		for (const struct cli_verb *w = v + 1; w->name != NULL; w++)
			ck_assert_str_ne(v->name, w->name);
	}
}
END_TEST

/* Options. */

static int
parse(const char *verb, int argc, char **argv)
{
	static char *kept[16]; /* c.args points into it */
	char copy[64], *words[2] = {copy, NULL}, *space;
	int n;

	memcpy(kept, argv, ((size_t)argc + 1) * sizeof(*argv));

	memset(c.value, 0, sizeof(c.value));
	snprintf(copy, sizeof(copy), "%s", verb);
	space = strchr(copy, ' ');
	if (space != NULL) {
		*space = '\0';
		words[1] = space + 1;
	}
	c.verb = cli_verb_find(space != NULL ? 2 : 1, words, &n);
	ck_assert_ptr_nonnull(c.verb);
	return cli_opt_parse(&c, argc, kept);
}

#define PARSE(verb, ...) \
	parse(verb, COUNT_WORDS("verb", __VA_ARGS__), \
	    WORDS("verb", __VA_ARGS__))

START_TEST(options_may_stand_before_and_after_arguments)
{
	ck_assert_int_eq(
	    PARSE("node approve", "--fingerprint", "f", "n1"), CLV_OK);
	ck_assert_str_eq(cli_opt(&c, "fingerprint"), "f");
	ck_assert_str_eq(c.args[0], "n1");
	ck_assert_int_eq(
	    PARSE("node approve", "n2", "--fingerprint=g"), CLV_OK);
	ck_assert_str_eq(cli_opt(&c, "fingerprint"), "g");
	ck_assert_str_eq(c.args[0], "n2");
}
END_TEST

START_TEST(a_flag_that_is_not_given_is_null)
{
	ck_assert_int_eq(PARSE("status", "--json"), CLV_OK);
	ck_assert_ptr_nonnull(cli_opt(&c, "json"));
	ck_assert_int_eq(parse("status", 1, WORDS("verb")), CLV_OK);
	ck_assert_ptr_null(cli_opt(&c, "json"));
}
END_TEST

START_TEST(a_missing_option_is_refused)
{
	ck_assert_int_eq(PARSE("node approve", "n1"), CLV_E_USAGE);
}
END_TEST

START_TEST(an_option_given_twice_is_refused)
{
	ck_assert_int_eq(PARSE("node approve", "n1", "--fingerprint", "f",
			     "--fingerprint", "g"),
	    CLV_E_USAGE);
}
END_TEST

START_TEST(an_empty_value_is_refused)
{
	ck_assert_int_eq(
	    PARSE("node approve", "n1", "--fingerprint", ""), CLV_E_USAGE);
	ck_assert_int_eq(
	    PARSE("node approve", "n1", "--fingerprint="), CLV_E_USAGE);
}
END_TEST

START_TEST(a_missing_value_is_refused)
{
	ck_assert_int_eq(
	    PARSE("node approve", "n1", "--fingerprint"), CLV_E_USAGE);
}
END_TEST

START_TEST(an_abbreviated_option_is_refused)
{
	ck_assert_int_eq(
	    PARSE("node approve", "n1", "--finger", "f"), CLV_E_USAGE);
	ck_assert_int_eq(PARSE("status", "--js"), CLV_E_USAGE);
}
END_TEST

START_TEST(an_unknown_option_is_refused)
{
	ck_assert_int_eq(PARSE("status", "--jsonx"), CLV_E_USAGE);
	ck_assert_int_eq(PARSE("status", "-j"), CLV_E_USAGE);
	ck_assert_int_eq(PARSE("status", "--json=yes"), CLV_E_USAGE);
}
END_TEST

START_TEST(a_value_may_look_like_an_option)
{
	ck_assert_int_eq(
	    PARSE("node approve", "n1", "--fingerprint", "--strange"), CLV_OK);
	ck_assert_str_eq(cli_opt(&c, "fingerprint"), "--strange");
}
END_TEST

START_TEST(too_many_and_too_few_arguments_are_refused)
{
	ck_assert_int_eq(PARSE("doctor", "more"), CLV_E_USAGE);
	ck_assert_int_eq(PARSE("settings set", "port"), CLV_E_USAGE);
	ck_assert_int_eq(PARSE("settings set", "port", "1", "2"), CLV_E_USAGE);
	ck_assert_int_eq(PARSE("settings set", "port", "1"), CLV_OK);
}
END_TEST

START_TEST(words_after_two_dashes_are_arguments)
{
	ck_assert_int_eq(PARSE("backup", "--", "--json"), CLV_OK);
	ck_assert_str_eq(c.args[0], "--json");
}
END_TEST

/* Values. */

#define HEX32 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define PAIRS \
	"00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:" \
	"10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F"

START_TEST(a_thumbprint_is_read_with_and_without_colons)
{
	uint8_t a[32], b[32];
	char hex[CLI_HEX];

	ck_assert_int_eq(cli_thumb_parse(HEX32, a), CLV_OK);
	ck_assert_int_eq(cli_thumb_parse(PAIRS, b), CLV_OK);
	ck_assert_mem_eq(a, b, 32);
	ck_assert_uint_eq(a[31], 0x1f);
	ck_assert_str_eq(cli_hex(a, hex), HEX32);
}
END_TEST

static const char *const bad_thumbs[] = {"", "00", HEX32 "00",
    "0001:02030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    "g00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    "00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F "
    "10 11 12 13 14 15 16 17 18 19 1A 1B 1C 1D 1E 1F",
    PAIRS ":", " " HEX32};

START_TEST(a_wrong_thumbprint_is_refused)
{
	uint8_t out[32];

	ck_assert_int_eq(cli_thumb_parse(bad_thumbs[_i], out), CLV_E_INVALID);
}
END_TEST

START_TEST(a_key_goes_to_base64_and_back)
{
	uint8_t in[32], out[32];
	char text[CLI_BASE64];

	randombytes_buf(in, sizeof(in));
	cli_base64(in, text);
	ck_assert_uint_eq(strlen(text), 44);
	ck_assert_int_eq(cli_key_parse(text, out), CLV_OK);
	ck_assert_mem_eq(in, out, 32);
}
END_TEST

static const char *const bad_keys[] = {"",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",  /* no padding */
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", /* 33 bytes */
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", /* 31 bytes */
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=", /* not canonical */
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-A=", /* URL alphabet */
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= "};

START_TEST(a_wrong_key_is_refused)
{
	uint8_t out[32];

	ck_assert_int_eq(cli_key_parse(bad_keys[_i], out), CLV_E_INVALID);
}
END_TEST

START_TEST(a_number_is_read_within_its_limits)
{
	uint32_t v = 7;

	ck_assert_int_eq(cli_number_parse("65535", 1, 65535, &v), CLV_OK);
	ck_assert_uint_eq(v, 65535);
	ck_assert_int_eq(cli_number_parse("0", 1, 65535, &v), CLV_E_INVALID);
	ck_assert_int_eq(
	    cli_number_parse("65536", 1, 65535, &v), CLV_E_INVALID);
	ck_assert_int_eq(cli_number_parse("", 0, 9, &v), CLV_E_INVALID);
	ck_assert_int_eq(cli_number_parse("-1", 0, 9, &v), CLV_E_INVALID);
	ck_assert_int_eq(cli_number_parse("1 ", 0, 9, &v), CLV_E_INVALID);
	ck_assert_int_eq(
	    cli_number_parse("99999999999999999999999", 0, UINT32_MAX, &v),
	    CLV_E_INVALID);
	ck_assert_uint_eq(v, 65535);
}
END_TEST

START_TEST(an_age_is_told_in_its_largest_unit)
{
	char t[32];

	ck_assert_str_eq(cli_age_text(0, t, sizeof(t)), "0 seconds");
	ck_assert_str_eq(cli_age_text(1, t, sizeof(t)), "1 second");
	ck_assert_str_eq(cli_age_text(119, t, sizeof(t)), "1 minute");
	ck_assert_str_eq(cli_age_text(7200, t, sizeof(t)), "2 hours");
	ck_assert_str_eq(cli_age_text(3 * 86400 + 5, t, sizeof(t)), "3 days");
}
END_TEST

START_TEST(foreign_text_cannot_move_the_cursor)
{
	char text[] = "n\x1b[2Jode\x7f\xc3\xa4";

	ck_assert_str_eq(cli_printable(text), "n?[2Jode???");
}
END_TEST

START_TEST(host_names_follow_the_standard)
{
	static const char *const good[] = {
	    "a", "mss.example.com", "a-b.c1", "0x1"};
	static const char *const bad[] = {
	    "", ".", "a.", ".a", "a..b", "-a", "a-", "a-.b", "a_b", "a b", "ä"};
	char label[70];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_msg(
		    cli_host_name_check(good[i]) == CLV_OK, "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(
		    cli_host_name_check(bad[i]) == CLV_E_INVALID, "%s", bad[i]);
	memset(label, 'a', 63);
	label[63] = '\0';
	ck_assert_int_eq(cli_host_name_check(label), CLV_OK);
	label[63] = 'a';
	label[64] = '\0';
	ck_assert_int_eq(cli_host_name_check(label), CLV_E_INVALID);
}
END_TEST

START_TEST(addresses_get_one_spelling)
{
	char t[46];

	ck_assert_int_eq(cli_address_parse("10.0.0.9", t), CLV_OK);
	ck_assert_str_eq(t, "10.0.0.9");
	ck_assert_int_eq(cli_address_parse("2001:DB8:0:0::1", t), CLV_OK);
	ck_assert_str_eq(t, "2001:db8::1");
}
END_TEST

static const char *const bad_addresses[] = {"", "10.0.0", "10.0.0.256",
    "10.0.0.1/24", "0.0.0.0", "::", "224.0.0.1", "ff02::1", "fe80::1",
    "255.255.255.255", "mss"};

START_TEST(an_address_that_cannot_float_is_refused)
{
	char t[46];

	ck_assert_int_eq(
	    cli_address_parse(bad_addresses[_i], t), CLV_E_INVALID);
}
END_TEST

START_TEST(an_address_of_this_host_is_in_use)
{
	ck_assert_int_eq(cli_net_free(&c, "127.0.0.1"), CLV_E_IN_USE);
}
END_TEST

START_TEST(a_name_must_resolve_to_the_address)
{
	ck_assert_int_eq(
	    cli_net_resolves(&c, "127.0.0.1", "127.0.0.1"), CLV_OK);
	ck_assert_int_eq(
	    cli_net_resolves(&c, "127.0.0.1", "127.0.0.2"), CLV_E_MISMATCH);
	ck_assert_int_eq(
	    cli_net_resolves(&c, "no-such-host.invalid", "127.0.0.2"),
	    CLV_E_NOT_FOUND);
}
END_TEST

/* The passphrase file. */

static void
put(const char *text, size_t len, mode_t mode)
{
	FILE *f = fopen(file, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(file, mode), 0);
}

static int
read_file(char **ret)
{
	*ret = NULL;
	return cli_pass_file(guard, file, ret, why);
}

START_TEST(one_newline_at_the_end_is_not_part_of_the_passphrase)
{
	char *p;

	put("six words\n", 10, 0600);
	ck_assert_int_eq(read_file(&p), CLV_OK);
	ck_assert_str_eq(p, "six words");
	clv_guard_put(guard, p);
	put(" six words ", 11, 0400);
	ck_assert_int_eq(read_file(&p), CLV_OK);
	ck_assert_str_eq(p, " six words ");
	clv_guard_put(guard, p);
}
END_TEST

START_TEST(a_passphrase_file_that_others_may_read_is_refused)
{
	static const mode_t modes[] = {0640, 0604, 0644, 0620, 0610, 0602};
	char *p;

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		put("six words\n", 10, modes[i]);
		ck_assert_int_eq(read_file(&p), CLV_E_PERMISSION);
		ck_assert_ptr_null(p);
		ck_assert_ptr_nonnull(strstr(why, "mode"));
	}
}
END_TEST

START_TEST(a_passphrase_file_of_somebody_else_is_refused)
{
	char *p;

	if (geteuid() != 0)
		return;
	put("six words\n", 10, 0600);
	ck_assert_int_eq(chown(file, 12345, 12345), 0);
	ck_assert_int_eq(read_file(&p), CLV_E_PERMISSION);
	ck_assert_ptr_nonnull(strstr(why, "12345"));
}
END_TEST

START_TEST(an_empty_or_many_lined_passphrase_is_refused)
{
	char *p;

	put("", 0, 0600);
	ck_assert_int_eq(read_file(&p), CLV_E_INVALID);
	put("\n", 1, 0600);
	ck_assert_int_eq(read_file(&p), CLV_E_INVALID);
	put("a\n\n", 3, 0600);
	ck_assert_int_eq(read_file(&p), CLV_E_INVALID);
	put("a\nb", 3, 0600);
	ck_assert_int_eq(read_file(&p), CLV_E_INVALID);
	put("a\0b", 3, 0600);
	ck_assert_int_eq(read_file(&p), CLV_E_INVALID);
	ck_assert_uint_eq(clv_guard_used(guard), 0);
}
END_TEST

START_TEST(a_passphrase_has_a_longest_length)
{
	char text[CLI_PASS_LEN_MAX + 2], *p;

	memset(text, 'x', sizeof(text));
	put(text, CLI_PASS_LEN_MAX, 0600);
	ck_assert_int_eq(read_file(&p), CLV_OK);
	ck_assert_uint_eq(strlen(p), CLI_PASS_LEN_MAX);
	clv_guard_put(guard, p);
	put(text, CLI_PASS_LEN_MAX + 2, 0600);
	ck_assert_int_eq(read_file(&p), CLV_E_INVALID);
}
END_TEST

START_TEST(a_missing_passphrase_file_and_a_folder_are_refused)
{
	char *p = NULL;

	ck_assert_int_eq(read_file(&p), CLV_E_NOT_FOUND);
	ck_assert_int_eq(cli_pass_file(guard, dir, &p, why), CLV_E_INVALID);
	ck_assert_int_eq(
	    cli_pass_file(guard, "/dev/null", &p, why), CLV_E_INVALID);
	ck_assert_ptr_null(p);
}
END_TEST

/* Files. */

START_TEST(a_failure_takes_away_what_was_made)
{
	struct cli_undo u;
	char sub[96];

	memset(&u, 0, sizeof(u));
	snprintf(sub, sizeof(sub), "%s/sub", dir);
	ck_assert_int_eq(mkdir(sub, 0700), 0);
	cli_undo_add(&u, sub, true);
	snprintf(sub, sizeof(sub), "%s/sub/x", dir);
	close(open(sub, O_CREAT | O_WRONLY, 0600));
	cli_undo_add(&u, sub, false);
	cli_undo_run(&c, &u);
	ck_assert_int_ne(access(sub, F_OK), 0);
	ck_assert_uint_eq(u.n, 0);
}
END_TEST

START_TEST(a_file_is_read_whole_or_not_at_all)
{
	void *p = NULL;
	size_t len = 0;

	put("0123456789", 10, 0600);
	ck_assert_int_eq(cli_file_read(&c, file, 10, &p, &len), CLV_OK);
	ck_assert_uint_eq(len, 10);
	free(p);
	p = NULL;
	ck_assert_int_eq(cli_file_read(&c, file, 9, &p, &len), CLV_E_FULL);
	ck_assert_ptr_null(p);
	unlink(file);
	ck_assert_int_eq(cli_file_read(&c, file, 9, &p, &len), CLV_E_NOT_FOUND);
}
END_TEST

/* The record of a backup. */

START_TEST(a_backup_record_is_read_only_as_the_system_signed_it)
{
	struct record in = {.generation = 3,
			  .where = "n1:/b.age",
			  .time_s = 1700000000},
		      out;
	struct clv_keyring *k = NULL, *other = NULL;
	struct clv_buf b;
	uint32_t g;

	ck_assert_int_eq(clv_keyring_new(guard, &k), CLV_OK);
	ck_assert_int_eq(clv_keyring_new(guard, &other), CLV_OK);
	clv_buf_init(&b);
	while (clv_keyring_count(k) < 4)
		clv_keyring_add(k, &g);
	ck_assert_int_eq(clv_keyring_drop(k, 2), CLV_OK);
	ck_assert_int_eq(record_format(&in, k, &b), CLV_OK);
	ck_assert_int_eq(
	    record_parse(b.data, b.len, clv_keyring_sign_pk(k), &out), CLV_OK);
	ck_assert_uint_eq(out.generation, 3);
	ck_assert_str_eq(out.where, "n1:/b.age");
	ck_assert_uint_eq(out.time_s, 1700000000);
	for (g = 1; g <= 4; g++) /* the fourth came after it */
		ck_assert(record_holds(&out, g) == (g == 1 || g == 3));
	ck_assert_int_eq(
	    record_parse(b.data, b.len, clv_keyring_sign_pk(other), &out),
	    CLV_E_SIGNATURE);
	b.data[17] ^= 1;
	ck_assert_int_eq(
	    record_parse(b.data, b.len, clv_keyring_sign_pk(k), &out),
	    CLV_E_SIGNATURE);
	ck_assert_int_eq(record_parse(b.data, 10, clv_keyring_sign_pk(k), &out),
	    CLV_E_FORMAT);
	clv_buf_fini(&b);
	clv_keyring_free(&k);
	clv_keyring_free(&other);
}
END_TEST

/* Reminders of passphrases. */

static const struct {
	const char *text, *passphrase, *why;
} reminders[] = {
    {"what the comic says", "correct horse battery", NULL},
    {"", "correct horse battery", "nothing"},
    {"   ", "correct horse battery", "nothing"},
    {"correct horse battery", "correct horse battery", "itself"},
    {"it is CORRECT horse Battery, really", "correct horse battery", "itself"},
    {"HORSE", "correct horse battery", "a part"},
    {"correct horse batter", "correct horse battery", "a part"},
    {"a\tb", "correct horse battery", "control"},
    {"a\177", "correct horse battery", "control"},
};

START_TEST(a_reminder_must_not_give_the_passphrase_away)
{
	char longest[REMINDER_TEXT_MAX + 1];
	int r =
	    reminder_check(reminders[_i].text, reminders[_i].passphrase, why);

	ck_assert_int_eq(r, reminders[_i].why == NULL ? CLV_OK : CLV_E_INVALID);
	if (reminders[_i].why != NULL)
		ck_assert_ptr_nonnull(strstr(why, reminders[_i].why));
	ck_assert_ptr_null(strstr(why, "horse"));
	memset(longest, 'x', sizeof(longest));
	longest[REMINDER_TEXT_MAX] = '\0';
	ck_assert_int_eq(reminder_check(longest, "y", why), CLV_E_INVALID);
	longest[REMINDER_TEXT_MAX - 1] = '\0';
	ck_assert_int_eq(reminder_check(longest, "y", why), CLV_OK);
}
END_TEST

START_TEST(a_reminder_is_read_only_as_the_system_signed_it)
{
	struct reminder in = {.generation = 3, .time_s = 1700000000}, out;
	struct clv_keyring *k = NULL, *other = NULL;
	struct clv_buf b;

	snprintf(in.where, sizeof(in.where), "n1:/b.age");
	snprintf(in.text, sizeof(in.text), "what the comic says");
	memset(in.file, 7, sizeof(in.file));
	ck_assert_int_eq(clv_keyring_new(guard, &k), CLV_OK);
	ck_assert_int_eq(clv_keyring_new(guard, &other), CLV_OK);
	clv_buf_init(&b);
	ck_assert_int_eq(reminder_format(&in, k, &b), CLV_OK);
	ck_assert_int_eq(
	    reminder_parse(b.data, b.len, clv_keyring_sign_pk(k), &out),
	    CLV_OK);
	ck_assert_uint_eq(out.generation, 3);
	ck_assert_uint_eq(out.time_s, 1700000000);
	ck_assert_str_eq(out.where, "n1:/b.age");
	ck_assert_str_eq(out.text, "what the comic says");
	ck_assert_mem_eq(out.file, in.file, sizeof(in.file));
	ck_assert_int_eq(
	    reminder_parse(b.data, b.len, clv_keyring_sign_pk(other), &out),
	    CLV_E_SIGNATURE);
	ck_assert_int_eq(reminder_parse(b.data, b.len, NULL, &out), CLV_OK);
	for (size_t i = 0; i < b.len; i++) {
		b.data[i] ^= 1;
		ck_assert_int_eq(
		    reminder_parse(b.data, b.len, clv_keyring_sign_pk(k), &out),
		    CLV_E_SIGNATURE);
		b.data[i] ^= 1;
		ck_assert_int_ne(
		    reminder_parse(b.data, i, clv_keyring_sign_pk(k), &out),
		    CLV_OK);
	}
	clv_buf_fini(&b);
	clv_keyring_free(&k);
	clv_keyring_free(&other);
}
END_TEST

START_TEST(a_reminder_belongs_to_a_small_file_alone)
{
	uint8_t hash[REMINDER_FILE_LEN], abc[REMINDER_FILE_LEN];
	int fd = open(file, O_RDWR | O_CREAT, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "abc", 3), 3);
	crypto_hash_sha256(abc, (const unsigned char *)"abc", 3);
	ck_assert_int_eq(reminder_file(file, hash), CLV_OK);
	ck_assert_mem_eq(hash, abc, sizeof(abc));
	ck_assert_int_eq(ftruncate(fd, (1 << 20) + 1), 0);
	ck_assert_int_eq(reminder_file(file, hash), CLV_E_NOT_FOUND);
	close(fd);
	unlink(file);
	ck_assert_int_eq(reminder_file(file, hash), CLV_E_NOT_FOUND);
	ck_assert_int_eq(reminder_file(dir, hash), CLV_E_NOT_FOUND);
	ck_assert_int_eq(mkfifo(file, 0600), 0);
	ck_assert_int_eq(reminder_file(file, hash), CLV_E_NOT_FOUND);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

/* A host that is in order, with a certificate that ends then. */
static int
judged(int64_t left_s)
{
	struct cli_status s = {.member = true, .ready = true, .daemon = true};

	s.cert_count = 2;
	s.certs[0].left_s = 365 * INT64_C(86400);
	s.certs[1].left_s = left_s;
	return cli_status_judge(&s);
}

START_TEST(status_ends_with_23_before_a_certificate_does)
{
	const int64_t day = 86400;

	ck_assert_int_eq(judged(31 * day), CLV_OK);
	ck_assert_int_eq(judged(31 * day - 1), CLV_E_FINDINGS);
	ck_assert_int_eq(judged(day), CLV_E_FINDINGS);
	ck_assert_int_eq(judged(-day), CLV_E_FINDINGS);
	ck_assert_int_eq(clv_result_exit(CLV_E_FINDINGS), 23);
}
END_TEST

static TCase *
tcase(Suite *s, const char *name)
{
	TCase *t = tcase_create(name);

	tcase_add_checked_fixture(t, setup, teardown);
	suite_add_tcase(s, t);
	return t;
}

static void
add_options(Suite *s)
{
	TCase *t = tcase(s, "verbs_and_options");

	tcase_add_test(t, the_longest_verb_wins);
	tcase_add_test(t, a_verb_is_matched_as_whole_words);
	tcase_add_test(t, every_row_of_the_table_is_whole);
	tcase_add_test(t, options_may_stand_before_and_after_arguments);
	tcase_add_test(t, a_flag_that_is_not_given_is_null);
	tcase_add_test(t, a_missing_option_is_refused);
	tcase_add_test(t, an_option_given_twice_is_refused);
	tcase_add_test(t, an_empty_value_is_refused);
	tcase_add_test(t, a_missing_value_is_refused);
	tcase_add_test(t, an_abbreviated_option_is_refused);
	tcase_add_test(t, an_unknown_option_is_refused);
	tcase_add_test(t, a_value_may_look_like_an_option);
	tcase_add_test(t, too_many_and_too_few_arguments_are_refused);
	tcase_add_test(t, words_after_two_dashes_are_arguments);
}

static void
add_values(Suite *s)
{
	TCase *t = tcase(s, "values");

	tcase_add_test(t, status_ends_with_23_before_a_certificate_does);
	tcase_add_test(t, a_thumbprint_is_read_with_and_without_colons);
	tcase_add_loop_test(
	    t, a_wrong_thumbprint_is_refused, 0, COUNT(bad_thumbs));
	tcase_add_test(t, a_key_goes_to_base64_and_back);
	tcase_add_loop_test(t, a_wrong_key_is_refused, 0, COUNT(bad_keys));
	tcase_add_test(t, a_number_is_read_within_its_limits);
	tcase_add_test(t, an_age_is_told_in_its_largest_unit);
	tcase_add_test(t, foreign_text_cannot_move_the_cursor);
	tcase_add_test(t, host_names_follow_the_standard);
	tcase_add_test(t, addresses_get_one_spelling);
	tcase_add_loop_test(t, an_address_that_cannot_float_is_refused, 0,
	    COUNT(bad_addresses));
	tcase_add_test(t, an_address_of_this_host_is_in_use);
	tcase_add_test(t, a_name_must_resolve_to_the_address);
}

static void
add_files(Suite *s)
{
	TCase *t = tcase(s, "files");

	tcase_add_test(t, one_newline_at_the_end_is_not_part_of_the_passphrase);
	tcase_add_test(t, a_passphrase_file_that_others_may_read_is_refused);
	tcase_add_test(t, a_passphrase_file_of_somebody_else_is_refused);
	tcase_add_test(t, an_empty_or_many_lined_passphrase_is_refused);
	tcase_add_test(t, a_passphrase_has_a_longest_length);
	tcase_add_test(t, a_missing_passphrase_file_and_a_folder_are_refused);
	tcase_add_test(t, a_failure_takes_away_what_was_made);
	tcase_add_test(t, a_file_is_read_whole_or_not_at_all);
	tcase_add_test(t, a_backup_record_is_read_only_as_the_system_signed_it);
	tcase_add_loop_test(t, a_reminder_must_not_give_the_passphrase_away, 0,
	    COUNT(reminders));
	tcase_add_test(t, a_reminder_is_read_only_as_the_system_signed_it);
	tcase_add_test(t, a_reminder_belongs_to_a_small_file_alone);
}

int
main(void)
{
	Suite *s = suite_create("cli");
	SRunner *r;
	int failed;

	add_options(s);
	add_values(s);
	add_files(s);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
