/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <claviger/result.h>

#include "../../lib/store_internal.h"
#include "../unit/pg.h"
#include "storebench.h"

const uint8_t bench_instance[16] = "bench";
uint8_t bench_record[RECORD_LEN];
static char conninfo[256];

void
bench_ok(struct clv_store *s, int rc)
{
	if (rc != CLV_OK)
		errx(1, "%s: %s", clv_result_name(rc), clv_store_text(s));
}

PGresult *
bench_check(PGconn *c, PGresult *r)
{
	if (PQresultStatus(r) != PGRES_TUPLES_OK &&
	    PQresultStatus(r) != PGRES_COMMAND_OK)
		errx(1, "%s", PQerrorMessage(c));
	return r;
}

static void
sql(PGconn *c, const char *text)
{
	PQclear(bench_check(c, PQexec(c, text)));
}

static void
prepare(PGconn *c)
{
	static const struct {
		const char *name, *text;
	} all[] = {
	    {"insert", "INSERT INTO bare (key, record) VALUES ($1::text,"
		       " $2::bytea)"},
	    {"select", "SELECT record FROM bare_read WHERE key = $1::text"},
	    {"rewrap", "UPDATE bare_key k SET generation = $1::bigint,"
		       " wrapped = r.wrapped FROM unnest($2::text[],"
		       " $3::bigint[], $4::bigint[], $5::bytea[])"
		       " AS r (app, version, old, wrapped)"
		       " WHERE k.app = r.app AND k.version = r.version"
		       " AND k.generation = r.old"},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		PQclear(bench_check(
		    c, PQprepare(c, all[i].name, all[i].text, 0, NULL)));
}

static void
populate(PGconn *c)
{
	sql(c, "CREATE TABLE bare (key text PRIMARY KEY, record bytea)");
	sql(c, "CREATE TABLE bare_read (key text COLLATE \"C\" PRIMARY KEY,"
	       " record bytea)");
	sql(c, "INSERT INTO bare_read SELECT 'name' || i,"
	       " decode(repeat('a5', 333), 'hex')"
	       " FROM generate_series(0, 99999) i");
	sql(c, "INSERT INTO claviger.manifest VALUES ('app', 1,"
	       " decode(repeat('00', 68), 'hex'),"
	       " decode(repeat('00', 16), 'hex'), 1)");
	sql(c, "INSERT INTO claviger.secret (app, name, version,"
	       " deleted, key_version, record, hash, counter, op_id)"
	       " SELECT 'app', 'name' || i, 1, false, 1,"
	       " decode(repeat('a5', 333), 'hex'),"
	       " decode(repeat('a5', 32), 'hex'), 1, uuid_send(g)"
	       " FROM (SELECT i, gen_random_uuid() g"
	       " FROM generate_series(0, 99999) i) x");
	sql(c, "INSERT INTO claviger.data_key SELECT 'app' || i, 1, 1,"
	       " decode(repeat('a5', 73), 'hex')"
	       " FROM generate_series(0, 99999) i");
	sql(c, "INSERT INTO claviger.manifest SELECT 'lane' || i, 1,"
	       " decode(repeat('00', 68), 'hex'),"
	       " decode(repeat('00', 16), 'hex'), 1"
	       " FROM generate_series(0, 7) i");
	sql(c, "INSERT INTO claviger.data_key SELECT 'lane' || i, 1, 99,"
	       " decode(repeat('a5', 73), 'hex')"
	       " FROM generate_series(0, 7) i");
	sql(c, "CREATE TABLE bare_key (LIKE claviger.data_key INCLUDING ALL)");
	sql(c, "INSERT INTO bare_key SELECT * FROM claviger.data_key");
	sql(c, "VACUUM ANALYZE");
}

static void
make_system(void)
{
	static const uint8_t id[16] = "bench", escrow[6] = {1, 0, 0, 0, 1},
			     thumb[32] = "thumb";
	struct clv_store_system sys = {id, EPOCH - 256, 1, "list", 4, escrow,
	    sizeof(escrow), thumb, "row", 3, "b", 1};
	struct clv_store *s = NULL;
	char why[256];

	if (clv_store_connect(
		conninfo, NULL, CLV_STORE_OWNER, TIMEOUT_MS, &s, why) != 0)
		errx(1, "%s", why);
	bench_ok(s, clv_store_migrate(s, ""));
	bench_ok(s, clv_store_create_system(s, &sys, TIMEOUT_MS));
	clv_store_free(&s);
}

static void
take_epoch(struct clv_store *s)
{
	uint8_t seen[8], new[8], holder[8], timeline[8], lease[8];
	const struct clv_param p[] = {clv_param_u64(EPOCH - 256, seen),
	    clv_param_u64(EPOCH, new), clv_param_u64(1, holder),
	    {bench_instance, 16}, clv_param_u64(1, timeline),
	    clv_param_u64(3600000, lease)};

	bench_ok(s, clv_store_run(s, CLV_STMT_TAKE_EPOCH, p, 6, TIMEOUT_MS));
	if (!clv_store_get_bool(s, 0, 1))
		errx(1, "the epoch is not taken");
}

void
bench_setup(struct lane lanes[static LANES_MAX])
{
	char why[256];
	PGconn *c;

	memset(bench_record, 0xa5, sizeof(bench_record));
	if (pg_start("fsync = on\nfull_page_writes = on\n"
		     "shared_buffers = 128MB\nmax_wal_size = 4GB\n") != 0)
		errx(1, "no PostgreSQL");
	snprintf(conninfo, sizeof(conninfo),
	    "host=%s user=postgres dbname=postgres", pg_dir());
	make_system();
	c = PQconnectdb(conninfo);
	populate(c);
	PQfinish(c);
	for (unsigned i = 0; i < LANES_MAX; i++) {
		struct lane *l = &lanes[i];

		l->number = i;
		l->counter = l->generation = 1;
		if (clv_store_connect(conninfo, NULL, CLV_STORE_SERVER,
			TIMEOUT_MS, &l->s, why) != CLV_OK)
			errx(1, "%s", why);
		l->bare = PQconnectdb(conninfo);
		prepare(l->bare);
	}
	take_epoch(lanes[0].s);
}
