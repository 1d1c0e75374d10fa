/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "daemon/api/api_server.h"
#include "daemon/base/log.h"
#include "daemon/member/member.h"
#include "daemon/vault/vault.h"

/* The state, and what follows from it for those who ask. */

static void
keys_drop(struct member *m)
{
	clv_guard_put(m->k->guard, m->keys);
	m->keys = NULL;
	m->key_count = 0;
	m->newest = 0;
	m->from_cache = false;
	vault_drop(m->vault);
}

void
member_permit(struct member *m, uint64_t until_ms)
{
	uint64_t now = loop_now_ms();

	m->permit_until_ms = until_ms;
	if (until_ms > now)
		m->written_until_ms = until_ms;
	else if (m->written_until_ms > now)
		m->written_until_ms = now;
}

void
member_event(struct member *m, enum member_event event, const char *why)
{
	const struct member_rule *rule = member_rule(m->state, event);
	enum clv_member_state from = m->state;

	if (rule == NULL) {
		log_error("member: %s in state %s is not in the table",
		    member_event_name(event), member_state_name(from));
		return;
	}
	m->state = rule->to;
	if (rule->action == MEMBER_ACT_FORBID ||
	    rule->action == MEMBER_ACT_DROP)
		member_permit(m, 0);
	if (rule->action == MEMBER_ACT_DROP)
		keys_drop(m);
	if (event == MEMBER_EV_REVOKED)
		member_cache_remove(m);
	if (from == CLV_MEMBER_FRESH && rule->to == CLV_MEMBER_AWAY)
		keeper_event(m->k, "server-away");
	else if (rule->to == CLV_MEMBER_FRESH && from != CLV_MEMBER_FRESH &&
		 from != CLV_MEMBER_NONE)
		keeper_event(m->k, "server-back");
	if (from != rule->to)
		log_notice("member: %s -> %s: %s%s%s", member_state_name(from),
		    member_state_name(rule->to), rule->why,
		    why[0] != '\0' ? ": " : "", why);
	api_on_change(m->k);
}

static void
time_text(int64_t at, char *dst, size_t cap)
{
	time_t t = (time_t)at;
	struct tm tm;

	if (at == 0 || gmtime_r(&t, &tm) == NULL ||
	    strftime(dst, cap, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		snprintf(dst, cap, "the start");
}

static void
why_not(const struct member *m, char *dst, size_t cap)
{
	char since[64];

	dst[0] = '\0';
	time_text(m->refreshed_at, since, sizeof(since));
	if (m->state == CLV_MEMBER_FRESH && !m->lease)
		snprintf(dst, cap,
		    "the master secret server serves for reading only: its "
		    "database or its cluster's quorum is away");
	else if (m->state == CLV_MEMBER_NONE)
		snprintf(dst, cap,
		    "this host has no keys: the master secret server cannot "
		    "be used: %.120s",
		    m->failure[0] != '\0' ? m->failure : "not asked yet");
	else if (m->state == CLV_MEMBER_EXPIRED)
		snprintf(dst, cap,
		    "the sealed cache is not used: %s; and the master secret "
		    "server cannot be reached: %.70s",
		    m->cache_doubt,
		    m->failure[0] != '\0' ? m->failure : "not asked yet");
	else if (m->state != CLV_MEMBER_FRESH)
		snprintf(dst, cap,
		    "the master secret server cannot be reached since %s: "
		    "%.120s",
		    since, m->failure);
}

int
member_may_write(struct member *m, char why[static 256])
{
	uint64_t now = loop_now_ms();

	if (m->k->copied[0] != '\0') {
		snprintf(why, 256, "%s", m->k->copied);
		return CLV_E_NOT_READY;
	}
	if (m->state == CLV_MEMBER_FRESH && now < m->permit_until_ms)
		return CLV_OK;
	if (m->state == CLV_MEMBER_AWAY && m->k->config->encrypt_when_away)
		return CLV_OK;
	why_not(m, why, 256);
	if (why[0] == '\0')
		snprintf(why, 256,
		    "the master secret server has not answered for too long");
	return CLV_E_AWAY;
}

const char *
member_dir(struct keeper *k)
{
	return k->member->dir;
}

uint64_t
member_epoch(const struct keeper *k)
{
	return k->member->seen.epoch;
}

const uint8_t *
member_system_id(const struct keeper *k)
{
	return k->member->system_id;
}

/* Does one of our keys, of whatever generation, speak for it? */
static bool
is_in_scope(const struct member *m, const char *app)
{
	for (size_t i = 0; i < m->key_count; i++)
		if (m->keys[i].app[0] == '\0' ||
		    strcmp(m->keys[i].app, app) == 0)
			return true;
	return m->key_count == 0;
}

int
member_app_key(struct keeper *k, const char *app, uint32_t generation,
    uint8_t ret[static CLV_KEY_LEN])
{
	const struct member *m = k->member;

	for (size_t i = 0; i < m->key_count; i++) {
		const struct clv_wire_key *key = &m->keys[i];

		if (key->generation != generation)
			continue;
		if (key->app[0] == '\0') {
			clv_app_key(key->key, m->system_id, app, ret);
			return CLV_OK;
		}
		if (strcmp(key->app, app) == 0) {
			memcpy(ret, key->key, CLV_KEY_LEN);
			return CLV_OK;
		}
	}
	return is_in_scope(m, app) ? CLV_E_GENERATION : CLV_E_DENIED;
}

const struct member_app *
member_app_find(const struct member *m, const char *name)
{
	size_t low = 0, high = m->app_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, m->apps[middle].name);

		if (order == 0)
			return &m->apps[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

void
member_status(const struct member *m, struct clv_buf *ret)
{
	uint64_t now = loop_now_ms();
	char why[256] = "";
	bool may =
	    member_may_write((struct member *)(uintptr_t)m, why) == CLV_OK;

	clv_buf_u8(ret, (uint8_t)m->state);
	clv_buf_u64(
	    ret, m->refreshed_ms == 0 ? UINT64_MAX : now - m->refreshed_ms);
	clv_buf_u32(ret, m->generation);
	clv_buf_u64(ret, m->seen.epoch);
	clv_buf_u64(ret, m->seen.list_version);
	clv_buf_u8(ret, may);
	clv_buf_str(ret, may ? "" : why);
	clv_buf_u8(ret, m->k->db.up && m->k->db.known);
	clv_buf_u8(ret, m->is_server_node);
}

static void
load_pins(struct member *m)
{
	int r = CLV_OK;

	if (!m->is_server_node)
		r = server_pins_load(m->k->config, &m->pins);
	if (r != CLV_OK && r != CLV_E_CONFIG)
		log_warning("%s/pins: %s; the server is known by "
			    "'server_thumbprint' alone",
		    m->k->config->state_dir, clv_result_text(r));
}

static int
make_dir(struct member *m)
{
	const struct config *c = m->k->config;

	if (!m->is_server_node) {
		snprintf(m->dir, sizeof(m->dir), "%s", c->state_dir);
		return CLV_OK;
	}
	snprintf(m->dir, sizeof(m->dir), "%s/member", c->state_dir);
	if (mkdir(m->dir, 0700) == 0 || errno == EEXIST)
		return CLV_OK;
	log_error("%s cannot be made: %s", m->dir, strerror(errno));
	return CLV_E_SYSTEM;
}

int
member_init(struct keeper *k)
{
	struct member *m = calloc(1, sizeof(*m));
	int r;

	if (m == NULL)
		return CLV_E_NOMEM;
	m->k = k;
	k->member = m;
	m->is_server_node = config_is_server(k->config);
	clv_buf_init(&m->evidence);
	clv_buf_init(&m->pages);
	clv_buf_init(&m->next_pages);
	r = make_dir(m);
	if (r == CLV_OK)
		r = member_seen_load(m);
	if (r == CLV_OK)
		r = vault_new(k, &m->vault);
	if (r == CLV_OK) {
		load_pins(m);
		member_cache_load(m);
		member_cert_init(m);
		member_uplink_set(m);
	}
	return r;
}

void
member_fini(struct keeper *k)
{
	struct member *m = k->member;

	if (m == NULL)
		return;
	loop_timer_del(k->loop, &m->deadline);
	loop_timer_del(k->loop, &m->next);
	loop_timer_del(k->loop, &m->retry);
	loop_timer_del(k->loop, &m->aged);
	vault_free(&m->vault);
	member_apps_fini(m);
	clv_guard_put(k->guard, m->keys);
	clv_buf_fini(&m->evidence);
	free(m);
	k->member = NULL;
}

bool
member_list_is_old(const struct member *m)
{
	const struct clv_list *own = m->k->secret.list;

	return m->state == CLV_MEMBER_FRESH && m->up &&
	       (m->told_list > m->apps_version ||
		   (own != NULL && own->version > m->apps_version));
}
