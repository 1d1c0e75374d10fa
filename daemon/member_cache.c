/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <claviger/age.h>

#include "daemon/log.h"
#include "daemon/member.h"

/*
 * The sealed cache, off by default: what the last refresh brought, in an age
 * file to this host's own identity, so that reading goes on when the host
 * restarts while the server is away. With it the host's disk alone opens what
 * the database holds, until its maximum age; clavigerd(8) says so.
 *
 * Plaintext: str "claviger-cache 1", raw system id, u64 epoch, u64 list
 * version, u32 generation, u64 time (seconds since 1970), u32 n, n x { u32
 * generation, str application, raw key }, u64 list version of the pages, bytes
 * pages (member_apps.c).
 */
#define CACHE_FILE "cache.age"
#define CACHE_FORMAT "claviger-cache 1"
#define CACHE_LEN_MAX (2u << 20)

static bool
is_on(const struct member *m)
{
	return strcmp(m->k->config->cache, "sealed") == 0;
}

void
member_cache_remove(struct member *m)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/" CACHE_FILE, m->dir);
	if (unlink(path) != 0 && errno != ENOENT)
		log_warning("%s cannot be removed: %s", path, strerror(errno));
}

static size_t
plain_len(const struct member *m)
{
	size_t len = 256 + m->pages.len;

	for (size_t i = 0; i < m->key_count; i++)
		len += 8 + strlen(m->keys[i].app) + CLV_KEY_LEN;
	return len;
}

static void
put_plain(const struct member *m, struct clv_buf *b)
{
	clv_buf_str(b, CACHE_FORMAT);
	clv_buf_raw(b, m->system_id, sizeof(m->system_id));
	clv_buf_u64(b, m->seen.epoch);
	clv_buf_u64(b, m->seen.list_version);
	clv_buf_u32(b, m->generation);
	clv_buf_u64(b, (uint64_t)m->refreshed_at);
	clv_buf_u32(b, (uint32_t)m->key_count);
	for (size_t i = 0; i < m->key_count; i++) {
		clv_buf_u32(b, m->keys[i].generation);
		clv_buf_str(b, m->keys[i].app);
		clv_buf_raw(b, m->keys[i].key, CLV_KEY_LEN);
	}
	clv_buf_u64(b, m->apps_version);
	clv_buf_bytes(b, m->pages.data, m->pages.len);
}

void
member_cache_save(struct member *m)
{
	struct clv_guard *guard = m->k->guard;
	struct clv_buf plain = {0}, file;
	int r = CLV_E_FULL;

	if (!is_on(m) || m->state != CLV_MEMBER_FRESH)
		return;
	clv_buf_init(&file);
	plain.cap = plain.max = plain_len(m);
	plain.data = clv_guard_get(guard, plain.cap);
	if (plain.data != NULL) {
		put_plain(m, &plain);
		r = clv_buf_result(&plain);
	}
	if (r == CLV_OK)
		r = clv_age_seal(guard,
		    (const uint8_t(*)[32])m->k->identity->box_pk, 1, false,
		    plain.data, plain.len, &file);
	if (r == CLV_OK)
		r = file_replace(m->dir, CACHE_FILE, file.data, file.len, 0400);
	if (r != CLV_OK)
		log_error("%s/" CACHE_FILE " cannot be written: %s", m->dir,
		    file_why(r));
	clv_guard_put(guard, plain.data);
	clv_buf_fini(&file);
}

static int
take_keys(struct member *m, struct clv_rd *rd)
{
	uint32_t n = clv_rd_u32(rd);

	if (rd->failed || n > rd->len / (8 + CLV_KEY_LEN))
		return CLV_E_DAMAGED;
	m->keys = clv_guard_get(m->k->guard, n * sizeof(*m->keys));
	if (m->keys == NULL)
		return CLV_E_FULL;
	m->key_count = n;
	for (uint32_t i = 0; i < n; i++) {
		m->keys[i].generation = clv_rd_u32(rd);
		clv_rd_str(rd, m->keys[i].app, sizeof(m->keys[i].app));
		clv_rd_copy(rd, m->keys[i].key, CLV_KEY_LEN);
		if (m->keys[i].generation > m->newest)
			m->newest = m->keys[i].generation;
	}
	return rd->failed ? CLV_E_DAMAGED : CLV_OK;
}

/* The file is ours alone to write; yet it must not be older than what this
 * host has accepted since. */
static int
take_head(struct member *m, struct clv_rd *rd)
{
	char format[sizeof(CACHE_FORMAT)];
	uint8_t system[CLV_SYSTEM_ID_LEN];
	uint64_t epoch, list;

	clv_rd_str(rd, format, sizeof(format));
	clv_rd_copy(rd, system, sizeof(system));
	epoch = clv_rd_u64(rd);
	list = clv_rd_u64(rd);
	m->generation = clv_rd_u32(rd);
	m->refreshed_at = (int64_t)clv_rd_u64(rd);
	if (rd->failed || strcmp(format, CACHE_FORMAT) != 0)
		return CLV_E_FORMAT;
	if (sodium_memcmp(system, m->system_id, sizeof(system)) != 0)
		return CLV_E_WRONG_SYSTEM;
	if (epoch < m->seen.epoch || list < m->seen.list_version ||
	    m->generation < m->seen.generation)
		return CLV_E_STALE;
	return CLV_OK;
}

static int
take(struct member *m, const uint8_t *p, size_t len)
{
	struct clv_rd rd, pages;
	const uint8_t *blob;
	uint64_t version;
	size_t blob_len;
	int r;

	clv_rd_init(&rd, p, len);
	r = take_head(m, &rd);
	if (r == CLV_OK)
		r = take_keys(m, &rd);
	if (r != CLV_OK)
		return r;
	version = clv_rd_u64(&rd);
	blob = clv_rd_bytes(&rd, &blob_len);
	if (clv_rd_end(&rd) != CLV_OK)
		return CLV_E_DAMAGED;
	if (version == 0)
		return CLV_OK;
	clv_rd_init(&pages, blob, blob_len);
	return member_apps_load(m, &pages, version);
}

static int
open_file(struct member *m, const void *file, size_t len)
{
	uint8_t *plain = NULL;
	size_t plain_size = 0;
	int r;

	r = clv_age_open(m->k->guard, m->k->identity->box_sk, file, len,
	    CACHE_LEN_MAX, &plain, &plain_size);
	if (r == CLV_OK)
		r = take(m, plain, plain_size);
	clv_guard_put(m->k->guard, plain);
	return r;
}

static void
on_aged(void *arg)
{
	member_event(arg, MEMBER_EV_AGED, "");
}

/* By the clock on the wall, as the host may have been off; one that was set
 * back does not make it younger than it was when it was written. */
static void
begin(struct member *m)
{
	int64_t age = (int64_t)time(NULL) - m->refreshed_at;
	int64_t max = m->k->config->cache_max_age;

	m->from_cache = true;
	if (age < 0 || age >= max) {
		member_event(m, MEMBER_EV_AGED,
		    age < 0 ? "it is of the future: is the clock right?" : "");
		return;
	}
	(void)loop_timer_set(
	    m->k->loop, &m->aged, (uint64_t)(max - age) * 1000, on_aged, m);
	member_event(m, MEMBER_EV_LOADED, "");
}

int
member_cache_load(struct member *m)
{
	size_t len;
	void *file;
	int r;

	if (!is_on(m)) {
		member_cache_remove(m); /* switched off since */
		return CLV_OK;
	}
	r = file_read(m->dir, CACHE_FILE, CACHE_LEN_MAX, &file, &len);
	if (r == CLV_E_NOT_FOUND)
		return CLV_OK;
	if (r == CLV_OK) {
		r = open_file(m, file, len);
		free(file);
	}
	if (r == CLV_OK) {
		begin(m);
		return CLV_OK;
	}
	log_warning(
	    "%s/" CACHE_FILE " is not used: %s", m->dir, clv_result_text(r));
	clv_guard_put(m->k->guard, m->keys);
	m->keys = NULL;
	m->key_count = 0;
	m->newest = m->generation = 0;
	m->refreshed_at = 0;
	return CLV_OK;
}
