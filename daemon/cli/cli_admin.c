/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <unistd.h>
#include <sodium.h>
#include <claviger/wire.h>
#include "daemon/admin/admin.h"
#include "daemon/cli/cli_api.h"

#define OP_ID_LEN 16

/* The operation id stays the same in every try below, so that a request whose
 * outcome was lost is done once. */
void
cli_admin_begin(struct clv_buf *b, uint8_t op)
{
	uint8_t id[OP_ID_LEN];

	clv_buf_init(b);
	randombytes_buf(id, sizeof(id));
	clv_buf_u8(b, op);
	clv_buf_raw(b, id, sizeof(id));
}

void
cli_answer_init(struct cli_answer *a)
{
	memset(a, 0, sizeof(*a));
	clv_buf_init(&a->data);
}

void
cli_answer_fini(struct cli_answer *a)
{
	clv_buf_fini(&a->data);
}

/* daemon/admin/admin.h; the answer's own result is in ret->result. */
int
cli_answer_read(const void *p, size_t len, struct cli_answer *ret)
{
	struct clv_rd rd;
	const uint8_t *data;
	size_t data_len = 0;

	clv_rd_init(&rd, p, len);
	ret->result = (int32_t)clv_rd_u32(&rd);
	clv_rd_str(&rd, ret->text, sizeof(ret->text));
	clv_rd_str(&rd, ret->late, sizeof(ret->late));
	data = clv_rd_bytes(&rd, &data_len);
	if (clv_rd_end(&rd) != CLV_OK)
		return CLV_E_PROTOCOL;
	clv_buf_reset(&ret->data);
	clv_buf_raw(&ret->data, data, data_len);
	return clv_buf_result(&ret->data);
}

int
cli_admin_local(
    const struct cli *c, const struct clv_buf *request, struct cli_answer *ret)
{
	struct cli_reply reply;
	int r = cli_ctl(c, CTL_ADMIN, request->data, request->len, &reply,
	    CLI_ADMIN_TIMEOUT_MS);

	if (reply.len > 0 &&
	    cli_answer_read(reply.body, reply.len, ret) == CLV_OK)
		r = CLV_OK;
	sodium_memzero(&reply, sizeof(reply));
	return r;
}

static int
ask_active(struct cli *c, struct cli_wire *w, const struct clv_buf *request,
    struct cli_answer *ret)
{
	uint8_t challenge[CLV_NONCE_LEN];
	struct cli_question q = {.op = CLV_WIRE_CHALLENGE};
	struct clv_wire_answer a;
	struct clv_buf body;
	int r;

	clv_buf_init(&body);
	r = cli_wire_ask(c, w, &q, &body, &a);
	if (r == CLV_OK &&
	    (a.result != CLV_OK || a.payload_len != sizeof(challenge)))
		r = cli_fail(c, a.result != CLV_OK ? a.result : CLV_E_PROTOCOL,
		    "is this node still enrolled (claviger node list)?",
		    "the active server %s refused: %s", cli_printable(a.server),
		    cli_printable(a.text));
	if (r != CLV_OK)
		goto out;
	memcpy(challenge, a.payload, sizeof(challenge));
	q = (struct cli_question){.op = CLV_WIRE_ADMIN,
	    .challenge = challenge,
	    .payload = request->data,
	    .payload_len = request->len};
	r = cli_wire_ask(c, w, &q, &body, &a);
	if (r != CLV_OK)
		goto out;
	if (a.payload_len > 0) {
		r = cli_answer_read(a.payload, a.payload_len, ret);
	} else {
		ret->result = a.result;
		snprintf(ret->text, sizeof(ret->text), "%s", a.text);
	}
out:
	clv_buf_fini(&body);
	return r;
}

/* Another node is active: by its server port, as this node. */
static int
by_network(struct cli *c, const struct clv_buf *request, struct cli_answer *ret)
{
	struct cli_wire w;
	int r;

	if (!c->quiet && !c->asked_active)
		cli_progress("another node is active: asking it");
	c->asked_active = true;
	r = cli_wire_open(c, &w);
	if (r == CLV_OK)
		r = ask_active(c, &w, request, ret);
	cli_wire_close(&w);
	return r;
}

static int
by_api(struct clv_client *api, const struct clv_buf *request,
    struct cli_answer *ret)
{
	uint8_t body[CLV_API_MSG_MAX];
	size_t len = 0;
	int r;

	(void)clv_client_timeout(api, CLI_ADMIN_TIMEOUT_MS);
	r = clv_client_admin(
	    api, request->data, request->len, body, sizeof(body), &len);
	if (r == CLV_OK)
		return cli_answer_read(body, len, ret);
	ret->result = r;
	snprintf(ret->text, sizeof(ret->text), "%s", clv_client_text(api));
	return CLV_OK;
}

/* Whoever is not root: by the local API. */
static int
as_user(struct cli *c, const struct clv_buf *request, struct cli_answer *ret)
{
	struct clv_client *api = NULL;
	int r = cli_api_open(c, &api);

	if (r == CLV_OK)
		r = by_api(api, request, ret);
	clv_client_close(&api);
	return r;
}

static int
anywhere(struct cli *c, const struct clv_buf *request, struct cli_answer *ret)
{
	struct cli_daemon d = {.started = false};
	int r;

	if (geteuid() != 0)
		return as_user(c, request, ret);
	r = cli_admin_local(c, request, ret);
	if (r == CLV_E_NO_SERVER) {
		r = cli_daemon_start(c, &d);
		if (r != CLV_OK) {
			ret->result = CLV_OK; /* said already */
			return r;
		}
		r = cli_admin_local(c, request, ret);
	}
	if (r == CLV_E_NOT_ACTIVE ||
	    (r == CLV_OK && ret->result == CLV_E_NOT_ACTIVE)) {
		memset(ret->text, 0, sizeof(ret->text));
		ret->result = CLV_OK;
		r = by_network(c, request, ret);
	} else if (r != CLV_OK) {
		ret->result = r;
		r = CLV_OK;
	}
	cli_daemon_stop(c, &d);
	return r;
}

static const char *
remedy(int result)
{
	switch (result) {
	case CLV_E_NOT_READY:
		return "claviger status, here and on the other server nodes";
	case CLV_E_NO_SECRET:
		return "run it on a node that is ready (claviger status), or "
		       "claviger restore FILE here first";
	case CLV_E_UNKNOWN:
	case CLV_E_TIMEOUT:
		return "look whether it was done (claviger status), then "
		       "repeat the command: repeating does no harm";
	case CLV_E_DATABASE_AWAY:
		return "bring PostgreSQL back, then repeat the command";
	case CLV_E_SCHEMA_NEWER: return "upgrade this program";
	case CLV_E_SCHEMA_OLDER:
		return "claviger settings upgrade --database-admin CONNINFO";
	case CLV_E_WRONG_SYSTEM:
		return "claviger settings show: is 'database' this system's?";
	case CLV_E_NO_QUORUM:
		return "bring the cluster's other nodes back, then repeat the "
		       "command";
	case CLV_E_FINGERPRINT:
		return "compare with what claviger join printed on that node; "
		       "if it differs, somebody changed the request: have the "
		       "node join again";
	case CLV_E_NOT_FOUND:
		return "claviger node list, member list and app list show the "
		       "names";
	case CLV_E_NOT_ACTIVE: return "run it there, or here as root";
	case CLV_E_DENIED: return "id shows your user and groups";
	default: return "claviger status";
	}
}

int
cli_admin_here(
    struct cli *c, const struct clv_buf *request, struct cli_answer *ret)
{
	struct clv_client *api = NULL;
	char path[300];
	int r;

	if (geteuid() == 0)
		return cli_admin_local(c, request, ret);
	snprintf(path, sizeof(path), "%s/api.sock", c->config.run_dir);
	r = clv_client_open(path, &api);
	if (r == CLV_OK)
		r = by_api(api, request, ret);
	clv_client_close(&api);
	return r;
}

int
cli_admin_look(
    struct cli *c, const struct clv_buf *request, struct cli_answer *ret)
{
	int r = cli_admin_here(c, request, ret);

	if (geteuid() == 0 &&
	    (r == CLV_E_NOT_ACTIVE ||
		(r == CLV_OK && ret->result == CLV_E_NOT_ACTIVE)))
		r = by_network(c, request, ret);
	return r == CLV_OK ? ret->result : r;
}

int
cli_admin_quietly(
    struct cli *c, const struct clv_buf *request, struct cli_answer *ret)
{
	int r = clv_buf_result(request);

	c->quiet = true;
	if (r == CLV_OK)
		r = anywhere(c, request, ret);
	c->quiet = false;
	return r == CLV_OK ? ret->result : r;
}

int
cli_admin(struct cli *c, const struct clv_buf *request, const char *what,
    struct cli_answer *ret)
{
	int r;

	cli_answer_init(ret);
	r = clv_buf_result(request);
	if (r == CLV_OK)
		r = anywhere(c, request, ret);
	if (r != CLV_OK) /* said why already, but for what we were doing */
		return cli_fail(c, r, "", "could not %s", what);
	cli_printable(ret->text);
	if (ret->result != CLV_OK)
		return cli_fail(c, ret->result, remedy(ret->result),
		    "could not %s: %s", what,
		    ret->text[0] != '\0' ? ret->text
					 : clv_result_text(ret->result));
	if (ret->late[0] != '\0')
		cli_warn(c,
		    "in force; these nodes fetch it when they are back: %s",
		    cli_printable(ret->late));
	return CLV_OK;
}

void
cli_late_json(struct cli_json *j, const char *late)
{
	char names[1024], *save = NULL, *name;

	snprintf(names, sizeof(names), "%s", late);
	cli_json_array(j, "late");
	for (name = strtok_r(names, ", ", &save); name != NULL;
	     name = strtok_r(NULL, ", ", &save))
		cli_json_str_push(j, "late", name);
}

void
cli_answer_late(const struct cli_answer *a, struct cli_json *j)
{
	cli_late_json(j, a->late);
}

int
cli_admin_change(struct cli *c, struct clv_buf *request, const char *what,
    struct cli_json *j)
{
	struct cli_answer a;
	int r = cli_admin(c, request, what, &a);

	if (r == CLV_OK && a.text[0] == '\0')
		snprintf(a.text, sizeof(a.text), "done");
	if (r == CLV_OK && cli_opt(c, "json") != NULL) {
		cli_json_str(j, "message", a.text);
		cli_answer_late(&a, j);
		r = cli_json_print(j);
	} else {
		if (r == CLV_OK)
			puts(a.text);
		cli_json_free(j);
	}
	cli_answer_fini(&a);
	clv_buf_fini(request);
	return r;
}
