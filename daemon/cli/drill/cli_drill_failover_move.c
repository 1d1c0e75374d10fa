/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/cli/drill/cli_drill_failover_seen.h"
#include "daemon/base/loop.h"

/* One move of the role: by a constraint that is cleared again, or by a power
 * cut, while this host looks and the cluster records. */
#define TOOL_MS 20000
#define MOVE_MS 60000
#define POWER_MS 180000 /* detection, fencing and all */
#define LATE_MS 1000
#define READY_MS 90000
#define LIFETIME "PT5M"

bool
failover_is_stopped(struct failover *f)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	sigset_t pending;

	if (sigpending(&pending) == 0)
		for (size_t i = 0; i < 4; i++)
			f->stopped |= sigismember(&pending, signals[i]) == 1;
	return f->stopped;
}

/* ---- constraints ---- */

int
failover_constraints(struct cib *cib, struct clv_buf *ret)
{
	clv_buf_reset(ret);
	return cib_print(
	    cib, cib_find(cib, NULL, "configuration/constraints", 0), ret);
}

static bool
are_as_before(struct failover *f)
{
	struct cib *cib = NULL;
	struct clv_buf now;
	bool same = false;

	clv_buf_init(&now);
	if (doctor_cib_ask(&cib) == CLV_OK &&
	    failover_constraints(cib, &now) == CLV_OK)
		same = now.len == f->constraints.len &&
		       memcmp(now.data, f->constraints.data, now.len) == 0;
	clv_buf_fini(&now);
	cib_free(&cib);
	return same;
}

static int
crm_resource(const char *const argv[])
{
	struct clv_buf out;
	int r;

	clv_buf_init(&out);
	r = cli_tool_read(argv, TOOL_MS, &out);
	clv_buf_fini(&out);
	return r;
}

static void
clear(struct failover *f)
{
	const char *const argv[] = {
	    "crm_resource", "--resource", f->k.clone_id, "--clear", NULL};
	const uint64_t deadline = loop_now_ms() + 2 * TOOL_MS;

	/* What the cluster has not done yet is not in what it says, either. */
	do {
		bool taken = crm_resource(argv) == CLV_OK;

		for (int i = 0; i < 20; i++) {
			f->restored = taken && are_as_before(f);
			if (f->restored)
				return;
			poll(NULL, 0, 100);
		}
	} while (loop_now_ms() < deadline);
}

/* ---- a move ---- */

/* Who looks, and what was before. */
struct watch {
	struct failover *f;
	struct failover_move *m;
	struct seen_by client, address, here, power;
	struct failover_here look;
	uint64_t since, epoch;
	long demote, promote[CLV_LIST_NODES_MAX];
	bool gone; /* the address does not answer */
};

static void
note(struct watch *w, enum failover_step step, uint64_t at_ms)
{
	uint64_t *ms = &w->m->at_ms[step];

	if (*ms == FAILOVER_NEVER && at_ms >= w->since)
		*ms = at_ms - w->since;
}

/* What must have been before the first key, and was seen a moment late. */
static void
note_before_key(struct watch *w, enum failover_step step, uint64_t at_ms)
{
	const uint64_t first = w->m->at_ms[FAILOVER_FIRST_KEY];

	if (first != FAILOVER_NEVER && at_ms > w->since + first)
		at_ms = w->since + first;
	note(w, step, at_ms);
}

static bool
is_after(const struct failover_move *m, const char *server)
{
	return m->power_off ? strcmp(server, m->from) != 0
			    : strcmp(server, m->to) == 0;
}

static void
look_at_client(struct watch *w)
{
	struct failover_move *m = w->m;
	struct seen s;

	/* All that is there: the cluster is to be looked at, too. */
	for (int wait = 20; seen_next(&w->client, wait, &s); wait = 0) {
		if (s.at_ms < w->since)
			continue;
		m->asked++;
		if (!s.ok) {
			m->unanswered++;
		} else if (is_after(m, s.server)) {
			note(w, FAILOVER_FIRST_KEY, s.at_ms);
			m->epoch = s.epoch;
			snprintf(m->to, sizeof(m->to), "%s", s.server);
		} else if (m->at_ms[FAILOVER_FIRST_KEY] == FAILOVER_NEVER) {
			m->at_ms[FAILOVER_LAST_KEY] = s.at_ms - w->since;
		}
	}
}

/* Of several times the last before the key: a ping may be lost. */
static void
look_at_address(struct watch *w, int wait_ms)
{
	const uint64_t *first = &w->m->at_ms[FAILOVER_FIRST_KEY];
	uint64_t *at = &w->m->at_ms[FAILOVER_ADDRESS];
	struct seen s;

	while (seen_next(&w->address, wait_ms, &s)) {
		if (s.at_ms < w->since)
			continue;
		if (!s.ok) {
			w->gone = true;
			continue;
		}
		if (w->gone &&
		    (*at == FAILOVER_NEVER || s.at_ms - w->since <= *first)) {
			*at = FAILOVER_NEVER;
			note_before_key(w, FAILOVER_ADDRESS, s.at_ms);
		}
		w->gone = false;
		wait_ms = 0;
	}
}

static void
look_here(struct watch *w)
{
	struct seen s;

	while (seen_next(&w->here, 0, &s)) {
		if (s.ok && w->m->power_off)
			note_before_key(w, FAILOVER_DETECTED, s.at_ms);
		if (s.epoch > w->epoch)
			note_before_key(w, FAILOVER_EPOCH, s.at_ms);
	}
}

static void
look_at_power(struct watch *w)
{
	struct seen s;

	if (!seen_next(&w->power, 0, &s))
		return;
	if (s.ok)
		note_before_key(w, FAILOVER_FENCED, s.at_ms);
	else
		snprintf(w->m->why, sizeof(w->m->why),
		    "the cluster did not fence %.80s: see stonith_admin "
		    "--history",
		    w->m->from);
}

static void
look_at_calls(struct watch *w, struct cib *cib, bool first)
{
	const struct clv_list *list = w->f->k.list;
	struct failover_move *m = w->m;
	const char *name;
	long call = failover_call(w->f, cib, m->from, "demote");

	if (first)
		w->demote = call;
	else if (call != w->demote && !m->power_off)
		note(w, FAILOVER_DEMOTED, loop_now_ms());
	for (size_t i = 0; i < list->node_count; i++) {
		name = list->nodes[i].party.name;
		call = failover_call(w->f, cib, name, "promote");
		if (first)
			w->promote[i] = call;
		else if (call != w->promote[i] && is_after(m, name))
			note(w, FAILOVER_PROMOTED, loop_now_ms());
	}
}

static bool
look_at_cluster(struct watch *w, bool first)
{
	struct cib *cib = NULL;

	if (doctor_cib_ask(&cib) != CLV_OK)
		return false;
	look_at_calls(w, cib, first);
	cib_free(&cib);
	return true;
}

static bool
is_done(const struct failover_move *m)
{
	return m->at_ms[FAILOVER_PROMOTED] != FAILOVER_NEVER &&
	       m->at_ms[FAILOVER_FIRST_KEY] != FAILOVER_NEVER &&
	       (!m->power_off || m->at_ms[FAILOVER_FENCED] != FAILOVER_NEVER);
}

/* One slow answer is nothing. */
static bool
client_answered(struct seen_by *client)
{
	const uint64_t deadline = loop_now_ms() + 10 * SEEN_FETCH_MS;
	struct seen s;

	while (loop_now_ms() < deadline)
		if (seen_next(client, SEEN_FETCH_MS, &s) && s.ok)
			return true;
	return false;
}

/* It is done as the cluster would do it, which says whether it comes back. */
static bool
ask(struct cli *c, struct watch *w)
{
	struct failover_move *m = w->m;
	const char *const move[] = {"crm_resource", "--resource",
	    w->f->k.clone_id, "--move", "--node", m->to, "--promoted",
	    "--lifetime", LIFETIME, NULL};
	const char *fence[] = {"stonith_admin",
	    w->f->stays_off ? "--fence" : "--reboot", m->from, "--timeout",
	    "120", NULL};

	w->since = loop_now_ms();
	if (!m->power_off && crm_resource(move) == CLV_OK)
		return true;
	if (m->power_off && seen_start(c, seen_tool, fence, &w->power))
		return true;
	snprintf(m->why, sizeof(m->why), "%s",
	    m->power_off ? "no process can be started"
			 : "crm_resource did not take the request");
	return false;
}

/* What others have to tell of it may come a moment after the key. */
static void
look_late(struct watch *w)
{
	const uint64_t *at = w->m->at_ms;
	const uint64_t until = loop_now_ms() + LATE_MS;
	bool missing;

	do {
		look_at_address(w, w->gone ? 100 : 10);
		look_here(w);
		missing = w->gone || at[FAILOVER_EPOCH] == FAILOVER_NEVER ||
			  (w->m->power_off &&
			      at[FAILOVER_DETECTED] == FAILOVER_NEVER);
	} while (missing && is_done(w->m) && loop_now_ms() < until);
}

static void
watch(struct cli *c, struct watch *w)
{
	const uint64_t within_ms = w->m->power_off ? POWER_MS : MOVE_MS;
	struct failover_move *m = w->m;
	struct failover *f = w->f;

	if (!client_answered(&w->client)) {
		snprintf(m->why, sizeof(m->why),
		    "this host does not obtain its keys: claviger doctor "
		    "--connect");
		return;
	}
	if (!ask(c, w))
		return;
	while (!is_done(m) && m->why[0] == '\0' && !failover_is_stopped(f) &&
	       loop_now_ms() - w->since <= within_ms) {
		look_at_client(w);
		look_at_address(w, 0);
		look_here(w);
		look_at_power(w);
		(void)look_at_cluster(w, false);
	}
	look_late(w);
	if (is_done(m) || m->why[0] != '\0')
		return;
	if (f->stopped)
		snprintf(m->why, sizeof(m->why), "interrupted");
	else
		snprintf(m->why, sizeof(m->why), "not done within %u s",
		    (unsigned)(within_ms / 1000));
}

static void
request(struct cli *c, struct failover *f, struct failover_move *m)
{
	struct watch w = {.f = f,
	    .m = m,
	    .look = {.f = f, .from = m->power_off ? m->from : NULL},
	    .epoch = failover_epoch(c)};

	if (!look_at_cluster(&w, true))
		snprintf(m->why, sizeof(m->why), "Pacemaker does not answer");
	else if (!seen_start(c, seen_by_client, NULL, &w.client) ||
		 !seen_start(c, seen_here, &w.look, &w.here) ||
		 (f->k.list->address[0] != '\0' &&
		     !seen_start(
			 c, seen_address, f->k.list->address, &w.address)))
		snprintf(m->why, sizeof(m->why), "no process can be started");
	else
		watch(c, &w);
	seen_stop(&w.client);
	seen_stop(&w.here);
	seen_stop(&w.address);
	seen_stop(&w.power);
}

/* Where the role is now, whatever became of the move; "": that is not certain.
 */
static void
settle(struct failover *f, struct failover_move *m)
{
	const uint64_t deadline = loop_now_ms() + READY_MS;
	char why[200];
	bool ready;

	do {
		ready = failover_all_ready(f, f->last, why, sizeof(why));
		if (m->why[0] != '\0' ? f->last[0] != '\0'
				      : ready && strcmp(f->last, m->to) == 0)
			return;
		poll(NULL, 0, 200);
	} while (loop_now_ms() < deadline &&
		 (m->why[0] != '\0' || !failover_is_stopped(f)));
	if (m->why[0] != '\0')
		return;
	if (f->stopped)
		snprintf(m->why, sizeof(m->why), "interrupted");
	else if (ready)
		snprintf(m->why, sizeof(m->why), "%.80s is active, not %.80s",
		    f->last, m->to);
	else
		snprintf(m->why, sizeof(m->why), "%s", why);
}

static struct failover_move *
begin(struct failover *f, const char *from, const char *to)
{
	struct failover_move *m = &f->moves[f->count++];

	memset(m, 0, sizeof(*m));
	for (size_t i = 0; i < FAILOVER_STEPS; i++)
		m->at_ms[i] = FAILOVER_NEVER;
	snprintf(m->from, sizeof(m->from), "%s", from);
	snprintf(m->to, sizeof(m->to), "%s", to);
	return m;
}

void
failover_move(
    struct cli *c, struct failover *f, const char *from, const char *to)
{
	struct failover_move *m = begin(f, from, to);

	cli_progress("the role goes from %s to %s", from, to);
	request(c, f, m);
	clear(f);
	if (m->why[0] == '\0' && !f->restored)
		snprintf(m->why, sizeof(m->why),
		    "the constraint of the move could not be cleared");
	settle(f, m);
}

void
failover_power_off(struct cli *c, struct failover *f)
{
	struct failover_move *m = begin(f, f->first, "");

	m->power_off = true;
	cli_progress("%s is fenced", f->first);
	request(c, f, m);
	snprintf(f->off, sizeof(f->off), "%s", f->first);
	f->restored = are_as_before(f);
	settle(f, m);
}
