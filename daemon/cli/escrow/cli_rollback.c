/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "daemon/admin/admin.h"
#include "daemon/cli/escrow/cli_restore.h"

/*
 * claviger restore --accept-rollback: the database was restored to an older
 * day, and stays there. What is lost is said before anything is done.
 */
#define BUSY_TRIES 40 /* it takes a fresh epoch first, or has much to write */
#define BUSY_PAUSE_MS 500

struct rollback {
	struct clv_list *here;
	struct clv_list *there;
	uint64_t was, now, epoch; /* list versions, and the epoch in force */
	uint64_t seen; /* list version by anybody, up to which it was asked */
	char accepted[CLV_LIST_APPS_MAX / 8 + 1]; /* applications, by bit */
	unsigned lost; /* what the database's list does not have */
};

static bool
is_there(const struct rollback *s, const char *app)
{
	return clv_list_app_by_name(s->there, app) != NULL;
}

/* ---- what is lost ---- */

static void
tell(const struct cli *c, struct rollback *s, struct cli_json *j,
    const char *key, const char *kind, const char *name)
{
	s->lost++;
	if (j != NULL)
		cli_json_str_push(j, key, name);
	else if (cli_opt(c, "json") == NULL)
		fprintf(stderr, "  %s %s\n", kind, name);
}

static void
lost_generations(const struct cli *c, struct rollback *s, struct cli_json *j)
{
	const struct clv_list *here = s->here;
	char number[16];

	for (size_t i = 0; i < here->generation_count; i++) {
		const struct clv_list_generation *g = &here->generations[i];
		const struct clv_list_generation *there =
		    clv_list_generation(s->there, g->number);

		snprintf(number, sizeof(number), "%u", g->number);
		if (there == NULL)
			tell(c, s, j, "generations", "generation", number);
		else if (g->state == CLV_GEN_DESTROYED &&
			 there->state != CLV_GEN_DESTROYED)
			tell(c, s, j, "destroyed",
			    "what is wrapped under the destroyed generation",
			    number);
	}
}

static void
lost_hosts(const struct cli *c, struct rollback *s, struct cli_json *j)
{
	const struct clv_list *here = s->here;

	for (size_t i = 0; i < here->node_count; i++)
		if (!here->nodes[i].revoked &&
		    clv_list_node_by_number(s->there, here->nodes[i].number) ==
			NULL)
			tell(c, s, j, "nodes", "server node",
			    here->nodes[i].party.name);
	for (size_t i = 0; i < here->member_count; i++)
		if (!here->members[i].revoked &&
		    clv_list_member_by_name(
			s->there, here->members[i].party.name) == NULL)
			tell(c, s, j, "members", "member",
			    here->members[i].party.name);
}

static void
lost_applications(const struct cli *c, struct rollback *s, struct cli_json *j)
{
	for (size_t i = 0; i < s->here->app_count; i++)
		if (!is_there(s, s->here->apps[i].name))
			tell(c, s, j, "applications", "application",
			    s->here->apps[i].name);
}

static void
find_lost(const struct cli *c, struct rollback *s, struct cli_json *j)
{
	s->lost = 0;
	if (j != NULL) {
		cli_json_array(j, "generations");
		cli_json_array(j, "destroyed");
		cli_json_array(j, "nodes");
		cli_json_array(j, "members");
		cli_json_array(j, "applications");
	}
	lost_generations(c, s, j);
	lost_hosts(c, s, j);
	lost_applications(c, s, j);
}

static void
say_lost(const struct cli *c, struct rollback *s)
{
	if (cli_opt(c, "json") != NULL)
		return;
	fprintf(stderr,
	    "the signed list has version %" PRIu64 " here, and %" PRIu64
	    " in the database, which does not know of:\n",
	    s->here->version, s->was);
	find_lost(c, s, NULL);
	if (s->lost == 0)
		fputs("  nothing that has a name\n", stderr);
	fputs("What hosts and people may do stays as it is here. What was "
	      "written to applications since\nthat day is lost.\n",
	    stderr);
}

/* ---- what is there ---- */

static int
look_there(struct cli *c, struct rollback *s)
{
	const char *passfile = c->config.database_passfile;
	uint8_t known[8], pk[CLV_SIGN_PK_LEN];
	const struct clv_param p = clv_param_u64(0, known);
	struct clv_store *db = NULL;
	const void *body;
	size_t len;
	int r = cli_system_pk(c, pk);

	if (r == CLV_OK)
		r = cli_db_open(c, c->config.database,
		    passfile[0] != '\0' ? passfile : NULL, false, &db);
	if (r == CLV_OK)
		r = cli_db_hello(c, db);
	if (r == CLV_OK) {
		s->was = clv_store_get_u64(db, 0, 6);
		r = cli_db_run(c, db, CLV_STMT_GET_LIST, &p, 1);
	}
	if (r == CLV_OK) {
		body = clv_store_get(db, 0, 1, &len);
		r = clv_list_open(body, len, pk, &s->there);
		if (r != CLV_OK)
			r = cli_fail(c, r, "claviger doctor",
			    "the list in the database is not one of this "
			    "system: %s",
			    clv_result_text(r));
	}
	clv_store_free(&db);
	return r;
}

static int
confirm(struct cli *c, const char *what)
{
	char question[512];

	snprintf(question, sizeof(question), "%s Accept this one", what);
	return cli_confirm(c,
	    "what was written since is lost: that is not accepted without "
	    "being asked",
	    question);
}

/* ---- the ceremony ---- */

static int
ask(struct cli *c, const struct clv_buf *b, struct cli_answer *a)
{
	const struct timespec pause = {
	    BUSY_PAUSE_MS / 1000, BUSY_PAUSE_MS % 1000 * 1000000};
	int r = CLV_E_BUSY;

	for (int i = 0;
	     i < BUSY_TRIES && (r == CLV_E_BUSY || r == CLV_E_TIMEOUT); i++) {
		if (i > 0)
			nanosleep(&pause, NULL);
		cli_answer_fini(a);
		cli_answer_init(a);
		r = cli_admin_quietly(c, b, a);
	}
	return r;
}

/* Lost is what the list here does not have, and no more than was agreed to. */
static int
put_list(struct cli *c, struct rollback *s, struct cli_answer *a)
{
	struct clv_buf b;
	struct clv_rd rd;
	int r;

	cli_admin_begin(&b, ADMIN_ROLLBACK);
	clv_buf_u64(&b, s->seen);
	r = ask(c, &b, a);
	clv_buf_fini(&b);
	if (r == CLV_OK) {
		clv_rd_init(&rd, a->data.data, a->data.len);
		s->was = clv_rd_u64(&rd);
		s->now = clv_rd_u64(&rd);
		s->epoch = clv_rd_u64(&rd);
		s->seen = clv_rd_u64(&rd);
		r = clv_rd_end(&rd);
	}
	if (r != CLV_OK)
		return cli_fail(c, r,
		    "claviger status; then repeat the command",
		    "the database was not accepted: %s",
		    a->text[0] != '\0' ? cli_printable(a->text)
				       : clv_result_text(r));
	if (a->late[0] != '\0')
		cli_warn(c, "these nodes fetch it when they are back: %s",
		    cli_printable(a->late));
	return CLV_OK;
}

/* Hosts may have seen what no server node has: that is known only now, and is
 * asked for, too. */
static int
accept_list(struct cli *c, struct rollback *s)
{
	struct cli_answer a;
	int r;

	cli_answer_init(&a);
	cli_progress("writing the list that is in force here");
	do {
		r = put_list(c, s, &a);
		if (r == CLV_OK && s->now == 0) {
			cli_warn(c, "%s", cli_printable(a.text));
			r = confirm(c,
			    "A server node or a backup of then may have it.");
		}
	} while (r == CLV_OK && s->now == 0);
	cli_answer_fini(&a);
	return r;
}

/* ---- applications, one by one ---- */

static int
accept_app(struct cli *c, struct rollback *s, size_t i)
{
	const char *app = s->here->apps[i].name;
	struct cli_answer a;
	struct clv_buf b;
	struct clv_rd rd;
	int r;

	cli_admin_begin(&b, ADMIN_ROLLBACK_APP);
	clv_buf_str(&b, app);
	cli_answer_init(&a);
	r = ask(c, &b, &a);
	clv_rd_init(&rd, a.data.data, a.data.len);
	if (r == CLV_OK && clv_rd_u8(&rd) != 0) {
		s->accepted[i / 8] |= (char)(1 << i % 8);
		if (cli_opt(c, "json") == NULL)
			puts(cli_printable(a.text));
	}
	if (r != CLV_OK)
		r = cli_fail(c, r, "claviger doctor; then repeat the command",
		    "%s was not accepted: %s", app,
		    a.text[0] != '\0' ? cli_printable(a.text)
				      : clv_result_text(r));
	cli_answer_fini(&a);
	clv_buf_fini(&b);
	return r;
}

/* Of all that can be: one that cannot is no reason to keep the others. */
static int
accept_apps(struct cli *c, struct rollback *s)
{
	int r = CLV_OK, one;

	for (size_t i = 0; i < s->here->app_count; i++) {
		if (!is_there(s, s->here->apps[i].name))
			continue;
		one = accept_app(c, s, i);
		r = r == CLV_OK ? one : r;
	}
	return r;
}

static void
json_accepted(const struct rollback *s, struct cli_json *j)
{
	cli_json_array(j, "accepted");
	for (size_t i = 0; i < s->here->app_count; i++)
		if ((s->accepted[i / 8] >> i % 8 & 1) != 0)
			cli_json_str_push(j, "accepted", s->here->apps[i].name);
}

static void
print(const struct cli *c, struct rollback *s)
{
	struct cli_json *j;

	if (cli_opt(c, "json") == NULL) {
		if (s->now == s->was)
			printf("the database's signed list is not older: "
			       "version %" PRIu64 "\n",
			    s->was);
		else
			printf("the database is accepted: list version %" PRIu64
			       ", epoch %" PRIu64 "\n",
			    s->now, s->epoch);
		for (size_t i = 0; i < s->here->app_count; i++)
			if (!is_there(s, s->here->apps[i].name))
				printf("application %s has nothing there: "
				       "claviger app remove, and app add\n",
				    s->here->apps[i].name);
		return;
	}
	j = cli_json_new();
	cli_json_u64(j, "list_version_there", s->was);
	cli_json_u64(j, "list_version", s->now);
	cli_json_u64(j, "epoch", s->epoch);
	find_lost(c, s, j);
	json_accepted(s, j);
	cli_json_print(j);
}

static int
rollback(struct cli *c, struct rollback *s)
{
	int r = cli_list_need(c, &s->here);

	if (r == CLV_OK)
		r = look_there(c, s);
	if (r != CLV_OK)
		return r;
	s->now = s->here->version;
	say_lost(c, s);
	if (cli_opt(c, "dry-run") != NULL) {
		print(c, s);
		return CLV_OK;
	}
	r = confirm(c,
	    "If a newer copy of the database exists, restore that one "
	    "instead.");
	if (r == CLV_OK)
		r = accept_list(c, s);
	if (r != CLV_OK)
		return r;
	r = accept_apps(c, s);
	print(c, s);
	return r;
}

int
cli_rollback(struct cli *c)
{
	struct rollback s = {0};
	struct cli_daemon d = {.started = false};
	int r = cli_guard(c);

	if (r == CLV_OK && cli_opt(c, "dry-run") == NULL)
		r = cli_daemon_need(c, &d);
	if (r == CLV_OK)
		r = rollback(c, &s);
	cli_daemon_stop(c, &d);
	clv_list_free(&s.here);
	clv_list_free(&s.there);
	return r;
}
