/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <claviger/result.h>
#include <claviger/wire.h>
#include "daemon/front/front_uplink.h"
#include "daemon/base/log.h"

/*
 * What is said on the uplink: one request for another answer, a heartbeat
 * every few seconds, and notices, which come when they like. Whoever has the
 * network name's TLS key may send what he likes: nothing is kept of it but one
 * frame, and a flood ends the connection.
 */

void
uplink_talk_begin(struct front_uplink *u)
{
	uint64_t now = loop_now_ms();

	u->heard_ms = u->notices_ms = now;
	u->beat_ms =
	    now - UPLINK_BEAT_MS; /* at once: does the server know us? */
	u->beats = u->notices = 0;
}

void
uplink_talk_end(struct front_uplink *u)
{
	u->asked = u->more = false;
	clv_buf_fini(&u->next);
	clv_buf_fini(&u->out);
	u->out_done = 0;
	free(u->frame);
	u->frame = NULL;
	u->len = u->done = 0;
}

void
uplink_talk_ask(struct front_uplink *u, const void *p, size_t len)
{
	clv_buf_reset(&u->next);
	clv_buf_bytes(&u->next, p, len);
	u->more = clv_buf_result(&u->next) == CLV_OK;
	if (!u->more)
		log_error("a request to the server was dropped: %s",
		    clv_result_text(clv_buf_result(&u->next)));
}

uint64_t
uplink_talk_next_ms(const struct front_uplink *u)
{
	uint64_t beat = u->beat_ms + UPLINK_BEAT_MS;
	uint64_t end = u->heard_ms + UPLINK_SILENCE_MS;

	/* What is not written yet is in the way of a heartbeat. */
	return beat < end && u->out_done >= u->out.len ? beat : end;
}

int
uplink_talk_tick(struct front_uplink *u)
{
	if (loop_now_ms() >= u->heard_ms + UPLINK_SILENCE_MS)
		return CLV_E_TIMEOUT;
	return uplink_talk(u);
}

/* ---- writing ---- */

/* The next frame, if there is something to say. */
static bool
load_frame(struct front_uplink *u)
{
	clv_buf_reset(&u->out);
	u->out_done = 0;
	if (loop_now_ms() >= u->beat_ms + UPLINK_BEAT_MS) {
		clv_buf_u32(&u->out, 0);
		u->beat_ms = loop_now_ms();
		u->beats++;
	} else if (u->more && !u->asked && u->state == UPLINK_UP) {
		clv_buf_raw(&u->out, u->next.data, u->next.len);
		u->more = false;
		u->asked = true;
	}
	return u->out.len > 0;
}

static int
write_frames(struct front_uplink *u)
{
	size_t n;
	int r;

	while (u->out_done < u->out.len || load_frame(u)) {
		if ((r = clv_buf_result(&u->out)) != CLV_OK)
			return r;
		r = tls_conn_write(u->tls, u->out.data + u->out_done,
		    u->out.len - u->out_done, &n);
		if (r != CLV_OK)
			return r;
		u->out_done += n;
	}
	return CLV_E_AGAIN;
}

/* ---- reading ---- */

static int
pass_on(struct front_uplink *u)
{
	struct clv_buf b;
	int r;

	clv_buf_init(&b);
	clv_buf_bytes(&b, u->frame, u->len);
	r = front_send(u->front, CHAN_REPLY, &b);
	clv_buf_fini(&b);
	/* The keeper asks again, and fetches without notices too. */
	return r == CLV_E_FULL ? CLV_OK : r;
}

static bool
is_flood(struct front_uplink *u)
{
	uint64_t now = loop_now_ms();

	if (now - u->notices_ms >= UPLINK_NOTICES_MS) {
		u->notices_ms = now;
		u->notices = 0;
	}
	return ++u->notices > UPLINK_NOTICES_MAX;
}

static int
on_frame(struct front_uplink *u)
{
	int r;

	if (clv_wire_answer_op(u->frame, u->len) == CLV_WIRE_NOTICE) {
		if (is_flood(u))
			return CLV_E_PROTOCOL;
	} else if (!u->asked) {
		return CLV_E_PROTOCOL; /* an answer to nothing */
	} else {
		u->asked = false;
	}
	r = pass_on(u);
	free(u->frame);
	u->frame = NULL;
	u->len = u->done = 0;
	return r;
}

static int
on_head(struct front_uplink *u)
{
	struct clv_rd rd;

	clv_rd_init(&rd, u->head, sizeof(u->head));
	u->len = clv_rd_u32(&rd);
	u->done = 0;
	if (u->len > CLV_WIRE_ANSWER_MAX || (u->len == 0 && u->beats == 0))
		return CLV_E_PROTOCOL;
	if (u->len == 0) {
		u->beats--;
		uplink_proven(u);
		return CLV_OK;
	}
	return (u->frame = malloc(u->len)) != NULL ? CLV_OK : CLV_E_NOMEM;
}

static int
read_some(struct front_uplink *u)
{
	bool head = u->frame == NULL;
	uint8_t *p = head ? u->head : u->frame;
	uint32_t want = head ? sizeof(u->head) : u->len;
	size_t n;
	int r;

	r = tls_conn_read(u->tls, p + u->done, want - u->done, &n);
	if (r != CLV_OK)
		return r;
	u->heard_ms = loop_now_ms();
	u->done += (uint32_t)n;
	if (u->done < want)
		return CLV_OK;
	return head ? on_head(u) : on_frame(u);
}

/* An answer makes room for the next request, and the first heartbeat for the
 * first; so the writing comes again. */
int
uplink_talk(struct front_uplink *u)
{
	bool blocked;
	int r;

	do {
		r = write_frames(u);
		blocked = r == CLV_E_AGAIN && u->out_done < u->out.len;
		while (r == CLV_E_AGAIN || r == CLV_OK) {
			r = read_some(u);
			if (r == CLV_E_AGAIN)
				break;
		}
	} while (r == CLV_E_AGAIN && !blocked && u->more && !u->asked &&
		 u->state == UPLINK_UP);
	if (r == CLV_E_AGAIN)
		uplink_watch(u, blocked);
	return r;
}
