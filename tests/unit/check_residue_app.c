/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <claviger/envelope.h>
#include <claviger/manifest.h>
#include "residue.h"

/* As check_residue.c, for an application's keys, values and index. */

static uint8_t *system_id; /* in the arena, which is known by it */
static uint8_t *key, *other_key, *value, *okm;
static uint8_t wrapped[CLV_DATAKEY_WRAPPED_LEN];
static uint8_t record[600 + CLV_RECORD_EXTRA];
static uint8_t mac[CLV_MANIFEST_MAC_LEN];
static struct clv_index *x;
static size_t value_len;
static int result;

static uint8_t *
random_secret(const char *what, size_t len)
{
	uint8_t *p = clv_guard_get(guard, len);

	randombytes_buf(p, len);
	remember(what, p, 32);
	remember(what, p + len - 32, 32);
	return p;
}

static void
set_up(void)
{
	set_up_guard();
	secret_count = 0;
	system_id = clv_guard_get(guard, CLV_SYSTEM_ID_LEN);
	okm = clv_guard_get(guard, 64);
	key = random_secret("a key", CLV_KEY_LEN);
	other_key = random_secret("a wrapped key", CLV_KEY_LEN);
	value = random_secret("a value", sizeof(record) - CLV_RECORD_EXTRA);
	value_len = 256;
}

static void
tear_down(void)
{
	clv_index_free(&x);
	clv_guard_put(guard, system_id);
	clv_guard_put(guard, okm);
	clv_guard_put(guard, key);
	clv_guard_put(guard, other_key);
	clv_guard_put(guard, value);
	tear_down_guard();
}

/* Each of these does one thing and returns: whatever came after it would write
 * over what it left. */

static void
do_wrap(void)
{
	const struct clv_datakey_id id = {system_id, "crm", 1, 1};

	result = clv_datakey_wrap(key, &id, other_key, wrapped);
}

static void
do_unwrap(void)
{
	const struct clv_datakey_id id = {system_id, "crm", 1, 1};

	result =
	    clv_datakey_unwrap(key, &id, wrapped, sizeof(wrapped), other_key);
}

static void
do_seal(void)
{
	const struct clv_record_id id = {
	    CLV_RECORD_SEALED, system_id, "crm", "context", 0};

	result = clv_record_seal(key, 1, &id, value, value_len, record);
}

static void
do_open(void)
{
	const struct clv_record_id id = {
	    CLV_RECORD_SEALED, system_id, "crm", "context", 0};

	result = clv_record_open(
	    key, &id, record, value_len + CLV_RECORD_EXTRA, value);
}

static void
do_stage(void)
{
	const struct clv_change c = {.name = "db/password", .version = 1};

	result = clv_index_stage(x, &c);
}

static void
do_mac(void)
{
	clv_index_mac(x, 1, mac);
}

/* What the record's own key is, by the manual. */
static void
remember_derived(void)
{
	crypto_generichash_blake2b_salt_personal(okm, 64, NULL, 0, key,
	    CLV_KEY_LEN, record + 5, (const uint8_t *)"claviger-record1");
	ck_assert_mem_eq(okm + 32, record + 29, 32);
	remember("the key of a record", okm, 32);
}

/* Run it on the stack apart, and look everywhere. */
static void
look_after(void (*run)(void), const char *name, int want)
{
	const char *what;

	sodium_memzero(stack, sizeof(stack));
	result = CLV_OK;
	run_apart(run);
	what = find_anywhere(system_id);
	ck_assert_int_eq(result, want);
	ck_assert_msg(
	    what == NULL, "%s: %s lies outside the arena", name, what);
}

START_TEST(a_data_key_is_left_nowhere)
{
	look_after(do_wrap, "wrap", CLV_OK);
	look_after(do_unwrap, "unwrap", CLV_OK);
	wrapped[40] ^= 1;
	look_after(do_unwrap, "unwrap what is damaged", CLV_E_DAMAGED);
}
END_TEST

/* A long one is worked on more blocks at a time, deeper in the stack. */
static const size_t lengths[] = {0, 32, 256, 600};

START_TEST(a_record_is_left_nowhere)
{
	value_len = lengths[_i];
	look_after(do_seal, "seal", CLV_OK);
	run_apart(remember_derived);
	look_after(do_open, "open", CLV_OK);
	record[value_len + CLV_RECORD_EXTRA - 1] ^= 1;
	look_after(do_open, "open what is damaged", CLV_E_DAMAGED);
	record[40] ^= 1;
	look_after(do_open, "open what is not committed to", CLV_E_DAMAGED);
}
END_TEST

START_TEST(an_index_key_is_left_nowhere)
{
	ck_assert_int_eq(clv_index_new(key, system_id, "crm", &x), CLV_OK);
	look_after(do_stage, "stage", CLV_OK);
	look_after(do_mac, "mac", CLV_OK);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *s = suite_create("residue_app");
	TCase *t = tcase_create("memory_outside_the_arena");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, a_data_key_is_left_nowhere);
	tcase_add_loop_test(t, a_record_is_left_nowhere, 0,
	    sizeof(lengths) / sizeof(lengths[0]));
	tcase_add_test(t, an_index_key_is_left_nowhere);
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
