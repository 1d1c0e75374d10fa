/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench-store [-s SECONDS] [-n SLICES] [PART...]
 *
 * What the statements cost beside bare libpq on the same PostgreSQL: a cluster
 * of its own, with fsync. Each figure is measured in short slices, ours and
 * the yardstick in turn, so that a busy machine hurts both; what is printed is
 * the median of each: rows a second, CPU time a row (of PostgreSQL's backends
 * and of this program), and the ratio of the rates.
 */
#include <config.h>

#include <err.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../lib/store_internal.h"
#include "../unit/pg.h"
#include "storebench.h"
#include "quantile.h"

#define SLICES_MAX 64

struct figure {
	double rate, cpu_us;
};

static struct lane lanes[LANES_MAX];
static atomic_bool stop;
static double slice_s = 0.5;
static unsigned slices = 7;

static double
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* CPU seconds of this process. */
static double
own_cpu_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* CPU seconds of the lane's two backends. */
static double
cpu_s(const struct lane *l)
{
	const int pids[] = {PQbackendPID(l->s->conn), PQbackendPID(l->bare)};
	unsigned long long ns, sum = 0;
	char path[64];
	FILE *f;

	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "/proc/%d/schedstat", pids[i]);
		f = fopen(path, "r");
		if (f != NULL && fscanf(f, "%llu", &ns) == 1)
			sum += ns;
		if (f != NULL)
			fclose(f);
	}
	return (double)sum / 1e9;
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
	double began = now_s(), cpu = -own_cpu_s(), passed;
	uint64_t rows = 0;

	atomic_store(&stop, false);
	for (unsigned i = 0; i < n; i++) {
		lanes[i].work = work;
		lanes[i].batch = batch;
		lanes[i].rows = 0;
		cpu -= cpu_s(&lanes[i]);
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
	passed = now_s() - began;
	cpu += own_cpu_s();
	for (unsigned i = 0; i < n; i++)
		cpu += cpu_s(&lanes[i]);
	return (struct figure){(double)rows / passed, cpu * 1e6 / (double)rows};
}

static void
show(const char *what, struct figure ours, struct figure bare, double ratio)
{
	printf("%s\t%.0f\t%.1f\t%.0f\t%.1f\t%.3f\n", what, ours.rate,
	    ours.cpu_us, bare.rate, bare.cpu_us, ratio);
	fflush(stdout);
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
	show(what, (struct figure){median(a, slices), median(ca, slices)},
	    (struct figure){median(b, slices), median(cb, slices)},
	    median(r, slices));
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
}

/* All keys once, 1000 in a transaction. */
static double
rewrap_all(work_fn work, uint64_t generation)
{
	double began = now_s();

	lanes[0].batch = 1000;
	lanes[0].next = 0;
	lanes[0].generation = generation;
	while (lanes[0].generation == generation)
		work(&lanes[0]);
	return now_s() - began;
}

static void
rewrap_part(void)
{
	struct figure ours = {0, 0}, bare = {0, 0};
	double took, took_bare;

	for (uint64_t generation = 1; generation <= 3; generation++) {
		took = rewrap_all(rewrap, generation);
		took_bare = rewrap_all(rewrap_bare, generation);
		ours.rate += NAMES / took / 3;
		bare.rate += NAMES / took_bare / 3;
	}
	show("rewrap, 1000 at once", ours, bare, ours.rate / bare.rate);
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
	bench_setup(lanes);
	puts("#\tours/s\tCPU us\tbare/s\tCPU us\tratio");
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
