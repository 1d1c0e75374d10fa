/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <string.h>

#include "keeper_db.h"

/* What the database does with the generations of the master secret: keys of
 * applications, of which each has two here, TLS keys, sealed copies. */

static bool
key_of(const struct rig_app *a, unsigned version, uint32_t *ret_generation,
    const uint8_t **ret_wrapped)
{
	*ret_generation = version == 0 ? a->index_generation : a->generation;
	*ret_wrapped = version == 0 ? a->index_key : a->data_key;
	return a->keys;
}

void
rig_call_count_keys(struct call *c)
{
	uint64_t n[CLV_GENERATIONS_MAX][2] = {0};
	const uint8_t *wrapped;
	uint32_t generation, used = 0;

	for (unsigned i = 0; i < 2 * RIG_APPS; i++)
		if (key_of(&rig_db.apps[i / 2], i % 2, &generation, &wrapped))
			n[generation][i % 2]++;
	for (unsigned g = 0; g < CLV_GENERATIONS_MAX; g++)
		used += n[g][0] + n[g][1] > 0;
	rows(c, used, 3);
	for (unsigned g = 0; g < CLV_GENERATIONS_MAX; g++) {
		if (n[g][0] + n[g][1] == 0)
			continue;
		put_u64(c, g);
		put_u64(c, n[g][0] + n[g][1]);
		put_u64(c, n[g][0]);
	}
}

/* The next key in the order of the index, of a generation below. */
static int
next_key(uint32_t below, uint64_t generation, const char *app, uint64_t version)
{
	uint32_t g, best_g = 0;
	const uint8_t *wrapped;
	int best = -1;

	for (int i = 0; i < 2 * RIG_APPS; i++) {
		const struct rig_app *a = &rig_db.apps[i / 2];
		int order = strcmp(a->name, app);

		if (!key_of(a, (unsigned)i % 2, &g, &wrapped) || g >= below ||
		    g < generation ||
		    (g == generation &&
			(order < 0 ||
			    (order == 0 && (uint64_t)i % 2 <= version))))
			continue;
		if (best >= 0 &&
		    (g > best_g ||
			(g == best_g &&
			    strcmp(a->name, rig_db.apps[best / 2].name) >= 0)))
			continue;
		best = i;
		best_g = g;
	}
	return best;
}

void
rig_call_get_old_keys(struct call *c)
{
	uint64_t limit = u64(c, 4), generation = u64(c, 1), version = u64(c, 3);
	int found[2 * RIG_APPS], at;
	char app[CLV_NAME_MAX] = "";
	const uint8_t *wrapped;
	uint32_t g, n = 0;

	memcpy(app, c->param[2].p, c->param[2].len);
	if (rig_db.page != 0 && rig_db.page < limit)
		limit = rig_db.page;
	while (n < limit && (at = next_key((uint32_t)u64(c, 0), generation, app,
				 version)) >= 0) {
		found[n++] = at;
		key_of(&rig_db.apps[at / 2], (unsigned)at % 2, &g, &wrapped);
		generation = g;
		version = (uint64_t)at % 2;
		memcpy(app, rig_db.apps[at / 2].name, sizeof(app));
	}
	rows(c, n, 4);
	for (uint32_t i = 0; i < n; i++) {
		const struct rig_app *a = &rig_db.apps[found[i] / 2];

		key_of(a, (unsigned)found[i] % 2, &g, &wrapped);
		clv_buf_str(c->out, a->name);
		put_u64(c, (uint64_t)found[i] % 2);
		put_u64(c, g);
		clv_buf_bytes(c->out, wrapped, sizeof(a->data_key));
	}
}

/* An array as libpq has it: its elements, and how many there are. */
static uint32_t
array(const struct call *c, unsigned i, struct clv_rd *ret)
{
	uint32_t dimensions, n = 0;

	clv_rd_init(ret, c->param[i].p, c->param[i].len);
	dimensions = clv_rd_u32(ret);
	clv_rd_u64(ret); /* flags, type */
	if (dimensions == 1) {
		n = clv_rd_u32(ret);
		clv_rd_u32(ret);
	}
	RIG_REQUIRE(!ret->failed);
	return n;
}

static uint64_t
element_u64(struct clv_rd *r)
{
	RIG_REQUIRE(clv_rd_u32(r) == 8);
	return clv_rd_u64(r);
}

static uint64_t
rewrap_key(const char *name, uint64_t version, uint64_t old,
    const uint8_t *wrapped, uint32_t generation)
{
	struct rig_app *a = rig_db_app(name);
	uint32_t *g = version == 0 ? &a->index_generation : &a->generation;

	if (!a->keys || *g != old)
		return 0;
	memcpy(version == 0 ? a->index_key : a->data_key, wrapped,
	    sizeof(a->data_key));
	*g = generation;
	return 1;
}

void
rig_call_put_rewrapped(struct call *c)
{
	struct clv_rd apps, versions, olds, wrapped;
	uint32_t generation = (uint32_t)u64(c, 2), count;
	uint64_t n = 0;

	if (!rig_call_guard(c))
		return;
	if (generation < clv_list_current(rig_db_list())->number) {
		refuse(c, CLV_E_STALE, "generation is not in force any more");
		return;
	}
	count = array(c, 3, &apps);
	RIG_REQUIRE(count > 0 && count == array(c, 4, &versions) &&
		    count == array(c, 5, &olds) &&
		    count == array(c, 6, &wrapped));
	while (count-- > 0) {
		char name[CLV_NAME_MAX] = "";
		const uint8_t *p;
		uint64_t version, old;
		size_t len;

		p = clv_rd_bytes(&apps, &len);
		memcpy(name, p, len);
		version = element_u64(&versions);
		old = element_u64(&olds);
		p = clv_rd_bytes(&wrapped, &len);
		RIG_REQUIRE(len == CLV_DATAKEY_WRAPPED_LEN);
		n += rewrap_key(name, version, old, p, generation);
	}
	rig_db.rewrites++;
	rows(c, 1, 1);
	put_u64(c, n);
}

static struct clv_buf *
tls_row(const uint8_t *thumb)
{
	struct rig_tls *t = rig_db.more_tls;

	if (memcmp(thumb, rig_db.tls_thumb, 32) == 0)
		return &rig_db.tls;
	for (unsigned i = 0; i < RIG_TLS; i++)
		if (t[i].row.len > 0 && memcmp(thumb, t[i].thumb, 32) == 0)
			return &t[i].row;
	/* A change of the list drops what it does not name. */
	RIG_REQUIRE(memcmp(t[RIG_TLS - 1].thumb, rig_db_list()->cert_thumb,
			sizeof(rig_db_list()->cert_thumb[0])) != 0);
	clv_buf_fini(&t[RIG_TLS - 1].row);
	memmove(&t[1], &t[0], (RIG_TLS - 1) * sizeof(*t));
	memset(&t[0], 0, sizeof(*t));
	memcpy(t[0].thumb, thumb, 32);
	return &t[0].row;
}

void
rig_call_put_tls(struct call *c)
{
	if (!rig_call_start_op(c))
		return;
	buf_set(tls_row(raw(c, 3, 32)), c->param[4].p, c->param[4].len);
	rig_call_op_done(c);
}

void
rig_call_get_escrows(struct call *c)
{
	uint32_t n = 0;

	for (unsigned i = 1; i <= CLV_LIST_NODES_MAX; i++)
		n += rig_db.escrow[i].len > 0;
	rows(c, n, 3);
	for (unsigned i = 1; i <= CLV_LIST_NODES_MAX; i++) {
		if (rig_db.escrow[i].len == 0)
			continue;
		put_u64(c, i);
		put_u64(c, rig_db.escrow_generation[i]);
		put_u64(c, 5);
	}
}

void
rig_call_drop_escrows(struct call *c)
{
	bool keep[CLV_LIST_NODES_MAX + 1] = {false};
	struct clv_rd r;
	uint32_t n;
	uint64_t dropped = 0;

	if (!rig_call_guard(c))
		return;
	for (n = array(c, 2, &r); n > 0; n--)
		keep[element_u64(&r)] = true;
	for (unsigned i = 1; i <= CLV_LIST_NODES_MAX; i++) {
		if (keep[i] || rig_db.escrow[i].len == 0)
			continue;
		clv_buf_fini(&rig_db.escrow[i]);
		rig_db.escrow_generation[i] = 0;
		dropped++;
	}
	rows(c, 1, 1);
	put_u64(c, dropped);
}

void
rig_call_get_backups(struct call *c)
{
	rows(c, rig_db.backup.len > 0, 3);
	if (rig_db.backup.len == 0)
		return;
	put_u64(c, 1);
	clv_buf_bytes(c->out, rig_db.backup.data, rig_db.backup.len);
	put_u64(c, 9);
}

/* ---- the audit trail: lib/sql/004-audit.sql ---- */

static const struct rig_audit *
audit_row(uint64_t seq)
{
	for (unsigned i = 0; i < rig_db.audits; i++)
		if (rig_db.audit[i].seq == seq)
			return &rig_db.audit[i];
	return NULL;
}

/* The elements of a bytea[] as clv_array has them. */
static void
add_rows(const struct call *c)
{
	const uint8_t *p;
	struct clv_rd r;
	size_t len;
	uint64_t seq = u64(c, 1);

	clv_rd_init(&r, c->param[2].p, c->param[2].len);
	(void)clv_rd_raw(&r, 20);
	for (; r.len > 0; seq++) {
		p = clv_rd_bytes(&r, &len);
		RIG_REQUIRE(p != NULL);
		if (rig_db.audits ==
		    RIG_AUDIT) { /* the oldest are not missed */
			clv_buf_fini(&rig_db.audit[0].body);
			memmove(&rig_db.audit[0], &rig_db.audit[1],
			    (RIG_AUDIT - 1) * sizeof(rig_db.audit[0]));
			rig_db.audits--;
			clv_buf_init(&rig_db.audit[rig_db.audits].body);
		}
		rig_db.audit[rig_db.audits].seq = seq;
		buf_set(&rig_db.audit[rig_db.audits++].body, p, len);
	}
}

void
rig_call_put_audit(struct call *c)
{
	uint64_t newest =
	    rig_db.audits > 0 ? rig_db.audit[rig_db.audits - 1].seq : 0;
	const struct rig_audit *first = audit_row(u64(c, 1));
	enum clv_audit_put state = CLV_AUDIT_OTHER;

	RIG_REQUIRE(u64(c, 1) > u64(c, 0));
	if (rig_db.audit_lies) {
		state = CLV_AUDIT_OTHER;
	} else if (newest == u64(c, 0)) {
		add_rows(c);
		state = CLV_AUDIT_DONE;
	} else if (first != NULL && c->param[2].len > 24 &&
		   memcmp(first->body.data, c->param[2].p + 24,
		       first->body.len) == 0) {
		state = CLV_AUDIT_THERE;
	}
	rows(c, 1, 1);
	put_u64(c, state);
}

static void
put_row(struct call *c, const struct rig_audit *row)
{
	put_u64(c, row->seq);
	clv_buf_bytes(c->out, row->body.data, row->body.len);
}

void
rig_call_get_audit_head(struct call *c)
{
	const struct rig_audit *asked = audit_row(u64(c, 0)), *newest;

	if (rig_db.audits == 0) {
		rows(c, 0, 2);
		return;
	}
	newest = &rig_db.audit[rig_db.audits - 1];
	if (asked == newest)
		asked = NULL;
	rows(c, asked != NULL ? 2 : 1, 2);
	if (asked != NULL)
		put_row(c, asked);
	put_row(c, newest);
}
