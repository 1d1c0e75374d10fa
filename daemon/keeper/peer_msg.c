/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <string.h>

#include <claviger/result.h>
#include "daemon/keeper/peer_msg.h"

bool
peer_msg_by_system(enum peer_kind kind)
{
	return kind == PEER_PROPOSE || kind == PEER_UNLOCKED ||
	       kind == PEER_PROVE || kind == PEER_AUDIT;
}

const char *
peer_msg_domain(enum peer_kind kind)
{
	switch (kind) {
	case PEER_PROPOSE: return "claviger-propos1";
	case PEER_PROMISE: return "claviger-promis1";
	case PEER_ALIVE: return "claviger-alive-1";
	case PEER_UNLOCKED: return "claviger-unlockd";
	case PEER_PROVE: return "claviger-prove-1";
	case PEER_AUDIT: return "claviger-auditpm";
	}
	return NULL;
}

static void
put_voice(struct clv_buf *b, const struct peer_voice *v)
{
	clv_buf_raw(b, v->instance, sizeof(v->instance));
	clv_buf_u64(b, v->stamp);
}

static void
put_fields(struct clv_buf *b, const struct peer_msg *m)
{
	switch (m->kind) {
	case PEER_PROPOSE: clv_buf_u64(b, m->epoch); break;
	case PEER_PROMISE:
		clv_buf_raw(b, m->to, sizeof(m->to));
		clv_buf_u64(b, m->epoch);
		clv_buf_u8(b, m->accepted);
		clv_buf_u64(b, m->highest);
		break;
	case PEER_ALIVE:
	case PEER_UNLOCKED:
		clv_buf_u64(b, m->list_version);
		clv_buf_u32(b, m->generation);
		clv_buf_u64(b, m->epoch);
		clv_buf_u8(b, (uint8_t)m->role);
		break;
	case PEER_PROVE: break;
	case PEER_AUDIT:
		clv_buf_u64(b, m->audit.seq);
		clv_buf_raw(b, m->audit.link, sizeof(m->audit.link));
		break;
	}
}

void
peer_msg_format(const struct peer_msg *m,
    const uint8_t system_id[static CLV_SYSTEM_ID_LEN],
    const struct peer_voice *heard, size_t n, struct clv_buf *b)
{
	clv_buf_u8(b, (uint8_t)m->kind);
	clv_buf_raw(b, system_id, CLV_SYSTEM_ID_LEN);
	clv_buf_u8(b, m->from);
	put_voice(b, &m->voice);
	clv_buf_u8(b, (uint8_t)n);
	for (size_t i = 0; i < n; i++)
		put_voice(b, &heard[i]);
	put_fields(b, m);
}

static void
get_voice(struct clv_rd *r, struct peer_voice *ret)
{
	clv_rd_copy(r, ret->instance, sizeof(ret->instance));
	ret->stamp = clv_rd_u64(r);
}

static enum peer_role
role_of(uint8_t v)
{
	switch (v) {
	case PEER_IDLE: return PEER_IDLE;
	case PEER_PROMOTING: return PEER_PROMOTING;
	case PEER_SERVING: return PEER_SERVING;
	default: return PEER_UNKNOWN;
	}
}

static void
get_fields(struct clv_rd *r, struct peer_msg *m)
{
	switch (m->kind) {
	case PEER_PROPOSE: m->epoch = clv_rd_u64(r); break;
	case PEER_PROMISE:
		clv_rd_copy(r, m->to, sizeof(m->to));
		m->epoch = clv_rd_u64(r);
		m->accepted = clv_rd_u8(r) == 1;
		m->highest = clv_rd_u64(r);
		break;
	case PEER_ALIVE:
	case PEER_UNLOCKED:
		m->list_version = clv_rd_u64(r);
		m->generation = clv_rd_u32(r);
		m->epoch = clv_rd_u64(r);
		m->role = role_of(clv_rd_u8(r));
		break;
	case PEER_PROVE: break;
	case PEER_AUDIT:
		m->audit.seq = clv_rd_u64(r);
		clv_rd_copy(r, m->audit.link, sizeof(m->audit.link));
		break;
	}
}

/* What it has heard of us, of all that it has heard. */
static uint64_t
get_echo(struct clv_rd *r, const uint8_t instance[static 16])
{
	struct peer_voice v;
	uint64_t echo = 0;

	for (unsigned n = clv_rd_u8(r); n > 0 && !r->failed; n--) {
		get_voice(r, &v);
		if (memcmp(v.instance, instance, sizeof(v.instance)) == 0 &&
		    v.stamp > echo)
			echo = v.stamp;
	}
	return echo;
}

int
peer_msg_parse(const void *p, size_t len,
    const uint8_t system_id[static CLV_SYSTEM_ID_LEN],
    const uint8_t instance[static 16], struct peer_msg *ret)
{
	struct peer_msg m = {.from = 0};
	const uint8_t *id;
	struct clv_rd r;

	clv_rd_init(&r, p, len);
	m.kind = (enum peer_kind)clv_rd_u8(&r);
	id = clv_rd_raw(&r, CLV_SYSTEM_ID_LEN);
	if (id == NULL || peer_msg_domain(m.kind) == NULL)
		return CLV_E_FORMAT;
	if (memcmp(id, system_id, CLV_SYSTEM_ID_LEN) != 0)
		return CLV_E_WRONG_SYSTEM;
	m.from = clv_rd_u8(&r);
	get_voice(&r, &m.voice);
	m.echo = get_echo(&r, instance);
	get_fields(&r, &m);
	if (clv_rd_end(&r) != CLV_OK)
		return CLV_E_FORMAT;
	*ret = m;
	return CLV_OK;
}
