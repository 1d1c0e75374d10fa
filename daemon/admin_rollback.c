/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "daemon/admin_run.h"

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

int
admin_rollback(struct admin_change *c, struct clv_rd *args)
{
	uint64_t own = c->next->version - 1;
	int r;

	if (clv_rd_end(args) != CLV_OK)
		return CLV_E_PROTOCOL;
	clv_buf_u64(&c->data, c->db_list);
	if (c->db_list >= own && c->db_list >= c->seen_list) {
		c->nothing = true;
		clv_buf_u64(&c->data, own);
		clv_buf_u64(&c->data, c->next->epoch);
		say_newer(c);
		return clv_buf_result(&c->data);
	}
	if (c->next->version <= c->seen_list)
		c->next->version = c->seen_list + 1;
	clv_buf_u64(&c->data, c->next->version);
	clv_buf_u64(&c->data, c->next->epoch);
	r = admin_keyring_copy(c, &c->new_keyring);
	if (r == CLV_OK)
		r = admin_seal_to_all(c);
	if (r != CLV_OK)
		return r;
	ADMIN_SAY(c,
	    "the restored database is accepted: list version %llu there, "
	    "%llu now",
	    (unsigned long long)c->db_list,
	    (unsigned long long)c->next->version);
	return clv_buf_result(&c->data);
}

int
admin_rollback_refusal(const struct keeper *k, char *why, size_t cap)
{
	const struct clv_list *list = k->secret.list;

	if (k->serving.shown_generation > clv_list_current(list)->number) {
		snprintf(why, cap,
		    "a member has seen generation %u, and %u is current here: "
		    "restore a newer backup first",
		    k->serving.shown_generation,
		    clv_list_current(list)->number);
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
