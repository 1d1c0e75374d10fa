/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/keeper/heads.h"
#include "daemon/keeper/members_live.h"
#include "keeper_rig.h"

/* What the server tells its members, and what they tell it. */

static void
set_up(void)
{
	rig_init(3);
	for (unsigned i = 0; i < 3; i++)
		rig_up(i);
	rig_run(100);
	ck_assert_int_eq(rig_promote(0), CLV_OK);
	rig_run(100);
}

static void
admin_ok(struct clv_buf *b)
{
	ck_assert_int_eq(rig_ask(0, b, 30000), CLV_OK);
}

static void
add_app(uint8_t id, const char *name)
{
	struct clv_buf b;

	rig_admin_begin(&b, ADMIN_APP_ADD, id);
	clv_buf_str(&b, name);
	clv_buf_str(&b, "user:ada");
	clv_buf_str(&b, "group:staff");
	clv_buf_u32(&b, 5);
	admin_ok(&b);
}

static void
set_up_apps(void)
{
	set_up();
	add_app(1, "payroll");
	add_app(2, "crm");
}

/* The answer to a question of this host. */
static const struct clv_wire_answer *
ask_with(
    const struct clv_identity *id, uint8_t op, const void *payload, size_t len)
{
	struct clv_wire_request q = {
	    .op = op, .payload = payload, .payload_len = len};
	unsigned had = rig.node[0].answers;

	rig_request(0, id, NULL, &q);
	rig_settle();
	ck_assert_uint_eq(rig.node[0].answers, had + 1);
	ck_assert_int_eq(
	    clv_wire_answer_match(&rig.node[0].answer, &q), CLV_OK);
	return &rig.node[0].answer;
}

static int
fetch(const struct clv_identity *id, uint32_t generation, uint64_t version)
{
	const struct clv_wire_holds holds = {generation, version};
	struct clv_buf b;
	int r;

	clv_buf_init(&b);
	clv_wire_holds_format(&holds, &b);
	r = ask_with(id, CLV_WIRE_FETCH, b.data, b.len)->result;
	clv_buf_fini(&b);
	return r;
}

/* ---- keys ---- */

/* What is sealed in the answer to a FETCH of this member. */
static void
sealed_to(unsigned member, struct clv_buf *ret)
{
	const struct clv_wire_answer *a = &rig.node[0].answer;

	clv_buf_init(ret);
	ck_assert_int_eq(fetch(rig.member[member], 1, 1), CLV_OK);
	clv_buf_raw(ret, a->payload, a->payload_len);
	ck_assert_uint_gt(ret->len, 0);
}

static bool
is_sealed_anew(const struct clv_buf *before)
{
	struct clv_buf b;
	bool same;

	sealed_to(0, &b);
	same = b.len == before->len && memcmp(b.data, before->data, b.len) == 0;
	clv_buf_fini(&b);
	return !same;
}

/* With the number of applications whose keys are in it. */
static size_t
opened(const struct clv_buf *sealed)
{
	struct clv_guard *guard = rig.member[0]->guard;
	struct clv_wire_terms terms;
	struct clv_wire_key *keys;
	size_t n;

	ck_assert_int_eq(clv_wire_keys_open(guard, rig.member[0], sealed->data,
			     sealed->len, &terms, &keys, &n),
	    CLV_OK);
	clv_guard_put(guard, keys);
	return n;
}

static void
set_scope(uint8_t id, const char *scope)
{
	const struct clv_identity *m = rig.member[0];
	uint8_t thumb[32];
	struct clv_buf b;

	rig_named(&b, ADMIN_MEMBER_REVOKE, id, m->name);
	admin_ok(&b);
	rig_thumb(m, thumb);
	rig_named(&b, ADMIN_MEMBER_ADD, id + 1, m->name);
	clv_buf_raw(&b, thumb, 32);
	clv_buf_raw(&b, m->box_pk, 32);
	clv_buf_raw(&b, m->sign_pk, 32);
	clv_buf_str(&b, scope);
	admin_ok(&b);
}

START_TEST(keys_are_sealed_once_for_what_a_member_may_have)
{
	struct clv_buf before, b;

	sealed_to(0, &before);
	ck_assert_uint_eq(opened(&before), 1);
	ck_assert(!is_sealed_anew(&before));
	sealed_to(1, &b);
	clv_buf_fini(&b);
	add_app(1, "payroll"); /* another list, the same keys */
	ck_assert(!is_sealed_anew(&before));
	set_scope(2, "crm,payroll");
	ck_assert(is_sealed_anew(&before));
	clv_buf_fini(&before);
	sealed_to(0, &before);
	ck_assert_uint_eq(opened(&before), 2);
	clv_buf_fini(&before);
}
END_TEST

START_TEST(what_was_sealed_is_forgotten_with_the_role)
{
	struct clv_buf before;

	sealed_to(0, &before);
	rig_ctl(0, CTL_DEMOTE, NULL, 0);
	rig_run(100);
	ck_assert_int_eq(rig_promote(0), CLV_OK);
	rig_run(100);
	ck_assert(is_sealed_anew(&before));
	clv_buf_fini(&before);
}
END_TEST

/* ---- who has what ---- */

static const struct member_live *
live(const char *name)
{
	return members_live_find(rig_keeper(0)->live, name);
}

START_TEST(what_a_member_says_that_it_holds_is_noted)
{
	ck_assert_int_eq(fetch(rig.member[0], 1, 1), CLV_OK);
	ck_assert_ptr_nonnull(live("m1"));
	ck_assert_uint_eq(live("m1")->generation, 1);
	ck_assert_uint_eq(live("m1")->list_version, 1);
	ck_assert_uint_eq(live("m1")->heard_ms, rig.now);
	rig_run(5000);
	ck_assert_int_eq(fetch(rig.member[0], 2, 7), CLV_OK);
	ck_assert_uint_eq(live("m1")->generation, 2);
	ck_assert_uint_eq(live("m1")->list_version, 7);
	ck_assert_uint_eq(live("m1")->heard_ms, rig.now);
	/* a server node is a member too */
	ck_assert_int_eq(fetch(rig.node[1].id, 1, 1), CLV_OK);
	ck_assert_ptr_nonnull(live("n2"));
}
END_TEST

START_TEST(who_holds_nothing_or_is_refused_is_not_noted)
{
	struct clv_wire_request q = {.op = CLV_WIRE_FETCH,
	    .payload = (const uint8_t *)"\0\0\0\1\0\0\0\0\0\0\0\1",
	    .payload_len = 12};
	uint8_t thumb[32] = {9};

	ck_assert_int_eq(fetch(rig.member[0], 0, 0), CLV_OK);
	rig_request(0, rig.member[0], thumb, &q);
	rig_settle();
	ck_assert_int_eq(rig.node[0].answer.result, CLV_E_UNKNOWN_PEER);
	ck_assert_int_eq(
	    ask_with(rig.member[0], CLV_WIRE_FETCH, "short", 5)->result,
	    CLV_E_FORMAT);
	ck_assert_uint_eq(rig.node[0].answer.payload_len, 0);
	ck_assert_ptr_null(members_live_next(rig_keeper(0)->live, ""));
}
END_TEST

START_TEST(revoked_member_is_forgotten)
{
	struct clv_buf b;

	fetch(rig.member[0], 1, 1);
	fetch(rig.member[1], 1, 1);
	rig_named(&b, ADMIN_MEMBER_REVOKE, 1, "m1");
	admin_ok(&b);
	ck_assert_ptr_null(live("m1"));
	ck_assert_ptr_nonnull(live("m2"));
}
END_TEST

/* Pages of ADMIN_MEMBERS_STATE after that name, until the last one. */
static uint8_t live_now;
static uint64_t age_ms;

static unsigned
list_members(unsigned i, const char *from, char last[static CLV_NAME_MAX])
{
	char after[CLV_NAME_MAX], text[256], late[512];
	struct clv_buf b;
	struct clv_rd r;
	const uint8_t *p;
	unsigned n = 0;
	bool more = true;
	size_t len;
	int c;

	snprintf(after, sizeof(after), "%s", from);
	while (more) {
		rig_admin_begin(&b, ADMIN_MEMBERS_STATE, 9);
		clv_buf_str(&b, after);
		c = rig_admin(i, &b);
		clv_buf_fini(&b);
		rig_settle();
		ck_assert_int_eq(
		    rig_admin_result(i, c, text, sizeof(text)), CLV_OK);
		clv_rd_init(
		    &r, rig.node[i].conns[c].body, rig.node[i].conns[c].len);
		clv_rd_u32(&r);
		clv_rd_str(&r, text, sizeof(text));
		clv_rd_str(&r, late, sizeof(late));
		p = clv_rd_bytes(&r, &len);
		ck_assert_int_eq(clv_rd_end(&r), CLV_OK);
		clv_rd_init(&r, p, len);
		more = clv_rd_u8(&r) != 0;
		for (uint32_t left = clv_rd_u32(&r); left > 0; left--, n++) {
			clv_rd_str(&r, last, CLV_NAME_MAX);
			ck_assert_int_gt(strcmp(last, after), 0);
			snprintf(after, sizeof(after), "%s", last);
			ck_assert_uint_eq(clv_rd_u8(&r), live_now);
			ck_assert_uint_eq(clv_rd_u64(&r), age_ms);
			ck_assert_uint_eq(clv_rd_u32(&r), 1);
			ck_assert_uint_eq(clv_rd_u64(&r), 3);
		}
		ck_assert_int_eq(clv_rd_end(&r), CLV_OK);
		rig_hang_up(i, c);
	}
	return n;
}

START_TEST(members_are_listed_with_what_they_hold)
{
	char last[CLV_NAME_MAX] = "";

	ck_assert_uint_eq(list_members(0, "", last), 0);
	fetch(rig.member[0], 1, 3);
	fetch(rig.member[1], 1, 3);
	live_now = 1;
	age_ms = MEMBERS_LIVE_MS;
	rig_run(age_ms);
	ck_assert_uint_eq(list_members(0, "", last), 2);
	ck_assert_str_eq(last, "m2");
	ck_assert_uint_eq(list_members(0, "m1", last), 1);
	ck_assert_uint_eq(list_members(0, "m2", last), 0);
	live_now = 0;
	rig_run(1);
	age_ms++;
	ck_assert_uint_eq(list_members(0, "m1", last), 1);
}
END_TEST

/* Fetch over the connection of that number. */
static void
comes_by(uint64_t conn)
{
	uint64_t newest = rig.conns;

	rig.conns = conn - 1;
	ck_assert_int_eq(fetch(rig.member[0], 1, 3), CLV_OK);
	if (newest > conn)
		rig.conns = newest;
}

static bool
is_twice(void)
{
	return members_live_is_twice(live("m1"), rig.now);
}

START_TEST(two_hosts_of_one_identity_are_seen)
{
	uint64_t first = rig.conns + 1, second = first + 1;
	char last[CLV_NAME_MAX];

	rig_run(1000);
	comes_by(first);
	comes_by(first);
	comes_by(second);
	ck_assert(!is_twice());
	comes_by(first); /* that may have lain there */
	comes_by(second);
	ck_assert(!is_twice());
	rig.log[0] = '\0';
	comes_by(first);
	ck_assert(is_twice());
	ck_assert_ptr_nonnull(strstr(rig.log, "m1 is there twice"));
	live_now = 2;
	age_ms = 0;
	ck_assert_uint_eq(list_members(0, "", last), 1);
	/* said once, and true as long as both come */
	rig.log[0] = '\0';
	for (unsigned i = 0; i < 5; i++) {
		rig_run(30000);
		comes_by(second);
		rig_run(30000);
		comes_by(first);
		ck_assert(is_twice());
	}
	ck_assert_str_eq(rig.log, "");
	for (unsigned i = 0; i < 3; i++) {
		rig_run(60000);
		comes_by(second);
	}
	ck_assert(!is_twice());
}
END_TEST

START_TEST(a_host_that_connects_anew_is_one)
{
	for (unsigned i = 0; i < 10; i++) {
		uint64_t old = rig.conns + 1;

		comes_by(old);
		comes_by(old + 1);
		comes_by(old);
		ck_assert(!is_twice());
	}
}
END_TEST

START_TEST(very_many_members_come_in_pages)
{
	struct member_live m = {
	    .heard_ms = rig.now - 1500, .generation = 1, .list_version = 3};
	char last[CLV_NAME_MAX];

	live_now = 1;
	age_ms = 1500;
	for (int i = 0; i < 3000; i++) {
		snprintf(m.name, sizeof(m.name), "host-%04d.example.org",
		    i * 7 % 3000);
		ck_assert_int_eq(
		    members_live_heard(rig_keeper(0)->live, &m), CLV_OK);
	}
	ck_assert_uint_eq(list_members(0, "", last), 3000);
	ck_assert_str_eq(last, "host-2999.example.org");
}
END_TEST

START_TEST(only_the_active_server_lists_members)
{
	struct clv_buf b;
	char text[256];
	int c;

	rig_admin_begin(&b, ADMIN_MEMBERS_STATE, 9);
	clv_buf_str(&b, "");
	c = rig_admin(1, &b);
	clv_buf_fini(&b);
	rig_settle();
	ck_assert_int_eq(
	    rig_admin_result(1, c, text, sizeof(text)), CLV_E_NOT_ACTIVE);
	rig_admin_begin(&b, ADMIN_MEMBERS_STATE, 9);
	c = rig_admin(0, &b);
	clv_buf_fini(&b);
	rig_settle();
	ck_assert_int_eq(
	    rig_admin_result(0, c, text, sizeof(text)), CLV_E_PROTOCOL);
}
END_TEST

START_TEST(only_live_members_are_late)
{
	struct members_live *m = NULL;
	struct member_live said = {.heard_ms = 1000};
	const uint64_t now = 1000 + MEMBERS_LIVE_MS;
	char names[32];

	ck_assert_int_eq(members_live_new(&m), CLV_OK);
	ck_assert_uint_eq(
	    members_live_late(m, now, 1, 1, names, sizeof(names)), 0);
	ck_assert_str_eq(names, "");
	for (int i = 0; i < 4; i++) {
		snprintf(said.name, sizeof(said.name), "host%d", i);
		said.generation = i < 2 ? 1 : 2;
		said.list_version = i < 3 ? 7 : 8;
		said.heard_ms = 1000 + (uint64_t)i;
		members_live_heard(m, &said);
	}
	ck_assert_uint_eq(
	    members_live_late(m, now, 8, 2, names, sizeof(names)), 3);
	ck_assert_str_eq(names, "host0, host1, host2");
	ck_assert_uint_eq(
	    members_live_late(m, now + 1, 8, 2, names, sizeof(names)), 2);
	ck_assert_str_eq(names, "host1, host2");
	ck_assert_uint_eq(
	    members_live_late(m, now, 0, 2, names, sizeof(names)), 2);
	ck_assert_uint_eq(
	    members_live_late(m, now, 7, 1, names, sizeof(names)), 0);
	ck_assert_uint_eq(members_live_count(m, now), 4);
	ck_assert_uint_eq(members_live_count(m, now + 2), 2);
	ck_assert_uint_eq(members_live_late(m, now, 9, 2, names, 8), 4);
	ck_assert_str_eq(names, "host0, ");
	members_live_free(&m);
	ck_assert_ptr_null(m);
}
END_TEST

/* ---- applications ---- */

static uint32_t
apps_of(const struct clv_identity *id, const char *after,
    struct clv_wire_app *ret_first)
{
	const struct clv_wire_answer *a;
	struct clv_wire_apps apps;
	struct clv_buf b;
	uint32_t n;

	clv_buf_init(&b);
	clv_buf_str(&b, after);
	a = ask_with(id, CLV_WIRE_APPS, b.data, b.len);
	clv_buf_fini(&b);
	ck_assert_int_eq(a->result, CLV_OK);
	ck_assert_int_eq(
	    clv_wire_apps_parse(a->payload, a->payload_len, after, &apps),
	    CLV_OK);
	n = apps.left;
	clv_wire_apps_next(&apps, ret_first);
	return n;
}

START_TEST(members_are_told_who_may_what_in_their_scope)
{
	struct clv_wire_app a;

	ck_assert_uint_eq(apps_of(rig.member[0], "", &a), 2);
	ck_assert_str_eq(a.name, "crm");
	ck_assert_uint_eq(apps_of(rig.member[1], "", &a), 1);
	ck_assert_str_eq(a.name, "payroll");
	ck_assert_str_eq(a.admins, "user:ada");
	ck_assert_str_eq(a.users, "group:staff");
	ck_assert_uint_eq(a.keep, 5);
	ck_assert_uint_eq(apps_of(rig.member[0], "crm", &a), 1);
	ck_assert_str_eq(a.name, "payroll");
	ck_assert_uint_eq(apps_of(rig.node[2].id, "", &a), 2);
	ck_assert_int_eq(
	    ask_with(rig.member[0], CLV_WIRE_APPS, "no", 2)->result,
	    CLV_E_PROTOCOL);
}
END_TEST

/* ---- heads ---- */

/* Tell and ask; what comes back, zeros: nothing. */
static struct clv_head
head_of(
    const struct clv_identity *id, const char *app, const struct clv_head *said)
{
	struct clv_wire_head h = {.head = *said};
	struct clv_wire_head got[CLV_WIRE_HEADS_MAX];
	const struct clv_wire_answer *a;
	struct clv_buf b;
	size_t n;

	snprintf(h.app, sizeof(h.app), "%s", app);
	clv_buf_init(&b);
	ck_assert_int_eq(clv_wire_heads_format(&h, 1, &b), CLV_OK);
	a = ask_with(id, CLV_WIRE_HEADS, b.data, b.len);
	clv_buf_fini(&b);
	ck_assert_int_eq(a->result, CLV_OK);
	ck_assert_int_eq(
	    clv_wire_heads_parse(a->payload, a->payload_len, got, &n), CLV_OK);
	ck_assert_uint_le(n, 1);
	if (n == 0)
		return (struct clv_head){0};
	ck_assert_str_eq(got[0].app, app);
	return got[0].head;
}

/* The counter alone. */
static uint64_t
head(const struct clv_identity *id, const char *app, uint64_t counter)
{
	const struct clv_head said = {.counter = counter};

	return head_of(id, app, &said).counter;
}

/* What the node says why it is not all right. */
static const char *
reason(void)
{
	static char text[256];

	serving_reason(rig_keeper(0), text, sizeof(text));
	return text;
}

/* The database has come so far, and the server looks when it can. */
static void
database_has(const char *app, uint64_t counter)
{
	rig_db_app(app)->counter = counter;
	rig_run(2 * KEEPER_POLL_MS);
}

START_TEST(head_is_handed_out_when_the_server_has_verified_it)
{
	/* of its own making */
	ck_assert_uint_eq(head(rig.member[0], "payroll", 0), 1);
	ck_assert_uint_eq(head(rig.member[1], "payroll", 7), 1);
	ck_assert_uint_eq(head(rig.member[0], "payroll", 0), 1);
	database_has("payroll", 7);
	ck_assert_uint_eq(head(rig.member[0], "payroll", 0), 7);
	ck_assert_uint_eq(head(rig.node[1].id, "payroll", 5), 7);
	ck_assert_int_eq(
	    ask_with(rig.member[0], CLV_WIRE_HEADS, "no", 2)->result,
	    CLV_E_FORMAT);
}
END_TEST

/* It would keep all others from what the application really has. */
START_TEST(head_that_nobody_can_reach_is_not_handed_out)
{
	head(rig.member[1], "payroll", CLV_WIRE_COUNTER_MAX);
	head(rig.member[0], "payroll", 4);
	database_has("payroll", 4);
	ck_assert_uint_eq(head(rig.member[0], "payroll", 0), 4);
	ck_assert_ptr_nonnull(
	    strstr(reason(), "m2 says that it has seen a newer state of "
			     "application payroll"));
	ck_assert_ptr_nonnull(strstr(rig.log, "m2 says that it has seen"));
	/* until it says something else */
	head(rig.member[1], "payroll", 4);
	head(rig.member[1], "payroll", 5);
	database_has("payroll", 5);
	ck_assert_str_eq(reason(), "");
	ck_assert_uint_eq(head(rig.member[0], "payroll", 0), 5);
}
END_TEST

START_TEST(revoked_member_accuses_nobody)
{
	struct clv_buf b;

	head(rig.member[1], "payroll", 900);
	rig_run(2 * KEEPER_POLL_MS);
	ck_assert_str_ne(reason(), "");
	rig_named(&b, ADMIN_MEMBER_REVOKE, 9, "m2");
	admin_ok(&b);
	rig_run(130000);
	ck_assert_str_eq(reason(), "");
}
END_TEST

START_TEST(heads_of_others_applications_are_not_believed)
{
	head(rig.member[1], "crm", 99);
	head(rig.member[0], "none", 99);
	database_has("crm", 99);
	ck_assert_uint_eq(head(rig.member[1], "crm", 0), 0);
	ck_assert_uint_eq(head(rig.member[0], "crm", 0), 1);
	/* of no application that there is */
	ck_assert_uint_eq(head(rig.member[0], "none", 0), 0);
	ck_assert_uint_eq(heads_get(rig_keeper(0)->heads, "none"), 0);
	ck_assert_str_eq(reason(), "");
}
END_TEST

START_TEST(heads_outlive_the_server)
{
	head(rig.member[0], "payroll", 7);
	database_has("payroll", 7);
	rig_run(KEEPER_HEADS_MS);
	ck_assert_uint_gt(rig.node[0].heads[0].len, 0);
	ck_assert_uint_gt(rig.node[0].heads[1].len, 0);
	clv_buf_reset(&rig.node[0].heads[0]); /* one copy is enough */
	rig_kill(0);
	rig_up(0);
	ck_assert_uint_eq(heads_get(rig_keeper(0)->heads, "payroll"), 7);
}
END_TEST

START_TEST(database_that_went_back_is_found_without_a_read)
{
	head(rig.member[1], "payroll", 7);
	database_has("payroll", 7);
	rig_run(130000);
	ck_assert_str_eq(reason(), "");
	rig_db_app("payroll")->counter = 6;
	rig_run(65000);
	ck_assert_ptr_nonnull(strstr(reason(), "application payroll"));
	ck_assert_ptr_nonnull(strstr(rig.log, "counter 6 there, 7 was seen"));
	rig_db_app("payroll")->counter = 8;
	rig_run(65000);
	ck_assert_str_eq(reason(), "");
	/* What the database says by itself is compared, and not learned. */
	ck_assert_uint_eq(head(rig.member[1], "payroll", 0), 7);
}
END_TEST

START_TEST(application_that_the_database_lost_is_found)
{
	head(rig.member[0], "crm", 3);
	head(rig.member[0], "payroll", 3);
	rig_db_app("crm")->counter = rig_db_app("payroll")->counter = 3;
	rig_run(65000);
	ck_assert_str_eq(reason(), "");
	memset(rig_db_app("payroll"), 0, sizeof(struct rig_app));
	rig_run(65000);
	ck_assert_ptr_nonnull(strstr(reason(), "application payroll"));
}
END_TEST

/* What went with an older database, and was then removed, is missed no more. */
START_TEST(application_that_was_lost_and_removed_is_no_alarm)
{
	struct clv_buf b;

	head(rig.member[0], "payroll", 3);
	rig_db_app("payroll")->counter = 3;
	rig_run(65000);
	memset(rig_db_app("payroll"), 0, sizeof(struct rig_app));
	rig_run(65000);
	ck_assert_str_ne(reason(), "");
	rig_run(KEEPER_HEADS_MS);
	rig_named(&b, ADMIN_APP_REMOVE, 3, "payroll");
	admin_ok(&b);
	ck_assert_str_eq(reason(), "");
	rig.log[0] = '\0';
	rig_kill(0); /* it knows from its file what was seen */
	rig_up(0);
	rig_run(30000);
	ck_assert_int_eq(rig_promote(0), CLV_OK);
	rig_run(130000);
	ck_assert_uint_eq(heads_get(rig_keeper(0)->heads, "payroll"), 3);
	ck_assert_str_eq(reason(), "");
	ck_assert_ptr_null(strstr(rig.log, "is older than what was seen"));
}
END_TEST

/* ---- it stays as it is: claviger restore --accept-rollback ---- */

static int
accept_app(uint8_t id)
{
	struct clv_buf b;

	rig_named(&b, ADMIN_ROLLBACK_APP, id, "payroll");
	return rig_ask(0, &b, 30000);
}

START_TEST(application_of_an_older_day_is_accepted_above_what_was_seen)
{
	struct rig_app *a = rig_db_app("payroll");
	uint64_t there = a->counter;

	head(rig.member[0], "payroll", there + 5);
	head(rig.member[1], "payroll", UINT64_MAX / 4); /* who lies */
	ck_assert_int_eq(accept_app(3), CLV_OK);
	ck_assert_ptr_nonnull(strstr(rig.said, "not older"));
	ck_assert_uint_eq(a->counter, there);
	heads_raise(rig_keeper(0)->heads, "payroll", there + 3);
	ck_assert_int_eq(accept_app(4), CLV_OK);
	ck_assert_uint_eq(a->counter, there + 4);
	rig_run(1000);
	ck_assert_str_eq(reason(), "");
	head(rig.member[0], "payroll", there + 9); /* by an honest host alone */
	ck_assert_int_eq(accept_app(5), CLV_OK);
	ck_assert_uint_eq(a->counter, there + 10);
	rig_run(130000);
	ck_assert_str_eq(reason(), "");
	ck_assert_int_eq(accept_app(6), CLV_OK);
	ck_assert_uint_eq(a->counter, there + 10);
}
END_TEST

/* 0: its manifest, 1: a key of it, 2: nothing of it is there. */
START_TEST(application_that_was_changed_from_outside_is_not_accepted)
{
	struct rig_app *a = rig_db_app("payroll");
	uint64_t there = a->counter;

	heads_raise(rig_keeper(0)->heads, "payroll", there + 3);
	if (_i == 0)
		a->mac[5] ^= 1;
	else if (_i == 1)
		a->data_key[9] ^= 1;
	else
		a->keys = false;
	ck_assert_int_ne(accept_app(3), CLV_OK);
	ck_assert_ptr_nonnull(strstr(rig.said, "application payroll: "));
	ck_assert_uint_eq(a->counter, there);
}
END_TEST

/* The links, where every byte of one is the same. */

static struct clv_head
tell_link(unsigned member, uint64_t counter, uint8_t link)
{
	struct clv_head said = {.counter = counter, .linked = counter};

	if (link == 0)
		said = (struct clv_head){0};
	memset(said.link, link, sizeof(said.link));
	return head_of(rig.member[member], "payroll", &said);
}

/* links: of this counter, the one before, ... */
static void
database_has_links(uint64_t counter, const char *links)
{
	struct rig_app *a = rig_db_app("payroll");
	uint8_t *at = a->mac + CLV_MANIFEST_HEAD_LEN;

	a->counter = counter;
	memset(a->mac, 0, sizeof(a->mac));
	memset(a->mac + 36, *links++, CLV_LINK_LEN);
	for (; *links != '\0'; at += CLV_LINK_LEN)
		memset(at, *links++, CLV_LINK_LEN);
	rig_run(65000);
}

static void
ck_handed_out(uint64_t counter, uint64_t linked, uint8_t link)
{
	struct clv_head h = tell_link(0, 0, 0);

	ck_assert_uint_eq(h.counter, counter);
	ck_assert_uint_eq(h.linked, linked);
	ck_assert_uint_eq(h.link[0], link);
	ck_assert_uint_eq(h.link[7], link);
}

START_TEST(link_is_handed_out_when_the_database_has_it)
{
	tell_link(1, 5, 'e');
	ck_handed_out(1, 0, 0);
	database_has_links(7, "gfe");
	ck_assert_str_eq(reason(), "");
	ck_handed_out(5, 5, 'e');
	/* Ours counts as long as it can be compared. */
	tell_link(1, 7, 'g');
	database_has_links(8, "hgfe");
	ck_assert_str_eq(reason(), "");
	ck_handed_out(7, 5, 'e');
	rig_run(KEEPER_HEADS_MS);
	rig_kill(0);
	rig_up(0);
	ck_assert_uint_eq(
	    heads_look(rig_keeper(0)->heads, "payroll").linked, 5);
}
END_TEST

/* Who lies holds up nobody. */
START_TEST(link_that_the_database_never_had_is_not_handed_out)
{
	tell_link(1, 5, 'x');
	database_has_links(7, "gfe");
	ck_assert_ptr_nonnull(
	    strstr(reason(), "m2 says that it has seen another state of "
			     "application payroll"));
	ck_assert_ptr_nonnull(strstr(rig.log, "another change 5"));
	ck_handed_out(5, 0, 0);
	/* until it says something else */
	tell_link(1, 5, 'e');
	database_has_links(7, "gfe");
	ck_assert_str_eq(reason(), "");
	ck_handed_out(5, 5, 'e');
	tell_link(0, 6, 'x');
	database_has_links(7, "gfe");
	ck_assert_str_ne(reason(), "");
	ck_handed_out(6, 5, 'e');
	/* or it is too long ago, or of an application that was made anew */
	database_has_links(6 + CLV_MANIFEST_LINKS, "z");
	ck_assert_str_eq(reason(), "");
}
END_TEST

START_TEST(database_that_went_another_way_is_found_without_a_read)
{
	tell_link(1, 5, 'e');
	database_has_links(7, "gfe");
	ck_assert_str_eq(reason(), "");
	database_has_links(8, "hgfx");
	ck_assert_str_eq(reason(), "the database has another state of "
				   "application payroll than was seen: "
				   "claviger doctor");
	ck_assert_ptr_nonnull(strstr(rig.log, "its change 5 is another one"));
	/* the other one is back */
	database_has_links(9, "ihgfe");
	ck_assert_str_eq(reason(), "");
	/* made anew: there was none */
	database_has_links(10, "jihgfx");
	ck_assert_str_ne(reason(), "");
	database_has_links(12, "l");
	ck_assert_str_eq(reason(), "");
}
END_TEST

static void
hold_heads(struct rig_node *n, enum clv_stmt stmt, struct clv_buf *result)
{
	(void)result;
	n->hold_db |= stmt == CLV_STMT_GET_HEADS;
}

/* A member that has just written is ahead of an answer on its way. */
START_TEST(answer_that_is_overtaken_is_no_alarm)
{
	struct rig_node *n = &rig.node[0];

	head(rig.member[1], "payroll", 7);
	database_has("payroll", 7);
	rig.forge = hold_heads;
	for (int t = 0; t < 700 && !n->hold_db; t++)
		rig_run(100);
	ck_assert(n->hold_db && rig_keeper(0)->watch.asking);
	rig.forge = NULL;
	head(rig.member[1], "payroll", 8);
	rig_db_app("payroll")->counter = 8;
	n->hold_db = false;
	rig_run(100);
	ck_assert(!rig_keeper(0)->watch.asking);
	ck_assert_str_eq(rig_keeper(0)->watch.behind, "");
}
END_TEST

/* ---- notices ---- */

static const struct clv_wire_answer *
noticed(unsigned *had)
{
	ck_assert_uint_gt(rig.node[0].notices, *had);
	*had = rig.node[0].notices;
	return &rig.node[0].notice;
}

START_TEST(members_are_told_of_each_change_once)
{
	unsigned had = rig.node[0].notices;
	const struct clv_wire_answer *a;
	uint64_t version = rig_keeper(0)->secret.list->version, now;

	ck_assert_uint_gt(had, 0); /* of the promotion */
	ck_assert(rig.node[0].notice.encrypt);
	rig_run(30000);
	ck_assert_uint_eq(rig.node[0].notices, had);
	now = rig.now;
	ck_assert_int_eq(rig_add_member(0, 1, "m3"), CLV_OK);
	a = noticed(&had);
	ck_assert_uint_lt(rig.now, now + 100); /* at once */
	ck_assert_uint_eq(a->list_version, version + 1);
	ck_assert_uint_eq(a->epoch, rig_keeper(0)->serving.epoch);
	ck_assert(a->encrypt);
	ck_assert_mem_eq(a->system_id, rig_db.system_id, 16);
	ck_assert_str_eq(a->server, "n1");
	ck_assert_uint_eq(rig.node[1].notices + rig.node[2].notices, 0);
}
END_TEST

START_TEST(members_are_told_when_encryption_ends_and_begins)
{
	unsigned had = rig.node[0].notices;

	rig_db_mode(0, RIG_DB_DOWN);
	rig_run(20000); /* the lease ends */
	ck_assert(!noticed(&had)->encrypt);
	rig_db_mode(0, RIG_DB_UP);
	rig_run(5000);
	ck_assert(noticed(&had)->encrypt);
	rig_side(0, 1); /* no quorum */
	rig_run(1000);
	ck_assert(!noticed(&had)->encrypt);
	rig_side(0, 0);
	rig_run(5000);
	ck_assert(noticed(&had)->encrypt);
	rig.node[0].silent = true; /* corosync is frozen */
	rig_run(10000);
	rig.node[0].silent = false;
	rig_run(5000);
	ck_assert(rig.node[0].notice.encrypt);
}
END_TEST

START_TEST(members_are_told_of_a_fresh_epoch)
{
	unsigned had = rig.node[0].notices;
	uint64_t epoch = rig.node[0].notice.epoch;

	rig_db.timeline++; /* a failover of the database */
	rig_run(20000);
	ck_assert_uint_gt(noticed(&had)->epoch, epoch);
}
END_TEST

START_TEST(notice_that_the_front_did_not_take_comes_again)
{
	unsigned had;

	rig_run(1000);
	had = rig.node[0].notices;
	rig.node[0].deaf = true;
	rig_run(1);
	rig_keeper(0)->told.list_version = 0;
	rig_run(3000);
	ck_assert_uint_eq(rig.node[0].notices, had);
	rig.node[0].deaf = false;
	rig_run(2000);
	ck_assert_uint_gt(rig.node[0].notices, had);
}
END_TEST

static TCase *
add_case(Suite *s, const char *name, SFun before)
{
	TCase *t = tcase_create(name);

	tcase_add_checked_fixture(t, before, rig_fini);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	return t;
}

static void
add_heads(Suite *s)
{
	TCase *t = add_case(s, "heads", set_up_apps);

	tcase_add_test(t, head_is_handed_out_when_the_server_has_verified_it);
	tcase_add_test(t, head_that_nobody_can_reach_is_not_handed_out);
	tcase_add_test(t, revoked_member_accuses_nobody);
	tcase_add_test(t, heads_of_others_applications_are_not_believed);
	tcase_add_test(t, heads_outlive_the_server);
	tcase_add_test(t, database_that_went_back_is_found_without_a_read);
	tcase_add_test(t, application_that_the_database_lost_is_found);
	tcase_add_test(t, application_that_was_lost_and_removed_is_no_alarm);
	tcase_add_test(
	    t, application_of_an_older_day_is_accepted_above_what_was_seen);
	tcase_add_loop_test(
	    t, application_that_was_changed_from_outside_is_not_accepted, 0, 3);
	tcase_add_test(t, answer_that_is_overtaken_is_no_alarm);
	tcase_add_test(t, link_is_handed_out_when_the_database_has_it);
	tcase_add_test(t, link_that_the_database_never_had_is_not_handed_out);
	tcase_add_test(
	    t, database_that_went_another_way_is_found_without_a_read);
}

static void
add_notices(Suite *s)
{
	TCase *t = add_case(s, "notices", set_up);

	tcase_add_test(t, members_are_told_of_each_change_once);
	tcase_add_test(t, members_are_told_when_encryption_ends_and_begins);
	tcase_add_test(t, members_are_told_of_a_fresh_epoch);
	tcase_add_test(t, notice_that_the_front_did_not_take_comes_again);
}

int
main(void)
{
	Suite *s = suite_create("keeper_members");
	TCase *t = add_case(s, "live", set_up);
	SRunner *r;
	int failed;

	tcase_add_test(t, keys_are_sealed_once_for_what_a_member_may_have);
	tcase_add_test(t, what_was_sealed_is_forgotten_with_the_role);
	tcase_add_test(t, what_a_member_says_that_it_holds_is_noted);
	tcase_add_test(t, two_hosts_of_one_identity_are_seen);
	tcase_add_test(t, a_host_that_connects_anew_is_one);
	tcase_add_test(t, who_holds_nothing_or_is_refused_is_not_noted);
	tcase_add_test(t, revoked_member_is_forgotten);
	tcase_add_test(t, members_are_listed_with_what_they_hold);
	tcase_add_test(t, very_many_members_come_in_pages);
	tcase_add_test(t, only_the_active_server_lists_members);
	tcase_add_test(t, only_live_members_are_late);
	t = add_case(s, "applications", set_up_apps);
	tcase_add_test(t, members_are_told_who_may_what_in_their_scope);
	add_heads(s);
	add_notices(s);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
