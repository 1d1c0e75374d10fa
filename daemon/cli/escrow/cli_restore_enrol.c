/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <time.h>
#include <sodium.h>
#include "daemon/admin/admin_ops.h"
#include "daemon/cli/escrow/cli_restore.h"

#define LEASE_MS 15000
#define VERSIONS_MAX 10000 /* of the list, that the database lacks */

/*
 * On a bare machine, when every server node is lost, nobody is left to approve
 * it. Who brings the keyring has the system's signing key: this host is written
 * into the list with it, and its sealed copy beside, in one transaction, under
 * an epoch taken for that alone.
 */
struct enrol {
	uint8_t instance[16];
	uint64_t epoch;
	struct admin_change change;
};

/* As node revoke and node approve do it. */
static int
approve(struct restore *s, struct admin_change *a)
{
	char print[CLV_FINGERPRINT_TEXT];
	struct clv_list_node *n;
	struct clv_buf args;
	struct clv_rd rd;
	int r;

	a->party = s->host.party;
	a->have_party = true;
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
	return r;
}

/* Of the list that is known to be the newest, with a version above all. */
static int
copy_list(const struct restore *s, struct clv_list **ret)
{
	const struct clv_list *base =
	    s->older ? restore_newest_list(s) : s->there;
	int r = clv_list_copy(base, ret);

	if (r != CLV_OK)
		return r;
	(*ret)->version++;
	if (s->older && (*ret)->version <= s->seen.list_version)
		(*ret)->version = s->seen.list_version + 1;
	return CLV_OK;
}

static int
build(struct cli *c, struct restore *s, struct enrol *e)
{
	struct admin_change *a = &e->change;
	struct clv_list_node *n;
	int r = copy_list(s, &a->next);

	a->keyring = s->older ? s->newer : s->keyring;
	if (r == CLV_OK && s->enrols)
		r = approve(s, a);
	if (r == CLV_OK && s->older)
		r = restore_newer_apply(c, s, a);
	if (r != CLV_OK)
		return r;
	n = clv_list_node_by_name(a->next, s->host.id->name);
	s->number = n->number;
	if (!s->enrols || !n->sealed) /* not yet */
		r = admin_seal_to(a, a->keyring, n->number, n->party.box_pk);
	n->sealed = true;
	return r;
}

static void
choose_epoch(const struct restore *s, struct enrol *e)
{
	uint64_t highest = s->epoch;

	if (s->there->epoch > highest)
		highest = s->there->epoch;
	if (s->seen.epoch > highest)
		highest = s->seen.epoch;
	e->epoch = ((highest >> 8) + 1) << 8 | s->number;
	e->change.next->epoch = e->epoch;
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
put_list(struct cli *c, const struct restore *s, const struct enrol *e,
    const struct clv_list *next)
{
	const struct admin_change *a = &e->change;
	uint8_t epoch[8], version[8], generation[8], op[16];
	bool last = next == a->next;
	struct clv_buf list;
	int r;

	randombytes_buf(op, sizeof(op));
	clv_buf_init(&list);
	r = clv_list_sign(next, s->keyring, &list);
	if (r == CLV_OK) {
		const struct clv_param p[8] = {
		    clv_param_u64(e->epoch, epoch),
		    {e->instance, sizeof(e->instance)},
		    {op, sizeof(op)},
		    clv_param_u64(next->version, version),
		    {list.data, list.len},
		    {a->escrow.data, last ? a->escrow.len : 0},
		    {a->drop_join, last ? strlen(a->drop_join) : 0},
		    clv_param_u64(clv_list_current(next)->number, generation),
		};

		r = cli_db_run(c, s->db, CLV_STMT_PUT_LIST, p, 8);
	}
	clv_buf_fini(&list);
	return r;
}

/* The database takes one version after the other, and may lack some that this
 * host has seen: the same list as before under each. */
static int
fill(struct cli *c, const struct restore *s, const struct enrol *e)
{
	uint64_t last = e->change.next->version;
	struct clv_list *list = NULL;
	int r = copy_list(s, &list);

	if (r == CLV_OK && last - s->list_version > VERSIONS_MAX)
		r = cli_fail(c, CLV_E_FULL, "claviger doctor",
		    "the database lacks too many versions of the list");
	for (uint64_t v = s->list_version + 1; r == CLV_OK && v < last; v++) {
		list->epoch = e->epoch;
		list->version = v;
		r = put_list(c, s, e, list);
	}
	clv_list_free(&list);
	return r;
}

/* Before the list names it. */
static int
put_certificate(struct cli *c, const struct restore *s, const struct enrol *e)
{
	uint8_t epoch[8], op[16];
	const struct clv_param p[5] = {
	    clv_param_u64(e->epoch, epoch),
	    {e->instance, sizeof(e->instance)},
	    {op, sizeof(op)},
	    {s->tls_thumb, sizeof(s->tls_thumb)},
	    {s->tls_row.data, s->tls_row.len},
	};

	if (s->tls_row.len == 0)
		return CLV_OK;
	randombytes_buf(op, sizeof(op));
	return cli_db_run(c, s->db, CLV_STMT_PUT_TLS, p, 5);
}

/* Nobody is active who could do it. */
static bool
put_backup(struct cli *c, const struct restore *s, const struct enrol *e)
{
	struct record rec = {.generation = clv_keyring_newest(s->newer),
	    .time_s = (uint64_t)time(NULL)};
	uint8_t epoch[8], op[16], generation[8];
	struct clv_buf body;
	int r;

	memcpy(rec.system_id, clv_keyring_system_id(s->newer),
	    sizeof(rec.system_id));
	memcpy(rec.where, s->where, sizeof(rec.where));
	randombytes_buf(op, sizeof(op));
	clv_buf_init(&body);
	r = record_format(&rec, s->newer, &body);
	if (r == CLV_OK) {
		const struct clv_param p[5] = {
		    clv_param_u64(e->epoch, epoch),
		    {e->instance, sizeof(e->instance)},
		    {op, sizeof(op)},
		    clv_param_u64(rec.generation, generation),
		    {body.data, body.len},
		};

		r = cli_db_run(c, s->db, CLV_STMT_PUT_BACKUP, p, 5);
	}
	clv_buf_fini(&body);
	if (r != CLV_OK)
		cli_warn(c, "the backup itself is good; claviger status will "
			    "not know of it");
	return r == CLV_OK;
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
write_all(struct cli *c, struct restore *s, const struct enrol *e)
{
	int r = put_certificate(c, s, e);

	if (r == CLV_OK)
		r = fill(c, s, e);
	if (r == CLV_OK)
		r = put_list(c, s, e, e->change.next);
	if (r == CLV_OK && s->older)
		s->recorded = put_backup(c, s, e);
	return r;
}

static int
write_it(struct cli *c, struct restore *s, struct enrol *e)
{
	int r = build(c, s, e);

	if (r != CLV_OK)
		return cli_fail(c, r, "claviger status",
		    "no list was written: %s",
		    e->change.text[0] != '\0' ? e->change.text
					      : clv_result_text(r));
	choose_epoch(s, e);
	r = take_epoch(c, s, e);
	if (r != CLV_OK)
		return r;
	r = write_all(c, s, e);
	release(s, e);
	return r;
}

int
restore_enrol(struct cli *c, struct restore *s)
{
	struct enrol e = {.change = {.guard = c->guard}};
	int r;

	cli_progress("no server is active: writing the list by the keyring");
	randombytes_buf(e.instance, sizeof(e.instance));
	clv_buf_init(&e.change.escrow);
	clv_buf_init(&e.change.data);
	r = write_it(c, s, &e);
	clv_list_free(&e.change.next);
	clv_buf_fini(&e.change.escrow);
	clv_buf_fini(&e.change.data);
	return r;
}
