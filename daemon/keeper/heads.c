/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <claviger/buf.h>
#include <claviger/identity.h>
#include <claviger/result.h>

#include "daemon/keeper/heads.h"
#include "daemon/base/log.h"
#include "daemon/base/state.h"

/* File: u32 format 1, u32 n, n x { str app, u64 counter, u64 linked, raw link
 * 8 }, raw BLAKE2b-256. */
#define AGAIN_MS 10000 /* when it could not be written */
#define HEADS_FORMAT 1
#define HEADS_MAX 8192 /* applications, and as many that were removed */
#define HEADS_LEN_MAX (HEADS_MAX * (4 + CLV_NAME_MAX + 24) + 64)
#define SUM_LEN 32

struct head {
	char app[CLV_NAME_MAX];
	struct clv_head seen;
	uint64_t serial; /* when it was raised */
};

struct heads {
	struct loop *loop;
	char dir[272];
	uint64_t save_ms;
	struct loop_timer *timer;
	bool dirty;
	struct head *heads; /* by name */
	size_t n;
	uint64_t serial;
};

static const char *const copies[2] = {"heads", "heads.bak"};

/* Where it is, or where it belongs. */
static size_t
place(const struct heads *h, const char *app)
{
	size_t low = 0, high = h->n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (strcmp(h->heads[mid].app, app) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct head *
find(const struct heads *h, const char *app)
{
	size_t at = place(h, app);

	if (at == h->n || strcmp(h->heads[at].app, app) != 0)
		return NULL;
	return &h->heads[at];
}

uint64_t
heads_get(const struct heads *h, const char *app)
{
	const struct head *e = find(h, app);

	return e != NULL ? e->seen.counter : 0;
}

struct clv_head
heads_look(const struct heads *h, const char *app)
{
	const struct head *e = find(h, app);

	return e != NULL ? e->seen : (struct clv_head){0};
}

const char *
heads_next(const struct heads *h, const char *after)
{
	size_t at = place(h, after);

	if (at < h->n && strcmp(h->heads[at].app, after) == 0)
		at++;
	return at < h->n ? h->heads[at].app : NULL;
}

uint64_t
heads_serial(const struct heads *h)
{
	return h->serial;
}

uint64_t
heads_get_then(const struct heads *h, const char *app, uint64_t serial)
{
	const struct head *e = find(h, app);

	return e != NULL && e->serial <= serial ? e->seen.counter : 0;
}

static int
add(struct heads *h, const char *app, struct head **ret)
{
	size_t at = place(h, app);
	struct head *more;

	if (h->n >= HEADS_MAX)
		return CLV_E_FULL;
	more = reallocarray(h->heads, h->n + 1, sizeof(*more));
	if (more == NULL)
		return CLV_E_NOMEM;
	h->heads = more;
	memmove(&more[at + 1], &more[at], (h->n - at) * sizeof(*more));
	memset(&more[at], 0, sizeof(*more));
	snprintf(more[at].app, sizeof(more[at].app), "%s", app);
	h->n++;
	*ret = &more[at];
	return CLV_OK;
}

static void
set_link(struct clv_head *e, const struct clv_head *to)
{
	e->linked = to->linked;
	memcpy(e->link, to->link, sizeof(e->link));
}

/* Whatever of it is higher. CLV_E_EXISTS: nothing is. */
static int
raise_in_memory(struct heads *h, const char *app, const struct clv_head *to)
{
	struct clv_head had = heads_look(h, app);
	struct head *e = find(h, app);
	int r = CLV_OK;

	if (to->counter <= had.counter && to->linked <= had.linked)
		return CLV_E_EXISTS;
	if (e == NULL && (r = add(h, app, &e)) != CLV_OK)
		return r;
	if (to->linked > had.linked)
		set_link(&e->seen, to);
	if (to->counter > had.counter) {
		e->seen.counter = to->counter;
		e->serial = ++h->serial;
	}
	return CLV_OK;
}

/* ---- the file ---- */

static void
save(struct heads *h)
{
	uint8_t sum[SUM_LEN];
	struct clv_buf b;
	int r;

	clv_buf_init(&b);
	clv_buf_u32(&b, HEADS_FORMAT);
	clv_buf_u32(&b, (uint32_t)h->n);
	for (size_t i = 0; i < h->n; i++) {
		clv_buf_str(&b, h->heads[i].app);
		clv_buf_u64(&b, h->heads[i].seen.counter);
		clv_buf_u64(&b, h->heads[i].seen.linked);
		clv_buf_raw(&b, h->heads[i].seen.link, CLV_LINK_LEN);
	}
	crypto_generichash(sum, sizeof(sum), b.data, b.len, NULL, 0);
	clv_buf_raw(&b, sum, sizeof(sum));
	r = clv_buf_result(&b);
	for (int i = 0; r == CLV_OK && i < 2; i++)
		r = file_replace(h->dir, copies[i], b.data, b.len, 0600);
	h->dirty = r != CLV_OK;
	if (r != CLV_OK)
		log_error(
		    "%s/heads cannot be written: %s", h->dir, file_why(r));
	clv_buf_fini(&b);
}

static void
on_save(void *arg)
{
	struct heads *h = arg;

	save(h);
	if (h->dirty) /* a full disk: there may be room later */
		(void)loop_timer_set(h->loop, &h->timer, AGAIN_MS, on_save, h);
}

static void
raise_to(struct heads *h, const char *app, const struct clv_head *to)
{
	int r = raise_in_memory(h, app, to);

	if (r == CLV_E_FULL || r == CLV_E_NOMEM)
		log_warning("it is not kept what was seen of application %s: "
			    "%s",
		    app, clv_result_text(r));
	if (r != CLV_OK)
		return;
	h->dirty = true;
	if (h->timer == NULL)
		(void)loop_timer_set(
		    h->loop, &h->timer, h->save_ms, on_save, h);
}

void
heads_raise(struct heads *h, const char *app, uint64_t counter)
{
	const struct clv_head to = {.counter = counter};

	raise_to(h, app, &to);
}

void
heads_see(struct heads *h, const char *app, uint64_t counter,
    const uint8_t mac[static CLV_MANIFEST_MAC_LEN])
{
	struct clv_head to = {.counter = counter};

	if (clv_manifest_link(mac, counter, counter, to.link))
		to.linked = counter;
	raise_to(h, app, &to);
}

void
heads_learn(struct heads *h, const char *app, const struct clv_head *said)
{
	const struct clv_head had = heads_look(h, app);
	struct clv_head to = *said;

	if (had.linked > 0 && to.linked <= had.linked + CLV_MANIFEST_LINKS)
		set_link(&to, &had);
	raise_to(h, app, &to);
}

static int
parse(struct heads *h, const uint8_t *p, size_t len)
{
	uint8_t sum[SUM_LEN];
	struct clv_rd rd;
	uint32_t n;

	if (len < sizeof(sum))
		return CLV_E_DAMAGED;
	crypto_generichash(sum, sizeof(sum), p, len - sizeof(sum), NULL, 0);
	if (sodium_memcmp(sum, p + len - sizeof(sum), sizeof(sum)) != 0)
		return CLV_E_DAMAGED;
	clv_rd_init(&rd, p, len - sizeof(sum));
	if (clv_rd_u32(&rd) != HEADS_FORMAT)
		return CLV_E_VERSION;
	n = clv_rd_u32(&rd);
	for (uint32_t i = 0; i < n && !rd.failed; i++) {
		char app[CLV_NAME_MAX];
		struct clv_head to;
		const uint8_t *link;

		clv_rd_str(&rd, app, sizeof(app));
		to.counter = clv_rd_u64(&rd);
		to.linked = clv_rd_u64(&rd);
		link = clv_rd_raw(&rd, sizeof(to.link));
		if (link == NULL)
			break;
		memcpy(to.link, link, sizeof(to.link));
		(void)raise_in_memory(h, app, &to);
	}
	return clv_rd_end(&rd) == CLV_OK ? CLV_OK : CLV_E_DAMAGED;
}

static int
copy_load(struct heads *h, const char *name)
{
	size_t len;
	void *p;
	int r;

	r = file_read(h->dir, name, HEADS_LEN_MAX, &p, &len);
	if (r != CLV_OK)
		return r;
	r = parse(h, p, len);
	free(p);
	return r;
}

/* Both are read: the higher counter of each counts. */
static int
load(struct heads *h)
{
	int a = copy_load(h, copies[0]), b = copy_load(h, copies[1]);

	if (a == CLV_OK || b == CLV_OK ||
	    (a == CLV_E_NOT_FOUND && b == CLV_E_NOT_FOUND))
		return CLV_OK;
	if (a == CLV_E_VERSION || b == CLV_E_VERSION) {
		log_error("%s/heads was written by a newer program", h->dir);
		return CLV_E_VERSION;
	}
	log_error("%s/heads and its copy are damaged; they say what this host "
		  "has seen of each application, so it is not guessed: remove "
		  "both to begin anew, if the database is known to be good",
	    h->dir);
	return CLV_E_DAMAGED;
}

int
heads_open(
    struct loop *loop, const char *dir, uint64_t save_ms, struct heads **ret)
{
	struct heads *h = calloc(1, sizeof(*h));
	int r;

	if (h == NULL)
		return CLV_E_NOMEM;
	h->loop = loop;
	h->save_ms = save_ms;
	snprintf(h->dir, sizeof(h->dir), "%s", dir);
	if ((r = load(h)) != CLV_OK) {
		free(h->heads);
		free(h);
		return r;
	}
	*ret = h;
	return CLV_OK;
}

void
heads_close(struct heads **heads)
{
	struct heads *h = *heads;

	*heads = NULL;
	if (h == NULL)
		return;
	loop_timer_del(h->loop, &h->timer);
	if (h->dirty)
		save(h);
	free(h->heads);
	free(h);
}
