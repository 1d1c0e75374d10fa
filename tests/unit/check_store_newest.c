/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <sodium.h>
#include <string.h>
#include <claviger/envelope.h>
#include <claviger/manifest.h>

#include "store_rig.h"

/* Data keys are added, and never taken away: each is one step of the manifest
 * that says which is the newest. */

static struct clv_store *s;
static uint8_t wrapped[CLV_DATAKEY_WRAPPED_LEN];

static void
mac_of(uint8_t content, uint8_t ret[static CLV_MANIFEST_MAC_LEN])
{
	memset(ret, content, CLV_MANIFEST_MAC_LEN);
}

/* An application `shop` at counter 1, with a data key. */
static void
with_app(void)
{
	uint8_t mac[CLV_MANIFEST_MAC_LEN];

	with_system();
	s = as_node();
	ck_assert(take(s, EPOCH, TAKEN, node_a));
	mac_of(1, mac);
	ck_ok(s, call(s, CLV_STMT_INIT_APP, U(TAKEN), A, OP("i"), "shop", U(1),
		     wrapped, sizeof(wrapped), wrapped, sizeof(wrapped), mac,
		     sizeof(mac), U(1)));
}

static void
leave(void)
{
	clv_store_free(&s);
	leave_database();
}

/* Its state; 0 when it was refused. The new MAC is filled with `version`. */
static uint64_t
add(char op, uint64_t counter, uint64_t version, uint64_t generation)
{
	uint8_t id[16] = {(uint8_t)op}, mac[CLV_MANIFEST_MAC_LEN];
	int r;

	mac_of((uint8_t)version, mac);
	r = call(s, CLV_STMT_ADD_KEY, U(TAKEN), A, id, sizeof(id), "shop",
	    U(counter), mac, sizeof(mac), U(version), U(generation), wrapped,
	    sizeof(wrapped));
	if (r == CLV_E_STALE)
		return 0;
	ck_ok(s, r);
	return clv_store_get_u64(s, 0, 0);
}

static long long
newest(void)
{
	return sql_int("SELECT max(version) FROM claviger.data_key");
}

static bool
manifest_is(uint64_t counter, uint8_t content)
{
	return sql_int("SELECT count(*) FROM claviger.manifest WHERE counter ="
		       " %llu AND get_byte(mac, 0) = %u",
		   (unsigned long long)counter, content) == 1;
}

START_TEST(a_data_key_is_a_step_of_the_manifest)
{
	ck_assert_uint_eq(add('a', 1, 2, 1), CLV_PUT_DONE);
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 1), 2);
	ck_assert(manifest_is(2, 2));
	ck_assert_int_eq(newest(), 2);
	/* repeated, also when others have written since */
	ck_assert_uint_eq(add('a', 1, 2, 1), CLV_PUT_REPEATED);
	ck_assert_uint_eq(add('b', 2, 3, 1), CLV_PUT_DONE);
	ck_assert_uint_eq(add('a', 1, 2, 1), CLV_PUT_REPEATED);
	ck_assert(manifest_is(3, 3));
	ck_assert_int_eq(newest(), 3);
}
END_TEST

START_TEST(a_data_key_on_top_of_what_is_not_there_any_more)
{
	ck_assert_uint_eq(add('a', 2, 2, 1), CLV_PUT_CONFLICT);
	ck_assert_uint_eq(clv_store_get_u64(s, 0, 1), 1);
	ck_assert_uint_eq(add('a', 0, 2, 1), CLV_PUT_CONFLICT);
	/* neither the same, nor one further, nor an old one */
	ck_assert_uint_eq(add('a', 1, 1, 1), 0);
	ck_assert_uint_eq(add('a', 1, 3, 1), 0);
	ck_assert_uint_eq(add('a', 1, 0, 1), 0);
	ck_assert(manifest_is(1, 1));
	ck_assert_int_eq(newest(), 1);
	sql("UPDATE claviger.system SET generation = 2");
	ck_assert_uint_eq(add('a', 1, 2, 1), 0);
	/* what was refused was not done */
	ck_assert_uint_eq(add('a', 1, 2, 2), CLV_PUT_DONE);
}
END_TEST

START_TEST(there_are_so_many_data_keys_and_no_more)
{
	sql("INSERT INTO claviger.data_key SELECT 'shop', g, 1, 'x'"
	    " FROM generate_series(2, %d) g",
	    CLV_DATAKEYS_MAX - 1);
	sql("UPDATE claviger.manifest SET key_version = %d",
	    CLV_DATAKEYS_MAX - 1);
	ck_assert_uint_eq(add('a', 1, CLV_DATAKEYS_MAX, 1), CLV_PUT_DONE);
	ck_assert_uint_eq(add('b', 2, CLV_DATAKEYS_MAX + 1, 1), 0);
	ck_assert_int_eq(newest(), CLV_DATAKEYS_MAX);
}
END_TEST

START_TEST(another_server_adds_no_data_key)
{
	struct clv_store *b = as_node();

	ck_assert(take(b, TAKEN, TAKEN + 257, node_b));
	clv_store_free(&b);
	ck_result(call(s, CLV_STMT_ADD_KEY, U(TAKEN), A, OP("a"), "shop", U(1),
		      STR("01234567890123456789012345678901"), U(2), U(1),
		      wrapped, sizeof(wrapped)),
	    CLV_E_STALE_EPOCH);
	ck_assert_int_eq(newest(), 1);
}
END_TEST

/* Nobody is given a way: what applications keep was sealed under some key. */
START_TEST(data_keys_go_with_their_application_alone)
{
	ck_assert_int_eq(sql_int("SELECT count(*) FROM pg_proc p JOIN"
				 " pg_namespace n ON n.oid = p.pronamespace"
				 " WHERE n.nspname = 'claviger' AND p.prosrc"
				 " ~* 'delete\\s+from\\s+claviger.data_key'"
				 " AND p.proname <> 'drop_app'"),
	    0);
	ck_assert_uint_eq(add('a', 1, 2, 1), CLV_PUT_DONE);
	ck_ok(s, call(s, CLV_STMT_DROP_APP, U(TAKEN), A, OP("d"), "shop"));
	ck_assert_int_eq(sql_int("SELECT count(*) FROM claviger.data_key"), 0);
}
END_TEST

static Suite *
suite(void)
{
	Suite *suite = suite_create("store_newest");
	TCase *t = tcase_create("data_keys");

	tcase_add_checked_fixture(t, with_app, leave);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_data_key_is_a_step_of_the_manifest);
	tcase_add_test(t, a_data_key_on_top_of_what_is_not_there_any_more);
	tcase_add_test(t, there_are_so_many_data_keys_and_no_more);
	tcase_add_test(t, another_server_adds_no_data_key);
	tcase_add_test(t, data_keys_go_with_their_application_alone);
	suite_add_tcase(suite, t);
	return suite;
}

int
main(void)
{
	int r = rig_start();

	return r != 0 ? r : rig_run(suite());
}
