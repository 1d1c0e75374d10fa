/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <claviger/age.h>
#include <claviger/result.h>

#include "daemon/admin/admin_ops.h"

static struct clv_guard *guard;
static struct clv_keyring *keyring;
static struct clv_identity *self, *joiner;
static bool holds[CLV_LIST_NODES_MAX + 1];
static struct admin_change change;
static struct clv_buf args;

static void
set_up(void)
{
	struct clv_list_generation *g;
	struct clv_list_node *n;
	uint8_t key[CLV_KEY_LEN];

	ck_assert_int_ge(sodium_init(), 0);
	ck_assert_int_eq(clv_guard_new(131072, &guard), CLV_OK);
	ck_assert_int_eq(clv_keyring_new(guard, &keyring), CLV_OK);
	ck_assert_int_eq(clv_identity_new(guard, "n1", &self), CLV_OK);
	ck_assert_int_eq(clv_identity_new(guard, "n2", &joiner), CLV_OK);
	memset(&change, 0, sizeof(change));
	memset(holds, 0, sizeof(holds));
	ck_assert_int_eq(clv_list_new(&change.next), CLV_OK);
	change.guard = guard;
	change.keyring = keyring;
	change.holds = holds;
	change.self = 1;
	memcpy(change.next->system_id, clv_keyring_system_id(keyring),
	    CLV_SYSTEM_ID_LEN);
	change.next->version = 2;
	change.next->escrow_policy = CLV_ESCROW_AUTO;
	g = clv_list_add_generation(change.next);
	g->number = 1;
	g->state = CLV_GEN_CURRENT;
	ck_assert_int_eq(clv_keyring_subkey(
			     keyring, 1, CLV_SUBKEY_COMMITMENT, g->commitment),
	    CLV_OK);
	ck_assert_int_eq(
	    clv_keyring_subkey(keyring, 1, CLV_SUBKEY_DISTRIBUTION, key),
	    CLV_OK);
	clv_key_check(key, g->check);
	n = clv_list_add_node(change.next);
	n->number = 1;
	n->sealed = true;
	snprintf(n->party.name, sizeof(n->party.name), "n1");
	memcpy(n->party.sign_pk, self->sign_pk, sizeof(n->party.sign_pk));
	memcpy(n->party.box_pk, self->box_pk, sizeof(n->party.box_pk));
	memset(n->party.thumb, 1, 32);
	clv_buf_init(&args);
	clv_buf_init(&change.escrow);
	clv_buf_init(&change.data);
}

static void
tear_down(void)
{
	clv_buf_fini(&args);
	clv_buf_fini(&change.escrow);
	clv_buf_fini(&change.data);
	clv_keyring_free(&change.new_keyring);
	clv_list_free(&change.next);
	clv_identity_free(&joiner);
	clv_identity_free(&self);
	clv_keyring_free(&keyring);
	clv_guard_free_all(&guard);
}

static int
apply(enum admin_op op)
{
	struct clv_rd r;

	change.op = (uint8_t)op;
	clv_rd_init(&r, args.data, args.len);
	return admin_apply(&change, &r);
}

static void
joins(const struct clv_identity *id)
{
	change.have_party = true;
	memset(&change.party, 0, sizeof(change.party));
	snprintf(change.party.name, sizeof(change.party.name), "%s", id->name);
	memcpy(change.party.sign_pk, id->sign_pk, 32);
	memcpy(change.party.box_pk, id->box_pk, 32);
	memset(change.party.thumb, 2, 32);
}

static void
approve_args(const char *fingerprint)
{
	char text[CLV_FINGERPRINT_TEXT];

	clv_party_fingerprint(&change.party, text);
	clv_buf_str(&args, "n2");
	clv_buf_str(&args, fingerprint != NULL ? fingerprint : text);
}

START_TEST(approve_enrols_and_seals)
{
	struct clv_list_node *n;

	joins(joiner);
	approve_args(NULL);
	ck_assert_int_eq(apply(ADMIN_NODE_APPROVE), CLV_OK);
	n = clv_list_node_by_name(change.next, "n2");
	ck_assert_ptr_nonnull(n);
	ck_assert_uint_eq(n->number, 2);
	ck_assert(n->sealed);
	ck_assert_uint_gt(change.escrow.len, 100);
	ck_assert_str_eq(change.drop_join, "n2");
}
END_TEST

START_TEST(approve_under_policy_manual_seals_nothing)
{
	joins(joiner);
	approve_args(NULL);
	change.next->escrow_policy = CLV_ESCROW_MANUAL;
	ck_assert_int_eq(apply(ADMIN_NODE_APPROVE), CLV_OK);
	ck_assert(!clv_list_node_by_name(change.next, "n2")->sealed);
	ck_assert_uint_eq(change.escrow.len, 0);
}
END_TEST

START_TEST(a_swapped_join_request_is_refused_by_the_fingerprint)
{
	char text[CLV_FINGERPRINT_TEXT];

	joins(joiner);
	clv_party_fingerprint(&change.party, text);
	joins(self); /* somebody put other keys under the same name */
	snprintf(change.party.name, sizeof(change.party.name), "n2");
	approve_args(text);
	ck_assert_int_eq(apply(ADMIN_NODE_APPROVE), CLV_E_FINGERPRINT);
	ck_assert_ptr_null(clv_list_node_by_name(change.next, "n2"));
	ck_assert_uint_eq(change.escrow.len, 0);
}
END_TEST

START_TEST(what_is_said_of_the_longest_name_is_whole)
{
	char name[CLV_NAME_MAX], found[CLV_FINGERPRINT_TEXT];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	joins(joiner);
	clv_buf_str(&args, name);
	clv_buf_str(&args, "0000");
	ck_assert_int_eq(apply(ADMIN_NODE_APPROVE), CLV_E_FINGERPRINT);
	clv_party_fingerprint(&change.party, found);
	ck_assert_ptr_nonnull(strstr(change.text, name));
	ck_assert_ptr_nonnull(strstr(change.text, found));
	ck_assert_ptr_nonnull(strstr(change.text, "changed the request"));
}
END_TEST

START_TEST(a_short_or_empty_fingerprint_is_refused)
{
	joins(joiner);
	approve_args("");
	ck_assert_int_eq(apply(ADMIN_NODE_APPROVE), CLV_E_FINGERPRINT);
}
END_TEST

START_TEST(approve_without_a_request_is_not_found)
{
	approve_args("x");
	ck_assert_int_eq(apply(ADMIN_NODE_APPROVE), CLV_E_NOT_FOUND);
}
END_TEST

START_TEST(an_enrolled_name_with_other_keys_is_refused)
{
	struct clv_list_node *n = clv_list_add_node(change.next);

	n->number = 2;
	snprintf(n->party.name, sizeof(n->party.name), "n2");
	memset(n->party.sign_pk, 9, 32);
	joins(joiner);
	approve_args(NULL);
	ck_assert_int_eq(apply(ADMIN_NODE_APPROVE), CLV_E_EXISTS);
}
END_TEST

START_TEST(a_revoked_name_comes_back_under_a_new_number)
{
	struct clv_list_node *n = clv_list_add_node(change.next);

	n->number = 7;
	n->revoked = true;
	snprintf(n->party.name, sizeof(n->party.name), "n2");
	joins(joiner);
	approve_args(NULL);
	ck_assert_int_eq(apply(ADMIN_NODE_APPROVE), CLV_OK);
	n = clv_list_node_by_name(change.next, "n2");
	ck_assert(!n->revoked);
	ck_assert_uint_eq(n->number, 8);
}
END_TEST

START_TEST(a_node_does_not_revoke_itself)
{
	clv_buf_str(&args, "n1");
	ck_assert_int_eq(apply(ADMIN_NODE_REVOKE), CLV_E_DENIED);
}
END_TEST

static void
member_args(const char *name, uint8_t thumb, const char *scope)
{
	uint8_t b[32];

	clv_buf_reset(&args);
	clv_buf_str(&args, name);
	memset(b, thumb, sizeof(b));
	clv_buf_raw(&args, b, 32);
	clv_buf_raw(&args, joiner->box_pk, 32);
	clv_buf_raw(&args, joiner->sign_pk, 32);
	clv_buf_str(&args, scope);
}

START_TEST(members_are_added_once_and_revoked)
{
	member_args("app1", 5, "all");
	ck_assert_int_eq(apply(ADMIN_MEMBER_ADD), CLV_OK);
	ck_assert_int_eq(apply(ADMIN_MEMBER_ADD), CLV_E_EXISTS);
	member_args("app2", 5, "all");
	ck_assert_int_eq(apply(ADMIN_MEMBER_ADD), CLV_E_EXISTS);
	clv_buf_reset(&args);
	clv_buf_str(&args, "app1");
	ck_assert_int_eq(apply(ADMIN_MEMBER_REVOKE), CLV_OK);
	ck_assert(clv_list_member_by_name(change.next, "app1")->revoked);
	ck_assert(!change.nothing);
	ck_assert_int_eq(apply(ADMIN_MEMBER_REVOKE), CLV_OK);
	ck_assert(change.nothing);
	member_args("app1", 6, "billing,crm");
	ck_assert_int_eq(apply(ADMIN_MEMBER_ADD), CLV_OK);
	ck_assert(!clv_list_member_by_name(change.next, "app1")->revoked);
}
END_TEST

/* Does the changed list show what is asked for? */
static bool
shows(enum admin_op op)
{
	struct clv_rd rd;

	clv_rd_init(&rd, args.data, args.len);
	return admin_is_done(change.next, op, &rd);
}

static void
scope_args(const char *name, const char *scope)
{
	clv_buf_reset(&args);
	clv_buf_str(&args, name);
	clv_buf_str(&args, scope);
}

START_TEST(the_scope_of_a_member_is_changed)
{
	const struct clv_list_member *m;

	member_args("app1", 5, "all");
	ck_assert_int_eq(apply(ADMIN_MEMBER_ADD), CLV_OK);
	scope_args("app1", "billing,crm");
	ck_assert(!shows(ADMIN_MEMBER_SCOPE));
	ck_assert_int_eq(apply(ADMIN_MEMBER_SCOPE), CLV_OK);
	ck_assert(!change.nothing);
	m = clv_list_member_by_name(change.next, "app1");
	ck_assert_str_eq(m->scope, "billing,crm");
	ck_assert(shows(ADMIN_MEMBER_SCOPE));
	ck_assert_int_eq(apply(ADMIN_MEMBER_SCOPE), CLV_OK);
	ck_assert(change.nothing);
	scope_args("app1", "billing,billing");
	ck_assert_int_eq(apply(ADMIN_MEMBER_SCOPE), CLV_E_INVALID);
	scope_args("app2", "all");
	ck_assert_int_eq(apply(ADMIN_MEMBER_SCOPE), CLV_E_NOT_FOUND);
	clv_buf_reset(&args);
	clv_buf_str(&args, "app1");
	ck_assert_int_eq(apply(ADMIN_MEMBER_REVOKE), CLV_OK);
	scope_args("app1", "all");
	ck_assert_int_eq(apply(ADMIN_MEMBER_SCOPE), CLV_E_REVOKED);
	ck_assert(!shows(ADMIN_MEMBER_SCOPE));
}
END_TEST

static const char *const bad_scopes[] = {
    "", ",", "a,", ",a", "a,,b", "all,a", "a b", "../x"};

START_TEST(bad_scopes_are_refused)
{
	member_args("app1", 5, bad_scopes[_i]);
	ck_assert_int_eq(apply(ADMIN_MEMBER_ADD), CLV_E_INVALID);
	ck_assert_uint_eq(change.next->member_count, 0);
}
END_TEST

START_TEST(a_server_node_is_no_second_member)
{
	member_args("n1", 5, "all");
	ck_assert_int_eq(apply(ADMIN_MEMBER_ADD), CLV_E_EXISTS);
}
END_TEST

/* Join tokens. */

static void
token_args(const char *name, const char *scope, uint8_t seed, uint32_t ttl_s)
{
	uint8_t pk[32];

	memset(pk, seed, sizeof(pk));
	clv_buf_reset(&args);
	clv_buf_str(&args, name);
	clv_buf_str(&args, scope);
	clv_buf_raw(&args, pk, sizeof(pk));
	clv_buf_u32(&args, ttl_s);
}

static void
join_args(const char *name, uint8_t seed, uint8_t thumb)
{
	uint8_t bytes[32];

	clv_buf_reset(&args);
	memset(bytes, seed, sizeof(bytes));
	clv_buf_raw(&args, bytes, sizeof(bytes));
	clv_buf_str(&args, name);
	memset(bytes, thumb, sizeof(bytes));
	clv_buf_raw(&args, bytes, sizeof(bytes));
	clv_buf_raw(&args, joiner->box_pk, 32);
	clv_buf_raw(&args, joiner->sign_pk, 32);
}

static void
make_token(const char *name, const char *scope, uint8_t seed)
{
	token_args(name, scope, seed, 3600);
	ck_assert_int_eq(apply(ADMIN_TOKEN_ADD), CLV_OK);
}

START_TEST(a_token_enrols_its_host_once)
{
	const struct clv_list_member *m;
	struct clv_rd r;

	change.now_s = 1000;
	make_token("web1", "payroll,crm", 9);
	ck_assert(shows(ADMIN_TOKEN_ADD));
	clv_rd_init(&r, change.data.data, change.data.len);
	ck_assert_uint_eq(clv_rd_u64(&r), 4600);
	ck_assert_int_eq(clv_rd_end(&r), CLV_OK);
	join_args("web1", 9, 5);
	ck_assert(!shows(ADMIN_MEMBER_JOIN));
	ck_assert_int_eq(apply(ADMIN_MEMBER_JOIN), CLV_OK);
	ck_assert(shows(ADMIN_MEMBER_JOIN));
	m = clv_list_member_by_name(change.next, "web1");
	ck_assert_ptr_nonnull(m);
	ck_assert_str_eq(m->scope, "payroll,crm");
	ck_assert_mem_eq(m->party.sign_pk, joiner->sign_pk, 32);
	ck_assert_mem_eq(m->party.box_pk, joiner->box_pk, 32);
	ck_assert_uint_eq(m->party.thumb[31], 5);
	ck_assert_uint_eq(change.next->token_count, 0);
	join_args("web1", 9, 6); /* another host with the same token */
	ck_assert(!shows(ADMIN_MEMBER_JOIN));
	ck_assert_int_eq(apply(ADMIN_MEMBER_JOIN), CLV_E_DENIED);
	ck_assert_str_eq(change.text,
	    "this join token was used or withdrawn, or has expired");
	ck_assert_uint_eq(change.next->member_count, 1);
}
END_TEST

START_TEST(a_token_is_refused_after_its_end_and_to_others)
{
	change.now_s = 1000;
	make_token("web1", "all", 9);
	join_args("web2", 9, 5);
	ck_assert_int_eq(apply(ADMIN_MEMBER_JOIN), CLV_E_DENIED);
	ck_assert_str_eq(
	    change.text, "this join token is for web1, not for web2");
	join_args("web1", 8, 5);
	ck_assert_int_eq(apply(ADMIN_MEMBER_JOIN), CLV_E_DENIED);
	ck_assert_str_eq(change.text,
	    "this join token was used or withdrawn, or has expired");
	join_args("web1", 9, 5);
	change.now_s = 4600;
	ck_assert_int_eq(apply(ADMIN_MEMBER_JOIN), CLV_E_DENIED);
	ck_assert_str_eq(change.text, "this join token for web1 has expired");
	ck_assert_uint_eq(change.next->member_count, 0);
	change.now_s = 4599;
	ck_assert_int_eq(apply(ADMIN_MEMBER_JOIN), CLV_OK);
}
END_TEST

START_TEST(expired_tokens_go_with_the_next_change)
{
	change.now_s = 1000;
	make_token("web1", "all", 1);
	change.now_s = 2000;
	make_token("web2", "all", 2);
	admin_token_expire(change.next, 4599);
	ck_assert_uint_eq(change.next->token_count, 2);
	admin_token_expire(change.next, 4600);
	ck_assert_uint_eq(change.next->token_count, 1);
	ck_assert_str_eq(change.next->tokens[0].name, "web2");
	change.now_s = 9000;
	make_token("web3", "all", 3);
	ck_assert_uint_eq(change.next->token_count, 1);
	ck_assert_str_eq(change.next->tokens[0].name, "web3");
}
END_TEST

START_TEST(so_many_tokens_may_be_outstanding)
{
	char name[16];

	for (unsigned i = 0; i < CLV_LIST_TOKENS_MAX; i++) {
		snprintf(name, sizeof(name), "web%u", i);
		make_token(name, "all", (uint8_t)(i + 1));
	}
	token_args("more", "all", 99, 3600);
	ck_assert_int_eq(apply(ADMIN_TOKEN_ADD), CLV_E_FULL);
	make_token("web3", "crm", 100); /* in place of the one there is */
	ck_assert_uint_eq(change.next->token_count, CLV_LIST_TOKENS_MAX);
	ck_assert_str_eq(
	    clv_list_token_by_name(change.next, "web3")->scope, "crm");
	join_args("web3", 4, 5);
	ck_assert_int_eq(apply(ADMIN_MEMBER_JOIN), CLV_E_DENIED);
}
END_TEST

START_TEST(a_token_is_withdrawn)
{
	make_token("web1", "all", 9);
	clv_buf_reset(&args);
	clv_buf_str(&args, "web1");
	ck_assert(!shows(ADMIN_TOKEN_DROP));
	ck_assert_int_eq(apply(ADMIN_TOKEN_DROP), CLV_OK);
	ck_assert(shows(ADMIN_TOKEN_DROP));
	ck_assert_int_eq(apply(ADMIN_TOKEN_DROP), CLV_E_NOT_FOUND);
	join_args("web1", 9, 5);
	ck_assert_int_eq(apply(ADMIN_MEMBER_JOIN), CLV_E_DENIED);
}
END_TEST

START_TEST(who_is_enrolled_gets_no_token)
{
	token_args("n1", "all", 9, 3600);
	ck_assert_int_eq(apply(ADMIN_TOKEN_ADD), CLV_E_EXISTS);
	make_token("m1", "all", 9);
	member_args("m1", 7, "payroll"); /* by hand meanwhile */
	ck_assert_int_eq(apply(ADMIN_MEMBER_ADD), CLV_OK);
	ck_assert_uint_eq(change.next->token_count, 0);
	token_args("m1", "all", 9, 3600);
	ck_assert_int_eq(apply(ADMIN_TOKEN_ADD), CLV_E_EXISTS);
	clv_buf_reset(&args);
	clv_buf_str(&args, "m1");
	ck_assert_int_eq(apply(ADMIN_MEMBER_REVOKE), CLV_OK);
	make_token("m1", "crm", 8);
	clv_buf_reset(&args);
	clv_buf_str(&args, "m1");
	ck_assert_int_eq(apply(ADMIN_MEMBER_REVOKE), CLV_OK);
	ck_assert(!change.nothing); /* the token is withdrawn */
	join_args("m1", 8, 7);
	ck_assert_int_eq(apply(ADMIN_MEMBER_JOIN), CLV_E_DENIED);
	make_token("m1", "crm", 9); /* ... and it comes back */
	join_args("m1", 9, 7);
	ck_assert_int_eq(apply(ADMIN_MEMBER_JOIN), CLV_OK);
	ck_assert(!clv_list_member_by_name(change.next, "m1")->revoked);
}
END_TEST

START_TEST(a_token_brings_no_certificate_of_another_member)
{
	member_args("m1", 7, "payroll");
	ck_assert_int_eq(apply(ADMIN_MEMBER_ADD), CLV_OK);
	make_token("web1", "all", 9);
	join_args("web1", 9, 7);
	ck_assert_int_eq(apply(ADMIN_MEMBER_JOIN), CLV_E_EXISTS);
	ck_assert_uint_eq(change.next->token_count, 1);
}
END_TEST

START_TEST(bad_tokens_are_refused)
{
	static const struct {
		const char *name, *scope;
		uint32_t ttl_s;
	} bad[] = {{"we b", "all", 3600}, {"", "all", 3600}, {"web1", "", 3600},
	    {"web1", "all,crm", 3600}, {"web1", "all", 59},
	    {"web1", "all", 7 * 86400 + 1}};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		token_args(bad[i].name, bad[i].scope, 9, bad[i].ttl_s);
		ck_assert_int_eq(apply(ADMIN_TOKEN_ADD), CLV_E_INVALID);
	}
	ck_assert_uint_eq(change.next->token_count, 0);
}
END_TEST

#define RECIPIENT \
	"age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"

static const struct {
	const char *key, *value;
	int result;
} settings[] = {
    {"escrow_policy", "manual", CLV_OK},
    {"escrow_policy", "auto,outside", CLV_OK},
    {"escrow_policy", "manual,none", CLV_OK},
    {"escrow_policy", "none", CLV_E_INVALID},
    {"escrow_policy", "auto,", CLV_E_INVALID},
    {"address", "10.0.0.1", CLV_OK},
    {"address", "2001:db8::1", CLV_OK},
    {"address", "host", CLV_E_INVALID},
    {"port", "8391", CLV_OK},
    {"port", "0", CLV_E_INVALID},
    {"port", "65536", CLV_E_INVALID},
    {"port", "1x", CLV_E_INVALID},
    {"network_name", "mss.example", CLV_OK},
    {"network_name", "", CLV_E_INVALID},
    {"network_name", "a b", CLV_E_INVALID},
    {"colour", "red", CLV_E_INVALID},
    {"recovery_recipient", RECIPIENT, CLV_OK},
    {"recovery_recipient", "", CLV_OK},
    {"recovery_recipient", "age1", CLV_E_INVALID},
    /* the point zero */
    {"recovery_recipient",
	"age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq",
	CLV_E_INVALID},
};

START_TEST(settings_are_checked)
{
	clv_buf_str(&args, settings[_i].key);
	clv_buf_str(&args, settings[_i].value);
	ck_assert_int_eq(apply(ADMIN_SETTING), settings[_i].result);
}
END_TEST

/* The rows that were sealed: u32 length, u8 number, u32 generation, ... */
static bool
is_sealed(uint8_t number, uint32_t generation)
{
	struct clv_rd all, row;
	const uint8_t *p;
	size_t len;

	clv_rd_init(&all, change.escrow.data, change.escrow.len);
	while (all.len > 0) {
		p = clv_rd_bytes(&all, &len);
		clv_rd_init(&row, p, len);
		if (clv_rd_u8(&row) == number && clv_rd_u32(&row) == generation)
			return true;
	}
	return false;
}

static void
set_recovery(void)
{
	clv_buf_str(&args, "recovery_recipient");
	clv_buf_str(&args, RECIPIENT);
	ck_assert_int_eq(apply(ADMIN_SETTING), CLV_OK);
}

START_TEST(the_keyring_is_sealed_to_a_recovery_recipient)
{
	char text[CLV_AGE_RECIPIENT_MAX];
	struct clv_rd rd;

	clv_buf_str(&args, "recovery_recipient");
	clv_buf_str(&args, RECIPIENT);
	clv_rd_init(&rd, args.data, args.len);
	ck_assert(!admin_is_done(change.next, ADMIN_SETTING, &rd));
	clv_buf_reset(&args);
	set_recovery();
	ck_assert_int_eq(
	    clv_age_recipient_format(change.next->recovery_pk, text), CLV_OK);
	ck_assert_str_eq(text, RECIPIENT);
	ck_assert(is_sealed(CLV_ESCROW_RECOVERY, 1));
	ck_assert(!is_sealed(1, 1));
	clv_rd_init(&rd, args.data, args.len);
	ck_assert(admin_is_done(change.next, ADMIN_SETTING, &rd));
}
END_TEST

START_TEST(a_rotation_seals_to_the_recovery_recipient_too)
{
	set_recovery();
	clv_buf_reset(&change.escrow);
	clv_buf_reset(&args);
	ck_assert_int_eq(apply(ADMIN_ROTATE_BEGIN), CLV_OK);
	ck_assert(is_sealed(1, 2));
	ck_assert(is_sealed(CLV_ESCROW_RECOVERY, 2));
}
END_TEST

START_TEST(rotation_makes_seals_and_finishes_a_generation)
{
	struct clv_list_generation *g;

	ck_assert_int_eq(apply(ADMIN_ROTATE_BEGIN), CLV_OK);
	ck_assert_ptr_nonnull(change.new_keyring);
	ck_assert_uint_eq(clv_keyring_newest(change.new_keyring), 2);
	ck_assert_uint_eq(change.next->generation_count, 2);
	ck_assert_uint_gt(change.escrow.len, 100);
	/* Its number is the answer, and no word of the secret. */
	ck_assert_uint_eq(change.data.len, 5);
	ck_assert_uint_eq(change.data.data[3], 2);
	ck_assert_uint_eq(clv_list_current(change.next)->number, 1);
	clv_buf_reset(&args);
	clv_buf_u32(&args, 2);
	clv_buf_str(&args, "/root/backup.age");
	ck_assert_int_eq(apply(ADMIN_ROTATE_FINISH), CLV_OK);
	g = (void *)(uintptr_t)clv_list_current(change.next);
	ck_assert_uint_eq(g->number, 2);
	ck_assert_uint_eq(
	    clv_list_generation(change.next, 1)->state, CLV_GEN_RETIRED);
	ck_assert_int_eq(
	    clv_list_prove(change.next, change.new_keyring), CLV_OK);
	ck_assert_int_eq(clv_list_prove(change.next, keyring), CLV_E_STALE);
}
END_TEST

static int
ask_reencrypt(enum admin_op op, uint32_t generation)
{
	clv_buf_reset(&args);
	clv_buf_u32(&args, generation);
	change.nothing = false;
	return apply(op);
}

START_TEST(reencryption_is_asked_for_before_the_generation_is_current)
{
	ck_assert_int_eq(ask_reencrypt(ADMIN_REENCRYPT, 1), CLV_E_EXISTS);
	ck_assert_ptr_nonnull(strstr(change.text, "too late"));
	ck_assert_int_eq(ask_reencrypt(ADMIN_REENCRYPT, 2), CLV_E_EXISTS);
	clv_buf_reset(&args);
	ck_assert_int_eq(apply(ADMIN_ROTATE_BEGIN), CLV_OK);
	ck_assert_int_eq(ask_reencrypt(ADMIN_REENCRYPT, 1), CLV_E_EXISTS);
	ck_assert_int_eq(ask_reencrypt(ADMIN_REENCRYPT, 2), CLV_OK);
	ck_assert_uint_eq(change.next->reencrypt, 2);
	ck_assert(!change.nothing);
	ck_assert_int_eq(ask_reencrypt(ADMIN_REENCRYPT, 2), CLV_OK);
	ck_assert(change.nothing);
	ck_assert_int_eq(ask_reencrypt(ADMIN_REENCRYPTED, 1), CLV_OK);
	ck_assert(change.nothing); /* that was another one */
	ck_assert_uint_eq(change.next->reencrypt, 2);
	ck_assert_int_eq(ask_reencrypt(ADMIN_REENCRYPTED, 2), CLV_OK);
	ck_assert_uint_eq(change.next->reencrypt, 0);
}
END_TEST

/* By a server that serves: through a state of its own, and never back. */
START_TEST(rotation_is_published_before_it_is_current)
{
	ck_assert_int_eq(apply(ADMIN_ROTATE_BEGIN), CLV_OK);
	clv_buf_reset(&args);
	clv_buf_u32(&args, 2);
	ck_assert_int_eq(apply(ADMIN_ROTATE_CURRENT), CLV_E_NOT_FOUND);
	clv_buf_str(&args, "/root/backup.age");
	change.serves = true;
	for (int i = 0; i < 2; i++) { /* repeated */
		ck_assert_int_eq(apply(ADMIN_ROTATE_FINISH), CLV_OK);
		ck_assert_int_eq(change.nothing, i == 1);
		ck_assert_int_eq(clv_list_generation(change.next, 2)->state,
		    CLV_GEN_PUBLISHED);
		ck_assert_uint_eq(clv_list_current(change.next)->number, 1);
	}
	clv_buf_reset(&args);
	clv_buf_u32(&args, 1);
	ck_assert_int_eq(apply(ADMIN_ROTATE_CURRENT), CLV_E_NOT_FOUND);
	clv_buf_reset(&args);
	clv_buf_u32(&args, 2);
	ck_assert_int_eq(apply(ADMIN_ROTATE_CURRENT), CLV_OK);
	ck_assert_uint_eq(clv_list_current(change.next)->number, 2);
	ck_assert_int_eq(
	    clv_list_generation(change.next, 1)->state, CLV_GEN_RETIRED);
	ck_assert_int_eq(apply(ADMIN_ROTATE_CURRENT), CLV_E_NOT_FOUND);
}
END_TEST

START_TEST(a_generation_that_was_not_begun_is_not_finished)
{
	clv_buf_u32(&args, 2);
	clv_buf_str(&args, "x");
	ck_assert_int_eq(apply(ADMIN_ROTATE_FINISH), CLV_E_NOT_FOUND);
}
END_TEST

static int
ask_cert(enum admin_op op, int byte, int now)
{
	uint8_t thumb[32];

	memset(thumb, byte, sizeof(thumb));
	clv_buf_reset(&args);
	clv_buf_raw(&args, thumb, sizeof(thumb));
	if (op == ADMIN_CERT_NEXT) {
		clv_buf_u8(&args, now != 0);
		clv_buf_bytes(&args, "row", 3);
	}
	change.nothing = false;
	return apply(op);
}

static bool
has_certs(int current, int other, bool switched)
{
	const struct clv_list *l = change.next;

	return l->cert_thumb[0][31] == current &&
	       l->cert_thumb[1][31] == other && l->cert_switched == switched;
}

START_TEST(the_next_certificate_is_published_switched_to_and_dropped)
{
	memset(change.next->cert_thumb[0], 1, 32);
	ck_assert_int_eq(ask_cert(ADMIN_CERT_SWITCH, 2, 0), CLV_E_NOT_FOUND);
	ck_assert_int_eq(ask_cert(ADMIN_CERT_DROP, 1, 0), CLV_E_NOT_FOUND);
	ck_assert_int_eq(ask_cert(ADMIN_CERT_NEXT, 0, 0), CLV_E_INVALID);
	ck_assert_int_eq(ask_cert(ADMIN_CERT_NEXT, 1, 0), CLV_OK);
	ck_assert(change.nothing && has_certs(1, 0, false));
	ck_assert_int_eq(ask_cert(ADMIN_CERT_NEXT, 2, 0), CLV_OK);
	ck_assert(!change.nothing && has_certs(1, 2, false));
	ck_assert(shows(ADMIN_CERT_NEXT) && !shows(ADMIN_CERT_SWITCH));
	clv_buf_reset(&change.data);
	ck_assert_int_eq(ask_cert(ADMIN_CERT_NEXT, 2, 0), CLV_OK);
	ck_assert(change.nothing && change.data.data[0] == 0);
	change.again = true; /* an active server may have begun it */
	clv_buf_reset(&change.data);
	ck_assert_int_eq(ask_cert(ADMIN_CERT_NEXT, 2, 0), CLV_OK);
	ck_assert(change.nothing && change.data.data[0] == 1);
	ck_assert_int_eq(ask_cert(ADMIN_CERT_NEXT, 3, 0), CLV_E_EXISTS);
	ck_assert_int_eq(ask_cert(ADMIN_CERT_DROP, 2, 0), CLV_E_NOT_FOUND);
	ck_assert_int_eq(ask_cert(ADMIN_CERT_SWITCH, 3, 0), CLV_E_NOT_FOUND);
	ck_assert_int_eq(ask_cert(ADMIN_CERT_SWITCH, 2, 0), CLV_OK);
	ck_assert(has_certs(2, 1, true));
	ck_assert(shows(ADMIN_CERT_SWITCH) && shows(ADMIN_CERT_NEXT));
	ck_assert_int_eq(ask_cert(ADMIN_CERT_SWITCH, 1, 0), CLV_E_NOT_FOUND);
	ck_assert_int_eq(ask_cert(ADMIN_CERT_NEXT, 3, 0), CLV_E_BUSY);
	ck_assert_int_eq(ask_cert(ADMIN_CERT_DROP, 2, 0), CLV_E_NOT_FOUND);
	ck_assert_int_eq(ask_cert(ADMIN_CERT_DROP, 1, 0), CLV_OK);
	ck_assert(has_certs(2, 0, false) && shows(ADMIN_CERT_DROP));
}
END_TEST

START_TEST(a_certificate_that_waits_for_nobody_takes_both_places)
{
	memset(change.next->cert_thumb[0], 1, 32);
	ck_assert_int_eq(ask_cert(ADMIN_CERT_NEXT, 2, 0), CLV_OK);
	ck_assert_int_eq(ask_cert(ADMIN_CERT_NEXT, 3, 1), CLV_OK);
	ck_assert(has_certs(3, 0, false) && shows(ADMIN_CERT_NEXT));
	ck_assert_int_eq(ask_cert(ADMIN_CERT_NEXT, 4, 0), CLV_OK);
	ck_assert_int_eq(ask_cert(ADMIN_CERT_SWITCH, 4, 0), CLV_OK);
	ck_assert_int_eq(ask_cert(ADMIN_CERT_NEXT, 5, 1), CLV_OK);
	ck_assert(has_certs(5, 0, false));
}
END_TEST

static void
add_generation(uint32_t number, enum clv_generation_state state)
{
	struct clv_list_generation *g = clv_list_add_generation(change.next);

	g->number = number;
	g->state = (uint8_t)state;
}

static void
name_args(const char *name)
{
	clv_buf_reset(&args);
	clv_buf_str(&args, name);
}

/* Members fetch what is published, and no more. */
START_TEST(a_revoked_member_may_have_what_was_published)
{
	struct clv_list *l = change.next;

	member_args("app1", 5, "crm");
	ck_assert_int_eq(apply(ADMIN_MEMBER_ADD), CLV_OK);
	add_generation(2, CLV_GEN_ESCROWED);
	memset(l->cert_thumb, 7, sizeof(l->cert_thumb));
	name_args("app1");
	ck_assert_int_eq(apply(ADMIN_MEMBER_REVOKE), CLV_OK);
	ck_assert_uint_eq(l->lost_generation, 1);
	ck_assert(!l->cert_lost[0] && !l->cert_lost[1]);
	/* The same again adds nothing. */
	l->generations[1].state = CLV_GEN_PUBLISHED;
	name_args("app1");
	ck_assert_int_eq(apply(ADMIN_MEMBER_REVOKE), CLV_OK);
	ck_assert(change.nothing);
	ck_assert_uint_eq(l->lost_generation, 1);
	member_args("app1", 5, "crm");
	ck_assert_int_eq(apply(ADMIN_MEMBER_ADD), CLV_OK);
	name_args("app1");
	ck_assert_int_eq(apply(ADMIN_MEMBER_REVOKE), CLV_OK);
	ck_assert_uint_eq(l->lost_generation, 2);
}
END_TEST

static void
add_n2(void)
{
	joins(joiner);
	clv_buf_reset(&args);
	approve_args(NULL);
	ck_assert_int_eq(apply(ADMIN_NODE_APPROVE), CLV_OK);
	name_args("n2");
}

START_TEST(a_revoked_node_has_every_generation_and_certificate)
{
	struct clv_list *l = change.next;

	add_n2();
	add_generation(2, CLV_GEN_ESCROWED);
	memset(l->cert_thumb[0], 7, 32);
	name_args("n2");
	ck_assert_int_eq(apply(ADMIN_NODE_REVOKE), CLV_OK);
	ck_assert_uint_eq(l->lost_generation, 2);
	ck_assert(l->cert_lost[0] && !l->cert_lost[1]); /* there is none */
	memset(l->cert_thumb[1], 8, 32);
	name_args("n2");
	ck_assert_int_eq(apply(ADMIN_NODE_REVOKE), CLV_OK);
	ck_assert(change.nothing && !l->cert_lost[1]); /* published since */
	add_n2();
	ck_assert_int_eq(apply(ADMIN_NODE_REVOKE), CLV_OK);
	ck_assert(l->cert_lost[0] && l->cert_lost[1]);
}
END_TEST

START_TEST(a_lost_generation_is_replaced_by_a_newer_one_with_new_data_keys)
{
	struct clv_list *l = change.next;

	l->lost_generation = 2;
	l->reencrypt = 2; /* asked for before it was lost */
	ck_assert_int_eq(ask_reencrypt(ADMIN_REENCRYPTED, 2), CLV_OK);
	ck_assert_uint_eq(l->lost_generation, 2);
	l->reencrypt = 3;
	ck_assert_int_eq(ask_reencrypt(ADMIN_REENCRYPTED, 2), CLV_OK);
	ck_assert_uint_eq(l->lost_generation, 2); /* that was another one */
	ck_assert_int_eq(ask_reencrypt(ADMIN_REENCRYPTED, 3), CLV_OK);
	ck_assert_uint_eq(l->lost_generation, 0);
}
END_TEST

static void
use_new_keyring(void)
{
	clv_keyring_free(&keyring);
	change.keyring = keyring = change.new_keyring;
	change.new_keyring = NULL; /* transferred */
}

static void
announce_key(void)
{
	clv_buf_reset(&args);
	change.hands_over = false;
	ck_assert_int_eq(apply(ADMIN_ROTATE_SIGNING), CLV_OK);
	use_new_keyring();
}

static void
hand_over(uint32_t generation)
{
	clv_buf_reset(&args);
	clv_buf_u32(&args, generation);
	clv_buf_str(&args, "/root/backup.age");
	ck_assert_int_eq(apply(ADMIN_ROTATE_FINISH), CLV_OK);
	ck_assert(change.hands_over);
	use_new_keyring();
	memcpy(change.next->sign_pk, clv_keyring_sign_pk(keyring),
	    CLV_SIGN_PK_LEN);
}

/* What was announced when the node was still there is sealed to it, too. */
START_TEST(a_lost_signing_key_is_replaced_by_one_that_was_made_since)
{
	struct clv_list *l = change.next;

	add_n2();
	announce_key();
	name_args("n2");
	ck_assert_int_eq(apply(ADMIN_NODE_REVOKE), CLV_OK);
	ck_assert(l->sign_lost);
	hand_over(2);
	ck_assert(l->sign_lost);
	announce_key();
	ck_assert(l->sign_lost);
	hand_over(3);
	ck_assert(!l->sign_lost);
}
END_TEST

/* It would be known by its first key no more. */
START_TEST(no_signing_key_follows_the_33rd)
{
	uint8_t first[CLV_SIGN_PK_LEN];
	struct clv_succession *s;

	memcpy(first, clv_keyring_sign_pk(keyring), sizeof(first));
	for (uint32_t i = 2; i < 2 + CLV_SUCCESSIONS_MAX; i++) {
		clv_keyring_add_next(keyring);
		s = clv_list_add_succession(change.next);
		ck_assert_int_eq(clv_succession_make(keyring, 1, s), CLV_OK);
		s->generation = i;
		ck_assert_int_eq(
		    clv_keyring_follow(keyring, s->new_pk), CLV_OK);
	}
	ck_assert_mem_eq(clv_list_first_pk(change.next), first, sizeof(first));
	ck_assert_int_eq(apply(ADMIN_ROTATE_SIGNING), CLV_E_FULL);
	ck_assert_ptr_nonnull(strstr(change.text, "changed 32 times"));
	ck_assert_mem_eq(clv_list_first_pk(change.next), first, sizeof(first));
	clv_keyring_free(&change.new_keyring);
	ck_assert_int_eq(apply(ADMIN_ROTATE_BEGIN), CLV_OK);
}
END_TEST

START_TEST(a_lost_certificate_is_replaced_when_it_is_refused)
{
	struct clv_list *l = change.next;

	memset(l->cert_thumb[0], 1, 32);
	l->cert_lost[0] = true;
	ck_assert_int_eq(ask_cert(ADMIN_CERT_NEXT, 2, 0), CLV_OK);
	ck_assert(l->cert_lost[0] && !l->cert_lost[1]);
	ck_assert_int_eq(ask_cert(ADMIN_CERT_SWITCH, 2, 0), CLV_OK);
	ck_assert(!l->cert_lost[0] && l->cert_lost[1]);
	ck_assert_int_eq(ask_cert(ADMIN_CERT_DROP, 1, 0), CLV_OK);
	ck_assert(!l->cert_lost[0] && !l->cert_lost[1]);
	l->cert_lost[0] = true;
	ck_assert_int_eq(ask_cert(ADMIN_CERT_NEXT, 3, 0), CLV_OK);
	l->cert_lost[1] = true; /* a node is revoked in between */
	ck_assert_int_eq(ask_cert(ADMIN_CERT_SWITCH, 3, 0), CLV_OK);
	ck_assert(l->cert_lost[0] && l->cert_lost[1]);
	ck_assert_int_eq(ask_cert(ADMIN_CERT_NEXT, 4, 1), CLV_OK);
	ck_assert(!l->cert_lost[0] && !l->cert_lost[1]);
	/* before the secret was: the host can open the new one's row, too */
	l->cert_lost[0] = true;
	l->lost_generation = clv_list_current(l)->number;
	ck_assert_int_eq(ask_cert(ADMIN_CERT_NEXT, 5, 1), CLV_OK);
	ck_assert(l->cert_lost[0]);
}
END_TEST

/* As when a member host was made a server node under its old name. */
START_TEST(a_member_of_a_nodes_name_changes_its_own_certificate_alone)
{
	struct clv_list *l = change.next;
	struct clv_list_member *m = clv_list_add_member(l);
	uint8_t was[32], next[32];

	snprintf(
	    m->party.name, sizeof(m->party.name), "%s", l->nodes[0].party.name);
	memset(m->party.thumb, 5, 32);
	memcpy(was, l->nodes[0].party.thumb, 32);
	memset(next, 6, 32);
	for (int i = 0; i < 2; i++) {
		name_args(m->party.name);
		clv_buf_u8(&args, false);
		clv_buf_u8(&args, PARTY_CERT_ONLY);
		clv_buf_raw(&args, i == 0 ? was : m->party.thumb, 32);
		clv_buf_raw(&args, next, 32);
		ck_assert_int_eq(
		    apply(ADMIN_PARTY_CERT), i == 0 ? CLV_E_MISMATCH : CLV_OK);
		ck_assert_mem_eq(l->nodes[0].party.thumb, was, 32);
	}
	ck_assert_mem_eq(m->party.thumb, next, 32);
}
END_TEST

START_TEST(truncated_arguments_break_the_protocol)
{
	const enum admin_op ops[] = {ADMIN_NODE_APPROVE, ADMIN_NODE_REVOKE,
	    ADMIN_MEMBER_ADD, ADMIN_MEMBER_REVOKE, ADMIN_MEMBER_SCOPE,
	    ADMIN_MEMBER_JOIN, ADMIN_TOKEN_ADD, ADMIN_TOKEN_DROP, ADMIN_SETTING,
	    ADMIN_ROTATE_BEGIN, ADMIN_ROTATE_FINISH, ADMIN_ROTATE_CURRENT,
	    ADMIN_REENCRYPT, ADMIN_REENCRYPTED, ADMIN_CERT_NEXT,
	    ADMIN_CERT_SWITCH, ADMIN_CERT_DROP};

	clv_buf_u8(&args, 0);
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		ck_assert_int_eq(apply(ops[i]), CLV_E_PROTOCOL);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("admin_ops");
	TCase *t = tcase_create("changes");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, approve_enrols_and_seals);
	tcase_add_test(t, approve_under_policy_manual_seals_nothing);
	tcase_add_test(t, a_swapped_join_request_is_refused_by_the_fingerprint);
	tcase_add_test(t, what_is_said_of_the_longest_name_is_whole);
	tcase_add_test(t, a_short_or_empty_fingerprint_is_refused);
	tcase_add_test(t, approve_without_a_request_is_not_found);
	tcase_add_test(t, an_enrolled_name_with_other_keys_is_refused);
	tcase_add_test(t, a_revoked_name_comes_back_under_a_new_number);
	tcase_add_test(t, a_node_does_not_revoke_itself);
	tcase_add_test(t, members_are_added_once_and_revoked);
	tcase_add_test(t, a_revoked_member_may_have_what_was_published);
	tcase_add_test(t, a_revoked_node_has_every_generation_and_certificate);
	tcase_add_test(
	    t, a_lost_generation_is_replaced_by_a_newer_one_with_new_data_keys);
	tcase_add_test(
	    t, a_lost_signing_key_is_replaced_by_one_that_was_made_since);
	tcase_add_test(t, no_signing_key_follows_the_33rd);
	tcase_add_test(t, a_lost_certificate_is_replaced_when_it_is_refused);
	tcase_add_test(t, the_scope_of_a_member_is_changed);
	tcase_add_loop_test(t, bad_scopes_are_refused, 0,
	    sizeof(bad_scopes) / sizeof(bad_scopes[0]));
	tcase_add_test(t, a_server_node_is_no_second_member);
	tcase_add_test(t, a_token_enrols_its_host_once);
	tcase_add_test(t, a_token_is_refused_after_its_end_and_to_others);
	tcase_add_test(t, expired_tokens_go_with_the_next_change);
	tcase_add_test(t, so_many_tokens_may_be_outstanding);
	tcase_add_test(t, a_token_is_withdrawn);
	tcase_add_test(t, who_is_enrolled_gets_no_token);
	tcase_add_test(t, a_token_brings_no_certificate_of_another_member);
	tcase_add_test(t, bad_tokens_are_refused);
	tcase_add_loop_test(
	    t, settings_are_checked, 0, sizeof(settings) / sizeof(settings[0]));
	tcase_add_test(t, the_keyring_is_sealed_to_a_recovery_recipient);
	tcase_add_test(t, a_rotation_seals_to_the_recovery_recipient_too);
	tcase_add_test(t, rotation_makes_seals_and_finishes_a_generation);
	tcase_add_test(
	    t, reencryption_is_asked_for_before_the_generation_is_current);
	tcase_add_test(t, rotation_is_published_before_it_is_current);
	tcase_add_test(t, a_generation_that_was_not_begun_is_not_finished);
	tcase_add_test(
	    t, the_next_certificate_is_published_switched_to_and_dropped);
	tcase_add_test(
	    t, a_certificate_that_waits_for_nobody_takes_both_places);
	tcase_add_test(
	    t, a_member_of_a_nodes_name_changes_its_own_certificate_alone);
	tcase_add_test(t, truncated_arguments_break_the_protocol);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
