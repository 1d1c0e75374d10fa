/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "daemon/heads.h"
#include "daemon/keeper.h"
#include "daemon/log.h"

/*
 * Once a minute the active server looks whether the database has, of every
 * application, at least what was seen: so a database that was restored to
 * yesterday is found even when nobody reads. What the database says is
 * compared and never learned: only who has verified a manifest, with its
 * application's key, says how far it is. A hostile database could else name a
 * number that an honest one does not reach, and nobody would believe that one
 * any more.
 */
#define WATCH_MS 60000
#define PAGE 500

static void ask(struct keeper *k);

static void
finish(struct keeper *k)
{
	struct heads_watch *w = &k->watch;
	bool was = w->behind[0] != '\0', is = w->found[0] != '\0';

	if (is && strcmp(w->behind, w->found) != 0)
		log_error("application %s: the database is older than what was "
			  "seen of it: counter %llu there, %llu was seen; its "
			  "members refuse that until the newer database is "
			  "back",
		    w->found, (unsigned long long)w->there,
		    (unsigned long long)w->seen);
	if (was && !is)
		log_notice("the database has of each application what was "
			   "seen");
	memcpy(w->behind, w->found, sizeof(w->behind));
	w->asking = false;
}

/* The first in order is named: where one is, others are. */
static void
compare(struct keeper *k, const char *app, uint64_t counter)
{
	struct heads_watch *w = &k->watch;
	uint64_t seen = heads_get_then(k->heads, app, w->serial);

	if (counter >= seen || w->found[0] != '\0')
		return;
	memcpy(w->found, app, sizeof(w->found));
	w->there = counter;
	w->seen = seen;
}

static bool
read_name(const struct db_field *f, char ret[static CLV_NAME_MAX])
{
	if (f->len >= CLV_NAME_MAX)
		return false;
	memset(ret, 0, CLV_NAME_MAX);
	memcpy(ret, f->p, f->len);
	return clv_name_check(ret) == CLV_OK;
}

/* Those that should have come before this one, or before the end: a removed
 * application's manifest stays in the database. */
static void
compare_missing(struct keeper *k, const char *before)
{
	const char *app = k->watch.after;

	while ((app = heads_next(k->heads, app)) != NULL &&
	       (before == NULL || strcmp(app, before) < 0))
		compare(k, app, 0);
}

/* false: nothing that an honest database says, so that it ends there. */
static bool
take_row(struct keeper *k, const struct db_result *r, size_t i)
{
	struct heads_watch *w = &k->watch;
	char app[CLV_NAME_MAX];

	if (!read_name(db_field(r, i, 0), app) || strcmp(app, w->after) <= 0)
		return false;
	compare_missing(k, app);
	compare(k, app, db_u64(r, i, 1));
	memcpy(w->after, app, sizeof(w->after));
	return true;
}

static void
on_heads(struct keeper *k, void *arg, const struct db_result *r)
{
	bool more = r->rows >= PAGE;

	(void)arg;
	if (r->result != CLV_OK) {
		k->watch.asking = false; /* until the next time */
		return;
	}
	for (size_t i = 0; i < r->rows; i++) {
		if (!take_row(k, r, i)) {
			more = false;
			break;
		}
	}
	if (more) {
		ask(k);
		return;
	}
	compare_missing(k, NULL);
	finish(k);
}

static void
ask(struct keeper *k)
{
	struct heads_watch *w = &k->watch;
	uint8_t limit[8];
	struct clv_param p[2] = {
	    {w->after, strlen(w->after)},
	    clv_param_u64(PAGE, limit),
	};

	w->serial = heads_serial(k->heads);
	db_call_pool(
	    k, CLV_STMT_GET_HEADS, p, 2, KEEPER_SQL_MS, on_heads, NULL);
}

void
heads_watch_look(struct keeper *k)
{
	struct heads_watch *w = &k->watch;
	uint64_t now = loop_now_ms();

	if (!role_serves(k->serving.state) || !k->db.known || w->asking ||
	    (w->asked_ms != 0 && now - w->asked_ms < WATCH_MS))
		return;
	w->asked_ms = now;
	w->asking = true;
	memset(w->after, 0, sizeof(w->after));
	memset(w->found, 0, sizeof(w->found));
	ask(k);
}

/* Of the last look, by whoever serves. */
const char *
heads_watch_behind(const struct keeper *k)
{
	return role_serves(k->serving.state) ? k->watch.behind : "";
}
