/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "daemon/cli/cli_audit.h"

#define LAST_DEFAULT 100
#define LAST_MAX 1000000

struct list {
	struct audit_keys keys;
	uint64_t since_s, until_s; /* 0: whenever */
	const char *operation, *who;
	struct cli_json *json; /* NULL: as text */
	uint32_t last;	       /* 0: all */
	struct audit_row *ring;
	uint64_t n;	/* that fit */
	uint64_t wrong; /* that are not what was written */
};

/* A point in UTC, or how long ago: 30m, 2h, 1d. */
static int
time_parse(struct cli *c, const char *option, uint64_t *ret)
{
	static const char *const forms[] = {"%Y-%m-%d", "%Y-%m-%dT%H:%M",
	    "%Y-%m-%dT%H:%MZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"};
	const char *text = cli_opt(c, option), *end;
	uint64_t n, unit;

	if (text == NULL)
		return CLV_OK;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm tm = {.tm_mday = 1};

		end = strptime(text, forms[i], &tm);
		if (end == NULL || *end != '\0')
			continue;
		*ret = (uint64_t)timegm(&tm);
		return CLV_OK;
	}
	n = strtoul(text, (char **)(uintptr_t)&end, 10);
	unit = *end == 'm' ? 60 : *end == 'h' ? 3600 : *end == 'd' ? 86400 : 0;
	if (end != text && unit != 0 && end[1] == '\0' && n < UINT32_MAX) {
		*ret = (uint64_t)time(NULL) - n * unit;
		return CLV_OK;
	}
	return cli_fail(c, CLV_E_INVALID,
	    "give 2026-11-29, 2026-11-29T13:00 (UTC), or 30m, 2h, 1d for so "
	    "long ago",
	    "--%s takes a time, not '%s'", option, text);
}

static bool
fits(const struct list *l, const struct audit_row *row)
{
	return row->time_s >= l->since_s &&
	       (l->until_s == 0 || row->time_s < l->until_s) &&
	       (l->operation == NULL ||
		   strcmp(row->operation, l->operation) == 0) &&
	       (l->who == NULL || strcmp(row->who, l->who) == 0);
}

static void
print_text(const struct audit_row *r)
{
	char date[CLI_DATE];

	if (r->lost > 0)
		printf("%6s  %" PRIu64 " before the next one could not be "
		       "kept\n",
		    "...", r->lost);
	printf("%6" PRIu64 "  %s  %s: %s: %s%s%s: %s%s%s\n", r->seq,
	    cli_date((int64_t)r->time_s, date), r->node, r->who, r->operation,
	    r->object[0] != '\0' ? " " : "", r->object, r->result,
	    r->text[0] != '\0' ? ": " : "", r->text);
}

static void
print_row(struct list *l, const struct audit_row *r)
{
	struct cli_json *o;
	char date[CLI_DATE];

	if (l->json == NULL) {
		print_text(r);
		return;
	}
	o = cli_json_push(l->json, "rows");
	cli_json_u64(o, "row", r->seq);
	cli_json_u64(o, "time_s", r->time_s);
	cli_json_str(o, "time", cli_date((int64_t)r->time_s, date));
	cli_json_u64(o, "epoch", r->epoch);
	cli_json_str(o, "node", r->node);
	cli_json_str(o, "who", r->who);
	cli_json_str(o, "operation", r->operation);
	cli_json_str(o, "object", r->object);
	cli_json_str(o, "result", r->result);
	cli_json_str(o, "text", r->text);
	cli_json_u64(o, "lost_before", r->lost);
}

/* Signatures are looked at of those alone that are shown. */
static void
on_row(void *arg, uint64_t seq, const void *body, size_t len)
{
	struct list *l = arg;
	unsigned key = l->keys.n - 1;
	struct audit_row row;

	if (audit_row_parse(body, len, &row) != CLV_OK) {
		l->wrong++;
		return;
	}
	if (!fits(l, &row))
		return;
	if (row.seq != seq ||

	    audit_row_read(body, len, &l->keys, &key, &row) != CLV_OK) {
		l->wrong++;
		return;
	}
	if (l->ring == NULL)
		print_row(l, &row);
	else
		l->ring[l->n % l->last] = row;
	l->n++;
}

static void
print_ring(struct list *l)
{
	uint64_t n = l->n < l->last ? l->n : l->last;

	for (uint64_t i = l->n - n; i < l->n; i++)
		print_row(l, &l->ring[i % l->last]);
}

static int
options(struct cli *c, struct list *l)
{
	const char *last = cli_opt(c, "last");
	int r = cli_audit_keys(c, &l->keys);

	l->operation = cli_opt(c, "operation");
	l->who = cli_opt(c, "who");
	l->last = LAST_DEFAULT;
	if (r == CLV_OK)
		r = time_parse(c, "since", &l->since_s);
	if (r == CLV_OK)
		r = time_parse(c, "until", &l->until_s);
	if (r == CLV_OK && last != NULL &&
	    cli_number_parse(last, 0, LAST_MAX, &l->last) != CLV_OK)
		r = cli_fail(c, CLV_E_INVALID, NULL,
		    "--last is a number up to %d, not '%s'", LAST_MAX, last);
	if (r != CLV_OK || l->last == 0)
		return r;
	l->ring = calloc(l->last, sizeof(*l->ring));
	return l->ring != NULL
		   ? CLV_OK
		   : cli_fail(c, CLV_E_NOMEM, NULL, "out of memory");
}

int
cli_audit_list(struct cli *c)
{
	struct list l = {.ring = NULL};
	int r = options(c, &l);

	if (r == CLV_OK && cli_opt(c, "json") != NULL) {
		l.json = cli_json_new();
		cli_json_array(l.json, "rows");
	}
	if (r == CLV_OK)
		r = cli_audit_walk(c, 0, on_row, &l);
	if (r == CLV_OK && l.ring != NULL)
		print_ring(&l);
	free(l.ring);
	if (r == CLV_OK && l.json != NULL)
		cli_json_print(l.json);
	else
		cli_json_free(l.json);
	if (r == CLV_OK && l.wrong > 0)
		r = cli_fail(c, CLV_E_FINDINGS, "claviger audit verify",
		    "%" PRIu64 " rows are not what was written, and not shown",
		    l.wrong);
	return r;
}
