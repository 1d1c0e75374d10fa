/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/api/api_server.h"
#include "daemon/base/log.h"
#include "daemon/member/member.h"
#include "daemon/vault/vault.h"

/*
 * One refresh: keys, then who may do what when the signed list has changed,
 * then the counters of applications. As long as it has not, all that is one
 * question, whose answer has no keys in it: so a server that has just taken
 * over is soon through with all its members. Two tries; the right to write ends
 * when both fail, or when it runs out. Whoever writes the step does it here.
 */

static void on_next(void *arg);
static void on_deadline(void *arg);
static void ask(struct member *m);
static void finish(struct member *m);

static void
schedule(struct member *m, uint64_t after_ms)
{
	(void)loop_timer_set(m->k->loop, &m->next, after_ms, on_next, m);
}

/* About the interval, so that members do not march in step. */
static uint64_t
interval_ms(const struct member *m)
{
	uint64_t ms = m->k->config->refresh_interval * UINT64_C(1000);

	return ms - ms / 10 + randombytes_uniform((uint32_t)(ms / 5) + 1);
}

static void
enter(struct member *m, enum member_step step)
{
	m->step = step;
	if (step == MEMBER_IDLE)
		loop_timer_del(m->k->loop, &m->deadline);
}

static void
fail(struct member *m, const char *why)
{
	snprintf(m->failure, sizeof(m->failure), "%s", why);
	enter(m, MEMBER_IDLE);
	loop_timer_del(m->k->loop, &m->retry);
	schedule(m, MEMBER_AGAIN_MS);
	(void)member_apps_look_up(m, MEMBER_NAMES_AWAY_MS);
	member_cert_failed(m);
	member_event(m, MEMBER_EV_FAILED, why);
	api_on_list(m->k);
}

static void
try(struct member *m)
{
	(void)loop_timer_set(
	    m->k->loop, &m->deadline, MEMBER_TRY_MS, on_deadline, m);
	enter(m, MEMBER_WAIT);
	if (m->up)
		ask(m);
}

static void
on_deadline(void *arg)
{
	struct member *m = arg;

	if (m->step == MEMBER_CERT) {
		finish(m);
		return;
	}
	if (++m->tries < 2) {
		try(m);
		return;
	}
	fail(m, !m->up && m->up_why[0] != '\0' ? m->up_why
		: m->stale[0] != '\0'	       ? m->stale
					       : "no answer in time");
}

void
member_refresh_begin(struct member *m)
{
	loop_timer_del(m->k->loop, &m->next);
	if (m->step != MEMBER_IDLE) {
		m->again = true;
		return;
	}
	m->tries = 0;
	m->show = false;
	m->again = false;
	m->stale[0] = '\0';
	try(m);
}

/* Whatever was asked is lost, and asked again when that is known. */
void
member_refresh_chain(struct member *m)
{
	const struct clv_buf nothing = {.data = NULL};
	bool begins = m->step == MEMBER_IDLE;

	if (!m->up || m->step == MEMBER_CHAIN)
		return;
	if (begins && loop_now_ms() - m->asked_ms < MEMBER_SOON_MS) {
		member_refresh_soon(m->k);
		return;
	}
	loop_timer_del(m->k->loop, &m->next);
	loop_timer_del(m->k->loop, &m->retry);
	(void)loop_timer_set(
	    m->k->loop, &m->deadline, MEMBER_TRY_MS, on_deadline, m);
	if (begins)
		m->tries = 0;
	enter(m, MEMBER_CHAIN);
	if (member_ask(m, CLV_WIRE_CHAIN, &nothing) != CLV_OK)
		fail(m, "the question could not be sent");
}

void
member_refresh_on_chain(struct member *m, int result)
{
	if (result != CLV_OK) {
		fail(m,
		    "the server signs by a key that does not follow from the "
		    "one that is pinned here: it is behind, or not the "
		    "system's; when claviger status on the other server nodes "
		    "names that key, too: claviger settings pin");
		return;
	}
	enter(m, MEMBER_IDLE);
	member_refresh_begin(m);
}

static void
on_next(void *arg)
{
	member_refresh_begin(arg);
}

void
member_refresh_soon(struct keeper *k)
{
	struct member *m = k->member;
	uint64_t now = loop_now_ms();
	uint64_t due;

	if (m == NULL || m->step != MEMBER_IDLE)
		return;
	/* Whoever asks for what is not there again and again is no reason to
	 * ask the server each time. */
	due = m->asked_ms + MEMBER_SOON_MS;
	schedule(m, due > now ? due - now : 0);
}

void
member_refresh_on_up(struct member *m)
{
	if (m->step == MEMBER_WAIT)
		ask(m);
	else if (m->step == MEMBER_IDLE)
		member_refresh_begin(m);
}

/* What was asked is lost: ask again when it is back, within the same time. */
void
member_refresh_on_down(struct member *m)
{
	if (m->step == MEMBER_IDLE)
		member_refresh_begin(m);
	else
		enter(m, MEMBER_WAIT);
}

static void
ask_keys(struct member *m)
{
	struct clv_wire_holds holds = {m->newest, m->apps_version};
	struct clv_buf payload;

	clv_buf_init(&payload);
	clv_wire_holds_format(&holds, &payload);
	enter(m, MEMBER_FETCH);
	if (clv_buf_result(&payload) != CLV_OK ||
	    member_ask(m, CLV_WIRE_FETCH, &payload) != CLV_OK)
		fail(m, "the question could not be sent");
	clv_buf_fini(&payload);
}

/* Keys and all else are of one list, and nobody has named a newer one. A server
 * that does not know this question is asked for the keys in the second try. */
static bool
has_all(const struct member *m)
{
	return m->tries == 0 && m->keys != NULL && m->keys_version != 0 &&
	       m->keys_version == m->apps_version &&
	       m->told_list <= m->keys_version;
}

static void
ask(struct member *m)
{
	if (!has_all(m)) {
		ask_keys(m);
		return;
	}
	enter(m, MEMBER_RENEW);
	if (member_renew_ask(m) != CLV_OK)
		fail(m, "the question could not be sent");
}

static void
on_retry(void *arg)
{
	struct member *m = arg;

	if (m->up && (m->step == MEMBER_RENEW || m->step == MEMBER_FETCH))
		ask_keys(m);
}

/* A server that is behind what we accepted is shown the proof, and takes a
 * newer epoch: until then it is refused. */
static bool
is_behind(struct member *m, const struct clv_wire_answer *a)
{
	if (a->epoch >= m->seen.epoch &&
	    a->list_version >= m->seen.list_version &&
	    a->generation >= m->seen.generation)
		return false;
	snprintf(m->stale, sizeof(m->stale),
	    "server %.64s is behind: epoch %llu, list %llu, generation %u, "
	    "where %llu, %llu and %u were accepted before",
	    a->server, (unsigned long long)a->epoch,
	    (unsigned long long)a->list_version, a->generation,
	    (unsigned long long)m->seen.epoch,
	    (unsigned long long)m->seen.list_version, m->seen.generation);
	if (!m->show)
		log_warning("member: %s", m->stale);
	m->show = true;
	(void)loop_timer_set(
	    m->k->loop, &m->retry, MEMBER_EVIDENCE_MS, on_retry, m);
	return true;
}

/* Its distribution key is the one that the system's signature names, when we
 * have that one. */
static bool
fits(const struct clv_wire_key *keys, size_t n, const struct clv_wire_answer *a)
{
	uint8_t check[CLV_KEY_LEN];

	for (size_t i = 0; i < n; i++) {
		if (keys[i].app[0] != '\0' ||
		    keys[i].generation != a->generation)
			continue;
		clv_key_check(keys[i].key, check);
		return sodium_memcmp(check, a->check, sizeof(check)) == 0;
	}
	return true;
}

static int
take_keys(struct member *m, const struct clv_wire_answer *a)
{
	struct clv_wire_terms terms;
	struct clv_wire_key *keys;
	size_t n;
	int r;

	r = clv_wire_keys_open(m->k->guard, m->k->identity, a->payload,
	    a->payload_len, &terms, &keys, &n);
	if (r == CLV_E_FULL && m->keys != NULL) {
		log_error("member: guarded memory is too small for the keys");
		return r;
	}
	if (r != CLV_OK)
		return r;
	if (!fits(keys, n, a)) {
		clv_guard_put(m->k->guard, keys);
		return CLV_E_DAMAGED;
	}
	clv_guard_put(m->k->guard, m->keys);
	m->keys = keys;
	m->key_count = n;
	m->newest = 0;
	for (size_t i = 0; i < n; i++)
		if (keys[i].generation > m->newest)
			m->newest = keys[i].generation;
	m->keys_version = a->list_version;
	m->refresh_s = terms.refresh_s;
	m->permit_ms = terms.permit_ms < MEMBER_PERMIT_MAX_MS
			   ? terms.permit_ms
			   : MEMBER_PERMIT_MAX_MS;
	return CLV_OK;
}

/* What was accepted must be on disk before it is used: on a full one a host
 * reads on with the keys that it has. */
static void
fail_seen(struct member *m, int result)
{
	char why[sizeof(m->failure)];

	snprintf(why, sizeof(why), "%.120s/state cannot be written: %s", m->dir,
	    file_why(result));
	fail(m, result == CLV_E_SYSTEM ? why : clv_result_text(result));
}

/* It has the keys that this answer is about. */
static void
refreshed(struct member *m, const struct clv_wire_answer *a)
{
	m->lease = a->encrypt;
	member_permit(m, a->encrypt ? m->asked_ms + m->permit_ms : 0);
	m->refreshed_ms = m->asked_ms;
	m->refreshed_at = (int64_t)time(NULL);
	m->generation = a->generation;
	m->from_cache = false;
	member_cert_accepted(m);
	member_cert_wish(m, a->text);
	loop_timer_del(m->k->loop, &m->aged);
}

static void
take_fetch(struct member *m, const struct clv_wire_answer *a)
{
	uint32_t had = m->newest;
	int r;

	r = member_seen_raise(m, a, m->body, m->body_len);
	if (r != CLV_OK) {
		fail_seen(m, r);
		return;
	}
	r = take_keys(m, a);
	if (r != CLV_OK) {
		fail(m, clv_result_text(r));
		return;
	}
	refreshed(m, a);
	/* Who has something new says so by asking once more. */
	if (m->newest != had)
		m->again = true;
	vault_on_keys(m->vault);
	member_event(m, MEMBER_EV_REFRESHED, "");
	if (m->state != CLV_MEMBER_FRESH)
		return;
	if (m->apps_version != a->list_version) {
		m->apps_next_version = a->list_version;
		enter(m, MEMBER_APPS);
		r = member_apps_ask(m, true);
	} else {
		enter(m, MEMBER_HEADS);
		r = member_heads_ask(m, true);
	}
	if (r != CLV_OK)
		fail(m, clv_result_text(r));
}

static void
finish(struct member *m)
{
	bool again = m->again;

	enter(m, MEMBER_IDLE);
	m->failure[0] = '\0';
	vault_on_refresh(m->vault);
	(void)member_apps_look_up(m, MEMBER_NAMES_MS);
	member_cache_save(m);
	schedule(m, again	     ? 0
		    : m->cert.wanted ? MEMBER_CERT_MS
				     : interval_ms(m));
}

static void
take_apps(struct member *m, const struct clv_wire_answer *a)
{
	int r = member_apps_take(m, a);

	if (r == CLV_E_AGAIN) {
		r = member_apps_ask(m, false);
	} else if (r == CLV_OK) {
		enter(m, MEMBER_HEADS);
		api_on_list(m->k);
		m->again = true; /* says that we have this list */
		r = member_heads_ask(m, true);
	}
	if (r != CLV_OK)
		fail(m, clv_result_text(r));
}

static void
take_heads(struct member *m, const struct clv_wire_answer *a)
{
	int r = member_heads_take(m, a);

	if (r == CLV_E_AGAIN)
		r = member_heads_ask(m, false);
	else if (r == CLV_OK && !m->cert.wanted)
		finish(m);
	else if (r == CLV_OK) {
		enter(m, MEMBER_CERT);
		r = member_cert_ask(m);
	}
	if (r != CLV_OK)
		fail(m, clv_result_text(r));
}

static void
take_renewal(struct member *m, const struct clv_wire_answer *a)
{
	int r;

	if (a->list_version != m->keys_version ||
	    a->generation != m->generation || !fits(m->keys, m->key_count, a)) {
		ask_keys(m);
		return;
	}
	r = member_seen_raise(m, a, m->body, m->body_len);
	if (r != CLV_OK) {
		fail_seen(m, r);
		return;
	}
	refreshed(m, a);
	member_event(m, MEMBER_EV_REFRESHED, "");
	if (m->state != CLV_MEMBER_FRESH)
		return;
	enter(m, MEMBER_HEADS); /* these, and those that are left */
	take_heads(m, a);
}

/* Whatever it says of our certificate: the refresh is through. */
static void
take_cert(struct member *m, const struct clv_wire_answer *a)
{
	enter(m, MEMBER_IDLE);
	member_cert_take(m, a);
	finish(m);
}

/* It is one whose state we accept, and it says no. */
static void
refused(struct member *m, const struct clv_wire_answer *a)
{
	char why[200];

	snprintf(why, sizeof(why), "server %.64s: %.120s", a->server,
	    a->text[0] != '\0' ? a->text : clv_result_text(a->result));
	if (a->result != CLV_E_REVOKED && a->result != CLV_E_UNKNOWN_PEER) {
		fail(m, why);
		return;
	}
	if (a->result == CLV_E_UNKNOWN_PEER && member_cert_refused(m)) {
		enter(m, MEMBER_WAIT); /* with the other one */
		return;
	}
	snprintf(m->failure, sizeof(m->failure), "%s", why);
	enter(m, MEMBER_IDLE);
	schedule(m, MEMBER_AGAIN_MS);
	member_event(m, MEMBER_EV_REVOKED, why);
}

void
member_refresh_on_answer(struct member *m, const struct clv_wire_answer *a)
{
	if (is_behind(m, a))
		return;
	loop_timer_del(m->k->loop, &m->retry);
	if (a->result != CLV_OK && m->step != MEMBER_CERT) {
		refused(m, a);
		return;
	}
	switch (m->step) {
	case MEMBER_RENEW: take_renewal(m, a); break;
	case MEMBER_FETCH: take_fetch(m, a); break;
	case MEMBER_APPS: take_apps(m, a); break;
	case MEMBER_HEADS: take_heads(m, a); break;
	case MEMBER_CERT: take_cert(m, a); break;
	case MEMBER_CHAIN: /* our key is the one in force */
		log_warning("an answer at the server's address was not signed "
			    "by the system");
		member_refresh_on_chain(m, CLV_OK);
		break;
	case MEMBER_IDLE:
	case MEMBER_WAIT: break;
	}
}

/* It may be an old one, played again: a reason to ask, and at most an end of
 * what is permitted. */
void
member_refresh_on_notice(struct member *m, const struct clv_wire_answer *a)
{
	if (m->system_known &&
	    sodium_memcmp(a->system_id, m->system_id, CLV_SYSTEM_ID_LEN) != 0)
		return;
	if (a->epoch < m->seen.epoch || a->list_version < m->seen.list_version)
		return;
	if (a->epoch == m->seen.epoch &&
	    a->list_version == m->seen.list_version &&
	    a->generation == m->generation && a->encrypt == m->lease) {
		if (strcmp(a->text, m->k->identity->name) == 0)
			member_refresh_soon(m->k);
		return;
	}
	m->told_list = a->list_version;
	if (m->step == MEMBER_IDLE)
		schedule(m, randombytes_uniform(MEMBER_JITTER_MS));
	else
		m->again = true;
}
