/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "daemon/admin.h"
#include "daemon/cli_api.h"

/*
 * Applications and who may use them. Root asks the control socket, as for all
 * administration, and is passed on to the active server; whoever has a role
 * asks the local API of the active server's host.
 */

/* A bare name is a user's. */
static int
subject_of(struct cli *c, const char *text, char ret[static CLV_ACL_MAX])
{
	snprintf(ret, CLV_ACL_MAX, "%s%s",
	    strchr(text, ':') == NULL ? "user:" : "", text);
	if (clv_acl_check(ret) == CLV_OK && strchr(ret, ',') == NULL)
		return CLV_OK;
	return cli_fail(c, CLV_E_INVALID,
	    "give a user's name, group:NAME or unit:NAME.service",
	    "'%s' names nobody", text);
}

/* "alice,group:dba" as the list has it. */
static int
acl_of(struct cli *c, const char *option, char ret[static CLV_ACL_MAX])
{
	const char *text = cli_opt(c, option);
	char copy[CLV_ACL_MAX], one[CLV_ACL_MAX], *save = NULL, *item;
	int r = CLV_OK;

	ret[0] = '\0';
	if (text == NULL)
		return CLV_OK;
	snprintf(copy, sizeof(copy), "%s", text);
	if (strlen(text) >= sizeof(copy))
		return cli_fail(c, CLV_E_INVALID, "grant a group instead",
		    "--%s is too long", option);
	for (item = strtok_r(copy, ",", &save); item != NULL && r == CLV_OK;
	     item = strtok_r(NULL, ",", &save)) {
		r = subject_of(c, item, one);
		if (r == CLV_OK && clv_acl_add(ret, one, ret) != CLV_OK)
			r = cli_fail(c, CLV_E_INVALID, NULL,
			    "--%s: '%s' stands there twice, or there are too "
			    "many",
			    option, item);
	}
	return r;
}

static int
name_of(struct cli *c)
{
	if (clv_name_check(c->args[0]) == CLV_OK)
		return CLV_OK;
	return cli_fail(c, CLV_E_INVALID,
	    "use 1 to 64 letters, digits, '.', '_' and '-'",
	    "'%s' is not a name of an application", c->args[0]);
}

/* Whoever is not root: over the local API. */
static int
ask_api(struct cli *c, const struct clv_buf *b, const char *what,
    struct cli_answer *ret)
{
	static uint8_t body[CLV_API_MSG_MAX];
	struct clv_client *api = NULL;
	size_t len = 0;
	int r = cli_api_open(c, &api);

	cli_answer_init(ret);
	if (r != CLV_OK)
		return r;
	r = clv_client_admin(api, b->data, b->len, body, sizeof(body), &len);
	if (r == CLV_OK)
		r = cli_answer_read(body, len, ret);
	if (r != CLV_OK)
		r = cli_api_fail(c, api, r, what);
	else if (ret->result != CLV_OK)
		r = cli_fail(c, ret->result,
		    "run it on the active server's host, as somebody who may",
		    "could not %s: %s", what,
		    ret->text[0] != '\0' ? cli_printable(ret->text)
					 : clv_result_text(ret->result));
	clv_client_close(&api);
	return r;
}

static int
ask(struct cli *c, const struct clv_buf *b, const char *what,
    struct cli_answer *ret)
{
	return geteuid() == 0 ? cli_admin(c, b, what, ret)
			      : ask_api(c, b, what, ret);
}

static int
change(struct cli *c, struct clv_buf *b, const char *what)
{
	struct cli_answer a;
	struct cli_json *j;
	int r = ask(c, b, what, &a);

	if (r == CLV_OK && cli_opt(c, "json") != NULL) {
		j = cli_json_new();
		cli_json_str(j, "application", c->args[0]);
		cli_json_str(j, "message", a.text);
		cli_answer_late(&a, j);
		r = cli_json_print(j);
	} else if (r == CLV_OK) {
		puts(a.text[0] != '\0' ? a.text : "done");
	}
	cli_answer_fini(&a);
	clv_buf_fini(b);
	return r;
}

int
cli_app_add(struct cli *c)
{
	char admins[CLV_ACL_MAX], users[CLV_ACL_MAX];
	const char *text = cli_opt(c, "keep");
	uint32_t keep = 0;
	struct clv_buf b;
	int r = name_of(c);

	if (r == CLV_OK)
		r = acl_of(c, "admins", admins);
	if (r == CLV_OK)
		r = acl_of(c, "users", users);
	if (r == CLV_OK && text != NULL &&
	    cli_number_parse(text, 0, 1000000, &keep) != CLV_OK)
		r = cli_fail(c, CLV_E_USAGE, "claviger app add --help",
		    "--keep takes a number of versions, 0 for all, not '%s'",
		    text);
	if (r != CLV_OK)
		return r;
	cli_admin_begin(&b, ADMIN_APP_ADD);
	clv_buf_str(&b, c->args[0]);
	clv_buf_str(&b, admins);
	clv_buf_str(&b, users);
	clv_buf_u32(&b, keep);
	return change(c, &b, "add the application");
}

static int
grant_or_revoke(struct cli *c, uint8_t op, const char *what)
{
	char subject[CLV_ACL_MAX];
	struct clv_buf b;
	int r = name_of(c);

	if (r == CLV_OK)
		r = subject_of(c, c->args[1], subject);
	if (r != CLV_OK)
		return r;
	cli_admin_begin(&b, op);
	clv_buf_str(&b, c->args[0]);
	clv_buf_u8(&b, cli_opt(c, "admin") != NULL);
	clv_buf_str(&b, subject);
	return change(c, &b, what);
}

int
cli_app_grant(struct cli *c)
{
	return grant_or_revoke(c, ADMIN_APP_GRANT, "grant that");
}

int
cli_app_revoke(struct cli *c)
{
	return grant_or_revoke(c, ADMIN_APP_REVOKE, "revoke that");
}

/* How much would be lost. */
static int
count(struct cli *c, uint64_t *ret_secrets, uint64_t *ret_versions)
{
	struct cli_answer a;
	struct clv_buf b;
	struct clv_rd rd;
	int r;

	cli_admin_begin(&b, ADMIN_APP_COUNT);
	clv_buf_str(&b, c->args[0]);
	r = ask(c, &b, "count the application's secrets", &a);
	if (r == CLV_OK) {
		clv_rd_init(&rd, a.data.data, a.data.len);
		*ret_secrets = clv_rd_u64(&rd);
		*ret_versions = clv_rd_u64(&rd);
		if (clv_rd_end(&rd) != CLV_OK)
			r = cli_fail(c, CLV_E_PROTOCOL, NULL,
			    "the answer cannot be read");
	}
	cli_answer_fini(&a);
	clv_buf_fini(&b);
	return r;
}

int
cli_app_remove(struct cli *c)
{
	uint64_t secrets = 0, versions = 0;
	struct clv_buf b;
	int r = name_of(c);

	if (r == CLV_OK && cli_opt(c, "yes") == NULL)
		r = count(c, &secrets, &versions);
	if (r != CLV_OK)
		return r;
	if (cli_opt(c, "yes") == NULL)
		return cli_fail(c, CLV_E_DENIED, "give --yes if that is meant",
		    "%" PRIu64 " secrets in %" PRIu64
		    " versions would be gone for ever, and so would what was "
		    "sealed for %s",
		    secrets, versions, c->args[0]);
	cli_admin_begin(&b, ADMIN_APP_REMOVE);
	clv_buf_str(&b, c->args[0]);
	return change(c, &b, "remove the application");
}

struct shown {
	char name[CLV_NAME_MAX];
	char admins[CLV_ACL_MAX], users[CLV_ACL_MAX];
	uint32_t keep;
};

static void
show(struct cli *c, struct cli_json *j, const struct shown *s)
{
	struct cli_json *o;

	if (j == NULL) {
		printf("%s\n  administrators  %s\n  users           %s\n"
		       "  versions kept   ",
		    s->name, s->admins[0] != '\0' ? s->admins : "(root)",
		    s->users[0] != '\0' ? s->users : "(nobody)");
		if (s->keep == 0)
			puts("all");
		else
			printf("%u\n", s->keep);
		return;
	}
	o = c->arg_count > 0 ? j : cli_json_push(j, "applications");
	cli_json_str(o, "name", s->name);
	cli_json_str(o, "admins", s->admins);
	cli_json_str(o, "users", s->users);
	cli_json_u64(o, "keep", s->keep);
}

static int
read_page(struct cli *c, const struct clv_buf *data, struct cli_json *j,
    struct shown *last, uint32_t *ret_n, bool *ret_more)
{
	struct clv_rd rd;

	clv_rd_init(&rd, data->data, data->len);
	*ret_more = clv_rd_u8(&rd) != 0;
	*ret_n = clv_rd_u32(&rd);
	for (uint32_t i = 0; i < *ret_n && !rd.failed; i++) {
		clv_rd_str(&rd, last->name, sizeof(last->name));
		clv_rd_str(&rd, last->admins, sizeof(last->admins));
		clv_rd_str(&rd, last->users, sizeof(last->users));
		last->keep = clv_rd_u32(&rd);
		if (!rd.failed)
			show(c, j, last);
	}
	if (clv_rd_end(&rd) == CLV_OK && (*ret_n > 0 || !*ret_more))
		return CLV_OK;
	return cli_fail(c, CLV_E_PROTOCOL, NULL, "the answer cannot be read");
}

static int
pages(struct cli *c, const char *name, struct cli_json *j)
{
	struct shown last = {.name = ""};
	struct cli_answer a;
	struct clv_buf b;
	bool more = true;
	uint32_t n = 0;
	int r = CLV_OK;

	while (r == CLV_OK && more) {
		cli_admin_begin(&b, ADMIN_APPS);
		clv_buf_str(&b, name);
		clv_buf_str(&b, last.name);
		r = ask(c, &b, "list the applications", &a);
		if (r == CLV_OK)
			r = read_page(c, &a.data, j, &last, &n, &more);
		cli_answer_fini(&a);
		clv_buf_fini(&b);
	}
	if (r == CLV_OK && name[0] != '\0' && last.name[0] == '\0')
		r = cli_fail(c, CLV_E_NOT_FOUND, "claviger app list",
		    "there is no application %s", name);
	return r;
}

int
cli_app_list(struct cli *c)
{
	struct cli_json *j = NULL;
	int r;

	if (cli_opt(c, "json") != NULL) {
		j = cli_json_new();
		cli_json_array(j, "applications");
	}
	r = pages(c, "", j);
	if (j != NULL && r == CLV_OK)
		return cli_json_print(j);
	cli_json_free(j);
	return r;
}

int
cli_app_show(struct cli *c)
{
	struct cli_json *j = cli_opt(c, "json") != NULL ? cli_json_new() : NULL;
	int r = name_of(c);

	if (r == CLV_OK)
		r = pages(c, c->args[0], j);
	if (j != NULL && r == CLV_OK)
		return cli_json_print(j);
	cli_json_free(j);
	return r;
}
