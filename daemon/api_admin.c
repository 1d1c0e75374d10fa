/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include "daemon/api_impl.h"
void
api_admin(
    struct api_conn *c, const struct clv_api_header *h, struct clv_rd *body)
{
	(void)body;
	api_fail(c, h->op, h->id, CLV_E_DENIED, "not here");
}
