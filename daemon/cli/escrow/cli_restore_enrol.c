/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <sodium.h>
#include "daemon/admin/admin_ops.h"
#include "daemon/cli/escrow/cli_restore.h"

#define LEASE_MS 15000

/*
 * On a bare machine, when every server node is lost, nobody is left to approve
 * it. Who brings the keyring has the system's signing key: this host is written
 * into the list with it, and its sealed copy beside, in one transaction, under
 * an epoch taken for that alone.
 */
struct enrol {
	uint8_t instance[16], op[16];
	uint64_t epoch;
	struct admin_change change;
	struct clv_buf list;
};

/* As node revoke and node approve do it. */
static int
build(struct restore *s, struct enrol *e)
{
	struct admin_change *a = &e->change;
	char print[CLV_FINGERPRINT_TEXT];
	struct clv_list_node *n;
	struct clv_buf args;
	struct clv_rd rd;
	int r = clv_list_copy(s->there, &a->next);

	if (r != CLV_OK)
		return r;
	a->keyring = s->keyring;
	a->party = s->host.party;
	a->have_party = true;
	a->next->version++;
	n = clv_list_node_by_name(a->next, a->party.name);
	if (n != NULL)
		n->revoked = true; /* that host is lost: a new number */
	clv_party_fingerprint(&a->party, print);
	clv_buf_init(&args);
	clv_buf_str(&args, a->party.name);
	clv_buf_str(&args, print);
	clv_rd_init(&rd, args.data, args.len);
	r = clv_buf_result(&args);
	if (r == CLV_OK)
		r = admin_node_approve(a, &rd);
	clv_buf_fini(&args);
	if (r != CLV_OK)
		return r;
	n = clv_list_node_by_name(a->next, a->party.name);
	s->number = n->number;
	if (!n->sealed)
		r = admin_seal_to(a, a->keyring, n->number, n->party.box_pk);
	n->sealed = true;
	return r;
}

static int
sign(const struct restore *s, struct enrol *e)
{
	uint64_t highest = s->epoch;

	if (s->there->epoch > highest)
		highest = s->there->epoch;
	if (s->seen.epoch > highest)
		highest = s->seen.epoch;
	e->epoch = ((highest >> 8) + 1) << 8 | s->number;
	e->change.next->epoch = e->epoch;
	return clv_list_sign(e->change.next, s->keyring, &e->list);
}

static int
take_epoch(struct cli *c, const struct restore *s, const struct enrol *e)
{
	uint8_t seen[8], new[8], holder[8], timeline[8], lease[8];
	const struct clv_param p[6] = {
	    clv_param_u64(s->epoch, seen),
	    clv_param_u64(e->epoch, new),
	    clv_param_u64(s->number, holder),
	    {e->instance, sizeof(e->instance)},
	    clv_param_u64(s->timeline, timeline),
	    clv_param_u64(LEASE_MS, lease),
	};
	int r = cli_db_run(c, s->db, CLV_STMT_TAKE_EPOCH, p, 6);

	if (r == CLV_OK && !clv_store_get_bool(s->db, 0, 1))
		r = cli_fail(c, CLV_E_STALE_EPOCH, "repeat the command",
		    "another server took an epoch in the meantime");
	return r;
}

static int
put_list(struct cli *c, const struct restore *s, const struct enrol *e)
{
	const struct clv_list *next = e->change.next;
	uint8_t epoch[8], version[8], generation[8];
	const struct clv_param p[8] = {
	    clv_param_u64(e->epoch, epoch),
	    {e->instance, sizeof(e->instance)},
	    {e->op, sizeof(e->op)},
	    clv_param_u64(next->version, version),
	    {e->list.data, e->list.len},
	    {e->change.escrow.data, e->change.escrow.len},
	    {e->change.drop_join, strlen(e->change.drop_join)},
	    clv_param_u64(clv_list_current(next)->number, generation),
	};

	return cli_db_run(c, s->db, CLV_STMT_PUT_LIST, p, 8);
}

static void
release(const struct restore *s, const struct enrol *e)
{
	uint8_t epoch[8];
	const struct clv_param p[2] = {
	    clv_param_u64(e->epoch, epoch),
	    {e->instance, sizeof(e->instance)},
	};

	(void)clv_store_run(s->db, CLV_STMT_RELEASE, p, 2, CLI_TIMEOUT_MS);
}

static int
write_it(struct cli *c, struct restore *s, struct enrol *e)
{
	int r = build(s, e);

	if (r == CLV_OK)
		r = sign(s, e);
	if (r != CLV_OK)
		return cli_fail(c, r, "claviger status",
		    "this host was not enrolled: %s",
		    e->change.text[0] != '\0' ? e->change.text
					      : clv_result_text(r));
	r = take_epoch(c, s, e);
	if (r != CLV_OK)
		return r;
	r = put_list(c, s, e);
	release(s, e);
	return r;
}

int
restore_enrol(struct cli *c, struct restore *s)
{
	struct enrol e = {.change = {.guard = c->guard}};
	int r;

	cli_progress("no server is active: enrolling this host by the keyring");
	randombytes_buf(e.instance, sizeof(e.instance));
	randombytes_buf(e.op, sizeof(e.op));
	clv_buf_init(&e.list);
	clv_buf_init(&e.change.escrow);
	clv_buf_init(&e.change.data);
	r = write_it(c, s, &e);
	clv_list_free(&e.change.next);
	clv_buf_fini(&e.change.escrow);
	clv_buf_fini(&e.change.data);
	clv_buf_fini(&e.list);
	return r;
}
