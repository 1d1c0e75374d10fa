/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <string.h>

#include "daemon/admin/admin.h"
#include "daemon/api/api_impl.h"

/*
 * Administration by those whom the access lists name, on a server node: of
 * applications, and of who administers. What else there is to administer is
 * root's, over the control socket. Who may what, admin_may() says.
 */

static bool
is_access_list(struct clv_rd *args)
{
	char key[64];

	clv_rd_str(args, key, sizeof(key));
	return strcmp(key, "system_admins") == 0 ||
	       strcmp(key, "app_creators") == 0;
}

static bool
is_for_users(const struct clv_rd *request)
{
	struct clv_rd rd = *request;
	uint8_t op = clv_rd_u8(&rd);

	(void)clv_rd_raw(&rd, 16); /* the operation's id */
	switch ((enum admin_op)op) {
	case ADMIN_APP_ADD:
	case ADMIN_APP_REMOVE:
	case ADMIN_APP_GRANT:
	case ADMIN_APP_REVOKE:
	case ADMIN_APPS:
	case ADMIN_APP_COUNT: return true;
	case ADMIN_SETTING: return is_access_list(&rd);
	default: return false;
	}
}

/* The answer says by itself how it went. */
static void
on_done(struct keeper *k, void *arg, int result, const void *p, size_t len)
{
	struct api_call call = *(struct api_call *)arg;
	struct api_conn *c = api_call_end(arg);

	(void)k;
	(void)result;
	if (c != NULL)
		api_send(c, call.op, call.id, CLV_OK, p, len, NULL, 0);
}

void
api_admin(
    struct api_conn *c, const struct clv_api_header *h, struct clv_rd *body)
{
	struct keeper *k = c->api->k;
	struct admin_origin from = {.done = on_done, .caller = &c->who};

	if (!k->member->is_server_node) {
		api_fail(c, h->op, h->id, CLV_E_NOT_ACTIVE,
		    "applications are administered on a server node");
		return;
	}
	if (!is_for_users(body)) {
		api_fail(c, h->op, h->id, CLV_E_DENIED,
		    "only root may do that, with claviger on a server node");
		return;
	}
	from.arg = api_call_new(c, h->op, h->id);
	if (from.arg != NULL)
		admin_request(k, &from, body->p, body->len);
}
