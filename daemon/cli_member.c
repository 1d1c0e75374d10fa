/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>
#include <claviger/age.h>
#include "daemon/admin.h"
#include "daemon/cli.h"
#include "daemon/tls.h"

static int
scope_check(struct cli *c, const char *scope)
{
	if (clv_scope_check(scope) == CLV_OK)
		return CLV_OK;
	return cli_fail(c, CLV_E_INVALID,
	    "give --scope all, or the names of applications joined by ','",
	    "'%s' is not a scope", scope);
}

static int
read_certificate(struct cli *c, const char *path, uint8_t ret_thumb[static 32])
{
	struct clv_buf der;
	int r;

	clv_buf_init(&der);
	r = cert_load(path, &der);
	if (r == CLV_OK)
		r = cert_thumb(der.data, der.len, ret_thumb);
	clv_buf_fini(&der);
	if (r == CLV_OK)
		return CLV_OK;
	return cli_fail(c, r,
	    "copy the file tls.crt from the member's state directory",
	    "%s cannot be used as a certificate: %s", path, clv_result_text(r));
}

static int
read_party(struct cli *c, struct clv_party *p)
{
	const char *next = "copy the whole command that claviger join --member "
			   "printed on that host";

	if (clv_name_check(c->args[0]) != CLV_OK)
		return cli_fail(c, CLV_E_INVALID,
		    "use 1 to 64 letters, digits, '.', '_' and '-'",
		    "'%s' is not a name of a host", c->args[0]);
	if (clv_age_recipient_parse(cli_opt(c, "recipient"), p->box_pk) !=
	    CLV_OK)
		return cli_fail(c, CLV_E_INVALID, next,
		    "--recipient is not an age recipient (age1…)");
	if (cli_key_parse(cli_opt(c, "sign-key"), p->sign_pk) != CLV_OK)
		return cli_fail(c, CLV_E_INVALID, next,
		    "--sign-key is not 44 characters of base64");
	return read_certificate(c, cli_opt(c, "certificate"), p->thumb);
}

int
cli_member_add(struct cli *c)
{
	const char *scope = cli_opt(c, "scope");
	struct clv_party p;
	struct cli_json *j;
	struct clv_buf b;
	char what[128], hex[CLI_HEX];
	int r = read_party(c, &p);

	if (r == CLV_OK)
		r = scope_check(c, scope);
	if (r != CLV_OK)
		return r;
	cli_admin_begin(&b, ADMIN_MEMBER_ADD);
	clv_buf_str(&b, c->args[0]);
	clv_buf_raw(&b, p.thumb, sizeof(p.thumb));
	clv_buf_raw(&b, p.box_pk, sizeof(p.box_pk));
	clv_buf_raw(&b, p.sign_pk, sizeof(p.sign_pk));
	clv_buf_str(&b, scope);
	snprintf(what, sizeof(what), "add member %s", c->args[0]);
	j = cli_json_new();
	cli_json_str(j, "member", c->args[0]);
	cli_json_str(j, "scope", scope);
	cli_json_str(j, "thumbprint", cli_hex(p.thumb, hex));
	return cli_admin_change(c, &b, what, j);
}

static void
json_member(struct cli_json *o, const struct clv_list_member *m)
{
	char hex[CLI_HEX], print[CLV_FINGERPRINT_TEXT];

	clv_party_fingerprint(&m->party, print);
	cli_json_str(o, "name", m->party.name);
	cli_json_str(o, "scope", m->scope);
	cli_json_bool(o, "revoked", m->revoked);
	cli_json_str(o, "fingerprint", print);
	cli_json_str(o, "thumbprint", cli_hex(m->party.thumb, hex));
}

int
cli_member_list(struct cli *c)
{
	bool json = cli_opt(c, "json") != NULL;
	struct cli_json *j = NULL;
	struct clv_list *list = NULL;
	char hex[CLI_HEX];
	int r = cli_list_need(c, &list);

	if (r != CLV_OK)
		return r;
	if (json) {
		j = cli_json_new();
		cli_json_array(j, "members");
	} else {
		printf("%-20s %-9s %-20s %s\n", "MEMBER", "STATE", "SCOPE",
		    "CERTIFICATE");
	}
	for (size_t i = 0; i < list->member_count; i++) {
		const struct clv_list_member *m = &list->members[i];

		if (json)
			json_member(cli_json_push(j, "members"), m);
		else
			printf("%-20s %-9s %-20s %s\n", m->party.name,
			    m->revoked ? "revoked" : "enrolled", m->scope,
			    cli_hex(m->party.thumb, hex));
	}
	if (json) {
		cli_json_u64(j, "list_version", list->version);
		cli_json_print(j);
	}
	clv_list_free(&list);
	return CLV_OK;
}
