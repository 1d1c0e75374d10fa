/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdlib.h>

#include "daemon/api_impl.h"

/* Administration of applications by those who may, on a server node: the
 * request is the one that root makes over the control socket. */

static void
on_done(struct keeper *k, void *arg, int result, const void *p, size_t len)
{
	struct api_call call = *(struct api_call *)arg;
	struct api_conn *c = api_call_end(arg);

	(void)k;
	(void)result; /* it stands in the answer, with what to say */
	if (c != NULL)
		api_send(c, call.op, call.id, CLV_OK, p, len, NULL, 0);
}

void
api_admin(
    struct api_conn *c, const struct clv_api_header *h, struct clv_rd *body)
{
	struct admin_origin from = {.done = on_done, .caller = &c->who};
	struct keeper *k = c->api->k;

	if (!k->member->is_server_node) {
		api_fail(c, h->op, h->id, CLV_E_NOT_ACTIVE,
		    "applications are administered on a server node");
		return;
	}
	from.arg = api_call_new(c, h->op, h->id);
	if (from.arg != NULL)
		admin_request(k, &from, body->p, body->len);
}
