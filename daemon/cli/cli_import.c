/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <sodium.h>
#include "daemon/admin/admin.h"
#include "daemon/cli/cli_api.h"
#include "daemon/cli/cli_import.h"

/* claviger import: shows what a file of the original would change here, asks,
 * and changes it. */

#define KNOWN_MS 10000 /* a new application is known on its host within */
#define LOOK_MS 200

/* ---- the file ---- */

static void
warn_open(struct cli *c, const char *path, const struct import_record *r)
{
	struct stat st;

	for (; r != NULL && r->password == NULL; r = r->next)
		;
	if (r != NULL && stat(path, &st) == 0 && (st.st_mode & 077) != 0)
		cli_warn(c,
		    "%s holds passwords, and others than its owner may read "
		    "it: remove it when they are imported",
		    path);
}

static int
read_file(struct cli *c, const char *path, struct import_record **ret)
{
	char why[256] = "";
	void *p = NULL;
	size_t len = 0;
	int r = cli_guard(c);

	if (r == CLV_OK)
		r = cli_file_read(c, path, IMPORT_FILE_MAX, &p, &len);
	if (r != CLV_OK)
		return r;
	r = import_read(c->guard, p, len, ret, why);
	sodium_memzero(p, len);
	free(p);
	if (r != CLV_OK)
		return cli_fail(c, r, "mend that in the file", "%s: %s", path,
		    why[0] != '\0' ? why : clv_result_text(r));
	warn_open(c, path, *ret);
	return CLV_OK;
}

/* ---- what would be done ---- */

static const char *const kinds[] = {[IMPORT_SET] = "set",
    [IMPORT_ADD] = "add",
    [IMPORT_GRANT] = "grant",
    [IMPORT_PUT] = "put",
    [IMPORT_HAND] = "by hand",
    [IMPORT_LEFT] = "left out"};

static void
print_step(const struct import_step *s)
{
	printf("  line %-5u ", s->from->line);
	switch (s->kind) {
	case IMPORT_SET:
		printf("set    %s = %s (%s)\n", s->app, s->value, s->account);
		break;
	case IMPORT_ADD: printf("add    application %s\n", s->app); break;
	case IMPORT_GRANT:
		printf("grant  application %s to %s (%s)%s\n", s->app, s->value,
		    s->account, s->as_admin ? ", as an administrator" : "");
		break;
	case IMPORT_PUT:
		printf(
		    "put    secret %s of application %s\n", s->value, s->app);
		break;
	case IMPORT_HAND:
		printf("%s:\n             %s\n", s->value, s->command);
		break;
	case IMPORT_LEFT: printf("%s: %s\n", s->app, s->value); break;
	}
}

static void
print_part(const struct import_plan *p, const char *head,
    enum import_step_kind first, enum import_step_kind last)
{
	bool any = false;

	for (size_t i = 0; i < p->count; i++) {
		const struct import_step *s = &p->steps[i];

		if (s->kind < first || s->kind > last)
			continue;
		if (!any)
			puts(head);
		any = true;
		print_step(s);
	}
}

static void
print_plan(const struct import_plan *p)
{
	print_part(p, "changes", IMPORT_SET, IMPORT_PUT);
	print_part(p, "left to you", IMPORT_HAND, IMPORT_HAND);
	print_part(p, "without a counterpart", IMPORT_LEFT, IMPORT_LEFT);
}

static void
make_printable(struct import_plan *p)
{
	for (size_t i = 0; i < p->count; i++) {
		cli_printable(p->steps[i].value);
		cli_printable(p->steps[i].account);
		cli_printable(p->steps[i].command);
	}
}

static void
print_json(const struct import_plan *p, bool dry_run)
{
	struct cli_json *j = cli_json_new(), *o;

	cli_json_bool(j, "dry_run", dry_run);
	cli_json_array(j, "steps");
	for (size_t i = 0; i < p->count; i++) {
		const struct import_step *s = &p->steps[i];

		o = cli_json_push(j, "steps");
		cli_json_u64(o, "line", s->from->line);
		cli_json_str(o, "kind", kinds[s->kind]);
		cli_json_str(o, "subject", s->app);
		cli_json_str(o, "value", s->value);
		cli_json_str(o, "account", s->account);
		cli_json_bool(o, "as_admin", s->as_admin);
		cli_json_str(o, "command", s->command);
		cli_json_bool(o, "done", s->done);
	}
	cli_json_print(j);
}

/* ---- doing it ---- */

static unsigned
changes(const struct import_plan *p)
{
	unsigned n = 0;

	for (size_t i = 0; i < p->count; i++)
		n += import_is_change(&p->steps[i]);
	return n;
}

/* There is one. */
static size_t
first_change(const struct import_plan *p)
{
	size_t i = 0;

	while (!import_is_change(&p->steps[i]))
		i++;
	return i;
}

static int
confirm(struct cli *c, unsigned n)
{
	char would[80], question[48];

	snprintf(would, sizeof(would),
	    "%u changes would be made: not without being asked", n);
	snprintf(question, sizeof(question), "Make these %u changes", n);
	return cli_confirm(c, would, question);
}

static void
request(const struct import_step *s, struct clv_buf *b)
{
	if (s->kind == IMPORT_SET) {
		cli_admin_begin(b, ADMIN_SETTING);
		clv_buf_str(b, s->app);
		clv_buf_str(b, s->value);
	} else if (s->kind == IMPORT_ADD) {
		cli_admin_begin(b, ADMIN_APP_ADD);
		clv_buf_str(b, s->app);
		clv_buf_str(b, "");
		clv_buf_str(b, "");
		clv_buf_u32(b, 0);
	} else {
		cli_admin_begin(b, ADMIN_APP_GRANT);
		clv_buf_str(b, s->app);
		clv_buf_u8(b, s->as_admin);
		clv_buf_str(b, s->value);
	}
}

static int
administer(struct cli *c, const struct import_step *s)
{
	struct cli_answer a;
	struct clv_buf b;
	char what[256];
	int r;

	snprintf(what, sizeof(what), "do what line %u asks for (%s %s)",
	    s->from->line, kinds[s->kind], s->app);
	request(s, &b);
	r = cli_admin(c, &b, what, &a);
	cli_answer_fini(&a);
	clv_buf_fini(&b);
	return r;
}

/* This host may not know of an application yet that was made a moment ago. */
static int
put(struct cli *c, const struct import_step *s, struct clv_client *api)
{
	const struct timespec pause = {0, LOOK_MS * 1000000};
	const char *value = s->from->password;
	uint64_t version;
	int r = CLV_E_NOT_FOUND;

	for (int i = 0; r == CLV_E_NOT_FOUND && i < KNOWN_MS / LOOK_MS; i++) {
		if (i > 0)
			nanosleep(&pause, NULL);
		r = clv_client_put(api, s->app, s->value, value, strlen(value),
		    CLV_API_KEEP_DEFAULT, &version);
	}
	if (r != CLV_OK)
		cli_api_fail(c, api, r, "a password was not stored");
	return r;
}

static bool
has_put(const struct import_plan *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->steps[i].kind == IMPORT_PUT)
			return true;
	return false;
}

/* Can this host store anything now? Before anything is changed. */
static int
open_api(struct cli *c, struct clv_client **ret)
{
	struct clv_client_status st;
	int r = cli_api_open(c, ret);

	if (r != CLV_OK)
		return r;
	r = clv_client_get_status(*ret, &st);
	if (r != CLV_OK)
		return cli_api_fail(c, *ret, r, "nothing was changed");
	return st.may_encrypt
		   ? CLV_OK
		   : cli_fail(c, CLV_E_AWAY, "claviger status",
			 "nothing was changed: a password cannot be stored "
			 "now: %s",
			 cli_printable(st.why));
}

static int
apply(struct cli *c, struct import_plan *p)
{
	struct clv_client *api = NULL;
	int r = has_put(p) ? open_api(c, &api) : CLV_OK;

	for (size_t i = 0; r == CLV_OK && i < p->count; i++) {
		struct import_step *s = &p->steps[i];

		if (!import_is_change(s))
			continue;
		cli_progress("%s %s %s", kinds[s->kind], s->app,
		    s->kind == IMPORT_ADD ? "" : s->value);
		r = s->kind == IMPORT_PUT ? put(c, s, api) : administer(c, s);
		s->done = r == CLV_OK;
	}
	clv_client_close(&api);
	return r;
}

/* While the question stood there, somebody may have lost a right. */
static int
still_so(struct cli *c, const struct import_plan *p)
{
	struct clv_list *list = NULL;
	int r = cli_list_need(c, &list);
	bool same = r == CLV_OK && list->version == p->list->version;

	clv_list_free(&list);
	return r != CLV_OK || same
		   ? r
		   : cli_fail(c, CLV_E_BUSY, "repeat the command",
			 "the system was changed meanwhile: nothing was done");
}

static int
carry_out(struct cli *c, struct import_plan *p)
{
	struct cli_daemon d = {.started = false};
	unsigned n = changes(p);
	int r = n > 0 ? confirm(c, n) : CLV_OK;

	if (r == CLV_OK && n > 0)
		r = still_so(c, p);
	if (r == CLV_OK && n > 0) {
		r = cli_daemon_need(c, &d);
		if (r == CLV_OK)
			r = apply(c, p);
		cli_daemon_stop(c, &d);
		if (r != CLV_OK && p->steps[first_change(p)].done)
			cli_warn(c, "what was done stays: repeat the command "
				    "to go on");
	}
	if (r == CLV_OK && cli_opt(c, "json") == NULL)
		printf(n > 0 ? "%u changes were made\n"
			     : "there is nothing to change\n",
		    n);
	return r;
}

int
cli_import(struct cli *c)
{
	bool json = cli_opt(c, "json") != NULL;
	bool dry_run = cli_opt(c, "dry-run") != NULL;
	struct import_record *records = NULL;
	struct import_plan plan = {.steps = NULL};
	struct clv_list *list = NULL;
	int r = read_file(c, c->args[0], &records);

	if (r == CLV_OK)
		r = cli_list_need(c, &list);
	if (r == CLV_OK)
		r = import_plan(c, list, records, &plan);
	if (r == CLV_OK) {
		make_printable(&plan);
		if (!json)
			print_plan(&plan);
		if (!dry_run)
			r = carry_out(c, &plan);
		else if (!json)
			puts("nothing was changed");
	}
	if (r == CLV_OK && json)
		print_json(&plan, dry_run);
	import_plan_free(&plan);
	clv_list_free(&list);
	if (c->guard != NULL)
		import_free(c->guard, &records);
	return r;
}
