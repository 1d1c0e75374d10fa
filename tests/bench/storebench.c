/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench-store [-s SECONDS] [PART...]
 *
 * What the statements cost beside bare libpq on the same PostgreSQL: a cluster
 * of its own, with fsync. Each figure is measured in short slices, ours and
 * the yardstick in turn, so that a busy machine hurts both; what is printed is
 * the median of each. CPU time is that of PostgreSQL's processes.
 */
#include <config.h>

#include <err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <libpq-fe.h>
#include <sodium.h>
#include <claviger/buf.h>
#include <claviger/result.h>
#include <claviger/store.h>

#include "../unit/pg.h"

#define LANES_MAX 8
#define SLICES_MAX 64
#define TIMEOUT_MS 30000
#define EPOCH 257u
#define RECORD_LEN (256 + 77)
#define NAMES 100000 /* secrets of application 0, and keys */

struct lane;
/* One round of work; how many rows it did. */
typedef unsigned (*work_fn)(struct lane *);

struct lane {
	unsigned number, batch;
	struct clv_store *s;
	PGconn *bare;
	uint64_t counter; /* of the lane's application */
	uint64_t next;	  /* name or key */
	uint64_t generation;
	work_fn work;
	pthread_t thread;
	uint64_t rows;
};

struct figure {
	double rate, cpu_us;
};

static struct lane lanes[LANES_MAX];
static char conninfo[256];
static atomic_bool stop;
static double slice_s = 0.5;
static unsigned slices = 7;
static const uint8_t instance[16] = "bench";
static uint8_t record[65536];

static double
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
ok(struct clv_store *s, int rc)
{
	if (rc != CLV_OK)
		errx(1, "%s: %s", clv_result_name(rc), clv_store_text(s));
}

static PGresult *
check(PGconn *c, PGresult *r)
{
	if (PQresultStatus(r) != PGRES_TUPLES_OK &&
	    PQresultStatus(r) != PGRES_COMMAND_OK)
		errx(1, "%s", PQerrorMessage(c));
	return r;
}

static void
sql(PGconn *c, const char *text)
{
	PQclear(check(c, PQexec(c, text)));
}

/* CPU seconds of all processes of PostgreSQL. */
static double
cpu_s(void)
{
	char line[256];
	double sum = 0, ns;
	FILE *p = popen("cat /proc/[0-9]*/stat 2>/dev/null | "
			"awk '$2 == \"(postgres)\" {n += $14 + $15} "
			"END {printf \"%.0f\\n\", n}'",
	    "r");

	if (p != NULL && fgets(line, sizeof(line), p) != NULL &&
	    sscanf(line, "%lf", &ns) == 1)
		sum = ns / (double)sysconf(_SC_CLK_TCK);
	if (p != NULL)
		pclose(p);
	return sum;
}

static void *
lane_run(void *arg)
{
	struct lane *l = arg;

	while (!atomic_load(&stop))
		l->rows += l->work(l);
	return NULL;
}

static struct figure
slice(unsigned n, work_fn work, unsigned batch)
{
	double began = now_s(), cpu = cpu_s();
	uint64_t rows = 0;

	atomic_store(&stop, false);
	for (unsigned i = 0; i < n; i++) {
		lanes[i].work = work;
		lanes[i].batch = batch;
		lanes[i].rows = 0;
		if (pthread_create(
			&lanes[i].thread, NULL, lane_run, &lanes[i]) != 0)
			err(1, "pthread_create");
	}
	usleep((useconds_t)(slice_s * 1e6));
	atomic_store(&stop, true);
	for (unsigned i = 0; i < n; i++) {
		pthread_join(lanes[i].thread, NULL);
		rows += lanes[i].rows;
	}
	return (struct figure){(double)rows / (now_s() - began),
	    rows == 0 ? 0 : (cpu_s() - cpu) * 1e6 / (double)rows};
}

static int
compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), compare);
	return v[n / 2];
}

static void
measure(const char *what, unsigned n, work_fn ours, unsigned batch,
    work_fn yard, unsigned yard_batch, unsigned yard_lanes)
{
	double a[SLICES_MAX], b[SLICES_MAX], r[SLICES_MAX], ca[SLICES_MAX],
	    cb[SLICES_MAX];

	for (unsigned i = 0; i < slices; i++) {
		struct figure x = slice(n, ours, batch);
		struct figure y = slice(yard_lanes, yard, yard_batch);

		a[i] = x.rate;
		b[i] = y.rate;
		r[i] = x.rate / y.rate;
		ca[i] = x.cpu_us;
		cb[i] = y.cpu_us;
	}
	printf("%-34s %9.0f/s %7.1f us  %9.0f/s %7.1f us  %5.2f\n", what,
	    median(a, slices), median(ca, slices), median(b, slices),
	    median(cb, slices), median(r, slices));
	fflush(stdout);
}

/* The rows of a write, as arrays. */
struct rows {
	struct clv_buf names, versions, key_versions, hashes, records, keeps,
	    ops;
};

static void
rows_begin(struct rows *r)
{
	clv_buf_init(&r->names);
	clv_buf_init(&r->versions);
	clv_buf_init(&r->key_versions);
	clv_buf_init(&r->hashes);
	clv_buf_init(&r->records);
	clv_buf_init(&r->keeps);
	clv_buf_init(&r->ops);
	clv_array_begin(&r->names, CLV_ARRAY_TEXT);
	clv_array_begin(&r->versions, CLV_ARRAY_INT8);
	clv_array_begin(&r->key_versions, CLV_ARRAY_INT8);
	clv_array_begin(&r->hashes, CLV_ARRAY_BYTEA);
	clv_array_begin(&r->records, CLV_ARRAY_BYTEA);
	clv_array_begin(&r->keeps, CLV_ARRAY_INT8);
	clv_array_begin(&r->ops, CLV_ARRAY_BYTEA);
}

static void
rows_end(struct rows *r)
{
	clv_buf_fini(&r->names);
	clv_buf_fini(&r->versions);
	clv_buf_fini(&r->key_versions);
	clv_buf_fini(&r->hashes);
	clv_buf_fini(&r->records);
	clv_buf_fini(&r->keeps);
	clv_buf_fini(&r->ops);
}

static void
rows_add(struct rows *r, const char *name, uint64_t version, uint64_t keep)
{
	uint8_t op[16];

	randombytes_buf(op, sizeof(op));
	clv_array_add(&r->names, name, strlen(name));
	clv_array_add_u64(&r->versions, version);
	clv_array_add_u64(&r->key_versions, 1);
	clv_array_add(&r->hashes, record, 32);
	clv_array_add(&r->records, record, RECORD_LEN);
	clv_array_add_u64(&r->keeps, keep);
	clv_array_add(&r->ops, op, sizeof(op));
}

static unsigned
send_rows(struct lane *l, struct rows *r)
{
	char app[32];
	uint8_t epoch[8], counter[8], op[16];
	int n = snprintf(app, sizeof(app), "lane%u", l->number);
	const struct clv_param p[] = {
	    {app, (size_t)n},
	    clv_param_u64(EPOCH, epoch),
	    clv_param_u64(l->counter, counter),
	    {record, 32},
	    {op, sizeof(op)},
	    clv_param_array(&r->names),
	    clv_param_array(&r->versions),
	    clv_param_array(&r->key_versions),
	    clv_param_array(&r->hashes),
	    clv_param_array(&r->records),
	    clv_param_array(&r->keeps),
	    clv_param_array(&r->ops),
	};

	randombytes_buf(op, sizeof(op));
	ok(l->s, clv_store_run(l->s, CLV_STMT_PUT_SECRETS, p, 12, TIMEOUT_MS));
	if (clv_store_get_u64(l->s, 0, 0) != CLV_PUT_DONE)
		errx(1, "state %llu",
		    (unsigned long long)clv_store_get_u64(l->s, 0, 0));
	l->counter = clv_store_get_u64(l->s, 0, 1);
	return l->batch;
}

/* New names. */
static unsigned
put_new(struct lane *l)
{
	struct rows r;
	char name[32];
	unsigned n;

	rows_begin(&r);
	for (unsigned i = 0; i < l->batch; i++) {
		snprintf(name, sizeof(name), "name%llu",
		    (unsigned long long)l->next++);
		rows_add(&r, name, 1, 0);
	}
	n = send_rows(l, &r);
	rows_end(&r);
	return n;
}

/* The next version of names that rotate, ten of each kept. */
static unsigned
put_version(struct lane *l)
{
	struct rows r;
	char name[32];
	unsigned n;

	rows_begin(&r);
	for (unsigned i = 0; i < l->batch; i++) {
		snprintf(name, sizeof(name), "again%llu",
		    (unsigned long long)(l->next % 100));
		rows_add(&r, name, l->next++, 10);
	}
	n = send_rows(l, &r);
	rows_end(&r);
	return n;
}

static PGresult *
exec(struct lane *l, const char *statement, int n, const char *const *values,
    const int *lens)
{
	static const int formats[8] = {1, 1, 1, 1, 1, 1, 1, 1};

	return check(l->bare,
	    PQexecPrepared(l->bare, statement, n, values, lens, formats, 1));
}

static unsigned
insert_bare(struct lane *l)
{
	char name[64];
	const char *values[] = {name, (char *)record};
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

static unsigned
get(struct lane *l)
{
	char name[32];
	uint8_t version[8], counter[8], limit[8];
	struct clv_param p[] = {{"app", 3}, {name, 0},
	    clv_param_u64(0, version), clv_param_u64(1, counter),
	    clv_param_u64(100, limit)};

	some_name(name);
	p[1].len = strlen(name);
	ok(l->s, clv_store_run(l->s, CLV_STMT_GET_SECRET, p, 5, TIMEOUT_MS));
	if (clv_store_rows(l->s) != 2)
		errx(1, "%zu rows", clv_store_rows(l->s));
	return 1;
}

static unsigned
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
		clv_array_add(&b[3], record, 73);
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

static unsigned
rewrap(struct lane *l)
{
	uint8_t epoch[8], generation[8];
	struct clv_buf b[4];

	key_arrays(l, b);
	const struct clv_param p[] = {clv_param_u64(EPOCH, epoch),
	    {instance, 16}, clv_param_u64(l->generation + 1, generation),
	    clv_param_array(&b[0]), clv_param_array(&b[1]),
	    clv_param_array(&b[2]), clv_param_array(&b[3])};
	ok(l->s, clv_store_run(l->s, CLV_STMT_PUT_REWRAPPED, p, 7, TIMEOUT_MS));
	if (clv_store_get_u64(l->s, 0, 0) != l->batch)
		errx(1, "rewrapped %llu",
		    (unsigned long long)clv_store_get_u64(l->s, 0, 0));
	for (int i = 0; i < 4; i++)
		clv_buf_fini(&b[i]);
	key_next(l);
	return l->batch;
}

static unsigned
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
		PQclear(
		    check(c, PQprepare(c, all[i].name, all[i].text, 0, NULL)));
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
	       " decode(repeat('00', 32), 'hex'),"
	       " decode(repeat('00', 16), 'hex'))");
	sql(c, "INSERT INTO claviger.secret (app, name, version, current,"
	       " deleted, key_version, record, hash, counter, op_id)"
	       " SELECT 'app', 'name' || i, 1, true, false, 1,"
	       " decode(repeat('a5', 333), 'hex'),"
	       " decode(repeat('a5', 32), 'hex'), 1, uuid_send(g)"
	       " FROM (SELECT i, gen_random_uuid() g"
	       " FROM generate_series(0, 99999) i) x");
	sql(c, "INSERT INTO claviger.data_key SELECT 'app' || i, 1, 1,"
	       " decode(repeat('a5', 73), 'hex')"
	       " FROM generate_series(0, 99999) i");
	sql(c, "INSERT INTO claviger.manifest SELECT 'lane' || i, 1,"
	       " decode(repeat('00', 32), 'hex'),"
	       " decode(repeat('00', 16), 'hex')"
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

	if (clv_store_connect(conninfo, NULL, true, TIMEOUT_MS, &s, why) != 0)
		errx(1, "%s", why);
	ok(s, clv_store_migrate(s, ""));
	ok(s, clv_store_create_system(s, &sys, TIMEOUT_MS));
	clv_store_free(&s);
}

static void
take_epoch(struct clv_store *s)
{
	uint8_t seen[8], new[8], holder[8], timeline[8], lease[8];
	const struct clv_param p[] = {clv_param_u64(EPOCH - 256, seen),
	    clv_param_u64(EPOCH, new), clv_param_u64(1, holder), {instance, 16},
	    clv_param_u64(1, timeline), clv_param_u64(3600000, lease)};

	ok(s, clv_store_run(s, CLV_STMT_TAKE_EPOCH, p, 6, TIMEOUT_MS));
	if (!clv_store_get_bool(s, 0, 1))
		errx(1, "the epoch is not taken");
}

static void
setup(void)
{
	char why[256];
	PGconn *c;

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
		if (clv_store_connect(conninfo, NULL, false, TIMEOUT_MS, &l->s,
			why) != CLV_OK)
			errx(1, "%s", why);
		l->bare = PQconnectdb(conninfo);
		prepare(l->bare);
	}
	take_epoch(lanes[0].s);
}

static void
put_part(void)
{
	measure("put, 1 lane", 1, put_new, 1, insert_bare, 1, 1);
	measure("put, 8 lanes", 8, put_new, 1, insert_bare, 1, 8);
	measure("put 8 at once, 1 lane", 1, put_new, 8, insert_bare, 1, 8);
	measure("put 64 at once, 1 lane", 1, put_new, 64, insert_bare, 1, 8);
	measure("put a version, 1 lane", 1, put_version, 1, insert_bare, 1, 1);
	measure("put a version, 8 lanes", 8, put_version, 1, insert_bare, 1, 8);
	measure("put 8 versions, 1 lane", 1, put_version, 8, insert_bare, 1, 8);
}

static void
get_part(void)
{
	measure("get, 1 lane", 1, get, 1, select_bare, 1, 1);
	measure("get, 8 lanes", 8, get, 1, select_bare, 1, 8);
	measure("get, 4 lanes against 8", 4, get, 1, select_bare, 1, 8);
}

static void
rewrap_part(void)
{
	struct lane saved = lanes[0];
	double began;
	double a = 0, b = 0;

	for (int turn = 0; turn < 3; turn++) {
		lanes[0].batch = 1000;
		lanes[0].next = 0;
		lanes[0].generation = (uint64_t)turn + 1;
		began = now_s();
		for (int i = 0; i < NAMES / 1000; i++)
			rewrap(&lanes[0]);
		a += now_s() - began;
		lanes[0].next = 0;
		lanes[0].generation = (uint64_t)turn + 1;
		began = now_s();
		for (int i = 0; i < NAMES / 1000; i++)
			rewrap_bare(&lanes[0]);
		b += now_s() - began;
	}
	printf("%-34s %9.0f/s             %9.0f/s             %5.2f\n",
	    "rewrap, 1000 at once", 3 * NAMES / a, 3 * NAMES / b, b / a);
	lanes[0] = saved;
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} parts[] = {
	    {"put", put_part}, {"get", get_part}, {"rewrap", rewrap_part}};
	int opt;

	while ((opt = getopt(argc, argv, "s:n:")) != -1) {
		if (opt == 's')
			slice_s = atof(optarg);
		else if (opt == 'n')
			slices = (unsigned)atoi(optarg);
		else
			errx(2, "usage: bench-store [-s SECONDS] [-n SLICES]"
				" [PART...]");
	}
	memset(record, 0xa5, sizeof(record));
	setup();
	printf("%-34s %11s %10s  %11s %10s  %5s\n", "", "ours", "CPU", "bare",
	    "CPU", "ratio");
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		bool wanted = optind == argc;

		for (int j = optind; j < argc; j++)
			wanted |= strcmp(argv[j], parts[i].name) == 0;
		if (wanted)
			parts[i].run();
	}
	pg_stop();
	return 0;
}
