/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLV_PACK_H
#define CLV_PACK_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

/* The encoding of clv_buf into an array that is known to be long enough, where
 * nothing may allocate. Each gives the address behind what it wrote. */

static inline uint8_t *
clv__pack_raw(uint8_t *at, const void *p, size_t len)
{
	memcpy(at, p, len);
	return at + len;
}

static inline uint8_t *
clv__pack_u8(uint8_t *at, uint8_t v)
{
	return clv__pack_raw(at, &v, sizeof(v));
}

static inline uint8_t *
clv__pack_u32(uint8_t *at, uint32_t v)
{
	v = htobe32(v);
	return clv__pack_raw(at, &v, sizeof(v));
}

static inline uint8_t *
clv__pack_u64(uint8_t *at, uint64_t v)
{
	v = htobe64(v);
	return clv__pack_raw(at, &v, sizeof(v));
}

static inline uint8_t *
clv__pack_str(uint8_t *at, const char *s, size_t len)
{
	return clv__pack_raw(clv__pack_u32(at, (uint32_t)len), s, len);
}

#endif
