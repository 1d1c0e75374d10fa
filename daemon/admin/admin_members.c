/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include "daemon/admin/admin.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/members_live.h"

/* ADMIN_MEMBERS_STATE: what members said of themselves, to the server that
 * they fetch from. */

#define PAGE_MAX 48000 /* of any answer */

static void
put_member(struct clv_buf *b, const struct member_live *m, uint64_t now)
{
	clv_buf_str(b, m->name);
	clv_buf_u8(
	    b, members_live_is_twice(m, now) ? 2 : members_live_is(m, now));
	clv_buf_u64(b, now > m->heard_ms ? now - m->heard_ms : 0);
	clv_buf_u32(b, m->generation);
	clv_buf_u64(b, m->list_version);
}

static void
page(struct keeper *k, const char *after, struct clv_buf *data)
{
	uint64_t now = loop_now_ms();
	const struct member_live *m;
	struct clv_buf rows;
	uint32_t n = 0;

	clv_buf_init(&rows);
	for (m = members_live_next(k->live, after);
	     m != NULL && rows.len <= PAGE_MAX;
	     m = members_live_next(k->live, m->name)) {
		put_member(&rows, m, now);
		n++;
	}
	clv_buf_u8(data, m != NULL);
	clv_buf_u32(data, n);
	clv_buf_raw(data, rows.data, rows.len);
	if (clv_buf_result(&rows) != CLV_OK)
		data->failed = true;
	clv_buf_fini(&rows);
}

void
admin_members(
    struct keeper *k, const struct admin_origin *from, struct clv_rd *args)
{
	char after[CLV_NAME_MAX];
	struct clv_buf data;
	int r = CLV_OK;

	clv_rd_str(args, after, sizeof(after));
	clv_buf_init(&data);
	if (clv_rd_end(args) != CLV_OK)
		r = CLV_E_PROTOCOL;
	else if (!role_serves(k->serving.state))
		r = CLV_E_NOT_ACTIVE;
	else
		page(k, after, &data);
	if (r == CLV_OK)
		r = clv_buf_result(&data);
	admin_answer(k, from, r, r == CLV_OK ? "" : clv_result_text(r), "",
	    r == CLV_OK ? &data : NULL);
	clv_buf_fini(&data);
}
