/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "daemon/keeper/heads.h"
#include "daemon/keeper/keeper.h"
#include "daemon/base/log.h"

/*
 * Once a minute, and soon after a member said that it has seen more than we
 * have, the active server looks whether the database has, of every
 * application, at least what was seen, and its link: so a database that was
 * restored to yesterday is found even when nobody reads. What the database says
 * alone is compared and never learned: only who has verified a manifest, with
 * its application's key, says how far it is. Neither is what a member says
 * alone: it is learned, and handed out to others, as far as the database has
 * come and has the same link. Either of them could else name a number that an
 * honest database does not reach, or a link that it never had, and nobody would
 * believe that one any more.
 */
#define WATCH_MS 60000
#define PAGE 500

static void ask(struct keeper *k);

/* One application's row. */
struct row {
	char app[CLV_NAME_MAX];
	uint64_t there;
	const uint8_t *mac; /* NULL: not one of a manifest */
};

static void
tell_forked(const struct heads_watch *w)
{
	unsigned long long seen = w->seen;

	if (w->by[0] != '\0')
		log_error("application %s: host %s says that it has seen "
			  "another change %llu than the database has: that was "
			  "set back and then written on, or that host lies",
		    w->found, w->by, seen);
	else
		log_error("application %s: the database went another way than "
			  "what was seen of it: its change %llu is another "
			  "one; what was written before that was set back is "
			  "lost, and its members refuse the rest",
		    w->found, seen);
}

static void
tell(const struct heads_watch *w)
{
	unsigned long long there = w->there, seen = w->seen;

	if (w->how == CLV_E_FORKED)
		tell_forked(w);
	else if (w->by[0] != '\0')
		log_error("application %s: host %s says that it has seen "
			  "counter %llu, and the database has %llu: it is an "
			  "older one, or that host lies",
		    w->found, w->by, seen, there);
	else
		log_error("application %s: the database is older than what was "
			  "seen of it: counter %llu there, %llu was seen; its "
			  "members refuse that until the newer database is "
			  "back",
		    w->found, there, seen);
}

static void
finish(struct keeper *k)
{
	struct heads_watch *w = &k->watch;
	bool was = w->behind[0] != '\0', is = w->found[0] != '\0';

	if (is && (strcmp(w->behind, w->found) != 0 || w->behind_how != w->how))
		tell(w);
	if (was && !is)
		log_notice("the database has of each application what was "
			   "seen");
	memcpy(w->behind, w->found, sizeof(w->behind));
	memcpy(w->behind_of, w->by, sizeof(w->behind_of));
	w->behind_how = w->how;
	w->asking = false;
	heads_claims_sweep(&w->claims, k->secret.list);
}

/* A removed application is nobody's any more: who makes it anew gets a counter
 * above all that was seen. */
static bool
is_there(const struct keeper *k, const char *app)
{
	return clv_list_app_by_name(k->secret.list, app) != NULL;
}

/* The first in order is named: where one is, others are. */
static void
found(struct keeper *k, const struct row *row, int how,
    const struct clv_head *seen, const char *by)
{
	struct heads_watch *w = &k->watch;

	if (w->found[0] != '\0' || !is_there(k, row->app))
		return;
	memcpy(w->found, row->app, sizeof(w->found));
	snprintf(w->by, sizeof(w->by), "%s", by);
	w->how = how;
	w->there = row->there;
	w->seen = how == CLV_E_FORKED ? seen->linked : seen->counter;
}

static int
judge(const struct row *row, const struct clv_head *seen)
{
	if (row->mac != NULL)
		return clv_head_check(seen, row->there, row->mac);
	return row->there < seen->counter ? CLV_E_ROLLBACK : CLV_OK;
}

/* Its link if the database bears that out. */
static void
learn(struct keeper *k, const struct row *row, const struct clv_head *said)
{
	uint8_t link[CLV_LINK_LEN];

	if (row->mac != NULL && said->linked > 0 &&
	    clv_manifest_link(row->mac, row->there, said->linked, link) &&
	    memcmp(link, said->link, sizeof(link)) == 0)
		heads_learn(k->heads, row->app, said);
	else
		heads_raise(k->heads, row->app, said->counter);
}

/* One that came after the question is ahead of its answer, perhaps. */
static void
weigh_claim(struct keeper *k, const struct row *row)
{
	struct heads_watch *w = &k->watch;
	const struct heads_claim *c = heads_claims_find(&w->claims, row->app);
	int r;

	if (c == NULL || c->look == w->look)
		return;
	r = judge(row, &c->head);
	if (r == CLV_OK) {
		learn(k, row, &c->head);
		heads_claims_drop(&w->claims, row->app);
	} else {
		heads_raise(k->heads, row->app,
		    c->head.counter < row->there ? c->head.counter
						 : row->there);
		found(k, row, r, &c->head, c->by);
	}
}

static void
compare(struct keeper *k, const struct row *row)
{
	struct clv_head seen = heads_look(k->heads, row->app);
	int r;

	seen.counter = heads_get_then(k->heads, row->app, k->watch.serial);
	r = judge(row, &seen);
	if (r != CLV_OK)
		found(k, row, r, &seen, "");
	weigh_claim(k, row);
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

static const char *
expected(const struct keeper *k, const char *after)
{
	const struct heads_claim *c =
	    heads_claims_next(&k->watch.claims, after);
	const char *seen = heads_next(k->heads, after);

	if (c == NULL || (seen != NULL && strcmp(seen, c->app) < 0))
		return seen;
	return c->app;
}

/* Those that should have come before this one, or before the end: a removed
 * application's manifest stays in the database. */
static void
compare_missing(struct keeper *k, const char *before)
{
	const char *next = k->watch.after;
	struct row row = {.there = 0};

	while ((next = expected(k, next)) != NULL &&
	       (before == NULL || strcmp(next, before) < 0)) {
		snprintf(row.app, sizeof(row.app), "%s", next);
		compare(k, &row);
		next = row.app;
	}
}

/* false: nothing that an honest database says, so that it ends there. */
static bool
take_row(struct keeper *k, const struct db_result *r, size_t i)
{
	const struct db_field *mac = db_field(r, i, 2);
	struct heads_watch *w = &k->watch;
	struct row row = {.there = db_u64(r, i, 1)};

	if (!read_name(db_field(r, i, 0), row.app) ||
	    strcmp(row.app, w->after) <= 0)
		return false;
	if (mac->len == CLV_MANIFEST_MAC_LEN)
		row.mac = mac->p;
	compare_missing(k, row.app);
	compare(k, &row);
	memcpy(w->after, row.app, sizeof(w->after));
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
	    (w->asked_ms != 0 && !w->claimed && now - w->asked_ms < WATCH_MS))
		return;
	w->asked_ms = now;
	w->asking = true;
	w->claimed = false;
	w->look++;
	memset(w->after, 0, sizeof(w->after));
	memset(w->found, 0, sizeof(w->found));
	memset(w->by, 0, sizeof(w->by));
	ask(k);
}

static bool
is_other_link(const struct clv_head *said, const struct clv_head *known)
{
	return said->linked > 0 &&
	       (said->linked != known->linked ||
		   memcmp(said->link, known->link, CLV_LINK_LEN) != 0);
}

/* The next hello is the occasion to look at what is higher; another link has
 * time. */
void
heads_watch_claim(struct keeper *k, const char *app,
    const struct clv_head *head, const char *by)
{
	struct heads_watch *w = &k->watch;
	struct heads_claim said = {.head = *head, .look = w->look};
	struct clv_head known = heads_look(k->heads, app);
	bool is_higher = head->counter > known.counter;
	int r;

	if (!is_higher && !is_other_link(head, &known))
		return;
	snprintf(said.app, sizeof(said.app), "%s", app);
	snprintf(said.by, sizeof(said.by), "%s", by);
	r = heads_claims_put(&w->claims, &said);
	w->claimed |= r == CLV_OK && is_higher;
	if (r == CLV_E_NOMEM)
		log_warning("what %s has seen of application %s was not noted",
		    by, app);
}

bool
heads_watch_behind(const struct keeper *k)
{
	return role_serves(k->serving.state) && k->watch.behind[0] != '\0' &&
	       is_there(k, k->watch.behind);
}

void
heads_watch_reason(const struct keeper *k, char *dst, size_t cap)
{
	const struct heads_watch *w = &k->watch;

	const char *kind =
	    w->behind_how == CLV_E_FORKED ? "another" : "a newer";

	if (w->behind_of[0] != '\0')
		snprintf(dst, cap,
		    "claviger doctor: %s says that it has seen %s state of "
		    "application %s than the database has",
		    w->behind_of, kind, w->behind);
	else
		snprintf(dst, cap,
		    "the database has %s state of application %s than was "
		    "seen: claviger doctor",
		    w->behind_how == CLV_E_FORKED ? "another" : "an older",
		    w->behind);
}
