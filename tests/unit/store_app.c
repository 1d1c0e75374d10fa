/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "store_app.h"

struct clv_store *s, *server;
const uint8_t mac[CLV_MANIFEST_MAC_LEN] = "the manifest's mac";

void
with_app(void)
{
	with_system();
	server = as_node();
	ck_assert(take(server, EPOCH, TAKEN, node_a));
	ck_ok(server, init_app(server, "app", 1, OP("i")));
	s = as_member();
}

void
leave_app(void)
{
	clv_store_free(&s);
	clv_store_free(&server);
	leave_database();
}

bool
col_is(size_t row, size_t col, const void *p, size_t len)
{
	size_t got = 0;
	const void *v = clv_store_get(s, row, col, &got);

	return v != NULL && got == len && memcmp(v, p, len) == 0;
}

struct store_row
row(const char *name, uint64_t version, char op)
{
	static char ids[16][17];
	static uint8_t hashes[16][32];
	static unsigned turn;
	unsigned i = turn++ % 16;

	snprintf(ids[i], sizeof(ids[i]), "%c.%-14s", op, "row");
	memset(hashes[i], op, sizeof(hashes[i]));
	return (struct store_row){
	    name, version, 1, hashes[i], "a record", 8, 0, ids[i]};
}

int
put_rows(uint64_t counter, char op, const struct store_row *rows, size_t n)
{
	struct store_rows r;
	char id[17];
	struct store_put put = {"app", EPOCH, counter, mac, id, &r, {{0}, {0}}};
	int rc;

	snprintf(id, sizeof(id), "%c.%-14s", op, "batch");
	store_rows_init(&r);
	for (size_t i = 0; i < n; i++)
		store_rows_add(&r, &rows[i]);
	rc = store_put_send(s, &put);
	if (rc == CLV_OK)
		rc = call_finish(s);
	store_rows_fini(&r);
	return rc;
}

int
put(uint64_t counter, const char *name, uint64_t version, char op)
{
	struct store_row one = row(name, version, op);

	return put_rows(counter, op, &one, 1);
}

int
get(const char *name, uint64_t version, uint64_t known)
{
	return call(
	    s, CLV_STMT_GET_SECRET, "app", name, version, known, U(100));
}

int
get_ops(const char *ids)
{
	struct clv_buf b;
	char id[17];
	int rc;

	clv_buf_init(&b);
	clv_array_begin(&b, CLV_ARRAY_BYTEA);
	for (; *ids != '\0'; ids++) {
		snprintf(id, sizeof(id), "%c.%-14s", *ids, "row");
		clv_array_add(&b, id, 16);
	}
	rc = call(s, CLV_STMT_GET_OPS, &b);
	clv_buf_fini(&b);
	return rc;
}

long long
versions_of(const char *name)
{
	return sql_int("SELECT coalesce(string_agg(version::text, '' ORDER BY"
		       " version), '0')::bigint FROM claviger.secret"
		       " WHERE name = '%s'",
	    name);
}
