/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/cli/cli.h"
#include "daemon/base/state.h"
#include "daemon/base/system_pin.h"

/* One page of CTL_LIST into b; *ret_total is what there is in all. */
static int
page(const struct cli *c, struct clv_buf *b, uint64_t *ret_total)
{
	struct cli_reply reply;
	uint64_t offset = b->len, total;
	int r = cli_ctl(
	    c, CTL_LIST, &offset, sizeof(offset), &reply, CLI_TIMEOUT_MS);

	if (r != CLV_OK)
		return r;
	if (reply.len < sizeof(total))
		return CLV_E_PROTOCOL;
	memcpy(&total, reply.body, sizeof(total));
	if (total == 0)
		return CLV_E_NOT_FOUND;
	if (total > CLV_LIST_LEN_MAX || reply.len == sizeof(total) ||
	    offset + reply.len - sizeof(total) > total)
		return CLV_E_PROTOCOL;
	clv_buf_raw(b, reply.body + sizeof(total), reply.len - sizeof(total));
	*ret_total = total;
	return clv_buf_result(b);
}

static int
from_daemon(const struct cli *c, const uint8_t *pk, struct clv_list **ret)
{
	struct clv_buf b;
	uint64_t total = 1;
	int r = CLV_OK;

	clv_buf_init(&b);
	while (r == CLV_OK && b.len < total)
		r = page(c, &b, &total);
	if (r == CLV_OK)
		r = clv_list_open(b.data, b.len, pk, ret);
	clv_buf_fini(&b);
	return r;
}

static int
from_file(struct cli *c, const uint8_t *pk, struct clv_list **ret)
{
	void *p = NULL;
	size_t len = 0;
	int r = cli_become(c, &c->config);

	if (r != CLV_OK)
		return r;
	r = file_read(
	    c->config.state_dir, "list", CLV_LIST_LEN_MAX + 64, &p, &len);
	cli_unbecome();
	if (r == CLV_OK)
		r = clv_list_open(p, len, pk, ret);
	free(p);
	return r;
}

int
cli_list_get(struct cli *c, struct clv_list **ret)
{
	uint8_t pk[CLV_SIGN_PK_LEN];
	int r = system_pin_load(&c->config, pk);

	if (r == CLV_E_CONFIG)
		return r;
	r = from_daemon(c, pk, ret);
	/* Between two pages a newer list may have come: once more. */
	if (r == CLV_E_SIGNATURE || r == CLV_E_PROTOCOL)
		r = from_daemon(c, pk, ret);
	return r == CLV_OK ? r : from_file(c, pk, ret);
}

int
cli_list_need(struct cli *c, struct clv_list **ret)
{
	int r = cli_list_get(c, ret);

	if (r == CLV_OK)
		return CLV_OK;
	if (r == CLV_E_NOT_FOUND)
		return cli_fail(c, r,
		    "start clavigerd here once, or ask on another node",
		    "this node has not seen the signed list yet");
	return cli_fail(c, r,
	    "start clavigerd: it fetches the list from the database again",
	    "the signed list in %s/list cannot be used: %s",
	    c->config.state_dir, clv_result_text(r));
}
