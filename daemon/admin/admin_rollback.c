/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "daemon/admin/admin_run.h"

/*
 * The database was restored to an older day, and that is accepted. The newest
 * list that is known here goes on: nothing that was revoked since comes back.
 * It gets a version above all that was seen anywhere, so that nobody has to
 * accept less. The database takes one version after the other, so the same
 * list is put under each that it lacks, the last one with the sealed copies.
 */

static void
say_newer(struct admin_change *c)
{
	ADMIN_SAY(c,
	    "the database is not older than what was seen here: its list has "
	    "version %llu",
	    (unsigned long long)c->db_list);
}

/* All server nodes are lost, and with them the list that named a generation
 * which members have: a backup has brought it, and it is current again. */
static int
go_on_with_seen(struct admin_change *c)
{
	const struct clv_keyring *k = c->new_keyring;
	uint32_t seen = c->seen_generation;
	int r = CLV_OK;

	if (seen <= clv_list_current(c->next)->number)
		return CLV_OK;
	for (size_t i = 0; r == CLV_OK && i < clv_keyring_count(k); i++) {
		uint32_t n = clv_keyring_number(k, i);

		if (n <= seen && clv_list_generation(c->next, n) == NULL)
			r = admin_describe_generation(c, n);
	}
	for (size_t i = 0; i < c->next->generation_count; i++) {
		struct clv_list_generation *g = &c->next->generations[i];

		if (g->number == seen)
			g->state = CLV_GEN_CURRENT;
		else if (g->number < seen && g->state <= CLV_GEN_CURRENT)
			g->state = CLV_GEN_RETIRED;
	}
	return r;
}

/* What hosts have seen and no server node has is lost, too: revocations, it may
 * be. */
static void
say_unknown(struct admin_change *c, uint64_t own)
{
	ADMIN_SAY(c,
	    "what was changed after list version %llu is lost: hosts have seen "
	    "version %llu, which no server node has, and whoever was revoked "
	    "in between is not revoked any more",
	    (unsigned long long)own, (unsigned long long)c->seen_list);
}

static int
answer(struct admin_change *c, uint64_t now)
{
	clv_buf_u64(&c->data, c->db_list);
	clv_buf_u64(&c->data, now);
	clv_buf_u64(&c->data, c->next->epoch);
	clv_buf_u64(&c->data, c->seen_list);
	return clv_buf_result(&c->data);
}

static int
go_on(struct admin_change *c)
{
	int r;

	if (c->next->version <= c->seen_list)
		c->next->version = c->seen_list + 1;
	r = admin_keyring_copy(c, &c->new_keyring);
	if (r == CLV_OK)
		r = go_on_with_seen(c);
	if (r == CLV_OK)
		r = admin_seal_to_all(c);
	return r == CLV_OK ? answer(c, c->next->version) : r;
}

int
admin_rollback(struct admin_change *c, struct clv_rd *args)
{
	uint64_t own = c->next->version - 1;
	uint64_t agreed = clv_rd_u64(args);

	if (clv_rd_end(args) != CLV_OK)
		return CLV_E_PROTOCOL;
	if (c->db_list >= own && c->db_list >= c->seen_list) {
		c->nothing = true;
		say_newer(c);
		return answer(c, own);
	}
	if (c->seen_list > own)
		say_unknown(c, own);
	else
		ADMIN_SAY(c,
		    "the restored database is accepted: list version %llu "
		    "there, %llu now",
		    (unsigned long long)c->db_list,
		    (unsigned long long)c->next->version);
	if (c->seen_list > own && c->seen_list > agreed) {
		c->nothing = true;
		return answer(c, 0);
	}
	return go_on(c);
}

static bool
holds(const struct clv_keyring *k, uint32_t number)
{
	for (size_t i = 0; i < clv_keyring_count(k); i++)
		if (clv_keyring_number(k, i) == number)
			return true;
	return false;
}

int
admin_rollback_refusal(const struct keeper *k, char *why, size_t cap)
{
	const struct clv_list *list = k->secret.list;
	uint32_t shown = k->serving.shown_generation;

	if (shown > clv_list_current(list)->number &&
	    !holds(k->secret.keyring, shown)) {
		snprintf(why, cap,
		    "a member has seen generation %u, and %u is current here: "
		    "restore a newer backup first",
		    shown, clv_list_current(list)->number);
		return CLV_E_STALE;
	}
	if (k->db.asked_list > list->version) {
		snprintf(why, cap,
		    "a live server node has list version %llu, and this one "
		    "%llu: make that one active",
		    (unsigned long long)k->db.asked_list,
		    (unsigned long long)list->version);
		return CLV_E_STALE;
	}
	return CLV_OK;
}

static void fill(struct admin *a);

static void
on_filled(struct keeper *k, void *arg, const struct db_result *r)
{
	struct admin *a = admin_still(k, arg);

	if (a == NULL)
		return;
	switch (r->result) {
	case CLV_OK:
		a->fill++;
		fill(a);
		break;
	case CLV_E_UNKNOWN:
	case CLV_E_TIMEOUT:
	case CLV_E_DATABASE_AWAY:
		a->again = fill;
		admin_wait(
		    a, ADMIN_STEP_RETRY, ADMIN_DEADLINE_MS, ADMIN_RETRY_MS);
		break;
	default: admin_end(a, r->result, r->text);
	}
}

/* Each write has an id of its own, the same when it is repeated. */
static void
fill_id(const struct admin *a, uint8_t ret[static 16])
{
	memcpy(ret, a->id, 16);
	for (unsigned i = 0; i < 8; i++)
		ret[8 + i] ^= (uint8_t)(a->fill >> (8 * i));
}

static int
sign(struct admin *a, struct clv_buf *ret)
{
	struct clv_list *next = a->change.next;
	uint64_t version = next->version;
	int r;

	next->version = a->fill;
	r = clv_list_sign(next, a->k->secret.keyring, ret);
	next->version = version;
	return r;
}

static void
fill(struct admin *a)
{
	uint8_t epoch[8], version[8], generation[8], id[16];
	const struct clv_list *next = a->change.next;
	struct clv_buf list;
	int r;

	if (a->fill >= next->version) {
		admin_write_list(a);
		return;
	}
	if (loop_now_ms() >= a->until_ms) {
		admin_end(a, CLV_E_TIMEOUT,
		    "the database lacks so many versions of the list that "
		    "they are not all there yet");
		return;
	}
	clv_buf_init(&list);
	r = sign(a, &list);
	fill_id(a, id);
	if (r == CLV_OK) {
		struct clv_param p[8] = {
		    clv_param_u64(a->epoch, epoch),
		    {a->k->instance, sizeof(a->k->instance)},
		    {id, sizeof(id)},
		    clv_param_u64(a->fill, version),
		    {list.data, list.len},
		    {"", 0},
		    {"", 0},
		    clv_param_u64(clv_list_current(next)->number, generation),
		};

		admin_call(a, CLV_STMT_PUT_LIST, p, 8, on_filled);
	} else {
		admin_end(a, r, NULL);
	}
	clv_buf_fini(&list);
}

void
admin_rollback_write(struct admin *a)
{
	a->fill = a->change.db_list + 1;
	fill(a);
}
