/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <claviger/result.h>
#include "daemon/keeper/peer_msg.h"
#include "suite.h"

static const uint8_t system_id[16] = {1, 2, 3};
static const uint8_t ours[16] = {9};

static const struct peer_msg examples[] = {
    {.kind = PEER_PROPOSE, .from = 1, .voice = {{5}, 7}, .epoch = 257},
    {.kind = PEER_PROMISE,
	.from = 2,
	.voice = {{6}, UINT64_MAX},
	.to = {4},
	.epoch = 513,
	.accepted = true,
	.highest = 514},
    {.kind = PEER_ALIVE,
	.from = 3,
	.voice = {{7}, 1},
	.list_version = 12,
	.epoch = 600,
	.role = PEER_PROMOTING},
    {.kind = PEER_UNLOCKED,
	.from = 255,
	.voice = {{8}, 2},
	.list_version = 13,
	.generation = 4,
	.epoch = 601,
	.role = PEER_SERVING},
    {.kind = PEER_PROVE, .from = 4, .voice = {{9}, 3}},
};
#define EXAMPLES (sizeof(examples) / sizeof(examples[0]))

static void
format(const struct peer_msg *m, const struct peer_voice *heard, size_t n,
    struct clv_buf *b)
{
	clv_buf_init(b);
	peer_msg_format(m, system_id, heard, n, b);
	ck_assert_int_eq(clv_buf_result(b), CLV_OK);
}

START_TEST(what_is_formatted_is_parsed)
{
	const struct peer_msg *m = &examples[_i];
	struct peer_msg back;
	struct clv_buf b;

	format(m, NULL, 0, &b);
	ck_assert_int_eq(
	    peer_msg_parse(b.data, b.len, system_id, ours, &back), CLV_OK);
	ck_assert_int_eq(back.kind, m->kind);
	ck_assert_uint_eq(back.from, m->from);
	ck_assert_mem_eq(back.voice.instance, m->voice.instance, 16);
	ck_assert_uint_eq(back.voice.stamp, m->voice.stamp);
	ck_assert_uint_eq(back.echo, 0);
	ck_assert_uint_eq(back.epoch, m->epoch);
	ck_assert_mem_eq(back.to, m->to, 16);
	ck_assert_int_eq(back.accepted, m->accepted);
	ck_assert_uint_eq(back.highest, m->highest);
	ck_assert_uint_eq(back.list_version, m->list_version);
	ck_assert_uint_eq(back.generation, m->generation);
	ck_assert_int_eq(back.role, m->role);
	clv_buf_fini(&b);
}
END_TEST

START_TEST(our_newest_stamp_is_found_among_what_was_heard)
{
	struct peer_voice heard[PEER_ECHOES_MAX] = {{{0}, 0}};
	struct peer_msg back;
	struct clv_buf b;

	for (unsigned i = 0; i < PEER_ECHOES_MAX; i++)
		heard[i].stamp = 1000 + i;
	memcpy(heard[3].instance, ours, 16);
	heard[3].stamp = 40;
	memcpy(heard[200].instance, ours, 16);
	heard[200].stamp = 30;
	format(&examples[_i], heard, PEER_ECHOES_MAX, &b);
	/* It fits into what the front multicasts. */
	ck_assert_uint_lt(b.len + 64, 16384);
	ck_assert_int_eq(
	    peer_msg_parse(b.data, b.len, system_id, ours, &back), CLV_OK);
	ck_assert_uint_eq(back.echo, 40);
	ck_assert_uint_eq(back.epoch, examples[_i].epoch);
	clv_buf_fini(&b);
}
END_TEST

START_TEST(one_that_is_cut_or_longer_is_refused)
{
	const struct peer_voice heard[2] = {{{1}, 1}, {{2}, 2}};
	struct peer_msg back;
	struct clv_buf b;

	format(&examples[_i], heard, 2, &b);
	for (size_t len = 0; len < b.len; len++)
		ck_assert_int_eq(
		    peer_msg_parse(b.data, len, system_id, ours, &back),
		    CLV_E_FORMAT);
	clv_buf_u8(&b, 0);
	ck_assert_int_eq(peer_msg_parse(b.data, b.len, system_id, ours, &back),
	    CLV_E_FORMAT);
	clv_buf_fini(&b);
}
END_TEST

START_TEST(kinds_and_roles_that_are_none_are_not_taken_for_one)
{
	struct peer_msg back;
	struct clv_buf b;

	format(&examples[3], NULL, 0, &b);
	for (unsigned role = 0; role < 256; role++) {
		b.data[b.len - 1] = (uint8_t)role;
		ck_assert_int_eq(
		    peer_msg_parse(b.data, b.len, system_id, ours, &back),
		    CLV_OK);
		ck_assert_int_eq(
		    back.role, role <= PEER_SERVING ? (int)role : PEER_UNKNOWN);
	}
	for (unsigned kind = 0; kind < 256; kind++) {
		if (peer_msg_domain((enum peer_kind)kind) != NULL)
			continue;
		b.data[0] = (uint8_t)kind;
		ck_assert_int_eq(
		    peer_msg_parse(b.data, b.len, system_id, ours, &back),
		    CLV_E_FORMAT);
	}
	clv_buf_fini(&b);
}
END_TEST

START_TEST(another_systems_message_is_told_apart)
{
	struct peer_msg back;
	struct clv_buf b;

	format(&examples[0], NULL, 0, &b);
	b.data[1] ^= 1;
	ck_assert_int_eq(peer_msg_parse(b.data, b.len, system_id, ours, &back),
	    CLV_E_WRONG_SYSTEM);
	clv_buf_fini(&b);
}
END_TEST

/* No signature of one kind is one of another. */
START_TEST(each_kind_has_a_domain_of_its_own)
{
	for (int a = PEER_PROPOSE; a <= PEER_PROVE; a++) {
		const char *domain = peer_msg_domain((enum peer_kind)a);

		ck_assert_uint_eq(strlen(domain), 16);
		for (int b = PEER_PROPOSE; b < a; b++)
			ck_assert_str_ne(
			    domain, peer_msg_domain((enum peer_kind)b));
	}
	ck_assert(peer_msg_by_system(PEER_PROPOSE));
	ck_assert(peer_msg_by_system(PEER_UNLOCKED));
	ck_assert(peer_msg_by_system(PEER_PROVE));
	ck_assert(!peer_msg_by_system(PEER_PROMISE));
	ck_assert(!peer_msg_by_system(PEER_ALIVE));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("peer_msg");
	TCase *t = tcase_create("format");

	tcase_add_loop_test(t, what_is_formatted_is_parsed, 0, EXAMPLES);
	tcase_add_loop_test(
	    t, our_newest_stamp_is_found_among_what_was_heard, 0, EXAMPLES);
	tcase_add_loop_test(
	    t, one_that_is_cut_or_longer_is_refused, 0, EXAMPLES);
	tcase_add_test(t, kinds_and_roles_that_are_none_are_not_taken_for_one);
	tcase_add_test(t, another_systems_message_is_told_apart);
	tcase_add_test(t, each_kind_has_a_domain_of_its_own);
	suite_add_tcase(s, t);
	return suite_run(s);
}
