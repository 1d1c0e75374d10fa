/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/admin/admin_run.h"
#include "daemon/base/record.h"

/*
 * What an administrative operation writes to the database: the new list in one
 * guarded transaction, resolved by the operation's id when its outcome is not
 * known, and the record of a backup.
 */

static bool
is_in_force(const struct admin *a)
{
	const struct clv_buf *ours = &a->k->secret.list_blob;

	return a->k->secret.list->version > a->change.next->version ||
	       (ours->len == a->blob.len &&
		   memcmp(ours->data, a->blob.data, ours->len) == 0);
}

static void
landed(struct admin *a)
{
	struct keeper *k = a->k;
	int r;

	r = secret_accept_list(k, a->blob.data, a->blob.len);
	/* It came by itself while the outcome was not known; or is it another
	 * one, in its place? */
	if (r == CLV_E_EXISTS && !is_in_force(a)) {
		admin_end(a, CLV_E_MISMATCH,
		    "the database has taken another list of that version: "
		    "claviger doctor");
		return;
	}
	if (r == CLV_OK && a->change.new_keyring != NULL)
		r = secret_accept_keyring(k, &a->change.new_keyring);
	if (r != CLV_OK && r != CLV_E_EXISTS) {
		admin_end(a, r,
		    "the change is in the database, but this node could "
		    "not store it: see its log");
		return;
	}
	secret_prove(k);
	secret_tls_changed(k);
	if (a->op == ADMIN_ROLLBACK) { /* it is not older any more */
		k->db.list_version = k->secret.list->version;
		serving_database_older(k, k->secret.list->version);
	}
	if (a->op == ADMIN_APP_REMOVE)
		admin_keys_drop(a);
	else if (a->op == ADMIN_GENERATION_DESTROY || a->change.drop_copies)
		admin_generation_drop_copies(a);
	else
		admin_wait(a, ADMIN_STEP_PEERS, KEEPER_LATE_MS, 0);
}

/* A repetition was refused: what came of the first try? */
static void
on_resolved(struct keeper *k, void *arg, const struct db_result *r)
{
	struct admin *a = admin_still(k, arg);

	if (a == NULL)
		return;
	if (r->result == CLV_OK && db_u64(r, 0, 0) != 0)
		landed(a);
	else if (r->result == CLV_OK)
		admin_end(a, a->refused, NULL);
	else
		admin_end(a, CLV_E_UNKNOWN, r->text);
}

static void
resolve(struct admin *a, int refused)
{
	struct clv_param p = {a->id, sizeof(a->id)};

	a->refused = refused;
	snprintf(a->change.text, sizeof(a->change.text), "%s",
	    clv_result_text(refused));
	admin_call(a, CLV_STMT_GET_OP, &p, 1, on_resolved);
}

static void
on_put(struct keeper *k, void *arg, const struct db_result *r)
{
	struct admin *a = admin_still(k, arg);

	if (a == NULL)
		return;
	switch (r->result) {
	case CLV_OK: landed(a); break;
	case CLV_E_UNKNOWN:
	case CLV_E_TIMEOUT:
		a->doubt = true;
		/* fall through */
	case CLV_E_DATABASE_AWAY:
		/* The operation's id makes the same write safe to repeat. */
		a->again = admin_write_list;
		admin_wait(
		    a, ADMIN_STEP_RETRY, ADMIN_DEADLINE_MS, ADMIN_RETRY_MS);
		break;
	default:
		if (a->doubt)
			resolve(a, r->result);
		else
			admin_end(a, r->result, r->text);
	}
}

void
admin_write_list(struct admin *a)
{
	uint8_t epoch[8], version[8], generation[8];
	struct clv_param p[8] = {
	    clv_param_u64(a->epoch, epoch),
	    {a->k->instance, sizeof(a->k->instance)},
	    {a->id, sizeof(a->id)},
	    clv_param_u64(a->change.next->version, version),
	    {a->blob.data, a->blob.len},
	    {a->change.escrow.data, a->change.escrow.len},
	    {a->change.drop_join, strlen(a->change.drop_join)},
	    clv_param_u64(clv_list_current(a->change.next)->number, generation),
	};

	admin_call(a, CLV_STMT_PUT_LIST, p, 8, on_put);
}

/* Backups. */

static int
backup_record(struct admin *a, uint32_t generation, const char *where,
    struct clv_buf *ret)
{
	struct record rec = {.generation = generation};

	memcpy(
	    rec.system_id, a->k->secret.list->system_id, sizeof(rec.system_id));
	snprintf(rec.where, sizeof(rec.where), "%s", where);
	rec.time_s = (uint64_t)time(NULL);
	return record_format(&rec, a->k->secret.keyring, ret);
}

static void
on_backup(struct keeper *k, void *arg, const struct db_result *r)
{
	struct admin *a = admin_still(k, arg);

	if (a == NULL)
		return;
	if (r->result != CLV_OK)
		admin_end(a, r->result, r->text);
	else if (a->op == ADMIN_BACKUP_DONE)
		admin_end(a, CLV_OK, "the backup is recorded");
	else
		admin_write_list(a);
}

void
admin_write_backup(struct admin *a, uint32_t generation, const char *where)
{
	uint8_t epoch[8], gen[8], id[16];
	struct clv_buf body;
	int r;

	/* A second write of one operation: an id of its own. */
	memcpy(id, a->id, sizeof(id));
	id[0] ^= a->op == ADMIN_BACKUP_DONE ? 0 : 0x80;
	clv_buf_init(&body);
	r = backup_record(a, generation, where, &body);
	if (r == CLV_OK) {
		struct clv_param p[5] = {
		    clv_param_u64(a->epoch, epoch),
		    {a->k->instance, sizeof(a->k->instance)},
		    {id, sizeof(id)},
		    clv_param_u64(generation, gen),
		    {body.data, body.len},
		};
		admin_call(a, CLV_STMT_PUT_BACKUP, p, 5, on_backup);
	} else {
		admin_end(a, r, NULL);
	}
	clv_buf_fini(&body);
}
