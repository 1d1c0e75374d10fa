/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <time.h>
#include "daemon/admin/admin.h"
#include "daemon/cli/status/cli_status.h"
#include "daemon/base/state.h"
#include "daemon/base/system_pin.h"
#include "daemon/front/tls.h"

/* -> u32 n, n x (u32 generation, str where, u64 age_s), newest first */
static void
ask_backup(struct cli *c, struct cli_status_backup *b)
{
	struct clv_buf request;
	struct cli_answer a;
	struct clv_rd rd;
	uint32_t n;

	cli_answer_init(&a);
	cli_admin_begin(&request, ADMIN_BACKUPS);
	if (cli_admin_local(c, &request, &a) == CLV_OK && a.result == CLV_OK) {
		clv_rd_init(&rd, a.data.data, a.data.len);
		n = clv_rd_u32(&rd);
		if (n > 0) {
			b->generation = clv_rd_u32(&rd);
			clv_rd_str(&rd, b->where, sizeof(b->where));
			b->age_s = clv_rd_u64(&rd);
		}
		b->known = !rd.failed;
		cli_printable(b->where);
	}
	clv_buf_fini(&request);
	cli_answer_fini(&a);
}

static void
ask_rotation(struct cli *c, struct cli_rotation *s)
{
	struct clv_buf request;
	struct cli_answer a;

	cli_answer_init(&a);
	cli_admin_begin(&request, ADMIN_ROTATE_STATE);
	if (cli_admin_local(c, &request, &a) != CLV_OK || a.result != CLV_OK ||
	    cli_rotation_read(&a, s) != CLV_OK)
		memset(s, 0, sizeof(*s));
	clv_buf_fini(&request);
	cli_answer_fini(&a);
}

static void
add_cert(struct cli_status *s, const char *party, const char *name,
    const void *der, size_t len)
{
	struct cli_status_cert *cert = &s->certs[s->cert_count];
	struct cert_info info;

	if (s->cert_count == CLI_STATUS_CERTS ||
	    cert_info(der, len, &info) != CLV_OK)
		return;
	cert->party = party;
	cert->name = name;
	cert->left_s = info.not_after - (int64_t)time(NULL);
	s->cert_count++;
}

static void
own_cert(struct cli *c, struct cli_status *s)
{
	char path[320];
	struct clv_buf der;
	int r;

	if (c->config.system[0] == '\0' || cli_become(c, &c->config) != CLV_OK)
		return;
	clv_buf_init(&der);
	snprintf(path, sizeof(path), "%s/tls.crt", c->config.state_dir);
	r = cert_load(path, &der);
	cli_unbecome();
	if (r == CLV_OK)
		add_cert(s, "host", s->st.node, der.data, der.len);
	clv_buf_fini(&der);
}

static void
ask_cert(struct cli *c, struct cli_status *s)
{
	struct clv_buf request;
	struct cli_answer a;
	struct clv_rd rd;
	const uint8_t *der;
	size_t len = 0;

	cli_answer_init(&a);
	cli_admin_begin(&request, ADMIN_CERTIFICATE);
	if (cli_admin_local(c, &request, &a) == CLV_OK && a.result == CLV_OK) {
		clv_rd_init(&rd, a.data.data, a.data.len);
		der = clv_rd_bytes(&rd, &len);
		if (clv_rd_end(&rd) == CLV_OK)
			add_cert(
			    s, "network-name", s->st.network_name, der, len);
	}
	clv_buf_fini(&request);
	cli_answer_fini(&a);
}

/* Without a daemon: what the files say. */
static void
from_disk(struct cli *c, struct cli_status *v)
{
	uint8_t pk[CLV_SIGN_PK_LEN];
	struct state s;

	snprintf(v->st.node, sizeof(v->st.node), "%s", c->config.node);
	if (system_pin_load(&c->config, pk) != CLV_E_CONFIG)
		cli_base64(pk, v->st.system_pk);
	snprintf(v->st.network_name, sizeof(v->st.network_name), "%s",
	    c->config.network_name);
	snprintf(v->st.address, sizeof(v->st.address), "%s", c->config.address);
	v->st.port = c->config.port;
	v->st.score = CTL_SCORE_NEVER;
	if (cli_become(c, &c->config) != CLV_OK)
		return;
	if (state_load(c->config.state_dir, &s) == CLV_OK) {
		v->st.epoch = s.epoch;
		v->st.list_version = s.list_version;
		v->st.current_generation = s.generation;
	}
	cli_unbecome();
}

/* Server nodes have the member role as well. */
static void
ask_member(struct cli *c, struct cli_status *s)
{
	struct clv_client *api = NULL;
	char path[300];

	snprintf(path, sizeof(path), "%s/api.sock", c->config.run_dir);
	if (clv_client_open(path, &api) == CLV_OK)
		s->own_known =
		    clv_client_timeout(api, CLI_TIMEOUT_MS) == CLV_OK &&
		    clv_client_get_status(api, &s->own) == CLV_OK;
	clv_client_close(&api);
	cli_printable(s->own.why);
}

static void
member(struct cli *c, struct cli_status *s)
{
	struct ctl_status st;

	s->member = true;
	from_disk(c, s);
	own_cert(c, s);
	ask_member(c, s);
	s->daemon = s->own_known;
	if (cli_ctl_status(c, &st) == CLV_OK)
		s->st.flags = st.flags & CTL_FLAG_COPIED;
	s->ready =
	    s->daemon ? s->own.state == CLV_MEMBER_FRESH : s->st.epoch != 0;
}

static void
server(struct cli *c, struct cli_status *s)
{
	s->result = cli_ctl_status(c, &s->st);
	s->daemon = s->result == CLV_OK;
	if (c->config.system[0] != '\0' && cli_list_get(c, &s->list) != CLV_OK)
		s->list = NULL;
	if (!s->daemon)
		from_disk(c, s);
	own_cert(c, s);
	if (!s->daemon)
		return;
	ask_backup(c, &s->backup);
	if (cli_escrow_look(c, &s->coverage) != CLV_OK)
		s->coverage = NULL;
	ask_rotation(c, &s->rotation);
	(void)cli_audit_state(c, &s->audit);
	ask_cert(c, s);
	ask_member(c, s);
	s->ready =
	    s->st.role == CTL_ROLE_ACTIVE || s->st.role == CTL_ROLE_STANDBY;
}

void
cli_status_ask(struct cli *c, struct cli_status *ret)
{
	bool was_quiet = c->quiet;

	memset(ret, 0, sizeof(*ret));
	c->quiet = true;
	if (c->config.system[0] != '\0' && !config_is_server(&c->config))
		member(c, ret);
	else
		server(c, ret);
	c->quiet = was_quiet;
}

void
cli_status_fini(struct cli_status *s)
{
	clv_list_free(&s->list);
	coverage_free(&s->coverage);
}
