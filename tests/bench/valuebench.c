/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench-value SOCKET CONNINFO APP [PART...]
 *
 * Secrets through the local API of a member's daemon, beside bare libpq on the
 * same PostgreSQL, eight clients each: put of new names beside INSERT, every
 * row its own transaction; get past the cache beside a prepared SELECT by key.
 * Slices of ours and of the yardstick in turn. Prints for each PART: rows a
 * second of both, and the median of the paired ratios.
 */
#include <config.h>

#include <err.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <claviger/client.h>
#include <claviger/envelope.h>
#include <claviger/result.h>

#include "quantile.h"

#define LANES 8
#define NAMES 10000 /* that are read, of each */
#define VALUE_LEN 256
#define SLICES 11
#define SLICE_US 300000

struct lane;
typedef void (*work_fn)(struct lane *l);

struct lane {
	pthread_t thread;
	unsigned number;
	struct clv_client *client;
	PGconn *bare;
	work_fn work;
	unsigned put, inserted; /* names of this lane */
	uint64_t rows;
};

static struct lane lanes[LANES];
static const char *app;
static uint8_t value[VALUE_LEN + CLV_RECORD_EXTRA];
static atomic_bool stop;

static double
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
put(struct lane *l)
{
	char name[64];

	snprintf(name, sizeof(name), "lane%u/%u", l->number, l->put++);
	if (clv_client_put(l->client, app, name, value, VALUE_LEN,
		CLV_API_KEEP_DEFAULT, NULL) != CLV_OK)
		errx(1, "put: %s", clv_client_text(l->client));
}

static void
get(struct lane *l)
{
	struct clv_secret *s;
	char name[64];

	snprintf(name, sizeof(name), "lane%u/%u", l->number,
	    randombytes_uniform(NAMES / LANES));
	if (clv_client_get(l->client, app, name, 0, 0, &s) != CLV_OK)
		errx(1, "get %s: %s", name, clv_client_text(l->client));
	clv_secret_free(&s);
}

static void
bare(struct lane *l, const char *statement, unsigned number, bool writes)
{
	static const int formats[] = {0, 1};
	char name[64];
	const char *values[] = {name, (const char *)value};
	const int lens[] = {0, sizeof(value)};
	PGresult *r;

	snprintf(name, sizeof(name), "lane%u/%u", l->number, number);
	r = PQexecPrepared(
	    l->bare, statement, writes ? 2 : 1, values, lens, formats, 1);
	if (PQresultStatus(r) !=
		(writes ? PGRES_COMMAND_OK : PGRES_TUPLES_OK) ||
	    (!writes && PQntuples(r) != 1))
		errx(1, "%s: %s", statement, PQerrorMessage(l->bare));
	PQclear(r);
}

static void
insert_bare(struct lane *l)
{
	bare(l, "put_bare", l->inserted++, true);
}

static void
select_bare(struct lane *l)
{
	bare(l, "get_bare", randombytes_uniform(NAMES / LANES), false);
}

static void *
lane_run(void *arg)
{
	struct lane *l = arg;

	for (; !atomic_load(&stop); l->rows++)
		l->work(l);
	return NULL;
}

static double
slice(work_fn work)
{
	double began = now_s(), passed;
	uint64_t rows = 0;

	atomic_store(&stop, false);
	for (unsigned i = 0; i < LANES; i++) {
		lanes[i].work = work;
		lanes[i].rows = 0;
		if (pthread_create(
			&lanes[i].thread, NULL, lane_run, &lanes[i]) != 0)
			err(1, "pthread_create");
	}
	usleep(SLICE_US);
	atomic_store(&stop, true);
	for (unsigned i = 0; i < LANES; i++) {
		pthread_join(lanes[i].thread, NULL);
		rows += lanes[i].rows;
	}
	passed = now_s() - began;
	usleep(SLICE_US / 10); /* the kernel leaves us 95 % of the time */
	return (double)rows / passed;
}

static void
measure(const char *what, work_fn ours, work_fn yard)
{
	double v[3][SLICES];

	for (unsigned i = 0; i < SLICES; i++) {
		v[0][i] = slice(ours);
		v[1][i] = slice(yard);
		v[2][i] = v[0][i] / v[1][i];
	}
	printf("%s %.1f %.1f %.3f\n", what, median(v[0], SLICES),
	    median(v[1], SLICES), median(v[2], SLICES));
	fflush(stdout);
}

static void
sql(PGconn *c, const char *text)
{
	PGresult *r = PQexec(c, text);

	if (PQresultStatus(r) != PGRES_COMMAND_OK)
		errx(1, "%s: %s", text, PQerrorMessage(c));
	PQclear(r);
}

static void
open_lane(struct lane *l, const char *socket, const char *conninfo)
{
	if (clv_client_open(socket, &l->client) != CLV_OK)
		errx(1, "%s: nobody answers", socket);
	l->bare = PQconnectdb(conninfo);
	if (l->number == 0)
		sql(l->bare, "CREATE TABLE bare (key text COLLATE \"C\""
			     " PRIMARY KEY, record bytea)");
	sql(l->bare, "PREPARE put_bare (text, bytea) AS"
		     " INSERT INTO bare VALUES ($1, $2)");
	sql(l->bare, "PREPARE get_bare (text) AS"
		     " SELECT record FROM bare WHERE key = $1");
}

/* The names that are read. */
static void
fill(struct lane *l)
{
	if (l->put < NAMES / LANES) {
		put(l);
		insert_bare(l);
	} else {
		usleep(1000);
	}
}

static bool
is_filled(void)
{
	for (unsigned i = 0; i < LANES; i++)
		if (lanes[i].put < NAMES / LANES)
			return false;
	return true;
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		work_fn ours, yard;
	} parts[] = {{"put", put, insert_bare}, {"get", get, select_bare}};

	if (argc < 4 || sodium_init() < 0)
		errx(2, "SOCKET CONNINFO APP [PART...]");
	app = argv[3];
	for (unsigned i = 0; i < LANES; i++) {
		lanes[i].number = i;
		open_lane(&lanes[i], argv[1], argv[2]);
	}
	while (!is_filled())
		(void)slice(fill);
	sql(lanes[0].bare, "VACUUM ANALYZE");
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		bool wanted = argc == 4;

		for (int j = 4; j < argc; j++)
			wanted |= strcmp(argv[j], parts[i].name) == 0;
		if (wanted)
			measure(parts[i].name, parts[i].ours, parts[i].yard);
	}
	return 0;
}
