/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_KEEPER_DB_H
#define TESTS_UNIT_KEEPER_DB_H

#include "keeper_rig.h"

/* Between the files of the rig's database: one statement on its way, what is
 * asked by it, and what is answered. */

struct call {
	uint64_t id;
	enum clv_stmt stmt;
	struct {
		const uint8_t *p;
		size_t len;
	} param[16];
	struct clv_buf *out;
};

static inline void
buf_set(struct clv_buf *dst, const void *p, size_t len)
{
	clv_buf_reset(dst);
	clv_buf_raw(dst, p, len);
	RIG_REQUIRE(clv_buf_result(dst) == CLV_OK);
}

static inline void
refuse(struct call *c, int result, const char *text)
{
	rig_result_put(c->out, c->id, result, text, 0, 0);
}

static inline void
rows(struct call *c, uint32_t n, uint32_t columns)
{
	rig_result_put(c->out, c->id, CLV_OK, "", n, columns);
}

static inline void
put_u64(struct call *c, uint64_t v)
{
	clv_buf_u32(c->out, 8);
	clv_buf_u64(c->out, v);
}

static inline void
put_bool(struct call *c, bool v)
{
	clv_buf_u32(c->out, 1);
	clv_buf_u8(c->out, v);
}

static inline void
say_bool(struct call *c, bool v)
{
	rows(c, 1, 1);
	put_bool(c, v);
}

/* Parameters. */

static inline uint64_t
u64(const struct call *c, unsigned i)
{
	struct clv_rd r;

	RIG_REQUIRE(c->param[i].len == 8);
	clv_rd_init(&r, c->param[i].p, 8);
	return clv_rd_u64(&r);
}

static inline const uint8_t *
raw(const struct call *c, unsigned i, size_t len)
{
	RIG_REQUIRE(c->param[i].len == len);
	return c->param[i].p;
}

/* The fence: false when it has answered. */
bool rig_call_guard(struct call *c);
/* ... and when it was done before. */
bool rig_call_start_op(struct call *c);
void rig_call_op_done(struct call *c);

/* keeper_db_keys.c */
void rig_call_count_keys(struct call *c);
void rig_call_get_old_keys(struct call *c);
void rig_call_put_rewrapped(struct call *c);
void rig_call_put_tls(struct call *c);
void rig_call_get_escrows(struct call *c);
void rig_call_drop_escrows(struct call *c);
void rig_call_get_backups(struct call *c);
void rig_call_put_audit(struct call *c);
void rig_call_get_audit_head(struct call *c);

#endif
