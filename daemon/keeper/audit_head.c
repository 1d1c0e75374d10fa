/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/keeper/keeper.h"
#include "daemon/base/log.h"

/*
 * The newest row of the trail, where no administrator of the database can reach
 * it: on this node's disk, and told to the other server nodes.
 */
void
audit_head_load(struct keeper *k)
{
	const char *dir = k->config->state_dir;
	struct audit_file f;
	size_t len = 0;
	void *p = NULL;
	int r;

	r = file_read(dir, AUDIT_FILE, AUDIT_FILE_MAX, &p, &len);
	if (r == CLV_OK)
		r = audit_file_parse(p, len, &f);
	free(p);
	if (r != CLV_OK && r != CLV_E_NOT_FOUND)
		log_warning("%s/" AUDIT_FILE " cannot be used: %s; an end of "
			    "the audit trail that was cut off before now is "
			    "found by the other server nodes alone",
		    dir, clv_result_text(r));
	k->audit.compared = true; /* there is nothing to compare */
	if (r != CLV_OK ||
	    memcmp(f.system_id, k->seen.system_id, sizeof(f.system_id)) != 0)
		return; /* of a system that this host was part of before */
	k->audit.seen = f.seen;
	k->audit.compared = f.seen.seq == 0;
	k->audit.lost = k->audit.lost_unsaid = f.lost;
}

void
audit_head_save(struct keeper *k)
{
	struct audit_file f = {
	    .seen = k->audit.seen, .lost = k->audit.lost_unsaid};
	struct clv_buf b;
	int r;

	memcpy(f.system_id, k->seen.system_id, sizeof(f.system_id));
	clv_buf_init(&b);
	audit_file_format(&f, &b);
	r = clv_buf_result(&b);
	if (r == CLV_OK)
		r = file_replace(
		    k->config->state_dir, AUDIT_FILE, b.data, b.len, 0600);
	if (r != CLV_OK)
		log_error("%s/" AUDIT_FILE " cannot be written: %s",
		    k->config->state_dir, file_why(r));
	k->audit.dirty = r != CLV_OK;
	clv_buf_fini(&b);
}

/* More than are ever written; above it there is not room for long. */
#define SEQ_MAX (UINT64_C(1) << 62)

void
audit_head_tell(struct keeper *k)
{
	struct peer_msg m = {.kind = PEER_AUDIT, .audit = k->audit.seen};

	if (k->audit.seen.seq > 0 && k->witness.connected &&
	    k->node_number != 0 && k->secret.keyring != NULL &&
	    k->secret.list != NULL)
		peers_cast(k, &m);
}

static void
on_keep(void *arg)
{
	struct keeper *k = arg;

	audit_head_save(k);
	audit_head_tell(k);
}

void
audit_head_keep(struct keeper *k)
{
	k->audit.dirty = true;
	if (k->audit.keep == NULL)
		(void)loop_timer_set(
		    k->loop, &k->audit.keep, AUDIT_KEEP_MS, on_keep, k);
}

void
audit_head_learn(struct keeper *k, const struct audit_head *h)
{
	if (h->seq <= k->audit.seen.seq)
		return;
	k->audit.seen = *h;
	audit_head_keep(k);
}

void
audit_head_hear(struct keeper *k, const struct audit_head *h)
{
	if (k->audit.compared)
		audit_head_learn(k, h);
}

/* ---- is it all there? ---- */

static void
alarm_raise(struct keeper *k, uint64_t there, const char *what)
{
	struct audit *a = &k->audit;

	if (a->told_there == there && a->told_seen == a->seen.seq)
		return;
	a->told_there = there;
	a->told_seen = a->seen.seq;
	snprintf(a->broken, sizeof(a->broken), "%s", what);
	log_error("the database's audit trail was changed: %s: claviger audit "
		  "verify",
	    what);
	keeper_event(k, "audit-broken");
	audit_note(k, &(struct audit_note){.who = "clavigerd",
			  .operation = "audit-broken",
			  .object = "",
			  .result = CLV_E_ROLLBACK,
			  .text = what});
}

static void
tail_is_missing(struct keeper *k, uint64_t there)
{
	char what[160];

	snprintf(what, sizeof(what),
	    "rows %" PRIu64 " to %" PRIu64 ", which were there, are missing at "
	    "its end",
	    there + 1, k->audit.seen.seq);
	alarm_raise(k, there, what);
}

static void
seen_is_another(struct keeper *k, uint64_t there, bool is_there)
{
	char what[160];

	snprintf(what, sizeof(what), "row %" PRIu64 " is %s", k->audit.seen.seq,
	    is_there ? "another one than was written" : "missing");
	alarm_raise(k, there, what);
}

/* By a key that this node does not sign by yet: nothing goes behind it. */
static bool
is_ahead(const struct keeper *k, const struct audit_keys *keys, unsigned key)
{
	const uint8_t *own = clv_keyring_sign_pk(k->secret.keyring);

	while (key-- > 0)
		if (memcmp(keys->pk[key], own, CLV_SIGN_PK_LEN) == 0)
			return true;
	return false;
}

static int
newest_is_ours(struct keeper *k, const struct db_field *f, uint64_t seq)
{
	struct audit_keys keys;
	struct audit_row row;
	unsigned key;
	int r;

	audit_keys_of(k->secret.list, &keys);
	key = keys.n - 1;
	r = audit_row_read(f->p, f->len, &keys, &key, &row);

	if (r == CLV_OK && memcmp(row.system_id, k->secret.list->system_id,
			       sizeof(row.system_id)) != 0)
		r = CLV_E_WRONG_SYSTEM;
	if (r == CLV_OK && row.seq != seq)
		r = CLV_E_MISMATCH;
	return r == CLV_OK && is_ahead(k, &keys, key) ? CLV_E_AGAIN : r;
}

/* The row that was seen, among the answer's two. */
static void
judge_seen(struct keeper *k, const struct db_result *r, uint64_t newest)
{
	uint8_t link[AUDIT_LINK_LEN];
	const struct db_field *f;

	for (size_t i = 0; i < r->rows; i++) {
		if (db_u64(r, i, 0) != k->audit.seen.seq)
			continue;
		f = db_field(r, i, 1);
		audit_row_link(f->p, f->len, link);
		if (memcmp(link, k->audit.seen.link, sizeof(link)) != 0)
			seen_is_another(k, newest, true);
		return;
	}
	seen_is_another(k, newest, false);
}

/* What stands there and is not ours is left there, and written on behind. */
static int
judge_newest(
    struct keeper *k, const struct db_result *r, struct audit_head *ret)
{
	const struct db_field *f = db_field(r, r->rows - 1, 1);
	char what[160];
	int rc;

	ret->seq = db_u64(r, r->rows - 1, 0);
	audit_row_link(f->p, f->len, ret->link);
	rc = newest_is_ours(k, f, ret->seq);
	/* By a key that this node has not heard of yet, perhaps. */
	if (rc == CLV_E_SIGNATURE &&
	    k->db.list_version > k->secret.list->version)
		return CLV_E_AGAIN;
	if (rc == CLV_OK || rc == CLV_E_AGAIN)
		return rc;
	snprintf(what, sizeof(what), "row %" PRIu64 " was changed: %s",
	    ret->seq, clv_result_text(rc));
	alarm_raise(k, ret->seq, what);
	return ret->seq < SEQ_MAX ? CLV_OK : CLV_E_FULL;
}

int
audit_head_judge(
    struct keeper *k, const struct db_result *r, struct audit_head *ret_newest)
{
	const uint64_t seen = k->audit.seen.seq;
	int rc = CLV_OK;

	if (r->rows > 2)
		return CLV_E_PROTOCOL;
	if (r->rows > 0)
		rc = judge_newest(k, r, ret_newest);
	if (rc != CLV_OK)
		return rc;
	if (ret_newest->seq < seen)
		tail_is_missing(k, ret_newest->seq);
	else if (seen > 0)
		judge_seen(k, r, ret_newest->seq);
	return CLV_OK;
}
