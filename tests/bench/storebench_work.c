/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include <claviger/buf.h>

#include "../../lib/store_internal.h"
#include "../unit/store_rows.h"
#include "storebench.h"

/* What a lane does in a round: a statement of ours, or the yardstick. */

static void
id_random(uint8_t id[static 16])
{
	randombytes_buf(id, 16);
}

static void
rows_add(
    struct store_rows *r, const char *name, uint64_t version, uint64_t keep)
{
	uint8_t op[16];
	const struct store_row row = {
	    name, version, 1, bench_record, bench_record, RECORD_LEN, keep, op};

	id_random(op);
	store_rows_add(r, &row);
}

static unsigned
put_rows(struct lane *l, const struct store_rows *r)
{
	char app[32];
	uint8_t op[16];
	struct store_put put = {
	    app, EPOCH, l->counter, bench_record, op, r, {{0}}};

	snprintf(app, sizeof(app), "lane%u", l->number);
	id_random(op);
	bench_ok(l->s, store_put_send(l->s, &put));
	bench_ok(l->s, clv__store_finish(l->s, TIMEOUT_MS));
	if (clv_store_get_u64(l->s, 0, 0) != CLV_PUT_DONE)
		errx(1, "state %llu",
		    (unsigned long long)clv_store_get_u64(l->s, 0, 0));
	l->counter = clv_store_get_u64(l->s, 0, 1);
	return l->batch;
}

unsigned
put_new(struct lane *l)
{
	struct store_rows r;
	char name[32];
	unsigned n;

	store_rows_init(&r);
	for (unsigned i = 0; i < l->batch; i++) {
		snprintf(name, sizeof(name), "name%llu",
		    (unsigned long long)l->next++);
		rows_add(&r, name, 1, 0);
	}
	n = put_rows(l, &r);
	store_rows_fini(&r);
	return n;
}

unsigned
put_version(struct lane *l)
{
	struct store_rows r;
	char name[32];
	unsigned n;

	store_rows_init(&r);
	for (unsigned i = 0; i < l->batch; i++) {
		snprintf(name, sizeof(name), "again%llu",
		    (unsigned long long)(l->next % 100));
		rows_add(&r, name, l->next++, 10);
	}
	n = put_rows(l, &r);
	store_rows_fini(&r);
	return n;
}

static PGresult *
exec(struct lane *l, const char *statement, int n, const char *const *values,
    const int *lens)
{
	static const int formats[8] = {1, 1, 1, 1, 1, 1, 1, 1};

	return bench_check(l->bare,
	    PQexecPrepared(l->bare, statement, n, values, lens, formats, 1));
}

unsigned
insert_bare(struct lane *l)
{
	char name[64];
	const char *values[] = {name, (char *)bench_record};
	int lens[] = {0, RECORD_LEN};

	lens[0] = snprintf(name, sizeof(name), "lane%u/name%llu", l->number,
	    (unsigned long long)l->next++);
	PQclear(exec(l, "insert", 2, values, lens));
	return 1;
}

static void
some_name(char name[static 32])
{
	snprintf(name, 32, "name%u", randombytes_uniform(NAMES));
}

unsigned
get(struct lane *l)
{
	char name[32];
	uint8_t version[8], counter[8], limit[8];
	const struct clv_param p[] = {{"app", 3},
	    {name, (some_name(name), strlen(name))}, clv_param_u64(0, version),
	    clv_param_u64(1, counter), clv_param_u64(100, limit)};

	bench_ok(
	    l->s, clv_store_run(l->s, CLV_STMT_GET_SECRET, p, 5, TIMEOUT_MS));
	if (clv_store_rows(l->s) != 2)
		errx(1, "%zu rows", clv_store_rows(l->s));
	return 1;
}

unsigned
select_bare(struct lane *l)
{
	char name[32];
	const char *values[] = {name};
	int lens[] = {0};
	PGresult *r;

	some_name(name);
	lens[0] = (int)strlen(name);
	r = exec(l, "select", 1, values, lens);
	if (PQntuples(r) != 1)
		errx(1, "%d rows", PQntuples(r));
	PQclear(r);
	return 1;
}

static void
key_arrays(struct lane *l, struct clv_buf b[4])
{
	char app[32];

	for (int i = 0; i < 4; i++)
		clv_buf_init(&b[i]);
	clv_array_begin(&b[0], CLV_ARRAY_TEXT);
	clv_array_begin(&b[1], CLV_ARRAY_INT8);
	clv_array_begin(&b[2], CLV_ARRAY_INT8);
	clv_array_begin(&b[3], CLV_ARRAY_BYTEA);
	for (unsigned i = 0; i < l->batch; i++) {
		int n = snprintf(app, sizeof(app), "app%llu",
		    (unsigned long long)(l->next + i));

		clv_array_add(&b[0], app, (size_t)n);
		clv_array_add_u64(&b[1], 1);
		clv_array_add_u64(&b[2], l->generation);
		clv_array_add(&b[3], bench_record, 73);
	}
}

static void
key_next(struct lane *l)
{
	l->next += l->batch;
	if (l->next >= NAMES) {
		l->next = 0;
		l->generation++;
	}
}

unsigned
rewrap(struct lane *l)
{
	uint8_t epoch[8], generation[8];
	struct clv_buf b[4];

	key_arrays(l, b);
	const struct clv_param p[] = {clv_param_u64(EPOCH, epoch),
	    {bench_instance, 16}, clv_param_u64(l->generation + 1, generation),
	    clv_param_array(&b[0]), clv_param_array(&b[1]),
	    clv_param_array(&b[2]), clv_param_array(&b[3])};
	bench_ok(l->s,
	    clv_store_run(l->s, CLV_STMT_PUT_REWRAPPED, p, 7, TIMEOUT_MS));
	if (clv_store_get_u64(l->s, 0, 0) != l->batch)
		errx(1, "rewrapped %llu",
		    (unsigned long long)clv_store_get_u64(l->s, 0, 0));
	for (int i = 0; i < 4; i++)
		clv_buf_fini(&b[i]);
	key_next(l);
	return l->batch;
}

unsigned
rewrap_bare(struct lane *l)
{
	uint8_t generation[8];
	struct clv_buf b[4];
	const char *values[5];
	int lens[5] = {8};
	PGresult *r;

	key_arrays(l, b);
	clv_param_u64(l->generation + 1, generation);
	values[0] = (char *)generation;
	for (int i = 0; i < 4; i++) {
		values[i + 1] = (char *)b[i].data;
		lens[i + 1] = (int)b[i].len;
	}
	r = exec(l, "rewrap", 5, values, lens);
	if (strtoul(PQcmdTuples(r), NULL, 10) != l->batch)
		errx(1, "rewrapped %s", PQcmdTuples(r));
	PQclear(r);
	for (int i = 0; i < 4; i++)
		clv_buf_fini(&b[i]);
	key_next(l);
	return l->batch;
}
