/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdio.h>

#include "daemon/admin/admin_run.h"

/*
 * Authority for one administrative operation when nobody is active: an epoch
 * taken for it alone, and given back when it ends.
 */

static void
on_taken(struct keeper *k, void *arg, const struct db_result *r)
{
	struct admin *a = admin_still(k, arg);

	if (a == NULL)
		return;
	if (r->result != CLV_OK) {
		a->borrowed = true; /* perhaps: to be given back */
		admin_end(a, r->result, r->text);
	} else if (db_u64(r, 0, 1) == 0) {
		admin_end(a, CLV_E_STALE_EPOCH,
		    "another server took an epoch in "
		    "the meantime: try again");
	} else {
		a->borrowed = true;
		k->db.epoch = a->epoch;
		admin_change_begin(a);
	}
}

static void
on_borrow_witness(
    struct keeper *k, int result, uint64_t epoch, const char *text)
{
	struct admin *a = k->admin;
	uint8_t seen[8], new[8], holder[8], timeline[8], lease[8];
	struct clv_param p[6] = {
	    clv_param_u64(k->db.epoch, seen),
	    clv_param_u64(epoch, new),
	    clv_param_u64(k->node_number, holder),
	    {k->instance, sizeof(k->instance)},
	    clv_param_u64(k->db.timeline, timeline),
	    clv_param_u64(KEEPER_LEASE_MS, lease),
	};

	if (a == NULL)
		return;
	if (result != CLV_OK) {
		admin_end(a, result, text);
		return;
	}
	a->epoch = epoch;
	admin_call(a, CLV_STMT_TAKE_EPOCH, p, 6, on_taken);
}

void
admin_borrow(struct admin *a)
{
	struct keeper *k = a->k;
	char text[160];

	/* Promoted in the meantime: an epoch of its own would depose us. */
	if (a->op == ADMIN_ROLLBACK ? serving_has_lease(k)
				    : serving_in_lease(k)) {
		a->epoch = k->serving.epoch;
		admin_change_begin(a);
		return;
	}
	if (role_promoting(k->serving.state) || role_serves(k->serving.state)) {
		admin_end(
		    a, CLV_E_BUSY, "this node is being promoted: try again");
		return;
	}
	if (k->db.lease_until_ms > loop_now_ms() &&
	    k->db.holder != k->node_number) {
		snprintf(text, sizeof(text), "%s is the active server",
		    keeper_node_name(k, k->db.holder));
		admin_end(a, CLV_E_NOT_ACTIVE, text);
		return;
	}
	/* It serves without a lease: an epoch taken here would depose it. */
	if (peers_serving(k) != 0) {
		snprintf(text, sizeof(text),
		    "%s is the active server, and has no lease at the moment: "
		    "try again",
		    keeper_node_name(k, peers_serving(k)));
		admin_end(a, CLV_E_BUSY, text);
		return;
	}
	a->step = ADMIN_STEP_OTHER;
	loop_timer_del(k->loop, &a->timer);
	witness_raise(k, true, on_borrow_witness);
}
