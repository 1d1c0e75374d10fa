/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <sodium.h>
#include <stdio.h>

#include "vault_rig.h"

static struct rig_got a, b, c, d;

static void
set_up(void)
{
	rig_init();
	a.times = b.times = c.times = d.times = 0;
}

static void
get_begin(const char *name, struct rig_got *g)
{
	memset(g, 0, sizeof(*g));
	vault_get(rig.vault, "shop", name, 0, false, rig_on_reply, g);
}

#define ck_ok(g) ck_assert_msg((g)->result == CLV_OK, "%s", (g)->text)
#define ck_fails(g, r, part) \
	do { \
		const struct rig_got *g_ = (g); \
		ck_assert_msg(g_->times == 1 && g_->result == (r) && \
				  strstr(g_->text, part) != NULL, \
		    "%u times, %d: %s", g_->times, g_->result, g_->text); \
	} while (0)
#define ck_is(g, v) \
	do { \
		const struct rig_got *g_ = (g); \
		ck_assert_msg(rig_is(g_, v), "%d: %s", g_->result, g_->text); \
	} while (0)

/* Reading and writing. */

START_TEST(what_was_put_is_read)
{
	const struct rig_got *g = rig_put("shop", "db/password", "geheim");

	ck_ok(g);
	ck_assert_uint_eq(g->version, 1);
	g = rig_get("shop", "db/password");
	ck_is(g, "geheim");
	ck_assert_uint_eq(g->version, 1);
	ck_assert(!g->cached);
	ck_assert_uint_eq(rig_put("shop", "db/password", "neu")->version, 2);
	ck_is(rig_get("shop", "db/password"), "neu");
	ck_is(rig_get_version("shop", "db/password", 1, false), "geheim");
	ck_fails(rig_get_version("shop", "db/password", 3, false),
	    CLV_E_NOT_FOUND, "no secret db/password of that version");
}
END_TEST

START_TEST(another_process_reads_it_too)
{
	ck_ok(rig_put("shop", "a", "1"));
	rig_restart();
	ck_is(rig_get("shop", "a"), "1");
	ck_assert_uint_eq(rig.sent[CLV_STMT_GET_SECRET], 1);
	ck_is(rig_get("shop", "a"), "1");
	/* One round trip. */
	ck_assert_uint_eq(rig.sent[CLV_STMT_GET_SECRET], 2);
	ck_assert_uint_eq(rig.sent[CLV_STMT_GET_CHANGES], 2);
	ck_assert_uint_eq(rig.sent[CLV_STMT_GET_KEYS], 2);
}
END_TEST

START_TEST(nothing_and_the_largest_value_are_kept)
{
	struct vault_write w = {.app = "shop", .name = "big"};
	uint8_t *big = malloc(CLV_VALUE_MAX + 1);

	ck_assert_ptr_nonnull(big);
	randombytes_buf(big, CLV_VALUE_MAX + 1);
	w.value = big;
	w.len = CLV_VALUE_MAX;
	memset(w.op_id, 1, sizeof(w.op_id));
	vault_put(rig.vault, &w, rig_on_reply, &a);
	rig_settle();
	ck_ok(&a);
	ck_assert_uint_eq(rig_get("shop", "big")->len, CLV_VALUE_MAX);
	get_begin("big", &a);
	rig_settle();
	ck_assert_mem_eq(a.value, big, CLV_VALUE_MAX);
	w.len++;
	memset(&b, 0, sizeof(b));
	vault_put(rig.vault, &w, rig_on_reply, &b);
	ck_fails(&b, CLV_E_FULL, "61440");
	ck_is(rig_put("shop", "none", ""), "");
	ck_is(rig_get("shop", "none"), "");
	rig.away = true;
	ck_is(rig_get("shop", "none"), "");
	free(big);
}
END_TEST

START_TEST(what_was_deleted_is_gone)
{
	ck_fails(rig_get("shop", "a"), CLV_E_NOT_FOUND, "no secret a");
	ck_ok(rig_put("shop", "a", "1"));
	ck_assert_uint_eq(rig_delete("shop", "a")->version, 2);
	ck_fails(rig_get("shop", "a"), CLV_E_NOT_FOUND, "no secret a");
	ck_fails(rig_get_version("shop", "a", 0, true), CLV_E_NOT_FOUND, "a");
	ck_fails(rig_get_version("shop", "a", 2, false), CLV_E_NOT_FOUND, "a");
	ck_is(rig_get_version("shop", "a", 1, false), "1");
	rig_restart();
	ck_fails(rig_get("shop", "a"), CLV_E_NOT_FOUND, "no secret a");
	ck_assert_uint_eq(rig_put("shop", "a", "2")->version, 3);
	ck_is(rig_get("shop", "a"), "2");
	ck_ok(rig_delete("shop", "a"));
	rig.away = true;
	ck_fails(rig_get("shop", "a"), CLV_E_DATABASE_AWAY, "");
}
END_TEST

static void
on_list(void *arg, const struct vault_reply *r)
{
	char *text = arg, name[VAULT_NAME_MAX];
	struct clv_rd rd;
	uint32_t n;
	bool more;

	ck_assert_int_eq(r->result, CLV_OK);
	clv_rd_init(&rd, r->value, r->len);
	more = clv_rd_u8(&rd) != 0;
	n = clv_rd_u32(&rd);
	while (n-- > 0) {
		clv_rd_str(&rd, name, sizeof(name));
		strcat(text, name);
		strcat(text, clv_rd_u64(&rd) > 1 ? "* " : " ");
	}
	ck_assert_int_eq(clv_rd_end(&rd), CLV_OK);
	strcat(text, more ? "more" : "end");
}

START_TEST(names_are_listed_in_order)
{
	char text[256] = "";

	vault_list(rig.vault, "shop", "", on_list, text);
	rig_settle();
	ck_assert_str_eq(text, "end");
	ck_ok(rig_put("shop", "b", "1"));
	ck_ok(rig_put("shop", "a", "1"));
	ck_ok(rig_put("shop", "c", "1"));
	ck_ok(rig_put("shop", "a", "2"));
	ck_ok(rig_delete("shop", "b"));
	text[0] = '\0';
	vault_list(rig.vault, "shop", "", on_list, text);
	rig_settle();
	ck_assert_str_eq(text, "a* c end");
	text[0] = '\0';
	vault_list(rig.vault, "shop", "a", on_list, text);
	rig_settle();
	ck_assert_str_eq(text, "c end");
	rig.away = true; /* as they were known last */
	text[0] = '\0';
	vault_list(rig.vault, "shop", "", on_list, text);
	ck_assert_str_eq(text, "a* c end");
}
END_TEST

START_TEST(history_has_every_version)
{
	ck_ok(rig_put("shop", "a", "1"));
	ck_ok(rig_put("shop", "a", "2"));
	vault_history(rig.vault, "shop", "a", rig_on_reply, &a);
	rig_settle();
	ck_ok(&a);
	ck_assert_uint_eq(a.rows, 2);
	memset(&a, 0, sizeof(a));
	vault_history(rig.vault, "shop", "b", rig_on_reply, &a);
	rig_settle();
	ck_fails(&a, CLV_E_NOT_FOUND, "no secret b");
	memset(&a, 0, sizeof(a));
	vault_history(rig.vault, "shop", "..", rig_on_reply, &a);
	ck_fails(&a, CLV_E_INVALID, "name");
}
END_TEST

START_TEST(names_are_checked)
{
	char name[VAULT_NAME_MAX + 1] = "";

	memset(name, 'x', VAULT_NAME_MAX - 1);
	ck_assert_int_eq(vault_name_check(name), CLV_OK);
	name[VAULT_NAME_MAX - 1] = 'x';
	ck_assert_int_eq(vault_name_check(name), CLV_E_INVALID);
	ck_assert_int_eq(vault_name_check("a/b.c_d-e"), CLV_OK);
	ck_fails(rig_get("shop", ""), CLV_E_INVALID, "1 to 128");
	ck_fails(rig_put("shop", "/a", "1"), CLV_E_INVALID, "1 to 128");
	ck_fails(rig_get("shop", "-a"), CLV_E_INVALID, "1 to 128");
	ck_fails(rig_get("shop", "a b"), CLV_E_INVALID, "1 to 128");
	ck_fails(rig_get("shop", "a\303\244"), CLV_E_INVALID, "1 to 128");
	ck_fails(rig_get("no/app", "a"), CLV_E_INVALID, "application");
	ck_fails(rig_put("", "a", "1"), CLV_E_INVALID, "application");
	ck_fails(rig_get("other", "a"), CLV_E_NOT_FOUND,
	    "no keys of application other");
	ck_fails(rig_put("other", "a", "1"), CLV_E_NOT_FOUND, "other");
}
END_TEST

/* Batches. */

START_TEST(what_comes_meanwhile_goes_together)
{
	struct rig_got g[10];

	ck_ok(rig_put("shop", "x", "0"));
	rig_put_begin("shop", "a", "1", 0, &a);
	for (size_t i = 0; i < 10; i++) {
		char name[] = {'n', (char)('0' + i), '\0'};

		rig_put_begin("shop", name, name, 0, &g[i]);
	}
	rig_settle();
	ck_ok(&a);
	for (size_t i = 0; i < 10; i++)
		ck_ok(&g[i]);
	ck_assert_uint_eq(rig.sent[CLV_STMT_PUT_SECRETS], 3);
	ck_assert_uint_eq(rig_app("shop")->counter, 4);
	ck_is(rig_get("shop", "n7"), "n7");
	ck_assert_uint_eq(rig.sent[CLV_STMT_GET_CHANGES], 1);
}
END_TEST

/* Two camps: while one's write is under way the other's waits. What the first
 * one writes next, when it has its answer, goes into the other's transaction.
 */
static void
alternate(unsigned rounds)
{
	ck_ok(rig_put("shop", "x", "0"));
	rig_put_begin("shop", "a", "1", 0, &a);
	for (unsigned i = 0; i < rounds; i++) {
		struct rig_got *one = i % 2 == 0 ? &a : &b;
		struct rig_got *other = i % 2 == 0 ? &b : &a;

		rig_put_begin("shop", other == &b ? "b" : "a", "2", 0, other);
		rig_answer(rig_call(0));
		ck_ok(one);
	}
}

START_TEST(writers_in_two_camps_are_brought_together)
{
	unsigned sent;

	alternate(8);
	ck_assert_uint_eq(rig_open(), 0); /* it waits for "b" */
	sent = rig.sent[CLV_STMT_PUT_SECRETS];
	rig_put_begin("shop", "b", "3", 0, &b);
	ck_assert_uint_eq(rig.sent[CLV_STMT_PUT_SECRETS], sent + 1);
	rig_settle();
	ck_ok(&a);
	ck_ok(&b);
	ck_assert_uint_eq(rig.sent[CLV_STMT_PUT_SECRETS], sent + 1);
}
END_TEST

START_TEST(nobody_waits_long_for_those_who_do_not_come)
{
	alternate(8);
	ck_assert_uint_eq(rig_open(), 0);
	rig_advance(1);
	ck_assert_uint_eq(rig_open(), 1);
	rig_put_begin("shop", "b", "3", 0, &b);
	rig_answer(rig_call(0));
	ck_ok(&a);
	ck_assert_uint_eq(rig_open(), 1); /* not so soon again */
	rig_settle();
	ck_ok(&b);
}
END_TEST

START_TEST(who_waits_for_others_is_told_when_the_vault_ends)
{
	alternate(8);
	ck_assert_uint_eq(rig_open(), 0);
	rig_restart();
	ck_fails(&a, CLV_E_CANCELLED, "ending");
	ck_ok(rig_put("shop", "a", "4"));
}
END_TEST

START_TEST(the_same_name_twice_is_two_steps)
{
	ck_ok(rig_put("shop", "x", "0"));
	rig_put_begin("shop", "y", "0", 0, &d);
	rig_put_begin("shop", "a", "1", 0, &a);
	rig_put_begin("shop", "a", NULL, 0, &b);
	rig_put_begin("shop", "a", "3", 0, &c);
	rig_settle();
	ck_ok(&a);
	ck_ok(&b);
	ck_ok(&c);
	ck_assert_uint_eq(a.version, 1);
	ck_assert_uint_eq(b.version, 2);
	ck_assert_uint_eq(c.version, 3);
	ck_is(rig_get("shop", "a"), "3");
}
END_TEST

START_TEST(the_first_writes_keep_their_order)
{
	/* While keys and index are still on their way. */
	rig_put_begin("shop", "a", "1", 0, &a);
	rig_put_begin("shop", "a", "2", 0, &b);
	rig_put_begin("shop", "a", "3", 0, &c);
	rig_settle();
	ck_assert_uint_eq(a.version, 1);
	ck_assert_uint_eq(b.version, 2);
	ck_assert_uint_eq(c.version, 3);
	ck_is(rig_get("shop", "a"), "3");
}
END_TEST

START_TEST(many_writes_are_several_transactions)
{
	static struct rig_got g[VAULT_BATCH_MAX + 20];

	for (size_t i = 0; i < VAULT_BATCH_MAX + 20; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%zu", i);
		rig_put_begin("shop", name, name, 0, &g[i]);
	}
	rig_settle();
	for (size_t i = 0; i < VAULT_BATCH_MAX + 20; i++)
		ck_ok(&g[i]);
	ck_assert_uint_le(rig.sent[CLV_STMT_PUT_SECRETS], 3);
	rig_restart();
	ck_is(rig_get("shop", "n70"), "n70");
}
END_TEST

START_TEST(pending_values_are_bounded)
{
	static struct rig_got g[64];
	static uint8_t big[CLV_VALUE_MAX];
	struct vault_write w = {
	    .app = "shop", .name = "a", .value = big, .len = sizeof(big)};
	unsigned busy = 0;

	ck_ok(rig_put("shop", "x", "0"));
	for (size_t i = 0; i < 64; i++) {
		randombytes_buf(w.op_id, sizeof(w.op_id));
		memset(&g[i], 0, sizeof(g[i]));
		vault_put(rig.vault, &w, rig_on_reply, &g[i]);
		busy += g[i].result == CLV_E_BUSY;
	}
	ck_assert_uint_gt(busy, 0);
	/* There is room for the keys of the next refresh. */
	rig_generations(3);
	rig_settle();
	for (size_t i = 0; i < 64; i++)
		ck_assert_uint_eq(g[i].times, 1);
	ck_ok(rig_put("shop", "y", "1"));
}
END_TEST

START_TEST(small_values_do_not_use_up_guarded_memory)
{
	void *p[64];

	for (size_t i = 0; i < RIG_ROWS - 1; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%zu", i);
		ck_ok(rig_put("shop", name, i % 2 == 0 ? "" : "1"));
		ck_ok(rig_get("shop", name));
	}
	for (size_t i = 0; i < 64; i++) {
		p[i] = clv_guard_get(rig.k.guard, 1024);
		ck_assert_ptr_nonnull(p[i]);
	}
	for (size_t i = 0; i < 64; i++)
		clv_guard_put(rig.k.guard, p[i]);
}
END_TEST

/* Others. */

/* Somebody else writes: another vault on the same tables. */
static void
other_writes(const char *name, const char *value)
{
	struct rig_call *calls = rig.calls;
	struct vault *ours = rig.vault;
	struct rig_got g;

	rig.calls = NULL;
	ck_assert_int_eq(vault_new(&rig.k, &rig.vault), CLV_OK);
	rig_put_begin("shop", name, value, 0, &g);
	rig_settle();
	ck_ok(&g);
	vault_free(&rig.vault);
	rig.vault = ours;
	rig.calls = calls;
}

START_TEST(a_conflict_is_tried_again)
{
	ck_ok(rig_put("shop", "a", "1"));
	rig_put_begin("shop", "a", "3", 0, &a);
	other_writes("a", "2");
	rig_settle();
	ck_ok(&a);
	ck_assert_uint_eq(a.version, 3);
	ck_is(rig_get("shop", "a"), "3");
	ck_is(rig_get_version("shop", "a", 2, false), "2");
	ck_assert_uint_eq(rig.errors, 0);
}
END_TEST

START_TEST(what_others_wrote_is_read)
{
	ck_ok(rig_put("shop", "a", "1"));
	other_writes("a", "2");
	other_writes("b", "3");
	ck_is(rig_get("shop", "a"), "2");
	ck_is(rig_get("shop", "b"), "3");
	other_writes("a", NULL);
	ck_fails(rig_get("shop", "a"), CLV_E_NOT_FOUND, "a");
	ck_assert_uint_eq(rig.errors, 0);
}
END_TEST

START_TEST(written_while_an_answer_is_on_its_way)
{
	ck_ok(rig_put("shop", "a", "1"));
	get_begin("a", &b);
	rig_do(rig_call(0)); /* it saw version 1 */
	rig_put_begin("shop", "a", "2", 0, &a);
	rig_answer(rig_call(1));
	ck_ok(&a);
	rig_settle();
	ck_is(&b, "2");
	ck_assert_uint_eq(rig.errors, 0);
}
END_TEST

START_TEST(always_written_meanwhile_is_no_damage)
{
	char value[8];

	ck_ok(rig_put("shop", "a", "0"));
	get_begin("a", &b);
	for (unsigned i = 1; b.times == 0; i++) {
		ck_assert_uint_lt(i, 100);
		rig_do(rig_call(0));
		snprintf(value, sizeof(value), "%u", i);
		rig_put_begin("shop", "a", value, 0, &a);
		rig_answer(rig_call(1));
		ck_ok(&a);
		rig_answer(rig_call(0));
	}
	ck_fails(&b, CLV_E_BUSY, "written to");
	ck_assert_uint_eq(rig.errors, 0);
}
END_TEST

START_TEST(a_late_answer_does_not_make_the_cache_older)
{
	ck_ok(rig_put("shop", "a", "1"));
	rig_put_begin("shop", "a", "2", 0, &a);
	rig_do(rig_call(0));
	other_writes("a", "3");
	get_begin("a", &b);
	rig_answer(rig_call(1));
	ck_is(&b, "3");
	rig_settle();
	ck_ok(&a);
	rig.away = true;
	ck_is(rig_get("shop", "a"), "3");
}
END_TEST

START_TEST(a_newer_data_key_is_fetched)
{
	unsigned before;

	ck_ok(rig_put("shop", "a", "1"));
	rig_add_key("shop", 2, 1);
	ck_ok(rig_put("shop", "a", "2"));
	ck_assert_uint_eq(rig_row("shop", "a", 2)->key_version, 2);
	ck_is(rig_get("shop", "a"), "2");
	ck_is(rig_get_version("shop", "a", 1, false), "1");
	/* ... also by who only reads */
	rig_add_key("shop", 3, 1);
	other_writes("a", "3");
	before = rig.sent[CLV_STMT_GET_KEYS];
	ck_is(rig_get("shop", "a"), "3");
	ck_assert_uint_eq(rig.sent[CLV_STMT_GET_KEYS], before + 1);
	ck_is(rig_get("shop", "a"), "3");
	ck_assert_uint_eq(rig.sent[CLV_STMT_GET_KEYS], before + 1);
	ck_assert_uint_eq(rig.errors, 0);
}
END_TEST

/* ... between one question and the next. */
START_TEST(a_data_key_that_is_made_while_the_rest_is_loaded)
{
	ck_ok(rig_put("shop", "a", "1"));
	rig_restart();
	get_begin("a", &a);
	rig_answer(rig_call(0)); /* keys */
	rig_add_key("shop", 2, 1);
	rig_settle();
	ck_is(&a, "1");
	/* Loaded again for another reason, while the index is older. */
	rig_app("shop")->keys[1].generation = 2;
	rig_add_key("shop", 3, 2);
	ck_fails(rig_put("shop", "a", "2"), CLV_E_GENERATION, "generation");
	rig_app("shop")->keys[1].generation = 1;
	rig_generations(2);
	rig_add_key("shop", 4, 2);
	vault_on_keys(rig.vault);
	ck_ok(rig_put("shop", "a", "2"));
	ck_assert_uint_eq(rig_row("shop", "a", 2)->key_version, 4);
	ck_assert_uint_eq(rig.errors, 0);
}
END_TEST

/* Rewrapped while the server is away, and a new one: what is here stays good
 * for reading. */
START_TEST(rewrapped_keys_that_are_here_are_not_lost)
{
	struct rig_app *shop = rig_app("shop");

	ck_ok(rig_put("shop", "a", "1"));
	shop->keys[0].generation = shop->keys[1].generation = 2;
	rig_add_key("shop", 2, 2);
	ck_is(rig_get("shop", "a"), "1");
	ck_fails(rig_put("shop", "a", "2"), CLV_E_GENERATION, "generation");
	ck_is(rig_get("shop", "a"), "1");
	ck_assert_uint_eq(rig.errors, 0);
}
END_TEST

START_TEST(keys_that_change_while_the_index_is_loaded)
{
	ck_ok(rig_put("shop", "a", "1"));
	rig_restart();
	get_begin("a", &a);
	rig_answer(rig_call(0)); /* keys; now the page is asked for */
	vault_on_keys(rig.vault);
	rig_settle();
	ck_is(&a, "1");
}
END_TEST

/* Operation ids and outcomes that are not known. */

START_TEST(an_operation_is_done_once)
{
	rig_put_begin("shop", "a", "1", 9, &a);
	rig_settle();
	rig_put_begin("shop", "a", "1", 9, &b);
	rig_settle();
	ck_ok(&b);
	ck_assert_uint_eq(b.version, 1);
	rig_restart();
	rig_put_begin("shop", "a", "1", 9, &c);
	rig_settle();
	ck_ok(&c);
	ck_assert_uint_eq(c.version, 1);
	rig_put_begin("shop", "b", "1", 9, &d);
	rig_settle();
	ck_fails(&d, CLV_E_EXISTS, "used for something else");
	rig_add_app("bank", 1);
	rig_put_begin("bank", "a", "1", 9, &d);
	rig_settle();
	ck_fails(&d, CLV_E_EXISTS, "used for something else");
}
END_TEST

START_TEST(a_doubled_operation_id_harms_nobody_else)
{
	ck_ok(rig_put("shop", "x", "0"));
	rig_put_begin("shop", "y", "0", 0, &d);
	rig_put_begin("shop", "a", "1", 9, &a);
	rig_put_begin("shop", "b", "1", 9, &b);
	rig_put_begin("shop", "c", "1", 0, &c);
	rig_settle();
	ck_ok(&a);
	ck_fails(&b, CLV_E_EXISTS, "used for something else");
	ck_ok(&c);
}
END_TEST

START_TEST(unknown_outcomes_are_repeated)
{
	ck_ok(rig_put("shop", "x", "0"));
	rig_put_begin("shop", "a", "1", 0, &a);
	rig_do(rig_call(0)); /* written, but nobody knows */
	rig_fail_call(rig_call(0), CLV_E_UNKNOWN);
	ck_assert_uint_eq(rig_open(), 0);
	ck_assert_uint_eq(a.times, 0);
	rig_advance(1000);
	rig_settle();
	ck_ok(&a);
	ck_assert_uint_eq(a.version, 1);
	ck_assert_uint_eq(rig.db.row_count, 2);
	/* ... and when others have written since */
	rig_put_begin("shop", "a", "2", 0, &a);
	rig_do(rig_call(0));
	rig_fail_call(rig_call(0), CLV_E_TIMEOUT);
	other_writes("a", "3");
	rig_advance(1000);
	rig_settle();
	ck_ok(&a);
	ck_assert_uint_eq(a.version, 2);
	ck_is(rig_get("shop", "a"), "3");
	/* ... or it never arrived */
	rig_put_begin("shop", "a", "4", 0, &a);
	rig_fail_call(rig_call(0), CLV_E_UNKNOWN);
	other_writes("a", "5");
	rig_advance(1000);
	rig_settle();
	ck_ok(&a);
	ck_is(rig_get("shop", "a"), "4");
	ck_assert_uint_eq(rig.errors, 0);
}
END_TEST

START_TEST(without_a_database_nothing_is_written)
{
	ck_ok(rig_put("shop", "x", "0"));
	rig.away = true;
	rig_put_begin("shop", "a", "1", 0, &a);
	for (unsigned i = 0; i < 100 && a.times == 0; i++)
		rig_advance(1000);
	ck_fails(&a, CLV_E_DATABASE_AWAY, "");
	rig.away = false;
	rig_put_begin("shop", "a", "1", 0, &a);
	rig_fail_call(rig_call(0), CLV_E_UNKNOWN);
	rig.away = true;
	for (unsigned i = 0; i < 100 && a.times == 0; i++)
		rig_advance(1000);
	ck_fails(&a, CLV_E_UNKNOWN, "not known");
	rig.away = false;
	ck_ok(rig_put("shop", "a", "1"));
	rig_restart();
	rig.away = true;
	ck_fails(rig_put("shop", "a", "2"), CLV_E_DATABASE_AWAY, "");
}
END_TEST

START_TEST(a_refusal_after_a_doubt_is_a_doubt)
{
	ck_ok(rig_put("shop", "x", "0"));
	rig_put_begin("shop", "a", "1", 0, &a);
	rig_do(rig_call(0));
	rig_fail_call(rig_call(0), CLV_E_UNKNOWN);
	rig_advance(1000);
	rig_fail_call(rig_call(0), CLV_E_DATABASE);
	ck_fails(&a, CLV_E_UNKNOWN, "not known");
	/* A malformed answer says nothing about what was done. */
	rig_put_begin("shop", "b", "1", 0, &b);
	rig_do(rig_call(0));
	rig_fail_call(rig_call(0), CLV_E_PROTOCOL);
	rig_advance(1000);
	rig_settle();
	ck_ok(&b);
	rig_put_begin("shop", "c", "1", 0, &c);
	rig_fail_call(rig_call(0), CLV_E_DATABASE);
	ck_fails(&c, CLV_E_DATABASE, "");
}
END_TEST

START_TEST(an_older_epoch_in_the_database_is_waited_for)
{
	ck_ok(rig_put("shop", "x", "0"));
	rig.member.seen.epoch = 8;
	rig_put_begin("shop", "a", "1", 0, &a);
	rig_settle();
	ck_assert_uint_eq(a.times, 0);
	rig.db.epoch = 8;
	rig_advance(1000);
	rig_settle();
	ck_ok(&a);
}
END_TEST

START_TEST(while_the_database_is_away_the_cache_serves)
{
	ck_ok(rig_put("shop", "a", "1"));
	other_writes("b", "2");
	ck_is(rig_get("shop", "b"), "2");
	ck_ok(rig_put("shop", "n", "1"));
	rig.away = true;
	ck_is(rig_get("shop", "a"), "1");
	ck_assert(rig_get("shop", "a")->cached);
	ck_is(rig_get_version("shop", "b", 1, false), "2");
	ck_fails(
	    rig_get_version("shop", "b", 2, false), CLV_E_DATABASE_AWAY, "");
	ck_fails(rig_get("shop", "c"), CLV_E_DATABASE_AWAY, "away");
	rig.away = false;
	get_begin("a", &a);
	rig_fail_call(rig_call(0), CLV_E_TIMEOUT);
	ck_is(&a, "1");
	ck_assert(a.cached);
	/* Good enough for who says so. */
	ck_assert(rig_get_version("shop", "a", 0, true)->cached);
	ck_assert(!rig_get("shop", "a")->cached);
}
END_TEST

START_TEST(what_is_known_to_be_replaced_is_not_served)
{
	ck_ok(rig_put("shop", "a", "1"));
	ck_ok(rig_put("shop", "b", "1"));
	other_writes("a", "2");
	ck_is(rig_get("shop", "b"), "1"); /* learns of it */
	ck_is(rig_get_version("shop", "a", 0, true), "2");
	other_writes("a", "3");
	ck_is(rig_get("shop", "b"), "1");
	rig.away = true;
	ck_fails(rig_get("shop", "a"), CLV_E_DATABASE_AWAY, "");
	ck_is(rig_get_version("shop", "a", 2, false), "2");
}
END_TEST

/* A hostile database. */

static void
swap_records(struct rig_row *x, struct rig_row *y)
{
	struct rig_row was = *x;

	x->record = y->record;
	x->len = y->len;
	memcpy(x->hash, y->hash, sizeof(x->hash));
	y->record = was.record;
	y->len = was.len;
	memcpy(y->hash, was.hash, sizeof(y->hash));
}

START_TEST(a_record_of_another_name_is_found)
{
	ck_ok(rig_put("shop", "a", "1"));
	ck_ok(rig_put("shop", "b", "2"));
	swap_records(rig_row("shop", "a", 0), rig_row("shop", "b", 0));
	ck_fails(rig_get("shop", "a"), CLV_E_DAMAGED, "secret a of shop");
	ck_assert_uint_eq(rig.errors, 1);
	ck_fails(rig_get_version("shop", "a", 1, false), CLV_E_DAMAGED,
	    "secret a of shop");
	rig_restart();
	ck_fails(rig_get("shop", "a"), CLV_E_DAMAGED, "application shop");
}
END_TEST

START_TEST(a_record_of_another_application_is_found)
{
	rig_add_app("bank", 1);
	ck_ok(rig_put("shop", "a", "1"));
	ck_ok(rig_put("bank", "a", "2"));
	swap_records(rig_row("shop", "a", 0), rig_row("bank", "a", 0));
	ck_fails(rig_get("shop", "a"), CLV_E_DAMAGED, "secret a of shop");
	ck_fails(rig_get("bank", "a"), CLV_E_DAMAGED, "secret a of bank");
	ck_fails(rig_get_version("shop", "a", 1, false), CLV_E_DAMAGED, "a");
}
END_TEST

static void
as_version_1(struct rig_call *x)
{
	struct db_field *f = (struct db_field *)(uintptr_t)x->result.fields;
	struct rig_row *row = rig_row("shop", "a", 1);

	if (x->stmt != CLV_STMT_GET_SECRET)
		return;
	for (size_t i = 0; i < x->result.rows; i++, f += 8) {
		if (db_u64(&x->result, i, 0) != 1)
			continue;
		f[2] =
		    (struct db_field){(const uint8_t *)"\0\0\0\0\0\0\0\1", 8};
		f[6] = (struct db_field){row->record, row->len};
	}
}

START_TEST(an_older_version_is_found)
{
	struct rig_row *old, *new;

	ck_ok(rig_put("shop", "a", "1"));
	ck_ok(rig_put("shop", "a", "2"));
	rig.forge = as_version_1;
	ck_fails(rig_get("shop", "a"), CLV_E_DAMAGED, "not its newest row");
	/* ... when just that version is asked for, too */
	ck_fails(rig_get_version("shop", "a", 2, false), CLV_E_DAMAGED,
	    "another version");
	rig.forge = NULL;
	old = rig_row("shop", "a", 1);
	new = rig_row("shop", "a", 2);
	swap_records(old, new);
	ck_fails(rig_get("shop", "a"), CLV_E_DAMAGED, "other content");
	ck_fails(rig_get_version("shop", "a", 2, false), CLV_E_DAMAGED, "");
}
END_TEST

START_TEST(a_missing_row_is_found)
{
	ck_ok(rig_put("shop", "a", "1"));
	ck_ok(rig_put("shop", "b", "1"));
	rig_remove_row(rig_row("shop", "a", 0));
	ck_fails(rig_get("shop", "a"), CLV_E_DAMAGED, "its row is missing");
	ck_is(rig_get("shop", "b"), "1");
	rig_restart();
	ck_fails(rig_get("shop", "a"), CLV_E_DAMAGED, "application shop");
	ck_fails(rig_get("shop", "b"), CLV_E_DAMAGED, "application shop");
	ck_fails(rig_put("shop", "c", "1"), CLV_E_DAMAGED, "application shop");
}
END_TEST

START_TEST(a_row_of_a_name_that_never_was_is_found)
{
	struct rig_row *row;

	ck_ok(rig_put("shop", "a", "1"));
	ck_ok(rig_put("shop", "b", "1"));
	row = rig_row("shop", "b", 0);
	strcpy(row->name, "c");
	ck_fails(rig_get("shop", "c"), CLV_E_DAMAGED, "secret c of shop");
	rig_restart();
	ck_fails(rig_get("shop", "c"), CLV_E_DAMAGED, "application shop");
}
END_TEST

START_TEST(a_changed_byte_is_found)
{
	struct rig_row *row;

	ck_ok(rig_put("shop", "a", "1"));
	row = rig_row("shop", "a", 0);
	row->record[row->len - 1] ^= 1;
	ck_fails(rig_get("shop", "a"), CLV_E_DAMAGED, "other content");
	ck_fails(rig_get_version("shop", "a", 1, false), CLV_E_DAMAGED,
	    "does not open");
	clv_record_hash(row->record, row->len, row->hash);
	rig_restart();
	ck_fails(rig_get("shop", "a"), CLV_E_DAMAGED, "application shop");
	row->len = 0;
	ck_fails(rig_get_version("shop", "a", 1, false), CLV_E_DAMAGED, "");
}
END_TEST

START_TEST(an_undone_deletion_is_found)
{
	struct rig_row *row;

	ck_ok(rig_put("shop", "a", "1"));
	ck_ok(rig_delete("shop", "a"));
	rig_remove_row(rig_row("shop", "a", 2));
	rig_row("shop", "a", 1)->current = true;
	ck_fails(rig_get("shop", "a"), CLV_E_DAMAGED, "secret a of shop");
	ck_ok(rig_put("shop", "b", "1"));
	ck_ok(rig_delete("shop", "b"));
	row = rig_row("shop", "b", 2);
	row->deleted = false;
	ck_fails(rig_get("shop", "b"), CLV_E_DAMAGED, "secret b of shop");
	rig_restart();
	ck_fails(rig_get("shop", "a"), CLV_E_DAMAGED, "application shop");
}
END_TEST

START_TEST(a_database_that_went_back_is_found)
{
	struct rig_tables yesterday;

	ck_ok(rig_put("shop", "a", "1"));
	rig_save(&yesterday);
	ck_ok(rig_put("shop", "a", "2"));
	rig_restore(&yesterday);
	ck_fails(rig_get("shop", "a"), CLV_E_ROLLBACK, "application shop");
	ck_fails(rig_put("shop", "a", "3"), CLV_E_ROLLBACK, "older");
	ck_fails(rig_put("shop", "b", "3"), CLV_E_ROLLBACK, "older");
	rig_restart(); /* it stands on disk */
	ck_assert_uint_eq(heads_get(rig.k.heads, "shop"), 3);
	ck_fails(rig_get("shop", "a"), CLV_E_ROLLBACK, "restored");
	ck_assert_uint_eq(rig.db.row_count, 1);
}
END_TEST

START_TEST(what_the_server_has_seen_counts)
{
	ck_ok(rig_put("shop", "a", "1"));
	heads_raise(rig.k.heads, "shop", 9);
	rig_restart();
	ck_fails(rig_get("shop", "a"), CLV_E_ROLLBACK, "older");
}
END_TEST

START_TEST(a_foreign_manifest_is_found)
{
	ck_ok(rig_put("shop", "a", "1"));
	rig_app("shop")->mac[0] ^= 1;
	rig_app("shop")->counter++;
	ck_fails(rig_get("shop", "a"), CLV_E_DAMAGED, "application shop");
	ck_fails(rig_put("shop", "a", "1"), CLV_E_DAMAGED, "application shop");
}
END_TEST

START_TEST(a_missing_manifest_is_found)
{
	ck_ok(rig_put("shop", "a", "1"));
	rig_app("shop")->name[0] = 'x';
	ck_fails(rig_get("shop", "a"), CLV_E_DAMAGED, "manifest is missing");
	rig_restart();
	ck_fails(rig_get("shop", "a"), CLV_E_NOT_FOUND, "no keys");
}
END_TEST

START_TEST(foreign_keys_are_found)
{
	struct rig_app *shop = rig_app("shop"), *bank;
	struct rig_key was;

	bank = rig_add_app("bank", 1);
	rig_add_key("shop", 2, 1);
	was = shop->keys[2];
	/* of another application */
	shop->keys[2] = bank->keys[1];
	shop->keys[2].version = 2;
	ck_fails(rig_get("shop", "a"), CLV_E_DAMAGED, "claviger doctor");
	/* of another version */
	shop->keys[2] = was;
	memcpy(shop->keys[2].wrapped, shop->keys[1].wrapped,
	    sizeof(shop->keys[2].wrapped));
	ck_fails(rig_get("shop", "a"), CLV_E_DAMAGED, "claviger doctor");
	/* of another generation */
	rig_generations(2);
	shop->keys[2] = was;
	shop->keys[2].generation = 2;
	ck_fails(rig_get("shop", "a"), CLV_E_DAMAGED, "claviger doctor");
	/* the index key as a data key, twice, and out of order */
	shop->keys[2] = was;
	shop->keys[1] = shop->keys[0];
	ck_fails(rig_get("shop", "a"), CLV_E_DAMAGED, "claviger doctor");
	ck_fails(rig_put("shop", "a", "1"), CLV_E_DAMAGED, "claviger doctor");
	ck_fails(rig_get("bank", "a"), CLV_E_NOT_FOUND, "no secret a");
}
END_TEST

/* Nothing is written or sealed, and it is said which one. */
static void
ck_no_write(const char *part)
{
	ck_fails(rig_put("shop", "a", "9"), CLV_E_DAMAGED, part);
	memset(&a, 0, sizeof(a));
	vault_seal(rig.vault, "shop", "c", "x", 1, rig_on_reply, &a);
	rig_settle();
	ck_fails(&a, CLV_E_DAMAGED, part);
}

START_TEST(a_newest_data_key_that_is_hidden_is_missed)
{
	struct rig_app *shop = rig_app("shop");

	ck_ok(rig_put("shop", "a", "1"));
	rig_add_key("shop", 2, 1);
	shop->key_count = 2;
	/* by a host that has the older one, and by one that starts */
	ck_no_write(
	    "data key 2 of application shop, its newest one, is missing");
	ck_assert_ptr_nonnull(strstr(rig.log, "data key 2"));
	rig_restart();
	ck_no_write(
	    "data key 2 of application shop, its newest one, is missing");
	shop->key_count = 3;
	ck_ok(rig_put("shop", "a", "2"));
	ck_assert_uint_eq(rig_row("shop", "a", 2)->key_version, 2);
	/* an older one */
	shop->keys[1] = shop->keys[2];
	shop->key_count = 2;
	rig_restart();
	ck_no_write("data key 1 of application shop is missing");
}
END_TEST

/* Of an application that was removed: its wrapping is genuine. */
START_TEST(a_data_key_of_a_dead_application_is_not_the_newest)
{
	struct rig_app *shop = rig_app("shop");
	struct rig_key dead = shop->keys[1];

	rig_drop_app("shop");
	rig_app("")->counter = 10;
	shop = rig_add_app("shop", 1);
	shop->keys[1] = dead;
	ck_no_write("data key 1 of application shop in the database is not the "
		    "one that its manifest names");
	rig_restart();
	ck_no_write("data key 1 of application shop");
	ck_assert_uint_eq(rig.db.row_count, 0);
}
END_TEST

START_TEST(a_data_key_too_many_is_found)
{
	unsigned keys;

	ck_ok(rig_put("shop", "a", "1"));
	rig_insert_key("shop", 2, 1);
	keys = rig.sent[CLV_STMT_GET_KEYS];
	ck_no_write(
	    "a data key of application shop that its manifest does not");
	ck_assert_uint_le(rig.sent[CLV_STMT_GET_KEYS], keys + 4);
	rig_restart();
	ck_no_write(
	    "a data key of application shop that its manifest does not");
	rig_app("shop")->key_count--;
	ck_ok(rig_put("shop", "a", "2"));
}
END_TEST

/* It says that there is another newest one, and shows none. */
static void
newer_key(struct rig_call *x)
{
	static const uint8_t newer[8] = {
	    0, 0, 0, 0, 0, 0, 0, CLV_PUT_NEWER_KEY};

	if (x->stmt == CLV_STMT_PUT_SECRETS)
		((struct db_field *)(uintptr_t)x->result.fields)[0].p = newer;
}

START_TEST(a_newer_data_key_that_never_shows_is_not_waited_for)
{
	unsigned keys;

	ck_ok(rig_put("shop", "a", "1"));
	keys = rig.sent[CLV_STMT_GET_KEYS];
	rig.forge = newer_key;
	ck_assert_int_ne(rig_put("shop", "b", "1")->result, CLV_OK);
	ck_assert_uint_le(rig.sent[CLV_STMT_GET_KEYS], keys + 2);
	ck_assert_uint_le(rig.sent[CLV_STMT_PUT_SECRETS], 3);
}
END_TEST

START_TEST(an_unknown_generation_needs_the_server)
{
	struct rig_app *shop = rig_app("shop");

	ck_ok(rig_put("shop", "a", "1"));
	rig_add_key("shop", 2, 2);
	ck_fails(rig_put("shop", "a", "2"), CLV_E_GENERATION, "generation");
	ck_ok(rig_get("shop", "a"));		/* under a key that is here */
	ck_assert_ptr_nonnull(rig.member.next); /* it is asked for */
	rig_generations(2);
	vault_on_keys(rig.vault);
	ck_ok(rig_put("shop", "a", "2"));
	ck_is(rig_get("shop", "a"), "2");
	/* What was rewrapped meanwhile, on a host that starts. */
	rig_generations(1);
	rig_restart();
	shop->keys[0].generation = 2;
	ck_fails(
	    rig_get("shop", "a"), CLV_E_GENERATION, "generation 2 is unknown");
}
END_TEST

START_TEST(a_record_under_a_key_that_cannot_be_opened)
{
	ck_ok(rig_put("shop", "a", "1"));
	rig_add_key("shop", 2, 2);
	rig_generations(2);
	ck_ok(rig_put("shop", "b", "2"));
	rig_generations(1);
	rig_restart();
	ck_fails(rig_get("shop", "b"), CLV_E_GENERATION, "server is needed");
	ck_is(rig_get("shop", "a"), "1");
}
END_TEST

START_TEST(no_data_key_at_all)
{
	ck_ok(rig_put("shop", "a", "1"));
	rig_app("shop")->key_count = 1;
	rig_restart();
	ck_assert_int_ne(rig_put("shop", "a", "2")->result, CLV_OK);
	ck_assert_int_ne(rig_get("shop", "a")->result, CLV_OK);
	vault_seal(rig.vault, "shop", "", "x", 1, rig_on_reply, &a);
	rig_settle();
	ck_assert_uint_eq(a.times, 1);
	ck_assert_int_ne(a.result, CLV_OK);
}
END_TEST

/* Rows without an end. */
static void
endless(struct rig_call *x)
{
	struct db_field *f;
	size_t n = VAULT_PAGE + 1;

	if (x->stmt != CLV_STMT_GET_CHANGES || x->result.rows < 2)
		return;
	f = calloc(n * 7, sizeof(*f));
	ck_assert_ptr_nonnull(f);
	for (size_t i = 0; i < n; i++)
		memcpy(&f[i * 7], x->result.fields, 7 * sizeof(*f));
	free((void *)(uintptr_t)x->result.fields);
	x->result.fields = f;
	x->result.rows = n;
}

START_TEST(pages_without_an_end_are_refused)
{
	ck_ok(rig_put("shop", "a", "1"));
	rig_restart();
	rig.forge = endless;
	ck_fails(rig_get("shop", "a"), CLV_E_DAMAGED, "application shop");
}
END_TEST

START_TEST(an_application_that_was_made_anew)
{
	struct rig_app *shop;

	ck_ok(rig_put("shop", "a", "1"));
	rig_drop_app("shop");
	ck_assert_int_ne(rig_get("shop", "a")->result, CLV_OK);
	rig_app("")->counter = 10;
	shop = rig_add_app("shop", 1);
	ck_assert_uint_eq(shop->counter, 10);
	ck_fails(rig_get("shop", "a"), CLV_E_NOT_FOUND, "no secret a");
	ck_ok(rig_put("shop", "a", "2"));
	ck_is(rig_get("shop", "a"), "2");
	rig_drop_app("shop");
	rig_app("")->counter = 20;
	rig_add_app("shop", 1);
	ck_ok(rig_put("shop", "a", "3"));
	ck_is(rig_get("shop", "a"), "3");
	rig_restart();
	ck_is(rig_get("shop", "a"), "3");
}
END_TEST

/* Sealing. */

START_TEST(what_was_sealed_opens)
{
	static struct rig_got sealed;

	vault_seal(rig.vault, "shop", "invoices/1", "geheim", 6, rig_on_reply,
	    &sealed);
	rig_settle();
	ck_ok(&sealed);
	ck_assert_uint_eq(sealed.len, 6 + CLV_RECORD_EXTRA);
	vault_unseal(rig.vault, "shop", "invoices/1", sealed.value, sealed.len,
	    rig_on_reply, &a);
	ck_is(&a, "geheim");
	vault_unseal(rig.vault, "shop", "invoices/2", sealed.value, sealed.len,
	    rig_on_reply, &b);
	ck_fails(&b, CLV_E_DAMAGED, "context");
	rig_add_app("bank", 1);
	vault_unseal(rig.vault, "bank", "invoices/1", sealed.value, sealed.len,
	    rig_on_reply, &c);
	rig_settle();
	ck_fails(&c, CLV_E_DAMAGED, "another application");
	sealed.value[4] = 9; /* a data key that never was */
	vault_unseal(rig.vault, "shop", "invoices/1", sealed.value, sealed.len,
	    rig_on_reply, &d);
	rig_settle();
	ck_fails(&d, CLV_E_NOT_FOUND, "data key");
}
END_TEST

START_TEST(a_record_is_nothing_that_was_sealed)
{
	struct rig_row *row;

	ck_ok(rig_put("shop", "a", "1"));
	row = rig_row("shop", "a", 0);
	vault_unseal(
	    rig.vault, "shop", "a", row->record, row->len, rig_on_reply, &a);
	ck_fails(&a, CLV_E_DAMAGED, "");
}
END_TEST

START_TEST(sealing_has_its_limits)
{
	static uint8_t big[CLV_VALUE_MAX + CLV_RECORD_EXTRA + 1];
	static struct rig_got sealed;
	char context[300];

	vault_seal(
	    rig.vault, "shop", "", big, CLV_VALUE_MAX, rig_on_reply, &sealed);
	rig_settle();
	ck_ok(&sealed);
	vault_unseal(
	    rig.vault, "shop", "", sealed.value, sealed.len, rig_on_reply, &a);
	ck_ok(&a);
	ck_assert_uint_eq(a.len, CLV_VALUE_MAX);
	vault_seal(
	    rig.vault, "shop", "", big, CLV_VALUE_MAX + 1, rig_on_reply, &b);
	ck_fails(&b, CLV_E_FULL, "");
	vault_unseal(rig.vault, "shop", "", big, sizeof(big), rig_on_reply, &c);
	ck_fails(&c, CLV_E_FULL, "");
	memset(context, 'c', sizeof(context));
	context[256] = '\0';
	vault_seal(rig.vault, "shop", context, "", 0, rig_on_reply, &d);
	ck_fails(&d, CLV_E_INVALID, "255");
	context[255] = '\0';
	memset(&d, 0, sizeof(d));
	vault_seal(rig.vault, "shop", context, "", 0, rig_on_reply, &d);
	ck_ok(&d);
	for (size_t i = 0; i < CLV_RECORD_EXTRA; i++) {
		memset(&c, 0, sizeof(c));
		vault_unseal(
		    rig.vault, "shop", context, d.value, i, rig_on_reply, &c);
		ck_fails(&c, CLV_E_FORMAT, "");
	}
	memset(&c, 0, sizeof(c));
	vault_unseal(rig.vault, "shop", context, d.value, CLV_RECORD_EXTRA,
	    rig_on_reply, &c);
	ck_is(&c, "");
}
END_TEST

START_TEST(sealing_needs_no_database_once_the_keys_are_here)
{
	vault_seal(rig.vault, "shop", "", "x", 1, rig_on_reply, &a);
	rig_settle();
	rig.away = true;
	vault_unseal(rig.vault, "shop", "", a.value, a.len, rig_on_reply, &b);
	ck_is(&b, "x");
	rig_restart();
	vault_unseal(rig.vault, "shop", "", a.value, a.len, rig_on_reply, &c);
	ck_fails(&c, CLV_E_DATABASE_AWAY, "");
}
END_TEST

static const struct rig_got *
seal(const char *value, struct rig_got *g)
{
	memset(g, 0, sizeof(*g));
	vault_seal(
	    rig.vault, "shop", "c", value, strlen(value), rig_on_reply, g);
	rig_settle();
	return g;
}

static const struct rig_got *
unseal(const struct rig_got *sealed, struct rig_got *g)
{
	memset(g, 0, sizeof(*g));
	vault_unseal(rig.vault, "shop", "c", sealed->value, sealed->len,
	    rig_on_reply, g);
	rig_settle();
	return g;
}

/* Which data key it was sealed under. */
static uint32_t
key_of(const struct rig_got *g)
{
	uint32_t version = 0;

	ck_ok(g);
	ck_assert_int_eq(
	    clv_record_key_version(g->value, g->len, &version), CLV_OK);
	return version;
}

START_TEST(a_new_data_key_seals_from_the_next_refresh_on)
{
	unsigned asked_before;

	ck_assert_uint_eq(key_of(seal("x", &a)), 1);
	rig_add_key("shop", 2, 1);
	ck_assert_uint_eq(key_of(seal("x", &b)), 1);
	vault_on_refresh(rig.vault);
	asked_before = rig.sent[CLV_STMT_GET_CHANGES];
	ck_assert_uint_eq(key_of(seal("x", &b)), 2);
	ck_assert_uint_eq(key_of(seal("x", &b)), 2);
	ck_assert_uint_eq(key_of(seal("x", &b)), 2);
	ck_assert_uint_le(rig.sent[CLV_STMT_GET_CHANGES], asked_before + 2);
	ck_is(unseal(&b, &c), "x");
	ck_is(unseal(&a, &c), "x"); /* data keys are never given up */
	/* ... or when it is met in a write. */
	rig_add_key("shop", 3, 1);
	ck_ok(rig_put("shop", "a", "1"));
	ck_assert_uint_eq(key_of(seal("x", &b)), 3);
	ck_assert_uint_eq(rig.errors, 0);
}
END_TEST

START_TEST(what_another_host_sealed_under_a_new_data_key_opens)
{
	unsigned keys;

	ck_ok(seal("old", &a));
	rig_add_key("shop", 2, 1);
	rig_restart(); /* the other host */
	ck_assert_uint_eq(key_of(seal("new", &b)), 2);
	rig_restart();
	rig_app("shop")->key_count--; /* ... before there is that one */
	vault_unseal(rig.vault, "shop", "c", a.value, a.len, rig_on_reply, &c);
	rig_answer(rig_call(0));
	rig_app("shop")->key_count++;
	rig_settle();
	ck_is(&c, "old");
	keys = rig.sent[CLV_STMT_GET_KEYS];
	ck_is(unseal(&b, &d), "new");
	ck_assert_uint_eq(rig.sent[CLV_STMT_GET_KEYS], keys + 1);
	ck_assert_uint_eq(rig.errors, 0);
}
END_TEST

/* Whatever it claims: it costs two questions for what is new, no more. */
START_TEST(rubbish_makes_no_key_be_loaded)
{
	unsigned keys, changes;

	ck_ok(seal("x", &a));
	keys = rig.sent[CLV_STMT_GET_KEYS];
	changes = rig.sent[CLV_STMT_GET_CHANGES];
	for (uint8_t i = 2; i < 12; i++) {
		a.value[4] = i;
		a.value[1] = i % 2 == 0 ? 0 : 0xff;
		ck_fails(unseal(&a, &b), CLV_E_NOT_FOUND, "data key");
	}
	ck_assert_uint_eq(rig.sent[CLV_STMT_GET_KEYS], keys);
	ck_assert_uint_le(rig.sent[CLV_STMT_GET_CHANGES], changes + 20);
	rig.away = true;
	ck_fails(unseal(&a, &b), CLV_E_DATABASE_AWAY, "");
	ck_ok(seal("x", &b));
	ck_is(unseal(&b, &c), "x");
}
END_TEST

START_TEST(without_the_database_the_newest_seals_on)
{
	ck_ok(seal("x", &a));
	rig.away = true;
	vault_on_refresh(rig.vault);
	ck_ok(seal("y", &a));
	ck_is(unseal(&a, &b), "y");
	/* The server knows of a write that may have been a new data key. */
	heads_raise(rig.k.heads, "shop", 9);
	ck_fails(seal("z", &b), CLV_E_DATABASE_AWAY, "");
	ck_is(unseal(&a, &b), "y");
}
END_TEST

/* Removed, and made again under the same name, between two refreshes. */
START_TEST(nothing_is_sealed_for_an_application_that_is_dead)
{
	struct rig_app *shop;

	ck_ok(seal("dead", &a));
	ck_ok(rig_put("shop", "a", "dead"));
	rig_drop_app("shop");
	rig_app("")->counter = 10;
	rig_add_app("shop", 1);
	heads_raise(rig.k.heads, "shop", 10); /* the server says */
	vault_on_refresh(rig.vault);
	ck_ok(seal("alive", &b));
	/* Neither what was read of the other one. */
	ck_fails(rig_get_version("shop", "a", 0, true), CLV_E_NOT_FOUND, "a");
	rig_restart();
	ck_is(unseal(&b, &c), "alive");
	ck_fails(unseal(&a, &c), CLV_E_DAMAGED, "another application");
	/* ... and nobody makes another one: its manifest stays, with zeros */
	shop = rig_app("shop");
	shop->key_count = 0;
	shop->counter++;
	memset(shop->mac, 0, sizeof(shop->mac));
	vault_on_refresh(rig.vault);
	ck_fails(seal("dead", &a), CLV_E_NOT_FOUND, "no keys of application");
}
END_TEST

/* Ends. */

START_TEST(whoever_waits_is_told_of_the_end)
{
	struct rig_call *call;

	get_begin("a", &a);
	rig_put_begin("shop", "b", "1", 0, &b);
	vault_seal(rig.vault, "shop", "", "x", 1, rig_on_reply, &c);
	while (rig.calls != NULL)
		rig_fail_call(rig.calls, CLV_E_CANCELLED);
	ck_fails(&a, CLV_E_CANCELLED, "");
	ck_fails(&b, CLV_E_CANCELLED, "");
	ck_fails(&c, CLV_E_CANCELLED, "");
	/* A write that was sent may have been done. */
	ck_ok(rig_put("shop", "x", "1"));
	rig_put_begin("shop", "b", "1", 0, &b);
	rig_put_begin("shop", "c", "1", 0, &c);
	call = rig_call(0);
	rig.away = true;
	rig_fail_call(call, CLV_E_CANCELLED);
	ck_fails(&b, CLV_E_UNKNOWN, "");
	vault_free(&rig.vault);
	ck_assert_uint_eq(c.times, 1);
	ck_assert_int_ne(c.result, CLV_OK);
	ck_assert_int_eq(vault_new(&rig.k, &rig.vault), CLV_OK);
}
END_TEST

START_TEST(a_repeat_that_waits_ends_too)
{
	ck_ok(rig_put("shop", "x", "1"));
	rig_put_begin("shop", "b", "1", 0, &b);
	rig_fail_call(rig_call(0), CLV_E_UNKNOWN);
	rig_put_begin("shop", "c", "1", 0, &c);
	vault_free(&rig.vault);
	ck_fails(&b, CLV_E_UNKNOWN, "");
	ck_fails(&c, CLV_E_CANCELLED, "");
	ck_assert_int_eq(vault_new(&rig.k, &rig.vault), CLV_OK);
}
END_TEST

START_TEST(keys_that_are_taken_away_are_gone)
{
	size_t used;

	ck_ok(rig_put("shop", "a", "1"));
	get_begin("a", &a);
	rig_put_begin("shop", "b", "1", 0, &b);
	rig_put_begin("shop", "c", "1", 0, &c);
	clv_guard_put(rig.k.guard, rig.member.keys);
	rig.member.keys = NULL;
	rig.member.key_count = 0;
	vault_drop(rig.vault);
	ck_fails(&c, CLV_E_REVOKED, "taken away");
	rig_settle();
	ck_assert_uint_eq(a.times, 1);
	ck_assert_int_ne(a.result, CLV_OK);
	ck_assert_uint_eq(b.times, 1); /* was on its way */
	/* Not even what was just written stays. */
	used = clv_guard_used(rig.k.guard);
	ck_assert_uint_eq(used, 0);
	ck_assert_int_ne(rig_get_version("shop", "b", 0, true)->result, CLV_OK);
	/* Those who wait for keys are told so at once. */
	get_begin("a", &a);
	vault_drop(rig.vault);
	ck_fails(&a, CLV_E_REVOKED, "taken away");
	rig_settle();
	ck_assert_uint_eq(a.times, 1);
}
END_TEST

START_TEST(whoever_is_told_may_ask_again)
{
	rig.at_once = true;
	ck_ok(rig_put("shop", "a", "1"));
	ck_is(rig_get("shop", "a"), "1");
	rig_add_key("shop", 2, 1);
	ck_ok(rig_put("shop", "a", "2"));
	other_writes("a", "3");
	ck_ok(rig_put("shop", "a", "4"));
	ck_is(rig_get("shop", "a"), "4");
	rig_add_key("shop", 3, 2);
	ck_fails(rig_put("shop", "a", "5"), CLV_E_GENERATION, "generation");
}
END_TEST

/* Each answer asks for another application, of which only so many are open. */
static unsigned asked;

static void
on_next(void *arg, const struct vault_reply *r)
{
	char name[32];

	(void)r;
	if (asked >= 3 * VAULT_APPS_MAX)
		return;
	snprintf(name, sizeof(name), "app%u", asked++);
	vault_get(rig.vault, name, "a", 0, false, on_next, arg);
}

START_TEST(many_applications_take_turns)
{
	asked = 0;
	on_next(NULL, NULL);
	on_next(NULL, NULL);
	rig_settle();
	ck_assert_uint_eq(asked, 3 * VAULT_APPS_MAX);
	ck_ok(rig_put("shop", "a", "1"));
	asked = 0;
	on_next(NULL, NULL);
	rig_settle();
	ck_is(rig_get("shop", "a"), "1");
}
END_TEST

/* What was seen, on disk. */

static void
damage(const char *name)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", rig.dir, name);
	f = fopen(path, "r+");
	ck_assert_ptr_nonnull(f);
	fputc('x', f);
	fclose(f);
}

START_TEST(one_damaged_copy_is_survived)
{
	heads_raise(rig.k.heads, "shop", 9);
	heads_raise(rig.k.heads, "bank", 3);
	heads_raise(rig.k.heads, "shop", 8);
	rig_advance(2000);
	damage("heads");
	rig_restart();
	ck_assert_uint_eq(heads_get(rig.k.heads, "shop"), 9);
	heads_raise(rig.k.heads, "shop", 10);
	rig_restart();
	damage("heads.bak");
	rig_restart();
	ck_assert_uint_eq(heads_get(rig.k.heads, "shop"), 10);
	ck_assert_uint_eq(heads_get(rig.k.heads, "bank"), 3);
	ck_assert_uint_eq(heads_get(rig.k.heads, "none"), 0);
}
END_TEST

START_TEST(two_damaged_copies_are_not_guessed)
{
	struct heads *h = NULL;

	heads_raise(rig.k.heads, "shop", 9);
	rig_advance(2000);
	damage("heads");
	damage("heads.bak");
	ck_assert_int_eq(
	    heads_open(rig.k.loop, rig.dir, 1000, &h), CLV_E_DAMAGED);
	ck_assert_ptr_null(h);
	ck_assert_ptr_nonnull(strstr(rig.log, "damaged"));
}
END_TEST

static Suite *
vault_suite(void)
{
	Suite *s = suite_create("vault");
	TCase *t = tcase_create("use");

	tcase_add_checked_fixture(t, set_up, rig_fini);
	tcase_add_test(t, what_was_put_is_read);
	tcase_add_test(t, another_process_reads_it_too);
	tcase_add_test(t, nothing_and_the_largest_value_are_kept);
	tcase_add_test(t, what_was_deleted_is_gone);
	tcase_add_test(t, names_are_listed_in_order);
	tcase_add_test(t, history_has_every_version);
	tcase_add_test(t, names_are_checked);
	tcase_add_test(t, what_comes_meanwhile_goes_together);
	tcase_add_test(t, writers_in_two_camps_are_brought_together);
	tcase_add_test(t, nobody_waits_long_for_those_who_do_not_come);
	tcase_add_test(t, who_waits_for_others_is_told_when_the_vault_ends);
	tcase_add_test(t, the_same_name_twice_is_two_steps);
	tcase_add_test(t, the_first_writes_keep_their_order);
	tcase_add_test(t, many_writes_are_several_transactions);
	tcase_add_test(t, pending_values_are_bounded);
	tcase_add_test(t, small_values_do_not_use_up_guarded_memory);
	tcase_add_test(t, what_was_sealed_opens);
	tcase_add_test(t, a_record_is_nothing_that_was_sealed);
	tcase_add_test(t, sealing_has_its_limits);
	tcase_add_test(t, sealing_needs_no_database_once_the_keys_are_here);
	tcase_add_test(t, a_new_data_key_seals_from_the_next_refresh_on);
	tcase_add_test(t, what_another_host_sealed_under_a_new_data_key_opens);
	tcase_add_test(t, rubbish_makes_no_key_be_loaded);
	tcase_add_test(t, without_the_database_the_newest_seals_on);
	tcase_add_test(t, nothing_is_sealed_for_an_application_that_is_dead);
	suite_add_tcase(s, t);
	t = tcase_create("others");
	tcase_add_checked_fixture(t, set_up, rig_fini);
	tcase_add_test(t, a_conflict_is_tried_again);
	tcase_add_test(t, what_others_wrote_is_read);
	tcase_add_test(t, written_while_an_answer_is_on_its_way);
	tcase_add_test(t, always_written_meanwhile_is_no_damage);
	tcase_add_test(t, a_late_answer_does_not_make_the_cache_older);
	tcase_add_test(t, a_newer_data_key_is_fetched);
	tcase_add_test(t, a_data_key_that_is_made_while_the_rest_is_loaded);
	tcase_add_test(t, rewrapped_keys_that_are_here_are_not_lost);
	tcase_add_test(t, keys_that_change_while_the_index_is_loaded);
	tcase_add_test(t, an_operation_is_done_once);
	tcase_add_test(t, a_doubled_operation_id_harms_nobody_else);
	tcase_add_test(t, unknown_outcomes_are_repeated);
	tcase_add_test(t, without_a_database_nothing_is_written);
	tcase_add_test(t, a_refusal_after_a_doubt_is_a_doubt);
	tcase_add_test(t, an_older_epoch_in_the_database_is_waited_for);
	tcase_add_test(t, while_the_database_is_away_the_cache_serves);
	tcase_add_test(t, what_is_known_to_be_replaced_is_not_served);
	tcase_add_test(t, an_application_that_was_made_anew);
	suite_add_tcase(s, t);
	t = tcase_create("hostile");
	tcase_add_checked_fixture(t, set_up, rig_fini);
	tcase_add_test(t, a_record_of_another_name_is_found);
	tcase_add_test(t, a_record_of_another_application_is_found);
	tcase_add_test(t, an_older_version_is_found);
	tcase_add_test(t, a_missing_row_is_found);
	tcase_add_test(t, a_row_of_a_name_that_never_was_is_found);
	tcase_add_test(t, a_changed_byte_is_found);
	tcase_add_test(t, an_undone_deletion_is_found);
	tcase_add_test(t, a_database_that_went_back_is_found);
	tcase_add_test(t, what_the_server_has_seen_counts);
	tcase_add_test(t, a_foreign_manifest_is_found);
	tcase_add_test(t, a_missing_manifest_is_found);
	tcase_add_test(t, foreign_keys_are_found);
	tcase_add_test(t, a_newest_data_key_that_is_hidden_is_missed);
	tcase_add_test(t, a_data_key_of_a_dead_application_is_not_the_newest);
	tcase_add_test(t, a_data_key_too_many_is_found);
	tcase_add_test(t, a_newer_data_key_that_never_shows_is_not_waited_for);
	tcase_add_test(t, an_unknown_generation_needs_the_server);
	tcase_add_test(t, a_record_under_a_key_that_cannot_be_opened);
	tcase_add_test(t, no_data_key_at_all);
	tcase_add_test(t, pages_without_an_end_are_refused);
	suite_add_tcase(s, t);
	t = tcase_create("ends");
	tcase_add_checked_fixture(t, set_up, rig_fini);
	tcase_add_test(t, whoever_waits_is_told_of_the_end);
	tcase_add_test(t, a_repeat_that_waits_ends_too);
	tcase_add_test(t, keys_that_are_taken_away_are_gone);
	tcase_add_test(t, whoever_is_told_may_ask_again);
	tcase_add_test(t, many_applications_take_turns);
	tcase_add_test(t, one_damaged_copy_is_survived);
	tcase_add_test(t, two_damaged_copies_are_not_guessed);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	SRunner *r = srunner_create(vault_suite());
	int failed;

	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
