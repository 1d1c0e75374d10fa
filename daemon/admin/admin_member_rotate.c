/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "daemon/admin/admin_ops.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/member_answers.h"
#include "daemon/keeper/members_live.h"
#include "daemon/keeper/party_cert.h"

/*
 * ADMIN_MEMBER_ROTATE. Only the host itself can make its key, so it is asked
 * to, in the signed answer to its next question. Nothing is kept of that but
 * in memory: whoever waits for it asks again, after a failover the next active
 * server.
 */

struct asked {
	char name[CLV_NAME_MAX];
	uint8_t wish; /* enum party_wish */
	uint8_t instead[2][32];
	struct admin_thumbs t;
	uint8_t in_use[32]; /* that it came with last, or zeros */
};

static int
parse(struct clv_rd *args, struct asked *ret)
{
	clv_rd_str(args, ret->name, sizeof(ret->name));
	ret->wish = clv_rd_u8(args) != 0 ? PARTY_WISH_NOW : PARTY_WISH_NEXT;
	clv_rd_copy(args, ret->instead, sizeof(ret->instead));
	return clv_rd_end(args) == CLV_OK ? CLV_OK : CLV_E_PROTOCOL;
}

/* Instead of what it uses; after a compromise also of what it was about to
 * use. */
static int
begin(const struct keeper *k, struct asked *a, char *text, size_t cap)
{
	const struct member_live *e = members_live_find(k->live, a->name);

	if (e == NULL || sodium_is_zero(e->thumb, 32) ||
	    !members_live_is(e, loop_now_ms())) {
		snprintf(text, cap, "%s is not live: it has not fetched %s",
		    a->name,
		    e != NULL ? "for too long" : "from this active server yet");
		return CLV_E_AWAY;
	}
	memcpy(a->instead[0], a->in_use, 32);
	if (a->wish == PARTY_WISH_NOW)
		memcpy(a->instead[1],
		    sodium_memcmp(a->in_use, a->t.next, 32) == 0 ? a->t.current
								 : a->t.next,
		    32);
	return CLV_OK;
}

/* Returns what is waited for. */
static const char *
ask(struct keeper *k, const struct asked *a)
{
	const struct member_live *e = members_live_find(k->live, a->name);
	struct member_live said;

	if (e == NULL)
		return "it has not fetched from this active server yet";
	if (e->wish < a->wish) {
		said = *e;
		said.wish = a->wish;
		said.wished_ms = loop_now_ms();
		memcpy(said.instead, a->instead, sizeof(said.instead));
		(void)members_live_heard(k->live, &said);
		member_notice_to(k, a->name);
	}
	if (sodium_memcmp(a->t.current, a->instead[0], 32) != 0 ||
	    !sodium_is_zero(a->t.next, 32))
		return "the signed list has its next certificate; it comes "
		       "with "
		       "that when it next fetches";
	return "it is asked for a new certificate when it fetches";
}

static int
run(struct keeper *k, struct clv_rd *args, struct clv_buf *ret, char *text,
    size_t cap)
{
	const struct member_live *e;
	struct asked a = {.wish = PARTY_WISH_NONE};
	bool done;
	int r = parse(args, &a);

	if (r != CLV_OK)
		return r;
	if (!role_serves(k->serving.state) || k->secret.list == NULL)
		return CLV_E_NOT_ACTIVE;
	if (!admin_thumbs_find(k->secret.list, a.name, false, &a.t) &&
	    !admin_thumbs_find(k->secret.list, a.name, true, &a.t)) {
		snprintf(text, cap, "no host %s is enrolled", a.name);
		return CLV_E_NOT_FOUND;
	}
	e = members_live_find(k->live, a.name);
	if (e != NULL)
		memcpy(a.in_use, e->thumb, 32);
	if (sodium_is_zero(a.instead[0], 32))
		r = begin(k, &a, text, cap);
	if (r != CLV_OK)
		return r;
	done = party_cert_is_changed(a.in_use, a.instead, a.wish, &a.t);
	clv_buf_raw(ret, a.instead, sizeof(a.instead));
	clv_buf_u8(ret, done);
	clv_buf_raw(ret, a.in_use, 32);
	clv_buf_str(ret, done ? "" : ask(k, &a));
	return clv_buf_result(ret);
}

void
admin_member_rotate(
    struct keeper *k, const struct admin_origin *from, struct clv_rd *args)
{
	char text[ADMIN_TEXT_MAX] = "";
	struct clv_buf data;
	int r;

	clv_buf_init(&data);
	r = run(k, args, &data, text, sizeof(text));
	if (r != CLV_OK && text[0] == '\0')
		snprintf(text, sizeof(text), "%s", clv_result_text(r));
	admin_answer(k, from, r, text, "", r == CLV_OK ? &data : NULL);
	clv_buf_fini(&data);
}
