/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/vault_impl.h"

/*
 * The highest counter of each application that this host has seen: in a
 * checked file, two copies, like daemon/state.h, but written a second after a
 * change, for that happens with each write. What a crash may forget the active
 * server remembers, for every member tells it.
 *
 * File: u32 format 1, u32 n, n x { str app, u64 counter }, raw BLAKE2b-256.
 */
#define SEEN_FORMAT 1
#define SEEN_MAX 4096
#define SEEN_LEN_MAX (SEEN_MAX * (4 + CLV_NAME_MAX + 8) + 64)
#define SAVE_MS 1000

static const char *const copies[2] = {"heads", "heads.bak"};

static struct vault_seen *
find(const struct vault *v, const char *app)
{
	for (size_t i = 0; i < v->seen_count; i++)
		if (strcmp(v->seen[i].app, app) == 0)
			return &v->seen[i];
	return NULL;
}

uint64_t
vault_seen_get(const struct vault *v, const char *app)
{
	const struct vault_seen *s = find(v, app);

	return s != NULL ? s->counter : 0;
}

static int
raise_in_memory(struct vault *v, const char *app, uint64_t counter)
{
	struct vault_seen *s = find(v, app), *more;

	if (s == NULL && counter > 0) {
		if (v->seen_count >= SEEN_MAX)
			return CLV_E_FULL;
		more =
		    reallocarray(v->seen, v->seen_count + 1, sizeof(*v->seen));
		if (more == NULL)
			return CLV_E_NOMEM;
		v->seen = more;
		s = &v->seen[v->seen_count++];
		memset(s, 0, sizeof(*s));
		snprintf(s->app, sizeof(s->app), "%s", app);
	}
	if (s == NULL || counter <= s->counter)
		return CLV_E_EXISTS;
	s->counter = counter;
	return CLV_OK;
}

static void
save(struct vault *v)
{
	uint8_t sum[32];
	struct clv_buf b;
	int r;

	clv_buf_init(&b);
	clv_buf_u32(&b, SEEN_FORMAT);
	clv_buf_u32(&b, (uint32_t)v->seen_count);
	for (size_t i = 0; i < v->seen_count; i++) {
		clv_buf_str(&b, v->seen[i].app);
		clv_buf_u64(&b, v->seen[i].counter);
	}
	crypto_generichash(sum, sizeof(sum), b.data, b.len, NULL, 0);
	clv_buf_raw(&b, sum, sizeof(sum));
	r = clv_buf_result(&b);
	for (int i = 0; r == CLV_OK && i < 2; i++)
		r = file_replace(
		    member_dir(v->k), copies[i], b.data, b.len, 0600);
	clv_buf_fini(&b);
	v->seen_dirty = r != CLV_OK;
	if (r != CLV_OK)
		log_error("%s/heads cannot be written: %s", member_dir(v->k),
		    clv_result_text(r));
}

static void
on_save(void *arg)
{
	save(arg);
}

void
vault_seen_raise(struct vault *v, const char *app, uint64_t counter)
{
	int r = raise_in_memory(v, app, counter);

	if (r == CLV_E_FULL)
		log_warning("more than %d applications: of %s it is not kept "
			    "what was seen",
		    SEEN_MAX, app);
	if (r != CLV_OK)
		return;
	v->seen_dirty = true;
	if (v->seen_timer == NULL)
		(void)loop_timer_set(
		    v->k->loop, &v->seen_timer, SAVE_MS, on_save, v);
}

static int
parse(struct vault *v, const uint8_t *p, size_t len)
{
	uint8_t sum[32];
	struct clv_rd rd;
	uint32_t n;

	if (len < sizeof(sum))
		return CLV_E_DAMAGED;
	crypto_generichash(sum, sizeof(sum), p, len - sizeof(sum), NULL, 0);
	if (sodium_memcmp(sum, p + len - sizeof(sum), sizeof(sum)) != 0)
		return CLV_E_DAMAGED;
	clv_rd_init(&rd, p, len - sizeof(sum));
	if (clv_rd_u32(&rd) != SEEN_FORMAT)
		return CLV_E_VERSION;
	n = clv_rd_u32(&rd);
	for (uint32_t i = 0; i < n && !rd.failed; i++) {
		char app[CLV_NAME_MAX];

		clv_rd_str(&rd, app, sizeof(app));
		(void)raise_in_memory(v, app, clv_rd_u64(&rd));
	}
	return clv_rd_end(&rd) == CLV_OK ? CLV_OK : CLV_E_DAMAGED;
}

static int
copy_load(struct vault *v, const char *name)
{
	size_t len;
	void *p;
	int r;

	r = file_read(member_dir(v->k), name, SEEN_LEN_MAX, &p, &len);
	if (r != CLV_OK)
		return r;
	r = parse(v, p, len);
	free(p);
	return r;
}

/* Both are read: the higher counter of each counts. */
int
vault_seen_load(struct vault *v)
{
	int a = copy_load(v, copies[0]), b = copy_load(v, copies[1]);

	if (a == CLV_OK || b == CLV_OK ||
	    (a == CLV_E_NOT_FOUND && b == CLV_E_NOT_FOUND))
		return CLV_OK;
	if (a == CLV_E_VERSION || b == CLV_E_VERSION) {
		log_error("%s/heads was written by a newer program",
		    member_dir(v->k));
		return CLV_E_VERSION;
	}
	log_error("%s/heads and its copy are damaged; they say what this host "
		  "has seen of each application, so it is not guessed: remove "
		  "both to begin anew, if the database is known to be good",
	    member_dir(v->k));
	return CLV_E_DAMAGED;
}

void
vault_seen_fini(struct vault *v)
{
	loop_timer_del(v->k->loop, &v->seen_timer);
	if (v->seen_dirty)
		save(v);
	free(v->seen);
	v->seen = NULL;
	v->seen_count = 0;
}
