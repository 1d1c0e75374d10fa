/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>
#include "daemon/admin/admin.h"
#include "daemon/cli/cli.h"

/* An application goes, however many secrets it has: the daemon deletes for a
 * while and says what is left, and is asked again until nothing is. */

int
cli_counts_read(const struct cli_answer *a, struct cli_counts *ret)
{
	struct clv_rd rd;

	clv_rd_init(&rd, a->data.data, a->data.len);
	ret->secrets = clv_rd_u64(&rd);
	ret->versions = clv_rd_u64(&rd);
	return clv_rd_end(&rd);
}

static int
count_needed(struct cli *c, const char *name, struct cli_counts *ret)
{
	struct cli_answer a;
	struct clv_buf b;
	int r;

	cli_admin_begin(&b, ADMIN_APP_COUNT);
	clv_buf_str(&b, name);
	r = cli_admin(c, &b, "count its secrets", &a);
	if (r == CLV_OK && cli_counts_read(&a, ret) != CLV_OK)
		r = cli_fail(c, CLV_E_PROTOCOL, NULL,
		    "clavigerd's answer cannot be read");
	cli_answer_fini(&a);
	clv_buf_fini(&b);
	return r;
}

static int
confirm(struct cli *c, const char *name, const struct cli_counts *n)
{
	if (cli_opt(c, "yes") != NULL)
		return CLV_OK;
	if (!isatty(STDIN_FILENO))
		return cli_fail(c, CLV_E_DENIED,
		    "look with claviger app show, then give --yes",
		    "%s has %" PRIu64 " secrets, which would be deleted", name,
		    n->secrets);
	fprintf(stderr,
	    "%s has %" PRIu64 " secrets (%" PRIu64 " versions). They will be "
	    "deleted for ever.\nType its name to go on: ",
	    name, n->secrets, n->versions);
	return cli_typed(c, name, "deleted");
}

static void
progress(const char *name, uint64_t done, uint64_t total)
{
	if (!isatty(STDERR_FILENO))
		return;
	if (done < total)
		fprintf(stderr, "\r... %s: %" PRIu64 " of %" PRIu64 " deleted",
		    name, done, total);
	else
		fputs("\r\033[K", stderr); /* nothing is left of it */
	fflush(stderr);
}

static int
remove_some(struct cli *c, const struct clv_buf *b, const char *name,
    struct cli_answer *ret, uint64_t *ret_left)
{
	char what[128];
	struct clv_rd rd;
	int r;

	snprintf(what, sizeof(what), "remove application %s", name);
	r = cli_admin(c, b, what, ret);
	if (r != CLV_OK)
		return r;
	clv_rd_init(&rd, ret->data.data, ret->data.len);
	*ret_left = clv_rd_u64(&rd);
	if (clv_rd_end(&rd) == CLV_OK)
		return CLV_OK;
	return cli_fail(c, CLV_E_PROTOCOL, "repeat the command",
	    "it was not said whether all of %s is deleted", name);
}

/* The same request, for as long as there is some left: the first answer says
 * which nodes are late, the last one how it ended. */
static int
remove_all(struct cli *c, const struct clv_buf *b, const char *name,
    uint64_t versions, struct cli_answer *ret)
{
	struct cli_answer more;
	uint64_t left = 0;
	int r = remove_some(c, b, name, ret, &left);

	while (r == CLV_OK && left > 0) {
		progress(name, versions > left ? versions - left : 0, versions);
		r = remove_some(c, b, name, &more, &left);
		memcpy(ret->text, more.text, sizeof(ret->text));
		cli_answer_fini(&more);
		if (r != CLV_OK)
			fprintf(stderr,
			    "  %s is gone; the command repeated goes on "
			    "deleting its secrets\n",
			    name);
		else if (left == 0)
			progress(name, versions, versions);
	}
	return r;
}

static int
print_removed(struct cli *c, const char *name, const struct cli_counts *n,
    const struct cli_answer *a)
{
	struct cli_json *j;

	if (cli_opt(c, "json") == NULL) {
		puts(a->text);
		return CLV_OK;
	}
	j = cli_json_new();
	cli_json_str(j, "application", name);
	cli_json_u64(j, "secrets", n->secrets);
	cli_json_u64(j, "versions", n->versions);
	cli_json_str(j, "message", a->text);
	cli_answer_late(a, j);
	return cli_json_print(j);
}

/* One daemon for all of it, where none runs. */
static int
remove_it(struct cli *c, const char *name)
{
	struct cli_counts n = {0, 0};
	struct cli_answer a;
	struct clv_buf b;
	int r = count_needed(c, name, &n);

	if (r == CLV_OK)
		r = confirm(c, name, &n);
	if (r != CLV_OK)
		return r;
	cli_admin_begin(&b, ADMIN_APP_REMOVE);
	clv_buf_str(&b, name);
	r = remove_all(c, &b, name, n.versions, &a);
	if (r == CLV_OK)
		r = print_removed(c, name, &n, &a);
	cli_answer_fini(&a);
	clv_buf_fini(&b);
	return r;
}

int
cli_app_remove(struct cli *c)
{
	struct cli_daemon d = {.started = false};
	int r = cli_app_check_name(c, c->args[0]);

	if (r == CLV_OK && geteuid() == 0)
		r = cli_daemon_need(c, &d);
	if (r == CLV_OK)
		r = remove_it(c, c->args[0]);
	cli_daemon_stop(c, &d);
	return r;
}
