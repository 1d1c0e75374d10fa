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

#include "daemon/base/log.h"
#include "daemon/member/member.h"

/*
 * The sealed cache, off by default: what the last refresh brought, in an age
 * file to this host's own identity, so that reading goes on when the host
 * restarts while the server is away. With it the host's disk alone opens what
 * the database holds; clavigerd(8) says so. While the clock says that it is too
 * old, or of the future, it is not used, but it stays: a clock may be wrong at
 * boot. Only a newer one takes its place.
 *
 * Plaintext: str "claviger-cache 2", raw system id, u64 epoch, u64 list
 * version, u32 generation, u64 time (seconds since 1970), u32 n, n x { u32
 * generation, str application, raw key }, u64 list version of the pages, and
 * the pages (member_apps.c) to the end, which are no secret.
 */
#define CACHE_FILE "cache.age"
#define CACHE_FORMAT "claviger-cache 2"
#define CACHE_LEN_MAX CLV_BUF_MAX /* of the file */
#define HEAD_LEN_MAX 128	  /* all but keys and pages */
#define SECRET_LEN_MAX (HEAD_LEN_MAX + CLV_WIRE_ANSWER_MAX)
#define CLOCK_LOOK_MS 10000

/* The largest list fits, with what its pages and the file add. */
#define LIST_LEN_MAX (CLV_LIST_APPS_MAX * (16 + CLV_NAME_MAX + 2 * CLV_ACL_MAX))
_Static_assert(
    LIST_LEN_MAX < CACHE_LEN_MAX / 4 * 3, "the largest list cannot be kept");

static bool
is_on(const struct member *m)
{
	return strcmp(m->k->config->cache, "sealed") == 0;
}

void
member_cache_remove(struct member *m)
{
	char path[512];

	loop_timer_del(m->k->loop, &m->aged);
	snprintf(path, sizeof(path), "%s/" CACHE_FILE, m->dir);
	if (unlink(path) != 0 && errno != ENOENT)
		log_warning("%s cannot be removed: %s", path, strerror(errno));
}

static size_t
secret_len(const struct member *m)
{
	size_t len = HEAD_LEN_MAX;

	for (size_t i = 0; i < m->key_count; i++)
		len += 8 + strlen(m->keys[i].app) + CLV_KEY_LEN;
	return len;
}

static void
put_secret(const struct member *m, struct clv_buf *b)
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
}

static int
append(void *arg, const void *p, size_t len)
{
	clv_buf_raw(arg, p, len);
	return clv_buf_result(arg);
}

/* The pages go past the guarded memory, which they would not fit into. */
static int
seal(const struct member *m, const struct clv_buf *secret, struct clv_buf *file)
{
	struct clv_age_writer *w = NULL;
	int r;

	r = clv_age_write_recipients(m->k->guard,
	    (const uint8_t(*)[32])m->k->identity->box_pk, 1, false, append,
	    file, &w);
	if (r == CLV_OK)
		r = clv_age_writer_put(w, secret->data, secret->len);
	if (r == CLV_OK)
		r = clv_age_writer_put(w, m->pages.data, m->pages.len);
	if (r == CLV_OK)
		r = clv_age_writer_finish(w);
	clv_age_writer_free(&w);
	return r;
}

void
member_cache_save(struct member *m)
{
	struct clv_guard *guard = m->k->guard;
	struct clv_buf secret = {0}, file;
	int r = CLV_E_FULL;

	if (!is_on(m) || m->state != CLV_MEMBER_FRESH)
		return;
	clv_buf_init(&file);
	file.max = CACHE_LEN_MAX;
	secret.cap = secret.max = secret_len(m);
	secret.data = clv_guard_get(guard, secret.cap);
	if (secret.data != NULL) {
		put_secret(m, &secret);
		r = clv_buf_result(&secret);
	}
	if (r == CLV_OK)
		r = seal(m, &secret, &file);
	if (r == CLV_OK)
		r = file_replace(m->dir, CACHE_FILE, file.data, file.len, 0400);
	if (r != CLV_OK)
		log_error("ALARM: %s/" CACHE_FILE " cannot be written (%s): if "
			  "this host restarts while the server is away, it "
			  "reads with what was written last, or not at all",
		    m->dir, file_why(r));
	clv_guard_put(guard, secret.data);
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

/* Why the clock says that what the file holds is not for use, or NULL. Since
 * the file was found it has become older by the time that has passed, whatever
 * the clock on the wall says. */
static const char *
clock_says(const struct member *m)
{
	int64_t age = (int64_t)time(NULL) - m->refreshed_at;

	if (loop_now_ms() >= m->cache_end_ms)
		return "it is older than cache_max_age";
	if (age < 0)
		return "it is of the future: is this host's clock right?";
	if (age >= (int64_t)m->k->config->cache_max_age)
		return "it is older than cache_max_age, if this host's clock "
		       "is right";
	return NULL;
}

/* Authenticated plaintext: the first bytes, with the keys, are guarded. */
struct plain {
	uint8_t *p;
	size_t len, cap;
	struct clv_buf rest;
};

static int
keep_plain(void *arg, const void *p, size_t len)
{
	struct plain *x = arg;
	size_t n = x->cap - x->len < len ? x->cap - x->len : len;

	memcpy(x->p + x->len, p, n);
	x->len += n;
	return append(&x->rest, (const uint8_t *)p + n, len - n);
}

static int
take_pages(struct member *m, struct clv_rd *rd, const struct clv_buf *rest)
{
	uint64_t version = clv_rd_u64(rd);
	struct clv_buf all;
	struct clv_rd pages;
	int r;

	if (rd->failed || version == 0)
		return rd->failed ? CLV_E_DAMAGED : CLV_OK;
	clv_buf_init(&all);
	clv_buf_raw(&all, rd->p, rd->len);
	clv_buf_raw(&all, rest->data, rest->len);
	clv_rd_init(&pages, all.data, all.len);
	r = clv_buf_result(&all);
	if (r == CLV_OK)
		r = member_apps_load(m, &pages, version);
	clv_buf_fini(&all);
	return r;
}

/* Nothing but the time is taken while that is in doubt. */
static int
take(struct member *m, const struct plain *x)
{
	struct clv_rd rd;
	int r;

	clv_rd_init(&rd, x->p, x->len);
	r = take_head(m, &rd);
	if (r != CLV_OK)
		return r;
	m->cache_doubt = clock_says(m);
	if (m->cache_doubt != NULL)
		return CLV_OK;
	r = take_keys(m, &rd);
	return r == CLV_OK ? take_pages(m, &rd, &x->rest) : r;
}

static int
open_file(struct member *m, const void *file, size_t len)
{
	struct clv_age_reader *reader = NULL;
	struct plain x = {0};
	int r;

	/* The plaintext is always shorter than its file. */
	x.cap = len < SECRET_LEN_MAX ? len : SECRET_LEN_MAX;
	x.p = clv_guard_get(m->k->guard, x.cap + 1);
	if (x.p == NULL)
		return CLV_E_FULL;
	r = clv_age_read_identity(
	    m->k->guard, m->k->identity->box_sk, keep_plain, &x, &reader);
	if (r == CLV_OK)
		r = clv_age_reader_put(reader, file, len);
	if (r == CLV_OK)
		r = clv_age_reader_finish(reader);
	clv_age_reader_free(&reader);
	if (r == CLV_OK)
		r = take(m, &x);
	clv_guard_put(m->k->guard, x.p);
	clv_buf_fini(&x.rest);
	return r;
}

static void read_file(struct member *m);
static void on_look(void *arg);

/* The clock may be set at any time, forward or back. */
static void
look_again(struct member *m)
{
	uint64_t now = loop_now_ms(), after = CLOCK_LOOK_MS;
	int64_t left =
	    m->refreshed_at + m->k->config->cache_max_age - (int64_t)time(NULL);

	if (now >= m->cache_end_ms)
		return; /* for good */
	if (m->from_cache && left * 1000 < (int64_t)after)
		after = left > 0 ? (uint64_t)left * 1000 : 1;
	if (m->cache_end_ms - now < after)
		after = m->cache_end_ms - now;
	(void)loop_timer_set(m->k->loop, &m->aged, after, on_look, m);
}

static void
refuse(struct member *m)
{
	log_warning("%s/" CACHE_FILE " is not used: %s; it stays, and is used "
		    "when the clock says that it may be",
	    m->dir, m->cache_doubt);
	member_event(m, MEMBER_EV_AGED, m->cache_doubt);
	look_again(m);
}

static void
on_look(void *arg)
{
	struct member *m = arg;
	const char *doubt = clock_says(m);

	if (m->from_cache && doubt != NULL) {
		m->cache_doubt = doubt;
		refuse(m);
	} else if (!m->from_cache && doubt == NULL) {
		read_file(m);
	} else {
		look_again(m);
	}
}

static void
forget(struct member *m)
{
	clv_guard_put(m->k->guard, m->keys);
	m->keys = NULL;
	m->key_count = 0;
	m->newest = m->generation = 0;
	m->refreshed_at = 0;
}

static void
read_file(struct member *m)
{
	size_t len;
	void *file;
	int r;

	r = file_read(m->dir, CACHE_FILE, CACHE_LEN_MAX, &file, &len);
	if (r == CLV_E_NOT_FOUND)
		return;
	if (r == CLV_OK) {
		r = open_file(m, file, len);
		free(file);
	}
	if (r != CLV_OK) {
		log_warning("%s/" CACHE_FILE " is not used: %s", m->dir,
		    clv_result_text(r));
		forget(m);
		m->cache_doubt = clv_result_text(r);
		return;
	}
	if (m->cache_doubt != NULL) {
		refuse(m);
		return;
	}
	m->from_cache = true;
	member_event(m, MEMBER_EV_LOADED, "");
	look_again(m);
}

void
member_cache_load(struct member *m)
{
	if (!is_on(m)) {
		member_cache_remove(m); /* switched off since */
		return;
	}
	m->cache_end_ms =
	    loop_now_ms() + m->k->config->cache_max_age * UINT64_C(1000);
	read_file(m);
}
