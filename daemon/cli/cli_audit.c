/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "daemon/cli/cli_audit.h"
#include "daemon/base/state.h"

#define PAGE 500
#define FINDINGS_MAX 100 /* that are told one by one */

/* ---- the rows ---- */

static int
page(struct cli *c, struct clv_store *db, uint64_t *after, cli_audit_fn fn,
    void *arg, bool *ret_more)
{
	uint8_t from[8], limit[8];
	const struct clv_param p[2] = {
	    clv_param_u64(*after, from),
	    clv_param_u64(PAGE, limit),
	};
	int r = cli_db_run(c, db, CLV_STMT_GET_AUDIT, p, 2);
	const void *body;
	size_t len;

	if (r != CLV_OK)
		return r;
	for (size_t i = 0; i < clv_store_rows(db); i++) {
		uint64_t seq = clv_store_get_u64(db, i, 0);

		body = clv_store_get(db, i, 1, &len);
		fn(arg, seq, body, len);
		if (seq > *after) /* it is the database's word */
			*after = seq;
	}
	*ret_more = clv_store_rows(db) == PAGE;
	return CLV_OK;
}

int
cli_audit_walk(struct cli *c, uint64_t after, cli_audit_fn fn, void *arg)
{
	const char *passfile = c->config.database_passfile;
	struct clv_store *db = NULL;
	bool more = true;
	int r;

	r = cli_db_open(c, c->config.database,
	    passfile[0] != '\0' ? passfile : NULL, false, &db);
	if (r == CLV_OK)
		r = cli_db_hello(c, db);
	while (r == CLV_OK && more)
		r = page(c, db, &after, fn, arg, &more);
	clv_store_free(&db);
	return r;
}

int
cli_audit_keys(struct cli *c, struct audit_keys *ret)
{
	struct clv_list *list = NULL;
	int r = cli_list_need(c, &list);

	if (r == CLV_OK)
		audit_keys_of(list, ret);
	clv_list_free(&list);
	return r;
}

/* ---- what this node has seen ---- */

static int
state_of_file(const struct cli *c, struct cli_audit_state *ret)
{
	struct audit_file f;
	size_t len = 0;
	void *p = NULL;
	int r = file_read(
	    c->config.state_dir, AUDIT_FILE, AUDIT_FILE_MAX, &p, &len);

	if (r == CLV_OK)
		r = audit_file_parse(p, len, &f);
	free(p);
	if (r != CLV_OK)
		return CLV_E_NOT_FOUND;
	ret->seen = f.seen;
	ret->lost = f.lost;
	return CLV_OK;
}

int
cli_audit_state(const struct cli *c, struct cli_audit_state *ret)
{
	struct cli_reply reply;
	struct clv_rd rd;

	memset(ret, 0, sizeof(*ret));
	if (cli_ctl(c, CTL_AUDIT, NULL, 0, &reply, CLI_TIMEOUT_MS) != CLV_OK)
		return state_of_file(c, ret);
	clv_rd_init(&rd, reply.body, reply.len);
	ret->state = clv_rd_u8(&rd);
	ret->seen.seq = clv_rd_u64(&rd);
	clv_rd_copy(&rd, ret->seen.link, sizeof(ret->seen.link));
	ret->queued = clv_rd_u64(&rd);
	ret->written = clv_rd_u64(&rd);
	ret->lost = clv_rd_u64(&rd);
	clv_rd_str(&rd, ret->why, sizeof(ret->why));
	cli_printable(ret->why);
	ret->daemon = clv_rd_end(&rd) == CLV_OK;
	return ret->daemon ? CLV_OK : CLV_E_PROTOCOL;
}

/* ---- audit verify ---- */

struct verify {
	struct audit_chain chain;
	struct audit_keys keys;
	struct cli_json *json; /* NULL: as text */
	uint64_t first_s, last_s, last;
	struct timespec drawn;
};

static void
on_found(void *arg, uint64_t seq, const char *what)
{
	struct verify *v = arg;
	struct cli_json *o;

	if (v->chain.faults > FINDINGS_MAX)
		return;
	if (v->json == NULL) {
		printf("FOUND   %s\n", what);
		return;
	}
	o = cli_json_push(v->json, "findings");
	cli_json_u64(o, "row", seq);
	cli_json_str(o, "text", what);
}

/* Twice a second, over itself. */
static void
draw(struct verify *v)
{
	struct timespec now;

	if (v->chain.rows % 128 != 0 || !isatty(STDERR_FILENO))
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if ((now.tv_sec - v->drawn.tv_sec) * 1000 +
		(now.tv_nsec - v->drawn.tv_nsec) / 1000000 <
	    500)
		return;
	v->drawn = now;
	fprintf(stderr, "\r\033[K... row %" PRIu64 " of about %" PRIu64,
	    v->chain.next - 1,
	    v->chain.seen.seq > v->chain.next ? v->chain.seen.seq
					      : v->chain.next - 1);
}

static void
on_row(void *arg, uint64_t seq, const void *body, size_t len)
{
	struct verify *v = arg;
	struct audit_row row;

	if (audit_chain_row(&v->chain, seq, body, len, &row) == CLV_OK) {
		if (v->first_s == 0)
			v->first_s = row.time_s;
		v->last_s = row.time_s;
		v->last = seq;
	}
	draw(v);
}

static int
from_of(struct cli *c, uint64_t *ret)
{
	const char *from = cli_opt(c, "from");
	uint32_t n = 1;
	int r = CLV_OK;

	if (from != NULL)
		r = cli_number_parse(from, 1, UINT32_MAX, &n);
	*ret = n;
	return r == CLV_OK ? r
			   : cli_fail(c, r, NULL,
				 "'%s' is not the number of a row", from);
}

static void
print_text(const struct verify *v)
{
	char first[CLI_DATE], last[CLI_DATE];
	const struct audit_chain *a = &v->chain;

	if (a->rows == 0)
		printf("no row is there");
	else
		printf("%" PRIu64 " rows, %s to %s", a->rows,
		    cli_date((int64_t)v->first_s, first),
		    cli_date((int64_t)v->last_s, last));
	if (a->lost > 0)
		printf("; %" PRIu64 " more could not be kept, and rows say so",
		    a->lost);
	if (a->faults > 0)
		printf("; %" PRIu64 " findings, the first at row %" PRIu64 "\n",
		    a->faults, a->first);
	else
		puts(a->rows > 0 ? ": all as they were written, none missing"
				 : "");
}

static void
print_json(struct verify *v)
{
	struct cli_json *j = v->json;

	cli_json_u64(j, "rows", v->chain.rows);
	cli_json_u64(j, "last", v->last);
	cli_json_u64(j, "lost", v->chain.lost);
	cli_json_u64(j, "faults", v->chain.faults);
	cli_json_u64(j, "first_bad", v->chain.first);
	cli_json_print(j);
	v->json = NULL;
}

/* What this node has seen is asked before: rows go on being written. */
int
cli_audit_verify(struct cli *c)
{
	struct verify v = {.chain = {.found = on_found}};
	struct cli_audit_state seen;
	uint64_t from;
	int r = from_of(c, &from);

	if (r == CLV_OK)
		r = cli_audit_keys(c, &v.keys);
	if (r != CLV_OK)
		return r;
	v.chain.arg = &v;
	audit_chain_begin(&v.chain, &v.keys, from);
	if (cli_audit_state(c, &seen) == CLV_OK)
		v.chain.seen = seen.seen;
	if (cli_opt(c, "json") != NULL) {
		v.json = cli_json_new();
		cli_json_array(v.json, "findings");
	}
	r = cli_audit_walk(c, from - 1, on_row, &v);
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	if (r != CLV_OK) {
		cli_json_free(v.json);
		return r;
	}
	audit_chain_end(&v.chain);
	if (v.json != NULL)
		print_json(&v);
	else
		print_text(&v);
	return v.chain.faults == 0 ? CLV_OK : CLV_E_FINDINGS;
}
