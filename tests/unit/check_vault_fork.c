/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdio.h>

#include "suite.h"
#include "vault_rig.h"

/*
 * A database that was set back and then written on by a host that did not see
 * what was lost: whoever did finds it, though its counter is as high again, and
 * nobody else is held up.
 */

#define ck_ok(g) \
	do { \
		const struct rig_got *g_ = (g); \
		ck_assert_msg(g_->result == CLV_OK, "%s", g_->text); \
	} while (0)
#define ck_is(g, v) \
	do { \
		const struct rig_got *g_ = (g); \
		ck_assert_msg(rig_is(g_, v), "%d: %s", g_->result, g_->text); \
	} while (0)
#define ck_fails(g, r, part) \
	do { \
		const struct rig_got *g_ = (g); \
		ck_assert_msg( \
		    g_->result == (r) && strstr(g_->text, part) != NULL, \
		    "%d: %s", g_->result, g_->text); \
	} while (0)

static void
write_n(const char *name, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		ck_ok(rig_put("shop", name, "x"));
		if (i > 0)
			rig_remove_row(rig_row("shop", name,
			    rig_row("shop", name, 0)->version - 1));
	}
}

/* Counter 2 with a = 1; this host sees 2 + lost, and then all of it is lost and
 * the other one goes on from 2. */
static void
fork_off(unsigned lost, unsigned written)
{
	struct rig_tables before;

	ck_ok(rig_put("shop", "a", "1"));
	rig_save(&before);
	write_n("b", lost);
	rig_restore(&before);
	rig_swap();
	write_n("b", written);
	rig_swap();
}

static void
ck_forked(const char *name)
{
	size_t rows = rig.db.row_count;

	ck_fails(rig_get("shop", name), CLV_E_FORKED, "went another way");
	ck_fails(rig_put("shop", name, "2"), CLV_E_FORKED, "application shop");
	ck_fails(rig_put("shop", "c", "2"), CLV_E_FORKED, "written on");
	ck_assert_uint_eq(rig.db.row_count, rows);
	ck_assert_ptr_nonnull(strstr(rig.log, "went another way"));
}

START_TEST(it_is_found_after_a_restart)
{
	fork_off(3, 3 + (unsigned)_i);
	rig_restart();
	ck_forked("a");
	rig_restart();
	ck_forked("b");
	rig_swap(); /* whoever did not see it is not held up */
	ck_is(rig_get("shop", "a"), "1");
	ck_ok(rig_put("shop", "a", "2"));
	rig_restart();
	ck_is(rig_get("shop", "a"), "2");
}
END_TEST

/* All that was lost has been written anew: it fits what is held. */
START_TEST(it_is_found_with_the_index_in_memory)
{
	fork_off(3, 3 + (unsigned)_i);
	ck_forked("a");
}
END_TEST

START_TEST(it_is_found_as_long_as_the_manifest_goes_back)
{
	fork_off(3, 3 + CLV_MANIFEST_LINKS);
	rig_restart();
	ck_forked("a");
	rig_swap();
	ck_ok(rig_put("shop", "a", "2"));
	rig_swap();
	rig_restart(); /* then it cannot be told */
	ck_is(rig_get("shop", "a"), "2");
	ck_ok(rig_put("shop", "a", "3"));
}
END_TEST

START_TEST(what_the_server_says_does_not_hide_it)
{
	struct clv_head said;

	fork_off(3, 5);
	rig_swap();
	said = heads_look(rig.k.heads, "shop");
	rig_swap();
	ck_assert_uint_eq(said.counter, 7);
	ck_assert_uint_eq(said.linked, 7);
	heads_learn(rig.k.heads, "shop", &said);
	ck_assert_uint_eq(heads_get(rig.k.heads, "shop"), 7);
	rig_restart();
	ck_forked("a");
}
END_TEST

START_TEST(a_forged_manifest_is_not_called_another_way)
{
	ck_ok(rig_put("shop", "a", "1"));
	rig_app("shop")->counter++;
	rig_app("shop")->mac[36] ^= 1;
	ck_fails(rig_get("shop", "a"), CLV_E_DAMAGED, "from outside");
	rig_restart();
	ck_fails(rig_get("shop", "a"), CLV_E_DAMAGED, "from outside");
	rig_app("shop")->mac[36] ^= 1;
	rig_app("shop")->counter--;
	rig_app("shop")->mac[CLV_MANIFEST_MAC_LEN - 1] ^= 1;
	rig_restart();
	ck_fails(rig_get("shop", "a"), CLV_E_DAMAGED, "from outside");
}
END_TEST

/* No false alarm. */

START_TEST(an_application_made_anew_begins_anew)
{
	write_n("a", 5);
	rig_swap();
	ck_ok(rig_get("shop", "a"));
	rig_swap();
	rig_drop_app("shop");
	rig_app("")->counter = 8;
	rig_add_app("shop", 1);
	for (unsigned i = 0; i < 2; i++) { /* with an index, and without */
		ck_fails(rig_get("shop", "a"), CLV_E_NOT_FOUND, "no secret a");
		write_n("b", 3);
		rig_restart();
	}
	rig_swap(); /* it was away all the time */
	ck_is(rig_get("shop", "b"), "x");
	rig_restart();
	ck_is(rig_get("shop", "b"), "x");
	ck_assert_uint_eq(rig.errors, 0);
}
END_TEST

static struct rig_got slow;

/* A write is lost with the primary before its outcome was known, but not before
 * another host has read it; it is repeated as it was. */
START_TEST(a_write_that_is_repeated_is_the_same_one)
{
	struct rig_tables before;

	ck_ok(rig_put("shop", "x", "0"));
	rig_save(&before);
	rig_put_begin("shop", "a", "1", 0, &slow);
	rig_do(rig_call(0));
	rig_fail_call(rig_call(0), CLV_E_UNKNOWN);
	rig_swap();
	ck_is(rig_get("shop", "a"), "1");
	rig_restart();
	rig_swap();
	rig_restore(&before);
	rig_advance(1000);
	rig_settle();
	ck_ok(&slow);
	write_n("b", 3);
	rig_swap();
	ck_is(rig_get("shop", "a"), "1");
	ck_ok(rig_put("shop", "a", "2"));
	rig_swap();
	ck_is(rig_get("shop", "a"), "2");
	ck_assert_uint_eq(rig.errors, 0);
}
END_TEST

/* Two hosts write by turns; each sees the other's now and then. */
START_TEST(what_others_write_is_the_same_way)
{
	for (unsigned i = 0; i < 300; i++) {
		if (i % 7 == 0 || i % 11 == 0)
			rig_swap();
		write_n("a", 1 + i % 3);
		if (i % 5 == 0)
			rig_restart();
		if (rig.db.row_count > RIG_ROWS / 2)
			while (rig.db.row_count > 1)
				rig_remove_row(rig.db.rows[0].current
						   ? &rig.db.rows[1]
						   : &rig.db.rows[0]);
	}
	ck_assert_uint_eq(rig.errors, 0);
}
END_TEST

/* Another host, by way of the server, says that there was another way. */
START_TEST(whoever_went_along_goes_on)
{
	struct clv_head said;

	fork_off(3, 5);
	said = heads_look(rig.k.heads, "shop");
	rig_swap();
	heads_learn(rig.k.heads, "shop", &said);
	ck_is(rig_get("shop", "a"), "1");
	rig_restart();
	ck_ok(rig_put("shop", "a", "2"));
	ck_assert_uint_eq(rig.errors, 0);
}
END_TEST

/* An answer that was made before this host wrote arrives after it. */
START_TEST(an_answer_need_not_know_what_was_seen_since)
{
	struct clv_head later = {.counter = 9};
	struct rig_call *page;

	ck_ok(rig_put("shop", "a", "1"));
	rig_restart();
	memset(&slow, 0, sizeof(slow));
	vault_list(rig.vault, "shop", "", rig_on_reply, &slow);
	while (rig_call(0)->stmt != CLV_STMT_GET_CHANGES)
		rig_answer(rig_call(0));
	page = rig_call(0);
	rig_do(page);
	heads_learn(rig.k.heads, "shop", &later);
	rig_answer(page);
	rig_settle();
	ck_ok(&slow);
	ck_assert_uint_eq(rig.errors, 0);
	rig_restart();
	ck_fails(rig_get("shop", "a"), CLV_E_ROLLBACK, "older");
}
END_TEST

/* What stands on disk. */

static struct clv_head
head(uint64_t counter, uint64_t linked, uint8_t link)
{
	struct clv_head h = {.counter = counter, .linked = linked};

	memset(h.link, link, sizeof(h.link));
	return h;
}

static void
ck_head(uint64_t counter, uint64_t linked, uint8_t link)
{
	struct clv_head h = heads_look(rig.k.heads, "bank");

	ck_assert_uint_eq(h.counter, counter);
	ck_assert_uint_eq(h.linked, linked);
	for (size_t i = 0; i < sizeof(h.link); i++)
		ck_assert_uint_eq(h.link[i], link);
}

static void
learn(uint64_t counter, uint64_t linked, uint8_t link)
{
	struct clv_head h = head(counter, linked, link);

	heads_learn(rig.k.heads, "bank", &h);
}

START_TEST(our_link_counts_until_it_is_too_old)
{
	uint8_t mac[CLV_MANIFEST_MAC_LEN];

	ck_head(0, 0, 0);
	learn(5, 4, 'a'); /* we have none */
	ck_head(5, 4, 'a');
	learn(9, 9, 'b');
	ck_head(9, 4, 'a');
	rig_restart();
	ck_head(9, 4, 'a');
	learn(9, 4, 'c');
	ck_head(9, 4, 'a');
	learn(8, 0, 0);
	ck_head(9, 4, 'a');
	learn(200, 4 + CLV_MANIFEST_LINKS, 'd');
	ck_head(200, 4, 'a');
	learn(200, 5 + CLV_MANIFEST_LINKS, 'd');
	ck_head(200, 5 + CLV_MANIFEST_LINKS, 'd');
	heads_raise(rig.k.heads, "bank", 201);
	ck_head(201, 5 + CLV_MANIFEST_LINKS, 'd');
	memset(mac, 'e', sizeof(mac));
	heads_see(rig.k.heads, "bank", 202, mac); /* we have verified it */
	ck_head(202, 202, 'e');
	memset(mac, 'f', sizeof(mac));
	heads_see(rig.k.heads, "bank", 202, mac);
	heads_see(rig.k.heads, "bank", 190, mac);
	ck_head(202, 202, 'e');
	rig_restart();
	ck_head(202, 202, 'e');
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("vault_fork");
	TCase *t = suite_case(s, "another way", rig_init, rig_fini);

	tcase_add_loop_test(t, it_is_found_after_a_restart, 0, 3);
	tcase_add_loop_test(t, it_is_found_with_the_index_in_memory, 0, 3);
	tcase_add_test(t, it_is_found_as_long_as_the_manifest_goes_back);
	tcase_add_test(t, what_the_server_says_does_not_hide_it);
	tcase_add_test(t, a_forged_manifest_is_not_called_another_way);
	t = suite_case(s, "no alarm", rig_init, rig_fini);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, an_application_made_anew_begins_anew);
	tcase_add_test(t, a_write_that_is_repeated_is_the_same_one);
	tcase_add_test(t, what_others_write_is_the_same_way);
	tcase_add_test(t, whoever_went_along_goes_on);
	tcase_add_test(t, an_answer_need_not_know_what_was_seen_since);
	t = suite_case(s, "on disk", rig_init, rig_fini);
	tcase_add_test(t, our_link_counts_until_it_is_too_old);
	return suite_run(s);
}
