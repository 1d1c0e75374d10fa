/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "daemon/admin/admin_run.h"

/*
 * The network name's certificate is changed. The next one comes as a row that
 * whoever asks has sealed, for its key travels nowhere in the clear. The row is
 * in the database before a list names it: what a crash leaves between the two
 * is a row that nothing refers to. With `now` nobody is waited for, and the one
 * before is pinned no more.
 */
#define ROWS_NEWER_MAX 3 /* the database keeps four rows, the newest ones */

struct next {
	const uint8_t *thumb; /* borrowed */
	bool now;
	const uint8_t *row;
	size_t row_len;
};

static int
parse_next(struct clv_rd *args, struct next *ret)
{
	ret->thumb = clv_rd_raw(args, 32);
	ret->now = clv_rd_u8(args) != 0;
	ret->row = clv_rd_bytes(args, &ret->row_len);
	return clv_rd_end(args) == CLV_OK ? CLV_OK : CLV_E_PROTOCOL;
}

static bool
is_thumb(const struct clv_list *list, unsigned i, const uint8_t *thumb)
{
	return sodium_memcmp(list->cert_thumb[i], thumb, 32) == 0;
}

static bool
has_second(const struct clv_list *list)
{
	return !sodium_is_zero(list->cert_thumb[1], 32);
}

static void
drop_second(struct clv_list *list)
{
	memset(list->cert_thumb[1], 0, 32);
	list->cert_lost[1] = false;
}

/* There are two places, and both may be taken. */
static int
may_be_next(struct admin_change *c, const struct clv_list *list,
    const struct next *next)
{
	if (sodium_is_zero(next->thumb, 32))
		return CLV_E_INVALID;
	if (is_thumb(list, 0, next->thumb) || next->now || !has_second(list) ||
	    (!list->cert_switched && is_thumb(list, 1, next->thumb)))
		return CLV_OK;
	if (list->cert_switched)
		ADMIN_SAY(c,
		    "the certificate before this one is pinned for a little "
		    "while yet: try again in some minutes, or give --now");
	else
		ADMIN_SAY(c,
		    "another next certificate is published: claviger cert "
		    "rotate --server goes on with it, --now replaces it");
	return list->cert_switched ? CLV_E_BUSY : CLV_E_EXISTS;
}

/* Its key lies in the database under the current generation: may the host that
 * has the one in force have that generation, too? */
static bool
is_readable(const struct clv_list *list)
{
	return list->cert_lost[0] &&
	       clv_list_current(list)->number <= list->lost_generation;
}

int
admin_cert_next(struct admin_change *c, struct clv_rd *args)
{
	struct clv_list *list = c->next;
	struct next next;
	int r = parse_next(args, &next);

	if (r == CLV_OK)
		r = may_be_next(c, list, &next);
	if (r != CLV_OK)
		return r;
	clv_buf_u8(&c->data, c->serves || c->again);
	if (is_thumb(list, 0, next.thumb)) {
		c->nothing = true;
		ADMIN_SAY(c, "that certificate is in force already");
		return clv_buf_result(&c->data);
	}
	c->nothing = !next.now && is_thumb(list, 1, next.thumb);
	list->cert_switched = false;
	memcpy(list->cert_thumb[next.now ? 0 : 1], next.thumb, 32);
	list->cert_lost[next.now ? 0 : 1] = is_readable(list);
	if (next.now)
		drop_second(list);
	ADMIN_SAY(c, "the next certificate is %s",
	    next.now ? "in force, and the one before is refused" : "published");
	return clv_buf_result(&c->data);
}

int
admin_cert_switch(struct admin_change *c, struct clv_rd *args)
{
	struct clv_list *list = c->next;
	const uint8_t *thumb = clv_rd_raw(args, 32);
	uint8_t was[32];
	bool was_lost = list->cert_lost[0];

	if (clv_rd_end(args) != CLV_OK)
		return CLV_E_PROTOCOL;
	if (list->cert_switched || !has_second(list) ||
	    !is_thumb(list, 1, thumb)) {
		ADMIN_SAY(c, "that certificate is not the next one");
		return CLV_E_NOT_FOUND;
	}
	memcpy(was, list->cert_thumb[0], 32);
	memcpy(list->cert_thumb[0], thumb, 32);
	memcpy(list->cert_thumb[1], was, 32);
	list->cert_lost[0] = list->cert_lost[1];
	list->cert_lost[1] = was_lost;
	list->cert_switched = true;
	ADMIN_SAY(c, "the network name's next certificate is in force");
	return CLV_OK;
}

int
admin_cert_drop(struct admin_change *c, struct clv_rd *args)
{
	struct clv_list *list = c->next;
	const uint8_t *thumb = clv_rd_raw(args, 32);

	if (clv_rd_end(args) != CLV_OK)
		return CLV_E_PROTOCOL;
	if (!list->cert_switched || !is_thumb(list, 1, thumb)) {
		ADMIN_SAY(c, "that certificate is not the one before");
		return CLV_E_NOT_FOUND;
	}
	drop_second(list);
	list->cert_switched = false;
	ADMIN_SAY(c, "the network name's certificate before is refused");
	return CLV_OK;
}

bool
admin_cert_is_next(const struct clv_list *list, struct clv_rd *args)
{
	const uint8_t *thumb = clv_rd_raw(args, 32);

	return thumb != NULL &&
	       (is_thumb(list, 0, thumb) ||
		   (!list->cert_switched && is_thumb(list, 1, thumb)));
}

bool
admin_cert_is_switched(const struct clv_list *list, struct clv_rd *args)
{
	const uint8_t *thumb = clv_rd_raw(args, 32);

	return thumb != NULL && is_thumb(list, 0, thumb);
}

bool
admin_cert_is_dropped(const struct clv_list *list, struct clv_rd *args)
{
	const uint8_t *thumb = clv_rd_raw(args, 32);

	return thumb != NULL && !is_thumb(list, 0, thumb) &&
	       !is_thumb(list, 1, thumb);
}

/* The row, before the list. */

static void
on_row_put(struct keeper *k, void *arg, const struct db_result *r)
{
	struct admin *a = admin_still(k, arg);

	if (a == NULL)
		return;
	switch (r->result) {
	case CLV_OK: admin_change_build(a); break;
	case CLV_E_UNKNOWN:
	case CLV_E_TIMEOUT:
	case CLV_E_DATABASE_AWAY:
		a->again = admin_cert_begin;
		admin_wait(
		    a, ADMIN_STEP_RETRY, ADMIN_DEADLINE_MS, ADMIN_RETRY_MS);
		break;
	default: admin_end(a, r->result, r->text);
	}
}

static void
put_row(struct admin *a, const struct next *next, const struct clv_buf *row)
{
	uint8_t epoch[8], id[16];
	struct clv_param p[5] = {
	    clv_param_u64(a->epoch, epoch),
	    {a->k->instance, sizeof(a->k->instance)},
	    {id, sizeof(id)},
	    {next->thumb, 32},
	    {row->data, row->len},
	};

	/* A second write of one operation: an id of its own. */
	memcpy(id, a->id, sizeof(id));
	id[0] ^= 0x80;
	admin_call(a, CLV_STMT_PUT_TLS, p, 5, on_row_put);
}

/* Under the generation that is current by now. */
static int
seal_again(struct admin *a, const struct next *next, struct clv_buf *ret)
{
	struct keeper *k = a->k;
	uint8_t *key = NULL, thumb[32];
	size_t key_len = 0;
	struct clv_buf cert;
	int r;

	clv_buf_init(&cert);
	r = clv_tls_row_open(k->guard, k->secret.keyring, next->row,
	    next->row_len, &cert, &key, &key_len);
	if (r == CLV_OK) {
		crypto_hash_sha256(thumb, cert.data, cert.len);
		r = sodium_memcmp(thumb, next->thumb, 32) == 0 ? CLV_OK
							       : CLV_E_MISMATCH;
	}
	if (r == CLV_OK)
		r = clv_tls_row_seal(k->guard, k->secret.keyring,
		    clv_list_current(k->secret.list)->number, cert.data,
		    cert.len, key, key_len, ret);
	clv_guard_put(k->guard, key);
	clv_buf_fini(&cert);
	return r;
}

/* One more row must not push out the one that is in force: that many are left
 * by crashes alone, and none is after the next switch. */
static bool
is_room(
    const struct admin *a, const struct next *next, const struct db_result *r)
{
	size_t newer = 0;

	while (newer < r->rows && db_field(r, newer, 0)->len == 32 &&
	       !is_thumb(a->k->secret.list, 0, db_field(r, newer, 0)->p))
		newer++;
	return newer < ROWS_NEWER_MAX ||
	       secret_tls_row(r, next->thumb) != NULL || next->now;
}

static int
take_next(struct admin *a, const struct db_result *r, struct next *next,
    struct clv_buf *ret)
{
	struct clv_rd args;
	int rc;

	clv_rd_init(&args, a->args, a->args_len);
	rc = parse_next(&args, next);
	if (rc == CLV_OK)
		rc = may_be_next(&a->change, a->k->secret.list, next);
	if (rc == CLV_OK && !is_room(a, next, r)) {
		snprintf(a->change.text, sizeof(a->change.text),
		    "the database has too many certificates that were never in "
		    "force: give --now");
		rc = CLV_E_FULL;
	}
	if (rc != CLV_OK || is_thumb(a->k->secret.list, 0, next->thumb))
		return rc; /* nothing is to be written */
	return seal_again(a, next, ret);
}

/* What is switched to must be there, and open. */
static int
check_switch(struct admin *a, const struct db_result *r)
{
	struct keeper *k = a->k;
	const struct db_field *row =
	    secret_tls_row(r, k->secret.list->cert_thumb[1]);
	size_t key_len = 0;
	uint8_t *key = NULL;
	struct clv_buf cert;
	int rc;

	if (row == NULL)
		return CLV_E_NOT_FOUND;
	clv_buf_init(&cert);
	rc = secret_tls_open(k, row, &cert, &key, &key_len);
	clv_guard_put(k->guard, key);
	clv_buf_fini(&cert);
	return rc;
}

static void
on_rows(struct keeper *k, void *arg, const struct db_result *r)
{
	struct admin *a = admin_still(k, arg);
	struct next next = {0};
	struct clv_buf row;
	int rc;

	if (a == NULL)
		return;
	clv_buf_init(&row);
	rc = r->result;
	if (rc == CLV_OK && !secret_is_proven(k))
		rc = CLV_E_NOT_READY;
	if (rc == CLV_OK)
		rc = a->op == ADMIN_CERT_NEXT ? take_next(a, r, &next, &row)
					      : check_switch(a, r);
	if (rc != CLV_OK)
		admin_end(a, rc, r->result != CLV_OK ? r->text : NULL);
	else if (row.len > 0)
		put_row(a, &next, &row);
	else
		admin_change_build(a);
	clv_buf_fini(&row);
}

void
admin_cert_begin(struct admin *a)
{
	admin_call(a, CLV_STMT_GET_TLS, NULL, 0, on_rows);
}
