/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_BENCH_STOREBENCH_H
#define TESTS_BENCH_STOREBENCH_H

#include <pthread.h>
#include <stdint.h>
#include <libpq-fe.h>
#include <claviger/store.h>

#define LANES_MAX 8
#define TIMEOUT_MS 30000
#define EPOCH 257u
#define RECORD_LEN (256 + 77)
#define NAMES 100000 /* secrets of application "app", and keys */

struct lane;
/* One round of work; how many rows it did. */
typedef unsigned (*work_fn)(struct lane *);

struct lane {
	unsigned number, batch;
	struct clv_store *s;
	PGconn *bare;
	uint64_t counter; /* of the lane's application, "lane0" and so on */
	uint64_t next;	  /* name or key */
	uint64_t generation;
	work_fn work;
	pthread_t thread;
	uint64_t rows;
};

extern const uint8_t bench_instance[16];
extern uint8_t bench_record[RECORD_LEN];

/* storebench_db.c. End the program when PostgreSQL refuses. */
void bench_ok(struct clv_store *s, int rc);
PGresult *bench_check(PGconn *c, PGresult *r);
/* A cluster of its own with a system, applications, and bare tables; each lane
 * with a connection of ours and a bare one. */
void bench_setup(struct lane lanes[static LANES_MAX]);

/* storebench_work.c */
unsigned put_new(struct lane *l);     /* new names */
unsigned put_version(struct lane *l); /* names that rotate, ten kept of each */
unsigned insert_bare(struct lane *l);
unsigned get(struct lane *l);
unsigned select_bare(struct lane *l);
unsigned rewrap(struct lane *l); /* l->batch keys of `generation` */
unsigned rewrap_bare(struct lane *l);

#endif
