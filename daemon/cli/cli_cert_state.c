/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include "daemon/admin/admin.h"
#include "daemon/cli/cli_cert.h"

static void
read_hosts(struct clv_rd *rd, struct cli_cert_hosts *ret)
{
	ret->n = clv_rd_u32(rd);
	clv_rd_str(rd, ret->names, sizeof(ret->names));
	cli_printable(ret->names);
}

static int
read_state(const struct cli_answer *a, struct cli_cert_state *ret)
{
	struct clv_rd rd;

	clv_rd_init(&rd, a->data.data, a->data.len);
	ret->phase = clv_rd_u8(&rd);
	clv_rd_copy(&rd, ret->thumb, sizeof(ret->thumb));
	clv_rd_str(&rd, ret->why, sizeof(ret->why));
	cli_printable(ret->why);
	for (unsigned i = 0; i < ACKS; i++)
		read_hosts(&rd, &ret->host[i]);
	read_hosts(&rd, &ret->not_live);
	return clv_rd_end(&rd);
}

int
cli_cert_state(struct cli *c, struct cli_cert_state *ret)
{
	bool was_quiet = c->quiet;
	struct cli_answer a;
	struct clv_buf b;
	int r;

	memset(ret, 0, sizeof(*ret));
	cli_answer_init(&a);
	cli_admin_begin(&b, ADMIN_CERT_STATE);
	c->quiet = true;
	r = cli_admin_look(c, &b, &a);
	c->quiet = was_quiet;
	if (r == CLV_OK)
		r = read_state(&a, ret);
	cli_answer_fini(&a);
	clv_buf_fini(&b);
	return r;
}

void
cli_cert_hosts_json(
    struct cli_json *j, const char *key, const struct cli_cert_hosts *h)
{
	char names[sizeof(h->names)], *save = NULL, *name;

	memcpy(names, h->names, sizeof(names));
	cli_json_array(j, key);
	for (name = strtok_r(names, ", ", &save); name != NULL;
	     name = strtok_r(NULL, ", ", &save))
		cli_json_str_push(j, key, name);
}
