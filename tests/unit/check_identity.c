/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <claviger/age.h>
#include <claviger/identity.h>
#include "core.h"

START_TEST(new_identity_has_two_working_pairs)
{
	struct clv_identity *id = new_identity("alpha");
	uint8_t sig[CLV_SIG_LEN], pk[32];

	ck_assert_str_eq(id->name, "alpha");
	ck_assert_int_eq(crypto_scalarmult_base(pk, id->box_sk), 0);
	ck_assert_mem_eq(pk, id->box_pk, 32);
	ck_assert_int_eq(
	    clv_sign(id->sign_sk, "claviger-test-01", "x", 1, sig), CLV_OK);
	ck_assert_int_eq(
	    clv_verify(id->sign_pk, "claviger-test-01", "x", 1, sig), CLV_OK);
	clv_identity_free(&id);
	ck_assert_ptr_null(id);
	clv_identity_free(&id);
}
END_TEST

START_TEST(bad_name_makes_no_identity)
{
	struct clv_identity *id = NULL;

	ck_assert_int_eq(clv_identity_new(guard, "a b", &id), CLV_E_INVALID);
	ck_assert_ptr_null(id);
}
END_TEST

START_TEST(text_leads_back_to_the_same_identity)
{
	struct clv_identity *id = new_identity("host-1.example.org");
	struct clv_identity *back = NULL;
	char *text = NULL;

	ck_assert_int_eq(clv_identity_format(id, &text), CLV_OK);
	ck_assert_int_eq(strncmp(text,
			     "claviger-identity 1\nname host-1.example.org\n"
			     "age AGE-SECRET-KEY-1",
			     64),
	    0);
	ck_assert_int_eq(
	    clv_identity_parse(guard, text, strlen(text), &back), CLV_OK);
	ck_assert_mem_eq(back, id, sizeof(*id));
	clv_guard_put(guard, text);
	clv_identity_free(&id);
	clv_identity_free(&back);
}
END_TEST

START_TEST(longest_name_fits)
{
	static const char name[] = "abcdefghijklmnopqrstuvwxyz0123456789"
				   "abcdefghijklmnopqrstuvwxyz._";
	struct clv_identity *id, *back = NULL;
	char *text = NULL;

	ck_assert_uint_eq(strlen(name), CLV_NAME_MAX - 1);
	id = new_identity(name);
	ck_assert_int_eq(clv_identity_format(id, &text), CLV_OK);
	ck_assert_int_eq(
	    clv_identity_parse(guard, text, strlen(text), &back), CLV_OK);
	ck_assert_str_eq(back->name, name);
	clv_guard_put(guard, text);
	clv_identity_free(&id);
	clv_identity_free(&back);
}
END_TEST

/* The text of a good identity, with `from` replaced by `to`. */
static char *
make_text(const char *from, const char *to)
{
	struct clv_identity *id = new_identity("alpha");
	char *text = NULL, *at, *changed = calloc(1, 512);

	ck_assert_int_eq(clv_identity_format(id, &text), CLV_OK);
	at = strstr(text, from);
	ck_assert_ptr_nonnull(at);
	memcpy(changed, text, (size_t)(at - text));
	strcat(changed, to);
	strcat(changed, at + strlen(from));
	clv_guard_put(guard, text);
	clv_identity_free(&id);
	return changed;
}

static const struct {
	const char *from;
	const char *to;
	int result;
} changes[] = {
    {"identity 1", "identity 2", CLV_E_VERSION},
    {"identity 1", "identity 1 ", CLV_E_FORMAT},
    {"identity 1", "keyring 1", CLV_E_FORMAT},
    {"name alpha", "name ", CLV_E_FORMAT},
    {"name alpha", "name .alpha", CLV_E_FORMAT},
    {"name alpha", "name al pha", CLV_E_FORMAT},
    {"name alpha\n", "", CLV_E_FORMAT},
    {"name alpha", "name alpha\r", CLV_E_FORMAT},
    {"age AGE", "age age", CLV_E_FORMAT},
    {"age AGE", "age  AGE", CLV_E_FORMAT},
    {"KEY-1", "KEY-2", CLV_E_FORMAT},
    {"sign ", "sign", CLV_E_FORMAT},
    {"sign ", "sign A", CLV_E_FORMAT},
    {"=\n", "\n", CLV_E_FORMAT},
    {"=\n", "=", CLV_E_FORMAT},
    {"=\n", "=\n\n", CLV_E_FORMAT},
    {"=\n", "=\nmore\n", CLV_E_FORMAT},
};

START_TEST(anything_but_the_format_is_refused)
{
	char *text = make_text(changes[_i].from, changes[_i].to);
	struct clv_identity *id = NULL;

	ck_assert_int_eq(clv_identity_parse(guard, text, strlen(text), &id),
	    changes[_i].result);
	ck_assert_ptr_null(id);
	free(text);
}
END_TEST

START_TEST(every_truncation_is_refused)
{
	char *text = make_text("alpha", "alpha");
	struct clv_identity *id = NULL;
	size_t n, taken = 0;

	for (n = 0; n < strlen(text); n++)
		taken +=
		    clv_identity_parse(guard, text, n, &id) != CLV_E_FORMAT;
	ck_assert_uint_eq(taken, 0);
	free(text);
}
END_TEST

static char dir[] = "/tmp/check_identity.XXXXXX";
static char path[64];

static void
set_up_file(void)
{
	FILE *f;
	char *text;

	set_up_guard();
	strcpy(dir, "/tmp/check_identity.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/identity", dir);
	text = make_text("alpha", "alpha");
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	free(text);
	ck_assert_int_eq(chmod(path, 0400), 0);
}

static void
tear_down_file(void)
{
	unlink(path);
	rmdir(dir);
	tear_down_guard();
}

static int
load(const char *file)
{
	struct clv_identity *id = NULL;
	int r = clv_identity_load(guard, file, &id);

	ck_assert_int_eq(id != NULL, r == CLV_OK);
	clv_identity_free(&id);
	return r;
}

START_TEST(file_is_read)
{
	ck_assert_int_eq(load(path), CLV_OK);
}
END_TEST

START_TEST(file_that_others_may_read_is_refused)
{
	static const mode_t modes[] = {0440, 0404, 0420, 0401, 0666};

	ck_assert_int_eq(chmod(path, modes[_i]), 0);
	ck_assert_int_eq(load(path), CLV_E_PERMISSION);
}
END_TEST

START_TEST(file_of_somebody_else_is_refused)
{
	if (geteuid() != 0)
		return; /* only root can give a file away */
	ck_assert_int_eq(chown(path, 65534, 65534), 0);
	ck_assert_int_eq(load(path), CLV_E_PERMISSION);
}
END_TEST

START_TEST(absent_file_is_not_found)
{
	unlink(path);
	ck_assert_int_eq(load(path), CLV_E_NOT_FOUND);
}
END_TEST

START_TEST(symbolic_link_is_not_followed)
{
	char link[80];

	snprintf(link, sizeof(link), "%s.link", path);
	ck_assert_int_eq(symlink(path, link), 0);
	ck_assert_int_eq(load(link), CLV_E_SYSTEM);
	ck_assert_int_eq(errno, ELOOP);
	unlink(link);
}
END_TEST

START_TEST(what_is_not_a_file_is_refused_without_waiting)
{
	unlink(path);
	ck_assert_int_eq(mkfifo(path, 0400), 0);
	ck_assert_int_eq(load(path), CLV_E_FORMAT);
	ck_assert_int_eq(load(dir), CLV_E_FORMAT);
}
END_TEST

START_TEST(huge_file_is_refused)
{
	ck_assert_int_eq(chmod(path, 0600), 0);
	ck_assert_int_eq(truncate(path, 1 << 20), 0);
	ck_assert_int_eq(load(path), CLV_E_FORMAT);
	ck_assert_int_eq(truncate(path, 0), 0);
	ck_assert_int_eq(load(path), CLV_E_FORMAT);
}
END_TEST

START_TEST(good_names_pass)
{
	static const char *const good[] = {"a", "A-1", "_x", "0", "node.a.b",
	    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl"};

	ck_assert_int_eq(clv_name_check(good[_i]), CLV_OK);
}
END_TEST

START_TEST(bad_names_do_not)
{
	static const char *const wrong[] = {"", ".", "-a", ".a", "a b", "a,b",
	    "a/b", "a\n", "\xc3\xa4", "a:b",
	    ("abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl"
	     "m")};

	ck_assert_int_eq(clv_name_check(wrong[_i]), CLV_E_INVALID);
}
END_TEST

START_TEST(fingerprint_covers_every_part)
{
	struct clv_party p = {0}, q;
	char a[CLV_FINGERPRINT_TEXT], b[CLV_FINGERPRINT_TEXT];

	fill_party(&p, "alpha", 1);
	q = p;
	clv_party_fingerprint(&p, a);
	ck_assert_uint_eq(strlen(a), CLV_FINGERPRINT_TEXT - 1);
	ck_assert_uint_eq(strspn(a, "0123456789abcdef-"), strlen(a));
	ck_assert_int_eq(a[4], '-');
	clv_party_fingerprint(&q, b);
	ck_assert_str_eq(a, b);
	switch (_i) {
	case 0: q.name[0] = 'b'; break;
	case 1: q.sign_pk[31] ^= 1; break;
	case 2: q.box_pk[0] ^= 1; break;
	case 3: q.thumb[5] ^= 128; break;
	}
	clv_party_fingerprint(&q, b);
	ck_assert_str_ne(a, b);
}
END_TEST

/* hashlib.blake2b(00000005 || "alpha" || 96 x 01, digest_size=32) */
START_TEST(fingerprint_is_as_documented)
{
	struct clv_party p = {0};
	char text[CLV_FINGERPRINT_TEXT];

	fill_party(&p, "alpha", 1);
	clv_party_fingerprint(&p, text);
	ck_assert_str_eq(text, "2930-f795-cbcb-b9c8-d92d-3fbe-0884-5d22-"
			       "4fa0-47f1-2d4e-e90c-9229-3c1b-985c-4c0d");
}
END_TEST

START_TEST(join_request_names_its_sender)
{
	struct clv_identity *id = new_identity("gamma");
	struct clv_party p = {0};
	struct clv_buf b = {0};
	uint8_t thumb[32];

	memset(thumb, 9, sizeof(thumb));
	ck_assert_int_eq(clv_party_format(id, thumb, &b), CLV_OK);
	ck_assert_int_eq(clv_party_parse(b.data, b.len, &p), CLV_OK);
	ck_assert_str_eq(p.name, "gamma");
	ck_assert_mem_eq(p.sign_pk, id->sign_pk, 32);
	ck_assert_mem_eq(p.box_pk, id->box_pk, 32);
	ck_assert_mem_eq(p.thumb, thumb, 32);
	clv_buf_fini(&b);
	clv_identity_free(&id);
}
END_TEST

START_TEST(changed_join_request_is_refused)
{
	struct clv_identity *id = new_identity("gamma");
	struct clv_party p;
	struct clv_buf b = {0};
	static const uint8_t thumb[32] = {9};
	size_t i, taken = 0;

	ck_assert_int_eq(clv_party_format(id, thumb, &b), CLV_OK);
	for (i = 0; i < b.len; i++) {
		b.data[i] ^= 4;
		taken += clv_party_parse(b.data, b.len, &p) == CLV_OK;
		b.data[i] ^= 4;
		taken += clv_party_parse(b.data, i, &p) == CLV_OK;
	}
	ck_assert_uint_eq(taken, 0);
	clv_buf_u8(&b, 0);
	ck_assert_int_eq(clv_party_parse(b.data, b.len, &p), CLV_E_FORMAT);
	clv_buf_fini(&b);
	clv_identity_free(&id);
}
END_TEST

START_TEST(weak_recipient_key_is_refused)
{
	struct clv_identity *id = new_identity("gamma");
	static const uint8_t thumb[32] = {9};
	struct clv_buf b = {0};
	struct clv_party p;

	memset(id->box_pk, 0, sizeof(id->box_pk));
	id->box_pk[0] = (uint8_t)_i; /* the points 0 and 1 have small order */
	ck_assert_int_eq(clv_party_format(id, thumb, &b), CLV_OK);
	ck_assert_int_eq(clv_party_parse(b.data, b.len, &p), CLV_E_INVALID);
	clv_buf_fini(&b);
	clv_identity_free(&id);
}
END_TEST

static void
add_file_tests(Suite *s)
{
	TCase *t = tcase_create("its_file");

	tcase_add_checked_fixture(t, set_up_file, tear_down_file);
	tcase_add_test(t, file_is_read);
	tcase_add_loop_test(t, file_that_others_may_read_is_refused, 0, 5);
	tcase_add_test(t, file_of_somebody_else_is_refused);
	tcase_add_test(t, absent_file_is_not_found);
	tcase_add_test(t, symbolic_link_is_not_followed);
	tcase_add_test(t, what_is_not_a_file_is_refused_without_waiting);
	tcase_add_test(t, huge_file_is_refused);
	suite_add_tcase(s, t);
}

int
main(void)
{
	Suite *s = suite_create("identity");
	TCase *i = tcase_create("an_identity"), *p = tcase_create("a_party");

	tcase_add_checked_fixture(i, set_up_guard, tear_down_guard);
	tcase_add_checked_fixture(p, set_up_guard, tear_down_guard);
	tcase_add_test(i, new_identity_has_two_working_pairs);
	tcase_add_test(i, bad_name_makes_no_identity);
	tcase_add_test(i, text_leads_back_to_the_same_identity);
	tcase_add_test(i, longest_name_fits);
	tcase_add_loop_test(i, anything_but_the_format_is_refused, 0,
	    sizeof(changes) / sizeof(changes[0]));
	tcase_add_test(i, every_truncation_is_refused);
	tcase_add_loop_test(p, good_names_pass, 0, 6);
	tcase_add_loop_test(p, bad_names_do_not, 0, 11);
	tcase_add_loop_test(p, fingerprint_covers_every_part, 0, 4);
	tcase_add_test(p, fingerprint_is_as_documented);
	tcase_add_test(p, join_request_names_its_sender);
	tcase_add_test(p, changed_join_request_is_refused);
	tcase_add_loop_test(p, weak_recipient_key_is_refused, 0, 2);
	suite_add_tcase(s, i);
	suite_add_tcase(s, p);
	add_file_tests(s);
	return run_suite(s);
}
