/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include "index_rig.h"

/* Against a model: all entries in an array, everything computed anew. */

#define NAMES 40
#define SEEDS 20 /* each an order of events: the number of the loop */
#define STEPS 2000

struct state {
	uint64_t version; /* 0: not there */
	bool deleted;
	uint8_t hash[32];
};
static struct model {
	struct state committed[NAMES], staged[NAMES];
	uint64_t counter;
	uint8_t link[2 * STEPS][CLV_LINK_LEN]; /* by counter */
} model;
static char model_names[NAMES][8];

static uint64_t dice;

static unsigned
pick(unsigned n)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (unsigned)((dice >> 11) % n);
}

/* One counter after the other, as far as there are links. */
static void
model_links(uint64_t counter, uint8_t *ret)
{
	for (uint64_t ago = 1; ago <= CLV_MANIFEST_LINKS; ago++) {
		memset(ret, 0, CLV_LINK_LEN);
		if (ago <= counter && counter >= model.counter &&
		    counter - ago <= model.counter)
			memcpy(ret, model.link[counter - ago], CLV_LINK_LEN);
		ret += CLV_LINK_LEN;
	}
}

static void
model_mac(uint64_t counter, uint8_t ret[static CLV_MANIFEST_MAC_LEN])
{
	uint8_t *links = ret + CLV_MANIFEST_HEAD_LEN;
	static const uint8_t no_key[36];
	struct clv_buf b = {0};
	uint8_t sum[32] = {0}, entry[32];
	uint64_t count = 0;
	unsigned carry;
	size_t i, j;

	for (i = 0; i < NAMES; i++) {
		if (model.staged[i].version == 0)
			continue;
		count++;
		clv_buf_str(&b, model_names[i]);
		clv_buf_u64(&b, model.staged[i].version);
		clv_buf_u8(&b, model.staged[i].deleted);
		clv_buf_raw(&b, model.staged[i].hash, 32);
		crypto_generichash_blake2b_salt_personal(entry, 32, b.data,
		    b.len, key, 32, NULL, (const uint8_t *)"claviger-index01");
		clv_buf_reset(&b);
		for (carry = 0, j = 0; j < 32; j++) {
			carry += (unsigned)sum[j] + entry[j];
			sum[j] = (uint8_t)carry;
			carry >>= 8;
		}
	}
	clv_buf_raw(&b, system_id, 16);
	clv_buf_str(&b, "crm");
	clv_buf_u64(&b, counter);
	clv_buf_u64(&b, count);
	clv_buf_raw(&b, sum, 32);
	clv_buf_raw(&b, no_key, sizeof(no_key));
	model_links(counter, links);
	clv_buf_raw(&b, links, CLV_MANIFEST_LINKS * CLV_LINK_LEN);
	memcpy(ret, no_key, sizeof(no_key));
	crypto_generichash_blake2b_salt_personal(ret + sizeof(no_key), 32,
	    b.data, b.len, key, 32, NULL, (const uint8_t *)"claviger-manifst");
	clv_buf_fini(&b);
}

static int
model_stage(struct state *s, const struct clv_change *c)
{
	if (c->version < s->version)
		return CLV_E_STALE;
	if (s->version != 0 && c->version == s->version &&
	    c->deleted != s->deleted)
		return CLV_E_DAMAGED;
	s->version = c->version;
	s->deleted = c->deleted;
	memcpy(s->hash, c->record_hash, sizeof(s->hash));
	return CLV_OK;
}

static void
step_stage(void)
{
	unsigned i = pick(NAMES);
	struct state *s = &model.staged[i];
	uint64_t version = s->version + pick(3);
	uint8_t content = (uint8_t)(1 + pick(3));
	struct clv_change c;

	version -= version > 1 && pick(4) == 0;
	version += version == 0;
	c = row(model_names[i], version, content);
	if (pick(4) == 0)
		c = tombstone(model_names[i], version);
	ck_assert_int_eq(model_stage(s, &c), clv_index_stage(x, &c));
}

static void
step_commit(void)
{
	uint64_t counter = model.counter + pick(3);
	bool changed =
	    memcmp(model.staged, model.committed, sizeof(model.staged)) != 0;
	uint8_t mac[CLV_MANIFEST_MAC_LEN];
	int want = CLV_OK;

	counter -= counter > 0 && pick(8) == 0;
	model_mac(counter, mac);
	if (counter == model.counter && changed)
		want = CLV_E_DAMAGED;
	if (pick(4) == 0) {
		mac[pick(sizeof(mac))] ^= 1;
		want = CLV_E_DAMAGED;
	}
	if (counter < model.counter)
		want = CLV_E_STALE;
	ck_assert_int_eq(clv_index_commit(x, counter, mac), want);
	if (want == CLV_OK) {
		memcpy(model.committed, model.staged, sizeof(model.staged));
		model.counter = counter;
		memcpy(model.link[counter], mac + 36, CLV_LINK_LEN);
	} else
		memcpy(model.staged, model.committed, sizeof(model.staged));
}

static void
step_abort(void)
{
	clv_index_abort(x);
	memcpy(model.staged, model.committed, sizeof(model.staged));
}

static void
step_look(void)
{
	size_t i, count = 0;
	const struct state *s;
	uint8_t mac[CLV_MANIFEST_MAC_LEN], want[CLV_MANIFEST_MAC_LEN];
	const char *at = "";
	uint64_t v;
	bool deleted;

	for (i = 0; i < NAMES; i++) {
		s = &model.committed[i];
		count += s->version != 0;
		if (s->version != 0 && !s->deleted) {
			at = clv_index_next(x, at, &v);
			ck_assert_ptr_nonnull(at);
			ck_assert_str_eq(at, model_names[i]);
			ck_assert_uint_eq(v, s->version);
		}
		ck_assert_int_eq(clv_index_check(x, model_names[i], s->version,
				     s->deleted, s->hash),
		    s->version == 0 || s->deleted ? CLV_E_NOT_FOUND : CLV_OK);
		ck_assert_int_eq(
		    clv_index_find(x, model_names[i], &v, &deleted),
		    s->version == 0 ? CLV_E_NOT_FOUND : CLV_OK);
	}
	ck_assert_ptr_null(clv_index_next(x, at, &v));
	ck_assert_uint_eq(clv_index_count(x), count);
	ck_assert_uint_eq(clv_index_counter(x), model.counter);
	clv_index_mac(x, 5, mac);
	model_mac(5, want);
	ck_assert_mem_eq(mac, want, sizeof(mac));
}

static void
step(void)
{
	unsigned what = pick(100);

	if (what < 70)
		step_stage();
	else if (what < 80)
		step_commit();
	else if (what < 90)
		step_abort();
	else
		step_look();
}

START_TEST(thousands_of_steps_are_as_a_model_says)
{
	unsigned i;

	dice = ((uint64_t)_i + 1) * UINT64_C(0x9e3779b97f4a7c15);
	clv_index_free(&x);
	x = new_index("crm");
	memset(&model, 0, sizeof(model));
	for (i = 0; i < NAMES; i++) /* in the order of the bytes */
		snprintf(model_names[i], sizeof(model_names[i]), "n%02u", i);
	model_mac(0, db.mac);
	ck_assert_int_eq(clv_index_commit(x, 0, db.mac), CLV_OK);
	memcpy(model.link[0], db.mac + 36, CLV_LINK_LEN);
	for (i = 0; i < STEPS; i++)
		step();
	step_abort();
	step_look();
}
END_TEST

#define MANY 100000

static const char *
nth_name(char buf[static 32], unsigned n)
{
	/* scattered: 7919 and MANY have no common divisor */
	snprintf(buf, 32, "service/%06u", n * 7919u % MANY);
	return buf;
}

static void
stage_range(struct clv_index *i, unsigned from, unsigned to, uint64_t version)
{
	char name[32];

	for (; from < to; from++)
		stage(i, row(nth_name(name, from), version, (uint8_t)from));
}

static void
commit_next(struct clv_index *i)
{
	uint64_t counter = clv_index_counter(i) + 1;
	uint8_t mac[CLV_MANIFEST_MAC_LEN];

	clv_index_mac(i, counter, mac);
	ck_assert_int_eq(clv_index_commit(i, counter, mac), CLV_OK);
}

START_TEST(a_hundred_thousand_entries_are_held_and_listed)
{
	struct clv_index *i = new_index("crm");
	char name[32];
	const char *at = "";
	uint64_t v;
	unsigned n;

	stage_range(i, 0, MANY / 2, 1);
	commit_next(i);
	ck_assert_str_eq(clv_index_next(i, "", &v), "service/000000");
	stage_range(i, MANY / 4, MANY, 2);
	commit_next(i);
	ck_assert_uint_eq(clv_index_count(i), MANY);
	for (n = 0; n < MANY; n++) {
		at = clv_index_next(i, at, &v);
		snprintf(name, sizeof(name), "service/%06u", n);
		ck_assert_str_eq(at, name);
	}
	ck_assert_ptr_null(clv_index_next(i, at, &v));
	clv_index_free(&i);
}
END_TEST

START_TEST(a_large_abort_leaves_the_rest_where_it_was)
{
	struct clv_index *i = new_index("crm");
	uint8_t before[CLV_MANIFEST_MAC_LEN], after[CLV_MANIFEST_MAC_LEN];
	char name[32];
	uint64_t v;
	bool deleted;
	unsigned n;

	stage_range(i, 0, 5000, 1);
	commit_next(i);
	clv_index_mac(i, 9, before);
	stage_range(i, 2500, 30000, 2);
	clv_index_abort(i);
	clv_index_mac(i, 9, after);
	ck_assert_mem_eq(before, after, sizeof(before));
	for (n = 0; n < 30000; n++)
		ck_assert_int_eq(
		    clv_index_find(i, nth_name(name, n), &v, &deleted),
		    n < 5000 ? CLV_OK : CLV_E_NOT_FOUND);
	stage_range(i, 2500, 30000, 2);
	commit_next(i);
	ck_assert_uint_eq(clv_index_count(i), 30000);
	clv_index_free(&i);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("index_model");
	TCase *t = add_cases(s, "many_steps_and_many_names");

	if (sodium_init() < 0)
		return 1;
	tcase_add_loop_test(
	    t, thousands_of_steps_are_as_a_model_says, 0, SEEDS);
	tcase_add_test(t, a_hundred_thousand_entries_are_held_and_listed);
	tcase_add_test(t, a_large_abort_leaves_the_rest_where_it_was);
	return run_suite(s);
}
