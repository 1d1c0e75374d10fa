/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <claviger/age.h>
#include <claviger/slip39.h>
#include <claviger/wire.h>
#include "residue.h"

static const struct clv_wire_terms terms = {60, 65000};

static struct clv_keyring *keyring;
static struct clv_identity *identity;

static void
remember_keyring(void)
{
	uint8_t *key = clv_guard_get(guard, CLV_KEY_LEN);
	char *text = NULL, *line;
	size_t len = 0;

	ck_assert_int_eq(clv_keyring_format(keyring, &text, &len), CLV_OK);
	for (line = text; (line = strchr(line, '=')) != NULL; line++)
		remember("a key of the keyring as text", line - 43, 44);
	line = strstr(text, "generation 1 ");
	sodium_base642bin(key, CLV_KEY_LEN, line + 13, 44, NULL, NULL, NULL,
	    sodium_base64_VARIANT_ORIGINAL);
	remember("the master secret", key, CLV_KEY_LEN);
	line = strstr(text, "signing ");
	sodium_base642bin(key, CLV_KEY_LEN, line + 8, 44, NULL, NULL, NULL,
	    sodium_base64_VARIANT_ORIGINAL);
	remember("the system's signing key", key, CLV_KEY_LEN);
	clv_keyring_subkey(keyring, 1, CLV_SUBKEY_DISTRIBUTION, key);
	remember("the distribution key", key, CLV_KEY_LEN);
	clv_keyring_subkey(keyring, 1, CLV_SUBKEY_SERVICE, key);
	remember("the service key", key, CLV_KEY_LEN);
	clv_guard_put(guard, text);
	clv_guard_put(guard, key);
}

static void
make_all(void)
{
	keyring = new_keyring();
	identity = new_identity("alpha");
	remember_keyring();
	remember("a host's age identity", identity->box_sk, 32);
	remember("a host's signing key", identity->sign_sk, 32);
}

static void
set_up(void)
{
	set_up_guard();
	secret_count = 0;
	run_apart(make_all);
}

static void
tear_down(void)
{
	clv_identity_free(&identity);
	clv_keyring_free(&keyring);
	tear_down_guard();
}

START_TEST(a_copy_on_the_heap_would_be_found)
{
	char *copy = malloc(32);

	ck_assert_ptr_nonnull(copy);
	sodium_memzero(stack, sizeof(stack));
	memcpy(copy, (uint8_t *)identity->box_sk + 8, 16);
	ck_assert_str_eq(find_anywhere(keyring), "a host's age identity");
	sodium_memzero(copy, 32);
	free(copy);
}
END_TEST

static void
do_careless(void)
{
	volatile uint8_t copy[32];
	size_t i;

	for (i = 0; i < sizeof(copy); i++)
		copy[i] = identity->sign_sk[i];
}

START_TEST(a_copy_on_the_stack_would_be_found)
{
	sodium_memzero(stack, sizeof(stack));
	run_apart(do_careless);
	ck_assert_str_eq(find_anywhere(keyring), "a host's signing key");
}
END_TEST

static void
do_nothing_more(void)
{
}

static void
do_add_generation(void)
{
	uint8_t *key = clv_guard_get(guard, CLV_KEY_LEN);
	uint32_t g;

	ck_assert_int_eq(clv_keyring_add(keyring, &g), CLV_OK);
	clv_keyring_subkey(keyring, g, CLV_SUBKEY_AUDIT, key);
	remember("the audit key", key, CLV_KEY_LEN);
	clv_guard_put(guard, key);
}

static void
do_keyring_text(void)
{
	struct clv_keyring *k = NULL;
	char *text = NULL;
	size_t len = 0;

	ck_assert_int_eq(clv_keyring_format(keyring, &text, &len), CLV_OK);
	ck_assert_int_eq(clv_keyring_parse(guard, text, len, &k), CLV_OK);
	clv_keyring_free(&k);
	clv_guard_put(guard, text);
}

static void
do_bad_keyring_text(void)
{
	struct clv_keyring *k = NULL;
	char *text = NULL;
	size_t len = 0;

	ck_assert_int_eq(clv_keyring_format(keyring, &text, &len), CLV_OK);
	text[len - 2] = 'x';
	ck_assert_int_eq(clv_keyring_parse(guard, text, len, &k), CLV_E_FORMAT);
	clv_guard_put(guard, text);
}

static void
do_identity_text(void)
{
	struct clv_identity *id = NULL;
	char *text = NULL, *line;

	ck_assert_int_eq(clv_identity_format(identity, &text), CLV_OK);
	line = strstr(text, "AGE-SECRET-KEY-1");
	ck_assert_ptr_nonnull(line);
	remember("an age identity as text", line + 16, 48);
	ck_assert_int_eq(
	    clv_identity_parse(guard, text, strlen(text), &id), CLV_OK);
	clv_identity_free(&id);
	clv_guard_put(guard, text);
}

static void
do_sign(void)
{
	uint8_t sig[CLV_SIG_LEN];

	clv_sign(identity->sign_sk, "claviger-test-01", "x", 1, sig);
}

static void
do_list(void)
{
	struct clv_buf b = {0};
	struct clv_list *list = new_list(keyring);

	ck_assert_int_eq(clv_list_sign(list, keyring, &b), CLV_OK);
	ck_assert_int_eq(clv_list_prove(list, keyring), CLV_OK);
	clv_buf_fini(&b);
	clv_list_free(&list);
}

static void
do_escrow_seal(void)
{
	struct clv_buf row = {0};

	ck_assert_int_eq(
	    clv_escrow_seal(guard, keyring, 1, identity->box_pk, &row), CLV_OK);
	clv_buf_fini(&row);
}

static void
do_escrow_open(void)
{
	struct clv_keyring *k = NULL;
	struct clv_buf row = {0};

	clv_escrow_seal(guard, keyring, 1, identity->box_pk, &row);
	ck_assert_int_eq(clv_escrow_open(row.data, row.len,
			     clv_keyring_sign_pk(keyring), identity, 1, &k),
	    CLV_OK);
	clv_keyring_free(&k);
	clv_buf_fini(&row);
}

static void
do_application_key(void)
{
	uint8_t *app = clv_guard_get(guard, CLV_KEY_LEN);
	uint8_t check[CLV_KEY_LEN];

	clv_keyring_subkey(keyring, 1, CLV_SUBKEY_DISTRIBUTION, app);
	clv_key_check(app, check);
	clv_app_key(app, clv_keyring_system_id(keyring), "crm", app);
	remember("an application's key", app, CLV_KEY_LEN);
	clv_guard_put(guard, app);
}

static void
seal_keys(const char *scope, struct clv_buf *ret)
{
	struct clv_list *list = new_list(keyring);

	ck_assert_int_eq(clv_wire_keys_seal(guard, keyring, list, scope, &terms,
			     identity->box_pk, ret),
	    CLV_OK);
	clv_list_free(&list);
}

static void
do_keys_seal(void)
{
	struct clv_buf b = {0};

	seal_keys("all", &b);
	clv_buf_fini(&b);
}

static void
do_narrow_keys_seal(void)
{
	struct clv_buf b = {0};

	do_application_key();
	seal_keys("payroll,crm", &b);
	clv_buf_fini(&b);
}

static void
do_keys_open(void)
{
	struct clv_wire_key *keys = NULL;
	struct clv_wire_terms said;
	struct clv_buf b = {0};
	size_t n;

	seal_keys("all", &b);
	ck_assert_int_eq(clv_wire_keys_open(
			     guard, identity, b.data, b.len, &said, &keys, &n),
	    CLV_OK);
	clv_guard_put(guard, keys);
	clv_buf_fini(&b);
}

static void
do_certificate_row(void)
{
	struct clv_buf row = {0}, cert = {0};
	uint8_t *key = clv_guard_get(guard, 40), *back = NULL;
	size_t len;

	randombytes_buf(key, 40);
	remember("a TLS key", key, 40);
	ck_assert_int_eq(
	    clv_tls_row_seal(guard, keyring, 1, "cert", 4, key, 40, &row),
	    CLV_OK);
	ck_assert_int_eq(clv_tls_row_open(guard, keyring, row.data, row.len,
			     &cert, &back, &len),
	    CLV_OK);
	clv_guard_put(guard, back);
	clv_guard_put(guard, key);
	clv_buf_fini(&row);
	clv_buf_fini(&cert);
}

static void
share_identity(const char *passphrase, struct clv_slip39_share **ret)
{
	struct clv_slip39_scheme s = {
	    .group_threshold = 2, .groups = 2, .group = {{1, 1}, {3, 3}}};
	size_t n;

	ck_assert_int_eq(clv_slip39_split(guard, &s, identity->box_sk, 32,
			     passphrase, ret, &n),
	    CLV_OK);
	remember("a share", (*ret)[0].value, 32);
	remember("another share", (*ret)[3].value, 32);
}

static void
do_shares_split(void)
{
	struct clv_slip39_share *shares = NULL;
	char *text = clv_guard_get(guard, CLV_SLIP39_TEXT_MAX);

	share_identity("a passphrase", &shares);
	ck_assert_int_eq(clv_slip39_format(guard, &shares[3], text), CLV_OK);
	remember("a share's words", text + 60, 40);
	clv_guard_put(guard, text);
	clv_guard_put(guard, shares);
}

static void
do_shares_combine(void)
{
	struct clv_slip39_share *shares = NULL;
	char *text = clv_guard_get(guard, CLV_SLIP39_TEXT_MAX);
	uint8_t *got = clv_guard_get(guard, CLV_SLIP39_SECRET_MAX);
	size_t len, word;

	share_identity(NULL, &shares);
	ck_assert_int_eq(clv_slip39_format(guard, &shares[3], text), CLV_OK);
	remember("a share's words", text + 60, 40);
	ck_assert_int_eq(
	    clv_slip39_parse(guard, text, strlen(text), &shares[3], &word),
	    CLV_OK);
	ck_assert_int_eq(
	    clv_slip39_combine(guard, shares, 4, NULL, got, &len, NULL),
	    CLV_OK);
	ck_assert_mem_eq(got, identity->box_sk, 32);
	clv_guard_put(guard, got);
	clv_guard_put(guard, text);
	clv_guard_put(guard, shares);
}

static struct clv_token *
make_token(void)
{
	struct clv_token *t = NULL;

	ck_assert_int_eq(clv_token_new(guard, &t), CLV_OK);
	remember("a join token's key", t->sign_sk, 32);
	strcpy(t->name, "alpha");
	strcpy(t->network_name, "mss");
	t->port = 8391;
	memset(t->system_pk, 7, sizeof(t->system_pk));
	return t;
}

static void
do_token_text(void)
{
	struct clv_token *t = make_token(), *again = NULL;
	char *text = NULL;

	ck_assert_int_eq(clv_token_format(t, &text), CLV_OK);
	remember("a join token", text + 20, 40);
	ck_assert_int_eq(clv_token_parse(guard, text, &again), CLV_OK);
	clv_token_free(&again);
	text[60] = text[60] == 'q' ? 'p' : 'q';
	ck_assert_int_eq(clv_token_parse(guard, text, &again), CLV_E_DAMAGED);
	clv_guard_put(guard, text);
	clv_token_free(&t);
}

static void
do_token_proof(void)
{
	struct clv_token_proof p = {.binding = {1}};
	struct clv_token *t = make_token();
	uint8_t sig[CLV_SIG_LEN];

	fill_party(&p.party, "alpha", 1);
	ck_assert_int_eq(clv_token_sign(t, &p, sig), CLV_OK);
	ck_assert_int_eq(clv_token_verify(t->sign_pk, &p, sig), CLV_OK);
	clv_token_free(&t);
}

static const struct {
	const char *name;
	void (*run)(void);
} operations[] = {
    {"the text of a join token", do_token_text},
    {"the proof of a join token", do_token_proof},
    {"making keys", do_nothing_more},
    {"adding a generation", do_add_generation},
    {"keyring text", do_keyring_text},
    {"bad keyring text", do_bad_keyring_text},
    {"identity text", do_identity_text},
    {"signing", do_sign},
    {"the list", do_list},
    {"sealing a copy", do_escrow_seal},
    {"opening a copy", do_escrow_open},
    {"an application's key", do_application_key},
    {"sealing keys", do_keys_seal},
    {"sealing keys of a narrow scope", do_narrow_keys_seal},
    {"opening keys", do_keys_open},
    {"a certificate row", do_certificate_row},
    {"making shares", do_shares_split},
    {"combining shares", do_shares_combine},
};

START_TEST(work_leaves_no_key_behind)
{
	const char *what;

	run_apart(operations[_i].run);
	what = find_anywhere(keyring);
	ck_assert_msg(what == NULL, "%s: %s lies outside the arena",
	    operations[_i].name, what);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("residue");
	TCase *t = tcase_create("memory_outside_the_arena");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, a_copy_on_the_heap_would_be_found);
	tcase_add_test(t, a_copy_on_the_stack_would_be_found);
	tcase_add_loop_test(t, work_leaves_no_key_behind, 0,
	    sizeof(operations) / sizeof(operations[0]));
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
#ifdef __SANITIZE_ADDRESS__
	(void)make_suite; /* its shadow and quarantine keep what they like */
	return 77;
#else
	return run_suite(make_suite());
#endif
}
