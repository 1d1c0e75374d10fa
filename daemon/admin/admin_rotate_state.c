/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include "daemon/admin/admin.h"
#include "daemon/keeper/keeper.h"
#include "daemon/rotate/rewrap.h"

/* ADMIN_ROTATE_STATE: how far the active server is. */

static const char *
late(const struct members_wait *w)
{
	return w != NULL && w->over ? w->late : "";
}

static const char *
waits_for(const struct keeper *k, const struct members_wait *w)
{
	return k->publish.why[0] != '\0' ? k->publish.why
	       : w != NULL		 ? w->why
					 : "";
}

static void
format(struct keeper *k, struct clv_buf *b)
{
	const struct clv_list_generation *g = publish_find(k->secret.list);
	bool published = g != NULL;
	const struct members_wait *w;
	struct rewrap_progress p;

	rewrap_progress(k, &p);
	if (!published)
		g = clv_list_current(k->secret.list);
	w = members_wait_find(k, g->number);
	clv_buf_u32(b, g->number);
	clv_buf_u8(b, (uint8_t)(published ? REWRAP_IS_TO_COME : p.state));
	clv_buf_u64(b, p.total);
	clv_buf_u64(b, p.left);
	clv_buf_u64(b, p.damaged);
	clv_buf_u64(b, p.reencrypted);
	clv_buf_u64(b, p.not_reencrypted);
	clv_buf_str(b, published ? waits_for(k, w) : p.why);
	clv_buf_str(b, late(w));
}

void
admin_rotate_state(
    struct keeper *k, const struct admin_origin *from, struct clv_rd *args)
{
	admin_say_state(k, from, args, format);
}
