/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include <claviger/envelope.h>
#include <claviger/manifest.h>

#include "daemon/admin/admin_run.h"
#include "daemon/keeper/heads.h"

/*
 * An application in the database: its keys are there before the list names
 * it, and go, with its secrets, after the list has dropped it. What was left
 * in between, of an operation that did not end, belongs to no application of
 * the list: the next one of that name deletes it first.
 *
 * Very many secrets are deleted in many transactions, and an operation answers
 * after a while how many there are left. Its repetition goes on under the same
 * id, which the manifest bears: what a later application of that name has is
 * not touched.
 */

/* What becomes of an operation's id for the second and third write of it. */
enum { ID_INIT = 0x80, ID_DROP = 0x40, ID_INIT_AGAIN = 0x20 };

static void
set_id(uint8_t id[static 16], const struct admin *a, uint8_t mark)
{
	memcpy(id, a->id, 16);
	id[0] ^= mark;
}

static const char *
app_name(struct admin *a)
{
	struct clv_rd args;

	clv_rd_init(&args, a->args, a->args_len);
	clv_rd_str(&args, a->app, sizeof(a->app));
	return a->app;
}

/* A write whose outcome is not known is repeated, with its id. True when that
 * is so. */
static bool
is_repeated(struct admin *a, int result, void (*again)(struct admin *))
{
	if (result != CLV_E_UNKNOWN && result != CLV_E_TIMEOUT &&
	    result != CLV_E_DATABASE_AWAY)
		return false;
	a->again = again;
	admin_wait(a, ADMIN_STEP_RETRY, ADMIN_DEADLINE_MS, ADMIN_RETRY_MS);
	return true;
}

/* Dropping. */

static void drop(struct admin *a);
static void init_begin(struct admin *a);

static void
dropped(struct admin *a, uint64_t left)
{
	if (a->op == ADMIN_APP_ADD) {
		init_begin(a);
		return;
	}
	clv_buf_u64(&a->change.data, left);
	if (left > 0)
		snprintf(a->change.text, sizeof(a->change.text),
		    "application %s is gone; %" PRIu64 " versions of its "
		    "secrets are still to be deleted: repeat the command",
		    a->app, left);
	else if (a->change.text[0] == '\0')
		snprintf(a->change.text, sizeof(a->change.text),
		    "application %s and all its secrets are deleted", a->app);
	if (a->change.next != NULL && !a->leftovers)
		admin_wait(a, ADMIN_STEP_PEERS, KEEPER_LATE_MS, 0);
	else
		admin_end(a, CLV_OK, NULL);
}

static void
not_dropped(struct admin *a, const struct db_result *r)
{
	admin_end(a, r->result,
	    a->op == ADMIN_APP_ADD
		? r->text
		: "it is not in the list any more, but its secrets are "
		  "still in the database: repeat the command");
}

static void
on_left(struct keeper *k, void *arg, const struct db_result *r)
{
	struct admin *a = admin_still(k, arg);

	if (a == NULL)
		return;
	if (r->result != CLV_OK)
		not_dropped(a, r);
	else
		dropped(a, db_u64(r, 0, 1));
}

/* Whoever cannot ask again, since his right went with the application, waits
 * until all is deleted. */
static bool
may_repeat(const struct admin *a)
{
	char why[ADMIN_WHY_MAX];
	struct clv_rd args;

	clv_rd_init(&args, a->args, a->args_len);
	return a->is_root || admin_may(a->k->secret.list, &a->caller, a->op,
				 &args, why) == CLV_OK;
}

/* So many secrets that one transaction did not delete them all. */
static void
some_left(struct admin *a)
{
	struct clv_param p = {a->app, strlen(a->app)};

	if (a->op == ADMIN_APP_REMOVE && loop_now_ms() >= a->drop_until_ms &&
	    may_repeat(a))
		admin_call(a, CLV_STMT_COUNT_SECRETS, &p, 1, on_left);
	else
		drop(a);
}

static void
on_dropped(struct keeper *k, void *arg, const struct db_result *r)
{
	struct admin *a = admin_still(k, arg);

	if (a == NULL || is_repeated(a, r->result, drop))
		return;
	if (r->result != CLV_OK)
		not_dropped(a, r);
	else if (db_u64(r, 0, 0) == 0)
		some_left(a);
	else
		dropped(a, 0);
}

static void
drop(struct admin *a)
{
	const char *name = app_name(a);
	uint8_t epoch[8], id[16];
	struct clv_param p[4] = {
	    clv_param_u64(a->epoch, epoch),
	    {a->k->instance, sizeof(a->k->instance)},
	    {id, sizeof(id)},
	    {name, strlen(name)},
	};

	admin_keys_drop_id(a, id);
	if (a->drop_until_ms == 0)
		a->drop_until_ms = loop_now_ms() + ADMIN_DROP_MS;
	admin_call(a, CLV_STMT_DROP_APP, p, 4, on_dropped);
}

void
admin_keys_drop_id(const struct admin *a, uint8_t ret[static 16])
{
	set_id(ret, a, ID_DROP);
}

void
admin_keys_drop(struct admin *a)
{
	drop(a);
}

/* Leftovers: not in the list, but in the database. */

static void
on_counted(struct keeper *k, void *arg, const struct db_result *r)
{
	struct admin *a = admin_still(k, arg);

	if (a == NULL)
		return;
	if (r->result != CLV_OK) {
		admin_end(a, r->result, r->text);
	} else if (db_u64(r, 0, 1) == 0 && db_u64(r, 0, 2) == 0) {
		admin_end(a, CLV_E_NOT_FOUND, NULL);
	} else {
		snprintf(a->change.text, sizeof(a->change.text),
		    "what was left of application %s is deleted", app_name(a));
		drop(a);
	}
}

void
admin_keys_drop_leftovers(struct admin *a)
{
	const char *name = app_name(a);
	struct clv_param p = {name, strlen(name)};

	a->leftovers = true;
	admin_call(a, CLV_STMT_COUNT_SECRETS, &p, 1, on_counted);
}

/* Making. */

static int
wrap_new(struct admin *a, const uint8_t *app_key, uint32_t version,
    uint8_t *key, uint8_t ret[static CLV_DATAKEY_WRAPPED_LEN])
{
	struct clv_datakey_id id = {
	    .system_id = a->change.next->system_id,
	    .app = a->app,
	    .version = version,
	    .generation = clv_list_current(a->change.next)->number,
	};

	randombytes_buf(key, CLV_KEY_LEN);
	return clv_datakey_wrap(app_key, &id, key, ret);
}

/* The manifest of no secret, and of the first data key. */
static int
first_mac(const struct admin *a, const uint8_t *index_key,
    const uint8_t *data_key, uint8_t ret[static CLV_MANIFEST_MAC_LEN])
{
	struct clv_index *x = NULL;
	int r;

	r = clv_index_new(index_key, a->change.next->system_id, a->app, &x);
	if (r == CLV_OK)
		r = clv_index_stage_key(x, 1, data_key);
	if (r == CLV_OK)
		clv_index_mac(x, a->counter, ret);
	clv_index_free(&x);
	return r;
}

struct made {
	uint8_t index_key[CLV_DATAKEY_WRAPPED_LEN];
	uint8_t data_key[CLV_DATAKEY_WRAPPED_LEN];
	uint8_t mac[CLV_MANIFEST_MAC_LEN];
};

/* keys: guarded, for the application's key and those that it wraps. */
static int
make_with(struct admin *a, uint8_t *keys, struct made *ret)
{
	const struct clv_list *list = a->change.next;
	uint8_t *app_key = keys, *index_key = keys + CLV_KEY_LEN;
	uint8_t *data_key = keys + 2 * CLV_KEY_LEN;
	int r;

	r = clv_keyring_subkey(a->k->secret.keyring,
	    clv_list_current(list)->number, CLV_SUBKEY_DISTRIBUTION, data_key);
	if (r == CLV_OK)
		clv_app_key(data_key, list->system_id, a->app, app_key);
	if (r == CLV_OK)
		r = wrap_new(a, app_key, 1, data_key, ret->data_key);
	if (r == CLV_OK)
		r = wrap_new(a, app_key, 0, index_key, ret->index_key);
	if (r == CLV_OK)
		r = first_mac(a, index_key, data_key, ret->mac);
	return r;
}

static int
make(struct admin *a, struct made *ret)
{
	uint8_t *keys = clv_guard_get(a->k->guard, 3 * CLV_KEY_LEN);
	int r = keys != NULL ? make_with(a, keys, ret) : CLV_E_NOMEM;

	clv_guard_put(a->k->guard, keys);
	return r;
}

static void init(struct admin *a);

/* The database holds the rest of an application that no list names. A list
 * that is newer than ours might. */
static void
clear_way(struct admin *a)
{
	if (a->leftovers ||
	    a->k->db.list_version > a->k->secret.list->version) {
		admin_end(a, CLV_E_STALE, NULL);
		return;
	}
	a->leftovers = true;
	drop(a);
}

static void
on_init(struct keeper *k, void *arg, const struct db_result *r)
{
	struct admin *a = admin_still(k, arg);

	if (a == NULL || is_repeated(a, r->result, init))
		return;
	if (r->result == CLV_OK)
		heads_raise(k->heads, a->app, a->counter);
	if (r->result == CLV_OK)
		admin_write_list(a);
	else if (r->result == CLV_E_STALE)
		clear_way(a);
	else
		admin_end(a, r->result, r->text);
}

static void
init(struct admin *a)
{
	uint8_t epoch[8], generation[8], counter[8], id[16];
	struct made made;
	struct clv_param p[9] = {
	    clv_param_u64(a->epoch, epoch),
	    {a->k->instance, sizeof(a->k->instance)},
	    {id, sizeof(id)},
	    {a->app, strlen(a->app)},
	    clv_param_u64(clv_list_current(a->change.next)->number, generation),
	    {made.index_key, sizeof(made.index_key)},
	    {made.data_key, sizeof(made.data_key)},
	    {made.mac, sizeof(made.mac)},
	    clv_param_u64(a->counter, counter),
	};
	int r;

	if (!secret_is_proven(a->k)) {
		admin_end(a, CLV_E_NOT_READY, a->k->secret.why);
		return;
	}
	r = make(a, &made);
	set_id(id, a, a->leftovers ? ID_INIT_AGAIN : ID_INIT);
	if (r == CLV_OK)
		admin_call(a, CLV_STMT_INIT_APP, p, 9, on_init);
	else
		admin_end(a, r, clv_result_text(r));
}

/* Higher than any counter that an application of that name has had, for
 * members accept no lower one: what the database says may be older than what
 * was seen. */
static uint64_t
next_counter(const struct admin *a, uint64_t in_database)
{
	uint64_t seen = heads_get(a->k->heads, a->app);

	return (seen > in_database ? seen : in_database) + 1;
}

/* The last row has the manifest's counter, also of an application that was
 * dropped. */
static void
on_head(struct keeper *k, void *arg, const struct db_result *r)
{
	struct admin *a = admin_still(k, arg);

	if (a == NULL)
		return;
	if (r->result != CLV_OK) {
		admin_end(a, r->result, r->text);
		return;
	}
	a->counter =
	    next_counter(a, r->rows > 0 ? db_u64(r, r->rows - 1, 5) : 0);
	init(a);
}

static void
init_begin(struct admin *a)
{
	const char *name = app_name(a);
	uint8_t last[8], limit[8];
	struct clv_param p[4] = {
	    {name, strlen(name)},
	    clv_param_u64(INT64_MAX, last), /* the manifest alone */
	    {"", 0},
	    clv_param_u64(1, limit),
	};

	admin_call(a, CLV_STMT_GET_CHANGES, p, 4, on_head);
}

void
admin_keys_init(struct admin *a)
{
	init_begin(a);
}
