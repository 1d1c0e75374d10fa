/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <claviger/result.h>
#include "daemon/keeper/audit_row.h"

static void __attribute__((format(printf, 3, 4)))
found(struct audit_chain *c, uint64_t seq, const char *fmt, ...)
{
	char what[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (c->faults++ == 0)
		c->first = seq;
	c->found(c->arg, seq, what);
}

static void
missing(struct audit_chain *c, uint64_t last, const char *how)
{
	if (c->next == last)
		found(c, last, "row %" PRIu64 " is missing%s", last, how);
	else
		found(c, c->next,
		    "rows %" PRIu64 " to %" PRIu64 " are missing%s", c->next,
		    last, how);
}

void
audit_chain_begin(
    struct audit_chain *c, const struct audit_keys *keys, uint64_t from)
{
	c->keys = keys;
	c->key = 0;
	c->any_system = true;
	c->any_before = from > 1;
	c->next = from;
	memset(c->before, 0, sizeof(c->before));
	c->rows = c->lost = c->faults = c->first = 0;
}

static bool
is_other_system(struct audit_chain *c, const struct audit_row *r)
{
	if (c->any_system)
		memcpy(c->system_id, r->system_id, sizeof(c->system_id));
	c->any_system = false;
	return memcmp(c->system_id, r->system_id, sizeof(r->system_id)) != 0;
}

/* Of a row that the system has signed. A gap before it was told already. */
static void
check_place(struct audit_chain *c, uint64_t seq, const struct audit_row *r,
    bool after_gap)
{
	if (is_other_system(c, r))
		found(c, seq, "row %" PRIu64 " is of another system", seq);
	else if (r->seq != seq)
		found(c, seq,
		    "in the place of row %" PRIu64 " stands row %" PRIu64, seq,
		    r->seq);
	else if (!c->any_before && !after_gap &&
		 memcmp(r->before, c->before, sizeof(c->before)) != 0)
		found(c, seq,
		    "row %" PRIu64 " does not follow the row before it: that "
		    "one is not the one that was written",
		    seq);
}

int
audit_chain_row(struct audit_chain *c, uint64_t seq, const void *body,
    size_t len, struct audit_row *ret)
{
	bool after_gap = seq > c->next;
	uint64_t faults = c->faults;
	unsigned key = c->key;
	int r;

	if (seq < c->next) { /* no database answers so that is honest */
		found(c, seq, "row %" PRIu64 " comes twice", seq);
		return CLV_E_DAMAGED;
	}
	if (after_gap)
		missing(c, seq - 1, "");
	r = audit_row_read(body, len, c->keys, &key, ret);
	c->rows++;
	c->next = seq + 1;
	if (r != CLV_OK)
		found(c, seq, "row %" PRIu64 " was changed: %s", seq,
		    clv_result_text(r));
	else
		check_place(c, seq, ret, after_gap);
	if (r == CLV_OK && c->faults == faults + after_gap && key < c->key)
		found(c, seq,
		    "row %" PRIu64 " is signed by a key that was replaced "
		    "before",
		    seq);
	if (r == CLV_OK && key > c->key)
		c->key = key;
	/* After one that is wrong the next one's is not known. */
	c->any_before = r != CLV_OK || ret->seq != seq;
	audit_row_link(body, len, c->before);
	if (r == CLV_OK && seq == c->seen.seq && c->faults == faults &&
	    memcmp(c->before, c->seen.link, sizeof(c->before)) != 0)
		found(c, seq,
		    "row %" PRIu64 " is another one than was written: the "
		    "trail was set back, and then written on",
		    seq);
	if (r == CLV_OK)
		c->lost += ret->lost;
	return r;
}

void
audit_chain_end(struct audit_chain *c)
{
	if (c->seen.seq >= c->next)
		missing(c, c->seen.seq, " at the end");
}
