/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UNIT_CORE_H
#define UNIT_CORE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include <claviger/buf.h>
#include <claviger/guard.h>
#include <claviger/keyring.h>
#include <claviger/list.h>
#include <claviger/result.h>

/* What the tests of keyring, identity, list, escrow and wire share. */

static struct clv_guard *guard;

static inline void
set_up_guard(void)
{
	ck_assert_int_eq(clv_guard_new(1 << 18, &guard), CLV_OK);
}

/* Whatever a test made must be given back by it. */
static inline void
tear_down_guard(void)
{
	ck_assert_uint_eq(clv_guard_used(guard), 0);
	clv_guard_free_all(&guard);
}

static inline struct clv_keyring *
new_keyring(void)
{
	struct clv_keyring *k = NULL;

	ck_assert_int_eq(clv_keyring_new(guard, &k), CLV_OK);
	return k;
}

static inline struct clv_identity *
new_identity(const char *name)
{
	struct clv_identity *id = NULL;

	ck_assert_int_eq(clv_identity_new(guard, name, &id), CLV_OK);
	return id;
}

static inline void
fill_party(struct clv_party *p, const char *name, uint8_t seed)
{
	strcpy(p->name, name);
	memset(p->sign_pk, seed, sizeof(p->sign_pk));
	memset(p->box_pk, seed, sizeof(p->box_pk));
	memset(p->thumb, seed, sizeof(p->thumb));
}

static inline void
add_generation(struct clv_list *l, const struct clv_keyring *k, uint32_t number,
    enum clv_generation_state state)
{
	struct clv_list_generation *g = clv_list_add_generation(l);

	ck_assert_ptr_nonnull(g);
	g->number = number;
	g->state = (uint8_t)state;
	clv_keyring_subkey(k, number, CLV_SUBKEY_COMMITMENT, g->commitment);
}

static inline struct clv_list_node *
add_node(struct clv_list *l, uint8_t number, const char *name)
{
	struct clv_list_node *n = clv_list_add_node(l);

	ck_assert_ptr_nonnull(n);
	fill_party(&n->party, name, number);
	n->number = number;
	n->sealed = true;
	return n;
}

static inline struct clv_list_member *
add_member(
    struct clv_list *l, uint8_t seed, const char *name, const char *scope)
{
	struct clv_list_member *m = clv_list_add_member(l);

	ck_assert_ptr_nonnull(m);
	fill_party(&m->party, name, seed);
	strcpy(m->scope, scope);
	return m;
}

static inline struct clv_list_token *
add_token(struct clv_list *l, const char *name, uint8_t seed)
{
	struct clv_list_token *t = clv_list_add_token(l);

	ck_assert_ptr_nonnull(t);
	strcpy(t->name, name);
	strcpy(t->scope, "crm");
	memset(t->pk, seed, sizeof(t->pk));
	t->expires_s = 1000u + seed;
	return t;
}

static inline struct clv_list_app *
add_app(
    struct clv_list *l, const char *name, const char *admins, const char *users)
{
	struct clv_list_app *a = clv_list_add_app(l);

	ck_assert_ptr_nonnull(a);
	strcpy(a->name, name);
	ck_assert_int_eq(clv_acl_set(&a->admins, admins), CLV_OK);
	ck_assert_int_eq(clv_acl_set(&a->users, users), CLV_OK);
	return a;
}

/* Generation 1 current, nodes alpha and beta, members m1 and m2, applications
 * crm and payroll. */
static inline struct clv_list *
new_list(const struct clv_keyring *k)
{
	struct clv_list *l = NULL;

	ck_assert_int_eq(clv_list_new(&l), CLV_OK);
	memcpy(l->system_id, clv_keyring_system_id(k), sizeof(l->system_id));
	l->version = 7;
	l->epoch = 258;
	strcpy(l->network_name, "mss.example.org");
	strcpy(l->address, "192.0.2.10");
	l->port = 8391;
	l->escrow_policy = CLV_ESCROW_AUTO;
	add_generation(l, k, 1, CLV_GEN_CURRENT);
	add_node(l, 1, "alpha");
	add_node(l, 2, "beta");
	add_member(l, 11, "m1", "all");
	add_member(l, 12, "m2", "payroll,crm");
	ck_assert_int_eq(clv_acl_set(&l->system_admins, "user:ada"), CLV_OK);
	ck_assert_int_eq(clv_acl_set(&l->creators, "group:dev"), CLV_OK);
	add_app(l, "crm", "user:ada", "unit:crm.service")->keep = 3;
	add_app(l, "payroll", "", "");
	return l;
}

static inline int
run_suite(Suite *s)
{
	SRunner *run = srunner_create(s);
	int failed;

	srunner_run_all(run, CK_NORMAL);
	failed = srunner_ntests_failed(run);
	srunner_free(run);
	return failed != 0;
}

#endif
