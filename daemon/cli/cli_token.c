/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <claviger/token.h>
#include "daemon/admin/admin.h"
#include "daemon/cli/cli.h"
#include "daemon/base/state.h"

/* claviger member token: the secret half is made here, printed once, and is
 * nowhere else afterwards. */

#define TTL_DEFAULT_S 3600

/* 90, 90s, 30m, 2h, 7d */
static int
ttl_parse(struct cli *c, const char *text, uint32_t *ret)
{
	static const struct {
		char letter;
		uint32_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	size_t len = strlen(text);
	uint32_t unit = 1, n;
	char digits[16];

	for (size_t i = 0; len > 1 && i < sizeof(units) / sizeof(units[0]); i++)
		if (text[len - 1] == units[i].letter) {
			unit = units[i].seconds;
			len--;
			break;
		}
	snprintf(
	    digits, sizeof(digits), "%.*s", (int)(len < 16 ? len : 15), text);
	if (cli_number_parse(digits, (CLV_TOKEN_TTL_MIN + unit - 1) / unit,
		CLV_TOKEN_TTL_MAX / unit, &n) == CLV_OK) {
		*ret = n * unit;
		return CLV_OK;
	}
	return cli_fail(c, CLV_E_INVALID, "for example 30m, 2h or 1d",
	    "--ttl is one minute to 7 days, not '%s'", text);
}

struct making {
	const char *name, *scope;
	uint32_t ttl_s;
	struct clv_list *list;
	struct clv_token *token;
};

static int
check_options(struct cli *c, struct making *m)
{
	const char *ttl = cli_opt(c, "ttl");

	m->name = cli_opt(c, "name");
	m->scope = cli_opt(c, "scope");
	m->ttl_s = TTL_DEFAULT_S;
	if (m->name == NULL || m->scope == NULL)
		return cli_fail(c, CLV_E_USAGE, "claviger member token --help",
		    "give --name HOST and --scope, or --list, or --revoke "
		    "HOST");
	if (clv_name_check(m->name) != CLV_OK)
		return cli_fail(c, CLV_E_INVALID,
		    "use 1 to 64 letters, digits, '.', '_' and '-'",
		    "'%s' is not a name of a host", m->name);
	if (clv_scope_check(m->scope) != CLV_OK)
		return cli_fail(c, CLV_E_INVALID,
		    "give all, or the names of applications joined by ','",
		    "'%s' is not a scope", m->scope);
	return ttl == NULL ? CLV_OK : ttl_parse(c, ttl, &m->ttl_s);
}

/* Where the host will find which system. */
static int
fill(struct cli *c, struct making *m)
{
	struct clv_token *t;
	int r = cli_list_need(c, &m->list);

	if (r == CLV_OK)
		r = cli_guard(c);
	if (r != CLV_OK)
		return r;
	if (m->list->network_name[0] == '\0')
		return cli_fail(c, CLV_E_INVALID,
		    "claviger settings set network_name NAME",
		    "the system has no network name that a host could join "
		    "by");
	r = clv_token_new(c->guard, &m->token);
	if (r != CLV_OK)
		return cli_fail(c, r, NULL, "no locked memory left");
	t = m->token;
	snprintf(t->name, sizeof(t->name), "%s", m->name);
	snprintf(t->network_name, sizeof(t->network_name), "%s",
	    m->list->network_name);
	t->port = m->list->port;
	return cli_system_pk(c, t->system_pk);
}

static int
enter(struct cli *c, struct making *m)
{
	struct cli_answer a;
	struct clv_buf b;
	struct clv_rd rd;
	char what[128];
	int r;

	cli_admin_begin(&b, ADMIN_TOKEN_ADD);
	clv_buf_str(&b, m->name);
	clv_buf_str(&b, m->scope);
	clv_buf_raw(&b, m->token->sign_pk, sizeof(m->token->sign_pk));
	clv_buf_u32(&b, m->ttl_s);
	snprintf(what, sizeof(what), "make a join token for %s", m->name);
	r = cli_admin(c, &b, what, &a);
	if (r == CLV_OK) {
		clv_rd_init(&rd, a.data.data, a.data.len);
		m->token->expires_s = clv_rd_u64(&rd);
		r = clv_rd_end(&rd);
		if (r != CLV_OK)
			r = cli_fail(c, CLV_E_PROTOCOL, NULL,
			    "the active server did not say how long the token "
			    "is good");
	}
	cli_answer_fini(&a);
	clv_buf_fini(&b);
	return r;
}

static void
put_line(struct cli *c, const struct making *m, const char *text,
    struct clv_buf *ret)
{
	char head[CLV_SCOPE_MAX + 256];
	bool json = cli_opt(c, "json") != NULL;

	/* By hand: a library for JSON would leave copies of the token, and
	 * nothing here needs quoting. */
	snprintf(head, sizeof(head),
	    "{\"name\": \"%s\", \"scope\": \"%s\", \"expires\": %" PRIu64
	    ", \"token\": \"",
	    m->name, m->scope, m->token->expires_s);
	if (json)
		clv_buf_raw(ret, head, strlen(head));
	clv_buf_raw(ret, text, strlen(text));
	if (json)
		clv_buf_raw(ret, "\"}", 2);
	clv_buf_u8(ret, '\n');
}

static int
print(struct cli *c, const struct making *m)
{
	struct clv_buf line;
	char *text = NULL;
	int r = clv_token_format(m->token, &text);

	clv_buf_init(&line);
	if (r == CLV_OK) {
		put_line(c, m, text, &line);
		r = clv_buf_result(&line);
	}
	clv_guard_put(c->guard, text);
	if (r == CLV_OK &&
	    (fflush(stdout) != 0 ||
		file_write_all(STDOUT_FILENO, line.data, line.len) != CLV_OK))
		r = CLV_E_SYSTEM;
	clv_buf_fini(&line);
	if (r != CLV_OK)
		return cli_fail(c, r,
		    "withdraw it by claviger member token --revoke, and make "
		    "another one",
		    "the join token for %s was not printed", m->name);
	fprintf(stderr,
	    "On %s, within %u minutes: claviger join - (and give it the line "
	    "above)\n",
	    m->name, m->ttl_s / 60);
	return CLV_OK;
}

static int
make(struct cli *c)
{
	struct making m = {.name = NULL};
	int r = check_options(c, &m);

	if (r == CLV_OK)
		r = fill(c, &m);
	if (r == CLV_OK)
		r = enter(c, &m);
	if (r == CLV_OK)
		r = print(c, &m);
	clv_token_free(&m.token);
	clv_list_free(&m.list);
	return r;
}

static int
withdraw(struct cli *c, const char *name)
{
	struct cli_json *j = cli_json_new();
	struct clv_buf b;
	char what[128];

	cli_admin_begin(&b, ADMIN_TOKEN_DROP);
	clv_buf_str(&b, name);
	snprintf(what, sizeof(what), "withdraw the join token for %.64s", name);
	cli_json_str(j, "name", name);
	return cli_admin_change(c, &b, what, j);
}

static void
print_token(const struct clv_list_token *t, uint64_t now_s)
{
	char left[48];

	if (t->expires_s <= now_s)
		snprintf(left, sizeof(left), "expired");
	else
		cli_age_text(t->expires_s - now_s, left, sizeof(left));
	printf("%-20s %-12s %s\n", t->name, left, t->scope);
}

void
cli_tokens_print(const struct clv_list *list, struct cli_json *j)
{
	uint64_t now_s = (uint64_t)time(NULL);
	struct cli_json *o;

	if (j != NULL)
		cli_json_array(j, "tokens");
	else if (list->token_count > 0)
		printf("%-20s %-12s %s\n", "JOIN TOKEN", "GOOD FOR", "SCOPE");
	for (size_t i = 0; i < list->token_count; i++) {
		const struct clv_list_token *t = &list->tokens[i];

		if (j == NULL) {
			print_token(t, now_s);
			continue;
		}
		o = cli_json_push(j, "tokens");
		cli_json_str(o, "name", t->name);
		cli_json_str(o, "scope", t->scope);
		cli_json_u64(o, "expires", t->expires_s);
		cli_json_bool(o, "expired", t->expires_s <= now_s);
	}
}

static int
list_tokens(struct cli *c)
{
	struct clv_list *list = NULL;
	struct cli_json *j = NULL;
	int r = cli_list_need(c, &list);

	if (r != CLV_OK)
		return r;
	if (cli_opt(c, "json") != NULL)
		j = cli_json_new();
	cli_tokens_print(list, j);
	if (j != NULL)
		r = cli_json_print(j);
	clv_list_free(&list);
	return r;
}

int
cli_member_token(struct cli *c)
{
	const char *revoke = cli_opt(c, "revoke");
	bool list = cli_opt(c, "list") != NULL;
	bool made = cli_opt(c, "name") != NULL || cli_opt(c, "scope") != NULL ||
		    cli_opt(c, "ttl") != NULL;

	if (list + made + (revoke != NULL) > 1)
		return cli_fail(c, CLV_E_USAGE, "claviger member token --help",
		    "--list and --revoke stand alone");
	if (list)
		return list_tokens(c);
	return revoke != NULL ? withdraw(c, revoke) : make(c);
}
