/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include "core.h"

static struct clv_keyring *keyring;
static struct clv_list *list;
static struct clv_buf signed_list;

static void
set_up(void)
{
	set_up_guard();
	keyring = new_keyring();
	list = new_list(keyring);
	clv_buf_init(&signed_list);
}

static void
tear_down(void)
{
	clv_buf_fini(&signed_list);
	clv_list_free(&list);
	ck_assert_ptr_null(list);
	clv_list_free(&list);
	clv_keyring_free(&keyring);
	tear_down_guard();
}

static int
sign(void)
{
	clv_buf_reset(&signed_list);
	return clv_list_sign(list, keyring, &signed_list);
}

static int
open_list(const void *p, size_t len, struct clv_list **ret)
{
	return clv_list_open(p, len, clv_keyring_sign_pk(keyring), ret);
}

/* Put a fresh signature under the body, whatever it is now. */
static void
sign_again(void)
{
	size_t len = signed_list.len - CLV_SIG_LEN;

	ck_assert_int_eq(clv_keyring_sign(keyring, "claviger-list-01",
			     signed_list.data, len, signed_list.data + len),
	    CLV_OK);
}

static int
reopen(void)
{
	struct clv_list *back = NULL;
	int r;

	sign_again();
	r = open_list(signed_list.data, signed_list.len, &back);
	ck_assert_int_eq(back != NULL, r == CLV_OK);
	clv_list_free(&back);
	return r;
}

START_TEST(opened_list_says_what_was_signed)
{
	struct clv_list *l = NULL;

	memset(list->cert_thumb[1], 5, 32);
	memset(list->members[1].next_thumb, 6, 32);
	list->nodes[1].revoked = true;
	list->nodes[1].sealed = false;
	list->members[0].revoked = true;
	ck_assert_int_eq(sign(), CLV_OK);
	ck_assert_int_eq(
	    open_list(signed_list.data, signed_list.len, &l), CLV_OK);
	ck_assert_mem_eq(l->system_id, list->system_id, CLV_SYSTEM_ID_LEN);
	ck_assert_uint_eq(l->version, 7);
	ck_assert_uint_eq(l->epoch, 258);
	ck_assert_str_eq(l->network_name, "mss.example.org");
	ck_assert_str_eq(l->address, "192.0.2.10");
	ck_assert_uint_eq(l->port, 8391);
	ck_assert_uint_eq(l->escrow_policy, CLV_ESCROW_AUTO);
	ck_assert_mem_eq(l->cert_thumb, list->cert_thumb, 64);
	ck_assert_uint_eq(l->generation_count, 1);
	ck_assert_mem_eq(
	    l->generations, list->generations, sizeof(*l->generations));
	ck_assert_uint_eq(l->node_count, 2);
	ck_assert_mem_eq(l->nodes, list->nodes, 2 * sizeof(*l->nodes));
	ck_assert_uint_eq(l->member_count, 2);
	ck_assert_mem_eq(l->members, list->members, 2 * sizeof(*l->members));
	ck_assert_str_eq(l->system_admins, "user:ada");
	ck_assert_str_eq(l->creators, "group:dev");
	ck_assert_uint_eq(l->app_count, 2);
	ck_assert_str_eq(l->apps[0].name, "crm");
	ck_assert_str_eq(l->apps[0].admins, "user:ada");
	ck_assert_str_eq(l->apps[0].users, "unit:crm.service");
	ck_assert_uint_eq(l->apps[0].keep, 3);
	ck_assert_str_eq(l->apps[1].name, "payroll");
	ck_assert_str_eq(l->apps[1].admins, "");
	ck_assert_str_eq(l->apps[1].users, "");
	ck_assert_uint_eq(l->apps[1].keep, 0);
	clv_list_free(&l);
}
END_TEST

/* Format 1 without it: lists that were signed before it was thought of. */
START_TEST(reencryption_is_asked_for_by_a_list_of_another_format)
{
	struct clv_list *l = NULL;
	size_t len;

	ck_assert_int_eq(sign(), CLV_OK);
	len = signed_list.len;
	ck_assert_uint_eq(signed_list.data[1], 1);
	list->reencrypt = list->generations[0].number;
	ck_assert_int_eq(sign(), CLV_OK);
	ck_assert_uint_eq(signed_list.data[1], 2);
	ck_assert_uint_eq(signed_list.len, len + 4);
	ck_assert_int_eq(
	    open_list(signed_list.data, signed_list.len, &l), CLV_OK);
	ck_assert_uint_eq(l->reencrypt, list->reencrypt);
	ck_assert_str_eq(l->apps[1].name, "payroll");
	clv_list_free(&l);
	list->reencrypt++;
	ck_assert_int_eq(sign(), CLV_E_INVALID);
}
END_TEST

START_TEST(order_of_adding_does_not_matter)
{
	struct clv_buf first = {0};
	struct clv_list_node n = list->nodes[0];
	struct clv_list_member m = list->members[0];
	struct clv_list_app a = list->apps[0];
	struct clv_list *back = NULL;

	ck_assert_int_eq(clv_list_sign(list, keyring, &first), CLV_OK);
	list->nodes[0] = list->nodes[1];
	list->nodes[1] = n;
	list->members[0] = list->members[1];
	list->members[1] = m;
	list->apps[0] = list->apps[1];
	list->apps[1] = a;
	ck_assert_int_eq(sign(), CLV_OK);
	ck_assert_uint_eq(first.len, signed_list.len);
	ck_assert_mem_eq(first.data, signed_list.data, first.len);
	ck_assert_int_eq(open_list(first.data, first.len, &back), CLV_OK);
	ck_assert_uint_eq(back->nodes[0].number, 1);
	ck_assert_str_eq(back->members[0].party.name, "m1");
	ck_assert_str_eq(back->apps[0].name, "crm");
	clv_list_free(&back);
	clv_buf_fini(&first);
}
END_TEST

START_TEST(list_is_appended_to_the_buffer)
{
	clv_buf_raw(&signed_list, "head", 4);
	ck_assert_int_eq(clv_list_sign(list, keyring, &signed_list), CLV_OK);
	ck_assert_mem_eq(signed_list.data, "head\0\1", 6);
}
END_TEST

START_TEST(every_changed_byte_breaks_the_signature)
{
	struct clv_list *back = NULL;
	size_t i, taken = 0;

	ck_assert_int_eq(sign(), CLV_OK);
	for (i = 0; i < signed_list.len; i++) {
		signed_list.data[i] ^= 1;
		taken += open_list(signed_list.data, signed_list.len, &back) !=
			 CLV_E_SIGNATURE;
		signed_list.data[i] ^= 1;
		taken +=
		    open_list(signed_list.data, i, &back) != CLV_E_SIGNATURE;
	}
	ck_assert_uint_eq(taken, 0);
	ck_assert_ptr_null(back);
}
END_TEST

START_TEST(list_of_another_system_breaks_the_signature)
{
	struct clv_keyring *other = new_keyring();
	struct clv_list *back = NULL;

	ck_assert_int_eq(sign(), CLV_OK);
	ck_assert_int_eq(clv_list_open(signed_list.data, signed_list.len,
			     clv_keyring_sign_pk(other), &back),
	    CLV_E_SIGNATURE);
	ck_assert_int_eq(
	    clv_list_sign(list, other, &signed_list), CLV_E_WRONG_SYSTEM);
	clv_keyring_free(&other);
}
END_TEST

/* Signed bodies that are not canonical. */

START_TEST(trailing_byte_is_refused)
{
	ck_assert_int_eq(sign(), CLV_OK);
	clv_buf_u8(&signed_list, 0);
	ck_assert_int_eq(reopen(), CLV_E_FORMAT);
}
END_TEST

START_TEST(every_signed_truncation_is_refused)
{
	size_t n, taken = 0;

	ck_assert_int_eq(sign(), CLV_OK);
	for (n = signed_list.len; signed_list.len-- > CLV_SIG_LEN;)
		taken += reopen() != CLV_E_FORMAT;
	signed_list.len = n;
	ck_assert_uint_eq(taken, 0);
}
END_TEST

/* Offsets in the encoding of new_list(): the network name's length is at 34,
 * its 15 characters follow; the address' length at 53 and 10 characters. */
#define NAME_AT 38
#define ADDRESS_AT 57
#define POLICY_AT 69
#define GEN_COUNT_AT 134
#define GEN_AT 138
#define NODE_COUNT_AT 207
#define NODE_AT 211
#define NODE_LEN (4 + 5 + 96 + 3 + 32)
#define NODE2_AT (NODE_AT + NODE_LEN)
#define MEMBER_COUNT_AT (NODE2_AT + NODE_LEN - 1)
#define MEMBER_AT (MEMBER_COUNT_AT + 4)
#define MEMBER_LEN (4 + 2 + 96 + 1 + 4 + 3 + 32)
#define MEMBER2_AT (MEMBER_AT + MEMBER_LEN)
#define ADMINS_AT (MEMBER2_AT + MEMBER_LEN + 8)
#define CREATORS_AT (ADMINS_AT + 4 + 8)
#define APP_COUNT_AT (CREATORS_AT + 4 + 9)
#define APP_AT (APP_COUNT_AT + 4)
#define APP_USERS_AT (APP_AT + 4 + 3 + 4 + 8)
#define APP2_AT (APP_USERS_AT + 4 + 16 + 4)

static const struct {
	size_t at;
	uint8_t value;
	int result;
} changes[] = {
    {1, 5, CLV_E_FORMAT}, {1, 0, CLV_E_VERSION}, {1, 2, CLV_E_FORMAT},
    {1, 3, CLV_E_FORMAT}, {1, 4, CLV_E_FORMAT}, {1, 9, CLV_E_FORMAT},
    {1, 12, CLV_E_FORMAT}, {1, 17, CLV_E_FORMAT}, {0, 1, CLV_E_VERSION},
    {NAME_AT, ' ', CLV_E_FORMAT}, {NAME_AT, '-', CLV_E_FORMAT},
    {NAME_AT, '\n', CLV_E_FORMAT}, {ADDRESS_AT, 'x', CLV_E_FORMAT},
    {ADDRESS_AT, '9', CLV_E_FORMAT}, /* 992.0.2.10 */
    {POLICY_AT, 0, CLV_E_FORMAT}, {POLICY_AT, 3, CLV_E_FORMAT},
    {GEN_COUNT_AT + 3, 2, CLV_E_FORMAT}, {GEN_COUNT_AT + 3, 0, CLV_E_FORMAT},
    {GEN_COUNT_AT, 0xff, CLV_E_FORMAT},
    {GEN_AT + 3, 0, CLV_E_FORMAT}, /* generation 0 */
    {GEN_AT + 4, 0, CLV_E_FORMAT}, /* states outside the table */
    {GEN_AT + 4, 8, CLV_E_FORMAT},
    {GEN_AT + 4, CLV_GEN_RETIRED, CLV_E_FORMAT}, /* no current one */
    {NODE_COUNT_AT, 1, CLV_E_FORMAT}, {NODE_AT + 4, '.', CLV_E_FORMAT},
    {NODE_AT + 4, '\0', CLV_E_FORMAT},
    {NODE_AT + 9 + 96, 0, CLV_E_FORMAT},     /* node number 0 */
    {NODE_AT + 9 + 96, 2, CLV_E_FORMAT},     /* of the next one */
    {NODE_AT + 9 + 96, 3, CLV_E_FORMAT},     /* above the next one */
    {NODE_AT + 9 + 96 + 1, 2, CLV_E_FORMAT}, /* a third truth value */
    {NODE_AT + 9 + 96 + 2, 255, CLV_E_FORMAT},
    {MEMBER_COUNT_AT + 2, 0xff, CLV_E_FORMAT},
    {MEMBER_AT + 4, '-', CLV_E_FORMAT},
    {MEMBER_AT + 5, '2', CLV_E_FORMAT}, /* m2 twice */
    {MEMBER_AT + 5, '3', CLV_E_FORMAT}, /* m3 before m2 */
    {MEMBER_AT + 6 + 96, 2, CLV_E_FORMAT},
    {MEMBER_AT + 6 + 96 + 5, ',', CLV_E_FORMAT},      /* scope ",ll" */
    {MEMBER2_AT + 6 + 96 + 5 + 8, '-', CLV_E_FORMAT}, /* payroll,-rm */
    {ADMINS_AT + 4, 'U', CLV_E_FORMAT},
    {ADMINS_AT + 9, '-', CLV_E_FORMAT}, /* user:-da */
    {ADMINS_AT + 8, '\0', CLV_E_FORMAT},
    {CREATORS_AT + 12, ',', CLV_E_FORMAT}, /* group:de, */
    {APP_COUNT_AT + 3, 1, CLV_E_FORMAT}, {APP_COUNT_AT + 3, 3, CLV_E_FORMAT},
    {APP_COUNT_AT + 2, 0xff, CLV_E_FORMAT}, /* above the maximum */
    {APP_AT + 4, '.', CLV_E_FORMAT},
    {APP_AT + 4, 'x', CLV_E_FORMAT}, /* xrm before payroll */
    {APP_AT + 4 + 3 + 4, ',', CLV_E_FORMAT},
    {APP_USERS_AT + 4 + 15, 'd', CLV_E_FORMAT}, /* unit:crm.serviced */
};

START_TEST(signed_nonsense_is_refused)
{
	ck_assert_int_eq(sign(), CLV_OK);
	ck_assert_uint_gt(signed_list.len, changes[_i].at);
	ck_assert_uint_ne(signed_list.data[changes[_i].at], changes[_i].value);
	signed_list.data[changes[_i].at] = changes[_i].value;
	ck_assert_int_eq(reopen(), changes[_i].result);
}
END_TEST

/* The offsets above are what they say. */
START_TEST(offsets_of_the_encoding_are_stable)
{
	ck_assert_int_eq(sign(), CLV_OK);
	ck_assert_mem_eq(signed_list.data + NAME_AT, "mss", 3);
	ck_assert_mem_eq(signed_list.data + ADDRESS_AT, "192", 3);
	ck_assert_mem_eq(signed_list.data + NODE_AT, "\0\0\0\5alpha", 9);
	ck_assert_mem_eq(signed_list.data + NODE2_AT, "\0\0\0\4beta", 8);
	ck_assert_mem_eq(signed_list.data + MEMBER_AT, "\0\0\0\2m1", 6);
	ck_assert_mem_eq(signed_list.data + MEMBER2_AT, "\0\0\0\2m2", 6);
	ck_assert_mem_eq(signed_list.data + ADMINS_AT, "\0\0\0\10user:ada", 12);
	ck_assert_mem_eq(
	    signed_list.data + CREATORS_AT, "\0\0\0\11group:dev", 13);
	ck_assert_mem_eq(signed_list.data + APP_COUNT_AT, "\0\0\0\2", 4);
	ck_assert_mem_eq(signed_list.data + APP_AT, "\0\0\0\3crm", 7);
	ck_assert_mem_eq(
	    signed_list.data + APP_USERS_AT, "\0\0\0\20unit:crm.service", 20);
	ck_assert_mem_eq(signed_list.data + APP2_AT, "\0\0\0\7payroll", 11);
	ck_assert_int_eq(reopen(), CLV_OK);
}
END_TEST

/* What would not be read is not signed. */

static void
make_two_current(void)
{
	add_generation(list, keyring, 2, CLV_GEN_CURRENT);
}

static void
make_none_current(void)
{
	list->generations[0].state = CLV_GEN_RETIRED;
}

static void
make_bad_state(void)
{
	list->generations[0].state = 0;
}

static void
make_generation_twice(void)
{
	add_generation(list, keyring, 1, CLV_GEN_RETIRED);
}

static void
make_node_number_twice(void)
{
	fill_party(&add_node(list, 2, "gamma")->party, "gamma", 3);
}

static void
make_node_number_zero(void)
{
	list->nodes[0].number = 0;
}

static void
make_node_name_twice(void)
{
	add_node(list, 3, "alpha");
}

static void
make_node_thumb_twice(void)
{
	memcpy(list->nodes[0].next_thumb, list->nodes[1].party.thumb, 32);
}

static void
make_bad_node_name(void)
{
	strcpy(list->nodes[0].party.name, "al/pha");
}

static void
make_member_twice(void)
{
	add_member(list, 13, "m1", "all");
}

static void
make_member_thumb_twice(void)
{
	add_member(list, 11, "m3", "all");
}

static void
make_renewal_to_the_same(void)
{
	memcpy(list->members[0].next_thumb, list->members[0].party.thumb, 32);
}

static void
make_bad_scope(void)
{
	strcpy(list->members[0].scope, "crm,,hr");
}

static void
make_bad_network_name(void)
{
	strcpy(list->network_name, "mss example");
}

static void
make_bad_address(void)
{
	strcpy(list->address, "mss.example.org");
}

static void
make_bad_policy(void)
{
	list->escrow_policy = 0;
}

static void
make_both_policies(void)
{
	list->escrow_policy = CLV_ESCROW_MODE;
}

static void
make_unknown_policy(void)
{
	list->escrow_policy = CLV_ESCROW_AUTO | 16;
}

static void
make_bad_system_admins(void)
{
	clv_acl_set(&list->system_admins, "ada");
}

static void
make_bad_creators(void)
{
	clv_acl_set(&list->creators, "group:dev,group:dev");
}

static void
make_app_twice(void)
{
	add_app(list, "crm", "", "");
}

static void
make_bad_app_name(void)
{
	strcpy(list->apps[0].name, "c/m");
}

static void
make_app_called_all(void)
{
	strcpy(list->apps[0].name, "all");
}

static void
make_bad_app_admins(void)
{
	clv_acl_set(&list->apps[0].admins, "user:");
}

static void
make_bad_app_users(void)
{
	clv_acl_set(&list->apps[0].users, "unit:crm.socket");
}

static void
make_token_twice(void)
{
	add_token(list, "web1", 1);
	add_token(list, "web1", 2);
}

static void
make_token_key_twice(void)
{
	add_token(list, "web1", 1);
	add_token(list, "web2", 1);
}

static void
make_bad_token_name(void)
{
	add_token(list, "we/b", 1);
}

static void
make_bad_token_scope(void)
{
	strcpy(add_token(list, "web1", 1)->scope, "crm,");
}

static void
make_token_without_a_key(void)
{
	add_token(list, "web1", 0);
}

static const struct {
	void (*make)(void);
	int result;
} wrong[] = {
    {make_token_twice, CLV_E_EXISTS},
    {make_token_key_twice, CLV_E_EXISTS},
    {make_bad_token_name, CLV_E_INVALID},
    {make_bad_token_scope, CLV_E_INVALID},
    {make_token_without_a_key, CLV_E_INVALID},
    {make_two_current, CLV_E_INVALID},
    {make_none_current, CLV_E_INVALID},
    {make_bad_state, CLV_E_INVALID},
    {make_generation_twice, CLV_E_EXISTS},
    {make_node_number_twice, CLV_E_EXISTS},
    {make_node_number_zero, CLV_E_INVALID},
    {make_node_name_twice, CLV_E_EXISTS},
    {make_node_thumb_twice, CLV_E_EXISTS},
    {make_bad_node_name, CLV_E_INVALID},
    {make_member_twice, CLV_E_EXISTS},
    {make_member_thumb_twice, CLV_E_EXISTS},
    {make_renewal_to_the_same, CLV_E_EXISTS},
    {make_bad_scope, CLV_E_INVALID},
    {make_bad_network_name, CLV_E_INVALID},
    {make_bad_address, CLV_E_INVALID},
    {make_bad_policy, CLV_E_INVALID},
    {make_both_policies, CLV_E_INVALID},
    {make_unknown_policy, CLV_E_INVALID},
    {make_bad_system_admins, CLV_E_INVALID},
    {make_bad_creators, CLV_E_INVALID},
    {make_app_twice, CLV_E_EXISTS},
    {make_bad_app_name, CLV_E_INVALID},
    {make_app_called_all, CLV_E_INVALID},
    {make_bad_app_admins, CLV_E_INVALID},
    {make_bad_app_users, CLV_E_INVALID},
};

START_TEST(wrong_list_is_not_signed)
{
	wrong[_i].make();
	ck_assert_int_eq(sign(), wrong[_i].result);
	ck_assert_uint_eq(signed_list.len, 0);
}
END_TEST

START_TEST(node_that_is_also_a_member_is_allowed)
{
	add_member(list, 1, "alpha", "all");
	ck_assert_int_eq(sign(), CLV_OK);
	ck_assert_int_eq(reopen(), CLV_OK);
}
END_TEST

START_TEST(addresses_of_both_families_and_none_are_allowed)
{
	static const char *const good[] = {"", "10.0.0.1", "2001:db8::10"};

	strcpy(list->address, good[_i]);
	ck_assert_int_eq(sign(), CLV_OK);
	ck_assert_int_eq(reopen(), CLV_OK);
}
END_TEST

START_TEST(second_current_generation_is_refused_when_read)
{
	ck_assert_int_eq(sign(), CLV_OK);
	add_generation(list, keyring, 2, CLV_GEN_PENDING);
	ck_assert_int_eq(sign(), CLV_OK);
	ck_assert_int_eq(reopen(), CLV_OK);
	signed_list.data[GEN_AT + 69 + 4] = CLV_GEN_CURRENT;
	ck_assert_int_eq(reopen(), CLV_E_FORMAT);
}
END_TEST

START_TEST(thumbprint_twice_is_refused_when_read)
{
	ck_assert_int_eq(sign(), CLV_OK);
	memcpy(signed_list.data + NODE2_AT + 8 + 64,
	    signed_list.data + NODE_AT + 9 + 64, 32);
	ck_assert_int_eq(reopen(), CLV_E_FORMAT);
}
END_TEST

START_TEST(node_name_twice_is_refused_when_read)
{
	strcpy(list->nodes[1].party.name, "alphb");
	ck_assert_int_eq(sign(), CLV_OK);
	signed_list.data[NODE2_AT + 4 + 4] = 'a';
	ck_assert_int_eq(reopen(), CLV_E_FORMAT);
}
END_TEST

START_TEST(scopes_are_checked)
{
	static const struct {
		const char *scope;
		int result;
	} scopes[] = {
	    {"all", CLV_OK},
	    {"crm", CLV_OK},
	    {"crm,hr,payroll", CLV_OK},
	    {"hr,crm", CLV_OK},
	    {"", CLV_E_INVALID},
	    {",", CLV_E_INVALID},
	    {"crm,", CLV_E_INVALID},
	    {",crm", CLV_E_INVALID},
	    {"crm,,hr", CLV_E_INVALID},
	    {"crm, hr", CLV_E_INVALID},
	    {"crm,crm", CLV_E_INVALID},
	    {"a,b,a", CLV_E_INVALID},
	    {"all,crm", CLV_E_INVALID},
	    {"crm,all", CLV_E_INVALID},
	    {"-x", CLV_E_INVALID},
	    {"a;b", CLV_E_INVALID},
	    {"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"
	     "abcdefghijklm",
		CLV_E_INVALID},
	};

	ck_assert_int_eq(clv_scope_check(scopes[_i].scope), scopes[_i].result);
	ck_assert(clv_scope_has("all", "crm"));
	ck_assert(clv_scope_has("hr,crm", "crm"));
	ck_assert(!clv_scope_has("hr,crm2", "crm"));
}
END_TEST

START_TEST(longest_scope_is_taken_and_one_more_is_not)
{
	char scope[CLV_SCOPE_MAX + 8] = "";
	int i;

	for (i = 0; strlen(scope) + 5 <= CLV_SCOPE_MAX; i++)
		snprintf(scope + strlen(scope), sizeof(scope) - strlen(scope),
		    "%04d,", i);
	scope[strlen(scope) - 1] = '\0';
	ck_assert_int_eq(clv_scope_check(scope), CLV_OK);
	strcat(scope, "x");
	while (strlen(scope) < CLV_SCOPE_MAX)
		strcat(scope, "x");
	ck_assert_int_eq(clv_scope_check(scope), CLV_E_INVALID);
}
END_TEST

START_TEST(applications_are_dropped_and_added_again)
{
	clv_list_drop_app(list, clv_list_app_by_name(list, "crm"));
	ck_assert_uint_eq(list->app_count, 1);
	ck_assert_str_eq(list->apps[0].name, "payroll");
	clv_list_drop_app(list, clv_list_app_by_name(list, "payroll"));
	ck_assert_uint_eq(list->app_count, 0);
	add_app(list, "crm", "", "");
	add_app(list, "hr", "", "");
	add_app(list, "web", "", "");
	clv_list_drop_app(list, clv_list_app_by_name(list, "hr"));
	ck_assert_str_eq(list->apps[1].name, "web");
	ck_assert_int_eq(sign(), CLV_OK);
	ck_assert_int_eq(reopen(), CLV_OK);
}
END_TEST

START_TEST(copy_is_deep)
{
	struct clv_list *copy = NULL;

	ck_assert_int_eq(clv_list_copy(list, &copy), CLV_OK);
	copy->version++;
	copy->nodes[0].revoked = true;
	add_node(copy, 3, "gamma");
	add_member(copy, 13, "m3", "all");
	add_generation(copy, keyring, 2, CLV_GEN_PENDING);
	add_app(copy, "hr", "", "");
	clv_acl_set(&copy->system_admins, "");
	clv_acl_set(&copy->creators, "");
	clv_acl_set(&copy->apps[0].admins, "");
	clv_acl_set(&copy->apps[0].users, "");
	clv_list_drop_app(copy, &copy->apps[1]);
	ck_assert_str_eq(copy->apps[1].name, "hr");
	ck_assert_uint_eq(copy->apps[0].keep, 3);
	ck_assert_str_eq(list->apps[1].name, "payroll");
	ck_assert_str_eq(list->apps[0].admins, "user:ada");
	ck_assert_str_eq(list->apps[0].users, "unit:crm.service");
	ck_assert_str_eq(list->system_admins, "user:ada");
	ck_assert_str_eq(list->creators, "group:dev");
	ck_assert_uint_eq(list->version, 7);
	ck_assert(!list->nodes[0].revoked);
	ck_assert_uint_eq(list->node_count, 2);
	ck_assert_uint_eq(copy->node_count, 3);
	ck_assert_str_eq(copy->nodes[2].party.name, "gamma");
	ck_assert_str_eq(copy->members[1].party.name, "m2");
	clv_list_free(&copy);
}
END_TEST

START_TEST(the_number_of_the_recovery_copy_is_no_nodes)
{
	list->nodes[1].number = CLV_ESCROW_RECOVERY;
	ck_assert_int_eq(sign(), CLV_E_INVALID);
}
END_TEST

/* A list without one stays what every release reads. */
START_TEST(a_recovery_recipient_is_a_format_of_its_own)
{
	struct clv_list *opened = NULL;
	size_t len;

	ck_assert_int_eq(sign(), CLV_OK);
	ck_assert_uint_eq(signed_list.data[1], 1);
	len = signed_list.len;
	ck_assert(!clv_list_has_recovery(list));
	memset(list->recovery_pk, 7, sizeof(list->recovery_pk));
	ck_assert(clv_list_has_recovery(list));
	ck_assert_int_eq(sign(), CLV_OK);
	ck_assert_uint_eq(signed_list.data[1], 3);
	ck_assert_uint_eq(signed_list.len, len + 32);
	ck_assert_int_eq(clv_list_open(signed_list.data, signed_list.len,
			     clv_keyring_sign_pk(keyring), &opened),
	    CLV_OK);
	ck_assert_mem_eq(opened->recovery_pk, list->recovery_pk, 32);
	clv_list_free(&opened);
	memset(signed_list.data + GEN_COUNT_AT, 0, 32);
	ck_assert_int_eq(reopen(), CLV_E_FORMAT);
	list->reencrypt = 1; /* and both together */
	ck_assert_int_eq(sign(), CLV_OK);
	ck_assert_uint_eq(signed_list.data[1], 4);
	ck_assert_uint_eq(signed_list.len, len + 36);
	ck_assert_int_eq(reopen(), CLV_OK);
}
END_TEST

START_TEST(a_certificate_that_was_switched_to_is_a_format_of_its_own)
{
	struct clv_list *opened = NULL;

	list->cert_switched = true;
	ck_assert_int_eq(sign(), CLV_E_INVALID); /* from none */
	memset(list->cert_thumb[1], 5, 32);
	ck_assert_int_eq(sign(), CLV_OK);
	ck_assert_uint_eq(signed_list.data[1], 5);
	ck_assert_int_eq(
	    open_list(signed_list.data, signed_list.len, &opened), CLV_OK);
	ck_assert(opened->cert_switched);
	ck_assert_mem_eq(opened->cert_thumb, list->cert_thumb, 64);
	clv_list_free(&opened);
	memset(list->recovery_pk, 7, sizeof(list->recovery_pk));
	list->reencrypt = 1;
	ck_assert_int_eq(sign(), CLV_OK);
	ck_assert_uint_eq(signed_list.data[1], 8);
	ck_assert_int_eq(
	    open_list(signed_list.data, signed_list.len, &opened), CLV_OK);
	ck_assert(opened->cert_switched && opened->reencrypt == 1);
	clv_list_free(&opened);
}
END_TEST

static struct clv_list *
sign_and_open(unsigned format)
{
	struct clv_list *opened = NULL;

	ck_assert_int_eq(sign(), CLV_OK);
	ck_assert_uint_eq(signed_list.data[1], format);
	ck_assert_int_eq(
	    open_list(signed_list.data, signed_list.len, &opened), CLV_OK);
	ck_assert_uint_eq(opened->lost_generation, list->lost_generation);
	ck_assert_mem_eq(
	    opened->cert_lost, list->cert_lost, sizeof(opened->cert_lost));
	ck_assert(opened->sign_lost == list->sign_lost);
	return opened;
}

/* A list of which nothing is lost stays what every release reads. */
START_TEST(keys_that_a_revoked_host_has_are_a_format_of_their_own)
{
	struct clv_list *opened;
	size_t len;

	memset(list->cert_thumb[0], 4, 32);
	opened = sign_and_open(1);
	len = signed_list.len;
	clv_list_free(&opened);
	list->lost_generation = 1;
	opened = sign_and_open(33);
	ck_assert_uint_eq(signed_list.len, len + 5);
	clv_list_free(&opened);
	list->cert_lost[1] = true;
	ck_assert_int_eq(sign(), CLV_E_INVALID); /* there is none */
	memset(list->cert_thumb[1], 5, 32);
	opened = sign_and_open(33);
	clv_list_free(&opened);
	list->lost_generation = 0;
	list->cert_lost[0] = true;
	list->reencrypt = 1;
	list->cert_switched = true;
	memset(list->recovery_pk, 7, sizeof(list->recovery_pk));
	opened = sign_and_open(40);
	ck_assert(opened->cert_switched && opened->reencrypt == 1);
	clv_list_free(&opened);
	memset(list->cert_thumb[0], 0, 32);
	ck_assert_int_eq(sign(), CLV_E_INVALID);
	list->cert_lost[0] = list->cert_switched = false;
	list->sign_lost = true;
	opened = sign_and_open(36);
	clv_list_free(&opened);
}
END_TEST

START_TEST(signed_nonsense_about_lost_keys_is_refused)
{
	static const uint8_t bad[][5] = {
	    {0, 0, 0, 0, 0}, {0, 0, 0, 0, 8}, {0, 0, 0, 1, 255}};
	static const uint8_t good[][5] = {
	    {0, 0, 0, 0, 1}, {255, 255, 255, 255, 0}, {0, 0, 0, 9, 7}};

	memset(list->cert_thumb, 5, sizeof(list->cert_thumb));
	list->lost_generation = 1;
	for (size_t i = 0; i < 3; i++) {
		ck_assert_int_eq(sign(), CLV_OK);
		memcpy(signed_list.data + GEN_COUNT_AT, good[i], 5);
		ck_assert_int_eq(reopen(), CLV_OK);
		memcpy(signed_list.data + GEN_COUNT_AT, bad[i], 5);
		ck_assert_int_eq(reopen(), CLV_E_FORMAT);
	}
}
END_TEST

static void
require_token(const struct clv_list_token *t, const char *name, uint8_t seed)
{
	ck_assert_ptr_nonnull(t);
	ck_assert_str_eq(t->name, name);
	ck_assert_str_eq(t->scope, "crm");
	ck_assert_uint_eq(t->pk[31], seed);
	ck_assert_uint_eq(t->expires_s, 1000u + seed);
}

/* A list without one stays what every release reads. */
START_TEST(join_tokens_are_a_format_of_their_own)
{
	struct clv_list *opened = NULL, *copy = NULL;
	uint8_t pk[32];
	size_t len;

	ck_assert_int_eq(sign(), CLV_OK);
	len = signed_list.len;
	add_token(list, "web2", 2);
	add_token(list, "web1", 1);
	ck_assert_int_eq(sign(), CLV_OK);
	ck_assert_uint_eq(signed_list.data[1], 9);
	ck_assert_uint_eq(signed_list.len, len + 4 + 2 * (8 + 7 + 32 + 8));
	ck_assert_int_eq(clv_list_open(signed_list.data, signed_list.len,
			     clv_keyring_sign_pk(keyring), &opened),
	    CLV_OK);
	ck_assert_int_eq(clv_list_copy(opened, &copy), CLV_OK);
	clv_list_free(&opened);
	ck_assert_uint_eq(copy->token_count, 2);
	require_token(&copy->tokens[0], "web1", 1);
	memset(pk, 2, sizeof(pk));
	require_token(clv_list_token_by_key(copy, pk), "web2", 2);
	require_token(clv_list_token_by_name(copy, "web2"), "web2", 2);
	pk[0] ^= 1;
	ck_assert_ptr_null(clv_list_token_by_key(copy, pk));
	ck_assert_ptr_null(clv_list_token_by_name(copy, "web3"));
	clv_list_drop_token(copy, &copy->tokens[0]);
	require_token(&copy->tokens[0], "web2", 2);
	clv_list_drop_token(copy, &copy->tokens[0]);
	ck_assert_uint_eq(copy->token_count, 0);
	clv_list_free(&copy);
	list->reencrypt = 1; /* and all together */
	memset(list->recovery_pk, 7, sizeof(list->recovery_pk));
	ck_assert_int_eq(sign(), CLV_OK);
	ck_assert_uint_eq(signed_list.data[1], 12);
	ck_assert_int_eq(reopen(), CLV_OK);
}
END_TEST

START_TEST(every_signed_truncation_of_a_list_with_tokens_is_refused)
{
	size_t n, taken = 0;

	add_token(list, "web1", 1);
	ck_assert_int_eq(sign(), CLV_OK);
	for (n = signed_list.len; signed_list.len-- > CLV_SIG_LEN;)
		taken += reopen() != CLV_E_FORMAT;
	signed_list.len = n;
	ck_assert_uint_eq(taken, 0);
}
END_TEST

#define TOKEN_COUNT_AT ADMINS_AT
#define TOKEN_AT (TOKEN_COUNT_AT + 4)
#define TOKEN_LEN (4 + 4 + 4 + 3 + 32 + 8)
static const struct {
	size_t at;
	uint8_t value;
} token_changes[] = {
    {TOKEN_COUNT_AT + 3, 0},  /* then it is of another format */
    {TOKEN_COUNT_AT + 3, 17}, /* above the maximum */
    {TOKEN_COUNT_AT, 1}, {TOKEN_AT + 4, '.'},
    {TOKEN_AT + 7, '2'},	       /* web2 twice */
    {TOKEN_AT + 7, '3'},	       /* web3 before web2 */
    {TOKEN_AT + 4 + 4 + 4 + 2, ','},   /* scope "cr," */
    {TOKEN_AT + TOKEN_LEN + 15, 0xff}, /* below */
};

START_TEST(signed_nonsense_about_tokens_is_refused)
{
	add_token(list, "web1", 1);
	add_token(list, "web2", 2);
	ck_assert_int_eq(sign(), CLV_OK);
	ck_assert_mem_eq(signed_list.data + TOKEN_AT, "\0\0\0\4web1", 8);
	ck_assert_mem_eq(
	    signed_list.data + TOKEN_AT + TOKEN_LEN, "\0\0\0\4web2", 8);
	if (token_changes[_i].value == 0xff) /* the key of the first one */
		memset(signed_list.data + TOKEN_AT + TOKEN_LEN + 15, 1, 32);
	else
		signed_list.data[token_changes[_i].at] =
		    token_changes[_i].value;
	ck_assert_int_eq(reopen(), CLV_E_FORMAT);
}
END_TEST

START_TEST(tokens_are_bounded)
{
	char name[16];

	for (unsigned i = 0; i < CLV_LIST_TOKENS_MAX; i++) {
		snprintf(name, sizeof(name), "web%u", i);
		add_token(list, name, (uint8_t)(i + 1));
	}
	ck_assert_ptr_null(clv_list_add_token(list));
	ck_assert_int_eq(sign(), CLV_OK);
	ck_assert_int_eq(reopen(), CLV_OK);
}
END_TEST

START_TEST(empty_list_can_be_copied)
{
	struct clv_list *empty = NULL, *copy = NULL;

	ck_assert_int_eq(clv_list_new(&empty), CLV_OK);
	ck_assert_int_eq(clv_list_copy(empty, &copy), CLV_OK);
	ck_assert_ptr_null(copy->nodes);
	clv_list_free(&empty);
	clv_list_free(&copy);
}
END_TEST

START_TEST(arrays_are_bounded_and_keep_their_elements)
{
	char name[16];
	size_t n;

	for (n = list->member_count; n < CLV_LIST_MEMBERS_MAX; n++) {
		struct clv_list_member *m = clv_list_add_member(list);

		if (m == NULL)
			break;
		snprintf(name, sizeof(name), "x%05zu", n);
		fill_party(&m->party, name, 0);
		memcpy(m->party.thumb, &n, sizeof(n));
		strcpy(m->scope, "all");
	}
	ck_assert_uint_eq(list->member_count, CLV_LIST_MEMBERS_MAX);
	ck_assert_ptr_null(clv_list_add_member(list));
	while (list->node_count < CLV_ESCROW_RECOVERY - 1) {
		n = list->node_count + 1;
		snprintf(name, sizeof(name), "n%zu", n);
		add_node(list, (uint8_t)n, name);
	}
	while (list->generation_count < CLV_GENERATIONS_MAX)
		add_generation(list, keyring,
		    (uint32_t)list->generation_count + 1, CLV_GEN_PENDING);
	ck_assert_ptr_null(clv_list_add_generation(list));
	while (list->app_count < CLV_LIST_APPS_MAX) {
		snprintf(name, sizeof(name), "x%zu", list->app_count);
		add_app(list, name, "", "");
	}
	ck_assert_ptr_null(clv_list_add_app(list));
	ck_assert_str_eq(list->apps[1].name, "payroll");
	ck_assert_str_eq(list->members[1].party.name, "m2");
	ck_assert_int_eq(sign(), CLV_OK);
	ck_assert_int_eq(reopen(), CLV_OK);
}
END_TEST

START_TEST(too_long_a_list_is_not_signed)
{
	char name[16], scope[CLV_SCOPE_MAX] = "";
	size_t n;

	for (n = 0; strlen(scope) + 65 < CLV_SCOPE_MAX; n++)
		snprintf(scope + strlen(scope), 66, "%s%064zu",
		    n == 0 ? "" : ",", n);
	for (n = list->member_count; n < CLV_LIST_MEMBERS_MAX; n++) {
		snprintf(name, sizeof(name), "x%05zu", n);
		memset(add_member(list, 0, name, scope)->party.thumb, 0, 32);
	}
	ck_assert_int_eq(sign(), CLV_E_FULL);
}
END_TEST

START_TEST(entries_are_found_by_name_and_number)
{
	ck_assert_ptr_eq(clv_list_node_by_name(list, "beta"), &list->nodes[1]);
	ck_assert_ptr_null(clv_list_node_by_name(list, "m1"));
	ck_assert_ptr_eq(clv_list_node_by_number(list, 1), &list->nodes[0]);
	ck_assert_ptr_null(clv_list_node_by_number(list, 3));
	ck_assert_ptr_eq(
	    clv_list_member_by_name(list, "m2"), &list->members[1]);
	ck_assert_ptr_null(clv_list_member_by_name(list, "m"));
	ck_assert_ptr_eq(clv_list_app_by_name(list, "crm"), &list->apps[0]);
	ck_assert_ptr_null(clv_list_app_by_name(list, "cr"));
	ck_assert_uint_eq(clv_list_current(list)->number, 1);
	ck_assert_ptr_eq(clv_list_generation(list, 1), &list->generations[0]);
	ck_assert_ptr_null(clv_list_generation(list, 2));
}
END_TEST

START_TEST(entries_are_found_by_either_thumbprint)
{
	uint8_t thumb[32];

	memset(list->nodes[1].next_thumb, 77, 32);
	memset(list->members[0].next_thumb, 78, 32);
	list->nodes[1].revoked = true;
	memset(thumb, 2, 32);
	ck_assert_ptr_eq(clv_list_node_by_thumb(list, thumb), &list->nodes[1]);
	ck_assert_ptr_null(clv_list_member_by_thumb(list, thumb));
	memset(thumb, 77, 32);
	ck_assert_ptr_eq(clv_list_node_by_thumb(list, thumb), &list->nodes[1]);
	memset(thumb, 78, 32);
	ck_assert_ptr_eq(
	    clv_list_member_by_thumb(list, thumb), &list->members[0]);
	memset(thumb, 12, 32);
	ck_assert_ptr_eq(
	    clv_list_member_by_thumb(list, thumb), &list->members[1]);
}
END_TEST

START_TEST(zeros_are_nobodys_thumbprint)
{
	static const uint8_t zeros[32];

	ck_assert_ptr_null(clv_list_node_by_thumb(list, zeros));
	ck_assert_ptr_null(clv_list_member_by_thumb(list, zeros));
}
END_TEST

START_TEST(proof_holds_for_the_right_keyring)
{
	ck_assert_int_eq(clv_list_prove(list, keyring), CLV_OK);
}
END_TEST

START_TEST(proof_names_what_is_wrong)
{
	struct clv_keyring *other = new_keyring();

	ck_assert_int_eq(clv_list_prove(list, other), CLV_E_WRONG_SYSTEM);
	clv_keyring_free(&other);
	list->generations[0].commitment[0] ^= 1;
	ck_assert_int_eq(clv_list_prove(list, keyring), CLV_E_DAMAGED);
	list->generations[0].state = CLV_GEN_RETIRED;
	ck_assert_int_eq(clv_list_prove(list, keyring), CLV_E_DAMAGED);
	add_generation(list, keyring, 2, CLV_GEN_CURRENT);
	ck_assert_int_eq(clv_list_prove(list, keyring), CLV_E_STALE);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("list");
	TCase *c = tcase_create("signing_and_opening");
	TCase *b = tcase_create("bad_lists"), *l = tcase_create("looking_up");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_checked_fixture(b, set_up, tear_down);
	tcase_add_checked_fixture(l, set_up, tear_down);
	tcase_add_test(c, opened_list_says_what_was_signed);
	tcase_add_test(
	    c, reencryption_is_asked_for_by_a_list_of_another_format);
	tcase_add_test(c, order_of_adding_does_not_matter);
	tcase_add_test(c, list_is_appended_to_the_buffer);
	tcase_add_test(c, every_changed_byte_breaks_the_signature);
	tcase_add_test(c, list_of_another_system_breaks_the_signature);
	tcase_add_test(c, node_that_is_also_a_member_is_allowed);
	tcase_add_loop_test(
	    c, addresses_of_both_families_and_none_are_allowed, 0, 3);
	tcase_add_test(c, arrays_are_bounded_and_keep_their_elements);
	tcase_add_test(c, too_long_a_list_is_not_signed);
	tcase_add_test(b, offsets_of_the_encoding_are_stable);
	tcase_add_test(b, trailing_byte_is_refused);
	tcase_add_test(b, every_signed_truncation_is_refused);
	tcase_add_loop_test(b, signed_nonsense_is_refused, 0,
	    sizeof(changes) / sizeof(changes[0]));
	tcase_add_loop_test(
	    b, wrong_list_is_not_signed, 0, sizeof(wrong) / sizeof(wrong[0]));
	tcase_add_test(b, second_current_generation_is_refused_when_read);
	tcase_add_test(b, thumbprint_twice_is_refused_when_read);
	tcase_add_test(b, node_name_twice_is_refused_when_read);
	tcase_add_loop_test(b, scopes_are_checked, 0, 17);
	tcase_add_test(b, longest_scope_is_taken_and_one_more_is_not);
	tcase_add_test(l, applications_are_dropped_and_added_again);
	tcase_add_test(l, copy_is_deep);
	tcase_add_test(
	    l, keys_that_a_revoked_host_has_are_a_format_of_their_own);
	tcase_add_test(b, signed_nonsense_about_lost_keys_is_refused);
	tcase_add_test(l, join_tokens_are_a_format_of_their_own);
	tcase_add_test(l, tokens_are_bounded);
	tcase_add_test(
	    b, every_signed_truncation_of_a_list_with_tokens_is_refused);
	tcase_add_loop_test(b, signed_nonsense_about_tokens_is_refused, 0,
	    sizeof(token_changes) / sizeof(token_changes[0]));
	tcase_add_test(l, empty_list_can_be_copied);
	tcase_add_test(l, the_number_of_the_recovery_copy_is_no_nodes);
	tcase_add_test(l, a_recovery_recipient_is_a_format_of_its_own);
	tcase_add_test(
	    l, a_certificate_that_was_switched_to_is_a_format_of_its_own);
	tcase_add_test(l, entries_are_found_by_name_and_number);
	tcase_add_test(l, entries_are_found_by_either_thumbprint);
	tcase_add_test(l, zeros_are_nobodys_thumbprint);
	tcase_add_test(l, proof_holds_for_the_right_keyring);
	tcase_add_test(l, proof_names_what_is_wrong);
	suite_add_tcase(s, c);
	suite_add_tcase(s, b);
	suite_add_tcase(s, l);
	return run_suite(s);
}
