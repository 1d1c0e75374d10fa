/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLAVIGER_BUF_H
#define CLAVIGER_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Canonical binary encoding: integers big-endian, byte strings and text with
 * a 32-bit length in front. Every signed or authenticated structure is made
 * of these, so that there is one encoding for one content.
 */

/* Writer. The first failure (no memory, over max) sticks in `failed`, so that
 * a caller checks once at the end. What it held is wiped when it grows and
 * when it is freed: never realloc'ed. */
struct clv_buf {
	uint8_t *data;
	size_t len;
	size_t cap;
	size_t max; /* 0: CLV_BUF_MAX */
	bool failed;
	bool full; /* failed because of max, not of memory */
};
#define CLV_BUF_MAX (16u << 20)

void clv_buf_init(struct clv_buf *b);
void clv_buf_fini(struct clv_buf *b);  /* wipes; b may be used again */
void clv_buf_reset(struct clv_buf *b); /* wipes content, keeps memory */
void clv_buf_raw(struct clv_buf *b, const void *p, size_t len);
void clv_buf_u8(struct clv_buf *b, uint8_t v);
void clv_buf_u16(struct clv_buf *b, uint16_t v);
void clv_buf_u32(struct clv_buf *b, uint32_t v);
void clv_buf_u64(struct clv_buf *b, uint64_t v);
void clv_buf_bytes(struct clv_buf *b, const void *p, size_t len); /* u32 len */
void clv_buf_str(struct clv_buf *b, const char *s);		  /* u32 len */
/* CLV_OK, or CLV_E_NOMEM / CLV_E_FULL if a write failed. */
int clv_buf_result(const struct clv_buf *b);

/* Reader over borrowed bytes. The first failure sticks: later reads return
 * zeros and empty strings. */
struct clv_rd {
	const uint8_t *p;
	size_t len;
	bool failed;
};

void clv_rd_init(struct clv_rd *r, const void *p, size_t len);
const uint8_t *clv_rd_raw(struct clv_rd *r, size_t len); /* NULL on failure */
uint8_t clv_rd_u8(struct clv_rd *r);
uint16_t clv_rd_u16(struct clv_rd *r);
uint32_t clv_rd_u32(struct clv_rd *r);
uint64_t clv_rd_u64(struct clv_rd *r);
void clv_rd_copy(
    struct clv_rd *r, void *dst, size_t len); /* zeros on failure */
/* Length-prefixed bytes, borrowed from the reader; NULL on failure. */
const uint8_t *clv_rd_bytes(struct clv_rd *r, size_t *ret_len);
/* Length-prefixed text into dst[cap], NUL-terminated; fails when it does not
 * fit or holds a NUL or a control byte. */
void clv_rd_str(struct clv_rd *r, char *dst, size_t cap);
/* CLV_OK only when nothing failed and nothing is left over; else
 * CLV_E_FORMAT. */
int clv_rd_end(const struct clv_rd *r);

#endif
