/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include "daemon/admin.h"
#include "daemon/keeper.h"
#include "daemon/rewrap.h"

/* ADMIN_ROTATE_STATE: how far the active server is. */

static void
format(struct keeper *k, struct clv_buf *b)
{
	struct rewrap_progress p;

	rewrap_progress(k, &p);
	clv_buf_u32(b, clv_list_current(k->secret.list)->number);
	clv_buf_u8(b, (uint8_t)p.state);
	clv_buf_u64(b, p.total);
	clv_buf_u64(b, p.left);
	clv_buf_u64(b, p.damaged);
	clv_buf_str(b, p.why);
}

void
admin_rotate_state(
    struct keeper *k, const struct admin_origin *from, struct clv_rd *args)
{
	struct clv_buf data;
	int r = CLV_OK;

	clv_buf_init(&data);
	if (clv_rd_end(args) != CLV_OK)
		r = CLV_E_PROTOCOL;
	else if (!role_serves(k->serving.state) || k->secret.list == NULL)
		r = CLV_E_NOT_ACTIVE;
	else
		format(k, &data);
	if (r == CLV_OK)
		r = clv_buf_result(&data);
	admin_answer(k, from, r, r == CLV_OK ? "" : clv_result_text(r), "",
	    r == CLV_OK ? &data : NULL);
	clv_buf_fini(&data);
}
