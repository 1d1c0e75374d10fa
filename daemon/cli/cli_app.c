/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>
#include "daemon/admin/admin.h"
#include "daemon/cli/cli.h"

/* Applications: root on a server node, or there whoever the access lists name,
 * by the local API. */

int
cli_app_check_name(struct cli *c, const char *name)
{
	if (clv_name_check(name) == CLV_OK && strcmp(name, "all") != 0)
		return CLV_OK;
	return cli_fail(c, CLV_E_INVALID,
	    "use 1 to 64 letters, digits, '.', '_' and '-', and not \"all\"",
	    "'%s' is not a name of an application", name);
}

/* Access lists as people write them: NAME alone is a user. */

int
cli_subject_parse(
    struct cli *c, const char *text, char ret[static CLI_SUBJECT_MAX])
{
	int n = snprintf(ret, CLI_SUBJECT_MAX, "%s%s",
	    strchr(text, ':') == NULL ? "user:" : "", text);

	if (n > 0 && n < CLI_SUBJECT_MAX && clv_subject_check(ret) == CLV_OK)
		return CLV_OK;
	return cli_fail(c, CLV_E_INVALID,
	    "give user:NAME (or NAME), group:NAME or unit:NAME.service",
	    "'%s' is nobody who can be granted anything", text);
}

static int
add_subject(
    struct cli *c, const char *word, size_t len, char acl[static CLV_ACL_MAX])
{
	char text[CLI_SUBJECT_MAX], subject[CLI_SUBJECT_MAX];
	int r;

	snprintf(text, sizeof(text), "%.*s", (int)len, word);
	r = cli_subject_parse(c, text, subject);
	if (r != CLV_OK)
		return r;
	r = clv_acl_add(acl, subject, acl);
	if (r == CLV_E_EXISTS)
		return cli_fail(c, CLV_E_INVALID, "name everybody once",
		    "%s stands there twice", subject);
	if (r != CLV_OK)
		return cli_fail(c, CLV_E_FULL, "name a group instead",
		    "an access list is at most %d characters long",
		    CLV_ACL_MAX - 1);
	return CLV_OK;
}

int
cli_acl_parse(struct cli *c, const char *text, char ret[static CLV_ACL_MAX])
{
	size_t n;
	int r = CLV_OK;

	ret[0] = '\0';
	while (r == CLV_OK && *text != '\0') {
		n = strcspn(text, ",");
		r = add_subject(c, text, n, ret);
		text += n;
		if (text[0] == ',' && text[1] != '\0')
			text++;
		else if (text[0] == ',')
			r = cli_subject_parse(
			    c, "", (char[CLI_SUBJECT_MAX]){0});
	}
	return r;
}

/* Changes. */

/* Whoever is not root must administer what he creates: himself, if he names
 * nobody. */
static const char *
default_admins(char text[static CLI_SUBJECT_MAX])
{
	const struct passwd *pw = geteuid() != 0 ? getpwuid(geteuid()) : NULL;

	text[0] = '\0';
	if (pw != NULL)
		snprintf(text, CLI_SUBJECT_MAX, "user:%s", pw->pw_name);
	return text;
}

static void
json_acl(struct cli_json *j, const char *key, const char *acl)
{
	char subject[CLI_SUBJECT_MAX];

	cli_json_array(j, key);
	for (size_t n; *acl != '\0'; acl += n + (acl[n] == ',')) {
		n = strcspn(acl, ",");
		snprintf(subject, sizeof(subject), "%.*s", (int)n, acl);
		cli_json_str_push(j, key, subject);
	}
}

static int
read_keep(struct cli *c, uint32_t *ret)
{
	const char *keep = cli_opt(c, "keep");

	*ret = 0;
	if (keep == NULL || cli_number_parse(keep, 0, 1000000, ret) == CLV_OK)
		return CLV_OK;
	return cli_fail(c, CLV_E_USAGE, "claviger app add --help",
	    "--keep takes a number of versions, 0 for all, not '%s'", keep);
}

int
cli_app_add(struct cli *c)
{
	const char *name = c->args[0], *who = cli_opt(c, "admins"), *text;
	char admins[CLV_ACL_MAX], users[CLV_ACL_MAX], self[CLI_SUBJECT_MAX];
	char what[128];
	struct cli_json *j;
	struct clv_buf b;
	uint32_t keep;
	int r = cli_app_check_name(c, name);

	if (r == CLV_OK)
		r = cli_acl_parse(
		    c, who != NULL ? who : default_admins(self), admins);
	text = cli_opt(c, "users");
	if (r == CLV_OK)
		r = cli_acl_parse(c, text != NULL ? text : "", users);
	if (r == CLV_OK)
		r = read_keep(c, &keep);
	if (r != CLV_OK)
		return r;
	cli_admin_begin(&b, ADMIN_APP_ADD);
	clv_buf_str(&b, name);
	clv_buf_str(&b, admins);
	clv_buf_str(&b, users);
	clv_buf_u32(&b, keep);
	snprintf(what, sizeof(what), "add application %s", name);
	j = cli_json_new();
	cli_json_str(j, "application", name);
	json_acl(j, "admins", admins);
	json_acl(j, "users", users);
	cli_json_u64(j, "keep", keep);
	return cli_admin_change(c, &b, what, j);
}

static int
change(struct cli *c, uint8_t op, const char *verb)
{
	bool as_admin = cli_opt(c, "admin") != NULL;
	char subject[CLI_SUBJECT_MAX], what[512];
	const char *name = c->args[0];
	struct cli_json *j;
	struct clv_buf b;
	int r = cli_app_check_name(c, name);

	if (r == CLV_OK)
		r = cli_subject_parse(c, c->args[1], subject);
	if (r != CLV_OK)
		return r;
	cli_admin_begin(&b, op);
	clv_buf_str(&b, name);
	clv_buf_u8(&b, as_admin);
	clv_buf_str(&b, subject);
	snprintf(what, sizeof(what), "%s %s", verb, subject);
	j = cli_json_new();
	cli_json_str(j, "application", name);
	cli_json_str(j, "subject", subject);
	cli_json_str(j, "role", as_admin ? "administrator" : "user");
	return cli_admin_change(c, &b, what, j);
}

int
cli_app_grant(struct cli *c)
{
	return change(c, ADMIN_APP_GRANT, "grant that to");
}

int
cli_app_revoke(struct cli *c)
{
	return change(c, ADMIN_APP_REVOKE, "revoke that from");
}

/* Show. */

static int
take_page(const struct cli_answer *a, struct clv_list *list, bool *ret_more)
{
	char admins[CLV_ACL_MAX], users[CLV_ACL_MAX];
	struct clv_list_app *app;
	struct clv_rd rd;
	uint32_t n;

	clv_rd_init(&rd, a->data.data, a->data.len);
	*ret_more = clv_rd_u8(&rd) != 0;
	n = clv_rd_u32(&rd);
	for (uint32_t i = 0; i < n && !rd.failed; i++) {
		app = clv_list_add_app(list);
		if (app == NULL)
			return CLV_E_FULL;
		clv_rd_str(&rd, app->name, sizeof(app->name));
		clv_rd_str(&rd, admins, sizeof(admins));
		clv_rd_str(&rd, users, sizeof(users));
		app->keep = clv_rd_u32(&rd);
		if (clv_acl_set(&app->admins, admins) != CLV_OK ||
		    clv_acl_set(&app->users, users) != CLV_OK)
			return CLV_E_NOMEM;
	}
	if (*ret_more && n == 0)
		return CLV_E_PROTOCOL; /* it would never end */
	return clv_rd_end(&rd) == CLV_OK ? CLV_OK : CLV_E_PROTOCOL;
}

/* From the daemon, page by page; name "": all of them. */
static int
ask_apps(struct cli *c, const char *name, struct clv_list *list)
{
	const char *after = "";
	struct cli_answer a;
	struct clv_buf b;
	bool more = true;
	int r = CLV_OK;

	while (r == CLV_OK && more) {
		cli_admin_begin(&b, ADMIN_APPS);
		clv_buf_str(&b, name);
		clv_buf_str(&b, after);
		r = cli_admin(c, &b, "list applications", &a);
		if (r == CLV_OK) {
			r = take_page(&a, list, &more);
			if (r != CLV_OK)
				cli_fail(c, r, NULL,
				    "clavigerd's answer cannot be read");
		}
		if (r == CLV_OK && list->app_count > 0)
			after = list->apps[list->app_count - 1].name;
		cli_answer_fini(&a);
		clv_buf_fini(&b);
	}
	return r;
}

static int
get_apps(struct cli *c, const char *name, struct clv_list **ret)
{
	int r;

	if (geteuid() == 0)
		return cli_list_need(c, ret); /* no daemon needs to run */
	r = clv_list_new(ret);
	return r == CLV_OK ? ask_apps(c, name, *ret) : r;
}

static const char *
shown(const char *acl)
{
	return acl[0] != '\0' ? acl : "-";
}

static void
json_app(struct cli_json *o, const struct clv_list_app *app)
{
	cli_json_str(o, "name", app->name);
	json_acl(o, "admins", app->admins);
	json_acl(o, "users", app->users);
	cli_json_u64(o, "keep", app->keep);
}

static void
print_apps(const struct clv_list *list)
{
	printf("%-20s %-6s %-30s %s\n", "APPLICATION", "KEEP", "ADMINISTRATORS",
	    "USERS");
	for (size_t i = 0; i < list->app_count; i++) {
		const struct clv_list_app *app = &list->apps[i];
		char keep[16] = "all";

		if (app->keep > 0)
			snprintf(keep, sizeof(keep), "%" PRIu32, app->keep);
		printf("%-20s %-6s %-30s %s\n", app->name, keep,
		    shown(app->admins), shown(app->users));
	}
}

int
cli_app_list(struct cli *c)
{
	struct clv_list *list = NULL;
	struct cli_json *j;
	int r = get_apps(c, "", &list);

	if (r == CLV_OK && cli_opt(c, "json") != NULL) {
		j = cli_json_new();
		cli_json_array(j, "applications");
		for (size_t i = 0; i < list->app_count; i++)
			json_app(
			    cli_json_push(j, "applications"), &list->apps[i]);
		cli_json_print(j);
	} else if (r == CLV_OK) {
		print_apps(list);
	}
	clv_list_free(&list);
	return r;
}

/* Only the database knows; while it is away, nobody does. */
static bool
count_quietly(struct cli *c, const char *name, struct cli_counts *ret)
{
	struct cli_answer a;
	struct clv_buf b;
	bool known;

	cli_answer_init(&a);
	cli_admin_begin(&b, ADMIN_APP_COUNT);
	clv_buf_str(&b, name);
	known = cli_admin_here(c, &b, &a) == CLV_OK && a.result == CLV_OK &&
		cli_counts_read(&a, ret) == CLV_OK;
	cli_answer_fini(&a);
	clv_buf_fini(&b);
	return known;
}

static void
print_app(const struct clv_list_app *app, const struct cli_counts *n)
{
	printf("application    %s\n", app->name);
	printf("administrators %s\n", shown(app->admins));
	printf("users          %s\n", shown(app->users));
	if (app->keep > 0)
		printf("keeps          %" PRIu32 " versions\n", app->keep);
	else
		puts("keeps          all versions");
	if (n != NULL)
		printf("secrets        %" PRIu64 " (%" PRIu64 " versions)\n",
		    n->secrets, n->versions);
	else
		puts("secrets        not known: claviger status");
}

static void
print_app_json(const struct clv_list_app *app, const struct cli_counts *n)
{
	struct cli_json *j = cli_json_new();

	json_app(j, app);
	if (n != NULL) {
		cli_json_u64(j, "secrets", n->secrets);
		cli_json_u64(j, "versions", n->versions);
	}
	cli_json_print(j);
}

int
cli_app_show(struct cli *c)
{
	const char *name = c->args[0];
	const struct clv_list_app *app;
	struct clv_list *list = NULL;
	struct cli_counts n;
	bool known;
	int r = cli_app_check_name(c, name);

	if (r == CLV_OK)
		r = get_apps(c, name, &list);
	app = r == CLV_OK ? clv_list_app_by_name(list, name) : NULL;
	if (app != NULL) {
		known = count_quietly(c, name, &n);
		if (cli_opt(c, "json") != NULL)
			print_app_json(app, known ? &n : NULL);
		else
			print_app(app, known ? &n : NULL);
	} else if (r == CLV_OK) {
		r = cli_fail(c, CLV_E_NOT_FOUND, "claviger app list",
		    "there is no application %s", name);
	}
	clv_list_free(&list);
	return r;
}
