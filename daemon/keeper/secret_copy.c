/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>

#include "daemon/base/log.h"
#include "daemon/keeper/secret_impl.h"

/*
 * This node's own sealed copy: it is opened at every start, whenever there is a
 * newer one, once a day, and when somebody asks for it; each time its row says
 * so from then on, under the system's signature.
 */

static void
get_copy(struct keeper *k, db_fn fn, void *arg)
{
	uint8_t buf[8];
	struct clv_param p = clv_param_u64(k->node_number, buf);

	db_call(k, CLV_STMT_GET_ESCROW, &p, 1, KEEPER_SQL_MS, fn, arg);
}

static void
put_copy(
    struct keeper *k, const struct clv_buf *row, uint32_t generation, db_fn fn)
{
	uint8_t n[8], g[8];
	struct clv_param p[3] = {
	    clv_param_u64(k->node_number, n),
	    clv_param_u64(generation, g),
	    {row->data, row->len},
	};

	db_call(k, CLV_STMT_PUT_ESCROW, p, 3, KEEPER_SQL_MS, fn, NULL);
}

/* That it was opened. */

static void
proof_done(struct keeper *k, void *arg, const struct db_result *r)
{
	(void)k;
	(void)arg;
	if (r->result != CLV_OK)
		log_warning("that this node's sealed copy opens is not "
			    "noted: %s",
		    r->text);
}

static void
put_proof(struct keeper *k, const struct db_field *row,
    const struct clv_keyring *opened)
{
	struct clv_buf proven;
	int r;

	clv_buf_init(&proven);
	r = clv_escrow_prove(
	    row->p, row->len, k->identity, k->node_number, opened, &proven);
	if (r == CLV_OK)
		put_copy(k, &proven, clv_keyring_newest(opened), proof_done);
	else
		log_error("noting that this node's sealed copy opens: %s",
		    clv_result_text(r));
	clv_buf_fini(&proven);
}

/* Of the signing key before, where a database failover lost the copies that
 * came with the new one, or one was written late: what is in memory is proven,
 * and goes there again. */
static bool
is_left_behind(const struct keeper *k, const struct db_field *row)
{
	const uint8_t *former =
	    k->secret.list != NULL ? clv_list_former_pk(k->secret.list) : NULL;
	struct clv_keyring *keyring = NULL;
	int r;

	if (former == NULL || k->secret.keyring == NULL || !secret_signs(k))
		return false;
	r = clv_escrow_open(
	    row->p, row->len, former, k->identity, k->node_number, &keyring);
	clv_keyring_free(&keyring);
	return r == CLV_OK;
}

static void
on_proof(struct keeper *k, void *arg, const struct db_result *r)
{
	struct clv_keyring *keyring = NULL;
	const struct db_field *f = db_field(r, 0, 0);
	int result = r->result;

	(void)arg;
	if (result == CLV_OK && r->rows == 0)
		result = CLV_E_NOT_FOUND;
	if (result == CLV_OK)
		result = clv_escrow_open(f->p, f->len, k->system_pk,
		    k->identity, k->node_number, &keyring);
	if (result == CLV_OK)
		put_proof(k, f, keyring);
	else
		log_warning("sealed copy of this node: %s: %s",
		    clv_result_text(result), r->text);
	if (result == CLV_E_SIGNATURE && is_left_behind(k, f))
		secret_put_own_copy(k);
	clv_keyring_free(&keyring);
}

void
secret_prove_copy(struct keeper *k)
{
	if (k->identity != NULL && k->node_number != 0 && k->copied[0] == '\0')
		get_copy(k, on_proof, NULL);
}

/* Written anew, and opened then. */

static void
own_copy_done(struct keeper *k, void *arg, const struct db_result *r)
{
	(void)arg;
	if (r->result != CLV_OK || db_u64(r, 0, 0) == 0)
		log_warning("this node's sealed copy is not stored yet: %s",
		    r->result != CLV_OK ? r->text : "a newer one is there");
	else
		log_info("this node's sealed copy is stored");
	k->secret.copy_due = r->result != CLV_OK;
	if (!k->secret.copy_due)
		secret_prove_copy(k);
}

void
secret_put_own_copy(struct keeper *k)
{
	struct clv_buf row;
	int r;

	clv_buf_init(&row);
	r = clv_escrow_seal(k->guard, k->secret.keyring, k->node_number,
	    k->identity->box_pk, &row);
	if (r == CLV_OK)
		put_copy(k, &row, clv_keyring_newest(k->secret.keyring),
		    own_copy_done);
	else
		log_error(
		    "sealing the keyring to this node: %s", clv_result_text(r));
	clv_buf_fini(&row);
}

/* Opened. */

static void
ack_done(struct keeper *k, void *arg, const struct db_result *r)
{
	(void)k;
	(void)arg;
	if (r->result != CLV_OK)
		log_debug("acknowledgement not stored: %s", r->text);
}

static void
put_ack(struct keeper *k)
{
	uint8_t n[8], v[8], g[8], sig[CLV_SIG_LEN];
	struct clv_buf b;
	uint32_t generation;

	if (k->secret.keyring == NULL || k->node_number == 0)
		return;
	generation = clv_keyring_newest(k->secret.keyring);
	clv_buf_init(&b);
	clv_buf_raw(&b, k->secret.list->system_id, CLV_SYSTEM_ID_LEN);
	clv_buf_u8(&b, k->node_number);
	clv_buf_u64(&b, k->secret.list->version);
	clv_buf_u32(&b, generation);
	if (clv_buf_result(&b) == CLV_OK &&
	    clv_sign(k->identity->sign_sk, "claviger-nodeack", b.data, b.len,
		sig) == CLV_OK) {
		struct clv_param p[4] = {
		    clv_param_u64(k->node_number, n),
		    clv_param_u64(k->secret.list->version, v),
		    clv_param_u64(generation, g),
		    {sig, sizeof(sig)},
		};
		db_call(
		    k, CLV_STMT_PUT_ACK, p, 4, KEEPER_SQL_MS, ack_done, NULL);
	}
	clv_buf_fini(&b);
}

void
secret_copy_use(struct keeper *k, struct clv_keyring **keyring)
{
	clv_keyring_free(&k->secret.keyring);
	k->secret.keyring = *keyring;
	*keyring = NULL; /* transferred */
	secret_drop_destroyed(k);
	log_notice("keyring opened: newest generation %u",
	    clv_keyring_newest(k->secret.keyring));
	put_ack(k);
	peers_alive(k);
}

static void
on_copy(struct keeper *k, void *arg, const struct db_result *r)
{
	struct clv_keyring *keyring = NULL;
	const struct db_field *f = db_field(r, 0, 0);
	bool daily = arg != NULL;
	int result = r->result;

	k->secret.fetching = false;
	k->secret.failure[0] = '\0';
	if (result == CLV_OK && r->rows == 0)
		result = CLV_E_NOT_FOUND;
	if (result == CLV_OK)
		result = clv_escrow_open(f->p, f->len, k->system_pk,
		    k->identity, k->node_number, &keyring);
	if (result == CLV_OK)
		put_proof(k, f, keyring);
	if (result == CLV_OK &&
	    (k->secret.keyring == NULL || !secret_signs(k) ||
		clv_keyring_newest(keyring) >
		    clv_keyring_newest(k->secret.keyring)))
		secret_copy_use(k, &keyring);
	clv_keyring_free(&keyring);
	if (result == CLV_E_NOT_FOUND && k->secret.keyring == NULL) {
		secret_prove(k);
		return;
	}
	if (result != CLV_OK)
		secret_fetch_failed(
		    k, "sealed copy of this node", result, r->text);
	if (daily && result != CLV_OK && r->result == CLV_OK)
		secret_put_own_copy(k); /* what is in memory is proven */
	if (result == CLV_OK || k->secret.keyring != NULL)
		secret_fetch_next(k);
	else
		secret_prove(k);
}

void
secret_copy_fetch(struct keeper *k)
{
	k->secret.fetching = true;
	get_copy(k, on_copy, NULL);
}

static void on_daily(void *arg);

void
secret_copy_daily(struct keeper *k)
{
	if (k->secret.daily == NULL)
		(void)loop_timer_set(
		    k->loop, &k->secret.daily, KEEPER_PROOF_MS, on_daily, k);
}

static void
on_daily(void *arg)
{
	struct keeper *k = arg;

	secret_copy_daily(k);
	if (k->secret.keyring == NULL || k->secret.fetching)
		return;
	k->secret.fetching = true;
	get_copy(k, on_copy, k);
}

void
secret_copy_fini(struct keeper *k)
{
	loop_timer_del(k->loop, &k->secret.daily);
}
