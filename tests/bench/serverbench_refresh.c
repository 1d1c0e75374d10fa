/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <arpa/inet.h>
#include <err.h>
#include <sodium.h>
#include <string.h>

#include "quantile.h"
#include "serverbench.h"

/*
 * How long a member waits for its keys: on the connection that it has, or on
 * one that it has to make. A few ask at the same time, so that there are enough
 * answers for a p99. From the first attempt on: who loses its connection comes
 * again as a member's front does, and waits on.
 */
#define ASKERS 4 /* of each kind */
#define PAUSE_US 20000
#define DRAIN_US 10000000 /* for the last answers */
#define SAMPLES_MAX 16384

struct asker {
	struct link link;
	bool fresh;	   /* a connection for each question */
	uint64_t since_us; /* of the question; 0: there is none */
	uint64_t next_us;  /* question, or attempt */
};

static struct asker askers[2 * ASKERS];
static double samples[2][SAMPLES_MAX];
static unsigned n_samples[2], losses, next_party;
static uint64_t from_us, until_us; /* questions of this time count */

static void
record(const struct asker *a)
{
	unsigned *n = &n_samples[a->fresh];

	if (a->since_us >= from_us && a->since_us < until_us &&
	    *n < SAMPLES_MAX)
		samples[a->fresh][(*n)++] =
		    (double)(now_us() - a->since_us) / 1e3;
}

static void
on_done(struct link *l)
{
	struct asker *a = (struct asker *)l;

	record(a);
	a->since_us = 0;
	a->next_us = now_us() + PAUSE_US;
	if (a->fresh)
		link_close(l);
}

static void
on_lost(struct link *l)
{
	losses++;
	((struct asker *)l)->next_us =
	    now_us() + 100000 + randombytes_uniform(900000);
}

static void
ask(struct asker *a)
{
	const struct system *s = a->link.target->system;

	a->since_us = now_us();
	a->link.check = a->fresh || a->link.count % 16 == 0;
	if (a->link.state == LINK_IDLE) {
		link_again(&a->link);
		return;
	}
	a->link.party = &s->parties[next_party++ % s->n];
	link_open(&a->link);
}

/* How many wait for an answer. */
static unsigned
look(bool may_ask)
{
	unsigned waiting = 0;

	for (unsigned i = 0; i < 2 * ASKERS; i++) {
		struct asker *a = &askers[i];
		bool due = now_us() >= a->next_us;

		if (a->since_us == 0 && may_ask && due)
			ask(a);
		else if (a->since_us != 0 && due &&
			 a->link.state == LINK_CLOSED)
			link_open(&a->link);
		waiting += a->since_us != 0;
	}
	return waiting;
}

void
refresh_begin(const struct target *t)
{
	for (unsigned i = 0; i < 2 * ASKERS; i++) {
		askers[i] = (struct asker){.fresh = i >= ASKERS,
		    .link = {.target = t,
			.from = {htonl(0x7f0cfe01 + i)},
			.steps = {STEP_FETCH},
			.n_steps = 1,
			.fd = -1,
			.on_done = on_done,
			.on_lost = on_lost}};
	}
	n_samples[0] = n_samples[1] = losses = 0;
	from_us = until_us = 0;
}

void
refresh_ask(unsigned seconds, bool counts, void (*turn)(void))
{
	uint64_t began = now_us(), end = began + seconds * UINT64_C(1000000);

	from_us = began;
	until_us = counts ? end : 0;
	while (now_us() < end) {
		look(true);
		turn();
	}
}

static struct waited
judge(unsigned kind)
{
	struct waited w = {.n = n_samples[kind]};

	if (w.n == 0)
		errx(1, "nobody was answered");
	w.p50_ms = quantile(samples[kind], w.n, 0.5);
	w.p99_ms = quantile(samples[kind], w.n, 0.99);
	w.worst_ms = samples[kind][w.n - 1];
	return w;
}

void
refresh_end(void (*turn)(void), struct refresh *ret)
{
	uint64_t end = now_us() + DRAIN_US;

	while (look(false) != 0 && now_us() < end)
		turn();
	*ret = (struct refresh){.losses = losses};
	for (unsigned i = 0; i < 2 * ASKERS; i++) {
		if (askers[i].since_us != 0) {
			record(&askers[i]); /* for so long at least */
			ret->unanswered++;
		}
		link_close(&askers[i].link);
	}
	ret->kept = judge(0);
	ret->fresh = judge(1);
}
